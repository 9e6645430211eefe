"""Growth maths: pure functions on numbers, NumPy arrays and pandas Series alike.

Conventions that hold throughout the module:

- Rates are fractions a year (0.25 is +25 %), time is in years, levels are in any one unit.
- A number gives a float, an array an array, a Series a Series with the same index.
- Missing in, missing out: NaN (or None) stays NaN, nothing is filled.
- A zero level may be grown *to* (growth of −1) but not *from*: that raises `UserError`, as do negative
  or infinite levels, rates below −1 (or of −1 where growth must go on) and Series with unlike indexes.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from lib.errors import UserError

# A number, a list or array of numbers, or a Series of numbers; functions return the kind they were given.
# (pandas carries no types here, so that a union with Series would mean the same to the type checker.)
Numbers: TypeAlias = Any

# What values of an argument must satisfy, as a test and in words.
Bound: TypeAlias = tuple[Callable[[Numbers], Numbers], str]
FINITE: Bound = (np.isfinite, "a finite number")
POSITIVE: Bound = (lambda x: x > 0, "a positive number")
NOT_NEGATIVE: Bound = (lambda x: x >= 0, "a number that is not negative")
ABOVE_MINUS_ONE: Bound = (lambda x: x > -1, "a rate above −1 (−100 %)")
RATE: Bound = (lambda x: x >= -1, "a rate of −1 (−100 %) or more")


def _read(**arguments: tuple[Numbers, Bound]) -> list[Numbers]:
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
    numbers = {name: _number(name, value, bound) for name, (value, bound) in arguments.items()}
    try:
        np.broadcast_shapes(*map(np.shape, numbers.values()))
    except ValueError as error:
        lengths = ", ".join(f"{name} {np.shape(x)}" for name, x in numbers.items())
        raise UserError(f"found the shapes {lengths}, expected equal lengths or single numbers") from error
    series = {name: x for name, x in numbers.items() if isinstance(x, pd.Series)}
    first = next(iter(series), "")
    for name, other in series.items():
        if not other.index.equals(series[first].index):
            found = f"its index differs from that of {first}"
            raise UserError(f"{name}: {found}, expected the same labels in one order")
    return list(numbers.values())


def _number(name: str, value: Numbers, bound: Bound) -> Numbers:
    """A value as float64, inside its bound and finite; a missing one (NaN) passes."""
    if isinstance(value, pd.DataFrame):
        raise UserError(f"{name}: found a DataFrame, expected a number, an array or a Series")
    is_series = isinstance(value, pd.Series)
    try:
        number = value.astype("float64") if is_series else np.asarray(value, dtype="float64")[()]
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: found {value!r:.80}, expected numbers") from error
    holds, words = bound
    flat = np.ravel(number)
    bad = ~np.isnan(flat) & ~(holds(flat) & np.isfinite(flat))
    if bad.any():
        at = int(np.argmax(bad))
        where = f" at {value.index[at]}" if is_series else f" at position {at}" * bool(np.ndim(value))
        raise UserError(f"{name}: found {flat[at]:g}{where}, expected {words}")
    return number


def _plain(result: Numbers) -> Numbers:
    """Make a NumPy scalar a Python float: notebooks then show 0.25, not np.float64(0.25)."""
    return float(result) if np.ndim(result) == 0 else result


def yoy(levels: Numbers) -> Numbers:
    """Growth on the previous year: level / level a year earlier − 1.

    Parameters
    ----------
    levels : Series with integer years as index, or array of shape (..., years) without gaps
        Levels in one unit, not negative.

    Returns
    -------
    Series or array of the same shape
        Fractions; NaN for the first year, for a missing level, after a level of 0 (growth from nothing is no
        number) and, in a Series, wherever the index holds no value for exactly the year before.
    """
    now, before = _with_year_before(levels)
    return now / before - 1


def log_growth(levels: Numbers) -> Numbers:
    """Log growth on the previous year: ln(level) − ln(level a year earlier).

    As `yoy`; NaN also where the level is 0, which has no logarithm.
    """
    now, before = _with_year_before(levels)
    return np.log(_unless_zero(now)) - np.log(before)


def cagr(start: Numbers, end: Numbers, years: Numbers) -> Numbers:
    """Compound annual growth rate: (end / start)^(1 / years) − 1.

    Parameters
    ----------
    start, end : levels in one unit, `start` positive
    years : time from start to end, positive; need not be whole

    Returns
    -------
    Fraction a year; −1 where `end` is 0.
    """
    start, end, years = _read(start=(start, POSITIVE), end=(end, NOT_NEGATIVE), years=(years, POSITIVE))
    return _plain((end / start) ** (1 / years) - 1)


def implied_base(value: Numbers, growth: Numbers) -> Numbers:
    """Level of the year before that "`value`, up `growth`" implies: value / (1 + growth).

    "US$230 million, up 50 %" implies 153.33 a year earlier. Growth of −1 implies no base and is an error.
    """
    value, growth = _read(value=(value, NOT_NEGATIVE), growth=(growth, ABOVE_MINUS_ONE))
    return _plain(value / (1 + growth))


def required_rate(latest: Numbers, target: Numbers, years: Numbers) -> Numbers:
    """Growth a year still needed from `latest` to `target` in the `years` left; negative if above it."""
    return cagr(*_read(latest=(latest, POSITIVE), target=(target, NOT_NEGATIVE), years=(years, POSITIVE)))


def required_mean(rate: Numbers, years: int, past_rates: Numbers) -> Numbers:
    """Growth a year still needed for "`rate` a year on average", read as the mean of the yearly rates.

    (years × rate − Σ past) / (years − k), after k rates. A result below −1 (−100 %) means that this reading can
    no longer be missed.

    Parameters
    ----------
    rate : stated average, a fraction a year
    years : whole years from the base to the deadline
    past_rates : shape (..., k), 0 ≤ k < years
        Yearly rates that already happened, from the first year on.
    """
    (rate,), (past,) = _read(rate=(rate, RATE)), _read(past_rates=(past_rates, RATE))
    past = np.atleast_1d(np.asarray(past))
    if not float(years).is_integer() or years <= (k := past.shape[-1]):
        raise UserError(
            f"years: found {years}, expected a whole number above the {past.shape[-1]} past rates"
        )
    return _plain((years * rate - past.sum(axis=-1)) / (int(years) - k))


def goal_path(base: Numbers, rate: Numbers, years: Numbers) -> Numbers:
    """Levels on the path of a goal: base × (1 + rate)^t for each t in `years`.

    `years` are years since the base (0 gives the base). A Series of them, indexed for instance by
    calendar year, gives a Series with that index; a pandas Index of them gives a Series indexed by t.
    """
    if isinstance(years, pd.Index):
        years = pd.Series(years, index=years)
    base, rate, years = _read(base=(base, POSITIVE), rate=(rate, ABOVE_MINUS_ONE), years=(years, FINITE))
    return _plain(base * (1 + rate) ** years)


def doubling_time(rate: Numbers) -> Numbers:
    """Years in which a level doubles at `rate` a year: ln 2 / ln(1 + rate); inf where it does not grow."""
    (rate,) = _read(rate=(rate, ABOVE_MINUS_ONE))
    with np.errstate(divide="ignore"):
        return _plain(np.log(2) / np.log1p(rate * (rate > 0) + 0.0))


def unwind_ytd(cumulative: pd.Series) -> pd.DataFrame:
    """Year-to-date releases of one year → the months or part-years between them.

    Parameters
    ----------
    cumulative : Series indexed by last month (1 to 12)
        Value from January to that month, in one unit. Holes are allowed: {2: …, 5: …} is January–February
        and January–May. A missing value is a release that was not found, the same as a hole.

    Returns
    -------
    DataFrame
        Columns first_month, last_month, value, fault: one row between each release and the one before it, in
        order. Months published together stay together. The running sum of `value` is the input. `fault` is
        blank, or says that the year so far fell, which trade cannot: one of the two releases was revised,
        rounded or misprinted; the value stays as it is, negative.

    Raises
    ------
    UserError
        For a month twice (two releases: choose one first), labels that are not months, a negative release.
    """
    months = pd.Index(cumulative.index)
    if not (pd.api.types.is_integer_dtype(months) and months.isin(range(1, 13)).all() and months.is_unique):
        raise UserError(f"cumulative: found {list(months)}, expected distinct months from 1 to 12")
    (levels,) = _read(cumulative=(cumulative, NOT_NEGATIVE))
    levels = levels.dropna().sort_index()
    last = levels.index.to_numpy(dtype=int)
    first = np.concatenate([[0], last])[: len(last)] + 1
    value = levels.diff().fillna(levels).to_numpy()
    fell = "the year to month {} is {:g} below the year to month {}: one of the two was revised, rounded or misprinted"
    stretches = zip(first, last, value, strict=True)
    faults = [
        fell.format(month, -change, start - 1) if change < 0 else "" for start, month, change in stretches
    ]
    return pd.DataFrame({"first_month": first, "last_month": last, "value": value, "fault": faults})


def contributions(parts: pd.DataFrame) -> pd.DataFrame:
    """Contribution of each component to the growth of the total: change of the part / total a year earlier.

    Parameters
    ----------
    parts : DataFrame, integer years × components
        Levels in one unit, not negative, whose sum is the total; a part may be 0.

    Returns
    -------
    DataFrame of the same shape, fractions
        Each row adds up to `yoy` of the total; the year after a total of 0 is missing. A missing part makes the
        total unknown: that year and the next are missing in all columns.
    """
    levels = parts.apply(lambda part: _read(**{str(part.name): (part, NOT_NEGATIVE)})[0])
    total, total_before = _with_year_before(levels.sum(axis=1, skipna=False))
    change = levels - _year_before(levels)
    return change.div(total_before, axis=0).where(total.notna())


def _with_year_before(levels: Numbers) -> tuple[Numbers, Numbers]:
    """Levels, and the levels one year earlier: positive, NaN where there is none or nothing was traded."""
    (now,) = _read(levels=(levels, NOT_NEGATIVE))
    if np.ndim(now) == 0:
        raise UserError(f"levels: found the single number {now:g}, expected levels of several years")
    if isinstance(now, pd.Series):
        return now, _unless_zero(_year_before(now))
    before = np.concatenate([np.full_like(now[..., :1], np.nan), now[..., :-1]], axis=-1)
    return now, _unless_zero(before)


def _unless_zero(levels: Numbers) -> Numbers:
    if not (np.asarray(levels) == 0).any():  # as almost always
        return levels
    return levels.where(levels != 0) if hasattr(levels, "where") else np.where(levels == 0, np.nan, levels)


def _year_before(table: Numbers) -> Numbers:
    """Give each year of a Series or DataFrame the values of exactly one year earlier."""
    if not (pd.api.types.is_integer_dtype(table.index) and table.index.is_unique):
        raise UserError(f"levels: found the index {list(table.index)[:5]} …, expected distinct integer years")
    return table.reindex(table.index - 1).set_axis(table.index)
