"""Run folders for tests of the site, made from the committed notebooks without executing any."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from lib import figures, results
from lib.package import data_dir
from lib.tools.run import freshness, matrix, results_table
from lib.tools.site.build import build_site

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))
FIRST = next(iter(matrix.NOTEBOOKS))
FORBIDDEN = [
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//example.org",
    "https:alert(1)",
    'https://x"onclick="alert(1)',
]
"""Addresses that no page may follow; the last may be, but must not end its attribute."""
NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "<a href='java\tscript:alert(1)'>x</a>",
    '"><svg onload=alert(1)>',
    "<iframe src='https://example.org'></iframe>",
    "<style>*{background:url(https://example.org)}</style>",
    "![x](https://example.org/x.png)",
    "<table><tr><td><a href='javascript:alert(1)' onclick='alert(1)'>x</a></td></tr></table>",
    "{{ 7 * 7 }} {% raw %}",
    "<form action='https://example.org'><input name=q></form>",
    "<base href='https://example.org'>",
    "<math><mtext></mtext><script>alert(1)</script></math>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


def committed(name: str) -> dict[str, Any]:
    """A committed notebook with its outputs."""
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_bytes())


def put_run(out: Path, name: str, slug: str = "default", content: Any = None, **changes: Any) -> Path:
    """Write the folder of a run as `tradegoals run` leaves it; `changes` replace fields of its journal."""
    folder = out / "runs" / name / slug
    folder.mkdir(parents=True, exist_ok=True)
    content = committed(name) if content is None else content
    failed = changes.get("status") == "failed"
    kept = "notebook.failed.ipynb" if failed else "notebook.ipynb"
    (folder / kept).write_text(json.dumps(content), encoding="utf-8")
    result = None if failed else results_table.from_notebook(content)
    if result is not None:
        (folder / "result.json").write_text(results_table.to_json(result), encoding="utf-8")
    model = (matrix.NOTEBOOKS | matrix.ON_REQUEST).get(name)
    given = result.parameters if result else model().model_dump(mode="json") if model else {}
    read = {file: freshness.hash_file(data_dir() / file) for file in ("figures.csv", "goals.csv")}
    parts = {"notebook": "0" * 64, "lib": {"growth.py": "1" * 64}, "data": read, "parameters": given}
    record = {
        "notebook": name,
        "slug": slug,
        "parameters": given,
        "case": "",
        "key": "2" * 64,
        "status": "ok",
        "parts": parts | {"versions": {"pandas": "3.1.1"}, "python": "3.11.7 linux x86_64"},
        "started": "2026-11-24T12:00:00+00:00",
        "seconds": 1.5,
        "kernel": "warm",
        "error": "",
    }
    freshness.write_journal(folder, record | changes)
    return folder


def with_result(name: str, change: Any) -> dict[str, Any]:
    """A committed notebook whose record of results was passed through `change`."""
    content = copy.deepcopy(committed(name))
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            if results.MIME in output.get("data", {}):
                change(output["data"][results.MIME])
    return content


def with_cell(name: str, *outputs: dict[str, Any], text: str = "") -> dict[str, Any]:
    """A committed notebook with one more cell in front of its last: Markdown of `text`, then code with outputs."""
    content = copy.deepcopy(committed(name))
    code = {
        "cell_type": "code",
        "source": "pass",
        "metadata": {},
        "execution_count": 1,
        "outputs": list(outputs),
    }
    content["cells"][-1:-1] = [{"cell_type": "markdown", "source": text, "metadata": {}}, code]
    return content


def shown(mime: str, data: Any, **metadata: Any) -> dict[str, Any]:
    """What a cell displayed."""
    return {"output_type": "display_data", "data": {mime: data}, "metadata": metadata}


def put_all(folder: Path) -> None:
    """Runs of all committed notebooks, one more case, and one that failed."""
    for name in NAMES:
        put_run(folder, name)
    put_run(folder, FIRST, "another-case", **{"case": "another case"})
    error = "cell 4: ValueError: no figure for <2014>"
    put_run(folder, FIRST, "goal-9", failed_notebook(), status="failed", error=error)


def failed_notebook() -> dict[str, Any]:
    error = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "no figure for <2014>",
        "traceback": ["\x1b[31mline 1\x1b[0m"],
    }
    content = with_cell(FIRST, error)
    return {**content, "cells": content["cells"][:4] + content["cells"][-2:-1]}


def nasty_site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose parameters, answers, outputs, errors, notes and addresses all hold markup."""
    text = "\n\n".join(NASTY)

    def spoil(result: dict[str, Any]) -> None:
        result["answer"] = text
        result["title"] = NASTY[0] + NASTY[5]
        result["figure_ids"] = [*result["figure_ids"], NASTY[5], 'x" onclick="alert(1)']
        result["parameters"]["reporter"] = NASTY[2]

    second = NAMES[1]
    outputs = [shown(mime, text) for mime in ("text/html", "text/markdown", "text/plain")]
    outputs += [
        {"output_type": "stream", "name": "stdout", "text": text},
        {"output_type": "error", "ename": NASTY[0], "evalue": NASTY[5], "traceback": NASTY},
        shown("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        shown("image/png", "iVBORw0KGgo=", **{"image/png": {"alt": NASTY[5]}}),
        shown("application/javascript", "alert(1)"),
        *[
            shown("text/html", f"<table><tr><th>{one}</th></tr><tr><td>{one}</td></tr></table>")
            for one in NASTY
        ],
        shown(
            "text/html",
            "<table><tr><th>a</th></tr><tr><td><a href='javascript:alert(1)'>javascript:alert(1)</a></td></tr></table>",
        ),
    ]
    put_run(folder, FIRST)
    content = with_result(second, spoil)
    spoilt_cells = with_cell(second, *outputs, text=f"## {NASTY[0]}\n\n{text}")["cells"]
    content["cells"] = spoilt_cells[:-1] + content["cells"][-1:]
    content["cells"][0]["source"] = f"# {NASTY[0]}\n\n{text}"
    put_run(folder, second, content=content, case=NASTY[2], kernel=NASTY[0], started=NASTY[5])
    put_run(folder, second, "failed", status="failed", error=text, parameters={NASTY[0]: NASTY[5]})
    spoil_data(monkeypatch)
    build_site(folder)
    return folder / "site"


def spoil_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup in the texts of the data, and addresses that must not be followed."""
    texts = {
        "load_figures": ("publisher", "note"),
        "load_targets": ("note", "announcer"),
        "load_goals_table": ("announcer", "note"),
    }
    addresses = {"load_figures": "url", "load_targets": "source_target_url", "load_goals_table": "url"}
    for name, columns in texts.items():
        table = getattr(figures, name)()
        for column in columns:
            table[column] = [NASTY[place % len(NASTY)] for place in range(len(table))]
        place = table.columns.get_loc(addresses[name])
        table.iloc[: len(FORBIDDEN), place] = FORBIDDEN
        monkeypatch.setattr(figures, name, lambda table=table: table)
