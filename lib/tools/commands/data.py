"""The commands `data …` on the record: `add`, `check`, `diff` and `sources`; the others are in `bring`."""

import re
from contextlib import suppress
from typing import Annotated, Any

import click

from lib.errors import UserError, nearest, quote
from lib.research import files
from lib.tools import commands
from lib.tools.commands import WORDS, agreed, bring, flag, in_words, options, tell

ASKED: dict[str, str] = WORDS["data add"]  # what a user gives, in the order in which it is asked for

DEFAULTS = {"flow": "total", "status": "ok"} | dict.fromkeys(("value", "yoy_pct", "published", "note"), "")


@click.group()
def data() -> None:
    """Fetch, add, check and compare figures."""


for command in (bring.fetch, bring.import_, bring.refresh, bring.remove, bring.update, bring.panel):
    data.add_command(command)


@data.command()
@options
def add(
    yes: Annotated[bool, "Write without asking, also where something speaks against it."] = False,
    **given: Annotated[str | None, ASKED],
) -> None:
    """Add one figure to figures.csv: what no option gives is asked for.

    Faults are refused. What speaks against the figure, by the figures beside it, is printed before you are asked
    whether to write it.
    """
    from lib.tools import curation

    commands.expect_known_data()
    values = _in_our_words(_complete(given))
    start, end = curation.read_period(values.pop("period"))
    row, countries = curation.prepare(values | {"period_start": start, "period_end": end})
    click.echo(", ".join(filter(None, row.values())))
    tell((f"{country['name']}, {country['code']}" for country in countries), "reporters.csv gets a row: ")
    known, flags = curation.warnings(row)
    tell([*known, *in_words(flags)], "look: ")
    if agreed("Write it?", yes):
        click.echo(f"wrote {curation.add(row)['figure_id']} to data/figures.csv")


def _complete(given: dict[str, str | None]) -> dict[str, str]:
    """What was given, the rest asked for at a terminal; without one, what must not be blank is an error."""
    missing = [name for name in ASKED if given[name] is None]
    for name in missing if commands.is_terminal() else ():
        click.echo(f"{name}: {ASKED[name]}")
        given[name] = click.prompt(name, default=DEFAULTS.get(name))
    values = {name: given[name] or DEFAULTS.get(name) for name in ASKED}
    if needed := ", ".join(flag(name) for name in missing if values[name] is None):
        raise UserError(f"data add: found no {needed}, expected them where nobody can be asked")
    return {name: (value or "").strip() for name, value in values.items()}


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


@data.command()
@options
def check(
    flags: Annotated[bool, "List every figure that a rule doubts."] = False,
    snapshots: Annotated[bool, "Compare every kept answer with its checksum, too."] = False,
) -> None:
    """Validate the tables, their checksums and what was fetched; count what looks implausible."""
    from lib import fetched
    from lib.figures import check_tables

    faults = [*check_tables(), *files.check_checksums(), *fetched.check()]
    if snapshots:
        from lib.tools.sources.snapshots import check_store, folder_of

        faults += check_store(folder_of())
    commands.report_faults(faults)
    _show_flags(flags)
    click.echo("Data are in order.")


def _show_flags(listed: bool) -> None:
    """How many figures the rules doubt, how many of them have a status that says so, and which they are."""
    from lib import fetched
    from lib import figures as fig
    from lib.analysis import plausibility
    from lib.tools import curation

    figures = fig.load_figures()
    parts = [] if fetched.is_left_out() else [*map(fetched.read_file, fetched.files())]
    found = plausibility.find_flags(figures, fig.covariate("cny_per_usd"), fig.parents())
    found["status"] = found["figure_id"].map(figures.set_index("figure_id")["status"])
    more, seen = curation.doubts((part, part) for part in parts)
    if listed:
        tell([*in_words(found), *in_words(more)])
    doubted = found.drop_duplicates("figure_id")
    settled = (~doubted["status"].isin(plausibility.UNDOUBTED)).sum()
    click.echo(
        f"{len(doubted)} of {len(figures)} figures are doubted by a rule; {settled} of these have a status that says "
        f"what is wrong.{'' if listed else ' To list them: tradegoals data check --flags'}"
    )
    if seen:
        left = sum(map(len, parts)) - seen
        doubts = f"{more['figure_id'].nunique()} of {seen:,} fetched and imported figures are doubted"
        click.echo(doubts + (f"; {left:,} more were not looked at" if left else ""))


@data.command()
@options
def diff(
    before: str, after: str = "now", reporter: Annotated[str | None, "Only figures of this reporter."] = None
) -> None:
    """Compare the figures of two vintages: days, files, git revisions, or "now"."""
    from lib.spoken import read_place
    from lib.tools import curation

    form: Any = {"index": False, "float_format": "%.12g", "date_format": "%Y-%m-%d"}
    sides = [curation.read_vintage(vintage) for vintage in (before, after)]
    if reporter:
        if (name := read_place(reporter)) not in (known := curation.codes()):
            raise UserError(f"--reporter: found {quote(reporter)}, expected {nearest(name, known)}")
        sides = [rows[rows["reporter"] == name] for rows in sides]
    added, removed, changed = curation.compare("figures", *(rows.to_csv(**form).encode() for rows in sides))
    for mark, rows in (("+ ", added), ("- ", removed)):
        tell(map(_in_words, rows.itertuples()), mark)
    tell((f'{name}: {column}: "{one}" → "{other}"' for name, column, one, other in changed), "~ ")
    click.echo(f"{len(added)} added, {len(removed)} removed, {len({name for name, *_ in changed})} changed")


def _in_words(row: Any) -> str:
    value = row.value and f", {float(row.value):g} {row.unit}"
    growth = row.yoy_pct and f", {float(row.yoy_pct):+g} %"
    return f"{row.figure_id}{value}{growth}, {row.publisher}, {row.published or 'undated'}, {row.status}"


@data.command()
def sources() -> None:
    """List where figures come from: what each source covers, what was fetched of it, and when."""
    from lib import figures as fig
    from lib.tools.sources import record
    from lib.tools.sources.publishers import PUBLISHERS, key_of

    curated, kept = fig.load_figures(), record.sources()
    told = "{values:,} values of {pairs:,} pairs, {first:%Y}–{last:%Y}, last on {updated}".format_map
    came = kept.apply(lambda row: told(row), axis=1)
    flows = len(curated.drop_duplicates(["reporter", "partner", "flow"]))
    span = f"{curated['period_start'].dt.year.min()}–{curated['period_end'].dt.year.max()}"
    click.echo(
        f"record: data/figures.csv, collected by hand\n  {len(curated)} figures of {flows} flows, {span}"
    )
    click.echo(f"  last published {curated['published'].max()}")
    for name, publisher in PUBLISHERS.items():
        click.echo(f"{name}: {publisher.title}\n  {publisher.covers}\n  licence: {publisher.licence}")
        click.echo(f"  asked by: tradegoals data {publisher.command} --source {name}")
        if publisher.key:
            state = "set" if key_of(name) else "not set: the public preview"
            click.echo(f"  key: {publisher.key} is {state}")
        if publisher.command == "fetch":
            click.echo(f"  fetched: {came[name]}" if name in came else "  nothing fetched yet")
    for name in came.index.difference(list(PUBLISHERS)):
        click.echo(f"{name}: {kept.loc[name, 'publisher']}\n  imported: {came[name]}")
        click.echo(f"  to take it back: tradegoals data remove {name}")
