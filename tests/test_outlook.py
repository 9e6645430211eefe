"""The answer to a goal: only what was known on the day, one law for every number, every flow."""

import os
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st
from sampling import dear, exhaustive, some
from simulation import simulated

from lib import evidence, goals, outlook, reference
from lib import figures as fig
from lib import law as laws
from lib.cases import FlowCase, GoalCase, TrendCase
from lib.errors import UserError
from lib.evidence import LARGER, LATER, MIRROR, PIECES, YEAR_SO_FAR
from lib.law import FAN
from lib.package import DATA_ENV, data_dir

pytestmark = pytest.mark.usefixtures("tables_read_once")

TODAY = fig.UNDATED_KNOWN_FROM
HARBIN = GoalCase()
HARBIN_TODAY = GoalCase(as_of=TODAY)
CHINA_2012 = GoalCase(
    reporter="China", goal="100 USD bn", base_year=2010, deadline=2015, as_of=date(2012, 12, 31)
)
CHINA_2021 = GoalCase(
    reporter="China", goal="200 USD bn", base_year=2018, deadline=2024, as_of=date(2021, 12, 31)
)
HEILONGJIANG_2008 = GoalCase(
    reporter="Heilongjiang", goal="14 USD bn", base_year=2005, deadline=2010, as_of=date(2008, 12, 31)
)
RUSSIA = GoalCase(reporter="Russia", partner="China", goal="10 %", base_year=2010, as_of=TODAY)
CASES = [HARBIN, HARBIN_TODAY, CHINA_2012, CHINA_2021, HEILONGJIANG_2008, RUSSIA]


# --- the answer ---


def test_harbin_leans_on_the_reference_class_of_its_size_and_time():
    answer = outlook.of(HARBIN)
    assert answer.last == 2013 and answer.kind == "forecast" and not answer.evidence
    shares = answer.expected.shares
    assert shares["source"].to_list() == ["own figures", "Heilongjiang", "China", "reference class"]
    assert shares["share"].sum() == pytest.approx(1) and (shares["share"] > 0).all()
    assert 0 < shares["share"].iloc[0] < 0.1
    assert (shares["share"] * shares["drift"]).sum() == pytest.approx(float(answer.expected.posterior.mean))
    assert answer.fan.index.to_list() == [2013, 2014, 2015]
    assert answer.fan.columns.to_list() == list(FAN)
    assert (answer.fan.loc[2013] == 230).all()


def test_nothing_is_needed_once_the_deadline_is_over():
    assert outlook.of(HARBIN).needed["needed"].notna().all()
    answer = outlook.of(HARBIN_TODAY)
    assert answer.kind == "inferred" and answer.needed["needed"].isna().all()
    assert not answer.needed["years_left"].any()


def test_a_reference_class_that_ends_years_before_the_forecast_begins_is_told():
    ahead = {"goal": "300 USD bn", "base_year": 2022, "deadline": 2030, "as_of": TODAY}
    answer = outlook.of(CHINA_2021.model_copy(update=ahead))
    assert answer.expected.origin == 2025
    assert answer.warning.startswith("The reference class ends in 2020, 5 years before the last figure used")
    assert "2020" in answer.expected.prior.source
    assert [outlook.of(case).warning for case in (HARBIN, HARBIN_TODAY, CHINA_2021)] == ["", "", ""]


@pytest.mark.parametrize(
    ("goal", "chance", "told"),
    [
        ("5000 %", 0.0, outlook.OUT_OF_REACH),
        ("-95 %", 1.0, outlook.NEXT_TO_NOTHING),
        ("900000 USD bn", 0.0, outlook.OUT_OF_REACH),
    ],
)
def test_an_absurd_goal_has_a_probability_of_0_or_1_to_three_digits_and_a_sentence(goal, chance, told):
    answer = outlook.of(HARBIN.model_copy(update={"goal": goal}))
    assert answer.chances["average"] == pytest.approx(chance, abs=5e-4) and 0 < answer.chances["average"] < 1
    assert told in answer.warning


def test_larger_flows_move_the_drift_of_the_class_and_nothing_else():
    known = reference.last_released(HARBIN.as_of, False)
    prior, own_class = outlook.of(HARBIN).expected.prior, laws.drawn(reference.prior_for(230e6, known))
    assert prior.drift > own_class.drift  # both had grown faster than flows of their size
    assert replace(prior, drift=own_class.drift, source=own_class.source) == own_class
    assert "Heilongjiang, China" in prior.source


@pytest.mark.parametrize("case", CASES)
def test_the_fan_and_the_chances_are_one_law(case):
    """The share of outcomes below a quantile of the fan is its probability; the goal's chance is read off the same law."""
    answer = outlook.of(case)
    for year, row in answer.fan.iterrows():
        if year not in answer.levels.index:
            assert laws.p_below(answer.law, int(year), row.to_numpy()) == pytest.approx(FAN, abs=1e-6)
    target = answer.goal.target_mn
    above = 1 - float(laws.p_below(answer.law, answer.goal.deadline, target))
    assert answer.chances["average"] == pytest.approx(max(above, outlook.SUREST), abs=1e-9)


CHINA_2030 = GoalCase(reporter="China", goal="300 USD bn", base_year=2022, deadline=2030, as_of=TODAY)


@exhaustive
@pytest.mark.parametrize("case", some([HARBIN, HARBIN_TODAY, HEILONGJIANG_2008, CHINA_2012, CHINA_2030], 2))
def test_chances_agree_with_simulated_paths(case):
    """Five cases of notebooks/runs.yml, with evidence of every kind that their days had."""
    answer = outlook.of(case)
    expected = simulated(answer.law, answer.goal, answer.levels)[answer.chances.index]
    assert answer.chances.to_numpy() == pytest.approx(expected.to_numpy(), abs=0.002)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("without", [(), PIECES])
def test_readings_keep_their_order(case, without):
    odds = outlook.of(case, without).chances
    if "every_year" in odds:
        assert odds["every_year"] <= odds["average"]
    assert odds["average"] <= odds["mean_of_rates"]


@dear
@given(st.integers(-30, 60), st.integers(1, 12), st.sets(st.sampled_from(PIECES)))
def test_readings_keep_their_order_for_any_goal(percent, years, without):
    case = HARBIN_TODAY.model_copy(update={"goal": f"{percent} %", "deadline": 2012 + years})
    odds = outlook.of(case, without).chances
    if len(odds) == 3:
        assert odds["every_year"] <= odds["average"] <= odds["mean_of_rates"]


@pytest.mark.parametrize("case", CASES)
def test_without_all_evidence_it_is_the_forecast_of_the_own_levels(case):
    """That is the law of the growth rates up to the last level before the deadline, and nothing else."""
    found = outlook.of(case, PIECES)
    goal, before = case.make_goal(), case.series()["value_mn"].loc[: case.deadline]
    expected = outlook.expect(case, before)
    law = laws.from_posterior(
        expected.posterior, expected.origin, expected.level_mn, goal.deadline - expected.origin
    )
    plain = laws.p_reach(
        expected.posterior, np.log(goal.target_mn / expected.level_mn), goal.deadline - expected.origin
    )
    assert not found.evidence and found.inferred is None
    assert found.chances["average"] == pytest.approx(float(plain), abs=1e-6)
    assert found.chances["average"] == pytest.approx(laws.chances(law, goal, before)["average"], abs=1e-9)


def test_kinds_by_day():
    for day, kind in {
        date(2014, 4, 15): "forecast",
        date(2014, 12, 31): "forecast",
        date(2015, 1, 1): "nowcast",
        date(2015, 12, 31): "nowcast",
        date(2016, 1, 1): "inferred",
        TODAY: "inferred",
    }.items():
        assert outlook.of(HARBIN.model_copy(update={"as_of": day})).kind == kind


def test_months_that_were_known_count():
    """US$14 billion by 2010, seen from the end of 2008: the first eight months had fallen by 15.4 %."""
    case = HEILONGJIANG_2008.model_copy(update={"base_year": 2007})
    answer = outlook.of(case)
    assert answer.evidence == {YEAR_SO_FAR: "Heilongjiang, 2008 to month 8"}
    assert answer.chances["average"] < 0.3 < 0.7 < outlook.of(case, {YEAR_SO_FAR}).chances["average"]


def test_what_the_day_knew_is_named():
    assert outlook.of(HARBIN_TODAY).evidence == {LARGER: "China 2014–2015", LATER: "Harbin 2023"}
    assert outlook.of(RUSSIA).evidence[MIRROR] == "China's figures of 2011–2015"
    assert "Heilongjiang" not in str(outlook.of(HARBIN_TODAY, {"Heilongjiang"}).inferred.chain.links)
    with pytest.raises(UserError, match="without: found weather, expected some of larger flows"):
        outlook.of(HARBIN, {"weather"})


def test_larger_flows_that_end_before_known_years_leave_these_known():
    """The country's levels to 2012 alone, the province's to 2014 and 2016: nothing that is known is moved."""
    case = GoalCase(reporter="Heilongjiang", goal="5 %", base_year=2010, deadline=2016, as_of=TODAY)
    read = GoalCase.series

    def cut(one, *args):
        rows = read(one, *args)
        return rows.loc[:2012] if one.reporter == "China" else rows.drop(index=[2012, 2016])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GoalCase, "series", cut)
        answer = outlook.of(case)
    assert answer.evidence[LARGER] == "China 2012"
    assert answer.law.years == (2012, 2015, 2016)
    assert (answer.fan.loc[2014] == answer.levels[2014]).all()


def test_a_goal_that_is_over_has_no_law_and_no_estimates():
    answer = outlook.of(CHINA_2012.model_copy(update={"as_of": TODAY}))
    assert answer.fan is None and answer.law is None and answer.chances.empty and answer.estimates() == []
    assert outlook.of(HARBIN_TODAY.model_copy(update={"deadline": 2013})).law is None


def test_estimates_are_the_fan_after_its_known_start():
    answer = outlook.of(HARBIN)
    rows = answer.estimates()
    assert len(rows) == 2 * len(FAN)
    assert {row.period for row in rows} == {2014, 2015} and {row.unit for row in rows} == {"USD mn"}
    middle = next(row for row in rows if (row.period, row.output_type_id) == (2015, 0.5))
    assert middle.value == answer.fan.loc[2015, 0.5]


@pytest.mark.parametrize("goal", ["1000000 %", "999999999 %", "-99 %", "25 %"])
@pytest.mark.parametrize("case", [HARBIN, CHINA_2012, HARBIN_TODAY])
def test_no_chance_is_certain_however_wild_the_goal(case, goal):
    odds = outlook.of(case.model_copy(update={"goal": goal})).chances
    assert len(odds) >= 2
    assert odds.between(outlook.SUREST, 1 - outlook.SUREST).all()


def test_a_case_in_yuan_takes_the_class_of_its_size_in_dollars():
    case = HARBIN.model_copy(update={"currency": "CNY"})
    own, other = outlook.of(case), outlook.of(HARBIN)
    assert own.expected.size_usd == pytest.approx(other.expected.size_usd, rel=0.01)
    assert replace(own.expected.prior, drift=0.0) == replace(other.expected.prior, drift=0.0)
    assert own.chances["average"] == pytest.approx(other.chances["average"], abs=0.03)


def test_a_year_so_far_that_contradicts_the_record_widens_the_law():
    """The first months of a year ten times as large as any year before: an answer, and no narrow one."""
    found = evidence.year_so_far(CHINA_2021, CHINA_2021.series()["value_mn"], [2021], 1e11)
    law = outlook.of(CHINA_2021, PIECES).law
    off = replace(found, levels=found.levels + np.log(10))
    usual, moved = found.given(law), off.given(law)
    for year in law.years:
        assert np.isfinite(laws.quantiles(moved, year)).all()
    width = [np.log(np.divide(*laws.quantiles(one, 2024, [0.9, 0.1]))) for one in (usual, moved)]
    assert width[1] > width[0]


# --- only what was known ---


READ_FIGURES = fig.load_figures  # as it is before any test replaces it
SPOILT = {"value_mn": 1e9, "value": 1e9, "yoy_pct": 900.0}


def told(case: GoalCase) -> list[object]:
    """All that is said of a case on its day."""
    series, answer = case.series(), outlook.of(case)
    goal, levels = answer.goal, answer.levels
    return [
        series.to_csv(),
        answer.verdicts,
        answer.chances.to_dict(),
        dict(answer.evidence),
        answer.expected and answer.expected.prior,
        answer.expected and answer.expected.shares.to_csv(),
        "" if answer.fan is None else answer.fan.to_csv(),
        answer.steps().to_csv(),
        answer.needed.to_csv(),
        goals.progress(goal, levels, case.as_of_time).to_csv(),
    ]


DAYS = [
    HARBIN,
    HARBIN.model_copy(update={"currency": "CNY"}),
    HARBIN.model_copy(update={"as_of": date(2018, 6, 30)}),
    CHINA_2012,
    CHINA_2021,
    HEILONGJIANG_2008,
    RUSSIA.model_copy(update={"as_of": date(2016, 6, 30)}),
    CHINA_2012.model_copy(update={"as_of": date(2016, 6, 30)}),
]


@exhaustive
@pytest.mark.parametrize("case", some(DAYS, 2))
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
    levels = today.series()["value_mn"]
    paces = made("00", "paces", today=today, target=goal, levels_today=levels, deadline=2015)
    pace = pd.DataFrame(paces).set_index("larger flow")
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
        given = {"today": HARBIN.today(), "levels_today": levels}
        paces = made("00", "paces", target=goal, deadline=2015, **given)
    row = pd.DataFrame(paces).set_index("larger flow").loc["China"]
    assert np.isnan(row["parent_growth"]) and np.isnan(row["level_mn"])
    assert row["missing"] == "2014 and 2015"


# --- every flow ---


@exhaustive
def test_every_flow_has_an_answer_or_a_clear_reason():
    worked = 0
    flows = fig.load_figures()[["reporter", "partner", "flow"]].drop_duplicates().to_dict("records")
    for flow in some(flows, 4):
        for currency in ("USD", "CNY") if flow["flow"] == "total" else ("USD",):
            values = {**flow, "currency": currency, "as_of": TODAY}
            try:
                last = int(TrendCase.check(values).series().index[-1])
            except UserError as error:
                assert "no level of a full year was known" in str(error)
                continue
            answer = outlook.of(GoalCase.check({**values, "base_year": last, "deadline": last + 3}))
            assert list(answer.chances.index) == list(goals.READINGS)
            assert np.isfinite(answer.fan.to_numpy()).all() and (answer.fan > 0).all(axis=None)
            worked += 1
    assert worked >= 5


@pytest.mark.parametrize("base", [2000, 2004, 2010, 2014])
@pytest.mark.parametrize("deadline", [2012, 2016, 2024, 2027])
def test_gaps_inside_the_years_of_a_goal_are_no_obstacle(base, deadline):
    for reporter in ("Heilongjiang", "China"):
        case = GoalCase(reporter=reporter, base_year=base, deadline=deadline, goal="5 %", as_of=TODAY)
        if base >= deadline or base not in case.series().index:
            continue
        answer = outlook.of(case)
        undecided = [one.reading for one in answer.verdicts if one.outcome in ("open", "unknown")]
        assert set(answer.chances.index) == set(undecided)
        assert answer.fan is None or np.isfinite(answer.fan.to_numpy()).all()
