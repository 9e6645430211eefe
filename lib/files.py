"""Writing files so that a stop at any moment leaves the old one or the new one, never half of it.

One writer a run folder: a lock that the operating system drops when its holder ends, however it ends.

Reading what somebody wrote in YAML or JSON, in bounded time and memory, whatever it holds.
"""

import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lib.errors import UserError, plain_bytes, quote


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8, beside `path`, force them to disk, then rename them into place."""
    try:
        with working_file(path) as draft:
            with draft.open("wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
    except UnicodeEncodeError as error:
        raise UserError(f"{path.name}: found half of a character ({error}), expected text") from None
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
    path = beside.with_name(f".{beside.name}-{secrets.token_hex(4)}")
    path.touch(exist_ok=False)  # with the rights that the user gives to new files, as mkstemp does not
    try:
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


TOGETHER = ".together"
"""A folder of files that are all whole and have to go into the folder above: its appearance is the moment of change."""


def write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write several files of a folder, whose lock is held, so that a stop leaves all old ones or, finished, all new ones.

    Raises
    ------
    UserError
        Where they cannot be written; the old ones then stay.
    """
    try:
        with working_folder(folder) as drafts:
            for name, content in contents.items():
                write_atomically(drafts / name, content)
            drafts.rename(folder / TOGETHER)
        finish_together(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None


def finish_together(folder: Path) -> None:
    """Put into place what `write_together` had ready when it was killed; the lock of the folder is held."""
    if (folder / TOGETHER).is_dir():
        for path in sorted((folder / TOGETHER).iterdir()):
            path.replace(folder / path.name)
        (folder / TOGETHER).rmdir()


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


MOST_YAML_BYTES, MOST_YAML_VALUES, DEEPEST_YAML = 100_000, 20_000, 20
"""The reader of YAML takes quadratic time, an alias repeats what it names, and nesting fills the stack."""


def parse_yaml(content: bytes, where: str) -> Any:
    """Read YAML (UTF-8) as mappings, lists and texts: a value means the same here as on the command line.

    Parameters
    ----------
    content : at most `MOST_YAML_BYTES`, with `MOST_YAML_VALUES` once aliases are filled in, `DEEPEST_YAML` deep.
    where : names the file in messages.

    Raises
    ------
    UserError
        Naming the line, also of a key that stands twice in a mapping: readers of YAML drop one without a word.
    """
    import yaml

    try:
        if len(content) > MOST_YAML_BYTES:
            raise yaml.YAMLError(f"{len(content):,} bytes, at most {MOST_YAML_BYTES:,} are read")
        root = yaml.compose(content.decode("utf-8"), Loader=yaml.BaseLoader)
        return None if root is None else _yaml_value(root, iter(range(MOST_YAML_VALUES)), where)
    except (UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        if isinstance(error, RecursionError):
            reason = f"nested deeper than {DEEPEST_YAML}"
        raise UserError(f"{place}: found no readable YAML ({reason}), expected UTF-8 of that form") from None


def _yaml_value(node: Any, budget: Iterator[int], where: str, depth: int = 0) -> Any:
    """The value of a node; aliases are followed as often as they stand there, so a circle is too deep."""
    from yaml import MarkedYAMLError

    def refuse(problem: str) -> MarkedYAMLError:
        return MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

    if depth > DEEPEST_YAML:
        raise refuse(f"nested deeper than {DEEPEST_YAML}")
    if next(budget, None) is None:
        raise refuse(f"more than {MOST_YAML_VALUES:,} values, aliases filled in")
    if node.id == "scalar":
        if any("\ud800" <= sign <= "\udfff" for sign in node.value):
            raise refuse("half of a character")
        return node.value
    if node.id == "sequence":
        return [_yaml_value(entry, budget, where, depth + 1) for entry in node.value]
    found: dict[str, Any] = {}
    for key, value in node.value:
        if key.id != "scalar":
            raise refuse("a key that is no text")
        name = _yaml_value(key, budget, where, depth)
        if name in found:
            line = key.start_mark.line + 1
            raise UserError(f"{where}:{line}: found {quote(name)[1:-1]} a second time, expected it once")
        found[name] = _yaml_value(value, budget, where, depth + 1)
    return found


def read_json(path: Path) -> Any:
    """Read a JSON file that others may have written: no key twice, no number beyond the finite, no half characters.

    Raises
    ------
    UserError
        Naming the file.
    """
    try:
        value = json.loads(plain_bytes(path), object_pairs_hook=_once, parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise UserError(f"{path.name}: found no valid JSON (nested too deep)") from None
    except ValueError as error:
        raise UserError(f"{path.name}: found no valid JSON ({error})") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {quote(twice)} a second time")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def slugify(text: str) -> str:
    """Text as it may stand in a folder's name or an address; a leading minus becomes a word."""
    signed = re.sub(r"^[−-](?=[0-9])", "minus-", text.strip().lower())
    return re.sub(r"[^a-z0-9]+", "-", signed).strip("-") or "x"
