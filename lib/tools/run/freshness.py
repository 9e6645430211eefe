"""Which modules of `lib` a piece of code imports, directly or through others: read from its text, not run.

The key of a run: a hash of everything that decides its output, and why a run must be repeated.

It covers the notebook's cells, the modules of `lib` that they import and those that make the page, the data
files that the run opened, the parameters, the versions of the packages that a run can load, and Python. A part
is compared by content only, never by time: clocks go back, and copies are as good as originals.

What to run and why: the checked runs of a command, and for each the reason to execute or skip it.

To check parameters takes pandas and the tables, to follow imports a parser. Both depend on nothing but files
and arguments, so their result is kept in the output folder under a hash of all these.
"""

import ast
import json
import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.files import make_folder_below, write_atomically
from lib.package import FETCHED, PACKAGE_FILE, data_dir, kept_files, notebooks_dir
from lib.tools.run.spec import Run, are_intact, hash_file, read_journal, run_from

LIB = Path(__file__).resolve().parents[2]


def imported_modules(code: str) -> set[str]:
    """Modules of `lib` that Python code imports, directly or through others: "goals", "analysis/answers"."""
    found: set[str] = set()
    waiting = direct_imports(code)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= direct_imports((LIB / f"{name}.py").read_text(encoding="utf-8"))
    return found


def direct_imports(code: str) -> set[str]:
    """Modules of `lib` that Python code itself imports, at its top or inside its functions."""
    names = {"/".join(parts[:depth]) for parts in _names_imported(code) for depth in range(1, len(parts) + 1)}
    names |= {f"{name}/__init__" for name in names}
    return {name for name in names if (LIB / f"{name}.py").exists()}


@lru_cache(maxsize=256)
def _names_imported(code: str) -> frozenset[tuple[str, ...]]:
    """What code imports from `lib`, each name in its parts below it; a text is parsed once."""
    names: set[str] = set()
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise UserError(
            f"line {error.lineno} of the code: {error.msg}; expected plain Python, without % or ! commands"
        ) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lib":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("lib.")}
    return frozenset(tuple(name.split(".")[1:]) for name in names)


DRIVER = ("results",)
"""Modules that make the files of a run outside its kernel, with those that they import; `execute` calls them."""

RUN_PACKAGES = ("ipykernel", "matplotlib-inline", "nbclient", "nbconvert", "nbformat", "papermill")
"""What a run needs beside the dependencies of `lib`."""


class Sources:
    """The state of notebooks, modules, data and packages; each file is read and hashed once."""

    def __init__(self) -> None:
        self.hashes: dict[Path, str] = {}
        self.cells: dict[str, str] = {}
        self.modules: dict[str, list[str]] = {}
        """By notebook, the modules of `lib` that it imports: what `module_names` found, or a plan kept."""
        self.versions: dict[str, str] | None = None

    def hash_of(self, path: Path) -> str:
        """The hash of a file; empty where there is none."""
        if path not in self.hashes:
            self.hashes[path] = hash_file(path)
        return self.hashes[path]

    def data_hash(self, name: str, opened: Iterable[str]) -> str:
        """The hash of a data file; of the description of all, only what it says of the files that were opened."""
        path = data_dir() / name
        if name != PACKAGE_FILE:
            return self.hash_of(path)
        try:
            said = json.loads(path.read_bytes())["resources"]
            return sha256(
                json.dumps([_described(one) for one in said if one["path"] in opened]).encode()
            ).hexdigest()
        except (OSError, ValueError, KeyError, TypeError):
            return self.hash_of(path)

    def parts(self, run: Run, data: Iterable[str]) -> dict[str, Any]:
        """Everything that decides the output of a run which opens the files `data` of the data folder."""
        if run.notebook not in self.cells:
            self.cells[run.notebook] = _cells_hash(notebooks_dir() / f"{run.notebook}.ipynb")
        if run.notebook not in self.modules:
            self.modules[run.notebook] = module_names(run.notebook)
        if self.versions is None:
            self.versions = run_versions()
        return {
            "notebook": self.cells[run.notebook],
            "lib": {name: self.hash_of(LIB / name) for name in self.modules[run.notebook]},
            "data": {name: self.data_hash(name, data) for name in sorted(data)},
            "parameters": run.parameters,
            "versions": self.versions,
            "python": f"{platform.python_version()} {sys.platform} {platform.machine()}",
        }


def _described(resource: dict[str, Any]) -> dict[str, Any]:
    """What is said of a table, without its size and checksum: the table's own hash says that."""
    return {name: value for name, value in resource.items() if name not in ("bytes", "hash")}


def key_of(parts: dict[str, Any]) -> str:
    """The key: SHA-256 of the parts, written in one way."""
    return sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def reason_to_run(run: Run, out: Path, sources: Sources) -> str:
    """Why a run must be executed: "new", "data changed: figures.csv", …; empty if its files are up to date."""
    folder = run.folder(out)
    journal = read_journal(folder)
    if journal is None:
        return "new" if not any(folder.glob("*.*")) else "no journal of its files"
    if journal["status"] != "ok":
        return "failed before"
    if not journal["key"]:
        return "inputs changed while it ran"
    if changed := changes(journal["parts"], sources.parts(run, journal["parts"]["data"])):
        return "; ".join(changed)
    return "" if are_intact(folder, journal) else "files differ from the journal"


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs between the parts of two keys, in words: "lib changed: goals, growth"."""
    found = ["notebook changed"] if before.get("notebook") != now["notebook"] else []
    for part in ("lib", "data", "parameters", "versions"):
        names = [name for name in before[part] | now[part] if before[part].get(name) != now[part].get(name)]
        if names:
            shown = [name.removesuffix(".py") for name in sorted(names)[:5]] + ["…"] * (len(names) > 5)
            found.append(f"{part} changed: {', '.join(shown)}")
    if before.get("python") != now["python"]:
        found.append(f"Python changed: {before.get('python')} to {now['python']}")
    return found


def _cells_hash(path: Path) -> str:
    """The hash of a notebook's cells, without outputs; of the bytes if it is damaged, empty if missing."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        text = json.dumps(
            [[cell["cell_type"], cell["source"], cell["metadata"].get("tags")] for cell in cells]
        )
    except OSError:
        return ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return hash_file(path)
    return sha256(text.encode()).hexdigest()


def module_names(notebook: str) -> list[str]:
    """Files of `lib` that decide a notebook's output; all of them if its code cannot be read without running."""
    try:
        cells = json.loads((notebooks_dir() / f"{notebook}.ipynb").read_bytes())["cells"]
        code = "\n".join(_text(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        found = imported_modules("\n".join([code, *(f"import lib.{name}" for name in DRIVER)]))
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return all_module_names()
    templates = sorted((LIB / "tools" / "run" / "templates").rglob("*.*"))
    return sorted(
        {f"{name}.py" for name in (*found, "tools/run/execute")}
        | {path.relative_to(LIB).as_posix() for path in templates}
    )


def all_module_names() -> list[str]:
    """Every source file of `lib`."""
    found = [path for kind in ("*.py", "*.j2", "*.json") for path in LIB.rglob(kind)]
    return sorted(path.relative_to(LIB).as_posix() for path in found)


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def installed() -> list[str]:
    """Names and versions of what is installed, as the folders of the packages' descriptions have them."""
    places = dict.fromkeys(Path(place) for place in sys.path if place)
    return sorted(path.name for place in places for path in place.glob("*.dist-info"))


def run_versions() -> dict[str, str]:
    """The versions of all packages that a run can load: the dependencies of `lib` and of kernels, and theirs."""
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    waiting = ["tradegoals", *RUN_PACKAGES]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = package.version
        needed = [Requirement(text) for text in package.requires or []]
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return dict(sorted(found.items()))


PLANS = ".plans"

KEPT_PLANS = 20


@dataclass(frozen=True)
class Item:
    """A run and why it must be executed; an empty reason means that its files are up to date."""

    run: Run
    reason: str


@dataclass(frozen=True)
class Plan:
    """Checked runs, those left out with the reason, and what is known about the sources of all."""

    runs: list[Run]
    left_out: dict[str, str]
    sources: Sources


def choose(
    arguments: Any, out: Path, select: Callable[[], tuple[list[Run], dict[str, str]]], keep: bool = True
) -> Plan:
    """The runs that `select` gives for `arguments`, which are checked again only if a file has changed.

    Parameters
    ----------
    arguments : all that `select` depends on beside the files, as JSON values.
    out : the output folder, which keeps plans.
    select : checks and expands, to runs and those left out; raises `UserError`, which is not kept.
    keep : whether to write the plan.
    """
    sources = Sources()
    path = out / PLANS / f"{_state(arguments, sources)}.json"
    if (kept := _read(path, sources)) is not None:
        return kept
    runs, left_out = select()
    sources.modules = {name: module_names(name) for name in dict.fromkeys(run.notebook for run in runs)}
    sources.versions = run_versions()
    plan = Plan(runs, left_out, sources)
    if keep:
        _keep(path, plan)
    return plan


def make_items(runs: list[Run], out: Path, sources: Sources, force: bool = False) -> list[Item]:
    """Each run with its reason."""
    return [Item(run, "forced" if force else reason_to_run(run, out, sources)) for run in runs]


def _state(arguments: Any, sources: Sources) -> str:
    """The hash of all that decides what is run: arguments, runs.yml, notebooks, modules, tables, packages."""
    library, data, notebooks = Path(__file__).parents[2], data_dir(), notebooks_dir()
    files = [library / name for name in all_module_names()]
    files += [*kept_files(".csv", ".json"), *sorted((data / FETCHED).glob("*.parquet"))]
    # The day, because a parameter may be "today".
    state = [arguments, date.today().isoformat(), sys.version, str(data), str(notebooks), installed()]
    state += [(str(path), sources.hash_of(path)) for path in files]
    state += [(path.name, hash_file(path)) for path in sorted(notebooks.glob("*.[iy]*"))]
    return sha256(json.dumps(state).encode()).hexdigest()[:24]


def _read(path: Path, sources: Sources) -> Plan | None:
    """A kept plan; None if there is none, or it is damaged."""
    try:
        digest, _, body = path.read_text(encoding="utf-8").partition("\n")
        if sha256(body.encode()).hexdigest() != digest:
            return None
        content = json.loads(body)
        sources.modules, sources.versions = content["modules"], content["versions"]
        return Plan([run_from(run, path.name) for run in content["runs"]], content["left_out"], sources)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, plan: Plan) -> None:
    """Keep a plan, the latest few; where nothing can be written the runs will say so, not the plan."""
    content = {
        "runs": [run.to_json() for run in plan.runs],
        "left_out": plan.left_out,
        "modules": plan.sources.modules,
        "versions": plan.sources.versions,
    }
    body = json.dumps(content)
    try:
        make_folder_below(path.parent.parent, path.parent)
        write_atomically(path, f"{sha256(body.encode()).hexdigest()}\n{body}")
        by_age = sorted(path.parent.glob("*.json"), key=lambda kept: kept.stat().st_mtime, reverse=True)
        for old in by_age[KEPT_PLANS:]:
            old.unlink(missing_ok=True)
    except (OSError, UserError):
        return
