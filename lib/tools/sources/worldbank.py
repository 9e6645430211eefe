"""World Bank indicators (API v2, JSON): a list of a head and rows, newest first; errors come with status 200."""

from datetime import timedelta
from typing import Any

import pandas as pd

from lib.economies import find_economy
from lib.errors import UserError, quote
from lib.tools.sources import decode, observations
from lib.tools.sources.client import Client, Request, refuse
from lib.tools.sources.fetch import Fetched
from lib.tools.sources.publishers import base_of, publisher
from lib.tools.sources.snapshots import Store, ask, first_of

PAGE = 20_000  # rows; the server allows 32,767

LONGEST_LIST = 60  # countries in one address: the server fails on addresses above 1,500 characters

UNITS = {
    "NY.GDP.MKTP.CD": "USD",
    "NY.GDP.MKTP.KD": "USD of 2015",
    "PA.NUS.FCRF": "units per USD",
    "BX.GSR.MRCH.CD": "USD",
    "BM.GSR.MRCH.CD": "USD",
}
"""Indicators whose unit is known; the answer itself does not say it."""


def fetch_indicator(
    code: str,
    places: list[str],
    *,
    years: range,
    client: Client,
    store: Store,
    offline: bool = False,
    max_age: timedelta | None = None,
) -> Fetched:
    """Fetch an annual indicator of one or more countries.

    Returns
    -------
    `indicators.COLUMNS` with `variable` the indicator's code, and notes that name every year without a value.

    Raises
    ------
    UserError
        For an unknown indicator, or an answer that cannot be read.
    """
    if code not in UNITS:
        raise UserError(f"indicator: found {quote(code)}, expected one of {', '.join(UNITS)}")
    names = {find_economy(place).iso3: find_economy(place).name for place in places}
    if not 1 <= len(names) <= LONGEST_LIST:
        raise UserError(f"places: found {len(names)}, expected 1 to {LONGEST_LIST}")
    parts, snapshots, page, pages = [], [], 1, 1
    while page <= pages:
        request = question(code, list(names), years, page, client)
        snapshot, (rows, pages) = ask(client, store, request, read, offline=offline, max_age=max_age)
        snapshots.append(first_of(store, request, snapshot))
        parts.append(rows.assign(snapshot=snapshot.sha256))
        page += 1
    table = to_indicators(pd.concat(parts, ignore_index=True), names, code, snapshots[0].url)
    return Fetched(table, snapshots, name_missing(table, names, code, years))


def question(code: str, iso3: list[str], years: range, page: int, client: Client) -> Request:
    """Return the request for one page."""
    params = (
        ("format", "json"),
        ("date", f"{years[0]}:{years[-1]}"),
        ("per_page", str(PAGE)),
        ("page", str(page)),
    )
    path = f"/country/{';'.join(iso3)}/indicator/{code}"
    return Request(
        "worldbank", base_of("worldbank", client.bases), path, params, pace=publisher("worldbank").pace
    )


def read(body: bytes, media: str, where: str) -> tuple[pd.DataFrame, int]:
    """Read one page.

    Returns
    -------
    Frame with iso3, variable, period and value, without empty values, and the number of pages.
    """
    content = decode.read_json(body, where)
    if (
        not isinstance(content, list)
        or not content
        or not isinstance(content[0], dict)
        or "page" not in content[0]
    ):
        raise refuse(
            where,
            f"the error {quote(words)}" if (words := error_of(content)) else "JSON of another shape",
            "data",
        )
    pages = content[0].get("pages")
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


def error_of(content: Any) -> str:
    """Return the words of an error, as in [{"message": [{"id": "120", "value": "Invalid value"}]}]."""
    try:
        return "; ".join(f"{one['id']}: {one['value']}" for one in content[0]["message"])
    except (KeyError, IndexError, TypeError):
        return ""


def to_indicators(rows: pd.DataFrame, names: dict[str, str], code: str, where: str) -> pd.DataFrame:
    """Return rows with names of places, checked: each of a place and year that was asked for, once."""
    for column, valid in (("iso3", list(names)), ("variable", [code])):
        if other := sorted(set(rows[column].unique()) - set(valid)):
            raise refuse(where, f"{column} {quote(other[0])}", " or ".join(valid[:5]))
    if wrong := [text for text in rows["period"].unique() if observations.canonical(text, "A") is None]:
        raise refuse(where, f"the date {quote(wrong[0])}", "a year")
    table = rows.drop_duplicates(["iso3", "period", "value"]).assign(
        place=lambda rows: rows["iso3"].map(names).astype("str"),
        freq="A",
        unit=UNITS[code],
        source="worldbank",
    )
    return observations.check_indicators(table.sort_values(["place", "period"], ignore_index=True), where)


def name_missing(table: pd.DataFrame, names: dict[str, str], code: str, years: range) -> list[str]:
    """Name, for each place, the years without a value."""
    notes = []
    for name in names.values():
        found = table.loc[table["place"] == name, "period"]
        if gaps := observations.name_gaps(observations.periods_of(years, "A"), found):
            notes.append(f"worldbank: {name}, {code}: no value for {gaps}")
    return notes
