"""How the forecast's intervals fared: shares of later outcomes inside them, from the kept scores of the backtest."""

from functools import lru_cache

import pandas as pd

from lib.reference import reference_folder
from lib.words import years

USED = "eb_past_errors"
"""The forecast used here, as the kept scores name it."""
WHAT = "trade flows of 10 million USD a year and more"


@lru_cache(maxsize=16)
def read_scores(name: str) -> pd.DataFrame:
    """Read one table of ``data/reference/scores``; do not alter what is returned."""
    # Opened by Python, not by C++, so that the journal of a run knows of it.
    with (reference_folder() / "scores" / f"{name}.parquet").open("rb") as file:
        return pd.read_parquet(file)


def coverage(horizon: int) -> pd.Series:
    """Share of outcomes inside the 50, 80 and 95 % intervals so many years ahead, fractions, over all origins.

    Returns
    -------
    Series: cover50, cover80, cover95, n (forecasts), first and last (origins). Beyond the longest horizon that
    was scored, that of the longest.
    """
    rows = read_scores("trade_intervals")
    rows = rows[rows["model"] == USED]
    rows = rows[rows["horizon"] == min(horizon, rows["horizon"].max())]
    shares = [(rows[f"cover{level}"] * rows["n"]).sum() / rows["n"].sum() for level in (50, 80, 95)]
    origins = rows["origin"]
    names = ["cover50", "cover80", "cover95", "n", "first", "last"]
    return pd.Series([*shares, rows["n"].sum(), origins.min(), origins.max()], index=names)


def coverage_line(horizon: int) -> str:
    """The sentence that stands under a fan: what intervals like its own have held."""
    found = coverage(horizon)
    shares = [f"{level} % interval {found[f'cover{level}'] * 100:.0f} %" for level in (50, 80, 95)]
    return (
        f"Measured: of what came {years(horizon)} later, the {shares[0].replace('interval', 'interval held')}, "
        f"the {shares[1]}, the {shares[2]} ({WHAT}, forecasts of {found['first']:.0f}–{found['last']:.0f})."
    )
