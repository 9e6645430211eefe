"""The running year: `lib.analysis.replay`, each row as its day would have had it, and what notebook 11 is drawn from."""

import datetime

import numpy as np
import pandas as pd
import pytest
from cells import made

from lib import figures as fig
from lib import outlook
from lib.analysis import replay, scores
from lib.analysis.cases import YearEndCase
from lib.cases import GoalCase
from lib.evidence import YEAR_SO_FAR
from lib.law import FAN
from lib.reference import read_kept
from lib.tools.run import matrix

pytestmark = pytest.mark.usefixtures("tables_read_once")

GOAL_2015 = {"reporter": "China", "goal": "100 USD bn", "base_year": 2010, "deadline": 2015}
GOAL_2024 = {"reporter": "China", "goal": "200 USD bn", "base_year": 2018, "deadline": 2024}


def case(day: str, **parameters: object) -> GoalCase:
    return GoalCase(**({"as_of": datetime.date.fromisoformat(day)} | GOAL_2024 | parameters))


def end_of(one: GoalCase) -> np.ndarray:
    """Quantiles of the running year's total."""
    running = replay.look(one)
    return replay.total(one, running).fan.loc[running.year].to_numpy()


# --- what is known of the year ---


def test_the_running_year_is_the_one_after_the_last_full_one() -> None:
    running = replay.look(case("2021-10-20"))
    assert (running.year, running.month, running.so_far_mn, running.last) == (2021, 9, 102_500.0, 2020)
    assert running.own.index.max() <= 2020  # nothing of a year that has no total


def test_in_january_the_running_year_may_be_the_last() -> None:
    running = replay.look(case("2021-01-10"))
    assert (running.year, running.month) == (2020, 9)


def test_before_the_first_release_the_nowcast_is_the_yearly_forecast() -> None:
    one = case("2021-01-31")
    running = replay.look(one)
    assert (running.year, running.month) == (2021, 0)
    assert end_of(one) == pytest.approx(outlook.of(one, {YEAR_SO_FAR}).fan.loc[2021].to_numpy())
    assert replay.forecasts(one, running)["forecast"].tolist() == ["annual"]


def test_the_interval_narrows_as_the_year_goes_on() -> None:
    widths = []
    for day in ("2021-01-31", "2021-04-30", "2021-07-31", "2021-10-31", "2021-12-30"):
        low, high = end_of(case(day))[[1, 5]]
        widths.append(np.log(high / low))
    assert widths == sorted(widths, reverse=True)


def test_later_releases_do_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    before = replay.by_release(case("2019-07-31"))
    figures = fig.load_figures()
    later = figures["known_from"] > pd.Timestamp("2019-07-31")
    changed = figures.assign(value_mn=figures["value_mn"].where(~later, figures["value_mn"] * 3))
    monkeypatch.setattr(fig, "load_figures", lambda: changed)
    pd.testing.assert_frame_equal(replay.by_release(case("2019-07-31")), before)
    assert (before["day"] <= pd.Timestamp("2019-07-31")).all()


def test_a_row_by_release_is_what_its_day_would_have_said() -> None:
    rows = replay.by_release(case("2021-07-31")).set_index("day")
    then = case("2021-07-13")
    row, odds = rows.loc["2021-07-13"], outlook.of(then).chances
    assert row[list(FAN)].to_numpy(dtype=float) == pytest.approx(end_of(then), rel=5e-4)  # laws are condensed
    assert row["average"] == odds["average"] and row["mean_of_rates"] == odds["mean_of_rates"]
    assert rows.index.is_monotonic_increasing and rows.index.is_unique


def test_a_january_can_end_a_goal() -> None:
    # Customs, 8 February 2015: trade in January down 36.4 % in yuan. The year then fell by 28.6 %.
    rows = replay.by_release(case("2015-12-31", **GOAL_2015))
    before, after = rows["average"].iloc[-2:]
    assert rows["month"].iloc[-2:].tolist() == [0, 1]
    assert 0.3 < before < 0.7 and after < 0.2
    assert rows[0.1].iloc[-1] < 68_000 < rows[0.9].iloc[-1]
    assert rows["average"].diff().abs().idxmax() == rows.index[-1]


# --- what it makes of the goal ---


def test_the_combination_lies_between_its_parts_and_is_narrower_than_either() -> None:
    one = case("2021-04-20")
    stages = replay.forecasts(one, replay.look(one)).set_index("forecast")
    low, high = sorted(stages.loc[["annual", "year_so_far"], 0.5])
    assert low < stages.loc["combined", 0.5] < high
    width = np.log(stages[0.9] / stages[0.1])
    assert width["combined"] < width["annual"] and width["combined"] < 1.1 * width["year_so_far"]


def test_in_the_last_year_the_readings_are_chances_of_the_total() -> None:
    one = case("2021-10-20", goal="15 %", base_year=2019, deadline=2021)
    answer = outlook.of(one)
    assert answer.kind == "nowcast" and "every_year" not in answer.chances  # 2020 fell
    odds = replay.p_this_year(answer, replay.look(one))
    assert odds["path"] == pytest.approx(answer.chances["average"])


def test_a_goal_that_lies_behind_has_no_path_in_the_running_year() -> None:
    one = case("2026-11-24")
    running = replay.look(one)
    assert running.year == 2026
    assert replay.p_this_year(outlook.of(one), running).isna().all()
    assert (np.diff(end_of(one)) > 0).all()


def test_a_flow_without_any_month_falls_back_on_the_yearly_forecast() -> None:
    one = GoalCase()  # Harbin, April 2014
    running = replay.look(one)
    assert (running.year, running.month) == (2014, 0)
    band = made("11", "done_by", "band", case=one, running=running)
    assert (band.diff().iloc[1:] > 0).all(axis=None)


def test_the_year_before_may_be_unknown() -> None:
    one = case("2021-10-20")
    read = GoalCase.series
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GoalCase, "series", lambda case, *args: read(case, *args).loc[:2019])
        running = replay.look(one)
        answer = outlook.of(one)
    assert (running.year, running.last) == (2021, 2019)
    odds = replay.p_this_year(answer, running)
    assert np.isnan(odds["rate"]) and 0 < odds["path"] < 1


# --- errors of earlier nowcasts ---


def test_errors_fall_with_the_months_and_the_nowcast_beats_what_a_reader_would_do() -> None:
    means = scores.pooled(read_kept("nowcast_errors.csv"), ["mae", "cover80"], ["method", "month"]).loc[
        "combined"
    ]
    assert (means["mae"].diff().iloc[1:] < 0).all() and means["cover80"].between(0.7, 0.9).all()
    saved = made("11", "sums", "rivals")["last_share"]
    assert (saved["low"] > 0).all() and (saved["low"] < saved["estimate"]).all()


def test_the_notebook_has_the_defaults_of_its_model() -> None:
    assert matrix._model_of("11_where_will_the_year_end") is YearEndCase
