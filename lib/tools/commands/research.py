"""The commands `reference` and `backtest`: what data/reference holds, and the same of a panel of one's own."""

from pathlib import Path

import click

from lib.errors import UserError
from lib.tools.commands.results import out_option

PANELS_ENV = "TRADEGOALS_PANELS"

panel_option = click.option(
    "--panel",
    type=click.Path(path_type=Path),
    help="A panel of your own (parquet; data/reference/README.md).",
)


@click.command()
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@click.option(
    "--panels",
    type=click.Path(path_type=Path),
    envvar=PANELS_ENV,
    show_envvar=True,
    help="Folder of the panels.",
)
@click.option(
    "--check", is_flag=True, help="Say whether the panels are the ones that were used; compute nothing."
)
@click.option("--fresh", is_flag=True, help="Compute again what is up to date.")
@panel_option
@out_option
def reference(
    steps: tuple[str, ...], panels: Path | None, check: bool, fresh: bool, panel: Path | None, out: Path
) -> None:
    """Compute data/reference from the panels: all of it, or some steps; or priors of a panel of your own."""
    from lib.research import pipeline
    from lib.research.panels import check as faults_of

    if panel is not None:
        click.echo(f"wrote {pipeline.write_priors(panel, out)}")
        return
    if panels is None:
        raise UserError(f"panels: found no folder, expected --panels FOLDER or the variable {PANELS_ENV}")
    if check:
        if faults := faults_of(panels):
            first = "the panels are not those that data/reference was computed from:"
            raise UserError("\n".join([first, *faults]))
        click.echo(f"{panels}: all panels are those that data/reference was computed from")
        return
    ran = pipeline.build(panels, only=steps, fresh=fresh)
    for name, why in ran.items():
        click.echo(f"computed {name} ({why})")
    if not ran:
        click.echo("everything is up to date")


@click.command()
@panel_option
@out_option
def backtest(panel: Path | None, out: Path) -> None:
    """Score the forecasts out of sample on a panel of your own."""
    from lib.research import pipeline

    if panel is None:
        raise UserError("panel: found none, expected --panel FILE; scores kept here: tradegoals reference")
    folder = out / f"scores_{panel.stem}"
    for name in pipeline.score_own(panel, folder):
        click.echo(f"wrote {folder / name}")
