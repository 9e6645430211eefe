"""The pages of runs: each run, the cases of each notebook, the words to search, all results as CSV; methods, about.

They are made of what the runs left, without a table of the data, so that a changed run costs little.
"""

import ast
import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from lib import package
from lib.errors import inert, slugify
from lib.tools.run import markup, results_table
from lib.tools.run.freshness import FAILED, JOURNAL, NOTEBOOK, RESULT, Sources, text_of
from lib.tools.run.page import read_page
from lib.tools.site.context import DIGITS, PAGES, ROOT, Files, FoundRun, Notebook, Site, digest

UP = "../../../"

MOST_CASES = 1500
"""Rows of a list of cases; more would make it heavier than a page should be."""

LONGEST = 1200
"""Characters of a section that are searched."""

STAGES = {
    "From figures to one level a year": "series",
    "Flows like this one": "reference",
    "One law of the path": "law",
    "What a day knew besides": "evidence",
    "The answer": "outlook",
}
"""The modules that say how a probability is made, by what a reader would call it."""

Document = tuple[str, str, str, str]
"""Title, address, kind and text of what is searched."""


def run_files(site: Site, run: FoundRun) -> Files:
    """The files of a run's page by name: the page, its pictures, its tables as CSV, and what the run itself left.

    A notebook that is not the journal's is not handed on.
    """
    links, page, own = site.links(UP), read_page(run.content, site.links(UP)), {}
    for name in (FAILED, JOURNAL) if run.fault else (NOTEBOOK, RESULT, JOURNAL):
        with suppress(FileNotFoundError):  # none, or the run is being executed again at this moment
            own[name] = (run.folder / name).read_bytes()
    read, now = run.record.get("parts", {}).get("data", {}), Sources()
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
        hindsight=markup.inline(run.result.hindsight or "", links) if run.result else "",
        sources=links.to_figures(run.result.figure_ids if run.result else []),
        tables=[(name, pages.get(name, "")) for name in tables],
        stale=sorted(name for name, hashed in read.items() if now.data_hash(name, read) != hashed),
        downloads=sorted(own),
    )
    return page.files | own | {"index.html": html.encode()}


def cases_files(site: Site, notebook: Notebook) -> Files:
    """The list of a notebook's cases with the answer of each."""
    up = "../../"
    cases = [(run, answer_of(run, site, up)) for run in notebook.runs[:MOST_CASES]]
    more = max(0, len(notebook.runs) - MOST_CASES)
    html = site.render("notebook.html.j2", up, place="", notebook=notebook, cases=cases, more=more)
    rows = [{"case": run.slug, "title": run.title, "answer": _plain_answer(run)} for run in notebook.runs]
    return {"index.html": html.encode(), "cases.csv": as_csv(rows, ["case", "title", "answer"])}


def results_files(site: Site) -> Files:
    """All results of whole runs in one long table, a row a number."""
    found = [(run.result, run.key or run.slug, run.slug) for run in site.runs if run.result]
    rows = [row for one in found for row in results_table.rows_of(*one)]
    return {"results.csv": as_csv(rows, list(results_table.COLUMNS))}


def as_csv(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    """Rows as CSV for others to open; a column that a row lacks is empty in it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    safe = lru_cache(maxsize=None, typed=True)(inert)  # most cells of a long table stand in many rows
    writer.writerow(columns)
    writer.writerows(map(safe, map(row.get, columns)) for row in rows)
    return text.getvalue().encode()


def _plain_answer(run: FoundRun) -> str:
    return f"Failed. {run.fault}" if run.fault else markup.plain(run.result.answer) if run.result else ""


def answer_of(run: FoundRun, site: Site, up: str) -> Markup:
    """The sentence that the run opens with; what is wrong with it where it has none."""
    if run.fault:
        return Markup('<strong class="bad">Failed.</strong> {}').format(run.fault[:300])
    return markup.inline(run.result.answer if run.result else "No result is recorded.", site.links(up))


def about_files(site: Site) -> Files:
    """How to find a source, how the pages were made, how to cite, licences."""
    cited = site.citation
    bibtex = (
        "@software{trade_goals,\n"
        f"  author  = {{{{{cited['authors'][0]['name']}}}}},\n"
        f"  title   = {{{cited['title']}}},\n"
        f"  version = {{{cited['version']}}},\n"
        f"  note    = {{Data {digest(site.data_hashes)[:DIGITS]}}}\n"
        "}"
    )
    return site.page("about", bibtex=bibtex, faults=[run for run in site.runs if run.fault])


def methods_files(site: Site) -> Files:
    """How a probability is made, in the words of the modules that make it; how to cite one; what it cannot know."""
    links = site.links("../")
    stages = []
    for title, name in STAGES.items():
        words = ast.get_docstring(ast.parse((ROOT / "lib" / f"{name}.py").read_text(encoding="utf-8"))) or ""
        stages.append((title, slugify(title), f"lib.{name}", markup.from_markdown(words, links)))
    measured, cited = site.default_run("05_"), site.default_run("00_")
    calibration = markup.inline(measured.result.answer, links) if measured else ""
    return site.page("methods", stages=stages, calibration=calibration, measured=measured, cited=cited)


def as_script(**values: Any) -> bytes:
    """Values as a script, since a page opened from disk may not read other files; ASCII, so that none ends it early."""
    lines = (f"self.{name} = {json.dumps(value, separators=(',', ':'))};\n" for name, value in values.items())
    return "".join(lines).encode()


def words_files(site: Site) -> Files:
    """What search knows of the runs: the sections of each notebook, as its first run has them, and every run."""
    sections = [one for notebook in site.notebooks for one in _sections(notebook)]
    return {"words.js": as_script(SITE_WORDS=[*sections, *(_document(site, run) for run in site.runs)])}


def _sections(notebook: Notebook) -> Iterator[Document]:
    cells, address = notebook.first.content.get("cells", []), f"{notebook.first.address}/index.html"
    text = "\n\n".join(text_of(cell) for cell in cells if cell.get("cell_type") == "markdown")
    first, *parts = re.split(r"^##\s+(.+)$", text, flags=re.MULTILINE)
    opening = markup.plain(re.sub(r"^#\s+.*$", "", first, flags=re.MULTILINE))
    yield notebook.question, address, "notebook", opening[:LONGEST]
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        address_of_it = f"{address}#{slugify(markup.plain(title))}"
        yield f"{notebook.question} {title}", address_of_it, "notebook", markup.plain(body)[:LONGEST]


def _document(site: Site, run: FoundRun) -> Document:
    values = " ".join(str(value) for value in run.parameters.values())
    kind = "failed run" if run.fault else site.questions[run.notebook]
    text = f"{_plain_answer(run)} {values} {run.slug} {run.notebook}"
    return run.title, f"{run.address}/index.html", kind, text
