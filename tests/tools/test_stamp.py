"""A stamp goes stale when what its notebook, modules or data say changes; `tradegoals check` names each fault."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tiny
from click.testing import CliRunner

from lib import package
from lib.errors import UserError
from lib.package import data_dir
from lib.research import meaning
from lib.tools.cli import main
from lib.tools.commands import author
from lib.tools.run import execute, freshness

pytestmark = pytest.mark.usefixtures("warm_only")

CODE = "from lib import growth"


@pytest.fixture
def own_lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's sources, to be edited."""
    return tiny.own_lib(tmp_path, monkeypatch)


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables, to be edited."""
    folder = tmp_path / "data"
    shutil.copytree(data_dir(), folder)
    monkeypatch.setenv("TRADEGOALS_DATA", str(folder))
    return folder


@pytest.fixture(scope="module")
def sound_notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound tiny notebooks under the names of the real ones: to be copied, never to be altered."""
    folder = tmp_path_factory.mktemp("sound")
    for name, model in author._stamped_notebooks().items():
        values = model().model_dump(mode="json").items()
        cell = "\n".join(f"{key} = {value!r}" for key, value in values)
        edit(tiny.write(folder, "from lib import errors", name=name, parameters=cell), lambda notebook: None)
    return folder


@pytest.fixture
def own_notebooks(sound_notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sound notebooks, to be edited."""
    folder = shutil.copytree(sound_notebooks, tmp_path / "notebooks")
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(folder))
    return folder


TABLES = ["figures.csv", "reference/priors.csv", "reference/scores/verdicts.parquet"]


def stamped(*cells: str) -> nbformat.NotebookNode:
    """A notebook that is taken to read three tables."""
    notebook = tiny.notebook(*cells)
    notebook["metadata"][freshness.STAMP] = freshness.make_stamp(notebook, TABLES)
    return notebook


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_fresh_stamp_is_not_stale() -> None:
    assert freshness.why_stale(stamped(CODE)) == ""


@pytest.mark.parametrize(
    "mark", [None, {"cells": "0f", "lib": "0f", "data": "0f"}, {"cells": [], "lib": {}}, "0f"]
)
def test_a_notebook_without_stamp_of_this_form_is_stale(mark: object) -> None:
    notebook = tiny.notebook(CODE)
    notebook["metadata"][freshness.STAMP] = mark
    assert freshness.why_stale(notebook) == "never stamped"


def test_an_edited_cell_is_noticed() -> None:
    notebook = stamped(CODE, "1 + 1")
    notebook["cells"][2]["source"] = "1 + 2"
    assert freshness.why_stale(notebook) == "cells changed: 3"


def test_cells_that_came_or_went_are_told_by_their_place() -> None:
    notebook = stamped(CODE, "1", "2", "3")
    del notebook["cells"][2]
    assert freshness.why_stale(notebook) == "cells changed: some removed or moved"
    notebook = stamped(CODE, "1", "2")
    notebook["cells"].insert(2, nbformat.v4.new_code_cell("0"))
    assert freshness.why_stale(notebook) == "cells changed: 3"


def test_code_turned_into_text_is_noticed() -> None:
    notebook = stamped(CODE, "1 + 1")
    notebook["cells"][2]["cell_type"] = "markdown"
    assert freshness.why_stale(notebook) == "cells changed: some removed or moved"


def test_words_in_a_notebook_leave_its_stamp_fresh() -> None:
    notebook = stamped(CODE, "1 + 1")
    notebook["cells"][2]["source"] = "1+1  # two"
    notebook["cells"].insert(0, nbformat.v4.new_markdown_cell("Words."))
    for cell in notebook["cells"]:
        cell["id"] = f"other-{cell['id'][:4]}"
    notebook["metadata"]["title"] = "Other"
    assert freshness.why_stale(notebook) == ""
    notebook["cells"][3]["source"] = "1 + 2"
    assert freshness.why_stale(notebook) == "cells changed: 4"  # as they are counted in the notebook


def test_text_moved_between_cells_is_noticed() -> None:
    notebook = stamped("a = 1", "b = 2")
    notebook["cells"][1]["source"], notebook["cells"][2]["source"] = "a = 1\nb = 2", ""
    assert freshness.why_stale(notebook) == "cells changed: 2, 3"


def test_a_stale_notebook_says_exactly_what_has_changed(own_lib: Path, own_data: Path) -> None:
    notebook = stamped(CODE, "1")
    notebook["cells"][2]["source"] = "2"
    append(own_lib / "growth.py", "\nOTHER = 1\n")
    append(own_data / "figures.csv", "\n")
    (own_data / "reference/priors.csv").unlink()
    assert freshness.why_stale(notebook) == (
        "cells changed: 3; lib changed: growth; data changed: figures.csv, reference/priors.csv"
    )


def test_a_long_list_of_changes_ends_with_a_number() -> None:
    assert freshness.changes({"lib": {}}, {"lib": dict.fromkeys("abcdefgh", "0")}) == [
        "lib changed: a, b, c, d, e, f and 2 more"
    ]


def test_outputs_and_execution_counts_do_not_matter() -> None:
    notebook = stamped(CODE)
    notebook["cells"][1]["execution_count"] = 7
    notebook["cells"][1]["outputs"] = [nbformat.v4.new_output("stream", text="hello")]
    assert freshness.why_stale(notebook) == ""


def test_an_imported_module_matters_and_another_does_not(own_lib: Path) -> None:
    notebook = stamped(CODE)
    append(own_lib / "words.py", "\nOTHER = 1\n")
    assert freshness.why_stale(notebook) == ""
    append(own_lib / "growth.py", "\nOTHER = 1\n")
    assert freshness.why_stale(notebook) == "lib changed: growth"


def test_a_module_imported_by_another_matters(own_lib: Path) -> None:
    (own_lib / "growth.py").write_text("from lib.middle import x\n")
    (own_lib / "middle.py").write_text("def f():\n    from lib import deep\n    return deep\n")
    (own_lib / "deep.py").write_text("x = 1\n")
    notebook = stamped(CODE)
    assert meaning.imported_modules(CODE) == {"__init__", "growth", "middle", "deep"}
    append(own_lib / "deep.py", "y = 2\n")
    assert freshness.why_stale(notebook) == "lib changed: deep"


@pytest.fixture
def lib_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of one module in the place of `lib`."""
    monkeypatch.setattr(meaning, "LIB", tmp_path)
    for name in ("__init__", "alone"):
        (tmp_path / f"{name}.py").write_text("x = 1\n")


@pytest.mark.parametrize(
    "code",
    [
        "import lib.alone",
        "import lib.alone as a, json",
        "from lib import alone",
        "from lib import alone as a",
        "from lib.alone import x",
        "def f():\n    from lib.alone import x",
        "if True:\n    import lib.alone",
    ],
)
def test_every_form_of_import_counts(lib_of_one: None, code: str) -> None:
    assert meaning.imported_modules(code) == {"__init__", "alone"}


@pytest.mark.parametrize("code", ["import json", "from library import alone", "import libs.alone", "lib = 1"])
def test_other_imports_do_not_count(lib_of_one: None, code: str) -> None:
    assert meaning.imported_modules(code) == set()


def test_what_lib_offers_counts_by_the_module_it_lives_in(own_lib: Path) -> None:
    assert meaning.imported_modules("import lib") == {"__init__"}
    assert "growth" in meaning.imported_modules("import lib\nlib.growth.cagr(1, 2, 3)")
    assert {"analysis/asking", "outlook"} < meaning.imported_modules("import lib\nlib.ask('Harbin')")
    assert "analysis/asking" in meaning.imported_modules("from lib import ask")


def test_modules_that_import_each_other_are_followed_once(own_lib: Path) -> None:
    (own_lib / "one.py").write_text("from lib import two\n")
    (own_lib / "two.py").write_text("from lib import one\n")
    assert meaning.imported_modules("from lib import one") == {"__init__", "one", "two"}


def test_code_that_is_not_python_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match=r"line 2 .*without % or ! commands"):
        meaning.imported_modules("x = 1\n%matplotlib inline")


@pytest.mark.parametrize("table", TABLES)
def test_an_edited_table_is_noticed(own_data: Path, table: str) -> None:
    notebook = stamped(CODE)
    append(own_data / table, "\n")
    assert freshness.why_stale(notebook) == f"data changed: {table}"


def test_a_file_that_the_notebook_does_not_read_does_not_matter(own_data: Path) -> None:
    notebook = stamped(CODE)
    append(own_data / "README.md", "\nMore.\n")
    append(own_data / "events.csv", "\n")
    assert freshness.why_stale(notebook) == ""


def test_new_checksums_of_other_tables_do_not_matter_but_a_changed_field_does(own_data: Path) -> None:
    notebook = tiny.notebook(CODE)
    notebook["metadata"][freshness.STAMP] = freshness.make_stamp(
        notebook, ["datapackage.json", "figures.csv"]
    )
    path = own_data / "datapackage.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["resources"][-1] |= {"hash": "sha256:0", "bytes": 1}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert freshness.why_stale(notebook) == ""
    content["resources"][0]["schema"]["fields"][0]["type"] = "integer"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert freshness.why_stale(notebook) == "data changed: datapackage.json"
    path.write_text("[]", encoding="utf-8")
    assert freshness.why_stale(notebook) == "data changed: datapackage.json"


def test_cleaning_leaves_nothing_of_the_machine_or_the_moment() -> None:
    notebook = tiny.notebook("1")
    notebook["metadata"] |= {
        "papermill": {"start_time": "2014-04-15", "input_path": "here"},
        "language_info": {"name": "python", "version": "3.11.7"},
        "widgets": {},
        "kernelspec": {"display_name": "my environment", "name": "mine"},
    }
    for cell in notebook["cells"]:
        cell["metadata"] |= {"execution": {"iopub.status.busy": "2014"}, "collapsed": True}
    output = nbformat.v4.new_output(
        "display_data", {"text/plain": "x"}, metadata={"image/png": {"alt": "words"}}
    )
    notebook["cells"][1]["outputs"] = [output]
    assert author._cleaned(notebook, {}).endswith("}\n")
    assert notebook["metadata"] == {
        "tradegoals": {},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell["metadata"] for cell in notebook["cells"]] == [{"tags": ["parameters"]}, {}]
    assert [cell["id"] for cell in notebook["cells"]] == ["cell-00", "cell-01"]
    assert notebook["cells"][1]["outputs"][0]["metadata"] == {"image/png": {"alt": "words"}}


def test_what_jupyterlab_adds_on_saving_goes_without_running_anything(
    own_notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, edited = (own_notebooks / f"{name}.ipynb" for name in ("00_did_the_goal_hold", "start"))
    CliRunner().invoke(main, ["stamp"], catch_exceptions=False)
    before = {file.name: file.read_bytes() for file in (path, edited)}
    notebook = nbformat.read(path, as_version=4)
    added = {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "version": "3.11.7",
    }
    notebook["metadata"]["language_info"] |= added
    notebook["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    notebook["metadata"]["toc-showcode"] = True
    notebook["cells"][1]["metadata"] |= {"scrolled": True, "jupyter": {"outputs_hidden": True}}
    nbformat.write(notebook, path)
    assert path.read_bytes() != before[path.name] and freshness.why_stale(notebook) == ""
    monkeypatch.setattr(execute, "run_notebook", pytest.fail)
    said = CliRunner().invoke(main, ["stamp"], catch_exceptions=False).output
    assert "tidied 00_did_the_goal_hold" in said
    assert {file.name: file.read_bytes() for file in (path, edited)} == before


def test_two_stamps_of_a_notebook_are_the_same_bytes(tmp_path: Path) -> None:
    path = tiny.write(tmp_path, "from lib import errors", "print(reporter)", "reporter")
    author._restamp(path)
    first = path.read_bytes()
    author._restamp(path)
    assert path.read_bytes() == first
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert freshness.why_stale(notebook) == ""
    assert [cell["execution_count"] for cell in notebook["cells"]] == [1, 2, 3, 4]
    assert notebook["cells"][2]["outputs"][0]["text"] == "Harbin\n"
    mark = notebook["metadata"][freshness.STAMP]
    assert list(mark["lib"]) == ["__init__", "errors"] and mark["data"] == {} and len(mark["cells"]) == 4
    assert all(re.fullmatch("[0-9a-f]{10}", digest) for digest in (*mark["lib"].values(), *mark["cells"]))
    assert not re.search(rb"20\d\d-\d\d-\d\dT", first)
    assert str(tmp_path).encode() not in first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_tables_that_a_notebook_opens_are_in_its_stamp(tmp_path: Path) -> None:
    path = tiny.write(tmp_path, "from lib import figures\nn = len(figures.load_figures())")
    author._restamp(path)
    opened = author._read_notebook(path)["metadata"][freshness.STAMP]["data"]
    assert "figures.csv" in opened and "targets.csv" not in opened


def test_a_file_of_the_project_that_a_cell_opens_is_in_the_stamp_by_its_place_there(
    tmp_path: Path, own_lib: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(tmp_path / "notebooks"))
    table = tmp_path / "my, 1 ä.csv"
    table.write_text("a\n1\n")
    path = tiny.write(tmp_path / "notebooks", f"import pandas as pd\npd.read_csv({str(table)!r});")
    (path.parent / "helper.py").write_text("from lib import errors\n")
    path = tiny.write(
        path.parent,
        f"import sys\nsys.path.insert(0, {str(path.parent)!r})\nimport helper\nopen({str(table)!r});",
    )
    author._restamp(path)
    notebook = author._read_notebook(path)
    assert str(tmp_path) not in json.dumps(notebook["metadata"])
    assert freshness.why_stale(notebook) == ""
    append(own_lib / "errors.py", "OTHER = 1\n")
    append(path.parent / "helper.py", "# a remark\n")
    append(table, "2\n")
    assert freshness.why_stale(notebook) == "lib changed: errors; data changed: ./my, 1 ä.csv"
    append(path.parent / "helper.py", "OTHER = 1\n")
    assert freshness.why_stale(notebook).endswith("data changed: ./my, 1 ä.csv, ./notebooks/helper.py")


def test_a_notebook_that_opens_a_file_outside_the_project_is_not_stamped(tmp_path: Path) -> None:
    table = tmp_path / "far.csv"
    table.touch()
    path = tiny.write(tmp_path / "notebooks", f"open({str(table)!r});")
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"it opens .*far\.csv, expected files of the project alone"):
        author._restamp(path)
    assert path.read_bytes() == before


def test_words_in_any_module_leave_every_committed_stamp_fresh(own_lib: Path) -> None:
    """A docstring, a remark, an annotation in each file of `lib`; and a function of the runner's."""
    notebooks = [
        author._read_notebook(package.notebooks_dir() / f"{name}.ipynb")
        for name in author._stamped_notebooks()
    ]
    before = [freshness.make_stamp(notebook, TABLES) for notebook in notebooks]
    for path in own_lib.rglob("*.py"):
        code = path.read_text(encoding="utf-8")
        code = re.sub(r"\) -> (None|str|float):\n", ") -> object:\n", code)
        path.write_text(f'"""Other words."""\n{code}\n# a remark\n', encoding="utf-8")
    append(own_lib / "tools" / "run" / "execute.py", "HEAR_SECONDS = 1.0\n")
    assert [freshness.make_stamp(notebook, TABLES) for notebook in notebooks] == before
    append(own_lib / "growth.py", "\n\ndef other():\n    return 1\n")
    for notebook, mark in zip(notebooks, before, strict=True):
        notebook["metadata"][freshness.STAMP] = mark
        assert freshness.why_stale(notebook) == "lib changed: growth"


@pytest.mark.parametrize(
    ("cell", "words"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("import os; os._exit(1)", "Kernel died")],
    ids=["error", "dead kernel"],
)
def test_a_notebook_that_fails_is_left_as_it_was(tmp_path: Path, cell: str, words: str) -> None:
    path = tiny.write(tmp_path, cell)
    before = path.read_bytes()
    with pytest.raises(UserError, match=f"^{path.name}: {words}"):
        author._restamp(path)
    assert path.read_bytes() == before


def test_a_cell_out_of_time_leaves_the_notebook_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.tools.run.engine.CELL_TIMEOUT_SECONDS", 1)
    path = tiny.write(tmp_path, "import time; time.sleep(900)")
    before = path.read_bytes()
    with pytest.raises(UserError, match="timed out"):
        author._restamp(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"nbformat": 3, "worksheets": []}', b"\xff"])
def test_a_damaged_notebook_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"^broken\.ipynb: "):
        author._read_notebook(path)


def test_a_missing_notebook_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^none\.ipynb: cannot be read"):
        author._read_notebook(tmp_path / "none.ipynb")


@pytest.mark.parametrize("stamp", [{}, {"cells": [], "lib": {}, "data": {}}])  # never stamped, and stale
def test_a_cell_that_is_not_plain_python_is_named_with_its_notebook(
    own_notebooks: Path, stamp: dict[str, Any]
) -> None:
    path = tiny.write(own_notebooks, "x = 1", "%precision 3")
    notebook = nbformat.read(path, as_version=4)
    notebook["metadata"][freshness.STAMP] = stamp
    number = len(notebook["cells"])
    nbformat.write(notebook, path)
    said = CliRunner().invoke(author.stamp, [path.stem])
    assert str(said.exception).startswith(f"{path.name}: cell {number}: line 1 of the code: ")


def test_a_module_that_is_not_python_is_named(own_lib: Path) -> None:
    (own_lib / "one.py").write_text("x = 1\nx = (\n")
    with pytest.raises(UserError, match=r"^line 2 of lib/one\.py: '\(' was never closed"):
        meaning.imported_modules("from lib import one")


# What `tradegoals check` says.


def edit(path: Path, change: Callable[[Any], Any], fresh: bool = True) -> None:
    """Change a notebook and stamp it, or leave the stamp that it has."""
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    if fresh:
        notebook["metadata"][freshness.STAMP] = freshness.make_stamp(notebook, ["events.csv"])
    nbformat.write(notebook, path)


def in_cell(old: str, new: str) -> Callable[[Any], Any]:
    """A change of the parameters cell."""

    def change(notebook: Any) -> None:
        assert old in notebook["cells"][0]["source"]
        notebook["cells"][0]["source"] = notebook["cells"][0]["source"].replace(old, new)

    return change


def test_sound_notebooks_have_no_fault(own_notebooks: Path) -> None:
    assert author._notebook_faults() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            in_cell("reporter", "reportr"),
            "parameters: found ['reportr', 'partner', 'flow', 'as_of'], expected",
        ),
        (in_cell("'Russia'", "'India'"), "parameters: partner: found 'India', expected 'Russia'"),
        (in_cell("flow = 'total'\n", ""), "parameters: found ['reporter', 'partner', 'as_of'], expected"),
        (in_cell("reporter", "extra = 1\nreporter"), "parameters: found ['extra', 'reporter'"),
        (in_cell("'Russia'", "1 / 0"), "parameters: line 2: found partner = 1 / 0, expected name = value"),
        (
            in_cell("reporter", "raise SystemExit(0)\nreporter"),
            "parameters: line 1: found raise SystemExit(0), expected",
        ),
        (
            in_cell("'Russia'", "print('Russia')"),
            "line 2: found partner = print('Russia'), expected name = value",
        ),
        (in_cell("reporter =", "reporter = other ="), "line 1: found reporter = other = 'Harbin', expected"),
        (in_cell("'Russia'", "'Russia"), "line 2 of the code: unterminated string"),
        (lambda n: n["cells"][0]["metadata"].pop("tags"), "found 0 cells tagged parameters, expected 1"),
        (
            lambda n: n["cells"].append(nbformat.from_dict({**n["cells"][0], "id": "again"})),
            "found 2 cells tagged parameters, expected 1",
        ),
        (lambda n: n["cells"][1].update(source="%time"), "without % or ! commands"),
    ],
)
def test_a_parameters_cell_that_differs_from_the_model_is_named(
    own_notebooks: Path, change: Callable[[Any], Any], words: str
) -> None:
    path = own_notebooks / f"{tiny.NAME}.ipynb"
    edit(path, change, fresh=False)
    found = [line for line in author._notebook_faults() if "stale" not in line]
    assert len(found) == 1
    assert found[0].startswith(f"{path.name}: ")
    assert words in found[0]


def test_a_parameter_may_have_a_type(own_notebooks: Path) -> None:
    change = in_cell("reporter =", "reporter: str =")
    edit(own_notebooks / f"{tiny.NAME}.ipynb", change, fresh=False)
    assert all("stale" in line for line in author._notebook_faults())


@pytest.mark.parametrize("name", [tiny.NAME, author.TEMPLATE])
def test_a_stale_notebook_is_named_with_the_command_that_renews_it(own_notebooks: Path, name: str) -> None:
    edit(own_notebooks / f"{name}.ipynb", lambda n: n["cells"][1].update(source="1"), fresh=False)
    assert author._notebook_faults() == [
        f"{name}.ipynb: outputs are stale (cells changed: 2; lib changed: __init__, errors); run: tradegoals stamp {name}"
    ]


def test_missing_and_damaged_notebooks_are_named(own_notebooks: Path) -> None:
    (own_notebooks / f"{tiny.NAME}.ipynb").unlink()
    (own_notebooks / "02_how_did_trade_grow.ipynb").write_text("{")
    found = author._notebook_faults()
    assert [line.partition(":")[0] for line in found] == [f"{tiny.NAME}.ipynb", "02_how_did_trade_grow.ipynb"]
    assert "cannot be read (No such file" in found[0]
    assert "no valid JSON" in found[1]


def test_faults_of_data_hide_those_that_follow_from_them(
    own_data: Path, own_notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_notebooks / "runs.yml").write_text("cases: {one: {parameters: {reportr: x}}}")
    with (own_data / "events.csv").open("a") as file:
        file.write("a;b\n")
    found = author._all_faults()
    assert any("events.csv" in line and "fields" in line for line in found)
    assert any("checksum" in line or "sha256" in line for line in found)
    assert not any("runs.yml" in line for line in found)
    stale = [line for line in found if "data changed: events.csv" in line]
    assert len(stale) == len(author._stamped_notebooks())
    short = author._all_faults(in_short=True)  # as after an edit of data, which makes all of them stale
    assert len(short) == len(found) - len(stale) + 1
    assert short[-1].startswith(f"{len(stale)} notebooks are stale (")


def test_renewing_writes_the_checksums_of_what_changed(
    own_data: Path, own_notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit of a table: found, renewed, in order again once the notebooks are stamped."""
    (own_notebooks / "runs.yml").write_text("cases: {one: {notebooks: [01_what_do_the_figures_say]}}")
    table = own_data / "events.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(lines[:-1]), encoding="utf-8")
    for path in own_notebooks.glob("*.ipynb"):
        edit(path, lambda notebook: None)

    before = CliRunner().invoke(main, ["check"])
    assert before.exit_code == 1
    assert "events.csv" in before.output and "tradegoals check --renew" in before.output
    assert before.output.endswith("\n1 fault found.\n")

    renewed = CliRunner().invoke(main, ["check", "--renew", "--yes"])
    assert renewed.output == (
        "events: no commit to compare it with\nrenewed the checksum of events\n"
        "Data, runs.yml and notebooks are in order.\n"
    )
    assert renewed.exit_code == 0
    assert CliRunner().invoke(main, ["check", "--renew"]).output == (
        "Data, runs.yml and notebooks are in order.\n"
    )
