"""Parts and their whole: how much of what is special about a total its parts share, and how their shares move."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib import law
from lib.evidence import ANALOGUES
from lib.reference import Array, pick_class, size_class
from lib.research import backtest, classes, panels
from lib.research.classes import estimate
from lib.research.panels import BACI, HS2, KEY, Levels, Progress, Tables, bounds, first_columns, to_levels

HORIZONS = (1, 2, 3, 5)

MAIN_CLASS = 2
"""Weights are estimated on sub-flows of this size class and above (10 mn USD)."""


def _estimate_weight(
    sub: Levels, parent: Levels, parent_of: NDArray[np.intp], origins: Iterable[int]
) -> pd.DataFrame:
    """How much of a parent's shrunk difference from its class its sub-flows share in the years after each origin.

    `parent_of` names the row of each sub-flow's parent. By horizon: slope of later growth a year on the parent's
    difference (both as deviations from the mean of the size class and origin), low and high (5 % and 95 %, whole
    origins resampled), n, and the Brier score of goals of `lib.research.backtest.GOALS` for a flow without figures of
    its own, with weight 0 and 1.
    """
    sums: dict[int, list[tuple[float, ...]]] = {horizon: [] for horizon in HORIZONS}
    for origin in origins:
        now = int(np.searchsorted(sub.years, origin))
        classes = size_class(np.exp(sub.log[:, now]))
        difference = _differences(parent, origin)[parent_of]
        used, table = (classes >= MAIN_CLASS) & ~np.isnan(difference), estimate(sub, origin)
        for horizon in HORIZONS:
            if now + horizon < len(sub.years):
                outcome = backtest.realised(sub, [now], horizon, "average", True)[:, 0]
                score = [
                    _brier(table, classes[used], weight * difference[used], outcome[used], horizon)
                    for weight in (0, 1)
                ]
                known = used & np.isfinite(outcome)
                # Cross product and square of deviations from class means; extreme growth is pulled in at 1 %.
                y, x = outcome[known], difference[known]
                frame = pd.DataFrame({"y": np.clip(y, *np.quantile(y, [0.01, 0.99])), "x": x})
                frame -= frame.groupby(classes[known]).transform("mean")
                cross, square = float((frame["x"] * frame["y"]).sum()), float((frame["x"] ** 2).sum())
                sums[horizon].append((cross, square, len(frame), *score))
    found = []
    for horizon, rows in sums.items():
        if rows:
            cross, square, n, without, with_it = np.array(rows).T
            low, high = bounds(cross, square, draws=1000)
            row = {"horizon": horizon, "slope": cross.sum() / square.sum(), "low": low, "high": high}
            row |= {"n": int(n.sum()), "brier_without": np.average(without, weights=n)}
            found.append(row | {"brier_with": np.average(with_it, weights=n)})
    return pd.DataFrame(found)


def _differences(parent: Levels, origin: int) -> Array:
    """Shrunk drift of each parent minus the drift of its class; NaN where it has no level at the origin."""
    now = int(np.searchsorted(parent.years, origin))
    classes = size_class(np.exp(parent.log[:, now]))
    table, found = estimate(parent, origin), np.full(len(classes), np.nan)
    for index in np.unique(classes[classes >= 0]):
        prior, members = law.drawn(pick_class(table, int(index))), classes == index
        found[members] = law.posterior(parent.growth[members, :now], prior).mean - prior.drift
    return found


def _brier(
    table: pd.DataFrame, classes: NDArray[np.intp], moved: Array, outcome: Array, horizon: int
) -> float:
    known = ~np.isnan(outcome)
    scores = []
    for index in np.unique(classes[known]):
        members = known & (classes == index)
        prior = law.drawn(pick_class(table, int(index)))
        prior = replace(prior, drift=prior.drift + moved[members])  # one drift for each flow
        model = law.posterior(np.full((members.sum(), 1), np.nan), prior)
        p = backtest.chance(model, "average", horizon, backtest.GOALS)
        hit = outcome[members] >= np.log1p(np.array(backtest.GOALS))[:, None]
        scores.append(((p - hit) ** 2).ravel())
    return float(np.concatenate(scores).mean())


def _estimate_spread(
    sub: Levels, whole: Levels, whole_of: NDArray[np.intp], last_years: Iterable[int]
) -> pd.DataFrame:
    """Yearly changes of log shares by size class of the part, from the years up to each of `last_years`.

    `whole_of` names the row of each part's whole. Frame: last_year, size_class, series, rates (how many changes),
    variance and df (within a part, moments of ln s², Smyth 2004), autocorrelation (lag 1, common year effects
    removed).
    """
    shares = sub._replace(growth=sub.growth - whole.growth[whole_of])
    tables = [classes.estimate(shares, year, lags=[1]).assign(last_year=year) for year in last_years]
    table = pd.concat(tables, ignore_index=True)
    columns = ["last_year", "size_class", "series", "rates", "variance", "df", "autocorrelation"]
    return table.loc[table["size_class"] > 0, columns]


def weights(folder: Path, progress: Progress = iter) -> Tables:
    """Step: how much of a total's difference from its class its parts share."""
    jobs = {
        "country pair in reporter's total": (BACI.file, ["reporter", "flow"]),
        "HS chapter in Russia's trade with a partner": (HS2, ["partner", "flow"]),
    }
    tables = [
        _estimate_weight(*_parts_and_wholes(folder, *job), range(2005, 2019)).assign(analogue=analogue)
        for analogue, job in progress(list(jobs.items()))
    ]
    return {"parent_weights.csv": first_columns(pd.concat(tables), "analogue")}


def spreads(folder: Path, progress: Progress = iter) -> Tables:
    """Step: how the share of a part in its whole moves from year to year."""
    jobs = [(BACI.file, ["reporter", "flow"]), (BACI.file, ["partner", "flow"]), (HS2, ["partner", "flow"])]
    tables = [
        _estimate_spread(*_parts_and_wholes(folder, *job), range(2008, 2021)).assign(analogue=analogue)
        for analogue, job in progress(list(zip(ANALOGUES, jobs, strict=True)))
    ]
    return {"part_spreads.csv": first_columns(pd.concat(tables), "analogue")}


def _parts_and_wholes(folder: Path, file: str, by: list[str]) -> tuple[Levels, Levels, NDArray[np.intp]]:
    """The flows of a panel, their totals by some names, and the row of each flow's total."""
    panel = panels.read_panel(folder / file)
    rows = panel.assign(**{c: panel[c].astype(str) for c in KEY})
    totals = rows.groupby([*by, "year"], as_index=False)["value_usd"].sum()
    totals = totals.assign(**{c: "all" for c in KEY if c not in by})
    sub, total = to_levels(panel), to_levels(totals)
    row_of = pd.Series(range(len(total.keys)), index=pd.MultiIndex.from_frame(total.keys[by]))
    return sub, total, row_of[pd.MultiIndex.from_frame(sub.keys[by])].to_numpy()
