"""Build the site, out/site, from the runs in out/runs: offline, whole or not at all, and only what has changed.

It is made in a folder aside and exchanged with the old one in a single step. A build that is killed leaves the site as
it was; what it had made is swept away by the next one. Pages whose inputs have not changed are taken over from the old
site, once their files are seen to be those it wrote.

The pages come from templates of our own. Sphinx with MyST-NB and furo was measured first, in seconds of CPU: 38 for
200 runs, 2.2 after one had changed. This module takes 60 for 400 runs, a third of them for the what-if page, and of
twelve 0.7 after one page has changed (tests/bench/bench_site.py). Sphinx' pages carry scripts inside the page, which a content policy would have to allow, lead to folders, which do not open from disk, and show
pictures without the text that stands for them; to change that would have been as much code as the templates are.
"""

import copy
import ctypes
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from lib.errors import UserError
from lib.research.files import locked, make_folder, sweep, working_folder
from lib.research.meaning import hash_modules, imported_modules
from lib.tools.run.freshness import hash_file
from lib.tools.site import pages
from lib.tools.site.context import ROOT, FoundRun, Site, digest, find_runs, static_files
from lib.tools.site.goal_pages import goal_files

BUILT = "built.json"
"""In the site: the stamp of each page, a hash of all that decides it, the hashes of its files, and what code meant."""

_AT_FDCWD, _EXCHANGE = -100, 2


@contextmanager
def _draft_of(site: Path) -> Iterator[Path]:
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


def _read_built(site: Path) -> dict[str, Any]:
    """What an earlier build says of its pages and its code; nothing where there is none that can be read."""
    try:
        built = json.loads((site / BUILT).read_bytes())
        whole = {name: page for name, page in built["pages"].items() if isinstance(page["files"], dict)}
        return {"pages": whole, "code": dict(built["code"]), "kept": dict(built["kept"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"pages": {}, "code": {}, "kept": {}}


def _check_target(site: Path) -> None:
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


def _is_whole(page: dict[str, Any] | None, stamp: str, site: Path) -> bool:
    """Whether an old page has this stamp, and its files are those that were written."""
    if page is None or page.get("stamp") != stamp or not page["files"]:
        return False
    return all(hash_of(site / name) == hashed for name, hashed in page["files"].items())


def _take_over(page: dict[str, Any], site: Path, draft: Path) -> None:
    """Take the files of a page from the old site."""
    for folder in {(draft / name).parent for name in page["files"]}:
        make_folder(folder)
    for name in page["files"]:
        _link(site / name, draft / name)


def hash_of(path: Path) -> str:
    """SHA-256 of a plain file; empty for anything else."""
    if path.is_symlink() or not path.is_file():
        return ""
    return sha256(path.read_bytes()).hexdigest()


def _write_files(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Write the files of a page, new each time; returns their hashes."""
    for name, content in files.items():
        make_folder((folder / name).parent)
        try:
            (folder / name).write_bytes(content)
        except OSError as error:
            raise UserError(f"{folder / name}: cannot be written: {error.strerror}") from None
    return {name: sha256(content).hexdigest() for name, content in files.items()}


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


SITE = "site"

PACKAGES = ("jinja2", "mistune", "nh3", "pillow", "pygments")
"""What decides how a page looks, beside the code here."""

Files = dict[str, bytes]


class _Part(NamedTuple):
    """Files of the site that are made together: their folder, what decides them, and how to make them."""

    name: str
    folder: str
    decided_by: Any
    make: Callable[[], Files]


class _Built(NamedTuple):
    """What a build did: where the site is, parts made and taken over, and the runs that failed."""

    folder: Path
    made: list[str]
    kept: list[str]
    failed: list[FoundRun]


def build_site(out: Path) -> _Built:
    """Build `out`/site.

    Raises
    ------
    UserError
        Where there is no run to show, or the folder cannot be written; the old site then stays as it was.
    """
    target = out / SITE
    _check_target(target)
    site = Site(find_runs(out))
    with _draft_of(target) as draft:
        before = _read_built(target)
        code = _code(before["code"])
        stamped: dict[str, Any] = {}
        made = []
        kept = dict(before["kept"])
        parts, old = list(_parts(site, code, kept)), before["pages"]
        stamps = [digest(part.decided_by) for part in parts]
        with ThreadPoolExecutor() as pool:
            whole = list(
                pool.map(lambda part, stamp: _is_whole(old.get(part.name), stamp, target), parts, stamps)
            )
        for part, stamp, is_whole in zip(parts, stamps, whole, strict=True):
            if is_whole:
                _take_over(old[part.name], target, draft)
                stamped[part.name] = old[part.name]
                continue
            files = {f"{part.folder}{name}": content for name, content in part.make().items()}
            stamped[part.name] = {"stamp": stamp, "files": _write_files(draft, files)}
            made.append(part.name)
        built = {"pages": stamped, "code": code, "kept": kept}
        (draft / BUILT).write_text(json.dumps(built, indent=0, sort_keys=True), encoding="utf-8")
    return _Built(target, made, sorted(stamped.keys() - set(made)), [run for run in site.runs if run.fault])


def _parts(site: Site, code: dict[str, str], kept: dict[str, Any]) -> Iterator[_Part]:
    """Everything that the site is made of; code that needs tables is imported only where a page is to be made."""
    versions = [version(name) for name in PACKAGES]
    common = digest([code["pages"], site.data_hashes, versions, site.citation, site.questions])
    said = {run.name: run.said for run in site.runs}
    for run in site.runs:
        make = partial(pages.run_files, site, run)
        yield _Part(run.address, f"{run.address}/", [common, run.record, run.fault], make)
    for notebook in site.notebooks:
        decided_by = [common, *(said[run.name] for run in notebook.runs)]
        make_cases = partial(pages.cases_files, site, notebook)
        yield _Part(f"cases of {notebook.name}", f"runs/{notebook.name}/", decided_by, make_cases)
    first = [run.record.get("outputs") for run in (notebook.first for notebook in site.notebooks)]
    of_all = [common, *said.values()]
    yield _Part("goals", "", [of_all, first[:1]], partial(goal_files, site, partial(_keep, kept, common)))
    yield _Part(
        "results", "goals/", [of_all, *(run.key for run in site.runs)], partial(pages.results_files, site)
    )
    yield _Part("words", "search/", [of_all, first], partial(pages.words_files, site))
    counts = [(run.name, bool(run.fault)) for run in site.runs]
    yield _Part("runs", "runs/", [common, counts], partial(site.page, "runs"))
    cited = [run and (run.said, run.key) for run in (site.default_run("00_"), site.default_run("05_"))]
    yield _Part("methods", "methods/", [common, code["quoted"], cited], partial(pages.methods_files, site))
    faults = [(run.name, run.fault) for run in site.runs if run.fault]
    yield _Part("about", "about/", [common, len(site.runs), faults], partial(pages.about_files, site))
    for name in ("figures", "targets", "data", "search"):
        yield _Part(name, f"{name}/", common, partial(_of_the_data, site, name))
    yield _Part("python", "python/", [common, code["quoted"]], partial(_of_the_data, site, "python"))
    yield _Part("static", "static/", common, static_files)
    yield _Part("whatif", "", [code["whatif"], site.data_hashes], _whatif_files)


def _keep(kept: dict[str, Any], common: str, name: str, decided_by: Any, make: Callable[[], Any]) -> Any:
    """A value that an earlier build has found out, if what decides it is the same; else made anew and kept."""
    stamp = digest([common, decided_by])
    if kept.get(name, {}).get("stamp") != stamp:
        kept[name] = {"stamp": stamp, "value": make()}
    return copy.deepcopy(kept[name]["value"])


def _of_the_data(site: Site, name: str) -> Files:
    """A page of the data."""
    from lib.tools.site import data_pages as of

    makers = {"figures": of.figures_files, "targets": of.targets_files, "data": of.data_files}
    return (makers | {"search": of.search_files, "python": of.python_files})[name](site)


def _whatif_files() -> Files:
    """The page on which a reader tries another goal, with a link back to the first page."""
    from lib.tools.whatif.page import NAME, build

    return {NAME: build("index.html").encode()}


QUOTED = ("__init__", *pages.STAGES.values(), "analysis/asking")
"""Modules whose words stand on a page."""


def _code(known: dict[str, str]) -> dict[str, str]:
    """What the code that makes pages means, as hashes; found out anew only where a file of `lib` has changed."""
    paths = [path for path in sorted((ROOT / "lib").rglob("*.*")) if path.suffix != ".pyc" and path.is_file()]
    hashes = {path.relative_to(ROOT / "lib").as_posix(): hash_file(path) for path in paths}
    if known.get("files") == (files := digest(hashes)):
        return known
    page, whatif = (
        hash_modules(imported_modules(code))
        for code in (
            "from lib.tools.site import pages, data_pages, goal_pages, context",
            "from lib.tools.whatif import page",
        )
    )
    beside = {name: one for name, one in hashes.items() if not name.endswith(".py")}
    page_files = {name: one for name, one in beside.items() if name.startswith("tools/whatif")}
    return {
        "files": files,
        "pages": digest([page, {name: one for name, one in beside.items() if name not in page_files}]),
        "whatif": digest([whatif, page_files]),
        "quoted": digest([hashes[f"{name}.py"] for name in QUOTED]),
    }
