"""Breaks in the mean of a short series: whether there is one, where, and how large it must be to be seen.

The statistic is Andrews's (1993) supremum of F over all break years but those near the ends. Its published critical
values hold for long series; here the p-value comes from permuting the values themselves, which is exact for any
distribution as long as their order does not matter, however few there are.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lib.analysis.regressions import is_still
from lib.reference import Array

DRAWS = 9999

LEAST_VALUES = 8
"""Fewer values than this leave no room for two segments of three and a choice between break years."""


class Break(NamedTuple):
    """The largest F over the break years that were looked at.

    `f` is the statistic, `place` the number of values before the break, `before` and `after` the means on its
    two sides, `p` the permutation p-value.
    """

    f: float
    place: int
    before: float
    after: float
    p: float


def find(run: pd.Series, trim: float) -> dict[str, Any]:
    """The most likely break in the mean of a run of values, by year, as `sup_f` finds it.

    Returns
    -------
    kind ("short", "still" where the values never change, "none" or "break"), n, first, last (years of the run); of the
    last two also f, p, place, year (first of the new mean), before and after (means), limit (5 %) and seen (change that
    would be found four times in five).
    """
    if len(run) < LEAST_VALUES:
        return {"kind": "short", "n": len(run)}
    about = {"n": len(run), "first": run.index[0], "last": run.index[-1]}
    if is_still(run):
        return {"kind": "still", **about}
    best = sup_f(run.to_numpy(), trim)
    about |= {"kind": "break" if best.p <= 0.05 else "none", "year": run.index[best.place], **best._asdict()}
    seen = detectable(len(run), float(np.std(run, ddof=1)), trim)
    return about | {"limit": critical_value(len(run), trim), "seen": seen}


def _shortest(n: int, trim: float) -> int:
    """Fewest values in a segment: a share `trim` of n, and never below two."""
    return max(2, int(np.floor(n * trim)))


def f_statistics(values: ArrayLike, trim: float = 0.15) -> Array:
    """F of a change of the mean after each place: (SSR₀ − SSR₁) / (SSR₁ / (n − 2)) (Andrews 1993, eq. 4.1).

    Parameters
    ----------
    values : shape (n,) or (draws, n).
    trim : share of n that each segment has at least.

    Returns
    -------
    Array of shape (places,) or (draws, places); the first place leaves the shortest segment before it.
    """
    x = np.asarray(values, dtype=float)
    n, least = x.shape[-1], _shortest(x.shape[-1], trim)
    centred = x - x.mean(axis=-1, keepdims=True)
    size = np.arange(least, n - least + 1)
    sums = np.cumsum(centred, axis=-1)[..., size - 1]
    between = sums**2 * n / (size * (n - size))  # Σ segments size × mean², which is SSR₀ − SSR₁
    within = np.sum(centred**2, axis=-1, keepdims=True) - between
    return between / (np.maximum(within, 1e-300) / (n - 2))


def sup_f(values: ArrayLike, trim: float = 0.15, draws: int = DRAWS, seed: int = 0) -> Break:
    """The most likely break of the mean, with its permutation p-value (draws + 1 in the denominator)."""
    x = np.asarray(values, dtype=float)
    found = f_statistics(x, trim)
    place = _shortest(len(x), trim) + int(np.argmax(found))
    shuffled = np.random.default_rng(seed).permuted(np.tile(x, (draws, 1)), axis=1)
    # Rounding differs between orders of the same values; a permutation that gives the same F must count.
    beaten = f_statistics(shuffled, trim).max(axis=1) >= found.max() * (1 - 1e-9)
    p = (1 + int(beaten.sum())) / (draws + 1)
    return Break(float(found.max()), place, float(x[:place].mean()), float(x[place:].mean()), p)


def critical_value(n: int, trim: float = 0.15, draws: int = DRAWS) -> float:
    """5 % critical value of sup F for n independent normal values, by simulation; the scale does not matter."""
    noise = np.random.default_rng(0).standard_normal((draws, n))
    return float(np.quantile(f_statistics(noise, trim).max(axis=1), 0.95))


def detectable(n: int, sd: float, trim: float = 0.15) -> float:
    """Smallest change of the mean, halfway through, that the 5 % test finds four times in five.

    Parameters
    ----------
    n, sd : number of values and their standard deviation around the two means.

    Returns
    -------
    The change in the unit of `sd`; the worst case, a break near an end, needs more.
    """
    limit = critical_value(n, trim)
    noise = np.random.default_rng(1).standard_normal((2000, n))
    later = (np.arange(n) >= n // 2).astype(float)
    low, high = 0.0, 20.0
    for _ in range(30):
        middle = (low + high) / 2
        found = np.mean(f_statistics(noise + middle * later, trim).max(axis=1) > limit)
        low, high = (low, middle) if found >= 0.8 else (middle, high)
    return float(high * sd)


def partitions(run: pd.Series, trim: float = 0.15, most: int = 3) -> pd.DataFrame:
    """Best partitions into 1, 2, … segments of constant mean, by dynamic programming (Bai & Perron 2003).

    Parameters
    ----------
    run : values by year.
    trim : share of n that each segment has at least.
    most : largest number of breaks; fewer if the segments do not fit.

    Returns
    -------
    Frame: breaks (their number), years (first of each new mean), ssr, bic, lwz. BIC is that of Zeileis, Kleiber, Krämer &
    Hornik (2003), LWZ the modified criterion of Liu, Wu & Zidek (1997) as in Bai & Perron (2003); the least is
    preferred. Empty for too few values, or values that never change.
    """
    n, least = len(run), _shortest(len(run), trim)
    if n < LEAST_VALUES or is_still(run):
        return pd.DataFrame()
    cost = _costs(run.to_numpy(dtype=float), least)
    places: list[list[int]] = [[] for _ in range(n + 1)]
    total = cost[0]  # of the best partition of the first k values
    rows: list[tuple[int, list[int], float]] = [(0, [], float(total[n]))]
    for number in range(1, min(most, n // least - 1) + 1):
        # Row k: the best of the first k values with one break fewer, then one segment from k to each end.
        sums = total[:, None] + cost
        total, places = sums.min(axis=0), [[*places[k], int(k)] for k in sums.argmin(axis=0)]
        rows.append((number, [int(run.index[place]) for place in places[n]], float(total[n])))
    found = pd.DataFrame(rows, columns=["breaks", "years", "ssr"])
    safe, parameters = found["ssr"].clip(lower=1e-300), 2 * found["breaks"] + 1
    bic = n * (np.log(2 * np.pi) + 1 + np.log(safe / n)) + np.log(n) * (parameters + 1)
    lwz = np.log(safe / (n - parameters)) + parameters / n * 0.299 * np.log(n) ** 2.1
    return found.assign(bic=bic, lwz=lwz)


def _costs(x: Array, least: int) -> Array:
    """Sum of squares around the mean of x[start:end], shape (n + 1, n + 1); inf where it is too short."""
    n = len(x)
    sums = np.concatenate([[0.0], np.cumsum(x - x.mean())])
    squares = np.concatenate([[0.0], np.cumsum((x - x.mean()) ** 2)])
    start, end = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    length = end - start
    cost = (squares[end] - squares[start]) - (sums[end] - sums[start]) ** 2 / np.maximum(length, 1)
    return np.where(length >= least, np.maximum(cost, 0.0), np.inf)
