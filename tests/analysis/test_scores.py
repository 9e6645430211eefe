"""Intervals on simulated forecasts whose truth is known; the kept scores as tables: averages by hand, no gaps."""

import itertools

import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some

from lib.analysis import scores
from lib.analysis.cases import LAST_OUTCOME, ScoreCase
from lib.errors import UserError

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


# --- intervals ---


def clustered(seed: int, shock: float, years: int = 12, per_year: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Scores and their years: unit noise plus a shock that all forecasts of a year share."""
    rng = np.random.default_rng(seed)
    year = np.repeat(np.arange(years), per_year)
    return rng.standard_normal(year.size) + shock * rng.standard_normal(years)[year], year


def width(interval: scores.Interval) -> float:
    return interval.high - interval.low


def test_mean_interval_is_wider_than_iid_when_years_share_a_shock():
    values, year = clustered(0, shock=1.0)
    iid = scores._mean_interval(values, np.arange(values.size))
    assert width(scores._mean_interval(values, year)) > 3 * width(iid)


def test_mean_interval_of_independent_values_has_the_textbook_width():
    values, _ = clustered(1, shock=0.0, years=40)
    interval = scores._mean_interval(values, np.arange(values.size))
    assert interval.estimate == pytest.approx(values.mean())
    assert width(interval) == pytest.approx(2 * 1.645 * values.std() / np.sqrt(values.size), rel=0.1)


def test_mean_interval_holds_the_true_mean_about_as_often_as_it_says():
    """Percentile intervals from 12 clusters are known to be a little narrow: 90 % holds at least 80 %."""
    held = 0
    for seed in range(200):
        interval = scores._mean_interval(*clustered(seed, shock=0.5))
        held += interval.low <= 0 <= interval.high
    assert 0.80 <= held / 200 <= 0.96


@given(st.integers(0, 2**31), st.floats(-5, 5), st.floats(0.1, 10))
def test_mean_interval_moves_with_its_values(seed, shift, stretch):
    values, year = clustered(3, shock=0.5, years=5, per_year=4)
    base = np.array(scores._mean_interval(values, year, seed=seed))
    moved = np.array(scores._mean_interval(shift + stretch * values, year, seed=seed))
    assert moved == pytest.approx(shift + stretch * base, abs=1e-9)


def test_skill_interval_is_tight_when_the_scores_move_together():
    """A forecast that always costs 90 % of the reference has a skill of exactly 10 % in every resample."""
    reference = np.random.default_rng(0).exponential(size=300)
    interval = scores.skill_interval(0.9 * reference, reference, np.repeat(np.arange(10), 30))
    assert interval == pytest.approx((0.1, 0.1, 0.1))


def test_weights_count_as_so_many_forecasts():
    """Yearly means with the number behind each are the single scores."""
    values, year = clustered(7, shock=0.5)
    kept = np.arange(values.size) % 3 > year[np.arange(values.size)] % 3 - 1  # years of unequal size
    values, year = values[kept], year[kept]
    n = np.bincount(year)
    means = np.bincount(year, values) / n
    assert scores._mean_interval(means, np.arange(n.size), n) == pytest.approx(
        scores._mean_interval(values, year)
    )


def test_a_contest_is_won_only_where_luck_of_the_years_cannot_explain_it():
    noise, year = clustered(5, shock=1.0)
    reference = np.abs(noise) + 1
    assert scores.contest(reference - 0.5, reference, year)[0] == "better"
    assert scores.contest(reference + 0.5, reference, year)[0] == "worse"
    told, apart = scores.contest(reference + 0.1 * noise, reference, year)
    assert told == "level" and apart.low < 0 < apart.high
    alone, apart = scores.contest([0.1, 0.2], [0.2, 0.3], [2010, 2010])  # one year says nothing of luck
    assert alone == "level" and apart.estimate == pytest.approx(-0.1)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(6)
    return rng.standard_normal((1000, 15, 1)), rng.standard_normal((1000, 15, 400))


@pytest.mark.parametrize("common", [0.1, 0.3, 0.7])
def test_the_worst_of_fifteen_calibrated_years_is_that_of_simulations(common, drawn):
    shock, own = drawn
    z = np.sqrt(common) * shock + np.sqrt(1 - common) * own
    worst = (np.abs(z) < 1.2816).mean(axis=2).min(axis=1)
    expected = scores._worst_expected(common, 15)
    assert expected == pytest.approx(np.quantile(worst, [0.05, 0.95]), abs=0.03)


def forecasts(seed: int, n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated probabilities with their outcomes and years."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=n)
    return p, (rng.uniform(size=n) < p).astype(float), np.arange(n) % 10


def test_reliability_of_calibrated_forecasts_is_the_diagonal():
    table = scores.curve(*forecasts(0))
    middle = table[table["p"].between(0.05, 0.95)]
    assert (middle["met"] - middle["p"]).abs().max() < 0.06
    assert (middle["low"] <= middle["high"]).all()
    assert table["n"].sum() == 20_000


def test_reliability_shows_overconfidence():
    """Outcomes happen half as often as said at the top: the curve lies below the diagonal."""
    p, _, year = forecasts(1)
    happened = (np.random.default_rng(2).uniform(size=p.size) < 0.25 + p / 2).astype(float)
    table = scores.curve(p, happened, year).set_index("n")
    assert (table["high"].to_numpy()[-3:] < table["p"].to_numpy()[-3:]).all()
    assert (table["low"].to_numpy()[:3] > table["p"].to_numpy()[:3]).all()


def test_reliability_bands_are_wider_when_years_share_a_shock():
    p, _, year = forecasts(3, n=5000)
    rng = np.random.default_rng(4)
    shock = rng.uniform(-0.3, 0.3, size=10)
    happened = (rng.uniform(size=p.size) < np.clip(p + shock[year], 0, 1)).astype(float)
    by_year, iid = (scores.curve(p, happened, groups, bins=5) for groups in (year, np.arange(p.size) // 2))
    assert ((by_year["high"] - by_year["low"]) > 2 * (iid["high"] - iid["low"])).all()


# --- averages ---


def test_pooled_means_are_weighted_by_the_number_of_forecasts():
    rows = pd.DataFrame(
        {"model": ["a", "a", "b"], "brier": [0.1, 0.4, 0.2], "p": [0.0, 1.0, 0.5], "n": [300, 100, 50]}
    )
    found = scores.pooled(rows, ["brier", "p"])
    assert found.loc["a"].to_list() == pytest.approx([(300 * 0.1 + 100 * 0.4) / 400, 0.25, 400])
    assert found.loc["b"].to_list() == pytest.approx([0.2, 0.5, 50])


def average(case: ScoreCase) -> pd.DataFrame:
    return scores.events(case).query("reading == 'average' and horizon == @case.years")


def test_every_model_is_scored_on_the_same_events():
    rows = scores.read_scores("trade_events")
    alike = rows.groupby(["reading", "horizon", "goal", "origin"])[["n", "rate"]].nunique()
    # A base rate is absent where no earlier horizon had passed; all that stand there share their events.
    assert (alike == 1).all(axis=None)


def test_by_origin_the_scores_are_the_kept_ones():
    rows = average(CASE)
    wide = rows.pivot(index="origin", columns="model", values="brier")
    assert wide.index.to_list() == list(range(2005, 2018))
    own = rows[rows["model"] == scores.USED].set_index("origin")
    assert wide[scores.USED].to_dict() == own["brier"].to_dict()


# --- every case ---


@exhaustive
@pytest.mark.parametrize("years", some(range(1, 11), 3))
def test_reliability_counts_and_bounds(years):
    found = made("05", "near", "curve", years=years, first_origin=2005, last_origin=2019)
    assert found[["p", "met", "low", "high"]].to_numpy().min() >= 0 and found["high"].max() <= 1
    assert (found["low"] <= found["high"]).all()
    kept = scores.read_scores("trade_examples")
    nearest = {1: 1, 2: 1, 3: 3, 4: 3}.get(years, 5)
    assert found["n"].sum() == (kept["horizon"] == nearest).sum()


def test_one_origin_has_a_curve_and_no_band():
    found = made("05", "near", "curve", years=3, first_origin=2010, last_origin=2010)
    assert {"low", "high"}.isdisjoint(found.columns)
    kept = scores.read_scores("trade_examples").query("horizon == 3 and origin == 2010")
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
    table = made("05", "table", rows=average(CASE))
    assert table["brier"].is_monotonic_increasing
    assert set(table.index) == {scores.USED, "base_rate", "base_rate_long", "log_walk", "drift", "half"}
    np.testing.assert_allclose(table["skill"], 1 - table["brier"] / table.loc[scores.BASE, "brier"])
    assert table.loc["half", "brier"] == pytest.approx(0.25) and table.loc[scores.USED, "used"] == ""


@exhaustive
def test_every_case_gives_tables_without_gaps():
    for case in some(cases(), 20):
        tables = [made("05", "table", rows=average(case)), scores.intervals(case)]
        assert all(len(table) and table.notna().all(axis=None) for table in tables), case.title()
        worst = scores.worst_origin(case)
        assert worst["coverage"] == scores.intervals(case)["cover80"].min()
        assert (worst["told"] == "unknown") == (len(tables[1]) == 1)


@pytest.mark.parametrize("goal", [10, 15, 25, 40])
@pytest.mark.parametrize("first", [2005, 2012, 2018])
def test_tables_that_no_horizon_changes_have_no_gaps(goal, first):
    case = ScoreCase(goal_pct=goal, years=1, first_origin=first)
    assert pd.DataFrame(made("05", "places", case=case)).notna().all(axis=None)
    rows = scores.events(case)
    tables = [scores.wide(scores.of_goal(case, "competitors"), "panel"), scores.wide(rows, "reading")]
    for table in (*tables, scores.wide(rows.query("reading == 'average'"), "horizon")):
        assert table.loc[scores.USED].notna().all() and (table.loc["half"].dropna() == 0.25).all()


def test_readings_are_absent_where_only_one_year_is_left():
    rows = scores.events(ScoreCase(years=1, first_origin=2019, last_origin=2019))
    assert scores.wide(rows[rows["horizon"] > 1], "reading").empty


def test_the_worst_year_is_held_against_what_luck_would_show():
    worst = scores.worst_origin(CASE)
    cover = scores.intervals(CASE)["cover80"]
    assert worst["origin"] == cover.idxmin() and 0 < worst["common"] < 1
    assert 0 < worst["low"] < worst["high"] < 0.8
    assert (worst["told"] == "within") == (worst["low"] <= worst["coverage"] <= worst["high"])


def test_a_lead_is_one_only_where_whole_years_leave_zero_out():
    rows = pd.DataFrame(
        [
            {"origin": year, "horizon": 1, "goal": 0.25, "model": model, "brier": brier, "n": 100}
            for year in range(2005, 2020)
            for model, brier in (
                (scores.USED, 0.10),
                ("far", 0.11 + 0.0001 * (year % 3)),
                ("near", 0.10 + (0.02 if year % 2 else -0.0199)),
            )
        ]
    )
    assert scores.against(rows, "far") == "better"
    assert scores.against(rows, "near") == "level"


def test_places_are_counted_from_the_best():
    found = pd.DataFrame(made("05", "places", case=CASE)).set_index("panel")
    assert (found["place"].between(1, found["models"])).all()
    assert ((found["place"] == 1) == (found["own_score"] <= found["best_score"])).all()
    assert found.loc[["M3", "Tourism"], "told"].to_list() == ["unknown", "unknown"]


# --- what issue 3 demands of the kept scores ---


def coverage(panel: str, model: str) -> tuple[float, float]:
    trade = scores.read_scores("trade_intervals").assign(panel="BACI")
    rows = pd.concat([trade, scores.read_scores("contest_intervals")])
    own = scores.pooled(rows[rows["panel"] == panel], ["cover80", "cover95"]).loc[model]
    return own["cover80"], own["cover95"]


def test_intervals_cover_what_they_promise_in_total():
    cover80, cover95 = coverage("BACI", scores.USED)
    assert 0.78 <= cover80 <= 0.83
    assert 0.93 <= cover95 <= 0.96


def test_goals_of_25_per_cent_are_forecast_better_than_by_base_rate_walk_and_drift():
    rows = scores.read_scores("trade_events")
    chosen = (rows["reading"] == "average") & np.isclose(rows["goal"], 0.25) & rows["horizon"].between(1, 5)
    brier = scores.pooled(rows[chosen & rows["origin"].between(2010, 2015)], ["brier"])["brier"]
    assert brier[scores.USED] < brier.drop(scores.USED).min()
    assert {"base_rate", "base_rate_long", "log_walk", "drift"} <= set(brier.index)
    skill = 1 - brier[scores.USED] / brier["base_rate_long"]
    assert 0 < skill < 0.15  # more would point to a leak
