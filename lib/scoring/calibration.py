"""How sure a mean score is, and whether probabilities happen as often as they say.

Forecasts made in the same year share that year's shock, so every interval here resamples whole groups (origin
years), never single forecasts; means are shown by group before they are pooled.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lib.errors import UserError
from lib.scoring.scores import bin_means, check_numbers, check_probabilities, equal_width, skill

Array = NDArray[np.float64]

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
