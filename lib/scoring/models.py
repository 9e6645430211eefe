"""Competing forecast models behind one interface, on the log scale.

`log_walk` and `drift` are closed forms; the others are statsmodels' (`lib.scoring.competitors`). All are fitted to
z = (log level − last log level) / sd of yearly log growth, so that optimisers see numbers near one whatever
the unit: on M3 and Tourism that ends the convergence failures (up to 7 % of fits to raw logs). A fit that did
not converge or is absurd gives way to `drift`, and the result says so.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.errors import UserError
from lib.forecast import MIN_GROWTH_RATES, GrowthModel, fit
from lib.scoring.competitors import (
    NotConvergedError,
    UnusableError,
    arima_drift_law,
    ets_damped_law,
    ets_law,
    theta_law,
    uc_law,
)
from lib.scoring.paths import Law, Result, forecast_from

Array = NDArray[np.float64]

BLOW_UP = 5.0
"""A forecast is absurd if an end of its 95 % interval lies further from the last log level than this many
times the years ahead times the largest yearly change on record."""

_SHARPEST = 1e-3  # a one-year scale below this share of the usual yearly variation is an overfit


def forecast_quantiles(name: str, levels: ArrayLike, horizon: int, probabilities: ArrayLike) -> Result:
    """Forecast the log levels of the next years by one of the `MODELS`.

    Parameters
    ----------
    name : a key of `MODELS`.
    levels : positive levels of consecutive years up to the origin, in any unit, shape (n,). Missing values
        before the first one are left out; at least five levels, whose growth varies.
    horizon : years ahead, at least 1.
    probabilities : of the quantiles, shape (p,), between 0 and 1.

    Returns
    -------
    Result
        Quantiles of the log level, shape (horizon, p), with the law of the whole path behind them.

    Raises
    ------
    UserError
        For an unknown name or levels with gaps, zeros, negative or too few values, or constant growth.
    """
    if name not in MODELS:
        raise UserError(f"name: found {name!r}, expected one of {', '.join(MODELS)}")
    if horizon != int(horizon) or horizon < 1:
        raise UserError(f"horizon: found {horizon}, expected a whole number of years, at least 1")
    x = log_levels(levels)
    unit = np.diff(x).std(ddof=1)
    z = (x - x[-1]) / unit
    fallback, converged = None, True
    try:
        law = MODELS[name](z, int(horizon))
        _refuse_absurd(law, z)
    except UnusableError as reason:
        converged = not isinstance(reason, NotConvergedError)
        fallback = f"drift, because {reason}"
        law = drift_law(z, int(horizon))
    law = Law(x[-1] + unit * law.location, unit**2 * law.scale, law.df)
    return forecast_from(name, float(x[-1]), [law], probabilities, fallback, converged)


def log_levels(levels: ArrayLike) -> Array:
    """Logs of levels that a model can be fitted to, without the missing years before the first."""
    values = np.asarray(levels, dtype=float)
    if values.ndim != 1 or np.isnan(values).all():
        raise UserError(
            f"levels: found shape {values.shape} or no value at all, expected one series of levels"
        )
    values = values[int(np.argmin(np.isnan(values))) :]
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        raise UserError(
            f"levels: found {values[bad][0]:g} at position {int(np.argmax(bad))} after the first value, "
            "expected positive levels of consecutive years (after a gap, pass the years that follow it)"
        )
    if values.size <= MIN_GROWTH_RATES:
        raise UserError(f"levels: found {values.size}, expected at least {MIN_GROWTH_RATES + 1}")
    x = np.log(values)
    growth = np.diff(x)
    if growth.std() <= 1e-9 * (1 + np.abs(growth).max()):
        raise UserError(
            "levels: found constant growth, whose variance is unknown; expected growth that varies"
        )
    return x


def log_walk_law(x: Array, horizon: int) -> Law:
    """Random walk without drift; its variance is the mean square of the changes, with as many df."""
    changes = np.diff(x)
    model = GrowthModel(0.0, np.inf, np.mean(changes**2), changes.size, changes.size, 0.0)
    return _growth_law(x[-1], model, horizon)


def drift_law(x: Array, horizon: int) -> Law:
    """Random walk with drift under a flat prior, drift uncertainty included (`lib.forecast.fit`)."""
    return _growth_law(x[-1], fit(np.diff(x)), horizon)


def _growth_law(last: float, model: GrowthModel, horizon: int) -> Law:
    """Last level plus sums of growth: shocks share min(i, j) years, the uncertain drift i × j."""
    h = np.arange(1.0, horizon + 1)
    scale = model.variance * (np.minimum.outer(h, h) + np.multiply.outer(h, h) / model.weight)
    return Law(last + h * model.mean, scale, float(model.df))


MODELS: dict[str, Callable[[Array, int], Law]] = {
    "log_walk": log_walk_law,
    "drift": drift_law,
    "ets": ets_law,
    "ets_damped": ets_damped_law,
    "arima_drift": arima_drift_law,
    "uc": uc_law,
    "theta": theta_law,
}
"""Name → law of the path that follows a series; each takes values on the modelling scale and a horizon."""


def _refuse_absurd(law: Law, z: Array) -> None:
    """Refuse a law that is not finite, blows up (`BLOW_UP`) or is certain (z ends at 0, growth has sd 1)."""
    variance = np.diag(law.scale)
    if not (np.isfinite(law.location).all() and np.isfinite(law.scale).all()):
        raise UnusableError("its forecast is not finite")
    if np.min(variance) < _SHARPEST**2:
        raise UnusableError("it fits the record without error, so its intervals mean nothing")
    reach = np.abs(law.location) + 1.96 * np.sqrt(variance)
    limit = BLOW_UP * np.abs(np.diff(z)).max() * np.arange(1, variance.size + 1)
    if np.any(reach > limit):
        year = int(np.argmax(reach / limit))
        times = reach[year] / limit[year] * BLOW_UP
        raise UnusableError(f"it blows up: {times:.3g} times the largest change on record a year")
