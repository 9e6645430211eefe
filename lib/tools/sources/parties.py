"""Whose trade a table seems to show, and with whom: by what was given, by columns of places, or by the title."""

import re
from collections.abc import Iterable
from typing import Any

from lib.errors import quote, some
from lib.tools.sources import cells
from lib.tools.sources.cells import read_place
from lib.tools.sources.layout import Layout

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
    """Reporter and partner of one table.

    Parameters
    ----------
    given : what `propose` was given.
    headings : the titles, the name of the sheet and that of the file.
    """

    def __init__(self, at: Layout, given: dict[str, Any], headings: list[str]) -> None:
        self.at, self.given, self.headings = at, given, headings
        self.unknown: dict[str, str] = {}
        self.about: dict[str, str] = {}  # the place that a text of a column of such texts is about

    def found(self) -> tuple[Said, dict[str, str]]:
        """Where reporter and partner stand, and the questions that are left; these count as World meanwhile."""
        columns, found = self.columns_of_places(), Said()
        role = {place: self.role(place) for place in columns}
        for name in WORDS_OF_ROLES:
            if own := [place for place in columns if role[place] == name]:
                found[name] = self.party(name, own[0])
            elif name in self.given:
                found[name] = {"is": self.given[name]}
        self.add_from_names(found)
        free = sorted(place for place in columns if not role[place])
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
            if left:
                self.at.note(f"left out, no place that is known: {', '.join(map(quote, left[:5]))}")
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
                self.unknown[role] = f"{words}, {expected_place(names.values())}"
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


def expected_place(names: Iterable[str]) -> str:
    """What could have been given instead of a place that is not there."""
    return f"expected one of {some(dict.fromkeys(names), 8)}"


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
                found.append((at, -len(word), name))
    kept: list[tuple[str, str]] = []
    past = 0
    for at, size, name in sorted(found):
        if at >= past:
            kept.append((name, plain[:at]))
            past = at - size
    return kept
