"""The kept scores as tables: averages by hand, every case without gaps, and what issue 3 demands of them."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sampling import exhaustive, some

from lib.analysis import score_tables as st
from lib.cases import LAST_OUTCOME, ScoreCase
from lib.errors import UserError
from lib.goals import READING_LABELS

CASE = ScoreCase()


def cases() -> list[ScoreCase]:
    """Every goal and horizon with the first and last origins that it can have, alone and together."""
    found = []
    for goal, years in itertools.product((10, 15, 25, 40), range(1, 11)):
        last = LAST_OUTCOME - years
        spans = {(2005, 2019), (2005, 2005), (last, last), (last, 2019), (2005, last)}
        found += [
            ScoreCase.check({"goal_pct": goal, "years": years, "first_origin": a, "last_origin": b})
            for a, b in spans
        ]
    return found


# --- averages ---


def test_pooled_means_are_weighted_by_the_number_of_forecasts():
    rows = pd.DataFrame(
        {"model": ["a", "a", "b"], "brier": [0.1, 0.4, 0.2], "p": [0.0, 1.0, 0.5], "n": [300, 100, 50]}
    )
    found = st.pooled(rows, ["brier", "p"])
    assert found.loc["a"].to_list() == pytest.approx([(300 * 0.1 + 100 * 0.4) / 400, 0.25, 400])
    assert found.loc["b"].to_list() == pytest.approx([0.2, 0.5, 50])


def test_every_model_is_scored_on_the_same_events():
    rows = st.read_scores("trade_events")
    alike = rows.groupby(["reading", "horizon", "goal", "origin"])[["n", "rate"]].nunique()
    # A base rate is absent where no earlier horizon had passed; all that stand there share their events.
    assert (alike == 1).all(axis=None)


def test_by_origin_the_scores_are_the_kept_ones():
    rows = st.events(CASE)
    wide = st.brier_by_origin(rows)
    assert wide.index.to_list() == list(range(2005, 2018))
    own = rows[rows["model"] == st.USED].set_index("origin")
    assert wide[st.USED].to_dict() == own["brier"].to_dict()
    assert st.rate_by_origin(rows)["rate"].to_dict() == own["rate"].to_dict()


# --- every case ---


@pytest.mark.parametrize("years", range(1, 11))
def test_reliability_counts_and_bounds(years):
    found = st.reliability(ScoreCase(years=years))
    assert found[["p", "met", "low", "high"]].to_numpy().min() >= 0 and found["high"].max() <= 1
    assert (found["low"] <= found["high"]).all()
    kept = st.read_scores("trade_examples")
    nearest = {1: 1, 2: 1, 3: 3, 4: 3}.get(years, 5)
    assert found["n"].sum() == (kept["horizon"] == nearest).sum()


def test_one_origin_has_a_curve_and_no_band():
    case = ScoreCase(first_origin=2010, last_origin=2010)
    found = st.reliability(case)
    assert {"low", "high"}.isdisjoint(found.columns)
    kept = st.read_scores("trade_examples").query("horizon == 3 and origin == 2010")
    assert found["n"].sum() == len(kept)
    assert (found["met"] * found["n"]).sum() == pytest.approx(kept["outcome"].sum())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"goal_pct": 30}, "goal_pct: found 30"),
        ({"goal_pct": "many"}, "goal_pct: found 'many'"),
        ({"years": 0}, "years: found 0"),
        ({"years": 11}, "years: found 11"),
        ({"years": 2.5}, "years: found 2.5"),
        ({"first_origin": 2004}, "first_origin: found 2004"),
        ({"last_origin": 2020}, "last_origin: found 2020"),
        ({"first_origin": 2012, "last_origin": 2011}, r"last_origin: found 2011, expected 2012"),
        ({"years": 10, "first_origin": 2011}, "first_origin: found 2011, expected 2010 or earlier"),
        ({"year": 3}, "did you mean years"),
    ],
)
def test_a_case_that_cannot_be_scored_names_its_parameter(values, words):
    with pytest.raises(UserError, match=words):
        ScoreCase.check(values)


def test_the_brier_table_is_sorted_and_its_skill_is_over_the_long_base_rate():
    table = st.brier_table(st.events(CASE))
    assert table["brier"].is_monotonic_increasing
    assert set(table.index) == {st.USED, "base_rate", "base_rate_long", "log_walk", "drift", "half"}
    np.testing.assert_allclose(table["skill"], 1 - table["brier"] / table.loc[st.BASE, "brier"])
    assert table.loc["half", "brier"] == pytest.approx(0.25) and table.loc[st.USED, "used"] == ""


@exhaustive
def test_every_case_gives_tables_without_gaps():
    for case in some(cases(), 7):
        rows = st.events(case)
        tables = [st.brier_table(rows), st.brier_by_origin(rows), st.rate_by_origin(rows)]
        tables += [st.coverage_by_origin(case), st.coverage_by_size(case)]
        assert all(len(table) and table.notna().all(axis=None) for table in tables), case.title()
        worst = st.worst_origin(case)
        assert worst.coverage == st.coverage_by_origin(case)["cover80"].min()
        assert (worst.told == "unknown") == (len(tables[1]) == 1)
        assert len(st.estimates(case, rows)) == rows["model"].nunique()


@pytest.mark.parametrize("goal", [10, 15, 25, 40])
@pytest.mark.parametrize("first", [2005, 2012, 2018])
def test_tables_that_no_horizon_changes_have_no_gaps(goal, first):
    case = ScoreCase(goal_pct=goal, years=1, first_origin=first)
    for table in (st.coverage_table(case), st.places(case), st.verdicts(case)):
        assert len(table) and table.notna().all(axis=None)
    for table in (st.competitors(case), st.by_reading(case), st.by_horizon(case)):
        assert table.loc[st.USED].notna().all() and (table.loc["half"].dropna() == 0.25).all()


def test_readings_are_absent_where_only_one_year_is_left():
    found = st.by_reading(ScoreCase(years=1, first_origin=2019, last_origin=2019))
    assert found.empty and found.columns.to_list() == list(READING_LABELS.values())


def test_the_worst_year_is_held_against_what_luck_would_show():
    worst = st.worst_origin(CASE)
    cover = st.coverage_by_origin(CASE)["cover80"]
    assert worst.origin == cover.idxmin() and 0 < worst.common < 1
    assert 0 < worst.low < worst.high < 0.8
    assert (worst.told == "within") == (worst.low <= worst.coverage <= worst.high)


def test_a_lead_is_one_only_where_whole_years_leave_zero_out():
    rows = pd.DataFrame(
        [
            {"origin": year, "horizon": 1, "goal": 0.25, "model": model, "brier": brier, "n": 100}
            for year in range(2005, 2020)
            for model, brier in (
                (st.USED, 0.10),
                ("far", 0.11 + 0.0001 * (year % 3)),
                ("near", 0.10 + (0.02 if year % 2 else -0.0199)),
            )
        ]
    )
    assert st.against(rows, "far")[0] == "better"
    assert st.against(rows, "near")[0] == "level"


def test_places_are_counted_from_the_best():
    found = st.places(CASE).set_index("panel")
    assert (found["place"].between(1, found["models"])).all()
    assert ((found["place"] == 1) == (found["own_score"] <= found["best_score"])).all()
    assert found.loc[["M3", "Tourism"], "told"].to_list() == ["unknown", "unknown"]


def test_verdicts_are_compared_on_the_same_goals():
    rows = st.verdicts(CASE)
    assert len(set(rows["n"])) == len(set(rows["rate"].round(6))) == 1
    assert rows["brier"].is_monotonic_increasing
    labels = [st.verdict_label(name) for name in rows.index]
    assert sum(label.endswith("taken at its word") for label in labels) == 4
    assert sum(label.endswith("by class") for label in labels) == 4
    assert "share of earlier goals of this height that were met" in labels


# --- what issue 3 demands of the kept scores ---


def coverage(panel: str, model: str) -> tuple[float, float]:
    trade = st.read_scores("trade_intervals").assign(panel="BACI")
    rows = pd.concat([trade, st.read_scores("contest_intervals")])
    own = st.pooled(rows[rows["panel"] == panel], ["cover80", "cover95"]).loc[model]
    return own["cover80"], own["cover95"]


def test_intervals_cover_what_they_promise_in_total():
    cover80, cover95 = coverage("BACI", st.USED)
    assert 0.78 <= cover80 <= 0.83
    assert 0.93 <= cover95 <= 0.96


def test_goals_of_25_per_cent_are_forecast_better_than_by_base_rate_walk_and_drift():
    rows = st.read_scores("trade_events")
    chosen = (rows["reading"] == "average") & np.isclose(rows["goal"], 0.25) & rows["horizon"].between(1, 5)
    brier = st.pooled(rows[chosen & rows["origin"].between(2010, 2015)], ["brier"])["brier"]
    assert brier[st.USED] < brier.drop(st.USED).min()
    assert {"base_rate", "base_rate_long", "log_walk", "drift"} <= set(brier.index)
    skill = 1 - brier[st.USED] / brier["base_rate_long"]
    assert 0 < skill < 0.15  # more would point to a leak
