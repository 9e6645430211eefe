"""World Bank indicators (API v2, JSON): a list of a head and rows, newest first; errors come with status 200.

Documented at datahelpdesk.worldbank.org/knowledgebase/articles/889392; the shape of rows as clients of 2026 show it.
"""

from functools import partial
from typing import Any

import pandas as pd

from lib.economies import find_economy
from lib.errors import quote
from lib.tools.sources import decode
from lib.tools.sources.client import Client, refuse
from lib.tools.sources.snapshots import Snapshot, Store, inquire

PAGE = 20_000  # rows; the server allows 32,767


def annual_indicator(
    code: str, place: str, years: range, client: Client, store: Store, **asking: Any
) -> tuple[pd.Series, Snapshot]:
    """Return an indicator of a country by year, years without a value left out, and the first of its answers.

    Raises
    ------
    UserError
        Where it cannot be asked for, or an answer cannot be read or is one to another question.
    """
    iso3, read_page = find_economy(place).iso3, partial(_read_of, find_economy(place).iso3, code)
    parts: list[pd.DataFrame] = []
    snapshots, pages = [], 1
    while len(parts) < pages:
        params = (
            ("format", "json"),
            ("date", f"{years[0]}:{years[-1]}"),
            ("per_page", str(PAGE)),
            ("page", str(len(parts) + 1)),
        )
        path, media = f"/country/{iso3}/indicator/{code}", ("application/json",)
        question = path, params, media, read_page
        (rows, pages), snapshot = inquire("worldbank", *question, client, store, **asking)
        snapshots.append(snapshot)
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    return by_year(table, iso3, code, snapshots[0].url), snapshots[0]


def _read_of(iso3: str, code: str, body: bytes, media: str, where: str) -> tuple[pd.DataFrame, int]:
    """Read one page, which must be of the country and indicator that were asked for."""
    rows, pages = read(body, media, where)
    by_year(rows, iso3, code, where)
    return rows, pages


def read(body: bytes, media: str, where: str) -> tuple[pd.DataFrame, int]:
    """Read one page.

    Returns
    -------
    Frame with iso3, variable, period and value, without empty values, and the number of pages.
    """
    content = decode.read_json(body, where)
    head = content[0] if isinstance(content, list) and content else None
    if not isinstance(head, dict) or "page" not in head:
        words = _error_of(content)
        raise refuse(where, f"the error {quote(words)}" if words else "JSON of another shape", "data")
    pages = head.get("pages")
    rows = content[1] if len(content) > 1 and content[1] is not None else []
    if not isinstance(pages, int) or not 0 <= pages <= 1000 or not isinstance(rows, list):
        raise refuse(where, f"{quote(repr(pages))} pages", "a number of pages, and rows")
    try:
        iso3 = [str(row["countryiso3code"] or row["country"]["id"]) for row in rows]
        codes, dates = [str(row["indicator"]["id"]) for row in rows], [str(row["date"]) for row in rows]
        values = decode.to_numbers([row["value"] for row in rows], f"{where}: value")
    except (KeyError, TypeError, AttributeError):
        raise refuse(where, "rows of another shape", "country, indicator, date and value in each") from None
    texts = {"iso3": iso3, "variable": codes, "period": dates}
    frame = pd.DataFrame({name: pd.Series(column, dtype="str") for name, column in texts.items()})
    frame = frame.assign(value=pd.Series(values, dtype="float64"))
    return frame[frame["value"].notna()].reset_index(drop=True), pages


def _error_of(content: Any) -> str:
    """Return the words of an error, as in [{"message": [{"id": "120", "value": "Invalid value"}]}]."""
    try:
        return "; ".join(f"{one['id']}: {one['value']}" for one in content[0]["message"])
    except (KeyError, IndexError, TypeError):
        return ""


def by_year(rows: pd.DataFrame, iso3: str, code: str, where: str) -> pd.Series:
    """Return the values by year, checked: each of the country and indicator that were asked for, once."""
    for column, valid in (("iso3", iso3), ("variable", code)):
        if other := sorted(set(rows[column].unique()) - {valid}):
            raise refuse(where, f"{column} {quote(other[0])}", valid)
    rows = rows.drop_duplicates()
    if wrong := rows.loc[~rows["period"].str.fullmatch(r"(19|20)\d\d"), "period"].tolist():
        raise refuse(where, f"the date {quote(wrong[0])}", "a year")
    if rows["period"].duplicated().any():
        raise refuse(where, "two values for a year", "one")
    return pd.Series(rows["value"].to_numpy(), rows["period"].astype("int64"), dtype="float64").sort_index()
