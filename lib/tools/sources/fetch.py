"""Trade of one pair, or of all pairs, from a source: asked or taken from the store, read, checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any

import pandas as pd

from lib.economies import Economy, economies, find_economy, names_by
from lib.errors import UserError, nearest, quote
from lib.tools.sources import comtrade, imf, observations
from lib.tools.sources.client import Client, NothingThere, Request
from lib.tools.sources.publishers import base_of, key_of, publisher
from lib.tools.sources.snapshots import Snapshot, Store, ask, first_of

TRADE: dict[str, ModuleType] = {"imf": imf, "comtrade": comtrade}
"""Sources of trade between countries. Each has `plan`, the requests, and `read`, from a body to coded rows."""

FRESH = timedelta(days=7)

FAULTS_IN_A_ROW = 3  # of one panel, after which the source itself must be out of order


@dataclass(frozen=True)
class Fetched:
    """What was fetched: checked observations, the answers they stand in, and what a reader must know."""

    observations: pd.DataFrame
    snapshots: list[Snapshot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """What is wanted of a source: flows of a reporter with a partner, or with all (None)."""

    source: str
    reporter: Economy
    partner: Economy | None
    flows: tuple[str, ...]
    freq: str
    years: range

    @property
    def single(self) -> tuple[str, ...]:
        """The flows to ask for: sources publish exports and imports, not their total."""
        return ("export", "import") if "total" in self.flows else self.flows

    def __str__(self) -> str:
        """Name it, such as "imf: China–Russia, export, annual 2000–2024"."""
        partner = self.partner.name if self.partner else "all"
        span = f"{observations.FREQUENCIES[self.freq]} {self.years[0]}–{self.years[-1]}"
        return f"{self.source}: {self.reporter.name}–{partner}, {', '.join(self.flows)}, {span}"


def fetch_flow(
    source: str,
    reporter: str,
    partner: str,
    *,
    flow: str,
    freq: str = "A",
    years: range,
    client: Client,
    store: Store,
    offline: bool = False,
    max_age: timedelta | None = None,
) -> Fetched:
    """Fetch one flow of a pair of countries.

    Parameters
    ----------
    source : "imf" or "comtrade".
    reporter, partner : names ("South Korea", "Viet Nam") or ISO codes; the partner may be "World".
    flow : "export", "import" or "total"; a total is export + import of the same answer, and computed here.
    freq : "A", "Q" (IMF alone) or "M".
    years : the calendar years, such as `range(2000, 2026)`.
    client, store : of `client.open_client` and `snapshots.open_store`.
    offline : use the last snapshots and ask nobody.
    max_age : use snapshots younger than this; None asks anew.

    Returns
    -------
    Observations by period (`observations.COLUMNS`; value in dollars), the snapshots they come from, and notes: every
    period without a value is named there.

    Raises
    ------
    UserError
        Where the source cannot be asked, its answer cannot be read, contradicts itself, or has nothing of the flow.
    """
    pair = find_economy(reporter), find_economy(partner)
    if pair[0] == pair[1]:
        raise UserError(f"partner: found {quote(partner)}, the reporter itself, expected another country")
    if flow not in observations.FLOWS:
        raise UserError(f"flow: found {quote(flow)}, expected {nearest(flow, observations.FLOWS)}")
    question = Question(source, *pair, (flow,), freq, years)
    fetched = answer(question, client, store, offline=offline, max_age=max_age)
    if fetched.observations.empty:
        said = "; ".join([str(question), *fetched.notes[:3]])
        raise UserError(f"{publisher(source).title}: found nothing, expected {said}")
    gaps = observations.name_gaps(observations.periods_of(years, freq), fetched.observations["period"])
    notes = [f"{question}: no value for {gaps}"] if gaps else []
    return Fetched(fetched.observations, fetched.snapshots, fetched.notes + notes)


def fetch_panel(
    source: str,
    *,
    freq: str = "A",
    years: range,
    client: Client,
    store: Store,
    offline: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
    max_age: timedelta | None = FRESH,
    reporters: list[str] | None = None,
) -> Iterator[Fetched]:
    """Fetch exports, imports and totals of all pairs, one reporter after another.

    Parameters
    ----------
    source, freq, years, client, store, offline : as in `fetch_flow`.
    progress : called with the number of reporters done, of all, and the name of the one that is done.
    max_age : answers in the store that are younger are not asked for again, so that a panel that was interrupted goes on
        where it stopped.
    reporters : names or codes; by default all economies.

    Yields
    ------
    One `Fetched` a reporter. One that the source refuses or does not know is empty, and its note says why.

    Raises
    ------
    UserError
        Where three reporters in a row fail, since then it is the source that is out of order, or where no reporter has
        anything.
    """
    places = [find_economy(name) for name in reporters] if reporters else list(economies())[1:]
    asking = {"offline": offline, "max_age": max_age}
    in_a_row, found, fault = 0, False, None
    for done, place in enumerate(places, start=1):
        try:
            flows = observations.FLOWS
            fetched = fetch(source, place, None, flows, freq, years, client, store, **asking)
            in_a_row = 0
        except UserError as error:
            # Offline the store may hold a few reporters alone, and a source does not know them all.
            in_a_row += not (offline or isinstance(error, NothingThere))
            if in_a_row >= min(FAULTS_IN_A_ROW, len(places)):
                raise
            fetched, fault = Fetched(observations.empty(), notes=[f"{place.name}: {error}"]), error
        found = found or not fetched.observations.empty
        if progress:
            progress(done, len(places), place.name)
        yield fetched
    if fault and not found:
        raise fault


def fetch(
    source: str,
    reporter: Economy,
    partner: Economy | None,
    flows: tuple[str, ...],
    freq: str,
    years: range,
    client: Client,
    store: Store,
    **asking: Any,
) -> Fetched:
    """Fetch several flows of a pair, or of a reporter with all partners (None); `asking` is that of `ask.ask`.

    Returns
    -------
    As `fetch_flow`; flows without any value are absent and not named.
    """
    return answer(Question(source, reporter, partner, flows, freq, years), client, store, **asking)


def answer(question: Question, client: Client, store: Store, **asking: Any) -> Fetched:
    """Ask all requests of a question and put the answers together."""
    requests = requests_of(question, client)
    asked = set(observations.periods_of(question.years, question.freq))
    parts, snapshots, notes = [observations.empty()], [], []
    for request in requests:
        snapshot, (rows, said) = ask(client, store, request, partial(read_answer, question), **asking)
        # An answer that came before was known from then on; asking again makes it no newer.
        snapshot = first_of(store, request, snapshot)
        rows, early = observations.finished_only(rows, snapshot)
        parts.append(rows[rows["period"].isin(asked)].assign(snapshot=snapshot.sha256))
        snapshots.append(snapshot)
        notes += said + early
    return assemble(pd.concat(parts, ignore_index=True), question.flows, snapshots, notes)


def requests_of(question: Question, client: Client) -> list[Request]:
    """Return the requests that answer a question, or say what is wrong with it."""
    source, years = question.source, question.years
    if source not in TRADE:
        raise UserError(f"source: found {quote(source)}, expected {nearest(source, TRADE)}")
    module, facts = TRADE[source], publisher(source)
    if observations.check_frequency(question.freq) not in module.FREQUENCIES:
        expected = " or ".join(module.FREQUENCIES)
        raise UserError(f"frequency: found {question.freq} of {source}, expected {expected}")
    if len(years) == 0 or years.step != 1:
        raise UserError("years: found none, expected a first and a last year")
    about = {"source": source, "base": base_of(source, client.bases), "pace": facts.pace}
    key = {"key": key_of(source), "key_header": facts.key_header}
    return module.plan(
        question.reporter, question.partner, question.single, question.freq, years, **about, **key
    )


def read_answer(question: Question, body: bytes, media: str, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read an answer into observations in names and periods of this project; rows of other questions are refused."""
    rows = TRADE[question.source].read(body, media, where)
    check_answers(rows, question, where)
    names = names_by(question.source)
    unknown = sorted(set(rows["partner"].unique()) - set(names))
    rows = rows[~rows["partner"].isin(unknown)]
    found = f"{len(unknown)} partners that are no economy left out, such as {unknown[0]}" if unknown else ""
    table = name_rows(rows, names, question.freq, question.source, where)
    table, twice = observations.without_duplicates(table, where)
    return table, [f"{where}: {found}"] * bool(unknown) + twice


def check_answers(rows: pd.DataFrame, question: Question, where: str) -> None:
    """Refuse rows of another reporter, partner, flow or frequency than was asked for."""
    wanted = {
        "reporter": [getattr(question.reporter, question.source)],
        "partner": [getattr(question.partner, question.source)] if question.partner else None,
        "flow": list(question.single),
        "freq": [question.freq],
    }
    for column, valid in wanted.items():
        other = [] if valid is None else sorted(set(rows[column].unique()) - set(valid))
        if valid and other:
            raise UserError(f"{where}: found the {column} {quote(other[0])}, expected {' or '.join(valid)}")


def name_rows(rows: pd.DataFrame, names: dict[str, str], freq: str, source: str, where: str) -> pd.DataFrame:
    """Return coded rows as observations, checked; their snapshot is not known yet."""
    written = {text: observations.canonical(text, freq) for text in rows["period"].unique()}
    if wrong := [text for text, period in written.items() if period is None]:
        raise UserError(
            f"{where}: found the period {quote(str(wrong[0]))}, expected an {observations.FREQUENCIES[freq]} one"
        )
    texts = {
        "reporter": rows["reporter"].map(names),
        "partner": rows["partner"].map(names),
        "period": rows["period"].map(written),
    }
    table = rows.assign(**{name: column.astype("str") for name, column in texts.items()})
    table = table.assign(unit="USD", currency="USD", source=source, snapshot="0" * 64)
    return observations.check(table.reset_index(drop=True), where)


def assemble(
    rows: pd.DataFrame, flows: tuple[str, ...], snapshots: list[Snapshot], notes: list[str]
) -> Fetched:
    """Put the flows that were asked for together, with totals where they belong to them, in order."""
    rows, twice = observations.without_duplicates(rows, snapshots[0].source if snapshots else "")
    parts = [rows[rows["flow"].isin(flows)]]
    if "total" in flows and not rows.empty:
        totals, alone = observations.with_totals(rows)
        parts.append(totals)
        notes = notes + (alone if len(flows) == 1 else [])
    table = pd.concat(parts, ignore_index=True).sort_values(observations.KEY, ignore_index=True)
    where = snapshots[0].url if snapshots else "answer"
    return Fetched(observations.check(table, where), snapshots, notes + twice)
