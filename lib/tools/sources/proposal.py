"""A table without a mapping: what it seems to say, as a mapping that a reader can confirm, change and give again.

Nothing is guessed in silence: what the table does not say is asked for, and every choice stands in the mapping.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lib.errors import UserError, quote, shown_path
from lib.tools.sources import cells, importer, observations
from lib.tools.sources.cells import text_of
from lib.tools.sources.mapping import Mapping, to_unit
from lib.tools.sources.publishers import PUBLISHERS
from lib.tools.sources.tables import Table, any_cell, read_file, read_tables

LOOKED_AT = 400
"""Rows from which the form of a table is told; all are read afterwards."""

TOTALS = {
    "total",
    "totals",
    "all products",
    "all commodities",
    "all goods",
    "goods",
    "_t",
    "t",
    "tot",
    "0",
    "00",
    "000",
    "合计",
    "总计",
    "всего",
    "итого",
    "insgesamt",
    "gesamt",
}

PERIOD_WORDS = re.compile(
    r"year|period|month|date|time|quarter|год|период|месяц|квартал|年|月|季|jahr|monat|quartal|año|ano\b|mes|fecha|trimestre"
)
REPORTER_WORDS = re.compile(
    r"report|declar|exporter|репортер|报告|region|province|city|place|город|регион|省|市|ref_area|país informante"
)
PARTNER_WORDS = re.compile(
    r"partner|counterpart|destination|origin|партн|контрагент|伙伴|对方|国别|国家|страна|zielland|partnerland|país socio|importer"
)
VALUE_WORDS = (
    "primaryvalue",
    "obs_value",
    "obsvalue",
    "tradevalue",
    "trade value",
    "value",
    "vl_fob",
    "fobvalue",
    "amount",
    "金额",
    "стоимость",
    "wert",
    "valor",
)
CODE_WORDS = re.compile(
    r"\bcode|\bid\b|s\.? ?no\b|^no\.?$|^#$|№|序号|编码|\brank|^n$|desc_?code|isactive|iso|hs\b|sitc|flag|status|scalar_id|vector|decimals|coordinate|uom_id",
    re.IGNORECASE,
)


class UnclearError(UserError):
    """What a table does not say: by the name of what `propose` can be given, the question."""

    def __init__(self, where: str, questions: dict[str, str]) -> None:
        self.questions = questions
        super().__init__("\n".join(f"{where}: {name}: {words}" for name, words in questions.items()))


@dataclass(frozen=True)
class Proposal:
    """A mapping, the observations that it makes of the table, and what a reader must know.

    Parameters
    ----------
    mapping : what `tradegoals data import TABLE MAPPING` takes.
    observations : a row each: the columns of `observations.COLUMNS`, value_mn (millions of `currency`) and currency.
    notes : in words.
    observed : the observations in the units of the table, as `importer.read_import` takes them.
    """

    mapping: Mapping
    observations: pd.DataFrame
    notes: list[str]
    observed: importer.Observed


def propose(path: Path, **given: Any) -> Proposal:
    """Look at a file and propose how to read it.

    Parameters
    ----------
    path : a table of any kind that `tables` reads.
    given : what the table does not say, or says wrongly: reporter, partner, flow, unit ("USD mn"), period, freq, year,
        fiscal (first month), decimal, thousands, sheet, encoding, separator, rows ({column: text}), places ({text: name}), source,
        title, url, licence, authority, published.

    Raises
    ------
    UnclearError
        With a question for everything that is missing or could be meant in two ways.
    UserError
        For a file without a table, or a cell that cannot be read.
    """
    given = {name: value for name, value in given.items() if value not in (None, "", {}, [])}
    where, body = shown_path(path), read_file(path)
    if not body.strip():
        raise UserError(f"{where}: found nothing in it, expected a table")
    tables = read_tables(body, where, given.get("encoding"), given.get("separator"), given.get("sheet"))
    return propose_for(tables, where, path.stem, given)


def propose_for(tables: list[Table], where: str, stem: str, given: dict[str, Any]) -> Proposal:
    """Propose for the table of several of which most can be read."""
    best: Proposal | None = None
    faults: list[UserError] = []
    for table in tables[:20]:
        try:
            found = Look(table, where, stem, given).proposal()
        except UserError as fault:
            faults.append(fault)
            continue
        if best is None or len(found.observations) > len(best.observations):
            best = found
    if best is None:
        raise next((fault for fault in faults if isinstance(fault, UnclearError)), faults[0])
    if len(tables) > 1:
        others = [table.name for table in tables if table.name != best.mapping.sheet][:5]
        best.notes.append(
            f"{where}: read the sheet or table {best.mapping.sheet}; not read: {', '.join(others)}"
        )
    return best


@dataclass
class Shape:
    """Where things stand in a table; rows counted from 1, columns from 0."""

    period_columns: list[int] = field(default_factory=list)
    period_row: int | None = None
    names: list[int] = field(default_factory=list)
    first: int = 1
    last: int | None = None
    numbers: list[int] = field(default_factory=list)


class Look:
    """One table, looked at."""

    def __init__(self, table: Table, where: str, stem: str, given: dict[str, Any]) -> None:
        self.table, self.where, self.stem, self.given = table, where, stem, given
        self.notes: list[str] = []
        self.questions: dict[str, str] = {}
        self.width = min(max(len(row) for row in table.rows[:5000]), 500)
        self.text = [
            [text_of(cell) for cell in row[: self.width]] + [""] * (self.width - len(row))
            for row in table.rows[:LOOKED_AT]
        ]
        self.shape = self.find_shape()
        self.levels = [self.level(number) for number in self.shape.names]
        self.name = [
            " ".join(dict.fromkeys(level[place] for level in self.levels if level[place]))
            for place in range(self.width)
        ]
        self.titles = [
            " ".join(dict.fromkeys(filter(None, row)))
            for row in self.text[: (self.shape.names or [self.shape.first])[0] - 1]
        ]
        self.titles = [title for title in self.titles if title]
        self.data = [row for row in self.text[self.shape.first - 1 : self.shape.last] if any(row)]

    # --- shape ---

    def find_shape(self) -> Shape:
        """Find the periods, the rows of names and the values."""
        number = next((n for n in range(1, min(len(self.text), 40) + 1) if self.is_row_of_periods(n)), None)
        shape = self.wide(number) if number else self.long()
        if not shape.numbers:
            raise UserError(
                f"{self.where}: found no column of numbers beside periods, expected a table of figures with years, quarters or months"
            )
        shape.last = self.end_of(shape)
        return shape

    def is_row_of_periods(self, number: int) -> bool:
        """Whether a row names periods, in order, above numbers."""
        row = self.text[number - 1]
        places = [place for place, text in enumerate(row) if self.kinds(text)]
        periods = [next(iter(self.kinds(row[place]).values())) for place in places]
        below = [line for line in self.text[number : number + 30] if any(line)]
        if len(set(periods)) < 2:
            one = len(periods) == 1 and number < len(self.text) and not self.period_columns_of(number + 1)
            if not (one and sum(bool(text) for text in row) > 1 and "A" in self.kinds(row[places[0]])):
                return False
        elif periods not in (sorted(periods), sorted(periods, reverse=True)):
            return False
        filled = [line[place] for line in below for place in places if line[place]]
        numbers = [text for text in filled if cells.split_number(text) or text.casefold() in cells.NOTHING]
        alike = [
            place
            for place in places
            if below and sum(bool(self.kinds(line[place])) for line in below) > 0.9 * len(below)
        ]
        return (
            bool(numbers)
            and len(numbers) >= 0.5 * len(filled)
            and (not alike or (len(alike) < len(places) and len(places) > 2 and len(below) < 3))
        )

    def kinds(self, text: str) -> dict[str, str]:
        """What periods a text can be; words alone count, or whole years."""
        return cells.read_period(text) if text else {}

    def wide(self, number: int) -> Shape:
        """Periods in a row above the values."""
        row = self.text[number - 1]
        values = [place for place, text in enumerate(row) if self.kinds(text)]
        first = number + 1
        while first <= len(self.text) and not any(
            cells.split_number(self.text[first - 1][place]) for place in values
        ):
            first += 1
        between = [n for n in range(number + 1, first) if sum(bool(text) for text in self.text[n - 1]) > 1]
        above = [n for n in range(max(number - 2, 1), number) if self.is_level(n, values)]
        months = all("m" in self.kinds(row[place]) for place in values)
        years = [place for place in self.period_columns_of(first) if place < values[0]] if months else []
        return Shape(years[:1], number, [*above, number, *between], first, None, values)

    def is_level(self, number: int, values: list[int]) -> bool:
        """Whether a row above the names says something of the columns of values."""
        filled = [place for place, text in enumerate(self.text[number - 1]) if text]
        inside = {self.text[number - 1][place] for place in filled if place >= values[0]}
        return len(inside) > 1 or (len(inside) == 1 and len(filled) > 1)

    def period_columns_of(self, first: int) -> list[int]:
        """Columns in which nearly every row with anything in it has a period, the likeliest first."""
        rows = [row for row in self.text[first - 1 :] if sum(bool(text) for text in row) > 1]
        names = self.text[first - 2] if first > 1 else [""] * self.width
        found = []
        for place in range(self.width):
            texts = [row[place] for row in rows if row[place]]
            kinds = Counter(kind for text in texts for kind in self.kinds(text) if kind != "m")
            share = max(kinds.values(), default=0) / max(len(texts), 1)
            if share >= 0.8 and texts:
                named = bool(PERIOD_WORDS.search(names[place].casefold()))
                found.append((not named, -len(texts), place))
        return [place for *_, place in sorted(found)]

    def columns_of_months(self, start: int) -> list[int]:
        """Columns of names of months, without their year."""
        rows = [row for row in self.text[start - 1 :] if any(row)]
        return [
            place
            for place in range(self.width)
            if rows and sum("m" in self.kinds(row[place]) for row in rows) > 0.5 * len(rows)
        ]

    def long(self) -> Shape:
        """A period in each row, or one for the whole table."""
        start = next((n for n, row in enumerate(self.text, 1) if self.is_data(row, True)), None)
        columns = self.period_columns_of(start) if start else []
        if start is None or not columns:
            start = next(
                (n for n, row in enumerate(self.text, 1) if n > 1 and self.is_data(row, False)),
                len(self.text) + 1,
            )
            columns = self.columns_of_months(start)
        period = columns[:1]
        names = []
        if start > 1 and sum(bool(text) for text in self.text[start - 2]) > 1:
            names = [start - 1]
            if start > 2 and self.is_level(start - 2, [1]) and len({*self.text[start - 3]} - {""}) > 1:
                names = [start - 2, start - 1]
        shape = Shape(period, None, names, start)
        header = [" ".join(self.text[n - 1][place] for n in names) for place in range(self.width)]
        if period:
            shape.period_columns = period + self.second_of_period(start, period[0], header)
        shape.numbers = [
            place
            for place in range(self.width)
            if place not in shape.period_columns and self.is_numeric(place, start)
        ]
        return shape

    def is_data(self, row: list[str], with_period: bool) -> bool:
        """Whether a row has a number, and a period beside it."""
        periods = [place for place, text in enumerate(row) if {*self.kinds(text)} - {"m"}]
        numbers = [place for place, text in enumerate(row) if cells.split_number(text)]
        if with_period:
            return any(one != other for one in periods for other in numbers)
        return bool(numbers) and len(numbers) < sum(bool(text) for text in row)

    def second_of_period(self, start: int, first: int, header: list[str]) -> list[int]:
        """The column of months or quarters beside one of years."""
        rows = [row for row in self.text[start - 1 :] if row[first]]
        if not all("A" in self.kinds(row[first]) for row in rows[:50]):
            return []
        for place in range(self.width):
            texts = {row[place].casefold() for row in rows} - {""}
            name = header[place].casefold()
            months = texts and all("m" in cells.read_period(text) for text in texts)
            quarters = texts and all("Q" in cells.read_period(f"2000 {text}") for text in texts)
            small = texts and all(text.isdigit() and 1 <= int(text) <= 12 for text in texts)
            if place != first and (
                months
                or quarters
                or (small and re.search(r"month|мес|月|monat|\bmes|_mes|quarter|кварт|季|quartal|trim", name))
            ):
                return [place]
        return []

    def is_numeric(self, place: int, start: int) -> bool:
        """Whether most of what stands in a column are numbers."""
        texts = [row[place] for row in self.text[start - 1 :] if row[place]]
        numbers = [text for text in texts if cells.split_number(text) or text.casefold() in cells.NOTHING]
        return len(numbers) > 0.6 * len(texts) and any(map(cells.split_number, texts))

    def end_of(self, shape: Shape) -> int | None:
        """The last row before another table: one in which names stand where numbers stood."""
        rows = self.table.rows
        blank = False
        for number in range(shape.first, len(rows) + 1):
            row = rows[number - 1]
            if not any_cell(row):
                blank = True
            elif blank:
                texts = [text_of(row[place]) for place in shape.numbers if place < len(row)]
                if any(
                    text and not cells.split_number(text) and text.casefold() not in cells.NOTHING
                    for text in texts
                ):
                    self.notes.append(
                        f"{self.where}: what stands from row {number} on seems another table or a note, and was left out"
                    )
                    return number - 1
                blank = False
        return None

    def level(self, number: int) -> list[str]:
        """A row of names; those of an upper row reach to the right up to the next."""
        row = list(self.text[number - 1])
        for place in range(1, self.width if number != self.shape.names[-1] else 0):
            row[place] = row[place] or row[place - 1]
        return row

    # --- what the table says ---

    def proposal(self) -> Proposal:
        """Return the mapping and what it makes of the table."""
        labels = self.labels()
        said: dict[str, Any] = {"freq": None}
        said |= self.period()
        said |= self.parties(labels)
        said |= self.flows(labels)
        said |= self.numbers()
        if self.questions:
            raise UnclearError(self.where, self.questions)
        mapping = self.mapping(said)
        mapping, (rows, notes) = self.read(mapping)
        if rows.empty:
            raise UserError(
                f"{self.where}: found no value whose reporter, partner, flow and period are known, expected one; {'; '.join(notes[:3])}"
            )
        millions = observations.in_millions(rows["value"], rows["unit"])
        currency = rows["unit"].str[:3]
        shown = rows.assign(value=millions, unit=currency + " mn", value_mn=millions, currency=currency)
        return Proposal(mapping, shown, self.notes + notes, (rows, self.notes + notes))

    def column_name(self, place: int) -> str:
        """How the mapping calls a column: by its name, or its place where it has none of its own."""
        return self.name[place] if self.shape.names else str(place + 1)

    def labels(self) -> dict[int, list[str]]:
        """The different texts of every column that holds neither values nor periods."""
        shape, found = self.shape, dict[int, list[str]]()
        for place in range(self.width):
            if place in shape.numbers or place in shape.period_columns:
                continue
            rows = self.table.rows[shape.first - 1 : shape.last]
            there = dict.fromkeys(text_of(row[place]) for row in rows if place < len(row))
            if texts := [text for text in there if text]:
                found[place] = texts
        return found

    def period(self) -> dict[str, Any]:
        """Where the period stands, and the frequency."""
        shape, given = self.shape, self.given
        if "period" in given or (not shape.period_columns and shape.period_row is None):
            text = str(given.get("period", "")) or next(
                (text for title in [*self.titles, self.table.name, self.stem] if (text := _period_in(title))),
                "",
            )
            kinds = cells.read_period(text)
            if not kinds or "m" in kinds:
                self.questions["period"] = (
                    "found none in the table, expected the one of all its figures, such as 2024-01"
                )
                return {"period": {"is": "2000"}, "freq": "A"}
            if "period" not in given:
                self.notes.append(f"{self.where}: the period of all figures is {quote(text)}")
            kind = given.get("freq") or next(kind for kind in kinds)
            return {
                "period": {"is": text} | self.fiscal([text], kinds),
                "freq": "A" if kind in "FD" else kind,
            }
        axis: dict[str, Any] = {}
        if shape.period_row:
            axis["row"] = shape.period_row
            texts = [self.text[shape.period_row - 1][place] for place in shape.numbers]
        if shape.period_columns:
            names = [self.column_name(place) for place in shape.period_columns]
            axis["column"] = names[0] if len(names) == 1 else names
            rows = self.table.rows[shape.first - 1 : shape.last]
            columns = [
                " ".join(
                    text_of(row[place]) if place < len(row) else "" for place in shape.period_columns
                ).strip()
                for row in rows
            ]
            texts = (
                [f"{one} {other}" for one in dict.fromkeys(columns[:50]) for other in texts]
                if shape.period_row
                else list(dict.fromkeys(columns))
            )
        return self.with_freq(
            axis, texts, Counter(kind for text in texts for kind in cells.read_period(text))
        )

    def with_freq(self, axis: dict[str, Any], texts: list[str], kinds: "Counter[str]") -> dict[str, Any]:
        """Add what kind of periods the texts are."""
        freq = self.given.get("freq")
        top = freq or max("AQMFDm", key=lambda kind: (kinds[kind], kind == "F"))
        if not freq and kinds["M"] and kinds["M"] == kinds["F"] == kinds[top]:
            pairs = len({text[:4] for text in texts}) == len(
                texts
            )  # each year once: fiscal years, most likely
            if "fiscal" in self.given or not pairs:
                top = "F" if "fiscal" in self.given else "M"
            else:
                self.questions["freq"] = (
                    f"found {quote(texts[0])}, which may be a month or a fiscal year, expected M, or `fiscal` with its first month"
                )
        if top == "D":
            top = _freq_of_days([kind["D"] for text in texts if "D" in (kind := cells.read_period(text))])
        if top == "m":
            if "year" not in self.given:
                self.questions["year"] = "found months without their year, expected it, such as 2024"
            axis["year"] = self.given.get("year")
        header = " ".join(self.column_name(place) for place in self.shape.period_columns)
        if (
            top == "F"
            or "fiscal" in self.given
            or (top == "A" and re.search(r"fiscal|financial year|\bfy\b", header.casefold()))
        ):
            axis |= self.fiscal(texts, {"F": ""})
            top = "A"
        top = {"m": "M"}.get(top, top)
        fits = [
            text
            for text in texts
            if {top, "D", "m" if top == "M" else top, "F" if top == "A" else top} & {*cells.read_period(text)}
            or not text
        ]
        blanks = "" in texts
        if len(fits) < len(texts):
            axis["others"] = "skip"
        said: dict[str, Any] = {"period": axis, "freq": top}
        if blanks and self.shape.period_columns and self.fills():
            said["fill"] = [self.column_name(self.shape.period_columns[0])]
            self.notes.append(f"{self.where}: blanks below a period were read as that period")
        return said

    def fills(self) -> bool:
        """Whether rows with values lack a period below one that has it."""
        place = self.shape.period_columns[0]
        return any(
            not row[place] and any(cells.split_number(row[one]) for one in self.shape.numbers)
            for row in self.data
        )

    def fiscal(self, texts: list[str], kinds: dict[str, str]) -> dict[str, Any]:
        """The month in which fiscal years begin, which nobody can tell from their names."""
        if "F" not in kinds:
            return {}
        if "fiscal" not in self.given:
            self.questions["fiscal"] = (
                f"found fiscal years such as {quote(texts[0])}, expected the month in which they begin, such as 4 (1: calendar years)"
            )
        return {"fiscal": self.given.get("fiscal", 1)}

    def parties(self, labels: dict[int, list[str]]) -> dict[str, Any]:
        """Reporter and partner: given, in columns, or in the title."""
        share = {
            place: sum(bool(self.place(text)) for text in texts) / len(texts)
            for place, texts in labels.items()
        }
        columns = [
            place
            for place in labels
            if share[place] >= 0.5 or (len(labels[place]) > 4 and share[place] >= 0.25)
        ]
        columns.sort(
            key=lambda place: (-share[place], bool(CODE_WORDS.search(self.column_name(place))), place)
        )
        columns = [
            place
            for n, place in enumerate(columns)
            if not any(self.same_places(place, other) for other in columns[:n])
        ]
        found: dict[str, Any] = {}
        role = {place: self.role(place, labels[place]) for place in columns}
        for name in ("reporter", "partner"):
            if own := [place for place in columns if role[place] == name]:
                found[name] = self.party(name, own[0], labels[own[0]])
            elif name in self.given:
                found[name] = {"is": self.given[name]}
        free = sorted(place for place in columns if role[place] == "")
        for name in ("reporter", "partner"):
            if name not in found and len(free) > (name == "reporter" and "partner" not in found):
                place = free.pop(0)
                found[name] = self.party(name, place, labels[place])
        self.from_title(found)
        for name, words in (
            ("reporter", "whose trade this is"),
            ("partner", "with whom it is (World for all together)"),
        ):
            if name not in found:
                self.questions[name] = f"found none in the table, expected {words}"
                found[name] = {"is": "World"}
        return found

    def place(self, text: str) -> str:
        """The name used here of a place, also by what was given."""
        return self.given.get("places", {}).get(text) or cells.read_place(text)

    def same_places(self, one: int, other: int) -> bool:
        """Whether two columns name the same places, such as names and codes."""
        return all(self.place(row[one]) == self.place(row[other]) for row in self.data)

    def role(self, place: int, texts: list[str]) -> str:
        """Which party a column names: by its own name, or since it holds the place that was given."""
        name = self.column_name(place).casefold()
        if (
            found := "reporter"
            if REPORTER_WORDS.search(name)
            else "partner"
            if PARTNER_WORDS.search(name)
            else ""
        ):
            return found
        known = {self.place(text) for text in texts}
        return next(
            (
                role
                for role in ("partner", "reporter")
                if role in self.given and cells.read_place(self.given[role]) in known
            ),
            "",
        )

    def party(self, role: str, place: int, texts: list[str]) -> dict[str, Any]:
        """A column of places; where one was given, its rows alone."""
        axis: dict[str, Any] = {"column": self.column_name(place)}
        known = {text: self.place(text) for text in texts}
        if wanted := self.given.get(role):
            rows = {
                text: name for text, name in known.items() if name == (cells.read_place(wanted) or wanted)
            } or {text: wanted for text in texts if text == wanted}
            if not rows:
                return {"is": wanted}
            return axis | {"names": rows} | ({"others": "skip"} if len(rows) < len(texts) else {})
        if unknown := [text for text in texts if not known[text]]:
            self.notes.append(
                f"{self.where}: left out of the column {axis['column']}, no place that is known: {', '.join(map(quote, unknown[:5]))}"
                + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            )
            axis["others"] = "skip"
        return axis | (
            {"names": {text: name for text, name in known.items() if name}}
            if len(texts) <= 30 or "places" in self.given
            else {}
        )

    def from_title(self, found: dict[str, Any]) -> None:
        """Add parties that the title names, such as "Exports of China to Russia"."""
        for title in [
            *self.titles,
            *(self.name[place] for place in self.shape.numbers[:1]),
            self.table.name,
            self.stem,
        ]:
            places = _places_in(title)
            for name, before in places:
                used = {axis.get("is") for axis in found.values()}
                to = re.search(
                    r"(?:\b(?:to|with|from|mit|nach|aus|con|a|с|в|из)|对|与|同|从)\s*$", before.casefold()
                )
                role = "partner" if to or ("reporter" in found and len(places) > 1) else "reporter"
                if role not in found and name not in used:
                    found[role] = {"is": name}
                    self.notes.append(f"{self.where}: the {role} is {name}, by {quote(title)}")

    # --- values ---

    def flows(self, labels: dict[int, list[str]]) -> dict[str, Any]:
        """The columns of values with flow and unit."""
        shape, given = self.shape, self.given
        said: dict[str, Any] = {}
        by_label = self.flow_column(labels)
        by_row = next(
            (
                number
                for number, level in zip(shape.names, self.levels, strict=True)
                if number != shape.period_row
                and shape.period_row
                and sum(cells.read_flow(level[place]) is not None for place in shape.numbers)
                > 0.5 * len(shape.numbers)
            ),
            None,
        )
        if by_label is not None and not by_row and "flow" not in given:
            said["flow"] = self.axis_of_flow({"column": self.column_name(by_label)}, labels[by_label])
        elif by_row:
            level = self.levels[shape.names.index(by_row)]
            said["flow"] = self.axis_of_flow(
                {"row": by_row}, list(dict.fromkeys(level[place] for place in shape.numbers))
            )
        unit_column = next(
            (
                place
                for place, texts in labels.items()
                if len(texts) <= 50 and all(_is_unit(text, self.column_name(place)) for text in texts)
            ),
            None,
        )
        if unit_column is not None and "unit" not in given:
            said["unit"] = {"column": self.column_name(unit_column)}
        columns = [None] if shape.period_row else self.value_columns()
        said["flows"] = [
            self.value_column(place, said, labels, unit_column, len(columns)) for place in columns
        ]
        if shape.period_row is None and len(columns) > 1 and "flow" not in said:
            said["flows"] = [one for one in said["flows"] if one.get("flow")] or said["flows"]
        return said

    def flow_column(self, labels: dict[int, list[str]]) -> int | None:
        """The column whose texts name flows."""
        found = [
            place
            for place, texts in labels.items()
            if len(texts) <= 200
            and sum(cells.read_flow(text) is not None for text in texts) >= 0.5 * len(texts)
        ]
        return min(found, key=lambda place: (bool(CODE_WORDS.search(self.name[place])), place), default=None)

    def axis_of_flow(self, axis: dict[str, Any], texts: list[str]) -> dict[str, Any]:
        """An axis of flows, with the texts that name one; other series are left out."""
        names = {
            text: flow
            for text in texts
            if (flow := cells.read_flow(text)) and not cells.NO_VALUE.search(text.casefold())
        }
        other = [text for text in texts if text not in names]
        if other:
            self.notes.append(f"{self.where}: left out, no flow: {', '.join(map(quote, other[:5]))}")
        return axis | {"names": names} | ({"others": "skip"} if other else {})

    def value_columns(self) -> list[int | None]:
        """The columns to read: those named as flows, else that named as value, else the only one."""
        places = [
            place for place in self.shape.numbers if not cells.NO_VALUE.search(self.name[place].casefold())
        ]
        named = [place for place in places if cells.read_flow(self.name[place])]
        balance = [self.name[place] for place in places if cells.read_flow(self.name[place]) == ""]
        if balance:
            self.notes.append(f"{self.where}: left out, no flow: {', '.join(map(quote, balance))}")
        if named:
            return list(named)
        for word in VALUE_WORDS:
            if found := [place for place in places if word in self.name[place].casefold()]:
                return [found[0]]
        rest = [
            place
            for place in places
            if cells.read_flow(self.name[place]) is None and not CODE_WORDS.search(self.name[place])
        ]
        units = [place for place in rest if cells.read_unit(self.name[place])[0]]
        return list(units or rest[-1:] or places[-1:])

    def value_column(
        self,
        place: int | None,
        said: dict[str, Any],
        labels: dict[int, list[str]],
        unit_column: int | None,
        many: int,
    ) -> dict[str, Any]:
        """One entry of `flows`."""
        name = "" if place is None else self.column_name(place)
        found: dict[str, Any] = {} if place is None else {"column": name}
        head = self.name[place] if place is not None else ""
        if "flow" not in said:
            flow = self.given.get("flow") if many == 1 or not cells.read_flow(head) else None
            flow = (
                flow
                or cells.read_flow(head)
                or next(
                    (
                        flow
                        for title in [*self.titles, self.table.name, self.stem]
                        if (flow := cells.read_flow(title.replace("_", " ")))
                    ),
                    None,
                )
            )
            if not flow:
                self.questions["flow"] = (
                    f"found none for the values{f' of {quote(head)}' if head else ''}, expected total, export or import"
                )
            found["flow"] = flow or "total"
        unit = self.find_unit(head, labels, said, unit_column)
        if unit:
            found["unit"] = unit
        valuation = re.search(r"\b(fob|cif)\b", " ".join([head, *self.titles]).casefold())
        if (
            valuation
            and found.get("flow") in ("export", "import")
            and (valuation[1] == "fob") == (found["flow"] == "export")
        ):
            found["valuation"] = valuation[1].upper()
        return found

    def find_unit(
        self, head: str, labels: dict[int, list[str]], said: dict[str, Any], unit_column: int | None
    ) -> str:
        """The unit of a column: given, in its name, in the title, or in labels that agree."""
        if unit := self.given.get("unit"):
            try:
                to_unit(unit)
            except ValueError as error:
                raise UserError(f"unit: found {quote(unit)}, {error}") from None
            own = cells.read_unit(head)[0]  # a column in yuan beside one in dollars
            return f"{own} {importer.power(to_unit(unit)[1])}".strip() if own else str(unit)
        series = [texts for place, texts in labels.items() if place != unit_column and len(texts) <= 200]
        texts = [
            head,
            *self.titles,
            *self.name,
            *(" ".join(one) for one in series if len({cells.read_unit(text) for text in one}) == 1),
            self.table.name,
            self.stem.replace("_", " "),
        ]
        units = [cells.read_unit(text) for text in texts]
        currency = next((currency for currency, _ in units if currency), "")
        ten = next((ten for _, ten in units if ten is not None), None)
        if unit_column is not None and "unit" in said:
            column = [cells.read_unit(text) for text in labels[unit_column]]
            if all(one for one, _ in column):
                return ""
            if not currency:
                self.questions["unit"] = (
                    f"found powers of ten in the column {self.column_name(unit_column)} but no currency, expected one, such as USD"
                )
                return "USD"
            return currency
        if not currency or (ten is None and self.largest() < 1e6):
            seen = (
                f"the currency {currency} without its power of ten"
                if currency
                else "a power of ten without its currency"
                if ten is not None
                else "none"
            )
            self.questions["unit"] = f'found {seen}, expected one, such as "USD mn", "CNY 亿" or "EUR"'
            return "USD"
        return (
            f"{currency} {importer.NAMES_OF_TENS[ten].strip() if ten in importer.NAMES_OF_TENS else importer.power(ten)}".strip()
            if ten
            else currency
        )

    def largest(self) -> float:
        """The largest number of the columns of values, by its digits."""
        digits = [
            len(re.sub(r"[.,]\d{1,2}$|\D", "", row[place]))
            for row in self.data
            for place in self.shape.numbers
            if cells.split_number(row[place])
        ]
        return 10.0 ** (max(digits, default=1) - 1)

    def numbers(self) -> dict[str, Any]:
        """How numbers are written, and what stands where there is none."""
        texts = [
            text_of(row[place])
            for row in self.table.rows[self.shape.first - 1 : self.shape.last]
            for place in self.shape.numbers
            if place < len(row) and isinstance(row[place], str)
        ]
        said: dict[str, Any] = {}
        plain = {
            cells.without_flag(text) if not cells.split_number(text) else "" for text in set(texts)
        } | set(texts)
        if missing := sorted(text for text in plain if text and text.casefold() in cells.NOTHING):
            said["missing"] = missing
        if "decimal" in self.given or "thousands" in self.given:
            return said | {name: self.given[name] for name in ("decimal", "thousands") if name in self.given}
        try:
            marks, unclear = cells.find_marks(dict.fromkeys(texts))
        except ValueError as error:
            self.questions["decimal"] = f"found {error}, which contradict one another, expected . or ,"
            return said
        if unclear:
            if "," not in unclear or self.table.separator != ",":
                self.questions["decimal"] = (
                    f"found {quote(unclear)}, which may have decimals or thousands, expected the mark before decimals: . or ,"
                )
            marks = cells.Marks(".", ",")
            self.notes.append(f"{self.where}: {quote(unclear)} was read with thousands")
        if marks != cells.Marks() and any(mark in text for text in texts for mark in ".,"):
            said |= {"decimal": marks.decimal} | ({"thousands": marks.thousands} if marks.thousands else {})
        return said

    def mapping(self, said: dict[str, Any]) -> Mapping:
        """The mapping as it would be written."""
        shape, given = self.shape, self.given
        slug = re.sub(r"[^a-z0-9]+", "_", self.stem.casefold().encode("ascii", "ignore").decode()).strip("_")[
            :28
        ]
        slug = slug if re.fullmatch(r"[a-z][a-z0-9_]+", slug) else f"table_{slug}".rstrip("_")
        facts: dict[str, Any] = {
            "source": f"own_{slug}" if slug in PUBLISHERS else slug,
            "title": (self.titles or [self.stem])[0][:200],
        }
        facts |= {
            name: given[name]
            for name in ("source", "title", "url", "licence", "authority", "published")
            if name in given
        }
        if self.table.separator not in ("", ","):
            facts["separator"] = self.table.separator
        if self.table.encoding not in ("", "utf-8"):
            facts["encoding"] = self.table.encoding
        if self.table.name:
            facts["sheet"] = self.table.name
        facts["header_row"] = (
            0 if not shape.names else shape.names[0] if len(shape.names) == 1 else shape.names
        )
        if shape.last:
            facts["last_row"] = shape.last
        if "rows" in given:
            facts["rows"] = given["rows"]
        from pydantic import ValidationError

        try:
            return Mapping.model_validate(facts | said)
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(
                f"{'.'.join(map(str, first['loc'])) or 'mapping'}: found {quote(str(first['input']))}, {first['msg']}"
            ) from None

    def read(self, mapping: Mapping) -> tuple[Mapping, importer.Observed]:
        """Read the table; where its rows differ in a further column, those of the total are taken."""
        for _ in range(6):
            try:
                return mapping, importer.read_rows(self.table, mapping, self.where)
            except importer.ConflictError as conflict:
                totals = {
                    column: text
                    for column, texts in conflict.columns.items()
                    for text in texts
                    if text.casefold() in TOTALS
                }
                if not totals:
                    column, texts = next(iter(conflict.columns.items()), ("", []))
                    if not column:
                        raise
                    shown = ", ".join(map(quote, texts[:5]))
                    raise UnclearError(
                        self.where,
                        {
                            "rows": f'found rows that differ in the column {column} ({shown} …), expected which to take, such as "{column}={texts[0]}"'
                        },
                    ) from None
                column, text = next(iter(totals.items()))
                self.notes.append(f"{self.where}: of the column {column} the rows {quote(text)} were read")
                mapping = mapping.model_copy(update={"rows": mapping.rows | {column: text}})
        raise UserError(
            f"{self.where}: found rows that differ in too many columns, expected `rows` in a mapping"
        )


def _freq_of_days(days: list[str]) -> str:
    months = {day[5:7] for day in days}
    if len(months) == 1:
        return "A"
    return "Q" if months <= {"03", "06", "09", "12"} or months <= {"01", "04", "07", "10"} else "M"


def _period_in(title: str) -> str:
    """The period that a title names: the longest run of words that is one."""
    words = re.sub(r"[(),;:_]", " ", title).split()
    spans = [
        " ".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, min(start + 4, len(words)) + 1)
    ]
    found = [span for span in spans if {*cells.read_period(span)} - {"m"}]
    return max(found, key=len, default="")


def _places_in(title: str) -> list[tuple[str, str]]:
    """The places that a title names, in order, each with what stands before it."""
    plain = title.replace("_", " ")
    found: list[tuple[int, int, str]] = []
    for word, name in cells.places().items():
        if (
            len(word) > (3 if word.isascii() else 1)
            and name != "World"
            and (at := plain.casefold().find(word)) >= 0
        ):
            edge = (
                plain[at - 1 : at].isalpha() and word[0].isascii(),
                plain[at + len(word) : at + len(word) + 1].isalpha() and word[-1].isascii(),
            )
            if not any(edge):
                found.append((at, -len(word), name))
    kept: list[tuple[int, int, str]] = []
    for at, size, name in sorted(found):
        if not kept or at >= kept[-1][0] - kept[-1][1]:
            kept.append((at, size, name))
    return [(name, plain[:at]) for at, _, name in kept]


def _is_unit(text: str, name: str) -> bool:
    """Whether a text of a column is a unit, or a power of ten as SDMX writes it."""
    if re.search(r"unit_mult|scal|multipl|power", name.casefold()) and re.fullmatch(
        r"\d{1,2}|units?", text.casefold()
    ):
        return True
    return (
        len(text) < 40
        and cells.read_flow(text) is None
        and (
            cells.read_unit(text)[1] is not None
            or bool(
                cells.read_unit(text)[0]
                and re.search(r"unit|curr|einheit|ед|单位|moneda|währung|scal", name.casefold())
            )
        )
    )
