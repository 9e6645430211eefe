"""Countries and territories, currencies and units: the names used here, those that people and tables write, and codes.

Words for units are known in English, Chinese, Russian, German, Spanish, French and Portuguese.

>>> read_unit("in Mio. Euro"), read_unit("亿美元"), read_unit("₹ lakh crore"), read_unit("тыс. долл. США")
(('EUR', 6), ('USD', 8), ('INR', 12), ('USD', 3))
"""

import csv
import re
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


# --- units: a currency and a power of ten ---

SCALES = (
    (12, r"lakh crores?|trillions?|trn|tn|трлн|триллион\w*|billonen|billionen|billones|billón", "万亿|萬億|兆"),
    (11, "", "千亿|千億"),
    (10, "", "百亿|百億"),
    (9, r"mil millones|miles de millones|mil milhões|bilhões|billions?|bn|bln|млрд|миллиард\w*|milliards?|milliarden?|mrd", "十亿|十億"),
    (8, r"hundred millions?", "亿|億"),
    (7, r"crores?|cr|ten millions?", "千万|千萬"),
    (6, r"millions?|millones|millón|millionen|milhões|mill|mio|mn|mln|млн|миллион\w*|mm", "百万|百萬"),
    (5, r"lakhs?|lacs?|hundred thousands?", ""),
    (4, r"ten thousands?", "万|萬"),
    (3, r"thousands?|thous|(?<![,.])'?000s?|th|тыс|тысяч\w*|tausend|tsd|miles|milliers", "千"),
)  # fmt: skip
"""Powers of ten by their words, in letters and in Chinese characters, the longer before what they contain."""
LETTERS = {"k": 3, "m": 6, "b": 9, "t": 12}
"""What stands for a power of ten only beside a currency or a number."""
MONEY = {
    "USD": r"us-?dollars?|u\.?s\.?[ -]?dollars?|dollars?|долл\w*|доллар\w*|d[oó]lares", "EUR": r"euros?|евро", "CNY": r"rmb|yuan|renminbi|cn¥|юан\w*",
    "RUB": r"roubles?|rubles?|руб\w*|rubel", "INR": r"rupees?|rs|рупи\w*|rupien|rupias", "JPY": r"yen|иен\w*",
    "GBP": r"pounds?(?: sterling)?|sterling|фунт\w*", "KRW": r"won", "BRL": r"reais", "CHF": r"franken", "KZT": r"tenge|тенге",
}  # fmt: skip
"""Currencies by their words."""
SIGNS = {
    "人民币元": "CNY", "人民币": "CNY", "人民幣": "CNY", "美元": "USD", "美金": "USD", "欧元": "EUR", "歐元": "EUR", "卢布": "RUB", "日元": "JPY", "日圆": "JPY",
    "英镑": "GBP", "韩元": "KRW", "r$": "BRL", "us$": "USD", "$": "USD", "€": "EUR", "£": "GBP", "₽": "RUB", "₹": "INR", "₩": "KRW", "₸": "KZT", "円": "JPY", "元": "CNY",
}  # fmt: skip
"""Signs of currencies; ¥ may be yen or yuan, and is none."""
_LETTER = r"[a-zа-яёäöüßáéíóúñãõç]"
_POWER = r"(?<![\d,.])1(?:00?(?![\d,])|0{0,2}(?:[, ]?000)+(?![\d,]))"
_SCALES = [
    (
        re.compile(
            rf"(?:({_POWER})\s*)?(?:(?<!{_LETTER})(?<!\d)(?:{words or '(?!)'})(?!{_LETTER}|\d)"
            + f"|{signs}" * bool(signs)
            + ")"
        ),
        ten,
    )
    for ten, words, signs in SCALES
]
_MONEY = [(re.compile(rf"(?<!{_LETTER})(?:{words})(?!{_LETTER})"), code) for code, words in MONEY.items()]
_WORDS_LIKE_CODES = {"ALL", "TOP", "TRY", "CUP", "MAD", "PEN", "COP", "SOS", "GEL", "LAK", "BAM", "SDG", "MOP", "NIO", "STN", "WST", "ARS"}  # fmt: skip


@lru_cache(maxsize=20_000)
def read_unit(text: str) -> tuple[str, int | None]:
    """Return the currency that a text names (blank without one), and the power of ten (None without one)."""
    plain = text.casefold()
    codes = [one for one in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text) if _is_code(one, text)]
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


def _is_code(code: str, text: str) -> bool:
    return code in CURRENCIES and (
        code not in _WORDS_LIKE_CODES or (text.strip().startswith(code) and len(text) < 20)
    )


def ten_of(word: str) -> int | None:
    """The power of ten that one word or letter says, None for what says none."""
    plain = word.casefold().rstrip(".")
    return LETTERS.get(plain, read_unit(plain)[1])


def currency_of(word: str) -> str:
    """The ISO 4217 code of a currency's sign, name or code, blank for what is none."""
    plain = word.casefold().replace(" ", "").replace("u.s.", "us")
    return plain.upper() if plain.upper() in CURRENCIES else read_unit(plain)[0]
