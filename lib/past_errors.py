"""Recalibration by past errors: what the forecasts of earlier origins got wrong, taken out of this one.

For each reading, horizon and size class, the probability integral transforms (PIT) of all earlier forecasts
whose outcome was known at the origin are pooled. Each year's median error is removed first: the years share
one shock, a few of them say nothing about the next, and experience showed that carrying it forward makes
forecasts worse. What is left is shape: how often outcomes fall how far from the middle. Probabilities are
mapped through that shape, linearly on the probit scale, so they are never exactly 0 or 1.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from lib.errors import UserError
from lib.reference import Array, read_kept, size_class

READINGS = ("average", "every_year", "mean_of_rates")

LEVELS = np.array([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])

KNOTS = [f"z{round(100 * level):02d}" for level in LEVELS]

MIN_ERRORS = 100
"""Past errors that a shape needs."""

_EDGE = 1e-6  # a PIT beyond this is an outcome beyond everything the model thought possible


def learn(pit: ArrayLike, start: ArrayLike) -> Array | None:
    """Quantiles at `LEVELS` of the probit of past PITs, each starting year's median removed.

    Parameters
    ----------
    pit : probability that the model gave to outcomes up to the one observed, shape (n,).
    start : origin year of each, shape (n,).

    Returns
    -------
    Array of shape (7,), strictly increasing, or None for fewer than `MIN_ERRORS` errors.
    """
    z = ndtri(np.clip(np.asarray(pit, dtype=float), _EDGE, 1 - _EDGE))
    if z.size < MIN_ERRORS:
        return None
    medians = pd.Series(z).groupby(np.asarray(start)).transform("median").to_numpy()
    found = np.quantile(z - medians, LEVELS)
    return found if (np.diff(found) > 1e-3).all() else None


def apply(p: ArrayLike, knots: Array) -> Any:
    """Map probabilities of reaching a goal through the shape of past errors; never exactly 0 or 1."""
    z = ndtri(np.clip(1 - np.asarray(p, dtype=float), 1e-9, 1 - 1e-9))
    return ndtr(-_line(z, knots, ndtri(LEVELS)))


def invert(p: ArrayLike, knots: Array) -> Any:
    """Probability to ask of the model so that `apply` returns `p`: for quantiles and intervals."""
    z = ndtri(np.clip(1 - np.asarray(p, dtype=float), 1e-9, 1 - 1e-9))
    return ndtr(-_line(z, ndtri(LEVELS), knots))


def _line(x: Any, at: Array, value: Array) -> Any:
    """Piecewise linear through the points, with the slope of the outer parts beyond them."""
    part = np.clip(np.searchsorted(at, x) - 1, 0, len(at) - 2)
    slope = (value[part + 1] - value[part]) / (at[part + 1] - at[part])
    return np.clip(value[part] + slope * (x - at[part]), -6, 6)


def recalibrate(
    p: ArrayLike,
    reading: str,
    horizon: int,
    origin: int,
    size_usd: float,
    table: pd.DataFrame | None = None,
) -> Any:
    """Probability that a goal is reached, corrected by the past errors known at the origin.

    Parameters
    ----------
    p : probability from `lib.forecast`, a number or array.
    reading : average, every_year or mean_of_rates.
    horizon : years from the origin to the deadline; between or beyond the kept horizons the next shorter one
        is used. Where no outcome of that horizon was known at the origin, nothing is corrected: shapes of
        shorter horizons made the scores worse.
    origin : last year known; an origin after the last kept one uses that, one before the first nothing.
    size_usd : current US dollars a year at the origin.
    table : rows as in ``past_errors.csv``; by default those kept in the data folder.

    Returns
    -------
    Probability of the same shape, strictly between 0 and 1.
    """
    knots = find(reading, horizon, origin, size_usd, table)
    if knots is None:
        return np.clip(np.asarray(p, dtype=float), 1e-9, 1 - 1e-9)
    return apply(p, knots)


def model_level(
    level: ArrayLike, horizon: int, origin: int, size_usd: float, table: pd.DataFrame | None = None
) -> Any:
    """Level to ask of the model's quantile function so that the quantile is corrected by past errors.

    ``growth_quantiles(model, horizon, model_level(0.9, horizon, origin, size_usd))`` is the corrected
    90 % quantile; its probability, corrected by `recalibrate`, is 0.1.
    """
    knots = find("average", horizon, origin, size_usd, table)
    level = np.asarray(level, dtype=float)
    return level if knots is None else 1 - invert(1 - level, knots)


def find(
    reading: str, horizon: int, origin: int, size_usd: float, table: pd.DataFrame | None = None
) -> Array | None:
    """Shape of past errors that `recalibrate` uses; None where none was known at the origin."""
    if reading not in READINGS:
        raise UserError(f"reading: found {reading!r}, expected one of {', '.join(READINGS)}")
    if not horizon >= 1:
        raise UserError(f"horizon: found {horizon}, expected 1 year or more")
    table = read_kept("past_errors.csv") if table is None else table
    rows = table[table["reading"] == ("average" if horizon == 1 else reading)]  # one year: all the same
    kept = rows["horizon"][rows["horizon"] <= horizon].max()
    rows = rows[rows["origin"] == rows["origin"][rows["origin"] <= origin].max()]
    rows = rows[rows["horizon"] == kept]
    if rows.empty:
        return None
    distance = (rows["size_class"] - int(size_class(size_usd))).abs()
    return rows.loc[distance.idxmin(), KNOTS].to_numpy(dtype=float)
