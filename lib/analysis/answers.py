"""The sentences that notebooks, pages and the command line share: the first line of an answer, the goal, the sources."""

import json
from functools import lru_cache
from typing import Any

import pandas as pd

from lib.cases import FlowCase, GoalCase
from lib.errors import unclear
from lib.fetched import place_of
from lib.figures import load_goals_table, load_targets
from lib.goals import READ_AS, Goal, Verdict, parse_goal
from lib.outlook import Answer
from lib.package import notebooks_dir
from lib.tables import data_state
from lib.words import Said, fill, markdown, pick, plain, year_spans

IN_TEN = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

HEADLINE = {
    "met": "**Met.** Read {reading}, {reason}.",
    "missed": "**Missed.** Read {reading}, {reason}.",
    "unknown": "**Not known.** Read {reading}, the record cannot say: {reason}.",
    "forecast": "**Open: {p:pct}** that it will be met, read {reading}: a forecast.",
    "nowcast": "**Open: {p:pct}** that it will be met, read {reading}: a nowcast, while {end} is running.",
    "unsure": "**Cannot tell: {p:pct}** that it was met, read {reading}: inferred, {since}.",
    "inferred": "**{likely}**, with a probability {odds}: inferred, {since} (the goal read {reading}).",
}
"""The first line of an answer by how it stands."""


def headline(answer: Answer, **words: str) -> Said:
    """The verdict, or the likelier outcome with its probability and kind, for the reading in which the goal was stated.

    A notebook may give words of its own in place of `HEADLINE`, with the same fields.
    """
    outcome, p = _stated(answer).outcome, answer.chances.get(answer.case.reading)
    likelier = 0.0 if p is None else max(p, 1 - p)
    unsure = answer.kind == "inferred" and likelier < 0.6  # nobody can tell
    state = "unknown" if p is None else "unsure" if unsure else answer.kind
    said = pick(outcome if outcome in ("met", "missed") else state, **HEADLINE | words)
    # A probability above one half in words and figures: "of about nine in ten (91 %)", "above 99 %".
    odds = fill("{p:pct}" if likelier > 0.99 else "of {p:pct}", p=likelier)
    if likelier < 0.955:
        odds = fill("of about {words} in ten ({p:pct})", words=IN_TEN[round(10 * likelier)], p=likelier)
    facts = {"likely": "Met" if p and p > 0.5 else "Missed", "odds": odds, "p": p}
    # The deadline has no figure, or where its level is known, years before it have none.
    end, known = answer.goal.deadline, answer.levels.index
    silent = [end] if end not in known else set(range(answer.goal.base_year + 1, end)) - set(known)
    since = f"since no figure of {year_spans(silent)} had been published by {answer.case.as_of:%-d %B %Y}"
    facts |= {"reading": READ_AS[answer.case.reading], "reason": _reason(answer), "since": since}
    return markdown("{said}", said=said, end=end, **facts)


def plainly(answer: Answer) -> str:
    """`headline` as plain text, for programs: no Markdown."""
    return plain(headline(answer))


def _stated(answer: Answer) -> Verdict:
    """The verdict of the reading in which the goal was stated."""
    return next(item for item in answer.verdicts if item.reading == answer.case.reading)


def _reason(answer: Answer) -> str:
    """What decided it: of a level goal the level reached, of a rate the rate, and what was asked for."""
    goal, verdict = answer.goal, _stated(answer)
    kind, wanted, currency = parse_goal(answer.case.goal)
    if kind == "level" and verdict.reading == "average" and goal.deadline in answer.levels.index:
        sizes = {"reached": answer.levels[goal.deadline], "wanted": wanted, "c": currency}
        return fill("it reached {reached:{c}} of {wanted:{c}} in {year}", year=goal.deadline, **sizes)
    asked = fill(", against {rate:rate} a year asked for", rate=goal.rate)
    return verdict.reason + asked * ("%" in verdict.reason)


GOALS = {"level": "{value} {unit}", "multiple": "{value} times the base", "rate": "{value} %"}
GOALS["growth_pct_per_year"] = GOALS["rate"]
"""A goal as a parameter has it, by the kind that a row of the goals' table or of the register names."""


def announced(case: GoalCase) -> dict[str, Any] | None:
    """The row of the goals' table, else of the register, in which a government stated the goal; None if none did."""
    stated = _all_stated(load_goals_table, load_targets, data_state())
    kind, number, currency = parse_goal(case.goal)
    for row in stated.get((case.reporter, case.partner, case.flow, case.deadline), ()):
        its_kind, its_number, its_currency = parse_goal(GOALS[row["kind"]].format_map(row))
        base = kind == "level" or row["base_year"] == case.base_year  # a level is one from whatever base
        if base and (kind, currency) == (its_kind, its_currency) and abs(number - its_number) < 1e-9:
            return row
    return None


@lru_cache(maxsize=2)
def _all_stated(load_goals: Any, load_register: Any, state: Any) -> dict[Any, list[dict[str, Any]]]:
    """The rows of both tables, goals first, by reporter, partner, flow and deadline."""
    goals = load_goals().rename(columns={"measure": "flow"})
    goals["value"] = goals["rate_pct"].fillna(goals["level"])
    names = {"measure": "kind", "source_target_url": "url", "target_year": "deadline"}
    names |= {"target_value": "value", "target_unit": "unit"}
    rows = pd.concat([goals, load_register().rename(columns=names)], join="inner")
    columns, found = list(rows), dict[Any, list[dict[str, Any]]]()
    for values in rows[rows["value"].notna()].to_numpy(object, na_value=None).tolist():
        row = dict(zip(columns, values, strict=True))
        found.setdefault((row["reporter"], row["partner"], row["flow"], row["deadline"]), []).append(row)
    return found


def announcement(case: GoalCase) -> Said:
    """Who announced the goal, when and where it is written; or that it is the reader's own."""
    if (row := announced(case)) is None:
        return Said("No government's announcement of this goal is in the data: it is the reader's own.")
    # With the day as precisely as it is known: "2019", "2012-12" or "2006-03-17".
    form = ("in {:%Y}", "in {:%B %Y}", "on {:%-d %B %Y}")[row["announced"].count("-")]
    told = form.format(pd.Timestamp(row["announced"]))
    return markdown("Announced {when} by {announcer} ([source]({url:url})).", when=told, **row)


def goal_in_words(case: GoalCase, goal: Goal) -> Said:
    """The goal, its base and what it asks for, with its source; of a goal that is no rate also the rate."""
    asked = "{flow}: **{goal}**, {base} to {end}. {source} From {start:{unit}} in {base} to **{to:{unit}}** in {end}"
    asked += "." if parse_goal(case.goal)[0] == "rate" else ": {rate:rate} a year."
    names = {"flow": case.flow_name, "goal": case.goal_name, "source": announcement(case)}
    size = {"start": goal.base_mn, "to": goal.target_mn, "rate": goal.rate, "unit": goal.currency}
    return markdown(asked, base=goal.base_year, end=goal.deadline, **names, **size)


def under_fan(answer: Answer) -> dict[str, Any]:
    """What `plots.goal_fan` sets under the fan of an answer: of a forecast the coverage of flows of its size."""
    sure = "No forecast of years ahead: how often such intervals hold has not been measured."
    sureness = None if answer.kind == "forecast" else sure
    return {"sureness": sureness, "size_usd": answer.expected and answer.expected.size_usd}


def source_line(record: pd.DataFrame, series: pd.DataFrame, most: int = 4) -> str:
    """A line to stand under a figure: the publishers behind the levels that it shows."""
    used = record[record["figure_id"].isin(series["figure_id"])].drop_duplicates("figure_id")
    names = [f"{row.publisher} ({row.published or 'undated'})" for row in used.itertuples()]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"Sources: {'; '.join(names[:most])}{more}. Rows: {place_of(used)}."


def record_line(case: FlowCase) -> str:
    """The line under a figure that draws on more sources than it can name."""
    return f"Published figures known on {case.as_of}, each with its source in {place_of(case.vintage())}."


def contents() -> Said:
    """A Markdown table of the notebooks, linked, with the sentences with which each begins."""
    rows = ["| notebook | what it does |", "|---|---|"]
    for path in sorted(notebooks_dir().glob("[0-9]*.ipynb")):
        title, _, words = "".join(json.loads(path.read_bytes())["cells"][0]["source"]).partition("\n")
        if not title.startswith("# "):
            raise unclear(f"{path.name}: cell 1", repr(title[:40]), "the question as a title, # …")
        said = ". ".join(words.strip().partition("\n")[0].split(". ")[:2]).removesuffix(".")
        rows.append(f"| [{title.removeprefix('# ')}]({path.name}) | {said}. |")
    return Said("\n".join(rows))
