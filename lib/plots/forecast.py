"""A goal and its chances: the record with goal path and fan, and probabilities over time."""

from typing import Any

import numpy as np
import pandas as pd

from lib.measured import coverage_line
from lib.plots.style import (
    BLUE,
    GRADE_MARKS,
    GREY,
    ORANGE,
    RED,
    finish,
    grade_handles,
    halo,
    label_ends,
    new_axes,
    scale_of,
    signed,
)
from lib.words import money, percent

BANDS = ((0.025, 0.975, 0.15, "95 %"), (0.1, 0.9, 0.22, "80 %"), (0.25, 0.75, 0.3, "50 %"))
"""Lower and upper probability, opacity and name of the intervals of a fan, the widest first."""
FAN_WORDS = "#8a5f00"
"""The orange of the fan, dark enough to read."""
HIGHEST = 1.6
"""The outermost band is cut at so many times everything else that is drawn."""


def goal_fan(
    series: pd.DataFrame,
    path: pd.Series,
    fan: pd.DataFrame | None,
    currency: str,
    title: str,
    sources: str = "",
    sureness: str | None = None,
) -> Any:
    """The record, the path that the goal asks for, and the forecast as a fan with its measured coverage.

    Parameters
    ----------
    series : as `lib.series.annual_series` gives it.
    path : level of the goal path by year, millions.
    fan : indexed by year, one column a probability (`lib.forecast.FAN`), millions; or None.
    sureness : what stands under a fan that is no forecast, in place of the coverage of forecasts.
    """
    figure, axes = new_axes(title)
    top = max(series["value_mn"].max(), path.max(), 0 if fan is None else fan[0.9].max())
    divisor, unit = scale_of(top)
    axes.plot(path.index, path / divisor, color=RED, linestyle="--", label="goal path (on average)", zorder=2)
    ends = [(path.index[-1], path.iloc[-1] / divisor, _level("goal", path.iloc[-1] / divisor), RED)]
    gaps = _shade_gaps(axes, series.index)
    _draw_levels(axes, series, divisor)
    axes.set_ylim(bottom=0)
    if fan is not None:
        ends += _draw_fan(axes, fan / divisor)
        axes.set_ylim(0, min(fan[0.975].max(), HIGHEST * top) / divisor * 1.02)
    axes.set_ylabel(f"{currency} {unit}, nominal")
    label_ends(axes, ends)
    handles = [*grade_handles(series["grade"].unique()), *gaps]
    axes.legend(handles=handles, loc="upper left", fontsize=8)
    if fan is not None and sureness is None:
        sureness = coverage_line(int(fan.index[-1] - fan.index[0]))
    return finish(figure, axes, _fan_in_words(series, path, fan, currency, title), sureness or "", sources)


def _level(name: str, value: float) -> str:
    """A name with a level in three significant digits, or whole."""
    shown = float(f"{value:.3g}") if value < 1000 else round(value)
    return f"{name} {np.format_float_positional(shown, trim='-') if value < 1000 else f'{shown:,.0f}'}"


def _fan_in_words(
    series: pd.DataFrame, path: pd.Series, fan: pd.DataFrame | None, currency: str, title: str
) -> str:
    last = series.index[-1]
    told = (
        f"{title}: the level was {money(series['value_mn'].iloc[-1], currency)} in {last}; the goal asks for "
        f"{money(path.iloc[-1], currency)} in {path.index[-1]}"
    )
    if fan is None:
        return f"{told}."
    low, middle, high = (money(fan[p].iloc[-1], currency) for p in (0.1, 0.5, 0.9))
    return f"{told}, the forecast's middle is {middle}, its 80 % interval {low} to {high}."


def _draw_levels(axes: Any, series: pd.DataFrame, divisor: float) -> None:
    years = pd.RangeIndex(series.index.min(), series.index.max() + 1)
    axes.plot(years, series["value_mn"].reindex(years) / divisor, color=BLUE, linewidth=1.2, zorder=2)
    spread = series[series["high_mn"] > series["low_mn"] * 1.01]
    low, high = spread["low_mn"] / divisor, spread["high_mn"] / divisor
    axes.vlines(spread.index, low, high, color=GREY, linewidth=3, alpha=0.5)
    for grade, group in series.groupby("grade", sort=False):
        marker, face, edge = GRADE_MARKS[grade]
        look = {"marker": marker, "facecolor": face, "edgecolor": edge, "label": grade}
        axes.scatter(group.index, group["value_mn"] / divisor, s=34, zorder=3, **look)
    last, value = series.index[-1], series["value_mn"].iloc[-1] / divisor
    place = {"xytext": (0, 8), "textcoords": "offset points", "ha": "center"}
    axes.annotate(f"{value:,.4g}", (last, value), fontsize=9, color=BLUE, path_effects=halo(), **place)


def _draw_fan(axes: Any, fan: pd.DataFrame) -> list[tuple[float, float, str, str]]:
    """Draw the bands and the median; returns where their names go."""
    ends = []
    for low, high, alpha, name in BANDS:
        look = {"color": ORANGE, "alpha": alpha, "linewidth": 0, "label": f"{name} interval"}
        axes.fill_between(fan.index, fan[low], fan[high], **look)
        # Edges, since shades of one colour are hard to tell apart in print.
        axes.plot(fan.index, fan[[low, high]], color=ORANGE, linewidth=0.6, alpha=0.8)
        ends.append((fan.index[-1], fan[high].iloc[-1], f"{name} interval", FAN_WORDS))
    axes.plot(fan.index, fan[0.5], color=FAN_WORDS, linewidth=1.5, linestyle="-.", label="median forecast")
    middle = fan[0.5].iloc[-1]
    return [*ends, (fan.index[-1], middle, _level("median", middle), FAN_WORDS)]


def _shade_gaps(axes: Any, years: pd.Index) -> list[Any]:
    """Shade the years inside the record that have no figure; returns what stands for it in a legend."""
    missing = pd.RangeIndex(years.min(), years.max() + 1).difference(years)
    shaded = [axes.axvspan(y - 0.5, y + 0.5, color="#f2f2f2", zorder=0, label="no figure") for y in missing]
    return shaded[:1]


def hindcast(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Probabilities given in earlier years, filled where the goal was then met, hollow where it was missed.

    `found` is indexed by origin year: probability, met (bool).
    """
    figure, axes = new_axes(title, height=3.2)
    axes.vlines(found.index, 0, found["probability"] * 100, color="#cccccc", linewidth=1, zorder=1)
    for met, group in found.groupby("met"):
        face, label = (BLUE, "then met") if met else ("white", "then missed")
        look = {"facecolor": face, "edgecolor": BLUE, "s": 46, "label": label, "zorder": 3}
        axes.scatter(group.index, group["probability"] * 100, **look)
    axes.set_ylim(0, 100)
    axes.set_xlabel("origin: the last year known to the forecast")
    axes.set_ylabel("probability given, %")
    axes.legend(loc="upper left", fontsize=8)
    alt = (
        f"{title}: probabilities from {percent(found['probability'].min())} to "
        f"{percent(found['probability'].max())}; the goal was then met after {int(found['met'].sum())} of "
        f"{len(found)} origins."
    )
    return finish(figure, axes, alt, sources)


def probability_path(odds: pd.Series, title: str, sources: str = "") -> Any:
    """Probability by day as a line from 0 to 100 %, each point labelled."""
    figure, axes = new_axes(title, height=3.2)
    days = [f"{day:%-d %b %Y}" for day in odds.index]
    axes.plot(days, odds * 100, color=BLUE, marker="o")
    for day, value in zip(days, odds, strict=True):
        if pd.notna(value):
            place = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
            axes.annotate(percent(value), (day, value * 100), path_effects=halo(), **place)
    axes.axhline(50, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_ylim(-4, 112)
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel("probability of the goal, %")
    pairs = zip(days, odds, strict=True)
    told = "; ".join(f"{day} {percent(value)}" for day, value in pairs if pd.notna(value))
    return finish(figure, axes, f"{title}: probability of the goal by day, {told}.", sources, years=False)


def probability_steps(bars: pd.DataFrame, title: str, sources: str = "") -> Any:
    """What moved a probability, as a waterfall: start, each move up or down, end.

    `bars` is as `lib.pages.revision_words.bars` gives it.
    """
    figure, axes = new_axes(title, height=1.6 + 0.38 * len(bars))
    moved = bars["moved"]
    colours = np.where(moved.isna(), "#bbbbbb", np.where(moved > 0, BLUE, RED))
    hatches = list(np.where(moved < 0, "//", ""))
    low, high = bars["low"] * 100, bars["high"] * 100
    look = {"color": colours, "hatch": hatches, "edgecolor": "white", "height": 0.6}
    axes.barh(bars.index, high - low, left=low, **look)
    # From each bar a thin line leads to where the next begins.
    after = np.where(moved.isna(), high, np.where(moved > 0, high, low))
    axes.vlines(after[:-1], bars.index[:-1] + 0.3, bars.index[1:] - 0.3, color=GREY, linewidth=0.8)
    words = [
        f"{end:.0f} %" if np.isnan(by) else signed(by * 100, 1) for end, by in zip(high, moved, strict=True)
    ]
    for place, (end, text) in enumerate(zip(high, words, strict=True)):
        if np.isfinite(end):
            spot = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(text, (end, place), fontsize=8, **spot)
    axes.set_yticks(bars.index, bars["label"])
    axes.invert_yaxis()
    axes.set_xlim(0, 112)
    axes.set_xlabel("probability of the goal, %")
    axes.grid(axis="y", visible=False)
    told = "; ".join(
        f"{' '.join(str(label).split())} {text}" for label, text in zip(bars["label"], words, strict=True)
    )
    return finish(figure, axes, f"{title}: what moved the probability: {told}.", sources, years=False)
