"""Numeric arguments: read as float64, held to their bounds, with an error that names the bad one."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from lib.errors import UserError

# A number, a list or array of numbers, or a Series of numbers; functions return the kind they were given.
# (pandas carries no types here, so that a union with Series would mean the same to the type checker.)
Numbers: TypeAlias = Any


class Bound(NamedTuple):
    """What values of an argument must satisfy, as a test and in words."""

    holds: Callable[[Numbers], Numbers]
    words: str


FINITE = Bound(np.isfinite, "a finite number")
POSITIVE = Bound(lambda x: x > 0, "a positive number")
NOT_NEGATIVE = Bound(lambda x: x >= 0, "a number that is not negative")
ABOVE_MINUS_ONE = Bound(lambda x: x > -1, "a rate above −1 (−100 %)")
RATE = Bound(lambda x: x >= -1, "a rate of −1 (−100 %) or more")


def read(**arguments: tuple[Numbers, Bound]) -> list[Numbers]:
    """Each argument as float64 number, array or Series, within its bound.

    Parameters
    ----------
    **arguments : name=(value, bound)
        Values are numbers, arrays, lists or Series of numbers; several Series must share one index,
        because pandas would otherwise align them and put NaN where they differ.

    Raises
    ------
    UserError
        Naming the argument, what was found (where in it) and what was expected.
    """
    numbers = [_number(name, value) for name, (value, _) in arguments.items()]
    for (name, (_, bound)), value in zip(arguments.items(), numbers, strict=True):
        require(name, value, bound)
    try:
        np.broadcast_shapes(*map(np.shape, numbers))
    except ValueError as error:
        lengths = ", ".join(f"{name} {np.shape(x)}" for name, x in zip(arguments, numbers, strict=True))
        raise UserError(f"found the shapes {lengths}, expected equal lengths or single numbers") from error
    _require_one_index(
        {name: x for name, x in zip(arguments, numbers, strict=True) if isinstance(x, pd.Series)}
    )
    return numbers


def require(name: str, value: Numbers, bound: Bound) -> None:
    """Refuse values outside the bound, and infinite ones; a missing value (NaN) passes."""
    flat = np.ravel(value)
    bad = ~np.isnan(flat) & ~(bound.holds(flat) & np.isfinite(flat))
    if bad.any():
        at = int(np.argmax(bad))
        where = (
            f" at {value.index[at]}"
            if isinstance(value, pd.Series)
            else f" at position {at}"
            if np.ndim(value)
            else ""
        )
        raise UserError(f"{name}: found {flat[at]:g}{where}, expected {bound.words}")


def plain(result: Numbers) -> Numbers:
    """Make a NumPy scalar a Python float: notebooks then show 0.25, not np.float64(0.25)."""
    return float(result) if np.ndim(result) == 0 else result


def _number(name: str, value: Numbers) -> Numbers:
    if isinstance(value, pd.DataFrame):
        raise UserError(f"{name}: found a DataFrame, expected a number, an array or a Series")
    try:
        return (
            value.astype("float64")
            if isinstance(value, pd.Series)
            else np.asarray(value, dtype="float64")[()]
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: found {value!r:.80}, expected numbers") from error


def _require_one_index(series: dict[str, pd.Series]) -> None:
    first = next(iter(series), "")
    for name, other in series.items():
        if not other.index.equals(series[first].index):
            raise UserError(
                f"{name}: its index differs from that of {first}, expected the same labels in one order"
            )
