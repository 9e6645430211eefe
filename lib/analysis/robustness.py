"""What an answer rests on and how much it depends on its assumptions; how the same method fared before.

Of a forecast: its drift and variance, and forecasts of earlier years. Of years that nobody published: what is known of the
flows around them.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib import evidence, growth, outlook
from lib import law as laws
from lib.analysis.cases import HiddenCase
from lib.cases import GoalCase
from lib.evidence import ANALOGUES
from lib.goals import Goal
from lib.law import MIN_GROWTH_RATES
from lib.outlook import Answer, Expectation, expect, lineage, own_law, prior_for


def sensitivity(answer: Answer, base: Expectation) -> pd.DataFrame:
    """Probability of each undecided reading from the own yearly levels alone, under other assumptions than `base`'s."""
    case, goal, levels = answer.case, answer.goal, answer.levels
    rates = growth.log_growth(levels.loc[: goal.deadline])
    own_class, prior = prior_for(case, base.level_mn, base.origin), base.prior
    posteriors = {
        "own yearly levels": base.posterior,
        "without the larger flows": laws.posterior(rates, own_class),
        "the reference class alone": laws.posterior(np.array([]), own_class),
        "drift free to differ twice as much": laws.posterior(
            rates, replace(prior, drift_sd=2 * prior.drift_sd)
        ),
        "no drift expected": laws.posterior(rates, replace(prior, drift=0.0)),
        "a third more erratic": laws.posterior(rates, replace(prior, variance=prior.variance * (4 / 3) ** 2)),
        "all years weighed alike": laws.posterior(rates, prior, half_life=np.inf),
    }
    if rates.notna().sum() >= MIN_GROWTH_RATES and rates.std() > 1e-12:
        posteriors["the flow's own record alone"] = laws.posterior(rates, None)
    rows = {}
    for name, posterior in posteriors.items():
        law = own_law(goal, levels, replace(base, posterior=posterior))
        rows[name] = laws.chances(law, goal, levels).reindex(answer.chances.index)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("assumption")


def hindcasts(answer: Answer) -> pd.DataFrame:
    """Forecasts that the same method gave at earlier years, for the flow and the larger ones.

    Each asks for growth at the goal's rate over as many years as were left (at least one), from the years up
    to the origin alone, of levels as known on the case's day.

    Returns
    -------
    Frame indexed by origin: flow of (`FlowCase.label_beside`), probability and met (bool).
    """
    case, goal, rows = answer.case, answer.goal, []
    years = max(goal.deadline - answer.last, 1)
    needed = years * np.log1p(goal.rate)
    for member in [case, *lineage(case)]:
        levels = member.series()["value_mn"].dropna()
        for origin, level in levels.iloc[1:].items():
            if origin + years in levels.index and level > 0:
                of = expect(member, levels.loc[:origin]).posterior
                met = levels[origin + years] / level >= np.exp(needed - 1e-9)
                rows.append((member.label_beside(case), origin, float(laws.p_reach(of, needed, years)), met))
    return pd.DataFrame(rows, columns=["flow of", "origin", "probability", "met"]).set_index("origin")


# --- years that nobody published ---


def family(case: GoalCase) -> list[GoalCase]:
    """The larger flows that contain this one, the largest first, and the flow itself."""
    return [*reversed(case.lineage()), case]


def rows_used(answer: Answer) -> pd.DataFrame:
    """The figures behind the levels of the flow and of all others that the answer looked at, since the goal's base."""
    case, found = answer.case, []
    unknown = () if answer.law is None else answer.law.years
    other = [case.mirror()] if evidence.MIRROR in answer.evidence else []
    for one in [*family(case), *other]:
        rows, series = one.vintage(), one.series()
        behind = set(series.loc[case.base_year :, "figure_id"])
        if one is case and evidence.YEAR_SO_FAR in answer.evidence:
            stretches = case.releases()
            behind |= set(stretches.loc[stretches["year"].isin(unknown), "figure_id"])
        found.append(rows[rows["figure_id"].isin(behind)])
    return pd.concat(found, ignore_index=True)


def moves(case: GoalCase, levels: pd.Series) -> pd.DataFrame:
    """How the larger flows moved from the last known year of this one before the deadline to it or the next year known.

    Returns
    -------
    Frame: name, first, last (years), change (fraction), rows (the figures behind both levels); flows that are not
    known in both years are absent.
    """
    first, rows = int(levels.loc[: case.deadline - 1].index[-1]), []
    for one in family(case)[:-1]:
        theirs = one.series()
        ends = theirs.loc[[year for year in (first, *theirs.loc[case.deadline :].index[:1]) if year in theirs.index]]
        if len(ends) == 2:
            change = ends["value_mn"].iloc[1] / ends["value_mn"].iloc[0] - 1
            rows.append((one.reporter, *ends.index, change, ", ".join(ends["figure_id"].unique())))
    return pd.DataFrame(rows, columns=["name", "first", "last", "change", "rows"])


def implied_before(case: GoalCase, doubtful: tuple[int, ...]) -> dict[int, float]:
    """Level of the year before the first doubtful one, from the growth of a part of that year; or nothing.

    The growth of the longest part of the year, in the currency in which it was printed, is taken for the year's.
    """
    levels = case.series()["value_mn"]
    if not doubtful or doubtful[0] - 1 in levels.index:
        return {}
    year, rows = doubtful[0], case.vintage()
    part = rows[(rows["period_end"].dt.year == year) & (rows["period_start"].dt.year == year)]
    part = part[part["growth_usable"] & part["yoy_pct"].notna()].sort_values("period_end")
    if part.empty:
        return {}
    grown, rates = 1 + part["yoy_pct"].iloc[-1] / 100, case.rates()
    factor, printed = 1.0, part["currency"].iloc[-1]
    if printed != case.currency:
        moved = rates[case.currency] / rates[printed]
        factor = moved[year - 1] / moved[year]
    return {year - 1: levels[year] / grown * factor}


def inferred_sensitivity(case: HiddenCase, answer: Answer) -> pd.DataFrame:
    """Probability of each reading under other assumptions, one row each; empty where the figures decide."""
    if answer.law is None:
        return pd.DataFrame()
    usual, found = answer.assume, answer.inferred
    tried = {"as assumed": answer.chances}

    def vary(name: str, without: tuple[str, ...] = (), **assumptions: object) -> None:
        tried[name] = outlook.of(case, without, replace(usual, **assumptions)).chances  # type: ignore[arg-type]

    if found:
        vary("half the variance of a part around its whole", spread_factor=usual.spread_factor / 2)
        vary("twice the variance", spread_factor=usual.spread_factor * 2)
        for name in ANALOGUES:
            if name != usual.analogue:
                vary(f"spread of: {name}", analogue=name)
        for name in found.chain.members[1:]:
            vary(f"the path of {name}'s trade left out", (name,))
    if evidence.LATER in answer.evidence and evidence.after_silence(answer.levels):
        vary("late levels surely of the same scope", scope_same=1.0)
        vary("late levels surely of another scope", scope_same=0.0)
        vary("a change of scope by a factor of 7, not of 2.7", scope_sd=2 * usual.scope_sd)
    if found and (before := implied_before(case, found.chain.doubtful)):
        name = f"with the level of {min(before)} that part of a year implies"
        vary(name, implied=tuple(before.items()))
    if len(evidence.parcels_a_year(case)):
        vary("parcels real and counted: one chance in ten", parcels_counted=0.1)
        vary("parcels real and counted: surely", parcels_counted=1.0)
    return pd.DataFrame.from_dict(tried, orient="index").rename_axis("assumption")


PACE = [
    *("larger flow", "from_year", "from_mn", "parent_growth", "level_mn", "target_mn", "missing"),
    *("first_row", "last_row"),
]


def at_parents_pace(case: GoalCase, goal: Goal, levels: pd.Series) -> pd.DataFrame:
    """Where the flow would have ended had it grown as each larger flow did, from its last known year.

    Uses the whole record, whenever published.

    Returns
    -------
    Frame indexed by the larger flow (`FlowCase.label_beside`): from_year, from_mn, parent_growth (fraction, to the
    deadline; NaN where one of the two years is missing), level_mn (at that pace), target_mn,
    missing (the years without a level, as text), first_row and last_row (ids of the published figures behind it).
    """
    before = levels.loc[: goal.deadline].dropna()
    last, rows = int(before.index[-1]), []
    for larger in lineage(case.today()):
        published = larger.series()[["value_mn", "figure_id"]].reindex([last, goal.deadline])
        (start, first_row), (end, last_row) = published.itertuples(index=False)
        missing = published.index[published["value_mn"].isna()]
        ids = ("", "") if len(missing) else (first_row, last_row)
        level = before[last] * end / start
        absent = " and ".join(map(str, missing))
        name = larger.label_beside(case)
        rows.append((name, last, before[last], end / start - 1, level, goal.target_mn, absent, *ids))
    return pd.DataFrame(rows, columns=PACE).set_index("larger flow")
