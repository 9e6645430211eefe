"""Rolling origins: no leak, calibrated where the model is true, and the kept scores that notebooks quote."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from lib import forecast, past_errors, reference
from lib.analysis import register, scores
from lib.errors import UserError
from lib.figures import load_targets
from lib.forecast import GrowthModel, Prior
from lib.research import backtest, classes, pipeline, rival_scores, trade_scores
from lib.research.panels import Levels

KNOTS = np.array([-2.4, -1.1, -0.5, 0.02, 0.6, 1.4, 2.6])


def panel(seed: int = 0, series: int = 300, years: int = 24, scale: float = 1.0) -> Levels:
    """Flows of several size classes whose growth is what the model believes: t errors, small drifts."""
    rng = np.random.default_rng(seed)
    sigma = np.sqrt(0.04 * 6 / rng.chisquare(6, (series, 1)))
    growth = rng.normal(0.04, 0.02, (series, 1)) + sigma * rng.normal(size=(series, years - 1))
    start = rng.uniform(np.log(2e7), np.log(2e10), (series, 1))
    log = start + np.log(scale) + np.hstack([np.zeros((series, 1)), growth.cumsum(axis=1)])
    gone = rng.random(log.shape) < 0.01
    log[gone] = np.nan
    return Levels(pd.DataFrame(index=range(series)), np.arange(1997, 1997 + years), log, np.diff(log, axis=1))


def corrupt(levels: Levels, origin: int, seed: int) -> Levels:
    log = levels.log.copy()
    after = levels.years > origin
    log[:, after] = np.random.default_rng(seed).normal(18, 9, (len(log), after.sum()))
    return Levels(levels.keys, levels.years, log, np.diff(log, axis=1))


# No leak


def assert_same_model(one: GrowthModel, other: GrowthModel) -> None:
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2006, 2015))
def test_forecasts_base_rates_and_past_errors_know_nothing_after_the_origin(seed, origin):
    clean = panel()
    bad = corrupt(clean, origin, seed)
    fits = [[backtest.fit_all(x, o) for o in range(2002, origin + 1)] for x in (clean, bad)]
    for name in backtest.MODELS:
        assert_same_model(fits[0][-1].models[name], fits[1][-1].models[name])
    horizon = 2
    known = [
        (
            backtest.shapes(backtest.batches(x, fitted, "average", horizon, True), horizon, origin),
            backtest.count_starts(x, "average", horizon, True).share(origin, horizon),
        )
        for x, fitted in zip((clean, bad), fits, strict=True)
    ]
    assert known[0][0].keys() == known[1][0].keys()
    for index, knots in known[0][0].items():
        np.testing.assert_array_equal(knots, known[1][0][index])
    np.testing.assert_array_equal(known[0][1], known[1][1])


def test_probabilities_do_not_depend_on_the_unit():
    """Without size classes, which need dollars, a thousandfold unit changes nothing to 1e-12."""
    p = [
        backtest.chance(backtest.fit_all(x, 2015, sized=False).models["eb"], reading, 3, 0.1)
        for x in (panel(), panel(scale=1000.0))
        for reading in past_errors.READINGS
    ]
    for one, other in zip(p[:3], p[3:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


# Outcomes


def by_hand() -> Levels:
    value = np.array([[100, 110, 121, 242.0], [100, 50, np.nan, np.nan], [100, np.nan, 100, 200]])
    log = np.log(value)
    return Levels(pd.DataFrame(index=range(3)), np.arange(2000, 2004), log, np.diff(log, axis=1))


def test_outcomes_of_each_reading_by_hand():
    args = ([0], 2)
    average = backtest.realised(by_hand(), *args, "average", True)[:, 0]
    assert average == pytest.approx([np.log(1.1), -np.inf, 0])
    every = backtest.realised(by_hand(), *args, "every_year", True)[:, 0]
    assert every == pytest.approx([np.log(1.1), -np.inf, -np.inf])
    mean = backtest.realised(by_hand(), *args, "mean_of_rates", True)[:, 0]
    assert mean == pytest.approx([0.1, -np.inf, -np.inf])
    unknown = backtest.realised(by_hand(), *args, "average", False)[:, 0]
    assert unknown == pytest.approx([np.log(1.1), np.nan, 0], nan_ok=True)


def test_base_rates_count_only_starts_whose_end_was_known():
    levels = panel(seed=3)
    horizon, origin = 3, 2010
    share = backtest.count_starts(levels, "average", horizon, False).share(origin, horizon)
    from lib.reference import size_class

    index, goal, hits, n = 4, 2, 0, 0
    for start in range(len(levels.years)):
        if levels.years[start] + horizon <= origin:
            log = levels.log[:, start + horizon] - levels.log[:, start]
            members = (size_class(np.exp(levels.log[:, start])) == index) & ~np.isnan(log)
            n += members.sum()
            hits += (log[members] >= horizon * np.log1p(backtest.GOALS[goal])).sum()
    assert share[index, goal] == pytest.approx((hits + 0.5) / (n + 1))


# Where the model is true


def test_forecasts_are_calibrated_where_the_model_is_true():
    levels = panel(seed=5, series=3000)
    one = backtest.fit_all(levels, 2015)
    (batch,) = backtest.batches(levels, [one], "average", 3, False)
    assert batch.pit.mean() == pytest.approx(0.5, abs=0.02)
    assert np.histogram(batch.pit, 10, (0, 1))[0] / len(batch.pit) == pytest.approx(
        np.full(10, 0.1), abs=0.025
    )
    spread = backtest.score_intervals(batch, 3, {}).query("model == 'eb'")
    for nominal in backtest.NOMINAL:
        inside = np.average(spread[f"cover{100 * nominal:.0f}"], weights=spread["n"])
        assert inside == pytest.approx(nominal, abs=0.03)


@pytest.mark.parametrize("reading", ["every_year", "mean_of_rates"])
def test_pit_of_readings_that_need_quadrature_is_uniform_where_the_model_is_true(reading):
    levels = panel(seed=6, series=1500)
    (batch,) = backtest.batches(levels, [backtest.fit_all(levels, 2015)], reading, 3, False)
    assert batch.pit.mean() == pytest.approx(0.5, abs=0.025)
    assert np.mean(batch.pit < 0.1) == pytest.approx(0.1, abs=0.025)


def test_the_model_beats_base_rate_and_flat_prior_where_it_is_true():
    levels = panel(seed=7, series=3000)
    base = {"base_rate": backtest.count_starts(levels, "average", 3, False).share(2015, 3)}
    (batch,) = backtest.batches(levels, [backtest.fit_all(levels, 2015)], "average", 3, False)
    found = backtest.score_events(batch, "average", 3, {}, base)
    brier = found.groupby("model").apply(lambda x: np.average(x["brier"], weights=x["n"]))
    assert brier["eb"] < brier["base_rate"]
    assert brier["eb"] < brier["drift"]
    assert brier["eb"] == brier["eb_past_errors"]  # no past error is known


def test_a_lag_one_moving_average_has_the_stated_variance_and_echo():
    """x[t+1] + … + x[t+h] of an MA(1) with lag-1 autocorrelation r, by simulation of 400,000 paths."""
    rng = np.random.default_rng(8)
    theta, h = -0.4, 4
    shock = rng.normal(size=(400_000, h + 2))
    growth = (shock[:, 1:] + theta * shock[:, :-1]) / np.sqrt(1 + theta**2)
    r = theta / (1 + theta**2)
    ahead, last = growth[:, 1:].sum(axis=1), growth[:, 0]
    slope = np.sum(ahead * last) / np.sum(last**2)
    model = GrowthModel(0.0, np.inf, 1.0, 1e6, 10, 0.0, r, r * 1.0)
    assert slope == pytest.approx(r, abs=0.01)  # the echo of a surprise of one
    assert np.var(ahead - slope * last) == pytest.approx(forecast.spread(model, h) ** 2, rel=0.01)
    assert forecast.location(model, h) == pytest.approx(r)


def test_a_jump_is_partly_given_back_and_a_record_error_does_not_echo_in_full():
    prior = Prior(0.0, 0.02, 0.04, 5.0, "test", -0.3)
    calm, jump, error = (forecast.fit(np.array([0.0, 0.1, -0.1, g]), prior) for g in (0.0, 0.4, 7.0))
    assert calm.echo == pytest.approx(0, abs=0.01)
    assert jump.echo < -0.05
    assert error.echo >= -0.3 * 2 * np.sqrt(error.variance) - 1e-12
    unknown = forecast.fit(np.array([0.0, 0.1, np.nan]), prior)
    assert unknown.echo == 0


# Past errors


def test_errors_of_a_calibrated_model_teach_nothing():
    u = np.random.default_rng(9).random(200_000)
    knots = past_errors.learn(u, np.repeat(np.arange(20), 10_000))
    assert knots == pytest.approx(ndtri(past_errors.LEVELS), abs=0.03)
    p = np.linspace(0.01, 0.99, 50)
    assert past_errors.apply(p, knots) == pytest.approx(p, abs=0.01)


def test_errors_of_an_overconfident_model_move_probabilities_towards_one_half():
    """True errors twice as wide as the model's: P(z > c) must become 1 − Φ(c / 2)."""
    z = 2 * np.random.default_rng(10).normal(size=100_000)
    knots = past_errors.learn(ndtr(z), np.zeros(z.size))
    c = np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    assert past_errors.apply(1 - ndtr(c), knots) == pytest.approx(1 - ndtr(c / 2), abs=0.01)


def test_a_bad_year_for_all_flows_is_not_carried_forward():
    rng = np.random.default_rng(11)
    year = np.repeat([2008, 2009], 20_000)
    z = rng.normal(size=year.size) + np.where(year == 2009, -1.5, 0.7)
    assert past_errors.learn(ndtr(z), year) == pytest.approx(ndtri(past_errors.LEVELS), abs=0.06)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_correction_is_monotone_and_never_certain(p):
    corrected = past_errors.apply(np.sort(p), KNOTS)
    assert (np.diff(corrected) >= 0).all()
    assert ((corrected > 0) & (corrected < 1)).all()


@given(st.floats(0.001, 0.999))
def test_correction_can_be_inverted(p):
    assert past_errors.apply(past_errors.invert(p, KNOTS), KNOTS) == pytest.approx(p, abs=1e-9)


def test_few_errors_teach_nothing():
    assert past_errors.learn(np.linspace(0.1, 0.9, 50), np.zeros(50)) is None


def test_recalibrate_uses_what_was_known_at_the_origin():
    table = pd.DataFrame(
        [("average", 2010, 2, 3, *KNOTS)],
        columns=["reading", "origin", "horizon", "size_class", *past_errors.KNOTS],
    )
    assert past_errors.recalibrate(0.3, "average", 2, 2012, 2e8, table) == past_errors.apply(0.3, KNOTS)
    assert past_errors.recalibrate(0.3, "average", 3, 2012, 2e8, table) == past_errors.apply(0.3, KNOTS)
    assert past_errors.recalibrate(0.3, "average", 2, 2009, 2e8, table) == 0.3
    assert past_errors.recalibrate(0.3, "average", 1, 2012, 2e8, table) == 0.3
    assert past_errors.recalibrate([0.0, 1.0], "average", 2, 1990, 2e8, table) == pytest.approx(
        [0, 1], abs=1e-8
    )
    with pytest.raises(UserError, match="reading: found 'mean'"):
        past_errors.recalibrate(0.3, "mean", 2, 2012, 2e8, table)
    with pytest.raises(UserError, match="horizon: found 0"):
        past_errors.recalibrate(0.3, "average", 0, 2012, 2e8, table)


@pytest.mark.parametrize(("origin", "horizon"), [(2013, 2), (2019, 5), (2013, 10), (1990, 1)])
def test_corrected_quantiles_have_their_corrected_probability(origin, horizon):
    model = forecast.fit(np.array([0.1, 0.3, 0.0]), reference.prior_for(230e6, origin))
    level = np.array([0.025, 0.1, 0.5, 0.9, 0.975])
    at = forecast.growth_quantiles(model, horizon, past_errors.model_level(level, horizon, origin, 230e6))
    p = past_errors.recalibrate(forecast.p_reach(model, at, horizon), "average", horizon, origin, 230e6)
    assert p == pytest.approx(1 - level, abs=1e-6)


@pytest.mark.parametrize("reading", past_errors.READINGS)
@pytest.mark.parametrize("horizon", [1, 2, 3, 5, 8, 12])
def test_kept_past_errors_give_probabilities_for_every_horizon(reading, horizon):
    p = past_errors.recalibrate(np.linspace(0, 1, 21), reading, horizon, 2013, 230e6)
    assert (np.diff(p) > 0).all()
    assert ((p > 0) & (p < 1)).all()


# Scores of distributions


def test_quantiles_without_past_errors_are_the_models_own():
    levels = panel(seed=12)
    one = backtest.fit_all(levels, 2015)
    model, at = one.models["eb"], np.array([0.1, 0.5, 0.9])
    expected = forecast.growth_quantiles(backtest.select(model, np.arange(5)), 2, 0.9)
    found = backtest.quantiles(model, 2, one.classes, {}, at)
    assert found[:5, 2] == pytest.approx(expected)
    shaped = backtest.quantiles(model, 2, one.classes, {int(c): KNOTS for c in np.unique(one.classes)}, at)
    p = past_errors.apply(backtest.forecast.p_reach(model, shaped[:, 2], 2), KNOTS)
    assert p == pytest.approx(np.full(len(p), 0.1), abs=1e-6)


def test_crps_from_quantiles_agrees_with_the_closed_form():
    levels = panel(seed=13)
    one = backtest.fit_all(levels, 2015)
    (batch,) = backtest.batches(levels, [one], "average", 3, False)
    table = backtest.score_intervals(batch, 3, {}).set_index(["model", "size_class"])["crps"]
    np.testing.assert_allclose(table["eb_past_errors"], table["eb"], rtol=0.01)


def test_pooling_weighs_by_the_number_of_forecasts():
    frame = pd.DataFrame({"horizon": 1, "origin": [1, 2], "model": "eb", "brier": [0.1, 0.4], "n": [30, 10]})
    assert trade_scores.pool(frame, ["origin"])["brier"].iloc[0] == pytest.approx(0.175)


# Verdicts, register, competitors


def test_class_frequencies_use_only_deadlines_that_had_passed():
    rows = [(base, 3, 0.25, "on track", hit) for base in range(2002, 2012) for hit in (base < 2005, False)]
    readings = pd.DataFrame(rows, columns=["base_year", "read_after", "goal", "class", "hit"])
    found = trade_scores._known_share(readings, ["read_after", "goal", "class"])
    by_year = found.groupby(readings["base_year"]).first()
    assert by_year.loc[:2003].isna().all()  # read in 2006 or before, when no deadline had passed
    assert by_year[2004] == pytest.approx((1 + 0.5) / (2 + 1))
    assert by_year[2011] == pytest.approx((3 + 0.5) / (2 * 8 + 1))


def test_the_register_is_scored_with_what_was_known_at_announcement():
    kept = pd.read_csv(reference.reference_folder() / "register_scores.csv")
    fresh = register.score_register(load_targets())
    assert kept["target_id"].tolist() == fresh["target_id"].tolist()
    np.testing.assert_allclose(kept["p_eb"], fresh["p_eb"], rtol=1e-3)
    later = load_targets().assign(met="yes")
    early = fresh["announced"] <= fresh["announced"].min()
    changed = register.score_register(later[later["target_id"].isin(fresh["target_id"])])
    assert (changed["p_eb"] == fresh["p_eb"]).all()  # outcomes do not enter
    assert (changed["p_base_known"][early] == 0.5).all()


def test_a_higher_goal_is_less_likely_in_the_register():
    low = load_targets()
    low = low[low["target_id"] == "HLJ-RU-2010-14bn"]
    high = low.assign(implied_growth_pct_per_year=low["implied_growth_pct_per_year"] + 10)
    p = [register.score_register(x)["p_eb"].iloc[0] for x in (low, high)]
    assert 0 < p[1] < p[0] < 1


def test_register_summary_and_calibration_add_up():
    kept = register.score_register(load_targets())
    assert register.calibration(kept)["n"].sum() == len(kept)
    summary = register.summarise(kept).set_index("group")
    parts = summary.loc[["trade with one country", "trade with the world"]]
    assert parts["n"].sum() == summary.loc["all", "n"]
    expected = scores.brier(kept["p_eb"], kept["met"]).mean()
    assert summary.loc["all", "brier_eb"] == pytest.approx(expected)


def test_competitors_see_consecutive_years_up_to_the_origin_only():
    log = np.array([[1.0, np.nan, 2.0, 3.0], [0.0, 1.0, 2.0, 4.0]])
    found = list(rival_scores._records(log, np.arange(2)))
    assert found[0] == pytest.approx(np.exp([-1, 0]))
    assert found[1] == pytest.approx(np.exp([-4, -3, -2, 0]))


def test_every_competitor_answers_every_case():
    record = np.exp(np.cumsum(np.random.default_rng(15).normal(0.05, 0.2, 16)))
    found = rival_scores._fit_one(record)
    assert set(found) == {*rival_scores.NAMES, "pool"}
    for name, (chances, fallback) in found.items():
        assert fallback in (True, False), name
        for case in rival_scores.CASES:
            assert (np.diff(chances[case]) <= 0).all(), (name, case)  # a higher goal is no likelier
            assert ((chances[case] > 0) & (chances[case] < 1)).all(), (name, case)


def test_contests_are_the_published_series():
    m3, tourism = trade_scores.load_contest("M3"), trade_scores.load_contest("Tourism")
    assert (len(m3.log), m3.years[-1]) == (645, 6)
    assert (len(tourism.log), tourism.years[-1]) == (518, 4)
    assert np.exp(m3.log[0, np.searchsorted(m3.years, 0)]) == pytest.approx(4936.99)
    with pytest.raises(UserError, match="competition"):
        trade_scores.load_contest("M4")


# Building


def test_a_step_is_run_once_and_again_when_asked(tmp_path, monkeypatch):
    calls = []

    def run(folder, progress):
        calls.append(folder)
        return {
            "a.csv": pd.DataFrame({"n": [1, 2], "x": [1 / 3, np.inf]}),
            "scores/b.parquet": pd.DataFrame({"x": [1.0]}),
        }

    monkeypatch.setattr(pipeline, "STEPS", {"one": run})
    out = tmp_path / "out"
    assert pipeline.build(tmp_path, out, progress=False) == {"one": "never run here"}
    assert pipeline.build(tmp_path, out, progress=False) == {}
    assert (out / "a.csv").read_text() == "n,x\n1,0.3333\n2,\n"
    (out / "scores/b.parquet").unlink()
    assert pipeline.build(tmp_path, out, progress=False) == {"one": "scores/b.parquet is missing"}
    assert pipeline.build(tmp_path, out, fresh=True) == {"one": "asked for"}
    assert len(calls) == 3
    assert json.loads((out / pipeline.BUILT).read_text()).keys() == {"one"}
    with pytest.raises(UserError, match="step: found two, expected some of one"):
        pipeline.build(tmp_path, out, only=["two"])


def test_a_missing_panel_is_named(tmp_path):
    with pytest.raises(UserError, match=r"baci_pairs_2000_2020\.parquet: not found"):
        pipeline.build(tmp_path, tmp_path / "out", only=["priors"])


def test_a_users_own_panel_has_priors_and_scores(tmp_path):
    levels = panel(seed=14, series=200, years=12)
    names = [f"P{k}" for k in range(200)]
    wide = pd.DataFrame(np.exp(levels.log), columns=levels.years).assign(partner=names)
    tidy = wide.melt("partner", var_name="year", value_name="value_usd").dropna()
    tidy = tidy.assign(reporter="AAA", flow="export", year=tidy["year"].astype(int))
    tidy.to_parquet(tmp_path / "mine.parquet")
    found = trade_scores.score_panel(tmp_path / "mine.parquet")
    assert {"eb", "eb_past_errors", "base_rate", "log_walk", "drift"} == set(found.events["model"])
    assert found.intervals["cover80"].between(0, 1).all()
    table = classes.panel_priors(tmp_path / "mine.parquet")
    prior = reference.prior_for(2e8, 2006, table=table)
    assert prior.source.startswith("mine, years to 2006")


# What the notebooks claim from the kept scores


def kept_scores(name: str) -> pd.DataFrame:
    return pd.read_parquet(reference.reference_folder() / "scores" / f"{name}.parquet")


def mean(frame: pd.DataFrame, column: str) -> pd.Series:
    weighed = frame.assign(x=frame[column] * frame["n"]).groupby("model")[["x", "n"]].sum()
    return weighed["x"] / weighed["n"]


def test_intervals_on_trade_and_competitions_cover_what_they_say():
    trade, contest = kept_scores("trade_intervals"), kept_scores("contest_intervals")
    parts = [trade, *(part for _, part in contest.groupby("panel"))]
    for part in parts:
        assert 0.77 <= mean(part, "cover80")["eb"] <= 0.83
        assert 0.92 <= mean(part, "cover95")["eb"] <= 0.97
    assert 0.77 <= mean(trade, "cover80")["eb_past_errors"] <= 0.83
    assert 0.92 <= mean(trade, "cover95")["eb_past_errors"] <= 0.97


def test_goals_of_25_percent_at_origins_2010_to_2015():
    """Better than the panel's own base rate, than drift and than a driftless walk at every horizon."""
    events = kept_scores("trade_events").query("reading == 'average' and goal == 0.25")
    events = events[events["origin"].between(2010, 2015)]
    for _, part in events.groupby("horizon"):
        brier = mean(part, "brier")
        rivals = ["log_walk", "drift", *(["base_rate"] if part["horizon"].iloc[0] <= 8 else [])]
        assert (brier["eb_past_errors"] < brier[rivals]).all()


def test_verdicts_at_their_word_are_worse_than_the_base_rate_and_the_probability_is_better():
    verdicts = kept_scores("verdicts").query("base_year >= 2005")
    brier = mean(verdicts, "brier")
    assert (brier[["Eurostat", "UN", "ESCAP anticipated", "SDSN"]] > brier["base_rate"]).all()
    assert (brier["eb"] < brier.drop(["eb", "eb_past_errors"])).all()


def test_kept_scores_of_a_competition_can_be_computed_again():
    events, intervals = trade_scores.score_contest("Tourism")
    for fresh, name in ((events, "contest_events"), (intervals, "contest_intervals")):
        kept = kept_scores(name).query("panel == 'Tourism'").reset_index(drop=True)
        pd.testing.assert_frame_equal(fresh, kept, rtol=1e-4, check_dtype=False)


def test_kept_results_stay_small():
    files = [path for path in reference.reference_folder().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
