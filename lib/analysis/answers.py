"""Results in plain words: the sentences with which a notebook opens and explains its figures."""

import pandas as pd

from lib.cases import FlowCase, GoalCase
from lib.fetched import place_of
from lib.figures import load_goals_table, load_investments, load_targets, sources
from lib.goals import Goal, parse_goal
from lib.growth import cagr
from lib.words import Said, fill, markdown

READ_AS = {
    "average": "on average",
    "every_year": "year by year",
    "mean_of_rates": "by the mean of the yearly rates",
}
"""A reading as the end of "the goal, read …"."""


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


def investment_goal(case: GoalCase) -> tuple[str, int] | None:
    """The goal for investment that was stated with the goal for trade: its address, and how many outcomes are known."""
    table, figures = load_goals_table(), load_investments()
    same = (table["reporter"] == case.reporter) & (table["partner"] == case.partner)
    rows = table[same & (table["measure"] == "outward_investment") & (table["deadline"] == case.deadline)]
    known = figures[(figures["reporter"] == case.reporter) & (figures["partner"] == case.partner)]
    return None if rows.empty else (rows.iloc[0]["url"], int((known["status"] != "goal").sum()))


def _millions(unit: str) -> float:
    return {"mn": 1.0, "bn": 1000.0}.get(unit.rpartition(" ")[2], float("nan"))


def goal_in_words(case: GoalCase, goal: Goal) -> Said:
    """The goal, its base and what it asks for, with its source."""
    asked = (
        "{flow}: **{goal}**, {base} to {end}. {source} From {start:{unit}} in {base} to **{to:{unit}}** in {end}: "
        "{rate:rate} a year."
    )
    names = {
        "flow": case.flow_name,
        "goal": case.goal_name,
        "source": announcement(case),
        "unit": goal.currency,
    }
    size = {"start": goal.base_mn, "to": goal.target_mn, "rate": goal.rate}
    return markdown(asked, base=goal.base_year, end=goal.deadline, **names, **size)


def record_in_words(levels: pd.Series, goal: Goal) -> str:
    """The levels known inside the goal's years, base included."""
    inside = levels.loc[goal.base_year : goal.deadline].dropna()
    return "; ".join(
        fill("{year}: {level:{unit}}", year=y, level=v, unit=goal.currency) for y, v in inside.items()
    )


def source_line(record: pd.DataFrame, series: pd.DataFrame, most: int = 4) -> str:
    """A line to stand under a figure: the publishers behind the levels that it shows."""
    used = sources(record[record["figure_id"].isin(series["figure_id"])])
    names = [f"{row.publisher} ({row.published or 'undated'})" for row in used.itertuples()]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"Sources: {'; '.join(names[:most])}{more}. Rows: {place_of(used)}."


def record_line(case: FlowCase) -> str:
    """The line under a figure that draws on more sources than it can name."""
    return f"Published figures known on {case.as_of}, each with its source in {place_of(case.vintage())}."


def pace_since(goal: Goal, after: pd.Series) -> float:
    """Growth a year from the goal's base to the last of some later levels, a fraction."""
    return float(cagr(goal.base_mn, after.iloc[-1], int(after.index[-1]) - goal.base_year))
