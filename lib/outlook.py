"""What was to be expected of a goal: the flow's own record, leaning on other flows where it is short."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import forecast, growth, reference
from lib.answers import percent
from lib.forecast import FAN, GrowthModel, Prior
from lib.goals import READING_LABELS, READINGS, Goal
from lib.params import FlowCase, GoalCase
from lib.results import Estimate

Case = TypeVar("Case", bound=FlowCase)

SUREST = 1e-6
"""No probability is closer to 0 or 1: the record of one flow cannot be that certain, whatever a tail says."""


@dataclass(frozen=True)
class Outlook:
    """The forecast from the last level known before the deadline.

    Parameters
    ----------
    last : year of that level.
    rates : log growth rates of the flow itself by year; NaN after a gap.
    prior, model : what other flows say, and what remains after the flow's own rates.
    chances : probability by reading; decided readings are absent.
    fan : quantiles of the level by year (`lib.forecast.FAN`), millions; None when no year is left.
    """

    last: int
    rates: pd.Series
    prior: Prior
    model: GrowthModel
    chances: pd.Series
    fan: pd.DataFrame | None

    def estimates(self, currency: str) -> list[Estimate]:
        """The fan as long rows for the result."""
        if self.fan is None:
            return []
        return [
            Estimate(
                target="level",
                period=int(year),
                output_type="quantile",
                output_type_id=float(probability),
                value=float(value),
                unit=f"{currency} mn",
            )
            for year, row in self.fan.iloc[1:].iterrows()
            for probability, value in row.items()
        ]


def look(case: GoalCase, goal: Goal, levels: pd.Series) -> Outlook:
    """Forecast from the last level known before the deadline; `levels` by year in millions."""
    before = levels.loc[: goal.deadline].dropna()
    last = int(before.index[-1])
    rates = growth.log_growth(before)
    prior = prior_for(case, float(before[last]), last)
    model = forecast.fit(rates, prior)
    chances = forecast.chances(goal, before, model).clip(SUREST, 1 - SUREST)
    fan = None if last >= goal.deadline else forecast.fan(model, before, last, goal.deadline, FAN)
    return Outlook(last, rates, prior, model, chances, fan)


def prior_for(case: GoalCase, level_mn: float, year: int) -> Prior:
    """The reference class of flows as large as this one, from the years before `year` alone."""
    usd_mn = level_mn if case.currency == "USD" else level_mn / case.rates()[year]
    return reference.prior_for(usd_mn * 1e6, year, world=case.partner == "World")


def lineage(case: Case) -> list[Case]:
    """The case for each larger flow that contains this one and was on record: city, province, country."""
    parent = fig.load_reporters().set_index("name")["parent"]
    name, larger = parent.get(case.reporter, ""), []
    record = fig.as_of(fig.load_figures(), case.as_of_time)
    while name:
        rows = record[(record["reporter"] == name) & (record["partner"] == case.partner)]
        if (rows["flow"] == case.flow).any():
            larger.append(case.model_copy(update={"reporter": name}))
        name = parent.get(name, "")
    return larger


def at_parents_pace(case: GoalCase, goal: Goal, levels: pd.Series) -> pd.DataFrame:
    """Where the flow would have ended had it grown as each larger flow did, from its last known year.

    Uses the whole record, whenever published.

    Returns
    -------
    Frame indexed by the larger flow's reporter: from_year, from_mn, parent_growth (fraction, to the
    deadline; NaN where one of the two years is missing), level_mn (at that pace), target_mn,
    missing (the years without a level, as text).
    """
    before = levels.loc[: goal.deadline].dropna()
    last = int(before.index[-1])
    rows = {}
    for larger in lineage(case.today()):
        theirs = larger.series()["value_mn"]
        known = last in theirs.index and goal.deadline in theirs.index
        change = theirs[goal.deadline] / theirs[last] - 1 if known else np.nan
        missing = [year for year in (last, goal.deadline) if year not in theirs.index]
        rows[larger.reporter] = {
            "from_year": last,
            "from_mn": before[last],
            "parent_growth": change,
            "level_mn": before[last] * (1 + change),
            "target_mn": goal.target_mn,
            "missing": " and ".join(map(str, missing)),
        }
    columns = ["from_year", "from_mn", "parent_growth", "level_mn", "target_mn", "missing"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("larger flow")


def shares(view: Outlook) -> pd.DataFrame:
    """How much of the expected drift and of the variance comes from the flow itself."""
    own = float(view.model.own_share)
    n = int(view.model.n)
    own_df = max(n - 1, 0) / float(view.model.df)
    return pd.DataFrame(
        {
            "comes from": ["the flow's own record", "the reference class"],
            "growth rates": [str(n), "many flows"],
            "share of the drift": [percent(own), percent(1 - own)],
            "share of the variance": [percent(own_df), percent(1 - own_df)],
        }
    )


def sensitivity(case: GoalCase, goal: Goal, levels: pd.Series) -> pd.DataFrame:
    """Probability of each reading under other assumptions, formatted; "–" where a reading is decided."""
    before = levels.loc[: goal.deadline].dropna()
    last = int(before.index[-1])
    rates = growth.log_growth(before)
    prior = prior_for(case, float(before[last]), last)
    models = {
        "as above": forecast.fit(rates, prior),
        "the reference class alone": forecast.fit(np.array([]), prior),
        "drift free to differ twice as much": forecast.fit(
            rates, replace(prior, drift_sd=2 * prior.drift_sd)
        ),
        "no drift expected": forecast.fit(rates, replace(prior, drift=0.0)),
        "a third more erratic": forecast.fit(rates, replace(prior, variance=prior.variance * (4 / 3) ** 2)),
    }
    if rates.notna().sum() >= forecast.MIN_GROWTH_RATES:
        models["the flow's own record alone"] = forecast.fit(rates)
    found = {name: forecast.chances(goal, before, model) for name, model in models.items()}
    columns = {READING_LABELS[reading]: reading for reading in READINGS}
    rows = [
        {
            "assumption": name,
            **{label: percent(odds[key]) if key in odds else "–" for label, key in columns.items()},
        }
        for name, odds in found.items()
    ]
    return pd.DataFrame(rows)


def hindcasts(case: GoalCase, goal: Goal, view: Outlook) -> dict[str, pd.DataFrame]:
    """Forecasts that the same method gave at earlier years, for the flow and the larger ones.

    Each asks for growth at the goal's rate over as many years as were left (at least one), from the years up
    to the origin alone, of levels as known on the case's day.

    Returns
    -------
    By reporter: frame indexed by origin with probability and met (bool); flows without any are left out.
    """
    years = max(goal.deadline - view.last, 1)
    found = {}
    for member in [case, *lineage(case)]:
        levels = member.series()["value_mn"]
        rows = {year: _hindcast(member, levels, int(year), years, goal.rate) for year in levels.index}
        rows = {year: row for year, row in rows.items() if row is not None}
        if rows:
            found[member.reporter] = pd.DataFrame.from_dict(
                rows, orient="index", columns=["probability", "met"]
            )
    return found


def _hindcast(
    case: GoalCase, levels: pd.Series, origin: int, years: int, rate: float
) -> tuple[float, bool] | None:
    """(probability, met) of growing at `rate` over `years` years from `origin`; None without enough years."""
    before = levels.loc[:origin]
    if origin + years not in levels.index or len(before) < 2:
        return None
    model = forecast.fit(growth.log_growth(before), prior_for(case, float(before[origin]), origin))
    needed = years * np.log1p(rate)
    met = np.log(levels[origin + years] / levels[origin]) >= needed - 1e-9
    return float(forecast.p_reach(model, needed, years)), bool(met)


def hindcast_table(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Number of earlier forecasts, mean probability and how many came true, formatted."""
    return pd.DataFrame(
        {
            "flow of": list(found),
            "forecasts": [len(frame) for frame in found.values()],
            "origins": [f"{frame.index.min()}–{frame.index.max()}" for frame in found.values()],
            "mean probability": [percent(frame["probability"].mean()) for frame in found.values()],
            "came true": [f"{frame['met'].sum()} of {len(frame)}" for frame in found.values()],
        }
    )
