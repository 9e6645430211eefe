"""UN Comtrade v1: the public preview, and the keyed service.

The preview, as recorded client code of 2026 meets it: one period a call (several give status 400), but lists of reporters
and partners; it cuts at 500 rows without a word; after about a hundred calls status 403 says "Quota will be replenished in
HH:MM:SS". Without `partner2Code=0&motCode=0&customsCode=C00` one partner comes back as about nine rows that overlap. The
shape of a row is that of a recorded answer (China's imports, 2010, fixture of ropensci/comtradr).
"""

import pandas as pd

from lib.economies import Economy
from lib.errors import quote
from lib.tools.sources import tables
from lib.tools.sources.client import Request, refuse
from lib.tools.sources.observations import Question, periods_of
from lib.tools.sources.publishers import key_of
from lib.tools.sources.snapshots import Desk

PREVIEW_ROWS = 500
KEYED_ROWS = 100_000
PERIODS_A_CALL = 12  # with a key
FLOWS = {"X": "export", "M": "import"}
CODES = {"reporterCode": "reporter", "partnerCode": "partner", "period": "period"}
VALUES = ("primaryValue", "fobvalue", "cifvalue")

WHOLE = {"partner2Code": "0", "motCode": "0", "customsCode": "C00", "cmdCode": "TOTAL"}
"""What marks the row that counts everything: all second partners, means of transport, procedures and goods."""


def plan(question: Question, desk: Desk) -> list[Request]:
    """Return the requests for the reporters with the partners, or with all: a period each, with a key twelve."""
    keyed = key_of("comtrade") is not None
    path = f"{'/data/v1/get' if keyed else '/public/v1/preview'}/C/{question.freq}/HS"
    partners = {"partnerCode": _codes(question.partners)} if question.partners else {}
    about = {"reporterCode": _codes(question.reporters)} | partners | WHOLE
    most = str(KEYED_ROWS if keyed else PREVIEW_ROWS)
    about |= {"format": "JSON", "includeDesc": "false", "maxRecords": most}
    # All partners of one period and flow are some 230 rows: both flows might not fit into a preview.
    flows = [",".join(FLOWS)] if keyed or question.partners else [*FLOWS]
    asked = [period.replace("-", "") for period in periods_of(question.years, question.freq)]
    size = PERIODS_A_CALL if keyed else 1
    # The latest first: what the quota leaves open is then what changes least.
    periods = [",".join(asked[start : start + size]) for start in range(0, len(asked), size)[::-1]]
    return [
        desk.request("comtrade", path, tuple((about | {"period": period, "flowCode": flow}).items()))
        for period in periods
        for flow in flows
    ]


def _codes(places: tuple[Economy, ...]) -> str:
    """Return the numbers of places, in order."""
    return ",".join(map(str, sorted(int(place.comtrade) for place in places)))


def read(body: bytes, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read an answer: rows in Comtrade's numbers, as text, values in dollars, and no notes."""
    content = tables.read_json(body, where) if body else {"data": [], "count": 0}
    found = content if isinstance(content, dict) else {}
    rows, words = found.get("data"), str(found.get("error") or found.get("message") or "")
    if not isinstance(rows, list) or found.get("error"):
        raise refuse(where, f"the error {quote(words)}" if words else "JSON of another shape", "data")
    limit, count = KEYED_ROWS if "/data/v1/get/" in where else PREVIEW_ROWS, found.get("count")
    if len(rows) >= limit:
        cut = f"{len(rows)} rows, the limit, so that some may be missing"
        raise refuse(where, cut, f"fewer than {limit}: ask for less")
    if type(count) is int and count >= 0 and count != len(rows):
        raise refuse(where, f"{len(rows)} rows where {count} were counted", "as many as counted")
    if set(map(type, rows)) - {dict}:
        raise refuse(where, "rows of another shape", "an object for each")
    # A row that says nothing of a part is taken as whole.
    rows = [row for row in rows if all(str(row.get(name, whole)) == whole for name, whole in WHOLE.items())]
    wanted = (*CODES, "flowCode", "freqCode", *VALUES)
    table = pd.DataFrame({name: [row.get(name) for row in rows] for name in wanted}, dtype="object")
    return _to_frame(table, where), []


def _to_frame(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the columns that all sources give; rows without a value are left out."""
    if other := sorted(set(map(str, table["flowCode"])) - set(FLOWS)):
        raise refuse(where, f"the flow {quote(other[0])}", "X or M")
    value, fob, cif = (
        pd.Series([tables.to_number(one, f"{where}: {name}") for one in table[name]], dtype="float64")
        for name in VALUES
    )
    # Countries differ: some value their imports FOB. Where neither value is given it stays open.
    blank = pd.Series("", table.index, dtype="str")
    valuation = blank.mask(value == fob, "FOB").mask(value == cif, "CIF").mask((fob == cif) & fob.notna(), "")
    said = {name: table[code].map(str) for code, name in CODES.items()}
    said |= {"flow": table["flowCode"].map(FLOWS), "freq": table["freqCode"].fillna("A")}
    frame = pd.DataFrame(said, dtype="str").assign(unit="USD", value=value, valuation=valuation)
    return frame[value.notna()].reset_index(drop=True)
