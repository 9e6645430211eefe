"""The command `tradegoals`: thin; each command calls one function of the package and prints what it gave."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import click

from lib.errors import UserError
from lib.tools.commands.author import kernel, new, stamp
from lib.tools.commands.data import data, report_faults
from lib.tools.commands.publish import export, site_command, whatif_command
from lib.tools.commands.results import results_command
from lib.tools.commands.run import EXAMPLES, run, run_one, schema


class _Group(click.Group):
    """A group that prints a user's mistake as one message and exits with 2, and stops quietly on Ctrl-C."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without "−" is no reason to stop
        try:
            done = super().main(*args, **kwargs)
            sys.stdout.flush()
            return done
        except BrokenPipeError:  # the reader, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except UserError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.exceptions.Exit as done:
            sys.exit(done.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nStopped. What had finished is kept.", err=True)
            sys.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES)
@click.version_option(package_name="tradegoals", prog_name="tradegoals", message="%(prog)s %(version)s")
def main() -> None:
    """Does a stated trade-growth goal hold? Run the notebooks, check the data."""


main.add_command(export)
main.add_command(kernel)
main.add_command(new)
main.add_command(data)
main.add_command(results_command)
main.add_command(run)
main.add_command(run_one)
main.add_command(schema)
main.add_command(stamp)
main.add_command(site_command)
main.add_command(whatif_command)


@main.command()
@click.option(
    "--renew", is_flag=True, help="Renew the checksums in data/datapackage.json after an edit of the data."
)
def check(renew: bool) -> None:
    """Validate the data, runs.yml, and the committed notebooks (parameters and freshness)."""
    from lib import package
    from lib.tools.run import checkup

    if renew:
        for name in package.refresh_checksums():
            click.echo(f"renewed the checksum of {name}")
    report_faults(checkup.all_faults())
    click.echo("Data, runs.yml and notebooks are in order.")


PANELS = Path("../shared/data/panels")

panels_option = click.option(
    "--panels",
    type=click.Path(path_type=Path),
    default=PANELS,
    show_default=True,
    help="Folder of the panels.",
)

panel_option = click.option(
    "--panel",
    type=click.Path(path_type=Path),
    help="A panel of your own (parquet; data/reference/README.md).",
)


@main.command()
@panels_option
@panel_option
@click.option("--fresh", is_flag=True, help="Compute again what is up to date.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), help="With --panel: output folder."
)
def reference(panels: Path, panel: Path | None, fresh: bool, out: Path) -> None:
    """Compute the reference class in data/reference from the panels, or priors of a panel of your own."""
    from lib.research import pipeline

    if panel is None:
        _say_built(pipeline.build(panels, only=pipeline.REFERENCE, fresh=fresh))
        return
    click.echo(f"wrote {pipeline.write_priors(panel, out)}")


@main.command()
@panels_option
@panel_option
@click.option("--fresh", is_flag=True, help="Score again what is up to date.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), help="With --panel: output folder."
)
def backtest(panels: Path, panel: Path | None, fresh: bool, out: Path) -> None:
    """Score the forecasts out of sample: into data/reference/scores, or on a panel of your own."""
    from lib.research import pipeline

    if panel is None:
        _say_built(pipeline.build(panels, only=pipeline.SCORES, fresh=fresh))
        return
    folder = out / f"scores_{panel.stem}"
    for name in pipeline.score_own(panel, folder):
        click.echo(f"wrote {folder / name}")


def _say_built(names: list[str]) -> None:
    click.echo(f"computed: {', '.join(names)}" if names else "everything is up to date")


if __name__ == "__main__":
    main()
