"""A new notebook from the template: its parameters wired to a typed case, its name known to every command."""

import ast
import json
import re
from pathlib import Path
from typing import Any

from lib import cases
from lib.errors import UserError, nearest, quote
from lib.files import write_atomically
from lib.package import notebooks_dir
from lib.tools.run import freshness, matrix
from lib.tools.run.matrix import SCHEMA_FILE, schema_text
from lib.tools.run.stamp import TEMPLATE, read_notebook, restamp

REGISTRY = ("tools/run/matrix.py", "ON_REQUEST")
"""Module of `lib` and name of the mapping in it that a new notebook goes to."""


def make_notebook(name: str, title: str | None = None, case: str = "FlowCase") -> Path:
    """Write, execute, stamp and register a notebook; returns its file.

    Parameters
    ----------
    name : two digits and the question, ``20_did_exports_keep_up``.
    title : the question as its title; by default made from the name.
    case : name of a model in `lib.cases` that describes a flow; the notebook takes its parameters.

    Raises
    ------
    UserError
        If the name is taken or of another form, the case unknown, or the notebook fails: nothing is then left.
    """
    import nbformat

    check_name(name)
    model = _model(case)
    path = notebooks_dir() / f"{name}.ipynb"
    notebook = _fill_in(read_notebook(notebooks_dir() / f"{TEMPLATE}.ipynb"), name, title, model)
    registry = freshness.LIB / REGISTRY[0]
    before = registry.read_text(encoding="utf-8")
    write_atomically(path, nbformat.writes(notebook, indent=1) + "\n")
    try:
        write_atomically(registry, with_entry(before, REGISTRY[1], name, f"cases.{case}"))
        restamp(path)
    except UserError:
        path.unlink()
        write_atomically(registry, before)
        raise
    matrix.ON_REQUEST[name] = model
    if (notebooks_dir() / SCHEMA_FILE).exists():
        write_atomically(notebooks_dir() / SCHEMA_FILE, schema_text())
    return path


def check_name(name: str) -> None:
    """Refuse a name that is taken, shares its number with another notebook, or is of another form."""
    if not re.fullmatch(r"[0-9]{2}(_[a-z0-9]+)+", name):
        raise UserError(
            f"name: found {quote(name)}, expected two digits and the question in lower case, "
            f"such as {_free_number()}_did_exports_keep_up"
        )
    known = {
        *matrix.NOTEBOOKS,
        *matrix.ON_REQUEST,
        *(path.stem for path in notebooks_dir().glob("*.ipynb")),
    }
    if name in known:
        raise UserError(f"name: found {quote(name)}, which exists; expected a new one")
    if same := [other for other in known if other.startswith(name[:3])]:
        raise UserError(
            f"name: found number {name[:2]}, which {same[0]} has; expected a free one, such as {_free_number()}"
        )


def _free_number() -> str:
    """The first number from 20 on (lower ones tell the collection's own story) that no notebook has."""
    taken = {name[:2] for name in (*matrix.NOTEBOOKS, *matrix.ON_REQUEST)}
    taken |= {path.name[:2] for path in notebooks_dir().glob("[0-9][0-9]_*.ipynb")}
    return next(
        number for number in map("{:02d}".format, [*range(20, 100), *range(20)]) if number not in taken
    )


def flow_cases() -> dict[str, type[cases.FlowCase]]:
    """The models in `lib.cases` that describe a flow, by name."""
    found = {
        name: model
        for name, model in vars(cases).items()
        if isinstance(model, type) and issubclass(model, cases.FlowCase)
    }
    return dict(sorted(found.items()))


def _model(case: str) -> type[cases.FlowCase]:
    if case not in flow_cases():
        raise UserError(f"case: found {quote(case)}, expected {nearest(case, flow_cases())}")
    return flow_cases()[case]


def parameters_cell(model: type[cases.Case]) -> str:
    """The source of a parameters cell: every name with its default and what it means."""
    defaults = model().model_dump(mode="json")
    return "\n".join(
        f"{name} = {json.dumps(defaults[name], ensure_ascii=False)}  # {field.description}"
        for name, field in model.model_fields.items()
    )


def _fill_in(notebook: Any, name: str, title: str | None, model: type[cases.FlowCase]) -> Any:
    """The template with title, parameters, case and name in their places."""
    question = " ".join((title or name[3:].replace("_", " ").capitalize() + "?").split())
    _, _, rest = notebook["cells"][0]["source"].partition("\n")
    notebook["cells"][0]["source"] = f"# {question}\n{rest}"
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = parameters_cell(model)
        elif cell["cell_type"] == "code":
            source = cell["source"].replace("cases.FlowCase", f"cases.{model.__name__}")
            cell["source"] = source.replace(f'"{TEMPLATE}"', f'"{name}"')
    return notebook


def with_entry(source: str, mapping: str, key: str, value: str) -> str:
    """Python source with one more entry at the end of a mapping that it assigns at its top."""
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == mapping:
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            entry = f'    "{key}": {value},\n'
            if first == last:  # on one line: each entry gets its own
                head, _, inside = lines[first].partition("{")
                entries = [f"    {item},\n" for item in inside.rpartition("}")[0].split(", ") if item]
                lines[first] = "".join([head, "{\n", *entries, entry, "}\n"])
            else:
                lines.insert(last, entry)
            return "".join(lines)
    raise UserError(f"found no mapping {mapping} in the source, expected one at its top")
