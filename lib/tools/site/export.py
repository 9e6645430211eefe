"""What a paper needs of a run: its figures as SVG or PDF, its tables as CSV or LaTeX.

Figures are drawn again, by executing the run's notebook with its parameters in a kernel that shows every figure in
these formats, too; nothing is converted, so lines stay sharp at any size. An SVG carries the words that stand for
the figure as its title. The same run gives the same bytes: files are dated 1970, and identifiers inside them come
from a fixed salt (`lib.plots.style.use_style`).
"""

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from lib.errors import UserError, nearest
from lib.research.files import make_folder_below, write_atomically
from lib.tables import to_csv
from lib.tools.run import freshness, markup
from lib.tools.run.freshness import JOURNAL, NOTEBOOK, Run, run_from

FIGURES = {"svg": "image/svg+xml", "pdf": "application/pdf"}

TABLES = ("csv", "latex")

SECONDS = 600.0


def export(name: str, formats: Iterable[str], out: Path) -> list[Path]:
    """Write figures and tables of a run below ``out/export``; returns the files.

    Parameters
    ----------
    name : of the run, ``03_could_one_have_known/as_of-2026-11-24``; without a slash, its run at the defaults.
    formats : some of `FIGURES` and `TABLES`.
    out : output folder, in which the run has been executed.

    Raises
    ------
    UserError
        If there is no such run, or it fails when it is executed again.
    """
    run = find_run(name, out)
    wanted = set(formats)
    folder = out / "export" / run.notebook / run.slug
    files: dict[Path, str | bytes] = {}
    if wanted & set(FIGURES):
        for number, bundle in enumerate(_pictures(_execute_again(run)), 1):
            for kind in sorted(wanted & set(FIGURES)):
                files[folder / f"figure-{number}.{kind}"] = _content(bundle, kind)
    if wanted & set(TABLES):
        for number, frame in enumerate(tables(_read(run.folder(out) / NOTEBOOK)), 1):
            if "csv" in wanted:
                files[folder / f"table-{number}.csv"] = to_csv(frame)
            if "latex" in wanted:
                files[folder / f"table-{number}.tex"] = _to_latex(frame)
    if files:
        make_folder_below(out, folder)
    for path, content in files.items():
        write_atomically(path, content)
    return list(files)


def find_run(name: str, out: Path) -> Run:
    """The run of that name, from its journal."""
    runs = {
        path.parent.relative_to(out / "runs").as_posix() for path in (out / "runs").glob(f"*/*/{JOURNAL}")
    }
    full = name if "/" in name else f"{name}/default"
    if full not in runs:
        known = (
            f"{nearest(full, runs)} in {out / 'runs'}"
            if runs
            else f"a run in {out / 'runs'}; run: tradegoals run"
        )
        raise UserError(f'run: found "{name}", expected {known}')
    content = freshness.read_journal(out / "runs" / full) or {}
    if content.get("status") != "ok":
        raise UserError(f"run: found {full}, which failed; expected one that succeeded (tradegoals run)")
    if not freshness.are_intact(out / "runs" / full, content):
        raise UserError(f"run: found other files of {full} than its journal describes; run it again")
    return run_from({key: content[key] for key in ("notebook", "slug", "parameters")}, full)


def _read(path: Path) -> Any:
    from lib.tools.run.committed import read_notebook

    return read_notebook(path)


def _execute_again(run: Run) -> Any:
    """The run's notebook executed in a kernel that shows figures in all formats."""
    from lib.package import notebooks_dir
    from lib.tools.run.execute import run_notebook

    try:
        return run_notebook(
            notebooks_dir() / f"{run.notebook}.ipynb",
            run.parameters,
            seconds=SECONDS,
            arguments=(f"--InlineBackend.figure_formats={set(FIGURES) | {'png'}}",),
            environment={"SOURCE_DATE_EPOCH": "0"},  # Matplotlib dates its files by this variable
        )
    except Exception as fault:  # a cell, the kernel: whatever it was
        raise UserError(f"{run.name}: {str(fault).strip().splitlines()[-1]}") from None


def _pictures(notebook: Any) -> list[Any]:
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return [output for output in outputs if FIGURES["svg"] in output.get("data", {})]


def _content(output: Any, kind: str) -> str | bytes:
    content = output["data"][FIGURES[kind]]
    text = content if isinstance(content, str) else "".join(content)
    if kind == "pdf":
        return base64.b64decode(text)
    return _with_title(text, output["metadata"].get("image/png", {}).get("alt", ""))


def _with_title(svg: str, words: str) -> str:
    """An SVG with a title, which screen readers read and browsers show."""
    start = svg.index("<svg")
    end = svg.index(">", start)
    return f'{svg[:end]} role="img">\n <title>{escape(words, quote=False)}</title>{svg[end + 1 :]}'


def tables(notebook: Any) -> list[pd.DataFrame]:
    """Every table that a notebook shows, as it is shown: all cells are text."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            markup = output.get("data", {}).get("text/html", "")
            found += read_tables(markup if isinstance(markup, str) else "".join(markup))
    return found


def read_tables(html: str) -> list[pd.DataFrame]:
    """The tables in HTML as pandas writes it: a row of names, then rows of as many cells."""
    found = [part for part in markup.split(html) if not isinstance(part, str) and len(part) > 1]
    texts = [[[cell.text for cell in row] for row in rows] for rows in found]
    return [pd.DataFrame(rows[1:], columns=rows[0], dtype=str) for rows in texts]


LATEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": r"\ensuremath{-}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
}
"""What stands for each sign that LaTeX takes for a command, or that its old fonts lack."""


def _to_latex(frame: pd.DataFrame) -> str:
    """A table for LaTeX with the packages booktabs and hyperref; text is escaped, addresses become links."""
    columns = [escape_latex(name) for name in frame.columns]
    style = frame.set_axis(columns, axis="columns").style.hide(axis="index").format(_latex_cell)
    return str(style.to_latex(hrules=True, column_format="l" * frame.shape[1]))


def _latex_cell(value: str) -> str:
    return rf"\url{{{value}}}" if value.startswith(("http://", "https://")) else escape_latex(value)


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it, sign by sign."""
    return "".join(LATEX.get(sign, sign) for sign in text)
