"""Measure what the project promises about speed and memory; pytest does not collect this file.

Run it from the checkout, with nothing else going on:

    uv run python tests/bench/bench.py

It prints one line a measure: what was measured, what was found, and the target where there is one. Times are
of the wall clock; a process start is measured several times and the median taken. Peak memory is that of the
largest process, driver or kernel.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

REPEATS = 5


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def python(code: str) -> None:
    """Run code in a fresh interpreter."""
    subprocess.run([sys.executable, "-c", code], check=True)


def start(code: str) -> float:
    """Median wall time of a fresh interpreter that runs code, after one start that warms the disk."""
    python(code)
    return statistics.median(seconds(lambda: python(code)) for _ in range(REPEATS))


def default_run() -> None:
    """`tradegoals run` into a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            [sys.executable, "-m", "lib.tools.cli", "run", "--out", out], check=True, capture_output=True
        )


def peak_megabytes() -> float:
    """Resident memory of the largest child so far (Linux counts kilobytes, macOS bytes)."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def all_probabilities() -> None:
    """1,000 series of ten years: fit, then the probability of each reading for three years ahead."""
    from lib import law
    from lib.research import backtest

    found = law.posterior(np.random.default_rng(2013).normal(0.05, 0.2, (1000, 9)), None)
    for reading in ("average", "every_year", "mean_of_rates"):
        backtest.chance(found, reading, 3, [0.25])


def main() -> None:
    """Print every measure."""
    package, pandas = start("import lib.figures, lib.growth"), start("import pandas")
    print(f"import lib.figures, lib.growth / import pandas   {package / pandas:5.2f}      (at most 1.2)")
    print(f"import lib                                       {start('import lib'):5.2f} s")
    print(
        f"tradegoals --help                                {start('from lib.tools.cli import main'):5.2f} s"
    )
    print(f"tradegoals run                                   {seconds(default_run):5.1f} s    (at most 25)")
    print(f"  largest process                                {peak_megabytes():5.0f} MB   (at most 500)")
    from lib import figures
    from lib.tools.run import matrix

    print(f"validation of all tables                         {seconds(figures.check_tables):5.2f} s")
    print(f"check of runs.yml                                {seconds(matrix.expand):5.2f} s")
    first, again = seconds(all_probabilities), seconds(all_probabilities)
    print(f"1,000 series × 10 years, all probabilities       {again:5.2f} s    (first call {first:.2f} s)")


if __name__ == "__main__":
    main()
