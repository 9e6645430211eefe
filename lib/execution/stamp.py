"""The stamp of a committed notebook: what its outputs were made from, so that a stale one is found at once.

A stamp holds three hashes: the notebook's own cells, the modules of `lib` that its cells import (and those
that they import), and the tables in `data/`, CSV and parquet.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.execution import modules
from lib.execution.runs import CELL_TIMEOUT_SECONDS, kernel_config
from lib.files import write_atomically
from lib.package import KEPT_ONLY_ENV, kept_files

KEY = "tradegoals"


def current_stamp(notebook: Any) -> dict[str, str]:
    """The stamp that the notebook would get now."""
    cells = [f"{cell['cell_type']}\n{cell['source']}" for cell in notebook["cells"]]
    code = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    return {
        "cells": _digest(text.encode() for text in cells),
        "lib": _digest(
            (modules.LIB / f"{name}.py").read_bytes() for name in sorted(modules.imported_modules(code))
        ),
        "data": _digest(file.read_bytes() for file in kept_files(".csv", ".parquet")),
    }


def stale_parts(notebook: Any) -> list[str]:
    """What has changed since the outputs were made: any of "cells", "lib", "data"."""
    stamp = notebook["metadata"].get(KEY, {})
    return [part for part, digest in current_stamp(notebook).items() if stamp.get(part) != digest]


def _digest(parts: Iterable[bytes]) -> str:
    """SHA-256 over parts, each preceded by its length so that no two lists of parts collide."""
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{len(part)}:".encode())
        total.update(part)
    return total.hexdigest()[:16]


def restamp(path: Path) -> None:
    """Execute a notebook at its own parameters, clean it, stamp it and write it in place.

    Raises
    ------
    UserError
        If a cell fails; the file is then left as it was.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = read_notebook(path)
    try:
        with kernel_config() as config:
            client = NotebookClient(
                notebook,
                timeout=CELL_TIMEOUT_SECONDS,
                kernel_name="python3",
                record_timing=False,
                config=config,
            )
            # What is committed must not depend on what somebody fetched.
            client.execute(env={**os.environ, KEPT_ONLY_ENV: "1"})
    except CellExecutionError as error:
        raise UserError(f"{path.name}: {error.ename}: {error.evalue}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise UserError(f"{path.name}: {str(error).splitlines()[0]}") from None
    clean(notebook)
    notebook["metadata"][KEY] = current_stamp(notebook)
    write_atomically(path, nbformat.writes(notebook, indent=1) + "\n")


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
