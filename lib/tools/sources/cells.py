"""What a cell of somebody's table means: a number in any style, a unit, a flow, a place.

Words are known in English, Chinese, Russian, German and Spanish; countries in more (CLDR, by babel).
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from lib import spoken
from lib.economies import economies
from lib.spoken import fold
from lib.tools.sources import decode

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


class Number(NamedTuple):
    """A number and the flag beside it, without brackets, in lower case."""

    value: float
    flag: str = ""


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


def read_number(text: str, marks: Marks) -> Number | str:
    """Return the number of a text (`text_of`), or the words for what was expected instead.

    Brackets mean a negative. Groups of three digits, of two before the last three (as in India) and of four are known.
    """
    plain = text.isascii() and text.replace(".", "", 1).isdigit()
    if plain and marks.decimal == "." and marks.thousands != ".":
        return Number(float(text))
    parts = _split_number(text)
    if parts is None:
        return f'a number with "{marks.decimal}" before its decimals'
    whole, point, rest = parts["body"].strip().partition(marks.decimal)
    for mark in (marks.thousands, " ", "'", "’"):
        if mark and mark in whole:
            if not _in_groups(whole.split(mark)):
                return f'thousands in threes, separated by "{mark}"'
            whole = whole.replace(mark, "")
    digits = f"{whole}.{rest}" if point else whole
    if not decode.NUMBER.fullmatch(digits):
        return f'a number with "{marks.decimal}" before its decimals'
    negative = bool(parts["open"]) or "-" in (parts["sign"], parts["sign2"]) or parts["sign"] == "–"
    value = float(digits + (parts["power"] or ""))
    flag = (parts["flag"] or "").strip("()[]./").lower()
    return Number(-value if negative else value, flag)


def _in_groups(groups: list[str]) -> bool:
    head, *inner, last = map(len, groups)
    return any(
        0 < head <= size and {*inner} <= {size} and last == end for size, end in ((3, 3), (2, 3), (4, 4))
    )


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
    """Return the marks that numbers use, and one that could be read in two ways (else blank).

    Raises
    ------
    ValueError
        Where two numbers contradict one another.
    """
    decimal, thousands, doubtful = _uses_of_marks(texts)
    if clash := [(decimal[mark], thousands[mark]) for mark in ".," if mark in decimal and mark in thousands]:
        raise ValueError(f'"{clash[0][0]}" and "{clash[0][1]}"')
    point = next(iter(decimal), next((mark for mark in ".," if mark not in thousands and thousands), ""))
    free = {mark: text for mark, text in doubtful.items() if mark not in decimal and mark not in thousands}
    unclear = next((text for mark, text in free.items() if point in ("", mark)), "")
    if not unclear and len(doubtful) == 1 and not thousands and point not in ("", *doubtful):
        thousands |= doubtful  # 1,234 beside 0.5
    return Marks(point or ("," if "." in thousands else "."), next(iter(thousands), "")), unclear


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
