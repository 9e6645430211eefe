"""The runs that the site shows, what lies below out/runs: whole, failed or damaged; and what every page knows.

Nothing here reads a table: most builds have one page to make, and pandas alone takes as long as that.
"""

import csv
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from lib import package
from lib.errors import UserError, plain_bytes
from lib.research.files import drafted
from lib.tools.run import freshness, page
from lib.tools.run.freshness import FAILED, JOURNAL, NOTEBOOK, RESULT, hash_file, text_of
from lib.tools.run.page import Links, web_address

DEFAULT = "default"
"""Folder of the run of a notebook with its own parameters."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

_TITLE = re.compile(r"#\s+(.+)")

_HERE = Path(__file__).resolve().parent

ROOT = _HERE.parents[2]

CITATION = ROOT / "CITATION.cff"

PAGES = {"figures.csv": "figures/index.html", "targets.csv": "targets/index.html"}
"""Tables of the data that are pages of the site."""

Files = dict[str, bytes]
"""Files of the site by name."""

DIGITS = 12
"""Of a hash, as shown: enough to compare by eye; the journal has all of them."""


class Recorded(dict[str, Any]):
    """An object of a `result.json`, its values as attributes. The run has checked it; its journal keeps the hash."""

    __getattr__ = dict.__getitem__


@dataclass(frozen=True)
class FoundRun:
    """One run folder; `fault` is empty for a whole run, else says what is wrong with it."""

    notebook: str
    slug: str
    folder: Path
    record: dict[str, Any]
    fault: str
    result: Any
    """What `lib.results.Result` wrote, by its names; None for a run that failed or records nothing."""
    parameters: dict[str, Any]
    key: str = ""
    """What decided the run's output, hashed; empty where nobody can say."""

    @property
    def name(self) -> str:
        """Notebook and folder."""
        return f"{self.notebook}/{self.slug}"

    @property
    def address(self) -> str:
        """The page's folder in the site: stable, made of notebook and slug alone."""
        return f"runs/{self.name}"

    @property
    def said(self) -> list[Any]:
        """What decides all that other pages say of the run."""
        return [self.name, self.fault, self.parameters, self.record.get("outputs", {}).get(RESULT)]

    @property
    def content(self) -> dict[str, Any]:
        """The executed notebook, or what a failed run left of it; read each time, for all together are large."""
        paths = (self.folder / name for name in (NOTEBOOK, FAILED))
        try:
            return json.loads(next(filter(Path.is_file, paths)).read_bytes())
        except (StopIteration, OSError, ValueError, RecursionError):
            return {}

    @property
    def title(self) -> str:
        """The case in words where the run has a result, else its parameters."""
        if self.result is not None:
            return self.result.title
        return ", ".join(f"{name} {value}" for name, value in self.parameters.items()) or self.slug


class Seen:
    """Hashes of files; one that an earlier build has read, and that nobody has touched since, is not read again.

    Whether it was touched is told, as in the index of Git, by inode, size and the time at which its state changed (ctime).
    The system sets that time at each write, rename, link or change of other times, and no program can set it back: an
    altered byte is noticed though size and date are the old ones. A file that changed within the last ticks of the
    system's clock may change again in the same one, so its hash is not kept. Windows has no such time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before: dict[str, str] = {}
        self._now: dict[str, str] = {}
        with suppress(OSError, ValueError, TypeError, RecursionError):
            self._before = dict(json.loads(path.read_bytes()))

    def hash_of(self, path: Path | str) -> str:
        """SHA-256 of a plain file; empty for anything else."""
        try:
            status = os.stat(path)  # noqa: PTH116 - thousands of them
            state = f"{status.st_ino} {status.st_size} {status.st_ctime_ns} {path}"
            hashed = self._before.get(state) or sha256(plain_bytes(Path(path))).hexdigest()
        except OSError:
            return ""
        if time.time_ns() - status.st_ctime_ns > TICKS and sys.platform != "win32":
            self._now[state] = hashed
        return hashed

    def keep(self) -> None:
        """Write what was seen, for the next build."""
        if self._now != self._before:
            with drafted(self._path) as draft:
                draft.write_text(json.dumps(self._now), encoding="utf-8")


TICKS = 50_000_000
"""In nanoseconds: several ticks of a clock that counts hundredths of a second."""


def find_runs(out: Path, hash_of: Callable[[Path], str] = hash_file) -> list[FoundRun]:
    """Every run below `out`/runs, in the order of the notebooks' numbers, the default first in each."""
    files = (JOURNAL, NOTEBOOK, FAILED)  # of which one that is executed for the first time holds none yet
    folders = [
        folder
        for folder in (out / "runs").glob("*/*")
        if all(map(_NAME.fullmatch, folder.parts[-2:])) and not folder.is_symlink()
        if any((folder / name).is_file() for name in files)
    ]
    if not folders:
        raise UserError(f"{out / 'runs'}: found no run, expected some; `tradegoals run` makes them")
    ordered = sorted(folders, key=lambda one: (one.parent, one.name != DEFAULT, one))
    return [_found(folder, hash_of) for folder in ordered]


def _found(folder: Path, hash_of: Callable[[Path], str]) -> FoundRun:
    """A run, with what its page shows or hands on held against the journal."""
    record, result, fault = freshness.read_journal(folder), None, ""
    if record is None:
        fault = "Its journal, run.json, is missing or cannot be read: nobody can say what made these files."
    elif record["status"] == "failed":
        fault = str(record.get("error") or "It failed; the journal does not say why.")
    else:
        written = {name: record["outputs"].get(name, "") for name in (NOTEBOOK, RESULT)}
        differing = [name for name, hashed in written.items() if hash_of(folder / name) != hashed]
        if differing or not written[NOTEBOOK]:
            fault = f"Files are not those that its journal describes: {', '.join(differing or [NOTEBOOK])}."
        elif written[RESULT]:
            try:
                result = json.loads((folder / RESULT).read_bytes(), object_hook=Recorded)
                if result.schema_version != 1:
                    raise ValueError
            except (OSError, ValueError, AttributeError, KeyError):
                fault = f"{RESULT} is none that this version writes; `tradegoals run` makes it anew."
                result = None
    record = record or {}
    decided_by = record.get("parameters", {}), record.get("key", "")
    return FoundRun(folder.parent.name, folder.name, folder, record, fault, result, *decided_by)


class Site:
    """Everything that pages are made of; the runs of each notebook, its default run first, and its question."""

    def __init__(self, runs: list[FoundRun]) -> None:
        self.runs = runs
        self.notebooks = {name: list(group) for name, group in groupby(runs, lambda run: run.notebook)}
        self.questions = {name: _question(group[0]) for name, group in self.notebooks.items()}
        self.data_hashes = hash_data()
        figures = (package.data_dir() / "figures.csv").read_text(encoding="utf-8")
        self.figure_ids = frozenset(row["figure_id"] for row in csv.DictReader(figures.splitlines()))

    @cached_property
    def citation(self) -> dict[str, Any]:
        """How to cite the collection."""
        import yaml

        return yaml.safe_load(CITATION.read_text(encoding="utf-8"))

    def default_run(self, start: str) -> FoundRun | None:
        """The run with its own parameters of the notebook whose name begins so, if it has a result."""
        runs = (run for run in self.runs if run.notebook.startswith(start) and run.slug == DEFAULT)
        return next((run for run in runs if run.result), None)

    def links(self, up: str) -> Links:
        """The links of a page that stands `up` below the root."""
        return Links(up, self.figure_ids, frozenset(self.questions))

    def render(self, template: str, up: str, **values: Any) -> str:
        """A page as HTML; every value is escaped unless it is known to be safe HTML."""
        return _environment().get_template(template).render(site=self, up=up, **values)

    def page(self, folder: str, **values: Any) -> dict[str, bytes]:
        """The page that stands in a folder of the site's root by that name, "" for the first, from its template."""
        place = f"{folder}/index.html" if folder else "index.html"
        html = self.render(f"{folder or 'index'}.html.j2", "../" if folder else "", place=place, **values)
        return {place: html.encode()}


def _question(run: FoundRun) -> str:
    """The notebook's title, which is its question; its name where it has none."""
    for cell in run.content.get("cells", []):
        if cell.get("cell_type") == "markdown" and (match := _TITLE.match(text_of(cell))):
            return match[1].strip()
    return run.notebook


def hash_data() -> dict[str, str]:
    """SHA-256 of each data file, by its path in data/."""
    folder = package.data_dir()
    paths = (resource["path"] for resource in package.read_package()["resources"])
    return {path: hash_file(folder / path) for path in sorted((*paths, package.PACKAGE_FILE))}


def digest(content: Any) -> str:
    """One hash of anything that JSON can hold."""
    return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@lru_cache(maxsize=1)
def _environment() -> Any:
    environment = page.environment(_HERE / "templates")
    environment.filters |= {"digest": digest, "web": web_address, "short": lambda text: text[:DIGITS]}
    environment.filters["quoted"] = shlex.quote
    environment.filters["day"] = lambda text: f"{date.fromisoformat(text):%-d %B %Y}"
    environment.filters["signed"] = lambda value: "" if value is None else f"{value:+g}".replace("-", "−")
    return environment


STYLE = "static/site.css"


def static_files() -> dict[str, bytes]:
    """Style and scripts of the pages; the style of all begins with that of a run's own page."""
    files = {f"static/{path.name}": path.read_bytes() for path in sorted((_HERE / "static").iterdir())}
    return files | {STYLE: (page.TEMPLATES / "page.css").read_bytes() + files[STYLE]}
