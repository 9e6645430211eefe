"""The record of a run: its schema, its way through a notebook and a file, and its words."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lib import results
from lib.cases import FlowCase
from lib.errors import UserError
from lib.goals import READING_LABELS, READINGS, Outcome, Verdict
from lib.tools.run import results_table

SOME = results.Result(
    notebook="00_did_the_goal_hold",
    title="Harbin–Russia",
    parameters={"reporter": "Harbin", "base_year": 2012, "as_of": "2014-04-15"},
    answer="Open.",
    readings=[
        results.ReadingResult(
            reading="average",
            outcome="open",
            reason="no figure for 2015",
            probability=0.38,
            needed_rate=0.141,
        ),
        results.ReadingResult(reading="every_year", outcome="missed", reason="2014: −12 %"),
    ],
    estimates=[
        results.Estimate(
            target="level", period=2015, output_type="quantile", output_type_id=0.9, value=1, unit="USD mn"
        )
    ],
    figure_ids=["hrb-1"],
)


def carried(record: Any) -> nbformat.NotebookNode:
    """A notebook whose last cell shows a record."""
    output = nbformat.v4.new_output("display_data", {results.MIME: record, "text/plain": "Recorded."})
    text = nbformat.v4.new_markdown_cell("The end.")
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("record", outputs=[output]), text])


fractions = st.floats(0, 1, exclude_min=True, exclude_max=True)
numbers = st.floats(allow_nan=False, allow_infinity=False)
readings = st.builds(
    results.ReadingResult,
    reading=st.sampled_from(READINGS),
    outcome=st.sampled_from(get_args(Outcome)),
    reason=st.text(),
    probability=st.none() | fractions,
    needed_rate=st.none() | numbers,
)
records = st.builds(
    results.Result,
    notebook=st.text(),
    title=st.text(),
    parameters=st.dictionaries(st.text(), st.none() | st.text() | st.integers() | numbers | st.booleans()),
    answer=st.text(),
    readings=st.lists(readings, max_size=3),
    figure_ids=st.lists(st.text(), max_size=3),
)


@given(records)
def test_a_record_comes_back_from_its_file(tmp_path_factory: Any, record: results.Result) -> None:
    path = tmp_path_factory.mktemp("results") / "result.json"
    path.write_text(results_table.to_json(record), encoding="utf-8")
    assert results_table.read_result(path) == record


def test_the_file_is_plain_stable_json() -> None:
    text = results_table.to_json(SOME)
    assert json.loads(text) == SOME.model_dump(mode="json")
    assert "Harbin–Russia" in text
    assert text.endswith("}\n")
    assert text == results_table.to_json(SOME.model_copy(deep=True))


def test_a_record_travels_in_the_notebook() -> None:
    assert results_table.from_notebook(carried(SOME.model_dump(mode="json"))) == SOME


def test_a_notebook_without_a_record_gives_none() -> None:
    assert (
        results_table.from_notebook(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])) is None
    )


def test_what_record_displays_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    results.record("01_what_do_the_figures_say", FlowCase(), "Yes.", figure_ids=["a", "b"])
    back = results_table.from_notebook(carried(shown[0][results.MIME]))
    assert back is not None
    assert (back.answer, back.figure_ids, back.title) == ("Yes.", ["a", "b"], FlowCase().title())
    assert back.parameters == FlowCase().model_dump(mode="json")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"extra": 1}, "extra"),
        ({"answer": None}, "answer"),
        ({"readings": [{"reading": "average", "outcome": "perhaps", "reason": ""}]}, "readings.0.outcome"),
        ({"readings": [{"reading": "sum", "outcome": "met", "reason": ""}]}, "readings.0.reading"),
    ],
)
def test_a_damaged_record_is_named_field_by_field(tmp_path: Path, change: Any, fault: str) -> None:
    record = SOME.model_dump(mode="json") | change
    path = tmp_path / "result.json"
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=rf"^result\.json: found a damaged result .*{fault}"):
        results_table.read_result(path)
    with pytest.raises(UserError, match=rf"last output.*{fault}"):
        results_table.from_notebook(carried(record))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"null", b"\xff\xfe", results_table.to_json(SOME).encode()[:90]]
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"^result\.json: "):
        results_table.read_result(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^result\.json: cannot be read"):
        results_table.read_result(tmp_path / "result.json")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_none_gets_in(tmp_path: Path, value: float) -> None:
    estimate = {"target": "level", "period": 2015, "output_type": "point", "value": value, "unit": "USD mn"}
    with pytest.raises(ValidationError):
        results.Estimate.model_validate(estimate)
    with pytest.raises(ValidationError):
        results.ReadingResult(reading="average", outcome="open", reason="", needed_rate=value)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(SOME.model_dump(mode="json") | {"estimates": [estimate]}))
    with pytest.raises(UserError, match=r"result\.json: found no valid JSON \(.* float values are not JSON"):
        results_table.read_result(path)


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.1])
def test_no_probability_claims_certainty(value: float) -> None:
    with pytest.raises(ValidationError):
        results.ReadingResult(reading="average", outcome="open", reason="", probability=value)


def test_only_an_undecided_reading_carries_probability_and_need() -> None:
    verdicts = [
        Verdict("average", "open", "a"),
        Verdict("every_year", "missed", "b"),
        Verdict("mean_of_rates", "met", "c"),
    ]
    chances = dict.fromkeys(READINGS, 0.4)
    needed = pd.Series({"average": 0.1, "every_year": 0.2, "mean_of_rates": np.nan})
    rows = results.readings(verdicts, chances, needed)
    assert [row.probability for row in rows] == [0.4, None, None]
    assert [row.needed_rate for row in rows] == [0.1, None, None]
    assert [row.reason for row in rows] == ["a", "b", "c"]


def test_an_open_reading_without_a_need_has_none() -> None:
    rows = results.readings([Verdict("average", "open", "a")], None, pd.Series({"average": np.nan}))
    assert (rows[0].probability, rows[0].needed_rate) == (None, None)


def test_verdicts_are_told_in_words() -> None:
    assert results_table.verdict_lines([SOME]) == [
        "",
        "Harbin–Russia (00)",
        f"  {READING_LABELS['average']:<22} open: 38 %; needs +14.1 % a year; no figure for 2015",
        f"  {READING_LABELS['every_year']:<22} missed; 2014: −12 %",
    ]


@pytest.mark.parametrize(("chance", "words"), [(0.0004, "below 1 %"), (0.9996, "above 99 %"), (0.5, "50 %")])
def test_words_never_claim_certainty(chance: float, words: str) -> None:
    reading = results.ReadingResult(reading="average", outcome="open", reason="r", probability=chance)
    lines = results_table.verdict_lines([SOME.model_copy(update={"readings": [reading]})])
    assert lines[-1].endswith(f"open: {words}; r")


def test_equal_verdicts_are_told_once_and_others_apart() -> None:
    again = SOME.model_copy(update={"notebook": "03_could_one_have_known"})
    other = SOME.model_copy(update={"readings": SOME.readings[:1]})
    without = SOME.model_copy(update={"readings": []})
    once = results_table.verdict_lines([SOME])
    assert results_table.verdict_lines([SOME, again, without])[2:] == once[2:]
    assert results_table.verdict_lines([SOME, again, without])[1] == "Harbin–Russia (00, 03)"
    assert results_table.verdict_lines([SOME, other]) == once + results_table.verdict_lines([other])


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        ("forecast", "open", "00; forecast"),
        ("inferred", "unknown", "00; inferred"),
        (None, "met", "00; decided by figures"),
    ],
)
def test_a_block_says_who_says_so_and_by_what_kind(kind: str | None, outcome: str, words: str) -> None:
    reading = SOME.readings[0].model_copy(
        update={"kind": kind, "outcome": outcome, "probability": 0.3 if kind else None}
    )
    lines = results_table.verdict_lines([SOME.model_copy(update={"readings": [reading]})])
    assert lines[1] == f"Harbin–Russia ({words})"


def test_a_warning_ends_the_block_once_and_parts_no_notebooks() -> None:
    warned = SOME.model_copy(update={"notebook": "03_could_one_have_known", "warning": "The class is old."})
    lines = results_table.verdict_lines([SOME, warned, warned])
    assert lines[1] == "Harbin–Russia (00, 03)" and lines[2:-1] == results_table.verdict_lines([SOME])[2:]
    assert lines[-1] == "  The class is old."
