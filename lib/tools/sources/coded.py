"""The IMF and UN Comtrade, which answer in codes, and with what was asked for alone: a pair, its mirror and the world.

IMF, International Trade in Goods by partner country (IMTS), over SDMX 3.0 as SDMX-CSV 2.0. A key is
`COUNTRY.INDICATOR.COUNTERPART_COUNTRY.FREQUENCY`: codes like ISO3, `+` for several and `*` for all. Version `+` is the
latest; `c[TIME_PERIOD]=ge:2000+le:2024` filters years, `startPeriod` is ignored (both seen in client code of 2026, the first
with full dates; a year alone is as SDMX REST 2.x documents it, and untried). A recorded answer (Nicaragua, August 2026, 41
columns) shows what is read here: every row has `SCALE` 6 and yet `OBS_VALUE` in full dollars, so that the scale is a hint
for display; one row has an indicator and neither key nor value; `PUBLICATION_DATE` is the day of the release. An unknown
code gives status 200 and no row.

UN Comtrade v1, the public preview, as recorded client code of 2026 meets it: one period a call (several give status 400),
but lists of reporters and partners; it cuts at 500 rows without a word; after about a hundred calls status 403 says "Quota
will be replenished in HH:MM:SS". Without `partner2Code=0&motCode=0&customsCode=C00` one partner comes back as about nine
rows that overlap. The shape of a row is that of a recorded answer (China's imports, 2010, fixture of ropensci/comtradr).
"""

from typing import Any

import pandas as pd

from lib.economies import names_by
from lib.errors import printable, quote
from lib.tools.sources import tables
from lib.tools.sources.client import Request, error_words, refuse
from lib.tools.sources.observations import VALUATION, Question, canonical, check, periods_of
from lib.tools.sources.publishers import PUBLISHERS, key_of
from lib.tools.sources.snapshots import Desk

Rows = tuple[pd.DataFrame, list[str]]
"""Rows in codes, periods as the source writes them and values in dollars; and notes."""


def plan(question: Question, desk: Desk) -> list[Request]:
    """Return the requests for the reporters with the partners, or with all."""
    places = question.reporters, question.partners or ()
    reporters, partners = ([getattr(place, question.source) for place in some] for some in places)
    if question.source == "comtrade":
        return _plan_comtrade(question, desk, *(sorted(some, key=int) for some in (reporters, partners)))
    key = {"reporters": reporters, "indicators": INDICATORS, "partners": partners or "*"}
    asked: dict[str, Any] = {name: "+".join(codes) for name, codes in key.items()} | {"freq": question.freq}
    return [desk.request("imf", first=question.years[0], last=question.years[-1], **asked)]


def read(question: Question, body: bytes, where: str) -> Rows:
    """Read an answer as observations, in names and periods of this project; rows of other questions are refused."""
    rows, notes = (_read_imf if question.source == "imf" else _read_comtrade)(body, where)
    names, wanted = names_by(question.source), {"freq": [question.freq]}
    for role, places in (("reporter", question.reporters), ("partner", question.partners or ())):
        wanted[role] = [getattr(place, question.source) for place in places]
    for column, valid in wanted.items():
        if valid and (other := sorted(set(rows[column].unique()) - set(valid))):
            raise refuse(where, f"the {column} {quote(other[0])}", " or ".join(valid))
    if unknown := sorted(set(rows["partner"].unique()) - set(names)):
        left_out = f"{len(unknown)} partners that are no economy left out, such as {unknown[0]}"
        notes.append(printable(f"{where}: {left_out}"))
    rows = rows[~rows["partner"].isin(unknown)]
    named = {role: rows[role].map(names).astype("str") for role in ("reporter", "partner")}
    named["period"] = canonical(rows["period"], question.freq, where)
    table, twice = check(rows.assign(**named, source=question.source), where)
    return table, notes + twice


# --- IMF ---

INDICATORS = {"XG_FOB_USD": "export", "MG_CIF_USD": "import"}
DIMENSIONS = ("COUNTRY", "INDICATOR", "COUNTERPART_COUNTRY", "FREQUENCY")
IN_DOLLARS = {"UNIT": ["USD"], "UNIT_MULT": ["", "0"], "UNIT_MULTIPLIER": ["", "0"], "MULTIPLIER": ["", "0"]}
"""What columns say, where they are there, of values in dollars; SCALE says nothing of them."""


def _read_imf(body: bytes, where: str) -> Rows:
    if body.lstrip()[:1] == b"{":
        raise refuse(where, f"the error {quote(error_words(body))}", "an SDMX-CSV table")
    needed, said = (*DIMENSIONS, "TIME_PERIOD", "OBS_VALUE"), ("ACTION", "STATUS", "PUBLICATION_DATE")
    body = body or ",".join(needed).encode() + b"\n"  # status 204
    rows = tables.read_columns(body, where, needed, (*said, *IN_DOLLARS))
    rows = rows.reindex(columns=rows.columns.union(said, sort=False), fill_value="")
    rows, notes = rows[~rows["OBS_VALUE"].isin(tables.MISSING)], []
    if count := int((deleted := rows["ACTION"] == "D").sum()):
        notes.append(f"{where}: {count} rows that are to be deleted (ACTION D) left out")
    rows = rows[~deleted]
    if len(other := rows.loc[~rows["INDICATOR"].isin(list(INDICATORS)), "INDICATOR"]):
        if len(other) == len(rows):
            raise refuse(where, f"the indicator {quote(other.iloc[0])}", " or ".join(INDICATORS))
        notes.append(f"{where}: {len(other)} rows of the indicator {quote(other.iloc[0])} left out")
    rows = rows.drop(other.index)
    for name in rows.columns.intersection(IN_DOLLARS):
        if other := sorted({*rows[name].unique()} - {*IN_DOLLARS[name]}):
            raise refuse(where, f"{name} {quote(other[0])}", "USD without a multiplier")
    estimated = rows["STATUS"].str.lower() == "e"
    if count := int(estimated.sum()):
        words = f"{count} of {len(rows)} values are estimates of the IMF, not reported by the country"
        notes.append(f"IMF: {words}")
    day, flow = rows["PUBLICATION_DATE"].str[:10], rows["INDICATOR"].map(INDICATORS)
    published = day.where(day.str.fullmatch(r"\d{4}-\d\d-\d\d"), "")
    about = {"flow": flow, "valuation": flow.map(VALUATION), "published": published}
    about |= {"status": estimated.map({True: "estimate", False: "ok"})}
    names = ["reporter", "indicator", "partner", "freq", "period"]
    found = rows[[*DIMENSIONS, "TIME_PERIOD"]].set_axis(names, axis=1).assign(**about)
    value = [tables.to_number(one, f"{where}: OBS_VALUE") for one in rows["OBS_VALUE"]]
    return found.astype("str").assign(value=value, unit="USD"), notes


# --- UN Comtrade ---

PREVIEW: dict[str, Any] = {"service": "public/v1/preview", "most": 500}
KEYED: dict[str, Any] = {"service": "data/v1/get", "most": 100_000}
PERIODS_A_CALL = 12  # with a key
FLOWS = {"X": "export", "M": "import"}
CODES = {"reporterCode": "reporter", "partnerCode": "partner", "period": "period"}
VALUES = ("primaryValue", "fobvalue", "cifvalue")

PARTS = ("partner2Code", "motCode", "customsCode", "cmdCode")
WHOLE = {name: PUBLISHERS["comtrade"].params[name] for name in PARTS}
"""What marks the row that counts everything, which alone is asked for."""


def _plan_comtrade(
    question: Question, desk: Desk, reporters: list[str], partners: list[str]
) -> list[Request]:
    """A period each, with a key twelve; the latest first: what the quota leaves open is then what changes least."""
    keyed = key_of("comtrade") is not None
    size, asked = (PERIODS_A_CALL, KEYED) if keyed else (1, PREVIEW)
    asked = asked | {"reporters": ",".join(reporters), "partners": ",".join(partners), "freq": question.freq}
    # All partners of one period and flow are some 230 rows: both flows might not fit into a preview.
    flows = [",".join(FLOWS)] if keyed or partners else [*FLOWS]
    periods = [period.replace("-", "") for period in periods_of(question.years, question.freq)]
    return [
        desk.request("comtrade", periods=",".join(periods[start : start + size]), flows=flow, **asked)
        for start in range(0, len(periods), size)[::-1]
        for flow in flows
    ]


def _read_comtrade(body: bytes, where: str) -> Rows:
    content = tables.read_json(body, where) if body else {"data": []}
    found = content if isinstance(content, dict) else {}
    rows, words = found.get("data"), str(found.get("error") or found.get("message") or "")
    if not isinstance(rows, list) or found.get("error"):
        raise refuse(where, f"the error {quote(words)}" if words else "JSON of another shape", "data")
    limit, count = (KEYED if f"/{KEYED['service']}/" in where else PREVIEW)["most"], found.get("count")
    if len(rows) >= limit:
        cut = f"{len(rows)} rows, the limit, so that some may be missing"
        raise refuse(where, cut, f"fewer than {limit}: ask for less")
    if type(count) is int and count >= 0 and count != len(rows):
        raise refuse(where, f"{len(rows)} rows where {count} were counted", "as many as counted")
    if set(map(type, rows)) - {dict}:
        raise refuse(where, "rows of another shape", "an object for each")
    # A row that says nothing of a part is taken as whole.
    rows = [row for row in rows if all(str(row.get(name, whole)) == whole for name, whole in WHOLE.items())]
    if other := sorted({str(row.get("flowCode")) for row in rows} - {*FLOWS}):
        raise refuse(where, f"the flow {quote(other[0])}", "X or M")
    value, fob, cif = (
        pd.Series([tables.to_number(row.get(name), f"{where}: {name}") for row in rows], dtype="float64")
        for name in VALUES
    )
    # Countries differ: some value their imports FOB. Where neither value is given it stays open.
    blank = pd.Series("", value.index, dtype="str")
    valuation = blank.mask(value == fob, "FOB").mask(value == cif, "CIF").mask((fob == cif) & fob.notna(), "")
    table = {name: [str(row.get(code)) for row in rows] for code, name in CODES.items()}
    table["flow"] = [FLOWS[row["flowCode"]] for row in rows]
    table["freq"] = [str(row.get("freqCode") or "A") for row in rows]
    frame = pd.DataFrame(table, dtype="str").assign(unit="USD", value=value, valuation=valuation)
    return frame[value.notna()], []
