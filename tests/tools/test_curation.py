"""Adding a figure by hand, and comparing two vintages: on a copy of the data, as a user types the commands."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sampling import exhaustive, some

from lib import figures as fig
from lib.analysis import plausibility
from lib.errors import UserError
from lib.package import DATA_ENV, data_dir
from lib.research import files
from lib.tools import commands, curation
from lib.tools.cli import main
from lib.tools.commands import author

GIVEN = {
    "reporter": "Harbin",
    "partner": "Russia",
    "period": "2014",
    "value": "0.31",
    "unit": "USD bn",
    "yoy-pct": "34.8",
    "published": "2015-02-03",
    "publisher": "Harbin Daily",
    "authority": "government",
    "url": "https://example.org/2014",
}


@pytest.fixture(autouse=True)
def own_data(read_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables."""
    shutil.copytree(data_dir(), tmp_path / "data", ignore=shutil.ignore_patterns("fetched", "snapshots"))
    monkeypatch.setenv(DATA_ENV, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(autouse=True, scope="module")
def flags_found_once() -> Iterator[None]:
    """The rules are asked once about the same figures: each command asks about those before it, all the same here."""
    kept: dict[str, pd.DataFrame] = {}
    ask = plausibility.find_flags

    def find(figures: pd.DataFrame, *more: Any) -> pd.DataFrame:
        key = figures.to_csv()
        if key not in kept:
            kept[key] = ask(figures, *more)
        return kept[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plausibility, "find_flags", find)
        yield


@pytest.fixture
def undoubted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rule is asked, where what a rule would say is not the question."""
    monkeypatch.setattr(curation, "warnings", lambda row: ([], pd.DataFrame()))


def invoke(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, list(arguments), input=typed)


def add(*more: str, typed: str = "", **changes: str | None) -> Result:
    given = {name: text for name, text in (GIVEN | changes).items() if text is not None}
    options = [part for name, text in given.items() for part in (f"--{name}", text)]
    return invoke("data", "add", *options, *more, typed=typed)


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


# --- data add ---


def test_a_figure_is_one_more_line_in_its_place_and_the_data_stay_in_order(own_data, undoubted):
    before = lines_of(own_data / "figures.csv")
    result = add("--yes")
    assert result.exit_code == 0, result.output
    after = lines_of(own_data / "figures.csv")
    new = [line for line in after if line not in before]
    assert len(after) == len(before) + 1 and len(new) == 1
    assert new[0] == (
        "HRB-RU-total-2014-a,Harbin,Russia,total,2014-01-01,2014-12-31,0.31,USD bn,34.8,2015-02-03,,Harbin Daily,"
        "government,https://example.org/2014,ok,"
    )
    assert after[after.index(new[0]) - 1].startswith("HRB-RU-total-2014m01_m03-a")
    assert fig.check_tables() + files.check_checksums() == []  # sorted, valid, checksums renewed
    assert fig.load_figures().set_index("figure_id").loc["HRB-RU-total-2014-a", "value_mn"] == 310


def test_a_figure_is_told_in_people_s_words(own_data, undoubted):
    words = {
        "reporter": "harbin",
        "partner": "俄罗斯",
        "unit": "billion dollars",
        "published": "February 2015",
    }
    result = add("--yes", "--flow", "trade", **words)
    assert result.exit_code == 0, result.output
    row = "HRB-RU-total-2014-a,Harbin,Russia,total,2014-01-01,2014-12-31,0.31,USD bn,34.8,2015-02,"
    assert any(line.startswith(row) for line in lines_of(own_data / "figures.csv"))


def test_the_order_is_that_of_the_whole_file(own_data, undoubted):
    for period in ("2014", "2011-01..2011-06", "2030"):
        add("--yes", period=period, published="2031", reporter="China")
    with (own_data / "figures.csv").open(encoding="utf-8", newline="") as file:
        keys = [[row[name] for name in curation.ORDER] for row in csv.DictReader(file)]
    assert keys == sorted(keys)


@exhaustive
@pytest.mark.parametrize("answer", some(["\n", "n\n"], 2))
def test_nothing_is_written_unless_somebody_says_so(own_data, undoubted, answer: str):
    before = (own_data / "figures.csv").read_bytes(), (own_data / "datapackage.json").read_bytes()
    result = add(typed=answer)
    assert result.exit_code == 0 and "Write it?" in result.output
    assert ((own_data / "figures.csv").read_bytes(), (own_data / "datapackage.json").read_bytes()) == before
    assert add(typed="y\n").exit_code == 0
    assert (own_data / "figures.csv").read_bytes() != before[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": "2,3"}, 'new figure:2: value: found "2,3", expected a number'),
        ({"unit": "USD"}, 'unit: found "USD", expected "USD mn"'),
        ({"status": "okay"}, 'status: found "okay", expected "ok"'),
        ({"published": "2014-05-01"}, 'published: found "2014-05-01", expected a day on or after period_end'),
        ({"value": None}, 'value: found "", expected a number, or the status growth_only'),
        ({"url": "example.org"}, 'url: found "example.org"'),
        ({"reporter": "Harbim"}, 'reporter: found "Harbim", expected "Harbin"'),
        ({"period": "2014-13"}, 'period: found "2014-13", expected a year (2013)'),
        ({"period": "14"}, 'period: found "14", expected a year (2013)'),
        ({"publisher": None}, "data add: found no --publisher, expected them where nobody can be asked"),
    ],
)
def test_faults_are_refused_and_nothing_is_written(own_data, change: dict[str, str | None], words: str):
    before = (own_data / "figures.csv").read_bytes()
    result = add("--yes", **change)
    assert result.exit_code == 2 and words in result.output and "Traceback" not in result.output
    assert (own_data / "figures.csv").read_bytes() == before
    assert [path.name for path in own_data.iterdir() if path.name.startswith(".")] == []


@exhaustive
@pytest.mark.parametrize(
    ("change", "words"),
    some(
        [
            ({"value": "31"}, "part_above_whole: HRB-RU-total-2014-a: found 31 USD bn"),
            ({"reporter": "China", "period": "2013", "value": "8.92"}, "power_of_ten: CN-RU-total-2013"),
            (
                {
                    "reporter": "Heilongjiang",
                    "period": "2012",
                    "value": "21.3",
                    "unit": "CNY bn",
                    "published": "2013",
                },
                "other_currency: HLJ-RU-total-2012-g",
            ),
            (
                {"reporter": "China", "period": "2013", "value": "88.8"},
                "growth_against_levels: CN-RU-total-2013",
            ),
            (
                {"reporter": "China", "period": "2016", "value": "75", "published": "2017", "yoy-pct": None},
                "parts_against_total: CN-RU-total-2016",
            ),
            (
                {"period": "2013", "value": "0.23"},
                "already there for this period: HRB-RU-total-2013-a, 230 USD mn",
            ),
        ],
        2,
    ),
)
def test_what_speaks_against_a_figure_is_said_before_it_is_written(change: dict[str, str | None], words: str):
    result = add(typed="n\n", **change)
    assert f"look: {words}" in result.output, result.output


def test_a_sound_figure_is_written_without_a_word_against_it():
    result = add(typed="n\n", value="0.24", **{"yoy-pct": "4.3"}, period="2014")
    assert "look: power_of_ten" not in result.output and "conflict" not in result.output


def test_a_country_that_the_record_does_not_have_gets_its_row(own_data, undoubted):
    result = add("--yes", reporter="India", period="2024", published="2025-03", value="66", unit="USD bn")
    assert result.exit_code == 0, result.output
    assert "reporters.csv gets a row: India, IN" in result.output
    assert "India,IN,country,,," in lines_of(own_data / "reporters.csv")
    assert fig.check_tables() + files.check_checksums() == []


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2013", ("2013-01-01", "2013-12-31")),
        ("2024-02", ("2024-02-01", "2024-02-29")),
        ("2013-Q2", ("2013-04-01", "2013-06-30")),
        ("2013-01..2013-10", ("2013-01-01", "2013-10-31")),
        ("2013-11-26..2017-06-30", ("2013-11-26", "2017-06-30")),
    ],
)
def test_periods_as_a_user_writes_them(text: str, span: tuple[str, str]):
    assert curation.read_period(text) == span


def test_at_a_terminal_what_is_not_given_is_asked_for(own_data, undoubted, monkeypatch):
    monkeypatch.setattr(commands, "is_terminal", lambda: True)
    typed = ["Harbin", "Russia", "", "2014", "0.24", "USD bn", "", "2015-02-03", "Harbin Daily", "government"]
    result = invoke("data", "add", typed="\n".join([*typed, "https://example.org", "", "", "y"]) + "\n")
    assert result.exit_code == 0, result.output
    assert "period: a year (2013), a month (2013-05), or first..last" in result.output
    assert result.output.endswith("wrote HRB-RU-total-2014-a to data/figures.csv\n")
    assert fig.load_figures().set_index("figure_id").loc["HRB-RU-total-2014-a", "status"] == "ok"


# --- data check ---


def test_check_counts_what_the_rules_doubt_and_lists_it_on_demand():
    result = invoke("data", "check")
    assert result.exit_code == 0 and result.output.endswith("Data are in order.\n")
    assert "figures are doubted by a rule" in result.output
    listed = invoke("data", "check", "--flags").output
    assert "other_currency: HLJ-RU-total-2012-a (currency_error): found 21.3 CNY bn" in listed


def test_check_finds_faults_and_foreign_checksums(own_data):
    with (own_data / "figures.csv").open("a", encoding="utf-8") as file:
        file.write("HRB-RU-total-2014-a,Harbin\n")
    result = invoke("data", "check")
    assert result.exit_code == 1 and "found 2 fields, expected 16 fields" in result.output
    assert "2 faults found." in result.output


# --- data diff ---


def test_two_days_differ_by_what_was_published_between_them():
    result = invoke("data", "diff", "2014-04-14", "2014-04-15", "--reporter", "Harbin")
    assert result.output == (
        "+ HRB-RU-total-2013-a, 230 USD mn, +50 %, China Daily, 2014-04-15, ok\n1 added, 0 removed, 0 changed\n"
    )


def test_a_difference_of_one_reporter_is_asked_for_by_any_of_its_names():
    by_name, by_other = (
        invoke("data", "diff", "2014-04-14", "2014-04-15", "--reporter", name)
        for name in ("Harbin", "哈尔滨")
    )
    assert by_other.output == by_name.output
    refused = invoke("data", "diff", "2014-04-14", "2014-04-15", "--reporter", "Harbn")
    assert refused.exit_code == 2 and '--reporter: found "Harbn", expected "Harbin"' in refused.output


def test_two_files_differ_by_rows_and_fields(own_data, tmp_path):
    shutil.copy(own_data / "figures.csv", tmp_path / "old.csv")
    text = (own_data / "figures.csv").read_text(encoding="utf-8")
    lines = [
        line for line in text.splitlines(keepends=True) if not line.startswith("HRB-RU-total-2014m01_m03-a")
    ]
    (own_data / "figures.csv").write_text(
        "".join(lines).replace(",230,USD mn,50,", ",231,USD mn,50,"), encoding="utf-8"
    )
    result = invoke("data", "diff", str(tmp_path / "old.csv"))
    assert result.exit_code == 0, result.output
    assert "- HRB-RU-total-2014m01_m03-a, 5.34 USD bn" in result.output
    assert '~ HRB-RU-total-2013-a: value: "230" → "231"' in result.output
    assert result.output.endswith("0 added, 1 removed, 1 changed\n")


def test_the_same_vintage_does_not_differ(own_data):
    assert invoke("data", "diff", "now", "now").output == "0 added, 0 removed, 0 changed\n"
    assert invoke("data", "diff", str(own_data), "now").output == "0 added, 0 removed, 0 changed\n"


def test_a_revision_is_read_from_git(own_data, undoubted):
    git = ["git", "-C", str(own_data), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    add("--yes")
    result = invoke("data", "diff", "HEAD")
    assert result.output.startswith("+ HRB-RU-total-2014-a, 0.31 USD bn, +34.8 %")
    assert result.output.endswith("1 added, 0 removed, 0 changed\n")


@pytest.mark.parametrize("name", ["HEAD~99999", "--output=x", "nothing/here.csv", "2014-02-30"])
def test_what_is_no_vintage_is_refused(name: str):
    with pytest.raises(UserError, match=r"expected a day \(YYYY-MM-DD\), a file or folder"):
        curation.read_vintage(name)


# --- data sources ---


def test_sources_are_listed_with_what_they_cover():
    output = invoke("data", "sources").output
    assert "record: data/figures.csv" in output and re.search(
        r"\d{3} figures of \d\d flows, 1985–2026", output
    )
    assert "imf: IMF" in output and "nothing fetched yet" in output
    assert "key: COMTRADE_API_KEY is not set" in output


def test_checksums_are_those_of_what_was_written(own_data, undoubted):
    add("--yes")
    package = json.loads((own_data / "datapackage.json").read_text(encoding="utf-8"))
    described = {resource["path"]: resource["bytes"] for resource in package["resources"]}
    assert described["figures.csv"] == (own_data / "figures.csv").stat().st_size


# --- what nobody has looked at ---


def alter(data: Path, table: str = "figures.csv") -> None:
    """One digit, as a bad disk or a slip would change it."""
    path = data / table
    content = path.read_bytes()
    place = max(place for place, byte in enumerate(content) if byte in b"12345678")
    path.write_bytes(content[:place] + bytes([content[place] + 1]) + content[place + 1 :])


def commit(data: Path) -> None:
    git = ["git", "-C", str(data), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)


ALL_COMMANDS = [
    ["run", "--notebook", "00"],
    ["run", "--list"],
    ["what-if"],
    ["site"],
    ["export", "00_did_the_goal_hold"],
    ["data", "add", *(part for name, text in GIVEN.items() for part in (f"--{name}", text)), "--yes"],
]


@pytest.mark.parametrize(
    "table", ["figures.csv", "reference/priors.csv", "reference/scores/verdicts.parquet"]
)
@pytest.mark.parametrize("arguments", ALL_COMMANDS, ids=" ".join)
def test_no_command_makes_anything_of_a_table_that_differs_from_its_checksum(
    own_data, arguments: list[str], table: str
):
    alter(own_data, table)
    before = {path: path.read_bytes() for path in own_data.rglob("*") if path.is_file()}
    found = invoke(*arguments)
    assert found.exit_code == 2, found.output
    assert f"{table}:1: found sha256:" in found.stderr and "tradegoals check --renew" in found.stderr
    assert {path: path.read_bytes() for path in own_data.rglob("*") if path.is_file()} == before


def test_a_difference_is_shown_by_row_and_field_and_renewed_by_whoever_says_so(own_data, monkeypatch):
    commit(own_data)
    monkeypatch.setattr(author, "_all_faults", lambda in_short: [])  # which takes seconds
    table = own_data / "covariates.csv"
    lines = lines_of(table)
    year, name, value, *_ = lines[1].split(",")
    gone = lines[-1].split(",")
    table.write_text(
        "\n".join([lines[0], lines[1].replace(value, "99.5"), *lines[2:-1]]) + "\n", encoding="utf-8"
    )
    change, removed = (
        f'covariates: ~ {name} {year}: value: "{value}" → "99.5"\n',
        f"covariates: - {gone[1]} {gone[0]}\n",
    )

    refused = invoke("what-if").stderr
    assert change in refused and removed in refused
    assert invoke("check", "--renew").exit_code == 2  # nobody was asked
    monkeypatch.setattr(commands, "is_terminal", lambda: True)
    assert invoke("check", "--renew", typed="n\n").exit_code == 2
    assert list(curation.altered()) == ["covariates"]
    asked = invoke("check", "--renew", typed="y\n").output
    assert change in asked and removed in asked and "renewed the checksum of covariates\n" in asked
    assert curation.altered() == {}


def test_faults_are_told_before_anything_is_renewed(own_data):
    with (own_data / "events.csv").open("a") as file:
        file.write("a;b\n")
    found = invoke("check", "--renew", "--yes")
    assert found.exit_code == 1
    assert "events.csv" in found.output.splitlines()[0] and "renewed" not in found.output
    assert list(curation.altered()) == ["events"]


def test_covariates_are_not_renewed_over_a_difference(own_data):
    alter(own_data, "covariates.csv")
    with pytest.raises(UserError, match=r"covariates\.csv:1: found sha256:"):
        curation.put("covariates", [])


# --- several at once, and stops ---


def rows_given(*publishers: str) -> list[dict[str, str]]:
    given = {name.replace("-", "_"): text for name, text in GIVEN.items() if name != "period"}
    given |= {"period_start": "2014-01-01", "period_end": "2014-12-31", "flow": "total", "status": "ok"}
    return [curation.prepare(given | {"publisher": publisher})[0] for publisher in publishers]


def test_figures_added_at_once_get_keys_of_their_own_and_a_copy_is_refused(own_data):
    def written(row: dict[str, str]) -> str:
        try:
            return curation.add(row)["figure_id"]
        except UserError as error:
            return str(error)

    rows = rows_given("A Daily", "B Daily", "C Daily", "A Daily")
    assert len({row["figure_id"] for row in rows}) == 1  # each was shown the same free key
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(written, rows))
    keys = [word for word in said if word.startswith("HRB-")]
    assert len(set(keys)) == len(keys) == 3
    (refused,) = set(said) - set(keys)
    assert refused.startswith("new figure:2: figure_id: ") and "no second copy of a row" in refused
    assert fig.check_tables() + files.check_checksums() == []
    assert not [path for path in own_data.iterdir() if path.name.startswith(".")]


def test_a_figure_whose_writing_was_stopped_is_finished_by_whoever_comes_next(own_data, monkeypatch):
    """`tests/research/test_files.py` stops at every other step."""
    (row,) = rows_given("A Daily")

    def stop(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rmdir", stop)
        patch.setattr(
            files, "_finish_together", lambda folder: [path.rmdir() for path in folder.glob(files.TOGETHER)]
        )
        with pytest.raises(KeyboardInterrupt):
            curation.add(row | {"reporter": "Kenya"})
    assert fig.check_tables() + files.check_checksums() == []  # nothing has changed yet
    assert [one for one in curation.read_rows("figures") if one["reporter"] == "Kenya"] == []
    commands.expect_known_data()
    assert [one["figure_id"] for one in curation.read_rows("figures") if one["reporter"] == "Kenya"] == [
        "KE-RU-total-2014-a"
    ]
    assert "Kenya" in {one["name"] for one in curation.read_rows("reporters")}
    assert fig.check_tables() + files.check_checksums() == []
