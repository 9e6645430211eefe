"""IMF, International Trade in Goods by partner country (IMTS), over SDMX 3.0, as CSV or JSON.

A key is `COUNTRY.INDICATOR.COUNTERPART_COUNTRY.FREQUENCY`, ISO3 codes, `+` for several and `*` for all. The server
ignores `startPeriod`, so that years are cut after reading. Values are dollars. SDMX-CSV 2.0 and SDMX-JSON 2.0 are
described in the technical specifications of SDMX 3.0 (sdmx.org).
"""

from typing import Any

import numpy as np
import pandas as pd

from lib.economies import Economy
from lib.errors import UserError, quote
from lib.tools.sources import decode
from lib.tools.sources.client import Request, refuse

FLOW = "/data/dataflow/IMF.STA/IMTS/1.0.0/"

DIMENSIONS = ("COUNTRY", "INDICATOR", "COUNTERPART_COUNTRY", "FREQUENCY")

INDICATORS = {"XG_FOB_USD": ("export", "FOB"), "MG_CIF_USD": ("import", "CIF")}

FREQUENCIES = ("A", "Q", "M")

CSV_TYPE, JSON_TYPE = "application/vnd.sdmx.data+csv", "application/vnd.sdmx.data+json"

SCALE_COLUMNS = ("SCALE", "UNIT_MULT")


def plan(
    reporter: Economy,
    partner: Economy | None,
    flows: tuple[str, ...],
    freq: str,
    years: range,
    **request: Any,
) -> list[Request]:
    """Return the one request that brings the flows of a reporter with a partner, or with all."""
    indicators = "+".join(name for name, (flow, _) in INDICATORS.items() if flow in flows)
    key = f"{reporter.imf}.{indicators}.{partner.imf if partner else '*'}.{freq}"
    accept = f"{CSV_TYPE}, {JSON_TYPE};q=0.9, application/json;q=0.8"
    media = (CSV_TYPE, JSON_TYPE, "text/csv", "application/json")
    return [Request(path=FLOW + key, accept=accept, media=media, **request)]


def read(body: bytes, media: str, where: str) -> pd.DataFrame:
    """Read an answer.

    Returns
    -------
    Frame with reporter and partner (codes of the IMF), flow, valuation, freq, period (as written) and value in dollars;
    observations without a value are left out.
    """
    if not body:  # status 204: there is nothing
        rows = coded([[], [], [], []], [], [])
    else:
        rows = read_csv(body, where) if "csv" in media else read_json(body, where)
    check_indicators(rows, where)
    rows = rows[rows["value"].notna()].reset_index(drop=True)
    flows = rows["indicator"].map({name: flow for name, (flow, _) in INDICATORS.items()})
    valuation = rows["indicator"].map({name: valued for name, (_, valued) in INDICATORS.items()})
    return rows.drop(columns="indicator").assign(flow=flows.astype("str"), valuation=valuation.astype("str"))


def coded(dimensions: list[Any], period: Any, value: Any) -> pd.DataFrame:
    """Return the columns that both forms give; the dimensions stand in the order of `DIMENSIONS`."""
    names = ("reporter", "indicator", "partner", "freq", "period")
    texts = zip(names, [*dimensions, period], strict=True)
    frame = pd.DataFrame({name: pd.Series(column, dtype="str") for name, column in texts})
    return frame.assign(value=np.asarray(value, dtype="float64"))


def check_indicators(rows: pd.DataFrame, where: str) -> None:
    """Refuse an answer to another question."""
    if other := sorted(set(rows["indicator"].unique()) - set(INDICATORS)):
        raise refuse(where, f"the indicator {quote(other[0])}", " or ".join(INDICATORS))


def read_csv(body: bytes, where: str) -> pd.DataFrame:
    """Read SDMX-CSV: columns may stand in any order; an error that is sent as JSON is told."""
    if body.lstrip()[:1] == b"{":
        raise sdmx_error(decode.read_json(body, where), where)
    rows = decode.read_table(body, where, (*DIMENSIONS, "TIME_PERIOD", "OBS_VALUE"), SCALE_COLUMNS)
    for name in SCALE_COLUMNS:
        if name in rows and (scaled := sorted(set(rows[name].unique()) - {"", "0", "Units"})):
            raise refuse(where, f"values in the scale {quote(scaled[0])}", "dollars without a scale")
    values = decode.to_numbers(rows["OBS_VALUE"].to_list(), f"{where}: OBS_VALUE")
    return coded([rows[name] for name in DIMENSIONS], rows["TIME_PERIOD"], values)


def read_json(body: bytes, where: str) -> pd.DataFrame:
    """Read SDMX-JSON: series and observations refer to the lists of codes by their place."""
    content = decode.read_json(body, where)
    try:
        if not content["data"]["dataSets"]:
            return coded([[], [], [], []], [], [])
        structure = content["data"]["structures"][0]["dimensions"]
        names = [dimension["id"] for dimension in structure["series"]]
        codes = [[text(value["id"]) for value in dimension["values"]] for dimension in structure["series"]]
        times = [text(value.get("value") or value["id"]) for value in structure["observation"][0]["values"]]
        series = content["data"]["dataSets"][0].get("series", {})
        places = [names.index(name) for name in DIMENSIONS]
        return unfold(series, codes, places, times, where)
    except UserError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise sdmx_error(content, where) from None


def unfold(
    series: dict[str, Any], codes: list[list[str]], places: list[int], times: list[str], where: str
) -> pd.DataFrame:
    """Return a row for each observation of each series."""
    lengths, periods, values = [], [], []
    columns: list[list[str]] = [[] for _ in places]
    for key, one in series.items():
        numbers = [int(number) for number in key.split(":")]
        observations = one["observations"]
        for column, place in zip(columns, places, strict=True):
            column.append(codes[place][at(numbers[place])])
        lengths.append(len(observations))
        periods += [times[at(int(place))] for place in observations]
        values += [observation[0] if observation else None for observation in observations.values()]
    numbers_of = decode.to_numbers(values, f"{where}: observations")
    repeated = [np.repeat(np.array(column, dtype=object), lengths) for column in columns]
    return coded(repeated, periods, numbers_of)


def text(code: Any) -> str:
    """Return a code that is a text; null or a number in its place is a fault of the answer."""
    if not isinstance(code, str):
        raise TypeError(code)
    return code


def at(place: int) -> int:
    """Return a place in a list; a negative one would silently count from its end."""
    if place < 0:
        raise IndexError(place)
    return place


def sdmx_error(content: Any, where: str) -> Exception:
    """Return what to say of JSON that is not a data message: the server's words where it has some."""
    words = [
        str(content[name])
        for name in ("message", "code", "correlationId")
        if isinstance(content, dict) and content.get(name)
    ]
    found = f"the error {quote(', '.join(words))}" if words else "JSON of another shape"
    return refuse(where, found, "an SDMX data message")
