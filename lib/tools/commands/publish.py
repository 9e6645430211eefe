"""The commands `site`, pages to read of all runs; `what-if`, one on which a reader tries a goal; `export`, for a paper."""

import sys
from pathlib import Path

import click

from lib.tools.commands.author import notebook_name
from lib.tools.commands.data import expect_known_data
from lib.tools.commands.results import out_option

EXAMPLES = """
\b
Examples
  tradegoals run && tradegoals site            # then open out/site/index.html in a browser
  tradegoals run --runs && tradegoals site     # with every named case of runs.yml
"""


@click.command("site", epilog=EXAMPLES)
@out_option
def site_command(out: Path) -> None:
    """Build the site in out/site, offline; pages whose runs have not changed are kept.

    Runs that failed have a page that says so; the exit code is then 1, so that nobody publishes them unawares.
    """
    from lib.tools.site.build import build_site

    expect_known_data()
    built = build_site(out)
    click.echo(f"{len(built.made)} parts made, {len(built.kept)} kept: {built.folder / 'index.html'}")
    for run in built.failed:
        click.echo(f"FAILED {run.name}: {run.fault.splitlines()[0]}", err=True)
    if built.failed:
        sys.exit(1)


@click.command("what-if")
@out_option
def whatif_command(out: Path) -> None:
    """Write whatif.html, a page that answers any goal for any flow in the browser, offline."""
    from lib.tools.whatif.page import write_page

    expect_known_data()
    click.echo(f"wrote {write_page(out)}: open it in a browser")


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
@out_option
def export(run: str, formats: tuple[str, ...], out: Path) -> None:
    """Write the figures and tables of an executed run for a paper: RUN is 03_could_one_have_known/default, 03, or a path."""
    from lib.tools.site.export import export as write

    expect_known_data()
    parts = Path(run).parts
    parts = parts[parts.index("runs") + 1 :] if "runs" in parts[:-1] else parts
    executed = [path.name for path in (out / "runs").glob("*/")]
    if parts and executed:
        run = "/".join([notebook_name(parts[0], executed), *parts[1:2]])
    for path in write(run, formats, out):
        click.echo(f"wrote {path}")
