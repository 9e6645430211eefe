"""Panels of bilateral trade, yearly and monthly: read strictly, turned into arrays of log levels; no growth across a gap.

A panel is a tidy parquet file with the columns reporter, partner, year (and month), flow and value_usd, one row for
each flow and time. Zero and missing are both absent; whether absence means *no trade* (a complete grid such as BACI)
or *not known* is a fact about the panel, stated in `Panel`.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib.errors import UserError
from lib.reference import Array
from lib.research.files import drafted, write_atomically

Progress = Callable[[Iterable], Iterable]
"""Wraps what a step goes through, for a progress bar."""

Tables = dict[str, pd.DataFrame]
"""What a step computes, by the name of the file below ``data/reference``."""

KEY = ("reporter", "partner", "flow")

COLUMNS = (*KEY, "year", "value_usd")


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
    """Read a tidy panel of current US dollars and refuse it, with the reason and an example, if it is not one.

    More columns are ignored, except that `product` is part of the key where it exists and `currency` must be USD; no
    year but `missing_years` may be absent from the whole panel.
    """
    name = Path(path).name
    panel = _read(path, COLUMNS)
    if panel.empty:
        raise UserError(f"{name}: found no rows, expected a panel")
    _check_rows(name, panel)
    first, last = int(panel["year"].min()), int(panel["year"].max())
    if gaps := sorted(set(range(first, last + 1)) - {*panel["year"].unique(), *missing_years}):
        raise UserError(
            f"{name}: found no row at all for {', '.join(map(str, gaps))}; expected every year from {first} to {last}"
            " (growth is not computed across a gap)"
        )
    return panel[[*_key(panel), "year", "value_usd"]]


def _read(path: str | Path, columns: Collection[str]) -> pd.DataFrame:
    """A parquet file that has these columns; opened by Python, so that the notes of a step know of it."""
    name = Path(path).name
    try:
        with Path(path).open("rb") as file:
            panel = pd.read_parquet(file, page_checksum_verification=True)
    except (FileNotFoundError, NotADirectoryError):
        where = f"{name}: not found in {Path(path).parent}"
        raise UserError(f"{where}; expected the panel there (data/reference/README.md)") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be read as parquet: {error}") from None
    if missing := [column for column in columns if column not in panel]:
        found = ", ".join(map(str, panel.columns))
        raise UserError(f"{name}: found columns {found}; expected also {', '.join(missing)}")
    return panel


def _check_rows(name: str, panel: pd.DataFrame, when: str = "year") -> None:
    """Refuse names, values and times that are none, and several rows for one flow and `when`: year or month."""
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
    times = ["year"] if when == "year" else ["year", "month"]
    twice = panel.duplicated([*_key(panel), *times], keep=False)
    _refuse(name, panel, twice, f"several rows for one flow and {when}", f"one row for each flow and {when}")


def _refuse(name: str, panel: pd.DataFrame, bad: Any, found: str, expected: str) -> None:
    if not bad.any():
        return
    columns = [c for c in (*_key(panel), "year", "month", "value_usd") if c in panel]
    row = panel[columns][bad].iloc[0]
    example = ", ".join(f"{column} {value}" for column, value in row.items())
    raise UserError(f"{name}: found {found} in {bad.sum()} rows (first: {example}); expected {expected}")


def _key(panel: pd.DataFrame) -> list[str]:
    return [*KEY, *(["product"] if "product" in panel else [])]


def to_levels(panel: pd.DataFrame, breaks: Collection[int] = ()) -> Levels:
    """A panel as arrays of log levels and log growth; `breaks` are years whose growth on the year before is left out."""
    key = _key(panel)
    rows = panel.assign(**{column: panel[column].astype(str) for column in key})
    wide = rows.pivot(index=key, columns="year", values="value_usd")
    years = np.arange(int(wide.columns.min()), int(wide.columns.max()) + 1)
    log = np.log(wide.reindex(columns=years).to_numpy(dtype=float))
    growth = np.diff(log, axis=1)
    growth[:, np.isin(years[1:], list(breaks))] = np.nan
    return Levels(wide.index.to_frame(index=False), years, log, growth)


class Panel(NamedTuple):
    """What has to be known about a panel beside its rows."""

    name: str  # in the tables that are kept
    file: str
    absent_is_zero: bool = False  # whether a flow without a row is known to be no trade
    missing_years: tuple[int, ...] = ()  # that the panel lacks on purpose
    breaks: tuple[int, ...] = ()  # years whose growth on the year before mixes two sources


BACI = Panel("BACI", "baci_pairs_2000_2020.parquet", absent_is_zero=True)

OEC = Panel(
    "OEC",
    "oec_pairs_1962_2014.parquet",
    missing_years=(1998,),  # in the source 1998 repeats 1997
    breaks=(1984, 2001),  # coverage falls in 1984, the source changes in 2001
)

WDI = Panel("WDI", "wdi_goods_trade_1960_2024.parquet")


def load(panel: Panel, folder: str | Path) -> Levels:
    """Read one of the yearly panels from a folder and turn it into arrays."""
    return to_levels(read_panel(Path(folder) / panel.file, panel.missing_years), panel.breaks)


HS2 = "russia_partner_hs2_2000_2020.parquet"


MONTHLY = {
    "UK": "uk_ons_monthly_1997_2026.parquet",  # ONS: UK trade by country, seasonally adjusted
    "IMF": "imf_dots_15countries_monthly_2011_2020.parquet",  # IMF DOTS, unadjusted
}


class Months(NamedTuple):
    """Monthly panels as arrays.

    `keys` names the series (reporter, partner, flow, panel), `years` is every calendar year, shape (years,), and
    `value` US dollars, shape (series, years, 12), NaN where a month has no row.
    """

    keys: pd.DataFrame
    years: NDArray[np.int64]
    value: Array

    def log_ratio(self) -> Array:
        """Log of the year's total over the year so far, shape (series, years, 11): month 1 to 11 on the last axis."""
        so_far = np.cumsum(self.value, axis=2)
        return np.log(so_far[:, :, 11:] / so_far[:, :, :11])

    def levels(self) -> Levels:
        """The years' totals in the form of a yearly panel; NaN unless all twelve months are there."""
        log = np.log(self.value.sum(axis=2))
        return Levels(self.keys, self.years, log, np.diff(log, axis=1))


def _read_monthly(path: str | Path) -> pd.DataFrame:
    """Read a tidy monthly panel and refuse it, with the reason and an example, if it is not one."""
    name, columns = Path(path).name, [*KEY, "year", "month", "value_usd"]
    panel = _read(path, columns)[columns]
    _check_rows(name, panel, "month")
    _refuse(name, panel, ~panel["month"].isin(range(1, 13)), "a month that is none", "1 to 12")
    return panel.astype(dict.fromkeys(KEY, str))


def _to_months(panels: dict[str, pd.DataFrame]) -> Months:
    """Panels by name, stacked into arrays over the whole span of their years."""
    rows = pd.concat([panel.assign(panel=name) for name, panel in panels.items()], ignore_index=True)
    series = rows.groupby(["panel", *KEY], sort=False)
    years = np.arange(rows["year"].min(), rows["year"].max() + 1)
    value = np.full((series.ngroups, len(years), 12), np.nan)
    year, month = (rows[name].to_numpy(dtype=int) for name in ("year", "month"))
    value[series.ngroup(), year - years[0], month - 1] = rows["value_usd"]
    keys = series.head(1)[[*KEY, "panel"]].reset_index(drop=True)
    return Months(keys, years, value)


def load_monthly(folder: str | Path) -> Months:
    """Read both monthly panels from a folder."""
    return _to_months({name: _read_monthly(Path(folder) / file) for name, file in MONTHLY.items()})


MEASURES = ("rows", "series", "years", "usd_bn")

KNOWN: dict[str, tuple[int, int, tuple[int, int], float]] = {
    BACI.file: (581_494, 38_146, (2000, 2020), 277_008.2),
    OEC.file: (820_435, 42_147, (1962, 2014), 230_207.9),
    WDI.file: (15_310, 398, (1960, 2024), 841_231.2),
    HS2: (173_966, 11_074, (2000, 2020), 9_600.6),
    MONTHLY["UK"]: (109_131, 455, (1997, 2026), 29_237.5),
    MONTHLY["IMF"]: (50_376, 420, (2011, 2020), 117_464.0),
}
"""By file what the panels held from which data/reference was computed: `MEASURES`, of years the first and the last."""


def check(folder: str | Path) -> list[str]:
    """What differs between the panels in a folder and those of `KNOWN`, a line each; a folder that is right gives none."""
    faults = []
    for file, known in KNOWN.items():
        try:
            gaps, path = OEC.missing_years if file == OEC.file else (), Path(folder) / file
            panel = _read_monthly(path) if file in MONTHLY.values() else read_panel(path, gaps)
        except UserError as error:
            faults.append(str(error))
            continue
        years = int(panel["year"].min()), int(panel["year"].max())
        total = round(float(panel["value_usd"].sum()) / 1e9, 1)
        found = (len(panel), len(panel[_key(panel)].drop_duplicates()), years, total)
        pairs = zip(MEASURES, found, known, strict=True)
        faults += [f"{file}: {what}: found {a}, expected {b}" for what, a, b in pairs if a != b]
    return faults


def save(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV with four significant digits, or a parquet: the same numbers give the same file."""
    if path.suffix == ".csv":
        # Blank where there is no limit, true and false in small letters: what `lib.tables` reads.
        flags = {n: table[n].map({True: "true", False: "false"}) for n in table.select_dtypes("bool")}
        plain = table.assign(**flags).replace([np.inf, -np.inf], np.nan)
        write_atomically(path, plain.to_csv(index=False, float_format=_four_digits, lineterminator="\n"))
        return
    with drafted(path) as draft:
        table.to_parquet(draft, compression="zstd", index=False, write_page_checksum=True)


def bounds(sums: NDArray[Any], counts: NDArray[Any], draws: int) -> tuple[Array, Array]:
    """5 % and 95 % bounds of Σ sums / Σ counts when whole groups (rows), which share a shock, are drawn with replacement."""
    drawn = np.random.default_rng(0).integers(0, len(counts), (draws, len(counts)))
    shares = sums[drawn].sum(axis=1).T / counts[drawn].sum(axis=1).T
    low, high = np.quantile(shares, [0.05, 0.95], axis=-1)
    return low, high


def first_columns(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The table with some columns before the others."""
    return table[[*names, *(name for name in table if name not in names)]]


def _four_digits(value: float) -> str:
    return np.format_float_positional(float(f"{value:.4g}") + 0.0, trim="-")  # + 0.0: no "-0"
