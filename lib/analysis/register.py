"""The register of announced targets: what the law would have said on announcement, and what goes with being met.

The law knows no figure of the flow itself here, only what the row states: size of the base, growth that the
target implies, years from base to target, whether it is trade with one country or with the world; and the
reference class as the panels released by the day of the announcement had it.

Those who announce a target know more, most often how the year goes. A pull towards that is learnt from targets resolved
before (`_pulled`).

Which features of a target go with its being met is asked of a ridge logistic regression over the register (Hoerl &
Kennard 1970, le Cessie & van Houwelingen 1992): five standardised features, and a normal prior of standard deviation
`PRIOR_SD` on their coefficients that is fixed beforehand, not tuned on the register.
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtri

from lib import law
from lib.economies import economies
from lib.figures import load_reporters
from lib.law import Posterior
from lib.reference import SIZES, Array, last_released, prior_for, size_class
from lib.spoken import read_place

USD_PER_UNIT = {
    "USD": 1.0, "EUR": 1.25, "GBP": 1.6, "JPY": 0.01, "INR": 0.018, "CNY": 0.15, "NZD": 0.7, "AUD": 0.8, "EGP": 0.1, "MYR": 0.24,
}  # fmt: skip
"""Rough rates, good enough to place a flow in a size class tens of times wider; nothing else uses them."""

# Size where the row states none, near the median of the others: trade with the world, with one country.
TYPICAL_USD = {True: 5e10, False: 2e9}

# The probabilities that are compared with a constant ½.
SCORES = ("p_law", "p_pulled", "p_half", "p_base_known", "p_base_other_years")

# Words in a note by which a verdict was taken early or from a part of the period.
UNCERTAIN = r"verdict from|partial|months|estimate|not comparable|doubt"


def score_register(targets: pd.DataFrame) -> pd.DataFrame:
    """Probability at announcement of every resolved target of a whole trade whose implied growth is known.

    Returns
    -------
    One row for each target: target_id, announced, due, horizon (years from base to target), rate (growth a
    year that it implies, fraction), size_usd, world, kind, family, primary, doubtful, first (the first row of
    its announcer, partner and due year), met (0 or 1), and the probabilities: p_law; p_pulled (`_pulled`); p_half (a
    constant ½); p_base_known (share met among targets announced and resolved before the announcement year, Jeffreys);
    with hindsight p_base_other_years (share met among targets due in other years) and p_base_others (share met among
    all others).
    """
    t = targets[targets["met"].isin(["yes", "no"]) & (left_out(targets) == "")]
    stated = t["target_value"].where(t["measure"] == "growth_pct_per_year")
    year = pd.to_numeric(t["announced"].str[:4]).fillna(t["base_year"].astype(float) + 1)
    # The day; of a year or month alone its first, of which nothing later was surely known.
    first_day = t["announced"].where(t["announced"] != "", year.map("{:.0f}-01-01".format))
    unit = t["base_unit"].str.extract(r"^(\w+) (bn|mn)$")
    size = t["base_value"] * unit[0].map(USD_PER_UNIT) * unit[1].map({"bn": 1e9, "mn": 1e6})
    rows = t[["target_id"]].assign(announced=year, due=t["target_year"].astype(float))
    rows = rows.assign(
        horizon=rows["due"] - t["base_year"].astype(float).fillna(year - 1),
        rate=t["implied_growth_pct_per_year"].fillna(stated) / 100,
        size_usd=size.fillna((t["partner"] == "World").map(TYPICAL_USD)),
        world=t["partner"] == "World",
        kind=t["measure"],
        family=t["family"],
        primary=t["primary"],
        doubtful=t["note"].str.contains(UNCERTAIN, case=False) | (t["outcome_year"] < t["target_year"]),
        first=~t.duplicated(["announcer", "partner", "target_year"]),
        met=(t["met"] == "yes").astype(int),
        day=pd.to_datetime(first_day, format="ISO8601", errors="coerce").dt.date,
        resolved=t["outcome_year"].astype(float),
    )
    usable = rows[["announced", "due", "rate"]].notna().all(axis=1) & (rows["horizon"] >= 1)
    rows = rows[usable].astype({"announced": int, "due": int, "horizon": int}).reset_index(drop=True)
    rows["p_law"] = [chance(r.size_usd, r.day, r.world, r.horizon, r.rate) for r in rows.itertuples()]
    known = [rows["met"][known_before(rows, year)] for year in rows["announced"]]
    rows = rows.assign(
        p_pulled=_pulled(rows),
        p_half=0.5,
        p_base_known=[(met.sum() + 0.5) / (len(met) + 1) for met in known],
        p_base_other_years=[rows["met"][rows["due"] != due].mean() for due in rows["due"]],
        p_base_others=(rows["met"].sum() - rows["met"]) / (len(rows) - 1),
    )
    return rows.drop(columns=["resolved", "day"])


def known_before(rows: pd.DataFrame, year: float) -> pd.Series:
    """Which targets were announced and resolved before a year.

    Targets of a fiscal year may be announced in the calendar year after its label: none may teach itself.
    """
    return (rows["resolved"] < year) & (rows["announced"] < year)


PULL_SD = 0.5  # log odds, of the pull before any target has been resolved: fixed beforehand


def _pulled(rows: pd.DataFrame) -> pd.Series:
    """The probabilities of the law, their log odds moved by what the targets resolved before the announcement teach.

    One shift for trade with one country and one for trade with the world, the most probable under a normal prior.
    """
    found = pd.Series(index=rows.index, dtype=float)
    for (year, world), group in rows.groupby(["announced", "world"]):
        known = rows[known_before(rows, year) & (rows["world"] == world)]
        met, odds = known["met"].to_numpy(), logit(known["p_law"].to_numpy())
        shift = _ridge(np.ones((len(known), 1)), met, np.array([PULL_SD**-2]), odds)
        found[group.index] = expit(logit(group["p_law"]) + shift[0])
    return found


def _ridge(design: Array, met: Array, penalty: Array, offset: Array | float = 0.0) -> Array:
    """Most probable coefficients of a logistic regression under normal priors of precision `penalty`: Newton's method."""
    b = np.zeros(design.shape[1])
    for _ in range(50):
        p = expit(offset + design @ b)
        gradient = design.T @ (met - p) - penalty * b
        step = np.linalg.solve((design.T * (p * (1 - p))) @ design + np.diag(penalty), gradient)
        b = b + step
        if np.abs(step).max() < 1e-10:
            break
    return b


def left_out(targets: pd.DataFrame) -> pd.Series:
    """Why a target tells nothing of goals to grow a whole trade: "a sector", "below its base", or "".

    A goal below the level of its base year is met by a fall; that judgement is made here and alters no value.
    """
    stated = targets["target_value"].where(targets["measure"] == "growth_pct_per_year")
    asks_for = targets["implied_growth_pct_per_year"].fillna(stated)
    same = targets["target_unit"] == targets["base_unit"]
    below = (asks_for < 0) | (same & (targets["target_value"] < targets["base_value"]))
    found = pd.Series("", index=targets.index).mask(below, "below its base")
    return found.mask(targets["sector"] != "", "a sector")


def chance(size_usd: float, day: date, world: bool, years: int, rate: float) -> float:
    """Probability of `rate` a year on average over `years` for a flow of a size of which no figure is known."""
    of = _expected(int(size_class(size_usd)), last_released(day, world), world)
    return float(law.p_reach(of, years * np.log1p(rate), years))


@lru_cache(maxsize=256)
def _expected(size_index: int, origin: int, world: bool) -> Posterior:
    """What the panels up to a year say of the growth of flows of a size class."""
    prior = law.drawn(prior_for(float(SIZES[size_index]) + 1, origin, world))
    return law.posterior(np.array([np.nan]), prior)


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
    brier = scores[[*SCORES, "p_base_others"]].sub(scores["met"], axis=0) ** 2
    brier.columns = [f"brier_{name[2:]}" for name in brier]
    values = pd.concat([scores["met"], scores["p_law"].rename("mean_p_law"), brier], axis=1)
    inside = {name: values[group(scores)] for name, group in GROUPS.items()}
    found = pd.DataFrame({name: part.mean() for name, part in inside.items()}).T
    found.insert(0, "n", [len(part) for part in inside.values()])
    return found.rename_axis("group").reset_index()


# Growth beyond what flows of the size lead to expect, in standard deviations; log of years and of dollars; whether the
# government is below the national level; whether the target is stated as growth.
FEATURES = ("stretch", "log_horizon", "log_size", "sub_national", "as_growth")
PRIOR_SD = 0.5  # of a coefficient: one standard deviation of a feature changes the odds by 1.6 or so
MIN_KNOWN = 20  # resolved targets from which the model is fitted; before that the share known is taken


def features(scores: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Features of resolved targets, and what they are grouped by, from `score_register`'s rows and the targets.

    Returns
    -------
    One row a target: `FEATURES`, target_id, due, announced, met, p_law, reporter (the government whose trade it is),
    resolved.
    """
    known = targets.set_index("target_id").loc[scores["target_id"]].reset_index()
    nations = {economy.name for economy in economies()}
    below = ~known["reporter"].map(read_place).isin(nations)
    as_growth = scores["kind"] == "growth_pct_per_year"
    found = _features(scores["p_law"], scores["horizon"], scores["size_usd"], below, as_growth)
    rest = scores[["target_id", "due", "announced", "met", "p_law"]]
    resolved = known["outcome_year"].astype(float)
    return pd.concat([found, rest, known["reporter"], resolved.rename("resolved")], axis=1)


def _features(p_law: Any, years: Any, size_usd: Any, sub_national: Any, as_growth: Any) -> pd.DataFrame:
    """The `FEATURES` of targets; the first is how far the growth asked for lies above what the class leads to expect."""
    values = (-ndtri(p_law), np.log(years), np.log(size_usd), sub_national, as_growth)
    return pd.DataFrame(dict(zip(FEATURES, values, strict=True)), dtype=float)


def fit(x: Array, met: Array, prior_sd: float = PRIOR_SD) -> tuple[Array, Array, Array]:
    """Ridge logistic regression: maximises ``sum(log p) − sum(b²) / (2 prior_sd²)``, with an intercept without a prior.

    Returns
    -------
    Coefficients of the standardised features with the intercept first, and mean and standard deviation of each feature;
    `x` has the shape (targets, features).
    """
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    return _ridge(design, met, np.array([1e-9, *[prior_sd**-2] * x.shape[1]])), centre, scale


def predict(fitted: tuple[Array, Array, Array], x: Array) -> Array:
    """Probability of being met for features of shape (targets, features)."""
    b, centre, scale = fitted
    return expit(b[0] + ((x - centre) / scale) @ b[1:])


def for_goal(
    rows: pd.DataFrame, year: int, reporter: str, **goal: float
) -> tuple[float | None, pd.DataFrame]:
    """What the model would have said of a goal in a year, and the targets resolved before that it is fitted to.

    `rows` are as `features` gives them; of the goal p_law (from its reference class alone: `chance`), years, size_usd and
    as_growth are given. The probability is None where fewer than `MIN_KNOWN` targets were resolved.
    """
    known = rows[rows["resolved"] < year]
    if len(known) < MIN_KNOWN:
        return None, known
    kind = load_reporters().set_index("name")["kind"].get(reporter, "country")
    below = kind in ("province", "city", "zone", "region")
    one = _features(sub_national=[below], **{name: [value] for name, value in goal.items()})
    fitted = fit(known[list(FEATURES)].to_numpy(), known["met"].to_numpy(dtype=float))
    return float(predict(fitted, one.to_numpy())[0]), known
