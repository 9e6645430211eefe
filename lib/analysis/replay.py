"""How an answer moved: release by release in a running year, and figure by figure between two days.

A year's total has two forecasts: the year so far times what the rest of a year adds, and the yearly forecast from the
years before. `lib.outlook` combines them (Bates & Granger 1969); here each is also taken by itself.

Between two days the figures are stepped through in the order of arrival. After every one that changes a level on which
the answer rests, the goal is judged and forecast again, with what was known at that moment and nothing else; what the
step moved is put down to that figure. The contributions add up to the whole change. Of figures that became known on one
day the order is that of the file: who comes first there can matter for the split, never for the sum. Time itself is a
step of its own: a year that ends brings its exchange rate, and a verdict that stays open for too long becomes unknown.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib import evidence, outlook, series
from lib import figures as fig
from lib import law as laws
from lib.analysis.cases import CompareCase
from lib.cases import GoalCase
from lib.evidence import MONTHS
from lib.goals import PUBLICATION_LAG_YEARS, READINGS
from lib.law import FAN, Law
from lib.outlook import Answer
from lib.reference import Array
from lib.show import periods
from lib.words import fill, number


class RunningYear(NamedTuple):
    """A running year as a day knew it.

    Parameters
    ----------
    year, month : the running year, and its last month in the year so far (0: nothing of it is known).
    so_far_mn : the year so far, millions; NaN at month 0.
    stretches : everything known of months, all years (`lib.series.releases`).
    levels : by year, millions, up to the last full year (`last`).
    own : the flow's own ln(total / year so far), earlier years × months 1 to 11, NaN where unknown.
    """

    year: int
    month: int
    so_far_mn: float
    stretches: pd.DataFrame
    levels: pd.Series
    last: int
    own: pd.DataFrame


def look(case: GoalCase) -> RunningYear:
    """What the case's day knew of the latest year beyond the last level that has a year so far.

    Without any, the year after the last level. The case's goal is not looked at.
    """
    levels = case.series()["value_mn"].dropna()
    last, stretches = int(levels.index[-1]), case.releases()
    known = stretches, levels, last, series.own_ratios(stretches, levels)
    so_far = series.year_to_date(stretches[stretches["year"] > last])
    so_far = so_far[so_far.index.get_level_values("last_month") <= MONTHS[-1]]
    if so_far.empty:
        return RunningYear(last + 1, 0, np.nan, *known)
    year = int(so_far.index.get_level_values("year").max())
    return RunningYear(year, int(so_far[year].index[-1]), float(so_far[year].iloc[-1]), *known)


def total(case: GoalCase, running: RunningYear, without: tuple[str, ...] = ()) -> Answer:
    """The answer for a level that asks for nothing but the running year: its `law` is that of the total."""
    asked = {"base_year": running.last, "deadline": running.year, "goal": "0 %"}
    return outlook.of(case.model_copy(update=asked), without)


def forecasts(case: GoalCase, running: RunningYear) -> pd.DataFrame:
    """The forecasts of the running year's total (annual, year_so_far and combined): quantiles (`lib.law.FAN`), millions."""
    rows = {"annual": _quantiles(total(case, running, (evidence.YEAR_SO_FAR,)).law, running.year)}
    levels = case.series()["value_mn"].dropna()
    size = case.usd_mn(float(levels.iloc[-1]), running.last) * 1e6
    alone = evidence.year_so_far(case, levels, [running.year], size)
    if alone is not None:
        # Given a law of the log level that any observation overrules.
        nothing = Law((running.year,), np.ones(1), np.zeros((1, 1)), np.full((1, 1, 1), 1e8))
        rows["year_so_far"] = _quantiles(alone.given(nothing), running.year)
        rows["combined"] = _quantiles(total(case, running).law, running.year)
    found = pd.DataFrame.from_dict(rows, orient="index", columns=list(FAN))
    return found.rename_axis("forecast").reset_index()


def _quantiles(law: Law | None, year: int) -> Array:
    assert law is not None  # the running year has no level, so that no figure decides it
    return laws.quantiles(law, year)


def p_this_year(answer: Answer, running: RunningYear) -> pd.Series:
    """Probability that the running year ends on the goal's path (path), and that it grows at the goal's rate (rate).

    Both are NaN outside the goal's years, `rate` also where the year before is not known.
    """
    goal, before = answer.goal, answer.levels.get(running.year - 1)
    odds = pd.Series({"path": np.nan, "rate": np.nan})
    if answer.law is not None and running.year in answer.law.years:
        odds["path"] = 1 - laws.p_below(answer.law, running.year, goal.path()[running.year])
        if before is not None:
            odds["rate"] = 1 - laws.p_below(answer.law, running.year, before * (1 + goal.rate))
    return odds.clip(outlook.SUREST, 1 - outlook.SUREST)


def by_release(case: GoalCase) -> pd.DataFrame:
    """How the nowcast and the probabilities moved, release by release, since the base of the goal was known.

    Returns
    -------
    One row a day that moved the last full year or the year so far, with what had been published by it: day,
    year (the running one), month (0: nothing of it known yet), so_far_mn, last_mn, the quantiles of its total (millions),
    path and rate (`p_this_year`), and the readings (NaN where absent). Days on which the running year lies after the
    deadline are left out.
    """
    record, rows, before = case.vintage(), [], None
    inside = record[record["period_end"].dt.year.between(case.base_year, case.deadline)]
    for day in sorted(inside["known_from"].unique()):
        then = case.model_copy(update={"as_of": day.date()})
        base_is_known = case.base_year in then.series().index
        if not base_is_known or (running := look(then)).year > case.deadline:
            continue
        so_far = running.so_far_mn if running.month else 0.0
        state = (running.year, running.month, so_far, float(running.levels.iloc[-1]))
        if state != before:
            answer = outlook.of(then)
            odds = [*p_this_year(answer, running), *answer.chances.reindex(list(READINGS))]
            rows.append((day, *state, *_quantiles(answer.law, running.year), *odds))
        before = state
    head = ["day", "year", "month", "so_far_mn", "last_mn", *FAN, "path", "rate"]
    return pd.DataFrame(rows, columns=[*head, *READINGS])


DECIDED = {"met": 1.0, "missed": 0.0}  # what these count with, so that a decision is a change like any other
LEAST_SHOWN = 0.0005  # moves up to 0.05 points of a per cent are told together


class _PartialCase(GoalCase):
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

    `reporter` is `FlowCase.label_beside`, the order that of `known_from`, then of the file.
    """
    last = case.on(case.until)
    family = [last, *outlook.lineage(last)]
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
        before, old, name = levels, state, row.get("reporter", "")
        for label in [name] if row else [one.label_beside(now) for one in [now, *outlook.lineage(now)]]:
            reporter, _, partner = label.partition("–")
            member = now.model_copy(update={"reporter": reporter, "partner": partner or now.partner})
            levels = levels | {label: member.series()["value_mn"]}
        # All that verdicts and probability rest on; where it is the same, so are they.
        so_far = series.year_to_date(series.releases(now.vintage(), now.currency))
        known = [tuple(one.items()) for one in (*levels.values(), so_far)]
        if (rests_on := (now.as_of.year, now.as_of_time < _overdue(now), *known)) != basis:
            basis, answer = rests_on, outlook.of(now)
            said = {verdict.reading: verdict.outcome for verdict in answer.verdicts}
            odds = {name: DECIDED.get(said[name], answer.chances.get(name, np.nan)) for name in READINGS}
            state = {f"p_{name}": p for name, p in odds.items()} | {f"verdict_{r}": said[r] for r in READINGS}
        words = _changes(before[name].to_dict(), levels[name].to_dict()) if row else ""
        # As text, in which a probability that is not known equals itself.
        if old and not words and str(state) == str(old):
            continue
        if row and not words:  # months of a year that is not known whole
            period = periods(pd.DataFrame([row]))[0]
            words = fill("{period}: {value:number}", period=period, value=row["value_mn"])
        about = {"day": now.as_of, "kind": "figure" if row else "time" if old else "start"}
        about |= {"figure_id": row.get("figure_id", ""), "reporter": name, "levels": words}
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


def _moments(case: CompareCase) -> Iterator[tuple[_PartialCase, dict[Any, Any]]]:
    """The case at every moment that can matter, with the figure of a full year that has just arrived.

    First the first day; then each day on which time itself can change something, before its figures.
    """
    now = _PartialCase(**case.on(case.as_of).model_dump())
    yield now, {}
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
            yield now, {}
        for row in rows.to_dict("records"):
            waiting.remove(row["figure_id"])
            now = now.model_copy(update={"held_back": frozenset(waiting)})
            yield now, row


def _overdue(case: GoalCase) -> pd.Timestamp:
    """The day from which a reading without its last figure is unknown, no longer open (`lib.goals.judge`)."""
    return pd.Timestamp(case.deadline + PUBLICATION_LAG_YEARS, 12, 31)


def contributions(found: pd.DataFrame) -> pd.DataFrame:
    """What each step moved of the probability of each reading (columns), a fraction; the start is left out.

    Where a step has no probability the last one stands, so the column adds up to the change from the first
    probability to the last; it is NaN throughout where none was ever known.
    """
    odds = found[[f"p_{name}" for name in READINGS]].set_axis(list(READINGS), axis="columns")
    return odds.ffill().diff().iloc[1:]


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
