"""An executed notebook as blocks of a page: prose, folded code, pictures, tables, text, errors.

Pictures become files beside the page, so that a page stays light, and tables also become CSV files.

The page of one run, and the list of a notebook's cases.
"""

import base64
import binascii
import json
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from lib.results import MIME
from lib.tools.run.spec import FAILED, JOURNAL, NOTEBOOK, RESULT
from lib.tools.site import grids, prose
from lib.tools.site.context import FoundRun, Notebook, Site, changed_data, data_links, source_of
from lib.tools.site.prose import Links

PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg"}

LONGEST_TEXT = 20_000
"""Characters of plain output that a page shows; what is cut is said."""


@dataclass(frozen=True)
class Block:
    """One piece of a page; `kind` names the field that is filled."""

    kind: str
    html: str = ""
    text: str = ""
    name: str = ""  # file of a picture or of a table's CSV
    label: str = ""  # text that stands for a picture; caption of a table
    cells: tuple[str, ...] = ()  # code of one cell, or of several that show nothing in between
    grid: grids.Grid | None = None
    size: tuple[int, int] | None = None  # of a picture, as shown


@dataclass
class Page:
    """The blocks of a notebook, its headings, and the files that go beside the page."""

    blocks: list[Block] = field(default_factory=list)
    headings: list[prose.Heading] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    tables: int = 0
    pictures: int = 0
    anchors: dict[str, int] = field(default_factory=dict)

    @property
    def under(self) -> str:
        """The heading under which the next block stands."""
        return self.headings[-1].text if self.headings else "the beginning"


def read_page(notebook: dict[str, Any], links: Links) -> Page:
    """The blocks of a notebook; its title is left out, since the page has it as its own."""
    page = Page()
    for cell in notebook.get("cells", []):
        text = source_of(cell)
        if cell.get("cell_type") == "markdown":
            _add_prose(page, prose.from_markdown(_without_title(text, page), links))
        elif cell.get("cell_type") == "code":
            _add_code(page, text)
            for output in cell.get("outputs", []):
                _add_output(page, output, links)
    return page


def _without_title(text: str, page: Page) -> str:
    first, _, rest = text.partition("\n")
    return rest if first.startswith("# ") and not page.blocks else text


def _add_prose(page: Page, html: str) -> None:
    if html.strip():
        marked, headings = prose.with_anchors(html, page.anchors)
        page.headings.extend(headings)
        page.blocks.append(Block("prose", html=marked))


def _add_code(page: Page, text: str) -> None:
    if not text.strip():
        return
    before = page.blocks.pop().cells if page.blocks and page.blocks[-1].kind == "code" else ()
    page.blocks.append(Block("code", cells=(*before, prose.highlighted(text))))


def _add_output(page: Page, output: dict[str, Any], links: Links) -> None:
    """Add what one output shows, in the richest form that a page can show safely."""
    kind = output.get("output_type")
    if kind == "stream":
        _add_text(page, _joined(output.get("text", "")))
    elif kind == "error":
        trace = prose.without_colours("\n".join(map(str, output.get("traceback", []))))
        what = f"{output.get('ename', 'error')}: {output.get('evalue', '')}"
        page.blocks.append(Block("error", label=prose.without_colours(what), text=trace))
    else:
        _add_data(page, output, links)


def _add_data(page: Page, output: dict[str, Any], links: Links) -> None:
    data = output.get("data") or {}
    picture = next((kind for kind in PICTURES if kind in data), None)
    if MIME in data:  # the run's record: the page offers it as a file
        return
    if picture:
        alt = ((output.get("metadata") or {}).get(picture) or {}).get("alt", "")
        _add_picture(page, picture, _joined(data[picture]), str(alt))
    elif "text/html" in data:
        _add_html(page, _joined(data["text/html"]), links)
    elif "text/markdown" in data:
        _add_prose(page, prose.from_markdown(_joined(data["text/markdown"]), links))
    else:
        _add_text(page, _joined(data.get("text/plain", "")))


def _add_picture(page: Page, kind: str, encoded: str, alt: str) -> None:
    """A picture as a file; where nobody wrote what it shows, the text says at least where it stands."""
    content = encoded.encode() if kind == "image/svg+xml" else _decoded(encoded)
    if not content:
        _add_text(page, "A picture that cannot be read stood here.")
        return
    page.pictures += 1
    name = f"picture-{page.pictures}.{PICTURES[kind]}"
    page.files[name] = content
    label = alt.strip() or f"Picture {page.pictures}, under “{page.under}”; the notebook does not describe it"
    page.blocks.append(Block("picture", name=name, label=label, size=_size(content)))


def _add_html(page: Page, html: str, links: Links) -> None:
    for part in grids.split(html):
        if isinstance(part, str):
            _add_prose(page, prose.clean(part, links))
        elif grid := grids.make_grid(part, links):
            page.tables += 1
            name = f"table-{page.tables}.csv"
            page.files[name] = grid.to_csv().encode()
            page.blocks.append(
                Block("table", name=name, label=f"Table {page.tables}: {page.under}", grid=grid)
            )


def _add_text(page: Page, text: str) -> None:
    text = prose.without_colours(text).rstrip()
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}\n… {len(text) - LONGEST_TEXT} more characters in the notebook"
    if text:
        page.blocks.append(Block("text", text=text))


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return b""


def _size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, from its header, so that a page does not jump when the picture arrives."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or len(content) < 24:
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


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
