"""UN Comtrade v1: the public preview, and the keyed service.

The preview, as recorded client code of 2026 meets it: one period a call (several give status 400), but lists of reporters
and partners; it cuts at 500 rows without a word; after about a hundred calls status 403 says "Quota will be replenished in
HH:MM:SS". Without `partner2Code=0&motCode=0&customsCode=C00` one partner comes back as about nine rows that overlap. The
shape of a row is that of a recorded answer (China's imports, 2010, fixture of ropensci/comtradr).
"""

from typing import Any

import pandas as pd

from lib.errors import quote
from lib.tools.sources import decode
from lib.tools.sources.client import Request, refuse
from lib.tools.sources.observations import Question, periods_of

PREVIEW_ROWS = 500
KEYED_ROWS = 100_000
PERIODS_A_CALL = 12  # with a key
LONGEST_CODE = 12  # characters
FLOWS = {"X": "export", "M": "import"}
FREQUENCIES = ("A", "M")

WHOLE = {"partner2Code": 0, "motCode": 0, "customsCode": "C00", "cmdCode": "TOTAL"}
"""What marks the row that counts everything: all second partners, means of transport, procedures and goods."""


def plan(question: Question, look: Any, **about: Any) -> list[Request]:
    """Return the requests for the reporters with the partners, or with all: a period each, with a key twelve."""
    keyed = about.get("key") is not None
    path = f"{'/data/v1/get' if keyed else '/public/v1/preview'}/C/{question.freq}/HS"
    codes = [code for code, flow in FLOWS.items() if flow in question.single]
    # All partners of one period and flow are some 230 rows: both flows might not fit into a preview.
    split = [codes] if keyed or question.partners else [[code] for code in codes]
    asked = [period.replace("-", "") for period in periods_of(question.years, question.freq)]
    size = PERIODS_A_CALL if keyed else 1
    # The latest first: what the quota leaves open is then what changes least.
    starts = range(0, len(asked), size)[::-1]
    return [
        Request(path=path, params=params(question, group, asked[start : start + size], keyed), **about)
        for start in starts
        for group in split
    ]


def params(
    question: Question, codes: list[str], asked: list[str], keyed: bool
) -> tuple[tuple[str, str], ...]:
    """Return the parameters of one request."""
    partners = sorted(int(place.comtrade) for place in question.partners or ())
    return (
        ("reporterCode", ",".join(map(str, sorted(int(place.comtrade) for place in question.reporters)))),
        ("period", ",".join(asked)),
        *([("partnerCode", ",".join(map(str, partners)))] if partners else []),
        ("partner2Code", "0"),
        ("cmdCode", "TOTAL"),
        ("flowCode", ",".join(codes)),
        ("customsCode", "C00"),
        ("motCode", "0"),
        ("maxRecords", str(KEYED_ROWS if keyed else PREVIEW_ROWS)),
        ("format", "JSON"),
        ("includeDesc", "false"),
    )


def read(body: bytes, media: str, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read an answer.

    Returns
    -------
    Rows in Comtrade's numbers, as text (`observations.COLUMNS` as far as the source says them; values in dollars), and
    no notes.

    Raises
    ------
    UserError
        For an error in place of data, rows cut off at the limit, or fewer than were counted.
    """
    content = decode.read_json(body, where) if body else {"data": [], "count": 0}
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        words = _error_of(content)
        raise refuse(where, f"the error {quote(words)}" if words else "JSON of another shape", "data")
    if content.get("error"):
        raise refuse(where, f"the error {quote(str(content['error']))}", "data")
    rows = content["data"]
    _check_complete(content, rows, where)
    if set(map(type, rows)) - {dict}:
        raise refuse(where, "rows of another shape", "an object for each")
    # A row that says nothing of a part is taken as whole.
    for name, whole in WHOLE.items():
        rows = [row for row in rows if row.get(name, whole) in (whole, str(whole))]
    return to_frame(rows, where), []


def _error_of(content: Any) -> str:
    """Return the words of an error, as in {"statusCode": 429, "message": "…"}."""
    found = content.get("message") or content.get("error") if isinstance(content, dict) else ""
    return str(found or "")


def _check_complete(content: dict[str, Any], rows: list[Any], where: str) -> None:
    """Refuse rows that were cut off at the limit, and rows that are fewer than were counted."""
    limit = KEYED_ROWS if "/data/v1/get/" in where else PREVIEW_ROWS
    if len(rows) >= limit:
        found = f"{len(rows)} rows, the limit, so that some may be missing"
        raise refuse(where, found, f"fewer than {limit}: ask for less")
    count = content.get("count")
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0 and count != len(rows):
        raise refuse(where, f"{len(rows)} rows where {count} were counted", "as many as counted")


def to_frame(rows: list[dict[str, Any]], where: str) -> pd.DataFrame:
    """Return the columns that all sources give; rows without a value are left out."""
    if other := sorted({str(row.get("flowCode")) for row in rows} - set(FLOWS)):
        raise refuse(where, f"the flow {quote(other[0])}", "X or M")

    def numbers(name: str) -> pd.Series:
        found = decode.to_numbers([row.get(name) for row in rows], f"{where}: {name}")
        return pd.Series(found, dtype="float64")

    value, fob, cif = map(numbers, ("primaryValue", "fobvalue", "cifvalue"))
    texts = {
        "reporter": _codes_of(rows, "reporterCode", where),
        "partner": _codes_of(rows, "partnerCode", where),
        "freq": [str(row.get("freqCode", "A")) for row in rows],
        "period": _codes_of(rows, "period", where),
        "flow": [FLOWS[row["flowCode"]] for row in rows],
    }
    frame = pd.DataFrame({name: pd.Series(column, dtype="str") for name, column in texts.items()})
    # Countries differ: some value their imports FOB. Where neither value is given it stays open.
    blank = pd.Series("", frame.index, dtype="str")
    valuation = blank.mask(value == fob, "FOB").mask(value == cif, "CIF").mask((fob == cif) & fob.notna(), "")
    return frame.assign(value=value, unit="USD", valuation=valuation)[value.notna()].reset_index(drop=True)


def _codes_of(rows: list[dict[str, Any]], name: str, where: str) -> list[str]:
    """Return the codes of a column as text, given as numbers or texts."""
    values = [row.get(name) for row in rows]
    if other := sorted(str(kind.__name__) for kind in set(map(type, values)) - {int, str}):
        raise refuse(where, f"{name} of type {other[0]}", "codes")
    texts = {value: str(value) for value in set(values)}
    if long := [text for text in texts.values() if len(text) > LONGEST_CODE]:
        raise refuse(where, f"{name} {quote(long[0])}", "a code")
    return [texts[value] for value in values]
