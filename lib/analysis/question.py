"""A goal, its flow, its years and its day in one sentence, read as the parameters of a case.

>>> read_question("imports of China from Russia +10 % a year 2019-2024").stated["flow"]
'import'

Words for each of them are those of `lib.spoken`; what is left over without a meaning is a mistake. And figures of one's
own, typed in by hand, and their unit in one's own words.
"""

import re
from difflib import get_close_matches
from typing import Any, NamedTuple

import pandas as pd

from lib import growth, spoken
from lib.economies import currency_of, ten_of
from lib.errors import UserError, quote, unclear
from lib.figures import UNDATED_KNOWN_FROM
from lib.spoken import FILLERS, FLOW_OF, FLOW_WORDS, NUMBER, SCALE, UNIT, YEAR, YEARLY, places, translations

_BETWEEN = re.compile(
    rf"(?i)(?:\b(?:from|between|in|over|during|for) )?\b({YEAR}) ?(?:-|to|until|till|through|and|\.\.) ?({YEAR}|[0-9]{{2}})\b(?![.,]?[0-9%]|-[0-9])"
)
_BEFORE = re.compile(rf"\bbefore ({YEAR})\b", re.I)
_SINCE = re.compile(
    rf"\b(?:since|from|on|over|above|against|than|(?:the )?level of|compared (?:with|to)|relative to|base(?: year)?)"
    rf"(?: the)?(?: level of| in)? ({YEAR})\b(?:'s)?(?: levels?)?",
    re.I,
)
_BY = re.compile(
    rf"(?i)\b(?:by|until|till|to|in|through|up to)(?: the)?(?: end of| end| year)?(?: (?:31 )?dec(?:ember|\.)?)?[ -]({YEAR})\b"
)
_WITHIN = re.compile(
    r"(?i)\b(?:in|within|over|during|for)(?: the)?(?: next| coming| following)? ([0-9]{1,2}) ?(?:years?|yrs?|y)\b"
)
_LONE_YEAR = re.compile(rf"(?<![0-9.,]){YEAR}(?![0-9.,%])(?! ?(?:{SCALE}|{UNIT}|%|per)(?![a-z]))", re.I)


def _take_years(plain: str, text: str) -> tuple[dict[str, int], str]:
    """Base year, deadline or the length between the two, as far as a tidy text names them; and the text without them."""
    if match := _BEFORE.search(plain):
        year = int(match[1])
        expected = f"the last year that counts: did you mean by {year - 1} or by {year}?"
        raise unclear("deadline", quote(match[0]), expected)
    if match := _BETWEEN.search(plain):
        last = match[2] if len(match[2]) == 4 else match[1][:2] + match[2]
        found, rest = {"base_year": int(match[1]), "deadline": int(last)}, _without(plain, match)
    else:
        found, rest = {}, plain
        for name, pattern in (("base_year", _SINCE), ("deadline", _BY), ("length", _WITHIN)):
            if match := pattern.search(rest):
                found[name], rest = int(match[1]), _without(rest, match)
    if other := _LONE_YEAR.search(rest):
        hint = f'did you mean "{"since" if "deadline" in found else "by"} {other[0]}"?'
        raise unclear("years", f"{other[0]} in {quote(text)}", f"base and deadline such as 2012-2015: {hint}")
    return found, rest


def _without(plain: str, match: re.Match[str]) -> str:
    """The text without what was matched; a bar stands in its place, so that what was apart stays apart."""
    return f"{plain[: match.start()]} | {plain[match.end() :]}"


class Question(NamedTuple):
    """What a sentence asks: the parameters of a case that it names, and what was taken for what without being said.

    `length` is the number of years from base to deadline, where it gives them in place of the deadline.
    """

    stated: dict[str, Any]
    length: int | None
    notes: tuple[str, ...]


# What sounds like growth from one year to the other, and not like growth a year.
_IN_ONE_STEP = re.compile(
    rf"% (?:more|higher|above|less|lower|below)|\b(?:by|increase of|growth of) \+?{NUMBER} ?(?:%|per ?cent)"
    rf"|\b(?:over|above|than|compared (?:to|with)|relative to) (?:in )?(?:the )?(?:level of )?{YEAR}",
    re.IGNORECASE,
)

_AS_OF = re.compile(
    r"(?i)\b(?:as of|as at|as known on|known on|seen on|as seen on) (?:the )?(?:end of )?([^|;?()]{4,24})\)?$"
)


def read_question(text: str, currency: str = "USD") -> Question:
    """A sentence that names a goal, and perhaps its flow, years and day; `currency` is that of a level that names none.

    >>> read_question("Harbin Russia total +25% 2012-2015").stated  # doctest: +NORMALIZE_WHITESPACE
    {'base_year': 2012, 'deadline': 2015, 'goal': '25 %', 'flow': 'total', 'reporter': 'Harbin', 'partner': 'Russia'}

    Raises
    ------
    UserError
        For a sentence without a goal, with a word that is not understood, or with one that could be two things.
    """
    plain = spoken.simplified("ask", text)
    stated: dict[str, Any] = {}
    notes = []
    if match := _AS_OF.search(plain):
        day = spoken.read_day(match[1])
        stated["as_of"] = day.day
        notes += [f'"{match[1].strip()}": {day.note}'] if day.note else []
        plain = _without(plain, match)
    years, rest = _take_years(plain, text)
    found = spoken.find_goal(rest, text, currency)
    if not found.goal:
        if lone := re.search(rf"(?<![\w.,]){NUMBER}(?![\w%])", rest):
            spoken.bare_rate(lone[0], text)
            raise unclear("goal", f"{lone[0]} in {quote(text)}", f'its unit: did you mean "{lone[0]} %"?')
        raise unclear("ask", f"no goal in {quote(text)}", spoken.GOAL_EXAMPLES)
    whole = {"base_year", "deadline"} <= years.keys() and not _IN_ONE_STEP.search(plain)
    if found.goal.endswith("%") and years and not whole and not re.search(YEARLY, plain, re.IGNORECASE):
        words = quote(rest[found.start : found.end].strip())
        expected = f'"{found.goal} a year" or "{found.goal} in all": did you mean {found.goal} a year?'
        raise unclear("goal", f"{words}, which may be growth a year or from now to then", expected)
    length = years.pop("length", None)
    stated |= years | {"goal": found.goal} | ({"currency": found.currency} if found.currency else {})
    stated |= _flow_and_places(f"{rest[: found.start]} | {rest[found.end :]}", text)
    if "reporter" in stated and "partner" not in stated and re.search(r"\bUS \$", plain):
        meant = '"US$" for dollars or "USA" for the partner'
        raise unclear("partner", f'"US $" in {quote(text)}', f"{meant}: did you mean US$?")
    return Question(stated, length, tuple(notes))


# --- flow and places ---

# What a place is after a word, in a sentence about a flow.
_ROLES: dict[str, dict[str, str]] = {
    **dict.fromkeys(("of", "by"), dict.fromkeys(FLOW_WORDS, "reporter")),
    **dict.fromkeys(("with", "с", "со"), dict.fromkeys(FLOW_WORDS, "partner")),
    **{word: {"export": "reporter", "import": "partner"} for word in ("from", "из", "从")},
    **{word: {"export": "partner", "import": "reporter"} for word in ("to", "into", "в")},
}

# Words that are codes of countries, too, where they stand in capitals.
_SHORT = FILLERS | {"as", "at", "me", "my", "no", "so", "us", "am", "are", "per", "and", "can"}


def _flow_and_places(rest: str, text: str) -> dict[str, str]:
    """Flow, reporter and partner of what is left of a sentence; a word without meaning is a mistake."""
    plain = rest.replace("'s ", " 's ")
    if re.search("[一-龥]", plain):  # Chinese words are written without spaces
        words = {*translations(), *places(), *FLOW_OF, *FILLERS}
        chinese = sorted((one for one in words if re.fullmatch("[一-龥]+", one)), key=len, reverse=True)
        plain = re.sub("|".join(chinese), r" \g<0> ", plain)
    tokens = re.findall(r"[^\s,;:!?()\"|]+|\|", plain)
    role = ""
    flows: set[str] = set()
    found: list[tuple[str, str]] = []
    while tokens:
        name, taken = _longest_name(tokens)
        word = tokens[0].casefold().strip(".")
        if name:
            found.append((role, name))
            role, tokens = "", tokens[taken:]
            continue
        parts = [part for part in re.split("[-/]", tokens.pop(0)) if part]
        if word in FLOW_OF:
            flows.add(FLOW_OF[word])
        elif word in _ROLES:
            role = word
        elif len(parts) > 1 and word not in FILLERS:
            tokens = parts + tokens
        elif word.strip("|+&/->") and word not in FILLERS:
            close = get_close_matches(word, [*places(), *FLOW_OF], 1, 0.75)
            hint = f"; did you mean {places().get(close[0], close[0])}?" if close else ""
            expected = f"words for places, flow, goal and years{hint}"
            raise unclear("ask", f"{quote(word)} in {quote(text)}", expected)
    one_way = flows - {"total"}  # "trade" beside exports adds nothing
    flow = one_way.pop() if len(one_way) == 1 else "total"
    return ({"flow": flow} if flows else {}) | _roles(found, flow, text)


def _longest_name(tokens: list[str]) -> tuple[str, int]:
    """The longest name of a place that begins with the first word, and how many words it has."""
    for taken in range(min(6, len(tokens)), 0, -1):
        words = " ".join(tokens[:taken])
        name = spoken.find_place(plain := spoken.fold(words.strip(".")))
        # "in", "to" and "by" are words, and codes of countries only where they stand in capitals.
        if name and (len(words) > 3 or not words.isascii() or words.isupper() or plain not in _SHORT):
            return name, taken
    return "", 0


def _roles(found: list[tuple[str, str]], flow: str, text: str) -> dict[str, str]:
    """Who reports and who is the other side, by the words before their names, else by their order."""
    names = [name for _, name in found]
    if len(set(names)) != len(names) or len(names) > 2:
        found_names = f"{len(names)} places in {quote(text)} ({', '.join(names)})"
        raise unclear("ask", found_names, "a reporter and a partner")
    sides: dict[str, str] = {}
    for role, name in found:
        if side := _ROLES.get(role, {}).get(flow):
            sides.setdefault(side, name)
    left = [name for name in names if name not in sides.values()]
    free = [side for side in ("reporter", "partner") if side not in sides]
    return sides | dict(zip(free, left, strict=False))


def read_unit(text: str, currency: str = "USD") -> tuple[str, float]:
    """The currency of a unit, and how many millions it is: "USD bn", "million euros", "亿美元", "mn", "dollars".

    `currency` is that of a unit that names none. Refused is a word that is neither a currency nor a scale,
    or two of a kind.
    """
    plain = spoken.tidy("unit", text)
    words = re.findall(rf"{UNIT}|(?:{SCALE})(?![a-z])|[^\s,]+", plain, re.IGNORECASE)
    money = [code for word in words if (code := currency_of(word))]
    scales = [10.0 ** (ten - 6) for word in words if (ten := ten_of(word)) is not None]
    said = [word for word in words if word not in ("of", "in", ".")]
    if len(money) + len(scales) != len(said) or len(money) > 1 or len(scales) > 1 or not words:
        raise unclear("unit", quote(text), 'currency and scale such as "USD mn" or "bn euros"')
    return (money or [currency])[0], (scales or [1e-6])[0]


# --- figures typed in by hand ---

OWN_MOST_FIGURES = 15
OWN_FIRST_YEAR = 1970
"""Before this no panel has a reference class."""
OWN_LAST_YEAR = UNDATED_KNOWN_FROM.year

LINES = {
    decimal: re.compile(
        rf"""["]?([0-9]{{4}})"?[ \t,;:=]+"?([0-9]{{1,3}}(?:[ '{thousands}][0-9]{{3}})+(?:[{decimal}][0-9]{{1,9}})?"""
        rf"""|[0-9]{{1,12}}(?:[{decimal}][0-9]{{1,9}})?)"?(?:[ \t,;:]+"?([+−-]?[0-9]{{1,4}}(?:[.,][0-9]{{1,9}})?) *%"?)?"""
    )
    for decimal, thousands in (".,", ",.")
}
"""A line by the sign that begins its decimals: a year, a level and perhaps its growth."""

EXPECTED = 'a year, its level in millions and perhaps its growth, such as "2013 230 +50 %"'


def read_figures(text: str) -> pd.Series:
    """Read a reader's figures: one line a year, "2013 230" or "2013 230 +50 %"; or what a spreadsheet copies.

    A first line without a year is a header; thousands may stand apart, and the decimal sign be a comma.

    Returns
    -------
    Level by year, millions. A printed growth rate gives the year before where no line does.

    Raises
    ------
    UserError
        Naming the line, what was found and what was expected.
    """
    spaced = re.split(r"\r?\n|\|", re.sub("[\u00a0\u2009\u202f]", " ", text))
    lines = [(place, line.strip()) for place, line in enumerate(spaced, 1) if line.strip()]
    lines = lines[1:] if len(lines) > 1 and not re.match('"?[0-9]', lines[0][1]) else lines
    if not 1 <= len(lines) <= OWN_MOST_FIGURES:
        raise unclear("own figures", f"{len(lines)} lines", f"1 to {OWN_MOST_FIGURES}: {EXPECTED}")
    decimal, parts = _read_by_one_sign(lines)
    levels: dict[int, float] = {}
    implied: dict[int, float] = {}
    for (place, line), match in zip(lines, parts, strict=True):
        year, growing = int(match[1]), match[3]
        level = float(re.sub(f"[^0-9{decimal}]", "", match[2]).replace(",", "."))
        rate = None if growing is None else float(growing.replace(",", ".").replace("−", "-")) / 100
        where = f"own figures, line {place}: found"
        if not OWN_FIRST_YEAR < year <= OWN_LAST_YEAR:
            expected = f"a year from {OWN_FIRST_YEAR + 1} to {OWN_LAST_YEAR}"
            raise UserError(f"{where} {year}, expected {expected}")
        if year in levels:
            raise UserError(f"{where} {year} twice, expected each year once")
        if level <= 0 or (rate is not None and rate <= -1):
            raise UserError(f"{where} {quote(line)}, expected a level above 0 that can grow")
        levels[year] = level
        if rate is not None:
            implied[year - 1] = float(growth.implied_base(level, rate))
    return pd.Series(implied | levels, dtype=float).rename_axis("year").sort_index()


def _read_by_one_sign(lines: list[tuple[int, str]]) -> tuple[str, list[re.Match[str]]]:
    """The decimal sign by which all lines can be read, and their parts.

    Raises
    ------
    UserError
        For a line that no sign can read, or where both could: 1.234 may be a thousand, or one and a bit.
    """
    tried = {sign: [pattern.fullmatch(line) for _, line in lines] for sign, pattern in LINES.items()}
    read = {sign: [part for part in parts if part] for sign, parts in tried.items() if all(parts)}
    if not read:
        place, line = lines[max(parts.index(None) for parts in tried.values())]
        raise UserError(f"own figures, line {place}: found {quote(line)}, expected {EXPECTED}")
    sign, parts = next(iter(read.items()))
    doubtful = [part[2] for part in parts if len(read) > 1 and "." in part[2]]
    if doubtful:
        either = f"{doubtful[0].replace('.', '')} or {doubtful[0]}0"
        expected = f"a number that can be read in one way: did you mean {either}?"
        raise UserError(f"own figures: found {quote(doubtful[0])}, expected {expected}")
    return sign, parts
