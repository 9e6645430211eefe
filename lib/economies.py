"""Countries and territories, currencies and units: the names used here, those that people and tables write, and codes.

Words for units are known in English, Chinese, Russian, German, Spanish, French and Portuguese.

>>> read_unit("in Mio. Euro"), read_unit("亿美元"), read_unit("₹ lakh crore"), read_unit("тыс. долл. США")
(('EUR', 6), ('USD', 8), ('INR', 12), ('USD', 3))
"""

import csv
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lib.errors import UserError, did_you_mean, nearest, quote

CODES = Path(__file__).with_name("economies.csv")
PHRASES = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))
"""Words of people and of tables; the file says what each group is."""
CURRENCIES = tuple(PHRASES["currencies"].split())
"""ISO 4217, the currencies in use."""
LETTERS, MONEY, SIGNS = PHRASES["letters"], PHRASES["money"], dict(PHRASES["signs"])


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


def names_by(column: str) -> dict[str, str]:
    """Name of each economy by one of its codes: "imf", "comtrade" or "iso3"."""
    return {getattr(economy, column): economy.name for economy in economies()}


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
    """Return the economy of a name ("Viet Nam", "Vietnam") or an ISO code ("VNM", "VN"), or a `UserError` with the nearest.

    Cities and provinces are none: no international source has their trade.
    """
    if (found := known_names().get(name.strip().casefold())) is None:
        names = [economy.name for economy in economies()]
        raise UserError(f"economy: found {quote(name)}, expected a country, {nearest(name, names)}")
    return found


def check_currency(code: str) -> str:
    """Return a currency of ISO 4217 in capitals; a `UserError` names the nearest codes for one that is none."""
    if (known := code.strip().upper()) not in CURRENCIES:
        of_country = [one for one in CURRENCIES if one[:2] == known[:2]]
        hint = did_you_mean(code, of_country or CURRENCIES)
        raise UserError(f"currency: found {quote(code)}, expected one of ISO 4217, such as USD or CNY{hint}")
    return known


def pair_name(reporter: str, partner: str) -> str:
    """Both sides of a trade as one name: "Harbin–Russia"; parcels "to Russia" have their partner in their name."""
    named = partner in reporter and reporter.casefold() not in known_names()
    return reporter if named else f"{reporter}–{partner}"


_LETTER = r"[a-zа-яёäöüßáéíóúñãõç]"
_POWER = r"(?<![\d,.])1(?:00?(?![\d,])|0{0,2}(?:[, ]?000)+(?![\d,]))"
_SCALES = []
for _ten, _words, _signs in PHRASES["scales"]:
    _word = rf"(?<!{_LETTER})(?<!\d)(?:{_words or '(?!)'})(?!{_LETTER}|\d)"
    _SCALES.append((re.compile(rf"(?:({_POWER})\s*)?(?:{_word}{_signs and '|' + _signs})"), _ten))
_MONEY = [(re.compile(rf"(?<!{_LETTER})(?:{words})(?!{_LETTER})"), code) for code, words in MONEY.items()]


@lru_cache(maxsize=20_000)
def read_unit(text: str) -> tuple[str, int | None]:
    """Return the currency that a text names (blank without one), and the power of ten (None without one)."""
    plain = text.casefold()
    capitals = [one for one in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text) if one in CURRENCIES]
    head = text.strip()[:3] if len(text) < 20 else ""  # where a word that is a code, too, is one
    codes = [one for one in capitals if one == head or one not in PHRASES["words_like_codes"].split()]
    small = re.findall(r"(?<![a-z])(?:usd|eur|cny|rub|inr|jpy|gbp)(?=[kmb]n?\b|[^a-z]|$)", plain)
    words = [code for pattern, code in _MONEY if pattern.search(plain)]
    signs = [code for sign, code in SIGNS.items() if sign in plain]
    currency = [*codes, *map(str.upper, small), *words, *signs, ""][0]
    for pattern, ten in _SCALES:
        if found := pattern.search(plain):
            return currency, ten + (found[1] or "").count("0")
    money = r"[$€£₹₽]|\b(?:usd|eur|cny|rmb|gbp|inr)"
    letter = re.search(rf"(?:{money})\s?(10*)?([mkb])\b|\b([mkb])\s?(?:{money})", plain)
    if letter:
        return currency, LETTERS[letter[2] or letter[3]] + (letter[1] or "").count("0")
    power = re.search(rf"{_POWER}(?!\s*%)", plain)
    return currency, power[0].count("0") if currency and power and power[0].count("0") > 2 else None


def ten_of(word: str) -> int | None:
    """The power of ten that one word or letter says, None for what says none."""
    plain = word.casefold().rstrip(".")
    return LETTERS.get(plain, read_unit(plain)[1])


def currency_of(word: str) -> str:
    """The ISO 4217 code of a currency's sign, name or code, blank for what is none."""
    plain = word.casefold().replace(" ", "").replace("u.s.", "us")
    return plain.upper() if plain.upper() in CURRENCIES else read_unit(plain)[0]
