"""What several test modules share."""

import functools
import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import browser, open_page, served  # noqa: F401 - fixtures, started only where a test asks

from lib import fetched
from lib import figures as fig
from lib.research.files import locked
from lib.tables import data_state
from lib.tools.run import matrix
from lib.tools.run.freshness import Run


@pytest.fixture(scope="session")
def panel_folder() -> Path:
    """Where the panels are; without them a test is skipped."""
    folder = os.environ.get("TRADEGOALS_PANELS")
    if not folder:
        pytest.skip("TRADEGOALS_PANELS names no folder of panels")
    return Path(folder)


@pytest.fixture(scope="module")
def tables_read_once() -> Iterator[None]:
    """Read the tables once for a module of tests, not at every call."""
    tables = {name: getattr(fig, name)() for name in ("load_figures", "load_covariates", "load_reporters")}
    with pytest.MonkeyPatch.context() as patch:
        for name, table in tables.items():
            patch.setattr(fig, name, lambda table=table: table)
        yield


@pytest.fixture(scope="session")
def expand_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[list[Run], dict[str, Any]]]:
    """`matrix.expand` of the committed cases, which takes seconds, once for its arguments and the data that are there.

    The first worker that needs it leaves it in a file for the others.
    """

    whole = matrix.expand  # tests put another in its place
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    @functools.cache
    def expand(state: Any, *arguments: Any) -> tuple[list[Run], dict[str, Any]]:
        name = hashlib.sha256(repr((state, arguments)).encode()).hexdigest()
        with locked(folder):
            if not (kept := folder / f"expanded-{name}").exists():
                kept.write_bytes(pickle.dumps(whole(*arguments)))
        found: tuple[list[Run], dict[str, Any]] = pickle.loads(kept.read_bytes())
        return found

    return lambda *arguments: expand((data_state(), *fetched.files()), *arguments)


@pytest.fixture(scope="session")
def committed_runs(expand_once: Callable[..., tuple[list[Run], dict[str, Any]]]) -> list[Run]:
    """Every run of the committed `runs.yml`."""
    return expand_once(None, False, ())[0]
