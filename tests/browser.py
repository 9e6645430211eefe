"""A real browser for tests of pages: what it logs and what it asks for is recorded, and foreign hosts are refused.

The fixtures `open_page` and `served` are there for every test, by way of tests/conftest.py:

    def test_page(open_page):
        visit = open_page(path_or_address, width=390, dark=True)
        visit.page.click("text=Register")
        assert axe_faults(visit.page) == []

At the end of the test an error in the console, or a request that left the page for another host, fails it.

Chromium is the system's own, found on the path. axe-core comes from npm (`npm install --prefix out/axe axe-core`),
or from the file that TRADEGOALS_AXE names. Where one of them, or Playwright, is missing, the tests are skipped and
say so; with TRADEGOALS_BROWSER=1, as in continuous integration, they fail.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
AXE = ROOT / "out" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
HERE = {"localhost", "127.0.0.1", "::1"}
NO_REQUEST = {"file", "data", "blob", "about", "chrome-error"}
"""Schemes of addresses that no other machine answers."""
TIMEOUT_MS = 300_000
"""Until a step of a page hangs: on a machine that is busy with other work a second's work takes a minute."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

# Chromium has services of its own that call home; nothing here may depend on them.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


@dataclass
class Visit:
    """An open page; `errors` and `outside` fill while it is used."""

    page: Any
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


STARTED = ExitStack()
"""The browser that runs, once a test has asked for it; closed with the last module of a browser's tests."""


@cache
def _start() -> Any:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        _missing("chromium is not on the path (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        _missing("playwright is not installed (uv sync --group test)")
    STARTED.callback(_start.cache_clear)
    playwright = STARTED.enter_context(sync_playwright())
    started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
    STARTED.callback(started.close)
    return started


@pytest.fixture(scope="module")
def browser() -> Any:
    """Chromium, started once for all modules that need it, which follow one another (conftest.py)."""
    return _start()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End it before a module without it: Playwright holds the thread's event loop."""
    if nextitem is None or "browser" not in nextitem.path.name:
        STARTED.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Open a file or an address: `open_page(target, width=1280, height=900, dark=False, **context)`."""
    visits: list[Visit] = []

    def opened(target: Path | str, **options: Any) -> Visit:
        visit = new_visit(browser, **options)
        visits.append(visit)
        visit.page.goto(_address(target), wait_until="load")
        return visit

    yield opened
    faults = [line for visit in visits for line in (*visit.errors, *visit.outside)]
    for visit in visits:
        visit.page.context.close()
    assert not faults, "\n".join(faults)


def new_visit(
    browser: Any, width: int = 1280, height: int = 900, dark: bool = False, **options: Any
) -> Visit:
    """An empty page, watched; `options` go to its context. To be closed: `visit.page.context.close()`."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        service_workers="block",
        **options,
    )
    visit = Visit(context.new_page())
    _watch(visit, context)
    return visit


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Serve a folder over http on this machine: `served(folder)` is its address."""
    servers: list[ThreadingHTTPServer] = []

    def serve(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def axe_faults(page: Any, impacts: tuple[str, ...] = ("serious", "critical")) -> list[str]:
    """What axe-core finds on the page as it stands: one line a rule and place, of these impacts."""
    page.evaluate(_axe_source())
    # Without `preload`: axe would ask for the style sheets once more, which a content policy may forbid.
    found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    return [
        f"{rule['impact']}: {rule['id']}: {rule['help']}: {node['target']} {node['html'][:200]}"
        for rule in found["violations"]
        if rule["impact"] in impacts
        for node in rule["nodes"]
    ]


@lru_cache(maxsize=1)
def _axe_source() -> str:
    path = Path(os.environ.get("TRADEGOALS_AXE", AXE))
    if not path.is_file():
        _missing("axe-core is not there (npm install --prefix out/axe axe-core)")
    return path.read_text(encoding="utf-8")


def _missing(reason: str) -> None:
    if os.environ.get("TRADEGOALS_BROWSER") == "1":
        pytest.fail(f"{reason}, and TRADEGOALS_BROWSER=1 asks for it")
    pytest.skip(reason)


def _address(target: Path | str) -> str:
    return target.resolve().as_uri() if isinstance(target, Path) else target


def _watch(visit: Visit, context: Any) -> None:
    """Record errors and requests; a request for another host is refused."""

    def decide(route: Any) -> None:
        if _is_here(route.request.url):
            route.continue_()
        else:
            visit.outside.append(f"request left the page: {route.request.url}")
            route.abort()

    context.route("**/*", decide)
    page = visit.page
    page.set_default_timeout(TIMEOUT_MS)
    page.on("console", lambda message: message.type == "error" and visit.errors.append(_said(message)))
    page.on("pageerror", lambda error: visit.errors.append(f"uncaught: {error}"))
    page.on("dialog", lambda dialog: (visit.errors.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    page.on("websocket", lambda socket: visit.outside.append(f"a socket was opened: {socket.url}"))


def _said(message: Any) -> str:
    return f"console: {message.text} ({message.location.get('url', '')})"


def _is_here(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in NO_REQUEST or parts.hostname in HERE


class _Quiet(SimpleHTTPRequestHandler):
    """Serve files without a line on the terminal for each."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""
