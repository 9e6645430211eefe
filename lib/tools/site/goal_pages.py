"""The first page with question, answer and goals, and the matrix of goals: flow × goal × day.

The matrix holds the probability or the verdict of each reading. What takes pandas and tables to find out (names of
flows, who announced a goal) is kept in the site by `Keep`, for as long as what decides it stays the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from markupsafe import Markup

from lib.tools.run import markup
from lib.tools.run.page import read_page
from lib.tools.site.context import FoundRun, Site
from lib.tools.site.pages import Files, answer_of, as_csv

KEY = ("reporter", "partner", "flow", "currency", "goal", "base_year", "deadline", "as_of")

SHADES = 10

MOST_ON_INDEX = 40
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
        "days": sorted({row["as_of"] for row in rows}),
        "labels": words["labels"],
    }
    below = site.page("goals", **shown) | {"goals.csv": as_csv(flat, list(flat[0]) if flat else [])}
    return _index_files(site, keep, rows, words) | {f"goals/{name}": one for name, one in below.items()}


def _index_files(site: Site, keep: Keep, rows: list[Row], words: dict[str, Any]) -> Files:
    each = latest(rows)
    head, run = None, site.default_run("00_")
    if run is not None:
        links = site.links("")
        head = keep("head", run.said, lambda: _head(run, site))
        head |= {name: [Markup(one) for one in head[name]] for name in ("asked", "answers")}
        head |= {"run": run, "sources": links.to_figures(run.result.figure_ids)}
        head |= {"picture": keep("picture", run.record["outputs"], lambda: _picture(site, run))}
    page = {
        "head": head,
        "facts": [*head["facts"], words["register"]] if head else [],
        "answers": [(notebook, answer_of(notebook.first, site, "")) for notebook in site.notebooks],
        "rows": each[:MOST_ON_INDEX],
        "goals": len(each),
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


def latest(rows: list[Row]) -> list[Row]:
    """Each goal once, as it was seen last."""
    seen: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        seen.setdefault((row["flow"], row["goal"], row["years"]), row)
    return list(seen.values())


def _row(run: FoundRun) -> Row:
    from lib.cases import GoalCase
    from lib.goals import READINGS

    given = run.result.parameters
    readings = {item.reading: item for item in run.result.readings}
    own = GoalCase()
    case = GoalCase.model_construct(**{name: given[name] for name in ("reporter", "partner", "flow", "goal")})
    return {
        "flow": case.flow_name,
        "goal": case.goal_name,
        "years": f"{given['base_year']}–{given['deadline']}",
        "as_of": given["as_of"],
        "reading": given.get("reading", ""),
        "own": (case.flow_name, case.goal_name) == (own.flow_name, own.goal_name),
        "chances": {name: _chance(readings.get(name)) for name in READINGS},
        "run": run.address,
        "announced": _announced(given),
    }


def _chance(item: Any) -> dict[str, Any]:
    """What is known of one reading: the verdict once it is decided, else the probability with its shade in tenths."""
    from lib.words import percent

    if item is None:
        return {"text": "", "outcome": "", "probability": None, "shade": None}
    if item.probability is None:
        shade = {"met": SHADES, "missed": 0}.get(item.outcome)
        return {"text": item.outcome, "outcome": item.outcome, "probability": None, "shade": shade}
    text = ", ".join(filter(None, [percent(item.probability), item.kind]))
    shade = round(item.probability * SHADES)
    return {"text": text, "outcome": item.outcome, "probability": item.probability, "shade": shade}


def _announced(given: Any) -> dict[str, str]:
    """Who stated the goal, when and where, if it is one of data/goals.csv: of this flow and years, asking the same."""
    from lib import figures
    from lib.errors import UserError
    from lib.goals import parse_goal

    try:
        kind, number, currency = parse_goal(str(given["goal"]))
    except UserError:  # an older run may hold a goal that is no longer read; nobody stated it
        return {}
    table = figures.load_goals_table()
    sides = zip(("reporter", "partner", "measure"), ("reporter", "partner", "flow"), strict=True)
    for column, name in [*sides, ("base_year", "base_year"), ("deadline", "deadline")]:
        table = table[(table[column] == given[name]).fillna(False)]
    for row in table.to_dict("records"):
        own, _, scale = str(row["unit"]).partition(" ")
        stated = row["rate_pct"] / 100 if kind == "rate" else row["level"] * figures.MILLIONS.get(scale, 1)
        same = row["kind"] == kind and (kind == "rate" or own == currency)
        if same and round(stated, 9) == round(number, 9):
            return {name: str(row[name]) for name in ("announced", "announcer", "url")}
    return {}


def _words_of_goals() -> dict[str, Any]:
    """The names of the readings, and how announced targets fared."""
    from lib.goals import READING_LABELS
    from lib.tools.site.data_pages import met_in_register
    from lib.words import percent

    met, resolved = met_in_register()
    register = {
        "number": percent(met / resolved) if resolved else "–",
        "flow": "Announced targets of all governments",
        "words": f"share met, of {resolved} to raise a whole trade whose outcome is known",
        "address": "targets/index.html",
    }
    return {"labels": READING_LABELS, "register": register}


def _head(run: FoundRun, site: Site) -> dict[str, Any]:
    """What the first page opens with: goal, answers, the probability of the stated reading, the others as facts."""
    from lib.analysis.answers import goal_in_words
    from lib.cases import GoalCase
    from lib.goals import READING_LABELS
    from lib.words import percent

    case, result, links = GoalCase.check(run.result.parameters), run.result, site.links("")
    day = f"{case.as_of:%-d %B %Y}"
    open_ones = [item for item in result.readings if item.probability is not None]
    stated = next((item for item in open_ones if item.reading == case.reading), None)
    others = [
        f"{READING_LABELS[one.reading]} {percent(one.probability)}" for one in open_ones if one != stated
    ]
    chances = (
        f"for the goal read {READING_LABELS[case.reading]}, as it was stated, from what had been published by {day}"
        + (f" ({', '.join(others)})." if others else ".")
    )
    facts = [
        {
            "number": percent(item.probability),
            "flow": case.flow_name,
            "words": f"{READING_LABELS[item.reading]}: {item.kind or 'probability'} of {day}",
            "address": f"{run.address}/index.html",
        }
        for item in open_ones
    ]
    return {
        "asked": [markup.inline(str(goal_in_words(case, case.make_goal())), links)],
        "answers": [markup.inline(text, links) for text in (result.answer, result.hindsight) if text],
        "chance": percent(stated.probability) if stated else "",
        "kind": (stated.kind if stated else None) or result.kind or "probability",
        "chances": chances if stated else "",
        "day": day,
        "facts": facts,
    }


def _picture(site: Site, run: FoundRun) -> dict[str, Any] | None:
    """The first picture of a run's page."""
    blocks = read_page(run.content, site.links("")).blocks
    found = next((block for block in blocks if block.kind == "picture"), None)
    return None if found is None else {"name": found.name, "label": found.label, "size": found.size}


def _flat(row: Row) -> dict[str, Any]:
    """A row of the matrix as columns of a CSV file; probabilities in full."""
    parts = {name: row[name] for name in ("flow", "goal", "years", "as_of")} | {
        "stated_reading": row["reading"]
    }
    for name, chance in row["chances"].items():
        parts |= {f"{name}_outcome": chance["outcome"], f"{name}_probability": chance["probability"]}
    by = row["announced"]
    return parts | {"announced": by.get("announced", ""), "source": by.get("url", ""), "run": row["run"]}
