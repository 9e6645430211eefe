"""What every page of the site knows: the runs, the data, how to cite, and how a page is rendered."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from lib import figures, package
from lib.execution import results_table
from lib.execution.journal import hash_file
from lib.execution.keys import Sources
from lib.site.found import FoundRun, question
from lib.site.goal_rows import GoalRow, goal_rows
from lib.site.links import Links, page_names, shown_address, web_address
from lib.words import percent

_HERE = Path(__file__).resolve().parent
ROOT = _HERE.parents[1]
PAGES = {"figures.csv": "figures/index.html", "targets.csv": "targets/index.html"}
"""Tables of the data that are pages of the site."""
DIGITS = 12
"""Of a hash, as shown: enough to compare by eye; the journal has all of them."""


@dataclass(frozen=True)
class Notebook:
    """A notebook with its question and its runs, the default run first where there is one."""

    name: str
    question: str
    runs: list[FoundRun]

    @property
    def first(self) -> FoundRun:
        """The run that stands for the notebook."""
        return self.runs[0]


@dataclass(frozen=True)
class Site:
    """Everything that pages are made of."""

    out: Path
    runs: list[FoundRun]

    @cached_property
    def notebooks(self) -> list[Notebook]:
        """Notebooks in the order of the collection."""
        names = dict.fromkeys(run.notebook for run in self.runs)
        groups = {name: [run for run in self.runs if run.notebook == name] for name in names}
        return [Notebook(name, question(group[0]), group) for name, group in groups.items()]

    @cached_property
    def questions(self) -> dict[str, str]:
        """The question of each notebook by its name."""
        return {notebook.name: notebook.question for notebook in self.notebooks}

    @cached_property
    def figures(self) -> pd.DataFrame:
        """The published figures."""
        return figures.load_figures()

    @cached_property
    def results(self) -> pd.DataFrame:
        """All results, collected anew, of the runs that are whole."""
        results_table.merge(self.out)
        table = results_table.read_table(self.out)
        whole = {(run.notebook, run.slug) for run in self.runs if not run.fault}
        return table[[key in whole for key in zip(table["notebook"], table["slug"], strict=True)]]

    @cached_property
    def goal_rows(self) -> list[GoalRow]:
        """The matrix of goals."""
        return goal_rows(self.results)

    @cached_property
    def data_hashes(self) -> dict[str, str]:
        """The hash of each data file as it is now, by its path in data/."""
        return hash_data()

    @cached_property
    def sources(self) -> Sources:
        """The state of the data as it is now, as a run's journal notes it."""
        return Sources()

    @cached_property
    def citation(self) -> dict[str, Any]:
        """How to cite the collection, from CITATION.cff."""
        import yaml

        return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    def links(self, up: str) -> Links:
        """The links of a page that stands `up` below the root."""
        return page_names(self.questions, self.figures["figure_id"], up)

    def render(self, template: str, up: str, **values: Any) -> str:
        """A page as HTML; every value is escaped unless it is known to be safe HTML."""
        return _environment().get_template(template).render(site=self, up=up, **values)


def hash_data() -> dict[str, str]:
    """SHA-256 of each data file, by its path in data/."""
    folder = package.data_dir()
    paths = (resource["path"] for resource in package.read_package()["resources"])
    return {path: hash_file(folder / path) for path in sorted((*paths, package.PACKAGE_FILE))}


def digest(hashes: dict[str, str]) -> str:
    """One hash for many."""
    return sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def changed_data(run: FoundRun, sources: Sources) -> list[str]:
    """Data files that have changed since the run read them."""
    read = run.record.get("parts", {}).get("data", {})
    return sorted(name for name, digest in read.items() if sources.data_hash(name, read) != digest)


def data_links(run: FoundRun, site: Site, up: str) -> list[tuple[str, str]]:
    """The tables that a run read, each with its page where it has one, else with its file."""
    opened = run.record.get("parts", {}).get("data", {})
    read = [name for name, digest in opened.items() if digest and name != package.PACKAGE_FILE]
    known = {name: f"{up}{PAGES.get(name, f'data/{name}')}" for name in site.data_hashes}
    return [(name, known.get(name, "")) for name in read]


def _host_link(address: str) -> Markup:
    """An address as a link with short text; one that may not be followed as text."""
    if not (target := web_address(address)):
        return Markup("{}").format(address)
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(target, shown_address(target))


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "link": _host_link,
        "percent": percent,
        "short": lambda text: text[:DIGITS],
        "digest": digest,
    }
    return environment


def static_files() -> Iterable[Path]:
    """Style and scripts of the pages."""
    return sorted((_HERE / "static").iterdir())
