"""Experience with goals: how often flows grew so fast, and what became of announced targets."""

from functools import lru_cache

import numpy as np
import pandas as pd

from lib.analysis.register import calibration as calibration_of
from lib.analysis.register import score_register, summarise
from lib.cases import GoalCase
from lib.figures import load_targets
from lib.goals import Goal
from lib.reference import HORIZONS, base_rate, read_kept
from lib.results import Estimate
from lib.words import money, percent, rate
from lib.words import years as years_in_words

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


def size_usd(case: GoalCase, goal: Goal) -> float:
    """Level of the base in US dollars, for the size class."""
    usd_mn = goal.base_mn if case.currency == "USD" else goal.base_mn / case.rates()[goal.base_year]
    return float(usd_mn * 1e6)


def base_rates(size: float, origin: int, growth_rate: float) -> pd.Series:
    """Share of flows of a size that grew by a rate a year or more, by horizon, as known at the origin."""
    shares = [float(base_rate(size, origin, horizon, growth_rate)) for horizon in HORIZONS]
    return pd.Series(shares, index=pd.Index(HORIZONS, name="years"), name="share")


def hindsight_table(size: float, flow: str) -> pd.DataFrame:
    """Shares over the whole panel with 90 % bands: flows of the size, and those after a jump; formatted."""
    kept = read_kept("base_rates.csv")
    panel = "BACI two-way total" if flow == "total" else "BACI directed"
    whole = np.isfinite(kept["size_to_usd"]) | (kept["size_from_usd"] == kept["size_from_usd"].max())
    rows = kept[(kept["panel"] == panel) & (kept["years"] == "2001-2020") & whole]
    class_of = rows["size_from_usd"].where(rows["size_from_usd"] <= size).max()
    rows = rows[rows["size_from_usd"] == (rows["size_from_usd"].min() if pd.isna(class_of) else class_of)]
    shown = [f"{percent(r.share)} ({percent(r.low)} to {percent(r.high)})" for r in rows.itertuples()]
    frame = rows.assign(shown=shown, what=rows["outcome"].map(OUTCOME_WORDS)).dropna(subset="what")
    wide = frame.pivot(index="what", columns="condition", values="shown").loc[list(OUTCOME_WORDS.values())]
    return wide.rename_axis(index="then", columns=None).reset_index()


@lru_cache(maxsize=1)
def register() -> pd.DataFrame:
    """Every resolved target with its probability at announcement (`lib.analysis.register.score_register`)."""
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
    edges, labels = (
        [-np.inf, 0.05, 0.10, 0.15, 0.20, 0.30, np.inf],
        ["< 5", "5–10", "10–15", "15–20", "20–30", "> 30"],
    )
    return _shares(scores, pd.cut(scores["rate"], edges, labels=labels, right=False).astype(str), labels)


def _shares(scores: pd.DataFrame, key: pd.Series, order: list[str] | None = None) -> pd.DataFrame:
    """Share met by group with its interval."""
    found = scores.groupby(key.rename("group"))["met"].agg(["mean", "sum", "size"])
    found = found.loc[order] if order else found.sort_index()
    low, high = _jeffreys(found["sum"], found["size"])
    return pd.DataFrame({"share": found["mean"], "n": found["size"], "low": low, "high": high})


def _jeffreys(hits: pd.Series, n: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """90 % interval of a binomial share of Jeffreys (Brown, Cai & DasGupta 2001); ignores that a year is shared."""
    from scipy.stats import beta

    a, b = hits + 0.5, n - hits + 0.5
    return beta.ppf(0.05, a, b), beta.ppf(0.95, a, b)


def register_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Share met by group of targets, formatted."""
    found = summarise(scores)
    return pd.DataFrame(
        {
            "targets": found["group"],
            "resolved": found["n"],
            "met": [
                f"{round(n * share)} ({percent(share)})"
                for n, share in zip(found["n"], found["met"], strict=True)
            ],
        }
    )


def skill_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Brier scores of the forecast and of plain shares by group of targets, formatted; lower is better."""
    found = summarise(scores)
    columns = {
        "group": "targets",
        "n": "resolved",
        "mean_p_eb": "mean probability",
        "met": "met",
        "brier_eb": "Brier, forecast",
        "brier_eb_past_errors": "with past errors",
        "brier_base_known": "share known before",
        "brier_base_other_years": "share of other years",
    }
    shown = found[list(columns)].rename(columns=columns)
    for name in ("mean probability", "met"):
        shown[name] = shown[name].map(percent)
    return shown.round(3)


def calibration(scores: pd.DataFrame) -> pd.DataFrame:
    """Probability given against share met, by tenths (`lib.analysis.register.calibration`), with intervals."""
    found = calibration_of(scores)
    low, high = _jeffreys(found["met"] * found["n"], found["n"])
    return found.assign(low=low, high=high)


def alike_table(found: pd.DataFrame) -> pd.DataFrame:
    """The targets alike, formatted, with their announcers and addresses."""
    rows = found.merge(
        load_targets()[["target_id", "announcer", "reporter", "partner", "flow"]], on="target_id"
    )
    return pd.DataFrame(
        {
            "announced by": rows["announcer"],
            "trade of": rows["reporter"] + " with " + rows["partner"] + ", " + rows["flow"],
            "announced": rows["announced"],
            "due": rows["due"],
            "implied growth a year": rows["rate"].map(rate),
            "probability then": rows["p_eb"].map(percent),
            "outcome": np.where(rows["met"] == 1, "met", "missed"),
            "row of targets.csv": rows["target_id"],
        }
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


def in_words(case: GoalCase, goal: Goal, size: float, shares: pd.Series, found: pd.DataFrame) -> str:
    """Both kinds of experience for this goal, as sentences."""
    years = min(goal.years, int(shares.index.max()))
    share = float(base_rate(size, case.as_of.year - 1, years, goal.rate))
    span = "three years or more" if goal.years >= LONG_YEARS else "under three years"
    register_share = f"{found['met'].sum()} of {len(found)}" if len(found) else "none is in the register"
    return (
        f"Of flows of the size of {money(size / 1e6, 'USD')} a year, **{percent(share)}** grew by "
        f"{rate(goal.rate)} a year or more over {years_in_words(years)}, as known at the end of {case.as_of.year - 1}. "
        f"Of announced targets like this one (growth within seven points, {span}), as known today, "
        f"**{register_share}** were met."
    )


def shares_in_words(shares: pd.Series) -> str:
    """Shares by horizon as text."""
    return "; ".join(f"{years_in_words(years)} {percent(share)}" for years, share in shares.items())


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


def skill_in_words(scores: pd.DataFrame) -> str:
    """Whether the forecast beats plain shares over the register, and for high goals over several years."""
    found = summarise(scores).set_index("group")
    whole, high = found.loc["all"], found.loc["18 to 32 % over three years and more"]
    return (
        f"Over the whole register the forecast scores {_contest(whole)}. The first is all that was known at "
        "the time; the second nobody could know then. For goals of 18 to 32 % a year over three years or more "
        f"it scores {_contest(high)}. It gave {percent(whole['mean_p_eb'])} on average where "
        f"{percent(whole['met'])} were met: those who announce a target know more than the size of a flow, "
        "most often that the year is going well."
    )


def _contest(row: pd.Series) -> str:
    """The score of the forecast beside the two shares, in words."""
    known, other = row["brier_base_known"], row["brier_base_other_years"]
    return (
        f"{row['brier_eb']:.3f}, {_against(row['brier_eb'], known)} the share known before ({known:.3f}) and "
        f"{_against(row['brier_eb'], other)} the share of targets due in other years ({other:.3f})"
    )


def _against(score: float, other: float) -> str:
    return "better than" if score < other else "not better than"
