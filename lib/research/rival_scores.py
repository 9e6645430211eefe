"""The competitors of `lib.research.rivals` in the backtest, beside this project's own forecasts of the same flows.

Their fits take about a tenth of a second a flow, so they are scored on a stratified sample: `PER_CLASS` flows
of each size class from 10 mn USD at each of `ORIGINS`, with ten or more consecutive years up to the origin;
and on all yearly series of M3 and Tourism with as many.
"""

import multiprocessing as mp
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib import law
from lib.outlook import SUREST
from lib.reference import Array
from lib.research import backtest, panels, trade_scores
from lib.research.backtest import GOALS, LAG, Fitted, Starts
from lib.research.panels import Levels, Progress, Tables
from lib.research.rivals import MODELS, forecast
from lib.research.trade_scores import CONTESTS, MAIN_CLASS, OLD_LAST, in_single_precision, known_shares, until

NAMES = tuple(name for name in MODELS if name != "drift")  # which is in every score table anyway

ORIGINS = range(2008, 2016)
PER_CLASS = 40
HORIZONS = (1, 2, 3, 4, 5)
MIN_LEVELS = 10


def competitors(folder: Path, progress: Progress = iter) -> Tables:
    """Step: Brier scores of the competitors beside our own on the same flows; goals are read on average.

    Columns: panel, origin, horizon, goal, model, n, rate, p (mean), brier, fallback (share of fits that gave way to
    the drift model; NaN for models without a fit).
    """
    jobs = list(_jobs(folder))
    fits = iter(_fit_all([_recent(series) for job in jobs for series in job.log], progress))
    parts = []
    for job in jobs:
        own = list(islice(fits, len(job.log)))
        for horizon, (batch, base) in job.batches.items():
            scores = _score(horizon, batch, base, own)
            parts.append(scores.assign(panel=job.panel, origin=batch.origin))
    return {"scores/competitors.parquet": in_single_precision(pd.concat(parts, ignore_index=True))}


class _Job(NamedTuple):
    """The flows of one origin: by horizon their own forecasts and base rates, and log levels up to the origin."""

    panel: str
    batches: dict[int, tuple[Fitted, dict[str, Array]]]
    log: Array


def _jobs(folder: Path) -> Iterable[_Job]:
    levels, old = panels.load(panels.BACI, folder), until(panels.load(panels.OEC, folder), OLD_LAST)
    counts = {h: backtest.count_starts(levels, "average", h, True) for h in HORIZONS}
    long = {h: backtest.count_starts(old, "average", h, False) for h in HORIZONS}
    for origin in ORIGINS:
        yield _job("BACI", levels, backtest.fit_all(levels, origin), counts, long)
    for name in CONTESTS:
        levels = trade_scores.load_contest(name)
        horizons = [h for h in HORIZONS if h <= levels.years[-1]]
        counts = {h: backtest.count_starts(levels, "average", h, False, sized=False) for h in horizons}
        yield _job(name, levels, backtest.fit_all(levels, 0, sized=False, lag=0), counts)


def _job(
    panel: str, levels: Levels, one: Fitted, counts: dict[int, Starts], long: dict[int, Starts] | None = None
) -> _Job:
    """What is forecast at an origin; of trade, for which an older panel has starts (`long`), a sample."""
    trade, now = long is not None, int(np.searchsorted(levels.years, one.origin))
    recent = levels.log[one.flows, max(now - MIN_LEVELS + 1, 0) : now + 1]
    usable = ~np.isnan(recent).any(axis=1) & ((one.classes >= MAIN_CLASS) | (one.classes < 0))
    rows = np.flatnonzero(usable)
    if trade:
        rows = backtest.sample(one.classes, rows, PER_CLASS, seed=20_131_215 + one.origin)
    batches = {}
    for horizon, counted in counts.items():
        outcome = backtest.realised(levels, [now], horizon, "average", trade)[one.flows, 0]
        base = known_shares(counted, long[horizon] if long else None, one.origin - LAG * trade, horizon)
        batches[horizon] = (backtest.take(one, rows, outcome), base)
    return _Job(panel, batches, levels.log[one.flows[rows], : now + 1])


def _recent(series: Array) -> Array:
    """Levels of consecutive years up to the origin, relative to the last: after the last gap, if any."""
    gaps = np.flatnonzero(np.isnan(series))
    return np.exp(series[gaps[-1] + 1 if len(gaps) else 0 :] - series[-1])


Fit = dict[str, tuple[Array, bool]]
"""By model the probability of each goal by horizon, shape (horizons, goals), and whether a fallback was used."""


def _fit_all(records: list[Array], progress: Callable) -> list[Fit]:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two processes with two threads each are slower
    with ProcessPoolExecutor(2, mp_context=mp.get_context("spawn")) as pool:
        return list(progress(pool.map(_fit_one, records, chunksize=8)))


def _fit_one(record: Array) -> Fit:
    """Every competitor, and their pool: the linear one (Stone 1961), whose probabilities are the members' mean."""
    found = {name: forecast(name, record, max(HORIZONS)) for name in NAMES}
    laws = {name: one.law for name, one in found.items()}
    laws["pool"] = law.pool(list(laws.values()), [1.0] * len(laws))
    fallback = {name: one.fallback is not None for name, one in found.items()}
    fallback["pool"] = any(fallback.values())
    levels = {h: (1 + np.array(GOALS)) ** h for h in HORIZONS}
    fits = {}
    for name, of in laws.items():
        reach = np.stack([1 - law.p_below(of, h, level) for h, level in levels.items()])
        fits[name] = (np.clip(reach, SUREST, 1 - SUREST), fallback[name])  # no record can show 0 or 1
    return fits


def _score(horizon: int, batch: Fitted, base: dict[str, Array], fits: list[Fit]) -> pd.DataFrame:
    known = ~np.isnan(batch.outcome)
    p: dict[str, tuple[Array, float]] = {
        name: (values, np.nan) for name, values in backtest.forecasts(batch, "average", horizon, base).items()
    }
    for name in (*NAMES, "pool"):
        values = np.stack([one[name][0][HORIZONS.index(horizon)] for one in fits], axis=1)
        p[name] = (values, float(np.mean([one[name][1] for one in fits])))
    rows = []
    for k, goal in enumerate(GOALS):
        hit = (batch.outcome >= np.log1p(goal))[known].astype(float)
        for name, (values, fallback) in p.items():
            given = values[k][known]
            brier = np.mean((given - hit) ** 2)
            rows.append((horizon, goal, name, len(hit), hit.mean(), given.mean(), brier, fallback))
    columns = ["horizon", "goal", "model", "n", "rate", "p", "brier", "fallback"]
    return pd.DataFrame(rows, columns=columns).dropna(subset="brier")
