"""Run parameterised notebooks one after another, and keep of each the notebook, a page and its result.

``out/runs/<notebook>/<slug>/`` holds ``notebook.ipynb``, ``page.html`` and ``result.json``. Every file is
written beside its place and renamed, so a stopped run leaves nothing half-written; a notebook that fails is
kept as ``notebook.failed.ipynb``.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib import params, results
from lib.errors import UserError
from lib.files import working_folder, write_atomically

NOTEBOOKS_DIR = Path(__file__).resolve().parents[1] / "notebooks"
RUNS_FILE = NOTEBOOKS_DIR / "runs.yml"

CELL_TIMEOUT_SECONDS = 300

KERNEL_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread of linear algebra a run: two runs at once otherwise fight for the cores."""


@dataclass(frozen=True)
class Run:
    """One notebook with one set of parameters; `slug` names its folder."""

    notebook: str
    slug: str
    parameters: dict[str, Any] = field(hash=False)

    def folder(self, out: Path) -> Path:
        """Where the run's files go."""
        return out / "runs" / self.notebook / self.slug


@dataclass(frozen=True)
class Outcome:
    """What became of a run; `error` is empty when it succeeded."""

    run: Run
    folder: Path
    seconds: float
    result: results.Result | None
    error: str = ""


def kernel_config() -> Any:
    """Kernels talk through sockets in the file system, not through ports that others could listen on."""
    from traitlets.config import Config

    return Config({"KernelManager": {"transport": "ipc"}})


def make_run(notebook: str, values: Mapping[str, Any], name: str | None = None) -> Run:
    """Check the parameters of a run; raises `UserError` before any kernel starts."""
    case = params.model_of(notebook).check(values)
    return Run(notebook, name or params.slug(case), case.model_dump(mode="json"))


def default_runs() -> list[Run]:
    """Every notebook at its default parameters."""
    return [make_run(notebook, {}) for notebook in params.NOTEBOOKS]


def load_runs(path: Path = RUNS_FILE) -> list[Run]:
    """Read the named parameter sets of `runs.yml`: every case with every notebook that it names.

    Raises
    ------
    UserError
        Naming the file, the case and the parameter, for all faults at once.
    """
    cases = _read_cases(path)
    runs, faults = [], []
    for name, case in cases.items():
        for notebook in case.get("notebooks") or params.NOTEBOOKS:
            try:
                runs.append(make_run(notebook, _for_notebook(notebook, case, name), name))
            except UserError as error:
                faults += [f"{path.name}: {name}: {line}" for line in str(error).splitlines()]
    if faults:
        raise UserError("\n".join(dict.fromkeys(faults)))
    return runs


def _read_cases(path: Path) -> dict[str, dict[str, Any]]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(
            f"{path.name}: found no readable YAML, expected one with a mapping `cases`: {error}"
        ) from None
    cases = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(cases, dict) or not all(isinstance(case, dict) for case in cases.values()):
        raise UserError(f"{path.name}: expected a mapping `cases` of case names to mappings")
    for name, case in cases.items():
        if extra := set(case) - {"about", "notebooks", "parameters"}:
            raise UserError(
                f"{path.name}: {name}: found {sorted(extra)}, expected about, notebooks, parameters"
            )
        if params.slugify(str(name)) != name:
            raise UserError(
                f"{path.name}: {name}: found a name unfit for a folder, expected {params.slugify(str(name))}"
            )
    return cases


def _for_notebook(notebook: str, case: dict[str, Any], name: str) -> dict[str, Any]:
    """The case's parameters that the notebook takes, and those that no notebook of the case takes: errors."""
    values = case.get("parameters") or {}
    taken = {
        field
        for other in case.get("notebooks") or params.NOTEBOOKS
        for field in params.model_of(other).model_fields
    }
    return {
        key: value
        for key, value in values.items()
        if key in params.model_of(notebook).model_fields or key not in taken
    }


def execute_all(runs: Iterable[Run], out: Path) -> Iterator[Outcome]:
    """Execute runs in turn, yielding each outcome as it is known; a failed run does not stop the others."""
    for run in runs:
        yield execute(run, out)


def execute(run: Run, out: Path) -> Outcome:
    """Execute one run through papermill and write its files."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    folder = run.folder(out)
    started = time.monotonic()
    os.environ.update({name: os.environ.get(name, value) for name, value in KERNEL_ENVIRONMENT.items()})
    with working_folder(folder) as working:
        draft = working / "notebook.ipynb"
        try:
            notebook = papermill.execute_notebook(
                NOTEBOOKS_DIR / f"{run.notebook}.ipynb",
                draft,
                parameters=run.parameters,
                kernel_name="python3",
                progress_bar=False,
                execution_timeout=CELL_TIMEOUT_SECONDS,
                shutdown_kernel="immediate",
                config=kernel_config(),
            )
        except PapermillExecutionError as error:
            draft.replace(folder / "notebook.failed.ipynb")
            return Outcome(
                run,
                folder,
                time.monotonic() - started,
                None,
                f"cell {error.exec_count}: {error.ename}: {error.evalue}",
            )
        result = results.from_notebook(notebook)
        (folder / "notebook.failed.ipynb").unlink(missing_ok=True)
        draft.replace(folder / "notebook.ipynb")
    write_atomically(folder / "page.html", to_page(notebook, result.title if result else run.notebook))
    if result is not None:
        write_atomically(folder / "result.json", results.to_json(result))
    return Outcome(run, folder, time.monotonic() - started, result)


def to_page(notebook: Any, title: str) -> str:
    """The executed notebook as one HTML page that loads nothing from elsewhere."""
    body, _ = _exporter().from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return body


@lru_cache(maxsize=1)
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    templates = Path(__file__).resolve().parent / "templates"
    return HTMLExporter(
        template_name="page", extra_template_basedirs=[str(templates)], mathjax_url="", require_js_url=""
    )
