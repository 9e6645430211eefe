"""What a source says, as one long table: a row for each reporter, partner, flow and period, checked before it is used.

Periods are text: "2013", "2013-Q2", "2013-05", and "2013-01..2013-05" for the year to date.
"""

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.economies import Economy
from lib.errors import quote, some
from lib.tools.sources.client import refuse

FREQUENCIES = {"A": "annual", "Q": "quarterly", "M": "monthly"}
SHAPES = {"A": r"(\d{4})()", "Q": r"(\d{4})-?(Q[1-4])", "M": r"(\d{4})-?M?(0[1-9]|1[0-2])"}
VALUATION = {"export": "FOB", "import": "CIF", "total": "FOB + CIF"}  # where a source has nothing else
FIRST_YEAR, LAST_YEAR = 1900, 2100


class Question(NamedTuple):
    """What is wanted of a source: trade of reporters with partners, or with all (None), for consecutive years."""

    source: str
    reporters: tuple[Economy, ...]
    partners: tuple[Economy, ...] | None
    freq: str
    years: range


def canonical(texts: pd.Series, freq: str, where: str) -> pd.Series:
    """Return periods as they are written here ("2020-M01" and "202001" are "2020-01"); one that is none is refused."""
    written = {}
    for text in texts.unique():
        match = re.fullmatch(SHAPES[freq], text, re.ASCII)
        if not match or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            raise refuse(where, f"the period {quote(text)}", f"an {FREQUENCIES[freq]} one")
        written[text] = "-".join(filter(None, match.groups()))
    return texts.map(written).astype("str")


def periods_of(years: range, freq: str) -> list[str]:
    """Return every period of the years, in order."""
    span = pd.period_range(f"{years[0]}-01", f"{years[-1]}-12", freq=freq.replace("A", "Y"))
    return span.strftime({"A": "%Y", "Q": "%Y-Q%q", "M": "%Y-%m"}[freq]).tolist()


def name_gaps(asked: Iterable[str], found: Iterable[str]) -> str:
    """Name the periods that were asked for and are missing: "2014, 2016–2018"; "" where none is."""
    have = set(found)
    runs = [[*run] for is_there, run in groupby(asked, key=have.__contains__) if not is_there]
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


COLUMNS = ("reporter", "partner", "flow", "period", "freq", "value", "unit", "valuation", "yoy_pct", "status", "published", "note", "source", "snapshot", "publisher", "authority", "url", "retrieved")  # fmt: skip

BLANK = dict.fromkeys(("valuation", "yoy_pct", "published", "note", *COLUMNS[-5:]), "") | {"status": "ok"}
"""What a source that says nothing of these means: no growth printed, no estimate, no day of release; not kept yet."""

TENS = {"": -6, "th": -3, "mn": 0, "bn": 3}
"""By how many places the point of a value in a unit moves to give millions."""

KEY = ["reporter", "partner", "flow", "freq", "period", "unit"]


def empty() -> pd.DataFrame:
    """Return a table without observations, with its columns typed."""
    return pd.DataFrame({name: pd.Series(dtype="float64" if name == "value" else "str") for name in COLUMNS})


def check(rows: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Return observations with sound values, in the order of `COLUMNS`, what a source does not say as `BLANK`; and notes.

    What says the same twice counts once; rows that contradict one another are refused.
    """
    missing = {name: text for name, text in BLANK.items() if name not in rows}
    rows = rows.assign(**missing)[list(COLUMNS)].reset_index(drop=True)
    values = rows["value"].to_numpy(dtype="float64")
    if len(bad := values[~(np.isfinite(values) & (values >= 0))]):
        raise refuse(where, f"value {quote(str(bad[0]))}", "a finite number of 0 or more")
    rows = rows.astype({name: "str" for name in COLUMNS if name != "value" and rows[name].dtype != "str"})
    repeated = rows.duplicated(KEY)
    if not (count := int(repeated.sum())):
        return rows, []
    if not (same := first_conflict(rows)).empty:
        raise refuse(where, conflict_in_words(same), "one value")
    twice = f"{where}: {count} rows stood there twice with the same value"
    return rows[~repeated].reset_index(drop=True), [twice]


def first_conflict(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the first key that has two values, one a value; no row where none has."""
    different = rows.drop_duplicates([*KEY, "value"])
    twice = different[different.duplicated(KEY, keep=False)]
    return twice[(twice[KEY] == twice[KEY].head(1).squeeze()).all(axis=1)] if len(twice) else twice


def conflict_in_words(rows: pd.DataFrame) -> str:
    """Name the first of different values for one key, how many more there are, and the key."""
    values = some((f"{value:.15g}" for value in rows["value"]), 3)
    return f"{values} for {' '.join(rows[KEY[:-1]].iloc[0])}"


def in_millions(values: pd.Series, units: pd.Series) -> list[float]:
    """Return values in millions; moving the point of 230000000.5 changes no digit."""
    tens = units.str[4:].map(TENS)
    return [moved(float(value), ten) for value, ten in zip(values, tens, strict=True)]


def moved(value: float, ten: int) -> float:
    """Return a number with its point moved by so many places, no digit changed."""
    text = repr(value)
    return float(Decimal(text).scaleb(ten)) if "e" in text else float(f"{text}e{ten}")


def with_years(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the years of which every month, or every quarter, is there, and which are not there themselves."""
    keys = ["reporter", "partner", "flow", "unit", "source", "period"]
    parts = rows[rows["freq"].isin(["M", "Q"]) & (rows["period"].str.len() == 7)]
    parts = parts.assign(many=parts["freq"].map({"M": 12, "Q": 4}), period=parts["period"].str[:4])
    parts = parts[parts.groupby(keys)["value"].transform("size") == parts["many"]]
    years = _sums(parts, rows[rows["freq"] == "A"], keys, lambda values: round(math.fsum(values), 9))
    note = "computed as the sum of " + years["freq"].map({"M": "12 months", "Q": "4 quarters"})
    return pd.concat([rows, years.assign(freq="A", note=note)[list(COLUMNS)]], ignore_index=True)


def with_totals(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return rows with totals, export + import, of the periods that have both but none; and the periods with one flow alone."""
    own = rows["flow"] == "total"
    keys = ["reporter", "partner", "period", "freq", "unit", "source"]
    sides = rows[~own].sort_values("flow", kind="stable")
    is_alone = sides.groupby(keys)["value"].transform("size") == 1
    notes = [
        f"{reporter}–{partner}: no total, one flow alone: {', '.join(sorted(group['period']))}"
        for (reporter, partner), group in sides[is_alone].groupby(["reporter", "partner"])
    ]
    told = {"note": "computed as export + import", "flow": "total"}
    total = _sums(sides[~is_alone], rows[own], keys, "sum").assign(**told)
    valued = (total["valuation"] != "") & (total["other"] != "")
    total["valuation"] = (total["valuation"] + " + " + total["other"]).where(valued, "")
    rows = pd.concat([rows, total[list(COLUMNS)]], ignore_index=True)
    return rows, [] if own.any() else notes


def _sums(parts: pd.DataFrame, there: pd.DataFrame, keys: list[str], add: Any) -> pd.DataFrame:
    """Return the sums of parts by their keys, where they are not there themselves: known from the latest day of their parts.

    The status is the first that is not ok; all else is that of the first part, `other` the valuation of the last.
    """
    parts = parts[~pd.MultiIndex.from_frame(parts[keys]).isin(pd.MultiIndex.from_frame(there[keys]))]
    # By places: groups that look for their first text of each column take ten times as long.
    group, places = parts.groupby(keys, sort=False).ngroup().to_numpy(), np.arange(len(parts))
    orders = (places, places[::-1], np.argsort((parts["status"] == "ok").to_numpy(), kind="stable"))
    first, last, told = (parts.iloc[order[np.unique(group[order], return_index=True)[1]]] for order in orders)
    by, ends = parts.groupby(group), {"status": told["status"], "other": last["valuation"]}
    ends |= {"published": by["published"].max(), "value": by["value"].agg(add).astype("float64")}
    return first.assign(yoy_pct="", **{name: end.array for name, end in ends.items()})
