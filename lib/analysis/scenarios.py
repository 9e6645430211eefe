"""Scenarios: a stated change to the law of a goal's path, and what it does to the probabilities.

A scenario moves the log growth of each year after the last one known by a stated amount. Where the amount is an
estimate, it has a standard deviation of its own, shared by all years: a Gaussian that is added to the law. The law
is read as one with its drivers unchanged, and its variance is kept: what a known driver would take away from it is
not, so that scenarios err to the side of doubt.

How much trade moved with oil, the rouble and Russian growth: elasticities estimated on the record of the day.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import growth, outlook
from lib import law as laws
from lib.cases import GoalCase, ScenarioCase
from lib.goals import READINGS
from lib.law import Law
from lib.outlook import Answer


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


@dataclass(frozen=True)
class Scenario:
    """A change of what is expected.

    Parameters
    ----------
    kind : "none", a driver ("oil", "rouble", "gdp"), "step", "parcels", "sanctions", or a driver as it came in
        hindsight ("oil came", "rouble came").
    change : what is assumed, in the unit of its parameter: a fraction, points a year, or millions.
    mean : shift of the log growth of each year from the first unknown one to the deadline.
    sd : standard deviation of those shifts, which move together.
    elasticity : what the shift was computed with, if with one.
    """

    kind: str
    change: float
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    elasticity: Elasticity | None = None

    @property
    def total(self) -> float:
        """Shift of the log level at the deadline."""
        return float(sum(self.mean))

    @property
    def total_sd(self) -> float:
        """Standard deviation of that shift; steps up and down of one driver make up for one another."""
        return abs(float(sum(self.sd)))


def steady(
    kind: str, change: float, total: float, total_sd: float, years: int, by: Elasticity | None = None
) -> Scenario:
    """A shift of the log level at the deadline that comes in equal steps."""
    return Scenario(kind, change, (total / years,) * years, (abs(total_sd) / years,) * years, by)


def at_once(kind: str, change: float, total: float, years: int) -> Scenario:
    """A shift of the log level that comes in the first year ahead and stays."""
    return Scenario(kind, change, (total, *(0.0,) * (years - 1)), (0.0,) * years)


def moved(scenario: Scenario, law: Law) -> Law:
    """The law under a scenario, whose shifts end with the last year of the law."""
    years, first = np.array(law.years), law.years[-1] - len(scenario.mean) + 1
    mean, sd = (np.concatenate([[0.0], np.cumsum(part)]) for part in (scenario.mean, scenario.sd))
    place = np.clip(years - first + 1, 0, len(scenario.mean))
    change = Law(law.years, np.ones(1), mean[place][None], np.outer(sd[place], sd[place])[None])
    return laws.add(law, change)


def chances(scenario: Scenario, answer: Answer) -> pd.Series:
    """Probability of each undecided reading under a scenario; without a change those of the answer itself."""
    if answer.law is None:
        return answer.chances
    odds = laws.chances(moved(scenario, answer.law), answer.goal, answer.levels)
    return odds.reindex(answer.chances.index).clip(outlook.SUREST, 1 - outlook.SUREST)


def by_scenario(listed: list[Scenario], answer: Answer) -> pd.DataFrame:
    """One row a scenario: kind, change, total, total_sd (log level at the deadline), and the chance of each reading.

    Readings that the figures decide are NaN.
    """
    rows = [
        {"kind": one.kind, "change": one.change, "total": one.total, "total_sd": one.total_sd}
        | chances(one, answer).to_dict()
        for one in listed
    ]
    return pd.DataFrame(rows, columns=["kind", "change", "total", "total_sd", *READINGS])


def elasticities(listed: list[Scenario]) -> pd.DataFrame:
    """The elasticities that scenarios were computed with, one row a driver."""
    found = dict.fromkeys(one.elasticity for one in listed if one.elasticity is not None)
    return pd.DataFrame(list(found), columns=list(Elasticity._fields))


DRIVERS = ("oil", "rouble", "gdp")
"""The price of Brent, the value of the rouble in dollars, Russia's real GDP; the latter two for trade with Russia."""

MIN_YEARS = 6
"""Fewer yearly growth rates say nothing of an elasticity."""


def drivers(case: GoalCase) -> pd.DataFrame:
    """Yearly log change of each driver for the years that were over on the case's day; by year."""
    wide = fig.load_covariates().pivot(index="year", columns="variable", values="value")
    wide = wide.loc[: case.as_of.year - 1]
    return pd.DataFrame(
        {
            "oil": np.log(wide["brent_usd_per_bbl"]).diff(),
            "rouble": -np.log(wide["rub_per_usd"]).diff(),
            "gdp": np.log1p(wide["russia_gdp_real_growth_pct"] / 100),
        }
    )


def largest(case: GoalCase) -> GoalCase:
    """The largest flow that contains the case's: it has the longest record, and its parts move with it."""
    return [case, *case.lineage()][-1]


def is_with_russia(case: GoalCase) -> bool:
    """Whether Russia is one side of the trade: rouble, Russian growth, pipelines and sanctions speak to no other."""
    return "Russia" in (case.partner, largest(case).reporter)


def estimate(case: GoalCase, driver: str) -> Elasticity | None:
    """Slope of the yearly log growth of the largest flow on one driver; None where the day knew too few years.

    None, too, for a driver of Russia's where it has no part in the trade. One driver at a time: over so few years oil, rouble and GDP move together and cannot be told apart.
    """
    rates = growth.log_growth(largest(case).series()["value_mn"])
    both = pd.DataFrame({"growth": rates, "driver": drivers(case)[driver]}).dropna()
    if len(both) < MIN_YEARS or (driver != "oil" and not is_with_russia(case)):
        return None
    slope, sd, r2 = regress(both["growth"].to_numpy(), both["driver"].to_numpy())
    return Elasticity(driver, slope, sd, len(both), int(both.index.min()), int(both.index.max()), r2)


def regress(y: np.ndarray, x: np.ndarray) -> tuple[float, float, float]:
    """Slope, its standard error robust to autocorrelation and unequal variance (Newey & West 1987), and R²."""
    from statsmodels.regression.linear_model import OLS

    design = np.column_stack([np.ones_like(x), x])
    robust = {"maxlags": 1, "use_correction": True}
    fitted = OLS(y, design).fit(cov_type="HAC", cov_kwds=robust, use_t=True)
    return float(fitted.params[1]), float(fitted.bse[1]), float(fitted.rsquared)


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
    nothing = Scenario("none", 0.0, (0.0,) * years, (0.0,) * years)
    if answer.kind == "inferred":
        return [nothing]
    listed = [
        nothing,
        *_driven(case, years),
        at_once("step", case.level_shift_pct / 100, math.log1p(case.level_shift_pct / 100), years),
        _parcels(case, answer, years),
        _sanctions_lifted(case, years),
        *_as_they_came(case, answer),
    ]
    return [scenario for scenario in listed if scenario is not None]


def _driven(case: ScenarioCase, years: int) -> list[Scenario]:
    """Drivers that end above or below their last known year, in equal steps; GDP in points a year."""
    assumed = {"oil": case.oil_pct / 100, "rouble": case.rouble_pct / 100, "gdp": case.gdp_points / 100}
    found = []
    for driver, change in assumed.items():
        by = estimate(case, driver)
        if by is not None:
            change_to_deadline = math.log1p(change) * (years if driver == "gdp" else 1)
            total, sd = by.value * change_to_deadline, by.sd * change_to_deadline
            found.append(steady(driver, change, total, sd, years, by))
    return found


def pipeline_steps(case: GoalCase) -> pd.Series:
    """By how much the province's trade with Russia outgrew the country's in the pipeline years the day knew.

    Empty where the trade is not with Russia.
    """
    family = [
        case.model_copy(update={"reporter": name, "partner": "Russia", "flow": "total"})
        for name in (PROVINCE, "China")
    ]
    if not (is_with_russia(case) and all(member.is_on_record() for member in family)):
        return pd.Series(dtype=float)
    province, country = (member.series()["value_mn"] for member in family)
    share = province / country
    steps = {
        year: share[year] / share[year - 1] - 1
        for year in PIPELINES
        if share.reindex([year - 1, year]).notna().all()
    }
    return pd.Series(steps, dtype=float)


def _parcels(case: ScenarioCase, answer: Answer, years: int) -> Scenario | None:
    """Parcels as a step, sent to Russia: their share in the last level known."""
    if case.parcels_mn == 0 or not is_with_russia(case):
        return None
    total = math.log1p(case.parcels_mn / float(answer.levels[answer.last]))
    return at_once("parcels", case.parcels_mn, total, years)


class SinceSanctions(NamedTuple):
    """What the largest flow gained from the year before the sanctions to the one in which trade had been turned.

    gained : log growth; beyond : the part above what was to be expected; sd : of that expectation.
    """

    gained: float
    beyond: float
    sd: float


def since_sanctions(case: GoalCase) -> SinceSanctions | None:
    """The growth beyond expectation since the sanctions; None where the goal or the day came before it was known."""
    top = largest(case)
    levels = top.series()["value_mn"]
    before, seen = SANCTIONS_SINCE - 1, SANCTIONS_SEEN
    known = {before, seen} <= set(levels.index) and is_with_russia(case)
    if case.deadline < SANCTIONS_SINCE or not known:
        return None
    found = outlook.expect(top, levels.loc[:before]).posterior
    gained = math.log(levels[seen] / levels[before])
    sd = float(np.sqrt(found.variance) * laws.years_worth(found, seen - before))
    return SinceSanctions(gained, gained - float(laws.location(found, seen - before)), sd)


def _sanctions_lifted(case: ScenarioCase, years: int) -> Scenario | None:
    """Part of what trade gained beyond expectation after the sanctions is undone."""
    seen, undone = since_sanctions(case), case.sanctions_undone
    return (
        None if seen is None else steady("sanctions", undone, -undone * seen.beyond, undone * seen.sd, years)
    )


def _as_they_came(case: ScenarioCase, answer: Answer) -> list[Scenario]:
    """The paths that oil and the rouble took in fact: hindsight; those alone that are known for every year ahead."""
    ahead = range(answer.last + 1, answer.goal.deadline + 1)
    found = []
    for driver in ("oil", "rouble"):
        by, path = estimate(case, driver), drivers(case.today())[driver].reindex(ahead)
        if by is not None and path.notna().all():
            mean, sd = (tuple(float(value) for value in part * path) for part in (by.value, by.sd))
            found.append(Scenario(f"{driver} came", float(np.expm1(path.sum())), mean, sd, by))
    return found
