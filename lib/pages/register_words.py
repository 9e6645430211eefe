"""What notebook 04 says of the model over the register: which features go with a target being met."""

import pandas as pd

from lib.backtests import register_model
from lib.backtests.register_model import FEATURES
from lib.figures import load_reporters, load_targets
from lib.goals import Goal
from lib.params import GoalCase
from lib.reference import read_kept
from lib.words import percent

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
    rows = register_model.features(scores, load_targets())
    known = rows[rows["resolved"] < case.as_of.year]
    if len(known) < register_model.MIN_KNOWN:
        return f"Before {case.as_of.year} only {len(known)} targets were resolved: too few to fit the model."
    one = register_model.features_of(
        size_usd=size_usd,
        origin=goal.base_year,
        world=case.partner == "World",
        rate=goal.rate,
        years=goal.years,
        sub_national=_is_sub_national(case.reporter),
        as_growth="%" in goal.stated_as,
    )
    fitted = register_model.fit(known[list(FEATURES)].to_numpy(), known["met"].to_numpy(dtype=float))
    p = float(register_model.predict(fitted, one)[0])
    return (
        f"Fitted to the {len(known)} targets resolved before {case.as_of.year}, of which "
        f"{percent(known['met'].mean())} were met, it would have given this goal {percent(p)}."
    )


def _is_sub_national(reporter: str) -> bool:
    kinds = load_reporters().set_index("name")["kind"]
    return kinds.get(reporter, "country") in ("province", "city", "zone", "region")
