"""Rules for figures that must fit together: growth and levels, exports and imports and their total."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.growth import implied_base
from lib.quality.pairs import PERIOD, amount, flags, millions, pair, percent, triples

GROWTH_POINTS = 2.0
"""Points between printed growth and growth of the levels: revisions of the base explain up to two."""
PARTS_POINTS = 0.3
"""Points between the growth of a total and that of its parts, beside the rounding of what is printed."""
PARTS_SHARE = 0.01
"""Of the total: exports and imports may be rounded and revised apart."""


def growth_against_levels(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """Printed growth that fits no level of the same months a year earlier; the side with fewer texts is doubted."""
    pairs = with_growth(rows)
    pairs = pairs[~pairs["fits"].groupby(pairs["row"]).transform("any")]
    period = pairs["row"].map(rows["flow_number"]), pairs["row"].map(rows["period_number"])
    later, earlier = (pairs[name].groupby(list(period)).transform("nunique") for name in ("row", "row_o"))
    growth, base = pairs[later <= earlier], pairs[later > earlier]
    implied = implied_base(base["value_mn"], base["yoy_pct"] / 100)
    about = "about " + millions(implied, rows, base["row_o"])
    return pd.concat(
        [
            flags(
                rows, growth["row"], percent(growth["yoy_pct"]), percent(growth["between"]), growth["row_o"]
            ),
            flags(rows, base["row_o"], amount(rows, base["row_o"]), about, base["row"]),
        ],
        ignore_index=True,
    )


def with_growth(rows: pd.DataFrame) -> pd.DataFrame:
    """Figures that print growth beside levels of the same months a year earlier, in one currency.

    Returns
    -------
    As `pair`, with between (growth between the two levels, per cent) and fits (whether that is what is printed,
    up to revisions and rounding).
    """
    levels = rows[rows["log"].notna()]
    later = levels[levels["yoy_pct"].notna()]
    before = levels.assign(**{name: levels[name] + pd.DateOffset(years=1) for name in PERIOD})
    february = before["period_end"].dt.month == 2
    before.loc[february, "period_end"] += pd.offsets.MonthEnd(0)
    pairs = pair(later, ["flow_number", *PERIOD, "currency"], before)
    between = (pairs["value_mn"] / pairs["value_mn_o"] - 1) * 100
    allowed = GROWTH_POINTS + pairs["half_yoy"] + (pairs["half"] + pairs["half_o"]) * (100 + between)
    return pairs.assign(between=between, fits=(between - pairs["yoy_pct"]).abs() <= allowed)


def parts_against_total(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """A total that no exports and imports of its period add up to."""
    found = triples(rows[rows["log"].notna()])
    parts = found["value_mn_x"] + found["value_mn_m"]
    rounding = found["half"] + (
        (found["half_x"] * found["value_mn_x"] + found["half_m"] * found["value_mn_m"]) / parts
    )
    excess = np.log(found["value_mn"] / parts).abs() - rounding - PARTS_SHARE
    bad = _closest(found.assign(parts=parts, excess=excess))
    words = millions(bad["parts"], rows, bad["row"])
    return _against_parts(rows, bad, "row", amount(rows, bad["row"]), words)


def growth_of_parts(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """Printed growth of exports, imports and total that cannot all be true; each of the three is flagged."""
    found = triples(rows[rows["log"].notna() & (rows["yoy_pct"] > -100)])
    parts = found["value_mn_x"] + found["value_mn_m"]
    base = sum(implied_base(found[f"value_mn{part}"], found[f"yoy_pct{part}"] / 100) for part in ("_x", "_m"))
    implied = (parts / base - 1) * 100
    # Growth is printed to a tenth or a whole; how the parts weigh is uncertain by their rounding.
    spread = (found["yoy_pct_x"] - found["yoy_pct_m"]).abs()
    allowed = PARTS_POINTS + (found["half_x"] + found["half_m"]) * spread
    allowed += found["half_yoy"] + found[["half_yoy_x", "half_yoy_m"]].max(axis=1)
    bad = _closest(found.assign(implied=implied, excess=(implied - found["yoy_pct"]).abs() - allowed))
    total = _against_parts(rows, bad, "row", percent(bad["yoy_pct"]), percent(bad["implied"]))
    fits = "growth that makes the total " + percent(bad["yoy_pct"])
    others = [
        flags(rows, bad[f"row{part}"], percent(bad[f"yoy_pct{part}"]), fits, bad["row"])
        for part in ("_x", "_m")
    ]
    return pd.concat([total, *others], ignore_index=True)


def _closest(found: pd.DataFrame) -> pd.DataFrame:
    """The exports and imports that fit each total best, where even these do not fit."""
    best = found.sort_values("excess", kind="stable").drop_duplicates("row").sort_values("row")
    return best[best["excess"] > 0]


def _against_parts(
    rows: pd.DataFrame, bad: pd.DataFrame, doubted: str, found: pd.Series, expected: pd.Series
) -> pd.DataFrame:
    both = [bad["row_x"], bad["row_m"]]
    twice = [pd.concat([column, column]) for column in (bad[doubted], found, expected)]
    return flags(rows, *(column.reset_index(drop=True) for column in (*twice, pd.concat(both))))
