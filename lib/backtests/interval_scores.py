"""Scores of whole predictive distributions in a backtest: CRPS, interval coverage and score, PIT."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from lib import past_errors
from lib.backtests.backtest import Batch, select
from lib.forecast import GrowthModel, location, spread
from lib.panels import Array
from lib.scoring.scores import coverage, crps_t, interval_score

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
