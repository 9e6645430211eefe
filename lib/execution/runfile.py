"""The file runs.yml as such: read it strictly, find every fault of its shape, and describe it as JSON schema."""

import json
from pathlib import Path
from typing import Any

from lib.errors import UserError

SCHEMA_FILE = "runs.schema.json"

CASE_KEYS = ("about", "notebooks", "parameters", "axes", "include", "exclude", "unanswerable", "ci")
FILE_KEYS = ("notebooks", "parameters", "unanswerable", "ci", "cases")
CI_KEYS = ("notebooks", "parameters", "axes", "include", "exclude")
FILE_CI_KEYS = ("notebooks", "parameters", "cases")


def read_document(path: Path) -> dict[str, Any]:
    """The file as a mapping with `cases`, every scalar as text: a value means the same here as after `-p`."""
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
    return document


def _repeated_keys(node: Any) -> list[str]:
    """Keys that a mapping holds twice, which YAML readers drop without a word: "12: found …"."""
    if node is None or node.id == "scalar":
        return []
    if node.id == "sequence":
        return [fault for entry in node.value for fault in _repeated_keys(entry)]
    faults, seen = [], set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            faults.append(f"{key.start_mark.line + 1}: found {name} a second time, expected it once")
        seen.add(name)
        faults += _repeated_keys(value)
    return faults


def shape_faults(document: dict[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """What is wrong with the shape of the file, one line each: its own faults, and those of each case."""
    faults = _level_faults(document, FILE_KEYS, "")
    if isinstance(ci := document.get("ci") or {}, dict):
        faults += _level_faults(ci, FILE_CI_KEYS, "ci: ")
        if not _is_names(ci.get("cases") or []):
            faults.append("ci: cases: expected a list of names of cases")
    by_case = {name: _case_faults(name, case) for name, case in document["cases"].items()}
    return faults, {name: wrong for name, wrong in by_case.items() if wrong}


def _case_faults(name: str, case: Any) -> list[str]:
    """What is wrong with the shape of one case."""
    from lib.params import slugify

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
    faults = []
    if extra := sorted(set(level) - set(allowed)):
        faults.append(f"{where}found {', '.join(extra)}, expected {', '.join(allowed)}")
    given = {key: level.get(key) or None for key in allowed}
    if given.get("notebooks") is not None and not isinstance(given["notebooks"], list):
        faults.append(f"{where}notebooks: expected a list of names")
    elif not _is_names(given.get("notebooks") or []):
        faults.append(f"{where}notebooks: expected names, one an entry")
    if not _is_values(given.get("parameters") or {}):
        faults.append(f"{where}parameters: expected a mapping of names to single values")
    for key in ("include", "exclude"):
        entries = given.get(key) or []
        if not isinstance(entries, list) or not all(entry and _is_values(entry) for entry in entries):
            faults.append(f"{where}{key}: expected a list of mappings of names to single values")
    if not _is_axes(given.get("axes") or {}):
        faults.append(
            f"{where}axes: expected for each axis a list of values, or of mappings of names to values"
        )
    if given.get("unanswerable") not in (None, "skip", "error"):
        faults.append(f"{where}unanswerable: expected skip or error")
    if given.get("ci") is not None and not isinstance(given["ci"], dict):
        faults.append(f"{where}ci: expected a mapping")
    return faults


def _is_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _is_values(values: Any) -> bool:
    return isinstance(values, dict) and all(isinstance(value, str) for value in values.values())


def _is_axes(axes: Any) -> bool:
    return isinstance(axes, dict) and all(
        isinstance(entries, list)
        and bool(entries)
        and (_is_names(entries) or all(entry and _is_values(entry) for entry in entries))
        for entries in axes.values()
    )


def schema() -> dict[str, Any]:
    """The JSON schema of runs.yml for editors; parameters are those of the typed models of the notebooks."""
    from lib.catalogue import NOTEBOOKS, ON_REQUEST

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
    from lib.catalogue import NOTEBOOKS, ON_REQUEST

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
