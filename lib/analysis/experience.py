"""Experience with goals: how often flows grew so fast, and what became of announced targets."""

import numpy as np
import pandas as pd

from lib.analysis.scores import contest
from lib.reference import read_kept

OUTCOME_WORDS = {
    "next_year_ge25": "+25 % or more in the next year",
    "next_year_fall": "a fall in the next year",
    "each_of_next_3_ge25": "+25 % or more in each of three years",
    "3y_ge_1.25^3": "+25 % a year on average over three years",
    "5y_ge_1.25^5": "+25 % a year on average over five years",
    "5y_below_start": "below the start after five years",
}


def hindsight(size: float, flow: str) -> pd.DataFrame:
    """Shares over the whole panel with 90 % bands: flows of the size, and those after a jump.

    Returns
    -------
    Frame: then (`OUTCOME_WORDS`), condition, share, low, high.
    """
    kept = read_kept("base_rates.csv")
    panel = "BACI two-way total" if flow == "total" else "BACI directed"
    whole = np.isfinite(kept["size_to_usd"]) | (kept["size_from_usd"] == kept["size_from_usd"].max())
    rows = kept[(kept["panel"] == panel) & (kept["years"] == "2001-2020") & whole]
    class_of = rows["size_from_usd"].where(rows["size_from_usd"] <= size).max()
    rows = rows[rows["size_from_usd"] == (rows["size_from_usd"].min() if pd.isna(class_of) else class_of)]
    found = rows.assign(then=rows["outcome"].map(OUTCOME_WORDS)).dropna(subset="then")
    return found[["then", "condition", "share", "low", "high"]].reset_index(drop=True)


def shares(scores: pd.DataFrame, key: pd.Series) -> pd.DataFrame:
    """Share met by group with the 90 % interval of Jeffreys (Brown, Cai & DasGupta 2001); ignores that a year is shared.

    Parameters
    ----------
    scores : as `lib.analysis.register.score_register` gives them; key : the group of each row.

    Returns
    -------
    Frame indexed by group: share, n (targets), low, high.
    """
    from statsmodels.stats.proportion import proportion_confint

    found = scores.groupby(key.rename("group"), observed=True)["met"].agg(["mean", "sum", "size"])
    low, high = proportion_confint(found["sum"], found["size"], alpha=0.1, method="jeffreys")
    return pd.DataFrame({"share": found["mean"], "n": found["size"], "low": low, "high": high})


SCORES = {
    "p_law": "forecast",
    "p_pulled": "forecast, pulled to what earlier targets met",
    "p_half": "a constant ½",
    "p_base_known": "share met among targets resolved before",
    "p_base_other_years": "share met among targets of other years (hindsight)",
}
"""The probabilities of the register that are compared, and what they are called."""


def brier_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Brier scores of probabilities of targets beside a constant ½; due years are resampled (90 %).

    Returns
    -------
    Frame indexed by `SCORES`: brier, mean (probability), against_half (better, worse, level), low, high (of the
    difference to ½).
    """
    met, rows = scores["met"], {}
    for name in SCORES:
        brier = (scores[name] - met) ** 2
        told, apart = contest(brier, (0.5 - met) ** 2, scores["due"])
        rows[name] = (brier.mean(), scores[name].mean(), told, apart.low, apart.high)
    columns = ["brier", "mean", "against_half", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def calibration(scores: pd.DataFrame) -> pd.DataFrame:
    """Probability given at announcement (p, mean) against share met (met) and n, by tenths, with intervals."""
    tenth = np.minimum((scores["p_law"] * 10).astype(int), 9)
    found = shares(scores, tenth).rename(columns={"share": "met"})
    return found.assign(p=scores["p_law"].groupby(tenth).mean()).reset_index(drop=True)
