"""Experience with goals: how often flows grew so fast, and what became of announced targets."""

from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lib.analysis.register import score_register
from lib.analysis.scores import contest
from lib.cases import GoalCase
from lib.errors import UserError
from lib.figures import load_targets
from lib.goals import Goal
from lib.reference import last_released, read_kept, size_class
from lib.results import Estimate

PANEL_LINE = (
    "Flows between two countries: CEPII BACI 2000–2020, longer horizons OEC 1962–2014; computed here."
)

REGISTER_LINE = "Register of announced trade targets, data/targets.csv; each row has its sources."

OUTCOME_WORDS = {
    "next_year_ge25": "+25 % or more in the next year",
    "next_year_fall": "a fall in the next year",
    "each_of_next_3_ge25": "+25 % or more in each of three years",
    "3y_ge_1.25^3": "+25 % a year on average over three years",
    "5y_ge_1.25^5": "+25 % a year on average over five years",
    "5y_below_start": "below the start after five years",
}

BAND = 0.07
"""Targets count as alike when their implied growth is within this of the goal's."""

LONG_YEARS = 3


HORIZON = 10
"""Longest horizon looked at, years."""

PROBABILITIES = (0.02, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)

HORIZONS = (1, 2, 3, 5, 10)


def base_rate(size_usd: float, origin: int, horizon: int, rate: ArrayLike) -> Any:
    """Share of flows of this size that grew by `rate` a year or more on average, as known at the origin.

    Parameters
    ----------
    size_usd : current US dollars a year at the start.
    origin : last year known; the latest kept origin not after it is used, of BACI from 2002, else of OEC.
    horizon : years, 1 to 10 (between kept horizons: of growth a year, linearly).
    rate : growth a year, fractions.
    """
    if not 1 <= horizon <= HORIZON:
        raise UserError(f"horizon: found {horizon}, expected 1 to {HORIZON} years")
    table = read_kept("growth_distributions.csv")
    for name in ("BACI", "OEC"):
        rows = table[(table["panel"] == name) & (table["origin"] <= origin)]
        rows = rows[rows["origin"] == rows["origin"].max()]
        if len(rows) and rows["horizon"].max() >= horizon:
            return 1 - _cumulative(rows, int(size_class(size_usd)), horizon, np.log1p(np.asarray(rate)))
    raise UserError(f"base rate: no panel is long enough for {horizon} years known at {origin}")


def known_share(size_usd: float, day: date, horizon: int, rate: ArrayLike) -> Any:
    """`base_rate` as the panels that were out on a day had it; beyond the longest kept horizon that of the longest."""
    return base_rate(size_usd, last_released(day), min(horizon, HORIZON), rate)


def _cumulative(rows: pd.DataFrame, index: int, horizon: int, log_rate: Any) -> Any:
    nearest = rows["size_class"].iloc[(rows["size_class"] - index).abs().argmin()]
    rows = rows[rows["size_class"] == nearest].sort_values("horizon")
    quantiles = rows[[str(p) for p in PROBABILITIES]].to_numpy() / rows["horizon"].to_numpy()[:, None]
    at = [np.interp(horizon, rows["horizon"], column) for column in quantiles.T]
    return np.interp(
        log_rate, at, PROBABILITIES, left=PROBABILITIES[0] / 2, right=(1 + PROBABILITIES[-1]) / 2
    )


def size_usd(case: GoalCase, goal: Goal) -> float:
    """Level of the base in US dollars, for the size class."""
    return case.usd_mn(goal.base_mn, goal.base_year) * 1e6


def base_rates(size: float, known: int, growth_rate: float) -> pd.Series:
    """Share of flows of a size that grew by a rate a year or more, by horizon, from the years to `known`."""
    shares = [float(base_rate(size, known, horizon, growth_rate)) for horizon in HORIZONS]
    return pd.Series(shares, index=pd.Index(HORIZONS, name="years"), name="share")


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


@lru_cache(maxsize=1)
def register() -> pd.DataFrame:
    """Every resolved target with its probability at announcement (`score_register`)."""
    return score_register(load_targets())


def alike(scores: pd.DataFrame, growth_rate: float, years: int) -> pd.DataFrame:
    """Targets with implied growth within `BAND` of the rate, and a horizon as long or short as `years`."""
    near = (scores["rate"] - growth_rate).abs() <= BAND + 1e-9
    same = (scores["horizon"] >= LONG_YEARS) == (years >= LONG_YEARS)
    return scores[near & same]


def by_due_year(scores: pd.DataFrame) -> pd.DataFrame:
    """Share met and number of targets by due year."""
    return _shares(scores, scores["due"].astype(str))


def by_height(scores: pd.DataFrame) -> pd.DataFrame:
    """Share met and number of targets by implied growth a year."""
    edges = [-np.inf, 0.05, 0.10, 0.15, 0.20, 0.30, np.inf]
    labels = ["< 5", "5–10", "10–15", "15–20", "20–30", "> 30"]
    return _shares(scores, pd.cut(scores["rate"], edges, labels=labels, right=False))


def _shares(scores: pd.DataFrame, key: pd.Series) -> pd.DataFrame:
    """Share met by group with the 90 % interval of Jeffreys (Brown, Cai & DasGupta 2001); ignores that a year is shared."""
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
    found = _shares(scores, tenth).rename(columns={"share": "met"})
    return found.assign(p=scores["p_law"].groupby(tenth).mean()).reset_index(drop=True)


def alike_table(found: pd.DataFrame) -> pd.DataFrame:
    """The targets alike with whose trade they are of and who announced them: columns of the register."""
    return found.merge(
        load_targets()[["target_id", "announcer", "reporter", "partner", "flow"]], on="target_id"
    )


def sources(found: pd.DataFrame) -> pd.DataFrame:
    """Addresses of the announcements and outcomes of some targets."""
    rows = load_targets().set_index("target_id").loc[found["target_id"]].reset_index()
    names = {
        "target_id": "row of targets.csv",
        "source_target_url": "announced",
        "source_outcome_url": "outcome",
    }
    return rows[list(names)].rename(columns=names)


def estimates(shares: pd.Series, case: GoalCase) -> list[Estimate]:
    """Base rates by horizon as rows for the result; the period is the last year of the horizon."""
    return [
        Estimate(
            target="base rate",
            period=case.as_of.year - 1 + int(years),
            output_type="probability",
            output_type_id=None,
            value=float(share),
            unit="share of flows",
        )
        for years, share in shares.items()
    ]
