"""The distribution of a sum of lognormals, which has no closed form, from a table computed by quadrature."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, roots_legendre

Array = NDArray[np.float64]

_LOG_SIGMAS = np.linspace(np.log(0.005), np.log(8.0), 48)
_WIDTHS = np.linspace(-12.0, 12.0, 193)


def probit_of_mean(log_mean: Array, sigma: Array, years: int) -> Array:
    """Probit of P(mean of `years` lognormals(0, sigma) >= exp(log_mean)), from the table, bilinearly."""
    table = _table(years)
    sigma, log_mean = np.broadcast_arrays(sigma, log_mean)
    row = np.interp(np.log(sigma), _LOG_SIGMAS, np.arange(_LOG_SIGMAS.size))
    width = np.clip(log_mean / sigma, _WIDTHS[0], _WIDTHS[-1])
    column = (width - _WIDTHS[0]) / (_WIDTHS[1] - _WIDTHS[0])
    i = np.minimum(row.astype(int), _LOG_SIGMAS.size - 2)
    j = np.minimum(column.astype(int), _WIDTHS.size - 2)
    a, b = row - i, column - j
    low = table[i, j] * (1 - b) + table[i, j + 1] * b
    high = table[i + 1, j] * (1 - b) + table[i + 1, j + 1] * b
    return low * (1 - a) + high * a


@lru_cache(maxsize=32)
def _table(years: int) -> Array:
    """Probit of P(S >= years * exp(width * sigma)), S the sum of `years` lognormals(0, sigma).

    Rows are sigma, columns width. Convolution: with F the probability for one year fewer,
    ``P(S >= y) = P(e >= y) + integral of phi(z) F(y - exp(sigma z))`` over z below log(y) / sigma.
    """
    if years == 1:
        return np.tile(-_WIDTHS, (_LOG_SIGMAS.size, 1))
    fewer = _table(years - 1)
    return np.stack(
        [_convolve_once(years, s, row) for s, row in zip(np.exp(_LOG_SIGMAS), fewer, strict=True)]
    )


def _convolve_once(years: int, sigma: float, fewer: Array) -> Array:
    nodes, weights = roots_legendre(64)
    level = years * np.exp(_WIDTHS * sigma)
    upper = np.log(level) / sigma
    lower = np.minimum(upper, 0) - 9.0
    half = (np.minimum(upper, 9.0) - lower) / 2
    z = lower[:, None] + half[:, None] * (nodes + 1)
    rest = np.maximum(level[:, None] - np.exp(sigma * z), 1e-300)
    width = np.log(rest / (years - 1)) / sigma
    chance = ndtr(np.interp(width, _WIDTHS, fewer))
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    below = half * np.sum(weights * density * (1 - chance), axis=1)
    return -ndtri(np.clip(below, 1e-300, 1 - 1e-16))
