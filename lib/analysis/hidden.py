"""What each piece of evidence says of a hidden goal, and how much the answer depends on what was assumed.

What notebook 10 says of years that nobody published, and the paragraph of it that notebook 00 repeats.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import outlook
from lib.analysis import hidden_years
from lib.analysis.hidden_years import ANALOGUES, SCOPE_SD, Chain, Hidden, chain_of, chances, infer, without
from lib.cases import GoalCase, HiddenCase
from lib.goals import READING_LABELS, READINGS, Goal
from lib.outlook import SUREST
from lib.results import Estimate
from lib.show import number
from lib.words import money, percent, rate
from lib.words import years as years_in_words


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


def verdict(p: float, sure: float) -> str:
    """The word for a probability of being met: "met" or "missed" where it is sure enough, else "cannot tell"."""
    if p >= sure:
        return "met"
    return "missed" if p <= 1 - sure else "cannot tell"


def answer(case: HiddenCase, goal: Goal, odds: pd.Series) -> str:
    """The answer for each reading, the stated one first."""
    p = float(odds[case.reading])
    leaning = "missed" if p < 0.5 else "met"
    odds_of_it = f"with a probability of {percent(max(p, 1 - p))}"
    sure = f"**{leaning.capitalize()}**, {odds_of_it}."
    if verdict(p, case.sure) == "cannot tell":
        sure = f"**Cannot tell for sure: {leaning} {odds_of_it}** ({_plainly(case.sure)} would be sure here)."
    rest = [reading for reading in READINGS if reading != case.reading]
    others = "; ".join(
        f"{READING_LABELS[r]}: {verdict(odds[r], case.sure)} ({percent(odds[r])} met)" for r in rest
    )
    return (
        f"*As of {case.as_of:%-d %B %Y}, in hindsight.* {sure} That is for the goal read "
        f"{READING_LABELS[case.reading]}, inferred from the larger flows and from what was published of other "
        f"years, since no figure of {goal.deadline} was. The other readings: {others}."
    )


def paragraph(case: GoalCase, goal: Goal) -> str:
    """What is known of hidden years, for notebook 00; empty where nothing is hidden or nothing can be inferred."""
    if not hidden_years.can_infer(case, goal).possible:
        return ""
    usual = HiddenCase(**case.model_dump())
    chain = chain_for(usual, goal)
    hidden = hidden_years.infer(chain, usual.scope_same)
    if case.reading == "average":
        p = hidden_years.p_average(hidden, goal)
    else:
        p = posterior(usual, goal, hidden)[case.reading]
    last = hidden_years.quantiles(hidden, (0.1, 0.5, 0.9)).loc[goal.deadline]
    low, middle, high = (money(float(value), goal.currency) for value in last)
    return (
        f"**What is known of {goal.base_year + 1} to {goal.deadline}, inferred.** "
        f"{_published(chain, goal)} Put together with how far a part of that size usually strays from its whole, "
        f"they leave for {goal.deadline} a level between {low} and {high} (four chances in five, middle {middle}), "
        f"against the {money(goal.target_mn, goal.currency)} needed: read {READING_LABELS[case.reading]}, the goal "
        f"was met with a probability of **{percent(float(p))}**. `10_did_harbin_make_it` lays prior, data and "
        "doubts open."
    )


def _published(chain: Chain, goal: Goal) -> str:
    """Which levels of the flow and of the larger ones speak to the hidden years, in a sentence."""
    own = chain.links[-1]
    inside = [str(year) for year in own.levels.index if goal.base_year < year <= goal.deadline]
    late = [str(year) for year in own.levels.index if year > goal.deadline]
    names = " and ".join([*(link.name for link in chain.links[:-1]), chain.top])
    have = f"Of {own.name} the record holds {', '.join(inside) or 'none'} of the goal's years"
    after = f", then nothing before {late[0]}" if late else ""
    what = "path of " + names + " is" if len(chain.links) == 1 else "paths of " + names + " are"
    return f"{have}{after}; the {what} known."


def levels_table(chain: Chain, goal: Goal) -> pd.DataFrame:
    """Published levels of each flow of the chain from the base on, formatted; "–" where there is none."""
    years = [year for year in chain.years if year >= goal.base_year]
    columns = {chain.top: chain.whole, **{link.name: link.levels for link in reversed(chain.links[:-1])}}
    columns[chain.links[-1].name] = chain.links[-1].levels
    shown = {
        f"{name}, {goal.currency} mn": [number(series[y]) if y in series.index else "–" for y in years]
        for name, series in columns.items()
    }
    return pd.DataFrame({"year": years, **shown})


def prior_table(chain: Chain, hidden: Hidden) -> pd.DataFrame:
    """How far each part strays from its whole: before the record and, as a factor, after it; formatted."""
    wholes = [chain.top, *(link.name for link in chain.links[:-1])]
    return pd.DataFrame(
        {
            "part in whole": [
                f"{link.name} in {whole}" for link, whole in zip(chain.links, wholes, strict=True)
            ],
            "share strays a year by": [f"{np.sqrt(link.spread.yearly):.2f}" for link in chain.links],
            "of its variance lasts": [percent(link.spread.walk / link.spread.yearly) for link in chain.links],
            "degrees of freedom": [f"{link.spread.df:.1f}" for link in chain.links],
            "as erratic as usual, after the record": [f"× {scale:.1f}" for scale in hidden.scales],
            "from": [link.spread.source for link in chain.links],
        }
    )


def odds_table(odds: pd.DataFrame, first: str) -> pd.DataFrame:
    """Probability of each reading by row, formatted; `first` names the rows."""
    shown = {
        READING_LABELS[r]: [percent(p) if pd.notna(p) else "–" for p in odds[r]]
        for r in READINGS
        if r in odds
    }
    return pd.DataFrame({first: odds.index, **shown})


def verdict_table(case: HiddenCase, odds: pd.Series) -> pd.DataFrame:
    """Each reading with its probability of being met and the word for it, formatted."""
    return pd.DataFrame(
        {
            "reading": [READING_LABELS[r] for r in READINGS],
            "probability that it was met": [percent(odds[r]) for r in READINGS],
            "so": [verdict(odds[r], case.sure) for r in READINGS],
        }
    )


def fan(hidden: Hidden, levels: pd.Series, goal: Goal) -> pd.DataFrame:
    """Quantiles of the level for every year of the goal; a known year is certain. Millions."""
    quantiles = hidden_years.quantiles(hidden)
    years = range(goal.base_year, goal.deadline + 1)
    known = pd.DataFrame(
        {p: levels.reindex(years) for p in quantiles.columns}, index=pd.Index(years, name="year")
    )
    return known.fillna(quantiles)


def fan_in_words(table: pd.DataFrame, goal: Goal) -> str:
    """What the figure with the inferred levels shows at the deadline."""
    low, middle, high = (money(table.loc[goal.deadline, p], goal.currency) for p in (0.1, 0.5, 0.9))
    return (
        f"For {goal.deadline} the middle of what is inferred is {middle}; four chances in five lie between {low} "
        f"and {high}. The goal, read on average, asks for {money(goal.target_mn, goal.currency)}."
    )


def scope_in_words(case: HiddenCase, chain: Chain, hidden: Hidden) -> str:
    """What the late levels say of their own scope."""
    if not chain.doubtful:
        return "No level of this flow follows a long silence, so no change of scope is suspected."
    years = " and ".join(map(str, chain.doubtful))
    return (
        f"That the level of {years} has the scope of the base is given {percent(case.scope_same)} beforehand. Were it "
        f"so, the flow would have changed its share at an unusual pace for {_silence(chain)} on end; weighed against "
        f"a change of scope (a factor of 2.7 up or down), the record leaves {percent(hidden.same_scope)} for it."
    )


def _silence(chain: Chain) -> str:
    """Years from the last level before the doubtful ones to the first of them."""
    before = chain.links[-1].levels.loc[: chain.doubtful[0] - 1]
    return years_in_words(chain.doubtful[0] - int(before.index[-1]))


def parcels_in_words(case: HiddenCase, goal: Goal, odds: pd.Series) -> str:
    """What the parcels would change, and why they are left out or weighed low."""
    added = parcels_a_year(case, goal)
    if added.empty:
        return "The record of the day has no parcels beside this flow."
    row = parcels_on_record(case).iloc[-1]
    span = f"{row['period_start']:%B %Y} to {row['period_end']:%B %Y}"
    return (
        f"The press gave {money(float(row['value_mn']), case.currency)} of parcels sent through {case.reporter} from "
        f"{span} ([source]({row['url']})): {money(float(added.iloc[0]), case.currency)} a year at an even pace, more "
        "than the whole of the flow. The record marks the sum as doubtful in scale (about 180 dollars a kilogram if "
        "most went by air); the senders are anywhere, and parcels need not be counted as the city's trade. Here they "
        f"count with a probability of {_plainly(case.parcels_counted)}. Each per cent of belief in them adds about "
        f"{(1 - odds['average']):.1f} points to the goal read on average."
    )


def _plainly(p: float) -> str:
    return f"{p * 100:g} %"


def estimates(table: pd.DataFrame, hidden: Hidden, goal: Goal) -> list[Estimate]:
    """Inferred levels of the goal's hidden years as rows for the result."""
    return [
        Estimate(
            target="level",
            period=int(year),
            output_type="quantile",
            output_type_id=float(p),
            value=float(value),
            unit=f"{goal.currency} mn",
        )
        for year, row in table.iterrows()
        if year in hidden.years
        for p, value in row.items()
    ]


def steps_in_words(steps: pd.DataFrame, reading: str) -> str:
    """How the probability of the stated reading moved with the evidence."""
    odds = steps[reading]
    moves = [f"{name}: {percent(p)}" for name, p in odds.items() if pd.notna(p)]
    return f"Read {READING_LABELS[reading]}: " + "; ".join(moves) + "."


def share_in_words(chain: Chain, goal: Goal) -> str:
    """How the larger flows moved over the hidden years, as a sentence for each."""
    last = int(chain.links[-1].levels.loc[: goal.deadline].index[-1])
    lines = []
    for name, series in [(chain.top, chain.whole), *((link.name, link.levels) for link in chain.links[:-1])]:
        after = series.loc[goal.deadline :]
        if last in series.index and len(after):
            year = int(after.index[0])
            lines.append(
                f"{name}'s trade changed by {rate(after.iloc[0] / series[last] - 1)} from {last} to {year}"
            )
    return "; ".join(lines) + "." if lines else "No larger flow is known in both years."
