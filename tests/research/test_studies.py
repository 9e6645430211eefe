"""Synthetic control: published weights, an independent solver, optimality conditions, and rejection rates."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, thorough

from lib.research import studies

TEXAS = {"California": 0.408, "Florida": 0.109, "Illinois": 0.360, "Louisiana": 0.122}
"""Cunningham (2021), Causal Inference: The Mixtape, section 10.2, the synthetic Texas."""
# Weights of the predictors, in the order below: an input, as pysyncon 1.7.0 finds them by its nested search.
PREDICTOR_WEIGHTS = [
    4e-5,
    2e-5,
    6e-5,
    0.04126,
    0.04117,
    0.05596,
    0.14459,
    1e-5,
    0.01533,
    0.01622,
    0.17172,
    0.44320,
    0.07042,
    0,
]


def mixtape() -> tuple[pd.Series, pd.DataFrame]:
    """Predictors of Texas and of the other states, as the book takes them."""
    causaldata = pytest.importorskip("causaldata")
    table = causaldata.texas.load_pandas().data
    years = table[table["year"].between(1985, 1993)]
    columns = [years.groupby("state")[name].mean() for name in ("income", "ur", "poverty")]
    special = [("bmprison", year) for year in (1988, 1990, 1991, 1992)]
    special += [("alcohol", 1990), ("aidscapita", 1990), ("aidscapita", 1991)]
    special += [("black", year) for year in (1990, 1991, 1992)] + [("perc1519", 1990)]
    columns += [table[table["year"] == year].set_index("state")[name] for name, year in special]
    wide = pd.concat(columns, axis=1).T
    return wide["Texas"], wide.drop(columns="Texas")


def test_the_synthetic_texas_has_its_published_weights():
    target, donors = mixtape()
    scale = pd.concat([target, donors], axis=1).std(axis=1)
    important = np.sqrt(PREDICTOR_WEIGHTS)
    y, x = target / scale * important, donors.div(scale, axis=0).mul(important, axis=0)
    found = pd.Series(studies._simplex_weights(y, x), index=donors.columns)
    assert found[TEXAS.keys()].to_dict() == pytest.approx(TEXAS, abs=0.005)
    assert found.drop(list(TEXAS)).max() < 0.005


def test_weights_are_those_of_pysyncon():
    """Same predictors, equal importance; the optimiser of pysyncon stops within a thousandth."""
    target, donors = mixtape()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pysyncon = pytest.importorskip("pysyncon")
        control = pysyncon.Synth()
        scale = pd.concat([target, donors], axis=1).std(axis=1)
        y, x = target / scale, donors.div(scale, axis=0)
        theirs, _ = control.w_optimize(np.eye(len(y)) / len(y), x.to_numpy(), y.to_numpy())
    ours = studies._simplex_weights(y, x)
    loss = [np.sum((y - x.to_numpy() @ w) ** 2) for w in (ours, theirs)]
    assert loss[0] <= loss[1] * (1 + 1e-9)
    np.testing.assert_allclose(ours, theirs, atol=5e-3)


@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_weights_satisfy_the_optimality_conditions(features, number, seed, scale):
    """Karush–Kuhn–Tucker: the gradient is least, and equal, wherever a weight is positive."""
    rng = np.random.default_rng(seed)
    target, donors = rng.standard_normal(features) * scale, rng.standard_normal((features, number)) * scale
    weights = studies._simplex_weights(target, donors)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-9)
    gradient = donors.T @ (donors @ weights - target) / scale**2
    used = weights > 1e-7
    assert np.all(gradient >= gradient[used].max() - 1e-5 * max(1, np.abs(gradient).max()))


def test_a_flow_that_is_a_mean_of_donors_has_no_gap():
    rng = np.random.default_rng(1)
    donors = np.cumsum(rng.standard_normal((5, 15)), axis=1)
    mixed = (
        np.array([0.5, 0, 0.3, 0.2, 0]) @ donors + 3.0
    )  # another size: flows are matched about their means
    weights, gap = studies._gaps(mixed, donors, before=9)
    np.testing.assert_allclose(weights, [0.5, 0, 0.3, 0.2, 0], atol=1e-7)
    np.testing.assert_allclose(gap, 0, atol=1e-7)


def test_a_step_of_the_flow_is_the_effect():
    rng = np.random.default_rng(2)
    donors = np.cumsum(rng.standard_normal((6, 14)), axis=1)
    flow = donors[:3].mean(axis=0) + np.where(np.arange(14) >= 10, 0.7, 0.0)
    assert studies._placebo_test(flow, donors, before=10).effect == pytest.approx(0.7, abs=1e-6)


def test_nothing_after_the_event_moves_the_weights():
    rng = np.random.default_rng(3)
    donors, flow = np.cumsum(rng.standard_normal((8, 12)), axis=1), np.cumsum(rng.standard_normal(12))
    weights, _ = studies._gaps(flow, donors, before=8)
    donors[:, 8:] += 100 * rng.standard_normal((8, 4))
    flow[8:] = 1e6
    np.testing.assert_array_equal(studies._gaps(flow, donors, before=8)[0], weights)


RUNS = 240 if thorough() else 160


def rejection(boom: bool, unrest: float) -> float:
    """Share rejected at 10 % where nothing happens, with 19 donors and 8 years before.

    Log levels are random walks; the logs of their yearly deviations have the standard deviation `unrest`. A boom is
    the flow, of the twenty, that grew most over the two years before.
    """
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(RUNS):
        deviation = 0.1 * np.exp(unrest * rng.standard_normal((20, 1)))
        flows = np.cumsum(deviation * rng.standard_normal((20, 11)), axis=1)
        chosen = int(np.argmax(flows[:, 7] - flows[:, 5])) if boom else 0
        others = np.delete(flows, chosen, axis=0)
        hits += studies._placebo_test(flows[chosen], others, before=8).p <= 0.1 + 1e-9
    return hits / RUNS


@exhaustive
@pytest.mark.parametrize("unrest", [0.0, 1.0])
def test_a_flow_chosen_at_random_is_rejected_as_often_as_the_level_says(unrest):
    assert rejection(boom=False, unrest=unrest) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / RUNS))


@exhaustive
def test_a_flow_chosen_for_its_boom_is_rejected_more_often():
    """Most where flows differ in unrest, as those of trade do: the one that boomed is a restless one."""
    alike, unlike = (rejection(boom=True, unrest=unrest) for unrest in (0.0, 1.0))
    assert unlike > alike
    assert unlike > 0.1 + 5 * np.sqrt(0.09 / RUNS)
