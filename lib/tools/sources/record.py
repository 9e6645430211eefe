"""From observations to rows of `data/figures.csv`, dated so that no earlier day knows them.

A value is known from the day on which it was first retrieved, unless the source states when it published it. A value that
differs from the one kept is a new row, never a change of the old: a new vintage.

Flows from a live source into the record: asked for, kept as received, written as figures.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from lib import fetched
from lib.economies import Economy, economies, find_economy
from lib.errors import Fault, UserError, quote, shown_path
from lib.fetched import SERIES, empty, faults_of, folder, path_of, read_file, typed
from lib.figures import FLOWS
from lib.files import locked, make_folder, working_file
from lib.tools.sources import observations
from lib.tools.sources.client import Client, open_client
from lib.tools.sources.fetch import Fetched, fetch, fetch_panel
from lib.tools.sources.importer import import_table
from lib.tools.sources.observations import SCALES, name_gaps, periods_of
from lib.tools.sources.snapshots import Snapshot, Store, open_store

COLUMNS = (
    "figure_id",
    "reporter",
    "partner",
    "flow",
    "period_start",
    "period_end",
    "value",
    "unit",
    "yoy_pct",
    "published",
    "known_by",
    "publisher",
    "authority",
    "url",
    "status",
    "note",
)

KEY = ["reporter", "partner", "flow", "period_start", "period_end", "publisher"]

CURRENCIES = ("USD", "CNY")


def figures_from(
    observations: pd.DataFrame,
    snapshots: Iterable[Snapshot],
    known: pd.DataFrame | None = None,
    codes: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the rows that the record does not have yet.

    Parameters
    ----------
    observations, snapshots : of `fetch.Fetched`.
    known : rows of the record as text (`figures.csv`): their ids are not used again, and an observation whose last value
        there, by the same publisher, is the same gives no row.
    codes : codes of reporters and partners by name (`reporters.csv`); by default ISO codes of two letters.

    Returns
    -------
    Text columns `COLUMNS`, in millions, `status` ok; `note` holds the beginning of the snapshot's checksum.

    Raises
    ------
    UserError
        For a currency that the record does not hold, or a place without a code.
    """
    if other := sorted(set(observations["currency"].unique()) - set(CURRENCIES)):
        raise UserError(f"currency: found {quote(other[0])}, expected {' or '.join(CURRENCIES)}")
    places = {*observations["reporter"].unique(), *observations["partner"].unique()}
    by_digest = {snapshot.sha256: snapshot for snapshot in snapshots}
    code_by_name = {economy.name: economy.code for economy in economies()} | dict(codes or {})
    if without := sorted(places - set(code_by_name)):
        raise UserError(f"code: found none for {quote(without[0])}, expected a row of it in reporters.csv")
    spans = {period: span(period) for period in observations["period"].unique()}
    rows = [row_of(one, by_digest[one.snapshot], spans[one.period]) for one in observations.itertuples()]
    frame = pd.DataFrame(rows, columns=list(COLUMNS[1:]), dtype="str")
    frame = without_known(frame, known)
    return number_rows(frame, known, code_by_name)[list(COLUMNS)]


def row_of(one: Any, snapshot: Snapshot, days: tuple[str, str]) -> dict[str, str]:
    """Return an observation as a row without its id."""
    reporter, partner, flow, _, _, value, unit, currency, valuation, _, digest = one[1:]
    return {
        "reporter": reporter,
        "partner": partner,
        "flow": flow,
        "period_start": days[0],
        "period_end": days[1],
        "value": in_millions(value, unit),
        "unit": f"{currency} mn",
        "yoy_pct": "",
        "published": snapshot.published or snapshot.day,
        "known_by": "",
        "publisher": snapshot.title,
        "authority": snapshot.authority,
        "url": snapshot.url,
        "status": "ok",
        "note": note_of(flow, valuation, digest, snapshot),
    }


def note_of(flow: str, valuation: str, digest: str, snapshot: Snapshot) -> str:
    """Say how the value was measured, when it was retrieved, and in which snapshot it stands."""
    computed = "computed as export + import; " if flow == "total" and "+" in valuation else ""
    return f"{valuation}; {computed}retrieved {snapshot.day}; snapshot {digest[:16]}".removeprefix("; ")


def in_millions(value: float, unit: str) -> str:
    """Return a value in millions, as decimal text: moving the point of 230000000.5 changes no digit."""
    scale = SCALES[unit[4:]]
    moved = Decimal(repr(float(value))) * scale / 1_000_000
    text = f"{moved:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(period: str) -> tuple[str, str]:
    """Return the first and last day of a period."""
    return observations.first_day(period).date().isoformat(), observations.last_day(period).date().isoformat()


def without_known(rows: pd.DataFrame, known: pd.DataFrame | None) -> pd.DataFrame:
    """Leave out rows whose last value in the record is the same."""
    if known is None or known.empty or rows.empty:
        return rows
    last = known.assign(order=known["figure_id"].str.extract(r"-([a-z]+)$", expand=False).str.len())
    last = last.sort_values(["order", "figure_id"], kind="stable").drop_duplicates(KEY, keep="last")
    before = rows[KEY].merge(last[[*KEY, "value", "unit"]], on=KEY, how="left")
    same = (before["value"].to_numpy() == rows["value"].to_numpy()) & (
        before["unit"].to_numpy() == rows["unit"].to_numpy()
    )
    return rows[~same]


def number_rows(rows: pd.DataFrame, known: pd.DataFrame | None, codes: Mapping[str, str]) -> pd.DataFrame:
    """Give each row the next free id of its flow and period."""
    used = set() if known is None else set(known["figure_id"])
    ids = []
    for row in rows.itertuples(index=False):
        place = 1
        stem = f"{codes[row.reporter]}-{codes[row.partner]}-{row.flow}-{period_in_key(row.period_start, row.period_end)}"
        while (name := f"{stem}-{letters(place)}") in used:
            place += 1
        used.add(name)
        ids.append(name)
    return rows.assign(figure_id=pd.Series(ids, rows.index, dtype="str"))


def period_in_key(start: str, end: str) -> str:
    """Return a period as ids write it: 2013, 2013m03 or 2013m01_m03."""
    year, first, last = start[:4], start[5:7], end[5:7]
    return (
        year if (first, last) == ("01", "12") else f"{year}m{first}" + (f"_m{last}" if last != first else "")
    )


def letters(place: int) -> str:
    """Return a, b, c and so on for 1, 2, 3; after z comes aa."""
    text = ""
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


WORLD = "World"

FIRST_YEAR = 1980
"""First year asked for by default: most bilateral series of the IMF begin then or later."""


class Added(NamedTuple):
    """How many fetched rows were new, a changed value, or known already."""

    new: int
    changed: int
    same: int


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
    added = append(rows)
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


def append(rows: pd.DataFrame) -> Added:
    """Write what is new of one reporter's rows; a value that is known already is left as it is.

    Parameters
    ----------
    rows : columns of figures.csv without figure_id, and `EXTRA`; one row a value, as one answer gave them.
    """
    reporter = str(rows["reporter"].iloc[0])
    make_folder(folder())
    with locked(folder()):
        return _append(typed(rows.assign(figure_id="")), path_of(reporter))


def _append(wanted: pd.DataFrame, path: Path) -> Added:
    before = typed(read_file(path)) if path.exists() else empty()
    last = before.drop_duplicates(SERIES, keep="last")[[*SERIES, "value"]].assign(there=True)
    known = wanted[SERIES].merge(last, on=SERIES, how="left", validate="m:1")
    there, same = known["there"].notna().to_numpy(), (known["value"] == wanted["value"]).to_numpy()
    news = wanted[~same]
    if len(news):
        write_file(pd.concat([before, with_ids(news, before)], ignore_index=True), path)
    return Added(int((~there).sum()), int((there & ~same).sum()), int(same.sum()))


def with_ids(news: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """New rows with keys that say their source: IN-RU-total-2024-imf-a; the next letter for the next vintage."""
    from lib.tools.figure_ids import codes, letter_of, period_code

    code = codes()
    periods = news.drop_duplicates(["period_start", "period_end"]).set_index(["period_start", "period_end"])
    names = {period: period_code(*period) for period in periods.index}
    span = [names[period] for period in zip(news["period_start"], news["period_end"], strict=True)]
    vintages = before.groupby([*SERIES]).size().rename("place").reset_index()
    place = news[SERIES].merge(vintages, on=SERIES, how="left")["place"].fillna(0).astype(int)
    who = news["reporter"].map(code) + "-" + news["partner"].map(code) + "-" + news["flow"] + "-"
    letter = pd.Series([letter_of(number) for number in place], index=news.index, dtype="str")
    return news.assign(figure_id=who + span + "-" + news["source"] + "-" + letter)


def write_file(rows: pd.DataFrame, path: Path) -> None:
    """Write a file whole or not at all, in order of flow, period and publication."""
    ordered = rows.sort_values([*SERIES, "published"], kind="stable", ignore_index=True)
    try:
        with working_file(path) as draft:
            ordered.to_parquet(draft, index=False, compression="zstd")
            draft.replace(path)
    except OSError as error:
        raise UserError(f"{shown_path(path)}: cannot be written: {error.strerror}") from None


def files() -> list[Path]:
    """The files of all reporters for which something was fetched."""
    return sorted(folder().glob("*.parquet"))


def panel(source: str) -> pd.DataFrame:
    """The annual values of a source in the form of `lib.research.panels.read_panel`: what a reference class is made of.

    Returns
    -------
    Frame with reporter, partner, flow, year and value_usd: the last vintage of each value in dollars that is above 0.
    """
    names = ["reporter", *SERIES, "value"]
    parts = [_annual(read_file(path, names), source) for path in files()]
    empty_panel = pd.DataFrame(columns=["reporter", "partner", "flow", "year", "value_usd"])
    return pd.concat(parts, ignore_index=True) if parts else empty_panel


def _annual(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Values of full years in dollars; the last of each, since the rows of a file stand in order of publication."""
    start, end = rows["period_start"].dt, rows["period_end"].dt
    whole = (start.year == end.year) & (start.day_of_year == 1) & (end.month == 12) & (end.day == 31)
    scale = rows["unit"].map({"USD mn": 1e6, "USD bn": 1e9})
    kept = rows[whole & scale.notna() & (rows["source"] == source) & (rows["value"] > 0)]
    year = kept["period_end"].dt.year.astype("int64")
    found = kept[["reporter", "partner", "flow"]].assign(
        year=year, value_usd=kept["value"] * scale[kept.index]
    )
    return found[~found.duplicated(["partner", "flow", "year"], keep="last")]


def check() -> list[Fault]:
    """Find the faults of every file."""
    faults = []
    for path in files():
        try:
            faults += faults_of(read_file(path), path)
        except UserError as error:
            faults.append(Fault(shown_path(path), 1, "", str(error), "the rows of a reporter"))
    return faults


def sources() -> pd.DataFrame:
    """What was fetched from each source: pairs, values, first and last period, day of the last retrieval."""
    names = ["reporter", "partner", "period_start", "period_end", "published", "source"]
    parts = [read_file(path, names) for path in files()]
    rows = pd.concat(parts) if parts else empty()[names]
    by_source = rows.groupby("source")
    pairs = rows.drop_duplicates(["source", "reporter", "partner"]).groupby("source").size()
    return pd.DataFrame(
        {
            "pairs": pairs,
            "values": by_source.size(),
            "first": by_source["period_start"].min(),
            "last": by_source["period_end"].max(),
            "updated": by_source["published"].max(),
        }
    )
