"""Scenarios: a stated change to the predictive distribution of a goal, and what it does to the probabilities.

A scenario moves the expected log growth of each year ahead by a stated amount. Where the amount is an estimate, it
has a standard deviation of its own, shared by all years: the probability is averaged over it (Gauss–Hermite). The
core forecast is read as one with its drivers unchanged, and its variance is kept: what a known driver would take
away from it is not, so that scenarios err to the side of doubt.

How much trade moved with oil, the rouble and Russian growth: elasticities estimated on the record of the day.

The scenarios of a case: what each assumes, as a shift of expected growth, and where its numbers come from.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import chdtri, ndtri, roots_hermitenorm

from lib import figures as fig
from lib import forecast, growth, outlook
from lib.analysis.hidden_years import even_points
from lib.cases import GoalCase, ScenarioCase
from lib.goals import Goal, needed_rates
from lib.outlook import Expectation
from lib.words import money, percent, rate

NODES = 15
"""Points of the average over an uncertain shift."""

POINTS = 16384
"""Quasi-random points for a difference that has no closed form."""


@dataclass(frozen=True)
class Scenario:
    """A change of what is expected.

    Parameters
    ----------
    name : in words.
    mean : shift of the expected log growth of each year from the origin to the deadline.
    sd : standard deviation of those shifts, which move together.
    source : where the numbers come from.
    """

    name: str
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    source: str

    @property
    def total(self) -> float:
        """Shift of the log level at the deadline."""
        return float(sum(self.mean))

    @property
    def total_sd(self) -> float:
        """Standard deviation of that shift; steps up and down of one driver make up for one another."""
        return abs(float(sum(self.sd)))

    @property
    def extra_variance(self) -> float:
        """Variance that the scenario adds to the log level at the deadline."""
        return self.total_sd**2


def steady(name: str, total: float, total_sd: float, years: int, source: str) -> Scenario:
    """A shift of the log level at the deadline that comes in equal steps."""
    return Scenario(name, (total / years,) * years, (abs(total_sd) / years,) * years, source)


def at_once(name: str, total: float, total_sd: float, years: int, source: str) -> Scenario:
    """A shift of the log level that comes in the first year ahead and stays."""
    rest = (0.0,) * (years - 1)
    return Scenario(name, (total, *rest), (abs(total_sd), *rest), source)


def chances(scenario: Scenario, goal: Goal, levels: pd.Series, expected: Expectation) -> pd.Series:
    """Probability of each reading under a scenario, corrected by past errors as the core forecast is.

    A scenario without any change gives `lib.outlook.chances`.
    """
    needed = needed_rates(goal, levels).dropna()
    years = goal.deadline - expected.origin
    nodes, weights = _nodes(scenario)
    found = {}
    for reading, row in needed.iterrows():
        odds = [_chance(str(reading), row, expected.model, shifts) for shifts in nodes]
        p = float(weights @ np.array(odds, dtype=float))
        found[str(reading)] = expected.corrected(p, str(reading), years)
    return pd.Series(found, dtype=float)


def _nodes(scenario: Scenario) -> tuple[list[np.ndarray], np.ndarray]:
    """Shifts by year at the points of the average, and the weights of the points."""
    mean, sd = np.array(scenario.mean), np.array(scenario.sd)
    if not sd.any():
        return [mean], np.ones(1)
    z, weights = roots_hermitenorm(NODES)
    return [mean + sd * point for point in z], weights / weights.sum()


def _chance(reading: str, needed: pd.Series, model: forecast.GrowthModel, shifts: np.ndarray) -> float:
    """Probability of a reading when the expected growth of each year is moved."""
    years, rate = int(needed["years_left"]), needed["needed"]
    moved = replace(model, mean=model.mean + shifts.sum() / years)
    if reading == "average":
        return float(forecast.p_reach(moved, years * np.log1p(rate), years))
    if reading == "every_year":
        return float(forecast.p_every_year(model, rate, years, shifts=list(shifts)))
    even = float(forecast.p_mean_rate(moved, years * rate, years))
    return float(np.clip(even + _unevenness(moved, years * rate, shifts - shifts.mean()), 0, 1))


def _unevenness(model: forecast.GrowthModel, total_rate: float, shifts: np.ndarray) -> float:
    """What uneven shifts add to the probability that yearly rates add up to `total_rate`; 0 for even ones.

    The table of sums of lognormals is for years alike. The difference is taken on one set of quasi-random points
    with and without the shifts, so that most of its error cancels.
    """
    if not np.abs(shifts).max() > 0:
        return 0.0
    years = len(shifts)
    points = even_points(years + 2, POINTS)
    variance = model.df * model.variance / chdtri(model.df, points[:, 0])
    drift = float(forecast.location(model, years)) / years + np.sqrt(variance / model.weight) * ndtri(
        points[:, 1]
    )
    a_year = float(forecast.spread(model, years) ** 2 / model.variance - years**2 / model.weight) / years
    growth = drift[:, None] + np.sqrt(variance * a_year)[:, None] * ndtri(points[:, 2:])
    even, uneven = (np.expm1(growth + moved).sum(axis=1) >= total_rate for moved in (0.0, shifts))
    return float(uneven.mean() - even.mean())


DRIVERS = {
    "oil": "the price of Brent",
    "rouble": "the value of the rouble in dollars",
    "gdp": "Russia's real GDP",
}

MIN_YEARS = 6
"""Fewer yearly growth rates say nothing of an elasticity."""


class Elasticity(NamedTuple):
    """Per cent of trade for a per cent of a driver.

    `sd` is the standard error (Newey & West 1987, one lag); `years` is how many growth rates it rests on, `r2` the
    share of their variance that the driver goes with.
    """

    driver: str
    value: float
    sd: float
    years: int
    r2: float
    source: str


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


def estimate(case: GoalCase, driver: str) -> Elasticity | None:
    """Slope of the yearly log growth of the largest flow on one driver; None where the day knew too few years.

    One driver at a time: over so few years oil, rouble and GDP move together and cannot be told apart.
    """
    top = largest(case)
    rates = growth.log_growth(top.series()["value_mn"])
    both = pd.DataFrame({"growth": rates, "driver": drivers(case)[driver]}).dropna()
    if len(both) < MIN_YEARS:
        return None
    slope, sd, r2 = regress(both["growth"].to_numpy(), both["driver"].to_numpy())
    source = (
        f"{top.reporter}'s trade with {top.partner} on {DRIVERS[driver]}, {len(both)} years {both.index.min()}–"
        f"{both.index.max()}: elasticity {slope:.2f} (standard error {sd:.2f}), R² {r2:.2f}"
    )
    return Elasticity(driver, slope, sd, len(both), r2, source)


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
