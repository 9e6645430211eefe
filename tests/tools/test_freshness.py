"""A run is skipped if, and only if, nothing that decides its output has changed."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tiny

from lib.package import data_dir
from lib.tools.run import execute, freshness, kernels, matrix, spec
from lib.tools.run.spec import JOURNAL, Run, Settings

READS = (
    "from lib.package import data_dir\ntext = (data_dir() / 'events.csv').read_text()\nprint(len(text) > 0)"
)
VALUES = {"reporter": "Harbin", "partner": "Russia", "flow": "total", "as_of": "2026-11-24"}
RUN = Run(tiny.NAME, "default", VALUES)


@pytest.fixture(scope="module")
def kernel() -> Any:
    with kernels.warm() as name:
        yield name


@pytest.fixture(scope="module")
def done(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one notebook that reads one table, run once: to be copied, never to be altered."""
    place = tmp_path_factory.mktemp("project")
    shutil.copytree(data_dir(), place / "data")
    tiny.write(place / "notebooks", READS)
    with pytest.MonkeyPatch.context() as patch:
        use(place, patch)
        assert execute.execute(RUN, place / "out", Settings(kernel)).error == ""
    return place


@pytest.fixture
def project(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project after its run."""
    place = tmp_path / "project"
    shutil.copytree(done, place)
    use(place, monkeypatch)
    return place


def use(place: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("TRADEGOALS_DATA", str(place / "data"))
    patch.setenv("TRADEGOALS_NOTEBOOKS", str(place / "notebooks"))


def reason(place: Path, run: Run = RUN) -> str:
    return freshness.reason_to_run(run, place / "out", freshness.Sources())


def append(path: Path, text: str = "\n") -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_the_journal_says_what_decided_the_output(project: Path) -> None:
    record = spec.read_journal(RUN.folder(project / "out"))
    assert record is not None
    assert (record["status"], record["error"], record["parameters"]) == ("ok", "", VALUES)
    assert set(record["parts"]["data"]) == {"events.csv"}
    assert {"package.py", "results.py", "tools/run/execute.py"} <= set(record["parts"]["lib"])
    assert {"numpy", "pandas", "ipykernel", "nbconvert"} <= set(record["parts"]["versions"])
    assert "pytest" not in record["parts"]["versions"]
    assert record["key"] == freshness.key_of(record["parts"])
    assert set(record["outputs"]) == {"notebook.ipynb", "page.html"}


def test_a_run_without_change_is_skipped_and_leaves_its_files_alone(project: Path, kernel: str) -> None:
    assert reason(project) == ""
    before = {path: path.stat().st_mtime_ns for path in RUN.folder(project / "out").iterdir()}
    outcome = execute.execute(RUN, project / "out", Settings(kernel))
    assert outcome.skipped and outcome.error == ""
    assert {path: path.stat().st_mtime_ns for path in RUN.folder(project / "out").iterdir()} == before
    assert not execute.execute(RUN, project / "out", Settings(kernel, force=True)).skipped


def test_a_changed_data_file_repeats_only_what_reads_it(project: Path) -> None:
    append(project / "data" / "figures.csv")
    assert reason(project) == ""
    append(project / "data" / "events.csv")
    assert reason(project) == "data changed: events.csv"
    (project / "data" / "events.csv").unlink()
    assert reason(project) == "data changed: events.csv"


def test_of_the_description_only_what_it_says_of_the_files_read_counts(
    kernel: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(project / "notebooks", "from lib import figures\nprint(len(figures.load_events()) > 0)")
    outcome = execute.execute(RUN, project / "out", Settings(kernel))
    assert outcome.error == ""
    record = spec.read_journal(RUN.folder(project / "out"))
    assert record is not None and set(record["parts"]["data"]) == {"datapackage.json", "events.csv"}
    described = project / "data" / "datapackage.json"
    content = json.loads(described.read_text())
    of = {resource["path"]: resource for resource in content["resources"]}
    of["targets.csv"] |= {"hash": "sha256:0", "title": "Other"}
    of["events.csv"]["bytes"] += 1
    described.write_text(json.dumps(content))
    assert reason(project) == ""
    of["events.csv"]["schema"]["fields"][0]["description"] = "another meaning"
    described.write_text(json.dumps(content))
    assert reason(project) == "data changed: datapackage.json"
    described.write_text("{")
    assert reason(project) == "data changed: datapackage.json"


def test_time_decides_nothing(project: Path) -> None:
    for path in project.rglob("*.*"):
        if path.is_file():
            os.utime(path, (1, 1))
    assert reason(project) == ""


def test_another_notebook_repeats_but_its_committed_outputs_do_not_count(project: Path) -> None:
    path = project / "notebooks" / f"{tiny.NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="old")]
    nbformat.write(notebook, path)
    assert reason(project) == ""
    notebook.cells[1].source += "\n1 + 1"
    nbformat.write(notebook, path)
    assert reason(project) == "notebook changed"
    path.write_text("{")
    assert reason(project) == "notebook changed; " + reason(project).partition("; ")[2]
    path.unlink()
    assert reason(project).startswith("notebook changed")


def test_an_edited_module_repeats_if_the_notebook_or_the_page_uses_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = project / "lib"
    shutil.copytree(freshness.LIB, library, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(freshness, "LIB", library)
    assert reason(project) == ""
    append(library / "research" / "backtest.py", "# more\n")
    assert reason(project) == ""
    append(library / "package.py", "# more\n")
    append(library / "tools" / "run" / "templates" / "page" / "index.html.j2")
    assert reason(project) == "lib changed: package, tools/run/templates/page/index.html.j2"
    append(library / "package.py", "from lib.tools.run import kernels\n")
    assert "tools/run/__init__" in reason(project)


def test_other_parameters_and_versions_repeat(project: Path) -> None:
    assert (
        reason(project, Run(tiny.NAME, "default", VALUES | {"flow": "export"})) == "parameters changed: flow"
    )
    sources = freshness.Sources()
    sources.versions = freshness.run_versions() | {"pandas": "99"}
    assert freshness.reason_to_run(RUN, project / "out", sources) == "versions changed: pandas"


def test_a_new_and_a_failed_run_have_their_reasons(project: Path, kernel: str) -> None:
    assert reason(project, Run(tiny.NAME, "other", VALUES)) == "new"
    tiny.write(project / "notebooks", "1 / 0")
    assert execute.execute(RUN, project / "out", Settings(kernel)).error
    assert reason(project) == "failed before"
    assert (spec.read_journal(RUN.folder(project / "out")) or {})[
        "error"
    ] == "cell 3: ZeroDivisionError: division by zero"


def test_an_input_that_changes_while_the_run_goes_leaves_no_key(project: Path, kernel: str) -> None:
    cell = "from lib.package import data_dir\npath = data_dir() / 'events.csv'\ntext = path.read_text()\n"
    tiny.write(project / "notebooks", cell + "with path.open('a') as file:\n    file.write(' ')")
    assert execute.execute(RUN, project / "out", Settings(kernel)).error == ""
    assert reason(project) == "inputs changed while it ran"


@pytest.mark.parametrize("name", ["run.json", "notebook.ipynb", "page.html"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_never_taken_for_a_result(project: Path, name: str, share: float) -> None:
    path = RUN.folder(project / "out") / name
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert reason(project) != ""


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b"null", b"\xff", b'{"schema_version": 1, "parts": 3}', b"[" * 100_000]
)
def test_a_damaged_journal_is_no_journal(project: Path, content: bytes) -> None:
    (RUN.folder(project / "out") / JOURNAL).write_bytes(content)
    assert reason(project) == "no journal of its files"


@pytest.mark.parametrize("notebook", ["00_did_the_goal_hold", "05_is_the_forecast_calibrated"])
def test_data_that_the_journal_does_not_name_is_not_needed(
    notebook: str, tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that C++ opens would escape the notes; without the other files the outputs must be the same."""
    run = matrix.make_run(notebook, {})
    assert execute.execute(run, tmp_path / "all", Settings(kernel)).error == ""
    record = spec.read_journal(run.folder(tmp_path / "all"))
    assert record is not None and record["parts"]["data"]
    for name in record["parts"]["data"]:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data_dir() / name, path)
    monkeypatch.setenv("TRADEGOALS_DATA", str(tmp_path / "data"))
    assert execute.execute(run, tmp_path / "named", Settings(kernel)).error == ""
    texts = [(run.folder(tmp_path / place) / "notebook.ipynb").read_bytes() for place in ("all", "named")]
    assert texts[0] == texts[1]


def test_notes_take_every_way_of_opening(
    tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    ways = [
        "open({0!r})",
        "open(os.fsencode({0!r}))",
        "os.open({0!r}, 0)",
        "pathlib.Path({0!r}).read_bytes()",
    ]
    ways += ["pd.read_csv({0!r})", "os.fork() or (open({0!r}), os._exit(0))", "open(os.path.relpath({0!r}))"]
    paths = [folder / "deep" / f"ä {number}.csv" for number in range(len(ways))]
    for path in paths:
        path.write_text("a\n1\n")
    (folder / "unread.csv").touch()
    cells = [way.format(str(path)) for way, path in zip(ways, paths, strict=True)]
    monkeypatch.setenv("TRADEGOALS_DATA", str(folder))
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(tmp_path / "notebooks"))
    (folder / "absent.csv").unlink(missing_ok=True)
    look = f"import contextlib\nwith contextlib.suppress(OSError):\n    open({str(folder / 'absent.csv')!r})"
    tiny.write(tmp_path / "notebooks", "import os, pathlib\nimport pandas as pd", *cells, look, "os.wait()")
    assert execute.execute(RUN, tmp_path / "out", Settings(kernel)).error == ""
    record = spec.read_journal(RUN.folder(tmp_path / "out"))
    assert record is not None
    assert set(record["parts"]["data"]) == {f"deep/{path.name}" for path in paths} | {"absent.csv"}


def test_the_key_is_of_the_content_and_not_of_its_order() -> None:
    parts = {"lib": {"a.py": "1", "b.py": "2"}, "python": "3"}
    again = json.loads('{"python": "3", "lib": {"b.py": "2", "a.py": "1"}}')
    assert freshness.key_of(parts) == freshness.key_of(again)
    assert freshness.key_of(parts) != freshness.key_of(parts | {"python": "4"})
