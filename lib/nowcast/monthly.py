"""Monthly trade panels: read strictly, turned into arrays of years and months in which holes stay holes."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib.errors import UserError
from lib.panels import KEY, Array, Levels

COLUMNS = (*KEY, "year", "month", "value_usd")


@dataclass(frozen=True)
class MonthlyPanel:
    """A monthly panel: the short name of the tables that are kept, its file, and its title for a reader."""

    name: str
    file: str
    title: str


UK = MonthlyPanel("UK", "uk_ons_monthly_1997_2026.parquet", "ONS UK trade by country, seasonally adjusted")
IMF = MonthlyPanel(
    "IMF", "imf_dots_15countries_monthly_2011_2020.parquet", "IMF DOTS, fifteen countries, unadjusted"
)


class Months(NamedTuple):
    """Monthly panels as arrays.

    `keys` names the series (reporter, partner, flow, panel), `years` is every calendar year, shape (years,), and
    `value` US dollars, shape (series, years, 12), NaN where a month has no row.
    """

    keys: pd.DataFrame
    years: NDArray[np.int64]
    value: Array

    def total(self) -> Array:
        """US dollars a year, shape (series, years); NaN unless all twelve months are there."""
        return self.value.sum(axis=2)

    def log_ratio(self) -> Array:
        """Log of the year's total over the year so far, shape (series, years, 11): month 1 to 11 on the last axis."""
        so_far = np.cumsum(self.value, axis=2)
        return np.log(so_far[:, :, 11:] / so_far[:, :, :11])

    def levels(self) -> Levels:
        """The years' totals in the form of a yearly panel."""
        log = np.log(self.total())
        return Levels(self.keys, self.years, log, np.diff(log, axis=1))


def read_monthly(path: str | Path) -> pd.DataFrame:
    """Read a tidy monthly panel and refuse it, with the reason and an example, if it is not one.

    Parameters
    ----------
    path : parquet file with reporter, partner, flow, year, month (1 to 12), value_usd (positive, current US
        dollars; zero and missing are both absent); more columns are ignored.
    """
    name = Path(path).name
    try:
        panel = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be read as parquet: {error}") from None
    if missing := [column for column in COLUMNS if column not in panel]:
        raise UserError(
            f"{name}: found columns {', '.join(map(str, panel.columns))}; expected also {', '.join(missing)}"
        )
    panel = panel[list(COLUMNS)]
    _refuse(name, panel, panel.isna().any(axis=1), "a missing entry", "every row complete")
    panel = panel.astype(dict.fromkeys(KEY, str))
    value = panel["value_usd"].to_numpy(dtype=float, na_value=np.nan)
    _refuse(
        name,
        panel,
        ~(np.isfinite(value) & (value > 0)),
        "a value that is not positive",
        "positive US dollars",
    )
    _refuse(name, panel, ~panel["month"].isin(range(1, 13)), "a month that is none", "1 to 12")
    twice = panel.duplicated([*KEY, "year", "month"], keep=False)
    _refuse(name, panel, twice, "several rows for one flow and month", "one row each")
    return panel


def _refuse(
    name: str, panel: pd.DataFrame, bad: pd.Series | NDArray[np.bool_], found: str, expected: str
) -> None:
    if bad.any():
        example = ", ".join(f"{column} {value}" for column, value in panel[bad].iloc[0].items())
        raise UserError(f"{name}: found {found} in {bad.sum()} rows (first: {example}); expected {expected}")


def to_months(panels: dict[str, pd.DataFrame]) -> Months:
    """Panels by name, stacked into arrays over the whole span of their years."""
    first = min(int(panel["year"].min()) for panel in panels.values())
    last = max(int(panel["year"].max()) for panel in panels.values())
    years = np.arange(first, last + 1)
    keys, values = [], []
    for name, panel in panels.items():
        key, where = _numbered(panel)
        value = np.full((len(key), len(years), 12), np.nan)
        value[where, panel["year"].to_numpy(dtype=int) - first, panel["month"].to_numpy(dtype=int) - 1] = (
            panel["value_usd"]
        )
        keys.append(key.assign(panel=name))
        values.append(value)
    return Months(pd.concat(keys, ignore_index=True), years, np.concatenate(values))


def _numbered(panel: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """The series of a panel, and the number of the series of each row."""
    where = panel.groupby(list(KEY), sort=True).ngroup().to_numpy()
    _, first = np.unique(where, return_index=True)
    return panel[list(KEY)].iloc[first].reset_index(drop=True), where


def load(folder: str | Path) -> Months:
    """Read both monthly panels from a folder."""
    return to_months({panel.name: read_monthly(Path(folder) / panel.file) for panel in (UK, IMF)})
