"""Notebooks of a line or two for tests of the machinery, where the real ones would take seconds each."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from lib.research import meaning
from lib.tools.run import freshness, kernels

if TYPE_CHECKING:
    import pytest

NAME = "01_what_do_the_figures_say"
"""Tiny notebooks stand in for this one, whose parameters are the fewest."""

PATIENCE = 900
"""Seconds until something hangs: where the machine is busy with other work, a second's work may take a minute."""

SERVER = Path(__file__).with_name("light_warm_server.py")
"""In the place of `kernels._SCRIPT` a server that is there in a third of the time."""

PARAMETERS = 'reporter = "Harbin"\npartner = "Russia"\nflow = "total"\nas_of = "2026-11-24"'

RECORD = (
    "from lib import cases, results\n"
    "case = cases.FlowCase.from_cell(locals())\n"
    f'results.record("{NAME}", case, "an answer")'
)


def notebook(*cells: str, parameters: str = PARAMETERS) -> nbformat.NotebookNode:
    """A notebook of a parameters cell and code cells."""
    tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=[tagged, *code], metadata={"kernelspec": kernel})


def write(folder: Path, *cells: str, name: str = NAME, parameters: str = PARAMETERS) -> Path:
    """Write such a notebook into a folder, which is made if need be."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook(*cells, parameters=parameters), path)
    return path


@contextmanager
def warm() -> Iterator[str]:
    """The name of kernels of a new server."""
    with kernels._starting() as name:
        yield name()


def own_lib(place: Path, patch: "pytest.MonkeyPatch") -> Path:
    """A copy of the package's sources in a folder, to be edited, which counts as the project's from now on."""
    library = place / "lib"
    shutil.copytree(freshness.LIB, library, ignore=shutil.ignore_patterns("__pycache__"))
    patch.setattr(freshness, "LIB", library)
    patch.setattr(meaning, "LIB", library)
    return library
