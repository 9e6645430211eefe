"""How levels grew: compound rates, trends with honest intervals, spells at a rate, and breaks in the mean of growth.

Breaks are looked for by Andrews's (1993) supremum of F over all years but those near the ends. Its published critical
values hold for long series; here the p-value comes from permuting the values themselves, which is exact for any
distribution as long as their order does not matter, however few there are.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import bisect

from lib.reference import Array

MIN_TREND_YEARS = 6  # fewer levels than this do not carry a trend with an interval
DRAWS = 9999
LEAST_VALUES = 8  # fewer leave no room for two segments of three and a choice between break years
STILL = 1e-4  # log growth whose range is less stands still: published digits could not tell it from that


def log_trend(levels: pd.Series) -> tuple[float, float, float]:
    """Growth a year by least squares of log level on the calendar year, with a 95 % interval: (rate, low, high), fractions.

    Gaps are no harm, nor years without trade, which are left out: the regressor is the year. Standard errors are Newey &
    West's (1987), two lags, with the t distribution. NaN for fewer than `MIN_TREND_YEARS` levels.
    """
    known = levels[levels > 0]
    if len(known) < MIN_TREND_YEARS:
        return np.nan, np.nan, np.nan
    from statsmodels.regression.linear_model import OLS

    years = known.index.to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(years)), years - years.mean()])
    fitted = OLS(np.log(known.to_numpy()), design).fit(cov_type="HAC", cov_kwds={"maxlags": 2}, use_t=True)
    low, high = fitted.conf_int()[1]
    return float(np.expm1(fitted.params[1])), float(np.expm1(low)), float(np.expm1(high))


def is_still(rates: pd.Series) -> bool:
    """Whether log growth never changes, to the digits that a level may have: then there is nothing to explain."""
    return len(rates) > 0 and bool(np.ptp(rates) < STILL)


def find_break(run: pd.Series, trim: float) -> dict[str, Any]:
    """The most likely break in the mean of a run of values by year, each segment a share `trim` of them at least.

    Returns
    -------
    kind ("short", "still" where the values never change, "none" or "break"), n, first, last (years of the run); of the
    last two also f (sup F), p (by permutation), place (number of values before the break), year (first of the new
    mean), before and after (means), limit (5 %) and seen (change that would be found four times in five).
    """
    if len(run) < LEAST_VALUES:
        return {"kind": "short", "n": len(run)}
    about = {"n": len(run), "first": run.index[0], "last": run.index[-1]}
    if is_still(run):
        return {"kind": "still", **about}
    f, place, p = _sup_f(run, trim)
    limit = _critical_value(len(run), trim)
    about |= {"kind": "break" if p <= 0.05 else "none", "year": run.index[place]}
    about |= {"f": f, "place": place, "p": p}
    about |= {"before": float(run.iloc[:place].mean()), "after": float(run.iloc[place:].mean())}
    return about | {"limit": limit, "seen": _detectable(len(run), limit, trim) * float(run.std())}


def _shortest(n: int, trim: float) -> int:
    """Fewest values in a segment: a share `trim` of n, and never below two."""
    return max(2, int(np.floor(n * trim)))


def _f_statistics(values: ArrayLike, trim: float = 0.15) -> Array:
    """F of a change of the mean after each place: (SSR₀ − SSR₁) / (SSR₁ / (n − 2)) (Andrews 1993, eq. 4.1).

    Of values of shape (…, n) it has the shape (…, places); the first place leaves the shortest segment before it.
    """
    x = np.asarray(values, dtype=float)
    n, least = x.shape[-1], _shortest(x.shape[-1], trim)
    centred = x - x.mean(axis=-1, keepdims=True)
    size = np.arange(least, n - least + 1)
    sums = np.cumsum(centred, axis=-1)[..., size - 1]
    between = sums**2 * n / (size * (n - size))  # Σ segments size × mean², which is SSR₀ − SSR₁
    within = np.sum(centred**2, axis=-1, keepdims=True) - between
    return between / (np.maximum(within, 1e-300) / (n - 2))


def _sup_f(
    values: ArrayLike, trim: float = 0.15, draws: int = DRAWS, seed: int = 0
) -> tuple[float, int, float]:
    """The largest F, its place, and its permutation p-value (draws + 1 in the denominator)."""
    x = np.asarray(values, dtype=float)
    found = _f_statistics(x, trim)
    shuffled = np.random.default_rng(seed).permuted(np.tile(x, (draws, 1)), axis=1)
    # Rounding differs between orders of the same values; a permutation that gives the same F must count.
    beaten = _f_statistics(shuffled, trim).max(axis=1) >= found.max() * (1 - 1e-9)
    place = _shortest(len(x), trim) + int(np.argmax(found))
    return float(found.max()), place, (1 + int(beaten.sum())) / (draws + 1)


def _critical_value(n: int, trim: float = 0.15, draws: int = DRAWS) -> float:
    """5 % critical value of sup F for n independent normal values, by simulation; the scale does not matter."""
    noise = np.random.default_rng(0).standard_normal((draws, n))
    return float(np.quantile(_f_statistics(noise, trim).max(axis=1), 0.95))


def _detectable(n: int, limit: float, trim: float = 0.15) -> float:
    """Smallest change of the mean, halfway through, that the test finds four times in five, in standard deviations.

    The worst case, a break near an end, needs more.
    """
    noise, later = np.random.default_rng(1).standard_normal((2000, n)), np.arange(n) >= n // 2

    def power(change: float) -> float:
        return float(np.mean(_f_statistics(noise + change * later, trim).max(axis=1) > limit))

    return float(bisect(lambda change: power(change) - 0.8, 0.0, 20.0, xtol=1e-6))


def partitions(run: pd.Series, trim: float = 0.15, most: int = 3) -> pd.DataFrame:
    """Best partitions into 1, 2, … `most` + 1 segments of constant mean, by dynamic programming (Bai & Perron 2003).

    Each segment has a share `trim` of the values at least.

    Returns
    -------
    Frame: breaks (their number), years (first of each new mean), ssr, bic, lwz. BIC is that of Zeileis, Kleiber, Krämer &
    Hornik (2003), LWZ the modified criterion of Liu, Wu & Zidek (1997) as in Bai & Perron (2003); the least is
    preferred. Empty for too few values, or values that never change.
    """
    n, least = len(run), _shortest(len(run), trim)
    if n < LEAST_VALUES or is_still(run):
        return pd.DataFrame()
    # Sum of squares around the mean of the values from start to end; inf where these are too few.
    x = run.to_numpy(dtype=float) - run.mean()
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (x, x**2))
    length = np.arange(n + 1) - np.arange(n + 1)[:, None]
    cost = squares - squares[:, None] - (sums - sums[:, None]) ** 2 / np.maximum(length, 1)
    cost = np.where(length >= least, np.maximum(cost, 0.0), np.inf)
    places: list[list[int]] = [[] for _ in range(n + 1)]
    total = cost[0]  # of the best partition of the first k values
    rows: list[tuple[int, list[int], float]] = [(0, [], float(total[n]))]
    for number in range(1, min(most, n // least - 1) + 1):
        # Row k: the best of the first k values with one break fewer, then one segment from k to each end.
        to_end = total[:, None] + cost
        total, places = to_end.min(axis=0), [[*places[k], int(k)] for k in to_end.argmin(axis=0)]
        rows.append((number, [int(run.index[place]) for place in places[n]], float(total[n])))
    found = pd.DataFrame(rows, columns=["breaks", "years", "ssr"])
    safe, parameters = found["ssr"].clip(lower=1e-300), 2 * found["breaks"] + 1
    bic = n * (np.log(2 * np.pi) + 1 + np.log(safe / n)) + np.log(n) * (parameters + 1)
    lwz = np.log(safe / (n - parameters)) + parameters / n * 0.299 * np.log(n) ** 2.1
    return found.assign(bic=bic, lwz=lwz)
