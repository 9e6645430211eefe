"""Text of notebooks and data as HTML that is safe to show, and the addresses that a page may lead to.

Markdown is rendered with raw HTML as text; HTML that a cell displays is cut down to a list of harmless elements.
Both pass nh3 (the sanitiser ammonia, which parses as a browser does), so a script, an event attribute or a
`javascript:` address has no way in; the pages' content policy would stop it besides.
"""

import csv
import io
import itertools
import re
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from lib.errors import inert
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


def web_address(address: str) -> str:
    """The address if it is one of http or https with a host; else empty."""
    if any(character.isspace() or ord(character) < 32 for character in address):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme.lower() in ("http", "https") and parts.netloc else ""


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

    html = clean(_render(text), links)
    # Code and tables may be wider than the page; who has no mouse must be able to scroll them too.
    html = html.replace("<pre>", '<pre tabindex="0">').replace("</table>", "</table></div>")
    html = html.replace("<table>", f'<div class="scroll" {_SCROLLED}><table>')
    return Markup(_NAMED.sub(named, html))


def inline(text: str, links: Links) -> Markup:
    """One paragraph of Markdown without the paragraph around it, for a sentence inside other text."""
    html = from_markdown(text, links).strip()
    if html.count("<p>") == 1 and html.startswith("<p>") and html.endswith("</p>"):
        return Markup(html[3:-4])
    return Markup(html)


def plain(text: str) -> str:
    """Markdown as plain text, for search and for texts that stand for a picture."""
    return unescape(re.sub(r"<[^>]*>", "", _render(text))).strip()


def clean(html: str, links: Links) -> str:
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


@lru_cache(maxsize=1024)
def highlighted(source: str) -> Markup:
    """Python code with its parts marked by classes; many runs share their cells."""
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip())


def without_colours(text: str) -> str:
    """Terminal text without its colour codes."""
    return _ANSI.sub("", text)


@lru_cache(maxsize=4096)
def _render(text: str) -> str:
    """Markdown as HTML, addresses not yet looked at; many runs share their sentences."""
    return str(_renderer()(text))


@lru_cache(maxsize=1)
def _renderer() -> Any:
    import mistune

    return mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])


# --- tables, taken apart into cells, so that a page shows them its own way and as CSV ---

_NUMBER = re.compile(r"(?:above |below )?[−+\-]?[\d,]*\.?\d+( ?%| ?[A-Z]{3}( mn| bn)?)?")
_PERIOD = re.compile(r"[\d-]{4,10}( to [\d-]{4,10})?")
MOSTLY = 0.8  # share of a column's filled cells that must be numbers for it to be set as numbers
LONG = 30  # characters of a text that is better read in a wide column


class Cell(NamedTuple):
    """One cell: what is shown, where it leads, and what the CSV file holds."""

    text: str
    href: str = ""
    value: str = ""

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

    def to_csv(self) -> str:
        """The table as CSV text, links as their addresses."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(inert, self.header))
        writer.writerows([inert(cell.value or cell.text) for cell in row] for row in self.rows)
        return text.getvalue()


def split(html: str) -> list[str | list[list[Cell]]]:
    """HTML in pieces: text between tables as it stands, tables as rows of cells."""
    parts = re.split(r"(<table\b.*?</table\s*>)", html, flags=re.DOTALL | re.IGNORECASE)
    return [_cells(part) if place % 2 else part for place, part in enumerate(parts) if part.strip()]


def make_grid(rows: list[list[Cell]], links: Links) -> Grid | None:
    """A table of the first row as header and the others; None where there is no row below the header."""
    if len(rows) < 2:
        return None
    header, *body = zip(*itertools.zip_longest(*rows, fillvalue=Cell("")), strict=True)  # of equal length
    linked = [[_linked(cell, links) for cell in row] for row in body]
    kinds = []
    for column in zip(*linked, strict=True):
        is_long = any(len(cell.text) > LONG and not cell.keeps_together for cell in column)
        kinds.append("n" if is_numeric(column) else "long" if is_long else "")
    return Grid([cell.text for cell in header], linked, kinds)


def is_numeric(cells: tuple[Cell, ...]) -> bool:
    """Whether a column is one of numbers."""
    filled = [cell.text for cell in cells if cell.text]
    return bool(filled) and sum(bool(_NUMBER.fullmatch(text)) for text in filled) >= MOSTLY * len(filled)


def _linked(cell: Cell, links: Links) -> Cell:
    """A cell that names a figure leads to its row; an address is shortened, and only followed on the web."""
    if target := links.to_figure(cell.text):
        return Cell(cell.text, target)
    address = web_address(cell.href)
    if address and cell.text == cell.href:
        return Cell(re.sub(r"^https?://(www\.)?", "", address).rstrip("/"), address, address)
    return Cell(cell.text, address, cell.text)


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
