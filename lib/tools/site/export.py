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
from lib.tools.run.execute import run_notebook
from lib.tools.run.matrix import notebook_name
from lib.tools.run.page import Grid, Links, read_page
from lib.tools.site.context import DEFAULT, FoundRun, run_folders

FIGURES = {"svg": "image/svg+xml", "pdf": "application/pdf"}


def export(name: str, formats: Collection[str], out: Path) -> list[Path]:
    """Write figures and tables of a run, in some of `FIGURES` and `TABLES`, below ``out/export``; returns the files."""
    run = _find_run(name, out)
    folder = out / "export" / run.notebook / run.slug
    files: dict[Path, Any] = {}
    if drawn := sorted(FIGURES.keys() & formats):
        for number, output in enumerate(_drawn_again(run), 1):
            files |= {folder / f"figure-{number}.{kind}": _content(output, kind) for kind in drawn}
    blocks = read_page(run.content, Links(), whole=True).blocks
    for number, block in enumerate((one for one in blocks if one["kind"] == "table"), 1):
        written = (TABLES[kind] for kind in TABLES if kind in formats)
        files |= {folder / f"table-{number}.{ending}": write(block["grid"]) for ending, write in written}
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


def _drawn_again(run: FoundRun) -> list[Any]:
    """The figures of the run's notebook, executed in a kernel that shows them in all formats."""
    how: Any = {"arguments": (f"--InlineBackend.figure_formats={set(FIGURES) | {'png'}}",), "seconds": 600.0}
    how["environment"] = {"SOURCE_DATE_EPOCH": "0"}  # by which Matplotlib dates its files
    try:
        notebook = run_notebook(notebooks_dir() / f"{run.notebook}.ipynb", run.parameters, **how)
    except Exception as fault:  # a cell, the kernel: whatever it was
        raise UserError(f"{run.name}: {str(fault).strip().splitlines()[-1]}") from None
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", []))
    return [output for output in outputs if FIGURES["svg"] in output.get("data", {})]


def _content(output: Any, kind: str) -> str | bytes:
    """A picture as a file; an SVG with a title, which screen readers read and browsers show."""
    text = "".join(output["data"][FIGURES[kind]])
    if kind == "pdf":
        return base64.b64decode(text)
    words = escape(output["metadata"].get("image/png", {}).get("alt", ""), quote=False)
    end = text.index(">", text.index("<svg"))
    return f'{text[:end]} role="img">\n <title>{words}</title>{text[end + 1 :]}'


def _to_latex(grid: Grid) -> str:
    """A table for LaTeX with the packages booktabs and hyperref; text is escaped, addresses become links."""
    frame = pd.DataFrame([[cell.text for cell in row] for row in grid.rows], columns=grid.header, dtype=str)
    is_web = frame.apply(lambda column: column.str.match(r"https?://"))
    shown = frame.style.hide(axis="index").format_index(escape="latex", axis=1).format(escape="latex")
    for name in frame:
        shown = shown.format(r"\url{{{}}}".format, subset=(is_web[name], name))
    latex = str(shown.to_latex(hrules=True, column_format="l" * frame.shape[1]))
    return latex.translate(
        {ord(sign): rf"\ensuremath{{{plain}}}" for sign, plain in zip("−<>", "-<>", strict=True)}
    )


TABLES: dict[str, Any] = {"csv": ("csv", Grid.to_csv), "latex": ("tex", _to_latex)}
"""How the files of a table end, and what writes them."""
