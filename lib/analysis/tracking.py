"""What the official tracking standards would have said of a goal, day by day, beside the forecast."""

from datetime import date
from typing import Any

import pandas as pd

from lib import outlook
from lib.analysis import standards
from lib.analysis.standards import TrackedTarget
from lib.cases import GoalCase
from lib.errors import UserError
from lib.goals import READINGS, make_goal

TRACKERS = (standards.eurostat, standards.un_progress_chart, standards.escap_current_status, standards.sdsn)
"""Trackers that need no more than base, latest and target; the anticipated progress also takes the levels."""

PROBABILITY = "probability"

NO_FORECAST = "ESCAP current status"
"""The tracker that says how much of the way is done, and not whether the rest will be."""


def reading_days(case: GoalCase) -> list[date]:
    """The last days of the years from the first after the base to the deadline, as far as the case's day.

    While the goal is running, the case's day itself is the last of them.
    """
    days = [date(year, 12, 31) for year in range(case.base_year + 1, case.deadline + 1)]
    past = [day for day in days if day < case.as_of]
    running = date(case.base_year, 12, 31) < case.as_of <= date(case.deadline, 12, 31)
    return [*past, case.as_of] if running else past


def year_by_year(case: GoalCase) -> pd.DataFrame:
    """What could be read on each of the `reading_days`, from what had been published by then.

    Returns
    -------
    Long frame: day, latest_year, latest_mn, who (tracker, or "probability"), value, progress_class, on_track
    (True, False or missing), one row a day and source. Days on which the record had no base or no later level
    are absent.
    """
    rows = [row for day in reading_days(case) for row in _read(case.model_copy(update={"as_of": day}))]
    columns = ["day", "latest_year", "latest_mn", "who", "value", "progress_class", "on_track"]
    return pd.DataFrame(rows, columns=columns)


def _read(case: GoalCase) -> list[dict[str, Any]]:
    try:
        levels = case.series()["value_mn"]
        goal = make_goal(case.goal, case.base_year, case.deadline, levels, case.currency)
    except UserError:  # on that day the record had no level for the base yet: nobody could judge
        return []
    since = levels.loc[goal.base_year : goal.deadline]
    if len(since) < 2:
        return []
    year, level = int(since.index[-1]), float(since.iloc[-1])
    target = TrackedTarget(goal.base_mn, goal.base_year, level, year, goal.target_mn, goal.deadline)
    found = [tracker(target) for tracker in TRACKERS] + [standards.escap_anticipated(target, since)]
    rows = [(a.standard, a.value, a.progress_class, a.on_track) for a in found]
    # The probability of the stated reading, or its verdict once decided; missing where it needs rates not known.
    answer = outlook.of(case)
    verdict = answer.verdicts[READINGS.index(case.reading)].outcome
    value = {"met": 1.0, "missed": 0.0}.get(verdict, answer.chances.get(case.reading, float("nan")))
    names = ("who", "value", "progress_class", "on_track")
    head = {"day": case.as_of, "latest_year": year, "latest_mn": level}
    return [head | dict(zip(names, row, strict=True)) for row in [*rows, (PROBABILITY, value, verdict, None)]]


def verdict_grid(found: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Classes, and whether they mean on track (1), not (0) or neither (missing): trackers × days."""
    trackers = found[found["who"] != PROBABILITY]
    classes = trackers.pivot(index="who", columns="day", values="progress_class")
    marks = trackers.astype({"on_track": "Float64"}).pivot(index="who", columns="day", values="on_track")
    order = trackers["who"].unique()
    return classes.loc[order], marks.loc[order].astype(float)


def by_day(found: pd.DataFrame) -> pd.DataFrame:
    """The readings of `year_by_year` with one row a day.

    Returns
    -------
    Frame with day, latest_year, latest_mn, one column a tracker (its value), probability (NaN once decided, and
    where there is none) and verdict.
    """
    key = ["day", "latest_year", "latest_mn"]
    odds = found[found["who"] == PROBABILITY].set_index(key)
    wide = found.pivot(index=key, columns="who", values="value").rename_axis(columns=None).astype(float)
    decided = odds["progress_class"].isin(["met", "missed"])
    wide[PROBABILITY] = odds["value"].astype(float).mask(decided)
    return wide.assign(verdict=odds["progress_class"]).reset_index()


def most_hopeful(found: pd.DataFrame, deadline: int) -> dict[str, Any]:
    """What was said on the last of the days before the deadline on which most trackers called the goal on track.

    Returns
    -------
    day, year (of the latest level), on_track and trackers (numbers; of those that make a forecast), p (probability
    of the goal) and kind ("given", "none", or "decided": the verdict) with verdict; empty without such a day.
    """
    trackers = found[~found["who"].isin([PROBABILITY, NO_FORECAST]) & found["on_track"].notna()]
    before = trackers[trackers["latest_year"] < deadline]
    if before.empty:
        return {}
    share = before.groupby("day")["on_track"].mean()
    day = share[share == share.max()].index[-1]
    row, odds = before[before["day"] == day], found[(found["day"] == day) & (found["who"] == PROBABILITY)]
    verdict, p = odds["progress_class"].iloc[0], odds["value"].iloc[0]
    kind = "decided" if verdict in ("met", "missed") else "none" if pd.isna(p) else "given"
    said = {"year": int(row["latest_year"].iloc[0]), "on_track": int(row["on_track"].sum())}
    return {"day": day, **said, "trackers": len(row), "p": p, "kind": kind, "verdict": verdict}
