"""All results in one table: every row from a run, nothing lost, nothing false, whoever merges at the same time."""

import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from drivers import Driver
from hypothesis import given
from hypothesis import strategies as st

from lib import package, results
from lib.errors import UserError
from lib.research.files import write_atomically
from lib.tools.cli import main
from lib.tools.commands.results import _as_text
from lib.tools.run import freshness, results_table
from lib.tools.run.results_table import COLUMNS, TABLE, merge, read_table

PARAMETERS: dict[str, Any] = {
    "reporter": "Harbin",
    "partner": "Russia",
    "flow": "total",
    "as_of": "2014-04-15",
    "currency": "USD",
    "goal": "25 %",
    "base_year": 2012,
    "deadline": 2015,
    "reading": "average",
}
READINGS = [
    results.ReadingResult(
        reading="average", outcome="open", reason="no figure", probability=0.38, needed_rate=0.141
    ),
    results.ReadingResult(reading="every_year", outcome="missed", reason="−12 %"),
    results.ReadingResult(reading="mean_of_rates", outcome="met", reason="mean +30 %"),
]
ESTIMATES = [
    results.Estimate(
        target="level", period=2015, output_type="quantile", output_type_id=0.025, value=345.5, unit="USD mn"
    ),
    results.Estimate(target="base rate", period=2018, output_type="probability", value=0.2, unit="share"),
]
SOME = results.Result(
    notebook="00_did_the_goal_hold",
    title="t",
    parameters=PARAMETERS,
    answer="a",
    readings=READINGS,
    estimates=ESTIMATES,
)


PARTS: dict[str, Any] = {"lib": {}, "data": {}, "parameters": {}, "versions": {}}


def publish(out: Path, slug: str = "default", result: results.Result = SOME, **changes: Any) -> Path:
    """Put a result where a run would."""
    folder = out / "runs" / result.notebook / slug
    folder.mkdir(parents=True, exist_ok=True)
    record = result.model_copy(update={"parameters": result.parameters | changes})
    write_atomically(folder / "result.json", results_table.to_json(record))
    return folder


def test_every_reading_and_estimate_has_its_rows(tmp_path: Path) -> None:
    freshness.write_journal(publish(tmp_path), {"key": "abc123", "status": "ok", "parts": PARTS})
    assert merge(tmp_path) == []
    assert len(read_table(tmp_path)) == 7
    table = read_table(tmp_path)
    assert list(table.columns) == list(COLUMNS)
    wanted = ["reading", "period", "target", "output_type", "output_type_id", "value", "unit"]
    rows = table[wanted].astype(object).where(table[wanted].notna(), None).to_numpy().tolist()
    assert rows == [
        ["average", 2015, "goal met", "verdict", "open", None, ""],
        ["average", 2015, "goal met", "probability", None, 0.38, ""],
        ["average", 2015, "needed rate", "point", None, 0.141, "a year"],
        ["every_year", 2015, "goal met", "verdict", "missed", 0.0, ""],
        ["mean_of_rates", 2015, "goal met", "verdict", "met", 1.0, ""],
        [None, 2015, "level", "quantile", "0.025", 345.5, "USD mn"],
        [None, 2018, "base rate", "probability", None, 0.2, "share"],
    ]
    task = table[["run_key", "slug", "reporter", "base_year", "as_of", "parameters"]].iloc[0].tolist()
    assert task[:4] == ["abc123", "default", "Harbin", 2012]
    assert str(task[4]) == "2014-04-15"
    assert json.loads(task[5]) == PARAMETERS


def test_a_run_without_a_flow_keeps_its_parameters(tmp_path: Path) -> None:
    publish(
        tmp_path, result=SOME.model_copy(update={"parameters": {"goal_pct": 25, "years": 3}, "readings": []})
    )
    merge(tmp_path)
    table = read_table(tmp_path)
    assert table["reporter"].isna().all() and table["as_of"].isna().all()
    assert json.loads(table["parameters"].iloc[0]) == {"goal_pct": 25, "years": 3}


@pytest.mark.parametrize("journal", [None, "", "{", "[1]", '{"key": "k"}', '{"key": 7, "status": "ok"}'])
def test_without_a_key_the_folder_names_the_run(tmp_path: Path, journal: str | None) -> None:
    folder = publish(tmp_path, "harbin-2014")
    if journal is not None:
        (folder / "run.json").write_text(journal)
    merge(tmp_path)
    assert set(read_table(tmp_path)["run_key"]) == {"harbin-2014"}


def test_a_key_that_decides_nothing_names_no_run(tmp_path: Path) -> None:
    """The journal's key is empty where an input changed while the run went."""
    freshness.write_journal(publish(tmp_path, "harbin-2014"), {"key": "", "status": "ok", "parts": PARTS})
    merge(tmp_path)
    assert set(read_table(tmp_path)["run_key"]) == {"harbin-2014"}


def test_merging_again_changes_no_byte_and_forgets_what_is_gone(tmp_path: Path) -> None:
    publish(tmp_path, "a")
    folder = publish(tmp_path, "b", reporter="China")
    merge(tmp_path)
    once = (tmp_path / TABLE).read_bytes()
    merge(tmp_path)
    assert (tmp_path / TABLE).read_bytes() == once
    (folder / "result.json").unlink()
    assert merge(tmp_path) == []
    assert set(read_table(tmp_path)["slug"]) == {"a"}


DAMAGED = [
    b"",
    b"{",
    b"\xff\xfe",
    results_table.to_json(SOME).encode()[:200],
    results_table.to_json(SOME.model_copy(update={"parameters": {**PARAMETERS, "reporter": 7}})).encode(),
    results_table.to_json(SOME.model_copy(update={"parameters": {**PARAMETERS, "as_of": "soon"}})).encode(),
    results_table.to_json(
        SOME.model_copy(update={"parameters": {**PARAMETERS, "deadline": "2015"}})
    ).encode(),
    results_table.to_json(
        SOME.model_copy(update={"parameters": {**PARAMETERS, "deadline": 10**12}})
    ).encode(),
    results_table.to_json(
        SOME.model_copy(update={"parameters": {**PARAMETERS, "deadline": 2015.5}})
    ).encode(),
    results_table.to_json(
        SOME.model_copy(update={"parameters": {**PARAMETERS, "deadline": 10**30}})
    ).encode(),
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_result_is_named_and_left_out(tmp_path: Path, content: bytes) -> None:
    publish(tmp_path, "good")
    (publish(tmp_path, "bad") / "result.json").write_bytes(content)
    merged = merge(tmp_path)
    assert len(read_table(tmp_path)) == 7
    assert [line.partition(": ")[0] for line in merged] == ["runs/00_did_the_goal_hold/bad/result.json"]
    assert "found" in merged[0]
    assert set(read_table(tmp_path)["slug"]) == {"good"}


def test_an_outcome_that_was_edited_becomes_no_answer(tmp_path: Path) -> None:
    for slug in ("a", "b"):
        freshness.write_journal(publish(tmp_path, slug), {"key": slug, "status": "ok", "parts": PARTS})
    edited = tmp_path / "runs" / SOME.notebook / "b" / "result.json"
    edited.write_text(edited.read_text(encoding="utf-8").replace('"missed"', '"met"'), encoding="utf-8")
    found = merge(tmp_path)
    assert found == [
        f"runs/{SOME.notebook}/b/result.json: found another file than its journal describes; run it again"
    ]
    assert set(read_table(tmp_path)["run_key"]) == {"a"}


@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=3)
)
def test_no_flipped_bit_of_the_table_is_read_in_silence(
    flipped: Path, flips: list[tuple[float, int]]
) -> None:
    path, whole = flipped / TABLE, (flipped / "whole").read_bytes()
    content = bytearray(whole)
    for place, bit in flips:
        content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        table = read_table(flipped)
    except UserError as error:
        assert str(error).startswith(str(path)) and "--merge" in str(error)
    else:  # a bit that says nothing
        path.write_bytes(whole)
        pd.testing.assert_frame_equal(table, read_table(flipped))


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, and a copy of it."""
    out = tmp_path_factory.mktemp("out")
    publish(out)
    merge(out)
    (out / "whole").write_bytes((out / TABLE).read_bytes())
    return out


def test_a_result_that_goes_while_it_is_read_is_no_damage(tmp_path: Path, monkeypatch: Any) -> None:
    publish(tmp_path, "good")
    gone = publish(tmp_path, "gone") / "result.json"
    read = results_table._table_of

    def while_it_goes(folder: Path) -> Any:
        if folder == gone.parent:
            gone.unlink()
        return read(folder)

    monkeypatch.setattr(results_table, "_table_of", while_it_goes)
    assert merge(tmp_path) == []
    assert len(read_table(tmp_path)) == 7


def test_nothing_that_is_being_written_is_read(tmp_path: Path) -> None:
    publish(tmp_path, ".working-x")
    assert merge(tmp_path) == []
    assert read_table(tmp_path).empty


MERGE_MANY = """
import sys
from pathlib import Path
from lib.tools.run.results_table import merge
out, ready = map(Path, sys.argv[1:])
for folder in ready.iterdir():
    folder.rename(out / "runs" / ready.name / folder.name)
    assert merge(out) == []
"""


def test_two_drivers_at_once_lose_nothing(tmp_path: Path, start_driver: Callable[..., Driver]) -> None:
    out = tmp_path / "out"
    (out / "runs" / SOME.notebook).mkdir(parents=True)
    for name, number in itertools.product("ab", range(8)):
        publish(tmp_path / name, f"{name}-{number}")
    drivers = [
        start_driver(MERGE_MANY, str(out), str(tmp_path / name / "runs" / SOME.notebook)) for name in "ab"
    ]
    while any(driver.poll() is None for driver in drivers):
        time.sleep(0.05)
        if (out / TABLE).exists():
            read_table(out)  # whole at every moment
    assert [driver.returncode for driver in drivers] == [0, 0]
    assert read_table(out)["slug"].nunique() == 16
    assert sorted(path.name for path in out.iterdir()) == [TABLE, "runs"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(UserError, match="cannot be written"):
        merge(tmp_path)


def test_a_link_in_place_of_the_lock_or_table_is_not_followed(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    publish(out)
    elsewhere.write_text("mine")
    (out / TABLE).symlink_to(elsewhere)
    merge(out)
    assert elsewhere.read_text() == "mine" and not (out / TABLE).is_symlink()
    (out / ".lock").symlink_to(elsewhere)
    with pytest.raises(UserError, match="cannot be written"):
        merge(out)


def test_the_schema_that_is_kept_names_every_field() -> None:
    kept = (package.notebooks_dir() / "result.schema.json").read_text(encoding="utf-8")
    assert json.loads(kept)["properties"].keys() == results.Result.model_fields.keys()


# --- the command ---


def ask(out: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["results", "--out", str(out), *arguments])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    publish(tmp_path, "harbin")
    publish(tmp_path, "china", reporter="China", goal="100 USD bn", as_of="2012-12-31")
    merge(tmp_path)
    return tmp_path


def exported(out: Path, *arguments: str) -> pd.DataFrame:
    file = out / "chosen.csv"
    answer = ask(out, *arguments, "--csv", str(file))
    assert answer.exit_code == 0, answer.output
    rows = pd.read_csv(file)
    assert f"wrote {len(rows)} rows to" in answer.output
    return rows


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ([], 14),
        (["--reporter", "Harbin"], 7),
        (["--reporter", "Harbin", "--reporter", "China"], 14),
        (["--goal", "25"], 7),
        (["--goal", "100USD bn"], 7),
        (["--as-of", "2012-12-31", "--output-type", "verdict"], 3),
        (["--period", "2018"], 2),
        (["--output-type", "quantile", "--slug", "china"], 1),
        (["--as-of", "2012-12-31", "--reporter", "Harbin"], 0),
        (["--reading", "average", "--target", "needed rate"], 2),
    ],
)
def test_rows_are_chosen(out: Path, arguments: list[str], rows: int) -> None:
    found = exported(out, *arguments)
    assert len(found) == rows and list(found.columns) == list(COLUMNS)
    printed = ask(out, "--limit", "0", *arguments).output
    assert printed.endswith(f"{rows} of 14 rows\n" if rows < 14 else "14 rows\n")


def test_the_export_holds_full_precision(out: Path) -> None:
    publish(
        out,
        "third",
        goal="10 %",
        result=SOME.model_copy(
            update={
                "estimates": [
                    results.Estimate(target="level", period=2015, output_type="point", value=1 / 3, unit="x")
                ]
            }
        ),
    )
    merge(out)
    assert exported(out, "--target", "level", "--output-type", "point")["value"].tolist() == [1 / 3]


def test_rows_are_sorted_with_empty_values_last(out: Path) -> None:
    values = exported(out, "--sort", "value", "--descending")["value"]
    known = values.dropna()
    assert known.is_monotonic_decreasing and values.isna().tolist() == [False] * len(known) + [True] * 2
    assert (
        exported(out, "--sort", "reporter", "--sort", "value")["reporter"].tolist()
        == ["China"] * 7 + ["Harbin"] * 7
    )


def test_what_all_rows_share_stands_above_and_the_number_of_rows_below(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = ask(out, "--reporter", "Harbin", "--output-type", "probability").output.splitlines()
    assert lines[0].startswith("notebook: 00_did_the_goal_hold; slug: harbin; reporter: Harbin")
    assert [line.split() for line in lines[1:] if line] == [
        ["period", "target", "reading", "value", "unit"],
        ["2015", "goal", "met", "average", "0.38"],
        ["2018", "base", "rate", "0.2", "share"],
        ["2", "of", "14", "rows"],
    ]


def test_a_long_table_is_cut_and_says_so(out: Path) -> None:
    printed = ask(out, "--limit", "3").output
    assert printed.endswith("14 rows, the first 3 shown; --limit 0 shows all\n")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(out: Path, width: int) -> None:
    lines = _as_text(read_table(out), width).splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reporter", "Harbn"], '--reporter: found "Harbn", expected "Harbin", or one of: China, Harbin'),
        (["--output-type", "quantil"], '--output-type: found "quantil", expected "quantile"'),
        (["--as-of", "2014"], '--as-of: found "2014", expected'),
        (["--sort", "valeu"], '--sort: found "valeu", expected "value"'),
        (["--csv", "no/such/folder.csv"], "folder.csv: cannot be written"),
    ],
)
def test_a_mistake_is_told(out: Path, arguments: list[str], message: str) -> None:
    answer = ask(out, *arguments)
    assert answer.exit_code == 2 and message in answer.output and "Traceback" not in answer.output


def test_a_missing_damaged_or_empty_table_is_told(tmp_path: Path) -> None:
    assert "found no table" in ask(tmp_path).output and ask(tmp_path).exit_code == 2
    (tmp_path / TABLE).write_bytes(b"PAR1 cut short")
    assert "found no table that can be read" in ask(tmp_path).output and ask(tmp_path).exit_code == 2
    pq.write_table(pa.table({"a": [1]}), tmp_path / TABLE)
    assert "other columns" in ask(tmp_path).output
    empty = ask(tmp_path, "--merge")
    assert (empty.exit_code, empty.output) == (0, "The table is empty: no run has recorded a result.\n")
    assert "no row has this column" in ask(tmp_path, "--reporter", "Harbin").output


def test_merge_names_what_it_leaves_out(out: Path) -> None:
    (publish(out, "bad") / "result.json").write_text("{")
    answer = ask(out, "--merge", "--csv", "-")
    assert "left out of the results table: runs/00_did_the_goal_hold/bad/result.json: found" in answer.stderr
    assert len(answer.stdout.splitlines()) == 15
