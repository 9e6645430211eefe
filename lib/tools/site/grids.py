"""Tables of executed notebooks: taken apart into cells, so that a page shows them its own way and as CSV."""

import csv
import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple

from lib.tools.site.prose import Links, shown_address, web_address

_NUMBER = re.compile(r"[−+\-]?[\d,]*\.?\d+( ?%| ?[A-Z]{3}( mn| bn)?)?")

_PERIOD = re.compile(r"[\d-]{4,10}( to [\d-]{4,10})?")

MOSTLY = 0.8
"""Share of a column's filled cells that must be numbers for it to be set as numbers."""


class Cell(NamedTuple):
    """One cell: what is shown, where it leads, and what the CSV file holds."""

    text: str
    href: str = ""
    value: str = ""

    @property
    def keeps_together(self) -> bool:
        """Whether it is a day or a period, which is better not broken at its hyphens."""
        return bool(_PERIOD.fullmatch(self.text))


@dataclass
class Grid:
    """A table: header, rows of equal length, and which columns are numbers."""

    header: list[str]
    rows: list[list[Cell]]
    numeric: list[bool] = field(default_factory=list)

    def to_csv(self) -> str:
        """The table as CSV text, links as their addresses."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows([cell.value or cell.text for cell in row] for row in self.rows)
        return text.getvalue()


def split(html: str) -> list[str | list[list[Cell]]]:
    """HTML in pieces: text between tables as it stands, tables as rows of cells."""
    parts = re.split(r"(<table\b.*?</table\s*>)", html, flags=re.DOTALL | re.IGNORECASE)
    return [_cells(part) if place % 2 else part for place, part in enumerate(parts) if part.strip()]


def make_grid(rows: list[list[Cell]], links: Links) -> Grid | None:
    """A table of the first row as header and the others; None where there is no row below the header."""
    if len(rows) < 2:
        return None
    width = max(len(row) for row in rows)
    filled = [[*row, *[Cell("")] * (width - len(row))] for row in rows]
    body = [[_linked(cell, links) for cell in row] for row in filled[1:]]
    return Grid(
        [cell.text for cell in filled[0]], body, [is_numeric(column) for column in zip(*body, strict=True)]
    )


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
        return Cell(shown_address(address), address, address)
    return Cell(cell.text, address, cell.text)


def _cells(html: str) -> list[list[Cell]]:
    reader = _TableReader()
    reader.feed(html)
    reader.close()
    return [row for row in reader.rows if row]


class _TableReader(HTMLParser):
    """Collect the cells of one table, row by row."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[Cell]] = []
        self._text: list[str] | None = None
        self._href = ""
        self._span = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a row or a cell; remember where a cell leads."""
        given = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self._text, self._href = [], ""
            self._span = int(width) if (width := given.get("colspan") or "1").isdigit() else 1
        elif tag == "a" and self._text is not None:
            self._href = given.get("href") or ""
        elif tag == "br" and self._text is not None:
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """Close a cell."""
        if tag in ("td", "th") and self._text is not None:
            text = " ".join("".join(self._text).split())
            self.rows[-1].extend([Cell(text, self._href), *[Cell("")] * (min(self._span, 50) - 1)])
            self._text = None

    def handle_data(self, data: str) -> None:
        """Add to the open cell."""
        if self._text is not None:
            self._text.append(data)
