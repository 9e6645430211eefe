"""The matrix of goals: flow × goal × day, with the probability or the verdict of each reading."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lib import figures, params
from lib.errors import UserError
from lib.figures import MILLIONS
from lib.goals import READINGS, parse_goal
from lib.site.found import DEFAULT
from lib.words import percent

KEY = ("reporter", "partner", "flow", "currency", "goal", "base_year", "deadline", "as_of")
SHADES = 10


@dataclass(frozen=True)
class Chance:
    """What is known of one reading: the verdict once it is decided, else the probability."""

    text: str
    outcome: str
    probability: float | None

    @property
    def shade(self) -> int | None:
        """The probability in tenths, for the colour of its cell."""
        decided = {"met": SHADES, "missed": 0}.get(self.outcome)
        return decided if self.probability is None else round(self.probability * SHADES)


@dataclass(frozen=True)
class GoalRow:
    """A goal of a flow, seen from one day."""

    flow: str
    goal: str
    years: str
    as_of: str
    reading: str
    chances: dict[str, Chance]
    run: str
    announced: dict[str, str]


def goal_rows(table: pd.DataFrame) -> list[GoalRow]:
    """The rows of the matrix from the table of all results, goals that a government stated first.

    The goal that the collection has by default stands before all. A goal that several notebooks judged as of one day is shown once, by the first of them in
    the collection, and by its default run where that is one of several.
    """
    met = table[
        (table["target"] == "goal met") & table[["as_of", "base_year", "deadline"]].notna().all(axis=1)
    ]
    met = met.assign(other=met["slug"] != DEFAULT).sort_values(["notebook", "other", "slug"], kind="stable")
    stated = _stated_goals()
    seen: dict[tuple[Any, ...], GoalRow] = {}
    for (notebook, slug), rows in met.groupby(["notebook", "slug"], sort=False):
        first = rows.iloc[0]
        key = tuple(str(first[name]) for name in KEY)
        if key not in seen:
            seen[key] = _row(first, rows, f"runs/{notebook}/{slug}", stated)
    own = params.GoalCase()

    def place(row: GoalRow) -> tuple[Any, ...]:
        is_own = (row.flow, row.goal) == (own.flow_name, own.goal_name)
        return not row.announced, not is_own, row.flow, row.years, row.goal, row.as_of

    return sorted(seen.values(), key=place)


def _row(
    first: pd.Series, rows: pd.DataFrame, run: str, stated: dict[tuple[Any, ...], dict[str, str]]
) -> GoalRow:
    given = {name: first[name] for name in ("reporter", "partner", "flow", "goal")}
    case = params.GoalCase.model_construct(**given)
    return GoalRow(
        flow=case.flow_name,
        goal=case.goal_name,
        years=f"{first['base_year']}–{first['deadline']}",
        as_of=str(first["as_of"])[:10],
        reading=str(json.loads(first["parameters"]).get("reading", "")),
        chances={name: _chance(rows[rows["reading"] == name]) for name in READINGS},
        run=run,
        announced=stated.get(_goal_key(first), {}),
    )


def _chance(rows: pd.DataFrame) -> Chance:
    verdicts = rows[rows["output_type"] == "verdict"]["output_type_id"]
    values = rows[rows["output_type"] == "probability"]["value"]
    outcome = "" if verdicts.empty else str(verdicts.iloc[0])
    probability = None if values.empty else float(values.iloc[0])
    return Chance(outcome if probability is None else percent(probability), outcome, probability)


def _goal_key(row: pd.Series) -> tuple[Any, ...]:
    """Flow, years and what is asked for: a rate, or a level in millions of a currency."""
    try:
        kind, number, currency = parse_goal(str(row["goal"]))
    except UserError:  # an older table may hold a goal that is no longer read; nobody stated it
        return ()
    asked = (kind, round(number, 9), currency if kind == "level" else "")
    return (row["reporter"], row["partner"], row["flow"], int(row["base_year"]), int(row["deadline"]), *asked)


def _stated_goals() -> dict[tuple[Any, ...], dict[str, str]]:
    """Goals of data/goals.csv with a deadline, by the same key: who announced them, when and where."""
    goals = figures.load_goals_table()
    found = {}
    for row in goals[goals["deadline"].notna() & goals["base_year"].notna()].to_dict("records"):
        currency, _, scale = str(row["unit"]).partition(" ")
        if row["kind"] == "rate":
            asked: tuple[Any, ...] = ("rate", round(row["rate_pct"] / 100, 9), "")
        else:
            asked = ("level", round(row["level"] * MILLIONS.get(scale, 1), 9), currency)
        years = (int(row["base_year"]), int(row["deadline"]))
        who = {name: str(row[name]) for name in ("announced", "announcer", "url")}
        found[(row["reporter"], row["partner"], row["measure"], *years, *asked)] = who
    return found
