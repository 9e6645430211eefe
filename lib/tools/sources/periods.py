"""Periods as people write them: "2024年3月", "II кв. 2023", "Jan–Mar 2024", "2018-19", read as observations write them.

Months are known in the languages of `spoken.LANGUAGES` (CLDR, by babel). What can mean two things is given back as two
things: whoever reads a whole column decides, or asks.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from itertools import product
from typing import Any

from lib.errors import quote
from lib.spoken import LANGUAGES
from lib.tools.sources.client import refuse
from lib.tools.sources.mapping import Period
from lib.tools.sources.observations import FIRST_YEAR, FREQUENCIES, LAST_YEAR

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
    for language in LANGUAGES:
        months = Locale(language).months
        for form, width in product(("format", "stand-alone"), ("wide", "abbreviated")):
            for number, name in months[form][width].items():
                if not name[0].isdigit():
                    found.setdefault(name.casefold().rstrip("."), number)
    return found


@lru_cache(maxsize=1)
def _months() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Months in words, perhaps a span of them, with the year after or before."""
    names = "|".join(map(re.escape, sorted(_month_names(), key=len, reverse=True)))
    span = rf"({names})\.?(?:\s?[-–至]\s?({names})\.?)?"
    return re.compile(rf"{span}(?:\W*{_Y}|\W{{1,2}}'?(\d\d))"), re.compile(rf"{_Y}[\W年]*{span}")


def _without_marks(text: str) -> str:
    """Return a period without marks of footnotes, flags and words such as "year"."""
    while (shorter := _NOISE.sub("", text).strip()) != text:
        text = shorter
    return text


def flag_of(text: str) -> str:
    """Return the flag beside a period, such as p of "2024 (P)"."""
    found = re.search(r"\((p|e|r|prov|prel)\.?\)|\d ?([pe])$", text.casefold())
    return (found[1] or found[2]) if found else ""


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
    if match := re.fullmatch(
        rf"(?:fy|f\.y\.|fiscal year|financial year)? ?{_Y} ?[-/–] ?(\d\d|\d{{4}})", plain
    ):
        if int(match[2]) % 100 == (int(match[1]) + 1) % 100 and len(match[2]) in (2, 4):
            found["F"] = match[1]
    elif match := re.fullmatch(rf"(?:fy|f\.y\.|fiscal year|financial year) ?'?(?:{_Y}|(\d\d))", plain):
        return {"f": match[1] or f"20{match[2]}"}
    if match := re.fullmatch(rf"{_Y}(?:[-./ ]?m|[-./年 ])(\d{{1,2}})月?", plain) or re.fullmatch(
        rf"{_Y}(\d\d)", plain
    ):
        found |= _month(match[1], match[2])
    elif match := re.fullmatch(rf"(\d{{1,2}})[-./ ]{_Y}", plain):
        found |= _month(match[2], match[1])
    elif match := re.fullmatch(
        rf"{_Y}[-/.](\d{{1,2}})[-/.](\d{{1,2}})(?:[t ].*)?|{_Y}年(\d{{1,2}})月(\d{{1,2}})日", plain
    ):
        found |= _day(*[part for part in match.groups() if part])
    elif match := re.fullmatch(rf"(\d{{1,2}})\.(\d{{1,2}})\.{_Y}", plain):
        found |= _day(match[3], match[2], match[1])
    elif match := re.fullmatch(rf"{_Y}(?:年| ?m|[-.])(\d{{1,2}}) ?[-–至] ?(\d{{1,2}})月?", plain):
        found |= _span(match[1], int(match[2]), int(match[3]))
    elif match := re.fullmatch(rf"{_Y}-(\d\d)\.\.{_Y}-(\d\d)", plain):
        found |= _span(match[1], int(match[2]), int(match[4])) if match[1] == match[3] else {}
    return found or _quarter(plain) or _named_month(plain) or _twelve_months(plain) or _with_words(plain)


def _month(year: str, month: str) -> dict[str, str]:
    return {"M": f"{year}-{int(month):02}"} if 1 <= int(month) <= 12 else {}


def _day(year: str, month: str, day: str) -> dict[str, str]:
    try:
        return {"D": date(int(year), int(month), int(day)).isoformat()}
    except ValueError:
        return {}


def _span(year: str, first: int, last: int) -> dict[str, str]:
    if not 1 <= first < last <= 12:
        return {}
    return {"A": year} if (first, last) == (1, 12) else {"M": f"{year}-{first:02}..{year}-{last:02}"}


def _quarter(plain: str) -> dict[str, str]:
    year = re.search(_Y, plain)
    rest = (plain[: year.start()] + " " + plain[year.end() :]) if year else plain
    short = None if year else re.fullmatch(r"(?:q([1-4])|([1-4])q)\W{0,2}(\d\d)|(\d\d)\W?q([1-4])", plain)
    if short:
        number, two = short[1] or short[2] or short[5], short[3] or short[4]
        return {"Q": f"{2000 + int(two)}-Q{number}"}
    match = _QUARTER.fullmatch(re.sub(r"^[-/.,年' ]+|(?: of| de|[-/.,年' ])+$", "", rest))
    if not match:
        return {}
    number = _NUMBERS.get(match["a"] or match["b"], match["a"] or match["b"])
    return {"Q": f"{year[1]}-Q{number}"} if year else {"q": f"{number}"}


def _named_month(plain: str) -> dict[str, str]:
    names = _month_names()
    if (alone := names.get(plain.rstrip("."))) or re.fullmatch(r"(1[0-2]|0?[1-9])月", plain):
        return {"m": f"{alone or int(plain[:-1]):02}"}
    after, before = _months()
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


def _with_words(plain: str) -> dict[str, str]:
    """The period in the name of a column, such as "Exported value in 2020"."""
    bare = _ABOUT.sub(" ", plain).strip(" ,:-")
    return read_period(bare) if bare and bare != plain else {}


_SHARE_OF_YEAR = re.compile(
    r"\b(?:ytd|year to date|cumulative|first half|first (?:three|six|nine|eleven|\d+) (?:months|quarters)|\d+ months|half-year)\b"
    r"|累计|上半年|前[一二三四五六七八九十]+(?:个月|季度)|полугоди|с начала года|\b\d+ мес|erstes halbjahr|primer semestre"
)


def part_of_year(title: str) -> str:
    """The words of a title by which its years are no whole ones, such as "January-September"; blank for none."""
    plain, known = title.casefold(), _month_names()
    if found := _SHARE_OF_YEAR.search(plain):
        return found[0]
    names = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    span = rf"\b({names})\.? ?(?:[-–至]|to|bis) ?({names})|(?<!\d)(\d{{1,2}})[-–至](\d{{1,2}})月"
    for found in re.finditer(span, plain):
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


def read_periods(texts: list[Any], axis: Period, freq: str, where: Callable[[Any], str]) -> dict[Any, str]:
    """Return the periods of a column as observations write them, by what stands there; blank for those that are left out.

    Raises
    ------
    UserError
        For a text that is none, or a fiscal year of which the mapping does not say in which month it begins.
    """
    october, found = _october(texts), {}
    for text in texts:
        if october.get(text) == "":
            expected = "January as 01 or October as 10: stored as a number it may be either"
            raise refuse(where(text), quote(str(text)), expected)
        period = _period(october.get(text, text), axis, freq, where(text))
        if period and not FIRST_YEAR <= int(period[:4]) <= LAST_YEAR:
            raise refuse(where(text), quote(period), f"a year from {FIRST_YEAR} to {LAST_YEAR}")
        found[text] = period
    return found


def _october(texts: list[Any]) -> dict[Any, str]:
    """Of months stored as numbers, 2023.1 for 2023.10, by what the others look like: 2023.09 beside it, or 2023.9."""
    if not all(isinstance(text, str) and re.fullmatch(r"\d{4}\.\d{1,2}", text) for text in texts):
        return {}
    if any(re.fullmatch(r"\d{4}\.[2-9]", text) for text in texts):
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
    found = _by_format(text, axis) if axis.format else _in_words(text, kinds, axis, freq)
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


def _in_words(text: str, kinds: dict[str, str], axis: Period, freq: str) -> str:
    """The period or the day that a text names, blank for none."""
    if freq not in kinds and freq == "M" and "m" in kinds and axis.year:
        return f"{axis.year}-{kinds['m']}"
    if freq == "Q" and (match := re.fullmatch(r"(\d{4}) ([1-4])", text)):
        return f"{match[1]}-Q{match[2]}"
    return kinds.get(freq) or kinds.get("D", "")


def _by_format(text: str, axis: Period) -> str:
    """The day that a format of `strptime` reads, blank for none."""
    for one in (text, _without_marks(text)):
        with suppress(ValueError):
            day = datetime.strptime(one, axis.format or "").date()
            return (day.replace(year=axis.year) if axis.year else day).isoformat()
    return ""
