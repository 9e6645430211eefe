"""Scenarios and break-even goals: no change is the core forecast; shifts against simulation and closed forms."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtr

from lib import forecast, outlook
from lib.analysis import scenarios, what_it_takes
from lib.analysis.scenarios import Scenario, at_once, steady
from lib.cases import ScenarioCase, TrendCase
from lib.errors import UserError
from lib.goals import READINGS, Goal

HARBIN = ScenarioCase()
CHINA = ScenarioCase(reporter="China", base_year=2025, deadline=2028, as_of=date(2026, 11, 24))
PROVINCE = ScenarioCase(
    reporter="Heilongjiang", goal="14 USD bn", base_year=2005, deadline=2010, as_of=date(2008, 12, 31)
)
CASES = [HARBIN, CHINA, PROVINCE]


def parts(case: ScenarioCase):
    goal = case.make_goal()
    levels = case.series()["value_mn"].loc[: goal.deadline]
    return goal, levels, outlook.expect(case, levels)


@pytest.fixture(scope="module")
def harbin():
    return parts(HARBIN)


# No change


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reporter)
def test_a_scenario_without_change_is_the_core_forecast(case):
    goal, levels, expected = parts(case)
    years = goal.deadline - expected.origin
    core = outlook.chances(goal, levels, expected)
    for nothing in (
        Scenario("nothing", (0.0,) * years, (0.0,) * years, ""),
        steady("nothing", 0.0, 0.0, years, ""),
        at_once("nothing", 0.0, 0.0, years, ""),
    ):
        found = scenarios.chances(nothing, goal, levels, expected)
        pd.testing.assert_series_equal(found, core, rtol=0, atol=1e-12)


def test_assumptions_of_nothing_change_nothing():
    """Every parameter at nothing: each row of the table is the core forecast to 1e-12, except what came."""
    nothing = HARBIN.model_copy(
        update={
            "oil_pct": 0.0,
            "rouble_pct": 0.0,
            "gdp_points": 0.0,
            "level_shift_pct": 0.0,
            "parcels_mn": 0.0,
        }
    )
    goal, levels, expected = parts(nothing)
    listed = [s for s in scenarios.scenarios(nothing, goal, expected) if "hindsight" not in s.name]
    odds = what_it_takes.odds_by_scenario(listed, goal, levels, expected)
    assert len(listed) == 5 and (odds.max() - odds.min()).max() <= 1e-12


# Shifts


def simulate(model: forecast.GrowthModel, shifts: np.ndarray, n: int = 400_000) -> np.ndarray:
    """Yearly log growth of many paths, shape (n, years): drift and variance drawn, no autocorrelation."""
    rng = np.random.default_rng(5)
    sigma = np.sqrt(model.df * model.variance / rng.chisquare(model.df, n))
    mu = model.mean + sigma / np.sqrt(model.weight) * rng.normal(size=n)
    return mu[:, None] + shifts + sigma[:, None] * rng.normal(size=(n, len(shifts)))


MODEL = forecast.GrowthModel(0.04, 30.0, 0.05, 6.0, 5, 0.2)
GOAL = Goal(0.10, 2010, 2013, 100.0, "USD", "10 %")
LEVELS = pd.Series({2010: 100.0})


@pytest.mark.parametrize("shifts", [(0.1, 0.1, 0.1), (0.3, 0.0, 0.0), (-0.1, 0.1, 0.2), (-0.9, 0.2, 0.0)])
def test_shifted_probabilities_agree_with_simulation(shifts):
    paths = simulate(MODEL, np.array(shifts))
    needed = {"years_left": 3, "needed": 0.10}
    met = {
        "average": paths.sum(axis=1) >= 3 * np.log(1.1),
        "every_year": (paths >= np.log(1.1)).all(axis=1),
        "mean_of_rates": np.expm1(paths).mean(axis=1) >= 0.1,
    }
    for reading in READINGS:
        p = scenarios._chance(reading, pd.Series(needed), MODEL, np.array(shifts))
        assert p == pytest.approx(met[reading].mean(), abs=0.004), reading


def test_an_uncertain_shift_is_the_average_over_it():
    """For the reading on average: Student's t plus a normal, integrated here by brute force."""
    expected = outlook.Expectation(
        2010, 100.0, 1e8, True, None, MODEL, pd.DataFrame()
    )  # world: not corrected
    uncertain = steady("", 0.2, 0.15, 3, "")
    found = scenarios.chances(uncertain, GOAL, LEVELS, expected)["average"]
    z = np.linspace(-8, 8, 4001)
    weight = np.exp(-(z**2) / 2)
    needed, loc, scale = 3 * np.log(1.1), float(forecast.location(MODEL, 3)), float(forecast.spread(MODEL, 3))
    odds = stdtr(MODEL.df, (loc + 0.2 + 0.15 * z - needed) / scale)
    assert found == pytest.approx(np.average(odds, weights=weight), abs=1e-6)
    assert uncertain.extra_variance == pytest.approx(0.0225)


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.5))
def test_a_better_scenario_is_never_less_likely(shift, more):
    expected = outlook.Expectation(2010, 100.0, 1e8, True, None, MODEL, pd.DataFrame())
    low, high = (
        scenarios.chances(steady("", x, 0.05, 3, ""), GOAL, LEVELS, expected) for x in (shift, shift + more)
    )
    assert (high >= low - 1e-9).all()


def test_the_same_shift_each_year_is_a_higher_drift():
    moved = forecast.p_every_year(replace(MODEL, mean=MODEL.mean + 0.07), 0.1, 3)
    assert forecast.p_every_year(MODEL, 0.1, 3, shifts=[0.07] * 3) == pytest.approx(float(moved), abs=1e-12)


# The scenarios of a case


def test_scenarios_state_what_they_assume(harbin):
    goal, _, expected = harbin
    listed = {s.name: s for s in scenarios.scenarios(HARBIN, goal, expected)}
    oil = scenarios.estimate(HARBIN, "oil")
    row = listed["oil price +25 % by the deadline"]
    assert row.total == pytest.approx(oil.value * np.log(1.25))
    assert row.total_sd == pytest.approx(oil.sd * np.log(1.25))
    assert listed["a step of +25 %, such as a new pipeline"].mean == pytest.approx((np.log(1.25), 0.0))
    parcels = listed["parcels of USD 40 million a year counted as trade"]
    assert parcels.total == pytest.approx(np.log((230 + 40) / 230))
    assert all(len(s.mean) == len(s.sd) == 2 and s.source for s in listed.values())


def test_the_path_of_oil_is_that_of_the_record(harbin):
    goal, _, expected = harbin
    came = next(s for s in scenarios.scenarios(HARBIN, goal, expected) if "oil price as it came" in s.name)
    slope = scenarios.estimate(HARBIN, "oil").value
    path = np.log([99.0233 / 108.6375, 52.3533 / 99.0233])
    np.testing.assert_allclose(came.mean, slope * path)


def test_elasticities_use_no_year_after_the_day():
    early = scenarios.drivers(HARBIN)
    assert early.index.max() == 2013
    late = scenarios.drivers(HARBIN.today())
    pd.testing.assert_frame_equal(early, late.loc[:2013])
    assert "–2012" in scenarios.estimate(HARBIN, "oil").source  # the country's latest level that day


def test_the_regression_is_least_squares_and_its_error_that_of_newey_and_west():
    rng = np.random.default_rng(2)
    x = rng.normal(size=40)
    y = 0.1 + 0.6 * x + rng.normal(scale=0.3, size=40)
    slope, sd, r2 = scenarios.regress(y, x)
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
    steps = scenarios.pipeline_steps(HARBIN)
    assert steps.index.to_list() == [2011]
    assert steps[2011] == pytest.approx((18990 / 7470) / (80000 / 55450) - 1)
    assert scenarios.pipeline_steps(CHINA).index.to_list() == [2011, 2018]


def test_sanctions_need_the_years_after_them():
    goal, _, expected = parts(HARBIN)
    listed = scenarios.scenarios(HARBIN, goal, expected)
    assert not any("sanctions" in s.name for s in listed)
    assert "Sanctions lifted" in scenarios.left_out(listed)
    goal, _, expected = parts(CHINA)
    listed = scenarios.scenarios(CHINA, goal, expected)
    lifted = next(s for s in listed if "sanctions" in s.name)
    assert lifted.total < 0 and "All scenarios" in scenarios.left_out(listed)
    kept = CHINA.model_copy(update={"sanctions_undone": 0.0})
    unmoved = next(s for s in scenarios.scenarios(kept, goal, expected) if "sanctions" in s.name)
    assert (unmoved.total, unmoved.total_sd) == (0.0, 0.0)


def test_too_short_a_record_leaves_the_drivers_out():
    case = PROVINCE.model_copy(update={"as_of": date(2006, 12, 31)})
    goal, _, expected = parts(case)
    listed = scenarios.scenarios(case, goal, expected)
    assert scenarios.estimate(case, "oil") is None
    assert not any("oil" in s.name for s in listed)
    assert "Drivers without enough years" in scenarios.left_out(listed)


# Break-even


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reporter)
def test_the_even_goal_on_average_ends_at_the_median(case):
    """Closed form: the level of the even goal is the corrected median; so for the other quantiles of the fan."""
    goal, levels, expected = parts(case)
    fan = pd.Series(expected.quantiles(goal.deadline - expected.origin), index=list(forecast.FAN))
    for p in (0.25, 0.5, 0.9):
        rate = what_it_takes.rate_with(p, goal, levels, expected, "average")
        level = goal.base_mn * (1 + rate) ** goal.years
        assert level == pytest.approx(fan[round(1 - p, 3)], rel=1e-4)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reporter)
def test_a_break_even_goal_has_its_chance(case):
    goal, levels, expected = parts(case)
    found = what_it_takes.table(goal, levels, expected)
    assert (found[0.2] > found[0.5]).all() and (found[0.5] > found[0.8]).all()
    for reading in READINGS:
        for p in found.columns:
            rate = found.loc[reading, p]
            if np.isnan(rate):  # a bad year behind has missed this reading at any such rate
                assert what_it_takes.odds_of(what_it_takes.LOWEST, goal, levels, expected, reading) < p
                continue
            odds = outlook.chances(replace(goal, rate=rate), levels, expected)[reading]
            assert odds == pytest.approx(p, abs=1e-4)


def test_required_growth_starts_with_the_goal_and_ends_with_what_is_left(harbin):
    goal, levels, expected = harbin
    found = what_it_takes.required(HARBIN, goal, levels, expected)
    assert found["years"].to_list() == [3, 2]
    assert found["needed"].iloc[0] == pytest.approx(0.25)
    assert found["needed"].iloc[1] == pytest.approx((1.25**3 / 1.5) ** 0.5 - 1)  # 14.11 % a year
    assert found["share"].between(0, 1).all() and found["share"].iloc[0] < found["share"].iloc[1]


def test_spans_that_grew_fast_enough_are_counted():
    levels = pd.Series({2000: 100.0, 2001: 130.0, 2002: 121.0, 2004: 200.0})
    assert what_it_takes.ever_grew(levels, 2, 0.10) == (2, 2)  # 2000–2002 exactly, 2002–2004
    assert what_it_takes.ever_grew(levels, 1, 0.10) == (1, 2)
    assert what_it_takes.ever_grew(levels, 9, 0.10) == (0, 0)


# Words and parameters


def test_the_answer_repeats_the_table(harbin):
    goal, levels, expected = harbin
    listed = scenarios.scenarios(HARBIN, goal, expected)
    odds = what_it_takes.odds_by_scenario(listed, goal, levels, expected)
    found = what_it_takes.table(goal, levels, expected)
    words = what_it_takes.answer(HARBIN, goal, found, odds, listed)
    assert f"**{found.loc['average', 0.5] * 100:+.1f} % a year**" in words
    assert "hindsight" not in words and "still short of an even chance" in words
    shown = what_it_takes.scenario_table(listed, odds)
    assert len(shown) == len(listed) and shown["on average"].iloc[0] == "24 %"
    assert len(what_it_takes.scenario_sources(listed)) == len(listed)
    rows = what_it_takes.estimates(found, HARBIN, goal)
    assert [row.output_type_id for row in rows] == pytest.approx([0.8, 0.5, 0.2])


def test_a_decided_reading_is_said_to_be_so():
    case = PROVINCE.model_copy(update={"reading": "every_year"})  # +17.8 % in 2006 against +19.8 %
    goal, levels, expected = parts(case)
    listed = scenarios.scenarios(case, goal, expected)
    odds = what_it_takes.odds_by_scenario(listed, goal, levels, expected)
    found = what_it_takes.table(goal, levels, expected)
    assert "was decided already" in what_it_takes.answer(case, goal, found, odds, listed)
    pd.testing.assert_series_equal(what_it_takes.drawn(odds, "every_year"), odds["average"])
    assert set(what_it_takes.scenario_table(listed, odds)["every year"]) == {"–"}


def test_the_checklist_names_what_the_goal_lacks(harbin):
    goal, *_ = harbin
    found = what_it_takes.checklist(HARBIN, goal).set_index("element")["what this one says"]
    assert found["reading"] == "on average" and found["outcome"] == "never found"
    assert "implied" in found["base"]
    own = what_it_takes.checklist(CHINA, CHINA.make_goal()).set_index("element")["what this one says"]
    assert own["reading"] == "not stated" and own["outcome"] == "still to come"


@pytest.mark.parametrize("name", ["09_what_would_it_take", "10_did_harbin_make_it"])
def test_a_goal_with_a_known_outcome_is_refused(name):
    from lib.tools.run.matrix import model_of

    known = {"reporter": "China", "goal": "100 USD bn", "base_year": 2010, "as_of": "2026-11-24"}
    with pytest.raises(UserError, match="deadline: found 2015, whose level was known on 2026-11-24"):
        model_of(name).check(known)


def test_the_parameters_are_those_of_the_trend_case_and_more():
    assert set(TrendCase.model_fields) < set(ScenarioCase.model_fields)
    with pytest.raises(UserError, match="oil_pct: found -100"):
        ScenarioCase.check({"oil_pct": -100})
