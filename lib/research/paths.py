"""Predictive law of a path of log levels, and what it says about a goal.

Every competing model here ends in the same kind of law: the log levels of the next years are jointly
Student-t (normal when its degrees of freedom are infinite), or an equal-weighted pool of such laws. That is
enough to compare models whose insides differ. Probabilities of a level are closed forms; those of
events that involve several years (*every year*, *mean of the yearly rates*) count simulated paths, with one
fixed seed.
All rates are fractions (0.25 is 25 %), all growth is log growth, horizons are years after the origin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from lib.errors import UserError

Array = NDArray[np.float64]

DRAWS = 20_000
"""Simulated paths: a probability of one half has a standard error of 0.0035."""

_SEED = 20_131_215

_RESOLUTION = 0.5 / DRAWS  # no probability is closer to 0 or 1: a handful of points cannot be that certain


class Law(NamedTuple):
    """Joint Student-t law of a path of `horizon` values.

    `location` has shape (horizon,), `scale` is the scale matrix, shape (horizon, horizon); `df` may be inf.
    """

    location: Array
    scale: Array
    df: float


@dataclass(frozen=True)
class Result:
    """Forecast of the log levels of the years after an origin by one model, or by a pool of models.

    Parameters
    ----------
    name : the model that was asked for.
    last : log level at the origin.
    laws : law of the path of log levels; several for a pool, with equal weights.
    probabilities : shape (p,).
    quantiles : of the log level, shape (horizon, p).
    fallback : None, or which model took this one's place and why.
    converged : whether the optimiser of the model that was asked for reported success.
    """

    name: str
    last: float
    laws: tuple[Law, ...]
    probabilities: Array
    quantiles: Array
    fallback: str | None
    converged: bool

    @property
    def horizon(self) -> int:
        """Years ahead that the forecast covers."""
        return self.laws[0].location.size


def forecast_from(
    name: str,
    last: float,
    laws: Sequence[Law],
    probabilities: ArrayLike,
    fallback: str | None,
    converged: bool,
) -> Result:
    """Return the `Result` of the laws of one model or pool, with its quantiles."""
    levels = np.asarray(probabilities, dtype=float)
    if levels.ndim != 1 or levels.size == 0 or not np.all((levels > 0) & (levels < 1)):
        raise UserError(f"probabilities: found {probabilities!r:.80}, expected a list between 0 and 1")
    return Result(name, last, tuple(laws), levels, _quantiles(laws, levels), fallback, converged)


def combine(results: Sequence[Result], name: str = "pool") -> Result:
    """Pool single-model forecasts of one series from one origin: an equal-weighted mixture of their laws.

    The linear pool (Stone 1961), not quantile averaging: every event's probability is then the plain mean of
    the members' probabilities, so the three readings of a goal stay coherent, and disagreement between the
    models widens the intervals, which are too narrow for each model alone (Lichtendahl, Grushka-Cockayne &
    Winkler 2013 compare the two).
    """
    if not results or any(len(r.laws) > 1 for r in results):
        raise UserError(
            f"results: found {len(results)} with pools among them or none, expected single models"
        )
    first = results[0]
    for r in results[1:]:
        if (r.last, r.horizon, *r.probabilities) != (first.last, first.horizon, *first.probabilities):
            raise UserError(
                f"results: found {r.name} and {first.name} with different origins, horizons or levels"
            )
    notes = [f"{r.name}: {r.fallback}" for r in results if r.fallback]
    laws = [r.laws[0] for r in results]
    converged = all(r.converged for r in results)
    return forecast_from(name, first.last, laws, first.probabilities, "; ".join(notes) or None, converged)


def p_reach(result: Result, log_growth: ArrayLike, horizon: int) -> Any:
    """Probability that the level grows by at least `log_growth` in all over `horizon` years (closed form).

    This is the reading *on average*: for a goal of rate g over h years from the origin, ``h * log1p(g)``.
    """
    needed = result.last + _known("log_growth", log_growth)
    _require_years(result, horizon)
    return _bounded(1 - np.mean([_cdf(law, horizon, needed) for law in result.laws], axis=0))


def p_every_year(result: Result, rate: ArrayLike, years: int) -> Any:
    """Probability that each of the next `years` years grows by at least `rate` (simulated paths)."""
    lowest = simulate_growth(result, years).min(axis=1)
    return _share_at_least(lowest, _log1p(rate))


def p_mean_rate(result: Result, total_rate: ArrayLike, years: int) -> Any:
    """Probability that the simple rates of the next `years` years add up to `total_rate` (simulated paths).

    Meaning as in `lib.forecast.p_mean_rate`: for a mean of g over h years of which none is behind, h × g.
    """
    total = np.expm1(np.minimum(simulate_growth(result, years), 700)).sum(axis=1)
    return _share_at_least(total, _known("total_rate", total_rate))


def simulate_growth(result: Result, years: int) -> Array:
    """Simulated paths of yearly log growth, shape (DRAWS, years); the same call gives the same paths."""
    _require_years(result, years)
    shares = np.array_split(_standard_normal(years), len(result.laws))
    levels = np.concatenate([_draw(law, z) for law, z in zip(result.laws, shares, strict=True)])
    return np.diff(levels, axis=1, prepend=result.last)


def crps(result: Result, y: ArrayLike) -> Array:
    """CRPS of each year's log level, shape (horizon,), for outcomes `y` of the same shape.

    Closed form for one model; a pool is scored through 400 equally spaced quantiles of each member.
    """
    import scoringrules

    from lib.analysis.scores import crps_t

    outcome = _outcomes(result, y)
    if len(result.laws) == 1:
        location, scale, df = result.laws[0]
        return crps_t(df, location, np.sqrt(np.diag(scale)), outcome)
    grid = (np.arange(400) + 0.5) / 400
    points = np.concatenate([_law_quantiles(law, grid) for law in result.laws], axis=1)
    return np.asarray(scoringrules.crps_ensemble(outcome, points, estimator="qd"))


def pit(result: Result, y: ArrayLike) -> Array:
    """Distribution function of each year's log level at the outcomes `y`, both of shape (horizon,)."""
    outcome = _outcomes(result, y)
    years = range(1, result.horizon + 1)
    return np.array([np.mean([_cdf(law, h, outcome[h - 1]) for law in result.laws]) for h in years])


def _cdf(law: Law, year: int, level: ArrayLike) -> Any:
    z = (level - law.location[year - 1]) / np.sqrt(law.scale[year - 1, year - 1])
    return ndtr(z) if np.isinf(law.df) else stdtr(law.df, z)


def _law_quantiles(law: Law, probabilities: Array) -> Array:
    z = ndtri(probabilities) if np.isinf(law.df) else stdtrit(law.df, probabilities)
    return law.location[:, None] + np.sqrt(np.diag(law.scale))[:, None] * z


def _quantiles(laws: Sequence[Law], probabilities: Array) -> Array:
    """Quantiles of the pool, shape (horizon, p), by bisection: they lie between those of its members."""
    members = np.stack([_law_quantiles(law, probabilities) for law in laws])
    low, high = members.min(axis=0), members.max(axis=0)
    if len(laws) == 1:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        below = np.mean([_cdf_rows(law, middle) for law in laws], axis=0) < probabilities
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _cdf_rows(law: Law, levels: Array) -> Array:
    """Distribution function of each year at its own row of levels, shape (horizon, p)."""
    return np.stack([_cdf(law, year, row) for year, row in enumerate(levels, start=1)])


def _draw(law: Law, z: Array) -> Array:
    """Paths of levels from standard normals of shape (draws, years)."""
    years = z.shape[1]
    shocks = z @ np.linalg.cholesky(law.scale[:years, :years]).T
    if np.isfinite(law.df):
        chi2 = np.random.default_rng(_SEED + 1).chisquare(law.df, size=(len(z), 1))
        shocks *= np.sqrt(law.df / chi2)
    return law.location[:years] + shocks


@lru_cache(maxsize=16)
def _standard_normal(years: int) -> Array:
    # Every model meets the same shocks, which takes most of the noise out of comparisons.
    return np.random.default_rng(_SEED).standard_normal((DRAWS, years))


def _share_at_least(values: Array, thresholds: ArrayLike) -> Any:
    at_least = DRAWS - np.searchsorted(np.sort(values), thresholds, side="left")
    return _bounded(at_least / DRAWS)


def _bounded(p: Any) -> Any:
    return np.clip(p, _RESOLUTION, 1 - _RESOLUTION)


def _log1p(rate: ArrayLike) -> Array:
    r = np.asarray(rate, dtype=float)
    if not np.all(r > -1):
        raise UserError(
            f"growth rate: found {np.min(r):g}, expected more than -1 (a fall of less than 100 %)"
        )
    return np.log1p(r)


def _known(name: str, value: ArrayLike) -> Array:
    numbers = np.asarray(value, dtype=float)
    if np.isnan(numbers).any():
        raise UserError(f"{name}: found a missing value, expected numbers")
    return numbers


def _outcomes(result: Result, y: ArrayLike) -> Array:
    outcome = np.asarray(y, dtype=float)
    if outcome.shape != (result.horizon,) or not np.isfinite(outcome).all():
        raise UserError(
            f"y: found shape {outcome.shape} or a value that is not finite, expected a log level for each of "
            f"{result.horizon} years"
        )
    return outcome


def _require_years(result: Result, years: int) -> None:
    if not 1 <= years <= result.horizon:
        raise UserError(f"years: found {years}, expected 1 to {result.horizon}, the horizon of {result.name}")
