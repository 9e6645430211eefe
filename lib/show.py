"""Tables for a reader: numbers formatted, links clickable, nothing computed."""

from collections.abc import Mapping
from html import escape
from re import search

import pandas as pd
from IPython.display import HTML, Markdown

from lib.goals import READING_LABELS, Verdict
from lib.words import ADDRESS, form, is_missing, printed, web_address

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
        shown = {name: head if isinstance(head, tuple) else (head, "") for name, head in columns.items()}
        parts = [_formatted(frame[name], spec).rename(head) for name, (head, spec) in shown.items()]
        frame = pd.concat(parts, axis=1)
    frame = frame.rename(columns=lambda name: escape(str(name), quote=False))
    frame = frame.map(lambda value: _cell(value) if isinstance(value, str) else value)
    return HTML(frame.to_html(index=False, escape=False, border=0, na_rep=""))


def _formatted(values: pd.Series, spec: str) -> pd.Series:
    if not spec:
        return values
    texts = ["" if is_missing(value) else form(value, spec) for value in values]
    if spec == "day":
        texts = [text.replace(" ", "\N{NO-BREAK SPACE}") for text in texts]
    return pd.Series(texts, index=values.index, dtype="str")


def _cell(text: str) -> str:
    """Text of a cell as HTML; short ones with a number stay on a line, an address becomes a link that nothing in it ends."""
    shown = escape(text, quote=False)
    if not ADDRESS.match(text):
        whole = len(text) <= LONGEST_WHOLE and search(r"\d.*[- ]|[- ].*\d", text)
        return f'<span style="white-space: nowrap">{shown}</span>' if whole else shown
    return f'<a href="{escape(web_address(text))}" target="_blank">{shown}</a>'


def readings(
    verdicts: list[Verdict], chances: pd.Series | None = None, needed: pd.Series | None = None
) -> HTML:
    """Verdict of each reading, with its probability and the growth still needed where they are given."""
    frame = pd.DataFrame([vars(verdict) for verdict in verdicts])
    columns: dict[str, Heading] = {"reading": "reading", "outcome": "verdict"}
    if needed is not None:
        decided = needed.isna().all()  # or the deadline is over
        frame["needed"] = "nothing any more" if decided else frame["reading"].map(needed)
        columns["needed"] = "still needed a year", "" if decided else "rate"
    if chances is not None:
        frame["chance"] = frame["reading"].map(chances)
        columns["chance"] = "probability", "pct"
    return table(frame.replace({"reading": READING_LABELS}), columns | {"reason": "because"})


def sources(record: pd.DataFrame) -> HTML:
    """Every figure of a flow with its publisher, date, status and address."""
    shown = record.assign(period=periods(record), value=values(record))
    shown["published"] = record["published"].replace("", "undated")
    columns: dict[str, Heading] = {"figure_id": "figure", "period": "period", "value": "value"}
    columns |= {"yoy_pct": ("growth, %", "+g"), "published": "published", "publisher": "publisher"}
    return table(shown, columns | {"status": "status", "url": "address"})


def values(record: pd.DataFrame) -> list[str]:
    """Values with their units, as printed: "230 USD mn"; blank where only growth was."""
    pairs = zip(record["value"], record["unit"], strict=True)
    return ["" if pd.isna(value) else f"{printed(value)} {unit}".strip() for value, unit in pairs]


def periods(record: pd.DataFrame) -> list[str]:
    """Periods in words: "2013", "2023-10", "2023-01 to 2023-10"."""
    texts = []
    for start, end in zip(record["period_start"], record["period_end"], strict=True):
        whole = f"{start:%m-%d}" == "01-01" and f"{end:%m-%d}" == "12-31" and start.year == end.year
        spans = f"{start:%Y-%m}", f"{end:%Y-%m}"
        texts.append(str(start.year) if whole else " to ".join(dict.fromkeys(spans)))
    return texts
