"""Experience with goals: shares are those of the kept tables, groups add up, scores are those of the rows."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from lib.analysis import experience
from lib.analysis.register import score_register
from lib.cases import GoalCase
from lib.figures import load_targets
from lib.reference import HORIZONS, base_rate, last_released, read_kept

HARBIN = GoalCase()


@pytest.fixture(scope="module")
def register() -> pd.DataFrame:
    return score_register(load_targets())


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
    found = experience.hindsight(size, flow).set_index(["then", "condition"])
    shown = found.loc[("+25 % or more in the next year", "all"), ["share", "low", "high"]]
    assert shown.to_list() == row[["share", "low", "high"]].to_list()


def test_hindsight_has_every_outcome_once_in_each_condition():
    found = experience.hindsight(153e6, "total")
    assert set(found["condition"]) == {"all", "grew >= 50 % in year t"}
    for _, part in found.groupby("condition"):
        assert sorted(part["then"]) == sorted(experience.OUTCOME_WORDS.values())


@pytest.mark.parametrize(
    ("day", "known"), [(date(2014, 2, 28), 2011), (date(2014, 3, 1), 2012), (date(2014, 12, 31), 2012)]
)
def test_a_panel_is_known_from_its_release(day, known):
    assert last_released(day) == known


# --- the register ---


def test_the_kept_scores_of_the_register_are_those_computed_now(register):
    kept = read_kept("register_scores.csv")
    numbers = kept.select_dtypes("number").columns
    assert kept["target_id"].to_list() == register["target_id"].to_list()
    np.testing.assert_allclose(kept[numbers], register[numbers].astype(float), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("by", ["due", "kind", "horizon"])
def test_groups_add_up_to_all_resolved_targets(register, by):
    found = experience.shares(register, register[by])
    assert found["n"].sum() == len(register)
    assert (found["share"] * found["n"]).sum() == pytest.approx(register["met"].sum())
    assert (found["low"] < found["high"]).all() and (found["low"] > 0).all() and (found["high"] < 1).all()
    inside = found["share"].between(found["low"], found["high"])
    assert inside[found["share"].between(0, 1, inclusive="neither")].all()


def test_the_band_of_a_share_leaves_a_twentieth_on_either_side():
    """Three of ten under the prior of Jeffreys: density x^2.5 (1 − x)^6.5, added up here."""
    scores = pd.DataFrame({"due": 2010, "met": [1] * 3 + [0] * 7})
    row = experience.shares(scores, scores["due"]).loc[2010]
    x = (np.arange(200_000) + 0.5) / 200_000
    mass = x**2.5 * (1 - x) ** 6.5
    below, above = mass[x < row["low"]].sum(), mass[x > row["high"]].sum()
    assert [below / mass.sum(), above / mass.sum()] == pytest.approx([0.05, 0.05], abs=1e-4)


def test_calibration_counts_every_target_once(register):
    found = experience.calibration(register)
    assert found["n"].sum() == len(register)
    assert (found["met"] * found["n"]).sum() == pytest.approx(register["met"].sum())


def test_scores_stand_beside_one_half(register):
    found = experience.brier_scores(register)
    assert found.index.to_list() == list(experience.SCORES)
    law = ((register["p_law"] - register["met"]) ** 2).mean()
    assert found.loc["p_law", "brier"] == pytest.approx(law)
    assert found.loc["p_half", ["brier", "mean"]].to_list() == [0.25, 0.5]
    half = found.loc["p_half"]
    assert (half["against_half"], half["low"], half["high"]) == ("level", 0, 0)
    told = found["against_half"]
    assert ((told == "worse") == (found["low"] > 0)).all() and (
        (told == "better") == (found["high"] < 0)
    ).all()
