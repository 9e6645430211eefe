"""Rules for levels: against other prints of the same period, and against the pace of the years around."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.quality.pairs import amount, flags, millions, names, pair

SAME_NUMBER = 0.05
"""Log distance within which two prints are the same number; a year's rates spread a conversion by so much."""
SAME_SIZE = 0.35
"""Log distance within which a level fits the years around it: yearly trade of a country pair seldom changes more."""
CONFLICT = 0.02
"""Two prints of a level in one currency differ by rounding to two or three digits at most: 2 per cent."""
JUMP = float(np.log(3))
"""Beyond three times the pace of the years around, growth is rarer than a slip."""
NEAR_DAYS = 800
"""Two periods are neighbours when their middles lie within a little more than two years of one another."""
APART = float(np.log(2))
"""Neighbours contradict one another when their paces differ by more than a factor of two."""
MIRROR = float(np.log(1.25))
"""Freight and insurance explain 6 to 10 per cent (IMF, Direction of Trade Statistics), re-exports some more."""

SLIPS = {
    1: "a decimal, or yi (亿, 0.1 bn) taken for bn",
    2: "two decimals, or wan (万, 0.01 mn) taken for mn",
    3: "mn taken for bn",
    4: "wan (万, 10,000) taken for one",
}
"""What a factor of ten, a hundred, … usually is."""


def expectations(rows: pd.DataFrame) -> pd.DataFrame:
    """What the other rows of a flow say of each level, by the same index.

    Returns
    -------
    others and around (log of millions of US dollars: median of the other prints of the period, and the median
    pace of neighbouring periods; NaN where there are none), off (log distance from `others`, or else from
    `around`), fits (the distance below which `off` is no surprise), lonely (most neighbouring periods contradict
    the level: a sound one beside a wrong one is not), doubted (lonely; or, where there are other prints, the years
    around do not side with it against them) and compared (the figures that it was compared with).
    """
    pairs = pair(rows[rows["log"].notna()], ["flow_number"])
    same = (pairs["period_start"] == pairs["period_start_o"]) & (pairs["period_end"] == pairs["period_end_o"])
    close = (pairs["middle"] - pairs["middle_o"]).abs() <= pd.Timedelta(days=NEAR_DAYS)
    twins, near = pairs[same], pairs[close & ~same]
    others = twins.groupby("row")["log_o"].median().reindex(rows.index)
    around = near.groupby("row")["pace_o"].median().reindex(rows.index) + rows["log"] - rows["pace"]
    twin = others.notna()
    apart = (near["pace"] - near["pace_o"]).abs() > APART
    lonely = (apart.groupby(near["row"]).mean() > 0.5).reindex(rows.index, fill_value=False)
    sided = (rows["log"] - around).abs() < (others - around).abs()
    named = pd.concat([twins, near[~near["row"].isin(rows.index[twin])]])
    compared = named["row_o"].map(rows["figure_id"]).groupby(named["row"]).agg(names)
    return pd.DataFrame(
        {
            "others": others,
            "around": around,
            "off": rows["log"] - others.where(twin, around),
            "fits": np.where(twin, SAME_NUMBER, SAME_SIZE),
            "lonely": lonely,
            "doubted": (twin & ~sided) | (~twin & lonely),
            "compared": compared.reindex(rows.index).fillna(""),
        }
    )


def other_currency(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """Yuan printed as dollars, or dollars as yuan: the level is off by the exchange rate."""
    return _off(rows[_is_other_currency(rows)], "off")


def _is_other_currency(rows: pd.DataFrame) -> pd.Series:
    sign = rows["currency"].map({"USD": 1.0, "CNY": -1.0})
    distance = (rows["off"] * sign - np.log(rows["rate"])).abs()
    ten = (rows["off"].abs() - np.log(10)).abs()
    return (distance <= rows["fits"]) & (distance <= ten) & rows["doubted"]


def power_of_ten(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """A misplaced decimal or a unit taken for another: the level is off by 10, 100, 1,000 or 10,000."""
    found = rows[_is_power_of_ten(rows) & ~_is_other_currency(rows)]
    slip = (found["off"].abs() / np.log(10)).round().map(SLIPS).astype("str")
    return _off(found, "off", " (" + slip + ")")


def _is_power_of_ten(rows: pd.DataFrame) -> pd.Series:
    power = (rows["off"].abs() / np.log(10)).round()
    distance = (rows["off"].abs() - power * np.log(10)).abs()
    return power.isin(list(SLIPS)) & (distance <= rows["fits"]) & rows["doubted"]


def jump(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """Far off the pace of the periods around, and no other print of the period supports it."""
    alone = ~((rows["log"] - rows["others"]).abs() <= SAME_SIZE)
    far = (rows["log"] - rows["around"]).abs() > JUMP
    return _off(
        rows[far & alone & rows["lonely"] & ~_is_other_currency(rows) & ~_is_power_of_ten(rows)], "around"
    )


def _off(found: pd.DataFrame, by: str, why: pd.Series | str = "") -> pd.DataFrame:
    """Flags of levels, with what was expected ("off" from it, or "around") in their own currency."""
    logs = found["log"] - found["off"] if by == "off" else found["around"]
    expected = np.exp(logs) * np.where(found["currency"] == "CNY", found["rate"], 1.0)
    places = found.index.to_series()
    table = {
        "figure_id": found["figure_id"],
        "found": amount(found, places),
        "expected": "about " + millions(expected, found, places) + why,
        "against": found["compared"],
    }
    return pd.DataFrame(table).reset_index(drop=True)


def conflict(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """Another print of the same period in the same currency differs by more than rounding."""
    pairs = pair(rows[rows["log"].notna()], ["flow_number", "period_number", "currency"])
    allowed = np.maximum(CONFLICT, pairs["half"] + pairs["half_o"])
    differs = (pairs["log"] - pairs["log_o"]).abs() > allowed
    # In doubt is the print that stands against most of the others; of two, both.
    bad = pairs[differs & (differs.groupby(pairs["row"]).transform("mean") > 0.5)]
    return flags(rows, bad["row"], amount(rows, bad["row"]), amount(rows, bad["row_o"]), bad["row_o"])


def year_below_part(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """A period whose level is below that of a part of it, such as a year below its first ten months."""
    levels = rows[rows["log"].notna()].assign(year=lambda known: known["period_start"].dt.year)
    pairs = pair(levels, ["flow_number", "currency", "year"])
    longer = (pairs["period_start"] <= pairs["period_start_o"]) & (
        pairs["period_end"] >= pairs["period_end_o"]
    )
    same = (pairs["period_start"] == pairs["period_start_o"]) & (pairs["period_end"] == pairs["period_end_o"])
    below = pairs["log"] < pairs["log_o"] - pairs["half"] - pairs["half_o"]
    bad = pairs[longer & ~same & below]
    least = "at least " + amount(rows, bad["row_o"])
    return flags(rows, bad["row"], amount(rows, bad["row"]), least, bad["row_o"])


def part_above_whole(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """A city or province above the larger one that contains it, in the same period."""
    levels = rows[rows["log"].notna()]
    parts = levels.assign(whole=levels["reporter"].map(dict(parents)).astype("str"))
    wholes = levels.assign(whole=levels["reporter"].astype("str"))
    pairs = pair(parts, ["whole", "partner", "flow", "period_number"], wholes)
    bad = pairs[pairs["log"] > pairs["log_o"] + SAME_NUMBER + pairs["half"] + pairs["half_o"]]
    most = "at most " + amount(rows, bad["row_o"])
    return flags(rows, bad["row"], amount(rows, bad["row"]), most, bad["row_o"])


def mirror_gap(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """The partner's own figures for the same goods all differ by more than freight and re-exports explain."""
    bad = mirror_pairs(rows)
    bad = bad[bad["gap"].abs().groupby(bad["row"]).transform("min") > MIRROR]
    return flags(rows, bad["row"], amount(rows, bad["row"]), amount(rows, bad["row_o"]), bad["row_o"])


def mirror_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Levels beside those that the partner reports for the same goods and period; gap is the log of their ratio."""
    levels = rows[rows["log"].notna()]
    seen = levels.assign(
        reporter=levels["partner"],
        partner=levels["reporter"],
        flow=levels["flow"].map({"export": "import", "import": "export", "total": "total"}),
    )
    pairs = pair(levels, ["reporter", "partner", "flow", "period_number"], seen)
    return pairs.assign(gap=pairs["log"] - pairs["log_o"])


def duplicate(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """The same number for the same period by the same publisher, on the same day: one row too many."""
    keys = ["flow_number", "period_number", "value", "unit", "yoy_pct", "publisher", "published"]
    places = rows.index.to_series()
    first = places.groupby([rows[name] for name in keys], dropna=False).transform("min")
    again = places[places != first]
    return flags(rows, again, amount(rows, again), "one row for one number", first[again.index])


def same_number(rows: pd.DataFrame, parents: Mapping[str, str]) -> pd.DataFrame:
    """Level and growth, to three digits or more, are those of another period or reporter; perhaps a slip."""
    exact = rows[rows["yoy_pct"].notna() & (rows["half"] < 0.005)]  # NaN without a level
    pairs = pair(exact, ["partner", "flow", "value", "unit", "yoy_pct"])
    whose = [pairs[name].map(rows["reporter"]) for name in ("row", "row_o")]
    bad = pairs[(pairs["period_end"] > pairs["period_end_o"]) | (whose[0] != whose[1])]
    of = bad["row_o"].map(rows["reporter"]) + " to " + bad["period_end_o"].dt.strftime("%Y-%m-%d")
    return flags(
        rows, bad["row"], amount(rows, bad["row"]), "another number: this is that of " + of, bad["row_o"]
    )
