"""One predictive law of a path, from which every number about a goal comes.

A `Law` is a mixture of Gaussians over the log levels of named years. It is made from a flow's own growth rates
and a prior (`posterior`, `from_posterior`), learns from observations (`given`), is mixed with others (`pool`), and
read: quantiles, the share of outcomes below a level, the chances of the three readings of a goal. As all of them
are functions of one law, they cannot contradict one another.

The law of a flow's own record: log growth is Gaussian given its variance σ²,

    growth | σ² ~ N(m·1 + echo·u₁, σ²·S),   S = T + 11ᵀ/n*,
    σ² ~ (1 − share)·v·df/χ²(df) + share·v₀·df₀/χ²(df₀),

with a drift shrunk to the prior's (Efron & Morris 1973), which is itself known to an error that all flows of a class
share, a moderated variance (Smyth 2004, eq. 3), recent rates weighed more, and T tridiagonal: the years ahead of
a first-order moving average, given its latest value. σ² is integrated by 12 nodes for each of its two parts, so that
the sum over h years is Student-t to five digits (two t, mixed), and everything else follows from 24 Gaussians.

All rates are fractions (0.25 is 25 %), growth is log growth, levels are in the unit that the maker of the law
chose (millions of a currency); shapes name k components and n years.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr

from lib import mixtures
from lib.errors import UserError, unclear
from lib.goals import Goal
from lib.reference import Prior

Array = NDArray[np.float64]
FAN = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Probabilities of the quantiles that make a fan: 50, 80 and 95 % intervals around the median."""
MIN_GROWTH_RATES = 4
"""Fewer growth rates than this say too little about their own variance to stand without a prior."""
HALF_LIFE = 6.0
"""Years after which a growth rate weighs half as much (weights 2^(−age/6)): better on all panels measured."""
LONG_RUN_DRIFT, PULL = 0.04, 0.5
"""Log growth a year of all eras together, and how far the drift of a class is drawn to it: the drift of the last
decade is not that of the next."""
ERAS = 0.02
"""Standard deviation of the drift between eras, log growth a year, beside the error with which a class knows its own."""
CLASS_SHARE = 0.3
"""Chance that the variance of the years ahead is drawn anew from the class, whatever the record was."""
LARGEST_SURPRISE = 2.0
"""Standard deviations of the latest rate that echo at most: an error of the record must not echo in full."""
_LARGEST_LOG = 700.0  # exp of more overflows


class Posterior(NamedTuple):
    """What rates and prior say about the growth ahead; each field of shape (…), one entry for each series.

    `mean` and `weight`: the drift m and how many years it is worth, n* (the error of the prior's drift included);
    `variance`, `df`: scaled inverse χ² of σ²; `autocorrelation`: of growth (lag 1); `echo`: what the latest rate adds
    to the first year ahead; `shares`, `sigmas`: the Gaussians that σ² is integrated by, shape (…, 24), or (…, 12)
    without a prior.
    """

    mean: Array
    weight: Array
    variance: Array
    df: Array
    autocorrelation: Array
    echo: Array
    shares: Array
    sigmas: Array


@dataclass(frozen=True)
class Law:
    """Joint law of the log levels of some years: a mixture of k Gaussians.

    Parameters
    ----------
    years : n calendar years, ascending.
    weights : of the components, shape (k,), adding up to 1.
    means : of the log levels, shape (k, n).
    covariances : shape (k, n, n); a known year has zeros.
    """

    years: tuple[int, ...]
    weights: Array
    means: Array
    covariances: Array

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        k, n = len(self.weights), len(self.years)
        if self.means.shape != (k, n) or self.covariances.shape != (k, n, n):
            shapes = f"means and covariances of shape {self.means.shape} and {self.covariances.shape}"
            raise unclear("law", shapes, f"k = {k}, n = {n}")
        if list(self.years) != sorted(set(self.years)):
            raise UserError(f"law: found years {self.years}, expected each once, ascending")
        if not (np.isfinite(self.means).all() and np.isfinite(self.covariances).all()):
            raise UserError("law: found a mean or covariance that is not finite")
        if not (np.all(self.weights >= 0) and abs(self.weights.sum() - 1) < 1e-9):
            raise unclear("law", f"weights adding up to {self.weights.sum():g}", "1, none negative")

    def column(self, year: int) -> int:
        """Place of a year in the arrays."""
        if year not in self.years:
            raise UserError(f"law: found no year {year}, expected one of {', '.join(map(str, self.years))}")
        return self.years.index(year)

    def sds(self, year: int) -> Array:
        """Standard deviation of the log level of a year by component, shape (k,)."""
        column = self.column(year)
        return np.sqrt(np.maximum(self.covariances[:, column, column], 0.0))


# --- from a flow's own rates and a prior ---


def drawn(prior: Prior) -> Prior:
    """The prior of a class with its drift drawn half-way to the long run; before parents move it.

    Half of the drift's standard error goes with it, and eras differ beside that.
    """
    drift = LONG_RUN_DRIFT + PULL * (prior.drift - LONG_RUN_DRIFT)
    return replace(prior, drift=drift, drift_error=float(np.hypot(PULL * prior.drift_error, ERAS)))


def posterior(
    growth: ArrayLike, prior: Prior | None, half_life: float = HALF_LIFE, class_share: float = CLASS_SHARE
) -> Posterior:
    """Drift and variance of log growth after observing rates.

    Parameters
    ----------
    growth : log growth rates up to the origin in order of time, shape (rates,) or (series, rates); NaN: not known.
    prior : of the class, its drift `drawn`; fields may be arrays of shape (series,). Without one, the flow must
        have four rates that vary, and the law is the textbook's (flat prior) but for the weights.
    half_life : years after which a rate weighs half as much; infinite for equal weights.
    class_share : chance that the variance ahead is drawn anew from the class.

    Raises
    ------
    UserError
        For infinite rates, or too few or constant ones without a prior.
    """
    rates = np.asarray(growth, dtype=float)
    if np.isinf(rates).any():
        raise UserError("log growth: found an infinite rate, expected finite ones (a level of zero?)")
    known = ~np.isnan(rates)
    weights = 0.5 ** (np.arange(rates.shape[-1])[::-1] / half_life) * known
    seen = np.where(known, rates, 0.0)
    total = weights.sum(axis=-1)
    safe = np.where(total > 0, total, 1.0)
    mean = np.sum(weights * seen, axis=-1) / safe
    squares = np.sum(weights * (seen - mean[..., None]) ** 2, axis=-1)
    free = np.maximum(total - np.sum(weights**2, axis=-1) / safe, 0.0)
    if prior is None:
        if (n := known.sum(axis=-1)).min() < MIN_GROWTH_RATES:
            raise unclear("log growth", f"{n.min()} rates", f"at least {MIN_GROWTH_RATES} without a prior")
        if np.any(squares <= 1e-24 * n * (1 + mean**2)):
            raise UserError(
                "log growth: found a constant series, whose variance is unknown; expected a prior"
            )
        parts = _variance_parts(squares / free, free, squares / free, free, 0.0)
        nothing = np.zeros_like(mean)
        return Posterior(mean, total, squares / free, free, nothing, nothing, *parts)
    df = prior.df + free
    variance = (prior.df * prior.variance + squares) / df
    weight = total + variance / prior.drift_sd**2
    drift = (total * mean + (weight - total) * prior.drift) / weight
    surprise = np.nan_to_num(rates[..., -1] - drift) if rates.shape[-1] else np.zeros_like(drift)
    most = LARGEST_SURPRISE * np.sqrt(variance)
    echo = prior.autocorrelation * np.clip(surprise, -most, most)
    worth = 1 / (1 / weight + prior.drift_error**2 / variance)
    parts = _variance_parts(variance, df, prior.variance, prior.df, class_share)
    turn = np.broadcast_to(np.asarray(prior.autocorrelation, dtype=float), drift.shape)
    return Posterior(drift, worth, variance, df, turn, echo, *parts)


def _variance_parts(v: Any, df: Any, class_v: Any, class_df: Any, share: float) -> tuple[Array, Array]:
    """Weights and standard deviations of the Gaussians that integrate σ², each of shape (…, 24), or (…, 12)."""
    own = mixtures.variance_nodes(df)
    if share == 0:
        return own[0], np.sqrt(v[..., None] * own[1])
    redrawn = mixtures.variance_nodes(np.broadcast_to(class_df, np.shape(df)))
    class_v = np.broadcast_to(class_v, np.shape(v))
    shares = np.concatenate([(1 - share) * own[0], share * redrawn[0]], axis=-1)
    variances = np.concatenate([v[..., None] * own[1], class_v[..., None] * redrawn[1]], axis=-1)
    return shares, np.sqrt(variances)


def from_posterior(of: Posterior, last_year: int, last_level: float, horizon: int) -> Law:
    """Law of the `horizon` years after `last_year`, whose level is positive, from the `posterior` of one series."""
    if not 0 < last_level < np.inf:
        raise UserError(f"level of {last_year}: found {last_level}, expected a positive number")
    if horizon < 1:
        raise UserError(f"horizon: found {horizon}, expected 1 year or more")
    years = np.arange(1, horizon + 1)
    r, used = float(of.autocorrelation), of.shares > 0
    growth = np.eye(horizon) + r * (np.eye(horizon, k=1) + np.eye(horizon, k=-1)) + 1 / float(of.weight)
    growth[0, 0] -= r**2  # the latest rate is known
    summed = np.cumsum(np.cumsum(growth, axis=0), axis=1)
    mean = np.log(last_level) + years * float(of.mean) + float(of.echo)
    shares, covariances = of.shares[used], of.sigmas[used][:, None, None] ** 2 * summed
    named = tuple(int(year) for year in last_year + years)
    return Law(named, shares / shares.sum(), np.tile(mean, (len(shares), 1)), covariances)


# --- the same in closed form, for many series at once ---


def location(of: Posterior, horizon: ArrayLike) -> Array:
    """Median of the sum of the next `horizon` log growth rates."""
    return np.asarray(horizon, dtype=float) * of.mean + of.echo


def years_worth(of: Posterior, horizon: ArrayLike) -> Array:
    """Standard deviation of the sum of the next `horizon` rates in units of σ: √(1ᵀS1).

    Without autocorrelation ``√(h + h²/n*)``: Hyndman & Athanasopoulos (2021), table 5.2, drift method.
    """
    h, r = np.asarray(horizon, dtype=float), of.autocorrelation
    return np.sqrt(h + 2 * r * (h - 1) - r**2 + h**2 / of.weight)


def spread(of: Posterior, horizon: ArrayLike) -> Array:
    """Scale of the sum of the next `horizon` rates, a Student-t but for the share that the class has in its variance."""
    return np.sqrt(of.variance) * years_worth(of, horizon)


def p_reach(of: Posterior, log_growth: ArrayLike, horizon: ArrayLike) -> Array:
    """Probability that the level grows by `log_growth` or more over `horizon` years (arguments broadcast).

    The reading *on average* of a goal of rate g is ``h * log1p(g)``; 1 minus it is the PIT of an outcome.
    """
    if not np.isfinite(needed := np.asarray(log_growth, dtype=float)).all():
        raise UserError("log growth: found one that is missing or infinite, expected finite numbers")
    x = (location(of, horizon) - needed) / years_worth(of, horizon)
    return np.sum(of.shares * ndtr(x[..., None] / of.sigmas), axis=-1)


# --- what a law learns, and how laws are put together ---


def given(
    law: Law, coefficients: Mapping[int, float], value: float, sd: float | Mapping[float, float]
) -> Law:
    """The law after observing a sum of log levels with a Gaussian error.

    Parameters
    ----------
    coefficients : of the log level of each year in the sum; ``{2014: 1}`` is the level of 2014,
        ``{2014: 1, 2013: -1}`` its growth.
    value : what was observed, logarithm.
    sd : standard deviation of its error (0: exact, infinite: no news); where it is one of several, each of them → how
        probable it was beforehand.

    Raises
    ------
    UserError
        For a value that is not finite, or an exact one that contradicts years that are known exactly.
    """
    errors = sd if isinstance(sd, Mapping) else {sd: 1.0}
    if not (np.isfinite(value) and min(errors) >= 0):
        raise unclear("observation", f"{value} with error {sd}", "a finite value and an error of 0 or more")
    if max(errors) == np.inf:
        return law
    row = np.zeros((1, len(law.years)))
    for year, coefficient in coefficients.items():
        row[0, law.column(year)] = coefficient
    scales = np.array(list(errors.values())), np.square(list(errors))
    return given_all(law, row, [value], [[1.0]], scales=scales)


def given_all(
    law: Law,
    coefficients: ArrayLike,
    values: ArrayLike,
    covariance: ArrayLike,
    df: float = np.inf,
    correlation: float = 0.0,
    scales: tuple[Array, Array] = (np.ones(1), np.ones(1)),
) -> Law:
    """The law after m observations whose errors are correlated: each component once for each scale of the errors.

    Parameters
    ----------
    coefficients : shape (m, n) over `law.years`; values : shape (m,); covariance : of the errors, shape (m, m).
    df : degrees of freedom; below infinity the errors are jointly Student-t with one scale, in 10 components.
    correlation : of each error with the error of the law as a forecast of the sum (Bates & Granger 1969, eqs 1-2); of
        errors that are independent of one another.
    scales : weights and factors of `covariance`, where it is one of several.
    """
    if np.isfinite(df):
        scales = mixtures.variance_nodes(df, mixtures.ERROR_NODES)
    shares, factors = scales
    variances, axes = np.linalg.eigh(np.asarray(covariance, dtype=float))
    rows, turned = axes.T @ np.asarray(coefficients, dtype=float), axes.T @ np.asarray(values, dtype=float)
    errors = np.outer(np.maximum(variances, 0.0), factors)
    k, nodes = len(law.weights), len(shares)
    means, covariances = np.tile(law.means, (nodes, 1)), np.tile(law.covariances, (nodes, 1, 1))
    after = Law(law.years, np.outer(shares / shares.sum(), law.weights).ravel(), means, covariances)
    for row, value, error in zip(rows, turned, errors, strict=True):
        logs, means, covariances = _condition(after, row, float(value), np.repeat(error, k), correlation)
        after = Law(law.years, np.exp(logs - logsumexp(logs)), means, covariances)
    return after


def _condition(
    law: Law, row: Array, value: float, error: Array, correlation: float
) -> tuple[Array, Array, Array]:
    """Log weight, mean and covariance of each component given ``row @ x + noise = value`` (Kalman 1960).

    `error` is the variance of the noise by component. `correlation` is that of the two errors, forecast and
    observation each taken from the truth; the noise is tied to the other years through the sum alone.
    """
    reach = law.covariances @ row
    own = reach @ row
    # An exact observation of what is known exactly has nothing to teach: rounding must not pass for variance.
    size = np.einsum("kii,i->k", law.covariances, row**2)
    own = np.where(own > 1e-12 * size, own, 0.0)
    shared = -correlation * np.sqrt(own * error)
    surprise, total = value - law.means @ row, own + 2 * shared + error
    if np.all(total <= 0) and np.all(np.abs(surprise) > 1e-6):
        stated = f"{value:.6g} against {value - float(np.mean(surprise)):.6g}"
        raise UserError(f"observation: found {stated} known exactly; expected one that agrees, or an error")
    safe = np.where(own > 0, own, 1.0)
    pull = np.where(own > 0, (own + shared) / np.where(total > 0, total, 1.0), 0.0)
    # Never beyond the observation itself: a high correlation would let the law lean away from it.
    pull = np.clip(pull, 0.0, 1.0)
    gain = (pull / safe)[:, None] * reach
    left = (1 - pull) ** 2 * own + pull**2 * error - 2 * pull * (1 - pull) * shared
    after = law.covariances - ((own - left) / safe**2)[:, None, None] * reach[:, :, None] * reach[:, None, :]
    after[np.abs(after) <= 1e-13 * np.abs(law.covariances)] = 0.0
    total = np.maximum(total, mixtures.TINY)
    density = -0.5 * (surprise**2 / total + np.log(total))
    with np.errstate(divide="ignore"):  # a component of no weight keeps none
        return np.log(law.weights) + density, law.means + gain * surprise[:, None], after


def pool(laws: Sequence[Law], weights: Sequence[float]) -> Law:
    """Mixture of laws of the same years: the linear pool (Stone 1961). Weights are positive, of any sum."""
    if len(laws) != len(weights) or not laws or min(weights) < 0 or sum(weights) <= 0:
        raise unclear("pool", f"{len(laws)} laws and weights {list(weights)}", "one weight of 0 or more each")
    if (sets := len({law.years for law in laws})) > 1:
        raise UserError(f"pool: found laws of {sets} sets of years, expected one")
    parts = [law.weights * weight / sum(weights) for law, weight in zip(laws, weights, strict=True)]
    means, covariances = ([getattr(law, name) for law in laws] for name in ("means", "covariances"))
    return Law(laws[0].years, np.concatenate(parts), np.concatenate(means), np.concatenate(covariances))


def plus(law: Law, added: Mapping[int, float]) -> Law:
    """The law of levels to which something known is added: year → level, not negative, in the unit of the law.

    ln(exp(x) + a) to first order around the mean m of each component: ln(exp(m) + a), with slope exp(m) / (exp(m) + a)
    (the delta method; Casella & Berger 2002, section 5.5.4). Components are split before, so that each is narrow
    against the bend of the curve: probabilities are off by less than 0.01, also for an addition twice the level.
    """
    narrow, sums = _split(law), np.array([added.get(year, 0.0) for year in law.years])
    level = np.exp(np.minimum(narrow.means, _LARGEST_LOG))
    slope = level / (level + sums)
    means = np.where(sums > 0, np.log(level + sums), narrow.means)
    covariances = narrow.covariances * slope[:, :, None] * slope[:, None, :]
    return replace(narrow, means=means, covariances=covariances)


def _split(law: Law, parts: int = 13, kept: float = 0.1) -> Law:
    """The same law in more and narrower components: of the variance along the longest axis a share is kept in each."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(parts)
    variances, axes = np.linalg.eigh(law.covariances)
    longest = axes[:, :, -1] * np.sqrt((1 - kept) * np.maximum(variances[:, -1:], 0.0))
    left = law.covariances - longest[:, :, None] * longest[:, None, :]
    means = law.means[:, None] + nodes[:, None] * longest[:, None]
    shares = np.outer(law.weights, weights / weights.sum()).ravel()
    return Law(law.years, shares, means.reshape(-1, len(law.years)), np.repeat(left, parts, axis=0))


def followed_by(law: Law, growth: Law, start: int, level: float | None = None) -> Law:
    """The law with further years: the level of `start` times the growth since then, which is independent of it.

    `growth` is the law of the log growth to years after all of `law`; `level` is that of `start` where it is known.
    """
    n, m, k, j = len(law.years), len(growth.years), len(law.weights), len(growth.weights)
    means, covariances = np.zeros((k, j, n + m)), np.zeros((k, j, n + m, n + m))
    means[..., :n], covariances[..., :n, :n] = law.means[:, None], law.covariances[:, None]
    means[..., n:], covariances[..., n:, n:] = growth.means, growth.covariances
    if level is None:
        column = law.column(start)
        means[..., n:] += law.means[:, None, column, None]
        covariances[..., n:, n:] += law.covariances[:, None, column, column, None, None]
        covariances[..., :n, n:] = law.covariances[:, None, :, column, None]
        covariances[..., n:, :n] = law.covariances[:, None, column, None, :]
    else:
        means[..., n:] += np.log(level)
    weights, size = np.outer(law.weights, growth.weights).ravel(), n + m
    years = (*law.years, *growth.years)
    return Law(years, weights, means.reshape(-1, size), covariances.reshape(-1, size, size))


def marginal(law: Law, years: Iterable[int]) -> Law:
    """Law of some of its years."""
    years = tuple(sorted(years))
    at = [law.column(year) for year in years]
    return Law(years, law.weights, law.means[:, at], law.covariances[:, at][:, :, at])


def prune(law: Law, negligible: float = 1e-6) -> Law:
    """The law without its lightest components, which together weigh no more than `negligible`."""
    order = np.argsort(law.weights)
    kept = np.sort(order[np.cumsum(law.weights[order]) > negligible])
    weights = law.weights[kept] / law.weights[kept].sum()
    return Law(law.years, weights, law.means[kept], law.covariances[kept])


def condense(law: Law, most: int = 32) -> Law:
    """The law with at most so many components: alike ones are merged, keeping their mean and covariance.

    The component groups are made by splitting at the mean of what differs most, and settled by three rounds of
    k-means (Lloyd 1982). On laws with evidence of every kind no chance and no quantile moved by more than 0.002.
    """
    if len(law.weights) <= most:
        return law
    look = _look(law)
    group = _split_groups(look, law.weights, most)
    for _ in range(3):
        share = law.weights[:, None] * (group[:, None] == np.arange(most))
        centre = share.T @ look / np.maximum(share.sum(axis=0), mixtures.TINY**2)[:, None]
        apart = np.sum((look[:, None] - centre) ** 2, axis=-1)
        group = np.argmin(np.where(share.sum(axis=0) > 0, apart, np.inf), axis=1)
    return _merged(law, group)


def _look(law: Law) -> Array:
    """What tells components apart, shape (k, …): log spread and place of each level and of each year's growth."""
    n = len(law.years)
    rows = np.concatenate([np.eye(n), (np.eye(n) - np.eye(n, k=-1))[1:]])
    variance = np.einsum("an,knm,am->ka", rows, law.covariances, rows)
    typical = np.sqrt(np.maximum(law.weights @ variance, 0.0))
    loose = typical > np.sqrt(mixtures.TINY)
    spread = np.sqrt(np.maximum(variance[:, loose], (1e-3 * typical[loose]) ** 2))
    place = law.means @ rows[loose].T / np.exp(law.weights @ np.log(spread))
    return np.concatenate([np.log(spread), place], axis=1)


def _split_groups(look: Array, weights: Array, most: int) -> NDArray[np.int64]:
    """Group of each component: again and again the widest group is cut at its mean, where it is widest."""

    def width(members: NDArray[np.int64]) -> tuple[float, int, float]:
        centre = weights[members] @ look[members] / max(weights[members].sum(), mixtures.TINY**2)
        around = weights[members] @ (look[members] - centre) ** 2
        axis = int(np.argmax(around))
        return float(around[axis]), axis, float(centre[axis])

    group, widths = np.zeros(len(look), dtype=np.int64), [width(np.arange(len(look)))]
    for new in range(1, most):
        widest = int(np.argmax([one[0] for one in widths]))
        _, axis, cut = widths[widest]
        upper = (group == widest) & (look[:, axis] > cut)
        if not upper.any():  # all that is left is alike
            break
        group[upper] = new
        widths[widest] = width(np.flatnonzero(group == widest))
        widths.append(width(np.flatnonzero(upper)))
    return group


def _merged(law: Law, group: NDArray[np.int64]) -> Law:
    """One component for each group, with the group's weight, mean and covariance."""
    share = law.weights[:, None] * (group[:, None] == np.unique(group))
    weights = share.sum(axis=0)
    share, weights = share[:, weights > 0], weights[weights > 0]
    share = share / weights
    means = share.T @ law.means
    off = law.means[:, None] - means
    within = np.einsum("kg,kij->gij", share, law.covariances)
    between = np.einsum("kg,kgi,kgj->gij", share, off, off)
    return Law(law.years, weights / weights.sum(), means, within + between)


# --- what a law says ---


def quantiles(law: Law, year: int, probabilities: ArrayLike = FAN) -> Array:
    """Levels of a year that outcomes stay below with each probability, shape (probabilities,)."""
    asked = np.atleast_1d(np.asarray(probabilities, dtype=float))
    if not np.all((asked > 0) & (asked < 1)):
        raise UserError(f"probabilities: found {asked.tolist()}, expected numbers between 0 and 1")
    logs = mixtures.quantiles(asked, law.weights, law.means[:, law.column(year)], law.sds(year))
    return np.exp(np.minimum(logs, _LARGEST_LOG))


def p_below(law: Law, year: int, level: ArrayLike) -> Array:
    """Share of outcomes below a level in a year; a known level counts as reached. Shape of `level`."""
    asked = np.asarray(level, dtype=float)
    if np.isnan(asked).any():
        raise UserError("level: found a missing value, expected numbers")
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(asked, 0.0))
    return mixtures.below(logs, law.weights, law.means[:, law.column(year)], law.sds(year))


def chances(law: Law, goal: Goal, levels: pd.Series) -> pd.Series:
    """Probability of each reading of a goal, from the law and the levels known.

    Parameters
    ----------
    levels : known levels by year, in the unit of the law and of `goal.base_mn`, for the years that the law lacks;
        years outside base and deadline are not looked at.

    Returns
    -------
    Series by reading, 0 or 1 where the figures decide. *On average* is absent where the deadline is neither known
    nor in the law, the others also where a year on the way is.
    """
    end = _path(law, levels, [goal.deadline])
    if end is None:
        return pd.Series(dtype=float)
    target = np.log(goal.base_mn) + goal.years * np.log1p(goal.rate)
    sds = np.sqrt(np.maximum(end[1][:, 0, 0], 0.0))
    average = 1 - float(mixtures.below(target, law.weights, end[0][:, 0], sds))
    path = _path(law, levels, range(goal.base_year + 1, goal.deadline + 1))
    if path is None:
        return pd.Series({"average": average})
    steps = np.eye(goal.years) - np.eye(goal.years, k=-1)
    growth = path[0] @ steps.T
    growth[:, 0] -= np.log(goal.base_mn)
    every, mean = mixtures.readings(law.weights, growth, steps @ path[1] @ steps.T, goal.rate, average)
    return pd.Series({"average": average, "every_year": float(every[-1]), "mean_of_rates": mean})


def _path(law: Law, levels: pd.Series, years: Sequence[int]) -> tuple[Array, Array] | None:
    """Means (k, years) and covariances (k, years, years) of log levels, known or not; None where one is neither."""
    known, k, n = levels.dropna(), len(law.weights), len(years)
    means, covariances = np.zeros((k, n)), np.zeros((k, n, n))
    inside = [i for i, year in enumerate(years) if year in law.years]
    columns = [law.column(years[i]) for i in inside]
    means[:, inside] = law.means[:, columns]
    covariances[np.ix_(range(k), inside, inside)] = law.covariances[np.ix_(range(k), columns, columns)]
    for i, year in enumerate(years):
        if year in known.index:
            apart = np.abs(means[:, i] - np.log(known[year])) + law.sds(year) if i in inside else np.zeros(1)
            if apart.max() > 1e-6:
                raise UserError(f"{year}: found a level that the law does not know, expected it given it")
            means[:, i] = np.log(known[year])
        elif i not in inside:
            return None
    return means, covariances
