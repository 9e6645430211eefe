"""Nowcasts of earlier years that knew only the years before and the months so far, against how the years ended.

Flows of one year share its shock: scores are kept by year, and intervals resample whole years. The panels hold values
of a late vintage; a first release is less certain by the size of its revision (notebook 11).
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from lib import law
from lib.errors import UserError
from lib.evidence import link, pick_ratio, ratio_model
from lib.law import Posterior
from lib.reference import SIZES, USED, Array, Prior, size_class
from lib.research.backtest import fit_all, select
from lib.research.classes import MIN_SERIES, TRIM, lasting_sd, moderate
from lib.research.panels import Levels, Months, Progress, Tables, first_columns, load_monthly
from lib.series import MONTHS

_EDGE = 1e-4

FILES = ("nowcast_priors.csv", "nowcast_errors.csv", "nowcast_errors_by_size.csv")


class _Total(NamedTuple):
    """Student-t predictive of the log of the year's total, arrays of shape (series,)."""

    location: Array
    scale: Array
    df: Array


def _ahead(log: Array, model: Posterior) -> _Total:
    """The total ahead of a known level (log), by a model of the growth to it: from the year so far or the year before.

    Posterior predictive of the normal model with conjugate prior: Student-t (Gelman et al. 2013, eq. 3.9 and 3.10).
    """
    return _Total(log + law.location(model, 1), law.spread(model, 1), model.df)


def _combine(part: _Total, annual: _Total, correlation: float = 0.0, stretch: float = 1.0) -> _Total:
    """Combine the two forecasts of a total: the closed form for two Student-t of what `lib.law.given` does.

    The weight leaves the least variance, given the correlation of the errors (Bates & Granger 1969, eqs 1-2); one
    outside 0 to 1 is cut: the better forecast then stands alone. `stretch` is how much wider earlier errors were than
    stated. The degrees of freedom are the smaller of the two, so that the tails are not too thin.
    """
    v1, v2, cross = part.scale**2, annual.scale**2, correlation * part.scale * annual.scale
    weight = np.clip((v1 - cross) / (v1 + v2 - 2 * cross), 0.0, 1.0)
    variance = (1 - weight) ** 2 * v1 + weight**2 * v2 + 2 * weight * (1 - weight) * cross
    location = (1 - weight) * part.location + weight * annual.location
    return _Total(location, stretch * np.sqrt(variance), np.minimum(part.df, annual.df))


def _score_nowcasts(months: Months, progress: Progress = iter) -> Tables:
    """Priors by origin (`_estimate`), and scores by year and by size class, of every year that the panels can forecast."""
    levels, ratio = months.levels(), months.log_ratio()
    full = np.flatnonzero(~np.isnan(levels.log).all(axis=0))
    priors, single = [], []
    errors: list[pd.DataFrame] = []
    for place in progress(range(int(full[0]) + law.MIN_GROWTH_RATES, int(full[-1]) + 1)):
        origin = int(months.years[place])
        table = _estimate(ratio[:, : place + 1], _last_classes(levels, place))
        priors.append(table.assign(origin=origin))
        if place < full[-1]:
            found = _score_year(months, place + 1, table, pd.concat(errors) if errors else None)
            single.append(found)
            errors.append(_summarise(found, ["panel", "year", "month", "method"]))
    by_size = _summarise(pd.concat(single), ["panel", "size_class", "month", "method"])
    table = first_columns(pd.concat(priors, ignore_index=True), "origin", "size_class", "month")
    by_year = pd.concat(errors, ignore_index=True)
    return dict(zip(FILES, (table, by_year, by_size), strict=True))


def nowcasts(folder: Path, progress: Progress = iter) -> Tables:
    """Step: priors and scores of nowcasts from the monthly panels."""
    return _score_nowcasts(load_monthly(folder), progress)


def _last_classes(levels: Levels, place: int) -> NDArray[np.intp]:
    """Size class by the last total known up to a year; −1 where none is, or where it is too small to be used.

    Not by the total of that year: a panel that has ended would drop out of the reference class.
    """
    known = pd.DataFrame(levels.log[:, : place + 1]).ffill(axis=1).to_numpy()[:, -1]
    usd = np.exp(known)
    return np.where(usd >= SMALLEST, size_class(usd), -1)


def _score_year(months: Months, place: int, table: pd.DataFrame, errors: pd.DataFrame | None) -> pd.DataFrame:
    """Score every nowcast of one year (a column of `months`); nothing of it but the months so far is looked at.

    The priors (`table`) and `errors` are of the years before. One row a flow, month and method: error (log), crps
    (log; of a point its absolute error, Gneiting & Raftery 2007), z (probit of the PIT), unstretched (the same of the
    combination without its stretch), panel, size_class, year, month, method.
    """
    import scoringrules

    flows, classes, annual = _prepare(months, place)
    ratio, log = months.log_ratio(), months.levels().log
    outcome = log[flows, place]
    found = []
    for month in MONTHS:
        r = ratio[flows, :, month - 1]
        so_far = np.exp(outcome - r[:, place])
        part = _ahead(np.log(so_far), _ratios(r[:, :place], classes, table, month))
        correlation, stretch = link(errors, month)
        both = _combine(part, annual, correlation, stretch)
        plain = _combine(part, annual, correlation)
        points = {
            "last_share": r[:, place - 1],
            "mean_share": np.nanmean(r[:, :place], axis=1),
            "pro_rata": np.full(len(r), np.log(12 / month)),
        }
        totals = {"combined": both, "year_so_far": part, "annual": annual}
        frames = []
        for name, law_of in totals.items():
            crps = scoringrules.crps_t(outcome, law_of.df, law_of.location, law_of.scale)
            scores = {"error": outcome - law_of.location, "crps": crps, "z": _probit(law_of, outcome)}
            frames.append(pd.DataFrame(scores).assign(method=name))
        frames[0]["unstretched"] = _probit(plain, outcome)
        for name, ratios in points.items():
            error = outcome - np.log(so_far) - ratios
            frames.append(pd.DataFrame({"error": error, "crps": np.abs(error), "z": np.nan, "method": name}))
        about = {"panel": months.keys["panel"].to_numpy()[flows], "size_class": classes}
        found += [frame.assign(**about, month=month) for frame in frames]
    return pd.concat(found, ignore_index=True).assign(year=int(months.years[place]))


def _prepare(months: Months, place: int) -> tuple[NDArray[np.intp], NDArray[np.intp], _Total]:
    """Flows that the year before knew and whose year then was complete, their size class and yearly forecast."""
    levels = months.levels()
    known = np.flatnonzero(~np.isnan(levels.log[:, :place]).all(axis=1))
    before = Levels(
        levels.keys, levels.years[:place], levels.log[known, :place], levels.growth[known, : place - 1]
    )
    fitted = fit_all(before, int(levels.years[place]) - 1, lag=0)  # months are out weeks later
    flows = known[fitted.flows]
    usable = ~np.isnan(levels.log[flows, place]) & (levels.log[flows, place - 1] >= np.log(SMALLEST))
    # The part of the yearly law that is the flow's own: without the share whose variance is redrawn from the class, so
    # that it is a Student-t.
    of, last = select(fitted.models[USED], usable), levels.log[flows[usable], place - 1]
    return flows[usable], fitted.classes[usable], _ahead(last, of)


def _ratios(own: Array, classes: NDArray[np.intp], table: pd.DataFrame, month: int) -> Posterior:
    """Models of ln(total / year so far) of many flows, each with the prior of its size class."""
    priors = [pick_ratio(table, month, int(index)) for index in np.unique(classes)]
    where = np.searchsorted(np.unique(classes), classes)
    stacked: dict[str, Any] = {
        name: np.array([getattr(p, name) for p in priors])[where]
        for name in ("drift", "drift_sd", "variance", "df")
    }
    return ratio_model(own, Prior(**stacked, source=""))


def _probit(total: _Total, outcome: Array) -> Array:
    """Probit of the PIT: standard normal if the forecasts are calibrated."""
    pit = stdtr(total.df, (outcome - total.location) / total.scale)
    return ndtri(np.clip(pit, _EDGE, 1 - _EDGE))


def _summarise(single: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean scores of single forecasts by group, in logs.

    Columns: n, bias (mean error; positive: the year ended higher), mae, rmse, crps, cover50, cover80, cover95 (shares
    inside the central intervals; NaN for points) and, for the combination, stretch (80 % quantile of |unstretched|
    over that of a normal) and correlation of the z of its two parts.
    """
    size = single["z"].abs()
    frame = single.assign(square=single["error"] ** 2, mae=single["error"].abs(), size=size)
    for level, limit in ((50, 0.6745), (80, 1.2816), (95, 1.96)):
        frame[f"cover{level}"] = (size <= limit).astype(float).where(size.notna())
    groups = frame.groupby(by, sort=True)
    found = groups[["error", "mae", "crps", "cover50", "cover80", "cover95"]].mean()
    found = found.rename(columns={"error": "bias"})
    found["rmse"] = np.sqrt(groups["square"].mean())
    found["stretch"] = frame["unstretched"].abs().groupby([frame[name] for name in by]).quantile(0.8) / 1.2816
    found["n"] = groups.size()
    found = found.reset_index().merge(_correlations(single, by), on=by, how="left")
    covers = ["cover50", "cover80", "cover95"]
    return found[[*by, "n", "bias", "mae", "rmse", "crps", *covers, "stretch", "correlation"]]


def _correlations(single: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Correlation of the two parts' z by group, as a row of the combination."""
    keys = [name for name in by if name != "method"]
    one, two = (single[single["method"] == name].reset_index() for name in ("year_so_far", "annual"))
    pairs = one[keys].assign(one=one["z"], two=two["z"])
    found = pairs.groupby(keys)[["one", "two"]].apply(lambda rows: rows["one"].corr(rows["two"]))
    return found.rename("correlation").reset_index().assign(method="combined")


MIN_YEARS = 3
"""Full years that a series needs to say something about its own variance."""

SMALLEST = 1e8
"""US dollars a year below which panel series are left out: the UK's months are rounded to a million pounds."""

LEAST_BETWEEN = 0.1
"""Lasting differences between flows are at least this share of the deviation within a flow, so that a flow's own
record is never ignored."""


def _estimate(ratio: Array, classes: NDArray[np.intp]) -> pd.DataFrame:
    """Hyperparameters of ln(total / year so far) by size class and month.

    `ratio` has shape (series, years, 11), NaN where unknown; `classes` are −1 where none is known. Frame: size_class,
    month, series, mean (over flows), between_sd (lasting differences between flows), variance and df (within a flow,
    year to year). Classes with fewer than `lib.research.classes.MIN_SERIES` series are absent.
    """
    enough = np.sum(~np.isnan(ratio[:, :, 0]), axis=1) >= MIN_YEARS
    rows = []
    for index in range(int(size_class(SMALLEST)), len(SIZES) - 1):
        members = enough & (classes == index)
        if members.sum() < MIN_SERIES:
            continue
        for month in MONTHS:
            values = ratio[members, :, month - 1]
            values = np.clip(values, *np.nanquantile(values, [TRIM, 1 - TRIM]))  # panels contain faults
            count = np.sum(~np.isnan(values), axis=1)
            variance, df = moderate(np.nanvar(values, axis=1, ddof=1), count - 1)
            between = max(lasting_sd(values), LEAST_BETWEEN * float(np.sqrt(variance)))
            row: dict[str, float] = {"size_class": index, "month": month, "series": int(members.sum())}
            row |= {"mean": float(np.nanmean(values)), "between_sd": between, "variance": variance, "df": df}
            rows.append(row)
    if not rows:
        raise UserError(
            f"monthly panel: found no size class of {MIN_SERIES} series with {MIN_YEARS} full years, expected one"
        )
    return pd.DataFrame(rows)
