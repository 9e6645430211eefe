"""Year-to-date releases and single months of one flow: what they say of the months, and of the year so far.

Customs publish the year so far (January to September) more often than the months. Chinese releases give January and
February together, some are rounded, many were never found. So a year is a handful of stretches of months; a
month that no figure covers stays missing, and stretches that were published together stay together.
"""

import numpy as np
import pandas as pd

from lib.growth import implied_base
from lib.series import USED, ranked

MONTHS = range(1, 12)
"""Months after which a year is still running."""

COLUMNS = ("year", "first_month", "last_month", "value_mn", "growth", "known_from", "status", "figure_id")


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
    record = record[USED]
    start, end = (record[name].to_numpy().astype("datetime64[D]") for name in ("period_start", "period_end"))
    first, after = start.astype("datetime64[M]"), (end + 1).astype("datetime64[M]")
    year = start.astype("datetime64[Y]")
    whole = (start == first) & (end + 1 == after) & (end.astype("datetime64[Y]") == year)
    usable = record["level_usable"] | (record["last_resort"] & (record["status"] == "converted"))
    kept = whole & (after - first < np.timedelta64(12, "M")) & usable & (record["currency"] == currency)
    months = {
        "year": (year.astype("int64") + 1970)[kept],
        "first_month": ((first - year).astype("int64") + 1)[kept],
        "last_month": (after - year).astype("int64")[kept],
    }
    rows = record[kept]
    return _best(rows.assign(**months, growth=rows["yoy_pct"].where(rows["growth_usable"]) / 100))[
        list(COLUMNS)
    ]


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a stretch: the best level, the growth of the best figure that has one, the earliest day."""
    stretch = rows["year"] * 10_000 + rows["first_month"] * 100 + rows["last_month"]
    order = ranked(rows.assign(stretch=stretch), "stretch")
    first = np.flatnonzero(np.diff(order["stretch"], prepend=-1))
    if not len(first):
        return order
    growth = np.split(order["growth"].to_numpy(), first[1:])
    known = np.minimum.reduceat(order["known_from"].to_numpy().astype("int64"), first)
    return (
        order.take(first)
        .assign(
            growth=[next((one for one in group if not np.isnan(one)), np.nan) for group in growth],
            known_from=known.astype(order["known_from"].dtype),
        )
        .reset_index(drop=True)
    )


def year_to_date(stretches: pd.DataFrame) -> pd.Series:
    """The year so far by year and last month.

    Parameters
    ----------
    stretches : rows with year, first_month, last_month, value_mn, as `releases` gives them.

    Returns
    -------
    Series indexed by (year, last_month), millions. A published total of January to that month comes first; another
    stretch that begins where the year so far is known extends it. Months after a hole are left out, so a year
    without its January has no year so far.
    """
    columns = (stretches[name].to_list() for name in ("year", "last_month", "first_month", "value_mn"))
    known: dict[tuple[int, int], float] = {}
    for year, last, first, value in sorted(zip(*columns, strict=True)):
        before = 0.0 if first == 1 else known.get((year, first - 1))
        if before is not None and (year, last) not in known and not np.isnan(value):
            known[int(year), int(last)] = before + float(value)
    index = pd.MultiIndex.from_tuples(list(known), names=["year", "last_month"])
    return pd.Series(list(known.values()), index=index, dtype=float)


def implied_year_to_date(stretches: pd.DataFrame) -> pd.DataFrame:
    """The year so far of the year *before*, implied by releases that print both level and growth.

    Returns
    -------
    Frame: year (the earlier one), last_month, value_mn. The base of a published growth rate is the revised one.
    """
    both = stretches[
        (stretches["first_month"] == 1) & stretches["value_mn"].notna() & (stretches["growth"] > -1)
    ]
    base = implied_base(both["value_mn"], both["growth"])
    return pd.DataFrame({"year": both["year"] - 1, "last_month": both["last_month"], "value_mn": base})


def revisions(stretches: pd.DataFrame) -> pd.DataFrame:
    """By how much the year so far was revised within a year: as printed, against the base that next year implies.

    Returns
    -------
    Frame: year, last_month, printed_mn, implied_mn, change (log; positive where the figure was raised).
    """
    printed = stretches[stretches["first_month"] == 1][["year", "last_month", "value_mn"]]
    both = printed.merge(
        implied_year_to_date(stretches), on=["year", "last_month"], suffixes=("", "_implied")
    )
    both = both.rename(columns={"value_mn": "printed_mn", "value_mn_implied": "implied_mn"})
    return both.assign(change=np.log(both["implied_mn"] / both["printed_mn"]))


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
    implied = implied_year_to_date(stretches).itertuples(index=False)
    stated = {(row.year, row.last_month): row.value_mn for row in implied} | year_to_date(stretches).to_dict()
    known = levels.dropna().to_dict()
    years = sorted({year for year, _ in stated if year in known})
    ratios = np.full((len(years), len(MONTHS)), np.nan)
    for (year, month), value in stated.items():
        if year in known and month in MONTHS:
            ratios[years.index(year), month - 1] = np.log(known[year] / value)
    return pd.DataFrame(ratios, pd.Index(years, name="year", dtype="int64"), pd.Index(MONTHS, name="month"))
