"""The kept scores of earlier forecasts as frames: nothing is fitted, only averaged."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from lib.analysis.scores import Interval, contest, worst_expected
from lib.analysis.scores import reliability as reliability_curve
from lib.cases import ScoreCase
from lib.goals import READING_LABELS
from lib.reference import COVERS, USED, read_scores, size_label
from lib.results import Estimate

LABELS = {
    USED: "forecast used here",
    "base_rate": "base rate known at the origin (this panel)",
    "base_rate_long": "base rate known at the origin (with 1962–2000)",
    "log_walk": "driftless walk of logs",
    "drift": "random walk with drift, no reference class",
    "half": "a constant ½",
    "ets": "exponential smoothing (statsmodels ETS)",
    "ets_damped": "exponential smoothing, damped trend",
    "arima_drift": "ARIMA with drift",
    "uc": "unobserved components",
    "theta": "Theta",
    "pool": "pool of the five models above",
}

BASE = "base_rate_long"

SOURCE = "CEPII BACI 2000–2020, flows of 10 million USD a year and more; scores: data/reference/scores."


def _of(case: ScoreCase, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the case's goal and origins."""
    near = (rows["goal"] - case.goal_pct / 100).abs() < 1e-6
    return rows[near & rows["origin"].between(case.first_origin, case.last_origin)]


def events(case: ScoreCase, reading: str = "average") -> pd.DataFrame:
    """Brier scores of the case's goal by origin and model, trade flows of 10 million dollars and more."""
    rows = _of(case, read_scores("trade_events"))
    return rows[(rows["reading"] == reading) & (rows["horizon"] == case.years)]


def pooled(rows: pd.DataFrame, columns: list[str], by: str | list[str] = "model") -> pd.DataFrame:
    """Means weighted by the number of forecasts."""
    keys = [rows[name] for name in ([by] if isinstance(by, str) else by)]
    sums = rows[columns].astype(float).mul(rows["n"], axis=0).groupby(keys).sum()
    n = rows["n"].groupby(keys).sum()
    return sums.div(n, axis=0).assign(n=n)


def against(rows: pd.DataFrame, other: str, score: str = "brier") -> tuple[str, Interval]:
    """Whether the forecast used here is better or worse than another model, or level with it, and by how much.

    `rows` hold scores by origin and model (and perhaps goal or horizon); whole origins are resampled.
    """
    keys = ["origin", *rows.columns.intersection(["panel", "reading", "horizon", "goal"])]
    pairs = rows[rows["model"] == USED].merge(rows[rows["model"] == other], on=keys, suffixes=("", "_other"))
    return contest(pairs[score], pairs[f"{score}_other"], pairs["origin"], pairs["n"])


def brier_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Scores of each model, best first.

    Returns
    -------
    Frame indexed by model: brier, p (mean probability), rate (share that came true), n, skill (over the long base rate,
    fraction), used (the forecast used here beside this model: better, worse or level; empty for itself).
    """
    found = pooled(rows, ["brier", "p", "rate"]).sort_values("brier")
    used = ["" if model == USED else against(rows, model)[0] for model in found.index]
    return found.assign(skill=1 - found["brier"] / found.loc[BASE, "brier"], used=used)


def brier_by_origin(rows: pd.DataFrame, models: tuple[str, ...] = (USED, BASE, "log_walk")) -> pd.DataFrame:
    """Brier score by origin (rows) and model (columns)."""
    wide = rows.pivot(index="origin", columns="model", values="brier")
    return wide[list(models)]


def rate_by_origin(rows: pd.DataFrame) -> pd.DataFrame:
    """Share that came true and mean probability given, by origin."""
    own = rows[rows["model"] == USED].set_index("origin")
    return own[["rate", "p"]].sort_index()


def coverage_table(case: ScoreCase) -> pd.DataFrame:
    """Coverage of 50, 80 and 95 % intervals on trade flows, M3 and Tourism, all horizons together.

    Returns
    -------
    Frame: panel, model, cover50, cover80, cover95, crps (of log growth), n; the best of each panel first.
    """
    trade = read_scores("trade_intervals")
    trade = trade[trade["origin"].between(case.first_origin, case.last_origin)].assign(panel="trade flows")
    rows = pd.concat([trade, read_scores("contest_intervals")])
    found = pooled(rows, [*COVERS, "crps"], by=["panel", "model"]).reset_index()
    return found.sort_values(["panel", "crps"], ignore_index=True)


def coverage_by_size(case: ScoreCase) -> pd.DataFrame:
    """Coverage at the case's horizon by size class, over all origins.

    Returns
    -------
    Frame: size (label), n, cover50, cover80, cover95, above (share of outcomes above the forecast median).
    """
    rows = read_scores("trade_intervals_by_size")
    rows = rows[(rows["model"] == USED) & (rows["horizon"] == case.years)].sort_values("size_class")
    rows = rows.assign(size=rows["size_class"].map(size_label))
    return rows[["size", "n", *COVERS, "above"]].reset_index(drop=True)


def _intervals(case: ScoreCase) -> pd.DataFrame:
    """Interval scores of the forecast used here, by origin, at the case's horizon."""
    rows = read_scores("trade_intervals")
    chosen = (rows["model"] == USED) & (rows["horizon"] == case.years)
    rows = rows[chosen & rows["origin"].between(case.first_origin, case.last_origin)]
    return rows.set_index("origin").sort_index()


def coverage_by_origin(case: ScoreCase) -> pd.DataFrame:
    """Coverage of the 80 and 95 % intervals of the forecast used here, by origin, at the case's horizon."""
    return _intervals(case)[["cover80", "cover95"]]


class Worst(NamedTuple):
    """The origin whose 80 % intervals held least, beside what calibrated ones would show (90 % range).

    `common` is the share of the variance that flows of one origin have in common; `told`: whether the coverage lies within
    the range, below or above. One origin alone says nothing of it: they are then None, and `told` is unknown.
    """

    origin: int
    coverage: float
    common: float | None = None
    low: float | None = None
    high: float | None = None
    told: Literal["within", "below", "above", "unknown"] = "unknown"


def worst_origin(case: ScoreCase) -> Worst:
    """The worst origin of the case (`Worst`)."""
    rows = _intervals(case)
    origin, least = int(rows["cover80"].idxmin()), float(rows["cover80"].min())
    if len(rows) < 2:
        return Worst(origin, least)
    within = float(np.average(rows["zz"] - rows["z"] ** 2, weights=rows["n"]))
    between = float(rows["z"].var(ddof=1))
    common = between / (between + within)
    low, high = worst_expected(common, len(rows), 0.8)
    told: Literal["within", "below", "above"] = (
        "below" if least < low else "above" if least > high else "within"
    )
    return Worst(origin, least, common, low, high, told)


def reliability(case: ScoreCase) -> pd.DataFrame:
    """Reliability of +25 % forecasts in tenths with bands that resample origins: p, met, n, low, high.

    A random sample of single forecasts is kept for horizons of 1, 3 and 5 years; the nearest is used. A
    single origin leaves nothing to resample: low and high are then absent.
    """
    rows = read_scores("trade_examples")
    horizon = min(rows["horizon"].unique(), key=lambda kept: abs(int(kept) - case.years))
    rows = rows[(rows["horizon"] == horizon) & rows["origin"].between(case.first_origin, case.last_origin)]
    several = len(rows["origin"].unique()) > 1
    # With one origin every flow is its own group: the curve is the same, and its band is not shown.
    groups = rows["origin"] if several else rows.index
    curve = reliability_curve(rows[USED], rows["outcome"], groups, bins=10)
    return curve.rename(columns={"frequency": "met"}).drop(columns=[] if several else ["low", "high"])


def by_reading(case: ScoreCase) -> pd.DataFrame:
    """Brier scores of the case's goal by model (rows) and reading (columns), over two, three and five years together.

    The readings that need simulated paths are scored on a sample of flows. Origins too late for two years have no
    row: over one year the three readings are one.
    """
    rows = _of(case, read_scores("trade_events"))
    found = pooled(rows[rows["horizon"].isin([2, 3, 5])], ["brier"], by=["model", "reading"])["brier"]
    wide = found.unstack().reindex(columns=list(READING_LABELS)).rename(columns=READING_LABELS)
    return wide.sort_values(READING_LABELS["average"]).rename_axis(columns=None)


def by_horizon(case: ScoreCase) -> pd.DataFrame:
    """Brier scores of the case's goal, read on average, by model (rows) and horizon in years (columns)."""
    rows = _of(case, read_scores("trade_events"))
    found = pooled(rows[rows["reading"] == "average"], ["brier"], by=["model", "horizon"])["brier"]
    wide = found.unstack()
    return wide.sort_values(wide.columns[0])


def ahead_by_horizon(case: ScoreCase) -> pd.Series:
    """By horizon whether the forecast used here is better or worse than the long base rate, or level with it."""
    rows = _of(case, read_scores("trade_events"))
    rows = rows[rows["reading"] == "average"]
    return pd.Series({h: against(part, BASE)[0] for h, part in rows.groupby("horizon")}, dtype=str)


def competitors(case: ScoreCase) -> pd.DataFrame:
    """Brier scores of all models (rows) on the same sample of flows, and on the contests (columns), best first.

    Fits take time, so horizons end at five years and origins run from 2008 to 2015.
    """
    rows = read_scores("competitors")
    rows = rows[(rows["goal"] - case.goal_pct / 100).abs() < 1e-6]
    wide = pooled(rows, ["brier"], by=["model", "panel"])["brier"].unstack()
    return wide.sort_values("BACI").rename_axis(columns=None)


def places(case: ScoreCase) -> pd.DataFrame:
    """The forecast among its competitors, a row for each set of series.

    Returns
    -------
    Frame: panel, best (of the others, in words), best_score, own_score, place (1: the best), models (how many), told
    (better, worse or level; unknown for a contest, whose one origin says nothing of luck).
    """
    rows = read_scores("competitors")
    rows = rows[(rows["goal"] - case.goal_pct / 100).abs() < 1e-6]
    found = []
    for panel, part in rows.groupby("panel"):
        scores = pooled(part, ["brier"])["brier"].sort_values()
        best = scores.drop(USED).index[0]
        told = against(part, best)[0] if len(part["origin"].unique()) > 1 else "unknown"
        place = list(scores.index).index(USED) + 1
        found.append((panel, LABELS[best], scores[best], scores[USED], place, len(scores), told))
    names = ["panel", "best", "best_score", "own_score", "place", "models", "told"]
    return pd.DataFrame(found, columns=names)


def verdicts(case: ScoreCase) -> pd.DataFrame:
    """Official trackers read as forecasts of a five-year goal, on the flows of the forecast: brier, p, rate, n by model."""
    rows = read_scores("verdicts")
    rows = rows[(rows["goal"] - case.goal_pct / 100).abs() < 1e-6]
    # Frequencies of a class are known only after some goals have ended: the same cases for all.
    common = rows[rows["model"] == "base_rate"][["base_year", "read_after"]]
    rows = rows.merge(common, on=["base_year", "read_after"])
    return pooled(rows, ["brier", "p", "rate"]).sort_values("brier")


def verdict_label(name: str) -> str:
    """A model of `verdicts` in words."""
    if name == "base_rate":
        return "share of earlier goals of this height that were met"
    return LABELS.get(name) or (name if name.endswith(" by class") else f"{name}, taken at its word")


def estimates(case: ScoreCase, rows: pd.DataFrame) -> list[Estimate]:
    """Brier score of each model as rows for the result; the period is the last origin."""
    found = pooled(rows, ["brier"])
    return [
        Estimate(
            target=f"Brier score, {model}",
            period=case.last_origin,
            output_type="point",
            output_type_id=None,
            value=float(brier),
            unit="squared probability",
        )
        for model, brier in found["brier"].items()
    ]
