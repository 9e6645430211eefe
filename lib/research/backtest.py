"""Rolling origins on a panel: forecasts that knew only the years up to their origin, against what came.

Everything is vectorised over series. A forecast's score is kept by origin, horizon and size class, because
the flows of one year share its shock: see `lib.analysis.scores` for intervals that respect that.

A flow's own level of the origin is known in the year after, when the panel ends a year earlier (`LAG`): its reference
class and the base rates rest on the years to then.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from lib import law, mixtures
from lib.law import Posterior
from lib.reference import ALL_SIZES, SIZES, USED, Array, pick_class, size_class
from lib.research.base_rates import growth_from
from lib.research.classes import MIN_RATES, estimate
from lib.research.panels import Levels

GOALS = (0.10, 0.15, 0.25, 0.40)

LAG = 1
"""Years that the panel ends before the origin of a forecast made in the year after: BACI of a year appears early in
the second year after it (`lib.reference.last_released`)."""


class Fitted(NamedTuple):
    """Laws of all flows (rows of a panel) that could be forecast at an origin, each with arrays of shape (flows, …).

    `gaps` are `_mean_gap` of each; `outcome` is what came over some years, once some of the flows are taken (`take`).
    """

    origin: int
    flows: NDArray[np.intp]
    classes: NDArray[np.intp]
    models: dict[str, Posterior]
    gaps: dict[str, Array]
    outcome: Array = np.empty(0)


def fit_all(levels: Levels, origin: int, sized: bool = True, lag: int = LAG) -> Fitted:
    """Fit every flow that has a level at the origin and at least `MIN_RATES` growth rates up to it, which vary.

    Nothing after `origin` is looked at, and nothing after `lag` years before it for the reference class. `sized` says
    whether values are US dollars, so that each size class has its own prior.
    """
    now = int(np.searchsorted(levels.years, origin))
    growth = levels.growth[:, :now]
    enough = np.flatnonzero(np.sum(~np.isnan(growth), axis=1) >= MIN_RATES)
    varied = np.zeros(len(growth), dtype=bool)
    varied[enough] = np.nanvar(growth[enough], axis=1, ddof=1) > 1e-10
    flows = np.flatnonzero(~np.isnan(levels.log[:, now]) & varied)
    sizes = size_class(np.exp(levels.log[flows, now])) if sized else np.full(len(flows), ALL_SIZES)
    rates = growth[flows]
    models = {
        USED: _by_class(rates, sizes, estimate(levels, origin - lag)),
        "log_walk": _walk(rates),
        "drift": law.posterior(rates, None, half_life=np.inf),
    }
    return Fitted(origin, flows, sizes, models, {name: _mean_gap(of) for name, of in models.items()})


def _walk(rates: Array) -> Posterior:
    """Random walk of logs without drift; its variance is the mean square of the rates, with as many df."""
    n = np.sum(~np.isnan(rates), axis=-1).astype(float)
    variance, nothing = np.nanmean(rates**2, axis=-1), np.zeros(rates.shape[:-1])
    shares, scales = mixtures.variance_nodes(n)
    sigmas = np.sqrt(variance[..., None] * scales)
    return Posterior(nothing, nothing + np.inf, variance, n, nothing, nothing, shares, sigmas)


def _by_class(growth: Array, classes: NDArray[np.intp], table: pd.DataFrame) -> Posterior:
    """The law of each flow, with the prior of its class as `lib.law.drawn`."""
    parts = [
        law.posterior(growth[classes == index], law.drawn(pick_class(table, int(index))))
        for index in np.unique(classes)
    ]
    back = np.argsort(np.argsort(classes, kind="stable"))
    return Posterior(*(np.concatenate(arrays)[back] for arrays in zip(*parts, strict=True)))


def select(model: Posterior, rows: Any) -> Posterior:
    """Return the same model for some of its flows."""
    return Posterior(*(values[rows] for values in model))


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


PATHS = 256


def chance(model: Posterior, reading: str, horizon: int, rates: Iterable[float]) -> Array:
    """Probability that a goal of each of `rates` a year is reached over `horizon`, shape (rates, flows).

    *On average* in closed form; the others are shares of `PATHS` evenly spread paths, the same for all rates
    (`lib.law.chances`, for one flow at a time, is right to 0.001 and far too slow for thousands).
    """
    if reading == "average":
        return np.stack([law.p_reach(model, horizon * np.log1p(rate), horizon) for rate in rates])
    steps = _growth_paths(model, horizon)
    found = steps.min(axis=1) if reading == "every_year" else np.expm1(np.minimum(steps, 700)).mean(axis=1)
    return np.stack([np.mean(found >= _threshold(reading, rate), axis=-1) for rate in rates])


def _growth_paths(model: Posterior, horizon: int) -> Array:
    """Evenly spread paths of yearly log growth, shape (flows, horizon, `PATHS`): quasi-random numbers of Sobol (1967).

    The first coordinate, in order, picks the component.
    """
    cube = qmc.Sobol(horizon + 1, rng=np.random.default_rng(0)).random(PATHS)
    cube = cube[np.argsort(cube[:, 0])]
    ends = np.searchsorted(cube[:, 0], np.cumsum(model.shares, axis=-1)[:, :-1], side="right")
    sigma = np.repeat(model.sigmas, np.diff(ends, prepend=0, append=PATHS).ravel()).reshape(-1, PATHS)
    beside = np.eye(horizon, k=1) + np.eye(horizon, k=-1)
    spread = np.eye(horizon) + model.autocorrelation[:, None, None] * beside + 1 / model.weight[:, None, None]
    spread[:, 0, 0] -= model.autocorrelation**2  # the latest rate is known: `lib.law.from_posterior`
    steps = sigma[:, None] * (np.linalg.cholesky(spread) @ ndtri(cube[:, 1:]).T)
    steps[:, 0] += model.echo[:, None]
    return steps + model.mean[:, None, None]


def _threshold(reading: str, rate: Any) -> Any:
    """Value of `realised` that a goal of `rate` a year asks for."""
    return rate if reading == "mean_of_rates" else np.log1p(rate)


class Starts(NamedTuple):
    """How often goals were reached from each start, by size class: base rates known at any later origin."""

    first: int
    reached: NDArray[np.int64]  # (starts, classes, goals)
    n: NDArray[np.int64]  # (starts, classes)

    def share(self, known: int, horizon: int, others: "Starts | None" = None) -> Array:
        """Share of starts whose end lies in the years to `known`, (classes, goals); never 0 or 1, NaN without any.

        `others` are starts of an earlier panel that are all known.
        """
        last = max(known - horizon - self.first + 1, 0)
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
    before = levels.log[:, : len(starts)]
    known = ~np.isnan(outcome) & ~np.isnan(before)
    classes = size_class(np.exp(before[known])) if sized else np.zeros(known.sum(), dtype=int)
    passed = np.searchsorted([_threshold(reading, goal) for goal in GOALS], outcome[known], side="right")
    shape = (len(starts), len(SIZES) - 1, len(GOALS) + 1)
    cell = np.ravel_multi_index((np.nonzero(known)[1], classes, passed), shape)
    counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    at_least = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    return Starts(int(levels.years[0]), at_least[..., 1:], at_least[..., 0])


def batch(
    levels: Levels,
    one: Fitted,
    reading: str,
    horizon: int,
    absent_is_zero: bool,
    per_class: int | None = None,
) -> Fitted | None:
    """Forecasts of an origin whose outcome is known; None where the panel ends before, or breaks on the way.

    `per_class` takes a random sample of so many flows of each size class, the same for the same origin.
    """
    now = int(np.searchsorted(levels.years, one.origin))
    if now + horizon >= len(levels.years):
        return None
    outcome = realised(levels, [now], horizon, reading, absent_is_zero)[one.flows, 0]
    rows = np.flatnonzero(~np.isnan(outcome))
    if per_class is not None and len(rows):
        rows = sample(one.classes, rows, per_class, seed=one.origin)
    return take(one, rows, outcome) if len(rows) else None


def take(one: Fitted, rows: NDArray[np.intp], outcome: Array) -> Fitted:
    """Some rows of what was fitted, with the outcome of all."""
    models = {name: select(model, rows) for name, model in one.models.items()}
    gaps = {name: gap[rows] for name, gap in one.gaps.items()}
    return Fitted(one.origin, one.flows[rows], one.classes[rows], models, gaps, outcome[rows])


def sample(classes: NDArray[np.intp], rows: NDArray[np.intp], per_class: int, seed: int) -> NDArray[np.intp]:
    """Up to `per_class` of `rows` from each size class, at random, in order."""
    mixed = np.random.default_rng(abs(seed)).permutation(rows)
    chosen = [mixed[classes[mixed] == index][:per_class] for index in np.unique(classes)]
    return np.sort(np.concatenate(chosen))


def forecasts(of: Fitted, reading: str, horizon: int, base: dict[str, Array]) -> dict[str, Array]:
    """Probability by model that each of `GOALS` is reached, each of shape (goals, flows).

    `base` holds base rates known at the origin, name → (classes, goals). A constant ½ is what knows nothing.
    """
    found = {name: chance(model, reading, horizon, GOALS) for name, model in of.models.items()}
    rows = np.maximum(of.classes, 0)
    found |= {name: share[rows].T for name, share in base.items()}
    return found | {"half": np.full((len(GOALS), len(rows)), 0.5)}


def score_events(of: Fitted, reading: str, horizon: int, base: dict[str, Array]) -> pd.DataFrame:
    """Mean Brier score (brier), probability (p) and outcome (rate) by model, goal and size class."""
    labels, place = np.unique(of.classes, return_inverse=True)
    n = np.bincount(place)
    hit = np.stack([of.outcome >= _threshold(reading, goal) for goal in GOALS]).astype(float)
    found = forecasts(of, reading, horizon, base)

    def means(values: Array) -> Array:
        """By goal and size class, one after the other."""
        return np.concatenate([np.bincount(place, row) / n for row in values])

    scores = pd.DataFrame(
        {
            "size_class": np.tile(labels, len(GOALS) * len(found)),
            "rate": np.tile(means(hit), len(found)),
            "p": np.concatenate([means(p) for p in found.values()]),
            "brier": np.concatenate([means((p - hit) ** 2) for p in found.values()]),
            "n": np.tile(n, len(GOALS) * len(found)),
            "goal": np.tile(np.repeat(GOALS, len(n)), len(found)),
            "model": np.repeat(list(found), len(GOALS) * len(n)),
        }
    ).dropna(subset="brier")  # no base rate is known before its horizon has passed
    return scores.assign(origin=of.origin, horizon=horizon, reading=reading)


NOMINAL = (0.50, 0.80, 0.95)
BINS = 10

_EDGE = 1e-6  # an outcome beyond this is one beyond everything the model thought possible


def score_intervals(of: Fitted, horizon: int) -> pd.DataFrame:
    """Scores of log growth over the horizon by model and size class; flows that vanished are left out.

    Columns: model, size_class, n, crps (log growth), cover50/80/95 (share inside the central interval), above (share
    above the median), z and zz (mean of the probit of the PIT and of its square), pit0 … pit9 (share of PIT values in
    each tenth), origin, horizon.
    """
    there = np.flatnonzero(np.isfinite(of.outcome))
    y, rows = of.outcome[there] * horizon, []
    for name, full in of.models.items():
        model = select(full, there)
        pit = 1 - law.p_reach(model, y, horizon)
        crps = _crps(model, y, horizon, of.gaps[name][there])
        columns = {f"cover{100 * p:.0f}": (np.abs(pit - 0.5) <= p / 2).astype(float) for p in NOMINAL}
        z = ndtri(np.clip(pit, _EDGE, 1 - _EDGE))
        columns |= {"above": (pit > 0.5).astype(float), "z": z, "zz": z**2}
        place = np.minimum((pit * BINS).astype(int), BINS - 1)
        columns |= {f"pit{k}": (place == k).astype(float) for k in range(BINS)} | {"crps": crps}
        means = pd.DataFrame(columns).groupby(of.classes[there])
        rows.append(means.mean().rename_axis("size_class").assign(n=means.size(), model=name).reset_index())
    return pd.concat(rows).assign(origin=of.origin, horizon=horizon)


def _crps(of: Posterior, log_growth: Array, horizon: int, gap: Array) -> Array:
    """CRPS of the growth over `horizon` years (log growth): Grimit, Gneiting, Berrocal & Johnson (2006), eq. 5.

    `gap` is `_mean_gap` of the same posterior, which holds for all horizons.
    """
    error = (log_growth - law.location(of, horizon)) / law.years_worth(of, horizon)
    z = error[..., None] / of.sigmas
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    first = np.sum(of.shares * of.sigmas * (z * (2 * ndtr(z) - 1) + 2 * density), axis=-1)
    return law.years_worth(of, horizon) * (first - gap / 2)


def _mean_gap(of: Posterior) -> Array:
    """Mean distance of two independent draws of the growth, in units of `years_worth`."""
    both = np.sqrt(of.sigmas[..., :, None] ** 2 + of.sigmas[..., None, :] ** 2)
    return np.einsum("...i,...ij,...j->...", of.shares, both, of.shares) * np.sqrt(2 / np.pi)
