"""The competitors of `lib.research.rivals` in the backtest, beside this project's own forecasts of the same flows.

Their fits take about a tenth of a second a flow, so they are scored on a stratified sample: `PER_CLASS` flows
of each size class from 10 mn USD at each of `ORIGINS`, with ten or more consecutive years up to the origin;
and on all yearly series of M3 and Tourism with as many.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib import reference
from lib.reference import Array
from lib.research import backtest, panels
from lib.research.backtest import GOALS, Batch, Fitted
from lib.research.panels import Levels, Progress, Tables
from lib.research.paths import combine, p_every_year, p_mean_rate, p_reach
from lib.research.rivals import MODELS, forecast_quantiles
from lib.research.trade_scores import (
    CONTESTS,
    MAIN_CLASS,
    OLD_LAST,
    TEACHING,
    in_single_precision,
    load_contest,
    until,
)

NAMES = tuple(name for name in MODELS if name not in ("log_walk", "drift"))
"""The two others are closed forms and in every score table anyway."""

ORIGINS = range(2008, 2016)

PER_CLASS = 40

HORIZONS = (1, 2, 3, 4, 5)

MIN_LEVELS = 10

SEED = 20_131_215

_EVERY = 3  # horizon at which the readings that need simulated paths are scored


class Case(NamedTuple):
    """One reading and horizon: what is asked of every competitor."""

    reading: str
    horizon: int


CASES = (*(Case("average", h) for h in HORIZONS), Case("every_year", _EVERY), Case("mean_of_rates", _EVERY))


def score_competitors(folder: str | Path, workers: int = 2, progress: Progress = iter) -> pd.DataFrame:
    """Brier scores of all models on the same flows.

    Returns
    -------
    DataFrame: panel, origin, reading, horizon, goal, model, n, rate, p (mean), brier, fallback (share of
    fits that gave way to the drift model; NaN for models without a fit).
    """
    jobs = [*_trade_jobs(folder), *_contest_jobs()]
    records = [record for _, _, rows, levels in jobs for record in _records(levels, rows)]
    fits = _fit_all(records, workers, progress)
    parts, done = [], 0
    for panel, batches, rows, _ in jobs:
        own = fits[done : done + len(rows)]
        done += len(rows)
        for case, (batch, shape, base) in batches.items():
            parts.append(_score(case, batch, shape, base, own).assign(panel=panel, origin=batch.origin))
    return pd.concat(parts, ignore_index=True)


Job = tuple[str, dict[Case, tuple[Batch, Any, Any]], NDArray[np.intp], Any]


def _trade_jobs(folder: str | Path) -> Iterable[Job]:
    levels, old = panels.load(reference.BACI, folder), until(panels.load(reference.OEC, folder), OLD_LAST)
    fitted = [backtest.fit_all(levels, origin) for origin in range(2004, max(ORIGINS) + 1)]
    history = {case: _history(levels, fitted, case, True, old) for case in CASES}
    for one in fitted:
        if one.origin in ORIGINS:
            yield _job("BACI", levels, one, True, history, PER_CLASS)


def _contest_jobs() -> Iterable[Job]:
    for name in CONTESTS:
        levels = load_contest(name)
        fitted = [backtest.fit_all(levels, o, sized=False) for o in (*TEACHING, 0)]
        cases = [case for case in CASES if case.horizon <= levels.years[-1]]
        history = {case: _history(levels, fitted, case, False, None) for case in cases}
        yield _job(name, levels, fitted[-1], False, history, None)


def _history(levels: Levels, fitted: list[Fitted], case: Case, zero: bool, old: Levels | None) -> tuple:
    """Forecasts of all origins, for their errors, and counts of starts, for base rates."""
    per_class = None if case.reading == "average" else 150
    past = backtest.batches(levels, fitted, *case, zero, per_class)
    counted = backtest.count_starts(levels, *case, zero, sized=zero)
    return past, counted, backtest.count_starts(old, *case, False) if old is not None else None


def _job(
    panel: str, levels: Levels, one: Fitted, zero: bool, history: dict[Case, tuple], per_class: int | None
) -> Job:
    now = int(np.searchsorted(levels.years, one.origin))
    recent = levels.log[one.flows, max(now - MIN_LEVELS + 1, 0) : now + 1]
    usable = ~np.isnan(recent).any(axis=1) & ((one.classes >= MAIN_CLASS) | (one.classes < 0))
    rows = np.flatnonzero(usable)
    if per_class is not None:
        rows = backtest.sample(one.classes, rows, per_class, seed=SEED + one.origin)
    batches = {}
    for case, (past, counted, long) in history.items():
        outcome = backtest.realised(levels, [now], case.horizon, case.reading, zero)[one.flows[rows], 0]
        chosen = {name: backtest.select(model, rows) for name, model in one.models.items()}
        batch = Batch(one.origin, one.classes[rows], chosen, outcome, np.full(len(rows), np.nan))
        base = {"base_rate": counted.share(one.origin, case.horizon)}
        if long is not None:
            base["base_rate_long"] = counted.share(one.origin, case.horizon, long)
        batches[case] = (batch, backtest.shapes(past, case.horizon, one.origin), base)
    return panel, batches, rows, levels.log[one.flows[rows], : now + 1]


def _records(log: Array, rows: NDArray[np.intp]) -> Iterable[Array]:
    """Levels of consecutive years up to the origin, relative to the last: after the last gap, if any."""
    for series in log:
        gaps = np.flatnonzero(np.isnan(series))
        yield np.exp(series[gaps[-1] + 1 if len(gaps) else 0 :] - series[-1])


def _fit_all(records: list[Array], workers: int, progress: Callable) -> list[dict]:
    import multiprocessing as mp
    import os
    from concurrent.futures import ProcessPoolExecutor

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two processes with two threads each are slower
    if workers == 1:
        return [_fit_one(record) for record in progress(records)]
    with ProcessPoolExecutor(workers, mp_context=mp.get_context("spawn")) as pool:
        return list(progress(pool.map(_fit_one, records, chunksize=8)))


def _fit_one(record: Array) -> dict[str, tuple[dict[Case, Array], bool]]:
    """Probability of each goal by case, and whether a fallback was used, by model."""
    results = [forecast_quantiles(name, record, max(HORIZONS), (0.5,)) for name in NAMES]
    found = {}
    for result in [*results, combine(results)]:
        chances = {case: _chances(result, case) for case in CASES}
        found[result.name] = (chances, result.fallback is not None)
    return found


def _chances(result: Any, case: Case) -> Array:
    goals, h = np.array(GOALS), case.horizon
    if case.reading == "average":
        return p_reach(result, h * np.log1p(goals), h)
    if case.reading == "every_year":
        return p_every_year(result, goals, h)
    return p_mean_rate(result, h * goals, h)


def _score(case: Case, batch: Batch, shape: Any, base: Any, fits: list[dict]) -> pd.DataFrame:
    known = ~np.isnan(batch.outcome)
    rows = []
    for k, goal in enumerate(GOALS):
        hit = (batch.outcome >= backtest.threshold(case.reading, goal))[known].astype(float)
        p = {
            name: (values[known], np.nan)
            for name, values in backtest.forecasts(batch, *case, goal, shape, base).items()
        }
        for name in (*NAMES, "pool"):
            values = np.array([one[name][0][case][k] for one in fits])[known]
            p[name] = (values, np.mean([one[name][1] for one in fits]))
        for name, (values, fallback) in p.items():
            brier = np.mean((values - hit) ** 2)
            rows.append((*case, goal, name, len(hit), hit.mean(), values.mean(), brier, fallback))
    columns = ["reading", "horizon", "goal", "model", "n", "rate", "p", "brier", "fallback"]
    return pd.DataFrame(rows, columns=columns).dropna(subset="brier")


def competitors(folder: Path, progress: Progress = iter) -> Tables:
    """Step: the scores of the competitors beside our own."""
    return {"scores/competitors.parquet": in_single_precision(score_competitors(folder, progress=progress))}
