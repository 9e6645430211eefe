"""Tracking standards against published worked examples, closed forms, edge rules and properties."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.analysis import standards
from lib.analysis.standards import (
    TrackedTarget,
    escap_anticipated,
    escap_current_status,
    eurostat,
    sdsn,
    un_progress_chart,
)
from lib.errors import UserError

HEILONGJIANG_2008 = TrackedTarget(5.6, 2005, 11.08, 2008, 14, 2010)
HEILONGJIANG_2010 = TrackedTarget(5.6, 2005, 7.47, 2010, 14, 2010)
ALL = (eurostat, un_progress_chart, escap_current_status, escap_anticipated, sdsn)
LEVEL = st.floats(0.1, 1e6)


# --- published examples -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "ratio", "progress_class"),
    [
        # Statistics Canada, indicator_calculation_components.yml: 11-3-1, 8-6-1, 6-6-1.
        (TrackedTarget(63, 2005, 74, 2020, 85, 2030), 0.894939, "moderate"),
        (TrackedTarget(195_772, 2015, 224_062, 2024, 244_715, 2026), 0.737323, "moderate"),
        (TrackedTarget(77, 2016, 77.7, 2024, 100, 2040), 0.103370, "limited"),
    ],
)
def test_statistics_canada_published_components(problem, ratio, progress_class):
    result = eurostat(problem)
    assert result.value == pytest.approx(ratio, abs=1e-6)
    assert result.progress_class == progress_class
    assert result.on_track is False


@pytest.mark.parametrize(
    ("problem", "ratio", "progress_class"),
    [
        (HEILONGJIANG_2010, 0.295, "limited"),
        (HEILONGJIANG_2008, 1.270, "on track"),
        (TrackedTarget(400.1, 2012, 472.16, 2015, 500, 2015), 0.736, "moderate"),  # China–ASEAN
    ],
)
def test_stated_trade_targets(problem, ratio, progress_class):
    result = eurostat(problem)
    assert round(result.value, 3) == ratio
    assert result.progress_class == progress_class


@pytest.mark.parametrize("latest", [64.2, 68.0])
def test_china_russia_2015_moved_away_in_either_version(latest):
    problem = TrackedTarget(95.2, 2014, latest, 2015, 100, 2015)
    assert eurostat(problem).value < 0
    assert eurostat(problem).progress_class == "deterioration"
    assert un_progress_chart(problem).progress_class == "stagnation or regression"
    assert sdsn(problem).progress_class == "decreasing"
    assert escap_anticipated(problem).progress_class == "reverse"


def test_all_trackers_called_the_province_on_track_two_years_before_it_missed():
    assert un_progress_chart(HEILONGJIANG_2008).value == pytest.approx(1.412, abs=5e-4)
    for standard in (eurostat, un_progress_chart, escap_anticipated, sdsn):
        assert standard(HEILONGJIANG_2008).on_track is True
        assert standard(HEILONGJIANG_2010).on_track is False


# --- ratios, closed forms -----------------------------------------------------------------------


def on_path(share, latest_year=2020):
    """A target 100 → 200 in 2010–2030 with this share of the required growth a year."""
    required = 2 ** (1 / 20) - 1
    return TrackedTarget(
        100, 2010, 100 * (1 + share * required) ** (latest_year - 2010), latest_year, 200, 2030
    )


@pytest.mark.parametrize(
    ("share", "progress_class"),
    [(0.951, "on track"), (0.949, "moderate"), (0.601, "moderate"), (0.599, "limited"), (0.001, "limited")],
)
def test_eurostat_thresholds(share, progress_class):
    result = eurostat(on_path(share))
    assert result.value == pytest.approx(share, rel=1e-9)
    assert result.progress_class == progress_class


@pytest.mark.parametrize("years", [1, 5, 19])
def test_required_growth_gives_one_in_both_compounding_standards(years):
    problem = on_path(1, 2010 + years)
    assert eurostat(problem).value == pytest.approx(1, rel=1e-9)
    assert un_progress_chart(problem).value == pytest.approx(1, rel=1e-9)


def test_linear_standards_on_the_linear_path():
    halfway = TrackedTarget(100, 2010, 150, 2020, 200, 2030)
    assert sdsn(halfway).value == pytest.approx(1)
    assert escap_current_status(halfway).value == pytest.approx(5)
    assert escap_anticipated(halfway).value == pytest.approx(0, abs=1e-9)
    slower = TrackedTarget(100, 2010, 130, 2020, 200, 2030)
    assert sdsn(slower).value == pytest.approx(0.6)
    assert sdsn(slower).progress_class == "moderately improving"
    assert escap_anticipated(slower).value == pytest.approx(40)
    assert escap_anticipated(slower).progress_class == "accelerate"


@pytest.mark.parametrize(
    ("latest", "progress_class"),
    [(145.1, "maintain"), (144.9, "accelerate"), (100, "accelerate"), (99.9, "reverse")],
)
def test_anticipated_progress_cut_points(latest, progress_class):
    assert (
        escap_anticipated(TrackedTarget(100, 2010, latest, 2020, 200, 2030)).progress_class == progress_class
    )


def test_un_cut_points_through_the_deadline_value():
    best, fair, worst = (name for _, name in standards.UN_CLASSES)
    for latest, label in [(195.1, best), (194.9, fair), (110.1, fair), (109.9, worst)]:
        problem = TrackedTarget(100, 2010, latest, 2030, 200, 2030)
        assert un_progress_chart(problem).progress_class == label


def test_anticipated_progress_uses_the_least_squares_line_of_the_years_known():
    levels = pd.Series({2010: 100.0, 2011: 120.0, 2012: 110.0, 2014: 150.0, 2015: 900.0})
    problem = TrackedTarget(100, 2010, 150, 2014, 300, 2020)
    slope, intercept = np.polyfit(levels.index[:4] - 2010, levels.iloc[:4], 1)
    expected = 100 * (300 - (intercept + slope * 10)) / 200
    assert escap_anticipated(problem, levels).value == pytest.approx(expected, rel=1e-9)
    corrupted = levels.where(levels.index <= 2014, -1e9)
    assert escap_anticipated(problem, corrupted) == escap_anticipated(problem, levels)


# --- edges ----------------------------------------------------------------------------------------------


def test_already_met_counts_at_once_even_with_one_year_or_an_equal_target():
    for problem in (
        TrackedTarget(5, 2010, 12, 2012, 10, 2015),
        TrackedTarget(12, 2010, 12, 2010, 10, 2015),
        TrackedTarget(10, 2010, 10, 2012, 10, 2015),
    ):
        result = eurostat(problem)
        assert (result.progress_class, result.on_track) == ("target achieved", True)
        assert un_progress_chart(problem).on_track is True
        assert sdsn(problem).on_track is True
        assert escap_anticipated(problem).progress_class == "maintain"


@pytest.mark.parametrize("latest", [90, 60])
def test_a_base_beyond_the_target_that_fell_below_is_deterioration(latest):
    problem = TrackedTarget(120, 2010, latest, 2015, 100, 2020)
    assert eurostat(problem).progress_class == "deterioration"
    assert un_progress_chart(problem).progress_class == "stagnation or regression"
    assert sdsn(problem).progress_class == "decreasing"
    assert escap_current_status(problem).progress_class == "regression"


@pytest.mark.parametrize(
    "problem", [TrackedTarget(5, 2010, 5, 2010, 10, 2015), TrackedTarget(10, 2010, 8, 2012, 10, 2015)]
)
def test_without_progress_to_divide_by_nothing_is_assessed(problem):
    for standard in ALL:
        assert standard(problem)[1:] == (None, "not assessed", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 2010, 1, 2010, 1, 2010), "found 2010, 2010 and 2010"),
        ((1, 2010, 1, 2009, 1, 2012), "found 2010, 2009 and 2012"),
        ((1, 2010, 1, 2013, 1, 2012), "found 2010, 2013 and 2012"),
        ((1, 2010, 1, 2011, math.inf, 2012), "target: found inf"),
        ((1, 2010, math.nan, 2011, 1, 2012), "latest: found nan"),
        ((0, 2010, 1, 2011, 1, 2012), "base: found 0"),
    ],
)
def test_impossible_problems_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        TrackedTarget(*arguments)


def test_levels_without_two_known_years_are_refused():
    with pytest.raises(UserError, match="levels: found 1 up to 2008"):
        escap_anticipated(HEILONGJIANG_2008, pd.Series({2008: 11.08, 2009: 5.58}))


# --- properties -----------------------------------------------------------------------------------------


@st.composite
def problems(draw):
    base_year = 2000
    latest_year = base_year + draw(st.integers(1, 10))
    target_year = latest_year + draw(st.integers(0, 10))
    base = draw(LEVEL)
    goal = base * draw(st.floats(1.05, 20))
    return TrackedTarget(base, base_year, draw(LEVEL), latest_year, goal, target_year)


def strength(standard, problem):
    """Value of a standard, turned so that more is better."""
    return (-1 if standard is escap_anticipated else 1) * standard(problem).value


@given(problems(), st.floats(1.0, 3.0))
def test_a_higher_latest_value_is_never_worse(problem, factor):
    fields = vars(problem) | {"latest": problem.latest * factor}
    better = TrackedTarget(**fields)
    for standard in ALL:
        tolerance = 1e-9 * (1 + abs(strength(standard, problem)))
        assert strength(standard, better) >= strength(standard, problem) - tolerance


@given(problems(), st.floats(0.01, 100))
def test_the_unit_does_not_matter(problem, unit):
    scaled = TrackedTarget(
        **(vars(problem) | {name: getattr(problem, name) * unit for name in ("base", "latest", "target")})
    )
    for standard in ALL:
        assert standard(scaled).value == pytest.approx(standard(problem).value, rel=1e-6, abs=1e-6)


@given(problems())
def test_the_compounding_and_the_linear_standards_agree_on_the_outcome(problem):
    at_end = TrackedTarget(**(vars(problem) | {"latest_year": problem.target_year}))
    assert un_progress_chart(at_end).value == pytest.approx(sdsn(at_end).value, rel=1e-9, abs=1e-9)
    assert escap_current_status(at_end).value == pytest.approx(10 * sdsn(at_end).value, rel=1e-9, abs=1e-9)
    assert (eurostat(at_end).progress_class == "target achieved") == (at_end.latest >= at_end.target)
