"""Bank of Russia: official daily rates as XML in windows-1251, with decimal commas, for `Nominal` units."""

import re
from datetime import timedelta

import pandas as pd

from lib.errors import UserError
from lib.faults import nearest, quote
from lib.sources import decode
from lib.sources.ask import ask
from lib.sources.exchange import Client, Request
from lib.sources.publishers import base_of, publisher
from lib.sources.refusals import refuse
from lib.sources.snapshots import Snapshot, Store, first_of

CURRENCIES = {"USD": "R01235", "CNY": "R01375"}
NEW_ROUBLE = pd.Timestamp(1998, 1, 1)  # from then on a rouble is 1000 of the old ones
RATE = re.compile(r"\d{1,9}([.,]\d{1,9})?", re.ASCII)
DAY = re.compile(r"\d\d\.\d\d\.\d{4}", re.ASCII)


def daily(
    currency: str, years: range, client: Client, store: Store, *, offline: bool, max_age: timedelta | None
) -> tuple[pd.Series, Snapshot]:
    """Return new roubles per unit of a currency by day, as published, and where they stand."""
    if currency not in CURRENCIES:
        raise UserError(f"currency: found {quote(currency)}, expected {nearest(currency, CURRENCIES)}")
    request = question(currency, years, client)
    snapshot, days = ask(client, store, request, read, offline=offline, max_age=max_age)
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


def read(body: bytes, media: str, where: str) -> pd.Series:
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
