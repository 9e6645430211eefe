"""An author's day: a new notebook works with every command at once, and a mistake leaves nothing behind."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import nbformat
import pytest
import tiny
import yaml
from click.testing import CliRunner, Result
from packaging.specifiers import SpecifierSet
from sampling import exhaustive, some
from sentences import check_page
from test_sentences import FLOWS, GOALS, said_by

from lib import cases, outlook, package
from lib.analysis import answers
from lib.analysis.cases import ScoreCase
from lib.errors import UserError
from lib.tools.cli import main
from lib.tools.commands import author
from lib.tools.run import freshness, kernels, matrix
from lib.words import number

ROOT = Path(__file__).resolve().parents[2]
NAME = "20_did_exports_keep_up"
pytestmark = pytest.mark.usefixtures("warm_only")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of notebooks and library, to which a notebook may be added."""
    shutil.copytree(freshness.LIB, tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(package.notebooks_dir(), tmp_path / "notebooks")
    monkeypatch.setattr(freshness, "LIB", tmp_path / "lib")
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(tmp_path / "notebooks"))
    yield tmp_path
    matrix.ON_REQUEST.pop(NAME, None)


@exhaustive
@pytest.mark.parametrize("case", some(["GoalCase", "FlowCase"], 2))
def test_a_new_notebook_works_with_every_command_at_once(
    own: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = invoke("new", NAME, "--case", case)
    assert made.exit_code == 0, made.output
    path = own / "notebooks" / f"{NAME}.ipynb"
    assert f"made {path}" in made.output and f"tradegoals run --notebook {NAME}" in made.output

    notebook = nbformat.read(path, as_version=4)
    assert notebook["cells"][0]["source"].startswith("# Did exports keep up?\n")
    assert freshness.why_stale(notebook) == ""
    assert author._parameter_faults(notebook, getattr(cases, case)) == []
    assert [line for line in author._notebook_faults() if line.startswith(NAME)] == []
    registry = (own / "lib" / "tools" / "run" / "notebooks.csv").read_text()
    assert registry.endswith(f"\n{NAME},{case},on request\n")
    assert NAME in json.loads((own / "notebooks" / "runs.schema.json").read_text())["$defs"]["notebooks"][
        "items"
    ].get("enum", [])

    assert f"{NAME}: fresh" in invoke("stamp", "--check", NAME).output
    ran = invoke("run", "--notebook", NAME, "-p", "reporter=China", "--out", str(own / "out"))
    assert ran.exit_code == 0, ran.output
    result = json.loads((own / "out" / "runs" / NAME / "reporter-china" / "result.json").read_text())
    assert (result["notebook"], result["parameters"]["reporter"]) == (NAME, "China")
    for odd in some((FLOWS if case == "FlowCase" else GOALS)[-3:], 3):
        said = said_by(json.loads(path.read_bytes()), {"as_of": "2026-11-24"} | odd, monkeypatch)
        assert check_page(said) == []


def test_a_new_notebook_passes_lint_format_and_nbval(own: Path, warm_kernel: str) -> None:
    author.new.callback(NAME, "FlowCase")
    path = own / "notebooks" / f"{NAME}.ipynb"
    lint = [["ruff", "check"], ["ruff", "format", "--check"]]
    settings = ["--config", str(ROOT / "pyproject.toml")]
    nbval = ["pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    nbval += ["-p", "nbval.plugin", f"--nbval-kernel-name={warm_kernel}"]  # else conftest.py names it
    for command in [*[[*words, *settings] for words in lint], nbval]:
        done = subprocess.run(
            [sys.executable, "-m", *command, str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["", "x", "20", "20_", "20_Did", "20 did", "../20_did", "20_did/x", "2_did"])
def test_a_name_of_another_form_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(UserError, match=r"^name: found .*, expected two digits .* such as 20_did_exports"):
        author._check_name(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("03_could_one_have_known", "found number 03, which 03_could_one_have_known has"),
        ("03_did_exports_keep_up", "found number 03, which 03_could_one_have_known has"),
    ],
)
def test_a_name_that_is_taken_is_refused(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        author._check_name(name)


def test_an_unknown_case_is_refused_with_the_nearest() -> None:
    done = invoke("new", NAME, "--case", "GoalCas")
    assert (done.exit_code, 'case: found "GoalCas", expected "GoalCase"' in done.output) == (2, True)
    assert invoke("new", NAME, "--case", "ScoreCase").exit_code == 2  # has no flow, which the template shows


def test_a_notebook_that_fails_leaves_nothing(own: Path) -> None:
    template = own / "notebooks" / "template.ipynb"
    notebook = nbformat.read(template, as_version=4)
    notebook["cells"][4]["source"] = "1 / 0"
    nbformat.write(notebook, template)
    before = (own / "lib" / "tools" / "run" / "notebooks.csv").read_bytes()
    with pytest.raises(UserError, match="ZeroDivisionError"):
        author.new.callback(NAME, "FlowCase")
    assert not (own / "notebooks" / f"{NAME}.ipynb").exists()
    assert (own / "lib" / "tools" / "run" / "notebooks.csv").read_bytes() == before
    assert NAME not in matrix.ON_REQUEST


@pytest.mark.parametrize("model", [*author._flow_cases().values(), ScoreCase])
def test_a_parameters_cell_holds_every_name_and_default(model: type[cases.Case]) -> None:
    template = author._read_notebook(package.notebooks_dir() / f"{author.TEMPLATE}.ipynb")
    cells, values = author._filled_in(template, NAME, model)["cells"], dict[str, object]()
    (cell,) = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    exec(cell["source"], {}, values)
    assert values == model().model_dump(mode="json")


# --- freshness ---


def test_stamp_executes_only_what_is_stale_and_says_why(own: Path) -> None:
    path = own / "notebooks" / "template.ipynb"
    assert invoke("stamp", "template").output == "1 fresh, nothing to do\n"
    notebook = nbformat.read(path, as_version=4)
    notebook["cells"][4]["source"] += "\na_word = 1"
    nbformat.write(notebook, path)
    told = invoke("stamp", "--check", "template", "start")
    assert (told.exit_code, told.output) == (1, "template: stale, cells changed: 5\nstart: fresh\n")
    assert invoke("stamp", "template", "notebooks/start.ipynb").output == (
        "stamped template (cells changed: 5)\n"
    )
    assert invoke("stamp", "--check", "template").exit_code == 0


# --- the warm kernel by name ---


def test_the_warm_kernel_is_installed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels.sys, "platform", "linux")
    monkeypatch.setattr(kernels.sys, "prefix", str(tmp_path))
    done = invoke("kernel", "install")
    assert done.exit_code == 0, done.output
    spec_file = tmp_path / "share" / "jupyter" / "kernels" / kernels.INSTALLED / "kernel.json"
    assert str(spec_file.parent) in done.output and f"papermill -k {kernels.INSTALLED}" in done.output
    assert json.loads(spec_file.read_text())["argv"][-1] == "{connection_file}"
    assert f"jupyter kernelspec remove {kernels.INSTALLED}" in done.output


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_are_told_that_there_is_no_warm_kernel(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels.sys, "platform", platform)
    done = invoke("kernel", "install")
    assert done.exit_code == 2
    assert f"warm kernels: found the platform {platform}, expected linux" in done.output


# --- what a newcomer meets first ---


def test_the_picture_of_the_readme_is_that_of_the_notebook_light_and_described(tmp_path: Path) -> None:
    """Renewed by `tradegoals stamp`."""
    picture = (ROOT / author.PICTURE).read_bytes()
    for name in (f"notebooks/{author.PICTURE_OF}.ipynb", author.PICTURE):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / author.PICTURE).write_bytes(b"old")
    author._renew_picture(tmp_path / "notebooks" / f"{author.PICTURE_OF}.ipynb")
    assert picture == (tmp_path / author.PICTURE).read_bytes() and len(picture) < 100_000
    (alt,) = re.findall(
        rf"!\[([^]]+)\]\({author.PICTURE}\)", (ROOT / "README.md").read_text(encoding="utf-8")
    )
    fan = outlook.of(cases.GoalCase(reporter="Harbin", partner="Russia", as_of=date(2014, 4, 15))).fan
    assert fan is not None
    middle, low, high = (number(round(fan.loc[2015, level])) for level in (0.5, 0.1, 0.9))
    assert f"the forecast's middle is US${middle} million" in alt
    assert f"between US${low} and {high} million" in alt


def test_stamping_renews_the_picture_only_where_there_is_one(tmp_path: Path) -> None:
    notebook = tiny.write(tmp_path / "notebooks", "1", name=author.PICTURE_OF)
    cell = nbformat.v4.new_output("display_data", {"image/png": "AAEC"})
    content = nbformat.read(notebook, as_version=4)
    content["cells"][1]["outputs"] = [cell]
    nbformat.write(content, notebook)
    author._renew_picture(notebook)
    assert not (tmp_path / ".github").exists()
    (tmp_path / ".github").mkdir()
    (tmp_path / author.PICTURE).write_bytes(b"old")
    author._renew_picture(notebook)
    assert (tmp_path / author.PICTURE).read_bytes() == b"\x00\x01\x02"


def test_the_start_page_links_every_notebook_by_its_question() -> None:
    listed = answers.contents()
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"]({path.name}) |" in listed
    assert "| [Did the goal hold?](00_did_the_goal_hold.ipynb) |" in listed


def test_a_notebook_without_a_question_for_a_title_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(tmp_path, "1", name="00_x")
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(tmp_path))
    with pytest.raises(UserError, match=r"^00_x\.ipynb: cell 1: found 'reporter = .*, expected the question"):
        answers.contents()


def test_jupyterlab_opens_on_the_start_notebook(tmp_path: Path) -> None:
    """By its plain command, from the top of the checkout; elsewhere as ever."""
    code = "from traitlets.config import Config\n{load}\nprint(dict(c.LabApp))"
    settings = ROOT / ".jupyter" / "jupyter_lab_config.py"
    load = f"c = Config(); exec(open({str(settings)!r}).read(), {{'get_config': lambda: c}})"
    for folder, expected in (
        (ROOT, "{'default_url': '/lab/tree/notebooks/start.ipynb'}\n"),
        (tmp_path, "{}\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(load=load)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == expected
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    files = [f".jupyter/{path.name}" for path in (ROOT / ".jupyter").iterdir()]
    assert shared == {name: name.replace(".jupyter", "etc/jupyter") for name in files}


def test_hooks_are_local_and_ask_no_network() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    entries = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    assert all(entry.startswith("uv run --offline ") for entry in entries)
    for command in ("ruff check", "ruff format", "tradegoals check"):
        assert sum(command in entry for entry in entries) == 1


def test_binder_and_devcontainer_have_a_python_that_is_supported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    supported = SpecifierSet(project["requires-python"])
    binder = (ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())["image"]
    for version in (binder, re.findall(r"python:([0-9.]+)-", container)[0]):
        assert version in supported
    script = ROOT / ".binder" / "postBuild"
    assert script.read_text().startswith("#!") and (os.name != "posix" or os.access(script, os.X_OK))
