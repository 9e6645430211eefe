"""The record kept current: what the goals of the register need, fetched; what it moves, and what it decides.

Nothing of the register is written. A decided target is shown as the row that somebody may put in its place, after looking at
what the target counts: many announcements include services, or another year than the calendar's.
"""

import math
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from lib import fetched, growth, outlook
from lib import figures as fig
from lib.analysis.answers import GOALS
from lib.cases import GoalCase, TrendCase
from lib.economies import CURRENCIES, known_names
from lib.errors import UserError
from lib.goals import parse_goal
from lib.series import exchange_rates, no_rate
from lib.tools import curation
from lib.tools.sources.client import NothingThere
from lib.tools.sources.record import FAULTS_IN_A_ROW, Written, faults_in_a_row, fetch_pair, pair_question
from lib.tools.sources.snapshots import Desk

CHEAPEST_FIRST = {"imf": 0, "comtrade": -2}
"""Sources, and the first of the years that each is asked for: of UN Comtrade, a call a year and some hundred a day, the last two."""

Known = tuple[int, float, float | None]
"""What is known of a target: its last full year, the level then (millions), the probability to reach it."""


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
    lacking = sorted({*map(_currency_of, pending)} - {*rates})
    updated = Updated(len(pending), [no_rate(one, "any year") for one in lacking])
    # No figure here says anything of a sector, such as farm goods.
    targets = [_Target(row, today) for row in pending if not row["sector"]]
    before = [one.known() for one in targets]
    failed = Counter[str]()
    for pair in dict.fromkeys((one.row["reporter"], one.row["partner"]) for one in targets):
        if all(one.casefold() in known_names() for one in pair):  # groups and provinces have no live source
            _fetch(pair, years, desk, failed, updated)
    came = {one.reporter for one in updated.written}
    for target, old in zip(targets, before, strict=True):
        new = _Target(target.row, today)
        if {new.row["reporter"], new.row["partner"]} & came and (now := new.known()) not in (old, None):
            updated.moved.append(new.move(old, now))
        if decided := new.decided():
            updated.decided.append(decided)
    return updated


def _fetch(pair: tuple[str, str], years: range, desk: Desk, failed: Counter[str], updated: Updated) -> None:
    """Fetch a pair from the cheapest source that has it; one that `failed` too often in a row is asked no more."""
    name, found = "–".join(pair), list[str]()
    for source, start in CHEAPEST_FIRST.items():
        if failed[source] >= FAULTS_IN_A_ROW:
            continue
        span = years[start:]
        try:
            written, notes = fetch_pair(pair_question(source, *pair, "A", span), desk)
        except UserError as error:
            nothing = f"nothing of {span[0]}–{span[-1]} at {source}"
            found.append(f"{name}: {nothing if isinstance(error, NothingThere) else error}")
            failed[source] = faults_in_a_row(failed[source], error, desk)
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


class _Target:
    """A target on a day: levels of its flow by year and the level that it needs (NaN where that cannot be told), in millions."""

    def __init__(self, row: curation.Row, today: date) -> None:
        self.row, self.today, self.currency = row, today, _currency_of(row)
        self.case: dict[str, Any] = {name: row[name] for name in ("reporter", "partner", "flow")}
        self.case |= {"currency": self.currency, "as_of": today}
        self.levels = pd.Series(dtype="float64")
        with suppress(UserError):  # nothing on record
            self.levels = TrendCase.check(self.case).series()["value_mn"].dropna()
        self.needed = math.nan
        with suppress(UserError):  # a target that is none of money
            said = GOALS[row["measure"]].format(value=row["target_value"], unit=row["target_unit"])
            kind, self.needed, _ = parse_goal(said)
            if kind != "level":
                first, last = (float(row[name] or "nan") for name in ("base_year", "target_year"))
                times = self.needed if kind == "multiple" else (1 + self.needed) ** (last - first)
                self.needed = times * float(self.levels.get(first, math.nan))

    def known(self) -> Known | None:
        """Return what is known; None without any level."""
        if self.levels.empty:
            return None
        year, odds = int(self.levels.index[-1]), None
        if self.needed > 0 and (deadline := int(self.row["target_year"] or 0)) > year:
            goal = {"goal": f"{self.needed:.0f} {self.currency} mn", "deadline": deadline, "base_year": year}
            with suppress(UserError):  # such as a horizon beyond what is forecast
                odds = outlook.of(GoalCase.check(self.case | goal)).chances.get("average")
        return year, float(self.levels.iloc[-1]), odds

    def move(self, old: Known | None, new: Known) -> str:
        """Say what is now known that was not before."""
        (year, level, odds), (year_before, level_before, odds_before) = new, old or (None, None, None)
        said = f"{self.row['target_id']}: {year}: {level / 1000:,.1f} {self.currency} bn"
        if level_before and (year, level) != (year_before, level_before):
            said += f" (before {year_before}: {level_before / 1000:,.1f})"
        said += "" if odds is None else f", probability {100 * odds:.0f} %"
        if odds is not None and odds_before is not None:
            said += f" (before {100 * odds_before:.0f} %, {100 * (odds - odds_before):+.0f} points)"
        return said

    def decided(self) -> curation.Row | None:
        """Return the row with its outcome, once its year is over and known; without a deadline, once it is reached."""
        row, levels = self.row, self.levels
        if row["target_year"]:
            over = levels[(levels.index == int(row["target_year"])) & (levels.index < self.today.year)]
        else:
            over = levels[(levels >= self.needed) & (levels.index > int(row["announced"][:4] or 0))]
        if over.empty or not self.needed > 0:
            return None
        year, level = int(over.index[0]), float(over.iloc[0])
        outcome = {"outcome_value": f"{level / 1000:.4g}", "outcome_unit": f"{self.currency} bn"}
        if row["measure"] == "growth_pct_per_year":
            base = int(row["base_year"])
            rate = 100 * float(growth.cagr(float(levels[base]), level, year - base))
            outcome = {"outcome_value": f"{rate:.3g}", "outcome_unit": "pct per year"}
        rows = fetched.read(row["reporter"])
        same = (rows["partner"] == row["partner"]) & (rows["flow"] == row["flow"])
        url = rows.loc[same & (rows["period_end"].dt.year == year), "url"]
        outcome |= {"outcome_year": str(year), "met": "yes" if level >= self.needed else "no"}
        return row | outcome | {"source_outcome_url": url.iloc[-1] if len(url) else ""}
