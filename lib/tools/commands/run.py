"""The commands that run notebooks, `run`, `run-one` and `schema`, and what they print."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from lib.errors import UserError
from lib.tools.commands.author import notebook_name
from lib.tools.commands.data import expect_known_data
from lib.tools.commands.results import collect_results, out_option

MOST_SHOWN = 20  # above so many runs the verdicts and pages are not printed one by one


def _write_specs(runs: list[Any], folder: Path) -> None:
    """One file a run, for `run-one`."""
    import json

    from lib.research.files import make_folder, write_atomically

    make_folder(folder)
    for item in runs:
        text = json.dumps(asdict(item), ensure_ascii=False, indent=1) + "\n"
        write_atomically(folder / f"{item.notebook}--{item.slug}.json", text)
    click.echo(f"wrote {len(runs)} files to {folder}")


def explain(items: list[Any], left_out: dict[str, str]) -> None:
    """What would run and why, what is up to date, and what the data cannot answer."""
    for run, reason in items:
        click.echo(f"{'run' if reason else 'skip':<6}{run.name}: {reason or 'up to date'}")
    for name, reason in left_out.items():
        click.echo(f"none  {name}: left out, {reason}")
    due = sum(bool(reason) for _, reason in items)
    click.echo(f"{due} of {len(items)} would run" + (f"; {len(left_out)} left out" if left_out else ""))


def report(outcomes: list[Any], asked: int, left_out: dict[str, str]) -> None:
    """Verdicts, where the pages are, how many of each, and the failures last."""
    from lib.tools.run.freshness import FAILED, PAGE

    good = [outcome for outcome in outcomes if not outcome.error]
    if good and len(outcomes) <= MOST_SHOWN:
        from lib.tools.run.recorded import verdict_lines  # imports pandas

        for line in verdict_lines([outcome.result for outcome in good if outcome.result]):
            click.echo(line)
        click.echo("\nPages")
        for outcome in good:
            page, here = outcome.folder / PAGE, Path.cwd()  # shown as it is typed here
            shown = page.relative_to(here) if page.is_relative_to(here) else page
            click.echo(f"  {shown}  ({_spent(outcome)})")
    skipped = sum(outcome.skipped for outcome in good)
    counts = {"executed": len(good) - skipped, "up to date": skipped, "failed": len(outcomes) - len(good)}
    counts |= {"not run": asked - len(outcomes), "left out": len(left_out)}
    if not asked:
        for reason in dict.fromkeys(left_out.values()):
            click.echo(f"left out: {reason}")
    if asked != 1:
        click.echo("\n" + ", ".join(f"{count} {what}" for what, count in counts.items() if count))
    for outcome in outcomes:
        if outcome.error:
            click.echo(f"\nFAILED {outcome.run.name}: {outcome.error}", err=True)
            if (outcome.folder / FAILED).exists():
                click.echo(f"  see {outcome.folder / FAILED}", err=True)


def _spent(outcome: Any) -> str:
    return "FAILED" if outcome.error else "up to date" if outcome.skipped else f"{outcome.seconds:.1f} s"


def compare(outcomes: list[Any], do_check: bool, do_accept: bool) -> bool:
    """Compare with the committed expectations, or renew them; whether there were differences."""
    if not (do_check or do_accept):
        return False
    from lib.tools.run import committed

    if do_accept:
        for name in committed.accept(outcomes):
            click.echo(f"accepted: tests/expected/{name}")
    lines = committed.check(outcomes) if do_check else []
    for line in lines:
        click.echo(line, err=True)
    if do_check and not lines:
        click.echo(f"all as expected ({len(outcomes)} compared)")
    return bool(lines)


EXAMPLES = """
\b
Examples
  tradegoals run                                   the default notebooks, at their defaults
  tradegoals run -p as_of=2026-11-24               the same with all that is known today
  tradegoals run --notebook 03 -p reporter=China -p base_year=2011 -p "goal=100 USD bn"
  tradegoals run --runs                            every named case of notebooks/runs.yml
  tradegoals run --runs --case harbin-2014 --list  what one case would run, without running it
  tradegoals run --runs --dry-run                  what would run and why, and what is up to date
  tradegoals run --matrix mine.yml                 the cases of a file of your own
  tradegoals run --runs --jobs 4 --fail-fast       four at a time, and stop at the first failure
  tradegoals reference --panels FOLDER              data/reference again, from panels read in place
  tradegoals backtest --panel my_panel.parquet     score the forecasts on a panel of your own
"""

option = partial(click.option, show_default=True)
names = partial(click.option, multiple=True, metavar="NAME")
flag = partial(click.option, is_flag=True)
file = click.Path(exists=True, dir_okay=False, path_type=Path)

timeout_option = option(
    "--timeout", type=click.FloatRange(1), default=600.0, help="Most seconds a run may take."
)

force_option = flag("--force", help="Run also what is up to date.")


@click.command(epilog=EXAMPLES)
@names(
    "--notebook",
    "notebooks",
    help='Only this one: its name, a path, or a beginning such as "03" (repeatable).',
)
@names("-p", "pairs", metavar="NAME=VALUE", help="Set a parameter (repeatable).")
@flag("--runs", "named", help="Run the named cases of notebooks/runs.yml.")
@option("--matrix", type=file, help="Run the cases of this file instead of those of notebooks/runs.yml.")
@names("--case", "cases", help="Run only this case of runs.yml (repeatable).")
@flag("--ci", help="With --runs: the cases and the smaller values that runs.yml has for CI.")
@names("--only", metavar="PATTERN", help='Only runs such as "00*/china*" (repeatable).')
@out_option
@flag("--list", "only_list", help="Print what would run, and the parameters; run nothing.")
@flag("--dry-run", help="Print what would run and why, and what would be skipped; run nothing.")
@option(
    "--specs", type=click.Path(path_type=Path), help="Write a file for run-one for each run; run nothing."
)
@force_option
@option("--jobs", type=click.IntRange(1), help="Runs at once [default: by cores and free memory].")
@option("--memory", type=click.FloatRange(0.2), metavar="GB", help="Most memory a run may take.")
@timeout_option
@click.option("--fail-fast/--continue", help="Stop at the first failure, or go on [default].")
@flag("--cold", help="Ordinary kernels instead of warm ones.")
@option(
    "--executor",
    type=click.Choice(["processes", "dask"]),
    default="processes",
    help="Where to run: here or by Dask.",
)
@option("--scheduler", metavar="ADDRESS", help="With --executor dask: address of the scheduler.")
@flag("--check", "do_check", help="Compare the results with the committed expectations.")
@flag("--accept", "do_accept", help="Renew the committed expectations.")
def run(
    notebooks: tuple[str, ...],
    pairs: tuple[str, ...],
    named: bool,
    matrix: Path | None,
    cases: tuple[str, ...],
    ci: bool,
    only: tuple[str, ...],
    out: Path,
    only_list: bool,
    dry_run: bool,
    specs: Path | None,
    do_check: bool,
    do_accept: bool,
    **how: Any,
) -> None:
    """Execute notebooks and write, for each, the notebook, an HTML page, result.json and a journal.

    What is up to date is skipped: the same notebook, code, data files, parameters and versions.
    """
    from lib.tools.run.freshness import choose, reason_to_run

    notebooks = tuple(notebook_name(text) for text in notebooks)
    named = named or bool(cases) or matrix is not None
    if named and pairs:
        raise UserError("-p: found beside --runs, expected one or the other (runs.yml holds the parameters)")
    if ci and not named:
        raise UserError("--ci: found without --runs, expected both (runs.yml holds the values for CI)")
    if how["scheduler"] and how["executor"] != "dask":
        raise UserError("--scheduler: found without --executor dask, expected both")
    expect_known_data()
    writes = not (only_list or dry_run or specs)
    arguments = (notebooks, pairs, named, cases, ci)
    content = matrix.read_text(encoding="utf-8", errors="replace") if matrix else ""
    early = writes and how["executor"] == "processes" and not how["cold"] and (named or len(notebooks) != 1)

    def select() -> tuple[list[Any], dict[str, str]]:
        if early:
            _start_server()  # which gets ready while parameters are checked
        return _select(*arguments, matrix)

    plan = choose((*arguments, str(matrix), content), out, select, keep=writes)
    chosen = _only(plan.runs, only)
    _echo(pairs, chosen)
    if only_list:
        for item in chosen:
            click.echo(
                f"{item.name}: " + " ".join(f"{name}={value}" for name, value in item.parameters.items())
            )
    elif specs:
        _write_specs(chosen, specs)
    else:
        force = how["force"]
        reasons = ["forced" if force else reason_to_run(run, out, plan.sources) for run in chosen]
        items = list(zip(chosen, reasons, strict=True))
        if dry_run:
            explain(items, plan.left_out)
            return
        try:
            outcomes = _execute(items, out, plan.sources, **how)
        finally:  # also after Ctrl-C: what had finished is kept
            collect_results(out, any(reasons))
        place = {run.name: number for number, run in enumerate(chosen)}
        outcomes.sort(key=lambda outcome: place[outcome.run.name])
        report(outcomes, len(items), plan.left_out)
        faults = compare(outcomes, do_check, do_accept)
        if faults or any(outcome.error for outcome in outcomes):
            sys.exit(1)


@click.command("run-one")
@click.argument("spec", type=click.Path(path_type=Path))
@out_option
@force_option
@timeout_option
def run_one(spec: Path, out: Path, force: bool, timeout: float) -> None:
    """Execute the run of a file that `run --specs` wrote: what a queue such as Slurm or Snakemake calls.

    The run is skipped if it is up to date; a failure ends with 1.
    """
    from lib.tools.run.freshness import run_from
    from lib.tools.run.matrix import make_run
    from lib.tools.strict import read_json

    expect_known_data()
    asked = run_from(read_json(spec), spec.name)
    checked = make_run(asked.notebook, asked.parameters, asked.slug, asked.case, f"{spec.name}: ")
    outcome = execute_one(checked, out, force, timeout)
    report([outcome], 1, {})
    if outcome.error:
        sys.exit(1)


def execute_one(run: Any, out: Path, force: bool = False, timeout: float = 600.0) -> Any:
    """Execute one run, unless it is up to date: its outcome."""
    from lib.tools.run.freshness import Sources

    return _execute([(run, "asked for")], out, Sources(), force=force, timeout=timeout, jobs=1)[0]


@click.command()
@click.option("--write", is_flag=True, help="Write notebooks/runs.schema.json instead of printing it.")
def schema(write: bool) -> None:
    """Print the JSON schema of runs.yml, by which editors complete and check it."""
    from lib.package import notebooks_dir
    from lib.research.files import write_atomically
    from lib.tools.run.matrix import SCHEMA_FILE, schema_text

    if not write:
        click.echo(schema_text(), nl=False)
        return
    write_atomically(notebooks_dir() / SCHEMA_FILE, schema_text())
    click.echo(f"wrote {SCHEMA_FILE}")


def _select(
    notebooks: tuple[str, ...],
    pairs: tuple[str, ...],
    named: bool,
    cases: tuple[str, ...],
    ci: bool,
    file: Path | None,
) -> tuple[list[Any], dict[str, str]]:
    """The runs that the options ask for; every fault is found before the first of them starts."""
    from lib.tools.run import matrix

    if named:
        found, left_out = matrix.expand(file, ci, cases)
        chosen = [run for run in found if not notebooks or run.notebook in notebooks]
        if notebooks and not chosen:
            raise UserError(f"--notebook: found {', '.join(notebooks)}, which none of the cases runs")
        return chosen, left_out
    values = _parse_pairs(pairs)
    wanted = list(dict.fromkeys(notebooks or matrix.NOTEBOOKS))
    if len(wanted) > 1:
        values = matrix.one_case(values)
    chosen, left_out = [], {}
    for notebook in wanted:
        given = matrix.values_for(notebook, values, wanted)
        try:
            where = f"{notebook}: " if len(wanted) > 1 else ""  # among several, a fault says whose it is
            chosen.append(matrix.make_run(notebook, given, where=where))
        except UserError as error:
            if notebooks or not matrix.has_no_answer(notebook, given):
                raise
            left_out[notebook] = str(error).splitlines()[0]
    return chosen, left_out


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


def _echo(pairs: tuple[str, ...], runs: list[Any]) -> None:
    """Say how words were understood that a parameter holds in another form: "April 2014" as its last day."""
    for name, given in _parse_pairs(pairs).items():
        taken = list(dict.fromkeys(str(run.parameters[name]) for run in runs if name in run.parameters))
        if taken and taken != [given.replace("−", "-")]:
            click.echo(f"{name}: {given} read as {', '.join(taken)}", err=True)


def _only(runs: list[Any], patterns: tuple[str, ...]) -> list[Any]:
    """The runs whose name fits one of the patterns; a pattern that fits none is a mistake."""
    from fnmatch import fnmatchcase

    from lib.errors import nearest

    fits = {
        pattern: {run.name for run in runs if fnmatchcase(run.name, pattern)} for pattern in patterns or "*"
    }
    for pattern in patterns:
        if not fits[pattern]:
            raise UserError(
                f'--only: found "{pattern}", expected {nearest(pattern, (run.name for run in runs))}'
            )
    return [run for run in runs if any(run.name in fit for fit in fits.values())]


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: what runs is killed, what had finished is kept."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _execute(items: list[Any], out: Path, sources: Any, fail_fast: bool = False, **how: Any) -> list[Any]:
    """Execute what is due, with a bar on a terminal and a line a run elsewhere; returns the outcomes."""
    from tqdm import tqdm

    from lib.tools.run.execute import Outcome

    due = [run for run, reason in items if reason]
    done = [Outcome(run, run.folder(out), 0.0, skipped=True) for run, reason in items if not reason]
    if not due:
        return done
    failed = 0
    with (
        _terminable(),
        tqdm(total=len(due), unit="run", file=sys.stderr, disable=None, dynamic_ncols=True) as bar,
    ):
        for number, outcome in enumerate(_outcomes(due, out, sources, **how), 1):
            done.append(outcome)
            failed += bool(outcome.error)
            if bar.disable:
                click.echo(f"[{number}/{len(due)}] {outcome.run.name}  {_spent(outcome)}", err=True)
            bar.update()
            bar.set_postfix_str(f"{failed} failed, {outcome.run.name}", refresh=True)
            if outcome.error and fail_fast:
                break
    return done


def _outcomes(
    due: list[Any],
    out: Path,
    sources: Any,
    *,
    executor: str = "processes",
    cold: bool = False,
    force: bool = False,
    timeout: float,
    jobs: int | None = None,
    memory: float | None = None,
    scheduler: str | None = None,
) -> Iterator[Any]:
    """Outcomes from the executor that was asked for."""
    from lib.tools.run import kernels, pool
    from lib.tools.run.execute import Settings

    if cold or len(due) == 1:  # a server of warm kernels pays from the second run on
        name = kernels.ORDINARY
    else:
        name = kernels.INSTALLED if executor == "dask" else _start_server()()
    at_once = min(jobs or pool.default_jobs(), len(due))
    most = memory * 1000 if memory else 0 if executor == "dask" else pool.free_megabytes() / at_once
    tasks = pool.make_tasks(due, out, Settings(name, timeout, force, most), sources)
    yield from pool.execute_many(
        tasks, pool.connected(scheduler) if executor == "dask" else pool.threads(at_once)
    )


def _start_server() -> Callable[[], str]:
    """Start what warm kernels are forked from, until the command ends: waits and gives the kernel's name."""
    from lib.tools.run import kernels

    context = click.get_current_context()
    if __name__ not in context.meta:
        context.meta[__name__] = context.with_resource(kernels.starting())
    waits: Callable[[], str] = context.meta[__name__]
    return waits
