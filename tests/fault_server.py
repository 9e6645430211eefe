"""A local server that speaks the protocols of the sources, truthfully or with any fault there is.

    with serve(WORLD) as server:
        server.bases                    # {"imf": "http://127.0.0.1:…/imf", …}: base addresses, also for the environment
        server.next(status(503))        # the next request meets this, the one after it the truth
        server.always(portal_page)      # every request from now on
        server.seen                     # what was asked: path and query, and the headers

A fault takes the handler and the truthful `Reply`, and sends something else. Shapes are those that the publishers'
documentation and clients show, values are invented.
"""

import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CSV_TYPE = "application/vnd.sdmx.data+csv"
Values = dict[tuple[str, str, str], dict[str, float]]  # (reporter, partner, flow) in ISO3, then by period


@dataclass(frozen=True)
class Reply:
    """What the server sends."""

    status: int
    media: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    """What the publishers know: trade in dollars, indicators, and roubles per unit by day."""

    trade: Values
    codes: dict[str, str]  # UN Comtrade's number of each ISO3 code
    indicators: dict[tuple[str, str], dict[str, float | None]] = field(default_factory=dict)
    roubles: dict[str, dict[str, tuple[int, str]]] = field(
        default_factory=dict
    )  # nominal and value by DD.MM.YYYY

    def partners(self, reporter: str) -> list[str]:
        return sorted({partner for first, partner, _ in self.trade if first == reporter})


# --- IMF ---

IMF_COLUMNS = [
    "DATAFLOW",
    "COUNTRY",
    "INDICATOR",
    "COUNTERPART_COUNTRY",
    "FREQUENCY",
    "TIME_PERIOD",
    "OBS_VALUE",
    "SCALE",
    "PRECISION",
    "DECIMALS_DISPLAYED",
    "TRADE_FLOW",
    "VALUATION",
    "UNIT",
    "DERIVATION_TYPE",
    "OVERLAP",
    "STATUS",
    "DOI",
    "FULL_DESCRIPTION",
    "AUTHOR",
    "PUBLISHER",
    "DEPARTMENT",
    "CONTACT_POINT",
    "TOPIC",
    "TOPIC_DATASET",
    "KEYWORDS",
    "KEYWORDS_DATASET",
    "LANGUAGE",
    "PUBLICATION_DATE",
    "UPDATE_DATE",
    "METHODOLOGY",
    "METHODOLOGY_NOTES",
    "ACCESS_SHARING_LEVEL",
    "ACCESS_SHARING_NOTES",
    "SECURITY_CLASSIFICATION",
    "SOURCE",
    "SHORT_SOURCE_CITATION",
    "FULL_SOURCE_CITATION",
    "LICENSE",
    "SUGGESTED_CITATION",
    "KEY_INDICATOR",
    "SERIES_NAME",
]
"""As a recorded answer of August 2026 has them."""


def imf_rows(world: World, key: str) -> list[tuple[str, str, str, str, str, float]]:
    """Reporter, indicator, partner, frequency, period and value of a key such as CHN.XG_FOB_USD+MG_CIF_USD.*.A."""
    reporters, indicators, partners, freq = key.split(".")
    flows = {"XG_FOB_USD": "export", "MG_CIF_USD": "import"}
    return [
        (reporter, indicator, partner, freq, period, value)
        for reporter in reporters.split("+")
        for partner in (world.partners(reporter) if partners == "*" else partners.split("+"))
        for indicator in indicators.split("+")
        for period, value in world.trade.get((reporter, partner, flows[indicator]), {}).items()
        if (len(period) == 4) == (freq == "A")
    ]


def imf_csv(rows: list[tuple[Any, ...]], columns: list[str] | None = None, **same: str) -> bytes:
    """SDMX-CSV as it comes: 41 columns, the scale that is none, a last row of metadata without key and value.

    `same` gives further columns, or others than usual, of every row.
    """
    names = [*dict.fromkeys([*(columns or IMF_COLUMNS), *same])]
    head = {"DATAFLOW": "IMF.STA:IMTS(1.0.0)", "SCALE": "6", "UNIT": "USD", "KEYWORDS_DATASET": "DOTS"}
    head |= {
        "TOPIC_DATASET": "L81,F10_I,F10_E",
        "PUBLISHER": "IMF",
        "SERIES_NAME": "Exports of goods, FOB, US dollar",
    }
    head |= same
    records = [
        head | dict(zip(IMF_COLUMNS[1:7], (*codes, imf_period(period), number(value)), strict=True))
        for *codes, period, value in rows
    ]
    metadata = head | {"INDICATOR": "MG_FOB_USD", "SCALE": ""}
    lines = [
        ",".join(f'"{one}"' if "," in (one := record.get(name, "")) else one for name in names)
        for record in [*records, metadata]
    ]
    return ("\r\n".join([",".join(names), *lines]) + "\r\n").encode()


def imf_period(period: str) -> str:
    return period.replace("-", "-M") if len(period) == 7 and "Q" not in period else period


def number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.15g}" if abs(value) < 1e15 else repr(value)


def answer_imf(world: World, path: str, query: dict[str, str], accept: str) -> Reply:
    """Years are filtered by c[TIME_PERIOD] alone; an unknown code gives no row, and status 200."""
    limits = re.fullmatch(r"ge:(\d{4})\+le:(\d{4})", query.get("c[TIME_PERIOD]", "ge:0000+le:9999"))
    if "/IMF.STA/IMTS/+/" not in path or limits is None:
        return Reply(400, "application/json", b'{"message":"Syntax error","code":"150"}')
    rows = [row for row in imf_rows(world, path.rsplit("/", 1)[-1]) if limits[1] <= row[4][:4] <= limits[2]]
    return Reply(200, f"{CSV_TYPE};version=2.0.0", imf_csv(rows))


# --- UN Comtrade ---


def comtrade_row(
    reporter: int, partner: int, flow: str, period: str, value: Any, **changes: Any
) -> dict[str, Any]:
    """One record as the service sends it."""
    row = {
        "typeCode": "C",
        "freqCode": "A" if len(period) == 4 else "M",
        "refPeriodId": int(period.ljust(6, "0")) * 100 + 1,
        "refYear": int(period[:4]),
        "refMonth": 52 if len(period) == 4 else int(period[4:]),
        "period": period,
        "reporterCode": reporter,
        "reporterISO": None,
        "reporterDesc": None,
        "flowCode": flow,
        "flowDesc": None,
        "partnerCode": partner,
        "partnerISO": None,
        "partnerDesc": None,
        "partner2Code": 0,
        "classificationCode": "H6",
        "classificationSearchCode": "HS",
        "isOriginalClassification": True,
        "cmdCode": "TOTAL",
        "aggrLevel": 0,
        "isLeaf": False,
        "customsCode": "C00",
        "mosCode": "0",
        "motCode": 0,
        "qtyUnitCode": -1,
        "qty": 0,
        "netWgt": 0,
        "grossWgt": 0,
        "cifvalue": value if flow == "M" else None,
        "fobvalue": value if flow == "X" else None,
        "primaryValue": value,
        "legacyEstimationFlag": 0,
        "isReported": False,
        "isAggregate": True,
    }
    return row | changes


def comtrade_rows(world: World, query: dict[str, str], freq: str) -> list[dict[str, Any]]:
    isos = {number: iso for iso, number in world.codes.items()}
    rows = []
    for reporter in [isos.get(code, "") for code in query["reporterCode"].split(",")]:
        asked = query.get("partnerCode")
        partners = [isos.get(code, "") for code in asked.split(",")] if asked else world.partners(reporter)
        for partner in partners:
            for code in query["flowCode"].split(","):
                known = world.trade.get((reporter, partner, {"X": "export", "M": "import"}[code]), {})
                for period in query["period"].split(","):
                    written = period if freq == "A" else f"{period[:4]}-{period[4:]}"
                    if written in known:
                        numbers = int(world.codes[reporter]), int(world.codes[partner])
                        rows.append(comtrade_row(*numbers, code, period, known[written]))
    return rows


def comtrade_json(rows: list[dict[str, Any]], error: str = "") -> bytes:
    return json.dumps({"elapsedTime": "0.09 secs", "count": len(rows), "error": error, "data": rows}).encode()


def answer_comtrade(world: World, path: str, query: dict[str, str], accept: str) -> Reply:
    rows = comtrade_rows(world, query, path.split("/")[-2])
    preview = "/public/v1/preview/" in path
    if preview and "," in query["period"]:
        return Reply(400, "application/json", b'{"statusCode":400,"message":"Only one period is allowed"}')
    # The preview cuts without a word, and counts what it sends.
    return Reply(200, "application/json; charset=utf-8", comtrade_json(rows[:500] if preview else rows))


# --- World Bank and Bank of Russia ---


def worldbank_json(places: list[str], code: str, world: World, query: dict[str, str]) -> bytes:
    first, last = (int(year) for year in query.get("date", "1960:2025").split(":"))
    names = {"id": code, "value": code}
    rows = [
        {
            "indicator": names,
            "country": {"id": place[:2], "value": place},
            "countryiso3code": place,
            "date": str(year),
            "value": world.indicators.get((place, code), {}).get(str(year)),
            "unit": "",
            "obs_status": "",
            "decimal": 0,
        }
        for place in places
        for year in range(last, first - 1, -1)
    ]
    size, page = int(query.get("per_page", "50")), int(query.get("page", "1"))
    pages = max(1, -(-len(rows) // size))
    head = {"page": page, "pages": pages, "per_page": size, "total": len(rows), "lastupdated": "2026-10-15"}
    return json.dumps([head, rows[(page - 1) * size : page * size]]).encode()


def answer_worldbank(world: World, path: str, query: dict[str, str], accept: str) -> Reply:
    _, places, _, code = path.strip("/").split("/")[-4:]
    return Reply(200, "application/json;charset=utf-8", worldbank_json(places.split(";"), code, world, query))


def cbr_xml(number: str, days: dict[str, tuple[int, str]], first: str = "", last: str = "") -> bytes:
    records = "".join(
        f'<Record Date="{day}" Id="{number}"><Nominal>{nominal}</Nominal><Value>{value}</Value></Record>'
        for day, (nominal, value) in days.items()
    )
    head = '<?xml version="1.0" encoding="windows-1251"?>'
    name = "Foreign Currency Market Dynamic"
    text = f'{head}<ValCurs ID="{number}" DateRange1="{first}" DateRange2="{last}" name="{name}">{records}</ValCurs>'
    return text.encode("windows-1251")


def answer_cbr(world: World, path: str, query: dict[str, str], accept: str) -> Reply:
    first, last = query["date_req1"], query["date_req2"]
    known = world.roubles.get(query["VAL_NM_RQ"], {})
    inside = {day: rate for day, rate in known.items() if turned(first) <= turned(day) <= turned(last)}
    return Reply(
        200, "application/xml; charset=windows-1251", cbr_xml(query["VAL_NM_RQ"], inside, first, last)
    )


def turned(day: str) -> tuple[str, ...]:
    return tuple(reversed(day.replace("/", ".").split(".")))


def answer_fred(world: World, path: str, query: dict[str, str], accept: str) -> Reply:
    """A series as CSV; the first of its days by month or year stands for it."""
    known = world.indicators.get(("FRED", query["id"]), {})
    rows = [f"{day},{'.' if value is None else value}" for day, value in known.items()]
    inside = [row for row in rows if query["cosd"] <= row[:10] <= query["coed"]]
    return Reply(200, "application/csv", "\n".join([f"observation_date,{query['id']}", *inside, ""]).encode())


# --- China's customs ---

TABLE_TITLE = "China's Total Export & Import Values by Country/Region"
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CURRENT_YEAR = 2026


def gacc_index(world: World, year: int) -> bytes:
    """The list of releases of a year: a month that is not out has no link; January has none of its own."""
    lines = []
    for section, currency in ((1, "CNY"), (4, "CNY"), (4, "USD"), (5, "USD")):
        months = [
            f"<a href=http://english.customs.gov.cn/Statics/{section}-{currency}-{year}-{month:02}.html> {name}.</a>"
            if month > 1 and f"{year}-{month:02}" in world.trade["CHN", "RUS", "export"]
            else f"<span>{name}.</span>"
            for month, name in enumerate(MONTH_NAMES, start=1)
        ]
        title = TABLE_TITLE if section == 4 else "China's Total Values of something else"
        lines.append(f"<tr><td>({section}) {title} (in {currency})</td><td>{''.join(months)}</br></td></tr>")
    years = "".join(f'<option value="{one}">{one}</option>' for one in range(CURRENT_YEAR, 2017, -1))
    table = (
        f"<table><thead><tr><th>Title</th><th>Month</th></tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )
    select = f'<select id="preliminarysel">{years}</select>'
    return f'<html><body><div class="nr-n-content-detail "><div>{select}</div>{table}</div></body></html>'.encode()


def gacc_rows(world: World, year: int, month: int, scale: float) -> list[tuple[str, list[float]]]:
    """Month and January to month of total, export and import by label; groups stand between the countries."""
    labels = {"Total": "G001", "of which: Germany": "DEU", "Russian Federation": "RUS", "Kazakhstan": "KAZ"}
    rows = [("ASEAN", [1.0] * 6)]
    for label, code in labels.items():
        flows = [world.trade.get(("CHN", code, flow)) for flow in ("export", "import")]
        if all(flows):
            sums = [
                [sum(flow[f"{year}-{one:02}"] for one in months) / scale for flow in flows]  # type: ignore[index]
                for months in ([month], range(1, month + 1))
            ]
            (x, m), (xs, ms) = sums
            rows.append((label, [x + m, xs + ms, x, xs, m, ms]))
    return rows


def gacc_page(
    rows: list[tuple[str, list[float]]],
    year: int,
    month: int,
    currency: str,
    *,
    day: str = "",
    unit: str = "",
) -> bytes:
    """A release as the English site shows it; that of January and February has no columns for the month."""
    combined = month == 2
    name = "January-February" if combined else MONTH_NAMES[month - 1]
    title = f"(4) {TABLE_TITLE}, {name} {year} (in {currency})"
    to_date, flows = f"1- to-{month}", ["Export & Import", "Export", "Import"]
    above = [flow for flow in flows for _ in range(1 if combined else 2)]
    below = [to_date] * 3 if combined else [str(month), to_date] * 3
    lines = [[title], [f"Unit: {unit or {'CNY': 'CNY 100 Million', 'USD': 'USD1 Million'}[currency]}"]]
    lines += [
        ["Import Source", *above, f"1-to-{month} Total Year-on-Year (±%)"],
        ["Export Destination", *below, *flows],
    ]
    for label, values in rows:
        shown = values[1::2] if combined else values
        lines.append([f"\xa0\xa0 {label}", *(f"{value:,.1f}\xa0" for value in shown), "1.5", "-", "-2.0"])
    lines.append(["Note: 1. ASEAN includes …"])
    table = "".join(
        "<tr>" + "".join(f"<td><span><b>{escape(cell)}</b></span></td>" for cell in line) + "</tr>"
        for line in lines
    )
    after = (year + 1, 1, 14) if month == 12 else (year, month + 1, 9)
    shown_day = day or "{}/{:02}/{:02}".format(*after)
    body = f'<div class="atcl-ttl">{escape(title)}</div><div class="atcl-date">{shown_day}</div>'
    return f'<html><body>{body}<div class="atcl-cnt"><table>{table}</table></div></body></html>'.encode()


def answer_gacc(world: World, path: str, query: dict[str, str], accept: str) -> Reply:
    media = "text/html; charset=utf-8"
    if found := re.search(r"/statics/report/preliminary(\d{4})?\.html$", path):
        if found[1] and not 2018 <= int(found[1]) < CURRENT_YEAR:
            return Reply(404, "text/html", b"<html><title>404</title></html>")
        return Reply(200, media, gacc_index(world, int(found[1] or CURRENT_YEAR)))
    if found := re.search(r"/Statics/4-(CNY|USD)-(\d{4})-(\d\d)\.html$", path):
        currency, year, month = found[1], int(found[2]), int(found[3])
        rows = gacc_rows(world, year, month, {"CNY": 1e8 / 7, "USD": 1e6}[currency])
        return Reply(200, media, gacc_page(rows, year, month, currency))
    return Reply(404, "text/html", b"<html><title>404</title></html>")


ANSWERS = {
    "imf": answer_imf,
    "comtrade": answer_comtrade,
    "worldbank": answer_worldbank,
    "cbr": answer_cbr,
    "fred": answer_fred,
    "gacc": answer_gacc,
}


# --- the server ---

Fault = Callable[["Handler", Reply], None]


class Server(ThreadingHTTPServer):
    """Knows the world, what was asked, and which faults are next."""

    daemon_threads = True

    def __init__(self, world: World) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.world = world
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.faults: list[Fault] = []
        self.standing: Fault | None = None
        self.stopping = threading.Event()

    @property
    def bases(self) -> dict[str, str]:
        return {name: f"http://127.0.0.1:{self.server_port}/{name}" for name in ANSWERS}

    def next(self, *faults: Fault) -> None:
        self.faults += faults

    def always(self, fault: Fault) -> None:
        self.standing = fault

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer of two packets waits 40 ms
    server: Server

    def log_message(self, *arguments: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        parts = urlsplit(self.path)
        # A plus in a value is a plus for these servers, not a blank.
        query = {name: values[-1] for name, values in parse_qs(parts.query.replace("+", "%2B")).items()}
        source = parts.path.split("/")[1]
        if source not in ANSWERS:
            return self.send(Reply(404, "text/plain", b"no such source"))
        reply = ANSWERS[source](self.server.world, unquote(parts.path), query, self.headers.get("Accept", ""))
        fault = self.server.faults.pop(0) if self.server.faults else self.server.standing
        return fault(self, reply) if fault else self.send(reply)

    def send(self, reply: Reply, *, length: int | None = None, framed: bool = True) -> None:
        self.begin(
            reply, {"Content-Length": str(len(reply.body) if length is None else length)} if framed else {}
        )
        self.wfile.write(reply.body)

    def begin(self, reply: Reply, headers: dict[str, str]) -> None:
        self.send_response(reply.status)
        for name, value in ({"Content-Type": reply.media} | reply.headers | headers).items():
            if value:
                self.send_header(name, value)
        self.end_headers()


@contextmanager
def serve(world: World) -> Iterator[Server]:
    """Run the server in a thread."""
    server = Server(world)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


# --- faults ---


def status(code: int, media: str = "application/json", body: bytes = b"", **headers: str) -> Fault:
    """Another status, with headers such as Retry_After="2"."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, reply: handler.send(Reply(code, media, body, named))


def too_many(**headers: str) -> Fault:
    """What UN Comtrade says when asked too often."""
    return status(
        429, body=b'{"statusCode":429,"message":"Rate limit is exceeded. Try again in 2 seconds."}', **headers
    )


def quota_used(handler: Handler, reply: Reply) -> None:
    """What UN Comtrade's preview says after some hundred calls."""
    words = b'{"statusCode":403,"message":"Out of call volume quota. Quota will be replenished in 05:12:33."}'
    handler.send(Reply(403, "application/json", words))


def dripping_headers(handler: Handler, reply: Reply) -> None:
    """A status line, then headers without an end, a few bytes at a time; 100 Continue before them for good measure."""
    try:
        for _ in range(50):
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.server.stopping.is_set():
            handler.wfile.write(b"X-A: b\r\n")
            time.sleep(0.001)
    except OSError:  # the client has had enough
        pass
    handler.close_connection = True


def dripping_error(handler: Handler, reply: Reply) -> None:
    """The body of an error, a byte at a time, without an end."""
    dripping(handler, replace(reply, status=400, media="application/json"))


def instead(body: bytes, media: str | None = None) -> Fault:
    """Another body, of the same type unless it is given."""
    return lambda handler, reply: handler.send(
        replace(reply, body=body, media=reply.media if media is None else media)
    )


def changed(change: Callable[[bytes], bytes]) -> Fault:
    """The true body, changed."""
    return lambda handler, reply: handler.send(replace(reply, body=change(reply.body)))


def with_bom(handler: Handler, reply: Reply) -> None:
    handler.send(replace(reply, body=b"\xef\xbb\xbf" + reply.body))


PORTAL = b"<!DOCTYPE html><html><head><title>Hotel WiFi - please log in</title></head><body>Hi</body></html>"


def portal_page(handler: Handler, reply: Reply) -> None:
    handler.send(Reply(200, "text/html; charset=utf-8", PORTAL))


def disguised_portal_page(handler: Handler, reply: Reply) -> None:
    handler.send(replace(reply, body=PORTAL))


def xml_error(handler: Handler, reply: Reply) -> None:
    """An error in XML with status 200, with a byte order mark, under the type that was asked for."""
    body = '\ufeff<?xml version="1.0"?><error><message>Service is in maintenance</message></error>'.encode()
    handler.send(replace(reply, body=body))


def redirect(location: str, code: int = 302) -> Fault:
    return status(code, Location=location)


def redirect_to_itself(handler: Handler, reply: Reply) -> None:
    handler.send(Reply(302, "text/plain", b"", {"Location": handler.path}))


def cut_short(handler: Handler, reply: Reply) -> None:
    """Half of the body that was announced, then the connection ends."""
    handler.send(replace(reply, body=reply.body[: len(reply.body) // 2]), length=len(reply.body))
    handler.close_connection = True


def cut_in_chunks(handler: Handler, reply: Reply) -> None:
    """A chunked body without its last chunk."""
    handler.begin(reply, {"Transfer-Encoding": "chunked"})
    half = reply.body[: len(reply.body) // 2]
    handler.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
    handler.close_connection = True


def unframed(handler: Handler, reply: Reply) -> None:
    """A body without its length, as HTTP/1.0 sends it: whoever reads cannot know whether it is all."""
    handler.send(replace(reply, body=reply.body[: len(reply.body) // 2]), framed=False)
    handler.close_connection = True


def hang_up(handler: Handler, reply: Reply) -> None:
    """No answer at all."""
    handler.close_connection = True


def silent(handler: Handler, reply: Reply) -> None:
    """The connection stays open and nothing comes."""
    handler.server.stopping.wait(5)
    handler.close_connection = True


def dripping(handler: Handler, reply: Reply) -> None:
    """A byte at a time, without an end."""
    handler.begin(reply, {"Transfer-Encoding": "chunked"})
    try:
        while not handler.server.stopping.is_set():
            handler.wfile.write(b"1\r\n \r\n")
            time.sleep(0.001)
    except OSError:  # the client has had enough
        handler.close_connection = True


def zipped(handler: Handler, reply: Reply) -> None:
    handler.send(replace(reply, body=gzip.compress(reply.body), headers={"Content-Encoding": "gzip"}))


def truncated_zip(handler: Handler, reply: Reply) -> None:
    """A gzip that ends too early, with the length that it has: only its reader can see that."""
    body = gzip.compress(reply.body)
    handler.send(replace(reply, body=body[: len(body) * 2 // 3], headers={"Content-Encoding": "gzip"}))


def damaged_zip(handler: Handler, reply: Reply) -> None:
    body = bytearray(gzip.compress(reply.body))
    body[len(body) // 2] ^= 0xFF
    handler.send(replace(reply, body=bytes(body), headers={"Content-Encoding": "gzip"}))


def bomb(handler: Handler, reply: Reply) -> None:
    """A small gzip of very many zeros."""
    handler.send(replace(reply, body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}))


def unknown_encoding(handler: Handler, reply: Reply) -> None:
    handler.send(replace(reply, headers={"Content-Encoding": "br"}))


def huge(size: int, *, declared: bool) -> Fault:
    """A body of `size` bytes, sent in parts until the client hangs up."""

    def send(handler: Handler, reply: Reply) -> None:
        framing = {"Content-Length": str(size)} if declared else {"Transfer-Encoding": "chunked"}
        handler.begin(reply, framing)
        part = b" " * 1_000_000
        handler.close_connection = True
        try:
            for _ in range(size // len(part)):
                handler.wfile.write(part if declared else f"{len(part):x}\r\n".encode() + part + b"\r\n")
            handler.wfile.write(b"" if declared else b"0\r\n\r\n")
        except OSError:  # the client has had enough
            return

    return send
