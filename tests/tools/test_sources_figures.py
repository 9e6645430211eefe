"""From tables and observations to rows of the record: no digit changed, dated honestly, a change a new vintage."""

import io
import shutil
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import fault_server as server_of
import pandas as pd
import pytest
from fault_server import Server
from hypothesis import given
from hypothesis import strategies as st
from sources_kit import NOW, Time, fetch_flow

from lib import fetched, tables
from lib import figures as fig
from lib.errors import UserError
from lib.package import DATA_ENV, KEPT_ONLY_ENV, data_dir
from lib.tools.sources import record
from lib.tools.sources.cells import Marks, read_number
from lib.tools.sources.mapping import Mapping, parse_mapping
from lib.tools.sources.observations import in_millions
from lib.tools.sources.reader import read_table
from lib.tools.sources.record import Fetched, keep, read_import
from lib.tools.sources.snapshots import Desk, _read_body, _read_record

MAPPING = """
source: gacc
title: General Administration of Customs of China, monthly tables
url: http://www.customs.gov.cn/tables
licence: free use with attribution
authority: customs
published: 2014-01-10
encoding: gb18030
header_row: 2
thousands: ","
missing: ["-"]
freq: M
period: {column: 月份, format: "%Y.%m"}
reporter: {is: China}
partner: {column: 国别, names: {俄罗斯: Russia}, others: skip}
flows:
  - {column: 出口, flow: export, unit: USD th, valuation: FOB}
  - {column: 进口, flow: import, unit: USD th, valuation: CIF}
"""
TABLE = '国别进出口,,,\n月份,国别,出口,进口\n2013.11,俄罗斯,"4,123,456.5","3,000,001"\n2013.12,俄罗斯,-,"2,999,999"\n2013.12,印度,1,2\n\n'


pytestmark = pytest.mark.usefixtures("nothing_from_outside")


def mapping(**changes: object) -> Mapping:
    return parse_mapping(MAPPING.encode(), "gacc.yml").model_copy(update=changes)


def bring(folder: Path, desk: Desk, table: bytes, name: str = "table.csv", text: str = MAPPING) -> Fetched:
    (folder / name).write_bytes(table)
    mapping = parse_mapping(text.encode(), "gacc.yml")
    fetched, *received = read_import(folder / name, mapping, desk)
    keep(desk.store, *received, mapping)
    return fetched


# --- the importer ---


def test_a_chinese_table_is_read(tmp_path: Path, desk: Desk) -> None:
    answer = bring(tmp_path, desk, TABLE.encode("gb18030"))
    rows = answer.observations.set_index(["flow", "period"])["value"].to_dict()
    assert rows == {
        ("export", "2013-11"): 4123456.5,
        ("import", "2013-11"): 3000001.0,
        ("import", "2013-12"): 2999999.0,
    }
    assert set(answer.observations["unit"]) == {"USD th"}
    assert len(answer.notes) == 1
    assert answer.notes[0].endswith("table.csv: left out: 1 row of other parties")
    (snapshot,) = map(_read_record, desk.store.glob("records/*/*/*.json"))
    assert (snapshot.source, snapshot.authority) == ("gacc", "customs")
    assert set(answer.observations["published"]) == {"2014-01-10"}
    assert _read_body(desk.store, snapshot) == TABLE.encode("gb18030")


def workbook(rows: list[list[object]], sheet: str = "Sheet1") -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_a_workbook_says_the_same_as_its_csv(tmp_path: Path, desk: Desk) -> None:
    rows: list[list[object]] = [
        ["国别进出口"],
        ["月份", "国别", "出口", "进口"],
        ["2013.11", "俄罗斯", 4123456.5, 3000001],
        [pd.Timestamp(2013, 12, 1).to_pydatetime(), "俄罗斯", "-", "2,999,999"],
        ["2013.12", "印度", 1, 2],
        [None, None, None, None],
    ]
    from_book = bring(tmp_path, desk, workbook(rows), "table.xlsx").observations
    from_csv = bring(tmp_path, desk, TABLE.encode("gb18030")).observations
    same = [name for name in from_csv if name not in ("snapshot", "url")]
    pd.testing.assert_frame_equal(from_book[same], from_csv[same])


def test_a_formula_without_its_value_is_missing(tmp_path: Path, desk: Desk) -> None:
    rows: list[list[object]] = [["t"], ["月份", "国别", "出口", "进口"], ["2013.11", "俄罗斯", "=1+1", 5]]
    found = bring(tmp_path, desk, workbook(rows), "table.xlsx").observations
    assert found["flow"].tolist() == ["import"]


BAD_TABLES = [
    (TABLE.replace("俄罗斯", "日本"), {"partner": {"others": "refuse"}}, r"table\.csv:3: 国别: found \"日本\", expected"),
    (TABLE.replace("-,", "n.a.,"), {}, 'table.csv:4: 出口: found "n.a.", expected a number'),
    (TABLE.replace("4,123,456.5", "4,123,45.6"), {}, "expected thousands in threes"),
    (TABLE.replace("4,123,456.5", "4.123.456,5"), {}, "found"),
    (TABLE.replace("4,123,456.5", "-4"), {}, 'found value "-4.0"'),
    (TABLE.replace("4,123,456.5", "inf"), {}, 'found "inf", expected a number'),
    (TABLE.replace("2013.11", "November"), {}, 'table.csv:3: 月份: found "November", expected a period like %Y.%m'),
    (TABLE.replace("2013.11", "1013.11"), {}, "expected a year from 1900"),
    (TABLE.replace("出口", "進口"), {}, "the column \"出口\" 0 times, expected"),
    (TABLE.replace("进口", "出口"), {}, "the column \"出口\" 2 times"),
    (TABLE.replace("2013.12,俄罗斯,-", "2013.11,俄罗斯,5"), {}, "found .* for China Russia (export|import) M 2013-11, expected one value"),
    (TABLE.replace(",-,", ",-,-,"), {}, "found 5 fields, expected 4"),
    ("", {}, "found 0 rows, expected the names of the columns in row 2"),
    ('a\n"b', {}, "rows that cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "changes", "message"), BAD_TABLES, ids=range(len(BAD_TABLES)))
def test_a_table_with_a_fault_is_refused_whole(table: str, changes: dict, message: str) -> None:
    parts = {name: getattr(mapping(), name).model_copy(update=change) for name, change in changes.items()}
    with pytest.raises(UserError, match=message):
        read_table(table.encode("gb18030"), mapping(**parts), "table.csv")


def test_a_wrong_encoding_is_told() -> None:
    with pytest.raises(UserError, match="bytes that are not utf-8"):
        read_table(TABLE.encode("gb18030"), mapping(encoding="utf-8"), "table.csv")
    with pytest.raises(UserError, match='encoding: found "nonsense"'):
        parse_mapping(MAPPING.replace("gb18030", "nonsense").encode(), "gacc.yml")


def test_a_file_that_is_no_workbook_is_told() -> None:
    for body in (
        b"PK",
        b"PK\x03\x04" + TABLE.encode(),
        workbook([["a"]])[:200],
        b"\xd0\xcf\x11\xe0" + bytes(600),
    ):
        with pytest.raises(UserError, match="no workbook that can be read"):
            read_table(body, mapping(), "table.xlsx")
    with pytest.raises(UserError, match='no sheet "Data", expected one of: Sheet1'):
        read_table(workbook([["a"]]), mapping(sheet="Data"), "table.xlsx")


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "expected"),
    [
        ("1234.5", ".", "", 1234.5),
        ("1 234,5", ",", " ", 1234.5),
        ("1.234.567", ",", ".", 1234567.0),
        ("0,5", ",", "", 0.5),
        ("7", ".", "", 7.0),
        ("12,34,567.5", ".", ",", 1234567.5),
        ("(1'234)", ".", "", -1234.0),
    ],
)
def test_marks_of_numbers(text: str, decimal: str, thousands: str, expected: float) -> None:
    assert read_number(text, Marks(decimal, thousands)) == (expected, "")


@given(st.decimals(min_value=0, max_value=10**12, places=3))
def test_numbers_with_thousands_are_read_as_written(number: Decimal) -> None:
    assert read_number(f"{number:,}", Marks(".", ",")) == (float(number), "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source: gacc", "source: GACC!", "source: found"),
        ("freq: M", "freq: W", "freq: found"),
        ("authority: customs", "authority: me", "authority: found"),
        ("freq: M", "freq: M\nsped: 1", "sped: found"),
        ("{is: China}", "{is: China, column: a}", "either `is` or `column`"),
        ("{is: China}", "{}", "either `is` or `column`"),
        ('thousands: ","', 'thousands: "."\ndecimal: "."', "the same mark"),
        ("USD th", "USD gallons", "flows.0.unit: found"),
        ("published: 2014-01-10", "published: 2014-02-30", "gacc.yml: published: found"),
        ("freq: M", "freq: [", "no readable YAML"),
        ("url: http://www.customs.gov.cn/tables", "url: ask me", "url: found"),
    ],
)
def test_a_faulty_mapping_is_told_field_by_field(old: str, new: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_mapping(MAPPING.replace(old, new).encode(), "gacc.yml")


@pytest.mark.parametrize(
    "content", [b"", b"null", b"- 1", b"!!python/object:os.system {}", b"\xff\xfe\xfd", b"a: &a [*a]"]
)
def test_other_yaml_is_no_mapping(content: bytes) -> None:
    with pytest.raises(UserError, match=r"^m\.yml:"):
        parse_mapping(content, "m.yml")


# --- rows of the record ---


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The described tables alone, in which nothing was fetched yet."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("datapackage.json", "reporters.csv", "figures.csv", "covariates.csv"):
        shutil.copy(data_dir() / name, folder / name)
    monkeypatch.setenv(DATA_ENV, str(folder))
    monkeypatch.delenv(KEPT_ONLY_ENV, raising=False)
    return folder


def fetch(desk: Desk, **changes: object) -> Fetched:
    asked = {"reporter": "China", "partner": "Russia", "flow": "total", "years": range(2013, 2016)} | changes
    return fetch_flow("imf", desk=desk, **asked)  # type: ignore[arg-type]


def written(answer: Fetched, desk: Desk) -> tuple[int, ...]:
    (one,) = record.append(record.figures_of(answer, desk.today)[0])
    return one.added


def test_rows_pass_the_checks_of_the_record(own_data: Path, desk: Desk) -> None:
    answer = fetch(desk)
    assert written(answer, desk) == (3, 0, 0)
    rows = fetched.read("China")
    assert rows["figure_id"].tolist() == [f"CN-RU-total-{year}-imf-a" for year in (2013, 2014, 2015)]
    assert rows["value_mn"].tolist() == pytest.approx((answer.observations["value"] / 1e6).tolist(), abs=1e-6)
    assert rows["level_usable"].all() and set(rows["unit"]) == {"USD mn"}
    assert "computed as export + import" in rows["note"][0]
    assert answer.observations["snapshot"][0][:16] in rows["note"][0]
    assert fetched.check() == []


def test_nothing_is_known_before_it_was_retrieved(own_data: Path, desk: Desk) -> None:
    written(fetch(desk, flow="export"), desk)
    loaded = fetched.read("China")
    assert fig.as_of(loaded, NOW.date() - timedelta(days=1)).empty
    assert len(fig.as_of(loaded, NOW.date())) == 3


def test_a_figure_is_known_from_the_release_that_states_its_day(server: Server, desk: Desk) -> None:
    rows = server_of.imf_rows(server.world, "CHN.XG_FOB_USD.RUS.A")
    for stated, known in (
        ("2026-08-05T23:36:59.553138600Z", "2026-08-05"),
        ("2027-01-01T00:00:00Z", "2026-11-24"),  # later than the answer
        ("2014-06-01T00:00:00Z", "2026-11-24"),  # before the period was over
        ("soon", "2026-11-24"),
    ):
        server.next(server_of.instead(server_of.imf_csv(rows, PUBLICATION_DATE=stated)))
        answer = fetch(desk, flow="export", years=range(2015, 2016))
        assert set(answer.observations["published"]) == {known}


def test_estimates_of_the_imf_are_told_as_such(own_data: Path, server: Server, desk: Desk) -> None:
    rows = server_of.imf_rows(server.world, "CHN.XG_FOB_USD+MG_CIF_USD.RUS.A")
    body = server_of.imf_csv(rows, STATUS="")
    lines = body.split(b"\r\n")
    place = lines[0].split(b",").index(b"STATUS")
    marked = [
        b",".join([*line.split(b",")[:place], b"e", *line.split(b",")[place + 1 :]])
        if b",A,2014," in line and b"XG_" in line else line
        for line in lines
    ]  # fmt: skip
    server.next(server_of.instead(b"\r\n".join(marked)))
    answer = fetch(desk)
    assert "IMF: 1 of 52 values are estimates of the IMF, not reported by the country" in answer.notes
    written(answer, desk)
    assert fetched.read("China").set_index("figure_id")["status"].to_dict() == {
        "CN-RU-total-2013-imf-a": "ok",
        "CN-RU-total-2014-imf-a": "estimate",
        "CN-RU-total-2015-imf-a": "ok",
    }


def test_asking_again_makes_an_old_value_no_newer(desk: Desk, time: Time) -> None:
    fetch(desk)
    time.seconds += 40 * 86_400
    assert set(fetch(desk).observations["published"]) == {"2026-11-24"}


def test_a_stated_day_of_publication_counts(own_data: Path, tmp_path: Path, desk: Desk) -> None:
    written(bring(tmp_path, desk, TABLE.encode("gb18030")), desk)
    rows = fetched.read("China")
    assert set(rows["published"]) == {"2014-01-10"}
    assert rows["figure_id"].tolist() == [
        "CN-RU-export-2013m11-gacc-a",
        "CN-RU-import-2013m11-gacc-a",
        "CN-RU-import-2013m12-gacc-a",
    ]
    assert rows["value"].tolist() == [4123.4565, 3000.001, 2999.999]  # thousands to millions
    assert set(rows["authority"]) == {"customs"}


def test_the_same_value_gives_no_row_and_another_one_a_new_vintage(
    own_data: Path, server: Server, desk: Desk, time: Time
) -> None:
    assert written(fetch(desk, flow="export"), desk) == (3, 0, 0)
    assert written(fetch(desk, flow="export"), desk) == (0, 0, 3)
    before = fetched.read("China")
    time.seconds += 86_400
    server.next(server_of.changed(lambda body: change_year(body, "2014", 10_000_000_000.5)))
    assert written(fetch(desk, flow="export"), desk) == (0, 1, 2)
    # A value that returns to what it was is news as well.
    time.seconds += 86_400
    assert written(fetch(desk, flow="export"), desk) == (0, 1, 2)
    rows = fetched.read("China")
    new = rows[~rows["figure_id"].isin(before["figure_id"])]
    assert new[["figure_id", "published"]].to_numpy().tolist() == [
        ["CN-RU-export-2014-imf-b", "2026-11-25"],
        ["CN-RU-export-2014-imf-c", "2026-11-26"],
    ]
    assert new["value"].iloc[0] == 10000.0000005
    assert set(before["value"]) <= set(rows["value"])


def change_year(body: bytes, year: str, value: float) -> bytes:
    lines = [line.split(",") for line in body.decode().split("\r\n")]
    place = lines[0].index("OBS_VALUE")
    for line in lines:
        if f",{year}," in ",".join(line) and "XG_FOB_USD" in line and "CHN" in line and "RUS" in line:
            line[place] = repr(value)
    return "\r\n".join(map(",".join, lines)).encode()


def test_another_currency_is_converted_at_the_rates_of_its_period(
    own_data: Path, tmp_path: Path, desk: Desk
) -> None:
    pytest.importorskip("currency_converter")
    text = MAPPING.replace("unit: USD th", "unit: EUR th")
    answer = bring(tmp_path, desk, TABLE.encode("gb18030"), text=text)
    written(answer, desk)
    rows = fetched.read("China")
    # The ECB's reference rates of November 2013 average 1.3493 dollars per euro (its Statistical Data Warehouse).
    assert rows["value"].iloc[0] / 4123.4565 == pytest.approx(1.3493, abs=2e-4)
    assert set(rows["unit"]) == {"USD mn"} and "converted from EUR" in rows["note"].iloc[0]


def test_a_place_without_a_code_and_a_currency_without_a_rate_are_told(own_data: Path, desk: Desk) -> None:
    answer = fetch(desk)
    nowhere = answer._replace(observations=answer.observations.assign(unit="XYZ"))
    with pytest.raises(UserError, match='currency: found "XYZ", expected'):
        written(nowhere, desk)
    unknown = answer._replace(observations=answer.observations.assign(reporter="Chengdu"))
    with pytest.raises(UserError, match='code: found none for "Chengdu"'):
        written(unknown, desk)
    harbin = answer._replace(observations=answer.observations.assign(reporter="Harbin"))
    written(harbin, desk)
    assert fetched.read("Harbin")["figure_id"].iloc[0] == "HRB-RU-total-2013-imf-a"


@given(st.decimals(min_value=0, max_value=10**13, places=2))
def test_moving_the_point_changes_no_digit(value: Decimal) -> None:
    (found,) = in_millions(pd.Series([float(value)]), pd.Series(["USD"]))
    assert tables._is_number(f"{Decimal(repr(found)):f}")
    assert Decimal(repr(found)) * 1_000_000 == Decimal(repr(float(value)))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(230_000_000.0, "USD", "230"), (111000000000.0, "USD", "111000"), (4123456.5, "USD th", "4123.4565"),
     (1.5, "CNY mn", "1.5"), (11.7, "CNY bn", "11700"), (0.0, "USD", "0"), (1e-3, "USD", "0.000000001"), (1e22, "USD", "1" + "0" * 16)],
)  # fmt: skip
def test_values_in_millions(value: float, unit: str, text: str) -> None:
    assert in_millions(pd.Series([value]), pd.Series([unit])) == [float(text)]
