"""The official trackers scored as forecasts, beside the probability, on the same flows and goals.

A flow is given a goal of g a year for `HORIZON` years from a base year; some years later a tracker sees base,
latest and target value and says whether it is on track. Taken at its word that is a forecast of 1 or 0. Its
class can also be read as a forecast: the share of earlier goals of the same class and height that were met,
as far as known in the year of the reading.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib import panels, standards
from lib.backtests import backtest
from lib.backtests.backtest import GOALS, Fitted
from lib.backtests.trade_scores import MAIN_CLASS
from lib.panels import BACI, Levels
from lib.tracked import TrackedTarget

HORIZON = 5
READ_AFTER = (2, 3)
"""Years after the base in which the tracker is read."""
BASE_YEARS = range(2002, 2016)
PER_CLASS = 60
TRACKERS = {
    "Eurostat": standards.eurostat,
    "UN": standards.un_progress_chart,
    "ESCAP anticipated": standards.escap_anticipated,
    "SDSN": standards.sdsn,
}


def score_verdicts(folder: str | Path, progress: Callable[[Iterable], Iterable] = iter) -> pd.DataFrame:
    """Brier scores by base year, years since, goal and forecast.

    Returns
    -------
    DataFrame: base_year, read_after, goal, model, n, rate (share met), p (mean forecast), brier. Models are
    each tracker as 1 or 0, each tracker's class by its frequency known then (``… by class``), ``eb``,
    ``eb_past_errors`` and ``base_rate`` (of growth still needed: what earlier goals of this height met).
    """
    levels = panels.load(BACI, folder)
    fitted = {
        origin: backtest.fit_all(levels, origin)
        for origin in range(2004, max(BASE_YEARS) + max(READ_AFTER) + 1)
    }
    shapes = {
        left: _shapes(levels, list(fitted.values()), left) for left in {HORIZON - m for m in READ_AFTER}
    }
    cases = [(base, after) for base in BASE_YEARS for after in READ_AFTER if base + after in fitted]
    found = [
        _read(levels, fitted[base + after], base, after, shapes[HORIZON - after])
        for base, after in progress(cases)
    ]
    return _score(pd.concat(found, ignore_index=True))


def _shapes(levels: Levels, fitted: list[Fitted], horizon: int) -> Callable[[int], Any]:
    past = backtest.batches(levels, fitted, "average", horizon, True)
    return lambda origin: backtest.shapes(past, horizon, origin)


def _read(levels: Levels, one: Fitted, base_year: int, after: int, shapes: Callable) -> pd.DataFrame:
    """One row for each flow and goal: classes of the trackers, probabilities, outcome (NaN: not known)."""
    base, now = (int(np.searchsorted(levels.years, year)) for year in (base_year, one.origin))
    usable = ~np.isnan(levels.log[one.flows, base]) & (one.classes >= MAIN_CLASS)
    rows = backtest.sample(one.classes, np.flatnonzero(usable), PER_CLASS, seed=one.origin)
    start, latest = levels.log[one.flows[rows], base], levels.log[one.flows[rows], now]
    outcome = backtest.realised(levels, [base], HORIZON, "average", True)[one.flows[rows], 0]
    model, left = backtest.select(one.models["eb"], rows), HORIZON - after
    frames = []
    for goal in GOALS:
        needed = HORIZON * np.log1p(goal) - (latest - start)  # log growth still needed
        p = backtest.chance(model, "average", left, np.expm1(needed / left))
        corrected = backtest.reshape(p, one.classes[rows], shapes(one.origin))
        frame = pd.DataFrame({"eb": p, "eb_past_errors": corrected, "hit": outcome >= np.log1p(goal)})
        for name, tracker in TRACKERS.items():
            said = [
                tracker(_target(growth, goal, base_year, one.origin)) for growth in np.exp(latest - start)
            ]
            frame[name] = [float(bool(a.on_track)) for a in said]
            frame[f"{name} by class"] = [a.progress_class for a in said]
        frames.append(frame.assign(goal=goal))
    return pd.concat(frames).assign(base_year=base_year, read_after=after)


def _target(growth: float, goal: float, base_year: int, read_year: int) -> TrackedTarget:
    return TrackedTarget(1.0, base_year, growth, read_year, (1 + goal) ** HORIZON, base_year + HORIZON)


def _score(readings: pd.DataFrame) -> pd.DataFrame:
    keys = ["read_after", "goal"]
    for name in TRACKERS:
        readings[f"{name} by class"] = _known_share(readings, [*keys, f"{name} by class"])
    readings["base_rate"] = _known_share(readings, keys)
    models = ["eb", "eb_past_errors", "base_rate", *TRACKERS, *(f"{name} by class" for name in TRACKERS)]
    rows = []
    for key, part in readings.groupby(["base_year", *keys]):
        for model in models:
            p, hit = part[model].astype(float), part["hit"].astype(float)
            if p.notna().all():
                rows.append((*key, model, len(part), hit.mean(), p.mean(), ((p - hit) ** 2).mean()))
    columns = ["base_year", *keys, "model", "n", "rate", "p", "brier"]
    return pd.DataFrame(rows, columns=columns)


def _known_share(readings: pd.DataFrame, by: list[str]) -> pd.Series:
    """Share met among earlier readings of the same group whose deadline had passed when this one was made.

    Shrunk to one half by one reading; NaN until a deadline has passed at all.
    """
    yearly = readings.groupby([*by, "base_year"], observed=True)["hit"].agg(["sum", "size"]).reset_index()
    found = pd.Series(np.nan, index=readings.index)
    for (base_year, after), part in readings.groupby(["base_year", "read_after"]):
        past = yearly[yearly["base_year"] + HORIZON <= base_year + after]
        if past.empty:
            continue
        totals = past.groupby(by, observed=True)[["sum", "size"]].sum()
        share = ((totals["sum"] + 0.5) / (totals["size"] + 1)).rename("share").reset_index()
        found.loc[part.index] = part[by].merge(share, how="left", on=by)["share"].fillna(0.5).to_numpy()
    return found
