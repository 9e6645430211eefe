"""What changed between two days: the parts add up, each is what its figure moved, and no later figure leaks in."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cells import made
from sampling import exhaustive, some

from lib import cases, outlook, plots
from lib import figures as fig
from lib.analysis import replay
from lib.analysis.cases import CompareCase
from lib.cases import GoalCase
from lib.errors import UserError
from lib.goals import READINGS
from lib.tools.commands import author
from lib.tools.run.matrix import NOTEBOOKS, ON_REQUEST, _model_of, _slug

pytestmark = pytest.mark.usefixtures("tables_read_once")

DEFAULT = CompareCase()
CHINA = CompareCase(
    reporter="China",
    goal="100 USD bn",
    base_year=2010,
    deadline=2015,
    as_of=date(2012, 12, 31),
    until=date(2016, 2, 1),
)
HARBIN = CompareCase(
    reporter="Harbin",
    goal="25 %",
    base_year=2012,
    deadline=2015,
    as_of=date(2014, 4, 15),
    until=date(2017, 1, 5),
)
IN_YUAN = CompareCase(
    reporter="China",
    goal="10 %",
    base_year=2013,
    deadline=2016,
    as_of=date(2015, 2, 1),
    until=date(2018, 1, 31),
    currency="CNY",
)
EVERY = {"province": DEFAULT, "country": CHINA, "city": HARBIN, "yuan": IN_YUAN}
CASES = dict(some(EVERY.items(), 2))


def bars(case: CompareCase, steps: pd.DataFrame) -> pd.DataFrame:
    """The bars that notebook 90 draws."""
    made_of = ("reached", "names", "bars")
    drawn: pd.DataFrame = made("90", *made_of, case=case, steps=steps, reading=case.reading)
    return drawn


@pytest.fixture(scope="module")
def found(tables_read_once: None) -> dict[str, pd.DataFrame]:
    return {name: replay.steps(case) for name, case in CASES.items()}


def directly(case: GoalCase) -> dict[str, float]:
    """Probability of each reading on the day of a case, without any step."""
    answer = outlook.of(case)
    decided = {"met": 1.0, "missed": 0.0}
    return {
        item.reading: decided.get(item.outcome, answer.chances.get(item.reading, np.nan))
        for item in answer.verdicts
    }


def use_record(monkeypatch: pytest.MonkeyPatch, record: pd.DataFrame) -> None:
    """Another table of figures, also for what keeps the rows of a flow."""
    monkeypatch.setattr(fig, "load_figures", lambda: record)
    monkeypatch.setattr(cases, "_record", lambda *flow: fig.select(record, *flow[:3]))


@exhaustive
@pytest.mark.parametrize("name", CASES)
def test_contributions_add_up_to_the_whole_change(found: dict[str, pd.DataFrame], name: str) -> None:
    first, last = directly(CASES[name].on(CASES[name].as_of)), directly(CASES[name].on(CASES[name].until))
    total = replay.contributions(found[name]).sum(skipna=False)
    for reading in READINGS:
        assert total[reading] == pytest.approx(last[reading] - first[reading], abs=1e-12, nan_ok=True)
    assert total.notna().any()


@exhaustive
@pytest.mark.parametrize("name", CASES)
def test_the_state_after_a_day_is_that_of_a_run_on_that_day(
    found: dict[str, pd.DataFrame], name: str
) -> None:
    ends = found[name].drop_duplicates("day", keep="last")
    for step in ends.iloc[[0, len(ends) // 2, -1]].to_dict("records"):
        alone = directly(CASES[name].on(CASES[name].as_of).model_copy(update={"as_of": step["day"]}))
        assert [step[f"p_{reading}"] for reading in READINGS] == pytest.approx(
            [alone[reading] for reading in READINGS], abs=1e-12, nan_ok=True
        )


def test_without_days_between_nothing_changes() -> None:
    case = DEFAULT.model_copy(update={"until": DEFAULT.as_of})
    steps = replay.steps(case)
    assert steps["kind"].to_list() == ["start"]
    assert replay.arrivals(case).empty
    assert replay.contributions(steps).empty
    assert replay.attribution(steps)["what"].to_list() == ["all together"]
    assert bars(case, steps)["high"].to_list() == [steps["p_average"].iloc[0]] * 2


def test_days_without_an_arrival_change_nothing() -> None:
    case = DEFAULT.model_copy(update={"until": date(2008, 6, 18)})
    assert replay.arrivals(case).empty
    assert len(replay.steps(case)) == 1


def test_a_later_figure_changes_no_earlier_step(
    found: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    record, day = fig.load_figures(), pd.Timestamp(2009, 6, 1)
    later = record["known_from"] > day
    tampered = record.assign(value_mn=record["value_mn"].mask(later, record["value_mn"] * 3))
    use_record(monkeypatch, tampered)
    until = date(2009, 12, 31)
    steps = replay.steps(DEFAULT.model_copy(update={"until": until}))
    early, whole = steps["day"] <= day.date(), found["province"]
    pd.testing.assert_frame_equal(steps[early], whole[whole["day"] <= day.date()])
    assert not steps["p_average"].equals(whole[whole["day"] <= until]["p_average"])


def test_a_figure_held_back_is_in_no_level() -> None:
    case = replay._PartialCase(
        **DEFAULT.on(DEFAULT.until).model_dump(), held_back=frozenset(["HLJ-RU-total-2010-a"])
    )
    whole = DEFAULT.on(DEFAULT.until).series()
    assert whole.loc[2010, "figure_id"] == "HLJ-RU-total-2010-a"
    assert 2010 not in case.series().index and len(case.series()) == len(whole) - 1
    assert len(DEFAULT.on(DEFAULT.until).series()) == len(whole)


def test_what_a_figure_moved_is_gone_without_the_figure(
    found: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The level of 2007 moved the goal towards certainty; had no figure of 2007 arrived, no step would be its."""
    case = DEFAULT.model_copy(update={"until": date(2008, 12, 31)})
    whole = found["province"][found["province"]["day"] <= case.until]
    own = whole["figure_id"].str.startswith("HLJ-RU-total-2007")
    assert replay.contributions(whole)["average"][own].max() > 0.2
    record = fig.load_figures()
    use_record(monkeypatch, record[~record["figure_id"].str.startswith("HLJ-RU-total-2007")])
    without = replay.steps(case)
    assert not without["figure_id"].str.startswith("HLJ-RU-total-2007").any()
    later = without["day"] > date(2008, 9, 17)
    assert replay.contributions(without)["average"][later].max() < 0.01


def test_arrivals_are_those_of_the_family_between_the_days_in_order() -> None:
    rows = replay.arrivals(HARBIN)
    assert set(rows["reporter"]) <= {"Harbin", "Heilongjiang", "China"}
    assert set(rows["partner"]) == {"Russia"} and set(rows["flow"]) == {"total"}
    assert rows["known_from"].is_monotonic_increasing
    assert rows["known_from"].between(pd.Timestamp(2014, 4, 16), pd.Timestamp(2017, 1, 5)).all()
    step = timedelta(days=1)
    parts = [
        replay.arrivals(HARBIN.model_copy(update={"until": date(2015, 6, 30)})),
        replay.arrivals(HARBIN.model_copy(update={"as_of": date(2015, 6, 29) + step})),
    ]
    assert sorted(pd.concat(parts)["figure_id"]) == sorted(rows["figure_id"])


def test_every_step_by_a_figure_names_one_that_arrived(found: dict[str, pd.DataFrame]) -> None:
    for name, case in CASES.items():
        arrived = replay.arrivals(case).set_index("figure_id")["known_from"]
        by_figure = found[name][found[name]["kind"] == "figure"]
        assert len(by_figure) > 1 and by_figure["figure_id"].is_unique
        assert (arrived[by_figure["figure_id"]].dt.date.to_numpy() == by_figure["day"].to_numpy()).all()
        assert (by_figure["levels"] != "").all()


def test_the_figures_that_decided_the_provinces_goal(found: dict[str, pd.DataFrame]) -> None:
    shown = replay.attribution(found["province"], ["average"], least=0.05)
    shown = shown.rename(columns={"what": "figure_id", "average": "moved"})
    own = shown[shown["figure_id"].str.startswith("HLJ-")]
    assert {f"HLJ-RU-total-{period}-a" for period in ("2007", "2008m01_m08")} <= set(own["figure_id"])
    assert dict(zip(own["figure_id"], np.sign(own["moved"]), strict=True))["HLJ-RU-total-2007-a"] == 1
    assert dict(zip(own["figure_id"], np.sign(own["moved"]), strict=True))["HLJ-RU-total-2008m01_m08-a"] == -1
    assert own["figure_id"].iloc[-1] == "HLJ-RU-total-2009-a" and own["moved"].iloc[-1] < 0
    last = found["province"].query("figure_id == 'HLJ-RU-total-2010-a'").squeeze()
    assert last["day"] == date(2011, 4, 30)
    before = found["province"].loc[last.name - 1]
    for reading in ("average", "mean_of_rates"):
        assert (before[f"verdict_{reading}"], last[f"verdict_{reading}"]) == ("open", "missed")


def test_time_alone_makes_an_open_goal_unknown_on_its_day(found: dict[str, pd.DataFrame]) -> None:
    unknown = found["city"][(found["city"]["verdict_average"] == "unknown")].iloc[0]
    assert (unknown["day"], unknown["figure_id"]) == (date(2016, 12, 31), "")
    step = found["city"][found["city"]["kind"] == "time"]
    assert date(2016, 12, 31) in step["day"].to_list()


def test_a_probability_that_is_not_known_in_between_is_carried_over() -> None:
    odds = {"average": [0.2, np.nan, 0.5], "every_year": [np.nan, 0.1, 0.3], "mean_of_rates": [np.nan] * 3}
    steps = pd.DataFrame({f"p_{name}": values for name, values in odds.items()})
    moved = replay.contributions(steps)
    assert moved["average"].to_list() == pytest.approx([0, 0.3])
    assert moved["every_year"].to_list() == pytest.approx([np.nan, 0.2], nan_ok=True)
    assert moved["mean_of_rates"].isna().all()


@pytest.mark.parametrize("least", [0.0, 0.001, 0.05, 1.0])
def test_small_moves_are_told_together_and_nothing_is_lost(
    found: dict[str, pd.DataFrame], least: float
) -> None:
    for name in CASES:
        for reading in READINGS:
            rows = replay.attribution(found[name], [reading], least).iloc[:-1]
            total = replay.contributions(found[name])[reading].sum()
            assert rows[reading].sum() == pytest.approx(total, abs=1e-12)
            single = rows.loc[~rows["what"].str.endswith("with smaller moves"), reading]
            assert (single.abs() > least).all()


# --- for a reader ---


def test_the_bars_lead_from_the_first_probability_to_the_last(found: dict[str, pd.DataFrame]) -> None:
    for name, case in CASES.items():
        shown = bars(case, found[name])
        level = shown["high"].iloc[0]
        for bar in shown.iloc[1:-1].itertuples():
            assert level == pytest.approx(bar.low if bar.moved > 0 else bar.high, abs=1e-12)
            level = bar.high if bar.moved > 0 else bar.low
        assert level == pytest.approx(shown["high"].iloc[-1], abs=1e-12)


def test_the_picture_shows_every_bar_with_its_number(found: dict[str, pd.DataFrame]) -> None:
    import matplotlib.pyplot as plt

    shown = bars(DEFAULT, found["province"])
    figure = plots.probability_steps(shown, "title", "sources")
    axes = figure.axes[0]
    assert len(axes.patches) == len(shown)
    assert [label.get_text() for label in axes.get_yticklabels()] == shown["label"].to_list()
    texts = [text.get_text() for text in axes.texts]
    moves = [f"{100 * moved:+.1f}".replace("-", "−") for moved in shown["moved"].dropna()]
    assert texts[0] == f"{shown['high'].iloc[0]:.0%}".replace("%", " %") and texts[-1] == "0 %"
    assert len(moves) > 2 and set(moves) <= set(texts)
    plt.close(figure)


@exhaustive
@pytest.mark.parametrize("name", CASES)
def test_the_attribution_adds_up_and_ends_with_the_sum(found: dict[str, pd.DataFrame], name: str) -> None:
    table = replay.attribution(found[name])
    parts, total = table.iloc[:-1][list(READINGS)], replay.contributions(found[name])
    assert table["what"].iloc[-1] == "all together" and table["what"].ne("").all()
    for reading in READINGS:
        assert parts[reading].sum() == pytest.approx(total[reading].sum(), abs=1e-12)
        if total[reading].notna().any() and total[reading].sum():
            assert table[reading].iloc[-1] == pytest.approx(total[reading].sum())


# --- the parameters ---


def test_the_notebook_runs_only_when_named_and_its_cell_is_its_model() -> None:
    name = "90_compare_runs"
    assert name not in NOTEBOOKS and _model_of(name) is ON_REQUEST[name] is CompareCase
    path = Path(__file__).resolve().parents[2] / "notebooks" / f"{name}.ipynb"
    assert author._parameter_faults(author._read_notebook(path), CompareCase) == []
    assert _slug(CompareCase.check({"until": "2010-06-30"})) == "until-2010-06-30"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"until": "2007-12-30"}, "until: found 2007-12-30, expected 2007-12-31"),
        ({"until": "soon"}, "until: found 'soon', expected a date"),
        ({"until": 2010}, "until: found 2010, expected a date"),
        ({"untill": "2010-01-01"}, "did you mean until"),
        ({"base_year": 2004, "deadline": 2004}, "deadline: found 2004"),
        ({"as_of": "1990-01-01"}, "as_of: found 1990-01-01"),
    ],
)
def test_a_wrong_value_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CompareCase.check(values)


def test_both_days_are_goals_of_their_own() -> None:
    last = DEFAULT.on(DEFAULT.until)
    assert last.as_of == DEFAULT.until and type(last) is GoalCase
    assert str(DEFAULT.until) in DEFAULT.title()
