"""Scenarios: a stated change to the law of a goal's path, and what it does to the probabilities.

A scenario moves the log growth of each year after the last one known by a stated amount. Where the amount is an
estimate, it has a standard deviation of its own, shared by all years: a Gaussian that is added to the law. The law
is read as one with its drivers unchanged, and its variance is kept: what a known driver would take away from it is
not, so that scenarios err to the side of doubt.

How much trade moved with oil, the rouble and Russian growth: elasticities estimated on the record of the day.

Break-even: which growth a year would have had a given chance, and how unusual the growth asked for is.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib import law as laws
from lib import outlook
from lib.analysis import movers
from lib.analysis.base_rates import HORIZON, known_share
from lib.analysis.cases import ScenarioCase
from lib.cases import GoalCase
from lib.goals import READINGS, Goal
from lib.growth import yoy
from lib.law import Law
from lib.outlook import Answer
from lib.reference import Array


class Elasticity(NamedTuple):
    """Per cent of trade for a per cent of a driver.

    `sd` is the standard error (Newey & West 1987, one lag); `years` is how many growth rates it rests on, from
    `first` to `last`; `r2` the share of their variance that the driver goes with.
    """

    driver: str
    value: float
    sd: float
    years: int
    first: int
    last: int
    r2: float


class Scenario(NamedTuple):
    """A change of what is expected.

    Parameters
    ----------
    kind : "none", a driver ("oil", "rouble", "gdp"), "step", "parcels", "sanctions", or a driver as it came in
        hindsight ("oil came", "rouble came").
    change : what is assumed, in the unit of its parameter: a fraction, points a year, or millions.
    mean : shift of the log growth of each year from the first unknown one to the deadline, shape (years,).
    sd : standard deviation of those shifts, which move together; shape (years,).
    elasticity : what the shift was computed with, if with one.
    """

    kind: str
    change: float
    mean: Array
    sd: Array
    elasticity: Elasticity | None = None


def steady(
    kind: str, change: float, total: float, sd: float, years: int, by: Elasticity | None = None
) -> Scenario:
    """A shift of the log level at the deadline that comes in equal steps."""
    return Scenario(kind, change, np.full(years, total / years), np.full(years, sd / years), by)


def chances(scenario: Scenario, answer: Answer) -> pd.Series:
    """Probability of each undecided reading under a scenario, whose shifts end with the last year of the law."""
    law = answer.law
    if law is None:
        return answer.chances
    mean, sd = (np.concatenate([[0.0], np.cumsum(part)]) for part in (scenario.mean, scenario.sd))
    place = np.clip(np.array(law.years) - law.years[-1] + len(scenario.mean), 0, len(scenario.mean))
    widened = law.covariances + np.outer(sd[place], sd[place])
    changed = replace(law, means=law.means + mean[place], covariances=widened)
    odds = laws.chances(changed, answer.goal, answer.levels)
    return odds.reindex(answer.chances.index).clip(outlook.SUREST, 1 - outlook.SUREST)


def by_scenario(listed: list[Scenario], answer: Answer) -> pd.DataFrame:
    """One row a scenario: kind, change, total, total_sd (log level at the deadline), and the chance of each reading.

    Steps up and down of one driver make up for one another. Readings that the figures decide are NaN.
    """
    rows = [
        {"kind": one.kind, "change": one.change, "total": sum(one.mean), "total_sd": abs(sum(one.sd))}
        | chances(one, answer).to_dict()
        for one in listed
    ]
    return pd.DataFrame(rows, columns=["kind", "change", "total", "total_sd", *READINGS])


MIN_YEARS = 6
"""Fewer yearly growth rates say nothing of an elasticity."""


def drivers(case: GoalCase) -> pd.DataFrame:
    """Yearly log change of the price of Brent (oil), the rouble in dollars and Russia's real GDP known on the day."""
    return movers.drivers(case.as_of.year).rename(columns={"russia_gdp": "gdp"})


def largest(case: GoalCase) -> GoalCase:
    """The largest flow that contains the case's: it has the longest record, and its parts move with it."""
    return [case, *case.lineage()][-1]


def is_with_russia(case: GoalCase) -> bool:
    """Whether Russia is one side of the trade: rouble, Russian growth, pipelines and sanctions speak to no other."""
    return "Russia" in (case.partner, largest(case).reporter)


def estimate(case: GoalCase, driver: str) -> Elasticity | None:
    """Slope of the yearly log growth of the largest flow on one driver; None where the day knew too few years.

    None, too, for a driver of Russia's where it has no part in the trade. One driver at a time: over so few years oil,
    rouble and GDP move together and cannot be told apart.
    """
    both = movers.with_drivers(largest(case).series()["value_mn"], drivers(case)[[driver]])
    if len(both) < MIN_YEARS or (driver != "oil" and not is_with_russia(case)):
        return None
    fitted = movers.ols(both, lags=1)
    slope, sd = float(fitted.params[driver]), float(fitted.bse[driver])
    return Elasticity(
        driver, slope, sd, len(both), both.index.min(), both.index.max(), float(fitted.rsquared)
    )


PIPELINES = {2011: "the first crude pipeline", 2018: "its second line"}
"""Years in which pipelines lifted the province's trade at once (data/README.md, traps)."""

PROVINCE = "Heilongjiang"

SANCTIONS_SINCE = 2022

SANCTIONS_SEEN = 2023
"""The growth above expectation is measured up to this year, in which trade had been turned around."""


def scenarios(case: ScenarioCase, answer: Answer) -> list[Scenario]:
    """The scenarios that apply to a goal, from the last level known to its deadline; the first changes nothing.

    None but the first applies once the deadline's year is over: what drove those years is in the figures.
    """
    years = answer.goal.deadline - answer.last
    listed = [steady("none", 0.0, 0.0, 0.0, years)]
    if answer.kind == "inferred":
        return listed
    assumed = {"oil": case.oil_pct / 100, "rouble": case.rouble_pct / 100, "gdp": case.gdp_points / 100}
    by = {driver: estimate(case, driver) for driver in assumed}
    # Drivers above or below their last known year; GDP in points a year.
    for driver, change in assumed.items():
        if (slope := by[driver]) is not None:
            size = math.log1p(change) * (years if driver == "gdp" else 1)
            listed.append(steady(driver, change, slope.value * size, slope.sd * size, years, slope))
    step, share = case.level_shift_pct / 100, case.parcels_mn / float(answer.levels[answer.last])
    at_once = [("step", step, step)]  # in the first year ahead, to stay
    at_once += [("parcels", case.parcels_mn, share)] * (share > 0 and is_with_russia(case))
    still = np.zeros(years)
    listed += [
        Scenario(kind, change, np.append(np.log1p(by), still[1:]), still) for kind, change, by in at_once
    ]
    if seen := since_sanctions(case):  # part of what was gained beyond expectation is undone
        undone = case.sanctions_undone
        listed.append(steady("sanctions", undone, -undone * seen["beyond"], undone * seen["sd"], years))
    for driver in ("oil", "rouble"):  # the paths that they took in fact: hindsight
        path = drivers(case.today())[driver].reindex(range(answer.last + 1, answer.goal.deadline + 1))
        if (slope := by[driver]) is not None and path.notna().all():
            mean, sd = (part * path.to_numpy() for part in (slope.value, slope.sd))
            listed.append(Scenario(f"{driver} came", float(np.expm1(path.sum())), mean, sd, slope))
    return listed


def pipeline_steps(case: GoalCase) -> pd.Series:
    """By how much the province's trade with Russia outgrew the country's in the pipeline years the day knew.

    Empty where the trade is not with Russia.
    """
    asked = {"partner": "Russia", "flow": "total"}
    pair = [case.model_copy(update=asked | {"reporter": name}) for name in (PROVINCE, "China")]
    if not (is_with_russia(case) and all(one.is_on_record() for one in pair)):
        return pd.Series(dtype=float)
    province, country = (one.series()["value_mn"] for one in pair)
    return yoy(province / country).reindex(list(PIPELINES)).dropna()


def since_sanctions(case: GoalCase) -> dict[str, float]:
    """What the largest flow gained from the year before the sanctions to the one in which trade had been turned.

    Returns
    -------
    gained (log growth), beyond (the part above what was to be expected) and sd (of that expectation); nothing where
    the goal or the day came before it was known.
    """
    top, before, seen = largest(case), SANCTIONS_SINCE - 1, SANCTIONS_SEEN
    levels = top.series()["value_mn"]
    known = {before, seen} <= set(levels.index) and is_with_russia(case)
    if case.deadline < SANCTIONS_SINCE or not known:
        return {}
    found = outlook.expect(top, levels.loc[:before]).posterior
    gained, years = math.log(levels[seen] / levels[before]), seen - before
    sd = float(np.sqrt(found.variance) * laws.years_worth(found, years))
    return {"gained": gained, "beyond": gained - float(laws.location(found, years)), "sd": sd}


# --- break-even, and what the goal says ---

LOWEST, HIGHEST = -0.9, 4.0
"""Growth a year between which a break-even goal is looked for."""


def rate_with(p: float, law: Law, goal: Goal, levels: pd.Series, reading: str) -> float:
    """Growth a year, as the goal would state it, whose probability in a reading is `p`; NaN where there is none.

    On average it is that of a quantile; for the other readings probabilities fall as the rate rises, so that the
    root is unique (Brent 1973).
    """
    from scipy.optimize import brentq

    if reading == "average":
        level = float(laws.quantiles(law, goal.deadline, [1 - p])[0])
        return (level / goal.base_mn) ** (1 / goal.years) - 1

    def excess(log_rate: float) -> float:
        other = replace(goal, rate=float(np.expm1(log_rate)))
        return float(laws.chances(law, other, levels)[reading]) - p

    low, high = np.log1p(LOWEST), np.log1p(HIGHEST)
    if reading == "every_year":  # never likelier than on average
        high = np.log1p(rate_with(p, law, goal, levels, "average")) + 1e-6
    if excess(low) < 0 or excess(high) > 0:
        return float("nan")
    return float(np.expm1(brentq(excess, low, high, xtol=1e-5)))


def break_even(
    law: Law, goal: Goal, levels: pd.Series, chances: Sequence[float] = (0.2, 0.5, 0.8)
) -> pd.DataFrame:
    """Growth a year with each of some chances, one row a reading, one column a chance."""
    rows = {r: [rate_with(p, law, goal, levels, r) for p in chances] for r in READINGS}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(chances)).rename_axis("reading")


def required(case: GoalCase, answer: Answer) -> pd.DataFrame:
    """Growth asked for at the base and still needed on the day, and the share of flows that ever grew so fast.

    Returns
    -------
    Frame, one row a standpoint: origin, years, needed (a year, on average), size_usd, share (of flows of that size
    that grew as fast, as the day knew it; NaN beyond ten years).
    """
    goal, left = answer.goal, answer.needed.loc["average"]
    rows = [(goal.base_year, goal.years, goal.rate, goal.base_mn)]
    if answer.last > goal.base_year and left["years_left"] > 0:
        rows.append((answer.last, int(left["years_left"]), left["needed"], answer.levels[answer.last]))
    found = pd.DataFrame(rows, columns=["origin", "years", "needed", "level"])
    found["size_usd"] = [case.usd_mn(one.level, one.origin) * 1e6 for one in found.itertuples()]
    found["share"] = [
        float(known_share(one.size_usd, case.as_of, one.years, one.needed))
        if one.years <= HORIZON
        else np.nan
        for one in found.itertuples()
    ]
    return found.drop(columns="level")


def ever_grew(levels: pd.Series, years: int, rate: float) -> tuple[int, int]:
    """In how many spans of so many years a flow grew by a rate a year or more on average, and how many there were."""
    later = levels.reindex(levels.index + years).to_numpy()
    known = ~np.isnan(later)
    grew = later[known] >= levels.to_numpy()[known] * (1 + rate) ** years * (1 - 1e-9)
    return int(grew.sum()), int(known.sum())
