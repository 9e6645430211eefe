"""Lint, format and types are part of the tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def rooms_of_the_guide(guide: str) -> dict[str, set[str]]:
    """The modules of each room as the table of CONTRIBUTING.md lists them: folder → names."""
    rows = re.findall(r"^\| `(lib[\w/]*)` \|[^|]*\|([^|]*)\|$", guide, flags=re.MULTILINE)
    return {folder: set(re.findall(r"`(\w+)`", names)) for folder, names in rows}


def test_every_module_has_its_room_in_the_guide() -> None:
    there: dict[str, set[str]] = {}
    for path in (ROOT / "lib").rglob("*.py"):
        if path.stem != "__init__":
            there.setdefault(path.parent.relative_to(ROOT).as_posix(), set()).add(path.stem)
    assert rooms_of_the_guide((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")) == there
