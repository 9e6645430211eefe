"""The command `export`: figures and tables of a run for a paper."""

from pathlib import Path

import click

FORMATS = ("svg", "pdf", "csv", "latex")


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMATS),
    default=FORMATS,
    help="Only this (repeatable): figures as svg or pdf, tables as csv or latex [default: all].",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), show_default=True, help="Output folder."
)
def export(run: str, formats: tuple[str, ...], out: Path) -> None:
    """Write the figures and tables of an executed run for a paper: RUN is 03_could_one_have_known/default, or such."""
    from lib.execution.export import export as write

    for path in write(run, formats, out):
        click.echo(f"wrote {path}")
