"""Where things stand in a table that nobody described: its periods, the rows of names, the values, its parties.

Rows and columns are counted from 0 here. Told from the first rows; all are read afterwards. Whose trade it is, and with whom,
is told by what was given, by columns of places, or by the title.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from lib.errors import quote, some
from lib.spoken import fold
from lib.tools.sources import cells
from lib.tools.sources.cells import WORDS, is_nothing, is_number, read_flow, read_period, read_place
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


# --- parties ---

Said = dict[str, Any]
"""Part of a mapping, as its file would have it."""

UNKNOWN = {
    "reporter": "found none in the table, expected whose trade this is",
    "partner": "found none in the table, expected with whom it is (World for all together)",
}


class Parties:
    """Reporter and partner of one table, by what was given and by its headings, the names of sheet and file too."""

    def __init__(self, at: Layout, given: dict[str, Any], headings: list[str]) -> None:
        self.at, self.given, self.headings = at, given, headings
        self.wanted = {role: read_place(given.get(role, "")) or given.get(role, "") for role in UNKNOWN}
        self.unknown: dict[str, str] = {}
        self.about: dict[str, str] = {}  # the place that a text of a column of such texts is about

    def found(self) -> tuple[Said, dict[str, str]]:
        """Where reporter and partner stand, and the questions that are left; these count as World meanwhile."""
        role, found = {place: self.role(place) for place in self.columns_of_places()}, Said()
        for name in UNKNOWN:
            if own := [place for place in role if role[place] == name]:
                found[name] = self.party(name, own[0])
            elif name in self.given:
                found[name] = {"is": self.given[name]}
        self.add_from_names(found)
        free = sorted(place for place in role if not role[place])
        for name in UNKNOWN:
            if name not in found and len(free) > (name == "reporter" and "partner" not in found):
                found[name] = self.party(name, free.pop(0))
        self.add_from_titles(found)
        unknown = {name: words for name, words in UNKNOWN.items() if name not in found} | self.unknown
        return {name: {"is": "World"} for name in unknown} | found, unknown

    def add_from_names(self, found: Said) -> None:
        """Add the party whose places stand in a row above the values, such as a column for each partner."""
        for number, level in zip(self.at.names, self.at.levels, strict=True):
            texts = [level[place] for place in self.at.numbers]
            names = {text: name for text in texts if (name := self.place(text) or _only_place(text))}
            role = next((name for name in ("partner", "reporter") if name not in found), "")
            if role and number not in self.at.period_rows and len({*names.values()}) > 1:
                left = [text for text in dict.fromkeys(texts) if text not in names]
                self.at.note_left_out("place that is known", left)
                found[role] = {"row": number + 1, "names": names, "others": "skip"}
                return

    def columns_of_places(self) -> list[int]:
        """Columns that name places, or one that was given; of those that name the same the likelier alone."""
        known = {}
        for place, texts in self.at.labels.items():
            known[place] = [*map(self.place, texts)]
            looks = len(texts) <= 50 and not any(known[place])
            about = [*map(_only_place, texts)] if looks else []  # "Exports to Russia", "vers la Chine (M€)"
            if len({*about} - {"", self.given.get("reporter")}) > 1:
                self.about |= zip(texts, about, strict=True)
                known[place] = about
        share = {place: sum(map(bool, names)) / len(names) for place, names in known.items()}
        wanted = {*self.wanted.values()} - {"", "World"}
        order = {place: bool(WORDS["code"].search(self.at.column_name(place).casefold())) for place in known}
        kept: list[int] = []
        for place in sorted(known, key=lambda n: (-share[n], order[n], n)):
            enough = share[place] >= (0.25 if len(known[place]) > 4 else 0.5)
            if (enough or wanted & {*known[place]}) and not any(self.same_places(place, one) for one in kept):
                kept.append(place)
        return kept

    def place(self, text: str) -> str:
        """The name used here of a place, also by what was given."""
        return self.given.get("places", {}).get(text) or read_place(text) or self.about.get(text, "")

    def same_places(self, one: int, other: int) -> bool:
        """Whether two columns name the same places, such as names and codes."""
        pairs = {(row[one], row[other]) for row in self.at.data}
        return all(self.place(text) == self.place(beside) for text, beside in pairs)

    def role(self, place: int) -> str:
        """Which party a column names: by its own name, or since it holds the place that was given."""
        name, known = self.at.column_name(place).casefold(), set(map(self.place, self.at.labels[place]))
        by_name = [role for role in UNKNOWN if WORDS[role].search(name)]
        return [
            *by_name,
            *(role for role in ("partner", "reporter") if self.wanted[role] in known - {""}),
            "",
        ][0]

    def party(self, role: str, place: int) -> Said:
        """A column of places; where one was given, its rows alone."""
        texts, axis = self.at.labels[place], {"column": self.at.column_name(place)}
        names = {text: name for text in texts if (name := self.place(text))}
        if wanted := self.given.get(role):
            own = self.wanted[role]
            rows = {text: name for text, name in names.items() if name == own}
            rows = rows or {text: wanted for text in texts if text == wanted}
            left = {"others": "skip"} if len(rows) < len(texts) else {}
            if len({*names.values()}) > 1 and not rows and "World" not in (own, *names.values()):
                words = f"found {quote(wanted)} nowhere in the column {axis['column']}"
                self.unknown[role] = f"{words}, expected {one_of(names.values())}"
            return axis | {"names": rows} | left if rows else {"is": wanted}
        if unknown := [quote(text) for text in texts if text not in names]:
            words = f"left out of the column {axis['column']}, no place that is known"
            self.at.note(f"{words}: {some(unknown, 5)}")
            axis["others"] = "skip"
        return axis | ({"names": names} if len(texts) <= 30 or "places" in self.given else {})

    def add_from_titles(self, found: Said) -> None:
        """Add parties that the title names, such as "Exports of China to Russia"."""
        first = [self.at.name[place] for place in self.at.numbers[:1]]
        for title in [*self.at.titles, *first, *self.headings[-2:]]:
            places = places_in(title)
            for name, before in places:
                second = "reporter" in found and len(places) > 1
                role = (
                    "partner" if second or WORDS["before_partner"].search(before.casefold()) else "reporter"
                )
                if role not in found and name not in {axis.get("is") for axis in found.values()}:
                    found[role] = {"is": name}
                    self.at.note(f"the {role} is {name}, by {quote(title)}")


def one_of(names: Iterable[str]) -> str:
    """What could have been given instead of a place that is not there."""
    return f"one of {some(dict.fromkeys(names), 8)}"


def _only_place(text: str) -> str:
    """The place that a name of a column is about, such as "To Russia"; blank for none or several."""
    found = places_in(text)
    return found[0][0] if len(found) == 1 else ""


def places_in(title: str) -> list[tuple[str, str]]:
    """The places that a title names, in order, each with what stands before it."""
    plain = re.sub(r"(?i)(доллар\w*|долл\w*\.?) сша|u\.?s\.?[ -]dollars?|us\$", " ", title.replace("_", " "))
    plain = fold(plain)
    found: list[tuple[int, int, str]] = []
    for word, name in cells.places().items():
        if len(word) > (3 if word.isascii() else 1) and name != "World" and (at := plain.find(word)) >= 0:
            end = at + len(word)
            goes_on = plain[end : end + 1].isalpha() and word[-1].isascii()
            if not goes_on and not (plain[at - 1 : at].isalpha() and word[0].isascii()):
                found.append((at, -end, name))
    kept, past = list[tuple[str, str]](), 0
    for at, end, name in sorted(found):  # of two that begin at one place the longer
        if at >= past:
            kept.append((name, plain[:at]))
            past = -end
    return kept
