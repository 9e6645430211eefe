"""What a cell of somebody's table means: a number in any style, a period, a unit, a flow, a place.

Words are known in English, Chinese, Russian, German and Spanish; months and countries in more (CLDR, by babel). What can
mean two things is given back as two things: whoever reads a whole column decides, or asks.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from lib.economies import economies, known_names
from lib.tools.sources import decode
from lib.tools.sources.observations import FIRST_YEAR, LAST_YEAR

LANGUAGES = ("en", "zh", "ru", "de", "es", "fr", "pt", "it")

MARKS = re.compile(r"[*†‡§¹²³⁰⁴-⁹ᵃ-ᵿ]+")
"""Marks of footnotes; superscript digits go before anything takes them for digits."""


def text_of(cell: Any) -> str:
    """Return a cell as text on one line, its spaces plain; a whole number without decimals, a day as YYYY-MM-DD."""
    if isinstance(cell, str):
        return _plain(cell)
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()[:10]
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


@lru_cache(maxsize=100_000)
def _plain(text: str) -> str:
    if text.isascii():
        return " ".join(text.split())
    marked = MARKS.sub(lambda found: "*" * len(found[0]), text)
    return " ".join(unicodedata.normalize("NFKC", marked).replace("\u2212", "-").split())


# --- numbers ---

FLAGS = {"p": "preliminary", "e": "estimate", "prov": "preliminary", "prel": "preliminary", "est": "estimate"}
"""Letters at a number that say what it is good for; other single letters and stars are kept in the note."""

NOTHING = {
    "",
    "-",
    "--",
    "---",
    "–",
    "—",
    "…",
    "...",
    "..",
    ":",
    "na",
    "n.a.",
    "n/a",
    "nan",
    "null",
    "none",
    "x",
    "н/д",
    "无",
}
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


class Number(NamedTuple):
    """A number and the flag beside it, without brackets, in lower case."""

    value: float
    flag: str = ""


def split_number(text: str) -> "re.Match[str] | None":
    """Return the parts of a text that is a number with what may stand around it, else None."""
    found = _NUMBER.fullmatch(text)
    return found if found and bool(found["open"]) == bool(found["close"]) else None


def without_flag(text: str) -> str:
    """Return a text without a letter or stars behind it, such as ":" of ": c"."""
    return re.sub(r"\s*(?:\(\w\)|\b\w|\*+)$", "", text)


def read_number(text: str, marks: Marks) -> Number | str:
    """Return the number of a text (`text_of`), or the words for what was expected instead.

    Brackets mean a negative. Groups of three digits, of two before the last three (as in India) and of four are known.
    """
    parts = split_number(text)
    if parts is None:
        return f'a number with "{marks.decimal}" before its decimals'
    whole, point, rest = parts["body"].strip().partition(marks.decimal)
    for mark in (marks.thousands, " ", "'", "’"):
        if mark and mark in whole:
            if not _in_groups(whole.split(mark)):
                return f'thousands in threes, separated by "{mark}"'
            whole = whole.replace(mark, "")
    plain = f"{whole}.{rest}" if point else whole
    if not decode.NUMBER.fullmatch(plain):
        return f'a number with "{marks.decimal}" before its decimals'
    negative = bool(parts["open"]) or "-" in (parts["sign"], parts["sign2"]) or parts["sign"] == "–"
    value = float(plain + (parts["power"] or ""))
    flag = (parts["flag"] or "").strip("()[]./").lower()
    return Number(-value if negative else value, flag)


def _in_groups(groups: list[str]) -> bool:
    sizes = [len(group) for group in groups]
    head, inner, last = sizes[0], set(sizes[1:-1]), sizes[-1]
    return (
        (last == 3 and head <= 3 and inner <= {3})
        or (last == 3 and head <= 2 and inner <= {2})
        or (last == 4 and head <= 4 and inner <= {4})
    ) and head > 0


_ONES = str.maketrans("023456789", "111111111")


def find_marks(texts: Iterable[str]) -> tuple[Marks, str]:
    """Return the marks that numbers use, and one that could be read in two ways (else blank).

    Raises
    ------
    ValueError
        Where two numbers contradict one another.
    """
    decimal: dict[str, str] = {}
    thousands: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    # Numbers of one shape say the same; there are few shapes.
    shapes = {
        text if text.startswith("0") else text.translate(_ONES): text
        for text in texts
        if "." in text or "," in text
    }
    for text in shapes.values():
        if (parts := split_number(text_of(text))) is None:
            continue
        body = parts["body"].strip()
        used = [mark for mark in ".," if mark in body]
        if len(used) == 2:
            last, first = sorted(used, key=body.rindex, reverse=True)
            decimal.setdefault(last, text)
            thousands.setdefault(first, text)
        elif used:
            (mark,) = used
            head, *groups = body.split(mark)
            if len(groups) > 1:
                thousands.setdefault(mark, text)
            elif len(groups[0]) == 3 and 1 <= len(head) <= 3 and head.strip("0"):
                doubtful.setdefault(mark, text)
            else:
                decimal.setdefault(mark, text)
    if clash := [(decimal[mark], thousands[mark]) for mark in ".," if mark in decimal and mark in thousands]:
        raise ValueError(f'"{clash[0][0]}" and "{clash[0][1]}"')
    point = next(iter(decimal), next((mark for mark in ".," if mark not in thousands and thousands), ""))
    unclear = next(
        (
            text
            for mark, text in doubtful.items()
            if mark not in decimal and mark not in thousands and point in ("", mark)
        ),
        "",
    )
    if not unclear and len(doubtful) == 1 and not thousands and point not in ("", *doubtful):
        thousands |= doubtful  # 1,234 beside 0.5
    return Marks(point or ("," if "." in thousands else "."), next(iter(thousands), "")), unclear


# --- periods ---

_Y = r"((?:19|20)\d\d)"
_NOISE = re.compile(
    r"[*]+|\((?:p|e|r|prov\.?|prel\.?|\*+|preliminary|provisional)\)|(?<=\d) ?[pre](?:/)?$|(?<=\d)\.0+$|\s?(?:гг?\.|год[ау]?|year|año|jahr)$"
)
_ROMAN = {
    "i": 1,
    "ii": 2,
    "iii": 3,
    "iv": 4,
    "一": 1,
    "二": 2,
    "三": 3,
    "四": 4,
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
}
_QUARTER = re.compile(
    r"(?:q|qtr\.?|quarter|t|trim(?:estre)?\.?|кв(?:артал)?\.?|quartal)\W?(?P<a>[1-4]|iv|i{1,3})"
    r"|第?(?P<b>[1-4一二三四]|iv|i{1,3}|first|second|third|fourth)\W{0,2}(?:st|nd|rd|th|er|º|-?й)?\W{0,2}(?:q|qtr\.?|quarter|кв(?:артал)?\.?|quartal|trim(?:estre)?\.?|季度?)"
)


@lru_cache(maxsize=1)
def month_names() -> dict[str, int]:
    """Number of each month by its names and abbreviations, in lower case and without a point."""
    from babel import Locale

    found: dict[str, int] = {"sept": 9}
    for language in LANGUAGES:
        months = Locale(language).months
        for form in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in months[form][width].items():
                    found.setdefault(name.casefold().rstrip("."), number)
    return found


@lru_cache(maxsize=1)
def _months() -> "tuple[re.Pattern[str], re.Pattern[str]]":
    names = "|".join(
        re.escape(name) for name in sorted(month_names(), key=len, reverse=True) if not name[0].isdigit()
    )
    year = r"(?:\W*" + _Y + r"|\W{1,2}'?(\d\d))"
    return (
        re.compile(rf"({names})\.?(?:\s?[-–至]\s?({names})\.?)?{year}"),
        re.compile(rf"{_Y}[\W年]*({names})\.?(?:\s?[-–至]\s?({names})\.?)?"),
    )


def without_marks(text: str) -> str:
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

    A, Q and M are as observations write them, D is a day, F the first year of a fiscal one, m a month without its year.
    """
    found: dict[str, str] = {}
    plain = without_marks(text.casefold().strip())
    if match := re.fullmatch(rf"(?:cy ?)?{_Y}(?:年度?)?", plain):
        return {"A": match[1]}
    if match := re.fullmatch(
        rf"(?:fy|f\.y\.|fiscal year|financial year)? ?{_Y} ?[-/–] ?(\d\d|\d{{4}})", plain
    ):
        if int(match[2]) % 100 == (int(match[1]) + 1) % 100 and len(match[2]) in (2, 4):
            found["F"] = match[1]
    elif match := re.fullmatch(rf"(?:fy|fiscal year|financial year) ?'?{_Y}", plain):
        return {"F": match[1]}  # by the year in which it starts; `fiscal` and the form decide
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
    return found or _quarter(plain) or _named_month(plain)


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
    if not year or not match:
        return {}
    number = match["a"] or match["b"]
    return {"Q": f"{year[1]}-Q{_ROMAN.get(number, number)}"}


def _named_month(plain: str) -> dict[str, str]:
    names = month_names()
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


def as_period(day: str, freq: str) -> str:
    """Return the year, quarter or month of a day."""
    year, month, _ = day.split("-")
    return {"A": year, "Q": f"{year}-Q{(int(month) + 2) // 3}", "M": f"{year}-{month}"}[freq]


def fiscal_span(first_year: str, month: int) -> str:
    """Return the twelve months from a month of a year on, as observations write a span; a calendar year where that is January."""
    year = int(first_year)
    return f"{year}" if month == 1 else f"{year}-{month:02}..{year + 1}-{month - 1:02}"


def in_range(period: str) -> bool:
    """Whether a period lies in the years that observations may have."""
    return FIRST_YEAR <= int(period[:4]) <= LAST_YEAR


# --- units ---

SCALES = (
    (12, r"lakh crores?|trillions?|tn|трлн|триллион\w*|billonen|billionen|billones|billón", "万亿|萬億|兆"),
    (11, "", "千亿|千億"),
    (10, "", "百亿|百億"),
    (9, r"mil millones|miles de millones|billions?|bn|bln|млрд|миллиард\w*|milliarden?|mrd", "十亿|十億"),
    (8, "", "亿|億"),
    (7, r"crores?|cr", "千万|千萬"),
    (6, r"millions?|millones|millón|millionen|mill|mio|mn|mln|млн|миллион\w*|mm", "百万|百萬"),
    (5, r"lakhs?|lacs?", ""),
    (4, "", "万|萬"),
    (3, r"thousands?|'000s?|000s?|1,?000|th|тыс|тысяч\w*|tausend|tsd|miles", "千"),
)
"""Powers of ten by their words, in letters and in Chinese characters, the longer before what they contain."""

_LETTER = r"[a-zа-яёäöüßáéíóúñ]"
_SCALES = [
    (
        re.compile(
            rf"(?<!{_LETTER})(?<!\d)(?:(10{{1,2}})\s*)?(?:{words or '(?!)'})(?!{_LETTER}|\d)"
            + f"|{signs}" * bool(signs)
        ),
        ten,
    )
    for ten, words, signs in SCALES
]

CURRENCIES = {
    "USD": r"usd|u\.?s\.?[ -]?dollars?|dollars?|долл\w*|доллар\w*|d[oó]lares", "EUR": r"eur|euros?|евро", "CNY": r"cny|rmb|yuan|renminbi|юан\w*",
    "RUB": r"rub|roubles?|rubles?|руб\w*|rubel", "INR": r"inr|rupees?|rs|рупи\w*|rupien|rupias", "JPY": r"jpy|yen|иен\w*", "GBP": r"gbp|pounds?|фунт\w*",
    "KRW": r"won", "BRL": r"reais", "CHF": r"franken",
}  # fmt: skip

SIGNS = {"美元": "USD", "美金": "USD", "欧元": "EUR", "歐元": "EUR", "人民币": "CNY", "人民幣": "CNY", "卢布": "RUB", "日元": "JPY", "日圆": "JPY", "英镑": "GBP",
         "韩元": "KRW", "r$": "BRL", "us$": "USD", "$": "USD", "€": "EUR", "£": "GBP", "₽": "RUB", "₹": "INR", "₩": "KRW", "円": "JPY", "元": "CNY"}  # fmt: skip
"""Signs of currencies; ¥ may be yen or yuan, and is none."""

_CURRENCIES = [
    (re.compile(rf"(?<!{_LETTER})(?:{words})(?!{_LETTER})"), name) for name, words in CURRENCIES.items()
]

_WORDS_LIKE_CODES = {
    "ALL",
    "TOP",
    "TRY",
    "CUP",
    "MAD",
    "PEN",
    "COP",
    "SOS",
    "GEL",
    "LAK",
    "BAM",
    "SDG",
    "MOP",
    "NIO",
    "STN",
    "WST",
    "ARS",
}


@lru_cache(maxsize=1)
def iso_currencies() -> frozenset[str]:
    """The ISO 4217 codes that CLDR knows."""
    from babel import Locale

    return frozenset(Locale("en").currencies)


@lru_cache(maxsize=20_000)
def read_unit(text: str) -> tuple[str, int | None]:
    """Return the currency that a text names (blank without one), and the power of ten (None without one)."""
    plain = text.casefold()
    codes = [one for one in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text) if _is_code(one, text)]
    words = [name for pattern, name in _CURRENCIES if pattern.search(plain)]
    signs = [name for sign, name in SIGNS.items() if sign in plain]
    currency = [*codes, *words, *signs, ""][0]
    for pattern, ten in _SCALES:
        if found := pattern.search(plain):
            return currency, ten + max(len(found[1] or "") - 1, 0)
    letter = re.search(r"(?:[$€£₹]|\b(?:usd|eur|cny|rmb|gbp|inr))\s?([mkb])\b", plain)
    return currency, {"k": 3, "m": 6, "b": 9}[letter[1]] if letter else None


def _is_code(code: str, text: str) -> bool:
    return code in iso_currencies() and (
        code not in _WORDS_LIKE_CODES or (text.strip().startswith(code) and len(text) < 20)
    )


# --- flows and places ---

_FLOWS = (
    ("", r"balance|сальдо|saldo|差额|差額|顺差|逆差|surplus|deficit|re-?-?exports?|re-?-?imports?|реэкспорт|转口"),
    ("total", r"进出口|進出口|exports?\s*(?:and|\+|&)\s*imports?|imports?\s*(?:and|\+|&)\s*exports?|total trade|trade turnover|turnover|товарооборот|внешнеторговый оборот|trade volume|贸易总额|贸易额|außenhandel|comercio total|two-way|bilateral trade"),
    ("export", r"exports?|出口|экспорт\w*|ausfuhr\w*|exporte|exportaciones|exportación|exportations|tx?g_fob\w*|vl_fob_exp"),
    ("import", r"imports?|进口|進口|импорт\w*|einfuhr\w*|importe|importaciones|importación|importations|tmg_cif\w*"),
)  # fmt: skip

NO_VALUE = re.compile(
    r"%|growth|y/y|yoy|同比|环比|增长|增减|прирост|темп|veränderung|variaci[oó]n|share|доля|anteil|比重|占比|\bindex|rank|排名|\bkg\b|tonne|weight|quantity|数量|重量|\bqty|累计|cumulative|\bytd\b|change"
)


def read_flow(text: str) -> str | None:
    """Return total, export or import; blank for what is none of them, such as a balance; None without a word for a flow."""
    plain = text.casefold().strip()
    if plain in ("x", "m", "total"):
        return {"x": "export", "m": "import", "total": "total"}[plain]
    if re.search(_FLOWS[0][1], plain):
        return ""
    both = [flow for flow, words in _FLOWS[2:] if re.search(rf"(?<![a-zа-я])(?:{words})(?![a-zа-я])", plain)]
    if re.search(_FLOWS[1][1], plain) or len(both) == 2:
        return "total"
    return both[0] if both else None


@lru_cache(maxsize=1)
def places() -> dict[str, str]:
    """The name used here by every name, code and translation of a place, in lower case; cities and regions of reporters.csv too."""
    from babel import Locale

    from lib.figures import load_reporters

    found = {name: economy.name for name, economy in known_names().items()}
    for name in (
        "world",
        "wld",
        "w00",
        "g001",
        "all countries",
        "весь мир",
        "мир",
        "世界",
        "全球",
        "总值",
        "mundo",
        "welt",
    ):
        found[name] = economies()[0].name
    by_code = {economy.code: economy.name for economy in economies() if len(economy.code) == 2}
    for language in LANGUAGES:
        for code, name in Locale(language).territories.items():
            if code in by_code:
                found.setdefault(name.casefold(), by_code[code])
    table = load_reporters()
    for name, others in zip(table["name"], table["other_names"], strict=True):
        found |= {one.casefold(): name for one in (name, *others.split("|")) if one}
    return found


@lru_cache(maxsize=20_000)
def read_place(text: str) -> str:
    """Return the name used here of a place, blank for what is none."""
    plain = text.casefold().strip(" *.")
    return places().get(plain) or places().get(re.sub(r"\s*[(\[].*?[)\]]$|^the |,.*$", "", plain).strip(), "")
