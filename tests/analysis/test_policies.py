"""What 07 and 08 say: for every flow and day, by rule, without what came after the day; and the kept studies."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from cells import made
from sampling import exhaustive, some
from test_movers import currency_parts

from lib import figures as fig
from lib import plots
from lib.analysis import movers, policies, trends
from lib.analysis.cases import DriverCase, PolicyCase
from lib.analysis.policies import _read_policies, _Step
from lib.errors import UserError
from lib.reference import read_kept
from lib.research import panels, studies

pytestmark = pytest.mark.usefixtures("tables_read_once")


NAMED = ["rouble cash centre", "settlement centre", "flights and cargo routes", "Expo", "bonded zone"]
"""The policies of the article of April 2014."""


def flows() -> list[tuple[str, str, str]]:
    table = fig.load_figures()
    return sorted(set(zip(table["reporter"], table["partner"], table["flow"], strict=True)))


def case_of(flow: tuple[str, str, str], day: str) -> DriverCase | None:
    reporter, partner, kind = flow
    try:
        return DriverCase.check({"reporter": reporter, "partner": partner, "flow": kind, "as_of": day})
    except UserError:  # the day knew no level
        return None


@pytest.fixture(scope="module")
def view() -> movers.View:
    return movers.look(DriverCase())


@pytest.fixture(scope="module")
def policy_view() -> policies.View:
    return policies.look(PolicyCase())


# --- 07 ---


@exhaustive
@pytest.mark.parametrize("day", ["2009-06-30", "2014-04-15", "2026-11-24"])
def test_every_flow_of_the_record_gives_numbers_or_none(day):
    for flow in some(flows(), 7):
        case = case_of(flow, day)
        if case is None:
            continue
        found = movers.look(case)
        table = movers.with_drivers(found.usd, found.drivers)
        scores = movers.summary(movers.forecasts(found.usd, found.drivers))
        best, gains = trends.find_break(found.run, found.case.trim), made("07", "gains", scores=scores)
        for facts in (best, gains):
            assert not any(isinstance(value, float) and np.isnan(value) for value in facts.values()), flow
        assert currency_parts(found).notna().all(axis=None)
        assert movers.coefficients(table).notna().all(axis=None)
        assert len(trends.partitions(found.run, found.case.trim)) == 0 or best["kind"] != "short"
        assert parts_of_whole(found).get("share", pd.Series()).notna().all()
        assert both_flows(found).notna().all(axis=None)
        assert made("07", "apart", view=found, set_aside=found.case.set_aside).notna().all(axis=None)


def parts_of_whole(view: movers.View) -> pd.DataFrame:
    """Each smaller flow in the next larger one, as notebook 07 shows it."""
    return made("07", "within", view=view)


def both_flows(view: movers.View) -> pd.DataFrame:
    """Exports and imports of the subject, as notebook 07 shows them."""
    return made("07", "both", view=view, case=view.case, flow=view.case.flow)


def test_the_longest_run_of_growth_decides_what_is_read(view):
    assert list(view.family) == ["Harbin", "Heilongjiang", "China"]
    assert view.subject == "China"
    assert list(view.run.index) == list(range(2002, 2026))


def test_the_longest_run_is_unbroken_and_the_later_of_two():
    levels = pd.Series(1.0, index=[2000, 2001, 2002, 2004, 2005, 2006, 2009])
    assert list(movers._longest_run(levels).index) == [2005, 2006]
    assert movers._longest_run(levels.iloc[:0]).empty


def test_currency_prices_and_quantity_add_up_in_the_table(view):
    parts = currency_parts(view)
    np.testing.assert_allclose(parts[["yuan", "prices", "real"]].sum(axis=1), parts["growth"], atol=1e-12)


def test_contributions_of_parts_add_up_to_the_growth_of_the_whole(view):
    shown = parts_of_whole(view).dropna()
    assert len(shown) > 10
    np.testing.assert_allclose(shown["from_part"] + shown["from_rest"], shown["growth"], atol=1e-12)
    both = both_flows(view)
    np.testing.assert_allclose(both["export"] + both["import"], both["growth"], atol=1e-12)


def test_the_year_set_aside_is_the_pipelines_and_its_growth_the_published_one(view):
    """18.99 after 7.47 USD bn: the first year of the pipeline, data/figures.csv."""
    row = made("07", "apart", view=view, set_aside=2011).set_index("name").loc["Heilongjiang"]
    assert row["in_year"] == pytest.approx(1.542, abs=5e-4)
    assert row["without_year"] < row["with_year"]


def test_a_view_knows_nothing_that_came_after_its_day(monkeypatch):
    before = movers.look(DriverCase.check({"as_of": "2014-04-15"}))
    covariates = fig.load_covariates()
    late = covariates["year"] >= 2014
    corrupted = covariates.assign(value=covariates["value"].where(~late, covariates["value"] * 7))
    monkeypatch.setattr(fig, "load_covariates", lambda: corrupted)
    after = movers.look(DriverCase.check({"as_of": "2014-04-15"}))
    pd.testing.assert_frame_equal(after.drivers, before.drivers)
    pd.testing.assert_frame_equal(currency_parts(after), currency_parts(before))
    assert after.drivers.index.max() == 2013
    fuels = made("07", "fuels", view=after, case=after.case, reporter=after.case.reporter)
    assert fuels.index.max() == 2013
    assert before.usd.index.max() <= 2013


def test_few_forecasts_are_not_compared():
    found = movers.look(DriverCase.check({"as_of": "2014-04-15"}))
    scores = movers.summary(movers.forecasts(found.usd, found.drivers))
    assert made("07", "gains", scores=scores) == {"n": 2, "kind": "few"}
    assert made("07", "gains", scores=pd.DataFrame()) == {"n": 0, "kind": "without"}


@pytest.mark.parametrize(
    ("known", "foreseen", "kind", "foresight"),
    [(1.01, 0.95, "worse", "little"), (0.96, 0.5, "nothing", "much"), (0.8, 0.91, "some", "little")],
)
def test_a_gain_is_named_by_its_size(known, foreseen, kind, foresight):
    crps = {"core": 1, "walk": 2, "oil, known": known, "all, known": 3, "oil, foresight": foreseen}
    scores = pd.DataFrame({"crps": crps | {"all, foresight": 4}, "years": 16})
    found = made("07", "gains", scores=scores)
    assert (found["kind"], found["foresight"], found["n"]) == (kind, foresight, 16)
    assert (found["gain"], found["told"]) == (pytest.approx(1 - known), pytest.approx(1 - foreseen))


def test_the_figure_of_what_growth_was_made_of_is_drawn_or_left_out(view):
    drawn = plots.stacked(currency_parts(view), {"yuan": "a", "prices": "b", "real": "c"}, "points", "x")
    nothing = view.usd.iloc[:0]
    empty = view._replace(usd=nothing, family={"Harbin": nothing}, subject="Harbin", run=nothing)
    assert (
        plots.stacked(currency_parts(empty), {"yuan": "a", "prices": "b", "real": "c"}, "points", "x") is None
    )
    close([drawn])


def close(figures: list) -> None:
    import matplotlib.pyplot as plt

    for figure in figures:
        plt.close(figure)


# --- 08: the policies ---


def test_every_policy_of_the_article_has_its_row(policy_view):
    assert list(_read_policies(fig.load_events()).query("named")["policy"].unique()) == NAMED
    found = policy_view.evidence.query("named")
    assert list(found["policy"]) == NAMED
    assert set(found["conclusion"]) == {policies.KNOWN_NOTHING}


@pytest.mark.parametrize(
    "policy",
    list(_read_policies(fig.load_events()).itertuples()),
    ids=lambda one: f"{one.policy} {one.reporter}",
)
def test_every_policy_is_read_where_its_event_was_felt(policy):
    events = fig.load_events()
    event = events[events["policy"] == policy.policy].squeeze()  # one row, or this is no Series
    scopes = {"China": "national", "Harbin": "Harbin", "Heilongjiang": "Heilongjiang"}
    # An event of the country is also read on the province, where the pipelines, bridges and crossings are.
    assert any(scopes[name] in event["scope"] for name in event["reporters"].split("; "))
    assert policy.reporter in event["reporters"]
    if policy.study:
        assert policy.study in set(read_kept("policy_tests.csv")["event"])


def test_only_one_policy_has_no_dated_event_and_only_policies_have_reporters():
    events = fig.load_events()
    assert list(events.loc[events["date"] == "", "policy"]) == ["settlement centre"]
    about = events[["reporters", "study"]].ne("").any(axis=1) | events["named"] | events["fuels"]
    assert (about <= events["policy"].ne("")).all()


def test_a_policy_of_an_unknown_reporter_is_refused():
    events = fig.load_events().replace({"reporters": {"Harbin": "Harbn"}})
    with pytest.raises(
        UserError, match=r'events.csv:2: reporters: found "Harbn", expected names of reporters'
    ):
        _read_policies(events)


@pytest.mark.parametrize(
    ("date", "year", "when"),
    [
        ("2011-01-01", 2011, 2011.0),
        ("2014-06-30", 2014, 2014.4946),
        ("2013-11-26", 2014, 2013.9005),
        ("2010", 2011, 2010.5),
    ],
)
def test_an_event_counts_from_the_year_that_it_could_mostly_fill(date, year, when):
    assert policies._first_years(pd.Series([date])).to_list() == [year]
    view = SimpleNamespace(events=pd.DataFrame({"policy": ["x"], "date": pd.Series([date], dtype="str")}))
    assert made("08", "months", "events", view=view)["when"].to_list() == pytest.approx([when], abs=1e-4)


CONTROLS = read_kept("policy_tests.csv").query("event == 'pipeline 2011'")
NO_CONTROLS = CONTROLS.iloc[:0]


def steps(p: float, beside_oil: float | None, *lows: float) -> tuple[_Step | None, _Step | None]:
    """A step and the same beside oil, with these p-values; or across a gap, with these ends of their intervals."""
    if lows:
        return tuple(_Step(0.5, low, 0.9) for low in lows)
    return tuple(None if one is None else _Step(0.5, 0.1, 0.9, one, 20, 1) for one in (p, beside_oil))


@pytest.mark.parametrize(
    ("found", "controls", "conclusion"),
    [
        (steps(0.5, 0.5), NO_CONTROLS, policies.ORDINARY),
        (steps(0.01, 0.5), NO_CONTROLS, policies.WITH_OIL),
        (steps(0.01, None), NO_CONTROLS, policies.WITH_OIL),
        (steps(0.01, 0.01), NO_CONTROLS, policies.STANDS_OUT),
        (steps(0.01, 0.01), CONTROLS, policies.ORDINARY),  # no pool of donors agrees
        ((None, None), NO_CONTROLS, policies.KNOWN_NOTHING),
        (steps(1, 1, 0.1, 0.1), NO_CONTROLS, policies.STANDS_OUT),
        (steps(1, 1, 0.1, -0.1), NO_CONTROLS, policies.WITH_OIL),
    ],
)
def test_conclusions_follow_by_rule(found, controls, conclusion):
    assert policies._conclude(*found, controls, 0.05) == conclusion


def test_controls_speak_to_the_trade_of_the_country_alone(policy_view):
    rows = policy_view.evidence.query("policy == 'crude pipeline'").set_index("reporter")
    assert rows.loc["China", "p_low"] == CONTROLS["p"].min() and np.isnan(rows.loc["Heilongjiang", "p_low"])


def test_one_step_stands_out(policy_view):
    found = policy_view.evidence
    out = found[found["conclusion"] == policies.STANDS_OUT]
    assert out[["policy", "reporter", "year"]].to_numpy().tolist() == [
        ["crude pipeline", "Heilongjiang", 2011]
    ]
    assert found["tested"].sum() == 14
    tested = found[found["tested"]]
    assert (tested["low"] < tested["effect"]).all() and (tested["effect"] < tested["high"]).all()
    assert (tested["p"].notna() == tested["rank"].notna()).all() and (tested["low"] > -1).all()


def test_an_event_after_the_day_had_not_begun(monkeypatch):
    view = policies.look(PolicyCase.check({"as_of": "2014-04-15"}))
    later = view.evidence[view.evidence["policy"].isin(["Expo", "bonded zone", "war and sanctions"])]
    assert set(later["conclusion"]) == {policies.NOT_YET} and set(later["date"]) == {""}
    assert (view.events["date"].str[:4].astype(int) <= 2014).all()
    assert max(level.index.max() for level in view.levels.values()) == 2013
    assert set(view.tests["event"]) == {"pipeline 2011"}
    covariates = fig.load_covariates()
    corrupted = covariates.assign(value=covariates["value"].where(covariates["year"] < 2014, 1.0))
    monkeypatch.setattr(fig, "load_covariates", lambda: corrupted)
    pd.testing.assert_frame_equal(
        policies.look(PolicyCase.check({"as_of": "2014-04-15"})).evidence, view.evidence
    )


@pytest.mark.parametrize(
    "values",
    [
        {"reporter": "Russia", "partner": "China"},
        {"partner": "World"},
        {"reporter": "China", "flow": "export"},
    ],
)
def test_other_flows_are_answered(values):
    view = policies.look(PolicyCase.check(values))
    assert view.evidence.empty == ("flow" not in values)
    assert view.weights["event"].isin(view.tests["event"]).all()


def timeline(view: policies.View) -> pd.DataFrame:
    """The events as notebook 08 hands them to the figure."""
    return made("08", "months", "events", view=view)


def test_before_the_first_event_there_is_an_empty_timeline():
    view = policies.look(PolicyCase.check({"reporter": "Heilongjiang", "as_of": "2008-01-01"}))
    events = timeline(view)
    assert events.empty and "when" in events
    assert set(view.evidence["conclusion"]) == {policies.NOT_YET}
    plots.use_style()
    close([plots.timeline(view.levels, events, "USD", "x")])
    assert plots.timeline({"nothing": pd.Series(dtype=float)}, events, "USD", "x") is None


@pytest.mark.parametrize(
    ("flow", "exporters"), [("total", {"RUS", "CHN"}), ("export", {"CHN"}), ("import", {"RUS"})]
)
def test_synthetic_controls_are_of_the_flow_that_is_asked_about(flow, exporters):
    view = policies.look(PolicyCase.check({"reporter": "China", "flow": flow}))
    assert set(view.tests["exporter"]) == exporters


@pytest.mark.parametrize("bad", [{"level_pct": 7}, {"span": 0}])
def test_a_wrong_level_or_span_is_refused(bad):
    with pytest.raises(UserError, match=next(iter(bad))):
        PolicyCase.check(bad)


def test_the_timeline_of_08_is_drawn_and_each_event_has_all_pools(policy_view):
    plots.use_style()
    close([plots.timeline(policy_view.levels, timeline(policy_view), "USD", "x")])
    for _, part in policy_view.gaps.groupby(["event", "exporter", "importer"]):
        assert set(part["pool"]) == set(studies.POOLS)


# --- the kept studies ---


def test_kept_fuel_contributions_add_up():
    kept = read_kept("fuel_split.csv")
    total = kept[["fuel_price", "fuel_volume", "other"]].sum(axis=1)
    np.testing.assert_allclose(total, kept["growth"], atol=6e-4)  # kept with four digits
    assert kept["fuel_share"].between(0, 1).all()


def test_kept_weights_are_shares_and_placebos_keep_to_their_level():
    weights = read_kept("policy_weights.csv")
    totals = weights.groupby(["event", "exporter", "importer", "pool"])["weight"].sum()
    assert totals.between(0.95, 1.001).all()  # donors below 1 % are left out, four digits are kept
    rates = read_kept("placebo_rates.csv").set_index(["size_class", "before", "chosen"])
    shares = rates["rejected"].unstack()
    counts = rates["n"].unstack()
    # At random the level is kept, within three standard errors; after a boom it is exceeded in every row.
    assert (np.abs(shares["any"] - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / counts["any"])).all()
    assert (shares["boom"] > 2 * 0.05).all()


def test_a_planted_step_is_found_against_every_pool(tmp_path):
    """A to B steps up by one log unit in 2011; nothing else does anything but wander."""
    rng = np.random.default_rng(4)
    pairs = [
        ("AAA", "BBB"),
        *(("AAA", f"X{i:02}") for i in range(12)),
        *((f"Y{i:02}", "BBB") for i in range(12)),
    ]
    pairs += [(f"V{i:02}", f"W{i:02}") for i in range(12)]
    years = np.arange(2000, 2014)
    log = np.log(2e8) + np.cumsum(0.02 * rng.standard_normal((len(pairs), len(years))), axis=1)
    log[0] += years >= 2011
    rows = [
        {"reporter": a, "partner": b, "flow": "export", "year": year, "value_usd": float(np.exp(value))}
        for (a, b), path in zip(pairs, log, strict=True)
        for year, value in zip(years, path, strict=True)
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / panels.BACI.file)
    found = studies.policy_study(tmp_path, events=[studies.Event("planted", "AAA", "BBB", 2011, 3)])
    tests = found["policy_tests.csv"]
    assert list(tests["pool"]) == list(studies.POOLS)
    np.testing.assert_allclose(tests["effect"], 1, atol=0.2)
    np.testing.assert_allclose(tests["p"], 1 / 13)  # the flow and twelve donors
    assert (tests["earlier_p"] > 1 / 13).all()
    assert found["policy_weights.csv"].groupby("pool")["weight"].sum().between(0.9, 1 + 1e-9).all()


@exhaustive
def test_kept_studies_can_be_computed_again(panel_folder):
    events = some(studies.EVENTS, 3)
    fresh = {**studies.policy_study(panel_folder, events=events), **studies.fuel_study(panel_folder)}
    names = pd.DataFrame([(one.name, one.exporter, one.importer) for one in events])
    names = names.set_axis(["event", "exporter", "importer"], axis=1)
    for name, table in fresh.items():
        kept = read_kept(name)
        kept = kept.merge(names) if "event" in kept else kept
        numbers = table.select_dtypes("number").columns
        np.testing.assert_allclose(kept[numbers], table[numbers], rtol=2e-3, atol=1e-4, err_msg=name)


@pytest.fixture(scope="module")
def levels(panel_folder):
    return panels.load(panels.BACI, panel_folder)


def test_donors_are_chosen_by_years_before_the_event_alone(levels):
    event = studies.EVENTS[0]
    late = levels.years >= event.year
    shaken = levels.log.copy()
    shaken[:, late] += np.random.default_rng(0).standard_normal((len(shaken), late.sum()))
    for pool in studies.POOLS:
        flow, donors = studies._find_donors(levels, event, pool)
        again = studies._find_donors(levels._replace(log=shaken), event, pool)
        assert again[0] == flow
        np.testing.assert_array_equal(again[1], donors)


def test_a_placebo_year_can_be_computed_again(levels):
    once, twice = (studies._one_year(levels, 4, 6, 2010) for _ in range(2))
    pd.testing.assert_frame_equal(once, twice)
    assert set(once["chosen"]) == {"any", "boom"} and once["p"].between(1 / 40, 1).all()
