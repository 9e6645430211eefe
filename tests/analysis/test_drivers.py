"""Regressions against certified results, forecasts against leaks, steps against closed forms and simulation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, thorough
from scipy import stats
from statsmodels.datasets import longley
from statsmodels.tsa.statespace.structural import UnobservedComponents

from lib import figures as fig
from lib.analysis import movers, policies
from lib.analysis.cases import PolicyCase
from lib.analysis.policies import _read_policies
from lib.growth import log_growth
from lib.reference import read_kept

CERTIFIED = {
    "GNPDEFL": 15.0618722713733,
    "GNP": -0.0358191792925910,
    "UNEMP": -2.02022980381683,
    "ARMED": -1.03322686717359,
    "POP": -0.0511041056535807,
    "YEAR": 1829.15146461355,
    "const": -3482258.63459582,
}
"""NIST Statistical Reference Datasets, Longley (1967), certified estimates."""
INFLATION = {"GNPDEFL": 135.53, "GNP": 1788.51, "UNEMP": 33.62, "ARMED": 3.59, "POP": 399.15, "YEAR": 758.98}
"""Variance inflation factors of the same data, as they are widely printed, for instance by car::vif of R."""


@pytest.fixture
def longleys() -> pd.DataFrame:
    return longley.load_pandas().data.rename(columns={"TOTEMP": "growth"})


def random_table(seed: int, n: int = 24, slope: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 2))
    growth = 0.1 + slope * x[:, 0] + 0.1 * rng.standard_normal(n)
    return pd.DataFrame({"growth": growth, "oil": x[:, 0], "gdp": x[:, 1]}, index=range(2000, 2000 + n))


def test_coefficients_are_the_certified_ones(longleys):
    found = movers.coefficients(longleys)
    certified = {name: value for name, value in CERTIFIED.items() if name != "const"}
    assert found["coefficient"].to_dict() == pytest.approx(certified, rel=1e-6)
    assert found.attrs["r2"] == pytest.approx(0.995479004577296, rel=1e-9)


def test_inflation_factors_are_the_published_ones(longleys):
    assert movers.coefficients(longleys)["vif"].to_dict() == pytest.approx(INFLATION, abs=0.006)


def test_intervals_are_those_of_newey_and_west():
    """Bartlett weights over two lags, n / (n − k), t with n − k degrees of freedom, written out."""
    table = random_table(1)
    found = movers.coefficients(table)
    x = np.column_stack([table[["oil", "gdp"]], np.ones(24)])
    bread = np.linalg.inv(x.T @ x)
    residual = table["growth"].to_numpy() - x @ (bread @ x.T @ table["growth"].to_numpy())
    score = x * residual[:, None]
    middle = score.T @ score
    for lag in (1, 2):
        cross = score[lag:].T @ score[:-lag]
        middle += (1 - lag / 3) * (cross + cross.T)
    error = np.sqrt(np.diag(bread @ middle @ bread) * 24 / 21)
    half = stats.t.ppf(0.975, 21) * error
    np.testing.assert_allclose(found["high"] - found["coefficient"], half[:2], rtol=1e-8)
    np.testing.assert_allclose(found["coefficient"] - found["low"], half[:2], rtol=1e-8)


def test_leaving_a_year_out_is_a_fit_without_it():
    table = random_table(2)
    without = [movers.ols(table.drop(year)).params["oil"] for year in table.index]
    found = movers.coefficients(table).loc["oil", ["least", "most"]]
    assert found.to_list() == pytest.approx([min(without), max(without)])


def test_to_too_few_years_nothing_is_fitted():
    assert movers.coefficients(random_table(4, n=11)).empty


def test_drivers_of_a_day_are_of_years_that_were_over():
    found = movers.drivers(before=2014)
    assert found.index.max() == 2013
    rouble = fig.covariate("rub_per_usd")
    assert found.loc[2009, "rouble"] == pytest.approx(np.log(rouble[2008] / rouble[2009]))


# --- forecasts ---


def record(seed: int = 0, slope: float = 0.0, n: int = 24) -> tuple[pd.Series, pd.DataFrame]:
    """A level in million dollars and its drivers; growth follows this year's oil with the slope."""
    rng = np.random.default_rng(seed)
    years = range(2002, 2002 + n)
    drivers = pd.DataFrame(0.2 * rng.standard_normal((n, 4)), index=years, columns=list(movers.DRIVERS))
    growth = 0.1 + slope * drivers["oil"] + 0.05 * rng.standard_normal(n)
    level = pd.Series(np.exp(np.log(1e4) + np.concatenate([[0], np.cumsum(growth)])), index=[2001, *years])
    return level, drivers


def laws(found: pd.DataFrame, origin: int) -> pd.DataFrame:
    return found[found["origin"] == origin].set_index("model")[["location", "scale", "df"]]


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    """The forecasts of the record with slope 0.5."""
    return movers.forecasts(*record(slope=0.5))


def test_nothing_after_the_origin_enters_a_forecast_that_claims_not_to_know_it(found):
    level, drivers = record(slope=0.5)
    before = laws(found, 2016)
    rng = np.random.default_rng(9)
    level.loc[2017:] *= np.exp(rng.standard_normal(len(level.loc[2017:])))
    drivers.loc[2017:] += rng.standard_normal(drivers.loc[2017:].shape)
    after = laws(movers.forecasts(level, drivers), 2016)
    honest = [name for name in before.index if "foresight" not in name]
    pd.testing.assert_frame_equal(after.loc[honest], before.loc[honest])
    told = [name for name in before.index if "foresight" in name]
    assert (after.loc[told, "location"] != before.loc[told, "location"]).all()


def test_foresight_is_of_the_next_year_alone(found):
    level, drivers = record(slope=0.5)
    before = laws(found, 2016)
    drivers.loc[2018:] += 3
    level.loc[2017:] *= 2
    pd.testing.assert_frame_equal(laws(movers.forecasts(level, drivers), 2016), before)


def test_forecasts_are_those_of_statsmodels(found):
    from statsmodels.regression.linear_model import OLS

    level, drivers = record(slope=0.5)
    found = laws(found, 2019).loc["oil, foresight"]
    growth = np.log(level).diff().loc[2002:2019]
    fitted = OLS(growth, drivers.loc[:2019, ["oil"]].assign(const=1.0)).fit()
    told = fitted.get_prediction([[drivers.loc[2020, "oil"], 1.0]])
    assert found["location"] == pytest.approx(told.predicted_mean[0])
    assert found["scale"] == pytest.approx(told.se_obs[0])
    assert found["df"] == fitted.df_resid


def test_a_driver_that_matters_helps_only_whoever_foresees_it():
    scores = movers.summary(movers.forecasts(*record(seed=4, slope=1.0)))
    assert scores.loc["oil, foresight", "crps"] < 0.5 * scores.loc["core", "crps"]
    assert scores.loc["oil, known", "crps"] > 0.9 * scores.loc["core", "crps"]
    assert list(scores.index[:2]) == ["core", "walk"] and len(scores) == 6


def test_a_gap_leaves_its_origins_out():
    level, drivers = record()
    found = movers.forecasts(level.drop(2018), drivers)
    assert not {2017, 2018} & set(found["origin"])
    assert found["year"].max() == 2025


# --- steps ---


def walk(seed: int, n: int = 20) -> pd.Series:
    rng = np.random.default_rng(seed)
    return pd.Series(np.exp(np.cumsum(0.1 + 0.2 * rng.standard_normal(n))), index=range(2000, 2000 + n))


@given(st.integers(0, 10**6), st.integers(2001, 2019))
def test_a_step_is_the_difference_from_the_other_years(seed, year):
    """The two-sample t statistic with one value on one side: d / (s √(1 + 1/m)), m − 1 degrees of freedom."""
    rates = log_growth(walk(seed)).dropna()
    found = policies._step(rates, year)
    others = rates.drop(year)
    error = others.std(ddof=1) * np.sqrt(1 + 1 / len(others))
    assert found.effect == pytest.approx(rates[year] - others.mean(), abs=1e-9)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.effect) / error, len(others) - 1), rel=1e-6)


@pytest.mark.parametrize("year", [2004, 2011, 2018])
def test_without_gaps_the_step_across_is_the_same(year):
    level = walk(3)
    found, across = (
        policies._step(log_growth(level).dropna(), year),
        policies._step_across(level, year),
    )
    assert across[:3] == pytest.approx((found.effect, found.low, found.high), abs=1e-9)


@pytest.mark.parametrize("priced", [False, True])
def test_a_step_across_gaps_is_that_of_the_unobserved_components(priced):
    """The reference is the same model in state-space form, its variance found by an optimiser."""
    level, oil = walk(8).drop([2005, 2012, 2013]), walk(9)
    after = pd.DataFrame({"price": np.log(oil.to_numpy()), "step": (oil.index >= 2012).astype(float)})
    after = after if priced else after[["step"]]
    log = np.log(level.reindex(oil.index)).reset_index(drop=True)
    form = {"mle_regression": False, "use_exact_diffuse": True}
    fitted = UnobservedComponents(log, "rwdrift", exog=after, **form).fit(disp=False, maxiter=500)
    effect, error = fitted.smoothed_state[-1, -1], np.sqrt(fitted.smoothed_state_cov[-1, -1, -1])
    half = error * stats.t.isf(0.025, len(level) - 2 - after.shape[1])
    found = policies._step_across(level, 2012, oil if priced else None)
    assert found[:3] == pytest.approx((effect, effect - half, effect + half), abs=5e-4)


def test_a_price_held_constant_gives_the_step_beside_it():
    level, oil = walk(5), walk(6)
    found = policies._step(log_growth(level).dropna(), 2011, log_growth(oil).dropna().to_frame("oil"))
    across = policies._step_across(level, 2011, oil)
    assert across[:3] == pytest.approx((found.effect, found.low, found.high), abs=1e-9)


def test_a_step_is_found_across_a_gap():
    level = walk(8)
    level.loc[2012:] *= np.exp(2.0)
    effect, low, high, *_ = policies._step_across(level.drop([2005, 2012, 2013]), 2012)
    assert low < 2.0 < high
    assert effect == pytest.approx(2.0, abs=0.6)


@exhaustive
def test_ordinary_years_step_out_as_often_as_the_level_says():
    seeds = range(300 if thorough() else 150)
    found = [policies._step(log_growth(walk(seed)).dropna(), 2010) for seed in seeds]
    assert np.mean([one.p <= 0.1 for one in found]) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / len(seeds)))
    assert np.mean([one.rank == 1 for one in found]) == pytest.approx(
        1 / 19, abs=3 * np.sqrt(0.05 / len(seeds))
    )


def test_short_records_give_no_step():
    rates = log_growth(walk(1, n=7)).dropna()
    assert policies._step(rates, 2003) is None
    assert policies._step(log_growth(walk(1)).dropna(), 2035) is None
    assert policies._step_across(walk(1, n=9), 2004) is None
    assert policies._step_across(walk(1), 2019) is None
    assert policies._step_across(walk(1), 2010, walk(2, n=15)) is None


def test_a_year_is_read_where_levels_stand_on_both_sides_of_it():
    level, case = walk(1).drop([2008, 2010]), PolicyCase()
    policy = _read_policies(fig.load_events()).query("policy == 'crude pipeline'").iloc[0]
    events, tests = fig.load_events(), read_kept("policy_tests.csv")
    found = policies._evidence(case, policy, level, events, tests)
    assert found["near"] == [2009, 2011, 2012, 2013] and found["tested"]
    assert not policies._evidence(case, policy, level.loc[:2010], events, tests)["tested"]
