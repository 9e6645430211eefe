"""Build the site, out/site, from the runs in out/runs: offline, whole or not at all, and only what has changed.

The pages come from templates of our own. Sphinx with MyST-NB and furo was measured first, in seconds of CPU on the
same machine: 38 for 200 runs, 1.9 for 4, 2.2 after one run had changed; this module takes 4.6, 1.9 and 2.1
(tests/bench/bench_site.py), of which 1.2 are imports and the strict reading of the data. Sphinx' pages carry scripts
inside the page, which a content policy would have to allow, lead to folders, which do not open from disk, and show
pictures without the text that stands for them; to change that would have been as much code as the templates are.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from lib.execution.journal import hash_file
from lib.site import data_pages, index_page, publish, run_page, search
from lib.site.context import ROOT, Site, static_files
from lib.site.found import FoundRun, find_runs

SITE = "site"
PACKAGES = ("jinja2", "mistune", "nh3", "pygments")
"""What decides how a page looks, beside the code here."""

Files = dict[str, bytes]


class Part(NamedTuple):
    """Files of the site that are made together: their folder, what decides them, and how to make them."""

    name: str
    folder: str
    decided_by: Any
    make: Callable[[], Files]


class Built(NamedTuple):
    """What a build did: where the site is, parts made and taken over, and the runs that failed."""

    folder: Path
    made: list[str]
    kept: list[str]
    failed: list[FoundRun]


def build_site(out: Path) -> Built:
    """Build `out`/site.

    Raises
    ------
    UserError
        Where there is no run to show, or the folder cannot be written; the old site then stays as it was.
    """
    target = out / SITE
    publish.check_target(target)
    site = Site(out, find_runs(out))
    with publish.draft_of(target) as draft:
        before = publish.read_built(target)
        common = _decides_all(site)
        pages: dict[str, Any] = {}
        made = []
        for part in _parts(site):
            stamp = _hash([common, part.decided_by])
            if publish.take_over(before.get(part.name), stamp, target, draft):
                pages[part.name] = before[part.name]
                continue
            files = {f"{part.folder}{name}": content for name, content in part.make().items()}
            pages[part.name] = {"stamp": stamp, "files": publish.write_files(draft, files)}
            made.append(part.name)
        publish.write_built(draft, pages)
    kept = sorted(pages.keys() - set(made))
    return Built(target, made, kept, [run for run in site.runs if run.fault])


def _parts(site: Site) -> Iterator[Part]:
    """Everything that the site is made of."""
    stamps = {run.name: run_page.stamp_of(run) for run in site.runs}
    for run in site.runs:
        make = partial(run_page.run_files, site, run)
        yield Part(run.address, f"{run.address}/", stamps[run.name], make)
    for notebook in site.notebooks:
        decided_by = [stamps[run.name] for run in notebook.runs]
        make_cases = partial(run_page.cases_files, site, notebook)
        yield Part(f"cases of {notebook.name}", f"runs/{notebook.name}/", decided_by, make_cases)
    for name, folder, make_page in _of_all_runs(site):
        yield Part(name, folder, list(stamps.values()), make_page)
    for name, make_page in _of_the_data(site):
        yield Part(name, f"{name}/", "", make_page)
    yield Part("whatif", "", "", _whatif_files)


def _of_all_runs(site: Site) -> Iterator[tuple[str, str, Callable[[], Files]]]:
    """Pages that change with any run: name, folder, and how to make them."""
    yield "index", "", partial(index_page.index_files, site)
    yield "goals", "goals/", partial(index_page.goals_files, site)
    yield "search", "search/", partial(search.search_files, site)
    yield "runs", "runs/", lambda: _one_page(site.render("runs.html.j2", "../", place="runs/index.html"))
    yield "about", "about/", partial(data_pages.about_files, site)


def _of_the_data(site: Site) -> Iterator[tuple[str, Callable[[], Files]]]:
    """Pages that change with data and code only: the folder, which is the name, and how to make them."""
    yield "figures", partial(data_pages.figures_files, site)
    yield "targets", partial(data_pages.targets_files, site)
    yield "data", partial(data_pages.data_files, site)
    yield "static", lambda: {path.name: path.read_bytes() for path in static_files()}


def _whatif_files() -> Files:
    """The page on which a reader tries another goal, with a link back to the first page."""
    from lib.whatif.page import write_page

    with TemporaryDirectory() as folder:
        write_page(Path(folder), "index.html")
        paths = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _decides_all(site: Site) -> str:
    """A hash of what every page depends on: code, data, packages, the names and questions of the notebooks."""
    lib = ROOT / "lib"
    sources = {
        path.relative_to(lib).as_posix(): hash_file(path)
        for path in sorted(lib.rglob("*.*"))
        if path.suffix != ".pyc" and path.is_file()
    }
    versions = [version(name) for name in PACKAGES]
    return _hash([sources, site.data_hashes, versions, site.citation, site.questions])


def _hash(content: Any) -> str:
    return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _one_page(html: str) -> Files:
    return {"index.html": html.encode()}
