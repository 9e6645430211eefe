"""Interrupted series: by how much a level stepped up or down in the year of an event, against all other years.

A step in the log level is one year's growth apart from the rest. Its dummy leaves that year no residual, so that
errors robust to autocorrelation mean nothing here; the honest yardsticks are the spread of the other years (a
t test that includes the error of their mean) and the rank of the year among all years (placebo in time).

What the record can say of each policy and shock: the events, and the evidence on each, without words.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from lib.errors import UserError, quote
from lib.figures import last_days, load_reporters
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


@dataclass(frozen=True)
class Policy:
    """A policy or shock, and where its effect would have to show: a row of data/events.csv.

    Parameters
    ----------
    name : as the table calls it.
    date : of its event, as printed; empty where the record holds no dated event.
    reporters : whose trade it was to move, the smallest first.
    named : whether the article of April 2014 names it.
    study : its name in the kept synthetic controls; empty where the panel cannot see it.
    fuels : whether it is about oil, so that the quantity of fuels speaks to it.
    """

    name: str
    date: str
    reporters: tuple[str, ...]
    named: bool = False
    study: str = ""
    fuels: bool = False


def read_policies(events: pd.DataFrame) -> list[Policy]:
    """The policies among the events, those that the article names first; else in the order of the table.

    Raises
    ------
    UserError
        For a reporter that `reporters.csv` does not have.
    """
    known = set(load_reporters()["name"])
    found = []
    for line, row in events[events["policy"] != ""].iterrows():
        reporters = tuple(row["reporters"].split("; "))
        if unknown := [name for name in reporters if name not in known]:
            raise UserError(
                f"events.csv:{line}: reporters: found {quote(unknown[0])}, expected names of reporters.csv joined by '; '"
            )
        named, fuels = bool(row["named"]), bool(row["fuels"])
        found.append(Policy(row["policy"], row["date"], reporters, named, row["study"], fuels))
    return sorted(found, key=lambda policy: not policy.named)


@dataclass(frozen=True)
class Evidence:
    """What the record holds on the effect of one policy on one reporter's trade.

    Parameters
    ----------
    policy, reporter : which.
    date, year : the event's date as printed, and the first year that it could fill; empty and 0 without one.
    before, after : years near the event for which a level is known.
    step, with_oil : the step of that year against all others, alone and beside the oil price; None where the
        year's growth is not known or too few others are.
    bridged, bridged_with_oil : (effect, low, high) of a step across gaps of the record, where `step` is None and
        enough is known.
    """

    policy: Policy
    reporter: str
    date: str
    year: int
    before: list[int]
    after: list[int]
    step: Step | None
    with_oil: Step | None
    bridged: tuple[float, float, float] | None = None
    bridged_with_oil: tuple[float, float, float] | None = None

    @property
    def knowable(self) -> bool:
        """Whether anything can be estimated."""
        return self.step is not None or self.bridged is not None


def _first_years(dates: pd.Series) -> pd.Series:
    """First calendar year that each event could fill for more than half: its own up to June, else the next."""
    day = last_days(dates)  # a year alone is its last day
    return day.dt.year + (day.dt.month > 6)


def first_year(date: str) -> int:
    """The same for one date."""
    return int(_first_years(pd.Series([date])).iloc[0])


def weigh(
    policy: Policy, reporter: str, begun: bool, level: pd.Series, oil: pd.Series, span: int
) -> Evidence:
    """Read the record of one reporter around one policy.

    Parameters
    ----------
    begun : whether its event was past on the day.
    level : the reporter's trade by year, as known on the day; empty where there is none.
    oil : price of oil by year, for the years that were over.
    span : years before and after within which a level must be known.
    """
    date = policy.date if begun else ""
    if not date or level.empty:
        return Evidence(policy, reporter, date, 0, [], [], None, None)
    year = first_year(date)
    before, after = neighbours(level, year, span)
    found = Evidence(policy, reporter, date, year, before, after, None, None)
    if not (before and after):
        return found
    rates, oil_growth = growth_of(level), log_growth(oil).rename("oil").to_frame()
    alone = step(rates, year)
    if alone is not None:
        return replace(found, step=alone, with_oil=step(rates, year, oil_growth))
    across = state_space_step(level, year)
    return replace(found, bridged=across, bridged_with_oil=state_space_step(level, year, oil))


def at_the_same_time(year: int, events: pd.DataFrame) -> int:
    """How many other events of the record have the same first year."""
    return int((_first_years(events["date"]) == year).sum()) - 1


def when(date: str) -> float:
    """A date as a decimal year, for a time axis: the middle of a year or month where no day is known."""
    parts = [int(part) for part in date.split("-")]
    month = (parts[1] - 1) if len(parts) > 1 else 6
    day = (parts[2] - 1) / 31 if len(parts) > 2 else 0.5 * (len(parts) > 1)
    return float(np.round(parts[0] + (month + day) / 12, 4))
