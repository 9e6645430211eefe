"""The commands that look at the data: `data check`, `data diff` and `data sources`; the others join them here."""

import sys
from pathlib import Path
from typing import Any

import click

from lib.commands.data_add import add
from lib.commands.data_fetch import fetch, import_

EXAMPLES = """
\b
Examples
  tradegoals data fetch India Russia               a flow from the IMF, with its larger flow and mirror
  tradegoals data fetch --all-pairs --years 2000-2024
  tradegoals data import customs.xlsx customs.yml  a table downloaded by hand, read as the mapping says
  tradegoals data add                              one figure, asked for column by column
  tradegoals data check --flags                    faults, and every figure that a rule doubts
  tradegoals data diff 2014-04-15 2015-12-31       what was published between two days
  tradegoals data diff HEAD~5 now                  what the last five commits changed
  tradegoals data panel imf.parquet                all pairs that were fetched, for backtest --panel
  tradegoals data sources                          where figures come from, and how far they reach
"""


@click.group(epilog=EXAMPLES)
def data() -> None:
    """Fetch, add, check and compare figures."""


data.add_command(add)
data.add_command(fetch)
data.add_command(import_)


def report_faults(faults: list[Any]) -> None:
    """Print faults, a line each, and end with 1 where there are any."""
    for fault in faults:
        click.echo(fault)
    if faults:
        click.echo(f"{len(faults)} fault{'s' * (len(faults) > 1)} found.", err=True)
        sys.exit(1)


@data.command()
@click.option(
    "--flags", "with_flags", is_flag=True, help="List every figure that a rule of plausibility doubts."
)
@click.option("--snapshots", is_flag=True, help="Compare every kept answer with its checksum, too.")
def check(with_flags: bool, snapshots: bool) -> None:
    """Validate the tables, their checksums and what was fetched; count what looks implausible."""
    from lib import fetched
    from lib.figures import check_data

    faults = check_data() + fetched.check()
    if snapshots:
        from lib.sources.snapshots import check_store, open_store

        faults += check_store(open_store())
    report_faults(faults)
    _show_flags(with_flags)
    click.echo("Data are in order.")


def _show_flags(listed: bool) -> None:
    """How many figures the rules doubt, how many of them have a status that says so, and which they are."""
    from lib import figures as fig
    from lib import plausibility

    figures = fig.load_figures()
    found = plausibility.find_flags(figures, fig.covariate("cny_per_usd"), fig.parents())
    status = found["figure_id"].map(figures.set_index("figure_id")["status"])
    for flag, known in zip(found.itertuples(), status if listed else [], strict=False):
        click.echo(f"{flag.rule}: {flag.figure_id} ({known}): found {flag.found}, expected {flag.expected}")
    doubted = found.assign(status=status).drop_duplicates("figure_id")
    settled = int((~doubted["status"].isin(plausibility.UNDOUBTED)).sum())
    click.echo(
        f"{len(doubted)} of {len(figures)} figures are doubted by a rule; {settled} of these have a status that "
        "says what is wrong." + ("" if listed else " To list them: tradegoals data check --flags")
    )


@data.command()
@click.argument("before")
@click.argument("after", default="now")
@click.option("--reporter", help="Only figures of this reporter.")
def diff(before: str, after: str, reporter: str | None) -> None:
    """Compare the figures of two vintages: days, files, git revisions, or "now"."""
    from lib.curation import vintages

    old, new = vintages.read_vintage(before), vintages.read_vintage(after)
    if reporter:
        old, new = (rows[rows["reporter"] == reporter] for rows in (old, new))
    found = vintages.compare(old, new)
    earlier = vintages.replaced(found.added, old)
    for row, was in zip(found.added.itertuples(), earlier, strict=True):
        click.echo(f"+ {_in_words(row)}" + (f" (before: {was})" if was else ""))
    for row in found.removed.itertuples():
        click.echo(f"- {_in_words(row)}")
    for change in found.changed.itertuples():
        click.echo(f'~ {change.figure_id}: {change.column}: "{change.before}" → "{change.after}"')
    changed = found.changed["figure_id"].nunique()
    click.echo(f"{len(found.added)} added, {len(found.removed)} removed, {changed} changed")


def _in_words(row: Any) -> str:
    value = "" if row.value != row.value else f", {row.value:g} {row.unit}"
    growth = "" if row.yoy_pct != row.yoy_pct else f", {row.yoy_pct:+g} %"
    return f"{row.figure_id}{value}{growth}, {row.publisher}, {row.published or 'undated'}, {row.status}"


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--source", default="imf", show_default=True, help="imf or comtrade.")
def panel(path: Path, source: str) -> None:
    """Write the annual values that were fetched to PATH (parquet), as `reference` and `backtest --panel` read them."""
    from lib import fetched
    from lib.errors import UserError
    from lib.files import working_file

    rows = fetched.panel(source)
    if rows.empty:
        raise UserError(
            f"data panel: found nothing fetched of {source}; first: tradegoals data fetch --all-pairs"
        )
    try:
        with working_file(path) as draft:
            rows.to_parquet(draft, index=False)
            draft.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    pairs = len(rows.drop_duplicates(["reporter", "partner"]))
    click.echo(f"wrote {len(rows):,} values of {pairs:,} pairs to {path}")


@data.command()
def sources() -> None:
    """List where figures come from: what each source covers, what was fetched of it, and when."""
    from lib import fetched
    from lib import figures as fig
    from lib.sources.fetch import TRADE
    from lib.sources.publishers import PUBLISHERS, key_of

    curated = fig.load_figures()
    flows = len(curated.drop_duplicates(["reporter", "partner", "flow"]))
    click.echo(
        f"record: data/figures.csv, collected by hand\n  {len(curated)} figures of {flows} flows, "
        f"{curated['period_start'].dt.year.min()}–{curated['period_end'].dt.year.max()}, last published "
        f"{curated['published'].max()}"
    )
    kept = fetched.sources()
    for name, publisher in PUBLISHERS.items():
        click.echo(f"{name}: {publisher.title}\n  {publisher.covers}\n  licence: {publisher.licence}")
        if publisher.key:
            click.echo(
                f"  key: {publisher.key} is {'set' if key_of(name) else 'not set: the public preview'}"
            )
        if name in TRADE:
            click.echo(
                f"  {_fetched_in_words(kept.loc[name]) if name in kept.index else 'nothing fetched yet'}"
            )


def _fetched_in_words(row: Any) -> str:
    span = f"{row['first']:%Y}–{row['last']:%Y}"
    return f"fetched: {row['values']:,} values of {row['pairs']:,} pairs, {span}, last on {row['updated']}"
