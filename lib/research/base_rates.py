"""How often flows grow that fast: base rates by size, earlier growth and era, with whole years resampled.

A base rate is a share of past starting points. It is the forecast to beat: it knows the size of the flow and
nothing else about it.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lib.reference import HORIZON, HORIZONS, PROBABILITIES, SIZES, Array, size_class
from lib.research import panels
from lib.research.panels import BACI, OEC, Levels, Progress, Tables, bounds, first_columns, load, to_levels


class _Outcome(NamedTuple):
    """An event on a path of growth: its horizon, reading (end, every_year or below) and rate a year."""

    name: str
    horizon: int
    reading: str
    rate: float


OUTCOMES = (
    _Outcome("next_year_ge25", 1, "end", 0.25),
    _Outcome("next_year_ge50", 1, "end", 0.50),
    _Outcome("next_year_fall", 1, "below", 0.0),
    _Outcome("each_of_next_2_ge25", 2, "every_year", 0.25),
    _Outcome("each_of_next_3_ge25", 3, "every_year", 0.25),
    _Outcome("each_of_next_5_ge25", 5, "every_year", 0.25),
    _Outcome("3y_ge_1.25^3", 3, "end", 0.25),
    _Outcome("3y_below_start", 3, "below", 0.0),
    _Outcome("5y_ge_1.25^5", 5, "end", 0.25),
    _Outcome("5y_below_start", 5, "below", 0.0),
)


def _outcome_shares(
    levels: Levels,
    low_usd: float = 0.0,
    high_usd: float = np.inf,
    size_year: str = "t-1",
    years: tuple[int, int] | None = None,
    jump: float | None = None,
    absent_is_zero: bool = False,
) -> pd.DataFrame:
    """Share of starting points after which each of `OUTCOMES` happened.

    Starting points are years t, between `years`, of flows of a size from `low_usd` to below `high_usd` (in the year
    before, ``t-1``, or in ``t``) that grew by `jump` or more in t, where it is given. A flow that is absent later
    counts as no trade or is left out (`absent_is_zero`). By outcome: share, low, high (5 % and 95 % bounds), n
    (starting points with a known outcome), origins (all of them).
    """
    value, year = np.exp(levels.log), levels.years[1:]
    measured = value[:, :-1] if size_year == "t-1" else value[:, 1:]
    chosen = ~np.isnan(levels.growth) & (measured >= low_usd) & (measured < high_usd)
    if years is not None:
        chosen &= (year >= years[0]) & (year <= years[1])
    if jump is not None:
        chosen &= value[:, 1:] / value[:, :-1] >= 1 + jump
    place, flow = np.nonzero(chosen.T)
    # Levels from each start to `HORIZON` years later; nothing is known across a break.
    beyond = np.full((len(value), HORIZON), np.nan)
    later = np.hstack([np.nan_to_num(value) if absent_is_zero else value, beyond])
    paths = later[flow[:, None], place[:, None] + 1 + np.arange(HORIZON + 1)]
    broken = np.append(_broken(levels), np.zeros(HORIZON, dtype=bool))
    across = np.logical_or.accumulate(sliding_window_view(broken, HORIZON), axis=1)
    paths[:, 1:][across[place + 1]] = np.nan
    rows = [{"outcome": o.name, **_share(year[place], *_happened(paths, o))} for o in OUTCOMES]
    return pd.DataFrame(rows).assign(origins=len(place))


def _happened(paths: Array, outcome: _Outcome) -> tuple[Any, Any]:
    """Which paths had the outcome, and of which it is known."""
    h = outcome.horizon
    known = ~np.isnan(paths[:, 1 : h + 1]).any(axis=1)
    if outcome.reading != "every_year":
        known = ~np.isnan(paths[:, h])
    with np.errstate(divide="ignore", invalid="ignore"):
        if outcome.reading == "every_year":
            happened = (paths[:, 1 : h + 1] / paths[:, :h] >= 1 + outcome.rate).all(axis=1)
        else:
            ratio = paths[:, h] / paths[:, 0]
            happened = ratio < 1 if outcome.reading == "below" else ratio >= (1 + outcome.rate) ** h
    return happened, known


def _share(start: Any, happened: Any, known: Any) -> dict[str, float]:
    _, year = np.unique(start[known], return_inverse=True)
    if not len(year):
        return {"share": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    hits, n = np.bincount(year, happened[known]), np.bincount(year)
    low, high = bounds(hits, n, draws=400)
    return {"share": hits.sum() / n.sum(), "low": float(low), "high": float(high), "n": int(n.sum())}


def _two_way(panel: pd.DataFrame) -> pd.DataFrame:
    """Both directions of each pair added up: a panel of undirected totals."""
    a, b = panel["reporter"].astype(str), panel["partner"].astype(str)
    pairs = panel.assign(reporter=np.minimum(a, b), partner=np.maximum(a, b), flow="total")
    return pairs.groupby(["reporter", "partner", "flow", "year"], as_index=False)["value_usd"].sum()


MIN_STARTS = 200
"""Starting points that a size class needs for a distribution of its own."""


def growth_from(levels: Levels, starts: Any, horizon: int, absent_is_zero: bool) -> Array:
    """Log growth over `horizon` years from each start (column), shape (series, starts)."""
    ends = np.asarray(starts) + horizon
    log = levels.log[:, ends] - levels.log[:, ends - horizon]
    if absent_is_zero:
        gone = np.isnan(levels.log[:, ends]) & ~np.isnan(levels.log[:, ends - horizon])
        log[gone] = -np.inf
    broken = _broken(levels)
    across = [broken[end - horizon : end].any() for end in ends]
    log[:, across] = np.nan
    return log


def _broken(levels: Levels) -> NDArray[np.bool_]:
    """Steps from a year to the next without any growth: a break of the source, or a year that is absent."""
    return np.asarray(np.isnan(levels.growth).all(axis=0))


def _distributions(levels: Levels, origin: int, absent_is_zero: bool) -> pd.DataFrame:
    """Quantiles of log growth by horizon and size class, from what was known at the origin.

    Columns: horizon, size_class, n, vanished (share), one column for each of `PROBABILITIES` (log growth
    over the whole horizon; where the quantile is a vanished flow, the lowest growth observed).
    """
    rows = []
    for horizon in HORIZONS:
        # Starts whose end is known at the origin; a flow that vanished grew by −inf where absence means no trade.
        starts = range(int(np.searchsorted(levels.years, origin, side="right")) - horizon)
        if not starts:
            break
        every = growth_from(levels, starts, horizon, absent_is_zero)
        classes = size_class(np.exp(levels.log[:, : len(starts)]))
        for index in range(len(SIZES) - 1):
            growth = every[(classes == index) & ~np.isnan(every)]
            if len(growth) < MIN_STARTS:
                continue
            gone: NDArray[np.bool_] = np.asarray(np.isneginf(growth))
            lowest = np.where(gone, np.min(growth[~gone]), growth)
            quantiles = dict(zip(map(str, PROBABILITIES), np.quantile(lowest, PROBABILITIES), strict=True))
            row = {"horizon": horizon, "size_class": index, "n": len(growth), "vanished": gone.mean()}
            rows.append({**row, **quantiles})
    return pd.DataFrame(rows)


def known_growth(folder: Path, progress: Progress = iter) -> Tables:
    """Step: distributions of growth known at each origin of BACI, and at every fifth of OEC before it."""
    baci, oec = load(BACI, folder), load(OEC, folder)
    jobs = [(BACI, baci, origin) for origin in range(2002, 2021)]
    jobs += [(OEC, oec, origin) for origin in range(1970, 2001, 5)]
    tables = [
        _distributions(levels, origin, panel.absent_is_zero).assign(panel=panel.name, origin=origin)
        for panel, levels, origin in progress(jobs)
    ]
    table = pd.concat(tables)
    table = table[table["size_class"] > 0]  # below 1 mn USD growth is mostly reporting, and few set goals
    return {"growth_distributions.csv": first_columns(table, "panel", "origin")}


ERAS = {"BACI directed": [(2001, 2020)], "BACI two-way total": [(2001, 2020), (2001, 2008), (2010, 2020)]}


def outcomes(folder: Path, progress: Progress = iter) -> Tables:
    """Step: how often flows grew so fast, by size, era and growth in the year before."""
    directed = panels.read_panel(folder / BACI.file)
    flows = {"BACI directed": to_levels(directed), "BACI two-way total": to_levels(_two_way(directed))}
    sizes = [*pairwise(SIZES[2:]), (1e8, float("inf"))]
    jobs = [
        (name, *size, years, jump)
        for name, eras in ERAS.items()
        for size in sizes
        for years in eras
        for jump in (None, 0.5)
    ]
    tables = []
    for name, low, high, years, jump in progress(jobs):
        shares = _outcome_shares(flows[name], low, high, "t-1", years, jump, absent_is_zero=True)
        about = {"panel": name, "years": f"{years[0]}-{years[1]}", "size_from_usd": low, "size_to_usd": high}
        condition = "all" if jump is None else "grew >= 50 % in year t"
        tables.append(shares.assign(**about, condition=condition))
    order = ["panel", "years", "size_from_usd", "size_to_usd", "condition"]
    return {"base_rates.csv": first_columns(pd.concat(tables), *order)}
