"""The commands of README.md and CONTRIBUTING.md do what they say: each is executed here, or by a named step elsewhere.

By default a `run` is planned only (`--list`), and what another test executes is left to it. With
TRADEGOALS_DOCUMENTED=1, as the campaigns of continuous integration have it, all are executed in full.
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fault_server import serve
from sampling import exhaustive, some
from site_runs import FIRST, committed, put_run
from sources_kit import quick_client
from test_data_fetch import make_world

from lib import package
from lib.tools.cli import main
from lib.tools.run import matrix
from lib.tools.sources import client

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("README.md", "CONTRIBUTING.md")
IN_FULL = os.environ.get("TRADEGOALS_DOCUMENTED") == "1"
CAMPAIGNS = ".github/workflows/campaigns.yml"

ELSEWHERE = {
    "conda env create -f environment.yml && conda activate tradegoals": CAMPAIGNS,
    "pip install --require-hashes -r constraints.txt && pip install --no-deps -e .": CAMPAIGNS,
    "python -m venv .venv && . .venv/bin/activate": CAMPAIGNS,
    "python3 -m venv .venv && . .venv/bin/activate": CAMPAIGNS,
    "nbdime config-git --enable": CAMPAIGNS,
    'git config diff.jupyternotebook.command "uv run -q --group lab git-nbdiffdriver diff"': CAMPAIGNS,
    'git config merge.jupyternotebook.driver "uv run -q --group lab git-nbmergedriver merge %O %A %B %L %P"': CAMPAIGNS,
    "pre-commit install": CAMPAIGNS,
    "pytest notebooks": ".ci/run",  # all tests, among them these
    "pytest -n 0 tests/test_growth.py": ".ci/run",
    "apt-get install chromium": ".ci/run",
    "npm install --prefix out/axe axe-core": ".ci/run",
    "bash .ci/run": ".github/workflows/tests.yml",
    "uv sync --group cluster": ".ci/run",
    "tradegoals run --matrix notebooks/odd_cases.yml --out out/odd": ".ci/run",
    "jupyter lab": "test_new.py::test_jupyterlab_opens_on_the_start_notebook",
    "tradegoals kernel install": "test_new.py::test_the_warm_kernel_is_installed_by_name",
    "tradegoals new 20_my_question --case GoalCase": (
        "test_new.py::test_a_new_notebook_works_with_every_command_at_once"
    ),
    "pytest -n 0 notebooks/20_my_question.ipynb": "test_new.py::test_a_new_notebook_passes_lint_format_and_nbval",
    "tradegoals stamp": "test_new.py::test_stamp_executes_only_what_is_stale_and_says_why",
    "tradegoals stamp --check": "test_new.py::test_stamp_executes_only_what_is_stale_and_says_why",
    "tradegoals check --renew": "test_stamp.py::test_renewing_writes_the_checksums_of_what_changed",
    "tradegoals schema": "test_matrix.py::test_the_committed_schemas_are_those_of_the_models",
    "tradegoals run --accept": (
        "test_expected.py::test_the_command_accepts_compares_and_fails_with_the_difference"
    ),
    "tradegoals run --runs --ci --accept": (
        "test_expected.py::test_the_command_accepts_compares_and_fails_with_the_difference"
    ),
    'tradegoals ask mine.xlsx "+10 % a year" --base 2022 --deadline 2027': (
        "test_ask.py::test_a_file_is_asked_for_its_unit_alone"
    ),
    "tradegoals data add": "test_curation.py::test_at_a_terminal_what_is_not_given_is_asked_for",
    "tradegoals data import customs.xlsx customs.yml": (
        "test_data_fetch.py::test_a_table_downloaded_by_hand_gives_figures"
    ),
    "tradegoals data fetch --all-pairs": "test_data_fetch.py::test_all_pairs_go_on_where_they_were_stopped",
    "tradegoals data refresh": "test_data_fetch.py::test_covariates_are_renewed_with_the_difference_shown_first",
    "tradegoals data refresh --currency EUR": (
        "test_data_fetch.py::test_a_goal_may_be_in_any_currency_once_its_rates_are_there"
    ),
    "tradegoals data update": (
        "test_data_fetch.py::test_an_update_says_what_moves_and_what_is_decided_and_writes_no_target"
    ),
    "tradegoals data panel imf.parquet": "test_data_fetch.py::test_what_was_fetched_is_a_panel_for_the_backtest",
    "tradegoals reference": "../research/test_pipeline.py::test_priors_of_ones_own_panel_can_be_used",
    "tradegoals backtest": (
        "../research/test_pipeline.py::test_the_backtest_on_ones_own_panel_leaves_scores_of_all_models"
    ),
    "python tests/rooms.py": "../test_rooms.py::test_the_command_lowers_numbers_and_raises_none_without_a_reason",
    ".ci/renew": "../test_environment.py::test_uv_reads_the_pins_that_pip_reads",
    ".ci/renew --keep": "../test_environment.py::test_uv_reads_the_pins_that_pip_reads",
}
"""Commands that are not run here, each with the test (from this folder) or the file of the step that does it."""

DEAR = {
    "tradegoals data check --flags": "test_curation.py::test_check_counts_what_the_rules_doubt_and_lists_it_on_demand",
    "tradegoals export 00_did_the_goal_hold": (
        "test_export.py::test_a_run_is_exported_in_all_formats_and_the_same_bytes_again"
    ),
    "tradegoals run-one specs/00_did_the_goal_hold--harbin-2014.json": "test_cluster.py::test_specs_are_written_and_each_can_be_run_alone",
    "tradegoals what-if": "test_site.py::test_the_page_to_try_a_goal_is_part_of_the_site",
}
"""Commands that take seconds, and the test that executes each on something smaller."""

REFUSED = {"pip install -c constraints.txt -e ."}
"""Commands that the text says do not work."""

PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S+ )?(?:uv|pip|python3?|conda|bash|npm|apt-get|jupyter|tradegoals|\.ci/\w+)(?: \S+)+|\.ci/renew"
)
FRAGMENTS = {"uv run tradegoals", "uv run --group test", "pip install"}
"""Beginnings of commands that a sentence speaks of."""


def commands_of(text: str) -> list[str]:
    """Commands of a text: lines of blocks without a language, and code inside sentences that begins with a program."""
    blocks = re.findall(r"^```\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    lines = [re.split(r"\s+#\s", line)[0].strip() for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    inline = [code for code in re.findall(r"`([^`\n]+)`", prose) if PROGRAM.fullmatch(code)]
    return [line for line in dict.fromkeys([*lines, *inline]) if line and line not in FRAGMENTS]


def plain(command: str) -> str:
    """A command without the variables, `uv run` and groups before its program."""
    return re.sub(r"^(?:[A-Z_]+=\S+ )*(?:uv run )?(?:--group \w+ )*", "", command)


def read(name: str) -> str:
    """A text of the project, lines that a backslash joins as one."""
    return (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")


def steps() -> str:
    """All that continuous integration executes."""
    return read(".ci/run") + "".join(path.read_text("utf-8") for path in (ROOT / ".github").rglob("*.yml"))


def is_step(command: str) -> bool:
    """Whether continuous integration executes exactly this."""
    return bool(re.search(rf"(?:['\"]|: |&& ){re.escape(command)}(?:['\"]|$)", steps(), flags=re.MULTILINE))


COMMANDS = list(dict.fromkeys(command for name in GUIDES for command in commands_of(read(name))))
PARTS = [
    part for command in COMMANDS for part in (command.split(" && ") if "tradegoals" in command else [command])
]
HERE = [
    part
    for part in dict.fromkeys(map(plain, PARTS))
    if part.startswith("tradegoals ")
    and part not in (DEAR.keys() if not IN_FULL else ())
    and part not in ELSEWHERE
    if not is_step(f"uv run {part}")
]


def is_executed(part: str) -> bool:
    """Whether a single command is run here or elsewhere; `uv run` may be left out."""
    return plain(part) in {*HERE, *ELSEWHERE, *DEAR} or is_step(part) or is_step(f"uv run {part}")


def test_every_command_is_executed_here_or_by_a_named_step() -> None:
    left = [
        command
        for command in COMMANDS
        if not is_step(command) and plain(command) not in {*ELSEWHERE, *DEAR, *REFUSED}
        if not all(is_executed(part) for part in command.split(" && "))
    ]
    assert left == []
    assert len(HERE) > 20


@pytest.mark.parametrize(("command", "place"), (ELSEWHERE | DEAR).items())
def test_the_step_that_executes_a_command_exists(command: str, place: str) -> None:
    assert any(plain(documented) == command for documented in COMMANDS), "no longer documented"
    file, _, test = place.partition("::")
    if test:
        assert f"\ndef {test}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")
    elif place == CAMPAIGNS:
        assert command.split(" && ")[0].removeprefix("python3 ").removeprefix("python ") in read(place)
    else:
        assert (ROOT / place).is_file()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, short_matrix: Path) -> Iterator[Path]:
    """A folder with a copy of the data, runs of two flows, and a publisher that knows India and Russia."""
    folder = tmp_path_factory.mktemp("documented")
    data = folder / "data"
    shutil.copytree(package.data_dir(), data, ignore=shutil.ignore_patterns("fetched", "snapshots"))
    with pytest.MonkeyPatch.context() as patch, serve(make_world()) as publisher:
        patch.setenv(package.DATA_ENV, str(data))
        patch.delenv(package.KEPT_ONLY_ENV, raising=False)
        patch.setattr(client, "open_client", partial(quick_client, publisher.bases))
        if not IN_FULL:
            whole = matrix.expand
            patch.setattr(matrix, "expand", lambda path, *arguments: whole(path or short_matrix, *arguments))
        patch.chdir(folder)
        put_run(folder / "out", FIRST)
        exported = json.dumps(committed(FIRST)).replace('"flow": "total"', '"flow": "export"')
        put_run(folder / "out", FIRST, "exports", json.loads(exported))
        fetched = [command for command in HERE if command.startswith("tradegoals data fetch ")]
        for first in ("tradegoals data fetch India Russia", *fetched, "tradegoals results --merge"):
            assert typed(first).exit_code == 0
        yield folder


def typed(command: str) -> Result:
    """What a command does."""
    return CliRunner().invoke(main, shlex.split(command)[1:])


@exhaustive
@pytest.mark.parametrize("command", some(HERE, 3))
def test_a_documented_command_does_what_it_says(sandbox: Path, command: str) -> None:
    planned = command.startswith("tradegoals run ") and "--specs" not in command
    result = typed(f"{command} --list" if planned and not IN_FULL else command)
    assert result.exit_code == 0, result.output
    assert result.output.strip()


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    text = "```\nuv run tradegoals run -p a=1   # why\n```\nsee `tradegoals check`, `uv.lock` and `pip install`.\n"
    assert commands_of(text) == ["uv run tradegoals run -p a=1", "tradegoals check"]
    assert plain("X=1 uv run --group test pytest -n 0") == "pytest -n 0"
    assert plain("uv run tradegoals check") == "tradegoals check"
