"""Flows from a live source into `data/fetched`: asked for, kept as received, written as figures of the day they are known.

A value is known from the release that its source states, else from the day on which it was first retrieved. A value that
differs from the one kept is a new row, never a change of the old: a new vintage.
"""

import io
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lib import fetched
from lib import figures as fig
from lib.analysis.asking import ecb_rates
from lib.economies import check_currency
from lib.errors import UserError, quote, shown_path
from lib.fetched import SERIES, empty, files, folder, path_of, read_file, typed
from lib.figures import FLOWS
from lib.research.files import locked, make_folder, write_atomically
from lib.series import exchange_rates
from lib.tools import curation
from lib.tools.sources import covariates, observations
from lib.tools.sources.client import NothingThere
from lib.tools.sources.fetch import Fetched, fetch
from lib.tools.sources.observations import Question, name_gaps, periods_of
from lib.tools.sources.publishers import publisher
from lib.tools.sources.snapshots import Desk, Snapshot

CURRENCIES = ("USD", "CNY")
"""What series are made of; figures in others are converted where rates are at hand."""


def _figures_from(seen: pd.DataFrame, snapshots: list[Snapshot]) -> pd.DataFrame:
    """Return observations in currencies of the record as rows of a file of `lib.fetched`, in millions, without their ids."""

    def of(name: str) -> pd.Series:
        return seen["snapshot"].map({one.sha256: getattr(one, name) for one in snapshots})

    starts, ends = (
        {period: day_of(period).date().isoformat() for period in seen["period"].unique()}
        for day_of in (observations.first_day, observations.last_day)
    )
    words = "retrieved " + of("day") + "; snapshot " + seen["snapshot"].str[:16]
    for column in ("note", "valuation"):
        words = _before(seen[column]) + words
    about = {"publisher": of("title"), "authority": of("authority"), "url": of("url"), "note": words}
    about |= {"period_start": seen["period"].map(starts), "period_end": seen["period"].map(ends)}
    millions = observations.in_millions(seen["value"], seen["unit"])
    return typed(seen.assign(value=millions, unit=seen["unit"].str[:3] + " mn", **about))


def _before(words: pd.Series) -> pd.Series:
    """Words, where there are any, with what parts them from what follows."""
    return (words + "; ").where(words != "", "")


def _in_currency_of_record(seen: pd.DataFrame, today: str) -> tuple[pd.DataFrame, list[str]]:
    """Return observations in dollars at the average rate of their periods, yuan and what has none as they are, and notes."""
    currency, rates, notes = seen["unit"].str[:3], dict[tuple[str, str], float](), list[str]()
    for code, rows in seen[~currency.isin(CURRENCIES)].groupby(currency):
        days = ecb_rates().get(check_currency(str(code)), pd.Series(index=pd.DatetimeIndex([]))).dropna()
        by_year = (
            exchange_rates(fig.load_covariates(), pd.Timestamp(today)).get(code, pd.Series()).rename(str)
        )
        means = {
            one: covariates.mean_of(days, one, today) or by_year.get(one) for one in rows["period"].unique()
        }
        if gaps := name_gaps([period for period, mean in means.items() if pd.isna(mean)], []):
            hint = f"for goals first: tradegoals data refresh --currency {code}"
            notes.append(f"kept in {code}, for there is no rate at hand: {gaps}; {hint}")
        rates |= {(str(code), period): float(mean) for period, mean in means.items() if not pd.isna(mean)}
    if not rates:
        return seen, notes
    rate = pd.Series([*map(rates.get, zip(currency, seen["period"], strict=True))], seen.index, "float64")
    words = "converted from " + currency + " at the average of the ECB's daily rates, else of covariates.csv"
    told = {"unit": "USD" + seen["unit"].str[3:], "note": _before(seen["note"]) + words, "yoy_pct": ""}
    told = {name: seen[name].mask(rate.notna(), text) for name, text in told.items()}
    return seen.assign(value=seen["value"] / rate.fillna(1), **told), notes


WORLD = "World"


@dataclass(frozen=True)
class Written:
    """What a fetch wrote for one pair of countries, or one reporter with all, and what a reader must know of it."""

    reporter: str
    partner: str
    added: tuple[int, ...]  # how many values were new, changed, or known already
    first: str = ""
    last: str = ""
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """How much of it is new, in one line."""
        if not any(self.added):
            return f"{self.reporter}–{self.partner}: nothing"
        new, changed, same = (f"{count:,}" for count in self.added)
        pair = f"{self.reporter}–{self.partner}, {self.first} to {self.last}"
        return f"{pair}: {new} values new, {changed} changed, {same} known already"


def fetch_pair(question: Question, desk: Desk) -> list[Written]:
    """Fetch a pair and, for what they say beside it, the reporter's trade with the world and the partner's own view."""
    own, other = question.reporters[0].name, (question.partners or ())[-1].name
    answer = fetch(question, desk)
    sides = [(own, other), (other, own)][: len(question.reporters)]
    wanted = dict.fromkeys(pair for side in sides for pair in (side, (side[0], WORLD)))
    by_pair = dict(list(answer.observations.groupby(["reporter", "partner"])))
    if (own, other) not in by_pair:
        said = "; ".join([str(question), *answer.notes[:3]])
        raise NothingThere(f"{publisher(question.source).title}: found nothing, expected {said}")
    found = {pair: by_pair[pair] for pair in wanted if pair in by_pair}
    rows, notes = figures_of(replace(answer, observations=pd.concat(found.values())), desk.today)
    written = {(one.reporter, one.partner): one for one in append(rows)}
    for pair in wanted:
        if pair in found:
            notes += gaps_of(question, *pair, found[pair])
            written[pair], notes = replace(written[pair], notes=notes), []
    nothing = 0, 0, 0
    return [written.get(pair, Written(*pair, nothing)) for pair in wanted if pair in found or pair[0] == own]


def gaps_of(question: Question, reporter: str, partner: str, rows: pd.DataFrame) -> list[str]:
    """Name the periods of a pair without a value: together where its flows lack the same, else flow by flow."""
    asked_for = periods_of(question.years, question.freq)
    gaps = {flow: name_gaps(asked_for, rows.loc[rows["flow"] == flow, "period"]) for flow in FLOWS}
    together = len(set(gaps.values())) == 1
    named = {"": gaps[FLOWS[0]]} if together else {f", {flow}": gap for flow, gap in gaps.items()}
    return [f"{reporter}–{partner}{flow}: no value for {gap}" for flow, gap in named.items() if gap]


class Draft(NamedTuple):
    """What would be written for one reporter: the whole file, its new rows, and what that is of each pair."""

    rows: pd.DataFrame
    news: pd.DataFrame
    written: list[Written]


def _written(wanted: pd.DataFrame, state: pd.Series) -> list[Written]:
    """What is written of each pair, and its first and last period: a year, else a month."""
    start, end = wanted["period_start"], wanted["period_end"]
    whole = (start.dt.month == 1) & ((end - start).dt.days > 360)
    months = (day.map({one: f"{one:%Y-%m}" for one in day.unique()}) for day in (start, end))
    first, last = (text.mask(whole, text.str[:4]) for text in months)
    about = {"first": first, "last": last} | {name: state == name for name in ("new", "changed", "same")}
    pairs = wanted.assign(**about).groupby(["reporter", "partner"])
    ends, counts = pairs.agg({"first": "min", "last": "max"}), pairs[["new", "changed", "same"]].sum()
    return [
        Written(reporter, partner, tuple(counted), first, last)
        for (reporter, partner), counted, (first, last) in zip(
            ends.index, counts.to_numpy().tolist(), ends.to_numpy(), strict=True
        )
    ]


def figures_of(
    answer: Fetched, today: str, more_codes: dict[str, str] | None = None, imported: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """Return an answer as figures of the record without their ids, and notes; of an import with computed years and totals."""
    seen = answer.observations.reset_index(drop=True)
    if imported:
        if seen.empty:
            raise UserError("; ".join(["found no value that the mapping names", *answer.notes]))
        seen, _ = observations.with_totals(observations.with_years(seen))
    places = {*seen["reporter"].unique(), *seen["partner"].unique()}
    if without := sorted(places - set(curation.codes() | (more_codes or {}))):
        option = f'--place "{without[0]}, KIND, PARENT" (city, province or region; the place it is a part of)'
        expected = f"a row of it in reporters.csv, which `data import` adds with {option}"
        raise UserError(f"code: found none for {quote(without[0])}, expected {expected}")
    seen, notes = _in_currency_of_record(seen, today)
    return _figures_from(seen, answer.snapshots), answer.notes + notes


def drafts_of(
    rows: pd.DataFrame, more_codes: dict[str, str] | None = None, reread: bool = False
) -> list[Draft]:
    """Return what would be written of figures; with `reread` another reading of the same answers is replaced."""
    codes = curation.codes() | (more_codes or {})
    return [_draft(part, codes, reread) for _, part in rows.groupby("reporter")]


def append(rows: pd.DataFrame, reread: bool = False) -> list[Written]:
    """Write what is new of figures (`figures_of`), all or none; a value that is known already is left as it is."""
    make_folder(folder())
    with locked(folder()):
        drafts = drafts_of(rows, reread=reread)
        for draft in drafts:
            if len(draft.news) or reread:
                write_parquet(draft.rows, path_of(draft.written[0].reporter))
    return [one for draft in drafts for one in draft.written]


def remove(source: str) -> int:
    """Take the figures of a source back; its snapshots stay. Return how many there were."""
    removed = 0
    with locked(folder()):
        for path in files():
            rows = read_file(path)
            kept = rows[rows["source"] != source]
            removed += len(rows) - len(kept)
            if kept.empty:
                path.unlink()
            elif len(kept) < len(rows):
                write_parquet(kept, path)
    return removed


def read_years(text: str) -> range:
    """Years as a user writes them: "2000-2024" or "2024"."""
    match = re.fullmatch("((?:19|20)[0-9]{2})(?:-((?:19|20)[0-9]{2}))?", text)
    if not match or not (years := range(int(match[1]), int(match[2] or match[1]) + 1)):
        expected = "a year, or the first and the last, such as 2000-2024"
        raise UserError(f"years: found {quote(text)}, expected {expected}")
    return years


def _draft(wanted: pd.DataFrame, codes: dict[str, str], reread: bool) -> Draft:
    """Rows of one reporter beside what its file has; with `reread` other values of the same answers go."""
    wanted = wanted.reset_index(drop=True)
    path = path_of(str(wanted["reporter"].iloc[0]))
    before = typed(read_file(path)) if path.exists() else empty()
    if reread and len(before):
        key = [*SERIES, "value"]
        again = pd.Series(True, before.index)
        for name in ("source", "snapshot"):
            again &= before[name].isin(wanted[name].unique())
        right = pd.MultiIndex.from_frame(before[key]).isin(pd.MultiIndex.from_frame(wanted[key]))
        before = before[~again | right]
    last = before.drop_duplicates(SERIES, keep="last")[[*SERIES, "value"]].assign(there=True)
    known = wanted[SERIES].merge(last, on=SERIES, how="left", validate="m:1")
    state = pd.Series("new", wanted.index).mask(known["there"].notna(), "changed")
    state = state.mask(known["value"] == wanted["value"], "same")
    news = _with_ids(wanted[state != "same"], before, codes)
    rows = pd.concat([before, news][before.empty :]).sort_values(
        [*SERIES, "published"], kind="stable", ignore_index=True
    )
    for name, is_other in (
        ("figure_id", rows["figure_id"].duplicated()),
        ("reporter", rows["reporter"] != wanted["reporter"].iloc[0]),
    ):
        if is_other.any():  # two names may make one file; it would lock the collection
            found = f"{name} {quote(rows.loc[is_other, name].iloc[0])} beside others"
            raise UserError(f"{shown_path(path)}: found {found}, expected keys used once, of one reporter")
    return Draft(rows, news, _written(wanted, state))


def _with_ids(news: pd.DataFrame, before: pd.DataFrame, code: dict[str, str]) -> pd.DataFrame:
    """New rows with keys that say their source, IN-RU-total-2024-imf-a; the next letter for the next print of a period."""
    if news.empty:
        return news
    span = ["period_start", "period_end"]
    periods = news[span].drop_duplicates()
    periods["code"] = [*map(curation.period_code, periods["period_start"], periods["period_end"])]
    period = news[span].merge(periods, how="left")["code"].set_axis(news.index)
    stem = news["reporter"].map(code) + "-" + news["partner"].map(code) + "-" + news["flow"]
    stem += "-" + period + "-" + news["source"]
    printed = before["figure_id"].str.replace(r"-[a-z]+$", "", regex=True).value_counts()
    place = stem.map(printed).fillna(0).astype("int64") + stem.groupby(stem).cumcount()
    return news.assign(figure_id=stem + "-" + place.map(curation.letter_of).astype("str"))


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
        scale = rows["unit"].map({"USD mn": 1e6, "USD bn": 1e9})
        kept = fig.annual(rows[scale.notna() & (rows["source"] == source) & (rows["value"] > 0)])
        parts.append(kept[key].assign(value_usd=kept["value"] * scale[kept.index]))
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
