"""Tables that somebody downloaded by hand: pages of China's customs as they are, others as a YAML file beside them says.

source: gacc                           # short name, for the column `source`
title: General Administration of Customs of China, monthly tables
url: http://www.customs.gov.cn/…       # the page it was downloaded from
licence: free use with attribution
authority: customs                     # as in data/figures.csv
published: 2024-01-18                  # the day that the publisher states; without it, the day of the import
encoding: gb18030                      # CSV: utf-8 unless it says otherwise
separator: ","                         # CSV
sheet: Sheet1                          # XLSX: the first unless it says otherwise
header_row: 4                          # the line with the names of the columns, counted from 1
decimal: "."
thousands: ","
missing: ["-", "…"]                    # texts that say that there is no number; blank does always
freq: M
period: {column: 月份, format: "%Y.%m"}
reporter: {is: China}
partner: {column: 国别, names: {俄罗斯: Russia, 印度: India}, others: skip}
flows:
  - {column: 出口, flow: export, unit: USD th, valuation: FOB}
  - {column: 进口, flow: import, unit: USD th, valuation: CIF}
"""

import csv
import io
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lib.errors import UserError, nearest, quote, read_bytes, shown_path
from lib.tools.sources import decode, gacc, observations
from lib.tools.sources.client import Answer, Client, Request, refuse
from lib.tools.sources.fetch import Fetched, days_known
from lib.tools.sources.publishers import Publisher, publisher
from lib.tools.sources.snapshots import Store, first_of, save

Text = Annotated[str, Field(min_length=1, max_length=500)]


class Strict(BaseModel):
    """Refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Party(Strict):
    """Reporter or partner: one for the whole table (`is`), or a column with the names in it and what they mean here."""

    always: Text | None = Field(default=None, alias="is")
    column: Text | None = None
    names: dict[str, Text] = {}
    others: Literal["refuse", "skip"] = "refuse"

    @model_validator(mode="after")
    def one_of_both(self) -> "Party":
        """Either a name or a column, with its names."""
        if (self.always is None) == (self.column is None):
            raise ValueError("either `is` or `column`")
        return self


class PeriodColumn(Strict):
    """Column with the period, and its form in the codes of `strftime`."""

    column: Text
    format: Text


class ValueColumn(Strict):
    """Column with values of one flow."""

    column: Text
    flow: Literal["total", "export", "import"]
    unit: Annotated[str, Field(pattern=r"^[A-Z]{3}( (th|mn|bn))?$")]
    valuation: Literal["", "FOB", "CIF", "FOB + CIF"] = ""


class Mapping(Strict):
    """The whole file; the module shows an example."""

    source: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,30}$")]
    title: Text
    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/\S*)?$")]
    licence: Text
    authority: Literal["customs", "statistics", "government", "press", "unstated"]
    published: date | None = None
    encoding: Text = "utf-8"
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    sheet: Text | None = None
    header_row: Annotated[int, Field(ge=1, le=1000)] = 1
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " "] = ""
    missing: list[str] = []
    freq: Literal["A", "Q", "M"]
    period: PeriodColumn
    reporter: Party
    partner: Party
    flows: Annotated[list[ValueColumn], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def marks_differ(self) -> "Mapping":
        """One mark cannot be both."""
        if self.decimal == self.thousands:
            raise ValueError("`decimal` and `thousands` are the same mark")
        return self


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises
    ------
    UserError
        Naming every field that is wrong.
    """
    return parse_mapping(read_bytes(path), shown_path(path))


def parse_mapping(content: bytes, where: str) -> Mapping:
    """Read the content of a mapping file; `where` names it in messages."""
    import yaml

    try:
        loaded = yaml.safe_load(content)
        return Mapping.model_validate(loaded)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: found no YAML that can be read ({' '.join(str(error).split())})") from None
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in one['loc']) or 'file'}: found {quote(str(one['input']))}, {one['msg']}"
            for one in error.errors()
        ]
        raise UserError("\n".join(f"{where}: {line}" for line in lines)) from None
    except (ValueError, RecursionError, TypeError) as error:  # such as a date that the calendar lacks
        raise UserError(f"{where}: found a value that is none ({error}), expected a mapping file") from None


CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

LARGEST = 200_000_000  # bytes of a workbook when unpacked

WIDEST = 1000  # columns


def import_table(table: Path, mapping_file: Path | None, *, client: Client, store: Store) -> Fetched:
    """Read a downloaded table and keep it as a snapshot.

    Parameters
    ----------
    table : .csv or .xlsx as downloaded, or a saved page of China's customs (.html).
    mapping_file : how to read it; a page of China's customs needs none.
    client, store : the clock, and where to keep.

    Returns
    -------
    Observations as `fetch.fetch` gives them, in the units of the table.

    Raises
    ------
    UserError
        For any cell that is neither a number nor marked as missing, any partner that the mapping does not name, two
        values for one period; nothing is read in part.
    """
    body, where = read_bytes(table), shown_path(table)
    if mapping_file is None:
        facts, source, media = publisher("gacc"), "gacc", gacc.HTML[0]
        if table.suffix.lower() not in (".html", ".htm"):
            raise UserError(
                f"{where}: found no mapping for it, expected one, or a page of China's customs (.html)"
            )
        rows, notes = gacc.read(body, media, where)
        rows = rows.assign(source=source, snapshot="0" * 64)
        rows = observations.check(rows.reset_index(drop=True), where)
    else:
        mapping = read_mapping(mapping_file)
        facts, source = (
            Publisher(mapping.title, mapping.url, mapping.licence, authority=mapping.authority),
            mapping.source,
        )
        media = XLSX if table.suffix.lower() == ".xlsx" else CSV
        rows, notes = read_table(body, media, mapping, where)
    request = Request(source, facts.base, "", (("file", table.name),))
    answer = Answer(facts.base, 200, (("content-type", media),), body, client.now())
    snapshot = first_of(store, request, save(store, request, answer, facts=facts))
    rows, early = observations.finished_only(rows, snapshot.day, where)
    rows = rows.assign(snapshot=snapshot.sha256, published=days_known(rows, snapshot.day))
    return Fetched(rows.sort_values(observations.KEY, ignore_index=True), [snapshot], notes + early)


def read_table(body: bytes, media: str, mapping: Mapping, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read a table into observations; their snapshot is not known yet."""
    lines = read_workbook(body, mapping, where) if media == XLSX else read_lines(body, mapping, where)
    header, cells = [text_of(cell) for cell in lines[0]], lines[1:]
    places = {name: place_of(name, header, where) for name in names_of(mapping)}
    found, skipped = [], set()
    for number, row in enumerate(cells, start=mapping.header_row + 1):
        if not any(text_of(cell) for cell in row):
            continue
        line = f"{where}:{number}"
        if len(row) != len(header):
            raise refuse(line, f"{len(row)} fields", f"{len(header)}")
        parties = [
            party_of(mapping.reporter, row, places, line),
            party_of(mapping.partner, row, places, line),
        ]
        if None in parties:
            skipped.add(" ".join(text_of(row[place]) for place in places.values())[:60])
            continue
        period = period_of(row[places[mapping.period.column]], mapping, line)
        for column in mapping.flows:
            value = value_of(row[places[column.column]], mapping, f"{line}: {column.column}")
            if value is not None:
                found.append((*parties, period, value, column))
    notes = [f"{where}: {len(skipped)} rows of other parties were left out"] if skipped else []
    table, twice = observations.without_duplicates(to_observations(found, mapping, where), where)
    return table, notes + twice


def read_lines(body: bytes, mapping: Mapping, where: str) -> list[list[Any]]:
    """Return the header and the rows of a CSV."""
    text = decode.decode_text(body, where, mapping.encoding)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mapping.separator, strict=True))
    except csv.Error as error:
        raise refuse(where, f"rows that cannot be read ({error})", "a CSV with quotes in pairs") from None
    return from_header(rows, mapping, where)


def read_workbook(body: bytes, mapping: Mapping, where: str) -> list[list[Any]]:
    """Return the header and the rows of a sheet, with the values that its formulas had when it was saved."""
    import openpyxl  # type: ignore[import-untyped]

    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > LARGEST:
            raise refuse(where, f"a workbook of {size} bytes when unpacked", f"at most {LARGEST}")
        book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
        names = book.sheetnames
        if mapping.sheet is not None and mapping.sheet not in names:
            raise refuse(where, f"no sheet {quote(mapping.sheet)}", nearest(mapping.sheet, names))
        sheet = book[mapping.sheet or names[0]]
        sheet.reset_dimensions()  # what a workbook says of its own size may be wrong
        rows = [list(row[:WIDEST]) for row in sheet.iter_rows(values_only=True)]
        book.close()
    except UserError:
        raise
    except Exception as error:  # a damaged workbook makes openpyxl raise whatever its many parts raise
        raise refuse(where, f"no workbook that can be read ({error})", "an .xlsx file") from None
    return from_header([row[: filled(row)] for row in rows], mapping, where)


def filled(row: list[Any]) -> int:
    """Return the number of cells up to the last one with something in it."""
    return max((place + 1 for place, cell in enumerate(row) if cell is not None), default=0)


def from_header(rows: list[list[Any]], mapping: Mapping, where: str) -> list[list[Any]]:
    """Return the rows from the header on, each as wide as the header where only empty cells are lacking."""
    if len(rows) < mapping.header_row:
        raise refuse(where, f"{len(rows)} rows", f"the names of the columns in row {mapping.header_row}")
    width = len(rows[mapping.header_row - 1])
    return [
        row + [None] * (width - len(row)) if row else [None] * width for row in rows[mapping.header_row - 1 :]
    ]


def text_of(cell: Any) -> str:
    """Return a cell as text without space around it."""
    return "" if cell is None else str(cell).strip()


def names_of(mapping: Mapping) -> list[str]:
    """Return the columns that a mapping names."""
    parties = [party.column for party in (mapping.reporter, mapping.partner) if party.column]
    return [*parties, mapping.period.column, *(value.column for value in mapping.flows)]


def place_of(name: str, header: list[str], where: str) -> int:
    """Return the place of a column that must be there once."""
    if header.count(name) != 1:
        raise refuse(
            where, f"the column {quote(name)} {header.count(name)} times", nearest(name, set(header) - {""})
        )
    return header.index(name)


def party_of(party: Party, row: list[Any], places: dict[str, int], line: str) -> str | None:
    """Return the reporter or partner of a row, or None where the mapping leaves it out."""
    if party.column is None:
        return party.always
    name = text_of(row[places[party.column]])
    if name in party.names:
        return party.names[name]
    if party.others == "skip":
        return None
    raise refuse(f"{line}: {party.column}", quote(name), nearest(name, party.names))


def period_of(cell: Any, mapping: Mapping, line: str) -> str:
    """Return a period as it is written here."""
    where = f"{line}: {mapping.period.column}"
    try:
        day = cell if isinstance(cell, datetime) else datetime.strptime(text_of(cell), mapping.period.format)
    except ValueError:
        raise refuse(where, quote(text_of(cell)), f"a period like {mapping.period.format}") from None
    quarter = f"-Q{(day.month + 2) // 3}"
    text = f"{day.year:04}" + {"A": "", "Q": quarter, "M": f"-{day.month:02}"}[mapping.freq]
    if observations.canonical(text, mapping.freq) is None:
        raise refuse(where, quote(text), f"a year from {observations.FIRST_YEAR} to {observations.LAST_YEAR}")
    return text


def value_of(cell: Any, mapping: Mapping, where: str) -> float | None:
    """Return a cell as a number, or None where it says that there is none; thousands must stand in threes."""
    text = text_of(cell)
    if text == "" or text in mapping.missing:
        return None
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return decode.to_number(cell, where)
    whole, point, rest = text.partition(mapping.decimal)
    if mapping.thousands and mapping.thousands in whole:
        groups = whole.removeprefix("-").split(mapping.thousands)
        if not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
            raise refuse(where, quote(text), f"thousands in threes, separated by {quote(mapping.thousands)}")
        whole = whole.replace(mapping.thousands, "")
    plain = f"{whole}{'.' if point else ''}{rest}"
    # Any mark left over means that the mapping reads the number wrongly.
    if not decode.NUMBER.fullmatch(plain):
        raise refuse(where, quote(text), f'a number with "{mapping.decimal}" before its decimals')
    return decode.to_number(plain, where)


def to_observations(found: list[tuple[Any, ...]], mapping: Mapping, where: str) -> pd.DataFrame:
    """Return checked observations."""
    columns: list[ValueColumn] = [row[4] for row in found]
    texts = {
        "reporter": [row[0] for row in found],
        "partner": [row[1] for row in found],
        "period": [row[2] for row in found],
        "flow": [column.flow for column in columns],
        "unit": [column.unit for column in columns],
        "valuation": [column.valuation for column in columns],
    }
    table = pd.DataFrame({name: pd.Series(column, dtype="str") for name, column in texts.items()})
    table = table.assign(
        value=pd.Series([row[3] for row in found], dtype="float64"),
        freq=mapping.freq,
        source=mapping.source,
        snapshot="0" * 64,
        published=mapping.published.isoformat() if mapping.published else "",
    )
    return observations.check(table, where)
