"""Execute many runs at once, through any executor of `concurrent.futures`.

Here that is `threads`, each of which follows one run after the other: the work is done by the kernels, which are
processes. On a cluster it is Dask's own (`connected`). The driver imports nothing heavy before a run is due.
"""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from lib.errors import UserError
from lib.research.files import locked
from lib.tools.run import execute, freshness
from lib.tools.run.execute import Outcome, Task, run_one

RUN_MEGABYTES = 500  # what one run takes at most, by a generous measure
HEAR_SECONDS = 0.5
"""How often the driver, which waits for outcomes, is ready for Ctrl-C: the system may give it to any thread, and then
nothing wakes the one that obeys."""
_CGROUP = Path("/sys/fs/cgroup")


def execute_many(tasks: Iterable[Task], executor: AbstractContextManager[Executor]) -> Iterator[Outcome]:
    """Execute tasks, yielding outcomes as they are known; the executor is closed at the end, whatever happens."""
    with executor as pool:
        unfinished = {pool.submit(run_one, *task): task for task in tasks}
        done: SimpleQueue[Future[Outcome]] = SimpleQueue()
        for future in unfinished:
            future.add_done_callback(done.put)
        while unfinished:
            with suppress(Empty):
                future = done.get(timeout=HEAR_SECONDS)
                yield _outcome(future, unfinished.pop(future))


def _outcome(future: Future[Outcome], task: Task) -> Outcome:
    """The outcome of a task; one that its executor has lost is a failure of its run alone."""
    try:
        return future.result()
    except UserError:
        raise
    except Exception as fault:
        error = f"{type(fault).__name__}: {(str(fault).splitlines() or [''])[0]}"
    run, folder = task[0], task[0].folder(task[1])
    with suppress(UserError, OSError), locked(folder, wait=False):
        freshness.note_death(run, folder, error)
    return Outcome(run, folder, 0.0, error)


@contextmanager
def threads(at_once: int) -> Iterator[Executor]:
    """So many threads for runs; after an exception the kernels of those that go are killed, and no more start."""
    execute.load()
    # They hear no Ctrl-C, which is for the main thread.
    mute = () if sys.platform == "win32" else (signal.pthread_sigmask, (signal.SIG_BLOCK, {signal.SIGINT}))
    executor = ThreadPoolExecutor(at_once, "run", *mute)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        execute.stop()
        raise
    finally:
        executor.shutdown()
        execute.STOPPING.clear()


def cores() -> int:
    """Cores that this process may use: those that it is bound to, and the quota of its container."""
    bound = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    return max(1, min(bound, int(quota) // int(period))) if quota.isdigit() and period.isdigit() else bound


def free_megabytes() -> float:
    """Memory that can be had without swapping; what is left to the container, if that is less."""
    import psutil

    free = psutil.virtual_memory().available / 1e6
    most, used = _read(_CGROUP / "memory.max"), _read(_CGROUP / "memory.current")
    return max(0.0, min(free, (int(most) - int(used)) / 1e6)) if most.isdigit() and used.isdigit() else free


def default_jobs() -> int:
    """Runs at once: three for two cores, for each waits a quarter of its time; fewer where memory is short."""
    return max(1, min(-(-3 * cores() // 2), int(free_megabytes() // RUN_MEGABYTES)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


# --- a cluster ---

CONNECT_SECONDS = 10
RETRIES = 3


@contextmanager
def connected(scheduler: str | None) -> Iterator[Executor]:
    """The executor of a cluster, at an address such as "tcp://host:8786"."""
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise UserError("--executor dask: found no Dask, expected it (uv sync --group cluster)") from None
    if not (scheduler or os.environ.get("DASK_SCHEDULER_ADDRESS")):
        raise UserError("--executor dask: found no --scheduler, expected one, such as tcp://host:8786")
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--scheduler: found no scheduler at {scheduler} ({reason})") from None
    with client:
        yield client.get_executor(pure=False, retries=RETRIES)
