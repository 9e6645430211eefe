"""Figures: what is plotted, in which unit and with which labels; not how the pixels look."""

import io
import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgb
from sampling import exhaustive, some

from lib import figures as fig
from lib import growth, outlook, plots
from lib.cases import FlowCase, GoalCase, TrendCase
from lib.law import FAN
from lib.package import data_dir
from lib.plots import forecast, style
from lib.series import GRADES

DAY = pd.Timestamp(2010, 12, 31)


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
    view = outlook.of(case)
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
    # Lines and bands are named where they end, marks in the legend.
    assert set(legend(axes)) == {"published", "implied"}
    named = {text.get_text().partition("\n")[0].rstrip("0123456789").strip() for text in axes.texts}
    assert named == {*pairs, "median", "goal", ""}


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
    assert faces == {"implied": "#ffffff", "published": style.BLUE.lower()}
    assert "230" in [text.get_text() for text in axes.texts]


def test_levels_published_after_the_forecast_are_marked_apart(harbin):
    _, goal, series, view = harbin
    later = pd.Series({2014: 210.0, 2015: 1_400.0})
    of = series, goal.path(), view.fan, "USD", "t"
    axes = plots.goal_fan(*of, later=later).axes[0]
    drawn = offsets(axes)
    assert drawn[2014] == pytest.approx(0.21) and drawn[2015] == pytest.approx(1.4)
    assert axes.get_ylabel() == "USD bn, nominal" and axes.get_ylim()[1] > 1.4
    assert legend(axes) == ["published", "implied", "published since"]
    assert "published since" not in legend(plots.goal_fan(*of, later=later[:0]).axes[0])


def test_sources_and_measured_coverage_stand_under_the_fan(harbin):
    """The shares are those of the kept scores, two years ahead."""
    rows = pd.read_parquet(data_dir() / "reference" / "scores" / "trade_intervals.parquet")
    rows = rows[(rows["model"] == "law") & (rows["horizon"] == 2)]
    share = np.average(rows["cover80"], weights=rows["n"])
    under = " ".join(harbin[0].get_supxlabel().split())
    assert under.endswith("Sources: somebody.")
    assert "of what came 2 years later, the 50 % interval held" in under
    assert f"the 80 % interval {share * 100:.0f} %" in under


def test_a_figure_without_a_forecast_states_no_coverage():
    figure = plots.goal_fan(made_up({2010: 5.0}), pd.Series({2010: 5.0, 2011: 6.0}), None, "USD", "t", "s")
    assert figure.get_supxlabel() == "s"


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
    assert style.scale_of(top) == scale


# --- several flows ---


def test_levels_together_are_labelled_at_their_ends_on_a_logarithmic_axis():
    family = {"Harbin": made_up({2012: 153.3, 2013: 230}), "China": made_up({2012: 88_000, 2014: 95_000})}
    axes = plots.levels_together({**family, "none": made_up({})}, "USD", "title", "s").axes[0]
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "USD mn, nominal, logarithmic"
    axes.figure.canvas.draw()
    ends = {
        text.get_text(): (
            text.xy[0],
            axes.transData.inverted().transform(axes.transAxes.transform(text.xy))[1],
        )
        for text in axes.texts
    }
    assert ends == {"Harbin": (2013, pytest.approx(230)), "China": (2014, pytest.approx(95_000))}
    first, second = axes.get_lines()
    assert list(first.get_ydata()) == [153.3, 230]
    assert np.isnan(second.get_ydata()[1])
    assert legend(axes) == ["published"]


def test_the_growth_table_frames_what_reached_the_goal_and_leaves_unknown_years_blank():
    rates = pd.DataFrame({2010: [0.25, -0.1], 2011: [np.nan, 0.6], 2013: [0.249, 0.3]}, index=["A", "B"])
    axes = plots.growth_table(rates, 0.25, "title").axes[0]
    assert [text.get_text() for text in axes.texts] == ["+25", "+25", "−10", "+60", "+30"]
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


# --- figures of one notebook, by the cell that draws them ---


def test_hindcasts_are_filled_where_the_goal_was_then_met():
    found = {"flow of": "Harbin", "probability": [0.2, 0.7], "met": [False, True]}
    past = pd.DataFrame(found, index=[2005, 2006])
    axes = made("03", "marks", "axes", past=past, case=GoalCase(), partner="Russia")
    marks = [item for item in axes.collections if isinstance(item, PathCollection)]
    faces = {item.get_label(): to_hex(item.get_facecolor()[0]) for item in marks}
    assert faces == {"then met": style.BLUE.lower(), "then missed": "#ffffff"}
    assert offsets(axes) == pytest.approx({2005: 20, 2006: 70})
    assert axes.get_ylim() == (0, 100) and "%" in axes.get_ylabel()


def test_disagreements_are_in_percent_of_the_chosen_level():
    rows = pd.DataFrame({"year": [2015], "grade": ["press conversion"], "differs": [-0.056]})
    axes = made("01", "axes", differing=rows, rows="")
    assert offsets(axes) == pytest.approx({2015: -5.6})
    assert legend(axes) == ["press conversion"]


# --- style, display, every flow ---


def test_every_grade_has_a_mark_of_its_own():
    assert list(style.GRADE_MARKS) == list(GRADES)
    assert len(set(style.GRADE_MARKS.values())) == len(GRADES)


EVERY_FIGURE = {
    "levels_together": lambda: plots.levels_together({"A": made_up({2012: 1.5, 2013: 2})}, "USD", "t"),
    "growth_table": lambda: plots.growth_table(pd.DataFrame({2010: [0.3]}, index=["A"]), 0.25, "t"),
    "goal_fan": lambda: plots.goal_fan(
        made_up({2012: 1.5}), pd.Series({2012: 1.5, 2013: 2.0}), None, "USD", "t"
    ),
    "met_by_group": lambda: plots.met_by_group(
        pd.DataFrame({"share": [0.5], "low": [0.2], "high": [0.8], "n": [6]}, index=["2008"]), "t"
    ),
    "calibration": lambda: plots.calibration(pd.DataFrame({"p": [0.2], "met": [0.3], "n": [9]}), "t"),
    "by_origin": lambda: plots.by_origin(pd.DataFrame({"a": [0.1, 0.2]}, index=[2005, 2006]), {}, "t", "w"),
    "probability_steps": lambda: plots.probability_steps(
        pd.DataFrame(
            {"label": ["first", "row"], "moved": [np.nan, 0.1], "low": [0, 0.2], "high": [0.2, 0.3]}
        ),
        "t",
    ),
    "coverage": lambda: plots.coverage(pd.DataFrame({2012: [2]}, index=["x"]), "t"),
    "odds_by_release": lambda: plots.odds_by_release(
        pd.DataFrame({"day": [DAY, DAY + pd.Timedelta(days=30)], "average": [0.2, 0.37]}),
        {"average": "on average"},
        "t",
    ),
    "fan_by_release": lambda: plots.fan_by_release(
        pd.DataFrame(
            {"label": ["Jan"], "so_far_mn": [5.0], **{q: [q * 100] for q in FAN}},
        ),
        {"goal": 60.0},
        "USD",
        "t",
    ),
    "odds_by_row": lambda: plots.odds_by_row(pd.Series({"no change": 0.24, "oil": 0.31}), "t", marked=0.5),
    "stacked": lambda: plots.stacked(
        pd.DataFrame({"a": [0.1], "growth": [0.1]}, index=[2010]), {"a": "of one"}, "points", "t"
    ),
    "timeline": lambda: plots.timeline(
        {"A": pd.Series({2010: 5.0, 2011: 6.0})},
        pd.DataFrame({"when": [2010.5], "number": [1], "named": [True]}),
        "USD",
        "t",
    ),
}


def test_a_title_beside_long_names_of_rows_is_not_cut():
    title = "Probability that the goal was met, read by the mean of the yearly rates, by evidence"
    figure = plots.odds_by_row(pd.Series({"months: Heilongjiang, 2014 to month 6, Harbin": 0.24}), title)
    figure.draw_without_rendering()
    (title,) = (
        text
        for text in figure.findobj(mpl.text.Text)
        if text.get_text().startswith("Prob") and text.get_weight() == "bold"
    )
    assert title.get_window_extent().x1 <= figure.bbox.x1
    plt.close(figure)


def test_what_is_inferred_does_not_claim_the_coverage_of_forecasts():
    fan = pd.DataFrame({q: [1.5, 1 + q] for q in FAN}, index=[2012, 2013])
    notes = [
        plots.goal_fan(
            made_up({2012: 1.5}), pd.Series({2012: 1.5, 2013: 2.0}), fan, "USD", "t", "", sure
        ).get_supxlabel()
        for sure in (None, "Inferred.")
    ]
    assert "Measured" in notes[0] and notes[1] == "Inferred."


def test_the_list_of_figures_is_whole():
    drawing = {name for name, thing in vars(plots).items() if callable(thing)} - {"show", "use_style"}
    assert set(EVERY_FIGURE) == drawing


def test_a_fan_says_what_it_shows_in_one_sentence_with_numbers():
    words = EVERY_FIGURE["goal_fan"]().get_label()
    assert words == "t: the level was US$1.5 million in 2012; the goal asks for US$2 million in 2013."


@exhaustive
@pytest.mark.parametrize("name", some(EVERY_FIGURE, 8))
def test_every_figure_is_the_same_file_each_time_as_svg(name):
    files = []
    for _ in range(2):
        file = io.StringIO()
        EVERY_FIGURE[name]().savefig(file, format="svg", metadata={"Date": None})
        files.append(file.getvalue())
    assert files[0] == files[1]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 0.1)), min_size=1, max_size=8))
def test_labels_are_moved_apart_in_their_order_and_stay_inside(labels):
    places, heights = zip(*sorted(labels), strict=True)
    found = style._spread(places, heights)
    gaps = [(a + b) / 2 for a, b in itertools.pairwise(heights)]
    assert (np.diff(found) >= np.array(gaps) - 1e-12).all()
    assert found[-1] <= 1
    if all(b - a >= gap for (a, b), gap in zip(itertools.pairwise(places), gaps, strict=True)):
        assert found.tolist() == list(places)  # those that do not touch stay where they are


def test_text_is_readable_on_its_ground_and_colours_differ_in_grey():
    """Contrast by WCAG 2.2 (relative luminance); the four line colours are told apart by luminance or by dashes."""

    def luminance(colour):
        channels = np.array(to_rgb(colour))
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for colour in (style.BLUE, style.GREY, forecast.FAN_WORDS):
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5
    assert abs(luminance(style.ORANGE) - luminance(style.BLUE)) > 0.2


def test_a_figure_is_shown_once_with_its_alternative_text(monkeypatch):
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda figure, metadata: seen.append((figure, metadata)))
    figure = plots.coverage(pd.DataFrame({2012: [1]}, index=["x"]), "t")
    plots.show(figure, "One figure in 2012")
    assert seen == [(figure, {"image/png": {"alt": "One figure in 2012"}})]
    assert not plt.fignum_exists(figure.number)


def test_a_figure_shown_without_words_of_its_own_has_its_title(monkeypatch):
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda figure, metadata: seen.append(metadata))
    plots.show(plots.coverage(pd.DataFrame({2012: [1]}, index=["x"]), "t"))
    assert seen == [{"image/png": {"alt": "t"}}]


def test_the_style_keeps_bold_titles_on_the_left_without_frames():
    assert mpl.rcParams["axes.titlelocation"] == "left" and not mpl.rcParams["axes.spines.top"]


@exhaustive
def test_every_flow_can_be_drawn():
    flows = fig.load_figures()[["reporter", "partner", "flow"]].drop_duplicates().to_dict("records")
    for flow in some(flows, 8):
        case = FlowCase.check(flow)
        family = [case, *outlook.lineage(case)]
        counts = made("01", "counts", record=pd.concat([m.vintage() for m in family], ignore_index=True))
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
