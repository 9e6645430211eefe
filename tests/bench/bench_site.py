"""Measure the site: of 4 runs, of 400 runs, and again after one page, then one result, has changed.

pytest does not collect this file. Run it from the checkout with nothing else going on:

    uv run --group test python tests/bench/bench_site.py [RUNS]

The runs are copies of the committed notebooks, as large as real ones. Each build is a process of its own, so the
imports count.
"""

import os
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from subprocess import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import site_runs

LIMITS = {"4 runs": 15, "all runs": 60, "one page changed": 1, "one result changed": 2, "nothing changed": 1}


def build(out: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a build in a process of its own."""
    command = [sys.executable, "-m", "lib.tools.cli", "site", "--out", str(out)]
    before, started = os.times(), time.monotonic()
    run(command, check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, cpu


def main(count: int = 400) -> None:
    """Build and print a line for each case."""
    names = [name for name in site_runs.NAMES if not name.startswith("9")]
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        for name in names[:4]:
            site_runs.put_run(few, name)
        for place, name in enumerate(islice(cycle(names), count)):
            site_runs.put_run(many, name, "default" if place < len(names) else f"case-{place}")
        measured = {"4 runs": build(few), "all runs": build(many)}
        site_runs.put_run(many, names[0], key="3" * 64)
        measured |= {"one page changed": build(many)}
        changed = site_runs.with_result(names[0], lambda result: result.update(answer="Another."))
        site_runs.put_run(many, names[0], content=changed)
        measured |= {"one result changed": build(many), "nothing changed": build(many)}
        size = sum(path.stat().st_size for path in (many / "site").rglob("*") if path.is_file()) / 1e6
    print(f"{count} runs, {size:.0f} MB")
    for what, (wall, cpu) in measured.items():
        print(f"{what:<16} {wall:6.1f} s, {cpu:5.1f} s of CPU, limit {LIMITS[what]} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
