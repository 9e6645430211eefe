"""Periods as text: "2013", "2013-Q2", "2013-05"; which were asked for, which are missing, when each is over."""

import re
from collections.abc import Iterable

import pandas as pd

from lib.errors import UserError
from lib.faults import quote

FREQUENCIES = {"A": "annual", "Q": "quarterly", "M": "monthly"}
SHAPES = {
    "A": re.compile(r"(\d{4})()", re.ASCII),
    "Q": re.compile(r"(\d{4})-?Q([1-4])", re.ASCII),
    "M": re.compile(r"(\d{4})-?M?(0[1-9]|1[0-2])", re.ASCII),
}
PARTS = {
    "A": [""],
    "Q": [f"-Q{number}" for number in range(1, 5)],
    "M": [f"-{number:02}" for number in range(1, 13)],
}
FIRST_YEAR, LAST_YEAR = 1900, 2100


def check_frequency(freq: str) -> str:
    """Return a frequency that exists."""
    if freq not in FREQUENCIES:
        raise UserError(f"frequency: found {quote(freq)}, expected A (annual), Q (quarterly) or M (monthly)")
    return freq


def canonical(text: str, freq: str) -> str | None:
    """Return a period as it is written here ("2020-M01" and "202001" are "2020-01"), or None where it is none."""
    match = SHAPES[freq].fullmatch(text)
    if not match or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
        return None
    return match[1] + {"A": "", "Q": f"-Q{match[2]}", "M": f"-{match[2]}"}[freq]


def periods_of(years: range, freq: str) -> list[str]:
    """Return every period of the years, in order."""
    return [f"{year}{part}" for year in years for part in PARTS[freq]]


def first_day(period: str) -> pd.Timestamp:
    """Return the first day of a period."""
    return _span(period).start_time.normalize()


def last_day(period: str) -> pd.Timestamp:
    """Return the last day of a period."""
    return _span(period).end_time.normalize()


def _span(period: str) -> pd.Period:
    freq = "Y" if len(period) == 4 else "Q" if "Q" in period else "M"
    return pd.Period(period.replace("-Q", "Q"), freq=freq)


def name_gaps(asked: Iterable[str], found: Iterable[str]) -> str:
    """Name the periods that were asked for and are missing: "2014, 2016–2018"; "" where none is."""
    periods = list(asked)
    have = set(found)
    runs: list[list[str]] = []
    for place, period in enumerate(periods):
        if period in have:
            continue
        if runs and place and periods[place - 1] == runs[-1][-1]:
            runs[-1].append(period)
        else:
            runs.append([period])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
