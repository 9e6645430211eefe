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
    from lib.execution import kernels
    from lib.execution.spec import notebooks_dir
    from lib.execution.stamp import in_words, read_notebook, restamp, stale_parts

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
            click.echo(f"stamped {path.stem}" + (f" ({stale[path]})" if stale[path] else ""))


def _stamped_names(wanted: tuple[str, ...]) -> list[str]:
    """Names of committed notebooks from what was typed, also as a path; all of them by default."""
    from lib.execution.checkup import stamped_notebooks
    from lib.faults import nearest

    names = [Path(name).name.removesuffix(".ipynb") for name in wanted]
    for name in names:
        if name not in stamped_notebooks():
            raise UserError(f'notebook: found "{name}", expected {nearest(name, list(stamped_notebooks()))}')
    return names or list(stamped_notebooks())
