"""What a cell of somebody's table means: a number in any style, a period, a flow, a place.

Words stand in words.toml; countries and months are known in the languages of `spoken.LANGUAGES` (CLDR, by babel). What can
mean two things is given back as two things: whoever reads a whole column decides, or asks.
"""

import re
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from lib import spoken
from lib.economies import economies, read_unit
from lib.errors import quote
from lib.spoken import fold
from lib.tools.sources.mapping import Period
from lib.tools.sources.observations import FIRST_YEAR, FREQUENCIES, LAST_YEAR
from lib.tools.sources.tables import NUMBER

_DATA = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
_PARTS, _ORDER, FLAGS = _DATA.pop("parts"), _DATA.pop("order"), _DATA.pop("flags")


def _filled(form: str) -> re.Pattern[str]:
    return re.compile(re.sub("|".join(_PARTS), lambda part: _PARTS[part[0]], form))


_FORMS = [(kind, said, _filled(form)) for kind, said, *forms in _DATA.pop("forms") for form in forms]
_QUARTER = _filled(_DATA.pop("quarters"))
WORDS = {name: re.compile("|".join(words)) for name, words in _DATA.items()}
"""Patterns by what they mean, for texts in lower case (numbers as they stand)."""

# --- numbers ---


class Marks(NamedTuple):
    """The mark before decimals and the one between groups of digits; spaces and apostrophes always group."""

    decimal: str = "."
    thousands: str = ""


@lru_cache(maxsize=50_000)
def is_number(text: str) -> bool:
    """Whether a text is a number, with what may stand around it."""
    return WORDS["number"].fullmatch(text) is not None


def is_nothing(text: str) -> bool:
    """Whether a text is a sign that there is no number."""
    return WORDS["nothing"].fullmatch(text.casefold()) is not None


def without_flag(text: str) -> str:
    """Return a text without a letter or stars behind it, such as ":" of ": c"."""
    return re.sub(r"\s*(?:\(\w\)|\b\w|\*+)$", "", text)


def read_number(text: str, marks: Marks) -> tuple[float, str]:
    """Return the number of a text (`text_of`) and its flag in lower case; a ValueError of what was expected for none."""
    parts = WORDS["number"].fullmatch(text)
    whole, point, rest = (parts["body"] if parts else "").strip().partition(marks.decimal)
    for mark in (marks.thousands, " ", "'", "’"):
        if mark and mark in whole:
            if "," in whole.replace(mark, "") or not WORDS["groups"].fullmatch(whole.replace(mark, ",")):
                raise ValueError(f'thousands in threes, separated by "{mark}"')
            whole = whole.replace(mark, "")
    digits = f"{whole}.{rest}" if point else whole
    if parts is None or not NUMBER.fullmatch(digits):
        raise ValueError(f'a number with "{marks.decimal}" before its decimals')
    negative = parts["open"] or parts["sign"] in ("-", "–") or parts["sign2"]  # brackets mean it, too
    value = float(digits + (parts["power"] or ""))
    return -value if negative else value, (parts["flag"] or "").strip("()[]./").lower()


_ONES = str.maketrans("023456789", "111111111")


def shapes(texts: Iterable[str]) -> list[str]:
    """One text of each shape: numbers of one shape say the same of how they are written, and there are few."""
    return [*{text if text.startswith("0") else text.translate(_ONES): text for text in texts}.values()]


def find_marks(texts: Iterable[str], decimal: str | None = None) -> tuple[Marks | None, str]:
    """Return the marks that numbers use, None where none fit all; and a text that can be read in two ways, or in none."""
    shown = [text for text in shapes(text for text in texts if "." in text or "," in text) if is_number(text)]
    read = dict[Marks, list[float]]()
    for marks in (Marks(".", ","), Marks(",", ".")):
        with suppress(ValueError):
            if decimal in (None, marks.decimal):
                read[marks] = [read_number(text, marks)[0] for text in shown]
    if not read and decimal is None:
        return None, shown[0]
    differ = (text for text, *values in zip(shown, *read.values(), strict=True) if len({*values}) > 1)
    return next(iter(read)) if shown and read else Marks(decimal or "."), next(differ, "")


# --- periods ---


@lru_cache(maxsize=1)
def _months() -> tuple[dict[str, int], re.Pattern[str]]:
    """Number of each month by its names and abbreviations, in lower case and without a point; and a pattern of all."""
    from babel import Locale

    found: dict[str, int] = {"sept": 9, "фев": 2, "сен": 9, "ноя": 11}
    forms = product(spoken.LANGUAGES, ("format", "stand-alone"), ("wide", "abbreviated"))
    for language, form, width in forms:
        for number, name in Locale(language).months[form][width].items():
            if not name[0].isdigit():
                found.setdefault(name.casefold().rstrip("."), number)
    in_figures = r"\.?|(\d{1,2})月|(?<!\d)(\d{1,2})(?=[-–至]\d{1,2}月)"
    return found, re.compile(_ALONE.format(_any_of(found)) + in_figures)


_ALONE = r"(?<![^\W\d_])({})(?![^\W\d_])"


def _any_of(words: Iterable[str]) -> str:
    """A pattern of words, the longer before what they contain."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _in_digits(text: str) -> str:
    """A text with its months as m4, quarters as q2 and fiscal years as fy; flags and words such as "year" are gone."""
    plain = re.sub(r"[*]+|\((?:p|e|r|prov\.?|prel\.?|preliminary|provisional)\)", "", text.casefold()).strip()
    plain = re.sub(r"(?<=\d) ?[pre]/?$|(?<=\d)\.0+$", "", plain)
    plain = WORDS["year"].sub(" ", WORDS["fiscal"].sub(" fy", plain))
    names, months = _months()
    plain = months.sub(lambda found: f" m{names.get(found[1]) or found[2] or found[3]} ", plain)
    plain = _QUARTER.sub(lambda found: f" q{_ORDER.get(found[1] or found[2], found[1] or found[2])} ", plain)
    plain = re.sub(r"[(),' ]+", " ", WORDS["about_period"].sub(" ", plain))
    return re.sub(r" ?(?:[-–至]| (?:to|bis) ) ?", "-", plain).strip(" :-")


@lru_cache(maxsize=50_000)
def read_period(text: str) -> dict[str, str]:
    """Return what periods a text can be, by kind; "2011-12" is December and a fiscal year.

    A, Q and M are as observations write them, D is a day, F the first year of a fiscal one (or its twelve months), f the
    one year that a fiscal one is called by, m and q a month and a quarter without their year.
    """
    found, plain = dict[str, str](), _in_digits(text) if len(text) < 100 else ""
    for kind, written, form in _FORMS:
        if not (match := form.fullmatch(plain)):
            continue
        said = {name: digits for name, digits in match.groupdict().items() if digits}
        if "s" in said:
            said["y"] = f"{2000 + int(said['s']) - 100 * (said['s'] > '69')}"
        year, month, last = (int(said.get(name, 0)) for name in "ymn")
        if "z" in said:
            if int(said["z"]) % 100 == (year + 1) % 100 and last == max(month - 1, 0):
                found[kind] = written.format(**said | {"z": year + 1})
        elif (month, last) == (1, 12):
            found["A"] = said["y"]
        elif month < last or not last:
            found[kind] = written.format(**said)
    return found


def period_in(title: str) -> str:
    """The period that a title names: the longest run of words that is one."""
    words = re.sub(r"[(),;:_]", " ", title).split()
    places = range(len(words))
    spans = [" ".join(words[n:end]) for n in places for end in range(n + 1, min(n + 4, len(words)) + 1)]
    if found := re.search(r"(?:19|20)\d\d年(?:\d{1,2}(?:[-至]\d{1,2})?月|第?[一二三四1-4]季度)", title):
        return found[0]
    return max((span for span in spans if {*read_period(span)} - {"m", "q"}), key=len, default="")


def flag_of(text: str) -> str:
    """Return the flag beside a period, such as p of "2024 (P)"."""
    found = re.search(r"\((p|e|r|prov|prel)\.?\)|\d ?([pe])$", text.casefold())
    return (found[1] or found[2]) if found else ""


def is_part_of_year(title: str) -> bool:
    """Whether years below a title are no whole ones, such as below "January-September"."""
    spans = re.findall(r"m(\d+)-m(\d+)", _in_digits(title))
    part = any((first, last) != ("1", "12") and int(first) < int(last) for first, last in spans)
    return part or WORDS["share_of_year"].search(title.casefold()) is not None


def october(texts: Iterable[str]) -> dict[str, str]:
    """Of months stored as numbers, 2023.1 by what it means beside the others: October beside 2023.09, January beside 2023.9."""
    texts = [*texts]
    numbers = all(re.fullmatch(r"\d{4}\.\d{1,2}", text) for text in texts)
    if not numbers or any(re.fullmatch(r"\d{4}\.[2-9]", text) for text in texts):
        return {}
    padded = any(".0" in text for text in texts)
    return {text: f"{text}0" if padded else "" for text in texts if text.endswith(".1")}


def as_period(text: str, axis: Period, freq: str, october: dict[str, str]) -> str:
    """Return a period as observations write it, blank where it is left out.

    For none a ValueError says what was expected, and where the mapping could say more, what was found, and by which name.
    """
    if not (said := october.get(text, text)) and text:
        raise ValueError("January as 01 or October as 10: stored as a number it may be either")
    if freq == "Q":  # of two columns
        said = re.sub(r"^(\d{4}) ([1-4])$", r"\1-Q\2", said)
    kinds = read_period(said)
    if freq == "A" and ({*kinds} & {"F", "f"} or ("A" in kinds and axis.fiscal and not axis.format)):
        return _fiscal(said, kinds, axis)
    if axis.format:
        kinds = {"D": kinds["D"]} if "D" in kinds and said[4] == "-" else {}  # as a workbook has it
        with suppress(ValueError):
            day = datetime.strptime(WORDS["flag_behind"].sub("", said), axis.format).date()
            kinds["D"] = (day.replace(year=axis.year) if axis.year else day).isoformat()
    elif "m" in kinds and axis.year:
        kinds = {"M": f"{axis.year}-{kinds['m']}"} | kinds
    with suppress(KeyError, ValueError):  # there is no 30 February
        day = date.fromisoformat(kinds["D"])
        kinds = {"A": f"{day:%Y}", "Q": f"{day:%Y}-Q{(day.month + 2) // 3}", "M": f"{day:%Y-%m}"} | kinds
    found = kinds.get(freq, "")
    if found and not FIRST_YEAR <= int(found[:4]) <= LAST_YEAR:
        raise ValueError(f"a year from {FIRST_YEAR} to {LAST_YEAR}")
    if found or axis.others == "skip":
        return found
    if axis.format:
        raise ValueError(f"a period like {axis.format}")
    if "m" in kinds:
        raise ValueError("`year`, such as 2024", f"months without their year, such as {quote(text)}", "year")
    raise ValueError(f"a {FREQUENCIES[freq].replace('annual', 'year').replace('ly', '')}")


def _fiscal(text: str, kinds: dict[str, str], axis: Period) -> str:
    """The twelve months of a fiscal year; a calendar year where the mapping says that it begins in January."""
    if ".." in kinds.get("F", ""):
        return kinds["F"]
    found, alone = f"the fiscal year {quote(text)}", "F" not in kinds and axis.fiscal != 1
    if axis.fiscal is None:
        raise ValueError("`fiscal: 4`, the month in which it begins (1: calendar years)", found, "fiscal")
    if alone and axis.fiscal_label is None:
        expected = "`fiscal_label`, start or end: which of its two years it is called by"
        raise ValueError(expected, found, "fiscal_label")
    year = int(kinds.get("F") or kinds.get("f") or kinds["A"]) - (alone and axis.fiscal_label == "end")
    return f"{year}" if axis.fiscal == 1 else f"{year}-{axis.fiscal:02}..{year + 1}-{axis.fiscal - 1:02}"


# --- flows and places ---


def read_flow(text: str) -> str | None:
    """Return total, export or import; blank for what is none of them, such as a balance; None without a word for a flow."""
    plain = text.casefold().strip()
    if WORDS["no_flow"].search(plain):
        return ""
    both = [flow for flow in ("export", "import") if WORDS[flow].search(plain)]
    return "total" if len(both) == 2 or WORDS["total"].search(plain) else next(iter(both), None)


@lru_cache(maxsize=1)
def _translations() -> dict[str, str]:
    """The name used here by every translation of a country or of the world, folded."""
    return {fold(word): economies()[0].name for word in _DATA["world"]} | spoken.translations()


def read_place(text: str) -> str:
    """Return the name used here of a place, blank for what is none."""
    plain = fold(text).strip(" *.")
    known, translated = spoken.places(), _translations()
    for name in (plain, re.sub(r"\s*[(\[].*?[)\]]$|^the |,.*$", "", plain).strip()):
        if found := known.get(name) or translated.get(name):
            return found
    return ""


@lru_cache(maxsize=2)
def _place_words(names: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern of the names of places that a title may have in its midst; those in letters stand alone there."""
    letters = [name for name in names if name.isascii() and len(name) > 3]
    others = [name for name in names if not name.isascii() and len(name) > 1]
    return re.compile(f"{_ALONE.format(_any_of(letters))}|{_any_of(others)}")


def places_in(title: str) -> dict[str, str]:
    """The places that a title names, in order, each with what stands before it."""
    plain = title.casefold().replace("_", " ")
    plain = fold(re.sub(r"(доллар\w*|долл\w*\.?) сша|u\.?s\.?[ -]dollars?|us\$", " ", plain))
    known = {word: name for word, name in (_translations() | spoken.places()).items() if name != "World"}
    found = dict[str, str]()
    for one in _place_words(tuple(known)).finditer(plain):
        found.setdefault(known[one[0]], plain[: one.start()])
    return found


# --- units ---


def read_scale(text: str) -> tuple[str, int | None]:
    """Return what `read_unit` does, for a column of units also of a power of ten as SDMX writes it, such as 6 or Units."""
    currency, ten = read_unit(text)
    if ten is None and re.fullmatch(r"\d{1,2}|units?", text.casefold()):
        ten = int(text) if text.isdigit() else 0
    return currency, ten


def is_unit(text: str, name: str) -> bool:
    """Whether a text of a column of some name is a unit."""
    (currency, ten), about = read_unit(text), name.casefold()
    if WORDS["scale"].search(about) and read_scale(text)[1] is not None:
        return True
    of_units = bool(currency and WORDS["unit"].search(about))
    return len(text) < 40 and read_flow(text) is None and (ten is not None or of_units)
