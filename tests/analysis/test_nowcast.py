"""The nowcast of a year's total: shares by month, the combination, monthly panels and the backtest."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import in_full
from scipy import stats

from lib import evidence
from lib import law as laws
from lib import series as unwound
from lib.errors import UserError
from lib.evidence import ERRORS_FILE, PRIOR_FILE
from lib.reference import Prior, read_kept
from lib.research import nowcasts, panels
from lib.research.nowcasts import _Total
from lib.research.panels import Months

FLAT = Prior(drift=0.0, drift_sd=1e6, variance=1.0, df=1e-9, source="")
scales = st.floats(0.01, 1.0)


def law(location: float, scale: float, df: float = 1e6) -> _Total:
    return _Total(*(np.asarray(value, dtype=float) for value in (location, scale, df)))


def months(flows: int = 60, years: int = 9, noise: float = 0.1, seed: int = 0) -> Months:
    """Flows of about a billion dollars a year, with shares by month of their own and noise from month to month."""
    rng = np.random.default_rng(seed)
    level = np.cumsum(rng.normal(0.03, 0.15, (flows, years)), axis=1)[:, :, None]
    season = rng.normal(0, 0.05, (flows, 1, 12)) + np.linspace(-0.1, 0.1, 12)
    value = 8e7 * np.exp(level + season + rng.normal(0, noise, (flows, years, 12)))
    names = [f"country {k}" for k in range(flows)]
    keys = pd.DataFrame({"reporter": names, "partner": "x", "flow": "export", "panel": "UK"})
    return Months(keys, np.arange(2000, 2000 + years), value)


# --- the share of a year that is done by a month ---


def test_under_a_flat_prior_the_ratio_is_the_textbook_prediction_of_a_normal_sample() -> None:
    own = np.array([0.70, 0.74, 0.69, 0.75, 0.73])
    fitted = evidence.ratio_model(own, FLAT)
    low, high = laws.location(fitted, 1) + laws.spread(fitted, 1) * stats.t(fitted.df).ppf([0.1, 0.9])
    half = stats.t(4).ppf(0.9) * own.std(ddof=1) * np.sqrt(1 + 1 / 5)
    assert (low, high) == pytest.approx((own.mean() - half, own.mean() + half), rel=1e-6)


def test_without_a_year_of_its_own_a_flow_has_the_mean_of_its_class_and_all_its_spread() -> None:
    prior = Prior(drift=0.72, drift_sd=0.04, variance=0.03**2, df=20, source="")
    fitted = evidence.ratio_model([], prior)
    assert laws.location(fitted, 1) == pytest.approx(0.72)
    assert laws.spread(fitted, 1) == pytest.approx(0.05)  # 3, 4, 5


def test_each_year_moves_the_centre_by_its_precision() -> None:
    prior = Prior(drift=0.70, drift_sd=0.05, variance=0.05**2, df=1e6, source="")
    assert float(evidence.ratio_model([0.80], prior).mean) == pytest.approx(
        0.75, abs=1e-6
    )  # as sure as the class


def test_a_misdated_release_counts_only_in_part() -> None:
    prior = Prior(drift=0.10, drift_sd=0.003, variance=0.004**2, df=10, source="")
    clean = evidence.ratio_model([0.10, 0.10, 0.10], prior)
    one_odd = evidence.ratio_model([0.10, 0.20, 0.10], prior)
    limit = 0.10 + evidence.LARGEST * 0.005
    assert laws.spread(one_odd, 1) == pytest.approx(
        laws.spread(evidence.ratio_model([0.10, limit, 0.10], prior), 1)
    )
    assert float(one_odd.mean) < 0.106
    assert laws.spread(one_odd, 1) > laws.spread(clean, 1)


def test_months_in_equal_parts_are_done_in_proportion() -> None:
    equal = Months(months().keys, np.arange(2000, 2009), np.full((60, 9, 12), 1e8))
    assert np.exp(-equal.log_ratio()[0, 0]) == pytest.approx(np.arange(1, 12) / 12)


def test_a_missing_month_makes_the_year_and_what_follows_unknown() -> None:
    panel = months(flows=2)
    panel.value[0, 3, 4] = np.nan
    assert np.isnan(panel.value.sum(axis=2)[0, 3]) and np.isnan(panel.log_ratio()[0, 3]).all()
    assert not np.isnan(panel.value.sum(axis=2)[1, 3])


def test_hyperparameters_of_a_simulated_panel_are_found_again() -> None:
    rng = np.random.default_rng(3)
    own = rng.normal(0.7, 0.06, (400, 1))
    sd = np.sqrt(0.05**2 * 12 / rng.chisquare(12, (400, 1)))
    ratio = np.repeat(rng.normal(own, sd, (400, 14))[:, :, None], 11, axis=2)
    found = nowcasts._estimate(ratio, np.full(400, 4)).iloc[5]
    assert found["mean"] == pytest.approx(0.7, abs=0.01)
    assert found["between_sd"] == pytest.approx(0.06, rel=0.15)
    assert found["variance"] == pytest.approx(0.05**2, rel=0.15)
    assert found["df"] == pytest.approx(12, rel=0.5)


def test_own_years_come_from_print_and_from_the_base_implied_a_year_later() -> None:
    rows = [(2019, 1, 6, 50.0, np.nan), (2020, 1, 6, 66.0, 0.20), (2021, 1, 6, 80.0, 0.25)]
    stretches = pd.DataFrame(rows, columns=["year", "first_month", "last_month", "value_mn", "growth"])
    found = unwound.own_ratios(stretches, pd.Series({2018: 90.0, 2019: 100.0, 2020: 120.0}))
    assert found.index.tolist() == [2019, 2020]  # of 2018 nothing, of 2021 no total
    assert np.exp(-found[6]).tolist() == pytest.approx(
        [0.5, 0.55]
    )  # 50, not the implied 55, where it was printed
    assert found.drop(columns=6).isna().all(axis=None)
    implied = unwound.own_ratios(stretches.iloc[[1]], pd.Series({2019: 100.0}))
    assert np.exp(-implied.loc[2019, 6]) == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("size", "origin", "month", "words"),
    [
        (1e9, 2015, 0, "month: found 0, expected 1 to 11"),
        (1e9, 2015, 12, "after December the year is over"),
        (-1.0, 2015, 6, "size_usd: found -1"),
        (1e9, 1990, 6, "origin: found 1990, expected 2001 or later"),
    ],
)
def test_a_prior_that_cannot_be_is_refused(size: float, origin: int, month: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        evidence.ratio_prior(size, origin, month)


def test_a_panel_too_small_to_say_anything_is_refused() -> None:
    with pytest.raises(UserError, match="found no size class of 30 series"):
        nowcasts._estimate(months(flows=10).log_ratio(), np.full(10, 4))


# --- the combination ---


def test_independent_errors_give_precision_weights() -> None:
    both = nowcasts._combine(law(1.0, 0.1), law(2.0, 0.2))
    assert float(both.location) == pytest.approx(1.2)
    assert float(both.scale) == pytest.approx(1 / np.sqrt(1 / 0.1**2 + 1 / 0.2**2))


@given(scales, scales, st.floats(-0.95, 0.95))
def test_the_weight_leaves_the_least_variance(one: float, two: float, correlation: float) -> None:
    # Bates & Granger (1969): no other weight between 0 and 1 does better, nor either forecast alone.
    both = nowcasts._combine(law(0.0, one), law(0.0, two), correlation)
    w = np.linspace(0, 1, 201)
    variance = (1 - w) ** 2 * one**2 + w**2 * two**2 + 2 * w * (1 - w) * correlation * one * two
    assert float(both.scale) ** 2 <= variance.min() + 1e-9


def test_bates_and_granger_variance_in_closed_form() -> None:
    one, two, r = 0.1, 0.15, 0.3
    expected = one**2 * two**2 * (1 - r**2) / (one**2 + two**2 - 2 * r * one * two)
    assert float(nowcasts._combine(law(0, one), law(0, two), r).scale) ** 2 == pytest.approx(expected)


def test_stretch_widens_and_the_heavier_tail_is_kept() -> None:
    both = nowcasts._combine(law(0, 0.1, df=5), law(0, 0.1, df=30), stretch=1.2)
    assert float(both.scale) == pytest.approx(1.2 * 0.1 / np.sqrt(2))
    assert float(both.df) == 5


@given(scales, scales, st.floats(-0.9, 0.9))
def test_the_law_given_the_other_forecast_is_the_closed_form(one: float, two: float, r: float) -> None:
    annual = laws.Law((2020,), np.ones(1), np.full((1, 1), 0.2), np.full((1, 1, 1), two**2))
    found = laws.given_all(annual, [[1.0]], [0.0], [[one**2]], correlation=r)
    both = nowcasts._combine(law(0.0, one), law(0.2, two), r)
    assert float(found.means[0, 0]) == pytest.approx(float(both.location), abs=1e-9)
    assert float(found.sds(2020)[0]) == pytest.approx(float(both.scale), abs=1e-9)


def test_simulated_years_fall_into_the_intervals_as_often_as_promised() -> None:
    rng = np.random.default_rng(5)
    prior = Prior(drift=0.7, drift_sd=0.05, variance=0.04**2, df=8, source="")
    flows = 20_000
    sd = np.sqrt(prior.variance * prior.df / rng.chisquare(prior.df, flows))
    lasting = rng.normal(prior.drift, prior.drift_sd, flows)
    r = rng.normal(lasting[:, None], sd[:, None], (flows, 4))
    part = nowcasts._ahead(np.zeros(flows), evidence.ratio_model(r[:, :3], prior))
    for level in (0.5, 0.8, 0.95):
        inside = np.mean(
            np.abs(r[:, 3] - part.location) <= part.scale * stats.t(part.df).ppf((1 + level) / 2)
        )
        assert inside == pytest.approx(level, abs=0.02)


# --- monthly panels ---


def rows(**changes: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "reporter": "A",
            "partner": "B",
            "flow": "export",
            "year": 2001,
            "month": range(1, 13),
            "value_usd": 1e8,
        }
    )
    for column, value in changes.items():
        frame[column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (rows().drop(columns="month"), "expected also month"),
        (rows(month=range(0, 12)), "found a month that is none"),
        (rows(value_usd=0.0), "found a value that is not positive in 12 rows"),
        (pd.concat([rows(), rows()]), "several rows for one flow and month"),
        (rows(partner=None), "a missing name"),
    ],
)
def test_a_table_that_is_no_monthly_panel_is_refused(frame: pd.DataFrame, words: str, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "mine.parquet", index=False)
    with pytest.raises(UserError, match=words):
        panels._read_monthly(tmp_path / "mine.parquet")


def test_a_panel_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.parquet: not found in"):
        panels._read_monthly(tmp_path / "none.parquet")


def test_panels_are_stacked_over_all_years_and_holes_stay() -> None:
    late = rows(year=2003, reporter="C").iloc[1:]
    found = panels._to_months({"UK": rows(), "IMF": late})
    assert found.years.tolist() == [2001, 2002, 2003]
    assert found.keys["panel"].tolist() == ["UK", "IMF"]
    assert found.value.sum(axis=2)[0, 0] == pytest.approx(1.2e9)
    assert np.isnan(found.value.sum(axis=2)[1]).all() and found.value[1, 2, 1] == 1e8


# --- the backtest ---


def forecasts(panel: Months, place: int) -> pd.DataFrame:
    """Centres of all forecasts of a year, by flow, month and method."""
    table = nowcasts._estimate(panel.log_ratio()[:, :place], np.full(len(panel.keys), 4))
    found = nowcasts._score_year(panel, place, table, None)
    outcome = np.tile(panel.levels().log[:, place], len(found) // len(panel.keys))
    return found.assign(centre=outcome - found["error"])


def test_nothing_after_a_month_enters_its_nowcast() -> None:
    panel, later = months(), months()
    later.value[:, 6, 4:] *= np.random.default_rng(1).uniform(0.3, 3, (60, 8))  # from May of the year on
    later.value[:, 7:] *= 7
    one, two = (forecasts(panel, 6) for panel in (panel, later))
    known = (one["month"] <= 4).to_numpy()
    assert np.allclose(one["centre"][known], two["centre"][known], rtol=0, atol=1e-9)
    assert not np.allclose(one["centre"][~known], two["centre"][~known])


def test_last_years_share_is_the_growth_of_the_year_so_far_continued() -> None:
    panel = months()
    found = forecasts(panel, 6).query("method == 'last_share' and month == 5")["centre"]
    so_far = panel.value[:, :, :5].sum(axis=2)
    continued = np.log(panel.value.sum(axis=2)[:, 5] * so_far[:, 6] / so_far[:, 5])
    assert np.allclose(found, continued)


def test_on_simulated_panels_intervals_hold_and_the_nowcast_beats_the_plain_ones() -> None:
    priors, errors, by_size = nowcasts._score_nowcasts(months(flows=75, years=12)).values()
    assert errors["method"].nunique() == 6 and errors["year"].between(2005, 2011).all()
    assert priors["origin"].between(2004, 2011).all() and priors["month"].between(1, 11).all()
    laws = errors[errors["method"].isin(["combined", "year_so_far"])]
    assert laws["cover80"].mean() == pytest.approx(0.8, abs=0.03)
    mean = errors.groupby("method")["mae"].mean()
    assert mean["combined"] < mean[["last_share", "mean_share", "annual", "pro_rata"]].min()
    assert by_size["n"].sum() == errors["n"].sum()


def test_a_panel_that_has_ended_stays_in_the_reference_class() -> None:
    panel = months(flows=40)
    panel.value[:20, 6:] = np.nan
    panel.value[20:, :, :] /= 100  # too small
    found = nowcasts._last_classes(panel.levels(), 8)
    assert (found[:20] >= 3).all() and (found[20:] == -1).all()


def test_correlation_and_stretch_come_from_earlier_years_alone() -> None:
    kept = read_kept(ERRORS_FILE)
    assert evidence._kept_link(6, 2003) == (0.0, 1.0)  # fewer than three scored years
    later = kept.assign(stretch=kept["stretch"].where(kept["year"] <= 2012, 99.0))
    assert evidence.link(later, 6, 2012) == evidence._kept_link(6, 2012)
    assert evidence.link(later, 6, 2013) != evidence._kept_link(6, 2013)


def test_kept_scores_improve_with_the_months_and_cover_what_they_promise() -> None:
    kept = read_kept(ERRORS_FILE)
    rows = kept[kept["method"] == "combined"]
    by_month = rows.groupby(["panel", "month"])["mae"].mean().unstack("panel")
    assert (by_month.diff().iloc[1:] < 0).all(axis=None)
    assert rows.groupby("panel")["cover80"].mean().between(0.70, 0.85).all()


@in_full
def test_the_kept_tables_are_those_of_the_panels(panel_folder: Path) -> None:
    priors, errors, by_size = nowcasts.nowcasts(panel_folder).values()
    for name, table in ((PRIOR_FILE, priors), (ERRORS_FILE, errors)):
        pd.testing.assert_frame_equal(read_kept(name), table, check_dtype=False, rtol=2e-3, atol=1e-6)
    assert len(read_kept("nowcast_errors_by_size.csv")) == len(by_size)
