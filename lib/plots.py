"""Figures from tidy data, in one style; no statistics are computed here.

Colours are the Okabe–Ito set (Okabe & Ito 2008), which colour-blind readers can tell apart; every mark that
carries meaning differs in shape or line as well, so that the figures also work in grey.
"""

from typing import Any

import numpy as np
import pandas as pd

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
GRADE_MARKS = {
    "published": ("o", BLUE, BLUE),
    "implied": ("o", "white", BLUE),
    "converted": ("D", "white", GREEN),
    "press conversion": ("X", RED, RED),
}
"""Marker, face and edge colour of each grade of `lib.series`."""

SIZE = (8.0, 4.2)
FAN = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Probabilities of the quantiles that make a fan: 50, 80 and 95 % intervals around the median."""


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


def levels(series: pd.DataFrame, currency: str, title: str, sources: str = "") -> Any:
    """Level by year: a line through consecutive years, a mark by grade, a bar where sources differ."""
    figure, axes = _axes(title)
    divisor, unit = scale_of(series["high_mn"].max())
    _draw_levels(axes, series, divisor)
    axes.set_ylabel(f"{currency} {unit}, nominal")
    axes.set_ylim(bottom=0)
    _shade_gaps(axes, series.index)
    axes.legend(loc="upper left")
    return _finish(figure, axes, sources)


def growth(rates: pd.Series, goal_rate: float | None, title: str, sources: str = "") -> Any:
    """Growth by year as bars, against the rate of the goal; years without a rate are marked."""
    figure, axes = _axes(title)
    reached = rates >= (goal_rate if goal_rate is not None else 0)
    colours = np.where(reached, BLUE, "#9ecae1")
    axes.bar(rates.index, rates * 100, color=colours, edgecolor="white", zorder=2)
    for year, rate in rates.dropna().items():
        above = rate >= 0
        axes.annotate(
            f"{rate * 100:+.0f}",
            (year, rate * 100),
            xytext=(0, 3 if above else -3),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=8,
        )
    for year in rates.index[rates.isna()]:
        axes.annotate("no\nrate", (year, 0), ha="center", va="bottom", fontsize=7, color=GREY)
    axes.axhline(0, color="black", linewidth=0.8)
    if goal_rate is not None:
        axes.axhline(goal_rate * 100, color=RED, linestyle="--", linewidth=1.3)
        _label_right(axes, goal_rate * 100, f"goal\n{goal_rate * 100:+.4g} %", RED)
    axes.margins(y=0.12)
    axes.set_ylabel("growth on the year before, %")
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
    fan : indexed by year, one column a probability (`FAN`), millions; or None where nothing is forecast.
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
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"{currency} {unit}, nominal")
    axes.legend(loc="upper left", fontsize=8)
    return _finish(figure, axes, sources)


def probabilities(table: pd.DataFrame, title: str, sources: str = "") -> Any:
    """Probability by reading as bars from 0 to 100 %, with the number written at the end.

    `table` is indexed by the reading's label and has a column `probability`.
    """
    figure, axes = _axes(title, height=0.7 + 0.5 * len(table))
    places = np.arange(len(table))[::-1]
    axes.barh(places, table["probability"] * 100, color=BLUE, height=0.55, zorder=2)
    axes.set_yticks(places, table.index)
    for place, value in zip(places, table["probability"], strict=True):
        axes.annotate(f" {value * 100:.0f} %", (value * 100, place), va="center", fontsize=9)
    axes.set_xlim(0, 100)
    axes.set_xlabel("probability of being met, %")
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
        linewidths=1,
        linecolor="#eeeeee",
        ax=axes,
    )
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="y", rotation=0)
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
        figure.supxlabel(sources, fontsize=7, color=GREY, x=0.01, ha="left")
    return figure


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


def _label_right(axes: Any, y: float, text: str, colour: str) -> None:
    place = {"xycoords": ("axes fraction", "data"), "xytext": (4, 0), "textcoords": "offset points"}
    axes.annotate(text, (1.0, y), color=colour, fontsize=8, va="center", **place)
