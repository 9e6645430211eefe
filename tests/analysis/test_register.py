"""The model over the register: the ridge regression against references, and no target teaches itself."""

import functools
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some
from scipy.optimize import minimize
from scipy.stats import norm

from lib.analysis import register
from lib.analysis.register import FEATURES
from lib.cases import GoalCase
from lib.figures import load_targets
from lib.reference import HORIZONS, base_rate, last_released, read_kept
from lib.research import register as scored
from lib.research.panels import bounds


@pytest.fixture(scope="module")
def rows(scored_register: pd.DataFrame) -> pd.DataFrame:
    return register.features(scored_register, load_targets())


@pytest.fixture(scope="module")
def predicted(rows: pd.DataFrame) -> Callable[..., pd.DataFrame]:
    """The odds of a scheme."""
    return functools.cache(functools.partial(scored._predictions, rows))


@pytest.fixture(scope="module")
def scores(rows: pd.DataFrame, predicted: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scored, "_predictions", lambda rows, *asked: predicted(*asked))
        return scored._score(rows)


def simulated(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)) * [1.0, 5.0, 0.1] + [0.0, 10.0, -2.0]
    p = 1 / (1 + np.exp(-(0.4 + 1.2 * x[:, 0] - 0.2 * (x[:, 1] - 10))))
    return x, (rng.random(n) < p).astype(float)


# What is scored


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"sector": "seafood"}, "a sector"),
        ({"target_value": 9.0}, "below its base"),
        ({"target_value": 9.0, "base_unit": "CNY bn"}, ""),  # two currencies say nothing of each other
        ({"implied_growth_pct_per_year": -0.1, "base_value": np.nan}, "below its base"),
        (
            {"measure": "growth_pct_per_year", "target_value": -2.0, "target_unit": "pct per year"},
            "below its base",
        ),
        ({"target_value": 9.0, "sector": "seafood"}, "a sector"),
    ],
)
def test_a_goal_of_a_sector_or_below_its_base_is_left_out(changes: dict, why: str) -> None:
    goal = {
        "measure": "level", "target_value": 11.0, "target_unit": "USD bn", "base_value": 10.0,
        "base_unit": "USD bn", "implied_growth_pct_per_year": np.nan, "sector": "",
    }  # fmt: skip
    assert register.left_out(pd.DataFrame([goal | changes])).tolist() == [why]


def test_no_goal_that_is_left_out_is_scored(scored_register: pd.DataFrame) -> None:
    targets = load_targets()
    out = set(targets.loc[register.left_out(targets) != "", "target_id"])
    assert {"KR-AGRI-2015-7.7bn", "LA-EXP-2019-5516mn", "LK-2020-9.5bn-goods"} <= out
    assert not out & set(scored_register["target_id"])


# The regression


def test_without_a_prior_it_is_the_logit_of_statsmodels():
    from statsmodels.discrete.discrete_model import Logit

    x, met = simulated()
    b, centre, scale = register.fit(x, met, prior_sd=1e6)
    design = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    np.testing.assert_allclose(b, Logit(met, design).fit(disp=0).params, atol=1e-6)


@pytest.mark.parametrize("prior_sd", [0.1, 0.5, 2.0])
def test_it_maximises_the_penalised_likelihood(prior_sd):
    x, met = simulated(seed=1)
    b, centre, scale = register.fit(x, met, prior_sd)
    design = np.column_stack([np.ones(len(x)), (x - centre) / scale])

    def loss(c: np.ndarray) -> float:
        score = design @ c
        return float(np.logaddexp(0, score).sum() - met @ score + (c[1:] ** 2).sum() / (2 * prior_sd**2))

    found = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(b, found.x, atol=1e-5)


@given(st.floats(0.1, 100), st.floats(-50, 50))
def test_the_unit_of_a_feature_does_not_matter(factor, offset):
    x, met = simulated(seed=2)
    moved = x * [factor, 1, 1] + [offset, 0, 0]
    p, q = (register.predict(register.fit(z, met), z) for z in (x, moved))
    np.testing.assert_allclose(p, q, atol=1e-8)


def test_a_feature_that_never_varies_does_no_harm():
    x, met = simulated()
    constant = np.column_stack([x, np.ones(len(x))])
    p = register.predict(register.fit(x, met), x)
    np.testing.assert_allclose(register.predict(register.fit(constant, met), constant), p, atol=1e-9)


def test_a_tight_prior_leaves_the_share_met():
    x, met = simulated()
    p = register.predict(register.fit(x, met, prior_sd=1e-4), x)
    np.testing.assert_allclose(p, met.mean(), atol=1e-4)


# The features


def test_features_are_those_of_the_register(rows):
    assert np.isfinite(rows[list(FEATURES)]).all(axis=None)
    below = set(rows.loc[rows["sub_national"] == 1, "reporter"])
    assert {"Scotland", "Guangdong", "Heilongjiang"} <= below and not {"Korea", "Viet Nam", "UK"} & below
    row = rows.set_index("target_id").loc["HLJ-RU-2010-14bn"]
    assert row["sub_national"] == 1 and row["as_growth"] == 0
    assert np.exp(row["log_horizon"]) == pytest.approx(5)


def test_stretch_is_the_probability_of_the_forecast_in_other_words(rows):
    assert norm.sf(rows["stretch"]) == pytest.approx(rows["p_law"].to_numpy())


# The pull


def test_the_pull_learns_from_what_was_resolved_before_alone(scored_register):
    targets, before = load_targets(), scored_register
    known = before.merge(targets[["target_id", "outcome_year"]], on="target_id")
    early = (before["announced"] <= 2012).to_numpy()
    late = targets["outcome_year"] >= 2012
    met = targets["met"].where(~late.fillna(False), targets["met"].map({"yes": "no", "no": "yes"}))
    after = register.score_register(targets.assign(met=met.fillna(targets["met"])))
    assert known["target_id"].tolist() == after["target_id"].tolist()
    np.testing.assert_array_equal(before["p_pulled"][early], after["p_pulled"][early])
    assert not np.allclose(before["p_pulled"], after["p_pulled"])


def test_the_pull_is_the_most_probable_shift_of_the_log_odds():
    odds, met = np.array([-1.0, 0.3, 0.5, -2.0]), np.array([1.0, 1.0, 0.0, 1.0])
    shifts = np.linspace(-3, 3, 60_001)
    p = 1 / (1 + np.exp(-(odds + shifts[:, None])))
    gain = (met * np.log(p) + (1 - met) * np.log(1 - p)).sum(axis=1) - shifts**2 / (2 * register.PULL_SD**2)
    precision = np.array([register.PULL_SD**-2])
    found = register._ridge(np.ones((4, 1)), met, precision, odds)
    assert found == pytest.approx(shifts[gain.argmax()], abs=2e-4)
    assert register._ridge(np.ones((0, 1)), np.array([]), precision, np.array([])) == 0


# No target teaches itself


@exhaustive
@pytest.mark.parametrize("scheme", some(scored.SCHEMES, 2))
def test_no_outcome_of_the_scored_targets_enters(rows, predicted, scheme):
    by, _ = scored.SCHEMES[scheme]
    before = predicted(scheme)
    one = rows[by].mode().iloc[0]
    own = rows[by] == one
    turned = rows.assign(met=rows["met"].where(~own, 1 - rows["met"]))
    after = scored._predictions(turned, scheme)
    pd.testing.assert_frame_equal(before[own], after[own])
    assert not np.allclose(before["model"], after["model"])


def test_what_was_not_resolved_at_announcement_does_not_enter(rows, predicted):
    before = predicted("known at announcement")
    early = rows["announced"] <= 2012
    late = rows["resolved"] >= 2012
    turned = rows.assign(met=rows["met"].where(~late, 1 - rows["met"]))
    after = scored._predictions(turned, "known at announcement")
    pd.testing.assert_frame_equal(before[early], after[early])


def test_the_first_targets_get_the_share_known(rows, predicted):
    odds = predicted("known at announcement")
    first = rows["announced"] == rows["announced"].min()
    assert (odds.loc[first, "model"] == odds.loc[first, "base rate"]).all()
    assert odds.loc[first, "base rate"].iloc[0] == 0.5  # nothing was resolved: Jeffreys


# Scores


def test_bounds_are_wider_where_clusters_share_a_shock():
    rng = np.random.default_rng(4)
    cluster, n = np.repeat(np.arange(20), 15), np.full(20, 15)
    alone = rng.normal(size=300)
    shared = 15 * rng.normal(size=20)
    width = [np.subtract(*bounds(x, n, 1000)[::-1]) for x in (shared, np.bincount(cluster, alone))]
    assert width[0] > 2 * width[1]
    # For shocks alone the interval is that of a mean of 300: 2 × 1.645 / sqrt(300).
    assert width[1] == pytest.approx(2 * 1.645 * alone.std() / np.sqrt(300), rel=0.3)


def test_scores_are_those_of_the_predictions(rows, scores, predicted):
    table, odds = scores.set_index(["scheme", "forecast"]), predicted("other due years")
    brier = ((odds["model"] - rows["met"]) ** 2).mean()
    row = table.loc[("other due years", "model")]
    assert row["brier"] == pytest.approx(brier)
    base = ((odds["base rate"] - rows["met"]) ** 2).mean()
    assert row["gain"] == pytest.approx(base - brier)
    assert (table["brier_low"] <= table["brier"]).all() and (table["brier"] <= table["brier_high"]).all()
    law = table.xs("law", level="forecast")["brier"]
    np.testing.assert_allclose(law, ((rows["p_law"] - rows["met"]) ** 2).mean())
    assert (table.xs("half", level="forecast")["brier"] == 0.25).all()


def test_the_kept_tables_are_those_computed_now(rows, scores):
    for name, table in (
        ("register_model.csv", scores),
        ("register_effects.csv", scored._effects(rows)),
    ):
        kept = read_kept(name)
        numbers = kept.select_dtypes("number").columns
        np.testing.assert_allclose(kept[numbers], table[numbers].astype(float), rtol=2e-3, atol=1e-5)


# A goal


def test_the_probability_of_a_goal_uses_what_was_resolved_by_the_day(rows):
    goal = {"p_law": 0.1, "size_usd": 153e6, "years": 3, "reporter": "Harbin", "as_growth": True}
    p, taught = register.for_goal(rows, 2014, **goal)
    assert len(taught) == (rows["resolved"] < 2014).sum() and 0 < p < 1
    turned = rows.assign(met=rows["met"].where(rows["resolved"] < 2014, 1 - rows["met"]))
    assert register.for_goal(turned, 2014, **goal)[0] == p
    likelier, _ = register.for_goal(rows, 2014, **goal | {"p_law": 0.6})
    assert likelier > p
    nothing, few = register.for_goal(rows, 2004, **goal)
    assert nothing is None and len(few) < register.MIN_KNOWN


HARBIN = GoalCase()


# --- base rates ---


@pytest.mark.parametrize(("size", "origin"), [(5e5, 1990), (1.5e8, 2013), (3e10, 2020)])
def test_base_rates_are_those_of_the_reference_class_and_fall_with_the_rate(size, origin):
    for years in HORIZONS:
        lower, higher = (base_rate(size, origin, years, rate) for rate in (0.10, 0.25))
        assert 0 < higher < lower < 1


def test_a_base_in_yuan_is_converted_at_the_rate_of_its_year():
    case = HARBIN.model_copy(update={"currency": "CNY"})
    size, usd = (c.usd_mn(c.make_goal().base_mn, 2012) * 1e6 for c in (case, HARBIN))
    assert usd == pytest.approx(230e6 / 1.5)
    assert size == pytest.approx(case.make_goal().base_mn / case.rates()["CNY"][2012] * 1e6)
    # The yuan level of 2012 follows from growth in dollars: it may differ by the move of the rate, no more.
    assert size == pytest.approx(usd, rel=0.05)


@pytest.mark.parametrize(
    ("size", "lowest"),
    [
        (1, 1e7),
        (1e7 - 1, 1e7),
        (1e7, 1e7),
        (1e8 - 1, 1e7),
        (1e8, 1e8),
        (153e6, 1e8),
        (1e10, 1e10),
        (1e14, 1e10),
    ],
)
@pytest.mark.parametrize(("flow", "panel"), [("total", "BACI two-way total"), ("export", "BACI directed")])
def test_hindsight_takes_the_class_that_holds_the_size(size, lowest, flow, panel):
    """Sizes below the smallest class take it; the open class from 100 mn up, which overlaps, is never taken."""
    kept = read_kept("base_rates.csv")
    rows = kept[(kept["panel"] == panel) & (kept["years"] == "2001-2020") & (kept["condition"] == "all")]
    rows = rows[(rows["size_from_usd"] == lowest) & (rows["outcome"] == "next_year_ge25")]
    row = rows.sort_values("n").iloc[0]  # the open class holds more flows
    found = made("04", "after", size_usd=size, flow=flow).set_index(["outcome", "condition"])
    shown = found.loc[("next_year_ge25", "all"), ["share", "low", "high"]]
    assert shown.to_list() == row[["share", "low", "high"]].to_list()


def test_hindsight_has_every_outcome_once_in_each_condition():
    found = made("04", "after", size_usd=153e6, flow="total")
    assert set(found["condition"]) == {"all", "grew >= 50 % in year t"}
    for _, part in found.groupby("condition"):
        assert part["outcome"].is_unique and {"next_year_fall", "5y_below_start"} <= set(part["outcome"])


@pytest.mark.parametrize(
    ("day", "known"), [(date(2014, 2, 28), 2011), (date(2014, 3, 1), 2012), (date(2014, 12, 31), 2012)]
)
def test_a_panel_is_known_from_its_release(day, known):
    assert last_released(day) == known


# --- the register ---


def test_the_kept_scores_of_the_register_are_those_computed_now(scored_register):
    kept = read_kept("register_scores.csv")
    numbers = kept.select_dtypes("number").columns
    assert kept["target_id"].to_list() == scored_register["target_id"].to_list()
    np.testing.assert_allclose(kept[numbers], scored_register[numbers].astype(float), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("by", ["due", "kind", "horizon"])
def test_groups_add_up_to_all_resolved_targets(scored_register, by):
    found = made("04", "met_by")(scored_register[by], scored_register)
    assert found["n"].sum() == len(scored_register)
    assert (found["share"] * found["n"]).sum() == pytest.approx(scored_register["met"].sum())
    assert (found["low"] < found["high"]).all() and (found["low"] > 0).all() and (found["high"] < 1).all()
    inside = found["share"].between(found["low"], found["high"])
    assert inside[found["share"].between(0, 1, inclusive="neither")].all()


def test_the_band_of_a_share_leaves_a_twentieth_on_either_side():
    """Three of ten under the prior of Jeffreys: density x^2.5 (1 − x)^6.5, added up here."""
    scores = pd.DataFrame({"due": 2010, "met": [1] * 3 + [0] * 7})
    row = made("04", "met_by")(scores["due"], scores).loc[2010]
    x = (np.arange(200_000) + 0.5) / 200_000
    mass = x**2.5 * (1 - x) ** 6.5
    below, above = mass[x < row["low"]].sum(), mass[x > row["high"]].sum()
    assert [below / mass.sum(), above / mass.sum()] == pytest.approx([0.05, 0.05], abs=1e-4)


def test_scores_stand_beside_one_half(scored_register):
    found = made("04", "brier_scores")(scored_register)
    assert found.index.to_list() == list(register.SCORES)
    law = ((scored_register["p_law"] - scored_register["met"]) ** 2).mean()
    assert found.loc["p_law", "brier"] == pytest.approx(law)
    assert found.loc["p_half", ["brier", "mean"]].to_list() == [0.25, 0.5]
    half = found.loc["p_half"]
    assert (half["against_half"], half["low"], half["high"]) == ("level", 0, 0)
    told = found["against_half"]
    assert ((told == "worse") == (found["low"] > 0)).all() and (
        (told == "better") == (found["high"] < 0)
    ).all()
