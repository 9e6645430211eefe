"""Breaks in the mean of a short series: whether there is one, where, and how large it must be to be seen.

The statistic is Andrews's (1993) supremum of F over all break years but those near the ends. Its published critical
values hold for long series; here the p-value comes from permuting the values themselves, which is exact for any
distribution as long as their order does not matter, however few there are.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.errors import UserError

Array = NDArray[np.float64]

ANDREWS_5_PCT = 8.68
"""Asymptotic 5 % critical value of sup F, one mean, 15 % left out at either end (Andrews 2003, table I)."""

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


def shortest(n: int, trim: float) -> int:
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
    Array of shape (places,) or (draws, places); the first place leaves `shortest(n, trim)` values before it.
    """
    x = np.asarray(values, dtype=float)
    n, least = x.shape[-1], shortest(x.shape[-1], trim)
    if n < LEAST_VALUES:
        raise UserError(f"values: found {n}, expected {LEAST_VALUES} or more for a test of a break")
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
    place = shortest(len(x), trim) + int(np.argmax(found))
    shuffled = np.random.default_rng(seed).permuted(np.tile(x, (draws, 1)), axis=1)
    # Rounding differs between orders of the same values; a permutation that gives the same F must count.
    beaten = f_statistics(shuffled, trim).max(axis=1) >= found.max() * (1 - 1e-9)
    p = (1 + int(beaten.sum())) / (draws + 1)
    return Break(float(found.max()), place, float(x[:place].mean()), float(x[place:].mean()), p)


def critical_value(
    n: int, trim: float = 0.15, level: float = 0.05, draws: int = DRAWS, seed: int = 0
) -> float:
    """Critical value of sup F for n independent normal values, by simulation; the scale does not matter."""
    noise = np.random.default_rng(seed).standard_normal((draws, n))
    return float(np.quantile(f_statistics(noise, trim).max(axis=1), 1 - level))


def detectable(n: int, sd: float, trim: float = 0.15, power: float = 0.8, draws: int = 2000) -> float:
    """Smallest change of the mean, halfway through, that the 5 % test finds with the given power.

    Parameters
    ----------
    n, sd : number of values and their standard deviation around the two means.

    Returns
    -------
    The change in the unit of `sd`; the worst case, a break near an end, needs more.
    """
    limit = critical_value(n, trim, draws=DRAWS)
    noise = np.random.default_rng(1).standard_normal((draws, n))
    later = (np.arange(n) >= n // 2).astype(float)
    low, high = 0.0, 20.0
    for _ in range(30):
        middle = (low + high) / 2
        found = np.mean(f_statistics(noise + middle * later, trim).max(axis=1) > limit)
        low, high = (low, middle) if found >= power else (middle, high)
    return float(high * sd)


class Partition(NamedTuple):
    """The best partition with a number of breaks: places (values before each), SSR, BIC and LWZ."""

    places: tuple[int, ...]
    ssr: float
    bic: float
    lwz: float


def partitions(values: ArrayLike, most: int = 3, trim: float = 0.15) -> list[Partition]:
    """Best partitions into 1, 2, … segments of constant mean, by dynamic programming (Bai & Perron 2003).

    Parameters
    ----------
    values : shape (n,).
    most : largest number of breaks; fewer if the segments do not fit.
    trim : share of n that each segment has at least.

    Returns
    -------
    One `Partition` for each number of breaks from 0. BIC is that of Zeileis, Kleiber, Krämer & Hornik (2003),
    LWZ the modified criterion of Liu, Wu & Zidek (1997) as in Bai & Perron (2003); the least is preferred.
    """
    x = np.asarray(values, dtype=float)
    n, least = len(x), shortest(len(x), trim)
    cost = _costs(x, least)
    best = {0: (cost[0], np.zeros(n + 1, dtype=int))}
    found = [_partition((), float(cost[0, n]), n)]
    for number in range(1, min(most, n // least - 1) + 1):
        # Row k: the best of the first k values with one break fewer, then one segment from k to each end.
        total = best[number - 1][0][:, None] + cost
        best[number] = (total.min(axis=0), total.argmin(axis=0))
        found.append(_partition(_places(best, number, n), float(best[number][0][n]), n))
    return found


def _costs(x: Array, least: int) -> Array:
    """Sum of squares around the mean of x[start:end], shape (n + 1, n + 1); inf where it is too short."""
    n = len(x)
    sums = np.concatenate([[0.0], np.cumsum(x - x.mean())])
    squares = np.concatenate([[0.0], np.cumsum((x - x.mean()) ** 2)])
    start, end = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    length = end - start
    cost = (squares[end] - squares[start]) - (sums[end] - sums[start]) ** 2 / np.maximum(length, 1)
    return np.where(length >= least, np.maximum(cost, 0.0), np.inf)


def _places(best: dict[int, tuple[Array, NDArray]], number: int, n: int) -> tuple[int, ...]:
    places, end = [], n
    for breaks in range(number, 0, -1):
        end = int(best[breaks][1][end])
        places.append(end)
    return tuple(reversed(places))


def _partition(places: tuple[int, ...], ssr: float, n: int) -> Partition:
    breaks = len(places)
    safe = max(ssr, 1e-300)
    bic = n * (np.log(2 * np.pi) + 1 + np.log(safe / n)) + np.log(n) * (2 * breaks + 2)
    parameters = 2 * breaks + 1
    lwz = np.log(safe / (n - parameters)) + parameters / n * 0.299 * np.log(n) ** 2.1
    return Partition(places, ssr, float(bic), float(lwz))
