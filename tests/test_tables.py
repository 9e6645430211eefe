"""Reading a table: each kind of fault is found, at its line, together with all others."""

import csv
import io
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some

from lib import package, tables
from lib.errors import SHOWN_FAULTS, Fault, UserError, list_faults
from lib.figures import check_figure
from lib.research import files
from lib.tools.run import page

HEADER = (
    "figure_id,reporter,partner,flow,period_start,period_end,value,unit,yoy_pct,published,known_by,"
    "publisher,authority,url,status,note"
)
ROW = {
    "figure_id": "HRB-RU-total-2013-a",
    "reporter": "Harbin",
    "partner": "Russia",
    "flow": "total",
    "period_start": "2013-01-01",
    "period_end": "2013-12-31",
    "value": "230",
    "unit": "USD mn",
    "yoy_pct": "50",
    "published": "2014-04-15",
    "known_by": "",
    "publisher": "China Daily",
    "authority": "government",
    "url": "https://example.org/2014",
    "status": "ok",
    "note": "",
}


def line_of(**changes: str) -> str:
    return ",".join(f'"{value}"' for value in (ROW | changes).values())


def write(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "figures.csv"
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def faults(path: Path) -> list[Fault]:
    return tables.check_table("figures", path, [check_figure])[1]


def found(path: Path) -> list[tuple[int, str]]:
    return [(fault.line, fault.column) for fault in faults(path)]


def test_a_sound_file_has_no_fault_and_is_typed(tmp_path):
    path = write(tmp_path, HEADER, line_of(), line_of(figure_id="b", value="2.30", note='said ""over""'))
    rows = tables.read_table("figures", path, [check_figure])
    assert rows.index.tolist() == [2, 3]
    assert rows["value"].tolist() == [230.0, 2.3]
    assert rows["note"].tolist() == ["", 'said "over"']
    assert str(rows["period_start"].dtype).startswith("datetime64")


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("value", "2,30", "a number"),
        ("value", "1e3", "a number"),
        ("value", "nan", "a number"),
        ("value", "٢٣٠", "a number"),
        ("value", "9" * 400, "a number"),
        ("value", "-5", "0 or more"),
        ("value", "", "growth_only"),
        ("yoy_pct", "50 %", "a number"),
        ("yoy_pct", "-101", "-100 or more"),
        ("unit", "USD billion", "USD bn"),
        ("unit", "", "a value"),
        ("flow", "exports", '"export"'),
        ("status", "okay", '"ok"'),
        ("status", "growth_only", "blank with the status growth_only"),
        ("status", "unlinked", "blank with the status unlinked"),
        ("authority", "custom", '"customs"'),
        ("reporter", "Harbn", '"Harbin"'),
        ("partner", "russia", '"Russia"'),
        ("period_start", "2013-02-30", "a date"),
        ("period_start", "01.01.2013", "a date"),
        ("period_end", "2012-12-31", "on or after period_start"),
        ("published", "2013-06-30", "on or after period_end"),
        ("published", "2013-06", "on or after period_end"),
        ("published", "2014-02-30", "a day of the calendar"),
        ("published", "April 2014", "2014-04-15"),
        ("known_by", "2014-12-31", "blank where published is given"),
        ("url", "", "an address"),
        ("url", "www.example.org", "https://"),
        ("url", "ftp://example.org", "https://"),
        ("figure_id", "", "a value"),
        ("note", "x" * 10_001, "at most 10000"),
        ("note", "tab\there", "text that can be printed"),
        ("note", "nul\0here", "text that can be printed"),
    ],
)
def test_a_bad_field_is_named_with_its_line(tmp_path, column, text, expected):
    path = write(tmp_path, HEADER, line_of(figure_id="a"), line_of(**{"publisher": "Xinhua", column: text}))
    every = faults(path)
    here = [fault for fault in every if fault.line == 3]
    # A fault between two columns may be named at either.
    related = {column, "value", "url"} if column == "status" else {column}
    assert any(fault.column in related and expected in fault.expected for fault in here), here
    assert here == every


def test_all_rows_are_reported_at_once_in_order(tmp_path):
    path = write(
        tmp_path,
        HEADER,
        line_of(figure_id="a", value="2,30"),
        line_of(figure_id="b", flow="exports", unit="dollars"),
        "too,few,fields",
        "",
        line_of(figure_id="c", period_end="2012-01-01"),
    )
    assert found(path) == [(2, "value"), (3, "flow"), (3, "unit"), (4, ""), (5, ""), (6, "period_end")]
    with pytest.raises(UserError) as error:
        tables.read_table("figures", path, [check_figure])
    assert str(error.value).count("\n") == 5
    assert f'{path.as_posix()}:2: value: found "2,30", expected a number' in str(error.value)


def test_lines_count_as_an_editor_counts_them(tmp_path):
    path = write(
        tmp_path, HEADER, line_of(figure_id="a", note="one\ntwo\nthree"), line_of(figure_id="b", value="x")
    )
    assert found(path) == [(5, "value")]
    windows = tmp_path / "windows.csv"
    windows.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert found(windows) == [(5, "value")]


def test_a_key_and_a_row_may_not_occur_twice(tmp_path):
    path = write(
        tmp_path, HEADER, line_of(), line_of(), line_of(figure_id="b"), line_of(figure_id="c", value="1")
    )
    assert [(fault.line, fault.expected) for fault in faults(path)] == [
        (3, "a key used once: line 2 has the same"),
        (3, "no second copy of a row: line 2 has the same"),
        (4, "no second copy of a row: line 2 has the same"),
    ]


def test_a_growth_rate_without_level_needs_its_status(tmp_path):
    assert not faults(write(tmp_path, HEADER, line_of(value="", status="growth_only")))
    assert found(write(tmp_path, HEADER, line_of(value="", yoy_pct="", status="growth_only"))) == [
        (2, "yoy_pct")
    ]


def test_only_a_goal_is_published_before_its_period_ends(tmp_path):
    assert not faults(write(tmp_path, HEADER, line_of(published="2012-12-27", status="goal")))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_another_separator_is_recognised(tmp_path, separator):
    path = write(tmp_path, HEADER.replace(",", separator), line_of().replace(",", separator))
    (fault,) = faults(path)
    assert fault.line == 1
    assert fault.found == {";": "semicolons", "\t": "tabs"}[separator]


def test_a_byte_order_mark_is_a_fault_and_hides_no_other(tmp_path):
    path = write(tmp_path, HEADER, line_of(value="x"), encoding="utf-8-sig")
    assert [fault.found for fault in faults(path)] == ["a byte order mark", '"x"']


@pytest.mark.parametrize("encoding", ["cp1251", "utf-16", "gb18030"])
def test_another_encoding_is_named_with_its_byte(tmp_path, encoding):
    path = write(tmp_path, HEADER, line_of(publisher="Российская газета"), encoding=encoding)
    (fault,) = faults(path)
    content = path.read_bytes()
    with pytest.raises(UnicodeDecodeError) as error:
        content.decode("utf-8")
    assert fault.found == f"byte 0x{content[error.value.start]:02x} at position {error.value.start}"
    assert fault.line == content[: error.value.start].count(b"\n") + 1


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER.replace("value", "vlaue"), {'the column "vlaue"', "no such column"}),
        (HEADER.replace(",note", ""), {"no such column"}),
        (HEADER + ",note", {"the column more than once"}),
        ("", {"no columns"}),
    ],
)
def test_the_header_must_hold_each_column_once(tmp_path, header, words):
    problems = faults(write(tmp_path, header, line_of()))
    assert {fault.found for fault in problems} == words
    assert {fault.line for fault in problems} == {1}


def test_the_order_of_columns_is_free(tmp_path):
    names = HEADER.split(",")[::-1]
    path = write(tmp_path, ",".join(names), ",".join(ROW[name] for name in names))
    assert tables.read_table("figures", path)["value"].tolist() == [230.0]


def test_an_open_quote_is_reported_where_it_was_opened(tmp_path):
    path = write(tmp_path, HEADER, line_of(figure_id="a", value="x"), '"never closed', line_of(figure_id="b"))
    assert found(path) == [(2, "value"), (3, "")]


def test_empty_and_missing_files(tmp_path):
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert [fault.found for fault in faults(empty)] == ["no columns"]
    with pytest.raises(UserError, match=r"missing\.csv: cannot be read"):
        faults(tmp_path / "missing.csv")
    assert len(tables.read_table("figures", write(tmp_path, HEADER))) == 0


def test_an_unknown_table_names_the_nearest():
    with pytest.raises(UserError, match='found "figuers", expected "figures"'):
        tables.read_table("figuers")


def test_long_lists_and_long_values_are_shortened(tmp_path):
    rows = [line_of(figure_id=f"f{i}", value="x" * 500) for i in range(SHOWN_FAULTS + 7)]
    path = write(tmp_path, HEADER, *rows)
    message = list_faults(faults(path))
    lines = message.splitlines()
    assert len(lines) == SHOWN_FAULTS + 1
    assert lines[-1].startswith("… and ")
    assert max(len(line) for line in lines) < len(path.as_posix()) + 200


@given(content=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: f"{HEADER}\n{text}".encode()))
def test_any_bytes_give_faults_or_rows_and_never_another_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "figures.csv"
    path.write_bytes(content)
    rows, problems = tables.check_table("figures", path, [check_figure])
    assert problems or rows.empty or set(rows.columns) == set(HEADER.split(","))


# --- the description and the checks made from it ---

RESOURCES = package.read_package()["resources"]
FIELDS = [(resource["name"], field) for resource in RESOURCES for field in resource["schema"]["fields"]]
TEXTS = [
    "",
    "0",
    "-3",
    "-200",
    "12.5",
    "2,30",
    "x",
    "2013",
    "20134",
    "2013-02-30",
    "2013-02-28",
    "2013-02",
    "true",
]
TEXTS += [
    "yes",
    "total",
    "exports",
    "USD bn",
    "ok",
    "https://example.org/a",
    "www.example.org",
    "CN-TRADE",
    "a b",
]


@exhaustive
@pytest.mark.parametrize(
    ("table", "field"), some(FIELDS, 4), ids=lambda value: value if isinstance(value, str) else value["name"]
)
def test_our_checks_agree_with_an_independent_reader(table, field):
    from frictionless import Schema  # takes long to import: so in all tests

    reader = Schema.from_descriptor({"fields": [field], "missingValues": [""]}).fields[0].create_cell_reader()
    for text in TEXTS + field.get("constraints", {}).get("enum", []):
        theirs = not reader(text)[1]
        ours = all(test(text) for test, _ in tables._field_tests(field))
        assert ours == theirs, (table, field["name"], text)


def test_every_pattern_has_an_example_and_every_type_is_known():
    for table, field in FIELDS:
        assert field["type"] in tables.TYPES, (table, field["name"])
        assert field["description"].endswith("."), (table, field["name"])
        if "pattern" in field.get("constraints", {}):
            assert field["example"], (table, field["name"])


# --- where the data lie, and checksums ---


@pytest.fixture
def copied(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(package.data_dir(), folder)
    monkeypatch.setenv(package.DATA_ENV, str(folder))
    return folder


def test_another_folder_of_data_can_be_named(copied):
    assert package.data_dir() == copied
    assert files.check_checksums() == []


def test_a_folder_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv(package.DATA_ENV, "no/such/folder")
    with pytest.raises(UserError, match=r"TRADEGOALS_DATA .*no/such/folder"):
        package.data_dir()


def test_an_edit_is_seen_until_the_checksums_are_renewed(copied):
    path = copied / "events.csv"
    path.write_bytes(path.read_bytes().replace(b"Harbin", b"HARBIN", 1))
    assert [Path(fault.file).name for fault in files.check_checksums()] == ["events.csv"]
    before = json.loads((copied / "datapackage.json").read_text(encoding="utf-8"))
    assert files.refresh_checksums() == ["events"]
    assert files.check_checksums() == []
    assert files.refresh_checksums() == []
    after = json.loads((copied / "datapackage.json").read_text(encoding="utf-8"))
    for resource in (*before["resources"], *after["resources"]):
        del resource["bytes"], resource["hash"]
    assert before == after


def test_a_broken_description_is_named(copied):
    (copied / "datapackage.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"datapackage\.json: not valid JSON"):
        package.describe("figures")


# Addresses and formulas.


@pytest.mark.parametrize("table", ["figures", "goals", "targets", "events", "covariates", "investments"])
def test_an_address_has_the_characters_of_rfc_3986_alone(table: str) -> None:
    fields = {field["name"]: field for field in package.describe(table)["schema"]["fields"]}
    patterns = [field["constraints"]["pattern"] for name, field in fields.items() if "url" in name]
    assert patterns
    for pattern in patterns:
        test = re.compile(pattern, re.ASCII)
        assert test.search("https://a.org/b_(c)?d=1&e='2'#f~%C3%A9") and test.search("http://[::1]:80/")
        for wrong in (*'"<>\\^`{}|é\u202e\x00\n', "%zz", "%"):
            assert not test.search(f"https://a.org/{wrong}x")
        assert not test.search("javascript:alert(1)") and not test.search("//a.org")


FORMULAS = ["=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+1+cmd|' /C calc'!A0", "-cmd", "\t=1", "＝1", "+A1"]

NUMBERS = ["+14.1 %", "-5", "−28.6 %", "-1,234.5", "-", "+6.5%; base computed", "a=1", "25 %"]


@pytest.mark.parametrize("text", FORMULAS + NUMBERS)
def test_what_a_spreadsheet_would_compute_is_text_in_every_table_for_others(text: str) -> None:
    expected = f"'{text}" if text in FORMULAS else text
    frame = pd.DataFrame({"a": [text, "x"], "b": [1.5, -2.0], text: [None, text]})
    written = list(csv.reader(io.StringIO(tables.to_csv(frame))))
    assert written == [["a", "b", expected], [expected, "1.5", ""], ["x", "-2.0", expected]]
    grid = page.Grid([text, "b"], [[page.Cell(text), page.Cell("x")]])
    assert list(csv.reader(io.StringIO(grid.to_csv().decode()))) == [[expected, "b"], [expected, "x"]]
    assert bool(tables._check_record(2, [text], ["note"])) == (text in FORMULAS)


def test_what_is_at_rest_for_one_thread_is_looked_up_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(package.DATA_ENV, str(tmp_path))
    with tables.at_rest():
        before = tables.data_state()
        (tmp_path / "new.csv").write_text("a\n")
        with ThreadPoolExecutor(1) as pool:
            now = pool.submit(tables.data_state).result()
        with tables.at_rest():
            assert tables.data_state() == before != now
    assert tables.data_state() == now
