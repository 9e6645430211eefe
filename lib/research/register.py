"""The register of targets as steps: what the forecast would have said, and what goes with a target being met.

The model (`lib.analysis.register.fit`) is scored on targets that it was not fitted to, in three ways, each beside the
share met among the same targets: without the announcing government, without the due year, and with nothing but what
was resolved before the announcement.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.analysis import register
from lib.figures import load_targets
from lib.research.panels import Progress, Tables, bounds, first_columns

SUREST = 0.01
"""No probability is closer to 0 or 1 in the log score: it would hang on a single target."""

DRAWS = 1000

SCHEMES: dict[str, tuple[str, Callable[[pd.DataFrame, Any], Any]]] = {
    "other governments": ("reporter", lambda rows, one: rows["reporter"] != one),
    "other due years": ("due", lambda rows, one: rows["due"] != one),
    "known at announcement": ("announced", register.known_before),
}
"""How the targets are found to which the model is fitted, for each that it is scored on: what they are grouped by, and
which rows may teach it. "Other governments" still share the shocks of a year, so it flatters."""


def _predictions(rows: pd.DataFrame, scheme: str, prior_sd: float = register.PRIOR_SD) -> pd.DataFrame:
    """Probability of each target from targets that may teach it, one column a forecast."""
    by, may_teach = SCHEMES[scheme]
    found = pd.DataFrame(index=rows.index, columns=["model", "stretch alone"], dtype=float)
    found = found.assign(law=rows["p_law"], half=0.5, **{"base rate": np.nan})
    for one, group in rows.groupby(by):
        known = rows[may_teach(rows, one)]
        share = (known["met"].sum() + 0.5) / (len(known) + 1)
        found.loc[group.index, ["model", "stretch alone", "base rate"]] = share
        for name, columns in (("model", list(register.FEATURES)), ("stretch alone", ["stretch"])):
            if len(known) >= register.MIN_KNOWN:
                fitted = register.fit(known[columns].to_numpy(), known["met"].to_numpy(dtype=float), prior_sd)
                found.loc[group.index, name] = register.predict(fitted, group[columns].to_numpy())
    return found


def _score(rows: pd.DataFrame) -> pd.DataFrame:
    """Brier and log score of each forecast under each scheme; 90 % intervals resample whole due years.

    The gain is the base rate's Brier score minus the forecast's (positive: better than the base rate).
    """
    tables = [_scores_of(_predictions(rows, scheme), rows).assign(scheme=scheme) for scheme in SCHEMES]
    scheme = "other governments"
    for sd in (0.25, 1.0):  # other priors
        table = _scores_of(_predictions(rows, scheme, sd), rows).query("forecast == 'model'")
        tables.append(table.assign(forecast=f"model, prior {sd:g}", scheme=scheme))
    return first_columns(pd.concat(tables, ignore_index=True), "scheme")


def _scores_of(odds: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    met, p = rows["met"].to_numpy(dtype=float)[:, None], odds.to_numpy()
    q = np.clip(p, SUREST, 1 - SUREST)
    brier, log = (p - met) ** 2, -(met * np.log(q) + (1 - met) * np.log(1 - q))
    gain = brier[:, [odds.columns.get_loc("base rate")]] - brier
    table, due = pd.DataFrame({"forecast": list(odds), "n": len(rows)}), rows.groupby("due").size().to_numpy()
    for name, values in (("brier", brier), ("log", log), ("gain", gain)):
        sums = pd.DataFrame(values).groupby(rows["due"].to_numpy()).sum().to_numpy()
        low, high = bounds(sums, due[:, None], DRAWS)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = values.mean(axis=0), low, high
    return table


def _effects(rows: pd.DataFrame) -> pd.DataFrame:
    """Odds ratio of being met for one sd more of each feature, and its bounds (5 % and 95 %, due years resampled)."""
    x, met = rows[list(register.FEATURES)].to_numpy(), rows["met"].to_numpy(dtype=float)
    b, _, scale = register.fit(x, met)
    years = [np.flatnonzero(rows["due"] == year) for year in np.unique(rows["due"])]
    rng = np.random.default_rng(0)
    others = []
    for _ in range(DRAWS // 2):
        drawn = np.concatenate([years[i] for i in rng.integers(0, len(years), len(years))])
        own, _, own_scale = register.fit(x[drawn], met[drawn])
        others.append(own[1:] / own_scale * scale)  # in the units of the whole register
    low, high = np.exp(np.quantile(others, [0.05, 0.95], axis=0))
    found = {"feature": list(register.FEATURES), "sd": scale, "odds_ratio": np.exp(b[1:])}
    return pd.DataFrame(found | {"low": low, "high": high})


# --- the steps ---


def scores(_folder: Path, _progress: Progress = iter) -> Tables:
    """Step: the forecast at announcement beside what came, by target and by group."""
    found = register.score_register(load_targets())
    return {"register_scores.csv": found, "register_summary.csv": register.summarise(found)}


def model(_folder: Path, _progress: Progress = iter) -> Tables:
    """Step: the model over the register, scored on targets that it was not fitted to."""
    targets = load_targets()
    rows = register.features(register.score_register(targets), targets)
    return {"register_model.csv": _score(rows), "register_effects.csv": _effects(rows)}
