"""Units in words: a currency and a power of ten, as people and tables write them.

Words are known in English, Chinese, Russian, German, Spanish, French and Portuguese.

>>> read_unit("in Mio. Euro"), read_unit("亿美元"), read_unit("₹ lakh crore"), read_unit("тыс. долл. США")
(('EUR', 6), ('USD', 8), ('INR', 12), ('USD', 3))
"""

import re
from functools import lru_cache

from lib.economies import CURRENCIES

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
