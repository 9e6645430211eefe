"""A run is skipped if, and only if, nothing that decides its output has changed."""

import ast
import contextlib
import json
import os
import re
import shutil
import sqlite3
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pyarrow as pa
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, orc
from pyarrow import parquet as pq
from sampling import exhaustive, some

from lib.package import KEPT_ONLY_ENV, data_dir
from lib.research.meaning import meaning
from lib.tools.run import execute, freshness, matrix
from lib.tools.run.execute import Settings
from lib.tools.run.freshness import JOURNAL, Run
from lib.tools.run.opened import BLIND

READS = (
    "from lib.package import data_dir\ntext = (data_dir() / 'events.csv').read_text()\nprint(len(text) > 0)"
)
VALUES = {"reporter": "Harbin", "partner": "Russia", "flow": "total", "as_of": "2026-11-24"}
RUN = Run(tiny.NAME, "default", VALUES)


@pytest.fixture(scope="module")
def kernel(warm_kernel: str) -> str:
    return warm_kernel


@pytest.fixture(scope="module")
def done(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one notebook that reads one table, run once: to be copied, never to be altered."""
    place = tmp_path_factory.mktemp("project")
    shutil.copytree(data_dir(), place / "data", ignore=shutil.ignore_patterns("reference", "snapshots"))
    tiny.write(place / "notebooks", READS)
    with pytest.MonkeyPatch.context() as patch:
        use(place, patch)
        assert execute._run_one(RUN, place / "out", Settings(kernel)).error == ""
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
    return freshness.reason_to_run(run, place / "out")


def append(path: Path, text: str = "\n") -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_the_journal_says_what_decided_the_output(project: Path) -> None:
    record = freshness.read_journal(RUN.folder(project / "out"))
    assert record is not None
    assert (record["status"], record["error"], record["parameters"]) == ("ok", "", VALUES)
    assert set(record["parts"]["data"]) == {"events.csv"}
    assert "package.py" in record["parts"]["lib"]
    assert not [name for name in record["parts"]["lib"] if name.startswith("tools/")]
    assert {"text", "results.py", "tools/run/execute.py"} <= set(record["parts"]["page"])
    assert {"numpy", "pandas", "ipykernel", "mistune"} <= set(record["parts"]["versions"])
    assert "pytest" not in record["parts"]["versions"]
    assert record["key"] == freshness.key_of(record["parts"])
    assert set(record["outputs"]) == {"notebook.ipynb", "page.html"}


def test_a_run_without_change_is_skipped_and_leaves_its_files_alone(project: Path, kernel: str) -> None:
    assert reason(project) == ""
    before = {path: path.stat().st_mtime_ns for path in RUN.folder(project / "out").iterdir()}
    outcome = execute._run_one(RUN, project / "out", Settings(kernel))
    assert outcome.skipped and outcome.error == ""
    assert {path: path.stat().st_mtime_ns for path in RUN.folder(project / "out").iterdir()} == before
    assert not execute._run_one(RUN, project / "out", Settings(kernel, force=True)).skipped


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
    outcome = execute._run_one(RUN, project / "out", Settings(kernel))
    assert outcome.error == ""
    record = freshness.read_journal(RUN.folder(project / "out"))
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


@pytest.fixture
def own_lib(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sources of the project, to be edited."""
    return tiny.own_lib(project, monkeypatch)


def test_an_edited_function_repeats_if_the_notebook_imports_it(project: Path, own_lib: Path) -> None:
    assert reason(project) == ""
    append(own_lib / "research" / "backtest.py", "MORE = 1\n")
    append(own_lib / "tools" / "run" / "kernels.py", "MORE = 1\n")
    assert reason(project) == ""
    append(own_lib / "package.py", "MORE = 1\n")
    assert reason(project) == "lib changed: package"
    (own_lib / "other.py").write_text("MORE = 1\n")
    append(own_lib / "package.py", "from lib import other\n")
    assert reason(project) == "lib changed: other, package"


def test_data_beside_a_module_are_a_part_of_it(own_lib: Path) -> None:
    module = own_lib / "economies.py"
    before = freshness._meaning_of(module)
    append(own_lib / "goals.py", "# a remark\n")
    assert freshness._meaning_of(module) == before
    append(own_lib / "phrases.toml", 'more = "words"\n')
    assert freshness._meaning_of(module) != before


def test_words_in_a_module_repeat_nothing(project: Path, own_lib: Path) -> None:
    for path in own_lib.rglob("*.py"):
        path.write_text(f'"""Other words."""\n{path.read_text()}\n\n# a remark\n')
    assert reason(project) == ""


@pytest.mark.parametrize(
    "name",
    [
        "tools/run/templates/page.html.j2",
        "tools/run/execute.py",
        "results.py",
        "tools/run/results_table.py",
        "tools/strict.py",
    ],
)
def test_what_makes_the_page_repeats_the_page_alone(
    project: Path, own_lib: Path, kernel: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    append(own_lib / name, "MORE = 1\n")
    assert reason(project) == f"page only: {name.removesuffix('.py')} changed"
    renew_without_kernel(project, monkeypatch)


def renew_without_kernel(project: Path, patch: pytest.MonkeyPatch) -> None:
    """Execute the due run where no kernel could start; then it is up to date."""
    with patch.context() as inner:
        inner.setattr(execute, "_execute_locked", None)
        outcome = execute._run_one(RUN, project / "out", Settings("no such kernel"))
    assert outcome.error == "" and not outcome.skipped
    assert reason(project) == ""


@pytest.fixture(scope="module")
def worded(done: Path, kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after a run of a notebook with words: to be copied, never to be altered."""
    place = shutil.copytree(done, tmp_path_factory.mktemp("words") / "project")
    with pytest.MonkeyPatch.context() as patch:
        use(place, patch)
        write_with_words(place, *WORDS)
        assert execute._run_one(RUN, place / "out", Settings(kernel)).error == ""
    return place


WORDS = ("# Words\n", "print(1)  # first", "More words.", "print(2)")


def write_with_words(project: Path, *sources: str) -> None:
    """A notebook of Markdown and code in turn, after its parameters."""
    path = tiny.write(project / "notebooks")
    notebook = nbformat.read(path, as_version=4)
    make = {True: nbformat.v4.new_code_cell, False: nbformat.v4.new_markdown_cell}
    notebook.cells += [make["print" in source](source) for source in sources]
    for place, cell in enumerate(notebook.cells):
        cell.id = f"cell-{place:02d}"
    nbformat.write(notebook, path)


@exhaustive
@pytest.mark.parametrize(
    "after",
    some(
        [
            pytest.param(("# Other words\n", *WORDS[1:]), id="Markdown"),
            pytest.param((WORDS[0], "print( 1 )", *WORDS[2:]), id="layout"),
            pytest.param((WORDS[0], "print(1)  # another remark", *WORDS[2:]), id="comment"),
            pytest.param((WORDS[0], WORDS[1], WORDS[3], "Words moved."), id="moved"),
            pytest.param((WORDS[1], WORDS[3]), id="removed"),
            pytest.param(("New words first.", *WORDS), id="added"),
        ],
        2,
    ),
)
def test_words_in_a_notebook_renew_the_page_as_if_it_were_executed(
    worded: Path, tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch, after: tuple[str, ...]
) -> None:
    use(project := shutil.copytree(worded, tmp_path / "project"), monkeypatch)
    before = freshness.read_journal(RUN.folder(project / "out"))
    write_with_words(project, *after)
    assert reason(project) == "page only: text changed"
    renew_without_kernel(project, monkeypatch)
    journal = freshness.read_journal(RUN.folder(project / "out"))
    assert before and journal and before["key"] == journal["key"] and before["started"] == journal["started"]
    assert execute._run_one(RUN, project / "again", Settings(kernel)).error == ""
    for name in ("notebook.ipynb", "page.html"):
        renewed, executed = ((RUN.folder(project / place) / name).read_bytes() for place in ("out", "again"))
        assert renewed == executed


def test_other_parameters_and_versions_repeat(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        reason(project, Run(tiny.NAME, "default", VALUES | {"flow": "export"})) == "parameters changed: flow"
    )
    versions = freshness._run_versions() | {"pandas": "99"}
    monkeypatch.setattr(freshness, "_run_versions", lambda: versions)
    assert re.fullmatch("versions changed: pandas .* to 99", reason(project))


def test_a_run_that_left_fetched_figures_out_is_not_one_that_takes_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert os.environ[KEPT_ONLY_ENV] == "1" and reason(project) == ""
    monkeypatch.setenv(KEPT_ONLY_ENV, "0")
    assert KEPT_ONLY_ENV in reason(project)
    monkeypatch.delenv(KEPT_ONLY_ENV)
    assert KEPT_ONLY_ENV in reason(project)


def test_a_new_and_a_failed_run_have_their_reasons(project: Path, kernel: str) -> None:
    assert reason(project, Run(tiny.NAME, "other", VALUES)) == "new"
    tiny.write(project / "notebooks", "1 / 0")
    assert execute._run_one(RUN, project / "out", Settings(kernel)).error
    assert reason(project) == "failed before"
    assert (freshness.read_journal(RUN.folder(project / "out")) or {})[
        "error"
    ] == "cell 3: ZeroDivisionError: division by zero"


def test_an_input_that_changes_while_the_run_goes_leaves_no_key(project: Path, kernel: str) -> None:
    cell = "from lib.package import data_dir\npath = data_dir() / 'events.csv'\ntext = path.read_text()\n"
    tiny.write(project / "notebooks", cell + "with path.open('a') as file:\n    file.write(' ')")
    assert execute._run_one(RUN, project / "out", Settings(kernel)).error == ""
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


@exhaustive
@pytest.mark.parametrize("notebook", some(["00_did_the_goal_hold", "05_is_the_forecast_calibrated"], 2))
def test_data_that_the_journal_does_not_name_is_not_needed(
    notebook: str, tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that C++ opens would escape the notes; without the other files the outputs must be the same."""
    run = matrix.make_run(notebook, {})
    assert execute._run_one(run, tmp_path / "all", Settings(kernel)).error == ""
    record = freshness.read_journal(run.folder(tmp_path / "all"))
    assert record is not None and record["parts"]["data"]
    for name in record["parts"]["data"]:
        if name.startswith("./"):  # of the project, which stays where it is
            continue
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data_dir() / name, path)
    monkeypatch.setenv("TRADEGOALS_DATA", str(tmp_path / "data"))
    assert execute._run_one(run, tmp_path / "named", Settings(kernel)).error == ""
    texts = [(run.folder(tmp_path / place) / "notebook.ipynb").read_bytes() for place in ("all", "named")]
    assert texts[0] == texts[1]


def journal_after(place: Path, kernel: str, *cells: str) -> dict[str, Any]:
    """The data that the journal of a run of these cells names."""
    tiny.write(place / "notebooks", *cells)
    assert execute._run_one(RUN, place / "out", Settings(kernel, force=True)).error == ""
    record = freshness.read_journal(RUN.folder(place / "out"))
    assert record is not None
    return record["parts"]["data"]


IMPORTS = """
import os, pathlib, sqlite3
import numpy as np, pandas as pd, pyarrow as pa
import pyarrow.csv, pyarrow.dataset, pyarrow.feather, pyarrow.fs, pyarrow.json, pyarrow.orc
import pyarrow.parquet as pq
from pyarrow.csv import read_csv
from pyarrow.fs import LocalFileSystem
"""

WAYS = {
    "csv": """
open({0!r})
open(os.fsencode({0!r}))
os.open({0!r}, 0)
open(os.path.relpath({0!r}))
pathlib.Path({0!r}).read_bytes()
os.fork() or (open({0!r}), os._exit(0))
pd.read_csv({0!r})
pd.read_csv({0!r}, engine="pyarrow")
pd.read_csv({0!r}, memory_map=True)
np.memmap({0!r})
np.fromfile({0!r})
read_csv({0!r})
pa.csv.read_csv(pathlib.Path({0!r}))
pa.csv.open_csv({0!r})
pa.OSFile({0!r})
pa.memory_map({0!r})
pa.input_stream({0!r})
LocalFileSystem().open_input_file({0!r})
LocalFileSystem().open_input_stream({0!r})
pa.dataset.dataset({0!r}, format="csv").to_table()""",
    "json": "pa.json.read_json({0!r})",
    "parquet": """
pd.read_parquet({0!r})
pq.read_table({0!r})
pq.read_table({0!r}, memory_map=True)
pq.read_table(pathlib.Path({0!r}).as_uri())
pq.ParquetFile({0!r})
pq.ParquetDataset({0!r})
pq.read_metadata({0!r})
pq.read_schema({0!r})
pa.dataset.dataset([{0!r}]).to_table()
pa.dataset.ParquetFileFormat().make_fragment({0!r}, LocalFileSystem()).to_table()""",
    "feather": """
pd.read_feather({0!r})
pa.feather.read_table({0!r})
pa.ipc.open_file({0!r})""",
    "orc": """
pd.read_orc({0!r})
pa.orc.ORCFile({0!r})""",
    "db": """
sqlite3.connect({0!r}).execute("SELECT * FROM t").fetchall()
sqlite3.connect("file:" + {0!r} + "?mode=ro", uri=True)""",
}


def write_sample(path: Path) -> None:
    """A file of one table of its kind."""
    table = pa.table({"a": [1, 2]})
    if path.suffix in (".csv", ".json"):
        path.write_text('{"a": 1}\n' if path.suffix == ".json" else "a\n1\n")
    elif path.suffix == ".db":
        with contextlib.closing(sqlite3.connect(path)) as base:
            base.execute("CREATE TABLE t (a)")
    else:
        writers = {".parquet": pq.write_table, ".feather": feather.write_feather, ".orc": orc.write_table}
        writers[path.suffix](table, str(path))


def test_notes_take_every_way_of_opening_wherever_the_file_lies(project: Path, kernel: str) -> None:
    outside, inside = project / "elsewhere", project / "data" / "deep"
    expected: set[str] = set()
    cells: list[str] = []
    for place in (outside, inside):
        place.mkdir()
        for kind, ways in WAYS.items():
            for way in ways.strip().splitlines():
                path = place / f"ä, {len(cells)}.{kind}"
                write_sample(path)
                cells.append(way.format(str(path)) + ";")
                expected.add(f"deep/{path.name}" if place == inside else str(path))
        (place / "unread.csv").touch()
    look = f"import contextlib\nwith contextlib.suppress(OSError):\n    open({str(outside / 'absent.csv')!r})"
    found = journal_after(project, kernel, IMPORTS, "\n".join(cells), look)
    assert set(found) == expected | {str(outside / "absent.csv")}
    assert [name for name, digest in found.items() if not digest] == [str(outside / "absent.csv")]
    assert reason(project) == ""
    append(outside / "ä, 11.csv")
    assert reason(project) == f"data changed: {outside / 'ä, 11.csv'}"


FORGET = """
for module in (tables, figures, reference):
    for one in vars(module).values():
        if hasattr(one, "cache_clear"):
            one.cache_clear()
"""


def test_a_table_that_a_kernel_was_forked_with_counts_as_opened(
    project: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does in a kernel that has forgotten all tables, and reads them."""
    monkeypatch.delenv("TRADEGOALS_DATA")  # the server of kernels has read the tables of the repository
    asked = "from lib import cases, outlook\noutlook.of(cases.GoalCase());"
    names, known = [], []
    for first in (FORGET, ""):
        kept = f"from lib import figures, reference, tables\n{first}print(tables._read_once.cache_info().currsize)"
        cells = kept, "figures.load_goals_table(), figures.load_figures();", asked
        names.append(set(journal_after(project, kernel, *cells)))
        said = nbformat.read(RUN.folder(project / "out") / "notebook.ipynb", 4).cells[-3].outputs[0]
        known.append(said.text.strip())
    assert names[0] == names[1] >= {"goals.csv", "figures.csv", "reporters.csv", "datapackage.json"}
    assert names[0] >= {"reference/priors.csv", "reference/parent_weights.csv"}
    assert known[0] == "0" < known[1]


@pytest.mark.parametrize(
    "way",
    [
        "pq.read_table({0!r})",
        "pa.dataset.dataset({0!r}).to_table()",
        "pq.read_table('0.parquet', filesystem=pa.fs.SubTreeFileSystem({0!r}, LocalFileSystem()))",
    ],
)
def test_a_folder_read_as_one_data_set_counts_with_all_its_files(
    project: Path, kernel: str, way: str
) -> None:
    folder = project / "elsewhere"
    folder.mkdir()
    for number in range(2):
        write_sample(folder / f"{number}.parquet")
    found = journal_after(project, kernel, IMPORTS, f"{way.format(str(folder))}.num_rows")
    assert set(found) >= {str(folder), *(str(folder / f"{number}.parquet") for number in range(2))}
    assert reason(project) == ""
    write_sample(folder / "2.parquet")
    assert reason(project) == f"data changed: {folder}"


def test_what_a_run_makes_itself_is_no_source_of_it(project: Path, kernel: str) -> None:
    target = str(project / "made")
    cell = f"""import tempfile
table = pa.table({{"a": [1]}})
pd.DataFrame({{"a": [1]}}).to_csv({target + ".csv"!r})
pd.read_csv({target + ".csv"!r})
pq.write_table(table, {target + ".parquet"!r})
pq.read_table({target + ".parquet"!r})
with tempfile.TemporaryDirectory() as folder:
    base = sqlite3.connect(folder + "/x.db")
    base.execute("CREATE TABLE t (a)")
    base.close()
with tempfile.NamedTemporaryFile(suffix=".csv") as file:
    file.write(b"a")
    file.flush()
    print(len(open(file.name).read()))"""
    for _ in range(2):
        assert journal_after(project, kernel, IMPORTS, cell) == {}
        assert reason(project) == ""


def test_a_module_beside_the_notebook_counts_by_what_it_does(project: Path, kernel: str) -> None:
    helper = project / "notebooks" / "helper.py"
    helper.write_text("from lib import growth\n\ndef rate():\n    return growth.cagr\n")
    cell = f"import sys\nsys.path.insert(0, {str(helper.parent)!r})\nimport helper\nhelper.rate()"
    for _ in range(2):  # from its source, and from what Python has compiled
        assert set(journal_after(project, kernel, cell)) == {"./notebooks/helper.py"}
    record = freshness.read_journal(RUN.folder(project / "out"))
    assert record is not None and "growth.py" in record["parts"]["lib"]
    helper.write_text('"""Words."""\n' + helper.read_text() + "# a remark\n")
    assert reason(project) == ""
    append(helper, "rate = None\n")
    assert reason(project) == "data changed: ./notebooks/helper.py"
    helper.unlink()
    assert "data changed: ./notebooks/helper.py" in reason(project)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"from lib import growth\nx = (\n", id="unfinished"),
        pytest.param(b"from lib import growth\nx = '\xe9'\n", id="no UTF-8"),
    ],
)
def test_a_module_beside_the_notebook_that_cannot_be_read_concerns_its_runs_alone(
    project: Path, kernel: str, content: bytes
) -> None:
    helper = project / "notebooks" / "helper.py"
    helper.write_text("x = 1\n")
    journal_after(project, kernel, f"import sys\nsys.path.insert(0, {str(helper.parent)!r})\nimport helper")
    helper.write_bytes(content)
    assert "data changed: ./notebooks/helper.py" in reason(project)


def test_text_that_is_no_python_of_now_may_be_read(project: Path, kernel: str) -> None:
    old = project / "elsewhere.py"
    old.write_bytes(b"# -*- coding: latin-1 -*-\nprint '\xe9'\n")
    assert set(journal_after(project, kernel, f"len(open({str(old)!r}, 'rb').read())")) == {str(old)}
    assert reason(project) == ""


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("import subprocess\nprint(subprocess.run(['true']).returncode)", "another program"),
        ("import h5py", "h5py"),
        (
            "import contextlib, urllib.request\nwith contextlib.suppress(OSError):\n"
            "    urllib.request.urlopen('http://127.0.0.1:9/')",
            "the network",
        ),
    ],
)
def test_a_run_that_reads_unseen_is_never_up_to_date(
    project: Path, kernel: str, cell: str, name: str
) -> None:
    (project / "notebooks" / "h5py.py").touch()
    journal_after(project, kernel, f"import sys\nsys.path.insert(0, {str(project / 'notebooks')!r})", cell)
    assert reason(project) == f"it uses {name}, and what that opens cannot be seen"


def test_a_package_that_is_tried_and_not_there_is_not_used(project: Path, kernel: str) -> None:
    absent = next(name for name in sorted(BLIND) if find_spec(name) is None)
    cell = f"import contextlib\nwith contextlib.suppress(ImportError):\n    import {absent}"
    assert journal_after(project, kernel, cell) == {}
    assert reason(project) == ""


# What code means.


SAME = [
    ("x = 1", "x = 1  # one\n\n"),
    ("x = 1", "x: int = 1"),
    ("x: int = 1", "x: 'str' = 1"),
    ("def f(a, *b, c=1, **d): return a", 'def f(a: int, *b: str, c: int = 1, **d: float) -> int:\n    """F."""\n    return a'),
    ("def f():\n    x = 1\n    return x", "def f():\n    x: int = 1\n    return (x)"),
    ("@functools.lru_cache(maxsize=1)\ndef f(a): pass", "@functools.lru_cache(maxsize=1)\ndef f(a: int): pass"),
    ("async def f(a): pass", "async def f(a: int) -> None:\n  pass"),
    ("class A:\n    x: int", 'class A:\n    """A."""\n    x: int\n    """X."""'),
    ("class A:\n    def f(self): self.x = 1", "class A:\n    def f(self) -> None: self.x: int = 1"),
    ("x = 'a' 'b'", 'x = "ab"'),
    ("x = 1", "if TYPE_CHECKING:\n    import pandas\nx = 1"),
]  # fmt: skip

OTHER = [
    ("x = 1", "x = 2"),
    ("x = 1", "x = True"),
    ("x = 1", "x = 1.0"),
    ("x = 'a'", "x = b'a'"),
    ("x = None", "x = 0"),
    ("def f(a): pass", "def f(a=None): pass"),
    ("def f(a): pass", "async def f(a): pass"),
    ("class A:\n    x: int", "class A:\n    x: str"),
    ("class A:\n    x: int = 1", "class A:\n    x = 1"),
    ("def f():\n    class A:\n        x: int", "def f():\n    class A:\n        x: str"),
    ("@f.register\ndef g(a: int): pass", "@f.register\ndef g(a: str): pass"),
    ("x = Field(1, description='a')", "x = Field(1, description='b')"),
    ("'a'\nprint(__doc__)", "'b'\nprint(__doc__)"),
    ("def f():\n    print(x)", "def f():\n    x: int\n    print(x)"),
    ("f(a=1)", "f(**{'a': 1})"),
    ("{None: 1}", "{**x}"),
    ("from a import b", "from .a import b"),
]


@pytest.mark.parametrize(("before", "after"), SAME)
def test_what_no_run_can_notice_changes_no_meaning(before: str, after: str) -> None:
    for is_cell in (False, True):
        assert meaning(before, is_cell) == meaning(after, is_cell)


@pytest.mark.parametrize(("before", "after"), OTHER)
def test_what_a_run_can_notice_changes_the_meaning(before: str, after: str) -> None:
    for is_cell in (False, True):
        assert meaning(before, is_cell) != meaning(after, is_cell)


def test_a_cell_shows_its_last_value_unless_a_semicolon_ends_it() -> None:
    cell = partial(meaning, is_cell=True)
    assert cell("x;") != cell("x") == cell("x  # ;") != cell("x; y")
    assert cell("x;") == cell("x ;  # quiet\n")
    assert cell("'shown'") != cell("'other'")
    assert cell("await f()") == cell("await  f()")
    assert cell("%time x") != cell("%time y")


@given(data=st.data(), word=st.text("abcxyz ", min_size=1))
def test_words_put_anywhere_into_a_module_change_no_meaning(data: st.DataObject, word: str) -> None:
    # A module that may read docstrings keeps them; `meaning` names those readers.
    plain = [path for path in sorted(freshness.LIB.glob("*.py")) if path.name != "meaning.py"]
    code = data.draw(st.sampled_from(plain)).read_text(encoding="utf-8")
    lines = code.splitlines()
    # Where a statement of the module's top begins, there is no string and no bracket to be inside of.
    tops = [node.lineno - 1 for node in ast.parse(code).body if not getattr(node, "decorator_list", None)]
    place = data.draw(st.sampled_from([*tops, len(lines)]))
    said = [*lines[:place], f"# {word}", "", f'"""{word}"""', *lines[place:]]
    assert meaning("\n".join(said)) == meaning(code)
    done = [*lines[:place], f"changed = {word!r}", *lines[place:]]
    assert meaning("\n".join(done)) != meaning(code)


def test_the_key_is_of_the_content_and_not_of_its_order() -> None:
    parts = {"lib": {"a.py": "1", "b.py": "2"}, "python": "3"}
    again = json.loads('{"python": "3", "lib": {"b.py": "2", "a.py": "1"}}')
    assert freshness.key_of(parts) == freshness.key_of(again)
    assert freshness.key_of(parts) != freshness.key_of(parts | {"python": "4"})
