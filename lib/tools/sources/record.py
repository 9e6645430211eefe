"""Trade from a source, or of a table downloaded by hand, into `data/fetched`: read, checked, dated, written.

A value is known from the release that its source states, else from the day on which it was first retrieved. A value that
differs from the one kept is a new row, never a change of the old: a new vintage.
"""

import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib import fetched
from lib import figures as fig
from lib.analysis.asking import ecb_rates
from lib.economies import Economy, check_currency, economies, find_economy
from lib.errors import UserError, quote, shown_path
from lib.fetched import SERIES, empty, files, folder, path_of, read_file, typed
from lib.figures import FLOWS
from lib.research.files import locked, make_folder, write_atomically
from lib.series import exchange_rates
from lib.tools import curation
from lib.tools.sources import coded, covariates, gacc, observations, tables
from lib.tools.sources.client import NothingThere, QuotaUsed, Request, Snapshot, answer_to, refuse
from lib.tools.sources.mapping import Mapping, to_yaml
from lib.tools.sources.observations import Question, name_gaps, periods_of
from lib.tools.sources.publishers import PUBLISHERS, publisher
from lib.tools.sources.reader import Observed, read_table
from lib.tools.sources.snapshots import Desk, first_of, place_of, save

# --- asked for, read and dated ---

BY_CODE = ("imf", "comtrade")  # these answer with what was asked for alone; the others send whole tables

FAULTS_IN_A_ROW = 3  # after which the source itself must be out of order


class Fetched(NamedTuple):
    """What was fetched: checked and dated observations, and what a reader must know."""

    observations: pd.DataFrame
    notes: list[str]


def pair_question(source: str, reporter: str, partner: str, freq: str, years: range) -> Question:
    """Return the question for a pair, with its trade with the world and the partner's own view; nobody is asked yet."""
    own, other, world = find_economy(reporter), find_economy(partner), economies()[0]
    if own == other:
        raise UserError(f"partner: found {quote(partner)}, the reporter itself, expected another country")
    silent, years = _limits(source, freq, years)
    if own.iso3 in silent:
        found = f"reporter: found {own.name}, which does not report to {source}, expected another country"
        other_way = f"tradegoals data fetch {other.name} {own.name} --source {source}"
        raise UserError(f"{found}; with {own.name} as the partner it has figures: {other_way}")
    mirrored = other != world and other.iso3 not in silent and source in BY_CODE
    reporters = (own, other) if mirrored else (own,)
    partners = (world,) if other == world else (own, world, other) if mirrored else (world, other)
    return Question(source, reporters, partners, freq, years)


def _limits(source: str, freq: str, years: range) -> tuple[list[str], range]:
    """Return who does not report to a source of trade, and the years that it has; a frequency that it lacks is refused."""
    facts = publisher(source, "fetch")
    if freq not in facts.freqs:
        raise UserError(f"frequency: found {quote(freq)} of {source}, expected {' or '.join(facts.freqs)}")
    if not (years := range(max(years.start, facts.first_year), years.stop)):
        raise UserError(f"years: found none from {facts.first_year}, where {source} begins")
    return facts.silent, years


def _fetch(question: Question, desk: Desk) -> Fetched:
    """Ask all requests of a question; where a quota ends on the way, what came by then and a note on when to go on."""
    in_codes = question.source in BY_CODE
    requests = (coded.plan if in_codes else gacc.plan)(question, desk)
    read = partial(coded.read, question) if in_codes else gacc.read
    years = [str(year) for year in question.years]
    parts, notes = [observations.empty()], []
    for done, request in enumerate(requests):
        try:
            (rows, said), snapshot = desk.ask(request, read)
        except QuotaUsed as fault:
            if not done:
                raise
            answered = f"{done} of {len(requests)} calls are answered, the same command goes on there"
            notes.append(f"{fault}; {answered}")
            break
        rows, early = _dated(rows[rows["period"].str[:4].isin(years)], snapshot, snapshot.day, snapshot.url)
        parts.append(rows)
        notes += said + early
    rows = pd.concat(parts, ignore_index=True)
    if not in_codes:
        rows = _part_of_table(rows, question)
    rows, twice = observations.check(rows, question.source)
    table, alone = observations.with_totals(rows)
    return Fetched(table.sort_values(observations.KEY, ignore_index=True), notes + alone + twice)


def _dated(rows: pd.DataFrame, snapshot: Snapshot, over: str, where: str) -> Observed:
    """Return rows whose periods were over on a day, each known from its release, else from its first retrieval; and notes."""
    ends = rows["period"].map(lambda period: curation.read_period(period)[1]).astype("str")
    early = sorted(rows.loc[ends >= over, "period"].unique())
    notes = [f"{where}: left out, not over on {over}: {', '.join(early)}"] * bool(early)
    stated, day = rows["published"], snapshot.day
    known = stated.where((stated > ends) & (stated <= day), day)
    about = {"snapshot": snapshot.sha256, "publisher": snapshot.title, "retrieved": day, "published": known}
    return rows.assign(authority=snapshot.authority, url=snapshot.url, **about)[ends < over], notes


def _part_of_table(rows: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return what was asked for of tables that have more; a partner that none of them lists is told."""
    if question.freq == "A":
        rows = rows[rows["freq"] == "A"]
    listed, wanted = set(rows["partner"]), {place.name for place in question.partners or ()}
    if listed and (missing := wanted - listed):
        expected = f"one of the {len(listed) - 1} that the table lists; --source imf has every country"
        raise refuse(rows["url"].iloc[-1], f"no row of {missing.pop()}", expected)
    return rows[rows["partner"].isin(wanted)] if wanted else rows


def faults_in_a_row(before: int, fault: UserError, desk: Desk) -> int:
    """Return how often a source has failed without a break; a quota that is used up ends its service at once.

    A question that it has no answer to is none of its faults, nor is a store that holds a few answers alone.
    """
    if isinstance(fault, QuotaUsed):
        return FAULTS_IN_A_ROW
    return before + (not (desk.offline or isinstance(fault, NothingThere)))


def fetch_panel(source: str, freq: str, years: range, desk: Desk) -> Iterator[tuple[Economy, Fetched]]:
    """Fetch all pairs of one reporter after another; one that fails is empty with a note, three in a row end it, as a quota does."""
    silent, years = _limits(source, freq, years)
    places = [place for place in economies()[1:] if place.iso3 not in silent]
    places = places if source in BY_CODE else [find_economy("China")]
    faults, found, fault = 0, False, None
    for place in places:
        try:
            answer = _fetch(Question(source, (place,), None, freq, years), desk)
            faults, found = 0, found or not answer.observations.empty
        except UserError as error:
            if (faults := faults_in_a_row(faults, error, desk)) >= FAULTS_IN_A_ROW:
                raise
            answer, fault = Fetched(observations.empty(), [f"{place.name}: {error}"]), error
        yield place, answer
    if fault and not found:
        raise fault


def read_import(
    table: Path, mapping: Mapping | None, desk: Desk, observed: Observed | None = None
) -> tuple[Fetched, Snapshot, bytes]:
    """Read a table by a mapping, or as it was read already, or a page of China's customs; with its record and content for `keep`."""
    body, where = tables.read_file(table), shown_path(table)
    facts = mapping or PUBLISHERS["gacc"]
    rows, notes = observed or (read_table(body, mapping, where) if mapping else gacc.read(body, where))
    if (stated := str(facts.published or "")) > desk.today:
        raise UserError(f"published: found {stated}, expected a day that has come")
    request = Request(facts.source, facts.url, "", (("file", table.name),))
    snapshot, _ = answer_to(request, facts, desk.client.now(), body)
    first = first_of(desk.store, snapshot)
    rows, early = _dated(rows, first, min(stated or first.day, first.day), where)
    fetched = Fetched(rows.sort_values(observations.KEY, ignore_index=True), notes + early)
    return fetched, snapshot, body


def keep(store: Path, snapshot: Snapshot, body: bytes, mapping: Mapping | None) -> Path | None:
    """Keep a file that was read, and beside its record the mapping; return where that lies."""
    save(store, snapshot, body)
    if mapping is None:
        return None
    write_atomically(path := place_of(store, snapshot).with_suffix(".yml"), to_yaml(mapping))
    return path


# --- figures of the record ---

CURRENCIES = ("USD", "CNY")  # of series; figures in others are converted where rates are at hand


def figures_of(answer: Fetched, today: str, imported: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """Return an answer as rows of a file of `lib.fetched` without their ids, and notes; of an import with years and totals."""
    seen = answer.observations
    if imported:
        if seen.empty:
            raise UserError("; ".join(["found no value that the mapping names", *answer.notes]))
        seen, _ = observations.with_totals(observations.with_years(seen))
    seen, notes = _in_currency_of_record(seen.reset_index(drop=True), today)
    words = "retrieved " + seen["retrieved"] + "; snapshot " + seen["snapshot"].str[:16]
    for column in ("note", "valuation"):
        words = (seen[column] + "; " + words).str.removeprefix("; ")
    figures = seen.assign(
        note=words,
        period_start=seen["period"].map(lambda period: curation.read_period(period)[0]),
        period_end=seen["period"].map(lambda period: curation.read_period(period)[1]),
        value=observations.in_millions(seen["value"], seen["unit"]),
        unit=seen["unit"].str[:3] + " mn",
    )
    return typed(figures), answer.notes + notes


def _in_currency_of_record(seen: pd.DataFrame, today: str) -> tuple[pd.DataFrame, list[str]]:
    """Return observations in dollars at the average rate of their periods, yuan and what has none as they are, and notes."""
    currency, rates, notes = seen["unit"].str[:3], dict[tuple[str, str], float](), list[str]()
    for code, rows in seen[~currency.isin(CURRENCIES)].groupby(currency):
        days = ecb_rates().get(check_currency(str(code)), pd.Series(index=pd.DatetimeIndex([]))).dropna()
        by_year = exchange_rates(fig.load_covariates(), pd.Timestamp(today)).get(code, pd.Series())
        annual, periods = by_year.dropna().rename(str), rows["period"].unique()
        means = {one: covariates.mean_of(days, one, today) or annual.get(one) for one in periods}
        rates |= {(str(code), period): float(mean) for period, mean in means.items() if mean}
        if gaps := name_gaps(periods, [period for period, mean in means.items() if mean]):
            hint = f"for goals first: tradegoals data refresh --currency {code}"
            notes.append(f"kept in {code}, for there is no rate at hand: {gaps}; {hint}")
    if not rates:
        return seen, notes
    rate = pd.Series([*map(rates.get, zip(currency, seen["period"], strict=True))], seen.index, "float64")
    words = "converted from " + currency + " at the average of the ECB's daily rates, else of covariates.csv"
    words = (seen["note"] + "; " + words).str.removeprefix("; ")
    told = {"unit": "USD" + seen["unit"].str[3:], "note": words, "yoy_pct": ""}
    told = {name: seen[name].mask(rate.notna(), text) for name, text in told.items()}
    return seen.assign(value=seen["value"] / rate.fillna(1), **told), notes


# --- files ---


class Written(NamedTuple):
    """What a fetch wrote for one pair of countries, or one reporter with all."""

    reporter: str
    partner: str
    added: tuple[int, ...]  # how many values were new, changed, or known already
    first: str = ""
    last: str = ""

    def __str__(self) -> str:
        """How much of it is new, in one line."""
        if not any(self.added):
            return f"{self.reporter}–{self.partner}: nothing"
        new, changed, same = (f"{count:,}" for count in self.added)
        pair = f"{self.reporter}–{self.partner}, {self.first} to {self.last}"
        return f"{pair}: {new} values new, {changed} changed, {same} known already"


Draft = tuple[pd.DataFrame, pd.DataFrame, list[Written]]
"""What would be written for one reporter: the whole file, its new rows, and what that is of each pair."""


def drafts_of(rows: pd.DataFrame, new: dict[str, str], reread: bool = False) -> list[Draft]:
    """Return what would be written of figures, with codes of `new` places; `reread` replaces another reading of their answers."""
    codes = curation.codes() | new
    if without := sorted({*rows["reporter"].unique(), *rows["partner"].unique()} - {*codes}):
        option = f'--place "{without[0]}, KIND, PARENT" (city, province or region; the place it is a part of)'
        expected = f"a row of it in reporters.csv, which `data import` adds with {option}"
        raise UserError(f"code: found none for {quote(without[0])}, expected {expected}")
    return [_draft(part, codes, reread) for _, part in rows.groupby("reporter")]


def _draft(wanted: pd.DataFrame, codes: dict[str, str], reread: bool) -> Draft:
    """Rows of one reporter beside what its file has; with `reread` other values of the same answers go."""
    wanted = wanted.reset_index(drop=True)
    reporter = str(wanted["reporter"].iloc[0])
    path = path_of(reporter)
    before = typed(read_file(path)) if path.exists() else wanted.iloc[:0]
    if reread and len(before):  # `isin` makes an object of every text that it is given
        source, snapshot = (before[name].isin(wanted[name].unique()) for name in ("source", "snapshot"))
        values, right = (pd.MultiIndex.from_frame(one[[*SERIES, "value"]]) for one in (before, wanted))
        before = before[~(source & snapshot) | values.isin(right)]
    last = before.drop_duplicates(SERIES, keep="last")[[*SERIES, "value"]]
    known = wanted[SERIES].merge(last, on=SERIES, how="left", validate="m:1")["value"]
    state = np.select([known.isna(), known == wanted["value"]], ["new", "same"], "changed")
    news = curation.with_ids(wanted[state != "same"], before["figure_id"], codes)
    order = [*SERIES, "published"]
    rows = pd.concat([before, news][before.empty :]).sort_values(order, kind="stable", ignore_index=True)
    wrong = {"figure_id": rows["figure_id"].duplicated(), "reporter": rows["reporter"] != reporter}
    for name, is_other in wrong.items():
        if is_other.any():  # two names may make one file; it would lock the collection
            found = f"{name} {quote(rows.loc[is_other, name].iloc[0])} beside others"
            raise UserError(f"{shown_path(path)}: found {found}, expected keys used once, of one reporter")
    return rows, news, _written(wanted, state)


def _written(wanted: pd.DataFrame, state: np.ndarray) -> list[Written]:
    """What is written of each pair, and its first and last period: a year, else a month."""
    start, end = wanted["period_start"], wanted["period_end"]
    whole = (start.dt.month == 1) & ((end - start).dt.days > 360)
    first, last = (day.dt.strftime("%Y-%m").mask(whole, day.dt.strftime("%Y")) for day in (start, end))
    about = {"first": first, "last": last} | {name: state == name for name in ("new", "changed", "same")}
    asked = dict.fromkeys(("new", "changed", "same"), "sum") | {"first": "min", "last": "max"}
    told = wanted.assign(**about).groupby(["reporter", "partner"]).agg(asked).itertuples(name=None)
    return [Written(own, other, (*counts,), first, last) for (own, other), *counts, first, last in told]


def append(rows: pd.DataFrame, reread: bool = False) -> list[Written]:
    """Write what is new of figures (`figures_of`), all or none; a value that is known already is left as it is."""
    make_folder(folder())
    with locked(folder()):
        drafts = drafts_of(rows, {}, reread)
        for whole, news, (one, *_) in drafts:
            if len(news) or reread:
                write_parquet(whole, path_of(one.reporter))
    return [one for *_, written in drafts for one in written]


def fetch_pair(question: Question, desk: Desk) -> tuple[list[Written], list[str]]:
    """Fetch a pair, the reporter's trade with the world and the partner's own view; what was written, and what lacks."""
    own, other = question.reporters[0].name, (question.partners or ())[-1].name
    answer = _fetch(question, desk)
    seen = answer.observations[answer.observations["reporter"] != answer.observations["partner"]]
    by_pair = {(str(one), str(to)): rows for (one, to), rows in seen.groupby(["reporter", "partner"])}
    if (own, other) not in by_pair:
        span = f"{observations.FREQUENCIES[question.freq]} {question.years[0]}–{question.years[-1]}"
        said = "; ".join([f"{question.source}: {own}–{other}, {span}", *answer.notes[:3]])
        raise NothingThere(f"{PUBLISHERS[question.source].title}: found nothing, expected {said}")
    rows, notes = figures_of(answer._replace(observations=seen), desk.today)
    notes += [gap for pair, rows in by_pair.items() for gap in _gaps_of(question, *pair, rows)]
    with_all = (own, economies()[0].name)
    written = append(rows) + [Written(*with_all, (0, 0, 0))] * (with_all not in by_pair)
    return sorted(written, key=lambda one: (one.reporter != own, one.partner != other)), notes


def _gaps_of(question: Question, reporter: str, partner: str, rows: pd.DataFrame) -> list[str]:
    """Name the periods of a pair without a value: together where its flows lack the same, else flow by flow."""
    asked_for = periods_of(question.years, question.freq)
    gaps = {f", {flow}": name_gaps(asked_for, rows.loc[rows["flow"] == flow, "period"]) for flow in FLOWS}
    gaps = {"": max(gaps.values())} if len({*gaps.values()}) == 1 else gaps
    return [f"{reporter}–{partner}{flow}: no value for {gap}" for flow, gap in gaps.items() if gap]


def remove(source: str) -> None:
    """Take the figures of a source back; its snapshots stay."""
    with locked(folder()):
        for path in files():
            rows = read_file(path)
            kept = rows[rows["source"] != source]
            if kept.empty:
                path.unlink()
            elif len(kept) < len(rows):
                write_parquet(kept, path)


def read_years(text: str) -> range:
    """Years as a user writes them: "2000-2024" or "2024"."""
    match = re.fullmatch("((?:19|20)[0-9]{2})(?:-((?:19|20)[0-9]{2}))?", text)
    if not match or not (years := range(int(match[1]), int(match[2] or match[1]) + 1)):
        expected = "a year, or the first and the last, such as 2000-2024"
        raise UserError(f"years: found {quote(text)}, expected {expected}")
    return years


def write_parquet(rows: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all; its pages and the file carry checksums, which `lib.fetched.read_file` verifies."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer, table = io.BytesIO(), pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, fetched.SEAL: fetched.UNSEALED})
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    content = buffer.getvalue()
    place, digest = fetched.seal_of(content)
    write_atomically(path, content[:place] + digest + content[place + len(digest) :])


def panel(source: str) -> pd.DataFrame:
    """The annual values of a source as `lib.research.panels.read_panel` has them: of each in dollars the last vintage."""
    key, parts = ["reporter", "partner", "flow", "year"], []
    for path in files():
        rows = read_file(path, ["reporter", *SERIES, "value"])
        of_source = (rows["source"] == source) & (rows["unit"] == "USD mn") & (rows["value"] > 0)
        kept = fig.annual(rows[of_source])
        parts.append(kept[key].assign(value_usd=kept["value"] * 1e6))
    found = pd.concat(parts) if parts else pd.DataFrame(columns=[*key, "value_usd"])
    return found.drop_duplicates(key, keep="last", ignore_index=True)


def sources() -> pd.DataFrame:
    """What was fetched from each source: pairs, values, first and last period, day of the last retrieval."""
    names = ["reporter", "partner", "period_start", "period_end", "published", "source", "publisher"]
    parts = [read_file(path, names) for path in files()]
    rows = pd.concat(parts) if parts else empty()[names]
    pairs = rows.drop_duplicates(["source", "reporter", "partner"]).groupby("source").size()
    ends = {"first": ("period_start", "min"), "last": ("period_end", "max"), "updated": ("published", "max")}
    told = rows.groupby("source").agg(values=("source", "size"), publisher=("publisher", "last"), **ends)
    return told.assign(pairs=pairs)
