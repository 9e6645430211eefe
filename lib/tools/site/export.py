"""What a paper needs of a run: its figures as SVG or PDF, its tables as CSV or LaTeX.

Figures are drawn again, by executing the run's notebook with its parameters in a kernel that shows every figure in
these formats too, so lines stay sharp at any size. The same run gives the same bytes: files are dated 1970, and
identifiers inside them come from a fixed salt (`lib.plots.style.use_style`).
"""

import base64
from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from lib.errors import UserError, nearest
from lib.package import notebooks_dir
from lib.research.files import make_folder_below, write_atomically
from lib.tables import to_csv
from lib.tools.run.execute import run_notebook
from lib.tools.run.matrix import notebook_name
from lib.tools.run.page import split
from lib.tools.site.context import DEFAULT, FoundRun, run_folders

FIGURES = {"svg": "image/svg+xml", "pdf": "application/pdf"}


def export(name: str, formats: Collection[str], out: Path) -> list[Path]:
    """Write figures and tables of a run, in some of `FIGURES` and `TABLES`, below ``out/export``; returns the files."""
    run = _find_run(name, out)
    folder = out / "export" / run.notebook / run.slug
    files: dict[Path, Any] = {}
    if drawn := sorted(FIGURES.keys() & formats):
        for number, output in enumerate(_shown(_execute_again(run), FIGURES["svg"]), 1):
            files |= {folder / f"figure-{number}.{kind}": _content(output, kind) for kind in drawn}
    html = "".join("".join(one["data"]["text/html"]) for one in _shown(run.content, "text/html"))
    for number, frame in enumerate(_read_tables(html), 1):
        written = (TABLES[kind] for kind in TABLES if kind in formats)
        files |= {folder / f"table-{number}.{ending}": write(frame) for ending, write in written}
    if files:
        make_folder_below(out, folder)
    for path, content in files.items():
        write_atomically(path, content)
    return list(files)


def _find_run(name: str, out: Path) -> FoundRun:
    """The run of that name, "03/default", "03" or a path; refused where it failed, or other files lie there than it left."""
    folders = {"/".join(folder.parts[-2:]): folder for folder in run_folders(out)}
    first, slug, *_ = (*f"/{Path(name).as_posix()}".rpartition("/runs/")[2].strip("/").split("/"), DEFAULT)
    full = f"{notebook_name(first, {folder.parent.name for folder in folders.values()})}/{slug}"
    if full not in folders:
        raise UserError(f'run: found "{name}", expected {nearest(full, folders)} in {out / "runs"}')
    run = FoundRun(folders[full])
    if run.fault:
        raise UserError(f"run: found {full}, which failed; expected one that succeeded. {run.fault}")
    return run


def _shown(notebook: Any, kind: str) -> list[Any]:
    """Outputs with data of a kind, which notebooks keep as one string or as a list of lines."""
    outputs = [one for cell in notebook["cells"] for one in cell.get("outputs", [])]
    return [one for one in outputs if kind in one.get("data", {})]


def _execute_again(run: FoundRun) -> Any:
    """The run's notebook executed in a kernel that shows figures in all formats."""
    how: Any = {"arguments": (f"--InlineBackend.figure_formats={set(FIGURES) | {'png'}}",), "seconds": 600.0}
    how["environment"] = {"SOURCE_DATE_EPOCH": "0"}  # by which Matplotlib dates its files
    try:
        return run_notebook(notebooks_dir() / f"{run.notebook}.ipynb", run.parameters, **how)
    except Exception as fault:  # a cell, the kernel: whatever it was
        raise UserError(f"{run.name}: {str(fault).strip().splitlines()[-1]}") from None


def _content(output: Any, kind: str) -> str | bytes:
    """A picture as a file; an SVG with a title, which screen readers read and browsers show."""
    text = "".join(output["data"][FIGURES[kind]])
    if kind == "pdf":
        return base64.b64decode(text)
    words = escape(output["metadata"].get("image/png", {}).get("alt", ""), quote=False)
    end = text.index(">", text.index("<svg"))
    return f'{text[:end]} role="img">\n <title>{words}</title>{text[end + 1 :]}'


def _read_tables(html: str) -> list[pd.DataFrame]:
    """The tables in HTML as pandas writes it, a row of names, then rows of as many cells; all cells are text."""
    found = (
        [[cell.text for cell in row] for row in part] for part in split(html) if not isinstance(part, str)
    )
    return [pd.DataFrame(rows, columns=names, dtype=str) for names, *rows in found if rows]


def _to_latex(frame: pd.DataFrame) -> str:
    """A table for LaTeX with the packages booktabs and hyperref; text is escaped, addresses become links."""
    is_web = frame.apply(lambda column: column.str.match(r"https?://"))
    shown = frame.style.hide(axis="index").format_index(escape="latex", axis=1).format(escape="latex")
    for name in frame:
        shown = shown.format(r"\url{{{}}}".format, subset=(is_web[name], name))
    latex = str(shown.to_latex(hrules=True, column_format="l" * frame.shape[1]))
    return latex.translate(
        {ord(sign): rf"\ensuremath{{{plain}}}" for sign, plain in zip("−<>", "-<>", strict=True)}
    )


TABLES: dict[str, Any] = {"csv": ("csv", to_csv), "latex": ("tex", _to_latex)}
"""How the files of a table end, and what writes them."""
