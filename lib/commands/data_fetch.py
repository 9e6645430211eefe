"""The command `data fetch`: a flow, or all, from a live source."""

import shlex
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click

from lib.errors import UserError


@click.command()
@click.argument("reporter", required=False)
@click.argument("partner", required=False)
@click.option(
    "--all-pairs", is_flag=True, help="Every country with every other; goes on where it was stopped."
)
@click.option("--source", default="imf", show_default=True, help="imf or comtrade; see `data sources`.")
@click.option(
    "--freq",
    type=click.Choice(["A", "Q", "M"]),
    default="A",
    show_default=True,
    help="Annual, quarterly or monthly values.",
)
@click.option("--years", metavar="FIRST-LAST", help="Years [default: 1980 to the last full one].")
@click.option("--offline", is_flag=True, help="Use the answers kept before, ask nobody.")
@click.option(
    "--max-age",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Do not ask again for what was answered so lately [default: 0; with --all-pairs 7].",
)
def fetch(
    reporter: str | None,
    partner: str | None,
    all_pairs: bool,
    source: str,
    freq: str,
    years: str | None,
    offline: bool,
    max_age: int | None,
) -> None:
    """Fetch the trade of REPORTER with PARTNER: exports, imports and total.

    The answer is kept as received in data/snapshots; its figures go to data/fetched, each known from the day on which
    it was first received. Beside a pair, the reporter's trade with the world and the partner's own figures are
    fetched.
    """
    from lib.curation import fetching

    if all_pairs == bool(reporter or partner) or bool(reporter) != bool(partner):
        raise UserError("data fetch: expected REPORTER and PARTNER, such as India Russia, or --all-pairs")
    span = fetching.read_years(years) if years else fetching.default_years(date.today())
    days = max_age if max_age is not None else 7 if all_pairs else 0
    asked = fetching.Asked(source, freq, span, offline, timedelta(days=days) if days else None)
    if reporter and partner:
        _show_pair(list(fetching.fetch_pair(reporter, partner, asked)), freq)
    else:
        _show_panel(fetching.fetch_all(asked, _progress))


@click.command("import")
@click.argument("table", type=click.Path(path_type=Path))
@click.argument("mapping", type=click.Path(path_type=Path))
def import_(table: Path, mapping: Path) -> None:
    """Read TABLE, a .csv or .xlsx downloaded by hand, as MAPPING (YAML) says; data/README.md describes it.

    The file is kept in data/snapshots, its figures go to data/fetched.
    """
    from lib.curation import fetching

    for written in fetching.import_file(table, mapping):
        for note in written.notes:
            click.echo(f"note: {note}")
        click.echo(_in_words(written))


def _progress(done: int, of: int, name: str) -> None:
    click.echo(f"{done}/{of} {name}", err=True)


def _show_pair(found: list[Any], freq: str) -> None:
    """What was written, what is missing, and how to go on."""
    from lib.curation.fetching import last_day_known

    for written in found:
        for note in written.notes:
            click.echo(f"note: {note}")
    for written in found:
        click.echo(_in_words(written))
    own = found[0]
    if freq == "A":
        day = last_day_known(own.reporter, own.partner)
        case = [f"reporter={own.reporter}", f"partner={own.partner}", f"as_of={day}"]
        options = " ".join(f"-p {shlex.quote(text)}" for text in case)
        click.echo(f"Now: tradegoals run --notebook 01_what_do_the_figures_say {options}")


def _show_panel(found: Any) -> None:
    total = [0, 0, 0]
    failed: list[str] = []
    for written in found:
        total = [a + b for a, b in zip(total, written.added, strict=True)]
        failed += written.notes if written.added == (0, 0, 0) else []
    for note in failed:
        click.echo(f"note: {note}")
    click.echo(f"{total[0]:,} values new, {total[1]:,} changed, {total[2]:,} known already")


def _in_words(written: Any) -> str:
    added = written.added
    if added == (0, 0, 0):
        return f"{written.reporter}–{written.partner}: nothing"
    return (
        f"{written.reporter}–{written.partner}, {written.first} to {written.last}: {added.new:,} values new, "
        f"{added.changed:,} changed, {added.same:,} known already"
    )
