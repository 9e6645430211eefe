"""Paths drawn from a law, to which its readings are held."""

import numpy as np
import pandas as pd

from lib.goals import Goal
from lib.law import Law


def simulated(path: Law, asked: Goal, levels: pd.Series, n: int = 400_000) -> pd.Series:
    """Share of paths that meet each reading, from draws of the mixture alone."""
    rng = np.random.default_rng(7)
    counts = rng.multinomial(n, path.weights)
    draws = [
        rng.multivariate_normal(mean, covariance, count, method="eigh")
        for mean, covariance, count in zip(path.means, path.covariances, counts, strict=True)
    ]
    drawn_levels = dict(zip(path.years, np.exp(np.minimum(np.concatenate(draws), 300)).T, strict=True))
    years = range(asked.base_year + 1, asked.deadline + 1)
    columns = [drawn_levels[y] if y in drawn_levels else np.full(n, levels[y]) for y in years]
    whole = np.column_stack([np.full(n, asked.base_mn), *columns])
    rates = whole[:, 1:] / whole[:, :-1] - 1
    met = {
        "average": whole[:, -1] >= asked.target_mn * (1 - 1e-9),
        "every_year": (rates >= asked.rate - 1e-9).all(axis=1),
        "mean_of_rates": rates.mean(axis=1) >= asked.rate - 1e-9,
    }
    return pd.Series({name: hits.mean() for name, hits in met.items()})
