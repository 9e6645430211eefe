"""Base rates: what share of flows of a size grew so fast over some years, by the panels that were known."""

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lib.errors import UserError
from lib.reference import last_released, read_kept, size_class

HORIZON = 10  # longest horizon looked at, years

PROBABILITIES = (0.02, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)

HORIZONS = (1, 2, 3, 5, 10)


def base_rate(size_usd: float, origin: int, horizon: int, rate: ArrayLike) -> Any:
    """Share of flows of this size that grew by `rate` a year (a fraction) or more on average, as known at the origin.

    Of origins that are kept the latest not after this one is used, of BACI from 2002, else of OEC; `size_usd` are current US
    dollars a year at the start, horizons 1 to 10 years, between kept ones of growth a year, linearly.
    """
    if not 1 <= horizon <= HORIZON:
        raise UserError(f"horizon: found {horizon}, expected 1 to {HORIZON} years")
    table = read_kept("growth_distributions.csv")
    for name in ("BACI", "OEC"):
        rows = table[(table["panel"] == name) & (table["origin"] <= origin)]
        rows = rows[rows["origin"] == rows["origin"].max()]
        if len(rows) and rows["horizon"].max() >= horizon:
            away = (rows["size_class"] - int(size_class(size_usd))).abs()
            rows = rows[rows["size_class"] == rows["size_class"].iloc[away.argmin()]].sort_values("horizon")
            quantiles = rows[[str(p) for p in PROBABILITIES]].to_numpy() / rows["horizon"].to_numpy()[:, None]
            at = [np.interp(horizon, rows["horizon"], column) for column in quantiles.T]
            ends = PROBABILITIES[0] / 2, (1 + PROBABILITIES[-1]) / 2
            return 1 - np.interp(np.log1p(np.asarray(rate)), at, PROBABILITIES, *ends)
    raise UserError(f"base rate: no panel is long enough for {horizon} years known at {origin}")


def known_share(size_usd: float, day: date, horizon: int, rate: ArrayLike) -> Any:
    """`base_rate` as the panels that were out on a day had it; beyond the longest kept horizon that of the longest."""
    return base_rate(size_usd, last_released(day), min(horizon, HORIZON), rate)
