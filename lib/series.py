"""From conflicting published figures to one level a year, in one currency, each with its sources and grade.

The order of preference is fixed and small:

1. what was *published* in the currency asked for; among such figures the better status (final before
   preliminary before rounded before secondary), then the better authority (customs first), then the more
   precisely printed, then the latest;
2. what the *next* year's published level and growth *imply* (230 up 50 % implies 153.33 a year earlier);
3. what was published, or implied, in another currency, *converted* here at the annual average exchange rate;
4. as a last resort what the press had converted, at a rate that it did not state, or what covers only a part.

A year without any of these stays a gap. All levels are in millions of the currency.

*Months.* Customs publish the year so far (January to September) more often than the months. Chinese releases give
January and February together, some are rounded, many were never found. So a year is a handful of stretches of months;
a month that no figure covers stays missing, and stretches that were published together stay together.
"""

from collections import namedtuple
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.economies import check_currency
from lib.errors import UserError
from lib.figures import AUTHORITIES, whole_years
from lib.growth import implied_base

GRADES = ("published", "implied", "converted", "implied, converted", "press conversion", "partial scope")
"""From the most to the least trusted way to know a year's level."""
LAST_RESORT = {"converted": "press conversion", "partial_scope": "partial scope"}
"""Grade of the levels whose status makes them a last resort."""
_ORDER = ["ok", "date_trap", "growth_swapped", "growth_conflict", "relabelled"]
_ORDER += ["preliminary", "estimate", "rounded", "secondary"]
_STATUS, _AUTHORITY = ({name: place for place, name in enumerate(order)} for order in (_ORDER, AUTHORITIES))
PER_USD = "_per_usd"
"""How the names of covariates end that are rates: "cny_per_usd"."""


def exchange_rates(covariates: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Annual averages of what a US dollar costs, for the years that were over on `as_of`.

    Returns
    -------
    Frame by year, a column for each currency in units of it, such as "CNY"; that of the dollar is 1.
    """
    kept: dict[str, dict[int, float]] = {}
    for year, name, value in covariates[["year", "variable", "value"]].to_numpy(object):
        if name.endswith(PER_USD) and len(name) == 3 + len(PER_USD) and year < as_of.year:
            kept.setdefault(name[:3].upper(), {})[year] = value
    return pd.DataFrame(dict(sorted(kept.items()))).sort_index().assign(USD=1.0).rename_axis("year")


def in_dollars(value: float, currency: str, year: int, rates: pd.DataFrame) -> float:
    """A value in US dollars at the average rate of its year; a `UserError` says how to get a rate that is not known."""
    rate = 1.0 if currency == "USD" else rates[currency].get(year, np.nan) if currency in rates else np.nan
    if np.isnan(rate):
        raise UserError(no_rate(currency, str(year)))
    return float(value) / float(rate)


def no_rate(currency: str, when: str) -> str:
    """What to say where a rate is missing, and how to get it."""
    found = f"no average rate of {currency} for {when} in data/covariates.csv"
    return f"currency: found {found}, expected one; first: tradegoals data refresh --currency {currency}"


class Level(NamedTuple):
    """What one figure offers as the level of one year, in millions of the currency."""

    year: int
    value_mn: float
    grade: str
    figure_id: str
    status: str
    authority: str
    currency: str


_Figure = namedtuple(
    "_Figure",
    "period value_mn value yoy_pct currency figure_id status authority known_from level_usable growth_usable last_resort",
)
"""What a choice among figures looks at, of one that covers a period, such as a year."""


def annual_series(figures: pd.DataFrame, currency: str, rates: pd.DataFrame | None = None) -> pd.DataFrame:
    """One level a year by the rules above, with what the other sources say.

    Returns
    -------
    Frame indexed by year: value_mn, grade, figure_id (the figure it rests on), low_mn and high_mn (range of
    all candidates of the year), sources (their number). Years without a figure are absent.
    """
    rows = []
    for year, of_year in groupby(offers(figures, currency, rates), lambda one: one.year):
        found = list(of_year)
        best = found[0]
        values, names = [one.value_mn for one in found], {one.figure_id for one in found}
        rows.append((year, best.value_mn, best.grade, best.figure_id, min(values), max(values), len(names)))
    kinds = {"year": "int64", "value_mn": "float64", "grade": "str", "figure_id": "str"}
    kinds |= {"low_mn": "float64", "high_mn": "float64", "sources": "int64"}
    return _frame(rows, kinds).set_index("year")


def _frame(rows: list[Any], kinds: dict[str, str]) -> pd.DataFrame:
    """Rows as a table of typed columns."""
    columns = zip(kinds.items(), zip(*rows, strict=True) if rows else [()] * len(kinds), strict=True)
    return pd.DataFrame({name: pd.array(values, dtype=kind) for (name, kind), values in columns})


def offers(figures: pd.DataFrame, currency: str, rates: pd.DataFrame | None) -> list[Level]:
    """All offers by year, best first. Plain rows: a flow has some dozens, and frames cost by the operation.

    Parameters
    ----------
    figures : figures of one reporter, partner and flow, already cut to a vintage (`lib.figures.as_of`).
    currency : of ISO 4217, such as "USD".
    rates : of `exchange_rates`; figures in currencies without a rate are left out, with None all that are not in
        `currency`.
    """
    check_currency(currency)
    if any(len(figures[name].unique()) > 1 for name in ("reporter", "partner", "flow")):
        raise UserError("series: found figures of several flows, expected one reporter, partner and flow")
    # Ranked once: what is taken out of it, or moved by a year as a whole, keeps the order.
    rows = _ranked(figures, *whole_years(figures))
    own, other = ([row for row in rows if (row.currency == currency) == inside] for inside in (True, False))
    table = {} if rates is None else {str(name): column.to_dict() for name, column in rates.items()}
    offers = [
        *(_level(row, "published") for row in own if row.level_usable),
        *_implied(own, "implied"),
        *_converted((_level(row, "converted") for row in other if row.level_usable), currency, table),
        *_converted(_implied(other, "implied, converted"), currency, table),
        *(_level(row, LAST_RESORT[row.status]) for row in own if row.last_resort),
    ]
    return sorted(offers, key=lambda one: (one.year, GRADES.index(one.grade)))


def _level(row: Any, grade: str) -> Level:
    """What a figure prints."""
    return Level(row.period, row.value_mn, grade, row.figure_id, row.status, row.authority, row.currency)


def _implied(rows: list[Any], grade: str) -> Iterator[Level]:
    """Previous-year levels implied by the best of ranked figures of each year that print level and growth."""
    best: dict[int, Any] = {}
    for row in rows:
        if row.level_usable and row.growth_usable and not np.isnan(row.yoy_pct):
            best.setdefault(row.period, row)
    for row in best.values():
        base = float(implied_base(row.value_mn, row.yoy_pct / 100))
        yield _level(row, grade)._replace(year=row.period - 1, value_mn=base)


def _converted(levels: Iterable[Level], currency: str, rates: dict[str, dict[int, float]]) -> Iterator[Level]:
    """Levels of other currencies in this one, at the average rates of their years; the rest is left out."""
    for one in levels:
        paid, asked = (rates.get(name, {}).get(one.year, np.nan) for name in (one.currency, currency))
        if not np.isnan(value := one.value_mn / paid * asked):
            yield one._replace(value_mn=value, currency=currency)


def _ranked(figures: pd.DataFrame, kept: np.ndarray, period: np.ndarray) -> list[_Figure]:
    """The kept figures with a level by their periods, the preferred one of each first."""
    columns = (figures[name].to_numpy(object)[kept] for name in _Figure._fields[1:])
    rows = map(_Figure, period[kept].tolist(), *columns)
    return sorted((row for row in rows if not np.isnan(row.value_mn)), key=_preference)


def _preference(row: _Figure) -> tuple[int, ...]:
    judged = _STATUS.get(row.status, len(_STATUS)), _AUTHORITY.get(row.authority, len(_AUTHORITY))
    return row.period, *judged, -_significant_digits(row.value), -row.known_from.value


def _significant_digits(value: float) -> int:
    """Significant digits of a published number: 69.525 has 5, 0.67 has 2, 80 counts as 1."""
    return len(np.format_float_positional(value, trim="-").replace(".", "").strip("0"))


MONTHS = range(1, 12)
"""Months after which a year is still running."""
COLUMNS = dict.fromkeys(("year", "first_month", "last_month"), "int64")
COLUMNS |= dict.fromkeys(("value_mn", "growth"), "float64") | {"known_from": "datetime64[us]"}
COLUMNS |= dict.fromkeys(("status", "figure_id"), "str")


def releases(record: pd.DataFrame, currency: str) -> pd.DataFrame:
    """The best figure for each stretch of whole months within a year, shorter than the year.

    Parameters
    ----------
    record : figures of one flow, already cut to a vintage (`lib.figures.as_of`): a revision that was not
        published by that day cannot enter.
    currency : of ISO 4217, such as "USD"; figures in other ones are left out.

    Returns
    -------
    Frame sorted by year and months: year, first_month, last_month, value_mn (millions), growth (on the same
    months a year earlier, a fraction; NaN where none can be used), known_from (of the earliest figure of the
    stretch), status, figure_id. Of several figures for one stretch the preferred one of `lib.series` is kept; a
    press conversion counts only where there is nothing better, a figure of partial scope never.
    """
    start, end = (record[name].to_numpy("datetime64[D]") for name in ("period_start", "period_end"))
    first, after = start.astype("datetime64[M]"), (end + 1).astype("datetime64[M]")
    year = start.astype("datetime64[Y]")
    whole = (start == first) & (end + 1 == after) & (end.astype("datetime64[Y]") == year)
    usable = record["level_usable"] | (record["last_resort"] & (record["status"] == "converted"))
    usable = (usable & (record["currency"] == currency)).to_numpy()
    kept = whole & (after - first < np.timedelta64(12, "M")) & usable
    numbers = year.astype(int) + 1970, (first - year).astype(int) + 1, (after - year).astype(int)
    rows = []
    for months, stretch in groupby(_ranked(record, kept, np.column_stack(numbers)), lambda one: one.period):
        found = list(stretch)
        growth = (one.yoy_pct / 100 for one in found if one.growth_usable and not np.isnan(one.yoy_pct))
        best, known = found[0], min(one.known_from for one in found)
        rows.append((*months, best.value_mn, next(growth, np.nan), known, best.status, best.figure_id))
    return _frame(rows, COLUMNS)


def year_to_date(stretches: pd.DataFrame) -> pd.Series:
    """The year so far by year and last month, from stretches as `releases` gives them.

    Returns
    -------
    Series indexed by (year, last_month), millions. A published total of January to that month comes first; another
    stretch that begins where the year so far is known extends it. Months after a hole are left out, so a year
    without its January has no year so far.
    """
    known = so_far(stretches)
    index = pd.MultiIndex.from_tuples(list(known), names=["year", "last_month"])
    return pd.Series(list(known.values()), index=index, dtype=float)


def so_far(stretches: pd.DataFrame) -> dict[tuple[int, int], float]:
    """`year_to_date` without a table, which takes longer to make than its content: (year, last_month) → millions."""
    columns = (stretches[name].to_list() for name in ("year", "last_month", "first_month", "value_mn"))
    known: dict[tuple[int, int], float] = {}
    for year, last, first, value in sorted(zip(*columns, strict=True)):
        before = 0.0 if first == 1 else known.get((year, first - 1))
        if before is not None and (year, last) not in known and not np.isnan(value):
            known[int(year), int(last)] = before + float(value)
    return known


def implied_year_to_date(stretches: pd.DataFrame) -> pd.DataFrame:
    """The year so far of the year *before*, implied by releases that print both level and growth.

    Returns
    -------
    Frame: year (the earlier one), last_month, value_mn. The base of a published growth rate is the revised one.
    """
    first, value, growth = (stretches[name].to_numpy() for name in ("first_month", "value_mn", "growth"))
    both = (first == 1) & ~np.isnan(value) & (growth > -1)
    year, month = (stretches[name].to_numpy()[both] for name in ("year", "last_month"))
    base = implied_base(value[both], growth[both])
    return pd.DataFrame({"year": year - 1, "last_month": month, "value_mn": base})


def own_ratios(stretches: pd.DataFrame, levels: pd.Series) -> pd.DataFrame:
    """A flow's own ln(total / year so far), from its releases and its yearly levels.

    Parameters
    ----------
    stretches : as `releases` gives them, cut to a vintage.
    levels : level by year, millions, of the same vintage and currency.

    Returns
    -------
    Frame of years × months 1 to 11, NaN where no year so far or no total is known. Where the year so far was
    not printed, the base that next year's release implies stands in.
    """
    years, months, bases = (column.to_list() for _, column in implied_year_to_date(stretches).items())
    implied = dict(zip(zip(years, months, strict=True), bases, strict=True))
    stated = implied | so_far(stretches)
    known = levels.dropna().to_dict()
    years = sorted({year for year, _ in stated if year in known})
    ratios = np.full((len(years), len(MONTHS)), np.nan)
    for (year, month), value in stated.items():
        if year in known and month in MONTHS:
            ratios[years.index(year), month - 1] = np.log(known[year] / value)
    return pd.DataFrame(ratios, pd.Index(years, name="year", dtype="int64"), pd.Index(MONTHS, name="month"))
