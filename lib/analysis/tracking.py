"""What the official tracking standards would have said of a goal, day by day, beside the forecast."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from lib import outlook
from lib.analysis import standards
from lib.cases import GoalCase
from lib.errors import UserError
from lib.goals import READINGS

# Trackers that need no more than base, latest and target; the anticipated progress also takes the levels.
TRACKERS = standards.eurostat, standards.un_progress_chart, standards.escap_current_status, standards.sdsn

PROBABILITY = "probability"
NO_FORECAST = "ESCAP current status"  # says how much of the way is done, and not whether the rest will be


def _reading_days(case: GoalCase) -> list[date]:
    """The last days of the years from the first after the base to the deadline, as far as the case's day.

    While the goal is running, the case's day itself is the last of them.
    """
    days = [date(year, 12, 31) for year in range(case.base_year + 1, case.deadline + 1)]
    past = [day for day in days if day < case.as_of]
    running = date(case.base_year, 12, 31) < case.as_of <= date(case.deadline, 12, 31)
    return [*past, case.as_of] if running else past


def year_by_year(case: GoalCase) -> pd.DataFrame:
    """What could be read on each of the `_reading_days`, from what had been published by then: one row a day and source.

    `who` is a tracker or "probability", `latest_year` the last whose level was known, `on_track` True, False or missing. Days
    on which the record had no base or no later level are absent.
    """
    rows: list[tuple[Any, ...]] = []
    for day in _reading_days(case):
        try:
            answer = outlook.of(case.model_copy(update={"as_of": day}))
        except UserError:  # on that day the record had no level for the base yet: nobody could judge
            continue
        goal = answer.goal
        since = answer.levels.loc[goal.base_year : goal.deadline]
        if len(since) < 2:
            continue
        year, level = int(since.index[-1]), float(since.iloc[-1])
        target = standards.TrackedTarget(
            goal.base_mn, goal.base_year, level, year, goal.target_mn, goal.deadline
        )
        found = [*(tracker(target) for tracker in TRACKERS), standards.escap_anticipated(target, since)]
        # The probability of the stated reading, or its verdict once decided; missing where it needs rates not known.
        verdict = answer.verdicts[READINGS.index(case.reading)].outcome
        value = {"met": 1.0, "missed": 0.0}.get(verdict, answer.chances.get(case.reading, np.nan))
        rows += [(day, year, level, *row) for row in (*found, (PROBABILITY, value, verdict, None))]
    return pd.DataFrame(
        rows, columns=["day", "latest_year", "latest_mn", "who", *standards.Assessment._fields[1:]]
    )
