"""The reference class: what the growth of flows of this size was, known at an origin.

Six numbers for each size class and origin make a `Prior`: pooled drift and its standard error, spread
of the drift between flows, typical variance and its degrees of freedom, autocorrelation. All are estimated
from years up to the origin only. They are kept in ``data/reference/priors.csv``, so that `prior_for` works
without the panels. The kept scores of earlier forecasts say how its intervals fared.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lib.errors import UserError
from lib.package import data_dir
from lib.tables import read_once
from lib.words import money, years

DRIFT_SD_FLOOR = 0.02
"""Small flows show no lasting difference in drift; the floor keeps their own record from being ignored."""
LASTING = 0.25
"""Share of the variance of drifts within an era that lasts into the next: growth of two decades correlates by
0.1 to 0.3 (Easterly, Kremer, Pritchett & Summers 1993). Checked on OEC 1967–1995 and BACI 2005–2019."""
ALL_SIZES = -1
FIRST_BACI_ORIGIN = 2004  # four growth rates
Array = NDArray[np.float64]
SIZES = np.array([0, 1e6, 1e7, 1e8, 5e8, 2e9, 1e10, np.inf])
"""Edges of the size classes in current US dollars a year: growth is the less regular the smaller the flow."""


@dataclass(frozen=True)
class Prior:
    """What flows like this one say about its log growth before its own record is read.

    Parameters
    ----------
    drift : mean log growth a year over flows.
    drift_sd : standard deviation of the drift between flows.
    variance : typical variance of yearly log growth within a flow.
    df : how many observations of a variance that typical variance is worth.
    source : where the numbers come from.
    autocorrelation : of yearly log growth within a flow: what it gives back of a jump (−0.5 to 0.5; 0: none).
    last_year : the last year that it was estimated from, where that is a year.
    drift_error : standard error of `drift`, which all flows share; log growth a year.
    """

    drift: float
    drift_sd: float
    variance: float
    df: float
    source: str
    autocorrelation: float = 0.0
    last_year: int | None = None
    drift_error: float = 0.0


PANELS = {
    "BACI": "CEPII BACI country pairs 2000–2020",
    "OEC": "OEC country pairs 1962–2014",
    "WDI": "World Bank WDI country totals 1960–2024",
}
"""Panel, publisher and years for a reader, by the name that the kept tables have."""


def size_class(value_usd: Any) -> Any:
    """Index of the size class of a value in US dollars a year; −1 where the value is missing."""
    value = np.asarray(value_usd, dtype=float)
    found = np.searchsorted(SIZES[1:-1], np.nan_to_num(value), side="right")
    return np.where(np.isnan(value), -1, found)


def size_label(index: int) -> str:
    """Name of a size class, such as "US$100 million to US$500 million"."""
    low, high = (money(edge / 1e6, "USD") if np.isfinite(edge) else "" for edge in SIZES[index : index + 2])
    if not SIZES[index]:
        return f"below {high}"
    return f"{low} to {high}" if high else f"{low} and more"


def nearest_class(table: pd.DataFrame, index: int) -> pd.Series:
    """The row of a size class, or of the nearest class there is."""
    return table.loc[(table["size_class"] - index).abs().idxmin()]


def reference_folder() -> Path:
    """Where the compact results are kept: ``reference`` in the data folder."""
    return data_dir() / "reference"


def read_kept(name: str) -> pd.DataFrame:
    """Read a kept table (CSV) of the reference class once; do not alter what is returned."""
    path = reference_folder() / name
    if not path.exists():
        raise UserError(f"{name}: not found in {path.parent.name}/; expected it to be built from the panels")
    return read_once(path, pd.read_csv)


def prior_for(size_usd: float, origin: int, world: bool = False, table: pd.DataFrame | None = None) -> Prior:
    """Prior for a flow of a given size, from what was known at the origin.

    Parameters
    ----------
    size_usd : latest level of the flow, current US dollars a year.
    origin : last year known.
    world : whether the flow is a country's trade with all partners (class of country totals).
    table : rows as in ``priors.csv``; by default those kept in the data folder.

    Returns
    -------
    Prior; its `source` says panel, years and size class, and whether an earlier origin had to be used.

    Raises
    ------
    UserError
        For a size that is not positive or an origin before all panels.
    """
    if not size_usd > 0 or np.isinf(size_usd):
        raise UserError(f"size_usd: found {size_usd}, expected a positive number of US dollars")
    index = int(size_class(size_usd))
    return _prior(read_kept if table is None else lambda name: table, index, origin, world)


@lru_cache(maxsize=512)
def _prior(read: Callable[[str], Any], index: int, origin: int, world: bool) -> Prior:
    """The prior of a size class from the table that `read` gives."""
    name, classes = _classes(read, "WDI" if world else "OEC" if origin < FIRST_BACI_ORIGIN else "BACI")
    first, last = min(classes), max(classes)
    if origin < first:
        raise UserError(f"origin: found {origin}, expected {first} or later: no panel reaches back further")
    used = min(origin, last)
    late = f" (the last year of the panel, before {origin})" if origin > last else ""
    source = f"{PANELS.get(name, name)}, years to {used}{late}"
    return replace(pick_class(classes[used], index, source), last_year=used)


@lru_cache(maxsize=8)
def _classes(read: Callable[[str], Any], name: str) -> tuple[str, dict[int, pd.DataFrame]]:
    """The panel of that name, or a user's own where that is all there is, and its classes by origin."""
    table = read("priors.csv")
    if name not in set(table["panel"]):
        name = str(table["panel"].iloc[0])
    return name, {int(origin): rows for origin, rows in table[table["panel"] == name].groupby("origin")}


def last_released(day: date, world: bool = False) -> int:
    """Last year of the panels that was out on a day: what was known then includes a panel only from its release.

    BACI of a year appears early in the second year after it, the World Bank's totals in the summer of the next.
    """
    return day.year - (1 if day.month >= 7 else 2) if world else day.year - (2 if day.month >= 3 else 3)


OLD = 3
"""Years before the origin of a forecast beyond which its reference class is old: panels appear within two."""


def age_warning(prior: Prior, origin: int) -> str:
    """A sentence for the reader where the reference class ends more than `OLD` years before the origin; or nothing."""
    if prior.last_year is None or (age := origin - prior.last_year) <= OLD:
        return ""
    ends = f"The reference class ends in {prior.last_year}, {age} years before the last figure used"
    return f"{ends}: how flows of this size have grown since then is not in the probabilities."


def pick_class(table: pd.DataFrame, index: int, source: str = "") -> Prior:
    """Prior from the row of a size class in what `estimate` returned, or of the nearest class there is."""
    rows = table[(table["size_class"] == ALL_SIZES) == (index == ALL_SIZES)]
    row = nearest_class(rows if len(rows) else table, index)
    who = "all sizes" if row["size_class"] == ALL_SIZES else size_label(int(row["size_class"]))
    names = ("drift", "variance", "df", "autocorrelation", "drift_error")
    drift, variance, df, turn, error = (float(row[name]) for name in names)
    spread = max(DRIFT_SD_FLOOR, float(np.sqrt(LASTING) * row["drift_sd"]))
    what = f"{source}: {row['series']:,.0f} flows of {who}"
    return Prior(drift, spread, variance, df, what, turn, drift_error=error)


USED = "law"
"""The forecast used here, as the kept scores name it."""


def read_scores(name: str) -> pd.DataFrame:
    """Read one table of ``data/reference/scores`` once; do not alter what is returned."""
    return read_once(reference_folder() / "scores" / f"{name}.parquet", _read_parquet)


def _read_parquet(path: Path) -> pd.DataFrame:
    """Without threads: a kernel may be forked from a process that has read the table."""
    from pyarrow.parquet import ParquetFile  # takes a tenth of a second, and few need it

    with ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        return file.read(use_threads=False).to_pandas(use_threads=False)


COVERS = ["cover50", "cover80", "cover95"]


def _coverage(horizon: int, size_usd: float | None = None) -> pd.Series:
    """Share of outcomes inside the 50, 80 and 95 % intervals of the law so many years ahead, fractions, over all origins.

    Parameters
    ----------
    horizon : years; beyond the longest that was scored, that of the longest.
    size_usd : of the flow, current US dollars a year: of flows of its size class; all from 10 million by default.

    Returns
    -------
    Series: cover50, cover80, cover95, n (forecasts), first and last (origins), flows (of whom it is told).
    """
    rows, flows = read_scores("trade_intervals"), "trade flows of 10 million USD a year and more"
    horizon = min(horizon, rows["horizon"].max())
    origins = rows["origin"][rows["horizon"] == horizon]
    if size_usd is not None:
        index, rows = int(size_class(size_usd)), read_scores("trade_intervals_by_size")
        rows, flows = rows[rows["size_class"] == index], f"trade flows of {size_label(index)} a year"
    rows = rows[(rows["model"] == USED) & (rows["horizon"] == horizon)]
    shares = np.average(rows[COVERS], axis=0, weights=rows["n"])
    names = [*COVERS, "n", "first", "last", "flows"]
    return pd.Series([*shares, rows["n"].sum(), origins.min(), origins.max(), flows], index=names)


def held(horizon: int, size_usd: float | None = None) -> str:
    """What each interval held of what came so many years later, of which flows and forecasts; arguments of `_coverage`."""
    found = _coverage(horizon, size_usd)
    shares = [f"the {name[5:]} % interval {found[name] * 100:.0f} %" for name in COVERS]
    told = ", ".join(shares).replace("interval", "interval held", 1)
    return f"{told} ({found['flows']}, forecasts of {found['first']:.0f}–{found['last']:.0f})"


def coverage_line(horizon: int, size_usd: float | None = None) -> str:
    """The sentence that stands under a fan of a forecast: what intervals like its own have held."""
    return f"Measured: of what came {years(horizon)} later, {held(horizon, size_usd)}."


# --- base rates: what share of flows of a size grew so fast, by the panels that were known ---

PROBABILITIES = (0.02, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
HORIZONS = (1, 2, 3, 5, 10)
"""Probabilities and years of the kept distributions of growth."""
HORIZON = HORIZONS[-1]


def base_rate(size_usd: float, origin: int, horizon: int, rate: ArrayLike) -> Any:
    """Share of flows of this size that grew by `rate` a year (a fraction) or more on average, as known at the origin.

    Of origins that are kept the latest not after this one is used, of BACI from 2002, else of OEC; `size_usd` are current US
    dollars a year at the start, horizons 1 to 10 years, between kept ones of growth a year, linearly.
    """
    if not 1 <= horizon <= HORIZON:
        raise UserError(f"horizon: found {horizon}, expected 1 to {HORIZON} years")
    table = read_kept("growth_distributions.csv")
    for name in ("BACI", "OEC"):
        rows = table[(table["panel"] == name) & (table["origin"] <= origin)]
        rows = rows[rows["origin"] == rows["origin"].max()]
        if len(rows) and rows["horizon"].max() >= horizon:
            away = (rows["size_class"] - int(size_class(size_usd))).abs()
            rows = rows[rows["size_class"] == rows["size_class"].iloc[away.argmin()]].sort_values("horizon")
            quantiles = rows[[str(p) for p in PROBABILITIES]].to_numpy() / rows["horizon"].to_numpy()[:, None]
            at = [np.interp(horizon, rows["horizon"], column) for column in quantiles.T]
            ends = PROBABILITIES[0] / 2, (1 + PROBABILITIES[-1]) / 2
            return 1 - np.interp(np.log1p(np.asarray(rate)), at, PROBABILITIES, *ends)
    raise UserError(f"base rate: no panel is long enough for {horizon} years known at {origin}")


def known_share(size_usd: float, day: date, horizon: int, rate: ArrayLike) -> Any:
    """`base_rate` as the panels that were out on a day had it; beyond the longest kept horizon that of the longest."""
    return base_rate(size_usd, last_released(day), min(horizon, HORIZON), rate)
