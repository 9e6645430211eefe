"""What passes between this program and a publisher: a question, its answer, and the client with its limits."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from lib.sources.secrets import Secret

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Limits:
    """Bounds of one request, in seconds, bytes and counts."""

    connect_seconds: float = 10.0
    read_seconds: float = 60.0  # without a single byte
    total_seconds: float = 600.0
    received_bytes: int = 100_000_000
    decoded_bytes: int = 400_000_000
    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    redirects: int = 3


@dataclass(frozen=True)
class Request:
    """One question to a source; two with the same source, path and parameters are the same question."""

    source: str
    base: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    accept: str = "application/json"
    media: tuple[str, ...] = ("application/json",)
    pace: float = 0.0
    key: Secret | None = None
    key_header: str = ""

    @property
    def url(self) -> str:
        """The address with its parameters; a key is never part of it."""
        query = urlencode(self.params, safe=",:+*/")
        return f"{self.base}{self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True)
class Client:
    """An HTTP connection with its limits; clock, sleep and chance are exchanged in tests."""

    http: "httpx.Client"
    limits: Limits = Limits()
    bases: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    asked: dict[str, float] = field(default_factory=dict)  # when each host was asked last


@dataclass(frozen=True)
class Answer:
    """What a source sent: the body without its transfer compression, and what a record keeps beside it."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    received: datetime

    @property
    def media(self) -> str:
        """Type of the content, such as "application/json"."""
        return dict(self.headers).get("content-type", "").split(";")[0].strip().lower()


class Again(Exception):  # noqa: N818 - a request to repeat, seen by `client.get` alone
    """A fault that may pass; `wait` is the number of seconds that the server asked for."""

    def __init__(self, found: str, expected: str, wait: float = 0.0) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.wait = wait
