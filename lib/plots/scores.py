"""How goals and forecasts fared: shares met, calibration, scores by origin, verdicts of official trackers."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd

from lib.plots import style
from lib.plots.style import BLUE, GREY, LOOKS, PALE, beside, finish, new_axes
from lib.words import percent, years


def shares(found: pd.Series, title: str, sources: str = "") -> Any:
    """Share by horizon in years as a line from 0, each point labelled in per cent."""
    figure, axes = new_axes(title, height=3.4)
    axes.plot(found.index, found * 100, color=BLUE, marker="o")
    for horizon, share in found.items():
        beside(axes, percent(share), (horizon, share * 100), (0, 6), ha="center")
    told = "; ".join(f"over {years(horizon)} {percent(share)}" for horizon, share in found.items())
    axes.set(ylim=(0, max(found.max() * 125, 10)), xlabel="years", ylabel="share of flows, %")
    return finish(figure, axes, told, sources)


def met_by_group(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Share met by group as a mark with its interval, and under each group the number of targets.

    `found` is indexed by group: share, low, high (fractions), n.
    """
    figure, axes = new_axes(title, height=3.6)
    places = np.arange(len(found))
    axes.vlines(places, found["low"] * 100, found["high"] * 100, color=PALE, linewidth=5, zorder=2)
    axes.scatter(places, found["share"] * 100, color=BLUE, s=40, zorder=3)
    labels = [f"{group}\n{n}" for group, n in zip(found.index, found["n"], strict=True)]
    axes.set_xticks(places, labels, fontsize=7 if len(found) > 12 else 9)
    axes.set_xlabel("below each group: number of targets; bars: 90 % interval of the share", fontsize=8)
    axes.grid(axis="x", visible=False)
    told = "; ".join(f"{row.Index} {row.share * 100:.0f} % of {row.n}" for row in found.itertuples())
    axes.set(ylim=(-3, 104), yticks=range(0, 101, 20), ylabel="met, %")
    return finish(figure, axes, f"share met, {told}", sources, years=False)


def calibration(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Share that came true against the probability given, with the line of perfect calibration.

    `found` has p (mean probability), met (share) and n; low and high (fractions) draw a band where they are.
    """
    figure, axes = new_axes(title, height=4.4)
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":")
    along = {"rotation": 45, "transform_rotates_text": True, "rotation_mode": "anchor", "ha": "center"}
    axes.text(62, 64, "perfect calibration", fontsize=8, color=GREY, path_effects=style.halo(), **along)
    if {"low", "high"} <= set(found.columns):
        axes.fill_between(found["p"] * 100, found["low"] * 100, found["high"] * 100, color=BLUE, alpha=0.15)
    axes.plot(found["p"] * 100, found["met"] * 100, color=BLUE, marker="o", label="observed", clip_on=False)
    for row in found.itertuples():
        beside(axes, f"{row.n:,}", (row.p * 100, row.met * 100), (6, -10), fontsize=7.5)
    rows = zip(found["p"] * 100, found["met"] * 100, strict=True)
    told = "; ".join(f"of {p:.0f} % given {met:.0f} % came true" for p, met in rows)
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="probability given, %", ylabel="came true, %")
    note = "Small numbers: forecasts in each group."
    return finish(figure, axes, told, note, sources, years=False)


def by_origin(found: pd.DataFrame, labels: dict[str, str], title: str, what: str, sources: str = "") -> Any:
    """Columns of `found` as lines by origin year, each named at its end; `what` names the axis."""
    figure, axes = new_axes(title, height=3.8)
    ends, told = [], []
    for (name, values), look in zip(found.items(), LOOKS, strict=False):
        label = labels.get(name, name)
        axes.plot(values.index, values, label=label, markersize=5, **look)
        ends.append((values.index[-1], values.iloc[-1], textwrap.fill(label, 26), look["color"]))
        told.append(f"{label} {values.iloc[-1]:.3g}")
    style.label_ends(axes, ends, size=8)
    axes.set(xlabel="origin: the last year known to the forecast", ylabel=what)
    told_of = f"{what}; at the last origin, {found.index[-1]}, {'; '.join(told)}"
    return finish(figure, axes, told_of, sources)


def verdict_grid(classes: pd.DataFrame, marks: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Class given by each tracker (rows) on each day (columns), coloured by whether it means on track.

    `marks` holds 1 (on track), 0 (not) or NaN (the tracker makes no forecast), in the shape of `classes`.
    """
    from matplotlib.colors import ListedColormap

    figure, axes = new_axes(title, height=1.5 + 0.5 * len(classes), width=60)
    text = classes.fillna("").map(lambda words: words.replace(" ", "\n", 1))
    style.heat(axes, marks, text, ListedColormap(["#f6c77d", "#9ecae1"]), 0, 1)
    axes.set_xticklabels([f"{day:%-d %b %Y}" for day in classes.columns], rotation=0)
    on_track = [f"{int(marks[day].sum())} on {day:%-d %B %Y}" for day in classes.columns]
    notes = "Blue: counts as on track. Orange: does not.", "White: the tracker makes no forecast."
    told = f"of {len(classes)} trackers, on track for {', '.join(on_track)}"
    return finish(figure, axes, told, *notes, sources, years=False)
