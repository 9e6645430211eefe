"""Synthetic control: what a flow would have done, as a weighted mean of others that moved like it before.

Abadie, Diamond & Hainmueller (2010, 2015). The flows are matched on their log levels before the event, each about
its own mean (Doudchenko & Imbens 2016; Ferman & Pinto 2021), since flows of trade differ in size for good; the
weights are not negative and add up to one, so that nothing is extrapolated. The p-value is the rank of the
flow's mean gap after the event among those of all donors treated in its place. The ratio of errors after and
before, which is more usual, means nothing here: a dozen years are fitted perfectly by forty donors, so that the
errors before are zero for the flow and for many donors, and a good fit is no evidence.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Placebo(NamedTuple):
    """A synthetic control and its placebo test in space.

    Parameters
    ----------
    weights : shape (donors,), each at least 0, sum 1.
    gaps : flow minus synthetic, all years, shape (years,).
    placebo_gaps : the same for each donor in place of the flow, shape (donors, years).
    effect : mean gap of the years after the event.
    p : share of the flow and the donors whose mean gap is as far from 0; never below 1 / (donors + 1).
    """

    weights: Array
    gaps: Array
    placebo_gaps: Array
    effect: float
    p: float


def simplex_weights(target: ArrayLike, donors: ArrayLike) -> Array:
    """Weights of at least 0 that sum to 1 and make donors @ weights closest to the target.

    Parameters
    ----------
    target : shape (features,).
    donors : shape (features, donors); scale the features by the square roots of their importance first.

    Notes
    -----
    The point of least norm in the convex hull of donors − target. With a row of ones added, non-negative least
    squares (Lawson & Hanson 1974) gives a multiple u = w / (1 + ‖(donors − target) w‖²) of the weights w, so that
    u / Σu is exact: min over s of s²c + (s − 1)² is c / (1 + c), which rises with c.
    """
    from scipy.optimize import nnls

    a = np.asarray(donors, dtype=float) - np.asarray(target, dtype=float)[:, None]
    scale = np.sqrt(np.mean(a**2)) or 1.0  # the trick is exact at any scale, but best conditioned near one
    solution, _ = nnls(np.vstack([a / scale, np.ones(a.shape[1])]), np.append(np.zeros(len(a)), 1.0))
    return solution / solution.sum()


def gaps(flow: ArrayLike, donors: ArrayLike, before: int) -> tuple[Array, Array]:
    """Weights from the first `before` years, and the gap of the flow to its synthetic control in all years.

    Parameters
    ----------
    flow : log level by year, shape (years,), complete.
    donors : shape (donors, years), complete.
    before : number of years before the event.
    """
    y, x = np.asarray(flow, dtype=float), np.asarray(donors, dtype=float)
    y, x = y - y[:before].mean(), x - x[:, :before].mean(axis=1, keepdims=True)
    weights = simplex_weights(y[:before], x[:, :before].T)
    return weights, y - weights @ x


def placebo_test(flow: ArrayLike, donors: ArrayLike, before: int) -> Placebo:
    """Synthetic control of a flow, and of each donor in its place from the flow and the other donors.

    Parameters
    ----------
    flow, donors, before : as in `gaps`; all years from the event on count as after it.
    """
    everything = np.vstack([np.asarray(flow, dtype=float)[None], np.asarray(donors, dtype=float)])
    found = [gaps(row, np.delete(everything, place, axis=0), before) for place, row in enumerate(everything)]
    gap = np.vstack([one for _, one in found])
    effects = gap[:, before:].mean(axis=1)
    p = float(np.mean(np.abs(effects) >= abs(effects[0]) * (1 - 1e-9)))
    return Placebo(found[0][0], gap[0], gap[1:], float(effects[0]), p)
