"""Exponential smoothing, ARIMA, unobserved components and Theta: statsmodels fits as laws of the coming path.

Each takes a series on the modelling scale and a horizon: z = (log level − last log level) / sd of yearly log growth, so that
optimisers see numbers near one whatever the unit (on M3 and Tourism that ends the convergence failures, up to 7 % of fits
to raw logs). The laws are normal, with the library's own variance estimates, as published intervals are; what it drops of
the drift's uncertainty is added. A fit that did not converge or is absurd gives way to `drift`, a closed form, and the
result says so.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lib import law
from lib.law import Law
from lib.reference import Array


class _UnusableError(Exception):
    """Why a fitted model cannot be used."""


class Forecast(NamedTuple):
    """Law of the years 1, 2, … after an origin, whose level is 1, by one model.

    `fallback`: None, or which model took this one's place and why.
    """

    law: Law
    fallback: str | None


def _gaussian(location: Array, covariance: Array) -> Law:
    if not (np.isfinite(location).all() and np.isfinite(covariance).all()):
        raise _UnusableError("its forecast is not finite")
    years = tuple(range(1, location.size + 1))
    return Law(years, np.ones(1), np.asarray(location)[None], np.asarray(covariance)[None])


def _fit_ets(x: Array, **trend: Any) -> Any:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    if x.size < 10:
        raise _UnusableError(f"ETS finds its starting values from ten levels, not {x.size}")
    # A Series: on an array the results cannot be predicted from.
    return _fit_checked(lambda: ETSModel(pd.Series(x), **trend).fit(disp=False))


def _ets_path(result: Any, horizon: int) -> Law:
    """Law of the path: a shock stays in the level with alpha and grows through the trend with beta."""
    phi = getattr(result, "damping_trend", 1.0)
    beta = getattr(result, "smoothing_trend", 0.0)
    passed_on = result.smoothing_level + beta * np.cumsum(phi ** np.arange(1.0, horizon))
    location = np.asarray(result.forecast(horizon), dtype=float)
    return _gaussian(location, result.scale * _moving_average(np.r_[1.0, passed_on]))


def _arima_drift_law(x: Array, horizon: int) -> Law:
    """ARIMA with drift: (0,1,0), (0,1,1) or (1,1,0) by AICc.

    The drift is a state with a diffuse start, not a parameter, so that its uncertainty is in the forecast:
    statsmodels' ARIMA(0,1,0) with trend leaves it out.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    clock = np.arange(x.size) - x.size + 1.0  # the coming years are 1, 2, …
    orders = ((0, 1, 0), (0, 1, 1), (1, 1, 0))
    form = {"exog": clock, "mle_regression": False, "use_exact_diffuse": True}
    models = [SARIMAX(x, order=order, **form) for order in orders]
    best = _best([partial(_fit_checked, partial(model.fit, disp=False)) for model in models])
    designs = np.tile(best.filter_results.design[0, :, -1], (horizon, 1))
    designs[:, -1] = np.arange(1, horizon + 1)
    return _state_space_path(best.filter_results, designs)


def _uc_law(x: Array, horizon: int) -> Law:
    """Unobserved components: local level with a deterministic drift (Harvey 1989), uncertain as a state."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    model = UnobservedComponents(x, "local linear deterministic trend", use_exact_diffuse=True)
    result = _fit_checked(lambda: model.fit(disp=False))
    designs = np.tile(result.filter_results.design[0, :, -1], (horizon, 1))
    return _state_space_path(result.filter_results, designs)


def _state_space_path(kalman: Any, designs: Array) -> Law:
    """Law of the coming observations: Cov(y_i, y_j) = Z_j T^(j−i) P_i Z_i (Durbin & Koopman 2012, 4.11)."""
    state, covariance = kalman.predicted_state[:, -1], kalman.predicted_state_cov[..., -1]
    transition, selection = kalman.transition[..., -1], kalman.selection[..., -1]
    noise = selection @ kalman.state_cov[..., -1] @ selection.T
    horizon = len(designs)
    location, scale = np.zeros(horizon), np.zeros((horizon, horizon))
    for i in range(horizon):
        location[i] = designs[i] @ state
        shared = covariance @ designs[i]
        for j in range(i, horizon):
            scale[i, j] = scale[j, i] = designs[j] @ shared
            shared = transition @ shared
        state, covariance = transition @ state, transition @ covariance @ transition.T + noise
    return _gaussian(location, scale + kalman.obs_cov[0, 0, -1] * np.eye(horizon))


def _theta_law(x: Array, horizon: int) -> Law:
    """Theta: exponential smoothing with half the slope of the trend line (Hyndman & Billah 2003).

    The law is that of the IMA(1,1) behind it, variance × (1 + (h − 1) alpha²), with the mean square of its one-step
    errors, and the uncertainty of the slope. The library's own interval drops the latter, has 1 + (h − 1)(1 + (alpha
    − 1)²), right at alpha = 1 only, and the variance of another model (an ARIMA(0,1,1)), which is too small.
    """
    from statsmodels.tsa.forecasting.theta import ThetaModel

    result = _fit_checked(lambda: ThetaModel(pd.Series(x), deseasonalize=False, period=1).fit())
    slope, alpha = (float(result.params[key]) for key in ("b0", "alpha"))
    years = np.arange(horizon) + (1 - (1 - alpha) ** x.size) / alpha  # that the slope counts for
    weights = np.arange(x.size) - (x.size - 1) / 2
    weights /= weights @ weights  # the slope is weights @ x
    later = np.cumsum(weights[::-1])[::-1] - weights
    slope_variance = np.sum((weights + alpha * later) ** 2)
    scale = _moving_average(np.r_[1.0, np.full(horizon - 1, alpha)])
    scale += slope_variance * np.multiply.outer(years / 2, years / 2)
    level, errors = x[0], np.empty(x.size - 1)
    for t, value in enumerate(x[1:]):  # one step ahead, from the first level on
        errors[t] = value - level - slope / 2
        level += slope / 2 + alpha * errors[t]
    variance = np.mean(errors**2)
    return _gaussian(result.forecast(horizon).to_numpy(), variance * scale)


def _moving_average(weights: Array) -> Array:
    """Covariance of h = 1, 2, … where a unit shock adds weights[k] to the level k years later."""
    horizon = weights.size
    lag = np.subtract.outer(np.arange(horizon), np.arange(horizon))
    passed_on = np.where(lag >= 0, weights[np.maximum(lag, 0)], 0.0)
    return passed_on @ passed_on.T


def _best(candidates: Sequence[Callable[[], Any]]) -> Any:
    """Fit of least AICc among the candidates that converge; the last one's trouble if none does."""
    results, troubles = [], []
    for estimate in candidates:
        try:
            results.append(estimate())
        except _UnusableError as error:
            troubles.append(error)
    if not results:
        raise troubles[-1]
    return min(results, key=lambda result: result.aicc)


def _fit_checked(estimate: Callable[[], Any]) -> Any:
    """Return what `estimate` does, if its optimiser converged and the library could do its sums."""
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, EstimationWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", EstimationWarning)  # other starting values were taken
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            result = estimate()
        except ConvergenceWarning:
            raise _UnusableError("the optimiser did not converge") from None
        except (np.linalg.LinAlgError, FloatingPointError, ValueError) as error:
            raise _UnusableError(f"statsmodels failed: {error}") from error
    if not (getattr(result, "mle_retvals", None) or {}).get("converged", True):
        raise _UnusableError("the optimiser did not converge")
    return result


BLOW_UP = 5.0
"""A forecast is absurd if an end of its 95 % interval lies further from the last log level than this many
times the years ahead times the largest yearly change on record."""

_SHARPEST = 1e-3  # a one-year scale below this share of the usual yearly variation is an overfit


def forecast(name: str, levels: ArrayLike, horizon: int) -> Forecast:
    """Forecast the levels of the next years, relative to the last, by one of the `MODELS`.

    `levels` are positive, of consecutive years up to the origin, in any unit; their growth varies.
    """
    x = np.log(np.asarray(levels, dtype=float))
    unit = np.diff(x).std(ddof=1)
    z = (x - x[-1]) / unit
    fallback = None
    try:
        found = MODELS[name](z, horizon)
        _refuse_absurd(found, z)
    except _UnusableError as reason:
        fallback, found = f"drift, because {reason}", _drift_law(z, horizon)
    scaled = replace(found, means=unit * found.means, covariances=unit**2 * found.covariances)
    return Forecast(scaled, fallback)


def _drift_law(x: Array, horizon: int) -> Law:
    """Random walk with drift under a flat prior, drift uncertainty included (`lib.law.posterior`)."""
    ahead = law.from_posterior(law.posterior(np.diff(x), None, half_life=np.inf), 0, 1.0, horizon)
    return replace(ahead, means=x[-1] + ahead.means)


MODELS: dict[str, Callable[[Array, int], Law]] = {
    "drift": _drift_law,
    # Exponential smoothing with additive errors: A,N,N or A,A,N by AICc (Hyndman et al. 2008); with a damped additive
    # trend, A,Ad,N (Gardner & McKenzie 1985).
    "ets": lambda x, h: _ets_path(_best([lambda: _fit_ets(x), lambda: _fit_ets(x, trend="add")]), h),
    "ets_damped": lambda x, h: _ets_path(_fit_ets(x, trend="add", damped_trend=True), h),
    "arima_drift": _arima_drift_law,
    "uc": _uc_law,
    "theta": _theta_law,
}
"""Name → law of the path that follows a series; each takes values on the modelling scale and a horizon."""


def _refuse_absurd(found: Law, z: Array) -> None:
    """Refuse a law that blows up (`BLOW_UP`) or is certain (z ends at 0, growth has sd 1)."""
    variance = found.covariances[0].diagonal()
    if np.min(variance) < _SHARPEST**2:
        raise _UnusableError("it fits the record without error, so its intervals mean nothing")
    reach = np.abs(found.means[0]) + 1.96 * np.sqrt(variance)
    limit = BLOW_UP * np.abs(np.diff(z)).max() * np.arange(1, variance.size + 1)
    if (most := np.max(reach / limit)) > 1:
        raise _UnusableError(f"it blows up: {most * BLOW_UP:.3g} times the largest change on record a year")
