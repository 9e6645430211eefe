"""Parents: what a larger flow that contains this one says about its drift.

Harbin's trade with Russia is part of Heilongjiang's, which is part of China's. A flow with few figures of its
own takes its prior drift from the reference class, moved by what is special about its parent:

    drift = class drift + weight × (parent's drift − drift of the parent's own class)

The parent's drift is itself shrunk to its class, and moved by *its* parent in the same way. The weight is
estimated on panels in which sub-flows and totals are both known (`estimate_weight`) and kept in
``data/reference/parent_weights.csv``: there a sub-flow takes over the whole difference, whether or not it has
figures of its own, so the weight is 1; the difference itself is small once it is shrunk.

What was to be expected of a goal: the flow's own record, leaning on other flows where it is short.

The prior of a flow is that of its reference class, moved by what is special about the larger flows that contain
it (`lib.outlook`); its probabilities and intervals are corrected by the errors of earlier forecasts
(`lib.past_errors`). Both know only the years up to the last level of the flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lib import forecast, growth, past_errors, reference
from lib.cases import FlowCase, GoalCase
from lib.errors import UserError
from lib.forecast import FAN, GrowthModel, Prior
from lib.goals import Goal
from lib.reference import read_kept
from lib.results import Estimate


class Parent(NamedTuple):
    """A flow that contains the one to be forecast: its name, yearly log growth rates, and reference class."""

    name: str
    growth: ArrayLike
    prior: Prior


def prior_with_parents(
    reference: Prior,
    parents: Sequence[Parent],
    own: ArrayLike = (),
    weight: float | None = None,
) -> tuple[Prior, pd.DataFrame]:
    """Prior of a sub-flow from its reference class and its parents, and how much comes from where.

    Parameters
    ----------
    reference : prior of the flow's own size class.
    parents : from the nearest (the province) to the farthest (the country).
    own : the flow's own log growth rates, as they will be given to `lib.forecast.fit`; they do not change the
        prior, only the shares.
    weight : of a parent's difference from its class, 0 to 1; by default the kept one.

    Returns
    -------
    The prior, and a DataFrame with one row for each source (own figures, each parent, reference class):
    share (of the posterior drift, adding up to 1), drift (that the source states, log growth a year) and
    contribution (share × drift, adding up to the posterior drift).
    """
    weight = kept_weight() if weight is None else weight
    if not 0 <= weight <= 1:
        raise UserError(f"weight of parents: found {weight}, expected 0 to 1")
    rates = np.asarray(own, dtype=float)
    shares, drifts, left = [], [], 1.0 - float(forecast.fit(rates, reference).own_share)
    for parent in parents:
        model = forecast.fit(np.asarray(parent.growth, dtype=float), parent.prior)
        shares.append(left * weight * float(model.own_share))
        left *= weight * (1 - float(model.own_share))
        drifts.append(reference.drift + _own_mean(parent.growth, parent.prior) - parent.prior.drift)
    kept = 1.0 - float(forecast.fit(rates, reference).own_share)
    moved = sum(s * (d - reference.drift) for s, d in zip(shares, drifts, strict=True)) / kept
    names = ", ".join(parent.name for parent in parents)
    source = f"{reference.source}; drift moved by {names}" if parents else reference.source
    table = pd.DataFrame(
        {
            "source": ["own figures", *(parent.name for parent in parents), "reference class"],
            "share": [1 - kept, *shares, kept - sum(shares)],
            "drift": [_own_mean(rates, reference), *drifts, reference.drift],
        }
    )
    table["contribution"] = table["share"] * table["drift"]
    return replace(reference, drift=reference.drift + moved, source=source), table


def _own_mean(growth: ArrayLike, prior: Prior) -> float:
    """Mean of the rates there are; the prior's drift where there is none, since it then has no weight."""
    rates = np.asarray(growth, dtype=float)
    rates = rates[~np.isnan(rates)]
    return float(rates.mean()) if rates.size else prior.drift


def kept_weight() -> float:
    """Weight of a parent: the median of the kept slopes, within 0 and 1."""
    return float(np.clip(read_kept("parent_weights.csv")["slope"].median(), 0, 1))


Case = TypeVar("Case", bound=FlowCase)

WORLD = "World"
"""The partner that stands for all of them."""

SUREST = 1e-6
"""No probability is closer to 0 or 1: the record of one flow cannot be that certain, whatever a tail says."""


@dataclass(frozen=True)
class Expectation:
    """The growth model of a flow at an origin, and where it comes from.

    Parameters
    ----------
    origin : year of the last level.
    level_mn : that level; size_usd : the same in US dollars.
    world : whether the partner is the world, whose flows have a reference class of their own.
    prior, model : what other flows say, and what remains after the flow's own rates.
    shares : how much of the expected drift comes from where (`lib.outlook.prior_with_parents`).
    """

    origin: int
    level_mn: float
    size_usd: float
    world: bool
    prior: Prior
    model: GrowthModel
    shares: pd.DataFrame

    def corrected(self, p: float, reading: str, years: int) -> float:
        """A probability of the model, corrected by past errors; those are of trade between two countries."""
        if not self.world:
            p = float(past_errors.recalibrate(p, reading, years, self.origin, self.size_usd))
        return float(np.clip(p, SUREST, 1 - SUREST))

    def quantiles(self, years: int) -> np.ndarray:
        """Quantiles of the level after `years` years at `lib.forecast.FAN`, corrected alike; millions."""
        asked = np.asarray(FAN)
        shape = None if self.world else past_errors.find("average", years, self.origin, self.size_usd)
        if shape is not None:  # what gets corrected is the probability of exceeding a quantile
            asked = 1 - past_errors.invert(1 - asked, shape)
        return forecast.level_quantiles(self.model, self.level_mn, years, asked)


@dataclass(frozen=True)
class Outlook:
    """The forecast of a goal from the last level known before its deadline.

    Parameters
    ----------
    last : year of that level.
    rates : log growth rates of the flow itself by year; NaN after a gap.
    expected : the growth model and where it comes from.
    chances : probability by reading; decided readings are absent.
    fan : quantiles of the level by year (`lib.forecast.FAN`), millions; None when no year is left.
    """

    last: int
    rates: pd.Series
    expected: Expectation
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
    expected = expect(case, before)
    odds = chances(goal, before, expected)
    fan = None if expected.origin >= goal.deadline else _fan(expected, goal.deadline)
    return Outlook(expected.origin, growth.log_growth(before), expected, odds, fan)


def expect(case: GoalCase, levels: pd.Series) -> Expectation:
    """The growth model at the last year of `levels` (by year, millions), from what the case's day knew."""
    origin, level = int(levels.index[-1]), float(levels.iloc[-1])
    rates = growth.log_growth(levels)
    parents = [_parent(larger, larger.label_beside(case), origin) for larger in lineage(case)]
    own_class = prior_for(case, level, origin)
    prior, shares = prior_with_parents(own_class, [parent for parent in parents if parent is not None], rates)
    model = forecast.fit(rates, prior)
    size = usd_mn(case, level, origin) * 1e6
    return Expectation(origin, level, size, case.partner == WORLD, prior, model, shares)


def _parent(larger: GoalCase, name: str, origin: int) -> Parent | None:
    """A larger flow up to the origin; None where two levels of it were not known by then."""
    levels = larger.series()["value_mn"].loc[:origin]
    if len(levels) < 2:
        return None
    prior = prior_for(larger, float(levels.iloc[-1]), int(levels.index[-1]))
    return Parent(name, growth.log_growth(levels), prior)


def prior_for(case: GoalCase, level_mn: float, year: int) -> Prior:
    """The reference class of flows as large as this one, from the years up to `year` alone."""
    return reference.prior_for(usd_mn(case, level_mn, year) * 1e6, year, world=case.partner == WORLD)


def usd_mn(case: GoalCase, level_mn: float, year: int) -> float:
    """A level of a case in US dollars at the average rate of its year; millions."""
    return level_mn if case.currency == "USD" else level_mn / float(case.rates()[year])


def chances(goal: Goal, levels: pd.Series, expected: Expectation) -> pd.Series:
    """Probability that each reading of a goal is met, from the last level known before its deadline.

    Returns
    -------
    Series by reading. Readings that are decided, or need yearly rates that are not known, are absent.
    """
    raw = forecast.chances(goal, levels, expected.model)
    years = goal.deadline - expected.origin
    return pd.Series({name: expected.corrected(p, str(name), years) for name, p in raw.items()}, dtype=float)


def _fan(expected: Expectation, end: int) -> pd.DataFrame:
    """Quantiles by year from the origin (certain) to `end`; millions."""
    years = range(1, end - expected.origin + 1)
    rows = [np.full(len(FAN), expected.level_mn), *(expected.quantiles(h) for h in years)]
    index = pd.Index(range(expected.origin, end + 1), name="year")
    return pd.DataFrame(np.vstack(rows), index=index, columns=list(FAN))


def lineage(case: Case) -> list[Case]:
    """The case for each larger flow that contains this one and was on record, the smallest first.

    From the city to the province and the country, with the same partner; then, where that is on record, the
    country's trade with all partners.
    """
    larger = case.lineage()
    top = larger[-1].reporter if larger else case.reporter
    with_all = case.model_copy(update={"reporter": top, "partner": WORLD})
    return larger + [with_all] * (case.partner != WORLD and with_all.is_on_record())


def at_parents_pace(case: GoalCase, goal: Goal, levels: pd.Series) -> pd.DataFrame:
    """Where the flow would have ended had it grown as each larger flow did, from its last known year.

    Uses the whole record, whenever published.

    Returns
    -------
    Frame indexed by the larger flow (`FlowCase.label_beside`): from_year, from_mn, parent_growth (fraction, to the
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
        rows[larger.label_beside(case)] = {
            "from_year": last,
            "from_mn": before[last],
            "parent_growth": change,
            "level_mn": before[last] * (1 + change),
            "target_mn": goal.target_mn,
            "missing": " and ".join(map(str, missing)),
        }
    columns = ["from_year", "from_mn", "parent_growth", "level_mn", "target_mn", "missing"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("larger flow")
