"""What several test modules share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser, open_page, served  # noqa: F401 - fixtures, started only where a test asks

from lib import figures as fig


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
