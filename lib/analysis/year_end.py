"""Where a running year will end: what was known of it, the law of its total, and how that moved by release.

A year's total has two forecasts: the year so far times what the rest of a year adds, and the yearly forecast from the
years before. `lib.outlook` combines them (Bates & Granger 1969); here each is also taken by itself, and the errors
that such nowcasts made are read from the kept backtest.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from lib import evidence, outlook, series
from lib import law as laws
from lib.analysis import scores
from lib.cases import GoalCase
from lib.evidence import ERRORS_FILE, MONTHS
from lib.goals import READINGS
from lib.law import FAN, Law
from lib.outlook import Answer
from lib.reference import Array, read_kept

RELEASE = ["day", "year", "month", "so_far_mn", "last_mn", *FAN, "path", "rate", *READINGS]
"""Columns of `by_release`."""


class RunningYear(NamedTuple):
    """A running year as a day knew it.

    Parameters
    ----------
    year, month : the running year, and its last month in the year so far (0: nothing of it is known).
    so_far_mn : the year so far, millions; NaN at month 0.
    stretches : everything known of months, all years (`lib.series.releases`).
    levels : by year, millions, up to the last full year (`last`).
    own : the flow's own ln(total / year so far), earlier years × months 1 to 11, NaN where unknown.
    """

    year: int
    month: int
    so_far_mn: float
    stretches: pd.DataFrame
    levels: pd.Series
    last: int
    own: pd.DataFrame


def look(case: GoalCase) -> RunningYear:
    """What the case's day knew of the latest year beyond the last level that has a year so far.

    Without any, the year after the last level. The case's goal is not looked at.
    """
    levels = case.series()["value_mn"].dropna()
    last, stretches = int(levels.index[-1]), case.releases()
    known = stretches, levels, last, series.own_ratios(stretches, levels)
    so_far = series.year_to_date(stretches[stretches["year"] > last])
    so_far = so_far[so_far.index.get_level_values("last_month") <= MONTHS[-1]]
    if so_far.empty:
        return RunningYear(last + 1, 0, np.nan, *known)
    year = int(so_far.index.get_level_values("year").max())
    return RunningYear(year, int(so_far[year].index[-1]), float(so_far[year].iloc[-1]), *known)


def total(case: GoalCase, running: RunningYear, without: tuple[str, ...] = ()) -> Answer:
    """The answer for a level that asks for nothing but the running year: its `law` is that of the total."""
    asked = {"base_year": running.last, "deadline": running.year, "goal": "0 %"}
    return outlook.of(case.model_copy(update=asked), without)


def forecasts(case: GoalCase, running: RunningYear) -> pd.DataFrame:
    """The forecasts of the running year's total, alone and together, one row each.

    Returns
    -------
    Frame: forecast (annual, year_so_far and combined), and the quantiles of the total (`lib.law.FAN`), millions.
    """
    rows = {"annual": _quantiles(total(case, running, (evidence.YEAR_SO_FAR,)).law, running.year)}
    levels = case.series()["value_mn"].dropna()
    size = case.usd_mn(float(levels.iloc[-1]), running.last) * 1e6
    alone = evidence.year_so_far(case, levels, [running.year], size)
    if alone is not None:
        # Given a law of the log level that any observation overrules.
        nothing = Law((running.year,), np.ones(1), np.zeros((1, 1)), np.full((1, 1, 1), 1e8))
        rows["year_so_far"] = _quantiles(alone.given(nothing), running.year)
        rows["combined"] = _quantiles(total(case, running).law, running.year)
    found = pd.DataFrame.from_dict(rows, orient="index", columns=list(FAN))
    return found.rename_axis("forecast").reset_index()


def _quantiles(law: Law | None, year: int) -> Array:
    assert law is not None  # the running year has no level, so that no figure decides it
    return laws.quantiles(law, year)


def p_this_year(answer: Answer, running: RunningYear) -> pd.Series:
    """Probability that the running year ends on the goal's path (path), and that it grows at the goal's rate (rate).

    Both are NaN outside the goal's years, `rate` also where the year before is not known.
    """
    goal, before = answer.goal, answer.levels.get(running.year - 1)
    odds = pd.Series({"path": np.nan, "rate": np.nan})
    if answer.law is not None and running.year in answer.law.years:
        odds["path"] = 1 - laws.p_below(answer.law, running.year, goal.path()[running.year])
        if before is not None:
            odds["rate"] = 1 - laws.p_below(answer.law, running.year, before * (1 + goal.rate))
    return odds.clip(outlook.SUREST, 1 - outlook.SUREST)


def by_release(case: GoalCase) -> pd.DataFrame:
    """How the nowcast and the probabilities moved, release by release, since the base of the goal was known.

    Parameters
    ----------
    case : flow, goal and the last day.

    Returns
    -------
    One row a day that moved the last full year or the year so far: day, year (the running one), month (0: nothing of
    it known yet), so_far_mn, last_mn, the quantiles of its total (`lib.law.FAN`, millions), path and rate
    (`p_this_year`), average, every_year and mean_of_rates (NaN where absent). Each row knows only what had been
    published by its day. Days on which the running year lies after the deadline are left out.
    """
    record, rows, before = case.vintage(), [], None
    inside = record[record["period_end"].dt.year.between(case.base_year, case.deadline)]
    for day in sorted(inside["known_from"].unique()):
        then = case.model_copy(update={"as_of": day.date()})
        running = look(then)
        if case.base_year not in running.levels.index or running.year > case.deadline:
            continue
        so_far = running.so_far_mn if running.month else 0.0
        state = (running.year, running.month, so_far, float(running.levels.iloc[-1]))
        if state != before:
            answer = outlook.of(then)
            odds = [*p_this_year(answer, running), *answer.chances.reindex(list(READINGS))]
            rows.append((day, *state, *_quantiles(answer.law, running.year), *odds))
        before = state
    return pd.DataFrame(rows, columns=RELEASE)


def seasonal_band(case: GoalCase, running: RunningYear) -> pd.DataFrame:
    """Share of a year done by each month: quantiles 10, 50 and 90 %, from the flow's own years and the class."""
    rows, own = {}, running.own
    size = case.usd_mn(float(running.levels.iloc[-1]), running.last) * 1e6
    origin = max(running.last, evidence.first_ratio_year())
    for month in MONTHS:
        prior = evidence.ratio_prior(size, origin, month)
        fitted = evidence.ratio_model(own[month].dropna().to_numpy(), prior)
        rows[month] = np.exp(
            -laws.location(fitted, 1) - laws.spread(fitted, 1) * stdtrit(fitted.df, [0.9, 0.5, 0.1])
        )
    return pd.DataFrame.from_dict(rows, orient="index", columns=[0.1, 0.5, 0.9]).rename_axis("month")


# --- how wrong nowcasts of a year's total were, from the kept backtest ---


def skill_by_month(rival: str) -> pd.DataFrame:
    """Absolute error saved against a rival by month with 90 % intervals; whole years are resampled.

    Returns
    -------
    Frame indexed by month: estimate, low, high (fractions; 0 is no better, 1 perfect).
    """
    kept = read_kept(ERRORS_FILE).assign(total=lambda rows: rows["mae"] * rows["n"])
    sums = kept.pivot_table(
        index=["month", "year"], columns="method", values="total", aggfunc="sum"
    ).reset_index(1)
    rows = {
        month: scores.skill_interval(part["combined"], part[rival], part["year"])._asdict()
        for month, part in sums.groupby("month")
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("month")


def revisions(stretches: pd.DataFrame) -> pd.DataFrame:
    """By how much the year so far was revised within a year: as printed, against the base that next year implies.

    Returns
    -------
    Frame: year, last_month, printed_mn, implied_mn, change (log; positive where the figure was raised).
    """
    printed = stretches[stretches["first_month"] == 1][["year", "last_month", "value_mn"]]
    implied = series.implied_year_to_date(stretches)
    both = printed.merge(implied, on=["year", "last_month"], suffixes=("", "_implied"))
    both = both.rename(columns={"value_mn": "printed_mn", "value_mn_implied": "implied_mn"})
    return both.assign(change=np.log(both["implied_mn"] / both["printed_mn"]))
