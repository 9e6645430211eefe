"""Rolling origins on a panel: forecasts that knew only the years up to their origin, against what came.

Everything is vectorised over series. A forecast's score is kept by origin, horizon and size class, because
the flows of one year share its shock: see `lib.analysis.scores` for intervals that respect that.

Scores of whole predictive distributions in a backtest: CRPS, interval coverage and score, PIT.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from lib import forecast, past_errors
from lib.analysis.scores import coverage, crps_t, interval_score
from lib.forecast import GrowthModel, location, spread
from lib.reference import ALL_SIZES, SIZES, Array, pick_class, size_class
from lib.research.base_rates import growth_from
from lib.research.classes import MIN_RATES, estimate
from lib.research.panels import Levels

GOALS = (0.10, 0.15, 0.25, 0.40)

MODELS = ("eb", "log_walk", "drift")
"""Empirical Bayes; driftless walk of logs; random walk with drift under a flat prior (no reference class)."""


class Fitted(NamedTuple):
    """Growth models of all flows that could be forecast at an origin, each with arrays of shape (flows,)."""

    origin: int
    flows: NDArray[np.intp]
    classes: NDArray[np.intp]
    models: dict[str, GrowthModel]


def fit_all(levels: Levels, origin: int, sized: bool = True) -> Fitted:
    """Fit every flow that has a level at the origin and at least four growth rates up to it.

    Parameters
    ----------
    levels : a panel as arrays; nothing after `origin` is looked at.
    origin : last year known.
    sized : whether values are US dollars, so that each size class has its own prior.
    """
    now = int(np.searchsorted(levels.years, origin))
    growth = levels.growth[:, :now]
    varied = np.nan_to_num(_variance(growth)) > 1e-10
    flows = np.flatnonzero(~np.isnan(levels.log[:, now]) & varied)
    sizes = size_class(np.exp(levels.log[flows, now])) if sized else np.full(len(flows), ALL_SIZES)
    table = estimate(levels, origin)
    bayes = _by_class(growth[flows], sizes, table)
    rates = growth[flows]
    n = np.sum(~np.isnan(rates), axis=1).astype(float)
    zero = np.zeros(len(flows))
    walk = GrowthModel(zero, zero + np.inf, np.nanmean(rates**2, axis=1), n, n, zero)
    return Fitted(origin, flows, sizes, {"eb": bayes, "log_walk": walk, "drift": forecast.fit(rates)})


def _variance(growth: Array) -> Array:
    """Variance of each series with at least `MIN_RATES` rates, NaN for the others."""
    enough = np.sum(~np.isnan(growth), axis=1) >= MIN_RATES
    found = np.full(len(growth), np.nan)
    found[enough] = np.nanvar(growth[enough], axis=1, ddof=1)
    return found


def _by_class(growth: Array, classes: NDArray[np.intp], table: pd.DataFrame) -> GrowthModel:
    parts: dict[str, Array] = {field.name: np.empty(len(growth)) for field in fields(GrowthModel)}
    for index in np.unique(classes):
        members = classes == index
        model = forecast.fit(growth[members], pick_class(table, int(index)))
        for name, values in parts.items():
            values[members] = getattr(model, name)
    return GrowthModel(**parts)


def select(model: GrowthModel, rows: Any) -> GrowthModel:
    """Return the same model for some of its flows."""
    changes = {
        f.name: np.asarray(getattr(model, f.name))[rows] for f in fields(model) if _is_array(model, f.name)
    }
    return replace(model, **changes)


def _is_array(model: GrowthModel, name: str) -> bool:
    return np.ndim(getattr(model, name)) > 0


def realised(
    levels: Levels, starts: Sequence[int], horizon: int, reading: str, absent_is_zero: bool
) -> Array:
    """What a goal of each reading is compared with, shape (series, starts); starts are columns of `levels`.

    average: log growth a year over the horizon; every_year: lowest yearly log growth; mean_of_rates: mean of
    the simple yearly rates. −inf where a flow vanished on the way and absence means no trade, NaN where the
    outcome is not known.
    """
    if reading == "average":
        return growth_from(levels, starts, horizon, absent_is_zero) / horizon
    steps = np.stack([levels.growth[:, np.asarray(starts) + k] for k in range(horizon)])
    simple = np.expm1(np.minimum(steps, 700))
    found = steps.min(axis=0) if reading == "every_year" else simple.mean(axis=0)
    if absent_is_zero:
        started = ~np.isnan(levels.log[:, starts])
        found[started & np.isnan(found)] = -np.inf
    return found


def chance(model: GrowthModel, reading: str, horizon: int, rate: Any) -> Any:
    """Probability that a goal of `rate` a year (fraction, or one for each flow) is reached over `horizon`."""
    if reading == "average":
        return forecast.p_reach(model, horizon * np.log1p(rate), horizon)
    if reading == "every_year":
        return forecast.p_every_year(model, rate, horizon)
    return forecast.p_mean_rate(model, horizon * np.asarray(rate), horizon)


def threshold(reading: str, rate: Any) -> Any:
    """Value of `realised` that a goal of `rate` a year asks for."""
    return rate if reading == "mean_of_rates" else np.log1p(rate)


def pit(model: GrowthModel, reading: str, horizon: int, outcome: Array) -> Array:
    """Probability that the model gave to outcomes up to the one observed; 0 for a flow that vanished."""
    found = np.zeros(len(outcome))
    there = ~np.isneginf(outcome)
    rate = outcome[there] if reading == "mean_of_rates" else np.expm1(outcome[there])
    found[there] = 1 - chance(select(model, there), reading, horizon, rate)
    return found


class Starts(NamedTuple):
    """How often goals were reached from each start, by size class: base rates known at any later origin."""

    first: int
    reached: NDArray[np.int64]  # (starts, classes, goals)
    n: NDArray[np.int64]  # (starts, classes)

    def share(self, origin: int, horizon: int, others: "Starts | None" = None) -> Array:
        """Share of starts whose end is known at the origin, (classes, goals); never 0 or 1, NaN without any.

        `others` are starts of an earlier panel that are all known.
        """
        last = max(origin - horizon - self.first + 1, 0)
        reached, n = self.reached[:last].sum(axis=0), self.n[:last].sum(axis=0)
        if others is not None:
            reached, n = reached + others.reached.sum(axis=0), n + others.n.sum(axis=0)
        return np.where(n[:, None] > 0, (reached + 0.5) / (n[:, None] + 1), np.nan)


def count_starts(
    levels: Levels, reading: str, horizon: int, absent_is_zero: bool, sized: bool = True
) -> Starts:
    """Count from every start how many flows of each size class reached each of `GOALS`."""
    starts = range(len(levels.years) - horizon)
    outcome = realised(levels, starts, horizon, reading, absent_is_zero)
    known = ~np.isnan(outcome) & ~np.isnan(levels.log[:, : len(starts)])
    classes = size_class(np.exp(levels.log[:, : len(starts)])) if sized else np.zeros(known.shape, dtype=int)
    limits = [threshold(reading, goal) for goal in GOALS]
    n = np.stack([(known & (classes == k)).sum(axis=0) for k in range(len(SIZES) - 1)], axis=-1)
    reached = [
        [(known & (classes == k) & (outcome >= limit)).sum(axis=0) for limit in limits]
        for k in range(len(SIZES) - 1)
    ]
    return Starts(int(levels.years[0]), np.moveaxis(np.array(reached), -1, 0), n)


class Batch(NamedTuple):
    """Forecasts of one origin, reading and horizon whose outcome is known: arrays of shape (flows,)."""

    origin: int
    classes: NDArray[np.intp]
    models: dict[str, GrowthModel]
    outcome: Array
    pit: Array


def batches(
    levels: Levels,
    fitted: Sequence[Fitted],
    reading: str,
    horizon: int,
    absent_is_zero: bool,
    per_class: int | None = None,
) -> list[Batch]:
    """Forecasts of every origin whose outcome is known, oldest first.

    `per_class` takes a random sample of so many flows of each size class, the same for the same origin.
    """
    found = []
    for one in fitted:
        now = int(np.searchsorted(levels.years, one.origin))
        if now + horizon >= len(levels.years):
            continue
        outcome = realised(levels, [now], horizon, reading, absent_is_zero)[one.flows, 0]
        rows = np.flatnonzero(~np.isnan(outcome))
        if not len(rows):  # the years ahead lie across a break of the panel
            continue
        if per_class is not None:
            rows = sample(one.classes, rows, per_class, seed=one.origin)
        models = {name: select(model, rows) for name, model in one.models.items()}
        transform = pit(models["eb"], reading, horizon, outcome[rows])
        found.append(Batch(one.origin, one.classes[rows], models, outcome[rows], transform))
    return found


def sample(classes: NDArray[np.intp], rows: NDArray[np.intp], per_class: int, seed: int) -> NDArray[np.intp]:
    """Up to `per_class` of `rows` from each size class, at random, in order."""
    mixed = np.random.default_rng(abs(seed)).permutation(rows)  # contests count years from minus twelve
    chosen = [mixed[classes[mixed] == index][:per_class] for index in np.unique(classes)]
    return np.sort(np.concatenate(chosen))


def shapes(past: Sequence[Batch], horizon: int, origin: int) -> dict[int, Array]:
    """Shape of past errors by size class, from the forecasts whose outcome was known at the origin."""
    known = [batch for batch in past if batch.origin + horizon <= origin]
    if not known:
        return {}
    classes, transform = (np.concatenate([getattr(b, name) for b in known]) for name in ("classes", "pit"))
    start = np.concatenate([np.full(len(b.pit), b.origin) for b in known])
    found = {}
    for index in np.unique(classes):
        knots = past_errors.learn(transform[classes == index], start[classes == index])
        if knots is not None:
            found[int(index)] = knots
    return found


def reshape(p: Array, classes: NDArray[np.intp], shape: dict[int, Array]) -> Array:
    """Probabilities of reaching a goal, shape (flows,), corrected by the past errors of each flow's class."""
    result = np.array(p, dtype=float)
    for index, knots in shape.items():
        members = classes == index
        result[members] = past_errors.apply(result[members], knots)
    return result


def forecasts(
    batch: Batch, reading: str, horizon: int, goal: float, shape: dict[int, Array], base: dict[str, Array]
) -> dict[str, Array]:
    """Probability by model that the goal is reached, each of shape (flows,).

    `base` holds base rates known at the origin, name → (classes, goals).
    """
    found = {name: chance(model, reading, horizon, goal) for name, model in batch.models.items()}
    found["eb_past_errors"] = reshape(found["eb"], batch.classes, shape)
    rows = np.maximum(batch.classes, 0)
    return found | {name: share[rows, GOALS.index(goal)] for name, share in base.items()}


def score_events(
    batch: Batch, reading: str, horizon: int, shape: dict[int, Array], base: dict[str, Array]
) -> pd.DataFrame:
    """Mean Brier score (brier), probability (p) and outcome (rate) by model, goal and size class."""
    rows = []
    for goal in GOALS:
        hit = (batch.outcome >= threshold(reading, goal)).astype(float)
        p = forecasts(batch, reading, horizon, goal, shape, base)
        frame = pd.DataFrame({"size_class": batch.classes, "rate": hit})
        for name, values in p.items():
            means = frame.assign(p=values, brier=(values - hit) ** 2).groupby("size_class")
            rows.append(means.mean().assign(n=means.size(), goal=goal, model=name).reset_index())
    scores = pd.concat(rows).dropna(subset="brier")  # no base rate is known before its horizon has passed
    return scores.assign(origin=batch.origin, horizon=horizon, reading=reading)


NOMINAL = (0.50, 0.80, 0.95)

BINS = 10

_GRID = (
    np.arange(1, 40) - 0.5
) / 39  # levels at which the pinball loss is added up where no closed form exists


def score_intervals(batch: Batch, horizon: int, shape: dict[int, Array]) -> pd.DataFrame:
    """Scores of log growth over the horizon by model and size class; flows that vanished are left out.

    Returns
    -------
    DataFrame: model, size_class, n, crps (log growth), cover50/80/95 (share inside the central interval),
    score50/80/95 (interval score, log growth), pit0 … pit9 (share of PIT values in each tenth), origin,
    horizon.
    """
    there = np.flatnonzero(np.isfinite(batch.outcome))
    y, classes = batch.outcome[there] * horizon, batch.classes[there]
    rows = []
    for name, full in batch.models.items():
        model = select(full, there)
        crps = crps_t(model.df, location(model, horizon), spread(model, horizon), y)
        laws: dict[str, tuple[dict[int, Array], Array]] = {name: ({}, crps)}
        if name == "eb":
            laws["eb_past_errors"] = (shape, _crps_from_quantiles(model, horizon, classes, shape, y))
        for label, (used, scores) in laws.items():
            frame = _interval_columns(model, horizon, classes, used, y).assign(crps=scores)
            means = frame.groupby(classes)
            rows.append(
                means.mean().rename_axis("size_class").assign(n=means.size(), model=label).reset_index()
            )
    return pd.concat(rows).assign(origin=batch.origin, horizon=horizon)


def _interval_columns(
    model: GrowthModel, horizon: int, classes: NDArray[np.intp], shape: dict[int, Array], y: Array
) -> pd.DataFrame:
    columns = {}
    for nominal in NOMINAL:
        low, high = quantiles(model, horizon, classes, shape, np.array([1 - nominal, 1 + nominal]) / 2).T
        columns[f"cover{100 * nominal:.0f}"] = coverage(low, high, y)
        columns[f"score{100 * nominal:.0f}"] = interval_score(low, high, y, 1 - nominal)
    tenths = quantiles(model, horizon, classes, shape, np.arange(1, BINS) / BINS)
    place = (y[:, None] > tenths).sum(axis=1)
    return pd.DataFrame(columns | {f"pit{k}": (place == k).astype(float) for k in range(BINS)})


def quantiles(
    model: GrowthModel, horizon: int, classes: NDArray[np.intp], shape: dict[int, Array], levels: Array
) -> Array:
    """Quantiles of log growth over the horizon, shape (flows, levels), corrected by the shape of past errors.

    An empty `shape` corrects nothing.
    """
    standard = np.empty((len(classes), len(levels)))
    for index in np.unique(classes):
        members = classes == index
        asked = levels
        if int(index) in shape:  # what gets corrected is the probability of exceeding a quantile
            asked = 1 - past_errors.invert(1 - levels, shape[int(index)])
        df, back = np.unique(model.df[members], return_inverse=True)  # few differ, and the function is slow
        standard[members] = stdtrit(df[:, None], asked)[back]
    return location(model, horizon)[:, None] + spread(model, horizon)[:, None] * standard


def _crps_from_quantiles(
    model: GrowthModel, horizon: int, classes: NDArray[np.intp], shape: dict[int, Array], y: Array
) -> Array:
    """CRPS as twice the mean pinball loss over evenly spread levels (Gneiting & Ranjan 2011, eq. 17)."""
    at = quantiles(model, horizon, classes, shape, _GRID)
    error = y[:, None] - at
    return 2 * np.mean(np.maximum(_GRID * error, (_GRID - 1) * error), axis=1)
