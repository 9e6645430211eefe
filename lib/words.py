"""Numbers in words: money, probabilities and rates as they stand in sentences and tables."""

import numpy as np

from lib.errors import UserError


def years(number: int) -> str:
    """A number of years in words: "1 year", "3 years"."""
    return f"{number} year" if number == 1 else f"{number} years"


def money(value_mn: float, currency: str) -> str:
    """A level in words: 230 → "USD 230 million", 88160 → "USD 88.2 billion" (three significant digits).

    The dollar sign is avoided: notebooks read two of them as the start and end of a formula.
    """
    # 999.6 million is a billion in three digits.
    amount, scale = (value_mn / 1000, "billion") if abs(value_mn) >= 999.5 else (value_mn, "million")
    digits = max(3, len(str(int(abs(amount)))))
    rounded = float(f"{amount:.{digits}g}")
    text = f"{rounded:,.0f}" if rounded.is_integer() else np.format_float_positional(rounded, trim="-")
    return f"{currency} {text} {scale}"


def percent(fraction: float) -> str:
    """A probability or share in words that never claims certainty: "38 %", "below 1 %", "above 99 %".

    Raises
    ------
    UserError
        For what is no number: a missing probability must be said in words of its own.
    """
    if np.isnan(fraction):
        raise UserError("probability: found nan, expected a number from 0 to 1")
    if fraction < 0.01:
        return "below 1 %"
    if fraction > 0.99:
        return "above 99 %"
    return f"{fraction * 100:.0f} %"


def rate(fraction: float) -> str:
    """A growth rate in words: "+25 %", "−28.6 %" (one decimal where it is not whole), "0 %"."""
    text = f"{fraction * 100:+.1f} %".replace(".0 %", " %").replace("-", "−")
    return "0 %" if text in ("+0 %", "−0 %") else text
