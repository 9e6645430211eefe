"""The slowest tests of the last default run, and what the whole run cost.

pytest loads this file as a plugin (conftest.py): a run without a path leaves its times in out/durations.json.
They are printed by

    uv run --group test python -m tests.bench.slowest

Seconds of the clock depend on what else the machine does; those of CPU hardly do. A test's CPU includes the
processes that it started and awaited, not the kernels of a server, which the total counts as well.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.research.files import write_atomically

PATH = Path(__file__).resolve().parents[2] / "out" / "durations.json"
SHOWN = 20

SECONDS: Counter[str] = Counter()
CPU: Counter[str] = Counter()
TOTAL = [0.0]


def cpu_seconds() -> float:
    """CPU of this process and of its children that have ended."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Remember when the test began; what it sets up and tears down is counted as its own."""
    item.stash[BEGUN] = cpu_seconds()
    return (yield)


BEGUN = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Put the CPU since the last report of this test on the report, which takes it to the first process."""
    report: Any = yield
    report.cpu, item.stash[BEGUN] = cpu_seconds() - item.stash[BEGUN], cpu_seconds()
    return report


def pytest_runtest_logreport(report: Any) -> None:
    """Add up set-up, call and tear-down of a test."""
    SECONDS[report.nodeid] += report.duration
    CPU[report.nodeid] += report.cpu


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker has used."""
    TOTAL[0] += getattr(node, "workeroutput", {}).get("cpu", 0.0)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker tell the first process what was used; there, write the file after a default run."""
    config: Any = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["cpu"] = cpu_seconds()
    elif config.args_source is pytest.Config.ArgsSource.TESTPATHS and SECONDS:
        own = sum(os.times()[:2]) if TOTAL[0] else cpu_seconds()  # of workers only what they said themselves
        tests = {name: [round(SECONDS[name], 3), round(CPU[name], 3)] for name in SECONDS}
        PATH.parent.mkdir(exist_ok=True)
        write_atomically(PATH, json.dumps({"cpu": round(TOTAL[0] + own, 1), "tests": tests}, indent=0))


def show(found: dict[str, Any]) -> Iterator[str]:
    """The total, each module that took a second of CPU, and the slowest tests."""
    modules: Counter[str] = Counter()
    for name, (_, cpu) in found["tests"].items():
        modules[name.partition("::")[0]] += cpu
    yield f"{len(found['tests'])} tests, {found['cpu']:.0f} s of CPU\n\n   CPU s  module"
    yield from (f"{cpu:8.1f}  {name}" for name, cpu in modules.most_common() if cpu >= 1)
    yield "\n       s   CPU s  test"
    slowest = sorted(found["tests"].items(), key=lambda item: -item[1][0])[:SHOWN]
    yield from (f"{seconds:8.1f}{cpu:8.1f}  {name}" for name, (seconds, cpu) in slowest)


if __name__ == "__main__":
    print("\n".join(show(json.loads(PATH.read_text(encoding="utf-8")))))
