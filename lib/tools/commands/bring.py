"""The commands `data …` that bring figures: `fetch`, `refresh`, `update` and `panel` from publishers, `import`, `remove`."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any, Literal

import click

from lib.errors import UserError, nearest, quote, read_bytes, shown_path
from lib.tools import commands
from lib.tools.commands import WORDS, Texts, agreed, in_words, options, pairs, tell

Rows = Annotated[Texts, "Only the rows where this stands; may be repeated.", {"metavar": "COLUMN=TEXT"}]
PLACE = 'To add to reporters.csv, such as "Jilin, province, China"; TEXT=NAME says how the table calls it.'
AGE = "Do not ask again for what was answered so lately [default: imf 0, with --all-pairs 7; comtrade 7; gacc 1]."
Offline = Annotated[bool, "Use the answers kept before, ask nobody."]

SHOWN = 12  # observations that are shown


@contextmanager
def _desk(allow_http: bool = False, **asking: Any) -> Iterator[Any]:
    """Where sources are asked: the client and the store of answers."""
    from lib.tools.sources import client, snapshots

    with client.open_client(allow_http=allow_http) as one:
        yield snapshots.Desk(one, snapshots.folder_of(), **asking)


@click.command()
@options
def fetch(
    reporter: str | None = None,
    partner: str | None = None,
    all_pairs: Annotated[bool, "Every country with every other; goes on where it stopped."] = False,
    source: Annotated[str, "imf, comtrade or gacc; see `data sources`."] = "imf",
    freq: Annotated[Literal["A", "Q", "M"], "Of the values."] = "A",
    years: Annotated[str | None, "FIRST-LAST [default: all that the source has]."] = None,
    offline: Offline = False,
    max_age: Annotated[int | None, AGE, {"type": click.IntRange(min=0), "metavar": "DAYS"}] = None,
    allow_http: Annotated[bool, "Let China's customs alone be asked without TLS."] = False,
    yes: Annotated[bool, "With --all-pairs: do not ask about the licence."] = False,
) -> None:
    """Fetch the trade of REPORTER with PARTNER: exports, imports and total.

    The answer is kept as received in data/snapshots; its figures go to data/fetched, each known from the release that
    its source states, else from the day on which it was first received. Beside a pair, the reporter's trade with the world
    and the partner's own figures are fetched.

    No source could be reached where this was written: data/README.md lists what rests on recorded answers alone.
    """
    from lib import fetched
    from lib.tools.sources import record
    from lib.tools.sources.publishers import publisher

    if all_pairs == bool(reporter or partner) or bool(reporter) != bool(partner):
        raise UserError("data fetch: expected REPORTER and PARTNER, such as India Russia, or --all-pairs")
    facts = publisher(source, "fetch")
    last = date.today().year + (freq != "A")
    span = record.read_years(years) if years else range(facts.first_year, last)
    days = facts.good_days or 7 * all_pairs if max_age is None else max_age
    if all_pairs and not offline:
        click.echo(f"{facts.title}: {facts.licence}.")
        if not agreed("Have you what that asks for, and shall it start?", yes):
            return
    with _desk(allow_http, offline=offline, max_age=timedelta(days=days)) as desk:
        if not (reporter and partner):
            added, failed = list[tuple[int, ...]]([(0, 0, 0)]), list[str]()
            for done, (one, answer) in enumerate(record.fetch_panel(source, freq, span, desk), start=1):
                figures, notes = record.figures_of(answer, desk.today)
                added += [each.added for each in (record.append(figures) if len(figures) else [])]
                click.echo(f"{done} {one.name}", err=True)
                failed += notes if figures.empty else []
            tell(failed, "note: ")
            new, changed, same = map(sum, zip(*added, strict=True))
            click.echo(f"{new:,} values new, {changed:,} changed, {same:,} known already")
            return
        question = record.pair_question(source, reporter, partner, freq, span)
        found, notes = record.fetch_pair(question, desk)
    tell(notes, "note: ")
    tell(found)
    if len(found[0].first) == 4:  # a year, which most notebooks want
        rows = fetched.read(found[0].reporter)
        day = rows.loc[rows["partner"] == found[0].partner, "published"].max()
        case = {"reporter": found[0].reporter, "partner": found[0].partner, "as_of": day}
        given = " ".join(f"-p {shlex.quote(f'{name}={value}')}" for name, value in case.items())
        click.echo(f"Now: tradegoals run --notebook 01_what_do_the_figures_say {given}")


@click.command()
@options
def refresh(
    source: Annotated[Texts, "Only this source; see `data sources`."] = (),
    currency: Annotated[Texts, "Only the rates of this currency, such as EUR."] = (),
    offline: Offline = False,
    yes: Annotated[bool, "Write without asking."] = False,
) -> None:
    """Renew covariates.csv from its publishers: exchange rates, GDP, oil, world trade; the difference is shown first.

    Rates come from the ECB for its currencies (from 1999, with an installed package, offline too), from the World Bank for
    all others.
    """
    from lib.tools import curation
    from lib.tools.sources import covariates
    from lib.tools.sources.publishers import publisher

    for name in source:
        publisher(name, "refresh")
    with _desk(offline=offline) as desk:
        changed, notes = covariates.renew(source, desk, currency)
    tell(notes, "note: ")
    tell(changed)
    if not changed:
        click.echo("Nothing differs from data/covariates.csv.")
    elif agreed(f"Write these {len(changed)} values to data/covariates.csv?", yes):
        curation.put("covariates", [*changed.values()])
        click.echo(f"wrote {len(changed)} values to data/covariates.csv")


@click.command()
@options
def update(offline: Offline = False) -> None:
    """Fetch what the pending targets of the register need; say what it moves, and which of them it decides.

    Nothing of the register is written: a decided target is shown as the row that may take its place.
    """
    from lib.tools import curation
    from lib.tools.sources.update import update as renew

    with _desk(offline=offline, max_age=timedelta(days=1)) as desk:
        found = renew(range(1980, date.today().year), desk)
    tell(found.written)
    tell(found.notes, "note: ")
    click.echo(f"{len(found.moved)} answers move:" if found.moved else "No answer moves.")
    tell(found.moved, "  ")
    names = ": " * bool(found.decided) + ", ".join(row["target_id"] for row in found.decided)
    click.echo(f"{len(found.decided)} of {found.pending} pending targets are decided{names}")
    if found.decided:
        click.echo("Rows for data/targets.csv, if what they count is what was announced:")
        click.echo(curation.to_text(found.decided).partition("\n")[2].rstrip("\n"))


@click.command()
@options
def panel(path: Path, source: Annotated[str, "imf or comtrade."] = "imf") -> None:
    """Write the annual values that were fetched to PATH (parquet), as `reference` and `backtest --panel` read them."""
    from lib.tools.sources import record

    rows = record.panel(source)
    if rows.empty:
        first = "first: tradegoals data fetch --all-pairs"
        raise UserError(f"data panel: found nothing fetched of {source}; {first}")
    record.write_parquet(rows, path)
    pairs = len(rows.drop_duplicates(["reporter", "partner"]))
    click.echo(f"wrote {len(rows):,} values of {pairs:,} pairs to {path}")


@click.command()
@options
def remove(source: str, yes: Annotated[bool, "Without asking."] = False) -> None:
    """Take back the figures of SOURCE, such as an import that went wrong; `data sources` lists them.

    The files as they were received stay in data/snapshots.
    """
    from lib.tools.sources import record

    kept = record.sources()
    if source not in kept.index:
        expected = nearest(source, kept.index) if len(kept) else "what was fetched or imported: nothing was"
        raise UserError(f"source: found {quote(source)}, expected {expected}")
    figures = f"{kept.loc[source, 'values']:,} figures of {source}"
    if agreed(f"Remove {figures}?", yes):
        record.remove(source)
        click.echo(f"removed {figures}; its files stay in data/snapshots")


# --- a table of one's own: looked at, confirmed, written ---


@click.command("import")
@options
def import_(
    table: Path,
    mapping: Path | None = None,
    rows: Rows = (),
    place: Annotated[Texts, PLACE, {"metavar": '"NAME, KIND, PARENT"'}] = (),
    guess: Annotated[bool, "Show how the table would be read, and write nothing."] = False,
    yes: Annotated[bool, "Write without asking."] = False,
    **said: Annotated[str | None, WORDS["data import"]],
) -> None:
    """Read TABLE, downloaded by hand: CSV, Excel, ODS, HTML, XML, JSON or SDMX, told by its content.

    Without MAPPING the table is looked at, and the mapping that was found is shown with the first observations. What the
    table does not say is asked for, or said by an option. Nothing is written before it is confirmed; the mapping is then
    kept beside the file and can be changed and given again. data/README.md describes it.
    """
    from lib.tools import curation
    from lib.tools.sources import record
    from lib.tools.sources.mapping import parse_mapping, to_yaml

    new, names = list[dict[str, str]](), dict[str, str]()
    for text in place:
        called, _, about = text.rpartition("=")
        name, *rest = [part.strip() for part in about.split(",")]
        names[called.strip() or name] = name
        new += curation.place_rows(name, *[*rest, ""][:2]) if rest else []
    given = said | {"places": names, "rows": pairs(rows, "--rows")}
    if mapping is None:
        found, observed = _proposed(table, given)
    elif extra := [name for name, value in given.items() if value and name != "places"]:
        raise UserError(f"--{extra[0]}: found it beside a mapping, expected it in there")
    else:
        found, observed = parse_mapping(read_bytes(mapping), shown_path(mapping)), None
    codes = {one["name"]: one["code"] for one in new}
    with _desk() as desk:
        fetched, snapshot, body = record.read_import(table, found, desk, observed)
    figures, notes = record.figures_of(fetched, snapshot.day, imported=True)
    drafts = record.drafts_of(figures, codes, reread=True)
    if observed is not None:
        click.echo(f"mapping:\n{indent(to_yaml(found).rstrip(), '  ')}")
    doubts = _show(drafts, notes)
    sure = yes or (mapping is not None and not (doubts and commands.is_terminal()))
    if guess or not agreed("Write it?", sure):
        click.echo("Nothing was written.")
        return
    if new:
        curation.put("reporters", new)
        click.echo(f"reporters.csv gets a row: {'; '.join(row['name'] for row in new)}")
    path = record.keep(desk.store, snapshot, body, found)
    tell(record.append(figures, reread=True))
    source, kept = snapshot.source, f"; mapping: {path}" if path else ""
    click.echo(f"source: {source}; to take it back: tradegoals data remove {source}{kept}")


def _proposed(table: Path, given: dict[str, Any]) -> tuple[Any, Any]:
    """The mapping that the table itself suggests; what it does not say is asked for at a terminal. None for a page of customs."""
    from lib.tools.sources import gacc
    from lib.tools.sources.grids import read_file
    from lib.tools.sources.proposal import propose
    from lib.tools.sources.reader import UnclearError

    body = read_file(table)
    if body.lstrip()[:1] == b"<" and gacc.is_release(body):
        return None, None
    try:
        proposal = propose(table, **given)
    except UnclearError as unclear:
        if not commands.is_terminal():
            raise
        for name, words in unclear.questions.items():
            click.echo(f"{name}: {words}")
            answer = click.prompt(name)
            given = given | {name: pairs((answer,), "--rows") if name == "rows" else answer}
        return _proposed(table, given)
    return proposal.mapping, (proposal.rows, proposal.notes)


def _show(drafts: list[Any], notes: list[str]) -> bool:
    """Print notes, the first observations beside what is known, and what the rules of plausibility doubt; whether any."""
    from lib.tools import curation

    tell(notes, "note: ")
    news = [rows for _, rows, _ in drafts]
    total = sum(map(len, news))
    click.echo(f"{total:,} figures are new; the first:" if total else "No figure is new.")
    rows, known = curation.beside(news, SHOWN)
    for name in ("reporter", "partner", "flow"):
        rows[name] = rows[name].str.ljust(max(map(len, rows[name]), default=0))
    periods = map(curation.period_code, rows["period_start"], rows["period_end"])
    values = rows["value"].map("{:>14,.10g}".format)
    names = rows["reporter"], rows["partner"], rows["flow"]
    for *cells, beside in zip(*names, periods, values, rows["unit"], known, strict=True):
        click.echo("  ".join(["", *cells, *([f"known: {beside}"] if beside else [])]))
    flags, seen = curation.doubts([(rows, new) for rows, new, _ in drafts])
    more = [f"and {len(flags) - SHOWN:,} more"] * (len(flags) > SHOWN)
    tell([*in_words(flags.head(SHOWN)), *more], "look: ")
    if seen < total:
        click.echo(f"note: the rules of plausibility looked at {seen:,} of {total:,} figures")
    return bool(len(flags))
