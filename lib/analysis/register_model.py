"""Which features of an announced target go with its being met: a ridge logistic regression over the register.

Five features: how far the implied growth lies beyond what the reference class leads to expect, horizon, size,
whether the government is sub-national, and whether the target is stated as growth. Coefficients are those of
standardised features, with a normal prior of standard deviation `PRIOR_SD` (ridge; Hoerl & Kennard 1970, le Cessie
& van Houwelingen 1992) that is fixed beforehand, not tuned on the register. The model is scored on targets that it
was not fitted to, in three ways, each beside the share met among the same targets: without the announcing
government, without the due year, and with nothing but what was resolved before the announcement.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri

from lib.analysis.register import known_before
from lib.figures import load_reporters
from lib.reference import Array

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

FORECASTS = ("model", "stretch alone", "law", "half", "base rate")

DRAWS = 1000


def features(scores: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Features of resolved targets, and what they are grouped by.

    Parameters
    ----------
    scores : as `lib.analysis.register.score_register` gives them; targets : as `lib.figures.load_targets` does.

    Returns
    -------
    One row a target: `FEATURES`, reporter (the government whose trade it is), due, announced, resolved, met, p_law.
    """
    known = targets.set_index("target_id").loc[scores["target_id"]].reset_index()
    frame = pd.DataFrame(
        {
            "stretch": stretch(scores["p_law"]),
            "log_horizon": np.log(scores["horizon"]),
            "log_size": np.log(scores["size_usd"]),
            "sub_national": known["reporter"].isin(SUB_NATIONAL).astype(float),
            "as_growth": (scores["kind"] == "growth_pct_per_year").astype(float),
        }
    )
    rest = scores[["target_id", "due", "announced", "met", "p_law"]]
    resolved = known["outcome_year"].astype(float)
    return pd.concat([frame, rest, known["reporter"], resolved.rename("resolved")], axis=1)


def stretch(p_law: Any) -> Any:
    """How many standard deviations the growth asked for lies above what the reference class leads to expect."""
    return -ndtri(p_law)


def _features_of(*, p_law: float, size_usd: float, years: int, sub_national: bool, as_growth: bool) -> Array:
    """Features of one goal, shape (1, features): as `features` has them for the register."""
    return np.array(
        [[stretch(p_law), np.log(years), np.log(size_usd), float(sub_national), float(as_growth)]]
    )


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
        known_before,
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
    found["law"], found["half"] = rows["p_law"], 0.5
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


def for_goal(
    rows: pd.DataFrame,
    year: int,
    *,
    p_law: float,
    size_usd: float,
    years: int,
    reporter: str,
    as_growth: bool,
) -> tuple[float | None, pd.DataFrame]:
    """What the model would have said of a goal in a year, and the targets resolved before that it is fitted to.

    Parameters
    ----------
    rows : as `features` gives them.
    p_law : of the goal, from its reference class alone (`lib.analysis.register.chance`); reporter : whose trade.

    Returns
    -------
    Probability, or None where fewer than `MIN_KNOWN` targets were resolved; and those targets.
    """
    known = rows[rows["resolved"] < year]
    if len(known) < MIN_KNOWN:
        return None, known
    kind = load_reporters().set_index("name")["kind"].get(reporter, "country")
    sub_national = kind in ("province", "city", "zone", "region")
    one = _features_of(
        p_law=p_law, size_usd=size_usd, years=years, sub_national=sub_national, as_growth=as_growth
    )
    fitted = fit(known[list(FEATURES)].to_numpy(), known["met"].to_numpy(dtype=float))
    return float(predict(fitted, one)[0]), known
