"""The four rooms: imports run down, sizes fall, every public name is needed, and what texts name exists."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import rooms
from rooms import ROOT
from test_hygiene import read_text, tracked_files

NO_CALLER: dict[str, str] = {
    "lib.tools.run.kernels.Provisioner": "Jupyter, by an entry point",
    "lib.tools.run.engine.Engine": "papermill, by an entry point",
    "lib.tools.run.opened.note": "called in kernels, by the line that `start_line` writes",
}
"""Public names that are needed although no source names them, each with the reason."""

PENDING: dict[str, str] = {}
"""Names that only tests use today and that are to go or to find a caller: nothing may be added here."""


def test_imports_run_down_and_in_no_circle() -> None:
    """The contracts stand in pyproject.toml; a new module of the shared library is named there."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def outside_the_shared_library(tree: ast.AST) -> set[str]:
    """Imports of a notebook that are neither of `lib` itself nor of `lib.analysis`."""
    return {
        name for name in rooms.imported_modules(tree) if name.split(".")[1:2] in (["research"], ["tools"])
    }


def test_notebooks_import_the_shared_library_and_the_analysis_alone() -> None:
    found = {name: outside_the_shared_library(tree) for name, tree in rooms.notebooks().items()}
    assert len(found) > 10
    assert {name: imports for name, imports in found.items() if imports} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from lib import cases, plots\nfrom lib.analysis import trends\nimport lib.growth", set()),
        ("from lib import tools", {"lib.tools"}),
        ("import lib.research.panels as p", {"lib.research.panels"}),
        ("def f():\n    from lib.tools.run import kernels", {"lib.tools.run", "lib.tools.run.kernels"}),
        ("import library.tools", set()),
    ],
)
def test_an_import_from_another_room_is_found(source: str, expected: set[str]) -> None:
    assert outside_the_shared_library(ast.parse(source)) == expected


# Sizes.


def test_every_room_keeps_to_its_budget() -> None:
    budget = tomllib.loads(rooms.BUDGET.read_text(encoding="utf-8"))
    assert rooms.complaints(budget, rooms.measure()) == []


@pytest.mark.parametrize("revision", ["HEAD", "HEAD~1"])
def test_no_budget_is_raised_without_a_new_reason(revision: str) -> None:
    shown = subprocess.run(
        ["git", "show", f"{revision}:tests/budget.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if shown.returncode:
        pytest.skip(f"no budget in {revision}")
    after = tomllib.loads(rooms.BUDGET.read_text(encoding="utf-8"))
    assert rooms.raised_in_silence(tomllib.loads(shown.stdout), after) == []


ENTRY = {"lines": 1000, "modules": 10, "aim": {"lines": 1000, "modules": 12}}


@pytest.mark.parametrize(
    ("changes", "lines", "modules", "expected"),
    [
        ({}, 1000, 10, []),
        ({}, 985, 10, []),
        ({}, 1001, 10, ["lib: 1001 lines, the budget allows 1000"]),
        ({}, 1000, 11, ["lib: 11 modules, the budget allows 10"]),
        ({}, 970, 10, ["lib: 970 lines, lower the budget from 1000"]),
        ({}, 1000, 9, ["lib: 9 modules, lower the budget from 10"]),
        ({"aim": {"lines": 900}}, 1000, 10, ["lib: lines above the aim of 900, without a dated reason"]),
        ({"aim": {"lines": 900}, "reason": "2026-01-02: it holds two forecasts"}, 1000, 10, []),
    ],
)
def test_a_budget_that_does_not_fit_is_found(
    changes: dict, lines: int, modules: int, expected: list[str]
) -> None:
    sizes = {"lib": {"lines": lines, "modules": modules}}
    assert rooms.complaints({"lib": ENTRY | changes}, sizes) == expected


def test_a_number_rises_with_a_new_reason_only() -> None:
    before = {"lib": ENTRY | {"reason": "2026-01-02: as it was then"}}
    higher = {"lib": ENTRY | {"lines": 1100, "reason": "2026-01-02: as it was then"}}
    told = {"lib": higher["lib"] | {"reason": "2026-02-03: a law beside the forecasts"}}
    assert rooms.raised_in_silence(before, higher) == ["lib: lines from 1000 to 1100"]
    assert rooms.raised_in_silence(before, told) == []
    assert rooms.raised_in_silence(higher, before) == []


def test_the_command_lowers_numbers_and_raises_none_without_a_reason() -> None:
    text = '[lib]\nlines = 10\nmodules = 5\naim = { lines = 3 }\nreason = "old"\n\n[tools]\nlines = 7\nreason = "old"\n'
    sizes = {"lib": {"lines": 8, "modules": 6}, "tools": {"lines": 7}}
    lower = text.replace("lines = 10", "lines = 8")
    assert rooms.renewed(text, sizes) == lower
    told = rooms.renewed(text, sizes, "2026-01-02: one module more")
    assert told == lower.replace("modules = 5", "modules = 6").replace(
        "old", "2026-01-02: one module more", 1
    )


def test_every_module_has_its_room_in_the_guide() -> None:
    guide = rooms.GUIDE.read_text(encoding="utf-8")
    assert rooms.with_modules(guide) == guide, "run: uv run python tests/rooms.py"
    folders = {path.parent.relative_to(ROOT).as_posix() for path in rooms.LIB.rglob("*.py")}
    assert {folder for folder in folders if f"| `{folder}` |" not in guide} == set()


def test_the_modules_of_a_room_are_written_into_the_guide(tmp_path: Path) -> None:
    (tmp_path / "lib" / "tools").mkdir(parents=True)
    for name in ("__init__", "b", "a"):
        (tmp_path / "lib" / "tools" / f"{name}.py").touch()
    rows = "| `lib/tools` | a command | `gone` |\n| `x.py` | a file | `gone` |\n"
    assert rooms.with_modules(rows, tmp_path) == rows.replace("`gone` |\n| `x", "`a`, `b` |\n| `x")


# Names.


def test_every_public_name_has_a_caller_beside_the_tests() -> None:
    assert sorted(set(rooms.unreachable()) - NO_CALLER.keys() - PENDING.keys()) == []


def test_exceptions_are_names_that_have_no_visible_caller() -> None:
    assert sorted(NO_CALLER.keys() - set(rooms.unreachable())) == []


USERS = [
    ("from lib.growth import cagr", {("lib.growth", "cagr")}),
    ("from lib import growth as g\ng.cagr(1, 2, 3)", {("lib.growth", "cagr"), ("lib", "growth")}),
    ("import lib.growth\nlib.growth.cagr", {("lib.growth", "cagr")}),
    ("from lib import other\nother.cagr", {("lib", "other")}),
    ("growth = {}\ngrowth.cagr", set()),
]


MODULE = """
class Step: ...
class Plan:
    steps: list[Step]
    def first(self) -> Place: ...
    def _hidden(self) -> Hidden: ...
class Place(Base): ...
class Base: ...
class Hidden: ...
def make(size: int) -> Plan | None: ...
def other() -> Hidden: ...
"""


def test_who_uses_a_function_meets_the_classes_of_its_signature() -> None:
    met = rooms._with_what_they_hand_over({("m", "make")}, {"m": ast.parse(MODULE)})
    assert {"make", "Plan", "Step", "Place", "Base"} <= {name for _, name in met}
    assert not {"other", "Hidden"} & {name for _, name in met}


@pytest.mark.parametrize(("source", "expected"), USERS)
def test_a_use_is_recognised_through_imports(source: str, expected: set) -> None:
    assert rooms.used(ast.parse(source), {"lib", "lib.growth"}) == expected


def test_a_command_needs_no_caller_and_a_private_name_is_not_public() -> None:
    source = (
        "@click.command()\ndef run(): ...\n@main.command('x')\ndef y(): ...\ndef _z(): ...\nclass A: ...\n"
    )
    assert [node.name for node in rooms.defined(ast.parse(source))] == ["A"]


# What texts name.

DOTTED = re.compile(r"(?<![\w.])lib((?:\.[A-Za-z_]\w*)+)")
PATHS = re.compile(
    r"(?<![\w./-])((?:lib|tests|notebooks|data|\.ci|\.github)/[\w./-]*[\w/])(?![\w*<{]|\.\w)", re.ASCII
)
MADE_LATER = (
    "data/raw",
    "data/cache",
    "data/fetched",
    "data/snapshots",
    "notebooks/20_my_question",
    "notebooks/out",
)
"""Where texts name what somebody makes, or a publisher keeps."""


def broken_modules(text: str) -> set[str]:
    """Names of the form lib.module.name of which there is no such module, or no such name in it."""
    return {f"lib{match}" for match in DOTTED.findall(text) if not exists(match.split(".")[1:])}


def exists(parts: list[str]) -> bool:
    """Whether a path of names below `lib` leads to a module, or to a name that a module defines or imports."""
    place = ROOT / "lib"
    for number, part in enumerate(parts):
        if (place / part).is_dir():
            place /= part
            continue
        module = place / f"{part}.py"
        rest = parts[number + 1 :] if module.is_file() else parts[number:]
        module = module if module.is_file() else place / "__init__.py"
        return not rest or bool(re.search(rf"\b{rest[0]}\b", module.read_text(encoding="utf-8")))
    return True


def broken_paths(text: str) -> set[str]:
    """Files and folders of the project that a text names and that are not there."""
    found = {name.rstrip("/") for name in PATHS.findall(text)}
    return {name for name in found if not name.startswith(MADE_LATER) and not (ROOT / name).exists()}


def texts() -> dict[str, str]:
    """Every text in which modules are named: code, notebooks, guides, data, the matrix; tests make some up."""
    endings = {".py", ".md", ".yml", ".yaml", ".toml", ".ipynb", ".js", ".j2", ".html", ""}
    names = {path.relative_to(ROOT).as_posix(): path for path in tracked_files() if path.suffix in endings}
    kept = {name: path for name, path in names.items() if not name.startswith("tests/")}
    kept["data/datapackage.json"] = ROOT / "data/datapackage.json"
    return {name: text for name, path in kept.items() if (text := read_text(path))}


def test_modules_that_texts_name_exist() -> None:
    found = {name: broken_modules(text) for name, text in texts().items()}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_paths_that_guides_and_workflows_name_exist() -> None:
    guides = {
        name: text for name, text in texts().items() if name.endswith((".md", ".yml")) or name == ".ci/run"
    }
    found = {name: broken_paths(text) for name, text in guides.items()}
    assert {name: paths for name, paths in found.items() if paths} == {}


@pytest.mark.parametrize(
    ("text", "modules", "paths"),
    [
        ("`lib.growth.cagr` and lib.tools.cli, see lib/growth.py", set(), set()),
        ("lib.growth.no_such", {"lib.growth.no_such"}, set()),
        ("lib.pages.answers in lib/pages/", {"lib.pages.answers"}, {"lib/pages"}),
        ("`tests/test_gone.py`; out/lib/x.py is made", set(), {"tests/test_gone.py"}),
        ("lib.analysis.trends, matplotlib.pyplot", set(), set()),
    ],
)
def test_what_does_not_exist_is_found(text: str, modules: set[str], paths: set[str]) -> None:
    assert (broken_modules(text), broken_paths(text)) == (modules, paths)
