"""Writing files so that a stop at any moment leaves the old one or the new one, never half of it.

One writer a folder: a lock that the operating system drops when its holder ends, however it ends. What is written into
the tables renews their checksums in `datapackage.json`.
"""

import copy
import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lib.errors import Fault, UserError, list_faults, read_bytes, shown_path
from lib.package import PACKAGE_FILE, data_dir, read_package


@contextmanager
def _writing(place: Path | str) -> Iterator[None]:
    """What cannot be written is the user's to mend, and named."""
    try:
        yield
    except BlockingIOError:  # somebody holds a lock
        raise
    except OSError as error:
        raise UserError(f"{place}: cannot be written: {error.strerror}") from None


@contextmanager
def working_file(beside: Path) -> Iterator[Path]:
    """A new empty file in the folder of `beside`, gone afterwards unless it was renamed."""
    path = beside.with_name(f".{beside.name}-{secrets.token_hex(4)}")
    path.touch(exist_ok=False)  # with the rights that the user gives to new files, as mkstemp does not
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A new file beside `path` that takes its place once it is whole."""
    with _writing(path), working_file(path) as draft:
        yield draft
        draft.replace(path)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8, beside `path`, force them to disk, then rename them into place."""
    try:
        with drafted(path) as draft, draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
    except UnicodeEncodeError as error:
        raise UserError(f"{path.name}: found half of a character ({error}), expected text") from None


def make_folder(path: Path) -> None:
    """Make a folder and those above it where they are missing."""
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True)


TOGETHER = ".together"
"""A folder of files that are all whole and have to go into the folder above: its appearance is the moment of change."""


def _write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write several files of a folder, whose lock is held, so that a stop leaves all old ones or, finished, all new ones."""
    with _writing(folder):
        with TemporaryDirectory(prefix=".working-", dir=folder, ignore_cleanup_errors=True) as drafts:
            for name, content in contents.items():
                write_atomically(Path(drafts) / name, content)
            Path(drafts).rename(folder / TOGETHER)
        _finish_together(folder)


def _finish_together(folder: Path) -> None:
    """Put into place what `_write_together` had ready when it was killed; the lock of the folder is held."""
    if (folder / TOGETHER).is_dir():
        for path in sorted((folder / TOGETHER).iterdir()):
            path.replace(folder / path.name)
        (folder / TOGETHER).rmdir()


LOCK = ".lock"


@contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of an existing folder; `BlockingIOError` if another has it and `wait` is false. None on Windows."""
    if sys.platform == "win32":
        yield
        return
    path = folder / LOCK
    with _writing(folder):
        handle = _acquire(path, wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: whoever waits for this file sees that it has gone
        os.close(handle)


def _acquire(path: Path, wait: bool) -> int:
    """An open, locked file that is still the one at `path`."""
    import fcntl

    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.fstat(handle).st_nlink and os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def make_folder_below(out: Path, folder: Path) -> None:
    """Make a folder below `out`; a link on the way would lead writing elsewhere, and is refused."""
    with _writing(folder):
        out.mkdir(parents=True, exist_ok=True)
        for name in folder.relative_to(out).parts:
            out = out / name
            if out.is_symlink():
                raise UserError(f"{out}: cannot be written: found a symbolic link, expected a folder")
            out.mkdir(exist_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed runs have left in a folder whose lock is held."""
    for left in folder.glob(".*"):
        if left.is_symlink() or left.name == LOCK:
            continue
        if left.name.startswith(".working-"):
            for _ in range(3):  # a kernel that is just being killed may still write
                shutil.rmtree(left, ignore_errors=True)
        elif left.is_file():  # a draft of one of the files
            left.unlink(missing_ok=True)


# --- the tables and their checksums ---


def check_checksums() -> list[Fault]:
    """Find files that differ from the size and SHA-256 that `datapackage.json` records."""
    faults = []
    for resource in read_package()["resources"]:
        path = data_dir() / resource["path"]
        size, digest = measure(read_bytes(path))
        if (size, digest) != (resource["bytes"], resource["hash"]):
            expected = (
                f"{resource['hash']} ({resource['bytes']} bytes); after an edit: tradegoals check --renew"
            )
            faults.append(Fault(shown_path(path), 1, "", f"{digest} ({size} bytes)", expected))
    return faults


def refresh_checksums(below: str | tuple[str, ...] = "") -> list[str]:
    """Write size and SHA-256 of files whose path begins with `below`, or one of it, into `datapackage.json`.

    Gives the names of those that had changed.
    """
    resources = [one for one in read_package()["resources"] if one["path"].startswith(below)]
    contents = {one["path"]: read_bytes(data_dir() / one["path"]) for one in resources}
    changed = [
        one["name"] for one in resources if measure(contents[one["path"]]) != (one["bytes"], one["hash"])
    ]
    if changed:
        write_atomically(data_dir() / PACKAGE_FILE, _with_checksums(contents))
    return changed


def _with_checksums(contents: Mapping[str, bytes]) -> bytes:
    """Content of `datapackage.json` with size and SHA-256 of these contents, by path."""
    package = copy.deepcopy(read_package())
    for resource in package["resources"]:
        if resource["path"] in contents:
            resource["bytes"], resource["hash"] = measure(contents[resource["path"]])
    return (json.dumps(package, indent=2, ensure_ascii=False) + "\n").encode()


@contextmanager
def editing() -> Iterator[None]:
    """Hold the data while tables are read and written: no two edits at once, and none over somebody else's."""
    with locked(data_dir()):
        _finish_together(data_dir())
        if faults := check_checksums():
            raise UserError(list_faults(faults))
        yield


def write_tables(contents: Mapping[str, bytes]) -> None:
    """Write tables, by path, and their checksums, all or none; call it while `editing`."""
    _write_together(data_dir(), {**contents, PACKAGE_FILE: _with_checksums(contents)})


def finish_edit() -> None:
    """Wait for an edit that is being written, or finish one that was killed."""
    if (data_dir() / TOGETHER).is_dir():
        with locked(data_dir()):
            _finish_together(data_dir())


def measure(content: bytes) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file, as `datapackage.json` writes them."""
    return len(content), "sha256:" + hashlib.sha256(content).hexdigest()
