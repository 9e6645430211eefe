"""What `tradegoals check` looks at: the tables, runs.yml, and the committed notebooks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.figures import check_data
from lib.params import NOTEBOOKS, FlowCase
from lib.runs import NOTEBOOKS_DIR, load_runs
from lib.stamp import stale_parts


def all_faults() -> list[str]:
    """Every fault of the data, the cases and the notebooks, one line each."""
    return [*map(str, check_data()), *_lines(load_runs), *notebook_faults()]


def notebook_faults(folder: Path = NOTEBOOKS_DIR) -> list[str]:
    """Notebooks that are missing, whose parameters cell differs from the model, or whose stamp is stale."""
    import nbformat

    faults = []
    for name, model in NOTEBOOKS.items():
        path = folder / f"{name}.ipynb"
        if not path.exists():
            faults.append(f"{path.name}: not found, expected it in notebooks/")
            continue
        notebook = nbformat.read(path, as_version=4)
        faults += [f"{path.name}: {line}" for line in parameter_faults(notebook, model)]
        if stale := stale_parts(notebook):
            faults.append(
                f"{path.name}: outputs are stale ({', '.join(stale)} changed); run: tradegoals stamp {name}"
            )
    return faults


def parameter_faults(notebook: Any, model: type[FlowCase]) -> list[str]:
    """Differences between the tagged cell and the typed model: names, order and defaults."""
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        return [f"found {len(cells)} cells tagged parameters, expected 1"]
    values: dict[str, Any] = {}
    exec(cells[0]["source"], values)
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
