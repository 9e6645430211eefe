"""The command `tradegoals`: thin; each command calls one function of the package and prints what it gave."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import click

from lib.cli_results import results_command
from lib.errors import UserError

EXAMPLES = """
\b
Examples
  tradegoals run                                   the default notebooks, at their defaults
  tradegoals run -p as_of=2026-11-24               the same with all that is known today
  tradegoals run --notebook 03_could_one_have_known -p reporter=China -p base_year=2011 -p "goal=100 USD bn"
  tradegoals run --runs                            every named case of notebooks/runs.yml
  tradegoals run --runs --case harbin-2014 --list  what one case would run, without running it
  tradegoals reference --panels ../shared/data/panels   base rates and priors, from panels read in place
  tradegoals backtest --panel my_panel.parquet     score the forecasts on a panel of your own
"""


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
def main() -> None:
    """Does a stated trade-growth goal hold? Run the notebooks, check the data."""


main.add_command(results_command)


@main.command(epilog=EXAMPLES)
@click.option(
    "--notebook", "notebooks", multiple=True, metavar="NAME", help="Run only this notebook (repeatable)."
)
@click.option("-p", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a parameter (repeatable).")
@click.option("--runs", "named", is_flag=True, help="Run the named cases of notebooks/runs.yml.")
@click.option(
    "--case", "cases", multiple=True, metavar="NAME", help="With --runs: only this case (repeatable)."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), show_default=True, help="Output folder."
)
@click.option(
    "--list", "only_list", is_flag=True, help="Print what would run, and the parameters; run nothing."
)
def run(
    notebooks: tuple[str, ...],
    pairs: tuple[str, ...],
    named: bool,
    cases: tuple[str, ...],
    out: Path,
    only_list: bool,
) -> None:
    """Execute notebooks and write, for each, the notebook, an HTML page and result.json."""
    chosen = _choose(notebooks, pairs, named, cases)
    if only_list:
        for item in chosen:
            values = " ".join(f"{name}={value}" for name, value in item.parameters.items())
            click.echo(f"{item.notebook}/{item.slug}: {values}")
        return
    outcomes = _execute(chosen, out)
    _report(outcomes)
    if any(outcome.error for outcome in outcomes):
        sys.exit(1)


@main.command()
@click.option(
    "--renew", is_flag=True, help="Renew the checksums in data/datapackage.json after an edit of the data."
)
def check(renew: bool) -> None:
    """Validate the data, runs.yml, and the committed notebooks (parameters and freshness)."""
    from lib import checkup, tables

    if renew:
        for name in tables.refresh_checksums():
            click.echo(f"renewed the checksum of {name}")
    faults = checkup.all_faults()
    for fault in faults:
        click.echo(fault)
    if faults:
        click.echo(f"{len(faults)} fault{'s' * (len(faults) > 1)} found.", err=True)
        sys.exit(1)
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
    from lib import rebuild

    if panel is None:
        _say_built(rebuild.build(panels, only=rebuild.REFERENCE, fresh=fresh))
        return
    path = out / f"priors_{panel.stem}.csv"
    out.mkdir(parents=True, exist_ok=True)
    rebuild.write(rebuild.panel_priors(panel), path)
    click.echo(f"wrote {path}")


@main.command()
@panels_option
@panel_option
@click.option("--fresh", is_flag=True, help="Score again what is up to date.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), help="With --panel: output folder."
)
def backtest(panels: Path, panel: Path | None, fresh: bool, out: Path) -> None:
    """Score the forecasts out of sample: into data/reference/scores, or on a panel of your own."""
    from lib import rebuild

    if panel is None:
        _say_built(rebuild.build(panels, only=rebuild.SCORES, fresh=fresh))
        return
    folder = out / f"scores_{panel.stem}"
    for name in rebuild.score_own(panel, folder):
        click.echo(f"wrote {folder / name}")


def _say_built(names: list[str]) -> None:
    click.echo(f"computed: {', '.join(names)}" if names else "everything is up to date")


@main.command()
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK]...")
def stamp(notebooks: tuple[str, ...]) -> None:
    """Execute, clean and stamp committed notebooks after an edit (all of them by default)."""
    from lib.checkup import TEMPLATE
    from lib.params import NOTEBOOKS, model_of
    from lib.runs import NOTEBOOKS_DIR
    from lib.stamp import restamp

    names = [Path(name).name.removesuffix(".ipynb") for name in notebooks] or [*NOTEBOOKS, TEMPLATE]
    for name in names:
        if name != TEMPLATE:
            model_of(name)
    for name in names:
        restamp(NOTEBOOKS_DIR / f"{name}.ipynb")
        click.echo(f"stamped {name}")


def _choose(
    notebooks: tuple[str, ...], pairs: tuple[str, ...], named: bool, cases: tuple[str, ...]
) -> list[Any]:
    """The runs that the options ask for; every fault is found before the first of them starts."""
    from lib import params, runs

    for name in notebooks:
        params.model_of(name)
    if named or cases:
        if pairs:
            raise UserError(
                "-p: found beside --runs, expected one or the other (runs.yml holds the parameters)"
            )
        return _named(runs.load_runs(), notebooks, cases)
    values = _parse_pairs(pairs)
    wanted = list(dict.fromkeys(notebooks or params.NOTEBOOKS))
    return [_make_run(notebook, values, wanted) for notebook in wanted]


def _make_run(notebook: str, values: dict[str, str], wanted: list[str]) -> Any:
    """One run with the values that its notebook takes; among several, a fault says whose it is."""
    from lib import runs

    try:
        return runs.make_run(notebook, runs.values_for(notebook, values, wanted))
    except UserError as error:
        if len(wanted) == 1:
            raise
        raise UserError("\n".join(f"{notebook}: {line}" for line in str(error).splitlines())) from None


def _named(found: list[Any], notebooks: tuple[str, ...], cases: tuple[str, ...]) -> list[Any]:
    from lib.faults import nearest

    names = dict.fromkeys(run.slug for run in found)
    for case in cases:
        if case not in names:
            raise UserError(f'--case: found "{case}", expected {nearest(case, names)}')
    chosen = [
        run
        for run in found
        if (not notebooks or run.notebook in notebooks) and (not cases or run.slug in cases)
    ]
    if not chosen:
        raise UserError(f"--notebook: found {', '.join(notebooks)}, which none of the cases runs")
    return chosen


def _parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise UserError(f"-p: found {pair!r}, expected name=value")
        if name in values:
            raise UserError(f"-p: found {name} a second time, expected it once")
        values[name] = value
    return values


def _execute(chosen: list[Any], out: Path) -> list[Any]:
    """Execute runs, with a bar on a terminal and one line a run elsewhere."""
    from tqdm import tqdm

    from lib.runs import execute_all

    outcomes = []
    with tqdm(total=len(chosen), unit="notebook", file=sys.stderr, disable=None) as bar:
        for outcome in execute_all(chosen, out):
            outcomes.append(outcome)
            name = f"{outcome.run.notebook}/{outcome.run.slug}"
            if bar.disable:
                state = "FAILED" if outcome.error else f"{outcome.seconds:.1f} s"
                click.echo(f"[{len(outcomes)}/{len(chosen)}] {name}  {state}", err=True)
            bar.set_postfix_str(name, refresh=False)
            bar.update()
    return outcomes


def _report(outcomes: list[Any]) -> None:
    """Verdicts, where the pages are, and the failures last."""
    from lib.results import verdict_lines
    from lib.runs import FAILED, PAGE

    for line in verdict_lines([outcome.result for outcome in outcomes if outcome.result]):
        click.echo(line)
    good = [outcome for outcome in outcomes if not outcome.error]
    if good:
        click.echo("\nPages")
    for outcome in good:
        click.echo(f"  {outcome.folder / PAGE}  ({outcome.seconds:.1f} s)")
    for outcome in outcomes:
        if outcome.error:
            click.echo(f"\nFAILED {outcome.run.notebook}/{outcome.run.slug}: {outcome.error}", err=True)
            if (outcome.folder / FAILED).exists():
                click.echo(f"  see {outcome.folder / FAILED}", err=True)


if __name__ == "__main__":
    main()
