"""Build the site, out/site, from the runs in out/runs: offline, whole or not at all, and only what has changed.

It is made in a folder aside and exchanged with the old one in a single step. A build that is killed leaves the site as
it was; what it had made is swept away by the next one. Pages whose inputs have not changed are taken over from the old
site, once their files are seen to be those it wrote: by their content, for a time or a size proves nothing.

The templates are our own: pages of Sphinx with MyST-NB carry scripts, lead to folders, which do not open from disk, and
show pictures without the text that stands for them.
"""

import ctypes
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from lib.errors import UserError
from lib.research.files import locked, make_folder, sweep, working_folder
from lib.research.meaning import hash_modules, imported_modules
from lib.tools.run.freshness import LIB, hash_file, lib_files
from lib.tools.site import pages
from lib.tools.site.context import CITATION, Files, FoundRun, Site, digest, find_runs, static_files

SITE = "site"

BUILT = "built.json"
"""In the site: the stamp of each part, a hash of all that decides it, the hashes of its files, and what code meant."""

PACKAGES = ("jinja2-", "mistune-", "nh3-", "pillow-", "pygments-")
"""What decides how a page looks, beside the code here: how the folders begin that say which version is installed."""

QUOTED = ("__init__", *pages.STAGES.values(), "analysis/asking")
"""Modules whose words stand on a page."""


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
    """Build `out`/site; refused where there is no run to show, or the folder holds what no build has made."""
    target = out / SITE
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UserError(f"{target}: found a link or a file, expected a folder or nothing")
    if target.is_dir() and any(target.iterdir()) and not (target / BUILT).is_file():
        raise UserError(f"{target}: found files that no build of the site made; expected a site or nothing")
    site = Site(find_runs(out))
    with _draft_of(target) as draft:
        before = _read_built(target)
        code, kept = _code(before["code"]), dict(before["kept"])
        parts = list(_parts(site, code, kept))
        stamps = [digest(part.decided_by) for part in parts]
        old = [before["pages"].get(part.name, {}) for part in parts]
        pages: dict[str, Any] = {}
        made = []
        # Files are hashed outside the interpreter's lock, while pages are made inside it.
        with ThreadPoolExecutor() as pool:
            taken = pool.map(partial(_take_over, target, draft), old, stamps)
            for part, stamp, files in zip(parts, stamps, taken, strict=True):
                made += [] if files else [part.name]
                pages[part.name] = {"stamp": stamp, "files": files or _write(draft, part)}
        built = {"pages": pages, "code": code, "kept": kept}
        (draft / BUILT).write_text(json.dumps(built, sort_keys=True), encoding="utf-8")
    return _Built(target, made, sorted(pages.keys() - set(made)), [run for run in site.runs if run.fault])


@contextmanager
def _draft_of(site: Path) -> Iterator[Path]:
    """A folder to build in, published as `site` if nothing goes wrong; two builds at once wait for each other."""
    aside = site.parent / f".{site.name}-drafts"
    make_folder(aside)
    with locked(aside):
        sweep(aside)
        old = aside / "old"
        if old.is_dir() and not site.exists():  # killed between the two renames below
            old.rename(site)
        shutil.rmtree(old, ignore_errors=True)
        with working_folder(aside) as folder:
            folder.chmod(0o755)
            yield folder
            if not site.exists():
                folder.rename(site)
            elif _swapped(folder, site):
                _remove(folder)
            else:
                site.rename(old)
                folder.rename(site)
                _remove(old)


def _remove(site: Path) -> None:
    """Remove an old site, its folders side by side: a file system may let each of them wait for a tick of the clock."""
    remove = partial(shutil.rmtree, ignore_errors=True)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(remove, site.glob("runs/*/*")))
    remove(site)


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


def _take_over(site: Path, draft: Path, page: dict[str, Any], stamp: str) -> dict[str, str]:
    """The files of an old page with this stamp, shared with the draft; none where one is not what was written."""
    files: dict[str, str] = page["files"] if page.get("stamp") == stamp else {}
    if any(_hash_of(f"{site}/{name}") != hashed for name, hashed in files.items()):
        return {}
    for folder in {name.rpartition("/")[0] for name in files}:
        make_folder(draft / folder)
    for name in files:
        try:
            os.link(f"{site}/{name}", f"{draft}/{name}")
        except OSError:  # the file system cannot share
            shutil.copyfile(site / name, draft / name)
    return files


def _hash_of(path: str) -> str:
    """SHA-256 of a plain file; empty for anything else, a link among them."""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            with FileIO(path) as file:  # thousands of them: each layer above it costs as much as the hash
                return sha256(file.read()).hexdigest()
    except OSError:
        pass
    return ""


def _write(draft: Path, part: _Part) -> dict[str, str]:
    """Make the files of a part and write them, new each time; returns their hashes."""
    files = {f"{part.folder}{name}": content for name, content in part.make().items()}
    for name, content in files.items():
        make_folder((draft / name).parent)
        (draft / name).write_bytes(content)
    return {name: sha256(content).hexdigest() for name, content in files.items()}


def _parts(site: Site, code: dict[str, str], kept: dict[str, Any]) -> Iterator[_Part]:
    """Everything that the site is made of; code that needs tables is imported only where a page is to be made."""
    # `importlib.metadata` and the parser of CITATION.cff take longer than the page that has changed.
    installed = [path.name for folder in sys.path for path in Path(folder).glob("*-info")]
    versions = sorted(name for name in installed if name.lower().startswith(PACKAGES))
    common = digest([code["pages"], site.data_hashes, versions, hash_file(CITATION), site.questions])
    said = {run.name: run.said for run in site.runs}
    for run in site.runs:
        decided_by = [common, run.record, run.fault]
        yield _Part(run.address, f"{run.address}/", decided_by, partial(pages.run_files, site, run))
    for name, runs in site.notebooks.items():
        decided_by = [common, *(said[run.name] for run in runs)]
        yield _Part(f"cases of {name}", f"runs/{name}/", decided_by, partial(pages.cases_files, site, name))
    first = [runs[0].record.get("outputs") for runs in site.notebooks.values()]
    keys = [run.key for run in site.runs]
    failed = [(run.name, run.fault) for run in site.runs if run.fault]
    cited = [run and (run.said, run.key) for run in (site.default_run("00_"), site.default_run("05_"))]
    quoted = [common, code["quoted"]]
    of_all = [common, *said.values()]
    keep = partial(_keep, kept, common)
    yield _Part("goals", "", [of_all, first[:1]], partial(pages.goal_files, site, keep))
    yield _Part("results", "goals/", [of_all, keys], partial(pages.results_files, site))
    yield _Part("words", "search/", [of_all, first], partial(pages.words_files, site))
    yield _Part("runs", "runs/", [common, list(said), failed], partial(site.page, "runs"))
    yield _Part("methods", "methods/", [quoted, cited], partial(pages.methods_files, site))
    yield _Part("about", "about/", [common, len(said), failed], partial(site.page, "about"))
    for name in ("figures", "targets", "data", "search"):
        yield _Part(name, f"{name}/", common, partial(_of_the_data, site, name))
    yield _Part("python", "python/", quoted, partial(_of_the_data, site, "python"))
    yield _Part("static", "static/", common, static_files)
    yield _Part("whatif", "", common, _whatif_files)


def _keep(kept: dict[str, Any], common: str, name: str, decided_by: Any, make: Callable[[], Any]) -> Any:
    """A value that an earlier build has found out, if what decides it is the same; else made anew and kept."""
    stamp = digest([common, decided_by])
    if kept.get(name, {}).get("stamp") != stamp:
        kept[name] = {"stamp": stamp, "value": make()}
    return kept[name]["value"]


def _of_the_data(site: Site, name: str) -> Files:
    """A page of the data."""
    from lib.tools.site import data_pages as of

    tables = {"figures": of.figures_files, "targets": of.targets_files, "search": of.search_files}
    return (tables | {"data": of.data_files, "python": of.python_files})[name](site)


def _whatif_files() -> Files:
    """The page on which a reader tries another goal, with a link back to the first page."""
    from lib.tools.whatif.page import NAME, build

    return {NAME: build("index.html").encode()}


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
