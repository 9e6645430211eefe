"""IMF, International Trade in Goods by partner country (IMTS), over SDMX 3.0 as SDMX-CSV 2.0.

A key is `COUNTRY.INDICATOR.COUNTERPART_COUNTRY.FREQUENCY`: codes like ISO3, `+` for several and `*` for all, so that a
pair, its mirror and the world are one request. Version `+` is the latest; `c[TIME_PERIOD]=ge:2000+le:2024` filters years,
`startPeriod` is ignored (both seen in client code of 2026, the first with full dates; a year alone is as SDMX REST 2.x
documents it, and untried).

A recorded answer (Nicaragua, August 2026, 41 columns) shows what is read here: every row has `SCALE` 6 and yet
`OBS_VALUE` in full dollars, so that the scale is a hint for display; one row has an indicator and neither key nor value;
`PUBLICATION_DATE` is the day of the release. An unknown code gives status 200 and no row.
"""

import pandas as pd

from lib.errors import quote
from lib.tools.sources import tables
from lib.tools.sources.client import Request, error_words, refuse
from lib.tools.sources.observations import Question
from lib.tools.sources.snapshots import Desk

FLOW = "/data/dataflow/IMF.STA/IMTS/+/"
DIMENSIONS = ("COUNTRY", "INDICATOR", "COUNTERPART_COUNTRY", "FREQUENCY")
INDICATORS = {"XG_FOB_USD": ("export", "FOB"), "MG_CIF_USD": ("import", "CIF")}
NAMES = {
    "COUNTRY": "reporter",
    "COUNTERPART_COUNTRY": "partner",
    "FREQUENCY": "freq",
    "TIME_PERIOD": "period",
}
MULTIPLIERS = ("UNIT_MULT", "UNIT_MULTIPLIER", "MULTIPLIER")


def plan(question: Question, desk: Desk) -> list[Request]:
    """Return the one request that brings both flows of the reporters with the partners, or with all."""
    reporters = "+".join(place.imf for place in question.reporters)
    partners = "+".join(place.imf for place in question.partners) if question.partners else "*"
    years = ("c[TIME_PERIOD]", f"ge:{question.years[0]}+le:{question.years[-1]}")
    path = f"{FLOW}{reporters}.{'+'.join(INDICATORS)}.{partners}.{question.freq}"
    return [desk.request("imf", path, (years,))]


def read(body: bytes, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read an answer: rows in the codes of the IMF, values in dollars, and notes."""
    if body.lstrip()[:1] == b"{":
        raise refuse(where, f"the error {quote(error_words(body))}", "an SDMX-CSV table")
    needed = (*DIMENSIONS, "TIME_PERIOD", "OBS_VALUE")
    optional = ("ACTION", "UNIT", "STATUS", "PUBLICATION_DATE", *MULTIPLIERS)
    rows = tables.read_columns(body or ",".join(needed).encode() + b"\n", where, needed, optional)
    rows, notes = _asked_for(rows[~rows["OBS_VALUE"].isin(tables.MISSING)], where)
    if "UNIT" in rows and (other := sorted(set(rows["UNIT"].unique()) - {"USD"})):
        raise refuse(where, f"the unit {quote(other[0])}", "USD")
    for name in rows.columns.intersection(MULTIPLIERS):  # SCALE is none
        if scaled := sorted(set(rows[name].unique()) - {"", "0"}):
            raise refuse(where, f"{name} {quote(scaled[0])}", "dollars without a multiplier")
    blank = pd.Series("", rows.index, dtype="str")
    day = rows.get("PUBLICATION_DATE", blank).str[:10]
    estimated = rows.get("STATUS", blank).str.lower() == "e"
    if count := int(estimated.sum()):
        words = f"{count} of {len(rows)} values are estimates of the IMF, not reported by the country"
        notes.append(f"IMF: {words}")
    found = rows.rename(columns=NAMES)[[*NAMES.values()]].assign(
        flow=rows["INDICATOR"].map({name: flow for name, (flow, _) in INDICATORS.items()}),
        valuation=rows["INDICATOR"].map({name: valuation for name, (_, valuation) in INDICATORS.items()}),
        published=day.where(day.str.fullmatch(r"\d{4}-\d\d-\d\d"), ""),
        status=blank.mask(estimated, "estimate").mask(~estimated, "ok"),
    )
    value = [tables.to_number(one, f"{where}: OBS_VALUE") for one in rows["OBS_VALUE"]]
    return found.astype("str").assign(value=value, unit="USD").reset_index(drop=True), notes


def _asked_for(rows: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Leave out, and name, what was not asked for: values that the answer deletes, other indicators."""
    notes = []
    deleted = rows.get("ACTION", pd.Series("", rows.index)) == "D"
    if count := int(deleted.sum()):
        notes.append(f"{where}: {count} rows that are to be deleted (ACTION D) left out")
    kept = rows[~deleted & rows["INDICATOR"].isin(list(INDICATORS))]
    if len(other := rows.loc[~deleted, "INDICATOR"].drop(kept.index)):
        if kept.empty:
            raise refuse(where, f"the indicator {quote(other.iloc[0])}", " or ".join(INDICATORS))
        notes.append(f"{where}: {len(other)} rows of the indicator {quote(other.iloc[0])} left out")
    return kept, notes
