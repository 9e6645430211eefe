"""The bytes of one answer: complete, decompressed, within bounds and of the expected kind."""

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from lib.faults import quote
from lib.sources import refusals
from lib.sources.exchange import Again, Answer, Client, Request
from lib.sources.secrets import redact, redact_bytes

MAY_PASS = (408, 425, 429, 500, 502, 503, 504)  # statuses after which asking again makes sense
KEPT_HEADERS = ("content-type", "content-language", "date", "etag", "last-modified")
SHOWN_OF_ERROR = 20_000  # bytes of an error's body in which a message is looked for
WAIT_IN_WORDS = re.compile(rb"[Tt]ry again in (\d{1,6}) second")


def receive(client: Client, request: Request, response: httpx.Response, started: float) -> Answer:
    """Read an answer to its end.

    Raises
    ------
    Again
        Where asking again may help: 429, 5xx, a body that broke off or came too slowly.
    UserError
        Where it would not: other statuses, a body too large, a web page instead of data.
    """
    if response.status_code not in (200, 204):
        refuse_status(client, request, response)
    if response.status_code == 200:
        check_kind(request, response)
    body = b"".join(decoded(client, request, response, started))
    if response.status_code == 200 and not body:
        raise Again("an empty body with status 200", "data, or status 204")
    secrets = [request.key] if request.key else []
    named = [name for name in KEPT_HEADERS if name in response.headers]
    headers = tuple((name, redact(response.headers[name], secrets)) for name in named)
    return Answer(request.url, response.status_code, headers, redact_bytes(body, secrets), client.now())


def refuse_status(client: Client, request: Request, response: httpx.Response) -> None:
    """Raise what a status other than success calls for, with the words of the server."""
    body = beginning(response)
    said = f": {quote(words)}" if (words := error_words(body)) else ""
    found = f"status {response.status_code}{said}"
    if response.status_code == 404:
        raise refusals.NothingThere(refusals.message(request.url, found, "status 200"))
    if response.status_code not in MAY_PASS:
        raise refusals.refuse(request.url, found, "status 200")
    wait = asked_wait(response.headers.get("Retry-After", ""), body, client.now())
    if wait > client.limits.longest_wait:
        expected = f"an answer, or a wait of at most {client.limits.longest_wait:g} s; ask again later"
        raise refusals.refuse(request.url, f"{found}, and {wait:g} s to wait", expected)
    raise Again(found, "status 200", wait)


def beginning(response: httpx.Response) -> bytes:
    """Return the beginning of an error's body, decompressed where that is possible."""
    body = b""
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= SHOWN_OF_ERROR:
                break
    except httpx.HTTPError:  # the status says enough
        pass
    return body[:SHOWN_OF_ERROR]


def error_words(body: bytes) -> str:
    """Return the words of an error in JSON ("message", "error"), XML or HTML (its title or text); "" without any."""
    text = body.decode("utf-8", errors="replace")
    for pattern in (
        r'"(?:message|error|detail|value)"\s*:\s*"([^"]+)"',
        r"<title[^>]*>([^<]+)",
        r">\s*([^<>]{3,})<",
    ):
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


def check_kind(request: Request, response: httpx.Response) -> None:
    """Refuse content of another kind than asked for, and rows whose end nobody could see."""
    media = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media not in request.media:
        title = error_words(beginning(response)) if "html" in media else ""
        found = f'content of type "{media}"' + (f", a page that says {quote(title)}" if title else "")
        raise refusals.refuse(request.url, found, " or ".join(request.media))
    framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if "csv" in media and not framed:
        # JSON and XML that break off are seen by their readers; rows that break off look complete.
        raise refusals.refuse(request.url, "rows of unknown length", "an answer that says where it ends")


def decoded(client: Client, request: Request, response: httpx.Response, started: float) -> Iterator[bytes]:
    """Give the body in parts, decompressed within bounds."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise refusals.refuse(request.url, f"the encoding {quote(encoding)}", "gzip or none")
    raw = bounded(client, request, response, started)
    yield from unzipped(raw, client.limits.decoded_bytes, request.url) if encoding == "gzip" else raw


def bounded(client: Client, request: Request, response: httpx.Response, started: float) -> Iterator[bytes]:
    """Give the body as sent; stop as soon as it is too large or takes too long."""
    limit, total = client.limits.received_bytes, 0
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise refusals.refuse(request.url, f"a body of {declared} bytes", f"at most {limit}")
    for chunk in response.iter_raw():
        total += len(chunk)
        if total > limit:
            raise refusals.refuse(request.url, f"a body of more than {limit} bytes", f"at most {limit}")
        if client.clock() - started > client.limits.total_seconds:
            seconds = f"{client.limits.total_seconds:g} s"
            raise Again(f"an answer not complete after {seconds}", f"all of it within {seconds}")
        yield chunk


def unzipped(chunks: Iterator[bytes], limit: int, where: str) -> Iterator[bytes]:
    """Decompress gzip; an end that never comes or damaged data are faults, more than `limit` bytes too."""
    stream, total = zlib.decompressobj(wbits=31), 0
    for chunk in chunks:
        while chunk:
            if stream.eof:
                raise refusals.refuse(where, "bytes behind the end of the gzip", "one gzip stream")
            try:
                part = stream.decompress(chunk, 1_000_000)
            except zlib.error as error:
                raise Again(f"damaged gzip ({error})", "a gzip that can be read") from None
            if (total := total + len(part)) > limit:
                raise refusals.refuse(
                    where, f"a body of more than {limit} bytes when unpacked", f"at most {limit}"
                )
            yield part
            chunk = stream.unconsumed_tail or stream.unused_data
    if not stream.eof:
        raise Again("a gzip that ends too early", "a complete one")
