"""Which features of an announced target go with its being met: a ridge logistic regression over the register.

Five features: how far the implied growth lies beyond what the reference class leads to expect, horizon, size,
whether the government is sub-national, and whether the target is stated as growth. Coefficients are those of
standardised features, with a normal prior of standard deviation `PRIOR_SD` (ridge; Hoerl & Kennard 1970, le Cessie
& van Houwelingen 1992) that is fixed beforehand, not tuned on the register. The model is scored on targets that it
was not fitted to, in three ways, each beside the share met among the same targets: without the announcing
government, without the due year, and with nothing but what was resolved before the announcement.

What notebook 04 says of the model over the register: which features go with a target being met.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from lib import forecast
from lib.cases import GoalCase
from lib.figures import load_reporters, load_targets
from lib.goals import Goal
from lib.reference import Array, prior_for, read_kept
from lib.words import percent

SUB_NATIONAL = frozenset(
    {
        "Chongqing", "Dong Nai", "Fujian", "Guangdong", "Guizhou", "Hai Phong", "Harbin", "Hebei", "Heilongjiang",
        "Ho Chi Minh City", "Jiangsu", "Jiaxing", "Leningrad region", "Northern Ireland", "Odisha", "Scotland",
        "Shaanxi", "Shandong", "South Australia", "Telangana", "Tien Giang", "Uttar Pradesh", "Vinh Phuc",
        "West Bengal", "Xinjiang", "Yunnan", "Zhejiang",
    }
)  # fmt: skip
"""Reporters of ``targets.csv`` below the level of a country."""

FEATURES = {
    "stretch": "growth beyond what flows of the size lead to expect, in standard deviations",
    "log_horizon": "longer horizon (log years)",
    "log_size": "larger base (log dollars)",
    "sub_national": "government below the national level",
    "as_growth": "stated as growth, not as a level or multiple",
}

PRIOR_SD = 0.5
"""Of a coefficient: one standard deviation of a feature changes the odds by a factor of 1.6 or so."""

OTHER_PRIOR_SDS = (0.25, 1.0)

MIN_KNOWN = 20
"""Resolved targets from which the model is fitted to what was known; before that the share known is taken."""

SUREST = 0.01
"""No probability is closer to 0 or 1 in the log score: it would hang on a single target."""

FORECASTS = ("model", "stretch alone", "forecast", "base rate")

DRAWS = 1000


def features(scores: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Features of resolved targets, and what they are grouped by.

    Parameters
    ----------
    scores : as `lib.analysis.register.score_register` gives them; targets : as `lib.figures.load_targets` does.

    Returns
    -------
    One row a target: `FEATURES`, reporter (the government whose trade it is), due, announced, resolved, met, p_eb.
    """
    known = targets.set_index("target_id").loc[scores["target_id"]].reset_index()
    frame = pd.DataFrame(
        {
            "stretch": [
                stretch(r.size_usd, r.announced - 1, r.world, r.rate, r.horizon) for r in scores.itertuples()
            ],
            "log_horizon": np.log(scores["horizon"]),
            "log_size": np.log(scores["size_usd"]),
            "sub_national": known["reporter"].isin(SUB_NATIONAL).astype(float),
            "as_growth": (scores["kind"] == "growth_pct_per_year").astype(float),
        }
    )
    rest = scores[["target_id", "due", "announced", "met", "p_eb"]]
    resolved = known["outcome_year"].astype(float)
    return pd.concat([frame, rest, known["reporter"], resolved.rename("resolved")], axis=1)


def stretch(size_usd: float, origin: int, world: bool, rate: float, years: int) -> float:
    """How many standard deviations the growth asked for lies above what the reference class leads to expect."""
    model = forecast.fit(np.array([np.nan]), prior_for(size_usd, origin, world))
    beyond = years * np.log1p(rate) - forecast.location(model, years)
    return float(beyond / forecast.spread(model, years))


def features_of(
    *, size_usd: float, origin: int, world: bool, rate: float, years: int, sub_national: bool, as_growth: bool
) -> Array:
    """Features of one goal, shape (1, features): as `features` has them for the register."""
    beyond = stretch(size_usd, origin, world, rate, years)
    return np.array([[beyond, np.log(years), np.log(size_usd), float(sub_national), float(as_growth)]])


def fit(x: Array, met: Array, prior_sd: float = PRIOR_SD) -> tuple[Array, Array, Array]:
    """Ridge logistic regression by Newton's method.

    Maximises ``sum(log p) − sum(b²) / (2 prior_sd²)`` over the intercept, which has no prior, and the coefficients
    `b` of the standardised features.

    Parameters
    ----------
    x : features, shape (targets, features); met : 0 or 1, shape (targets,).

    Returns
    -------
    Coefficients with the intercept first, and mean and standard deviation of each feature.
    """
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    penalty = np.diag([1e-9, *[1 / prior_sd**2] * x.shape[1]])
    b = np.zeros(design.shape[1])
    for _ in range(50):
        p = expit(design @ b)
        gradient = design.T @ (met - p) - penalty @ b
        step = np.linalg.solve((design.T * (p * (1 - p))) @ design + penalty, gradient)
        b = b + step
        if np.abs(step).max() < 1e-10:
            break
    return b, centre, scale


def predict(fitted: tuple[Array, Array, Array], x: Array) -> Array:
    """Probability of being met for features of shape (targets, features)."""
    b, centre, scale = fitted
    return expit(b[0] + ((x - centre) / scale) @ b[1:])


Training = Callable[[pd.DataFrame, Any], Any]

SCHEMES: dict[str, tuple[str, Training]] = {
    "other governments": ("reporter", lambda rows, one: rows["reporter"] != one),
    "other due years": ("due", lambda rows, one: rows["due"] != one),
    "known at announcement": (
        "announced",
        lambda rows, one: (rows["resolved"] < one) & (rows["announced"] < one),
    ),
}
"""How the targets are found to which the model is fitted, for each that it is scored on: what they are grouped by, and
which rows may teach it. "Other governments" still share the shocks of a year, so it flatters."""


def predictions(rows: pd.DataFrame, scheme: str, prior_sd: float = PRIOR_SD) -> pd.DataFrame:
    """Probability of each target from targets that may teach it, one column each of `FORECASTS`."""
    by, may_teach = SCHEMES[scheme]
    found = pd.DataFrame(index=rows.index, columns=list(FORECASTS), dtype=float)
    for one, group in rows.groupby(by):
        known = rows[may_teach(rows, one)]
        share = (known["met"].sum() + 0.5) / (len(known) + 1)
        found.loc[group.index, "base rate"] = share
        for name, columns in (("model", list(FEATURES)), ("stretch alone", ["stretch"])):
            found.loc[group.index, name] = _taught(known, group, columns, prior_sd, share)
    found["forecast"] = rows["p_eb"]
    return found


def _taught(
    known: pd.DataFrame, group: pd.DataFrame, columns: list[str], prior_sd: float, share: float
) -> Any:
    if len(known) < MIN_KNOWN:
        return share
    fitted = fit(known[columns].to_numpy(), known["met"].to_numpy(dtype=float), prior_sd)
    return predict(fitted, group[columns].to_numpy())


def score(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Brier and log score of each forecast under each scheme; 90 % intervals resample whole due years.

    Returns
    -------
    DataFrame: scheme, forecast, n, brier, brier_low, brier_high, log, log_low, log_high, and gain, gain_low,
    gain_high: the base rate's Brier score minus the forecast's (positive: better than the base rate).
    """
    tables = []
    for scheme in SCHEMES:
        odds = predictions(rows, scheme)
        tables.append(_scores_of(odds, rows, seed).assign(scheme=scheme))
    for sd in OTHER_PRIOR_SDS:
        odds = predictions(rows, "other governments", sd)[["model", "base rate"]]
        table = _scores_of(odds, rows, seed).assign(scheme="other governments").query("forecast == 'model'")
        tables.append(table.assign(forecast=f"model, prior {sd:g}"))
    table = pd.concat(tables, ignore_index=True)
    return table[["scheme", *[c for c in table if c != "scheme"]]]


def _scores_of(odds: pd.DataFrame, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    met = rows["met"].to_numpy(dtype=float)[:, None]
    p = odds.to_numpy()
    q = np.clip(p, SUREST, 1 - SUREST)
    brier, log = (p - met) ** 2, -(met * np.log(q) + (1 - met) * np.log(1 - q))
    gain = brier[:, [list(odds).index("base rate")]] - brier
    table = pd.DataFrame({"forecast": list(odds), "n": len(rows)})
    for name, values in (("brier", brier), ("log", log), ("gain", gain)):
        low, high = resampled(values, rows["due"].to_numpy(), seed)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = values.mean(axis=0), low, high
    return table


def resampled(values: Array, cluster: Array, seed: int) -> tuple[Array, Array]:
    """5 % and 95 % bounds of the column means when whole clusters are drawn with replacement."""
    _, index = np.unique(cluster, return_inverse=True)
    sums = np.stack([np.bincount(index, column) for column in values.T], axis=1)
    counts = np.bincount(index)
    drawn = np.random.default_rng(seed).integers(0, len(counts), (DRAWS, len(counts)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)[:, None]
    low, high = np.quantile(means, [0.05, 0.95], axis=0)
    return low, high


def effects(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Odds ratio of being met for one standard deviation more of each feature; whole due years resampled.

    Returns
    -------
    DataFrame: feature, sd (of the feature), odds_ratio, low, high (5 % and 95 % bounds).
    """
    x, met = rows[list(FEATURES)].to_numpy(), rows["met"].to_numpy(dtype=float)
    b, _, scale = fit(x, met)
    years = [np.flatnonzero(rows["due"] == year) for year in np.unique(rows["due"])]
    rng = np.random.default_rng(seed)
    draws = [
        np.concatenate([years[i] for i in rng.integers(0, len(years), len(years))]) for _ in range(DRAWS // 2)
    ]
    # In the units of the whole register: a draw has standard deviations of its own.
    others = []
    for drawn in draws:
        own, _, own_scale = fit(x[drawn], met[drawn])
        others.append(own[1:] / own_scale * scale)
    low, high = np.quantile(others, [0.05, 0.95], axis=0)
    return pd.DataFrame(
        {
            "feature": list(FEATURES),
            "sd": scale,
            "odds_ratio": np.exp(b[1:]),
            "low": np.exp(low),
            "high": np.exp(high),
        }
    )


FORECAST_NAMES = {
    "model": "the model, five features",
    "stretch alone": "the model, growth beyond expectation alone",
    "forecast": "the forecast, nothing learnt from targets",
    "base rate": "share met among the targets learnt from",
}


def effects_table() -> pd.DataFrame:
    """Odds ratio of each feature with its interval, formatted."""
    kept = read_kept("register_effects.csv")
    return pd.DataFrame(
        {
            "one standard deviation more of": kept["feature"].map(FEATURES),
            "changes the odds of being met by": [f"× {r.odds_ratio:.2f}" for r in kept.itertuples()],
            "90 % interval": [f"{r.low:.2f} to {r.high:.2f}" for r in kept.itertuples()],
        }
    )


def model_table() -> pd.DataFrame:
    """Scores of the model beside the forecast and the share met, formatted; lower is better."""
    kept = read_kept("register_model.csv")
    rows = kept[kept["forecast"].isin(list(FORECAST_NAMES))]
    return pd.DataFrame(
        {
            "learnt from": rows["scheme"],
            "probability by": rows["forecast"].map(FORECAST_NAMES),
            "Brier (90 %)": [_bounded(r.brier, r.brier_low, r.brier_high) for r in rows.itertuples()],
            "log score (90 %)": [_bounded(r.log, r.log_low, r.log_high) for r in rows.itertuples()],
            "gain on the share met (90 %)": [
                _bounded(r.gain, r.gain_low, r.gain_high) for r in rows.itertuples()
            ],
        }
    )


def _bounded(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ({low:.3f} to {high:.3f})".replace("-", "−")


def in_words() -> str:
    """Whether the model beats the share met, and which features go with it, as sentences."""
    scores, effects = read_kept("register_model.csv"), read_kept("register_effects.csv")
    model = scores[scores["forecast"] == "model"].set_index("scheme")
    better = [scheme for scheme, row in model.iterrows() if row["gain_low"] > 0]
    worse = [scheme for scheme, row in model.iterrows() if row["gain_high"] < 0]
    clear = effects[(effects["low"] > 1) | (effects["high"] < 1)]
    verdict = (
        f"The model **beats the plain share met** where it learns from {' and from '.join(better)}"
        if better
        else "The model **does not beat the plain share met** in any of the three ways of testing it"
    )
    also = f", and is worse where it learns from what was {' and '.join(worse)}" if worse else ""
    found = "; ".join(f"{FEATURES[row.feature]} (× {row.odds_ratio:.2f})" for row in clear.itertuples())
    features = (
        f"Of the five features only this has an effect that its interval tells from none: {found}."
        if len(clear) == 1
        else f"Features whose interval tells their effect from none: {found or 'not one'}."
    )
    return f"{verdict}{also}. {features}"


def for_goal(case: GoalCase, goal: Goal, size_usd: float, scores: pd.DataFrame) -> str:
    """What the model, fitted to the targets resolved before the case's day, would have said of this goal."""
    rows = features(scores, load_targets())
    known = rows[rows["resolved"] < case.as_of.year]
    if len(known) < MIN_KNOWN:
        return f"Before {case.as_of.year} only {len(known)} targets were resolved: too few to fit the model."
    one = features_of(
        size_usd=size_usd,
        origin=goal.base_year,
        world=case.partner == "World",
        rate=goal.rate,
        years=goal.years,
        sub_national=_is_sub_national(case.reporter),
        as_growth="%" in goal.stated_as,
    )
    fitted = fit(known[list(FEATURES)].to_numpy(), known["met"].to_numpy(dtype=float))
    p = float(predict(fitted, one)[0])
    return (
        f"Fitted to the {len(known)} targets resolved before {case.as_of.year}, of which "
        f"{percent(known['met'].mean())} were met, it would have given this goal {percent(p)}."
    )


def _is_sub_national(reporter: str) -> bool:
    kinds = load_reporters().set_index("name")["kind"]
    return kinds.get(reporter, "country") in ("province", "city", "zone", "region")
