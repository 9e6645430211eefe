"""The key of a run: a hash of everything that decides its output, and why a run must be repeated.

It covers the notebook's cells, the modules of `lib` that they import and those that make the page, the data
files that the run opened, the parameters, the versions of the packages that a run can load, and Python. A part
is compared by content only, never by time: clocks go back, and copies are as good as originals.
"""

import json
import platform
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.execution.journal import are_intact, hash_file, read
from lib.execution.spec import Run, notebooks_dir
from lib.package import PACKAGE_FILE, data_dir

_LIB = Path(__file__).resolve().parents[1]

DRIVER = ("execution.page", "results")
"""Modules that make the files of a run outside its kernel, with those that they import; `runs` calls them."""

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
            "lib": {name: self.hash_of(_LIB / name) for name in self.modules[run.notebook]},
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
    journal = read(folder)
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
    from lib.execution.modules import imported_modules

    try:
        cells = json.loads((notebooks_dir() / f"{notebook}.ipynb").read_bytes())["cells"]
        code = "\n".join(_text(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        found = imported_modules("\n".join([code, *(f"import lib.{name}" for name in DRIVER)]))
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return all_module_names()
    templates = sorted((_LIB / "execution" / "templates").rglob("*.*"))
    return sorted(
        {f"{name}.py" for name in (*found, "execution/runs")}
        | {path.relative_to(_LIB).as_posix() for path in templates}
    )


def all_module_names() -> list[str]:
    """Every source file of `lib`."""
    found = [path for kind in ("*.py", "*.j2", "*.json") for path in _LIB.rglob(kind)]
    return sorted(path.relative_to(_LIB).as_posix() for path in found)


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
