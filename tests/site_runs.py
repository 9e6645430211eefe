"""Run folders for tests of the site, made from the committed notebooks without executing any."""

import copy
import json
from pathlib import Path
from typing import Any

from lib import params, results
from lib.execution import journal
from lib.site.context import hash_data

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))
FIRST = next(iter(params.NOTEBOOKS))


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
    result = None if failed else results.from_notebook(content)
    if result is not None:
        (folder / "result.json").write_text(results.to_json(result), encoding="utf-8")
    model = (params.NOTEBOOKS | params.ON_REQUEST).get(name)
    given = result.parameters if result else model().model_dump(mode="json") if model else {}
    read = {file: digest for file, digest in hash_data().items() if file in ("figures.csv", "goals.csv")}
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
    journal.write(folder, record | changes)
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
