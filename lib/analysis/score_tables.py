"""The kept scores of earlier forecasts as tables and curves: nothing is fitted, only averaged."""

import numpy as np
import pandas as pd

from lib.analysis.scores import reliability as reliability_curve
from lib.cases import ScoreCase
from lib.goals import READING_LABELS
from lib.reference import USED, read_scores
from lib.results import Estimate
from lib.words import percent, years

MODEL_LABELS = {
    "eb_past_errors": "forecast used here (empirical Bayes, past errors)",
    "eb": "empirical Bayes alone",
    "base_rate": "base rate known at the origin (this panel)",
    "base_rate_long": "base rate known at the origin (with 1962–2000)",
    "log_walk": "driftless walk of logs",
    "drift": "random walk with drift, no reference class",
}

COMPETITOR_LABELS = {
    "ets": "exponential smoothing (statsmodels ETS)",
    "ets_damped": "exponential smoothing, damped trend",
    "arima_drift": "ARIMA with drift",
    "uc": "unobserved components",
    "theta": "Theta",
    "pool": "pool of the seven models",
}

BASE = "base_rate_long"

SOURCE = "CEPII BACI 2000–2020, flows of 10 million USD a year and more; scores: data/reference/scores."


def events(case: ScoreCase, reading: str = "average") -> pd.DataFrame:
    """Brier scores of the case's goal by origin and model, trade flows of 10 million dollars and more."""
    rows = read_scores("trade_events")
    chosen = (
        (rows["reading"] == reading)
        & (rows["horizon"] == case.years)
        & _near(rows["goal"], case.goal_pct / 100)
    )
    return rows[chosen & rows["origin"].between(case.first_origin, case.last_origin)]


def _near(values: pd.Series, value: float) -> pd.Series:
    return (values - value).abs() < 1e-6


def pooled(rows: pd.DataFrame, columns: list[str], by: str = "model") -> pd.DataFrame:
    """Means weighted by the number of forecasts."""
    sums = rows[columns].mul(rows["n"], axis=0).groupby(rows[by]).sum()
    n = rows.groupby(by)["n"].sum()
    return sums.div(n, axis=0).assign(n=n)


def brier_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Brier score, mean probability, share met and skill of each model, best first, formatted."""
    found = pooled(rows, ["brier", "p", "rate"]).sort_values("brier")
    skill = 1 - found["brier"] / found.loc[BASE, "brier"]
    return pd.DataFrame(
        {
            "forecast": [MODEL_LABELS.get(model, model) for model in found.index],
            "Brier score": found["brier"].map("{:.4f}".format),
            "skill over the long base rate": (skill * 100).map("{:+.1f} %".format),
            "mean probability": found["p"].map(percent),
            "came true": found["rate"].map(percent),
            "forecasts": found["n"].map("{:,.0f}".format),
        }
    )


def brier_by_origin(rows: pd.DataFrame, models: tuple[str, ...] = (USED, BASE, "log_walk")) -> pd.DataFrame:
    """Brier score by origin (rows) and model (columns)."""
    wide = rows.pivot(index="origin", columns="model", values="brier")
    return wide[list(models)]


def rate_by_origin(rows: pd.DataFrame) -> pd.DataFrame:
    """Share that came true and mean probability given, by origin."""
    own = rows[rows["model"] == USED].set_index("origin")
    return own[["rate", "p"]].sort_index()


def coverage_table(case: ScoreCase) -> pd.DataFrame:
    """Measured coverage of nominal 50, 80 and 95 % intervals on trade flows, M3 and Tourism, formatted."""
    trade = read_scores("trade_intervals")
    trade = trade[trade["origin"].between(case.first_origin, case.last_origin)].assign(
        panel="trade flows (BACI)"
    )
    rows = pd.concat([trade, read_scores("contest_intervals")])
    rows = rows.assign(key=rows["panel"] + "|" + rows["model"])
    found = pooled(rows, ["cover50", "cover80", "cover95", "crps"], by="key")
    found[["panel", "model"]] = [key.split("|") for key in found.index]
    found = found.sort_values(["panel", "crps"])
    return pd.DataFrame(
        {
            "series": found["panel"],
            "forecast": found["model"].map(lambda model: MODEL_LABELS.get(model, model)),
            **{
                f"{n} % interval covers": (found[f"cover{n}"] * 100).map("{:.1f} %".format)
                for n in (50, 80, 95)
            },
            "CRPS of log growth": found["crps"].map("{:.4f}".format),
        }
    )


def coverage_by_origin(case: ScoreCase) -> pd.DataFrame:
    """Coverage of the 80 and 95 % intervals of the forecast used here, by origin, at the case's horizon."""
    rows = read_scores("trade_intervals")
    chosen = (rows["model"] == USED) & (rows["horizon"] == case.years)
    rows = rows[chosen & rows["origin"].between(case.first_origin, case.last_origin)]
    return rows.set_index("origin")[["cover80", "cover95"]].sort_index()


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


def competitor_table(case: ScoreCase) -> pd.DataFrame:
    """Brier scores of all models on the same stratified sample of flows and on the contests, formatted.

    Fits take time, so horizons end at five years and origins run from 2008 to 2015.
    """
    rows = read_scores("competitors")
    rows = rows[(rows["reading"] == "average") & _near(rows["goal"], case.goal_pct / 100)]
    rows = rows.assign(key=rows["panel"] + "|" + rows["model"])
    found = pooled(rows, ["brier"], by="key")
    found[["panel", "model"]] = [key.split("|") for key in found.index]
    wide = found.pivot(index="model", columns="panel", values="brier").sort_values("BACI")
    shown = wide.map(lambda value: "" if np.isnan(value) else f"{value:.4f}")
    return (
        shown.rename_axis(columns=None)
        .rename(index=MODEL_LABELS | COMPETITOR_LABELS)
        .reset_index(names="forecast")
    )


def reading_table(case: ScoreCase) -> pd.DataFrame:
    """Brier scores of the case's goal by reading, over the horizons of two, three and five years, formatted.

    The readings that need quadrature are scored on a sample of flows. Origins too late for two years have no
    row: over one year the three readings are one.
    """
    rows = read_scores("trade_events")
    chosen = _near(rows["goal"], case.goal_pct / 100) & rows["horizon"].isin([2, 3, 5])
    rows = rows[chosen & rows["origin"].between(case.first_origin, case.last_origin)]
    found = {
        READING_LABELS[reading]: pooled(part, ["brier"])["brier"] for reading, part in rows.groupby("reading")
    }
    wide = pd.DataFrame(found, columns=list(READING_LABELS.values())).sort_values("on average")
    wide = wide.map("{:.4f}".format)
    return wide.rename(index=MODEL_LABELS).reset_index(names="forecast")


def horizon_table(case: ScoreCase) -> pd.DataFrame:
    """Brier scores of the case's goal, read on average, by horizon: the forecast and its plain rivals, formatted."""
    rows = read_scores("trade_events")
    chosen = _near(rows["goal"], case.goal_pct / 100) & (rows["reading"] == "average")
    rows = rows[chosen & rows["origin"].between(case.first_origin, case.last_origin)]
    found = {f"{h} y": pooled(part, ["brier"])["brier"] for h, part in rows.groupby("horizon")}
    wide = pd.DataFrame(found)
    wide = wide.sort_values(wide.columns[0]).map("{:.4f}".format)
    return wide.rename(index=MODEL_LABELS).reset_index(names="forecast")


def rivals_in_words(case: ScoreCase) -> str:
    """Which model leads on each set of series of the competitor sample, and where the forecast stands."""
    rows = read_scores("competitors")
    rows = rows[(rows["reading"] == "average") & _near(rows["goal"], case.goal_pct / 100)]
    labels = MODEL_LABELS | COMPETITOR_LABELS
    told = []
    for panel, part in rows.groupby("panel"):
        scores = pooled(part, ["brier"])["brier"].sort_values()
        place = list(scores.index).index(USED) + 1
        told.append(
            f"on {panel} the best is the {labels[scores.index[0]]} ({scores.iloc[0]:.4f}); the forecast used here "
            f"is number {place} of {len(scores)} ({scores[USED]:.4f})"
        )
    return f"For +{case.goal_pct} % a year, one to five years ahead: {'; '.join(told)}."


def verdict_table(case: ScoreCase) -> pd.DataFrame:
    """Official trackers read as forecasts of a five-year goal, on the flows of the forecast, formatted."""
    rows = read_scores("verdicts")
    rows = rows[_near(rows["goal"], case.goal_pct / 100)]
    # Frequencies of a class are known only after some goals have ended: the same cases for all.
    common = rows[rows["model"] == "base_rate"][["base_year", "read_after"]]
    rows = rows.merge(common, on=["base_year", "read_after"])
    found = pooled(rows, ["brier", "p", "rate"]).sort_values("brier")
    return pd.DataFrame(
        {
            "forecast": [_verdict_label(name) for name in found.index],
            "Brier score": found["brier"].map("{:.4f}".format),
            "mean probability": found["p"].map(percent),
            "came true": found["rate"].map(percent),
            "goals": found["n"].map("{:,.0f}".format),
        }
    )


def _verdict_label(name: str) -> str:
    if name == "base_rate":
        return "share of earlier goals of this height that were met"
    return MODEL_LABELS.get(name) or (name if name.endswith(" by class") else f"{name}, taken at its word")


def in_words(case: ScoreCase, rows: pd.DataFrame) -> str:
    """Whether the forecast is calibrated and better than its rivals, for the case, as sentences."""
    found = pooled(rows, ["brier", "p", "rate"])
    inside = coverage_by_origin(case)
    low, middle, high = (percent(share) for share in inside["cover80"].agg(["min", "mean", "max"]))
    own, best = found.loc[USED, "brier"], found["brier"].drop([USED, "eb"]).idxmin()
    verb = "beats" if own < found.loc[best, "brier"] else "does not beat"
    return (
        f"On trade flows the 80 % interval over {years(case.years)} covered **{middle}** of outcomes ({low} to "
        f"{high} by origin), the 95 % interval **{percent(inside['cover95'].mean())}**. For +{case.goal_pct} % a year "
        f"the forecast said {percent(found.loc[USED, 'p'])} on average, and {percent(found.loc[USED, 'rate'])} "
        f"came true. Its Brier score, **{own:.4f}**, {verb} the best of its rivals here, the "
        f"{MODEL_LABELS[best]} ({found.loc[best, 'brier']:.4f})."
    )


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
