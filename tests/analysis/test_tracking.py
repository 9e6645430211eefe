"""What trackers would have said of a goal, each day from what that day knew, beside the forecast."""

import functools
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cells import made
from sampling import exhaustive, some

from lib import figures as fig
from lib import goals
from lib.analysis import standards, tracking
from lib.analysis.cases import TrackerCase

pytestmark = pytest.mark.usefixtures("tables_read_once")

PROVINCE = TrackerCase()
CHINA = TrackerCase(reporter="China", goal="100 USD bn", base_year=2010, deadline=2015)
FIVE = [
    "Eurostat / Open SDG",
    "UN SDG progress chart",
    "ESCAP current status",
    "SDSN trend",
    "ESCAP anticipated progress (unweighted)",
]


@functools.cache
def read(case: TrackerCase) -> pd.DataFrame:
    return tracking.year_by_year(case)


def hopeful(found: pd.DataFrame, deadline: int) -> dict[str, Any]:
    """What notebook 06 says of the most hopeful day."""
    return made("06", "called", "hope", found=found, deadline=deadline)


def on(found: pd.DataFrame, day: date) -> pd.DataFrame:
    return found[found["day"] == day].set_index("who")


def forecasters(rows: pd.DataFrame) -> pd.Series:
    return rows["on_track"].drop(["probability", "ESCAP current status"])


def verdicts(case: TrackerCase) -> list[goals.Verdict]:
    return goals.judge(case.make_goal(), case.series()["value_mn"], case.as_of_time)


# --- the province's goal of 2006: 14 billion dollars in 2010, from 5.68 in 2005 ---


@pytest.mark.parametrize(
    ("day", "year", "level"), [(date(2008, 12, 31), 2007, 10_730), (date(2009, 12, 31), 2008, 11_060)]
)
def test_two_years_before_its_miss_all_four_trackers_called_the_goal_on_track(day, year, level):
    rows = on(read(PROVINCE), day)
    assert set(rows["latest_year"]) == {year} and set(rows["latest_mn"]) == {level}
    assert forecasters(rows).to_list() == [True] * 4


def test_the_goal_was_missed_by_half():
    outcome = verdicts(PROVINCE)[0]
    assert (outcome.reading, outcome.outcome) == ("average", "missed")
    goal, levels = PROVINCE.make_goal(), PROVINCE.series()["value_mn"]
    assert (levels[2010], goal.target_mn) == (7_470, pytest.approx(14_000))


def test_the_readings_are_those_of_the_published_formulas():
    """By hand, from base 5.68 (2005) to 10.73 (2007) with 14 asked in 2010."""
    rows = on(read(PROVINCE), date(2008, 12, 31))["value"]
    base, latest, target = PROVINCE.make_goal().base_mn, 10_730, 14_000
    actual, asked = (latest / base) ** (1 / 2) - 1, (target / base) ** (1 / 5) - 1
    assert rows["Eurostat / Open SDG"] == pytest.approx(actual / asked)
    assert rows["UN SDG progress chart"] == pytest.approx(
        (latest * (1 + actual) ** 3 - base) / (target - base)
    )
    assert rows["ESCAP current status"] == pytest.approx(10 * (latest - base) / (target - base))
    assert rows["SDSN trend"] == pytest.approx((latest - base) / 2 / ((target - base) / 5))
    assert rows["ESCAP anticipated progress (unweighted)"] == 0


def test_the_last_day_before_the_outcome_saw_the_fall():
    rows = on(read(PROVINCE), date(2010, 12, 31))
    assert rows["latest_mn"].iloc[0] == 5_580
    assert not forecasters(rows).any()
    assert rows.loc["probability", "value"] < 0.1


def test_the_most_hopeful_day_counts_only_those_that_forecast():
    hope = hopeful(read(PROVINCE), PROVINCE.deadline)
    assert (hope["day"], hope["year"], hope["on_track"], hope["trackers"]) == (date(2009, 12, 31), 2008, 4, 4)
    assert hope["p"] == on(read(PROVINCE), date(2009, 12, 31)).loc["probability", "value"]
    assert hope["kind"] == "given"


# --- which days ---


def test_a_reading_knows_the_years_before_its_day_only():
    found = read(PROVINCE)
    assert found["day"].is_monotonic_increasing
    assert (found["latest_year"] < found["day"].map(lambda day: day.year)).all()
    assert found.groupby("day")["who"].apply(list).map(lambda who: who == [*FIVE, "probability"]).all()


def test_days_on_which_the_base_was_not_known_are_absent():
    """The level of 2010 was published early in 2011, that of 2011 in 2012: 2011 had nothing to compare."""
    assert read(CHINA)["day"].unique().tolist() == [date(year, 12, 31) for year in range(2012, 2016)]
    late = TrackerCase(reporter="Harbin", goal="25 %", base_year=2012, deadline=2015)
    assert read(late)["day"].min() == date(
        2014, 12, 31
    )  # base and first year came in one text, in April 2014


def test_a_goal_that_is_running_is_read_also_on_the_day_of_the_case():
    case = TrackerCase(reporter="China", goal="25 %", base_year=2024, deadline=2028)
    assert tracking._reading_days(case) == [date(2025, 12, 31), date(2026, 11, 24)]
    found = read(case)
    assert set(found["day"]) == {date(2026, 11, 24)} and set(found["latest_year"]) == {2025}
    assert verdicts(case)[0].outcome == "open"
    hope = hopeful(found, case.deadline)
    assert (hope["day"], hope["year"], hope["on_track"]) == (date(2026, 11, 24), 2025, 0)


def test_reading_days_end_with_the_deadline_or_the_day():
    assert tracking._reading_days(PROVINCE) == [date(year, 12, 31) for year in range(2006, 2011)]
    early = PROVINCE.model_copy(update={"as_of": date(2008, 12, 31)})
    assert tracking._reading_days(early) == [date(year, 12, 31) for year in range(2006, 2009)]
    before = PROVINCE.model_copy(update={"as_of": date(2005, 6, 30)})
    assert tracking._reading_days(before) == []


def test_nothing_to_read_gives_empty_tables_and_says_so():
    case = TrackerCase(reporter="China", goal="25 %", base_year=2025, deadline=2028)
    found = read(case)
    assert found.empty
    assert hopeful(found, case.deadline) == {}


# --- only what was known ---


@pytest.mark.parametrize("case", [PROVINCE, CHINA], ids=["province", "country"])
def test_nothing_published_later_changes_what_was_said_on_a_day(case, monkeypatch):
    figures, before = fig.load_figures(), read(case)
    day = before["day"].unique()[1]
    later = figures["known_from"] > pd.Timestamp(day)
    wrong = figures.assign(
        value_mn=figures["value_mn"].where(~later, figures["value_mn"] * 7 + 1),
        yoy_pct=figures["yoy_pct"].where(~later, 400.0),
    )
    monkeypatch.setattr(fig, "load_figures", lambda: wrong)
    after = tracking.year_by_year(case)
    until = before["day"] <= day
    pd.testing.assert_frame_equal(after[after["day"] <= day], before[until])
    known_only_later = after[after["day"] > day].merge(before, on=["day", "who"])
    assert (known_only_later["value_x"] != known_only_later["value_y"]).any()  # the corruption is at work


def test_a_day_does_not_depend_on_the_day_of_the_case():
    early = PROVINCE.model_copy(update={"as_of": date(2008, 12, 31)})
    whole = read(PROVINCE)
    same = whole[whole["day"] <= early.as_of].reset_index(drop=True)
    pd.testing.assert_frame_equal(read(early), same)


# --- tables and pictures ---


def test_the_grid_holds_classes_and_what_they_mean():
    trackers = read(PROVINCE).query("who != 'probability'")
    classes, marks = (
        trackers.pivot(index="who", columns="day", values=name) for name in ("progress_class", "on_track")
    )
    marks = marks.astype("Float64").astype(float)
    assert set(classes.index) == set(FIVE)
    assert classes.notna().all(axis=None)
    assert marks.loc["ESCAP current status"].isna().all()
    assert set(np.unique(marks.drop("ESCAP current status"))) == {0.0, 1.0}
    known = {name for cuts in (standards.EUROSTAT_CLASSES, standards.UN_CLASSES) for _, name in cuts}
    assert set(classes.loc[FIVE[:2]].to_numpy().ravel()) <= known


def test_each_day_has_its_latest_level():
    rows = read(PROVINCE).query("who == 'Eurostat / Open SDG'")
    assert rows["latest_year"].to_list() == [2006, 2007, 2008, 2009]
    assert rows["latest_mn"].to_list() == [6690, 10_730, 11_060, 5580]
    assert rows["value"].iloc[1] == pytest.approx(1.89, abs=0.005)


def test_a_goal_that_is_met_already_is_counted_without_the_status_index():
    case = CHINA.model_copy(update={"goal": "-5 %"})
    found = read(case)
    assert on(found, date(2012, 12, 31)).loc["ESCAP current status", "progress_class"] == standards.MET
    hope = hopeful(found, case.deadline)
    assert (hope["on_track"], hope["trackers"]) == (4, 4)


def test_a_decided_reading_is_a_verdict_and_not_a_chance():
    """Every year at +25 %: 2012 ended at +10 %, so from the end of 2013 the record says missed."""
    case = CHINA.model_copy(update={"goal": "25 %", "reading": "every_year"})
    table = read(case).query("who == 'probability'").set_index("latest_year")
    assert 0 < table.loc[2011, "value"] < 1 and table.loc[2011, "progress_class"] == "open"
    assert table.loc[2012:, "progress_class"].to_list() == ["missed"] * 3


def test_a_reading_that_needs_unknown_years_has_a_probability_until_figures_decide_it():
    """China's exports of 2011 and 2012 are not on record: the law fills them, until a fall seen later decides."""
    case = TrackerCase(
        reporter="China", flow="export", goal="0 %", base_year=2010, deadline=2018, reading="every_year"
    )
    found = read(case)
    odds = found[found["who"] == "probability"].set_index("day")["value"]
    assert 0 < odds.iloc[0] < 1 and (odds.iloc[1:] == 0).all()


@exhaustive
def test_every_named_case_can_be_told(committed_runs, subtests):
    runs = [run for run in committed_runs if run.notebook == "06_what_would_the_trackers_have_said"]
    assert runs
    for run in some(runs, 4):
        with subtests.test(run.slug):
            case = TrackerCase.check(run.parameters)
            found = read(case)
            assert not found.empty
            assert found.loc[found["who"] == "probability", "value"].between(0, 1).all()
            assert hopeful(found, case.deadline)
