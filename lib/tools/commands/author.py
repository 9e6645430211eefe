"""The commands of an author: `check`, `stamp`, `new` and `kernel` for notebooks, `reference` and `backtest` for research."""

import ast
import json
import re
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import click

from lib.errors import UserError, nearest, quote, some
from lib.package import KEPT_ONLY_ENV, notebooks_dir
from lib.research import files
from lib.tools import commands
from lib.tools.commands import OUT, Out, Texts, agreed, options, report_faults, tell, write_json
from lib.tools.run import freshness
from lib.tools.run.opened import PREFIX
from lib.tools.strict import read_json

if TYPE_CHECKING:
    from lib.cases import Case, FlowCase

TEMPLATE = "template"  # the notebook to copy

PICTURE_OF, PICTURE = "00_did_the_goal_hold", ".github/picture.png"  # README.md shows its first figure

REGISTRY = "tools/run/notebooks.csv"  # in `lib`, where a new notebook is listed


@click.command()
@options
def check(
    renew: Annotated[bool, "After an edit of data: show what differs, ask, and renew the checksums."] = False,
    yes: Annotated[bool, "With --renew: do not ask."] = False,
) -> None:
    """Validate the data, runs.yml, and the committed notebooks (parameters and freshness)."""
    from lib.figures import check_tables

    if renew:
        files.finish_edit()
        report_faults(check_tables())
        shown, changes = files.check_checksums(), commands.differences()
        tell(changes)
        names = ", ".join(dict.fromkeys(line.partition(":")[0] for line in changes))
        if names and not agreed(f"Is that what you changed? Renew the checksum of {names}?", yes):
            raise UserError("check --renew: nothing was renewed")
        if files.check_checksums() != shown:
            raise UserError("check --renew: the data have changed again since they were shown; look again")
        tell(files.refresh_checksums() if names else (), "renewed the checksum of ")
    report_faults(_all_faults(in_short=renew))
    click.echo("Data, runs.yml and notebooks are in order.")


def _stamped_notebooks() -> "dict[str, type[Case]]":
    """Every notebook that is committed with outputs, and the model of its parameters; no command runs the last two."""
    from lib.cases import FlowCase, GoalCase
    from lib.tools.run.matrix import NOTEBOOKS, ON_REQUEST

    return {**NOTEBOOKS, **ON_REQUEST, "start": GoalCase, TEMPLATE: FlowCase}


def _all_faults(in_short: bool = False) -> list[str]:
    """Every fault of the data, the cases and the notebooks, one line each; in short, one for all that are stale."""
    from lib.figures import check_tables
    from lib.tools.run import matrix

    faults = [str(fault) for fault in check_tables() + files.check_checksums()]
    if not faults:  # parameters are checked against the data: every case would repeat the same lines
        try:
            matrix.expand()
        except UserError as error:
            faults = str(error).splitlines()
    faults += _notebook_faults()
    if in_short and (stale := [line for line in faults if STALE in line]):
        names = some([line.partition(".ipynb")[0] for line in stale], 6)
        faults = [line for line in faults if line not in stale]
        faults.append(f"{len(stale)} notebooks are stale ({names}); run: tradegoals stamp")
    return faults


STALE = "outputs are stale ("


def _notebook_faults() -> list[str]:
    """Notebooks that are missing, whose parameters cell differs from the model, or whose stamp is stale."""
    faults = []
    for name, model in _stamped_notebooks().items():
        path = notebooks_dir() / f"{name}.ipynb"
        try:
            notebook = _read_notebook(path)
            stale = freshness.why_stale(notebook)
            found = _parameter_faults(notebook, model)
            found += [f"{STALE}{stale}); run: tradegoals stamp {name}"] * bool(stale)
        except UserError as error:
            found = [str(error).removeprefix(f"{path.name}: ")]
        faults += [f"{path.name}: {line}" for line in found]
    return faults


def _parameter_faults(notebook: Any, model: "type[Case]") -> list[str]:
    """Differences between the tagged cell and the typed model: names, order and defaults."""
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        return [f"found {len(cells)} cells tagged parameters, expected 1"]
    values, defaults = _literals(cells[0]["source"]), model().model_dump(mode="json")
    if list(values) != list(defaults):
        return [f"parameters: found {list(values)}, expected {list(defaults)}"]
    changed = [key for key in values if values[key] != defaults[key]]
    return [f"parameters: {key}: found {values[key]!r}, expected {defaults[key]!r}" for key in changed]


def _literals(source: str) -> dict[str, Any]:
    """The values that a cell assigns; it is read and never run, for a check must not do what a file says."""
    values, line = {}, 1
    try:
        for statement in ast.parse(source).body:
            line = statement.lineno
            match statement:
                case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(
                    ast.Name(name), value=ast.expr() as value
                ):
                    values[name] = ast.literal_eval(value)
                case _:
                    raise ValueError
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or line
        found = f"line {line}: found {source.splitlines()[line - 1].strip()}"
        raise UserError(f"parameters: {found}, expected name = value, a plain value") from None
    return values


def _read_notebook(path: Path) -> Any:
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


@click.command()
@options
def stamp(
    notebook: Texts = (), check: Annotated[bool, "Say what is stale and why; execute nothing."] = False
) -> None:
    """Execute, clean and stamp notebooks after an edit: those that are stale, of all or of those named."""
    from lib.tools.run import kernels, matrix

    stamped = list(_stamped_notebooks())
    names = [matrix.notebook_name(text, stamped) for text in notebook] or stamped
    paths = [notebooks_dir() / f"{name}.ipynb" for name in names]
    stale = {path: _named(path, freshness.why_stale, _read_notebook(path)) for path in paths}
    due = [path for path in paths if stale[path]]
    if check:
        tell(f"{path.stem}: {f'stale, {stale[path]}' if stale[path] else 'fresh'}" for path in paths)
        sys.exit(bool(due))
    if tidied := [path.stem for path in paths if path not in due and _tidy(path)]:
        click.echo(f"tidied {', '.join(tidied)}: an editor had added to what is not in a cell")
    if not due:
        click.echo(f"{len(paths)} fresh, nothing to do")
        return
    commands.expect_known_data()
    kernel = kernels.server()
    for path in due:
        _restamp(path, kernel())
        _renew_picture(path)
        click.echo(f"stamped {path.stem} ({stale[path]})")


def _restamp(path: Path, kernel: str = "python3") -> None:
    """Execute a notebook at its own parameters, clean it, stamp it and write it; a `UserError` leaves it as it was."""
    from lib.tools.run.execute import run_notebook

    # What is committed must not depend on what somebody fetched.
    how: dict[str, Any] = {"seconds": float("inf"), "environment": {KEPT_ONLY_ENV: "1"}}
    try:
        with tempfile.TemporaryDirectory() as folder:
            notebook = run_notebook(path, {}, kernel, notes=(notes := Path(folder, "opened")), **how)
            opened, _ = freshness.read_opened(notes)
    except Exception as error:  # a cell, the kernel: whatever it was
        said = ": ".join(getattr(error, name) for name in ("ename", "evalue") if hasattr(error, name))
        raise UserError(f"{path.name}: {said or str(error).splitlines()[0]}") from None
    if elsewhere := [name for name in opened if name.startswith(("~/", "/", PREFIX))]:
        raise UserError(f"{path.name}: it opens {', '.join(elsewhere)}, expected files of the project alone")
    files.write_atomically(path, _cleaned(notebook, _named(path, freshness.make_stamp, notebook, opened)))


def _named(path: Path, find: Callable[..., Any], *given: Any) -> Any:
    """What is found of a notebook's code; where that cannot be read, the error names the notebook."""
    try:
        return find(*given)
    except UserError as error:
        raise UserError(f"{path.name}: {error}") from None


def _tidy(path: Path) -> bool:
    """Strip from a fresh notebook what an editor wrote into it by the way, as JupyterLab does; whether there was any."""
    notebook = _read_notebook(path)
    text = _cleaned(notebook, notebook["metadata"][freshness.STAMP])
    if is_new := text != path.read_text(encoding="utf-8"):
        files.write_atomically(path, text)
    return is_new


def _cleaned(notebook: Any, stamp: dict[str, Any]) -> str:
    """A notebook's text without what differs from run to run or machine to machine, and cells' ids by position."""
    import nbformat

    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook["metadata"] = {"kernelspec": kernel, "language_info": {"name": "python"}, freshness.STAMP: stamp}
    for place, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{place:02d}"
        tags = cell["metadata"].get("tags")
        cell["metadata"] = {"tags": tags} if tags else {}
    return str(nbformat.writes(notebook, indent=1)) + "\n"


def _renew_picture(path: Path) -> None:
    """Take the picture of README.md from a notebook just stamped, if its first figure is that picture."""
    place = path.parent.parent / PICTURE
    if path.stem == PICTURE_OF and place.exists():
        cells = json.loads(path.read_bytes())["cells"]
        shown = (one.get("data", {}) for cell in cells for one in cell.get("outputs", []))
        encoded = next(data["image/png"] for data in shown if "image/png" in data)
        files.write_atomically(place, b64decode("".join(encoded)))


@click.command()
@options
def new(
    name: str,
    case: Annotated[str, "Whose parameters: FlowCase (a flow on a day), TrendCase, GoalCase …"] = "FlowCase",
) -> None:
    """Make a notebook from the template, parameters wired; `run`, `stamp`, `check` and the tests know it at once.

    A notebook that fails leaves nothing.
    """
    from lib.tools.run import matrix

    _check_name(name)
    if case not in (known := _flow_cases()):
        raise UserError(f"case: found {quote(case)}, expected {nearest(case, known)}")
    folder, registry = notebooks_dir(), freshness.LIB / REGISTRY
    path, before = folder / f"{name}.ipynb", registry.read_text(encoding="utf-8")
    notebook = _filled_in(_read_notebook(folder / f"{TEMPLATE}.ipynb"), name, known[case])
    files.write_atomically(path, _cleaned(notebook, {}))
    try:
        files.write_atomically(registry, f"{before}{name},{case},on request\n")
        _restamp(path)
    except UserError:
        path.unlink()
        files.write_atomically(registry, before)
        raise
    matrix.ON_REQUEST[name] = known[case]
    write_json(matrix.schema(), folder / matrix.SCHEMA_FILE)
    click.echo(
        f"made {path}, with the parameters of {case}; it is listed in lib/{REGISTRY}\n"
        f"Next: edit it in JupyterLab, then: tradegoals stamp {name} && tradegoals run --notebook {name}\n"
        f"To test it: uv run --group test pytest -n 0 notebooks/{name}.ipynb"
    )


def _check_name(name: str) -> None:
    """Refuse a name that is taken, shares its number with another notebook, or is of another form."""
    from lib.tools.run import matrix

    stems = (path.stem for path in notebooks_dir().glob("*.ipynb"))
    known = {other[:2]: other for other in (*matrix.NOTEBOOKS, *matrix.ON_REQUEST, *stems)}
    # From 20 on: lower ones tell the collection's own story.
    free = next(f"{n}" for n in range(20, 100) if f"{n}" not in known)
    if not re.fullmatch(r"[0-9]{2}(_[a-z0-9]+)+", name):
        form = f"two digits and the question in lower case, such as {free}_did_exports_keep_up"
        raise UserError(f"name: found {quote(name)}, expected {form}")
    if other := known.get(name[:2]):
        raise UserError(f"name: found number {name[:2]}, which {other} has; expected one such as {free}")


def _flow_cases() -> dict[str, "type[FlowCase]"]:
    """The models in `lib.cases` that describe a flow, by name."""
    from lib import cases

    models = {name: one for name, one in sorted(vars(cases).items()) if isinstance(one, type)}
    return {name: model for name, model in models.items() if issubclass(model, cases.FlowCase)}


def _filled_in(notebook: Any, name: str, model: "type[Case]") -> Any:
    """The template with title, parameters, case and name in their places."""
    first, question = notebook["cells"][0], name[3:].replace("_", " ").capitalize()
    first["source"] = re.sub("^.*", f"# {question}?", first["source"])
    lines = (
        f"{name} = {json.dumps(value, ensure_ascii=False)}  # {model.model_fields[name].description}"
        for name, value in model().model_dump(mode="json").items()
    )
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = "\n".join(lines)
        elif cell["cell_type"] == "code":
            source = cell["source"].replace("cases.FlowCase", f"cases.{model.__name__}")
            cell["source"] = source.replace(f'"{TEMPLATE}"', f'"{name}"')
    return notebook


@click.command()
@options
def kernel(what: Literal["install"]) -> None:
    """Put the warm kernel into this environment, for JupyterLab, papermill and nbval (Linux).

    It is chosen in JupyterLab as "Python 3 (tradegoals, warm)".
    """
    from lib.tools.run import kernels

    name, folder = kernels.INSTALLED, kernels.install()
    click.echo(
        f"{what}ed {folder}; by name: papermill -k {name} …\nTo take it out: jupyter kernelspec remove {name}"
    )


# --- data/reference, and the same of a panel of one's own ---

PANELS_ENV = "TRADEGOALS_PANELS"

Panel = Annotated[Path | None, "A panel of your own (parquet; data/reference/README.md)."]


@click.command()
@options
def reference(
    step: Texts = (),
    panels: Annotated[Path | None, "Their folder.", {"envvar": PANELS_ENV, "show_envvar": True}] = None,
    check: Annotated[bool, "Say whether the panels are those that were used; compute nothing."] = False,
    fresh: Annotated[bool, "Compute again what is up to date."] = False,
    panel: Panel = None,
    out: Out = OUT,
) -> None:
    """Compute data/reference from the panels: all of it, or some steps; or priors of a panel of your own."""
    from lib.research import pipeline
    from lib.research.panels import check as faults_of

    if panel is not None:
        tell(pipeline.own_priors(panel, out), "wrote ")
    elif panels is None:
        raise UserError(f"panels: found no folder, expected --panels FOLDER or the variable {PANELS_ENV}")
    elif check:
        if faults := faults_of(panels):
            raise UserError(
                "\n".join(["the panels are not those that data/reference was computed from:", *faults])
            )
        click.echo(f"{panels}: all panels are those that data/reference was computed from")
    else:
        ran = pipeline.build(panels, only=step, fresh=fresh)
        tell([f"computed {name} ({why})" for name, why in ran.items()] or ["everything is up to date"])


@click.command()
@options
def backtest(panel: Panel = None, out: Out = OUT) -> None:
    """Score the forecasts out of sample on a panel of your own."""
    from lib.research import pipeline

    if panel is None:
        raise UserError("panel: found none, expected --panel FILE; scores kept here: tradegoals reference")
    tell(pipeline.own_scores(panel, out), "wrote ")
