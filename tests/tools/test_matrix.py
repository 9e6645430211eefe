"""The matrix of runs.yml: combinations, inheritance, what is left out, mistakes, and its JSON schema."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tiny
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lib import figures as fig
from lib.cases import GoalCase
from lib.errors import UserError
from lib.package import KEPT_ONLY_ENV, data_dir, notebooks_dir
from lib.tools.cli import main
from lib.tools.commands import run as running
from lib.tools.run import freshness, matrix
from lib.tools.run.freshness import Run
from lib.tools.strict import slugify

ONE = "notebooks: [01_what_do_the_figures_say]"


def expand(folder: Path, text: str, **how: Any) -> tuple[list[Run], dict[str, str]]:
    path = folder / "runs.yml"
    path.write_text(text, encoding="utf-8")
    return matrix.expand(path, **how)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        expand(folder, text)
    return str(caught.value).splitlines()


# Combinations.


def test_axes_are_multiplied_and_name_the_runs(tmp_path: Path) -> None:
    found, left_out = expand(
        tmp_path,
        f"cases:\n  a:\n    {ONE}\n    axes: {{reporter: [Harbin, China], as_of: [2020-01-01, 2026-11-24]}}\n",
    )
    assert left_out == {}
    assert [run.slug for run in found] == [
        "a_reporter-harbin_as_of-2020-01-01",
        "a_reporter-harbin_as_of-2026-11-24",
        "a_reporter-china_as_of-2020-01-01",
        "a_reporter-china_as_of-2026-11-24",
    ]
    assert [run.parameters["as_of"] for run in found] == ["2020-01-01", "2026-11-24"] * 2
    assert {run.case for run in found} == {"a"}


def test_an_axis_of_mappings_sets_several_parameters(tmp_path: Path) -> None:
    flows = "[{reporter: China, flow: export}, {reporter: Harbin, flow: total}]"
    found, _ = expand(tmp_path, f"cases: {{a: {{{ONE}, axes: {{of: {flows}}}}}}}")
    assert [(run.parameters["reporter"], run.parameters["flow"]) for run in found] == [
        ("China", "export"),
        ("Harbin", "total"),
    ]
    assert found[0].slug == "a_reporter-china_flow-export"


def test_excludes_drop_and_includes_add(tmp_path: Path) -> None:
    found, _ = expand(
        tmp_path,
        f"cases:\n  a:\n    {ONE}\n    axes: {{reporter: [Harbin, China], as_of: [2020-01-01, 2026-11-24]}}\n"
        "    exclude: [{reporter: Harbin, as_of: 2020-01-01}, {reporter: China, flow: export}]\n"
        "    include: [{reporter: Heilongjiang}]\n",
    )
    assert [run.slug.removeprefix("a_reporter-") for run in found] == [
        "harbin_as_of-2026-11-24",
        "china_as_of-2020-01-01",
        "china_as_of-2026-11-24",
        "heilongjiang",
    ]


def test_values_are_inherited_downwards(tmp_path: Path) -> None:
    text = (
        f"{ONE}\nparameters: {{reporter: China, flow: export, as_of: 2021-01-01}}\ncases:\n"
        "  plain: {}\n"
        "  own: {parameters: {flow: import}}\n"
        "  axis: {parameters: {flow: import}, axes: {flow: [total]}}\n"
        "  elsewhere: {notebooks: [02_how_did_trade_grow]}\n"
    )
    found = {run.case: run for run in expand(tmp_path, text)[0]}
    assert {name: run.parameters["flow"] for name, run in found.items()} == {
        "plain": "export",
        "own": "import",
        "axis": "total",
        "elsewhere": "export",
    }
    assert {run.parameters["reporter"] for run in found.values()} == {"China"}
    assert found["elsewhere"].notebook == "02_how_did_trade_grow"
    assert found["plain"].slug == "plain" and found["axis"].slug == "axis_flow-total"


def test_values_for_ci_stand_in_the_same_file(tmp_path: Path) -> None:
    text = (
        f"{ONE}\nci: {{cases: [a], parameters: {{as_of: 2021-01-01}}}}\ncases:\n"
        "  a: {axes: {reporter: [China, Harbin, Heilongjiang]}, ci: {axes: {reporter: [Harbin]}}}\n"
        "  b: {}\n"
    )
    assert len(expand(tmp_path, text)[0]) == 4
    (small,) = expand(tmp_path, text, ci=True)[0]
    assert (small.slug, small.parameters["as_of"]) == ("a_reporter-harbin", "2021-01-01")


def test_what_the_data_cannot_answer_is_left_out_only_if_so_asked(tmp_path: Path) -> None:
    text = (
        f"cases: {{a: {{{ONE}, axes: {{reporter: [Harbin, China], as_of: [2005-01-01, 2020-01-01]}}, LAST}}}}"
    )
    assert any("as_of: found 2005-01-01" in line for line in faults(tmp_path, text.replace(", LAST", "")))
    found, left_out = expand(tmp_path, text.replace("LAST", "unanswerable: skip"))
    assert len(found) == 3
    ((name, reason),) = left_out.items()
    assert name == "01_what_do_the_figures_say/a_reporter-harbin_as_of-2005-01-01"
    assert "expected 2014-04-15 or later" in reason


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("reporter: [Harbn]", "Harbn"),
        ("as_of: [2020-13-01]", "2020-13-01"),
        ("reportr: [China]", "did you mean reporter?"),
        ("flow: [exporrt]", "did you mean export?"),
    ],
)
def test_a_mistake_is_never_left_out(tmp_path: Path, values: str, words: str) -> None:
    found = faults(tmp_path, f"cases: {{a: {{{ONE}, unanswerable: skip, axes: {{{values}}}}}}}")
    assert len(found) == 1 and words in found[0] and found[0].startswith("runs.yml: a: ")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("axes: [China]", "axes: expected for each axis"),
        ("axes: {flow: []}", "axes: expected for each axis"),
        ("axes: {flow: [total, {flow: export}]}", "axes: expected for each axis"),
        ("exclude: {flow: total}", "exclude: expected a list"),
        ("include: [{flow: [total]}]", "include: expected a list"),
        ("unanswerable: maybe", "unanswerable: expected skip or error"),
        ("ci: small", "ci: expected a mapping"),
        ("ci: {about: x}", "ci: found about"),
    ],
)
def test_a_wrong_shape_is_named(tmp_path: Path, case: str, words: str) -> None:
    assert any(words in line for line in faults(tmp_path, f"cases: {{a: {{{ONE}, {case}}}}}"))


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    text = f"{ONE}\ncases: {{a: {{axes: {{flow: [total]}}}}, a-flow-total: {{}}, a_flow-total: {{}}}}"
    assert any("unfit for a folder" in line for line in faults(tmp_path, text))
    text = "cases: {a: {notebooks: [01_what_do_the_figures_say], axes: {as_of: [2020-01-01, 2020-1-1]}}}"
    found, _ = expand(tmp_path, text)  # one day, written in two ways
    assert len({run.slug for run in found}) == 2 == len(found)


def test_a_matrix_that_nobody_can_want_is_refused(tmp_path: Path) -> None:
    axes = ", ".join(f"x{number}: [{', '.join('abcdefghij')}]" for number in range(7))
    assert "10000000 combinations" in faults(tmp_path, f"cases: {{a: {{{ONE}, axes: {{{axes}}}}}}}")[0]


@given(st.text("abc-_", min_size=1, max_size=400), st.text("abc-_", min_size=1, max_size=400))
def test_short_slugs_fit_and_stay_apart(one: str, other: str) -> None:
    short = [matrix.make_run("01_what_do_the_figures_say", {}, name).slug for name in (one, other)]
    assert max(map(len, short)) <= matrix.LONGEST_SLUG
    assert (short[0] == short[1]) == (one == other)


# The committed file and its schema.


def test_the_committed_schemas_are_those_of_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = [notebooks_dir() / f"{name}.schema.json" for name in ("runs", "result", "answer")]
    committed.append(data_dir() / "import.schema.json")
    for name in ("notebooks_dir", "data_dir"):
        monkeypatch.setattr(running, name, lambda: tmp_path)
    done = CliRunner().invoke(main, ["schema"], catch_exceptions=False)
    assert done.output.splitlines() == [f"wrote {tmp_path / path.name}" for path in committed]
    for path in committed:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), "run: tradegoals schema"


def test_the_committed_file_fits_its_schema_and_names_it() -> None:
    text = (notebooks_dir() / "runs.yml").read_text(encoding="utf-8")
    assert text.startswith(f"# yaml-language-server: $schema={matrix.SCHEMA_FILE}\n")
    document = as_editors_see_it(yaml.load(text, Loader=yaml.BaseLoader))
    schema = matrix.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    found = jsonschema.Draft202012Validator(schema).iter_errors(document)
    assert [fault.message for fault in found] == []


def as_editors_see_it(node: Any) -> Any:
    """Our reader takes every scalar as text; editors see whole numbers as numbers, and days as text."""
    if isinstance(node, dict):
        return {key: as_editors_see_it(value) for key, value in node.items()}
    if isinstance(node, list):
        return [as_editors_see_it(value) for value in node]
    return int(node) if node.isdigit() else node


@pytest.mark.parametrize(
    "text",
    [
        "cases: {a: {parameters: {reportr: China}}}",
        "cases: {a: {parameters: {flow: exports}}}",
        "cases: {a: {notebooks: [00_did_the_goal_held]}}",
        "cases: {a: {axes: {flow: [exports]}}}",
        "cases: {a: {axis: {}}}",
        "cases: {}",
        "{}",
    ],
)
def test_the_schema_finds_what_the_reader_refuses(tmp_path: Path, text: str) -> None:
    assert not jsonschema.Draft202012Validator(matrix.schema()).is_valid(yaml.safe_load(text))
    assert faults(tmp_path, text)


def test_the_matrix_of_all_flows_is_large_and_whole(
    committed_matrix: tuple[list[Run], dict[str, str]],
) -> None:
    every, left_out = committed_matrix
    found = [run for run in every if run.case == "all-flows"]
    assert len(found) >= 200
    assert {run.parameters["goal"] for run in found} == {"10 %", "15 %", "25 %", "40 %"}
    figures = fig.load_figures()
    flows = set(zip(figures["reporter"], figures["partner"], figures["flow"], strict=True))
    axis = yaml.safe_load((notebooks_dir() / "runs.yml").read_text(encoding="utf-8"))["cases"]["all-flows"][
        "axes"
    ]
    assert {(of["reporter"], of["partner"], of["flow"]) for of in axis["of"]} == flows
    assert any("/all-flows_" in name for name in left_out)


# What would run, and how long it takes to know.


@pytest.fixture
def hundred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A matrix of a hundred runs of a tiny notebook."""
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(tmp_path / "notebooks"))
    tiny.write(tmp_path / "notebooks", "1", name="02_how_did_trade_grow")
    goals = ", ".join(f"{number} %" for number in range(1, 101))
    text = f"cases: {{a: {{notebooks: [02_how_did_trade_grow], axes: {{goal: [{goals}]}}}}}}"
    (tmp_path / "notebooks" / "runs.yml").write_text(text)
    return tmp_path


def test_a_dry_run_says_what_and_why_and_writes_nothing(hundred: Path) -> None:
    arguments = ["run", "--runs", "--out", str(hundred / "out"), "--dry-run"]
    lines = CliRunner().invoke(main, arguments).output.splitlines()
    assert lines[0] == "run   02_how_did_trade_grow/a_goal-1: new"
    assert (len(lines), lines[-1]) == (101, "100 of 100 would run")
    assert not (hundred / "out").exists()
    forced = CliRunner().invoke(main, [*arguments, "--force", "--only", "*/a_goal-1?"]).output.splitlines()
    assert (len(forced), forced[-1]) == (11, "10 of 10 would run") and forced[0].endswith(": forced")


def test_a_kept_plan_is_used_until_a_file_changes(hundred: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = hundred / "out"
    asked = 0

    def select() -> tuple[list[Run], dict[str, str]]:
        nonlocal asked
        asked += 1
        return [Run(tiny.NAME, "one", {"n": asked})], {"two": "reason"}

    first, _ = freshness.choose(["a"], out, select)
    again, _ = freshness.choose(["a"], out, select)
    assert asked == 1
    assert again == (first[0], {"two": "reason"})
    assert again[0][0].parameters == {"n": 1}
    freshness.choose(["b"], out, select)
    assert asked == 2
    (hundred / "notebooks" / "runs.yml").write_text("cases: {}")
    freshness.choose(["a"], out, select)
    assert asked == 3
    for path in (out / freshness.PLANS).iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    freshness.choose(["a"], out, select)
    assert asked == 4
    monkeypatch.setenv(KEPT_ONLY_ENV, "0")  # which flows there are
    freshness.choose(["a"], out, select)
    assert asked == 5


def test_a_kept_plan_is_not_used_after_an_edit_of_what_lies_beside_the_code(
    hundred: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and words by which parameters are read: a module reads them as it is imported."""
    library = shutil.copytree(freshness.LIB, hundred / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(freshness, "LIB", library)
    plans: list[str] = []

    def select() -> tuple[list[Run], dict[str, str]]:
        plans.append("made")
        return [Run(tiny.NAME, "one", {})], {}

    for name in ("phrases.toml", "economies.csv", "tools/run/matrix.py"):
        freshness.choose(["a"], hundred / "out", select)
        freshness.choose(["a"], hundred / "out", select)
        with (library / name).open("a") as file:
            file.write("# more\n")
    assert len(plans) == 3


@pytest.mark.usefixtures("shared_server")
def test_an_unchanged_matrix_is_recognised_without_pandas(hundred: Path) -> None:
    """What takes time in a skip is an import: the budget of 1.5 s for a hundred runs is in tests/bench."""
    code = (
        "import sys\nfrom lib.tools.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print(sorted({'pandas', 'pydantic', 'nbformat', 'papermill', 'yaml'} & set(sys.modules)))"
    )
    arguments = ["run", "--runs", "--only", "*/a_goal-[1-3]", "--jobs", "2", "--out", str(hundred / "out")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    command = [sys.executable, "-c", code, *arguments, "--dry-run"]
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stdout.splitlines()[-2:] == ["0 of 3 would run", "[]"]


# --- slugs ---


def test_slugs_say_what_differs_from_the_defaults():
    assert matrix._slug(GoalCase()) == "default"
    assert matrix._slug(GoalCase.check({"as_of": "2026-11-24"})) == "as_of-2026-11-24"
    case = GoalCase(reporter="Heilongjiang", goal="14 USD bn", base_year=2005, deadline=2010)
    assert matrix._slug(case) == "reporter-heilongjiang_goal-14-usd-bn_base_year-2005_deadline-2010"


@given(text=st.text(max_size=200))
def test_slugs_are_safe_in_paths_and_addresses(text):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slugify(text))
    assert slugify(slugify(text)) == slugify(text)
    assert re.fullmatch(
        r"[a-z0-9_-]+", matrix._slug(GoalCase.model_construct(**dict(GoalCase()) | {"reporter": text}))
    )


@given(pair=st.lists(st.integers(-300, 300), min_size=2, max_size=2, unique=True))
def test_different_goals_have_different_slugs(pair):
    first, second = (matrix._slug(GoalCase(goal=f"{rate} %")) for rate in pair)
    assert first != second


def test_every_flow_has_a_slug_of_its_own_that_fits_a_file_name():
    flows = fig.load_figures()[["reporter", "partner", "flow"]].drop_duplicates().to_dict("records")
    slugs = [
        matrix._slug(
            GoalCase(
                **flow, goal="123456789.123456789 USD bn", base_year=1999, deadline=2001, reading=reading
            )
        )
        for flow in flows
        for reading in ("every_year", "mean_of_rates")
    ]
    assert len(set(slugs)) == len(slugs)
    assert max(map(len, slugs)) < 200  # file systems take 255 bytes
