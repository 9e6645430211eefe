"""Break-even: which growth a year would have had a given chance, and how unusual the growth asked for is."""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib import forecast, outlook
from lib.base_rates import HORIZON, base_rate
from lib.goals import READINGS, Goal, needed_rates
from lib.outlook import Expectation
from lib.params import GoalCase

LOWEST, HIGHEST = -0.9, 4.0
"""Growth a year between which a break-even goal is looked for."""


def odds_of(rate: float, goal: Goal, levels: pd.Series, expected: Expectation, reading: str) -> float:
    """Probability of a reading of a goal with another rate; 0 where what is known has missed it already."""
    raw = forecast.chances(replace(goal, rate=rate), levels, expected.model).get(reading)
    return 0.0 if raw is None else expected.corrected(float(raw), reading, goal.deadline - expected.origin)


def rate_with(p: float, goal: Goal, levels: pd.Series, expected: Expectation, reading: str) -> float:
    """Growth a year, as the goal would state it, whose probability in a reading is `p`; NaN where there is none.

    Probabilities fall as the rate rises, so the root is unique (Brent 1973).
    """
    from scipy.optimize import brentq

    def excess(log_rate: float) -> float:
        return odds_of(float(np.expm1(log_rate)), goal, levels, expected, reading) - p

    low, high = np.log1p(LOWEST), np.log1p(HIGHEST)
    if excess(low) < 0 or excess(high) > 0:
        return float("nan")
    return float(np.expm1(brentq(excess, low, high, xtol=1e-7)))


def table(
    goal: Goal, levels: pd.Series, expected: Expectation, chances: tuple[float, ...] = (0.2, 0.5, 0.8)
) -> pd.DataFrame:
    """Growth a year with each of some chances, one row a reading, one column a chance."""
    rows = {r: [rate_with(p, goal, levels, expected, r) for p in chances] for r in READINGS}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(chances)).rename_axis("reading")


def curve(goal: Goal, levels: pd.Series, expected: Expectation, rates: np.ndarray) -> pd.DataFrame:
    """Probability of each reading (columns) of a goal with each of some rates (index)."""
    rows = {r: [odds_of(float(rate), goal, levels, expected, r) for rate in rates] for r in READINGS}
    return pd.DataFrame(rows, index=pd.Index(rates, name="rate"))


def required(case: GoalCase, goal: Goal, levels: pd.Series, expected: Expectation) -> pd.DataFrame:
    """Growth asked for at the base and still needed on the day, and the share of flows that ever grew so fast.

    Returns
    -------
    Frame, one row a standpoint: origin, years, needed (a year, on average), size_usd, share (of flows of that size
    that grew as fast, as known at the origin; NaN beyond ten years).
    """
    base_usd = outlook.usd_mn(case, goal.base_mn, goal.base_year) * 1e6
    rows = [(goal.base_year, goal.years, goal.rate, base_usd)]
    left = needed_rates(goal, levels).loc["average"]
    if expected.origin > goal.base_year and left["years_left"] > 0:
        rows.append((expected.origin, int(left["years_left"]), float(left["needed"]), expected.size_usd))
    frame = pd.DataFrame(rows, columns=["origin", "years", "needed", "size_usd"])
    frame["share"] = [
        float(base_rate(row.size_usd, row.origin, row.years, row.needed)) if row.years <= HORIZON else np.nan
        for row in frame.itertuples()
    ]
    return frame


def ever_grew(levels: pd.Series, years: int, rate: float) -> tuple[int, int]:
    """In how many spans of so many years a flow grew by a rate a year or more on average, and how many there were."""
    later = levels.reindex(levels.index + years).to_numpy()
    known = ~np.isnan(later)
    grew = later[known] >= levels.to_numpy()[known] * (1 + rate) ** years * (1 - 1e-9)
    return int(grew.sum()), int(known.sum())
