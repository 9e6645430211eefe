"""Periods as text: "2013", "2013-Q2", "2013-05"; which were asked for, which are missing, when each is over.

What a source says, as one long table: a row for each reporter, partner, flow and period.

Series of one place, such as GDP or an exchange rate: one long table, and the rows of `data/covariates.csv`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lib.errors import UserError, quote
from lib.tools.sources.client import refuse
from lib.tools.sources.snapshots import Snapshot

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


COLUMNS = (
    "reporter",
    "partner",
    "flow",
    "period",
    "freq",
    "value",
    "unit",
    "currency",
    "valuation",
    "source",
    "snapshot",
)

KEY = ["reporter", "partner", "flow", "freq", "period"]

FLOWS = ("total", "export", "import")

SCALES = {"": 1, "th": 1_000, "mn": 1_000_000, "bn": 1_000_000_000}


def empty() -> pd.DataFrame:
    """Return a table without observations, with its columns typed."""
    return pd.DataFrame({name: pd.Series(dtype="float64" if name == "value" else "str") for name in COLUMNS})


@lru_cache(maxsize=1)
def schema() -> Any:
    """Return the pandera schema of observations: `value` in `unit`, such as "USD" or "CNY mn", and finite."""
    import pandera.pandas as pa

    text = pa.Check(lambda column: column.str.len() > 0, error="text")
    shape = pa.Check.str_matches(r"^\d{4}(-Q[1-4]|-(0[1-9]|1[0-2]))?$")
    finite = pa.Check(np.isfinite, error="a finite number")
    columns = {
        "reporter": pa.Column("str", text),
        "partner": pa.Column("str", text),
        "flow": pa.Column("str", pa.Check.isin(FLOWS)),
        "period": pa.Column("str", shape),
        "freq": pa.Column("str", pa.Check.isin(list(FREQUENCIES))),
        "value": pa.Column("float64", [finite, pa.Check.ge(0)]),
        "unit": pa.Column("str", pa.Check.str_matches(r"^[A-Z]{3}( (th|mn|bn))?$")),
        "currency": pa.Column("str", pa.Check.str_matches(r"^[A-Z]{3}$")),
        "valuation": pa.Column("str", pa.Check.isin(["", "FOB", "CIF", "FOB + CIF"])),
        "source": pa.Column("str", text),
        "snapshot": pa.Column("str", pa.Check.str_matches(r"^[0-9a-f]{64}$")),
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def check(observations: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return observations that hold to the schema.

    Raises
    ------
    UserError
        Naming the first value of each kind that does not, such as a negative one.
    """
    from pandera.errors import SchemaErrors

    try:
        return schema().validate(observations[list(COLUMNS)], lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.drop_duplicates(["column", "check"]).head(5)
        found = [f"{case.column} {quote(str(case.failure_case))}" for case in cases.itertuples()]
        expected = [str(case.check) for case in cases.itertuples()]
        raise refuse(where, "; ".join(found), "; ".join(expected)) from None


def without_duplicates(rows: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Return rows without those that say the same twice; rows that contradict one another are refused."""
    repeated = rows.duplicated(KEY, keep="first")
    if not repeated.any():
        return rows, []
    if (conflict := rows.drop_duplicates([*KEY, "value"]).duplicated(KEY, keep=False)).any():
        case = rows.drop_duplicates([*KEY, "value"])[conflict].iloc[0]
        values = rows.loc[(rows[KEY] == case[KEY]).all(axis=1), "value"].drop_duplicates()
        found = f"{', '.join(f'{value:.15g}' for value in values)} for {' '.join(case[KEY])}"
        raise refuse(where, found, "one value")
    return rows[~repeated], [f"{where}: {int(repeated.sum())} rows stood there twice with the same value"]


def finished_only(rows: pd.DataFrame, snapshot: Snapshot) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose period was over on the day of retrieval: what is not over is no full figure yet."""
    day = pd.Timestamp(snapshot.day)
    early = {period for period in rows["period"].unique() if last_day(period) >= day}
    if not early:
        return rows, []
    note = f"{snapshot.url}: left out, not over on {snapshot.day}: {', '.join(sorted(early))}"
    return rows[~rows["period"].isin(early)], [note]


def with_totals(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the totals, export + import, of the periods that have both; the other periods are named.

    A total carries the snapshot of its export: both flows are in it, but for panels of UN Comtrade's preview.
    """
    keys = [name for name in COLUMNS if name not in ("flow", "value", "valuation", "snapshot")]
    wide = rows.pivot(index=keys, columns="flow", values="value").reindex(columns=["export", "import"])
    both = wide.dropna()
    notes = [
        f"{reporter}–{partner}: no total, one flow alone: {', '.join(sorted(group.index.get_level_values('period')))}"
        for (reporter, partner), group in wide[wide.isna().any(axis=1)].groupby(level=["reporter", "partner"])
    ]
    exports = rows[rows["flow"] == "export"].set_index(keys)["snapshot"]
    total = (
        both.sum(axis=1).rename("value").to_frame().assign(snapshot=exports.reindex(both.index)).reset_index()
    )
    return total.assign(flow="total", valuation="FOB + CIF")[list(COLUMNS)], notes


INDICATOR_COLUMNS = ("place", "variable", "period", "freq", "value", "unit", "source", "snapshot")


@lru_cache(maxsize=1)
def indicator_schema() -> Any:
    """Return the pandera schema: one finite value for each place, variable and period."""
    import pandera.pandas as pa

    text = pa.Check(lambda column: column.str.len() > 0, error="text")
    columns = {
        "place": pa.Column("str", text),
        "variable": pa.Column("str", text),
        "period": pa.Column("str", pa.Check.str_matches(r"^\d{4}(-Q[1-4]|-(0[1-9]|1[0-2]))?$")),
        "freq": pa.Column("str", pa.Check.isin(["A", "Q", "M"])),
        "value": pa.Column("float64", pa.Check(np.isfinite, error="a finite number")),
        "unit": pa.Column("str", text),
        "source": pa.Column("str", text),
        "snapshot": pa.Column("str", pa.Check.str_matches(r"^[0-9a-f]{64}$")),
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=["place", "variable", "period"])


def check_indicators(rows: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return rows that hold to the schema, or say which value does not."""
    from pandera.errors import SchemaErrors

    try:
        return indicator_schema().validate(rows[list(INDICATOR_COLUMNS)], lazy=True)
    except SchemaErrors as error:
        case = error.failure_cases.iloc[0]
        raise refuse(
            where, f"{case['column']} {quote(str(case['failure_case']))}", str(case["check"])
        ) from None


def covariates_from(rows: pd.DataFrame, snapshots: list[Snapshot]) -> pd.DataFrame:
    """Return annual values as text rows of `data/covariates.csv`: year, variable, value, unit, source_url."""
    urls = {snapshot.sha256: f"{snapshot.url} (retrieved {snapshot.day})" for snapshot in snapshots}
    annual = rows[rows["freq"] == "A"]
    columns = {
        "year": annual["period"],
        "variable": annual["variable"],
        "value": annual["value"].map(lambda value: np.format_float_positional(value, trim="-")),
        "unit": annual["unit"],
        "source_url": annual["snapshot"].map(urls),
    }
    return pd.DataFrame(columns).reset_index(drop=True).astype("str")
