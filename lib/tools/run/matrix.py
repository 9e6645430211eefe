"""The matrix: the notebooks with the parameters that each takes, and runs.yml with its named cases (`runs.schema.json`)."""

import csv
import itertools
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastjsonschema
from pydantic import ValidationError

from lib import cases, fetched
from lib.analysis import cases as special
from lib.errors import UserError, did_you_mean, nearest, quote, read_bytes
from lib.package import notebooks_dir
from lib.tables import at_rest
from lib.tools.run.freshness import Chosen, Run
from lib.tools.strict import parse_yaml, slugify


def _registered(run: str) -> dict[str, type[cases.Case]]:
    """The parameters of each notebook of `notebooks.csv` that is run "by default", or "on request" alone."""
    table = Path(__file__).with_name("notebooks.csv").read_text(encoding="utf-8")
    models, rows = vars(cases) | vars(special), csv.DictReader(table.splitlines())
    return {row["notebook"]: models[row["case"]] for row in rows if row["run"] == run}


NOTEBOOKS, ON_REQUEST = _registered("by default"), _registered("on request")


def notebook_name(text: str, known: Iterable[str] = ()) -> str:
    """The notebook that was meant, of `known` or of those that `run` takes: by name, path, or beginning."""
    names = list(known) or [*NOTEBOOKS, *ON_REQUEST]
    asked = Path(text).name.removesuffix(".ipynb")
    found = [name for name in names if name == asked] or [name for name in names if name.startswith(asked)]
    if not asked or len(found) != 1:
        raise UserError(f"notebook: found {quote(text)}, expected {nearest(asked, found or names)}")
    return found[0]


def _model_of(notebook: str) -> type[cases.Case]:
    """The parameter model of a notebook by name."""
    models = NOTEBOOKS | ON_REQUEST
    if notebook not in models:
        hint = did_you_mean(notebook, models)
        raise UserError(f"notebook: found {quote(notebook)}, expected one of {', '.join(models)}{hint}")
    return models[notebook]


# --- what runs.yml may hold ---

RUNS_FILE, SCHEMA_FILE = "runs.yml", "runs.schema.json"

_SHAPE = Path(__file__).with_name(SCHEMA_FILE).read_text(encoding="utf-8")
"""What may stand on each level of the file, and what it does; descriptions of entries say what is expected."""


def schema() -> Any:
    """The JSON schema of runs.yml for editors; parameters are those of the typed models of the notebooks."""
    found, parameters = json.loads(_SHAPE), _parameters()
    lists = {name: {"type": "array", "items": field} for name, field in parameters.items()}
    found["$defs"]["values"] |= {"additionalProperties": False, "properties": parameters}
    found["$defs"]["axes"] |= {"properties": lists, "additionalProperties": {"$ref": "#/$defs/entries"}}
    found["$defs"]["notebooks"] |= {"items": {"enum": [*NOTEBOOKS, *ON_REQUEST]}, "uniqueItems": True}
    return found


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


@cache
def _checks(level: str) -> dict[str, tuple[Callable[[Any], Any], str]]:
    """What may stand on a level of the file, by name: a function that raises for another shape, and what is expected."""
    parts = {"$defs": json.loads(_SHAPE)["$defs"]}
    known = parts["$defs"][level]["properties"].items()
    return {name: (fastjsonschema.compile(one | parts), one["description"]) for name, one in known}


def _shaped(level: str, content: Any) -> tuple[dict[str, Any], list[str]]:
    """A level of the file without empty entries, which count as none; and what has the wrong shape, one line each."""
    checks, found, faults = _checks(level), {}, []
    if not isinstance(content, dict):
        return {}, [f"expected a mapping of {', '.join(checks)}"]
    for name, value in content.items():
        if name not in checks:
            faults.append(f"found {name}, expected {', '.join(checks)}")
        elif name == "ci" and value:
            found[name], wrong = _shaped(f"{level}_ci", value)
            faults += [f"ci: {line}" for line in wrong]
        elif value:
            try:
                found[name] = checks[name][0](value)
            except fastjsonschema.JsonSchemaException:
                faults.append(f"{name}: expected {checks[name][1]}")
    return found, faults


# --- from runs.yml to runs ---

# Most file systems take names of 255 bytes; temporary files beside a folder need some of them.
LONGEST_SLUG = 120
MOST_RUNS = 1_000_000


def _slug(case: cases.Case) -> str:
    """Readable key of a parameter set for folders and addresses: what differs from the defaults, in order."""
    mine, usual = case.model_dump(), type(case)().model_dump()
    parts = [f"{name}-{slugify(str(mine[name]))}" for name in mine if mine[name] != usual[name]]
    return "_".join(parts) or "default"


def make_run(
    notebook: str, values: Mapping[str, Any], name: str | None = None, case: str = "", where: str = ""
) -> Run:
    """Check the parameters of a run; raises `UserError` before any kernel starts, each line led by `where`."""
    try:
        checked = _model_of(notebook).check(values)
    except UserError as error:
        raise UserError("\n".join(where + line for line in str(error).splitlines())) from None
    if len(name := name or _slug(checked)) > LONGEST_SLUG:
        name = f"{name[: LONGEST_SLUG - 13].rstrip('-_')}-{sha256(name.encode()).hexdigest()[:12]}"
    return Run(notebook, name, checked.model_dump(mode="json"), case)


@at_rest()
def expand(path: Path | None = None, ci: bool = False, only: Collection[str] = ()) -> Chosen:
    """The runs of all cases of `runs.yml`, or of some, and why others are left out; a `UserError` names all faults."""
    path = path or notebooks_dir() / RUNS_FILE
    document = parse_yaml(read_bytes(path), path.name)
    named = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(named, dict) or not named:
        raise UserError(f"{path.name}: found no cases, expected a mapping `cases` of case names to mappings")
    file, faults = _shaped("file", document | {"cases": None})
    every = {name: _shaped("case", case) for name, case in named.items()}
    runs: list[Run] = []
    left_out: dict[str, str] = {}
    of_ci = file.get("ci", {}).get("cases", []) if ci else []
    for option, names in (("--case", only), (f"{path.name}: ci: cases", of_ci)):
        for name in names:
            if name not in every:
                raise UserError(f'{option}: found "{name}", expected {nearest(name, every)}')
    for name in filter((only or of_ci or every).__contains__, every):
        case, wrong = every[name]
        if slugify(name) != name:
            wrong = [*wrong, f"found a name unfit for a folder, expected {slugify(name)}"]
        if not wrong:
            layers = [file, case, *([file.get("ci", {}), case.get("ci", {})] if ci else [])]
            found, missing, wrong = _runs_of(name, layers)
            runs += found
            left_out |= missing
        faults += [f"{name}: {line}" for line in wrong]
    by_name: dict[str, Run] = {}
    for run in runs:
        if (other := by_name.setdefault(run.name, run)) is not run:
            faults.append(f"{run.case}: its run {run.name} has the folder of one of {other.case}")
    if faults:
        raise UserError("\n".join(dict.fromkeys(f"{path.name}: {line}" for line in faults)))
    return runs, left_out


def _runs_of(name: str, layers: list[dict[str, Any]]) -> tuple[list[Run], dict[str, str], list[str]]:
    """The runs of one case, those left out, and what is wrong; a value of a later layer wins."""
    case = {key: value for layer in layers for key, value in layer.items()}
    case["parameters"] = {key: text for layer in layers for key, text in layer.get("parameters", {}).items()}
    notebooks = case.get("notebooks") or list(NOTEBOOKS)
    try:
        combinations = _combinations(case)
        takers = {notebook: set(_model_of(notebook).model_fields) for notebook in notebooks}
    except UserError as error:
        return [], {}, str(error).splitlines()
    runs: dict[tuple[str, str], Run] = {}
    left_out: dict[str, str] = {}
    faults: list[str] = []
    for values, varied in combinations:
        for notebook in notebooks:
            own = {key: text for key, text in varied.items() if key in takers[notebook]}
            slug = "_".join([name, *(f"{key}-{slugify(text)}" for key, text in own.items())])
            given = _values_for(notebook, values, notebooks)
            try:
                runs.setdefault((notebook, slug), make_run(notebook, given, slug, name))
            except UserError as error:
                unasked = "notebooks" not in case and _has_no_answer(notebook, given)
                if unasked or (case.get("unanswerable") == "skip" and _is_only_unanswerable(notebook, given)):
                    left_out[f"{notebook}/{slug}"] = str(error).splitlines()[0]
                else:
                    faults += str(error).splitlines()
    return list(runs.values()), left_out, faults


def _combinations(case: dict[str, Any]) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Every combination: all its values, and those of axes and includes, which name it."""
    axes = [
        [entry if isinstance(entry, dict) else {axis: entry} for entry in entries]
        for axis, entries in case.get("axes", {}).items()
    ]
    if (count := math.prod(map(len, axes))) > MOST_RUNS:
        raise UserError(f"axes: found {count} combinations, expected at most {MOST_RUNS}")
    chosen = itertools.product(*axes) if axes or "include" not in case else ()
    joined = [{key: text for part in parts for key, text in part.items()} for parts in chosen]
    every = [(case["parameters"] | values, values) for values in joined]
    kept = [one for one in every if not any(out.items() <= one[0].items() for out in case.get("exclude", []))]
    return kept + [(case["parameters"] | values, values) for values in case.get("include", [])]


def _is_only_unanswerable(notebook: str, values: Mapping[str, Any]) -> bool:
    """Whether names and types are right, and only the data has no answer to them."""
    try:
        case = _model_of(notebook).model_validate(dict(values))
    except ValidationError:
        return False
    if not isinstance(case, cases.FlowCase) or case.model_copy(update={"as_of": date.max}).is_on_record():
        return True
    return bool(fetched.hint(case.reporter, case.partner))  # of countries: a misspelt flow is a mistake


def _has_no_answer(notebook: str, values: Mapping[str, Any]) -> bool:
    """Whether the values state a goal that can be asked about, but of which this notebook has nothing to say."""
    stated = {name: value for name, value in values.items() if name in cases.GoalCase.model_fields}
    model = _model_of(notebook)
    try:
        cases.GoalCase.check(stated)
    except UserError:
        return False
    try:
        model.check({name: value for name, value in stated.items() if name in model.model_fields})
    except UserError:
        return True
    return False  # then a parameter of the notebook's own is at fault


def _values_for(notebook: str, values: Mapping[str, Any], among: Iterable[str]) -> dict[str, Any]:
    """The values that a notebook takes; those that none of `among` takes stay, to be refused by name."""
    own = _model_of(notebook).model_fields
    taken = {name for other in among for name in _model_of(other).model_fields}
    return {name: value for name, value in values.items() if name in own or name not in taken}


def runs_with(values: dict[str, Any], notebooks: Iterable[str] = ()) -> Chosen:
    """The runs of some notebooks, or of all, with these values; and those of all that have no answer, with the reason."""
    wanted = list(dict.fromkeys(notebooks or NOTEBOOKS))
    shared = cases.GoalCase().model_dump(mode="json")
    if len(wanted) > 1 and shared.keys() & values.keys():  # else each keeps the case of its own
        values = shared | values
    runs, left_out = [], {}
    for notebook in wanted:
        given = _values_for(notebook, values, wanted)
        try:
            where = f"{notebook}: " if len(wanted) > 1 else ""  # among several, a fault says whose it is
            runs.append(make_run(notebook, given, where=where))
        except UserError as error:
            if notebooks or not _has_no_answer(notebook, given):
                raise
            left_out[notebook] = str(error).splitlines()[0]
    return runs, left_out
