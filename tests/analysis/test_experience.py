"""Experience with goals: shares are those of the kept tables, groups add up, words repeat the numbers."""

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from lib.analysis import experience
from lib.analysis.register import summarise
from lib.cases import GoalCase
from lib.reference import HORIZONS, base_rate, read_kept
from lib.words import percent

HARBIN = GoalCase()


@pytest.fixture(scope="module")
def register() -> pd.DataFrame:
    return experience.register()


@pytest.fixture(scope="module")
def alike(register: pd.DataFrame) -> pd.DataFrame:
    return experience.alike(register, 0.25, 3)


def no_certainty(text: str) -> bool:
    return not re.search(r"\$|nan|(?<![\d.,])0 %|(?<!\d)100 %", text)


# --- base rates ---


@pytest.mark.parametrize(("size", "origin"), [(5e5, 1990), (1.5e8, 2013), (3e10, 2020)])
def test_base_rates_are_those_of_the_reference_class_and_fall_with_the_rate(size, origin):
    lower, higher = (experience.base_rates(size, origin, rate) for rate in (0.10, 0.25))
    assert lower.index.to_list() == list(HORIZONS)
    assert (higher < lower).all()
    assert higher.between(0, 1, inclusive="neither").all()
    for years in HORIZONS:
        assert higher[years] == pytest.approx(float(base_rate(size, origin, years, 0.25)))


def test_a_base_in_yuan_is_converted_at_the_rate_of_its_year():
    case = HARBIN.model_copy(update={"currency": "CNY"})
    size, usd = (experience.size_usd(c, c.make_goal()) for c in (case, HARBIN))
    assert usd == pytest.approx(230e6 / 1.5)
    assert size == pytest.approx(case.make_goal().base_mn / case.rates()[2012] * 1e6)
    # The yuan level of 2012 follows from growth in dollars: it may differ by the move of the rate, no more.
    assert size == pytest.approx(usd, rel=0.05)


def shown_next_year(size: float, flow: str) -> str:
    return (
        experience.hindsight_table(size, flow).set_index("then").loc["+25 % or more in the next year", "all"]
    )


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
    expected = f"{percent(row['share'])} ({percent(row['low'])} to {percent(row['high'])})"
    assert shown_next_year(size, flow) == expected


def test_the_hindsight_table_has_every_outcome_once_and_no_certainty():
    table = experience.hindsight_table(153e6, "total")
    assert table["then"].to_list() == list(experience.OUTCOME_WORDS.values())
    assert table.columns.to_list() == ["then", "all", "grew >= 50 % in year t"]
    assert no_certainty(table[["all", "grew >= 50 % in year t"]].to_string())


# --- the register ---


def test_the_kept_scores_of_the_register_are_those_computed_now(register):
    kept = read_kept("register_scores.csv")
    numbers = kept.select_dtypes("number").columns
    assert kept["target_id"].to_list() == register["target_id"].to_list()
    np.testing.assert_allclose(kept[numbers], register[numbers].astype(float), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("rate", [0.05, 0.18, 0.25, 0.32])
@pytest.mark.parametrize("years", [1, 2, 3, 10])
def test_targets_alike_have_the_growth_and_the_length_of_the_goal(register, rate, years):
    alike = experience.alike(register, rate, years)
    assert len(alike) and (alike["rate"] - rate).abs().max() <= experience.BAND + 1e-9
    assert ((alike["horizon"] >= 3) == (years >= 3)).all()
    rest = register.drop(alike.index)
    left_out = ((rest["rate"] - rate).abs() > experience.BAND) | ((rest["horizon"] >= 3) != (years >= 3))
    assert left_out.all()


@pytest.mark.parametrize("grouped", [experience.by_due_year, experience.by_height])
def test_groups_add_up_to_all_resolved_targets(register, grouped):
    found = grouped(register)
    assert found["n"].sum() == len(register)
    assert (found["share"] * found["n"]).sum() == pytest.approx(register["met"].sum())
    assert (found["low"] < found["high"]).all() and (found["low"] > 0).all() and (found["high"] < 1).all()
    inside = found["share"].between(found["low"], found["high"])
    assert inside[found["share"].between(0, 1, inclusive="neither")].all()


def test_groups_by_height_have_their_edges_below(register):
    found = experience.by_height(register)
    assert found.index.to_list() == ["< 5", "5–10", "10–15", "15–20", "20–30", "> 30"]
    assert found.loc["10–15", "n"] == ((register["rate"] >= 0.10) & (register["rate"] < 0.15)).sum()


def test_the_band_of_a_share_leaves_a_twentieth_on_either_side():
    """Three of ten under the prior of Jeffreys: density x^2.5 (1 − x)^6.5, added up here."""
    scores = pd.DataFrame({"due": 2010, "met": [1] * 3 + [0] * 7})
    row = experience.by_due_year(scores).loc["2010"]
    x = (np.arange(200_000) + 0.5) / 200_000
    mass = x**2.5 * (1 - x) ** 6.5
    below, above = mass[x < row["low"]].sum(), mass[x > row["high"]].sum()
    assert [below / mass.sum(), above / mass.sum()] == pytest.approx([0.05, 0.05], abs=1e-4)


def test_tables_of_the_register_repeat_its_summary(register):
    found = summarise(register)
    table, skill = experience.register_table(register), experience.skill_table(register)
    assert table["targets"].to_list() == skill["targets"].to_list() == found["group"].to_list()
    for shown, row in zip(table["met"], found.itertuples(), strict=True):
        hits = int(re.match(r"(\d+) \(", shown)[1])
        assert hits / row.n == pytest.approx(row.met)
    np.testing.assert_allclose(skill["Brier, forecast"], found["brier_eb"], atol=5e-4)
    assert no_certainty(table.to_string() + skill.to_string())


def test_words_on_skill_agree_with_the_table(register):
    words = experience.skill_in_words(register)
    table = experience.skill_table(register).set_index("targets")
    compared = re.findall(r"(better|not better) than the share [a-z ]+ \((\d\.\d{3})\)", words)
    rows = table.loc[["all", "18 to 32 % over three years and more"]]
    expected = []
    for row in rows.to_dict("records"):
        for column in ("share known before", "share of other years"):
            expected.append(("better" if row["Brier, forecast"] < row[column] else "not better", row[column]))
    assert [(word, float(number)) for word, number in compared] == expected
    assert no_certainty(words)


def test_calibration_counts_every_target_once(register):
    found = experience.calibration(register)
    assert found["n"].sum() == len(register)
    assert (found["met"] * found["n"]).sum() == pytest.approx(register["met"].sum())


def test_targets_alike_are_listed_with_their_sources(alike):
    table, sources = experience.alike_table(alike), experience.sources(alike)
    assert table["row of targets.csv"].to_list() == alike["target_id"].to_list()
    assert (table["outcome"] == "met").sum() == alike["met"].sum()
    assert sources["announced"].str.startswith("http").all()
    assert "HLJ-RU-2010-14bn" in set(sources["row of targets.csv"])
    assert no_certainty(table.to_string())


# --- words and rows ---


@pytest.mark.parametrize("currency", ["USD", "CNY"])
def test_words_tell_the_share_of_the_nearest_horizon(alike, currency):
    case = HARBIN.model_copy(update={"currency": currency})
    goal = case.make_goal()
    size = experience.size_usd(case, goal)
    shares = experience.base_rates(size, 2013, goal.rate)
    words = experience.in_words(case, goal, size, shares, alike)
    assert f"**{percent(shares[3])}** grew by +25 % a year or more over 3 years" in words
    assert "as known at the end of 2013" in words
    assert f"**{alike['met'].sum()} of {len(alike)}** were met" in words
    assert re.search(r"of the size of USD 1[56]\d million", words)  # dollars, also for a case in yuan
    assert no_certainty(words)


def test_words_for_one_year_and_without_any_target_alike(register):
    case = HARBIN.model_copy(update={"deadline": 2013, "goal": "900 %"})
    goal = case.make_goal()
    shares = experience.base_rates(153e6, 2013, goal.rate)
    words = experience.in_words(case, goal, 153e6, shares, experience.alike(register, goal.rate, goal.years))
    assert "over 1 year, as known" in words and "none is in the register" in words
    assert experience.shares_in_words(shares).startswith("1 year ")
    assert no_certainty(words)


def test_estimates_are_dated_by_the_end_of_their_horizon():
    case = HARBIN.model_copy(update={"as_of": date(2014, 4, 15)})
    shares = experience.base_rates(153e6, 2013, 0.25)
    rows = experience.estimates(shares, case)
    assert [row.period for row in rows] == [2014, 2015, 2016, 2018, 2023]
    assert [row.value for row in rows] == shares.to_list()
