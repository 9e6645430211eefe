"""The runs that the site shows: what lies below out/runs, whole, failed or damaged.

The matrix of goals: flow × goal × day, with the probability or the verdict of each reading.

What every page of the site knows: the runs, the data, how to cite, and how a page is rendered.
"""

import json
import re
import shlex
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from lib import cases, figures, package, results
from lib.errors import UserError
from lib.figures import MILLIONS
from lib.goals import READINGS, parse_goal
from lib.tools.run import matrix, page, results_table, spec
from lib.tools.run.freshness import Sources
from lib.tools.run.markup import Links, shown_address, web_address
from lib.tools.run.page import source_of
from lib.tools.run.spec import FAILED, JOURNAL, NOTEBOOK, PAGE, RESULT, hash_file
from lib.words import percent

DEFAULT = "default"
"""Folder of the run of a notebook with its own parameters."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

_TITLE = re.compile(r"#\s+(.+)")


@dataclass(frozen=True)
class FoundRun:
    """One run folder; `fault` is empty for a whole run, else says what is wrong with it."""

    notebook: str
    slug: str
    folder: Path
    record: dict[str, Any]
    fault: str

    @property
    def name(self) -> str:
        """Notebook and folder."""
        return f"{self.notebook}/{self.slug}"

    @property
    def address(self) -> str:
        """The page's folder in the site: stable, made of notebook and slug alone."""
        return f"runs/{self.notebook}/{self.slug}"

    @property
    def parameters(self) -> dict[str, Any]:
        """The run's parameters; empty where its journal cannot be read."""
        return self.record.get("parameters", {})

    @property
    def command(self) -> str:
        """The command that executes the run again."""
        values = [word for name, value in self.parameters.items() for word in ("-p", f"{name}={value}")]
        return shlex.join(["tradegoals", "run", "--notebook", self.notebook, *values])

    @cached_property
    def result(self) -> results.Result | None:
        """The run's record of results; None for a run that failed or makes none."""
        path = self.folder / RESULT
        return None if self.fault or not path.exists() else results.read(path)

    @property
    def content(self) -> dict[str, Any] | None:
        """The executed notebook, or what a failed run left of it; read each time, for all together are large."""
        for name in (NOTEBOOK, FAILED):
            try:
                return json.loads((self.folder / name).read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError):
                return None
        return None

    @property
    def title(self) -> str:
        """The case in words where the run has a result, else its parameters."""
        if self.result is not None:
            return self.result.title
        return ", ".join(f"{name} {value}" for name, value in self.parameters.items()) or self.slug


def find_runs(out: Path) -> list[FoundRun]:
    """Every run below `out`/runs, in the order of the collection, the default first in each notebook.

    Raises
    ------
    UserError
        Where there is none, with the command that makes them.
    """
    folders = [path for path in (out / "runs").glob("*/*") if _is_run(path)]
    if not folders:
        raise UserError(f"{out / 'runs'}: found no run, expected some; `tradegoals run` makes them")
    order = {name: place for place, name in enumerate(matrix.NOTEBOOKS | matrix.ON_REQUEST)}

    def place(folder: Path) -> tuple[int, str, bool, str]:
        notebook = folder.parent.name
        return order.get(notebook, len(order)), notebook, folder.name != DEFAULT, folder.name

    return [_found(folder) for folder in sorted(folders, key=place)]


def question(run: FoundRun) -> str:
    """The notebook's title, which is its question; its name where it has none."""
    for cell in (run.content or {}).get("cells", []):
        if cell.get("cell_type") == "markdown" and (match := _TITLE.match(source_of(cell))):
            return match[1].strip()
    return run.notebook


def _is_run(folder: Path) -> bool:
    """Whether this is a run's folder; one that is executed for the first time holds no file yet."""
    if not all(_NAME.fullmatch(name) for name in (folder.parent.name, folder.name)) or folder.is_symlink():
        return False
    return any((folder / name).is_file() for name in (JOURNAL, NOTEBOOK, FAILED))


def _found(folder: Path) -> FoundRun:
    record = spec.read_journal(folder)
    return FoundRun(folder.parent.name, folder.name, folder, record or {}, _fault(folder, record))


def _fault(folder: Path, record: dict[str, Any] | None) -> str:
    """Why the run cannot be shown as a result; empty if it can."""
    if record is None:
        return "Its journal, run.json, is missing or cannot be read, so nobody can say what made these files."
    if record["status"] == "failed":
        return str(record.get("error") or "It failed; the journal does not say why.")
    if not spec.are_intact(folder, record):
        names = ", ".join(name for name in (NOTEBOOK, PAGE, RESULT) if _differs(folder, record, name))
        return f"Files are not those that its journal describes: {names or NOTEBOOK}."
    try:
        if (folder / RESULT).exists():
            results.read(folder / RESULT)
    except UserError as error:
        return str(error)
    return ""


def _differs(folder: Path, record: dict[str, Any], name: str) -> bool:
    return spec.hash_file(folder / name) != record["outputs"].get(name, "")


KEY = ("reporter", "partner", "flow", "currency", "goal", "base_year", "deadline", "as_of")

SHADES = 10


@dataclass(frozen=True)
class _Chance:
    """What is known of one reading: the verdict once it is decided, else the probability."""

    text: str
    outcome: str
    probability: float | None

    @property
    def shade(self) -> int | None:
        """The probability in tenths, for the colour of its cell."""
        decided = {"met": SHADES, "missed": 0}.get(self.outcome)
        return decided if self.probability is None else round(self.probability * SHADES)


@dataclass(frozen=True)
class GoalRow:
    """A goal of a flow, seen from one day."""

    flow: str
    goal: str
    years: str
    as_of: str
    reading: str
    chances: dict[str, _Chance]
    run: str
    announced: dict[str, str]


def goal_rows(table: pd.DataFrame) -> list[GoalRow]:
    """The rows of the matrix from the table of all results: what was known last first, then what a government stated.

    Of these the goal that the collection has by default stands before all. A goal that several notebooks judged as of
    one day is shown once, by the first of them in the collection, and by its default run where that is one of several.
    """
    if table.empty:  # of notebooks that note no result there is not even a column
        return []
    met = table[
        (table["target"] == "goal met") & table[["as_of", "base_year", "deadline"]].notna().all(axis=1)
    ]
    met = met.assign(other=met["slug"] != DEFAULT).sort_values(["notebook", "other", "slug"], kind="stable")
    stated = _stated_goals()
    seen: dict[tuple[Any, ...], GoalRow] = {}
    for (notebook, slug), rows in met.groupby(["notebook", "slug"], sort=False):
        first = rows.iloc[0]
        key = tuple(str(first[name]) for name in KEY)
        if key not in seen:
            seen[key] = _row(first, rows, f"runs/{notebook}/{slug}", stated)
    own = cases.GoalCase()

    def place(row: GoalRow) -> tuple[Any, ...]:
        is_own = (row.flow, row.goal) == (own.flow_name, own.goal_name)
        return not row.announced, not is_own, row.flow, row.years, row.goal

    return sorted(sorted(seen.values(), key=place), key=lambda row: row.as_of, reverse=True)


def latest(rows: list[GoalRow]) -> list[GoalRow]:
    """Each goal once, as it was seen last."""
    seen: dict[tuple[str, str, str], GoalRow] = {}
    for row in rows:
        seen.setdefault((row.flow, row.goal, row.years), row)
    return list(seen.values())


def _row(
    first: pd.Series, rows: pd.DataFrame, run: str, stated: dict[tuple[Any, ...], dict[str, str]]
) -> GoalRow:
    given = {name: first[name] for name in ("reporter", "partner", "flow", "goal")}
    case = cases.GoalCase.model_construct(**given)
    return GoalRow(
        flow=case.flow_name,
        goal=case.goal_name,
        years=f"{first['base_year']}–{first['deadline']}",
        as_of=str(first["as_of"])[:10],
        reading=str(json.loads(first["parameters"]).get("reading", "")),
        chances={name: _chance(rows[rows["reading"] == name]) for name in READINGS},
        run=run,
        announced=stated.get(_goal_key(first), {}),
    )


def _chance(rows: pd.DataFrame) -> _Chance:
    verdicts = rows[rows["output_type"] == "verdict"]["output_type_id"]
    given = rows[rows["output_type"] == "probability"]
    values, kinds = given["value"], given["kind"].dropna() if "kind" in given else []
    outcome = "" if verdicts.empty else str(verdicts.iloc[0])
    probability = None if values.empty else float(values.iloc[0])
    if probability is None:
        return _Chance(outcome, outcome, None)
    return _Chance(", ".join([percent(probability), *kinds[:1]]), outcome, probability)


def _goal_key(row: pd.Series) -> tuple[Any, ...]:
    """Flow, years and what is asked for: a rate, or a level in millions of a currency."""
    try:
        kind, number, currency = parse_goal(str(row["goal"]))
    except UserError:  # an older table may hold a goal that is no longer read; nobody stated it
        return ()
    asked = (kind, round(number, 9), currency if kind == "level" else "")
    return (row["reporter"], row["partner"], row["flow"], int(row["base_year"]), int(row["deadline"]), *asked)


def _stated_goals() -> dict[tuple[Any, ...], dict[str, str]]:
    """Goals of data/goals.csv with a deadline, by the same key: who announced them, when and where."""
    goals = figures.load_goals_table()
    found = {}
    for row in goals[goals["deadline"].notna() & goals["base_year"].notna()].to_dict("records"):
        currency, _, scale = str(row["unit"]).partition(" ")
        if row["kind"] == "rate":
            asked: tuple[Any, ...] = ("rate", round(row["rate_pct"] / 100, 9), "")
        else:
            asked = ("level", round(row["level"] * MILLIONS.get(scale, 1), 9), currency)
        years = (int(row["base_year"]), int(row["deadline"]))
        who = {name: str(row[name]) for name in ("announced", "announcer", "url")}
        found[(row["reporter"], row["partner"], row["measure"], *years, *asked)] = who
    return found


_HERE = Path(__file__).resolve().parent

ROOT = _HERE.parents[2]

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

    def default_run(self, notebook: str) -> FoundRun | None:
        """The run of a notebook with its own parameters."""
        return next((run for run in self.runs if (run.notebook, run.slug) == (notebook, DEFAULT)), None)

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
        kept = [key in whole for key in zip(table["notebook"], table["slug"], strict=True)]
        return table[
            pd.Series(kept, index=table.index, dtype="bool")
        ]  # a bare empty list would name no column

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
        return Links(up, frozenset(self.figures["figure_id"]), frozenset(self.questions))

    def render(self, template: str, up: str, **values: Any) -> str:
        """A page as HTML; every value is escaped unless it is known to be safe HTML."""
        return _environment().get_template(template).render(site=self, up=up, **values)

    def page(self, folder: str, **values: Any) -> dict[str, bytes]:
        """The page that stands in a folder of the site's root by that name, "" for the first, from its template."""
        place = f"{folder}/index.html" if folder else "index.html"
        html = self.render(f"{folder or 'index'}.html.j2", "../" if folder else "", place=place, **values)
        return {"index.html": html.encode()}


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
    environment = page.environment(_HERE / "templates")
    environment.filters |= {
        "link": _host_link,
        "percent": percent,
        "short": lambda text: text[:DIGITS],
        "digest": digest,
    }
    return environment


def static_files() -> dict[str, bytes]:
    """Style and scripts of the pages; the style of all begins with that of a run's own page."""
    files = {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir())}
    return files | {"site.css": (page.TEMPLATES / "page.css").read_bytes() + files["site.css"]}
