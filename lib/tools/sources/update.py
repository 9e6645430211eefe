"""The record kept current: what the goals of the register need, fetched; what it moves, and what it decides.

Nothing of the register is written. A decided target is shown as the row that somebody may put in its place, after looking at
what the target counts: many announcements include services, or another year than the calendar's.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd

from lib import fetched, growth, outlook
from lib import figures as fig
from lib.cases import GoalCase
from lib.economies import CURRENCIES, known_names
from lib.errors import UserError
from lib.series import annual_series, exchange_rates, no_rate
from lib.tools import curation
from lib.tools.sources.client import NothingThere, QuotaUsed
from lib.tools.sources.fetch import FAULTS_IN_A_ROW, pair_question
from lib.tools.sources.publishers import publisher
from lib.tools.sources.record import Written, fetch_pair
from lib.tools.sources.snapshots import Desk

CHEAPEST_FIRST = ("imf", "comtrade")
"""A pair is one request to the IMF, and one for each year to UN Comtrade."""

YEARS_OF_OTHERS = 2
"""Latest years that are asked of a source other than the first: UN Comtrade answers some hundred calls a day."""


class Known(NamedTuple):
    """What is known of a pending target: its last full year, the level then, the probability to reach it."""

    year: int
    level_mn: float
    currency: str
    probability: float | None


@dataclass(frozen=True)
class Updated:
    """What an update brought: pairs as they were written, answers that moved, decided targets as rows, and notes."""

    written: list[Written] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    decided: list[curation.Row] = field(default_factory=list)
    pending: int = 0
    notes: list[str] = field(default_factory=list)


def update(years: range, desk: Desk) -> Updated:
    """Fetch the flows of the pending targets, and compare what is known of them before and after."""
    today = desk.client.now().date()
    pending = [row for row in curation.read_rows("targets") if row["met"] == "pending"]
    rates = exchange_rates(fig.load_covariates(), pd.Timestamp(today))
    notes = [no_rate(one, "any year") for one in sorted({_currency_of(row) for row in pending} - {*rates})]
    # No figure here says anything of a sector, such as farm goods.
    whole = [row for row in pending if not row["sector"]]
    before = [(_state_of(row), _answer_to(row, _levels_of(row, today), today)) for row in whole]
    written, failed = [], Counter[str]()
    for pair in dict.fromkeys((row["reporter"], row["partner"]) for row in whole):
        if all(one.casefold() in known_names() for one in pair):  # groups and provinces have no live source
            found, said = _fetch_from_cheapest(*pair, years, desk, failed)
            written += found
            notes += said
    moved, decided = [], []
    for row, (state, old) in zip(whole, before, strict=True):
        levels = _levels_of(row, today)
        if _state_of(row) != state and (words := _move_of(row, old, _answer_to(row, levels, today))):
            moved.append(words)
        if new := decide(row, levels, today):
            decided.append(new)
    return Updated(written, moved, decided, len(pending), notes)


def _state_of(target: curation.Row) -> tuple[Any, ...]:
    """Return what changes when something that may move the answer is fetched."""
    return fetched.state(target["reporter"]), fetched.state(target["partner"])


def _fetch_from_cheapest(
    reporter: str, partner: str, years: range, desk: Desk, failed: Counter[str]
) -> tuple[list[Written], list[str]]:
    """Fetch a pair from the first source that has it; one that `failed` too often in a row is asked no more."""
    pair, notes = f"{reporter}–{partner}", []
    for source in CHEAPEST_FIRST:
        if failed[source] >= FAULTS_IN_A_ROW:
            continue
        span = years if source == CHEAPEST_FIRST[0] else years[-YEARS_OF_OTHERS:]
        own = replace(desk, max_age=desk.max_age or timedelta(days=publisher(source).good_days))
        try:
            written = fetch_pair(pair_question(source, reporter, partner, "A", span), own)
        except NothingThere:
            failed[source] = 0
            notes.append(f"{pair}: nothing of {span[0]}–{span[-1]} at {source}")
        except UserError as error:
            failed[source] += FAULTS_IN_A_ROW if isinstance(error, QuotaUsed) else not desk.offline
            notes.append(f"{pair}: {error}")
            if failed[source] >= FAULTS_IN_A_ROW:
                notes.append(f"{source} is out of order or out of quota: it is asked for no other pair")
        else:
            failed[source] = 0
            return written, []
    return [], notes


def _currency_of(target: curation.Row) -> str:
    """Return the currency of a target; one of growth or a multiple is read in dollars."""
    currency = target["target_unit"][:3]
    return currency if currency in CURRENCIES else "USD"


def _levels_of(target: curation.Row, today: date) -> pd.Series:
    """Return the flow of a target by year, in millions of its currency, as of a day; empty where nothing is on record."""
    try:
        rows = fig.as_of(fetched.beside(fig.load_figures(), target["reporter"]), today)
        rows = fig.select(rows, target["reporter"], target["partner"], target["flow"])
        rates = exchange_rates(fig.load_covariates(), pd.Timestamp(today))
        return annual_series(rows, _currency_of(target), rates)["value_mn"].dropna()
    except UserError:
        return pd.Series(dtype="float64")


def _needed_mn(target: curation.Row, levels: pd.Series) -> float | None:
    """Return the level that a target asks for, in millions of its currency; None where that cannot be told."""
    if not target["target_value"]:
        return None
    value, base_year, year = float(target["target_value"]), target["base_year"], target["target_year"]
    base = levels.get(int(base_year)) if base_year else None
    if target["measure"] == "multiple":
        return value * float(base) if base else None
    if target["measure"] == "growth_pct_per_year":
        years = int(year) - int(base_year) if year and base else 0
        return float(base) * (1 + value / 100) ** years if base and years else None
    currency, _, scale = target["target_unit"].partition(" ")
    factor = {"bn": 1000.0, "mn": 1.0}.get(scale) if currency in CURRENCIES else None
    return value * factor if factor else None


def _answer_to(target: curation.Row, levels: pd.Series, today: date) -> Known | None:
    """Return what is known of a target from its levels (`_levels_of`); None without any."""
    if levels.empty:
        return None
    year, needed = int(levels.index[-1]), _needed_mn(target, levels)
    odds, currency = None, _currency_of(target)
    if needed and target["target_year"] and int(target["target_year"]) > year:
        values: dict[str, Any] = {name: target[name] for name in ("reporter", "partner", "flow")}
        values |= {"goal": f"{needed:.0f} {currency} mn", "currency": currency, "base_year": year}
        values |= {"deadline": int(target["target_year"]), "as_of": today}
        with suppress(UserError):  # such as a horizon beyond what is forecast
            odds = outlook.of(GoalCase.check(values)).chances.get("average")
    return Known(year, float(levels.iloc[-1]), currency, odds)


def _move_of(target: curation.Row, old: Known | None, new: Known | None) -> str:
    """Say what is now known of a target that was not before; "" where nothing is."""
    if new is None or new == old:
        return ""
    level = f"{new.year}: {new.level_mn / 1000:,.1f} {new.currency} bn"
    if old and (old.year, old.level_mn) != (new.year, new.level_mn):
        level += f" (before {old.year}: {old.level_mn / 1000:,.1f})"
    odds = "" if new.probability is None else f", probability {100 * new.probability:.0f} %"
    if new.probability is not None and old and old.probability is not None:
        points = 100 * (new.probability - old.probability)
        odds += f" (before {100 * old.probability:.0f} %, {points:+.0f} points)"
    return f"{target['target_id']}: {level}{odds}"


def decide(target: curation.Row, levels: pd.Series, today: date) -> curation.Row | None:
    """Return a pending target with its outcome, once its year is over and known; without a deadline, once it is reached."""
    needed = _needed_mn(target, levels)
    if needed is None or levels.empty:
        return None
    if target["target_year"]:
        year = int(target["target_year"])
        if year >= today.year or year not in levels.index:
            return None
    else:
        reached = levels[(levels >= needed) & (levels.index > int(target["announced"][:4] or 0))]
        if reached.empty:
            return None
        year = int(reached.index[0])
    level = float(levels[year])
    outcome = {"outcome_value": f"{level / 1000:.4g}", "outcome_unit": f"{_currency_of(target)} bn"}
    if target["measure"] == "growth_pct_per_year":
        base = int(target["base_year"])
        rate = 100 * float(growth.cagr(float(levels[base]), level, year - base))
        outcome = {"outcome_value": f"{rate:.3g}", "outcome_unit": "pct per year"}
    rows = fetched.read(target["reporter"])
    same = rows[(rows["partner"] == target["partner"]) & (rows["flow"] == target["flow"])]
    url = same.loc[same["period_end"].dt.year == year, "url"]
    outcome |= {"outcome_year": str(year), "met": "yes" if level >= needed else "no"}
    return target | outcome | {"source_outcome_url": url.iloc[-1] if len(url) else ""}
