"""The guide for people who build on the library: its examples do what they say."""

import doctest
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[1] / "lib" / "README.md"


@pytest.mark.usefixtures("tables_read_once")
def test_the_examples_of_the_guide_hold() -> None:
    held = doctest.testfile(str(GUIDE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert held.attempted > 20 and held.failed == 0
