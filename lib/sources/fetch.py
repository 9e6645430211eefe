"""Trade of one pair, or of all pairs, from a source: asked or taken from the store, read, checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any

import pandas as pd

from lib.errors import UserError
from lib.faults import nearest, quote
from lib.sources import comtrade, imf, observations, periods
from lib.sources.ask import ask
from lib.sources.economies import Economy, economies, find_economy, names_by
from lib.sources.exchange import Client
from lib.sources.publishers import base_of, key_of, publisher
from lib.sources.refusals import NothingThere
from lib.sources.snapshots import Snapshot, Store, first_of

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
    fetched = fetch(source, *pair, (flow,), freq, years, client, store, offline=offline, max_age=max_age)
    if fetched.observations.empty:
        said = "; ".join([describe(source, *pair, flow, freq, years), *fetched.notes[:3]])
        raise UserError(f"{publisher(source).title}: found nothing, expected {said}")
    gaps = periods.name_gaps(periods.periods_of(years, freq), fetched.observations["period"])
    notes = [f"{describe(source, *pair, flow, freq, years)}: no value for {gaps}"] if gaps else []
    return Fetched(fetched.observations, fetched.snapshots, fetched.notes + notes)


def describe(source: str, reporter: Economy, partner: Economy, flow: str, freq: str, years: range) -> str:
    """Name a flow: "imf: China–Russia, export, annual 2000–2024"."""
    span = f"{years[0]}–{years[-1]}"
    return f"{source}: {reporter.name}–{partner.name}, {flow}, {periods.FREQUENCIES[freq]} {span}"


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
            fetched = fetch(source, place, None, observations.FLOWS, freq, years, client, store, **asking)
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
    """Ask all requests of a reporter with a partner, or with all, and put the answers together."""
    module = trade_source(source)
    if periods.check_frequency(freq) not in module.FREQUENCIES:
        raise UserError(f"frequency: found {freq} of {source}, expected {' or '.join(module.FREQUENCIES)}")
    if len(years) == 0 or years.step != 1:
        raise UserError("years: found none, expected a first and a last year")
    single = ("export", "import") if "total" in flows else flows
    source_facts = publisher(source)
    about = {
        "source": source,
        "base": base_of(source, client.bases),
        "pace": source_facts.pace,
        "key": key_of(source),
        "key_header": source_facts.key_header,
    }
    asked = set(periods.periods_of(years, freq))
    parts, snapshots, notes = [observations.empty()], [], []
    for request in module.plan(reporter, partner, single, freq, years, **about):
        read = partial(read_answer, source, reporter, partner, single, freq)
        snapshot, (rows, said) = ask(client, store, request, read, **asking)
        # An answer that came before was known from then on; asking again makes it no newer.
        snapshot = first_of(store, request, snapshot)
        rows, early = observations.finished_only(rows, snapshot)
        parts.append(rows[rows["period"].isin(asked)].assign(snapshot=snapshot.sha256))
        snapshots.append(snapshot)
        notes += said + early
    return assemble(pd.concat(parts, ignore_index=True), flows, snapshots, notes)


def trade_source(source: str) -> ModuleType:
    """Return the module of a source of trade between countries."""
    if source not in TRADE:
        raise UserError(f"source: found {quote(source)}, expected {nearest(source, TRADE)}")
    return TRADE[source]


def read_answer(
    source: str,
    reporter: Economy,
    partner: Economy | None,
    flows: tuple[str, ...],
    freq: str,
    body: bytes,
    media: str,
    where: str,
) -> tuple[pd.DataFrame, list[str]]:
    """Read an answer into observations in names and periods of this project; rows of other questions are refused."""
    rows = TRADE[source].read(body, media, where)
    names = names_by(source)
    for column, wanted in (("reporter", reporter), ("partner", partner)):
        codes = set(rows[column].unique())
        if wanted and (other := sorted(codes - {getattr(wanted, source)})):
            raise UserError(
                f"{where}: found the {column} {quote(other[0])}, expected {getattr(wanted, source)}"
            )
    unknown = sorted(set(rows["partner"].unique()) - set(names))
    rows = rows[~rows["partner"].isin(unknown)]
    notes = (
        [f"{where}: {len(unknown)} partners that are no economy left out, such as {unknown[0]}"]
        if unknown
        else []
    )
    if other := sorted(set(rows["flow"].unique()) - set(flows)) or sorted(
        set(rows["freq"].unique()) - {freq}
    ):
        raise UserError(f"{where}: found {quote(other[0])}, expected {', '.join(flows)}, {freq}")
    table = name_rows(rows, names, freq, source, where)
    table, twice = observations.without_duplicates(table, where)
    return table, notes + twice


def name_rows(rows: pd.DataFrame, names: dict[str, str], freq: str, source: str, where: str) -> pd.DataFrame:
    """Return coded rows as observations, checked; their snapshot is not known yet."""
    written = {text: periods.canonical(text, freq) for text in rows["period"].unique()}
    if wrong := [text for text, period in written.items() if period is None]:
        raise UserError(
            f"{where}: found the period {quote(str(wrong[0]))}, expected an {periods.FREQUENCIES[freq]} one"
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
