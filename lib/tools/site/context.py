"""The runs that the site shows, what lies below out/runs: whole, failed or damaged; and what every page knows."""

import ast
import csv
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from datetime import date
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lib import package
from lib.errors import UserError, plain_bytes
from lib.goals import READING_LABELS
from lib.tools.run import freshness, page, results_table
from lib.tools.run.freshness import FAILED, JOURNAL, LIB, NOTEBOOK, RESULT, hash_file, text_of
from lib.tools.run.page import Links, web_address
from lib.tools.strict import slugify
from lib.words import percent, printed

DEFAULT = "default"  # folder of the run of a notebook with its own parameters
CITATION = LIB.parent / "CITATION.cff"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TITLE = re.compile(r"#\s+(.+)")
_HERE = Path(__file__).resolve().parent

Files = dict[str, bytes]  # of the site, by name


class FoundRun:
    """One run folder, with what its page shows or hands on held against the journal.

    `fault` is empty for a whole run, else says what is wrong with it. `result` is its `lib.results.Result`; None for a run
    that failed or records nothing.
    """

    def __init__(self, folder: Path, hash_of: Callable[[Path], str] = hash_file) -> None:
        self.folder, self.notebook, self.slug = folder, folder.parent.name, folder.name
        self.name = f"{self.notebook}/{self.slug}"
        self.address = f"runs/{self.name}"  # the page's folder in the site: stable
        self.record: dict[str, Any] = freshness.read_journal(folder) or {}
        self.parameters = self.record.get("parameters", {})
        self.result: Any = None
        self.fault = self._fault(hash_of)
        given = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        self.title = self.result.title if self.result else given or self.slug
        # What decides all that other pages say of the run.
        self.said = [self.name, self.fault, self.parameters, self.record.get("outputs", {}).get(RESULT)]

    def _fault(self, hash_of: Callable[[Path], str]) -> str:
        if not self.record:
            return "Its journal, run.json, is missing or damaged: nobody can say what made these files."
        if self.record["status"] == "failed":
            return str(self.record.get("error") or "It failed; the journal does not say why.")
        written = {name: self.record["outputs"].get(name, "") for name in (NOTEBOOK, RESULT)}
        differing = [name for name, hashed in written.items() if hash_of(self.folder / name) != hashed]
        if differing or not written[NOTEBOOK]:
            return f"Files are not those that its journal describes: {', '.join(differing or [NOTEBOOK])}."
        if written[RESULT]:
            try:
                self.result = results_table.read_result(self.folder / RESULT)
            except UserError:
                return f"{RESULT} is none that this version writes; `tradegoals run` makes it anew."
        return ""

    @property
    def content(self) -> dict[str, Any]:
        """The executed notebook, or what a failed run left of it; read each time, for all together are large."""
        return read_object(self.folder / NOTEBOOK) or read_object(self.folder / FAILED)

    @property
    def question(self) -> str:
        """The notebook's title; its name where it has none."""
        cells = (cell for cell in self.content.get("cells", []) if cell.get("cell_type") == "markdown")
        titles = filter(None, (_TITLE.match(text_of(cell)) for cell in cells))
        return next((title[1].strip() for title in titles), self.notebook)


def read_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; empty where there is none to be read."""
    with suppress(OSError, ValueError, RecursionError):
        if isinstance(content := json.loads(plain_bytes(path)), dict):
            return content
    return {}


def hash_known(known: MutableMapping[str, Any], path: Path | str) -> str:
    """SHA-256 of a plain file, empty for anything else; one that is `known` and that nobody touched since is not read.

    Whether it was touched is told, as in Git's index, by inode, size and the time of its last change (ctime), which no
    program can set back. What changed within the last ticks of the system's clock may do so again in the same one, so it
    does not become known. Windows has no such time.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of them
        state = f"{status.st_ino} {status.st_size} {status.st_ctime_ns} "
        before = str(known.get(f"{path}"))
        if before.startswith(state):
            known[f"{path}"] = before
            return before.removeprefix(state)
        hashed = sha256(plain_bytes(Path(path))).hexdigest()
    except OSError:
        return ""
    if time.time_ns() - status.st_ctime_ns > 50_000_000 and sys.platform != "win32":
        known[f"{path}"] = state + hashed
    return hashed


def run_folders(out: Path) -> list[Path]:
    """The folders of runs below `out`/runs, the default first of each notebook; refused where there is none."""
    files = (JOURNAL, NOTEBOOK, FAILED)  # of which one that is executed for the first time holds none yet
    folders = [
        folder
        for folder in (out / "runs").glob("*/*")
        if all(map(_NAME.fullmatch, folder.parts[-2:])) and not folder.is_symlink()
        if any((folder / name).is_file() for name in files)
    ]
    if not folders:
        raise UserError(f"{out / 'runs'}: found no run, expected some; `tradegoals run` makes them")
    return sorted(folders, key=lambda one: (one.parent.name, one.name != DEFAULT, one.name))


class Site:
    """Everything that pages are made of; the runs of each notebook, its default run first, and its question."""

    def __init__(self, runs: list[FoundRun]) -> None:
        self.runs = runs
        self.notebooks = {name: list(group) for name, group in groupby(runs, lambda run: run.notebook)}
        self.questions = {name: group[0].question for name, group in self.notebooks.items()}
        data = package.data_dir()
        paths = (resource["path"] for resource in package.read_package()["resources"])
        self.data_hashes = {path: hash_file(data / path) for path in sorted((*paths, package.PACKAGE_FILE))}
        figures = (data / "figures.csv").read_text(encoding="utf-8").splitlines()
        self.figure_ids = frozenset(row["figure_id"] for row in csv.DictReader(figures))

    @cached_property
    def citation(self) -> dict[str, Any]:
        """How to cite the collection."""
        import yaml

        return yaml.safe_load(CITATION.read_text(encoding="utf-8"))

    def default_run(self, start: str) -> FoundRun | None:
        """The run with its own parameters of the notebook whose name begins so, if it has a result."""
        runs = (run for run in self.runs if run.notebook.startswith(start) and run.slug == DEFAULT)
        return next((run for run in runs if run.result), None)

    def links(self, place: str) -> Links:
        """The links of the page at a place in the site."""
        return Links("../" * place.count("/"), self.figure_ids, frozenset(self.questions))

    def page(self, template: str, place: str = "", **values: Any) -> Files:
        """A page at its place, or in the folder of its name; values are escaped unless they are known to be safe HTML."""
        place = place or f"{template}/index.html"
        made = _template(f"{template}.html.j2")
        links = self.links(place)
        html = made.render(site=self, place=place, up=links.up, links=links, **values)
        return {place: html.encode()}


def digest(content: Any) -> str:
    """One hash of anything that JSON can hold."""
    return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _docstring(module: str, links: Links) -> Markup:
    """What a module of `lib` says of itself."""
    code = (LIB / f"{module}.py").read_text(encoding="utf-8")
    return page.from_markdown(ast.get_docstring(ast.parse(code)) or "", links)


_FILTERS = {
    "digest": digest,
    "percent": percent,
    "printed": printed,
    "web": web_address,
    "quoted": shlex.quote,
    "inline": page.inline,
    "docstring": _docstring,
    "slug": slugify,
    "sourced": lambda names, links: [(name, links.to_figure(name)) for name in names],  # of figures
    "short": lambda text: text[:12],  # of a hash: enough to compare by eye; the journal has all of it
    "day": lambda text: f"{date.fromisoformat(text):%-d %B %Y}",
    "signed": lambda value: "" if value is None else f"{value:+g}".replace("-", "−"),
}


def _template(name: str) -> Any:
    environment = page.environment(_HERE / "templates")
    environment.filters |= _FILTERS
    environment.globals["labels"] = READING_LABELS
    return environment.get_template(name)


def static_files() -> Files:
    """Style and scripts of the pages; the style of all begins with that of a run's own page."""
    files = {f"static/{path.name}": path.read_bytes() for path in (_HERE / "static").iterdir()}
    files["static/site.css"] = (page.TEMPLATES / "page.css").read_bytes() + files["static/site.css"]
    return files
