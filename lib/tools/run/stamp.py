"""The stamp of a committed notebook: what its outputs were made from, so that a stale one is found at once.

A stamp lists hashes, so that it can also be said what has changed: of the notebook's own cells in order, of the
modules of `lib` that they import (and those that these import), and of the data files that the kernel opened.
"""

import difflib
import json
import tempfile
from base64 import b64decode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.files import write_atomically
from lib.package import KEPT_ONLY_ENV, data_dir
from lib.tools.run import freshness
from lib.tools.run.execute import Limits, Watch, run_notebook
from lib.tools.run.freshness import Sources

KEY = "tradegoals"

PICTURE_OF, PICTURE = "00_did_the_goal_hold", ".github/picture.png"
"""The picture of README.md is the first figure of this notebook."""

MOST_NAMED = 6
"""Longer lists of what has changed end with a number."""


def make_stamp(notebook: Any, opened: Iterable[str]) -> dict[str, Any]:
    """The stamp of a notebook as it is now; `opened` names the files below `data/` that it reads."""
    code = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    names = sorted(freshness.imported_modules(code))
    sources = Sources()
    return {
        "cells": [_hash(f"{cell['cell_type']}\n{cell['source']}".encode()) for cell in notebook["cells"]],
        "lib": {name: _hash_file(freshness.LIB / f"{name}.py") for name in names},
        "data": {name: sources.data_hash(name, opened)[:12] for name in sorted(opened)},
    }


def stale_parts(notebook: Any) -> dict[str, list[str]]:
    """What has changed since the outputs were made, by part: "cells" (numbers), "lib" and "data" (names).

    Parts without a change are absent; a notebook without a stamp has the single part "stamp".
    """
    stamp = notebook["metadata"].get(KEY)
    if not (isinstance(stamp, dict) and isinstance(stamp.get("cells"), list)):
        return {"stamp": []}
    now = make_stamp(notebook, stamp["data"])
    found = {"cells": _changed_cells(stamp["cells"], now["cells"])}
    for part in ("lib", "data"):
        names = stamp[part] | now[part]
        found[part] = sorted(name for name in names if stamp[part].get(name) != now[part].get(name))
    return {part: names for part, names in found.items() if names}


def in_words(stale: dict[str, list[str]]) -> str:
    """What is stale as one line: "cells changed: 4, 7; data changed: figures.csv"; empty if nothing is."""
    if "stamp" in stale:
        return "never stamped"
    return "; ".join(f"{part} changed: {_listed(names)}" for part, names in stale.items())


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _changed_cells(before: list[str], now: list[str]) -> list[str]:
    """Numbers of cells, counted from 1, that are new or other; of one removed, where it was."""
    found = []
    for kind, i, j, first, last in difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind == "delete":
            found.append(f"{j - i} removed after {first}")
        elif kind != "equal":
            found += [str(number + 1) for number in range(first, last)]
    return found


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()[:12]


def _hash_file(path: Path) -> str:
    """The hash of a file; empty if there is none."""
    return _hash(path.read_bytes()) if path.is_file() else ""


def restamp(path: Path, kernel: str = "python3") -> None:
    """Execute a notebook at its own parameters, clean it, stamp it and write it in place.

    Raises
    ------
    UserError
        If a cell fails; the file is then left as it was.
    """
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    read_notebook(path)  # which says in words what is wrong with a damaged file
    try:
        notebook, opened = _execute(path, kernel)
    except PapermillExecutionError as error:
        raise UserError(f"{path.name}: {error.ename}: {error.evalue}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise UserError(f"{path.name}: {str(error).splitlines()[0]}") from None
    clean(notebook)
    notebook["metadata"][KEY] = make_stamp(notebook, opened)
    write_atomically(path, nbformat.writes(notebook, indent=1) + "\n")


def first_picture(notebook: Any) -> bytes:
    """The first figure that a notebook shows, as PNG; empty if it shows none."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return b64decode("".join(pictures[0])) if pictures else b""


def renew_picture(path: Path) -> None:
    """Take the picture of README.md from a notebook just stamped, if it is the one that has it."""
    place = path.parent.parent / PICTURE
    if path.stem == PICTURE_OF and place.exists():
        write_atomically(place, first_picture(read_notebook(path)))


def _execute(path: Path, kernel: str) -> tuple[Any, list[str]]:
    """A notebook, executed, and the names of the data files that its kernel opened."""
    from lib.tools.run.opened import read_notes, start_line

    with tempfile.TemporaryDirectory() as folder:
        notes = str(Path(folder, "opened"))
        notebook = run_notebook(
            path,
            {},
            kernel,
            Watch(),
            limits=Limits.from_now(float("inf")),
            arguments=(f"--IPKernelApp.code_to_run={start_line(str(data_dir()), notes)}",),
            environment={KEPT_ONLY_ENV: "1"},  # what is committed must not depend on what somebody fetched
        )
        return notebook, read_notes(notes)


def read_notebook(path: Path) -> Any:
    """Read a notebook; a file that is missing or damaged is an error that names it."""
    import nbformat

    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("nbformat") != 4:
            raise UserError(f"{path.name}: found no notebook of format 4, expected one")
        nbformat.validate(content)
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name}: found no valid JSON ({error}), expected a notebook") from None
    except nbformat.ValidationError as error:
        raise UserError(f"{path.name}: found no valid notebook ({str(error).splitlines()[0]})") from None
    return nbformat.reads(text, as_version=4)


def clean(notebook: Any) -> None:
    """Strip what differs from run to run or machine to machine, and number the cells' ids by position."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook["metadata"] = {"kernelspec": kernel, "language_info": {"name": "python"}}
    for place, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{place:02d}"
        tags = cell["metadata"].get("tags")
        cell["metadata"] = {"tags": tags} if tags else {}
