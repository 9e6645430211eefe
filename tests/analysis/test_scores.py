"""Scores against closed forms, hand-worked numbers and numerical integration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from lib.analysis import scores
from lib.errors import UserError

probabilities = st.floats(0, 1)
events = st.lists(st.tuples(probabilities, st.booleans()), min_size=2, max_size=60)


def test_brier_and_log_score_of_a_hand_worked_pair():
    assert scores.brier([0.3, 0.3], [1, 0]) == pytest.approx([0.49, 0.09])
    assert scores.log_score([0.25, 0.25], [True, False]) == pytest.approx([np.log(4), np.log(4 / 3)])


def test_a_failed_certainty_has_an_infinite_log_score_and_is_counted():
    assert np.isposinf(scores.log_score([0.0, 1.0], [1, 0])).all()
    assert scores.log_score([1.0, 0.0], [1, 0]) == pytest.approx([0, 0])
    assert scores.certain_share([0.0, 1.0, 0.5, 0.999]) == 0.5


@given(truth=probabilities, said=probabilities)
def test_brier_and_log_score_are_proper(truth, said):
    """The expected score is least when the stated probability is the true one."""

    def expected(score, p):
        happened, not_happened = (float(score(p, o)) for o in (1, 0))
        return sum(w * s for w, s in ((truth, happened), (1 - truth, not_happened)) if w > 0)

    for score in (scores.brier, scores.log_score):
        assert expected(score, truth) <= expected(score, said) + 1e-9


@given(events, st.integers(1, 20))
def test_murphy_parts_add_up_to_the_mean_brier_score(pairs, bins):
    p, o = (np.array(x, dtype=float) for x in zip(*pairs, strict=True))
    part = scores.murphy(p, o, bins)
    total = part.reliability - part.resolution + part.uncertainty + part.within_bin
    assert total == pytest.approx(scores.brier(p, o).mean(), abs=1e-12)
    assert min(part.reliability, part.resolution, part.uncertainty) >= 0


def test_murphy_of_a_hand_worked_table():
    """Ten forecasts of .2 with 3 events, ten of .8 with 7: worked by hand from Murphy (1973)."""
    p = np.repeat([0.2, 0.8], 10)
    o = np.r_[np.ones(3), np.zeros(7), np.ones(7), np.zeros(3)]
    assert scores.murphy(p, o, 10) == pytest.approx((0.01, 0.04, 0.25, 0.0), abs=1e-15)


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


def test_crps_of_a_sample_is_the_fair_estimator():
    """Sample {0, 1, 2} at 0.5: E|X − y| = 5/6, less half the mean distance of different members 4/3."""
    assert scores.crps_sample([0.0, 1, 2], 0.5) == pytest.approx(1 / 6)
    spread_over_all_pairs = 8 / 9
    biased = 5 / 6 - spread_over_all_pairs / 2
    assert biased == pytest.approx(7 / 18)
    assert scores.crps_sample([[0.0, 1, 2], [2.0, 0, 1]], [0.5, 0.5]) == pytest.approx([1 / 6, 1 / 6])


def test_crps_of_a_large_sample_is_that_of_its_distribution():
    draws = np.random.default_rng(0).standard_t(5, size=200_000)
    assert scores.crps_sample(draws, 0.4) == pytest.approx(float(scores.crps_t(5, 0, 1, 0.4)), abs=0.005)


@given(st.floats(-3, 3), st.floats(0.2, 5))
def test_crps_t_is_proper(shift, stretch):
    """Expected CRPS under a t(6), by quadrature over its quantiles, is least for the t(6) itself."""
    y = stats.t.ppf((np.arange(400) + 0.5) / 400, 6)
    honest, other = (scores.crps_t(6, m, s, y).mean() for m, s in ((0, 1), (shift, stretch)))
    assert honest <= other + 1e-3


def test_interval_score_of_hand_worked_cases():
    """Width 2; inside costs the width, 1 above at alpha = 0.1 costs 20 more, 0.5 below 10 more."""
    assert scores.interval_score(0.0, 2.0, [1.0, 3.0, -0.5], 0.1) == pytest.approx([2, 22, 12])


@given(st.floats(-2, 2), st.floats(0.05, 4))
def test_interval_score_is_proper(centre, half):
    y = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    honest = scores.interval_score(*stats.norm.ppf([0.1, 0.9]), y, 0.2).mean()
    assert honest <= scores.interval_score(centre - half, centre + half, y, 0.2).mean() + 5e-3


def test_coverage_counts_the_ends_as_inside():
    assert scores.coverage([0, 0, 0], [1, 1, 1], [0, 1, 1.01]).tolist() == [1, 1, 0]


def test_pit_is_the_distribution_function():
    assert scores.pit([5, np.inf], 1.0, 2.0, [2.0, 2.0]) == pytest.approx(
        [stats.t.cdf(0.5, 5), stats.norm.cdf(0.5)], abs=1e-12
    )


def test_pit_of_draws_from_the_forecast_is_uniform():
    y = stats.t(4, 0.1, 0.3).rvs(2000, random_state=0)
    assert stats.kstest(scores.pit(4, 0.1, 0.3, y), "uniform").pvalue > 0.05


def test_smape_and_mase_of_hand_worked_series():
    assert scores.smape([110.0, 90.0], [90.0, 110.0]) == pytest.approx(20)
    assert scores.smape([0.0, 1.0], [0.0, 1.0]) == 0
    assert scores.mase([4.0, 6.0], [5.0, 9.0], [1.0, 2.0, 4.0]) == pytest.approx(2 / 1.5)


def test_skill_is_zero_at_the_reference_and_one_at_perfection():
    assert scores.skill(0.25, 0.25) == 0
    assert scores.skill(0.0, 0.25) == 1
    assert scores.skill(0.30, 0.25) == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: scores.brier([1.2], [1]), "p: found 1.2"),
        (lambda: scores.brier([np.nan], [1]), "p: found"),
        (lambda: scores.brier([0.5], [2]), "outcome: found 2"),
        (lambda: scores.brier([0.5, 0.5], [1]), r"found shapes \(2,\)"),
        (lambda: scores.brier([], []), "p: found no values"),
        (lambda: scores.crps_t(1.0, 0, 1, 0), "df: found 1"),
        (lambda: scores.crps_t(np.nan, 0, 1, 0), "df: found a missing"),
        (lambda: scores.crps_t(5, 0, 0, 0), "scale: found 0"),
        (lambda: scores.crps_t(5, 0, 1, np.nan), "y: found"),
        (lambda: scores.crps_sample([1.0], 0.0), "samples: found shape"),
        (lambda: scores.interval_score(2, 1, 0, 0.1), "lower: found one above"),
        (lambda: scores.interval_score(0, 1, 0, 5), "alpha: found 5"),
        (lambda: scores.mase([1.0], [1.0], [2.0, 2.0]), "constant series"),
        (lambda: scores.mase([1.0], [1.0], [2.0]), "training: found one value"),
        (lambda: scores.skill(0.1, 0.0), "reference: found"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(UserError, match=named):
        call()
