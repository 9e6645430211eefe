"""Rolling origins: no leak, calibrated where the model is true, and the kept scores that notebooks quote."""

import json

import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st
from sampling import dear

from lib import law, reference
from lib.analysis import register
from lib.errors import UserError
from lib.figures import load_targets
from lib.goals import READINGS, Goal
from lib.research import backtest, pipeline, rival_scores, trade_scores
from lib.research.panels import Levels


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


@dear
@given(st.integers(0, 2**32 - 1), st.integers(2006, 2015))
def test_forecasts_and_base_rates_know_nothing_after_the_origin(seed, origin):
    clean = panel()
    fits = [backtest.fit_all(x, origin) for x in (clean, corrupt(clean, origin, seed))]
    for name in (reference.USED, "log_walk", "drift"):
        for field, one, other in zip(
            law.Posterior._fields, *(fitted.models[name] for fitted in fits), strict=True
        ):
            np.testing.assert_array_equal(one, other, err_msg=f"{name} {field}")
    shares = [
        backtest.count_starts(x, "average", 2, True).share(origin, 2)
        for x in (clean, corrupt(clean, origin, seed))
    ]
    np.testing.assert_array_equal(*shares)


def test_the_reference_class_ends_a_year_before_the_origin():
    """The last year's growth of others is not out; the flow's own is."""
    clean = panel()
    later = clean._replace(log=clean.log.copy())
    later.log[1:, -1] += 3.0
    later = later._replace(growth=np.diff(later.log, axis=1))
    one, other = (backtest.fit_all(x, 2020, sized=False).models[reference.USED] for x in (clean, later))
    assert float(other.mean[0]) == float(one.mean[0]) and float(other.variance[0]) == float(one.variance[0])
    assert abs(float(other.mean[1]) - float(one.mean[1])) > 0.003


def test_probabilities_do_not_depend_on_the_unit():
    """Without size classes, which need dollars, a thousandfold unit changes nothing to 1e-12."""
    p = [
        backtest.chance(backtest.fit_all(x, 2015, sized=False).models[reference.USED], reading, 3, [0.1])
        for x in (panel(), panel(scale=1000.0))
        for reading in READINGS
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


def test_forecasts_are_calibrated_where_the_model_is_nearly_true():
    """The panel's growth has one variance a flow and no drift of 4 %: the law, which doubts both, is a little wide."""
    levels = panel(seed=5, series=3000)
    batch = backtest.batch(levels, backtest.fit_all(levels, 2015), "average", 3, False)
    spread = backtest.score_intervals(batch, 3).query("model == 'law'")
    means = {
        name: np.average(spread[name], weights=spread["n"]) for name in (*reference.COVERS, "above", "z")
    }
    for nominal in backtest.NOMINAL:
        assert nominal - 0.02 <= means[f"cover{100 * nominal:.0f}"] <= nominal + 0.06
    assert means["above"] == pytest.approx(0.5, abs=0.03)
    assert means["z"] == pytest.approx(0.0, abs=0.05)


def test_crps_is_the_integral_of_squared_errors():
    of = law.posterior([0.1, 0.3, -0.2, 0.15, 0.05], reference.Prior(0.05, 0.03, 0.04, 5.0, "", -0.3))
    x = np.linspace(-60, 60, 400_001)
    below = 1 - law.p_reach(of, x, 3)
    for outcome in (-0.7, 0.1, 1.2):
        integral = np.sum((below - (x >= outcome)) ** 2) * (x[1] - x[0])
        assert float(backtest._crps(of, np.array(outcome), 3, backtest._mean_gap(of))) == pytest.approx(
            integral, abs=2e-4
        )


def test_crps_and_coverage_are_those_of_each_flow_alone():
    levels = panel(seed=13, series=60)
    one = backtest.fit_all(levels, 2015)
    batch = backtest.batch(levels, one, "average", 3, False)
    found = backtest.score_intervals(batch, 3).query("model == 'law'")
    model, y = batch.models["law"], 3 * batch.outcome
    assert np.average(found["crps"], weights=found["n"]) == pytest.approx(
        backtest._crps(model, y, 3, backtest._mean_gap(model)).mean()
    )
    below = 1 - law.p_reach(model, y, 3)
    inside = (below >= 0.1) & (below <= 0.9)
    assert np.average(found["cover80"], weights=found["n"]) == pytest.approx(inside.mean())


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25])
def test_readings_from_paths_are_those_of_the_law(rate):
    """A few hundred paths a flow: single chances within 0.04, without bias."""
    levels = panel(seed=6, series=40)
    of = backtest.fit_all(levels, 2015).models["law"]
    goal, nothing = Goal(rate, 2015, 2018, 1.0, "USD", ""), pd.Series(dtype=float)
    apart = []
    for row in range(12):
        one = law.from_posterior(backtest.select(of, row), 2015, 1.0, 3)
        exact = law.chances(one, goal, nothing)
        found = [backtest.chance(backtest.select(of, [row]), r, 3, [rate])[0, 0] for r in exact.index]
        apart.append(found - exact)
    assert np.abs(apart).max() < 0.04 and np.abs(np.mean(apart, axis=0)).max() < 0.01


def test_the_law_beats_base_rate_flat_prior_and_one_half_where_it_is_nearly_true():
    levels = panel(seed=7, series=3000)
    base = {"base_rate": backtest.count_starts(levels, "average", 3, False).share(2014, 3)}
    batch = backtest.batch(levels, backtest.fit_all(levels, 2015), "average", 3, False)
    found = backtest.score_events(batch, "average", 3, base)
    brier = found.groupby("model").apply(lambda x: np.average(x["brier"], weights=x["n"]))
    assert brier["law"] < brier.drop("law").min()
    assert (found[found["model"] == "half"]["brier"] == 0.25).all()


def test_the_log_walk_does_not_drift():
    rates = np.array([[0.5, 0.6, 0.4, 0.5], [0.1, np.nan, -0.2, 0.3]])
    model = backtest._walk(rates)
    assert law.location(model, 4).tolist() == [0, 0]
    assert model.variance == pytest.approx([np.mean(rates[0] ** 2), 0.14 / 3])
    assert law.years_worth(model, 4) == pytest.approx([2, 2])


def test_pooling_weighs_by_the_number_of_forecasts():
    frame = pd.DataFrame({"horizon": 1, "origin": [1, 2], "model": "law", "brier": [0.1, 0.4], "n": [30, 10]})
    assert trade_scores._pool(frame, ["origin"])["brier"].iloc[0] == pytest.approx(0.175)


# Verdicts, register, competitors


def test_class_frequencies_use_only_deadlines_that_had_passed():
    rows = [(base, 3, 0.25, "on track", hit) for base in range(2002, 2012) for hit in (base < 2005, False)]
    readings = pd.DataFrame(rows, columns=["base_year", "read_after", "goal", "class", "hit"])
    found = trade_scores._known_share(readings, ["read_after", "goal", "class"])
    by_year = found.groupby(readings["base_year"]).first()
    assert by_year.loc[:2004].isna().all()  # read in 2007 or before, when no outcome of 2007 was out
    assert by_year[2005] == pytest.approx((1 + 0.5) / (2 + 1))
    assert by_year[2011] == pytest.approx((3 + 0.5) / (2 * 7 + 1))


def test_the_register_is_scored_with_what_was_known_at_announcement(scored_register):
    kept = pd.read_csv(reference.reference_folder() / "register_scores.csv")
    assert kept["target_id"].tolist() == scored_register["target_id"].tolist()
    np.testing.assert_allclose(kept["p_law"], scored_register["p_law"], rtol=1e-3)
    later = load_targets().assign(met="yes")
    early = scored_register["announced"] <= scored_register["announced"].min()
    changed = register.score_register(later[later["target_id"].isin(scored_register["target_id"])])
    assert (changed["p_law"] == scored_register["p_law"]).all()  # outcomes do not enter
    assert (changed["p_base_known"][early] == 0.5).all()


def test_a_higher_goal_is_less_likely_in_the_register():
    low = load_targets()
    low = low[low["target_id"] == "HLJ-RU-2010-14bn"]
    high = low.assign(implied_growth_pct_per_year=low["implied_growth_pct_per_year"] + 10)
    p = [register.score_register(x)["p_law"].iloc[0] for x in (low, high)]
    assert 0 < p[1] < p[0] < 1


def test_register_summary_and_calibration_add_up(scored_register):
    assert made("04", "met_by")(scored_register["due"], scored_register)["n"].sum() == len(scored_register)
    summary = register.summarise(scored_register).set_index("group")
    parts = summary.loc[["trade with one country", "trade with the world"]]
    assert parts["n"].sum() == summary.loc["all", "n"]
    expected = ((scored_register["p_law"] - scored_register["met"]) ** 2).mean()
    assert summary.loc["all", "brier_law"] == pytest.approx(expected)


def test_competitors_see_consecutive_years_up_to_the_origin_only():
    log = np.array([[1.0, np.nan, 2.0, 3.0], [0.0, 1.0, 2.0, 4.0]])
    found = [rival_scores._recent(series) for series in log]
    assert found[0] == pytest.approx(np.exp([-1, 0]))
    assert found[1] == pytest.approx(np.exp([-4, -3, -2, 0]))


def test_contests_are_the_published_series():
    m3, tourism = trade_scores.load_contest("M3"), trade_scores.load_contest("Tourism")
    assert (len(m3.log), m3.years[-1]) == (645, 6)
    assert (len(tourism.log), tourism.years[-1]) == (518, 4)
    assert np.exp(m3.log[0, np.searchsorted(m3.years, 0)]) == pytest.approx(4936.99)


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
    assert pipeline.build(tmp_path, out) == {"one": "never run here"}
    assert pipeline.build(tmp_path, out) == {}
    assert (out / "a.csv").read_text() == "n,x\n1,0.3333\n2,\n"
    (out / "scores/b.parquet").unlink()
    assert pipeline.build(tmp_path, out) == {"one": "scores/b.parquet is missing"}
    assert pipeline.build(tmp_path, out, fresh=True) == {"one": "asked for"}
    assert len(calls) == 3
    assert json.loads((out / pipeline.BUILT).read_text()).keys() == {"one"}
    with pytest.raises(UserError, match="step: found two, expected some of one"):
        pipeline.build(tmp_path, out, only=["two"])


def test_a_missing_panel_is_named(tmp_path):
    with pytest.raises(UserError, match=r"baci_pairs_2000_2020\.parquet: not found"):
        pipeline.build(tmp_path, tmp_path / "out", only=["priors"])


def test_every_competitor_answers_every_horizon():
    record = np.exp(np.cumsum(np.random.default_rng(15).normal(0.05, 0.2, 16)))
    found = rival_scores._fit_one(record)
    assert set(found) == {*rival_scores.NAMES, "pool"}
    members = np.mean([found[name][0] for name in rival_scores.NAMES], axis=0)
    assert found["pool"][0] == pytest.approx(members, abs=1e-6)  # the linear pool
    for name, (chances, fallback) in found.items():
        assert fallback in (True, False), name
        assert chances.shape == (len(rival_scores.HORIZONS), len(backtest.GOALS))
        assert (np.diff(chances, axis=1) <= 0).all(), name  # a higher goal is no likelier
        assert ((chances > 0) & (chances < 1)).all(), name


# What the notebooks claim from the kept scores


def kept_scores(name: str) -> pd.DataFrame:
    return pd.read_parquet(reference.reference_folder() / "scores" / f"{name}.parquet")


def mean(frame: pd.DataFrame, column: str) -> pd.Series:
    weighed = frame.assign(x=frame[column] * frame["n"]).groupby("model")[["x", "n"]].sum()
    return weighed["x"] / weighed["n"]


LARGE = "size_class >= 5"  # 2 bn USD and more


def test_intervals_on_trade_cover_what_they_say():
    trade = kept_scores("trade_intervals")
    assert 0.78 <= mean(trade, "cover80")["law"] <= 0.83
    assert 0.93 <= mean(trade, "cover95")["law"] <= 0.96
    assert 0.75 <= mean(kept_scores("trade_intervals_by_size").query(LARGE), "cover80")["law"] <= 0.85


def test_the_readme_tells_the_kept_scores_of_the_law():
    """The column "now" of its table of the forecast before the one law, and with it."""
    text = (reference.reference_folder() / "README.md").read_text(encoding="utf-8")
    table = text.split("### Before the one law, and with it")[1].split("###")[0]
    cells = [
        [cell.strip() for cell in line.split("|")] for line in table.splitlines() if line.count("|") == 6
    ]
    now = {row[1]: row[3] for row in cells}
    trade, sized = kept_scores("trade_intervals"), kept_scores("trade_intervals_by_size").query(LARGE)
    for name, rows, column in (
        ("80 % interval held", trade, "cover80"),
        ("95 % interval held", trade, "cover95"),
        ("80 %, flows of 2 bn USD and more", sized, "cover80"),
        ("95 %, the same", sized, "cover95"),
    ):
        assert now[name] == f"{100 * mean(rows, column)['law']:.1f} %"
    assert float(now["CRPS"]) == pytest.approx(mean(trade, "crps")["law"], abs=5e-4)
    assert float(now["CRPS, 2 bn and more"]) == pytest.approx(mean(sized, "crps")["law"], abs=5e-4)
    events = kept_scores("trade_events").query("reading == 'average' and horizon <= 5")
    for goal in (0.10, 0.25):
        brier = mean(events[np.isclose(events["goal"], goal)], "brier")["law"]
        assert float(now[f"Brier, +{100 * goal:.0f} %, 1 to 5 years"]) == pytest.approx(brier, abs=5e-5)


@pytest.mark.parametrize("goal", [0.10, 0.25])
@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 5])
def test_the_forecast_is_not_above_a_base_rate_the_walk_or_one_half(goal, horizon):
    rows = kept_scores("trade_events").query("reading == 'average' and horizon == @horizon")
    rows = rows[np.isclose(rows["goal"], goal)]
    brier = mean(rows, "brier")
    assert (brier["law"] <= brier[["base_rate_long", "log_walk", "drift", "half"]]).all()
    known = rows[rows["origin"].isin(rows.loc[rows["model"] == "base_rate", "origin"])]  # not at every origin
    brier = mean(known, "brier")
    assert brier["law"] <= brier["base_rate"]


def test_verdicts_at_their_word_are_far_worse_than_the_probability():
    verdicts = kept_scores("verdicts").query("base_year >= 2006")
    brier = mean(verdicts, "brier")
    at_their_word = brier[["Eurostat", "UN", "ESCAP anticipated", "SDSN"]]
    assert (at_their_word > 1.5 * brier["law"]).all() and (
        at_their_word.drop("SDSN") > brier["base_rate"]
    ).all()
    assert (brier["law"] < brier.drop("law")).all()


def test_kept_scores_of_a_competition_can_be_computed_again():
    events, intervals = trade_scores._score_contest("Tourism")
    for fresh, name in ((events, "contest_events"), (intervals, "contest_intervals")):
        kept = kept_scores(name).query("panel == 'Tourism'").reset_index(drop=True)
        pd.testing.assert_frame_equal(fresh, kept, rtol=1e-4, check_dtype=False)


def test_kept_results_stay_small():
    files = [path for path in reference.reference_folder().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
