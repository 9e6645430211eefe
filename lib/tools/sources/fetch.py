"""Trade of one pair, or of all pairs, from a source: asked or taken from the store, read, checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any

import pandas as pd

from lib.economies import Economy, economies, find_economy, names_by
from lib.errors import UserError, nearest, printable, quote
from lib.tools.sources import comtrade, gacc, imf, observations
from lib.tools.sources.client import Client, NothingThere, QuotaUsed, Request, refuse
from lib.tools.sources.observations import Question
from lib.tools.sources.publishers import base_of, key_of, publisher
from lib.tools.sources.snapshots import Snapshot, Store, ask, first_of

TRADE: dict[str, ModuleType] = {"imf": imf, "comtrade": comtrade, "gacc": gacc}
"""Sources of trade between countries. Each has `plan`, from a question to requests, and `read`, from a body to rows."""

BY_CODE = ("imf", "comtrade")
"""Sources that answer in codes, and with what was asked for alone; the others send whole tables with names."""

FRESH = timedelta(days=7)
FAULTS_IN_A_ROW = 3  # of one panel, after which the source itself must be out of order


@dataclass(frozen=True)
class Fetched:
    """What was fetched: checked observations, the answers they stand in, and what a reader must know."""

    observations: pd.DataFrame
    snapshots: list[Snapshot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def pair_question(source: str, reporter: str, partner: str, freq: str, years: range) -> Question:
    """Return the question for a pair, with what may be told beside it: trade with the world, and the partner's own view.

    Parameters
    ----------
    source : one of `TRADE`.
    reporter, partner : names ("South Korea", "Viet Nam") or ISO codes; the partner may be "World".
    freq : "A", "Q" (IMF alone) or "M".
    years : the calendar years, such as `range(2000, 2026)`.

    Raises
    ------
    UserError
        For what no source can answer; nobody was asked yet.
    """
    own, other, world = find_economy(reporter), find_economy(partner), economies()[0]
    if own == other:
        raise UserError(f"partner: found {quote(partner)}, the reporter itself, expected another country")
    facts = _check_source(source, freq)
    if own.iso3 in facts.silent:
        found = f"reporter: found {own.name}, which does not report to {source}, expected another country"
        other_way = f"tradegoals data fetch {other.name} {own.name} --source {source}"
        raise UserError(f"{found}; with {own.name} as the partner it has figures: {other_way}")
    if len(years) == 0 or years.step != 1 or years[-1] < facts.first_year:
        raise UserError(f"years: found none from {facts.first_year}, where {source} begins")
    years = range(max(years[0], facts.first_year), years[-1] + 1)
    mirrored = other != world and other.iso3 not in facts.silent and source in BY_CODE
    reporters = (own, other) if mirrored else (own,)
    partners = (world,) if other == world else (own, world, other) if mirrored else (world, other)
    return Question(source, reporters, partners, observations.FLOWS, freq, years)


def _check_source(source: str, freq: str) -> Any:
    """Return what is known of a source that can be asked for values of a frequency."""
    if source not in TRADE:
        raise UserError(f"source: found {quote(source)}, expected {nearest(source, TRADE)}")
    if freq not in TRADE[source].FREQUENCIES:
        expected = " or ".join(TRADE[source].FREQUENCIES)
        raise UserError(f"frequency: found {quote(freq)} of {source}, expected {expected}")
    return publisher(source)


def fetch(
    question: Question,
    client: Client,
    store: Store,
    *,
    offline: bool = False,
    max_age: timedelta | None = None,
) -> Fetched:
    """Ask all requests of a question and put the answers together.

    Parameters
    ----------
    question, client, store : what, and of `client.open_client` and `snapshots.open_store`.
    offline : use the last snapshots and ask nobody.
    max_age : use snapshots younger than this; None asks anew.

    Returns
    -------
    Observations (`observations.COLUMNS`), the snapshots they come from, and notes. Where the quota of a source is used up
    on the way, what had been answered by then, and a note that says when to go on.

    Raises
    ------
    UserError
        Where the source cannot be asked, or an answer cannot be read or contradicts itself.
    """
    asking: dict[str, Any] = {"offline": offline, "max_age": max_age}
    facts, base = publisher(question.source), base_of(question.source, client.bases, client.allow_http)
    about = {"source": question.source, "base": base, "pace": facts.pace}
    about |= {"key": key_of(question.source), "key_header": facts.key_header}

    def look(request: Request, read: Callable[[bytes, str, str], Any]) -> Any:
        return ask(client, store, request, read, **asking)[1]

    requests = TRADE[question.source].plan(question, look, **about)
    parts, snapshots, notes = [observations.empty()], [], []
    for done, request in enumerate(requests):
        try:
            rows, snapshot, said = _answer_of(question, request, client, store, asking)
        except QuotaUsed as fault:
            if not done:
                raise
            answered = f"{done} of {len(requests)} calls are answered, the same command goes on there"
            notes.append(f"{fault}; {answered}")
            break
        parts.append(rows)
        snapshots.append(snapshot)
        notes += said
    rows = pd.concat(parts, ignore_index=True)
    if question.source not in BY_CODE:
        rows = _part_of_table(rows, question, snapshots[-1].url if snapshots else question.source)
    return _assemble(rows, snapshots, notes)


def _answer_of(
    question: Question, request: Request, client: Client, store: Store, asking: dict[str, Any]
) -> tuple[pd.DataFrame, Snapshot, list[str]]:
    """Return the rows of one request, each with the day from which it was known, their snapshot, and notes."""
    snapshot, (rows, said) = ask(client, store, request, partial(read_answer, question), **asking)
    # An answer that came before was known from then on; asking again makes it no newer.
    snapshot = first_of(store, request, snapshot)
    rows = rows[rows["period"].str[:4].isin([str(year) for year in question.years])]
    rows, early = observations.finished_only(rows, snapshot.day, snapshot.url)
    rows = rows.assign(snapshot=snapshot.sha256, published=days_known(rows, snapshot.day))
    return rows, snapshot, said + early


def days_known(rows: pd.DataFrame, day: str) -> pd.Series:
    """Return the day of release where the source states one that can be true, else that of retrieval."""
    ends = {period: observations.last_day(period).date().isoformat() for period in rows["period"].unique()}
    stated = rows["published"]
    return stated.where((stated > rows["period"].map(ends).astype("str")) & (stated <= day), day)


def fetch_panel(
    source: str,
    freq: str,
    years: range,
    client: Client,
    store: Store,
    *,
    offline: bool = False,
    max_age: timedelta | None = FRESH,
    reporters: list[str] | None = None,
) -> Iterator[tuple[Economy, Fetched]]:
    """Fetch exports, imports and totals of all pairs, one reporter after another.

    Parameters
    ----------
    source, freq, years, client, store, offline : as in `pair_question` and `fetch`.
    max_age : answers in the store that are younger are not asked for again, so that a panel that was interrupted goes on
        where it stopped.
    reporters : names or codes; by default all that report to the source.

    Yields
    ------
    Each reporter with what was found. One that the source refuses or does not know is empty, and its note says why.

    Raises
    ------
    UserError
        Where three reporters in a row fail, since then it is the source that is out of order, where its quota is used up,
        or where no reporter has anything.
    """
    facts = _check_source(source, freq)
    everybody = [place.name for place in economies()[1:] if place.iso3 not in facts.silent]
    places = [find_economy(name) for name in reporters or (everybody if source in BY_CODE else ["China"])]
    years = range(max(years[0], facts.first_year), years[-1] + 1)
    in_a_row, found, fault = 0, False, None
    for place in places:
        question = Question(source, (place,), None, observations.FLOWS, freq, years)
        try:
            fetched = fetch(question, client, store, offline=offline, max_age=max_age)
            in_a_row = 0
        except QuotaUsed:
            raise
        except UserError as error:
            # Offline the store may hold a few reporters alone, and a source does not know them all.
            in_a_row += not (offline or isinstance(error, NothingThere))
            if in_a_row >= min(FAULTS_IN_A_ROW, len(places)):
                raise
            fetched, fault = Fetched(observations.empty(), notes=[f"{place.name}: {error}"]), error
        found = found or not fetched.observations.empty
        yield place, fetched
    if fault and not found:
        raise fault


def read_answer(question: Question, body: bytes, media: str, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read an answer into observations in names and periods of this project.

    Rows of other questions are refused; whole tables are returned whole (`_part_of_table`).
    """
    rows, notes = TRADE[question.source].read(body, media, where)
    if question.source in BY_CODE:
        _check_answers(rows, question, where)
        names = names_by(question.source)
        if unknown := sorted(set(rows["partner"].unique()) - set(names)):
            left_out = f"{len(unknown)} partners that are no economy left out, such as {unknown[0]}"
            notes.append(printable(f"{where}: {left_out}"))
        rows = rows[~rows["partner"].isin(unknown)]
        named = {role: rows[role].map(names).astype("str") for role in ("reporter", "partner")}
        rows = rows.assign(**named, period=observations.canonical_all(rows["period"], question.freq, where))
    table = rows.assign(source=question.source, snapshot="0" * 64).reset_index(drop=True)
    table, twice = observations.without_duplicates(observations.check(table, where), where)
    return table, notes + twice


def _check_answers(rows: pd.DataFrame, question: Question, where: str) -> None:
    """Refuse rows of another reporter, partner, flow or frequency than was asked for."""
    wanted = {
        "reporter": [getattr(place, question.source) for place in question.reporters],
        "partner": [getattr(place, question.source) for place in question.partners or ()],
        "flow": list(question.single),
        "freq": [question.freq],
    }
    for column, valid in wanted.items():
        if valid and (other := sorted(set(rows[column].unique()) - set(valid))):
            raise refuse(where, f"the {column} {quote(other[0])}", " or ".join(valid))


def _part_of_table(rows: pd.DataFrame, question: Question, where: str) -> pd.DataFrame:
    """Return what was asked for of tables that have more; a partner that none of them lists is told."""
    if question.freq == "A":
        rows = rows[rows["freq"] == "A"]
    if question.partners is None:
        return rows
    listed = set(rows["partner"])
    if len(rows) and (missing := [place.name for place in question.partners if place.name not in listed]):
        expected = f"one of the {len(listed) - 1} that the table lists; --source imf has every country"
        raise refuse(where, f"no row of {missing[0]}", expected)
    return rows[rows["partner"].isin([place.name for place in question.partners])]


def _assemble(rows: pd.DataFrame, snapshots: list[Snapshot], notes: list[str]) -> Fetched:
    """Put the flows together, with totals where the source has none, in order."""
    rows, twice = observations.without_duplicates(rows, snapshots[0].source if snapshots else "")
    table, alone = with_totals_added(rows)
    table = table.sort_values(observations.KEY, ignore_index=True)
    where = snapshots[0].url if snapshots else "answer"
    return Fetched(observations.check(table, where), snapshots, notes + alone + twice)


def with_totals_added(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return rows with the totals of periods that have both flows but no total; where there is none at all, a flow alone is told."""
    keys = ["reporter", "partner", "period", "freq", "unit", "source"]
    own = rows["flow"] == "total"
    if rows.empty or own.all():
        return rows, []
    totals, alone = observations.with_totals(rows[~own])
    known = pd.MultiIndex.from_frame(totals[keys]).isin(pd.MultiIndex.from_frame(rows.loc[own, keys]))
    return pd.concat([rows, totals[~known]], ignore_index=True), [] if own.any() else alone
