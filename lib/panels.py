"""Bilateral trade panels: read strictly, turn into arrays of log levels, never grow across a gap.

A panel is a tidy parquet file with the columns reporter, partner, year, flow and value_usd, one row for
each flow and year. Zero and missing are both absent; whether absence means *no trade* (a complete grid
such as BACI) or *not known* is a fact about the panel, stated in `Panel`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib.errors import UserError

Array = NDArray[np.float64]

KEY = ("reporter", "partner", "flow")
COLUMNS = (*KEY, "year", "value_usd")

SIZES = np.array([0, 1e6, 1e7, 1e8, 5e8, 2e9, 1e10, np.inf])
"""Edges of the size classes in current US dollars a year: growth is the less regular the smaller the flow."""


@dataclass(frozen=True)
class Panel:
    """What has to be known about a panel beside its rows.

    Parameters
    ----------
    name : short name, used in the tables that are kept.
    file : file name in the folder of panels.
    title : panel, publisher and years, for a reader.
    absent_is_zero : whether a flow without a row is known to be no trade.
    missing_years : calendar years that the panel lacks on purpose.
    breaks : years whose growth on the year before mixes two sources.
    """

    name: str
    file: str
    title: str
    absent_is_zero: bool = False
    missing_years: tuple[int, ...] = ()
    breaks: tuple[int, ...] = ()


BACI = Panel(
    "BACI", "baci_pairs_2000_2020.parquet", "CEPII BACI country pairs 2000–2020", absent_is_zero=True
)
OEC = Panel(
    "OEC",
    "oec_pairs_1962_2014.parquet",
    "OEC country pairs 1962–2014",
    missing_years=(1998,),  # in the source 1998 repeats 1997
    breaks=(1984, 2001),  # coverage falls in 1984, the source changes in 2001
)
WDI = Panel("WDI", "wdi_goods_trade_1960_2024.parquet", "World Bank WDI country totals 1960–2024")


class Levels(NamedTuple):
    """A panel as arrays.

    `keys` names the series, `years` is every calendar year from first to last, shape (years,), `log` is the
    log of US dollars, shape (series, years), NaN where there is no value, and `growth` the log growth from
    each year to the next, shape (series, years − 1), NaN wherever one end is missing or the source breaks.
    """

    keys: pd.DataFrame
    years: NDArray[np.int64]
    log: Array
    growth: Array


def read_panel(path: str | Path, missing_years: Collection[int] = ()) -> pd.DataFrame:
    """Read a tidy bilateral panel and refuse it, with the reason and an example, if it is not one.

    Parameters
    ----------
    path : parquet file with reporter, partner, year, flow, value_usd (current US dollars); more columns
        are ignored, except that `product` is part of the key where it exists and `currency` must be USD.
    missing_years : calendar years that may be absent from the whole panel.

    Raises
    ------
    UserError
        For a file that cannot be read, wrong columns, mixed currencies, missing keys, values that are not
        positive and finite, years that are not whole, duplicate keys, or a year without any row.
    """
    name = Path(path).name
    try:
        panel = pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{name}: cannot be read as parquet: there is no {path}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be read as parquet: {error}") from None
    missing = [column for column in COLUMNS if column not in panel]
    if missing:
        found = ", ".join(map(str, panel.columns))
        raise UserError(f"{name}: found columns {found}; expected also {', '.join(missing)}")
    if panel.empty:
        raise UserError(f"{name}: found no rows, expected a panel")
    _check_rows(name, panel)
    _check_years(name, panel["year"], missing_years)
    return panel[[*_key(panel), "year", "value_usd"]]


def _check_rows(name: str, panel: pd.DataFrame) -> None:
    if "currency" in panel and (others := panel["currency"].astype(str) != "USD").any():
        _refuse(name, panel, others, "a currency other than USD", "one panel in US dollars")
    for column in ("year", "value_usd"):
        kind = panel[column].dtype
        if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
            raise UserError(f"{name}: {column}: found {kind}, expected numbers")
    _refuse(name, panel, panel[_key(panel)].isna().any(axis=1), "a missing name", "every row named")
    # As plain floats: a missing value of a nullable column would pass every comparison.
    value, year = (panel[column].to_numpy(dtype=float, na_value=np.nan) for column in ("value_usd", "year"))
    bad = ~(np.isfinite(value) & (value > 0))
    _refuse(name, panel, bad, "a value that is not positive", "positive US dollars (leave absent trade out)")
    calendar = (year >= 1000) & (year <= 3000) & (year == np.floor(year))
    _refuse(name, panel, ~calendar, "a year that is not whole or not of our time", "calendar years")
    twice = panel.duplicated([*_key(panel), "year"], keep=False)
    _refuse(name, panel, twice, "several rows for one flow and year", "one row for each flow and year")


def _refuse(name: str, panel: pd.DataFrame, bad: Any, found: str, expected: str) -> None:
    if not bad.any():
        return
    row = panel[[*_key(panel), "year", "value_usd"]][bad].iloc[0]
    example = ", ".join(f"{column} {value}" for column, value in row.items())
    raise UserError(f"{name}: found {found} in {bad.sum()} rows (first: {example}); expected {expected}")


def _check_years(name: str, year: pd.Series, allowed: Collection[int]) -> None:
    present = set(year.unique().tolist())
    gaps = sorted(set(range(int(min(present)), int(max(present)) + 1)) - present - set(allowed))
    if gaps:
        listed = ", ".join(map(str, gaps))
        raise UserError(
            f"{name}: found no row at all for {listed}; expected every year from {min(present)} to"
            f" {max(present)} (growth is not computed across a gap)"
        )


def _key(panel: pd.DataFrame) -> list[str]:
    return [*KEY, *(["product"] if "product" in panel else [])]


def to_levels(panel: pd.DataFrame, breaks: Collection[int] = ()) -> Levels:
    """Turn a panel into arrays of log levels and log growth.

    Parameters
    ----------
    panel : as `read_panel` gives it.
    breaks : years whose growth on the year before is left out.
    """
    key = _key(panel)
    rows = panel.assign(**{column: panel[column].astype(str) for column in key})
    wide = rows.pivot(index=key, columns="year", values="value_usd")
    years = np.arange(int(wide.columns.min()), int(wide.columns.max()) + 1)
    log = np.log(wide.reindex(columns=years).to_numpy(dtype=float))
    growth = np.diff(log, axis=1)
    growth[:, np.isin(years[1:], list(breaks))] = np.nan
    return Levels(wide.index.to_frame(index=False), years, log, growth)


def load(panel: Panel, folder: str | Path) -> Levels:
    """Read one of the panels named above from a folder and turn it into arrays."""
    rows = read_panel(Path(folder) / panel.file, panel.missing_years)
    return to_levels(rows, panel.breaks)


def size_class(value_usd: Any) -> Any:
    """Index of the size class of a value in US dollars a year; −1 where the value is missing."""
    value = np.asarray(value_usd, dtype=float)
    found = np.searchsorted(SIZES[1:-1], np.nan_to_num(value), side="right")
    return np.where(np.isnan(value), -1, found)


def size_label(index: int) -> str:
    """Name of a size class, such as ``100 mn – 500 mn USD``."""
    low, high = SIZES[index], SIZES[index + 1]
    if low == 0:
        return f"below {_money(high)} USD"
    return f"{_money(low)} USD and more" if np.isinf(high) else f"{_money(low)} – {_money(high)} USD"


def _money(usd: float) -> str:
    return f"{usd / 1e9:g} bn" if usd >= 1e9 else f"{usd / 1e6:g} mn"
