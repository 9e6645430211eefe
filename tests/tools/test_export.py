"""Figures and tables of a run as files for a paper: the same bytes each time, and what the page shows."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pandas as pd
import pytest
import tiny
from click.testing import CliRunner, Result
from hypothesis import example, given
from hypothesis import strategies as st

from lib import show
from lib.errors import UserError
from lib.tools.cli import main
from lib.tools.commands.results import Format
from lib.tools.run import page
from lib.tools.site import export

FIGURE = (
    "import pandas as pd\n"
    "from lib import plots, show\n"
    "from lib.plots import style\n"
    "plots.use_style()\n"
    "axes = style.new_axes('Flows that grew')\n"
    "axes.plot([1, 3], [0.31, 0.2])\n"
    "plots.show(axes.figure, 'Share <falls> & falls')"
)
TABLE = "show.table(pd.DataFrame({'growth, %': ['−28.6 %'], 'address': ['https://a.b/c?d=1&e=2']}))"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory, warm_only: None) -> Path:
    """An output folder with a run that shows a figure and a table, and one that failed."""
    folder = tmp_path_factory.mktemp("own")
    out = folder / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEGOALS_NOTEBOOKS", str(folder / "notebooks"))
        tiny.write(folder / "notebooks", "1 / 0")
        failing = ["run", "--notebook", tiny.NAME, "-p", "reporter=China", "--out", str(out)]
        assert CliRunner().invoke(main, failing).exit_code == 1
        tiny.write(folder / "notebooks", FIGURE, TABLE)
        done = CliRunner().invoke(main, ["run", "--notebook", tiny.NAME, "--out", str(out)])
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(autouse=True)
def own_notebooks(executed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(executed / "notebooks"))


def invoke(executed: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", *arguments, "--out", str(executed / "out")])


def test_a_run_is_exported_in_all_formats_and_the_same_bytes_again(executed: Path) -> None:
    folder = executed / "out" / "export" / tiny.NAME / "default"
    done = invoke(executed, tiny.NAME)
    assert done.exit_code == 0, done.output
    names = ["figure-1.pdf", "figure-1.svg", "table-1.csv", "table-1.tex"]
    assert done.output.splitlines() == [f"wrote {folder / name}" for name in names]
    first = {name: (folder / name).read_bytes() for name in names}
    assert invoke(executed, f"{tiny.NAME}/default").exit_code == 0
    assert {name: (folder / name).read_bytes() for name in names} == first
    assert sorted(path.name for path in folder.iterdir()) == names
    assert "SOURCE_DATE_EPOCH" not in os.environ

    assert first["figure-1.pdf"].startswith(b"%PDF-")
    root = ElementTree.fromstring(first["figure-1.svg"])
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert root.get("role") == "img" and title is not None and title.text == "Share <falls> & falls"
    assert b"<dc:date>1970-01-01" in first["figure-1.svg"]


def test_only_the_formats_asked_for_are_written(executed: Path) -> None:
    done = invoke(executed, tiny.NAME, "--format", "csv")
    assert [Path(line).name for line in done.output.splitlines()] == ["table-1.csv"]
    assert invoke(executed, tiny.NAME, "--format", "docx").exit_code == 2


def test_tables_are_those_of_the_page(executed: Path) -> None:
    folder = executed / "out" / "export" / tiny.NAME / "default"
    invoke(executed, tiny.NAME, "--format", "csv", "--format", "latex")
    frame = pd.read_csv(folder / "table-1.csv")
    assert frame.to_dict("records") == [{"growth, %": "−28.6 %", "address": "https://a.b/c?d=1&e=2"}]
    assert (folder / "table-1.tex").read_text(encoding="utf-8") == (
        "\\begin{tabular}{ll}\n\\toprule\ngrowth, \\% & address \\\\\n\\midrule\n"
        "\\ensuremath{-}28.6 \\% & \\url{https://a.b/c?d=1&e=2} \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


def test_an_unknown_run_is_refused_with_the_nearest(executed: Path, tmp_path: Path) -> None:
    done = invoke(executed, f"{tiny.NAME}/defalt")
    assert done.exit_code == 2 and f'expected "{tiny.NAME}/default"' in done.output
    nothing = CliRunner().invoke(main, ["export", tiny.NAME, "--out", str(tmp_path / "none")])
    assert nothing.exit_code == 2 and "tradegoals run" in nothing.output


def test_a_run_that_failed_is_refused(executed: Path) -> None:
    done = invoke(executed, f"{tiny.NAME}/reporter-china")
    assert done.exit_code == 2 and "which failed" in done.output


def test_a_run_whose_files_were_altered_is_refused(executed: Path, tmp_path: Path) -> None:
    path = (
        shutil.copytree(executed / "out", tmp_path / "out")
        / "runs"
        / tiny.NAME
        / "default"
        / "notebook.ipynb"
    )
    path.write_bytes(path.read_bytes() + b" ")
    done = invoke(tmp_path, tiny.NAME)
    assert done.exit_code == 2 and f"{tiny.NAME}/default" in done.output
    assert "Files are not those that its journal describes" in done.output


def test_a_notebook_that_fails_by_now_is_an_error_that_names_it(
    executed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(tmp_path / "notebooks", "raise ValueError('seven is wrong')")
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(tmp_path / "notebooks"))
    done = invoke(executed, tiny.NAME, "--format", "svg")
    assert done.exit_code == 2
    assert f"Error: {tiny.NAME}/default: " in done.output and "seven is wrong" in done.output


def test_the_formats_of_the_command_are_those_of_the_module() -> None:
    assert set(get_args(Format)) == {*export.FIGURES, *export.TABLES}


@given(
    st.lists(
        st.lists(st.text(st.characters(categories=["L", "N", "P", "S"])), min_size=2, max_size=2), min_size=1
    )
)
@example([["", "http://"]])
def test_a_table_is_read_back_as_it_was_shown(rows: list[list[str]]) -> None:
    frame = pd.DataFrame(rows, columns=["a & <b>", "c"], dtype=str)
    (found,) = tables(show.table(frame).data)
    assert found.header == frame.columns.to_list()
    assert [[cell.text for cell in row] for row in found.rows] == rows


def tables(html: str) -> list[page.Grid]:
    """The tables that a page has of what a cell displayed."""
    cell = {"cell_type": "code", "source": "", "outputs": [{"data": {"text/html": html}}]}
    blocks = page.read_page({"cells": [cell]}, page.Links()).blocks
    return [block["grid"] for block in blocks if block["kind"] == "table"]


def test_markup_without_a_table_and_a_table_without_rows_give_nothing() -> None:
    assert tables("<p>words</p>") == []
    assert tables("<table><thead><tr><th>a</th></tr></thead></table>") == []


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("50 % & more_less", r"50 \% \& more\_less"),
        ("{#$}", r"\{\#\$\}"),
        ("a\\b~c^d", r"a\textbackslash b\textasciitilde c\textasciicircum d"),
        ("plain – words", "plain – words"),
    ],
)
def test_signs_of_latex_are_escaped(text: str, latex: str) -> None:
    assert f"\n{latex} \\\\\n" in export._to_latex(page.Grid(["x"], [[page.Cell(text)]]))


def test_a_journal_that_is_no_run_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a" / "default"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "ok"}))
    with pytest.raises(UserError):
        export._find_run("a", tmp_path)


@pytest.mark.parametrize("home", ["writable", "none"])
def test_settings_of_matplotlib_and_ipython_leave_a_home_that_nobody_may_write(
    executed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path) if home == "writable" else "/proc/none")
    names = ("MPLCONFIGDIR", "IPYTHONDIR")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    seen: list[Path | None] = []

    def note(*_: Any) -> list[Path]:
        given = [os.environ.get(name) for name in names]
        seen.extend(path and Path(path) for path in given)
        assert all(path is None or os.access(path, os.W_OK) for path in given)
        return []

    monkeypatch.setattr(export, "export", note)
    assert CliRunner().invoke(main, ["export", tiny.NAME]).exit_code == 0
    assert len(seen) == 2 and [path is None for path in seen] == [home == "writable"] * 2
    assert not any(path and path.exists() for path in seen)
    assert not set(names) & os.environ.keys()
