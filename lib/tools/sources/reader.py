"""A table under its mapping, read into observations, strictly: what is not plain is refused, nothing is read in part."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.economies import read_unit
from lib.errors import UserError, nearest, quote, some
from lib.figures import FLOWS
from lib.tools.sources import cells, observations
from lib.tools.sources.cells import Marks, read_period
from lib.tools.sources.client import refuse
from lib.tools.sources.mapping import Mapping, ValueColumn, listed, to_unit
from lib.tools.sources.tables import Grid, Table, read_tables, table_of
from lib.words import fill

Observed = tuple[pd.DataFrame, list[str]]
"""Observations as `observations.check` gives them, their snapshot not known yet; and notes."""


class UnclearError(UserError):
    """What a table does not say: by what `propose` can be given, the question; and by column, how conflicting rows differ."""

    def __init__(self, where: str, asked: dict[str, str], apart: dict[str, list[str]] | None = None) -> None:
        self.questions, self.apart = asked, apart or {}
        hints = {name: f"; give it with --{name.replace('_', '-')}" for name in asked}
        super().__init__("\n".join(f"{where}: {name}: {asked[name]}{hints[name]}" for name in asked))


def read_table(body: bytes, mapping: Mapping, where: str) -> Observed:
    """Read a file into observations; texts of no known meaning, and two values for one period, are refused."""
    about = mapping.encoding, mapping.separator, mapping.sheet
    table = read_tables(body, where, *about)[0] if body.strip() else table_of([], where)
    return Reader(table, mapping, where).observations()


def spread(levels: Grid) -> Grid:
    """Return rows of names; those of an upper row reach to the right up to the next."""
    return np.array([*map(_reaching, levels[:-1]), *levels[-1:]], dtype=object)


def _reaching(texts: Grid) -> "pd.Series[Any]":
    return pd.Series(texts, dtype=object).replace("", None).ffill().fillna("")


def joined(levels: Iterable[Iterable[str]]) -> list[str]:
    """Return all that rows of names say above each column, each word once."""
    return [" ".join(filter(None, dict.fromkeys(above))) for above in zip(*levels, strict=True)]


class _Column(NamedTuple):
    """One column of values, with what the rows of names above it say, by role."""

    place: int
    name: str
    value: ValueColumn
    said: dict[str, str]


class Reader:
    """A table under a mapping."""

    def __init__(self, table: Table, mapping: Mapping, where: str) -> None:
        self.table, self.mapping, self.where, self.axes = table, mapping, where, mapping.axes
        self.notes = list(table.notes)
        above = {row for axis in self.axes.values() for row in listed(axis.row)}
        self.names, self.first = self.rows_of_names(above)
        if outside := sorted(above - {*self.names}):
            expected = f"one of header_row: {[*self.names]}"
            raise refuse(where, f"row {outside[0]} outside the rows of names", expected)
        self.last_names = [*self.names.values()][-1]
        self.whole = joined(self.names.values())
        self.places = {name: self.place_of(name) for name in mapping.columns}
        self.columns = self.columns_of_values()
        self.used = {*self.places.values(), *(column.place for column in self.columns)}

    def rows_of_names(self, above: set[int]) -> tuple[dict[int, list[str]], int]:
        """Return the rows of names, by number, and the first row of values; without `header_row` the first with every name."""
        text, numbers = self.table.text, listed(self.mapping.header_row)
        if numbers == [0]:
            return {0: [str(place + 1) for place in range(text.shape[1])]}, 1
        if not numbers:
            wanted = {*self.mapping.columns}
            has_all = (n for n, row in enumerate(text[:60], 1) if wanted <= {*row})
            numbers = sorted(above | {next(has_all, 1)} if wanted or not above else above)
        if len(text) < numbers[-1]:
            raise refuse(self.where, f"{len(text)} rows", f"the names of the columns in row {numbers[-1]}")
        places = [number - 1 for number in numbers]
        width = max(self.table.lengths[place] for place in places)
        return dict(zip(numbers, spread(text[places, :width]).tolist(), strict=True)), numbers[-1] + 1

    def place_of(self, name: str) -> int:
        """Return the place of a column that must be there once: by all that stands above it, else by one row of names."""
        for header in (self.whole, *self.names.values()):
            if header.count(name) == 1:
                return header.index(name)
        hint = "; columns without names are called by their place where the mapping says header_row: 0"
        expected = nearest(name, {*self.whole} - {""}) + hint * name.isdigit()
        raise refuse(self.where, f"the column {quote(name)} {self.whole.count(name)} times", expected)

    def observations(self) -> Observed:
        """Return checked observations, and notes."""
        if self.mapping.unit is None:
            self.refuse_units_unused()
        rows = self.found()
        if skipped := {*rows["line"]} - {*(rows := self.with_meanings(rows))["line"]}:
            self.notes.append(fill("left out: {n:row|rows} of other parties", n=len(skipped)))
        if below := [line for line in self.bare if rows.empty or line > rows["line"].max()]:
            words = f"what stands below the table, from row {below[0]} on, holds no values and was left out"
            self.notes.append(words)
        table = self.as_observations(self.with_values(rows))
        self.refuse_conflicts(table)
        seen, twice = observations.check(table, self.where)
        years, parts = ({*seen["period"].str[one]} for one in (slice(4), slice(4, None)))
        if self.mapping.freq != "A" and len(parts) == 1 and len(years) > 1:
            always = f"always of {seen['period'].iloc[0][5:]}, yet freq is {self.mapping.freq}"
            self.notes.append(f"one value a year, {always}: are these years? then `freq: A`")
        return seen.reset_index(drop=True), [*(f"{self.where}: {note}" for note in self.notes), *twice]

    def columns_of_values(self) -> list[_Column]:
        """Return the columns of values."""
        values = {one.column for one in self.mapping.flows}
        used = {place for name, place in self.places.items() if name not in values}
        free = [place for place in range(len(self.whole)) if place not in used]
        found = []
        for value in self.mapping.flows:
            for place in [self.places[value.column]] if value.column else free:
                said = {
                    role: " ".join(filter(None, (self.names[row][place] for row in listed(axis.row))))
                    for role, axis in self.axes.items()
                    if axis.row
                }
                if value.column or (said and all(self.means(*one) for one in said.items())):
                    found.append(_Column(place, value.column or self.whole[place], value, said))
        if not found:
            raise refuse(self.where, "no column of values", "names above them as the mapping says")
        return found

    def means(self, role: str, text: str) -> bool:
        """Whether what a row of names says of a role makes a column one of values."""
        if role == "period":
            return bool(read_period(text) or (text and self.mapping.period.format))
        if role == "unit":
            return read_unit(text)[1] is not None and not cells.WORDS["no_value"].search(text.casefold())
        known = self.said_of(role, text) or (role != "flow" and self.axes[role].others != "skip")
        return bool(text and known)

    def refuse_units_unused(self) -> None:
        """Refuse a table with a column of units that differ, since the mapping does not use it."""
        for place in {*range(len(self.whole))} - self.used:
            texts = {*self.table.text[self.first - 1 : self.first + 5000, place]} - {""}
            if 2 <= len(texts) <= 20 and all(read_unit(text)[1] is not None for text in texts):
                name, differ = self.last_names[place], f"units that differ ({', '.join(sorted(texts)[:3])})"
                raise refuse(f"{self.where}: {name}", differ, f"`unit: {{column: {name}}}` in the mapping")

    def found(self) -> pd.DataFrame:
        """A row for each value: line, column and text, whether a number was stored, and what is said of it, by role."""
        inside, width = slice(self.first - 1, self.mapping.last_row), len(self.whole)
        text, exact = self.table.text[inside].copy(), self.table.exact[inside]
        lines = np.arange(self.first, self.first + len(text))
        if len(beyond := np.flatnonzero((text[:, width:] != "").any(axis=1))):
            fields = np.flatnonzero(text[beyond[0]] != "")[-1] + 1
            raise refuse(f"{self.where}:{lines[beyond[0]]}", f"{fields} fields", f"{width}")
        for place in (self.places[name] for name in self.mapping.fill):
            text[:, place] = _reaching(text[:, place])
        counts = np.ones(len(text), dtype=bool)
        for name, wanted in self.mapping.rows.items():
            counts &= np.isin(text[:, self.places[name]], listed(wanted))
        said: dict[str, Any] = {"unit": ""}
        for role, axis in self.axes.items():
            columns = [text[:, self.places[name]] for name in listed(axis.column)]
            if axis.always or columns:
                said[role] = axis.always or [*map(" ".join, zip(*columns, strict=True))]
        missing, parts = ["", *self.mapping.missing], []
        for number, column in enumerate(self.columns):
            own = text[:, column.place]
            facts = {"line": lines, "column": number, "text": own, "exact": exact[:, column.place]}
            part = pd.DataFrame(facts | said, dtype=object)[counts & ~np.isin(own, missing)]
            for role, words in column.said.items():
                part[role] = part[role] + f" {words}" if role == "period" and role in said else words
            parts.append(part.assign(flow=column.value.flow) if column.value.flow else part)
        valued = [column.place for column in self.columns]
        self.bare = lines[counts & (text != "").any(axis=1) & (text[:, valued] == "").all(axis=1)]
        return pd.concat(parts).sort_values(["line", "column"], ignore_index=True)

    def read(self, rows: pd.DataFrame, names: list[str], mean: Callable[..., Any], role: str = "") -> Any:
        """What the texts of some columns mean, each read once; the first of which `mean` raises what it expected is refused."""
        texts, known = [*zip(*(rows[name] for name in names), strict=True)], dict[tuple[Any, ...], Any]()
        for one in dict.fromkeys(texts):
            try:
                known[one] = mean(*one)
            except ValueError as error:
                row, (expected, *found) = rows.iloc[texts.index(one)], error.args[:2]
                place = ", ".join(listed(self.axes[role].column) if role in self.axes else []) or role
                where = f"{self.where}:{row['line']}: {place or self.columns[row['column']].name}"
                raise refuse(where, found[0] if found else quote(one[0]), expected) from None
        return pd.Series([known[one] for one in texts], rows.index, dtype=object)

    def with_meanings(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the values whose reporter, partner and flow are known, texts replaced; others are refused or left out."""
        for role in ("reporter", "partner", "flow"):
            axis = self.axes.get(role)
            if axis is None or axis.always is not None:
                continue
            seen = rows[role].unique()
            rows[role] = self.read(rows, [role], partial(self.meaning, role), role)
            for name in (name for name in axis.names if name not in seen):
                there = nearest(name, seen) if len(seen) else "nothing"
                words = f"the {role} {quote(name)} of the mapping stands nowhere in the table"
                self.notes.append(f"{words}; there is {there}")
            rows = rows[rows[role] != ""]
        return rows

    def meaning(self, role: str, text: str) -> str:
        """Return what a text means; blank for one that the mapping leaves out."""
        names = self.axes[role].names
        if not (found := self.said_of(role, text)) and self.axes[role].others == "refuse":
            known = "a name that is known here, or `names` in the mapping"
            raise ValueError(nearest(text, names) if names else known)
        return found

    def said_of(self, role: str, text: str) -> str:
        """Return what a text means, by the names of the mapping, else by what is known; blank for nothing."""
        if names := self.axes[role].names:
            return names.get(text, text if role == "flow" and text in FLOWS else "")
        return (cells.read_flow if role == "flow" else cells.read_place)(text) or ""

    def with_values(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the values of periods that are wanted, with currency and power of ten, number and flag."""
        rows["unit"] = self.read(rows, ["unit", "column"], self.unit, "unit")
        october = cells.october(rows["period"].unique())
        mean = partial(cells.as_period, axis=self.mapping.period, freq=self.mapping.freq, october=october)
        periods = self.read(rows, ["period"], mean, "period")
        if (left := periods == "").any():
            words = some(map(quote, rows.loc[left, "period"].unique()), 5)
            self.notes.append(f"{left.sum()} values of other periods were left out: {words}")
        rows = rows.assign(flag=self.read(rows, ["period"], cells.flag_of), period=periods)[~left]
        marks = self.marks(rows.loc[~rows["exact"].astype(bool), "text"].unique())
        numbers = self.read(rows, ["text", "exact"], partial(self.number, marks))
        rows, numbers = rows[there := numbers.notna()], numbers[there]
        flags = numbers.str[1].where(numbers.str[1] != "", rows["flag"])
        return rows.assign(value=numbers.str[0].astype("float64"), flag=flags.astype(object))

    def unit(self, text: str, number: int) -> tuple[str, int]:
        """Return the unit of a value: of its column, of a text beside, or the currency of the one, the power of ten of the other."""
        axis, own = self.axes.get("unit"), self.columns[number].value.unit
        if axis is None or axis.always is not None:
            return to_unit(own or text)
        currency, ten = cells.read_scale(axis.names.get(text, text))
        named = currency or (to_unit(own)[0] if own else "")
        if not named or (ten is None and not currency):
            raise ValueError("a unit, or its name in `names`")
        return named, ten or 0

    def number(self, marks: Marks, text: str, exact: bool) -> tuple[float, str] | None:
        """Return the number of a text and its flag, or None where the mapping says that there is none."""
        try:
            value, flag = cells.read_number(text, Marks() if exact else marks)
        except ValueError:
            if cells.without_flag(text) in self.mapping.missing:
                return None
            raise
        if not 0 <= value < math.inf:
            expected = "0 or more: a flow is never negative, a balance is none"
            raise ValueError(expected, f"value {quote(str(value))}")
        return value, flag

    def marks(self, texts: Iterable[str]) -> Marks:
        """Return the marks of the numbers: said by the mapping, else found; two possible readings are refused, or told."""
        decimal, thousands = self.mapping.decimal, self.mapping.thousands
        if thousands is not None:
            return Marks(decimal or {",": ".", ".": ","}.get(thousands, "."), thousands)
        found, unclear = cells.find_marks(texts, decimal)
        if found is None or "," in unclear:
            both = '`thousands: ","` or `decimal: ","` in the mapping: it can be read in two ways'
            raise refuse(self.where, quote(unclear), both)
        if unclear:
            words = f"three digits stand after every point, as in {quote(unclear)}"
            self.notes.append(f'{words}: if these are thousands, the mapping must say `thousands: "."`')
        return found

    def as_observations(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return values as observations by line, in their units: other powers of ten become millions, no digit changed."""
        known = cells.FLAGS | self.mapping.flags
        status = {flag: known.get(flag, "ok") for flag in rows["flag"].unique()}
        told = {flag: f"printed with the flag {flag}" for flag in status if flag}
        told |= {flag: f"{told[flag]} ({one})" for flag, one in status.items() if one != "ok"}
        powers = {0: "", 3: " th", 6: " mn", 9: " bn"}
        pairs = [*zip(rows["value"], rows["unit"], strict=True)]
        values = [value if ten in powers else observations.moved(value, ten - 6) for value, (_, ten) in pairs]
        return rows.set_index("line")[["reporter", "partner", "flow", "period"]].assign(
            value=np.array(values, "float64"),
            freq=self.mapping.freq,
            unit=[currency + powers.get(ten, " mn") for _, (currency, ten) in pairs],
            valuation=[self.columns[number].value.valuation for number in rows["column"]],
            status=[*map(status.get, rows["flag"])],
            note=[told.get(flag, "") for flag in rows["flag"]],
            source=self.mapping.source,
            published=str(self.mapping.published or ""),
        )

    def refuse_conflicts(self, table: pd.DataFrame) -> None:
        """Refuse two values for one period, with the columns in which their rows differ."""
        same = observations.first_conflict(table)
        if same.empty:
            return
        rows = self.table.text[same.index[:200].astype(int) - 1]
        apart = {
            name: texts
            for place, name in enumerate(self.last_names)
            if place not in self.used and name and len(texts := [*dict.fromkeys(rows[:, place])]) > 1
        }
        found = observations.conflict_in_words(same)
        if not apart:
            raise refuse(self.where, found, "one value")
        name, texts = next(iter(apart.items()))
        shown = f"{', '.join([*apart][:3])} ({some(map(quote, texts), 5)})"
        hint = f"the rows differ in the column {shown}: which, as `rows` (or `flow`) of a mapping, such as {name}={texts[0]}"
        raise UnclearError(self.where, {"rows": f"found {found}, expected one value; {hint}"}, apart)
