"""Hidden years: a Kalman smoother, simulation and closed forms give what the conditional distribution gives."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lib.analysis.hidden_years import ANALOGUES, Chain, Link, Spread, divide, kept_spread
from scipy.special import ndtr, roots_legendre

from lib import outlook
from lib.analysis import hidden, hidden_years
from lib.analysis import hidden as page
from lib.cases import GoalCase, HiddenCase
from lib.errors import UserError
from lib.goals import READINGS, Goal
from lib.research.parts import estimate_spread

HARBIN = HiddenCase()
SPREAD = Spread(0.03, 0.01, 5.0, "made up")
YEARS = range(2005, 2017)
WHOLE = pd.Series(np.exp(np.linspace(10, 11, 12) + 0.2 * np.sin(np.arange(12))), index=YEARS)
PROVINCE = pd.Series({2005: 3000.0, 2006: 3600.0, 2008: 4100.0, 2012: 9000.0, 2013: 8000.0, 2015: 12000.0})
CITY = pd.Series({2012: 150.0, 2013: 230.0, 2016: 700.0})
TWO = Chain("C", WHOLE, (Link("P", PROVINCE, Spread(0.01, 0.004, 4.0, "")), Link("H", CITY, SPREAD)), (2016,))
NEAR = pd.Series({2012: 150.0, 2013: 230.0, 2016: 330.0})
ONE = Chain("C", WHOLE.loc[2012:], (Link("H", NEAR, SPREAD),))
GOAL = Goal(0.25, 2012, 2015, 150.0, "USD", "25 %")


# Against statsmodels


def smoothed(chain: Chain, scope_sd: float, scales: tuple[float, ...]):
    """Mean and variance of the last flow's log level by year, and log likelihood, by statsmodels' smoother."""
    from statsmodels.tsa.statespace.kalman_smoother import KalmanSmoother

    links, years = chain.links, chain.years
    k = len(links)
    levels = pd.DataFrame({i: link.levels for i, link in enumerate(links)}).reindex(years)
    seen = np.log(levels).sub(np.log(chain.whole), axis=0)
    model = KalmanSmoother(k_endog=k, k_states=2 * k, k_posdef=2 * k)
    model.bind(np.ascontiguousarray(seen.to_numpy()))
    walk = [link.spread.walk * u for link, u in zip(links, scales, strict=True)]
    noise = [link.spread.noise * u for link, u in zip(links, scales, strict=True)]
    depth = np.tril(np.ones((k, k)))
    model["design"] = np.hstack([depth, depth])
    model["transition"] = np.diag([1.0] * k + [0.0] * k)
    model["selection"] = np.eye(2 * k)
    model["state_cov"] = np.diag([*walk, *noise])
    model["obs_cov"] = np.zeros((k, k, len(years)))
    for year in chain.doubtful:
        model.obs_cov[k - 1, k - 1, years.index(year)] = scope_sd**2
    start = np.diag([hidden_years.DIFFUSE] * k + noise)
    model.initialize_known(np.zeros(2 * k), start)
    result = model.smooth()
    last = np.concatenate([np.ones(k), np.ones(k)])
    mean = last @ result.smoothed_state + np.log(chain.whole.to_numpy())
    variance = np.einsum("i,ijt,j->t", last, result.smoothed_state_cov, last)
    table = pd.DataFrame({"mean": mean, "variance": variance}, index=years)
    return table.loc[chain.hidden], result.llf_obs.sum()


@pytest.mark.parametrize("scope_sd", [0.0, 1.0])
@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.3, 4.0), (6.0, 0.5)])
def test_given_the_scales_a_kalman_smoother_says_the_same(scope_sd, scales):
    log_density, mean, covariance = hidden_years._condition(TWO, np.array([scales]), scope_sd)
    table, likelihood = smoothed(TWO, scope_sd, scales)
    np.testing.assert_allclose(mean[0], table["mean"], atol=1e-6)
    np.testing.assert_allclose(np.diagonal(covariance[0]), table["variance"], atol=1e-6)
    seen = len(PROVINCE) + len(CITY)
    assert log_density[0] - seen / 2 * np.log(2 * np.pi) == pytest.approx(likelihood, abs=1e-4)


def test_one_link_also_without_noise_agrees_with_the_smoother():
    bridge = replace(ONE, links=(Link("H", NEAR, SPREAD._replace(noise=0.0)),))
    _, mean, covariance = hidden_years._condition(bridge, np.array([[1.0]]), 0.0)
    table, _ = smoothed(bridge, 0.0, (1.0,))
    np.testing.assert_allclose(mean[0], table["mean"], atol=1e-6)
    np.testing.assert_allclose(np.diagonal(covariance[0]), table["variance"], atol=1e-6)


def test_without_noise_it_is_the_brownian_bridge():
    """Between two published years the share moves on a straight line, with variance walk × a b / (a + b)."""
    bridge = replace(ONE, links=(Link("H", NEAR, SPREAD._replace(noise=0.0)),))
    _, mean, covariance = hidden_years._condition(bridge, np.array([[2.0]]), 0.0)
    share = np.log(NEAR / WHOLE[NEAR.index])
    line = np.interp([2014, 2015], [2013, 2016], [share[2013], share[2016]])
    np.testing.assert_allclose(mean[0], line + np.log(WHOLE[[2014, 2015]]), atol=1e-6)
    expected = 0.06 * np.array([[2 / 3, 1 / 3], [1 / 3, 2 / 3]])
    np.testing.assert_allclose(covariance[0], expected, atol=1e-6)


# Against simulation


def test_importance_sampling_from_the_prior_agrees():
    """Scales and walks drawn from the prior, weighed by how well they explain the levels of 2013 and 2016."""
    rng, n = np.random.default_rng(1), 400_000
    scale = SPREAD.df / rng.chisquare(SPREAD.df, n)
    noise = np.sqrt(SPREAD.noise * scale)
    share = np.log(NEAR / WHOLE[NEAR.index])
    log_level = {}
    walk = share[2012] - noise * rng.normal(size=n)
    weight = np.ones(n)
    for year in range(2013, 2017):
        walk = walk + np.sqrt(SPREAD.walk * scale) * rng.normal(size=n)
        if year in share.index:
            weight = weight * np.exp(-(((share[year] - walk) / noise) ** 2) / 2) / noise
        else:
            log_level[year] = walk + noise * rng.normal(size=n) + np.log(WHOLE[year])
    paths = np.column_stack(
        [np.full(n, 150.0), np.full(n, 230.0), *(np.exp(log_level[y]) for y in (2014, 2015))]
    )
    met = hidden_years._met(paths, GOAL)
    found = hidden_years.infer(ONE)
    odds = hidden_years.chances(found, GOAL, NEAR)
    effective = weight.sum() ** 2 / (weight**2).sum()
    assert effective > 10_000
    for reading in READINGS:
        p = np.average(met[reading], weights=weight)
        assert odds[reading] == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / effective) + 5e-4)
    medians = hidden_years.quantiles(found, (0.5,))[0.5]
    for year in (2014, 2015):
        below = np.average(log_level[year] < np.log(medians[year]), weights=weight)
        assert below == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(effective))


# Probabilities of the readings


def test_readings_agree_with_integration_over_the_first_hidden_year():
    """Given 2014, the level of 2015 is normal: every reading is a tail of it."""
    found = hidden_years.infer(ONE)
    nodes, weights = roots_legendre(400)
    total = dict.fromkeys(READINGS, 0.0)
    for w, mean, cov in zip(found.weight, found.mean, found.covariance, strict=True):
        sd = np.sqrt(cov[0, 0])
        x = mean[0] + 9 * sd * nodes
        density = 9 * sd * weights * np.exp(-(((x - mean[0]) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))
        slope = cov[0, 1] / cov[0, 0]
        centre, rest = mean[1] + slope * (x - mean[0]), np.sqrt(cov[1, 1] - slope * cov[0, 1])
        level = np.exp(x)
        needed = np.maximum(level * (1 + 0.75 - (230 / 150 - 1) - (level / 230 - 1)), 1e-300)
        limits = {
            "average": np.full_like(x, np.log(GOAL.target_mn)),
            "every_year": np.where(level >= 230 * 1.25, x + np.log(1.25), np.inf),
            "mean_of_rates": np.log(needed),
        }
        for reading, limit in limits.items():
            total[reading] += w * np.sum(density * ndtr((centre - limit) / rest))
    odds = hidden_years.chances(found, GOAL, NEAR)
    for reading in READINGS:
        assert odds[reading] == pytest.approx(total[reading], abs=1e-3)


def test_the_grid_of_scales_is_fine_enough(monkeypatch):
    coarse = hidden_years.chances(hidden_years.infer(TWO), GOAL, CITY)["average"]
    monkeypatch.setattr(hidden_years, "LOG_SCALES", np.linspace(-5, 7, 121))
    fine = hidden_years.chances(hidden_years.infer(TWO), GOAL, CITY)["average"]
    assert coarse == pytest.approx(fine, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.02, 0.98))
def test_the_mixture_has_the_asked_share_below_its_quantile(p):
    found = hidden_years.infer(ONE)
    level = hidden_years.quantiles(found, (p,)).loc[2015, p]
    sd = np.sqrt(found.covariance[:, 1, 1])
    assert found.weight @ ndtr((np.log(level) - found.mean[:, 1]) / sd) == pytest.approx(p, abs=1e-9)


def test_scope_is_weighed_by_bayes_rule():
    """The odds of the same scope are the prior odds times the ratio of densities, averaged over scales."""
    half, sure, other = (hidden_years.infer(TWO, p) for p in (0.5, 1.0, 0.0))
    fifth = hidden_years.infer(TWO, 0.2)
    ratio = half.same_scope / (1 - half.same_scope)
    assert fifth.same_scope / (1 - fifth.same_scope) == pytest.approx(ratio / 4, rel=1e-5)
    assert (sure.same_scope, other.same_scope) == pytest.approx((1.0, 0.0))
    p, p_same, p_other = (hidden_years.chances(h, GOAL, CITY)["average"] for h in (half, sure, other))
    assert p == pytest.approx(half.same_scope * p_same + (1 - half.same_scope) * p_other, abs=1e-5)


def test_parcels_that_fill_the_goal_make_it_certain():
    added = pd.Series({2014: 400.0, 2015: 400.0})
    odds = hidden_years.chances(hidden_years.infer(ONE), GOAL, NEAR, added)
    assert odds["average"] == 1.0


# Spread of parts


def test_walk_and_noise_give_back_variance_and_autocorrelation():
    walk, noise = divide(0.09, -0.3)
    assert walk + 2 * noise == pytest.approx(0.09)
    assert -noise / (walk + 2 * noise) == pytest.approx(-0.3)
    assert divide(0.09, 0.2) == (0.09, 0.0)  # a positive one is a shared shock


def test_spread_is_recovered_from_simulated_parts():
    from lib.research.panels import Levels

    rng, parts, years = np.random.default_rng(3), 4000, 21
    index = np.arange(2000, 2000 + years)
    whole_log = np.log(5e9) + np.cumsum(rng.normal(0, 0.3, (1, years)), axis=1)
    walk = np.cumsum(rng.normal(0, 0.2, (parts, years)), axis=1)
    log = whole_log + np.log(0.04) + walk + rng.normal(0, 0.1, (parts, years))
    whole = Levels(pd.DataFrame({"w": [0]}), index, whole_log, np.diff(whole_log))
    sub = Levels(pd.DataFrame({"p": range(parts)}), index, log, np.diff(log))
    table = estimate_spread(sub, whole, np.zeros(parts, dtype=np.intp), [2020])
    row = table.set_index("size_class").loc[3]  # 200 mn USD
    found = divide(row["variance"], row["autocorrelation"])
    assert found == pytest.approx((0.04, 0.01), rel=0.15)


def test_kept_spreads_use_no_year_after_the_one_asked_for():
    early, late = kept_spread(2e8, 2012), kept_spread(2e8, 2020)
    assert "years to 2012" in early.source and "years to 2020" in late.source
    assert kept_spread(2e8, 1990).source.endswith("2008")
    smaller = kept_spread(2e7, 2020)
    assert smaller.yearly > late.yearly  # the smaller a part, the more erratic
    with pytest.raises(UserError, match="expected one of country pair"):
        kept_spread(2e8, 2020, "moons of planets")


# The case of Harbin


@pytest.fixture(scope="module")
def harbin():
    goal = HARBIN.make_goal()
    return goal, hidden.chain_for(HARBIN, goal)


def test_the_chain_is_the_record(harbin):
    _, chain = harbin
    assert (chain.top, [link.name for link in chain.links]) == ("China", ["Heilongjiang", "Harbin"])
    assert chain.doubtful == (2023,) and {2014, 2015} <= set(chain.hidden)
    assert set(chain.links[-1].levels.index) == {2012, 2013, 2023}


@pytest.mark.parametrize("day", [date(2016, 6, 30), date(2018, 6, 30), date(2022, 12, 31)])
def test_nothing_published_later_enters(day):
    case = HARBIN.model_copy(update={"as_of": day})
    goal = case.make_goal()
    if not hidden_years.can_infer(case, goal).possible:
        assert day.year == 2016  # the country's level of 2015 follows from the release for 2016
        return
    chain = hidden_years.chain_of(case, goal)
    assert chain.whole.index.max() < day.year
    assert all(link.levels.index.max() < day.year for link in chain.links)
    assert not chain.doubtful
    assert all(f"years to {min(day.year - 1, 2020)}" in link.spread.source for link in chain.links)


def test_on_the_day_of_the_article_nothing_can_be_inferred():
    case = GoalCase()  # 15 April 2014
    able = hidden_years.can_infer(case, case.make_goal())
    assert not able.possible and "to 2015" in able.reason
    assert page.paragraph(case, case.make_goal()) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reporter": "China", "goal": "100 USD bn", "base_year": 2010}, "the level of 2015 is on record"),
        ({"deadline": 2030}, "no larger flow had a level for each year to 2030"),
        ({"reporter": "China", "deadline": 2030}, "no larger flow that contains this one"),
    ],
)
def test_what_cannot_be_inferred_is_refused_with_the_reason(change, reason):
    case = HARBIN.model_copy(update=change)
    with pytest.raises(UserError, match=reason):
        hidden_years.chain_of(case, case.make_goal())
    assert page.paragraph(case, case.make_goal()) == ""


def test_the_first_row_of_the_evidence_is_the_core_forecast(harbin):
    goal, chain = harbin
    steps = hidden.by_evidence(HARBIN, goal, chain)
    core = outlook.look(HARBIN, goal, HARBIN.series()["value_mn"]).chances
    pd.testing.assert_series_equal(steps.iloc[0], core[list(READINGS)], check_names=False)
    final = hidden.posterior(HARBIN, goal, hidden_years.infer(chain, HARBIN.scope_same))
    pd.testing.assert_series_equal(steps.iloc[-1], final, check_names=False)
    # The country's trade fell by a quarter and the province's by half: either makes the goal less likely.
    assert steps["average"].iloc[0] > steps["average"].iloc[1] > steps["average"].iloc[2]


def test_assumptions_move_the_answer_in_their_direction(harbin):
    goal, chain = harbin
    tried = hidden.sensitivity(HARBIN, goal, chain)["average"]
    assert tried["half the variance of a part around its whole"] < tried["twice the variance"]
    assert tried["late levels surely of another scope"] < tried["as assumed"]
    assert tried["as assumed"] < tried["late levels surely of the same scope"]
    assert tried["as assumed"] < tried["parcels real and counted: one chance in ten"]
    weighed = 0.9 * tried["as assumed"] + 0.1 * tried["parcels real and counted: surely"]
    assert tried["parcels real and counted: one chance in ten"] == pytest.approx(weighed)
    assert any(ANALOGUES[2] in name for name in tried.index)


def test_the_level_before_follows_from_the_growth_of_ten_months(harbin):
    """11.7 CNY bn less growth of 79.8 %, at the rates of the two years."""
    _, chain = harbin
    found = hidden.implied_before(HARBIN, chain)
    assert found[2022] == pytest.approx(11700 / 1.798 / HARBIN.rates()[2022])
    yuan = HARBIN.model_copy(update={"currency": "CNY"})
    in_yuan = hidden.implied_before(yuan, hidden.chain_for(yuan, yuan.make_goal()))
    assert in_yuan[2022] == pytest.approx(11700 / 1.798)


def test_parcels_are_spread_evenly_over_their_days(harbin):
    goal, _ = harbin
    added = hidden.parcels_a_year(HARBIN, goal)
    days = (pd.Timestamp(2017, 6, 30) - pd.Timestamp(2013, 11, 26)).days + 1
    assert added.to_dict() == pytest.approx(dict.fromkeys([2014, 2015], 1357 / days * 365.25))
    early = HARBIN.model_copy(update={"as_of": date(2016, 12, 31)})
    assert hidden.parcels_a_year(early, goal).empty  # published in August 2017


def test_currency_hardly_matters(harbin):
    goal, chain = harbin
    yuan = HARBIN.model_copy(update={"currency": "CNY"})
    target = yuan.make_goal()
    other = hidden_years.infer(hidden.chain_for(yuan, target), 0.5)
    p = hidden.posterior(yuan, target, other)
    q = hidden.posterior(HARBIN, goal, hidden_years.infer(chain, 0.5))
    np.testing.assert_allclose(p, q, atol=0.05)


def test_a_province_hides_a_year_too():
    case = HARBIN.model_copy(
        update={"reporter": "Heilongjiang", "goal": "25 USD bn", "base_year": 2013, "deadline": 2015}
    )
    goal = case.make_goal()
    chain = hidden.chain_for(case, goal)
    assert len(chain.links) == 1 and chain.doubtful == ()
    odds = hidden.posterior(case, goal, hidden_years.infer(chain))
    assert odds["average"] < 0.05  # from 23.2 in 2014 to 9.3 in 2016: 25 in 2015 is far off that path
    assert "no change of scope" in page.scope_in_words(case, chain, hidden_years.infer(chain))
    assert "no parcels" in page.parcels_in_words(case, goal, odds)


# Words


@pytest.mark.parametrize(
    ("p", "word"),
    [(0.96, "met"), (0.95, "met"), (0.5, "cannot tell"), (0.06, "cannot tell"), (0.05, "missed")],
)
def test_the_word_follows_the_probability(p, word):
    assert page.verdict(p, 0.95) == word


def test_words_agree_with_numbers(harbin):
    goal, chain = harbin
    found = hidden_years.infer(chain, HARBIN.scope_same)
    odds = hidden.posterior(HARBIN, goal, found)
    words = page.answer(HARBIN, goal, odds)
    assert f"missed with a probability of {round(100 * (1 - odds['average']))} %" in words
    assert "in hindsight" in words
    sure = page.answer(HARBIN.model_copy(update={"sure": 0.8}), goal, odds)
    assert "**Missed**, with" in sure and "Cannot" not in sure
    fan = page.fan(found, HARBIN.series()["value_mn"], goal)
    assert (fan.loc[2013] == 230).all() and fan.loc[2015].is_monotonic_increasing
    assert len(page.estimates(fan, found, goal)) == 2 * len(fan.columns)
    paragraph = page.paragraph(GoalCase(as_of=HARBIN.as_of), goal)
    assert f"**{round(100 * odds['average'])} %**" in paragraph and "2013" in paragraph
