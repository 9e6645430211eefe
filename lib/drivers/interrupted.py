"""Interrupted series: by how much a level stepped up or down in the year of an event, against all other years.

A step in the log level is one year's growth apart from the rest. Its dummy leaves that year no residual, so that
errors robust to autocorrelation mean nothing here; the honest yardsticks are the spread of the other years (a
t test that includes the error of their mean) and the rank of the year among all years (placebo in time).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from lib.growth import log_growth

Array = NDArray[np.float64]

LEAST_YEARS = 6
"""Growth rates needed beside the event's own."""
LEAST_LEVELS = 10


@dataclass(frozen=True)
class Step:
    """A step of the log level in the year of an event.

    Parameters
    ----------
    year : the first full year of the event.
    effect : the step, log growth.
    low, high : its 95 % interval.
    p : two-sided p-value of the t test; n : growth rates used, the event's own among them.
    rank : how many of the n years step as far or further from the others, itself included.
    """

    year: int
    effect: float
    low: float
    high: float
    p: float
    n: int
    rank: int

    @property
    def p_time(self) -> float:
        """Share of years that step as far: the p-value of the placebo in time; never below 1 / n."""
        return self.rank / self.n


def step(growth: pd.Series, year: int, controls: pd.DataFrame | None = None) -> Step | None:
    """The step of one year against the other years, with or without controls of the same year.

    Parameters
    ----------
    growth : log growth by year.
    year : the year of the step.
    controls : by year, such as the growth of the oil price; years in which one is missing are not used.

    Returns
    -------
    None where the year itself or too many others (fewer than `LEAST_YEARS` and the controls) are not known.
    """
    table = pd.concat([growth.rename("growth"), controls], axis=1).dropna().sort_index()
    if year not in table.index or len(table) - 1 < LEAST_YEARS + table.shape[1] - 1:
        return None
    effects, errors = _dummies(table)
    df, place = len(table) - 1 - table.shape[1], table.index.get_loc(year)
    t = effects / errors
    half = errors[place] * float(stdtrit(df, 0.975))
    return Step(
        year,
        float(effects[place]),
        float(effects[place] - half),
        float(effects[place] + half),
        float(2 * stdtr(df, -abs(t[place]))),
        len(table),
        int((np.abs(t) >= abs(t[place]) * (1 - 1e-9)).sum()),
    )


def _dummies(table: pd.DataFrame) -> tuple[Array, Array]:
    """Coefficient and standard error of a dummy for each year in turn, shape (years,): deleted residuals.

    One regression without dummies gives all of them (Belsley, Kuh & Welsch 1980, section 2.1): residual / (1 − h),
    and the error of the regression without that year over √(1 − h).
    """
    x = np.column_stack([np.ones(len(table)), table.drop(columns="growth").to_numpy(dtype=float)])
    y = table["growth"].to_numpy(dtype=float)
    hat = x @ np.linalg.pinv(x)
    residual, free = y - hat @ y, 1 - np.diag(hat)
    variance = (residual @ residual - residual**2 / free) / (len(y) - 1 - x.shape[1])
    return residual / free, np.sqrt(np.maximum(variance, 1e-300) / free)


def state_space_step(
    level: pd.Series, year: int, price: pd.Series | None = None
) -> tuple[float, float, float] | None:
    """The step by unobserved components: random walk with drift and an intervention from `year` on.

    The intervention is a state with a diffuse prior, so that its estimate is exact given the variance (Durbin &
    Koopman 2012, section 6.2). Gaps in the record are no harm: series with missing years can be read where `step`
    cannot. Without gaps the two agree.

    Parameters
    ----------
    level : Series by year, positive, gaps allowed.
    year : the first year of the step.
    price : a price to hold constant, such as that of oil, by year, positive, known in every year of the record.

    Returns
    -------
    (effect, low, high) in log units with a 95 % interval (t distribution), or None for a record too short (fewer
    than `LEAST_LEVELS` levels, or not two on either side) or a fit that does not converge.
    """
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    log = np.log(level.dropna())
    if len(log) < LEAST_LEVELS or (log.index < year).sum() < 2 or (log.index >= year).sum() < 2:
        return None
    years = np.arange(int(log.index[0]), int(log.index[-1]) + 1)
    held = {} if price is None else {"price": np.log(price.reindex(years).to_numpy())}
    after = pd.DataFrame({**held, "step": (years >= year).astype(float)})
    if after.isna().any(axis=None):
        return None
    full = log.reindex(years).reset_index(drop=True)
    model = UnobservedComponents(full, "rwdrift", exog=after, mle_regression=False, use_exact_diffuse=True)
    fitted = model.fit(disp=False, maxiter=500)
    if not fitted.mle_retvals["converged"]:
        return None
    effect = float(fitted.smoothed_state[-1, -1])
    error = float(np.sqrt(fitted.smoothed_state_cov[-1, -1, -1]))
    half = error * float(
        stdtrit(len(log) - 2 - after.shape[1], 0.975)
    )  # level and drift are estimated as well
    return effect, effect - half, effect + half


def neighbours(level: pd.Series, year: int, span: int = 3) -> tuple[list[int], list[int]]:
    """Years within `span` before the event's year, and from it on, for which a level is known."""
    known = level.dropna().index
    before = [int(y) for y in known if year - span <= y < year]
    return before, [int(y) for y in known if year <= y < year + span]


def growth_of(level: pd.Series) -> pd.Series:
    """Known log growth rates by year."""
    return log_growth(level).dropna()
