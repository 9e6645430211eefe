"""A table without a mapping: what it seems to say, as a mapping that a reader can confirm, change and give again.

Nothing is guessed in silence: what the table does not say is asked for, and every choice stands in the mapping.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from lib.economies import read_unit
from lib.errors import UserError, nearest, quote, shown_path, some
from lib.tools.sources import cells
from lib.tools.sources.cells import WORDS, is_number, places_in, read_flow, read_place
from lib.tools.sources.client import refuse
from lib.tools.sources.layout import Layout, Said, Spot
from lib.tools.sources.mapping import Mapping, Period, checked, unit_in_words
from lib.tools.sources.publishers import PUBLISHERS
from lib.tools.sources.reader import Observed, Reader, UnclearError
from lib.tools.sources.tables import Table, read_file, read_tables

PARTIES = {
    "reporter": "found none in the table, expected whose trade this is",
    "partner": "found none in the table, expected with whom it is (World for all together)",
}


class Proposal(NamedTuple):
    """A mapping, the observations that it makes of the table, in its units, and what a reader must know."""

    mapping: Mapping
    rows: pd.DataFrame
    notes: list[str]


def propose(path: Path, **given: Any) -> Proposal:
    """Propose how to read a file, of several tables that of which most can be read; what is unclear stands in `UnclearError`.

    `given` is what the table does not say, or says wrongly: the options of `data import`, and names of `places` by their text.
    """
    given = {name: value for name, value in given.items() if value not in (None, "", {}, [])}
    where = shown_path(path)
    tables = read_tables(read_file(path), where, *map(given.get, ("encoding", "separator", "sheet")))
    found, faults = list[Proposal](), list[UserError]()
    for table in tables[:20]:
        try:
            found.append(_Look(table, where, path.stem, given).proposal())
        except UserError as fault:
            faults.append(fault)
    if not found:
        raise next((fault for fault in faults if isinstance(fault, UnclearError)), faults[0])
    best = max(found, key=lambda one: len(one.rows))
    if others := [table.name for table in tables if table.name not in ("", best.mapping.sheet)]:
        read = f"read the sheet or table {best.mapping.sheet}; not read: {', '.join(others[:5])}"
        best.notes.append(f"{where}: {read}")
    return best


class _Look:
    """One table, looked at: each part returns what the mapping says of it, and asks what may be meant in no way, or in two."""

    def __init__(self, table: Table, where: str, stem: str, given: dict[str, Any]) -> None:
        parties = {role: read_place(text) or text for role in PARTIES if (text := given.get(role))}
        self.table, self.where, self.stem, self.given = table, where, stem, given | parties
        self.at = Layout(table, where)
        self.questions: dict[str, str] = {}
        self.headings = [*self.at.titles, table.name, stem]
        self.about: dict[str, str] = {}  # the place that a text such as "To Russia" is about
        self.columns, self.above = self.at.columns, self.at.above
        self.rows = [spot for row, spot in self.above.items() if row not in self.at.period_rows]

    def proposal(self) -> Proposal:
        """Return the mapping and what it makes of the table."""
        said = self.period() | self.parties()
        # Rows of names may say of which columns the values are: by their periods or parties.
        self.by_row = bool(self.at.period_rows) or any("row" in said[role] for role in PARTIES)
        said |= self.flow()
        said |= self.unit_by_row()
        columns = [None] if self.by_row else self.value_columns(said["partner"].get("is"))
        said["flows"] = [self.value(place, said, alone=len(columns) == 1) for place in columns]
        said |= self.numbers()
        if self.questions:
            raise UnclearError(self.where, self.questions)
        mapping, (rows, notes) = self.read(self.mapping(said))
        if rows.empty:
            found = "found no value whose reporter, partner, flow and period are known, expected one"
            raise UserError(f"{self.where}: {'; '.join([found, *notes[:3]])}")
        return Proposal(mapping, rows, [*(f"{self.where}: {note}" for note in self.at.notes), *notes])

    def ask(self, name: str, found: str, expected: str) -> None:
        """Note a question: what of the table can be meant in no way, or in two."""
        self.questions.setdefault(name, f"found {found}, expected {expected}")

    def period(self) -> Said:
        """Where the period stands, and the frequency."""
        at, axis, texts = self.at, Said(), [""]
        if "period" in self.given or not (at.period_columns or at.period_rows):
            in_titles = next(filter(None, map(cells.period_in, self.headings)), "")
            text = str(self.given.get("period", "")) or in_titles
            if not {*cells.read_period(text)} - {"m", "q"}:
                first = ", ".join(filter(None, at.data[0][:4])) if at.data else ""
                found = f"no year, quarter or month in the table (its first row: {first})"
                self.ask("period", found, "the one of all its figures, such as 2024-01")
                return {"period": {"is": "2000"}, "freq": "A"}
            if "period" not in self.given:
                at.notes.append(f"the period of all figures is {quote(text)}")
            return self.freq([text], {"is": text})
        if at.period_rows:
            axis["row"] = _one([row + 1 for row in at.period_rows])
            texts = [*map(" ".join, zip(*(self.above[row].texts for row in at.period_rows), strict=True))]
        if at.period_columns:
            axis["column"] = _one([at.name[place] for place in at.period_columns])
            beside = [*dict.fromkeys(" ".join(one).strip() for one in at.rows[:, at.period_columns])]
            if "q" in cells.read_period(f"{at.name[at.period_columns[-1]]} 1"):  # 2020 beside 1, a quarter
                beside = [re.sub(r" ([1-4])$", r" Q\1", one) for one in beside]
            texts = [f"{one} {other}".strip() for one in beside for other in texts[:50]]
        said = self.freq(texts, axis)
        names = [*self.headings, *(name for name in at.name if not re.search(r"\d{4}", name))]
        part = next(filter(cells.is_part_of_year, names), "")
        if part and said["freq"] == "A" and "freq" not in self.given:
            expected = "A if they are whole years all the same: parts of years are not read"
            self.ask("freq", f"years, and {quote(part.casefold())} above them", expected)
        blank = [row for row in at.data if at.period_columns and not row[at.period_columns[0]]]
        if any(is_number(row[place]) for row in blank for place in at.numbers):
            at.notes.append("blanks below a period were read as that period")
            said["fill"] = [at.name[at.period_columns[0]]]
        return said

    def freq(self, texts: list[str], axis: Said) -> Said:
        """The frequency of the texts of periods, and their axis with what reading them needs."""
        kinds = Counter(kind.replace("f", "F") for text in texts for kind in cells.read_period(text))
        top = self.given.get("freq") or max("AQMFDm", key=lambda kind: (kinds[kind], kind == "F"))
        if "freq" not in self.given and kinds["M"] and kinds["M"] == kinds["F"] == kinds[top]:
            top = "F" if "fiscal" in self.given else "M"
            # 2011-12, each year once: fiscal years, most likely, which only the reader knows
            if top == "M" and len({text[:4] for text in texts}) == len(texts):
                found = f"{quote(texts[0])}, which may be a month or a fiscal year"
                self.ask("freq", found, "M, or `fiscal` with its first month")
        if top == "D":
            months = {day[5:7] for text in texts if (day := cells.read_period(text).get("D"))}
            ends = {int(month) % 3 for month in months}
            top = "A" if len(months) == 1 else "Q" if ends in ({0}, {1}) else "M"
        if top == "m" and kinds["A"]:
            expected = "the year in each row, in a column of its own"
            raise refuse(self.where, "years as headings above months", expected)
        if top == "m":
            axis, top = axis | {"year": self.given.get("year")}, "M"
        wanted = {top, "D"} | {"A": {"F", "f"}, "F": {"A", "f"}, "M": {"m"}}.get(top, set())
        if any(text and not wanted & {*cells.read_period(text)} for text in texts):
            axis = axis | {"others": "skip"}
        header = " ".join(self.at.name[place] for place in self.at.period_columns).casefold()
        if top == "F" or "fiscal" in self.given or (top == "A" and WORDS["fiscal"].search(header)):
            texts = [f"FY{text}" if top == "A" else text for text in texts]
            axis, top = axis | {name: self.given.get(name) for name in ("fiscal", "fiscal_label")}, "A"
        for text in filter(None, texts):
            try:
                cells.as_period(text, Period.model_validate(axis), top, {})
            except ValueError as error:
                for name in error.args[2:]:
                    self.ask(name, error.args[1], error.args[0])
        return {"period": axis, "freq": top}

    def parties(self) -> Said:
        """Where reporter and partner stand; one that is asked for counts as World meanwhile."""
        spots, found = self.spots_of_places(), Said()
        roles = [self.role(spot) for spot in spots]
        for name in PARTIES:
            if name in roles:
                found[name] = self.party(name, spots[roles.index(name)])
        found = {name: {"is": self.given[name]} for name in PARTIES if name in self.given} | found
        free = [spot for spot, role in zip(spots, roles, strict=True) if not role]
        free.sort(key=lambda spot: ("row" in spot.axis, spot.place))
        for name in PARTIES:
            if name not in found and len(free) > (name == "reporter" and "partner" not in found):
                found[name] = self.party(name, free.pop(0))
        self.add_from_titles(found)
        self.questions |= {name: words for name, words in PARTIES.items() if name not in found}
        return {name: {"is": "World"} for name in PARTIES} | found

    def spots_of_places(self) -> list[Spot]:
        """Columns, of those that name the same the likelier, then rows that name places, or one that was given."""
        likely, rows = list[tuple[float, bool, Spot]](), list[Spot]()
        given = {*map(self.given.get, PARTIES)}
        for spot in [*self.columns, *self.rows]:
            across = "row" in spot.axis
            looks = across or (len(spot.texts) <= 50 and not any(map(self.place, spot.texts)))
            about = {text: self.only_place(text) for text in spot.texts if looks}
            self.about |= about if across or len({*about.values()} - {""}) > 1 else {}
            names = [*map(self.place, spot.texts)]
            share = sum(map(bool, names)) / len(names)
            if across:
                rows += [spot] * (len({*names} - {""}) > 1 or bool({*names} & given))
            elif {*names} & given - {"World"} or share >= (0.25 if len(names) > 4 else 0.5):
                likely.append((-share, spot.is_code(), spot))
        kept = [spot for *_, spot in sorted(likely, key=lambda one: one[:2])]

        def same(spot: Spot, other: Spot) -> bool:  # such as names and codes
            pairs = {(row[spot.place], row[other.place]) for row in self.at.data}
            return all(self.place(one) == self.place(beside) for one, beside in pairs)

        return [spot for n, spot in enumerate(kept) if not any(same(spot, one) for one in kept[:n])] + rows

    def only_place(self, text: str) -> str:
        """The place beside the reporter that a name is about, such as "To Russia"; blank for none or several."""
        found = {*places_in(text)} - {self.given.get("reporter")}
        return found.pop() if len(found) == 1 else ""

    def place(self, text: str) -> str:
        """The name used here of a place, also by what was given."""
        found = self.given.get("places", {}).get(text) or read_place(text) or self.about.get(text, "")
        return found or (text if text in map(self.given.get, PARTIES) else "")

    def role(self, spot: Spot) -> str:
        """Which party a column or row names: by its own name, or since it holds the place that was given; blank for either."""
        name, known = str(spot.axis.get("column", "")).casefold(), {*map(self.place, spot.texts)} - {""}
        by_name = [role for role in PARTIES if WORDS[role].search(name)]
        by_place = [role for role in ("partner", "reporter") if self.given.get(role) in known]
        across = "row" in spot.axis and self.given.get("partner", "World") != "World"  # it is asked for
        return [*by_name, *by_place, *["partner"] * across, ""][0]

    def party(self, role: str, spot: Spot) -> Said:
        """Texts that name places, as an axis; where one was given, its alone."""
        texts = dict.fromkeys(spot.texts)
        names = {text: name for text in texts if (name := self.place(text))}
        if wanted := self.given.get(role):
            rows = {text: name for text, name in names.items() if name == wanted}
            left = {"others": "skip"} if len(rows) < len(texts) else {}
            across, others = "row" in spot.axis, {*names.values()}
            if len(others) > 1 and not rows and (across or "World" not in (wanted, *others)):
                nowhere = "no column of {}" if across else f"{{}} nowhere in the {spot}"
                self.ask(role, nowhere.format(quote(wanted)), nearest(wanted, others))
            if names and not rows:
                told = f"{quote(wanted)} was given as {role}; the {spot} says {some(others, 5)}"
                self.at.notes.append(told)
            return spot.axis | {"names": rows} | left if rows else {"is": wanted}
        unknown = [quote(text) for text in texts if text not in names]
        if unknown:
            self.at.notes.append(f"left out of the {spot}, no place that is known: {some(unknown, 5)}")
        named = len(texts) <= 30 or "row" in spot.axis or "places" in self.given
        return spot.axis | ({"others": "skip"} if unknown else {}) | ({"names": names} if named else {})

    def add_from_titles(self, found: Said) -> None:
        """Add parties that the title names, such as "Exports of China to Russia"."""
        first = [self.at.name[place] for place in self.at.numbers[:1]]
        for title in [*self.at.titles, *first, *self.headings[-2:]]:
            places = places_in(title)
            for name, before in places.items():
                second = "reporter" in found and len(places) > 1
                role = "partner" if second or WORDS["before_partner"].search(before) else "reporter"
                if role not in found and name not in {axis.get("is") for axis in found.values()}:
                    found[role] = {"is": name}
                    self.at.notes.append(f"the {role} is {name}, by {quote(title)}")

    def flow(self) -> Said:
        """Where the flow stands: in a row above the values, in a column, or (nothing) in the names of columns."""

        def share(spot: Spot) -> float:
            return sum(flow is not None for flow in map(read_flow, spot.texts)) / len(spot.texts)

        spots = [spot for spot in self.above.values() if self.by_row and share(spot) > 0.5]
        columns = [spot for spot in self.columns if len(spot.texts) <= 200 and share(spot) >= 0.5]
        spots += sorted(columns, key=lambda spot: (-len({*map(read_flow, spot.texts)}), spot.is_code()))
        if not spots:
            return {}
        axis, texts = spots[0].axis, [*dict.fromkeys(spots[0].texts)]
        values = [text for text in texts if not WORDS["no_value"].search(text.casefold())]
        names = {text: flow for text in values if (flow := read_flow(text))}
        if (wanted := self.given.get("flow")) in names.values():
            names = {text: flow for text, flow in names.items() if flow == wanted}
        if other := [text for text in texts if text not in names]:
            self.at.notes.append(f"left out, no flow: {some(map(quote, other), 5)}")
            axis = axis | {"others": "skip"}
        return {"flow": axis | {"names": names}}

    def value_columns(self, partner: str | None) -> list[int]:
        """The columns to read: those that name the partner, or flows, else that named as value, else the only one."""
        name = self.at.name
        if column := self.given.get("column"):
            if column not in name:
                raise refuse(f"{self.where}: column", quote(column), nearest(column, filter(None, name)))
            return [name.index(column)]
        places = [place for place in self.at.numbers if not WORDS["no_value"].search(name[place].casefold())]
        if partner:  # not the columns of others
            about = {place: self.only_place(name[place]) for place in places}
            own = [place for place in places if about[place] == partner]
            own = own or [place for place in places if not about[place]]
            if places and not own:
                others = nearest(partner, {*about.values()} - {""})
                self.ask("partner", f"no column of {quote(partner)}", others)
            places = own or places[:1]
        flow = {place: read_flow(name[place]) for place in places}
        if other := [quote(name[place]) for place in places if flow[place] == ""]:
            self.at.notes.append(f"left out, no flow: {some(other, 5)}")
        if named := [place for place in places if flow[place]]:
            return named
        for words in WORDS["value"].pattern.split("|"):
            if found := [place for place in places if words in name[place].casefold()]:
                return found[:1]
        rest = [n for n in places if flow[n] is None and not WORDS["code"].search(name[n].casefold())]
        priced = [place for place in rest if read_unit(name[place])[0]]
        if not priced and len(rest) > 1:
            heads = ", ".join(quote(name[place]) for place in rest[:8])
            self.ask("column", f"several columns of numbers ({heads})", "the one of the values")
        if not places:
            heads = some([quote(name[place]) for place in self.at.numbers], 8)
            self.ask("column", f"none of values in money (of numbers: {heads})", "the one of the values")
        return priced or rest[-1:] or places[-1:]

    def value(self, place: int | None, said: Said, alone: bool) -> Said:
        """One entry of `flows`."""
        head = "" if place is None else self.at.name[place]
        found: Said = {} if place is None else {"column": self.at.name[place]}
        if "flow" not in said:
            given = self.given.get("flow") if alone or not read_flow(head) else None
            above = [*self.headings, *(self.at.name[spot.place] for spot in self.columns)]
            in_titles = (read_flow(title.replace("_", " ")) for title in above)
            flow = given or read_flow(head) or next(filter(None, in_titles), None)
            if not flow:
                self.ask(
                    "flow", f"none for the values{head and f' of {quote(head)}'}", "total, export or import"
                )
            found["flow"] = flow or "total"
        if unit := self.unit(head, said):
            found["unit"] = unit
        return found

    def unit_by_row(self) -> Said:
        """The row of names or the column that says units, one with powers of ten first."""
        self.units = list[str]()
        for spot in self.rows if self.by_row else ():
            units = [one for one in spot.texts if cells.is_unit(one, "") and read_unit(one)[1] is not None]
            if 2 * len(units) >= len(spot.texts):
                self.units = units
                return {"unit": spot.axis | ({"others": "skip"} if len(units) < len(spot.texts) else {})}

        def score(spot: Spot) -> int:
            own = [text for text in spot.texts if not WORDS["percent"].fullmatch(text.casefold())]
            units = [cells.is_unit(text, spot.axis["column"]) for text in own[:51]]
            if 0 < len(units) <= 50 and all(units):
                return 2 + all(read_unit(one)[1] is not None or one.isdigit() for one in own)
            # Flows may name units which differ, such as 出口(亿美元) and 进口(万美元).
            return len({unit for text in own if all(unit := read_unit(text)) and read_flow(text)}) > 1

        chosen = max(self.columns, key=score, default=None)
        if chosen is None or not score(chosen) or (score(chosen) == 2 and "unit" in self.given):
            return {}
        self.units = chosen.texts
        return {"unit": chosen.axis}

    def unit(self, head: str, said: Said) -> str:
        """The unit of a column of values: given, or found; blank where its rows say all of it."""
        if unit := self.given.get("unit"):
            currency, ten = read_unit(unit)
            own, power = read_unit(head)  # a column in yuan beside one in dollars
            if own and (own != (currency or own) or power not in (None, ten)):
                read = unit_in_words(own, ten or 0)
                self.at.notes.append(f"{quote(head)} was read in {read}, by the unit given")
            return currency if "unit" in said else unit_in_words(own, ten or 0) if own else str(unit)
        if "unit" in said and any(read_unit(text)[0] for text in self.units):
            return ""
        at, short = self.at, [one.texts for one in self.columns if len(one.texts) <= 200]
        agreed = [" ".join(one) for one in short if one != self.units and len({*map(read_unit, one)}) == 1]
        names = [*at.name, *agreed, self.table.name, self.stem.replace("_", " ")]
        units = [*map(read_unit, [head, *at.titles, *names, *at.notes_below])]
        currency = next((currency for currency, _ in units if currency), "")
        power = 0 if "unit" in said else next((ten for _, ten in units if ten is not None), None)
        texts = " ".join([head, *at.titles, *at.name]).casefold()
        rows = [row[place] for row in at.data for place in at.numbers if is_number(row[place])]
        digits = max((len(re.sub(r"[.,]\d{1,2}$|\D", "", text)) for text in rows), default=1)
        doubtful = digits < 7 or re.search(r"(?<![^\W\d_])mil(?![^\W\d_])", texts)  # a thousand or a million
        if not currency or (power is None and doubtful):
            alone = "none" if power is None else "a power of ten without its currency"
            seen = f"the currency {currency} without its power of ten" if currency else alone
            self.ask("unit", seen, 'one, such as "USD mn", "CNY 亿" or "EUR"')
        return (currency or "USD") if "unit" in said else unit_in_words(currency or "USD", power or 0)

    def numbers(self) -> Said:
        """How numbers are written, and what stands where there is none."""
        at, texts = self.at, self.at.rows[:, self.at.numbers]
        shown = cells.shapes(texts[~self.table.exact[at.first : at.last][:, at.numbers]])
        bare = {*shown, *(cells.without_flag(text) for text in shown if not is_number(text))}
        said: Said = {"missing": sorted(filter(cells.is_nothing, bare - {""}))}
        if "decimal" in self.given:
            return said | {"decimal": self.given["decimal"]}
        marks, unclear = cells.find_marks(shown)
        if marks is None or (unclear and ("," not in unclear or self.table.separator != ",")):
            found = f"{quote(unclear)}, which may have decimals or thousands"
            self.ask("decimal", found, "the mark before decimals: . or ,")
        elif unclear:
            at.notes.append(f"{quote(unclear)} was read with thousands")
        return said | (marks._asdict() if marks and any(marks[1:]) else {})

    def mapping(self, said: Said) -> Mapping:
        """The mapping as it would be written."""
        at, table = self.at, self.table
        slug = re.sub(r"[^a-z0-9]+", "_", self.stem.casefold()).strip("_")[:28]
        own = slug not in PUBLISHERS and re.fullmatch(r"[a-z][a-z0-9_]+", slug)
        facts: Said = {
            "source": slug if own else f"own_{slug}".rstrip("_"),
            "title": (at.titles or [self.stem])[0][:200],
            "separator": table.separator if table.separator not in ("", ",") else None,
            "encoding": table.encoding if table.encoding not in ("", "utf-8") else None,
            "sheet": table.name or None,
            "last_row": at.last,
            "header_row": _one([row + 1 for row in at.names]) or 0,
        }
        names = ("source", "title", "url", "licence", "authority", "published", "rows")
        return checked(facts | {name: self.given[name] for name in names if name in self.given} | said)

    def read(self, mapping: Mapping) -> tuple[Mapping, Observed]:
        """Read the table; where its rows differ in a further column, those of the total are taken, or the reader is asked."""
        try:
            return mapping, Reader(self.table, mapping, self.where).observations()
        except UnclearError as unclear:
            apart = [(column, text) for column, texts in unclear.apart.items() for text in texts]
            total = next((one for one in apart if WORDS["whole"].fullmatch(one[1].casefold())), None)
            if total is None:
                raise
        self.at.notes.append(f"of the column {total[0]} the rows {quote(total[1])} were read")
        return self.read(mapping.model_copy(update={"rows": mapping.rows | dict([total])}))


def _one(found: list[Any]) -> Any:
    """The one of a list, or the whole list."""
    return found[0] if len(found) == 1 else found
