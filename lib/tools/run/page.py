"""An executed notebook as a page: prose, folded code, pictures, tables, text, errors.

`to_page` makes one HTML file to read: nothing is loaded from elsewhere and no script can run. For the site pictures
become files beside the page, so that it stays light, and tables also become CSV files. Markup in text that comes from
data or parameters is shown as text.
"""

import base64
import io
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lib.tools.run import markup
from lib.tools.run.freshness import text_of
from lib.tools.run.markup import Links

PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg"}
RECORD = "application/vnd.tradegoals."  # types of what a notebook records for programs
LONGEST_TEXT = 20_000  # characters of plain output that a page shows; what is cut is said


@dataclass(frozen=True)
class Block:
    """One piece of a page; `kind` names the field that is filled."""

    kind: str
    html: str = ""
    text: str = ""
    name: str = ""  # file of a picture or of a table's CSV
    label: str = ""  # text that stands for a picture; caption of a table
    cells: tuple[str, ...] = ()  # code of one cell, or of several that show nothing in between
    grid: markup.Grid | None = None
    size: tuple[int, ...] | None = None  # width and height of a picture


@dataclass
class Page:
    """The blocks of a notebook, its headings, and the files that go beside the page."""

    blocks: list[Block] = field(default_factory=list)
    title: str = ""
    whole: bool = False
    """Whether all is in one file: pictures as addresses of data, no file beside it."""
    headings: list[markup.Heading] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    tables: int = 0
    pictures: int = 0
    anchors: dict[str, int] = field(default_factory=dict)

    def address(self, name: str) -> str:
        """What leads to a file of the page; nothing where it is not in the page's own."""
        if not self.whole:
            return name
        kind = next((kind for kind, ending in PICTURES.items() if name.endswith(f".{ending}")), "")
        return f"data:{kind};base64,{base64.b64encode(self.files[name]).decode()}" if kind else ""


def read_page(notebook: Mapping[str, Any], links: Links, whole: bool = False) -> Page:
    """The blocks of a notebook; its title is left out, since the page has it as its own."""
    page = Page(whole=whole)
    for cell in notebook.get("cells", []):
        text = text_of(cell)
        if cell.get("cell_type") == "markdown":
            _add_prose(page, markup.from_markdown(_without_title(text, page), links))
        elif cell.get("cell_type") == "code":
            if text.strip():
                before = page.blocks.pop().cells if page.blocks and page.blocks[-1].kind == "code" else ()
                page.blocks.append(Block("code", cells=(*before, markup.highlighted(text))))
            for output in cell.get("outputs", []):
                _add_output(page, output, links)
    return page


def _without_title(text: str, page: Page) -> str:
    first, _, rest = text.partition("\n")
    if not first.startswith("# ") or page.blocks or page.title:
        return text
    page.title = markup.plain(first.removeprefix("# "))
    return rest


def _add_prose(page: Page, html: str) -> None:
    if html.strip():
        marked, headings = markup.with_anchors(html, page.anchors)
        page.headings.extend(headings)
        page.blocks.append(Block("prose", html=marked))


def _add_output(page: Page, output: dict[str, Any], links: Links) -> None:
    """Add what one output shows, in the richest form that a page can show safely."""
    data = output.get("data") or {}
    picture = next((kind for kind in PICTURES if kind in data), None)
    if output.get("output_type") == "error":
        trace = markup.without_colours("\n".join(map(str, output.get("traceback", []))))
        what = f"{output.get('ename', 'error')}: {output.get('evalue', '')}"
        page.blocks.append(Block("error", label=markup.without_colours(what), text=trace))
    elif any(kind.startswith(RECORD) for kind in data):  # the run's result: the page offers it as a file
        return
    elif picture:
        alt = ((output.get("metadata") or {}).get(picture) or {}).get("alt", "")
        _add_picture(page, picture, _joined(data[picture]), str(alt))
    elif "text/html" in data:
        _add_html(page, _joined(data["text/html"]), links)
    elif "text/markdown" in data:
        _add_prose(page, markup.from_markdown(_joined(data["text/markdown"]), links))
    else:
        _add_text(page, _joined(data.get("text/plain", output.get("text", ""))))


def _add_picture(page: Page, kind: str, encoded: str, alt: str) -> None:
    """A picture as a file; where nobody wrote what it shows, the text says at least where it stands."""
    content = encoded.encode() if kind == "image/svg+xml" else b""
    with suppress(ValueError):
        content = content or base64.b64decode(encoded)
    if not content:
        _add_text(page, "A picture that cannot be read stood here.")
        return
    page.pictures += 1
    ending, is_png = PICTURES[kind], content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24
    # Width and height stand in a PNG's header: with them a page does not jump when the picture arrives.
    size = struct.unpack(">II", content[16:24]) if is_png else None
    if size and not page.whole and len(smaller := _as_webp(content)) < len(content):
        content, ending = smaller, "webp"
    page.files[name := f"picture-{page.pictures}.{ending}"] = content
    under = page.headings[-1].text if page.headings else page.title
    label = alt.strip() or f"Picture {page.pictures}, under “{under}”; the notebook does not describe it"
    page.blocks.append(Block("picture", name=name, label=label, size=size))


def _as_webp(content: bytes) -> bytes:
    """A PNG as lossless WebP: the same points in less than half of the bytes; itself where it cannot be read."""
    from PIL import Image, WebPImagePlugin  # noqa: F401  # else all formats are loaded to find this one

    found = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.save(found, "webp", lossless=True, method=2, quality=20)
    except (OSError, ValueError, SyntaxError):
        return content
    return found.getvalue()


def _add_html(page: Page, html: str, links: Links) -> None:
    for part in markup.split(html):
        if isinstance(part, str):
            _add_prose(page, markup.clean(part, links))
        elif grid := markup.make_grid(part, links):
            page.tables += 1
            name = f"table-{page.tables}.csv"
            page.files[name] = grid.to_csv().encode()
            label = f"Table {page.tables}" + (f": {page.headings[-1].text}" if page.headings else "")
            page.blocks.append(Block("table", name=name, label=label, grid=grid))


def _add_text(page: Page, text: str) -> None:
    text = markup.without_colours(text).rstrip()
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}\n… {len(text) - LONGEST_TEXT} more characters in the notebook"
    if text:
        page.blocks.append(Block("text", text=text))


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


TEMPLATES = Path(__file__).resolve().parent / "templates"


def to_page(notebook: Mapping[str, Any], title: str) -> str:
    """The executed notebook as one HTML page."""
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    page = read_page(notebook, Links(), whole=True)
    return environment().get_template("page.html.j2").render(page=page, title=title, style=style)


@lru_cache(maxsize=2)
def environment(*folders: Path) -> Any:
    """Templates of pages, of these folders and of the page of a run; what they fill in is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
