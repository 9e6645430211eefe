"""The record kept current: what the goals of the register need, fetched; what it moves, and what it decides.

Nothing of the register is written. A decided target is shown as the row that somebody may put in its place, after looking at
what the target counts: many announcements include services, or another year than the calendar's.
"""

import math
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from lib import fetched, growth, outlook
from lib import figures as fig
from lib.cases import GoalCase, TrendCase
from lib.economies import CURRENCIES, known_names
from lib.errors import UserError
from lib.series import exchange_rates, no_rate
from lib.tools import curation
from lib.tools.sources.client import NothingThere, QuotaUsed
from lib.tools.sources.publishers import PUBLISHERS
from lib.tools.sources.record import FAULTS_IN_A_ROW, Written, fetch_pair, pair_question
from lib.tools.sources.snapshots import Desk

CHEAPEST_FIRST = {"imf": 0, "comtrade": -2}
"""From which year on each is asked, of all: a pair is one request to the IMF, to UN Comtrade, which answers some hundred a day,
one for each year."""

Known = tuple[int, float, float | None]
"""What is known of a pending target: its last full year, the level then (millions), the probability to reach it."""


@dataclass(frozen=True)
class Updated:
    """What an update brought: pairs as they were written, answers that moved, decided targets as rows, and notes."""

    pending: int
    notes: list[str]
    written: list[Written] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    decided: list[curation.Row] = field(default_factory=list)


def update(years: range, desk: Desk) -> Updated:
    """Fetch the flows of the pending targets, and compare what is known of them before and after."""
    today = desk.client.now().date()
    pending = [row for row in curation.read_rows("targets") if row["met"] == "pending"]
    rates = exchange_rates(fig.load_covariates(), pd.Timestamp(today))
    lacking = sorted({_currency_of(row) for row in pending} - {*rates})
    updated = Updated(len(pending), [no_rate(one, "any year") for one in lacking])
    # No figure here says anything of a sector, such as farm goods.
    whole = [row for row in pending if not row["sector"]]
    before = [_answer_to(row, _levels_of(row, today), today) for row in whole]
    failed = Counter[str]()
    for pair in dict.fromkeys((row["reporter"], row["partner"]) for row in whole):
        if all(one.casefold() in known_names() for one in pair):  # groups and provinces have no live source
            _fetch_from_cheapest(*pair, years, desk, failed, updated)
    came = {one.reporter for one in updated.written}
    for row, old in zip(whole, before, strict=True):
        levels = _levels_of(row, today)
        if {row["reporter"], row["partner"]} & came and (new := _answer_to(row, levels, today)) not in (
            old,
            None,
        ):
            updated.moved.append(_move_of(row, old, new))
        if decided := _decided(row, levels, today):
            updated.decided.append(decided)
    return updated


def _fetch_from_cheapest(
    reporter: str, partner: str, years: range, desk: Desk, failed: Counter[str], updated: Updated
) -> None:
    """Fetch a pair from the first source that has it; one that `failed` too often in a row is asked no more."""
    pair, found = f"{reporter}–{partner}", list[str]()
    for source, start in CHEAPEST_FIRST.items():
        if failed[source] >= FAULTS_IN_A_ROW:
            continue
        span, good = years[start:], timedelta(days=PUBLISHERS[source].good_days)
        try:
            question = pair_question(source, reporter, partner, "A", span)
            written, notes = fetch_pair(question, replace(desk, max_age=desk.max_age or good))
        except NothingThere:
            failed[source] = 0
            found.append(f"{pair}: nothing of {span[0]}–{span[-1]} at {source}")
        except UserError as error:
            failed[source] += FAULTS_IN_A_ROW if isinstance(error, QuotaUsed) else not desk.offline
            found.append(f"{pair}: {error}")
            if failed[source] >= FAULTS_IN_A_ROW:
                found.append(f"{source} is out of order or out of quota: it is asked for no other pair")
        else:
            failed[source] = 0
            if news := [one for one in written if any(one.added[:2])]:
                updated.written.extend(news)
                updated.notes.extend(notes)
            return
    updated.notes.extend(found)


def _currency_of(target: curation.Row) -> str:
    """Return the currency of a target; one of growth or a multiple is read in dollars."""
    currency = target["target_unit"][:3]
    return currency if currency in CURRENCIES else "USD"


def _case_of(target: curation.Row, today: date) -> dict[str, Any]:
    flow = {name: target[name] for name in ("reporter", "partner", "flow")}
    return flow | {"currency": _currency_of(target), "as_of": today}


def _levels_of(target: curation.Row, today: date) -> pd.Series:
    """Return the flow of a target by year, in millions of its currency, as of a day; empty where nothing is on record."""
    try:
        return TrendCase.check(_case_of(target, today)).series()["value_mn"].dropna()
    except UserError:
        return pd.Series(dtype="float64")


def _needed_mn(target: curation.Row, levels: pd.Series) -> float:
    """Return the level that a target asks for, in millions of its currency; NaN where that cannot be told."""
    value, first, last = float(target["target_value"] or "nan"), target["base_year"], target["target_year"]
    base = float(levels.get(int(first or 0), math.nan))
    if target["measure"] == "multiple":
        return value * base
    if target["measure"] == "growth_pct_per_year":
        return base * (1 + value / 100) ** (int(last) - int(first)) if first and last else math.nan
    currency, _, scale = target["target_unit"].partition(" ")
    return value * {"bn": 1000.0, "mn": 1.0}.get(scale, math.nan) if currency in CURRENCIES else math.nan


def _answer_to(target: curation.Row, levels: pd.Series, today: date) -> Known | None:
    """Return what is known of a target from its levels (`_levels_of`); None without any."""
    if levels.empty:
        return None
    year, needed, odds = int(levels.index[-1]), _needed_mn(target, levels), None
    if needed > 0 and int(target["target_year"] or 0) > year:
        goal = {"goal": f"{needed:.0f} {_currency_of(target)} mn", "deadline": int(target["target_year"])}
        with suppress(UserError):  # such as a horizon beyond what is forecast
            case = GoalCase.check(_case_of(target, today) | goal | {"base_year": year})
            odds = outlook.of(case).chances.get("average")
    return year, float(levels.iloc[-1]), odds


def _move_of(target: curation.Row, old: Known | None, new: Known) -> str:
    """Say what is now known of a target that was not before."""
    (year, level, odds), (year_before, level_before, odds_before) = new, old or (None, None, None)
    said = f"{target['target_id']}: {year}: {level / 1000:,.1f} {_currency_of(target)} bn"
    if level_before and (year, level) != (year_before, level_before):
        said += f" (before {year_before}: {level_before / 1000:,.1f})"
    said += "" if odds is None else f", probability {100 * odds:.0f} %"
    if odds is not None and odds_before is not None:
        said += f" (before {100 * odds_before:.0f} %, {100 * (odds - odds_before):+.0f} points)"
    return said


def _decided(target: curation.Row, levels: pd.Series, today: date) -> curation.Row | None:
    """Return a pending target with its outcome, once its year is over and known; without a deadline, once it is reached."""
    needed = _needed_mn(target, levels)
    if target["target_year"]:
        over = levels[(levels.index == int(target["target_year"])) & (levels.index < today.year)]
    else:
        over = levels[(levels >= needed) & (levels.index > int(target["announced"][:4] or 0))]
    if over.empty or not needed > 0:
        return None
    year, level = int(over.index[0]), float(over.iloc[0])
    outcome = {"outcome_value": f"{level / 1000:.4g}", "outcome_unit": f"{_currency_of(target)} bn"}
    if target["measure"] == "growth_pct_per_year":
        base = int(target["base_year"])
        rate = 100 * float(growth.cagr(float(levels[base]), level, year - base))
        outcome = {"outcome_value": f"{rate:.3g}", "outcome_unit": "pct per year"}
    rows = fetched.read(target["reporter"])
    same = (rows["partner"] == target["partner"]) & (rows["flow"] == target["flow"])
    url = rows.loc[same & (rows["period_end"].dt.year == year), "url"]
    outcome |= {"outcome_year": str(year), "met": "yes" if level >= needed else "no"}
    return target | outcome | {"source_outcome_url": url.iloc[-1] if len(url) else ""}
