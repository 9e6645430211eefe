"""The first page with question, answer and goals, and the matrix of goals: flow × goal × day.

The matrix holds the probability or the verdict of each reading.
"""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from lib import cases, figures, goals, words
from lib.analysis import answers
from lib.cases import GoalCase
from lib.errors import UserError
from lib.figures import MILLIONS
from lib.goals import READINGS, parse_goal
from lib.tables import to_csv
from lib.tools.run import markup, results_table
from lib.tools.run.page import Block, read_page
from lib.tools.site.context import DEFAULT, FoundRun, Site
from lib.tools.site.data_pages import met_in_register
from lib.tools.site.pages import answer_of

KEY = ("reporter", "partner", "flow", "currency", "goal", "base_year", "deadline", "as_of")

SHADES = 10


@dataclass(frozen=True)
class _Chance:
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
    chances: dict[str, _Chance]
    run: str
    announced: dict[str, str]


def results_of(runs: list[FoundRun]) -> pd.DataFrame:
    """All results of the runs that are whole, a row a number."""
    rows = [row for run in runs if run.result for row in results_table.rows_of(run.result, run.key, run.slug)]
    frame = pd.DataFrame(rows, columns=list(results_table.COLUMNS))
    return frame.astype({"base_year": "Int64", "deadline": "Int64"})


def goal_rows(table: pd.DataFrame) -> list[GoalRow]:
    """The rows of the matrix from the table of all results: what was known last first, then what a government stated.

    Of these the goal that the collection has by default stands before all. A goal that several notebooks judged as of
    one day is shown once, by the first of them in the collection, and by its default run where that is one of several.
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
    own = cases.GoalCase()

    def place(row: GoalRow) -> tuple[Any, ...]:
        is_own = (row.flow, row.goal) == (own.flow_name, own.goal_name)
        return not row.announced, not is_own, row.flow, row.years, row.goal

    return sorted(sorted(seen.values(), key=place), key=lambda row: row.as_of, reverse=True)


def latest(rows: list[GoalRow]) -> list[GoalRow]:
    """Each goal once, as it was seen last."""
    seen: dict[tuple[str, str, str], GoalRow] = {}
    for row in rows:
        seen.setdefault((row.flow, row.goal, row.years), row)
    return list(seen.values())


def _row(
    first: pd.Series, rows: pd.DataFrame, run: str, stated: dict[tuple[Any, ...], dict[str, str]]
) -> GoalRow:
    given = {name: first[name] for name in ("reporter", "partner", "flow", "goal")}
    case = cases.GoalCase.model_construct(**given)
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


def _chance(rows: pd.DataFrame) -> _Chance:
    verdicts = rows[rows["output_type"] == "verdict"]["output_type_id"]
    given = rows[rows["output_type"] == "probability"]
    values, kinds = given["value"], given["kind"].dropna() if "kind" in given else []
    outcome = "" if verdicts.empty else str(verdicts.iloc[0])
    probability = None if values.empty else float(values.iloc[0])
    if probability is None:
        return _Chance(outcome, outcome, None)
    return _Chance(", ".join([words.percent(probability), *kinds[:1]]), outcome, probability)


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


MOST_ON_INDEX = 40
"""Rows of the matrix on the first page."""

MOST_ON_PAGE = 3000
"""Rows on the page of all goals; more would make it heavier than a page should be."""


class _Head(NamedTuple):
    """What the page opens with; `chance` and `kind` are those of the stated reading, empty where figures decide."""

    run: FoundRun
    flow: str
    asked: Markup
    chance: str
    kind: str
    chances: str
    answers: list[Markup]
    as_of: date
    sources: list[tuple[str, str]]


def goal_files(site: Site) -> dict[str, bytes]:
    """The first page, and the page of all goals with the same as CSV."""
    rows = goal_rows(results_of(site.runs))
    flat = to_csv(pd.DataFrame(map(_flat, rows))).encode()
    shown = {
        "rows": rows[:MOST_ON_PAGE],
        "more": max(0, len(rows) - MOST_ON_PAGE),
        "days": sorted({row.as_of for row in rows}),
        "labels": goals.READING_LABELS,
    }
    below = {f"goals/{name}": content for name, content in site.page("goals", **shown).items()}
    return _index_files(site, rows) | below | {"goals/goals.csv": flat}


def _index_files(site: Site, rows: list[GoalRow]) -> dict[str, bytes]:
    head, each = _head(site), latest(rows)
    page = {
        "head": head,
        "facts": _facts(head) if head else [],
        "picture": _picture(site, head) if head else None,
        "answers": [(notebook, answer_of(notebook.first, site, "")) for notebook in site.notebooks],
        "rows": each[:MOST_ON_INDEX],
        "goals": len(each),
        "total": len(rows),
        "labels": goals.READING_LABELS,
        "faults": [run for run in site.runs if run.fault],
    }
    return site.page("", **page)


def _head(site: Site) -> _Head | None:
    """The opening of the page, from the run of the first notebook with its own parameters; None without it."""
    run = site.default_run("00_")
    if run is None:
        return None
    case = GoalCase.check(run.result.parameters)
    links = site.links("")
    stated = next((item for item in run.result.readings if item.reading == case.reading), None)
    chance = None if stated is None else stated.probability
    said = [run.result.answer, run.result.hindsight or ""]
    return _Head(
        run=run,
        flow=case.flow_name,
        asked=markup.inline(str(answers.goal_in_words(case, case.make_goal())), links),
        chance="" if chance is None else words.percent(chance),
        kind=(stated.kind if stated else None) or run.result.kind or "",
        chances=_chances_in_words(run.result, case, chance is not None),
        answers=[markup.inline(text, links) for text in said if text],
        as_of=case.as_of,
        sources=links.to_figures(run.result.figure_ids),
    )


def _chances_in_words(result: Any, case: GoalCase, is_open: bool) -> str:
    """What the probability beside it is: of which reading, on which day, and those of the other readings."""
    if not is_open:
        return ""
    others = [
        f"{goals.READING_LABELS[item.reading]} {words.percent(item.probability)}"
        for item in result.readings
        if item.probability is not None and item.reading != case.reading
    ]
    return (
        f"for the goal read {goals.READING_LABELS[case.reading]}, as it was stated, from what had been published by "
        f"{case.as_of:%-d %B %Y}" + (f" ({', '.join(others)})." if others else ".")
    )


def _facts(head: _Head) -> list[dict[str, str]]:
    """A few numbers, each with its flow, a word on it and where it comes from."""
    result = head.run.result
    facts = [
        {
            "number": words.percent(item.probability),
            "flow": head.flow,
            "words": f"{goals.READING_LABELS[item.reading]}: {item.kind or 'probability'} of {head.as_of:%-d %B %Y}",
            "address": f"{head.run.address}/index.html",
        }
        for item in result.readings
        if item.probability is not None
    ]
    met, resolved = met_in_register()
    if resolved:
        share = {"number": words.percent(met / resolved), "flow": "Announced targets of all governments"}
        share |= {"words": f"share met, of {resolved} to raise a whole trade whose outcome is known"}
        facts.append(share | {"address": "targets/index.html"})
    return facts


def _picture(site: Site, head: _Head) -> Block | None:
    page = read_page(head.run.content, site.links(""))
    return next((block for block in page.blocks if block.kind == "picture"), None)


def _flat(row: GoalRow) -> dict[str, Any]:
    """A row of the matrix as columns of a CSV file; probabilities in full."""
    parts: dict[str, Any] = {
        "flow": row.flow,
        "goal": row.goal,
        "years": row.years,
        "as_of": row.as_of,
        "stated_reading": row.reading,
    }
    for name, chance in row.chances.items():
        parts |= {f"{name}_outcome": chance.outcome, f"{name}_probability": chance.probability}
    return parts | {
        "announced": row.announced.get("announced", ""),
        "source": row.announced.get("url", ""),
        "run": row.run,
    }
