"""Where things stand in a table that nobody described: its periods, the rows of names, the values, its last row.

Rows are counted from 1, columns from 0. Told from the first rows; all are read afterwards.
"""

import re
from collections import Counter

from lib.errors import UserError, quote
from lib.spoken import fold
from lib.tools.sources.cells import is_figure, is_number, read_flow, text_of
from lib.tools.sources.periods import read_period
from lib.tools.sources.tables import Cell, Table, any_cell, joined, spread

LOOKED_AT = 400

PERIOD_WORDS = re.compile(
    r"year|period|month|date|time|quarter|год|период|месяц|квартал|年|月|季|jahr|monat|quartal|año|ano\b|mes|fecha|trimestre"
)
PART_WORDS = re.compile(r"month|мес|月|monat|\bmes|_mes|quarter|кварт|季|quartal|trim")
SCALE_WORDS = re.compile(r"unit_mult|scal|multipl|power")


class Layout:
    """One table, and where things stand in it.

    Parameters
    ----------
    period_columns : the columns that say the period together, such as of the year and of the month.
    period_rows : the rows of periods above the values, of which a second one says the quarter or month.
    names : the rows of names; `levels` is what they say above each column, `name` all of it in one.
    first, last : the rows of the values.
    numbers : the columns of values.
    titles : what stands above the names.
    labels : the different texts of every column that holds neither values nor periods.
    """

    def __init__(self, table: Table, where: str) -> None:
        self.table, self.where = table, where
        self.notes: list[str] = []
        self.width = min(max(map(len, table.rows[:5000])), 500)
        self.text = [
            [*map(text_of, row[: self.width]), *[""] * (self.width - len(row))]
            for row in table.rows[:LOOKED_AT]
        ]
        self.period_columns: list[int] = []
        row = next(filter(self.is_row_of_periods, range(1, min(len(self.text), 40) + 1)), None)
        self.period_rows = [row] if row else []
        self.names: list[int] = []
        if row:
            self.find_values_below(row)
        else:
            self.find_values_beside()
        if not self.numbers:
            expected = "a table of figures with years, quarters or months"
            raise UserError(f"{where}: found no column of numbers beside periods, expected {expected}")
        self.last = self.end()
        head, widest = table.rows[self.names[-1] - 1] if self.names else [], max(map(len, self.rows()))
        if table.separator and any_cell(head[widest:]):
            expected = f"as many: is a {quote(table.separator)} in a name without quotes?"
            raise UserError(f"{where}: found {len(head)} names above {widest} columns, expected {expected}")
        self.levels = spread([self.text[number - 1] for number in self.names])
        self.name = joined(self.levels, self.width)
        above = self.text[: (self.names or [self.first])[0] - 1]
        self.titles = [title for row in above if (title := _said(row))]
        below = [[*map(text_of, row)] for row in self.table.rows[self.first :][-20:]]
        self.notes_below = [_said(row) for row in below if not any(map(is_number, row)) and any(row)]
        self.data = [row for row in self.text[self.first - 1 : self.last] if any(row)]
        self.labels = {
            place: texts
            for place in range(self.width)
            if place not in {*self.numbers, *self.period_columns}
            and (texts := [text for (text,) in self.different([place]) if text])
        }

    def note(self, words: str) -> None:
        """Add what a reader must know."""
        self.notes.append(f"{self.where}: {words}")

    def column_name(self, place: int) -> str:
        """How a mapping calls a column: by its name, or its place where it has none of its own."""
        return self.name[place] if self.names else str(place + 1)

    def different(self, places: list[int]) -> list[tuple[str, ...]]:
        """The different texts of some columns, side by side, in all rows of values."""
        cells = dict.fromkeys(
            tuple(row[place] if place < len(row) else None for place in places) for row in self.rows()
        )
        return [*dict.fromkeys(tuple(map(text_of, one)) for one in cells)]

    def rows(self) -> list[list[Cell]]:
        """All rows of values."""
        return self.table.rows[self.first - 1 : self.last]

    def period_texts(self) -> list[str]:
        """What the rows of periods say above each column of values."""
        levels = [self.levels[self.names.index(number)] for number in self.period_rows]
        return [" ".join(level[place] for level in levels) for place in self.numbers]

    # --- periods in a row above the values ---

    def is_row_of_periods(self, number: int) -> bool:
        """Whether a row names periods, in order, above numbers."""
        row, below = self.text[number - 1], [line for line in self.text[number : number + 30] if any(line)]
        places = [place for place, text in enumerate(row) if read_period(text)]
        periods = [next(iter(read_period(row[place]).values())) for place in places]
        if len(set(periods)) < 2:
            if not (len(periods) == 1 and self.is_lone_period(number, places[0])):
                return False
        elif periods not in (sorted(periods), sorted(periods, reverse=True)):
            texts = [row[place] for place in places]  # Exports 2020, …, Imports 2020, …
            if len({*texts}) < len(texts) or not all(map(read_flow, texts)):
                return False
        while below and not any(is_number(below[0][place]) for place in places):
            below = below[1:]
        filled = [line[place] for line in below for place in places if line[place]]
        if not filled or sum(map(is_figure, filled)) < 0.5 * len(filled):
            return False
        again = [p for p in places if sum(bool(read_period(line[p])) for line in below) > 0.9 * len(below)]
        return not again or (len(again) < len(places) and len(places) > 2 and len(below) < 3)

    def is_lone_period(self, number: int, place: int) -> bool:
        """Whether the one period of a row is a year above values, not one beside them."""
        row = self.text[number - 1]
        beside = [text for other, text in enumerate(row) if other != place]
        return (
            any(beside)
            and not any(map(is_number, beside))
            and "A" in read_period(row[place])
            and number < len(self.text)
            and not self.columns_of_periods(number + 1)
        )

    def find_values_below(self, number: int) -> None:
        """The values below a row of periods."""
        row = self.text[number - 1]
        self.numbers = [place for place, text in enumerate(row) if read_period(text)]
        below = range(number + 1, len(self.text) + 1)
        has_value = (n for n in below if any(is_number(self.text[n - 1][place]) for place in self.numbers))
        self.first = next(has_value, len(self.text) + 1)
        between = [n for n in range(number + 1, self.first) if sum(map(bool, self.text[n - 1])) > 1]
        above = [n for n in range(max(number - 2, 1), number) if self.is_level(n, self.numbers[0])]
        self.names = [*above, number, *between]
        if between:
            self.widen(row, self.text[between[-1] - 1])
            parts = [self.text[between[-1] - 1][place] for place in self.numbers]
            if all(_is_part(text) for text in parts):
                self.period_rows = [number, between[-1]]
        if all(_is_part(row[place]) for place in self.numbers):
            years = self.columns_of_periods(self.first)
            self.period_columns = [place for place in years if place < self.numbers[0]][:1]
        elif all("A" in read_period(row[place]) for place in self.numbers) and len(self.period_rows) == 1:
            rows = [line for line in self.text[self.first - 1 :] if sum(map(bool, line)) > 1]
            named = [sum(_is_part(line[place]) for line in rows) for place in range(self.numbers[0])]
            self.period_columns = [place for place, count in enumerate(named) if count > 0.9 * len(rows)][:1]

    def widen(self, row: list[str], lower: list[str]) -> None:
        """Take the columns to which a period reaches from the left, as a cell that was merged does."""
        last = ""
        for place in range(self.numbers[0], self.width):
            last = row[place] or last
            if place not in self.numbers and lower[place] and not row[place] and read_period(last):
                self.numbers.append(place)
        self.numbers.sort()

    def is_level(self, number: int, start: int) -> bool:
        """Whether a row above the names says something of the columns from one on."""
        row = self.text[number - 1]
        inside = {*row[start:]} - {""}
        return len(inside) > 1 or (len(inside) == 1 and sum(map(bool, row)) > 1)

    # --- periods in each row ---

    def find_values_beside(self) -> None:
        """The values beside periods, or of a table that has one period in all."""
        start = next((n for n, row in enumerate(self.text, 1) if self.has_period_and_number(row)), None)
        columns = self.columns_of_periods(start) if start else []
        if start is None or not columns:
            has_both = (0 < sum(map(is_number, row)) < sum(map(bool, row)) for row in self.text[1:])
            start = next((n for n, found in enumerate(has_both, 2) if found), len(self.text) + 1)
            columns = self.columns_of_months(start)
        while columns and start > 1 and "A" in read_period(self.text[start - 2][columns[0]]):
            start -= 1  # a row without a number, or with one that is none
        self.first = start
        above = [number for number in range(1, start) if any(self.text[number - 1])][-2:]
        if above and sum(map(bool, self.text[above[-1] - 1])) > 1:
            two = above == [start - 2, start - 1] and self.is_level(above[0], 1)
            two = two and len({*self.text[above[0] - 1]} - {""}) > 1
            self.names = above if two else above[-1:]
        header = [" ".join(self.text[n - 1][place] for n in self.names) for place in range(self.width)]
        if columns:
            self.period_columns = columns[:1] + self.second_of_period(columns[0], header)
        self.numbers = [
            place
            for place in range(self.width)
            if place not in self.period_columns
            and self.is_numeric(place)
            and not SCALE_WORDS.search(header[place].casefold())
        ]

    @staticmethod
    def has_period_and_number(row: list[str]) -> bool:
        """Whether a row has a number, and a period beside it."""
        periods = [place for place, text in enumerate(row) if {*read_period(text)} - {"m", "q"}]
        return any(is_number(text) and {*periods} - {place} for place, text in enumerate(row) if text)

    def columns_of_periods(self, first: int) -> list[int]:
        """Columns in which most of what stands are periods of one kind, the likeliest first."""
        rows = [row for row in self.text[first - 1 :] if sum(map(bool, row)) > 1]
        names = self.text[first - 2] if first > 1 else [""] * self.width
        found = []
        for place in range(self.width):
            texts = [row[place] for row in rows if row[place]]
            kinds = Counter(kind for text in texts for kind in read_period(text) if kind not in "mq")
            if texts and max(kinds.values(), default=0) >= 0.6 * len(texts):
                found.append((not PERIOD_WORDS.search(names[place].casefold()), -len(texts), place))
        return [place for *_, place in sorted(found)]

    def columns_of_months(self, first: int) -> list[int]:
        """Columns of names of months, without their year."""
        rows = [row for row in self.text[first - 1 :] if any(row)]
        months = [sum("m" in read_period(row[place]) for row in rows) for place in range(self.width)]
        return [place for place, count in enumerate(months) if count > 0.5 * len(rows)]

    def second_of_period(self, year: int, header: list[str]) -> list[int]:
        """The column of months or quarters beside one of years."""
        rows = [row for row in self.text[self.first - 1 :] if row[year]]
        if not all("A" in read_period(row[year]) for row in rows[:50]):
            return []
        for place in [place for place in range(self.width) if place != year]:
            texts = {row[place].casefold() for row in rows} - {""}
            small = all(text.isdigit() and 1 <= int(text) <= 12 for text in texts)
            parts = any(all(kind in read_period(text) for text in texts) for kind in "mq")
            if texts and (parts or (small and PART_WORDS.search(fold(header[place])))):
                return [place]
        return []

    def is_numeric(self, place: int) -> bool:
        """Whether most of what stands in a column are numbers."""
        texts = [row[place] for row in self.text[self.first - 1 :] if row[place]]
        return any(map(is_number, texts)) and sum(map(is_figure, texts)) > 0.6 * len(texts)

    def end(self) -> int | None:
        """The last row before another table: after a blank row, names stand where numbers stood."""
        blank = 0  # the last one above which no figure stands
        for number, row in enumerate(self.table.rows[self.first - 1 :], self.first):
            if not any_cell(row):
                blank = blank or number
            elif blank:
                texts = [text_of(row[place]) for place in self.numbers if place < len(row)]
                if not all(map(is_figure, texts)):
                    self.note(f"left out from row {blank + 1} on: what seems another table or a note")
                    return blank
                blank = 0 if any(map(is_number, texts)) else blank
        return None


def _said(row: list[str]) -> str:
    """What a row says, each text once."""
    return " ".join(dict.fromkeys(filter(None, row)))


def _is_part(text: str) -> bool:
    """Whether a text is a quarter or a month without its year."""
    return bool({*read_period(text)} & {"m", "q"})
