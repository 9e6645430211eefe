"""How much of a year is done by a month: mean and spread from a flow's earlier years, shrunk to other flows'.

The quantity is the log ratio of the year's total to the year so far, r = ln(total / so far): what the rest of the year
adds. A flow's own earlier years give a few values of it; the reference class gives its mean over flows, how much
flows differ in it lastingly, and how much it varies from year to year within a flow. Both make the model of
`lib.forecast.fit`, since r is to the year so far what growth is to the year before: normal with unknown mean and
variance, conjugate prior (Gelman et al. 2013, section 3.3), variance moderated (Smyth 2004, eq. 3).
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lib import forecast
from lib.errors import UserError
from lib.forecast import GrowthModel, Prior
from lib.panels import SIZES, Array, size_class, size_label
from lib.reference import MIN_SERIES, TRIM, moderate, read_kept

MONTHS = range(1, 12)
"""Months after which a year is still running."""
MIN_YEARS = 3
"""Full years that a series needs to say something about its own variance."""
SMALLEST = 1e8
"""US dollars a year below which panel series are left out: the UK's months are rounded to a million pounds."""
LEAST_BETWEEN = 0.1
"""Lasting differences between flows are at least this share of the deviation within a flow, so that a flow's own
record is never ignored."""
LARGEST = 3.0
"""Standard deviations beyond which a flow's own value is pulled in: a misdated release must not count in full."""
PRIOR_FILE = "nowcast_priors.csv"


def estimate(ratio: Array, classes: NDArray[np.intp]) -> pd.DataFrame:
    """Hyperparameters of the log ratio by size class and month, from the years given.

    Parameters
    ----------
    ratio : ln(total / year so far), shape (series, years, 11), NaN where unknown.
    classes : size class of each series, shape (series,); −1 where none is known.

    Returns
    -------
    Frame: size_class, month, series, mean (over flows), between_sd (lasting differences between flows), variance
    and df (within a flow, year to year). Classes with fewer than `lib.reference.MIN_SERIES` series are absent.
    """
    enough = np.sum(~np.isnan(ratio[:, :, 0]), axis=1) >= MIN_YEARS
    rows = []
    for index in range(int(size_class(SMALLEST)), len(SIZES) - 1):
        members = enough & (classes == index)
        if members.sum() < MIN_SERIES:
            continue
        for month in MONTHS:
            row = _estimate_one(ratio[members, :, month - 1])
            rows.append({"size_class": index, "month": month, "series": int(members.sum()), **row})
    if not rows:
        raise UserError(
            f"monthly panel: found no size class of {MIN_SERIES} series with {MIN_YEARS} full years, expected one"
        )
    return pd.DataFrame(rows)


def _estimate_one(ratio: Array) -> dict[str, float]:
    """Hyperparameters of one class and month; extreme values are pulled in, since panels contain reporting faults."""
    values = np.clip(ratio, *np.nanquantile(ratio, [TRIM, 1 - TRIM]))
    count = np.sum(~np.isnan(values), axis=1)
    variance, df = moderate(np.nanvar(values, axis=1, ddof=1), count - 1)
    # Covariance of a flow's means over two disjoint sets of years: only what lasts is in both.
    even, odd = (_means(values[:, start::2]) for start in (0, 1))
    both = ~np.isnan(even) & ~np.isnan(odd)
    lasting = float(np.sqrt(max(np.cov(even[both], odd[both])[0, 1], 0.0)))
    between = max(lasting, LEAST_BETWEEN * float(np.sqrt(variance)))
    return {"mean": float(np.nanmean(values)), "between_sd": between, "variance": variance, "df": df}


def _means(values: Array) -> Array:
    count = np.sum(~np.isnan(values), axis=1)
    return np.where(count > 0, np.nansum(values, axis=1) / np.maximum(count, 1), np.nan)


def pick(table: pd.DataFrame, month: int, index: int, source: str = "") -> Prior:
    """Prior of the log ratio after a month from the row of a size class, or of the nearest class there is."""
    rows = table[table["month"] == month]
    row = rows.loc[(rows["size_class"] - index).abs().idxmin()]
    who = size_label(int(row["size_class"]))
    return Prior(
        drift=float(row["mean"]),
        drift_sd=float(row["between_sd"]),
        variance=float(row["variance"]),
        df=float(row["df"]),
        source=f"{source}: {row['series']:.0f} flows of {who}",
    )


def prior_for(size_usd: float, origin: int, month: int, table: pd.DataFrame | None = None) -> Prior:
    """What flows of a size say of ln(total / year so far) after a month, from the years up to `origin` alone.

    Parameters
    ----------
    size_usd : latest full year's level, US dollars.
    origin : the last full year; a year after the last kept one uses that.
    month : months that are over, 1 to 11.
    table : rows as in ``nowcast_priors.csv``; by default those kept in the data folder.
    """
    if month not in MONTHS:
        raise UserError(f"month: found {month}, expected 1 to 11 (after December the year is over)")
    if not (size_usd > 0 and np.isfinite(size_usd)):
        raise UserError(f"size_usd: found {size_usd}, expected a positive number of US dollars")
    table = read_kept(PRIOR_FILE) if table is None else table
    first = int(table["origin"].min())
    if origin < first:
        raise UserError(
            f"origin: found {origin}, expected {first} or later: no monthly panel reaches back further"
        )
    used = int(table["origin"][table["origin"] <= origin].max())
    source = f"UK and IMF monthly panels, years to {used}"
    return pick(table[table["origin"] == used], month, int(size_class(size_usd)), source)


def model(own: ArrayLike, prior: Prior) -> GrowthModel:
    """Posterior of ln(total / year so far) after a flow's own earlier years.

    Parameters
    ----------
    own : shape (years,) or (series, years); missing values (NaN) are left out, those beyond `LARGEST` prior
        standard deviations pulled in.
    prior : from `prior_for`; its fields may be arrays of shape (series,).
    """
    values = np.asarray(own, dtype=float)
    centre, spread = (
        np.asarray(prior.drift),
        np.sqrt(np.asarray(prior.variance) + np.asarray(prior.drift_sd) ** 2),
    )
    low, high = (np.expand_dims(centre + side * LARGEST * spread, -1) for side in (-1, 1))
    return forecast.fit(np.clip(values, low, high), prior)


def share_done(fitted: GrowthModel, probability: ArrayLike) -> Array:
    """Quantiles of the share of a year that is done by a month: exp(−r)."""
    return np.exp(-forecast.growth_quantiles(fitted, 1, 1 - np.asarray(probability, dtype=float)))
