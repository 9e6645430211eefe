"""How sure a mean score is, whether probabilities happen as often as they say, and scores of Student-t forecasts.

Forecasts made in the same year share that year's shock, so every interval here resamples whole groups (origin
years), never single forecasts. Scores are returned one per forecast, and lower is better (Gneiting & Raftery 2007).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr

from lib.errors import UserError

Array = NDArray[np.float64]


def crps_t(df: ArrayLike, location: ArrayLike, scale: ArrayLike, y: ArrayLike) -> Array:
    """Continuous ranked probability score of location-scale Student-t forecasts, in the unit of `y`.

    Parameters
    ----------
    df : degrees of freedom, above 1; inf for the normal distribution.
    location, scale : of the predictive, for instance of log growth over the horizon; scale positive.
    y : outcomes. All arguments broadcast.

    Notes
    -----
    Closed form of Jordan, Krüger & Lerch (2019), appendix A, as implemented in scoringrules.
    """
    import scoringrules

    df, location, scale, y = _finite_law(df, location, scale, y)
    if np.any(df <= 1):
        raise UserError(f"df: found {np.min(df):g}, expected more than 1 (the CRPS is infinite)")
    normal = np.isinf(df)
    student = scoringrules.crps_t(y, np.where(normal, 2.0, df), location, scale)
    return np.where(normal, scoringrules.crps_normal(y, location, scale), student)


def pit(df: ArrayLike, location: ArrayLike, scale: ArrayLike, y: ArrayLike) -> Array:
    """Probability integral transform: the Student-t predictive's distribution function at the outcome.

    Arguments as in `crps_t`. Uniform on 0 to 1 if the forecasts are calibrated (Dawid 1984).
    """
    df, location, scale, y = _finite_law(df, location, scale, y)
    z = (y - location) / scale
    normal = np.isinf(df)
    return np.where(normal, ndtr(z), stdtr(np.where(normal, 1.0, df), z))


def skill(score: float, reference: float) -> float:
    """Skill of a mean score over a reference forecast's: 1 − score / reference; 0 is no better, 1 perfect."""
    if not reference > 0:
        raise UserError(f"reference: found a mean score of {reference:g}, expected a positive one")
    return 1 - score / reference


def _equal_width(p: Array, bins: int) -> NDArray[np.intp]:
    """Bin of each value among `bins` equal ones on 0 to 1; 1 itself belongs to the last."""
    return np.minimum((p * bins).astype(np.intp), bins - 1)


def _bin_means(p: Array, outcome: Array, label: NDArray) -> tuple[Array, Array, Array, NDArray[np.intp]]:
    """Count, mean forecast and frequency of each label, and the position of each forecast among them."""
    _, cell = np.unique(label, return_inverse=True)
    n = np.bincount(cell).astype(float)
    return n, np.bincount(cell, p) / n, np.bincount(cell, outcome) / n, cell


def _check_numbers(name: str, value: ArrayLike) -> Array:
    """Argument as a float array without missing or infinite values."""
    numbers = np.asarray(value, dtype=float)
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise UserError(f"{name}: found no values, or missing or infinite ones, expected finite numbers")
    return numbers


def _check_probabilities(p: ArrayLike, outcome: ArrayLike) -> tuple[Array, Array]:
    """Probabilities and outcomes of one shape, within 0 to 1 and among 0 and 1."""
    p, outcome = _check_numbers("p", p), _check_numbers("outcome", outcome)
    if p.shape != outcome.shape:
        raise UserError(f"p, outcome: found shapes {p.shape} and {outcome.shape}, expected the same")
    if np.any((p < 0) | (p > 1)):
        raise UserError(f"p: found {p[(p < 0) | (p > 1)][0]:g}, expected probabilities between 0 and 1")
    if not np.isin(outcome, (0, 1)).all():
        raise UserError(f"outcome: found {outcome[~np.isin(outcome, (0, 1))][0]:g}, expected 0 or 1")
    return p, outcome


def _finite_law(df: ArrayLike, location: ArrayLike, scale: ArrayLike, y: ArrayLike) -> tuple[Array, ...]:
    degrees = np.asarray(df, dtype=float)
    law = [_check_numbers(name, x) for name, x in (("location", location), ("scale", scale), ("y", y))]
    if not np.all(degrees > 0):
        raise UserError("df: found a missing value or one of 0 or less, expected positive degrees of freedom")
    if np.any(law[1] <= 0):
        raise UserError(f"scale: found {np.min(law[1]):g}, expected a positive scale")
    return tuple(np.broadcast_arrays(degrees, *law))


DRAWS = 1000
"""Bootstrap samples: the ends of a 95 % interval rest on 25 of them each."""


class Interval(NamedTuple):
    """A mean and the interval around it."""

    estimate: float
    low: float
    high: float


def cluster_interval(
    values: ArrayLike, groups: ArrayLike, weights: ArrayLike | None = None, level: float = 0.95, seed: int = 0
) -> Interval:
    """Mean of `values` with an interval that resamples whole groups (cluster bootstrap, percentiles).

    Parameters
    ----------
    values : one score per forecast, or the mean of some of one group, shape (n,).
    groups : origin year (or other cluster) of each, shape (n,); at least two different ones.
    weights : number of forecasts behind each value; 1 by default.
    level : probability inside, 0.95 for a 95 % interval.
    seed : of the resampling.

    Notes
    -----
    Field & Welsh (2007). With fewer than about ten groups such an interval is still somewhat too narrow.
    """
    values = _check_numbers("values", values)
    each = np.ones_like(values) if weights is None else _check_numbers("weights", weights)
    counts, (sums, n) = _resampled_sums(groups, seed, values * each, each)
    return _interval(np.average(values, weights=each), (counts @ sums) / (counts @ n), level)


def contest(
    score: ArrayLike, other: ArrayLike, groups: ArrayLike, weights: ArrayLike | None = None
) -> tuple[str, Interval]:
    """Whether a forecast's scores are better or worse than another's of the same events, or level with them.

    Arguments as in `cluster_interval`, paired.

    Returns
    -------
    "better", "worse" or "level" (the 90 % interval of the mean difference holds zero, or there is one group alone), and
    that difference: negative where the first is better.
    """
    apart = _check_numbers("score", score) - _check_numbers("other", other)
    if len(np.unique(np.asarray(groups))) < 2:
        mean = float(np.average(apart, weights=None if weights is None else np.asarray(weights, dtype=float)))
        return "level", Interval(mean, -np.inf, np.inf)
    found = cluster_interval(apart, groups, weights, level=0.9)
    return ("better" if found.high < 0 else "worse" if found.low > 0 else "level"), found


def worst_expected(common: float, origins: int, nominal: float, level: float = 0.9) -> tuple[float, float]:
    """Range of the worst origin's coverage that calibrated intervals would show.

    The probit of the PIT is √common·(shock of the year) + √(1 − common)·(of the flow), both standard normal; an interval
    covers least in the year whose shock is largest. The years are taken as independent; those that overlap show less.

    Parameters
    ----------
    common : share of the variance that flows of one origin have in common, 0 to 1.
    origins : how many years there are.
    nominal : probability inside the interval, such as 0.8.
    level : probability inside the range.
    """
    tails = np.array([(1 + level) / 2, (1 - level) / 2])
    shock = np.sqrt(common) * ndtri(
        (1 + tails ** (1 / origins)) / 2
    )  # of the largest of so many, by its size
    half, own = ndtri((1 + nominal) / 2), np.sqrt(1 - common)
    low, high = ndtr((half - shock) / own) - ndtr((-half - shock) / own)
    return float(low), float(high)


def skill_interval(
    score: ArrayLike, reference: ArrayLike, groups: ArrayLike, level: float = 0.95, seed: int = 0
) -> Interval:
    """Skill of paired scores over a reference, with an interval that resamples whole groups.

    `score` and `reference` hold the two forecasts' scores of the same events; the rest is as in
    `cluster_interval`.
    """
    score, reference = _check_numbers("score", score), _check_numbers("reference", reference)
    estimate = skill(score.mean(), reference.mean())
    counts, (sums, base) = _resampled_sums(groups, seed, score, reference)
    return _interval(estimate, 1 - (counts @ sums) / (counts @ base), level)


def reliability(
    p: ArrayLike,
    outcome: ArrayLike,
    groups: ArrayLike,
    bins: int | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> pd.DataFrame:
    """Observed frequency against forecast probability, with bands that resample whole groups.

    Parameters
    ----------
    p, outcome : as in `brier`, shape (n,).
    groups : cluster (origin year) of each forecast.
    bins : None for the CORP curve, which needs no choice of bins (isotonic regression of the outcome on p:
        Dimitriadis, Gneiting & Jordan 2021; p to three decimals); else equal-width bins.
    level, seed : of the band, pointwise.

    Returns
    -------
    DataFrame
        Columns p (mean forecast of the bin), n, frequency, low, high; one row per bin that is not empty.
    """
    p, outcome = (x.ravel() for x in _check_probabilities(p, outcome))
    label = np.round(p * 1000) if bins is None else _equal_width(p, bins)
    n, mean_p, frequency, cell = _bin_means(p, outcome, label)
    codes, counts = _draw_groups(groups, seed, p.size)
    totals, events = (_cross_sums(codes, cell, weights) for weights in (None, outcome))
    drawn = [_curve(mean_p, c @ totals, c @ events, isotonic=bins is None) for c in counts]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    curve = _curve(mean_p, n, n * frequency, isotonic=bins is None)
    return pd.DataFrame({"p": mean_p, "n": n.astype(int), "frequency": curve, "low": low, "high": high})


def _curve(p: Array, n: Array, events: Array, *, isotonic: bool) -> Array:
    """Frequency per bin; bins that a resample left empty take the value between their neighbours."""
    from scipy.optimize import isotonic_regression

    seen = n > 0
    frequency = events[seen] / n[seen]
    if isotonic:
        frequency = isotonic_regression(frequency, weights=n[seen]).x
    return np.interp(p, p[seen], frequency)


def _cross_sums(codes: NDArray[np.intp], cell: NDArray[np.intp], weights: Array | None) -> Array:
    """Sum of weights (count without them) per group and cell, shape (groups, cells)."""
    shape = (int(np.max(codes)) + 1, int(np.max(cell)) + 1)
    return np.bincount(codes * shape[1] + cell, weights, shape[0] * shape[1]).reshape(shape).astype(float)


def _draw_groups(groups: ArrayLike, seed: int, size: int) -> tuple[NDArray[np.intp], Array]:
    """Code of each forecast's group, and how often each draw takes each group: shape (DRAWS, groups)."""
    codes, labels = pd.factorize(np.asarray(groups), sort=True)
    if codes.size != size or np.any(codes < 0):
        raise UserError(
            f"groups: found {np.sum(codes >= 0)} labels, expected one for each of {size} forecasts"
        )
    if labels.size < 2:
        raise UserError("groups: found a single group, expected at least two to resample (origin years)")
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(labels.size, np.full(labels.size, 1 / labels.size), size=DRAWS)
    return codes, counts.astype(float)


def _resampled_sums(groups: ArrayLike, seed: int, *values: Array) -> tuple[Array, list[Array]]:
    codes, counts = _draw_groups(groups, seed, values[0].size)
    return counts, [np.bincount(codes, x).astype(float) for x in values]


def _interval(estimate: float, drawn: Array, level: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high))
