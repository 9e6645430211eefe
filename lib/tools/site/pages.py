"""The pages of runs: the first page with question, answer and goals; each run; the cases of each notebook."""

import json
from contextlib import suppress
from datetime import date
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from lib import goals, words
from lib.analysis import answers
from lib.cases import GoalCase
from lib.results import Result
from lib.tables import to_csv
from lib.tools.run import markup
from lib.tools.run.matrix import NOTEBOOKS
from lib.tools.run.page import Block, read_page
from lib.tools.run.spec import FAILED, JOURNAL, NOTEBOOK, RESULT
from lib.tools.site.context import (
    FoundRun,
    GoalRow,
    Notebook,
    Site,
    changed_data,
    data_links,
    latest,
)
from lib.tools.site.data_pages import met_in_register

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


def index_files(site: Site) -> dict[str, bytes]:
    """The first page."""
    head = _head(site)
    page = {
        "head": head,
        "facts": _facts(head) if head else [],
        "picture": _picture(site, head) if head else None,
        "answers": [(notebook, _answer_of(notebook.first, site, "")) for notebook in site.notebooks],
        "rows": latest(site.goal_rows)[:MOST_ON_INDEX],
        "goals": len(latest(site.goal_rows)),
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
    texts = {name: to_csv(table) for name, table in tables.items()}
    return site.page("goals", **page) | {name: text.encode() for name, text in texts.items()}


def _head(site: Site) -> _Head | None:
    """The opening of the page, from the run of the first notebook with its own parameters; None without it."""
    run = site.default_run(next(iter(NOTEBOOKS)))
    if run is None or run.result is None:
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


def _chances_in_words(result: Result, case: GoalCase, is_open: bool) -> str:
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
        for item in (result.readings if result else [])
        if item.probability is not None
    ]
    met, resolved = met_in_register()
    if resolved:
        share = {"number": words.percent(met / resolved), "flow": "Announced targets of all governments"}
        share |= {"words": f"share met, of {resolved} to raise a whole trade whose outcome is known"}
        facts.append(share | {"address": "targets/index.html"})
    return facts


def _picture(site: Site, head: _Head) -> Block | None:
    page = read_page(head.run.content or {}, site.links(""))
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


# --- the page of a run, and the list of a notebook's cases ---

UP = "../../../"

MOST_CASES = 1500
"""Rows of a list of cases; more would make it heavier than a page should be."""


def run_files(site: Site, run: FoundRun) -> dict[str, bytes]:
    """The files of a run's page by name: the page, its pictures, its tables as CSV, and the run's own files."""
    links = site.links(UP)
    page = read_page(run.content or {}, links)
    own = _own_files(run)
    result = run.result
    html = site.render(
        "run.html.j2",
        UP,
        place="",
        run=run,
        question=site.questions[run.notebook],
        page=page,
        answer_text=markup.plain(result.answer) if result else "",
        sources=links.to_figures(result.figure_ids if result else []),
        tables=data_links(run, site, UP),
        stale=changed_data(run, site.sources),
        downloads=sorted(own),
    )
    return page.files | own | {"index.html": html.encode()}


def cases_files(site: Site, notebook: Notebook) -> dict[str, bytes]:
    """The list of a notebook's cases with the answer of each."""
    up = "../../"
    page = {
        "notebook": notebook,
        "cases": [(run, _answer_of(run, site, up)) for run in notebook.runs[:MOST_CASES]],
        "more": max(0, len(notebook.runs) - MOST_CASES),
    }
    rows = [(run.slug, run.title, _plain_answer(run)) for run in notebook.runs]
    table = pd.DataFrame(rows, columns=["case", "title", "answer"]).to_csv(index=False, lineterminator="\n")
    html = site.render("notebook.html.j2", up, place="", **page)
    return {"index.html": html.encode(), "cases.csv": table.encode()}


def _plain_answer(run: FoundRun) -> str:
    return f"Failed. {run.fault}" if run.fault else markup.plain(run.result.answer) if run.result else ""


def _answer_of(run: FoundRun, site: Site, up: str) -> Markup:
    """The sentence that the run opens with; what is wrong with it where it has none."""
    if run.fault:
        return Markup('<strong class="bad">Failed.</strong> {}').format(run.fault[:300])
    if run.result is None:
        return Markup("No result is recorded.")
    return markup.inline(run.result.answer, site.links(up))


def _own_files(run: FoundRun) -> dict[str, bytes]:
    """What the run left: notebook, result, journal. A notebook that is not the journal's is not handed on."""
    names = (FAILED, JOURNAL) if run.fault else (NOTEBOOK, RESULT, JOURNAL)
    files = {}
    for name in names:
        with suppress(FileNotFoundError):  # none, or the run is being executed again at this moment
            files[name] = (run.folder / name).read_bytes()
    return files


def stamp_of(run: FoundRun) -> str:
    """What of a run decides its page: its journal holds the hashes of its files, and a fault shows them damaged."""
    return json.dumps([run.record, run.fault], sort_keys=True, ensure_ascii=True)
