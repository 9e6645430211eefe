"""What several test modules share."""

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from browser import browser, open_page, pytest_runtest_teardown, served  # noqa: F401 - fixtures, and a hook

from lib import figures as fig
from lib.analysis import what_if_data
from lib.analysis.register import score_register
from lib.package import notebooks_dir
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


def made_once(name: str, make: Callable[[], Any], paths: pytest.TempPathFactory) -> Any:
    """What takes seconds to make: the first worker leaves it in a file, for which others wait."""
    own = paths.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    folder.mkdir(exist_ok=True)
    with locked(folder):
        if not (kept := folder / "kept").exists():
            kept.write_bytes(pickle.dumps(make()))
    return pickle.loads(kept.read_bytes())


@pytest.fixture(scope="session")
def committed_matrix(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Run], dict[str, str]]:
    """`matrix.expand` of the committed cases."""
    found: tuple[list[Run], dict[str, str]] = made_once("matrix", matrix.expand, tmp_path_factory)
    return found


@pytest.fixture(scope="session")
def scored_register(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The register of targets as it is, with the probability of each."""
    found: pd.DataFrame = made_once("register", lambda: score_register(fig.load_targets()), tmp_path_factory)
    return found


@pytest.fixture(scope="session")
def what_if_payload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the what-if page computes from, for all who ask for it while the data are as they are."""
    state, make = data_state(), what_if_data._payload
    found: dict[str, Any] = made_once("what-if", what_if_data.payload, tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(what_if_data, "_payload", lambda now: found if now == state else make(now))
        yield found


@pytest.fixture(scope="session")
def committed_runs(committed_matrix: tuple[list[Run], dict[str, str]]) -> list[Run]:
    """Every run of the committed `runs.yml`."""
    return committed_matrix[0]


@pytest.fixture(scope="session")
def short_matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed `runs.yml`, of all flows, goals and days only some, the last among them: all take seconds."""
    document = yaml.safe_load((notebooks_dir() / matrix.RUNS_FILE).read_text(encoding="utf-8"))
    axes = document["cases"]["all-flows"]["axes"]
    document["cases"]["all-flows"]["axes"] = {name: every[::-6] for name, every in axes.items()}
    path = tmp_path_factory.mktemp("matrix") / matrix.RUNS_FILE
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path
