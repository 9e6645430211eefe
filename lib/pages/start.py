"""What the start notebook lists: every notebook of the collection, by its own title and first words."""

import json
from pathlib import Path

from lib.errors import UserError
from lib.execution.spec import notebooks_dir


def contents() -> str:
    """A Markdown table of the notebooks, linked, with the sentence with which each begins."""
    rows = [_row(path) for path in sorted(notebooks_dir().glob("[0-9]*.ipynb"))]
    return "\n".join(["| notebook | what it does |", "|---|---|", *rows])


def _row(path: Path) -> str:
    opening = "".join(json.loads(path.read_bytes())["cells"][0]["source"])
    title, _, words = opening.partition("\n")
    if not title.startswith("# "):
        raise UserError(f"{path.name}: cell 1: found {title[:40]!r}, expected the question as a title, # …")
    sentence = words.strip().split(". ")[0].removesuffix(".")
    return f"| [{title.removeprefix('# ')}]({path.name}) | {sentence}. |"
