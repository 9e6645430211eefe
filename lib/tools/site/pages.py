"""The pages of runs: the first with all goals, each run, the cases of each notebook, search, results; methods, about.

They are made of what the runs left, without a table of the data, so that a changed run costs little. What takes pandas
and tables to find out (names of flows, who announced a goal) is kept in the site by `Keep`, for as long as what decides
it stays the same.
"""

import ast
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

from markupsafe import Markup

from lib import package
from lib.errors import inert
from lib.tools.run import results_table
from lib.tools.run.freshness import FAILED, JOURNAL, NOTEBOOK, RESULT, Sources, text_of
from lib.tools.run.page import Links, from_markdown, inline, plain, read_page
from lib.tools.site.context import PAGES, ROOT, Files, FoundRun, Site
from lib.tools.strict import slugify

UP = "../../../"

MOST_CASES, MOST_GOALS, MOST_ON_INDEX = 1500, 3000, 15
"""Rows of a list of cases, of the page of all goals, of the first page; more would make them too heavy."""

STAGES = {
    "From figures to one level a year": "series",
    "Flows like this one": "reference",
    "One law of the path": "law",
    "What a day knew besides": "evidence",
    "The answer": "outlook",
}
"""The modules that say how a probability is made, by what a reader would call it."""

KEY = ("reporter", "partner", "flow", "currency", "goal", "base_year", "deadline", "as_of")

Document = tuple[str, str, str, str]
"""Title, address, kind and text of what is searched."""

Keep = Callable[[str, Any, Callable[[], Any]], Any]
"""A name, what decides the value, and how to make it; the value is one of JSON."""

Row = dict[str, Any]
"""A goal of a flow, seen from one day."""


def run_files(site: Site, run: FoundRun) -> Files:
    """The files of a run's page by name: the page, its pictures, its tables as CSV, and what the run itself left.

    A notebook that is not the journal's is not handed on.
    """
    links, page, own = site.links(UP), read_page(run.content, site.links(UP)), {}
    for name in (FAILED, JOURNAL) if run.fault else (NOTEBOOK, RESULT, JOURNAL):
        with suppress(FileNotFoundError):  # none, or the run is being executed again at this moment
            own[name] = (run.folder / name).read_bytes()
    read, now = run.record.get("parts", {}).get("data", {}), Sources()
    opened = frozenset(read)
    pages = {name: f"{UP}{PAGES.get(name, f'data/{name}')}" for name in site.data_hashes}
    tables = [name for name, hashed in read.items() if hashed and name != package.PACKAGE_FILE]
    html = site.render(
        "run.html.j2",
        UP,
        place="",
        run=run,
        question=site.questions[run.notebook],
        page=page,
        answer=answer_of(run, site, UP) if run.result else "",
        hindsight=inline(run.result.hindsight or "", links) if run.result else "",
        sources=[(one, links.to_figure(one)) for one in (run.result.figure_ids if run.result else ())],
        tables=[(name, pages.get(name, "")) for name in tables],
        stale=sorted(name for name, hashed in read.items() if now.data_hash(name, opened) != hashed),
        downloads=sorted(own),
    )
    files = page.files | own | {"index.html": html.encode()}
    return {f"{run.address}/{name}": content for name, content in files.items()}


def cases_files(site: Site, name: str) -> Files:
    """The list of a notebook's cases with the answer of each."""
    up, runs = "../../", site.notebooks[name]
    cases = [(run, answer_of(run, site, up)) for run in runs[:MOST_CASES]]
    more = max(0, len(runs) - MOST_CASES)
    html = site.render("notebook.html.j2", up, place="", name=name, cases=cases, more=more)
    rows = [{"case": run.slug, "title": run.title, "answer": _plain_answer(run)} for run in runs]
    return {f"runs/{name}/index.html": html.encode(), f"runs/{name}/cases.csv": as_csv(rows)}


def results_files(site: Site) -> Files:
    """All results of whole runs in one long table, a row a number."""
    found = [(run.result, run.key or run.slug, run.slug) for run in site.runs if run.result]
    rows = [row for one in found for row in results_table.rows_of(*one)]
    return {"goals/results.csv": as_csv(rows, results_table.COLUMNS)}


def as_csv(rows: list[dict[str, Any]], columns: Iterable[str] = ()) -> bytes:
    """Rows as CSV for others to open, with the columns of the first by default; what a row lacks is empty in it."""
    text, columns = io.StringIO(), list(columns) or list(next(iter(rows), ()))
    writer = csv.writer(text, lineterminator="\n")
    safe = lru_cache(maxsize=None, typed=True)(inert)  # most cells of a long table stand in many rows
    writer.writerow(columns)
    writer.writerows(map(safe, map(row.get, columns)) for row in rows)
    return text.getvalue().encode()


def _plain_answer(run: FoundRun) -> str:
    return f"Failed. {run.fault}" if run.fault else plain(run.result.answer) if run.result else ""


def answer_of(run: FoundRun, site: Site, up: str) -> Markup:
    """The sentence that the run opens with; what is wrong with it where it has none."""
    if run.fault:
        return Markup('<strong class="bad">Failed.</strong> {}').format(run.fault[:300])
    return inline(run.result.answer if run.result else "No result is recorded.", site.links(up))


def methods_files(site: Site) -> Files:
    """How a probability is made, in the words of the modules that make it; how to cite one; what it cannot know."""
    links = site.links("../")
    stages = []
    for title, name in STAGES.items():
        words = ast.get_docstring(ast.parse((ROOT / "lib" / f"{name}.py").read_text(encoding="utf-8"))) or ""
        stages.append((title, slugify(title), f"lib.{name}", from_markdown(words, links)))
    measured, cited = site.default_run("05_"), site.default_run("00_")
    calibration = inline(measured.result.answer, links) if measured else ""
    return site.page("methods", stages=stages, calibration=calibration, measured=measured, cited=cited)


def as_script(**values: Any) -> bytes:
    """Values as a script, since a page opened from disk may not read other files; ASCII, so that none ends it early."""
    lines = (f"self.{name} = {json.dumps(value, separators=(',', ':'))};\n" for name, value in values.items())
    return "".join(lines).encode()


def words_files(site: Site) -> Files:
    """What search knows of the runs: the sections of each notebook, as its first run has them, and every run."""
    documents = [one for name in site.notebooks for one in _sections(site, name)]
    for run in site.runs:
        values = " ".join(str(value) for value in run.parameters.values())
        kind = "failed run" if run.fault else site.questions[run.notebook]
        text = f"{_plain_answer(run)} {values} {run.slug} {run.notebook}"
        documents.append((run.title, f"{run.address}/index.html", kind, text))
    return {"search/words.js": as_script(SITE_WORDS=documents)}


def _sections(site: Site, name: str) -> Iterator[Document]:
    run, question = site.notebooks[name][0], site.questions[name]
    cells, address = run.content.get("cells", []), f"{run.address}/index.html"
    text = "\n\n".join(text_of(cell) for cell in cells if cell.get("cell_type") == "markdown")
    first, *parts = re.split(r"^##\s+(.+)$", text, flags=re.MULTILINE)
    opening = plain(re.sub(r"^#\s+.*$", "", first, flags=re.MULTILINE))
    yield question, address, "notebook", opening[:1200]
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        address_of_it = f"{address}#{slugify(plain(title))}"
        yield f"{question} {title}", address_of_it, "notebook", plain(body)[:1200]


# --- goals: flow × goal × day, with the probability or the verdict of each reading ---


def goal_files(site: Site, keep: Keep) -> Files:
    """The first page, and the page of all goals with the same as CSV."""
    words, links = keep("words of goals", None, words_of_goals), site.links("")
    rows = goal_rows(site.runs, keep)
    all_goals = site.page(
        "goals",
        rows=rows[:MOST_GOALS],
        more=max(0, len(rows) - MOST_GOALS),
        flows=list(dict.fromkeys(row["flow"] for row in rows)),
        days=sorted({row["as_of"] for row in rows}, reverse=True),
        labels=words["labels"],
    )
    head, run = None, site.default_run("00_")
    if run is not None:
        head = keep("head", [run.said, run.record["outputs"]], partial(_head, run, links)) | {
            "run": run,
            "answer": answer_of(run, site, ""),
            "hindsight": inline(run.result.hindsight or "", links),
            "sources": [(one, links.to_figure(one)) for one in run.result.figure_ids],
        }
    last: dict[tuple[str, str, str], Row] = {}
    for row in rows:  # each goal as it was seen last
        last.setdefault((row["flow"], row["goal"], row["years"]), row)
    answers = [(runs, answer_of(runs[0], site, "")) for runs in site.notebooks.values()]
    shown = {"rows": list(last.values())[:MOST_ON_INDEX], "goals": len(last), "total": len(rows)}
    first = site.page("", head=head, answers=answers, **shown, **words)
    return first | all_goals | {"goals/goals.csv": as_csv(list(map(_flat, rows)))}


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
        text, shade = outcome, {"met": 10, "missed": 0}.get(outcome)
    else:
        text, shade = ", ".join(filter(None, [percent(chance), item.kind])), round(chance * 10)
    return {"text": text, "outcome": outcome, "probability": chance, "shade": shade}


def words_of_goals() -> dict[str, Any]:
    """Names of the readings; how many targets of a whole trade above its base were met, of how many that are known."""
    from lib import figures
    from lib.analysis.register import left_out
    from lib.goals import READING_LABELS
    from lib.words import percent

    targets = figures.load_targets()
    known = targets["met"][(left_out(targets) == "") & targets["met"].isin(["yes", "no"])]
    met = int((known == "yes").sum())
    share = percent(met / len(known)) if len(known) else "–"
    return {"labels": READING_LABELS, "resolved": len(known), "met": met, "share": share}


def _head(run: FoundRun, links: Links) -> dict[str, Any]:
    """What the first page opens with: what was asked, the probability of each reading that is open, the first picture."""
    from lib.analysis.answers import goal_in_words
    from lib.cases import GoalCase
    from lib.words import percent

    case = GoalCase.check(run.result.parameters)
    asked = inline(str(goal_in_words(case, case.make_goal())), links)
    is_open = [item for item in run.result.readings if item.probability is not None]
    facts = [(percent(item.probability), item.reading, item.kind or "probability") for item in is_open]
    picture = [block for block in read_page(run.content, links).blocks if block["kind"] == "picture"][:1]
    return {"asked": asked, "flow": case.flow_name, "facts": facts, "picture": picture}


def _flat(row: Row) -> dict[str, Any]:
    """A row of the matrix as columns of a CSV file; probabilities in full."""
    flat = {name: row[name] for name in ("flow", "goal", "years", "as_of")}
    flat["stated_reading"] = row["reading"]
    for name, chance in row["chances"].items():
        flat |= {f"{name}_outcome": chance["outcome"], f"{name}_probability": chance["probability"]}
    by = row["announced"]
    return flat | {"announced": by.get("announced", ""), "source": by.get("url", ""), "run": row["run"]}
