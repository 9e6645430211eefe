"""Long lists of cases: a default run takes every few of them, continuous integration all.

A test that takes `some` is marked `exhaustive`, so that

    uv run --group test pytest -m "hypothesis or exhaustive" --hypothesis-profile=thorough

finds it; so it does those that take ten seconds as a whole and are `in_full`.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings

exhaustive = pytest.mark.exhaustive


def thorough() -> bool:
    """Whether everything is asked for."""
    return settings.get_current_profile_name() == "thorough"


def in_full(test: Any) -> Any:
    """A test whose cases cannot be fewer: a default run skips it."""
    skipped = pytest.mark.skipif(not thorough(), reason="takes ten seconds: --hypothesis-profile=thorough")
    return exhaustive(skipped(test))


def dear(test: Any) -> Any:
    """A property of which each example takes a tenth of a second: a default run tries five."""
    return test if thorough() else settings(max_examples=5)(test)


def some(items: Iterable[Any], step: int) -> list[Any]:
    """Every `step`-th of the items, the first among them; all with the thorough profile."""
    every = list(items)
    return every if thorough() else every[::step]
