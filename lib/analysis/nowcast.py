"""How much of a year is done by a month: mean and spread from a flow's earlier years, shrunk to other flows'.

The quantity is the log ratio of the year's total to the year so far, r = ln(total / so far): what the rest of the year
adds. A flow's own earlier years give a few values of it; the reference class gives its mean over flows, how much
flows differ in it lastingly, and how much it varies from year to year within a flow. Both make the model of
`lib.forecast.fit`, since r is to the year so far what growth is to the year before: normal with unknown mean and
variance, conjugate prior (Gelman et al. 2013, section 3.3), variance moderated (Smyth 2004, eq. 3).

The predictive distribution of a running year's total, from the year so far and from the years before.

Two forecasts of the same total, both Student-t in logarithms: the year so far times what the rest of a year adds
(`lib.analysis.nowcast`), and the yearly forecast from the years before. They are combined with the weights that
minimise the variance of the combination (Bates & Granger 1969, eqs 1–2):

    w = (s1² − r s1 s2) / (s1² + s2² − 2 r s1 s2)  on the second,   s² = s1² s2² (1 − r²) / (s1² + s2² − 2 r s1 s2)

with their scales s1 and s2 and the correlation r of their errors in earlier years. Independent errors (r = 0) give
precision weights.

Where a running year will end, and what that makes of a goal: the nowcast as last observation of the forecast.

The nowcast is not known, so it is not treated as known: each probability is an integral over the total of the running
year, E[P(goal | total)], by quadrature over its predictive distribution. Given a total, `lib.forecast` goes on from it
as from any other level, with the same prior; a year whose end decides a reading enters in closed form.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import roots_legendre, stdtr, stdtrit

from lib import forecast, growth, outlook, past_errors
from lib.analysis import months
from lib.analysis.months import MONTHS
from lib.cases import GoalCase
from lib.errors import UserError
from lib.forecast import FAN, GrowthModel, Prior
from lib.goals import Goal, needed_rates
from lib.outlook import SUREST, Expectation
from lib.reference import Array, read_kept, size_class, size_label

LARGEST = 3.0
"""Standard deviations beyond which a flow's own value is pulled in: a misdated release must not count in full."""

PRIOR_FILE = "nowcast_priors.csv"


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


ERRORS_FILE = "nowcast_errors.csv"

METHODS = {
    "combined": "year so far and yearly forecast",
    "year_so_far": "year so far alone",
    "annual": "yearly forecast alone",
    "last_share": "last year's share (growth of the year so far, continued)",
    "mean_share": "mean share of earlier years",
    "pro_rata": "months in proportion",
}
"""The first three are distributions, the others points. Continuing the growth of the year so far and dividing by last
year's share are the same number: total × (so far / so far a year ago) = so far / (so far a year ago / total)."""

LINK_YEARS = 3
"""Scored years that the correlation and the stretch need; before that they are 0 and 1."""


@dataclass(frozen=True)
class Total:
    """Student-t predictive of the log of the year's total; numbers, or arrays of shape (series,).

    Parameters
    ----------
    location : centre, log of the unit of the level (millions, or US dollars).
    scale, df : scale and degrees of freedom.
    weight_annual : weight of the yearly forecast in `location`, 0 to 1.
    """

    location: Array
    scale: Array
    df: Array
    weight_annual: Array

    def quantiles(self, probability: ArrayLike) -> Array:
        """Level that the total stays below with a probability."""
        z = stdtrit(self.df, np.asarray(probability, dtype=float))
        return np.exp(self.location + self.scale * z)

    def p_at_least(self, level: ArrayLike) -> Array:
        """Probability that the total comes to `level` or more (a positive number in the same unit)."""
        return stdtr(self.df, (self.location - np.log(level)) / self.scale)


def from_year_so_far(so_far: ArrayLike, ratio: GrowthModel) -> Total:
    """Nowcast from the year so far alone; `ratio` is the model of ln(total / year so far).

    Posterior predictive of the normal model with conjugate prior: Student-t (Gelman et al. 2013, eq. 3.9 and 3.10).
    """
    so_far = np.asarray(so_far, dtype=float)
    if not np.all(so_far > 0):
        raise UserError(f"year so far: found {so_far.min():g}, expected a positive level")
    location = np.log(so_far) + forecast.location(ratio, 1)
    scale, df = forecast.spread(ratio, 1), np.asarray(ratio.df, dtype=float)
    return Total(location, scale, df, np.zeros_like(location))


def from_years_before(level: ArrayLike, growth: GrowthModel, years: int = 1) -> Total:
    """The yearly forecast of the total, `years` after the last known level."""
    location = np.log(np.asarray(level, dtype=float)) + forecast.location(growth, years)
    df = np.asarray(growth.df, dtype=float)
    return Total(location, forecast.spread(growth, years), df, np.ones_like(location))


def combine(part: Total, annual: Total, correlation: float = 0.0, stretch: float = 1.0) -> Total:
    """Combine the two forecasts of a total.

    Parameters
    ----------
    part, annual : from `from_year_so_far` and `from_years_before`, in one unit.
    correlation : of their errors, above −1 and below 1.
    stretch : factor on the scale of the combination: how much wider earlier errors were than stated.

    Returns
    -------
    The combination; its degrees of freedom are the smaller of the two, so that its tails are not too thin. A
    weight outside 0 to 1, which a high correlation gives, is cut: the better forecast then stands alone.
    """
    if not -1 < correlation < 1:
        raise UserError(f"correlation: found {correlation}, expected a number between −1 and 1")
    v1, v2, cross = part.scale**2, annual.scale**2, correlation * part.scale * annual.scale
    weight = np.clip((v1 - cross) / (v1 + v2 - 2 * cross), 0.0, 1.0)
    variance = (1 - weight) ** 2 * v1 + weight**2 * v2 + 2 * weight * (1 - weight) * cross
    location = (1 - weight) * part.location + weight * annual.location
    return Total(location, stretch * np.sqrt(variance), np.minimum(part.df, annual.df), weight)


def link(errors: pd.DataFrame | None, month: int, origin: int | None = None) -> tuple[float, float]:
    """Correlation and stretch for `combine`, each the mean over panels and scored years.

    Parameters
    ----------
    errors : rows as in ``nowcast_errors.csv``; None where nothing has been scored.
    origin : last year whose scores may be used; all by default.
    """
    if errors is None:
        return 0.0, 1.0
    rows = errors[(errors["method"] == "combined") & (errors["month"] == month)]
    rows = rows if origin is None else rows[rows["year"] <= origin]
    if rows["year"].nunique() < LINK_YEARS:
        return 0.0, 1.0
    return float(rows["correlation"].mean()), float(rows["stretch"].mean())


def kept_link(month: int, origin: int) -> tuple[float, float]:
    """Correlation and stretch after a month, from the kept scores of years up to `origin`."""
    return link(read_kept(ERRORS_FILE), month, origin)


_NODES = (
    16  # on either side of the growth that the goal asks for: four digits (checked against 200 in the tests)
)

_EDGE = 1e-12

_GRID = (np.arange(200) + 0.5) / 200  # probabilities at which a fan's mixture is tabulated


@dataclass(frozen=True)
class YearEnd:
    """A running year as a day knew it.

    Parameters
    ----------
    year, month : the running year, and its last month in the year so far (0: nothing of it is known).
    so_far_mn : the year so far, millions; NaN at month 0.
    stretches : everything known of months, all years (`lib.analysis.months.releases`).
    own : the flow's own ln(total / year so far), earlier years × months 1 to 11, NaN where unknown.
    ratio : the model of it at that month; None at month 0.
    annual, part, total : the yearly forecast, the nowcast from the year so far (None at month 0), and both.
    expected : the growth model at the last full year.
    """

    year: int
    month: int
    so_far_mn: float
    stretches: pd.DataFrame
    own: pd.DataFrame
    ratio: GrowthModel | None
    annual: Total
    part: Total | None
    total: Total
    expected: Expectation

    @property
    def ahead(self) -> int:
        """Years from the last full one to the running one."""
        return self.year - self.expected.origin

    def quantiles(self) -> Array:
        """Quantiles of the year's total (`lib.forecast.FAN`), millions; the yearly forecast's while nothing is known."""
        return self.total.quantiles(FAN) if self.month else self.expected.quantiles(self.ahead)

    def p_at_least(self, level_mn: float) -> float:
        """Probability that the year ends at a level or above, corrected as `quantiles` is."""
        p = float(self.total.p_at_least(level_mn))
        p = p if self.month else self.expected.corrected(p, "average", self.ahead)
        return float(np.clip(p, SUREST, 1 - SUREST))


def look(case: GoalCase, levels: pd.Series) -> YearEnd:
    """Nowcast the year after the last full one, from what the case's day knew.

    Parameters
    ----------
    case : flow, currency and day; its goal is not used.
    levels : level by year in millions, of the same day.

    Notes
    -----
    The running year is the latest one beyond the last level with a year so far; without any, the next year.
    """
    expected = outlook.expect(case, levels.dropna())
    stretches = months.releases(case.vintage(), case.currency)
    so_far = _running(stretches, expected.origin)
    year = so_far.name if len(so_far) else expected.origin + 1
    annual = from_years_before(expected.level_mn, expected.model, year - expected.origin)
    own = months.own_ratios(stretches, levels)
    if so_far.empty:
        return YearEnd(year, 0, np.nan, stretches, own, None, annual, None, annual, expected)
    month = int(so_far.index[-1])
    prior = prior_for(expected.size_usd, expected.origin, month)
    ratio = model(own[month].dropna(), prior)
    part = from_year_so_far(so_far.iloc[-1], ratio)
    both = combine(part, annual, *kept_link(month, expected.origin))
    return YearEnd(year, month, float(so_far.iloc[-1]), stretches, own, ratio, annual, part, both, expected)


def _running(stretches: pd.DataFrame, origin: int) -> pd.Series:
    """Year so far by month of the latest year after `origin` that has one, named by the year; else empty."""
    so_far = months.year_to_date(stretches[stretches["year"] > origin])
    so_far = so_far[so_far.index.get_level_values("last_month") <= MONTHS[-1]]
    if so_far.empty:
        return so_far
    year = int(so_far.index.get_level_values("year").max())
    return so_far.loc[year].rename(year)


def p_this_year(goal: Goal, end: YearEnd) -> pd.Series:
    """Probability that the running year ends on the goal's path, and that it grows at the goal's rate.

    Returns
    -------
    Series: path, rate. `path` is NaN outside the goal's years, `rate` also where the year before is not known.
    """
    path = goal.path()
    counts = end.year in path.index
    on_path = end.p_at_least(path[end.year]) if counts else np.nan
    follows = counts and end.ahead == 1
    rate = end.p_at_least(end.expected.level_mn * (1 + goal.rate)) if follows else np.nan
    return pd.Series({"path": on_path, "rate": rate}, dtype=float)


def chances(goal: Goal, levels: pd.Series, end: YearEnd) -> pd.Series:
    """Probability that each reading of a goal is met, the running year being known so far only.

    Parameters
    ----------
    levels : level by year of full years, millions, from which `end` was made.

    Returns
    -------
    Series by reading. Readings that are decided, or need yearly rates that are not known, are absent; all are
    once the deadline lies before the running year.
    """
    origin = end.expected.origin
    before = levels.loc[: min(origin, goal.deadline)].dropna()
    if end.month == 0 and origin < goal.deadline:
        return outlook.chances(goal, before, end.expected)
    needed = needed_rates(goal, before)["needed"].dropna()
    if end.year > goal.deadline:
        return pd.Series(dtype=float)
    if end.ahead > 1:  # the rates of the years between are not known
        needed = needed.loc[needed.index == "average"]
    found = {str(name): _chance(str(name), goal, levels, end, float(rate)) for name, rate in needed.items()}
    return pd.Series(found, dtype=float).clip(SUREST, 1 - SUREST)


def _chance(reading: str, goal: Goal, levels: pd.Series, end: YearEnd, needed: float) -> float:
    """E[P(reading | total of the running year)]; `needed` is the rate a year still needed from the last level."""
    base, left = end.expected.level_mn, goal.deadline - end.year
    if left == 0:
        level = goal.target_mn if reading == "average" else base * (1 + needed)
        return float(end.total.p_at_least(level)) if level > 0 else 1.0
    x, weight = _nodes(end.total, base * (1 + goal.rate))
    models = _go_on(levels, end, x)
    if reading == "average":
        p = forecast.p_reach(models, np.log(goal.target_mn / x), left)
    elif reading == "every_year":
        p = forecast.p_every_year(models, goal.rate, left)
    else:
        p = forecast.p_mean_rate(models, (left + 1) * needed - (x / base - 1), left)
    p = _corrected(p, reading, left, end.expected)
    if reading == "every_year":
        p = p * (x >= base * (1 + goal.rate))
    return float(np.sum(weight * p))


def _nodes(law: Total, split: float) -> tuple[Array, Array]:
    """Totals and their weights: Gauss–Legendre in probability below and above `split`, where a reading may jump."""
    at, weight = roots_legendre(_NODES)
    below = 1 - float(law.p_at_least(split))
    u = np.concatenate([below * (at + 1) / 2, below + (1 - below) * (at + 1) / 2])
    u = np.clip(
        u, _EDGE, 1 - _EDGE
    )  # a split beyond all doubt leaves nodes at 0 or 1, where quantiles are infinite
    return law.quantiles(u), np.concatenate([below * weight / 2, (1 - below) * weight / 2])


def _go_on(levels: pd.Series, end: YearEnd, x: Array) -> GrowthModel:
    """Growth models after the running year, one for each of its totals `x`; fields have the shape of `x`."""
    rates = growth.log_growth(levels.loc[: end.expected.origin].dropna()).to_numpy()
    latest = np.log(x / end.expected.level_mn) if end.ahead == 1 else np.full(len(x), np.nan)
    return forecast.fit(np.column_stack([np.tile(rates, (len(x), 1)), latest]), end.expected.prior)


def _corrected(p: Array, reading: str, years: int, expected: Expectation) -> Array:
    """Probabilities corrected by past errors, which are of trade between two countries."""
    if expected.world:
        return p
    return past_errors.recalibrate(p, reading, years, expected.origin, expected.size_usd)


def fan(levels: pd.Series, end: YearEnd, last: int) -> pd.DataFrame:
    """Quantiles of the level by year (`lib.forecast.FAN`) from the last full year (certain) to `last`; millions.

    The running year has its nowcast, later years the mixture of the forecasts from each of its totals.
    """
    x, weight = _nodes(end.total, float(end.total.quantiles(0.5)))
    models = _go_on(levels, end, x)
    rows = {end.expected.origin: np.full(len(FAN), end.expected.level_mn), end.year: end.quantiles()}
    for year in range(end.year + 1, last + 1):
        rows[year] = _mixture(models, x, weight, year - end.year, end.expected)
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(FAN)).rename_axis("year")


def _mixture(models: GrowthModel, x: Array, weight: Array, years: int, expected: Expectation) -> Array:
    """Quantiles of the level `years` after the running year, mixed over its totals and corrected by past errors."""
    centre, scale = (f(models, years)[:, None] for f in (forecast.location, forecast.spread))
    level = np.log(x)[:, None] + centre + scale * stdtrit(np.asarray(models.df)[:, None], _GRID)
    order = np.argsort(level, axis=None)
    share = np.cumsum(np.repeat(weight / len(_GRID), len(_GRID))[order])
    asked = np.asarray(FAN)
    shape = None if expected.world else past_errors.find("average", years, expected.origin, expected.size_usd)
    if shape is not None:  # what gets corrected is the probability of exceeding a quantile
        asked = 1 - past_errors.invert(1 - asked, shape)
    return np.exp(np.interp(asked, share, level.ravel()[order]))


def by_release(case: GoalCase) -> pd.DataFrame:
    """How the nowcast and the probabilities moved, release by release, since the base of the goal was known.

    Parameters
    ----------
    case : flow, goal and the last day.

    Returns
    -------
    One row a day that moved the last full year or the year so far: day, year (the running one), month (0: nothing of
    it known yet), so_far_mn, the quantiles of its total (`lib.forecast.FAN`, millions), path and rate (`p_this_year`),
    average, every_year and mean_of_rates (NaN where absent). Each row knows only what had been published by its day.
    Days on which the running year lies after the deadline are left out.
    """
    rows: list[dict] = []
    for day in _days(case):
        then = case.model_copy(update={"as_of": day.date()})
        levels = then.series()["value_mn"]
        if case.base_year not in levels.index or (view := look(then, levels)).year > case.deadline:
            continue
        if not rows or any(rows[-1][name] != value for name, value in _state(view).items()):
            rows.append(_row(day, then, levels, view))
    return pd.DataFrame(rows)


def _days(case: GoalCase) -> list[pd.Timestamp]:
    """The days on which figures of the goal's years became known, from the first on."""
    record = case.vintage()
    inside = record[record["period_end"].dt.year.between(case.base_year, case.deadline)]
    return sorted(inside["known_from"].unique())


def _state(view: YearEnd) -> dict[str, float]:
    """What a release can move."""
    so_far = view.so_far_mn if view.month else 0.0
    return {"year": view.year, "month": view.month, "so_far_mn": so_far, "last_mn": view.expected.level_mn}


def _row(day: pd.Timestamp, case: GoalCase, levels: pd.Series, view: YearEnd) -> dict:
    goal = case.make_goal()
    quantiles = dict(zip(FAN, view.quantiles(), strict=True))
    odds = p_this_year(goal, view).to_dict() | chances(goal, levels, view).to_dict()
    blank = dict.fromkeys(("average", "every_year", "mean_of_rates"), np.nan)
    return {"day": day, **_state(view), **quantiles, **blank, **odds}
