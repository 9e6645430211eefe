"""Intervals by group, reliability and PIT against simulated forecasts whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.analysis import scores
from lib.errors import UserError


def clustered(seed: int, shock: float, years: int = 12, per_year: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Scores and their years: unit noise plus a shock that all forecasts of a year share."""
    rng = np.random.default_rng(seed)
    year = np.repeat(np.arange(years), per_year)
    return rng.standard_normal(year.size) + shock * rng.standard_normal(years)[year], year


def width(interval: scores.Interval) -> float:
    return interval.high - interval.low


def test_cluster_interval_is_wider_than_iid_when_years_share_a_shock():
    values, year = clustered(0, shock=1.0)
    iid = scores.cluster_interval(values, np.arange(values.size))
    assert width(scores.cluster_interval(values, year)) > 3 * width(iid)


def test_cluster_interval_of_independent_values_has_the_textbook_width():
    values, _ = clustered(1, shock=0.0, years=40)
    interval = scores.cluster_interval(values, np.arange(values.size))
    assert interval.estimate == pytest.approx(values.mean())
    assert width(interval) == pytest.approx(2 * 1.96 * values.std() / np.sqrt(values.size), rel=0.1)


def test_cluster_interval_holds_the_true_mean_about_as_often_as_it_says():
    """Percentile intervals from 12 clusters are known to be a little narrow: 90 % holds at least 80 %."""
    held = 0
    for seed in range(200):
        interval = scores.cluster_interval(*clustered(seed, shock=0.5), level=0.9)
        held += interval.low <= 0 <= interval.high
    assert 0.80 <= held / 200 <= 0.96


@given(st.integers(0, 2**31), st.floats(-5, 5), st.floats(0.1, 10))
def test_cluster_interval_moves_with_its_values(seed, shift, stretch):
    values, year = clustered(3, shock=0.5, years=5, per_year=4)
    base = np.array(scores.cluster_interval(values, year, seed=seed))
    moved = np.array(scores.cluster_interval(shift + stretch * values, year, seed=seed))
    assert moved == pytest.approx(shift + stretch * base, abs=1e-9)


def test_skill_interval_is_tight_when_the_scores_move_together():
    """A forecast that always costs 90 % of the reference has a skill of exactly 10 % in every resample."""
    reference = np.random.default_rng(0).exponential(size=300)
    interval = scores.skill_interval(0.9 * reference, reference, np.repeat(np.arange(10), 30))
    assert interval == pytest.approx((0.1, 0.1, 0.1))


def test_weights_count_as_so_many_forecasts():
    """Yearly means with the number behind each are the single scores."""
    values, year = clustered(7, shock=0.5)
    kept = np.arange(values.size) % 3 > year[np.arange(values.size)] % 3 - 1  # years of unequal size
    values, year = values[kept], year[kept]
    n = np.bincount(year)
    means = np.bincount(year, values) / n
    assert scores.cluster_interval(means, np.arange(n.size), n) == pytest.approx(
        scores.cluster_interval(values, year)
    )


def test_a_contest_is_won_only_where_luck_of_the_years_cannot_explain_it():
    noise, year = clustered(5, shock=1.0)
    reference = np.abs(noise) + 1
    assert scores.contest(reference - 0.5, reference, year)[0] == "better"
    assert scores.contest(reference + 0.5, reference, year)[0] == "worse"
    told, apart = scores.contest(reference + 0.1 * noise, reference, year)
    assert told == "level" and apart.low < 0 < apart.high
    alone, apart = scores.contest([0.1, 0.2], [0.2, 0.3], [2010, 2010])  # one year says nothing of luck
    assert alone == "level" and apart.estimate == pytest.approx(-0.1)


@pytest.mark.parametrize("common", [0.1, 0.3, 0.7])
def test_the_worst_of_fifteen_calibrated_years_is_that_of_simulations(common):
    rng = np.random.default_rng(6)
    shock, own = rng.standard_normal((1000, 15, 1)), rng.standard_normal((1000, 15, 400))
    z = np.sqrt(common) * shock + np.sqrt(1 - common) * own
    worst = (np.abs(z) < 1.2816).mean(axis=2).min(axis=1)
    expected = scores.worst_expected(common, 15, 0.8)
    assert expected == pytest.approx(np.quantile(worst, [0.05, 0.95]), abs=0.03)


def forecasts(seed: int, n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated probabilities with their outcomes and years."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=n)
    return p, (rng.uniform(size=n) < p).astype(float), np.arange(n) % 10


@pytest.mark.parametrize("bins", [None, 10])
def test_reliability_of_calibrated_forecasts_is_the_diagonal(bins):
    table = scores.reliability(*forecasts(0), bins=bins)
    middle = table[table["p"].between(0.05, 0.95)]
    assert (middle["frequency"] - middle["p"]).abs().max() < 0.06
    assert (middle["low"] <= middle["high"]).all()
    assert table["n"].sum() == 20_000


def test_reliability_shows_overconfidence():
    """Outcomes happen half as often as said at the top: the curve lies below the diagonal."""
    p, _, year = forecasts(1)
    happened = (np.random.default_rng(2).uniform(size=p.size) < 0.25 + p / 2).astype(float)
    table = scores.reliability(p, happened, year, bins=10).set_index("n")
    assert (table["high"].to_numpy()[-3:] < table["p"].to_numpy()[-3:]).all()
    assert (table["low"].to_numpy()[:3] > table["p"].to_numpy()[:3]).all()


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 3)), min_size=8, max_size=40))
def test_corp_curve_rises_and_keeps_the_mean(rows):
    """Isotonic regression is monotone and preserves the weighted mean of the outcomes."""
    p, happened, group = map(np.array, zip(*rows, strict=True))
    group[:2] = (0, 1)
    table = scores.reliability(p, happened, group)
    assert (np.diff(table["frequency"]) >= -1e-12).all()
    assert np.average(table["frequency"], weights=table["n"]) == pytest.approx(happened.mean())


def test_reliability_bands_are_wider_when_years_share_a_shock():
    p, _, year = forecasts(3)
    rng = np.random.default_rng(4)
    shock = rng.uniform(-0.3, 0.3, size=10)
    happened = (rng.uniform(size=p.size) < np.clip(p + shock[year], 0, 1)).astype(float)
    by_year, iid = (
        scores.reliability(p, happened, groups, bins=5) for groups in (year, np.arange(p.size) // 2)
    )
    assert ((by_year["high"] - by_year["low"]) > 2 * (iid["high"] - iid["low"])).all()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: scores.cluster_interval([1.0, 2], [2010, 2010]), "single group"),
        (lambda: scores.cluster_interval([1.0, 2], [2010, None]), "groups: found 1 labels"),
        (lambda: scores.cluster_interval([1.0, np.nan], [2010, 2011]), "values: found"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(UserError, match=named):
        call()
