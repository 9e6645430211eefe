"""Parents: what a larger flow that contains this one says about its drift.

Harbin's trade with Russia is part of Heilongjiang's, which is part of China's. A flow with few figures of its
own takes its prior drift from the reference class, moved by what is special about its parent:

    drift = class drift + weight × (parent's drift − drift of the parent's own class)

The parent's drift is itself shrunk to its class, and moved by *its* parent in the same way. The weight is
estimated on panels in which sub-flows and totals are both known (`estimate_weight`) and kept in
``data/reference/parent_weights.csv``: there a sub-flow takes over the whole difference, whether or not it has
figures of its own, so the weight is 1; the difference itself is small once it is shrunk.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lib import forecast
from lib.backtests import backtest
from lib.errors import UserError
from lib.forecast import Prior
from lib.panels import Array, Levels, size_class
from lib.reference import estimate, pick_class, read_kept

HORIZONS = (1, 2, 3, 5)
MAIN_CLASS = 2
"""Weights are estimated on sub-flows of this size class and above (10 mn USD)."""


class Parent(NamedTuple):
    """A flow that contains the one to be forecast: its name, yearly log growth rates, and reference class."""

    name: str
    growth: ArrayLike
    prior: Prior


def prior_with_parents(
    reference: Prior,
    parents: Sequence[Parent],
    own: ArrayLike = (),
    weight: float | None = None,
) -> tuple[Prior, pd.DataFrame]:
    """Prior of a sub-flow from its reference class and its parents, and how much comes from where.

    Parameters
    ----------
    reference : prior of the flow's own size class.
    parents : from the nearest (the province) to the farthest (the country).
    own : the flow's own log growth rates, as they will be given to `lib.forecast.fit`; they do not change the
        prior, only the shares.
    weight : of a parent's difference from its class, 0 to 1; by default the kept one.

    Returns
    -------
    The prior, and a DataFrame with one row for each source (own figures, each parent, reference class):
    share (of the posterior drift, adding up to 1), drift (that the source states, log growth a year) and
    contribution (share × drift, adding up to the posterior drift).
    """
    weight = kept_weight() if weight is None else weight
    if not 0 <= weight <= 1:
        raise UserError(f"weight of parents: found {weight}, expected 0 to 1")
    rates = np.asarray(own, dtype=float)
    shares, drifts, left = [], [], 1.0 - float(forecast.fit(rates, reference).own_share)
    for parent in parents:
        model = forecast.fit(np.asarray(parent.growth, dtype=float), parent.prior)
        shares.append(left * weight * float(model.own_share))
        left *= weight * (1 - float(model.own_share))
        drifts.append(reference.drift + _own_mean(parent.growth, parent.prior) - parent.prior.drift)
    kept = 1.0 - float(forecast.fit(rates, reference).own_share)
    moved = sum(s * (d - reference.drift) for s, d in zip(shares, drifts, strict=True)) / kept
    names = ", ".join(parent.name for parent in parents)
    source = f"{reference.source}; drift moved by {names}" if parents else reference.source
    table = pd.DataFrame(
        {
            "source": ["own figures", *(parent.name for parent in parents), "reference class"],
            "share": [1 - kept, *shares, kept - sum(shares)],
            "drift": [_own_mean(rates, reference), *drifts, reference.drift],
        }
    )
    table["contribution"] = table["share"] * table["drift"]
    return replace(reference, drift=reference.drift + moved, source=source), table


def _own_mean(growth: ArrayLike, prior: Prior) -> float:
    """Mean of the rates there are; the prior's drift where there is none, since it then has no weight."""
    rates = np.asarray(growth, dtype=float)
    rates = rates[~np.isnan(rates)]
    return float(rates.mean()) if rates.size else prior.drift


def kept_weight() -> float:
    """Weight of a parent: the median of the kept slopes, within 0 and 1."""
    return float(np.clip(read_kept("parent_weights.csv")["slope"].median(), 0, 1))


def estimate_weight(
    sub: Levels, parent: Levels, parent_of: NDArray[np.intp], origins: Iterable[int], seed: int = 0
) -> pd.DataFrame:
    """How much of a parent's shrunk difference from its class its sub-flows share in the years that follow.

    Parameters
    ----------
    sub, parent : panels as arrays with the same years; `parent_of` names the row of each sub-flow's parent.
    origins : years up to which the parents' drift is known.
    seed : of the resampling of whole origins.

    Returns
    -------
    DataFrame by horizon: slope of later growth a year on the parent's difference (both as deviations from the
    mean of the size class and origin), low and high (5 % and 95 %, whole origins resampled), n, and the Brier
    score of goals of `lib.backtests.backtest.GOALS` for a flow without figures of its own, with weight 0 and 1.
    """
    sums: dict[int, list[tuple[float, ...]]] = {horizon: [] for horizon in HORIZONS}
    for origin in origins:
        now = int(np.searchsorted(sub.years, origin))
        classes = size_class(np.exp(sub.log[:, now]))
        difference = _differences(parent, origin)[parent_of]
        used = (classes >= MAIN_CLASS) & ~np.isnan(difference)
        for horizon in HORIZONS:
            if now + horizon < len(sub.years):
                outcome = backtest.realised(sub, [now], horizon, "average", True)[:, 0]
                table = estimate(sub, origin)
                score = [
                    _brier(table, classes[used], weight * difference[used], outcome[used], horizon)
                    for weight in (0, 1)
                ]
                known = used & np.isfinite(outcome)
                sums[horizon].append((*_moments(outcome[known], difference[known], classes[known]), *score))
    return pd.DataFrame([{"horizon": h, **_slope(np.array(rows), seed)} for h, rows in sums.items() if rows])


def _differences(parent: Levels, origin: int) -> Array:
    """Shrunk drift of each parent minus the drift of its class; NaN where it has no level at the origin."""
    now = int(np.searchsorted(parent.years, origin))
    classes = size_class(np.exp(parent.log[:, now]))
    table, found = estimate(parent, origin), np.full(len(classes), np.nan)
    for index in np.unique(classes[classes >= 0]):
        prior, members = pick_class(table, int(index)), classes == index
        found[members] = forecast.fit(parent.growth[members, :now], prior).mean - prior.drift
    return found


def _moments(outcome: Array, difference: Array, classes: NDArray[np.intp]) -> tuple[float, float, int]:
    """Cross product and square of deviations from class means; extreme growth is pulled in at 1 %."""
    frame = pd.DataFrame({"y": np.clip(outcome, *np.quantile(outcome, [0.01, 0.99])), "x": difference})
    deviation = frame - frame.groupby(classes).transform("mean")
    return float((deviation["x"] * deviation["y"]).sum()), float((deviation["x"] ** 2).sum()), len(frame)


def _brier(
    table: pd.DataFrame, classes: NDArray[np.intp], moved: Array, outcome: Array, horizon: int
) -> float:
    known = ~np.isnan(outcome)
    scores = []
    for index in np.unique(classes[known]):
        members = known & (classes == index)
        prior = pick_class(table, int(index))
        prior = replace(prior, drift=prior.drift + moved[members])  # one drift for each flow
        model = forecast.fit(np.full((members.sum(), 1), np.nan), prior)
        for goal in backtest.GOALS:
            hit = outcome[members] >= np.log1p(goal)
            scores.append((backtest.chance(model, "average", horizon, goal) - hit) ** 2)
    return float(np.concatenate(scores).mean())


def _slope(rows: Array, seed: int) -> dict[str, Any]:
    drawn = np.random.default_rng(seed).integers(0, len(rows), (1000, len(rows)))
    slopes = rows[drawn, 0].sum(axis=1) / rows[drawn, 1].sum(axis=1)
    low, high = np.quantile(slopes, [0.05, 0.95])
    brier = np.average(rows[:, 3:], axis=0, weights=rows[:, 2])
    return {
        "slope": rows[:, 0].sum() / rows[:, 1].sum(),
        "low": low,
        "high": high,
        "n": int(rows[:, 2].sum()),
        "brier_without": brier[0],
        "brier_with": brier[1],
    }
