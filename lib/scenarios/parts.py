"""How a part strays from its whole: the share of a sub-flow in the flow that contains it, year by year.

A city's trade moves with its province's, a province's with the country's; what moves by itself is the share. Its
log is taken as a local level: a random walk with innovations of variance ``eta²`` plus passing noise of variance
``epsilon²`` (Harvey 1989, section 2.1). No panel has cities in provinces, so both are estimated on the parts that
panels do have: countries in the world's trade with one country or in a country's trade with the world, and
product chapters in Russia's trade with one country.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib import reference
from lib.errors import UserError
from lib.panels import Levels, size_class, size_label

ANALOGUES = (
    "country pair in reporter's total",
    "country pair in partner's total",
    "HS chapter in Russia's trade with a partner",
)
COLUMNS = ["series", "rates", "variance", "df", "autocorrelation"]


class Spread(NamedTuple):
    """Yearly variance of the log share of a part, and how it divides.

    Parameters
    ----------
    walk : variance of the lasting change of a year, ``eta²``.
    noise : variance of the passing deviation of a year, ``epsilon²``.
    df : degrees of freedom of the part's own scale: both are multiplied by ``df / chi²(df)``.
    source : parts, size, years.
    """

    walk: float
    noise: float
    df: float
    source: str

    @property
    def yearly(self) -> float:
        """Variance of the change of the log share in one year."""
        return self.walk + 2 * self.noise

    def times(self, factor: float) -> "Spread":
        """The same with `factor` times the variance."""
        return self._replace(walk=self.walk * factor, noise=self.noise * factor)


def divide(variance: float, autocorrelation: float) -> tuple[float, float]:
    """Walk and noise from the variance of yearly changes and their lag-1 autocorrelation.

    A change is ``eta + e[t] − e[t−1]``: variance ``eta² + 2 epsilon²``, autocovariance ``−epsilon²`` (Harvey 1989,
    eq. 2.4.4), so that ``epsilon² = −r × variance`` and ``eta² = (1 + 2 r) × variance``.
    """
    r = float(np.clip(autocorrelation, -0.5, 0.0))
    return variance * (1 + 2 * r), -r * variance


def estimate_spread(
    sub: Levels, whole: Levels, whole_of: NDArray[np.intp], last_years: Iterable[int]
) -> pd.DataFrame:
    """Yearly changes of log shares by size class of the part, from the years up to each of `last_years`.

    Parameters
    ----------
    sub, whole : panels as arrays with the same years; `whole_of` names the row of each part's whole.

    Returns
    -------
    DataFrame: last_year, size_class, series, rates (how many changes), variance and df (within a part, moments
    of ln s², Smyth 2004), autocorrelation (lag 1, common year effects removed).
    """
    shares = sub._replace(growth=sub.growth - whole.growth[whole_of])
    tables = [reference.estimate(shares, year).assign(last_year=year) for year in last_years]
    table = pd.concat(tables, ignore_index=True)
    return table.loc[table["size_class"] > 0, ["last_year", "size_class", *COLUMNS]]


def kept_spread(size_usd: float, last_year: int, analogue: str = ANALOGUES[0]) -> Spread:
    """The spread of parts of a size, from the years up to `last_year`.

    Parameters
    ----------
    size_usd : US dollars a year of the part.
    last_year : last year that may be used; the kept year not after it is taken, the earliest where all are.
    analogue : one of `ANALOGUES`.
    """
    if analogue not in ANALOGUES:
        raise UserError(f"analogue: found {analogue}, expected one of {'; '.join(ANALOGUES)}")
    table = reference.read_kept("part_spreads.csv")
    rows = table[table["analogue"] == analogue]
    known = rows["last_year"][rows["last_year"] <= last_year]
    year = int(known.max() if len(known) else rows["last_year"].min())
    rows = rows[rows["last_year"] == year]
    row = rows.loc[(rows["size_class"] - int(size_class(size_usd))).abs().idxmin()]
    walk, noise = divide(row["variance"], row["autocorrelation"])
    what = f"{analogue}, {row['series']:.0f} parts of {size_label(int(row['size_class']))}, years to {year}"
    return Spread(walk, noise, float(row["df"]), what)
