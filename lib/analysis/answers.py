"""Results in plain words: the sentences with which a notebook opens and explains its figures."""

import numpy as np
import pandas as pd

from lib.cases import FlowCase, GoalCase
from lib.fetched import place_of
from lib.figures import load_goals_table, load_investments, load_targets, sources
from lib.forecast import GrowthModel, Prior
from lib.goals import READING_LABELS, Goal, Verdict, parse_goal
from lib.growth import cagr
from lib.words import Said, markdown, money, percent, rate

READ_AS = {
    "average": "on average",
    "every_year": "year by year",
    "mean_of_rates": "by the mean of the yearly rates",
}
"""A reading as the end of "the goal, read …"."""


def headline(verdict: Verdict, chance: float | None) -> str:
    """The answer for one reading as one sentence."""
    label = READING_LABELS[verdict.reading]
    if verdict.outcome == "met":
        return f"**Yes.** Read {label}, the goal was met: {verdict.reason}."
    if verdict.outcome == "missed":
        return f"**No.** Read {label}, the goal was missed: {verdict.reason}."
    odds = "" if chance is None else f" The forecast gives it a probability of **{percent(chance)}**."
    if verdict.outcome == "open":
        return f"**Still open.** Read {label}, the goal cannot be judged yet ({verdict.reason}).{odds}"
    return f"**Not known.** Read {label}, the record cannot say: {verdict.reason}, long after its end.{odds}"


def stated(case: GoalCase, verdicts: list[Verdict]) -> Verdict:
    """The verdict of the reading in which the goal was stated."""
    return next(item for item in verdicts if item.reading == case.reading)


def announcement(case: GoalCase) -> Said:
    """Who announced the goal, when and where it is written; or that it is the reader's own."""
    kind, number, currency = parse_goal(case.goal)
    table = load_goals_table()
    same = (
        (table["reporter"] == case.reporter)
        & (table["partner"] == case.partner)
        & (table["measure"] == case.flow)
        & (table["kind"] == kind)
        & (table["base_year"] == case.base_year)
        & (table["deadline"] == case.deadline)
    )
    if kind == "rate":
        stated = table["rate_pct"] / 100
    else:
        stated = table["level"] * table["unit"].map(_millions).where(
            table["unit"].str.startswith(f"{currency} ")
        )
    rows = table[same & ((stated - number).abs() < 1e-9)]
    if rows.empty:
        return _in_register(case, number * 100 if kind == "rate" else number, kind, currency)
    row = rows.iloc[0]
    return _announced(row["announced"], row["announcer"], row["url"])


def _announced(when: str, who: str, url: str) -> Said:
    return markdown("Announced {when} by {who} ([source]({url:url})).", when=when, who=who, url=url)


def _in_register(case: GoalCase, number: float, kind: str, currency: str | None) -> Said:
    """The same of a goal of the register (per cent a year, or millions); a level is the same from whatever base."""
    table = load_targets()
    value = table["target_value"]
    if kind == "level":
        own = table["target_unit"].str.startswith(f"{currency} ")
        value = (value * table["target_unit"].map(_millions)).where(own)
    rows = table[
        (table["reporter"] == case.reporter)
        & (table["partner"] == case.partner)
        & (table["flow"] == case.flow)
        & (table["measure"] == ("growth_pct_per_year" if kind == "rate" else "level"))
        & (table["target_year"] == case.deadline)
        & ((kind == "level") | (table["base_year"] == case.base_year).fillna(False))
        & ((value - number).abs() < 1e-9)
    ]
    if rows.empty:
        return Said("No government stated this goal in the data of this collection: it is the reader's own.")
    row = rows.iloc[0]
    return _announced(row["announced"], row["announcer"], row["source_target_url"])


def investment_half(case: GoalCase) -> str:
    """What the record says of a goal for investment that was stated with the goal for trade; empty without one."""
    table = load_goals_table()
    same = (table["reporter"] == case.reporter) & (table["partner"] == case.partner)
    rows = table[same & (table["measure"] == "outward_investment") & (table["deadline"] == case.deadline)]
    if rows.empty:
        return ""
    figures = load_investments()
    known = figures[(figures["reporter"] == case.reporter) & (figures["partner"] == case.partner)]
    outcomes = int((known["status"] != "goal").sum())
    held = "no outcome of it" if outcomes == 0 else f"{outcomes} figures on it"
    return (
        f"The same plan named a goal for investment ([source]({rows.iloc[0]['url']})): the record holds {held} "
        "(data/investments.csv), so that half "
        + ("cannot be judged." if outcomes == 0 else "is not judged here.")
    )


def _millions(unit: str) -> float:
    return {"mn": 1.0, "bn": 1000.0}.get(unit.rpartition(" ")[2], float("nan"))


def goal_in_words(case: GoalCase, goal: Goal) -> str:
    """The goal, its base and what it asks for, with its source."""
    base, target = money(goal.base_mn, goal.currency), money(goal.target_mn, goal.currency)
    return (
        f"{case.flow_name}: **{case.goal_name}**, {goal.base_year} to {goal.deadline}. {announcement(case)} "
        f"From {base} in {goal.base_year} the level must reach **{target}** in {goal.deadline}, "
        f"{rate(goal.rate)} a year on average."
    )


def source_line(record: pd.DataFrame, series: pd.DataFrame, most: int = 4) -> str:
    """A line to stand under a figure: the publishers behind the levels that it shows."""
    used = sources(record[record["figure_id"].isin(series["figure_id"])])
    names = [f"{row.publisher} ({row.published or 'undated'})" for row in used.itertuples()]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"Sources: {'; '.join(names[:most])}{more}. Rows: {place_of(used)}."


def record_in_words(levels: pd.Series, goal: Goal) -> str:
    """The levels known inside the goal's years, base included."""
    inside = levels.loc[goal.base_year : goal.deadline].dropna()
    return "; ".join(f"{year}: {money(value, goal.currency)}" for year, value in inside.items())


def pace_in_words(pace: pd.DataFrame, goal: Goal) -> str:
    """What the larger flows' growth would have made of the flow."""
    lines = [_one_pace(str(name), row, goal) for name, row in pace.iterrows()]
    return "\n".join(lines) or "No larger flow that contains this one has figures in the record."


def _one_pace(name: str, row: pd.Series, goal: Goal) -> str:
    since = int(row["from_year"])
    if pd.isna(row["parent_growth"]):
        return f"- **{name}**: no figure for {row['missing']}, so no pace."
    end, target = money(row["level_mn"], goal.currency), money(row["target_mn"], goal.currency)
    return (
        f"- **{name}** changed by {rate(row['parent_growth'])} from {since} to {goal.deadline}. At that pace "
        f"the flow would have stood at {end} in {goal.deadline}, against the {target} needed."
    )


def dated_headline(case: GoalCase, verdicts: list[Verdict], chances: pd.Series | None = None) -> str:
    """The answer on the case's day, for the reading in which the goal was stated."""
    verdict = stated(case, verdicts)
    chance = None if chances is None else chances.get(case.reading)
    return f"*As of {case.as_of:%-d %B %Y}.* {headline(verdict, chance)}"


def fan_in_words(goal: Goal, levels: pd.Series, fan: pd.DataFrame | None) -> str:
    """What the figure with the fan shows at the deadline."""
    if fan is None:
        return f"The record reaches the deadline: {record_in_words(levels, goal)}."
    end = fan.loc[goal.deadline]
    low, middle, high = (money(end[p], goal.currency) for p in (0.1, 0.5, 0.9))
    return (
        f"Known so far: {record_in_words(levels, goal)}. For {goal.deadline} the forecast's middle is "
        f"{middle}, and four outcomes in five should lie between {low} and {high}; the goal asks for "
        f"{money(goal.target_mn, goal.currency)}."
    )


def long_run(goal: Goal, levels: pd.Series) -> str:
    """What the first level after the deadline says of the pace since the base, if there is one."""
    after = levels.loc[goal.deadline + 1 :].dropna()
    if after.empty:
        return "No level after the deadline is in the record."
    year, value = int(after.index[-1]), float(after.iloc[-1])
    span = year - goal.base_year
    pace = cagr(goal.base_mn, value, span)
    return (
        f"The last level in the record is {money(value, goal.currency)} in {year}. If it has the same scope "
        f"as the base, which the publishers do not say, trade grew by {rate(pace)} a year over the {span} "
        f"years from {goal.base_year}, against {rate(goal.rate)} asked for."
    )


def record_line(case: FlowCase) -> str:
    """The line under a figure that draws on more sources than it can name."""
    return f"Published figures known on {case.as_of}, each with its source in {place_of(case.vintage())}."


def could_have_known(case: GoalCase, verdicts: list[Verdict], chances: pd.Series) -> str:
    """What could be said of each reading on the day, the stated one first."""
    rest = [item for item in verdicts if item.reading != case.reading]
    others = "; ".join(_in_short(item, chances.get(item.reading)) for item in rest)
    return f"{dated_headline(case, verdicts, chances)} The other readings: {others}."


def _in_short(verdict: Verdict, chance: float | None) -> str:
    label = READING_LABELS[verdict.reading]
    return f"{label} {verdict.outcome if chance is None else percent(chance)}"


def prior_in_words(prior: Prior, model: GrowthModel) -> str:
    """The numbers of the reference class and what the model made of them, in percent a year."""
    spread = float(np.sqrt(model.variance))
    return (
        f"Reference class: {prior.source}. Its flows drift by {rate(np.expm1(prior.drift))} a year on "
        f"average (standard deviation between flows {prior.drift_sd:.3f} in logarithms), straying from that "
        f"by {np.sqrt(prior.variance):.2f} in a typical year. For this flow the model expects "
        f"{rate(np.expm1(float(model.mean)))} a year, strays by {spread:.2f}, and has "
        f"{float(model.df):.1f} degrees of freedom."
    )


def _trade_of(name: str, partner: str) -> str:
    """A flow of the family in words: "China's trade with Russia"."""
    reporter, _, other = name.partition("–")
    return f"{reporter}'s trade with {other or partner}"


def hindsight(today: GoalCase, goal: Goal, verdicts: list[Verdict], pace: pd.DataFrame) -> str:
    """The answer with the whole record; where it cannot say, what the larger flows make of the goal."""
    known = pace.dropna(subset="parent_growth")
    verdict = stated(today, verdicts)
    sentence = dated_headline(today, verdicts)
    if verdict.outcome in ("met", "missed") or known.empty:
        return sentence
    row = known.iloc[0]
    short = row["level_mn"] < row["target_mn"]
    end, asked = money(row["level_mn"], goal.currency), money(row["target_mn"], goal.currency)
    return (
        f"{sentence} At the pace of {_trade_of(str(known.index[0]), today.partner)} "
        f"({rate(row['parent_growth'])} from {row['from_year']:.0f} to {goal.deadline}) it would have ended "
        f"at {end}, against the {asked} that the goal asks for: "
        + ("a miss is likely, not proven." if short else "the goal was within reach, which proves nothing.")
    )
