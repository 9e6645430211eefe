"""Measure a matrix: many parameter sets of one typical notebook, with papermill's command and with ours.

pytest does not collect this file. Run it from the checkout, on Linux, with nothing else going on:

    uv run python tests/bench/bench_runs.py [RUNS] [PLAIN_RUNS]

The typical notebook imports pandas, seaborn and statsmodels, draws 144 monthly points and fits an ARIMA(1,1,1)
with 24 forecasts. Each way executes it RUNS (100) times with different parameters; papermill's command, whose
cost per run is constant, is measured on fewer (PLAIN_RUNS, 8), and scaled. Ours does more in that time: it checks
parameters, writes a page and a journal. The ways take turns, three times, and least and most are printed. CPU is
that of all processes, memory the largest sum of what they take (shared pages counted once), sampled.
"""

import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat

NAME = "02_how_did_trade_grow"
PARAMETERS = 'reporter = "Harbin"\npartner = "Russia"\nflow = "total"\nas_of = "2026-11-24"\n'
PARAMETERS += 'currency = "USD"\ngoal = "25 %"\nbase_year = 2012\ndeadline = 2015'
CELLS = [
    "import numpy as np\nimport pandas as pd",
    "import matplotlib.pyplot as plt\nimport seaborn as sns",
    "from statsmodels.tsa.arima.model import ARIMA",
    "rate = float(goal.split()[0]) / 100\nnoise = np.random.default_rng(round(rate * 100)).normal(0, 0.05, 144)",
    'months = pd.date_range("2012-01-01", periods=144, freq="MS")\nlevels = pd.Series(noise, months).cumsum() + 5',
    "levels.describe().round(3)",
    "sns.lineplot(levels)\nplt.show()",
    "fit = ARIMA(levels, order=(1, 1, 1)).fit()",
    "fit.forecast(24).round(2)",
]
MARK = "TRADEGOALS_BENCH_MARK"
ROUNDS = 3
SUBREAPER = 36  # prctl(2): processes whose parent has ended become ours, so that their time is counted


def write_project(folder: Path, runs: int) -> None:
    """The notebook, and a matrix of so many goals."""
    tagged = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [tagged, *(nbformat.v4.new_code_cell(cell) for cell in CELLS)]
    folder.mkdir()
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / f"{NAME}.ipynb"
    )
    goals = ", ".join(f"{number} %" for number in range(1, runs + 1))
    text = f"cases:\n  bench:\n    notebooks: [{NAME}]\n    axes:\n      goal: [{goals}]\n"
    (folder / "runs.yml").write_text(text)


def measure(action: Callable[[dict[str, str]], None]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak megabytes of what an action starts in the environment it is given."""
    mark, peak, over = uuid.uuid4().hex, 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.5):
            peak = max(peak, sum(map(megabytes, marked(mark))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    before, started = os.times(), time.perf_counter()
    action(os.environ | {MARK: mark, "OPENBLAS_NUM_THREADS": "1"})
    wall = time.perf_counter() - started
    over.set()
    watcher.join()
    bury_orphans()
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, peak


def bury_orphans() -> None:
    """Wait for processes that have become ours."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def marked(mark: str) -> list[Path]:
    """The processes with a mark in their environment, as folders of /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (path / "environ").read_bytes():
                found.append(path)
        except OSError:
            continue
    return found


def megabytes(process: Path) -> float:
    """Memory of a process, its share of what it has in common with others."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def plain(folder: Path, at_once: int, runs: int) -> Callable[[dict[str, str]], None]:
    """papermill's command in a loop, as people use it."""

    def action(environment: dict[str, str]) -> None:
        program = Path(sys.executable).with_name("papermill")
        command = f'{program} --no-progress-bar {folder}/{NAME}.ipynb {folder}/plain-$0.ipynb -p goal "$0 %"'
        numbers = "\n".join(map(str, range(1, runs + 1)))
        loop = ["xargs", f"-P{at_once}", "-n1", "sh", "-c", command]
        subprocess.run(loop, input=numbers, text=True, env=environment, stderr=subprocess.DEVNULL, check=True)

    return action


def ours(folder: Path, out: Path, *options: str) -> Callable[[dict[str, str]], None]:
    """`tradegoals run --runs` with these options."""

    def action(environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "lib.tools.cli", "run", "--runs", "--out", str(out), *options]
        here = environment | {"TRADEGOALS_NOTEBOOKS": str(folder)}
        subprocess.run(command, env=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    return action


def main() -> None:
    """Print the table of the README."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    few = int(sys.argv[2]) if len(sys.argv) > 2 else min(runs, 8)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place, "notebooks"), Path(place, "out")
        write_project(folder, runs)
        ways = {
            "papermill's command in a loop": (plain(folder, 1, few), runs / few),
            "`tradegoals run --runs --jobs 1`": (ours(folder, out, "--force", "--jobs", "1"), 1),
            "`tradegoals run --runs`": (ours(folder, out, "--force"), 1),
            "again, nothing changed": (ours(folder, out), 1),
        }
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            loop = 0.0
            for name, (action, share) in ways.items():
                wall, cpu, peak = measure(action)
                loop = loop or wall * share
                found[name].append((wall * share, loop / (wall * share), cpu * share / runs, peak))
    print(f"| {runs} runs, {os.cpu_count()} cores | wall, s | × | CPU, s a run | peak memory, MB |")
    print("|---|---|---|---|---|")
    for name, rows in found.items():
        columns = zip(*rows, strict=True)
        cells = [_range(column, digits) for column, digits in zip(columns, (1, 1, 2, 0), strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


def _range(values: Sequence[float], digits: int) -> str:
    """Least and most of several measurements; one number where they do not differ."""
    least, most = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return least if least == most else f"{least} to {most}"


if __name__ == "__main__":
    main()
