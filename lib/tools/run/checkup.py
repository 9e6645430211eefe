"""What `tradegoals check` looks at: the tables, runs.yml, and the committed notebooks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lib.cases import Case, FlowCase, GoalCase
from lib.errors import UserError
from lib.figures import check_data
from lib.package import notebooks_dir
from lib.tools.run.matrix import NOTEBOOKS, ON_REQUEST, load_runs
from lib.tools.run.stamp import in_words, read_notebook, stale_parts

TEMPLATE = "template"

OUTSIDE: dict[str, type[Case]] = {"start": GoalCase, TEMPLATE: FlowCase}
"""The first notebook to open and the one to copy: stamped like the others, though no command runs them."""


def stamped_notebooks() -> dict[str, type[Case]]:
    """Every notebook that is committed with outputs, and the model of its parameters."""
    return {**NOTEBOOKS, **ON_REQUEST, **OUTSIDE}


def all_faults() -> list[str]:
    """Every fault of the data, the cases and the notebooks, one line each."""
    data = [str(fault) for fault in check_data()]
    # Parameters are checked against the data: with faulty data every case would repeat the same lines.
    cases = [] if data else _lines(load_runs)
    return [*data, *cases, *notebook_faults()]


def notebook_faults(folder: Path | None = None) -> list[str]:
    """Notebooks that are missing, whose parameters cell differs from the model, or whose stamp is stale."""
    folder = folder or notebooks_dir()
    return [
        f"{name}.ipynb: {line}"
        for name, model in stamped_notebooks().items()
        for line in _faults_of(folder / f"{name}.ipynb", model)
    ]


def _faults_of(path: Path, model: type[Case]) -> list[str]:
    if not path.exists():
        return ["not found, expected it in notebooks/"]
    try:
        notebook = read_notebook(path)
        stale = in_words(stale_parts(notebook))
    except UserError as error:
        return [str(error).removeprefix(f"{path.name}: ")]
    words = [f"outputs are stale ({stale}); run: tradegoals stamp {path.stem}"] if stale else []
    return [*parameter_faults(notebook, model), *words]


def parameter_faults(notebook: Any, model: type[Case]) -> list[str]:
    """Differences between the tagged cell and the typed model: names, order and defaults."""
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        return [f"found {len(cells)} cells tagged parameters, expected 1"]
    values: dict[str, Any] = {}
    try:
        exec(cells[0]["source"], values)
    except Exception as error:  # the cell is a file's content: whatever it raises is its fault
        return [f"parameters: the cell fails with {type(error).__name__}: {error}"]
    values.pop("__builtins__")
    if list(values) != list(model.model_fields):
        return [f"parameters: found {list(values)}, expected {list(model.model_fields)}"]
    defaults = model().model_dump(mode="json")
    return [
        f"parameters: {key}: found {values[key]!r}, expected {defaults[key]!r}"
        for key in values
        if values[key] != defaults[key]
    ]


def _lines(action: Callable[[], Any]) -> list[str]:
    """The lines of the error that an action raises; none when it passes."""
    try:
        action()
    except UserError as error:
        return str(error).splitlines()
    return []
