"""The record of a run where it lies: in an executed notebook, in `result.json`, and as lines for a terminal."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lib.errors import UserError
from lib.goals import READING_LABELS
from lib.results import MIME, Result, in_words
from lib.tools.strict import read_json


def from_notebook(notebook: Mapping[str, Any]) -> Result | None:
    """The record that an executed notebook carries; None where it makes none."""
    for cell in reversed(notebook["cells"]):
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                return _parsed(output["data"][MIME], "the notebook's last output")
    return None


def read(path: Path) -> Result:
    """Read a `result.json`; a damaged one is an error that names the file."""
    return _parsed(read_json(path), path.name)


def _parsed(record: Any, where: str) -> Result:
    """The record as typed values, or an error that names every field at fault."""
    try:
        return Result.model_validate(record)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise UserError(f"{where}: found a damaged result ({'; '.join(faults)})") from None


def to_json(result: Result) -> str:
    """The record as stable, readable JSON text."""
    return json.dumps(result.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"


def schema_text() -> str:
    """The JSON schema of a `result.json`, as notebooks/result.schema.json keeps it."""
    return json.dumps(Result.model_json_schema(), ensure_ascii=False, indent=1) + "\n"


def verdict_lines(found: list[Result]) -> list[str]:
    """The verdict table as lines for a terminal: one block a goal, who says so and by what kind, readings below it.

    Notebooks that come to the same about one goal share a block, whose end warns of what weakens the probabilities.
    """
    blocks: dict[tuple[str, ...], list[Result]] = {}
    for result in found:
        if rows := [f"  {READING_LABELS[item.reading]:<22} {in_words(item)}" for item in result.readings]:
            blocks.setdefault((result.title, *rows), []).append(result)
    lines = []
    for (title, *rows), results in blocks.items():
        names = dict.fromkeys(result.notebook.partition("_")[0] for result in results)
        readings = results[-1].readings
        decided = all(item.outcome in ("met", "missed") for item in readings)
        kinds = ["decided by figures"] if decided else [item.kind for item in readings if item.kind]
        said = filter(None, [", ".join(names), ", ".join(dict.fromkeys(kinds))])
        warnings = dict.fromkeys(f"  {result.warning}" for result in results if result.warning)
        lines += ["", f"{title} ({'; '.join(said)})", *rows, *warnings]
    return lines
