"""The command as a user types it: what it prints, how it ends, and never a traceback for a mistake."""

import contextlib
import importlib.metadata
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
from click.testing import CliRunner, Result
from drivers import Driver
from sampling import exhaustive, some

from lib import package
from lib.tools.cli import main
from lib.tools.commands import author
from lib.tools.run import execute, kernels, matrix

MARK = "TRADEGOALS_TEST_MARK"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def refused(*arguments: str) -> str:
    """The message of a command that must end as a user's mistake."""
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch, short_matrix: Path) -> None:
    """Any start of a run fails the test; of the committed cases only some are read, since all take seconds."""
    monkeypatch.setattr(execute, "execute_many", lambda *_: pytest.fail("a run was started"))
    # Which would get ready while parameters are checked.
    monkeypatch.setattr(kernels, "server", lambda: pytest.fail)
    ours, whole = package.notebooks_dir(), matrix.expand

    def expand(path: Path | None = None, *arguments: Any) -> Any:
        is_ours = path is None and package.notebooks_dir() == ours  # another where a test has set it
        return whole(short_matrix if is_ours else path, *arguments)

    monkeypatch.setattr(matrix, "expand", expand)


@pytest.fixture
def tiny_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(folder))
    return folder


def python(code: str, *arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=tiny.PATIENCE,
        env={**os.environ, **options},
        check=False,
    )


# Cost of imports and of help.


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lib", ["pandas", "numpy", "click"]),
        (
            "import lib.figures, lib.growth, lib.goals, lib.series, lib.cases",
            ["statsmodels", "seaborn", "matplotlib", "pandera", "papermill", "nbconvert", "scipy.stats"],
        ),
        (
            "from lib.tools.cli import main; main(['--help'], standalone_mode=False)",
            ["pandas", "numpy", "pydantic", "nbformat", "papermill"],
        ),
        (
            "from lib.tools.cli import main; main(['run', '--help'])",
            ["pandas", "numpy", "pydantic", "papermill"],
        ),
    ],
    ids=["lib", "figures", "help", "run help"],
)
def test_imports_stay_light(statement: str, absent: list[str]) -> None:
    code = (
        "import sys\n"
        f"try:\n    {statement}\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        f"sys.exit(' '.join(name for name in {absent!r} if name in sys.modules) or None)"
    )
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")


@exhaustive
@pytest.mark.parametrize("arguments", some([["run", "--help"], ["--help"], ["-h"]], 3))
def test_help_shows_commands_that_can_be_typed(
    no_kernel: None, arguments: list[str], short_matrix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(short_matrix, tmp_path / "mine.yml")
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 0
    lines = [line.strip() for line in result.output.splitlines() if "  tradegoals run" in line]
    assert len(lines) >= 4
    assert any("-p as_of=" in line for line in lines)
    if arguments == ["--help"]:
        for line in lines:
            command = shlex.split(re.split(r"\s{2,}", line)[0])
            shown = invoke(*command[1:], *([] if "--list" in command else ["--list"]))
            assert shown.exit_code == 0, (line, shown.output)
            assert shown.output


def test_the_installed_command_and_the_module_are_the_same() -> None:
    script = Path(sys.executable).with_name("tradegoals")
    if not script.exists():
        pytest.skip("the package is not installed here")
    command = subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
    module = subprocess.run(
        [sys.executable, "-m", "lib.tools.cli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert command.splitlines()[1:] == module.splitlines()[1:]
    assert command.startswith("Usage: tradegoals ")


# What would run.


def test_the_list_shows_every_notebook_with_all_its_parameters(no_kernel: None) -> None:
    result = invoke("run", "--list")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"{name}/default" for name in matrix.NOTEBOOKS]
    assert lines[0].endswith(
        "reporter=Harbin partner=Russia flow=total as_of=2014-04-15 currency=USD goal=25 % "
        "base_year=2012 deadline=2015 reading=average"
    )


@pytest.mark.parametrize(
    ("pair", "shown"),
    [
        ("goal=40", "goal=40"),
        ("goal=100 USD bn", "goal=100 USD bn"),
        (" deadline = 2016 ", "deadline=2016"),
        ("as_of=2026-11-24", "as_of=2026-11-24"),
        ("reading=every_year", "reading=every_year"),
    ],
)
def test_a_good_value_is_taken(no_kernel: None, pair: str, shown: str) -> None:
    result = invoke("run", "--list", "--notebook", "00_did_the_goal_hold", "-p", pair)
    assert result.exit_code == 0
    assert shown in result.output


def test_people_s_words_are_taken_and_told_as_understood(no_kernel: None) -> None:
    pairs = ["goal=US$0.3 billion", "as_of=April 2014", "reporter=哈尔滨", "flow=trade", "deadline=2015"]
    result = invoke("run", "--list", "--notebook", "00", *(part for pair in pairs for part in ("-p", pair)))
    assert result.exit_code == 0, result.output
    assert (
        "reporter=Harbin partner=Russia flow=total as_of=2014-04-30 currency=USD goal=300 USD mn"
        in result.stdout
    )
    assert result.stderr.splitlines() == [
        "goal: US$0.3 billion read as 300 USD mn",
        "as_of: April 2014 read as 2014-04-30",
        "reporter: 哈尔滨 read as Harbin",
        "flow: trade read as total",
    ]


def test_a_parameter_goes_to_the_notebooks_that_take_it(no_kernel: None) -> None:
    values = ["-p", "base_year=2010", "-p", "deadline=2014", "-p", "reporter=China"]
    result = invoke("run", "--list", *values)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    # What became of China's trade by 2014 is known: notebook 10 has no answer; 09 has one on the day of its default.
    models = {name: model for name, model in matrix.NOTEBOOKS.items() if name != "10_did_harbin_make_it"}
    reporters = [name for name, model in models.items() if "reporter" in model.model_fields]
    assert [line.partition("/")[0] for line in lines if "reporter=China" in line] == reporters
    takers = [name for name, model in models.items() if "base_year" in model.model_fields]
    assert 0 < len(takers) < len(lines)
    assert [line.partition("/")[0] for line in lines if "base_year=2010 deadline=2014" in line] == takers


def test_notebooks_of_unknown_outcomes_are_left_out_where_they_have_no_answer(no_kernel: None) -> None:
    """China's trade of 2014 was known in 2026, when no scenario lay ahead; at the end of 2012 its year was not over."""
    goal = ["-p", "reporter=China", "-p", "base_year=2010", "-p", "deadline=2014"]
    listed = {
        day: [
            line.partition("/")[0]
            for line in invoke("run", "--list", *goal, "-p", f"as_of={day}").output.splitlines()
        ]
        for day in ("2026-11-24", "2012-12-31")
    }
    assert "09_what_would_it_take" not in listed["2026-11-24"]
    assert "10_did_harbin_make_it" in listed["2026-11-24"]
    assert "09_what_would_it_take" in listed["2012-12-31"]
    assert "10_did_harbin_make_it" not in listed["2012-12-31"]
    named = invoke("run", "--list", "--notebook", "10_did_harbin_make_it", *goal, "-p", "as_of=2012-12-31")
    assert named.exit_code != 0 and "deadline: found 2014" in named.output


@pytest.mark.parametrize(
    "text", ["00", "00_did", "notebooks/00_did_the_goal_hold.ipynb", "00_did_the_goal_hold"]
)
def test_a_notebook_may_be_named_by_its_beginning_or_a_path(no_kernel: None, text: str) -> None:
    shown = invoke("run", "--notebook", text, "--list")
    assert shown.exit_code == 0 and shown.output.startswith("00_did_the_goal_hold/default: ")
    assert len(shown.output.splitlines()) == 1


def test_the_version_is_that_of_the_package() -> None:
    assert invoke("--version").output == f"tradegoals {importlib.metadata.version('tradegoals')}\n"


def test_a_notebook_named_twice_runs_once(no_kernel: None) -> None:
    assert len(invoke("run", "--list", *["--notebook", tiny.NAME] * 2).output.splitlines()) == 1


def test_cases_can_be_chosen(no_kernel: None) -> None:
    one = invoke("run", "--runs", "--case", "harbin-2014", "--list")
    assert one.exit_code == 0
    assert {line.partition(":")[0].partition("/")[2] for line in one.output.splitlines()} == {"harbin-2014"}
    without_flag = invoke("run", "--case", "harbin-2014", "--notebook", tiny.NAME, "--list")
    assert [line.partition(":")[0] for line in without_flag.output.splitlines()] == [
        f"{tiny.NAME}/harbin-2014"
    ]


# Mistakes: exit 2 before any kernel starts.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "reportr=China"], ["reportr", "unknown parameter", "did you mean reporter?"]),
        (["-p", "reporter=Harbn"], ["reporter", "Harbn", "Harbin"]),
        (["-p", "as_of=2014-13-01"], ["as_of", "2014-13-01"]),
        (["-p", "as_of=1500-01-01"], ["as_of", "1500-01-01", "first figure"]),
        (["-p", "goal=many"], ["goal", "many", "25 %"]),
        (["-p", "goal="], ["goal", "25 %"]),
        (["-p", "goal=nan %"], ["goal", "25 %"]),
        (["-p", "flow=exprts"], ["flow", "exprts", "export"]),
        (["-p", "base_year=2012.5"], ["base_year", "2012.5", "integer"]),
        (["-p", "base_year=2015"], ["deadline", "2015", "after base_year"]),
        (["-p", "deadline=2099"], ["deadline", "2099"]),
        (["-p", "goal=1 %", "-p", "goal=2 %"], ["-p", "goal", "a second time"]),
        (["-p", "goal"], ["-p", "'goal'", "name=value"]),
        (["-p", "=1"], ["-p", "name=value"]),
        (["-p", "flow=<script>", "-p", "reading=x'\"{}\n"], ["flow", "<script>", "reading"]),
        (
            ["--notebook", "00_did_the_goal_held"],
            ['found "00_did_the_goal_held", expected "00_did_the_goal_hold", or one of'],
        ),
        (["--notebook", "0"], ["expected one of: 00_did_the_goal_hold, 01_"]),
        (["--notebook", ""], ['notebook: found ""', "expected one of"]),
        (["--notebook", "../../etc/passwd"], ["notebook", "expected one of"]),
        (["--runs", "--case", "harbin-2013"], ["--case", "harbin-2013", "harbin-2014"]),
        (["--runs", "-p", "goal=40"], ["-p", "--runs"]),
        (["--case", "harbin-2014", "-p", "goal=40"], ["-p", "--runs"]),
        (["--case", "china-100bn-2012", "--notebook", tiny.NAME], [tiny.NAME, "none of the cases"]),
        (["--nonsense"], ["--nonsense"]),
        (["extra"], ["extra"]),
    ],
)
def test_a_mistake_is_named_before_any_kernel_starts(
    no_kernel: None, arguments: list[str], words: list[str]
) -> None:
    if "-p" in arguments and "--runs" not in arguments and "--case" not in arguments:
        arguments = [*arguments, "--notebook", "00_did_the_goal_hold"]
    message = refused("run", *arguments)
    assert all(word in message for word in words), message


def test_a_fault_among_several_notebooks_says_whose_it_is(no_kernel: None) -> None:
    assert "Error: 00_did_the_goal_hold: deadline: " in refused("run", "-p", "deadline=2012")


def test_all_bad_values_are_named_at_once(no_kernel: None) -> None:
    message = refused("run", "--notebook", tiny.NAME, "-p", "flow=x", "-p", "as_of=y", "-p", "z=1")
    assert all(f"{name}: found" in message for name in ("flow", "as_of", "z"))


def test_a_bad_runs_file_is_named(no_kernel: None, tiny_folder: Path) -> None:
    (tiny_folder / "runs.yml").write_text("cases: {one: {parameters: {reportr: China}}}")
    assert "Error: runs.yml: one: reportr: found an unknown parameter" in refused("run", "--runs")
    (tiny_folder / "runs.yml").unlink()
    assert "runs.yml: cannot be read (" in refused("run", "--runs")


def test_an_unknown_command_and_notebook_to_stamp_are_named(tiny_folder: Path) -> None:
    assert "rum" in refused("rum")
    assert 'expected "00_did_the_goal_hold"' in refused("stamp", "00_did_the_goal_held")
    assert f"{tiny.NAME}.ipynb: cannot be read" in refused("stamp", tiny.NAME)


def test_a_file_where_the_output_should_go_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    message = refused("run", "--notebook", tiny.NAME, "--out", str(tmp_path / "out"))
    assert "cannot be written" in message
    assert str(tmp_path / "out") in message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_output_is_a_mistake(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    message = refused("run", "--notebook", tiny.NAME, "--out", str(tmp_path / "out"))
    tmp_path.chmod(0o755)
    assert "cannot be written: Permission denied" in message


# Runs through the whole command.


@pytest.mark.usefixtures("shared_server")
def test_a_failure_is_told_last_and_ends_with_1(tiny_folder: Path, tmp_path: Path) -> None:
    tiny.write(tiny_folder, "raise ValueError('seven is wrong')", name="00_did_the_goal_hold")
    tiny.write(tiny_folder, tiny.RECORD)
    out = tmp_path / "out"
    chosen = ["--notebook", "00_did_the_goal_hold", "--notebook", tiny.NAME]
    result = invoke("run", *chosen, "--out", str(out))
    assert result.exit_code == 1
    page = out / "runs" / tiny.NAME / "default" / "page.html"
    failed = out / "runs" / "00_did_the_goal_hold" / "default" / "notebook.failed.ipynb"
    assert page.exists() and failed.exists()
    told = sorted(
        line.partition("] ")[2] for line in result.stderr.splitlines()[:2]
    )  # two at once: either is first
    assert told[0] == "00_did_the_goal_hold/default  FAILED" and told[1].startswith(f"{tiny.NAME}/default  ")
    assert str(page) in result.stdout
    assert result.stderr.splitlines()[-2:] == [
        "FAILED 00_did_the_goal_hold/default: cell 3: ValueError: seven is wrong",
        f"  see {failed}",
    ]
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("shared_server")
def test_the_first_failure_stops_the_rest_only_if_so_asked(tiny_folder: Path, tmp_path: Path) -> None:
    tiny.write(tiny_folder, "1 / 0")
    axis = "axes: {as_of: [2021-01-01, 2022-01-01, 2023-01-01]}"
    (tiny_folder / "runs.yml").write_text(f"cases: {{a: {{notebooks: [{tiny.NAME}], {axis}}}}}")
    arguments = ["run", "--runs", "--jobs", "1", "--out", str(tmp_path / "out")]
    stopped = invoke(*arguments, "--fail-fast")
    assert (stopped.exit_code, stopped.stderr.count("FAILED a_as_of"), stopped.stderr.count("ZeroDiv")) == (
        1,
        0,
        1,
    )
    assert "1 failed, 2 not run" in stopped.output
    whole = invoke(*arguments)
    assert whole.exit_code == 1 and whole.stderr.count("ZeroDivisionError") == 3
    assert "3 failed" in whole.output
    assert f'--only: found "x", expected one of: {tiny.NAME}/a_as_of-2021' in refused(
        *arguments, "--only", "x"
    )
    assert "--ci: found without --runs" in refused("run", "--ci")


@pytest.mark.usefixtures("shared_server")
def test_the_template_can_be_stamped(tiny_folder: Path) -> None:
    path = tiny.write(tiny_folder, "1", name=author.TEMPLATE)
    result = invoke("stamp", author.TEMPLATE)
    assert (result.exit_code, result.output) == (0, "stamped template (never stamped)\n")
    assert '"tradegoals"' in path.read_text()


def test_a_terminal_that_lacks_a_sign_gets_its_code() -> None:
    done = python("from lib.tools.cli import main; main(['new', '--help'])", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "GoalCase" in done.stdout and "\\u2026" in done.stdout  # an ellipsis


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "lib.tools.cli", "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is full")
def test_a_full_disk_is_named_whatever_is_written() -> None:
    command = [sys.executable, "-m", "lib.tools.cli", "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "Error: No space left on device\n")


def test_no_fault_of_the_system_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/some\x1b/where")

    monkeypatch.setattr(matrix, "schema", fail)
    done = invoke("schema")
    assert (done.exit_code, done.stderr) == (2, "Error: /some\\x1b/where: Permission denied\n")


@pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")
def test_closed_streams_are_opened_for_the_command_and_its_children() -> None:
    """Else the next file that is opened would get what is printed, or a kernel would start without them."""
    child = "import os; [os.fstat(number) for number in range(3)]"
    code = (
        "import subprocess, sys; from lib.tools.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: pass\n"
        f"sys.exit(subprocess.run([sys.executable, '-c', {child!r}]).returncode)"
    )
    command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0


@pytest.mark.parametrize("given", [["run", "--notebook", "a\x1b[2Jb"], ["\x1b[2J"], ["run", "--\x1b[2J"]])
def test_a_message_never_drives_the_terminal(given: list[str]) -> None:
    done = invoke(*given)
    assert done.exit_code == 2 and "\x1b" not in done.output and "\\x1b[2J" in done.output


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
def test_standard_output_never_drives_a_terminal() -> None:
    ours, theirs = os.openpty()
    code = "from lib.tools import cli; cli._open_streams(); print('a\\x1b[2Jb\\tc\\rd')"
    subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1000)
    os.close(ours)
    assert shown == b"a\\x1b[2Jb\tc\\rd\r\n"


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
def test_a_terminal_shows_a_bar(tmp_path: Path, start_driver: Callable[..., Driver]) -> None:
    termios = pytest.importorskip("termios")
    tiny.write(tmp_path / "notebooks", "1")
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 120))  # a new one has no columns at all
    driver = start_driver(
        DRIVER, str(tmp_path / "notebooks"), tiny.NAME, str(tmp_path / "out"), said=os.ttyname(theirs)
    )
    assert driver.wait() == 0
    os.close(theirs)
    shown = ""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while chunk := os.read(ours, 10_000):
            shown += chunk.decode()
    os.close(ours)
    assert "0/1" in shown and "1/1" in shown and f"{tiny.NAME}/default" in shown
    assert "[1/1]" not in shown


DRIVER = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.stdout = open(os.devnull, "w")
from lib.tools.cli import main
os.environ["TRADEGOALS_NOTEBOOKS"] = sys.argv[1]
main(["run", "--notebook", sys.argv[2], "--out", sys.argv[3]])
"""


def marked(mark: str) -> list[int]:
    """Processes that carry a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def wait_until(condition: object) -> bool:
    deadline = time.monotonic() + tiny.PATIENCE
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.05)
    return bool(condition())  # type: ignore[operator]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
@exhaustive
@pytest.mark.parametrize(
    ("number", "to_group", "early"),
    some(
        [
            pytest.param(signal.SIGINT, False, False, id="in a cell"),
            pytest.param(signal.SIGINT, True, False, id="in a cell, whole group"),
            pytest.param(signal.SIGTERM, False, False, id="SIGTERM"),
            pytest.param(signal.SIGINT, True, True, id="while it starts, whole group"),
            pytest.param(signal.SIGINT, False, True, id="while it starts"),
        ],
        3,
    ),
)
def test_an_interrupt_ends_the_run_and_its_kernel(
    tmp_path: Path, start_driver: Callable[..., Driver], number: signal.Signals, to_group: bool, early: bool
) -> None:
    mark, started, said = uuid.uuid4().hex, tmp_path / "started", tmp_path / "said"
    tiny.write(
        tmp_path / "notebooks",
        f"open({str(started)!r}, 'w').close()\nimport time; time.sleep({tiny.PATIENCE})",
    )
    arguments = [str(tmp_path / "notebooks"), tiny.NAME, str(tmp_path / "out")]
    driver = start_driver(DRIVER, *arguments, said=said, **{MARK: mark})
    try:
        assert wait_until(lambda: marked(mark) if early else started.exists())
        (os.killpg if to_group else os.kill)(driver.pid, number)
        assert driver.wait() == 130
    finally:
        for left in marked(mark) if driver.poll() is None else ():
            os.kill(left, signal.SIGKILL)
    assert said.read_text().strip() == "Stopped. What had finished is kept."
    assert wait_until(lambda: not marked(mark)), "the kernel goes on"
    assert list((tmp_path / "out" / "runs").rglob("*.*")) == []
