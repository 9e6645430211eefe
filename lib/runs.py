"""Run parameterised notebooks one after another, and keep of each the notebook, a page and its result.

``out/runs/<notebook>/<slug>/`` holds ``notebook.ipynb``, ``page.html`` and ``result.json``. Every file is
written beside its place and renamed, so a stopped run leaves nothing half-written; a notebook that fails is
kept as ``notebook.failed.ipynb``.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib import params, results
from lib.errors import UserError
from lib.files import working_folder, write_atomically
from lib.page import to_page

NOTEBOOKS_DIR = Path(__file__).resolve().parents[1] / "notebooks"
RUNS_FILE = "runs.yml"
NOTEBOOK, PAGE, RESULT, FAILED = "notebook.ipynb", "page.html", "result.json", "notebook.failed.ipynb"

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


@contextmanager
def kernel_config() -> Iterator[Any]:
    """Settings of one kernel: it talks through sockets in a folder of its own, not through ports.

    Others could listen on ports, and two kernels started at once could take the same. By default the sockets
    would lie in the current folder, where the same can happen.
    """
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True) as folder:
        settings = {"connection_file": f"{folder}/kernel.json"}
        if os.name == "posix":
            settings["transport"] = "ipc"
        yield Config({"KernelManager": settings})


def make_run(notebook: str, values: Mapping[str, Any], name: str | None = None) -> Run:
    """Check the parameters of a run; raises `UserError` before any kernel starts."""
    case = params.model_of(notebook).check(values)
    return Run(notebook, name or params.slug(case), case.model_dump(mode="json"))


def load_runs(path: Path | None = None) -> list[Run]:
    """Read the named parameter sets of `runs.yml`: every case with every notebook that it names.

    Raises
    ------
    UserError
        Naming the file, the case and the parameter, for all faults at once.
    """
    path = path or NOTEBOOKS_DIR / RUNS_FILE
    runs, faults = [], []
    for name, case in _read_cases(path).items():
        found = _case_faults(name, case)
        notebooks = (case.get("notebooks") or list(params.NOTEBOOKS)) if not found else []
        for notebook in notebooks:
            try:
                values = values_for(notebook, case.get("parameters") or {}, notebooks)
                runs.append(make_run(notebook, values, name))
            except UserError as error:
                found += str(error).splitlines()
        faults += [f"{path.name}: {name}: {line}" for line in found]
    if faults:
        raise UserError("\n".join(dict.fromkeys(faults)))
    return runs


def values_for(notebook: str, values: Mapping[str, Any], among: Iterable[str]) -> dict[str, Any]:
    """The values that a notebook takes; those that none of `among` takes stay, to be refused by name."""
    own = params.model_of(notebook).model_fields
    taken = {name for other in among for name in params.model_of(other).model_fields}
    return {name: value for name, value in values.items() if name in own or name not in taken}


def _read_cases(path: Path) -> dict[str, Any]:
    """The mapping `cases`, every scalar as text: a value means the same here as after `-p`."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        repeated = _repeated_keys(yaml.compose(text, Loader=yaml.BaseLoader))
        document = yaml.load(text, Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{where}: found no readable YAML ({reason}), expected a mapping `cases`") from None
    if repeated:
        raise UserError("\n".join(f"{path.name}:{line}" for line in repeated))
    cases = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(cases, dict) or not cases:
        raise UserError(f"{path.name}: found no cases, expected a mapping `cases` of case names to mappings")
    return cases


def _repeated_keys(node: Any) -> list[str]:
    """Keys that a mapping holds twice, which YAML readers drop without a word: "12: found …"."""
    pairs = node.value if node is not None and node.id == "mapping" else []
    faults, seen = [], set()
    for key, value in pairs:
        name = str(key.value)
        if name in seen:
            faults.append(f"{key.start_mark.line + 1}: found {name} a second time, expected it once")
        seen.add(name)
        faults += _repeated_keys(value)
    return faults


def _case_faults(name: str, case: Any) -> list[str]:
    """What is wrong with the shape of one case."""
    if not isinstance(case, dict):
        return ["expected a mapping of about, notebooks, parameters"]
    faults = []
    if extra := sorted(set(case) - {"about", "notebooks", "parameters"}):
        faults.append(f"found {', '.join(extra)}, expected about, notebooks, parameters")
    if not isinstance(case.get("notebooks") or [], list):
        faults.append("notebooks: expected a list of names")
    elif not all(isinstance(notebook, str) for notebook in case.get("notebooks") or []):
        faults.append("notebooks: expected names, one an entry")
    values = case.get("parameters") or {}
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        faults.append("parameters: expected a mapping of names to single values")
    if params.slugify(name) != name:
        faults.append(f"found a name unfit for a folder, expected {params.slugify(name)}")
    return faults


def execute_all(runs: Iterable[Run], out: Path) -> Iterator[Outcome]:
    """Execute runs in turn, yielding each outcome as it is known; a failed run does not stop the others."""
    for run in runs:
        yield execute(run, out)


def execute(run: Run, out: Path) -> Outcome:
    """Execute one run and write its files; a folder that cannot be written is the caller's to handle."""
    folder = run.folder(out)
    started = time.monotonic()
    with working_folder(folder) as working:
        draft = working / "notebook.ipynb"
        try:
            result = _publish(_execute_notebook(run, draft), draft, folder)
        except Exception as error:  # cell, kernel, time-out, disk: whatever it was, the other runs go on
            _keep_failure(draft, folder)
            return Outcome(run, folder, time.monotonic() - started, None, _describe(error, folder))
    return Outcome(run, folder, time.monotonic() - started, result)


def _execute_notebook(run: Run, draft: Path) -> Any:
    """The executed notebook; `draft` is kept up to date after every cell."""
    import papermill

    os.environ.update({name: os.environ.get(name, value) for name, value in KERNEL_ENVIRONMENT.items()})
    with kernel_config() as config:
        return papermill.execute_notebook(
            NOTEBOOKS_DIR / f"{run.notebook}.ipynb",
            draft,
            parameters=run.parameters,
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=CELL_TIMEOUT_SECONDS,
            shutdown_kernel="immediate",
            config=config,
            # A kernel that an interrupt leaves alone ends by itself; it need not say so on the terminal.
            extra_arguments=["--log-level=ERROR"],
        )


def _publish(notebook: Any, draft: Path, folder: Path) -> results.Result | None:
    """Write page and result, then move the notebook into place and drop what an earlier failure left."""
    result = results.from_notebook(notebook)
    write_atomically(folder / PAGE, to_page(notebook, result.title if result else folder.parent.name))
    if result is None:
        (folder / RESULT).unlink(missing_ok=True)
    else:
        write_atomically(folder / RESULT, results.to_json(result))
    draft.replace(folder / NOTEBOOK)
    (folder / FAILED).unlink(missing_ok=True)
    return result


def _keep_failure(draft: Path, folder: Path) -> None:
    """Keep the failed notebook; what an earlier run left must not pass for the result of this one."""
    for name in (NOTEBOOK, PAGE, RESULT, FAILED):
        if (folder / name).is_file():
            (folder / name).unlink()
    if draft.exists():
        draft.replace(folder / FAILED)


def _describe(error: Exception, folder: Path) -> str:
    """A failure in words: in which cell, and what was said."""
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        return f"cell {error.exec_count}: {error.ename}: {error.evalue}"
    said = (str(error).splitlines() or [""])[0]
    return f"{_last_cell(folder / FAILED)}: {type(error).__name__}: {said}"


def _last_cell(path: Path) -> str:
    """Where an execution stood when the kernel, not a cell, gave up."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else []
    code = [cell["metadata"].get("papermill", {}) for cell in cells if cell["cell_type"] == "code"]
    begun = sum(bool(times.get("start_time")) for times in code)
    return f"cell {begun}" if begun else "before the first cell"
