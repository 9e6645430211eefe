"""What the tests of single publishers share: publishers of a small world on this machine."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fault_server as server_of
import pytest
import site_runs
from drivers import Driver, forking
from fault_server import Server
from httpx._transports import default as transports
from sources_kit import Time, quick_client, small_world

from lib import tables
from lib.package import data_dir
from lib.tools.site.build import build_site
from lib.tools.sources.client import Client
from lib.tools.sources.snapshots import Desk


@pytest.fixture(scope="session")
def start_driver() -> Iterator[Callable[..., Driver]]:
    """What starts a driver, a process that tests kill."""
    if sys.platform != "linux":
        pytest.skip("drivers are forked, on Linux only")
    with forking() as start:
        yield start


@pytest.fixture(scope="session")
def whole_site(tmp_path_factory: pytest.TempPathFactory, what_if_payload: Any) -> Path:
    """Runs of all committed notebooks, one more case, one that failed, and in site/ the site of them."""
    folder = tmp_path_factory.mktemp("out")
    site_runs.put_all(folder)
    build_site(folder)
    return folder


@pytest.fixture(scope="session")
def nasty_site(tmp_path_factory: pytest.TempPathFactory, what_if_payload: Any) -> Path:
    """A site in all whose texts and addresses stands markup."""
    with pytest.MonkeyPatch.context() as patch:
        return site_runs.nasty_site(tmp_path_factory.mktemp("nasty"), patch)


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """Hundreds of clients are opened, and each would read the authorities for a fortieth of a second."""
    make, made = transports.create_ssl_context, {}

    def once(**asked: Any) -> Any:
        key = (*asked.items(), os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        if key not in made:
            made[key] = make(**asked)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transports, "create_ssl_context", once)
        yield


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


@pytest.fixture
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a key of this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "COMTRADE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr("keyring.get_password", lambda service, name: None)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def client(server: Server, time: Time, nothing_from_outside: None) -> Iterator[Client]:
    with quick_client(server.bases, time) as client:
        yield client


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "kept"


READ: dict[Any, Any] = {}
"""Tables as they were read, by what they and all others hold."""


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound tables of the same content are read once, in whatever copy of the data they lie."""
    read, keys = tables._read_once, {}

    def found(name: str, file: Path, *more: Any) -> Any:  # the last two are the state of the files
        if (asked := (name, file, *more)) not in keys:
            paths = (file, *filter(Path.is_file, sorted(data_dir().iterdir())))
            keys[asked] = (name, more[:-2], *(hash(path.read_bytes()) for path in paths))
        if keys[asked] not in READ:
            READ[keys[asked]] = read(name, file, *more)
        return READ[keys[asked]]

    monkeypatch.setattr(tables, "_read_once", found)


@pytest.fixture
def desk(client: Client, store: Path) -> Desk:
    return Desk(client, store)
