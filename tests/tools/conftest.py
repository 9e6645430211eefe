"""What the tests of single publishers share: publishers of a small world on this machine."""

from collections.abc import Iterator
from pathlib import Path

import fault_server as server_of
import pytest
import site_runs
from fault_server import Server
from sources_kit import small_world

from lib.tools.site.build import build_site


@pytest.fixture(scope="session")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of all committed notebooks, one more case, one that failed, and in site/ the site of them."""
    folder = tmp_path_factory.mktemp("out")
    site_runs.put_all(folder)
    build_site(folder)
    return folder


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server_of.serve(small_world()) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.seen.clear()
    running.faults.clear()
    running.standing = None
    return running
