"""Size classes of a panel: the five numbers a class of flows makes a prior of, estimated from the years up to an origin."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import sem

from lib.errors import UserError
from lib.reference import ALL_SIZES, SIZES, Array, size_class
from lib.research.panels import BACI, OEC, WDI, Levels, Panel, Progress, Tables, load, read_panel, to_levels

MIN_RATES = 4
"""Growth rates that a series needs to say something about its own variance."""

MIN_SERIES = 30
"""Series that a size class needs to have numbers of its own; a smaller class takes those of the nearest."""

TRIM = 0.005
"""Share of growth rates at either end that is pulled in before pooling: panels contain reporting faults."""

CONSTANT = 1e-12
"""Variance of yearly log growth up to which a series counts as constant."""

PRIOR_COLUMNS = ("drift", "drift_sd", "variance", "df", "autocorrelation", "drift_error")


def estimate(levels: Levels, origin: int, lags: Sequence[int] = (1, 2)) -> pd.DataFrame:
    """Empirical-Bayes hyperparameters by size class, from the years up to `origin` only.

    One row for all sizes (size_class −1) and one for each class of at least `MIN_SERIES` series: series, rates (how
    many of each), drift (mean log growth a year by size in the year before), drift_sd (between flows), variance and
    df (of yearly log growth within a flow, moments of ln s², Smyth 2004, eqs 5–8), autocorrelation (all `lags`
    together, within a flow, common year effects removed), drift_error (standard error of the drift: of the class's
    mean growth over years, since its flows share the shocks of a year).
    """
    known = int(np.searchsorted(levels.years, origin, side="right"))
    if known < MIN_RATES + 1:
        first, last = levels.years[0], levels.years[0] + MIN_RATES
        raise UserError(f"origin: found {origin}; the panel starts in {first}, expected {last} or later")
    log, growth = levels.log[:, :known], levels.growth[:, : known - 1]
    before = size_class(np.exp(log[:, :-1]))
    usual = size_class(np.exp(pd.DataFrame(log).median(axis=1).to_numpy()))
    rates = ~np.isnan(growth)
    rows = []
    for index in [ALL_SIZES, *range(len(SIZES) - 1)]:
        everything = index == ALL_SIZES
        pooled, series = rates & (everything | (before == index)), everything | (usual == index)
        row = _estimate_class(growth, pooled, series, lags)
        if row is not None:
            rows.append({"size_class": index, **row})
    if not rows:
        raise UserError(
            f"origin {origin}: found fewer than {MIN_SERIES} series with {MIN_RATES} growth rates that vary,"
            " expected more for a reference class"
        )
    return pd.DataFrame(rows)


def _estimate_class(
    growth: Array, pooled: NDArray[np.bool_], series: NDArray[np.bool_], lags: Sequence[int]
) -> dict | None:
    """Hyperparameters: drift from the rates marked in `pooled`, the rest from the series in `series`."""
    count = np.sum(~np.isnan(growth[series]), axis=1)
    enough = count >= MIN_RATES
    if enough.sum() < MIN_SERIES or not pooled.any():
        return None
    low, high = np.quantile(growth[pooled], [TRIM, 1 - TRIM])
    own = np.clip(growth[series][enough], low, high)
    spread = np.nanvar(own, axis=1, ddof=1)
    if np.sum(spread > CONSTANT) < 2:
        return None
    variance, df = moderate(spread, count[enough] - 1)
    own = own[:, ~np.isnan(own).all(axis=0)]
    own = own - np.nanmean(own, axis=0)  # what all flows of the class share in a year
    by_year = [np.clip(g[p], low, high).mean() for g, p in zip(growth.T, pooled.T, strict=True) if p.any()]
    return {
        "series": int(enough.sum()),
        "rates": int(pooled.sum()),
        "drift": float(np.clip(growth[pooled], low, high).mean()),
        "drift_sd": lasting_sd(own),
        "variance": variance,
        "df": df,
        "autocorrelation": _autocorrelation(own, lags),
        "drift_error": float(sem(by_year)),
    }


def lasting_sd(values: Array) -> float:
    """Standard deviation of lasting differences between series: covariance of their means in odd and even years.

    The variance of the means would also contain noise; two disjoint sets of years share only what lasts.
    """
    even, odd = (pd.DataFrame(values[:, start::2]).mean(axis=1) for start in (0, 1))
    return float(np.sqrt(max(np.nan_to_num(even.cov(odd)), 0.0)))


def _autocorrelation(deviation: Array, lags: Sequence[int]) -> float:
    """Slopes of a year's growth on that of so many years before, added; from −0.45 to 0.

    What a flow gives back of a jump it gives back within two years. A positive sum is a shared shock that lasts;
    carrying it on made forecasts worse.
    """
    total = 0.0
    for lag in lags:
        after, before = deviation[:, lag:], deviation[:, :-lag]
        both = ~np.isnan(after) & ~np.isnan(before)
        squares = np.sum(before[both] ** 2)
        total += float(np.sum(after[both] * before[both]) / squares) if squares else 0.0
    return float(np.clip(total, -0.45, 0.0))


def moderate(s2: Array, df: Array) -> tuple[float, float]:
    """Typical variance s0² and its degrees of freedom d0 from variances `s2` with `df`: ``s² ~ s0² F(df, d0)``.

    Smyth (2004, eqs 5–8); constant series are left out, and d0 is capped at 300, where variances differ by chance
    alone.
    """
    used = s2 > CONSTANT
    s2, half = s2[used], df[used] / 2
    centred = np.log(s2) - digamma(half) + np.log(half)
    excess = float(np.var(centred, ddof=1) - np.mean(polygamma(1, half)))
    d0 = 300.0
    if excess > polygamma(1, d0 / 2):
        d0 = 2 * brentq(lambda y: polygamma(1, y) - excess, 1e-6, d0 / 2)
    return float(np.exp(np.mean(centred) + digamma(d0 / 2) - np.log(d0 / 2))), float(d0)


def _estimate_all(panel: Panel, levels: Levels, first: int, last: int) -> pd.DataFrame:
    """Rows of ``priors.csv``: `estimate` for each origin from `first` to `last`, with the panel's name."""
    rows = [estimate(levels, origin).assign(origin=origin) for origin in range(first, last + 1)]
    table = pd.concat(rows, ignore_index=True).assign(panel=panel.name)
    low, high = SIZES[table["size_class"]], SIZES[table["size_class"] + 1]
    table["size_from_usd"] = np.where(table["size_class"] == ALL_SIZES, 0, low)
    table["size_to_usd"] = np.where(table["size_class"] == ALL_SIZES, np.inf, high)
    keys = ["panel", "origin", "size_class", "size_from_usd", "size_to_usd", "series", "rates"]
    return table[[*keys, *PRIOR_COLUMNS]]


def priors(folder: Path, progress: Progress = iter) -> Tables:
    """Step: priors of all origins of the three yearly panels."""
    spans = [(BACI, 2004, 2020), (OEC, 1966, 2003), (WDI, 1981, 2024)]
    tables = [_estimate_all(panel, load(panel, folder), *years) for panel, *years in progress(spans)]
    return {"priors.csv": pd.concat(tables)}


def panel_priors(path: str | Path) -> pd.DataFrame:
    """Priors by origin and size class of a user's own panel, for ``prior_for(..., table=...)``."""
    path = Path(path)
    levels = to_levels(read_panel(path))
    first, last = int(levels.years[0]) + MIN_RATES, int(levels.years[-1])
    if last < first:
        raise UserError(f"{path.name}: found {len(levels.years)} years, expected {MIN_RATES + 1} or more")
    return _estimate_all(Panel(path.stem, path.name), levels, first, last)
