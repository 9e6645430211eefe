"""A table under its mapping, read into observations, strictly: what is not plain is refused, nothing is read in part."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from lib.economies import read_unit
from lib.errors import UserError, nearest, quote, some
from lib.tools.sources import cells, observations
from lib.tools.sources.cells import Marks, flag_of, read_period, read_periods, text_of
from lib.tools.sources.client import refuse
from lib.tools.sources.mapping import Mapping, ValueColumn, to_unit
from lib.tools.sources.tables import Cell, Table, joined, read_tables, spread

Observed = tuple[pd.DataFrame, list[str]]
"""Observations as `observations.check` gives them, their snapshot not known yet; and notes."""


class ConflictError(UserError):
    """Two values for one period: the columns that tell their rows apart, with what stands there."""

    def __init__(self, message: str, columns: dict[str, list[str]]) -> None:
        self.columns = columns
        super().__init__(message)


def read_table(body: bytes, mapping: Mapping, where: str) -> Observed:
    """Read a file into observations; texts of no known meaning, and two values for one period, are refused."""
    about = mapping.encoding, mapping.separator, mapping.sheet
    table = read_tables(body, where, *about)[0] if body.strip() else Table([])
    return Reader(table, mapping, where).observations()


def _names_of(table: Table, mapping: Mapping, where: str) -> tuple[dict[int, list[str]], int]:
    """Return the rows of names, by number, and the first row of values; without `header_row` the first that has every name."""
    rows, given = table.rows, mapping.header_row
    numbers = [given] if isinstance(given, int) else list(given or [1])
    if numbers == [0]:
        return {0: [str(place + 1) for place in range(max(map(len, rows), default=0))]}, 1
    if given is None:
        wanted, axes = {*mapping.columns}, {row for axis in mapping.axes.values() for row in axis.levels}
        has_all = (n for n, row in enumerate(rows[:60], 1) if wanted <= {*map(text_of, row)})
        numbers = sorted(axes | {next(has_all, 1)} if wanted or not axes else axes)
    if len(rows) < numbers[-1]:
        raise refuse(where, f"{len(rows)} rows", f"the names of the columns in row {numbers[-1]}")
    width = max(len(rows[number - 1]) for number in numbers)
    texts = [[*map(text_of, rows[n - 1]), *[""] * (width - len(rows[n - 1]))] for n in numbers]
    return dict(zip(numbers, spread(texts), strict=True)), numbers[-1] + 1


class Column(NamedTuple):
    """One column of values, with what the rows of names above it say, by role."""

    place: int
    name: str
    value: ValueColumn
    said: dict[str, str]


class Found(NamedTuple):
    """A value as it stands in the table, and what is said of it: its period as it stands there, its currency and power of ten."""

    line: int
    column: Column
    cell: Cell
    text: str
    period: Any
    reporter: str
    partner: str
    flow: str
    unit: tuple[str, int]


class Reader:
    """A table under a mapping."""

    def __init__(self, table: Table, mapping: Mapping, where: str) -> None:
        self.table, self.mapping, self.where = table, mapping, where
        self.names, self.first = _names_of(table, mapping, where)
        self.width = len(next(iter(self.names.values())))
        self.whole = joined(self.names.values(), self.width)
        self.notes = list(table.notes)
        self.places = {name: self.place_of(name) for name in mapping.columns}
        self.axes = mapping.axes
        self.valued: set[int] = set()
        if outside := [row for axis in self.axes.values() for row in axis.levels if row not in self.names]:
            expected = f"one of header_row: {[*self.names]}"
            raise refuse(where, f"row {outside[0]} outside the rows of names", expected)
        self.seen: dict[str, set[str]] = {role: set() for role in self.axes if role != "period"}

    def observations(self) -> Observed:
        """Return checked observations, and notes."""
        columns = self.columns()
        if self.mapping.unit is None:
            self.refuse_units_unused()
        found = self.found(columns)
        periods = self.periods(found)
        return self.checked([one for one in found if periods[one.period]], periods)

    def note(self, words: str) -> None:
        """Add what a reader must know."""
        self.notes.append(f"{self.where}: {words}")

    def place_of(self, name: str) -> int:
        """Return the place of a column that must be there once: by its name, else by its number."""
        levels = list(self.names.values())
        last = [next((row[n] for row in reversed(levels) if row[n]), "") for n in range(self.width)]
        for header in (self.whole, last, *levels):
            if header.count(name) == 1:
                return header.index(name)
        times = max(self.whole.count(name), last.count(name))
        hint = "; columns without names are called by their place where the mapping says header_row: 0"
        expected = nearest(name, {*self.whole} - {""}) + hint * name.isdigit()
        raise refuse(self.where, f"the column {quote(name)} {times} times", expected)

    def columns(self) -> list[Column]:
        """Return the columns of values."""
        values = {one.column for one in self.mapping.flows}
        used = {place for name, place in self.places.items() if name not in values}
        found = []
        for value in self.mapping.flows:
            free = [place for place in range(self.width) if place not in used]
            for place in [self.places[value.column]] if value.column else free:
                said = {
                    role: " ".join(filter(None, (self.names[row][place] for row in axis.levels)))
                    for role, axis in self.axes.items()
                    if axis.row
                }
                if value.column or self.means(said):
                    found.append(Column(place, value.column or self.whole[place], value, said))
        self.valued = {column.place for column in found}
        if not found:
            raise refuse(self.where, "no column of values", "names above them as the mapping says")
        return found

    def means(self, said: dict[str, str]) -> bool:
        """Whether the names above a column make it one of values."""

        def is_known(role: str, text: str) -> bool:
            if role == "period":
                return bool(read_period(text) or self.mapping.period.format)
            if role == "unit":
                return read_unit(text)[1] is not None and not cells.NO_VALUE.search(text.casefold())
            return bool(self.said_of(role, text)) or (role != "flow" and self.axes[role].others != "skip")

        return bool(said) and all(text and is_known(role, text) for role, text in said.items())

    def refuse_units_unused(self) -> None:
        """Refuse a table with a column of units that differ, since the mapping does not use it."""
        rows = self.table.rows[self.first - 1 : self.first + 5000]
        for place in {*range(self.width)} - {*self.places.values(), *self.valued}:
            texts = {text_of(row[place]) for row in rows if place < len(row)} - {""}
            if 2 <= len(texts) <= 20 and all(read_unit(text)[1] is not None for text in texts):
                name = list(self.names.values())[-1][place]
                differ = f"units that differ ({', '.join(sorted(texts)[:3])})"
                raise refuse(f"{self.where}: {name}", differ, f"`unit: {{column: {name}}}` in the mapping")

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the rows that count, with their numbers, as wide as the names; blanks of `fill` continue what is above."""
        mapping = self.mapping
        above = dict[int, Cell]({self.places[name]: None for name in mapping.fill})
        wanted = {
            self.places[name]: [texts] if isinstance(texts, str) else texts
            for name, texts in mapping.rows.items()
        }
        for number, row in enumerate(self.table.rows[self.first - 1 : mapping.last_row], self.first):
            if len(row) > self.width and any(map(text_of, row[self.width :])):
                raise refuse(f"{self.where}:{number}", f"{len(row)} fields", f"{self.width}")
            if above or len(row) < self.width:
                row = [*row, *[None] * (self.width - len(row))]
            for place in above:
                above[place] = row[place] = row[place] if text_of(row[place]) else above[place]
            if all(text_of(row[place]) in texts for place, texts in wanted.items()):
                yield number, row

    def found(self, columns: list[Column]) -> list[Found]:
        """Return the values that stand in the table, with what is said of them."""
        missing, known = {"", *self.mapping.missing}, dict[tuple[Cell, ...], tuple[Any, ...]]()
        found, skipped, bare = list[Found](), set[int](), list[int]()
        places = {role: [self.places[name] for name in one.columns] for role, one in self.axes.items()}
        period, axis = places.pop("period"), self.mapping.period
        for number, row in self.rows():
            texts = [(column, text_of(row[column.place])) for column in columns]
            if not any(text for _, text in texts):
                bare += [number] * any(map(text_of, row))
                continue
            beside = tuple([row[place] for some in places.values() for place in some])
            when: Any = axis.always or " ".join([text_of(row[place]) for place in period]).strip()
            if len(period) == 1 and not axis.row and isinstance(day := row[period[0]], date):
                when = day
            for column, text in texts:
                if text in missing:
                    continue
                if (means := known.get((column.place, *beside))) is None:
                    said = {
                        role: " ".join(text_of(row[place]) for place in some).strip()
                        for role, some in places.items()
                        if some
                    }
                    means = known[column.place, *beside] = self.meanings(column, said | column.said, number)
                if None in means:
                    skipped.add(number)
                else:
                    one = f"{when} {column.said['period']}".strip() if axis.row else when
                    found.append(Found(number, column, row[column.place], text, one, *means))
        self.note_left_out(skipped, [number for number in bare if not found or number > found[-1].line])
        return found

    def note_left_out(self, skipped: set[int], below: list[int]) -> None:
        """Note rows that were left out, and names of the mapping that stand nowhere in the table."""
        if skipped:
            self.note(f"{len(skipped)} rows of other parties were left out")
        if below:
            self.note(
                f"what stands below the table, from row {below[0]} on, holds no values and was left out"
            )
        for role, seen in self.seen.items():
            for name in [name for name in self.axes[role].names if name not in seen]:
                there = nearest(name, seen) if seen else "nothing"
                words = f"the {role} {quote(name)} of the mapping stands nowhere in the table"
                self.note(f"{words}; there is {there}")

    def meanings(self, column: Column, said: dict[str, str], number: int) -> tuple[Any, ...]:
        """Return reporter, partner, flow and unit of a value; None for one that the mapping leaves out."""
        roles = ("reporter", "partner", "flow")
        means = [self.meaning(role, column, said.get(role, ""), number) for role in roles]
        return (*means, None if None in means else self.unit(column, said.get("unit", ""), number))

    def meaning(self, role: str, column: Column, text: str, number: int) -> str | None:
        """Return the reporter, partner or flow of a value, or None where the mapping leaves it out."""
        if role == "flow" and column.value.flow:
            return column.value.flow
        axis = self.axes[role]
        if axis.always is not None:
            return axis.always
        self.seen[role].add(text)
        if (found := self.said_of(role, text)) or axis.others == "skip":
            return found or None
        known = "a name that is known here, or `names` in the mapping"
        raise self.refusal(role, text, number, nearest(text, axis.names) if axis.names else known)

    def said_of(self, role: str, text: str) -> str:
        """Return what a text means, by the names of the mapping, else by what is known; blank for nothing."""
        if names := self.axes[role].names:
            return names.get(text, "")
        return (cells.read_flow if role == "flow" else cells.read_place)(text) or ""

    def unit(self, column: Column, text: str, number: int) -> tuple[str, int]:
        """Return the unit of a value: of the column, of the row, or the column's currency with the row's power of ten."""
        axis, own = self.axes.get("unit"), column.value.unit
        if axis is None or axis.always is not None:
            return to_unit(own or (axis and axis.always) or "")
        self.seen["unit"].add(text)
        if text in axis.names:
            return to_unit(axis.names[text])
        currency, ten = read_unit(text)
        if ten is None and (currency or re.fullmatch(r"\d{1,2}|units?", text.casefold())):
            ten = int(text) if text.isdigit() else 0
        currency = currency or (to_unit(own)[0] if own else "")
        if ten is None or not currency:
            raise self.refusal("unit", text, number, "a unit, or its name in `names`")
        return currency, ten

    def refusal(self, role: str, text: str, number: int, expected: str) -> UserError:
        """Return what is said of a text that means nothing."""
        place = ", ".join(self.axes[role].columns) or role
        return refuse(f"{self.where}:{number}: {place}", quote(text), expected)

    def periods(self, found: list[Found]) -> dict[Any, str]:
        """Return the periods as observations write them, by what stands there; blank for those left out."""
        lines, axis = dict[Any, int](), self.mapping.period
        for one in found:
            lines.setdefault(one.period, one.line)
        place = ", ".join(axis.columns) or "period"
        stated = {text: f"{self.where}:{line}: {place}" for text, line in lines.items()}
        periods = read_periods(stated, axis, self.mapping.freq)
        if left := [text_of(one.period) for one in found if not periods[one.period]]:
            words = some(map(quote, dict.fromkeys(left)), 5)
            self.note(f"{len(left)} values of other periods were left out: {words}")
        return periods

    def checked(self, found: list[Found], periods: dict[Any, str]) -> Observed:
        """Return values as checked observations; those that contradict one another are refused."""
        marks = self.marks([one.cell for one in found if isinstance(one.cell, str)])
        of_period = {text: flag_of(text_of(text)) for text in periods}
        rows, lines, flags = list[dict[str, Any]](), list[int](), Counter[str]()
        known = cells.FLAGS | self.mapping.flags
        for one in found:
            if (number := self.number(one, marks)) is None:
                continue
            (value, _), (currency, ten) = number, one.unit
            # One of the units of observations: others become millions, no digit changed.
            if (power := {0: "", 3: " th", 6: " mn", 9: " bn"}.get(ten)) is None:
                value, power = observations.moved(value, ten - 6), " mn"
            unit = currency + power
            row = {"reporter": one.reporter, "partner": one.partner, "flow": one.flow, "value": value}
            row |= {"unit": unit, "period": periods[one.period], "valuation": one.column.value.valuation}
            if flag := number[1] or of_period[one.period]:
                status = known.get(flag, "ok")
                means = f" ({status})" if status != "ok" else ""
                row |= {"status": status, "note": f"printed with the flag {flag}{means}"}
                flags[flag] += 1
            rows.append({"status": "ok", "note": ""} | row)
            lines.append(one.line)
        if flags:
            words = [f"{count} with {flag}" for flag, count in sorted(flags.items())]
            self.note(f"values with flags, kept in their notes: {', '.join(words)}")
        published = self.mapping.published.isoformat() if self.mapping.published else ""
        of_all = {"freq": self.mapping.freq, "source": self.mapping.source, "published": published}
        table = pd.DataFrame(rows).assign(**of_all) if rows else observations.empty()
        self.refuse_conflicts(table, lines)
        seen, twice = observations.without_duplicates(observations.check(table, self.where), self.where)
        self.note_lonely_months(seen)
        return seen.reset_index(drop=True), self.notes + twice

    def marks(self, texts: list[str]) -> Marks:
        """Return the marks of the numbers: said by the mapping, else found; two possible readings are refused, or told."""
        decimal, thousands = self.mapping.decimal, self.mapping.thousands
        try:
            found, unclear = cells.find_marks(texts)
        except ValueError as error:
            if decimal is None:
                raise refuse(self.where, f"{error}", "`decimal` and `thousands` in the mapping") from None
            found, unclear = Marks(), ""
        if decimal is None and thousands is None:
            if "," in unclear:
                both = '`thousands: ","` or `decimal: ","` in the mapping: it can be read in two ways'
                raise refuse(self.where, quote(unclear), both)
            if unclear:
                words = f"three digits stand after every point, as in {quote(unclear)}"
                hint = 'if these are thousands, the mapping must say `thousands: "."`'
                self.note(f"{words}: {hint}")
            return found
        if decimal is None:
            return Marks({",": ".", ".": ","}.get(thousands or "", "."), thousands or "")
        usual = found.thousands if found.decimal == decimal else ""
        return Marks(decimal, usual if thousands is None else thousands)

    def number(self, one: Found, marks: Marks) -> tuple[float, str] | None:
        """Return the number of a cell and its flag, or None where the mapping says that there is none."""
        found = cells.read_number(one.text, marks)
        if isinstance(one.cell, int | float) and not isinstance(one.cell, bool):
            found = float(one.cell), ""
        where = f"{self.where}:{one.line}: {one.column.name}"
        if isinstance(found, str):
            if cells.without_flag(one.text) in self.mapping.missing:
                return None
            raise refuse(where, quote(one.text), found)
        if not math.isfinite(found[0]):
            raise refuse(where, quote(one.text), "a finite number")
        if found[0] < 0:
            negative = "0 or more: a flow is never negative, a balance is none"
            raise refuse(where, f"value {quote(str(found[0]))}", negative)
        return found

    def refuse_conflicts(self, table: pd.DataFrame, lines: list[int]) -> None:
        """Refuse two values for one period, with the columns in which their rows differ."""
        same = observations.first_conflict(table)
        if same.empty:
            return
        rows = [self.table.rows[lines[place] - 1] for place in same.index[:200]]
        names, used = list(self.names.values())[-1], {*self.places.values()} | self.valued
        apart = {
            name: texts
            for place, name in enumerate(names)
            if place not in used and name
            if len(texts := [*dict.fromkeys(text_of(row[place]) for row in rows if place < len(row))]) > 1
        }
        hint = f"; the rows differ in the column {', '.join([*apart][:3])}: say which in the mapping, as `rows` or as `flow`"
        words = f"found {observations.conflict_in_words(same)}, expected one value{hint if apart else ''}"
        raise ConflictError(f"{self.where}: {words}", apart)

    def note_lonely_months(self, rows: pd.DataFrame) -> None:
        """Note months or quarters that look like years."""
        if self.mapping.freq == "A" or rows.empty:
            return
        year = rows["period"].str[:4]
        per_year = rows.groupby([*observations.KEY[:3], year.rename("year")]).size()
        if per_year.max() == 1 and len(set(year)) > 1 and len(set(rows["period"].str[4:])) == 1:
            always = f"always of {rows['period'].iloc[0][5:]}, yet freq is {self.mapping.freq}"
            self.note(f"one value a year, {always}: are these years? then `freq: A`")
