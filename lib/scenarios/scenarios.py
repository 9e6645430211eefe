"""Scenarios: a stated change to the predictive distribution of a goal, and what it does to the probabilities.

A scenario moves the expected log growth of each year ahead by a stated amount. Where the amount is an estimate, it
has a standard deviation of its own, shared by all years: the probability is averaged over it (Gauss–Hermite). The
core forecast is read as one with its drivers unchanged, and its variance is kept: what a known driver would take
away from it is not, so that scenarios err to the side of doubt.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import chdtri, ndtri, roots_hermitenorm

from lib import forecast
from lib.goals import Goal, needed_rates
from lib.outlook import Expectation
from lib.scenarios.points import even_points

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
