"""Build the site, out/site, from the runs in out/runs: offline, whole or not at all, and only what has changed.

Beside the site lies a draft of the next one, the same tree, whose files are the site's own, shared by hard links. A
build changes in the draft what has to change, and exchanges the two in one step. One that is killed leaves the site as
it was, and a draft that the next one puts right. Pages whose inputs have not changed are taken over, once their files
are seen to be those that were written.
"""

import ctypes
import json
import os
import shutil
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from lib import fetched, package
from lib.errors import UserError
from lib.research.files import drafted, locked, make_folder, sweep
from lib.research.meaning import hash_modules, imported_modules
from lib.tools.run.freshness import LIB, data_hash, hash_file, lib_files
from lib.tools.site import context, pages
from lib.tools.site.context import Files, Site, digest

BUILT = "built.json"
"""In the site: the stamp of each part, a hash of all that decides it, the hashes of its files, and what code meant."""

PACKAGES = ("jinja2-", "mistune-", "nh3-", "pillow-", "pygments-")
"""What decides how a page looks, beside the code here: how the folders begin that say which version is installed."""


class _Built(NamedTuple):
    """What a build did: parts made and taken over, and the runs that failed."""

    made: list[str]
    kept: list[str]
    failed: list[context.FoundRun]


def build_site(out: Path) -> _Built:
    """Build `out`/site; refused where there is no run to show, or the folder holds what no build has made."""
    target, aside = out / "site", out / ".site-drafts"
    is_site = target.is_dir() and ((target / BUILT).is_file() or not any(target.iterdir()))
    if target.is_symlink() or (target.exists() and not is_site):
        raise UserError(f"{target}: found files that no build of the site made, expected a site or nothing")
    # What this build asks for goes before what the last one knew, and is all that the next one will know.
    known = ChainMap[str, Any]({}, context.read_object(aside / "known.json"))
    hash_of = partial(context.hash_known, known)
    site = Site([context.FoundRun(folder, hash_of) for folder in context.run_folders(out)])
    make_folder(aside)
    with locked(aside):  # two builds at once wait for each other
        sweep(aside)
        draft = _mended(aside, target)
        before = context.read_object(target / BUILT)
        if before.pop("hash", "") != digest(before):  # there is none, or it was altered
            before = {"parts": {}, "code": {}}
        code = _code(before["code"])
        parts = {name: (digest(decided_by), make) for name, decided_by, make in _parts(site, code)}
        present = _inodes(target)
        files = {
            name: old["files"]
            for name, old in before["parts"].items()
            if old["stamp"] == parts.get(name, ("",))[0]
            if all(present.get(file) and hash_of(f"{target}/{file}") == h for file, h in old["files"].items())
        }
        _share(target, draft, files)
        made = [name for name in parts if name not in files]
        with ThreadPoolExecutor() as pool:  # pictures are read and compressed outside the interpreter's lock
            written = pool.map(lambda name: _write(draft, parts[name][1]), made)
            files |= zip(made, written, strict=True)
        stamped = {name: {"stamp": parts[name][0], "files": files[name]} for name in parts}
        built = {"parts": stamped, "code": code}
        text = json.dumps(built | {"hash": digest(built)}, sort_keys=True)
        (draft / BUILT).write_text(text, encoding="utf-8")
        _exchange(draft, target)
        if made:
            _share(target, draft, files)  # the next draft
        for name in (name for part in made for name in files[part]):
            hash_of(f"{target}/{name}")
        with drafted(aside / "known.json") as file:
            file.write_text(json.dumps(known.maps[0]), encoding="utf-8")
    return _Built(made, sorted(parts.keys() - set(made)), [run for run in site.runs if run.fault])


def _mended(aside: Path, site: Path) -> Path:
    """The draft beside a site, whatever it holds; what a kill between two renames of `_exchange` left is put right."""
    draft, old = aside / "next", aside / "old"
    if old.is_dir():
        old.rename(draft if site.exists() else site)
    make_folder(draft)
    return draft


def _exchange(draft: Path, site: Path) -> None:
    """Exchange two folders, in one step where the system can: by renameat2 of Linux."""
    make_folder(site)
    call = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    # -100 is AT_FDCWD, 2 RENAME_EXCHANGE.
    if not call or call(-100, os.fsencode(draft), -100, os.fsencode(site), 2) != 0:
        site.rename(old := draft.with_name("old"))
        draft.rename(site)
        old.rename(draft)


def _inodes(folder: Path) -> dict[str, int]:
    """The inode of each file below a folder, by its name in there; 0 for a link and what else is no plain file."""
    found, waiting, start = {}, [f"{folder}"] if folder.exists() else [], len(f"{folder}/")
    while waiting:
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                found[entry.path[start:]] = entry.inode() * entry.is_file(follow_symlinks=False)
    return found


def _share(site: Path, draft: Path, parts: dict[str, dict[str, str]]) -> None:
    """Let the draft hold the files of these parts of the site, shared with it, and nothing else."""
    of_site = _inodes(site)
    wanted = {name: of_site[name] for files in parts.values() for name in files}
    for name, inode in _inodes(draft).items():
        if wanted.get(name) == inode:
            del wanted[name]
        else:
            (draft / name).unlink()
            with suppress(OSError):  # the folder holds another file
                os.removedirs((draft / name).parent)
    for name in wanted:
        make_folder((draft / name).parent)
        try:
            os.link(f"{site}/{name}", f"{draft}/{name}")
        except OSError:  # the file system cannot share
            shutil.copyfile(site / name, draft / name)


def _write(draft: Path, make: Callable[[], Files]) -> dict[str, str]:
    """Make the files of a part and write them into the draft, which has none of them; returns their hashes."""
    files = make()
    for name, content in files.items():
        make_folder((draft / name).parent)
        with (draft / name).open("xb") as file:  # never into one that the site shares
            file.write(content)
    return {name: sha256(content).hexdigest() for name, content in files.items()}


def _parts(site: Site, code: dict[str, str]) -> Iterator[tuple[str, Any, Callable[[], Files]]]:
    """All that is made together: its name, what decides it, and how to make it."""
    # `importlib.metadata` and the parser of CITATION.cff take longer than the page that has changed.
    installed = (path.name for folder in sys.path for path in Path(folder).glob("*-info"))
    versions = sorted(name for name in installed if name.lower().startswith(PACKAGES))
    common = digest([code["pages"], site.data_hashes, versions, hash_file(context.CITATION), site.questions])
    folder, hash_of = package.data_dir(), cache(lambda name: data_hash(name, frozenset()))
    for run in site.runs:
        # Its page says what of all that it has read, also elsewhere, is no longer what it was.
        opened = run.record.get("parts", {}).get("data", {})
        elsewhere = [hash_of(name) for name in opened if name not in site.data_hashes]
        yield run.address, [common, run.record, run.fault, elsewhere], partial(pages.run_files, site, run)
    for name, runs in site.notebooks.items():
        decided_by = [common, *(run.said for run in runs)]
        yield f"cases of {name}", decided_by, partial(pages.cases_files, site, name)
    first = [runs[0].record.get("outputs") for runs in site.notebooks.values()]
    keys = [run.record.get("key") for run in site.runs]
    of_all = digest([common, *(run.said for run in site.runs)])
    yield "goals", [of_all, first[:1]], partial(pages.goal_files, site)
    yield "results", [of_all, keys], partial(pages.results_files, site)
    yield "words", [of_all, first], partial(pages.words_files, site)
    yield "methods", [of_all, keys, code["files"]], partial(site.page, "methods")
    yield "python", [common, code["files"]], partial(pages.python_files, site)
    for name in ("runs", "about"):
        yield name, of_all, partial(site.page, name)
    for make in (pages.figures_files, pages.targets_files, pages.search_files):
        yield make.__name__.removesuffix("_files"), common, partial(make, site)
    texts = [hash_file(folder / name) for name in pages.TEXTS]
    yield "data", [common, texts], partial(pages.data_files, site)
    came = [] if fetched.is_left_out() else [(path.name, hash_file(path)) for path in fetched.files()]
    yield "whatif", [common, came], pages.whatif_files
    yield "static", common, context.static_files


def _code(known: dict[str, str]) -> dict[str, str]:
    """Hashes of the files of `lib`, and of what those that make pages mean, found out anew only where one has changed."""
    hashes = {path.relative_to(LIB).as_posix(): hash_file(path) for path in lib_files()}
    if known.get("files") == (files := digest(hashes)):
        return known
    makers = imported_modules("from lib.tools.site import pages")
    beside = {name: one for name, one in hashes.items() if not name.endswith(".py")}
    return {"files": files, "pages": digest([hash_modules(makers), beside])}
