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
    rows = ranked(annual(figures)[_USED])
    both = (rows["level_usable"] & rows["growth_usable"] & rows["yoy_pct"].notna()).to_numpy()
    before = np.full(len(rows), np.nan)
    before[both] = implied_base(rows["value_mn"].to_numpy()[both], rows["yoy_pct"].to_numpy()[both] / 100)
    per_usd = _per_usd(rates, {currency, *rows["currency"]})
    found: list[tuple[int, int, int, float]] = []  # year, place of the grade, of the figure, level
    implying = set()
    for place, row in enumerate(rows.itertuples(index=False)):
        own = row.currency == currency
        offers = [(row.year, row.value_mn, "published" if own else "converted")] if row.level_usable else []
        if (
            both[place] and (own, row.year) not in implying
        ):  # the best figure of a year implies the one before
            implying.add((own, row.year))
            offers.append((row.year - 1, before[place], "implied" if own else "implied, converted"))
        if not own:
            offers = [(y, _convert(v, y, row.currency, currency, per_usd), grade) for y, v, grade in offers]
        elif row.last_resort:
            offers.append((row.year, row.value_mn, LAST_RESORT[row.status]))
        found += [(y, GRADES.index(grade), place, v) for y, v, grade in offers if not np.isnan(v)]
    found.sort(key=lambda one: one[:2])  # stable: figures stay in the order of their rank
    year, order = (np.array([one[i] for one in found], dtype="int64") for i in (0, 2))
    return pd.DataFrame(
        {
            "year": year,
            "value_mn": np.array([one[3] for one in found], dtype=float),
            "grade": pd.array([GRADES[one[1]] for one in found], dtype="str"),
            **{name: rows[name].array.take(order) for name in ("figure_id", "status", "authority")},
            "chosen": np.diff(year, prepend=-1) > 0,
        }
    )


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
    first = np.flatnonzero(found["chosen"])
    best = found[["value_mn", "grade", "figure_id"]].take(first)
    best.index = pd.Index(found["year"].to_numpy()[first], name="year")
    levels = np.split(found["value_mn"].to_numpy(), first[1:])
    sources = np.split(found["figure_id"].to_numpy(dtype=object), first[1:])
    if not len(first):
        levels, sources = [], []
    best["low_mn"] = np.array([min(values) for values in levels], dtype=float)
    best["high_mn"] = np.array([max(values) for values in levels], dtype=float)
    best["sources"] = np.array([len(set(names)) for names in sources], dtype="int64")
    return best


def _per_usd(rates: pd.DataFrame | pd.Series | None, currencies: set[str]) -> dict[str, dict[int, float]]:
    """What a dollar costs in each of some currencies, by year."""
    if rates is None:
        return {}
    table = rates.to_frame("CNY").assign(USD=1.0) if isinstance(rates, pd.Series) else rates
    return {name: table[name].to_dict() for name in currencies if name in table}


def _convert(value: float, year: int, paid: str, wanted: str, per_usd: dict[str, dict[int, float]]) -> float:
    """A level in another currency at the average rate of its year; NaN where that is not known."""
    rates = (per_usd.get(name, {}).get(year, np.nan) for name in (paid, wanted))
    return float(value / next(rates) * next(rates))


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
