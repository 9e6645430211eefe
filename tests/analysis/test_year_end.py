"""The running year and the goal: `lib.analysis.nowcast`, and what the notebook says of them."""

import datetime
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib import cases, forecast, growth, outlook
from lib import figures as fig
from lib.analysis import nowcast, year_end
from lib.analysis.nowcast import Total, YearEnd
from lib.cases import GoalCase
from lib.forecast import FAN
from lib.goals import Goal, needed_rates
from lib.tools.run import matrix

pytestmark = pytest.mark.usefixtures("tables_read_once")

GOAL_2015 = {"reporter": "China", "goal": "100 USD bn", "base_year": 2010, "deadline": 2015}
GOAL_2024 = {"reporter": "China", "goal": "200 USD bn", "base_year": 2018, "deadline": 2024}


def case(day: str, **parameters: object) -> GoalCase:
    return GoalCase(**({"as_of": datetime.date.fromisoformat(day)} | GOAL_2024 | parameters))


def seen(one: GoalCase) -> tuple[Goal, pd.Series, YearEnd]:
    levels = one.series()["value_mn"]
    return one.make_goal(), levels, nowcast.look(one, levels)


def known_total(end: YearEnd, level_mn: float) -> YearEnd:
    """The same year with a total that is all but certain."""
    sure = Total(*(np.asarray(value, dtype=float) for value in (np.log(level_mn), 1e-9, 1e6, 0.0)))
    return replace(end, total=sure)


# --- what is known of the year ---


def test_the_running_year_is_the_one_after_the_last_full_one() -> None:
    _, _, end = seen(case("2021-10-20"))
    assert (end.year, end.month, end.so_far_mn) == (2021, 9, 102_500.0)
    assert end.expected.origin == 2020
    assert end.own.index.max() <= 2020  # nothing of a year that has no total


def test_in_january_the_running_year_may_be_the_last() -> None:
    _, _, end = seen(case("2021-01-10"))
    assert (end.year, end.month) == (2020, 9)


def test_before_the_first_release_the_nowcast_is_the_yearly_forecast() -> None:
    goal, levels, end = seen(case("2021-01-31"))
    assert (end.year, end.month) == (2021, 0)
    usual = outlook.look(case("2021-01-31"), goal, levels)
    assert end.quantiles() == pytest.approx(usual.fan.loc[2021].to_numpy())
    pd.testing.assert_series_equal(nowcast.chances(goal, levels, end), usual.chances)


def test_the_interval_narrows_as_the_year_goes_on() -> None:
    widths = []
    for day in ("2021-01-31", "2021-04-30", "2021-07-31", "2021-10-31", "2021-12-30"):
        low, high = seen(case(day))[2].quantiles()[[1, 5]]
        widths.append(np.log(high / low))
    assert widths == sorted(widths, reverse=True)


def test_later_releases_do_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    before = nowcast.by_release(case("2021-07-31"))
    figures = fig.load_figures()
    later = figures["known_from"] > pd.Timestamp("2021-07-31")
    changed = figures.assign(value_mn=figures["value_mn"].where(~later, figures["value_mn"] * 3))
    monkeypatch.setattr(fig, "load_figures", lambda: changed)
    pd.testing.assert_frame_equal(nowcast.by_release(case("2021-07-31")), before)
    assert (before["day"] <= pd.Timestamp("2021-07-31")).all()


def test_a_row_by_release_is_what_its_day_would_have_said() -> None:
    rows = nowcast.by_release(case("2021-12-31")).set_index("day")
    goal, levels, end = seen(case("2021-07-13"))
    row = rows.loc["2021-07-13"]
    assert row[list(FAN)].to_numpy(dtype=float) == pytest.approx(end.quantiles())
    assert row["average"] == pytest.approx(nowcast.chances(goal, levels, end)["average"])
    assert rows.index.is_monotonic_increasing and rows.index.is_unique


def test_a_january_can_end_a_goal() -> None:
    # Customs, 8 February 2015: trade in January down 36.4 % in yuan. The year then fell by 28.6 %.
    rows = nowcast.by_release(case("2015-12-31", **GOAL_2015))
    before, after = rows["average"].iloc[-2:]
    assert rows["month"].iloc[-2:].tolist() == [0, 1]
    assert 0.3 < before < 0.7 and after < 0.1
    assert rows[0.1].iloc[-1] < 68_000 < rows[0.9].iloc[-1]


# --- what it makes of the goal ---


@pytest.mark.parametrize("level_mn", [120_000.0, 135_000.0, 160_000.0])
def test_a_total_that_is_known_gives_the_forecast_from_it(level_mn: float) -> None:
    one = case("2021-10-20", goal="11 %", base_year=2020, deadline=2023)
    goal, levels, end = seen(one)
    rates = [*growth.log_growth(levels), np.log(level_mn / levels.iloc[-1])]
    model = forecast.fit(rates, end.expected.prior)
    plain = forecast.chances(goal, pd.concat([levels, pd.Series({2021: level_mn})]), model)
    expected = {name: end.expected.corrected(p, name, 2) for name, p in plain.items()}
    found = nowcast.chances(goal, levels, known_total(end, level_mn))
    for reading, p in found.items():  # "every year" is absent from the plain ones once 2021 missed its rate
        assert p == pytest.approx(expected.get(reading, 0.0), abs=2e-5)


def test_uncertainty_of_the_total_is_averaged_over_not_ignored() -> None:
    one = case("2021-04-20", goal="11 %", base_year=2020, deadline=2023)
    goal, levels, end = seen(one)
    found = nowcast.chances(goal, levels, end)
    totals = end.total.quantiles((np.arange(100) + 0.5) / 100)
    simple = [nowcast.chances(goal, levels, known_total(end, x)) for x in totals]
    for reading in ("average", "mean_of_rates", "every_year"):
        assert found[reading] == pytest.approx(np.mean([row[reading] for row in simple]), abs=0.01)


def test_more_nodes_change_no_third_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    goal, levels, end = seen(case("2021-04-20", goal="11 %", base_year=2020, deadline=2023))
    coarse = nowcast.chances(goal, levels, end)
    monkeypatch.setattr(nowcast, "_NODES", 200)
    assert nowcast.chances(goal, levels, end).to_numpy() == pytest.approx(coarse.to_numpy(), abs=5e-4)


def test_in_the_last_year_the_readings_are_chances_of_the_total() -> None:
    goal, levels, end = seen(case("2021-10-20", goal="15 %", base_year=2019, deadline=2021))
    found = nowcast.chances(goal, levels, end)
    assert found["average"] == pytest.approx(float(end.total.p_at_least(goal.target_mn)))
    needed = needed_rates(goal, levels)["needed"]["mean_of_rates"]
    level = levels.iloc[-1] * (1 + needed)
    assert found["mean_of_rates"] == pytest.approx(float(end.total.p_at_least(level)))
    assert "every_year" not in found  # 2020 fell
    assert nowcast.p_this_year(goal, end)["path"] == pytest.approx(found["average"])


def test_the_readings_keep_their_order() -> None:
    goal, levels, end = seen(case("2021-04-20", goal="11 %", base_year=2020, deadline=2023))
    found = nowcast.chances(goal, levels, end)
    assert found["every_year"] < found["average"] <= found["mean_of_rates"] + 5e-3


def test_a_goal_that_lies_behind_has_no_chances() -> None:
    goal, levels, end = seen(case("2026-11-24"))
    assert end.year == 2026 and nowcast.chances(goal, levels, end).empty
    assert nowcast.p_this_year(goal, end).isna().all()


def test_the_fan_goes_on_from_the_nowcast() -> None:
    goal, levels, end = seen(case("2021-10-20"))
    fan = nowcast.fan(levels, end, goal.deadline)
    assert fan.index.tolist() == [2020, 2021, 2022, 2023, 2024]
    assert fan.loc[2021].to_numpy() == pytest.approx(end.quantiles())
    assert (np.diff(fan.to_numpy(), axis=1)[1:] > 0).all()
    width = np.log(fan[0.9] / fan[0.1])
    assert width.is_monotonic_increasing
    p = nowcast.chances(goal, levels, end)["average"]
    assert np.interp(goal.target_mn, fan.loc[2024], FAN) == pytest.approx(1 - p, abs=0.03)


def test_a_flow_without_any_month_falls_back_on_the_yearly_forecast() -> None:
    one = GoalCase()  # Harbin, April 2014
    goal, levels, end = seen(one)
    assert (end.year, end.month) == (2014, 0) and end.part is None
    sentence = year_end.answer(one, goal, end, nowcast.chances(goal, levels, end))
    assert "nothing of 2014 known" in sentence and "2014 should end at USD 2" in sentence


def test_only_the_average_has_a_chance_where_the_year_before_is_not_known() -> None:
    one = case("2021-10-20")
    levels = one.series()["value_mn"].loc[:2019]
    end = nowcast.look(one, levels)
    assert (end.year, end.ahead) == (2021, 2)
    assert nowcast.chances(one.make_goal(), levels, end).index.tolist() == ["average"]
    assert np.isnan(nowcast.p_this_year(one.make_goal(), end)["rate"])
    assert nowcast.fan(levels, end, 2023).index.tolist() == [2019, 2021, 2022, 2023]


# --- what the notebook says ---


def test_the_answer_names_day_months_total_and_goal() -> None:
    one = case("2021-12-31")
    goal, levels, end = seen(one)
    sentence = year_end.answer(one, goal, end, nowcast.chances(goal, levels, end))
    for words in (
        "31 December 2021",
        "Jan–Nov 2021, USD 130 billion",
        "**2021 should end at USD 144 billion**",
        "2024",
    ):
        assert words in sentence
    assert "USD 147 billion" in year_end.hindsight(one, end)  # customs: 146.9


def test_tables_leave_no_missing_number_in_words() -> None:
    one = case("2021-12-31")
    _, _, end = seen(one)
    rows = nowcast.by_release(one)
    tables = [
        year_end.release_table(rows, "USD"),
        year_end.months_table(end, "USD"),
        year_end.parts_table(end, "USD"),
        year_end.error_table(),
        year_end.skill_table(),
    ]
    for table in tables:
        assert len(table) and not table.astype(str).map(lambda text: "nan" in text).any(axis=None)


def test_words_without_releases() -> None:
    one = GoalCase()
    _, _, end = seen(one)
    assert year_end.months_table(end, "USD").empty
    assert year_end.missing_in_words(end) == "No month of 2014 is known."
    assert year_end.revisions_in_words(end).startswith("No release")
    assert year_end.moved_in_words(nowcast.by_release(one), one) == "There are not two releases to compare."
    assert len(year_end.running(pd.DataFrame(), end)) == 0


def test_estimates_are_the_quantiles_and_the_chance_of_the_path() -> None:
    goal, _, end = seen(case("2021-12-31"))
    found = year_end.estimates(goal, end, "USD")
    assert [row.output_type for row in found] == ["quantile"] * len(FAN) + ["probability"]
    assert {row.period for row in found} == {2021}


def test_the_notebook_has_the_defaults_of_its_model() -> None:
    assert matrix.model_of("11_where_will_the_year_end") is cases.YearEndCase
