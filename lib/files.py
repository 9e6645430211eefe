"""Writing files so that a stop at any moment leaves the old one or the new one, never half of it.

One writer a run folder: a lock that the operating system drops when its holder ends, however it ends.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.errors import UserError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8, beside `path`, force them to disk, then rename them into place."""
    try:
        with working_file(path) as draft:
            with draft.open("wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
    except OSError as error:
        raise UserError(f"{path.name}: cannot be written in {path.parent}: {error.strerror}") from None


def make_folder(path: Path) -> None:
    """Make a folder and those above it where they are missing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be made: {error.strerror}, expected a folder") from None


@contextmanager
def working_file(beside: Path) -> Iterator[Path]:
    """A new empty file in the folder of `beside`, gone afterwards unless it was renamed."""
    descriptor, name = tempfile.mkstemp(prefix=f".{beside.name}-", dir=beside.parent)
    os.close(descriptor)
    path = Path(name)
    try:
        path.chmod(0o644)  # mkstemp makes files that only their owner may read
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def working_folder(beside: Path) -> Iterator[Path]:
    """A folder inside `beside` (made if need be) that is gone afterwards, whatever happens."""
    try:
        beside.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix=".working-", dir=beside))
    except OSError as error:
        raise UserError(f"{beside}: cannot be written: {error.strerror}") from None
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


LOCK = ".lock"


@contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of an existing folder; on Windows there is none.

    Raises
    ------
    UserError
        If the folder cannot be written.
    BlockingIOError
        If another holds the lock and `wait` is false.
    """
    if sys.platform == "win32":
        yield
        return
    path = folder / LOCK
    try:
        handle = _acquire(path, wait)
    except BlockingIOError:
        raise
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        path.unlink(
            missing_ok=True
        )  # while it is held: whoever waits for this file will see that it has gone
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
    """Make a folder below `out`; a link on the way would lead writing elsewhere, and is refused.

    Raises
    ------
    UserError
        Naming what is in the way.
    """
    out.mkdir(parents=True, exist_ok=True)
    place = out
    for name in folder.relative_to(out).parts:
        place = place / name
        if place.is_symlink():
            raise UserError(f"{place}: cannot be written: found a symbolic link, expected a folder")
        place.mkdir(exist_ok=True)


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
