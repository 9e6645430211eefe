"""The command `tradegoals what-if`: the page on which a reader tries another goal."""

from pathlib import Path

import click


@click.command("what-if")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), show_default=True, help="Output folder."
)
def whatif_command(out: Path) -> None:
    """Write whatif.html, a page that answers any goal for any flow in the browser, offline."""
    from lib.whatif.page import write_page

    click.echo(f"wrote {write_page(out)}: open it in a browser")
