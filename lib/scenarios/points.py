"""Points that fill a cube evenly, for probabilities that have no closed form."""

import numpy as np

from lib.panels import Array


def even_points(dimensions: int, number: int) -> Array:
    """Points spread evenly over the unit cube, shape (number, dimensions), without random numbers.

    Additive recurrence by powers of the root of ``x ** (d + 1) = x + 1`` (Roberts 2018).
    """
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (dimensions + 1))
    step = root ** -np.arange(1.0, dimensions + 1)
    return (0.5 + np.outer(np.arange(1, number + 1), step)) % 1
