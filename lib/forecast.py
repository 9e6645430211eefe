"""The distribution of a sum of lognormals, which has no closed form, from a table computed by quadrature.

Predictive distribution of log growth, and what it says about a goal.

Model: log levels follow a random walk with drift, ``x[t] = x[t-1] + mu + sigma * z[t]``. Drift and variance
are uncertain: ``mu | sigma ~ N(mean, sigma² / weight)`` and ``sigma² ~ df * variance / chi²(df)``, so every
sum of future growth is Student-t. With a flat prior these are the textbook values (mean and variance of the
n growth rates, weight n, df n - 1; Hyndman & Athanasopoulos 2021, section 5.5). With a prior the drift is
shrunk to it (empirical Bayes, Efron & Morris 1973) and the variance is moderated (Smyth 2004, eq. 3).
A prior may also know the lag-1 autocorrelation of growth: a jump is then partly given back, and the variance
of a sum of growth rates is not the sum of their variances (first-order moving average, Box & Jenkins).

All rates are fractions (0.25 is 25 %), all growth is log growth, horizons are years after the origin.
Every field of `GrowthModel` may be a number (one flow) or an array of shape (series,).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import (
    log_ndtr,
    ndtr,
    ndtri,
    roots_genlaguerre,
    roots_hermitenorm,
    roots_legendre,
    stdtr,
    stdtrit,
)

from lib.errors import UserError
from lib.goals import Goal, needed_rates

Array = NDArray[np.float64]

_LOG_SIGMAS = np.linspace(np.log(0.005), np.log(8.0), 48)

_WIDTHS = np.linspace(-12.0, 12.0, 193)


def probit_of_mean(log_mean: Array, sigma: Array, years: int) -> Array:
    """Probit of P(mean of `years` lognormals(0, sigma) >= exp(log_mean)), from the table, bilinearly."""
    table = _table(years)
    sigma, log_mean = np.broadcast_arrays(sigma, log_mean)
    row = np.interp(np.log(sigma), _LOG_SIGMAS, np.arange(_LOG_SIGMAS.size))
    width = np.clip(log_mean / sigma, _WIDTHS[0], _WIDTHS[-1])
    column = (width - _WIDTHS[0]) / (_WIDTHS[1] - _WIDTHS[0])
    i = np.minimum(row.astype(int), _LOG_SIGMAS.size - 2)
    j = np.minimum(column.astype(int), _WIDTHS.size - 2)
    a, b = row - i, column - j
    low = table[i, j] * (1 - b) + table[i, j + 1] * b
    high = table[i + 1, j] * (1 - b) + table[i + 1, j + 1] * b
    return low * (1 - a) + high * a


@lru_cache(maxsize=32)
def _table(years: int) -> Array:
    """Probit of P(S >= years * exp(width * sigma)), S the sum of `years` lognormals(0, sigma).

    Rows are sigma, columns width. Convolution: with F the probability for one year fewer,
    ``P(S >= y) = P(e >= y) + integral of phi(z) F(y - exp(sigma z))`` over z below log(y) / sigma.
    """
    if years == 1:
        return np.tile(-_WIDTHS, (_LOG_SIGMAS.size, 1))
    fewer = _table(years - 1)
    return np.stack(
        [_convolve_once(years, s, row) for s, row in zip(np.exp(_LOG_SIGMAS), fewer, strict=True)]
    )


def _convolve_once(years: int, sigma: float, fewer: Array) -> Array:
    nodes, weights = roots_legendre(64)
    level = years * np.exp(_WIDTHS * sigma)
    upper = np.log(level) / sigma
    lower = np.minimum(upper, 0) - 9.0
    half = (np.minimum(upper, 9.0) - lower) / 2
    z = lower[:, None] + half[:, None] * (nodes + 1)
    rest = np.maximum(level[:, None] - np.exp(sigma * z), 1e-300)
    width = np.log(rest / (years - 1)) / sigma
    chance = ndtr(np.interp(width, _WIDTHS, fewer))
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    below = half * np.sum(weights * density * (1 - chance), axis=1)
    return -ndtri(np.clip(below, 1e-300, 1 - 1e-16))


FAN = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Probabilities of the quantiles that make a fan: 50, 80 and 95 % intervals around the median."""

MIN_GROWTH_RATES = 4
"""Fewer growth rates than this say too little about their own variance to stand without a prior."""

_NODES = 24  # 24 × 24 quadrature gives four digits (checked against simulation in the tests)

_MAX_DF = 300.0  # beyond this the t distribution is normal to six digits, and gamma functions overflow


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
    autocorrelation : lag-1 autocorrelation of yearly log growth within a flow (−0.5 to 0.5; 0: none).
    """

    drift: float
    drift_sd: float
    variance: float
    df: float
    source: str
    autocorrelation: float = 0.0


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


def level_quantiles(model: GrowthModel, level: ArrayLike, horizon: ArrayLike, probability: ArrayLike) -> Any:
    """Quantiles of the level `horizon` years after `level`, in the unit of `level`."""
    return np.asarray(level, dtype=float) * np.exp(growth_quantiles(model, horizon, probability))


def p_reach(model: GrowthModel, log_growth: ArrayLike, horizon: ArrayLike) -> Any:
    """Probability that the level grows by at least `log_growth` in all over `horizon` years.

    This is the reading *on average*: for a goal of rate g over h years from the origin, ``h * log1p(g)``.
    """
    h, needed = np.asarray(horizon, dtype=float), _numbers("log growth", log_growth)
    return stdtr(model.df, (location(model, h) - needed) / spread(model, h))


def p_year(model: GrowthModel, rate: ArrayLike) -> Any:
    """Probability that the next year grows by at least `rate` (without autocorrelation: any year ahead)."""
    return p_reach(model, _log1p(rate), 1)


def p_every_year(
    model: GrowthModel, rate: ArrayLike, years: int, shifts: Sequence[float] | None = None
) -> Any:
    """Probability that each of the next `years` years grows by at least `rate`.

    `shifts` moves the expected log growth of each year ahead, one number a year; by default none is moved.
    ``E[Phi((mu - log(1 + rate)) / sigma) ** years]`` over drift and variance. It is not ``p_year ** years``:
    the years share an unknown drift. Gauss–Laguerre in the variance, Gauss–Hermite in the drift.
    """
    mu, sigma, weights = _parameter_nodes(model, years)
    threshold = np.asarray(_log1p(rate), dtype=float)[..., None, None]
    if shifts is None:
        chance = np.exp(years * log_ndtr((mu - threshold) / sigma))
    else:
        chance = np.exp(sum(log_ndtr((mu + shift - threshold) / sigma) for shift in shifts))
    return np.sum(weights * chance, axis=(-2, -1))


def p_mean_rate(model: GrowthModel, total_rate: ArrayLike, years: int) -> Any:
    """Probability that the simple growth rates of the next `years` years add up to at least `total_rate`.

    This is the reading *mean of the yearly rates*: with rates r1…rm behind it, a goal of mean g over h years
    still needs ``total_rate = h * g - (r1 + … + rm)`` from the ``years = h - m`` years ahead.
    The sum of lognormals is computed by quadrature, not by simulation: `lib.forecast`.
    """
    mu, sigma, weights = _parameter_nodes(model, years)
    needed = _numbers("sum of rates", total_rate)[..., None, None] + years
    with np.errstate(divide="ignore"):
        log_needed = np.log(np.maximum(needed, 0))  # a sum of positive numbers always exceeds a negative one
    chance = ndtr(probit_of_mean(log_needed - np.log(years) - mu, sigma, years))
    return np.minimum(np.sum(weights * chance, axis=(-2, -1)), 1)  # weights add up to 1 but for rounding


def chances(goal: Goal, levels: pd.Series, model: GrowthModel) -> pd.Series:
    """Probability that each reading of a goal is met, from the last level known before its deadline.

    Parameters
    ----------
    levels : level by year, millions; the years after the deadline are not looked at.
    model : growth model of the flow at that last level.

    Returns
    -------
    Series by reading. Readings that are decided, or need yearly rates that are not known, are absent.
    """
    needed = needed_rates(goal, levels).dropna()
    found = {}
    for reading, row in needed.iterrows():
        years, rate = int(row["years_left"]), row["needed"]
        if reading == "average":
            found[reading] = float(p_reach(model, years * np.log1p(rate), years))
        elif reading == "every_year":
            found[reading] = float(p_every_year(model, rate, years))
        elif reading == "mean_of_rates":
            found[reading] = float(p_mean_rate(model, years * rate, years))
    return pd.Series(found, dtype=float)


def _log1p(rate: ArrayLike) -> Any:
    r = _numbers("growth rate", rate)
    if np.any(r <= -1):
        raise UserError(
            f"growth rate: found {np.min(r):g}, expected more than -1 (a fall of less than 100 %)"
        )
    return np.log1p(r)


def _numbers(name: str, value: ArrayLike, low: float = -np.inf, high: float = np.inf) -> Array:
    """Finite numbers within bounds; a missing or impossible one is an error, never a silent NaN."""
    numbers = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(numbers) & (numbers >= low) & (numbers <= high)):
        raise UserError(f"{name}: found {numbers.tolist()}, expected finite numbers from {low:g} to {high:g}")
    return numbers


def _parameter_nodes(model: GrowthModel, years: int) -> tuple[Array, Array, Array]:
    """Nodes and weights over (sigma, mu) of a year, each of shape (…, nodes of sigma, nodes of mu).

    The years are taken as alike and independent, with the echo and the autocorrelation spread over them, so
    that their sum has the law of `p_reach`: the readings then keep their order.
    """
    _numbers("years", years, 1)
    df = np.minimum(np.asarray(model.df, dtype=float), _MAX_DF)
    unique, index = np.unique(df, return_inverse=True)
    rules = [_variance_rule(float(value)) for value in unique]
    u = np.stack([nodes for nodes, _ in rules])[index].reshape(*df.shape, _NODES)
    w = np.stack([weights for _, weights in rules])[index].reshape(*df.shape, _NODES)
    z, wz = _normal_rule()
    sigma = np.sqrt(np.asarray(model.variance)[..., None] * u)[..., None]
    mu = np.asarray(model.mean + model.echo / years)[..., None, None] + sigma * z / np.sqrt(
        np.asarray(model.weight)[..., None, None]
    )
    a_year = np.asarray(_independent_years(model, years) / years)[..., None, None]
    return mu, sigma * np.sqrt(a_year), w[..., None] * wz


@lru_cache(maxsize=4096)
def _variance_rule(df: float) -> tuple[Array, Array]:
    """Nodes of ``df / chi²(df)`` and their weights (generalised Gauss–Laguerre)."""
    nodes, weights = roots_genlaguerre(_NODES, df / 2 - 1)
    return df / (2 * nodes), weights / weights.sum()


@lru_cache(maxsize=1)
def _normal_rule() -> tuple[Array, Array]:
    nodes, weights = roots_hermitenorm(_NODES)
    return nodes, weights / weights.sum()
