"""Synthetic controls of trade, and oil price against quantity in Russia's trade with China: kept in data/reference.

Synthetic control: what a flow would have done, as a weighted mean of others that moved like it before (Abadie,
Diamond & Hainmueller 2010, 2015). The flows are matched on their log levels before the event, each about its own mean
(Doudchenko & Imbens 2016; Ferman & Pinto 2021), since flows of trade differ in size for good. The p-value is the rank
of the flow's mean gap after the event among those of all donors treated in its place. The more usual ratio of errors
after and before means nothing here: a dozen years are fitted perfectly by forty donors, so that a good fit is no
evidence.

Three pools of donors, because each leaves something else out: the exporter's sales to others share its supply and the
prices it gets, the importer's purchases from others share its demand, pairs of neither share only the world. A
conclusion that holds for one pool alone is none.

How often finds a control an effect where nothing happened? Goals and policies are announced when trade goes well;
Illenberger, Small & Shaw (2020) report that the placebo test then rejects far more often than it promises, since
extremes revert. On trade between countries the reason is another: flows that boom are the restless ones, so that they
stray from their calmer donors afterwards in either direction.

Oil is not a commodity code of its own in the panel: chapter 27 holds mineral fuels, of which crude oil is the most.
The price of all of them is taken to move with Brent.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from lib import figures as fig
from lib import reference
from lib.reference import Array
from lib.research import panels
from lib.research.panels import BACI, HS2, Levels, Progress, Tables, bounds, first_columns


class _Placebo(NamedTuple):
    """A synthetic control and its placebo test in space.

    `weights` of the donors (each at least 0, sum 1); `gaps`, flow minus synthetic by year, and `placebo_gaps`, those
    of each donor in place of the flow, shape (donors, years); `effect`, the mean gap after the event; `p`, the share
    of the flow and the donors whose mean gap is as far from 0, never below 1 / (donors + 1).
    """

    weights: Array
    gaps: Array
    placebo_gaps: Array
    effect: float
    p: float


def _simplex_weights(target: ArrayLike, donors: ArrayLike) -> Array:
    """Weights of at least 0 that sum to 1 and make donors (features, donors) @ weights closest to the target (features,).

    The point of least norm in the convex hull of donors − target. With a row of ones added, non-negative least
    squares (Lawson & Hanson 1974) gives a multiple u = w / (1 + ‖(donors − target) w‖²) of the weights w, so that
    u / Σu is exact: min over s of s²c + (s − 1)² is c / (1 + c), which rises with c.
    """
    a = np.asarray(donors, dtype=float) - np.asarray(target, dtype=float)[:, None]
    scale = np.sqrt(np.mean(a**2)) or 1.0  # the trick is exact at any scale, but best conditioned near one
    solution, _ = nnls(np.vstack([a / scale, np.ones(a.shape[1])]), np.append(np.zeros(len(a)), 1.0))
    return solution / solution.sum()


def _gaps(flow: ArrayLike, donors: ArrayLike, before: int) -> tuple[Array, Array]:
    """Weights from the first `before` years, and the gap of the flow to its synthetic control in all years.

    `flow` holds log levels, shape (years,), `donors` those of others, shape (donors, years), both without a gap.
    """
    y, x = np.asarray(flow, dtype=float), np.asarray(donors, dtype=float)
    y, x = y - y[:before].mean(), x - x[:, :before].mean(axis=1, keepdims=True)
    weights = _simplex_weights(y[:before], x[:, :before].T)
    return weights, y - weights @ x


def _placebo_test(flow: ArrayLike, donors: ArrayLike, before: int) -> _Placebo:
    """Synthetic control of a flow (as in `_gaps`), and of each donor in its place from the flow and the other donors."""
    everything = np.vstack([np.asarray(flow, dtype=float)[None], np.asarray(donors, dtype=float)])
    found = [_gaps(row, np.delete(everything, place, axis=0), before) for place, row in enumerate(everything)]
    gap = np.vstack([one for _, one in found])
    effects = gap[:, before:].mean(axis=1)
    p = float(np.mean(np.abs(effects) >= abs(effects[0]) * (1 - 1e-9)))
    return _Placebo(found[0][0], gap[0], gap[1:], float(effects[0]), p)


POOLS = ("same exporter", "same importer", "other pairs")  # the last of like size

MOST_DONORS = 39
"""With the flow itself 40: a p-value of 5 % is two flows, so that the nominal size can be met exactly."""

LEAST_USD = 1e8

EARLIER = 3
"""Years by which the pretended event of the placebo in time comes before the real one."""

SHOWN_WEIGHT = 0.01


class Event(NamedTuple):
    """An event by its key in the kept tables, its flow, its first full year, and the years that count as after it."""

    name: str
    exporter: str
    importer: str
    year: int
    after: int


EVENTS = (
    Event("pipeline 2011", "RUS", "CHN", 2011, 3),
    Event("rouble 2015", "RUS", "CHN", 2015, 3),
    Event("rouble 2015", "CHN", "RUS", 2015, 3),
    Event("pipeline 2018", "RUS", "CHN", 2018, 2),
    Event("closures 2020", "RUS", "CHN", 2020, 1),
    Event("closures 2020", "CHN", "RUS", 2020, 1),
)


def policy_study(folder: str | Path, progress: Progress = iter, events: Sequence[Event] = EVENTS) -> Tables:
    """Step: all `events` with all pools.

    ``policy_tests.csv``: one row an event, flow and pool: year, before and after (years),
    donors, fit (root mean square gap before, log), effect (mean gap after, log), placebo_low and placebo_high
    (5 and 95 % of the donors' mean gaps after), p, earlier_effect and earlier_p (the same test of an event
    pretended `EARLIER` years before, on years before the real one). ``policy_gaps.csv``: the gap by year with
    the donors' 5 and 95 %. ``policy_weights.csv``: the donors of 1 % weight and more.
    """
    levels = panels.load(BACI, folder)
    tests, gaps, weights = [], [], []
    for event in progress(events):
        for pool in POOLS:
            flow, donors = _find_donors(levels, event, pool)
            found = _test(levels, flow, donors, event.year, event.after)
            key = {"event": event.name, "exporter": event.exporter, "importer": event.importer, "pool": pool}
            tests.append({**key, **_summary(levels, flow, donors, event, found)})
            low, high = np.quantile(found.placebo_gaps, [0.05, 0.95], axis=0)
            band = {"gap": found.gaps, "placebo_low": low, "placebo_high": high}
            gaps.append(pd.DataFrame({"year": levels.years[: len(low)], **band}).assign(**key))
            names = levels.keys.loc[donors, ["reporter", "partner"]].agg("–".join, axis=1)
            table = pd.DataFrame({"donor": names.to_numpy(), "weight": found.weights}).assign(**key)
            table = table.sort_values("weight", ascending=False, kind="stable")
            weights.append(table[table["weight"] >= SHOWN_WEIGHT])
    order = ["event", "exporter", "importer", "pool"]
    tables = (pd.DataFrame(tests), *(first_columns(pd.concat(part), *order) for part in (gaps, weights)))
    return dict(zip(("policy_tests.csv", "policy_gaps.csv", "policy_weights.csv"), tables, strict=True))


def _find_donors(levels: Levels, event: Event, pool: str) -> tuple[int, NDArray[np.intp]]:
    """Row of the event's flow and rows of its donors: complete series, by years before it the largest or most alike."""
    keys = levels.keys
    exporter, importer = keys["reporter"].to_numpy(), keys["partner"].to_numpy()
    flow = int(np.flatnonzero((exporter == event.exporter) & (importer == event.importer))[0])
    before = levels.years < event.year
    size = levels.log[:, before].mean(axis=1)  # NaN where a year is missing
    usable = ~np.isnan(levels.log).any(axis=1) & (size >= np.log(LEAST_USD))
    pair = {event.exporter, event.importer}
    in_pool = {
        "same exporter": (exporter == event.exporter) & (importer != event.importer),
        "same importer": (importer == event.importer) & (exporter != event.exporter),
        "other pairs": ~np.isin(exporter, list(pair)) & ~np.isin(importer, list(pair)),
    }[pool]
    rows = np.flatnonzero(usable & in_pool)
    distance = np.abs(size[rows] - size[flow]) if pool == "other pairs" else -size[rows]
    return flow, rows[np.argsort(distance, kind="stable")[:MOST_DONORS]]


def _test(levels: Levels, flow: int, donors: NDArray[np.intp], year: int, after: int) -> _Placebo:
    before = int((levels.years < year).sum())
    end = before + after
    return _placebo_test(levels.log[flow, :end], levels.log[donors, :end], before)


def _summary(levels: Levels, flow: int, donors: NDArray[np.intp], event: Event, found: _Placebo) -> dict:
    before = int((levels.years < event.year).sum())
    earlier = _test(levels, flow, donors, event.year - EARLIER, EARLIER)
    low, high = np.quantile(found.placebo_gaps[:, before:].mean(axis=1), [0.05, 0.95])
    fit = float(np.sqrt(np.mean(found.gaps[:before] ** 2)))
    row = {"year": event.year, "before": before, "after": event.after, "donors": len(donors), "fit": fit}
    row |= {"effect": found.effect, "placebo_low": float(low), "placebo_high": float(high), "p": found.p}
    return row | {"earlier_effect": earlier.effect, "earlier_p": earlier.p}


BEFORE = (4, 6, 10)
AFTER = 3

CLASSES = (2, 3, 4, 5)
"""Size classes of `lib.reference`: 10–100 mn, 100–500 mn, 0.5–2 bn, 2–10 bn US dollars a year."""

PER_YEAR = 12
BOOM_YEARS = 2
BOOM_SHARE = 0.1
"""A boom: growth over the last two years before the event among the top tenth of the size class."""

LEVEL = 0.05
DRAWS = 1000


def placebo_study(folder: str | Path, progress: Progress = iter) -> Tables:
    """Step: how often a control finds an effect where nothing happened.

    ``placebo_rates.csv``: size_class, before (years), chosen ("any" or "boom"), n (tests), rejected (share at the
    5 % level), rejected_low, rejected_high (5 and 95 %, whole event years resampled), rejected_up (share rejected
    with a positive gap), mean_gap (log, mean of the years after), gap_low, gap_high (5 and 95 % of these).
    """
    levels = panels.load(BACI, folder)
    jobs = [
        (size, before, year)
        for before in BEFORE
        for size in CLASSES
        for year in range(int(levels.years[0]) + before, int(levels.years[-1]) - AFTER + 2)
    ]
    found = pd.concat([_one_year(levels, *job) for job in progress(jobs)], ignore_index=True)
    keys = ["size_class", "before", "chosen"]
    rows = [{**dict(zip(keys, key, strict=True)), **_rates(part)} for key, part in found.groupby(keys)]
    return {"placebo_rates.csv": pd.DataFrame(rows)}


def _one_year(levels: Levels, size: int, before: int, year: int) -> pd.DataFrame:
    """Placebo tests of an event pretended before a year: of flows of a size class, any or such as had just boomed.

    Frame: size_class, before (years), year, chosen, p, gap (mean of the years after, log).
    """
    place = int(np.searchsorted(levels.years, year))
    window = levels.log[:, place - before : place + AFTER]
    classes = reference.size_class(np.exp(window[:, before - 1]))
    rows = np.flatnonzero(~np.isnan(window).any(axis=1) & (classes == size))
    rng = np.random.default_rng((size, before, year))
    growth = window[rows, before - 1] - window[rows, before - 1 - BOOM_YEARS]
    booms = rows[growth >= np.quantile(growth, 1 - BOOM_SHARE)]
    parts = []
    for chosen, among in (("any", rows), ("boom", booms)):
        treated = rng.choice(among, min(PER_YEAR, len(among)), replace=False)
        for flow in treated:
            donors = rng.choice(rows[rows != flow], MOST_DONORS, replace=False)
            found = _placebo_test(window[flow], window[donors], before)
            parts.append({"p": found.p, "gap": found.effect, "chosen": chosen})
    found = pd.DataFrame(parts, columns=["p", "gap", "chosen"])
    return found.assign(size_class=size, before=before, year=year)


def _rates(tests: pd.DataFrame) -> dict[str, float]:
    """Share rejected with an interval from whole event years, and the distribution of the gap."""
    hit = tests["p"] <= LEVEL + 1e-9
    by_year = tests.assign(hit=hit).groupby("year")["hit"].agg(["sum", "count"])
    low, high = bounds(by_year["sum"].to_numpy(), by_year["count"].to_numpy(), DRAWS)
    gap_low, gap_high = np.quantile(tests["gap"], [0.05, 0.95])
    rates = {"n": len(tests), "rejected": float(by_year["sum"].sum() / by_year["count"].sum())}
    rates |= {"rejected_low": float(low), "rejected_high": float(high)}
    rates |= {"rejected_up": float((hit & (tests["gap"] > 0)).mean()), "mean_gap": float(tests["gap"].mean())}
    return rates | {"gap_low": float(gap_low), "gap_high": float(gap_high)}


def _price_and_volume(value: pd.Series, price: pd.Series) -> pd.DataFrame:
    """Change of a value on the year before (change), in a part due to its price and one due to its quantity (volume).

    The indicators of Bennet (1920): the change of the price at the mean of the two quantities, and of the quantity at
    the mean of the two prices. They treat both years alike and add up exactly; years next to a gap are left out.
    """
    known = pd.DataFrame({"value": value, "price": price}).dropna()
    known["quantity"] = known["value"] / known["price"]
    before = known.set_axis(known.index + 1).reindex(known.index)
    change, mean = known - before, (known + before) / 2
    parts = {"price": mean["quantity"] * change["price"], "volume": mean["price"] * change["quantity"]}
    return pd.DataFrame({"change": change["value"], **parts}).dropna()


def _fuel_contributions(fuel: pd.Series, total: pd.Series, oil_price: pd.Series) -> pd.DataFrame:
    """Growth of a total in contributions that add up: fuel_price, fuel_volume and other, with fuel_share of that year."""
    fuels = _price_and_volume(fuel, oil_price)
    before = total.set_axis(total.index + 1).reindex(fuels.index)
    growth = total.reindex(fuels.index) / before - 1
    return pd.DataFrame(
        {
            "growth": growth,
            "fuel_price": fuels["price"] / before,
            "fuel_volume": fuels["volume"] / before,
            "other": growth - fuels["change"] / before,
            "fuel_share": (fuel / total).reindex(fuels.index),
        }
    ).dropna()


def fuel_study(folder: str | Path, _progress: Progress = iter) -> Tables:
    """Step: contributions of fuel prices, fuel quantities and all else to the growth of trade, by year.

    ``fuel_split.csv``: flow (total, or export and import seen from China), year, growth, fuel_price, fuel_volume,
    other (fractions; the last three add up to growth), fuel_share (of the flow in that year).
    """
    panel = panels.read_panel(Path(folder) / HS2)
    with_china = panel[panel["partner"].astype(str) == "CHN"]
    theirs = with_china["flow"].astype(str)
    oil, parts = fig.covariate("brent_usd_per_bbl"), []
    # Russia's exports are China's imports.
    sides = {"total": theirs != "", "import": theirs == "export", "export": theirs == "import"}
    for flow, of in sides.items():
        rows = with_china[of]
        total = rows.groupby("year")["value_usd"].sum()
        fuel = rows[rows["product"].astype(str) == "HS27"].groupby("year")["value_usd"].sum()
        split = _fuel_contributions(fuel, total, oil.reindex(total.index)).rename_axis("year")
        parts.append(split.reset_index().assign(flow=flow))
    order = ["flow", "year", "growth", "fuel_price", "fuel_volume", "other", "fuel_share"]
    return {"fuel_split.csv": pd.concat(parts, ignore_index=True)[order]}
