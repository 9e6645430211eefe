"""The first page with question, answer and goals, and the matrix of goals: flow × goal × day.

The matrix holds the probability or the verdict of each reading. What takes pandas and tables to find out (names of
flows, who announced a goal) is kept in the site by `Keep`, for as long as what decides it stays the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from lib.tools.run import markup
from lib.tools.run.page import read_page
from lib.tools.site.context import Files, FoundRun, Site
from lib.tools.site.pages import answer_of, as_csv

KEY = ("reporter", "partner", "flow", "currency", "goal", "base_year", "deadline", "as_of")

SHADES = 10

MOST_ON_INDEX = 15
"""Rows of the matrix on the first page."""

MOST_ON_PAGE = 3000
"""Rows on the page of all goals; more would make it heavier than a page should be."""

Keep = Callable[[str, Any, Callable[[], Any]], Any]
"""A name, what decides the value, and how to make it; the value is one of JSON."""

Row = dict[str, Any]
"""A goal of a flow, seen from one day."""


def goal_files(site: Site, keep: Keep) -> Files:
    """The first page, and the page of all goals with the same as CSV."""
    words = keep("words of goals", None, _words_of_goals)
    rows = goal_rows(site.runs, keep)
    flat = [_flat(row) for row in rows]
    shown = {
        "rows": rows[:MOST_ON_PAGE],
        "more": max(0, len(rows) - MOST_ON_PAGE),
        "flows": list(dict.fromkeys(row["flow"] for row in rows)),
        "days": sorted({row["as_of"] for row in rows}, reverse=True),
        "labels": words["labels"],
    }
    below = site.page("goals", **shown) | {"goals.csv": as_csv(flat, list(flat[0]) if flat else [])}
    return _index_files(site, keep, rows, words) | {f"goals/{name}": one for name, one in below.items()}


def _index_files(site: Site, keep: Keep, rows: list[Row], words: dict[str, Any]) -> Files:
    head, run, links = None, site.default_run("00_"), site.links("")
    if run is not None:
        head = keep("head", run.said, partial(_head, run, site)) | {
            "run": run,
            "answer": answer_of(run, site, ""),
            "hindsight": markup.inline(run.result.hindsight or "", links),
            "picture": keep("picture", run.record["outputs"], partial(_picture, run, site)),
            "sources": links.to_figures(run.result.figure_ids),
        }
    last: dict[tuple[str, str, str], Row] = {}
    for row in rows:  # each goal as it was seen last
        last.setdefault((row["flow"], row["goal"], row["years"]), row)
    page = {
        "head": head,
        "facts": [*head["facts"], words["register"]] if head else [],
        "answers": [(notebook, answer_of(notebook.first, site, "")) for notebook in site.notebooks],
        "rows": list(last.values())[:MOST_ON_INDEX],
        "goals": len(last),
        "total": len(rows),
        "labels": words["labels"],
        "faults": [run for run in site.runs if run.fault],
    }
    return site.page("", **page)


def goal_rows(runs: list[FoundRun], keep: Keep) -> list[Row]:
    """The rows of the matrix: what was known last first, then what a government stated.

    Of these the goal that the collection has by default stands before all. A goal that several notebooks judged as of
    one day is shown once, by the first of them in the collection, and by its default run where that is one of several.
    """
    seen: dict[tuple[str, ...], Row] = {}
    for run in runs:
        given = run.result.parameters if run.result and run.result.readings else {}
        key = tuple(str(given.get(name)) for name in KEY)
        if given and not {"None", ""} & set(key[-3:]) and key not in seen:
            seen[key] = keep(f"goal of {run.name}", run.said, partial(_row, run))

    def place(row: Row) -> tuple[Any, ...]:
        return not row["announced"], not row["own"], row["flow"], row["years"], row["goal"]

    return sorted(sorted(seen.values(), key=place), key=lambda row: row["as_of"], reverse=True)


def _row(run: FoundRun) -> Row:
    from lib.analysis.answers import announced
    from lib.cases import GoalCase
    from lib.goals import READINGS

    given, own = run.result.parameters, GoalCase()
    readings = {item.reading: item for item in run.result.readings}
    case = GoalCase.model_construct(**{name: given.get(name) for name in KEY})
    stated = announced(case)
    return {
        "flow": case.flow_name,
        "goal": case.goal_name,
        "years": f"{given['base_year']}–{given['deadline']}",
        "as_of": given["as_of"],
        "reading": given.get("reading", ""),
        "own": (case.flow_name, case.goal_name) == (own.flow_name, own.goal_name),
        "chances": {name: _chance(readings.get(name)) for name in READINGS},
        "run": run.address,
        "announced": {} if stated is None else stated[["announced", "announcer", "url"]].to_dict(),
    }


def _chance(item: Any) -> dict[str, Any]:
    """What is known of one reading: the verdict once it is decided, else the probability with its shade in tenths."""
    from lib.words import percent

    outcome, chance = (item.outcome, item.probability) if item else ("", None)
    if chance is None:
        text, shade = outcome, {"met": SHADES, "missed": 0}.get(outcome)
    else:
        text, shade = ", ".join(filter(None, [percent(chance), item.kind])), round(chance * SHADES)
    return {"text": text, "outcome": outcome, "probability": chance, "shade": shade}


def _words_of_goals() -> dict[str, Any]:
    """The names of the readings, and how announced targets fared."""
    from lib.goals import READING_LABELS
    from lib.tools.site.data_pages import met_in_register

    _, resolved, share = met_in_register()
    register = {
        "number": share,
        "flow": "Announced targets of all governments",
        "words": f"share met, of {resolved} to raise a whole trade whose outcome is known",
        "address": "targets/index.html",
    }
    return {"labels": READING_LABELS, "register": register}


def _head(run: FoundRun, site: Site) -> dict[str, Any]:
    """What the first page opens with: what was asked, and the probability of each reading that is open."""
    from lib.analysis.answers import goal_in_words
    from lib.cases import GoalCase
    from lib.goals import READING_LABELS
    from lib.words import percent

    case = GoalCase.check(run.result.parameters)
    facts = [
        {
            "number": percent(item.probability),
            "flow": case.flow_name,
            "words": f"{READING_LABELS[item.reading]}: {item.kind or 'probability'} of {case.as_of:%-d %B %Y}",
            "address": f"{run.address}/index.html",
        }
        for item in run.result.readings
        if item.probability is not None
    ]
    return {
        "asked": markup.inline(str(goal_in_words(case, case.make_goal())), site.links("")),
        "facts": facts,
    }


def _picture(run: FoundRun, site: Site) -> dict[str, Any] | None:
    """The first picture of a run's page."""
    blocks = read_page(run.content, site.links("")).blocks
    found = next((block for block in blocks if block.kind == "picture"), None)
    return None if found is None else {"name": found.name, "label": found.label, "size": found.size}


def _flat(row: Row) -> dict[str, Any]:
    """A row of the matrix as columns of a CSV file; probabilities in full."""
    flat = {name: row[name] for name in ("flow", "goal", "years", "as_of")}
    flat["stated_reading"] = row["reading"]
    for name, chance in row["chances"].items():
        flat |= {f"{name}_outcome": chance["outcome"], f"{name}_probability": chance["probability"]}
    by = row["announced"]
    return flat | {"announced": by.get("announced", ""), "source": by.get("url", ""), "run": row["run"]}
