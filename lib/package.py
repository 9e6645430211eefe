"""The folder of the tables and its description, `datapackage.json` (Frictionless Data Package, version 1)."""

import copy
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.errors import Fault, UserError, list_faults, nearest, quote, read_bytes, shown_path
from lib.files import TOGETHER, finish_together, locked, write_atomically, write_together

DATA_ENV = "TRADEGOALS_DATA"
BESIDE = Path(__file__).resolve().parent.parent / "data"

PACKAGE_FILE = "datapackage.json"

KEPT_ONLY_ENV = "TRADEGOALS_KEPT_ONLY"
"""Set to 1, nothing that was fetched is read: what is committed must not depend on one machine's fetches."""

FETCHED, SNAPSHOTS = "fetched", "snapshots"
"""Folders in the data whose files come from live sources and are no part of what is kept in the repository."""


def data_dir() -> Path:
    """Folder of the tables: `TRADEGOALS_DATA` where it is set, else data/ beside the package."""
    named = os.environ.get(DATA_ENV)
    folder = Path(named) if named else BESIDE
    if not folder.is_dir():
        raise UserError(
            f"{DATA_ENV if named else 'the package'} expects the data in {folder}: no such folder"
        )
    return folder


def kept_files(*suffixes: str) -> list[Path]:
    """Files of the data folder with one of these suffixes, without those that came from live sources."""
    folder = data_dir()
    places = [place for place in folder.iterdir() if place.name not in (FETCHED, SNAPSHOTS)]
    files = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    return sorted(file for file in files if file.suffix in suffixes)


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


@lru_cache(maxsize=2)
def _parse(content: bytes) -> dict[str, Any]:
    """Parse a description once: every table that is read asks for it."""
    return json.loads(content)


def check_checksums() -> list[Fault]:
    """Find files that differ from the size and SHA-256 that `datapackage.json` records."""
    faults = []
    for resource in read_package()["resources"]:
        path = data_dir() / resource["path"]
        size, digest = measure(path)
        if (size, digest) != (resource["bytes"], resource["hash"]):
            expected = (
                f"{resource['hash']} ({resource['bytes']} bytes); after an edit: tradegoals check --renew"
            )
            faults.append(Fault(shown_path(path), 1, "", f"{digest} ({size} bytes)", expected))
    return faults


def refresh_checksums(below: str | tuple[str, ...] = "") -> list[str]:
    """Write size and SHA-256 of every file whose path begins with `below`, or one of it, into `datapackage.json`.

    Returns
    -------
    Names of those that had changed.
    """
    resources = [one for one in read_package()["resources"] if one["path"].startswith(below)]
    changed = [one for one in resources if measure(data_dir() / one["path"]) != (one["bytes"], one["hash"])]
    if changed:
        contents = {one["path"]: read_bytes(data_dir() / one["path"]) for one in changed}
        write_atomically(data_dir() / PACKAGE_FILE, _with_checksums(contents))
    return [one["name"] for one in changed]


def _with_checksums(contents: Mapping[str, bytes]) -> bytes:
    """Content of `datapackage.json` with size and SHA-256 of these contents, by path."""
    package = copy.deepcopy(read_package())
    for resource in package["resources"]:
        if resource["path"] in contents:
            resource["bytes"], resource["hash"] = _measured(contents[resource["path"]])
    return (json.dumps(package, indent=2, ensure_ascii=False) + "\n").encode()


@contextmanager
def editing() -> Iterator[None]:
    """Hold the data while tables are read and written: no two edits at once, and none over somebody else's.

    Raises
    ------
    UserError
        Where a table differs from its checksum.
    """
    with locked(data_dir()):
        finish_together(data_dir())
        if faults := check_checksums():
            raise UserError(list_faults(faults))
        yield


def write_tables(contents: Mapping[str, bytes]) -> None:
    """Write tables, by path, and their checksums, all or none; call it while `editing`."""
    write_together(data_dir(), {**contents, PACKAGE_FILE: _with_checksums(contents)})


def finish_edit() -> None:
    """Wait for an edit that is being written, or finish one that was killed."""
    if (data_dir() / TOGETHER).is_dir():
        with locked(data_dir()):
            finish_together(data_dir())


def measure(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file, as `datapackage.json` writes them."""
    return _measured(read_bytes(path))


def _measured(content: bytes) -> tuple[int, str]:
    return len(content), "sha256:" + hashlib.sha256(content).hexdigest()


NOTEBOOKS_ENV = "TRADEGOALS_NOTEBOOKS"


def notebooks_dir() -> Path:
    """Folder of the notebooks: `TRADEGOALS_NOTEBOOKS` where it is set, else notebooks/ beside the package."""
    named = os.environ.get(NOTEBOOKS_ENV)
    return Path(named) if named else Path(__file__).resolve().parent.parent / "notebooks"
