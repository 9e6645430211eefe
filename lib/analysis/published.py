"""What the record holds for a flow and the larger ones: coverage, conflicts, mirrors and revisions."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from lib import fetched
from lib import figures as fig
from lib.analysis.plausibility import Row, base_of, mirrored, prepare, with_growth
from lib.cases import FlowCase
from lib.economies import pair_name


def coverage(names: pd.Series, record: pd.DataFrame) -> pd.DataFrame:
    """Number of figures by year (columns, without holes) and by what each is named (rows, in the order of `names`)."""
    counts = pd.crosstab(names, record["period_end"].dt.year).rename_axis(index=None, columns=None)
    years = range(counts.columns.min(), counts.columns.max() + 1)
    return counts.reindex(index=names.unique(), columns=years, fill_value=0)


def around(family: Iterable[FlowCase]) -> pd.DataFrame:
    """Everything that the day knew of the flows' pairs: all flows, and what the partner reports of the same trade.

    Rows are as `lib.figures.load_figures` gives them, with `pair` ("China–Russia") and `ours` (whether the reporter is one
    of the family, not the partner).
    """
    members = list(family)
    ours = {(one.reporter, one.partner): True for one in members}
    mirrored = {(partner, reporter): False for reporter, partner in ours if (partner, reporter) not in ours}
    curated, frames = fig.load_figures(), []
    for (reporter, partner), own in (ours | mirrored).items():
        rows = fetched.beside(curated, reporter)
        rows = rows[(rows["reporter"] == reporter) & (rows["partner"] == partner)]
        frames.append(rows.assign(pair=pair_name(reporter, partner), ours=own))
    return fig.as_of(pd.concat(frames, ignore_index=True), members[0].as_of_time).reset_index(drop=True)


def _prepared(known: pd.DataFrame, which: pd.Series) -> list[Row]:
    return prepare(known[which.astype("bool")], fig.covariate("cny_per_usd"))


def _table(rows: list[tuple[Any, ...]], words: list[str], numbers: list[str]) -> pd.DataFrame:
    """Rows of words, of the first and last day of a period and of numbers, typed also where there are none."""
    found = pd.DataFrame(rows, columns=[*words, "period_start", "period_end", *numbers])
    days = dict.fromkeys(("period_start", "period_end"), "datetime64[us]")
    return found.astype(days | dict.fromkeys(numbers, "float64"))


def conflicts(known: pd.DataFrame, flow: str) -> pd.DataFrame:
    """Periods of which several texts print levels in one currency that differ by more than their rounding.

    `low`, `high` and the number of `prints` are those of a period, `spread` is high against low, a fraction, the widest first.
    """
    by_period = defaultdict(list)
    for row in _prepared(known, known["ours"] & (known["flow"] == flow) & known["value"].notna()):
        by_period[row.pair, f"{row.currency} mn", row.period_start, row.period_end].append(row)
    found = []
    for (pair, unit, *period), rows in by_period.items():
        levels, ids = [row.value_mn for row in rows], ", ".join(sorted(row.figure_id for row in rows))
        spread = _beyond(max(levels), min(levels))
        rounding = sum(sorted(row.half for row in rows if row.value)[-2:])
        if spread > rounding + 1e-9:
            found.append((pair, unit, len(rows), ids, *period, min(levels), max(levels), spread))
    table = _table(found, ["pair", "unit", "prints", "figure_ids"], ["low", "high", "spread"])
    return table.sort_values("spread", ascending=False, ignore_index=True)


def _beyond(level: float, other: float) -> float:
    """How far one level is above another, a fraction; something is endlessly far above nothing."""
    return level / other - 1 if other else math.inf if level else 0.0


def mirrors(known: pd.DataFrame) -> pd.DataFrame:
    """Levels that both sides report for the same goods and period, each the median of its usable prints.

    Returns
    -------
    Frame with pair, flow (of ours), period_start, period_end, ours_mn and theirs_mn (US dollars, converted at annual
    averages where need be) and gap (theirs against ours, fraction).
    """
    logs = [
        (row.pair, row.flow, row.period_start, row.period_end, row.log, one.log)
        for row, others in mirrored(_prepared(known, known["level_usable"]))
        for one in others
        if row.ours
    ]
    pairs = _table(logs, ["pair", "flow"], ["ours_mn", "theirs_mn"])
    found = np.exp(pairs.groupby(list(pairs.columns[:4])).median()).reset_index()
    return found.assign(gap=found["theirs_mn"] / found["ours_mn"] - 1)


def revisions(known: pd.DataFrame) -> pd.DataFrame:
    """What a release makes of an earlier one: by its growth, of the level a year before; or by printing it anew.

    Only usable levels and growth of one currency are compared; of several earlier prints the one nearest to what is
    implied counts. What is printed anew is compared with the last print of the same publisher.

    Returns
    -------
    Frame with figure_id, pair, flow, period_start, period_end, released (its year, or "undated"), before (figure_id of the
    earlier level), implied and printed (millions), revision and rounding (what the printed digits leave open; fractions).
    """
    rows = _prepared(known, known["ours"] & known["level_usable"])
    found = []
    for row, before, implied, growing in [*_implied_again(rows), *_printed_again(rows)]:
        released = str(row.known_from.year) if row.published or pd.notna(row.known_by) else "undated"
        of = row.figure_id, row.pair, row.flow, released, before.figure_id, row.period_start, row.period_end
        rounding = row.half + before.half + growing
        found.append((*of, implied, before.value_mn, _beyond(implied, before.value_mn), rounding))
    words = ["figure_id", "pair", "flow", "released", "before"]
    return _table(found, words, ["implied", "printed", "revision", "rounding"])


Revised = tuple[Row, Row, float, float]
"""A figure, the earlier one, what it makes of its level, and what the digits of a growth rate leave open."""


def _implied_again(rows: list[Row]) -> Iterator[Revised]:
    """Levels implied by later growth, beside the nearest print of a year earlier."""
    for row, levels in with_growth(rows):
        if row.growth_usable:
            implied = base_of(row)
            nearest = min((one.level for one in levels), key=lambda one: abs(implied / one.value_mn - 1))
            yield row, nearest, implied, row.half_yoy / (100 + row.yoy_pct)


def _printed_again(rows: list[Row]) -> Iterator[Revised]:
    """Levels that a publisher printed again on a later day, beside its last print before."""
    prints = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.known_from):
        prints[row.of, row.period, row.currency, row.publisher].append(row)
    earlier = {later.figure_id: one for of in prints.values() for one, later in pairwise(of)}
    for row in rows:
        before = earlier.get(row.figure_id)
        if before and row.known_from > before.known_from:
            yield row, before, row.value_mn, 0.0
