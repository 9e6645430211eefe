"""Tables for a reader: numbers formatted, links clickable, nothing computed."""

from collections.abc import Mapping
from html import escape
from re import search
from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown

from lib.goals import READING_LABELS, Verdict
from lib.words import about, form, is_missing, number, percent, printed, rate, web_address

Heading = str | tuple[str, str]
LONGEST_WHOLE = 30
"""Characters of a day, a level or a row's name, which no line may break."""


def table(
    frame: pd.DataFrame, columns: Mapping[str, Heading] | None = None, otherwise: str = ""
) -> HTML | Markdown:
    """A frame as an HTML table: text escaped, addresses as links, the index left out.

    Parameters
    ----------
    frame : what is shown.
    columns : the columns to show, in order, each with its heading or with heading and format (`lib.words`); all
        of them, as they are, where nothing is given. What is missing stays blank.
    otherwise : a sentence that stands in place of a table without a row.
    """
    if frame.empty and otherwise:
        return Markdown(otherwise)
    if columns is not None:
        shown = [_formatted(frame[name], head).rename(_heading(head)) for name, head in columns.items()]
        frame = pd.concat(shown, axis=1)
    frame = frame.rename(columns=lambda name: escape(str(name), quote=False))
    frame = frame.map(lambda value: _cell(value) if isinstance(value, str) else value)
    return HTML(frame.to_html(index=False, escape=False, border=0, na_rep=""))


def _heading(head: Heading) -> str:
    return head if isinstance(head, str) else head[0]


def _formatted(values: pd.Series, head: Heading) -> pd.Series:
    if isinstance(head, str):
        return values
    texts = ["" if is_missing(value) else form(value, head[1]) for value in values]
    if head[1] == "day":
        texts = [text.replace(" ", "\N{NO-BREAK SPACE}") for text in texts]
    return pd.Series(texts, index=values.index, dtype="str")


def _cell(text: str) -> str:
    """Text of a cell as HTML; short ones with a number stay on a line, an address becomes a link that nothing in it ends."""
    shown = escape(text, quote=False)
    if not text.startswith(("http://", "https://")):
        whole = len(text) <= LONGEST_WHOLE and search(r"\d.*[- ]|[- ].*\d", text)
        return f'<span style="white-space: nowrap">{shown}</span>' if whole else shown
    return f'<a href="{escape(web_address(text))}" target="_blank">{shown}</a>'


def readings(
    verdicts: list[Verdict], chances: pd.Series | None = None, needed: pd.Series | None = None
) -> HTML:
    """Verdict of each reading, with its probability and the growth still needed where they are given."""
    frame = pd.DataFrame(
        {
            "reading": [READING_LABELS[v.reading] for v in verdicts],
            "verdict": [v.outcome for v in verdicts],
            "because": [v.reason for v in verdicts],
        }
    )
    if chances is not None:
        frame.insert(2, "probability", [_maybe(percent, chances.get(v.reading)) for v in verdicts])
    if needed is not None:
        none = "nothing any more" if needed.isna().all() else ""  # decided, or the deadline is over
        shown = [_maybe(rate, needed.get(v.reading)) or none for v in verdicts]
        frame.insert(2, "still needed a year", shown)
    return table(frame)


def progress(frame: pd.DataFrame, currency: str) -> HTML:
    """The year-by-year comparison of `lib.goals.progress`."""
    return table(
        pd.DataFrame(
            {
                "year": frame.index,
                f"level, {currency} mn": frame["level_mn"].map(number),
                f"goal path, {currency} mn": frame["path_mn"].map(about),
                "level against path": frame["path"],
                "growth": frame["growth"].map(lambda value: _maybe(rate, value)),
                "growth against rate": frame["year"],
            }
        )
    )


def sources(record: pd.DataFrame) -> HTML:
    """Every figure of a flow with its publisher, date, status and address."""
    return table(
        pd.DataFrame(
            {
                "figure": record["figure_id"],
                "period": periods(record),
                "value": values(record),
                "growth, %": record["yoy_pct"].map(lambda value: _maybe(_signed, value)),
                "published": record["published"].replace("", "undated"),
                "publisher": record["publisher"],
                "status": record["status"],
                "address": record["url"],
            }
        )
    )


def values(record: pd.DataFrame) -> list[str]:
    """Values with their units, as printed: "230 USD mn"; blank where only growth was."""
    pairs = zip(record["value"], record["unit"], strict=True)
    return ["" if pd.isna(value) else f"{printed(value)} {unit}".strip() for value, unit in pairs]


def _signed(value: float) -> str:
    return f"{value:+,g}".replace("-", "−")


def periods(record: pd.DataFrame) -> list[str]:
    """Periods in words: "2013", "2023-10", "2023-01 to 2023-10"."""
    return [
        _period(start, end) for start, end in zip(record["period_start"], record["period_end"], strict=True)
    ]


def _period(start: pd.Timestamp, end: pd.Timestamp) -> str:
    if (start.month, start.day, end.month, end.day) == (1, 1, 12, 31) and start.year == end.year:
        return str(start.year)
    first, last = start.strftime("%Y-%m"), end.strftime("%Y-%m")
    return first if first == last else f"{first} to {last}"


def _maybe(form: Any, value: Any) -> str:
    return "" if value is None or pd.isna(value) else form(value)
