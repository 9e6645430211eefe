"""One run: what it writes, what it refuses, and what is left when it fails."""

import contextlib
import importlib
import json
import os
import uuid
from collections.abc import Callable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tiny
from click.testing import CliRunner
from drivers import Driver

from lib import cases, results
from lib.errors import UserError
from lib.tools.run import execute, freshness, kernels, matrix, page, results_table
from lib.tools.run.page import to_page

PUBLISHED = ["notebook.ipynb", "page.html", "result.json", "run.json"]
FAILED = ["notebook.failed.ipynb", "run.json"]
NASTY = [
    "<script>alert(1)</script>",
    '"; raise SystemExit(1) #',
    '\'"""\\',
    'x\nimport os\nos.environ["INJECTED"] = "1"',
    "{{ 7 * 7 }} {% raw %} ${HOME} {0}",
    "__import__('os').environ.update(INJECTED='1')",
    "\\N{BULLET} \\x41 \\",
    "哈尔滨 ‮ \u2028 \x00",
]


@pytest.fixture
def tiny_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands for notebooks/."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setenv("TRADEGOALS_NOTEBOOKS", str(folder))
    return folder


@pytest.fixture
def warm(warm_kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not told in which kernel to run takes one of the shared server."""
    monkeypatch.setattr(execute, "Settings", partial(execute.Settings, warm_kernel))


def a_run(**changes: Any) -> freshness.Run:
    values = cases.FlowCase().model_dump(mode="json") | changes
    return freshness.Run(tiny.NAME, "default", values)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Page(HTMLParser):
    """What a page has that could load or run something: tags, attributes and style texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.styles, self.words = "", ""
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles += data
        else:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def assert_harmless(page: Page) -> None:
    """Nothing is loaded from elsewhere and nothing can run."""
    running = {"script", "iframe", "object", "embed", "link", "base", "form", "frame", "applet"}
    assert running & {tag for tag, _ in page.tags} == set()
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert (attributes.get("src") or "data:").startswith("data:"), tag
        assert not (attributes.get("href") or "").lower().startswith(("javascript:", "data:", "vbscript:"))
        assert "url(" not in (attributes.get("style") or "")
    assert "@import" not in page.styles
    assert page.styles.count("url(") == page.styles.count("url(data:")
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv")]
    assert len(policy) == 1 and policy[0] is not None
    assert policy[0].startswith("default-src 'none';") and "script" not in policy[0]


# A run that succeeds.


@pytest.mark.usefixtures("warm")
def test_the_real_default_run_gives_notebook_page_and_result(tmp_path: Path) -> None:
    run = matrix.make_run("00_did_the_goal_hold", {})
    outcome = execute._run_one(run, tmp_path)
    assert outcome.error == ""
    folder = tmp_path / "runs" / "00_did_the_goal_hold" / "default"
    assert outcome.folder == folder
    assert names(folder) == PUBLISHED
    assert outcome.seconds > 0

    record = results_table.result_of(outcome)
    assert record is not None
    assert record.parameters == run.parameters
    assert [reading.reading for reading in record.readings] == ["average", "every_year", "mean_of_rates"]
    # The source said 230, up 50 %: what 25 % on average leaves for two years is (1.25³ / 1.5)^½ − 1 a year.
    assert record.readings[0].needed_rate == pytest.approx((1.25**3 / 1.5) ** 0.5 - 1, abs=1e-9)

    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)
    assert dict(notebook["metadata"]["papermill"]["parameters"]) == run.parameters

    page = Page((folder / "page.html").read_text(encoding="utf-8"))
    assert_harmless(page)
    assert record.title in page.words
    pictures = page.all("img")
    assert pictures and all(len(picture["alt"] or "") > 20 for picture in pictures)
    assert not [picture for picture in pictures if "No description" in (picture["alt"] or "")]
    addresses = [link["href"] or "" for link in page.all("a")]
    assert any(address.startswith("https://") for address in addresses)


@pytest.mark.usefixtures("warm")
def test_all_parameters_are_passed_and_no_other_text_runs(
    tiny_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = {"reporter": NASTY[0], "partner": NASTY[3], "flow": "|".join(NASTY), "as_of": "2014-04-15"}
    tiny.write(
        tiny_folder,
        "import os\nassert 'INJECTED' not in os.environ",
        "from IPython.display import Markdown\nMarkdown(f'**{reporter}** {flow} [a](javascript:alert(1))')",
        "from lib import show\nimport pandas as pd\nshow.table(pd.DataFrame({reporter: [flow, partner]}))",
        "print(reporter)",
        "import json\nprint(json.dumps([reporter, partner, flow, as_of]))",
        "__import__('os').environ.get('INJECTED')",
    )
    outcome = execute._run_one(a_run(**values), tmp_path / "out")
    assert outcome.error == ""
    assert names(outcome.folder) == ["notebook.ipynb", "page.html", "run.json"]
    notebook = nbformat.read(outcome.folder / "notebook.ipynb", as_version=4)
    assert dict(notebook["metadata"]["papermill"]["parameters"]) == values
    seen = next(cell for cell in notebook["cells"] if "json.dumps" in cell["source"])
    assert json.loads(seen["outputs"][0]["text"]) == list(values.values())
    assert_harmless(Page((outcome.folder / "page.html").read_text(encoding="utf-8")))
    # Neither the kernel nor papermill may write to the user's terminal.
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("warm")
def test_a_later_run_does_not_keep_the_parameters_or_result_of_an_earlier_one(
    tiny_folder: Path, tmp_path: Path
) -> None:
    tiny.write(tiny_folder, tiny.RECORD)
    first = execute._run_one(a_run(as_of="2014-04-15"), tmp_path)
    result = results_table.result_of(first)
    assert result is not None and result.parameters["as_of"] == "2014-04-15"
    tiny.write(tiny_folder, "reporter")
    second = execute._run_one(a_run(), tmp_path)
    assert (second.error, results_table.result_of(second)) == ("", None)
    assert names(second.folder) == ["notebook.ipynb", "page.html", "run.json"]
    metadata = nbformat.read(second.folder / "notebook.ipynb", as_version=4)["metadata"]
    assert metadata["papermill"]["parameters"]["as_of"] == "2026-11-24"


@pytest.mark.parametrize("text", NASTY)
def test_a_page_shows_markup_in_titles_and_texts_as_text(text: str) -> None:
    html = nbformat.v4.new_output("display_data", {"text/markdown": text, "text/plain": text})
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(f"# {text}"),
            nbformat.v4.new_code_cell(text, outputs=[html, nbformat.v4.new_output("stream", text=text)]),
        ]
    )
    page = Page(to_page(notebook, text))
    assert_harmless(page)
    if text == NASTY[0]:
        assert page.words.count(text) == 5  # title, heading, code and two outputs


EVENTS = [
    "<p onclick='alert(1)'>x</p>",
    '<a href="https://a.org/" onmouseover=alert(1)>x</a>',
    "<table><tr><th onload=alert(1)>a</th></tr><tr><td ONERROR='x'>1</td></tr></table>",
    "<img src=x onerror=alert(1)><svg onload=alert(1)><script>alert(1)</script>",
    "<a href='java\tscript:alert(1)'>x</a><iframe srcdoc='<script>'></iframe>",
]


@pytest.mark.parametrize("markup", EVENTS)
def test_a_page_carries_no_event_attribute_of_what_a_cell_shows(markup: str) -> None:
    kinds = ("text/html", "text/markdown", "image/svg+xml")
    outputs = [nbformat.v4.new_output("display_data", {kind: markup, "text/plain": "x"}) for kind in kinds]
    cells = [nbformat.v4.new_markdown_cell(markup), nbformat.v4.new_code_cell("1", outputs=outputs)]
    assert_harmless(Page(to_page(nbformat.v4.new_notebook(cells=cells), markup)))


@pytest.mark.skipif(os.name != "posix", reason="kernels talk through ports elsewhere")
def test_a_kernel_talks_through_private_sockets_that_are_gone_afterwards(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    tiny.write(
        tiny_folder,
        "import os, stat, json\nfrom ipykernel.connect import get_connection_info\n"
        "info = get_connection_info(unpack=True)\nfolder = os.path.dirname(info['ip'])\n"
        "mode = stat.S_IMODE(os.stat(folder).st_mode) & 0o777\n"
        "print(json.dumps([info['transport'], folder, mode, os.listdir('.')]))",
    )
    outcome = execute._run_one(a_run(), tmp_path / "out")
    notebook = nbformat.read(outcome.folder / "notebook.ipynb", as_version=4)
    transport, folder, mode, beside = json.loads(notebook["cells"][-1]["outputs"][0]["text"])
    assert (transport, mode, beside) == ("ipc", 0o700, [])
    assert Path(folder).is_absolute() and not Path(folder).exists()
    assert names(here) == []


# A run that fails.


def execute_bad(tiny_folder: Path, out: Path, *cells: str) -> freshness.Outcome:
    """Run notebooks of which the first is bad; the second must be executed all the same."""
    good = "00_did_the_goal_hold"
    tiny.write(tiny_folder, *cells)
    tiny.write(tiny_folder, "1", name=good)
    bad, other = (
        execute._run_one(run, out) for run in (a_run(), freshness.Run(good, "default", a_run().parameters))
    )
    assert other.error == "" and names(other.folder) == ["notebook.ipynb", "page.html", "run.json"]
    return bad


@pytest.mark.usefixtures("warm")
def test_a_failing_cell_is_kept_apart_and_named(tiny_folder: Path, tmp_path: Path) -> None:
    tiny.write(tiny_folder, tiny.RECORD)
    assert names(execute._run_one(a_run(), tmp_path).folder) == PUBLISHED
    bad = execute_bad(tiny_folder, tmp_path, "1 + 1", "raise ValueError('seven is wrong')", "2")
    assert bad.error == "cell 4: ValueError: seven is wrong"
    assert results_table.result_of(bad) is None
    # The earlier result is gone too: it would pass for that of this run.
    assert names(bad.folder) == FAILED
    assert "seven is wrong" in (bad.folder / "notebook.failed.ipynb").read_text(encoding="utf-8")

    tiny.write(tiny_folder, tiny.RECORD)
    assert names(execute._run_one(a_run(), tmp_path).folder) == PUBLISHED


@pytest.mark.usefixtures("warm")
def test_a_kernel_that_dies_is_a_failure_of_its_run_alone(tiny_folder: Path, tmp_path: Path) -> None:
    bad = execute_bad(tiny_folder, tmp_path, "1", "import os; os._exit(1)", "2")
    assert bad.error.startswith("cell 4: DeadKernelError: ")
    assert names(bad.folder) == FAILED


@pytest.mark.usefixtures("warm")
def test_a_cell_out_of_time_is_a_failure_of_its_run_alone(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.tools.run.engine.CELL_TIMEOUT_SECONDS", 2)
    bad = execute_bad(tiny_folder, tmp_path, "import time; time.sleep(900)", "2")
    assert bad.error.startswith("cell 3: CellTimeoutError: A cell timed out")
    assert "\n" not in bad.error
    assert names(bad.folder) == FAILED


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (
            lambda folder: (folder / f"{tiny.NAME}.ipynb").write_text("{"),
            "before the first cell: NotJSONError",
        ),
        (lambda folder: None, "before the first cell: FileNotFoundError"),
    ],
    ids=["damaged", "missing"],
)
def test_a_bad_notebook_file_is_a_failure(
    tiny_folder: Path, tmp_path: Path, prepare: Callable[[Path], Any], words: str
) -> None:
    prepare(tiny_folder)
    outcome = execute._run_one(a_run(), tmp_path)
    assert outcome.error.startswith(words)
    assert names(outcome.folder) == ["run.json"]


def test_a_missing_kernel_is_a_failure(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def find(self: object, name: str) -> None:
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", find)
    tiny.write(tiny_folder, "1")
    outcome = execute._run_one(a_run(), tmp_path)
    assert outcome.error == "before the first cell: NoSuchKernel: No such kernel named python3"
    assert "page.html" not in names(outcome.folder)


@pytest.mark.usefixtures("warm")
def test_a_damaged_record_is_a_failure(tiny_folder: Path, tmp_path: Path) -> None:
    show = f"from IPython.display import display\ndisplay({{{results.MIME!r}: {{'a': 1}}}}, raw=True)"
    tiny.write(tiny_folder, show)
    outcome = execute._run_one(a_run(), tmp_path)
    assert "found a damaged result" in outcome.error and "UserError" not in outcome.error
    assert names(outcome.folder) == FAILED


@pytest.mark.usefixtures("warm")
def test_a_folder_in_the_place_of_the_page_is_a_failure(tiny_folder: Path, tmp_path: Path) -> None:
    tiny.write(tiny_folder, "1")
    folder = a_run().folder(tmp_path)
    (folder / "page.html").mkdir(parents=True)
    outcome = execute._run_one(a_run(), tmp_path)
    assert "page.html: cannot be written" in outcome.error
    assert names(folder) == ["notebook.failed.ipynb", "page.html", "run.json"]


@pytest.mark.usefixtures("warm")
def test_an_interrupt_leaves_nothing_half_done(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "to_page", stop)
    tiny.write(tiny_folder, "1")
    with contextlib.suppress(KeyboardInterrupt):
        execute._run_one(a_run(), tmp_path)
        pytest.fail("the interrupt was swallowed")
    assert names(a_run().folder(tmp_path)) == []


def test_a_file_where_a_folder_is_needed_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        execute._run_one(a_run(), tmp_path)


# The engine.


@pytest.mark.usefixtures("warm")
@pytest.mark.skipif(os.name != "posix", reason="finds processes in /proc")
def test_papermills_command_executes_with_our_engine(
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warm_kernel: str,
    start_driver: Callable[..., Driver],
) -> None:
    mark, said = uuid.uuid4().hex, tmp_path / "said"
    cells = ["import os\nimport pandas as pd\npd.Series([1.5], name=reporter)", "print(as_of)", tiny.RECORD]
    source = tiny.write(tiny_folder, *cells)
    run = a_run(reporter="China", as_of="2014-04-15")
    options = [text for name, value in run.parameters.items() for text in ("-r", name, value)]
    asked = ["--engine", "tradegoals", str(source)]
    program, where = "from papermill.cli import papermill; papermill()", str(tmp_path / "by-command.ipynb")
    driver = start_driver(program, *asked, where, *options, said=said, TRADEGOALS_TEST_MARK=mark)
    assert driver.wait() == 0, said.read_text()
    theirs = nbformat.read(tmp_path / "by-command.ipynb", as_version=4)
    outcome = execute._run_one(run, tmp_path / "out")
    ours = nbformat.read(outcome.folder / "notebook.ipynb", as_version=4)
    assert [(cell.source, cell.get("outputs")) for cell in theirs.cells] == [
        (cell.source, cell.get("outputs")) for cell in ours.cells
    ]
    assert theirs.metadata.papermill.parameters == ours.metadata.papermill.parameters == run.parameters
    assert results_table.from_notebook(theirs) == results_table.result_of(outcome)
    assert [path for path in Path("/proc").glob("[0-9]*") if has(path, mark)] == []
    # A failure is told as papermill tells it.
    monkeypatch.setattr(kernels, "find", lambda name: warm_kernel)
    tiny.write(tiny_folder, "1 / 0")
    command = importlib.import_module("papermill.cli").papermill
    failed = CliRunner().invoke(command, [*asked, str(tmp_path / "failed.ipynb")])
    assert failed.exit_code == 1 and "ZeroDivisionError: division by zero" in str(failed.exception)


def has(process: Path, mark: str) -> bool:
    """Whether a process was started in our environment."""
    with contextlib.suppress(OSError):
        return mark.encode() in (process / "environ").read_bytes()
    return False


def test_a_notebook_of_an_ordinary_kernel_gets_a_warm_one_unless_it_is_asked_for() -> None:
    engine = importlib.import_module("papermill.engines").papermill_engines
    ordinary = tiny.notebook("1")
    assert engine.nb_kernel_name("tradegoals", ordinary) == kernels.INSTALLED
    assert engine.nb_kernel_name("tradegoals", ordinary, "python3") == "python3"
    other = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "ir", "display_name": "R"}})
    assert engine.nb_kernel_name("tradegoals", other) == "ir"


@pytest.mark.usefixtures("warm")
def test_a_cell_that_leaves_the_notebook_is_no_success(tiny_folder: Path, tmp_path: Path) -> None:
    bad = execute_bad(tiny_folder, tmp_path, "1", "raise SystemExit(0)", "2")
    assert bad.error == "cell 4: SystemExit: 0"
    assert names(bad.folder) == FAILED


# Parameters.


def test_a_run_holds_every_parameter_as_text_or_number() -> None:
    run = matrix.make_run("00_did_the_goal_hold", {"goal": "40"})
    assert set(run.parameters) == set(cases.GoalCase.model_fields)
    assert run.parameters["as_of"] == "2014-04-15"
    assert run.slug == "goal-40"
    assert matrix.make_run("00_did_the_goal_hold", {}).slug == "default"


def test_values_go_to_the_notebooks_that_take_them() -> None:
    wanted = list(matrix.NOTEBOOKS)
    values = {"reporter": "China", "base_year": "2011", "wrong": "1"}
    assert matrix._values_for("00_did_the_goal_hold", values, wanted) == values
    assert matrix._values_for(tiny.NAME, values, wanted) == {"reporter": "China", "wrong": "1"}
    assert matrix._values_for(tiny.NAME, values, [tiny.NAME]) == values


# runs.yml.


def faults(path: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        matrix.expand(path)[0]
    return str(caught.value).splitlines()


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "runs.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_committed_cases_are_sound_and_hold_those_that_were_asked_for(
    committed_runs: list[freshness.Run],
) -> None:
    found = committed_runs
    cases = {run.slug: run.parameters for run in found if run.notebook == "00_did_the_goal_hold"}

    def has(**values: Any) -> bool:
        return any(values.items() <= case.items() for case in cases.values())

    assert has(reporter="Harbin", as_of="2014-04-15", goal="25 %", base_year=2012, deadline=2015)
    assert any(case["reporter"] == "Harbin" and case["as_of"] > "2024" for case in cases.values())
    heilongjiang = [case["as_of"][:4] for case in cases.values() if case["reporter"] == "Heilongjiang"]
    assert "2008" in heilongjiang and max(heilongjiang) > "2020"
    assert any(
        (case["reporter"], case["goal"], case["deadline"], case["as_of"][:4])
        == ("China", "100 USD bn", 2015, "2012")
        for case in cases.values()
    )
    assert any(case["reporter"] == "China" and case["goal"] == "25 %" for case in cases.values())
    assert len({(run.notebook, run.slug) for run in found}) == len(found)


def test_a_case_goes_to_every_notebook_or_to_those_it_names(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "cases:\n  all:\n    parameters: {reporter: China, base_year: 2011, deadline: 2015}\n"
        "  some:\n    notebooks: [02_how_did_trade_grow]\n    about: words\n",
    )
    found = matrix.expand(path)[0]
    assert [(run.notebook, run.slug) for run in found] == [
        *((notebook, "all") for notebook in matrix.NOTEBOOKS),
        ("02_how_did_trade_grow", "some"),
    ]
    assert {run.parameters.get("base_year", 2011) for run in found[:-1]} == {2011}
    assert found[-1].parameters["reporter"] == "Harbin"


def test_all_faults_of_all_cases_are_reported_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "cases:\n"
        "  misspelt: {parameters: {reportr: China}}\n"
        "  two: {notebooks: [00_did_the_goal_hold], parameters: {as_of: 2014-13-01, flow: exporrts}}\n"
        "  elsewhere: {notebooks: [00_did_the_goal_held]}\n"
        "  Not A Folder: {}\n"
        "  ../up: {}\n"
        "  keys: {parameter: {}, note: x}\n"
        "  words: some words\n"
        "  single: {notebooks: 00_did_the_goal_hold}\n"
        "  nested: {parameters: {reporter: [China]}}\n"
        "  listed: {parameters: [reporter]}\n"
        "  good: {}\n",
    )
    found = faults(path)
    for case, *words in [
        ("misspelt", "reportr", "did you mean reporter?"),
        ("two", "as_of", "2014-13-01"),
        ("two", "flow", "did you mean export?"),
        ("elsewhere", "00_did_the_goal_held", "did you mean 00_did_the_goal_hold?"),
        ("Not A Folder", "expected not-a-folder"),
        ("../up", "unfit for a folder"),
        ("keys", "found note"),
        ("keys", "found parameter, expected"),
        ("words", "expected a mapping"),
        ("single", "notebooks: expected a list"),
        ("nested", "parameters: expected"),
        ("listed", "parameters: expected"),
    ]:
        lines = [line for line in found if line.startswith(f"runs.yml: {case}: ")]
        assert any(all(word in line for word in words) for line in lines), (case, lines)
    assert not [line for line in found if line.startswith("runs.yml: good")]
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "runs.yml: found no cases"),
        ("cases:", "runs.yml: found no cases"),
        ("cases: {}", "runs.yml: found no cases"),
        ("- a\n- b", "runs.yml: found no cases"),
        ("just words", "runs.yml: found no cases"),
        ("cases:\n  a: {\n", "runs.yml:3: found no readable YAML"),
        ("cases:\n\t a: 1", "runs.yml:2: found no readable YAML"),
        ("a: 1\n---\nb: 2", "runs.yml:2: found no readable YAML"),
        (b"cases: \xff", "runs.yml: found no readable YAML"),
        (b"cases: \x00", "runs.yml: found no readable YAML"),
        ("cases:\n  {a: 1}: {}", "runs.yml:2: found no readable YAML"),
        ("cases:\n  one: {}\n  one: {}\n", "runs.yml:3: found one a second time"),
        (
            "cases:\n  one:\n    parameters: {flow: total, flow: export}",
            "runs.yml:3: found flow a second time",
        ),
    ],
)
def test_a_file_of_another_shape_is_one_clear_line(tmp_path: Path, text: str | bytes, start: str) -> None:
    found = faults(written(tmp_path, text))
    assert len(found) == 1
    assert found[0].startswith(start)


def test_a_missing_file_is_a_users_mistake(tmp_path: Path) -> None:
    assert faults(tmp_path / "runs.yml")[0].endswith("runs.yml: cannot be read (No such file or directory)")
