"""What a cell of somebody's table means: a number in any style, a period, a flow, a place.

Words are known in English, Chinese, Russian, German and Spanish; countries and months in the languages of
`spoken.LANGUAGES` (CLDR, by babel). What can mean two things is given back as two things: whoever reads a whole column
decides, or asks.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from lib import spoken
from lib.economies import economies
from lib.errors import quote
from lib.spoken import fold
from lib.tools.sources.client import refuse
from lib.tools.sources.mapping import Period
from lib.tools.sources.observations import FIRST_YEAR, FREQUENCIES, LAST_YEAR
from lib.tools.sources.tables import NUMBER

MARKS = re.compile(r"[*†‡§¹²³⁰⁴-⁹ᵃ-ᵿ]+")
"""Marks of footnotes; superscript digits go before anything takes them for digits."""


def text_of(cell: Any) -> str:
    """Return a cell as text on one line, its spaces plain; a whole number without decimals, a day as YYYY-MM-DD."""
    if isinstance(cell, str):
        return " ".join(cell.split()) if cell.isascii() else _plain(cell)
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()[:10]
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


@lru_cache(maxsize=100_000)
def _plain(text: str) -> str:
    marked = MARKS.sub(lambda found: "*" * len(found[0]), text)
    return " ".join(unicodedata.normalize("NFKC", marked).replace("\u2212", "-").split())


# --- numbers ---

FLAGS = {"p": "preliminary", "e": "estimate", "prov": "preliminary", "prel": "preliminary", "est": "estimate"}
"""Letters at a number that say what it is good for; other single letters and stars are kept in the note."""

NOTHING = {"", "-", "--", "---", "–", "—", "…", "...", "..", ":", "na", "n.a.", "n/a", "nan", "null", "none", "x", "н/д", "无"}  # fmt: skip
"""How tables write that there is no number, in lower case."""

_NUMBER = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[-+–])?\s*(?:US)?[$€£¥₹₽]?\s*(?P<sign2>-)?"
    r"(?P<body>\d[\d.,'’ ]*|[.,]\d+)(?P<power>[eE][+-]?\d{1,3})?\s*(?P<close>\))?"
    r"\s*(?P<flag>[(\[]?(?:prov|prel|est|[a-jln-su-zA-JLN-SU-Z])\.?/?[)\]]?|\*+|\(\*+\))?",
    re.ASCII,
)


class Marks(NamedTuple):
    """The mark before decimals and the one between groups of digits; spaces and apostrophes always group."""

    decimal: str = "."
    thousands: str = ""


def _split_number(text: str) -> "re.Match[str] | None":
    """Return the parts of a text that is a number with what may stand around it, else None."""
    found = _NUMBER.fullmatch(text)
    return found if found and bool(found["open"]) == bool(found["close"]) else None


def is_number(text: str) -> bool:
    """Whether a text is a number, with what may stand around it."""
    return _split_number(text) is not None


def is_figure(text: str) -> bool:
    """Whether a number stands there, or a sign that there is none."""
    return is_number(text) or text.casefold() in NOTHING


def without_flag(text: str) -> str:
    """Return a text without a letter or stars behind it, such as ":" of ": c"."""
    return re.sub(r"\s*(?:\(\w\)|\b\w|\*+)$", "", text)


_GROUPS = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d\d)*,\d{3}|\d{1,4}(?:,\d{4})+", re.ASCII)
"""Three digits, two before the last three (as in India), or four between marks."""


def read_number(text: str, marks: Marks) -> tuple[float, str] | str:
    """Return the number of a text (`text_of`) and its flag in lower case, or the words for what was expected instead."""
    plain = text.isascii() and text.replace(".", "", 1).isdigit()
    if plain and marks.decimal == "." and marks.thousands != ".":
        return float(text), ""
    expected = f'a number with "{marks.decimal}" before its decimals'
    if (parts := _split_number(text)) is None:
        return expected
    whole, point, rest = parts["body"].strip().partition(marks.decimal)
    for mark in (marks.thousands, " ", "'", "’"):
        if mark and mark in whole:
            if "," in whole.replace(mark, "") or not _GROUPS.fullmatch(whole.replace(mark, ",")):
                return f'thousands in threes, separated by "{mark}"'
            whole = whole.replace(mark, "")
    digits = f"{whole}.{rest}" if point else whole
    if not NUMBER.fullmatch(digits):
        return expected
    negative = parts["open"] or parts["sign"] in ("-", "–") or parts["sign2"]  # brackets mean it, too
    value = float(digits + (parts["power"] or ""))
    return -value if negative else value, (parts["flag"] or "").strip("()[]./").lower()


_ONES = str.maketrans("023456789", "111111111")


def shapes(texts: Iterable[str]) -> list[str]:
    """One text of each shape, as `text_of`: numbers of one shape say the same of how they are written, and there are few."""
    found = {text if text.startswith("0") else text.translate(_ONES): text for text in texts}
    return [*dict.fromkeys(map(text_of, found.values()))]


def _uses_of_marks(texts: Iterable[str]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The marks that stand before decimals, between thousands, or before three digits alone; each with a text that shows it."""
    decimal, thousands, doubtful = dict[str, str](), dict[str, str](), dict[str, str]()
    for text in shapes(text for text in texts if "." in text or "," in text):
        if (parts := _split_number(text)) is None:
            continue
        body = parts["body"].strip()
        first, *others = sorted((mark for mark in ".," if mark in body), key=body.rindex) or [""]
        head, *groups = body.split(first) if first else [body]
        if others:
            decimal.setdefault(others[0], text)
        if others or len(groups) > 1:
            thousands.setdefault(first, text)
        elif groups and len(groups[0]) == 3 and 1 <= len(head) <= 3 and head.strip("0"):
            doubtful.setdefault(first, text)
        elif groups:
            decimal.setdefault(first, text)
    return decimal, thousands, doubtful


def find_marks(texts: Iterable[str]) -> tuple[Marks, str]:
    """Return the marks that numbers use, and one that could be read in two ways; a ValueError for two that contradict."""
    decimal, thousands, doubtful = _uses_of_marks(texts)
    if clash := [(decimal[mark], thousands[mark]) for mark in ".," if mark in decimal and mark in thousands]:
        raise ValueError(f'"{clash[0][0]}" and "{clash[0][1]}"')
    point = next(iter(decimal), next((mark for mark in ".," if mark not in thousands and thousands), ""))
    free = {mark: text for mark, text in doubtful.items() if mark not in decimal and mark not in thousands}
    unclear = next((text for mark, text in free.items() if point in ("", mark)), "")
    if not unclear and len(doubtful) == 1 and not thousands and point not in ("", *doubtful):
        thousands |= doubtful  # 1,234 beside 0.5
    return Marks(point or ("," if "." in thousands else "."), next(iter(thousands), "")), unclear


# --- periods ---

_Y = r"((?:19|20)\d\d)"
_NOISE = re.compile(
    r"[*]+|\((?:p|e|r|prov\.?|prel\.?|\*+|preliminary|provisional)\)|(?<=\d) ?[pre](?:/)?$|(?<=\d)\.0+$|\s?(?:гг?\.|год[ау]?|year|año|jahr)$"
)
_NUMBERS = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "一": 1, "二": 2, "三": 3, "四": 4, "first": 1, "second": 2, "third": 3, "fourth": 4}  # fmt: skip
_QUARTER = re.compile(
    r"(?:q|qtr\.?|quarter|t|trim(?:estre)?\.?|кв(?:артал)?\.?|quartal)\W?(?P<a>[1-4]|iv|i{1,3})"
    r"|第?(?P<b>[1-4一二三四]|iv|i{1,3}|first|second|third|fourth)\W{0,2}(?:st|nd|rd|th|er|º|[oa]|-?й)?\W{0,2}(?:q|qtr\.?|quarter|кв(?:артал)?\.?|quartal|vj\.?|vierteljahr|trim(?:estre)?\.?|季度?)"
)


@lru_cache(maxsize=1)
def _month_names() -> dict[str, int]:
    """Number of each month by its names and abbreviations, in lower case and without a point."""
    from babel import Locale

    found: dict[str, int] = {"sept": 9, "фев": 2, "сен": 9, "ноя": 11}
    for language in spoken.LANGUAGES:
        months = Locale(language).months
        for form, width in product(("format", "stand-alone"), ("wide", "abbreviated")):
            for number, name in months[form][width].items():
                if not name[0].isdigit():
                    found.setdefault(name.casefold().rstrip("."), number)
    return found


@lru_cache(maxsize=1)
def _months() -> tuple[re.Pattern[str], ...]:
    """Months in words, perhaps a span of them, with the year after or before; a span within a title."""
    names = "|".join(map(re.escape, sorted(_month_names(), key=len, reverse=True)))
    span = rf"({names})\.?(?:\s?[-–至]\s?({names})\.?)?"
    after, before = rf"{span}(?:\W*{_Y}|\W{{1,2}}'?(\d\d))", rf"{_Y}[\W年]*{span}"
    within = rf"\b({names})\.? ?(?:[-–至]|to|bis) ?({names})|(?<!\d)(\d{{1,2}})[-–至](\d{{1,2}})月"
    return tuple(map(re.compile, (after, before, within)))


def _without_marks(text: str) -> str:
    """Return a period without marks of footnotes, flags and words such as "year"."""
    while (shorter := _NOISE.sub("", text).strip()) != text:
        text = shorter
    return text


def flag_of(text: str) -> str:
    """Return the flag beside a period, such as p of "2024 (P)"."""
    found = re.search(r"\((p|e|r|prov|prel)\.?\)|\d ?([pe])$", text.casefold())
    return (found[1] or found[2]) if found else ""


def _month(year: str, month: str) -> dict[str, str]:
    return {"M": f"{year}-{int(month):02}"} if 1 <= int(month) <= 12 else {}


def _day(year: str, month: str, day: str) -> dict[str, str]:
    try:
        return {"D": date(int(year), int(month), int(day)).isoformat()}
    except ValueError:
        return {}


def _span(year: str, first: int | str, last: int | str, end: str = "") -> dict[str, str]:
    if not 1 <= int(first) < int(last) <= 12 or end not in ("", year):
        return {}
    whole = (int(first), int(last)) == (1, 12)
    return {"A": year} if whole else {"M": f"{year}-{int(first):02}..{year}-{int(last):02}"}


_FORMS: tuple[tuple[str, Callable[..., dict[str, str]]], ...] = (
    (rf"{_Y}(?:[-./ ]?m|[-./年 ])(\d{{1,2}})月?|{_Y}(\d\d)", _month),
    (rf"(\d{{1,2}})[-./ ]{_Y}", lambda month, year: _month(year, month)),
    (rf"{_Y}[-/.](\d{{1,2}})[-/.](\d{{1,2}})(?:[t ].*)?|{_Y}年(\d{{1,2}})月(\d{{1,2}})日", _day),
    (rf"(\d{{1,2}})\.(\d{{1,2}})\.{_Y}", lambda day, month, year: _day(year, month, day)),
    (rf"{_Y}(?:年| ?m|[-.])(\d{{1,2}}) ?[-–至] ?(\d{{1,2}})月?", _span),
    (rf"{_Y}-(\d\d)\.\.{_Y}-(\d\d)", lambda year, first, end, last: _span(year, first, last, end)),
)
"""Years, months and days in digits: the first form that fits says which they are."""


@lru_cache(maxsize=50_000)
def read_period(text: str) -> dict[str, str]:
    """Return what periods a text can be, by kind; "2011-12" is December and a fiscal year.

    A, Q and M are as observations write them, D is a day, F the first year of a fiscal one (or its twelve months), f the
    one year that a fiscal one is called by, m and q a month and a quarter without their year.
    """
    found: dict[str, str] = {}
    plain = _without_marks(text.casefold().strip())
    if match := re.fullmatch(rf"(?:cy ?)?{_Y}(?:年度?)?", plain):
        return {"A": match[1]}
    fiscal = r"(?:fy|f\.y\.|fiscal year|financial year)"
    if match := re.fullmatch(rf"{fiscal} ?'?(?:{_Y}|(\d\d))", plain):
        return {"f": match[1] or f"20{match[2]}"}
    match = re.fullmatch(rf"{fiscal}? ?{_Y} ?[-/–] ?(\d\d|\d{{4}})", plain)
    if match and int(match[2]) % 100 == (int(match[1]) + 1) % 100:
        found["F"] = match[1]
    for form, read in _FORMS:
        if match := re.fullmatch(form, plain):
            found |= read(*filter(None, match.groups()))
            break
    found = found or _quarter(plain) or _named_month(plain) or _twelve_months(plain)
    bare = _ABOUT.sub(" ", plain).strip(" ,:-")  # of the name of a column, such as "Exported value in 2020"
    return found or (read_period(bare) if bare not in ("", plain) else {})


def _quarter(plain: str) -> dict[str, str]:
    year = re.search(_Y, plain)
    if not year and (short := re.fullmatch(r"(?:q([1-4])|([1-4])q)\W{0,2}(\d\d)|(\d\d)\W?q([1-4])", plain)):
        return {"Q": f"20{short[3] or short[4]}-Q{short[1] or short[2] or short[5]}"}
    rest = f"{plain[: year.start()]} {plain[year.end() :]}" if year else plain
    match = _QUARTER.fullmatch(re.sub(r"^[-/.,年' ]+|(?: of| de|[-/.,年' ])+$", "", rest))
    if not match:
        return {}
    number = _NUMBERS.get(match["a"] or match["b"], match["a"] or match["b"])
    return {"Q": f"{year[1]}-Q{number}"} if year else {"q": f"{number}"}


def _named_month(plain: str) -> dict[str, str]:
    names = _month_names()
    if (alone := names.get(plain.rstrip("."))) or re.fullmatch(r"(1[0-2]|0?[1-9])月", plain):
        return {"m": f"{alone or int(plain[:-1]):02}"}
    after, before, _ = _months()
    if match := after.fullmatch(plain.replace(" de ", " ").replace(" of ", " ")):
        first, last, long, short = match.groups()
        year = long or f"{2000 + int(short) - 100 * (int(short) > 69)}"
    elif match := before.fullmatch(plain):
        year, first, last = match.groups()
    else:
        return {}
    return _span(year, names[first], names[last]) if last else _month(year, str(names[first]))


def _twelve_months(plain: str) -> dict[str, str]:
    """A fiscal year that names its months: "April 2021 - March 2022", "2021-22 (Apr-Mar)"."""
    months = _month_names()
    if match := re.fullmatch(rf"{_Y}-\d\d(?:\d\d)? ?\(?([^\W\d]+)\.? ?[-–] ?([^\W\d]+)\.?\)?", plain):
        year, first, last = int(match[1]), months.get(match[2], 0), months.get(match[3], 0)
    else:
        ends = [_named_month(end.strip()).get("M", "") for end in re.split(r" [-–] | to |[-–]", plain)]
        if len(ends) != 2 or not all(re.fullmatch(r"\d{4}-\d\d", end) for end in ends):
            return {}
        year, first, last = int(ends[0][:4]), int(ends[0][5:]), int(ends[1][5:])
        if int(ends[1][:4]) != year + 1:
            return {}
    return {"F": _fiscal_span(year, first)} if first > 1 and last == first - 1 else {}


_ABOUT = re.compile(
    r"\b(?:export\w*|import\w*|trade|values?|in|of|for|amount|экспорт\w*|импорт\w*|(?:aus|ein)fuhr\w*|(?:ex|im)porta\w+)\b"
    r"|进出口总?额?|出口总?额?|进口总?额?|贸易额"
)


_SHARE_OF_YEAR = re.compile(
    r"\b(?:ytd|year to date|cumulative|first half|first (?:three|six|nine|eleven|\d+) (?:months|quarters)|\d+ months|half-year)\b"
    r"|累计|上半年|前[一二三四五六七八九十]+(?:个月|季度)|полугоди|с начала года|\b\d+ мес|erstes halbjahr|primer semestre"
)


def part_of_year(title: str) -> str:
    """The words of a title by which its years are no whole ones, such as "January-September"; blank for none."""
    plain, known = title.casefold(), _month_names()
    if found := _SHARE_OF_YEAR.search(plain):
        return found[0]
    for found in _months()[2].finditer(plain):
        first, last = (known.get(found[n] or "") or int(found[n + 2] or 0) for n in (1, 2))
        if (first, last) != (1, 12) and first < last:
            return found[0]
    return ""


def _as_period(day: str, freq: str) -> str:
    """Return the year, quarter or month of a day."""
    year, month, _ = day.split("-")
    return {"A": year, "Q": f"{year}-Q{(int(month) + 2) // 3}", "M": f"{year}-{month}"}[freq]


def _fiscal_span(year: int, month: int) -> str:
    """The twelve months from a month of a year on; a calendar year where that is January."""
    return f"{year}" if month == 1 else f"{year}-{month:02}..{year + 1}-{month - 1:02}"


def read_periods(stated: dict[Any, str], axis: Period, freq: str) -> dict[Any, str]:
    """Return the periods of a column, by what stands there (and where, for messages); blank for those left out."""
    october, found = _october([*stated]), {}
    for text, where in stated.items():
        if october.get(text) == "":
            expected = "January as 01 or October as 10: stored as a number it may be either"
            raise refuse(where, quote(str(text)), expected)
        period = _period(october.get(text, text), axis, freq, where)
        if period and not FIRST_YEAR <= int(period[:4]) <= LAST_YEAR:
            raise refuse(where, quote(period), f"a year from {FIRST_YEAR} to {LAST_YEAR}")
        found[text] = period
    return found


def _october(texts: list[Any]) -> dict[Any, str]:
    """Of months stored as numbers, 2023.1 for 2023.10, by what the others look like: 2023.09 beside it, or 2023.9."""
    numbers = all(isinstance(text, str) and re.fullmatch(r"\d{4}\.\d{1,2}", text) for text in texts)
    if not numbers or any(re.fullmatch(r"\d{4}\.[2-9]", text) for text in texts):
        return {}
    padded = any(".0" in text for text in texts)
    return {text: f"{text}0" if padded else "" for text in texts if text.endswith(".1")}


def _period(text: Any, axis: Period, freq: str, where: str) -> str:
    """One period as observations write it, blank where it is left out."""
    if isinstance(text, date):
        return _as_period(text.isoformat()[:10], freq)
    kinds = read_period(text)
    fiscal = {*kinds} & {"F", "f"} or ("A" in kinds and axis.fiscal and not axis.format)
    if freq == "A" and fiscal:
        return _fiscal(text, kinds, axis, where)
    if axis.format:
        found = _by_format(text, axis)
    elif freq == "Q" and (match := re.fullmatch(r"(\d{4}) ([1-4])", text)):
        found = f"{match[1]}-Q{match[2]}"
    elif freq == "M" and "M" not in kinds and "m" in kinds and axis.year:
        found = f"{axis.year}-{kinds['m']}"
    else:
        found = kinds.get(freq) or kinds.get("D", "")
    if found or axis.others == "skip":
        return _as_period(found, freq) if len(found) == 10 else found
    hint = "; `year:` says of which year a month is" if "m" in kinds else ""
    words = f"a {FREQUENCIES[freq].replace('annual', 'year').replace('ly', '')}{hint}"
    raise refuse(where, quote(text), f"a period like {axis.format}" if axis.format else words)


def _fiscal(text: str, kinds: dict[str, str], axis: Period, where: str) -> str:
    """The twelve months of a fiscal year; a calendar year where the mapping says that it begins in January."""
    if ".." in kinds.get("F", ""):
        return kinds["F"]
    expected = ""
    if axis.fiscal is None:
        expected = "`fiscal: 4` in the mapping, the month in which it begins (1: calendar years)"
    elif axis.fiscal > 1 and "F" not in kinds and axis.fiscal_label is None:
        expected = "`fiscal_label: start` or `end` in the mapping, which of its two years it is called by"
    if expected or axis.fiscal is None:
        raise refuse(where, f"the fiscal year {quote(text)}", expected)
    year = int(kinds.get("F") or kinds.get("f") or kinds["A"])
    ends = axis.fiscal > 1 and "F" not in kinds and axis.fiscal_label == "end"
    return _fiscal_span(year - ends, axis.fiscal)


def _by_format(text: str, axis: Period) -> str:
    """The day that a format of `strptime` reads, blank for none."""
    for one in (text, _without_marks(text)):
        with suppress(ValueError):
            day = datetime.strptime(one, axis.format or "").date()
            return (day.replace(year=axis.year) if axis.year else day).isoformat()
    return ""


# --- flows and places ---

_FLOWS = (
    ("", r"balance|сальдо|saldo|差额|差額|顺差|逆差|surplus|deficit|re-?-?exports?|re-?-?imports?|реэкспорт|转口"),
    ("total", r"进出口|進出口|exports?\s*(?:and|\+|&)\s*imports?|imports?\s*(?:and|\+|&)\s*exports?|total trade|trade turnover|turnover|товарооборот|внешнеторговый оборот|trade volume|贸易总额|贸易额|außenhandel|comercio total|two-way|bilateral trade"),
    ("export", r"export(?:s|ed)?|出口|экспорт\w*|ausfuhr\w*|exporte|exportaciones|exportación|exportations|tx?g_fob\w*|vl_fob_exp"),
    ("import", r"import(?:s|ed)?|进口|進口|импорт\w*|einfuhr\w*|importe|importaciones|importación|importations|tmg_cif\w*"),
)  # fmt: skip

NO_VALUE = re.compile(
    r"%|growth|y/y|yoy|同比|环比|增长|增减|прирост|темп|veränderung|variaci[oó]n|share|доля|anteil|比重|占比|\bindex|rank|排名|\bkg\b|tonne|weight|quantity|数量|重量|\bqty|累计|cumulative|\bytd\b|change"
)


def read_flow(text: str) -> str | None:
    """Return total, export or import; blank for what is none of them, such as a balance; None without a word for a flow."""
    plain = text.casefold().strip()
    if found := {"x": "export", "m": "import", "exp": "export", "imp": "import", "total": "total"}.get(plain):
        return found
    if re.search(_FLOWS[0][1], plain):
        return ""
    both = [flow for flow, words in _FLOWS[2:] if re.search(rf"(?<![a-zа-я])(?:{words})(?![a-zа-я])", plain)]
    if re.search(_FLOWS[1][1], plain) or len(both) == 2:
        return "total"
    return both[0] if both else None


_WORLD = ("world", "wld", "w00", "g001", "all countries", "весь мир", "мир", "世界", "全球", "总值", "mundo", "welt")  # fmt: skip


@lru_cache(maxsize=1)
def _translations() -> dict[str, str]:
    """The name used here by every translation of a country or of the world, folded."""
    return {fold(word): economies()[0].name for word in _WORLD} | spoken.translations()


def places() -> dict[str, str]:
    """The name used here by every name, code and translation of a place, folded; cities and regions of reporters.csv too."""
    return _translations() | spoken.places()


def read_place(text: str) -> str:
    """Return the name used here of a place, blank for what is none."""
    plain = fold(text).strip(" *.")
    known, translated = spoken.places(), _translations()
    for name in (plain, re.sub(r"\s*[(\[].*?[)\]]$|^the |,.*$", "", plain).strip()):
        if found := known.get(name) or translated.get(name):
            return found
    return ""
