"""From bytes to a grid: JSON, markup, columns of text and numbers, and a whole file as tables of cells; bounded in size.

What a file is, its first bytes say: CSV, a workbook, HTML, XML, JSON or SDMX. A cell is text, a number, a day or None; what
merged cells say stands in each of them. What is not plainly a number is none.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from lib.errors import UserError, nearest, quote, read_bytes, shown_path
from lib.tools.sources.client import refuse
from lib.tools.sources.workbooks import LARGEST, LONGEST, WIDEST, Cell, Table, read_workbook

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)

MISSING = ("", "NaN", "nan", "null", "NA", "..")
"""How sources write that there is no number; a period with one of these counts as missing."""


def decode_text(body: bytes, where: str, encoding: str = "utf-8") -> str:
    """Return the text of a body, without a byte order mark."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        return body.decode(encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise refuse(where, f"bytes that are not {encoding} ({error})", f"text in {encoding}") from None


def read_json(body: bytes, where: str) -> Any:
    """Return the content of a JSON body, as `_parse_json`."""
    return _parse_json(_without_markup(decode_text(body, where), where, "JSON"), where)


def _without_markup(text: str, where: str, expected: str) -> str:
    """Return a text that is none of markup."""
    if text.lstrip().startswith("<"):
        raise refuse(where, f"{_kind_of_markup(text)} that begins {quote(text.strip())}", expected)
    return text


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
        kind = _kind_of_markup(content[:2000].decode("latin-1"))
        raise refuse(where, f"{kind} that cannot be read ({str(error)[:200]})", expected) from None
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and dtd.entities():
        raise refuse(where, "XML that cannot be read (it defines entities)", expected)
    return root


def _kind_of_markup(text: str) -> str:
    """Say what a text is that begins with "<"."""
    is_page = re.search(r"<(!doctype html|html|head|body)\b", text[:2000], re.IGNORECASE)
    return "a web page" if is_page else "XML"


def to_number(value: Any, where: str) -> float:
    """Return a finite number, given as one or as plain decimal text; NaN where the source says that there is none."""
    if type(value) not in (int, float):
        value = value.strip(" ") if isinstance(value, str) else value
        if value is None or value in MISSING:
            return math.nan
        if not isinstance(value, str):
            raise refuse(where, quote(repr(value)), "a number")
        if not NUMBER.fullmatch(value):
            raise refuse(where, quote(value), "a number with a decimal point")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refuse(where, quote(str(value)), "a finite number")
    return number


def read_columns(
    body: bytes, where: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Read named columns of a CSV in UTF-8 as text, wherever they stand; every row must have all fields."""
    import pyarrow as pa
    import pyarrow.csv

    text = _without_markup(decode_text(body, where), where, "CSV")
    if not text.endswith("\n"):
        # A last value that was cut in half would be another number.
        raise refuse(where, "a last row without its end", "a complete CSV, the last line ended")
    try:
        header = next(csv.reader([text.split("\n", 1)[0].rstrip("\r")], strict=True), [])
    except csv.Error as error:
        raise refuse(where, f"a header that cannot be read ({error})", "names of columns") from None
    for name in needed:
        if header.count(name) != 1:
            found = f"the column {name} {header.count(name)} times" if name in header else f"no column {name}"
            raise refuse(where, found, nearest(name, header) if name not in header else "it once")
    # A large answer is not held twice.
    plain = body.startswith(text[:1].encode()) and not body.startswith((b"\xff\xfe", b"\xfe\xff"))
    content = body if plain else text.encode()
    del text
    wanted = [*needed, *(name for name in optional if header.count(name) == 1)]
    as_text = dict.fromkeys(wanted, pa.string())
    options = pyarrow.csv.ConvertOptions(
        include_columns=wanted, column_types=as_text, strings_can_be_null=False
    )
    lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    try:
        table = pyarrow.csv.read_csv(pa.BufferReader(content), parse_options=lines, convert_options=options)
    except pa.ArrowInvalid as error:
        raise refuse(where, f"rows that cannot be read ({error})", "a complete CSV") from None
    return table.to_pandas()


# --- a file ---


def read_file(path: Path) -> bytes:
    """Return the content of a regular file of bearable size."""
    with suppress(OSError):  # `read_bytes` says what is wrong
        if (size := path.stat().st_size) > LARGEST:
            raise refuse(shown_path(path), f"{size} bytes", f"at most {LARGEST}")
    return read_bytes(path)


def read_tables(
    body: bytes,
    where: str,
    encoding: str | None = None,
    separator: str | None = None,
    sheet: str | None = None,
) -> list[Table]:
    """Return the tables of a file, or the one of a name."""
    tables = _of_content(body, where, encoding, separator)
    if sheet is not None:
        by_name = {table.name or str(number): table for number, table in enumerate(tables, 1)}
        if sheet not in by_name:
            raise refuse(where, f"no sheet {quote(sheet)}", nearest(sheet, by_name))
        tables = [by_name[sheet]]
    tables = [table for table in tables if any(map(any_cell, table.rows))]
    if not tables:
        raise refuse(where, "nothing in it", "a table")
    return tables


def any_cell(row: list[Cell]) -> bool:
    """Whether anything stands in a row."""
    return any(cell is not None and cell != "" for cell in row)


def spread(levels: list[list[str]]) -> list[list[str]]:
    """Return rows of names; those of an upper row reach to the right up to the next."""
    for row in levels[:-1]:
        for place in range(1, len(row)):
            row[place] = row[place] or row[place - 1]
    return levels


def joined(levels: Iterable[list[str]], width: int) -> list[str]:
    """Return all that rows of names say above each column, each word once."""
    rows = list(levels)
    return [" ".join(dict.fromkeys(row[place] for row in rows if row[place])) for place in range(width)]


def _of_content(body: bytes, where: str, encoding: str | None, separator: str | None) -> list[Table]:
    if body.startswith(b"PK") or body.startswith(b"\xd0\xcf\x11\xe0"):
        return read_workbook(body, where)
    text, encoding = _to_text(body, where, encoding)
    start = text[:4000].lstrip().casefold()
    if start.startswith("<"):
        if re.search("<(!doctype )?html", start) or ("<table" in start and "<workbook" not in start):
            return list(_read_html(text, where))
        return _read_xml(text, where)
    if start.startswith(("[", "{")):
        return _json_tables(text, where)
    return [_read_csv(text, where, encoding, separator)]


_WORDS = re.compile(r"(?:19|20)\d\d年|出口|进口|進口|年份|экспорт|импорт|товарооборот|период|год;|輸出|輸入")


def _to_text(body: bytes, where: str, encoding: str | None) -> tuple[str, str]:
    """Return a body as text, and its encoding: the one given, UTF-8 where it is that, else the likeliest."""
    if encoding or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return decode_text(body, where, encoding or "utf-8"), encoding or "utf-16"
    for name in [f"utf-16-{'be' if body[:1] == bytes(1) else 'le'}"] * (b"\0" in body[:2]) + ["utf-8-sig"]:
        with suppress(UnicodeDecodeError):
            return body.decode(name), name.removesuffix("-sig")
    from charset_normalizer import from_bytes

    likely = ["gb18030", "cp1251", "cp1252", "big5", "shift_jis", "euc_kr", "cp1250", "koi8_r", "utf_16_le", "utf_16_be"]  # fmt: skip
    errors = "strict" if len(body) <= 20_000 else "ignore"
    for name in likely[:-2]:  # a short text says little of its encoding but by its words
        with suppress(UnicodeDecodeError):
            if _WORDS.search(body[:20_000].decode(name, errors).casefold()):
                return decode_text(body, where, name), name
    best = from_bytes(body[:200_000], cp_isolation=likely, threshold=0.4, steps=5, chunk_size=512).best()
    if best is None or (b"\0" in body[:1000] and not best.encoding.startswith("utf_16")):
        found = "bytes that are text in no encoding that it looks like"
        raise refuse(where, found, "a table, or `encoding` in the mapping")
    return decode_text(body, where, best.encoding), best.encoding


# --- CSV ---


def _read_csv(text: str, where: str, encoding: str, separator: str | None) -> Table:
    """Return the rows of a CSV; without a separator, that which gives the first lines the same number of fields."""
    found = separator or _find_separator(text)
    csv.field_size_limit(1_000_000)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=found, strict=True)
        rows: list[Any] = list(islice(lines, LONGEST + 1))
    except csv.Error as error:
        raise refuse(where, f"rows that cannot be read ({error})", "a CSV with quotes in pairs") from None
    if len(rows) > LONGEST or max(map(len, rows), default=0) > WIDEST:
        raise refuse(where, f"more than {LONGEST} rows or {WIDEST} columns", "a smaller table")
    if found == "\t" and re.fullmatch(r"[^\\]+,[^\\]+\\\w+", rows[0][0].strip()):
        many = len(rows[0][0].split(","))
        rows = [[*re.split(r"[,\\]", row[0])[:many], *row[1:]] for row in rows if row]
    return Table(rows, separator=found, encoding=encoding)


def _find_separator(text: str) -> str:
    """Return the separator that gives most of the first lines one width; where two do, the comma stands before decimals."""
    lines = text[:100_000].splitlines()[:200]
    if lines and re.match(r"[^\t]+,[^\t]+\\\w+\t", lines[0]):  # a TSV of Eurostat
        return "\t"

    def score(mark: str) -> tuple[int, int]:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=mark) if any(row)]
        except csv.Error:
            return 0, 0
        wide = [width for width in widths if width > 1]
        usual = max(set(wide), key=wide.count, default=0)
        return wide.count(usual) if usual else 0, usual

    return max((";", "\t", "|", ","), key=score)


# --- markup ---


def _read_html(text: str, where: str) -> Iterator[Table]:
    """Return the tables of a web page that hold no other table, spanned cells repeated."""
    root = parse_html(text, where)
    found = [table for table in root.iter("table") if next(table.iterdescendants("table"), None) is None]
    if not found:
        raise refuse(where, "a web page without a table", "a table")
    for number, table in enumerate(found, start=1):
        yield Table(_spread(table, where), str(number) if len(found) > 1 else "")


def _spread(table: Any, where: str) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    below: dict[int, tuple[int, Cell]] = {}  # by column: how many rows a cell still reaches down
    for tr in islice(table.iter("tr"), LONGEST):
        row: list[Cell] = []
        for cell in [*(one for one in tr if one.tag in ("td", "th")), None]:
            while len(row) in below:
                left, text = below.pop(len(row))
                if left > 1:
                    below[len(row)] = left - 1, text
                row.append(text)
            if cell is None:
                break
            across, down = _span(cell.get("colspan", "")), _span(cell.get("rowspan", ""))
            if len(row) + across > WIDEST:
                raise refuse(where, f"a row of more than {WIDEST} cells", "a smaller table")
            said = " ".join(" ".join(cell.itertext()).split()) or None
            for _ in range(across):
                if down > 1:
                    below[len(row)] = down - 1, said
                row.append(said)
        rows.append(row)
    return rows


def _span(text: str) -> int:
    return min(int(text), 1000) or 1 if re.fullmatch("[0-9]{1,8}", text) else 1


def _read_xml(text: str, where: str) -> list[Table]:
    """Return the sheets of an Excel 2003 workbook, the observations of SDMX-ML, or the records of other XML."""
    content = re.sub(r"^\s*<\?xml[^>]*\?>", "", text).strip().encode("utf-8", "replace")
    root = parse_xml(content, where, "complete XML")
    if sheets := [one for one in root if _tag(one) == "Worksheet"]:
        return [Table(_sheet_2003(one, where), _attribute(one, "Name")) for one in sheets]
    observations = [one for one in root.iter() if _tag(one) == "Obs"]
    records = [_sdmx_record(one) for one in observations] if observations else list(_xml_records(root))
    return [_of_records(records, "SDMX-ML" if observations else "XML", where)]


def _tag(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _attribute(element: Any, name: str) -> str:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def _sheet_2003(sheet: Any, where: str) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for one in sheet.iter():
        if _tag(one) != "Row":
            continue
        place = _attribute(one, "Index")
        if place.isdigit() and len(rows) < int(place[:9]) - 1 <= LONGEST:
            rows += [[] for _ in range(int(place) - 1 - len(rows))]
        row: list[Cell] = []
        for cell in one:
            index, merged = _attribute(cell, "Index"), _attribute(cell, "MergeAcross")
            if index.isdigit() and len(row) < int(index[:9]) - 1 <= WIDEST:
                row += [None] * (int(index) - 1 - len(row))
            texts = [" ".join("".join(data.itertext()).split()) for data in cell if _tag(data) == "Data"]
            value = texts[0] or None if texts else None
            row += [value] * (1 + min(int(merged[:9]) if merged.isdigit() else 0, WIDEST))
        if len(row) > WIDEST or len(rows) > LONGEST:
            raise refuse(where, f"more than {LONGEST} rows or {WIDEST} columns", "a smaller table")
        rows.append(row)
    return rows


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


def _xml_records(root: Any) -> Iterator[dict[str, Cell]]:
    """Elements that hold plain fields, as children or attributes, and occur most often."""
    by_path: dict[str, list[dict[str, Cell]]] = {}
    for element in root.iter():
        leaves = [one for one in element if not len(one) and _tag(one)]
        fields: dict[str, Cell] = {_tag(one): (one.text or "").strip() or one.get("value") for one in leaves}
        fields |= dict(element.attrib) if fields or not len(element) else {}
        if len(fields) > 1:
            by_path.setdefault(_tag(element), []).append(fields)
    yield from max(by_path.values(), key=len, default=[])


# --- JSON ---


def _json_tables(text: str, where: str) -> list[Table]:
    """Return the records of a JSON: a list of objects, wherever it lies, an object a line, or SDMX-JSON."""
    try:
        content = _parse_json(text, where)
    except UserError as error:
        try:
            content = [_parse_json(line, where) for line in text.splitlines() if line.strip()]
        except UserError:
            raise error from None
    if isinstance(content, dict) and (sdmx := _sdmx_json(content)):
        return [_of_records(sdmx, "SDMX-JSON", where)]
    best = max(_lists(content), key=len, default=[]) or _columns(content)
    return [_of_records([_flat(one) for one in best], "JSON", where)]


def _lists(content: Any, depth: int = 0) -> Iterator[list[Any]]:
    """Lists of objects, or of lists (the first the names), at most six levels down."""
    if isinstance(content, list):
        kinds = set(map(type, content))
        if kinds == {dict}:
            yield content
        elif kinds == {list} and len(content) > 1 and all(isinstance(name, str) for name in content[0]):
            yield [dict(zip(content[0], row, strict=False)) for row in content[1:]]
    if isinstance(content, dict | list) and depth < 6:
        for one in content.values() if isinstance(content, dict) else content[:50]:
            yield from _lists(one, depth + 1)


def _columns(content: Any) -> list[dict[str, Any]]:
    """Records of an object that holds lists of one length by name, or a number by period."""
    lists = list(content.values()) if isinstance(content, dict) else []
    if lists and all(isinstance(one, list) for one in lists) and len({*map(len, lists)}) == 1:
        return [dict(zip(content, row, strict=True)) for row in zip(*lists, strict=True)]
    if lists and all(isinstance(one, int | float | None) for one in lists):
        return [{"period": name, "value": one} for name, one in content.items()]
    return []


def _flat(record: dict[str, Any]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            found |= {f"{name}.{key}": one for key, one in value.items() if not isinstance(one, dict | list)}
        elif not isinstance(value, list):
            found[name] = value
    return found


def _sdmx_json(content: dict[str, Any]) -> list[dict[str, Cell]]:
    data = content.get("data", content)
    try:
        structure = (data.get("structures") or [data["structure"]])[0]["dimensions"]
        dims = {
            level: [(one["id"], [value.get("id") for value in one["values"]]) for one in dimensions]
            for level, dimensions in structure.items()
            if level in ("series", "observation")
        }
        records = []
        for part in data["dataSets"]:
            series = part.get("series") or {"": {"observations": part.get("observations", {})}}
            for key, one in series.items():
                outer = _at(key, dims.get("series", []))
                records += [
                    outer | _at(place, dims.get("observation", [])) | {"OBS_VALUE": value[0]}
                    for place, value in one["observations"].items()
                ]
        return records
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return []


def _at(key: str, dims: list[tuple[str, list[Any]]]) -> dict[str, Cell]:
    places = [int(place) for place in key.split(":") if place]
    return {name: values[place] for place, (name, values) in zip(places, dims, strict=True)}


def _of_records(records: list[dict[str, Cell]], kind: str, where: str) -> Table:
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise refuse(where, f"{kind} without records", "a list of records")
    if len(names) > WIDEST or len(records) > LONGEST:
        raise refuse(where, f"{len(records)} records of {len(names)} fields", "a smaller table")
    return Table([list(names), *([record.get(name) for name in names] for record in records)])
