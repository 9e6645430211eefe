"""UN Comtrade v1: the public preview, which cuts at 500 rows without a word, and the keyed service.

Without `partner2Code=0&motCode=0&customsCode=C00` one partner comes back as about nine rows that overlap.
"""

from typing import Any

import pandas as pd

from lib.economies import Economy
from lib.errors import quote
from lib.tools.sources import decode
from lib.tools.sources.client import Request, refuse

PREVIEW_ROWS = 500

KEYED_ROWS = 100_000

PERIODS_A_CALL = 12

LONGEST_CODE = 12  # characters

FLOWS = {"X": ("export", "FOB"), "M": ("import", "CIF")}

FREQUENCIES = ("A", "M")

WHOLE = {"partner2Code": 0, "motCode": 0, "customsCode": "C00", "cmdCode": "TOTAL"}
"""What marks the row that counts everything: all second partners, means of transport, procedures and goods."""


def plan(
    reporter: Economy,
    partner: Economy | None,
    flows: tuple[str, ...],
    freq: str,
    years: range,
    **request: Any,
) -> list[Request]:
    """Return the requests for the flows of a reporter with a partner, or with all: at most 12 periods each."""
    keyed = request.get("key") is not None
    path = f"{'/data/v1/get' if keyed else '/public/v1/preview'}/C/{freq}/HS"
    # All partners of one period and flow are some 230 rows: two periods would not fit into a preview.
    size = 1 if partner is None and not keyed else PERIODS_A_CALL
    codes = [code for code, (flow, _) in FLOWS.items() if flow in flows]
    split = [[code] for code in codes] if size == 1 else [codes]
    asked = [
        str(year) if freq == "A" else f"{year}{month:02}"
        for year in years
        for month in (range(1, 13) if freq == "M" else [0])
    ]
    return [
        Request(
            path=path, params=params(reporter, partner, group, asked[start : start + size], keyed), **request
        )
        for start in range(0, len(asked), size)
        for group in split
    ]


def params(
    reporter: Economy, partner: Economy | None, codes: list[str], asked: list[str], keyed: bool
) -> tuple[tuple[str, str], ...]:
    """Return the parameters of one request."""
    return (
        ("reporterCode", reporter.comtrade),
        ("period", ",".join(asked)),
        *([("partnerCode", partner.comtrade)] if partner else []),
        ("partner2Code", "0"),
        ("cmdCode", "TOTAL"),
        ("flowCode", ",".join(codes)),
        ("customsCode", "C00"),
        ("motCode", "0"),
        ("maxRecords", str(KEYED_ROWS if keyed else PREVIEW_ROWS)),
        ("format", "JSON"),
        ("includeDesc", "false"),
    )


def read(body: bytes, media: str, where: str) -> pd.DataFrame:
    """Read an answer.

    Returns
    -------
    Frame with reporter and partner (Comtrade's numbers, as text), flow, valuation, freq, period (as written) and value in
    dollars.

    Raises
    ------
    UserError
        For an error in place of data, rows cut off at the limit, or rows that count a part only.
    """
    content = decode.read_json(body, where) if body else {"data": [], "count": 0}
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise refuse(
            where,
            f"the error {quote(words)}" if (words := error_of(content)) else "JSON of another shape",
            "data",
        )
    if content.get("error"):
        raise refuse(where, f"the error {quote(str(content['error']))}", "data")
    rows = content["data"]
    check_complete(content, rows, where)
    if not all(isinstance(row, dict) for row in rows):
        raise refuse(where, "rows of another shape", "an object for each")
    return to_frame([row for row in rows if is_whole(row)], where)


def error_of(content: Any) -> str:
    """Return the words of an error, as in {"statusCode": 429, "message": "…"}."""
    found = content.get("message") or content.get("error") if isinstance(content, dict) else ""
    return str(found or "")


def check_complete(content: dict[str, Any], rows: list[Any], where: str) -> None:
    """Refuse rows that were cut off at the limit, and rows that are fewer than were counted."""
    limit = KEYED_ROWS if "/data/v1/get/" in where else PREVIEW_ROWS
    if len(rows) >= limit:
        raise refuse(
            where,
            f"{len(rows)} rows, the limit, so that some may be missing",
            f"fewer than {limit}: ask for less",
        )
    count = content.get("count")
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0 and count != len(rows):
        raise refuse(where, f"{len(rows)} rows where {count} were counted", "as many as counted")


def is_whole(row: dict[str, Any]) -> bool:
    """Whether a row counts everything; a row that says nothing of a part is taken as whole."""
    for name, whole in WHOLE.items():
        value = row.get(name, whole)
        if value != whole and str(value) != str(whole):
            return False
    return True


def to_frame(rows: list[dict[str, Any]], where: str) -> pd.DataFrame:
    """Return the columns that all sources give."""
    if other := sorted({str(row.get("flowCode")) for row in rows} - set(FLOWS)):
        raise refuse(where, f"the flow {quote(other[0])}", "X or M")
    texts = {
        "reporter": codes_of(rows, "reporterCode", where),
        "partner": codes_of(rows, "partnerCode", where),
        "freq": [str(row.get("freqCode", "A")) for row in rows],
        "period": codes_of(rows, "period", where),
        "flow": [FLOWS[row["flowCode"]][0] for row in rows],
        "valuation": [FLOWS[row["flowCode"]][1] for row in rows],
    }
    values = decode.to_numbers([row.get("primaryValue") for row in rows], f"{where}: primaryValue")
    frame = pd.DataFrame({name: pd.Series(column, dtype="str") for name, column in texts.items()})
    return frame.assign(value=pd.Series(values, dtype="float64"))[
        lambda rows: rows["value"].notna()
    ].reset_index(drop=True)


def codes_of(rows: list[dict[str, Any]], name: str, where: str) -> list[str]:
    """Return the codes of a column as text, given as numbers or texts."""
    values = [row.get(name) for row in rows]
    if other := sorted(str(kind.__name__) for kind in set(map(type, values)) - {int, str}):
        raise refuse(where, f"{name} of type {other[0]}", "codes")
    texts = {value: str(value) for value in set(values)}
    if long := [text for text in texts.values() if len(text) > LONGEST_CODE]:
        raise refuse(where, f"{name} {quote(long[0])}", "a code")
    return [texts[value] for value in values]
