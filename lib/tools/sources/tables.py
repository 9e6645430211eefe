"""From bytes to JSON, trees of markup, columns of text, and tables of cells: bounded; what is not plainly that is refused.

What a file that somebody downloaded is, its first bytes say: CSV, a workbook, HTML, XML, JSON or SDMX. What merged cells say
stands in each of them.
"""

import csv
import io
import math
import os
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache, reduce
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from lib.errors import UserError, nearest, quote, read_bytes, shown_path
from lib.tools.sources.client import refuse
from lib.words import fill

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)

MISSING = ("", "NaN", "nan", "null", "NA", "..")
"""How sources write that there is no number; a period with one of these counts as missing."""


def decode_text(body: bytes, where: str, encoding: str = "utf-8", expected: str = "") -> str:
    """Return the text of a body, without a byte order mark; one of markup is refused where something else is expected."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        text = body.decode(encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise refuse(where, f"bytes that are not {encoding} ({error})", f"text in {encoding}") from None
    if expected and text.lstrip().startswith("<"):
        is_page = re.search(r"<(!doctype html|html|head|body)\b", text[:2000], re.IGNORECASE)
        kind = "a web page" if is_page else "XML"
        raise refuse(where, f"{kind} that begins {quote(text.strip())}", expected)
    return text


def read_json(body: bytes, where: str) -> Any:
    """Return the content of a JSON body, as plain JSON has it."""
    return _parse_json(decode_text(body, where, expected="JSON"), where)


def _parse_json(text: str, where: str) -> Any:
    """Return the content of a JSON; NaN and Infinity, which JSON does not have, and endless nesting are refused."""
    from pydantic_core import from_json  # in half the time of the standard library's

    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise refuse(where, f"no valid JSON ({error})", "complete JSON") from None


def parse_html(text: str, where: str) -> Any:
    """Return a web page as a tree of lxml; an empty text is an empty page."""
    import lxml.html

    parser = lxml.html.HTMLParser(encoding="utf-8")
    try:
        return lxml.html.document_fromstring(text.encode("utf-8", "replace").strip() or b"<p>", parser=parser)
    except Exception as error:  # lxml raises several kinds for what is no page
        found = f"a web page that cannot be read ({str(error)[:200]})"
        raise refuse(where, found, "a page with a table") from None


def parse_xml(content: bytes, where: str, expected: str) -> Any:
    """Return XML as a tree of lxml: nothing is fetched, and entities of its own are refused."""
    from lxml import etree

    safe = {"resolve_entities": False, "no_network": True, "huge_tree": False}
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, **safe)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise refuse(where, f"XML that cannot be read ({str(error)[:200]})", expected) from None
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and dtd.entities():
        raise refuse(where, "XML that cannot be read (it defines entities)", expected)
    return root


def to_number(value: Any, where: str) -> float:
    """Return a finite number, given as one or as plain decimal text; NaN where the source says that there is none."""
    text = value.strip(" ") if isinstance(value, str) else repr(value)
    if value is None or text in MISSING:
        return math.nan
    if not NUMBER.fullmatch(text):
        raise refuse(where, quote(text), "a number with a decimal point")
    if not math.isfinite(number := float(text)):
        raise refuse(where, quote(text), "a finite number")
    return number


def read_columns(
    body: bytes, where: str, needed: tuple[str, ...], optional: Iterable[str] = ()
) -> pd.DataFrame:
    """Read named columns of a CSV in UTF-8 as text, wherever they stand; every row must have all fields."""
    import pyarrow as pa
    import pyarrow.csv

    text = decode_text(body, where, expected="CSV")
    if not text.endswith("\n"):
        # A last value that was cut in half would be another number.
        raise refuse(where, "a last row without its end", "a complete CSV, the last line ended")
    header = next(csv.reader([text[:100_000].split("\n", 1)[0].rstrip("\r")]))
    for name in needed:
        if (times := header.count(name)) != 1:
            found = f"the column {name} {times} times" if times else f"no column {name}"
            raise refuse(where, found, "it once" if times else nearest(name, header))
    del text  # a large answer is not held twice
    wanted = [*needed, *(name for name in optional if header.count(name) == 1)]
    as_text = dict.fromkeys(wanted, pa.string())  # blank ones too
    options = pyarrow.csv.ConvertOptions(include_columns=wanted, column_types=as_text)
    lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    try:
        table = pyarrow.csv.read_csv(pa.BufferReader(body), parse_options=lines, convert_options=options)
    except pa.ArrowException as error:
        raise refuse(where, f"rows that cannot be read ({error})", "a complete CSV") from None
    return table.to_pandas()


# --- files of one's own, as tables of cells ---

LARGEST = 200_000_000  # bytes of a file, and of a workbook when unpacked
WIDEST = 2_000  # columns
LONGEST = 1_100_000  # rows
MOST = 20_000_000  # cells, empty ones between others counted

Cell = str | float | int | datetime | date | None
Grid = np.ndarray[Any, np.dtype[np.object_]]


@dataclass
class Table:
    """Rows and columns of cells, and where they stood."""

    text: Grid  # `_text_of` each cell
    exact: np.ndarray[Any, np.dtype[np.bool_]]  # where a number was stored, not its text
    lengths: list[int]  # of the rows as they stood there
    name: str = ""  # of the sheet; blank where there is one table alone
    separator: str = ""  # of a CSV, as its encoding
    encoding: str = ""
    notes: list[str] = field(default_factory=list)  # such as of formulas without values


def _text_of(cell: Cell) -> str:
    """Return a cell as text on one line, its spaces plain; a whole number without decimals, a day as YYYY-MM-DD."""
    if isinstance(cell, str):
        return " ".join(cell.split()) if cell.isascii() else _plain(cell)
    if cell is None:
        return ""
    if isinstance(cell, date):
        return cell.isoformat()[:10]
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


@lru_cache(maxsize=100_000)
def _plain(text: str) -> str:
    # Superscript digits mark footnotes: they go before anything takes them for digits.
    marked = re.sub("[*†‡§¹²³⁰⁴-⁹ᵃ-ᵿ]", "*", text)
    return " ".join(unicodedata.normalize("NFKC", marked).replace("\u2212", "-").split())


def _expect_room(rows: int, columns: int, where: str, found: str = "") -> None:
    if rows > LONGEST or columns > 16_384 or rows * columns > MOST:
        raise refuse(where, found or f"{rows} rows and {columns} columns", "a smaller table")


def table_of(rows: Iterable[list[Any]], where: str, **about: Any) -> Table:
    """Return rows of any length as a table; more than can be held are refused."""
    kept: list[list[Any]] = []
    for row in islice(rows, LONGEST + 1):
        if len(row) > WIDEST:
            raise refuse(where, f"a row of more than {WIDEST} cells", "a smaller table")
        kept.append(row)
    width = max(map(len, kept), default=0)
    _expect_room(len(kept), width, where)
    filled = [[*row, *[None] * (width - len(row))] for row in kept]
    cells = np.array(filled, dtype=object).reshape(len(kept), width)
    exact = np.vectorize(lambda cell: isinstance(cell, float), otypes=[bool])(cells)
    return Table(np.vectorize(_text_of, otypes=[object])(cells), exact, [*map(len, kept)], **about)


def read_file(path: Path) -> bytes:
    """Return the content of a regular file of bearable size."""
    with suppress(OSError):  # `read_bytes` says what is wrong
        if (size := path.stat().st_size) > LARGEST:
            raise refuse(shown_path(path), f"{size} bytes", f"at most {LARGEST}")
    return read_bytes(path)


def read_tables(
    body: bytes, where: str, encoding: str | None, separator: str | None, sheet: str | None
) -> list[Table]:
    """Return the tables of a file in which something stands, or the one named `sheet`."""
    found, about = _of_content(body, where, encoding, separator)
    if sheet is not None:
        named = {name or "1": rows for name, rows in found.items()}
        if sheet not in named:
            raise refuse(where, f"no sheet {quote(sheet)}", nearest(sheet, named))
        found = {sheet: named[sheet]}
    tables = [table_of(rows, where, name=name, **about) for name, rows in found.items()]
    if not (filled := [table for table in tables if (table.text != "").any()]):
        raise refuse(where, "nothing in it", "a table")
    return filled


Rows = dict[str, Iterable[list[Any]]]
"""The rows of each table of a file by its name, blank for one alone."""


def _of_content(
    body: bytes, where: str, encoding: str | None, separator: str | None
) -> tuple[Rows, dict[str, Any]]:
    if body.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        return _read_workbook(body, where)
    text, encoding = _to_text(body, where, encoding)
    start = text[:4000].lstrip().casefold()
    if start.startswith("<"):
        is_page = re.search("<(!doctype )?html", start) or ("<table" in start and "<workbook" not in start)
        return (_read_html if is_page else _read_xml)(text, where), {}
    if start.startswith(("[", "{")):
        return {"": _of_records(_json_records(text, where), where)}, {}
    rows, separator = _read_csv(text, where, separator)
    return {"": rows}, {"separator": separator, "encoding": encoding}


# --- text ---

_WORDS = re.compile(r"(?:19|20)\d\d年|出口|进口|進口|年份|экспорт|импорт|товарооборот|период|год;|輸出|輸入")
_LIKELY = ("gb18030", "cp1251", "cp1252", "big5", "shift_jis", "euc_kr", "cp1250", "koi8_r")


def _to_text(body: bytes, where: str, encoding: str | None) -> tuple[str, str]:
    """Return a body as text, and its encoding: the one given, UTF-8 where it is that, else the likeliest."""
    if encoding or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return decode_text(body, where, encoding or "utf-8"), encoding or "utf-16"
    for name in [f"utf-16-{'be' if body[:1] == bytes(1) else 'le'}"] * (b"\0" in body[:2]) + ["utf-8-sig"]:
        with suppress(UnicodeDecodeError):
            return body.decode(name), name.removesuffix("-sig")
    from charset_normalizer import from_bytes

    errors = "strict" if len(body) <= 20_000 else "ignore"
    for name in _LIKELY:  # a short text says little of its encoding but by its words
        with suppress(UnicodeDecodeError):
            if _WORDS.search(body[:20_000].decode(name, errors).casefold()):
                return decode_text(body, where, name), name
    likely = [*_LIKELY, "utf_16_le", "utf_16_be"]
    best = from_bytes(body[:200_000], cp_isolation=likely, threshold=0.4, steps=5, chunk_size=512).best()
    if best is None or (b"\0" in body[:1000] and not best.encoding.startswith("utf_16")):
        found = "bytes that are text in no encoding that it looks like"
        raise refuse(where, found, "a table, or `encoding` in the mapping")
    return decode_text(body, where, best.encoding), best.encoding


def _read_csv(text: str, where: str, separator: str | None) -> tuple[list[list[str]], str]:
    """Return the rows of a CSV; a TSV of Eurostat has several columns in its first, whose last name is that of the others."""
    if re.match(r"[^\t\n]+,[^\t\n]+\\\w+\t", text):
        text, separator = re.sub(r"\\\w+", "", text, count=1).replace("\t", ","), ","
    separator = separator or _find_separator(text)
    csv.field_size_limit(1_000_000)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return [*islice(lines, LONGEST + 1)], separator
    except csv.Error as error:
        raise refuse(where, f"rows that cannot be read ({error})", "a CSV with quotes in pairs") from None


def _find_separator(text: str) -> str:
    """Return the separator that gives most of the first lines one width; where two do, the comma stands before decimals."""
    lines = text[:100_000].splitlines()[:200]

    def score(mark: str) -> tuple[int, int]:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=mark) if any(row))
        except csv.Error:
            return 0, 0
        return max(((count, width) for width, count in widths.items() if width > 1), default=(0, 0))

    return max((";", "\t", "|", ","), key=score)


# --- markup ---


def _read_html(text: str, where: str) -> Rows:
    """Return the tables of a web page that hold no other table."""
    found = parse_html(text, where).xpath("//table[not(.//table)]")
    if not found:
        raise refuse(where, "a web page without a table", "a table")
    return {str(n) * (len(found) > 1): _spread(one.iter("tr")) for n, one in enumerate(found, 1)}


def _spread(rows: Iterable[Any]) -> Iterator[list[Cell]]:
    """Rows of a page's table, or of an Excel 2003 sheet, what spanned cells say in each of them."""
    below: dict[int, tuple[int, Cell]] = {}  # by column: how many rows a cell still reaches down
    number = 0
    for one in rows:
        index = max(_count(one, "Index"), number + 1)
        yield from ([] for _ in range(number + 1, index))
        number = index
        row: list[Cell] = []
        cells = [*one.iterchildren("td", "th", "{*}Cell")]
        for cell in [*cells[: WIDEST + 1], None]:
            while len(row) in below:
                left, said = below.pop(len(row))
                below |= {len(row): (left - 1, said)} if left > 1 else {}
                row.append(said)
            if cell is None:
                break
            row += [None] * (min(_count(cell, "Index"), WIDEST + 2) - 1 - len(row))
            across = min(max(_count(cell, "colspan"), _count(cell, "MergeAcross") + 1), 1000)
            down = max(_count(cell, "rowspan"), _count(cell, "MergeDown") + 1)
            said = " ".join(cell.itertext())
            for _ in range(across):
                below |= {len(row): (down - 1, said)} if down > 1 else {}
                row.append(said)
        yield row


def _count(element: Any, name: str) -> int:
    """A number that an attribute says, 0 without one."""
    text = next((text for key, text in element.attrib.items() if key.rpartition("}")[2] == name), "")
    return min(int(text), LONGEST + 1) if re.fullmatch("[+]?[0-9]{1,99}", text) else 0


def _read_xml(text: str, where: str) -> Rows:
    """Return the sheets of an Excel 2003 workbook, the observations of SDMX-ML, or the records of other XML."""
    content = re.sub(r"^\s*<\?xml[^>]*\?>", "", text).strip().encode("utf-8", "replace")
    root = parse_xml(content, where, "complete XML")
    if sheets := root.findall("{*}Worksheet"):
        return {one.xpath("string(@*[local-name() = 'Name'])"): _spread(one.iter("{*}Row")) for one in sheets}
    records = [_sdmx_record(one) for one in root.iter("{*}Obs")]
    fields = ([leaf for leaf in one if not len(leaf)] for one in root.iter())
    others = [{_tag(leaf): leaf.get("value") or leaf.text for leaf in one} for one in fields if len(one) > 1]
    return {"": _of_records(records or others, where)}


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _sdmx_record(obs: Any) -> dict[str, Cell]:
    """Dimensions and attributes of an observation and of the series around it, in the generic and the specific form."""
    names = {"ObsDimension": "TIME_PERIOD", "ObsValue": "OBS_VALUE", "Time": "TIME_PERIOD", "Value": ""}
    series = obs.getparent()
    around = [part for child in series if _tag(child) in ("SeriesKey", "Attributes") for part in child]
    record: dict[str, Cell] = {}
    for element, parts in ((series, around), (obs, obs.iter())):
        record |= {key: value for key, value in element.attrib.items() if not key.startswith("{")}
        for one in parts:
            if (name := _tag(one)) in names:
                key = names[name] or one.get("id") or one.get("concept") or "value"
                record[key] = one.get("value") or one.text
    return record


# --- records ---


def _json_records(text: str, where: str) -> list[dict[str, Any]]:
    """Return the records of a JSON: SDMX-JSON, the longest list of objects wherever it lies, or an object a line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    by_line = len(lines) > 1 and all(line[0] + line[-1] in ("{}", "[]") for line in lines)
    content: Any = [_parse_json(line, where) for line in lines] if by_line else _parse_json(text, where)
    with suppress(KeyError, IndexError, TypeError, AttributeError, ValueError):
        return _sdmx_json(content.get("data", content))
    return max(_lists(content), key=len, default=[])


def _lists(content: Any, depth: int = 0) -> Iterator[list[Any]]:
    """Lists of objects, or of lists (the first the names), at most six levels down."""
    kinds = set(map(type, content)) if isinstance(content, list) else set()
    if kinds == {dict}:
        yield content
    elif kinds == {list} and len(content) > 1 and all(isinstance(name, str) for name in content[0]):
        yield [dict(zip(content[0], row, strict=False)) for row in content[1:]]
    if isinstance(content, dict | list) and depth < 6:
        for one in content.values() if isinstance(content, dict) else content[:50]:
            yield from _lists(one, depth + 1)


def _sdmx_json(data: dict[str, Any]) -> list[dict[str, Any]]:
    levels = (data.get("structures") or [data["structure"]])[0]["dimensions"]

    def at(level: str, key: str) -> dict[str, Any]:
        dimensions, places = levels.get(level, []), filter(None, key.split(":"))
        pairs = zip(places, dimensions, strict=True)
        return {one["id"]: one["values"][int(place)].get("id") for place, one in pairs}

    return [
        at("series", key) | at("observation", place) | {"OBS_VALUE": value[0]}
        for part in data["dataSets"]
        for key, one in (part.get("series") or {"": part}).items()
        for place, value in one["observations"].items()
    ]


def _of_records(records: list[dict[str, Any]], where: str) -> list[list[Any]]:
    """Return records as a table with their names above; of those within, one level down, the names of both."""
    flat: list[dict[str, Cell]] = []
    for record in records:
        flat.append({})
        for name, value in record.items():
            inner = value if isinstance(value, dict) else {}
            parts = {f"{name}.{key}": one for key, one in inner.items()} or {name: value}
            flat[-1] |= {key: one for key, one in parts.items() if not isinstance(one, dict | list)}
    names = [*dict.fromkeys(name for record in flat for name in record)]
    if not names:
        raise refuse(where, "nothing that repeats", "a list of records")
    return [names, *([record.get(name) for name in names] for record in flat)]


# --- workbooks ---


def _read_workbook(body: bytes, where: str) -> tuple[Rows, dict[str, Any]]:
    """Return the visible sheets of an xlsx, xlsm, xls or ods, by calamine."""
    import python_calamine

    old = body.startswith(b"\xd0\xcf")
    try:
        notes = [] if old else _look_inside(body, where)
        with _quiet():
            book = python_calamine.load_workbook(io.BytesIO(body))
            seen = [one for one in book.sheets_metadata if str(one.visible).endswith("Visible")]
            sheets = (book.get_sheet_by_name(one.name) for one in seen if str(one.typ).endswith("WorkSheet"))
            return {one.name: _merged(one, where) for one in sheets}, {"notes": notes}
    except (UserError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except python_calamine.PasswordError:
        raise refuse(where, "a workbook with a password", "one without") from None
    except BaseException as error:  # damaged workbooks raise whatever the many parts of a reader raise
        kind = "an old Excel file (.xls), which may be read when saved as .xlsx" if old else "a workbook"
        found = f"no workbook that can be read ({kind}: {str(error)[:200]})"
        raise refuse(where, found, "an .xlsx, .xlsm, .xls or .ods file") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on standard error meanwhile: the reader, which is of Rust, prints a panic before it raises it."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _merged(sheet: Any, where: str) -> list[list[Cell]]:
    """The rows of a sheet, what merged cells say in each of them."""
    _expect_room(sheet.total_height, sheet.total_width, where)
    rows = [row[:WIDEST] for row in sheet.to_python(skip_empty_area=False)]
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        if bottom < len(rows) and (bottom - top + 1) * (right - left + 1) <= 100_000:
            for row in rows[top : bottom + 1]:
                row[left : right + 1] = [rows[top][left]] * len(row[left : right + 1])
    return rows


_PLACE = re.compile(  # in whichever quotes and case, as the reader takes them
    rb"""<(?:\w+:)?(?:row|c)\b(?:[^<>"']|"[^"]*"|'[^']*')*?\sr\s*=\s*["']([A-Za-z]*)(\d+)"""
)
_BARE = re.compile(
    rb"<(?:\w+:)?f\b[^>]*?(?:/>|>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)


def _look_inside(body: bytes, where: str) -> list[str]:
    """Refuse a workbook that says to be larger than it is; note formulas whose values a program never stored."""
    bare = 0
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if (size := sum(part.file_size for part in archive.infolist())) > LARGEST:
            raise refuse(where, f"a workbook of {size} bytes when unpacked", f"at most {LARGEST}")
        for part in archive.infolist():
            if part.filename.lower().endswith("workbook.bin"):
                raise refuse(where, "a binary workbook (.xlsb)", "one saved as .xlsx")
            if part.filename == "content.xml":
                with archive.open(part) as content:
                    _check_repeats(content, where)
            else:  # a sheet may have any name
                text = archive.read(part)
                _check_places(text, where)
                bare += len(_BARE.findall(text))
    words = "{n:cell holds|cells hold} a formula whose value was never stored, taken as blank: open the file in a spreadsheet and save it"
    return [fill(words, n=bare)] if bare else []


def _check_repeats(part: IO[bytes], where: str) -> None:
    """Refuse an .ods whose rows and cells, as often as they say to be repeated, are more than can be held."""
    from lxml import etree

    rows = last = width = 0  # up to the last row, and the last column, in which something stands
    for _, one in etree.iterparse(part, tag=("{*}table", "{*}table-row"), resolve_entities=False):
        if _tag(one) == "table":
            rows = last = width = 0
            continue
        at = filled = 0
        for cell in one:
            at += _count(cell, "number-columns-repeated") or 1
            filled = at if len(cell) or any("value" in name for name in cell.attrib) else filled
        rows += _count(one, "number-rows-repeated") or 1
        last, width = rows if filled else last, max(width, filled)
        _expect_room(last, width, where, f"rows or cells repeated up to {last} rows and {width} columns")
        one.clear()


def _check_places(text: bytes, where: str) -> None:
    places = [(name[:9].upper(), int(number[:12])) for name, number in _PLACE.findall(text)]
    if len({*(rows := [number for name, number in places if not name])}) < len(rows):
        number = Counter(rows).most_common(1)[0][0]
        raise refuse(where, f"two rows with the number {number}", "each once")
    last = max((number for _, number in places), default=0)
    letters = max((name for name, _ in places), key=lambda name: (len(name), name), default=b"")
    widest = reduce(lambda so_far, letter: so_far * 26 + letter - 64, letters, 0)
    _expect_room(last, widest, where, f"a cell in row {last} and column {widest}")
