"""The reference class against simulated panels with known truth, published base rates, and corruption."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some

from lib import law, outlook, reference
from lib.errors import UserError
from lib.reference import Prior, prior_for
from lib.research import base_rates, classes, panels, parts
from lib.research.panels import Levels


def tidy(levels: dict[str, dict[int, float]]) -> pd.DataFrame:
    rows = [("AAA", name, year, "export", v) for name, path in levels.items() for year, v in path.items()]
    return pd.DataFrame(rows, columns=["reporter", "partner", "year", "flow", "value_usd"])


def simulate(
    seed: int,
    series: int = 3000,
    drift_sd: float = 0.06,
    rho: float = 0.0,
    common_sd: float = 0.1,
    df: float = 8.0,
    years: int = 30,
) -> Levels:
    """Flows near 200 mn USD: drift N(0.05, drift_sd²), variance df × 0.04 / chi²(df), common shocks."""
    rng = np.random.default_rng(seed)
    sigma = np.sqrt(0.04 * df / rng.chisquare(df, (series, 1)))
    shock = rng.normal(size=(series, years))
    theta = 0.0 if rho == 0 else (1 - np.sqrt(1 - 4 * rho**2)) / (2 * rho)
    moved = (shock[:, 1:] + theta * shock[:, :-1]) / np.sqrt(1 + theta**2)
    drift = rng.normal(0.05, drift_sd, (series, 1))
    growth = drift + sigma * moved + rng.normal(0, common_sd, years - 1)
    log = np.log(2e8) + np.hstack([np.zeros((series, 1)), np.cumsum(growth, axis=1)])
    return Levels(pd.DataFrame({"series": range(series)}), np.arange(1990, 1990 + years), log, growth)


def overall(levels: Levels, origin: int = 2019) -> pd.Series:
    return classes.estimate(levels, origin).set_index("size_class").loc[reference.ALL_SIZES]


# Reading a panel


GOOD = tidy({"BBB": {2000: 1e6, 2001: 2e6, 2002: 3e6}, "CCC": {2000: 5e6, 2002: 6e6}})
BAD = {
    "columns": (GOOD.drop(columns="flow"), "expected also flow"),
    "twice": (pd.concat([GOOD, GOOD.head(1)]), r"several rows .* in 2 rows \(first: .*BBB.*2000"),
    "zero": (GOOD.assign(value_usd=[0.0, 1, 1, 1, 1]), "not positive"),
    "infinite": (GOOD.assign(value_usd=[np.inf, 1, 1, 1, 1]), "not positive"),
    "missing value": (GOOD.assign(value_usd=[np.nan, 1, 1, 1, 1]), "not positive"),
    "text": (GOOD.assign(value_usd=list("abcde")), "expected numbers"),
    "half year": (GOOD.assign(year=[2000.5, 2001, 2002, 2000, 2002]), "not whole"),
    "no name": (GOOD.assign(partner=[None, "BBB", "BBB", "CCC", "CCC"]), "missing name"),
    "currencies": (GOOD.assign(currency=["CNY", "USD", "USD", "USD", "USD"]), "currency other than USD"),
    "year lost": (GOOD[GOOD["year"] != 2001], "no row at all for 2001"),
    "empty": (GOOD.head(0), "no rows"),
}


@pytest.mark.parametrize(("panel", "message"), BAD.values(), ids=BAD)
def test_a_faulty_panel_is_refused_with_the_reason(tmp_path, panel, message):
    path = tmp_path / "mine.parquet"
    panel.to_parquet(path)
    with pytest.raises(UserError, match=f"mine.parquet: .*{message}"):
        panels.read_panel(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "mine.parquet"
    path.write_text("reporter,partner\n")
    with pytest.raises(UserError, match="cannot be read as parquet"):
        panels.read_panel(path)
    with pytest.raises(UserError, match=r"absent\.parquet: not found in"):
        panels.read_panel(tmp_path / "absent.parquet")


def test_growth_is_never_computed_across_a_gap_or_a_break(tmp_path):
    path = tmp_path / "mine.parquet"
    GOOD.to_parquet(path)
    levels = panels.to_levels(panels.read_panel(path))
    assert levels.years.tolist() == [2000, 2001, 2002]
    assert levels.growth[0] == pytest.approx([np.log(2), np.log(1.5)])
    assert np.isnan(levels.growth[1]).all()
    broken = panels.to_levels(panels.read_panel(path), breaks=[2002])
    assert np.isnan(broken.growth[0, 1])
    lost = GOOD[GOOD["year"] != 2001]
    lost.to_parquet(path)
    assert np.isnan(panels.to_levels(panels.read_panel(path, missing_years=[2001])).growth).all()


def test_size_classes_include_their_lower_end():
    assert reference.size_class([1, 1e6, 99e6, 1e8, 230e6, 5e8, 1e10, np.nan]).tolist() == [
        0,
        1,
        2,
        3,
        3,
        4,
        6,
        -1,
    ]
    assert reference.size_label(3) == "US$100 million to US$500 million"
    assert reference.size_label(0) == "below US$1 million"
    assert reference.size_label(6) == "US$10 billion and more"


# Hyperparameters


def test_hyperparameters_are_recovered_from_a_simulated_panel():
    found = overall(simulate(seed=1, common_sd=0.0))
    assert found["drift"] == pytest.approx(0.05, abs=0.005)
    assert found["drift_sd"] == pytest.approx(0.06, abs=0.005)
    assert found["variance"] == pytest.approx(0.04, rel=0.05)
    assert found["df"] == pytest.approx(8, rel=0.15)
    assert found["autocorrelation"] == pytest.approx(0, abs=0.05)  # biased by −1/n
    assert found["drift_error"] < 0.01 / np.sqrt(29)


def test_common_shocks_add_to_the_variance_of_a_flow_and_to_nothing_else():
    found = overall(simulate(seed=1))
    assert found["drift_error"] == pytest.approx(0.1 / np.sqrt(29), rel=0.4)
    assert found["variance"] == pytest.approx(0.04 + 0.01, rel=0.1)
    assert found["drift_sd"] == pytest.approx(0.06, abs=0.005)
    assert found["drift"] == pytest.approx(0.05, abs=3 * 0.1 / np.sqrt(29))  # they do not average out


def test_no_lasting_difference_is_found_where_there_is_none():
    assert overall(simulate(seed=2, drift_sd=0.0))["drift_sd"] < 0.015


def test_negative_autocorrelation_is_recovered():
    found = overall(simulate(seed=3, drift_sd=0.0, rho=-0.3))
    assert found["autocorrelation"] == pytest.approx(-0.3, abs=0.06)


@pytest.mark.parametrize("d0", [3.0, 20.0])
def test_moderated_variance_follows_smyth(d0):
    """s² ~ s0² F(df, d0): the moments of ln s² give both back."""
    rng = np.random.default_rng(4)
    df = rng.integers(4, 20, 20_000)
    s2 = 0.09 * (rng.chisquare(df) / df) / (rng.chisquare(d0, df.size) / d0)
    assert classes.moderate(s2, df) == pytest.approx((0.09, d0), rel=0.08)


def test_equal_variances_give_many_degrees_of_freedom():
    df = np.full(20_000, 10)
    s2 = 0.09 * np.random.default_rng(5).chisquare(10, df.size) / 10
    assert classes.moderate(s2, df)[1] > 100


@given(st.integers(0, 2**32 - 1), st.integers(1996, 2017))
def test_nothing_after_the_origin_is_used(seed, origin):
    levels = simulate(seed=6, series=120)
    after = levels.years > origin
    log = levels.log.copy()
    log[:, after] = np.random.default_rng(seed).normal(0, 50, (120, after.sum()))
    growth = np.diff(log, axis=1)
    corrupted = Levels(levels.keys, levels.years, log, growth)
    pd.testing.assert_frame_equal(classes.estimate(levels, origin), classes.estimate(corrupted, origin))


def test_reporting_faults_hardly_move_the_estimates():
    """Ten flows of 3,000 that fall by 94 % and come back next year."""
    levels = simulate(seed=7)
    log = levels.log.copy()
    log[:10, 15] += np.log(0.06)
    clean, faulty = overall(levels), overall(Levels(levels.keys, levels.years, log, np.diff(log, axis=1)))
    assert faulty["drift"] == pytest.approx(clean["drift"], abs=0.001)
    assert faulty["drift_sd"] == pytest.approx(clean["drift_sd"], abs=0.005)
    assert faulty["variance"] == pytest.approx(clean["variance"], rel=0.03)


def test_too_short_or_small_panels_are_refused():
    levels = simulate(seed=8, series=100)
    with pytest.raises(UserError, match="origin: found 1992"):
        classes.estimate(levels, 1992)
    few = Levels(levels.keys[:5], levels.years, levels.log[:5], levels.growth[:5])
    with pytest.raises(UserError, match="fewer than 30 series"):
        classes.estimate(few, 2010)


# The kept priors


def test_prior_for_harbin_states_panel_years_and_class():
    prior = prior_for(230e6, 2013)
    assert "BACI" in prior.source
    assert "years to 2013" in prior.source
    assert "US$100 million to US$500 million" in prior.source
    assert prior == prior_for(499e6, 2013)
    assert prior != prior_for(230e6, 2012)


def test_prior_for_other_origins_says_so():
    assert "OEC" in prior_for(230e6, 1985).source
    assert "before 2030" in prior_for(230e6, 2030).source
    assert "WDI" in prior_for(4e12, 2012, world=True).source
    with pytest.raises(UserError, match="origin: found 1950"):
        prior_for(230e6, 1950)
    for size in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(UserError, match="size_usd"):
            prior_for(size, 2013)


def test_smaller_flows_vary_more_in_the_kept_priors():
    for origin in (2006, 2013, 2020):
        variances = [prior_for(size, origin).variance for size in (5e6, 5e7, 2e8, 1e9, 5e9, 5e10)]
        assert variances == sorted(variances, reverse=True)


def test_kept_priors_can_be_computed_again(panel_folder):
    levels = panels.load(panels.BACI, panel_folder)
    kept = reference.read_kept("priors.csv").query("panel == 'BACI' and origin == 2013")
    fresh = classes.estimate(levels, 2013)
    columns = list(classes.PRIOR_COLUMNS)
    np.testing.assert_allclose(fresh[columns], kept[columns], rtol=1e-3, atol=1e-9)


def test_a_users_own_table_works():
    table = classes.estimate(simulate(seed=9), 2019).assign(panel="mine", origin=2019)
    assert prior_for(2e8, 2019, table=table).source.startswith("mine, years to 2019")


# Base rates


@exhaustive
@pytest.mark.parametrize(
    "name", some(["Country goods exports", "BACI directed", "OEC directed", "BACI two-way total"], 4)
)
def test_base_rates_reproduce_the_published_table(name, panel_folder):
    published = pd.read_csv(panel_folder / "base_rates.csv")
    published = published[published["panel"].str.startswith(name)]
    panel = {"BACI": panels.BACI, "OEC ": panels.OEC, "Coun": panels.WDI}[name[:4]]
    rows = panels.read_panel(panel_folder / panel.file, panel.missing_years)
    rows = base_rates._two_way(rows) if "two-way" in name else rows
    levels = panels.to_levels(rows, panel.breaks)
    for (years, low, high, size_year, condition), part in published.groupby(
        ["years", "size_from_usd", "size_to_usd", "size_year", "condition"]
    ):
        found = base_rates._outcome_shares(
            levels,
            low,
            high,
            size_year,
            tuple(map(int, years.split("-"))),
            None if condition == "unconditional" else 0.5,
            panel.absent_is_zero,
        ).set_index("outcome")
        part = part.set_index("outcome")
        assert len(part) == len(base_rates.OUTCOMES)
        np.testing.assert_allclose(found.loc[part.index, "share"], part["share"], atol=6e-6)
        assert (found.loc[part.index, "n"] == part["n"]).all()
        assert (found.loc[part.index, "origins"] == part["origins"]).all()


def test_outcomes_of_a_panel_that_can_be_counted_by_hand():
    """Four flows from 2001: +30 % twice, +30 % once then flat, a fall, and one that vanishes."""
    path = {
        "up": {2000: 100, 2001: 100, 2002: 130, 2003: 169},
        "flat": {2000: 100, 2001: 100, 2002: 130, 2003: 130},
        "down": {2000: 100, 2001: 100, 2002: 90, 2003: 80},
        "gone": {2000: 100, 2001: 100},
    }
    levels = panels.to_levels(tidy(path))
    zero = base_rates._outcome_shares(levels, years=(2001, 2001), absent_is_zero=True).set_index("outcome")
    assert zero.loc["next_year_ge25", "share"] == 2 / 4
    assert zero.loc["each_of_next_2_ge25", "share"] == 1 / 4
    assert zero.loc["next_year_fall", "share"] == 2 / 4
    unknown = base_rates._outcome_shares(levels, years=(2001, 2001)).set_index("outcome")
    assert unknown.loc["next_year_ge25", ["share", "n"]].tolist() == [2 / 3, 3]
    assert unknown.loc["3y_ge_1.25^3", "n"] == 0


def test_known_distributions_use_only_growth_that_had_ended():
    levels = simulate(seed=10, series=400)
    log = levels.log.copy()
    log[:, levels.years > 2005] += 100
    corrupted = Levels(levels.keys, levels.years, log, np.diff(log, axis=1))
    args = (2005, False)
    pd.testing.assert_frame_equal(
        base_rates._distributions(levels, *args), base_rates._distributions(corrupted, *args)
    )


def test_base_rate_of_a_normal_panel_is_the_normal_probability(monkeypatch):
    """Without drift differences and common shocks the share is 1 − Φ((γ − 0.05) √h / 0.2)."""
    rng = np.random.default_rng(11)
    growth = rng.normal(0.05, 0.2, (4000, 20))
    log = np.log(1e8) + np.hstack([np.zeros((4000, 1)), growth.cumsum(1)])
    levels = Levels(pd.DataFrame(index=range(4000)), np.arange(2000, 2021), log, growth)
    table = base_rates._distributions(levels, 2020, False).assign(panel="BACI", origin=2020)
    monkeypatch.setattr(reference, "read_kept", lambda name: table)
    from scipy.special import ndtr

    for horizon in (1, 3, 5):
        expected = ndtr((0.05 - np.log(1.1)) * np.sqrt(horizon) / 0.2)
        found = reference.base_rate(2e8, 2020, horizon, 0.10)
        assert found == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("horizon", [1, 3, 6, 10])
def test_kept_base_rates_fall_with_the_goal_and_are_never_certain(horizon):
    found = reference.base_rate(230e6, 2013, horizon, np.linspace(-0.5, 5, 200))
    assert (np.diff(found) <= 0).all()
    assert ((found > 0) & (found < 1)).all()


def test_a_class_is_old_only_when_it_ends_more_than_three_years_before_the_origin():
    prior = reference.prior_for(230e6, 2025)
    assert prior.last_year == 2020
    assert [bool(reference.age_warning(prior, origin)) for origin in (2013, 2020, 2023, 2024)] == [0, 0, 0, 1]


def test_the_share_known_on_a_day_is_that_of_the_panels_out_by_then():
    day, rate = date(2014, 4, 15), 0.25
    assert reference.known_share(153e6, day, 3, rate) == reference.base_rate(153e6, 2012, 3, rate)
    assert reference.known_share(153e6, day, 30, rate) == reference.base_rate(153e6, 2012, 10, rate)


def test_base_rates_that_no_panel_knows_are_refused():
    with pytest.raises(UserError, match="horizon: found 11"):
        reference.base_rate(230e6, 2013, 11, 0.25)
    with pytest.raises(UserError, match="no panel is long enough"):
        reference.base_rate(230e6, 1960, 1, 0.25)


# Parents

PRIOR = Prior(0.01, 0.02, 0.09, 3.0, "flows of this size", -0.1)
BIG = Prior(0.05, 0.03, 0.02, 8.0, "large flows")
PROVINCE = ("province", [0.2, 0.3, 0.1, 0.2], BIG)
COUNTRY = ("country", [0.15, 0.2, 0.1, 0.25, 0.2, 0.3], BIG)


@pytest.mark.parametrize("own", [[], [0.4], [0.4, np.nan, 0.1, 0.2, 0.0, 0.1]])
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_shares_and_contributions_add_up_to_the_posterior_drift(own, weight):
    prior, table = outlook._prior_with_parents(PRIOR, [PROVINCE, COUNTRY], own, weight)
    assert table["share"].sum() == pytest.approx(1)
    assert (table["share"] >= 0).all()
    posterior = law.posterior(np.array(own or [np.nan]), prior)
    assert (table["share"] * table["drift"]).sum() == pytest.approx(float(posterior.mean))


def test_a_chain_of_parents_is_the_parents_own_forecast_made_with_its_parent():
    """With weight 1 the city moves by what is special about the province, which has heard the country."""
    prior, _ = outlook._prior_with_parents(PRIOR, [PROVINCE, COUNTRY], (), 1.0)
    above, _ = outlook._prior_with_parents(BIG, [COUNTRY], (), 1.0)
    province = law.posterior(np.array(PROVINCE[1]), above)
    assert prior.drift - PRIOR.drift == pytest.approx(float(province.mean) - BIG.drift)


def test_without_parents_or_weight_the_reference_class_stands():
    assert outlook._prior_with_parents(PRIOR, [], (), 1.0)[0] == PRIOR
    assert outlook._prior_with_parents(PRIOR, [PROVINCE], (), 0.0)[0].drift == PRIOR.drift


def test_parent_weight_is_recovered_from_a_simulated_panel():
    """Sub-flows that take over their parent's drift in full, and sub-flows that ignore it."""
    rng = np.random.default_rng(12)
    total = simulate(seed=13, series=150, drift_sd=0.08)
    drift = total.growth.mean(axis=1) - total.growth.mean()
    parent_of = np.repeat(np.arange(150), 20)
    own = rng.normal(0.05, 0.2, (3000, 29))
    for inherited in (1.0, 0.0):
        growth = own + inherited * drift[parent_of][:, None]
        log = np.log(2e8) + np.hstack([np.zeros((3000, 1)), growth.cumsum(axis=1)])
        sub = Levels(pd.DataFrame(index=range(3000)), total.years, log, growth)
        found = parts._estimate_weight(sub, total, parent_of, range(2004, 2015, 5)).set_index("horizon")
        # The shrunk difference is smaller than the true one, so full inheritance shows a slope above one.
        assert (found["slope"] > 0.8).all() if inherited else (found["slope"].abs() < 0.3).all()


def test_kept_parents_count():
    assert reference.read_kept("parent_weights.csv")["slope"].median() > 0.5
