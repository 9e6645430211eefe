"""Countries and territories: the names used here and the codes under which each source knows them; currencies."""

import csv
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lib.errors import UserError, did_you_mean, nearest, quote

CODES = Path(__file__).with_name("economies.csv")

_IN_USE = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
    CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ
    GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP
    LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR
    PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
    SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF
    XPF YER ZAR ZMW ZWG
"""

CURRENCIES = tuple(_IN_USE.split())
"""ISO 4217, the currencies in use in 2026, without funds, metals and units of account."""


class Economy(NamedTuple):
    """One economy: ISO 3166 codes, the code of the IMF where it differs, and UN Comtrade's number.

    Comtrade's numbers are those of the UN (M49) but for customs territories larger than the country: 842 is the United
    States with Puerto Rico, 251 France with Monaco, 699 India, 757 Switzerland with Liechtenstein, 579 Norway with
    Svalbard, and 490 "Other Asia, not elsewhere specified", which is Taiwan in all but name.
    """

    name: str
    iso3: str
    code: str
    imf: str
    comtrade: str
    other_names: str = ""


@lru_cache(maxsize=1)
def economies() -> tuple[Economy, ...]:
    """All economies, the world first, then by name."""
    with CODES.open(encoding="utf-8", newline="") as file:
        return tuple(Economy(**row) for row in csv.DictReader(file))


@lru_cache(maxsize=1)
def known_names() -> dict[str, Economy]:
    """Each economy under its names and ISO codes, in lower case."""
    known: dict[str, Economy] = {}
    for economy in economies():
        for name in (economy.name, economy.iso3, economy.code, *economy.other_names.split("|")):
            if name:
                known.setdefault(name.casefold(), economy)
    return known


def find_economy(name: str) -> Economy:
    """Return the economy of a name ("Viet Nam", "Vietnam") or an ISO code ("VNM", "VN").

    Raises
    ------
    UserError
        With the nearest name. Cities and provinces are none: no international source has their trade.
    """
    if (found := known_names().get(name.strip().casefold())) is None:
        names = [economy.name for economy in economies()]
        raise UserError(f"economy: found {quote(name)}, expected a country, {nearest(name, names)}")
    return found


def check_currency(code: str) -> str:
    """Return a currency of ISO 4217 in capitals.

    Raises
    ------
    UserError
        With the nearest codes for one that is none.
    """
    if (known := code.strip().upper()) not in CURRENCIES:
        of_country = [one for one in CURRENCIES if one[:2] == known[:2]]
        hint = did_you_mean(code, of_country or CURRENCIES)
        raise UserError(f"currency: found {quote(code)}, expected one of ISO 4217, such as USD or CNY{hint}")
    return known


def names_by(column: str) -> dict[str, str]:
    """Name of each economy by one of its codes: "imf", "comtrade" or "iso3"."""
    return {getattr(economy, column): economy.name for economy in economies()}


def pair_name(reporter: str, partner: str) -> str:
    """Both sides of a trade as one name: "Harbin–Russia"; parcels "to Russia" have their partner in their name."""
    named = partner in reporter and reporter.casefold() not in known_names()
    return reporter if named else f"{reporter}–{partner}"
