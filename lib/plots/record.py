"""What was published: how many figures, how levels grew, where sources disagree."""

from typing import Any

import numpy as np
import pandas as pd

from lib.figures import FLOW_NAMES
from lib.plots import style
from lib.plots.style import GREY, LOOKS, finish, new_axes
from lib.words import number


def levels_together(family: dict[str, pd.DataFrame], currency: str, title: str, sources: str = "") -> Any:
    """Level by year of up to four flows on one logarithmic scale, each labelled at its end."""
    figure, axes = new_axes(title, height=5.2)
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
    told = "; ".join(f"{name} {number(level)} in {year}" for year, level, name, _ in ends)
    told = f"levels by year on a logarithmic scale, {currency} mn: {told}"
    return finish(figure, axes, told, sources, ylabel=f"{currency} mn, nominal, logarithmic")


def growth_table(rates: pd.DataFrame, goal_rate: float, title: str, sources: str = "") -> Any:
    """Growth by year (columns) and flow (rows) as a coloured table; cells that reached the goal are framed.

    `rates` holds fractions, NaN where no rate is known; colours saturate at −50 % and +50 %.
    """
    from matplotlib.patches import Rectangle

    years = range(int(rates.columns.min()), int(rates.columns.max()) + 1)
    shown = rates.reindex(columns=years).sort_index(axis=1) * 100
    figure, axes = new_axes(title, height=1.5 + 0.5 * len(shown))
    text = shown.map(lambda value: "" if np.isnan(value) else style.signed(value))
    style.heat(axes, shown, text, "RdBu", -50, 50, size=7 if len(years) <= 24 else 5.6)
    reached = shown.to_numpy() >= goal_rate * 100 - 1e-7
    for row, column in zip(*np.where(reached), strict=True):
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="black", linewidth=1.6))
    counts = zip(shown.index, reached.sum(axis=1), shown.notna().sum(axis=1), strict=True)
    told = "; ".join(f"{name} in {met} of {known} years" for name, met, known in counts)
    notes = "Framed: growth at the goal's rate or more.", "Blank: no two levels in a row.", sources
    return finish(figure, axes, f"the goal's rate was reached by {told}", *notes, years=False)


def coverage(counts: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Number of figures by year (columns) and kind (rows) as a heat map; nothing published is left white."""
    figure, axes = new_axes(title, height=1.2 + 0.4 * len(counts))
    # White, then light to dark: the darkest shade keeps the numbers readable.
    most = max(8, counts.to_numpy().max() * 1.4)
    style.heat(axes, counts.replace(0, np.nan), counts.map(lambda n: str(n) if n else ""), "Blues", 0, most)
    told = "; ".join(f"{name} {total}" for name, total in counts.sum(axis=1).items())
    return finish(figure, axes, f"number of figures, {told}", sources, years=False)


def disagreement(candidates: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Each source of a year against the one chosen, in per cent.

    `candidates` is as `lib.analysis.published.candidates` gives it, with a column `differs` (fraction of the chosen).
    """
    figure, axes = new_axes(title)
    differs = candidates.set_index("year")["differs"]
    style.mark_grades(axes, differs * 100, candidates["grade"])
    return _against(figure, axes, differs, "other sources", sources, "against the level chosen, %")


def _against(figure: Any, axes: Any, found: pd.Series, what: str, sources: str, label: str) -> Any:
    """Finish a figure of differences (fractions) around zero."""
    axes.axhline(0, color="black", linewidth=0.8)
    axes.margins(y=0.15)
    told = f"{len(found)} {what}, from {style.signed(found.min() * 100, 1)} to {style.signed(found.max() * 100, 1)} %"
    return finish(figure, axes, told, sources, legend="best", ylabel=label)


def mirror(found: pd.DataFrame, title: str, sources: str = "") -> Any:
    """What the partner reports against what the reporter does, in per cent, by the end of the period.

    `found` is as `lib.analysis.published.mirrors` gives it; full years are filled marks, parts of a year hollow ones.
    """
    figure, axes = new_axes(title)
    whole = (found["period_end"] - found["period_start"]).dt.days >= 364
    middle = found["period_end"].dt.year + (found["period_end"].dt.day_of_year - 1) / 365
    names = found["pair"] + ", " + found["flow"].map(FLOW_NAMES)
    for colour, (name, rows) in enumerate(found.groupby(names, sort=False)):
        face = [f"C{colour}" if full else "white" for full in whole[rows.index]]
        gap = rows["gap"] * 100
        axes.scatter(middle[rows.index], gap, facecolor=face, edgecolor=f"C{colour}", label=name, zorder=3)
    return _against(figure, axes, found["gap"], "periods", sources, "partner against reporter, %")
