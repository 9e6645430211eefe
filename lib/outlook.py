"""The answer to a goal on a day: met, missed, or how probable, from one law of the path.

The law of a flow is that of its own yearly record, leaning on its reference class and on what is special about the
larger flows that contain it (`lib.law`), and learns from what the day knew beside that record (`lib.evidence`). Every
probability of a goal in this collection comes from `of`: a notebook whose subject is one stage leaves evidence out
by its name.

The prior of a sub-flow is that of its class, moved by what is special about its parents:

    drift = class drift + weight × (parent's drift − drift of the parent's own class)

The parent's drift is itself shrunk to its class, and moved by *its* parent in the same way. The weight is estimated on
panels in which sub-flows and totals are both known and kept in ``data/reference/parent_weights.csv``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lib import evidence, goals, growth, reference
from lib import law as laws
from lib.cases import FlowCase, GoalCase
from lib.errors import UserError
from lib.evidence import LARGER, LATER, PIECES, Assumptions, Inferred
from lib.goals import Goal, Kind, Reading, Verdict
from lib.law import FAN, Law, Posterior
from lib.reference import Prior, read_kept
from lib.results import Estimate
from lib.tables import at_rest
from lib.words import year_spans

Case = TypeVar("Case", bound=FlowCase)
_Learnt = tuple[Law, dict[str, str], Inferred | None]
WORLD = "World"
"""The partner that stands for all of them."""
SUREST = 1e-6
"""No probability is closer to 0 or 1: the record of one flow cannot be that certain, whatever a tail says."""
CERTAIN = 5e-4
"""A probability closer than this to 0 or 1 is just that to three digits: the goal is absurd, and a sentence says so."""
OUT_OF_REACH = "As stated, the goal is all but unreachable: probability 0.000."
NEXT_TO_NOTHING = "As stated, the goal is all but certain: probability 1.000."


def _prior_with_parents(
    reference: Prior, parents: Sequence[tuple[str, ArrayLike, Prior]], own: ArrayLike, weight: float
) -> tuple[Prior, pd.DataFrame]:
    """Prior of a sub-flow from its reference class and its parents, and how much comes from where.

    Parameters
    ----------
    reference : prior of the flow's own size class, its drift `lib.law.drawn`; so are the parents'.
    parents : larger flows, from the nearest (the province) to the farthest (the country): name, log growth rates, prior.
    own : the flow's own log growth rates, as they will be given to `lib.law.posterior`; they do not change the
        prior, only the shares.
    weight : of a parent's difference from its class, 0 to 1.

    Returns
    -------
    The prior, and a DataFrame with one row for each source (own figures, each parent, reference class):
    share (of the posterior drift, adding up to 1) and drift (that the source states, log growth a year).
    """
    own_share, own_drift = _own_drift(own, reference)
    rows, left, moved = [("own figures", own_share, own_drift)], 1.0 - own_share, 0.0
    for name, rates, prior in parents:
        share, drift = _own_drift(rates, prior)
        special = drift - prior.drift
        rows.append((name, left * weight * share, reference.drift + special))
        moved += left * weight * share * special / (1.0 - own_share)
        left *= weight * (1 - share)
    names = ", ".join(name for name, _, _ in parents)
    source = f"{reference.source}; drift moved by {names}" if parents else reference.source
    rows.append(("reference class", 1.0 - sum(share for _, share, _ in rows), reference.drift))
    table = pd.DataFrame(rows, columns=["source", "share", "drift"])
    return replace(reference, drift=reference.drift + moved, source=source), table


def _own_drift(growth: ArrayLike, prior: Prior) -> tuple[float, float]:
    """Share of a flow's own rates in its posterior drift, and their weighted mean (the prior's where there is none)."""
    found = laws.posterior(growth, prior)
    left = float(found.variance) / float(found.weight) - prior.drift_error**2  # of the variance of the drift
    share = 1 - left / prior.drift_sd**2
    if share < 1e-9:
        return 0.0, prior.drift
    return share, prior.drift + (float(found.mean) - prior.drift) / share


@dataclass(frozen=True)
class _Expectation:
    """The growth of a flow that was to be expected at an origin, and where that comes from."""

    origin: int  # year of the last level
    level_mn: float
    size_usd: float  # that level in US dollars
    world: bool  # whether the partner is the world, whose flows have a reference class of their own
    prior: Prior  # what other flows say
    posterior: Posterior  # what remains after the flow's own rates
    shares: pd.DataFrame  # how much of the expected drift comes from where (`_prior_with_parents`)


def expect(case: GoalCase, levels: pd.Series) -> _Expectation:
    """What was to be expected from the last year of `levels` (by year, millions) on, as the case's day knew it."""
    origin, level = int(levels.index[-1]), float(levels.iloc[-1])
    rates = growth.log_growth(levels)
    parents = []
    for larger in lineage(case):
        before = larger.series()["value_mn"].loc[:origin]
        if len(before) > 1:
            its_class = prior_for(larger, float(before.iloc[-1]), int(before.index[-1]))
            parents.append((larger.label_beside(case), growth.log_growth(before), its_class))
    # Of a parent's difference from its class the median of the kept slopes counts.
    weight = float(np.clip(read_kept("parent_weights.csv")["slope"].median(), 0, 1))
    own_class = prior_for(case, level, origin)
    prior, shares = _prior_with_parents(own_class, parents, rates, weight)
    size = case.usd_mn(level, origin) * 1e6
    posterior = laws.posterior(rates, prior)
    return _Expectation(origin, level, size, case.partner == WORLD, prior, posterior, shares)


def prior_for(case: GoalCase, level_mn: float, year: int) -> Prior:
    """The reference class of flows as large as this one, from what panels of the case's day held up to `year`."""
    world = case.partner == WORLD
    known = min(year, reference.last_released(case.as_of, world))
    return laws.drawn(reference.prior_for(case.usd_mn(level_mn, year) * 1e6, known, world=world))


@dataclass(frozen=True)
class Answer:
    """What a day knew of a goal.

    Parameters
    ----------
    case, goal, levels : what was asked, the goal, and the known level by year (millions).
    verdicts : whether each reading was met, missed, open or unknown.
    kind : what a probability of it is: a forecast (the deadline lies ahead), a nowcast (its year is running),
        or inferred (its year is over, and unpublished).
    chances : probability by reading, those alone that the figures do not decide.
    needed : growth a year still needed, by reading (`lib.goals.needed_rates`); nothing is after the deadline.
    law : of the log levels (millions) of the years that are not known, to the deadline; None where all is decided.
    expected : what was to be expected from the last level up to the deadline on; None where all is decided.
    evidence : what the law has learnt from beside the own yearly levels: kind (`lib.evidence.PIECES`) → whose
        figures of when.
    inferred : what the paths of the larger flows taught, where they did.
    assume : what the evidence rests on.
    """

    case: GoalCase
    goal: Goal
    levels: pd.Series
    verdicts: list[Verdict]
    kind: Kind
    chances: pd.Series
    needed: pd.DataFrame
    law: Law | None = None
    expected: _Expectation | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    inferred: Inferred | None = None
    assume: Assumptions = field(default_factory=Assumptions)

    @property
    def last(self) -> int:
        """Year of the last level known up to the deadline."""
        return int(self.levels.loc[: self.goal.deadline].index[-1])

    @property
    def warning(self) -> str:
        """What the reader of a probability must be told of an absurd goal and of an old reference class; or nothing."""
        if self.expected is None:
            return ""
        chance = self.chances.get(self.case.reading, 0.5)
        absurd = OUT_OF_REACH if chance < CERTAIN else NEXT_TO_NOTHING if chance > 1 - CERTAIN else ""
        old = reference.age_warning(self.expected.prior, self.expected.origin)
        return " ".join(filter(None, [absurd, old]))

    @property
    def fan(self) -> pd.DataFrame | None:
        """Quantiles of the level (`lib.law.FAN`, millions) by year, from the last known year before the first unknown.

        A known year is certain. None where all is known.
        """
        if self.law is None:
            return None
        rows = {}
        for year in range(min(self.law.years) - 1, self.goal.deadline + 1):
            sure = np.full(len(FAN), self.levels.get(year, np.nan))
            rows[year] = sure if year in self.levels.index else laws.quantiles(self.law, year)
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(FAN)).rename_axis("year")

    def estimates(self) -> list[Estimate]:
        """The fan as long rows for the result, the years alone that are not known."""
        fan = pd.DataFrame() if self.fan is None else self.fan.drop(self.levels.index, errors="ignore")
        what = {"target": "level", "output_type": "quantile", "unit": f"{self.goal.currency} mn"}
        return [
            Estimate(period=int(year), output_type_id=float(p), value=float(value), **what)
            for year, row in fan.iterrows()
            for p, value in row.items()
        ]

    def steps(self) -> pd.DataFrame:
        """Probability by reading as evidence is taken in, one row a piece; the first knows the own yearly levels alone.

        Of the larger flows the largest comes first, then those inside it one by one.
        """
        taken: list[str] = []
        kinds = {"own yearly levels": taken.copy()}
        for kind, what in self.evidence.items():
            taken.append(kind)
            inside = self.inferred.chain.members if kind == LARGER and self.inferred else [kind]
            for name in inside:
                taken.append(name)
                kinds[f"{kind}: {what if name == kind else name}"] = taken.copy()
        rows = dict.fromkeys(kinds, self.chances)  # the last knows all
        if self.expected is not None:
            for label in list(kinds)[:-1]:
                rows[label] = _chances(self, _learn(self, self.expected, kinds[label])[0])
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("evidence")


@at_rest()
def of(case: GoalCase, without: Collection[str] = (), assume: Assumptions | None = None) -> Answer:
    """The answer to a goal, as the case's day knew it.

    Parameters
    ----------
    without : kinds of evidence to leave out (`lib.evidence.PIECES`), or larger flows by their reporter; all kinds
        leave the forecast from the flow's own yearly levels.
    assume : what evidence rests on that no figure tells; by default what the case says of it.

    Raises
    ------
    UserError
        For a case that cannot be judged, or a kind of evidence that does not exist.
    """
    names = [*PIECES, *(larger.reporter for larger in case.lineage())]
    if unknown := set(without) - set(names):
        raise UserError(f"without: found {', '.join(sorted(unknown))}, expected some of {', '.join(names)}")
    levels, goal = case.series()["value_mn"].dropna(), case.make_goal()
    verdicts = goals.judge(goal, levels, case.as_of_time)
    kind: Kind = "nowcast" if case.as_of.year == goal.deadline else "forecast"
    if case.as_of > date(goal.deadline, 12, 31):
        kind = "inferred"
    needed = goals.needed_rates(goal, levels, kind == "inferred")
    assume, nothing = Assumptions.of(case) if assume is None else assume, pd.Series(dtype=float)
    found = Answer(case, goal, levels, verdicts, kind, nothing, needed, assume=assume)
    if not _undecided(verdicts):
        return found
    expected = expect(case, levels.loc[: goal.deadline])
    law, used, inferred = _learn(found, expected, set(names) - set(without))
    odds = _chances(found, law)
    return replace(found, chances=odds, law=law, expected=expected, evidence=used, inferred=inferred)


def _undecided(verdicts: Sequence[Verdict]) -> list[Reading]:
    return [verdict.reading for verdict in verdicts if verdict.outcome in ("open", "unknown")]


def _chances(asked: Answer, law: Law) -> pd.Series:
    """Probability by reading, of those that the figures do not decide."""
    odds = laws.chances(law, asked.goal, asked.levels).reindex(_undecided(asked.verdicts))
    return odds.dropna().clip(SUREST, 1 - SUREST)


def _learn(asked: Answer, expected: _Expectation, kinds: Collection[str]) -> _Learnt:
    """The law of the unknown years to the deadline, the evidence in it, and what larger flows taught."""
    case, goal, levels, assume = asked.case, asked.goal, asked.levels, asked.assume
    law, used, inferred = _from_levels(asked, expected, kinds)
    unknown = [year for year in law.years if year not in levels.index]
    if evidence.MIRROR in kinds and (seen := evidence.mirror(case, levels, unknown)):
        law, used[evidence.MIRROR] = seen.given(law), seen.what
    size = expected.size_usd
    if evidence.YEAR_SO_FAR in kinds and (seen := evidence.year_so_far(case, levels, unknown, size)):
        law, used[evidence.YEAR_SO_FAR] = seen.given(law), seen.what
    known = [year for year in range(goal.base_year + 1, goal.deadline + 1) if year in levels.index]
    counted = assume.parcels_counted if evidence.PARCELS in kinds else 0.0
    if counted > 0 and len(added := evidence.parcels_a_year(case)):
        more = laws.plus(law, added.drop(known, errors="ignore").to_dict())
        law = laws.pool([law, more], (1 - counted, counted))
        used[evidence.PARCELS] = f"{case.reporter}, counted with a probability of {counted:g}"
    law = laws.marginal(law, [year for year in law.years if year not in known])
    return laws.prune(law, evidence.NEGLIGIBLE), used, inferred


def _from_levels(asked: Answer, expected: _Expectation, kinds: Collection[str]) -> _Learnt:
    """The law from yearly levels, those of larger flows where they tell of an unknown year; what was used of them."""
    case, goal, levels, assume = asked.case, asked.goal, asked.levels, asked.assume
    left_out = [larger.reporter for larger in case.lineage() if larger.reporter not in kinds]
    chain = evidence.chain_of(case, assume, LATER in kinds, left_out) if LARGER in kinds else None
    used, inferred = {}, None
    if chain is None:
        after = [] if goal.deadline in levels.index else [int(y) for y in levels.index if y > goal.deadline]
        later = after[:1] if LATER in kinds else []
        law = own_law(goal, levels, expected, next(iter(later), None), assume)
    else:
        inferred = evidence.infer(chain, assume)
        law = _after_chain(laws.condense(inferred.law), goal, levels, expected, chain.years[-1])
        used[LARGER] = (
            f"{chain.top} {year_spans(y for y in chain.hidden if goal.base_year < y <= goal.deadline)}"
        )
        later = [int(year) for year in chain.links[-1].levels.index if year > goal.deadline]
    if later:
        used[LATER] = f"{case.reporter} {year_spans(later)}"
    return law, used, inferred


def own_law(
    goal: Goal,
    levels: pd.Series,
    expected: _Expectation,
    later: int | None = None,
    assume: Assumptions | None = None,
) -> Law:
    """The law of the years to the deadline from the own yearly levels up to it, which are known exactly.

    The level of `later`, a year after the deadline, is taken in too, in doubt of its scope after a silence.
    """
    first = next(year for year in range(goal.base_year + 1, goal.deadline + 1) if year not in levels.index)
    start, end = first - 1, later or goal.deadline
    level = goal.base_mn if start == goal.base_year else float(levels[start])
    law = laws.from_posterior(_from(expected, start), start, level, end - start)
    law = _given_known(law, levels.loc[: goal.deadline])
    if later:
        errors = later_errors(later, expected.origin, assume or Assumptions())
        law = laws.given(law, {later: 1.0}, float(np.log(levels[later])), errors)
    return laws.marginal(law, range(first, goal.deadline + 1))


def later_errors(year: int, origin: int, assume: Assumptions) -> dict[float, float]:
    """Errors that the first later level may have, and how probable each is: after a silence its scope is in doubt."""
    doubt = {assume.scope_sd: 1 - assume.scope_same} if year - origin > evidence.LONG_GAP else {}
    errors = {0.0: 1 - sum(doubt.values())} | doubt
    return {sd: weight for sd, weight in errors.items() if weight > 0}


def _after_chain(law: Law, goal: Goal, levels: pd.Series, expected: _Expectation, last: int) -> Law:
    """The law that larger flows give, to the deadline: where they end it grows on as the flow's own law says."""
    law = laws.marginal(law, [year for year in law.years if goal.base_year < year <= goal.deadline])
    if last >= goal.deadline:
        return law
    growth = laws.from_posterior(_from(expected, last), last, 1.0, goal.deadline - last)
    law = laws.followed_by(law, growth, last, None if last in law.years else float(levels[last]))
    return _given_known(law, levels)


def _given_known(law: Law, levels: pd.Series) -> Law:
    """The law after the levels of its years that are known exactly."""
    for year in law.years:
        if year in levels.index:
            law = laws.given(law, {year: 1.0}, float(np.log(levels[year])), 0.0)
    return law


def _from(expected: _Expectation, year: int) -> Posterior:
    """The growth to be expected from a year on: the latest rate echoes in the year after it alone."""
    of_all = expected.posterior
    return of_all if year == expected.origin else of_all._replace(echo=np.zeros_like(of_all.echo))


def lineage(case: Case) -> list[Case]:
    """The case for each larger flow that contains this one and was on record, the smallest first.

    From the city to the province and the country, with the same partner; then, where that is on record, the
    country's trade with all partners.
    """
    larger = case.lineage()
    top = larger[-1].reporter if larger else case.reporter
    with_all = case.model_copy(update={"reporter": top, "partner": WORLD})
    return larger + [with_all] * (case.partner != WORLD and with_all.is_on_record())
