"""Scores against closed forms, hand-worked numbers and numerical integration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from lib.analysis import scores
from lib.errors import UserError


def test_crps_of_the_standard_normal_at_its_mean():
    assert scores.crps_t(np.inf, 0, 1, 0) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), abs=1e-14)


@pytest.mark.parametrize(
    ("df", "location", "scale", "y"), [(3, 0.1, 0.2, 0.5), (12, -1, 2, -4), (1.5, 0, 1, 0)]
)
def test_crps_t_is_the_integral_of_its_definition(df, location, scale, y):
    law = stats.t(df, location, scale)
    below = integrate.quad(lambda x: law.cdf(x) ** 2, -np.inf, y)[0]
    above = integrate.quad(lambda x: law.sf(x) ** 2, y, np.inf)[0]
    assert scores.crps_t(df, location, scale, y) == pytest.approx(below + above, rel=1e-6)


def test_crps_t_broadcasts_and_approaches_the_normal():
    both = scores.crps_t([1e6, np.inf], 0.0, [1.0, 1.0], 0.7)
    assert both.shape == (2,)
    assert both[0] == pytest.approx(both[1], rel=1e-5)


@given(st.floats(-3, 3), st.floats(0.2, 5))
def test_crps_t_is_proper(shift, stretch):
    """Expected CRPS under a t(6), by quadrature over its quantiles, is least for the t(6) itself."""
    y = stats.t.ppf((np.arange(400) + 0.5) / 400, 6)
    honest, other = (scores.crps_t(6, m, s, y).mean() for m, s in ((0, 1), (shift, stretch)))
    assert honest <= other + 1e-3


def test_pit_is_the_distribution_function():
    assert scores.pit([5, np.inf], 1.0, 2.0, [2.0, 2.0]) == pytest.approx(
        [stats.t.cdf(0.5, 5), stats.norm.cdf(0.5)], abs=1e-12
    )


def test_pit_of_draws_from_the_forecast_is_uniform():
    y = stats.t(4, 0.1, 0.3).rvs(2000, random_state=0)
    assert stats.kstest(scores.pit(4, 0.1, 0.3, y), "uniform").pvalue > 0.05


def test_skill_is_zero_at_the_reference_and_one_at_perfection():
    assert scores.skill(0.25, 0.25) == 0
    assert scores.skill(0.0, 0.25) == 1
    assert scores.skill(0.30, 0.25) == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: scores.crps_t(1.0, 0, 1, 0), "df: found 1"),
        (lambda: scores.crps_t(np.nan, 0, 1, 0), "df: found a missing"),
        (lambda: scores.crps_t(5, 0, 0, 0), "scale: found 0"),
        (lambda: scores.crps_t(5, 0, 1, np.nan), "y: found"),
        (lambda: scores.skill(0.1, 0.0), "reference: found"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(UserError, match=named):
        call()
