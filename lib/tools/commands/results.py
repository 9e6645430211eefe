"""The commands of what runs have left: the table of all `results`, the pages of `site` and `what-if`, and `export`."""

import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import click

from lib.errors import UserError, nearest, quote
from lib.research import files
from lib.tools import commands
from lib.tools.commands import OUT, Out, Texts, examples, flag, options, tell
from lib.tools.run.freshness import TABLE

if TYPE_CHECKING:  # every command imports this module; the others need no pandas
    import pandas as pd

FILTERS = (
    *("notebook", "slug", "reporter", "partner", "flow", "currency", "goal", "as_of"),
    *("period", "target", "reading", "kind", "output_type"),
)
"""Columns that rows can be chosen by, each as an option of the same name."""


@click.command(epilog=examples("results"))
@options
def results(
    out: Out = OUT,
    sort: Annotated[Texts, "Sort by this column (repeatable).", {"metavar": "COLUMN"}] = (),
    descending: Annotated[bool, "Sort from large to small."] = False,
    limit: Annotated[int, "Rows to print; 0 for all.", {"type": click.IntRange(0)}] = 40,
    csv: Annotated[Path | None, "Write the chosen rows, with all columns; - for the terminal."] = None,
    merge: Annotated[bool, "First collect again what the run folders hold."] = False,
    **wanted: Annotated[Texts, dict.fromkeys(FILTERS, "Only rows with this (repeatable); of several, any.")],
) -> None:
    """Print the results of all runs, from out/results.parquet."""
    from lib.tables import to_csv
    from lib.tools.run import results_table

    if merge:
        collect_results(out, True)
    table = results_table.read_table(out)
    rows = _choose_rows(table, wanted)
    for column in sort:
        if column not in rows.columns:
            raise UserError(f"--sort: found {quote(column)}, expected {nearest(column, rows.columns)}")
    if sort:
        rows = rows.sort_values(list(sort), ascending=not descending, kind="stable")
    if csv is not None:
        write_csv(to_csv(rows), csv, f"{len(rows)} rows")
        return
    shown = rows.head(limit) if limit else rows
    click.echo(_as_text(shown, shutil.get_terminal_size((110, 24)).columns), nl=not shown.empty)
    found = f"{len(rows)} of {len(table)} rows" if len(rows) < len(table) else f"{len(table)} rows"
    rest = f", the first {len(shown)} shown; --limit 0 shows all" if len(shown) < len(rows) else ""
    click.echo(found + rest if len(table) else "The table is empty: no run has recorded a result.")


def write_csv(text: str, path: Path, what: str) -> None:
    """Write a table, and say so aside; or print it, where the path is a hyphen."""
    if str(path) == "-":
        click.echo(text, nl=False)
    else:
        files.write_atomically(path, text)
        click.echo(f"wrote {what} to {path}", err=True)


def collect_results(out: Path, changed: bool) -> None:
    """Renew the table after runs, unless nothing has changed and there is one; name each result that it leaves out."""
    if changed or not (out / TABLE).exists():
        from lib.tools.run import results_table  # imports pandas

        tell(results_table.merge(out), "left out of the results table: ", err=True)


def _choose_rows(table: "pd.DataFrame", wanted: dict[str, Texts]) -> "pd.DataFrame":
    """Rows whose columns hold one of the values asked for, goals by what they mean; one that no row holds is an error."""
    from lib.spoken import read_goal
    from lib.tools.run.matrix import notebook_name

    def plain(text: str) -> str:
        try:
            return read_goal(text) if column == "goal" else text.strip()
        except UserError:
            return text

    rows = table
    for column, values in ((column, values) for column, values in wanted.items() if values):
        held = {one: plain(str(one)) for one in table[column].dropna().unique()}
        if column == "notebook" and held:
            values = tuple(notebook_name(value, held.values()) for value in values)
        for value in values:
            if plain(value) not in held.values():
                expected = nearest(value, map(str, held)) if held else "nothing: no row has this column"
                raise UserError(f"{flag(column)}: found {quote(value)}, expected {expected}")
        rows = rows[rows[column].map(held).isin(list(map(plain, values)))]
    return rows


def _as_text(rows: "pd.DataFrame", width: int) -> str:
    """Rows as a table folded to `width`, without empty columns; what all rows share stands once above it."""
    from lib.words import number

    if rows.empty:
        return ""
    filled = rows.drop(columns=["run_key", "parameters"]).dropna(axis="columns", how="all")
    varying = [name for name in filled if len(filled[name].unique()) > 1 or name == "value"]
    shared = [f"{name}: {filled[name].iloc[0]}" for name in filled if name not in varying]
    above = textwrap.wrap("; ".join(part for part in shared if not part.endswith(": ")), width)
    how: Any = {"index": False, "na_rep": "", "max_colwidth": 40, "float_format": number}
    return "\n".join([*above, filled[varying].to_string(line_width=width, **how)])


@click.command()
@options
def site(out: Out = OUT) -> None:
    """Build the site in out/site, offline; pages whose runs have not changed are kept.

    Runs that failed have a page that says so; the exit code is then 1, so that nobody publishes them unawares.
    """
    from lib.tools.site.build import build_site

    commands.expect_known_data()
    built = build_site(out)
    click.echo(f"{len(built.made)} parts made, {len(built.kept)} kept: {out / 'site' / 'index.html'}")
    tell((f"{run.name}: {run.fault.splitlines()[0]}" for run in built.failed), "FAILED ", err=True)
    if built.failed:
        sys.exit(1)


@click.command()
@options
def what_if(out: Out = OUT) -> None:
    """Write whatif.html, a page that answers any goal for any flow in the browser, offline."""
    from lib.tools.whatif.page import write_page

    commands.expect_known_data()
    click.echo(f"wrote {write_page(out)}: open it in a browser")


Format = Literal["svg", "pdf", "csv", "latex"]


@click.command()
@options
def export(
    run: str,
    format_: Annotated[tuple[Format, ...], "Only this (repeatable) [default: all]."] = get_args(Format),
    out: Out = OUT,
) -> None:
    """Write the figures (svg, pdf) and tables (csv, latex) of an executed run for a paper.

    RUN is 03_could_one_have_known/default, 03, or a path.
    """
    from lib.tools.site.export import export as write

    commands.expect_known_data()
    tell(write(run, format_, out), "wrote ")
