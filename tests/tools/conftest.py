"""What the tests of single publishers share: publishers of a small world on this machine."""

from collections.abc import Iterator

import fault_server as server_of
import pytest
from fault_server import Server
from sources_kit import small_world


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
