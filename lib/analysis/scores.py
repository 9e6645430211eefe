"""Scores of forecasts against outcomes: probabilities of events, predictive distributions, intervals, points.

Scores of probabilistic forecasts are returned one per forecast, and lower is better (Gneiting & Raftery
2007). How they are averaged by year, and how sure a mean is, is in `lib.analysis.scores`.

How sure a mean score is, and whether probabilities happen as often as they say.

Forecasts made in the same year share that year's shock, so every interval here resamples whole groups (origin
years), never single forecasts; means are shown by group before they are pooled.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr

from lib.errors import UserError

Array = NDArray[np.float64]


class Murphy(NamedTuple):
    """The mean Brier score in parts: reliability − resolution + uncertainty + within_bin.

    `within_bin` is 0 when all forecasts of a bin are equal (Murphy 1973) and else what binning them hides
    (variance − 2 × covariance within bins: Stephenson, Coelho & Jolliffe 2008, eq. 10).
    """

    reliability: float
    resolution: float
    uncertainty: float
    within_bin: float


def brier(p: ArrayLike, outcome: ArrayLike) -> Array:
    """Brier score of each forecast: (p − outcome)² (Brier 1950), between 0 and 1.

    Parameters
    ----------
    p : probabilities, 0 to 1, any shape.
    outcome : 1 or True where the event happened, 0 or False where it did not, same shape.

    Raises
    ------
    UserError
        For a missing value, a probability outside 0 to 1 or an outcome other than 0 and 1.
    """
    import scoringrules

    p, outcome = check_probabilities(p, outcome)
    return np.asarray(scoringrules.brier_score(outcome, p))


def log_score(p: ArrayLike, outcome: ArrayLike) -> Array:
    """Log score of each forecast: −ln(probability given to what happened); inf for a certainty that failed.

    Arguments as in `brier`. State `certain_share` beside its mean: one failed certainty makes it infinite.
    """
    p, outcome = check_probabilities(p, outcome)
    # Not scoringrules' |p + outcome - 1|, which rounds a p below 1e-16 to a certainty.
    with np.errstate(divide="ignore"):
        return -np.log(np.where(outcome == 1, p, 1 - p)) + 0.0  # turns −0 into 0


def certain_share(p: ArrayLike) -> float:
    """Share of probabilities that are exactly 0 or 1."""
    p = np.asarray(p, dtype=float)
    return float(np.mean((p == 0) | (p == 1)))


def murphy(p: ArrayLike, outcome: ArrayLike, bins: int = 10) -> Murphy:
    """Decompose the mean Brier score (Murphy 1973) over `bins` equal-width bins of probability.

    Arguments as in `brier`. The parts add up to the mean Brier score: see `Murphy`.
    """
    p, outcome = (x.ravel() for x in check_probabilities(p, outcome))
    n, mean_p, frequency, cell = bin_means(p, outcome, equal_width(p, bins))
    overall = outcome.mean()
    dp, do = p - mean_p[cell], outcome - frequency[cell]
    return Murphy(
        float(np.average((mean_p - frequency) ** 2, weights=n)),
        float(np.average((frequency - overall) ** 2, weights=n)),
        float(overall * (1 - overall)),
        float(np.mean(dp**2 - 2 * dp * do)),
    )


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


def crps_sample(samples: ArrayLike, y: ArrayLike) -> Array:
    """CRPS of an ensemble, fair estimator: E|X − y| − ½ E|X − X'| over pairs of different members.

    Parameters
    ----------
    samples : shape (…, members), at least two members.
    y : outcomes, shape (…).

    Notes
    -----
    Unbiased whatever the number of members (Ferro 2014), so ensembles of different size compare.
    """
    import scoringrules

    draws, y = check_numbers("samples", samples), check_numbers("y", y)
    if draws.ndim == 0 or draws.shape[-1] < 2:
        raise UserError(f"samples: found shape {draws.shape}, expected at least two members on the last axis")
    # The probability-weighted-moment form equals the fair one and sorts instead of forming all pairs.
    return np.asarray(scoringrules.crps_ensemble(y, draws, estimator="pwm"))


def interval_score(lower: ArrayLike, upper: ArrayLike, y: ArrayLike, alpha: float) -> Array:
    """Interval score of central 1 − alpha intervals: width + 2 / alpha × distance of y outside.

    Parameters
    ----------
    lower, upper, y : ends and outcomes in one unit; they broadcast.
    alpha : probability left outside, for instance 0.05 for a 95 % interval.

    Notes
    -----
    Gneiting & Raftery (2007), eq. 43.
    """
    import scoringrules

    lower, upper, y = _ends(lower, upper, y)
    if not 0 < alpha < 1:
        raise UserError(f"alpha: found {alpha:g}, expected a probability between 0 and 1, as 0.05 for 95 %")
    return np.asarray(scoringrules.interval_score(y, lower, upper, alpha))


def coverage(lower: ArrayLike, upper: ArrayLike, y: ArrayLike) -> Array:
    """Return 1 where the interval holds the outcome and 0 where not; the mean is the coverage."""
    lower, upper, y = _ends(lower, upper, y)
    return ((lower <= y) & (y <= upper)).astype(float)


def pit(df: ArrayLike, location: ArrayLike, scale: ArrayLike, y: ArrayLike) -> Array:
    """Probability integral transform: the Student-t predictive's distribution function at the outcome.

    Arguments as in `crps_t`. Uniform on 0 to 1 if the forecasts are calibrated (Dawid 1984).
    """
    df, location, scale, y = _finite_law(df, location, scale, y)
    z = (y - location) / scale
    normal = np.isinf(df)
    return np.where(normal, ndtr(z), stdtr(np.where(normal, 1.0, df), z))


def smape(forecast: ArrayLike, y: ArrayLike) -> Array:
    """Symmetric mean absolute percentage error over the last axis, in PERCENT as competitions publish it.

    200 × mean(|y − f| / (|y| + |f|)) (Makridakis & Hibon 2000); 0 where both are 0.
    """
    forecast, y = check_numbers("forecast", forecast), check_numbers("y", y)
    error, size = np.abs(y - forecast), np.abs(y) + np.abs(forecast)
    return 200 * np.mean(np.divide(error, size, out=np.zeros_like(error), where=size > 0), axis=-1)


def mase(forecast: ArrayLike, y: ArrayLike, training: ArrayLike) -> Array:
    """Mean absolute error over the last axis / mean absolute yearly change of the training years.

    Hyndman & Koehler (2006). Below 1 beats the one-year naive forecast in sample.
    """
    forecast, y, training = (
        check_numbers("forecast", forecast),
        check_numbers("y", y),
        check_numbers("training", training),
    )
    if training.shape[-1] < 2:
        raise UserError("training: found one value, expected at least two (a change to scale by)")
    scale = np.mean(np.abs(np.diff(training, axis=-1)), axis=-1)
    if np.any(scale == 0):
        raise UserError("training: found a constant series, expected one that changes (MASE divides by it)")
    return np.mean(np.abs(y - forecast), axis=-1) / scale


def skill(score: float, reference: float) -> float:
    """Skill of a mean score over a reference forecast's: 1 − score / reference; 0 is no better, 1 perfect."""
    if not reference > 0:
        raise UserError(f"reference: found a mean score of {reference:g}, expected a positive one")
    return 1 - score / reference


def equal_width(p: Array, bins: int) -> NDArray[np.intp]:
    """Bin of each value among `bins` equal ones on 0 to 1; 1 itself belongs to the last."""
    return np.minimum((p * bins).astype(np.intp), bins - 1)


def bin_means(p: Array, outcome: Array, label: NDArray) -> tuple[Array, Array, Array, NDArray[np.intp]]:
    """Count, mean forecast and frequency of each label, and the position of each forecast among them."""
    _, cell = np.unique(label, return_inverse=True)
    n = np.bincount(cell).astype(float)
    return n, np.bincount(cell, p) / n, np.bincount(cell, outcome) / n, cell


def check_numbers(name: str, value: ArrayLike) -> Array:
    """Argument as a float array without missing or infinite values."""
    numbers = np.asarray(value, dtype=float)
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise UserError(f"{name}: found no values, or missing or infinite ones, expected finite numbers")
    return numbers


def check_probabilities(p: ArrayLike, outcome: ArrayLike) -> tuple[Array, Array]:
    """Probabilities and outcomes of one shape, within 0 to 1 and among 0 and 1."""
    p, outcome = check_numbers("p", p), check_numbers("outcome", outcome)
    if p.shape != outcome.shape:
        raise UserError(f"p, outcome: found shapes {p.shape} and {outcome.shape}, expected the same")
    if np.any((p < 0) | (p > 1)):
        raise UserError(f"p: found {p[(p < 0) | (p > 1)][0]:g}, expected probabilities between 0 and 1")
    if not np.isin(outcome, (0, 1)).all():
        raise UserError(f"outcome: found {outcome[~np.isin(outcome, (0, 1))][0]:g}, expected 0 or 1")
    return p, outcome


def _ends(lower: ArrayLike, upper: ArrayLike, y: ArrayLike) -> tuple[Array, Array, Array]:
    ends = np.broadcast_arrays(
        check_numbers("lower", lower), check_numbers("upper", upper), check_numbers("y", y)
    )
    if np.any(ends[0] > ends[1]):
        raise UserError("lower: found one above its upper end, expected lower <= upper")
    return ends[0], ends[1], ends[2]


def _finite_law(df: ArrayLike, location: ArrayLike, scale: ArrayLike, y: ArrayLike) -> tuple[Array, ...]:
    degrees = np.asarray(df, dtype=float)
    law = [check_numbers(name, x) for name, x in (("location", location), ("scale", scale), ("y", y))]
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


def cluster_interval(values: ArrayLike, groups: ArrayLike, level: float = 0.95, seed: int = 0) -> Interval:
    """Mean of `values` with an interval that resamples whole groups (cluster bootstrap, percentiles).

    Parameters
    ----------
    values : one score per forecast, shape (n,).
    groups : origin year (or other cluster) of each forecast, shape (n,); at least two different ones.
    level : probability inside, 0.95 for a 95 % interval.
    seed : of the resampling.

    Notes
    -----
    Field & Welsh (2007). With fewer than about ten groups such an interval is still somewhat too narrow.
    """
    values = check_numbers("values", values)
    counts, (sums, n) = _resampled_sums(groups, seed, values, np.ones_like(values))
    return _interval(values.mean(), (counts @ sums) / (counts @ n), level)


def skill_interval(
    score: ArrayLike, reference: ArrayLike, groups: ArrayLike, level: float = 0.95, seed: int = 0
) -> Interval:
    """Skill of paired scores over a reference, with an interval that resamples whole groups.

    `score` and `reference` hold the two forecasts' scores of the same events; the rest is as in
    `cluster_interval`.
    """
    score, reference = check_numbers("score", score), check_numbers("reference", reference)
    estimate = skill(score.mean(), reference.mean())
    counts, (sums, base) = _resampled_sums(groups, seed, score, reference)
    return _interval(estimate, 1 - (counts @ sums) / (counts @ base), level)


def by_group(
    frame: pd.DataFrame,
    scores: Sequence[str],
    group: str,
    by: Sequence[str] = (),
    *,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean scores per group (origin year), then in total with a cluster-bootstrapped interval.

    Parameters
    ----------
    frame : one row per forecast.
    scores : columns to average.
    group : column of the cluster, for instance "origin".
    by : columns to keep apart, for instance ["model", "horizon"].
    level, seed : as in `cluster_interval`.

    Returns
    -------
    DataFrame
        Columns `by`, `group` (text; "all" for the total), score, n, mean, low, high. Only the total has an
        interval (missing where there is one group only: it says nothing about the spread between groups).
    """
    missing = [name for name in [*scores, group, *by] if name not in frame]
    if missing or frame.empty:
        raise UserError(
            f"scores by group: found {len(frame)} rows without the columns {missing}, expected both"
        )
    parts = frame.groupby(list(by), sort=True) if by else [((), frame)]
    rows = []
    for key, part in parts:
        for score in scores:
            for label, values in part.groupby(group, sort=True)[score]:
                rows.append((*key, str(label), score, len(values), values.mean(), None, None))
            total = _total(part[score], part[group], level, seed)
            rows.append((*key, "all", score, len(part), *total))
    result = pd.DataFrame(rows, columns=[*by, group, "score", "n", "mean", "low", "high"])
    return result.astype({"low": "Float64", "high": "Float64"})


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
    p, outcome = (x.ravel() for x in check_probabilities(p, outcome))
    label = np.round(p * 1000) if bins is None else equal_width(p, bins)
    n, mean_p, frequency, cell = bin_means(p, outcome, label)
    codes, counts = _draw_groups(groups, seed, p.size)
    totals, events = (_cross_sums(codes, cell, weights) for weights in (None, outcome))
    drawn = [_curve(mean_p, c @ totals, c @ events, isotonic=bins is None) for c in counts]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    curve = _curve(mean_p, n, n * frequency, isotonic=bins is None)
    return pd.DataFrame({"p": mean_p, "n": n.astype(int), "frequency": curve, "low": low, "high": high})


def pit_histogram(
    pit: ArrayLike, groups: ArrayLike, bins: int = 10, level: float = 0.9, seed: int = 0
) -> pd.DataFrame:
    """Histogram of PIT values (1 is uniform), with a band that resamples whole groups.

    Returns
    -------
    DataFrame
        Columns left, right, density, low, high; one row per bin of equal width.
    """
    values = check_numbers("pit", pit).ravel()
    if np.any((values < 0) | (values > 1)):
        raise UserError("pit: found a value outside 0 to 1, expected values of a distribution function")
    codes, counts = _draw_groups(groups, seed, values.size)
    sums = np.zeros((int(np.max(codes)) + 1, bins))
    np.add.at(sums, (codes, equal_width(values, bins)), 1.0)
    drawn = counts @ sums
    drawn *= bins / drawn.sum(axis=1, keepdims=True)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    edges = np.linspace(0, 1, bins + 1)
    density = sums.sum(axis=0) * bins / values.size
    return pd.DataFrame(
        {"left": edges[:-1], "right": edges[1:], "density": density, "low": low, "high": high}
    )


def _total(values: pd.Series, groups: pd.Series, level: float, seed: int) -> tuple[float, Any, Any]:
    if groups.nunique() < 2:
        return float(values.mean()), None, None
    return cluster_interval(values, groups, level, seed)


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
