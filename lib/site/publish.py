"""Publishing a folder whole: it is made aside and exchanged with the old one in a single step.

A build that is killed leaves the site as it was; what it had made is swept away by the next one. Pages whose
inputs have not changed are taken over from the old site, once their files are seen to be those it wrote.
"""

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.execution.locks import locked, sweep
from lib.files import make_folder, working_folder

BUILT = "built.json"
"""In the site: the stamp of each page, which is a hash of all that decides it, and the hashes of its files."""

_AT_FDCWD, _EXCHANGE = -100, 2


@contextmanager
def draft_of(site: Path) -> Iterator[Path]:
    """A folder to build in, published as `site` if nothing goes wrong; two builds at once wait for each other."""
    aside = site.parent / f".{site.name}-drafts"
    make_folder(aside)
    with locked(aside):
        sweep(aside)
        with working_folder(aside) as folder:
            folder.chmod(0o755)
            _mend(site, aside)
            yield folder
            try:
                _exchange(folder, site, aside)
            except OSError as error:
                raise UserError(f"{site}: cannot be written: {error.strerror}") from None


def read_built(site: Path) -> dict[str, Any]:
    """What an earlier build says of its pages; nothing where there is none that can be read."""
    try:
        pages = json.loads((site / BUILT).read_bytes())["pages"]
        return {name: page for name, page in pages.items() if isinstance(page["files"], dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def check_target(site: Path) -> None:
    """Refuse to replace what no build has made.

    Raises
    ------
    UserError
        Naming the folder.
    """
    if site.is_symlink() or (site.exists() and not site.is_dir()):
        raise UserError(f"{site}: found a link or a file, expected a folder or nothing")
    if site.is_dir() and any(site.iterdir()) and not (site / BUILT).is_file():
        raise UserError(f"{site}: found files that no build of the site has made; expected a site or nothing")


def take_over(page: dict[str, Any] | None, stamp: str, site: Path, draft: Path) -> bool:
    """Take the files of a page from the old site if its stamp is the same and the files are whole."""
    if page is None or page.get("stamp") != stamp or not page["files"]:
        return False
    if any(hash_of(site / name) != digest for name, digest in page["files"].items()):
        return False
    for folder in {(draft / name).parent for name in page["files"]}:
        make_folder(folder)
    for name in page["files"]:
        _link(site / name, draft / name)
    return True


def hash_of(path: Path) -> str:
    """SHA-256 of a plain file; empty for anything else."""
    if path.is_symlink() or not path.is_file():
        return ""
    return sha256(path.read_bytes()).hexdigest()


def write_files(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Write the files of a page, new each time; returns their hashes."""
    for name, content in files.items():
        make_folder((folder / name).parent)
        try:
            (folder / name).write_bytes(content)
        except OSError as error:
            raise UserError(f"{folder / name}: cannot be written: {error.strerror}") from None
    return {name: sha256(content).hexdigest() for name, content in files.items()}


def write_built(draft: Path, pages: dict[str, Any]) -> None:
    """Write the stamps for the next build."""
    (draft / BUILT).write_text(json.dumps({"pages": pages}, indent=0, sort_keys=True), encoding="utf-8")


def _link(old: Path, new: Path) -> None:
    """Share a file with the old site, or copy it where the file system cannot share."""
    try:
        new.hardlink_to(old)
    except OSError:
        shutil.copyfile(old, new)


def _exchange(folder: Path, site: Path, aside: Path) -> None:
    """Put `folder` in the place of `site`; the old one takes its place aside, and goes with it."""
    if not site.exists() and not site.is_symlink():
        folder.rename(site)
    elif not _swapped(folder, site):
        # Where the system cannot exchange two folders in one step, a kill in between is mended by the next build.
        site.rename(aside / "old")
        folder.rename(site)
        shutil.rmtree(aside / "old", ignore_errors=True)


def _mend(site: Path, aside: Path) -> None:
    """Bring back the old site where a build was killed between two renames."""
    old = aside / "old"
    if old.is_dir() and not site.exists():
        old.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def _swapped(one: Path, other: Path) -> bool:
    """Exchange two folders in one step (renameat2 of Linux); whether the system could."""
    call = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if call is None:
        return False
    return call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0
