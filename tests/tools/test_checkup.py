"""`tradegoals check` finds each kind of fault, and its words lead to it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tiny
from click.testing import CliRunner

from lib.package import data_dir
from lib.tools.cli import main
from lib.tools.run import stamp


@pytest.fixture
def own_notebooks(tmp_path: Path) -> Path:
    """Sound tiny notebooks under the names of the real ones."""
    folder = tmp_path / "notebooks"
    for name, model in stamp.stamped_notebooks().items():
        values = model().model_dump(mode="json").items()
        cell = "\n".join(f"{key} = {value!r}" for key, value in values)
        path = tiny.write(folder, "from lib import errors", name=name, parameters=cell)
        edit(path, lambda notebook: None)
    return folder


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables with right checksums, to be edited."""
    folder = tmp_path / "data"
    shutil.copytree(data_dir(), folder)
    monkeypatch.setenv("TRADEGOALS_DATA", str(folder))
    return folder


def edit(path: Path, change: Callable[[Any], Any], fresh: bool = True) -> None:
    """Change a notebook and stamp it, or leave the stamp that it has."""
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    if fresh:
        notebook["metadata"][stamp.KEY] = stamp.make_stamp(notebook, ["events.csv"])
    nbformat.write(notebook, path)


def in_cell(old: str, new: str) -> Callable[[Any], Any]:
    """A change of the parameters cell."""

    def change(notebook: Any) -> None:
        assert old in notebook["cells"][0]["source"]
        notebook["cells"][0]["source"] = notebook["cells"][0]["source"].replace(old, new)

    return change


def test_sound_notebooks_have_no_fault(own_notebooks: Path) -> None:
    assert stamp.notebook_faults(own_notebooks) == []


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
        (in_cell("'Russia'", "1 / 0"), "parameters: the cell fails with ZeroDivisionError"),
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
    found = [line for line in stamp.notebook_faults(own_notebooks) if "stale" not in line]
    assert len(found) == 1
    assert found[0].startswith(f"{path.name}: ")
    assert words in found[0]


@pytest.mark.parametrize("name", [tiny.NAME, stamp.TEMPLATE])
def test_a_stale_notebook_is_named_with_the_command_that_renews_it(own_notebooks: Path, name: str) -> None:
    edit(own_notebooks / f"{name}.ipynb", lambda n: n["cells"][1].update(source="1"), fresh=False)
    assert stamp.notebook_faults(own_notebooks) == [
        f"{name}.ipynb: outputs are stale (cells changed: 2; lib changed: errors); run: tradegoals stamp {name}"
    ]


def test_missing_and_damaged_notebooks_are_named(own_notebooks: Path) -> None:
    (own_notebooks / f"{tiny.NAME}.ipynb").unlink()
    (own_notebooks / "02_how_did_trade_grow.ipynb").write_text("{")
    found = stamp.notebook_faults(own_notebooks)
    assert [line.partition(":")[0] for line in found] == [f"{tiny.NAME}.ipynb", "02_how_did_trade_grow.ipynb"]
    assert "not found" in found[0]
    assert "no valid JSON" in found[1]


def test_faults_of_data_hide_those_that_follow_from_them(
    own_data: Path, own_notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(own_notebooks))
    (own_notebooks / "runs.yml").write_text("cases: {one: {parameters: {reportr: x}}}")
    with (own_data / "events.csv").open("a") as file:
        file.write("a;b\n")
    found = stamp.all_faults()
    assert any("events.csv" in line and "fields" in line for line in found)
    assert any("checksum" in line or "sha256" in line for line in found)
    assert not any("runs.yml" in line for line in found)
    assert sum("data changed: events.csv" in line for line in found) == len(stamp.stamped_notebooks())


def test_renewing_writes_the_checksums_of_what_changed(
    own_data: Path, own_notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit of a table: found, renewed, in order again once the notebooks are stamped."""
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(own_notebooks))
    (own_notebooks / "runs.yml").write_text("cases: {one: {notebooks: [01_what_do_the_figures_say]}}")
    CliRunner().invoke(main, ["check", "--renew"])
    table = own_data / "events.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(lines[:-1]), encoding="utf-8")
    for path in own_notebooks.glob("*.ipynb"):
        edit(path, lambda notebook: None)

    before = CliRunner().invoke(main, ["check"])
    assert before.exit_code == 1
    assert "events.csv" in before.output and "tradegoals check --renew" in before.output
    assert before.output.endswith("\n1 fault found.\n")

    renewed = CliRunner().invoke(main, ["check", "--renew"])
    assert renewed.output == ("renewed the checksum of events\nData, runs.yml and notebooks are in order.\n")
    assert renewed.exit_code == 0
    assert CliRunner().invoke(main, ["check", "--renew"]).output == (
        "Data, runs.yml and notebooks are in order.\n"
    )
