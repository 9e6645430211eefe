"""Growth taken apart into pieces that add up exactly: currency and prices, oil price and quantity, years.

Everything is in log growth, where factors of a product become terms of a sum, or in contributions to growth,
whose terms are changes of parts of a total.
"""

import numpy as np
import pandas as pd

from lib.growth import cagr, log_growth


def log_parts(level: pd.Series, factors: dict[str, pd.Series], rest: str = "rest") -> pd.DataFrame:
    """Log growth of a level as the sum of the log growth of its factors and what they leave.

    A level in dollars is, for instance, dollars a yuan × price in yuan × quantity; the factors that are known
    are taken off, and the remainder is named `rest`.

    Parameters
    ----------
    level : Series by year, positive.
    factors : names and Series by year, positive; each multiplies the level.
    rest : name of the remainder.

    Returns
    -------
    Frame by year: growth, one column a factor, the remainder; the columns after the first add up to it. Years
    in which any of them is not known are left out.
    """
    parts = pd.DataFrame({"growth": log_growth(level)})
    for name, factor in factors.items():
        parts[name] = log_growth(factor.reindex(level.index.union(factor.index))).reindex(parts.index)
    parts[rest] = parts["growth"] - parts[list(factors)].sum(axis=1, skipna=False)
    return parts.dropna()


def gdp_deflator(nominal_usd: pd.Series, real_growth_pct: pd.Series, cny_per_usd: pd.Series) -> pd.Series:
    """Price level of China's output in yuan, an index: nominal GDP in yuan / real GDP; 1 in its first year.

    Parameters
    ----------
    nominal_usd : GDP in current dollars by year.
    real_growth_pct : its real growth, per cent, by year.
    cny_per_usd : average yuan a dollar by year.
    """
    prices = log_growth(nominal_usd * cny_per_usd).sub(np.log1p(real_growth_pct / 100))
    known = prices.dropna()
    index = np.exp(known.cumsum())
    return pd.concat([pd.Series([1.0], index=[int(known.index[0]) - 1]), index]).rename_axis("year")


def set_aside(levels: pd.Series, year: int) -> dict[str, float]:
    """How much of the growth over the whole record one year brought.

    Parameters
    ----------
    levels : Series by year, positive; the year and the one before must be known.
    year : the year whose growth is set aside.

    Returns
    -------
    first, last (years), with_year (CAGR over the record), without_year (CAGR of the other years, as if that
    year had not been), in_year (its growth), share (its part of the log growth in all); fractions.
    """
    known = levels.dropna()
    first, last = int(known.index[0]), int(known.index[-1])
    total, own = np.log(known[last] / known[first]), np.log(known[year] / known[year - 1])
    others = last - first - 1
    return {
        "first": first,
        "last": last,
        "with_year": float(cagr(known[first], known[last], last - first)),
        "without_year": float(np.expm1((total - own) / others)) if others else np.nan,
        "in_year": float(np.expm1(own)),
        "share": float(own / total) if total else np.nan,
    }
