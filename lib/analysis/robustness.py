"""How much a forecast of a goal depends on its assumptions, and how the same method fared before."""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib import forecast, growth
from lib.cases import GoalCase
from lib.goals import READING_LABELS, READINGS, Goal
from lib.outlook import Outlook, chances, expect, lineage, prior_for
from lib.words import percent, rate


def shares(view: Outlook) -> pd.DataFrame:
    """How much of the expected drift and of the variance comes from where, formatted."""
    found, model = view.expected.shares, view.expected.model
    own_df = max(int(model.n) - 1, 0) / float(model.df)
    variance = [own_df, *[0.0] * (len(found) - 2), 1 - own_df]
    return pd.DataFrame(
        {
            "comes from": found["source"],
            "share of the drift": found["share"].map(percent),
            "says, a year": np.expm1(found["drift"]).map(rate),
            "share of the variance": [percent(share) if share else "" for share in variance],
        }
    )


def sensitivity(case: GoalCase, goal: Goal, levels: pd.Series) -> pd.DataFrame:
    """Probability of each reading under other assumptions, formatted; "–" where a reading is decided."""
    before = levels.loc[: goal.deadline].dropna()
    base = expect(case, before)
    rates, prior = growth.log_growth(before), base.prior
    own_class = prior_for(case, base.level_mn, base.origin)
    models = {
        "as above": base.model,
        "without the larger flows": forecast.fit(rates, own_class),
        "the reference class alone": forecast.fit(np.array([]), own_class),
        "drift free to differ twice as much": forecast.fit(
            rates, replace(prior, drift_sd=2 * prior.drift_sd)
        ),
        "no drift expected": forecast.fit(rates, replace(prior, drift=0.0)),
        "a third more erratic": forecast.fit(rates, replace(prior, variance=prior.variance * (4 / 3) ** 2)),
    }
    if rates.notna().sum() >= forecast.MIN_GROWTH_RATES:
        models["the flow's own record alone"] = forecast.fit(rates)
    found = {name: chances(goal, before, replace(base, model=model)) for name, model in models.items()}
    found["as above, not corrected by past errors"] = forecast.chances(goal, before, base.model)
    return pd.DataFrame([_row(name, odds) for name, odds in found.items()])


def _row(assumption: str, odds: pd.Series) -> dict[str, str]:
    shown = {READING_LABELS[r]: percent(odds[r]) if r in odds else "–" for r in READINGS}
    return {"assumption": assumption, **shown}


def hindcasts(case: GoalCase, goal: Goal, view: Outlook) -> dict[str, pd.DataFrame]:
    """Forecasts that the same method gave at earlier years, for the flow and the larger ones.

    Each asks for growth at the goal's rate over as many years as were left (at least one), from the years up
    to the origin alone, of levels as known on the case's day.

    Returns
    -------
    By flow (`FlowCase.label_beside`): frame indexed by origin with probability and met (bool); flows without any are left out.
    """
    years = max(goal.deadline - view.last, 1)
    found = {}
    for member in [case, *lineage(case)]:
        levels = member.series()["value_mn"]
        rows = {year: _hindcast(member, levels, int(year), years, goal.rate) for year in levels.index}
        rows = {year: row for year, row in rows.items() if row is not None}
        if rows:
            found[member.label_beside(case)] = pd.DataFrame.from_dict(
                rows, orient="index", columns=["probability", "met"]
            )
    return found


def _hindcast(
    case: GoalCase, levels: pd.Series, origin: int, years: int, growth_rate: float
) -> tuple[float, bool] | None:
    """(probability, met) of growing at a rate over `years` years from `origin`; None without enough years."""
    before = levels.loc[:origin]
    if origin + years not in levels.index or len(before) < 2:
        return None
    expected = expect(case, before)
    needed = years * np.log1p(growth_rate)
    met = np.log(levels[origin + years] / levels[origin]) >= needed - 1e-9
    odds = float(forecast.p_reach(expected.model, needed, years))
    return expected.corrected(odds, "average", years), bool(met)


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
