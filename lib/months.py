"""Year-to-date releases and single months of one flow: what they say of the months, and of the year so far.

Customs publish the year so far (January to September) more often than the months. Chinese releases give January and
February together, some are rounded, many were never found. So a year is a handful of stretches of months; a
month that no figure covers stays missing, and stretches that were published together stay together.
"""

import numpy as np
import pandas as pd

from lib.growth import implied_base
from lib.series import ranked

MONTHS = range(1, 12)
"""Months after which a year is still running."""

COLUMNS = ("year", "first_month", "last_month", "value_mn", "growth", "known_from", "status", "figure_id")


_USED = [
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
_USED += ["known_from", "level_usable", "growth_usable", "last_resort"]  # every copy costs by its columns


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
    record = record[_USED]
    start, end = record["period_start"], record["period_end"]
    whole = (start.dt.day == 1) & end.dt.is_month_end & (start.dt.year == end.dt.year)
    part = whole & (end.dt.month - start.dt.month < 11)
    usable = record["level_usable"] | (record["last_resort"] & (record["status"] == "converted"))
    rows = record[part & usable & (record["currency"] == currency)]
    start, end = rows["period_start"].dt, rows["period_end"].dt
    months = {"year": start.year, "first_month": start.month, "last_month": end.month}
    growth = rows["yoy_pct"].where(rows["growth_usable"]) / 100
    return _best(rows.assign(**months, growth=growth))[list(COLUMNS)]


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a stretch: the best level, the growth of the best figure that has one, the earliest day."""
    stretch = rows["year"] * 10_000 + rows["first_month"] * 100 + rows["last_month"]
    order = ranked(rows.assign(stretch=stretch), "stretch")
    best = order.drop_duplicates("stretch").set_index("stretch")
    by_stretch = order.groupby("stretch")
    return best.assign(
        growth=by_stretch["growth"].first(), known_from=by_stretch["known_from"].min()
    ).reset_index(drop=True)


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
    rows = stretches.dropna(subset="value_mn").sort_values(["year", "last_month", "first_month"])
    columns = (rows[name].to_numpy() for name in ("year", "first_month", "last_month", "value_mn"))
    known: dict[tuple[int, int], float] = {}
    for year, first, last, value in zip(*columns, strict=True):
        before = 0.0 if first == 1 else known.get((year, first - 1))
        if before is not None and (year, last) not in known:
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
    index = pd.MultiIndex.from_tuples(sorted(stated), names=["year", "last_month"])
    so_far = pd.Series([stated[at] for at in index], index, dtype=float).unstack("last_month")
    so_far = so_far.reindex(columns=MONTHS)
    known = levels.dropna()
    so_far = so_far.loc[so_far.index.isin(known.index)].rename_axis(columns="month")
    return np.log(1 / so_far.div(known.reindex(so_far.index), axis=0))
