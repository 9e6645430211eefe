"""Asking a publisher for one answer: bounded in time, size and number of attempts, and complete or refused.

httpx rather than requests: every phase has a time-out, ~/.netrc is not sent along unasked, and the bytes of an answer
arrive as they were sent, so that the decompression can be bounded and a gzip that ends too early is seen. What it does not
have is a bound on the whole of an attempt, which a server that sends a byte now and then stretches without end: `Bounded`
gives every wait of the network no more time than is left.
"""

import math
import random
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpcore
import httpx
import tenacity

from lib.errors import UserError, printable, quote
from lib.tools.sources.publishers import PLAIN_HOSTS, check_address
from lib.tools.sources.secrets import Secret, redact, redact_bytes, redacted_log


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
    lasting: bool = False  # the answer never changes: one that is kept is as good as a new one
    key: Secret | None = None
    key_header: str = ""

    @property
    def secrets(self) -> list[Secret]:
        """What must not be shown of this request."""
        return [self.key] if self.key else []

    def headers(self) -> dict[str, str]:
        """What is sent beside the address, the key too."""
        return {"Accept": self.accept} | ({self.key_header: self.key.reveal()} if self.key else {})

    @property
    def url(self) -> str:
        """The address with its parameters; a key is never part of it."""
        query = urlencode(self.params, safe=",:+*/[]")
        return f"{self.base}{self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True)
class Client:
    """An HTTP connection with its limits; clock, sleep and chance are exchanged in tests."""

    http: httpx.Client
    limits: Limits = Limits()
    bases: Mapping[str, str] = field(default_factory=dict)
    allow_http: bool = False  # of `publishers.PLAIN_HOSTS`
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    asked: dict[str, float] = field(default_factory=dict)  # when each host was asked last
    ends: "Deadline" = field(default_factory=lambda: Deadline())


@dataclass
class Deadline:
    """When the attempt that is under way must be over, by the client's clock."""

    at: float = math.inf


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
        self.found, self.expected, self.wait = found, expected, wait


class QuotaUsed(UserError):  # noqa: N818 - no fault of anybody
    """A source answers no more until its quota is replenished."""


class NothingThere(UserError):  # noqa: N818 - an answer, if an unwelcome one
    """Status 404, for a data query of SDMX "no results matching the query"; or an answer without what was asked for."""


def refuse(where: str, found: str, expected: str, kind: type[UserError] = UserError) -> UserError:
    """Return the error for an answer, or a part of it, that cannot be used, in the form that all messages here have."""
    return kind(printable(f"{where}: found {found}, expected {expected}"))


MAY_PASS = (408, 425, 429, 500, 502, 503, 504)  # statuses after which asking again makes sense
KEPT_HEADERS = ("content-type", "content-language", "date", "etag", "last-modified")
SHOWN_OF_ERROR = 20_000  # bytes of an error's body in which a message is looked for
LONGEST_SECRET = 5_000  # bytes, however it is escaped
WAIT_IN_WORDS = re.compile(rb"[Tt]ry again in (\d{1,6}) second")
QUOTA_IN_WORDS = re.compile(rb"[Qq]uota will be replenished in (\d{1,3}):(\d\d):(\d\d)")


def _receive(client: Client, request: Request, response: httpx.Response, started: float) -> Answer:
    """Read an answer to its end.

    Raises
    ------
    Again
        Where asking again may help: 429, 5xx, a body that broke off or came too slowly.
    UserError
        Where it would not: other statuses, a body too large, a web page instead of data.
    """
    if response.status_code not in (200, 204):
        _refuse_status(client, request, response, started)
    if response.status_code == 200:
        _check_kind(client, request, response, started)
    body = b"".join(_decoded(client, request, response, started))
    if response.status_code == 200 and not body:
        raise Again("an empty body with status 200", "data, or status 204")
    named = [name for name in KEPT_HEADERS if name in response.headers]
    headers = tuple((name, redact(response.headers[name], request.secrets)) for name in named)
    body = redact_bytes(body, request.secrets)
    return Answer(request.url, response.status_code, headers, body, client.now())


def _refuse_status(client: Client, request: Request, response: httpx.Response, started: float) -> None:
    """Raise what a status other than success calls for, with the words of the server."""
    body = beginning(client, request, response, started)
    said = f": {quote(words)}" if (words := error_words(body)) else ""
    found = f"status {response.status_code}{said}"
    if response.status_code == 404:
        raise refuse(request.url, found, "status 200", NothingThere)
    if quota := QUOTA_IN_WORDS.search(body):
        hours, minutes = int(quota[1]), int(quota[2])
        expected = f"an answer; ask again in {hours} h {minutes} min: what was answered so far is kept"
        raise refuse(request.url, found, expected, QuotaUsed)
    if response.status_code not in MAY_PASS:
        raise refuse(request.url, found, "status 200")
    wait = asked_wait(response.headers.get("Retry-After", ""), body, client.now())
    if wait > client.limits.longest_wait:
        expected = f"an answer, or a wait of at most {client.limits.longest_wait:g} s; ask again later"
        raise refuse(request.url, f"{found}, and {wait:g} s to wait", expected)
    raise Again(found, "status 200", wait)


def beginning(client: Client, request: Request, response: httpx.Response, started: float) -> bytes:
    """Return the beginning of an error's body, decompressed where that is possible, without the key."""
    body = b""
    with suppress(httpx.HTTPError, Again, UserError):  # the status says enough
        for chunk in _decoded(client, request, response, started):
            body += chunk
            if len(body) >= SHOWN_OF_ERROR + LONGEST_SECRET:
                break
    # Cut only after the key was taken out, or a part of it would stay.
    return redact_bytes(body, request.secrets)[:SHOWN_OF_ERROR]


def error_words(body: bytes) -> str:
    """Return the words of an error in JSON ("message", "error"), XML or HTML (its title or text); "" without any."""
    text = body.decode("utf-8", errors="replace")
    in_json, title = r'"(?:message|error|detail|value)"\s*:\s*"([^"]+)"', r"<title[^>]*>([^<]+)"
    for pattern in (in_json, title, r">\s*([^<>]{3,})<"):
        if match := re.search(pattern, text, flags=re.IGNORECASE):
            return " ".join(match[1].split())
    return "" if text.lstrip().startswith(("{", "[", "<")) else " ".join(text.split())


def asked_wait(header: str, body: bytes, now: datetime) -> float:
    """Seconds that a server asks to wait: `Retry-After` in seconds or as a date, else its words; 0 without."""
    if re.fullmatch(r"\d{1,9}", header.strip(), flags=re.ASCII):
        return float(header)
    try:
        until = parsedate_to_datetime(header)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # no date, or none at all
        match = WAIT_IN_WORDS.search(body)
        return float(match[1]) if match else 0.0


def _check_kind(client: Client, request: Request, response: httpx.Response, started: float) -> None:
    """Refuse content of another kind than asked for, and rows whose end nobody could see."""
    media = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media not in request.media:
        title = error_words(beginning(client, request, response, started)) if "html" in media else ""
        found = f"content of type {quote(redact(media, request.secrets))}"
        found += f", a page that says {quote(title)}" if title else ""
        raise refuse(request.url, found, " or ".join(request.media))
    framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if "csv" in media and not framed:  # readers see where JSON and XML break off; rows look complete
        raise refuse(request.url, "rows of unknown length", "an answer that says where it ends")


def _decoded(client: Client, request: Request, response: httpx.Response, started: float) -> Iterator[bytes]:
    """Give the body in parts, decompressed within bounds."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise refuse(request.url, f"the encoding {quote(redact(encoding, request.secrets))}", "gzip or none")
    raw = bounded(client, request, response, started)
    yield from _unzipped(raw, client.limits.decoded_bytes, request.url) if encoding == "gzip" else raw


def bounded(client: Client, request: Request, response: httpx.Response, started: float) -> Iterator[bytes]:
    """Give the body as sent; stop as soon as it is too large or takes too long."""
    limit, total = client.limits.received_bytes, 0
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise refuse(request.url, f"a body of {declared} bytes", f"at most {limit}")
    for chunk in response.iter_raw():
        total += len(chunk)
        if total > limit:
            raise refuse(request.url, f"a body of more than {limit} bytes", f"at most {limit}")
        if client.clock() - started > client.limits.total_seconds:
            raise _too_slow(client)
        yield chunk


def _too_slow(client: Client) -> Again:
    """Return what to say of an answer that takes longer than all of it may."""
    seconds = f"{client.limits.total_seconds:g} s"
    return Again(f"an answer not complete after {seconds}", f"all of it within {seconds}")


def _unzipped(chunks: Iterator[bytes], limit: int, where: str) -> Iterator[bytes]:
    """Decompress gzip; an end that never comes or damaged data are faults, more than `limit` bytes too."""
    stream, total = zlib.decompressobj(wbits=31), 0
    for chunk in chunks:
        while chunk:
            if stream.eof:
                raise refuse(where, "bytes behind the end of the gzip", "one gzip stream")
            try:
                part = stream.decompress(chunk, 1_000_000)
            except zlib.error as error:
                raise Again(f"damaged gzip ({error})", "a gzip that can be read") from None
            if (total := total + len(part)) > limit:
                raise refuse(where, f"a body of more than {limit} bytes when unpacked", f"at most {limit}")
            yield part
            chunk = stream.unconsumed_tail or stream.unused_data
    if not stream.eof:
        raise Again("a gzip that ends too early", "a complete one")


REDIRECTS = (301, 302, 303, 307, 308)


@contextmanager
def open_client(
    limits: Limits | None = None, bases: Mapping[str, str] | None = None, **changes: Any
) -> Iterator[Client]:
    """Open a client and close its connections at the end.

    Parameters
    ----------
    limits : bounds of time, size and attempts.
    bases : other base addresses by source, such as a mirror.
    changes : clock, sleep, chance or now of `Client`.

    Notes
    -----
    Proxies and certificates come from the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE); certificates are always
    verified.
    """
    limits = limits or Limits()
    timeout = httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds)
    # A publisher can tell whose requests they are.
    agent = f"tradegoals/{version('tradegoals')} (python-httpx/{httpx.__version__})"
    ends = Deadline()
    try:
        http = httpx.Client(timeout=timeout, headers={"User-Agent": agent, "Accept-Encoding": "gzip"})
        _bound_waits(http, ends, changes.get("clock", time.monotonic))
    except (ImportError, ValueError, OSError) as error:
        found = "cannot be started with this proxy or certificate setting"
        raise UserError(f"HTTP client: {found}: {error}") from None
    with http:
        yield Client(http, limits, bases or {}, ends=ends, **changes)


def _bound_waits(http: httpx.Client, ends: Deadline, clock: Callable[[], float]) -> None:
    """Let every wait of a client's connections, also those through a proxy, end with the attempt."""
    for transport in (http._transport, *http._mounts.values()):
        # httpx offers no other way to its network; a test sees that the limit holds.
        if transport is not None:
            pool = transport._pool  # type: ignore[attr-defined]
            pool._network_backend = Bounded(httpcore.SyncBackend(), ends, clock)


@dataclass(frozen=True)
class Bounded(httpcore.NetworkBackend, httpcore.NetworkStream):
    """A network, or a connection of it, none of whose waits lasts beyond the deadline."""

    inner: Any
    ends: Deadline
    clock: Callable[[], float]

    def left(self, timeout: float | None, error: type[Exception]) -> float | None:
        """Seconds that a wait may last; without any left it has failed already."""
        if math.isinf(self.ends.at):
            return timeout
        if (left := self.ends.at - self.clock()) <= 0:
            raise error("no time left")
        return left if timeout is None else min(timeout, left)

    def connect_tcp(  # type: ignore[override]
        self, host: str, port: int, timeout: float | None = None, **other: Any
    ) -> "Bounded":
        """Open a connection."""
        timeout = self.left(timeout, httpcore.ConnectTimeout)
        return Bounded(self.inner.connect_tcp(host, port, timeout, **other), self.ends, self.clock)

    def start_tls(
        self, ssl_context: Any, server_hostname: Any = None, timeout: float | None = None
    ) -> "Bounded":
        """Begin to speak TLS."""
        timeout = self.left(timeout, httpcore.ConnectTimeout)
        return Bounded(self.inner.start_tls(ssl_context, server_hostname, timeout), self.ends, self.clock)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for bytes."""
        return self.inner.read(max_bytes, self.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        self.inner.write(buffer, self.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self.inner.close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a connection, such as its socket."""
        return self.inner.get_extra_info(info)


def get(client: Client, request: Request) -> Answer:
    """Ask once, and again after faults that may pass.

    Returns
    -------
    The complete answer, with status 200 or 204.

    Raises
    ------
    UserError
        Naming the address and the fault; what the fault was at the last attempt where several were made.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(client.limits.attempts),
        wait=lambda state: _wait_before_next(client, state),
        retry=tenacity.retry_if_exception_type(Again),
        sleep=client.sleep,
        reraise=True,
    )
    try:
        with redacted_log(request.secrets):
            return retrying(attempt, client, request)
    except Again as fault:
        found = f"{fault.found}, at the last of {client.limits.attempts} attempts"
        expected = fault.expected + _without_tls(request.url)
        raise refuse(request.url, redact(found, request.secrets), expected) from None
    except UserError as fault:
        raise type(fault)(redact(str(fault), request.secrets)) from None
    finally:
        client.ends.at = math.inf


def _wait_before_next(client: Client, state: tenacity.RetryCallState) -> float:
    """Seconds to wait: what the server asked for, else a random part of a bound that doubles each time.

    The random part is between half and all ("equal jitter", Brooker, AWS Architecture Blog, 2015), so that many
    clients do not come back at once.
    """
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.wait if isinstance(fault, Again) else 0.0
    bound = min(client.limits.longest_wait, client.limits.first_wait * 2 ** (state.attempt_number - 1))
    return max(asked, bound * (0.5 + client.chance() / 2))


def attempt(client: Client, request: Request) -> Answer:
    """Ask once, following redirects that stay on the host."""
    started = client.clock()
    url = request.url
    for _ in range(client.limits.redirects + 1):
        _keep_distance(client, request, url)
        client.ends.at = started + client.limits.total_seconds
        answer, location = exchange(client, request, url, started)
        if answer is not None:
            return answer
        url = _checked_redirect(client, url, location)
    raise refuse(request.url, f"more than {client.limits.redirects} redirects", "an answer")


def exchange(client: Client, request: Request, url: str, started: float) -> tuple[Answer | None, str]:
    """Send one request: the answer, or where a redirect points to. Faults of the network may pass."""
    try:
        # No variable of ours holds the key in the open.
        with client.http.stream("GET", url, headers=request.headers()) as response:
            if response.status_code in REDIRECTS:
                return None, redact(response.headers.get("Location", ""), request.secrets)
            return _receive(client, request, response, started), ""
    except httpx.TimeoutException as error:
        fault = Again(f"no answer in time ({type(error).__name__})", "one within the time limit")
        if client.clock() - started >= client.limits.total_seconds:
            fault = _too_slow(client)
    except httpx.TransportError as error:
        if is_certificate_fault(error):
            valid = f"a valid one{_without_tls(url)}"
            raise refuse(url, f"a certificate that cannot be trusted ({error})", valid) from None
        fault = Again(f"a broken connection ({type(error).__name__}: {error})", "a complete answer")
    except httpx.InvalidURL as error:
        raise refuse(url, f"an address that is none ({error})", "https://…") from None
    raise fault from None


def _without_tls(url: str) -> str:
    """Say what else there is where the host may speak http alone."""
    plain_host = url.startswith("https:") and urlsplit(url).hostname in PLAIN_HOSTS
    return "; this host may speak http alone: --allow-http lets it" if plain_host else ""


def is_certificate_fault(error: BaseException | None) -> bool:
    """Whether a fault comes from verifying a certificate: asking again would not help."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _checked_redirect(client: Client, url: str, location: str) -> str:
    """Return where a redirect points to, which must be the same host, and as safe."""
    target = urljoin(url, location)
    here, there = urlsplit(url), urlsplit(target)
    if not location or here.netloc != there.netloc or here.scheme != there.scheme:
        raise refuse(url, f"a redirect to {quote(target if location else '')}", f"one within {here.netloc}")
    if not client.allow_http:
        check_address(target)
    return target


def _keep_distance(client: Client, request: Request, url: str) -> None:
    """Wait until the source's pace allows another request to this host."""
    host = urlsplit(url).netloc
    last = client.asked.get(host)
    if last is not None and (left := last + request.pace - client.clock()) > 0:
        client.sleep(left)
    client.asked[host] = client.clock()
