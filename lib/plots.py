"""Figures from tidy data, in one style; no statistics are computed here.

Colours are the Okabe–Ito set (Okabe & Ito 2008), which colour-blind readers can tell apart; every mark that
carries meaning differs in shape or line as well, so that the figures also work in grey.
"""

import textwrap
from typing import Any

import numpy as np
import pandas as pd

from lib.words import percent

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
GRADE_MARKS = {
    "published": ("o", BLUE, BLUE),
    "implied": ("o", "white", BLUE),
    "converted": ("D", "white", GREEN),
    "implied, converted": ("d", "white", GREEN),
    "press conversion": ("X", RED, RED),
    "partial scope": ("v", RED, RED),
}
"""Marker, face and edge colour of each grade of `lib.series`."""

SIZE = (8.0, 4.2)


def use_style() -> None:
    """Set the style of all figures; call it once at the top of a notebook."""
    import seaborn as sns

    look = {
        "figure.figsize": SIZE,
        "figure.dpi": 110,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#e6e6e6",
        "legend.frameon": False,
        "font.size": 10,
    }
    sns.set_theme(
        context="notebook", style="whitegrid", palette=[BLUE, ORANGE, GREEN, RED], rc=look, font_scale=0.9
    )


def show(figure: Any, alt: str) -> None:
    """Display a figure once, with the text that stands for it where it cannot be seen."""
    import matplotlib.pyplot as plt
    from IPython.display import display

    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def scale_of(largest_mn: float) -> tuple[float, str]:
    """Divisor and name of the unit in which levels up to `largest_mn` millions read well."""
    return (1000.0, "bn") if largest_mn >= 1000 else (1.0, "mn")


def levels_together(family: dict[str, pd.DataFrame], currency: str, title: str, sources: str = "") -> Any:
    """Level by year of up to four flows on one logarithmic scale, each labelled at its end."""
    figure, axes = _axes(title, height=5.2)
    family = {name: series for name, series in family.items() if not series.empty}
    for colour, (name, series) in zip((RED, BLUE, GREEN, ORANGE), family.items(), strict=False):
        years = pd.RangeIndex(series.index.min(), series.index.max() + 1)
        axes.plot(years, series["value_mn"].reindex(years), color=colour, linewidth=1.4)
        for grade, group in series.groupby("grade", sort=False):
            hollow = GRADE_MARKS[grade][1] == "white"
            face = "white" if hollow else colour
            axes.scatter(
                group.index, group["value_mn"], marker=GRADE_MARKS[grade][0], facecolor=face, edgecolor=colour
            )
        end = (series.index[-1], series["value_mn"].iloc[-1])
        axes.annotate(f" {name}", end, xytext=(5, 0), textcoords="offset points", color=colour, va="center")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel(f"{currency} mn, nominal, logarithmic")
    axes.margins(x=0.12)
    _grade_legend(axes, pd.concat(family.values())["grade"].unique())
    return _finish(figure, axes, sources)


def growth_table(rates: pd.DataFrame, goal_rate: float, title: str, sources: str = "") -> Any:
    """Growth by year (columns) and flow (rows) as a coloured table; cells that reached the goal are framed.

    `rates` holds fractions, NaN where no rate is known; colours saturate at −50 % and +50 %.
    """
    import seaborn as sns
    from matplotlib.patches import Rectangle

    years = range(int(rates.columns.min()), int(rates.columns.max()) + 1)
    shown = rates.reindex(columns=years).sort_index(axis=1) * 100
    figure, axes = _axes(title, height=1.4 + 0.45 * len(shown))
    text = shown.map(lambda value: "" if np.isnan(value) else f"{value:+.0f}")
    colours = {"cmap": "RdBu", "vmin": -50, "vmax": 50, "cbar": False, "yticklabels": False}
    sns.heatmap(shown, annot=text, fmt="", annot_kws={"fontsize": 7}, linewidths=1, ax=axes, **colours)
    for row, column in zip(*np.where(shown.to_numpy() >= goal_rate * 100 - 1e-7), strict=True):
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="black", linewidth=1.6))
    _name_rows(axes, shown.index)
    return _finish(figure, axes, sources, years=False)


def hindcast(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Probabilities given in earlier years, filled where the goal was then met, hollow where it was missed.

    `found` is indexed by origin year: probability, met (bool).
    """
    figure, axes = _axes(title, height=3.2)
    for met, group in found.groupby("met"):
        face, label = (BLUE, "then met") if met else ("white", "then missed")
        axes.scatter(
            group.index,
            group["probability"] * 100,
            facecolor=face,
            edgecolor=BLUE,
            s=46,
            label=label,
            zorder=3,
        )
    axes.set_ylim(0, 100)
    axes.set_ylabel("probability given, %")
    axes.legend(loc="upper left")
    return _finish(figure, axes, sources)


def goal_fan(
    series: pd.DataFrame,
    path: pd.Series,
    fan: pd.DataFrame | None,
    currency: str,
    title: str,
    sources: str = "",
) -> Any:
    """The record, the path that the goal asks for, and the forecast as a fan.

    Parameters
    ----------
    series : as `lib.series.annual_series` gives it.
    path : level of the goal path by year, millions.
    fan : indexed by year, one column a probability (`lib.forecast.FAN`), millions; or None.
    """
    figure, axes = _axes(title)
    top = max(series["value_mn"].max(), path.max(), 0 if fan is None else fan[0.9].max())
    divisor, unit = scale_of(top)
    if fan is not None:
        _draw_fan(axes, fan / divisor)
        axes.set_ylim(0, min(fan[0.975].max(), 1.6 * top) / divisor * 1.02)
    axes.plot(
        path.index, path / divisor, color=RED, linestyle="--", marker="_", label="goal path (on average)"
    )
    _draw_levels(axes, series, divisor)
    _shade_gaps(axes, series.index)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"{currency} {unit}, nominal")
    axes.legend(loc="upper left", fontsize=8)
    return _finish(figure, axes, sources)


def shares(found: pd.Series, title: str, sources: str = "") -> Any:
    """Share by horizon in years as a line from 0, each point labelled in per cent."""
    figure, axes = _axes(title, height=3.4)
    axes.plot(found.index, found * 100, color=BLUE, marker="o")
    for years, share in found.items():
        place = {"xytext": (0, 6), "textcoords": "offset points"}
        axes.annotate(f"{share * 100:.0f} %", (years, share * 100), ha="center", **place)
    axes.set_ylim(0, max(found.max() * 125, 10))
    axes.set_xlabel("years")
    axes.set_ylabel("share of flows, %")
    return _finish(figure, axes, sources)


def met_by_group(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Share met by group with its interval, and the number of targets at the foot of each.

    `found` is indexed by group: share, low, high (fractions), n.
    """
    figure, axes = _axes(title, height=3.6)
    places = np.arange(len(found))
    error = np.abs(np.vstack([found["share"] - found["low"], found["high"] - found["share"]])) * 100
    axes.bar(places, found["share"] * 100, color="#9ecae1", zorder=2)
    axes.errorbar(places, found["share"] * 100, yerr=error, fmt="none", ecolor=GREY, elinewidth=1.2, zorder=3)
    for place, n in zip(places, found["n"], strict=True):
        axes.annotate(f"{n}", (place, 1), ha="center", fontsize=7.5, zorder=4)
    axes.set_xticks(places, found.index, rotation=90 if len(found) > 10 else 0)
    axes.set_ylim(0, 100)
    axes.set_ylabel("met, % (number of targets below)")
    axes.grid(axis="x", visible=False)
    return _finish(figure, axes, sources, years=False)


def calibration(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Share that came true against the probability given, with the line of perfect calibration.

    `found` has p (mean probability), met (share) and n; low and high (fractions) draw a band where they are.
    """
    figure, axes = _axes(title, height=4.4)
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":", label="perfect calibration")
    if {"low", "high"} <= set(found.columns):
        axes.fill_between(found["p"] * 100, found["low"] * 100, found["high"] * 100, color=BLUE, alpha=0.15)
    axes.plot(found["p"] * 100, found["met"] * 100, color=BLUE, marker="o", label="observed")
    for row in found.itertuples():
        place = {"xytext": (6, -10), "textcoords": "offset points"}
        axes.annotate(f"{row.n:,}", (row.p * 100, row.met * 100), fontsize=7.5, color=GREY, **place)
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="probability given, %", ylabel="came true, %")
    axes.legend(loc="upper left", fontsize=8)
    return _finish(figure, axes, sources, years=False)


def by_origin(found: pd.DataFrame, labels: dict[str, str], title: str, what: str, sources: str = "") -> Any:
    """Columns of `found` as lines by origin year, each labelled; `what` names the axis."""
    figure, axes = _axes(title, height=3.8)
    styles = zip((BLUE, RED, GREEN, ORANGE), ("-", "--", ":", "-."), ("o", "s", "D", "^"), strict=True)
    for (name, values), (colour, line, marker) in zip(found.items(), styles, strict=False):
        axes.plot(
            values.index, values, color=colour, linestyle=line, marker=marker, label=labels.get(name, name)
        )
    axes.set_xlabel("origin: the last year known to the forecast")
    axes.set_ylabel(what)
    axes.legend(loc="best", fontsize=8)
    return _finish(figure, axes, sources)


def verdict_grid(classes: pd.DataFrame, marks: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Class given by each tracker (rows) on each day (columns), coloured by whether it means on track.

    `marks` holds 1 (on track), 0 (not) or NaN (the tracker makes no forecast), in the shape of `classes`.
    """
    import seaborn as sns
    from matplotlib.colors import ListedColormap

    figure, axes = _axes(title, height=1.5 + 0.5 * len(classes))
    text = classes.fillna("").map(lambda words: words.replace(" ", "\n", 1))
    look = {"fmt": "", "annot_kws": {"fontsize": 8, "color": "black"}, "linewidths": 2, "cbar": False}
    colours = ListedColormap(["#f6c77d", "#9ecae1"])
    sns.heatmap(marks, annot=text, mask=marks.isna(), cmap=colours, vmin=0, vmax=1, ax=axes, **look)
    for row, column in zip(*np.where(marks.isna().to_numpy()), strict=True):
        axes.text(column + 0.5, row + 0.5, text.iloc[row, column], ha="center", va="center", fontsize=8)
    axes.set(xlabel="", ylabel="")
    axes.set_xticklabels([f"{day:%-d %b %Y}" for day in classes.columns], rotation=0)
    axes.tick_params(axis="y", rotation=0)
    return _finish(figure, axes, sources, years=False)


def probability_path(odds: pd.Series, title: str, sources: str = "") -> Any:
    """Probability by day as a line from 0 to 100 %, each point labelled."""
    figure, axes = _axes(title, height=3.2)
    days = [f"{day:%-d %b %Y}" for day in odds.index]
    axes.plot(days, odds * 100, color=BLUE, marker="o")
    for day, value in zip(days, odds, strict=True):
        if pd.notna(value):
            place = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
            axes.annotate(percent(value), (day, value * 100), **place)
    axes.axhline(50, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_ylim(-4, 112)
    axes.set_ylabel("probability of the goal, %")
    return _finish(figure, axes, sources, years=False)


def probability_steps(bars: pd.DataFrame, title: str, sources: str = "") -> Any:
    """What moved a probability, as a waterfall: start, each move up or down, end.

    `bars` is as `lib.pages.revision_words.bars` gives it.
    """
    figure, axes = _axes(title, height=1.6 + 0.38 * len(bars))
    moved = bars["moved"]
    colours = np.where(moved.isna(), "#bbbbbb", np.where(moved > 0, BLUE, RED))
    hatches = np.where(moved < 0, "//", "")
    low, high = bars["low"] * 100, bars["high"] * 100
    axes.barh(
        bars.index, high - low, left=low, color=colours, hatch=list(hatches), edgecolor="white", height=0.6
    )
    # From each bar a thin line leads to where the next begins.
    after = np.where(moved.isna(), high, np.where(moved > 0, high, low))
    axes.vlines(after[:-1], bars.index[:-1] + 0.3, bars.index[1:] - 0.3, color=GREY, linewidth=0.8)
    for place, (end, change) in enumerate(zip(high, moved, strict=True)):
        text = f"{end:.0f} %" if np.isnan(change) else f"{change * 100:+.1f}".replace("-", "−")
        if np.isfinite(end):
            axes.annotate(
                text, (end, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8
            )
    axes.set_yticks(bars.index, bars["label"])
    axes.invert_yaxis()
    axes.set_xlim(0, 112)
    axes.set_xlabel("probability of the goal, %")
    axes.grid(axis="y", visible=False)
    return _finish(figure, axes, sources, years=False)


def coverage(counts: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Number of figures by year (columns) and kind (rows) as a heat map; nothing published is left white."""
    import seaborn as sns

    figure, axes = _axes(title, height=1.2 + 0.4 * len(counts))
    # White, then light to dark: the darkest shade keeps the numbers readable.
    sns.heatmap(
        counts.replace(0, np.nan),
        annot=counts.map(lambda n: str(n) if n else ""),
        annot_kws={"fontsize": 8},
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=max(8, counts.to_numpy().max() * 1.4),
        cbar=False,
        yticklabels=False,
        linewidths=1,
        linecolor="#eeeeee",
        ax=axes,
    )
    _name_rows(axes, counts.index)
    return _finish(figure, axes, sources, years=False)


def disagreement(candidates: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Each source of a year against the one chosen, in per cent.

    `candidates` is as `lib.series.candidates` gives it, with a column `differs` (fraction of the chosen).
    """
    figure, axes = _axes(title)
    for grade, group in candidates.groupby("grade", sort=False):
        marker, face, edge = GRADE_MARKS[grade]
        axes.scatter(
            group["year"],
            group["differs"] * 100,
            marker=marker,
            facecolor=face,
            edgecolor=edge,
            label=grade,
            zorder=3,
        )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylabel("against the level chosen, %")
    axes.margins(y=0.15)
    axes.legend(loc="best", fontsize=8)
    return _finish(figure, axes, sources)


def mirror(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """What the partner reports against what the reporter does, in per cent, by the end of the period.

    `found` is as `lib.pages.quality.mirrors` gives it; full years are filled marks, parts of a year hollow ones.
    """
    figure, axes = _axes(title)
    whole = (found["period_end"] - found["period_start"]).dt.days >= 364
    middle = found["period_end"].dt.year + (found["period_end"].dt.day_of_year - 1) / 365
    for colour, (name, rows) in enumerate(found.groupby(found["pair"] + ", " + found["flow"], sort=False)):
        face = [f"C{colour}" if full else "white" for full in whole[rows.index]]
        gap = rows["gap"] * 100
        axes.scatter(middle[rows.index], gap, facecolor=face, edgecolor=f"C{colour}", label=name, zorder=3)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylabel("partner against reporter, %")
    axes.margins(y=0.15)
    axes.legend(loc="best", fontsize=8)
    return _finish(figure, axes, sources)


def _axes(title: str, height: float = SIZE[1]) -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(SIZE[0], height), layout="constrained")
    axes.set_title(title)
    return figure, axes


def _finish(figure: Any, axes: Any, sources: str, years: bool = True) -> Any:
    from matplotlib.ticker import MaxNLocator

    if years:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="x", visible=False)
    if sources:
        # Wrapped, because an overlong line would shrink the picture when it is cropped to its contents.
        sources = textwrap.fill(sources, 130)
        figure.supxlabel(sources, fontsize=7, color=GREY, x=0.01, ha="left")
    return figure


def _name_rows(axes: Any, names: pd.Index) -> None:
    """Label the rows of a heat map; seaborn's own labels stand upright at first, which leaves no room."""
    axes.set_yticks(np.arange(len(names)) + 0.5, names, rotation=0)
    axes.set(xlabel="", ylabel="")


def _draw_levels(axes: Any, series: pd.DataFrame, divisor: float) -> None:
    years = pd.RangeIndex(series.index.min(), series.index.max() + 1)
    axes.plot(years, series["value_mn"].reindex(years) / divisor, color=BLUE, linewidth=1.2, zorder=2)
    spread = series[series["high_mn"] > series["low_mn"] * 1.01]
    axes.vlines(
        spread.index,
        spread["low_mn"] / divisor,
        spread["high_mn"] / divisor,
        color=GREY,
        linewidth=3,
        alpha=0.5,
    )
    for grade, group in series.groupby("grade", sort=False):
        marker, face, edge = GRADE_MARKS[grade]
        axes.scatter(
            group.index,
            group["value_mn"] / divisor,
            marker=marker,
            facecolor=face,
            edgecolor=edge,
            s=34,
            label=grade,
            zorder=3,
        )
    last = series.index[-1]
    value = series["value_mn"].iloc[-1] / divisor
    axes.annotate(
        f"{value:,.4g}", (last, value), xytext=(6, 4), textcoords="offset points", fontsize=9, color=BLUE
    )


def _draw_fan(axes: Any, fan: pd.DataFrame) -> None:
    for low, high, alpha, label in (
        (0.025, 0.975, 0.15, "95 %"),
        (0.1, 0.9, 0.22, "80 %"),
        (0.25, 0.75, 0.3, "50 %"),
    ):
        axes.fill_between(
            fan.index, fan[low], fan[high], color=ORANGE, alpha=alpha, linewidth=0, label=f"{label} interval"
        )
    axes.plot(fan.index, fan[0.5], color=ORANGE, linewidth=1.5, label="median forecast")


def _shade_gaps(axes: Any, years: pd.Index) -> None:
    missing = pd.RangeIndex(years.min(), years.max() + 1).difference(years)
    for i, year in enumerate(missing):
        axes.axvspan(year - 0.5, year + 0.5, color="#f2f2f2", zorder=0, label="no figure" if i == 0 else None)


def _grade_legend(axes: Any, grades: Any) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for grade, (marker, face, _) in GRADE_MARKS.items():
        if grade in grades:
            fill = "white" if face == "white" else GREY
            handles.append(
                Line2D([], [], marker=marker, linestyle="", color=GREY, markerfacecolor=fill, label=grade)
            )
    axes.legend(handles=handles, loc="upper left", fontsize=8)
