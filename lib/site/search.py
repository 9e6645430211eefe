"""The words to search: title, address, kind and text of each page, section and row, as a script of data.

A script, because a page opened from disk may not read other files. Its text is JSON in ASCII, so that no value
can end it early.
"""

import json
import re
from collections.abc import Iterator

from lib import figures
from lib.params import slugify
from lib.show import periods
from lib.site import prose
from lib.site.context import Notebook, Site
from lib.site.found import source_of

LONGEST = 1200
"""Characters of a section that are searched."""

Document = tuple[str, str, str, str]


def search_files(site: Site) -> dict[str, bytes]:
    """The search page and the script of words that it loads."""
    documents = [*_notebooks(site), *_runs(site), *_figures(site), *_targets(site)]
    words = f"self.SITE_WORDS = {json.dumps(documents, ensure_ascii=True, separators=(',', ':'))};\n"
    return {
        "index.html": site.render("search.html.j2", "../", place="search/index.html").encode(),
        "words.js": words.encode(),
    }


def _notebooks(site: Site) -> Iterator[Document]:
    """The sections of each notebook, as its first run has them."""
    for notebook in site.notebooks:
        for title, anchor, text in _sections(notebook):
            address = f"{notebook.first.address}/index.html" + (f"#{anchor}" if anchor else "")
            yield title, address, "notebook", text[:LONGEST]


def _sections(notebook: Notebook) -> Iterator[tuple[str, str, str]]:
    """Title, anchor and text of each section of a notebook's prose."""
    cells = (notebook.first.content or {}).get("cells", [])
    text = "\n\n".join(source_of(cell) for cell in cells if cell.get("cell_type") == "markdown")
    parts = re.split(r"^##\s+(.+)$", text, flags=re.MULTILINE)
    yield notebook.question, "", prose.plain(re.sub(r"^#\s+.*$", "", parts[0], flags=re.MULTILINE))
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        yield f"{notebook.question} {title}", slugify(prose.plain(title)), prose.plain(body)


def _runs(site: Site) -> Iterator[Document]:
    for run in site.runs:
        values = " ".join(str(value) for value in run.parameters.values())
        said = run.fault or (prose.plain(run.result.answer) if run.result else "")
        kind = "failed run" if run.fault else site.questions[run.notebook]
        yield run.title, f"{run.address}/index.html", kind, f"{said} {values} {run.slug} {run.notebook}"


def _figures(site: Site) -> Iterator[Document]:
    table = site.figures
    for row, period in zip(table.to_dict("records"), periods(table), strict=True):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}, {period}"
        text = f"{row['figure_id']} {row['publisher']} {row['published']} {row['status']}. {row['note']}"
        yield title, f"figures/index.html#{row['figure_id']}", "figure", text


def _targets(site: Site) -> Iterator[Document]:
    for row in figures.load_targets().to_dict("records"):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}: target announced {row['announced']}"
        text = f"{row['target_id']} {row['announcer']}, met: {row['met']}. {row['note']}"
        yield title, f"targets/index.html#{row['target_id']}", "target", text
