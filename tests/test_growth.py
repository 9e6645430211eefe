"""Growth maths against published examples, closed forms, inverses and properties."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lib import growth
from lib.errors import UserError

LEVEL = st.floats(1e-3, 1e9)
RATE = st.floats(-0.9, 5)
YEARS = st.integers(1, 30)


def close(actual, expected, rel=1e-9):
    return actual == pytest.approx(expected, rel=rel, abs=1e-9)


# --- published examples ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "years", "percent"),
    [
        (5.6, 14, 5, 20.11),  # Heilongjiang with Russia, goal of 2006 for 2010
        (5.6, 7.47, 5, 5.93),  # what came
        (5.6, 11.08, 3, 25.54),  # as read in 2008
        (400.1, 500, 3, 7.71),  # China–ASEAN, goal for 2015
        (400.1, 472.16, 3, 5.68),
        (95.2, 100, 1, 5.04),  # China–Russia, goal for 2015
        (1570, 3140, 5, 14.87),  # US National Export Initiative
        (22.36, 25, 2, 5.74),  # Heilongjiang, goals of 2014
        (22.36, 50, 7, 12.18),
        (22.36, 70, 12, 9.98),
        (1.37, 5.68, 5, 32.9),  # Heilongjiang 2000–05
    ],
)
def test_compound_rates_as_published(start, end, years, percent):
    digits = 1 if percent == 32.9 else 2
    assert round(100 * growth.cagr(start, end, years), digits) == percent
    assert growth.required_rate(start, end, years) == growth.cagr(start, end, years)


def test_harbin_base_and_what_two_readings_still_need_after_2013():
    assert growth.implied_base(230, 0.5) == pytest.approx(153 + 1 / 3, rel=1e-15)
    needed = growth.required_rate(1.5, growth.goal_path(1, 0.25, 3), 2)
    assert needed == pytest.approx(math.sqrt(1.25**3 / 1.5) - 1, rel=1e-14)
    assert round(100 * needed, 2) == 14.11
    assert growth.required_mean(0.25, 3, [0.5]) == pytest.approx(0.125, rel=1e-14)
    # The mean-of-rates reading ends lower than the level reading.
    assert growth.goal_path(1.5, growth.required_mean(0.25, 3, [0.5]), 2) == pytest.approx(1.898, abs=5e-4)
    assert growth.goal_path(1, 0.25, 3) == pytest.approx(1.953, abs=5e-4)


def test_yearly_growth_of_heilongjiang_as_published():
    levels = pd.Series({2004: 3.82, 2005: 5.68, 2006: 6.69, 2008: 11.08, 2009: 5.58})
    percent = (100 * growth.yoy(levels)).round(1)
    assert percent.dropna().to_dict() == {2005: 48.7, 2006: 17.8, 2009: -49.6}
    assert math.isnan(percent[2004])
    assert math.isnan(percent[2008]), "2007 is missing, so 2008 has no growth"


def test_year_to_date_releases_of_heilongjiang_2018():
    parts = growth.unwind_ytd(pd.Series({8: 74.72, 3: 22.0}))
    assert parts.columns.tolist() == ["first_month", "last_month", "value", "fault"]
    assert parts[["first_month", "last_month"]].to_numpy().tolist() == [[1, 3], [4, 8]]
    assert parts["value"].tolist() == pytest.approx([22.0, 52.72])


# --- scalars, arrays, Series ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (growth.cagr, (2.0, 3.0, 4.0)),
        (growth.implied_base, (230.0, 0.5)),
        (growth.required_rate, (2.0, 3.0, 4.0)),
        (growth.goal_path, (2.0, 0.25, 3.0)),
        (growth.doubling_time, (0.25,)),
    ],
)
def test_scalar_array_and_series_agree(function, arguments):
    scalar = function(*arguments)
    assert type(scalar) is float
    array = function(*(np.array([x, x]) for x in arguments))
    assert isinstance(array, np.ndarray)
    np.testing.assert_array_equal(array, [scalar, scalar])
    series = function(
        pd.Series([arguments[0], np.nan, arguments[0]], index=[2012, 2013, 2015]), *arguments[1:]
    )
    expected = pd.Series([scalar, np.nan, scalar], index=[2012, 2013, 2015])
    pd.testing.assert_series_equal(series, expected)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("function", "arguments"),
    [(growth.cagr, (2, 3, 4)), (growth.goal_path, (2, 0.25, 3)), (growth.required_rate, (2, 3, 4))],
)
def test_missing_in_missing_out(function, arguments, place):
    for missing in (math.nan, None):
        assert math.isnan(function(*[missing if i == place else x for i, x in enumerate(arguments)]))


def test_a_missing_rate_makes_the_requirement_missing():
    assert math.isnan(growth.required_mean(0.25, 3, [math.nan]))


def test_path_by_index_or_calendar_year():
    by_t = growth.goal_path(100, 0.25, pd.RangeIndex(3))
    assert by_t.to_dict() == {0: 100, 1: 125, 2: 156.25}
    by_year = growth.goal_path(100, 0.25, pd.Series([0, 2], index=[2012, 2014]))
    assert by_year.to_dict() == {2012: 100, 2014: 156.25}


def test_rows_of_an_array_are_series_of_their_own():
    levels = np.array([[1.0, 2.0, 3.0], [4.0, 2.0, 0.0]])
    np.testing.assert_allclose(growth.yoy(levels), [[np.nan, 1, 0.5], [np.nan, -0.5, -1]])
    np.testing.assert_allclose(growth.required_mean(0.25, 3, [[0.5], [0.0]]), [0.125, 0.375])


def test_year_order_in_the_index_does_not_matter():
    levels = pd.Series({2010: 1.0, 2011: 1.5, 2012: 3.0})
    shuffled = growth.yoy(levels.loc[[2012, 2010, 2011]])
    assert shuffled[2011] == 0.5
    assert shuffled[2012] == 1.0


# --- zero, negative, wrong ----------------------------------------------------------------------------


def test_zero_may_be_reached_but_not_left():
    assert growth.yoy(pd.Series({2012: 2.0, 2013: 0.0}))[2013] == -1
    assert growth.cagr(2, 0, 3) == -1
    levels = pd.Series({2012: 2.0, 2013: 0.0, 2014: 1.0, 2015: 3.0})
    assert growth.yoy(levels).round(12).to_dict() == pytest.approx(
        {2012: np.nan, 2013: -1, 2014: np.nan, 2015: 2}, nan_ok=True
    )
    assert growth.log_growth(levels).dropna().to_dict() == pytest.approx({2015: np.log(3)})
    assert np.isnan(growth.yoy(levels.to_numpy())[2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: growth.yoy(5), "single number 5"),
        (lambda: growth.yoy([1, -2, 3]), "levels: found -2 at position 1"),
        (lambda: growth.yoy([1, math.inf]), "levels: found inf at position 1"),
        (lambda: growth.yoy(["1", "many"]), "levels: found .*many.*, expected numbers"),
        (lambda: growth.yoy(pd.DataFrame({"a": [1.0]})), "levels: found a DataFrame"),
        (
            lambda: growth.yoy(pd.Series([1.0, 2.0], index=["2012", "2013"])),
            "expected distinct integer years",
        ),
        (lambda: growth.yoy(pd.Series([1.0, 2.0], index=[2012, 2012])), "expected distinct integer years"),
        (lambda: growth.cagr(0, 1, 1), "start: found 0, expected a positive"),
        (lambda: growth.cagr(1, -1, 1), "end: found -1"),
        (lambda: growth.cagr(1, 1, 0), "years: found 0"),
        (lambda: growth.required_rate(-1, 1, 2), "latest: found -1"),
        (lambda: growth.cagr([1, 2], [1, 2, 3], 1), r"shapes start \(2,\), end \(3,\)"),
        (lambda: growth.required_rate(1, 1, 0), "years: found 0"),
        (lambda: growth.implied_base(230, -1), "growth: found -1, expected a rate above −1"),
        (lambda: growth.required_mean(0.25, 3, [0.1, 0.1, 0.1]), "whole number above the 3 past rates"),
        (lambda: growth.required_mean(0.25, 2.5, [0.1]), "years: found 2.5"),
        (lambda: growth.required_mean(0.25, 3, [0.1, -1.5]), "past_rates: found -1.5 at position 1"),
        (lambda: growth.required_mean(-2, 3, [0.1]), "rate: found -2"),
        (lambda: growth.goal_path(0, 0.25, 3), "base: found 0"),
        (lambda: growth.goal_path(1, 0.25, math.inf), "years: found inf"),
        (lambda: growth.doubling_time(-1), "rate: found -1"),
        (lambda: growth.unwind_ytd(pd.Series({0: 1.0})), "distinct months from 1 to 12"),
        (lambda: growth.unwind_ytd(pd.Series([1.0, 2.0], index=[3, 3])), "distinct months from 1 to 12"),
        (lambda: growth.unwind_ytd(pd.Series({2: -3.0})), "cumulative: found -3 at 2"),
        (lambda: growth.contributions(pd.DataFrame({"export": [1.0, -1.0]})), "export: found -1 at 1"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_series_with_different_years_are_not_aligned_in_silence():
    with pytest.raises(UserError, match="end: its index differs from that of start"):
        growth.cagr(pd.Series([1.0], index=[2012]), pd.Series([2.0], index=[2013]), 1)


# --- closed forms and properties ----------------------------------------------------------------------


def test_doubling_time_closed_forms():
    assert growth.doubling_time(1.0) == 1
    assert growth.doubling_time(math.sqrt(2) - 1) == pytest.approx(2, rel=1e-12)
    assert growth.doubling_time(0) == math.inf
    assert growth.doubling_time(-0.1) == math.inf


@given(base=LEVEL, rate=RATE, years=YEARS)
def test_cagr_of_a_path_is_its_rate(base, rate, years):
    end = growth.goal_path(base, rate, years)
    assert growth.cagr(base, end, years) == pytest.approx(rate, abs=1e-9)
    assert close(growth.goal_path(base, growth.required_rate(base, end, years), years), end)


@given(arrays(float, st.integers(2, 20), elements=st.floats(1, 1e4)))
def test_implied_base_is_the_inverse_of_yoy(levels):
    np.testing.assert_allclose(
        growth.implied_base(levels[1:], growth.yoy(levels)[1:]), levels[:-1], rtol=1e-9
    )


@given(arrays(float, array_shapes(min_dims=1, max_dims=2, min_side=2), elements=LEVEL), st.floats(1e-3, 1e3))
def test_growth_does_not_depend_on_the_unit(levels, unit):
    np.testing.assert_allclose(growth.yoy(levels * unit), growth.yoy(levels), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(growth.log_growth(levels * unit), growth.log_growth(levels), atol=1e-9)


@given(arrays(float, st.integers(2, 20), elements=LEVEL))
def test_log_growth_is_the_log_of_growth_and_adds_up(levels):
    logs = growth.log_growth(levels)
    np.testing.assert_allclose(np.exp(logs[1:]) - 1, growth.yoy(levels)[1:], rtol=1e-6, atol=1e-9)
    assert logs[1:].sum() == pytest.approx(math.log(levels[-1] / levels[0]), abs=1e-9)


@given(st.lists(RATE, min_size=1, max_size=20))
def test_compound_rate_is_at_most_the_mean_rate(rates):
    end = math.prod(1 + rate for rate in rates)
    assert growth.cagr(1, end, len(rates)) <= np.mean(rates) + 1e-9


@given(rate=RATE, past=st.lists(RATE, max_size=10), left=st.integers(1, 10))
def test_keeping_the_requirement_keeps_the_goal(rate, past, left):
    years = len(past) + left
    level = math.prod(1 + r for r in past)
    needed = growth.required_rate(level, growth.goal_path(1, rate, years), left)
    assert level * (1 + needed) ** left == pytest.approx((1 + rate) ** years, rel=1e-9)
    mean = growth.required_mean(rate, years, past)
    assert (sum(past) + left * mean) / years == pytest.approx(rate, abs=1e-9)


@given(st.dictionaries(st.integers(1, 12), st.one_of(st.floats(0, 1e6), st.none()), max_size=12))
def test_parts_of_a_year_cumulate_to_the_releases(monthly):
    cumulative = pd.Series(monthly, dtype=float).sort_index().cumsum()
    parts = growth.unwind_ytd(cumulative)
    np.testing.assert_allclose(parts["value"].cumsum(), cumulative.dropna(), rtol=1e-12, atol=1e-6)
    assert parts["last_month"].tolist() == cumulative.dropna().index.tolist()
    assert parts["first_month"].tolist() == [1, *(parts["last_month"] + 1)][: len(parts)]


@given(arrays(float, st.tuples(st.integers(2, 8), st.integers(1, 4)), elements=st.floats(1, 1e6)))
def test_contributions_add_up_to_the_growth_of_the_total(levels):
    parts = pd.DataFrame(levels, index=range(2000, 2000 + len(levels)))
    shares = growth.contributions(parts)
    total = growth.yoy(parts.sum(axis=1))
    np.testing.assert_allclose(shares.sum(axis=1, skipna=False), total, rtol=1e-9, atol=1e-9)


def test_contribution_of_a_part_that_starts_from_zero_and_of_a_missing_part():
    parts = pd.DataFrame({"export": [4.0, 5.0, 5.0], "import": [0.0, 1.0, np.nan]}, index=[2012, 2013, 2014])
    shares = growth.contributions(parts)
    assert shares.loc[2013].tolist() == [0.25, 0.25]
    assert shares.loc[2014].isna().all()
