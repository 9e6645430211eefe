"""Writing files so that a stop at any moment leaves the old one or the new one, never half of it."""

import os
import shutil
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
