"""Build the site, out/site, from the runs in out/runs: offline, whole or not at all, and only what has changed.

It is made in a folder aside and exchanged with the old one in a single step. A build that is killed leaves the site as
it was; what it had made is swept away by the next one. Pages whose inputs have not changed are taken over from the old
site, once their files are seen to be those it wrote.

The pages come from templates of our own. Sphinx with MyST-NB and furo was measured first, in seconds of CPU on the
same machine: 38 for 200 runs, 1.9 for 4, 2.2 after one run had changed; this module takes 4.6, 1.9 and 2.1
(tests/bench/bench_site.py), of which 1.2 are imports and the strict reading of the data. Sphinx' pages carry scripts
inside the page, which a content policy would have to allow, lead to folders, which do not open from disk, and show
pictures without the text that stands for them; to change that would have been as much code as the templates are.
"""

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from lib.errors import UserError
from lib.files import locked, make_folder, sweep, working_folder
from lib.tools.run.spec import hash_file
from lib.tools.site import data_pages, pages
from lib.tools.site.context import ROOT, FoundRun, Site, find_runs, static_files

BUILT = "built.json"
"""In the site: the stamp of each page, which is a hash of all that decides it, and the hashes of its files."""

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
    """What an earlier build says of its pages; nothing where there is none that can be read."""
    try:
        pages = json.loads((site / BUILT).read_bytes())["pages"]
        return {name: page for name, page in pages.items() if isinstance(page["files"], dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


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


def _take_over(page: dict[str, Any] | None, stamp: str, site: Path, draft: Path) -> bool:
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


def _write_files(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Write the files of a page, new each time; returns their hashes."""
    for name, content in files.items():
        make_folder((folder / name).parent)
        try:
            (folder / name).write_bytes(content)
        except OSError as error:
            raise UserError(f"{folder / name}: cannot be written: {error.strerror}") from None
    return {name: sha256(content).hexdigest() for name, content in files.items()}


def _write_built(draft: Path, pages: dict[str, Any]) -> None:
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


SITE = "site"

PACKAGES = ("jinja2", "mistune", "nh3", "pygments")
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
    site = Site(out, find_runs(out))
    with _draft_of(target) as draft:
        before = _read_built(target)
        stamped: dict[str, Any] = {}
        made = []
        for part in _parts(site):
            stamp = _hash(part.decided_by)
            if _take_over(before.get(part.name), stamp, target, draft):
                stamped[part.name] = before[part.name]
                continue
            files = {f"{part.folder}{name}": content for name, content in part.make().items()}
            stamped[part.name] = {"stamp": stamp, "files": _write_files(draft, files)}
            made.append(part.name)
        _write_built(draft, stamped)
    kept = sorted(stamped.keys() - set(made))
    return _Built(target, made, kept, [run for run in site.runs if run.fault])


def _parts(site: Site) -> Iterator[_Part]:
    """Everything that the site is made of."""
    common = _decides_pages(site)
    stamps = {run.name: pages.stamp_of(run) for run in site.runs}
    for run in site.runs:
        make = partial(pages.run_files, site, run)
        yield _Part(run.address, f"{run.address}/", [common, stamps[run.name]], make)
    for notebook in site.notebooks:
        decided_by = [common, *(stamps[run.name] for run in notebook.runs)]
        make_cases = partial(pages.cases_files, site, notebook)
        yield _Part(f"cases of {notebook.name}", f"runs/{notebook.name}/", decided_by, make_cases)
    for name, folder, make_page in _of_all_runs(site):
        yield _Part(name, folder, [common, *stamps.values()], make_page)
    for name, make_page in _of_the_data(site):
        yield _Part(name, f"{name}/", common, make_page)
    yield _Part("whatif", "", [_code("tools/site", "tools/run"), site.data_hashes], _whatif_files)


def _of_all_runs(site: Site) -> Iterator[tuple[str, str, Callable[[], Files]]]:
    """Pages that change with any run: name, folder, and how to make them."""
    yield "index", "", partial(pages.index_files, site)
    yield "goals", "goals/", partial(pages.goals_files, site)
    yield "search", "search/", partial(data_pages.search_files, site)
    yield "runs", "runs/", partial(site.page, "runs")
    yield "methods", "methods/", partial(data_pages.methods_files, site)
    yield "about", "about/", partial(data_pages.about_files, site)


def _of_the_data(site: Site) -> Iterator[tuple[str, Callable[[], Files]]]:
    """Pages that change with data and code only: the folder, which is the name, and how to make them."""
    yield "figures", partial(data_pages.figures_files, site)
    yield "targets", partial(data_pages.targets_files, site)
    yield "data", partial(data_pages.data_files, site)
    yield "python", partial(data_pages.python_files, site)
    yield "static", static_files


def _whatif_files() -> Files:
    """The page on which a reader tries another goal, with a link back to the first page."""
    from lib.tools.whatif.page import write_page

    with TemporaryDirectory() as folder:
        write_page(Path(folder), "index.html")
        paths = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _decides_pages(site: Site) -> str:
    """A hash of what every page depends on: code, data, packages, the names and questions of the notebooks."""
    versions = [version(name) for name in PACKAGES]
    return _hash([_code("tools/whatif"), site.data_hashes, versions, site.citation, site.questions])


def _code(*apart: str) -> dict[str, str]:
    """The hashes of all files of `lib` but those below some folders, and what no page is made by."""
    folders = ("research", "tools/sources", "tools/commands", *apart)
    found = {path.relative_to(ROOT / "lib").as_posix(): path for path in sorted((ROOT / "lib").rglob("*.*"))}
    return {
        name: hash_file(path)
        for name, path in found.items()
        if path.suffix != ".pyc" and path.is_file() and not name.startswith(folders)
    }


def _hash(content: Any) -> str:
    return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
