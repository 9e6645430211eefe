"""Each source by the shapes that it documents: what is read, and how every fault of content is told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import fault_server as server_of
import pandas as pd
import pytest
from fault_server import Server
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some
from sources_kit import fetch_flow, rouble_days

from lib.analysis.asking import ecb_rates
from lib.economies import economies, find_economy
from lib.errors import UserError
from lib.tools import curation
from lib.tools.sources import coded, covariates, observations, record
from lib.tools.sources.client import Request, get
from lib.tools.sources.covariates import RECIPES
from lib.tools.sources.record import Fetched, _gaps_of, fetch_panel
from lib.tools.sources.snapshots import Desk

YEARS = range(2010, 2013)
SOURCES = ["imf", "comtrade"]


pytestmark = pytest.mark.usefixtures("nothing_from_outside")


def fetch_one(source: str, desk: Desk, **changes: object) -> Fetched:
    pair = {"reporter": "China", "partner": "Russia", "flow": "export", "years": YEARS} | changes
    return fetch_flow(source, desk=desk, **pair)  # type: ignore[arg-type]


def values(fetched: Fetched) -> dict[str, float]:
    return fetched.observations.set_index("period")["value"].to_dict()


def expected(
    server: Server, flow: str = "export", years: range = YEARS, reporter: str = "CHN"
) -> dict[str, float]:
    known = server.world.trade[reporter, "RUS", flow]
    return {str(year): known[str(year)] for year in years if str(year) in known}


# --- what is read ---


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("flow", ["export", "import"])
def test_a_flow_is_read_to_the_last_digit(source: str, flow: str, server: Server, desk: Desk) -> None:
    fetched = fetch_one(source, desk, flow=flow)
    assert values(fetched) == expected(server, flow)
    first = fetched.observations.iloc[0]
    assert first["reporter"] == "China" and first["partner"] == "Russia" and first["unit"] == "USD"
    assert first["valuation"] == {"export": "FOB", "import": "CIF"}[flow]
    assert set(fetched.observations["snapshot"]) == {path.stem for path in desk.store.glob("bodies/*/*.gz")}
    assert fetched.notes == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_total_is_export_and_import_together(source: str, server: Server, desk: Desk) -> None:
    found = values(fetch_one(source, desk, flow="total"))
    exports, imports = expected(server), expected(server, "import")
    assert found == pytest.approx({year: exports[year] + imports[year] for year in exports}, rel=1e-15)


@pytest.mark.parametrize("source", SOURCES)
def test_months_are_read(source: str, server: Server, desk: Desk) -> None:
    fetched = fetch_one(source, desk, freq="M", years=range(2013, 2014))
    known = server.world.trade["CHN", "RUS", "export"]
    assert values(fetched) == {
        period: known[period] for period in (f"2013-{month:02}" for month in range(1, 13))
    }


def test_the_example_of_comtrades_own_client_is_read() -> None:
    """The answer in the notebook of comtradeapicall (UN Statistics Division, MIT), as far as it is read."""
    body = (
        b'{"elapsedTime":"0.09 secs","count":1,"error":"","data":[{"typeCode":"C","freqCode":"A","period":"2023",'
        b'"reporterCode":156,"flowCode":"X","partnerCode":643,"partner2Code":0,"cmdCode":"TOTAL","customsCode":"C00",'
        b'"motCode":0,"cifvalue":null,"fobvalue":1.0,"primaryValue":1.0,"isAggregate":true}]}'
    )
    row = coded._read_comtrade(body, "here")[0].iloc[0].to_dict()
    assert row == {
        "reporter": "156", "partner": "643", "freq": "A", "period": "2023", "flow": "export", "valuation": "FOB", "value": 1.0,
        "unit": "USD",
    }  # fmt: skip


def test_comtrade_is_always_asked_for_the_whole(server: Server, desk: Desk) -> None:
    fetch_one("comtrade", desk, flow="total", years=range(2020, 2026))
    assert len(server.seen) == 6, "a year each"
    for path, _ in server.seen:
        assert path.startswith("/comtrade/public/v1/preview/C/A/HS?")
        for part in (
            "partner2Code=0",
            "motCode=0",
            "customsCode=C00",
            "cmdCode=TOTAL",
            "reporterCode=156,643",
            "partnerCode=0,156,643",
        ):
            assert part in path


def test_comtrade_with_a_key_asks_the_keyed_service(
    server: Server, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMTRADE_API_KEY", "abc")
    assert values(fetch_one("comtrade", desk)) == expected(server)
    assert len(server.seen) == 1, "twelve years a request"
    assert server.seen[0][0].startswith("/comtrade/data/v1/get/C/A/HS?")
    assert "abc" not in server.seen[0][0]


def test_comtrades_parts_of_a_flow_do_not_count_twice(server: Server, desk: Desk) -> None:
    """Without the three parameters, or against a server that ignores them, parts come beside the whole."""
    whole = server_of.comtrade_row(156, 643, "X", "2013", 100.0)
    parts = [
        server_of.comtrade_row(156, 643, "X", "2013", 60.0, motCode=1000),
        server_of.comtrade_row(156, 643, "X", "2013", 40.0, partner2Code=344),
        server_of.comtrade_row(156, 643, "X", "2013", 30.0, customsCode="C04"),
    ]
    server.always(server_of.instead(server_of.comtrade_json([*parts, whole])))
    assert values(fetch_one("comtrade", desk, years=range(2013, 2014))) == {"2013": 100.0}


def test_the_request_to_the_imf_is_the_one_that_was_recorded(server: Server, desk: Desk) -> None:
    fetch_one("imf", desk)
    path, headers = server.seen[0]
    assert path == (
        "/imf/data/dataflow/IMF.STA/IMTS/+/CHN+RUS.XG_FOB_USD+MG_CIF_USD.CHN+G001+RUS.A"
        "?c[TIME_PERIOD]=ge:2010+le:2012"
    )
    assert headers["Accept"] == "application/vnd.sdmx.data+csv;version=2.0.0"
    assert len(server.seen) == 1, "pair, mirror and world at once"


def test_palestine_has_its_code_and_taiwan_is_a_partner_alone() -> None:
    assert find_economy("Palestine").imf == "WBG"
    for source in SOURCES:
        question = record.pair_question(source, "Japan", "Taiwan", "A", YEARS)
        assert [place.name for place in question.reporters] == ["Japan"]
        with pytest.raises(UserError, match=f"found Taiwan, which does not report to {source}"):
            record.pair_question(source, "Taiwan", "Japan", "A", YEARS)


def test_rows_that_an_answer_deletes_are_no_values(server: Server, desk: Desk) -> None:
    kept = imf_body(ACTION="I")
    deleted = imf_body(lambda rows: [(*row[:5], 9.0) for row in rows], ACTION="D")
    server.always(server_of.instead(kept + deleted.partition(b"\r\n")[2]))
    fetched = fetch_one("imf", desk)
    assert values(fetched) == {str(year): float(year) for year in YEARS}
    assert any("3 rows that are to be deleted (ACTION D) left out" in note for note in fetched.notes)


def test_the_valuation_is_what_the_source_says(server: Server, desk: Desk) -> None:
    rows = [
        server_of.comtrade_row(156, 643, "M", "2013", 100.0, cifvalue=None, fobvalue=100.0),
        server_of.comtrade_row(156, 643, "X", "2013", 80.0),
        server_of.comtrade_row(643, 156, "M", "2013", 90.0, cifvalue=None, fobvalue=None),
    ]
    server.always(server_of.instead(server_of.comtrade_json(rows)))
    question = record.pair_question("comtrade", "China", "Russia", "A", range(2013, 2014))
    found = record._fetch(question, desk).observations.set_index(["reporter", "flow"])["valuation"]
    assert found.to_dict() == {
        ("China", "import"): "FOB",
        ("China", "export"): "FOB",
        ("China", "total"): "FOB + FOB",
        ("Russia", "import"): "",
    }


def test_a_quota_that_ends_on_the_way_keeps_what_came_and_the_next_call_goes_on(
    server: Server, desk: Desk
) -> None:
    through = [lambda handler, reply: handler.send(reply)] * 2
    server.next(*through, server_of.quota_used)
    first = fetch_one("comtrade", desk, max_age=timedelta(days=7))
    assert list(values(first)) == ["2011", "2012"], "the latest first"
    assert any("5 h 12 min" in note and "2 of 3 calls are answered" in note for note in first.notes)
    server.seen.clear()
    again = fetch_one("comtrade", desk, max_age=timedelta(days=7))
    assert values(again) == expected(server) and len(server.seen) == 1
    server.always(server_of.quota_used)
    with pytest.raises(UserError, match="ask again in 5 h 12 min"):
        fetch_one("comtrade", desk, reporter="India")


def test_the_preview_refuses_several_periods(server: Server, desk: Desk) -> None:
    """As the public server does; so a question of several years must be several calls, which all other tests see."""
    several = Request(
        "comtrade", server.bases["comtrade"], "/public/v1/preview/C/A/HS", tuple(query_of(YEARS).items())
    )
    with pytest.raises(UserError, match='status 400: "Only one period is allowed"'):
        get(desk.client, several)


# --- what is missing is named ---


@pytest.mark.parametrize("source", SOURCES)
def test_missing_years_are_named(source: str, server: Server, desk: Desk) -> None:
    question = record.pair_question(source, "India", "Russia", "A", range(2013, 2016))
    fetched = record._fetch(question, desk)
    rows = fetched.observations[fetched.observations["reporter"] == "India"]
    by_flow = {flow: set(found["period"]) for flow, found in rows.groupby("flow")}
    assert by_flow == {
        "export": {"2013", "2015"},
        "import": {"2013", "2014", "2015"},
        "total": {"2013", "2015"},
    }
    later = question._replace(years=range(2013, 2017))
    assert _gaps_of(later, "India", "Russia", rows)[1] == "India–Russia, export: no value for 2014, 2016"
    assert "India–Russia: no total, one flow alone: 2014" in fetched.notes


def query_of(years: range) -> dict[str, str]:
    return {"reporterCode": "156", "partnerCode": "643", "flowCode": "X", "period": ",".join(map(str, years))}


@pytest.mark.parametrize("text", ["NaN", "", "null"])
def test_an_observation_without_a_value_is_missing_not_zero(text: str, server: Server, desk: Desk) -> None:
    rows = [
        ("CHN", "XG_FOB_USD", "RUS", "A", year, text if year == "2012" else 5.0)
        for year in ("2010", "2011", "2012")
    ]
    server.always(server_of.instead(server_of.imf_csv(rows)))
    fetched = fetch_one("imf", desk, years=range(2010, 2013))
    assert values(fetched) == {"2010": 5.0, "2011": 5.0}


@pytest.mark.parametrize("source", SOURCES)
def test_an_empty_answer_is_no_content(source: str, server: Server, desk: Desk) -> None:
    server.always(server_of.status(204))
    assert values(fetch_one(source, desk)) == {}


def test_a_period_that_is_not_over_is_no_full_figure(server: Server, desk: Desk) -> None:
    rows = [("CHN", "XG_FOB_USD", "RUS", "A", year, 5.0) for year in ("2024", "2025", "2026")]
    server.always(server_of.instead(server_of.imf_csv(rows)))
    fetched = fetch_one("imf", desk, years=range(2024, 2027))
    assert list(values(fetched)) == ["2024", "2025"]
    assert any("left out, not over on 2026-11-24: 2026" in note for note in fetched.notes)


# --- faults of content ---


COUNTED = [*server_of.IMF_COLUMNS[1:6], "OBS_VALUE"]
METADATA = b",MG_FOB_USD,,,,\r\n"


def imf_body(change: Callable[[list[tuple]], list[tuple]] = lambda rows: rows, **options: object) -> bytes:
    rows = [("CHN", "XG_FOB_USD", "RUS", "A", str(year), float(year)) for year in YEARS]
    return server_of.imf_csv(change(rows), **options)  # type: ignore[arg-type]


COMTRADE_ROW = server_of.comtrade_row(156, 643, "X", "2013", 1.0)


def comtrade_body(**changes: object) -> bytes:
    return server_of.comtrade_json([COMTRADE_ROW | changes])


def big(count: int) -> bytes:
    return server_of.comtrade_json(
        [server_of.comtrade_row(156, number, "X", "2013", 1.0) for number in range(count)]
    )


REFUSED = [
    ("imf", imf_body(lambda rows: [*rows, (*rows[0][:5], 7.0)]), "2010, 7 for China Russia export A 2010, expected one value"),
    ("imf", imf_body(lambda rows: [(*rows[0][:5], "inf")]), 'OBS_VALUE: found "inf", expected a number'),
    ("imf", imf_body(lambda rows: [(*rows[0][:5], "1e999")]), 'found "1e999", expected a finite number'),
    ("imf", imf_body(lambda rows: [(*rows[0][:5], "Infinity")]), 'found "Infinity", expected a number'),
    ("imf", imf_body(lambda rows: [(*rows[0][:5], "1,5")]), 'found "1,5", expected a number with a decimal point'),
    ("imf", imf_body(lambda rows: [(*rows[0][:5], "1 000")]), 'found "1 000"'),
    ("imf", imf_body(lambda rows: [(*rows[0][:5], "٢٣٠")]), "expected a number"),
    ("imf", imf_body(lambda rows: [(*rows[0][:5], "1_0")]), "expected a number"),
    ("imf", imf_body(lambda rows: [(*rows[0][:5], "-5")]), 'found value "-5.0", expected .*0'),
    ("imf", imf_body(lambda rows: [(*rows[0][:4], "20100", 5.0)]), 'the period "20100", expected an annual one'),
    ("imf", imf_body(lambda rows: [(*rows[0][:4], "2010-M13", 5.0)]), 'the period "2010-M13"'),
    ("imf", imf_body(lambda rows: [(*rows[0][:3], "M", "2010-01", 5.0)]), 'the freq "M", expected A'),
    ("imf", imf_body(lambda rows: [("IND", *rows[0][1:])]), 'the reporter "IND", expected CHN or RUS'),
    ("imf", imf_body(lambda rows: [(*rows[0][:2], "IND", *rows[0][3:])]), 'the partner "IND", expected CHN or G001 or RUS'),
    ("imf", imf_body(lambda rows: [("CHN", "TBG_USD", *rows[0][2:])]), 'the indicator "TBG_USD", expected XG_FOB_USD'),
    ("imf", imf_body(columns=["COUNTRY", "INDICATOR", "COUNTERPART_COUNTRY", "FREQUENCY", "TIME_PERIOD"]), "no column OBS_VALUE"),
    ("imf", imf_body().replace(b"OBS_VALUE", b"FREQUENCY"), "no column OBS_VALUE|FREQUENCY 2 times"),
    ("imf", imf_body().replace(b"DATAFLOW", b"OBS_VALUE"), "the column OBS_VALUE 2 times, expected it once"),
    ("imf", imf_body()[:-12], "a last row without its end, expected a complete CSV"),
    ("imf", imf_body(columns=COUNTED)[: -len(METADATA) - 4], "a last row without its end"),  # 2015.0 would be 20
    ("imf", imf_body() + b"a,b\r\n", "rows that cannot be read"),
    ("imf", imf_body(UNIT="EUR"), 'UNIT "EUR", expected USD'),
    ("imf", imf_body(UNIT=""), 'UNIT "", expected USD'),
    ("imf", imf_body(UNIT_MULT="6"), 'UNIT_MULT "6", expected USD without a multiplier'),
    ("imf", imf_body(MULTIPLIER="1000"), 'MULTIPLIER "1000", expected USD without a multiplier'),
    ("imf", b"", "an empty body with status 200"),
    ("imf", b"\xff\xfe\x00", "bytes that are not utf-16"),
    ("imf", "ungültig".encode("latin-1"), "bytes that are not utf-8"),
    ("imf", b'{"message":"No such flow","code":"E7","correlationId":"c1"}', 'the error "No such flow"'),
    ("imf", server_of.PORTAL, "a web page that begins"),
    ("comtrade", b"", "an empty body with status 200"),
    ("comtrade", b'{"statusCode":500,"message":"Internal error"}', 'the error "Internal error", expected data'),
    ("comtrade", server_of.comtrade_json([], "Invalid period"), 'the error "Invalid period", expected data'),
    ("comtrade", server_of.PORTAL, "a web page that begins"),
    ("comtrade", b"[]", "JSON of another shape"),
    ("comtrade", b'{"data": [1]}', "rows of another shape"),
    ("comtrade", comtrade_body(primaryValue="1.5 bn"), 'primaryValue: found "1.5 bn"'),
    ("comtrade", comtrade_body(primaryValue="inf"), 'found "inf"'),
    ("comtrade", comtrade_body(primaryValue=[1]), "expected a number"),
    ("comtrade", comtrade_body(primaryValue=True), "expected a number"),
    ("comtrade", comtrade_body(primaryValue=-1.0), 'found value "-1.0"'),
    ("comtrade", comtrade_body(flowCode="RX"), 'the flow "RX", expected X or M'),
    ("comtrade", comtrade_body(period=None), 'the period "None"'),
    ("comtrade", comtrade_body(period="2013x"), 'the period "2013x"'),
    ("comtrade", comtrade_body(reporterCode=699), 'the reporter "699", expected 156 or 643'),
    ("comtrade", comtrade_body(partnerCode=699), 'the partner "699", expected 156 or 0 or 643'),
    ("comtrade", comtrade_body().replace(b'"count": 1', b'"count": 3'), "1 rows where 3 were counted"),
    ("comtrade", comtrade_body().replace(b"1.0", b"NaN"), "no valid JSON"),
    ("comtrade", server_of.comtrade_json([COMTRADE_ROW, COMTRADE_ROW | {"primaryValue": 2.0}]), "1, 2 for China Russia export"),
    ("comtrade", big(500), "500 rows, the limit, so that some may be missing, expected fewer than 500"),
    ("comtrade", comtrade_body()[:-30], "no valid JSON"),
]  # fmt: skip


@exhaustive
@pytest.mark.parametrize(("source", "body", "message"), some(REFUSED, 3), ids=some(range(len(REFUSED)), 3))
def test_content_that_cannot_be_trusted_is_refused_whole(
    source: str, body: bytes, message: str, server: Server, desk: Desk
) -> None:
    media = "application/json" if source == "comtrade" else server_of.CSV_TYPE
    server.always(server_of.instead(body, media))
    with pytest.raises(UserError, match=message):
        fetch_one(source, desk)
    assert list(desk.store.glob("records/*/*/*")) == []
    assert len(list(desk.store.glob("refused/*"))) == (body != b"")
    with pytest.raises(UserError):
        fetch_one(source, desk, offline=True)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "fault",
    [server_of.with_bom, server_of.zipped, server_of.changed(lambda body: body + b"\n")],
    ids=["bom", "gzip", "newline"],
)
def test_harmless_differences_of_form_are_read(
    source: str, fault: server_of.Fault, server: Server, desk: Desk
) -> None:
    server.always(fault)
    assert values(fetch_one(source, desk)) == expected(server)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "fault", [server_of.xml_error, server_of.disguised_portal_page], ids=["xml", "portal"]
)
def test_markup_with_status_200_is_told(
    source: str, fault: server_of.Fault, server: Server, desk: Desk
) -> None:
    server.always(fault)
    with pytest.raises(UserError, match=r"found (XML|a web page) that begins"):
        fetch_one(source, desk)
    assert len(list(desk.store.glob("refused/*"))) == 1 and not list(desk.store.glob("records/*/*/*"))


def test_columns_may_stand_in_any_order_beside_unknown_ones(server: Server, desk: Desk) -> None:
    columns = [
        "OBS_VALUE",
        "TIME_PERIOD",
        "ACTION",
        "FREQUENCY",
        "COUNTERPART_COUNTRY",
        "INDICATOR",
        "COUNTRY",
    ]
    server.always(server_of.instead(imf_body(columns=columns)))
    assert values(fetch_one("imf", desk)) == {str(year): float(year) for year in YEARS}


@pytest.mark.parametrize("source", SOURCES)
def test_rows_that_stand_twice_count_once_and_are_told(source: str, server: Server, desk: Desk) -> None:
    twice = imf_body(lambda rows: [*rows, rows[0]])
    rows = server_of.comtrade_rows(server.world, query_of(YEARS), "A")
    server.always(server_of.instead(twice if source == "imf" else server_of.comtrade_json([*rows, rows[0]])))
    fetched = fetch_one(source, desk)
    assert len(values(fetched)) == len(fetched.observations) == 3
    assert any("1 rows stood there twice with the same value" in note for note in fetched.notes)


def test_numbers_as_plain_text_are_numbers(server: Server, desk: Desk) -> None:
    server.always(server_of.instead(comtrade_body(primaryValue="1234.5", period=2013)))
    assert values(fetch_one("comtrade", desk, years=range(2013, 2014))) == {"2013": 1234.5}


# --- the question ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reporter": "Harbin"}, 'economy: found "Harbin", expected a country'),
        ({"reporter": "Chna"}, '"China", or one of'),
        ({"partner": "China"}, "the reporter itself"),
        ({"freq": "W"}, 'frequency: found "W" of imf, expected A or Q or M'),
        ({"years": range(0)}, "years: found none"),
    ],
)
def test_a_wrong_question_is_told_before_anybody_is_asked(
    changes: dict, message: str, server: Server, desk: Desk
) -> None:
    with pytest.raises(UserError, match=message):
        fetch_one("imf", desk, **changes)
    assert server.seen == []


def test_comtrade_has_no_quarters_and_an_unknown_source_is_told(desk: Desk) -> None:
    with pytest.raises(UserError, match='frequency: found "Q" of comtrade, expected A or M'):
        fetch_one("comtrade", desk, freq="Q")
    with pytest.raises(
        UserError, match='source: found "imff", expected "imf", or one of: comtrade, gacc, imf'
    ):
        fetch_one("imff", desk)


@pytest.mark.parametrize("name", ["Viet Nam", "vietnam", "VNM", "vn"])
def test_an_economy_has_several_names(name: str) -> None:
    assert find_economy(name).iso3 == "VNM"


def test_codes_of_economies_are_those_of_iso_3166() -> None:
    pycountry = pytest.importorskip("pycountry")
    own_number = {"USA", "FRA", "IND", "CHE", "NOR", "TWN"}  # customs territories of UN Comtrade
    for economy in economies():
        if economy.iso3 in ("WLD", "XKX"):
            continue
        country = pycountry.countries.get(alpha_3=economy.iso3)
        assert country.alpha_2 == economy.code
        assert (int(country.numeric) == int(economy.comtrade)) is (economy.iso3 not in own_number)
    for column in ("name", "iso3", "code", "imf", "comtrade"):
        assert len({getattr(economy, column) for economy in economies()}) == len(economies())


# --- store and offline ---


def test_offline_uses_the_last_snapshot_and_asks_nobody(server: Server, desk: Desk) -> None:
    online = fetch_one("imf", desk)
    server.seen.clear()
    offline = fetch_one("imf", desk, offline=True)
    pd.testing.assert_frame_equal(offline.observations, online.observations)
    assert server.seen == []


def test_offline_without_a_snapshot_is_one_clear_line(desk: Desk) -> None:
    with pytest.raises(UserError, match=r"^offline: no snapshot of http\S+; run once without --offline$"):
        fetch_one("imf", desk, offline=True)


def test_a_source_out_of_order_points_to_the_snapshot(server: Server, desk: Desk) -> None:
    fetch_one("imf", desk)
    server.always(server_of.status(503))
    with pytest.raises(UserError, match=r"\(--offline uses the snapshot of 2026-11-24\)$"):
        fetch_one("imf", desk)


def test_a_fresh_snapshot_is_used_where_that_is_allowed(server: Server, desk: Desk) -> None:
    fetch_one("imf", desk)
    fetch_one("imf", desk, max_age=timedelta(days=1))
    assert len(server.seen) == 1
    fetch_one("imf", desk)
    assert len(server.seen) == 2


# --- panels ---

Panel = Callable[..., list[Fetched]]


@pytest.fixture
def panel(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Panel:
    """All pairs of some reporters, as if these were all."""

    def ask(source: str, reporters: list[str], years: range = YEARS, **asking: object) -> list[Fetched]:
        places = [economies()[0], *map(find_economy, reporters)]
        monkeypatch.setattr(record, "economies", lambda: places)
        asked = replace(desk, **{"max_age": timedelta(days=7), **asking})  # type: ignore[arg-type]
        names, found = zip(*fetch_panel(source, "A", years, asked), strict=True)
        assert [place.name for place in names] == reporters
        return list(found)

    return ask


@pytest.mark.parametrize("source", SOURCES)
def test_a_panel_asks_once_a_reporter_and_goes_on_where_it_stopped(
    source: str, server: Server, panel: Panel
) -> None:
    reporters = ["China", "India"]
    first = panel(source, reporters, range(2013, 2015))
    assert len(server.seen) == 2 * {"imf": 1, "comtrade": 4}[source]
    assert {flow for one in first for flow in one.observations["flow"]} == {"export", "import", "total"}
    assert len(first[0].observations) == 18 and len(first[1].observations) == 4  # India's exports lack 2014
    server.seen.clear()
    again = panel(source, reporters, range(2013, 2015))
    assert server.seen == []
    pd.testing.assert_frame_equal(again[1].observations, first[1].observations)


def test_a_panel_that_was_stopped_asks_only_for_the_rest(server: Server, panel: Panel) -> None:
    panel("imf", ["China"])
    server.seen.clear()
    panel("imf", ["China", "India", "South Korea"])
    assert ["IND" in server.seen[0][0], "KOR" in server.seen[1][0], len(server.seen)] == [True, True, 2]


def test_one_refused_reporter_is_a_note_and_a_source_out_of_order_an_error(
    server: Server, panel: Panel
) -> None:
    server.next(server_of.status(404, body=b'{"message":"no records"}'))
    found = panel("imf", ["China", "India", "Turkey"])
    assert (
        found[0].observations.empty and "China: " in found[0].notes[0] and "no records" in found[0].notes[0]
    )
    assert not found[1].observations.empty
    server.always(server_of.status(403))
    server.seen.clear()
    with pytest.raises(UserError, match="status 403"):
        panel("imf", ["Brazil", "Chile", "Cuba", "Peru"])
    assert len(server.seen) == 3
    server.always(server_of.status(404))
    server.seen.clear()
    with pytest.raises(
        UserError, match="status 404"
    ):  # unknown to the source one by one, and then all of them
        panel("imf", ["Brazil", "Chile", "Cuba", "Peru"])
    assert len(server.seen) == 4


def test_an_offline_panel_takes_what_is_there(desk: Desk, panel: Panel) -> None:
    fetch_one("imf", desk)  # another question: of no use for a panel
    panel("imf", ["Turkey"])
    reporters = ["Brazil", "Chile", "Cuba", "Peru", "Turkey"]
    found = panel("imf", reporters, offline=True)
    assert [one.observations.empty for one in found] == [True, True, True, True, False]
    with pytest.raises(UserError, match="offline: no snapshot"):
        panel("imf", reporters[:4], offline=True)


def test_partners_that_are_no_economy_are_counted_not_kept(server: Server, panel: Panel) -> None:
    rows = [("CHN", "XG_FOB_USD", partner, "A", "2012", 1.0) for partner in ("RUS", "GX123", "1C_ALL")]
    server.always(server_of.instead(server_of.imf_csv(rows)))
    (found,) = panel("imf", ["China"])
    assert found.observations["partner"].tolist() == ["Russia"]
    assert any("2 partners that are no economy left out, such as 1C_ALL" in note for note in found.notes)


# --- World Bank ---

GDP, ROUBLES = RECIPES["china_gdp_current_usd"], RECIPES["rub_per_usd_cbr"]


def test_an_indicator_is_read_and_its_gap_stays(server: Server, desk: Desk) -> None:
    found, snapshot = covariates._ask(GDP, range(2009, 2013), desk)
    assert {day.year: value for day, value in found.items()} == {
        2009: 1.2e12 + 2009,
        2011: 1.2e12 + 2011,
        2012: 1.2e12 + 2012,
    }
    path = "/country/CHN/indicator/NY.GDP.MKTP.CD?format=json&date=2009:2012&per_page=20000&page=1"
    assert path in server.seen[0][0] and snapshot.url.endswith(path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'[{"message":[{"id":"120","key":"Invalid value","value":"The provided parameter value is not valid"}]}]', "the error \"The provided parameter"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><wb:error><wb:message id="120">x</wb:message></wb:error>', "XML that begins"),
        (server_of.PORTAL, "a web page that begins"),
        (b"{}", "JSON of another shape"),
        (b"[]", "JSON of another shape"),
        (b'[{"page":1,"pages":"many"},[]]', "expected one page with rows"),
        (b'[{"page":1,"pages":1},[{"date":"2010"}]]', "rows of another shape"),
        (b'[{"page":1,"pages":1},[{"countryiso3code":"RUS","indicator":{"id":"NY.GDP.MKTP.CD"},"date":"2010","value":"x"}]]', "a number"),
        (b'[{"page":1,"pages":1},[{"countryiso3code":"USA","indicator":{"id":"NY.GDP.MKTP.CD"},"date":"2010","value":1}]]', "iso3"),
        (b'[{"page":1,"pages":1},[{"countryiso3code":"RUS","indicator":{"id":"SP.POP.TOTL"},"date":"2010","value":1}]]', "variable"),
        (b'[{"page":1,"pages":1},[{"countryiso3code":"RUS","indicator":{"id":"NY.GDP.MKTP.CD"},"date":"2010Q1","value":1}]]', "the date"),
    ],
)  # fmt: skip
def test_faults_of_the_world_bank_are_told(body: bytes, message: str, server: Server, desk: Desk) -> None:
    server.always(server_of.instead(body))
    with pytest.raises(UserError, match=message):
        covariates._ask(RECIPES["russia_gdp_current_usd"], range(2009, 2013), desk)
    assert list(desk.store.glob("records/*/*/*")) == [], "what is refused is not kept as an answer"


# --- exchange rates ---


def test_roubles_are_averaged_over_whole_years(server: Server, desk: Desk) -> None:
    days, snapshot = covariates._ask(ROUBLES, range(2012, 2015), desk)
    published = [
        float(value.replace(",", "."))
        for day, (_, value) in rouble_days(2012, 2013).items()
        if day.endswith("2012")
    ]
    assert covariates.mean_of(days, "2012", snapshot.day) == pytest.approx(
        sum(published) / len(published), rel=1e-12
    )
    assert covariates.mean_of(days, "2014", snapshot.day) is None
    assert "date_req1=01/01/2012&date_req2=31/12/2014&VAL_NM_RQ=R01235" in server.seen[0][0]


def test_nominal_and_old_roubles_are_taken_out() -> None:
    """1 January 1998: a new rouble is 1000 old ones. The Bank of Russia's first rates of 1998 show 5,96 after 5960."""
    body = server_of.cbr_xml(
        "R01235", {"31.12.1997": (1, "5960,0000"), "01.01.1998": (1, "5,9600"), "02.01.1998": (10, "59,6")}
    )
    assert covariates._read_cbr(body, "here", "R01235", "RUS").tolist() == pytest.approx([5.96, 5.96, 5.96])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<?xml version="1.0" encoding="windows-1251"?><ValCurs>Ошибка в параметрах</ValCurs>'.encode("cp1251"), "Ошибка в параметрах"),
        (b"<ValCurs", "XML that cannot be read"),
        (server_of.PORTAL, 'found "Hotel WiFi - please log in Hi"'),
        (b"<html/>", 'found "html"'),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><ValCurs>&a;</ValCurs>', "cannot be read"),
        (server_of.cbr_xml("R01235", {"31.02.2013": (1, "30,0")}), 'the date "31.02.2013"'),
        (server_of.cbr_xml("R01235", {"2013-02-01": (1, "30,0")}), "the date"),
        (server_of.cbr_xml("R01235", {"01.02.2013": (0, "30,0")}), "the rate"),
        (server_of.cbr_xml("R01235", {"01.02.2013": (1, "1 030,0")}), "the rate"),
        (server_of.cbr_xml("R01235", {"01.02.2013": (1, "NaN")}), "the rate"),
        (server_of.cbr_xml("R01235", {"01.02.2013": (1, "0,0")}), "expected one above 0"),
        (server_of.cbr_xml("R01239", {"01.02.2013": (1, "40,0")}), 'the currency "R01239", expected R01235'),
        (server_of.cbr_xml("R01235", {"01.02.2013": (1, "30,0")}).replace(b"</ValCurs>", b"<Record Date='01.02.2013'><Nominal>1</Nominal><Value>31,0</Value></Record></ValCurs>"), "two values for 01.02.2013"),
    ],
)  # fmt: skip
def test_faults_of_the_bank_of_russia_are_told(body: bytes, message: str, server: Server, desk: Desk) -> None:
    server.always(server_of.instead(body))
    with pytest.raises(UserError, match=message):
        covariates._ask(ROUBLES, range(2012, 2014), desk)
    assert list(desk.store.glob("records/*/*/*")) == []


def covered(days: pd.Series, freq: str, years: range, known: str = "2026-01-01") -> list[str]:
    return [
        one
        for one in observations.periods_of(years, freq)
        if covariates.mean_of(days, one, known) is not None
    ]


def test_only_periods_that_are_covered_have_an_average() -> None:
    days = pd.date_range("2012-01-10", "2013-12-31", freq="D")
    daily = pd.Series(30.0, days)
    assert covered(daily, "A", range(2011, 2015)) == ["2012", "2013"]
    assert covered(daily.drop(days[100:120]), "A", range(2012, 2014)) == ["2013"]
    assert covered(daily, "M", range(2012, 2013))[:2] == ["2012-01", "2012-02"]
    assert covered(daily, "A", range(2012, 2014), "2013-12-31") == ["2012"]
    assert covariates.mean_of(daily, "2013-01..2013-04", "2013-05-01") == pytest.approx(30)


def test_rates_of_the_ecb_agree_with_the_federal_reserves() -> None:
    """Two publishers, one market: annual yuan per dollar of both differ by less than half a per cent."""
    from lib.figures import covariate

    days = ecb_rates()["CNY"].dropna()
    mine = pd.Series(
        {year: covariates.mean_of(days, str(year), "2026-11-24") for year in range(2005, 2026)}
    ).dropna()
    other = covariate("cny_per_usd").reindex(mine.index)
    assert len(mine) == 20  # 2006 to 2025: the series begins in April 2005
    assert (mine / other - 1).abs().max() < 0.005


def test_the_ecb_has_no_roubles_after_march_2022() -> None:
    days = ecb_rates()["RUB"].dropna()
    assert covered(days, "A", range(2020, 2026)) == ["2020", "2021"]
    euros = ecb_rates()["EUR"].dropna()
    assert 0.8 < covariates.mean_of(euros, "2025", "2026-01-01") < 1  # type: ignore[operator]


# --- periods ---


@pytest.mark.parametrize(
    ("text", "freq", "expected"),
    [("2013", "A", "2013"), ("2013-M05", "M", "2013-05"), ("201305", "M", "2013-05"), ("2013-05", "M", "2013-05"),
     ("2013-Q2", "Q", "2013-Q2"), ("2013Q2", "Q", "2013-Q2"), ("2013", "M", None), ("2013-13", "M", None),
     ("2013-Q5", "Q", None), ("0013", "A", None), ("٢٠١٣", "A", None), ("", "A", None)],
)  # fmt: skip
def test_periods_have_one_form(text: str, freq: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(UserError, match="the period"):
            observations.canonical(pd.Series([text]), freq, "here")
    else:
        assert observations.canonical(pd.Series([text]), freq, "here").tolist() == [expected]


def test_gaps_are_named_as_spans() -> None:
    assert (
        observations.name_gaps(map(str, range(2010, 2020)), ["2011", "2012", "2016"])
        == "2010, 2013–2015, 2017–2019"
    )
    assert observations.name_gaps(["2010"], ["2010"]) == ""


@given(st.sampled_from("AQM"), st.integers(1950, 2090), st.integers(0, 4))
def test_periods_follow_one_another_without_gap(freq: str, first: int, more: int) -> None:
    written = observations.periods_of(range(first, first + more + 1), freq)
    assert observations.canonical(pd.Series(written), freq, "here").tolist() == written
    starts, ends = zip(*map(curation.read_period, written), strict=True)
    for before, after in zip(ends[:-1], starts[1:], strict=True):
        assert pd.Timestamp(before) + pd.Timedelta(days=1) == pd.Timestamp(after)
    assert (starts[0], ends[-1]) == (f"{first}-01-01", f"{first + more}-12-31")
