"""What `tradegoals run` prints: lists, reasons, verdicts and pages, failures, differences."""

from pathlib import Path
from typing import Any

import click

from lib.errors import UserError

MOST_SHOWN = 20
"""Above so many runs the verdicts and pages are not printed one by one."""


def show_list(runs: list[Any]) -> None:
    """Every run with its parameters."""
    for item in runs:
        values = " ".join(f"{name}={value}" for name, value in item.parameters.items())
        click.echo(f"{item.name}: {values}")


def write_specs(runs: list[Any], folder: Path) -> None:
    """One file a run, for `run-one`."""
    import json

    from lib.files import write_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None
    for item in runs:
        text = json.dumps(item.to_json(), ensure_ascii=False, indent=1) + "\n"
        write_atomically(folder / f"{item.notebook}--{item.slug}.json", text)
    click.echo(f"wrote {len(runs)} files to {folder}")


def explain(items: list[Any], left_out: dict[str, str]) -> None:
    """What would run and why, what is up to date, and what the data cannot answer."""
    for item in items:
        click.echo(f"{'run ' if item.reason else 'skip'}  {item.run.name}: {item.reason or 'up to date'}")
    for name, reason in left_out.items():
        click.echo(f"none  {name}: left out, {reason}")
    due = sum(bool(item.reason) for item in items)
    words = f"{due} of {len(items)} would run" + (f"; {len(left_out)} left out" if left_out else "")
    click.echo(words)


def report(outcomes: list[Any], asked: int, left_out: dict[str, str]) -> None:
    """Verdicts, where the pages are, how many of each, and the failures last."""
    from lib.execution.spec import FAILED, PAGE

    good = [outcome for outcome in outcomes if not outcome.error]
    if len(good) > 0 and len(outcomes) <= MOST_SHOWN:
        from lib.results import verdict_lines

        for line in verdict_lines([outcome.result for outcome in good if outcome.result]):
            click.echo(line)
        click.echo("\nPages")
        for outcome in good:
            spent = "up to date" if outcome.skipped else f"{outcome.seconds:.1f} s"
            click.echo(f"  {outcome.folder / PAGE}  ({spent})")
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


def compare(outcomes: list[Any], do_check: bool, do_accept: bool) -> bool:
    """Compare with the committed expectations, or renew them; whether there were differences."""
    if not (do_check or do_accept):
        return False
    from lib.execution import expectations

    if do_accept:
        for name in expectations.accept(outcomes):
            click.echo(f"accepted: tests/expected/{name}")
    lines = expectations.check(outcomes) if do_check else []
    for line in lines:
        click.echo(line, err=True)
    if do_check and not lines:
        click.echo(f"all as expected ({len(outcomes)} compared)")
    return bool(lines)
