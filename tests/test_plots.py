"""Figures: what is plotted, in which unit and with which labels; not how the pixels look."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from lib import figures as fig
from lib import growth, outlook, plots
from lib.forecast import FAN
from lib.pages import evidence
from lib.params import FlowCase, GoalCase, TrendCase
from lib.series import GRADES


@pytest.fixture(autouse=True, scope="module")
def quiet_backend_and_tables_read_once():
    tables = {name: getattr(fig, name)() for name in ("load_figures", "load_covariates", "load_reporters")}
    before, style = mpl.get_backend(), mpl.rcParams.copy()
    plt.switch_backend("Agg")
    plots.use_style()
    with pytest.MonkeyPatch.context() as patch:
        for name, table in tables.items():
            patch.setattr(fig, name, lambda table=table: table)
        yield
    plt.close("all")
    plt.switch_backend(before)
    mpl.rcParams.update({key: value for key, value in style.items() if key != "backend"})


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def made_up(values: dict[int, float], grade: str = "published") -> pd.DataFrame:
    level = pd.Series(values, dtype=float)
    return pd.DataFrame(
        {"value_mn": level, "grade": grade, "figure_id": "f", "low_mn": level, "high_mn": level}
    )


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def offsets(axes) -> dict[float, float]:
    """Every point that is drawn as a mark: {x: y}."""
    marks = [item for item in axes.collections if isinstance(item, PathCollection)]
    return {float(x): float(y) for item in marks for x, y in np.ma.getdata(item.get_offsets())}


def line(axes, label: str):
    return next(item for item in axes.get_lines() if item.get_label() == label)


# --- the goal and the fan ---


@pytest.fixture
def harbin():
    case = GoalCase()
    goal, series = case.make_goal(), case.series()
    view = outlook.look(case, goal, series["value_mn"])
    figure = plots.goal_fan(series, goal.path(), view.fan, "USD", case.title(), "Sources: somebody.")
    return figure, goal, series, view


def test_the_goal_path_is_drawn_in_the_unit_of_the_axis(harbin):
    figure = harbin[0]
    axes = figure.axes[0]
    path = line(axes, "goal path (on average)")
    assert list(path.get_xdata()) == [2012, 2013, 2014, 2015]
    assert list(path.get_ydata()) == pytest.approx([153.33, 191.67, 239.58, 299.48], abs=0.005)
    assert axes.get_ylabel() == "USD mn, nominal"
    assert axes.get_title(loc="left") == GoalCase().title()
    assert axes.get_ylim()[0] == 0


def test_the_fan_has_the_edges_of_the_forecast(harbin):
    figure, _, _, view = harbin
    axes = figure.axes[0]
    pairs = {"95 % interval": (0.025, 0.975), "80 % interval": (0.1, 0.9), "50 % interval": (0.25, 0.75)}
    for label, (low, high) in pairs.items():
        area = next(item for item in axes.collections if item.get_label() == label)
        corners = area.get_paths()[0].vertices
        for year, row in view.fan.iloc[1:].iterrows():
            heights = corners[corners[:, 0] == year, 1]
            assert heights.min() == pytest.approx(row[low]) and heights.max() == pytest.approx(row[high])
    assert list(line(axes, "median forecast").get_ydata()) == pytest.approx(view.fan[0.5].to_list())
    assert set(pairs) | {"median forecast", "goal path (on average)", "published", "implied"} == set(
        legend(axes)
    )


def test_the_known_levels_are_marked_by_grade(harbin):
    figure, _, series, _ = harbin
    axes = figure.axes[0]
    drawn = offsets(axes)
    assert drawn[2012] == pytest.approx(230 / 1.5) and drawn[2013] == pytest.approx(230)
    assert series["grade"].to_list() == ["implied", "published"]
    faces = {
        item.get_label(): to_hex(item.get_facecolor()[0])
        for item in axes.collections
        if item.get_label() in GRADES
    }
    assert faces == {"implied": "#ffffff", "published": plots.BLUE.lower()}
    assert [text.get_text() for text in axes.texts] == ["230"]


def test_sources_stand_under_the_figure(harbin):
    assert harbin[0].get_supxlabel() == "Sources: somebody."


def test_large_levels_are_shown_in_billions_and_gaps_are_shaded():
    series = made_up({2010: 50_000, 2011: 60_000, 2014: 90_000})
    path = pd.Series({2010: 50_000.0, 2011: 70_000.0})
    figure = plots.goal_fan(series, path, None, "CNY", "t")
    axes = figure.axes[0]
    assert axes.get_ylabel() == "CNY bn, nominal"
    assert offsets(axes) == pytest.approx({2010: 50, 2011: 60, 2014: 90})
    assert list(line(axes, "goal path (on average)").get_ydata()) == pytest.approx([50, 70])
    shaded = sorted(patch.get_x() + patch.get_width() / 2 for patch in axes.patches)
    assert shaded == [2012, 2013]
    assert legend(axes).count("no figure") == 1
    record = next(item for item in axes.get_lines() if len(item.get_xdata()) == 5)
    assert np.isnan(np.asarray(record.get_ydata())[2:4]).all()  # the line breaks over a gap
    assert figure.get_supxlabel() in ("", None)


def test_the_spread_among_sources_is_drawn_where_it_exceeds_one_percent():
    series = made_up({2014: 95_000, 2015: 68_000, 2016: 69_000})
    series.loc[2015, "low_mn"] = 64_200
    series.loc[2016, "high_mn"] = 69_100
    axes = plots.goal_fan(series, pd.Series({2014: 95_000.0}), None, "USD", "t").axes[0]
    segments = [s for item in axes.collections if hasattr(item, "get_segments") for s in item.get_segments()]
    assert [s.tolist() for s in segments] == [[[2015, 64.2], [2015, 68.0]]]


@pytest.mark.parametrize(
    ("top", "scale"), [(999, (1.0, "mn")), (1000, (1000.0, "bn")), (5e6, (1000.0, "bn"))]
)
def test_scales(top, scale):
    assert plots.scale_of(top) == scale


# --- several flows ---


def test_levels_together_are_labelled_at_their_ends_on_a_logarithmic_axis():
    family = {"Harbin": made_up({2012: 153.3, 2013: 230}), "China": made_up({2012: 88_000, 2014: 95_000})}
    axes = plots.levels_together({**family, "none": made_up({})}, "USD", "title", "s").axes[0]
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "USD mn, nominal, logarithmic"
    ends = {text.get_text().strip(): text.xy for text in axes.texts}
    assert ends == {"Harbin": (2013, 230), "China": (2014, 95_000)}
    first, second = axes.get_lines()
    assert list(first.get_ydata()) == [153.3, 230]
    assert np.isnan(second.get_ydata()[1])
    assert legend(axes) == ["published"]


def test_the_growth_table_frames_what_reached_the_goal_and_leaves_unknown_years_blank():
    rates = pd.DataFrame({2010: [0.25, -0.1], 2011: [np.nan, 0.6], 2013: [0.249, 0.3]}, index=["A", "B"])
    axes = plots.growth_table(rates, 0.25, "title").axes[0]
    assert [text.get_text() for text in axes.texts] == ["+25", "+25", "-10", "+60", "+30"]
    frames = sorted((int(patch.get_x()), int(patch.get_y())) for patch in axes.patches)
    assert frames == [(0, 0), (1, 1), (3, 1)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A", "B"]
    shown = np.ma.filled(axes.collections[0].get_array(), np.nan).reshape(2, 4)
    assert shown[1, 1] == pytest.approx(60) and np.isnan(shown[0, 2])
    assert axes.collections[0].get_clim() == (-50, 50)  # so that white is no growth


def test_coverage_shows_counts_and_leaves_nothing_published_white():
    counts = pd.DataFrame({2012: [2, 0], 2013: [0, 11]}, index=["Harbin, full year", "China, full year"])
    axes = plots.coverage(counts, "title", "Rows: data/figures.csv.").axes[0]
    assert [text.get_text() for text in axes.texts] == ["2", "11"]
    assert np.ma.getmaskarray(axes.collections[0].get_array()).ravel().tolist() == [False, True, True, False]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(counts.index)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2012", "2013"]


def test_hindcasts_are_filled_where_the_goal_was_then_met():
    found = pd.DataFrame({"probability": [0.2, 0.7], "met": [False, True]}, index=[2005, 2006])
    axes = plots.hindcast(found, "title").axes[0]
    faces = {item.get_label(): to_hex(item.get_facecolor()[0]) for item in axes.collections}
    assert faces == {"then met": plots.BLUE.lower(), "then missed": "#ffffff"}
    assert offsets(axes) == pytest.approx({2005: 20, 2006: 70})
    assert axes.get_ylim() == (0, 100) and "%" in axes.get_ylabel()


def test_disagreements_are_in_percent_of_the_chosen_level():
    rows = pd.DataFrame({"year": [2015], "grade": ["press conversion"], "differs": [-0.056]})
    axes = plots.disagreement(rows, "title").axes[0]
    assert offsets(axes) == pytest.approx({2015: -5.6})
    assert legend(axes) == ["press conversion"]


# --- style, display, every flow ---


def test_every_grade_has_a_mark_of_its_own():
    assert list(plots.GRADE_MARKS) == list(GRADES)
    assert len(set(plots.GRADE_MARKS.values())) == len(GRADES)


def test_a_figure_is_shown_once_with_its_alternative_text(monkeypatch):
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda figure, metadata: seen.append((figure, metadata)))
    figure = plots.coverage(pd.DataFrame({2012: [1]}, index=["x"]), "t")
    plots.show(figure, "One figure in 2012")
    assert seen == [(figure, {"image/png": {"alt": "One figure in 2012"}})]
    assert not plt.fignum_exists(figure.number)


def test_the_style_keeps_bold_titles_on_the_left_without_frames():
    assert mpl.rcParams["axes.titlelocation"] == "left" and not mpl.rcParams["axes.spines.top"]


def test_every_flow_can_be_drawn():
    for flow in fig.load_figures()[["reporter", "partner", "flow"]].drop_duplicates().to_dict("records"):
        case = FlowCase.check(flow)
        family = [case, *outlook.lineage(case)]
        counts = evidence.coverage(pd.concat([member.vintage() for member in family]))
        assert plots.coverage(counts, case.title()).axes[0].get_title(loc="left") == case.title()
        levels = {m.reporter: TrendCase(**m.model_dump()).series() for m in family}
        if levels[case.reporter].empty or case.flow != "total":
            continue
        assert plots.levels_together(levels, "USD", "t").axes[0].get_lines()
        rates = pd.DataFrame({name: growth.yoy(series["value_mn"]) for name, series in levels.items()}).T
        drawn = plots.growth_table(rates, 0.25, "t").axes[0]
        assert len(drawn.get_yticks()) == len(levels)
        plt.close("all")


def test_a_fan_over_levels_in_billions_is_scaled_like_them():
    series = made_up({2010: 50_000})
    fan = pd.DataFrame(
        [[50_000.0] * 7, np.linspace(40_000, 80_000, 7)], index=[2010, 2011], columns=list(FAN)
    )
    axes = plots.goal_fan(series, pd.Series({2010: 50_000.0, 2011: 60_000.0}), fan, "USD", "t").axes[0]
    assert list(line(axes, "median forecast").get_ydata()) == pytest.approx([50, 60])
    assert axes.get_ylim()[1] == pytest.approx(80 * 1.02)
