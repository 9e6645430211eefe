"""Nowcasts of earlier years that knew only the years before and the months so far, against how the years ended.

Flows of one year share its shock: scores are kept by year, and intervals resample whole years. The panels hold values
of a late vintage; a first release is less certain by the size of its revision (`lib.nowcast.unwind.revisions`).
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from lib import forecast
from lib.backtests.backtest import fit_all, select
from lib.forecast import GrowthModel
from lib.nowcast import seasonal, total
from lib.nowcast.monthly import Months
from lib.nowcast.seasonal import MONTHS, SMALLEST
from lib.nowcast.total import Total
from lib.panels import Array, Levels, size_class
from lib.scoring import scores

_EDGE = 1e-4


class Year(NamedTuple):
    """The forecasts of one year: flows forecast, their size class, and the yearly forecast, arrays of shape (flows,)."""

    place: int
    flows: NDArray[np.intp]
    classes: NDArray[np.intp]
    annual: Total


def score_nowcasts(
    months: Months, progress: Callable[[Iterable], Iterable] = iter
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Priors by origin, and scores by year and by size class, of every year that the panels can forecast.

    Returns
    -------
    ``nowcast_priors.csv`` (`lib.nowcast.seasonal.estimate` with origin), ``nowcast_errors.csv`` (panel, year, month,
    method) and ``nowcast_errors_by_size.csv`` (panel, size class, month, method; all years together).
    """
    levels, ratio = months.levels(), months.log_ratio()
    full = np.flatnonzero(~np.isnan(levels.log).all(axis=0))
    priors, single = [], []
    errors: list[pd.DataFrame] = []
    for place in progress(range(int(full[0]) + forecast.MIN_GROWTH_RATES, int(full[-1]) + 1)):
        origin = int(months.years[place])
        table = seasonal.estimate(ratio[:, : place + 1], last_classes(levels, place))
        priors.append(table.assign(origin=origin))
        if place < full[-1]:
            found = score_year(months, place + 1, table, pd.concat(errors) if errors else None)
            single.append(found)
            errors.append(summarise(found, ["panel", "year", "month", "method"]))
    by_size = summarise(pd.concat(single), ["panel", "size_class", "month", "method"])
    first = ["origin", "size_class", "month"]
    table = pd.concat(priors, ignore_index=True)
    return table[first + [c for c in table if c not in first]], pd.concat(errors, ignore_index=True), by_size


def last_classes(levels: Levels, place: int) -> NDArray[np.intp]:
    """Size class by the last total known up to a year; −1 where none is, or where it is too small to be used.

    Not by the total of that year: a panel that has ended would drop out of the reference class.
    """
    known = pd.DataFrame(levels.log[:, : place + 1]).ffill(axis=1).to_numpy()[:, -1]
    usd = np.exp(known)
    return np.where(usd >= SMALLEST, size_class(usd), -1)


def score_year(months: Months, place: int, table: pd.DataFrame, errors: pd.DataFrame | None) -> pd.DataFrame:
    """Score every nowcast of one year; nothing of that year but the months so far is looked at.

    Parameters
    ----------
    place : column of the year in `months`.
    table : priors from the years before.
    errors : scores of the years before, for the correlation and the stretch.

    Returns
    -------
    One row a flow, month and method: error (log), crps (log; of a point its absolute error, Gneiting & Raftery 2007),
    z (probit of the PIT), unstretched (the same of the combination without its stretch), panel, size_class, year,
    month, method.
    """
    year = _prepare(months, place)
    ratio, log = months.log_ratio(), months.levels().log
    outcome = log[year.flows, place]
    found = []
    for month in MONTHS:
        r = ratio[year.flows, :, month - 1]
        so_far = np.exp(outcome - r[:, place])
        part = total.from_year_so_far(so_far, _ratios(r[:, :place], year.classes, table, month))
        correlation, stretch = total.link(errors, month)
        both = total.combine(part, year.annual, correlation, stretch)
        plain = total.combine(part, year.annual, correlation)
        points = {
            "last_share": r[:, place - 1],
            "mean_share": np.nanmean(r[:, :place], axis=1),
            "pro_rata": np.full(len(r), np.log(12 / month)),
        }
        laws = {"combined": both, "year_so_far": part, "annual": year.annual}
        frames = [_score_law(law, outcome).assign(method=name) for name, law in laws.items()]
        frames[0]["unstretched"] = _probit(plain, outcome)
        frames += [
            _score_point(np.log(so_far) + r, outcome).assign(method=name) for name, r in points.items()
        ]
        about = {"panel": months.keys["panel"].to_numpy()[year.flows], "size_class": year.classes}
        found += [frame.assign(**about, month=month) for frame in frames]
    return pd.concat(found, ignore_index=True).assign(year=int(months.years[place]))


def _prepare(months: Months, place: int) -> Year:
    """Yearly forecasts of the flows that the year before knew and whose year then was complete."""
    levels = months.levels()
    known = np.flatnonzero(~np.isnan(levels.log[:, :place]).all(axis=1))
    before = Levels(
        levels.keys, levels.years[:place], levels.log[known, :place], levels.growth[known, : place - 1]
    )
    fitted = fit_all(before, int(levels.years[place]) - 1)
    flows = known[fitted.flows]
    usable = ~np.isnan(levels.log[flows, place]) & (levels.log[flows, place - 1] >= np.log(SMALLEST))
    last = np.exp(levels.log[flows[usable], place - 1])
    annual = total.from_years_before(last, select(fitted.models["eb"], usable))
    return Year(place, flows[usable], fitted.classes[usable], annual)


def _ratios(own: Array, classes: NDArray[np.intp], table: pd.DataFrame, month: int) -> GrowthModel:
    """Models of ln(total / year so far) of many flows, each with the prior of its size class."""
    priors = [seasonal.pick(table, month, int(index)) for index in np.unique(classes)]
    where = np.searchsorted(np.unique(classes), classes)
    stacked: dict[str, Any] = {
        name: np.array([getattr(p, name) for p in priors])[where]
        for name in ("drift", "drift_sd", "variance", "df")
    }
    return seasonal.model(own, forecast.Prior(**stacked, source=""))


def _score_law(law: Total, outcome: Array) -> pd.DataFrame:
    crps = scores.crps_t(law.df, law.location, law.scale, outcome)
    return pd.DataFrame({"error": outcome - law.location, "crps": crps, "z": _probit(law, outcome)})


def _probit(law: Total, outcome: Array) -> Array:
    """Probit of the PIT: standard normal if the forecasts are calibrated."""
    return ndtri(np.clip(scores.pit(law.df, law.location, law.scale, outcome), _EDGE, 1 - _EDGE))


def _score_point(log_total: Array, outcome: Array) -> pd.DataFrame:
    error = outcome - log_total
    return pd.DataFrame({"error": error, "crps": np.abs(error), "z": np.nan})


def summarise(single: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean scores of single forecasts by group, in logs.

    Returns
    -------
    Frame with `by` and n, bias (mean error; positive: the year ended higher), mae, rmse, crps, cover50, cover80, cover95
    (shares inside the central intervals; NaN for points) and, for the combination, stretch (80 % quantile of
    |unstretched| over that of a normal) and correlation of the z of its two parts.
    """
    size = single["z"].abs()
    frame = single.assign(square=single["error"] ** 2, mae=single["error"].abs(), size=size)
    for level, limit in ((50, 0.6745), (80, 1.2816), (95, 1.96)):
        frame[f"cover{level}"] = (size <= limit).astype(float).where(size.notna())
    groups = frame.groupby(by, sort=True)
    found = (
        groups[["error", "mae", "crps", "cover50", "cover80", "cover95"]]
        .mean()
        .rename(columns={"error": "bias"})
    )
    found["rmse"] = np.sqrt(groups["square"].mean())
    found["stretch"] = frame["unstretched"].abs().groupby([frame[name] for name in by]).quantile(0.8) / 1.2816
    found["n"] = groups.size()
    found = found.reset_index().merge(_correlations(single, by), on=by, how="left")
    return found[
        [*by, "n", "bias", "mae", "rmse", "crps", "cover50", "cover80", "cover95", "stretch", "correlation"]
    ]


def _correlations(single: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Correlation of the two parts' z by group, as a row of the combination."""
    keys = [name for name in by if name != "method"]
    one, two = (
        single.loc[single["method"] == name].reset_index(drop=True) for name in ("year_so_far", "annual")
    )
    pairs = one[keys].assign(one=one["z"], two=two["z"])
    found = pairs.groupby(keys)[["one", "two"]].apply(lambda rows: rows["one"].corr(rows["two"]))
    return found.rename("correlation").reset_index().assign(method="combined")
