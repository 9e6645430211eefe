"""Seconds and CPU per run with ordinary and with warm kernels, in one session: `python tests/bench/bench_kernels.py`.

Each way executes the same notebook as often; CPU is that of the driver and of all that it started (waited for
at the end of the way). A warm way includes starting and stopping its server; that alone is the row "server".
Memory is the greatest sum of proportional set sizes, sampled in a round of its own.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from lib.tools.run.kernels import ORDINARY, _starting

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def warm() -> Iterator[str]:
    """The name of kernels of a new server."""
    with _starting() as name:
        yield name()


def execute(notebook: Path, kernel: str) -> None:
    """One run inside this process."""
    import papermill
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="k") as folder:
        sockets = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}
        papermill.execute_notebook(
            notebook,
            f"{folder}/out.ipynb",
            kernel_name=kernel,
            progress_bar=False,
            shutdown_kernel="immediate",
            config=Config({"KernelManager": sockets}),
        )


def run_all(notebook: Path, runs: int, jobs: int, kernels: AbstractContextManager[str]) -> None:
    """All runs of one way."""
    with kernels as kernel, ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(execute, notebook, kernel) for _ in range(runs)]:
            done.result()


def run_command(notebook: Path, runs: int) -> None:
    """All runs as papermill's command line, one after another."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--log-level", "ERROR"]
            subprocess.run([*command, str(notebook), f"{folder}/out.ipynb"], check=True)


def cpu_seconds() -> float:
    """CPU so far, of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds and CPU seconds of some work."""
    clock, cpu = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - clock, cpu_seconds() - cpu


def peak_memory(work: Callable[[], None]) -> float:
    """Greatest memory in MB of this process and its descendants while work is done."""
    import psutil

    done, peak = threading.Event(), 0

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.1):
            family = [psutil.Process(), *psutil.Process().children(recursive=True)]
            peak = max(peak, sum(proportional_size(process.pid) for process in family))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        work()
    finally:
        done.set()
        sampler.join()
    return peak / 1024


def proportional_size(pid: int) -> int:
    """Memory of a process in kB, a page that n processes share counted as 1/n."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "notebook", nargs="?", type=Path, default=ROOT / "notebooks" / "00_did_the_goal_hold.ipynb"
    )
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--memory", action="store_true", help="sample memory, too (twice the time)")
    options = parser.parse_args()
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    notebook, runs = options.notebook, options.runs
    import papermill  # noqa: F401 - once a driver, not once a run

    ways: dict[str, Callable[[], None]] = {
        "papermill command, in a loop": lambda: run_command(notebook, runs),
        "ordinary kernels, one at a time": lambda: run_all(notebook, runs, 1, nullcontext(ORDINARY)),
        "ordinary kernels, two at a time": lambda: run_all(notebook, runs, 2, nullcontext(ORDINARY)),
        "warm kernels, one at a time": lambda: run_all(notebook, runs, 1, warm()),
        "warm kernels, two at a time": lambda: run_all(notebook, runs, 2, warm()),
        "server (start and stop, once)": lambda: run_all(notebook, 0, 1, warm()),
    }
    print(f"{notebook.name}, {runs} runs\n{'':34}{'s':>8}{'CPU s':>8}{'s/run':>8}{'CPU/run':>9}{'MB':>7}")
    for name, work in ways.items():
        seconds, cpu = measure(work)
        memory = f"{peak_memory(work):7.0f}" if options.memory else ""
        print(f"{name:34}{seconds:8.1f}{cpu:8.1f}{seconds / runs:8.2f}{cpu / runs:9.2f}{memory}", flush=True)


if __name__ == "__main__":
    main()
