"""The reference class and the past errors as the page needs them: nested by key, numbers as in data/reference."""

from typing import Any

import pandas as pd

from lib.base_rates import PROBABILITIES
from lib.package import data_dir
from lib.panels import BACI, OEC, SIZES, WDI, size_label
from lib.parents import kept_weight
from lib.past_errors import KNOTS, LEVELS, MIN_ERRORS
from lib.reference import read_kept

PANELS = (BACI, OEC, WDI)
PRIOR_COLUMNS = ["drift", "drift_sd", "variance", "df", "autocorrelation"]
USED = "eb_past_errors"
"""Name of the forecast used here in the kept scores."""


def tables() -> dict[str, Any]:
    """All tables by name; the keys of each are in the order of its name for them."""
    return {
        "sizes": SIZES[1:-1].tolist(),
        "size_labels": [size_label(index) for index in range(len(SIZES) - 1)],
        "panels": {panel.name: panel.title for panel in PANELS},
        "priors": priors(),
        "parent_weight": kept_weight(),
        "past_levels": LEVELS.tolist(),
        "past_errors": past_errors(),
        "past_errors_needed": MIN_ERRORS,
        "probabilities": list(PROBABILITIES),
        "distributions": distributions(),
        "coverage": coverage(),
    }


def priors() -> dict[str, Any]:
    """Panel → origin → size class → number of flows and the five numbers of `lib.forecast.Prior`."""
    return _nest(read_kept("priors.csv"), ["panel", "origin", "size_class"], ["series", *PRIOR_COLUMNS])


def past_errors() -> dict[str, Any]:
    """Reading → origin → horizon → size class → the seven knots of a shape of past errors."""
    return _nest(read_kept("past_errors.csv"), ["reading", "origin", "horizon", "size_class"], KNOTS)


def distributions() -> dict[str, Any]:
    """Panel → origin → size class → horizon → quantiles of log growth at ``probabilities``."""
    keys = ["panel", "origin", "size_class", "horizon"]
    return _nest(read_kept("growth_distributions.csv"), keys, [str(p) for p in PROBABILITIES])


def coverage() -> dict[str, Any]:
    """Size class → horizon → measured coverage of the 80 and the 95 % interval, and number of forecasts.

    Four digits: with thousands of forecasts, sharing years, not even the second is sure.
    """
    rows = pd.read_parquet(data_dir() / "reference" / "scores" / "trade_intervals_by_size.parquet")
    rows = rows[rows["model"] == USED].round({"cover80": 4, "cover95": 4})
    return _nest(rows, ["size_class", "horizon"], ["cover80", "cover95", "n"])


def _nest(table: pd.DataFrame, keys: list[str], columns: list[str]) -> dict[str, Any]:
    """A table as dicts within dicts, one level a key, with the row's numbers at the bottom."""
    nested: dict[str, Any] = {}
    for at, row in zip(
        table[keys].itertuples(index=False), table[columns].to_numpy(dtype=float), strict=True
    ):
        inner = nested
        for key in at[:-1]:
            inner = inner.setdefault(str(key), {})
        inner[str(at[-1])] = [int(value) if value.is_integer() else value for value in row.tolist()]
    return nested
