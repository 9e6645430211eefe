"""What the start notebook lists: every notebook of the collection, by its own title and first words."""

import json
from pathlib import Path

from lib.errors import UserError
from lib.package import notebooks_dir
from lib.words import Said

SENTENCES = 2
"""So many of the first sentences of a notebook are shown."""


def contents() -> Said:
    """A Markdown table of the notebooks, linked, with the sentences with which each begins."""
    rows = [_row(path) for path in sorted(notebooks_dir().glob("[0-9]*.ipynb"))]
    return Said("\n".join(["| notebook | what it does |", "|---|---|", *rows]))


def _row(path: Path) -> str:
    opening = "".join(json.loads(path.read_bytes())["cells"][0]["source"])
    title, _, words = opening.partition("\n")
    if not title.startswith("# "):
        raise UserError(f"{path.name}: cell 1: found {title[:40]!r}, expected the question as a title, # …")
    sentences = words.strip().partition("\n")[0].split(". ")[:SENTENCES]
    return f"| [{title.removeprefix('# ')}]({path.name}) | {'. '.join(sentences).removesuffix('.')}. |"
