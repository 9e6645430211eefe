"""The year so far: its share of the year, the fan that narrows by release, and the odds that follow."""

from typing import Any

import numpy as np
import pandas as pd

from lib.plots.style import BLUE, GREEN, GREY, ORANGE, RED, finish, new_axes, scale_of


def odds_by_release(rows: pd.DataFrame, labels: dict[str, str], title: str, sources: str = "") -> Any:
    """Probability of each reading by day of release as steps; a probability holds until the next release.

    `rows` has day and the columns of `labels` (fractions, NaN where a reading has none).
    """
    figure, axes = new_axes(title, height=3.8)
    styles = zip((BLUE, GREEN, RED), ("-", "--", ":"), ("o", "D", "s"), strict=True)
    for (name, label), (colour, line, marker) in zip(labels.items(), styles, strict=False):
        known = rows.dropna(subset=name)
        look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 4}
        axes.step(known["day"], known[name] * 100, where="post", label=label, **look)
    for year in range(rows["day"].min().year + 1, rows["day"].max().year + 1):
        axes.axvline(pd.Timestamp(year, 1, 1), color="#dddddd", linewidth=0.8, zorder=0)
    top = min(max(rows[list(labels)].max().max() * 115, 20), 102)
    axes.set_ylim(-top / 50, top)
    axes.set_ylabel("probability of the goal, %")
    axes.legend(loc="best", fontsize=8)
    last = "; ".join(
        f"{label} {known.iloc[-1] * 100:.0f} %"
        for name, label in labels.items()
        if len(known := rows[name].dropna())
    )
    alt = f"{title}: probability of the goal by day of release, {rows['day'].min():%Y-%m-%d} to "
    alt += f"{rows['day'].max():%Y-%m-%d}; at the end: {last or 'none'}."
    return finish(figure, axes, alt, sources, years=False)


def fan_by_release(
    rows: pd.DataFrame, marks: dict[str, float], currency: str, title: str, sources: str = ""
) -> Any:
    """Intervals of a year's total by release, each with its months, and levels to compare with as lines.

    Parameters
    ----------
    rows : label (what was known), so_far_mn and the quantiles of the total (`lib.forecast.FAN`), millions.
    marks : name and level (millions) of each line, such as the goal's path and what came.
    """
    figure, axes = new_axes(title, height=4.4)
    places = np.arange(len(rows))
    divisor, unit = scale_of(rows[0.9].max())
    for low, high, width, label in (
        (0.025, 0.975, 3, "95 %"),
        (0.1, 0.9, 8, "80 %"),
        (0.25, 0.75, 13, "50 %"),
    ):
        axes.vlines(
            places,
            rows[low] / divisor,
            rows[high] / divisor,
            color=ORANGE,
            alpha=0.45,
            linewidth=width,
            label=f"{label} interval",
        )
    axes.plot(places, rows[0.5] / divisor, "o", color="black", markersize=4, label="median", zorder=3)
    axes.plot(places, rows["so_far_mn"].replace(0, np.nan) / divisor, "^", color=BLUE, label="year so far")
    for (name, level), (colour, line) in zip(marks.items(), ((RED, "--"), (GREEN, "-")), strict=False):
        axes.axhline(level / divisor, color=colour, linestyle=line, linewidth=1.3, label=name)
    axes.set_xticks(places, rows["label"], fontsize=8)
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"{currency} {unit}, nominal")
    axes.legend(loc="lower right", fontsize=8, ncols=2)
    axes.grid(axis="x", visible=False)
    ends = "; ".join(
        f"{row.label}: {row[0.5] / divisor:,.4g} ({row[0.1] / divisor:,.4g} to {row[0.9] / divisor:,.4g})"
        for _, row in rows.iloc[[0, -1]].iterrows()
    )
    alt = f"{title}: median and 80 % interval of the year, {currency} {unit}, first and last release: {ends}."
    return finish(figure, axes, alt, sources, years=False)


def share_by_month(band: pd.DataFrame, own: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Share of a year that is done by a month: 80 % band and median, and earlier years as points.

    Parameters
    ----------
    band : indexed by month (1 to 11), columns 0.1, 0.5, 0.9, fractions.
    own : years × months, fractions, NaN where unknown.
    """
    figure, axes = new_axes(title, height=4.2)
    axes.fill_between(
        band.index,
        band[0.1] * 100,
        band[0.9] * 100,
        color=ORANGE,
        alpha=0.3,
        linewidth=0,
        label="80 % interval",
    )
    axes.plot(band.index, band[0.5] * 100, color=ORANGE, linewidth=1.5, label="median")
    axes.plot(band.index, band.index / 12 * 100, color=GREY, linestyle=":", label="months in proportion")
    months = np.broadcast_to(own.columns.to_numpy(dtype=float), own.shape)
    look = {"color": BLUE, "alpha": 0.6, "markersize": 4, "linestyle": ""}
    axes.plot(months.ravel(), own.to_numpy().ravel() * 100, marker="o", label="earlier years", **look)
    axes.set_xticks(
        range(1, 12), ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"]
    )
    axes.set_ylim(0, 100)
    axes.set_xlabel("year to the end of")
    axes.set_ylabel("done of the year's total, %")
    axes.legend(loc="upper left", fontsize=8)
    half = band.loc[6]
    alt = f"{title}: by the end of June {half[0.5] * 100:.0f} % of a year is done, "
    alt += f"80 % interval {half[0.1] * 100:.0f} to {half[0.9] * 100:.0f} %."
    return finish(figure, axes, alt, sources, years=False)
