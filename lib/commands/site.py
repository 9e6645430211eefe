"""The command `tradegoals site`: pages to read from the runs in the output folder."""

import sys
from pathlib import Path

import click

EXAMPLES = """
\b
Examples
  tradegoals run && tradegoals site            # then open out/site/index.html in a browser
  tradegoals run --runs && tradegoals site     # with every named case of runs.yml
"""


@click.command("site", epilog=EXAMPLES)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), show_default=True, help="Output folder."
)
def site_command(out: Path) -> None:
    """Build the site in out/site, offline; pages whose runs have not changed are kept.

    Runs that failed have a page that says so; the exit code is then 1, so that nobody publishes them unawares.
    """
    from lib.site.build import build_site

    built = build_site(out)
    click.echo(f"{len(built.made)} parts made, {len(built.kept)} kept: {built.folder / 'index.html'}")
    for run in built.failed:
        click.echo(f"FAILED {run.name}: {run.fault.splitlines()[0]}", err=True)
    if built.failed:
        sys.exit(1)
