"""How often a synthetic control finds an effect where nothing happened, also when the flow had just boomed.

Goals and policies are announced when trade goes well. Illenberger, Small & Shaw (2020) report that the placebo test
then rejects far more often than it promises, since extremes revert. Here that is measured on trade between countries,
where the reason is another: flows that boom are the restless ones, so that they stray from their calmer donors
afterwards in either direction.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib import panels
from lib.drivers.synthetic import Array, placebo_test
from lib.panels import BACI, Levels

BEFORE = (4, 6, 10)
AFTER = 3
CLASSES = (2, 3, 4, 5)
"""Size classes of `lib.panels`: 10–100 mn, 100–500 mn, 0.5–2 bn, 2–10 bn US dollars a year."""
DONORS = 39
"""With the flow itself 40: a p-value of 5 % is two flows, so that the nominal size can be met exactly."""
PER_YEAR = 12
BOOM_YEARS = 2
BOOM_SHARE = 0.1
"""A boom: growth over the last two years before the event among the top tenth of the size class."""
LEVEL = 0.05
DRAWS = 1000


def study(folder: str | Path, progress: Callable[[Iterable], Iterable] = iter) -> dict[str, pd.DataFrame]:
    """Placebo rates by size class, years before the event and choice of the flow, from the panel in a folder.

    Returns
    -------
    ``placebo_rates.csv``: size_class, before (years), chosen ("any" or "boom"), n (tests), rejected (share at the
    5 % level), rejected_low, rejected_high (5 and 95 %, whole event years resampled), rejected_up (share rejected
    with a positive gap), mean_gap (log, mean of the years after), gap_low, gap_high (5 and 95 % of these).
    """
    levels = panels.load(BACI, folder)
    jobs = [
        (size, before, year)
        for before in BEFORE
        for size in CLASSES
        for year in range(int(levels.years[0]) + before, int(levels.years[-1]) - AFTER + 2)
    ]
    found = pd.concat([one_year(levels, *job) for job in progress(jobs)], ignore_index=True)
    keys = ["size_class", "before", "chosen"]
    rows = [{**dict(zip(keys, key, strict=True)), **_rates(part)} for key, part in found.groupby(keys)]
    return {"placebo_rates.csv": pd.DataFrame(rows)}


def one_year(levels: Levels, size: int, before: int, year: int) -> pd.DataFrame:
    """Placebo tests of one pretended event: flows chosen at random, and flows chosen because they boomed.

    Parameters
    ----------
    levels : the panel.
    size, before, year : size class, years before the event, first year after it.

    Returns
    -------
    Frame: size_class, before, year, chosen, p, gap (mean of the years after, log).
    """
    place = int(np.searchsorted(levels.years, year))
    window = levels.log[:, place - before : place + AFTER]
    classes = panels.size_class(np.exp(window[:, before - 1]))
    rows = np.flatnonzero(~np.isnan(window).any(axis=1) & (classes == size))
    rng = np.random.default_rng((size, before, year))
    growth = window[rows, before - 1] - window[rows, before - 1 - BOOM_YEARS]
    booms = rows[growth >= np.quantile(growth, 1 - BOOM_SHARE)]
    parts = []
    for chosen, among in (("any", rows), ("boom", booms)):
        treated = rng.choice(among, min(PER_YEAR, len(among)), replace=False)
        tests = [_one(window, int(flow), rows, before, rng) for flow in treated]
        table = pd.DataFrame(tests, columns=["p", "gap"])
        parts.append(table.assign(size_class=size, before=before, year=year, chosen=chosen))
    return pd.concat(parts)


def _one(
    window: Array, flow: int, rows: NDArray[np.intp], before: int, rng: np.random.Generator
) -> tuple[float, float]:
    donors = rng.choice(rows[rows != flow], DONORS, replace=False)
    found = placebo_test(window[flow], window[donors], before)
    return found.p, found.effect


def _rates(tests: pd.DataFrame) -> dict[str, float]:
    """Share rejected with an interval from whole event years, and the distribution of the gap."""
    hit = tests["p"] <= LEVEL + 1e-9
    by_year = tests.assign(hit=hit).groupby("year")["hit"].agg(["sum", "count"])
    drawn = np.random.default_rng(0).integers(0, len(by_year), (DRAWS, len(by_year)))
    sums, counts = by_year["sum"].to_numpy()[drawn].sum(1), by_year["count"].to_numpy()[drawn].sum(1)
    low, high = np.quantile(sums / counts, [0.05, 0.95])
    gap_low, gap_high = np.quantile(tests["gap"], [0.05, 0.95])
    return {
        "n": len(tests),
        "rejected": float(by_year["sum"].sum() / by_year["count"].sum()),
        "rejected_low": float(low),
        "rejected_high": float(high),
        "rejected_up": float((hit & (tests["gap"] > 0)).mean()),
        "mean_gap": float(tests["gap"].mean()),
        "gap_low": float(gap_low),
        "gap_high": float(gap_high),
    }
