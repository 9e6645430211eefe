"""The commands `data import` and `data remove`: a table of one's own, looked at, confirmed, written, taken back."""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from lib.errors import UserError, nearest, quote, read_bytes, shown_path

if TYPE_CHECKING:
    import pandas as pd

    from lib.tools.sources.mapping import Mapping
    from lib.tools.sources.reader import Observed
    from lib.tools.sources.record import Draft

SAID = {
    "reporter": "Whose trade it is.",
    "partner": "With whom; World for all together.",
    "flow": "total, export or import.",
    "unit": 'Of the values, such as "USD mn", "CNY 亿", "INR crore" or EUR.',
    "column": "Of the values, where several may be meant.",
    "period": "The one of all figures, such as 2024 or 2024-01.",
    "freq": "A, Q or M.",
    "year": "Of months without one.",
    "fiscal": "Month in which fiscal years begin (1: calendar years).",
    "fiscal_label": "start or end: which of its two years a fiscal year such as FY2022 is called by.",
    "rows": "Only the rows where this stands; may be repeated.",
    "decimal": "Mark before decimals: . or ,",
    "sheet": "Of a workbook, or number of the table of a page.",
    "encoding": "Of a text.",
    "separator": "Of a CSV.",
    "source": "Short name for what is written.",
    "title": "Who publishes the table, and which it is.",
    "url": "Where it was downloaded.",
    "licence": "Of the publisher.",
    "authority": "customs, statistics, government, press or unstated.",
    "published": "Day of publication (YYYY-MM-DD).",
}
"""What a table may not say itself, or says wrongly."""

PLACE = 'To add to reporters.csv, such as "Jilin, province, China"; TEXT=NAME says how the table calls it.'
SCHEMA = "Print the JSON schema of a mapping."

SHOWN = 12
"""Observations that are shown."""


def options(words: dict[str, str]) -> Callable[[Any], Any]:
    """Options that take a text, by their names with what they mean; rows are chosen by several."""

    def add(command: Any) -> Any:
        for name, meaning in reversed(words.items()):
            more: dict[str, Any] = {"multiple": True, "metavar": "COLUMN=TEXT"} if name == "rows" else {}
            command = click.option(f"--{name.replace('_', '-')}", name, help=meaning, **more)(command)
        return command

    return add


def _print_schema(context: click.Context, _: Any, wanted: bool) -> None:
    if wanted:
        from lib.tools.sources.mapping import schema

        click.echo(json.dumps(schema(), ensure_ascii=False, indent=1))
        context.exit()


@click.command("import")
@click.argument("table", type=click.Path(path_type=Path))
@click.argument("mapping", type=click.Path(path_type=Path), required=False)
@options(SAID)
@click.option("--place", "places", multiple=True, metavar='"NAME, KIND, PARENT"', help=PLACE)
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema, help=SCHEMA
)
@click.option("--guess", is_flag=True, help="Show how the table would be read, and write nothing.")
@click.option("--yes", is_flag=True, help="Write without asking.")
def import_(
    table: Path,
    mapping: Path | None,
    rows: tuple[str, ...],
    places: tuple[str, ...],
    guess: bool,
    yes: bool,
    **said: str | None,
) -> None:
    """Read TABLE, downloaded by hand: CSV, Excel, ODS, HTML, XML, JSON or SDMX, told by its content.

    Without MAPPING the table is looked at, and the mapping that was found is shown with the first observations. What the
    table does not say is asked for, or said by an option. Nothing is written before it is confirmed; the mapping is then
    kept beside the file and can be changed and given again. data/README.md describes it.
    """
    from lib.tools import curation
    from lib.tools.sources import client, record, snapshots
    from lib.tools.sources.fetch import read_import
    from lib.tools.sources.mapping import parse_mapping, to_yaml

    new, names = _places(places)
    given = {name: value for name, value in said.items() if value} | {"places": names, "rows": pairs(rows)}
    if mapping is None:
        found, observed = _proposed(table, given)
    else:
        if extra := [name for name, value in given.items() if value and name != "places"]:
            raise UserError(f"--{extra[0]}: found it beside a mapping, expected it in there")
        found, observed = parse_mapping(read_bytes(mapping), shown_path(mapping)), None
    with client.open_client() as asked:
        imported = read_import(table, found, snapshots.Desk(asked, snapshots.folder_of()), observed)
        with tempfile.TemporaryDirectory() as folder:  # rates that are looked up leave nothing behind, either
            codes = {one["name"]: one["code"] for one in new}
            drafts, notes = record.plan_import(imported, snapshots.Desk(asked, Path(folder)), codes)
        if mapping is None and imported.mapping is not None:
            click.echo(f"mapping:\n{indent(to_yaml(imported.mapping).rstrip(), '  ')}")
        doubts = _show(drafts, notes)
        sure = yes or (mapping is not None and not (doubts and sys.stdin.isatty()))
        if not (guess or sure or sys.stdin.isatty()):
            raise UserError("data import: nothing was written, expected --yes where nobody can be asked")
        if guess or not (sure or click.confirm("Write it?")):
            click.echo("Nothing was written.")
            return
        if new:
            curation.add_places(new)
            click.echo(f"reporters.csv gets a row: {'; '.join(row['name'] for row in new)}")
        written, path = record.write_import(imported, snapshots.Desk(asked, snapshots.open_store()))
    for one in (one for draft in written for one in draft.written()):
        click.echo(one)
    source, kept = imported.request.source, f"; mapping: {path}" if path else ""
    click.echo(f"source: {source}; to take it back: tradegoals data remove {source}{kept}")


def _proposed(table: Path, given: dict[str, Any]) -> "tuple[Mapping | None, Observed | None]":
    """The mapping that the table itself suggests; what it does not say is asked for at a terminal. None for a page of customs."""
    from lib.tools.sources import gacc
    from lib.tools.sources.grids import read_file
    from lib.tools.sources.proposal import UnclearError, propose

    body = read_file(table)
    if body.lstrip()[:1] == b"<" and gacc.is_release(body):
        return None, None
    try:
        proposal = propose(table, **given)
    except UnclearError as unclear:
        if not sys.stdin.isatty():
            options = " ".join(f"--{name.replace('_', '-')} …" for name in unclear.questions)
            raise UserError(f"{unclear}\nTo say so: tradegoals data import {table} {options}") from None
        for name, words in unclear.questions.items():
            click.echo(f"{name}: {words}")
            answer = click.prompt(name)
            given = given | {name: pairs((answer,)) if name == "rows" else answer}
        return _proposed(table, given)
    return proposal.mapping, (proposal.rows, proposal.notes)


def pairs(texts: tuple[str, ...]) -> dict[str, str]:
    """COLUMN=TEXT, as often as it was given."""
    if wrong := [text for text in texts if "=" not in text]:
        raise UserError(f"--rows: found {quote(wrong[0])}, expected COLUMN=TEXT")
    parts = [text.partition("=") for text in texts]
    return {name.strip(): value.strip() for name, _, value in parts}


def _places(texts: tuple[str, ...]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Rows for reporters.csv, and how the table calls places."""
    from lib.tools import curation

    rows, names = [], {}
    for text in texts:
        called, _, rest = text.rpartition("=")
        name, *about = [part.strip() for part in rest.split(",")]
        names[called.strip() or name] = name
        if about:
            rows += curation.place_rows(name, *[*about, ""][:2])
    return rows, names


def _show(drafts: "list[Draft]", notes: list[str]) -> bool:
    """Print notes, the first observations beside what is known, and what the rules of plausibility doubt; whether any."""
    import pandas as pd

    from lib.tools import curation

    for note in notes:
        click.echo(f"note: {note}")
    news = [draft.news for draft in drafts]
    total = sum(map(len, news))
    click.echo(f"{total:,} figures are new; the first:" if total else "No figure is new.")
    shown, known = curation.beside(news, SHOWN)
    for line in _as_table(shown, known):
        click.echo(line)
    keys = pd.concat(news)["figure_id"] if news else None
    flags, seen = curation.doubts([draft.rows for draft in drafts], keys)
    for flag in flags.head(SHOWN).itertuples():
        click.echo(f"look: {flag.rule}: {flag.figure_id}: found {flag.found}, expected {flag.expected}")
    if len(flags) > SHOWN:
        click.echo(f"look: and {len(flags) - SHOWN:,} more")
    if seen < total:
        click.echo(f"note: the rules of plausibility looked at {seen:,} of {total:,} figures")
    return bool(len(flags))


def _as_table(rows: "pd.DataFrame", known: list[str]) -> list[str]:
    """Lines of observations, in columns."""
    from lib.tools import curation

    spans = zip(rows["period_start"], rows["period_end"], strict=True)
    periods = [curation.period_code(*span) for span in spans]
    values = [f"{value:,.10g}" for value in rows["value"]]
    cells = [rows["reporter"], rows["partner"], rows["flow"], periods, values, rows["unit"]]
    padded = []
    for column in cells:
        wide = max(map(len, column), default=0)
        padded.append([text.rjust(wide) if column is values else text.ljust(wide) for text in column])
    beside = [f"  known: {words}" if words else "" for words in known]
    return [f"  {'  '.join(line)}{words}" for *line, words in zip(*padded, beside, strict=True)]


@click.command()
@click.argument("source")
@click.option("--yes", is_flag=True, help="Without asking.")
def remove(source: str, yes: bool) -> None:
    """Take back the figures of SOURCE, such as an import that went wrong; `data sources` lists them.

    The files as they were received stay in data/snapshots.
    """
    from lib.tools.sources import record

    kept = record.sources()
    if source not in kept.index:
        none = "one of those that were fetched or imported: there is none"
        expected = nearest(source, kept.index) if len(kept) else none
        raise UserError(f"source: found {quote(source)}, expected {expected}")
    asked = f"Remove {kept.loc[source, 'values']:,} figures of {source}?"
    if not yes and not (sys.stdin.isatty() and click.confirm(asked)):
        raise UserError("data remove: nothing was removed, expected --yes where nobody can be asked")
    click.echo(f"removed {record.remove(source):,} figures of {source}; its files stay in data/snapshots")
