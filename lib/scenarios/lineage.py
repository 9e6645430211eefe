"""The chain of flows around a case's flow, as the record of its day has it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lib import outlook
from lib.errors import UserError
from lib.goals import Goal
from lib.params import GoalCase
from lib.scenarios.hidden_years import Chain, Link
from lib.scenarios.parts import ANALOGUES, kept_spread

LONG_GAP = 5
"""A level published after so many years of silence may be of another scope than the earlier ones."""
LAST_PANEL_YEAR = 2020


class Hideable(NamedTuple):
    """Why the hidden years of a goal can be inferred, or cannot."""

    possible: bool
    reason: str


def can_infer(case: GoalCase, goal: Goal) -> Hideable:
    """Whether the deadline's level is missing on the case's day while a larger flow has one."""
    levels = case.series()["value_mn"]
    if goal.deadline in levels.index:
        return Hideable(False, f"the level of {goal.deadline} is on record")
    larger = case.lineage()
    if not larger:
        return Hideable(False, "no larger flow that contains this one has figures in the record")
    if goal.deadline not in _whole(larger[-1], goal).index:
        return Hideable(False, f"no larger flow had a level for each year to {goal.deadline} by {case.as_of}")
    return Hideable(True, "")


def _whole(top: GoalCase, goal: Goal) -> pd.Series:
    """Levels of the largest flow in the years without a gap around the goal's base."""
    levels = top.series()["value_mn"].dropna()
    if goal.base_year not in levels.index:
        return levels.iloc[:0]
    gap = np.flatnonzero(np.diff(levels.index.to_numpy()) > 1) + 1
    blocks = np.split(np.arange(len(levels)), gap)
    position = levels.index.get_loc(goal.base_year)
    return levels.iloc[next(block for block in blocks if position in block)]


def chain_of(case: GoalCase, goal: Goal, analogue: str = ANALOGUES[0]) -> Chain:
    """The larger flows and this one, with the levels published by the case's day.

    Parameters
    ----------
    analogue : whose parts tell how much a part strays from its whole (`lib.scenarios.parts.ANALOGUES`).

    Raises
    ------
    UserError
        Where the deadline's level is on record, or no larger flow tells of its years.
    """
    able = can_infer(case, goal)
    if not able.possible:
        raise UserError(f"deadline: found {goal.deadline}, expected a year to infer; {able.reason}")
    larger = case.lineage()
    whole = _whole(larger[-1], goal)
    last_year = min(case.as_of.year - 1, LAST_PANEL_YEAR)
    links = tuple(
        _link(member, whole, goal, last_year, analogue) for member in [*reversed(larger[:-1]), case]
    )
    return Chain(larger[-1].reporter, whole, links, _after_silence(links[-1].levels))


def _link(case: GoalCase, whole: pd.Series, goal: Goal, last_year: int, analogue: str) -> Link:
    levels = case.series()["value_mn"].dropna()
    levels = levels[levels.index.isin(whole.index)]
    before = levels.loc[: goal.deadline]
    size = outlook.usd_mn(case, float(before.iloc[-1]), int(before.index[-1])) * 1e6
    return Link(case.reporter, levels, kept_spread(size, last_year, analogue))


def _after_silence(levels: pd.Series) -> tuple[int, ...]:
    """Years from the first one that follows a long gap."""
    years = levels.index.to_numpy()
    after = years[1:][np.diff(years) > LONG_GAP]
    return tuple(int(year) for year in years if len(after) and year >= after[0])
