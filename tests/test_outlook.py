"""The forecast of a case: only what was known on the day, from the flow itself to its larger relations."""

import os
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from lib import figures as fig
from lib import forecast, goals, growth, outlook, past_errors, reference, words
from lib.analysis import answers, robustness
from lib.cases import FlowCase, GoalCase, TrendCase
from lib.errors import UserError
from lib.forecast import FAN
from lib.package import DATA_ENV, data_dir

pytestmark = pytest.mark.usefixtures("tables_read_once")

HARBIN = GoalCase()
CHINA_2012 = GoalCase(
    reporter="China", goal="100 USD bn", base_year=2010, deadline=2015, as_of=date(2012, 12, 31)
)
HEILONGJIANG_2008 = GoalCase(
    reporter="Heilongjiang", goal="14 USD bn", base_year=2005, deadline=2010, as_of=date(2008, 12, 31)
)


def view_of(case: GoalCase) -> outlook.Outlook:
    return outlook.look(case, case.make_goal(), case.series()["value_mn"])


# --- the outlook ---


def test_harbin_leans_on_the_reference_class_of_its_size_and_time():
    view = view_of(HARBIN)
    assert view.last == 2013
    assert view.rates.dropna().to_list() == pytest.approx([np.log(1.5)])
    assert 0 < float(view.expected.model.own_share) < 0.1
    shares = view.expected.shares
    assert shares["source"].to_list() == ["own figures", "Heilongjiang", "China", "reference class"]
    assert shares["share"].sum() == pytest.approx(1) and (shares["share"] > 0).all()
    assert shares["contribution"].sum() == pytest.approx(float(view.expected.model.mean))
    assert view.fan.index.to_list() == [2013, 2014, 2015]
    assert view.fan.columns.to_list() == list(FAN)
    assert (view.fan.loc[2013] == 230).all()


def test_larger_flows_move_the_drift_of_the_class_and_nothing_else():
    prior, own_class = view_of(HARBIN).expected.prior, reference.prior_for(230e6, 2013)
    assert prior.drift > own_class.drift  # both had grown faster than flows of their size
    assert replace(prior, drift=own_class.drift, source=own_class.source) == own_class
    assert "Heilongjiang, China" in prior.source


def test_the_fan_and_the_chances_are_one_forecast():
    """The chance of reaching a quantile of the fan is what the quantile leaves above it."""
    for case in (HARBIN, CHINA_2012, HEILONGJIANG_2008):
        expected, fan = view_of(case).expected, view_of(case).fan
        for year, row in fan.iloc[1:].iterrows():
            years = int(year) - expected.origin
            needed = np.log(row.to_numpy() / expected.level_mn)
            odds = [float(p) for p in forecast.p_reach(expected.model, needed, years)]
            above = [expected.corrected(p, "average", years) for p in odds]
            assert above == pytest.approx([1 - q for q in FAN], abs=1e-9)


def test_the_forecast_is_that_of_the_parts():
    goal, levels = CHINA_2012.make_goal(), CHINA_2012.series()["value_mn"]
    view = outlook.look(CHINA_2012, goal, levels)
    rates = growth.log_growth(levels.loc[:2015])
    model = forecast.fit(rates, reference.prior_for(levels.iloc[-1] * 1e6, int(levels.index[-1])))
    last, size = int(levels.index[-1]), levels.iloc[-1] * 1e6
    odds = forecast.p_reach(model, np.log(100_000 / levels.iloc[-1]), 2015 - last)
    corrected = past_errors.recalibrate(odds, "average", 2015 - last, last, size)
    assert view.chances["average"] == pytest.approx(float(corrected))
    assert view.chances["average"] != pytest.approx(float(odds), abs=1e-4)


def test_a_goal_that_is_over_has_no_fan_and_no_estimates():
    case = CHINA_2012.model_copy(update={"as_of": fig.UNDATED_KNOWN_FROM})
    view = view_of(case)
    assert view.fan is None and view.chances.empty and view.estimates("USD") == []


def test_estimates_are_the_fan_after_its_known_start():
    view = view_of(HARBIN)
    rows = view.estimates("USD")
    assert len(rows) == 2 * len(FAN)
    assert {row.period for row in rows} == {2014, 2015} and {row.unit for row in rows} == {"USD mn"}
    middle = next(row for row in rows if (row.period, row.output_type_id) == (2015, 0.5))
    assert middle.value == view.fan.loc[2015, 0.5]


@pytest.mark.parametrize("goal", ["1000000 %", "999999999 %", "-99 %", "25 %"])
@pytest.mark.parametrize("case", [HARBIN, CHINA_2012])
def test_no_chance_is_certain_however_wild_the_goal(case, goal):
    odds = view_of(case.model_copy(update={"goal": goal})).chances
    assert len(odds) >= 2
    assert odds.between(outlook.SUREST, 1 - outlook.SUREST).all()


def test_a_case_in_yuan_takes_the_class_of_its_size_in_dollars():
    case = HARBIN.model_copy(update={"currency": "CNY"})
    own, other = view_of(case).expected, view_of(HARBIN).expected
    assert own.size_usd == pytest.approx(other.size_usd, rel=0.01)
    assert replace(own.prior, drift=0.0) == replace(other.prior, drift=0.0)
    assert view_of(case).chances["average"] == pytest.approx(view_of(HARBIN).chances["average"], abs=0.03)


# --- only what was known ---


READ_FIGURES = fig.load_figures  # as it is before any test replaces it
SPOILT = {"value_mn": 1e9, "value": 1e9, "yoy_pct": 900.0}


def told(case: GoalCase) -> list[object]:
    """All that is said of a case on its day."""
    series, goal = case.series(), case.make_goal()
    levels = series["value_mn"]
    verdicts = goals.judge(goal, levels, case.as_of_time)
    view = outlook.look(case, goal, levels)
    past = robustness.hindcasts(case, goal, view)
    return [
        series.to_csv(),
        verdicts,
        view.chances.to_dict(),
        view.expected.prior,
        view.expected.shares.to_csv(),
        "" if view.fan is None else view.fan.to_csv(),
        goals.needed_rates(goal, levels).to_csv(),
        goals.progress(goal, levels, case.as_of_time).to_csv(),
        robustness.sensitivity(case, goal, levels).to_csv(),
        {name: frame.to_csv() for name, frame in past.items()},
        answers.could_have_known(case, verdicts, view.chances),
        answers.fan_in_words(goal, levels, view.fan),
        answers.source_line(case.vintage(), series),
    ]


@pytest.mark.parametrize(
    "case",
    [
        HARBIN,
        HARBIN.model_copy(update={"currency": "CNY"}),
        CHINA_2012,
        HEILONGJIANG_2008,
        CHINA_2012.model_copy(update={"as_of": date(2016, 6, 30)}),
    ],
)
def test_nothing_published_later_changes_what_is_said_on_the_day(case, monkeypatch):
    clean = told(case)
    figures, covariates = fig.load_figures(), fig.load_covariates()
    later = figures["known_from"] > case.as_of_time
    assert later.any()
    spoilt = figures.assign(
        **{name: figures[name].mask(later, value) for name, value in SPOILT.items()},
        level_usable=figures["level_usable"] | later,
        growth_usable=figures["growth_usable"] | later,
    )
    future = covariates["year"] >= case.as_of.year
    monkeypatch.setattr(fig, "load_figures", lambda: spoilt)
    monkeypatch.setattr(
        fig, "load_covariates", lambda: covariates.assign(value=covariates["value"].mask(future, 1e6))
    )
    assert told(case) == clean


def test_nor_does_it_when_the_files_themselves_are_changed(tmp_path, monkeypatch):
    """The whole chain from a folder of tables in which every later number of money is another."""
    clean = told(HARBIN)
    monkeypatch.undo()
    folder = tmp_path / "data"
    shutil.copytree(data_dir(), folder)
    rows = pd.read_csv(folder / "figures.csv", dtype=str, keep_default_na=False)
    later = (fig.load_figures()["known_from"] > HARBIN.as_of_time).to_numpy()
    rows.loc[later & (rows["value"] != ""), "value"] = "777"
    rows.loc[later & (rows["yoy_pct"] != ""), "yoy_pct"] = "77.7"
    (folder / "figures.csv").write_text(rows.to_csv(index=False), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, DATA_ENV, str(folder))
        patch.setattr(fig, "load_figures", READ_FIGURES)
        assert (fig.load_figures()["value"] == 777).sum() > 300
        assert told(HARBIN) == clean


# --- larger flows ---


def test_a_city_belongs_to_a_province_and_that_to_the_country():
    assert [larger.reporter for larger in outlook.lineage(FlowCase())] == ["Heilongjiang", "China"]
    assert outlook.lineage(FlowCase(reporter="China")) == []
    assert outlook.lineage(FlowCase(reporter="Harbin parcels to Russia", flow="export")) == []


def test_a_larger_flow_counts_only_once_it_was_on_record():
    early = GoalCase(reporter="Heilongjiang", as_of=date(2006, 1, 31), base_year=2005, deadline=2010)
    for larger in outlook.lineage(early):
        assert not larger.vintage().empty
    none_yet = fig.load_figures().query("reporter != 'China' or known_from > '2006-01-31'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fig, "load_figures", lambda: none_yet)
        assert outlook.lineage(early) == []
        assert [m.reporter for m in outlook.lineage(early.today())] == ["China"]


def test_at_the_pace_of_the_larger_flows():
    today = HARBIN.today()
    goal = HARBIN.make_goal()
    pace = outlook.at_parents_pace(today, goal, today.series()["value_mn"])
    assert list(pace.index) == ["Heilongjiang", "China"]
    china = FlowCase(reporter="China")
    levels = GoalCase(**china.model_dump(), base_year=2012, deadline=2015).series()["value_mn"]
    change = levels[2015] / levels[2013] - 1
    assert pace.loc["China", "parent_growth"] == pytest.approx(change)
    assert pace.loc["China", "level_mn"] == pytest.approx(230 * (1 + change))
    assert pace.loc["China", "target_mn"] == pytest.approx(299.48, abs=0.005)
    assert pace.loc["China", "missing"] == ""


def test_a_larger_flow_with_a_year_missing_has_no_pace_and_names_the_year():
    goal = HARBIN.make_goal()
    levels = pd.Series({2012: 153.3, 2014: 200.0})
    holed = fig.load_figures().query("not (reporter == 'China' and period_end >= '2014-01-01')")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fig, "load_figures", lambda: holed)
        row = outlook.at_parents_pace(HARBIN, goal, levels).loc["China"]
    assert np.isnan(row["parent_growth"]) and np.isnan(row["level_mn"])
    assert row["missing"] == "2014 and 2015"


# --- tables ---


def test_shares_of_drift_and_variance():
    view = view_of(CHINA_2012)
    table = robustness.shares(view).set_index("comes from")
    n, df = int(view.rates.notna().sum()), view.expected.prior.df
    assert table.loc["own figures", "share of the variance"] == words.percent((n - 1) / (df + n - 1))
    assert table.loc["own figures", "share of the drift"] == words.percent(view.expected.model.own_share)
    assert not table.isin(["0 %", "100 %"]).any(axis=None)


def test_sensitivity_starts_from_the_odds_that_are_shown_and_covers_short_and_long_records():
    for case, alone in ((HARBIN, False), (CHINA_2012, True)):
        table = robustness.sensitivity(case, case.make_goal(), case.series()["value_mn"]).set_index(
            "assumption"
        )
        shown = view_of(case).chances
        assert table.loc["as above", "on average"] == words.percent(shown["average"])
        assert ("the flow's own record alone" in table.index) == alone
        assert table.notna().all(axis=None) and not table.isin(["0 %", "100 %"]).any(axis=None)


def test_sensitivity_marks_decided_readings():
    case = HEILONGJIANG_2008.model_copy(update={"as_of": fig.UNDATED_KNOWN_FROM})
    levels = case.series()["value_mn"].loc[:2009]  # 2009 fell, the level of 2010 is left out
    table = robustness.sensitivity(case, case.make_goal(), levels)
    assert (table["every year"] == "–").all() and (table["on average"] != "–").all()


def test_hindcasts_use_the_years_up_to_the_origin_and_score_what_followed():
    case = CHINA_2012
    goal, levels = case.make_goal(), case.series()["value_mn"]
    view = outlook.look(case, goal, levels)
    years = 2015 - view.last
    found = robustness.hindcasts(case, goal, view)["China"]
    for origin, row in found.iterrows():
        assert row["met"] == (
            levels[origin + years] >= levels[origin] * (1 + goal.rate) ** years * (1 - 1e-9)
        )
        before = levels.loc[:origin]
        model = forecast.fit(growth.log_growth(before), reference.prior_for(before.iloc[-1] * 1e6, origin))
        odds = forecast.p_reach(model, years * np.log1p(goal.rate), years)
        corrected = past_errors.recalibrate(odds, "average", years, origin, before.iloc[-1] * 1e6)
        assert row["probability"] == pytest.approx(float(corrected))
    table = robustness.hindcast_table({"China": found})
    assert table.loc[0, "came true"] == f"{found['met'].sum()} of {len(found)}"


def test_flows_too_short_for_a_hindcast_are_left_out():
    past = robustness.hindcasts(HARBIN, HARBIN.make_goal(), view_of(HARBIN))
    assert "Harbin" not in past and "China" in past
    assert robustness.hindcast_table({}).empty


# --- every flow ---


def test_every_flow_has_an_outlook_or_a_clear_reason():
    worked = 0
    for flow in fig.load_figures()[["reporter", "partner", "flow"]].drop_duplicates().to_dict("records"):
        for currency in ("USD", "CNY") if flow["flow"] == "total" else ("USD",):
            values = {**flow, "currency": currency, "as_of": fig.UNDATED_KNOWN_FROM}
            try:
                last = int(TrendCase.check(values).series().index[-1])
            except UserError as error:
                assert "no level of a full year was known" in str(error)
                continue
            view = view_of(GoalCase.check({**values, "base_year": last, "deadline": last + 3}))
            assert list(view.chances.index) == list(goals.READINGS)
            assert np.isfinite(view.fan.to_numpy()).all() and (view.fan > 0).all(axis=None)
            worked += 1
    assert worked >= 5
