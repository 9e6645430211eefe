"""A goal and its chances: path, fan, probabilities over time, the year so far; and how goals and forecasts fared."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd

from lib.plots import style
from lib.plots.style import BLUE, GREEN, GREY, LOOKS, ORANGE, PALE, RED, beside, finish, new_axes
from lib.reference import coverage_line
from lib.words import about, money, percent

BANDS = ((0.025, 0.975, 0.15, "95 %"), (0.1, 0.9, 0.22, "80 %"), (0.25, 0.75, 0.3, "50 %"))
"""Lower and upper probability, opacity and name of the intervals of a fan, the widest first."""
FAN_WORDS = "#8a5f00"
"""The orange of the fan, dark enough to read."""
HIGHEST = 1.6
"""The outermost band is cut at so many times everything else that is drawn."""
CHANCE = "probability of the goal, %"


def goal_fan(
    series: pd.DataFrame,
    path: pd.Series,
    fan: pd.DataFrame | None,
    currency: str,
    title: str,
    sources: str = "",
    sureness: str | None = None,
    size_usd: float | None = None,
    later: pd.Series | None = None,
) -> Any:
    """The record, the path that the goal asks for, and the forecast as a fan with its measured coverage.

    Parameters
    ----------
    series : as `lib.series.annual_series` gives it.
    path : level of the goal path by year, millions.
    fan : indexed by year, one column a probability (`lib.law.FAN`), millions; or None.
    sureness : what stands under a fan that is no forecast, in place of the coverage of forecasts.
    size_usd : of the flow, US dollars a year: the coverage is that of its size class.
    later : levels by year, millions, that became known after the forecast was made.
    """
    axes = new_axes(title)
    top = max(pd.concat([series["value_mn"], path, later]).max(), 0 if fan is None else fan[0.9].max())
    divisor, unit = style.scale_of(top)
    axes.plot(path.index, path / divisor, color=RED, linestyle="--", label="goal path (on average)", zorder=2)
    ends = [(path.index[-1], path.iloc[-1] / divisor, f"goal {about(path.iloc[-1] / divisor)}", RED)]
    marks = _draw_levels(axes, series, divisor)
    if later is not None and len(later):
        look = {"marker": "s", "facecolor": "white", "edgecolor": "black", "label": "published since"}
        marks.append(axes.scatter(later.index, later / divisor, s=30, zorder=4, **look))
    axes.set_ylim(bottom=0)
    level, asked = (money(one.iloc[-1], currency) for one in (series["value_mn"], path))
    told = f"the level was {level} in {series.index[-1]}; the goal asks for {asked} in {path.index[-1]}"
    if fan is not None:
        height = max(top, min(fan[0.975].max(), HIGHEST * top)) / divisor * 1.02
        ends += _draw_fan(axes, fan / divisor, height)
        axes.set_ylim(0, height)
        low, middle, high = (money(fan[p].iloc[-1], currency) for p in (0.1, 0.5, 0.9))
        told += f", the middle of the fan is {middle}, its 80 % interval {low} to {high}"
        if sureness is None:
            sureness = coverage_line(int(fan.index[-1] - fan.index[0]), size_usd)
    style.in_numbers(axes)
    style.label_ends(axes, ends)
    axes.legend(handles=marks, loc="upper left", fontsize=8)
    return finish(axes, sureness or "", sources, told=told, ylabel=f"{currency} {unit}, nominal")


def _draw_levels(axes: Any, series: pd.DataFrame, divisor: float) -> list[Any]:
    """Draw the levels, the range of their sources, and the years inside the record that have none; marks for a legend."""
    levels = series["value_mn"] / divisor
    line = style.whole(levels)
    years = line.index[line.isna()]
    gaps = [axes.axvspan(y - 0.5, y + 0.5, color="#f2f2f2", zorder=0, label="no figure") for y in years]
    axes.plot(line.index, line, color=BLUE, linewidth=1.2, zorder=2)
    spread = series[series["high_mn"] > series["low_mn"] * 1.01]
    low, high = spread["low_mn"] / divisor, spread["high_mn"] / divisor
    axes.vlines(spread.index, low, high, color=GREY, linewidth=3, alpha=0.5)
    side, last = "right" if len(series) > 2 else "center", levels.iloc[-1]
    beside(axes, about(last), (levels.index[-1], last), (-3, 8), ha=side, fontsize=9, color=BLUE)
    return [*style.mark_grades(axes, levels, series["grade"]), *gaps[:1]]


def _draw_fan(axes: Any, fan: pd.DataFrame, height: float) -> list[tuple[float, float, str, str]]:
    """Draw the bands and the median; returns where their names go. A band above `height` says where it ends."""
    ends = []
    for low, high, alpha, name in BANDS:
        look = {"color": ORANGE, "alpha": alpha, "linewidth": 0, "label": f"{name} interval"}
        axes.fill_between(fan.index, fan[low], fan[high], **look)
        # Edges, since shades of one colour are hard to tell apart in print.
        axes.plot(fan.index, fan[[low, high]], color=ORANGE, linewidth=0.6, alpha=0.8)
        edge = fan[high].iloc[-1]
        words = f"{name} interval" if edge <= height else f"{name} interval\n↑ to {about(edge)}"
        ends.append((fan.index[-1], edge, words, FAN_WORDS))
    axes.plot(fan.index, fan[0.5], color=FAN_WORDS, linewidth=1.5, linestyle="-.", label="median forecast")
    middle = fan[0.5].iloc[-1]
    return [*ends, (fan.index[-1], middle, f"median {about(middle)}", FAN_WORDS)]


def probability_steps(bars: pd.DataFrame, title: str, sources: str = "") -> Any:
    """What moved a probability, as a waterfall: start, each move up or down, end.

    `bars` has a row for each: label, low and high end (probabilities), and by how much it moved, missing at both ends.
    """
    axes = new_axes(title, height=1.6 + 0.38 * len(bars), width=60)
    moved = bars["moved"]
    colours = np.where(moved.isna(), "#bbbbbb", np.where(moved > 0, BLUE, RED))
    hatches = list(np.where(moved < 0, "//", ""))
    low, high = bars["low"] * 100, bars["high"] * 100
    look = {"color": colours, "hatch": hatches, "edgecolor": "white", "height": 0.6}
    drawn = axes.barh(bars.index, high - low, left=low, **look)
    # From each bar a thin line leads to where the next begins.
    after = np.where(moved.isna(), high, np.where(moved > 0, high, low))
    axes.vlines(after[:-1], bars.index[:-1] + 0.3, bars.index[1:] - 0.3, color=GREY, linewidth=0.8)
    words = [
        f"{high[i]:.0f} %" if np.isnan(moved[i]) else style.signed(moved[i] * 100, 1) for i in bars.index
    ]
    axes.bar_label(drawn, words, padding=5, fontsize=8, path_effects=style.halo())
    axes.set_yticks(bars.index, bars["label"])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return finish(axes, sources, years=False, xlim=(0, 112), xlabel=CHANCE)


def odds_by_release(rows: pd.DataFrame, labels: dict[str, str], title: str, sources: str = "") -> Any:
    """Probability of each reading by day of release as steps; a probability holds until the next release.

    `rows` has day and the columns of `labels` (fractions, NaN where a reading has none).
    """
    from matplotlib.dates import ConciseDateFormatter

    axes = new_axes(title, height=3.8)
    for (name, label), look in zip(labels.items(), LOOKS, strict=False):
        known = rows.dropna(subset=name)
        axes.step(known["day"], known[name] * 100, where="post", label=label, markersize=4, **look)
    for year in range(rows["day"].min().year + 1, rows["day"].max().year + 1):
        axes.axvline(pd.Timestamp(year, 1, 1), color="#dddddd", linewidth=0.8, zorder=0)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    top = min(max(rows[list(labels)].max().max() * 115, 20), 102)
    return finish(axes, sources, years=False, legend="best", ylim=(-top / 50, top), ylabel=CHANCE)


def fan_by_release(
    rows: pd.DataFrame, marks: dict[str, float], currency: str, title: str, sources: str = ""
) -> Any:
    """Intervals of a year's total by release, each with its months, and levels to compare with as lines.

    Parameters
    ----------
    rows : label (what was known), so_far_mn and the quantiles of the total (`lib.law.FAN`), millions.
    marks : name and level (millions) of each line, such as the goal's path and what came.
    """
    axes = new_axes(title, height=4.4)
    places = np.arange(len(rows))
    divisor, unit = style.scale_of(rows[0.9].max())
    for (low, high, _, name), width in zip(BANDS, (3, 8, 13), strict=True):
        look = {"color": ORANGE, "alpha": 0.45, "linewidth": width, "label": f"{name} interval"}
        axes.vlines(places, rows[low] / divisor, rows[high] / divisor, **look)
    axes.plot(places, rows[0.5] / divisor, "o", color="black", markersize=4, label="median", zorder=3)
    axes.plot(places, rows["so_far_mn"].replace(0, np.nan) / divisor, "^", color=BLUE, label="year so far")
    for (name, level), (colour, line) in zip(marks.items(), ((RED, "--"), (GREEN, "-")), strict=False):
        axes.axhline(level / divisor, color=colour, linestyle=line, linewidth=1.3, label=name)
    axes.set_xticks(places, rows["label"], fontsize=8)
    axes.set_xlim(-0.6, len(rows) - 0.4)
    style.in_numbers(axes)
    axes.legend(loc="lower right", fontsize=8, ncols=2)
    axes.grid(axis="x", visible=False)
    return finish(axes, sources, years=False, ylim=(0, None), ylabel=f"{currency} {unit}, nominal")


def odds_by_row(odds: pd.Series, title: str, sources: str = "", marked: float | None = None) -> Any:
    """One probability a row as a dot on a line from 0 to 100 %, labelled; `marked` draws a dotted line."""
    axes = new_axes(title, height=1.5 + 0.36 * len(odds), width=50)
    places = np.arange(len(odds))
    axes.hlines(places, 0, odds * 100, color=PALE, linewidth=2)
    axes.scatter(odds * 100, places, color=BLUE, s=42, zorder=3)
    for place, value in zip(places, odds, strict=True):
        beside(axes, percent(value), (value * 100, place), (7, 0), va="center", fontsize=8)
    if marked is not None:
        axes.axvline(marked * 100, color=GREY, linewidth=1, linestyle=":")
    axes.set_yticks(places, [textwrap.fill(str(name), 44) for name in odds.index])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return finish(axes, sources, years=False, xlim=(0, 108), xlabel=CHANCE)


# --- how goals and forecasts fared ---


def met_by_group(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Share met by group as a mark with its interval, and under each group the number of targets.

    `found` is indexed by group: share, low, high (fractions), n.
    """
    axes = new_axes(title, height=3.6)
    places = np.arange(len(found))
    axes.vlines(places, found["low"] * 100, found["high"] * 100, color=PALE, linewidth=5, zorder=2)
    axes.scatter(places, found["share"] * 100, color=BLUE, s=40, zorder=3)
    labels = [f"{group}\n{n}" for group, n in zip(found.index, found["n"], strict=True)]
    axes.set_xticks(places, labels, fontsize=7 if len(found) > 12 else 9)
    axes.set_xlabel("below each group: number of targets; bars: 90 % interval of the share", fontsize=8)
    axes.grid(axis="x", visible=False)
    return finish(axes, sources, years=False, ylim=(-3, 104), yticks=range(0, 101, 20), ylabel="met, %")


def calibration(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Share that came true against the probability given, with the line of perfect calibration.

    `found` has p (mean probability), met (share) and n; low and high (fractions) draw a band where they are.
    """
    axes = new_axes(title, height=4.4)
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":")
    along = {"rotation": 45, "transform_rotates_text": True, "rotation_mode": "anchor", "ha": "center"}
    axes.text(62, 64, "perfect calibration", fontsize=8, color=GREY, path_effects=style.halo(), **along)
    if {"low", "high"} <= set(found.columns):
        axes.fill_between(found["p"] * 100, found["low"] * 100, found["high"] * 100, color=BLUE, alpha=0.15)
    axes.plot(found["p"] * 100, found["met"] * 100, color=BLUE, marker="o", label="observed", clip_on=False)
    for row in found.itertuples():
        beside(axes, f"{row.n:,}", (row.p * 100, row.met * 100), (6, -10), fontsize=7.5)
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="probability given, %", ylabel="came true, %")
    return finish(axes, "Small numbers: forecasts in each group.", sources, years=False)


def by_origin(found: pd.DataFrame, labels: dict[str, str], title: str, what: str, sources: str = "") -> Any:
    """Columns of `found` as lines by origin year, each named at its end; `what` names the axis."""
    axes = new_axes(title, height=3.8)
    ends = []
    for (name, values), look in zip(found.items(), LOOKS, strict=False):
        label = labels.get(name, name)
        axes.plot(values.index, values, label=label, markersize=5, **look)
        ends.append((values.index[-1], values.iloc[-1], textwrap.fill(label, 26), look["color"]))
    style.label_ends(axes, ends, size=8)
    return finish(axes, sources, xlabel="origin: the last year known to the forecast", ylabel=what)
