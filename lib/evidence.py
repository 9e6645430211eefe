"""What a day knew beside a flow's own yearly levels: pieces of evidence, each with its error.

*Larger flows.* The log level of a city is that of its country plus the log share of the province in the country plus
the log share of the city in the province. Where the country's level is known, the city's is Gaussian given how
erratic each share is: a share is a local level, a random walk with innovations of variance ``eta²`` plus passing
noise of variance ``epsilon²`` (Harvey 1989, section 2.1), both estimated on parts that panels do have. The scales are
integrated on a grid, each weighed by its prior and by how well it explains the record; so is the doubt whether a
level published after years of silence has the scope of the earlier ones.

*Months.* The running year so far, times what the rest of a year adds: r = ln(total / so far), from the flow's own earlier
years shrunk to those of other flows (Gelman et al. 2013, section 3.3; variance moderated, Smyth 2004, eq. 3).

*Mirror.* The partner's figure of the same trade, with the gap between the two that earlier years show.

*A later level* of the flow itself, published for a year after those that are asked for.

*Parcels* that the press reported, as far as a parameter believes that they were real and counted as trade.

Each piece is left out by its name in `PIECES`; none is made up: what a day did not know is absent.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import gammaln, logsumexp

from lib import figures as fig
from lib import law as laws
from lib.cases import GoalCase
from lib.errors import UserError
from lib.law import Law, Posterior
from lib.reference import Array, Prior, nearest_class, read_kept, size_class, size_label
from lib.series import MONTHS, own_ratios, so_far
from lib.words import year_spans

PIECES = ("larger flows", "later level", "mirror", "months", "parcels")
LARGER, LATER, MIRROR, YEAR_SO_FAR, PARCELS = PIECES
"""The kinds of evidence, in the order in which a law takes them in."""


@dataclass(frozen=True)
class Assumptions:
    """What evidence rests on that no figure tells.

    Parameters
    ----------
    scope_same : probability, before the levels are looked at, that a level published after years of silence has the
        scope of the earlier ones.
    scope_sd : standard deviation of the log of a change of scope, where there was one.
    spread_factor : times the usual variance of a part around its whole.
    analogue : whose parts tell how much a part strays from its whole, one of `ANALOGUES`.
    parcels_counted : probability that the published parcels were real and counted as trade.
    implied : (year, millions) of levels that no figure states outright; of doubtful scope, as later levels are.
    """

    scope_same: float = 0.5
    scope_sd: float = 1.0
    spread_factor: float = 1.0
    analogue: str = "country pair in reporter's total"
    parcels_counted: float = 0.0
    implied: tuple[tuple[int, float], ...] = ()

    @classmethod
    def of(cls, case: GoalCase) -> "Assumptions":
        """What a case says of it; what it leaves open is as usual."""
        given = {item.name: getattr(case, item.name) for item in fields(cls) if hasattr(case, item.name)}
        return cls(**given)


@dataclass(frozen=True)
class Observation:
    """Log levels of some years, observed with an error: what `lib.law.given_all` takes."""

    what: str  # whose figures of when, for a reader
    levels: pd.Series  # log level (log of millions) by year
    covariance: Array  # of the errors, jointly Student-t
    df: float
    correlation: float = 0.0  # with the errors of the yearly forecast

    def given(self, law: Law) -> Law:
        """The law after the observation."""
        rows = np.equal.outer(self.levels.index.to_numpy(), np.array(law.years)).astype(float)
        found = laws.given_all(law, rows, self.levels, self.covariance, self.df, self.correlation)
        return laws.prune(found, NEGLIGIBLE)


# --- larger flows ---

ANALOGUES = (
    "country pair in reporter's total",
    "country pair in partner's total",
    "HS chapter in Russia's trade with a partner",
)


class _Spread(NamedTuple):
    """Yearly variance of the log share of a part, and how it divides."""

    walk: float  # variance of the lasting change of a year, eta²
    noise: float  # variance of the passing deviation of a year, epsilon²
    df: float  # degrees of freedom of the part's own scale: both are multiplied by df / chi²(df)
    source: str  # parts, size, years

    @property
    def yearly(self) -> float:
        """Variance of the change of the log share in one year."""
        return self.walk + 2 * self.noise


def _divide(variance: float, autocorrelation: float) -> tuple[float, float]:
    """Walk and noise from the variance of yearly changes and their lag-1 autocorrelation.

    A change is ``eta + e[t] − e[t−1]``: variance ``eta² + 2 epsilon²``, autocovariance ``−epsilon²`` (Harvey 1989,
    eq. 2.4.4), so that ``epsilon² = −r × variance`` and ``eta² = (1 + 2 r) × variance``.
    """
    r = float(np.clip(autocorrelation, -0.5, 0.0))
    return variance * (1 + 2 * r), -r * variance


@lru_cache(maxsize=64)
def _kept_spread(size_usd: float, last_year: int, analogue: str = ANALOGUES[0]) -> _Spread:
    """The spread of parts of a size (US dollars a year) like one of `ANALOGUES`.

    Of the kept years the last one up to `last_year` is taken, the earliest where all are later.
    """
    if analogue not in ANALOGUES:
        raise UserError(f"analogue: found {analogue}, expected one of {'; '.join(ANALOGUES)}")
    rows = read_kept("part_spreads.csv")
    rows = rows[rows["analogue"] == analogue]
    year = max((y for y in rows["last_year"] if y <= last_year), default=rows["last_year"].min())
    row = nearest_class(rows[rows["last_year"] == year], int(size_class(size_usd)))
    walk, noise = _divide(row["variance"], row["autocorrelation"])
    what = f"{analogue}, {row['series']:.0f} parts of {size_label(int(row['size_class']))}, years to {year}"
    return _Spread(walk, noise, float(row["df"]), what)


DIFFUSE = 1e4
"""Variance of the log share of the first year: nothing is known of it."""
LOG_SCALES = np.linspace(-5.0, 7.0, 25)
"""Grid of the logarithm of a scale; the sum over it is exact to more digits than are shown (steps of 0.3 give the same)."""
NEGLIGIBLE = 1e-5
"""Probability that may be left out: two digits below what is shown."""
UNLIKELY = 5
"""By so many natural logarithms the record may favour a scale that was unlikely beforehand."""


@dataclass(frozen=True)
class _Link:
    """A flow inside a larger one: its published levels by year, millions, and the spread of its share."""

    name: str
    levels: pd.Series
    spread: _Spread


@dataclass(frozen=True)
class Chain:
    """From the largest flow to the one that is asked for."""

    top: str  # name of the largest flow
    whole: pd.Series  # its levels by year, without gaps, millions
    links: tuple[_Link, ...]  # each inside the one before it; the last one's hidden years are asked for
    doubtful: tuple[int, ...] = ()  # years in which the last link's level may be of another scope than before

    @property
    def members(self) -> list[str]:
        """Names of the larger flows, the largest first."""
        return [self.top, *(link.name for link in self.links[:-1])]

    @property
    def years(self) -> list[int]:
        """Years of the chain."""
        return [int(year) for year in self.whole.index]

    @property
    def hidden(self) -> list[int]:
        """Years without a level of the last link, from its first level to the last year of the whole."""
        known = self.links[-1].levels.index
        return [year for year in self.years if year > known[0] and year not in known]


class Inferred(NamedTuple):
    """The law of the hidden years of a chain, and what was learnt on the way."""

    chain: Chain
    law: Law  # of the log levels (millions) of the years of the chain in which its last flow is not known
    same_scope: float  # probability that the doubtful levels have the scope of the earlier ones
    scales: tuple[float, ...]  # posterior mean of the root of each link's scale (1: as erratic as usual)


def infer(chain: Chain, assume: Assumptions = Assumptions()) -> Inferred:
    """The hidden years given everything published (Kalman 1960; Rauch, Tung & Striebel 1965, in one step)."""
    grid = [_scale_prior(link.spread.df) for link in chain.links]
    scales = np.exp(np.array(list(product(*(LOG_SCALES[kept] for kept, _ in grid)))))
    prior = np.array([sum(logs) for logs in product(*(log_weight for _, log_weight in grid))])
    likely = prior > prior.max() + np.log(NEGLIGIBLE) - UNLIKELY
    scales, prior = scales[likely], prior[likely]
    scopes = ((assume.scope_same, 0.0), (1 - assume.scope_same, assume.scope_sd))
    branches = [branch for branch in scopes if branch[0] > 0] if chain.doubtful else [(1.0, 0.0)]
    parts = [_condition(chain, scales, sd) for _, sd in branches]
    logs = np.concatenate([prior + np.log(p) + part[0] for (p, _), part in zip(branches, parts, strict=True)])
    weight = np.exp(logs - logsumexp(logs))
    same = np.repeat([sd == 0 for _, sd in branches], len(scales))
    typical = weight @ np.tile(np.sqrt(scales), (len(branches), 1))
    means, covariances = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    law = laws.prune(Law(tuple(chain.hidden), weight, means, covariances), NEGLIGIBLE)
    return Inferred(chain, law, float(weight[same].sum()), tuple(map(float, typical)))


def _scale_prior(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of the grid with more than a negligible prior, and the logs of their weights.

    ``df / scale`` is chi² with `df` degrees of freedom; the density is of log scale, so that the grid is even.
    """
    half = df / 2
    log_density = half * np.log(half) - gammaln(half) - half * LOG_SCALES - half * np.exp(-LOG_SCALES)
    log_weight = log_density - logsumexp(log_density)
    kept = np.flatnonzero(log_weight > np.log(NEGLIGIBLE) - UNLIKELY)
    return kept, log_weight[kept]


def _condition(chain: Chain, scales: Array, scope_sd: float) -> tuple[Array, Array, Array]:
    """Log density of the published levels, and mean and covariance of the hidden ones, at each row of `scales`.

    Points are (depth in the chain, year): the published ones first, then the hidden ones.
    """
    end, log_whole = len(chain.links), np.log(chain.whole)
    published = [(i, y, level) for i, link in enumerate(chain.links, 1) for y, level in link.levels.items()]
    depth, year = np.array([(i, y) for i, y, _ in published] + [(end, y) for y in chain.hidden]).T
    n = len(published)
    surprise = np.log([level for *_, level in published]) - log_whole[year[:n]].to_numpy()
    since = year - chain.years[0]
    lasting, passing = np.minimum.outer(since, since), np.equal.outer(year, year)
    # What the share of each link brings into the levels inside it; scale 1, start left out.
    parts = [link.spread.walk * lasting + link.spread.noise * passing for link in chain.links]
    shares = np.stack([part * np.outer(depth > i, depth > i) for i, part in enumerate(parts)])
    joint = np.einsum("cl,lij->cij", scales, shares)
    joint += DIFFUSE * np.minimum.outer(depth, depth)
    joint[:, :n, :n] += np.diag(scope_sd**2 * ((depth == end) & np.isin(year, chain.doubtful))[:n])
    known, cross = joint[:, :n, :n], joint[:, :n, n:]
    sides = np.concatenate([np.broadcast_to(surprise[:, None], (len(scales), n, 1)), cross], axis=2)
    solved = np.linalg.solve(known, sides)
    root = np.linalg.cholesky(known)
    log_density = -0.5 * solved[..., 0] @ surprise - np.log(np.einsum("cii->ci", root)).sum(axis=1)
    pulled = cross.transpose(0, 2, 1) @ solved
    mean = pulled[..., 0] + log_whole[chain.hidden].to_numpy()
    return log_density, mean, joint[:, n:, n:] - pulled[..., 1:]


LAST_PANEL_YEAR = 2020
LONG_GAP = 5
"""A level published after so many years of silence may be of another scope than the earlier ones."""


def chain_of(
    case: GoalCase, assume: Assumptions = Assumptions(), later: bool = True, without: Collection[str] = ()
) -> Chain | None:
    """The larger flows and this one, as the case's day knew them; None where they say nothing of an unknown year.

    Parameters
    ----------
    later : whether levels of the flow after the deadline are looked at.
    without : reporters of larger flows that are left out.
    """
    own = case.series()["value_mn"].dropna()
    larger = [one for one in case.lineage() if one.reporter not in without]
    if not larger or case.base_year not in own.index:
        return None
    *inner, top = larger
    whole = _whole(top.series()["value_mn"].dropna(), case.base_year)
    if not [y for y in whole.index if case.base_year < y <= case.deadline and y not in own.index]:
        return None
    implied = pd.Series(dict(assume.implied), dtype=float)
    own = pd.concat([own, implied[~implied.index.isin(own.index)]]).sort_index()
    own = own if later else own.loc[: case.deadline]
    links = [_link(one, one.series()["value_mn"].dropna(), whole, assume) for one in inner[::-1]]
    links.append(_link(case, own, whole, assume, case.deadline))
    doubtful = {*after_silence(own), *(year for year in implied.index if year > case.base_year)}
    known = tuple(link for link in links if link is not None)
    return Chain(top.reporter, whole, known, tuple(sorted(doubtful & set(whole.index))))


def _whole(levels: pd.Series, base_year: int) -> pd.Series:
    """Levels in the years without a gap around the goal's base."""
    if base_year not in levels.index:
        return levels.iloc[:0]
    block = levels.index.to_numpy() - np.arange(len(levels))
    return levels[block == block[levels.index.get_loc(base_year)]]


def _link(
    case: GoalCase, levels: pd.Series, whole: pd.Series, assume: Assumptions, until: int | None = None
) -> _Link | None:
    """A flow inside the whole, its size that of its last level (up to a year); None where it has none in those years."""
    levels = levels[levels.index.isin(whole.index)]
    if levels.empty:
        return None
    before = levels if until is None or levels.index[0] > until else levels.loc[:until]
    size = case.usd_mn(float(before.iloc[-1]), int(before.index[-1])) * 1e6
    spread = _kept_spread(size, min(case.as_of.year - 1, LAST_PANEL_YEAR), assume.analogue)
    walk, noise = (part * assume.spread_factor for part in (spread.walk, spread.noise))
    return _Link(case.reporter, levels, spread._replace(walk=walk, noise=noise))


def after_silence(levels: pd.Series) -> tuple[int, ...]:
    """Years from the first one that follows a long gap."""
    years = levels.index.to_numpy()
    after = years[1:][np.diff(years) > LONG_GAP]
    return tuple(int(year) for year in years if len(after) and year >= after[0])


# --- months of a year that is not known whole ---

LARGEST = 3.0
"""Standard deviations beyond which a flow's own value is pulled in: a misdated release must not count in full."""
PRIOR_FILE = "nowcast_priors.csv"


def pick_ratio(table: pd.DataFrame, month: int, index: int, source: str = "") -> Prior:
    """Prior of the log ratio after a month from the row of a size class, or of the nearest class there is."""
    row = nearest_class(table[table["month"] == month], index)
    drift, spread, variance, df = (float(row[name]) for name in ("mean", "between_sd", "variance", "df"))
    who = f"{row['series']:,.0f} flows of {size_label(int(row['size_class']))}"
    return Prior(drift, spread, variance, df, f"{source}: {who}")


@lru_cache(maxsize=512)
def ratio_prior(size_usd: float, origin: int, month: int) -> Prior:
    """What flows of a size say of ln(total / year so far) after a month, from the years up to `origin` alone.

    Parameters
    ----------
    size_usd : latest full year's level, US dollars.
    origin : the last full year; a year after the last kept one uses that.
    month : months that are over, 1 to 11.
    """
    if month not in MONTHS:
        raise UserError(f"month: found {month}, expected 1 to 11 (after December the year is over)")
    if not (size_usd > 0 and np.isfinite(size_usd)):
        raise UserError(f"size_usd: found {size_usd}, expected a positive number of US dollars")
    table, first = read_kept(PRIOR_FILE), first_ratio_year()
    if origin < first:
        raise UserError(f"origin: found {origin}, expected {first} or later, the first of the monthly panels")
    used = int(table["origin"][table["origin"] <= origin].max())
    source = f"UK and IMF monthly panels, years to {used}"
    return pick_ratio(table[table["origin"] == used], month, int(size_class(size_usd)), source)


def ratio_model(own: ArrayLike, prior: Prior) -> Posterior:
    """Posterior of ln(total / year so far) after a flow's own earlier years.

    Parameters
    ----------
    own : shape (years,) or (series, years); missing values (NaN) are left out, those beyond `LARGEST` prior
        standard deviations pulled in.
    prior : from `ratio_prior`; its fields may be arrays of shape (series,).
    """
    centre, spread = np.asarray(prior.drift), np.sqrt(np.square(prior.drift_sd) + prior.variance)
    low, high = (np.expand_dims(centre + side * LARGEST * spread, -1) for side in (-1, 1))
    values = np.clip(np.asarray(own, dtype=float), low, high)
    return laws.posterior(values, prior, half_life=np.inf, class_share=0.0)


ERRORS_FILE = "nowcast_errors.csv"
LINK_YEARS = 3
"""Scored years that the correlation and the stretch need; before that they are 0 and 1."""


def link(errors: pd.DataFrame | None, month: int, origin: int | None = None) -> tuple[float, float]:
    """Correlation and stretch for `combine`, each the mean over panels and scored years up to `origin`, or all.

    `errors` has rows as in ``nowcast_errors.csv``, and is None where nothing has been scored.
    """
    if errors is None:
        return 0.0, 1.0
    known = errors["year"] <= (np.inf if origin is None else origin)
    rows = errors[known & (errors["method"] == "combined") & (errors["month"] == month)]
    if rows["year"].nunique() < LINK_YEARS:
        return 0.0, 1.0
    return float(rows["correlation"].mean()), float(rows["stretch"].mean())


@lru_cache(maxsize=256)
def _kept_link(month: int, origin: int) -> tuple[float, float]:
    """Correlation and stretch after a month, from the kept scores of years up to `origin`."""
    return link(read_kept(ERRORS_FILE), month, origin)


def year_so_far(
    case: GoalCase, levels: pd.Series, years: Sequence[int], size_usd: float
) -> Observation | None:
    """What the first months say of those of `years` for which a year so far but no level was known; or None.

    Years that were never published whole share the scale of their errors.

    `levels` are those of the case's day by year, millions, and `size_usd` of the flow, US dollars a year.
    """
    stretches = case.releases()
    known = {year: (month, value) for (year, month), value in so_far(stretches).items() if month in MONTHS}
    begun = [year for year in years if year in known and year not in levels.index]
    if not begun or levels.empty:
        return None
    own, first, found = own_ratios(stretches, levels), first_ratio_year(), []
    for year in begun:
        month, value = known[year]
        before = own[month].loc[: year - 1].dropna()
        ratio = ratio_model(before, ratio_prior(size_usd, max(year - 1, first), month))
        correlation, stretch = _kept_link(month, year - 1)
        located = np.log(value) + float(laws.location(ratio, 1))
        variance = (stretch * float(laws.spread(ratio, 1))) ** 2
        what = f"{case.reporter}, {year} to month {month}"
        found.append((what, located, variance, float(ratio.df), correlation))
    told, located, variances, free, correlations = zip(*found, strict=True)
    levels_so_far = pd.Series(located, index=begun)
    return Observation(", ".join(told), levels_so_far, np.diag(variances), min(free), correlations[-1])


def first_ratio_year() -> int:
    """The first year of which monthly panels tell how much of it is done by a month."""
    return int(read_kept(PRIOR_FILE)["origin"].min())


MIN_COMMON = 3
"""Years that both sides must have published before one can stand in for the other."""
LEAST_GAP_SD = 0.02
"""Of a logarithm: two statistics never agree better than this for long."""


def mirror(case: GoalCase, levels: pd.Series, years: Sequence[int]) -> Observation | None:
    """The partner's figures of the same trade in `years`, moved by the usual gap between the two; None without any.

    The gap ln(own / partner's) of n earlier common years gives mean and spread; further years lie around that mean
    with a Student-t error of n - 1 degrees of freedom: that of the mean, ``sd² / n``, which they share, and their own
    (Gelman et al. 2013, eq. 3.3).
    """
    if not case.mirror().is_on_record():
        return None
    other = case.mirror().series()["value_mn"].dropna()  # none where its currency has no rates
    own = levels.dropna()
    common = own.index.intersection(other.index)
    wanted = [year for year in years if year in other.index and year not in own.index]
    if len(common) < MIN_COMMON or not wanted:
        return None
    gap, n = np.log(own[common] / other[common]), len(common)
    covariance = max(float(gap.std(ddof=1)), LEAST_GAP_SD) ** 2 * (np.eye(len(wanted)) + 1 / n)
    what = f"{case.partner}'s figures of {year_spans(wanted)}"
    return Observation(what, np.log(other[wanted]) + gap.mean(), covariance, n - 1.0)


def parcels(case: GoalCase) -> pd.DataFrame:
    """The published sums of parcels beside the flow, as known on the case's day, in whatever currency.

    They stand in the record under a reporter of their own, each one sum over several years.
    """
    record = fig.as_of(fig.load_figures(), case.as_of_time)
    return record[record["reporter"] == f"{case.reporter} parcels to {case.partner}"]


def parcels_a_year(case: GoalCase) -> pd.Series:
    """Millions a year that the parcels add to the goal's whole years since they began, at an even pace; or empty."""
    rows = parcels(case)
    if rows.empty:
        return pd.Series(dtype=float)
    row = rows.iloc[-1]
    days = (row["period_end"] - row["period_start"]).days + 1
    years = list(range(max(row["period_start"].year + 1, case.base_year + 1), case.deadline + 1))
    yearly = pd.Series(row["value_mn"] / days * 365.25, index=years, dtype=float)
    if row["currency"] == case.currency:
        return yearly
    # A year without a rate takes the last one before it.
    rates = case.rates()[[case.currency, row["currency"]]].ffill()
    last = pd.DataFrame([rates.loc[:year].iloc[-1] for year in years], index=years)
    return yearly * last[case.currency] / last[row["currency"]]
