"""The committed notebooks: their stamps, by which a stale one is found at once, what `check` looks at, and new ones.

A stamp says what the outputs were made from: for each code cell in order, each module of `lib` that they import
(and those that these import) and each file that the kernel opened, a few digits of its hash, so that it can
also be said what has changed. Code counts by what it does (`lib.tools.run.freshness`): Markdown, docstrings,
comments and annotations may change, and the outputs stay good.
"""

import ast
import difflib
import json
import re
import tempfile
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote as encoded
from urllib.parse import unquote

from lib import cases
from lib.cases import Case, FlowCase, GoalCase
from lib.errors import UserError, nearest, plain_bytes, quote
from lib.figures import check_tables
from lib.package import KEPT_ONLY_ENV, notebooks_dir
from lib.research.files import check_checksums, write_atomically
from lib.tools.run import freshness, matrix
from lib.tools.run.execute import Limits, Watch, run_notebook
from lib.tools.run.freshness import Sources
from lib.tools.run.matrix import NOTEBOOKS, ON_REQUEST, SCHEMA_FILE, schema_text
from lib.tools.run.opened import PREFIX

KEY = "tradegoals"

DIGITS = 10

_DIGEST = f"[0-9a-f]{{{DIGITS}}}"

_LIST = re.compile(f"(([^,]+ ({_DIGEST})?)(, |$))*")
"""Names, each with the hash of what has the name, or with none where there is nothing."""

_FORMS = {"cells": re.compile(f"({_DIGEST} ?)*"), "lib": _LIST, "data": _LIST}

TEMPLATE = "template"

OUTSIDE: dict[str, type[Case]] = {"start": GoalCase, TEMPLATE: FlowCase}
"""The first notebook to open and the one to copy: stamped like the others, though no command runs them."""

PICTURE_OF, PICTURE = "00_did_the_goal_hold", ".github/picture.png"
"""The picture of README.md is the first figure of this notebook."""

_STALE = "outputs are stale ("

MOST_NAMED = 6
"""Longer lists of what has changed end with a number."""


def stamped_notebooks() -> dict[str, type[Case]]:
    """Every notebook that is committed with outputs, and the model of its parameters."""
    return {**NOTEBOOKS, **ON_REQUEST, **OUTSIDE}


def make_stamp(notebook: Any, opened: Iterable[str]) -> dict[str, str]:
    """The stamp of a notebook as it is now, a line for each part; `opened` names the files that it reads."""
    now = _parts(notebook, list(opened))
    lists = {
        part: ", ".join(f"{encoded(name, '/ ~')} {digest}" for name, digest in now[part].items())
        for part in ("lib", "data")
    }
    return {"cells": " ".join(now["cells"].values())} | lists


def _parts(notebook: Any, opened: list[str]) -> dict[str, dict[str, str]]:
    """By part, the hash of each thing in it: cells by number (from 1, of all cells), modules and files by name."""
    numbered = [(str(n), cell) for n, cell in enumerate(notebook["cells"], 1) if cell["cell_type"] == "code"]
    sources = Sources()
    names = freshness.imported_modules("\n".join(cell["source"] for _, cell in numbered))
    modules = {f"{name}.py" for name in names} | sources.modules_of_helpers(opened)
    found = {
        "cells": {number: freshness.code_of(cell) for number, cell in numbered},
        "lib": {
            name.removesuffix(".py"): sources.meaning_of(freshness.LIB / name) for name in sorted(modules)
        },
        "data": {name: sources.data_hash(name, opened) for name in sorted(opened)},
    }
    return {part: {name: digest[:DIGITS] for name, digest in each.items()} for part, each in found.items()}


def _read_stamp(stamp: Any) -> dict[str, dict[str, str]] | None:
    """The parts of a stamp, cells by their place among those with code; None if it is none of this form."""
    if not isinstance(stamp, dict) or not all(
        isinstance(stamp.get(part), str) and _FORMS[part].fullmatch(stamp[part]) for part in _FORMS
    ):
        return None
    found = {"cells": {str(place): digest for place, digest in enumerate(stamp["cells"].split())}}
    for part in ("lib", "data"):
        entries = [entry.rpartition(" ") for entry in stamp[part].split(", ") if entry]
        found[part] = {unquote(name): digest for name, _, digest in entries}
    return found


def stale_parts(notebook: Any) -> dict[str, list[str]]:
    """What has changed since the outputs were made, by part: "cells" (numbers), "lib" and "data" (names).

    Parts without a change are absent; a notebook without a stamp has the single part "stamp".
    """
    stamp = _read_stamp(notebook["metadata"].get(KEY))
    if stamp is None:
        return {"stamp": []}
    now = _parts(notebook, list(stamp["data"]))
    found = {"cells": _changed_cells(list(stamp["cells"].values()), now["cells"])}
    for part in ("lib", "data"):
        names = stamp[part] | now[part]
        found[part] = sorted(name for name in names if stamp[part].get(name) != now[part].get(name))
    return {part: names for part, names in found.items() if names}


def in_words(stale: dict[str, list[str]]) -> str:
    """What is stale as one line: "cells changed: 4, 7; data changed: figures.csv"; empty if nothing is."""
    if "stamp" in stale:
        return "never stamped"
    return "; ".join(f"{part} changed: {_listed(names)}" for part, names in stale.items())


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _changed_cells(before: list[str], now: dict[str, str]) -> list[str]:
    """Numbers of cells that are new or do something else; of one removed, where it was."""
    numbers, found = ["0", *now], []
    matcher = difflib.SequenceMatcher(None, before, list(now.values()), autojunk=False)
    for kind, i, j, first, last in matcher.get_opcodes():
        if kind == "delete":
            found.append(f"{j - i} removed after {numbers[first]}")
        elif kind != "equal":
            found += numbers[first + 1 : last + 1]
    return found


def restamp(path: Path, kernel: str = "python3") -> None:
    """Execute a notebook at its own parameters, clean it, stamp it and write it in place.

    Raises
    ------
    UserError
        If a cell fails, or the outputs depend on what others have not; the file is then left as it was.
    """
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    read_notebook(path)  # which says in words what is wrong with a damaged file
    try:
        with tempfile.TemporaryDirectory() as folder:
            notes = Path(folder, "opened")
            notebook = run_notebook(
                path,
                {},
                kernel,
                Watch(),
                notes,
                limits=Limits.from_now(float("inf")),
                environment={
                    KEPT_ONLY_ENV: "1"
                },  # what is committed must not depend on what somebody fetched
            )
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


def first_picture(notebook: Any) -> bytes:
    """The first figure that a notebook shows, as PNG; empty if it shows none."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return b64decode("".join(pictures[0])) if pictures else b""


def renew_picture(path: Path) -> None:
    """Take the picture of README.md from a notebook just stamped, if it is the one that has it."""
    place = path.parent.parent / PICTURE
    if path.stem == PICTURE_OF and place.exists():
        write_atomically(place, first_picture(read_notebook(path)))


def read_notebook(path: Path) -> Any:
    """Read a notebook; a file that is missing or damaged is an error that names it."""
    import nbformat

    try:
        text = plain_bytes(path).decode("utf-8")
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("nbformat") != 4:
            raise UserError(f"{path.name}: found no notebook of format 4, expected one")
        nbformat.validate(content)
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name}: found no valid JSON ({error}), expected a notebook") from None
    except nbformat.ValidationError as error:
        raise UserError(f"{path.name}: found no valid notebook ({str(error).splitlines()[0]})") from None
    return nbformat.reads(text, as_version=4)


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
    if (after := nbformat.writes(notebook, indent=1)) == before:
        return False
    write_atomically(path, after + "\n")
    return True


def all_faults(in_short: bool = False) -> list[str]:
    """Every fault of the data, the cases and the notebooks, one line each; in short, one for all that are stale."""
    faults = [str(fault) for fault in check_tables() + check_checksums()]
    if not faults:  # parameters are checked against the data: every case would repeat the same lines
        try:
            matrix.expand()
        except UserError as error:
            faults = str(error).splitlines()
    found = notebook_faults()
    stale = [line for line in found if _STALE in line] if in_short else []
    names = [line.partition(".ipynb: ")[0] for line in stale]
    short = [f"{len(stale)} notebooks are stale ({_listed(names)}); run: tradegoals stamp"] if stale else []
    return [*faults, *(line for line in found if line not in stale), *short]


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
    words = [f"{_STALE}{stale}); run: tradegoals stamp {path.stem}"] if stale else []
    return [*parameter_faults(notebook, model), *words]


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
    return [
        f"parameters: {key}: found {values[key]!r}, expected {defaults[key]!r}"
        for key in values
        if values[key] != defaults[key]
    ]


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
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    values[name] = ast.literal_eval(value)
                case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                    values[name] = ast.literal_eval(value)
                case _:
                    raise ValueError
        except (ValueError, TypeError, RecursionError, MemoryError):
            found = ast.unparse(statement).splitlines()[0]
            raise UserError(
                f"line {statement.lineno}: found {found}, expected name = value, a plain value"
            ) from None
    return values


# --- a new notebook from the template, its parameters wired, its name known to every command ---

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
    if case not in flow_cases():
        raise UserError(f"case: found {quote(case)}, expected {nearest(case, flow_cases())}")
    model = flow_cases()[case]
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
    known = {*matrix.NOTEBOOKS, *matrix.ON_REQUEST, *(path.stem for path in notebooks_dir().glob("*.ipynb"))}
    if name in known:
        raise UserError(f"name: found {quote(name)}, which exists; expected a new one")
    if same := [other for other in known if other.startswith(name[:3])]:
        raise UserError(
            f"name: found number {name[:2]}, which {same[0]} has; expected a free one, such as {_free_number()}"
        )


def _free_number() -> str:
    """The first number from 20 on (lower ones tell the collection's own story) that no notebook has."""
    names = [*matrix.NOTEBOOKS, *matrix.ON_REQUEST, *(path.name for path in notebooks_dir().glob("*.ipynb"))]
    numbers = map("{:02d}".format, [*range(20, 100), *range(20)])
    return next(number for number in numbers if not any(name.startswith(number) for name in names))


def flow_cases() -> dict[str, type[FlowCase]]:
    """The models in `lib.cases` that describe a flow, by name."""
    return {
        name: model
        for name, model in sorted(vars(cases).items())
        if isinstance(model, type) and issubclass(model, FlowCase)
    }


def parameters_cell(model: type[Case]) -> str:
    """The source of a parameters cell: every name with its default and what it means."""
    defaults = model().model_dump(mode="json")
    return "\n".join(
        f"{name} = {json.dumps(defaults[name], ensure_ascii=False)}  # {field.description}"
        for name, field in model.model_fields.items()
    )


def _fill_in(notebook: Any, name: str, title: str | None, model: type[FlowCase]) -> Any:
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
    """Python source with one more entry at the end of a mapping that it assigns at its top, a line an entry."""
    before, start, rest = source.partition(f"\n{mapping}: ")
    entries, end, after = rest.partition("\n}\n")
    if not (start and end):
        raise UserError(f"found no mapping {mapping} in the source, expected one at its top")
    return f'{before}{start}{entries}\n    "{key}": {value},{end}{after}'
