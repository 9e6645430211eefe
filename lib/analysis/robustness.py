"""How much what is inferred depends on its assumptions; and what if: scenarios, and goals that have some chance.

A scenario moves the log growth of each year after the last one known by a stated amount. Where that is an estimate, it
has a standard deviation of its own, shared by all years: a Gaussian that is added to the law. The variance of the law
is kept: what a known driver would take away from it is not, so that scenarios err to the side of doubt.
"""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib import evidence, outlook
from lib import law as laws
from lib.analysis import movers
from lib.analysis.cases import HiddenCase, ScenarioCase
from lib.cases import GoalCase
from lib.evidence import ANALOGUES
from lib.goals import READINGS, Goal
from lib.law import Law
from lib.outlook import Answer
from lib.reference import Array


def _implied_before(case: GoalCase, doubtful: tuple[int, ...]) -> dict[int, float]:
    """Level of the year before the first doubtful one, from the growth of a part of that year; or nothing.

    The growth of the longest part of the year, in the currency in which it was printed, is taken for the year's.
    """
    levels = case.series()["value_mn"]
    if not doubtful or doubtful[0] - 1 in levels.index:
        return {}
    year, rows = doubtful[0], case.vintage()
    inside = (rows["period_end"].dt.year == year) & (rows["period_start"].dt.year == year)
    part = rows[inside & rows["growth_usable"] & rows["yoy_pct"].notna()].sort_values("period_end")
    if part.empty:
        return {}
    longest, factor = part.iloc[-1], 1.0
    if longest["currency"] != case.currency:
        moved = case.rates()[case.currency] / case.rates()[longest["currency"]]
        factor = moved[year - 1] / moved[year]
    return {year - 1: levels[year] / (1 + longest["yoy_pct"] / 100) * factor}


def inferred_sensitivity(case: HiddenCase, answer: Answer) -> pd.DataFrame:
    """Probability of each reading under other assumptions, one row each; empty where the figures decide."""
    if answer.law is None:
        return pd.DataFrame()
    usual, found = answer.assume, answer.inferred
    tried = {"as assumed": answer.chances}

    def vary(name: str, without: tuple[str, ...] = (), **assumptions: object) -> None:
        tried[name] = outlook.of(case, without, replace(usual, **assumptions)).chances  # type: ignore[arg-type]

    if found:
        vary("half the variance of a part around its whole", spread_factor=usual.spread_factor / 2)
        vary("twice the variance", spread_factor=usual.spread_factor * 2)
        for name in ANALOGUES:
            if name != usual.analogue:
                vary(f"spread of: {name}", analogue=name)
        for name in found.chain.members[1:]:
            vary(f"the path of {name}'s trade left out", (name,))
    if evidence.LATER in answer.evidence and evidence.after_silence(answer.levels):
        vary("late levels surely of the same scope", scope_same=1.0)
        vary("late levels surely of another scope", scope_same=0.0)
        vary("a change of scope by a factor of 7, not of 2.7", scope_sd=2 * usual.scope_sd)
    if found and (before := _implied_before(case, found.chain.doubtful)):
        name = f"with the level of {min(before)} that part of a year implies"
        vary(name, implied=tuple(before.items()))
    if len(evidence.parcels_a_year(case)):
        vary("parcels real and counted: one chance in ten", parcels_counted=0.1)
        vary("parcels real and counted: surely", parcels_counted=1.0)
    return pd.DataFrame.from_dict(tried, orient="index").rename_axis("assumption")


class Scenario(NamedTuple):
    """A change of what is expected.

    Parameters
    ----------
    kind : "none", a driver ("oil", "rouble", "gdp"), "step", "parcels", "sanctions", or a driver as it came in
        hindsight ("oil came", "rouble came").
    change : what is assumed, in the unit of its parameter: a fraction, points a year, or millions.
    mean, sd : shift of the log growth of each year from the first unknown one to the deadline, shape (years,), and its
        standard deviation; the shifts move together.
    elasticity : what the shift was computed with (`_estimate`), if with one.
    """

    kind: str
    change: float
    mean: Array
    sd: Array
    elasticity: dict[str, Any] | None = None


def _steady(
    kind: str, change: float, total: float, sd: float, years: int, by: dict[str, Any] | None = None
) -> Scenario:
    """A shift of the log level at the deadline that comes in equal steps."""
    return Scenario(kind, change, np.full(years, total / years), np.full(years, sd / years), by)


def _chances(scenario: Scenario, answer: Answer) -> pd.Series:
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
    rows = [(one.kind, one.change, sum(one.mean), abs(sum(one.sd))) for one in listed]
    found = pd.DataFrame(rows, columns=["kind", "change", "total", "total_sd"])
    odds = pd.DataFrame([_chances(one, answer) for one in listed]).reindex(columns=list(READINGS))
    return found.join(odds.reset_index(drop=True))


MIN_YEARS = 6  # fewer yearly growth rates say nothing of an elasticity


def _drivers(case: GoalCase) -> pd.DataFrame:
    """Yearly log change of the price of Brent (oil), the rouble in dollars and Russia's real GDP known on the day."""
    return movers.drivers(case.as_of.year).rename(columns={"russia_gdp": "gdp"})


def largest(case: GoalCase) -> GoalCase:
    """The largest flow that contains the case's: it has the longest record, and its parts move with it."""
    return [case, *case.lineage()][-1]


def is_with_russia(case: GoalCase) -> bool:
    """Whether Russia is one side of the trade: rouble, Russian growth, pipelines and sanctions speak to no other."""
    return "Russia" in (case.partner, largest(case).reporter)


def _estimate(case: GoalCase, driver: str) -> dict[str, Any] | None:
    """Slope of the yearly log growth of the largest flow on one driver: per cent of trade for a per cent of it.

    Given are driver, value, sd (standard error; Newey & West 1987, one lag), years (number of growth rates), first and
    last of them, and r2. None where the day knew too few years, and for a driver of Russia's where it has no part in the trade. One driver at a time: over so few years oil,
    rouble and GDP move together and cannot be told apart.
    """
    both = movers.with_drivers(largest(case).series()["value_mn"], _drivers(case)[[driver]])
    if len(both) < MIN_YEARS or (driver != "oil" and not is_with_russia(case)):
        return None
    fitted = movers.ols(both, lags=1)
    found = {"driver": driver, "value": float(fitted.params[driver]), "sd": float(fitted.bse[driver])}
    found |= {"years": len(both), "first": both.index.min(), "last": both.index.max()}
    return found | {"r2": float(fitted.rsquared)}


# Growth above expectation is measured from the year before to the one in which trade had been turned around.
SANCTIONS_SINCE, SANCTIONS_SEEN = 2022, 2023


def scenarios(case: ScenarioCase, answer: Answer) -> list[Scenario]:
    """The scenarios that apply to a goal, from the last level known to its deadline; the first changes nothing.

    None but the first applies once the deadline's year is over: what drove those years is in the figures.
    """
    years = answer.goal.deadline - answer.last
    listed = [_steady("none", 0.0, 0.0, 0.0, years)]
    if answer.kind == "inferred":
        return listed
    assumed = {"oil": case.oil_pct / 100, "rouble": case.rouble_pct / 100, "gdp": case.gdp_points / 100}
    by = {driver: _estimate(case, driver) for driver in assumed}
    # Drivers above or below their last known year; GDP in points a year.
    for driver, change in assumed.items():
        if (slope := by[driver]) is not None:
            size = math.log1p(change) * (years if driver == "gdp" else 1)
            listed.append(_steady(driver, change, slope["value"] * size, slope["sd"] * size, years, slope))
    step, share = case.level_shift_pct / 100, case.parcels_mn / float(answer.levels[answer.last])
    at_once = [("step", step, step)]  # in the first year ahead, to stay
    at_once += [("parcels", case.parcels_mn, share)] * (share > 0 and is_with_russia(case))
    for kind, change, jump in at_once:
        listed.append(Scenario(kind, change, np.log1p(jump) * (np.arange(years) == 0), np.zeros(years)))
    if seen := since_sanctions(case):  # part of what was gained beyond expectation is undone
        undone = case.sanctions_undone
        listed.append(_steady("sanctions", undone, -undone * seen["beyond"], undone * seen["sd"], years))
    for driver in ("oil", "rouble"):  # the paths that they took in fact: hindsight
        path = _drivers(case.today())[driver].reindex(range(answer.last + 1, answer.goal.deadline + 1))
        if (slope := by[driver]) is not None and path.notna().all():
            mean, sd = (part * path.to_numpy() for part in (slope["value"], slope["sd"]))
            listed.append(Scenario(f"{driver} came", float(np.expm1(path.sum())), mean, sd, slope))
    return listed


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

    low, high = np.log1p([-0.9, 4.0])  # growth a year between which the goal is looked for
    if reading == "every_year":  # never likelier than on average
        high = np.log1p(rate_with(p, law, goal, levels, "average")) + 1e-6
    if excess(low) < 0 or excess(high) > 0:
        return float("nan")
    return float(np.expm1(brentq(excess, low, high, xtol=1e-5)))
