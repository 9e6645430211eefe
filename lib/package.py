"""The folder of the tables and its description, `datapackage.json` (Frictionless Data Package, version 1)."""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.errors import UserError, nearest, quote, read_bytes, shown_path

DATA_ENV = "TRADEGOALS_DATA"
BESIDE = Path(__file__).resolve().parent.parent

PACKAGE_FILE = "datapackage.json"

KEPT_ONLY_ENV = "TRADEGOALS_KEPT_ONLY"
"""Set to 1, nothing that was fetched is read: what is committed must not depend on one machine's fetches."""

FETCHED = "fetched"
"""The folder in the data whose files come from live sources and are no part of what is kept in the repository."""


def data_dir() -> Path:
    """Folder of the tables: `TRADEGOALS_DATA` where it is set, else data/ beside the package."""
    named = os.environ.get(DATA_ENV)
    folder = Path(named) if named else BESIDE / "data"
    if not folder.is_dir():
        says = DATA_ENV if named else "the package"
        raise UserError(f"{says} expects the data in {folder}: no such folder")
    return folder


def describe(name: str) -> dict[str, Any]:
    """Return the description of one table in `datapackage.json`: its path, schema and checksum."""
    resources = {resource["name"]: resource for resource in read_package()["resources"]}
    if name not in resources:
        raise UserError(f"table: found {quote(name)}, expected {nearest(name, resources)}")
    return resources[name]


def read_package() -> dict[str, Any]:
    """Return `datapackage.json`; do not alter what is returned."""
    path = data_dir() / PACKAGE_FILE
    try:
        return _parse(read_bytes(path))
    except ValueError as error:
        raise UserError(f"{shown_path(path)}: not valid JSON ({error})") from error


_parse = lru_cache(maxsize=2)(json.loads)
"""Once for each description: every table that is read asks for it."""


def notebooks_dir() -> Path:
    """Folder of the notebooks: `TRADEGOALS_NOTEBOOKS` where it is set, else notebooks/ beside the package."""
    return Path(os.environ.get("TRADEGOALS_NOTEBOOKS") or BESIDE / "notebooks")
