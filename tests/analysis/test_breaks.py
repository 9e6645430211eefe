"""Breaks against published examples, an independent implementation, simulation and exact properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.analysis import trends


@pytest.fixture(scope="module")
def flow() -> np.ndarray:
    """Volume of the Nile at Aswan 1871–1970."""
    from statsmodels.datasets import nile

    return nile.load_pandas().data["volume"].to_numpy()


def test_the_nile_broke_in_1898(flow):
    """Zeileis, Kleiber, Krämer & Hornik (2003): last year of the first segment 1898; sup F as their strucchange prints it."""
    f, place, p = trends._sup_f(flow)
    assert f == pytest.approx(75.93, abs=0.005)
    assert 1870 + place == 1898
    assert p == 1 / (trends.DRAWS + 1)


def test_partitions_of_the_nile_are_the_published_ones(flow):
    """Sums of squares and BIC that R's strucchange, of the same authors, prints for the Nile; least with one break."""
    found = trends.partitions(pd.Series(flow, range(1871, 1971)), most=5)
    assert found["ssr"].round().to_list() == [2835157, 1597457, 1552924, 1538097, 1507888, 1659994]
    assert found["bic"].round().to_list() == [1318, 1270, 1276, 1285, 1292, 1311]
    assert found.loc[1, "years"] == [1899]
    assert found["bic"].idxmin() == found["lwz"].idxmin() == 1


@pytest.mark.parametrize("seed", range(5))
def test_partitions_are_those_of_ruptures(seed):
    """Dynamic programming of Truong, Oudre & Vayatis (2020) as an independent implementation."""
    ruptures = pytest.importorskip("ruptures")
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(40) + np.repeat(rng.normal(0, 2, 4), 10)
    least = trends._shortest(40, 0.15)
    search = ruptures.Dynp(model="l2", min_size=least, jump=1).fit(values)
    for number, places in trends.partitions(pd.Series(values), most=4)["years"].iloc[1:].items():
        assert places == search.predict(n_bkps=number)[:-1]


@given(st.integers(8, 30), st.integers(0, 10**6), st.sampled_from([0.1, 0.15, 0.25]))
def test_f_is_that_of_two_regressions(n, seed, trim):
    values = np.random.default_rng(seed).standard_normal(n)
    least = trends._shortest(n, trim)
    slow = []
    for k in range(least, n - least + 1):
        parts = values[:k], values[k:]
        inside = sum(np.sum((part - part.mean()) ** 2) for part in parts)
        slow.append((np.sum((values - values.mean()) ** 2) - inside) / (inside / (n - 2)))
    np.testing.assert_allclose(trends._f_statistics(values, trim), slow, rtol=1e-7, atol=1e-9)


@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-50, 50))
def test_neither_unit_nor_mean_matters(seed, scale, shift):
    values = np.random.default_rng(seed).standard_normal(20)
    moved = trends._f_statistics(values * scale + shift)
    np.testing.assert_allclose(moved, trends._f_statistics(values), rtol=1e-5)


def test_the_asymptotic_critical_value_is_andrewss():
    """8.68 for one mean and 15 % trimming (Andrews 2003, table I); two dozen values need more."""
    assert trends._critical_value(1000, draws=4000) == pytest.approx(8.68, abs=0.25)
    assert trends._critical_value(24) > 8.68 + 0.5


@pytest.mark.parametrize("heavy", [False, True])
def test_the_permutation_test_rejects_as_often_as_it_says(heavy):
    """Without a break, at 10 %: 400 series of 24, also with the tails of a t distribution with two degrees of freedom."""
    rng = np.random.default_rng(7)
    draws = rng.standard_t(2, (400, 24)) if heavy else rng.standard_normal((400, 24))
    rejected = np.mean([trends._sup_f(row, draws=199, seed=i)[2] <= 0.1 for i, row in enumerate(draws)])
    assert rejected == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 400))


def test_a_detectable_change_is_detected_as_often_as_promised():
    limit = trends._critical_value(24)
    change = 2.0 * trends._detectable(24, limit)
    rng = np.random.default_rng(11)
    noise = 2.0 * rng.standard_normal((2000, 24)) + change * (np.arange(24) >= 12)
    found = np.mean(trends._f_statistics(noise).max(axis=1) > limit)
    assert found == pytest.approx(0.8, abs=0.04)
