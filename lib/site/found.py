"""The runs that the site shows: what lies below out/runs, whole, failed or damaged."""

import json
import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lib import catalogue, results
from lib.errors import UserError
from lib.execution import journal
from lib.execution.spec import FAILED, JOURNAL, NOTEBOOK, PAGE, RESULT

DEFAULT = "default"
"""Folder of the run of a notebook with its own parameters."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TITLE = re.compile(r"#\s+(.+)")


@dataclass(frozen=True)
class FoundRun:
    """One run folder; `fault` is empty for a whole run, else says what is wrong with it."""

    notebook: str
    slug: str
    folder: Path
    record: dict[str, Any]
    fault: str

    @property
    def name(self) -> str:
        """Notebook and folder."""
        return f"{self.notebook}/{self.slug}"

    @property
    def address(self) -> str:
        """The page's folder in the site: stable, made of notebook and slug alone."""
        return f"runs/{self.notebook}/{self.slug}"

    @property
    def parameters(self) -> dict[str, Any]:
        """The run's parameters; empty where its journal cannot be read."""
        return self.record.get("parameters", {})

    @property
    def command(self) -> str:
        """The command that executes the run again."""
        values = [word for name, value in self.parameters.items() for word in ("-p", f"{name}={value}")]
        return shlex.join(["tradegoals", "run", "--notebook", self.notebook, *values])

    @cached_property
    def result(self) -> results.Result | None:
        """The run's record of results; None for a run that failed or makes none."""
        path = self.folder / RESULT
        return None if self.fault or not path.exists() else results.read(path)

    @property
    def content(self) -> dict[str, Any] | None:
        """The executed notebook, or what a failed run left of it; read each time, for all together are large."""
        for name in (NOTEBOOK, FAILED):
            try:
                return json.loads((self.folder / name).read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError):
                return None
        return None

    @property
    def title(self) -> str:
        """The case in words where the run has a result, else its parameters."""
        if self.result is not None:
            return self.result.title
        return ", ".join(f"{name} {value}" for name, value in self.parameters.items()) or self.slug


def find_runs(out: Path) -> list[FoundRun]:
    """Every run below `out`/runs, in the order of the collection, the default first in each notebook.

    Raises
    ------
    UserError
        Where there is none, with the command that makes them.
    """
    folders = [path for path in (out / "runs").glob("*/*") if _is_run(path)]
    if not folders:
        raise UserError(f"{out / 'runs'}: found no run, expected some; `tradegoals run` makes them")
    order = {name: place for place, name in enumerate(catalogue.NOTEBOOKS | catalogue.ON_REQUEST)}

    def place(folder: Path) -> tuple[int, str, bool, str]:
        notebook = folder.parent.name
        return order.get(notebook, len(order)), notebook, folder.name != DEFAULT, folder.name

    return [_found(folder) for folder in sorted(folders, key=place)]


def question(run: FoundRun) -> str:
    """The notebook's title, which is its question; its name where it has none."""
    for cell in (run.content or {}).get("cells", []):
        if cell.get("cell_type") == "markdown" and (match := _TITLE.match(source_of(cell))):
            return match[1].strip()
    return run.notebook


def source_of(cell: dict[str, Any]) -> str:
    """The text of a cell, which notebooks keep as one string or as a list of lines."""
    text = cell.get("source", "")
    return "".join(text) if isinstance(text, list) else str(text)


def _is_run(folder: Path) -> bool:
    """Whether this is a run's folder; one that is executed for the first time holds no file yet."""
    if not all(_NAME.fullmatch(name) for name in (folder.parent.name, folder.name)) or folder.is_symlink():
        return False
    return any((folder / name).is_file() for name in (JOURNAL, NOTEBOOK, FAILED))


def _found(folder: Path) -> FoundRun:
    record = journal.read(folder)
    return FoundRun(folder.parent.name, folder.name, folder, record or {}, _fault(folder, record))


def _fault(folder: Path, record: dict[str, Any] | None) -> str:
    """Why the run cannot be shown as a result; empty if it can."""
    if record is None:
        return "Its journal, run.json, is missing or cannot be read, so nobody can say what made these files."
    if record["status"] == "failed":
        return str(record.get("error") or "It failed; the journal does not say why.")
    if not journal.are_intact(folder, record):
        names = ", ".join(name for name in (NOTEBOOK, PAGE, RESULT) if _differs(folder, record, name))
        return f"Files are not those that its journal describes: {names or NOTEBOOK}."
    try:
        if (folder / RESULT).exists():
            results.read(folder / RESULT)
    except UserError as error:
        return str(error)
    return ""


def _differs(folder: Path, record: dict[str, Any], name: str) -> bool:
    return journal.hash_file(folder / name) != record["outputs"].get(name, "")
