"""The scenarios of a case: what each assumes, as a shift of expected growth, and where its numbers come from."""

import math

import numpy as np
import pandas as pd

from lib import forecast, outlook
from lib.goals import Goal
from lib.outlook import Expectation
from lib.params import GoalCase, ScenarioCase
from lib.scenarios.elasticities import DRIVERS, Elasticity, drivers, estimate, largest
from lib.scenarios.scenarios import Scenario, at_once, steady
from lib.words import money, percent, rate

PIPELINES = {2011: "the first crude pipeline", 2018: "its second line"}
"""Years in which pipelines lifted the province's trade at once (data/README.md, traps)."""
PROVINCE = "Heilongjiang"
NAMES = {"oil": "oil price", "rouble": "rouble in dollars"}
SANCTIONS_SINCE = 2022
SANCTIONS_SEEN = 2023
"""The growth above expectation is measured up to this year, in which trade had been turned around."""


def scenarios(case: ScenarioCase, goal: Goal, expected: Expectation) -> list[Scenario]:
    """The scenarios that apply to a goal, from the last level known to its deadline; the first changes nothing."""
    years = goal.deadline - expected.origin
    found = {name: estimate(case, name) for name in DRIVERS}
    listed = [
        Scenario("no change", (0.0,) * years, (0.0,) * years, "the core forecast"),
        _driven("oil", case.oil_pct, found["oil"], years),
        _driven("rouble", case.rouble_pct, found["rouble"], years),
        _gdp(case.gdp_points, found["gdp"], years),
        _step(case, years),
        _parcels(case, expected, years),
        _sanctions_lifted(case, goal, years),
        *(_as_it_came(case, goal, expected, found[name]) for name in ("oil", "rouble")),
    ]
    return [scenario for scenario in listed if scenario is not None]


def left_out(listed: list[Scenario]) -> str:
    """Which scenarios do not apply to a goal, and why, in a sentence."""
    names = " ".join(scenario.name for scenario in listed)
    said = []
    if "sanctions" not in names:
        said.append(
            f"*Sanctions lifted* is left out: the goal fell due before {SANCTIONS_SINCE}, or the day knew no full "
            f"record of {SANCTIONS_SINCE} and {SANCTIONS_SEEN}, from which their effect on this trade could be read."
        )
    if "GDP" not in names:
        said.append("Drivers without enough years on record for an elasticity are left out.")
    return " ".join(said) or "All scenarios of this notebook apply to the goal."


def _driven(driver: str, change_pct: float, elasticity: Elasticity | None, years: int) -> Scenario | None:
    """A driver that ends so many per cent above or below its last known year, in equal steps."""
    if elasticity is None:
        return None
    moved = math.log1p(change_pct / 100)
    name = f"{NAMES[driver]} {rate(change_pct / 100)} by the deadline"
    return steady(name, elasticity.value * moved, elasticity.sd * moved, years, elasticity.source)


def _gdp(points: float, elasticity: Elasticity | None, years: int) -> Scenario | None:
    if elasticity is None:
        return None
    moved = math.log1p(points / 100) * years
    name = f"Russia's GDP growing {points:+g} points a year faster".replace("-", "−")
    return steady(name, elasticity.value * moved, elasticity.sd * moved, years, elasticity.source)


def _step(case: ScenarioCase, years: int) -> Scenario:
    """A level shift in the first year ahead, such as a new pipeline."""
    seen = [f"{rate(excess)} in {year}, {PIPELINES[year]}" for year, excess in pipeline_steps(case).items()]
    record = (
        f"what {PROVINCE}'s trade gained on China's: {'; '.join(seen)}"
        if seen
        else "no such step was on record"
    )
    size = case.level_shift_pct / 100
    name = f"a step of {rate(size)}, such as a new pipeline"
    return at_once(name, math.log1p(size), 0.0, years, f"assumed; beside it, {record}")


def pipeline_steps(case: GoalCase) -> pd.Series:
    """By how much the province's trade with Russia outgrew the country's in the pipeline years the day knew."""
    family = [
        case.model_copy(update={"reporter": name, "partner": "Russia", "flow": "total"})
        for name in (PROVINCE, "China")
    ]
    province, country = (member.series()["value_mn"] for member in family)
    share = province / country
    steps = {
        year: share[year] / share[year - 1] - 1
        for year in PIPELINES
        if share.reindex([year - 1, year]).notna().all()
    }
    return pd.Series(steps, dtype=float)


def _parcels(case: ScenarioCase, expected: Expectation, years: int) -> Scenario | None:
    """Parcels as a step: their share in the last level known."""
    if case.parcels_mn == 0:
        return None
    name = f"parcels of {money(case.parcels_mn, case.currency)} a year counted as trade"
    source = (
        f"assumed; {money(case.parcels_mn, case.currency)} on the last level, "
        f"{money(expected.level_mn, case.currency)}. A figure that the press gave in 2017 is of doubtful scale: "
        "notebook 10"
    )
    return at_once(name, math.log1p(case.parcels_mn / expected.level_mn), 0.0, years, source)


def _sanctions_lifted(case: ScenarioCase, goal: Goal, years: int) -> Scenario | None:
    """Part of what trade gained beyond expectation after the sanctions is undone; None for earlier goals and days."""
    if goal.deadline < SANCTIONS_SINCE:
        return None
    top = largest(case)
    levels = top.series()["value_mn"]
    before = levels.loc[: SANCTIONS_SINCE - 1]
    if SANCTIONS_SEEN not in levels.index or SANCTIONS_SINCE - 1 not in levels.index:
        return None
    span = SANCTIONS_SEEN - SANCTIONS_SINCE + 1
    model = outlook.expect(top, before).model
    gained = math.log(levels[SANCTIONS_SEEN] / levels[SANCTIONS_SINCE - 1])
    beyond = gained - float(forecast.location(model, span))
    sd = float(forecast.spread(model, span))
    source = (
        f"{top.reporter}'s trade with {top.partner} grew by {rate(np.expm1(gained))} from {SANCTIONS_SINCE - 1} to "
        f"{SANCTIONS_SEEN}, {rate(np.expm1(beyond))} beyond the forecast of {SANCTIONS_SINCE - 1} (log standard "
        f"deviation {sd:.2f}); {percent(case.sanctions_undone)} of it is undone"
    )
    name = "sanctions lifted, trade turns back"
    undone = case.sanctions_undone
    return steady(name, -undone * beyond, undone * sd, years, source)


def _as_it_came(
    case: ScenarioCase, goal: Goal, expected: Expectation, elasticity: Elasticity | None
) -> Scenario | None:
    """The path that a driver took in fact: hindsight; None where it is not known for every year."""
    if elasticity is None:
        return None
    ahead = range(expected.origin + 1, goal.deadline + 1)
    path = drivers(case.today())[elasticity.driver].reindex(ahead)
    if path.isna().any():
        return None
    name = f"hindsight: {NAMES[elasticity.driver]} as it came ({rate(float(np.expm1(path.sum())))})"
    mean = tuple(float(value) for value in elasticity.value * path)
    return Scenario(name, mean, tuple(float(value) for value in elasticity.sd * path), elasticity.source)
