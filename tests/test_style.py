"""Lint, format and types are part of the tests."""

import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

from lib.tools.run.freshness import LIB, direct_imports

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "arguments",
    [["ruff", "check"], ["ruff", "format", "--check", "--diff"], ["mypy"]],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_no_complaint(arguments: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{' '.join(arguments)}:\n{result.stdout}{result.stderr}"


def test_modules_import_one_way() -> None:
    modules = {
        path.relative_to(LIB).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
        for path in LIB.rglob("*.py")
    }
    # A module of a package names the package, too; that is no import of its own.
    graph = {
        name: direct_imports(source) - {name, f"{name.rpartition('/')[0]}/__init__"}
        for name, source in modules.items()
    }
    assert any(graph.values())
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, naming the circle


def test_every_module_has_its_room_in_the_guide() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    modules = [path.stem for path in LIB.rglob("*.py") if path.parent.name != "warm"]
    missing = [name for name in modules if f"`{name}`" not in guide and name != "__init__"]
    assert not missing, f"name these in CONTRIBUTING.md, The rooms of lib: {missing}"
