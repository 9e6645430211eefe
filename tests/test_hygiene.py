"""What must not get into the repository: machine paths, hosts of registries, leftovers, untidy notebooks."""

import json
import re
import subprocess
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 2_000_000
MAX_CELL_LINES = 15
MAX_SANITISE_RULES = 5
LOCK_FILES = {
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "pdm.lock",
    "pixi.lock",
    "conda-lock.yml",
    "package-lock.json",
}

Problems = list[str]


@cache
def tracked_files() -> list[Path]:
    """The files that git tracks and that are there."""
    try:
        output = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in output.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


@cache
def read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


# Rules for the text of any file.


def machine_paths(text: str, checkout: Path = ROOT) -> Problems:
    """Home and temporary folders, installed packages, and where this checkout happens to be."""
    # Not after a letter or a dot: "site.cn/home/1" and "../shared" are no machine paths.
    patterns = [
        r"(?<![\w.:/%-])/(?:home|Users|root|tmp)/\w[^\s\"']*",
        r"(?i:\b[a-z]:\\+users\\)",
        r"site-packages[/\\]",
    ]
    if checkout.parent != Path(checkout.anchor):
        patterns.append(rf"(?<![\w.]){re.escape(checkout.parent.as_posix())}/")
    return [match for pattern in patterns for match in re.findall(pattern, text)]


def registry_hosts(text: str) -> Problems:
    hosts = (
        r"pypi\.org|pythonhosted\.org|anaconda\.(?:org|com)|npmjs\.(?:org|com)|crates\.io|proxy\.golang\.org"
    )
    return re.findall(hosts, text)


def merge_markers(text: str) -> Problems:
    return re.findall(r"^(?:<{7}|>{7}|\|{7})(?: .*)?$", text, flags=re.MULTILINE)


TEXT_RULES: list[Callable[[str], Problems]] = [machine_paths, registry_hosts, merge_markers]


@pytest.mark.parametrize("rule", TEXT_RULES)
def test_tracked_text_is_clean(rule: Callable[[str], Problems]) -> None:
    texts = {path.relative_to(ROOT).as_posix(): read_text(path) for path in tracked_files()}
    found = {name: problems for name, text in texts.items() if text and (problems := rule(text))}
    assert found == {}


def test_no_lock_file_is_tracked() -> None:
    assert [
        path.name for path in tracked_files() if path.name in LOCK_FILES or path.match("pylock*.toml")
    ] == []


def test_no_tracked_file_is_large() -> None:
    assert [path.name for path in tracked_files() if path.stat().st_size > MAX_BYTES] == []


# Rules for a notebook, read as plain JSON.


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: dict) -> list[dict]:
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def invalid_format(notebook: dict) -> Problems:
    """What nbformat refuses or warns about, such as cells without an id."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            nbformat.validate(notebook)
        except (nbformat.ValidationError, Warning) as error:
            return [str(error).splitlines()[0]]
    return []


def times_of_a_run(notebook: dict) -> Problems:
    """Start, end, duration: new in every run. Papermill also keeps the parameters of an earlier run."""
    holders = [notebook, *notebook["cells"]]
    return sorted({key for h in holders for key in ("execution", "papermill") if key in h["metadata"]})


def counts_out_of_order(notebook: dict) -> Problems:
    """Code cells must have run once each from top to bottom, or not at all and without outputs."""
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    untouched = not any(counts) and not outputs(notebook)
    return [] if untouched or counts == list(range(1, len(counts) + 1)) else [f"execution counts {counts}"]


def error_outputs(notebook: dict) -> Problems:
    return [output["ename"] for output in outputs(notebook) if output["output_type"] == "error"]


def standard_error(notebook: dict) -> Problems:
    return [joined(output["text"]) for output in outputs(notebook) if output.get("name") == "stderr"]


def long_cells(notebook: dict) -> Problems:
    sources = [joined(cell["source"]) for cell in code_cells(notebook)]
    return [source.splitlines()[0] for source in sources if len(source.splitlines()) > MAX_CELL_LINES]


def parameter_cells(notebook: dict) -> Problems:
    number = sum("parameters" in tags(cell) for cell in code_cells(notebook))
    return [] if number == 1 else [f"{number} code cells tagged parameters"]


def injected_parameters(notebook: dict) -> Problems:
    return [joined(cell["source"]) for cell in notebook["cells"] if "injected-parameters" in tags(cell)]


def changed_paths(notebook: dict) -> Problems:
    """`lib` is installed and finds its data by itself; a notebook changes neither folder nor import path."""
    text = "\n".join(joined(cell["source"]) for cell in code_cells(notebook))
    return re.findall(r"%cd\b|\bsys\.path\b|\bos\.chdir\b", text)


NOTEBOOK_RULES: list[Callable[[dict], Problems]] = [
    invalid_format,
    times_of_a_run,
    counts_out_of_order,
    error_outputs,
    standard_error,
    long_cells,
    parameter_cells,
    injected_parameters,
    changed_paths,
]


@pytest.mark.parametrize("rule", NOTEBOOK_RULES)
def test_notebooks_are_clean(rule: Callable[[dict], Problems]) -> None:
    paths = [
        path for path in tracked_files() if path.parent == ROOT / "notebooks" and path.suffix == ".ipynb"
    ]
    found = {path.name: rule(json.loads(path.read_text(encoding="utf-8"))) for path in paths}
    assert {name: problems for name, problems in found.items() if problems} == {}


def sanitise_rules(text: str) -> tuple[int, int]:
    """Number of rules, and of those whose difference stands in the two lines before."""
    rule = r"^regex: .+\nreplace: .+$"
    shown = r"^-.*\n\+.*\n" + rule[1:]
    return len(re.findall(rule, text, flags=re.MULTILINE)), len(re.findall(shown, text, flags=re.MULTILINE))


def test_sanitise_file_is_short_and_shows_its_reasons() -> None:
    rules, shown = sanitise_rules((ROOT / "nbval_sanitize.cfg").read_text(encoding="utf-8"))
    assert 1 <= rules <= MAX_SANITISE_RULES
    assert shown == rules


# The rules themselves: each finds what it is there for, and lets clean text and notebooks pass.

CLEAN_TEXT = (
    "See ../shared/data and https://stats.gov.cn/home/2014/tmp/x.html, 7 < 8.\n=======\nlib/root/a.py\n"
)


@pytest.mark.parametrize("rule", TEXT_RULES)
def test_clean_text_passes(rule: Callable[[str], Problems]) -> None:
    assert rule(CLEAN_TEXT) == []


# Put together here, so that this file obeys the rules that it tests.
BAD_TEXTS: list[tuple[Callable[[str], Problems], str]] = [
    (machine_paths, "read(" + "'/home" + "/ann/figures.csv')"),
    (machine_paths, "File /Users" + "/ann/x.py"),
    (machine_paths, "cd /root" + "/project"),
    (machine_paths, "C:" + "\\Users" + "\\ann"),
    (machine_paths, "C:" + "\\\\Users" + "\\\\ann"),
    (machine_paths, "saved in /tmp" + "/ipykernel_12/3.py"),
    (machine_paths, "lib/python3.11/site-" + "packages/pandas/core.py"),
    (registry_hosts, "index = https://pypi" + ".org/simple"),
    (registry_hosts, "https://files.python" + "hosted.org/packages/x.whl"),
    (registry_hosts, "https://conda.anaconda" + ".org/conda-forge"),
    (merge_markers, "a\n" + "<" * 7 + " HEAD\nb\n"),
    (merge_markers, "a\n" + ">" * 7 + " other\nb\n"),
]


@pytest.mark.parametrize(("rule", "text"), BAD_TEXTS)
def test_bad_text_is_found(rule: Callable[[str], Problems], text: str) -> None:
    assert rule(text) != []


def test_place_of_the_checkout_is_found() -> None:
    assert machine_paths("see /srv/ann" + "/other/file", checkout=Path("/srv/ann/trade")) == ["/srv/ann/"]
    assert machine_paths("see ../srv/ann" + "/other", checkout=Path("/srv/ann/trade")) == []
    assert machine_paths("see /data/figures", checkout=Path("/trade")) == []


def code_cell(source: str, count: int | None, /, **changes: object) -> dict:
    cell = {
        "cell_type": "code",
        "id": f"cell-{count}",
        "metadata": {},
        "outputs": [],
        "execution_count": count,
    }
    return cell | {"source": source} | changes


def small_notebook(*extra: dict, metadata: dict | None = None) -> dict:
    cells = [code_cell("rate = 0.25", 1, metadata={"tags": ["parameters"]}), *extra]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata or {}, "cells": cells}


STDERR = {"output_type": "stream", "name": "stderr", "text": ["UserWarning: x\n"]}
STDOUT = {"output_type": "stream", "name": "stdout", "text": ["1\n"]}
ERROR = {"output_type": "error", "ename": "KeyError", "evalue": "x", "traceback": []}

CLEAN_NOTEBOOKS = [
    small_notebook(code_cell("print(1)", 2, outputs=[STDOUT])),
    small_notebook(code_cell("\n".join(["x = 1"] * 15), 2)),
    {**small_notebook(), "cells": [code_cell("rate = 0.25", None, metadata={"tags": ["parameters"]})]},
]


@pytest.mark.parametrize("rule", NOTEBOOK_RULES)
@pytest.mark.parametrize("notebook", CLEAN_NOTEBOOKS, ids=["outputs", "15 lines", "never run"])
def test_clean_notebook_passes(rule: Callable[[dict], Problems], notebook: dict) -> None:
    assert rule(notebook) == []


BAD_NOTEBOOKS: list[tuple[Callable[[dict], Problems], dict]] = [
    (invalid_format, small_notebook(code_cell("x", 2, source=3))),
    (invalid_format, small_notebook({k: v for k, v in code_cell("x", 2).items() if k != "id"})),
    (invalid_format, small_notebook(code_cell("x", 2, id="cell-1"))),
    (times_of_a_run, small_notebook(code_cell("x", 2, metadata={"execution": {"iopub.status.busy": "…"}}))),
    (times_of_a_run, small_notebook(code_cell("x", 2, metadata={"papermill": {"duration": 0.1}}))),
    (times_of_a_run, small_notebook(metadata={"papermill": {"parameters": {}}})),
    (counts_out_of_order, small_notebook(code_cell("x", 3))),
    (counts_out_of_order, small_notebook(code_cell("x", None))),
    (counts_out_of_order, small_notebook(code_cell("x", 1))),
    (error_outputs, small_notebook(code_cell("x", 2, outputs=[ERROR]))),
    (standard_error, small_notebook(code_cell("x", 2, outputs=[STDOUT, STDERR]))),
    (long_cells, small_notebook(code_cell("\n".join(["x = 1"] * 16), 2))),
    (long_cells, small_notebook(code_cell("x", 2, source=["x = 1\n"] * 16))),
    (parameter_cells, {**small_notebook(), "cells": [code_cell("x", 1)]}),
    (parameter_cells, small_notebook(code_cell("x", 2, metadata={"tags": ["parameters"]}))),
    (injected_parameters, small_notebook(code_cell("x", 2, metadata={"tags": ["injected-parameters"]}))),
    (changed_paths, small_notebook(code_cell("%cd ..", 2))),
    (changed_paths, small_notebook(code_cell("import sys\nsys.path.append('..')", 2))),
    (changed_paths, small_notebook(code_cell("import os; os.chdir('..')", 2))),
]


@pytest.mark.parametrize(("rule", "notebook"), BAD_NOTEBOOKS)
def test_bad_notebook_is_found(rule: Callable[[dict], Problems], notebook: dict) -> None:
    assert len(rule(notebook)) == 1


@pytest.mark.parametrize("rule", [*TEXT_RULES, *NOTEBOOK_RULES])
def test_every_rule_has_a_bad_sample(rule: Callable[..., Problems]) -> None:
    assert rule in {sample_rule for sample_rule, _ in [*BAD_TEXTS, *BAD_NOTEBOOKS]}


def test_sanitise_rule_without_reason_is_found() -> None:
    assert sanitise_rules("-a 1\n+a 2\nregex: 1\nreplace: N\n\nregex: 2\nreplace: M\n") == (2, 1)


def test_what_is_committed_passes_the_projects_own_check(
    committed_matrix: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data valid and checksummed, runs.yml valid, parameters cells as modelled, no notebook stale."""
    from lib.tools.commands import author
    from lib.tools.run import matrix

    monkeypatch.setattr(matrix, "expand", lambda: committed_matrix)  # which was checked when it was made
    assert author._all_faults() == []


def test_lines_of_scripts_are_no_longer_than_those_of_python() -> None:
    scripts = [path for path in tracked_files() if path.suffix == ".js"]
    long = [
        (path.name, line)
        for path in scripts
        for line in path.read_text("utf-8").splitlines()
        if len(line) > 110
    ]
    assert scripts and not long
