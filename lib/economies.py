"""Countries and territories: the names used here and the codes under which each source knows them."""

import csv
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lib.errors import UserError, nearest, quote

CODES = Path(__file__).with_name("economies.csv")


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


def names_by(column: str) -> dict[str, str]:
    """Name of each economy by one of its codes: "imf", "comtrade" or "iso3"."""
    return {getattr(economy, column): economy.name for economy in economies()}
