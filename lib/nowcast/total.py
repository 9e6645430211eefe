"""The predictive distribution of a running year's total, from the year so far and from the years before.

Two forecasts of the same total, both Student-t in logarithms: the year so far times what the rest of a year adds
(`lib.nowcast.seasonal`), and the yearly forecast from the years before. They are combined with the weights that
minimise the variance of the combination (Bates & Granger 1969, eqs 1–2):

    w = (s1² − r s1 s2) / (s1² + s2² − 2 r s1 s2)  on the second,   s² = s1² s2² (1 − r²) / (s1² + s2² − 2 r s1 s2)

with their scales s1 and s2 and the correlation r of their errors in earlier years. Independent errors (r = 0) give
precision weights.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from lib import forecast
from lib.errors import UserError
from lib.forecast import GrowthModel
from lib.panels import Array
from lib.reference import read_kept

ERRORS_FILE = "nowcast_errors.csv"
METHODS = {
    "combined": "year so far and yearly forecast",
    "year_so_far": "year so far alone",
    "annual": "yearly forecast alone",
    "last_share": "last year's share (growth of the year so far, continued)",
    "mean_share": "mean share of earlier years",
    "pro_rata": "months in proportion",
}
"""The first three are distributions, the others points. Continuing the growth of the year so far and dividing by last
year's share are the same number: total × (so far / so far a year ago) = so far / (so far a year ago / total)."""
LINK_YEARS = 3
"""Scored years that the correlation and the stretch need; before that they are 0 and 1."""


@dataclass(frozen=True)
class Total:
    """Student-t predictive of the log of the year's total; numbers, or arrays of shape (series,).

    Parameters
    ----------
    location : centre, log of the unit of the level (millions, or US dollars).
    scale, df : scale and degrees of freedom.
    weight_annual : weight of the yearly forecast in `location`, 0 to 1.
    """

    location: Array
    scale: Array
    df: Array
    weight_annual: Array

    def quantiles(self, probability: ArrayLike) -> Array:
        """Level that the total stays below with a probability."""
        z = stdtrit(self.df, np.asarray(probability, dtype=float))
        return np.exp(self.location + self.scale * z)

    def p_at_least(self, level: ArrayLike) -> Array:
        """Probability that the total comes to `level` or more (a positive number in the same unit)."""
        return stdtr(self.df, (self.location - np.log(level)) / self.scale)


def from_year_so_far(so_far: ArrayLike, ratio: GrowthModel) -> Total:
    """Nowcast from the year so far alone; `ratio` is the model of ln(total / year so far).

    Posterior predictive of the normal model with conjugate prior: Student-t (Gelman et al. 2013, eq. 3.9 and 3.10).
    """
    so_far = np.asarray(so_far, dtype=float)
    if not np.all(so_far > 0):
        raise UserError(f"year so far: found {so_far.min():g}, expected a positive level")
    location = np.log(so_far) + forecast.location(ratio, 1)
    scale, df = forecast.spread(ratio, 1), np.asarray(ratio.df, dtype=float)
    return Total(location, scale, df, np.zeros_like(location))


def from_years_before(level: ArrayLike, growth: GrowthModel, years: int = 1) -> Total:
    """The yearly forecast of the total, `years` after the last known level."""
    location = np.log(np.asarray(level, dtype=float)) + forecast.location(growth, years)
    df = np.asarray(growth.df, dtype=float)
    return Total(location, forecast.spread(growth, years), df, np.ones_like(location))


def combine(part: Total, annual: Total, correlation: float = 0.0, stretch: float = 1.0) -> Total:
    """Combine the two forecasts of a total.

    Parameters
    ----------
    part, annual : from `from_year_so_far` and `from_years_before`, in one unit.
    correlation : of their errors, above −1 and below 1.
    stretch : factor on the scale of the combination: how much wider earlier errors were than stated.

    Returns
    -------
    The combination; its degrees of freedom are the smaller of the two, so that its tails are not too thin. A
    weight outside 0 to 1, which a high correlation gives, is cut: the better forecast then stands alone.
    """
    if not -1 < correlation < 1:
        raise UserError(f"correlation: found {correlation}, expected a number between −1 and 1")
    v1, v2, cross = part.scale**2, annual.scale**2, correlation * part.scale * annual.scale
    weight = np.clip((v1 - cross) / (v1 + v2 - 2 * cross), 0.0, 1.0)
    variance = (1 - weight) ** 2 * v1 + weight**2 * v2 + 2 * weight * (1 - weight) * cross
    location = (1 - weight) * part.location + weight * annual.location
    return Total(location, stretch * np.sqrt(variance), np.minimum(part.df, annual.df), weight)


def link(errors: pd.DataFrame | None, month: int, origin: int | None = None) -> tuple[float, float]:
    """Correlation and stretch for `combine`, each the mean over panels and scored years.

    Parameters
    ----------
    errors : rows as in ``nowcast_errors.csv``; None where nothing has been scored.
    origin : last year whose scores may be used; all by default.
    """
    if errors is None:
        return 0.0, 1.0
    rows = errors[(errors["method"] == "combined") & (errors["month"] == month)]
    rows = rows if origin is None else rows[rows["year"] <= origin]
    if rows["year"].nunique() < LINK_YEARS:
        return 0.0, 1.0
    return float(rows["correlation"].mean()), float(rows["stretch"].mean())


def kept_link(month: int, origin: int) -> tuple[float, float]:
    """Correlation and stretch after a month, from the kept scores of years up to `origin`."""
    return link(read_kept(ERRORS_FILE), month, origin)
