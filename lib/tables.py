"""Strict reading of the CSV tables in data/: every fault of every row is reported at once.

The checks are built from `datapackage.json`, the one description of the tables.
"""

import csv
import io
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from lib.errors import Fault, UserError, inert, list_faults, nearest, quote, read_bytes, shown_path
from lib.package import data_dir, describe

LONGEST_FIELD = 10_000  # characters; a longer field is a quote that was never closed
CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # line breaks may stand in a quoted field
# What a check finds, before the name of the file is known: line, column, found, expected.
Finding = tuple[int, str, str, str]
# A rule of one table beyond its description: line, column and what was expected, for each bad row.
Rule = Callable[[pd.DataFrame], Iterable[tuple[int, str, str]]]
Derive = Callable[[pd.DataFrame], pd.DataFrame]


def read_table(
    name: str, path: str | Path | None = None, rules: Iterable[Rule] = (), derive: Derive | None = None
) -> pd.DataFrame:
    """Read one table, checked and typed.

    Parameters
    ----------
    name : the table's name in `datapackage.json`, such as "figures".
    path : another file of the same columns; by default the table's own.
    rules : what this table must hold to beyond its description.
    derive : makes of the typed rows what is returned.

    Returns
    -------
    The table's columns, indexed by `line`, the line of the file on which a row begins. Numbers are
    float64, years Int64, dates datetime64, booleans bool; a blank string stays "".

    Raises
    ------
    UserError
        Listing the faults of all rows.
    """
    described = describe(name)
    file = Path(path) if path is not None else data_dir() / described["path"]
    referred = (key["reference"]["resource"] for key in described["schema"].get("foreignKeys", []))
    for opened in (file, *(data_dir() / describe(other)["path"] for other in set(referred) - {""})):
        # A kernel may be forked with the table in memory: who listens for files that are opened must hear of it.
        sys.audit("open", str(opened), "r", os.O_RDONLY)
    # Keys may refer to another table, so the state of all of them decides.
    return _read_once(name, file, tuple(rules), derive, file_state(file), data_state()).copy()


def read_once(path: Path, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """What `read` makes of a file, once for each state of it; do not alter what is returned."""
    sys.audit("open", str(path), "r", os.O_RDONLY)  # as above
    return _read_file(path, read, file_state(path))


@lru_cache(maxsize=64)
def _read_file(path: Path, read: Callable[[Path], pd.DataFrame], state: tuple[int, ...]) -> pd.DataFrame:
    return read(path)


def data_state() -> tuple[Any, ...]:
    """What changes when a table is written: a key for what was computed from the tables."""
    known = _AT_REST.get()
    if known:
        return known[0]
    folder = str(data_dir())
    with os.scandir(folder) as entries:
        state = (folder, *map(file_state, entries))
    if known is not None:
        known.append(state)
    return state


_AT_REST: ContextVar[list[tuple[Any, ...]] | None] = ContextVar("at_rest", default=None)


@contextmanager
def at_rest() -> Iterator[None]:
    """Within it no table is written: their state is looked up once a thread, not each of the thousand times it is asked for."""
    known = _AT_REST.get()
    token = _AT_REST.set([] if known is None else known)
    try:
        yield
    finally:
        _AT_REST.reset(token)


@lru_cache(maxsize=32)
def _read_once(
    name: str, file: Path, rules: tuple[Rule, ...], derive: Derive | None, *state: Any
) -> pd.DataFrame:
    """Read and check a table once for each state of the data folder: notebooks ask for it many times."""
    rows, faults = check_table(name, file, rules)
    if faults:
        raise UserError(list_faults(faults))
    typed = give_types(rows, describe(name)["schema"]["fields"])
    return derive(typed) if derive else typed


def file_state(file: "Path | os.DirEntry[str]") -> tuple[int, ...]:
    """What changes when a file is written: where it lies on the disk, when it was written, its size; or nothing."""
    try:
        stat = file.stat()
    except OSError:  # there is none, or who reads it says what is wrong
        return ()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def check_table(
    name: str, path: str | Path | None = None, rules: Iterable[Rule] = ()
) -> tuple[pd.DataFrame, list[Fault]]:
    """Read one table as text, indexed by line, and find all its faults, in the order of the file."""
    schema = describe(name)["schema"]
    file = Path(path) if path is not None else data_dir() / describe(name)["path"]
    rows, found = _check_content(read_bytes(file), json.dumps(schema))
    findings = [*found, *_check_references(rows, schema)]
    broken = (fault for rule in rules if not rows.empty for fault in rule(rows))
    findings += [(line, column, quote(rows[column][line]), right) for line, column, right in broken]
    faults = [Fault(shown_path(file), *finding) for finding in dict.fromkeys(findings)]
    order = {column: place for place, column in enumerate(rows.columns)}
    return rows.copy(), sorted(faults, key=lambda fault: (fault.line, order.get(fault.column, -1)))


@lru_cache(maxsize=128)
def _check_content(content: bytes, described: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Check by itself what a table holds: once for each content, since a command that writes one checks all again."""
    schema = json.loads(described)
    rows, findings = _read_rows(content, [field["name"] for field in schema["fields"]])
    own = [] if rows.empty else [*_check_fields(rows, schema["fields"]), *_check_unique(rows, schema)]
    return rows, findings + own


def _read_rows(content: bytes, names: list[str]) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the rows that have all fields, as strings by line, and the faults of the file as such."""
    text, findings = _decode(content)
    records = _split_records(text, findings)
    header = next(records, (1, []))[1]
    kept: dict[int, list[str]] = {}
    if text or not findings:
        findings += (faulty := _check_header(header, names))
        for line, record in () if faulty else records:
            findings += _check_record(line, record, header)
            if len(record) == len(header):
                kept[line] = record
    index = pd.Index(list(kept), name="line", dtype="int64")
    rows = pd.DataFrame(list(kept.values()), index=index, columns=header if kept else names, dtype="str")
    return rows[names], findings


def to_csv(frame: pd.DataFrame) -> str:
    """A table as CSV text for others to open, without its index."""
    shown = frame.rename(columns=inert)
    for place, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            shown.isetitem(place, frame.iloc[:, place].map(inert, na_action="ignore"))
    return str(shown.to_csv(index=False, lineterminator="\n"))


def _decode(content: bytes) -> tuple[str, list[Finding]]:
    """Return the text of a UTF-8 file; a byte order mark or another encoding is a fault."""
    findings: list[Finding] = []
    if content.startswith(b"\xef\xbb\xbf"):
        findings.append((1, "", "a byte order mark", "UTF-8 without one"))
        content = content[3:]
    try:
        return content.decode("utf-8"), findings
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        findings.append((line, "", f"byte 0x{content[error.start]:02x} at position {error.start}", "UTF-8"))
        return "", findings


def _split_records(text: str, findings: list[Finding]) -> Iterator[tuple[int, list[str]]]:
    """Give each record with the line on which it begins: a quoted field may run over several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            expected = f"quotes in pairs, and no field above {LONGEST_FIELD} characters"
            findings.append((line, "", f"a record that cannot be read ({error})", expected))
            return


def _check_header(header: list[str], names: list[str]) -> list[Finding]:
    """Find missing, unknown and repeated columns; a wrong separator is recognised and named."""
    if len(header) <= 1:
        marks = [word for mark, word in ((";", "semicolons"), ("\t", "tabs")) if mark in "".join(header)]
        found = " and ".join(marks) or "no columns"
        return [(1, "", found, f"columns separated by commas: {','.join(names)}")]
    strange = [name for name in header if name not in names]
    return [
        *((1, "", f"the column {quote(name)}", nearest(name, names)) for name in strange),
        *((1, name, "no such column", "it in the header") for name in names if name not in header),
        *((1, name, "the column more than once", "it once") for name in names if header.count(name) > 1),
    ]


def _check_record(line: int, record: list[str], header: list[str]) -> list[Finding]:
    """Find a wrong number of fields, overlong fields and control characters in one record."""
    if len(record) != len(header):
        return [(line, "", f"{len(record)} fields" if record else "a blank line", f"{len(header)} fields")]
    findings: list[Finding] = []
    for column, text in zip(header, record, strict=True):
        if len(text) > LONGEST_FIELD:
            findings.append((line, column, f"{len(text)} characters", f"at most {LONGEST_FIELD}"))
        if inert(text) != text:
            findings.append((line, column, quote(text), "text that a spreadsheet would not compute"))
        if match := CONTROL.search(text):
            findings.append((line, column, f"the control character {match[0]!r}", "text that can be printed"))
    return findings


def _check_fields(rows: pd.DataFrame, fields: list[dict[str, Any]]) -> list[Finding]:
    """Check every field of every row against the description, and collect all failures."""
    findings: list[Finding] = []
    for field in fields:
        column, texts = field["name"], rows[field["name"]]
        distinct = set(texts)  # columns repeat themselves
        for test, expected in _field_tests(field):
            bad = {text for text in distinct if not test(text)}
            for line, text in texts[texts.isin(bad)].items() if bad else ():
                right = nearest(text, field["constraints"]["enum"]) if expected == "enum" else expected
                findings.append((line, column, quote(text), right))
    return findings


def _field_tests(field: dict[str, Any]) -> Iterator[tuple[Callable[[str], bool], str]]:
    """Give the tests of one field, each with what it expects; only the first lets no blank pass."""
    limits = field.get("constraints", {})
    least, most = limits.get("minimum", -math.inf), limits.get("maximum", math.inf)
    is_type, expected, _ = TYPES[field["type"]]
    if limits.get("required"):
        yield bool, "a value"
    yield (lambda text: not text or is_type(text)), expected
    yield (lambda text: not _is_number(text) or float(text) >= least), f"{least} or more"
    yield (lambda text: not _is_number(text) or float(text) <= most), f"{most} or less"
    if "enum" in limits:
        yield {*limits["enum"], ""}.__contains__, "enum"
    if "pattern" in limits:
        pattern = re.compile(limits["pattern"], re.ASCII)
        yield (lambda text: not text or bool(pattern.search(text))), f"text like {field['example']}"


def _is_number(text: str) -> bool:
    """Whether a text is a finite number with a decimal point, without separators or exponent."""
    return bool(re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII)) and math.isfinite(float(text))


def is_date(text: str) -> bool:
    """Whether a text is a day of the calendar, written YYYY-MM-DD."""
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) and date.fromisoformat(text))
    except ValueError:
        return False


# The types of the description: whether a text is one, what was expected where it is not, and its kind.
TYPES: dict[str, tuple[Callable[[str], bool], str, str]] = {
    "string": (lambda text: True, "text", "str"),
    "number": (_is_number, "a number", "float64"),
    "year": (lambda text: bool(re.fullmatch(r"\d{4}", text, re.ASCII)), "a year", "Int64"),
    "date": (is_date, "a date (YYYY-MM-DD)", "datetime64[us]"),
    "boolean": (("true", "false").__contains__, "true, false or blank", "bool"),
}


def _check_unique(rows: pd.DataFrame, schema: dict[str, Any]) -> Iterator[Finding]:
    """Find keys used twice and, under a key that is only a name for the row, second copies of a row."""
    key = schema["primaryKey"]
    names = [key] if isinstance(key, str) else key
    groups = [(names, "a key used once")]
    if len(names) == 1:
        groups.append(([name for name in rows.columns if name != key], "no second copy of a row"))
    for group, expected in groups:
        first: dict[tuple[str, ...], int] = {}
        for line, *texts in rows[group].itertuples(name=None):
            if (before := first.setdefault(tuple(texts), line)) != line:
                yield line, names[0], quote(rows[names[0]][line]), f"{expected}: line {before} has the same"


def _check_references(rows: pd.DataFrame, schema: dict[str, Any]) -> Iterator[Finding]:
    """Find names that the table they refer to does not have, whatever its own faults."""
    for reference in schema.get("foreignKeys", []):
        column, target, known = reference["fields"], reference["reference"], rows
        if target["resource"]:
            other = describe(target["resource"])
            content = read_bytes(data_dir() / other["path"])
            known, _ = _check_content(content, json.dumps(other["schema"]))
        valid = set(known[target["fields"]])
        for line, text in rows.loc[~rows[column].isin(valid | {""}), column].items():
            yield line, column, quote(text), nearest(text, valid - {""})


def give_types(rows: pd.DataFrame, fields: list[dict[str, Any]]) -> pd.DataFrame:
    """Turn checked text into numbers, years, dates and booleans, of the same kind however few the rows."""
    typed = rows.copy()
    for name, kind in ((field["name"], TYPES[field["type"]][2]) for field in fields):
        if kind != "str":
            given = rows[name].where(rows[name] != "")
            typed[name] = given == "true" if kind == "bool" else given.astype(kind)
    return typed
