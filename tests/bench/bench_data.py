"""Measure the commands of the data: the check of what is kept, and a panel of all pairs that was fetched.

pytest does not collect this file. Run it from the checkout with nothing else going on:

    uv run python tests/bench/bench_data.py

The panel is invented: 200 reporters with 200 partners each, 25 years, one flow, written as `data fetch --all-pairs`
writes it (without the snapshots). Promised are 2 seconds each.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lib import fetched, figures
from lib.analysis import plausibility
from lib.economies import economies
from lib.package import DATA_ENV, data_dir
from lib.tools.sources import record

PLACES, YEARS = 200, range(2000, 2025)


def write_panel() -> None:
    """Write the panel's files."""
    names = [place.name for place in economies()[1 : PLACES + 1]]
    random = np.random.default_rng(0)
    for reporter in names:
        partners = [name for name in names if name != reporter]
        keys = pd.MultiIndex.from_product([partners, YEARS], names=["partner", "year"]).to_frame(index=False)
        rows = keys.drop(columns="year").assign(
            reporter=reporter,
            flow="export",
            period_start=pd.to_datetime(keys["year"].astype(str) + "-01-01"),
            period_end=pd.to_datetime(keys["year"].astype(str) + "-12-31"),
            value=random.lognormal(3, 2, len(keys)).round(6),
            unit="USD mn",
            published="2026-11-24",
            publisher="IMF",
            authority="statistics",
            url="https://api.imf.org/x",
            status="ok",
            source="imf",
            snapshot="0" * 64,
        )
        record.append(fetched.typed(rows.assign(figure_id="")))


def timed(what: str, action: Callable[[], object]) -> None:
    """Print the seconds of an action, and those of the processor, which other work does not lengthen."""
    start, before = time.perf_counter(), cpu()
    action()
    print(f"{what:60s}{time.perf_counter() - start:8.2f} s{cpu() - before:8.2f} s CPU")


def cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    command = [sys.executable, "-c", "from lib.tools.cli import main; main()", "data", "check"]
    timed(
        "tradegoals data check, on what is kept",
        lambda: subprocess.run(command, check=True, capture_output=True),
    )
    rows, rates = figures.load_figures(), figures.covariate("cny_per_usd")
    timed(
        "rules of plausibility on figures.csv",
        lambda: plausibility.find_flags(rows, rates, figures.parents()),
    )
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(data_dir(), Path(folder) / "data")
        os.environ[DATA_ENV] = str(Path(folder) / "data")
        timed("995,000 values of a panel written", write_panel)
        timed("the panel loaded", lambda: record.panel("imf"))
        timed("one reporter read, checked and typed", lambda: fetched.read("Germany"))
        timed("every file checked", lambda: fetched.check())


if __name__ == "__main__":
    main()
