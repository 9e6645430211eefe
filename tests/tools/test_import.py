"""Tables of one's own: every kind that failed once, tables written by a generator, damaged files, what an import may not do."""

import io
import json
import os
import random
import re
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some

from lib import fetched
from lib.economies import read_unit
from lib.errors import UserError
from lib.figures import covariate
from lib.package import DATA_ENV, KEPT_ONLY_ENV, data_dir
from lib.research.files import check_checksums
from lib.tools import curation
from lib.tools.cli import main
from lib.tools.sources.mapping import Mapping, parse_mapping, to_yaml
from lib.tools.sources.observations import in_millions
from lib.tools.sources.proposal import Proposal, propose
from lib.tools.sources.reader import UnclearError, read_table

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
FACTS = {"reporter": "China", "partner": "World", "flow": "export", "unit": "USD mn"}

Found = set[tuple[str, str, str, str, float]]


def values(rows: pd.DataFrame) -> Found:
    """Observations as tuples, in millions."""
    millions = in_millions(rows["value"], rows["unit"])
    names = ("reporter", "partner", "flow", "period")
    return {(*key, value) for *key, value in zip(*(rows[name] for name in names), millions, strict=True)}  # type: ignore[misc]


def look(tmp_path: Path, content: str | bytes, name: str = "t.csv", **said: object) -> Proposal:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return propose(path, **said)


def export(
    *pairs: tuple[str, float], reporter: str = "China", partner: str = "World", flow: str = "export"
) -> Found:
    return {(reporter, partner, flow, period, value) for period, value in pairs}


# --- the kinds that failed, each with a small table of its own ---


def book(rows: list[list[object]], merged: tuple[str, ...] = ()) -> bytes:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    for area in merged:
        made.active.merge_cells(area)
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def old_book(rows: list[list[object]]) -> bytes:
    """The least that is an .xls of Excel 97: a compound file whose one stream has one sheet."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def begin(what: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, what, 0x0DBB, 0x07CC, 0, 6))

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        text = name.encode("utf-16-le") + b"\0\0"
        about = struct.pack("<HBBIII", len(text), kind, 1, 2**32 - 1, 2**32 - 1, child)
        return text.ljust(64, b"\0") + about + bytes(36) + struct.pack("<IQ", start, size)

    sheet = begin(0x10)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            at, text = struct.pack("<HHH", y, x, 0), str(cell)
            if isinstance(cell, str):
                sheet += record(0x0204, at + struct.pack("<HB", len(text), 1) + text.encode("utf-16-le"))
            elif cell is not None:
                sheet += record(0x0203, at + struct.pack("<d", cell))
    first = begin(0x05)
    listed = record(0x85, struct.pack("<IBB", len(first) + 21, 0, 0) + b"\x05\0Trade")
    stream = (first + listed + record(0x0A, b"") + sheet + record(0x0A, b"")).ljust(8192, b"\0")
    chain = [2**32 - 3, 2**32 - 2, *range(3, 2 + len(stream) // 512), 2**32 - 2]
    head = struct.pack("<8s16xHHHHH6xIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 62, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, 2**32 - 2, 0, 2**32 - 2, 0, 0)  # fmt: skip
    folder = entry("Root Entry", 5, 1, 2**32 - 2, 0) + entry("Workbook", 2, 2**32 - 1, 2, len(stream))
    table = struct.pack(f"<{len(chain)}I", *chain).ljust(512, b"\xff")
    return head.ljust(512, b"\xff") + table + folder.ljust(512, b"\0") + stream


def open_book(rows: list[list[object]]) -> bytes:
    """The least that is an .ods."""

    def cell(one: object) -> str:
        kind = "string" if isinstance(one, str) else f'float" office:value="{one}'
        return f'<table:table-cell office:value-type="{kind}"><text:p>{escape(str(one))}</text:p></table:table-cell>'

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    urn = "urn:oasis:names:tc:opendocument:xmlns:"
    names = " ".join(f'xmlns:{name}="{urn}{name}:1.0"' for name in ("office", "table", "text"))
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = f'<m:manifest xmlns:m="{urn}manifest:1.0"><m:file-entry m:full-path="/" m:media-type="{kind}"/></m:manifest>'
    sheet = f'<table:table table:name="A">{body}</table:table>'
    parts = {
        "mimetype": kind,
        "META-INF/manifest.xml": manifest,
        "content.xml": f"<office:document-content {names}><office:body><office:spreadsheet>{sheet}</office:spreadsheet></office:body></office:document-content>",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return buffer.getvalue()


SDMX_ML = """<?xml version="1.0"?><m:Data xmlns:m="urn:x"><m:DataSet>
<Series REF_AREA="CHN" COUNTERPART_AREA="RUS" FLOW="X" UNIT="USD" UNIT_MULT="6"><Obs TIME_PERIOD="2020" OBS_VALUE="5.5"/>
<Obs TIME_PERIOD="2021" OBS_VALUE="6"/></Series></m:DataSet></m:Data>"""
SDMX_JSON = {
    "data": {
        "dataSets": [{"series": {"0:0": {"observations": {"0": [5.5], "1": [6]}}}}],
        "structure": {"dimensions": {
            "series": [{"id": "REF_AREA", "values": [{"id": "CHN"}]}, {"id": "FLOW", "values": [{"id": "X"}]}],
            "observation": [{"id": "TIME_PERIOD", "values": [{"id": "2020"}, {"id": "2021"}]}],
        }},
    }
}  # fmt: skip
EXCEL_2003 = """<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet ss:Name="A"><Table>
<Row><Cell><Data>year</Data></Cell><Cell><Data>exports</Data></Cell></Row><Row><Cell><Data>2020</Data></Cell><Cell><Data>5.5</Data></Cell></Row>
<Row ss:Index="5"><Cell><Data>2021</Data></Cell><Cell><Data>6</Data></Cell></Row></Table></Worksheet></Workbook>"""
TWO = export(("2020", 5.5), ("2021", 6.0))
KINDS: dict[str, tuple[str | bytes, dict[str, object], Found]] = {
    "comma": ("year,exports\n2020,5.5\n2021,6\n", {}, TWO),
    "semicolon and decimal comma": ("year;exports\n2020;5,5\n2021;6\n", {}, TWO),
    "tab, utf-16": ("year\texports\n2020\t5.5\n2021\t6\n".encode("utf-16"), {}, TWO),
    "gb18030": ("出口统计表\n单位：亿美元\n\n年份,出口额\n2020年,5.5\n2021年,6\n".encode("gb18030"), {"unit": None}, export(("2020", 550.0), ("2021", 600.0))),
    "cp1251": ("Экспорт Китая, млн долларов США\nгод;экспорт\n2020 г.;5,5\n2021 г.;6\n".encode("cp1251"), {"unit": None}, TWO),
    "html": ("<table><tr><th>year<th>exports<tr><td>2020<td>5.5<tr><td>2021<td>6</table>", {}, TWO),
    "excel 2003": (EXCEL_2003, {}, TWO),
    "json": ('{"data": [{"year": 2020, "exports": 5.5}, {"year": 2021, "exports": 6}]}', {}, TWO),
    "json lines": ('{"year": 2020, "exports": 5.5}\n{"year": 2021, "exports": 6}\n', {}, TWO),
    "sdmx-ml": (SDMX_ML, {"reporter": None, "partner": None, "flow": None, "unit": None}, export(("2020", 5.5), ("2021", 6.0), partner="Russia")),
    "sdmx-json": (json.dumps(SDMX_JSON), {"reporter": None, "flow": None}, TWO),
    "sdmx-csv": ("DATAFLOW,REF_AREA,COUNTERPART_AREA,INDICATOR,TIME_PERIOD,OBS_VALUE,UNIT_MULT\nX,CHN,RUS,TXG_FOB_USD,2020,5.5,6\nX,CHN,RUS,TMG_CIF_USD,2020,7000,3\n",
                 {"reporter": None, "partner": None, "flow": None, "unit": "USD"}, {("China", "Russia", "export", "2020", 5.5), ("China", "Russia", "import", "2020", 7.0)}),
    "old workbook": (old_book([["год", "экспорт"], [2020, 5.5], [2021, 6]]), {}, TWO),
    "open workbook": (open_book([["год", "экспорт"], [2020, 5.5], [2021, 6]]), {}, TWO),
    "workbook": (book([["year", "exports"], [2020.0, 5.5], ["2021*", 6]]), {}, TWO),
    "two rows of names": (book([["Report"], ["Country", "2020", None, "2021 (P)", None], [None, "Exports", "Imports", "Exports", "Imports"], ["RUSSIA", "5.5", "1", "6", "2"], ["Total", "9", "9", "9", "9"]], ("B2:C2", "D2:E2")),
                          {"partner": None, "flow": None}, export(("2020", 5.5), ("2021", 6.0), partner="Russia") | export(("2020", 1.0), ("2021", 2.0), partner="Russia", flow="import")),
    "merged years": (book([["year", "partner", "exports"], [2020, "Russia", 5], [None, "India", 6]], ("A2:A3",)), {"partner": None}, {("China", "Russia", "export", "2020", 5.0), ("China", "India", "export", "2020", 6.0)}),
    "blanks below": ("year,partner,exports\n2020,Russia,5\n,India,6\n", {"partner": None}, {("China", "Russia", "export", "2020", 5.0), ("China", "India", "export", "2020", 6.0)}),
    "years across": ("Country Name,Country Code,Indicator Name,2020,2021\nChad,TCD,Merchandise exports (current US$),5500000,\nMali,MLI,Merchandise exports (current US$),7000000,8000000\n",
                     {"reporter": None, "flow": None, "unit": None}, {("Chad", "World", "export", "2020", 5.5), ("Mali", "World", "export", "2020", 7.0), ("Mali", "World", "export", "2021", 8.0)}),
    "months across years down": ("Year,Jan,Feb,Total\n2020,5,6,11\n2021,7,8,15\n", {}, export(("2020-01", 5), ("2020-02", 6), ("2021-01", 7), ("2021-02", 8))),
    "flow in a column": ("Period,Flow,Commodity,Value\n2020,Export,TOTAL,5.5\n2020,Import,TOTAL,4\n2020,Export,Oil,1\n", {"flow": None}, {("China", "World", "export", "2020", 5.5), ("China", "World", "import", "2020", 4.0)}),
    "two columns of period": ("CO_ANO;CO_MES;VL_FOB\n2020;1;5\n2020;12;6\n", {}, export(("2020-01", 5), ("2020-12", 6))),
    "quarters in a column of their own": ("Year,Quarter,exports\n2020,1,5\n2020,4,6\n", {}, export(("2020-Q1", 5), ("2020-Q4", 6))),
    "one period in the title": ("Trade by country, January 2024,,\nUnit: USD 1000,,\nCountry,Exports,Imports\nRussia,\"9,100\",\"1,000\"\n",
                                {"partner": None, "unit": None, "flow": None}, {("China", "Russia", "export", "2024-01", 9.1), ("China", "Russia", "import", "2024-01", 1.0)}),
    "fiscal years": ("fiscal year,exports\n2018-19,5.5\n2019-20,6\n", {"fiscal": 4}, export(("2018-04..2019-03", 5.5), ("2019-04..2020-03", 6.0))),
    "quarters": ("quarter,exports\nQ1 2023,1\nII кв. 2023,2\n2023-Q3,3\n2023年第四季度,4\n", {}, export(("2023-Q1", 1), ("2023-Q2", 2), ("2023-Q3", 3), ("2023-Q4", 4))),
    "months without year": ("month,exports\nJanuary,5\nFebruary,6\n", {"year": 2024}, export(("2024-01", 5), ("2024-02", 6))),
    "year-end stamps": ("day,exports\n2020-12-31,5.5\n2021-12-31,6\n", {}, TWO),
    "october as a number": ("month,exports\n2023.09,5\n2023.1,6\n", {}, export(("2023-09", 5), ("2023-10", 6))),
    "no names": ("Exports,2020,Chad,5.5\nImports,2020,Chad,6\n", {"flow": None, "partner": None}, {("China", "Chad", "export", "2020", 5.5), ("China", "Chad", "import", "2020", 6.0)}),
    "footnotes": ("year,exports\n2020,5.5\n2021,6\n,\nSource: the bureau.,\n(p) preliminary,\n", {}, TWO),
    "second table": ("year,exports\n2020,5.5\n2021,6\n,\nyear,share of oil\n2020,50\n", {}, TWO),
    "flags": ("year\texports\n2020\t5.5 p\n2021 (e)\t6\n2022\t: c\n", {}, TWO),
    "no-break space": ("year;exports\n2020;1\u202f500,5\n2021;12\u00a0600,25\n", {}, export(("2020", 1500.5), ("2021", 12600.25))),
    "apostrophe": ("year,exports\n2020,1'500.5\n2021,6\n", {}, export(("2020", 1500.5), ("2021", 6.0))),
    "lakh and crore": ("year,exports\n2020,\"1,05,500.5\"\n2021,6\n", {"unit": "INR crore"}, export(("2020", 1055005.0), ("2021", 60.0))),
    "units by row": ("COUNTRY,TIME_PERIOD,OBS_VALUE,SCALE\nCHN,2020,5.5,Millions\nCHN,2021,6000,Thousands\n", {"reporter": None}, TWO),
    "two currencies": ("year,usd,cny\n2020,5.5,35\n2021,6,39\n", {}, TWO | export(("2020", 35), ("2021", 39))),
    "german thousands": ("Jahr;Ausfuhr\n2020;14.980\n2021;1.015.152\n", {}, export(("2020", 14980.0), ("2021", 1015152.0))),
    "a column of the partner": ("Year,Total,To Russia,To India\n2020,50,5.5,7\n2021,60,6,8\n", {"partner": "Russia"}, export(("2020", 5.5), ("2021", 6.0), partner="Russia")),
    "a column whose name has the partner": ("Year,Exports to Russia (USD mn)\n2020,5.5\n2021,6\n", {"partner": None, "flow": None, "unit": None}, export(("2020", 5.5), ("2021", 6.0), partner="Russia")),
    "columns of the partner and its flows": ("Year,Exports,Exports to Russia,Imports,Imports from Russia\n2020,50,5.5,40,4\n", {"partner": "Russia", "flow": None}, export(("2020", 5.5), partner="Russia") | export(("2020", 4.0), partner="Russia", flow="import")),
    "quarters across, in Russian": ("Показатель;I кв. 2023;II кв. 2023\nЭкспорт;1,5;2\nИмпорт;5;6\n", {"flow": None}, export(("2023-Q1", 1.5), ("2023-Q2", 2)) | export(("2023-Q1", 5), ("2023-Q2", 6), flow="import")),
    "years above quarters": (book([["Экспорт, млрд долл. США"], ["", 2022, None, 2023], ["Страна", "I квартал", "II квартал", "I квартал"], ["Китай", 1, 2, 5]], ("B2:C2",)),
                             {"reporter": "Russia", "partner": None, "flow": None, "unit": None}, export(("2022-Q1", 1000), ("2022-Q2", 2000), ("2023-Q1", 5000), reporter="Russia", partner="China")),
    "years above months, not merged": ("Series,2022,,2023,\n,Jan,Feb,Jan,Feb\nExports,1,2,3,4\n", {"flow": None}, export(("2022-01", 1), ("2022-02", 2), ("2023-01", 3), ("2023-02", 4))),
    "months down, years across": ("Month,2020,2021\nJanuary,1,2\nFebruary,3,4\n", {}, export(("2020-01", 1), ("2020-02", 3), ("2021-01", 2), ("2021-02", 4))),
    "quarters down, years across": ("Quarter,2020,2021\nQ1,1,2\nQ2,3,4\n", {}, export(("2020-Q1", 1), ("2020-Q2", 3), ("2021-Q1", 2), ("2021-Q2", 4))),
    "years above flows, not merged": ("Partner,2020,,2021,\n,Exports,Imports,Exports,Imports\nRussia,5.5,1,6,2\n", {"partner": None, "flow": None}, export(("2020", 5.5), ("2021", 6.0), partner="Russia") | export(("2020", 1.0), ("2021", 2.0), partner="Russia", flow="import")),
    "three rows of names": (book([["Partner", 2020, None, 2021, None], [None, "Exports", "Imports", "Exports", "Imports"], [None, "USD mn", "USD th", "USD mn", "USD th"], ["Russia", 5.5, 1000, 6, 2000]], ("B1:C1", "D1:E1")),
                            {"partner": None, "flow": None, "unit": None}, export(("2020", 5.5), ("2021", 6.0), partner="Russia") | export(("2020", 1.0), ("2021", 2.0), partner="Russia", flow="import")),
    "shares between values": ("Partner,2020,2020,2021,2021\n,USD mn,Share %,USD mn,Share %\nRussia,5.5,10,6,11\n", {"partner": None, "unit": None}, export(("2020", 5.5), ("2021", 6.0), partner="Russia")),
    "flow and year in one name": ("Partner,Exports 2020,Exports 2021,Imports 2020,Imports 2021\nRussia,5.5,6,7,8\n", {"partner": None, "flow": None}, export(("2020", 5.5), ("2021", 6), partner="Russia") | export(("2020", 7), ("2021", 8), partner="Russia", flow="import")),
    "partners across": ("Year,Russia,To India,美国,Total\n2020,5,6,7,18\n2021,8,9,10,27\n", {"partner": None}, export(("2020", 5), ("2021", 8), partner="Russia") | export(("2020", 6), ("2021", 9), partner="India") | export(("2020", 7), ("2021", 10), partner="United States")),
    "partners above flows": (book([["Year", "Russia", None, "India", None], [None, "Exports", "Imports", "Exports", "Imports"], [2020, 5, 7, 1, 2], [2021, 6, 8, 3, 4]], ("B1:C1", "D1:E1")), {"partner": None, "flow": None},
                             export(("2020", 5), ("2021", 6), partner="Russia") | export(("2020", 7), ("2021", 8), partner="Russia", flow="import") | export(("2020", 1), ("2021", 3), partner="India") | export(("2020", 2), ("2021", 4), partner="India", flow="import")),
    "partners in the names of series": ("Exportations;2020;2021\nvers la Chine (M€);310,5;290\nvers la Russie (M€);110,5;90\n", {"partner": "China", "reporter": "France", "flow": None, "unit": None}, export(("2020", 310.5), ("2021", 290), reporter="France", partner="China")),
    "a unit for each series": ("指标,2021年,2022年\n出口总额(亿美元),15,30\n进口总额(万美元),90000,80000\n", {"unit": None, "flow": None}, export(("2021", 1500), ("2022", 3000)) | export(("2021", 900), ("2022", 800), flow="import")),
    "a unit for each column": ("Year,Exports (USD bn),Imports (USD mn)\n2020,5,7000\n", {"unit": None, "flow": None}, export(("2020", 5000)) | export(("2020", 7000), flow="import")),
    "a unit below": ("Year,Exports\n2020,5500\n2021,6000\nNote: values in USD thousand,\n", {"unit": None}, TWO),
    "growth beside": ("年份,出口额（亿美元）,同比增长（%）\n2021,100,5.5\n2022,110,10\n", {"unit": None}, export(("2021", 10000), ("2022", 11000))),
    "month and months so far": ("月份,当月出口(亿美元),累计出口(亿美元)\n2023年1月,10,10\n2023年2月,12,22\n", {"unit": None}, export(("2023-01", 1000), ("2023-02", 1200))),
    "fiscal years, lakh crore": ("Financial Year,Exports (₹ lakh crore)\n2021-22,31.47\nFY 2022-23,36.2\n", {"unit": None, "fiscal": 4}, export(("2021-04..2022-03", 31470000.0), ("2022-04..2023-03", 36200000.0))),
    "fiscal years called by their end": ("Year,Exports\nFY22,5.5\nFY2023,6\n", {"fiscal": 4, "fiscal_label": "end"}, export(("2021-04..2022-03", 5.5), ("2022-04..2023-03", 6))),
    "fiscal years by their months": ("Period,Exports\nApril 2021 - March 2022,5.5\n2022-23 (Apr-Mar),6\n", {}, export(("2021-04..2022-03", 5.5), ("2022-04..2023-03", 6))),
    "Spanish": ("Año;Exportaciones (miles de millones de euros)\n2021;316,6\n", {"unit": None, "flow": None}, export(("2021", 316600))),
    "French": ("Année;Exportations (en milliards d'euros)\n2021;500,1\n".encode("latin-1"), {"unit": None, "flow": None}, export(("2021", 500100))),
    "a TSV of Eurostat": ("freq,partner,flow,geo\\TIME_PERIOD\t2020 \t2021 \nA,CN,EXP,DE\t5.5 \t6 p\nA,CN,IMP,DE\t: \t8 \n", {"reporter": None, "partner": None, "flow": None}, export(("2020", 5.5), ("2021", 6), reporter="Germany", partner="China") | export(("2021", 8), reporter="Germany", partner="China", flow="import")),
    "utf-16 without a mark": ("year;exports\n2020;5,5\n2021;6\n".encode("utf-16-le"), {}, TWO),
    "a second table of the same names": ("Exports\nyear,value\n2020,5.5\n2021,6\n\nImports\nyear,value\n2020,7\n2021,8\n", {"flow": None}, TWO),
    "two columns without names": (book([[2020, 5.5], [2021, 6]]), {}, TWO),
    "city and province": ("year,place,exports\n2022,Heilongjiang,5\n2022,哈尔滨,6\n", {"reporter": None, "partner": "Russia"}, {("Heilongjiang", "Russia", "export", "2022", 5.0), ("Harbin", "Russia", "export", "2022", 6.0)}),
}  # fmt: skip


@exhaustive
@pytest.mark.parametrize("kind", some(KINDS, 5))
def test_a_table_of_every_kind_is_read_without_a_mapping_and_with_the_one_that_was_found(
    kind: str, tmp_path: Path
) -> None:
    content, said, expected = KINDS[kind]
    found = look(tmp_path, content, **FACTS | said)
    assert values(found.rows) == expected
    again = parse_mapping(to_yaml(found.mapping).encode(), "m.yml")
    assert again == found.mapping
    body = content.encode() if isinstance(content, str) else content
    assert values(read_table(body, again, "t")[0]) == expected


ASKED = [
    ("year;exports\n2020;14.980\n2021;9.837\n", {}, "decimal", "14.980"),
    ("year,exports\n2020,5\n", {"unit": None}, "unit", "found none"),
    ("year,exports (USD)\n2020,5\n", {"unit": None}, "unit", "USD without its power of ten"),
    ("year,exports\n2020,5\n", {"reporter": None, "partner": None}, "reporter", "whose trade"),
    ("year,value\n2020,5\n", {"flow": None}, "flow", "total, export or import"),
    ("fiscal year,exports\n2018-19,5\n2019-20,6\n", {}, "fiscal", "2018-19"),
    ("year,exports\n2009-10,5\n2010-11,6\n", {}, "freq", "month or a fiscal year"),
    ("month,exports\nJanuary,5\nMarch,6\n", {}, "year", "without their year"),
    ("country,exports\nRussia,5\n", {"partner": None}, "period", "such as 2024-01"),
    ("year,hs,exports\n2020,01,5\n2020,02,6\n", {}, "rows", "column hs"),
    ("Year,Total,To Russia,To India\n2020,50,5,7\n", {"partner": "Kazakhstan"}, "partner", "no column of \"Kazakhstan\", expected one of: India, Russia"),
    ("Year,To Russia,To India\n2020,5,7\n2021,6,8\n", {}, "partner", "no column of \"World\""),
    ("x,Russia,India,World\n2020,1,2,30\n", {"partner": "Kazakhstan"}, "partner", "no column of \"Kazakhstan\""),
    ("Partner,2020,2021\nRussia,5,6\nIndia,1,2\n", {"partner": "Kazakhstan"}, "partner", "nowhere in the column Partner"),
    ("Year,Exports\nFY2022,5\nFY2023,6\n", {"fiscal": 4}, "fiscal_label", "start or end"),
    ("Fiscal year,Exports\n2022,5\n2023,6\n", {"fiscal": 10}, "fiscal_label", "start or end"),
    ("Exports January-September\nyear,exports\n2020,5\n2021,6\n", {}, "freq", "january-september"),
    ("1-9月出口\n年份,出口\n2020,5\n2021,6\n", {}, "freq", "1-9月"),
    ("year,exports % of GDP\n2020,10\n2021,11\n", {}, "column", "none of values in money"),
    ("period,exports\nH1 2020,5\nH2 2020,6\n", {}, "period", "its first row: H1 2020"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said", "name", "words"), ASKED)
def test_what_a_table_does_not_say_is_asked(
    content: str, said: dict, name: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UnclearError, match=words) as caught:
        look(tmp_path, content, **FACTS | said)
    assert name in caught.value.questions


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"reporter": "Mali"}, '"Mali" was given as reporter; the column reporter says Chad'),
        ({"unit": "EUR bn"}, '"exports (USD mn)" was read in USD bn, by the unit given'),
        ({"unit": "USD bn"}, '"exports (USD mn)" was read in USD bn, by the unit given'),
        ({"reporter": "Chad", "unit": "USD mn"}, ""),
    ],
)
def test_what_is_given_against_the_table_is_noted(said: dict, told: str, tmp_path: Path) -> None:
    table = "reporter,year,exports (USD mn)\nChad,2020,5\nChad,2021,6\n"
    notes = look(tmp_path, table, **FACTS | {"reporter": "Chad"} | said).notes
    assert any(told in note for note in notes) if told else not any("given" in note for note in notes)


def test_a_lone_column_of_regions_says_whose_trade_it_is(tmp_path: Path) -> None:
    found = look(
        tmp_path,
        "地区,年份,进出口总额(亿元)\n黑龙江省,2021,1995.0\n黑龙江省,2022,2651.5\n",
        partner="World",
        published="2023-02-01",
    )
    rows = found.rows
    assert set(rows["reporter"]) == {"Heilongjiang"} and rows["value"].tolist() == [199_500.0, 265_150.0]


# --- numbers, periods and units, property by property ---

UNITS = {"USD mn": 0, "US$ '000": -3, "млрд долларов США": 3, "亿美元": 2, "万美元": -2, "Mio. USD": 0, "miles de millones de dólares": 3, "USD crore": 1, "USD lakh": -1, "Tsd. US-Dollar": -3, "百万美元": 0, "千亿美元": 5}  # fmt: skip
STYLES = {
    "en": (",", "."), "de": (".", ","), "fr": ("\u202f", ","), "ch": ("'", "."), "plain": ("", "."),
}  # fmt: skip
MONTHS = [
    "January",
    "февраль",
    "März",
    "abril",
    "5月",
    "Jun",
    "июль",
    "August",
    "septiembre",
    "Okt.",
    "11月",
    "Декабрь",
]


def write_period(kind: str, year: int, part: int, form: int) -> tuple[str, str]:
    """A period as people write it, and as observations do."""
    if kind == "A":
        return [f"{year}", f"{year}年", f"{year} г.", f"{year}*"][form], f"{year}"
    if kind == "Q":
        roman = ["I", "II", "III", "IV"][part % 4]
        number = part % 4 + 1
        return [
            f"Q{number} {year}",
            f"{roman} кв. {year}",
            f"{year}年第{number}季度",
            f"{number}. Quartal {year}",
        ][form], f"{year}-Q{number}"
    name = MONTHS[part]
    written = f"{year}年{name}" if name[0].isdigit() else f"{name} {year}"
    return [written, f"{year}-{part + 1:02}", f"{year}M{part + 1:02}", f"{part + 1:02}/{year}"][
        form
    ], f"{year}-{part + 1:02}"


def write_number(value: int, style: str) -> str:
    """A number of hundredths, in a style; never one that could be read in two ways."""
    group, point = STYLES[style]
    whole, rest = divmod(value, 100)
    return f"{whole:,}".replace(",", group) + f"{point}{rest:02}"


LAYOUTS = ("long", "wide", "flows", "halves", "partners", "both in one")
FLOWS = {"export": ("Exports", "出口额", "Экспорт", "Ausfuhr", "Exportaciones"), "import": ("Imports", "进口额", "Импорт", "Einfuhr", "Importaciones")}  # fmt: skip
TITLES = ("", "Table 1. Foreign trade", "表1", "Таблица 1")
BELOW = ("", "Source: the bureau of statistics.", "* preliminary", "注：数据来源于海关")
FLAGS = ("", "*", " p", " (e)")


@st.composite
def written(draw: st.DrawFn) -> tuple[bytes, dict[str, object], Found]:
    """A table in a layout, language, style, unit and kind of file of its own, and what it says."""
    kind, style, unit = draw(st.sampled_from("AQM")), draw(st.sampled_from(sorted(STYLES))), draw(st.sampled_from(sorted(UNITS)))  # fmt: skip
    layout, file = draw(st.sampled_from(LAYOUTS)), draw(st.sampled_from(sorted(FILES)))
    layout = (
        "long" if file == "json" and layout in ("halves", "partners") else layout
    )  # records have one name each
    kind = "A" if layout == "both in one" else kind
    form, tongue, flag = draw(st.integers(0, 3)), draw(st.integers(0, 4)), draw(st.sampled_from(FLAGS))
    first, count = (
        draw(st.integers(1990, 2015).filter(lambda year: year != 2000)),
        draw(st.integers(2, 6)),
    )  # 2000-01 is asked back
    periods = [write_period(kind, first + n, n, form) for n in range(count)]
    names = {flow: words[tongue] for flow, words in FLOWS.items()}
    partners = ["Russia", "India"] if layout == "partners" else ["Russia"]
    series = [(partner, flow) for partner in partners for flow in names]
    numbers = {one: [draw(st.integers(0, 10**9)) for _ in periods] for one in series}
    texts = {one: [write_number(number, style) + flag for number in line] for one, line in numbers.items()}
    found = {
        ("Chad", *one, period, float(Decimal(number).scaleb(UNITS[unit] - 2)))
        for one, line in numbers.items()
        for (_, period), number in zip(periods, line, strict=True)
    }
    said: dict[str, object] = {"reporter": "Chad", "unit": unit}
    rows = lay_out(layout, [text for text, _ in periods], names, texts)
    if file == "gb18030" and re.search("[а-яÀ-ÿ]", str(rows).casefold()):
        file = "semicolons"  # nobody writes these letters so
    if file != "json":
        wide = len(rows[0]) - 1
        rows = [[one, *[""] * wide] for one in [draw(st.sampled_from(TITLES))] if one] + rows
        rows += [[one, *[""] * wide] for one in [draw(st.sampled_from(BELOW))] if one]
    return FILES[file](rows), said | ({} if layout == "partners" else {"partner": "Russia"}), found


def lay_out(layout: str, periods: list[str], names: dict[str, str], texts: dict[tuple[str, str], list[str]]) -> list[list[str]]:  # fmt: skip
    """Rows of a table: its names, then its values."""
    if layout == "wide":
        return [["series", *periods], *([names[flow], *line] for (_, flow), line in texts.items())]
    if layout == "flows":
        cells = [
            [text, names[flow], line[n]]
            for n, text in enumerate(periods)
            for (_, flow), line in texts.items()
        ]
        return [["period", "flow", "value"], *cells]
    if layout == "halves":  # two rows of names: periods, which reach to the right, above flows
        upper = [one for text in periods for one in (text, "")]
        values = [line[n] for n in range(len(periods)) for line in texts.values()]
        return [["series", *upper], ["", *[*names.values()] * len(periods)], ["all goods", *values]]
    if layout == "both in one":
        heads = [f"{names[flow]} {text}" for _, flow in texts for text in periods]
        return [["series", *heads], ["all goods", *[one for line in texts.values() for one in line]]]
    down = [[text, *(line[n] for line in texts.values())] for n, text in enumerate(periods)]
    if layout == "partners":
        return [["period", "Russia", "", "India", ""], ["", *[*names.values()] * 2], *down]
    return [["period", *names.values()], *down]


def as_json(rows: list[list[str]]) -> bytes:
    records = [{name or str(n): cell for n, (name, cell) in enumerate(zip(rows[0], row, strict=True))} for row in rows[1:]]  # fmt: skip
    return json.dumps(records, ensure_ascii=False).encode()


def as_html(rows: list[list[str]]) -> bytes:
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return ("<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>").encode()


def as_text(separator: str, encoding: str) -> Callable[[list[list[str]]], bytes]:
    return lambda rows: "".join(separator.join(row) + "\n" for row in rows).encode(encoding)


FILES: dict[str, Callable[[Any], bytes]] = {
    "semicolons": as_text(";", "utf-8"), "tabs": as_text("\t", "utf-16"), "bars": as_text("|", "utf-8"), "gb18030": as_text(";", "gb18030"),
    "xlsx": book, "xls": old_book, "ods": open_book, "html": as_html, "json": as_json,
}  # fmt: skip


@given(table=written())
def test_a_table_that_is_written_is_read_back(
    table: tuple[bytes, dict, Found], tmp_path_factory: pytest.TempPathFactory
) -> None:
    body, said, expected = table
    assert values(look(tmp_path_factory.getbasetemp(), body, "written.dat", **said).rows) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("USD mn", ("USD", 6)), ("CNY 亿", ("CNY", 8)), ("₹ lakh crore", ("INR", 12)), ("Values in Rs. lakh", ("INR", 5)),
     ("тыс. долл. США", ("USD", 3)), ("млрд руб.", ("RUB", 9)), ("Tsd. EUR", ("EUR", 3)), ("in 100 million yuan", ("CNY", 8)),
     ("10 thousand USD", ("USD", 4)), ("€m", ("EUR", 6)), ("千亿元", ("CNY", 11)), ("百万円", ("JPY", 6)), ("US dollars", ("USD", None)), ("Exports", ("", None)),
     ("en milliards d'euros", ("EUR", 9)), ("M€", ("EUR", 6)), ("bilhões de dólares", ("USD", 9)), ("usd bn", ("USD", 9)),
     ("10,000 US dollars", ("USD", 4)), ("100,000,000 yuan", ("CNY", 8)), ("in hundred million yuan", ("CNY", 8)), ("RMB 100m", ("CNY", 8)), ("USDm", ("USD", 6)),
     ("2,000 USD", ("USD", None)), ("mil. USD", ("USD", None)), ("US$ 2000 prices", ("USD", None)), ("100万元", ("CNY", 6)), ("Value ($000)", ("USD", 3))],
)  # fmt: skip
def test_units_in_words(text: str, expected: tuple[str, int | None]) -> None:
    assert read_unit(text) == expected


# --- mappings ---

MAPPING = """
source: mine
title: a table
freq: A
period: {column: year}
reporter: {is: Chad}
partner: {is: China}
flows:
  - {column: exports, flow: export, unit: USD mn}
"""


def mapping(old: str = "", new: str = "") -> Mapping:
    return parse_mapping(MAPPING.replace(old, new).encode(), "m.yml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MAPPING + "freq: M\n", "found freq a second time"),
        (MAPPING.replace("mine", "imf"), "is a live one"),
        (MAPPING.replace("{column: year}", '{column: m, format: "%B"}'), "a format without a year"),
        (MAPPING.replace("USD mn", "XYZ mn"), 'found "XYZ mn", expected a currency'),
        (MAPPING.replace("flow: export, ", ""), "`flow` is said neither"),
    ],
)  # fmt: skip
def test_a_mapping_that_says_too_much_or_too_little_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_mapping(text.encode(), "m.yml")


@pytest.mark.parametrize(
    ("table", "made", "message"),
    [
        ("year,exports\n2018-19,5\n", mapping(), "the fiscal year \"2018-19\", expected `fiscal: 4`"),
        ("year,exports\n2020,-5\n", mapping(), r"t:2: exports: found value \"-5.0\", expected 0 or more: a flow is never negative"),
        ("year,hs,exports\n2020,1,5\n2020,2,6\n", mapping(), "5, 6 for Chad China export A 2020, expected one value; the rows differ in the column hs"),
        ("year,exports,scale\n2020,5,Millions\n2021,6,Thousands\n", mapping(), r"scale: found units that differ .*expected `unit: \{column: scale\}`"),
        ("month,exports\n2023.1,5\n2023.11,6\n", mapping("freq: A\nperiod: {column: year}", "freq: M\nperiod: {column: month}"), "January as 01 or October as 10"),
        ("quarter,exports\n2020-Q1,5\n2020-Q5,6\n", mapping("freq: A\nperiod: {column: year}", "freq: Q\nperiod: {column: quarter}"), "t:3: quarter: found \"2020-Q5\", expected a quarter"),
    ],
)  # fmt: skip
def test_a_table_that_a_mapping_reads_wrongly_is_refused(table: str, made: Mapping, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_table(table.encode(), made, "t")


def test_what_looks_wrong_is_noted() -> None:
    three = read_table(b"year,exports\n2020,14.980\n2021,9.837\n", mapping(), "t")[1]
    assert "three digits stand after every point" in three[0]
    monthly = mapping(
        "freq: A\nperiod: {column: year}", 'freq: M\nperiod: {column: year, format: "%Y-%m-%d"}'
    )
    assert "are these years?" in read_table(b"year,exports\n2020-12-31,5\n2021-12-31,6\n", monthly, "t")[1][0]
    names = mapping("{is: China}", "{column: p, names: {Russia: Russia, India: India}, others: skip}")
    assert any(
        '"Russia" of the mapping stands nowhere' in note and "Russian Federation" in note
        for note in read_table(b"year,p,exports\n2020,Russian Federation,5\n2020,India,6\n", names, "t")[1]
    )
    formulas = book([["year", "exports"], [2020, 5], [2021, "=1+1"]])
    assert "1 cell holds a formula whose value was never stored" in read_table(formulas, mapping(), "t")[1][0]


def test_many_values_for_one_period_are_one_line() -> None:
    table = "year,hs,exports\n" + "".join(f"2020,{n:04},{n}\n" for n in range(4000))
    with pytest.raises(UserError, match="found 0, 1, 2 and 3,997 more for") as caught:
        read_table(table.encode(), mapping(), "t")
    assert len(str(caught.value)) < 300


# --- the command ---


@pytest.fixture
def own_data(read_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "data"
    shutil.copytree(data_dir(), folder, ignore=shutil.ignore_patterns("reference", "snapshots", "fetched"))
    (folder / "reference").symlink_to(data_dir() / "reference")
    monkeypatch.setenv(DATA_ENV, str(folder))
    monkeypatch.delenv(KEPT_ONLY_ENV, raising=False)
    monkeypatch.chdir(tmp_path)
    yield folder


def run(*words: str, ends: int = 0) -> str:
    result = CliRunner().invoke(main, ["data", *words])
    assert result.exit_code == ends, result.output
    return result.output


def file(name: str, content: str) -> str:
    Path(name).write_text(content)
    return name


SAID = ("--reporter", "Chad", "--partner", "China", "--unit", "USD mn")


def test_nothing_is_written_before_it_is_confirmed_and_an_import_is_taken_back(own_data: Path) -> None:
    table = file("mine.csv", "year,exports,imports\n2022,1500,900\n2023,1600,950\n")
    guessed = run("import", table, *SAID, "--guess")
    assert "Chad  China  export  2022" in guessed and "Nothing was written" in guessed
    assert "expected --yes" in run("import", table, *SAID, ends=2)
    assert fetched.files() == [] and not (own_data / "snapshots").exists()
    done = run("import", table, *SAID, "--yes")
    assert "Chad–China, 2022 to 2023: 6 values new" in done
    rows = fetched.read("Chad").set_index("figure_id")
    assert (
        rows.loc[
            "CD-CN-total-2023-mine-a"
            if "CD-CN-total-2023-mine-a" in rows.index
            else "TD-CN-total-2023-mine-a",
            "value_mn",
        ]
        == 2550
    )
    assert set(rows.loc[rows["flow"] == "total", "note"].str.contains("computed as export [+] import")) == {
        True
    }
    path = done.rpartition("mapping: ")[2].strip()
    assert "6 known already" in run("import", table, path)
    assert "mine: mine" in run("sources")
    run("remove", "mine", ends=2)
    assert "removed 6 figures of mine" in run("remove", "mine", "--yes")
    assert fetched.files() == [] and list((own_data / "snapshots").glob("records/mine/*/*.json"))
    assert 'found "mine"' in run("remove", "mine", "--yes", ends=2)


def test_another_reading_of_the_same_file_replaces_the_first(own_data: Path) -> None:
    table = file("mine.csv", "year,exports\n2022,1500\n2023,1600\n")
    run("import", table, "--reporter", "Chad", "--partner", "China", "--unit", "USD bn", "--yes")
    run("import", table, *SAID, "--yes")
    assert fetched.read("Chad")["value_mn"].tolist() == [1500, 1600]
    file("mine.csv", "year,exports\n2022,1501\n2023,1600\n")  # another file is another vintage
    run("import", table, *SAID, "--yes")
    assert fetched.read("Chad")["value_mn"].tolist() == [1500, 1501, 1600]


def test_two_currencies_of_one_source_have_keys_of_their_own(own_data: Path) -> None:
    table = file("mine.csv", "year,usd,cny\n2021,100,645\n2022,110,740\n")
    run("import", table, *SAID, "--flow", "export", "--yes")
    assert fetched.read("Chad")["figure_id"].is_unique and fetched.check() == []
    assert fetched.read("Chad").groupby("currency")["value_mn"].sum().to_dict() == {"CNY": 1385, "USD": 210}


def test_a_year_that_was_not_over_is_left_out_and_a_day_that_has_not_come_is_refused(own_data: Path) -> None:
    table = file("mine.csv", "year,exports\n2016,5\n2017,6\n2018,7\n")
    said = (*SAID, "--published", "2018-10-05", "--yes")
    assert "left out, not over on 2018-10-05: 2018" in run("import", table, *said)
    assert set(fetched.read("Chad")["published"]) == {"2018-10-05"} and len(fetched.read("Chad")) == 2
    assert "expected a day that has come" in run(
        "import", table, *SAID, "--published", "2062-01-18", "--yes", ends=2
    )


def test_twelve_months_make_a_year(own_data: Path) -> None:
    months = "".join(
        f"{year}-{month:02},{month}\n"
        for year in (2021, 2022)
        for month in range(1, 13 if year == 2021 else 12)
    )
    run("import", file("mine.csv", "month,exports\n" + months), *SAID, "--yes")
    rows = fetched.read("Chad")
    years = rows[(rows["period_end"] - rows["period_start"]).dt.days > 300]
    assert years["value_mn"].tolist() == [78] and "sum of 12 months" in years["note"].iloc[0]


def test_a_value_ten_times_too_high_is_doubted_when_it_is_imported_and_afterwards(own_data: Path) -> None:
    table = file("mine.csv", "year,exports\n2017,2263\n2018,2487\n2019,2499\n2020,2590\n2021,33640\n")
    said = ("--reporter", "China", "--partner", "World", "--unit", "USD bn", "--yes")
    assert "look: power_of_ten: CN-W-export-2021-mine-a" in run("import", table, *said)
    assert "CN-W-export-2021-mine-a" in run("check", "--flags")


def test_an_import_that_would_lock_the_collection_is_refused_whole(
    own_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curation, "_letter_of", lambda place: "a")
    table = file("mine.csv", "year,usd,cny\n2021,100,645\n")
    refused = run("import", table, *SAID, "--flow", "export", "--yes", ends=2)
    assert 'figure_id "TD-CN-export-2021-mine-a" beside others, expected keys used once' in refused
    assert fetched.files() == [] and not (own_data / "snapshots").exists()


def test_other_currencies_are_converted_or_kept_and_said(own_data: Path) -> None:
    table = file("mine.csv", "year,exports\n2020,1500\n")
    run("import", table, "--reporter", "Germany", "--partner", "China", "--unit", "EUR mn", "--yes")
    assert fetched.read("Germany")["value_mn"].tolist() == pytest.approx(
        [1500 * 1.1422], rel=3e-3
    )  # ECB, mean of 2020
    kept = run(
        "import",
        table,
        "--reporter",
        "Chad",
        "--partner",
        "China",
        "--unit",
        "XAF bn",
        "--source",
        "cfa",
        "--yes",
    )
    assert "kept in XAF" in kept and fetched.read("Chad")[["value", "unit"]].to_numpy().tolist() == [
        [1500000.0, "XAF mn"]
    ]
    table = file("roubles.csv", "year,exports\n2021,1500\n2024,1500\n")  # the ECB has none since March 2022
    run("import", table, "--reporter", "Russia", "--partner", "China", "--unit", "RUB bn", "--yes")
    at_ecb, annual = 1.5e6 / fetched.read("Russia")["value_mn"]
    assert annual == pytest.approx(covariate("rub_per_usd")[2024])
    assert at_ecb == pytest.approx(covariate("rub_per_usd")[2021], rel=5e-3) and at_ecb != annual


def test_a_new_place_is_added_by_one_option(own_data: Path) -> None:
    table = file("mine.csv", "year,partner,exports\n2020,Asia,15\n2021,Asia,16\n")
    said = ("--reporter", "Japan", "--unit", "USD mn", "--partner", "Asia", "--yes")
    assert '--place "Asia, KIND, PARENT"' in run("import", table, *said, ends=2)
    assert "reporters.csv gets a row: Asia" in run("import", table, *said, "--place", "Asia, region, World")
    assert fetched.read("Japan")["figure_id"].tolist() == [
        "JP-ASI-export-2020-mine-a",
        "JP-ASI-export-2021-mine-a",
    ]
    assert not [fault for fault in check_checksums() if "reporters" in fault.file]


# --- damaged files ---

SAMPLES = [
    b"year,exports\n2020,5.5\n2021,6\n", "год;экспорт\n2020;5,5\n".encode("cp1251"), SDMX_ML.encode(), json.dumps(SDMX_JSON).encode(),
    EXCEL_2003.encode(), old_book([["year", "exports"], [2020, 5.5]]), open_book([["year", "exports"], [2020, 5.5]]), b"<table><tr><td rowspan=2>year<td>exports<tr><td>2020<td>5.5</table>", book([["year", "exports"], [2020, 5.5]], ("A1:A2",)), MAPPING.encode(),
]  # fmt: skip


def damage(body: bytes, chance: random.Random) -> bytes:
    """A file with bytes changed, cut out, repeated or put in."""
    kept = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        place, size = chance.randrange(len(kept) + 1), chance.randint(0, 12)
        piece = chance.choice(
            [
                bytes(chance.randrange(256) for _ in range(size)),
                kept[place : place + size] * 3,
                b"",
                b"99999999999",
                b'"',
                b"\0",
                b"<",
                b"&a;",
            ]
        )
        kept[place : place + chance.choice([0, size])] = piece
    return bytes(kept)


def attack(body: bytes, path: Path) -> None:
    """Read a damaged file with and without a mapping: a result, or words in few lines."""
    path.write_bytes(body)
    for read in (
        lambda: propose(path, **FACTS),
        lambda: read_table(body, mapping(), "t"),
        lambda: parse_mapping(body, "m.yml"),
    ):
        try:
            read()
        except UserError as error:
            assert str(error).strip() and len(str(error)) < 3000, f"{len(str(error))} characters"


@exhaustive
def test_damaged_files_end_in_a_result_or_in_words(tmp_path: Path) -> None:
    """Some dozens here; `TRADEGOALS_DAMAGED=20000` makes a campaign of it, which runs for minutes."""
    for seed in some(range(int(os.environ.get("TRADEGOALS_DAMAGED", "240"))), 7):
        chance = random.Random(seed)
        attack(damage(SAMPLES[seed % len(SAMPLES)], chance), tmp_path / "damaged.dat")


def sheet_of(xml: str) -> bytes:
    """A workbook whose sheet is this XML."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book([["year", "exports"], [2020, 5]]))) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.infolist():
            content = old.read(part)
            new.writestr(
                part,
                f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{xml}</sheetData></worksheet>'
                if part.filename.endswith("sheet1.xml")
                else content,
            )
    return buffer.getvalue()


def renamed(body: bytes, old: str, new: str) -> bytes:
    """A workbook of which a part has another name, wherever it is named."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as parts, zipfile.ZipFile(buffer, "w") as made:
        for part in parts.namelist():
            made.writestr(part.replace(old, new), parts.read(part).replace(old.encode(), new.encode()))
    return buffer.getvalue()


def repeating(rows: int, columns: int = 1, below: str = "") -> bytes:
    """An .ods whose one row of figures is said to be repeated, and what stands below it."""
    last = "</table:table-row></table:table>"
    said = f'<table:table-row table:number-rows-repeated="{rows}">'
    cell = f'<table:table-cell table:number-columns-repeated="{columns}"'
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(open_book([["year", "exports"], [2020, 5]]))) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.infolist():
            head, mark, row = old.read(part).decode().rpartition("<table:table-row>")
            row = row.replace("<table:table-cell", cell) if columns > 1 else row
            row = row.replace(last, f"</table:table-row>{below}</table:table>")
            new.writestr(part, head + (said if mark else "") + row)
    return buffer.getvalue()


def test_blank_rows_that_programs_write_below_a_table_are_none(tmp_path: Path) -> None:
    blank = '<table:table-cell table:number-columns-repeated="16382"/>'
    below = f'<table:table-row table:number-rows-repeated="1048574">{blank}</table:table-row>'
    body, said = repeating(1, below=below), {"reporter": "China", "partner": "Russia", "unit": "USD mn"}
    assert values(look(tmp_path, body, **said).rows) == export(("2020", 5), partner="Russia")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (repeating(1_000_000, columns=20), "repeated up to 1000001 rows and 40 columns"),
        (repeating(10**12), "repeated up to 1100002 rows"),
        (repeating(99_999, columns=9_999), "repeated up to 100000 rows and 19998 columns"),
        (repeating(1, below='<table:table-row table:number-rows-repeated="+99999999"/>' + "<table:table-row><table:table-cell office:value-type='float' office:value='1'/></table:table-row>"), "repeated up to 1100004 rows"),
        (sheet_of('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), "a cell in row 1048576 and column 16384"),
        (renamed(sheet_of('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), "worksheets/sheet1.xml", "far.dat"), "a cell in row 1048576 and column 16384"),
        (renamed(sheet_of(""), "workbook.xml", "workbook.bin"), "a binary workbook"),
        (sheet_of("<row r = '1048576'><c s='>' r='xfd1048576'><v>1</v></c></row>"), "a cell in row 1048576 and column 16384"),
        (sheet_of('<row r="99999999999999999999"><c r="A99999999999999999999"><v>1</v></c></row>'), "a cell in row"),
        (sheet_of('<row r="2"><c r="A2"><v>1</v></c></row><row r="2"><c r="A2"><v>2</v></c></row>'), "two rows with the number 2"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a><d>&b;</d></a>', "defines entities|cannot be read"),
        (b"<table><tr>" + b"<td colspan=1000>a" * 5 + b"</table>", "more than 2000 cells"),
        (b"[" * 100_000, "JSON"),
        (b"\xff\xfe\x00\xd8\x00\xd8", "utf-16"),
        (b"", "nothing in it"),
    ],
)  # fmt: skip
def test_a_file_that_would_burst_is_refused(body: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        look(tmp_path, body)


def test_a_workbook_with_a_password_is_said_to_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import python_calamine

    def locked(_: Any) -> None:
        raise python_calamine.PasswordError("Workbook is password protected")

    monkeypatch.setattr(python_calamine, "load_workbook", locked)
    with pytest.raises(UserError, match="found a workbook with a password, expected one without"):
        read_table(old_book([["year", "exports"], [2020, 5.5]]), mapping(), "protected.xlsx")


def test_a_panic_of_the_reader_of_old_workbooks_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    body = old_book([["year", "exports"], [2020, 5.5]])
    listed = b"\x85\0" + struct.pack("<H", 13)
    assert body.count(listed) == 1
    with pytest.raises(UserError, match="old Excel file"):
        read_table(body.replace(listed, b"\x85\0\0\0"), mapping(), "t")
    assert capfd.readouterr().err == ""


def test_more_names_than_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found 3 names above 2 columns"):
        look(tmp_path, "year,exports (10,000 US dollars)\n2020,5\n2021,6\n")


def test_a_pipe_or_a_folder_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none.csv"):
        with pytest.raises(UserError, match="cannot be read"):
            propose(path)


# --- the documentation ---


def examples() -> list[str]:
    text = (data_dir() / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Tables of one's own")[2].partition("\n## ")[0]
    return [block.partition("```")[0] for block in section.split("```yaml\n")[1:]]


def test_the_documented_mappings_are_mappings() -> None:
    found = [parse_mapping(text.encode(), "README.md") for text in examples()]
    assert len(found) >= 3


# --- cases that are kept outside the repository ---

needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
READ = {
    "C01_doc_example": {("China", "Russia", "export", "2023-11", 4123.456), ("China", "Russia", "export", "2023-12", 4200.0), ("China", "Russia", "import", "2023-12", 5000.0)},
    "C04_unit_yi_yuan": export(("2023-01", 1177600.0), ("2023-02", 874700.0)),
    "C04c_unit_crore": export(("2020", 21500.0), ("2021", 31405.0), reporter="India", partner="Russia"),
    "C05_one_period_in_the_title": export(("2024-01", 9100.0), partner="Russia") | export(("2024-01", 10200.0), partner="Russia", flow="import"),
    "C06_year_and_month_in_two_columns": export(("2023-11", 1.5), ("2023-12", 1.6), reporter="Brazil", partner="Russia"),
    "C10_json": export(("2020", 15.0), ("2021", 16.0)),
    "C12_other_currency": export(("2020", 1500.0), ("2021", 1600.0), reporter="Germany", partner="China"),
    "C15_footnotes_below": export(("2020", 1500.0), ("2021", 1600.0)) | export(("2020", 900.0), ("2021", 950.0), flow="import"),
    "C16_flags_at_numbers": export(("2020", 1500.5), ("2021", 1600.0), ("2023", 1700.0), reporter="Germany"),
    "C16b_nbsp_thousands": export(("2020", 1500.5), ("2021", 12600.25)),
    "C19_numeric_codes_in_names": export(("2020", 15.0), ("2021", 16.0), partner="Russia"),
    "C21_quarters_in_words": export(("2023-Q1", 10.0), ("2023-Q2", 11.0), ("2023-Q3", 12.0)),
    "C23_october_as_number": export(("2023-09", 20100.0), ("2023-10", 19700.0), ("2023-11", 21000.0), ("2023-12", 21800.0)),
    "C25_merged_years": export(("2020", 15.0), ("2021", 16.0), partner="Russia") | export(("2020", 5.0), ("2021", 6.0), partner="India"),
    "C30_float_years": export(("2019", 1500.0), ("2020", 1600.0), ("2021", 1700.0), ("2022", 1800.0)),
    "C32_semicolons": export(("2020", 1500.0)),
    "C46_harbin_and_its_province": {(place, "Russia", "export", year, value) for place, year, value in (("Heilongjiang", "2022", 1500.0), ("Heilongjiang", "2023", 1900.0), ("Harbin", "2022", 300.0), ("Harbin", "2023", 350.0))},
}  # fmt: skip
TOLD = {
    "C02_flow_in_a_column": "the rows differ in the column FlowDesc",
    "C07_fiscal_year": "the fiscal year",
    "C08_old_xls": "old Excel file",
    "C18_message_of_many_values": "3,997 more .* differ in the column hs",
    "C34_units_by_row": "units that differ",
    "C41_month_names_without_year": "without a year",
    "C44_negative_of_a_balance": "t.csv:2: balance: .*never negative",
}
GUESSED: dict[str, tuple[dict[str, object], Found]] = {
    "C02_flow_in_a_column": ({"unit": "USD"}, {("Chad", "China", flow, year, value) for flow, year, value in (("import", "2021", 1.1), ("import", "2022", 1.3), ("export", "2021", 0.9), ("export", "2022", 0.95))}),
    "C03_years_as_columns": ({"reporter": "Chad", "partner": "World"}, export(("2019", 1.5), ("2020", 1.4000005), reporter="Chad")),
    "C07_fiscal_year": ({"reporter": "India", "partner": "Russia", "unit": "USD mn", "fiscal": 4}, export(("2018-04..2019-03", 7200.0), ("2019-04..2020-03", 7400.0), reporter="India", partner="Russia")),
    "C09_html_as_xls": ({"reporter": "Chad", "partner": "World", "flow": "export", "unit": "USD mn"}, export(("2020", 15.0), reporter="Chad")),
    "C13_no_header": ({"reporter": "Australia", "unit": "USD mn"}, export(("2006", 12283.0), ("2007", 11942.0), reporter="Australia", partner="Chad") | export(("2006", 700.0), reporter="Australia", partner="Chad", flow="import")),
    "C14_two_level_header": ({"reporter": "India", "partner": "Russia", "unit": "USD mn", "fiscal": 4}, export(("2023-04..2024-03", 4261.31), ("2024-04..2025-03", 4880.1), reporter="India", partner="Russia") | export(("2023-04..2024-03", 61159.31), ("2024-04..2025-03", 63808.2), reporter="India", partner="Russia", flow="import")),
    "C34_units_by_row": ({"partner": "World", "flow": "export", "unit": "USD"}, export(("2020", 1.5), ("2021", 1.6), reporter="Chad")),
}  # fmt: skip


def table_of(case: str) -> Path:
    return next((CASES / case).glob("t.*"))


@needs_cases
@pytest.mark.parametrize("case", READ)
def test_a_case_with_its_mapping_is_read_right(case: str) -> None:
    made = parse_mapping((CASES / case / "mapping.yml").read_bytes(), "mapping.yml")
    assert values(read_table(table_of(case).read_bytes(), made, table_of(case).name)[0]) == READ[case]


@needs_cases
@pytest.mark.parametrize("case", TOLD)
def test_a_case_that_is_refused_says_why(case: str) -> None:
    with pytest.raises(UserError, match=TOLD[case]):
        made = parse_mapping((CASES / case / "mapping.yml").read_bytes(), "mapping.yml")
        read_table(table_of(case).read_bytes(), made, table_of(case).name)


@needs_cases
@pytest.mark.parametrize("case", GUESSED)
def test_a_case_without_its_mapping_is_read_right(case: str) -> None:
    said, expected = GUESSED[case]
    assert values(propose(table_of(case), **said).rows) == expected


NOTED = {
    "C20_name_never_found": '"Russia" of the mapping stands nowhere in the table; there is "Russian Federation"',
    "C24_formulas_never_computed": "hold a formula whose value was never stored",
    "C26_german_thousands_taken_as_decimals": "three digits stand after every point",
    "C42_monthly_format_for_annual_table": "are these years?",
}
IMPORTED: dict[str, tuple[str, ...]] = {
    "C17_year_not_over_when_published": (
        "left out, not over on 2018-10-05: 2018",
        "2016 to 2017: 2 values new",
    ),
    "C27_ten_times_too_high": ("look: power_of_ten: CN-W-export-2021-mine-a",),
    "C33_unknown_region": ('--place "Asia, KIND, PARENT"',),
    "C35_two_currencies_one_source": ("4 values new", "CNY mn", "USD mn"),
    "C40_published_in_the_future": ("published: found 2062-01-18, expected a day that has come",),
}
THEN_ASKED = {
    "C29_months_to_years": ("United States China exports 15 USD bn 2015-2019", "US$12.3 billion of US$15 billion in 2019"),
    "C37_one_zero_year": ("Chad Mali exports 20 % a year 2022-2025", "from US$104 million in 2022"),
    "C45_total_of_both_flows": ("Chad Russia total 20 % a year 2020-2023", "+2.4 % a year 2020–2023"),
}  # fmt: skip


def imported(case: str, name: str = "mapping.yml", ends: int = 0) -> str:
    return run("import", str(table_of(case)), str(CASES / case / name), "--yes", ends=ends)


@needs_cases
@pytest.mark.parametrize("case", NOTED)
def test_a_case_that_is_doubtful_is_noted(case: str) -> None:
    made = parse_mapping((CASES / case / "mapping.yml").read_bytes(), "mapping.yml")
    assert any(NOTED[case] in note for note in read_table(table_of(case).read_bytes(), made, "t")[1])


@needs_cases
@exhaustive
@pytest.mark.parametrize("case", some(IMPORTED, 2))
def test_a_case_is_imported_or_refused_as_it_should(case: str, own_data: Path) -> None:
    refused = case[:3] in ("C33", "C40")
    told = imported(case, ends=2 if refused else 0)
    assert [words for words in IMPORTED[case] if words not in told] == [] and fetched.check() == []
    assert bool(fetched.files()) != refused


@needs_cases
def test_a_case_is_corrected_and_two_currencies_are_kept(own_data: Path) -> None:
    imported("C28_correct_an_import")
    mended = file(
        "m.yml", (CASES / "C28_correct_an_import/mapping.yml").read_text().replace("USD bn", "USD mn")
    )
    run("import", str(table_of("C28_correct_an_import")), mended, "--yes")
    assert fetched.read("Chad")["value_mn"].tolist() == [1500, 1600]
    for name in ("mapping_usd.yml", "mapping_cny.yml"):
        imported("C35_two_currencies_one_source", name)
    assert fetched.read("China")["figure_id"].is_unique and fetched.check() == []


def told_of(question: str) -> str:
    result = CliRunner().invoke(main, ["ask", question])
    assert result.exit_code == 0, result.output
    return result.output


@needs_cases
@exhaustive
@pytest.mark.parametrize("case", some(THEN_ASKED, 2))
def test_a_case_that_is_imported_answers_a_goal(case: str, own_data: Path) -> None:
    imported(case)
    question, words = THEN_ASKED[case]
    assert words in told_of(question)


@needs_cases
def test_the_case_of_a_notebook_without_kernel_has_the_project_s() -> None:
    import nbformat
    from papermill.engines import papermill_engines

    from lib.tools.run import kernels

    engine = papermill_engines.get_engine("tradegoals")

    notebook = nbformat.read(CASES / "C49_notebook_without_kernelspec/20_mine.ipynb", as_version=4)
    assert engine.nb_kernel_name(notebook) == kernels.INSTALLED


@needs_cases
def test_every_case_is_asserted() -> None:
    """C47 has no file: its site of runs without results stands below."""
    corrected = {"C28_correct_an_import", "C47_site_without_results", "C49_notebook_without_kernelspec"}
    asserted = {*READ, *TOLD, *GUESSED, *NOTED, *IMPORTED, *THEN_ASKED, *corrected}
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == asserted


# --- what was imported is answered ---

ANSWERED = {
    "months": ("month,exports\n" + "".join(f"{year}-{month:02},{year - 2000}\n" for year in range(2012, 2020) for month in range(1, 13)),
               "Chad China exports 250 USD mn 2015-2019", "US$228 million of US$250 million in 2019"),
    "both flows": ("year,exports,imports\n" + "".join(f"{year},{year - 1900},100\n" for year in range(2010, 2020)),
                   "Chad China total 20 % a year 2015-2019", "+0.5 % a year 2015–2019"),
    "a year without trade": ("year,exports\n2004,50\n2005,0\n" + "".join(f"{year},{year - 1950}\n" for year in range(2006, 2023)),
                             "Chad China exports 20 % a year 2022-2025", "from US$72 million in 2022"),
    "a value ten times too high": ("year,exports\n" + "".join(f"{year},{100 + year % 10}\n" for year in range(2010, 2022)) + "2022,1030\n",
                                   "Chad China exports 20 % a year 2022-2030", "TD-CN-export-2022-mine-a is 1,030 USD mn, where about 100"),
}  # fmt: skip


@exhaustive
@pytest.mark.parametrize("kind", some(ANSWERED, 2))
def test_what_was_imported_answers_a_goal(kind: str, own_data: Path) -> None:
    table, question, words = ANSWERED[kind]
    run("import", file("mine.csv", table), *SAID, "--yes")
    assert words in told_of(question)


# --- a notebook of one's own ---


def test_a_notebook_that_names_no_kernel_has_the_project_s() -> None:
    import nbformat
    from papermill.engines import papermill_engines

    from lib.tools.run import kernels

    engine = papermill_engines.get_engine("tradegoals")

    notebook = nbformat.v4.new_notebook()
    assert engine.nb_kernel_name(notebook) == kernels.INSTALLED and engine.nb_language(notebook) == "python"


def test_a_site_of_runs_without_results_has_no_rows_of_goals() -> None:
    from lib.tools.site import pages

    assert pages._goal_rows([]) == []
