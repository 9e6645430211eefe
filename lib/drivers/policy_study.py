"""Synthetic controls of China–Russia trade for the events that the country panel can see, kept in data/reference.

Three pools of donors, because each leaves something else out: the exporter's sales to others share its supply
and the prices it gets, the importer's purchases from others share its demand, pairs of neither share only the
world. A conclusion that holds for one pool alone is none.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib import panels
from lib.drivers.synthetic import Placebo, placebo_test
from lib.errors import UserError
from lib.panels import BACI, Levels

POOLS = {
    "same exporter": "the exporter's sales to others",
    "same importer": "the importer's purchases from others",
    "other pairs": "pairs of neither, of like size",
}
MOST_DONORS = 39
"""With the flow itself 40: a p-value of 5 % is two flows, so that the nominal size can be met exactly."""
LEAST_USD = 1e8
EARLIER = 3
"""Years by which the pretended event of the placebo in time comes before the real one."""
LEAST_BEFORE = 2
"""Years before the pretended event that a control is fitted to at least."""
SHOWN_WEIGHT = 0.01


@dataclass(frozen=True)
class Event:
    """An event that falls between the first and the last year of the panel.

    Parameters
    ----------
    name : key in the kept tables.
    exporter, importer : ISO codes of the flow.
    year : first full year after it; after : years that count as after it (until the next event).
    """

    name: str
    exporter: str
    importer: str
    year: int
    after: int


EVENTS = (
    Event("pipeline 2011", "RUS", "CHN", 2011, 3),
    Event("rouble 2015", "RUS", "CHN", 2015, 3),
    Event("rouble 2015", "CHN", "RUS", 2015, 3),
    Event("pipeline 2018", "RUS", "CHN", 2018, 2),
    Event("closures 2020", "RUS", "CHN", 2020, 1),
    Event("closures 2020", "CHN", "RUS", 2020, 1),
)


def study(
    folder: str | Path, progress: Callable[[Iterable], Iterable] = iter, events: Sequence[Event] = EVENTS
) -> dict[str, pd.DataFrame]:
    """All events with all pools, from the panel in a folder.

    Parameters
    ----------
    folder : where the panel of country pairs is.
    progress : wraps the events, for a progress bar.
    events : the kept ones by default; any between the first and the last year of the panel.

    Returns
    -------
    Tables by file name. ``policy_tests.csv``: one row an event, flow and pool: year, before and after (years),
    donors, fit (root mean square gap before, log), effect (mean gap after, log), placebo_low and placebo_high
    (5 and 95 % of the donors' mean gaps after), p, earlier_effect and earlier_p (the same test of an event
    pretended `EARLIER` years before, on years before the real one). ``policy_gaps.csv``: the gap by year with
    the donors' 5 and 95 %. ``policy_weights.csv``: the donors of 1 % weight and more.
    """
    levels = panels.load(BACI, folder)
    tests, gaps, weights = [], [], []
    for event in progress(events):
        _check(levels, event)
        for pool in POOLS:
            flow, donors = find_donors(levels, event, pool)
            found = _test(levels, flow, donors, event.year, event.after)
            key = {"event": event.name, "exporter": event.exporter, "importer": event.importer, "pool": pool}
            tests.append({**key, **_summary(levels, flow, donors, event, found)})
            gaps.append(_gaps(levels, found).assign(**key))
            weights.append(_weights(levels, donors, found).assign(**key))
    order = ["event", "exporter", "importer", "pool"]
    tables = (pd.DataFrame(tests), _first(pd.concat(gaps), order), _first(pd.concat(weights), order))
    return dict(zip(("policy_tests.csv", "policy_gaps.csv", "policy_weights.csv"), tables, strict=True))


def _check(levels: Levels, event: Event) -> None:
    """Refuse an event that the panel cannot see, or whose flow it does not have in full."""
    first, last = int(levels.years[0]) + EARLIER + LEAST_BEFORE, int(levels.years[-1]) - event.after + 1
    if not first <= event.year <= last:
        raise UserError(f"{event.name}: found the year {event.year}, expected {first} to {last}")
    keys = levels.keys
    rows = (keys["reporter"] == event.exporter) & (keys["partner"] == event.importer)
    if not rows.any() or np.isnan(levels.log[rows]).any():
        raise UserError(
            f"{event.name}: found no complete flow from {event.exporter} to {event.importer} in the panel, expected one"
        )


def find_donors(levels: Levels, event: Event, pool: str) -> tuple[int, NDArray[np.intp]]:
    """Row of the event's flow and rows of its donors: complete series, the largest or most alike in size.

    Only years before the event decide which flows are donors.
    """
    keys = levels.keys
    exporter, importer = keys["reporter"].to_numpy(), keys["partner"].to_numpy()
    flow = int(np.flatnonzero((exporter == event.exporter) & (importer == event.importer))[0])
    before = levels.years < event.year
    size = levels.log[:, before].mean(axis=1)  # NaN where a year is missing
    usable = ~np.isnan(levels.log).any(axis=1) & (size >= np.log(LEAST_USD))
    pair = {event.exporter, event.importer}
    outside = ~np.isin(exporter, list(pair)) & ~np.isin(importer, list(pair))
    in_pool = {
        "same exporter": (exporter == event.exporter) & (importer != event.importer),
        "same importer": (importer == event.importer) & (exporter != event.exporter),
        "other pairs": outside,
    }[pool]
    rows = np.flatnonzero(usable & in_pool)
    distance = np.abs(size[rows] - size[flow]) if pool == "other pairs" else -size[rows]
    return flow, rows[np.argsort(distance, kind="stable")[:MOST_DONORS]]


def _test(levels: Levels, flow: int, donors: NDArray[np.intp], year: int, after: int) -> Placebo:
    before = int((levels.years < year).sum())
    end = before + after
    return placebo_test(levels.log[flow, :end], levels.log[donors, :end], before)


def _summary(
    levels: Levels, flow: int, donors: NDArray[np.intp], event: Event, found: Placebo
) -> dict[str, float | int]:
    before = int((levels.years < event.year).sum())
    earlier = _test(levels, flow, donors, event.year - EARLIER, EARLIER)
    others = found.placebo_gaps[:, before:].mean(axis=1)
    low, high = np.quantile(others, [0.05, 0.95])
    return {
        "year": event.year,
        "before": before,
        "after": event.after,
        "donors": len(donors),
        "fit": float(np.sqrt(np.mean(found.gaps[:before] ** 2))),
        "effect": found.effect,
        "placebo_low": float(low),
        "placebo_high": float(high),
        "p": found.p,
        "earlier_effect": earlier.effect,
        "earlier_p": earlier.p,
    }


def _gaps(levels: Levels, found: Placebo) -> pd.DataFrame:
    low, high = np.quantile(found.placebo_gaps, [0.05, 0.95], axis=0)
    years = levels.years[: len(found.gaps)]
    return pd.DataFrame({"year": years, "gap": found.gaps, "placebo_low": low, "placebo_high": high})


def _weights(levels: Levels, donors: NDArray[np.intp], found: Placebo) -> pd.DataFrame:
    names = levels.keys.loc[donors, ["reporter", "partner"]].agg("–".join, axis=1)
    table = pd.DataFrame({"donor": names.to_numpy(), "weight": found.weights})
    return table[table["weight"] >= SHOWN_WEIGHT].sort_values("weight", ascending=False, kind="stable")


def _first(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return table[[*names, *(name for name in table if name not in names)]]
