"""The journal of a run, `run.json` beside its files: what decided the output, and what came of it.

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
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.execution.spec import FAILED, JOURNAL, NOTEBOOK, PAGE, RESULT, Run
from lib.files import write_atomically

SCHEMA_VERSION = 1


def read(folder: Path) -> dict[str, Any] | None:
    """The journal of a run folder; None where there is none that can be trusted."""
    try:
        content = json.loads((folder / JOURNAL).read_bytes())
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


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write the journal of what stands in the folder now."""
    record = {"schema_version": SCHEMA_VERSION, **content, "outputs": output_hashes(folder)}
    write_atomically(folder / JOURNAL, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def output_hashes(folder: Path) -> dict[str, str]:
    """The hashes of a run's files."""
    names = (NOTEBOOK, PAGE, RESULT, FAILED)
    return {name: digest for name in names if (digest := hash_file(folder / name))}


def are_intact(folder: Path, content: dict[str, Any]) -> bool:
    """Whether the files are those that the journal describes, byte for byte."""
    return NOTEBOOK in content["outputs"] and output_hashes(folder) == content["outputs"]


def hash_file(path: Path) -> str:
    """SHA-256 of a file; empty if it cannot be read, as when it is not there."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def clear(folder: Path) -> None:
    """Take away what a run published, the journal first."""
    for name in (JOURNAL, NOTEBOOK, PAGE, RESULT, FAILED):
        path = folder / name
        if path.is_file() or path.is_symlink():
            path.unlink()


def note_death(run: Run, folder: Path, error: str) -> None:
    """Record a run whose process died: no earlier result may pass for one of this run."""
    clear(folder)
    parts: dict[str, Any] = {"notebook": "", "lib": {}, "data": {}, "versions": {}, "python": ""}
    record = {"key": "", "status": "failed", "parts": parts | {"parameters": run.parameters}, "error": error}
    write(folder, run.to_json() | record)
