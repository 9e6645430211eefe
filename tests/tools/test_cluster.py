"""Beyond one machine: one run from a file, a queue that calls it, and the workers of a Dask cluster."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tiny
from click.testing import CliRunner

from lib.errors import UserError
from lib.tools.cli import main
from lib.tools.run import execute, freshness, kernels
from lib.tools.run.execute import Settings
from lib.tools.run.freshness import Run, run_from
from lib.tools.strict import read_json

HERE = Path(__file__).resolve().parents[1]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
VALUES = {"reporter": "Harbin", "partner": "Russia", "flow": "total", "as_of": "2026-11-24"}
GOOD = "import json\nprint(json.dumps([reporter] * 3))"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for notebooks and output, outside the checkout."""
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(tmp_path / "notebooks"))
    tiny.write(tmp_path / "notebooks", GOOD)
    return tmp_path


def is_done(place: Path, run: Run) -> bool:
    record = freshness.read_journal(folder := run.folder(place / "out"))
    return bool(record and record["status"] == "ok" and record["outputs"] == freshness._output_hashes(folder))


# One run from a file.


def test_specs_are_written_and_each_can_be_run_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "notebooks" / "runs.yml").write_text(
        f"cases:\n  flows:\n    notebooks: [{tiny.NAME}]\n    axes: {{reporter: [Harbin, China]}}\n"
    )
    monkeypatch.chdir(place)
    written = CliRunner().invoke(main, ["run", "--runs", "--specs", "specs"])
    assert (written.exit_code, written.output) == (0, "wrote 2 files to specs\n")
    assert not (place / "out").exists()
    specs = sorted((place / "specs").iterdir())
    assert [spec.stem for spec in specs] == [
        f"{tiny.NAME}--flows_reporter-{name}" for name in ("china", "harbin")
    ]
    for words in ("1.", "up to date"):
        done = CliRunner().invoke(main, ["run-one", str(specs[0])])
        assert done.exit_code == 0, done.output
        assert is_done(place, run_from(read_json(specs[0]), "")), words
    tiny.write(place / "notebooks", "1 / 0")
    failed = CliRunner().invoke(main, ["run-one", str(specs[0])])
    assert failed.exit_code == 1 and "ZeroDivisionError" in failed.output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "found no valid JSON"),
        ("[]", "expected a mapping of notebook, slug, parameters"),
        ({"slug": "../../up"}, 'slug: found "../../up", expected a name fit for a folder'),
        ({"slug": ".."}, "slug: found"),
        ({"notebook": "/etc/passwd"}, 'notebook: found "/etc/passwd"'),
        ({"notebook": "07_none"}, 'found "07_none", expected one of'),
        ({"parameters": 3}, "expected a mapping of notebook, slug, parameters"),
        ({"parameters": {"reportr": "China"}}, "did you mean reporter?"),
        ({"more": 1}, "expected a mapping of notebook, slug, parameters"),
    ],
)
def test_a_bad_spec_is_a_users_mistake(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "spec.json"
    whole = {"notebook": tiny.NAME, "slug": "one", "parameters": VALUES}
    path.write_text(content if isinstance(content, str) else json.dumps(whole | content))
    done = CliRunner().invoke(main, ["run-one", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2 and words in done.output, done.output
    assert not (tmp_path / "out").exists()


# A queue.


@pytest.mark.skipif(not SNAKEMAKE.exists(), reason="the dependency group `cluster` is not installed")
def test_the_snakemake_example_runs_the_matrix(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "specs").mkdir()
    every = [
        Run(tiny.NAME, f"one-{n}", VALUES | {"reporter": name}) for n, name in enumerate(["China", "Harbin"])
    ]
    for run in every:
        (place / "specs" / f"{run.notebook}--{run.slug}.json").write_text(json.dumps(asdict(run)))
    command = [str(SNAKEMAKE), "-s", str(HERE / "snakemake" / "Snakefile"), "--directory", str(place)]
    command += ["--profile", str(HERE / "snakemake" / "profile")]
    command += ["--config", f"tradegoals={Path(sys.executable).with_name('tradegoals')}"]
    environment = os.environ | {"HOME": str(place), "XDG_CACHE_HOME": str(place / "cache")}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=tiny.PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(is_done(place, run) for run in every)
    assert len(list((place / "marks").iterdir())) == 2


# Dask.


@contextlib.contextmanager
def dask_cluster(place: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers on loopback, as one starts them by hand: its address, and the workers."""
    pytest.importorskip("distributed", reason="the dependency group `cluster` is not installed")
    program = [sys.executable, "-m", "distributed.cli.dask_"]
    processes: list[subprocess.Popen[bytes]] = []

    def start(kind: str, *arguments: str) -> None:
        with (place / f"dask-{len(processes)}.log").open("wb") as log:
            command = [*program[:2], f"distributed.cli.dask_{kind}", *arguments]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=place))

    try:
        file = place / "scheduler.json"
        start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)
        )
        assert wait_for(file.exists)
        for _ in "12":
            options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
            start("worker", "--scheduler-file", str(file), *options, "--local-directory", str(place / "dask"))
        yield json.loads(file.read_text())["address"], processes[1:]
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def wait_for(condition: Any) -> bool:
    end = time.monotonic() + tiny.PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


@pytest.mark.parametrize("kernel", [kernels.ORDINARY, kernels.INSTALLED])
def test_a_dask_worker_killed_midway_loses_nothing(place: Path, kernel: str) -> None:
    begun = place / "begun"
    slow = f"import os, time\nwith open({str(begun)!r}, 'a') as file:\n    file.write(reporter + ' ')\ntime.sleep(1)"
    tiny.write(place / "notebooks", slow, GOOD)
    every = [Run(tiny.NAME, str(n), VALUES | {"reporter": str(n)}) for n in range(6)]
    with dask_cluster(place) as (address, workers):
        outcomes = []
        tasks = [(run, place / "out", Settings(kernel), ()) for run in every]
        for outcome in execute.execute_many(tasks, execute.connected(address)):
            outcomes.append(outcome)
            if len(outcomes) == 1:
                count = len(begun.read_text().split())
                wait_for(lambda count=count: len(begun.read_text().split()) > count)
                workers[0].send_signal(signal.SIGKILL)
    assert [outcome.error for outcome in outcomes] == [""] * 6
    assert {outcome.run for outcome in outcomes} == set(every)
    assert all(is_done(place, run) for run in every)
    for run in every:
        names = sorted(path.name for path in run.folder(place / "out").iterdir())
        assert names == ["notebook.ipynb", "page.html", "run.json"]
        notebook = nbformat.read(run.folder(place / "out") / "notebook.ipynb", as_version=4)
        assert json.loads(notebook.cells[-1].outputs[0]["text"]) == [run.parameters["reporter"]] * 3


def test_a_scheduler_that_cannot_be_reached_is_a_users_mistake(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(execute, "CONNECT_SECONDS", 1)
    with pytest.raises(UserError, match="found no scheduler at"):
        list(execute.execute_many([], execute.connected("tcp://127.0.0.1:9")))
