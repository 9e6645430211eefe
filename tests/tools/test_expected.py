"""Expected outcomes: what differs is told with old, new and what has changed since; renewing is all or nothing."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import tiny
from click.testing import CliRunner

from lib.errors import UserError
from lib.results import Estimate, ReadingResult, Result
from lib.tools.cli import main
from lib.tools.run import expected as expectations
from lib.tools.run import freshness, matrix, results_table
from lib.tools.run.expected import accept, check
from lib.tools.run.freshness import Outcome, Run
from lib.tools.run.results_table import read_table

KEPT = Path(__file__).resolve().parents[1] / "expected"
NOTEBOOK = "00_did_the_goal_hold"
PARTS = {
    "notebook": "0" * 64,
    "lib": {"forecast.py": "1" * 64, "goals.py": "2" * 64},
    "data": {"figures.csv": "3" * 64},
    "parameters": {"goal": "25 %"},
    "versions": {"numpy": "2.4.0", "click": "8.3.0"},
    "python": "3.11.7 linux x86_64",
}
READING = ReadingResult(
    reading="average", outcome="open", reason="no figure", probability=0.38, needed_rate=0.141
)
LEVEL = Estimate(
    target="level", period=2015, output_type="quantile", output_type_id=0.5, value=345.0, unit="USD mn"
)
SHARE = Estimate(target="base rate", period=2015, output_type="probability", value=0.2, unit="share of flows")
SOME = Result(
    notebook=NOTEBOOK,
    title="t",
    parameters={"goal": "25 %"},
    answer="a",
    readings=[READING, ReadingResult(reading="every_year", outcome="missed", reason="−12 %")],
    estimates=[LEVEL, SHARE],
    figure_ids=["HRB-RU-total-2013-a"],
)


@pytest.fixture(autouse=True)
def expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of expectations in place of the committed one."""
    folder = tmp_path / "expected"
    monkeypatch.setattr(expectations, "EXPECTED_DIR", folder)
    return folder


def outcome(tmp_path: Path, result: Result | None = SOME, parts: Any = PARTS, **changes: Any) -> Outcome:
    """A run as `tradegoals run` leaves it, with its files."""
    run = Run(NOTEBOOK, "harbin", {"goal": "25 %"}, "harbin-2014")
    folder = run.folder(tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").unlink(missing_ok=True)
    if result is not None:
        (folder / "result.json").write_text(results_table.to_json(result), encoding="utf-8")
    if parts is not None:
        freshness.write_journal(folder, asdict(run) | {"key": "k", "status": "ok", "parts": parts})
    return replace(Outcome(run, folder, 1.0), **changes)


def moved(**changes: Any) -> Result:
    """The result with another first reading."""
    return SOME.model_copy(update={"readings": [READING.model_copy(update=changes), SOME.readings[1]]})


def estimated(level: float = 345.0, share: float = 0.2) -> Result:
    rows = [LEVEL.model_copy(update={"value": level}), SHARE.model_copy(update={"value": share})]
    return SOME.model_copy(update={"estimates": rows})


def test_what_was_accepted_is_as_expected(tmp_path: Path, expected: Path) -> None:
    assert accept([outcome(tmp_path)]) == ["harbin-2014.json"]
    assert check([outcome(tmp_path)]) == []
    assert check([outcome(tmp_path, skipped=True)]) == []
    assert accept([outcome(tmp_path)]) == []  # nothing to renew, nothing written
    content = json.loads((expected / "harbin-2014.json").read_text())
    assert content["tolerances"] == expectations.TOLERANCES
    kept = content["runs"][f"{NOTEBOOK}/harbin"]
    assert kept["verdicts"] == {"on average": "open", "every year": "missed"}
    assert kept["probabilities"] == {"on average": 0.38, "base rate 2015, probability, share of flows": 0.2}
    assert kept["rates"] == {"still needed a year, on average": 0.141}
    assert kept["levels"] == {"level 2015, quantile 0.5, USD mn": 345}
    assert kept["figures"] == {"HRB-RU-total-2013-a": "230 USD mn, +50 %, ok"}
    assert kept["made_from"]["versions"] == {"numpy": "2.4.0"}


@pytest.mark.parametrize(
    "result",
    [
        moved(probability=0.3819),
        moved(probability=0.3781),
        moved(needed_rate=0.1414),
        estimated(level=345.6),
        estimated(share=0.2019),
        SOME.model_copy(update={"answer": "b", "title": "u"}),
        moved(reason="other words"),
    ],
)
def test_what_is_within_the_tolerance_passes(tmp_path: Path, result: Result) -> None:
    accept([outcome(tmp_path)])
    assert check([outcome(tmp_path, result)]) == []


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (moved(outcome="met"), "verdict, on average: expected open, found met"),
        (
            moved(probability=0.3825),
            "probabilities, on average: expected 0.38, found 0.3825 (tolerance 0.002)",
        ),
        (moved(probability=None), "probabilities, on average: expected 0.38, found none"),
        (
            moved(needed_rate=0.142),
            "rates, still needed a year, on average: expected 0.141, found 0.142 (tolerance 0.0005)",
        ),
        (
            estimated(level=346),
            "levels, level 2015, quantile 0.5, USD mn: expected 345.0, found 346.0 (relative tolerance 0.002)",
        ),
        (
            estimated(share=0.21),
            "probabilities, base rate 2015, probability, share of flows: expected 0.2, found 0.21 "
            "(tolerance 0.002)",
        ),
        (
            SOME.model_copy(update={"readings": [READING]}),
            "verdicts, every year: expected missed, found none",
        ),
    ],
)
def test_a_difference_is_told_with_old_and_new(tmp_path: Path, result: Result, line: str) -> None:
    accept([outcome(tmp_path)])
    lines = check([outcome(tmp_path, result)])
    assert lines == [
        f"{NOTEBOOK}/harbin: differs from tests/expected/harbin-2014.json",
        f"  {line}",
        "  nothing that decides the output has changed since: the machine may be another",
        "  if this is right, renew the expectation with --accept",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lib": {**PARTS["lib"], "goals.py": "f" * 64}}, "lib changed: goals"),
        ({"data": {"figures.csv": "f" * 64}}, "data changed: figures.csv"),
        ({"notebook": "f" * 64}, "notebook changed"),
        ({"parameters": {"goal": "30 %"}}, "parameters changed: goal"),
        ({"versions": {"numpy": "2.5.0", "click": "9"}}, "versions changed: numpy 2.4.0 to 2.5.0"),
        ({"python": "3.13.1 linux x86_64"}, "Python changed: 3.11.7 linux x86_64 to 3.13.1 linux x86_64"),
    ],
)
def test_a_difference_says_what_has_changed_since(tmp_path: Path, change: Any, words: str) -> None:
    accept([outcome(tmp_path)])
    assert check([outcome(tmp_path, parts=PARTS | change)]) == []  # alone it is none
    lines = check([outcome(tmp_path, moved(outcome="met"), PARTS | change)])
    assert lines[2] == f"  {words}" and len(lines) == 4


def test_a_difference_names_the_figures_that_changed(tmp_path: Path, expected: Path) -> None:
    accept([outcome(tmp_path)])
    path = expected / "harbin-2014.json"
    path.write_text(path.read_text().replace("230 USD mn", "231 USD mn"))
    new = moved(outcome="met").model_copy(
        update={"figure_ids": ["HRB-RU-total-2013-a", "HRB-RU-total-2023-a"]}
    )
    lines = check([outcome(tmp_path, new)])
    assert "  figure HRB-RU-total-2013-a: was 231 USD mn, +50 %, ok, is 230 USD mn, +50 %, ok" in lines
    assert "  figure HRB-RU-total-2023-a: was not used, is 11.7 CNY bn, ok" in lines


def test_without_a_journal_the_reasons_are_not_known(tmp_path: Path) -> None:
    accept([outcome(tmp_path)])
    changed = outcome(tmp_path, moved(outcome="met"))
    (changed.folder / "run.json").unlink()
    assert "  what else has changed since is not known: a journal is missing" in check([changed])


def test_a_tolerance_stated_in_the_file_holds(tmp_path: Path, expected: Path) -> None:
    accept([outcome(tmp_path)])
    path = expected / "harbin-2014.json"
    content = json.loads(path.read_text())
    content["tolerances"]["probabilities"] = 0.5
    path.write_text(json.dumps(content))
    assert check([outcome(tmp_path, moved(probability=0.7))]) == []


def test_a_run_without_expectation_result_or_success_is_a_difference(tmp_path: Path) -> None:
    (line,) = check([outcome(tmp_path)])
    assert "no expectation in tests/expected/harbin-2014.json" in line
    accept([outcome(tmp_path)])
    (line,) = check([outcome(tmp_path, error="cell 3: ValueError: x")])
    assert line == f"{NOTEBOOK}/harbin: failed, so there is nothing to compare"
    (line,) = check([outcome(tmp_path, result=None)])
    assert "recorded no result" in line


def test_accepting_is_all_or_nothing(tmp_path: Path, expected: Path) -> None:
    good = outcome(tmp_path)
    failed = Outcome(Run("01_what_do_the_figures_say", "x", {}, "another"), tmp_path, 1.0, "cell 1: boom")
    for bad in (failed, replace(good, run=replace(good.run, case="z"), error="boom")):
        with pytest.raises(UserError, match="nothing was accepted"):
            accept([good, bad])
    assert not expected.exists()


def test_accepting_one_run_keeps_the_others_of_its_case(tmp_path: Path, expected: Path) -> None:
    first = outcome(tmp_path)
    run = replace(first.run, notebook="03_could_one_have_known")
    second = Outcome(run, first.folder, 1.0)
    accept([first, second])
    accept([outcome(tmp_path, moved(outcome="met"))])
    runs = json.loads((expected / "harbin-2014.json").read_text())["runs"]
    assert runs[f"{NOTEBOOK}/harbin"]["verdicts"]["on average"] == "met"
    assert runs["03_could_one_have_known/harbin"]["verdicts"]["on average"] == "open"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"runs": [], "tolerances": {}}', '{"runs": {}, "tolerances": {}}']
)
def test_a_damaged_file_is_named(tmp_path: Path, expected: Path, content: str) -> None:
    expected.mkdir()
    (expected / "harbin-2014.json").write_text(content)
    for action in (check, accept):
        with pytest.raises(UserError, match=r"tests/expected/harbin-2014\.json: found"):
            action([outcome(tmp_path)])


def test_a_damaged_expectation_of_one_run_is_named(tmp_path: Path, expected: Path) -> None:
    expected.mkdir()
    content = {"tolerances": expectations.TOLERANCES, "runs": {f"{NOTEBOOK}/harbin": {"verdicts": 3}}}
    (expected / "harbin-2014.json").write_text(json.dumps(content))
    with pytest.raises(
        UserError, match=rf"harbin-2014\.json: {NOTEBOOK}/harbin: found a damaged expectation"
    ):
        check([outcome(tmp_path)])


def test_two_estimates_of_one_name_are_refused() -> None:
    with pytest.raises(UserError, match="two estimates named level 2015"):
        expectations._facts(SOME.model_copy(update={"estimates": [LEVEL, LEVEL]}))


def test_what_is_committed_covers_the_runs_of_ci_and_nothing_else() -> None:
    """A case that is added needs an expectation, one that is dropped leaves none behind."""
    runs = [Run(name, "default", {}) for name in matrix.NOTEBOOKS]
    runs += matrix.expand(ci=True)[0]
    wanted = {(run.case or run.slug, run.name) for run in runs}
    there = {
        (path.stem, name)
        for path in KEPT.glob("*.json")
        for name in json.loads(path.read_text(encoding="utf-8"))["runs"]
    }
    assert there == wanted, "run: tradegoals run --accept; tradegoals run --runs --ci --accept"


# --- the command ---

RECORD = (
    "from lib import cases, results\n"
    "case = cases.FlowCase.from_cell(locals())\n"
    "reading = results.ReadingResult(reading='average', outcome='open', reason='r', probability={p})\n"
    "results.record('{name}', case, 'a', readings=[reading])"
)


@pytest.mark.usefixtures("shared_server")
def test_the_command_accepts_compares_and_fails_with_the_difference(
    tmp_path: Path, expected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "notebooks", tmp_path / "out"
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(folder))
    command = ["run", "--notebook", tiny.NAME, "--out", str(out), "--jobs", "1"]
    tiny.write(folder, RECORD.format(p=0.38, name=tiny.NAME))
    accepted = CliRunner().invoke(main, [*command, "--accept"])
    assert accepted.exit_code == 0, accepted.output
    assert "accepted: tests/expected/default.json" in accepted.output
    again = CliRunner().invoke(main, [*command, "--check"])  # skipped, and compared all the same
    assert again.exit_code == 0 and again.stderr == "", again.output
    tiny.write(folder, RECORD.format(p=0.44, name=tiny.NAME))
    differs = CliRunner().invoke(main, [*command, "--check"])
    assert differs.exit_code == 1
    assert "probabilities, on average: expected 0.38, found 0.44 (tolerance 0.002)" in differs.stderr
    assert "notebook changed" in differs.stderr
    table = read_table(out)
    assert table.loc[table["output_type"] == "probability", "value"].tolist() == [0.44]
