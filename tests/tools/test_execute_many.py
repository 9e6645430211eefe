"""Many runs at once: faults of one harm no other, nothing is lost or false, whoever is killed."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import tiny
from drivers import Driver
from tiny import PATIENCE

from lib.errors import UserError
from lib.research import files
from lib.tools.run import execute as execution
from lib.tools.run import freshness, kernels
from lib.tools.run.execute import Settings
from lib.tools.run.freshness import Outcome, Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

VALUES = {"reporter": "Harbin", "partner": "Russia", "flow": "total", "as_of": "2026-11-24"}
MARK = "TRADEGOALS_TEST_MARK"
KERNEL = {"name": kernels.ORDINARY}
KILLS = int(os.environ.get("TRADEGOALS_KILLS", "2"))
"""Kill points of the campaign; its documented command asks for 200."""
BATCH = 6 if KILLS < 10 else 24


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for notebooks and output, and a mark in the environment of all processes that come of it."""
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(tmp_path / "notebooks"))
    return tmp_path


def marked(mark: str) -> dict[int, str]:
    """Processes that carry a mark in their environment, with their command lines."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (path / "environ").read_bytes():
                found[int(path.name)] = (path / "cmdline").read_bytes().decode(errors="replace")
    return found


def eventually(condition: Any) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


def execute(
    place: Path,
    *all_runs: Run,
    limits: dict[str, float] | None = None,
    megabytes: float = 2000,
    at_once: int = 2,
) -> list[Outcome]:
    """Execute runs, some at once; `limits` has the seconds of a notebook where it must not take for ever."""
    tasks: list[execution.Task] = []
    for run in all_runs:
        seconds = (limits or {}).get(run.notebook, PATIENCE)
        settings = Settings(KERNEL["name"], seconds, megabytes=megabytes)
        tasks.append((run, place / "out", settings, ()))
    return list(execution.execute_many(tasks, execution.threads(at_once)))


@pytest.fixture
def warm(warm_kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`execute` takes kernels of the shared server, which start faster than ordinary ones."""
    monkeypatch.setitem(KERNEL, "name", warm_kernel)


@pytest.fixture
def execute_one(warm_kernel: str) -> Any:
    """Execute a run in this process, with a kernel of the shared server."""
    return lambda run, out: execution._run_one(run, out, Settings(warm_kernel))


def is_true(place: Path, run: Run) -> bool:
    """Whether a run's folder holds its result, and the journal says so."""
    folder = run.folder(place / "out")
    record = freshness.read_journal(folder)
    if record is None or record["status"] != "ok" or record["outputs"] != freshness._output_hashes(folder):
        return False
    notebook = json.loads((folder / "notebook.ipynb").read_bytes())
    said = "".join(notebook["cells"][-1]["outputs"][0]["text"])
    assert notebook["metadata"]["papermill"]["parameters"] == run.parameters == record["parameters"]
    assert json.loads(said) == [run.parameters["reporter"]] * 3
    return True


GOOD = "import json\nprint(json.dumps([reporter] * 3))"

# What a cell can do to its kernel, its driver and the pool, and what the outcome must say.
FAULTS = {
    "hangs": ("import time\nwhile True: time.sleep(1)", "CellTimeoutError"),
    # In C, with the lock of the interpreter, so that no other thread of the kernel can run either.
    "hears_nothing": (
        "import ctypes, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "ctypes.PyDLL(None).sleep(10000)",
        "CellTimeoutError",
    ),
    "floods": ("for _ in range(100):\n    print('x' * 1_000_000)", ": found more than 50 MB"),
    "exits": ("import os; os._exit(0)", "DeadKernelError"),
    "leaks": ("kept = [bytearray(50_000_000) for _ in range(1000)]", "MemoryError"),
    "kills_its_stub": ("import os; os.kill(os.getpid(), 9)", "DeadKernelError"),
}


LIMITS = {"hangs": 1.0, "hears_nothing": 1.0}


def test_a_run_that_goes_wrong_harms_no_other(
    place: Path, warm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, mark := uuid.uuid4().hex)
    every = []
    for name, (cell, _) in FAULTS.items():
        tiny.write(place / "notebooks", cell, name=name)
        every.append(Run(name, "default", VALUES))
    fork = "import os, time\nif os.fork() == 0:\n    time.sleep(1000)\n    os._exit(0)\n"
    tiny.write(place / "notebooks", fork + GOOD, name="forks")
    tiny.write(place / "notebooks", GOOD, name="good")
    good = [
        Run("forks", "default", VALUES),
        *(Run("good", str(n), VALUES | {"reporter": str(n)}) for n in range(2)),
    ]
    before = {path for path in place.rglob("*") if "out" not in path.parts}
    outcomes = {o.run.name: o for o in execute(place, *every, *good, limits=LIMITS)}
    for name, (_, words) in FAULTS.items():
        outcome = outcomes[f"{name}/default"]
        assert words in outcome.error, (name, outcome.error)
        files = {path.name for path in outcome.folder.iterdir()}
        assert files <= {"notebook.failed.ipynb", "run.json"}
        assert "notebook.failed.ipynb" in files
        assert (freshness.read_journal(outcome.folder) or {})["status"] == "failed"
    for run in good:
        assert outcomes[run.name].error == "" and is_true(place, run)
    assert {path for path in place.rglob("*") if "out" not in path.parts} == before
    assert eventually(lambda: not marked(mark)), marked(mark)


@pytest.mark.parametrize("number", [9, 15])
def test_a_kill_from_outside_is_made_good(place: Path, warm: None, number: int) -> None:
    once = f"import os\nif not os.path.exists({str(place / 'once')!r}):\n    open({str(place / 'once')!r}, 'w').close()\n"
    tiny.write(place / "notebooks", f"{once}    os.kill(os.getpid(), {number})", GOOD)
    run = Run(tiny.NAME, "default", VALUES)
    assert [outcome.error for outcome in execute(place, run)] == [""]
    assert is_true(place, run)


NASTY = [
    '"\'"""\\',
    "x\nimport os\nos.environ['INJECTED'] = '1'",
    "{{ 7 * 7 }} ${HOME} {0} %s",
    "__import__('os').environ.update(INJECTED='1')",
    "../../../etc/passwd",
    "哈尔滨 \u202e \u2028 \x00 \N{BULLET}",
    "x" * 1_000_000,
]


def test_no_parameter_runs_or_leads_out_of_its_folder(place: Path, warm: None) -> None:
    tiny.write(place / "notebooks", "import os\nassert 'INJECTED' not in os.environ", GOOD)
    every = [Run(tiny.NAME, str(n), VALUES | {"reporter": text}) for n, text in enumerate(NASTY)]
    outcomes = execute(place, *every)
    assert [outcome.error for outcome in outcomes] == [""] * len(NASTY)
    assert all(is_true(place, run) for run in every)
    assert sorted(path.name for path in place.iterdir()) == ["notebooks", "out"]
    assert not any(execute(place, *every)[0].error for _ in "1")  # and again, skipped


def test_a_link_in_the_output_is_refused_and_not_followed(place: Path, execute_one: Any) -> None:
    tiny.write(place / "notebooks", GOOD)
    (place / "elsewhere").mkdir()
    run = Run(tiny.NAME, "default", VALUES)
    folder = run.folder(place / "out")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(place / "elsewhere")
    with pytest.raises(UserError, match="found a symbolic link"):
        execute_one(run, place / "out")
    assert list((place / "elsewhere").iterdir()) == []
    folder.unlink()
    folder.mkdir()
    (place / "elsewhere" / "kept").write_text("kept")
    for name in ("page.html", "run.json", ".lock"):
        (folder / name).symlink_to(place / "elsewhere" / "kept")
    with pytest.raises(UserError, match="cannot be written"):
        execute_one(run, place / "out")
    (folder / ".lock").unlink()
    assert execute_one(run, place / "out").error == ""
    assert (place / "elsewhere" / "kept").read_text() == "kept"
    assert is_true(place, run)


@pytest.mark.parametrize("fails_from", [0, 1, 2, 3])
def test_a_full_disk_is_a_failure_that_leaves_no_result(
    place: Path, execute_one: Any, monkeypatch: pytest.MonkeyPatch, fails_from: int
) -> None:
    """The first write that fails is that of the page, the notebook, the journal, or what is kept of a failure."""
    tiny.write(place / "notebooks", GOOD)
    run, calls = Run(tiny.NAME, "default", VALUES), 0
    real = os.fsync

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > fails_from:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    outcome = execute_one(run, place / "out")
    assert (outcome.error == "") == (fails_from == 3)
    assert is_true(place, run) == (fails_from == 3)
    monkeypatch.setattr(os, "fsync", real)
    assert freshness.reason_to_run(run, place / "out") == "" or execute_one(run, place / "out").error == ""
    assert is_true(place, run)
    assert sorted(p.name for p in outcome.folder.iterdir()) == ["notebook.ipynb", "page.html", "run.json"]


@pytest.fixture
def disk(place: Path) -> Iterator[Any]:
    """Mount a small disk of its own at `out`, or mount it again with other options; the superuser's right."""
    out = place / "out"
    out.mkdir()

    def mount(options: str) -> None:
        kind = [] if out.is_mount() else ["-t", "tmpfs"]
        remount = "remount," if out.is_mount() else ""
        done = subprocess.run(
            ["mount", *kind, "-o", remount + options, "tmpfs", str(out)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"cannot mount a disk here: {done.stderr.strip()}")

    yield mount
    if out.is_mount():
        subprocess.run(["umount", "--lazy", str(out)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may mount a disk")
def test_a_small_disk_that_is_full_fails_one_run_and_keeps_the_other(
    place: Path, disk: Any, warm: None
) -> None:
    tiny.write(place / "notebooks", "if reporter == 'much':\n    print('x' * 3_000_000)", GOOD)
    little, much = (Run(tiny.NAME, name, VALUES | {"reporter": name}) for name in ("little", "much"))
    disk("size=2m")
    # One after the other: what the large one has not yet given back would fail the little one, too.
    outcomes = {outcome.run: outcome.error for outcome in execute(place, little, much, at_once=1)}
    assert outcomes[little] == "" and "No space left on device" in outcomes[much]
    assert is_true(place, little) and not is_true(place, much)
    assert not list(much.folder(place / "out").glob("*.html"))
    disk("size=20m")
    assert [outcome.error for outcome in execute(place, little, much)] == ["", ""]
    assert is_true(place, little) and is_true(place, much)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may mount a disk")
def test_an_output_on_a_read_only_disk_is_a_users_mistake(place: Path, disk: Any, warm: None) -> None:
    tiny.write(place / "notebooks", GOOD)
    run = Run(tiny.NAME, "default", VALUES)
    disk("size=2m,ro")
    with pytest.raises(UserError, match="cannot be written: Read-only file system"):
        execute(place, run)
    disk("rw")
    assert [outcome.error for outcome in execute(place, run)] == [""]


def test_the_time_of_a_run_is_that_of_all_its_cells(place: Path, warm: None) -> None:
    """No cell takes long; together they do."""
    tiny.write(place / "notebooks", *["import time; time.sleep(0.3)"] * 12, GOOD)
    run = Run(tiny.NAME, "default", VALUES)
    (outcome,) = execute(place, run, limits={tiny.NAME: 1})
    assert re.match("cell [2-9]: CellTimeoutError", outcome.error), outcome.error
    assert not is_true(place, run)


def test_a_clock_that_goes_back_changes_nothing(
    place: Path, execute_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(place / "notebooks", GOOD)
    run = Run(tiny.NAME, "default", VALUES)
    clock = iter(range(10**9, 0, -86400))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    assert execute_one(run, place / "out").seconds > 0
    assert execute_one(run, place / "out").skipped


def test_leftovers_of_a_killed_run_are_swept(place: Path, execute_one: Any) -> None:
    tiny.write(place / "notebooks", GOOD)
    run = Run(tiny.NAME, "default", VALUES)
    folder = run.folder(place / "out")
    (folder / ".working-abc" / "deep").mkdir(parents=True)
    (folder / ".page.html-x1").write_text("half")
    assert execute_one(run, place / "out").error == ""
    assert sorted(path.name for path in folder.iterdir()) == ["notebook.ipynb", "page.html", "run.json"]


def test_only_one_holds_a_lock_and_its_file_goes(tmp_path: Path) -> None:
    code = "import sys, time\nfrom pathlib import Path\nfrom lib.research.files import locked\n"
    code += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(900)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), files.locked(tmp_path, wait=False):
            pass
        other.kill()
    with files.locked(tmp_path, wait=False):
        assert (tmp_path / ".lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_jobs_are_bounded_by_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_cores", lambda: 8)
    for free, jobs in [(100, 1), (999, 1), (1500, 3), (1e6, 12)]:
        monkeypatch.setattr(execution, "free_megabytes", lambda free=free: free)
        assert execution.default_jobs() == jobs


def test_runs_go_at_once_but_never_more_than_asked(place: Path, warm: None) -> None:
    log = f"log = open({str(place / 'log')!r}, 'a', buffering=1)\nprint('+', file=log)"
    tiny.write(place / "notebooks", log, "import time\ntime.sleep(0.5)", "print('-', file=log)")
    execute(place, *(Run(tiny.NAME, str(n), VALUES) for n in range(4)))
    steps = [1 if step == "+" else -1 for step in (place / "log").read_text().split()]
    at_once = [sum(steps[: n + 1]) for n in range(len(steps))]
    assert max(at_once) == 2 and at_once[-1] == 0 and len(steps) == 8


def test_ctrl_c_is_obeyed_whichever_thread_hears_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may give a signal to any thread that is not deaf to it; only the main one obeys, once awake."""
    monkeypatch.setattr(execution, "_run_one", lambda *task: over.wait(PATIENCE))
    over, usual = threading.Event(), signal.signal(signal.SIGINT, signal.default_int_handler)

    def hear() -> None:
        assert over.wait(0.2) is False  # the driver waits by then
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    settings = Settings(KERNEL["name"], 60)
    tasks = [(Run(tiny.NAME, "default", VALUES), place / "out", settings, ())]
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            threading.Thread(target=hear).start()
            for _ in execution.execute_many(tasks, stopping(over)):
                raise AssertionError("an outcome")
    finally:
        signal.signal(signal.SIGINT, usual)
    assert time.monotonic() - started < PATIENCE / 2


@contextlib.contextmanager
def stopping(over: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """An executor whose calls end when it is closed."""
    with ThreadPoolExecutor(1) as executor:
        try:
            yield executor
        finally:
            over.set()


# Kills at random moments, of any process.

DRIVER = """
import json, sys
from pathlib import Path
from lib.tools.run import freshness, kernels
from lib.tools.run.execute import Settings, execute_many, threads
from lib.tools.run.freshness import run_from
runs, out = [run_from(run, "test") for run in json.loads(sys.argv[2])], Path(sys.argv[1])
if due := [run for run in runs if freshness.reason_to_run(run, out)]:
    with kernels._starting() as server:
        settings = Settings(server(), 900)
        for outcome in execute_many([(run, out, settings, ()) for run in due], threads(2)):
            print(outcome.run.name, outcome.error, flush=True)
"""


@pytest.fixture
def start(place: Path, start_driver: Callable[..., Driver]) -> Iterator[Any]:
    """Start drivers; whatever they leave is killed at the end."""
    started: list[tuple[Driver, str]] = []

    def one(every: list[Run]) -> tuple[Driver, str]:
        arguments = [str(place / "out"), json.dumps([asdict(run) for run in every])]
        mark = uuid.uuid4().hex
        started.append((start_driver(DRIVER, *arguments, said=place / "log", **{MARK: mark}), mark))
        return started[-1]

    yield one
    for driver, mark in started:
        for pid in [driver.pid] * (driver.poll() is None) + [*marked(mark)]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def test_two_drivers_on_one_output_do_every_run_once(place: Path, start: Any) -> None:
    tiny.write(
        place / "notebooks", f"with open({str(place / 'done')!r}, 'a') as file:\n    file.write('x')", GOOD
    )
    every = [Run(tiny.NAME, str(n), VALUES | {"reporter": str(n)}) for n in range(6)]
    drivers = [start(every)[0] for _ in "12"]
    assert [driver.wait() for driver in drivers] == [0, 0]
    assert all(is_true(place, run) for run in every)
    assert (place / "done").read_text() == "x" * len(every)
    left = {path.name for path in (place / "out").rglob("*") if path.is_file()}
    assert left == {"notebook.ipynb", "page.html", "run.json"}


def is_at_work(driver: Driver, place: Path, journals: int) -> bool:
    """Whether a driver has executed more than so many runs, or has ended."""
    return driver.poll() is not None or len(list(place.glob("out/runs/*/*/run.json"))) > journals


def test_nothing_is_lost_or_false_whatever_is_killed(place: Path, start: Any) -> None:
    """Kill driver, kernel server or kernels at random moments, then resume."""
    tiny.write(place / "notebooks", "import time\ntime.sleep(0.2)", GOOD)
    chance = random.Random(20141205)
    kills, batch = 0, 0
    while kills < KILLS:
        batch += 1
        every = [Run(tiny.NAME, f"{batch}-{n}", VALUES | {"reporter": f"{batch} {n}"}) for n in range(BATCH)]
        done: list[Run] = []
        while kills < KILLS and len(done) < BATCH:
            driver, mark = start(every)
            if chance.random() < 0.8:  # to start takes longest, and there is most to kill once it runs
                journals = len(list(place.glob("out/runs/*/*/run.json")))
                eventually(lambda driver=driver, journals=journals: is_at_work(driver, place, journals))
            while driver.poll() is None and kills < KILLS:
                time.sleep(chance.uniform(0.05, 1.5))
                victims = [driver.pid, *sorted(marked(mark))]
                with contextlib.suppress(OSError):
                    os.kill(chance.choice(victims), signal.SIGKILL)
                    kills += 1
                # What was done stays done.
                assert all(is_true(place, run) for run in done)
                done = [run for run in every if is_true(place, run)]
            driver.wait()
            assert eventually(lambda mark=mark: not marked(mark)), marked(mark)
            done = [run for run in every if is_true(place, run)]
        again, _ = start(every)
        assert again.wait() == 0
        assert all(is_true(place, run) for run in every), (place / "log").read_text()
        for run in every:
            names = sorted(path.name for path in run.folder(place / "out").iterdir())
            assert names == ["notebook.ipynb", "page.html", "run.json"]
    assert sorted(path.name for path in place.iterdir()) == ["log", "notebooks", "out"]
