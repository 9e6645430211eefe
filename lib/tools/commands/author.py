"""The commands of an author of notebooks: `new`, `stamp`, `kernel`."""

import sys
from pathlib import Path

import click

from lib.errors import UserError


@click.command()
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK]...")
@click.option("--force", is_flag=True, help="Stamp also what is fresh.")
@click.option("--check", "only_check", is_flag=True, help="Say what is stale and why; execute nothing.")
def stamp(notebooks: tuple[str, ...], force: bool, only_check: bool) -> None:
    """Execute, clean and stamp notebooks after an edit: those that are stale, of all or of those named."""
    from lib.package import notebooks_dir
    from lib.tools.run import kernels
    from lib.tools.run.stamp import in_words, read_notebook, renew_picture, restamp, stale_parts

    paths = [notebooks_dir() / f"{name}.ipynb" for name in _stamped_names(notebooks)]
    stale = {path: in_words(stale_parts(read_notebook(path))) for path in paths}
    due = [path for path in paths if stale[path] or force]
    if only_check:
        for path in paths:
            click.echo(f"{path.stem}: {f'stale, {stale[path]}' if stale[path] else 'fresh'}")
        sys.exit(bool(due))
    if not due:
        click.echo(f"{len(paths)} fresh, nothing to do")
        return
    with kernels.warm() as kernel:
        for path in due:
            restamp(path, kernel)
            renew_picture(path)
            click.echo(f"stamped {path.stem}" + (f" ({stale[path]})" if stale[path] else ""))


def _stamped_names(wanted: tuple[str, ...]) -> list[str]:
    """Names of committed notebooks from what was typed, also as a path; all of them by default."""
    from lib.errors import nearest
    from lib.tools.run.stamp import stamped_notebooks

    names = [Path(name).name.removesuffix(".ipynb") for name in wanted]
    for name in names:
        if name not in stamped_notebooks():
            raise UserError(f'notebook: found "{name}", expected {nearest(name, list(stamped_notebooks()))}')
    return names or list(stamped_notebooks())


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
    from lib.tools.run.outline import REGISTRY, make_notebook

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
