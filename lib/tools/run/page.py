"""An executed notebook as a page, and texts as HTML that is safe to show: prose, folded code, pictures, tables, errors.

`to_page` makes one HTML file to read: nothing is loaded from elsewhere and no script can run. For the site pictures
become files beside the page, so that it stays light, and tables also become CSV files.

Markdown is rendered with raw HTML as text; HTML that a cell displays is cut down to a list of harmless elements. Both
pass nh3 (the sanitiser ammonia, which parses as a browser does), so a script, an event attribute or a `javascript:`
address has no way in; the pages' content policy would stop it besides.
"""

import base64
import csv
import io
import itertools
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup, escape

# At once: its packages put others into their own place, and two threads that load them at a time find neither.
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

from lib.errors import inert
from lib.tools.run.freshness import text_of
from lib.tools.strict import slugify

_NOTEBOOK = re.compile(r"(?:\./)?([A-Za-z0-9][A-Za-z0-9_-]*)(?:\.ipynb)?(#[^\s]*)?")


@dataclass(frozen=True)
class Links:
    """Targets that a page knows: ids of figures, pages of notebooks, and its way `up` to the site's root."""

    up: str = ""
    figure_ids: frozenset[str] = frozenset()
    notebooks: frozenset[str] = frozenset()

    def to_figure(self, text: str) -> str:
        """Where a figure's row stands; empty if this is no figure's id."""
        return f"{self.up}figures/index.html#{text}" if text in self.figure_ids else ""

    def to_notebook(self, name: str) -> str:
        """The page of a notebook's cases; empty if it has none."""
        match = _NOTEBOOK.fullmatch(name)
        return f"{self.up}runs/{match[1]}/index.html" if match and match[1] in self.notebooks else ""

    def allowed(self, address: str) -> str:
        """The address if a reader may follow it, rewritten where it names a notebook; else empty."""
        address = address.strip()
        return address if address.startswith("#") else web_address(address) or self.to_notebook(address)


_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f/?#][^\s\x00-\x1f]*", re.IGNORECASE)


def web_address(address: str) -> str:
    """The address if it is one of http or https with a host; else empty."""
    return address if _ADDRESS.fullmatch(address) else ""


TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "ul",
}  # fmt: skip

ATTRIBUTES = {"a": {"href"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}}
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)
_NAMED = re.compile(r"<a\b.*?</a>|<code>([0-9A-Za-z_-]+)</code>|<[^>]*>|([0-9A-Za-z_-]+)", re.DOTALL)
_SCROLLED = 'tabindex="0" role="region" aria-label="Table"'


class Heading(NamedTuple):
    """A heading of a page: its level, the id to link to, and its text."""

    level: int
    anchor: str
    text: str


def from_markdown(text: str, links: Links) -> Markup:
    """Markdown as safe HTML; the name of a notebook, in code, and of a figure become links to its page or row."""

    def named(match: re.Match[str]) -> str:
        target = links.to_notebook(match[1] or "") or links.to_figure(match[1] or match[2] or "")
        return f'<a href="{escape(target)}">{match[0]}</a>' if target else match[0]

    html = _clean(_renderer()(text), links)
    # Code and tables may be wider than the page; who has no mouse must be able to scroll them too.
    html = html.replace("<pre>", '<pre tabindex="0">').replace("</table>", "</table></div>")
    html = html.replace("<table>", f'<div class="scroll" {_SCROLLED}><table>')
    return Markup(_NAMED.sub(named, html))


def inline(text: str, links: Links) -> Markup:
    """One paragraph of Markdown without the paragraph around it, for a sentence inside other text."""
    html = from_markdown(text, links).strip()
    is_one = html.count("<p>") == 1 and html.startswith("<p>") and html.endswith("</p>")
    return Markup(html[3:-4] if is_one else html)


def plain(text: str) -> str:
    """Markdown as plain text, for search and for texts that stand for a picture."""
    return unescape(re.sub(r"<[^>]*>", "", _renderer()(text))).strip()


def _clean(html: str, links: Links) -> str:
    """HTML of unknown origin cut down to harmless elements and addresses."""
    import nh3

    def keep(tag: str, name: str, value: str) -> str | None:
        return (links.allowed(value) or None) if name == "href" else value

    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=keep,
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer",
        clean_content_tags={"script", "style"},
    )


def with_anchors(html: str, taken: dict[str, int]) -> tuple[Markup, list[Heading]]:
    """Give each heading an id, one level below the page's title at least; ids already `taken` get a number."""
    found: list[Heading] = []

    def named(match: re.Match[str]) -> str:
        text = unescape(re.sub(r"<[^>]*>", "", match[2]))
        anchor = slugify(text)
        taken[anchor] = taken.get(anchor, 0) + 1
        if taken[anchor] > 1:
            anchor = f"{anchor}-{taken[anchor]}"
        level = max(int(match[1]), 2)
        found.append(Heading(level, anchor, text))
        return f'<h{level} id="{escape(anchor)}">{match[2]}</h{level}>'

    return Markup(_HEADING.sub(named, html)), found


@lru_cache(maxsize=1)
def _renderer() -> Callable[[str], str]:
    """Markdown as HTML, addresses not yet looked at; many runs share their sentences."""
    import mistune

    markdown = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])
    return lru_cache(maxsize=4096)(lambda text: str(markdown(text)))


_PYTHON, _AS_HTML = PythonLexer(), HtmlFormatter(nowrap=True)


@lru_cache(maxsize=1024)
def _highlighted(source: str) -> Markup:
    """Python code with its parts marked by classes; many runs share their cells."""
    return Markup(highlight(source, _PYTHON, _AS_HTML).rstrip())


# --- tables, taken apart into cells, so that a page shows them its own way and as CSV ---

_NUMBER = re.compile(r"(?:above |below )?[−+\-]?[\d,]*\.?\d+( ?%| ?[A-Z]{3}( mn| bn)?)?")
_PERIOD = re.compile(r"[\d-]{4,10}( to [\d-]{4,10})?")
MOSTLY = 0.8  # share of a column's filled cells that must be numbers for it to be set as numbers
LONG = 30  # characters of a text that is better read in a wide column


class Cell(NamedTuple):
    """One cell: its text, and where it leads."""

    text: str
    href: str = ""

    @property
    def shown(self) -> str:
        """The text; an address without how all of them begin."""
        is_address = self.href and self.text == self.href
        return re.sub(r"^https?://(www\.)?", "", self.text).rstrip("/") if is_address else self.text

    @property
    def keeps_together(self) -> bool:
        """Whether it is a day, a period, an address or a figure's name, which is better not broken at its hyphens."""
        return bool(_PERIOD.fullmatch(self.text) or (self.href and " " not in self.text))


@dataclass
class Grid:
    """A table: header, rows of equal length, and what the columns are: "n" of numbers, "long" of sentences, or ""."""

    header: list[str]
    rows: list[list[Cell]]
    kinds: list[str] = field(default_factory=list)

    def to_csv(self) -> bytes:
        """The table as CSV."""
        return to_csv([self.header, *([cell.text for cell in row] for row in self.rows)])


def to_csv(rows: Iterable[Iterable[Any]]) -> bytes:
    """Rows of cells as CSV for others to open."""
    text = io.StringIO()
    safe = lru_cache(maxsize=None, typed=True)(inert)  # most cells of a long table stand in many rows
    csv.writer(text, lineterminator="\n").writerows(map(safe, row) for row in rows)
    return text.getvalue().encode()


def _split(html: str) -> list[str | list[list[Cell]]]:
    """HTML in pieces: text between tables as it stands, tables as rows of cells."""
    parts = re.split(r"(<table\b.*?</table\s*>)", html, flags=re.DOTALL | re.IGNORECASE)
    return [_cells(part) if place % 2 else part for place, part in enumerate(parts) if part.strip()]


def _make_grid(rows: list[list[Cell]], links: Links) -> Grid | None:
    """A table of the first row as header and the others; None where there is no row below the header."""
    if len(rows) < 2:
        return None
    header, *body = zip(*itertools.zip_longest(*rows, fillvalue=Cell("")), strict=True)  # of equal length
    linked = [
        [Cell(cell.text, links.to_figure(cell.text) or web_address(cell.href)) for cell in row]
        for row in body
    ]
    kinds = [_kind(column) for column in zip(*linked, strict=True)]
    return Grid([cell.text for cell in header], linked, kinds)


def _kind(column: tuple[Cell, ...]) -> str:
    """Whether a column is one of numbers, "n", or of sentences, "long"."""
    filled = [cell.text for cell in column if cell.text]
    if filled and sum(bool(_NUMBER.fullmatch(text)) for text in filled) >= MOSTLY * len(filled):
        return "n"
    return "long" if any(len(one.text) > LONG and not one.keeps_together for one in column) else ""


def _cells(html: str) -> list[list[Cell]]:
    """The cells of one table, row by row."""
    from lxml.html import fragment_fromstring

    table = fragment_fromstring(html)
    for line_break in table.iter("br"):
        line_break.tail = f" {line_break.tail or ''}"
    rows: list[list[Cell]] = []
    for row in table.iter("tr"):
        rows.append([])
        for cell in row.iter("td", "th"):
            links = [link.get("href", "") for link in cell.iter("a")]
            width = cell.get("colspan", "1")
            empty = [Cell("")] * (min(int(width) if width.isdigit() else 1, 50) - 1)
            rows[-1] += [Cell(" ".join(cell.text_content().split()), links[-1] if links else ""), *empty]
    return [row for row in rows if row]


# --- a notebook as blocks ---

PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg"}
RECORD = "application/vnd.tradegoals."  # types of what a notebook records for programs
LONGEST_TEXT = 20_000  # characters of plain output that a page shows; what is cut is said


@dataclass
class Page:
    """The blocks of a notebook, its headings, and the files that go beside the page.

    The `kind` of a block says what else it holds: prose (html), code (cells: of one cell, or of several that show nothing
    in between), picture (name of its file, label that stands for it, size in pixels), table (name of its CSV, label,
    grid), text, error (label, text).
    """

    links: Links
    whole: bool = False  # whether all is in one file: pictures as addresses of data, no file beside it
    blocks: list[dict[str, Any]] = field(default_factory=list)
    title: str = ""
    headings: list[Heading] = field(default_factory=list)
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

    def add(self, cell: Mapping[str, Any]) -> None:
        """Add what a cell says or shows; the title is left out, since the page has it as its own."""
        text = text_of(cell)
        if cell.get("cell_type") == "markdown":
            first, _, rest = text.partition("\n")
            if first.startswith("# ") and not (self.blocks or self.title):
                self.title, text = plain(first.removeprefix("# ")), rest
            self._add_prose(from_markdown(text, self.links))
        elif cell.get("cell_type") == "code":
            if text.strip():
                is_next = self.blocks and self.blocks[-1]["kind"] == "code"
                before = self.blocks.pop()["cells"] if is_next else ()
                self._add("code", cells=(*before, _highlighted(text)))
            for output in cell.get("outputs", []):
                self._add_output(output)

    def _add(self, kind: str, **parts: Any) -> None:
        self.blocks.append({"kind": kind, **parts})

    def _add_prose(self, html: str) -> None:
        if html.strip():
            marked, headings = with_anchors(html, self.anchors)
            self.headings.extend(headings)
            self._add("prose", html=marked)

    def _add_output(self, output: dict[str, Any]) -> None:
        """Add what one output shows, in the richest form that a page can show safely."""
        data = output.get("data") or {}
        picture = next((kind for kind in PICTURES if kind in data), None)
        if output.get("output_type") == "error":
            trace = "\n".join(map(str, output.get("traceback", [])))
            what = f"{output.get('ename', 'error')}: {output.get('evalue', '')}"
            self._add("error", label=_ANSI.sub("", what), text=_ANSI.sub("", trace))
        elif any(kind.startswith(RECORD) for kind in data):  # the run's result: the page offers it as a file
            return
        elif picture:
            alt = ((output.get("metadata") or {}).get(picture) or {}).get("alt", "")
            self._add_picture(picture, "".join(data[picture]), str(alt))
        elif "text/html" in data:
            self._add_html("".join(data["text/html"]))
        elif "text/markdown" in data:
            self._add_prose(from_markdown("".join(data["text/markdown"]), self.links))
        else:
            self._add_text("".join(data.get("text/plain", output.get("text", ""))))

    def _add_picture(self, kind: str, encoded: str, alt: str) -> None:
        """Add a picture as a file; where nobody wrote what it shows, the text says at least where it stands."""
        content = encoded.encode() if kind == "image/svg+xml" else b""
        with suppress(ValueError):
            content = content or base64.b64decode(encoded)
        if not content:
            self._add_text("A picture that cannot be read stood here.")
            return
        self.pictures += 1
        ending, is_png = PICTURES[kind], content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24
        # Width and height stand in a PNG's header: with them a page does not jump when the picture arrives.
        size = struct.unpack(">II", content[16:24]) if is_png else None
        if size and not self.whole and len(smaller := _as_webp(content)) < len(content):
            content, ending = smaller, "webp"
        self.files[name := f"picture-{self.pictures}.{ending}"] = content
        under = self.headings[-1].text if self.headings else self.title
        label = alt.strip() or f"Picture {self.pictures}, under “{under}”; the notebook does not describe it"
        self._add("picture", name=name, label=label, size=size)

    def _add_html(self, html: str) -> None:
        for part in _split(html):
            if isinstance(part, str):
                self._add_prose(_clean(part, self.links))
            elif grid := _make_grid(part, self.links):
                self.tables += 1
                name = f"table-{self.tables}.csv"
                self.files[name] = grid.to_csv()
                label = f"Table {self.tables}" + (f": {self.headings[-1].text}" if self.headings else "")
                self._add("table", name=name, label=label, grid=grid)

    def _add_text(self, text: str) -> None:
        text = _ANSI.sub("", text).rstrip()
        if len(text) > LONGEST_TEXT:
            text = f"{text[:LONGEST_TEXT]}\n… {len(text) - LONGEST_TEXT} more characters in the notebook"
        if text:
            self._add("text", text=text)


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


def read_page(notebook: Mapping[str, Any], links: Links, whole: bool = False) -> Page:
    """The blocks of a notebook."""
    page = Page(links, whole)
    for cell in notebook.get("cells", []):
        page.add(cell)
    return page


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
