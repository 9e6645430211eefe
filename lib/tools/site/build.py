"""Build the site, out/site, from the runs in out/runs: offline, whole or not at all, and only what has changed.

Beside the site lies a draft of the next one: the same tree, whose files are the site's own, shared by hard links. A
build changes in the draft what has to change and exchanges the two in a single step, so that one page costs little.
A build that is killed leaves the site as it was, and a draft that the next one puts right. Pages whose inputs have not
changed are taken over from the site, once their files are seen to be those that were written.

The templates are our own: pages of Sphinx with MyST-NB carry scripts, lead to folders, which do not open from disk, and
show pictures without the text that stands for them.
"""

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from lib.errors import UserError
from lib.research.files import locked, make_folder, sweep
from lib.research.meaning import hash_modules, imported_modules
from lib.tools.run.freshness import LIB, hash_file, lib_files
from lib.tools.site import pages
from lib.tools.site.context import CITATION, Files, FoundRun, Seen, Site, digest, find_runs, static_files

SITE = "site"

BUILT = "built.json"
"""In the site: the stamp of each part, a hash of all that decides it, the hashes of its files, and what code meant."""

PACKAGES = ("jinja2-", "mistune-", "nh3-", "pillow-", "pygments-")
"""What decides how a page looks, beside the code here: how the folders begin that say which version is installed."""

QUOTED = ("__init__", *pages.STAGES.values(), "analysis/asking")
"""Modules whose words stand on a page."""

Make = Callable[[], Files]
"""How the files of a part of the site are made, by their names in it."""


class _Built(NamedTuple):
    """What a build did: where the site is, parts made and taken over, and the runs that failed."""

    folder: Path
    made: list[str]
    kept: list[str]
    failed: list[FoundRun]


def build_site(out: Path) -> _Built:
    """Build `out`/site; refused where there is no run to show, or the folder holds what no build has made."""
    target, aside = out / SITE, out / f".{SITE}-drafts"
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UserError(f"{target}: found a link or a file, expected a folder or nothing")
    if target.is_dir() and any(target.iterdir()) and not (target / BUILT).is_file():
        raise UserError(f"{target}: found files that no build of the site made; expected a site or nothing")
    seen = Seen(aside / "seen.json")
    site = Site(find_runs(out, seen.hash_of))
    with _draft_of(target, aside) as draft:
        before = _read_built(target)
        code, kept = _code(before["code"]), dict(before["kept"])
        parts = {name: (digest(decided_by), make) for name, decided_by, make in _parts(site, code, kept)}
        taken = _whole_parts(target, before["pages"], parts, seen)
        _share(target, draft, taken)
        made = [name for name in parts if name not in taken]
        with ThreadPoolExecutor() as pool:  # pictures are read and compressed outside the interpreter's lock
            files = dict(zip(made, pool.map(lambda name: _write(draft, parts[name][1]), made), strict=True))
        pages = {name: {"stamp": stamp, "files": (files | taken)[name]} for name, (stamp, _) in parts.items()}
        built = {"pages": pages, "code": code, "kept": kept}
        (draft / BUILT).write_text(json.dumps(built, sort_keys=True), encoding="utf-8")
        _exchange(draft, target)
        if made:  # the next draft
            _share(target, draft, files | taken)
        for name in (name for part in files.values() for name in part):
            seen.hash_of(target / name)
        seen.keep()
    return _Built(target, made, sorted(taken), [run for run in site.runs if run.fault])


@contextmanager
def _draft_of(site: Path, aside: Path) -> Iterator[Path]:
    """The draft beside a site, whatever it holds; two builds at once wait for each other."""
    make_folder(aside)
    with locked(aside):
        sweep(aside)
        draft, old = aside / "next", aside / OLD
        if old.is_dir():  # killed between two renames of `_exchange`
            old.rename(draft if site.exists() else site)
        make_folder(draft)
        yield draft


OLD = "old"


def _exchange(draft: Path, site: Path) -> None:
    """Exchange two folders, in one step where the system can."""
    make_folder(site)
    if not _swapped(draft, site):
        site.rename(old := draft.with_name(OLD))
        draft.rename(site)
        old.rename(draft)


def _swapped(one: Path, other: Path) -> bool:
    """Exchange two folders in one step (renameat2 of Linux); whether the system could."""
    call = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if call is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE
    return call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


def _read_built(site: Path) -> dict[str, Any]:
    """What an earlier build says of its pages and its code; nothing where there is none that can be read."""
    try:
        built = json.loads((site / BUILT).read_bytes())
        whole = {name: page for name, page in built["pages"].items() if isinstance(page["files"], dict)}
        return {"pages": whole, "code": dict(built["code"]), "kept": dict(built["kept"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"pages": {}, "code": {}, "kept": {}}


def _whole_parts(
    site: Path, old: dict[str, Any], parts: dict[str, Any], seen: Seen
) -> dict[str, dict[str, str]]:
    """The files, with their hashes, of the parts of a site that have the same stamp and are what was written."""
    present = _inodes(site)
    same = {name: old[name]["files"] for name in parts if old.get(name, {}).get("stamp") == parts[name][0]}
    return {
        name: files
        for name, files in same.items()
        if all(present.get(file) and seen.hash_of(f"{site}/{file}") == files[file] for file in files)
    }


def _inodes(folder: Path) -> dict[str, int]:
    """The inode of each file below a folder, by its name in there; 0 for a link and what else is no plain file."""
    found, start = {}, len(f"{folder}/")
    waiting = [f"{folder}"] if folder.exists() else []
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
            with suppress(OSError):  # it holds another file, or is a link
                os.removedirs((draft / name).parent)
    for folder in {name.rpartition("/")[0] for name in wanted}:
        make_folder(draft / folder)
    for name in wanted:
        try:
            os.link(f"{site}/{name}", f"{draft}/{name}")
        except OSError:  # the file system cannot share
            shutil.copyfile(site / name, draft / name)


def _write(draft: Path, make: Make) -> dict[str, str]:
    """Make the files of a part and write them into the draft, which has none of them; returns their hashes."""
    files = make()
    for name, content in files.items():
        make_folder((draft / name).parent)
        with (draft / name).open("xb") as file:  # never into one that the site shares
            file.write(content)
    return {name: sha256(content).hexdigest() for name, content in files.items()}


def _parts(site: Site, code: dict[str, str], kept: dict[str, Any]) -> Iterator[tuple[str, Any, Make]]:
    """All that is made together: its name, what decides it, and how to make it; tables are imported only for that."""
    # `importlib.metadata` and the parser of CITATION.cff take longer than the page that has changed.
    installed = [path.name for folder in sys.path for path in Path(folder).glob("*-info")]
    versions = sorted(name for name in installed if name.lower().startswith(PACKAGES))
    common = digest([code["pages"], site.data_hashes, versions, hash_file(CITATION), site.questions])
    said = {run.name: run.said for run in site.runs}
    for run in site.runs:
        yield run.address, [common, run.record, run.fault], partial(pages.run_files, site, run)
    for name, runs in site.notebooks.items():
        decided_by = [common, *(said[run.name] for run in runs)]
        yield f"cases of {name}", decided_by, partial(pages.cases_files, site, name)
    first = [runs[0].record.get("outputs") for runs in site.notebooks.values()]
    keys = [run.key for run in site.runs]
    failed = [(run.name, run.fault) for run in site.runs if run.fault]
    cited = [run and (run.said, run.key) for run in (site.default_run("00_"), site.default_run("05_"))]
    quoted = [common, code["quoted"]]
    of_all = [common, *said.values()]
    keep = partial(_keep, kept, common)
    yield "goals", [of_all, first[:1]], partial(pages.goal_files, site, keep)
    yield "results", [of_all, keys], partial(pages.results_files, site)
    yield "words", [of_all, first], partial(pages.words_files, site)
    yield "runs", [common, list(said), failed], partial(site.page, "runs")
    yield "methods", [quoted, cited], partial(pages.methods_files, site)
    yield "about", [common, len(said), failed], partial(site.page, "about")
    for name in ("figures", "targets", "data", "search", "whatif"):
        yield name, common, partial(_of_the_data, site, name)
    yield "python", quoted, partial(_of_the_data, site, "python")
    yield "static", common, static_files


def _keep(kept: dict[str, Any], common: str, name: str, decided_by: Any, make: Callable[[], Any]) -> Any:
    """A value that an earlier build has found out, if what decides it is the same; else made anew and kept."""
    stamp = digest([common, decided_by])
    if kept.get(name, {}).get("stamp") != stamp:
        kept[name] = {"stamp": stamp, "value": make()}
    return kept[name]["value"]


def _of_the_data(site: Site, name: str) -> Files:
    """A page of the data."""
    from lib.tools.site.data_pages import OF_THE_DATA

    return OF_THE_DATA[name](site)


def _code(known: dict[str, str]) -> dict[str, str]:
    """What the code that makes pages means, as hashes; found out anew only where a file of `lib` has changed."""
    hashes = {path.relative_to(LIB).as_posix(): hash_file(path) for path in lib_files()}
    if known.get("files") == (files := digest(hashes)):
        return known
    made_by = "from lib.tools.site import pages, data_pages, context\nfrom lib.tools.whatif import page"
    beside = {name: one for name, one in hashes.items() if not name.endswith(".py")}
    return {
        "files": files,
        "pages": digest([hash_modules(imported_modules(made_by)), beside]),
        "quoted": digest([hashes[f"{name}.py"] for name in QUOTED]),
    }
