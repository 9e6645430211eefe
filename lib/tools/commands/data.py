"""The commands `data …`: add, fetch, refresh, update, check, diff, panel and sources."""

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click

from lib.errors import UserError
from lib.tools.commands.bring import import_, options, remove

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


@click.command()
@options({name: f"{words[0].upper()}{words[1:]}." for name, words in ASKED.items()})
@click.option("--yes", is_flag=True, help="Write without asking, also where something speaks against it.")
def add(yes: bool, **given: str | None) -> None:
    """Add one figure to figures.csv: what no option gives is asked for.

    Faults are refused. What speaks against the figure, by the figures beside it, is printed before you are asked
    whether to write it.
    """
    from lib.errors import list_faults
    from lib.tools import curation

    expect_known_data()
    values = _in_our_words(_complete(given))
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
        written = curation.add(row)
        click.echo(f"wrote {written['figure_id']} to data/figures.csv")


def expect_known_data() -> None:
    """Refuse data that differ from their checksums, and show how: nothing is made of what nobody has looked at."""
    from lib.errors import list_faults
    from lib.research import files

    files.finish_edit()
    if files.check_checksums():
        files.finish_edit()  # one that began as we looked
        if faults := files.check_checksums():
            raise UserError("\n".join([list_faults(faults), *_altered()]))


def _altered() -> list[str]:
    """How the tables differ from the last commit, a line a field."""
    from lib.tools import curation

    return [f"{name}: {line}" for name, lines in curation.altered().items() for line in lines]


def renew_checksums(yes: bool) -> None:
    """Renew the checksums of tables without faults, once somebody has seen what differs and said so."""
    from lib.figures import check_tables
    from lib.research import files

    files.finish_edit()
    report_faults(check_tables())
    shown, altered = files.check_checksums(), _altered()
    for line in altered:
        click.echo(line)
    if not altered:
        return
    names = ", ".join(dict.fromkeys(line.partition(":")[0] for line in altered))
    if not (yes or _is_terminal()):
        raise UserError("check --renew: found nobody to ask, expected --yes after a look at what differs")
    if not (yes or click.confirm(f"Is that what you changed? Renew the checksum of {names}?")):
        raise UserError("check --renew: nothing was renewed")
    if files.check_checksums() != shown:
        raise UserError("check --renew: the data have changed again since they were shown, expected a look")
    for name in files.refresh_checksums():
        click.echo(f"renewed the checksum of {name}")


def _complete(given: dict[str, str | None]) -> dict[str, str]:
    """What was given, the rest asked for at a terminal; without one, what must not be blank is an error."""
    missing = [name for name in ASKED if given[name] is None]
    needed = [f"--{name.replace('_', '-')}" for name in missing if name not in (*MAY_BE_BLANK, *DEFAULTS)]
    if needed and not _is_terminal():
        raise UserError(f"data add: found no {', '.join(needed)}, expected them where nobody can be asked")
    values = {name: given[name] or DEFAULTS.get(name, "") for name in ASKED}
    for name in missing if _is_terminal() else ():
        click.echo(f"{name}: {ASKED[name]}")
        values[name] = click.prompt(name, default=DEFAULTS.get(name, "" if name in MAY_BE_BLANK else None))
    return {name: value.strip() for name, value in values.items()}


def _in_our_words(values: dict[str, str]) -> dict[str, str]:
    """Places, flow, unit and day of publication as the table has them, from what people call them."""
    from lib import spoken
    from lib.analysis.question import read_unit

    places = {name: spoken.read_place(values[name]) for name in ("reporter", "partner")}
    read = values | places | {"flow": spoken.read_flow(values["flow"])}
    with suppress(UserError):  # the check of the row says what is wrong with a unit
        currency, millions = read_unit(values["unit"])
        read["unit"] = {1.0: f"{currency} mn", 1000.0: f"{currency} bn"}.get(millions, values["unit"])
    if not re.fullmatch(r"([0-9]{4}(-[0-9]{2}){0,2})?", values["published"]):
        day = spoken.read_day(values["published"])
        read["published"] = f"{day.day:%Y-%m}" if day.note else day.day.isoformat()
    return read


def _is_terminal() -> bool:
    return sys.stdin.isatty()


@contextmanager
def _desk(allow_http: bool = False, **asking: Any) -> Iterator[Any]:
    """Where sources are asked: the client and the store of answers."""
    from lib.tools.sources import client, snapshots

    with client.open_client(allow_http=allow_http) as one:
        yield snapshots.Desk(one, snapshots.open_store(), **asking)


OFFLINE = click.option("--offline", is_flag=True, help="Use the answers kept before, ask nobody.")


@click.command()
@click.argument("reporter", required=False)
@click.argument("partner", required=False)
@click.option("--all-pairs", is_flag=True, help="Every country with every other; goes on where it stopped.")
@click.option("--source", default="imf", show_default=True, help="imf, comtrade or gacc; see `data sources`.")
@click.option(
    "--freq", type=click.Choice(["A", "Q", "M"]), default="A", show_default=True, help="Of the values."
)
@click.option("--years", metavar="FIRST-LAST", help="Years [default: all that the source has].")
@OFFLINE
@click.option(
    "--max-age",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Do not ask again for what was answered so lately [default: imf 0, with --all-pairs 7; comtrade 7; gacc 1].",
)
@click.option("--allow-http", is_flag=True, help="Let China's customs alone be asked without TLS.")
@click.option("--yes", is_flag=True, help="With --all-pairs: do not ask about the licence.")
def fetch(
    reporter: str | None,
    partner: str | None,
    all_pairs: bool,
    source: str,
    freq: str,
    years: str | None,
    offline: bool,
    max_age: int | None,
    allow_http: bool,
    yes: bool,
) -> None:
    """Fetch the trade of REPORTER with PARTNER: exports, imports and total.

    The answer is kept as received in data/snapshots; its figures go to data/fetched, each known from the release that
    its source states, else from the day on which it was first received. Beside a pair, the reporter's trade with the world
    and the partner's own figures are fetched.

    No source could be reached where this was written: data/README.md lists what rests on recorded answers alone.
    """
    from lib import fetched
    from lib.tools.sources import record
    from lib.tools.sources.fetch import fetch_panel, pair_question
    from lib.tools.sources.publishers import publisher

    if all_pairs == bool(reporter or partner) or bool(reporter) != bool(partner):
        raise UserError("data fetch: expected REPORTER and PARTNER, such as India Russia, or --all-pairs")
    facts = publisher(source)
    last = date.today().year + (freq != "A")
    span = record.read_years(years) if years else range(facts.first_year, last)
    days = facts.good_days or 7 * all_pairs if max_age is None else max_age
    age = timedelta(days=days) if days else None
    if all_pairs and not offline:
        click.echo(f"{facts.title}: {facts.licence}.")
        if not (yes or click.confirm("Have you what that asks for, and shall it start?")):
            raise UserError("data fetch: nothing was asked for")
    with _desk(allow_http, offline=offline, max_age=age) as desk:
        if reporter and partner:
            found = record.fetch_pair(pair_question(source, reporter, partner, freq, span), desk)
            _show(found)
            if len(found[0].first) == 4:  # a year, which most notebooks want
                rows = fetched.read(found[0].reporter)
                day = rows.loc[rows["partner"] == found[0].partner, "published"].max()
                case = f"reporter={found[0].reporter}", f"partner={found[0].partner}", f"as_of={day}"
                given = " ".join(f"-p {shlex.quote(text)}" for text in case)
                click.echo(f"Now: tradegoals run --notebook 01_what_do_the_figures_say {given}")
        else:
            _write_panel(fetch_panel(source, freq, span, desk), desk.today)


@click.command()
@click.option("--source", "sources", multiple=True, help="Only this source; see `data sources`.")
@click.option("--currency", "currencies", multiple=True, help="Only the rates of this currency, such as EUR.")
@OFFLINE
@click.option("--yes", is_flag=True, help="Write without asking.")
def refresh(sources: tuple[str, ...], currencies: tuple[str, ...], offline: bool, yes: bool) -> None:
    """Renew covariates.csv from its publishers: exchange rates, GDP, oil, world trade; the difference is shown first.

    Rates come from the ECB for its currencies (from 1999, with an installed package, offline too), from the World Bank for
    all others.
    """
    from lib.errors import nearest, quote
    from lib.tools.sources import covariates
    from lib.tools.sources.publishers import PUBLISHERS

    known = [name for name, facts in PUBLISHERS.items() if facts.command == "refresh"]
    if other := [name for name in sources if name not in known]:
        raise UserError(f"source: found {quote(other[0])}, expected {nearest(other[0], known)}")
    with _desk(offline=offline) as desk:
        renewed = covariates.renew(list(sources) or known, desk, currencies)
    for line in [*(f"note: {note}" for note in renewed.notes), *renewed.changed]:
        click.echo(line)
    if not renewed.changed:
        click.echo("Nothing differs from data/covariates.csv.")
    elif yes or click.confirm(f"Write these {len(renewed.changed)} values to data/covariates.csv?"):
        covariates.write(renewed)
        click.echo(f"wrote {len(renewed.changed)} values to data/covariates.csv")


@click.command()
@OFFLINE
def update(offline: bool) -> None:
    """Fetch what the pending targets of the register need; say what it moves, and which of them it decides.

    Nothing of the register is written: a decided target is shown as the row that may take its place.
    """
    from lib.tools import curation
    from lib.tools.sources.update import update as renew

    with _desk(offline=offline, max_age=timedelta(days=1)) as desk:
        found = renew(range(1980, date.today().year), desk)
    _show([written for written in found.written if any(written.added[:2])])
    for note in found.notes:
        click.echo(f"note: {note}")
    click.echo(f"{len(found.moved)} answers move:" if found.moved else "No answer moves.")
    for line in found.moved:
        click.echo(f"  {line}")
    names = ": " * bool(found.decided) + ", ".join(row["target_id"] for row in found.decided)
    click.echo(f"{len(found.decided)} of {found.pending} pending targets are decided{names}")
    if found.decided:
        click.echo("Rows for data/targets.csv, if what they count is what was announced:")
        click.echo(curation.to_text(found.decided).partition("\n")[2].rstrip("\n"))


def _show(found: list[Any]) -> None:
    """The notes of pairs, then what was written of them."""
    notes = [f"note: {note}" for written in found for note in written.notes]
    for line in (*notes, *found):
        click.echo(line)


def _write_panel(answers: Any, today: str) -> None:
    """Write and count the reporters while they are fetched, then say what is new of all together, and what failed."""
    from lib.tools.sources import record

    total = [0, 0, 0]
    failed: list[str] = []
    for done, (place, answer) in enumerate(answers, start=1):
        rows, notes = record.figures_of(answer, today)
        written = record.append(rows) if len(rows) else []
        click.echo(f"{done} {place.name}", err=True)
        total = [sum(counts) for counts in zip(total, *(one.added for one in written), strict=True)]
        failed += notes if not written else []
    for note in failed:
        click.echo(f"note: {note}")
    click.echo(f"{total[0]:,} values new, {total[1]:,} changed, {total[2]:,} known already")


EXAMPLES = """
\b
Examples
  tradegoals data fetch India Russia               a flow from the IMF, with its larger flow and mirror
  tradegoals data fetch --all-pairs --years 2000-2024
  tradegoals data fetch China India --source gacc --freq M   months and year to date from China's customs
  tradegoals data import exports.xlsx              a table of one's own: looked at, shown, written once confirmed
  tradegoals data import customs.xlsx customs.yml  the same, read as the mapping says
  tradegoals data remove exports                   an import taken back
  tradegoals data import page.html                 a saved page of China's customs
  tradegoals data refresh                          exchange rates, GDP, oil and world trade from their publishers
  tradegoals data refresh --currency EUR           the rates of a currency, for goals and figures in it
  tradegoals data update                           what pending targets need, what it moves and decides
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


for command in (add, fetch, import_, refresh, remove, update):
    data.add_command(command)


def report_faults(faults: list[Any]) -> None:
    """Print faults, a line each, and end with 1 where there are any."""
    for fault in faults:
        click.echo(fault)
    if faults:
        click.echo(f"{len(faults)} fault{'s' * (len(faults) > 1)} found.", err=True)
        sys.exit(1)


@data.command()
@click.option("--flags", "with_flags", is_flag=True, help="List every figure that a rule doubts.")
@click.option("--snapshots", is_flag=True, help="Compare every kept answer with its checksum, too.")
def check(with_flags: bool, snapshots: bool) -> None:
    """Validate the tables, their checksums and what was fetched; count what looks implausible."""
    from lib import fetched
    from lib.figures import check_tables
    from lib.research.files import check_checksums

    faults = check_tables() + check_checksums() + fetched.check()
    if snapshots:
        from lib.tools.sources.snapshots import check_store, open_store

        faults += check_store(open_store())
    report_faults(faults)
    _show_flags(with_flags)
    click.echo("Data are in order.")


def _show_flags(listed: bool) -> None:
    """How many figures the rules doubt, how many of them have a status that says so, and which they are."""
    import pandas as pd

    from lib import figures as fig
    from lib.analysis import plausibility
    from lib.tools import curation

    figures, parts = fig.load_figures(), curation.fetched_figures()
    found = plausibility.find_flags(figures, fig.covariate("cny_per_usd"), fig.parents())
    found["status"] = found["figure_id"].map(figures.set_index("figure_id")["status"])
    more, seen = curation.doubts(parts)
    for flag in pd.concat([found, more.assign(status="")]).itertuples() if listed else ():
        status = f" ({flag.status})" if flag.status else ""
        click.echo(f"{flag.rule}: {flag.figure_id}{status}: found {flag.found}, expected {flag.expected}")
    doubted = found.drop_duplicates("figure_id")
    settled = int((~doubted["status"].isin(plausibility.UNDOUBTED)).sum())
    hint = "" if listed else " To list them: tradegoals data check --flags"
    click.echo(
        f"{len(doubted)} of {len(figures)} figures are doubted by a rule; {settled} of these have a status that says "
        f"what is wrong.{hint}"
    )
    if seen:
        left = sum(map(len, parts)) - seen
        doubts = f"{more['figure_id'].nunique()} of {seen:,} fetched and imported figures are doubted"
        click.echo(doubts + (f"; {left:,} more were not looked at" if left else ""))


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
    for row in found.added.itertuples():
        click.echo(f"+ {_data_in_words(row)}")
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
    from lib.tools.sources import record

    rows = record.panel(source)
    if rows.empty:
        first = "first: tradegoals data fetch --all-pairs"
        raise UserError(f"data panel: found nothing fetched of {source}; {first}")
    record.write_parquet(rows, path)
    pairs = len(rows.drop_duplicates(["reporter", "partner"]))
    click.echo(f"wrote {len(rows):,} values of {pairs:,} pairs to {path}")


@data.command()
def sources() -> None:
    """List where figures come from: what each source covers, what was fetched of it, and when."""
    from lib import figures as fig
    from lib.tools.sources import record
    from lib.tools.sources.publishers import PUBLISHERS, key_of

    curated = fig.load_figures()
    flows = len(curated.drop_duplicates(["reporter", "partner", "flow"]))
    span = f"{curated['period_start'].dt.year.min()}–{curated['period_end'].dt.year.max()}"
    last = f"last published {curated['published'].max()}"
    click.echo("record: data/figures.csv, collected by hand")
    click.echo(f"  {len(curated)} figures of {flows} flows, {span}, {last}")
    kept = record.sources()
    for name, publisher in PUBLISHERS.items():
        click.echo(f"{name}: {publisher.title}\n  {publisher.covers}\n  licence: {publisher.licence}")
        click.echo(f"  asked by: tradegoals data {publisher.command} --source {name}")
        if publisher.key:
            state = "set" if key_of(name) else "not set: the public preview"
            click.echo(f"  key: {publisher.key} is {state}")
        if publisher.command == "fetch":
            told = f"fetched: {_came(kept.loc[name])}" if name in kept.index else "nothing fetched yet"
            click.echo(f"  {told}")
    for name, row in kept[~kept.index.isin(list(PUBLISHERS))].iterrows():
        click.echo(f"{name}: {row['publisher']}\n  imported: {_came(row)}")
        click.echo(f"  to take it back: tradegoals data remove {name}")


def _came(row: Any) -> str:
    span = f"{row['first']:%Y}–{row['last']:%Y}"
    return f"{row['values']:,} values of {row['pairs']:,} pairs, {span}, last on {row['updated']}"
