"""Flows from a live source into the record: asked for, kept as received, written as figures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from lib import fetched
from lib.errors import UserError
from lib.fetched import Added
from lib.figures import FLOWS
from lib.sources.client import open_client
from lib.sources.economies import Economy, economies, find_economy
from lib.sources.exchange import Client
from lib.sources.fetch import Fetched, fetch, fetch_panel
from lib.sources.figures_from import figures_from
from lib.sources.importer import import_table
from lib.sources.periods import name_gaps, periods_of
from lib.sources.snapshots import Store, open_store

WORLD = "World"
FIRST_YEAR = 1980
"""First year asked for by default: most bilateral series of the IMF begin then or later."""


@dataclass(frozen=True)
class Asked:
    """What to ask, of whom; answers in the store that are younger than `max_age` are not asked for again."""

    source: str
    freq: str
    years: range
    offline: bool = False
    max_age: timedelta | None = None


@dataclass(frozen=True)
class Written:
    """What a fetch wrote for one pair of countries, or one reporter with all, and what a reader must know of it."""

    reporter: str
    partner: str
    added: Added
    first: str = ""
    last: str = ""
    notes: list[str] = field(default_factory=list)


def default_years(today: date) -> range:
    """The years up to the last one that is over."""
    return range(FIRST_YEAR, today.year)


def fetch_pair(reporter: str, partner: str, asked: Asked) -> Iterator[Written]:
    """Fetch a pair; then, for what they say beside it, the reporter's trade with the world and the partner's own view.

    Raises
    ------
    UserError
        Where the pair itself cannot be had. What fails of the others is told in its notes.
    """
    own, other = find_economy(reporter), find_economy(partner)
    if own == other:
        raise UserError(f'partner: found "{partner}", the reporter itself, expected another country')
    with _opened() as (client, store):
        written = _fetch_one(own, other, asked, client, store)
        if written.added == Added(0, 0, 0):
            years = f"{asked.years[0]}–{asked.years[-1]}"
            raise UserError(f"{own.name}–{other.name}: found no value of {asked.source} for {years}")
        yield written
        beside = [] if other.name == WORLD else [(own, find_economy(WORLD)), (other, own)]
        for one, two in beside:
            try:
                yield _fetch_one(one, two, asked, client, store)
            except UserError as error:
                yield Written(one.name, two.name, Added(0, 0, 0), notes=[str(error)])


def fetch_all(asked: Asked, progress: Callable[[int, int, str], None]) -> Iterator[Written]:
    """Fetch all pairs, one reporter after another."""
    with _opened() as (client, store):
        panel = fetch_panel(
            asked.source,
            freq=asked.freq,
            years=asked.years,
            client=client,
            store=store,
            offline=asked.offline,
            progress=progress,
            max_age=asked.max_age,
        )
        places = [economy for economy in economies() if economy.name != WORLD]
        for place, answer in zip(places, panel, strict=True):
            yield write(place.name, "all partners", answer)


def import_file(table: Path, mapping: Path) -> list[Written]:
    """Read a table that was downloaded by hand, keep it, and write its figures, pair by pair.

    Raises
    ------
    UserError
        Naming the cell or the line of the mapping; nothing is then written.
    """
    with _opened() as (client, store):
        answer = import_table(table, mapping, client=client, store=store)
    notes = answer.notes
    if answer.observations.empty:
        raise UserError("; ".join([f"{table}: found no value that the mapping names", *notes]))
    found = []
    for (reporter, partner), rows in answer.observations.groupby(["reporter", "partner"], sort=True):
        found.append(write(str(reporter), str(partner), replace(answer, observations=rows, notes=notes)))
        notes = []
    return found


@contextmanager
def _opened() -> Iterator[tuple[Client, Store]]:
    with open_client() as client:
        yield client, open_store()


def _fetch_one(own: Economy, other: Economy, asked: Asked, client: Client, store: Store) -> Written:
    how = {"offline": asked.offline, "max_age": asked.max_age}
    answer = fetch(asked.source, own, other, FLOWS, asked.freq, asked.years, client, store, **how)
    asked_for = periods_of(asked.years, asked.freq)
    gaps = [
        f"{own.name}–{other.name}, {flow}: no value for {missing}"
        for flow in FLOWS
        if (missing := name_gaps(asked_for, rows_of(answer, flow)["period"]))
    ]
    return write(own.name, other.name, replace(answer, notes=[*answer.notes, *gaps]))


def rows_of(answer: Fetched, flow: str) -> pd.DataFrame:
    """The observations of one flow."""
    return answer.observations[answer.observations["flow"] == flow]


def write(reporter: str, partner: str, answer: Fetched) -> Written:
    """Write the figures of an answer; each is known from the day on which its value was first received."""
    seen = answer.observations.reset_index(drop=True)
    if seen.empty:
        return Written(reporter, partner, Added(0, 0, 0), notes=answer.notes)
    rows = figures_from(seen, answer.snapshots).assign(source=seen["source"], snapshot=seen["snapshot"])
    added = fetched.append(rows)
    return Written(reporter, partner, added, seen["period"].min(), seen["period"].max(), answer.notes)


def read_years(text: str) -> range:
    """Years as a user writes them: "2000-2024" or "2024"."""
    first, _, last = text.partition("-")
    try:
        years = range(int(first), int(last or first) + 1)
    except ValueError:
        years = range(0)
    if not len(years) or not 1900 <= years[0] <= years[-1] <= 2100:
        raise UserError(
            f'years: found "{text}", expected a year, or the first and the last, such as 2000-2024'
        )
    return years


def last_day_known(reporter: str, partner: str) -> str:
    """The day on which the latest value of a pair was retrieved."""
    rows = fetched.read(reporter)
    known: pd.Series = rows.loc[rows["partner"] == partner, "published"]
    return str(known.max())
