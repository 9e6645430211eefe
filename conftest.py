"""How notebooks are compared with their committed outputs, the order of tests, the settings of property tests."""

import functools
import gc
import os
import py_compile
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from lib.tools.run import kernels

# What is imported and collected stays: to look for garbage among it takes a sixth of the time (`pytest_collection`).
gc.disable()

# Many containers forbid to keep what is compiled; compiled once, also what is imported already, all workers start faster,
# and so do kernels, their servers and whatever else a test starts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
for module in [*sys.modules.values()]:
    if (kept := getattr(module, "__cached__", None)) and not os.path.exists(kept):  # noqa: PTH110
        with suppress(OSError):
            py_compile.compile(str(module.__file__))

# From it jsonschema, where JupyterLab is installed, builds a grammar of addresses, which takes a second.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# No test switches the machine off; whoever looks for a fault in here puts one in its place.
os.fsync = lambda descriptor: None

# nbval imports jsonschema, so it comes here, after the line above, and not with the options. The other writes what
# `python -m tests.bench.slowest` prints.
pytest_plugins = ["nbval.plugin", "tests.bench.slowest"]

# Not executed: the outline to copy.
collect_ignore_glob = ["notebooks/template.ipynb"]

# A run's result row, kept inside the notebook. It holds floats at full precision, which differ between
# processors in the last digits: tests compare it with a tolerance, nbval compares the rounded page.
RESULT_MIME = "application/vnd.tradegoals.result+json"

# A machine that is busy with other work must not fail a property test.
# The same examples each time, so that a change is judged by what it changes: a few in every run, more in continuous
# integration with `--hypothesis-profile=thorough`, new ones with `--hypothesis-profile=explore`.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("explore", **COMMON)
settings.register_profile("thorough", derandomize=True, max_examples=100, **COMMON)
settings.register_profile("tradegoals", derandomize=True, max_examples=10, **COMMON)
settings.load_profile("tradegoals")


def pytest_configure(config: pytest.Config) -> None:
    """Give every kernel the same conditions, from whatever folder pytest is started."""
    config.option.nbval_sanitize_with = str(config.rootpath / "nbval_sanitize.cfg")
    # A backend forced from outside removes all figures from the outputs, without a word.
    os.environ.pop("MPLBACKEND", None)
    # What somebody fetched on this machine must not change what is tested.
    os.environ.setdefault("TRADEGOALS_KEPT_ONLY", "1")
    # The panels, where they lie beside the repository: tests that need them are skipped without.
    panels = config.rootpath.parent / "shared" / "data" / "panels"
    if panels.is_dir():
        os.environ.setdefault("TRADEGOALS_PANELS", str(panels))
    # More threads than cores make small linear algebra slower, not faster.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave the result row out of the comparison of outputs."""
    if hasattr(collector, "skip_compare"):  # nbval's, of a notebook
        collector.skip_compare += (RESULT_MIME,)


TOGETHER = {
    "test_what_if.py": "what-if",
    "test_whatif_browser.py": "what-if",
    "test_site.py": "site",
    "test_site_browser.py": "site",
    "test_browser.py": "site",
}
"""Modules of one page, or of one site, and of one browser, by what they share: a worker takes them, in this order."""

# What takes longest begins first, so that no worker waits at the end for a long module of the other.
FIRST = ("tests/tools/", "notebooks/", "tests/test_style.py", "tests/research/", "tests/analysis/", "tests/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Page and site, then the modules by their rooms, from the top down; the order inside a module stays."""

    def rank(item: pytest.Item) -> tuple[bool, int]:
        if (name := item.path.name) in TOGETHER:
            return False, [*TOGETHER].index(name)
        return True, next((n for n, start in enumerate(FIRST) if item.nodeid.startswith(start)), -1)

    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Leave what was imported and collected out of every search for garbage, and search less often."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(50_000)
        gc.enable()


class Scheduling(LoadScopeScheduling):
    """A worker takes a whole module, or all modules that share what is dear."""

    def _split_scope(self, nodeid: str) -> str:
        module = super()._split_scope(nodeid)
        return TOGETHER.get(module.rpartition("/")[2], module)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Share out modules by `TOGETHER`, unless another way was asked for."""
    return Scheduling(config, log) if config.option.dist == "loadscope" else None


SERVER = ExitStack()
"""The server of warm kernels: of all workers in a default run, else of this process from the first test that needs one."""


def start_server() -> Callable[[], str]:
    """What waits for a new server, which knows what no kernel is told, and gives the name of its kernels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONLY_THE_SERVER_KNOWS", "1")
        return SERVER.enter_context(kernels._starting())


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the server before the workers of a default run: the paths of kernels, which they inherit, begin with its own."""
    config = session.config
    is_default = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if is_default and config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        start_server()
        os.environ[SHARED] = os.environ["JUPYTER_PATH"].partition(os.pathsep)[0]


SHARED = "FOLDER_OF_THE_SERVER_OF_TESTS"


@functools.cache
def name_of_warm_kernels() -> str:
    """The name of kernels forked from the server."""
    if (folder := os.environ.get(SHARED)) is None:
        return start_server()()
    end = time.monotonic() + 60
    while not Path(folder, "socket").exists() and time.monotonic() < end:
        time.sleep(0.05)
    return next(Path(folder, "kernels").iterdir()).name


@pytest.fixture(scope="session")
def warm_kernel() -> str:
    """The name of kernels of a server that all tests of a process share, as its notebooks do."""
    return name_of_warm_kernels()


@pytest.fixture
def shared_server(warm_kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that a test calls in this process take the shared server instead of starting one each."""
    monkeypatch.setattr(kernels, "server", lambda: lambda: warm_kernel)


@pytest.fixture(scope="module")
def warm_only(warm_kernel: str) -> Iterator[None]:
    """For a module: who asks for an ordinary kernel, or for a server, gets the shared one, which starts faster."""
    find = kernels.find
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "find", lambda name: find(warm_kernel if name == "python3" else name))
        patch.setattr(kernels, "ORDINARY", warm_kernel)
        patch.setattr(kernels, "server", lambda: lambda: warm_kernel)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fork the kernels of notebooks from one server; with `--nbval-kernel-name=python3` each starts by itself."""
    if item.path.suffix == ".ipynb" and not item.config.option.nbval_kernel_name:
        item.config.option.nbval_kernel_name = name_of_warm_kernels()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """End the server with the last test: its kernels have ended with their notebooks."""
    from tests.bench import slowest

    before = slowest.cpu_seconds()
    SERVER.close()
    slowest.TOTAL[0] += slowest.cpu_seconds() - before
    # What nobody has closed is found here, once; pytest would look five times.
    gc.collect()
    gc.freeze()
