"""The register of announced targets: what the law would have said on announcement, against what happened.

The law knows no figure of the flow itself here, only what the row states: size of the base, growth that the
target implies, years from base to target, whether it is trade with one country or with the world; and the
reference class as the panels released by the day of the announcement had it.

Those who announce a target know more, most often how the year goes. A pull towards that, one number for trade with one
country and one for trade with the world, is learnt from targets resolved before (`_pulled`).
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from lib import law
from lib.law import Posterior
from lib.reference import SIZES, last_released, prior_for, size_class

USD_PER_UNIT = {
    "USD": 1.0, "EUR": 1.25, "GBP": 1.6, "JPY": 0.01, "INR": 0.018, "CNY": 0.15, "NZD": 0.7, "AUD": 0.8,
    "EGP": 0.1, "MYR": 0.24,
}  # fmt: skip
"""Rough rates, good enough to place a flow in a size class tens of times wider; nothing else uses them."""

TYPICAL_USD = {True: 5e10, False: 2e9}
"""Size where the row states none, near the median of the others: trade with the world, with one country."""

PROBABILITIES = ("p_law", "p_pulled", "p_half", "p_base_known", "p_base_other_years", "p_base_others")

UNCERTAIN = r"verdict from|partial|months|estimate|not comparable|doubt"
"""Words in a note by which a verdict was taken early or from a part of the period."""


def score_register(targets: pd.DataFrame) -> pd.DataFrame:
    """Probability at announcement of every resolved target whose implied growth is known.

    Parameters
    ----------
    targets : as `lib.figures.load_targets` gives them.

    Returns
    -------
    One row for each target: target_id, announced, due, horizon (years from base to target), rate (growth a
    year that it implies, fraction), size_usd, world, kind, family, primary, doubtful, first (the first row of
    its announcer, partner and due year), met (0 or 1), and the probabilities: p_law; p_pulled (`_pulled`); p_half (a
    constant ½); p_base_known (share met among targets announced and resolved before the announcement year, Jeffreys);
    with hindsight p_base_other_years (share met among targets due in other years) and p_base_others (share met among
    all others).
    """
    rows = _read_resolved(targets)
    rows["p_law"] = [chance(r.size_usd, r.day, r.world, r.horizon, r.rate) for r in rows.itertuples()]
    rows["p_pulled"] = _pulled(rows)
    rows["p_half"] = 0.5
    known = [rows["met"][known_before(rows, year)] for year in rows["announced"]]
    rows["p_base_known"] = [(met.sum() + 0.5) / (len(met) + 1) for met in known]
    rows["p_base_other_years"] = [rows["met"][rows["due"] != due].mean() for due in rows["due"]]
    rows["p_base_others"] = (rows["met"].sum() - rows["met"]) / (len(rows) - 1)
    return rows.drop(columns=["resolved", "day"])


def known_before(rows: pd.DataFrame, year: float) -> pd.Series:
    """Which targets were announced and resolved before a year.

    Targets of a fiscal year may be announced in the calendar year after its label: none may teach itself.
    """
    return (rows["resolved"] < year) & (rows["announced"] < year)


PULL_SD = 0.5
"""Standard deviation, in log odds, of the pull before any target has been resolved: fixed beforehand."""


def _pulled(rows: pd.DataFrame) -> pd.Series:
    """The probabilities of the law, their log odds moved by what the targets resolved before the announcement teach.

    One shift for trade with one country and one for trade with the world, with a normal prior around none (`PULL_SD`);
    its most probable value.
    """
    found = pd.Series(index=rows.index, dtype=float)
    for (year, _), group in rows.groupby(["announced", "world"]):
        known = rows[known_before(rows, year) & (rows["world"] == group["world"].iloc[0])]
        shift = _shift(logit(known["p_law"].to_numpy()), known["met"].to_numpy(dtype=float))
        found[group.index] = expit(logit(group["p_law"]) + shift)
    return found


def _shift(odds: np.ndarray, met: np.ndarray) -> float:
    """Newton's method on the log posterior, which is concave."""
    shift = 0.0
    for _ in range(30):
        p = expit(odds + shift)
        shift += float((np.sum(met - p) - shift / PULL_SD**2) / (np.sum(p * (1 - p)) + 1 / PULL_SD**2))
    return shift


def left_out(targets: pd.DataFrame) -> pd.Series:
    """Why a target tells nothing of goals to grow a whole trade: "a sector", "below its base", or "".

    A goal below the level of its base year is met by a fall; that judgement is made here and alters no value.
    """
    asks_for = targets["implied_growth_pct_per_year"].fillna(
        targets["target_value"].where(targets["measure"] == "growth_pct_per_year")
    )
    same = targets["target_unit"] == targets["base_unit"]
    below = (asks_for < 0) | (same & (targets["target_value"] < targets["base_value"]))
    found = pd.Series("", index=targets.index).mask(below, "below its base")
    return found.mask(targets["sector"] != "", "a sector")


def _read_resolved(targets: pd.DataFrame) -> pd.DataFrame:
    """Resolved targets of a whole trade with a deadline and an implied growth, as numbers."""
    t = targets[targets["met"].isin(["yes", "no"]) & (left_out(targets) == "")]
    stated = t["target_value"].where(t["measure"] == "growth_pct_per_year")
    announced = pd.to_numeric(t["announced"].str[:4]).fillna(t["base_year"].astype(float) + 1)
    base_year = t["base_year"].astype(float).fillna(announced - 1)
    due = t["target_year"].astype(float)
    size = t["base_value"] * [_usd(unit) for unit in t["base_unit"]]
    world = t["partner"] == "World"
    found = pd.DataFrame(
        {
            "target_id": t["target_id"],
            "announced": announced,
            "day": [_day(text, year) for text, year in zip(t["announced"], announced, strict=True)],
            "due": due,
            "resolved": t["outcome_year"].astype(float),
            "horizon": due - base_year,
            "rate": t["implied_growth_pct_per_year"].fillna(stated) / 100,
            "size_usd": size.fillna(world.map(TYPICAL_USD)),
            "world": world,
            "kind": t["measure"],
            "family": t["family"],
            "primary": t["primary"],
            "doubtful": t["note"].str.contains(UNCERTAIN, case=False)
            | (t["outcome_year"] < t["target_year"]),
            "first": ~t.duplicated(["announcer", "partner", "target_year"]),
            "met": (t["met"] == "yes").astype(int),
        }
    )
    usable = found[["announced", "due", "rate"]].notna().all(axis=1) & (found["horizon"] >= 1)
    whole = {"announced": int, "due": int, "horizon": int}
    return found[usable].astype(whole).reset_index(drop=True)


def _usd(unit: str) -> float:
    currency, _, scale = str(unit).partition(" ")
    return USD_PER_UNIT.get(currency, np.nan) * {"bn": 1e9, "mn": 1e6}.get(scale, np.nan)


def _day(announced: str, year: float) -> date | None:
    """The day of an announcement; of a year or month alone its first, of which nothing later was surely known."""
    if not np.isfinite(year):
        return None
    return pd.Timestamp(announced or f"{year:.0f}-01-01").date()


def chance(size_usd: float, day: date, world: bool, years: int, rate: float) -> float:
    """Probability of `rate` a year on average over `years` for a flow of a size of which no figure is known."""
    of = _expected(int(size_class(size_usd)), last_released(day, world), world)
    return float(law.p_reach(of, years * np.log1p(rate), years))


@lru_cache(maxsize=256)
def _expected(size_index: int, origin: int, world: bool) -> Posterior:
    """What the panels up to a year say of the growth of flows of a size class."""
    prior = prior_for(float(SIZES[size_index]) + 1, origin, world)
    return law.posterior(np.array([np.nan]), law.drawn(prior))


GROUPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "all": lambda r: r["met"] >= 0,
    "complete families, first goal of each year": lambda r: (r["family"] != "") & r["primary"],
    "not in a family": lambda r: r["family"] == "",
    "one per announcer, partner and due year": lambda r: r["first"],
    "without doubtful rows": lambda r: ~r["doubtful"],
    "stated as growth": lambda r: r["kind"] == "growth_pct_per_year",
    "stated as level or multiple": lambda r: r["kind"] != "growth_pct_per_year",
    "trade with one country": lambda r: ~r["world"],
    "trade with the world": lambda r: r["world"],
    "one year": lambda r: r["horizon"] == 1,
    "two to four years": lambda r: r["horizon"].between(2, 4),
    "five years and more": lambda r: r["horizon"] >= 5,
    "below 10 % a year": lambda r: r["rate"] < 0.10,
    "10 to 18 % a year": lambda r: (r["rate"] >= 0.10) & (r["rate"] < 0.18),
    "18 to 32 % a year": lambda r: (r["rate"] >= 0.18) & (r["rate"] < 0.32),
    "18 to 32 % over three years and more": lambda r: r["rate"].between(0.18, 0.32) & (r["horizon"] >= 3),
    "due to 2011": lambda r: r["due"] <= 2011,
    "due 2012 to 2016": lambda r: r["due"].between(2012, 2016),
    "due from 2017": lambda r: r["due"] >= 2017,
}


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Share met, mean probability and Brier score of each forecast, by group of targets."""
    rows = {name: _summary(scores[group(scores)]) for name, group in GROUPS.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("group").reset_index()


def _summary(part: pd.DataFrame) -> dict[str, float]:
    brier = {f"brier_{p[2:]}": float(((part[p] - part["met"]) ** 2).mean()) for p in PROBABILITIES}
    return {"n": len(part), "met": part["met"].mean(), "mean_p_law": part["p_law"].mean(), **brier}


def calibration(scores: pd.DataFrame, column: str = "p_law") -> pd.DataFrame:
    """How often targets were met by the probability given to them: p (mean), met (share), n, by tenths."""
    tenth = np.minimum((scores[column] * 10).astype(int), 9) / 10
    groups = scores.groupby(tenth.rename("from"))
    return groups.agg(p=(column, "mean"), met=("met", "mean"), n=("met", "size")).reset_index()
