"""`data/covariates.csv` from its publishers: what they say now beside what is kept, and the file with it.

A row that is kept stays unless its publisher now says another value; a year that the publisher lacks stays as it is.
Only years that are over count.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lib.analysis.asking import ecb_rates
from lib.economies import check_currency, find_economy
from lib.errors import UserError
from lib.figures import load_covariates
from lib.package import describe
from lib.research.files import editing, write_tables
from lib.series import PER_USD, exchange_rates
from lib.tools import curation
from lib.tools.sources import rates
from lib.tools.sources.client import Client
from lib.tools.sources.publishers import publisher
from lib.tools.sources.snapshots import Snapshot, Store
from lib.tools.sources.worldbank import annual_indicator

SAME = 5e-5
"""Relative difference below which two values are one: the file holds five digits or more."""

Found = tuple[pd.Series, Snapshot]


@dataclass(frozen=True)
class Recipe:
    """Where a covariate comes from: source, its name there, the country, the unit, and how annual values are made."""

    source: str
    series: str
    unit: str
    make: Callable[..., Found]
    place: str = ""


def _level(recipe: Recipe, years: range, client: Client, store: Store, **asking: Any) -> Found:
    return annual_indicator(recipe.series, recipe.place, years, client, store, **asking)


def _growth(recipe: Recipe, years: range, client: Client, store: Store, **asking: Any) -> Found:
    """Growth in per cent, from levels in constant prices."""
    levels, snapshot = _level(recipe, years, client, store, **asking)
    before = levels.rename(lambda year: year + 1).reindex(levels.index)
    return (100 * (levels / before - 1)).dropna().round(4), snapshot


def _daily_mean(recipe: Recipe, years: range, client: Client, store: Store, **asking: Any) -> Found:
    """Means of daily rates over years that they cover."""
    if recipe.source == "ecb":
        days, snapshot = rates.ecb_daily(recipe.series, client, store)
    else:
        days, snapshot = rates.cbr_daily(recipe.series, years, client, store, **asking)
    known = client.now().date().isoformat()
    means = {year: rates.mean_of(days, str(year), known) for year in years}
    return pd.Series(means, dtype="float64").dropna().round(4), snapshot


def _fred_mean(recipe: Recipe, years: range, client: Client, store: Store, **asking: Any) -> Found:
    """Means of a year's values: its one annual value, or twelve monthly ones."""
    found, snapshot = rates.fred_series(recipe.series, years, client, store, **asking)
    by_year = found.groupby(found.index.year)
    count = by_year.size()
    return by_year.mean()[count.isin([1, 12]) & (count == count.max())].round(4), snapshot


AT_HOME = {"XAF": "CM", "XCD": "AG", "XCG": "CW", "XOF": "SN", "XPF": "NC"}
"""A country of each currency whose first two letters are not those of its country."""


def _currency(code: str) -> Recipe:
    """Rates of the ECB where it has them, else those of the World Bank for a country of the currency."""
    if code in ecb_rates():
        return Recipe("ecb", code, f"{code}/USD", _daily_mean)
    place = find_economy(AT_HOME.get(code, code[:2])).name
    return Recipe("worldbank", "PA.NUS.FCRF", f"{code}/USD", _level, place)


RECIPES = {
    "brent_usd_per_bbl": Recipe("fred", "MCOILBRENTEU", "USD/bbl", _fred_mean),
    "china_gdp_current_usd": Recipe("worldbank", "NY.GDP.MKTP.CD", "USD", _level, "China"),
    "china_gdp_real_growth_pct": Recipe("worldbank", "NY.GDP.MKTP.KD", "percent", _growth, "China"),
    "cny_per_usd": Recipe("fred", "AEXCHUS", "CNY/USD", _fred_mean),
    "rub_per_usd": Recipe("worldbank", "PA.NUS.FCRF", "RUB/USD (new roubles)", _level, "Russia"),
    "rub_per_usd_cbr": Recipe("cbr", rates.DOLLAR_OF_CBR, "RUB/USD (new roubles)", _daily_mean),
    "russia_gdp_current_usd": Recipe("worldbank", "NY.GDP.MKTP.CD", "USD", _level, "Russia"),
    "russia_gdp_real_growth_pct": Recipe("worldbank", "NY.GDP.MKTP.KD", "percent", _growth, "Russia"),
    "world_exports_current_usd": Recipe("worldbank", "TX.VAL.MRCH.CD.WT", "USD", _level, "World"),
    "world_imports_current_usd": Recipe("worldbank", "TM.VAL.MRCH.CD.WT", "USD", _level, "World"),
    **{
        f"{code.lower()}_per_usd": Recipe("ecb", code, f"{code}/USD", _daily_mean)
        for code in ("AUD", "EUR", "GBP", "INR", "JPY", "NZD")  # of goals in the register
    },
}


def rates_of(currencies: Iterable[str]) -> dict[str, Recipe]:
    """Return the recipe of each currency's rates by the name of the covariate.

    Raises
    ------
    UserError
        For what is no currency, and for the dollar, in which rates are quoted.
    """
    codes = [check_currency(code) for code in currencies]
    if "USD" in codes:
        raise UserError("currency: found USD, in which rates are quoted; expected another currency")
    names = {f"{code.lower()}{PER_USD}": code for code in codes}
    return {name: RECIPES.get(name) or _currency(code) for name, code in names.items()}


@dataclass(frozen=True)
class Renewed:
    """Rows that are new or have another value, what differs (a line each), and what a reader must know."""

    changed: pd.DataFrame
    differences: list[str]
    notes: list[str]


def renew(
    sources: list[str], client: Client, store: Store, currencies: Iterable[str] = (), **asking: Any
) -> Renewed:
    """Ask the sources for every covariate that they have, and put the answers beside what is kept.

    Parameters
    ----------
    sources : names of `publishers` that `data refresh` asks.
    client, store : of `client.open_client` and `snapshots.open_store`.
    currencies : where there are any, their rates alone.
    asking : `offline` and `max_age` of `snapshots.ask`.

    Raises
    ------
    UserError
        Where none of them can be asked; one that cannot is a note beside the others.
    """
    kept = load_covariates().astype({"year": "int64"})
    news, notes, faults = [], [], []
    there = set(exchange_rates(kept, pd.Timestamp.max)) - {"USD"}
    known = rates_of(currencies) or RECIPES | rates_of(sorted(there))
    wanted = {name: recipe for name, recipe in known.items() if recipe.source in sources}
    for name, recipe in wanted.items():
        years = range(publisher(recipe.source).first_year, client.now().year)
        try:
            found, snapshot = recipe.make(recipe, years, client, store, **asking)
        except UserError as error:
            faults.append(error)
            notes.append(f"{name}: stays as it is: {error}")
            continue
        found = found[found.index < client.now().year]
        if found.empty:
            notes.append(f"{name}: {publisher(recipe.source).title} has no value of {recipe.series}")
        news.append(rows_of(name, recipe.unit, found, snapshot))
    if faults and not news:
        raise faults[0]
    return compare(kept, pd.concat(news, ignore_index=True) if news else kept.iloc[:0], notes)


def rows_of(name: str, unit: str, found: pd.Series, snapshot: Snapshot) -> pd.DataFrame:
    """Return values by year as rows of the file."""
    source = f"{snapshot.url} (retrieved {snapshot.day})"
    values = {"year": found.index, "variable": name, "value": found.to_numpy(), "unit": unit}
    return pd.DataFrame(values | {"source_url": source}).astype({"year": "int64"})


def compare(kept: pd.DataFrame, news: pd.DataFrame, notes: list[str]) -> Renewed:
    """Return what is new or has another value than what is kept, also in lines."""
    key = ["variable", "year"]
    old = kept.set_index(key)["value"].to_dict()
    lines, changed = [], []
    for row in news.sort_values(key).itertuples():
        before = old.get((row.variable, row.year))
        if before is None:
            lines.append(f"+ {row.variable} {row.year}: {row.value:.6g} {row.unit}")
        elif abs(row.value - before) > SAME * abs(before):
            change = f" ({100 * (row.value / before - 1):+.2f} %)" if before and row.unit != "percent" else ""
            lines.append(f"~ {row.variable} {row.year}: {before:.6g} → {row.value:.6g}{change}")
        else:
            continue
        changed.append(row.Index)
    return Renewed(news.loc[changed], lines, notes)


def write(renewed: Renewed) -> None:
    """Write the file, with every row that stays as it is to the letter, and its checksum."""
    with editing():
        rows = {(row["variable"], row["year"]): row for row in curation.read_rows("covariates")}
        for news in renewed.changed.itertuples():
            value = np.format_float_positional(news.value, trim="-")
            row = {"year": str(news.year), "variable": news.variable, "value": value}
            rows[news.variable, row["year"]] = row | {"unit": news.unit, "source_url": news.source_url}
        text = curation.to_text([rows[key] for key in sorted(rows)])
        write_tables({describe("covariates")["path"]: text.encode()})
