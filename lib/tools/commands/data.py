"""The command `data add`: one figure, by options or asked for, checked and put in its place.

The command `data fetch`: a flow, or all, from a live source.

The commands that look at the data: `data check`, `data diff` and `data sources`; the others join them here.
"""

import shlex
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click

from lib.errors import UserError

ASKED = {
    "reporter": "whose trade (a name of reporters.csv, or a country)",
    "partner": "with whom",
    "flow": "total, export or import",
    "period": "a year (2013), a month (2013-05), or first..last (2013-01..2013-10)",
    "value": "the number as printed, in the unit below; blank where only growth was printed",
    "unit": "USD bn, USD mn, CNY bn or CNY mn (亿 is 0.1 bn, 万 is 0.01 mn)",
    "yoy_pct": "growth on the same period a year before, per cent, as printed; blank without",
    "published": "day, month or year of the text; blank where it is undated",
    "publisher": 'who printed it, and after "citing" whose figure it is',
    "authority": "customs, statistics, government, press or unstated",
    "url": "address of the page that was read",
    "status": "what the number is good for",
    "note": "what a reader must know; blank without",
}
"""What a user gives, in the order in which it is asked for."""

MAY_BE_BLANK = ("value", "yoy_pct", "published", "note")

DEFAULTS = {"flow": "total", "status": "ok"}


def _options(command: Any) -> Any:
    for name, meaning in reversed(ASKED.items()):
        command = click.option(
            f"--{name.replace('_', '-')}", name, help=meaning[0].upper() + meaning[1:] + "."
        )(command)
    return command


@click.command()
@_options
@click.option("--yes", is_flag=True, help="Write without asking, also where something speaks against it.")
def add(yes: bool, **given: str | None) -> None:
    """Add one figure to figures.csv: what no option gives is asked for.

    Faults are refused. What speaks against the figure, by the figures beside it, is printed before you are asked
    whether to write it.
    """
    from lib.errors import list_faults
    from lib.tools import curation

    values = _complete(given)
    start, end = curation.read_period(values.pop("period"))
    row = curation.make_row(values | {"period_start": start, "period_end": end})
    countries = curation.countries_to_add(row)
    if faults := curation.faults(row, countries):
        raise UserError(list_faults(faults))
    warnings = curation.warnings(row)
    click.echo(", ".join(text for text in row.values() if text))
    for country in countries:
        click.echo(f"reporters.csv gets a row: {country['name']}, {country['code']}")
    for warning in warnings:
        click.echo(f"look: {warning}")
    if yes or click.confirm("Write it?"):
        curation.add(row, countries)
        click.echo(f"wrote {row['figure_id']} to data/figures.csv")


def _complete(given: dict[str, str | None]) -> dict[str, str]:
    """What was given, the rest asked for at a terminal; without one, what must not be blank is an error."""
    if _is_terminal():
        return {name: _ask(name, given[name]) for name in ASKED}
    missing = [
        f"--{name.replace('_', '-')}"
        for name in ASKED
        if given[name] is None and name not in MAY_BE_BLANK and name not in DEFAULTS
    ]
    if missing:
        raise UserError(f"data add: found no {', '.join(missing)}, expected them where nobody can be asked")
    return {name: (given[name] or DEFAULTS.get(name, "")).strip() for name in ASKED}


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask(name: str, value: str | None) -> str:
    if value is None:
        click.echo(f"{name}: {ASKED[name]}")
        value = click.prompt(name, default=DEFAULTS.get(name, "" if name in MAY_BE_BLANK else None))
    return value.strip()


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
    from lib.tools.sources import record

    if all_pairs == bool(reporter or partner) or bool(reporter) != bool(partner):
        raise UserError("data fetch: expected REPORTER and PARTNER, such as India Russia, or --all-pairs")
    span = record.read_years(years) if years else record.default_years(date.today())
    days = max_age if max_age is not None else 7 if all_pairs else 0
    asked = record.Asked(source, freq, span, offline, timedelta(days=days) if days else None)
    if reporter and partner:
        _show_pair(list(record.fetch_pair(reporter, partner, asked)), freq)
    else:
        _show_panel(record.fetch_all(asked, _progress))


@click.command("import")
@click.argument("table", type=click.Path(path_type=Path))
@click.argument("mapping", type=click.Path(path_type=Path))
def import_(table: Path, mapping: Path) -> None:
    """Read TABLE, a .csv or .xlsx downloaded by hand, as MAPPING (YAML) says; data/README.md describes it.

    The file is kept in data/snapshots, its figures go to data/fetched.
    """
    from lib.tools.sources import record

    for written in record.import_file(table, mapping):
        for note in written.notes:
            click.echo(f"note: {note}")
        click.echo(_in_words(written))


def _progress(done: int, of: int, name: str) -> None:
    click.echo(f"{done}/{of} {name}", err=True)


def _show_pair(found: list[Any], freq: str) -> None:
    """What was written, what is missing, and how to go on."""
    from lib.tools.sources.record import last_day_known

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
    from lib.figures import check_data
    from lib.tools.sources import record
    from lib.tools.sources.snapshots import check_store, open_store

    faults = check_data() + record.check()
    if snapshots:
        faults += check_store(open_store())
    report_faults(faults)
    _show_flags(with_flags)
    click.echo("Data are in order.")


def _show_flags(listed: bool) -> None:
    """How many figures the rules doubt, how many of them have a status that says so, and which they are."""
    from lib import figures as fig
    from lib.analysis import plausibility

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
    from lib.tools import curation

    old, new = curation.read_vintage(before), curation.read_vintage(after)
    if reporter:
        old, new = (rows[rows["reporter"] == reporter] for rows in (old, new))
    found = curation.compare(old, new)
    earlier = curation.replaced(found.added, old)
    for row, was in zip(found.added.itertuples(), earlier, strict=True):
        click.echo(f"+ {_data_in_words(row)}" + (f" (before: {was})" if was else ""))
    for row in found.removed.itertuples():
        click.echo(f"- {_data_in_words(row)}")
    for change in found.changed.itertuples():
        click.echo(f'~ {change.figure_id}: {change.column}: "{change.before}" → "{change.after}"')
    changed = found.changed["figure_id"].nunique()
    click.echo(f"{len(found.added)} added, {len(found.removed)} removed, {changed} changed")


def _data_in_words(row: Any) -> str:
    value = "" if row.value != row.value else f", {row.value:g} {row.unit}"
    growth = "" if row.yoy_pct != row.yoy_pct else f", {row.yoy_pct:+g} %"
    return f"{row.figure_id}{value}{growth}, {row.publisher}, {row.published or 'undated'}, {row.status}"


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--source", default="imf", show_default=True, help="imf or comtrade.")
def panel(path: Path, source: str) -> None:
    """Write the annual values that were fetched to PATH (parquet), as `reference` and `backtest --panel` read them."""
    from lib.errors import UserError
    from lib.files import working_file
    from lib.tools.sources import record

    rows = record.panel(source)
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
    from lib import figures as fig
    from lib.tools.sources import record
    from lib.tools.sources.fetch import TRADE
    from lib.tools.sources.publishers import PUBLISHERS, key_of

    curated = fig.load_figures()
    flows = len(curated.drop_duplicates(["reporter", "partner", "flow"]))
    click.echo(
        f"record: data/figures.csv, collected by hand\n  {len(curated)} figures of {flows} flows, "
        f"{curated['period_start'].dt.year.min()}–{curated['period_end'].dt.year.max()}, last published "
        f"{curated['published'].max()}"
    )
    kept = record.sources()
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
