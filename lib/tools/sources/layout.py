"""Where things stand in a table that nobody described: its periods, the rows of names, the values, its parties.

Rows are counted from 1, columns from 0. Told from the first rows; all are read afterwards. Whose trade it is, and with whom,
is told by what was given, by columns of places, or by the title.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from lib.errors import quote, some
from lib.spoken import fold
from lib.tools.sources import cells
from lib.tools.sources.cells import is_figure, is_number, read_flow, read_period, read_place, text_of
from lib.tools.sources.client import refuse
from lib.tools.sources.tables import Cell, Table, any_cell, joined, spread

LOOKED_AT = 400

PERIOD_WORDS = re.compile(
    r"year|period|month|date|time|quarter|год|период|месяц|квартал|年|月|季|jahr|monat|quartal|año|ano\b|mes|fecha|trimestre"
)
PART_WORDS = re.compile(r"month|мес|月|monat|\bmes|_mes|quarter|кварт|季|quartal|trim")
SCALE_WORDS = re.compile(r"unit_mult|scal|multipl|power")


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
        self.width = min(max(map(len, table.rows[:5000])), 500)
        rows, blank = table.rows[:LOOKED_AT], [""] * self.width
        self.text = [[*map(text_of, row), *blank][: self.width] for row in rows]
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
            raise refuse(where, "no column of numbers beside periods", expected)
        self.last = self.end()
        head, widest = table.rows[self.names[-1] - 1] if self.names else [], max(map(len, self.rows()))
        if table.separator and any_cell(head[widest:]):
            expected = f"as many: is a {quote(table.separator)} in a name without quotes?"
            raise refuse(where, f"{len(head)} names above {widest} columns", expected)
        self.levels = spread([self.text[number - 1] for number in self.names])
        self.name = joined(self.levels, self.width)
        above = self.text[: (self.names or [self.first])[0] - 1]
        self.titles = [title for row in above if (title := _said(row))]
        below = [[*map(text_of, row)] for row in self.table.rows[self.first :][-20:]]
        self.notes_below = [_said(row) for row in below if not any(map(is_number, row))]
        self.data = [row for row in self.text[self.first - 1 : self.last] if any(row)]
        others = sorted({*range(self.width)} - {*self.numbers, *self.period_columns})
        labels = {place: [text for (text,) in self.different([place]) if text] for place in others}
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

    def different(self, places: list[int]) -> list[tuple[str, ...]]:
        """The different texts of some columns, side by side, in all rows of values."""
        rows = self.rows()
        beside = {tuple(row[n] if n < len(row) else None for n in places): None for row in rows}
        return [*dict.fromkeys(tuple(map(text_of, one)) for one in beside)]

    def rows(self) -> list[list[Cell]]:
        """All rows of values."""
        return self.table.rows[self.first - 1 : self.last]

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
        if not any(beside) or any(map(is_number, beside)) or "A" not in read_period(row[place]):
            return False
        return number < len(self.text) and not self.columns_of_periods(number + 1)

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
            lower, last = self.text[between[-1] - 1], ""
            # A period reaches to the right, as a merged cell does.
            for place in range(self.numbers[0], self.width):
                last = row[place] or last
                if place not in self.numbers and lower[place] and not row[place] and read_period(last):
                    self.numbers.append(place)
            self.numbers.sort()
            if all(_is_part(lower[place]) for place in self.numbers):
                self.period_rows = [number, between[-1]]
        if all(_is_part(row[place]) for place in self.numbers):
            years = self.columns_of_periods(self.first)
            self.period_columns = [place for place in years if place < self.numbers[0]][:1]
        elif all("A" in read_period(row[place]) for place in self.numbers) and len(self.period_rows) == 1:
            rows = [line for line in self.text[self.first - 1 :] if sum(map(bool, line)) > 1]
            named = [sum(_is_part(line[place]) for line in rows) for place in range(self.numbers[0])]
            self.period_columns = [place for place, count in enumerate(named) if count > 0.9 * len(rows)][:1]

    def is_level(self, number: int, start: int) -> bool:
        """Whether a row above the names says something of the columns from one on."""
        row = self.text[number - 1]
        inside = {*row[start:]} - {""}
        return len(inside) > 1 or (len(inside) == 1 and sum(map(bool, row)) > 1)

    def find_values_beside(self) -> None:
        """The values beside periods, or of a table that has one period in all."""
        start = next((n for n, row in enumerate(self.text, 1) if _has_period_and_number(row)), 0)
        columns = self.columns_of_periods(start) if start else []
        if not columns:
            has_both = (0 < sum(map(is_number, row)) < sum(map(bool, row)) for row in self.text[1:])
            start = next((n for n, found in enumerate(has_both, 2) if found), len(self.text) + 1)
            rows = [row for row in self.text[start - 1 :] if any(row)]
            months = [sum("m" in read_period(row[place]) for row in rows) for place in range(self.width)]
            columns = [place for place, count in enumerate(months) if count > 0.5 * len(rows)]
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
        self.numbers = []
        for place in sorted({*range(self.width)} - {*self.period_columns}):
            texts = [row[place] for row in self.text[start - 1 :] if row[place]]
            numeric = any(map(is_number, texts)) and sum(map(is_figure, texts)) > 0.6 * len(texts)
            if numeric and not SCALE_WORDS.search(header[place].casefold()):
                self.numbers.append(place)

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


def _has_period_and_number(row: list[str]) -> bool:
    """Whether a row has a number, and a period beside it."""
    periods = {place for place, text in enumerate(row) if {*read_period(text)} - {"m", "q"}}
    return any(is_number(text) and periods - {place} for place, text in enumerate(row) if text)


# --- parties ---

WORDS_OF_ROLES = {
    "reporter": re.compile(
        r"report|declar|exporter|репортер|报告|region|province|city|place|город|регион|省|市|^地区|ref_area|país informante"
    ),
    "partner": re.compile(
        r"partner|counterpart|destination|origin|партн|контрагент|伙伴|对方|国别|国家|страна|zielland|partnerland|país socio|importer"
    ),
}
BEFORE_PARTNERS = re.compile(r"(?:\b(?:to|with|from|mit|nach|aus|con|a|с|в|из)|对|与|同|从)\s*$")
CODE_WORDS = re.compile(
    r"\bcode|\bid\b|s\.? ?no\b|^no\.?$|^#$|№|序号|编码|\brank|^n$|desc_?code|isactive|iso|hs\b|sitc|flag|status|scalar_id|vector|decimals|coordinate|uom_id",
    re.IGNORECASE,
)

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
        self.unknown: dict[str, str] = {}
        self.about: dict[str, str] = {}  # the place that a text of a column of such texts is about

    def found(self) -> tuple[Said, dict[str, str]]:
        """Where reporter and partner stand, and the questions that are left; these count as World meanwhile."""
        role, found = {place: self.role(place) for place in self.columns_of_places()}, Said()
        for name in WORDS_OF_ROLES:
            if own := [place for place in role if role[place] == name]:
                found[name] = self.party(name, own[0])
            elif name in self.given:
                found[name] = {"is": self.given[name]}
        self.add_from_names(found)
        free = sorted(place for place in role if not role[place])
        for name in WORDS_OF_ROLES:
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
            if number in self.at.period_rows or not role or len({*names.values()}) < 2:
                continue
            left = [text for text in dict.fromkeys(texts) if text not in names]
            self.at.note_left_out("place that is known", left)
            found[role] = {"row": number, "names": names, "others": "skip"}
            return

    def columns_of_places(self) -> list[int]:
        """Columns that name places, or one that was given; of those that name the same the likelier alone."""
        known = {place: [self.place(text) for text in texts] for place, texts in self.at.labels.items()}
        for place, texts in self.at.labels.items():  # "Exports to Russia", "vers la Chine (M€)"
            looks = len(texts) <= 50 and not any(known[place])
            about = [_only_place(text) for text in texts] if looks else []
            if len({*about} - {"", self.given.get("reporter")}) > 1:
                self.about |= {text: name for text, name in zip(texts, about, strict=True) if name}
                known[place] = about
        share = {place: sum(map(bool, names)) / len(names) for place, names in known.items()}
        wanted = {read_place(self.given.get(role, "")) for role in WORDS_OF_ROLES} - {"", "World"}
        is_code = {place: bool(CODE_WORDS.search(self.at.column_name(place))) for place in known}
        kept: list[int] = []
        for place in sorted(known, key=lambda n: (-share[n], is_code[n], n)):
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
        by_name = [role for role, words in WORDS_OF_ROLES.items() if words.search(name)]
        given = {role: read_place(self.given.get(role, "")) for role in ("partner", "reporter")}
        return [*by_name, *(role for role in given if given[role] in known - {""}), ""][0]

    def party(self, role: str, place: int) -> Said:
        """A column of places; where one was given, its rows alone."""
        texts, axis = self.at.labels[place], {"column": self.at.column_name(place)}
        names = {text: name for text in texts if (name := self.place(text))}
        if wanted := self.given.get(role):
            own = read_place(wanted) or wanted
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
                second = BEFORE_PARTNERS.search(before.casefold()) or (
                    "reporter" in found and len(places) > 1
                )
                role = "partner" if second else "reporter"
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
    plain = cells.fold(plain)
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
