"""Growth over many years: exact series, the published regression formula, and every flow of the record."""

import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some

from lib import figures as fig
from lib import growth, outlook
from lib.analysis import trends
from lib.analysis.cases import PaceCase
from lib.cases import TrendCase
from lib.errors import UserError

pytestmark = pytest.mark.usefixtures("tables_read_once")

CHINA = TrendCase(reporter="China")
spells = made("02", "spells")


def summary_of(levels: dict[str, pd.Series], goal_rate: float) -> pd.DataFrame:
    """What notebook 02 makes of levels."""
    given = {"levels": levels, "goal_rate": goal_rate}
    rates = {name: growth.yoy(level) for name, level in levels.items()}
    return made("02", "paces", "course", "summary", rates=rates, **given)


def summary(levels: dict[str, pd.Series]) -> pd.DataFrame:
    return summary_of(levels, 0.25).set_index("name", drop=False)


def exponential(rate: float, years: range, noise: float = 0.0) -> pd.Series:
    t = np.arange(len(years))
    wobble = noise * np.random.default_rng(3).standard_normal(len(years))
    return pd.Series(100 * (1 + rate) ** t * np.exp(wobble), index=years)


# --- the trend ---


@given(rate=st.floats(-0.3, 0.6), n=st.integers(6, 30))
def test_a_trend_of_constant_growth_is_that_growth_without_doubt(rate, n):
    found = trends.log_trend(exponential(rate, range(2000, 2000 + n)))
    assert found == pytest.approx((rate, rate, rate), abs=1e-9)


def test_gaps_and_missing_values_do_not_bend_a_trend():
    level = exponential(0.1, range(2000, 2020))
    holed = level.drop([2003, 2004, 2011])
    assert trends.log_trend(holed)[0] == pytest.approx(0.1)
    holed[2007] = np.nan
    assert trends.log_trend(holed)[0] == pytest.approx(0.1)


def test_the_interval_is_that_of_newey_and_west_with_two_lags():
    """Bartlett weights 2/3 and 1/3 on the autocovariances of the scores; t with n − 2 degrees of freedom."""
    from scipy import stats

    level = exponential(0.08, range(2000, 2025), noise=0.15)
    y, x = np.log(level.to_numpy()), np.arange(25) - 12.0
    slope = (x @ y) / (x @ x)
    score = x * (y - y.mean() - slope * x)
    long_run = score @ score + sum(2 * (1 - lag / 3) * (score[lag:] @ score[:-lag]) for lag in (1, 2))
    half = stats.t.ppf(0.975, 23) * np.sqrt(long_run) / (x @ x)
    found = trends.log_trend(level)
    assert found == pytest.approx(tuple(np.expm1([slope, slope - half, slope + half])), rel=1e-6)


def test_five_levels_carry_no_trend():
    assert all(np.isnan(trends.log_trend(exponential(0.1, range(2000, 2005)))))
    assert not np.isnan(trends.log_trend(exponential(0.1, range(2000, 2006)))[0])


@given(scale=st.floats(1e-3, 1e3))
def test_a_trend_does_not_depend_on_the_unit(scale):
    level = exponential(0.08, range(2000, 2015), noise=0.2)
    assert trends.log_trend(level * scale) == pytest.approx(trends.log_trend(level), rel=1e-8)


# --- the summary ---


def test_a_summary_of_a_small_record():
    level = pd.Series({2012: 100.0, 2013: 150.0, 2014: 180.0, 2016: 200.0})
    row = summary({"Harbin": level}).loc["Harbin"]
    assert (row["first"], row["last"], row["rates"], row["reached"]) == (2012, 2016, 2, 1)
    assert row["cagr"] == pytest.approx(2**0.25 - 1)
    assert row["doubling_years"] == pytest.approx(4.0)
    assert (row["best"], row["worst"]) == (pytest.approx(0.5), pytest.approx(0.2))
    assert np.isnan(row["trend"])


def test_a_rate_that_is_hit_exactly_counts_as_reached():
    level = pd.Series({2012 + k: 100 * 1.25**k for k in range(8)})
    assert summary({"x": level}).loc["x", "reached"] == 7


def test_shrinking_flows_never_double_and_single_levels_have_no_pace():
    found = summary({"down": pd.Series({2012: 2.0, 2013: 1.0}), "one": pd.Series({2012: 5.0})})
    assert found.loc["down", "cagr"] == pytest.approx(-0.5) and np.isnan(found.loc["down", "doubling_years"])
    assert found["course"].to_list() == ["fell", "alone"] and found["pace"].to_list() == ["known", "unknown"]
    assert found.loc["one", ["cagr", "best", "worst", "trend"]].isna().all()


@pytest.mark.parametrize(
    ("last", "course"), [(100.3, "stood"), (120.0, "grew"), (99.7, "stood"), (99.0, "fell")]
)
def test_a_course_is_a_word_for_the_rate(last, course):
    level = pd.Series({2000: 100.0, 2009: last})
    assert summary({"x": level}).loc["x", "course"] == course


def test_a_flow_without_a_level_is_left_out():
    found = summary({"one": pd.Series({2012: 5.0}), "none": pd.Series(dtype=float)})
    assert list(found.index) == ["one"]
    assert spells({"none": pd.Series(dtype=float)}, 0.25).empty


# --- spells ---


def test_spells_are_unbroken_years_at_the_rate_longest_first():
    rates = pd.Series({2001: 0.3, 2002: 0.25, 2003: 0.1, 2004: 0.5, 2006: 0.5, 2007: 0.4, 2008: 0.25 - 1e-12})
    found = spells({"x": rates}, 0.25)
    assert found.to_dict("records") == [
        {"name": "x", "first": 2006, "last": 2008, "years": 3},
        {"name": "x", "first": 2001, "last": 2002, "years": 2},
        {"name": "x", "first": 2004, "last": 2004, "years": 1},
    ]


@given(
    rates=st.dictionaries(st.integers(1990, 2020), st.floats(-0.5, 0.9) | st.just(float("nan")), min_size=1),
    goal=st.floats(-0.2, 0.6),
)
def test_spells_hold_each_year_at_the_rate_once(rates, goal):
    series = pd.Series(rates, dtype=float).sort_index()
    found = spells({"x": series}, goal)
    inside = [year for row in found.itertuples() for year in range(row[2], row[3] + 1)]
    assert sorted(inside) == [year for year, rate in series.items() if rate >= goal - 1e-9]
    assert found["years"].is_monotonic_decreasing


# --- the record ---


def test_china_grew_as_its_published_levels_say():
    level = CHINA.series()["value_mn"]
    row = summary({"China": level}).loc["China"]
    assert growth.yoy(level)[2015] == pytest.approx(-0.286, abs=0.0005)  # as customs said in January 2016
    assert row["worst"] == pytest.approx(-0.318, abs=0.001)  # 2009
    assert row["trend_low"] < row["trend"] < row["trend_high"]
    assert row["last"] == level.index[-1]


def every_flow() -> list[dict[str, str]]:
    return fig.load_figures()[["reporter", "partner", "flow"]].drop_duplicates().to_dict("records")


@exhaustive
@pytest.mark.parametrize(("currency", "day"), [("USD", None), ("CNY", "2026-11-24")])
def test_every_flow_gives_tables_without_holes_or_says_what_is_missing(currency, day):
    worked = 0
    for flow in some(every_flow(), 3):
        rows = fig.select(fig.load_figures(), **flow)
        as_of = day or rows["known_from"].sort_values().iloc[len(rows) // 2].date()
        try:
            case = PaceCase.check({**flow, "currency": currency, "as_of": as_of})
        except UserError as error:
            assert "no level of a full year was known" in str(error)
            continue
        worked += 1
        levels = {m.reporter: m.series()["value_mn"] for m in [case, *outlook.lineage(case)]}
        rates = {name: growth.yoy(level) for name, level in levels.items()}
        found = summary_of(levels, case.yearly_rate())
        known = ["name", "first", "last", "course", "pace", "rates", "reached"]
        assert found[known].notna().all(axis=None) and spells(rates, 0.25).notna().all(axis=None)
        assert found.loc[0, "name"] == case.reporter
    assert worked >= 5
