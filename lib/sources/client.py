"""Asking a publisher for one answer: bounded in time, size and number of attempts, and complete or refused.

httpx rather than requests: every phase has a time-out, ~/.netrc is not sent along unasked, and the bytes of an answer
arrive as they were sent, so that the decompression can be bounded and a gzip that ends too early is seen.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import tenacity

from lib.errors import UserError
from lib.faults import quote
from lib.sources import refusals
from lib.sources.exchange import Again, Answer, Client, Limits, Request
from lib.sources.publishers import check_address
from lib.sources.receive import receive
from lib.sources.secrets import Secret, redact, redacted_log

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
    try:
        http = httpx.Client(timeout=timeout, headers={"User-Agent": user_agent(), "Accept-Encoding": "gzip"})
    except (ImportError, ValueError, OSError) as error:
        raise UserError(
            f"HTTP client: cannot be started with this proxy or certificate setting: {error}"
        ) from None
    with http:
        yield Client(http, limits, bases or {}, **changes)


def user_agent() -> str:
    """Name this program, so that a publisher can tell whose requests they are."""
    from importlib.metadata import version

    return f"tradegoals/{version('tradegoals')} (python-httpx/{httpx.__version__})"


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
    secrets = [request.key] if request.key else []
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(client.limits.attempts),
        wait=lambda state: wait_before_next(client, state),
        retry=tenacity.retry_if_exception_type(Again),
        sleep=client.sleep,
        reraise=True,
    )
    try:
        with redacted_log(secrets):
            return retrying(attempt, client, request)
    except Again as fault:
        found = f"{fault.found}, at the last of {client.limits.attempts} attempts"
        raise UserError(redact(refusals.message(request.url, found, fault.expected), secrets)) from None
    except UserError as fault:
        raise type(fault)(redact(str(fault), secrets)) from None


def wait_before_next(client: Client, state: tenacity.RetryCallState) -> float:
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
        keep_distance(client, request, url)
        answer, location = exchange(client, request, url, started)
        if answer is not None:
            return answer
        url = checked_redirect(url, location)
    raise refusals.refuse(request.url, f"more than {client.limits.redirects} redirects", "an answer")


def exchange(client: Client, request: Request, url: str, started: float) -> tuple[Answer | None, str]:
    """Send one request: the answer, or where a redirect points to. Faults of the network may pass."""
    auth = KeyHeader(request.key_header, request.key) if request.key else None
    try:
        with client.http.stream("GET", url, headers={"Accept": request.accept}, auth=auth) as response:
            if response.status_code in REDIRECTS:
                return None, response.headers.get("Location", "")
            return receive(client, request, response, started), ""
    except httpx.TimeoutException as error:
        fault = Again(f"no answer in time ({type(error).__name__})", "one within the time limit")
    except httpx.TransportError as error:
        if is_certificate_fault(error):
            raise refusals.refuse(
                url, f"a certificate that cannot be trusted ({error})", "a valid one"
            ) from None
        fault = Again(f"a broken connection ({type(error).__name__}: {error})", "a complete answer")
    except httpx.InvalidURL as error:
        raise refusals.refuse(url, f"an address that is none ({error})", "https://…") from None
    raise fault from None


def is_certificate_fault(error: BaseException | None) -> bool:
    """Whether a fault comes from verifying a certificate: asking again would not help."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def checked_redirect(url: str, location: str) -> str:
    """Return where a redirect points to, which must be the same host, and as safe."""
    target = urljoin(url, location)
    here, there = urlsplit(url), urlsplit(target)
    if not location or here.netloc != there.netloc or here.scheme != there.scheme:
        raise refusals.refuse(
            url, f"a redirect to {quote(target if location else '')}", f"one within {here.netloc}"
        )
    check_address(target)
    return target


def keep_distance(client: Client, request: Request, url: str) -> None:
    """Wait until the source's pace allows another request to this host."""
    host = urlsplit(url).netloc
    last = client.asked.get(host)
    if last is not None and (left := last + request.pace - client.clock()) > 0:
        client.sleep(left)
    client.asked[host] = client.clock()


class KeyHeader(httpx.Auth):
    """Puts the key into its header at the last moment, so that no variable of ours holds it in the open."""

    def __init__(self, header: str, key: Secret | None) -> None:
        self.header = header
        self.key = key

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        """Add the header to a request that is about to be sent."""
        if self.key is not None:
            request.headers[self.header] = self.key.reveal()
        yield request
