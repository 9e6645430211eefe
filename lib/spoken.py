"""People's words for a goal, a flow, a place or a day, read as the parameters of a case.

>>> read_goal("US$1.2 trillion"), read_goal("25 percent"), read_goal("double")
('1200 USD bn', '25 %', '2 times the base')

What can mean two things is asked back, by an error that names what could have been meant: 0.25 is 25 % or ¼ %,
4/5/2014 a day in April or in May, "25 % by 2030" growth a year or in all. Nothing is guessed in silence: what was
understood is the canonical text, which titles and pages show.
"""

import calendar
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lib.economies import CURRENCIES, LETTERS, MONEY, SCALES, SIGNS, currency_of, economies, ten_of
from lib.errors import UserError, quote

LONGEST = 300
"""Characters that are read."""
LANGUAGES = ("en", "zh", "ru", "de", "es", "fr", "pt", "it")
"""In which countries and months are known by name."""
NUMBER = r"(?:[0-9]{1,3}(?:[ ,'][0-9]{3})+(?:\.[0-9]{1,9})?|[0-9]{1,15}(?:[.,][0-9]{1,9})?)"
_ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {"fifteen": 15, "hundred": 100} | {word: number for number, word in enumerate(_ONES, 1)}
_WORDS |= {
    f"{ten}{mark}{one}": 10 * tens + ones
    for tens, ten in enumerate(_TENS, 2)
    for ones, one in enumerate(["", *_ONES[:9]])
    for mark in ("- " if one else [""])
}

_WORDS_OF_SCALES = "|".join(f"{words}|{signs}" for _, words, signs in SCALES).split("|")
SCALE = "|".join([*(word for word in _WORDS_OF_SCALES if word and "0" not in word), *LETTERS])
_CODES = "|".join(CURRENCIES)
UNIT = "|".join([r"us ?\$", *MONEY.values(), *map(re.escape, SIGNS)])
UNIT = rf"(?:{UNIT}|usd|eur|cny|rub|gbp|inr|jpy|krw|kzt|(?-i:{_CODES})(?!\w))"
_MONTHS = {name.casefold(): month for month, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name[:3]: month for name, month in _MONTHS.items()} | {"sept": 9}

FLOW_WORDS = {
    "total": "total trade turnover commerce total-trade 进出口 进出口总额 贸易 贸易额 贸易总额 товарооборот торговля",
    "export": "export exports exporting shipments sales deliveries 出口 出口额 экспорт экспорта",
    "import": "import imports importing purchases 进口 进口额 импорт импорта",
}
FLOW_OF = {word: flow for flow, words in FLOW_WORDS.items() for word in words.split()}
YEAR = r"(?:19|20|21)[0-9]{2}"
_FALLING = r"\b(?:fall|falls|decline|declines|decrease|decreases|drop|drops|shrink|shrinks|cut|reduce|minus|down|less|lower)\b"
YEARLY = r"(?:(?:a|per|each|every|/) ?(?:year|annum|yr)\b|/ ?a\b|p\.? ?a\b\.?|annually|yearly|year on year|annual growth)"
_IN_ALL = r"(?:in all|in total|altogether|overall|cumulatively|over the whole period)"


def tidy(name: str, text: str) -> str:
    """The text on one line with plain digits, signs, spaces and dashes; one that is too long is refused."""
    if len(text) > LONGEST:
        raise UserError(f"{name}: found {quote(text)}, expected at most {LONGEST} characters")
    plain = unicodedata.normalize("NFKC", text)
    plain = re.sub(r"[‐‑‒–—−]", "-", plain).replace("’", "'").replace("×", "x")
    return " ".join(plain.split())


_OF_YEAR = r" ?(?:года|году|год\b|г\.|年)?"
_SAME = (
    (r"\b(?:[A-Za-z]\.){2,}", lambda found: found[0].replace(".", "")),
    (r"[≥≤<>]=?|\bor (?:more|above|better)\b|\b(?:no|not) less than\b", " "),
    (rf"\bover (?={NUMBER} ?(?:%|per ?cent))", " "),
    (r"\b(?:(?:average|mean|compound) )*(?:annual|yearly) (?:average )?growth(?: rate)?\b|\bcagr\b|\bgrowth rate\b", " annually "),
    (r"в год\b|ежегодно|年均|每年", " annually "),
    (rf"(?:\bс|\bот|从|自) ?({YEAR}){_OF_YEAR} ?(?:по|до|到|至|-) ?({YEAR}){_OF_YEAR}|({YEAR})/({YEAR})", lambda found: f" {found[1] or found[3]}-{found[2] or found[4]} "),
    (rf"(?:\bк|\bдо|\bв|到|至) ?(?:концу |конца )?({YEAR}){_OF_YEAR}", r" by \1 "),
    (rf"({YEAR}) ?(?:года|году|г\.|年)", r"\1 "),
    (r"удво\w+|вдвое|翻一番|翻番", " double "),
    (r"утро\w+|втрое", " triple "),
    (r"翻两番", " quadruple "),
    (r"下降|减少|сни[зж]\w*|сокра\w*|упад\w*", " fall "),
    (r"中俄", " 中国 俄罗斯 "),
    (r"\bone and a half times|\bhalf (?:as much again|again as much)", "1.5 times"),
    (rf"\b(?:by )?(?:a )?factor (?:of )?({NUMBER}|{'|'.join(_ONES)})\b", lambda found: f"{_WORDS.get(found[1].lower(), found[1])} times"),
    (r"\b(?:a|one|the next|the coming) decade\b", "10 years"),
)  # fmt: skip
"""Phrases that say the same in words that the rest of this module reads."""
_SAME_AS = [(re.compile(pattern, re.IGNORECASE), words) for pattern, words in _SAME]


def simplified(name: str, text: str) -> str:
    """The text, tidy, in the simplest words that say the same, number words as digits."""
    plain = tidy(name, text.replace("½", ".5"))
    for pattern, words in _SAME_AS:
        plain = " ".join(pattern.sub(words, plain).split())
    number = "|".join(sorted(_WORDS, key=len, reverse=True))
    before = r"(?=[ -]?(?:%|per|pct|years?\b|times\b|fold\b|[mb]n?\b|[mbt]r?illion|thousand|hundred))"
    return re.sub(
        rf"\b(?:{number})\b{before}", lambda found: str(_WORDS[found[0].lower()]), plain, flags=re.I
    )


def _figure(text: str) -> float:
    """A number as people write it: thousands apart, a decimal point, or a decimal comma."""
    if re.fullmatch(r"[0-9]{1,3}(?:[ ,'][0-9]{3})+(?:\.[0-9]+)?", text):
        return float(re.sub("[ ,']", "", text))
    return float(text.replace(",", "."))


def _written(value: float) -> str:
    """A number with the digits that it needs, never as a power of ten."""
    return np.format_float_positional(round(value, 9), trim="-")


# --- goals ---


class _Found(NamedTuple):
    """A goal in a text: in canonical words ("" where there is none), where it stands, and its currency where it names one."""

    goal: str
    start: int
    end: int
    currency: str = ""


_RATE = re.compile(
    rf"(?P<sign>[+-])? ?(?P<number>{NUMBER}) ?(?:%|percent\b|per cent\b|pct\b|pc\b|процент\w*)(?: ?(?:growth|of growth))?"
    rf"(?: ?(?P<yearly>{YEARLY})| ?(?P<all>{_IN_ALL}))?",
    re.IGNORECASE,
)
_LEVEL = re.compile(
    rf"(?<![\w.,-])(?:(?P<before>{UNIT}) ?)?(?P<number>{NUMBER})"
    rf"(?: ?(?P<scale>{SCALE})(?![a-z])\.?)?(?: ?(?:of )?(?:us )?(?P<after>{UNIT})(?![a-z]))?"
    rf"(?: ?(?P<last>{SCALE})(?![a-z0-9]))?",
    re.IGNORECASE,
)
_MULTIPLES = {
    r"doubl(?:e|es|ed|ing)|twice(?: as much| the base)?|two-?fold": 2.0,
    r"(?:tripl|trebl)(?:e|es|ed|ing)|three-?fold": 3.0,
    r"quadrupl(?:e|es|ed|ing)|four-?fold": 4.0,
    r"quintupl(?:e|es|ed|ing)|five-?fold": 5.0,
    r"ten-?fold": 10.0,
    r"halv(?:e|es|ed|ing)": 0.5,
}
_PARTS = {"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5, "tenth": 1 / 10, "two thirds": 2 / 3, "three quarters": 3 / 4}  # fmt: skip
_TIMES = re.compile(
    rf"\bx ?(?P<x>{NUMBER})(?![\w%])|(?<![\w.,])(?P<times>{NUMBER}) ?(?:x\b|-?fold\b|times\b(?: the base| as much)?)",
    re.IGNORECASE,
)
_PART = rf"(?:(?:a |one )?(?P<word>{'|'.join(_PARTS)})|(?P<over>[1-9])/(?P<under>[2-9]))"
_BY_PART = re.compile(
    rf"\bby {_PART}\b|\b{_PART.replace('P<', 'P<_')} (?:more|less|higher|lower|up|down)\b", re.IGNORECASE
)
_FILLING = """
the a an will would shall should to is does do did grow grows growing growth increase increases increased
rise rises expand expands reach reaches hit raise boost achieve attain at least about around nearly than
more exceed goal target its their year yearly annual annually level levels volume value bilateral mutual
two-way foreign external of from with and between vs versus for by on in 's what if can could be worth up it
this that get trade fall falls decline declines decrease decreases drop drops shrink shrinks cut reduce
minus down less lower higher aim aims want wants plan plans i we how likely are odds chance chances probability
province city region average mean rate
对 和 与 同 的 间 之间 增长 增加 达到 达 自 年 и между рост вырастет увеличить увеличится достигнет на
"""
FILLERS = frozenset(_FILLING.split())
"""Words that say nothing of their own in a sentence about a goal."""
GOAL_EXAMPLES = 'a rate such as "25 %" or a level such as "100 USD bn" or "double"'


def read_goal(text: str, currency: str = "USD") -> str:
    """A goal in people's words as the parameter `goal` takes it: "25 %", "100 USD bn" or "2 times the base".

    Parameters
    ----------
    currency : of a level that names none.

    Raises
    ------
    UserError
        For what is no goal, or could be two.
    """
    plain = simplified("goal", text)
    found = find_goal(plain, text, currency)
    words = re.findall(r"[^\s,;:.!?()\"|]+", f"{plain[: found.start]} {plain[found.end :]}".casefold())
    left = [word for word in words if word not in FILLERS]
    if not found.goal or left:
        dated = found.goal and any(re.fullmatch(YEAR, word) for word in left)
        alone = "; its years are the parameters base_year and deadline" if dated else ""
        raise _unclear(text, GOAL_EXAMPLES + alone)
    return found.goal


def _unclear(text: str, expected: str) -> UserError:
    return UserError(f"goal: found {quote(text)}, expected {expected}")


def find_goal(plain: str, text: str, currency: str) -> _Found:
    """The goal in a tidy text; of rates, multiples and levels there may be one in all."""
    down = re.search(_FALLING, plain, re.IGNORECASE) is not None
    found = [*_rates(plain, text, down), *_multiples(plain, down)]
    found = found or [*_levels(plain, text, currency)] or bare_rate(plain, text)
    if len({one.goal for one in found}) > 1:
        goals = " or ".join(f'"{one.goal}"' for one in found)
        raise _unclear(text, f"one goal: did you mean {goals}?")
    if not found:
        return _Found("", 0, 0)
    if re.search("[0-9]{10}", found[0].goal):
        raise _unclear(text, "at most nine digits")
    return found[0]._replace(start=min(one.start for one in found), end=max(one.end for one in found))


def _rates(plain: str, text: str, down: bool) -> Iterator[_Found]:
    several = rf"{NUMBER} ?(?:-|to|or|and) ?{NUMBER} ?(?:%|per ?cent|pct)"
    if between := re.search(several, plain, re.IGNORECASE):
        raise _unclear(text, f'one rate, not the range "{between[0]}"')
    for match in _RATE.finditer(plain):
        rate = _figure(match["number"])
        if down and rate and match["sign"] == "-":
            raise _unclear(text, "a fall said once: with a word or with a minus")
        rate = -rate if down or match["sign"] == "-" else rate
        goal = f"{_written(1 + rate / 100)} times the base" if match["all"] else f"{_written(rate)} %"
        yield _Found(goal, *match.span())


def _multiples(plain: str, down: bool) -> Iterator[_Found]:
    said = [
        (times, match)
        for pattern, times in _MULTIPLES.items()
        for match in re.finditer(rf"\b(?:{pattern})\b", plain, re.IGNORECASE)
    ]
    said += [(_figure(match["x"] or match["times"]), match) for match in _TIMES.finditer(plain)]
    for match in _BY_PART.finditer(plain):
        named = {name.strip("_"): text for name, text in match.groupdict().items() if text}
        part = _PARTS[named["word"].lower()] if "word" in named else int(named["over"]) / int(named["under"])
        said.append((1 - part if down else 1 + part, match))
    return (_Found(f"{_written(times)} times the base", *match.span()) for times, match in said)


def _levels(plain: str, text: str, currency: str) -> Iterator[_Found]:
    if re.search("(?<!cn)¥", plain, re.IGNORECASE):
        raise UserError(f"goal: found ¥ in {quote(text)}, expected a currency: did you mean CNY or JPY?")
    for match in _LEVEL.finditer(plain):
        before, after = (currency_of(match[name] or "") for name in ("before", "after"))
        scale = match["scale"] or match["last"]
        named = before or after
        if (before and after and before != after) or not (scale or named):
            continue
        number, unit = _figure(match["number"]), named or currency
        if not scale and number < 1e6:
            either = f'"{_written(number)} {unit} bn" or "{_written(number)} {unit} mn"'
            raise _unclear(text, f"its scale: did you mean {either}?")
        level = number * 10.0 ** ((ten_of(scale) or 0) - 6) if scale else number / 1e6
        size, bn = (level / 1000, "bn") if level >= 1000 else (level, "mn")
        yield _Found(f"{_written(size)} {unit} {bn}", match.start(), match.end(), named)


def bare_rate(plain: str, text: str) -> list[_Found]:
    """A number that stands alone is growth in per cent; a fraction could be two things."""
    match = re.fullmatch(rf"([+-])? ?({NUMBER})(?: ({YEARLY}))?", plain, re.IGNORECASE)
    if match is None:
        return []
    rate = _figure(match[2]) * (-1 if match[1] == "-" else 1)
    if 0 < abs(rate) < 1:
        meant = f'"{_written(100 * rate)} %" or "{_written(rate)} %"'
        raise _unclear(text, f"{meant}: did you mean {_written(100 * rate)} %?")
    return [_Found(f"{_written(rate)} %", *match.span())]


# --- days ---


class Day(NamedTuple):
    """A day, and what was taken for it where the text named a longer time: "the last day of April 2014"."""

    day: date
    note: str = ""


_DAY_EXPECTED = (
    'a date (YYYY-MM-DD), such as 2014-04-15 or "15 April 2014"; a month or a year for its last day; or today'
)


def read_day(text: str, today: Callable[[], date] = date.today) -> Day:
    """A day in people's words: "15 April 2014", "2014-4-15", "15/4/2014", "April 2014" (its last day), "today".

    Raises
    ------
    UserError
        For what is no day, or could be two: 4/5/2014.
    """
    plain = tidy("day", text).casefold().rstrip(".")
    if plain in ("today", "now", "今天"):
        return Day(today())
    plain = re.sub(r"(?<=[0-9])(?:st|nd|rd|th)\b|\bof\b|,", " ", plain)
    plain = re.sub(r"[年月]", "-", plain).replace("日", "").strip("- ")
    words = plain.split()
    named = [_MONTHS[word.strip(".")] for word in words if word.strip(".") in _MONTHS]
    numbers = [word.strip(".") for word in words if word.strip(".") not in _MONTHS]
    try:
        return _numeric_day(plain, text) if not named else _named_day(named, numbers)
    except UserError:
        raise
    except ValueError:
        raise UserError(f"day: found {quote(text)}, expected {_DAY_EXPECTED}") from None


def _named_day(months: list[int], numbers: list[str]) -> Day:
    """A day whose month is a word; `numbers` are its year and perhaps its day, in either order."""
    years = [int(one) for one in numbers if re.fullmatch("[0-9]{4}", one)]
    days = [int(one) for one in numbers if re.fullmatch("[0-9]{1,2}", one)]
    if len(months) != 1 or len(years) != 1 or len(days) + 1 != len(numbers) or len(days) > 1:
        raise ValueError
    return Day(date(years[0], months[0], days[0])) if days else _last_day(years[0], months[0])


def _last_day(year: int, month: int) -> Day:
    last = date(year, month, calendar.monthrange(year, month)[1])
    return Day(last, f"the last day of {calendar.month_name[month]} {year}")


def _numeric_day(plain: str, text: str) -> Day:
    """A day in digits: the year first, or the day first; with slashes day and month may be either."""
    if match := re.fullmatch(r"([0-9]{4})([-/.]?)([0-9]{1,2})(?:\2([0-9]{1,2}))?", plain):
        year, month, day = int(match[1]), int(match[3]), match[4]
        if not match[2] and len(plain) != 8:
            raise ValueError
        return Day(date(year, month, int(day))) if day else _last_day(year, month)
    if re.fullmatch(YEAR, plain):
        return Day(date(int(plain), 12, 31), f"the last day of {plain}")
    match = re.fullmatch(r"([0-9]{1,2})([-/.]) ?([0-9]{1,2})\2 ?([0-9]{4})", plain)
    if match is None:
        raise ValueError
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if match[2] != "." and first != second and max(first, second) <= 12:
        either = f"{date(year, second, first)} or {date(year, first, second)}"
        raise UserError(
            f"day: found {quote(text)}, expected the month as a word or the year first: did you mean {either}?"
        )
    day, month = (second, first) if second > 12 and match[2] != "." else (first, second)
    return Day(date(year, month, day))


# --- flows and places ---


def read_flow(text: str) -> str:
    """A flow in people's words: "exports" is export, "trade" and "exports and imports" are total; others stay as they are."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).casefold()
    words = set(re.findall(r"[^\s,+&]+", plain)) - {"and", "the", "of", "bilateral", "value"}
    flows = {FLOW_OF.get(word, "") for word in words}
    if "" in flows or not flows:
        return text
    return flows.pop() if len(flows) == 1 else "total"


@lru_cache(maxsize=2)
def _places(read: Callable[[], Any], state: Any) -> dict[str, str]:
    """Every name and code of a place, in lower case, and the name that the figures use."""
    table = read()
    known: dict[str, str] = {}
    for column in ("name", "other_names", "code"):
        for name, others in zip(table["name"], table[column], strict=True):
            known |= {fold(other): name for other in others.split("|") if other and fold(other) not in known}
    for economy in economies():
        for name in (economy.name, *economy.other_names.split("|"), economy.iso3, economy.code):
            if name:
                known.setdefault(fold(name), economy.name)
    return known


def places() -> dict[str, str]:
    """Every name and code of a place, folded, and the name under which the figures have it."""
    from lib import figures, tables

    return _places(figures.load_reporters, tables.data_state())


def fold(name: str) -> str:
    """A name as it is compared: no case, no accents, plain signs."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("’", "'"))
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


@lru_cache(maxsize=1)
def translations() -> dict[str, str]:
    """The name used here by every translation of a country (CLDR, by babel), folded."""
    from babel import Locale

    found: dict[str, str] = {}
    by_code = {economy.code: economy.name for economy in economies() if len(economy.code) == 2}
    for language in LANGUAGES:
        for code, name in Locale(language).territories.items():
            if code in by_code:
                found.setdefault(fold(name), by_code[code])
    return found


def read_place(text: str) -> str:
    """The name of a place as the figures use it: "harbin", "CN", "Russian Federation", "黑龙江"; others stay as they are."""
    plain = fold(" ".join(text[:LONGEST].split()))
    short = re.sub(r"^the |'s$| city$| province$|市$|省$", "", plain)
    return find_place(plain) or find_place(short) or text


def find_place(plain: str) -> str:
    """The place of a folded name, blank for none; in other alphabets also by translation and, in Russian, in any case."""
    if (name := places().get(plain)) or plain.isascii():
        return name or ""
    known = translations() | places()
    if name := known.get(plain, ""):
        return name
    stem = _CASE.sub("", plain)
    return next((name for word, name in known.items() if len(stem) > 2 and _CASE.sub("", word) == stem), "")


_CASE = re.compile(r"(?<=[а-я]{3})(?:иеи|ием|ии|ию|ия|еи|ои|ом|ем|и|я|а|у|ю|е|ы|ь)$")
"""Endings of Russian names, as `fold` leaves them: й without its accent."""
