"""Keys of figures: who with whom, flow, period, and a letter in the order of publication."""

from collections.abc import Collection
from itertools import count

import pandas as pd

from lib.economies import economies
from lib.errors import UserError, nearest, quote
from lib.figures import load_reporters


def codes() -> dict[str, str]:
    """Code of every name that a figure may have as reporter or partner: the table's own first, then countries."""
    table = load_reporters()
    own = dict(zip(table["name"], table["code"], strict=True))
    taken = set(own.values())
    return {item.name: item.code for item in economies() if item.code and item.code not in taken} | own


def stem(reporter: str, partner: str, flow: str, start: pd.Timestamp, end: pd.Timestamp) -> str:
    """The key of a figure without its letter: "HRB-RU-total-2013"."""
    known = codes()
    for role, name in (("reporter", reporter), ("partner", partner)):
        if name not in known:
            expected = f"{nearest(name, known)}; a new one needs a row in reporters.csv"
            raise UserError(f"{role}: found {quote(name)}, expected {expected}")
    return f"{known[reporter]}-{known[partner]}-{flow}-{period_code(start, end)}"


def period_code(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """A period as keys write it: 2013, 2023m03, 2023m01_m10, or full dates."""
    if start.day == 1 and end.is_month_end and start.year == end.year:
        if (start.month, end.month) == (1, 12):
            return f"{start.year}"
        last = "" if start.month == end.month else f"_m{end.month:02}"
        return f"{start.year}m{start.month:02}{last}"
    first, last = start.date().isoformat(), end.date().isoformat()
    return first if first == last else f"{first}_{last}"


def next_id(beginning: str, taken: Collection[str]) -> str:
    """The first free key of a period, by its letter: a, b, …, z, aa and so on."""
    letters = (letter_of(place) for place in count())
    return next(key for letter in letters if (key := f"{beginning}-{letter}") not in taken)


def letter_of(place: int) -> str:
    """The letter of a print of a number, counted from 0: a, …, z, aa, ab and so on."""
    before, last = divmod(place, 26)
    return (letter_of(before - 1) if before else "") + "abcdefghijklmnopqrstuvwxyz"[last]
