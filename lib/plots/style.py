"""One style for all figures: colours and marks, axes, direct labels, sources, and words for who cannot see.

Colours are the Okabe–Ito set (Okabe & Ito 2008), which colour-blind readers can tell apart; every mark that
carries meaning differs in shape or line as well, so that the figures also work in grey. Lines are labelled
where they end, not in a legend. Sources stand under the figure.

`show` puts the notebook's words for who cannot see a figure into the output as ``metadata["image/png"]["alt"]``, where
the pages of runs, the site and nbconvert's classic template look for them.
"""

import itertools
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.words import number

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
PALE = "#9ecae1"
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linestyle": "-", "marker": "o"},
    {"color": RED, "linestyle": "--", "marker": "s"},
    {"color": GREEN, "linestyle": ":", "marker": "D"},
    {"color": ORANGE, "linestyle": "-.", "marker": "^"},
)
"""Of the lines of one figure."""
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
LABEL_GAP = 0.052
"""Least distance between two labels at the right edge, as a share of a figure of the height `SIZE`."""
MOST_ACROSS = 18
"""So many columns of a heat map have names that lie; those of more stand."""


def use_style() -> None:
    """Set the style of all figures; call it once at the top of a notebook."""
    import seaborn as sns
    from IPython import get_ipython

    look = {
        "figure.figsize": SIZE,
        "figure.dpi": 110,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.titley": 1.0,  # no ticks stand above the axes: looking for them costs a sixth of a figure
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#e6e6e6",
        "legend.frameon": False,
        "font.size": 10,
        "font.sans-serif": ["DejaVu Sans"],  # which comes with matplotlib: the same letters everywhere
        "text.parse_math": False,  # two dollar signs are money
        "text.hinting": "none",  # letters as wide as the font has them, and drawn sooner
        "svg.hashsalt": "tradegoals",  # the same figure is the same file
        "pdf.fonttype": 42,  # journals want fonts that can be edited
    }
    colours = [BLUE, ORANGE, GREEN, RED]
    sns.set_theme(context="notebook", style="whitegrid", palette=colours, rc=look, font_scale=0.9)
    if (shell := get_ipython()) is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
        from matplotlib_inline.config import InlineBackend

        # As large as they are: the layout has fitted all in, and cropping draws a second time.
        set_matplotlib_formats(*InlineBackend.instance(parent=shell).figure_formats, bbox_inches=None)


def show(figure: Any, alt: str = "") -> None:
    """Display a figure once, with the text that stands for it where it cannot be seen.

    Parameters
    ----------
    figure : as a function of `lib.plots` returned it; nothing is shown of None, where there was nothing to draw.
    alt : one or two sentences with the numbers that matter; by default the figure's label: its title, and of a fan more.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    if figure is None:
        return
    # Laid out here, it is drawn once; by itself a figure draws a draft first, to be laid out.
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)
    display(figure, metadata={"image/png": {"alt": alt or figure.get_label()}})
    plt.close(figure)


def scale_of(largest_mn: float) -> tuple[float, str]:
    """Divisor and name of the unit in which levels up to `largest_mn` millions read well."""
    return (1000.0, "bn") if largest_mn >= 1000 else (1.0, "mn")


def new_axes(title: str, height: float = SIZE[1], width: int = 90) -> Any:
    """The axes of a figure of the common width, titled in lines of at most `width` characters."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(SIZE[0], height), layout="constrained")
    axes.set_title(textwrap.fill(title, width))
    return axes


def finish(
    axes: Any, *notes: str, told: str = "", years: bool = True, legend: str = "", **settings: Any
) -> Any:
    """The figure of some axes, with sources and other notes under it.

    Parameters
    ----------
    told : what the figure's label says beside its title.
    years : whether the horizontal axis is one of years.
    legend : where it stands; none by default.
    settings : labels, limits and ticks, as ``Axes.set`` takes them.
    """
    from matplotlib.ticker import MaxNLocator

    axes.set(**settings)
    figure = axes.figure
    title = " ".join(axes.get_title(loc="left").split())
    figure.set_label(f"{title}: {told}." if told else title)
    if legend:
        axes.legend(loc=legend, fontsize=8)
    if years:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="x", visible=False)
    # Wrapped, because an overlong line would shrink the picture when it is cropped to its contents.
    if lines := [textwrap.fill(note, 130) for note in notes if note]:
        figure.supxlabel("\n".join(lines), fontsize=7, color=GREY, x=0.01, ha="left", linespacing=1.4)
    return figure


def in_numbers(axes: Any) -> None:
    """Write the ticks of the vertical axis as numbers stand in sentences."""
    axes.yaxis.set_major_formatter(lambda value, _: number(value))


def whole(values: Any) -> Any:
    """Values by year with those years in between, missing, so that a line breaks over a gap."""
    return values.reindex(pd.RangeIndex(values.index.min(), values.index.max() + 1))


def label_ends(axes: Any, ends: Sequence[tuple[float, float, str, str]], size: float = 8.5) -> None:
    """Write the name of each line beside its end (x, y, text, colour), moved apart where they would overlap."""
    ends = sorted(ends, key=lambda end: end[1])
    heights = np.clip([y for _, y, _, _ in ends], *axes.get_ylim())
    pixels = axes.transData.transform([(0, height) for height in heights])
    wanted = axes.transAxes.inverted().transform(pixels)[:, 1]
    line = LABEL_GAP * SIZE[1] / axes.figure.get_figheight()
    places = _spread(wanted, [line * (text.count("\n") + 1) for _, _, text, _ in ends])
    look = {"xycoords": axes.get_xaxis_transform(), "annotation_clip": False, "va": "center"}
    for (x, _, text, colour), place in zip(ends, places, strict=True):
        beside(axes, text, (x, place), (7, 0), color=colour, fontsize=size, **look)


def beside(axes: Any, text: str, at: tuple[Any, Any], shift: tuple[float, float], **look: Any) -> None:
    """Write words beside a point, moved by so many points (1/72 inch) to the right and up."""
    axes.annotate(text, at, xytext=shift, textcoords="offset points", path_effects=halo(), **look)


def halo() -> list[Any]:
    """A white edge that keeps words readable where they lie on a line."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]


def _spread(places: Sequence[float], heights: Sequence[float]) -> np.ndarray:
    """Ascending places moved up, then down from 1, as little as is needed for labels of these heights."""
    found = np.array(places, dtype=float)
    gaps = [(a + b) / 2 for a, b in itertools.pairwise(heights)]
    for k, gap in enumerate(gaps):
        found[k + 1] = max(found[k + 1], found[k] + gap)
    if len(found) and found[-1] > 1:
        found[-1] = 1.0
        for k in range(len(gaps) - 1, -1, -1):
            found[k] = min(found[k], found[k + 1] - gaps[k])
    return found


def heat(
    axes: Any,
    values: pd.DataFrame,
    text: pd.DataFrame,
    colours: Any,
    low: float,
    high: float,
    size: float = 8,
) -> None:
    """Draw a heat map: a cell for each value, its text dark or light as the colour asks; missing values are left white."""
    drawn = np.ma.masked_invalid(values.to_numpy(dtype=float))
    mesh = axes.pcolormesh(drawn, cmap=colours, vmin=low, vmax=high, edgecolors="#eeeeee", linewidth=1)
    light = mesh.to_rgba(drawn)[..., :3] @ (0.2126, 0.7152, 0.0722)
    white = (light < 0.5) & ~np.ma.getmaskarray(drawn)
    for (row, column), words in np.ndenumerate(text.to_numpy()):
        if words:
            colour = "white" if white[row, column] else "#262626"
            axes.text(column + 0.5, row + 0.5, words, color=colour, fontsize=size, ha="center", va="center")
    upright = 90 if values.shape[1] > MOST_ACROSS else 0
    axes.set_xticks(np.arange(values.shape[1]) + 0.5, values.columns, rotation=upright)
    axes.set_yticks(np.arange(values.shape[0]) + 0.5, values.index)
    axes.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def signed(value: float, digits: int = 0) -> str:
    """A number with its sign, a minus as long as the plus: "+25", "−28.6"."""
    return f"{value:+.{digits}f}".replace("-", "−")


def mark_grades(axes: Any, values: pd.Series, grades: pd.Series, colour: str = "") -> list[Any]:
    """Draw values by year, each with the mark of its grade, in the colours of the grades or in one; a list for a legend."""
    drawn = []
    for grade, (marker, face, edge) in GRADE_MARKS.items():
        if (of := (grades == grade).to_numpy()).any():
            fill = "white" if face == "white" else colour or face
            look = {"marker": marker, "facecolor": fill, "edgecolor": colour or edge, "label": grade}
            drawn.append(axes.scatter(values.index[of], values[of], s=34, zorder=3, **look))
    return drawn
