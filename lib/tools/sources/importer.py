"""Tables that somebody downloaded by hand, read into observations as a mapping says, strictly: what is not plain is refused."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from lib.errors import UserError, nearest, quote, shown_path
from lib.files import write_atomically
from lib.tools.sources import cells, gacc, observations
from lib.tools.sources.cells import Marks, text_of
from lib.tools.sources.client import Answer, Client, Request, refuse
from lib.tools.sources.fetch import Fetched, days_known
from lib.tools.sources.mapping import Axis, Mapping, Period, ValueColumn, to_unit, to_yaml
from lib.tools.sources.publishers import Publisher, publisher
from lib.tools.sources.snapshots import Store, first_of, place_of, record_of, save
from lib.tools.sources.tables import Cell, Table, read_file, read_tables

NAMES_OF_TENS = {0: "", 3: " th", 6: " mn", 9: " bn"}


ROLES = ("reporter", "partner", "flow", "unit", "period")
"""What is said of every value, by axes of the mapping."""


class ConflictError(UserError):
    """Two values for one period: the columns that tell their rows apart, with what stands there."""

    def __init__(self, message: str, columns: dict[str, list[str]]) -> None:
        self.columns = columns
        super().__init__(message)


Observed = tuple[pd.DataFrame, list[str]]


@dataclass(frozen=True)
class Column:
    """One column of values, with what the rows of names above it say."""

    place: int
    name: str
    value: ValueColumn
    said: dict[str, str]


def read_table(body: bytes, mapping: Mapping, where: str) -> Observed:
    """Read a file into observations; their snapshot is not known yet.

    Returns
    -------
    Frame as `observations.check` gives it, and notes.

    Raises
    ------
    UserError
        For any cell that is neither a number nor marked as missing, any partner that the mapping does not name, two
        values for one period; nothing is read in part.
    """
    if not body.strip():
        raise refuse(where, "0 rows", f"the names of the columns in row {_rows_of_names(mapping)[-1]}")
    tables = read_tables(body, where, mapping.encoding, mapping.separator, mapping.sheet)
    return read_rows(tables[0], mapping, where)


def read_rows(table: Table, mapping: Mapping, where: str) -> Observed:
    """Read a table into observations, as `read_table`."""
    names, first = header_of(table, mapping, where)
    reader = Reader(table, mapping, where, names, first)
    return reader.observations()


def _rows_of_names(mapping: Mapping) -> list[int]:
    given = mapping.header_row
    return [given] if isinstance(given, int) else list(given or [1])


def header_of(table: Table, mapping: Mapping, where: str) -> tuple[dict[int, list[str]], int]:
    """Return the rows of names, by number, and the number of the first row of values.

    Without `header_row`, the first row that has every name; names of an upper row reach to the right up to the next.
    """
    rows = table.rows
    if mapping.header_row == 0:
        width = max(map(len, rows))
        return {0: [str(place + 1) for place in range(width)]}, 1
    numbers = _rows_of_names(mapping)
    if mapping.header_row is None:
        wanted = set(columns_named(mapping))
        axes = [
            one.row
            for one in (mapping.period, mapping.reporter, mapping.partner, mapping.flow, mapping.unit)
            if one and one.row
        ]
        found = next(
            (n for n, row in enumerate(rows[:60], 1) if wanted and wanted <= {text_of(cell) for cell in row}),
            1,
        )
        numbers = sorted({*axes, found}) if wanted or not axes else sorted(set(axes))
    if len(rows) < numbers[-1]:
        raise refuse(where, f"{len(rows)} rows", f"the names of the columns in row {numbers[-1]}")
    width = max(len(rows[number - 1]) for number in numbers)
    names = {
        number: [text_of(cell) for cell in rows[number - 1]] + [""] * (width - len(rows[number - 1]))
        for number in numbers
    }
    for number in numbers[:-1]:
        for place in range(1, width):
            names[number][place] = names[number][place] or names[number][place - 1]
    return names, numbers[-1] + 1


def columns_named(mapping: Mapping) -> list[str]:
    """Return the columns that a mapping names."""
    axes = [
        axis
        for axis in (mapping.reporter, mapping.partner, mapping.period, mapping.flow, mapping.unit)
        if axis
    ]
    named = [name for axis in axes for name in axis.columns] + [
        one.column for one in mapping.flows if one.column
    ]
    return list(dict.fromkeys([*named, *mapping.rows, *mapping.fill]))


class Reader:
    """A table under a mapping."""

    def __init__(
        self, table: Table, mapping: Mapping, where: str, names: dict[int, list[str]], first: int
    ) -> None:
        self.table, self.mapping, self.where, self.names, self.first = table, mapping, where, names, first
        self.width = len(next(iter(names.values())))
        self.notes = list(table.notes)
        self.places = {name: self.place_of(name) for name in columns_named(mapping)}
        axes = [axis for role in ROLES if (axis := getattr(mapping, role))]
        self.axis_places = {id(axis): [self.places[name] for name in axis.columns] for axis in axes}
        self.known: dict[tuple[str, str, str | None], str | None] = {}
        self.seen: dict[str, set[str]] = {"reporter": set(), "partner": set(), "flow": set(), "unit": set()}

    def place_of(self, name: str) -> int:
        """Return the place of a column that must be there once: by its name, else by its number or letter."""
        levels = list(self.names.values())
        last = [
            next((level[place] for level in reversed(levels) if level[place]), "")
            for place in range(self.width)
        ]
        whole = [
            " ".join(dict.fromkeys(level[place] for level in levels if level[place]))
            for place in range(self.width)
        ]
        for header in (whole, last, *levels):
            if header.count(name) == 1:
                return header.index(name)
        if 0 in self.names and re.fullmatch("[A-Z]{1,2}", name):
            place = sum((ord(letter) - 64) * 26**power for power, letter in enumerate(reversed(name))) - 1
            if place < self.width:
                return place
        hint = (
            "; columns without names are called by their place where the mapping says header_row: 0"
            if name.isdigit()
            else ""
        )
        times = max(whole.count(name), last.count(name))
        raise refuse(
            self.where, f"the column {quote(name)} {times} times", nearest(name, {*whole} - {""}) + hint
        )

    def columns(self) -> list[Column]:
        """Return the columns of values."""
        axes = {
            name: axis
            for name in ("period", "reporter", "partner", "flow", "unit")
            if (axis := getattr(self.mapping, name)) and axis.row
        }
        used = {
            self.places[name]
            for axis in (
                self.mapping.period,
                self.mapping.reporter,
                self.mapping.partner,
                self.mapping.flow,
                self.mapping.unit,
            )
            if axis
            for name in axis.columns
        }
        used |= {self.places[name] for name in (*self.mapping.rows, *self.mapping.fill)}
        found = []
        for value in self.mapping.flows:
            places = (
                [self.places[value.column]]
                if value.column
                else [place for place in range(self.width) if place not in used]
            )
            for place in places:
                said = {name: self.level(axis.row, place) for name, axis in axes.items()}
                if value.column is None and not self.means(said):
                    continue
                name = " ".join(dict.fromkeys(level[place] for level in self.names.values() if level[place]))
                found.append(Column(place, value.column or name, value, said))
        if not found:
            raise refuse(self.where, "no column of values", "names above them as the mapping says")
        return found

    def level(self, row: int | None, place: int) -> str:
        """Return what a row of names says above a column."""
        if row not in self.names:
            raise refuse(
                self.where, f"row {row} outside the rows of names", f"one of header_row: {[*self.names]}"
            )
        return self.names[row][place]

    def means(self, said: dict[str, str]) -> bool:
        """Whether the names above a column make it one of values."""
        if "period" in said and not cells.read_period(said["period"]) and not self.mapping.period.format:
            return False
        if "flow" in said and not self.said_of("flow", self.mapping.flow, said["flow"]):
            return False
        return bool(said) and all(said.values())

    # --- rows ---

    def observations(self) -> Observed:
        """Return checked observations, and notes."""
        mapping, columns = self.mapping, self.columns()
        self.refuse_units_unused(columns)
        missing = set(mapping.missing)
        axes = {role: axis for role in ROLES if (axis := getattr(mapping, role))}
        found, skipped, bare = [], set[int](), list[int]()
        for number, row in self.rows():
            values = [(column, text) for column in columns if (text := text_of(row[column.place]))]
            if not values:
                bare += [number] if any(text_of(cell) for cell in row) else []
                continue
            said = {role: self.text_at(axis, row) for role, axis in axes.items()}
            for column, text in values:
                if text in missing:
                    continue
                means = [self.meaning(role, column, said, number) for role in ("reporter", "partner", "flow")]
                if None in means:
                    skipped.add(number)
                    continue
                period, unit = self.period_said(column, said, row), self.meaning("unit", column, said, number)
                found.append((number, column, *means, period, row[column.place], unit))
        found = self.with_periods(found)
        if skipped:
            self.notes.append(f"{self.where}: {len(skipped)} rows of other parties were left out")
        last = max((one[0] for one in found), default=0)
        if below := [number for number in bare if number > last]:
            self.notes.append(
                f"{self.where}: {len(below)} rows below the table, from row {below[0]} on, hold no values and were left out"
            )
        self.note_names_not_found()
        return self.checked(found)

    def rows(self) -> "Any":
        """Yield the rows that count, with their numbers, as wide as the names; blanks of `fill` continue what is above."""
        mapping, filled = (
            self.mapping,
            dict[int, Cell]({self.places[name]: None for name in self.mapping.fill}),
        )
        wanted = {
            self.places[name]: {texts} if isinstance(texts, str) else set(texts)
            for name, texts in mapping.rows.items()
        }
        for number, row in enumerate(self.table.rows[self.first - 1 : mapping.last_row], start=self.first):
            if len(row) < self.width:
                row = row + [None] * (self.width - len(row))
            elif len(row) > self.width and any(text_of(cell) for cell in row[self.width :]):
                raise refuse(f"{self.where}:{number}", f"{len(row)} fields", f"{self.width}")
            if mapping.until and text_of(next((cell for cell in row if text_of(cell)), None)).startswith(
                mapping.until
            ):
                return
            if filled:
                row = list(row)
                for place, above in filled.items():
                    row[place] = row[place] if text_of(row[place]) else above
                    filled[place] = row[place]
            if all(text_of(row[place]) in texts for place, texts in wanted.items()):
                yield number, row

    def refuse_units_unused(self, columns: list[Column]) -> None:
        """Refuse a table with a column of units that differ, where the mapping does not use it."""
        used = {*self.places.values(), *(column.place for column in columns)}
        names = next(reversed(self.names.values()))
        for place in {*range(self.width)} - used if self.mapping.unit is None else ():
            texts = {
                text_of(row[place])
                for row in self.table.rows[self.first - 1 : self.first + 5000]
                if place < len(row)
            } - {""}
            if 2 <= len(texts) <= 20 and all(cells.read_unit(text)[1] is not None for text in texts):
                raise refuse(
                    f"{self.where}: {names[place]}",
                    f"units that differ ({', '.join(sorted(texts)[:3])})",
                    f"`unit: {{column: {names[place]}}}` in the mapping",
                )

    def text_at(self, axis: Axis, row: list[Cell]) -> str:
        """Return what stands in a row at the columns of an axis, or for the whole table; blank where names say it alone."""
        if axis.always is not None:
            return axis.always
        places = self.axis_places[id(axis)]
        return (
            text_of(row[places[0]])
            if len(places) == 1
            else " ".join(text_of(row[one]) for one in places).strip()
        )

    def meaning(self, role: str, column: Column, said: dict[str, str], number: int) -> str | None:
        """Return the reporter, partner, flow or unit of a value, or None where the mapping leaves it out."""
        axis: Axis | None = getattr(self.mapping, role)
        own = column.value.flow if role == "flow" else column.value.unit if role == "unit" else None
        if axis is None or (own and role == "flow"):
            return own
        if axis.always is not None:
            return own or axis.always
        text = column.said[role] if axis.row else said[role]
        key = (role, text, own)
        if key not in self.known:
            self.seen[role].add(text)
            self.known[key] = (
                self.unit(axis, text, own, number) if role == "unit" else self.named(role, axis, text, number)
            )
        return self.known[key]

    def said_of(self, role: str, axis: Axis | None, text: str) -> str:
        """Return what a text means, by the names of the mapping, else by what is known; blank for nothing."""
        if axis and text in axis.names:
            return axis.names[text]
        if axis and axis.names:
            return ""
        return (cells.read_flow(text) or "") if role == "flow" else cells.read_place(text)

    def named(self, role: str, axis: Axis, text: str, number: int) -> str | None:
        """Return what a text means; one that means nothing is left out where the mapping says so, else refused."""
        if found := self.said_of(role, axis, text):
            return found
        if axis.others == "skip":
            return None
        expected = (
            nearest(text, axis.names)
            if axis.names
            else "a name that is known here, or `names` in the mapping"
        )
        raise refuse(f"{self.where}:{number}: {', '.join(axis.columns) or role}", quote(text), expected)

    def unit(self, axis: Axis, text: str, own: str | None, number: int) -> str:
        """Return the unit of a row: its text, or the currency of the column with the power of ten of the row."""
        if text in axis.names:
            return axis.names[text]
        currency, ten = cells.read_unit(text)
        if ten is None and re.fullmatch(r"\d{1,2}", text):
            ten = int(text)
        if ten is None and (currency or text.casefold() in ("units", "unit")):
            ten = 0
        currency = currency or (to_unit(own)[0] if own else "")
        if ten is None or not currency:
            raise refuse(
                f"{self.where}:{number}: {', '.join(axis.columns)}",
                quote(text),
                "a unit, or its name in `names`",
            )
        return f"{currency} {power(ten)}".strip()

    def period_said(self, column: Column, said: dict[str, str], row: list[Cell]) -> Any:
        """Return a period as it stands there: a day, or text."""
        axis = self.mapping.period
        places = self.axis_places[id(axis)]
        if len(places) == 1 and not axis.row and isinstance(row[places[0]], date):
            return row[places[0]]
        return f"{said['period']} {column.said['period']}".strip() if axis.row else said["period"]

    def with_periods(self, found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return the values with periods as observations write them."""
        lines: dict[Any, int] = {}
        for one in found:
            lines.setdefault(one[5], one[0])
        place = ", ".join(self.mapping.period.columns) or "period"
        periods = read_periods(
            list(lines),
            self.mapping.period,
            self.mapping.freq,
            lambda text: f"{self.where}:{lines[text]}: {place}",
        )
        kept = [
            (*one[:5], periods[one[5]], *one[6:], cells.flag_of(text_of(one[5])))
            for one in found
            if periods[one[5]]
        ]
        if len(kept) < len(found):
            self.notes.append(f"{self.where}: {len(found) - len(kept)} values of other periods were left out")
        return kept

    def note_names_not_found(self) -> None:
        """Note names of the mapping that stand nowhere in the table."""
        for role in ("reporter", "partner", "flow", "unit"):
            axis = getattr(self.mapping, role)
            for name in [name for name in axis.names if name not in self.seen[role]] if axis else []:
                near = nearest(name, self.seen[role]) if self.seen[role] else "nothing"
                self.notes.append(
                    f"{self.where}: the {role} {quote(name)} of the mapping stands nowhere in the table; there is {near}"
                )

    # --- values ---

    def checked(self, found: list[tuple[Any, ...]]) -> Observed:
        """Return values as checked observations."""
        marks = self.marks([one[6] for one in found if isinstance(one[6], str)])
        rows, flags = [], dict[str, int]()
        for number, column, reporter, partner, flow, period, cell, unit, flag in found:
            value = self.number(cell, marks, number, column)
            if value is None:
                continue
            if value.value < 0:
                raise refuse(
                    f"{self.where}:{number}: {column.name}",
                    f"value {quote(str(value.value))}",
                    "0 or more: a flow is never negative, a balance is none",
                )
            amount, unit = in_known_unit(value.value, unit)
            if flag := value.flag or flag:
                flags[flag] = flags.get(flag, 0) + 1
            status, note = self.status(flag) if flag else ("ok", "")
            rows.append(
                (number, reporter, partner, flow, period, amount, unit, column.value.valuation, status, note)
            )
        if flags:
            words = [f"{count} with {flag}" for flag, count in sorted(flags.items())]
            self.notes.append(f"{self.where}: values with flags, kept in their notes: {', '.join(words)}")
        return self.to_observations(rows)

    def marks(self, texts: list[str]) -> Marks:
        """Return the marks of the numbers: said by the mapping, else found; two possible readings are refused, or told."""
        mapping = self.mapping
        try:
            found, unclear = cells.find_marks(texts)
        except ValueError as error:
            if mapping.decimal is None:
                raise refuse(self.where, f"{error}", "`decimal` and `thousands` in the mapping") from None
            found, unclear = Marks(), ""
        if mapping.decimal is None and mapping.thousands is None and unclear:
            if "," in unclear:
                raise refuse(
                    self.where,
                    quote(unclear),
                    '`thousands: ","` or `decimal: ","` in the mapping: it can be read in two ways',
                )
            self.notes.append(
                f'{self.where}: three digits stand after every point, as in {quote(unclear)}: if these are thousands, the mapping must say `thousands: "."`'
            )
        decimal = mapping.decimal or (
            {",": "."}.get(mapping.thousands or "")
            or (found.decimal if mapping.thousands is None else "." if mapping.thousands != "." else ",")
        )
        thousands = (
            mapping.thousands
            if mapping.thousands is not None
            else (found.thousands if mapping.decimal is None or found.decimal == decimal else "")
        )
        return Marks(decimal, thousands)

    def number(self, cell: Cell, marks: Marks, number: int, column: Column) -> cells.Number | None:
        """Return the number of a cell, or None where the mapping says that there is none."""
        text = text_of(cell)
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            found: cells.Number | str = cells.Number(float(cell))
        else:
            found = cells.read_number(text, marks)
            if isinstance(found, str) and cells.without_flag(text) in self.mapping.missing:
                return None
        if isinstance(found, str) or not math.isfinite(found.value):
            expected = found if isinstance(found, str) else "a finite number"
            raise refuse(f"{self.where}:{number}: {column.name}", quote(text), expected)
        return found

    def status(self, flag: str) -> tuple[str, str]:
        """Return the status and the note of a flag."""
        status = (cells.FLAGS | self.mapping.flags).get(flag, "ok")
        return status, f"printed with the flag {flag}" + (f" ({status})" if status != "ok" else "")

    def to_observations(self, rows: list[tuple[Any, ...]]) -> Observed:
        """Return checked observations; values that contradict one another are refused, with the columns that tell them apart."""
        names = [
            "line",
            "reporter",
            "partner",
            "flow",
            "period",
            "value",
            "unit",
            "valuation",
            "status",
            "note",
        ]
        kinds = {"value": "float64", "line": "int64"}
        columns = zip(*rows, strict=True) if rows else ([] for _ in names)
        table = pd.DataFrame(
            {
                name: pd.Series(list(column), dtype=kinds.get(name, "str"))
                for name, column in zip(names, columns, strict=True)
            }
        )
        mapping = self.mapping
        table = table.assign(
            freq=mapping.freq,
            source=mapping.source,
            snapshot="0" * 64,
            published=mapping.published.isoformat() if mapping.published else "",
        )
        lines = table.pop("line")
        self.refuse_conflicts(table, lines)
        checked = observations.check(table, self.where)
        rows_, twice = observations.without_duplicates(checked, self.where)
        self.note_lonely_months(rows_)
        return rows_.reset_index(drop=True), self.notes + twice

    def refuse_conflicts(self, table: pd.DataFrame, lines: pd.Series) -> None:
        """Refuse two values for one period, with the column in which their rows differ."""
        different = table.drop_duplicates([*observations.KEY, "value"])
        twice = different.duplicated(observations.KEY, keep=False)
        if not twice.any():
            return
        case = different[twice].iloc[0]
        same = (different[observations.KEY] == case[observations.KEY]).all(axis=1)
        numbers = [int(line) for line in lines[different.index[same]]]
        texts = [[text_of(cell) for cell in self.table.rows[number - 1]] for number in numbers[:200]]
        used = {self.places[name] for name in columns_named(self.mapping)}
        names = next(reversed(self.names.values()))
        values = {
            place for place, name in enumerate(names) if name in {one.column for one in self.mapping.flows}
        }
        apart = {
            name: list(dict.fromkeys(row[place] for row in texts if place < len(row)))
            for place, name in enumerate(names)
            if place not in used | values and name
        }
        apart = {name: found for name, found in apart.items() if len(found) > 1}
        hint = (
            f"; the rows differ in the column {', '.join([*apart][:3])}: say which in the mapping, as `rows` or as `flow`"
            if apart
            else ""
        )
        raise ConflictError(
            f"{self.where}: found {observations.conflict_in_words(different[same])}, expected one value{hint}",
            apart,
        )

    def note_lonely_months(self, rows: pd.DataFrame) -> None:
        """Note months or quarters that look like years."""
        if self.mapping.freq == "A" or rows.empty:
            return
        year = rows["period"].str[:4]
        per_year = rows.groupby([*observations.KEY[:3], year.rename("year")]).size()
        if per_year.max() == 1 and len(set(year)) > 1 and len(set(rows["period"].str[4:])) == 1:
            self.notes.append(
                f"{self.where}: one value a year, always of {rows['period'].iloc[0][5:]}, yet freq is {self.mapping.freq}: are these years? then `freq: A`"
            )


def power(ten: int) -> str:
    """Return the words of a power of ten that `cells.read_unit` reads."""
    return {
        0: "",
        3: "thousand",
        4: "万",
        5: "lakh",
        6: "million",
        7: "crore",
        8: "亿",
        9: "billion",
        10: "百亿",
        11: "千亿",
        12: "trillion",
    }.get(ten, "") or ("" if ten == 0 else f"10^{ten}")


def in_known_unit(value: float, unit: str) -> tuple[float, str]:
    """Return a value in one of the units of observations: others become millions, no digit changed."""
    currency, ten = to_unit(unit)
    if ten in NAMES_OF_TENS:
        return value, currency + NAMES_OF_TENS[ten]
    return float(Decimal(repr(value)).scaleb(ten - 6)), f"{currency} mn"


# --- periods ---


def read_periods(texts: list[Any], axis: Period, freq: str, where: Callable[[Any], str]) -> dict[Any, str]:
    """Return the periods of a column as observations write them, by what stands there; blank for those that are left out.

    Raises
    ------
    UserError
        For a text that is none, or a fiscal year of which the mapping does not say in which month it begins.
    """
    october = _october(texts)
    found = {}
    for text in texts:
        period = read_period(october.get(text, text), axis, freq, where(text))
        if period and not cells.in_range(period):
            raise refuse(where(text), quote(period), f"a year from {cells.FIRST_YEAR} to {cells.LAST_YEAR}")
        found[text] = period
    for text in texts:
        if text in october and october[text] == "":
            raise refuse(
                where(text),
                quote(str(text)),
                "January as 01 or October as 10: stored as a number it may be either",
            )
    return found


def _october(texts: list[Any]) -> dict[Any, str]:
    """Of months stored as numbers, 2023.1 for 2023.10, by what the others look like: 2023.09 beside it, or 2023.9."""
    plain = [text for text in texts if isinstance(text, str) and re.fullmatch(r"\d{4}\.\d{1,2}", text)]
    short = [text for text in plain if text.endswith(".1")]
    if not short or len(plain) < len(texts):
        return {}
    if any(re.fullmatch(r"\d{4}\.[2-9]", text) for text in plain):
        return {}
    padded = any(re.fullmatch(r"\d{4}\.0\d", text) for text in plain)
    return {text: f"{text}0" if padded else "" for text in short}


def read_period(text: Any, axis: Period, freq: str, where: str) -> str:
    """Return one period as observations write it, blank where it is left out."""
    if isinstance(text, date):
        return cells.as_period(text.isoformat()[:10], freq)
    kinds = cells.read_period(text)
    if axis.format and not (freq == "A" and "F" in kinds):
        return _by_format(text, axis, freq, where)
    if freq == "A" and "F" in kinds:
        if axis.fiscal is None:
            raise refuse(
                where,
                f"the fiscal year {quote(text)}",
                "`fiscal: 4` in the mapping, the month in which it begins (1: calendar years)",
            )
        return cells.fiscal_span(kinds["F"], axis.fiscal)
    if freq == "A" and "A" in kinds and axis.fiscal:
        return cells.fiscal_span(kinds["A"], axis.fiscal)
    if freq in kinds:
        return kinds[freq]
    if freq == "M" and "m" in kinds and axis.year:
        return f"{axis.year}-{kinds['m']}"
    if freq == "Q" and (match := re.fullmatch(r"(\d{4}) ([1-4])", text)):
        return f"{match[1]}-Q{match[2]}"
    if "D" in kinds:
        return cells.as_period(kinds["D"], freq)
    if axis.others == "skip":
        return ""
    hint = "; `year:` says of which year a month is" if "m" in kinds else ""
    raise refuse(
        where,
        quote(text),
        f"a {observations.FREQUENCIES[freq].replace('annual', 'year').replace('ly', '')}{hint}",
    )


def _by_format(text: str, axis: Period, freq: str, where: str) -> str:
    assert axis.format is not None
    for one in (text, cells.without_marks(text)):
        try:
            day = datetime.strptime(one, axis.format)
        except ValueError:
            continue
        return cells.as_period((day.replace(year=axis.year) if axis.year else day).date().isoformat(), freq)
    if axis.others == "skip":
        return ""
    raise refuse(where, quote(text), f"a period like {axis.format}")


# --- a file as the answer of a publisher ---


@dataclass(frozen=True)
class Imported:
    """A file that was read: nothing of it is kept yet.

    Parameters
    ----------
    fetched : observations as `fetch.fetch` gives them, in the units of the table, with the snapshot that will be kept.
    request, answer, facts : the file as a question that was answered.
    mapping : how it was read; None for a page of China's customs.
    """

    fetched: Fetched
    request: Request
    answer: Answer
    facts: Publisher
    mapping: Mapping | None


def read_import(
    table: Path, mapping: Mapping | None, client: Client, store: Store, observed: Observed | None = None
) -> Imported:
    """Read a downloaded table, or without a mapping a saved page of China's customs.

    Parameters
    ----------
    table : the file, of any kind that `tables` reads.
    client, store : the clock, and what was kept before: a file that came before is known from then on.
    observed : what the mapping makes of the table, where somebody has read it already.

    Raises
    ------
    UserError
        As `read_table`; also for a publication in the future.
    """
    body, where = read_file(table), shown_path(table)
    if mapping is None:
        facts, source = publisher("gacc"), "gacc"
        rows, notes = gacc.read(body, gacc.HTML[0], where)
        rows = observations.check(rows.assign(source=source, snapshot="0" * 64).reset_index(drop=True), where)
    else:
        facts = Publisher(mapping.title, mapping.url, mapping.licence, authority=mapping.authority)
        source = mapping.source
        rows, notes = observed or read_table(body, mapping, where)
    request = Request(source, facts.base, "", (("file", table.name),))
    answer = Answer(facts.base, 200, (), body, client.now())
    snapshot = first_of(store, request, record_of(request, answer, facts))
    stated = mapping.published.isoformat() if mapping and mapping.published else ""
    if stated > client.now().date().isoformat():
        raise UserError(f"published: found {stated}, expected a day that has come")
    rows, early = observations.finished_only(rows, min(stated or snapshot.day, snapshot.day), where)
    rows = rows.assign(snapshot=snapshot.sha256, published=days_known(rows, snapshot.day))
    fetched = Fetched(rows.sort_values(observations.KEY, ignore_index=True), [snapshot], notes + early)
    return Imported(fetched, request, answer, facts, mapping)


def keep(imported: Imported, store: Store) -> Path | None:
    """Keep a file that was read, and beside its record the mapping; return where that lies."""
    snapshot = save(store, imported.request, imported.answer, facts=imported.facts)
    if imported.mapping is None:
        return None
    path = place_of(store, snapshot).with_suffix(".yml")
    write_atomically(path, to_yaml(imported.mapping))
    return path
