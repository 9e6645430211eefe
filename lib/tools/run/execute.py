"""The client that drives a run's kernel: nbclient, with a limit on time and output for the whole run.

An executed notebook as one HTML page to read: nothing is loaded from elsewhere and no script can run.

The template is `lib/tools/run/templates/page`. Text that comes from data or parameters may hold markup; it is shown as
text, and the page's content policy forbids scripts and foreign addresses besides.

Execute one run, and keep of it the notebook, a page, its result and a journal.

``out/runs/<notebook>/<slug>/`` holds ``notebook.ipynb``, ``page.html``, ``result.json`` and ``run.json``
(`lib.tools.run.spec`). Every file is written beside its place, forced to the disk and renamed, the journal last, so a
stopped run leaves nothing that could pass for a result; a notebook that fails is kept as
``notebook.failed.ipynb``. Whoever writes holds the folder's lock, and first sweeps what a killed run left.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from lib import results
from lib.errors import UserError
from lib.files import locked, make_folder_below, sweep, working_folder, write_atomically
from lib.package import data_dir, notebooks_dir
from lib.tools.run import spec
from lib.tools.run.freshness import PAGE_ONLY, Sources, key_of, read_opened, reason_to_run
from lib.tools.run.opened import start_line
from lib.tools.run.spec import FAILED, JOURNAL, NOTEBOOK, PAGE, RESULT, SOCKETS_ENV, Outcome, Run, Settings


class OutputLimitError(Exception):
    """A run has printed more than a page can hold."""


@dataclass(frozen=True)
class Limits:
    """When the run must be over (monotonic clock), seconds that a cell may take, bytes that all may show."""

    deadline: float
    cell_seconds: float
    output_bytes: int


class Client(NotebookClient):
    """A client that reports its kernel and its progress, and stops a run whose outputs are too long."""

    limits = Limits(0, 0, 0)
    seen_bytes = 0
    begun = 0
    """Code cells that were begun."""
    tell_kernel: Callable[[int], None] | None = None

    async def async_start_new_kernel(self, **options: Any) -> None:
        """Start the kernel and tell its process id."""
        await super().async_start_new_kernel(**options)
        if self.tell_kernel is not None and self.km is not None:
            self.tell_kernel(getattr(self.km.provisioner, "pid", None) or 0)

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Count what a cell prints or shows, and take it as nbclient does."""
        content = msg["content"]
        data = content.get("data")
        shown = data.values() if isinstance(data, dict) else ()
        self.seen_bytes += sum(len(text) for text in (content.get("text"), *shown) if isinstance(text, str))
        if self.seen_bytes > self.limits.output_bytes:
            if self.task_poll_for_reply is not None:
                self.task_poll_for_reply.cancel()
            return None
        return super().process_message(msg, cell, cell_index)

    def run(self, **options: Any) -> None:
        """Execute the notebook; options, such as `env`, are for the start of the kernel.

        Raises
        ------
        OutputLimitError
            If the limit on output is passed; else what nbclient raises.
        """
        try:
            self.execute(**options)
        except DeadKernelError:
            if self.seen_bytes > self.limits.output_bytes:
                most = self.limits.output_bytes / 1e6
                raise OutputLimitError(f"found more than {most:g} MB of output, expected less") from None
            raise


def make_client(notebook: Any, kernel: str, config: Any, limits: Limits, start_line: str) -> Client:
    """A client for one run; `start_line` is Python that the kernel runs before the first cell."""

    def seconds_left(cell: Any) -> float:
        return max(0.1, min(limits.cell_seconds, limits.deadline - time.monotonic()))

    def count(cell: Any, cell_index: int) -> None:
        client.begun += 1

    client = Client(
        notebook,
        kernel_name=kernel,
        config=config,
        timeout_func=seconds_left,
        # By default what a busy kernel says late is lost without a word.
        iopub_timeout=60,
        raise_on_iopub_timeout=True,
        record_timing=False,
        shutdown_kernel="immediate",
        on_cell_execute=count,
        # A kernel that an interrupt leaves alone ends by itself; it need not say so on the terminal.
        extra_arguments=["--log-level=ERROR", f"--IPKernelApp.code_to_run={start_line}"],
    )
    client.limits = limits
    return client


def to_page(notebook: Any, title: str) -> str:
    """The executed notebook as one HTML page."""
    body, _ = _exporter().from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return body


@lru_cache(maxsize=1)
def _exporter() -> Any:
    """The exporter, made once: its templates take half a second to compile."""
    from nbconvert import HTMLExporter

    return HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(Path(__file__).resolve().parent / "templates")],
        filters={"markdown2html": _markdown_to_html},
        mathjax_url="",
        require_js_url="",
    )


def _markdown_to_html(text: str) -> str:
    """Markdown as HTML; nbconvert's own filter lets raw HTML and `javascript:` addresses through."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=True, allow_harmful_protocols=False)
    return MarkdownWithMath(renderer=renderer).render(text)


CELL_TIMEOUT_SECONDS = 300

MOST_OUTPUT_BYTES = 50_000_000
"""A run that prints more is a failure: its page could not be read, and would fill memory and disk."""

KERNEL_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread of linear algebra a run: two runs at once otherwise fight for the cores."""


@contextmanager
def kernel_config() -> Iterator[Any]:
    """Settings of one kernel: it talks through sockets in a folder of its own, not through ports.

    Others could listen on ports, and two kernels started at once could take the same. By default the sockets
    would lie in the current folder, where the same can happen.
    """
    from traitlets.config import Config

    place = os.environ.get(SOCKETS_ENV)
    with tempfile.TemporaryDirectory(prefix="k-", ignore_cleanup_errors=True, dir=place) as folder:
        settings = {"connection_file": f"{folder}/k.json"}  # a socket's path may have about 100 characters
        if os.name == "posix":
            settings["transport"] = "ipc"
        yield Config({"KernelManager": settings})


def execute(
    run: Run,
    out: Path,
    settings: Settings | None = None,
    sources: Sources | None = None,
    tell_kernel: Callable[[int], None] | None = None,
) -> Outcome:
    """Execute one run and write its files, or find that they are up to date.

    Parameters
    ----------
    run, out : what to run, and the output folder.
    settings : how; by default in an ordinary kernel, and only what is not up to date.
    sources : imports and versions that are known already.
    tell_kernel : called with the process id of the kernel, which leads a process group, once there is one.

    Raises
    ------
    UserError
        If the folder cannot be written; anything that goes wrong in the run is in the outcome.
    """
    settings = settings or Settings()
    folder = run.folder(out)
    started = time.monotonic()
    try:
        make_folder_below(out, folder)
    except OSError as fault:
        raise UserError(f"{folder}: cannot be written: {fault.strerror}") from None
    with locked(folder):
        known = Sources() if sources is None else sources
        reason = "forced" if settings.force else reason_to_run(run, out, known)
        if not reason:
            return Outcome(run, folder, time.monotonic() - started, skipped=True)
        sweep(folder)
        if reason.startswith(PAGE_ONLY):
            error = _renew_page(run, folder, known)
        else:
            error = _execute_locked(run, folder, settings, known, tell_kernel)
    return Outcome(run, folder, time.monotonic() - started, error)


def _execute_locked(
    run: Run,
    folder: Path,
    settings: Settings,
    sources: Sources,
    tell_kernel: Callable[[int], None] | None,
) -> str:
    """Execute and publish; returns the error in words."""
    moment, started = datetime.now(UTC), time.monotonic()
    before = sources.parts(run, ())
    fault_words = ""
    with working_folder(folder) as working:
        notes = working / "opened"
        progress = Progress()
        try:
            notebook = _execute_notebook(run, progress, settings, str(notes), tell_kernel)
            _publish(notebook, folder)
        except Exception as fault:  # cell, kernel, time-out, disk: whatever it was, the other runs go on
            fault_words = _describe(fault, progress)
            _keep_failure(progress.notebook, folder)
        opened = read_opened(notes)
    known = Sources(sources.known)
    steady = opened.steady and known.parts(run, ()) == before
    parts = known.parts(run, opened.names)
    record = run.to_json() | {
        "key": key_of(parts) if steady else "",
        "status": "failed" if fault_words else "ok",
        "parts": parts,
        "started": moment.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 3),
        "kernel": "ordinary" if settings.kernel == "python3" else "warm",
        "error": fault_words,
    }
    try:
        spec.write_journal(folder, record)
    except UserError as fault:  # a full disk: without a journal the run counts as not done
        return fault_words or str(fault)
    return fault_words


def _renew_page(run: Run, folder: Path, sources: Sources) -> str:
    """Make the files of a run anew from its outputs, with the text of its notebook as it is now."""
    import nbformat
    from papermill.iorw import load_notebook_node

    journal = spec.read_journal(folder)
    assert journal is not None, "the reason was read from it"
    source = load_notebook_node(str(notebooks_dir() / f"{run.notebook}.ipynb"))
    try:
        _publish(with_text(nbformat.read(folder / NOTEBOOK, as_version=4), source), folder)
        parts = journal["parts"] | {"page": sources.parts(run, journal["parts"]["data"])["page"]}
        spec.write_journal(folder, journal | {"parts": parts})
    except UserError as fault:  # a full disk
        return str(fault)
    return ""


def with_text(executed: Any, source: Any) -> Any:
    """An executed notebook with the text of one whose code does the same: Markdown, comments in cells."""
    done = [cell for cell in executed.cells if cell.cell_type == "code"]
    cells: list[Any] = []

    def keep_injected() -> None:
        while done and "injected-parameters" in done[0].metadata.get("tags", []):
            cells.append(done.pop(0))

    keep_injected()
    for cell in source.cells:
        if cell.cell_type == "code":
            done[0].source, done[0].id = cell.source, cell.id
            cells.append(done.pop(0))
            keep_injected()
        else:
            cells.append(cell)
    executed.cells = cells
    return executed


@dataclass
class Progress:
    """How far an execution came: the notebook and its client, as soon as there are any."""

    notebook: Any = None
    client: Any = None


def _execute_notebook(
    run: Run, progress: Progress, settings: Settings, notes: str, tell_kernel: Callable[[int], None] | None
) -> Any:
    """The executed notebook; `progress` keeps what there is of it if it fails."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    os.environ.update({name: os.environ.get(name, value) for name, value in KERNEL_ENVIRONMENT.items()})
    source = load_notebook_node(str(notebooks_dir() / f"{run.notebook}.ipynb"))
    progress.notebook = notebook = parameterize_notebook(source, run.parameters)
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"  # not a random one: the same run gives the same bytes
        if cell.cell_type == "code":  # what is not executed must not show the outputs of another run
            cell.outputs, cell.execution_count = [], None
    limits = Limits(time.monotonic() + settings.timeout, CELL_TIMEOUT_SECONDS, MOST_OUTPUT_BYTES)
    with kernel_config() as config:
        line = start_line(str(data_dir()), notes)
        progress.client = make_client(notebook, settings.kernel, config, limits, line)
        progress.client.tell_kernel = tell_kernel
        progress.client.run()
    return notebook


def _publish(notebook: Any, folder: Path) -> None:
    """Write page, result and notebook, and drop what an earlier failure left; the journal goes first."""
    import nbformat

    result = results.from_notebook(notebook)
    page = to_page(notebook, result.title if result else folder.parent.name)
    (folder / JOURNAL).unlink(missing_ok=True)
    write_atomically(folder / PAGE, page)
    if result is None:
        (folder / RESULT).unlink(missing_ok=True)
    else:
        write_atomically(folder / RESULT, results.to_json(result))
    write_atomically(folder / NOTEBOOK, nbformat.writes(notebook, indent=1) + "\n")
    (folder / FAILED).unlink(missing_ok=True)


def _keep_failure(notebook: Any, folder: Path) -> None:
    """Keep the failed notebook; what an earlier run left must not pass for the result of this one."""
    import nbformat

    spec.clear_journal(folder)
    if notebook is not None:
        try:
            write_atomically(folder / FAILED, nbformat.writes(notebook, indent=1) + "\n")
        except UserError:  # a full disk, which is the failure
            return


def _describe(error: Exception, progress: Progress) -> str:
    """A failure in words: in which cell, and what was said."""
    from nbclient.exceptions import CellExecutionError

    begun = progress.client.begun if progress.client else 0
    where = f"cell {begun}" if begun else "before the first cell"
    if isinstance(error, CellExecutionError):
        return f"{where}: {error.ename}: {error.evalue}"
    said = (str(error).splitlines() or [""])[0]
    return f"{where}: {type(error).__name__}: {said}"
