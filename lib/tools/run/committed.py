"""What is committed: notebooks with the outputs that they gave, and what the runs of CI are expected to find.

A stamp in a notebook says what its outputs were made from: of each code cell, each module of `lib` that they import,
directly or not, and each file that the kernel opened, a few digits of its hash. Code counts by what it does
(`lib.tools.run.freshness`).

Expectations are what runs found when somebody last looked at it and agreed, a file a case in ``tests/expected``.
Verdicts must be the same, numbers may differ within the tolerances that the file states. A difference is told with both
values and with what has changed since, so that a change of an answer is a decision, never an accident.
"""

import ast
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lib import figures as fig
from lib.cases import Case, FlowCase, GoalCase
from lib.errors import UserError, plain_bytes, some
from lib.goals import READING_LABELS
from lib.package import KEPT_ONLY_ENV, notebooks_dir
from lib.research.files import check_checksums, write_atomically
from lib.research.meaning import imported_modules
from lib.results import Result
from lib.tools.run import freshness, matrix
from lib.tools.run.execute import Outcome, run_notebook
from lib.tools.run.freshness import Sources, changes, differing
from lib.tools.run.opened import PREFIX
from lib.tools.strict import read_json
from lib.words import printed

KEY = "tradegoals"
DIGITS = 10
TEMPLATE = "template"

OUTSIDE: dict[str, type[Case]] = {"start": GoalCase, TEMPLATE: FlowCase}
"""The first notebook to open and the one to copy: stamped like the others, though no command runs them."""

MOST_NAMED = 6  # longer lists of what has changed end with a number


def stamped_notebooks() -> dict[str, type[Case]]:
    """Every notebook that is committed with outputs, and the model of its parameters."""
    return {**matrix.NOTEBOOKS, **matrix.ON_REQUEST, **OUTSIDE}


def make_stamp(notebook: Any, opened: Iterable[str]) -> dict[str, Any]:
    """The stamp of a notebook that reads the files `opened`: hashes of code cells in order, of modules and files by name."""
    found = _parts(notebook, list(opened))
    return found | {"cells": list(found["cells"].values())}


def _parts(notebook: Any, opened: list[str]) -> dict[str, dict[str, str]]:
    """By part, the hash of each thing in it: cells by number (from 1, of all cells), modules and files by name."""
    numbered = [(str(n), cell) for n, cell in enumerate(notebook["cells"], 1) if cell["cell_type"] == "code"]
    sources = Sources()
    modules = imported_modules("\n".join(cell["source"] for _, cell in numbered))
    modules |= sources.modules_of_helpers(opened)
    found = {
        "cells": {number: freshness.code_of(cell) for number, cell in numbered},
        "lib": {name: sources.meaning_of(freshness.LIB / f"{name}.py") for name in sorted(modules)},
        "data": {name: sources.data_hash(name, opened) for name in sorted(opened)},
    }
    return {part: {name: digest[:DIGITS] for name, digest in each.items()} for part, each in found.items()}


def stale_parts(notebook: Any) -> dict[str, list[str]]:
    """What has changed since the outputs were made, by part: "cells", "lib", "data"; just "stamp" if there is none."""
    match notebook["metadata"].get(KEY):
        case {"cells": list(cells), "lib": dict(modules), "data": dict(files)}:
            now = _parts(notebook, list(files))
            new = [number for number, digest in now["cells"].items() if digest not in cells]
            same = cells == list(now["cells"].values())
            found = {"cells": new or ([] if same else ["some removed or moved"])}
            found |= {"lib": differing(modules, now["lib"]), "data": differing(files, now["data"])}
            return {part: names for part, names in found.items() if names}
    return {"stamp": []}


def in_words(stale: dict[str, list[str]]) -> str:
    """What is stale as one line: "cells changed: 4, 7; data changed: figures.csv"; empty if nothing is."""
    if "stamp" in stale:
        return "never stamped"
    return "; ".join(f"{part} changed: {some(names, MOST_NAMED)}" for part, names in stale.items())


def restamp(path: Path, kernel: str = "python3") -> None:
    """Execute a notebook at its own parameters, clean it, stamp it and write it; a `UserError` leaves it as it was."""
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    read_notebook(path)  # which says in words what is wrong with a damaged file
    try:
        with tempfile.TemporaryDirectory() as folder:
            notes = Path(folder, "opened")
            # What is committed must not depend on what somebody fetched.
            environment = {KEPT_ONLY_ENV: "1"}
            limits: dict[str, Any] = {"seconds": float("inf"), "environment": environment}
            notebook = run_notebook(path, {}, kernel, notes=notes, **limits)
            opened, _ = freshness.read_opened(notes)
    except PapermillExecutionError as error:
        raise UserError(f"{path.name}: {error.ename}: {error.evalue}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise UserError(f"{path.name}: {str(error).splitlines()[0]}") from None
    if elsewhere := [name for name in opened if name.startswith(("~/", "/", PREFIX))]:
        raise UserError(f"{path.name}: it opens {', '.join(elsewhere)}, expected files of the project alone")
    clean(notebook)
    notebook["metadata"][KEY] = make_stamp(notebook, opened)
    write_atomically(path, nbformat.writes(notebook, indent=1) + "\n")


def read_notebook(path: Path) -> Any:
    """Read a notebook; a file that is missing or damaged is an error that names it."""
    import nbformat

    content = read_json(path)
    if not isinstance(content, dict) or content.get("nbformat") != 4:
        raise UserError(f"{path.name}: found no notebook of format 4, expected one")
    try:
        nbformat.validate(content)
    except nbformat.ValidationError as error:
        raise UserError(f"{path.name}: found no valid notebook ({str(error).splitlines()[0]})") from None
    return nbformat.v4.nbjson.JSONReader().to_notebook(content)


def clean(notebook: Any) -> None:
    """Strip what differs from run to run or machine to machine, and number the cells' ids by position."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook["metadata"] = {"kernelspec": kernel, "language_info": {"name": "python"}}
    for place, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{place:02d}"
        tags = cell["metadata"].get("tags")
        cell["metadata"] = {"tags": tags} if tags else {}


def tidy(path: Path) -> bool:
    """Strip from a fresh notebook what an editor wrote into it by the way, as JupyterLab does; whether there was any."""
    import nbformat

    notebook = read_notebook(path)
    before, stamp = nbformat.writes(notebook, indent=1), notebook["metadata"].get(KEY)
    clean(notebook)
    notebook["metadata"][KEY] = stamp
    if (after := nbformat.writes(notebook, indent=1)) != before:
        write_atomically(path, after + "\n")
    return after != before


def all_faults(in_short: bool = False) -> list[str]:
    """Every fault of the data, the cases and the notebooks, one line each; in short, one for all that are stale."""
    faults = [str(fault) for fault in fig.check_tables() + check_checksums()]
    if not faults:  # parameters are checked against the data: every case would repeat the same lines
        try:
            matrix.expand()
        except UserError as error:
            faults = str(error).splitlines()
    found = notebook_faults()
    if stale := [line.partition(".ipynb: ")[0] for line in found if _STALE in line and in_short]:
        found = [line for line in found if _STALE not in line]
        found.append(f"{len(stale)} notebooks are stale ({some(stale, MOST_NAMED)}); run: tradegoals stamp")
    return faults + found


_STALE = "outputs are stale ("


def notebook_faults(folder: Path | None = None) -> list[str]:
    """Notebooks that are missing, whose parameters cell differs from the model, or whose stamp is stale."""
    faults = []
    for name, model in stamped_notebooks().items():
        path = (folder or notebooks_dir()) / f"{name}.ipynb"
        try:
            notebook = read_notebook(path)
            stale = in_words(stale_parts(notebook))
            found = parameter_faults(notebook, model)
            found += [f"{_STALE}{stale}); run: tradegoals stamp {name}"] if stale else []
        except UserError as error:
            found = [str(error).removeprefix(f"{path.name}: ")]
        faults += [f"{path.name}: {line}" for line in found]
    return faults


def parameter_faults(notebook: Any, model: type[Case]) -> list[str]:
    """Differences between the tagged cell and the typed model: names, order and defaults."""
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        return [f"found {len(cells)} cells tagged parameters, expected 1"]
    try:
        values = _literals(cells[0]["source"])
    except UserError as error:
        return [f"parameters: {error}"]
    if list(values) != list(model.model_fields):
        return [f"parameters: found {list(values)}, expected {list(model.model_fields)}"]
    defaults = model().model_dump(mode="json")
    changed = [key for key in values if values[key] != defaults[key]]
    return [f"parameters: {key}: found {values[key]!r}, expected {defaults[key]!r}" for key in changed]


def _literals(source: str) -> dict[str, Any]:
    """The values that a cell assigns; it is read and never run, for a check must not do what a file says."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise UserError(f"found no plain Python ({error}), expected name = value, line by line") from None
    values: dict[str, Any] = {}
    for statement in statements:
        try:
            match statement:
                case ast.Assign([ast.Name(name)], ast.expr() as value) | ast.AnnAssign(
                    ast.Name(name), value=ast.expr() as value
                ):
                    values[name] = ast.literal_eval(value)
                case _:
                    raise ValueError
        except (ValueError, TypeError, RecursionError, MemoryError):
            found = ast.unparse(statement).splitlines()[0]
            where = f"line {statement.lineno}"
            raise UserError(f"{where}: found {found}, expected name = value, a plain value") from None
    return values


# --- expected outcomes ---

EXPECTED_DIR = Path(__file__).resolve().parents[3] / "tests" / "expected"

TOLERANCES = {"probabilities": 0.002, "rates": 0.0005, "levels": 0.002}
"""Largest difference: absolute for fractions, relative for levels.

What an optimiser estimates differs between processors in the fifth digit, so the third is safe.
"""

COMPUTING = ("numpy", "pandas", "pyarrow", "scipy", "scoringrules", "statsmodels")
"""Packages whose versions are kept: those that can move a number."""

_SHORT = 12  # of each hash: enough to see a change

Expected = dict[str, Any]


def check(outcomes: Iterable[Outcome]) -> list[str]:
    """Lines on how runs differ from what is expected of them; one that failed or has no expectation differs, too."""
    lines: list[str] = []
    for path, group in _by_file(outcomes).items():
        content = _read(path)
        for outcome in group:
            expected = content["runs"].get(outcome.run.name)
            lines += _compare(outcome, expected, content["tolerances"], path.name)
    return lines


def accept(outcomes: Iterable[Outcome]) -> list[str]:
    """Write what runs found as expected from now on; returns the names of the files that changed.

    Other runs of the same cases keep theirs. Where a run failed or recorded nothing, nothing is written.
    """
    texts: dict[Path, str] = {}
    for path, group in _by_file(outcomes).items():
        runs = _read(path)["runs"]
        for outcome in group:
            if (result := outcome.result) is None:
                why = f"failed ({outcome.error})" if outcome.error else "recorded no result"
                raise UserError(f"--accept: {outcome.run.name} {why}; nothing was accepted")
            kept = {"figures": _figures(result), "made_from": _made_from(outcome)}
            runs[outcome.run.name] = facts(result) | kept
        content = {"tolerances": TOLERANCES, "runs": dict(sorted(runs.items()))}
        texts[path] = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    EXPECTED_DIR.mkdir(parents=True, exist_ok=True)
    changed = [path for path in texts if not path.exists() or path.read_text("utf-8") != texts[path]]
    for path in changed:
        write_atomically(path, texts[path])
    return [path.name for path in changed]


def _by_file(outcomes: Iterable[Outcome]) -> dict[Path, list[Outcome]]:
    """Outcomes by the file of their case; a run without one has its own."""
    groups: dict[Path, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.run.name):
        groups.setdefault(EXPECTED_DIR / f"{outcome.run.case or outcome.run.slug}.json", []).append(outcome)
    return dict(sorted(groups.items()))


def facts(result: Result) -> Expected:
    """What is compared, by group: verdicts exactly, the others within their tolerance."""
    found: Expected = {"verdicts": {}, "probabilities": {}, "rates": {}, "levels": {}}
    for item in result.readings:
        label = READING_LABELS[item.reading]
        found["verdicts"][label] = item.outcome
        if item.probability is not None:
            found["probabilities"][label] = _rounded(item.probability)
        if item.needed_rate is not None:
            found["rates"][f"still needed a year, {label}"] = _rounded(item.needed_rate)
    for row in result.estimates:
        level = "" if row.output_type_id is None else f" {row.output_type_id:g}"
        name = f"{row.target} {row.period}, {row.output_type}{level}, {row.unit}"
        group = "probabilities" if row.output_type == "probability" else "rates"
        group = "levels" if row.unit.endswith((" mn", " bn")) else group
        if name in found[group]:
            raise UserError(f"{result.notebook}: found two estimates named {name}, expected one")
        found[group][name] = _rounded(row.value)
    return found


def _rounded(value: float) -> float:
    """Six significant digits: more would differ between machines and only make noise in a diff."""
    return float(f"{value:.6g}")


def _figures(result: Result) -> dict[str, str]:
    """Each figure that the answer rests on, as it stands in the table: "230 USD mn, +50 %, ok"."""
    table = fig.load_figures().set_index("figure_id")
    found = {}
    for name in filter(table.index.__contains__, result.figure_ids):
        row = table.loc[name]
        growth = [f"{row['yoy_pct']:+g} %"] if row["yoy_pct"] == row["yoy_pct"] else []
        found[name] = ", ".join([f"{printed(row['value'])} {row['unit']}".strip(), *growth, row["status"]])
    return found


def _made_from(outcome: Outcome) -> Expected:
    """The parts of the run's key, shortened; nothing where its journal is missing."""
    if (record := freshness.read_journal(outcome.folder)) is None:
        return {}
    parts = {name: part for name, part in record["parts"].items() if name != "page"}
    for name in ("lib", "data"):
        parts[name] = {key: digest[:_SHORT] for key, digest in parts[name].items()}
    versions = {name: parts["versions"][name] for name in COMPUTING if name in parts["versions"]}
    return parts | {"notebook": parts["notebook"][:_SHORT], "versions": versions}


def _compare(
    outcome: Outcome, expected: Expected | None, tolerances: dict[str, float], file: str
) -> list[str]:
    name = outcome.run.name
    if (result := outcome.result) is None:
        what = "failed" if outcome.error else "recorded no result"
        return [f"{name}: {what}, so there is nothing to compare"]
    if expected is None:
        return [f"{name}: no expectation in tests/expected/{file}; look, then run with --accept"]
    try:
        differences = _differences(expected, facts(result), tolerances)
        since = _changed_since(expected, outcome, result)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"tests/expected/{file}: {name}: found a damaged expectation ({error!r})") from None
    if not differences:
        return []
    advice = "if this is right, renew the expectation with --accept"
    head = f"{name}: differs from tests/expected/{file}"
    return [head, *(f"  {line}" for line in (*differences, *since, advice))]


def _differences(expected: Expected, found: Expected, tolerances: dict[str, float]) -> list[str]:
    """One line a fact that is missing, new or too far off, old value first."""
    lines = []
    for group, new in found.items():
        for name in expected[group] | new:
            was, now = expected[group].get(name, "none"), new.get(name, "none")
            if "none" in (was, now) or group == "verdicts":
                if was != now:
                    what = "verdict" if "none" not in (was, now) else group
                    lines.append(f"{what}, {name}: expected {was}, found {now}")
                continue
            kind, scale = ("relative ", abs(was)) if group == "levels" else ("", 1.0)
            if abs(now - was) > tolerances[group] * scale + 1e-12:
                allowed = f"({kind}tolerance {tolerances[group]:g})"
                lines.append(f"{group}, {name}: expected {was}, found {now} {allowed}")
    return lines


def _changed_since(expected: Expected, outcome: Outcome, result: Result) -> list[str]:
    """What decides the output and is not what it was when the expectation was accepted."""
    before, now = expected["made_from"], _made_from(outcome)
    old, new = expected["figures"], _figures(result)
    changed, no = differing(old, new), "not used"
    lines = [f"figure {name}: was {old.get(name, no)}, is {new.get(name, no)}" for name in changed]
    if not before or not now:
        return [*lines, "what else has changed since is not known: a journal is missing"]
    lines += changes(before, now)
    return lines or ["nothing that decides the output has changed since: the machine may be another"]


def _read(path: Path) -> Expected:
    """A file of expectations, with no run in it where there is none; a damaged one is an error that names it."""
    try:
        content = json.loads(plain_bytes(path))
        if isinstance(content["runs"], dict) and set(content["tolerances"]) == set(TOLERANCES):
            return content
        fault: object = "another form"
    except FileNotFoundError:
        return {"tolerances": TOLERANCES, "runs": {}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        fault = f"no readable expectations ({error!r})"
    raise UserError(f"tests/expected/{path.name}: found {fault}, expected what `run --accept` wrote")
