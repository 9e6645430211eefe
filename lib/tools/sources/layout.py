"""Where things stand in a table that nobody described: its periods, the rows of names, the values.

Rows and columns are counted from 0 here. Told from the first rows; all are read afterwards.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.errors import quote
from lib.spoken import fold
from lib.tools.sources.cells import WORDS, is_nothing, is_number, read_flow, read_period
from lib.tools.sources.client import refuse
from lib.tools.sources.grids import Table, each
from lib.tools.sources.reader import joined, spread

LOOKED_AT = 400


class Layout:
    """One table, and where things stand in it.

    Of `period_columns` several say the period together, such as the year and the month; of `period_rows`, above the values,
    a second one says the quarter or month. `names` are the rows of names: `levels` is what they say above each column, `name`
    all of it in one. Values stand in the rows `first` to `last` and the columns `numbers`; `titles` stand above the names,
    `labels` are the different texts of every other column.
    """

    def __init__(self, table: Table, where: str) -> None:
        self.table, self.where = table, where
        self.notes: list[str] = []
        self.text = table.text[:LOOKED_AT, :500]
        self.width = self.text.shape[1]
        self.filled = self.text != ""
        self.kinds = each(read_period, self.text)
        self.number = each(is_number, self.text).astype(bool)
        self.figure = self.number | each(is_nothing, self.text).astype(bool)
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
        self.levels = spread(self.text[self.names]).tolist()
        self.name = joined(self.levels) or [""] * self.width
        above = self.text[: (self.names or [self.first])[0]]
        self.titles = [title for row in above if (title := _said(row))]
        below = table.text[self.first + 1 :][-20:]
        self.notes_below = [_said(row) for row in below if not any(map(is_number, row))]
        self.rows = table.text[self.first : self.last]
        self.data = [row for row in self.text[self.first : self.last].tolist() if any(row)]
        others = sorted({*range(self.width)} - {*self.numbers, *self.period_columns})
        labels = {place: [text for text in pd.unique(self.rows[:, place]) if text] for place in others}
        self.labels = {place: texts for place, texts in labels.items() if texts}

    def note(self, words: str) -> None:
        """Add what a reader must know."""
        self.notes.append(f"{self.where}: {words}")

    def note_left_out(self, what: str, texts: list[str]) -> None:
        """Name texts that mean none of what a reader may look for."""
        if texts:
            self.note(f"left out, no {what}: {', '.join(map(quote, texts[:5]))}")

    def column_name(self, place: int) -> str:
        """How a mapping calls a column: by its name, or its place where it has none of its own."""
        return self.name[place] if self.names else str(place + 1)

    def are(self, kind: str, row: int, places: list[int]) -> bool:
        """Whether all of these texts of a row are periods of a kind, or of one of several."""
        return all({*self.kinds[row, place]} & {*kind} for place in places)

    def is_row_of_periods(self, number: int) -> bool:
        """Whether a row names periods, in order, above numbers."""
        places = [place for place in range(self.width) if self.kinds[number, place]]
        periods = [next(iter(self.kinds[number, place].values())) for place in places]
        if len(set(periods)) < 2:
            # One alone is a year above values, not one beside them.
            others = [
                place for place in range(self.width) if self.filled[number, place] and place not in places
            ]
            alone = len(periods) == 1 and others and not self.number[number, others].any()
            if not alone or not self.are("A", number, places) or self.columns_of_periods(number + 1):
                return False
        elif periods not in (sorted(periods), sorted(periods, reverse=True)):
            texts = self.text[number, places]  # Exports 2020, …, Imports 2020, …
            if len({*texts}) < len(texts) or not all(map(read_flow, texts)):
                return False
        below = [n for n in range(number + 1, min(number + 31, len(self.text))) if self.filled[n].any()]
        while below and not self.number[below[0], places].any():
            below = below[1:]
        filled = self.filled[below][:, places]
        if not filled.any() or self.figure[below][:, places][filled].mean() < 0.5:
            return False
        again = [p for p in places if sum(map(bool, self.kinds[below, p])) > 0.9 * len(below)]
        return not again or (len(again) < len(places) and len(places) > 2 and len(below) < 3)

    def find_values_below(self, number: int) -> None:
        """The values below a row of periods."""
        numbers = [place for place in range(self.width) if self.kinds[number, place]]
        values = [n for n in range(number + 1, len(self.text)) if self.number[n, numbers].any()]
        self.first = values[0]
        between = [n for n in range(number + 1, self.first) if self.filled[n].sum() > 1]
        above = [n for n in range(max(number - 2, 0), number) if self.is_level(n, numbers[0])]
        self.names = [*above, number, *between]
        if between:  # a period reaches to the right, as a merged cell does
            reached = spread(self.text[[number, between[-1]]])[0]
            more = (
                self.filled[between[-1]]
                & ~self.filled[number]
                & np.array([bool(read_period(one)) for one in reached])
            )
            numbers = sorted({*numbers, *np.flatnonzero(more).tolist()})
            if self.are("mq", between[-1], numbers):
                self.period_rows = [number, between[-1]]
        self.numbers = numbers
        if self.are("mq", number, numbers):
            self.period_columns = [p for p in self.columns_of_periods(self.first) if p < numbers[0]][:1]
        elif self.are("A", number, numbers) and len(self.period_rows) == 1:
            rows = [n for n in range(self.first, len(self.text)) if self.filled[n].sum() > 1]
            named = [sum(self.are("mq", n, [place]) for n in rows) for place in range(numbers[0])]
            self.period_columns = [place for place, count in enumerate(named) if count > 0.9 * len(rows)][:1]

    def is_level(self, number: int, start: int) -> bool:
        """Whether a row above the names says something of the columns from one on."""
        inside = {*self.text[number, start:]} - {""}
        return len(inside) > 1 or (len(inside) == 1 and self.filled[number].sum() > 1)

    def find_values_beside(self) -> None:
        """The values beside periods, or of a table that has one period in all."""
        whole = each(lambda kinds: bool({*kinds} - {"m", "q"}), self.kinds).astype(bool)
        beside = self.number.any(axis=1) & whole.any(axis=1) & ((self.number | whole).sum(axis=1) > 1)
        start = int(beside.argmax()) if beside.any() else len(self.text)
        columns = self.columns_of_periods(start) if beside.any() else []
        if not columns:
            many = self.number.sum(axis=1)
            mixed = [n for n in range(1, len(self.text)) if 0 < many[n] < self.filled[n].sum()]
            start = mixed[0] if mixed else len(self.text)
            rows = [n for n in range(start, len(self.text)) if self.filled[n].any()]
            months = [sum("m" in kinds for kinds in self.kinds[rows, place]) for place in range(self.width)]
            columns = [place for place, count in enumerate(months) if count > 0.5 * len(rows)]
        while columns and start and "A" in self.kinds[start - 1, columns[0]]:
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
        free = [
            place
            for place in range(self.width)
            if numeric[place] and not WORDS["scale"].search(header[place])
        ]
        self.numbers = [place for place in free if place not in self.period_columns]

    def columns_of_periods(self, first: int) -> list[int]:
        """Columns in which most of what stands are periods of one kind, the likeliest first."""
        rows = [n for n in range(first, len(self.text)) if self.filled[n].sum() > 1]
        found = []
        for place in range(self.width):
            kinds = Counter(kind for one in self.kinds[rows, place] for kind in one if kind not in "mq")
            many = int(self.filled[rows, place].sum())
            if many and max(kinds.values(), default=0) >= 0.6 * many:
                name = self.text[first - 1, place].casefold() if first else ""
                found.append((not WORDS["period"].search(name), -many, place))
        return [place for *_, place in sorted(found)]

    def second_of_period(self, year: int, header: list[str]) -> list[int]:
        """The column of months or quarters beside one of years."""
        rows = self.first + np.flatnonzero(self.filled[self.first :, year])
        if not all(self.are("A", n, [year]) for n in rows[:50]):
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
                self.note(f"left out from row {blank + 1} on: what seems another table or a note")
                return blank
            elif any(map(is_number, texts)):
                blank = 0
        return None


def _said(row: Iterable[str]) -> str:
    """What a row says, each text once."""
    return " ".join(dict.fromkeys(filter(None, row)))
