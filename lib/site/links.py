"""Which addresses a page may lead to: http and https to other hosts, and pages of the site itself."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_SHOWN = 30
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

    def to_figures(self, ids: Iterable[str]) -> list[tuple[str, str]]:
        """Each id with the address of its row, empty for one that the data no longer have."""
        return [(one, self.to_figure(one)) for one in ids]

    def to_notebook(self, name: str) -> str:
        """The page of a notebook's cases; empty if it has none."""
        match = _NOTEBOOK.fullmatch(name)
        return f"{self.up}runs/{match[1]}/index.html" if match and match[1] in self.notebooks else ""

    def allowed(self, address: str) -> str:
        """The address if a reader may follow it, rewritten where it names a notebook; else empty."""
        address = address.strip()
        if address.startswith("#"):
            return address
        return web_address(address) or self.to_notebook(address)


def web_address(address: str) -> str:
    """The address if it is one of http or https with a host; else empty."""
    if any(character.isspace() or ord(character) < 32 for character in address):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme.lower() in ("http", "https") and parts.netloc else ""


def shown_address(address: str) -> str:
    """An address as link text: host and path, the host alone where that would be long."""
    text = re.sub(r"^https?://(www\.)?", "", address).rstrip("/")
    return text if len(text) <= LONGEST_SHOWN else f"{text.partition('/')[0]}/…"


def page_names(notebooks: Collection[str], figure_ids: Collection[str], up: str) -> Links:
    """The links of a page that stands `up` below the root."""
    return Links(up, frozenset(figure_ids), frozenset(notebooks))
