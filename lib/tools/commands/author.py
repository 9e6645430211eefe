"""The commands of an author of notebooks: `new`, `stamp`, `kernel`."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from lib.errors import UserError
from lib.tools.commands.data import expect_known_data


@click.command()
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK]...")
@click.option("--force", is_flag=True, help="Stamp also what is fresh.")
@click.option("--check", "only_check", is_flag=True, help="Say what is stale and why; execute nothing.")
def stamp(notebooks: tuple[str, ...], force: bool, only_check: bool) -> None:
    """Execute, clean and stamp notebooks after an edit: those that are stale, of all or of those named."""
    from lib.package import notebooks_dir
    from lib.tools.run import kernels
    from lib.tools.run import stamp as stamps

    stamped = list(stamps.stamped_notebooks())
    names = [notebook_name(text, stamped) for text in notebooks] or stamped
    paths = [notebooks_dir() / f"{name}.ipynb" for name in names]
    stale = {path: stamps.in_words(stamps.stale_parts(stamps.read_notebook(path))) for path in paths}
    due = [path for path in paths if stale[path] or force]
    if only_check:
        for path in paths:
            click.echo(f"{path.stem}: {f'stale, {stale[path]}' if stale[path] else 'fresh'}")
        sys.exit(bool(due))
    tidied = [path.stem for path in paths if path not in due and stamps.tidy(path)]
    if tidied:
        click.echo(f"tidied {', '.join(tidied)}: an editor had added to what is not in a cell")
    if not due:
        click.echo(f"{len(paths)} fresh, nothing to do")
        return
    expect_known_data()
    with kernels.warm() as kernel:
        for path in due:
            stamps.restamp(path, kernel)
            stamps.renew_picture(path)
            click.echo(f"stamped {path.stem}" + (f" ({stale[path]})" if stale[path] else ""))


def notebook_name(text: str, known: Iterable[str] = ()) -> str:
    """The notebook that was meant: by name, by path, or by a beginning that no other has.

    Parameters
    ----------
    known : names to choose from; by default those that `run` takes.

    Raises
    ------
    UserError
        Naming those that begin so, or the nearest.
    """
    from lib.errors import nearest, quote
    from lib.tools.run.matrix import NOTEBOOKS, ON_REQUEST

    names = list(known) or [*NOTEBOOKS, *ON_REQUEST]
    asked = Path(text).name.removesuffix(".ipynb")
    found = [name for name in names if name == asked] or [name for name in names if name.startswith(asked)]
    if not asked or not found:
        raise UserError(f"notebook: found {quote(text)}, expected {nearest(asked, names)}")
    if len(found) > 1:
        raise UserError(
            f"notebook: found {quote(text)}, expected one of those that begin so: {', '.join(found)}"
        )
    return found[0]


@click.command()
@click.argument("name", metavar="NN_QUESTION")
@click.option("--title", help="The question, as the notebook's title [default: from the name].")
@click.option(
    "--case",
    default="FlowCase",
    show_default=True,
    metavar="CASE",
    help="Whose parameters it takes: FlowCase (a flow on a day), TrendCase (and a rate), GoalCase (a whole goal), …",
)
def new(name: str, title: str | None, case: str) -> None:
    """Make a notebook from the template, parameters wired; `run`, `stamp`, `check` and the tests know it at once."""
    from lib.tools.run.stamp import REGISTRY, make_notebook

    path = make_notebook(name, title, case)
    click.echo(
        f"made {path}, with the parameters of {case}; its name is in {REGISTRY[1]} of lib/{REGISTRY[0]}"
    )
    click.echo("Next")
    for what, command in (
        ("edit", f"uv run --group lab jupyter lab notebooks/{name}.ipynb"),
        ("stamp", f"tradegoals stamp {name}"),
        ("run", f"tradegoals run --notebook {name} -p as_of=2014-04-15"),
        ("test", f"uv run --group test pytest -n 0 notebooks/{name}.ipynb"),
    ):
        click.echo(f"  {what:6}{command}")


@click.group()
def kernel() -> None:
    """Put the warm kernel into this environment, for JupyterLab, papermill and nbval, or take it out (Linux)."""


@kernel.command()
def install() -> None:
    """Add "Python 3 (tradegoals, warm)" to the kernels of this environment."""
    from lib.tools.run import kernels

    click.echo(f"installed {kernels.install()}")
    click.echo(f"Choose it in JupyterLab, or by name: papermill -k {kernels.INSTALLED} …")


@kernel.command()
def uninstall() -> None:
    """Remove it again."""
    from lib.tools.run import kernels

    click.echo(f"removed {kernels.uninstall()}")
