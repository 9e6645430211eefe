"""Everything that the what-if page and its widgets say of one goal, from the functions that the notebooks use.

The page computes the same in the browser (`lib/whatif/page`); the tests hold it to these numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr

from lib import forecast, outlook, standards
from lib.base_rates import HORIZON, base_rate
from lib.errors import UserError
from lib.forecast import FAN, GrowthModel
from lib.goals import READINGS, Goal, Verdict, judge, make_goal, needed_rates
from lib.outlook import Expectation
from lib.pages.experience import size_usd
from lib.pages.tracking import TRACKERS
from lib.params import GoalCase
from lib.standards import Assessment
from lib.tracked import TrackedTarget


@dataclass(frozen=True)
class BaseRate:
    """How many flows of the size of the base grew so fast.

    Parameters
    ----------
    share : of past starting points; None where no panel reaches so far back.
    years : horizon looked at, the goal's own or the longest that is kept.
    reason : why there is no share, or nothing.
    """

    share: float | None
    years: int
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What is said of one goal.

    Parameters
    ----------
    verdicts : of the three readings, in the order of `lib.goals.READINGS`.
    chances : probability by reading; decided readings are absent.
    needed : growth a year still needed, by reading (`lib.goals.needed_rates`).
    ahead : `years_ahead`; empty where no year is left.
    base : the base rate.
    trackers : what the official standards would say; empty without a level after the base.
    """

    goal: Goal
    expected: Expectation
    verdicts: list[Verdict]
    chances: pd.Series
    needed: pd.DataFrame
    ahead: pd.DataFrame
    base: BaseRate
    trackers: list[Assessment]


def answer(case: GoalCase) -> Answer:
    """What is said of the goal of a case on its day."""
    levels, goal = case.series()["value_mn"], case.make_goal()
    expected = outlook.expect(case, levels.loc[: goal.deadline].dropna())
    return assemble(goal, levels, expected, case.as_of_time, size_usd(case, goal))


def assemble(
    goal: Goal, levels: pd.Series, expected: Expectation, as_of: pd.Timestamp, base_usd: float
) -> Answer:
    """What is said of a goal, from the levels known and the growth model at the last of them.

    Parameters
    ----------
    levels : by year, millions; expected : the model at the last of them up to the deadline.
    base_usd : level of the base, US dollars a year.
    """
    return Answer(
        goal=goal,
        expected=expected,
        verdicts=judge(goal, levels, as_of),
        chances=outlook.chances(goal, levels.loc[: goal.deadline].dropna(), expected),
        needed=needed_rates(goal, levels),
        ahead=years_ahead(goal, expected),
        base=known_share(goal, base_usd, as_of.year - 1),
        trackers=trackers_say(goal, levels),
    )


def grid(case: GoalCase, rates: Sequence[float], deadlines: Sequence[int]) -> pd.DataFrame:
    """Probability of the case's reading for other rates (rows, fractions a year) and other deadlines (columns).

    Decided readings are 1 or 0; NaN where the reading needs yearly rates that were not known.
    """
    levels = case.series()["value_mn"]
    table = pd.DataFrame(np.nan, index=pd.Index(rates, name="goal"), columns=list(deadlines))
    for deadline in deadlines:
        known = levels.loc[:deadline].dropna()
        expected = outlook.expect(case, known)
        for rate in rates:
            goal = make_goal(f"{100 * rate:g} %", case.base_year, deadline, levels, case.currency)
            verdict = judge(goal, levels, case.as_of_time)[READINGS.index(case.reading)]
            chance = outlook.chances(goal, known, expected).get(case.reading, np.nan)
            decided = {"met": 1.0, "missed": 0.0}
            table.loc[rate, deadline] = decided.get(verdict.outcome, chance)
    return table


def years_ahead(goal: Goal, expected: Expectation) -> pd.DataFrame:
    """The forecast year by year, from the first year after the last one known to the deadline.

    Returns
    -------
    Frame indexed by year: path_mn (level of the goal path), one column for each of `lib.forecast.FAN`
    (quantiles of the level, millions), p_path (probability that the level is on the path or above it) and
    p_year (probability that this year alone grows at the goal's rate or faster).
    """
    rows: dict[int, dict[Any, float]] = {}
    for h in range(1, goal.deadline - expected.origin + 1):
        year = expected.origin + h
        path = goal.base_mn * (1 + goal.rate) ** (year - goal.base_year)
        on_path = float(forecast.p_reach(expected.model, np.log(path / expected.level_mn), h))
        alone = float(p_year_ahead(expected.model, goal.rate, h))
        rows[year] = {
            "path_mn": path,
            **dict(zip(FAN, expected.quantiles(h), strict=True)),
            "p_path": expected.corrected(on_path, "average", h),
            "p_year": expected.corrected(alone, "average", 1),
        }
    columns = ["path_mn", *FAN, "p_path", "p_year"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("year")


def p_year_ahead(model: GrowthModel, rate: float, ahead: int) -> float:
    """Probability that the year `ahead` years on grows by at least `rate`, whatever the others do.

    The next year is that of `lib.forecast.p_year`: it knows the latest rate. Growth that is correlated with
    the year before alone (first-order moving average) has forgotten that rate from the second year on.
    """
    if ahead == 1:
        return float(forecast.p_year(model, rate))
    scale = np.sqrt(model.variance * (1 + 1 / model.weight))
    return float(stdtr(model.df, (model.mean - np.log1p(rate)) / scale))


def known_share(goal: Goal, base_usd: float, origin: int) -> BaseRate:
    """The base rate of a goal as known at an origin."""
    years = min(goal.years, HORIZON)
    try:
        return BaseRate(float(base_rate(base_usd, origin, years, goal.rate)), years)
    except UserError as error:
        return BaseRate(None, years, str(error))


def trackers_say(goal: Goal, levels: pd.Series) -> list[Assessment]:
    """What the official standards would say from the levels between base and deadline."""
    since = levels.loc[goal.base_year : goal.deadline].dropna()
    if len(since) < 2:
        return []
    year, level = int(since.index[-1]), float(since.iloc[-1])
    target = TrackedTarget(goal.base_mn, goal.base_year, level, year, goal.target_mn, goal.deadline)
    return [tracker(target) for tracker in TRACKERS] + [standards.escap_anticipated(target, since)]
