"""Execute many runs at once, through any executor of `concurrent.futures`.

Here that is `Processes`: each forked from one that has imported all it needs, making run after run. On a cluster it is
Dask's own (`connected`). The driver imports nothing heavy.
"""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache, partial
from multiprocessing import Pipe, connection, get_context, parent_process
from multiprocessing.util import Finalize
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from lib.errors import UserError
from lib.research.files import locked, sweep
from lib.tools.run import freshness
from lib.tools.run.execute import Outcome, Settings, Task, run_one
from lib.tools.run.freshness import SOCKETS_ENV, Run, Sources

GRACE_SECONDS = 30.0
"""A run out of time ends by itself and keeps its notebook; after so much longer its process is killed."""

RUN_MEGABYTES = 500  # what one run takes at most, kernel and driver, by a generous measure
STARTS = 40  # how often to try to start a process: the one that forks may just have been killed

HEAR_SECONDS = 0.5
"""How often the driver, which waits for outcomes, is ready for Ctrl-C: the system may give it to any thread, and then
nothing wakes the one that obeys."""

SWEEP_TRIES = 20
LONGEST_PLACE = 50  # the path of a socket may have about 100 characters, and our folders need the rest
_PREFIX = "tg-"
_CGROUP = Path("/sys/fs/cgroup")


class LostError(Exception):
    """A call whose process was killed, from outside or because it did not end."""


def make_tasks(runs: Iterable[Run], out: Path, settings: Settings, sources: Sources) -> list[Task]:
    """The tasks of runs, with what is known about their sources."""
    return [Task(run, out.absolute(), settings, sources.known) for run in runs]


def execute_many(tasks: Iterable[Task], executor: AbstractContextManager[Executor]) -> Iterator[Outcome]:
    """Execute tasks, yielding outcomes as they are known; the executor is closed at the end, whatever happens."""
    unfinished: dict[Future[Outcome], Task] = {}
    try:
        with executor as pool:
            unfinished |= {pool.submit(run_one, task): task for task in tasks}
            done: SimpleQueue[Future[Outcome]] = SimpleQueue()
            for future in unfinished:
                future.add_done_callback(done.put)
            while unfinished:
                with suppress(Empty):
                    future = done.get(timeout=HEAR_SECONDS)
                    yield _outcome(future, unfinished.pop(future))
    finally:
        for task in unfinished.values():
            _sweep_soon(task.run.folder(task.out))


def _outcome(future: Future[Outcome], task: Task) -> Outcome:
    """The outcome of a task; one that its executor has lost is a failure of its run alone."""
    try:
        return future.result()
    except UserError:
        raise
    except Exception as fault:
        said = (str(fault).splitlines() or [""])[0]
        error = said if isinstance(fault, LostError) else f"{type(fault).__name__}: {said}"
    folder = task.run.folder(task.out)
    _sweep_soon(folder)
    with suppress(UserError, OSError), locked(folder, wait=False):
        freshness.note_death(task.run, folder, error)
    return Outcome(task.run, folder, 0.0, error)


def _sweep_soon(folder: Path) -> None:
    """Sweep a folder as soon as what was killed has let go of it, unless another driver has it."""
    for _ in range(SWEEP_TRIES if folder.is_dir() else 0):
        try:
            with locked(folder, wait=False):
                sweep(folder)
            return
        except BlockingIOError:
            time.sleep(0.05)
        except (UserError, OSError):
            return


class Processes(Executor):
    """So many processes, each making one call after the other; one that hangs or is not wanted any more is killed.

    The standard library's `ProcessPoolExecutor` would be less code, but loses what a run needs, as a test shows:
    where one process is killed, all calls that wait or run are lost with it; a call that hangs cannot be killed; and
    processes outlive a driver that is killed, with their kernels. `seconds` and `megabytes` are the most a call may take.
    """

    def __init__(self, at_once: int, seconds: float | None = None, megabytes: float = 0) -> None:
        # The threads do nothing but wait, each for its process; no interrupt reaches them.
        self._threads = ThreadPoolExecutor(at_once, "run", _without_interrupts)
        self._seconds, self._megabytes = seconds, megabytes
        self._own = threading.local()  # of each thread: its process
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Make a call as soon as a process is free; one whose process is killed gets a second try."""
        return self._threads.submit(self._run, partial(call, *arguments, **named))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the calls that run, or kill them and start no more."""
        if cancel_futures:
            with self._lock:
                self._closed = True
                for worker in self._all:
                    worker.process.kill()  # whoever waits for it does the rest
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        while self._all:
            self._all.pop().end()

    def __exit__(self, kind: Any, *_: Any) -> None:
        """Wait for all calls; after an exception, kill them."""
        self.shutdown(cancel_futures=kind is not None)

    def _run(self, call: Callable[[], Any]) -> Any:
        """The result of a call; a kill from outside, as when memory is short, is no fault of it."""
        for _ in range(2):
            worker = self._own.worker = getattr(self._own, "worker", None) or self._start()
            word = None
            try:
                word = worker.make(call, self._seconds)
            finally:
                if word is None:
                    self._drop(worker)
            if word is not None:
                done, value = word
                if done:
                    return value
                raise value
        raise LostError(f"its process died twice ({worker.code})")

    def _start(self) -> "_Worker":
        with self._lock:
            for left in reversed(range(STARTS)):
                if self._closed:
                    raise LostError("stopped")
                try:
                    self._all.add(worker := _Worker(self._megabytes))
                    return worker
                except (OSError, EOFError):
                    # The process that forks has just been killed; there will be another.
                    if not left:
                        raise
                    time.sleep(0.05)
        raise AssertionError

    def _drop(self, worker: "_Worker") -> None:
        self._own.worker = None
        worker.process.kill()
        worker.end()
        with self._lock:
            self._all.discard(worker)


class _Worker:
    """A process, and the line by which it is told calls and tells what came of them."""

    def __init__(self, megabytes: float) -> None:
        self.line, theirs = Pipe()
        environment = os.environ | {SOCKETS_ENV: private_folder()}
        given = theirs, megabytes, str(Path.cwd()), environment
        self.process = start_forkserver().Process(target=_work, args=given, daemon=True)
        try:
            self.process.start()
        except BaseException:
            self.line.close()
            raise
        finally:
            theirs.close()

    def make(self, call: Callable[[], Any], seconds: float | None) -> tuple[bool, Any] | None:
        """Whether a call came to its end, and its result or exception; None if the process was killed before."""
        with suppress(EOFError, OSError):
            self.line.send(call)
            if not connection.wait([self.line, self.process.sentinel], seconds and seconds + GRACE_SECONDS):
                raise LostError(f"found no end after {seconds:g} s, expected one")
            if self.line.poll():
                word: tuple[bool, Any] = self.line.recv()
                return word
        return None

    def end(self) -> None:
        """See to it that the process is gone, and with it what it has started, unless it ends by itself."""
        self.line.close()
        self.process.join(5.0)
        if self.process.exitcode != 0:
            self.process.kill()
            self.process.join()
            _kill_kernels(self.process.pid)
        self.code = self.process.exitcode
        self.process.close()


def _kill_kernels(pid: int) -> None:
    """Kill the kernels that a process has started, and what those have started.

    The process may have ended. A kernel leads a group of its own, and a variable names the process that started it;
    a warm one ends with it, too.
    """
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            leader = os.getpgid(process.pid)
            if leader != os.getpgid(0) and process.environ().get("JPY_PARENT_PID") == str(pid):
                os.killpg(leader, signal.SIGKILL)


def _work(line: connection.Connection, megabytes: float, folder: str, environment: dict[str, str]) -> None:
    """Make one call after the other and tell what came of each, until the line is closed."""
    # Ctrl-C is for the driver, which ends this process. Not SIG_IGN, which a kernel would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    _limit(megabytes)
    with suppress(EOFError, OSError):  # the driver wants no more
        while call := line.recv():
            try:
                word = True, call()
            except Exception as error:
                word = False, error
            line.send(word)


def _end_with_driver() -> None:
    """End this process, and its kernel, when the driver is no more."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        _kill_kernels(os.getpid())
        os._exit(1)


def _limit(megabytes: float) -> None:
    """Let no process of the run take more memory than its share: a cell then fails with a MemoryError."""
    if sys.platform == "linux" and megabytes:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = int(megabytes * 1e6)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def start_forkserver() -> Any:
    """How processes are made: forked from a server of their own, or started anew where there is no fork.

    The server is started deaf to Ctrl-C, which is for the driver (`lib.tools.run.preload` opens its ears when it no
    longer minds), and its folder is in ours.
    """
    if sys.platform == "win32":
        return get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = get_context("forkserver")
    context.set_forkserver_preload(["lib.tools.run.preload"])
    usual, tempfile.tempdir = tempfile.tempdir, private_folder()
    heard = _without_interrupts()
    try:
        resource_tracker.ensure_running()
        _without_interrupts()  # the tracker ends with all signals unblocked
        forkserver.ensure_running()
    finally:
        tempfile.tempdir = usual
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    return context


def _without_interrupts() -> set[int]:
    """Have this thread hear no Ctrl-C; returns the signals to which it was deaf before."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if sys.platform != "win32" else set()


@lru_cache(maxsize=1)
def private_folder() -> str:
    """A temporary folder of this process for all sockets, gone at its end; those of killed ones are removed."""
    place = Path(tempfile.gettempdir())
    if len(str(place)) > LONGEST_PLACE and os.access("/tmp", os.W_OK):
        place = Path("/tmp")
    for left in place.glob(f"{_PREFIX}*-*"):
        if _is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{_namespace()}-{os.getpid()}-", dir=place)
    # After multiprocessing has removed its own folder in there.
    Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=-200)
    return folder


def _is_left(folder: Path) -> bool:
    """Whether a folder is ours and its process has ended; that of another container cannot be seen from here."""
    import psutil

    space, _, rest = folder.name.removeprefix(_PREFIX).partition("-")
    pid = rest.partition("-")[0]
    with suppress(OSError):
        return (
            space == _namespace()
            and pid.isdigit()
            and folder.stat().st_uid == os.getuid()
            and not psutil.pid_exists(int(pid))
        )
    return False


def _namespace() -> str:
    """The numbering of processes that ours belongs to: containers have their own."""
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    return "0"


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
        raise UserError(
            "--executor dask: found no Dask, expected the group `cluster` (uv sync --group cluster)"
        ) from None
    if not (scheduler or os.environ.get("DASK_SCHEDULER_ADDRESS")):
        raise UserError(
            "--executor dask: found no --scheduler, expected its address, such as tcp://host:8786"
        )
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--scheduler: found no scheduler at {scheduler} ({reason})") from None
    with client:
        yield client.get_executor(pure=False, retries=RETRIES)
