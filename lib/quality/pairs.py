"""Figures beside the figures that they are compared with, and the words of a flag."""

from typing import Any

import numpy as np
import pandas as pd

FLOW = ["reporter", "partner", "flow"]
PERIOD = ["period_start", "period_end"]
NUMBERS = ["value_mn", "yoy_pct", "log", "pace", "middle", "half", "half_yoy"]


def prepare(figures: pd.DataFrame, rates: pd.Series) -> pd.DataFrame:
    """What the rules compare, under a plain index; goals and amounts without a beginning are left out.

    Returns
    -------
    The figures with log (of the level in millions of US dollars), pace (log of the same a day), middle (of the
    period), rate (yuan per dollar), half (half a unit of the last printed digit, as a fraction of the value),
    half_yoy (the same of the growth, points), and the numbers of their flow and period.
    """
    rows = figures[(figures["status"] != "goal") & figures["period_start"].notna()].reset_index(drop=True)
    year = rows["period_end"].dt.year
    span = range(int(year.min()), int(year.max()) + 1) if len(rows) else range(0)
    rate = year.map(rates.reindex(rates.index.union(span)).ffill().bfill())
    usd = rows["value_mn"] / np.where(rows["currency"] == "CNY", rate, 1.0)
    log = np.log(usd.where(usd > 0))
    length = rows["period_end"] - rows["period_start"]
    return rows.assign(
        rate=rate,
        log=log,
        pace=log - np.log(length.dt.days + 1),
        middle=rows["period_start"] + length / 2,
        half=rows["value"].map(half_unit) / rows["value"].where(rows["value"] > 0),
        half_yoy=rows["yoy_pct"].map(half_unit),
        flow_number=rows.groupby(FLOW).ngroup(),
        period_number=rows.groupby(PERIOD).ngroup(),
    )


def half_unit(value: float) -> float:
    """Half a unit of the last printed digit: 21.3 may be 21.25 to 21.35; 200 counts as rounded to a whole."""
    text = np.format_float_positional(value, trim="-") if np.isfinite(value) else "0"
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def pair(left: pd.DataFrame, keys: list[str], right: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each row beside the other rows with the same keys.

    Returns
    -------
    row and row_o, the places of the two in the index, and for both (the other's with the suffix _o) the
    columns of `NUMBERS` and `PERIOD`.
    """
    right = left if right is None else right
    columns = [*NUMBERS, *PERIOD]
    one = left[columns].assign(row=left.index, **{f"key{n}": left[name] for n, name in enumerate(keys)})
    other = right[columns].add_suffix("_o")
    other = other.assign(row_o=right.index, **{f"key{n}": right[name] for n, name in enumerate(keys)})
    pairs = one.merge(other, on=[f"key{n}" for n in range(len(keys))])
    return pairs[pairs["row"] != pairs["row_o"]].reset_index(drop=True)


def triples(rows: pd.DataFrame) -> pd.DataFrame:
    """Each total beside the exports (_x) and imports (_m) of its period in its currency."""
    keys = ["reporter", "partner", "period_number", "currency"]
    part = {name: rows.loc[rows["flow"] == name, [*keys, *NUMBERS]] for name in ("total", "export", "import")}
    found = part["total"].assign(row=part["total"].index)
    for name, suffix in (("export", "_x"), ("import", "_m")):
        other = part[name][NUMBERS].add_suffix(suffix).assign(**{key: part[name][key] for key in keys})
        found = found.merge(other.assign(**{f"row{suffix}": other.index}), on=keys)
    return found


def flags(
    rows: pd.DataFrame, doubted: pd.Series, found: pd.Series, expected: pd.Series | str, against: pd.Series
) -> pd.DataFrame:
    """One flag for each doubted row, with the figures that speak against it.

    Parameters
    ----------
    rows : as `prepare` gives them.
    doubted, against : places of rows, in parallel with the texts `found` and `expected`; a row doubted for
        several reasons keeps the first pair of texts.
    """
    ids = rows["figure_id"]
    columns: dict[str, Any] = {
        "figure_id": doubted.map(ids),
        "found": found,
        "expected": expected,
        "against": against.map(ids),
    }
    together = pd.DataFrame(columns, index=doubted.index, dtype="str").groupby("figure_id", sort=False)
    return together.agg({"found": "first", "expected": "first", "against": names}).reset_index()


def names(ids: pd.Series) -> str:
    """Figures by id, the first three by name."""
    known = sorted({*ids.dropna()} - {""})
    return ", ".join(known[:3]) + (f" and {len(known) - 3} more" if len(known) > 3 else "")


def amount(rows: pd.DataFrame, places: pd.Series) -> pd.Series:
    """Levels as they were printed, for the rows at these places."""
    printed = rows["value"].map("{:,.10g}".format).astype("str") + " " + rows["unit"].astype("str")
    return places.map(printed).astype("str")


def millions(values: pd.Series, rows: pd.DataFrame, places: pd.Series) -> pd.Series:
    """Millions in the currency of the rows at these places, to four digits."""
    rounded = [np.format_float_positional(value, 4, fractional=False, trim="-") for value in values]
    texts = pd.Series([f"{float(text):,.10g}" for text in rounded], index=values.index, dtype="str")
    return texts + " " + places.map(rows["currency"]).astype("str") + " mn"


def percent(values: pd.Series) -> pd.Series:
    """Growth in per cent with its sign."""
    return values.map("{:+.1f} %".format).astype("str")
