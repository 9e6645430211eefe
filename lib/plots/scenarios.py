"""What a goal would take: probabilities under scenarios, and for other goals."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd

from lib.plots.style import BLUE, GREEN, GREY, RED, finish, new_axes
from lib.words import percent


def odds_by_row(odds: pd.Series, title: str, sources: str = "", marked: float | None = None) -> Any:
    """One probability a row as a dot on a line from 0 to 100 %, labelled; `marked` draws a dotted line."""
    figure, axes = new_axes(title, height=1.5 + 0.36 * len(odds))
    places = np.arange(len(odds))
    axes.hlines(places, 0, odds * 100, color="#9ecae1", linewidth=2)
    axes.scatter(odds * 100, places, color=BLUE, s=42, zorder=3)
    for place, value in zip(places, odds, strict=True):
        look = {"xytext": (7, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        axes.annotate(percent(value), (value * 100, place), **look)
    if marked is not None:
        axes.axvline(marked * 100, color=GREY, linewidth=1, linestyle=":")
    axes.set_yticks(places, [textwrap.fill(str(name), 44) for name in odds.index])
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_xlabel("probability of the goal, %")
    axes.grid(axis="y", visible=False)
    told = "; ".join(f"{name} {percent(value)}" for name, value in odds.items())
    return finish(figure, axes, f"{title}: probability of the goal, {told}.", sources, years=False)


def odds_by_goal(
    odds: pd.DataFrame, labels: dict[str, str], goal_rate: float, title: str, sources: str = ""
) -> Any:
    """Probability of each reading (columns) by the growth a year that a goal asks for (index, fractions)."""
    figure, axes = new_axes(title, height=3.8)
    styles = zip((BLUE, RED, GREEN), ("-", "--", ":"), strict=True)
    for (name, values), (colour, line) in zip(odds.items(), styles, strict=False):
        label = labels.get(str(name), str(name))
        axes.plot(odds.index * 100, values * 100, color=colour, linestyle=line, label=label)
    for chance in (50, 80):
        axes.axhline(chance, color=GREY, linewidth=0.8, linestyle=":")
    axes.axvline(goal_rate * 100, color="black", linewidth=1)
    place = {"xytext": (4, -4), "textcoords": "offset points", "va": "top", "fontsize": 8}
    axes.annotate("the goal", (goal_rate * 100, 100), **place)
    axes.set_ylim(0, 100)
    axes.set_xlabel("growth a year that the goal asks for, %")
    axes.set_ylabel("probability, %")
    axes.legend(loc="upper right", fontsize=8)
    last = (odds.index[0], odds.index[-1])
    told = "; ".join(
        f"{labels.get(str(name), name)} {percent(values.iloc[0])} to {percent(values.iloc[-1])}"
        for name, values in odds.items()
    )
    alt = f"{title}: probability for goals of {percent(last[0])} to {percent(last[1])} a year: {told}."
    return finish(figure, axes, alt, sources, years=False)
