"""The commands `reference` and `backtest`: what data/reference holds, and the same of a panel of one's own."""

from pathlib import Path
from typing import Annotated

import click

from lib.errors import UserError
from lib.tools.commands import OUT, Out, Texts, options

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
    ran = pipeline.build(panels, only=step, fresh=fresh)
    for name, why in ran.items():
        click.echo(f"computed {name} ({why})")
    if not ran:
        click.echo("everything is up to date")


@click.command()
@options
def backtest(panel: Panel = None, out: Out = OUT) -> None:
    """Score the forecasts out of sample on a panel of your own."""
    from lib.research import pipeline

    if panel is None:
        raise UserError("panel: found none, expected --panel FILE; scores kept here: tradegoals reference")
    folder = out / f"scores_{panel.stem}"
    for name in pipeline.score_own(panel, folder):
        click.echo(f"wrote {folder / name}")
