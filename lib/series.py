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

import numpy as np
import pandas as pd

from lib.economies import check_currency
from lib.errors import UserError
from lib.figures import annual
from lib.growth import implied_base

GRADES = ("published", "implied", "converted", "implied, converted", "press conversion", "partial scope")
"""From the most to the least trusted way to know a year's level."""

CONVERTED = {"published": "converted", "implied": "implied, converted"}
"""Grade of a level in another currency, once it is converted."""

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


_USED = ["year", "value_mn", "value", "yoy_pct", "currency", "figure_id", "status", "authority", "known_from"]
_USED += ["level_usable", "growth_usable", "last_resort"]  # every copy of a frame costs by its columns


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
    check_currency(currency)
    if len(figures[["reporter", "partner", "flow"]].drop_duplicates()) > 1:
        raise UserError("series: found figures of several flows, expected one reporter, partner and flow")
    # Ranked once: what is taken out of it, or moved by a year as a whole, keeps the order.
    rows = ranked(annual(figures)[_USED])
    offers = [rows[rows["level_usable"]].assign(grade="published"), _implied(rows, currency)]
    last = rows[rows["last_resort"] & (rows["currency"] == currency)]
    last = last.assign(grade=last["status"].map(LAST_RESORT))
    found = pd.concat([_in_currency(pd.concat(offers), currency, rates), last])
    order = np.lexsort([found["grade"].map(GRADES.index).astype(int), found["year"]])
    columns = ["year", "value_mn", "grade", "figure_id", "status", "authority"]
    found = found[columns].iloc[order].reset_index(drop=True)
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
    found = candidates(figures, currency, rates)
    by_year = found.groupby("year")
    best = found[found["chosen"]].set_index("year")[["value_mn", "grade", "figure_id"]]
    return best.assign(
        low_mn=by_year["value_mn"].min(),
        high_mn=by_year["value_mn"].max(),
        sources=by_year["figure_id"].nunique(),
    )


def _implied(rows: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Previous-year levels implied by the best of ranked figures of each year that print level and growth.

    Figures in the currency asked for and those in others have a best one each.
    """
    both = rows[rows["level_usable"] & rows["growth_usable"] & rows["yoy_pct"].notna()]
    both = both.assign(grade="implied", own=both["currency"] == currency).drop_duplicates(["own", "year"])
    value = implied_base(both["value_mn"], both["yoy_pct"] / 100)
    return both.assign(year=both["year"] - 1, value_mn=value).drop(columns="own")


def _in_currency(found: pd.DataFrame, currency: str, rates: pd.DataFrame | pd.Series | None) -> pd.DataFrame:
    """Levels in one currency: those in others converted at the rate of their year, left out where there is none."""
    own = (found["currency"] == currency).to_numpy()
    per_usd = rates.to_frame("CNY").assign(USD=1.0) if isinstance(rates, pd.Series) else rates
    if own.all() or per_usd is None or currency not in per_usd:
        return found[own]
    of_year = per_usd.reindex(found["year"]).assign(none=np.nan)
    paid = of_year.to_numpy()[np.arange(len(found)), of_year.columns.get_indexer(found["currency"])]
    value = np.where(own, found["value_mn"], found["value_mn"] / paid * of_year[currency].to_numpy())
    grade = found["grade"].where(own, found["grade"].map(CONVERTED))
    return found.assign(value_mn=value, grade=grade)[~np.isnan(value)]


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
