"""Hidden years: a Kalman smoother, simulation and closed forms give what the conditional distribution gives."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, roots_legendre

from lib import evidence, outlook
from lib import law as laws
from lib.analysis import robustness
from lib.analysis.cases import HiddenCase
from lib.cases import GoalCase
from lib.errors import UserError
from lib.evidence import ANALOGUES, LARGER, Assumptions, Chain, _divide, _kept_spread, _Link, _Spread
from lib.goals import READINGS, Goal
from lib.research.parts import _estimate_spread

HARBIN = HiddenCase()
SPREAD = _Spread(0.03, 0.01, 5.0, "made up")
YEARS = range(2005, 2017)
WHOLE = pd.Series(np.exp(np.linspace(10, 11, 12) + 0.2 * np.sin(np.arange(12))), index=YEARS)
PROVINCE = pd.Series({2005: 3000.0, 2006: 3600.0, 2008: 4100.0, 2012: 9000.0, 2013: 8000.0, 2015: 12000.0})
CITY = pd.Series({2012: 150.0, 2013: 230.0, 2016: 700.0})
TWO = Chain(
    "C", WHOLE, (_Link("P", PROVINCE, _Spread(0.01, 0.004, 4.0, "")), _Link("H", CITY, SPREAD)), (2016,)
)
NEAR = pd.Series({2012: 150.0, 2013: 230.0, 2016: 330.0})
ONE = Chain("C", WHOLE.loc[2012:], (_Link("H", NEAR, SPREAD),))
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
    start = np.diag([evidence.DIFFUSE] * k + noise)
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
    log_density, mean, covariance = evidence._condition(TWO, np.array([scales]), scope_sd)
    table, likelihood = smoothed(TWO, scope_sd, scales)
    np.testing.assert_allclose(mean[0], table["mean"], atol=1e-6)
    np.testing.assert_allclose(np.diagonal(covariance[0]), table["variance"], atol=1e-6)
    seen = len(PROVINCE) + len(CITY)
    assert log_density[0] - seen / 2 * np.log(2 * np.pi) == pytest.approx(likelihood, abs=1e-4)


def test_one_link_also_without_noise_agrees_with_the_smoother():
    bridge = replace(ONE, links=(_Link("H", NEAR, SPREAD._replace(noise=0.0)),))
    _, mean, covariance = evidence._condition(bridge, np.array([[1.0]]), 0.0)
    table, _ = smoothed(bridge, 0.0, (1.0,))
    np.testing.assert_allclose(mean[0], table["mean"], atol=1e-6)
    np.testing.assert_allclose(np.diagonal(covariance[0]), table["variance"], atol=1e-6)


def test_without_noise_it_is_the_brownian_bridge():
    """Between two published years the share moves on a straight line, with variance walk × a b / (a + b)."""
    bridge = replace(ONE, links=(_Link("H", NEAR, SPREAD._replace(noise=0.0)),))
    _, mean, covariance = evidence._condition(bridge, np.array([[2.0]]), 0.0)
    share = np.log(NEAR / WHOLE[NEAR.index])
    line = np.interp([2014, 2015], [2013, 2016], [share[2013], share[2016]])
    np.testing.assert_allclose(mean[0], line + np.log(WHOLE[[2014, 2015]]), atol=1e-6)
    expected = 0.06 * np.array([[2 / 3, 1 / 3], [1 / 3, 2 / 3]])
    np.testing.assert_allclose(covariance[0], expected, atol=1e-6)


def chances_of(chain: Chain, levels: pd.Series, **assumptions: float) -> pd.Series:
    return laws.chances(evidence.infer(chain, Assumptions(**assumptions)).law, GOAL, levels)


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
    rates = paths[:, 1:] / paths[:, :-1] - 1
    met = {
        "average": paths[:, -1] >= GOAL.target_mn,
        "every_year": (rates >= GOAL.rate).all(axis=1),
        "mean_of_rates": rates.mean(axis=1) >= GOAL.rate,
    }
    found = evidence.infer(ONE).law
    odds = chances_of(ONE, NEAR)
    effective = weight.sum() ** 2 / (weight**2).sum()
    assert effective > 10_000
    for reading in READINGS:
        p = np.average(met[reading], weights=weight)
        assert odds[reading] == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / effective) + 5e-4)
    medians = {year: laws.quantiles(found, year, 0.5)[0] for year in (2014, 2015)}
    for year in (2014, 2015):
        below = np.average(log_level[year] < np.log(medians[year]), weights=weight)
        assert below == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(effective))


# Probabilities of the readings


def test_readings_agree_with_integration_over_the_first_hidden_year():
    """Given 2014, the level of 2015 is normal: every reading is a tail of it."""
    found = evidence.infer(ONE).law
    nodes, weights = roots_legendre(400)
    total = dict.fromkeys(READINGS, 0.0)
    for w, mean, cov in zip(found.weights, found.means, found.covariances, strict=True):
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
    odds = chances_of(ONE, NEAR)
    for reading in READINGS:
        assert odds[reading] == pytest.approx(total[reading], abs=1e-3)


def test_the_grid_of_scales_is_fine_enough(monkeypatch):
    coarse = chances_of(TWO, CITY)["average"]
    monkeypatch.setattr(evidence, "LOG_SCALES", np.linspace(-5, 7, 121))
    fine = chances_of(TWO, CITY)["average"]
    assert coarse == pytest.approx(fine, abs=1e-5)


@given(st.floats(0.02, 0.98))
def test_the_mixture_has_the_asked_share_below_its_quantile(p):
    found = evidence.infer(ONE).law
    level = laws.quantiles(found, 2015, p)[0]
    at = found.column(2015)
    z = (np.log(level) - found.means[:, at]) / np.sqrt(found.covariances[:, at, at])
    assert found.weights @ ndtr(z) == pytest.approx(p, abs=1e-9)


def test_scope_is_weighed_by_bayes_rule():
    """The odds of the same scope are the prior odds times the ratio of densities, averaged over scales."""
    half, sure, other, fifth = (
        evidence.infer(TWO, Assumptions(scope_same=p)).same_scope for p in (0.5, 1.0, 0.0, 0.2)
    )
    assert fifth / (1 - fifth) == pytest.approx(half / (1 - half) / 4, rel=1e-5)
    assert (sure, other) == pytest.approx((1.0, 0.0))
    p, p_same, p_other = (chances_of(TWO, CITY, scope_same=q)["average"] for q in (0.5, 1.0, 0.0))
    assert p == pytest.approx(half * p_same + (1 - half) * p_other, abs=2e-5)


# Parcels


def test_parcels_that_fill_the_goal_make_it_certain():
    found = laws.plus(evidence.infer(ONE).law, {2014: 400.0, 2015: 400.0})
    assert laws.chances(found, GOAL, NEAR)["average"] > 1 - 1e-4


@pytest.mark.parametrize("added", [20.0, 100.0, 377.0])
def test_an_addition_to_first_order_is_that_of_simulated_levels(added):
    """Also where it is as large as the flow itself; the levels of HARBIN's law, 300,000 paths."""
    found = outlook.of(HARBIN).law
    rng = np.random.default_rng(2)
    which = rng.choice(len(found.weights), 300_000, p=found.weights)
    roots = np.linalg.cholesky(found.covariances + 1e-14 * np.eye(2))
    logs = found.means[which] + np.einsum("kij,kj->ki", roots[which], rng.normal(size=(len(which), 2)))
    level = np.exp(logs) + added
    goal = HARBIN.make_goal()
    moved = laws.plus(found, {2014: added, 2015: added})
    for target in (0.75 * goal.target_mn, goal.target_mn, 1.5 * goal.target_mn):
        met = np.mean(level[:, 1] < target)
        assert float(laws.p_below(moved, 2015, target)) == pytest.approx(met, abs=0.01)
    rates = np.column_stack([level[:, 0] / 230 - 1, level[:, 1] / level[:, 0] - 1])
    odds = laws.chances(moved, goal, HARBIN.series()["value_mn"])
    assert odds["every_year"] == pytest.approx(np.mean((rates >= 0.25).all(axis=1)), abs=0.01)
    known = 230 / HARBIN.series()["value_mn"][2012] - 1
    mean = (known + rates.sum(axis=1)) / 3
    assert odds["mean_of_rates"] == pytest.approx(np.mean(mean >= 0.25), abs=0.01)


# Spread of parts


def test_walk_and_noise_give_back_variance_and_autocorrelation():
    walk, noise = _divide(0.09, -0.3)
    assert walk + 2 * noise == pytest.approx(0.09)
    assert -noise / (walk + 2 * noise) == pytest.approx(-0.3)
    assert _divide(0.09, 0.2) == (0.09, 0.0)  # a positive one is a shared shock


def test_spread_is_recovered_from_simulated_parts():
    from lib.research.panels import Levels

    rng, parts, years = np.random.default_rng(3), 4000, 21
    index = np.arange(2000, 2000 + years)
    whole_log = np.log(5e9) + np.cumsum(rng.normal(0, 0.3, (1, years)), axis=1)
    walk = np.cumsum(rng.normal(0, 0.2, (parts, years)), axis=1)
    log = whole_log + np.log(0.04) + walk + rng.normal(0, 0.1, (parts, years))
    whole = Levels(pd.DataFrame({"w": [0]}), index, whole_log, np.diff(whole_log))
    sub = Levels(pd.DataFrame({"p": range(parts)}), index, log, np.diff(log))
    table = _estimate_spread(sub, whole, np.zeros(parts, dtype=np.intp), [2020])
    row = table.set_index("size_class").loc[3]  # 200 mn USD
    found = _divide(row["variance"], row["autocorrelation"])
    assert found == pytest.approx((0.04, 0.01), rel=0.15)


def test_kept_spreads_use_no_year_after_the_one_asked_for():
    early, late = _kept_spread(2e8, 2012), _kept_spread(2e8, 2020)
    assert "years to 2012" in early.source and "years to 2020" in late.source
    assert _kept_spread(2e8, 1990).source.endswith("2008")
    smaller = _kept_spread(2e7, 2020)
    # The smaller a part, the more erratic.
    assert smaller.walk + 2 * smaller.noise > late.walk + 2 * late.noise
    with pytest.raises(UserError, match="expected one of country pair"):
        _kept_spread(2e8, 2020, "moons of planets")


# The case of Harbin


@pytest.fixture(scope="module")
def harbin():
    answer = outlook.of(HARBIN)
    return answer, robustness.inferred_sensitivity(HARBIN, answer)["average"]


def test_the_chain_is_the_record(harbin):
    chain = harbin[0].inferred.chain
    assert (chain.top, [link.name for link in chain.links]) == ("China", ["Heilongjiang", "Harbin"])
    assert chain.doubtful == (2023,) and {2014, 2015} <= set(chain.hidden)
    assert set(chain.links[-1].levels.index) == {2012, 2013, 2023}


def test_a_part_above_its_whole_widens_the_law():
    """A level ten times that of the country: shares are held to be more erratic, and nothing breaks."""
    above = replace(ONE.links[0], levels=NEAR.where(NEAR.index != 2016, 10 * WHOLE[2016]))
    usual, torn = (evidence.infer(chain) for chain in (ONE, replace(ONE, links=(above,))))
    assert torn.scales[0] > 2 * usual.scales[0]
    for year in usual.law.years:
        width = [np.ptp(np.log(laws.quantiles(one.law, year, [0.1, 0.9]))) for one in (usual, torn)]
        assert np.isfinite(width).all() and width[1] > 2 * width[0]


@pytest.mark.parametrize("day", [date(2016, 6, 30), date(2018, 6, 30), date(2022, 12, 31)])
def test_nothing_published_later_enters(day):
    chain = evidence.chain_of(HARBIN.model_copy(update={"as_of": day}))
    assert chain.whole.index.max() < day.year
    assert all(link.levels.index.max() < day.year for link in chain.links)
    assert not chain.doubtful
    assert all(f"years to {min(day.year - 1, 2020)}" in link.spread.source for link in chain.links)


@pytest.mark.parametrize(
    "change",
    [
        {"as_of": date(2014, 4, 15)},  # the country's level of 2014 is not known yet
        {
            "reporter": "China",
            "goal": "100 USD bn",
            "base_year": 2010,
        },  # contained in no other with this partner
        {"reporter": "Heilongjiang", "base_year": 2010, "deadline": 2014},  # every year is known
    ],
)
def test_where_larger_flows_say_nothing_there_is_no_chain(change):
    case = GoalCase(**HARBIN.model_dump(include=set(GoalCase.model_fields)) | change)
    assert evidence.chain_of(case) is None


def test_a_part_without_a_level_in_the_years_of_the_whole_is_passed_over(harbin, monkeypatch):
    whole = evidence._whole
    monkeypatch.setattr(evidence, "_whole", lambda *args: whole(*args).loc[2012:2014])
    read = HiddenCase.series

    def holed(case, *args):
        rows = read(case, *args)
        return rows.loc[2016:] if case.reporter == "Heilongjiang" else rows

    monkeypatch.setattr(HiddenCase, "series", holed)
    chain = evidence.chain_of(HARBIN)
    assert [link.name for link in chain.links] == ["Harbin"]


def test_a_deadline_that_is_not_over_is_refused():
    with pytest.raises(UserError, match="expected a year that was over on 2026-11-24"):
        HiddenCase.check(HARBIN.model_dump() | {"deadline": 2030})


def test_the_steps_begin_with_the_forecast_and_end_with_the_answer(harbin):
    answer = harbin[0]
    steps = answer.steps()
    pieces = [
        "own yearly levels",
        "larger flows: China",
        "larger flows: Heilongjiang",
        "later level: Harbin 2023",
    ]
    assert list(steps.index) == pieces
    nothing = outlook.of(HARBIN, evidence.PIECES)
    pd.testing.assert_series_equal(steps.iloc[0], nothing.chances, check_names=False)
    pd.testing.assert_series_equal(steps.iloc[-1], answer.chances, check_names=False)
    # The country's trade fell by a quarter and the province's by half: either makes the goal less likely.
    assert steps["average"].iloc[0] > steps["average"].iloc[1] > steps["average"].iloc[2]


def test_assumptions_move_the_answer_in_their_direction(harbin):
    tried = harbin[1]
    assert tried["half the variance of a part around its whole"] < tried["twice the variance"]
    assert tried["late levels surely of another scope"] < tried["as assumed"]
    assert tried["as assumed"] < tried["late levels surely of the same scope"]
    assert tried["as assumed"] < tried["parcels real and counted: one chance in ten"]
    weighed = 0.9 * tried["as assumed"] + 0.1 * tried["parcels real and counted: surely"]
    assert tried["parcels real and counted: one chance in ten"] == pytest.approx(
        weighed, abs=1e-3
    )  # condensed
    assert any(ANALOGUES[2] in name for name in tried.index)


def test_parameters_of_the_case_reach_the_evidence(harbin):
    tried = harbin[1]
    for name, change in {
        "twice the variance": {"spread_factor": 2.0},
        "late levels surely of the same scope": {"scope_same": 1.0},
        f"spread of: {ANALOGUES[2]}": {"analogue": ANALOGUES[2]},
        "parcels real and counted: surely": {"parcels_counted": 1.0},
    }.items():
        assert outlook.of(HARBIN.model_copy(update=change)).chances["average"] == tried[name]


def test_the_level_before_follows_from_the_growth_of_ten_months():
    """11.7 CNY bn less growth of 79.8 %, at the rates of the two years."""
    found = robustness._implied_before(HARBIN, (2023,))
    assert found[2022] == pytest.approx(11700 / 1.798 / HARBIN.rates()["CNY"][2022])
    in_yuan = robustness._implied_before(HARBIN.model_copy(update={"currency": "CNY"}), (2023,))
    assert in_yuan[2022] == pytest.approx(11700 / 1.798)


def test_parcels_are_spread_evenly_over_their_days():
    added = evidence.parcels_a_year(HARBIN)
    days = (pd.Timestamp(2017, 6, 30) - pd.Timestamp(2013, 11, 26)).days + 1
    assert added.to_dict() == pytest.approx(dict.fromkeys([2014, 2015], 1357 / days * 365.25))
    in_yuan = evidence.parcels_a_year(HARBIN.model_copy(update={"currency": "CNY"}))
    assert (in_yuan / added).to_dict() == pytest.approx(HARBIN.rates()["CNY"][[2014, 2015]].to_dict())
    early = HARBIN.model_copy(update={"as_of": date(2016, 12, 31)})
    assert evidence.parcels_a_year(early).empty  # published in August 2017


def test_currency_hardly_matters(harbin):
    yuan = outlook.of(HARBIN.model_copy(update={"currency": "CNY"}))
    np.testing.assert_allclose(yuan.chances, harbin[0].chances, atol=0.05)


def test_a_province_hides_a_year_too():
    case = HARBIN.model_copy(
        update={"reporter": "Heilongjiang", "goal": "25 USD bn", "base_year": 2013, "deadline": 2015}
    )
    answer = outlook.of(case)
    assert len(answer.inferred.chain.links) == 1 and answer.inferred.chain.doubtful == ()
    assert (
        answer.chances["average"] < 0.05
    )  # from 23.2 in 2014 to 9.3 in 2016: 25 in 2015 is far off that path
    assert evidence.parcels_a_year(case).empty


def test_the_rows_of_all_flows_that_were_used_are_listed(harbin):
    used = made("10", "used", case=HARBIN, answer=harbin[0], law=harbin[0].law, base_year=2012)
    assert list(dict.fromkeys(used["reporter"])) == ["China", "Heilongjiang", "Harbin"]
    assert used["url"].str.startswith("http").all() and used["figure_id"].is_unique
    for one in [*HARBIN.lineage(), HARBIN]:
        behind = one.series().loc[2012:, "figure_id"]
        assert set(behind) <= set(used["figure_id"])


# Other evidence


def test_the_partners_figures_stand_in_with_the_usual_gap_and_one_error():
    case = GoalCase(reporter="Russia", partner="China", goal="10 %", base_year=2010, as_of=date(2026, 11, 24))
    levels, theirs = case.series()["value_mn"], case.mirror().series()["value_mn"]
    seen = evidence.mirror(case, levels, [2014, 2015])
    common = levels.index.intersection(theirs.index)
    gap = np.log(levels[common] / theirs[common])
    assert np.allclose(seen.levels, np.log(theirs[[2014, 2015]]) + gap.mean())
    assert seen.covariance[0, 1] == pytest.approx(gap.var() / len(gap)) and seen.df == len(gap) - 1
    assert outlook.of(case, {"mirror"}).chances["average"] > 10 * outlook.of(case).chances["average"]


def test_an_observation_without_news_changes_nothing():
    law = outlook.of(GoalCase()).law
    for df in (5.0, np.inf):
        vague = evidence.Observation("nothing", pd.Series({2014: 9.0, 2015: 9.0}), 1e12 * np.eye(2), df)
        found = vague.given(law)
        for year in law.years:
            assert laws.quantiles(found, year) == pytest.approx(laws.quantiles(law, year), rel=1e-3)


def test_years_so_far_of_several_years_share_their_scale_and_stay_few():
    case = GoalCase(
        reporter="Heilongjiang",
        flow="export",
        currency="CNY",
        as_of=date(2019, 9, 4),
        base_year=2013,
        deadline=2019,
    )
    answer = outlook.of(case)
    assert len(answer.law.weights) < 10_000 and "2014 to month 6" in answer.evidence["months"]
    assert LARGER in answer.evidence
