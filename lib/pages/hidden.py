"""What notebook 10 says of years that nobody published, and the paragraph of it that notebook 00 repeats."""

import numpy as np
import pandas as pd

from lib.goals import READING_LABELS, READINGS, Goal
from lib.params import GoalCase, HiddenCase
from lib.results import Estimate
from lib.scenarios import evidence_steps, hidden_years, lineage
from lib.scenarios.hidden_years import Chain, Hidden
from lib.show import number
from lib.words import money, percent, rate
from lib.words import years as years_in_words


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
    if not lineage.can_infer(case, goal).possible:
        return ""
    usual = HiddenCase(**case.model_dump())
    chain = evidence_steps.chain_for(usual, goal)
    hidden = hidden_years.infer(chain, usual.scope_same)
    if case.reading == "average":
        p = hidden_years.p_average(hidden, goal)
    else:
        p = evidence_steps.posterior(usual, goal, hidden)[case.reading]
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
    added = evidence_steps.parcels_a_year(case, goal)
    if added.empty:
        return "The record of the day has no parcels beside this flow."
    row = evidence_steps.parcels_on_record(case).iloc[-1]
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
