"""The page of one run, and the list of a notebook's cases."""

import json
from contextlib import suppress

from markupsafe import Markup

from lib.execution.spec import FAILED, JOURNAL, NOTEBOOK, RESULT
from lib.site import blocks, prose
from lib.site.context import Notebook, Site, changed_data, data_links
from lib.site.found import FoundRun

UP = "../../../"
MOST_CASES = 1500
"""Rows of a list of cases; more would make it heavier than a page should be."""


def run_files(site: Site, run: FoundRun) -> dict[str, bytes]:
    """The files of a run's page by name: the page, its pictures, its tables as CSV, and the run's own files."""
    links = site.links(UP)
    page = blocks.read_page(run.content or {}, links)
    own = _own_files(run)
    result = run.result
    html = site.render(
        "run.html.j2",
        UP,
        place="",
        run=run,
        question=site.questions[run.notebook],
        page=page,
        answer_text=prose.plain(result.answer) if result else "",
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
        "cases": [(run, answer_of(run, site, up)) for run in notebook.runs[:MOST_CASES]],
        "more": max(0, len(notebook.runs) - MOST_CASES),
    }
    return {"index.html": site.render("notebook.html.j2", up, place="", **page).encode()}


def answer_of(run: FoundRun, site: Site, up: str) -> Markup:
    """The sentence that the run opens with; what is wrong with it where it has none."""
    if run.fault:
        return Markup('<strong class="bad">Failed.</strong> {}').format(run.fault[:300])
    if run.result is None:
        return Markup("No result is recorded.")
    return prose.inline(run.result.answer, site.links(up))


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
