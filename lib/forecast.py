"""What flows like this one say of its growth (`Prior`), and the plain normal model that learns from it.

The law of a flow's path is `lib.law`. The model here is for single numbers that are near normal about a lasting mean:
the log of a year's total over its first months, and the first step of a regression. Mean and variance are uncertain:
``mu | sigma ~ N(mean, sigma² / weight)`` and ``sigma² ~ df * variance / chi²(df)``, so that a new value, or a sum of
them, is Student-t. With a flat prior these are the textbook values (mean and variance of the n values, weight n, df
n - 1; Hyndman & Athanasopoulos 2021, section 5.5). With a prior the mean is shrunk to it (empirical Bayes, Efron &
Morris 1973) and the variance is moderated (Smyth 2004, eq. 3). A prior may also know the lag-1 autocorrelation.

Every field of `GrowthModel` may be a number (one flow) or an array of shape (series,).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from lib.errors import UserError

Array = NDArray[np.float64]

FAN = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Probabilities of the quantiles that make a fan: 50, 80 and 95 % intervals around the median."""

MIN_GROWTH_RATES = 4
"""Fewer growth rates than this say too little about their own variance to stand without a prior."""


@dataclass(frozen=True)
class Prior:
    """What flows like this one say about its log growth before its own record is read.

    Parameters
    ----------
    drift : mean log growth a year over flows.
    drift_sd : standard deviation of the drift between flows.
    variance : typical variance of yearly log growth within a flow.
    df : how many observations of a variance that typical variance is worth.
    source : where the numbers come from.
    autocorrelation : of yearly log growth within a flow: what it gives back of a jump (−0.5 to 0.5; 0: none).
    last_year : the last year that it was estimated from, where that is a year.
    drift_error : standard error of `drift`, which all flows share; log growth a year.
    """

    drift: float
    drift_sd: float
    variance: float
    df: float
    source: str
    autocorrelation: float = 0.0
    last_year: int | None = None
    drift_error: float = 0.0


@dataclass(frozen=True)
class GrowthModel:
    """Posterior of drift and variance of log growth.

    Parameters
    ----------
    mean : posterior mean of the drift, log growth a year.
    weight : observations that the drift is worth: ``mu | sigma ~ N(mean, sigma² / weight)``.
    variance, df : scaled inverse chi² of the variance.
    n : growth rates of the flow itself.
    own_share : weight of the flow's own mean in `mean`; the rest is the prior's (0 to 1).
    autocorrelation : lag-1 autocorrelation of growth, from the prior.
    echo : what the latest growth rate adds to the growth ahead, log growth, once (negative after a jump
        where the autocorrelation is negative; 0 where the latest rate is missing).
    """

    mean: Any
    weight: Any
    variance: Any
    df: Any
    n: Any
    own_share: Any
    autocorrelation: Any = 0.0
    echo: Any = 0.0


def fit(growth: ArrayLike, prior: Prior | None = None) -> GrowthModel:
    """Return the growth model after observing log growth rates.

    Parameters
    ----------
    growth : log growth rates in order of time, shape (n,) or (series, n); missing values (NaN) are left out.
    prior : the prior; without one the flow must have at least four rates that are not all equal.

    Raises
    ------
    UserError
        For too few or constant rates without a prior, or infinite rates.
    """
    rates = np.asarray(growth, dtype=float)
    if np.isinf(rates).any():
        raise UserError("log growth: found an infinite rate, expected finite ones (a level of zero?)")
    n = np.sum(~np.isnan(rates), axis=-1).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(n > 0, np.nansum(rates, axis=-1) / n, 0.0)
        squares = np.nansum((rates - mean[..., None]) ** 2, axis=-1)
    if prior is None:
        return _fit_without_prior(mean, squares, n)
    df = prior.df + np.maximum(n - 1, 0)
    variance = (prior.df * prior.variance + squares) / df
    prior_weight = variance / prior.drift_sd**2
    own_share = n / (n + prior_weight)
    drift = own_share * mean + (1 - own_share) * prior.drift
    echo = prior.autocorrelation * _latest_surprise(rates, drift, variance)
    return GrowthModel(drift, n + prior_weight, variance, df, n, own_share, prior.autocorrelation, echo)


_LARGEST_SURPRISE = 2.0  # standard deviations: an error of the record must not echo in full


def _latest_surprise(rates: Array, drift: Array, variance: Array) -> Array:
    if rates.shape[-1] == 0:
        return np.zeros_like(drift)
    sd = np.sqrt(variance)
    return np.clip(np.nan_to_num(rates[..., -1] - drift), -_LARGEST_SURPRISE * sd, _LARGEST_SURPRISE * sd)


def _fit_without_prior(mean: Array, squares: Array, n: Array) -> GrowthModel:
    if np.any(n < MIN_GROWTH_RATES):
        found = int(np.min(n))
        raise UserError(
            f"log growth: found {found} rates, expected at least {MIN_GROWTH_RATES} without a prior"
        )
    if np.any(squares <= 1e-24 * n * (1 + mean**2)):
        raise UserError("log growth: found a constant series, whose variance is unknown; expected a prior")
    return GrowthModel(mean, n, squares / (n - 1), n - 1, n, np.ones_like(n))


def spread(model: GrowthModel, horizon: ArrayLike) -> Any:
    """Scale of the Student-t predictive of the sum of `horizon` growth rates, drift uncertainty included.

    ``sqrt(variance * (h + h² / weight))``: Hyndman & Athanasopoulos (2021), table 5.2, drift method. With
    autocorrelation r, h becomes ``h + 2 r (h - 1) - r²``: the variance of a sum given the latest rate.
    """
    h = _numbers("horizon", horizon, 1)
    return np.sqrt(model.variance * (_independent_years(model, h) + h**2 / model.weight))


def _independent_years(model: GrowthModel, horizon: Any) -> Any:
    """How many independent years have the variance of a sum over `horizon` years, given the latest rate."""
    r = model.autocorrelation
    return horizon + 2 * r * np.maximum(horizon - 1, 0) - r**2


def location(model: GrowthModel, horizon: ArrayLike) -> Any:
    """Centre of the predictive distribution of the sum of the next `horizon` log growth rates."""
    return np.asarray(horizon, dtype=float) * model.mean + model.echo


def growth_quantiles(model: GrowthModel, horizon: ArrayLike, probability: ArrayLike) -> Any:
    """Quantiles of the sum of the next `horizon` log growth rates (all arguments broadcast)."""
    h, p = np.asarray(horizon, dtype=float), _numbers("probability", probability, 0, 1)
    return location(model, h) + spread(model, h) * stdtrit(model.df, p)


def _numbers(name: str, value: ArrayLike, low: float = -np.inf, high: float = np.inf) -> Array:
    """Finite numbers within bounds; a missing or impossible one is an error, never a silent NaN."""
    numbers = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(numbers) & (numbers >= low) & (numbers <= high)):
        raise UserError(f"{name}: found {numbers.tolist()}, expected finite numbers from {low:g} to {high:g}")
    return numbers
