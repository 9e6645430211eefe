"""The years of a flow that nobody published, inferred from the larger flows that contain it.

The log level of a city is that of its country plus the log share of the province in the country plus the log share
of the city in the province. The country's level is known; each log share is a local level (`lib.scenarios.parts`)
whose scale is uncertain. Levels that were published are linear observations of the shares, so that, given the
scales, the hidden years are Gaussian and exact (the smoother of Kalman 1960 and Rauch, Tung & Striebel 1965,
written as one conditional distribution). The scales are integrated on a grid, each weighed by its prior and by how
well it explains the record; so is the doubt whether a level published after many years has the scope of the first.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import gammaln, logsumexp, ndtr, ndtri

from lib.forecast import FAN
from lib.goals import READINGS, Goal
from lib.panels import Array
from lib.scenarios.parts import Spread
from lib.scenarios.points import even_points

DIFFUSE = 1e4
"""Variance of the log share of the first year: nothing is known of it."""
SCOPE_SD = 1.0
"""Standard deviation, in logarithms, of a change of scope: a level of another scope may be 2.7 times as high."""
LOG_SCALES = np.linspace(-5.0, 7.0, 41)
"""Grid of the logarithm of a scale; the sum over it is exact to more digits than are shown."""
NEGLIGIBLE = 1e-5
"""Probability that may be left out: two digits below what is shown."""
POINTS = 4096
"""Quasi-random points for each component where a reading has no closed form."""


@dataclass(frozen=True)
class Link:
    """A flow inside a larger one: its published levels by year, millions, and the spread of its share."""

    name: str
    levels: pd.Series
    spread: Spread


@dataclass(frozen=True)
class Chain:
    """From the largest flow to the one that is asked for.

    Parameters
    ----------
    top : name of the largest flow; whole : its levels by year, without gaps, millions.
    links : each inside the one before it; the last one's hidden years are asked for.
    doubtful : years whose level of the last link may be of another scope than the earlier ones.
    """

    top: str
    whole: pd.Series
    links: tuple[Link, ...]
    doubtful: tuple[int, ...] = ()

    @property
    def years(self) -> list[int]:
        """Years of the chain."""
        return [int(year) for year in self.whole.index]

    @property
    def hidden(self) -> list[int]:
        """Years without a level of the last link, from its first level to the last year of the whole."""
        known = self.links[-1].levels.index
        return [year for year in self.years if year > known[0] and year not in known]


@dataclass(frozen=True)
class Hidden:
    """Distribution of the log levels of the hidden years: a mixture of Gaussians.

    Parameters
    ----------
    years : the hidden years.
    weight : of each component, shape (components,), adding up to 1.
    mean, covariance : shapes (components, years) and (components, years, years); logs of millions.
    same_scope : probability that the doubtful levels have the scope of the earlier ones.
    scales : posterior mean of the square root of each link's scale (1: as erratic as usual).
    """

    years: list[int]
    weight: Array
    mean: Array
    covariance: Array
    same_scope: float
    scales: tuple[float, ...]


def infer(chain: Chain, scope_same: float = 0.5, scope_sd: float = SCOPE_SD) -> Hidden:
    """Distribution of the hidden years given everything published.

    Parameters
    ----------
    scope_same : probability, before the levels are looked at, that doubtful ones have the scope of the first.
    scope_sd : standard deviation of the log of a change of scope, where there was one.
    """
    grid = [_scale_prior(link.spread.df) for link in chain.links]
    scales = np.exp(np.array(list(product(*(LOG_SCALES[kept] for kept, _ in grid)))))
    prior = np.array([sum(logs) for logs in product(*(log_weight for _, log_weight in grid))])
    branches = [(1.0, 0.0)] if not chain.doubtful else [(scope_same, 0.0), (1 - scope_same, scope_sd)]
    branches = [branch for branch in branches if branch[0] > 0]
    parts = [_condition(chain, scales, sd) for _, sd in branches]
    logs = [prior + np.log(p) + part[0] for (p, _), part in zip(branches, parts, strict=True)]
    weight = np.exp(np.concatenate(logs) - logsumexp(np.concatenate(logs)))
    same = np.repeat([sd == 0 for _, sd in branches], len(scales))
    typical = weight @ np.tile(np.sqrt(scales), (len(branches), 1))
    kept = _heaviest(weight)
    return Hidden(
        chain.hidden,
        weight[kept] / weight[kept].sum(),
        np.concatenate([mean for _, mean, _ in parts])[kept],
        np.concatenate([covariance for _, _, covariance in parts])[kept],
        float(weight[same].sum()),
        tuple(float(value) for value in typical),
    )


def _heaviest(weight: Array) -> np.ndarray:
    """Components without the lightest, which together weigh no more than is negligible."""
    order = np.argsort(weight)
    return np.sort(order[np.cumsum(weight[order]) > NEGLIGIBLE])


def _scale_prior(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of the grid with more than a negligible prior, and the logs of their weights.

    ``df / scale`` is chi² with `df` degrees of freedom; the density is of log scale, so that the grid is even.
    """
    half = df / 2
    log_density = half * np.log(half) - gammaln(half) - half * LOG_SCALES - half * np.exp(-LOG_SCALES)
    log_weight = log_density - logsumexp(log_density)
    kept = np.flatnonzero(log_weight > np.log(NEGLIGIBLE) - 5)  # the record may favour what was unlikely
    return kept, log_weight[kept]


def _condition(chain: Chain, scales: Array, scope_sd: float) -> tuple[Array, Array, Array]:
    """Log density of the published levels, and mean and covariance of the hidden ones, at each row of `scales`."""
    seen, values, sd = _observations(chain, scope_sd)
    wanted = [(len(chain.links), year) for year in chain.hidden]
    log_whole = np.log(chain.whole)
    surprise = values - log_whole[[year for _, year in seen]].to_numpy()
    both = [*seen, *wanted]
    shares = np.stack([_share_covariance(chain, i, both) for i in range(len(chain.links))])
    joint = np.einsum("cl,lij->cij", scales, shares)
    joint += DIFFUSE * np.minimum.outer([depth for depth, _ in both], [depth for depth, _ in both])
    n = len(seen)
    joint[:, :n, :n] += np.diag(sd**2)
    factor = np.linalg.cholesky(joint[:, :n, :n])
    white = np.linalg.solve(factor, np.broadcast_to(surprise[:, None], (len(scales), n, 1)))[..., 0]
    cross = np.linalg.solve(factor, joint[:, :n, n:])
    log_density = -0.5 * np.sum(white**2, axis=1) - np.sum(
        np.log(np.diagonal(factor, axis1=1, axis2=2)), axis=1
    )
    mean = np.einsum("cnm,cn->cm", cross, white) + log_whole[chain.hidden].to_numpy()
    return log_density, mean, joint[:, n:, n:] - np.einsum("cnm,cnk->cmk", cross, cross)


def _observations(chain: Chain, scope_sd: float) -> tuple[list[tuple[int, int]], Array, Array]:
    """Published levels: (depth in the chain, year), log level, standard deviation of its doubt."""
    seen, values, sd = [], [], []
    for depth, link in enumerate(chain.links, start=1):
        for year, level in link.levels.items():
            doubted = depth == len(chain.links) and year in chain.doubtful
            seen.append((depth, int(year)))
            values.append(np.log(level))
            sd.append(scope_sd if doubted else 0.0)
    return seen, np.array(values), np.array(sd)


def _share_covariance(chain: Chain, index: int, points: list[tuple[int, int]]) -> Array:
    """Covariance that the share of one link brings into log levels at (depth, year); scale 1, start left out."""
    depth, year = np.array(points).T
    spread, since = chain.links[index].spread, year - chain.years[0]
    walk = spread.walk * np.minimum.outer(since, since)
    noise = spread.noise * np.equal.outer(year, year)
    inside = depth > index
    return (walk + noise) * np.outer(inside, inside)


def quantiles(hidden: Hidden, probabilities: tuple[float, ...] = FAN) -> pd.DataFrame:
    """Quantiles of the level of each hidden year, millions; one row a year, one column a probability."""
    sd = np.sqrt(np.diagonal(hidden.covariance, axis1=1, axis2=2))
    low, high = (hidden.mean - 12 * sd).min(axis=0), (hidden.mean + 12 * sd).max(axis=0)
    low, high = (np.repeat(end[:, None], len(probabilities), axis=1) for end in (low, high))
    for _ in range(60):  # bisection on the distribution of the mixture
        middle = (low + high) / 2
        below = np.einsum("c,cyp->yp", hidden.weight, ndtr((middle - hidden.mean[..., None]) / sd[..., None]))
        low, high = (
            np.where(below < probabilities, middle, low),
            np.where(below < probabilities, high, middle),
        )
    return pd.DataFrame(np.exp(high), index=pd.Index(hidden.years, name="year"), columns=list(probabilities))


def chances(hidden: Hidden, goal: Goal, levels: pd.Series, added: pd.Series | None = None) -> pd.Series:
    """Probability of each reading of a goal.

    Parameters
    ----------
    levels : the known levels by year, millions; the base and every year to the deadline is known or hidden.
    added : millions by year that the inferred levels lack (parcels counted as trade); none by default.

    Returns
    -------
    Series by reading.
    """
    added = pd.Series(dtype=float) if added is None else added
    odds = pd.Series(dict.fromkeys(READINGS, 0.0))
    for first in range(0, len(hidden.weight), 200):  # two hundred components at a time keep memory small
        part = slice(first, first + 200)
        paths = _paths(hidden, part, goal, levels, added)
        met = _met(paths, goal)
        for reading in READINGS:
            odds[reading] += float(hidden.weight[part] @ met[reading].mean(axis=1))
    if goal.deadline in hidden.years:
        odds["average"] = p_average(hidden, goal, float(added.get(goal.deadline, 0.0)))
    return odds


def _paths(hidden: Hidden, part: slice, goal: Goal, levels: pd.Series, added: pd.Series) -> Array:
    """Levels from base to deadline, shape (components, points, years), each point a quasi-random path."""
    years = range(goal.base_year, goal.deadline + 1)
    asked = [year for year in years if year in hidden.years]
    rows = [hidden.years.index(year) for year in asked]
    mean, covariance = hidden.mean[part][:, rows], hidden.covariance[part][:, rows][:, :, rows]
    factor = np.linalg.cholesky(covariance)
    drawn = np.exp(
        mean[:, None, :] + np.einsum("cyk,pk->cpy", factor, ndtri(even_points(len(asked), POINTS)))
    )
    columns = []
    for year in years:
        known = goal.base_mn if year == goal.base_year else levels.get(year, np.nan)
        inferred = drawn[:, :, asked.index(year)] + added.get(year, 0.0) if year in asked else None
        columns.append(np.full(drawn.shape[:2], known) if inferred is None else inferred)
    return np.stack(columns, axis=-1)


def _met(paths: Array, goal: Goal) -> dict[str, np.ndarray]:
    """Whether each path meets each reading; as `lib.goals.judge` has it, for many paths at once."""
    rates = paths[..., 1:] / paths[..., :-1] - 1
    return {
        "average": paths[..., -1] >= goal.target_mn * (1 - 1e-9),
        "every_year": (rates >= goal.rate - 1e-9).all(axis=-1),
        "mean_of_rates": rates.mean(axis=-1) >= goal.rate - 1e-9,
    }


def p_average(hidden: Hidden, goal: Goal, added: float = 0.0) -> float:
    """Probability of the reading *on average* in closed form; `added` millions come on top of what is inferred."""
    needed = goal.target_mn - added
    if needed <= 0:
        return 1.0
    row = hidden.years.index(goal.deadline)
    sd = np.sqrt(hidden.covariance[:, row, row])
    return float(hidden.weight @ ndtr((hidden.mean[:, row] - np.log(needed)) / sd))


def without(chain: Chain, *, links: int = 0, later_than: int | None = None) -> Chain:
    """The chain with less evidence: without its first links, or without levels after a year.

    A chain without its first links has the last flow as a part of the whole at once.
    """
    kept = chain.links[links:]
    if later_than is not None:
        last = replace(kept[-1], levels=kept[-1].levels.loc[:later_than])
        kept = (*kept[:-1], last)
    return replace(chain, links=kept, doubtful=tuple(y for y in chain.doubtful if y in kept[-1].levels.index))
