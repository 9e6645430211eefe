"""Every reader of bytes from outside, with a sound sample: what the fuzz tests send odd things to."""

import io
import tempfile
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import fault_server as server_of

from lib.economies import find_economy
from lib.tools.sources import coded, covariates, gacc
from lib.tools.sources.mapping import Mapping, parse_mapping
from lib.tools.sources.observations import Question
from lib.tools.sources.reader import read_table
from lib.tools.sources.snapshots import _read_record

CHINA, RUSSIA = find_economy("China"), find_economy("Russia")
WHERE = "https://example.org/public/v1/preview/"
ROWS = [
    ("CHN", indicator, "RUS", "A", str(year), year * 1e6 + 0.5)
    for indicator in ("XG_FOB_USD", "MG_CIF_USD")
    for year in range(2010, 2015)
]
CALLS = [
    server_of.comtrade_row(156, 643, code, str(year), year * 1e6)
    for code in "XM"
    for year in range(2010, 2013)
]
IMF_CSV = server_of.imf_csv(ROWS)
GACC = server_of.gacc_page(
    [("Total", [9.5] * 6), ("Russian Federation", [1.5, 4.5, 1, 3, 0.5, 1.5])], 2014, 3, "CNY"
)
GACC_INDEX = server_of.gacc_index(server_of.World({("CHN", "RUS", "export"): {"2014-03": 1.0}}, {}), 2014)
FRED = b"observation_date,AEXCHUS\n2013-01-01,6.15\n2014-01-01,.\n2015-01-01,6.28\n"
COMTRADE = server_of.comtrade_json(CALLS)
WORLD_BANK = server_of.worldbank_json(
    ["CHN"],
    "NY.GDP.MKTP.CD",
    server_of.World({}, {}, {("CHN", "NY.GDP.MKTP.CD"): {"2010": 1e12, "2011": None}}),
    {"date": "2009:2012"},
)
CBR = server_of.cbr_xml(
    "R01235", {"31.12.1997": (1, "5960,0"), "10.01.2013": (1, "30,1234"), "11.01.2013": (10, "301,5")}
)
MAPPING_TEXT = b"""source: gacc
title: tables
url: http://www.customs.gov.cn/tables
licence: free
authority: customs
published: 2014-01-10
thousands: ","
missing: ["-"]
freq: M
period: {column: month, format: "%Y.%m"}
reporter: {is: China}
partner: {column: country, names: {RU: Russia}, others: skip}
flows:
  - {column: out, flow: export, unit: USD th, valuation: FOB}
"""
TABLE = b'month,country,out\n2013.11,RU,"4,123,456.5"\n2013.12,RU,-\n2013.12,IN,1\n'
RECORD = (
    b'{"authority":"statistics","bytes":3,"headers":[["etag","1"]],"licence":"free","media":"text/csv",'
    b'"params":[["a","b"]],"path":"/x","retrieved":"2026-11-24T12:00:00+00:00","sha256":"' + b"a" * 64 + b'",'
    b'"source":"imf","status":200,"title":"IMF","url":"https://api.imf.org/x"}\n'
)


class Reader(NamedTuple):
    """A function of bytes, and a body that it reads without complaint."""

    read: Callable[[bytes], Any]
    sample: bytes


def of_source(source: str, body: bytes) -> Any:
    """Read an answer as `fetch` does: decoding, names, periods, duplicates, schema."""
    if source == "gacc":
        return gacc.read(body, WHERE)
    return coded.read(Question(source, (CHINA,), (RUSSIA,), "A", range(2010, 2016)), body, WHERE)


@lru_cache(maxsize=1)
def mapping() -> Mapping:
    return parse_mapping(MAPPING_TEXT, "mapping.yml")


def world_bank(body: bytes) -> Any:
    return covariates._read_worldbank(body, WHERE, "NY.GDP.MKTP.CD", "CHN")


def record(body: bytes) -> Any:
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        return _read_record(Path(file.name))


def workbook() -> bytes:
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.Workbook()
    for row in (["month", "country", "out"], ["2013.11", "RU", 5.5], ["2013.12", "RU", "-"]):
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


READERS = {
    "imf csv": Reader(partial(of_source, "imf"), IMF_CSV),
    "gacc": Reader(partial(of_source, "gacc"), GACC),
    "gacc index": Reader(lambda body: gacc._read_index(body, "http://x/preliminary2014.html"), GACC_INDEX),
    "fred": Reader(lambda body: covariates._read_fred(body, WHERE, "AEXCHUS", "CHN"), FRED),
    "comtrade": Reader(partial(of_source, "comtrade"), COMTRADE),
    "world bank": Reader(world_bank, WORLD_BANK),
    "cbr": Reader(lambda body: covariates._read_cbr(body, WHERE, "R01235", "RUS"), CBR),
    "table": Reader(lambda body: read_table(body, mapping(), "table.csv")[0], TABLE),
    "workbook": Reader(lambda body: read_table(body, mapping(), "table.xlsx")[0], workbook()),
    "mapping": Reader(lambda body: parse_mapping(body, "mapping.yml"), MAPPING_TEXT),
    "record": Reader(record, RECORD),
}
