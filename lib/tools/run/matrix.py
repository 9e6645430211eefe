"""The matrix: the notebooks with the parameters that each takes, and runs.yml with its named cases.

A case runs each of its notebooks with its parameters. Values are inherited downwards: those of the file hold
for every case, those of a case for each of its combinations, and an axis or an include overrides both. An axis
is a list of values of the parameter that it is named after, or a list of mappings, each of which sets several
parameters. `exclude` drops combinations that hold all values of an entry; `include` adds single ones.
`unanswerable: skip` leaves out combinations that the data cannot answer, such as a day before a flow's first
figure; mistakes are errors all the same. Under `ci`, a case, or the file, has values that replace the others
with `--ci`; the file's `ci` may also list the `cases` to which CI keeps.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lib import cases, fetched
from lib.analysis.cases import (
    CompareCase,
    DriverCase,
    HiddenCase,
    PaceCase,
    PolicyCase,
    ScenarioCase,
    ScoreCase,
    TrackerCase,
    YearEndCase,
)
from lib.errors import UserError, did_you_mean, nearest, plain_bytes, slugify
from lib.goals import shorten
from lib.package import notebooks_dir
from lib.tools.run.freshness import Run
from lib.tools.strict import parse_yaml

NOTEBOOKS: dict[str, type[cases.Case]] = {
    "00_did_the_goal_hold": cases.GoalCase,
    "01_what_do_the_figures_say": cases.FlowCase,
    "02_how_did_trade_grow": PaceCase,
    "03_could_one_have_known": cases.GoalCase,
    "04_how_often_do_goals_hold": cases.GoalCase,
    "05_is_the_forecast_calibrated": ScoreCase,
    "06_what_would_the_trackers_have_said": TrackerCase,
    "07_what_moved_trade": DriverCase,
    "08_did_the_policies_matter": PolicyCase,
    "09_what_would_it_take": ScenarioCase,
    "10_did_harbin_make_it": HiddenCase,
    "11_where_will_the_year_end": YearEndCase,
}
"""The parameters of each notebook that is run by default; the key is the notebook's name."""


ON_REQUEST: dict[str, type[cases.Case]] = {
    "90_compare_runs": CompareCase,
    "91_what_if": cases.GoalCase,
}
"""Notebooks that run only when they are named."""


def model_of(notebook: str) -> type[cases.Case]:
    """Return the parameter model of a notebook by name."""
    models = NOTEBOOKS | ON_REQUEST
    if notebook not in models:
        hint = did_you_mean(notebook, models)
        raise UserError(f'notebook: found "{shorten(notebook)}", expected one of {", ".join(models)}{hint}')
    return models[notebook]


def has_no_answer(notebook: str, values: Mapping[str, Any]) -> bool:
    """Whether the values state a goal that can be asked about, but of which this notebook has nothing to say."""
    stated = {name: value for name, value in values.items() if name in cases.GoalCase.model_fields}
    model = model_of(notebook)
    try:
        cases.GoalCase.check(stated)
    except UserError:
        return False
    try:
        model.check({name: value for name, value in stated.items() if name in model.model_fields})
    except UserError:
        return True
    return False  # then a parameter of the notebook's own is at fault


SCHEMA_FILE = "runs.schema.json"

CASE_KEYS = ("about", "notebooks", "parameters", "axes", "include", "exclude", "unanswerable", "ci")

FILE_KEYS = ("notebooks", "parameters", "unanswerable", "ci", "cases")

CI_KEYS = ("notebooks", "parameters", "axes", "include", "exclude")

FILE_CI_KEYS = ("notebooks", "parameters", "cases")


def read_document(path: Path) -> dict[str, Any]:
    """The file as a mapping with `cases`, every scalar as text."""
    try:
        content = plain_bytes(path)
    except OSError as error:
        raise UserError(f"{path.name}: found no readable YAML ({error.strerror}), expected a file") from None
    document = parse_yaml(content, path.name)
    cases = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(cases, dict) or not cases:
        raise UserError(f"{path.name}: found no cases, expected a mapping `cases` of case names to mappings")
    return document


def _shape_faults(document: dict[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """What is wrong with the shape of the file, one line each: its own faults, and those of each case."""
    faults = _level_faults(document | {"cases": None}, FILE_KEYS, "")
    if isinstance(ci := document.get("ci") or {}, dict):
        faults += _level_faults(ci, FILE_CI_KEYS, "ci: ")
    by_case = {name: _case_faults(name, case) for name, case in document["cases"].items()}
    return faults, {name: wrong for name, wrong in by_case.items() if wrong}


def _case_faults(name: str, case: Any) -> list[str]:
    """What is wrong with the shape of one case."""
    if not isinstance(case, dict):
        return ["expected a mapping of about, notebooks, parameters, axes"]
    faults = _level_faults(case, CASE_KEYS, "")
    if isinstance(ci := case.get("ci") or {}, dict):
        faults += _level_faults(ci, CI_KEYS, "ci: ")
    if slugify(name) != name:
        faults.append(f"found a name unfit for a folder, expected {slugify(name)}")
    return faults


def _level_faults(level: dict[str, Any], allowed: tuple[str, ...], where: str) -> list[str]:
    """Faults of the keys that the file, a case and `ci` have in common."""
    extra = ", ".join(sorted(set(level) - set(allowed)))
    faults = [f"{where}found {extra}, expected {', '.join(allowed)}"] if extra else []
    return faults + [
        f"{where}{key}: expected {words}"
        for key, (is_sound, words) in SHAPES.items()
        if key in allowed and level.get(key) and not is_sound(level[key])
    ]


def _is_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _is_values(values: Any) -> bool:
    return isinstance(values, dict) and all(isinstance(value, str) for value in values.values())


def _is_entries(entries: Any) -> bool:
    return isinstance(entries, list) and all(entry and _is_values(entry) for entry in entries)


def _is_axes(axes: Any) -> bool:
    return isinstance(axes, dict) and all(
        each and (_is_names(each) or _is_entries(each)) for each in axes.values()
    )


SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "notebooks": (_is_names, "a list of names"),
    "parameters": (_is_values, "a mapping of names to single values"),
    "axes": (_is_axes, "for each axis a list of values, or of mappings of names to values"),
    "include": (_is_entries, "a list of mappings of names to single values"),
    "exclude": (_is_entries, "a list of mappings of names to single values"),
    "unanswerable": (lambda value: value in ("skip", "error"), "skip or error"),
    "ci": (lambda value: isinstance(value, dict), "a mapping"),
    "cases": (_is_names, "a list of names of cases"),
}
"""Whether what stands under a key has the right shape, and what is expected; an empty entry counts as none."""


def schema() -> dict[str, Any]:
    """The JSON schema of runs.yml for editors; parameters are those of the typed models of the notebooks."""
    values = {"type": "object", "additionalProperties": False, "properties": _parameters()}
    entries = {"type": "array", "items": {"$ref": "#/$defs/values"}}
    lists = {name: {"type": "array", "items": field} for name, field in _parameters().items()}
    axes = {"type": "object", "properties": lists, "additionalProperties": entries}
    names = {"type": "array", "items": {"enum": [*NOTEBOOKS, *ON_REQUEST]}, "uniqueItems": True}
    level = {
        "about": {"type": "string", "description": "what the case is for"},
        "notebooks": {"$ref": "#/$defs/notebooks"},
        "parameters": {"$ref": "#/$defs/values"},
        "axes": {"$ref": "#/$defs/axes"},
        "include": {**entries, "description": "single combinations beside those of the axes"},
        "exclude": {**entries, "description": "combinations to drop: those that hold all values of an entry"},
        "unanswerable": {"enum": ["skip", "error"], "description": "what to do where the data has no answer"},
    }
    small = {"type": "array", "items": {"type": "string"}, "description": "the only cases with --ci"}
    case = level | {"ci": _mapping({key: level[key] for key in CI_KEYS})}
    top = {key: level[key] for key in FILE_KEYS if key in level}
    top["ci"] = _mapping({key: level[key] for key in FILE_CI_KEYS if key in level} | {"cases": small})
    top["cases"] = {"type": "object", "minProperties": 1, "additionalProperties": _mapping(case)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The matrix of runs (runs.yml)",
        **_mapping(top),
        "required": ["cases"],
        "$defs": {"values": values, "axes": axes, "notebooks": names},
    }


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _parameters() -> dict[str, Any]:
    """The schema of every parameter of any notebook; one that two notebooks take differently allows both."""
    found: dict[str, list[Any]] = {}
    for model in [*NOTEBOOKS.values(), *ON_REQUEST.values()]:
        for name, field in model.model_json_schema()["properties"].items():
            plain = {key: value for key, value in field.items() if key not in ("default", "title")}
            if name == "goal":  # a plain number is a rate in per cent
                plain["type"] = ["string", "number"]
            if plain not in found.setdefault(name, []):
                found[name].append(plain)
    return {name: each[0] if len(each) == 1 else {"anyOf": each} for name, each in sorted(found.items())}


def schema_text() -> str:
    """The schema as it is kept beside runs.yml."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


RUNS_FILE = "runs.yml"

LONGEST_SLUG = 120
"""Most file systems take names of 255 bytes; temporary files beside a folder need some of them."""

MOST_RUNS = 1_000_000

Values = dict[str, str]


def make_run(
    notebook: str, values: Mapping[str, Any], name: str | None = None, case: str = "", where: str = ""
) -> Run:
    """Check the parameters of a run; raises `UserError` before any kernel starts, each line led by `where`."""
    try:
        checked = model_of(notebook).check(values)
    except UserError as error:
        raise UserError("\n".join(where + line for line in str(error).splitlines())) from None
    return Run(notebook, _short_slug(name or cases.slug(checked)), checked.model_dump(mode="json"), case)


def _short_slug(slug: str) -> str:
    """The slug itself, or, if it is too long for a folder's name, its beginning and a digest of the whole."""
    if len(slug) <= LONGEST_SLUG:
        return slug
    return f"{slug[: LONGEST_SLUG - 13].rstrip('-_')}-{sha256(slug.encode()).hexdigest()[:12]}"


def expand(
    path: Path | None = None, ci: bool = False, only: Iterable[str] = ()
) -> tuple[list[Run], dict[str, str]]:
    """Read `runs.yml`: every combination of every case, or of the cases `only`, with every notebook it names.

    Returns
    -------
    The runs, and those left out as unanswerable: name and reason.

    Raises
    ------
    UserError
        Naming the file, the case and the parameter, for all faults at once.
    """
    path = path or notebooks_dir() / RUNS_FILE
    document = read_document(path)
    faults, by_case = _shape_faults(document)
    runs: list[Run] = []
    left_out: dict[str, str] = {}
    lines: list[str] = []
    for name, case in _chosen(document, ci, tuple(only), path.name).items():
        wrong = by_case.pop(name, [])
        if not (faults or wrong):
            found, missing, wrong = _runs_of(name, _settings(document, case, ci))
            runs += found
            left_out |= missing
        lines += [f"{name}: {line}" for line in wrong]
    faults += [
        *lines,
        *(f"{name}: {line}" for name, wrong in by_case.items() for line in wrong),
        *_clashes(runs),
    ]
    if faults:
        raise UserError("\n".join(dict.fromkeys(f"{path.name}: {line}" for line in faults)))
    return runs, left_out


def _chosen(document: dict[str, Any], ci: bool, only: tuple[str, ...], file: str) -> dict[str, Any]:
    """The cases to expand: all, those of CI, or those asked for."""
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
    notebooks = case["notebooks"] or list(NOTEBOOKS)
    try:
        combinations = _combinations(case)
        takers = {notebook: set(model_of(notebook).model_fields) for notebook in notebooks}
    except UserError as error:
        return [], {}, str(error).splitlines()
    skip = case["unanswerable"] == "skip"
    runs: dict[tuple[str, str], Run] = {}
    left_out: dict[str, str] = {}
    faults: list[str] = []
    for values, varied in combinations:
        for notebook in notebooks:
            own = {key: text for key, text in varied.items() if key in takers[notebook]}
            slug = "_".join([name, *(f"{key}-{slugify(text)}" for key, text in own.items())])
            given = values_for(notebook, values, notebooks)
            try:
                runs.setdefault((notebook, slug), make_run(notebook, given, slug, name))
            except UserError as error:
                unasked = not case["notebooks"] and has_no_answer(notebook, given)
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
    if (count := math.prod(map(len, axes))) > MOST_RUNS:
        raise UserError(f"axes: found {count} combinations, expected at most {MOST_RUNS}")
    chosen = itertools.product(*axes) if axes or not case["include"] else ()
    joined = [{key: text for part in parts for key, text in part.items()} for parts in chosen]
    kept = [values for values in joined if not _excluded({**case["parameters"], **values}, case["exclude"])]
    kept += case["include"] or []
    return [({**case["parameters"], **values}, values) for values in kept]


def _excluded(values: Values, entries: list[Values] | None) -> bool:
    return any(entry.items() <= values.items() for entry in entries or ())


def _is_only_unanswerable(notebook: str, values: Mapping[str, Any]) -> bool:
    """Whether names and types are right, and only the data has no answer to them."""
    try:
        case = model_of(notebook).model_validate(dict(values))
    except ValidationError:
        return False
    if not isinstance(case, cases.FlowCase):
        return True
    if case.model_copy(update={"as_of": date.max}).is_on_record():
        return True
    # A misspelt flow is a mistake, one between countries can be fetched.
    return bool(fetched.hint(case.reporter, case.partner))


def _clashes(runs: list[Run]) -> list[str]:
    """Runs that would share a folder."""
    seen: dict[str, Run] = {}
    faults = []
    for run in runs:
        if (other := seen.setdefault(run.name, run)) is not run:
            faults.append(f"{run.case}: its run {run.name} has the folder of one of {other.case}")
    return faults


def one_case(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that all notebooks of a command share: once one of a goal is given, the others are the goal's defaults.

    Without any, each notebook keeps the case of its own.
    """
    shared = cases.GoalCase().model_dump(mode="json")
    return (shared if shared.keys() & values.keys() else {}) | dict(values)


def values_for(notebook: str, values: Mapping[str, Any], among: Iterable[str]) -> dict[str, Any]:
    """The values that a notebook takes; those that none of `among` takes stay, to be refused by name."""
    own = model_of(notebook).model_fields
    taken = {name for other in among for name in model_of(other).model_fields}
    return {name: value for name, value in values.items() if name in own or name not in taken}
