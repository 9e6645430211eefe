"""Lint and format are part of the tests; types, which take as long as a tenth of them, a step of `.ci/run`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "arguments",
    [["ruff", "check"], ["ruff", "format", "--check", "--diff"]],
    ids=["ruff check", "ruff format"],
)
def test_no_complaint(arguments: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{' '.join(arguments)}:\n{result.stdout}{result.stderr}"
