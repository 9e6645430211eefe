"""The client against a server with every fault there is: a correct retry or a clear refusal, and no secret anywhere."""

import base64
import logging
import ssl
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import fault_server as server_of
import httpx
import keyring.errors
import pytest
from fault_server import Server
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sources_kit import Time, fetch_flow, quick_client

from lib.errors import UserError
from lib.tools.sources import publishers
from lib.tools.sources.client import (
    Client,
    QuotaUsed,
    Request,
    error_words,
    get,
    open_client,
)
from lib.tools.sources.publishers import PUBLISHERS, base_of, key_of, redact
from lib.tools.sources.snapshots import Desk

PATH = "/data/dataflow/IMF.STA/IMTS/+/CHN.XG_FOB_USD+MG_CIF_USD.RUS.A"
MEDIA = ("application/json", server_of.CSV_TYPE)


pytestmark = pytest.mark.usefixtures("nothing_from_outside")


@pytest.fixture
def client(server: Server, time: Time) -> Iterator[Client]:
    with quick_client(server.bases, time, received_bytes=2_000_000, decoded_bytes=4_000_000) as client:
        yield client


@pytest.fixture(autouse=True)
def facts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The IMF accepts JSON too, and is asked as often as one likes; a test may say otherwise."""

    def change(**facts: Any) -> None:
        monkeypatch.setitem(PUBLISHERS, "imf", SimpleNamespace(**vars(PUBLISHERS["imf"]) | facts))

    change(media=MEDIA, pace=0)
    return change


def question(server: Server) -> Request:
    return Request("imf", server.bases["imf"], PATH)


def truth(server: Server) -> bytes:
    return server_of.answer_imf(server.world, PATH, {}, server_of.CSV_TYPE).body


# --- faults that pass: asked again, and the answer is the true one ---


@pytest.mark.parametrize(
    "fault",
    [
        *[server_of.status(code) for code in (408, 425, 429, 500, 502, 503, 504)],
        server_of.cut_short,
        server_of.cut_in_chunks,
        server_of.hang_up,
        server_of.truncated_zip,
        server_of.damaged_zip,
    ],
)
def test_a_fault_that_passes_is_asked_again(
    server: Server, client: Client, time: Time, fault: server_of.Fault
) -> None:
    server.next(fault)
    assert get(client, question(server))[1] == truth(server)
    assert len(server.seen) == 2
    assert len(time.slept) == 1


def test_waits_double_and_are_bounded(server: Server, time: Time) -> None:
    server.always(server_of.status(503))
    with (
        quick_client(server.bases, time, attempts=6, longest_wait=8.0) as client,
        pytest.raises(UserError, match=r"status 503, expected status 200, at the last of 6 attempts"),
    ):
        get(client, question(server))
    # Half of the bound, and half of that again by chance 0.5: three quarters of 1, 2, 4, 8 and 8 s.
    assert time.slept == [0.75, 1.5, 3.0, 6.0, 6.0]


@pytest.mark.parametrize(
    ("header", "body", "wait"),
    [
        ("7", b"", 7.0),
        (format_datetime(datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC), usegmt=True), b"", 30.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", b"", 0.75),  # in the past: our own wait
        ("soon", b"", 0.75),
        ("-5", b"", 0.75),
        ("12", b"Try again in 3 seconds", 12.0),
        ("", b"Try again in 3 seconds", 3.0),
    ],
)
def test_the_wait_that_is_asked_for_is_heeded(
    server: Server, client: Client, time: Time, header: str, body: bytes, wait: float
) -> None:
    server.next(server_of.status(429, body=body, **({"Retry_After": header} if header else {})))
    get(client, question(server))
    assert time.slept == pytest.approx([wait], abs=1e-6)


def test_wait_that_stands_in_the_words_is_heeded(server: Server, client: Client, time: Time) -> None:
    server.next(server_of.too_many())
    get(client, question(server))
    assert time.slept == [2.0]


def test_a_wait_beyond_all_patience_is_told_at_once(server: Server, client: Client, time: Time) -> None:
    server.always(server_of.too_many(Retry_After="86400"))
    with pytest.raises(UserError, match=r"Rate limit is exceeded.*86400 s to wait, expected .* at most 60 s"):
        get(client, question(server))
    assert len(server.seen) == 1 and time.slept == []


def test_silence_ends_with_the_time_limit(server: Server) -> None:
    server.always(server_of.silent)
    with (
        quick_client(server.bases, read_seconds=0.05, attempts=2) as client,
        pytest.raises(UserError, match=r"no answer in time \(ReadTimeout\), .*at the last of 2 attempts"),
    ):
        get(client, question(server))


def test_a_slow_drip_ends_with_the_total_limit(server: Server) -> None:
    server.always(server_of.dripping)
    with (
        quick_client(server.bases, total_seconds=0.05, attempts=2) as client,
        pytest.raises(UserError, match=r"an answer not complete after 0\.05 s, .*at the last of 2"),
    ):
        get(client, question(server))


@pytest.mark.parametrize(
    ("fault", "limit", "words"),
    [
        (server_of.silent, "total_seconds", "an answer not complete after 0.1 s"),
        (server_of.dripping_headers, "total_seconds", "an answer not complete after 0.1 s"),
        (server_of.dripping_error, "total_seconds", "an answer not complete after 0.1 s"),
        (server_of.dripping_error, "read_seconds", "status 400"),
    ],
)
def test_the_limits_cover_silence_headers_and_the_words_of_an_error(
    server: Server, fault: server_of.Fault, limit: str, words: str
) -> None:
    server.always(fault)
    with (
        quick_client(server.bases, attempts=1, **{limit: 0.1}) as client,
        pytest.raises(UserError, match=words),
    ):
        get(client, question(server))


def test_control_characters_of_a_server_never_reach_a_terminal(server: Server, client: Client) -> None:
    server.always(server_of.status(400, body='{"message": "\x1b[2J\x1b]0;t\x07 \u202eab\x9b31m"}'.encode()))
    with pytest.raises(UserError, match=r"status 400") as caught:
        get(client, question(server))
    assert str(caught.value).isprintable() and "x1b[2J" in str(caught.value)


def test_a_quota_that_is_used_up_is_told_with_the_wait(server: Server, client: Client) -> None:
    server.always(server_of.quota_used)
    with pytest.raises(
        QuotaUsed, match=r"Quota will be.*ask again in 5 h 12 min: what was answered so far is kept"
    ):
        get(client, question(server))
    assert len(server.seen) == 1


def test_nobody_there_is_told(server: Server) -> None:
    with (
        quick_client({}, attempts=2) as client,
        pytest.raises(UserError, match=r"broken connection \(ConnectError"),
    ):
        get(client, Request("imf", "http://127.0.0.1:9", "/x"))


# --- faults that stay: refused at once ---


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 418])
def test_other_statuses_are_refused_with_the_servers_words(server: Server, client: Client, code: int) -> None:
    server.always(server_of.status(code, body=b'{"message":"No such key","code":"E1","correlationId":"c"}'))
    with pytest.raises(UserError, match=rf'status {code}: "No such key", expected status 200'):
        get(client, question(server))
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (server_of.portal_page, r'type "text/html", a page that says "Hotel WiFi - please log in"'),
        (server_of.instead(b"x", "text/plain"), 'content of type "text/plain", expected application/json'),
        (server_of.instead(b"x", ""), 'content of type ""'),
        (server_of.unknown_encoding, 'the encoding "br", expected gzip or none'),
        (server_of.bomb, "more than 4000000 bytes when unpacked, expected at most 4000000"),
        (
            server_of.redirect("https://elsewhere.example/data"),
            "a redirect to .*elsewhere.*, expected one within",
        ),
        (server_of.redirect("http://localhost:1/data"), "a redirect to .*expected one within 127"),
        (server_of.redirect(""), 'a redirect to ""'),
        (server_of.redirect_to_itself, "more than 3 redirects"),
        (
            server_of.huge(200_000_000, declared=True),
            "a body of more than 2000000 bytes, expected at most 2000000",
        ),
        (
            server_of.huge(200_000_000, declared=False),
            "a body of more than 2000000 bytes, expected at most 2000000",
        ),
    ],
)
def test_faults_that_stay_are_refused(
    server: Server, client: Client, fault: server_of.Fault, message: str
) -> None:
    server.always(fault)
    with pytest.raises(UserError, match=message):
        get(client, question(server))
    assert len(server.seen) <= 4


def test_rows_of_unknown_length_are_refused(server: Server, client: Client) -> None:
    """A CSV without its length that breaks off at the end of a row looks complete."""
    server.always(server_of.unframed)
    with pytest.raises(UserError, match="rows of unknown length"):
        get(client, question(server))


def test_a_redirect_within_the_host_is_followed(server: Server, client: Client) -> None:
    server.next(server_of.redirect(f"/imf{PATH}", 307))
    assert get(client, question(server))[1] == truth(server)


@pytest.mark.parametrize("fault", [server_of.zipped, None])
def test_an_answer_is_kept_as_it_is(server: Server, client: Client, fault: server_of.Fault | None) -> None:
    server.always(fault or (lambda handler, reply: handler.send(reply)))
    snapshot, body = get(client, question(server))
    assert (snapshot.status, body, snapshot.media) == (200, truth(server), server_of.CSV_TYPE)
    assert snapshot.retrieved.tzinfo is not None


def test_no_content_is_an_answer(server: Server, client: Client) -> None:
    server.always(server_of.status(204))
    assert get(client, question(server))[1] == b""


def test_200_mb_are_read_within_a_bounded_memory(tmp_path: Path) -> None:
    """Refused after 2 MB however large the body: the process never holds much more."""
    code = f"""
import os, resource, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import fault_server as f
from lib.errors import UserError
from lib.tools.sources.client import Request, get, open_client
with f.serve(f.World({{}}, {{}})) as s, open_client(received_bytes=2_000_000, read_seconds=300.0) as client:
    os.environ["TRADEGOALS_IMF_URL"] = s.bases["imf"]
    s.always(f.huge(200_000_000, declared=False))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        get(client, Request("imf", s.bases["imf"], {PATH!r}))
    except UserError as error:
        print(error)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    refused, kilobytes = done.stdout.splitlines()
    assert "more than 2000000 bytes" in refused and int(kilobytes) < 40_000


# --- pace, address, certificates ---


def test_requests_to_one_host_keep_their_distance(
    server: Server, client: Client, time: Time, facts: Callable[..., None]
) -> None:
    facts(pace=1.5)
    for _ in range(3):
        get(client, question(server))
    assert time.slept == [1.5, 1.5]


def test_the_program_names_itself(server: Server, client: Client) -> None:
    get(client, question(server))
    assert server.seen[0][1]["User-Agent"].startswith("tradegoals/")


@pytest.mark.parametrize(
    "address",
    [
        "http://api.imf.org",
        "ftp://127.0.0.1/",
        "https://",
        "http://127.0.0.1.example.org/",
        "https://me:word@api.imf.org",
    ],
)
def test_addresses_without_tls_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEGOALS_IMF_URL", address)
    with pytest.raises(UserError, match="address: found"):
        base_of("imf")


def test_only_chinas_customs_may_be_asked_without_tls_and_only_where_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert base_of("gacc") == "https://english.customs.gov.cn"
    assert base_of("gacc", allow_http=True) == "http://english.customs.gov.cn"
    assert base_of("imf", allow_http=True) == PUBLISHERS["imf"].base
    monkeypatch.setenv("TRADEGOALS_GACC_URL", "http://elsewhere.example")
    with pytest.raises(UserError, match="address: found"):
        base_of("gacc", allow_http=True)


def test_base_address_from_environment_or_publisher(monkeypatch: pytest.MonkeyPatch) -> None:
    assert base_of("imf") == PUBLISHERS["imf"].base
    monkeypatch.setenv("TRADEGOALS_IMF_URL", "http://127.0.0.1:8000/imf/")
    assert base_of("imf") == "http://127.0.0.1:8000/imf"


def test_all_publishers_are_asked_over_tls() -> None:
    for facts in PUBLISHERS.values():
        assert facts.base.startswith("https://")


def test_certificates_are_verified() -> None:
    with open_client() as client:
        context = client.http._transport._pool._ssl_context  # type: ignore[attr-defined]
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname


def test_a_certificate_fault_is_recognised_and_not_asked_again() -> None:
    asked = []

    def mistrusted(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")

    with quick_client({}) as client, pytest.raises(UserError, match="certificate that cannot be trusted"):
        client.http._transport = httpx.MockTransport(mistrusted)
        get(client, Request("imf", "https://127.0.0.1", PATH))
    assert len(asked) == 1


def test_a_server_without_tls_behind_https_is_told(server: Server) -> None:
    base = server.bases["imf"].replace("http://", "https://")
    with quick_client({}, attempts=2) as client, pytest.raises(UserError, match="broken connection"):
        get(client, Request("imf", base, PATH))


def test_proxy_of_the_environment_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
    with quick_client({}, attempts=1) as client:
        mounts = client.http._mounts
    assert any(pattern.pattern == "http://" for pattern in mounts)


def test_a_proxy_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(UserError, match="proxy"), open_client():
        pass


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message": "No data"}', "No data"),
        (b"<html><title>Log\n in</title></html>", "Log in"),
        (b"<error><code>x1</code><message>Down for maintenance</message></error>", "Down for maintenance"),
        (b"plain words", "plain words"),
        (b'{"a": 1}', ""),
        (b"", ""),
    ],
)
def test_words_of_an_error(body: bytes, words: str) -> None:
    assert error_words(body).endswith(words) if words else error_words(body) == ""


# --- secrets ---

KEY = "s3cr3t/Key+0123456789abcdefghijkl"

PIECES = [KEY[start : start + 8] for start in range(len(KEY) - 7)]
"""No eight characters of the key in a row, however they are written."""

WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "address": lambda text: quote(text, safe=""),
    "twice in an address": lambda text: quote(quote(text, safe=""), safe=""),
    "upper": str.upper,
    "lower": str.lower,
    "json": lambda text: text.replace("/", "\\/"),
    "unicode": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "html": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "every one in an address": lambda text: "".join(f"%{ord(one):02X}" for one in text),
    "hexadecimal": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 behind one": lambda text: base64.b64encode(b"u" + text.encode() + b"x").decode(),
    "base64 behind two": lambda text: base64.urlsafe_b64encode(b"u:" + text.encode()).decode(),
}


def echo(handler: server_of.Handler, reply: server_of.Reply) -> None:
    """A server that repeats the key it was sent, in words, headers and data, in every way there is."""
    sent = handler.headers.get("Ocp-Apim-Subscription-Key", "")
    ways = " ".join(way(sent) for way in WAYS.values())
    words = f'{{"statusCode":401,"message":"Invalid key {ways}"}}'
    handler.send(server_of.Reply(401, "application/json", words.encode(), {"X-Key": sent}))


def echo_long(handler: server_of.Handler, reply: server_of.Reply) -> None:
    """The key where a message is cut: its beginning would stay if it were taken out afterwards."""
    sent = handler.headers.get("Ocp-Apim-Subscription-Key", "")
    words = f'{{"statusCode":401,"message":"{"x" * 30}{sent}"}}'
    handler.send(server_of.Reply(401, "application/json", words.encode(), {}))


def echo_in_location(handler: server_of.Handler, reply: server_of.Reply) -> None:
    sent = quote(handler.headers.get("Ocp-Apim-Subscription-Key", ""), safe="")
    place = f"https://elsewhere.example/{'x' * 25}{sent}"
    handler.send(server_of.Reply(302, "text/plain", b"", {"Location": place}))


def echo_in_media(handler: server_of.Handler, reply: server_of.Reply) -> None:
    sent = handler.headers.get("Ocp-Apim-Subscription-Key", "")
    handler.send(server_of.Reply(200, f"text/x-{sent}", b"x"))


def echo_as_utf_16(handler: server_of.Handler, reply: server_of.Reply) -> None:
    sent = handler.headers.get("Ocp-Apim-Subscription-Key", "")
    ways = " ".join(way(sent) for way in WAYS.values())
    handler.send(server_of.Reply(200, reply.media, f'{{"message": "{ways}"}}'.encode("utf-16")))


def echo_in_data(handler: server_of.Handler, reply: server_of.Reply) -> None:
    sent = handler.headers.get("Ocp-Apim-Subscription-Key", "")
    body = reply.body.replace(b'"error": ""', f'"error": "", "key": "{sent}"'.encode())
    handler.send(server_of.Reply(200, reply.media, body, {"ETag": sent}))


@pytest.mark.parametrize(
    "fault",
    [
        *(None, echo, echo_long, echo_in_data, echo_in_location, echo_in_media, echo_as_utf_16),
        *(server_of.hang_up, server_of.too_many(), server_of.redirect("/x")),
    ],
)
def test_no_key_in_any_file_log_message_or_address(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    fault: server_of.Fault | None,
) -> None:
    monkeypatch.setenv("COMTRADE_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    if fault:
        server.always(fault)
    written = []
    with quick_client(server.bases, attempts=2) as client:
        try:
            fetched = fetch_flow(
                "comtrade",
                "China",
                "Russia",
                flow="total",
                years=range(2010, 2012),
                desk=Desk(client, tmp_path),
            )
            written += [repr(fetched), fetched.observations.to_csv(), str(fetched.notes)]
        except UserError as error:
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
            written += [str(error), repr(error), "".join(shown.format())]
        written.append(repr(client))
    assert server.seen[0][1]["Ocp-Apim-Subscription-Key"] == KEY, "the key is sent, in the header"
    written += [path for path, _ in server.seen]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    written += [path.name for path in files]
    written += [content_of(path) for path in files]
    written += [caplog.text, *capsys.readouterr()]
    assert fault not in (None, echo_in_data) or len(files) == 2
    assert fault is not echo_as_utf_16 or len(files) == 1, "put aside, as refused"
    for way in WAYS.values():
        assert [text for text in written if way(KEY).casefold() in text.casefold()] == []
    assert [piece for piece in PIECES for text in written if piece.casefold() in text.casefold()] == []


def content_of(path: Path) -> str:
    import gzip

    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")


def test_a_secret_shows_itself_nowhere(tmp_path: Path) -> None:
    secret = SecretStr(KEY)
    assert KEY not in f"{secret} {secret!r} {[secret]}"
    for name in ("plain", "address", "unicode", "hexadecimal", "base64"):
        assert redact(f"a {WAYS[name](KEY)} b", secret) == "a *** b"


FORMS: list[Callable[[str], str]] = [
    str, str.upper, str.lower, "%{0:02X}".format, "%25{0:02x}".format, "\\u{0:04x}".format, "\\x{0:02X}".format,
    "\\{1}".format, "&#{0};".format, "&#x{0:X};".format,
]  # fmt: skip
"""How one character of a key may stand: its number is given first."""

SIGNS = st.characters(min_codepoint=33, max_codepoint=126)


@given(
    key=st.text(SIGNS, min_size=8, max_size=40),
    beside=st.tuples(st.text("xyz :", max_size=40), st.text("xyz :", max_size=40)),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be"]),
    data=st.data(),
)
def test_no_key_stays_however_it_is_written(
    key: str, beside: tuple[str, str], encoding: str, data: st.DataObject
) -> None:
    """Each character in a form of its own, or the whole encoded; then cut wherever: no eight characters in a row."""
    written = data.draw(
        st.one_of(
            st.tuples(*[st.sampled_from(FORMS) for _ in key]).map(lambda forms: formed(key, forms)),
            st.sampled_from(list(WAYS.values())).map(lambda way: way(key)),
        )
    )
    told = (beside[0] + written + beside[1]).encode(encoding)
    clean = publishers.redact_bytes(told, SecretStr(key)).decode(encoding)
    assert clean == f"{beside[0]}***{beside[1]}" or written.casefold() not in clean.casefold()
    assert not [at for at in range(len(key) - 7) if key[at : at + 8].casefold() in clean.casefold()]


def formed(key: str, forms: tuple[Callable[..., str], ...]) -> str:
    return "".join(
        form(sign) if isinstance(form, type) or form in (str.upper, str.lower) else form(ord(sign), sign)
        for sign, form in zip(key, forms, strict=True)
    )


def test_the_environment_comes_before_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.get_password", lambda service, name: "of-the-keyring")
    monkeypatch.delenv("COMTRADE_API_KEY", raising=False)
    assert key_of("comtrade").get_secret_value() == "of-the-keyring"  # type: ignore[union-attr]
    monkeypatch.setenv("COMTRADE_API_KEY", "of-the-environment")
    assert key_of("comtrade").get_secret_value() == "of-the-environment"  # type: ignore[union-attr]


def test_without_any_key_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMTRADE_API_KEY", "  ")
    assert key_of("comtrade") is None


def test_a_keyring_is_asked_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.get_password", lambda service, name: f"{service}:{name}")
    assert key_of("comtrade").get_secret_value() == "tradegoals:COMTRADE_API_KEY"  # type: ignore[union-attr]

    def locked(service: str, name: str) -> None:
        raise keyring.errors.KeyringLocked

    monkeypatch.setattr("keyring.get_password", locked)
    assert key_of("comtrade") is None


def test_a_key_with_a_line_break_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMTRADE_API_KEY", "abc\ndef")
    with pytest.raises(UserError, match="characters that no key has") as caught:
        key_of("comtrade")
    assert "abc" not in str(caught.value)


def test_limits_are_those_of_the_documentation() -> None:
    own = Client()
    assert (own.connect_seconds, own.read_seconds, own.total_seconds) == (10, 60, 600)
    assert (own.received_bytes, own.decoded_bytes) == (100_000_000, 400_000_000)
    assert (own.attempts, own.first_wait, own.longest_wait, own.redirects) == (5, 1, 60, 3)
