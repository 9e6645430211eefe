"""Points that fill a cube evenly, for probabilities that have no closed form.

How a part strays from its whole: the share of a sub-flow in the flow that contains it, year by year.

A city's trade moves with its province's, a province's with the country's; what moves by itself is the share. Its
log is taken as a local level: a random walk with innovations of variance ``eta²`` plus passing noise of variance
``epsilon²`` (Harvey 1989, section 2.1). No panel has cities in provinces, so both are estimated on the parts that
panels do have: countries in the world's trade with one country or in a country's trade with the world, and
product chapters in Russia's trade with one country.

The years of a flow that nobody published, inferred from the larger flows that contain it.

The log level of a city is that of its country plus the log share of the province in the country plus the log share
of the city in the province. The country's level is known; each log share is a local level (`lib.analysis.hidden_years`)
whose scale is uncertain. Levels that were published are linear observations of the shares, so that, given the
scales, the hidden years are Gaussian and exact (the smoother of Kalman 1960 and Rauch, Tung & Striebel 1965,
written as one conditional distribution). The scales are integrated on a grid, each weighed by its prior and by how
well it explains the record; so is the doubt whether a level published after many years has the scope of the first.

The chain of flows around a case's flow, as the record of its day has it.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gammaln, logsumexp, ndtr, ndtri

from lib import outlook, reference
from lib.cases import GoalCase
from lib.errors import UserError
from lib.forecast import FAN
from lib.goals import READINGS, Goal
from lib.reference import Array, size_class, size_label


def even_points(dimensions: int, number: int) -> Array:
    """Points spread evenly over the unit cube, shape (number, dimensions), without random numbers.

    Additive recurrence by powers of the root of ``x ** (d + 1) = x + 1`` (Roberts 2018).
    """
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (dimensions + 1))
    step = root ** -np.arange(1.0, dimensions + 1)
    return (0.5 + np.outer(np.arange(1, number + 1), step)) % 1


ANALOGUES = (
    "country pair in reporter's total",
    "country pair in partner's total",
    "HS chapter in Russia's trade with a partner",
)


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


LONG_GAP = 5
"""A level published after so many years of silence may be of another scope than the earlier ones."""

LAST_PANEL_YEAR = 2020


class Hideable(NamedTuple):
    """Why the hidden years of a goal can be inferred, or cannot."""

    possible: bool
    reason: str


def can_infer(case: GoalCase, goal: Goal) -> Hideable:
    """Whether the deadline's level is missing on the case's day while a larger flow has one."""
    levels = case.series()["value_mn"]
    if goal.deadline in levels.index:
        return Hideable(False, f"the level of {goal.deadline} is on record")
    larger = case.lineage()
    if not larger:
        return Hideable(False, "no larger flow that contains this one has figures in the record")
    if goal.deadline not in _whole(larger[-1], goal).index:
        return Hideable(False, f"no larger flow had a level for each year to {goal.deadline} by {case.as_of}")
    return Hideable(True, "")


def _whole(top: GoalCase, goal: Goal) -> pd.Series:
    """Levels of the largest flow in the years without a gap around the goal's base."""
    levels = top.series()["value_mn"].dropna()
    if goal.base_year not in levels.index:
        return levels.iloc[:0]
    gap = np.flatnonzero(np.diff(levels.index.to_numpy()) > 1) + 1
    blocks = np.split(np.arange(len(levels)), gap)
    position = levels.index.get_loc(goal.base_year)
    return levels.iloc[next(block for block in blocks if position in block)]


def chain_of(case: GoalCase, goal: Goal, analogue: str = ANALOGUES[0]) -> Chain:
    """The larger flows and this one, with the levels published by the case's day.

    Parameters
    ----------
    analogue : whose parts tell how much a part strays from its whole (`lib.analysis.hidden_years.ANALOGUES`).

    Raises
    ------
    UserError
        Where the deadline's level is on record, or no larger flow tells of its years.
    """
    able = can_infer(case, goal)
    if not able.possible:
        raise UserError(f"deadline: found {goal.deadline}, expected a year to infer; {able.reason}")
    larger = case.lineage()
    whole = _whole(larger[-1], goal)
    last_year = min(case.as_of.year - 1, LAST_PANEL_YEAR)
    links = tuple(
        _link(member, whole, goal, last_year, analogue) for member in [*reversed(larger[:-1]), case]
    )
    return Chain(larger[-1].reporter, whole, links, _after_silence(links[-1].levels))


def _link(case: GoalCase, whole: pd.Series, goal: Goal, last_year: int, analogue: str) -> Link:
    levels = case.series()["value_mn"].dropna()
    levels = levels[levels.index.isin(whole.index)]
    before = levels.loc[: goal.deadline]
    size = outlook.usd_mn(case, float(before.iloc[-1]), int(before.index[-1])) * 1e6
    return Link(case.reporter, levels, kept_spread(size, last_year, analogue))


def _after_silence(levels: pd.Series) -> tuple[int, ...]:
    """Years from the first one that follows a long gap."""
    years = levels.index.to_numpy()
    after = years[1:][np.diff(years) > LONG_GAP]
    return tuple(int(year) for year in years if len(after) and year >= after[0])
