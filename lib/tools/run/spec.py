"""What a run is: a notebook with a set of parameters, and the folder that its files go to.

Everything here is known before a notebook is opened, and costs nothing to import: an unchanged matrix is
recognised without pandas.

The journal of a run, `run.json` beside its files: what decided the output, and what came of it.

It is written last and taken away first, so files beside a journal are those that it describes; a run is up to
date only if they still have the hashes that it records. Its fields:

key         hash of `parts`: everything that decides the output; empty if an input changed while the run went
status      "ok" or "failed"
notebook, slug, case, parameters    of the run
parts       notebook (hash of the cells), lib ({module: hash}), data ({file in data/: hash}, of those that the
            run opened), parameters, versions ({package: version}), python
outputs     {file beside this one: hash}
started     date and time, UTC, for people only: nothing is decided by a clock
seconds     how long the run took, by a clock that cannot be set
kernel      name of the kernelspec
error       where and why it failed; empty otherwise
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.errors import UserError, plain_bytes
from lib.files import read_json, write_atomically

if TYPE_CHECKING:
    from lib.results import Result

SOCKETS_ENV = "TRADEGOALS_SOCKETS"
"""A driver's folder for the sockets of its kernels, which it removes whatever becomes of a run."""

RUN_TIMEOUT_SECONDS = 600.0

NOTEBOOK, PAGE, RESULT, FAILED = "notebook.ipynb", "page.html", "result.json", "notebook.failed.ipynb"

JOURNAL = "run.json"

LONGEST_SLUG = 120
"""Most file systems take names of 255 bytes; temporary files beside a folder need some of them."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Run:
    """One notebook with one set of parameters; `slug` names its folder, `case` the entry of runs.yml."""

    notebook: str
    slug: str
    parameters: dict[str, Any] = field(hash=False)
    case: str = ""

    @property
    def name(self) -> str:
        """Notebook and folder, as messages show them."""
        return f"{self.notebook}/{self.slug}"

    def folder(self, out: Path) -> Path:
        """Where the run's files go."""
        return out / "runs" / self.notebook / self.slug

    def to_json(self) -> dict[str, Any]:
        """The run as a plain mapping: what `run-one` reads."""
        return {
            "notebook": self.notebook,
            "slug": self.slug,
            "parameters": self.parameters,
            "case": self.case,
        }


@dataclass(frozen=True)
class Settings:
    """How to execute: kernelspec, seconds for the whole run, and whether also what is up to date."""

    kernel: str = "python3"
    timeout: float = RUN_TIMEOUT_SECONDS
    force: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a run; `error` is empty when it succeeded, `skipped` if its files were up to date."""

    run: Run
    folder: Path
    seconds: float
    error: str = ""
    skipped: bool = False

    @property
    def result(self) -> "Result | None":
        """The run's record, read from its folder; None where it failed, or makes none."""
        from lib import results

        path = self.folder / RESULT
        return None if self.error or not path.exists() else results.read(path)


def run_from(content: Mapping[str, Any], where: str) -> Run:
    """A run from a plain mapping; `where` names its file in messages.

    Raises
    ------
    UserError
        If a key is missing, unknown or of the wrong type, or a name could lead out of the output folder.
    """
    if not isinstance(content, dict) or not {"notebook", "slug", "parameters"} <= set(content):
        raise UserError(f"{where}: expected a mapping of notebook, slug, parameters")
    if extra := sorted(set(content) - {"notebook", "slug", "parameters", "case"}):
        raise UserError(f"{where}: found {', '.join(extra)}, expected notebook, slug, parameters, case")
    for key in ("notebook", "slug"):
        if not isinstance(content[key], str) or not _NAME.fullmatch(content[key]):
            raise UserError(
                f"{where}: {key}: found {str(content[key])[:60]!r}, expected a name fit for a folder"
            )
    values = content["parameters"]
    if not isinstance(values, dict):
        raise UserError(f"{where}: parameters: expected a mapping of names to values")
    return Run(content["notebook"], content["slug"], values, str(content.get("case", "")))


def read_spec(path: Path) -> Run:
    """A run from the file that `tradegoals run --specs` wrote, or another program."""
    return run_from(read_json(path), path.name)


def short_slug(slug: str) -> str:
    """The slug itself, or, if it is too long for a folder's name, its beginning and a digest of the whole."""
    from hashlib import sha256

    if len(slug) <= LONGEST_SLUG:
        return slug
    return f"{slug[: LONGEST_SLUG - 13].rstrip('-_')}-{sha256(slug.encode()).hexdigest()[:12]}"


SCHEMA_VERSION = 1


def read_journal(folder: Path) -> dict[str, Any] | None:
    """The journal of a run folder; None where there is none that can be trusted."""
    try:
        content = json.loads(plain_bytes(folder / JOURNAL))
    except (OSError, ValueError, RecursionError):
        return None
    return content if _is_journal(content) else None


def _is_journal(content: Any) -> bool:
    """Whether this is a whole journal of this version."""
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        return False
    parts, outputs = content.get("parts"), content.get("outputs")
    return (
        isinstance(parts, dict)
        and isinstance(outputs, dict)
        and all(isinstance(parts.get(name), dict) for name in ("lib", "data", "parameters", "versions"))
        and isinstance(content.get("key"), str)
        and content.get("status") in ("ok", "failed")
    )


def write_journal(folder: Path, content: dict[str, Any]) -> None:
    """Write the journal of what stands in the folder now."""
    record = {"schema_version": SCHEMA_VERSION, **content, "outputs": _output_hashes(folder)}
    write_atomically(folder / JOURNAL, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def _output_hashes(folder: Path) -> dict[str, str]:
    """The hashes of a run's files."""
    names = (NOTEBOOK, PAGE, RESULT, FAILED)
    return {name: digest for name in names if (digest := hash_file(folder / name))}


def are_intact(folder: Path, content: dict[str, Any]) -> bool:
    """Whether the files are those that the journal describes, byte for byte."""
    return NOTEBOOK in content["outputs"] and _output_hashes(folder) == content["outputs"]


def hash_file(path: Path) -> str:
    """SHA-256 of a file; empty if it cannot be read, as when it is not there."""
    try:
        return sha256(plain_bytes(path)).hexdigest()
    except OSError:
        return ""


def clear_journal(folder: Path) -> None:
    """Take away what a run published, the journal first."""
    for name in (JOURNAL, NOTEBOOK, PAGE, RESULT, FAILED):
        path = folder / name
        if path.is_file() or path.is_symlink():
            path.unlink()


def note_death(run: Run, folder: Path, error: str) -> None:
    """Record a run whose process died: no earlier result may pass for one of this run."""
    clear_journal(folder)
    parts: dict[str, Any] = {"notebook": "", "lib": {}, "data": {}, "versions": {}, "python": ""}
    record = {"key": "", "status": "failed", "parts": parts | {"parameters": run.parameters}, "error": error}
    write_journal(folder, run.to_json() | record)
