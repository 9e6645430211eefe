"""Long lists of cases: a default run takes every few of them, continuous integration all.

A test that takes `some` is marked `exhaustive`, so that

    uv run --group test pytest -m "hypothesis or exhaustive" --hypothesis-profile=thorough

finds it.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings

exhaustive = pytest.mark.exhaustive


def some(items: Iterable[Any], step: int) -> list[Any]:
    """Every `step`-th of the items, the first among them; all with the thorough profile."""
    every = list(items)
    return every if settings.get_current_profile_name() == "thorough" else every[::step]
