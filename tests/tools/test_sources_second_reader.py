"""sdmx1 reads the same observations as the readers here: the IMF's SDMX-CSV, rates of the ECB, indicators of the World Bank.

The IMF's table goes to both as it is, but for the first column: it comes with that of SDMX-CSV 1.0, sdmx1 reads 2.0 alone.
The ECB and the World Bank publish the same numbers as SDMX-ML too; both forms are written here from one set of numbers.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import fault_server as server_of
import pandas as pd
from test_sources_real import answer

from lib.analysis.asking import ecb_rates
from lib.tools.sources import coded, covariates

ROWS = [
    (reporter, indicator, partner, "A", str(year), year * 1e6 + 0.25)
    for reporter, partner in (("CHN", "RUS"), ("RUS", "CHN"), ("CHN", "G001"))
    for indicator in ("XG_FOB_USD", "MG_CIF_USD")
    for year in range(2010, 2014)
]


def imf_by_sdmx(body: bytes) -> dict[tuple[str, ...], float]:
    """Values by country, indicator, partner, frequency and period; rows without a value left out before."""
    import sdmx  # takes long to import: so in all tests
    from sdmx.model import common, v30

    structure = v30.DataStructureDefinition(id="IMTS")
    for name in coded.DIMENSIONS:
        structure.dimensions.getdefault(name)
    structure.dimensions.append(common.TimeDimension(id="TIME_PERIOD"))
    structure.measures.getdefault("OBS_VALUE")
    header, *rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    rows = [row for row in rows if row[header.index("OBS_VALUE")]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [
            ["STRUCTURE", "STRUCTURE_ID", "ACTION", *header[1:]],
            *(["dataflow", row[0], "I", *row[1:]] for row in rows),
        ]
    )
    message = sdmx.read_sdmx(io.BytesIO(text.getvalue().encode()), format="csv", structure=structure)
    names = (*coded.DIMENSIONS, "TIME_PERIOD")
    found = {
        tuple(str(one.dimension[name].value) for name in names): float(one.value)
        for part in message.data
        for one in part.obs
    }
    return {key: value for key, value in found.items() if key[1] in coded.INDICATORS}


def imf_here(body: bytes) -> dict[tuple[str, ...], float]:
    rows, _ = coded._read_imf(body, "here")
    names = {flow: name for name, flow in coded.INDICATORS.items()}
    keys = zip(
        rows["reporter"], rows["flow"].map(names), rows["partner"], rows["freq"], rows["period"], strict=True
    )
    return dict(zip(keys, rows["value"], strict=True))


def test_the_imf() -> None:
    found = imf_here(server_of.imf_csv(ROWS))
    assert found == imf_by_sdmx(server_of.imf_csv(ROWS)) == {row[:5]: row[5] for row in ROWS}


def test_a_recorded_answer_of_the_imf() -> None:
    body = answer("imf_imts_nic_monthly.csv")
    assert len(imf_here(body)) == 872 and imf_here(body) == imf_by_sdmx(body)


def generic(series: dict[tuple[tuple[str, str], ...], dict[str, float]]) -> bytes:
    """An SDMX-ML 2.1 message of generic data: series by their key (pairs of dimension and code), values by period."""

    def pairs(key: tuple[tuple[str, str], ...]) -> str:
        return "".join(f'<g:Value id="{name}" value="{code}"/>' for name, code in key)

    def observations(values: dict[str, float]) -> str:
        return "".join(
            f'<g:Obs><g:ObsDimension value="{period}"/><g:ObsValue value="{value!r}"/></g:Obs>'
            for period, value in values.items()
        )

    base = "http://www.sdmx.org/resources/sdmxml/schemas/v2_1"
    body = "".join(
        f"<g:Series><g:SeriesKey>{pairs(key)}</g:SeriesKey>{observations(values)}</g:Series>"
        for key, values in series.items()
    )
    return (
        f'<m:GenericData xmlns:m="{base}/message" xmlns:g="{base}/data/generic" xmlns:c="{base}/common">'
        '<m:Header><m:ID>t</m:ID><m:Test>true</m:Test><m:Prepared>2026-11-24T12:00:00</m:Prepared><m:Sender id="X"/>'
        '<m:Structure structureID="S" dimensionAtObservation="TIME_PERIOD"><c:Structure><Ref agencyID="X" id="S" '
        'version="1.0"/></c:Structure></m:Structure></m:Header>'
        f'<m:DataSet structureRef="S">{body}</m:DataSet></m:GenericData>'
    ).encode()


def by_series(body: bytes, name: str) -> dict[str, dict[str, float]]:
    """Values by period of each code of a dimension."""
    import sdmx

    found: Any = sdmx.to_pandas(sdmx.read_sdmx(io.BytesIO(body), format="xml"))
    return {
        str(code): {
            str(key): float(value)
            for key, value in part.droplevel([n for n in part.index.names if n != "TIME_PERIOD"]).items()
        }
        for code, part in found.groupby(level=name)
    }


def test_rates_of_the_ecb(tmp_path: Path) -> None:
    euro = {"2013-01-03": {"USD": 1.31, "GBP": 0.81}, "2013-01-04": {"USD": 1.3, "GBP": 0.8125}}
    keys = {code: (("FREQ", "D"), ("CURRENCY", code), ("CURRENCY_DENOM", "EUR")) for code in ("USD", "GBP")}
    message = generic(
        {key: {day: quoted[code] for day, quoted in euro.items()} for code, key in keys.items()}
    )
    lines = ["Date,USD,GBP,", *(f"{day},{quoted['USD']},{quoted['GBP']}," for day, quoted in euro.items())]
    (tmp_path / "rates.csv").write_text("\n".join(lines) + "\n")
    here = ecb_rates(str(tmp_path / "rates.csv"))["GBP"]
    there = by_series(message, "CURRENCY")
    assert here.to_dict() == {
        pd.Timestamp(day): pounds / there["USD"][day] for day, pounds in there["GBP"].items()
    }


def test_an_indicator_of_the_world_bank() -> None:
    values = {"2010": 6087163874512.0, "2011": 7551500425597.5}
    key = (("FREQ", "A"), ("SERIES", "NY_GDP_MKTP_CD"), ("REF_AREA", "CHN"))
    rows = [
        {
            "indicator": {"id": "NY.GDP.MKTP.CD"},
            "country": {"id": "CN"},
            "countryiso3code": "CHN",
            "date": year,
            "value": value,
        }
        for year, value in values.items()
    ]
    body = json.dumps([{"page": 1, "pages": 1, "per_page": 20000, "total": len(rows)}, rows]).encode()
    found = covariates._read_worldbank(body, "here", "NY.GDP.MKTP.CD", "CHN")
    assert {f"{day:%Y}": value for day, value in found.items()} == by_series(
        generic({key: values}), "REF_AREA"
    )["CHN"]
