"""Trade of one pair, or of all pairs, from a source, or of a table downloaded by hand: read, checked and dated."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType

import pandas as pd

from lib.economies import Economy, economies, find_economy, names_by
from lib.errors import UserError, nearest, printable, quote, shown_path
from lib.research.files import write_atomically
from lib.tools.sources import comtrade, gacc, imf, observations
from lib.tools.sources.client import Answer, NothingThere, QuotaUsed, Request, refuse
from lib.tools.sources.grids import read_file
from lib.tools.sources.mapping import Mapping, to_yaml
from lib.tools.sources.observations import Question
from lib.tools.sources.publishers import Publisher, publisher
from lib.tools.sources.reader import Observed, read_table
from lib.tools.sources.snapshots import Desk, Snapshot, first_of, place_of, record_of, save

TRADE: dict[str, ModuleType] = {"imf": imf, "comtrade": comtrade, "gacc": gacc}
"""Sources of trade between countries. Each has `plan`, from a question to requests, and `read`, from a body to rows."""

BY_CODE = ("imf", "comtrade")
"""Sources that answer in codes, and with what was asked for alone; the others send whole tables with names."""

FAULTS_IN_A_ROW = 3  # of one panel, after which the source itself must be out of order


@dataclass(frozen=True)
class Fetched:
    """What was fetched: checked observations, the answers they stand in, and what a reader must know."""

    observations: pd.DataFrame
    snapshots: list[Snapshot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def pair_question(source: str, reporter: str, partner: str, freq: str, years: range) -> Question:
    """Return the question for a pair, with its trade with the world and the partner's own view; nobody is asked yet."""
    own, other, world = find_economy(reporter), find_economy(partner), economies()[0]
    if own == other:
        raise UserError(f"partner: found {quote(partner)}, the reporter itself, expected another country")
    facts = _check_source(source, freq)
    if own.iso3 in facts.silent:
        found = f"reporter: found {own.name}, which does not report to {source}, expected another country"
        other_way = f"tradegoals data fetch {other.name} {own.name} --source {source}"
        raise UserError(f"{found}; with {own.name} as the partner it has figures: {other_way}")
    if len(years) == 0 or years[-1] < facts.first_year:
        raise UserError(f"years: found none from {facts.first_year}, where {source} begins")
    mirrored = other != world and other.iso3 not in facts.silent and source in BY_CODE
    reporters = (own, other) if mirrored else (own,)
    partners = (world,) if other == world else (own, world, other) if mirrored else (world, other)
    return Question(source, reporters, partners, freq, range(max(years[0], facts.first_year), years[-1] + 1))


def _check_source(source: str, freq: str) -> Publisher:
    """Return what is known of a source that can be asked for values of a frequency."""
    if source not in TRADE:
        raise UserError(f"source: found {quote(source)}, expected {nearest(source, TRADE)}")
    if freq not in (facts := publisher(source)).freqs:
        expected = " or ".join(facts.freqs)
        raise UserError(f"frequency: found {quote(freq)} of {source}, expected {expected}")
    return facts


def fetch(question: Question, desk: Desk) -> Fetched:
    """Ask all requests of a question; where a quota ends on the way, what came by then and a note on when to go on."""
    requests = TRADE[question.source].plan(question, desk)
    years = [str(year) for year in question.years]
    parts, snapshots, notes = [observations.empty()], [], []
    for done, request in enumerate(requests):
        try:
            (rows, said), snapshot = desk.ask(request, partial(read_answer, question))
        except QuotaUsed as fault:
            if not done:
                raise
            answered = f"{done} of {len(requests)} calls are answered, the same command goes on there"
            notes.append(f"{fault}; {answered}")
            break
        rows, early = _dated(rows[rows["period"].str[:4].isin(years)], snapshot, snapshot.day, snapshot.url)
        parts.append(rows)
        snapshots.append(snapshot)
        notes += said + early
    rows = pd.concat(parts, ignore_index=True)
    if question.source not in BY_CODE:
        rows = _part_of_table(rows, question, snapshots[-1].url if snapshots else question.source)
    rows, twice = observations.without_duplicates(rows, question.source)
    table, alone = observations.with_totals(rows)
    return Fetched(table.sort_values(observations.KEY, ignore_index=True), snapshots, notes + alone + twice)


def _dated(rows: pd.DataFrame, snapshot: Snapshot, over: str, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose periods were over on a day, each with the day from which it was known, and notes.

    That is the release where the source states one that can be true, else the first retrieval: asking again makes no answer
    newer. What was not over is no full figure yet.
    """
    ends = {period: observations.last_day(period).date().isoformat() for period in rows["period"].unique()}
    early = sorted(period for period, end in ends.items() if end >= over)
    notes = [f"{where}: left out, not over on {over}: {', '.join(early)}"] * bool(early)
    rows = rows[~rows["period"].isin(early)]
    stated, day = rows["published"], snapshot.day
    known = stated.where((stated > rows["period"].map(ends).astype("str")) & (stated <= day), day)
    return rows.assign(snapshot=snapshot.sha256, published=known), notes


def fetch_panel(source: str, freq: str, years: range, desk: Desk) -> Iterator[tuple[Economy, Fetched]]:
    """Fetch exports, imports and totals of all pairs, one reporter after another.

    One that the source refuses or does not know is empty, and its note says why. Where three in a row fail it is the source
    that is out of order, and this ends, as where its quota is used up or no reporter has anything.
    """
    facts = _check_source(source, freq)
    places = [place for place in economies()[1:] if place.iso3 not in facts.silent]
    places = places if source in BY_CODE else [find_economy("China")]
    years = range(max(years[0], facts.first_year), years[-1] + 1)
    in_a_row, found, fault = 0, False, None
    for place in places:
        try:
            fetched = fetch(Question(source, (place,), None, freq, years), desk)
            in_a_row, found = 0, found or not fetched.observations.empty
        except UserError as error:
            # Offline the store may hold a few reporters alone, and a source does not know them all.
            in_a_row += not (desk.offline or isinstance(error, NothingThere))
            if isinstance(error, QuotaUsed) or in_a_row >= min(FAULTS_IN_A_ROW, len(places)):
                raise
            fetched, fault = Fetched(observations.empty(), notes=[f"{place.name}: {error}"]), error
        yield place, fetched
    if fault and not found:
        raise fault


def read_answer(question: Question, body: bytes, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read an answer into observations in names and periods of this project; rows of other questions are refused."""
    source = question.source
    rows, notes = TRADE[source].read(body, where)
    if source in BY_CODE:
        names, wanted = names_by(source), {"freq": [question.freq]}
        for role, places in (("reporter", question.reporters), ("partner", question.partners or ())):
            wanted[role] = [getattr(place, source) for place in places]
        for column, valid in wanted.items():
            if valid and (other := sorted(set(rows[column].unique()) - set(valid))):
                raise refuse(where, f"the {column} {quote(other[0])}", " or ".join(valid))
        if unknown := sorted(set(rows["partner"].unique()) - set(names)):
            left_out = f"{len(unknown)} partners that are no economy left out, such as {unknown[0]}"
            notes.append(printable(f"{where}: {left_out}"))
        rows = rows[~rows["partner"].isin(unknown)]
        named = {role: rows[role].map(names).astype("str") for role in ("reporter", "partner")}
        rows = rows.assign(**named, period=observations.canonical_all(rows["period"], question.freq, where))
    table = observations.check(rows.assign(source=source).reset_index(drop=True), where)
    table, twice = observations.without_duplicates(table, where)
    return table, notes + twice


def _part_of_table(rows: pd.DataFrame, question: Question, where: str) -> pd.DataFrame:
    """Return what was asked for of tables that have more; a partner that none of them lists is told."""
    if question.freq == "A":
        rows = rows[rows["freq"] == "A"]
    listed, wanted = set(rows["partner"]), {place.name for place in question.partners or ()}
    if listed and (missing := wanted - listed):
        expected = f"one of the {len(listed) - 1} that the table lists; --source imf has every country"
        raise refuse(where, f"no row of {missing.pop()}", expected)
    return rows[rows["partner"].isin(wanted)] if wanted else rows


def read_import(
    table: Path, mapping: Mapping | None, desk: Desk, observed: Observed | None = None
) -> tuple[Fetched, Snapshot, bytes]:
    """Read a downloaded table, by a mapping or as it was read already (`observed`), or a saved page of China's customs.

    Returned are its record and its content too; nothing of it is kept yet.
    """
    body, where, stated = read_file(table), shown_path(table), ""
    if mapping is None:
        facts, source = publisher("gacc"), "gacc"
        rows, notes = gacc.read(body, where)
        rows = observations.check(rows.assign(source=source).reset_index(drop=True), where)
    else:
        facts = Publisher(mapping.title, mapping.url, mapping.licence, authority=mapping.authority)
        source, stated = mapping.source, mapping.published.isoformat() if mapping.published else ""
        rows, notes = observed or read_table(body, mapping, where)
    if stated > desk.today:
        raise UserError(f"published: found {stated}, expected a day that has come")
    request = Request(source, facts.base, "", (("file", table.name),))
    snapshot = record_of(request, Answer(facts.base, 200, (), body, desk.client.now()), facts)
    first = first_of(desk.store, snapshot)
    rows, early = _dated(rows, first, min(stated or first.day, first.day), where)
    fetched = Fetched(rows.sort_values(observations.KEY, ignore_index=True), [first], notes + early)
    return fetched, snapshot, body


def keep(store: Path, snapshot: Snapshot, body: bytes, mapping: Mapping | None) -> Path | None:
    """Keep a file that was read, and beside its record the mapping; return where that lies."""
    save(store, snapshot, body)
    if mapping is None:
        return None
    write_atomically(path := place_of(store, snapshot).with_suffix(".yml"), to_yaml(mapping))
    return path
