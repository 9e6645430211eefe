"""Numbers in words, and sentences that hold them.

A notebook writes its sentences itself, as Markdown with fields: `say("It grew by {rate:rate}.", rate=…)` shows
one, `pick(outcome, met="…", missed="…")` chooses between two. A field names its format:

>>> fill("{n:figure|figures}, {level:usd} in {year}, {pace:rate} a year", n=1, level=1300, year=2013, pace=0.25)
'1 figure, US$1.3 billion in 2013, +25 % a year'

================  ===========================================================================
`pct`             a probability or share, a fraction: "24 %", "below 1 %"
`rate`            growth, a fraction, with its sign: "+14.1 %"
`size`            the same without sign: "14.1 %", for "grew by", "fell by"
`points`          a fraction as points of a per cent, with its sign: "+3.3"
`usd`, `cny`, …   a level in millions: "US$1.3 billion", "CNY 153 million"; `{level:{currency}}` works
`number`          four digits, or all before the point: "153.3", "9,753", "10,947"
`about`           three digits, for what is estimated: "139", "15,800"
`printed`         every digit, as a publisher prints it: "9,753.3"
`day`             "15 April 2014"
`years`           "1 year", "2 years"
`one|many`        a count with its noun, any two words: "1 figure", "2 figures", "no figures"
`list`            "a, b and c"
`spans`           years as ranges: "2012–2013, 2023"
`months`          first and last month: "January to September", "May"; `stretch` in a table: "Jan–Sep"
`p`               a p-value: "0.43", "below 0.001"
`url`             an address of the web, nothing else
`.3f`, `+.2g`, …  a number by Python's rules, with a minus sign that is one
================  ===========================================================================

Whatever the format, thousands are separated from 1,000 on; only years stand without.
"""

import re
from calendar import month_abbr, month_name
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from html import escape as escape_html
from html import unescape
from string import Formatter
from typing import Any
from urllib.parse import quote as quote_address

import numpy as np
import pandas as pd

from lib.errors import UserError, quote, unclear


def years(number: int) -> str:
    """A number of years in words: "1 year", "3 years"."""
    return f"{number} year" if number == 1 else f"{number} years"


def money(value_mn: float, currency: str) -> str:
    """A level in words: 230 → "US$230 million", 88160 → "CNY 88.2 billion" (three significant digits)."""
    # 999.6 million is a billion in three digits.
    amount, scale = (value_mn / 1000, "billion") if abs(value_mn) >= 999.5 else (value_mn, "million")
    digits = max(3, len(str(int(abs(amount)))))
    rounded = float(f"{amount:.{digits}g}")
    text = f"{rounded:,.0f}" if rounded.is_integer() else np.format_float_positional(rounded, trim="-")
    return f"{currency} {text} {scale}".replace("USD ", "US$").replace("-", "−")


def percent(fraction: float) -> str:
    """A probability or share in words that never claims certainty: "38 %", "below 1 %", "above 99 %".

    A missing one is a `UserError`: it must be said in words of its own.
    """
    if np.isnan(fraction):
        raise UserError("probability: found nan, expected a number from 0 to 1")
    return "below 1 %" if fraction < 0.01 else "above 99 %" if fraction > 0.99 else f"{fraction * 100:.0f} %"


def rate(fraction: float) -> str:
    """A growth rate in words: "+25 %", "−28.6 %" (one decimal where it is not whole), "0 %"."""
    text = f"{fraction * 100:+,.1f} %".replace(".0 %", " %").replace("-", "−")
    return "0 %" if text in ("+0 %", "−0 %") else text


def number(value: float) -> str:
    """A level or another size: four significant digits, from 1,000 on whole; empty when missing."""
    if pd.isna(value):
        return ""
    if abs(value) >= 999.95:
        return f"{value:,.0f}".replace("-", "−")
    return np.format_float_positional(float(f"{value:.4g}"), trim="-").replace("-", "−")


def printed(value: float) -> str:
    """A published number with every digit, of decimals four (nobody prints more); empty when missing."""
    return "" if pd.isna(value) else f"{value:,.4f}".rstrip("0").rstrip(".").replace("-", "−")


def about(value: float) -> str:
    """A number in three significant digits, thousands separated: what an estimate is worth."""
    return number(float(f"{value:.3g}"))


def year_spans(found: Iterable[int]) -> str:
    """Years as ranges: [2012, 2013, 2023] → "2012–2013, 2023"."""
    runs: list[list[int]] = []
    for year in sorted(found):
        if not runs or year != runs[-1][-1] + 1:
            runs.append([])
        runs[-1].append(year)
    return ", ".join("–".join(map(str, dict.fromkeys((run[0], run[-1])))) for run in runs) or "none"


def listed(names: Iterable[Any]) -> str:
    """Names as they stand in a sentence: "a", "a and b", "a, b and c"; "none" without any."""
    *first, last = [str(name) for name in names] or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def exact_money(value_mn: float, currency: str) -> str:
    """A level with all its digits, as a goal states it: 14000 → "US$14 billion"."""
    amount, scale = (value_mn / 1000, "billion") if value_mn >= 1000 else (value_mn, "million")
    return f"{currency} {amount:,.12g} {scale}".replace("USD ", "US$")


def _day(value: Any) -> str:
    if not isinstance(value, str | date | pd.Timestamp):
        raise UserError(f"day: found {value!r}, expected a date")
    return f"{pd.Timestamp(value):%-d %B %Y}"


def _months(span: tuple[int, int], names: Any = month_name, to: str = " to ") -> str:
    """Months from the first to the last of a span; "nothing" where it ends before it begins."""
    first, last = span
    if last <= first:
        return names[first] if last == first else "nothing"
    return f"{names[first]}{' and ' if to == ' to ' and last == first + 1 else to}{names[last]}"


ADDRESS = re.compile(r"https?://[^/\s]")
"""How an address of http or https begins."""


def web_address(address: str) -> str:
    """An address of http or https, with nothing in it that could end an attribute or a link of Markdown."""
    if not ADDRESS.match(address):
        raise UserError(f"address: found {quote(address)}, expected one that begins with http:// or https://")
    return quote_address(address, safe=":/?#[]@!$&*+,;=%-._~")


_FORMATS: dict[str, Callable[[Any], str]] = {
    "pct": percent,
    "rate": rate,
    "size": lambda value: rate(value).lstrip("+−"),
    "points": lambda value: re.sub(r"^0\.0$", "0", form(value * 100, "+.1f")),
    "number": number,
    "about": about,
    "printed": printed,
    "day": _day,
    "years": years,
    "list": listed,
    "spans": year_spans,
    "months": _months,
    "stretch": lambda span: _months(span, month_abbr, "–"),
    "p": lambda value: "below 0.001" if value < 0.001 else f"{value:.2g}",
    "url": web_address,
}


def is_missing(value: Any) -> bool:
    """Whether a value is none: None, NaN, NaT; a list is a value."""
    return value is None or bool(np.ndim(value) == 0 and pd.isna(value))


def form(value: Any, spec: str) -> str:
    """One value by one of the formats above, as plain text.

    A `UserError` for a missing value, an unknown format, or a fraction without one: its digits would be an accident.
    """
    if is_missing(value):
        raise unclear(spec or "text", f"no value ({value})", "one; say in words what is missing")
    if spec in _FORMATS:
        return _FORMATS[spec](value)
    if nouns := re.fullmatch(r"([^|]+)\|([^|]+)", spec):
        return f"{value:,} {nouns[1 + (value != 1)]}" if value else f"no {nouns[2]}"
    if re.fullmatch("[A-Za-z]{3}", spec):
        return money(value, spec.upper())
    if re.fullmatch(r"[+]?,?(\.\d+)?[fgd]", spec):
        text = format(value, re.sub(r"^(\+?),?", r"\1,", spec)).replace("-", "−")
        return re.sub(r"^[+−](?=0(?:\.0+)?$)", "", text)
    if spec or isinstance(value, float | np.floating):
        known = ", ".join([*_FORMATS, "usd", "one|many", ".3f"])
        raise UserError(f"format: found {quote(spec)} for {value!r}, expected one of {known}")
    return str(value)


def plain(said: str) -> str:
    """What `markdown` made as plain text, for programs: no emphasis, no escapes, of a link its words."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", said)
    text = re.sub(r"(?<!\\)\*+", "", text)
    return unescape(re.sub(r"\\([\\`*_\[\]#|~$])", r"\1", text))


class _Prose(str):
    """Markdown that a notebook wrote itself, with fields: not data, so that its marks stay marks."""


class Said(_Prose):
    """Markdown that has been shown: as the last value of a cell it is not shown again."""

    def _ipython_display_(self) -> None:
        return


class _Sentence(Formatter):
    """Fills the fields of a template; `escaped` makes Markdown of plain values."""

    def __init__(self, escaped: bool) -> None:
        self.escaped = escaped

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        if key not in kwargs:
            raise unclear("sentence", f"a field {{{key}}} without a value", f"one of {listed(kwargs)}")
        value = kwargs[key]  # type: ignore[index]
        # Words that were picked may hold fields themselves.
        return _Prose(self.vformat(value, (), kwargs)) if type(value) is _Prose else value

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, _Prose):
            return str(value)
        text = form(value, format_spec)
        if not self.escaped or format_spec == "url":
            return text
        # Markdown that shows just that text: no markup, no HTML, no formula.
        return escape_html(re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", text), quote=False)


def fill(template: str, **values: Any) -> str:
    """A template with its values as plain text: for titles of figures and the text that stands for them."""
    return _Sentence(escaped=False).vformat(template, (), values)


def markdown(template: str, **values: Any) -> "Said":
    """A template with its values as Markdown, not shown yet: a part of another sentence."""
    return Said(_Sentence(escaped=True).vformat(template, (), values))


def each(template: str, rows: pd.DataFrame, **alternatives: Mapping[str, str]) -> "Said":
    """A template once for each row of a frame, a line each, as Markdown.

    Parameters
    ----------
    template : its fields are columns of the frame.
    rows : tidy frame.
    alternatives : column → words for each of its values, as `pick` takes them; they may hold fields themselves.
    """
    filler, lines = _Sentence(escaped=True), []
    for row in rows.to_dict("records"):
        chosen = {name: pick(row[name], **words) for name, words in alternatives.items()}
        lines.append(filler.vformat(template, (), row | chosen))
    return Said("\n".join(lines))


def say(template: str, **values: Any) -> Said:
    """Show a sentence or more, Markdown with values in it; returns what was shown.

    Parameters
    ----------
    template : Markdown; `{name:format}` stands for a value, see above. Text from data is escaped, so that it
        never becomes markup. What `each` made is shown as it is.
    values : by name; words from `pick` may hold fields themselves.
    """
    from IPython.display import Markdown, display

    said = template if isinstance(template, Said) else markdown(template, **values)
    display(Markdown(str(said)))
    return said


def pick(outcome: Any, **alternatives: str) -> _Prose:
    """The words for an outcome: `pick(verdict, met="…", missed="…")`; of true or false `yes="…"`, `no="…"`.

    An outcome without words is a `UserError`.
    """
    name = ("no", "yes")[bool(outcome)] if isinstance(outcome, bool | np.bool_) else str(outcome)
    if name not in alternatives:
        found = f"{quote(name)}, for which there are no words"
        raise UserError(f"pick: found {found}; expected {listed(alternatives)}")
    return _Prose(alternatives[name])
