"""What changed between two days: which figures arrived, and what each moved.

The days are stepped through in the order of arrival. After every figure that changes a level on which the
answer rests, the goal is judged and forecast again, with what was known at that moment and nothing else; what
the step moved is put down to that figure. The steps lead from the first day to the last, so their contributions
add up to the whole change. Of figures that became known on one day the order is that of the file: who comes
first there can matter for the split, never for the sum.

Time itself is a step of its own: a year that ends brings its exchange rate, and a verdict that stays open for
too long becomes unknown.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib import figures as fig
from lib.analysis.cases import CompareCase
from lib.cases import GoalCase
from lib.goals import PUBLICATION_LAG_YEARS, READINGS
from lib.outlook import lineage, of
from lib.series import releases, year_to_date
from lib.show import periods
from lib.words import fill, number

DECIDED = {"met": 1.0, "missed": 0.0}
"""Probability that a decided reading counts with, so that its decision is a change like any other."""


LEAST_SHOWN = 0.0005
"""Moves up to 0.05 points of a per cent are told together."""


class PartialCase(GoalCase):
    """A case on a day on which some figures have not arrived yet."""

    held_back: frozenset[str] = frozenset()

    def vintage(self) -> pd.DataFrame:
        """The figures of the flow known on `as_of`, without those held back; it may be empty."""
        known = fig.as_of(self.record(), self.as_of_time)
        return known[~known["figure_id"].isin(self.held_back)]

    def series(self, record: pd.DataFrame | None = None) -> pd.DataFrame:
        """One level a year from the figures that have arrived; what is kept for whole days does not serve."""
        return super().series(self.vintage() if record is None else record)


def arrivals(case: CompareCase) -> pd.DataFrame:
    """Figures of the flow and of the larger flows that became known after the first day, up to the last.

    Returns
    -------
    Rows as `lib.figures.load_figures` gives them, `reporter` as `FlowCase.label_beside`, in order of `known_from`,
    then of the file.
    """
    last = case.last()
    family = [last, *lineage(last)]
    record = pd.concat([member.record().assign(reporter=member.label_beside(last)) for member in family])
    late = (record["known_from"] > case.as_of_time) & (record["known_from"] <= pd.Timestamp(case.until))
    return record[late].sort_values(["known_from", "line"], kind="stable", ignore_index=True)


def steps(case: CompareCase) -> pd.DataFrame:
    """The state of the goal on the first day, and after each figure that changed a level or what followed.

    Returns
    -------
    One row a step: day, kind ("start", "figure" or "time"), figure_id and reporter (of the figure), levels (the
    changed levels in words), and by reading `p_…` (probability; 1 when met, 0 when missed, NaN where there is
    none) and `verdict_…`.
    """
    rows: list[dict[str, Any]] = []
    levels: dict[str, pd.Series] = {}
    basis: tuple[Any, ...] | None = None
    state: dict[str, Any] = {}
    for now, row in _moments(case):
        before, old, name = levels, state, row["reporter"] if row else ""
        names = [name] if row else [now.reporter, *(larger.label_beside(now) for larger in lineage(now))]
        levels = levels | {label: _levels(now, label) for label in names}
        # All that verdicts and probability rest on; where it is the same, so are they.
        so_far = year_to_date(releases(now.vintage(), now.currency))
        known = [tuple(series.items()) for series in (*levels.values(), so_far)]
        if (rests_on := (now.as_of.year, now.as_of_time < _overdue(now), *known)) != basis:
            basis, state = rests_on, _state(now)
        words = _changes(before[name].to_dict(), levels[name].to_dict()) if row else ""
        # As text, in which a probability that is not known equals itself.
        if old and not words and str(state) == str(old):
            continue
        if row and not words:  # months of a year that is not known whole
            words = fill(
                "{period}: {value:number}", period=periods(pd.DataFrame([row]))[0], value=row["value_mn"]
            )
        about = {"day": now.as_of, "kind": "figure" if row else "time" if old else "start"}
        about |= {"figure_id": row["figure_id"] if row else "", "reporter": name, "levels": words}
        rows.append(about | state)
    return pd.DataFrame(rows)


def _changes(old: dict[int, float], new: dict[int, float]) -> str:
    """The levels that differ, in words: "2012: 153.3 → 150; 2013: 230"."""
    words = []
    for year in sorted(old.keys() | new.keys()):
        if old.get(year) != new.get(year):
            ends = [number(levels[year]) if year in levels else "none" for levels in (old, new)]
            words.append(f"{year}: {' → '.join(ends).removeprefix('none → ')}")
    return "; ".join(words)


def _moments(case: CompareCase) -> Iterator[tuple[PartialCase, dict[str, Any] | None]]:
    """The case at every moment that can matter, with the figure of a full year that has just arrived.

    First the first day; then each day on which time itself can change something, before its figures.
    """
    now = PartialCase(**case.first().model_dump())
    yield now, None
    new = arrivals(case)  # of other flows than the case's own, their months are no evidence
    inside = new["period_end"].dt.year.between(case.base_year, case.deadline)
    new = new[((new["reporter"] == case.reporter) & inside) | new.index.isin(fig.annual(new).index)]
    # Days on which a year's exchange rate is known, or the deadline's figure is overdue.
    years = [pd.Timestamp(year, 1, 1) for year in range(case.as_of.year, case.until.year + 1)]
    clock = [day for day in (*years, _overdue(case)) if case.as_of_time < day <= pd.Timestamp(case.until)]
    for day in sorted({*new["known_from"], *clock}):
        rows = new[new["known_from"] == day]
        waiting = list(rows["figure_id"])
        now = now.model_copy(update={"as_of": day.date(), "held_back": frozenset(waiting)})
        if day in clock:
            yield now, None
        for row in rows.to_dict("records"):
            waiting.remove(row["figure_id"])
            now = now.model_copy(update={"held_back": frozenset(waiting)})
            yield now, row


def _overdue(case: GoalCase) -> pd.Timestamp:
    """The day from which a reading without its last figure is unknown, no longer open (`lib.goals.judge`)."""
    return pd.Timestamp(case.deadline + PUBLICATION_LAG_YEARS, 12, 31)


def _state(case: PartialCase) -> dict[str, Any]:
    """Probability and verdict of each reading, from what the case knows."""
    answer = of(case)
    said = {verdict.reading: verdict.outcome for verdict in answer.verdicts}
    state = {f"p_{name}": DECIDED.get(said[name], answer.chances.get(name, np.nan)) for name in READINGS}
    return state | {f"verdict_{name}": said[name] for name in READINGS}


def _levels(case: PartialCase, label: str) -> pd.Series:
    """Level by year of one flow of the family (`FlowCase.label_beside`), as the case knows it; millions."""
    reporter, _, partner = label.partition("–")
    member = case.model_copy(update={"reporter": reporter, "partner": partner or case.partner})
    return member.series()["value_mn"]


def contributions(found: pd.DataFrame) -> pd.DataFrame:
    """What each step moved of the probability of each reading, a fraction.

    Where a step has no probability the last one stands, so the column adds up to the change from the first
    probability to the last; it is NaN throughout where none was ever known.

    Returns
    -------
    Frame with a column a reading, indexed like the steps without their start.
    """
    odds = found[[f"p_{name}" for name in READINGS]].set_axis(list(READINGS), axis="columns")
    return odds.ffill().diff().iloc[1:]


def verdict_changes(found: pd.DataFrame) -> pd.DataFrame:
    """Every change of a verdict: reading, day, figure_id (blank: time alone), before, after."""
    changes = [
        found[["day", "figure_id"]]
        .assign(reading=name, before=said.shift(), after=said)[said != said.shift()]
        .iloc[1:]
        for name, said in ((name, found[f"verdict_{name}"]) for name in READINGS)
    ]
    return pd.concat(changes, ignore_index=True)[["reading", "day", "figure_id", "before", "after"]]


def attribution(
    found: pd.DataFrame, readings: Sequence[str] = READINGS, least: float = LEAST_SHOWN
) -> pd.DataFrame:
    """What each step moved of some readings; steps that moved all of them by little in one row, the sum in the last.

    Returns
    -------
    Frame with day, what (figure_id, or words), levels, and a column a reading (fraction; NaN for no move).
    """
    moved = contributions(found)[list(readings)]
    size = moved.abs().max(axis=1)
    large, few = found.loc[size.index[size > least]], moved[(size > 0) & (size <= least)]
    rows = [large[["day", "levels"]].assign(what=large["figure_id"].replace("", "time alone")).join(moved)]
    rows += [few.sum().to_frame().T.assign(what=f"{len(few)} with smaller moves")] * (len(few) > 0)
    rows += [moved.sum(min_count=1).to_frame().T.assign(what="all together")]
    table = pd.concat([row for row in rows if len(row)], ignore_index=True)
    return table.reindex(columns=["day", "what", "levels", *readings]).replace(0.0, np.nan)


def bars(case: CompareCase, found: pd.DataFrame, least: float = 0.005) -> pd.DataFrame:
    """The way of the probability of the stated reading: start, moves of more than `least`, the others, end.

    Returns
    -------
    Frame with label, low and high (fractions, ends of the bar) and moved (NaN for start and end).
    """
    steps = attribution(found, [case.reading], least).iloc[:-1]
    moved, odds, said = steps[case.reading], found[f"p_{case.reading}"], found[f"verdict_{case.reading}"]
    after = odds.iloc[0] + moved.cumsum()
    labels = [
        what.replace("with smaller moves", "smaller") + ("" if pd.isna(day) else f"\n{day:%-d %b %Y}")
        for what, day in zip(steps["what"], steps["day"], strict=True)
    ]
    ends = [f"{case.as_of:%-d %b %Y}\n{said.iloc[0]}", f"{case.until:%-d %b %Y}\n{said.iloc[-1]}"]
    shown = {"label": [ends[0], *labels, ends[1]], "low": [0.0, *np.minimum(after, after - moved), 0.0]}
    shown |= {
        "high": [odds.iloc[0], *np.maximum(after, after - moved), odds.iloc[-1]],
        "moved": [np.nan, *moved, np.nan],
    }
    return pd.DataFrame(shown).astype({"low": float, "high": float, "moved": float})
