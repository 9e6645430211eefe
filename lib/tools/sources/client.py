"""Asking a publisher for one answer: bounded in time, size and number of attempts, and complete or refused.

httpx rather than requests: every phase has a time-out, ~/.netrc is not sent along unasked, and the bytes of an answer
arrive as they were sent, so that the decompression can be bounded and a gzip that ends too early is seen. It runs in a loop
of its own, where `asyncio.timeout` bounds the whole of an attempt, which a server that sends a byte now and then stretches
without end. The publishers' own packages were tried in November 2026: imfp pins older versions and keeps no answer, sdmx1
retries and bounds nothing, comtradeapicall loses a year to a status 429 without a word.
"""

import asyncio
import gzip
import hashlib
import io
import logging
import math
import random
import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Annotated, Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import tenacity
from pydantic import AwareDatetime, Field, SecretStr
from pydantic.dataclasses import dataclass as checked

from lib.errors import UserError, printable, quote
from lib.tools.sources.publishers import PLAIN_HOSTS, PUBLISHERS, redact, redact_bytes


@dataclass(frozen=True)
class Request:
    """One question to a source; two with the same source, path and parameters are the same question."""

    source: str
    base: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    lasting: bool = False  # the answer never changes: one that is kept is as good as a new one
    key: SecretStr | None = None

    def headers(self) -> dict[str, str]:
        """What is sent beside the address; no variable of ours holds the key in the open."""
        facts = PUBLISHERS[self.source]
        key = {facts.key_header: self.key.get_secret_value()} if self.key else {}
        return {"Accept": ", ".join(facts.media)} | key

    @property
    def url(self) -> str:
        """The address with its parameters; a key is never part of it."""
        query = urlencode(self.params, safe=",:+*/[]")
        return f"{self.base}{self.path}" + (f"?{query}" if query else "")


@checked(frozen=True, config={"extra": "forbid"})
class Snapshot:
    """The record of one answer."""

    source: str
    path: str
    params: tuple[tuple[str, str], ...]
    url: str
    retrieved: AwareDatetime
    status: int
    media: str
    headers: tuple[tuple[str, str], ...]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: int
    title: str
    authority: str
    licence: str

    @property
    def day(self) -> str:
        """The day of retrieval (UTC), as YYYY-MM-DD."""
        return self.retrieved.date().isoformat()


Headers = dict[str, str]
Answer = tuple[Snapshot, bytes]
"""The record of an answer, and its body without its transfer compression."""


def answer_to(
    request: Request, facts: Any, when: datetime, body: bytes, status: int = 200, **headers: str
) -> Answer:
    """Return what came for a request, with its record; `facts` have a title, an authority and a licence."""
    kept = tuple((name, headers[name]) for name in KEPT_HEADERS if name in headers)
    came = request.url, when, status, _kind_of(headers.get("content-type", "")), kept
    about = hashlib.sha256(body).hexdigest(), len(body), facts.title, facts.authority, facts.licence
    return Snapshot(request.source, request.path, request.params, *came, *about), body


@dataclass
class Client:
    """An HTTP connection; tests exchange the bounds of a request (in seconds, bytes and counts), clock, sleep and chance."""

    allow_http: bool = False  # of `publishers.PLAIN_HOSTS`
    connect_seconds: float = 10.0
    read_seconds: float = 60.0  # without a single byte
    total_seconds: float = 600.0
    received_bytes: int = 100_000_000
    decoded_bytes: int = 400_000_000
    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    redirects: int = 3
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    asked: dict[str, float] = field(default_factory=dict)  # when each host was asked last
    http: httpx.AsyncClient = field(init=False)
    loop: asyncio.Runner = field(init=False)


class _Again(UserError):  # noqa: N818 - a request to repeat
    """A fault that may pass; `wait` is the number of seconds that the server asked for."""

    wait = 0.0


class QuotaUsed(UserError):  # noqa: N818 - no fault of anybody
    """A source answers no more until its quota is replenished."""


class NothingThere(UserError):  # noqa: N818 - an answer, if an unwelcome one
    """Status 404, for a data query of SDMX "no results matching the query"; or an answer without what was asked for."""


def refuse(where: str, found: str, expected: str, kind: Any = UserError) -> UserError:
    """Return the error for an answer, or a part of it, that cannot be used, in the form that all messages here have."""
    return kind(printable(f"{where}: found {found}, expected {expected}"))


MAY_PASS = (408, 425, 429, 500, 502, 503, 504)  # statuses after which asking again makes sense
KEPT_HEADERS = ("content-type", "content-language", "date", "etag", "last-modified")
SHOWN_OF_ERROR = 20_000  # bytes of an error's body in which a message is looked for
LONGEST_SECRET = 5_000  # bytes, however it is escaped
WAIT_IN_WORDS = re.compile(rb"[Tt]ry again in (\d{1,6}) second")
QUOTA_IN_WORDS = re.compile(rb"[Qq]uota will be replenished in (\d{1,3}):(\d\d):(\d\d)")


@contextmanager
def open_client(**settings: Any) -> Iterator[Client]:
    """Open a client with some of its fields; proxies and certificates come from the environment (HTTPS_PROXY, SSL_CERT_FILE)."""
    for name in ("httpx", "httpcore"):  # they would log what a server says, which may repeat a key
        logging.getLogger(name).setLevel(logging.WARNING)
    client = Client(**settings)
    timeout = httpx.Timeout(client.read_seconds, connect=client.connect_seconds)
    # A publisher can tell whose requests they are.
    agent = f"tradegoals/{version('tradegoals')} (python-httpx/{httpx.__version__})"
    sent = {"User-Agent": agent, "Accept-Encoding": "gzip"}
    try:
        client.http = httpx.AsyncClient(timeout=timeout, headers=sent)
    except (ImportError, ValueError, OSError) as error:
        found = "cannot be started with this proxy or certificate setting"
        raise UserError(f"HTTP client: {found}: {error}") from None
    with asyncio.Runner() as client.loop:
        try:
            yield client
        finally:
            client.loop.run(client.http.aclose())


def get(client: Client, request: Request) -> Answer:
    """Ask, and again after faults that may pass, waiting with "equal jitter" (Brooker, AWS Architecture Blog, 2015)."""

    def wait(state: tenacity.RetryCallState) -> float:
        bound = min(client.longest_wait, client.first_wait * 2 ** (state.attempt_number - 1))
        asked = getattr(state.outcome and state.outcome.exception(), "wait", 0.0)
        return max(asked, bound * (0.5 + client.chance() / 2))

    stop, retry = tenacity.stop_after_attempt(client.attempts), tenacity.retry_if_exception_type(_Again)
    retrying = tenacity.Retrying(stop=stop, wait=wait, retry=retry, sleep=client.sleep, reraise=True)
    try:
        return retrying(lambda: client.loop.run(_attempt(client, request)))
    except UserError as fault:
        kind, last = type(fault), ""
        if kind is _Again:
            kind, last = UserError, f", at the last of {client.attempts} attempts"
        raise kind(redact(f"{fault}{last}", request.key)) from None


async def _attempt(client: Client, request: Request) -> Answer:
    """Ask once, following redirects that stay on the host; faults of the network may pass."""
    url, here, passes = request.url, urlsplit(request.url), True
    try:
        async with asyncio.timeout(client.total_seconds):
            for _ in range(client.redirects + 1):
                # The source's pace says when another request to its host may be sent.
                next_time = client.asked.get(here.netloc, -math.inf) + PUBLISHERS[request.source].pace
                if (left := next_time - client.clock()) > 0:
                    client.sleep(left)
                client.asked[here.netloc] = client.clock()
                async with client.http.stream("GET", url, headers=request.headers()) as response:
                    headers = {name: redact(text, request.key) for name, text in response.headers.items()}
                    if not response.is_redirect:
                        return await _receive(client, request, response, headers)
                url = urljoin(url, location := headers.get("location", ""))
                if not location or urlsplit(url)[:2] != here[:2]:
                    found = f"a redirect to {quote(location and url)}"
                    raise refuse(request.url, found, f"one within {here.netloc}")
        raise refuse(request.url, f"more than {client.redirects} redirects", "an answer")
    except TimeoutError:
        found = f"an answer not complete after {client.total_seconds:g} s"
    except httpx.TimeoutException as error:
        found = f"no answer in time ({type(error).__name__})"
    except (httpx.TransportError, httpx.InvalidURL) as error:
        found = f"a broken connection ({type(error).__name__}: {error})"
        passes = isinstance(error, httpx.TransportError)  # an address that is none stays so
        if "CERTIFICATE_VERIFY_FAILED" in found:  # asking again would not help
            found, passes = f"a certificate that cannot be trusted ({error})", False
    plain = here.scheme == "https" and here.hostname in PLAIN_HOSTS
    hint = "; this host may speak http alone: --allow-http lets it" * plain
    raise refuse(url, found, f"a complete answer{hint}", _Again if passes else UserError)


async def _receive(client: Client, request: Request, response: httpx.Response, headers: Headers) -> Answer:
    """Read an answer to its end; `_Again` where asking again may help, as for a body that broke off."""
    facts = PUBLISHERS[request.source]
    if (status := response.status_code) not in (200, 204):
        raise _fault_of(client, request, status, headers, await _beginning(client, request, response))
    if status == 200:
        media, wanted = _kind_of(headers.get("content-type", "")), [*map(_kind_of, facts.media)]
        if media not in wanted:
            page = await _beginning(client, request, response) if "html" in media else b""
            said = f", a page that says {quote(title)}" if (title := error_words(page)) else ""
            raise refuse(request.url, f"content of type {quote(media)}{said}", " or ".join(wanted))
        if "csv" in media and not {"content-length", "transfer-encoding"} & {*headers}:
            # Readers see where JSON and XML break off; rows look complete.
            raise refuse(request.url, "rows of unknown length", "an answer that says where it ends")
    body = await _body(client, request.url, response, headers)
    if status == 200 and not body:
        raise refuse(request.url, "an empty body with status 200", "data, or status 204", _Again)
    return answer_to(request, facts, client.now(), redact_bytes(body, request.key), status, **headers)


async def _body(client: Client, where: str, response: httpx.Response, headers: Headers) -> bytes:
    """Read a body within its bounds, and decompress it: a gzip that ends too early is a fault that may pass."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise refuse(where, f"the encoding {quote(encoding)}", "gzip or none")
    sent = bytearray()
    async for chunk in response.aiter_raw():
        sent += chunk
        if len(sent) > (most := client.received_bytes):
            raise refuse(where, f"a body of more than {most} bytes", f"at most {most}")
    if encoding != "gzip":
        return bytes(sent)
    try:
        body = gzip.GzipFile(fileobj=io.BytesIO(sent)).read((most := client.decoded_bytes) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(where, f"damaged gzip ({error})", "a gzip that can be read", _Again) from None
    if len(body) > most:
        raise refuse(where, f"a body of more than {most} bytes when unpacked", f"at most {most}")
    return body


async def _beginning(client: Client, request: Request, response: httpx.Response) -> bytes:
    """Return the beginning of an error's body, as far as it comes, without the key."""
    body = b""
    with suppress(httpx.HTTPError, TimeoutError):  # the status says enough
        async with asyncio.timeout(client.read_seconds):
            async for part in response.aiter_bytes():
                if len(body := body + part) >= SHOWN_OF_ERROR + LONGEST_SECRET:
                    break
    # Cut only after the key was taken out, or a part of it would stay.
    return redact_bytes(body, request.key)[:SHOWN_OF_ERROR]


def _fault_of(client: Client, request: Request, status: int, headers: Headers, body: bytes) -> UserError:
    """Return what a status other than success calls for, with the words of the server."""
    found = f"status {status}" + (f": {quote(words)}" if (words := error_words(body)) else "")
    if status == 404:
        return refuse(request.url, found, "status 200", NothingThere)
    if quota := QUOTA_IN_WORDS.search(body):
        left = f"ask again in {int(quota[1])} h {int(quota[2])} min"
        return refuse(request.url, found, f"an answer; {left}: what was answered so far is kept", QuotaUsed)
    wait = _asked_wait(headers.get("retry-after", ""), body, client.now())
    if status in MAY_PASS and wait > client.longest_wait:
        expected = f"an answer, or a wait of at most {client.longest_wait:g} s; ask again later"
        return refuse(request.url, f"{found}, and {wait:g} s to wait", expected)
    fault = refuse(request.url, found, "status 200", _Again if status in MAY_PASS else UserError)
    if isinstance(fault, _Again):
        fault.wait = wait
    return fault


def error_words(body: bytes) -> str:
    """Return the words of an error in JSON ("message", "error"), XML or HTML (its title or text); "" without any."""
    text = body.decode("utf-8", errors="replace")
    in_json, title = r'"(?:message|error|detail|value)"\s*:\s*"([^"]+)"', r"<title[^>]*>([^<]+)"
    for pattern in (in_json, title, r">\s*([^<>]{3,})<"):
        if match := re.search(pattern, text, flags=re.IGNORECASE):
            return " ".join(match[1].split())
    return "" if text.lstrip().startswith(("{", "[", "<")) else " ".join(text.split())


def _asked_wait(header: str, body: bytes, now: datetime) -> float:
    """Seconds that a server asks to wait: `Retry-After` in seconds or as a date, else its words; 0 without."""
    if re.fullmatch("[0-9]{1,9}", header.strip()):
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header).astimezone(UTC) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # no date, or none at all
        match = WAIT_IN_WORDS.search(body)
        return float(match[1]) if match else 0.0


def _kind_of(content_type: str) -> str:
    """The type of a content without its parameters."""
    return content_type.partition(";")[0].strip().lower()
