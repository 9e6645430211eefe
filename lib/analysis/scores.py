"""How good earlier forecasts were: the kept scores as frames, with intervals over resampled origins.

Forecasts made in the same year share that year's shock, so every interval here resamples whole groups (origin years),
never single forecasts (cluster bootstrap, percentiles; Field & Welsh 2007). With fewer than about ten groups such an
interval is still somewhat too narrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from lib.reference import USED, Array, read_scores

if TYPE_CHECKING:  # research uses the means and intervals, which rest on no case
    from lib.analysis.cases import ScoreCase

BASE = "base_rate_long"

DRAWS = 1000  # bootstrap samples: the ends of a 90 % interval rest on 50 of them each


class Interval(NamedTuple):
    """A mean and the 90 % interval around it."""

    estimate: float
    low: float
    high: float


def _resampled(groups: ArrayLike, *values: ArrayLike, seed: int = 0) -> Array:
    """Sums of some values, each of shape (n,), over drawn groups: shape (`DRAWS`, values)."""
    codes, labels = pd.factorize(np.asarray(groups), sort=True)
    sums = np.stack([np.bincount(codes, np.asarray(x, dtype=float)) for x in values], axis=1)
    share = np.full(labels.size, 1 / labels.size)
    counts = np.random.default_rng(seed).multinomial(labels.size, share, size=DRAWS)
    return np.asarray(counts @ sums, dtype=float)


def _interval(estimate: float, drawn: Array) -> Interval:
    return Interval(float(estimate), *np.quantile(drawn, [0.05, 0.95]).tolist())


def _mean_interval(values: ArrayLike, groups: ArrayLike, weights: Any = None, seed: int = 0) -> Interval:
    """Mean with an interval that resamples groups.

    `values` are one score per forecast, or the mean of some of one group, `groups` their origin years (or other clusters;
    at least two), `weights` the number of forecasts behind each, 1 by default; all of shape (n,).
    """
    values = np.asarray(values, dtype=float)
    each = np.ones_like(values) if weights is None else np.asarray(weights, dtype=float)
    sums, n = _resampled(groups, values * each, each, seed=seed).T
    return _interval(np.average(values, weights=each), sums / n)


def skill_interval(score: pd.Series, reference: pd.Series, groups: ArrayLike) -> Interval:
    """Skill of paired scores over a reference's, 1 − score / reference: 0 is no better, 1 perfect."""
    sums, base = _resampled(groups, score, reference).T
    return _interval(1 - score.mean() / reference.mean(), 1 - sums / base)


def contest(
    score: ArrayLike, other: ArrayLike, groups: ArrayLike, weights: Any = None
) -> tuple[str, Interval]:
    """Whether a forecast's scores are "better" or "worse" than another's of the same events, or "level" with them.

    Level they are where the interval of the mean difference (`_mean_interval`, paired) holds zero, or there is one group
    alone. That difference comes second: negative where the first is better.
    """
    apart = np.asarray(score, dtype=float) - np.asarray(other, dtype=float)
    if len(np.unique(np.asarray(groups))) < 2:
        return "level", Interval(float(np.average(apart, weights=weights)), -np.inf, np.inf)
    found = _mean_interval(apart, groups, weights)
    return ("better" if found.high < 0 else "worse" if found.low > 0 else "level"), found


def curve(p: ArrayLike, outcome: ArrayLike, groups: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Observed frequency (met) against forecast probability (p) in bins of one width, with 90 % bands that resample groups.

    One row a bin that is not empty, with its number of forecasts (n).
    """
    p, outcome = np.asarray(p, dtype=float), np.asarray(outcome, dtype=float)
    cell = np.minimum((p * bins).astype(int), bins - 1)
    rows = pd.DataFrame({"p": p, "met": outcome}).groupby(cell)
    found = rows.mean().assign(n=rows.size())
    inside = [cell == one for one in found.index]
    totals, events = np.split(_resampled(groups, *inside, *(outcome * x for x in inside)), 2, axis=1)
    # Bins that a resample left empty take the value between their neighbours.
    both = zip(totals, events, strict=True)
    drawn = [np.interp(found["p"], found["p"][n > 0], m[n > 0] / n[n > 0]) for n, m in both]
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    return found.assign(low=low, high=high).reset_index(drop=True)


def of_goal(case: ScoreCase, name: str) -> pd.DataFrame:
    """Kept scores of events of the case's goal."""
    rows = read_scores(name)
    return rows[np.isclose(rows["goal"], case.goal_pct / 100)]


def _within(case: ScoreCase, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the case's origins."""
    return rows[rows["origin"].between(case.first_origin, case.last_origin)]


def events(case: ScoreCase) -> pd.DataFrame:
    """Brier scores of the case's goal and origins, by reading, horizon, origin and model."""
    return _within(case, of_goal(case, "trade_events"))


def pooled(rows: pd.DataFrame, columns: list[str], by: str | list[str] = "model") -> pd.DataFrame:
    """Means weighted by the number of forecasts, with that number (n)."""
    sums = rows[columns].astype(float).mul(rows["n"], axis=0).assign(n=rows["n"])
    totals = sums.groupby([rows[name] for name in ([by] if isinstance(by, str) else by)]).sum()
    return totals[columns].div(totals["n"], axis=0).assign(n=totals["n"])


def wide(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Mean Brier score by model (rows) and another name (columns), the best of the first column first."""
    found = pooled(rows, ["brier"], ["model", by])["brier"].unstack()
    return found.sort_values(list(found.columns[:1])).rename_axis(columns=None)


def against(rows: pd.DataFrame, other: str) -> str:
    """Whether the Brier scores of the forecast used here are better or worse than another model's, or level with them.

    `rows` hold scores by origin and model (and perhaps goal or horizon); whole origins are resampled.
    """
    keys = ["origin", *rows.columns.intersection(["panel", "reading", "horizon", "goal"])]
    pairs = rows[rows["model"] == USED].merge(rows[rows["model"] == other], on=keys, suffixes=("", "_other"))
    return contest(pairs["brier"], pairs["brier_other"], pairs["origin"], pairs["n"])[0]


def intervals(case: ScoreCase) -> pd.DataFrame:
    """Kept scores of the intervals of the forecast used here at the case's horizon, by origin."""
    rows = _within(case, read_scores("trade_intervals"))
    return rows[(rows["model"] == USED) & (rows["horizon"] == case.years)].set_index("origin").sort_index()


def _worst_expected(common: float, origins: int) -> tuple[float, float]:
    """Range (90 %) of the coverage of 80 % intervals in the worst of some origins, were they calibrated.

    The probit of the PIT is √common·(shock of the year) + √(1 − common)·(of the flow), both standard normal; an interval
    covers least in the year whose shock is largest. The years are taken as independent; those that overlap show less.
    """
    largest = np.array([0.95, 0.05]) ** (1 / origins)  # of the shocks of so many years, by size
    shock, half, own = np.sqrt(common) * ndtri((1 + largest) / 2), ndtri(0.9), np.sqrt(1 - common)
    low, high = ndtr((half - shock) / own) - ndtr((-half - shock) / own)
    return float(low), float(high)


def worst_origin(case: ScoreCase) -> dict[str, Any]:
    """The origin whose 80 % intervals held least, beside what calibrated ones would show.

    Returns
    -------
    origin, coverage, common (share of the variance that flows of one origin have in common), low, high (90 % range of
    calibrated ones) and told: whether the coverage lies within the range, below or above. One origin alone says
    nothing of it: then told is "unknown", and common, low and high are absent.
    """
    rows = intervals(case)
    worst = {"origin": int(rows["cover80"].idxmin()), "coverage": float(rows["cover80"].min())}
    if len(rows) < 2:
        return worst | {"told": "unknown"}
    within = float(np.average(rows["zz"] - rows["z"] ** 2, weights=rows["n"]))
    between = float(rows["z"].var(ddof=1))
    common = between / (between + within)
    low, high = _worst_expected(common, len(rows))
    told = "below" if worst["coverage"] < low else "above" if worst["coverage"] > high else "within"
    return worst | {"common": common, "low": low, "high": high, "told": told}
