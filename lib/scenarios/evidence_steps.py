"""What each piece of evidence says of a hidden goal, and how much the answer depends on what was assumed."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from lib import figures as fig
from lib import outlook
from lib.goals import READINGS, Goal
from lib.outlook import SUREST
from lib.params import HiddenCase
from lib.scenarios.hidden_years import SCOPE_SD, Chain, Hidden, chances, infer, without
from lib.scenarios.lineage import chain_of
from lib.scenarios.parts import ANALOGUES


def chain_for(case: HiddenCase, goal: Goal, analogue: str = ANALOGUES[0]) -> Chain:
    """The chain of a case, its spreads multiplied by the case's factor."""
    chain = chain_of(case, goal, analogue)
    links = (replace_spread(chain, case.spread_factor)) if case.spread_factor != 1 else chain.links
    return replace(chain, links=links)


def replace_spread(chain: Chain, factor: float) -> tuple:
    """Links of a chain with `factor` times the variance of their shares."""
    return tuple(replace(link, spread=link.spread.times(factor)) for link in chain.links)


def posterior(case: HiddenCase, goal: Goal, hidden: Hidden) -> pd.Series:
    """Probability of each reading, parcels weighed in by the case's probability that they count; never certain."""
    levels = case.series()["value_mn"]
    odds = chances(hidden, goal, levels)
    added = parcels_a_year(case, goal)
    if case.parcels_counted > 0 and len(added):
        counted = chances(hidden, goal, levels, added)
        odds = (1 - case.parcels_counted) * odds + case.parcels_counted * counted
    return odds.clip(SUREST, 1 - SUREST)


def parcels_a_year(case: HiddenCase, goal: Goal) -> pd.Series:
    """Millions a year that the published parcels add to the goal's years they cover, at an even pace; or empty.

    They stand in the record under a reporter of their own, as one sum over several years.
    """
    rows = parcels_on_record(case)
    if rows.empty:
        return pd.Series(dtype=float)
    row = rows.iloc[-1]
    days = (row["period_end"] - row["period_start"]).days + 1
    years = range(max(row["period_start"].year + 1, goal.base_year + 1), goal.deadline + 1)
    return pd.Series(row["value_mn"] / days * 365.25, index=list(years), dtype=float)


def parcels_on_record(case: HiddenCase) -> pd.DataFrame:
    """The published sums of parcels beside the flow, as known on the case's day."""
    record = fig.as_of(fig.load_figures(), case.as_of_time)
    rows = record[record["reporter"] == f"{case.reporter} parcels to {case.partner}"]
    return rows[rows["currency"] == case.currency]


def by_evidence(case: HiddenCase, goal: Goal, chain: Chain) -> pd.DataFrame:
    """Probability of each reading as evidence is added, one row a piece, in the order of the chain.

    The first row is the forecast from the last year before the gap, which knew nothing later.
    """
    levels = case.series()["value_mn"]
    last = int(levels.loc[: goal.deadline].index[-1])
    rows = {f"the forecast of {last}, without anything later": outlook.look(case, goal, levels).chances}
    until = goal.deadline if chain.doubtful else None
    later = not chain.doubtful and bool((chain.links[-1].levels.index > goal.deadline).any())
    own = f", with {case.reporter}'s own later levels" if later else ""
    for left_out in range(len(chain.links) - 1, -1, -1):
        name = chain.top if left_out == len(chain.links) - 1 else chain.links[-2 - left_out].name
        part = without(chain, links=left_out, later_than=until)
        rows[f"and the path of {name}'s trade{own}"] = chances(infer(part), goal, levels)
    if chain.doubtful:
        years = " and ".join(map(str, chain.doubtful))
        rows[f"and the level of {years}, of which the scope is doubted"] = chances(
            infer(chain, case.scope_same), goal, levels
        )
    if case.parcels_counted:
        rows["and the parcels"] = posterior(case, goal, infer(chain, case.scope_same))
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(READINGS)).rename_axis("evidence")


def implied_before(case: HiddenCase, chain: Chain) -> pd.Series:
    """Level of the year before the first doubtful one, from the growth of a part of that year; or empty.

    The growth of the longest part of the year, in the currency in which it was printed, is taken for the year's.
    """
    if not chain.doubtful:
        return pd.Series(dtype=float)
    year, levels = chain.doubtful[0], chain.links[-1].levels
    rows = case.vintage()
    part = rows[(rows["period_end"].dt.year == year) & (rows["period_start"].dt.year == year)]
    part = part[part["growth_usable"] & part["yoy_pct"].notna()].sort_values("period_end")
    if part.empty or year - 1 in levels.index:
        return pd.Series(dtype=float)
    grown, rates = 1 + part["yoy_pct"].iloc[-1] / 100, case.rates()
    moved = {"USD": 1 / rates, "CNY": rates}[case.currency]
    same = part["currency"].iloc[-1] == case.currency
    return pd.Series({year - 1: levels[year] / grown * (1.0 if same else moved[year - 1] / moved[year])})


def with_late_levels(chain: Chain, late: pd.Series) -> Chain:
    """The chain with further doubtful levels of its last flow."""
    own = chain.links[-1]
    levels = pd.concat([own.levels, late]).sort_index()
    years = tuple(sorted({*chain.doubtful, *(int(year) for year in late.index)}))
    return replace(chain, links=(*chain.links[:-1], replace(own, levels=levels)), doubtful=years)


def sensitivity(case: HiddenCase, goal: Goal, chain: Chain) -> pd.DataFrame:
    """Probability of each reading under other assumptions, one row each."""

    def changed(**parameters: float) -> pd.Series:
        other = case.model_copy(update=parameters)
        return posterior(other, goal, infer(chain_for(other, goal), other.scope_same))

    tried: dict[str, Callable[[], pd.Series]] = {
        "as assumed": lambda: changed(),
        "half the variance of a part around its whole": lambda: changed(spread_factor=case.spread_factor / 2),
        "twice the variance": lambda: changed(spread_factor=case.spread_factor * 2),
    }
    for name in ANALOGUES[1:]:
        tried[f"spread of: {name}"] = lambda name=name: posterior(  # type: ignore[misc]
            case, goal, infer(chain_for(case, goal, name), case.scope_same)
        )
    if len(chain.links) > 1:
        tried[f"the path of {chain.links[0].name}'s trade left out"] = lambda: posterior(
            case, goal, infer(without(chain, links=len(chain.links) - 1), case.scope_same)
        )
    if chain.doubtful:
        tried["late levels surely of the same scope"] = lambda: changed(scope_same=1.0)
        tried["late levels surely of another scope"] = lambda: changed(scope_same=0.0)
        tried["a change of scope by a factor of 7, not of 2.7"] = lambda: posterior(
            case, goal, infer(chain, case.scope_same, scope_sd=2 * SCOPE_SD)
        )
    if len(before := implied_before(case, chain)):
        with_it = with_late_levels(chain, before)
        tried[f"with the level of {before.index[0]} that part of a year implies"] = lambda: posterior(
            case, goal, infer(with_it, case.scope_same)
        )
    if len(parcels_a_year(case, goal)):
        tried["parcels real and counted: one chance in ten"] = lambda: changed(parcels_counted=0.1)
        tried["parcels real and counted: surely"] = lambda: changed(parcels_counted=1.0)
    return pd.DataFrame.from_dict({name: run() for name, run in tried.items()}, orient="index")
