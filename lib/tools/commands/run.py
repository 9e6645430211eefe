"""The commands that run notebooks, `run`, `run-one` and `schema`, and what they print."""

import fnmatch
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import click

from lib.errors import UserError, nearest, read_bytes
from lib.package import data_dir, notebooks_dir
from lib.research import files
from lib.tools import commands
from lib.tools.commands import OUT, Out, Texts, examples, options, pairs, tell, write_json
from lib.tools.commands.results import collect_results
from lib.tools.run import freshness
from lib.tools.strict import read_json

NAME = {"metavar": "NAME"}
Force = Annotated[bool, "Run also what is up to date."]
Timeout = Annotated[float, "Most seconds a run may take.", {"type": click.FloatRange(1)}]


@click.command(epilog=examples("run"))
@options
def run(
    notebook: Annotated[Texts, 'Only this: a name, a path, or a beginning: "03" (repeatable).', NAME] = (),
    p: Annotated[Texts, "Set a parameter (repeatable).", {"flag": "-p", "metavar": "NAME=VALUE"}] = (),
    runs: Annotated[bool, "Run the named cases of notebooks/runs.yml."] = False,
    matrix: Annotated[Path | None, "Run the cases of this file instead of notebooks/runs.yml."] = None,
    case: Annotated[Texts, "Run only this case of runs.yml (repeatable).", NAME] = (),
    ci: Annotated[bool, "With --runs: the cases and the smaller values that runs.yml has for CI."] = False,
    only: Annotated[Texts, 'Only runs such as "00*/china*" (repeatable).', {"metavar": "PATTERN"}] = (),
    out: Out = OUT,
    list_: Annotated[bool, "Print what would run, and the parameters; run nothing."] = False,
    dry_run: Annotated[bool, "Print what would run and why, and what would be skipped; run nothing."] = False,
    specs: Annotated[Path | None, "Write a file for run-one for each run; run nothing."] = None,
    force: Force = False,
    jobs: Annotated[int | None, "At once [by cores and memory].", {"type": click.IntRange(1)}] = None,
    memory: Annotated[float | None, "Most GB that a run may take.", {"type": click.FloatRange(0.2)}] = None,
    timeout: Timeout = 600.0,
    fail_fast: Annotated[bool, "Stop at the first failure."] = False,
    cold: Annotated[bool, "Ordinary kernels instead of warm ones."] = False,
    scheduler: Annotated[str | None, "Run on a Dask cluster: address of its scheduler."] = None,
    check: Annotated[bool, "Compare the results with the committed expectations."] = False,
    accept: Annotated[bool, "Renew the committed expectations."] = False,
) -> None:
    """Execute notebooks and write, for each, the notebook, an HTML page, result.json and a journal.

    What is up to date is skipped: the same notebook, code, data files, parameters and versions.
    """
    named = runs or bool(case) or matrix is not None
    if named and p:
        raise UserError("-p: found beside --runs, expected one or the other (runs.yml holds the parameters)")
    if ci and not named:
        raise UserError("--ci: found without --runs, expected both (runs.yml holds the values for CI)")
    commands.expect_known_data()
    writes, values = not (list_ or dry_run or specs), pairs(p, "-p")
    content = read_bytes(matrix).decode(errors="replace") if matrix else ""
    asked = (notebook, values, named, case, ci)

    def select() -> freshness.Chosen:
        if writes and not (scheduler or cold) and (named or len(notebook) != 1):
            from lib.tools.run import kernels

            kernels.server()  # which gets ready while parameters are checked
        return _select(*asked, matrix)

    state = (*asked, str(matrix), content)
    (found, left_out), code = freshness.choose(state, out, select, keep=writes)
    chosen = _only(found, only)
    _tell_how_read(values, chosen)
    if list_:
        for one in chosen:
            given = (f"{name}={text}" for name, text in one.parameters.items())
            click.echo(" ".join([f"{one.name}:", *given]))
        return
    if specs:
        files.make_folder(specs)
        for one in chosen:
            write_json(asdict(one), specs / f"{one.notebook}--{one.slug}.json")
        click.echo(f"wrote {len(chosen)} files to {specs}")
        return
    hashed = cache(freshness.data_hash)  # of what many runs open
    items = [
        (one, "forced" if force else freshness.reason_to_run(one, out, code[one.notebook], hashed))
        for one in chosen
    ]
    if dry_run:
        _tell_what_would_run(items, left_out)
        return
    how = {"force": force, "timeout": timeout, "cold": cold, "jobs": jobs, "memory": memory}
    try:
        outcomes = _execute(items, out, code, **how, fail_fast=fail_fast, scheduler=scheduler)
    finally:  # also after Ctrl-C: what had finished is kept
        collect_results(out, any(reason for _, reason in items))
    place = {one.name: number for number, one in enumerate(chosen)}
    outcomes.sort(key=lambda outcome: place[outcome.run.name])
    _report(outcomes, len(items), left_out)
    differ = (check or accept) and _compare(outcomes, check, accept)
    if differ or any(outcome.error for outcome in outcomes):
        sys.exit(1)


@click.command()
@options
def run_one(spec: Path, out: Out = OUT, force: Force = False, timeout: Timeout = 600.0) -> None:
    """Execute the run of a file that `run --specs` wrote: what a queue such as Slurm or Snakemake calls.

    The run is skipped if it is up to date; a failure ends with 1.
    """
    from lib.tools.run.matrix import make_run

    commands.expect_known_data()
    asked = freshness.run_from(read_json(spec), spec.name)
    checked = make_run(asked.notebook, asked.parameters, asked.slug, asked.case, f"{spec.name}: ")
    outcome = execute_one(checked, out, force, timeout)
    _report([outcome], 1, {})
    if outcome.error:
        sys.exit(1)


def execute_one(run: Any, out: Path, force: bool = False, timeout: float = 600.0) -> Any:
    """Execute one run, unless it is up to date: its outcome."""
    code = {run.notebook: freshness.code_parts(run.path)}
    return _execute([(run, "asked for")], out, code, force=force, timeout=timeout)[0]


@click.command()
def schema() -> None:
    """Write the JSON schemas where they are kept: of runs.yml, result.json, `ask --json`, a mapping for `data import`."""
    from lib.analysis.asking import AnswerRecord
    from lib.results import Result
    from lib.tools.run import matrix
    from lib.tools.sources import mapping

    for path, content in {
        notebooks_dir() / matrix.SCHEMA_FILE: matrix.schema(),
        notebooks_dir() / "result.schema.json": Result.model_json_schema(),
        notebooks_dir() / "answer.schema.json": AnswerRecord.model_json_schema(),
        data_dir() / "import.schema.json": mapping.schema(),
    }.items():
        write_json(content, path)
        click.echo(f"wrote {path}")


# --- which runs, and what of them ---


def _select(
    notebooks: Texts, values: dict[str, str], named: bool, cases: Texts, ci: bool, file: Path | None
) -> freshness.Chosen:
    """The runs that the options ask for; every fault is found before the first of them starts."""
    from lib.tools.run import matrix

    wanted = list(map(matrix.notebook_name, notebooks))
    if not named:
        return matrix.runs_with(values, wanted)
    found, left_out = matrix.expand(file, ci, cases)
    chosen = [run for run in found if not wanted or run.notebook in wanted]
    if wanted and not chosen:
        raise UserError(f"--notebook: found {', '.join(wanted)}, which none of the cases runs")
    return chosen, left_out


def _only(runs: list[Any], patterns: Texts) -> list[Any]:
    """The runs whose name fits one of the patterns; a pattern that fits none is a mistake."""
    names = [run.name for run in runs]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise UserError(f'--only: found "{pattern}", expected {nearest(pattern, names)}')
    return [run for run in runs if any(fnmatch.fnmatch(run.name, pattern) for pattern in patterns or "*")]


def _tell_how_read(values: dict[str, str], runs: list[Any]) -> None:
    """Say how words were understood: "April 2014" as its last day."""
    for name, given in values.items():
        taken = list(dict.fromkeys(str(one.parameters[name]) for one in runs if name in one.parameters))
        if taken and taken != [given.replace("−", "-")]:
            click.echo(f"{name}: {given} read as {', '.join(taken)}", err=True)


def _tell_what_would_run(items: list[Any], left_out: dict[str, str]) -> None:
    """What would run and why, what is up to date, and what the data cannot answer."""
    tell(f"{'run' if reason else 'skip':<6}{one.name}: {reason or 'up to date'}" for one, reason in items)
    tell((f"{name}: left out, {reason}" for name, reason in left_out.items()), "none  ")
    rest = f"; {len(left_out)} left out" if left_out else ""
    click.echo(f"{sum(bool(reason) for _, reason in items)} of {len(items)} would run{rest}")


# --- what came of them ---


def _compare(outcomes: list[Any], check: bool, accept: bool) -> bool:
    """Renew expectations, or compare results with them; whether any differs."""
    from lib.tools.run import expected  # imports pandas

    tell(expected.accept(outcomes) if accept else (), "accepted: tests/expected/")
    differences = expected.check(outcomes) if check else []
    tell(differences, err=True)
    if check and not differences:
        click.echo(f"all as expected ({len(outcomes)} compared)")
    return bool(differences)


def _report(outcomes: list[Any], asked: int, left_out: dict[str, str]) -> None:
    """Verdicts, where the pages are, how many of each, and the failures last."""
    good = [outcome for outcome in outcomes if not outcome.error]
    if good and len(outcomes) <= 20:  # more are not shown one by one
        from lib.tools.run.results_table import result_of, verdict_lines  # imports pandas

        tell(verdict_lines(list(filter(None, map(result_of, good)))))
        click.echo("\nPages")
        for outcome in good:
            page, here = outcome.folder / freshness.PAGE, Path.cwd()  # shown as it is typed here
            shown = page.relative_to(here) if page.is_relative_to(here) else page
            click.echo(f"  {shown}  ({_spent(outcome)})")
    skipped = sum(outcome.skipped for outcome in good)
    counts = {"executed": len(good) - skipped, "up to date": skipped, "failed": len(outcomes) - len(good)}
    counts |= {"not run": asked - len(outcomes), "left out": len(left_out)}
    tell(dict.fromkeys(left_out.values()) if not asked else (), "left out: ")
    if asked != 1:
        click.echo("\n" + ", ".join(f"{count} {what}" for what, count in counts.items() if count))
    for outcome in outcomes:
        if outcome.error:
            click.echo(f"\nFAILED {outcome.run.name}: {outcome.error}", err=True)
            if (outcome.folder / freshness.FAILED).exists():
                click.echo(f"  see {outcome.folder / freshness.FAILED}", err=True)


def _spent(outcome: Any) -> str:
    return "FAILED" if outcome.error else "up to date" if outcome.skipped else f"{outcome.seconds:.1f} s"


# --- running them ---


def _execute(items: list[Any], out: Path, code: Any, fail_fast: bool = False, **how: Any) -> list[Any]:
    """Execute what is due, with a bar on a terminal and a line a run elsewhere: all outcomes."""
    due = [run for run, reason in items if reason]
    done = [freshness.Outcome(run, run.folder(out), 0.0, skipped=True) for run, reason in items if not reason]
    if not due:
        return done
    from tqdm import tqdm

    failed = 0
    # SIGTERM ends the command as Ctrl-C does: what runs is killed, what had finished is kept.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tqdm(total=len(due), unit="run", file=sys.stderr, disable=None, dynamic_ncols=True) as bar:
            for number, outcome in enumerate(_outcomes(due, out, code, **how), 1):
                done.append(outcome)
                failed += bool(outcome.error)
                if bar.disable:
                    click.echo(f"[{number}/{len(due)}] {outcome.run.name}  {_spent(outcome)}", err=True)
                bar.update()
                bar.set_postfix_str(f"{failed} failed, {outcome.run.name}", refresh=True)
                if outcome.error and fail_fast:
                    break
    finally:
        signal.signal(signal.SIGTERM, before)
    return done


def _outcomes(
    due: list[Any], out: Path, code: Any, *, force: bool, timeout: float, cold: bool = False, **where: Any
) -> Iterator[Any]:
    """Outcomes from the executor that was asked for, by the options of `run`."""
    from lib.tools.run import kernels

    jobs, memory, scheduler = map(where.get, ("jobs", "memory", "scheduler"))
    warm = not cold and len(due) > 1  # a server of warm kernels pays from the second run on
    server = kernels.server() if warm and not scheduler else None
    from lib.tools.run import execute  # while the server gets ready

    name = server() if server else kernels.INSTALLED if warm else kernels.ORDINARY
    at_once = min(jobs or execute.default_jobs(), len(due))
    most = memory * 1000 if memory else 0 if scheduler else execute.free_megabytes() / at_once
    settings = execute.Settings(name, timeout, force, most)
    executor = execute.connected(scheduler) if scheduler else execute.threads(at_once)
    tasks = [(run, out.absolute(), settings, list(code[run.notebook]["lib"])) for run in due]
    yield from execute.execute_many(tasks, executor)
