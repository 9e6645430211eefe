"""A run, the journal of its files, and whether it is due: what decides its output, and what has changed of it.

A run is one notebook with one set of parameters. Its journal, `run.json` beside its files, is written last and taken away
first, so files beside a journal are those that it describes. It holds the run and

key         hash of the `parts` that decide the output; empty if an input changed while the run went
status      "ok" or "failed", with the `error`
parts       notebook (hash of the cells), lib ({module: hash}), data ({file that was opened: hash}), parameters,
            versions ({package: version}), python, page (what shows, and does not decide)
outputs     {file beside this one: hash}

and for people `started`, `seconds`, `kernel`. Code counts by its meaning (`lib.research.meaning`), all else by content. What
only shows (Markdown, comments, what makes the page) is a reason to make the page anew. A committed notebook has a stamp of
the same, in a few digits. What pandas and a parser find out of files and arguments alone (checked parameters, what code
means) is kept in the output folder under a hash of all these, so what is unchanged is told without them.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.errors import UserError, plain_bytes, quote, some
from lib.package import KEPT_ONLY_ENV, PACKAGE_FILE, data_dir, notebooks_dir
from lib.research.files import make_folder_below, write_atomically
from lib.research.meaning import LIB, beside, hash_text, imported_modules, meaning
from lib.tools.run.opened import PREFIX, state_of

NOTEBOOK, PAGE, RESULT, FAILED = "notebook.ipynb", "page.html", "result.json", "notebook.failed.ipynb"
OUTPUTS = (NOTEBOOK, PAGE, RESULT, FAILED)
JOURNAL, TABLE = "run.json", "results.parquet"  # beside them, and of all runs
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Run:
    """One notebook with one set of parameters; `slug` names its folder, `case` the entry of runs.yml."""

    notebook: str
    slug: str
    parameters: dict[str, Any] = field(hash=False)
    case: str = ""

    @property
    def name(self) -> str:
        """Notebook and folder, as messages show them."""
        return f"{self.notebook}/{self.slug}"

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return notebooks_dir() / f"{self.notebook}.ipynb"

    def folder(self, out: Path) -> Path:
        """Where the run's files go."""
        return out / "runs" / self.notebook / self.slug


@dataclass(frozen=True)
class Outcome:
    """What became of a run; `error` is empty when it succeeded, `skipped` if its files were up to date."""

    run: Run
    folder: Path
    seconds: float
    error: str = ""
    skipped: bool = False


def run_from(content: Any, where: str) -> Run:
    """A run from a plain mapping, of which the slug does not lead out of the output folder; `where` names its file in messages."""
    keys = Run.__annotations__
    match content:
        case {"notebook": str(), "slug": str(slug), "parameters": dict()} if content.keys() <= keys.keys():
            if not _NAME.fullmatch(slug):
                raise UserError(f"{where}: slug: found {quote(slug)}, expected a name fit for a folder")
            return Run(**content)
    raise UserError(f"{where}: found {quote(str(content))}, expected a mapping of {', '.join(keys)}")


def read_journal(folder: Path) -> dict[str, Any] | None:
    """The journal of a run folder; None where there is none that can be trusted."""
    with suppress(OSError, ValueError, RecursionError):
        match json.loads(plain_bytes(folder / JOURNAL)):
            case {
                "schema_version": 1,
                "status": "ok" | "failed",
                "key": str(),
                "outputs": {},
                "parts": {"lib": {}, "data": {}, "parameters": {}, "versions": {}},
            } as content:
                return dict(content)
    return None


def write_journal(folder: Path, content: dict[str, Any]) -> None:
    """Write the journal of what stands in the folder now."""
    record = {"schema_version": 1, **content, "outputs": _output_hashes(folder)}
    write_atomically(folder / JOURNAL, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def _output_hashes(folder: Path) -> dict[str, str]:
    return {name: digest for name in OUTPUTS if (digest := hash_file(folder / name))}


def hash_file(path: Path) -> str:
    """SHA-256 of a file; empty if it cannot be read, as when it is not there."""
    try:
        return sha256(plain_bytes(path)).hexdigest()
    except OSError:
        return ""


def clear_journal(folder: Path) -> None:
    """Take away what a run published, the journal first."""
    for name in (JOURNAL, *OUTPUTS):
        if (path := folder / name).is_file() or path.is_symlink():
            path.unlink()


# --- files, by name ---


def read_opened(notes: Path) -> tuple[list[str], bool]:
    """The names of the files that a kernel has noted as opened, and whether none of them has changed since."""
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    found = dict(map(json.loads, lines))
    unseen = any(path.startswith(PREFIX) for path in found)
    steady = not unseen and all(state_of(path) == (state and tuple(state)) for path, state in found.items())
    places = {prefix: place.resolve() for prefix, place in _places().items()}
    return sorted(_name_for(path, places) for path in found), steady


def _places() -> dict[str, Path]:
    """What the name of a file begins with, and the folder that this stands for; data files have no prefix."""
    return {"": data_dir(), "./notebooks/": notebooks_dir(), "./": LIB.parent, "~/": Path.home()}


def _name_for(path: str, places: Mapping[str, Path]) -> str:
    """The name of a file in journals and stamps: relative to data, project or home where it lies below."""
    for prefix, place in places.items():
        if Path(path).is_relative_to(place):
            return prefix + Path(path).relative_to(place).as_posix()
    return path


def _path_of(name: str) -> Path:
    """The file of a name; an absolute path stays what it is."""
    places = _places()
    prefix = max(filter(name.startswith, places), key=len)
    return places[prefix] / name.removeprefix(prefix)


# --- what decides the output of a run ---

PAGE_MODULES = (
    *(f"tools/run/{name}.py" for name in ("execute", "engine", "page", "results_table")),
    *("results.py", "tools/strict.py"),
)
"""Modules that make the files of a run from its outputs; with the templates of the page."""

RUN_PACKAGES = (
    *("ipykernel", "matplotlib-inline", "nbclient", "nbformat", "papermill"),
    *("jinja2", "mistune", "nh3", "pygments"),
)
"""What a run and its page need beside the dependencies of `lib`."""


def code_parts(notebook: Path, modules: Iterable[str] = ()) -> dict[str, Any]:
    """What decides the output of every run of a notebook, and its page, beside parameters and data.

    `modules` are the files of `lib` that it imports, where they are known: to follow all imports takes longest.
    """
    cells = _read_cells(notebook)
    code = [(text, tags) for kind, text, tags in cells if kind == "code"]
    templates = sorted((LIB / "tools" / "run" / "templates").glob("*.*"))
    page = {path.relative_to(LIB).as_posix(): hash_file(path) for path in templates}
    return {
        "notebook": _hash_json([(meaning(text, is_cell=True), tags) for text, tags in code]),
        "lib": _meanings(modules or _module_names(text for text, _ in code)),
        "versions": _run_versions() | _kept_only(),
        "python": f"{platform.python_version()} {sys.platform} {platform.machine()}",
        "page": {"text": _hash_json(cells)} | _meanings(PAGE_MODULES) | page,
    }


def _kept_only() -> dict[str, str]:
    """That fetched figures are left out, where they are: no file tells it, since none of them is opened then."""
    return {KEPT_ONLY_ENV: "1"} if os.environ.get(KEPT_ONLY_ENV) == "1" else {}


def _read_cells(notebook: Path) -> list[tuple[str, str, Any]]:
    """Kind, text and tags of each cell; a damaged notebook is one cell of which only the hash is known."""
    try:
        cells = json.loads(plain_bytes(notebook))["cells"]
        return [(cell["cell_type"], text_of(cell), cell["metadata"].get("tags")) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [("code", f"%{hash_file(notebook)}", None)]


def _module_names(code: Iterable[str]) -> list[str]:
    """Files of `lib` that decide what cells put out; all of them if they cannot be read without running."""
    try:
        return sorted(f"{name}.py" for name in imported_modules("\n".join(code)))
    except (UserError, ValueError):  # the second of a module that is no text
        return sorted(path.relative_to(LIB).as_posix() for path in LIB.rglob("*.py"))


def _meaning_of(path: Path) -> str:
    """The hash of what a module does, with the data beside it; empty where there is none."""
    try:
        means = meaning(plain_bytes(path).decode(errors="surrogateescape"))
    except OSError:
        return ""
    data = [hash_file(one) for one in beside(path)]
    return hash_text(" ".join([means, *data])) if data else means


def _meanings(modules: Iterable[str]) -> dict[str, str]:
    return {name: _meaning_of(LIB / name) for name in modules}


def data_hash(name: str, opened: frozenset[str]) -> str:
    """The hash of one of the files that were opened: of a module by what it does, of a notebook by the opening that others show."""
    path = _path_of(name)
    try:
        if name.startswith("./notebooks/") and name.endswith(".ipynb"):
            return hash_text(_read_cells(path)[0][1])
        if path.is_dir():  # the names in it: each file that was opened counts by itself
            return _hash_json(sorted(below.relative_to(path).as_posix() for below in path.rglob("*")))
        if name == PACKAGE_FILE:  # what it says of opened tables, whose own hash says size and checksum
            tables = json.loads(plain_bytes(path))["resources"]
            said = [table.items() for table in tables if table["path"] in opened]
            return _hash_json([{k: v for k, v in table if k not in ("bytes", "hash")} for table in said])
    except (OSError, ValueError, KeyError, TypeError, IndexError):  # damaged: it counts by its bytes
        return hash_file(path)
    return _meaning_of(path) if _is_helper(name) else hash_file(path)


HashData = Callable[[str, frozenset[str]], str]


def all_parts(
    run: Run, code: Mapping[str, Any], data: Iterable[str], hashed: HashData = data_hash
) -> dict[str, Any]:
    """Everything that decides the output of a run, and its page: the `code_parts` of its notebook, and files it opens.

    `hashed` may be a `data_hash` that remembers what many runs open.
    """
    opened = frozenset(data)
    helpers = _meanings(_modules_of_helpers(opened))
    files = {name: hashed(name, opened) for name in sorted(opened)}
    return {**code, "lib": code["lib"] | helpers, "data": files, "parameters": run.parameters}


def text_of(cell: Any) -> str:
    """The text of a cell, which notebooks keep as one string or as a list of lines."""
    return "".join(cell["source"])


def _modules_of_helpers(data: Iterable[str]) -> set[str]:
    """Files of `lib` that modules outside it import, of those that were opened."""
    paths = [path for name in data if _is_helper(name) and (path := _path_of(name)).is_file()]
    codes = [path.read_text(encoding="utf-8", errors="surrogateescape") for path in paths]
    return {name for code in codes for name in _module_names([code])}


def _is_helper(name: str) -> bool:
    """Whether a file that was opened is a module outside `lib`, which counts by what it does."""
    return name.endswith(".py") and name.startswith(("./", "~/", "/"))


def _hash_json(content: Any) -> str:
    return hash_text(json.dumps(content))


def key_of(parts: dict[str, Any]) -> str:
    """The hash of the parts that decide the output, written in one way."""
    deciding = {name: part for name, part in parts.items() if name != "page"}
    return hash_text(json.dumps(deciding, sort_keys=True))


PAGE_ONLY = "page only: "  # a reason that begins so asks for new files from the outputs that there are


def reason_to_run(
    run: Run, out: Path, code: Mapping[str, Any] | None = None, hashed: HashData = data_hash
) -> str:
    """Why a run must be executed, or its page made anew ("page only: text changed"); empty if it is up to date.

    `code` are the `code_parts` of its notebook, if they are known, `hashed` is as for `all_parts`.
    """
    folder = run.folder(out)
    journal = read_journal(folder)
    if journal is None:
        return "new" if not any(folder.glob("*.*")) else "no journal of its files"
    if journal["status"] != "ok":
        return "failed before"
    if unseen := [name.removeprefix(PREFIX) for name in journal["parts"]["data"] if name.startswith(PREFIX)]:
        return f"it uses {', '.join(unseen)}, and what that opens cannot be seen"
    if not journal["key"]:
        return "inputs changed while it ran"
    now = all_parts(run, code or code_parts(run.path), journal["parts"]["data"], hashed)
    if changed := changes(journal["parts"], now):
        return "; ".join(changed)
    if NOTEBOOK not in journal["outputs"] or _output_hashes(folder) != journal["outputs"]:
        return "files differ from the journal"
    names = differing(journal["parts"].get("page", {}), now["page"])
    return f"{PAGE_ONLY}{_listed(names)} changed" if names else ""


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the parts of two keys, or of two stamps, in words: "lib changed: goals, growth"."""
    told = ["notebook changed"] if before.get("notebook") != now.get("notebook") else []
    for part in ("lib", "data", "parameters", "versions"):
        names = differing(before[part], now[part]) if part in now else []
        if part == "versions":
            names = [f"{name} {before[part].get(name)} to {now[part].get(name)}" for name in names]
        told += [f"{part} changed: {_listed(names)}"] if names else []
    if before.get("python") != now.get("python"):
        told.append(f"Python changed: {before.get('python')} to {now.get('python')}")
    return told


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names under which two mappings do not hold the same."""
    return sorted(name for name in {**before, **now} if before.get(name) != now.get(name))


def _listed(names: list[str]) -> str:
    return some([name if _is_helper(name) else name.removesuffix(".py") for name in names], 6)


@cache
def _run_versions() -> dict[str, str]:
    """The versions of all packages that a run can load: the dependencies of `lib` and of kernels, and theirs."""
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    waiting = ["tradegoals", *RUN_PACKAGES]
    while waiting:
        if (name := canonicalize_name(waiting.pop())) in found:
            continue
        with suppress(PackageNotFoundError):
            said = distribution(name).metadata  # which is parsed each time that it is asked for
            found[name] = said["Version"]
            needed = [Requirement(text) for text in said.get_all("Requires-Dist") or []]
            waiting += [one.name for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    return dict(sorted(found.items()))


# --- committed notebooks: the stamp of what their outputs were made from ---

STAMP, DIGITS = "tradegoals", 10  # where in a notebook's metadata its stamp stands; how much of each hash


def make_stamp(notebook: Any, opened: Iterable[str]) -> dict[str, Any]:
    """Hashes of a notebook's code cells, in order, of modules that they import, directly or not, and of files `opened`."""
    files = frozenset(opened)
    cells = enumerate(notebook["cells"], 1)
    codes = {number: text_of(cell) for number, cell in cells if cell["cell_type"] == "code"}
    names = {name.removesuffix(".py") for name in _modules_of_helpers(files)}
    for number, code in codes.items():
        try:
            names |= imported_modules(code)
        except UserError as error:
            raise UserError(f"cell {number}: {error}") from None
    return {
        "cells": [meaning(code, is_cell=True)[:DIGITS] for code in codes.values()],
        "lib": {name: _meaning_of(LIB / f"{name}.py")[:DIGITS] for name in sorted(names)},
        "data": {name: data_hash(name, files)[:DIGITS] for name in sorted(files)},
    }


def why_stale(notebook: Any) -> str:
    """What has changed since the outputs were made: "cells changed: 4, 7; data changed: figures.csv"; empty if nothing has."""
    match notebook["metadata"].get(STAMP):
        case {"cells": list(cells), "lib": {}, "data": {}} as stamp:
            now = make_stamp(notebook, stamp["data"])
            code = (str(n) for n, cell in enumerate(notebook["cells"], 1) if cell["cell_type"] == "code")
            new = [number for number, digest in zip(code, now["cells"], strict=True) if digest not in cells]
            told = _listed(new) if new else "some removed or moved"
            return "; ".join([f"cells changed: {told}"] * (cells != now["cells"]) + changes(stamp, now))
    return "never stamped"


# --- what to run and why ---

PLANS, KEPT_PLANS = ".plans", 20
Chosen = tuple[list[Run], dict[str, str]]  # runs, and by name why others are left out


def choose(
    asked: Any, out: Path, select: Callable[[], Chosen], keep: bool = True
) -> tuple[Chosen, dict[str, Any]]:
    """What `select` gives, and the `code_parts` of its notebooks: kept in the output folder for the state of all files."""
    path = out / PLANS / f"{_state(asked)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # there is none, or it is damaged
        content = json.loads(path.read_text(encoding="utf-8"))
        return ([Run(**run) for run in content["runs"]], content["left_out"]), content["code"]
    runs, left_out = select()
    code = {name: code_parts(run.path) for name, run in {run.notebook: run for run in runs}.items()}
    if keep:
        with suppress(OSError, UserError):  # where nothing can be written the runs will say so
            make_folder_below(out, path.parent)
            plan = {"runs": list(map(asdict, runs)), "left_out": left_out, "code": code}
            write_atomically(path, json.dumps(plan))
            by_age = sorted(path.parent.glob("*.json"), key=lambda kept: kept.stat().st_mtime)
            for old in by_age[:-KEPT_PLANS]:
                old.unlink(missing_ok=True)
    return (runs, left_out), code


def lib_files() -> list[Path]:
    """Every file of `lib`: modules, templates, and the data beside them, such as the words by which parameters are read."""
    return [path for path in sorted(LIB.rglob("*.*")) if path.suffix != ".pyc" and path.is_file()]


def _state(arguments: Any) -> str:
    """The hash of all that decides what is run: arguments, runs.yml, notebooks, modules, tables, packages."""
    data, notebooks = data_dir(), notebooks_dir()
    tables = (path for path in sorted(data.rglob("*.*")) if path.suffix in (".csv", ".json", ".parquet"))
    files = [*lib_files(), *(path for path in tables if data / "snapshots" not in path.parents)]
    places = dict.fromkeys(Path(place) for place in sys.path if place)
    packages = sorted(path.name for place in places for path in place.glob("*.dist-info"))
    # The day, because a parameter may be "today".
    state = [arguments, date.today().isoformat(), sys.version, str(data), str(notebooks), packages]
    state += [_kept_only()]
    state += [(str(path), hash_file(path)) for path in [*files, *sorted(notebooks.glob("*.[iy]*"))]]
    return _hash_json(state)[:24]
