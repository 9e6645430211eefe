"""What was published, what moved it, and what policies did: figures from tidy data, no statistics in here."""

from typing import Any

import numpy as np
import pandas as pd

from lib.plots import style
from lib.plots.style import BLUE, GREEN, GREY, LOOKS, ORANGE, RED, beside, finish, new_axes
from lib.words import number

FILLS = (BLUE, ""), (ORANGE, "///"), (GREEN, "..."), (RED, "xx")


def levels_together(family: dict[str, pd.DataFrame], currency: str, title: str, sources: str = "") -> Any:
    """Level by year of up to four flows on one logarithmic scale, each labelled at its end."""
    axes = new_axes(title, height=5.2)
    family = {name: series for name, series in family.items() if not series.empty}
    ends = []
    for look, (name, series) in zip(LOOKS, family.items(), strict=False):
        levels = style.whole(series["value_mn"])
        axes.plot(levels.index, levels, linewidth=1.4, **look | {"marker": ""})
        style.mark_grades(axes, series["value_mn"], series["grade"], look["color"])
        ends.append((levels.index[-1], levels.iloc[-1], name, look["color"]))
    axes.set_yscale("log", nonpositive="mask")
    style.in_numbers(axes)
    low, high = axes.get_ylim()
    # With less than two powers of ten the others need labels, too.
    few = np.floor(np.log10(high)) <= np.log10(low) + 1
    axes.yaxis.set_minor_formatter(lambda value, _: number(value) if few and str(value)[0] in "25" else "")
    style.label_ends(axes, ends, size=9.5)
    every = pd.concat(family.values())
    axes.legend(handles=style.mark_grades(axes, every["value_mn"] * np.nan, every["grade"], GREY), fontsize=8)
    return finish(axes, sources, ylabel=f"{currency} mn, nominal, logarithmic")


def growth_table(rates: pd.DataFrame, goal_rate: float, title: str, sources: str = "") -> Any:
    """Growth by year (columns) and flow (rows) as a coloured table; cells that reached the goal are framed.

    `rates` holds fractions, NaN where no rate is known; colours saturate at −50 % and +50 %.
    """
    from matplotlib.patches import Rectangle

    years = range(int(rates.columns.min()), int(rates.columns.max()) + 1)
    shown = rates.reindex(columns=years).sort_index(axis=1) * 100
    axes = new_axes(title, height=1.5 + 0.5 * len(shown))
    text = shown.map(lambda value: "" if np.isnan(value) else style.signed(value))
    style.heat(axes, shown, text, "RdBu", -50, 50, size=7 if len(years) <= 24 else 5.6)
    reached = shown.to_numpy() >= goal_rate * 100 - 1e-7
    for row, column in zip(*np.where(reached), strict=True):
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="black", linewidth=1.6))
    notes = "Framed: growth at the goal's rate or more.", "Blank: no two levels in a row.", sources
    return finish(axes, *notes, years=False)


def coverage(counts: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Number of figures by year (columns) and kind (rows) as a heat map; nothing published is left white."""
    axes = new_axes(title, height=1.2 + 0.4 * len(counts))
    # White, then light to dark: the darkest shade keeps the numbers readable.
    most = max(8, counts.to_numpy().max() * 1.4)
    style.heat(axes, counts.replace(0, np.nan), counts.map(lambda n: str(n) if n else ""), "Blues", 0, most)
    return finish(axes, sources, years=False)


# --- what moved trade, and what policies did ---


def stacked(parts: pd.DataFrame, labels: dict[str, str], unit: str, title: str, sources: str = "") -> Any:
    """Parts that add up, as bars by year stacked from zero in both directions, and their sum as a mark.

    `parts` holds fractions by year, the sum in the column growth; `labels` names the columns to draw, in order;
    `unit` is what a hundredth is called. None where there is no year.
    """
    if parts.empty:
        return None
    axes = new_axes(title, height=4.2)
    up, down = np.zeros(len(parts)), np.zeros(len(parts))
    for (name, label), (colour, hatch) in zip(labels.items(), FILLS, strict=False):
        value = parts[name].to_numpy() * 100
        look = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.4}
        axes.bar(parts.index, value, bottom=np.where(value >= 0, up, down), width=0.8, label=label, **look)
        up, down = up + np.maximum(value, 0), down + np.minimum(value, 0)
    axes.plot(
        parts.index, parts["growth"] * 100, "D", color="black", markersize=4.5, zorder=4, label="growth"
    )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=4, fontsize=8)
    return finish(axes, sources, ylabel=unit)


def timeline(
    levels: dict[str, pd.Series], events: pd.DataFrame, currency: str, title: str, sources: str = ""
) -> Any:
    """Levels on a logarithmic scale with numbered events as vertical lines.

    `events` has when (decimal year), number and named (whether the article names the policy). None without a level.
    """
    levels = {name: level for name, level in levels.items() if len(level)}
    if not levels:
        return None
    axes = new_axes(title, height=5.0)
    for (name, level), look in zip(levels.items(), LOOKS, strict=False):
        line = style.whole(level)
        axes.plot(line.index + 0.5, line, markersize=4, linewidth=1.2, **look | {"linestyle": "-"})
        at, colour = (line.index[-1] + 0.5, line.iloc[-1]), look["color"]
        beside(axes, name, at, (6, 0), va="center", color=colour)
    axes.set_yscale("log")
    style.in_numbers(axes)
    # Their numbers stand above the lines, in rows so that neighbours do not overlap.
    ends = [-np.inf] * 4
    for row in events.sort_values("when").itertuples():
        colour, width, weight = (ORANGE, 1.6, "bold") if row.named else ("#bbbbbb", 0.9, "normal")
        axes.axvline(row.when, color=colour, linewidth=width, zorder=0)
        level = next((i for i, end in enumerate(ends) if row.when - end > 0.55), int(np.argmin(ends)))
        ends[level] = row.when
        look = {"xycoords": ("data", "axes fraction"), "ha": "center", "fontsize": 7.5, "fontweight": weight}
        beside(axes, str(row.number), (row.when, 1.0), (0, 3 + 9 * level), **look)
    axes.set_title(axes.get_title(loc="left"), pad=48)
    axes.margins(x=0.08)
    return finish(axes, sources, ylabel=f"{currency} mn, nominal, logarithmic")
