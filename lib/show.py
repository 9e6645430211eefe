"""Tables for a reader: numbers formatted, links clickable, nothing computed."""

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from lib.goals import READING_LABELS, Verdict
from lib.words import percent, rate


def table(frame: pd.DataFrame) -> HTML:
    """A frame as an HTML table: text escaped, addresses as links, the index left out."""
    return HTML(frame.to_html(index=False, escape=True, render_links=True, border=0, na_rep=""))


def table_or(frame: pd.DataFrame, otherwise: str) -> Any:
    """The frame as a table, or a sentence where it has no row."""
    return table(frame) if len(frame) else Markdown(otherwise)


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
        frame.insert(2, "still needed a year", [_maybe(rate, needed.get(v.reading)) for v in verdicts])
    return table(frame)


def progress(frame: pd.DataFrame, currency: str) -> HTML:
    """The year-by-year comparison of `lib.goals.progress`."""
    return table(
        pd.DataFrame(
            {
                "year": frame.index,
                f"level, {currency} mn": frame["level_mn"].map(number),
                f"goal path, {currency} mn": frame["path_mn"].map(number),
                "level against path": frame["path"],
                "growth": frame["growth"].map(lambda value: _maybe(rate, value)),
                "growth against rate": frame["year"],
            }
        )
    )


def sources(record: pd.DataFrame) -> HTML:
    """Every figure of a flow with its publisher, date, status and address."""
    values = zip(record["value"], record["unit"], strict=True)
    return table(
        pd.DataFrame(
            {
                "figure": record["figure_id"],
                "period": periods(record),
                "value": [f"{number(value)} {unit}".strip() for value, unit in values],
                "growth, %": record["yoy_pct"].map(lambda value: "" if pd.isna(value) else f"{value:+g}"),
                "published": record["published"].replace("", "undated"),
                "publisher": record["publisher"],
                "status": record["status"],
                "address": record["url"],
            }
        )
    )


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


def number(value: float) -> str:
    """A number with thousands separated and at most five significant digits; empty when missing."""
    if pd.isna(value):
        return ""
    return (
        f"{value:,.0f}"
        if abs(value) >= 10_000
        else np.format_float_positional(float(f"{value:.5g}"), trim="-")
    )


def _maybe(form: Any, value: Any) -> str:
    return "" if value is None or pd.isna(value) else form(value)
