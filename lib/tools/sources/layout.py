"""Where things stand in a table that nobody described: its periods, the rows of names, the values.

Rows and columns are counted from 0 here. Told from the first rows; all are read afterwards.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.errors import quote
from lib.spoken import fold
from lib.tools.sources.cells import WORDS, is_nothing, is_number, read_period
from lib.tools.sources.client import refuse
from lib.tools.sources.reader import joined, spread
from lib.tools.sources.tables import Table

Said = dict[str, Any]
"""Part of a mapping, as its file would have it."""


class Spot(NamedTuple):
    """Where something may be said of observations: a row of names above the values or a column; and its different texts."""

    axis: Said
    texts: list[str]
    place: int

    def __str__(self) -> str:
        """How messages call it."""
        return " ".join(map(str, *self.axis.items()))

    def is_code(self) -> bool:
        """Whether it is a column of codes, by its name."""
        return WORDS["code"].search(str(self.axis.get("column", "")).casefold()) is not None


class Layout:
    """One table, and where things stand in it.

    Of `period_columns` several say the period together, such as the year and the month; of `period_rows`, above the values,
    a second one says the quarter or month. `names` are the rows of names (`above`, as spots), `name` is all that they say
    above each column, or its number. Values stand in the rows `first` to `last` and the columns `numbers`; `titles` stand
    above the names, `columns` are all others in which something stands.
    """

    def __init__(self, table: Table, where: str) -> None:
        self.table, self.where = table, where
        self.notes: list[str] = []
        self.text = table.text[:400, :500]
        self.width = self.text.shape[1]
        self.filled = self.text != ""

        def where_it_is(said: Callable[[str], Any]) -> Any:
            return np.vectorize(said, otypes=[bool])(self.text)

        self.whole = where_it_is(lambda text: not read_period(text).keys().isdisjoint("AQMDFf"))
        self.part = where_it_is(lambda text: not read_period(text).keys().isdisjoint("mq"))
        self.year = where_it_is(lambda text: "A" in read_period(text))
        self.dated = self.whole | self.part
        self.number = where_it_is(is_number)
        self.figure = self.number | where_it_is(is_nothing)
        self.period_columns: list[int] = []
        row = next(filter(self.is_row_of_periods, range(min(len(self.text), 40))), None)
        self.period_rows = [] if row is None else [row]
        self.names: list[int] = []
        if row is None:
            self.find_values_beside()
        else:
            self.find_values_below(row)
        if not self.numbers:
            expected = "a table of figures with years, quarters or months"
            raise refuse(where, "no column of numbers beside periods", expected)
        self.last = self.end()
        widest = max(table.lengths[self.first : self.last])
        if table.separator and self.names and (table.text[self.names[-1], widest:] != "").any():
            expected = f"as many: is a {quote(table.separator)} in a name without quotes?"
            found = f"{table.lengths[self.names[-1]]} names above {widest} columns"
            raise refuse(where, found, expected)
        levels = spread(self.text[self.names]).tolist()
        self.name = joined(levels) or [*map(str, range(1, self.width + 1))]
        above = self.text[: (self.names or [self.first])[0]]
        self.titles = [*filter(None, joined(above.T))]
        below = (row for row in table.text[self.first + 1 :][-20:] if not any(map(is_number, row)))
        self.notes_below = joined(zip(*below, strict=True))
        self.rows = table.text[self.first : self.last]
        self.data = [row for row in self.text[self.first : self.last].tolist() if any(row)]
        others = sorted({*range(self.width)} - {*self.numbers, *self.period_columns})
        labels = ((place, [*filter(None, pd.unique(self.rows[:, place]))]) for place in others)
        self.columns = [Spot({"column": self.name[n]}, texts, n) for n, texts in labels if texts]
        self.above = {
            row: Spot({"row": row + 1}, [level[place] for place in self.numbers], row)
            for row, level in zip(self.names, levels, strict=True)
        }

    def is_row_of_periods(self, row: int) -> bool:
        """Whether a row names periods above figures that are none; one alone must be a year, with no number beside it."""
        places = np.flatnonzero(self.dated[row])
        beside = self.filled[row] & ~self.dated[row]
        alone = len({*self.text[row, places]}) == 1
        if alone and (not beside.any() or self.number[row, beside].any() or not self.year[row, places].all()):
            return False
        values = np.flatnonzero(self.number[row + 1 :, places].any(axis=1))
        if not len(values) or (alone and self.columns_of(self.whole, row + 1)):
            return False
        below = slice(row + 1 + values[0], row + 31)
        filled, figures = self.filled[below, places], (self.figure & ~self.dated)[below, places]
        seen, good = filled.any(axis=0), 2 * figures.sum(axis=0) >= filled.sum(axis=0)
        return bool(2 * (seen & good).sum() > seen.sum())

    def find_values_below(self, row: int) -> None:
        """The values below a row of periods."""
        numbers = np.flatnonzero(self.dated[row]).tolist()
        self.first = row + 1 + int(self.number[row + 1 :, numbers].any(axis=1).argmax())
        between = [n for n in range(row + 1, self.first) if self.filled[n].sum() > 1]
        above = [n for n in range(max(row - 2, 0), row) if self.is_level(n, numbers[0])]
        self.names = [*above, row, *between]
        if between:  # a period reaches to the right, as a merged cell does
            lower = between[-1]
            reached = spread(self.text[[row, lower]])[0]
            free = np.flatnonzero(self.filled[lower] & ~self.filled[row])
            numbers = sorted([*numbers, *(place for place in free.tolist() if read_period(reached[place]))])
            if self.part[lower, numbers].all():
                self.period_rows = [row, lower]
        self.numbers = numbers
        beside = list[int]()
        if self.part[row, numbers].all():
            beside = self.columns_of(self.whole, self.first)
        elif self.year[row, numbers].all() and len(self.period_rows) == 1:
            beside = self.columns_of(self.part, self.first)
        self.period_columns = [place for place in beside if place < numbers[0]][:1]

    def is_level(self, number: int, start: int) -> bool:
        """Whether a row above the names says something of the columns from one on."""
        inside = {*self.text[number, start:]} - {""}
        return len(inside) > 1 or (len(inside) == 1 and self.filled[number].sum() > 1)

    def find_values_beside(self) -> None:
        """The values beside periods, or of a table that has one period in all."""
        several = (self.number | self.whole).sum(axis=1) > 1
        beside = self.number.any(axis=1) & self.whole.any(axis=1) & several
        start = int(beside.argmax())
        columns = self.columns_of(self.whole, start) if beside.any() else []
        if not columns:
            many = self.number.sum(axis=1)
            mixed = np.flatnonzero((many > 0) & (many < self.filled.sum(axis=1)))
            start = next((int(row) for row in mixed if row), len(self.text))
            columns = self.columns_of(self.part, start)
        while columns and start and self.year[start - 1, columns[0]]:
            start -= 1  # a row without a number, or with one that is none
        self.first = start
        above = np.flatnonzero(self.filled[:start].any(axis=1))[-2:].tolist()
        if above and self.filled[above[-1]].sum() > 1:
            two = above == [start - 2, start - 1] and self.is_level(above[0], 1)
            self.names = above if two and len({*self.text[above[0]]} - {""}) > 1 else above[-1:]
        header = [" ".join(self.text[self.names, place]).casefold() for place in range(self.width)]
        if columns:
            self.period_columns = columns[:1] + self.second_of_period(columns[0], header)
        filled, number, figure = self.filled[start:], self.number[start:], self.figure[start:]
        numeric = number.any(axis=0) & ((figure & filled).sum(axis=0) > 0.6 * filled.sum(axis=0))
        free = {*np.flatnonzero(numeric).tolist()} - {*self.period_columns}
        self.numbers = sorted(place for place in free if not WORDS["scale"].search(header[place]))

    def columns_of(self, kind: Any, first: int) -> list[int]:
        """Columns in which most of what stands is of a kind (`whole` or `part`), the likeliest first."""
        rows = first + np.flatnonzero(self.filled[first:].sum(axis=1) > 1)
        many, good = self.filled[rows].sum(axis=0), kind[rows].sum(axis=0)
        found = np.flatnonzero((many > 0) & (good >= 0.6 * many)).tolist()
        named = [bool(first and WORDS["period"].search(text.casefold())) for text in self.text[first - 1]]
        return sorted(found, key=lambda place: (not named[place], -many[place], place))

    def second_of_period(self, year: int, header: list[str]) -> list[int]:
        """The column of months or quarters beside one of years."""
        rows = self.first + np.flatnonzero(self.filled[self.first :, year])
        if not self.year[rows[:50], year].all():
            return []
        for place in [place for place in range(self.width) if place != year]:
            texts = {*self.text[rows, place]} - {""}
            small = all(text.isdigit() and 1 <= int(text) <= 12 for text in texts)
            parts = any(all(kind in read_period(text) for text in texts) for kind in "mq")
            if texts and (parts or (small and WORDS["part_of_year"].search(fold(header[place])))):
                return [place]
        return []

    def end(self) -> int | None:
        """The last row before another table: after a blank row, names stand where numbers stood."""
        text = self.table.text
        blanks = self.first + np.flatnonzero((text[self.first :] == "").all(axis=1))
        blank = 0  # the last one above which no figure stands
        for number in range(blanks[0], len(text)) if len(blanks) else ():
            texts = text[number, self.numbers]
            if not text[number].any():
                blank = blank or number
            elif blank and not all(is_number(one) or is_nothing(one) for one in texts):
                self.notes.append(f"left out from row {blank + 1} on: what seems another table or a note")
                return blank
            elif any(map(is_number, texts)):
                blank = 0
        return None
