"""From observations to rows of `data/figures.csv`, dated so that no earlier day knows them.

A value is known from the day on which it was first retrieved, unless the source states when it published it. A value that
differs from the one kept is a new row, never a change of the old: a new vintage.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from lib.errors import UserError
from lib.faults import quote
from lib.sources import periods
from lib.sources.economies import economies
from lib.sources.observations import SCALES
from lib.sources.snapshots import Snapshot

COLUMNS = (
    "figure_id",
    "reporter",
    "partner",
    "flow",
    "period_start",
    "period_end",
    "value",
    "unit",
    "yoy_pct",
    "published",
    "known_by",
    "publisher",
    "authority",
    "url",
    "status",
    "note",
)
KEY = ["reporter", "partner", "flow", "period_start", "period_end", "publisher"]
CURRENCIES = ("USD", "CNY")


def figures_from(
    observations: pd.DataFrame,
    snapshots: Iterable[Snapshot],
    known: pd.DataFrame | None = None,
    codes: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the rows that the record does not have yet.

    Parameters
    ----------
    observations, snapshots : of `fetch.Fetched`.
    known : rows of the record as text (`figures.csv`): their ids are not used again, and an observation whose last value
        there, by the same publisher, is the same gives no row.
    codes : codes of reporters and partners by name (`reporters.csv`); by default ISO codes of two letters.

    Returns
    -------
    Text columns `COLUMNS`, in millions, `status` ok; `note` holds the beginning of the snapshot's checksum.

    Raises
    ------
    UserError
        For a currency that the record does not hold, or a place without a code.
    """
    if other := sorted(set(observations["currency"].unique()) - set(CURRENCIES)):
        raise UserError(f"currency: found {quote(other[0])}, expected {' or '.join(CURRENCIES)}")
    places = {*observations["reporter"].unique(), *observations["partner"].unique()}
    by_digest = {snapshot.sha256: snapshot for snapshot in snapshots}
    code_by_name = {economy.name: economy.code for economy in economies()} | dict(codes or {})
    if without := sorted(places - set(code_by_name)):
        raise UserError(f"code: found none for {quote(without[0])}, expected a row of it in reporters.csv")
    spans = {period: span(period) for period in observations["period"].unique()}
    rows = [row_of(one, by_digest[one.snapshot], spans[one.period]) for one in observations.itertuples()]
    frame = pd.DataFrame(rows, columns=list(COLUMNS[1:]), dtype="str")
    frame = without_known(frame, known)
    return number_rows(frame, known, code_by_name)[list(COLUMNS)]


def row_of(one: Any, snapshot: Snapshot, days: tuple[str, str]) -> dict[str, str]:
    """Return an observation as a row without its id."""
    reporter, partner, flow, _, _, value, unit, currency, valuation, _, digest = one[1:]
    return {
        "reporter": reporter,
        "partner": partner,
        "flow": flow,
        "period_start": days[0],
        "period_end": days[1],
        "value": in_millions(value, unit),
        "unit": f"{currency} mn",
        "yoy_pct": "",
        "published": snapshot.published or snapshot.day,
        "known_by": "",
        "publisher": snapshot.title,
        "authority": snapshot.authority,
        "url": snapshot.url,
        "status": "ok",
        "note": note_of(flow, valuation, digest, snapshot),
    }


def note_of(flow: str, valuation: str, digest: str, snapshot: Snapshot) -> str:
    """Say how the value was measured, when it was retrieved, and in which snapshot it stands."""
    computed = "computed as export + import; " if flow == "total" and "+" in valuation else ""
    return f"{valuation}; {computed}retrieved {snapshot.day}; snapshot {digest[:16]}".removeprefix("; ")


def in_millions(value: float, unit: str) -> str:
    """Return a value in millions, as decimal text: moving the point of 230000000.5 changes no digit."""
    scale = SCALES[unit[4:]]
    moved = Decimal(repr(float(value))) * scale / 1_000_000
    text = f"{moved:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(period: str) -> tuple[str, str]:
    """Return the first and last day of a period."""
    return periods.first_day(period).date().isoformat(), periods.last_day(period).date().isoformat()


def without_known(rows: pd.DataFrame, known: pd.DataFrame | None) -> pd.DataFrame:
    """Leave out rows whose last value in the record is the same."""
    if known is None or known.empty or rows.empty:
        return rows
    last = known.assign(order=known["figure_id"].str.extract(r"-([a-z]+)$", expand=False).str.len())
    last = last.sort_values(["order", "figure_id"], kind="stable").drop_duplicates(KEY, keep="last")
    before = rows[KEY].merge(last[[*KEY, "value", "unit"]], on=KEY, how="left")
    same = (before["value"].to_numpy() == rows["value"].to_numpy()) & (
        before["unit"].to_numpy() == rows["unit"].to_numpy()
    )
    return rows[~same]


def number_rows(rows: pd.DataFrame, known: pd.DataFrame | None, codes: Mapping[str, str]) -> pd.DataFrame:
    """Give each row the next free id of its flow and period."""
    used = set() if known is None else set(known["figure_id"])
    ids = []
    for row in rows.itertuples(index=False):
        place = 1
        stem = f"{codes[row.reporter]}-{codes[row.partner]}-{row.flow}-{period_code(row.period_start, row.period_end)}"
        while (name := f"{stem}-{letters(place)}") in used:
            place += 1
        used.add(name)
        ids.append(name)
    return rows.assign(figure_id=pd.Series(ids, rows.index, dtype="str"))


def period_code(start: str, end: str) -> str:
    """Return a period as ids write it: 2013, 2013m03 or 2013m01_m03."""
    year, first, last = start[:4], start[5:7], end[5:7]
    return (
        year if (first, last) == ("01", "12") else f"{year}m{first}" + (f"_m{last}" if last != first else "")
    )


def letters(place: int) -> str:
    """Return a, b, c and so on for 1, 2, 3; after z comes aa."""
    text = ""
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
