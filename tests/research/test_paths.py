"""Probabilities of a goal from a law of the path, against quadrature, closed forms and each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import forecast
from lib.analysis import scores
from lib.errors import UserError
from lib.research import paths, rivals

GROWTH = np.random.default_rng(0).normal(0.08, 0.15, 14)
LEVELS = 100 * np.exp(np.r_[0, np.cumsum(GROWTH)])
PROBABILITIES = [0.025, 0.25, 0.5, 0.75, 0.975]


def of(name: str) -> paths.Result:
    return rivals.forecast_quantiles(name, LEVELS, 5, PROBABILITIES)


@pytest.fixture(scope="module")
def drift() -> paths.Result:
    return of("drift")


@pytest.fixture(scope="module")
def uc() -> paths.Result:
    return of("uc")


@pytest.fixture(scope="module")
def pool() -> paths.Result:
    return paths.combine([of("log_walk"), of("drift"), of("uc"), of("theta")])


RATES = np.array([-0.1, 0.0, 0.1, 0.25, 0.4])


@pytest.mark.parametrize("years", [1, 2, 3, 5])
def test_probabilities_are_those_of_the_growth_model(drift, years):
    """Closed form where there is one; simulated paths within four of their standard errors of quadrature."""
    model = forecast.fit(GROWTH)
    needed = years * np.log1p(RATES)
    tolerance = 4 * 0.5 / np.sqrt(paths.DRAWS)
    assert paths.p_reach(drift, needed, years) == pytest.approx(
        forecast.p_reach(model, needed, years), abs=1e-9
    )
    assert paths.p_every_year(drift, RATES, years) == pytest.approx(
        forecast.p_every_year(model, RATES, years), abs=tolerance
    )
    assert paths.p_mean_rate(drift, years * RATES, years) == pytest.approx(
        forecast.p_mean_rate(model, years * RATES, years), abs=tolerance
    )


def test_simulated_growth_has_the_law_of_the_path(uc):
    levels = uc.last + np.cumsum(paths.simulate_growth(uc, 5), axis=1)
    location, scale, _ = uc.laws[0]
    assert levels.mean(axis=0) == pytest.approx(location, abs=0.01)
    assert np.cov(levels.T) == pytest.approx(scale, rel=0.05)


def test_a_pool_gives_every_event_the_mean_of_its_members(pool):
    members = [of(name) for name in ("log_walk", "drift", "uc", "theta")]
    for h in (1, 4):
        expected = np.mean([paths.p_reach(m, 0.2, h) for m in members])
        assert paths.p_reach(pool, 0.2, h) == pytest.approx(expected)
    expected = np.mean([paths.p_every_year(m, 0.05, 3) for m in members])
    assert paths.p_every_year(pool, 0.05, 3) == pytest.approx(expected, abs=0.02)


def test_quantiles_of_a_pool_invert_its_distribution(pool):
    for h in range(1, 6):
        p = [paths.p_reach(pool, q - pool.last, h) for q in pool.quantiles[h - 1]]
        assert p == pytest.approx(1 - np.array(PROBABILITIES), abs=1e-9)


def test_a_pool_of_one_model_is_that_model(drift):
    alone = paths.combine([drift])
    assert np.array_equal(alone.quantiles, drift.quantiles)


def test_a_pool_names_the_fallbacks_of_its_members():
    short = [rivals.forecast_quantiles(name, LEVELS[:8], 2, [0.5]) for name in ("ets", "uc")]
    pooled = paths.combine(short)
    assert pooled.fallback == f"ets: {short[0].fallback}"


@given(rates=st.lists(st.floats(-0.9, 5), min_size=2, max_size=5), years=st.integers(1, 5))
@settings(max_examples=50)
def test_probabilities_fall_as_the_goal_rises(drift, rates, years):
    rates = np.sort(rates)
    for p in (
        paths.p_reach(drift, years * np.log1p(rates), years),
        paths.p_every_year(drift, rates, years),
        paths.p_mean_rate(drift, years * rates, years),
    ):
        assert np.all(np.diff(p) <= 0)
        assert np.all((p > 0) & (p < 1))


@given(rate=st.floats(-0.5, 1))
@settings(max_examples=30)
def test_every_year_gets_harder_with_the_years_and_implies_the_mean(uc, rate):
    p = [paths.p_every_year(uc, rate, k) for k in range(1, 6)]
    # Paths of another length are other draws, hence the tolerance.
    assert np.all(np.diff(p) <= 4 * 0.5 / np.sqrt(paths.DRAWS))
    assert p[2] <= paths.p_mean_rate(uc, 3 * rate, 3)


def test_crps_and_pit_of_one_model_are_closed_forms(drift):
    y = drift.last + np.array([0.3, 0.1, 0.0, -0.5, 2.0])
    location, scale, df = drift.laws[0]
    spread = np.sqrt(np.diag(scale))
    assert paths.crps(drift, y) == pytest.approx(scores.crps_t(df, location, spread, y))
    assert paths.pit(drift, y) == pytest.approx(scores.pit(df, location, spread, y))


def test_crps_of_a_pool_is_that_of_its_paths(pool):
    y = pool.last + np.array([0.3, 0.1, 0.0, -0.5, 2.0])
    levels = pool.last + np.cumsum(paths.simulate_growth(pool, 5), axis=1)
    assert paths.crps(pool, y) == pytest.approx(scores.crps_sample(levels.T, y), rel=0.03)


def test_crps_through_quantiles_agrees_with_the_closed_form(drift):
    """Two equal members take the route of a pool."""
    y = drift.last + np.array([0.3, 0.1, 0.0, -0.5, 2.0])
    assert paths.crps(paths.combine([drift, drift]), y) == pytest.approx(paths.crps(drift, y), rel=2e-3)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda r: paths.p_reach(r, 0.1, 6), "years: found 6, expected 1 to 5"),
        (lambda r: paths.p_every_year(r, 0.1, 0), "years: found 0"),
        (lambda r: paths.p_every_year(r, -1.0, 2), "growth rate: found -1"),
        (lambda r: paths.p_every_year(r, np.nan, 2), "growth rate: found nan"),
        (lambda r: paths.p_reach(r, np.nan, 2), "log_growth"),
        (lambda r: paths.p_mean_rate(r, np.nan, 2), "total_rate"),
        (lambda r: paths.crps(r, [1.0]), "y: found shape"),
        (lambda r: paths.pit(r, [np.nan] * 5), "y: found shape"),
        (lambda r: paths.combine([]), "results: found 0"),
        (lambda r: paths.combine([paths.combine([r, r]), r]), "pools among them"),
        (
            lambda r: paths.combine([r, rivals.forecast_quantiles("drift", LEVELS, 4, PROBABILITIES)]),
            "different",
        ),
    ],
)
def test_bad_input_is_named(drift, call, named):
    with pytest.raises(UserError, match=named):
        call(drift)


def test_extreme_goals_have_no_certain_answer(drift):
    assert paths.p_every_year(drift, 10_000.0, 5) > 0
    assert paths.p_reach(drift, -50.0, 1) < 1
    assert paths.p_mean_rate(drift, -5.0, 2) < 1
