"""Workbooks as tables of cells, by calamine: what merged cells say stands in each of them; bounded in size."""

import io
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import reduce
from html import unescape
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.tools.sources.client import refuse

LARGEST = 200_000_000  # bytes of a file, and of a workbook when unpacked
WIDEST = 2_000  # columns
LONGEST = 1_100_000  # rows
MOST = 20_000_000  # cells of a sheet, empty ones between others counted

Cell = str | float | int | datetime | date | None


@dataclass
class Table:
    """Rows of cells, of any length, and where they stood."""

    rows: list[list[Cell]]
    name: str = ""  # of the sheet; blank where there is one table alone
    separator: str = ""  # of a CSV, as its encoding
    encoding: str = ""
    notes: list[str] = field(default_factory=list)  # such as of formulas without values


def read_workbook(body: bytes, where: str) -> list[Table]:
    """Return the visible sheets of an xlsx, xlsm, xlsb, xls or ods, by calamine."""
    import python_calamine

    old = body.startswith(b"\xd0\xcf")
    words = "an old Excel file (.xls)" if old else "a workbook"
    notes = {} if old else _look_inside(body, where)
    try:
        with _quiet():
            book = python_calamine.load_workbook(io.BytesIO(body))
            seen = [one for one in book.sheets_metadata if str(one.visible).endswith("Visible")]
            names = [one.name for one in seen if str(one.typ).endswith("WorkSheet")]
            tables = [_sheet(book.get_sheet_by_name(name), name, where) for name in names]
    except UserError:
        raise
    except python_calamine.PasswordError:
        raise refuse(where, f"{words} with a password", "one without") from None
    except BaseException as error:  # damaged workbooks raise whatever the many parts of a reader raise
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        hint = "; saved as .xlsx it may be read" if old else ""
        raise _damaged(where, f"{words}: {str(error)[:200]}{hint}") from None
    for table in tables:
        table.notes += notes.get(table.name, [])
    return tables


def _damaged(where: str, why: str) -> UserError:
    return refuse(where, f"no workbook that can be read ({why})", "an .xlsx, .xlsm, .xls or .ods file")


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on standard error meanwhile: the reader, which is of Rust, prints a panic before it raises it."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _sheet(sheet: Any, name: str, where: str) -> Table:
    if sheet.total_width > WIDEST * 9 or sheet.total_height * max(sheet.total_width, 1) > MOST:
        found = f"a sheet of {sheet.total_height} rows and {sheet.total_width} columns"
        raise refuse(where, found, "a smaller table")
    read = sheet.to_python(skip_empty_area=False)
    rows = [[None if cell == "" else cell for cell in row[:WIDEST]] for row in read]
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        if bottom >= len(rows) or (bottom - top + 1) * (right - left + 1) > 100_000:
            continue
        for row in rows[top : bottom + 1]:
            for column in range(left, min(right + 1, len(row))):
                row[column] = rows[top][left]
    return Table(rows, name)


_CELL = re.compile(rb"<(?:\w+:)?(c|row)\b([^<>]*?)(/?)>")
_PLACE = re.compile(rb'\br="([A-Z]*)(\d+)"')
_BARE = re.compile(
    rb"<(?:\w+:)?f\b[^>]*?(?:/>|>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)


def _look_inside(body: bytes, where: str) -> dict[str, list[str]]:
    """Refuse a workbook that says to be larger than it is; note formulas whose values were never stored, by sheet."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            parts = archive.infolist()
            if (size := sum(part.file_size for part in parts)) > LARGEST:
                raise refuse(where, f"a workbook of {size} bytes when unpacked", f"at most {LARGEST}")
            texts = {
                part.filename: archive.read(part)
                for part in parts
                if re.search(r"sheets/[^/]*\.xml$|^content\.xml$|workbook\.xml(\.rels)?$", part.filename)
            }
    except UserError:
        raise
    except Exception as error:  # a damaged archive makes zipfile and zlib raise whatever they raise
        raise _damaged(where, str(error)[:200]) from None
    for name, text in texts.items():
        if "sheets/" in name:
            _check_places(text, where)
        elif name == "content.xml":
            _check_repeats(text, where)
    return _bare_formulas(texts)


def _check_places(text: bytes, where: str) -> None:
    rows: set[bytes] = set()
    last, widest = 0, 0
    for found in _CELL.finditer(text):
        if not (place := _PLACE.search(found[2])):
            continue
        letters, number = place.groups()
        last = max(last, int(number[:12]))
        widest = max(widest, reduce(lambda number, letter: number * 26 + letter - 64, letters[:9], 0))
        if found[1] == b"row":
            if number in rows:
                raise refuse(where, f"two rows with the number {number[:12].decode()}", "each once")
            rows.add(number)
    if last > LONGEST or widest > 16_384 or last * max(widest, 1) > MOST:
        raise refuse(where, f"a cell in row {last} and column {widest}", f"a table of at most {MOST} cells")


def _check_repeats(text: bytes, where: str) -> None:
    """Of an ods: a filled cell or row that stands for many."""
    cells = 0
    for row in re.split(rb"<table:table-row", text)[1:]:
        head, *columns = row.split(b"<table:table-cell")
        wide = sum(_repeat(one, b"columns") for one in columns if b"value" in one or b"<text:p" in one)
        cells += wide * _repeat(head, b"rows")
    if cells > MOST:
        raise refuse(where, f"{cells} cells", f"at most {MOST}")


def _repeat(tag: bytes, what: bytes) -> int:
    found = re.search(rb"number-" + what + rb'-repeated="(\d{1,12})"', tag.partition(b">")[0])
    return int(found[1]) if found else 1


def _bare_formulas(texts: dict[str, bytes]) -> dict[str, list[str]]:
    """Notes by name of sheet; cells with a formula but no value, which a program wrote that does not calculate."""
    targets = dict(_pairs(texts.get("xl/_rels/workbook.xml.rels", b""), rb"Id", rb"Target"))
    notes = {}
    for name, relation in _pairs(texts.get("xl/workbook.xml", b""), rb"name", rb"r:id"):
        text = texts.get("xl/" + targets.get(relation, "").removeprefix("/xl/"), b"")
        if bare := len(_BARE.findall(text)):
            words = f"{bare} cells hold a formula whose value was never stored, and count as blank"
            notes[name] = [f"{words}: open the file in a spreadsheet and save it"]
    return notes


def _pairs(text: bytes, one: bytes, other: bytes) -> Iterator[tuple[str, str]]:
    for tag in re.findall(rb"<(?:\w+:)?(?:sheet|Relationship)\b[^>]*>", text):
        values = [re.search(rb"\b" + name + rb'="([^"]*)"', tag) for name in (one, other)]
        if values[0] and values[1]:
            yield unescape(values[0][1].decode("utf-8", "replace")), values[1][1].decode("utf-8", "replace")
