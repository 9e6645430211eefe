"""One style for all figures: colours and marks, axes, direct labels, sources, and words for who cannot see.

Colours are the Okabe–Ito set (Okabe & Ito 2008), which colour-blind readers can tell apart; every mark that
carries meaning differs in shape or line as well, so that the figures also work in grey. Lines are labelled
where they end, not in a legend. Sources stand under the figure.

The words: each function that draws ends with `finish(…, alt)`, which keeps a sentence as the figure's label.
`show` puts that sentence, or a better one from the notebook, into the output as
``metadata["image/png"]["alt"]``, where the pages of runs, the site and nbconvert's classic template look for it
(its lab template leaves it out).
"""

import itertools
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"

PALE = "#9ecae1"

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
        "text.parse_math": False,  # two dollar signs are money
        "svg.hashsalt": "tradegoals",  # the same figure is the same file
        "pdf.fonttype": 42,  # journals want fonts that can be edited
    }
    sns.set_theme(
        context="notebook", style="whitegrid", palette=[BLUE, ORANGE, GREEN, RED], rc=look, font_scale=0.9
    )
    _draw_once()


def _draw_once() -> None:
    """Let a notebook show figures as large as they are: the layout has fitted all in, cropping draws a second time."""
    from IPython import get_ipython

    if (shell := get_ipython()) is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
        from matplotlib_inline.config import InlineBackend

        set_matplotlib_formats(*InlineBackend.instance(parent=shell).figure_formats, bbox_inches=None)


def show(figure: Any, alt: str = "") -> None:
    """Display a figure once, with the text that stands for it where it cannot be seen.

    Parameters
    ----------
    figure : as a function of `lib.plots` returned it.
    alt : one or two sentences with the numbers that matter; by default the sentence that the figure carries.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    # Laid out here, it is drawn once; by itself a figure draws a draft first, to be laid out.
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)
    display(figure, metadata={"image/png": {"alt": alt or figure.get_label()}})
    plt.close(figure)


def scale_of(largest_mn: float) -> tuple[float, str]:
    """Divisor and name of the unit in which levels up to `largest_mn` millions read well."""
    return (1000.0, "bn") if largest_mn >= 1000 else (1.0, "mn")


def new_axes(title: str, height: float = SIZE[1], width: int = 90) -> tuple[Any, Any]:
    """A figure of the common width and its axes, titled in lines of at most `width` characters."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(SIZE[0], height), layout="constrained")
    axes.set_title(textwrap.fill(title, width))
    return figure, axes


def finish(figure: Any, axes: Any, alt: str, *notes: str, years: bool = True) -> Any:
    """Put sources and other notes under the figure, keep its words, and set the ticks of an axis of years."""
    from matplotlib.ticker import MaxNLocator

    figure.set_label(alt)
    if years:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="x", visible=False)
    # Wrapped, because an overlong line would shrink the picture when it is cropped to its contents.
    lines = [textwrap.fill(note, 130) for note in notes if note]
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=7, color=GREY, x=0.01, ha="left", linespacing=1.4)
    return figure


def label_ends(axes: Any, ends: Sequence[tuple[float, float, str, str]], size: float = 8.5) -> None:
    """Write the name of each line beside its end (x, y, text, colour), moved apart where they would overlap."""
    order = sorted(range(len(ends)), key=lambda k: ends[k][1])
    bottom, top = axes.get_ylim()
    to_share = axes.transScale.transform
    low, high = to_share((0, bottom))[1], to_share((0, top))[1]
    wanted = [(to_share((0, min(max(ends[k][1], bottom), top)))[1] - low) / (high - low) for k in order]
    tall = [LABEL_GAP * SIZE[1] / axes.figure.get_figheight() * (ends[k][2].count("\n") + 1) for k in order]
    for k, place in zip(order, spread(wanted, tall), strict=True):
        x, _, text, colour = ends[k]
        look = {"xycoords": axes.get_xaxis_transform(), "annotation_clip": False, "va": "center"}
        beside(axes, text, (x, place), (7, 0), color=colour, fontsize=size, **look)


def beside(axes: Any, text: str, at: tuple[Any, Any], shift: tuple[float, float], **look: Any) -> None:
    """Write words beside a point, moved by so many points (1/72 inch) to the right and up."""
    axes.annotate(text, at, xytext=shift, textcoords="offset points", path_effects=halo(), **look)


def halo() -> list[Any]:
    """A white edge that keeps words readable where they lie on a line."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]


def spread(places: Sequence[float], heights: Sequence[float]) -> np.ndarray:
    """Ascending places moved up, then down from 1, as little as is needed for labels of these heights."""
    found = np.asarray(places, dtype=float).copy()
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
    from matplotlib.colors import Normalize

    drawn = np.ma.masked_invalid(values.to_numpy(dtype=float))
    mesh = axes.pcolormesh(drawn, cmap=colours, vmin=low, vmax=high, edgecolors="#eeeeee", linewidth=1)
    faces = mesh.cmap(Normalize(low, high)(drawn))
    light = faces[..., :3] @ (0.2126, 0.7152, 0.0722)
    for (row, column), words in np.ndenumerate(text.to_numpy()):
        if words:
            dark = light[row, column] < 0.5 and not np.ma.is_masked(drawn[row, column])
            colour = "white" if dark else "#262626"
            axes.text(column + 0.5, row + 0.5, words, color=colour, fontsize=size, ha="center", va="center")
    axes.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0), xlabel="", ylabel="")
    upright = 90 if values.shape[1] > MOST_ACROSS else 0
    axes.set_xticks(np.arange(values.shape[1]) + 0.5, values.columns, rotation=upright)
    axes.set_yticks(np.arange(values.shape[0]) + 0.5, values.index)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def signed(value: float, digits: int = 0) -> str:
    """A number with its sign, a minus as long as the plus: "+25", "−28.6"."""
    return f"{value:+.{digits}f}".replace("-", "−")


def grade_handles(grades: Any, colour: str | None = None) -> list[Any]:
    """Marks for a legend of grades, in the colours of the grades or in one."""
    from matplotlib.lines import Line2D

    handles = []
    for grade, (marker, face, edge) in GRADE_MARKS.items():
        if grade in grades:
            fill = "white" if face == "white" else colour or face
            look: dict[str, Any] = {"marker": marker, "markerfacecolor": fill, "linestyle": ""}
            handles.append(Line2D([], [], color=colour or edge, label=grade, **look))
    return handles
