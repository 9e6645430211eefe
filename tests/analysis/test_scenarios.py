"""Scenarios and break-even goals: no change is the answer; shifts against simulation and closed forms."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some
from scipy.special import ndtr

from lib import law as laws
from lib import outlook
from lib.analysis import movers, robustness
from lib.analysis.cases import ScenarioCase
from lib.analysis.robustness import Scenario, _steady
from lib.cases import GoalCase, TrendCase
from lib.errors import UserError
from lib.goals import READINGS, Goal
from lib.law import FAN, Law
from lib.outlook import Answer
from lib.reference import base_rate, last_released

HARBIN = ScenarioCase()
CHINA = ScenarioCase(reporter="China", base_year=2025, deadline=2028, as_of=date(2026, 11, 24))
PROVINCE = ScenarioCase(
    reporter="Heilongjiang", goal="14 USD bn", base_year=2005, deadline=2010, as_of=date(2008, 12, 31)
)
CASES = [HARBIN, CHINA, PROVINCE]


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    return {case.reporter: outlook.of(case) for case in CASES}


@pytest.fixture(scope="module")
def harbin(answers: dict[str, Answer]) -> Answer:
    return answers["Harbin"]


# No change


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reporter)
def test_a_scenario_without_change_is_the_answer(case, answers):
    answer = answers[case.reporter]
    years = answer.goal.deadline - answer.last
    found = robustness._chances(_steady("oil", 0.0, 0.0, 0.0, years), answer)
    pd.testing.assert_series_equal(found, answer.chances, rtol=0, atol=1e-12)


def test_assumptions_of_nothing_change_nothing(harbin):
    """Every parameter at nothing: each row of the table is the answer to 1e-12, except what came."""
    names = ("oil_pct", "rouble_pct", "gdp_points", "level_shift_pct", "parcels_mn")
    nothing = HARBIN.model_copy(update=dict.fromkeys(names, 0.0))
    listed = [one for one in robustness.scenarios(nothing, harbin) if "came" not in one.kind]
    odds = robustness.by_scenario(listed, harbin)[list(READINGS)]
    assert len(listed) == 5 and (odds.max() - odds.min()).max() <= 1e-12


def test_no_scenario_lies_ahead_once_the_deadline_is_over():
    over = HARBIN.model_copy(update={"as_of": date(2026, 11, 24)})
    answer = outlook.of(over)
    assert answer.kind == "inferred"
    assert [one.kind for one in robustness.scenarios(over, answer)] == ["none"]


# Shifts

GOAL = Goal(0.10, 2010, 2013, 100.0, "USD", "10 %")
LEVELS = pd.Series({2010: 100.0})


def a_law(sd: float = 0.2) -> Law:
    """Three years of a random walk from 100, in two components."""
    walk = sd**2 * np.minimum.outer([1, 2, 3], [1, 2, 3])
    mean = np.log(100) + 0.04 * np.arange(1, 4)
    return Law((2011, 2012, 2013), np.array([0.7, 0.3]), np.tile(mean, (2, 1)), np.stack([walk, 4 * walk]))


def an_answer(law: Law) -> Answer:
    case = GoalCase.model_construct(reading="average", as_of=date(2011, 6, 1))
    odds = laws.chances(law, GOAL, LEVELS)
    return Answer(case, GOAL, LEVELS, [], "forecast", odds, pd.DataFrame(), law)


def simulate(law: Law, shifts: np.ndarray, sd: np.ndarray, n: int = 400_000) -> np.ndarray:
    """Yearly log growth of many paths, shape (n, years), moved by shifts with one common uncertainty."""
    rng = np.random.default_rng(5)
    part = rng.choice(len(law.weights), n, p=law.weights)
    roots = np.linalg.cholesky(law.covariances)
    levels = law.means[part] + np.einsum("nij,nj->ni", roots[part], rng.normal(size=(n, 3)))
    growth = np.diff(levels, axis=1, prepend=np.log(100.0))
    return growth + shifts + sd * rng.normal(size=(n, 1))


@pytest.mark.parametrize("sd", [0.0, 0.05])
@pytest.mark.parametrize("shifts", [(0.1, 0.1, 0.1), (0.3, 0.0, 0.0), (-0.1, 0.1, 0.2), (-0.9, 0.2, 0.0)])
def test_shifted_probabilities_agree_with_simulation(shifts, sd):
    law, spread = a_law(), np.full(3, sd)
    paths = simulate(law, np.array(shifts), spread)
    met = {
        "average": paths.sum(axis=1) >= 3 * np.log(1.1),
        "every_year": (paths >= np.log(1.1)).all(axis=1),
        "mean_of_rates": np.expm1(paths).mean(axis=1) >= 0.1,
    }
    found = robustness._chances(Scenario("step", 0.0, shifts, spread), an_answer(law))
    for reading in READINGS:
        assert found[reading] == pytest.approx(met[reading].mean(), abs=0.004), reading


def test_an_uncertain_shift_is_the_average_over_it():
    """For the reading on average, integrated here by brute force over the shift."""
    law = a_law()
    uncertain = _steady("oil", 0.0, 0.2, 0.15, 3)
    found = robustness._chances(uncertain, an_answer(law))["average"]
    z = np.linspace(-8, 8, 4001)
    short = np.log(100) + 3 * np.log(1.1) - (law.means[:, 2, None] + 0.2 + 0.15 * z)
    odds = law.weights @ ndtr(-short / law.sds(2013)[:, None])
    assert found == pytest.approx(np.average(odds, weights=np.exp(-(z**2) / 2)), abs=1e-6)


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.5))
def test_a_better_scenario_is_never_less_likely(shift, more):
    answer = an_answer(a_law())
    low, high = (robustness._chances(_steady("oil", 0.0, x, 0.05, 3), answer) for x in (shift, shift + more))
    assert (high >= low - 1e-9).all()


# The scenarios of a case


def test_scenarios_state_what_they_assume(harbin):
    rows = robustness.scenarios(HARBIN, harbin)
    listed, moved = {one.kind: one for one in rows}, robustness.by_scenario(rows, harbin).set_index("kind")
    oil = robustness._estimate(HARBIN, "oil")
    row = listed["oil"]
    assert row.change == 0.25 and row.elasticity == oil
    ends = oil["value"] * np.log(1.25), oil["sd"] * np.log(1.25)
    assert moved.loc["oil", ["total", "total_sd"]].to_list() == pytest.approx(ends)
    assert listed["step"].mean == pytest.approx((np.log(1.25), 0.0))
    assert moved.loc["parcels", "total"] == pytest.approx(np.log((230 + 40) / 230))
    assert moved.loc["gdp", "total"] == pytest.approx(
        2 * np.log(1.02) * robustness._estimate(HARBIN, "gdp")["value"]
    )
    assert all(len(one.mean) == len(one.sd) == 2 for one in listed.values())


def test_the_path_of_oil_is_that_of_the_record(harbin):
    came = next(one for one in robustness.scenarios(HARBIN, harbin) if one.kind == "oil came")
    slope = robustness._estimate(HARBIN, "oil")["value"]
    path = np.log([99.0233 / 108.6375, 52.3533 / 99.0233])
    np.testing.assert_allclose(came.mean, slope * path)


def test_elasticities_use_no_year_after_the_day():
    early = robustness._drivers(HARBIN)
    assert early.index.max() == 2013
    late = robustness._drivers(HARBIN.today())
    pd.testing.assert_frame_equal(early, late.loc[:2013])
    assert robustness._estimate(HARBIN, "oil")["last"] == 2012  # the country's latest level that day


def test_the_regression_is_least_squares_and_its_error_that_of_newey_and_west():
    rng = np.random.default_rng(2)
    x = rng.normal(size=40)
    y = 0.1 + 0.6 * x + rng.normal(scale=0.3, size=40)
    fitted = movers.ols(pd.DataFrame({"growth": y, "x": x}), lags=1)
    slope, sd, r2 = fitted.params["x"], fitted.bse["x"], fitted.rsquared
    assert slope == pytest.approx(np.polyfit(x, y, 1)[0])
    assert r2 == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    design = np.column_stack([np.ones(40), x])
    score = design * (y - design @ np.polyfit(x, y, 1)[::-1])[:, None]
    lag = score[1:].T @ score[:-1]
    meat = score.T @ score + (lag + lag.T) / 2  # Bartlett weight of one lag: 1 − 1/2
    bread = np.linalg.inv(design.T @ design)
    expected = np.sqrt((bread @ meat @ bread)[1, 1] * 40 / 38)
    assert sd == pytest.approx(expected)


def test_the_pipeline_of_2011_stands_beside_the_step():
    steps = made("09", "pipelines", "pair", "steps", case=HARBIN)
    assert steps.index.to_list() == [2011]
    assert steps[2011] == pytest.approx((18990 / 7470) / (80000 / 55450) - 1)
    assert made("09", "pipelines", "pair", "steps", case=CHINA).index.to_list() == [2011, 2018]


def test_sanctions_need_the_years_after_them(answers):
    assert robustness.since_sanctions(HARBIN) == {}
    assert "sanctions" not in [one.kind for one in robustness.scenarios(HARBIN, answers["Harbin"])]
    listed = robustness.scenarios(CHINA, answers["China"])
    lifted = next(one for one in listed if one.kind == "sanctions")
    seen = robustness.since_sanctions(CHINA)
    levels = CHINA.series()["value_mn"]
    assert seen["gained"] == pytest.approx(np.log(levels[2023] / levels[2021]))
    assert seen["beyond"] < seen["gained"]
    assert sum(lifted.mean) == pytest.approx(-0.5 * seen["beyond"]) and sum(lifted.mean) < 0
    kept = CHINA.model_copy(update={"sanctions_undone": 0.0})
    unmoved = next(one for one in robustness.scenarios(kept, answers["China"]) if one.kind == "sanctions")
    assert (sum(unmoved.mean), sum(unmoved.sd)) == (0.0, 0.0)


def test_too_short_a_record_leaves_the_drivers_out():
    case = PROVINCE.model_copy(update={"as_of": date(2006, 12, 31)})
    listed = robustness.scenarios(case, outlook.of(case))
    assert robustness._estimate(case, "oil") is None
    assert not any("oil" in one.kind for one in listed)
    assert not any(one.elasticity for one in listed)


# Break-even


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reporter)
def test_the_even_goal_on_average_ends_at_the_median(case, answers):
    """Closed form: the level of the even goal is the median of the law; so for the other quantiles of the fan."""
    answer = answers[case.reporter]
    fan = pd.Series(laws.quantiles(answer.law, answer.goal.deadline), index=list(FAN))
    for p in (0.25, 0.5, 0.9):
        rate = robustness.rate_with(p, answer.law, answer.goal, answer.levels, "average")
        level = answer.goal.base_mn * (1 + rate) ** answer.goal.years
        assert level == pytest.approx(fan[round(1 - p, 3)], rel=1e-6)


@exhaustive
@pytest.mark.parametrize("case", some(CASES, 2), ids=lambda case: case.reporter)
def test_a_break_even_goal_has_its_chance(case, answers):
    answer = answers[case.reporter]
    found = made("09", "break_even")(answer.law, answer.goal, answer.levels)
    assert (found[0.2] > found[0.5]).all() and (found[0.5] > found[0.8]).all()
    for reading in READINGS:
        for p in found.columns:
            rate = found.loc[reading, p]
            asked = replace(answer.goal, rate=rate)
            odds = laws.chances(answer.law, asked, answer.levels)[reading]
            assert odds == pytest.approx(p, abs=1e-4)


def test_required_growth_starts_with_the_goal_and_ends_with_what_is_left(harbin):
    given = {"case": HARBIN, "then": harbin, "target": harbin.goal, "levels": harbin.levels}
    found = made("09", "seen_from", "needed", base_year=2012, **given)
    assert found["years"].to_list() == [3, 2]
    assert found["size_usd"].to_list() == pytest.approx([230e6 / 1.5, 230e6])
    assert found["needed"].iloc[0] == pytest.approx(0.25)
    assert found["needed"].iloc[1] == pytest.approx((1.25**3 / 1.5) ** 0.5 - 1)  # 14.11 % a year
    assert found["share"].between(0, 1).all() and found["share"].iloc[0] < found["share"].iloc[1]
    size = HARBIN.usd_mn(harbin.goal.base_mn, 2012) * 1e6  # notebook 04 says the same of the same day
    share = base_rate(size, last_released(HARBIN.as_of), 3, 0.25)
    assert found["share"].iloc[0] == pytest.approx(float(share), abs=1e-12)


def test_spans_that_grew_fast_enough_are_counted():
    levels = pd.Series({2000: 100.0, 2001: 130.0, 2002: 121.0, 2004: 200.0})
    ever_grew = made("09", "ever_grew")
    assert ever_grew(levels, 2, 0.10) == (2, 2)  # 2000–2002 exactly, 2002–2004
    assert ever_grew(levels, 1, 0.10) == (1, 2)
    assert ever_grew(levels, 9, 0.10) == (0, 0)


# Words and parameters


def test_a_decided_reading_has_no_chance_under_any_scenario():
    case = PROVINCE.model_copy(update={"reading": "every_year"})  # +17.8 % in 2006 against +19.8 %
    answer = outlook.of(case)
    odds = robustness.by_scenario(robustness.scenarios(case, answer), answer)
    assert odds["every_year"].isna().all() and odds["average"].between(0, 1).all()


def test_a_goal_with_a_known_outcome_is_refused():
    from lib.tools.run.matrix import _model_of

    known = {"reporter": "China", "goal": "100 USD bn", "base_year": 2010, "as_of": "2026-11-24"}
    with pytest.raises(UserError, match="deadline: found 2015, whose level was known on 2026-11-24"):
        _model_of("09_what_would_it_take").check(known)


def test_the_parameters_are_those_of_the_trend_case_and_more():
    assert set(TrendCase.model_fields) < set(ScenarioCase.model_fields)
    with pytest.raises(UserError, match="oil_pct: found -100"):
        ScenarioCase.check({"oil_pct": -100})
