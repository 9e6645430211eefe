"""The matrix of runs.yml: named cases, axes × includes × excludes, and smaller values for CI.

A case runs each of its notebooks with its parameters. Values are inherited downwards: those of the file hold
for every case, those of a case for each of its combinations, and an axis or an include overrides both. An axis
is a list of values of the parameter that it is named after, or a list of mappings, each of which sets several
parameters. `exclude` drops combinations that hold all values of an entry; `include` adds single ones.
`unanswerable: skip` leaves out combinations that the data cannot answer, such as a day before a flow's first
figure; mistakes are errors all the same. Under `ci`, a case, or the file, has values that replace the others
with `--ci`; the file's `ci` may also list the `cases` to which CI keeps.
"""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lib import catalogue, fetched, params
from lib.errors import UserError
from lib.execution.runfile import read_document, shape_faults
from lib.execution.spec import Run, notebooks_dir, short_slug

RUNS_FILE = "runs.yml"
MOST_RUNS = 1_000_000

Values = dict[str, str]


def make_run(notebook: str, values: Mapping[str, Any], name: str | None = None, case: str = "") -> Run:
    """Check the parameters of a run; raises `UserError` before any kernel starts."""
    checked = catalogue.model_of(notebook).check(values)
    slug = short_slug(name or params.slug(checked))
    return Run(notebook, slug, checked.model_dump(mode="json"), case)


def load_runs(path: Path | None = None, ci: bool = False, only: Iterable[str] = ()) -> list[Run]:
    """Read `runs.yml`: every combination of every case, or of the cases `only`, with every notebook it names.

    Raises
    ------
    UserError
        Naming the file, the case and the parameter, for all faults at once.
    """
    return expand(path, ci, only)[0]


def expand(
    path: Path | None = None, ci: bool = False, only: Iterable[str] = ()
) -> tuple[list[Run], dict[str, str]]:
    """The runs of the file, and those left out as unanswerable: name and reason."""
    path = path or notebooks_dir() / RUNS_FILE
    document = read_document(path)
    faults, by_case = shape_faults(document)
    runs: list[Run] = []
    left_out: dict[str, str] = {}
    lines: list[str] = []
    for name, case in _chosen(document, ci, tuple(only), path.name).items():
        wrong = by_case.pop(name, [])
        found, missing, more = (
            ([], {}, []) if faults or wrong else _runs_of(name, _settings(document, case, ci))
        )
        runs += found
        left_out |= missing
        lines += [f"{name}: {line}" for line in wrong + more]
    faults += (
        lines + [f"{name}: {line}" for name, wrong in by_case.items() for line in wrong] + _clashes(runs)
    )
    if faults:
        raise UserError("\n".join(dict.fromkeys(f"{path.name}: {line}" for line in faults)))
    return runs, left_out


def _chosen(document: dict[str, Any], ci: bool, only: tuple[str, ...], file: str) -> dict[str, Any]:
    """The cases to expand: all, those of CI, or those asked for."""
    from lib.faults import nearest

    cases = document["cases"]
    for name in only:
        if name not in cases:
            raise UserError(f'--case: found "{name}", expected {nearest(name, cases)}')
    listed = (document.get("ci") or {}).get("cases") if ci and isinstance(document.get("ci"), dict) else None
    for name in listed or ():
        if name not in cases:
            raise UserError(f'{file}: ci: cases: found "{name}", expected {nearest(name, cases)}')
    names = only or listed or cases
    return {name: cases[name] for name in names}


def _settings(document: dict[str, Any], case: dict[str, Any], ci: bool) -> dict[str, Any]:
    """A case with what it inherits; its own values win, and those for CI over all."""
    layers = [document, case]
    if ci:
        layers += [document.get("ci") or {}, case.get("ci") or {}]
    merged: dict[str, Any] = {}
    for key in ("notebooks", "axes", "include", "exclude", "unanswerable"):
        given = [layer[key] for layer in layers if layer.get(key)]
        merged[key] = given[-1] if given else None
    merged["parameters"] = {k: v for layer in layers for k, v in (layer.get("parameters") or {}).items()}
    return merged


def _runs_of(name: str, case: dict[str, Any]) -> tuple[list[Run], dict[str, str], list[str]]:
    """The runs of one case, those left out, and what is wrong."""
    notebooks = case["notebooks"] or list(catalogue.NOTEBOOKS)
    try:
        combinations = _combinations(case)
        takers = {notebook: set(catalogue.model_of(notebook).model_fields) for notebook in notebooks}
    except UserError as error:
        return [], {}, str(error).splitlines()
    skip = case["unanswerable"] == "skip"
    runs: dict[tuple[str, str], Run] = {}
    left_out: dict[str, str] = {}
    faults: list[str] = []
    for values, varied in combinations:
        for notebook in notebooks:
            own = {key: text for key, text in varied.items() if key in takers[notebook]}
            slug = "_".join([name, *(f"{key}-{params.slugify(text)}" for key, text in own.items())])
            given = values_for(notebook, values, notebooks)
            try:
                runs.setdefault((notebook, slug), make_run(notebook, given, slug, name))
            except UserError as error:
                unasked = not case["notebooks"] and catalogue.has_no_answer(notebook, given)
                if unasked or (skip and _is_only_unanswerable(notebook, given)):
                    left_out[f"{notebook}/{slug}"] = str(error).splitlines()[0]
                else:
                    faults += str(error).splitlines()
    return list(runs.values()), left_out, faults


def _combinations(case: dict[str, Any]) -> list[tuple[Values, Values]]:
    """Every combination: all its values, and those of axes and includes, which name it."""
    axes = [
        [entry if isinstance(entry, dict) else {axis: entry} for entry in entries]
        for axis, entries in (case["axes"] or {}).items()
    ]
    count = 1
    for entries in axes:
        count *= len(entries)
    if count > MOST_RUNS:
        raise UserError(f"axes: found {count} combinations, expected at most {MOST_RUNS}")
    chosen = [_joined(parts) for parts in itertools.product(*axes)] if axes or not case["include"] else []
    kept = [values for values in chosen if not _excluded({**case["parameters"], **values}, case["exclude"])]
    kept += case["include"] or []
    return [({**case["parameters"], **values}, values) for values in kept]


def _joined(parts: Iterable[Values]) -> Values:
    return {key: text for part in parts for key, text in part.items()}


def _excluded(values: Values, entries: list[Values] | None) -> bool:
    return any(all(values.get(key) == text for key, text in entry.items()) for entry in entries or ())


def _is_only_unanswerable(notebook: str, values: Mapping[str, Any]) -> bool:
    """Whether names and types are right, and only the data has no answer to them."""
    from pydantic import ValidationError

    try:
        case = catalogue.model_of(notebook).model_validate(dict(values))
    except ValidationError:
        return False
    if not isinstance(case, params.FlowCase):
        return True
    try:
        case.record()
    except UserError:  # a misspelt flow is a mistake, one between countries can be fetched
        return bool(fetched.hint(case.reporter, case.partner))
    return True


def _clashes(runs: list[Run]) -> list[str]:
    """Runs that would share a folder."""
    seen: dict[str, Run] = {}
    faults = []
    for run in runs:
        if (other := seen.setdefault(run.name, run)) is not run:
            faults.append(f"{run.case}: its run {run.name} has the folder of one of {other.case}")
    return faults


def values_for(notebook: str, values: Mapping[str, Any], among: Iterable[str]) -> dict[str, Any]:
    """The values that a notebook takes; those that none of `among` takes stay, to be refused by name."""
    own = catalogue.model_of(notebook).model_fields
    taken = {name for other in among for name in catalogue.model_of(other).model_fields}
    return {name: value for name, value in values.items() if name in own or name not in taken}


def check_run(run: Run, where: str) -> Run:
    """A run from elsewhere with its parameters checked; `where` names its file in messages."""
    try:
        checked = catalogue.model_of(run.notebook).check(run.parameters)
    except UserError as error:
        raise UserError("\n".join(f"{where}: {line}" for line in str(error).splitlines())) from None
    return Run(run.notebook, run.slug, checked.model_dump(mode="json"), run.case)
