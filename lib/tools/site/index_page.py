"""The first page: the question, the answer and a picture from the default run, then goals and notebooks."""

from datetime import date
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from lib import goals, words
from lib.analysis import answers
from lib.cases import GoalCase
from lib.results import Result
from lib.tools.run.matrix import NOTEBOOKS
from lib.tools.site import prose, run_page
from lib.tools.site.context import DEFAULT, FoundRun, GoalRow, Site
from lib.tools.site.data_pages import met_in_register
from lib.tools.site.run_page import answer_of

MOST_ON_INDEX = 40
"""Rows of the matrix on the first page."""

MOST_ON_PAGE = 3000
"""Rows on the page of all goals; more would make it heavier than a page should be."""


class Head(NamedTuple):
    """What the page opens with."""

    run: FoundRun
    asked: Markup
    answer: Markup
    chances: str
    as_of: date
    sources: list[tuple[str, str]]


def index_files(site: Site) -> dict[str, bytes]:
    """The first page."""
    head = _head(site)
    page = {
        "head": head,
        "facts": _facts(head) if head else [],
        "picture": _picture(site, head) if head else None,
        "answers": [(notebook, answer_of(notebook.first, site, "")) for notebook in site.notebooks],
        "rows": site.goal_rows[:MOST_ON_INDEX],
        "total": len(site.goal_rows),
        "labels": goals.READING_LABELS,
        "faults": [run for run in site.runs if run.fault],
    }
    return site.page("", **page)


def goals_files(site: Site) -> dict[str, bytes]:
    """The page of all goals, and its tables as CSV."""
    rows = site.goal_rows
    page = {
        "rows": rows[:MOST_ON_PAGE],
        "more": max(0, len(rows) - MOST_ON_PAGE),
        "days": sorted({row.as_of for row in rows}),
        "labels": goals.READING_LABELS,
    }
    tables = {"goals.csv": pd.DataFrame([_flat(row) for row in rows]), "results.csv": site.results}
    texts = {name: table.to_csv(index=False, lineterminator="\n") for name, table in tables.items()}
    return site.page("goals", **page) | {name: text.encode() for name, text in texts.items()}


def _head(site: Site) -> Head | None:
    """The opening of the page, from the run of the first notebook with its own parameters; None without it."""
    first = next(iter(NOTEBOOKS))
    run = next((run for run in site.runs if (run.notebook, run.slug) == (first, DEFAULT)), None)
    if run is None or run.result is None:
        return None
    case = GoalCase.check(run.result.parameters)
    links = site.links("")
    return Head(
        run=run,
        asked=prose.inline(str(answers.goal_in_words(case, case.make_goal())), links),
        answer=prose.inline(run.result.answer, links),
        chances=_chances_in_words(run.result, case),
        as_of=case.as_of,
        sources=links.to_figures(run.result.figure_ids),
    )


def _chances_in_words(result: Result, case: GoalCase) -> str:
    """The probabilities on the day of the run, the stated reading first."""
    chances = {
        item.reading: words.percent(item.probability)
        for item in result.readings
        if item.probability is not None
    }
    if case.reading not in chances:
        return ""
    others = [
        f"{goals.READING_LABELS[name]} {chance}" for name, chance in chances.items() if name != case.reading
    ]
    return (
        f"On {case.as_of:%-d %B %Y}, from what had been published by then, the forecast gave it a probability of "
        f"{chances[case.reading]}, read {goals.READING_LABELS[case.reading]} as it was stated"
        + (f" ({', '.join(others)})." if others else ".")
    )


def _facts(head: Head) -> list[dict[str, str]]:
    """A few numbers with a word on each and where they come from."""
    address = f"{head.run.address}/index.html"
    result = head.run.result
    facts = [
        {
            "number": words.percent(item.probability),
            "words": f"{goals.READING_LABELS[item.reading]}: probability given on {head.as_of:%-d %B %Y}",
            "address": address,
        }
        for item in (result.readings if result else [])
        if item.probability is not None
    ]
    met, resolved = met_in_register()
    if resolved:
        share = {
            "number": words.percent(met / resolved),
            "words": f"of {resolved} announced targets to raise a whole trade were met",
        }
        facts.append({**share, "address": "targets/index.html"})
    return facts


def _picture(site: Site, head: Head) -> run_page.Block | None:
    page = run_page.read_page(head.run.content or {}, site.links(""))
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
