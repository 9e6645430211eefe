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
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lib.economies import CURRENCIES, PHRASES, currency_of, economies, known_names, ten_of
from lib.errors import UserError, quote

LONGEST = 300
"""Characters that are read."""
LANGUAGES = ("en", "zh", "ru", "de", "es", "fr", "pt", "it")
"""In which countries and months are known by name."""
NUMBER = r"(?:[0-9]{1,3}(?:[ ,'][0-9]{3})+(?:\.[0-9]{1,9})?|[0-9]{1,15}(?:[.,][0-9]{1,9})?)"
_COUNT = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_NUMBERS = {word: number for number, word in enumerate(_COUNT, 1)} | {"fifteen": 15, "hundred": 100}
_NUMBERS |= {word: 10 * number for number, word in enumerate(_TENS, 2)}
_NUMBER = rf"(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_COUNT[:9])})|{'|'.join(_NUMBERS)}"
_SCALES = "|".join(f"{words}|{signs}" for _, words, signs in PHRASES["scales"]).split("|")
SCALE = "|".join([*(word for word in _SCALES if word and "0" not in word), *PHRASES["letters"]])
_CODES = "|".join(CURRENCIES)
UNIT = "|".join([r"us ?\$", *PHRASES["money"].values(), *map(re.escape, dict(PHRASES["signs"]))])
UNIT = rf"(?:{UNIT}|usd|eur|cny|rub|gbp|inr|jpy|krw|kzt|(?-i:{_CODES})(?!\w))"
FLOW_WORDS = PHRASES["flows"]
FLOW_OF = {word: flow for flow, words in FLOW_WORDS.items() for word in words.split()}
YEAR = r"(?:19|20|21)[0-9]{2}"
YEARLY = PHRASES["yearly"]


def tidy(name: str, text: str) -> str:
    """The text on one line with plain digits, signs, spaces and dashes; one that is too long is refused."""
    if len(text) > LONGEST:
        raise UserError(f"{name}: found {quote(text)}, expected at most {LONGEST} characters")
    plain = unicodedata.normalize("NFKC", text)
    plain = re.sub(r"[‐‑‒–—−]", "-", plain).replace("’", "'").replace("×", "x")
    return " ".join(plain.split())


def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of `phrases.toml`, where capitals stand for patterns of this module."""
    named = {"NUMBER": NUMBER, "COUNT": "|".join(_COUNT), "UNIT": UNIT, "SCALE": SCALE, "YEARLY": YEARLY}
    named |= {"YEAR": YEAR, "IN_ALL": PHRASES["in_all"], "OF_IT": r" ?(?:года|году|год\b|г\.|年)?"}
    return re.compile(re.sub("|".join(named), lambda found: named[found[0]], pattern), re.IGNORECASE)


_SAME, _REFUSED = ([(_compiled(one), words) for one, words in PHRASES[name]] for name in ("same", "refused"))


def simplified(name: str, text: str) -> str:
    """The text, tidy, in the simplest words that say the same, number words as digits."""
    plain = tidy(name, text.replace("½", ".5"))
    plain = re.sub(r"\b(?:[A-Za-z]\.){2,}", lambda found: found[0].replace(".", ""), plain)  # U.S.
    for pattern, words in _SAME:
        plain = " ".join(pattern.sub(words, plain).split())
    before = r"(?=[ -]?(?:%|per|pct|years?\b|times\b|fold\b|[mb]n?\b|[mbt]r?illion|thousand|hundred))"

    def digits(found: re.Match[str]) -> str:
        return str(sum(_NUMBERS[part] for part in re.split("[- ]", found[0].lower())))

    return re.sub(rf"\b(?:{_NUMBER})\b{before}", digits, plain, flags=re.IGNORECASE)


def _figure(text: str) -> float:
    """A number as people write it: thousands apart, a decimal point, or a decimal comma."""
    if re.fullmatch(r"[0-9]{1,3}(?:[ ,'][0-9]{3})+(?:\.[0-9]+)?", text):
        return float(re.sub("[ ,']", "", text))
    return float(text.replace(",", "."))


def _written(value: float) -> str:
    """A number with the digits that it needs, never as a power of ten."""
    return np.format_float_positional(round(value, 9), trim="-")


class _Found(NamedTuple):
    """A goal in a text: in canonical words ("" where there is none), where it stands, and its currency where it names one."""

    goal: str
    start: int
    end: int
    currency: str = ""


_RATE, _LEVEL, _TIMES = (_compiled(PHRASES["patterns"][name]) for name in ("rate", "level", "times"))
_MULTIPLES = {_compiled(rf"\b(?:{words})\b"): float(times) for times, words in PHRASES["multiples"].items()}
_PARTS = {"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5, "tenth": 1 / 10, "two thirds": 2 / 3, "three quarters": 3 / 4}  # fmt: skip
_PART = rf"(?:(?:a |one )?(?P<word>{'|'.join(_PARTS)})|(?P<over>[1-9])/(?P<under>[2-9]))"
_BY_PART = re.compile(
    rf"\bby {_PART}\b|\b{_PART.replace('P<', 'P<_')} (?:more|less|higher|lower|up|down)\b", re.IGNORECASE
)
FILLERS = frozenset(PHRASES["fillers"].split())
GOAL_EXAMPLES = 'a rate such as "25 %" or a level such as "100 USD bn" or "double"'


@lru_cache(maxsize=512)
def read_goal(text: str, currency: str = "USD") -> str:
    """A goal in people's words as the parameter `goal` takes it: "25 %", "100 USD bn" or "2 times the base".

    `currency` is that of a level that names none. What is no goal, or could be two, is a `UserError`.
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
    for pattern, expected in _REFUSED:
        if refused := pattern.search(plain):
            raise _unclear(text, expected.format(refused[0].strip()))
    down = re.search(PHRASES["falling"], plain, re.IGNORECASE) is not None
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
    for match in _RATE.finditer(plain):
        rate = _figure(match["number"])
        if down and rate and match["sign"] == "-":
            raise _unclear(text, "a fall said once: with a word or with a minus")
        rate = -rate if down or match["sign"] == "-" else rate
        goal = f"{_written(1 + rate / 100)} times the base" if match["all"] else f"{_written(rate)} %"
        yield _Found(goal, *match.span())


def _multiples(plain: str, down: bool) -> Iterator[_Found]:
    said = [(times, match) for pattern, times in _MULTIPLES.items() for match in pattern.finditer(plain)]
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


class _Day(NamedTuple):
    """A day, and what was taken for it where the text named a longer time: "the last day of April 2014"."""

    day: date
    note: str = ""


_NAMED = [form for month in ("%b", "%B") for form in (f"%d {month} %Y", f"{month} %d %Y", f"%Y {month} %d")]
_MARKED = [form.replace("-", mark) for form in ("%Y-%m-%d", "%d-%m-%Y") for mark in "-/."]
_DAYS = (*_MARKED, "%m/%d/%Y", "%m-%d-%Y", *_NAMED)
_MONTHS = ("%Y-%m", "%Y/%m", "%Y.%m", "%b %Y", "%B %Y", "%Y %b", "%Y %B")


def read_day(text: str, today: Callable[[], date] = date.today) -> _Day:
    """A day in people's words: "15 April 2014", "2014-4-15", "15/4/2014", "April 2014" (its last day), "today".

    What is no day, or could be two (4/5/2014), is a `UserError`.
    """
    plain = tidy("day", text).casefold().rstrip(".")
    with suppress(ValueError):
        return _Day(date.fromisoformat(plain))
    if plain in ("today", "now", "今天"):
        return _Day(today())
    plain = re.sub(r"[年月]", "-", plain).replace("日", "").strip("- ")
    plain = re.sub(r"(?<=[0-9])(?:st|nd|rd|th)\b|\bof\b|,|(?<=[a-z])\.", " ", plain).replace("sept ", "sep ")
    plain = re.sub(r"(?<=[0-9]\.) (?=[0-9])", "", plain)  # 15. 4. 2014
    plain = " ".join(re.sub(r"(?<=[0-9])\. ", " ", plain).split())  # 15. April 2014
    days = _read_by(plain, _DAYS)
    if len(days) > 1:
        wanted = f"the month as a word or the year first: did you mean {' or '.join(map(str, days))}?"
        raise UserError(f"day: found {quote(text)}, expected {wanted}")
    if re.fullmatch("[0-9]{8}", plain):
        days = _read_by(f"{plain[:4]}-{plain[4:6]}-{plain[6:]}", _DAYS)
    if days:
        return _Day(days[0])
    for first in _read_by(plain, _MONTHS):
        last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
        return _Day(last, f"the last day of {first:%B %Y}")
    if re.fullmatch(YEAR, plain):
        return _Day(date(int(plain), 12, 31), f"the last day of {plain}")
    wanted = 'a date (YYYY-MM-DD), such as 2014-04-15 or "15 April 2014"; a month or a year for its last day; or today'
    raise UserError(f"day: found {quote(text)}, expected {wanted}")


@lru_cache(maxsize=512)
def _read_by(text: str, forms: tuple[str, ...]) -> list[date]:
    """The days that a text means by any of some forms, each once; do not alter what is returned."""
    found = {}
    for form in forms:
        with suppress(ValueError):
            found[datetime.strptime(text, form).date()] = form
    return list(found)


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
        for name, others in zip(table["name"].tolist(), table[column].tolist(), strict=True):
            for other in filter(None, others.split("|")):
                known.setdefault(fold(other), name)
    for name, economy in known_names().items():
        known.setdefault(fold(name), economy.name)
    return known


def places() -> dict[str, str]:
    """Every name and code of a place, folded, and the name under which the figures have it."""
    from lib import figures, tables

    return _places(figures.load_reporters, tables.data_state())


def fold(name: str) -> str:
    """A name as it is compared: no case, no accents, plain signs."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("’", "'"))
    return plain if plain.isascii() else "".join(sign for sign in plain if not unicodedata.combining(sign))


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
