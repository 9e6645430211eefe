"""IMF, International Trade in Goods by partner country (IMTS), over SDMX 3.0 as SDMX-CSV 2.0.

A key is `COUNTRY.INDICATOR.COUNTERPART_COUNTRY.FREQUENCY`: codes like ISO3, `+` for several and `*` for all, so that a
pair, its mirror and the world are one request. Version `+` is the latest; `c[TIME_PERIOD]=ge:2000+le:2024` filters years,
`startPeriod` is ignored (both seen in client code of 2026, the first with full dates; a year alone is as SDMX REST 2.x
documents it, and untried).

A recorded answer (Nicaragua, August 2026, 41 columns) shows what is read here: every row has `SCALE` 6 and yet
`OBS_VALUE` in full dollars, so that the scale is a hint for display; one row has an indicator and neither key nor value;
`PUBLICATION_DATE` is the day of the release. An unknown code gives status 200 and no row.
"""

from typing import Any

import pandas as pd

from lib.errors import quote
from lib.tools.sources import decode
from lib.tools.sources.client import Request, error_words, refuse
from lib.tools.sources.observations import Question

FLOW = "/data/dataflow/IMF.STA/IMTS/+/"
DIMENSIONS = ("COUNTRY", "INDICATOR", "COUNTERPART_COUNTRY", "FREQUENCY")
INDICATORS = {"XG_FOB_USD": ("export", "FOB"), "MG_CIF_USD": ("import", "CIF")}
FREQUENCIES = ("A", "Q", "M")
MEDIA = "application/vnd.sdmx.data+csv"
MULTIPLIERS = ("UNIT_MULT", "UNIT_MULTIPLIER", "MULTIPLIER")
ESTIMATE = "e"


def plan(question: Question, look: Any, **about: Any) -> list[Request]:
    """Return the one request that brings all flows of the reporters with the partners, or with all."""
    indicators = "+".join(name for name, (flow, _) in INDICATORS.items() if flow in question.single)
    reporters = "+".join(place.imf for place in question.reporters)
    partners = "+".join(place.imf for place in question.partners) if question.partners else "*"
    years = ("c[TIME_PERIOD]", f"ge:{question.years[0]}+le:{question.years[-1]}")
    path = f"{FLOW}{reporters}.{indicators}.{partners}.{question.freq}"
    return [Request(path=path, params=(years,), accept=f"{MEDIA};version=2.0.0", media=(MEDIA,), **about)]


def read(body: bytes, media: str, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read an answer.

    Returns
    -------
    Rows in the codes of the IMF (`observations.COLUMNS` as far as the source says them; values in dollars), and notes.

    Raises
    ------
    UserError
        For an error in place of data, another unit than dollars, a true multiplier, or indicators of another question.
    """
    if body.lstrip()[:1] == b"{":
        raise refuse(where, f"the error {quote(error_words(body))}", "an SDMX-CSV table")
    header = ",".join((*DIMENSIONS, "TIME_PERIOD", "OBS_VALUE")).encode() + b"\n"
    optional = ("ACTION", "UNIT", "STATUS", "PUBLICATION_DATE", *MULTIPLIERS)
    rows = decode.read_table(body or header, where, (*DIMENSIONS, "TIME_PERIOD", "OBS_VALUE"), optional)
    rows = rows[~rows["OBS_VALUE"].isin(decode.MISSING)]
    rows, notes = _without_others(rows, where)
    _check_unit(rows, where)
    value = decode.to_numbers(rows["OBS_VALUE"].to_list(), f"{where}: OBS_VALUE")
    day = rows.get("PUBLICATION_DATE", pd.Series("", rows.index, dtype="str")).str[:10]
    estimated = rows.get("STATUS", pd.Series("", rows.index, dtype="str")).str.lower() == ESTIMATE
    meant = {
        place: rows["INDICATOR"].map({name: one[place] for name, one in INDICATORS.items()})
        for place in (0, 1)
    }
    texts = {
        "reporter": rows["COUNTRY"],
        "partner": rows["COUNTERPART_COUNTRY"],
        "flow": meant[0],
        "valuation": meant[1],
        "freq": rows["FREQUENCY"],
        "period": rows["TIME_PERIOD"],
        "published": day.where(day.str.fullmatch(r"\d{4}-\d\d-\d\d"), ""),
        "status": pd.Series("ok", rows.index).mask(estimated, "estimate"),
    }
    coded = pd.DataFrame(texts, dtype="str").assign(value=value, unit="USD")
    if count := int(estimated.sum()):
        words = f"{count} of {len(rows)} values are estimates of the IMF, not reported by the country"
        notes.append(f"IMF: {words}")
    return coded.reset_index(drop=True), notes


def _without_others(rows: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Leave out, and name, what was not asked for: values that the answer deletes, other indicators."""
    notes = []
    if "ACTION" in rows and (deleted := int((rows["ACTION"] == "D").sum())):
        notes.append(f"{where}: {deleted} rows that are to be deleted (ACTION D) left out")
        rows = rows[rows["ACTION"] != "D"]
    other = rows.loc[~rows["INDICATOR"].isin(list(INDICATORS)), "INDICATOR"]
    if len(other) and len(other) == len(rows):
        raise refuse(where, f"the indicator {quote(other.iloc[0])}", " or ".join(INDICATORS))
    if len(other):
        notes.append(f"{where}: {len(other)} rows of the indicator {quote(other.iloc[0])} left out")
    return rows.drop(other.index), notes


def _check_unit(rows: pd.DataFrame, where: str) -> None:
    """Refuse values that are not dollars, or that a column other than SCALE multiplies."""
    if "UNIT" in rows and (other := sorted(set(rows["UNIT"].unique()) - {"USD"})):
        raise refuse(where, f"the unit {quote(other[0])}", "USD")
    for name in MULTIPLIERS:
        if name in rows and (scaled := sorted(set(rows[name].unique()) - {"", "0"})):
            raise refuse(where, f"{name} {quote(scaled[0])}", "dollars without a multiplier")
