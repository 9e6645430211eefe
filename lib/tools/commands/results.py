"""The command `tradegoals results`: the table of all results, filtered, sorted, printed or exported."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lib.errors import UserError, nearest, quote
from lib.tools.commands.author import notebook_name

if TYPE_CHECKING:  # every command imports this module; the others need no pandas
    import pandas as pd

out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), show_default=True, help="Output folder."
)

SHOWN_ROWS = 40

FILTERS = {
    "notebook": "name of the notebook, a path, or a beginning such as 03",
    "slug": "name of the case or of the run's folder",
    "reporter": "who reports the trade",
    "partner": "the other side",
    "flow": "total, export or import",
    "currency": "USD, CNY, or another of ISO 4217",
    "goal": '"25 %" or "100 USD bn"',
    "as_of": "the day whose knowledge was used",
    "period": "calendar year that a value is for",
    "target": '"goal met", "needed rate", "level", …',
    "reading": "average, every_year or mean_of_rates",
    "kind": "of a probability: forecast, nowcast or inferred",
    "output_type": "point, quantile, probability or verdict",
}
"""Columns that rows can be chosen by, each as an option of the same name."""

HIDDEN = ("run_key", "parameters")  # columns that are exported but too wide for a terminal

EXAMPLES = """
\b
Examples
  tradegoals results --output-type probability --sort value
  tradegoals results --reporter Harbin --reading average --output-type verdict
  tradegoals results --target level --csv levels.csv
"""


def _filter_options(command: Any) -> Any:
    for name, about in reversed(FILTERS.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, multiple=True, help=f"Only this: {about} (repeatable).")(command)
    return command


@click.command("results", epilog=EXAMPLES)
@out_option
@_filter_options
@click.option("--sort", "order", multiple=True, metavar="COLUMN", help="Sort by this column (repeatable).")
@click.option("--descending", is_flag=True, help="Sort from large to small.")
@click.option(
    "--limit", type=click.IntRange(0), default=SHOWN_ROWS, show_default=True, help="Rows to print; 0 for all."
)
@click.option(
    "--csv",
    type=click.Path(path_type=Path),
    help="Write the chosen rows, with all columns; - for the terminal.",
)
@click.option("--merge", "again", is_flag=True, help="First collect again what the run folders hold.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of result.json and stop.")
def results_command(
    out: Path,
    order: tuple[str, ...],
    descending: bool,
    limit: int,
    csv: Path | None,
    again: bool,
    schema: bool,
    **wanted: tuple[str, ...],
) -> None:
    """Print the results of all runs, from out/results.parquet."""
    from lib.research.files import write_atomically
    from lib.tables import to_csv
    from lib.tools.run import results_table
    from lib.tools.run.recorded import schema_text

    if schema:
        click.echo(schema_text(), nl=False)
        return
    if again:
        _report_damaged(results_table.merge(out))
    table = results_table.read_table(out)
    rows = _choose_rows(table, wanted)
    for column in order:
        if column not in rows.columns:
            raise UserError(f"--sort: found {quote(column)}, expected {nearest(column, rows.columns)}")
    if order:  # empty ones last
        rows = rows.sort_values(list(order), ascending=not descending, kind="stable")
    if str(csv) == "-":
        click.echo(to_csv(rows), nl=False)
        return
    if csv is not None:
        write_atomically(csv, to_csv(rows))
        click.echo(f"wrote {len(rows)} rows to {csv}")
        return
    shown = rows.head(limit) if limit else rows
    click.echo(as_text(shown, shutil.get_terminal_size((110, 24)).columns), nl=not shown.empty)
    found = f"{len(rows)} of {len(table)} rows" if len(rows) < len(table) else f"{len(table)} rows"
    if len(shown) < len(rows):
        found += f", the first {len(shown)} shown; --limit 0 shows all"
    click.echo(found if len(table) else "The table is empty: no run has recorded a result.")


def collect_results(out: Path, changed: bool) -> None:
    """Renew the table after runs, unless nothing has changed and there is one."""
    from lib.tools.run import results_table

    if changed or not (out / results_table.TABLE).exists():
        _report_damaged(results_table.merge(out))


def _report_damaged(damaged: list[str]) -> None:
    """Name each result that the table leaves out."""
    for line in damaged:
        click.echo(f"left out of the results table: {line}", err=True)


def _choose_rows(table: "pd.DataFrame", wanted: dict[str, tuple[str, ...]]) -> "pd.DataFrame":
    """Rows whose columns hold one of the values asked for; a value that no row holds is an error.

    Goals are compared by what they mean: "25" is "25 %".
    """
    rows = table
    for column, values in wanted.items():
        if values:
            plain = {held: _plain(column, str(held)) for held in table[column].dropna().unique()}
            known = [_known(column, value, plain) for value in values]
            rows = rows[rows[column].map(plain).isin(known)]
    return rows


def _plain(column: str, text: str) -> str:
    from lib.spoken import read_goal

    if column != "goal":
        return text.strip()
    try:
        return read_goal(text)
    except UserError:
        return text


def _known(column: str, value: str, plain: dict[Any, str]) -> str:
    """The value in the spelling of the rows, which hold the keys of `plain`."""
    if column == "notebook" and plain:
        return notebook_name(value, plain.values())
    if (asked := _plain(column, value)) not in plain.values():
        option = column.replace("_", "-")
        expected = nearest(value, map(str, plain)) if plain else "nothing: no row has this column"
        raise UserError(f"--{option}: found {quote(value)}, expected {expected}")
    return asked


def as_text(rows: "pd.DataFrame", width: int) -> str:
    """Rows as a table for a terminal `width` characters wide.

    What all rows share stands once above the table, empty columns are left out, and a table that is still
    too wide is folded by columns.
    """
    import textwrap

    from lib.words import number

    if rows.empty:
        return ""
    filled = rows.drop(columns=list(HIDDEN)).dropna(axis="columns", how="all")
    varying = [name for name in filled if len(filled[name].unique()) > 1 or name == "value"]
    shared = [f"{name}: {filled[name].iloc[0]}" for name in filled if name not in varying]
    above = textwrap.wrap("; ".join(part for part in shared if not part.endswith(": ")), width)
    text = filled[varying].to_string(
        index=False, na_rep="", line_width=width, max_colwidth=40, float_format=number
    )
    return "\n".join([*above, text])
