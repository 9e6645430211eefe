"""From conflicting published figures to one level a year, in one currency, each with its sources and grade.

The order of preference is fixed and small:

1. what was *published* in the currency asked for; among such figures the better status (final before
   preliminary before rounded before secondary), then the better authority (customs first), then the more
   precisely printed, then the latest;
2. what the *next* year's published level and growth *imply* (230 up 50 % implies 153.33 a year earlier);
3. what was published, or implied, in another currency, *converted* here at the annual average exchange rate;
4. as a last resort what the press had converted, at a rate that it did not state, or what covers only a part.

A year without any of these stays a gap. All levels are in millions of the currency.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.economies import check_currency
from lib.errors import UserError
from lib.figures import annual
from lib.growth import implied_base

GRADES = ("published", "implied", "converted", "implied, converted", "press conversion", "partial scope")
"""From the most to the least trusted way to know a year's level."""

LAST_RESORT = {"converted": "press conversion", "partial_scope": "partial scope"}
"""Grade of the levels whose status makes them a last resort."""

STATUS_ORDER = (
    "ok",
    "date_trap",
    "growth_swapped",
    "growth_conflict",
    "relabelled",
    "preliminary",
    "estimate",
    "rounded",
    "secondary",
)

AUTHORITY_ORDER = ("customs", "statistics", "government", "press", "unstated")

PER_USD = "_per_usd"
"""How the names of covariates end that are rates: "cny_per_usd"."""


def exchange_rates(covariates: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Annual averages of what a US dollar costs, for the years that were over on `as_of`.

    Returns
    -------
    Frame by year, a column for each currency in units of it, such as "CNY"; that of the dollar is 1.
    """
    names = covariates["variable"]
    is_rate = names.str.endswith(PER_USD) & (names.str.len() == 3 + len(PER_USD))
    rows = covariates[is_rate & (covariates["year"] < as_of.year)]
    table = rows.pivot(index="year", columns="variable", values="value")
    return table.rename(columns=lambda name: name[:3].upper()).assign(USD=1.0).rename_axis(columns=None)


def in_dollars(value: float, currency: str, year: int, rates: pd.DataFrame) -> float:
    """A value in US dollars at the average rate of its year (`exchange_rates`).

    Raises
    ------
    UserError
        Where the rate is not known, with the command that brings it.
    """
    if currency == "USD":
        return float(value)
    rate = rates[currency].get(year, np.nan) if currency in rates else np.nan
    if np.isnan(rate):
        raise UserError(no_rate(currency, str(year)))
    return float(value) / float(rate)


def no_rate(currency: str, when: str) -> str:
    """What to say where a rate is missing, and how to get it."""
    return (
        f"currency: found no average rate of {currency} for {when} in data/covariates.csv, expected one; first: "
        f"tradegoals data refresh --currency {currency}"
    )


class Level(NamedTuple):
    """What one figure offers as the level of one year, in millions of the currency."""

    year: int
    value_mn: float
    grade: str
    figure_id: str
    status: str
    authority: str
    currency: str


USED = [
    "period_start",
    "period_end",
    "value_mn",
    "value",
    "yoy_pct",
    "currency",
    "figure_id",
    "status",
    "authority",
]
USED += ["known_from", "level_usable", "growth_usable", "last_resort"]
"""Columns that a choice among figures looks at: every copy of a frame costs by its columns."""


def candidates(
    figures: pd.DataFrame, currency: str, rates: pd.DataFrame | pd.Series | None = None
) -> pd.DataFrame:
    """Every level that the figures offer for a year, best first.

    Parameters
    ----------
    figures : figures of one reporter, partner and flow, already cut to a vintage (`figures.as_of`).
    currency : of ISO 4217, such as "USD".
    rates : of `exchange_rates`, or a series of yuan per dollar by year; figures in currencies without a rate are left out,
        with None all that are not in `currency`.

    Returns
    -------
    Frame with columns year, value_mn, grade, figure_id, status, authority, chosen (one True a year), sorted
    by year and preference.
    """
    found = pd.DataFrame(_levels(figures, currency, rates), columns=list(Level._fields)).drop(
        columns="currency"
    )
    found = found.astype(dict.fromkeys(found, "str") | {"year": "int64", "value_mn": "float64"})
    return found.assign(chosen=~found.duplicated("year"))


def annual_series(
    figures: pd.DataFrame, currency: str, rates: pd.DataFrame | pd.Series | None = None
) -> pd.DataFrame:
    """One level a year by the rules above, with what the other sources say.

    Returns
    -------
    Frame indexed by year: value_mn, grade, figure_id (the figure it rests on), low_mn and high_mn (range of
    all candidates of the year), sources (their number). Years without a figure are absent.
    """
    years = [list(offers) for _, offers in groupby(_levels(figures, currency, rates), lambda one: one.year)]
    columns = {
        "value_mn": pd.Series([offers[0].value_mn for offers in years], dtype="float64"),
        "grade": pd.Series([offers[0].grade for offers in years], dtype="str"),
        "figure_id": pd.Series([offers[0].figure_id for offers in years], dtype="str"),
        "low_mn": pd.Series([min(one.value_mn for one in offers) for offers in years], dtype="float64"),
        "high_mn": pd.Series([max(one.value_mn for one in offers) for offers in years], dtype="float64"),
        "sources": pd.Series([len({one.figure_id for one in offers}) for offers in years], dtype="int64"),
    }
    index = pd.Index([offers[0].year for offers in years], dtype="int64", name="year")
    return pd.DataFrame(columns).set_index(index)


def _levels(figures: pd.DataFrame, currency: str, rates: pd.DataFrame | pd.Series | None) -> list[Level]:
    """All offers by year, best first. Plain rows: a flow has some dozens, and frames cost by the operation."""
    check_currency(currency)
    if any(len(figures[name].unique()) > 1 for name in ("reporter", "partner", "flow")):
        raise UserError("series: found figures of several flows, expected one reporter, partner and flow")
    # Ranked once: what is taken out of it, or moved by a year as a whole, keeps the order.
    rows = list(ranked(annual(figures[USED])).itertuples(index=False))
    own, other = ([row for row in rows if (row.currency == currency) == inside] for inside in (True, False))
    converted = _converter(currency, rates)
    offers = [
        *(_level(row, "published") for row in own if row.level_usable),
        *_implied(own, "implied"),
        *converted(_level(row, "converted") for row in other if row.level_usable),
        *converted(_implied(other, "implied, converted")),
        *(_level(row, LAST_RESORT[row.status]) for row in own if row.last_resort),
    ]
    return sorted(offers, key=lambda one: (one.year, GRADES.index(one.grade)))


def _level(row: Any, grade: str) -> Level:
    """What a figure prints."""
    return Level(row.year, row.value_mn, grade, row.figure_id, row.status, row.authority, row.currency)


def _implied(rows: list[Any], grade: str) -> Iterator[Level]:
    """Previous-year levels implied by the best of ranked figures of each year that print level and growth."""
    best: dict[int, Any] = {}
    for row in rows:
        if row.level_usable and row.growth_usable and not np.isnan(row.yoy_pct):
            best.setdefault(row.year, row)
    for row in best.values():
        base = float(implied_base(row.value_mn, row.yoy_pct / 100))
        yield _level(row, grade)._replace(year=row.year - 1, value_mn=base)


def _converter(
    currency: str, rates: pd.DataFrame | pd.Series | None
) -> Callable[[Iterable[Level]], Iterator[Level]]:
    """What turns levels of other currencies into this one, at the average rates of their years; the rest is left out."""
    if rates is None:
        table: dict[str, dict[int, float]] = {}
    elif isinstance(rates, pd.Series):
        table = {"CNY": rates.to_dict(), "USD": dict.fromkeys(rates.index, 1.0)}
    else:
        table = {str(name): column.to_dict() for name, column in rates.items()}

    def convert(levels: Iterable[Level]) -> Iterator[Level]:
        for one in levels:
            paid, asked = (table.get(name, {}).get(one.year, np.nan) for name in (one.currency, currency))
            if not np.isnan(value := one.value_mn / paid * asked):
                yield one._replace(value_mn=value, currency=currency)

    return convert


def ranked(rows: pd.DataFrame, period: str = "year") -> pd.DataFrame:
    """Rows with a level, the preferred one of each period (a column, such as the year) first."""
    known = rows[rows["value_mn"].notna()]
    status, authority = _place(STATUS_ORDER), _place(AUTHORITY_ORDER)
    keys = [  # the last one counts first
        -known["known_from"].astype("int64").to_numpy(),
        [-significant_digits(value) for value in known["value"]],
        [authority.get(name, len(authority)) for name in known["authority"]],
        [status.get(name, len(status)) for name in known["status"]],
        known[period].to_numpy(),
    ]
    return known.iloc[np.lexsort(keys)]


def _place(order: tuple[str, ...]) -> dict[str, int]:
    return {name: place for place, name in enumerate(order)}


def significant_digits(value: float) -> int:
    """Significant digits of a published number: 69.525 has 5, 0.67 has 2, 80 counts as 1."""
    return len(np.format_float_positional(value, trim="-").replace(".", "").strip("0"))
