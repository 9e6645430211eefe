"""Execute runs through papermill, and keep of each the notebook, a page, its result and a journal.

``out/runs/<notebook>/<slug>/`` holds ``notebook.ipynb``, ``page.html``, ``result.json`` and ``run.json``. Each is renamed
into its place once it is whole, the journal last, so a stopped run leaves nothing that could pass for a result; a notebook
that fails is kept as ``notebook.failed.ipynb``. Whoever writes holds the folder's lock, and first sweeps what a killed run
left. Many go at once through any executor of `concurrent.futures`: here `threads`, for the work is done by the kernels,
which are processes; on a cluster Dask's own (`connected`).
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

# Not needed: from the one jsonschema builds a grammar of addresses, which takes a second; papermill looks for the other
# in each run, to format the parameters that it injects.
for _name in ("rfc3987_syntax", "black"):
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]

import nbformat
import papermill
import psutil
from papermill.exceptions import PapermillExecutionError
from papermill.execute import remove_error_markers

from lib.errors import UserError
from lib.package import data_dir
from lib.research.files import locked, make_folder_below, sweep, write_atomically
from lib.tools.run import freshness, kernels, page, results_table
from lib.tools.run.engine import RUNNING, STOPPING, TIMEOUT_SECONDS, StoppedError, Watch
from lib.tools.run.freshness import FAILED, JOURNAL, NOTEBOOK, PAGE, PAGE_ONLY, RESULT, Outcome, Run
from lib.tools.run.opened import start_line

KILLED = ("DeadKernelError", "Kernel died before replying")
"""What is said of a run whose kernel was killed, which is no fault of the run."""


@dataclass(frozen=True)
class Settings:
    """How to execute: kernelspec, most seconds, whether also what is up to date, and most memory (0: any)."""

    kernel: str = "python3"
    timeout: float = TIMEOUT_SECONDS
    force: bool = False
    megabytes: float = 0


def run_notebook(
    path: Path,
    parameters: dict[str, Any],
    kernel: str = "python3",
    watch: Watch | None = None,
    notes: Path | None = None,
    megabytes: float = 0,
    **options: Any,
) -> Any:
    """The notebook of a file, executed by papermill with our engine; raises whatever goes wrong in it.

    `watch` keeps what there is of the notebook if it fails, `notes` is the file for the names of the files that the
    kernel opens (`lib.tools.run.opened`), `options` are those of `lib.tools.run.engine.Engine`.
    """
    plain = str(path).replace("{", "{{").replace("}", "}}")  # papermill fills parameters into paths
    if notes is not None:
        line = start_line(str(data_dir()), str(notes), megabytes)
        options["arguments"] = (f"--IPKernelApp.code_to_run={line}",)
    options |= {"engine_name": "tradegoals", "kernel_name": kernel, "language": "python"}
    options |= {"progress_bar": False, "watch": (watch := watch or Watch())}
    try:
        notebook = papermill.execute_notebook(plain, None, parameters, **options)
        watch.notebook = notebook
        # papermill lets a cell end the notebook by SystemExit(0).
        if notebook.metadata.papermill.get("exception"):
            raise PapermillExecutionError(0, 0, "", "SystemExit", "0", [])
    finally:
        if watch.notebook is not None:
            _tidy(watch.notebook)
    return notebook


def _tidy(notebook: Any) -> None:
    """Take out what differs from run to run, and papermill's marks: the same run gives the same bytes."""
    remove_error_markers(notebook)
    for name in ("input_path", "output_path", "start_time", "end_time", "duration", "exception"):
        notebook.metadata.papermill.pop(name, None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"


def _run_one(run: Run, out: Path, settings: Settings | None = None, modules: Iterable[str] = ()) -> Outcome:
    """Execute one run and write its files, or find that they are up to date; what goes wrong in it is in the outcome.

    `modules` are those that the notebook imports, if they are known.
    """
    settings, folder, started = settings or Settings(), run.folder(out), time.monotonic()
    make_folder_below(out, folder)
    with locked(folder):
        code = freshness.code_parts(run.path, modules)
        reason = "forced" if settings.force else freshness.reason_to_run(run, out, code)
        if not reason:
            return Outcome(run, folder, time.monotonic() - started, skipped=True)
        sweep(folder)
        if reason.startswith(PAGE_ONLY):
            error = _renew_page(run, folder, code)
        else:
            error = _execute_locked(run, folder, settings, code)
            if any(words in error for words in KILLED):  # a second try
                left = max(1.0, settings.timeout - (time.monotonic() - started))
                error = _execute_locked(run, folder, replace(settings, timeout=left), code)
    return Outcome(run, folder, time.monotonic() - started, error)


def _execute_locked(run: Run, folder: Path, settings: Settings, before: Mapping[str, Any]) -> str:
    """Execute and publish; returns the error in words. `before` are the `code_parts` of the notebook as it begins."""
    moment, started = datetime.now(UTC), time.monotonic()
    watch, error = Watch(), ""
    # Not beside the result: of a run that is killed something would stay there.
    place = kernels.private_folder()
    with tempfile.TemporaryDirectory(prefix="o-", dir=place, ignore_cleanup_errors=True) as working:
        notes = Path(working, "opened")
        try:
            given = run.parameters, settings.kernel, watch, notes, settings.megabytes
            _publish(run_notebook(run.path, *given, seconds=settings.timeout), folder)
        except Exception as fault:  # cell, kernel, time-out, disk: whatever it was, the other runs go on
            if STOPPING.is_set():
                raise StoppedError from None
            where = f"cell {watch.begun}" if watch.begun else "before the first cell"
            error = f"{where}: {_in_words(fault)}"
            freshness.clear_journal(folder)  # no earlier result may pass for one of this run
            if watch.notebook is not None:
                with suppress(UserError):  # a full disk, which is the failure
                    write_atomically(folder / FAILED, nbformat.writes(watch.notebook, indent=1) + "\n")
        opened, steady = freshness.read_opened(notes)
    code = freshness.code_parts(run.path, before["lib"])
    steady, parts = steady and code == before, freshness.all_parts(run, code, opened)
    record = asdict(run) | {
        "key": freshness.key_of(parts) if steady else "",
        "status": "failed" if error else "ok",
        "parts": parts,
        "started": moment.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 3),
        "kernel": "ordinary" if settings.kernel == "python3" else "warm",
        "error": error,
    }
    try:
        freshness.write_journal(folder, record)
    except UserError as fault:  # a full disk: without a journal the run counts as not done
        return error or str(fault)
    return error


def _renew_page(run: Run, folder: Path, code: Mapping[str, Any]) -> str:
    """Make the files of a run anew from its outputs, with the text of its notebook as it is now."""
    journal = freshness.read_journal(folder)
    assert journal is not None, "the reason was read from it"
    notebook = run_notebook(run.path, run.parameters, prepare_only=True)
    executed = nbformat.read(folder / NOTEBOOK, as_version=4)
    notebook.metadata = executed.metadata
    new, old = ([cell for cell in n.cells if cell.cell_type == "code"] for n in (notebook, executed))
    for cell, done in zip(new, old, strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    try:
        _publish(notebook, folder)
        freshness.write_journal(folder, journal | {"parts": journal["parts"] | {"page": code["page"]}})
    except UserError as fault:  # a full disk
        return str(fault)
    return ""


def _publish(notebook: Any, folder: Path) -> None:
    """Write page, result and notebook, and drop what an earlier failure left; the journal goes first."""
    result = results_table.from_notebook(notebook)
    shown = page.to_page(notebook, result.title if result else folder.parent.name)
    (folder / JOURNAL).unlink(missing_ok=True)
    write_atomically(folder / PAGE, shown)
    if result is None:
        (folder / RESULT).unlink(missing_ok=True)
    else:
        write_atomically(folder / RESULT, results_table.to_json(result))
    write_atomically(folder / NOTEBOOK, nbformat.writes(notebook, indent=1) + "\n")
    (folder / FAILED).unlink(missing_ok=True)


def _in_words(error: Exception) -> str:
    """A failure in words: of a cell what it said, else the first line, with the name of what nobody put into words."""
    said = (str(error).splitlines() or [""])[0]
    if isinstance(error, UserError):
        return said
    return f"{getattr(error, 'ename', type(error).__name__)}: {getattr(error, 'evalue', said)}"


# --- many at once ---

Task = tuple[Run, Path, Settings, Iterable[str]]
CONNECT_SECONDS = 10
RUN_MEGABYTES = 500  # what one run takes at most, by a generous measure
HEAR_SECONDS = 0.5
"""How often the driver, which waits for outcomes, is ready for Ctrl-C: the system may give it to any thread, and then
nothing wakes the one that obeys."""


def execute_many(tasks: Iterable[Task], executor: AbstractContextManager[Executor]) -> Iterator[Outcome]:
    """Execute tasks, yielding outcomes as they are known; the executor is closed at the end, whatever happens."""
    with executor as pool:
        unfinished = {pool.submit(_run_one, *task): task for task in tasks}
        done: SimpleQueue[Future[Outcome]] = SimpleQueue()
        for future in unfinished:
            future.add_done_callback(done.put)
        while unfinished:
            with suppress(Empty):
                future = done.get(timeout=HEAR_SECONDS)
                yield _outcome(future, *unfinished.pop(future)[:2])


def _outcome(future: Future[Outcome], run: Run, out: Path) -> Outcome:
    """The outcome of a task; one that its executor has lost is a failure of its run alone, and no earlier result is its."""
    try:
        return future.result()
    except UserError:
        raise
    except Exception as fault:
        error, folder = _in_words(fault), run.folder(out)
    with suppress(UserError, OSError), locked(folder, wait=False):
        freshness.clear_journal(folder)
    return Outcome(run, folder, 0.0, error)


@contextmanager
def threads(at_once: int) -> Iterator[Executor]:
    """So many threads for runs; after an exception the kernels of those that go are killed, and no more start."""
    # They hear no Ctrl-C, which is for the main thread.
    mute = () if sys.platform == "win32" else (signal.pthread_sigmask, (signal.SIG_BLOCK, {signal.SIGINT}))
    executor = ThreadPoolExecutor(at_once, "run", *mute)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        STOPPING.set()
        for client in list(RUNNING):
            with suppress(AttributeError, TypeError, OSError):  # it has no kernel yet, or no more
                os.killpg(client.km.provisioner.pid, signal.SIGKILL)
        raise
    finally:
        executor.shutdown()
        STOPPING.clear()


@contextmanager
def connected(scheduler: str) -> Iterator[Executor]:
    """The executor of a cluster, at an address such as "tcp://host:8786"; tasks of lost workers are tried again."""
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise UserError("--scheduler: found no Dask, expected it (uv sync --group cluster)") from None
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        found = f"found no scheduler at {scheduler} ({str(error).splitlines()[0]})"
        raise UserError(f"--scheduler: {found}") from None
    with client:
        yield client.get_executor(pure=False, retries=3)


def _cores() -> int:
    """Cores that this process may use: those that it is bound to, and the quota of its container."""
    bound = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    limits = _limits("cpu.max")  # quota and period
    return max(1, min(bound, limits[0] // limits[1])) if limits else bound


def free_megabytes() -> float:
    """Memory that can be had without swapping; what is left to the container, if that is less."""
    free, limits = psutil.virtual_memory().available, _limits("memory.max", "memory.current")
    return max(0, min(free, limits[0] - limits[1]) if limits else free) / 1e6


def _limits(*names: str) -> list[int]:
    """The numbers in files of the container's limits; none where it sets none ("max")."""
    with suppress(OSError, ValueError):
        texts = [Path("/sys/fs/cgroup", name).read_text(encoding="ascii") for name in names]
        return [int(number) for text in texts for number in text.split()]
    return []


def default_jobs() -> int:
    """Runs at once: three for two cores, for each waits a quarter of its time; fewer where memory is short."""
    return max(1, min(-(-3 * _cores() // 2), int(free_megabytes() // RUN_MEGABYTES)))
