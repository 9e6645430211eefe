"""Execute many runs at once: a process for each, forked from one that has imported all it needs.

A run that hangs, eats memory or kills its process harms no other: the process and its kernel are killed and
the run is a failure. The driver imports nothing heavy. If it is itself killed, its processes end, since each
watches for that; if they are killed, their kernels end (`lib.tools.run.kernels`, and ipykernel for ordinary ones).
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import connection
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.files import locked, sweep
from lib.tools.run import spec
from lib.tools.run.freshness import Sources
from lib.tools.run.spec import SOCKETS_ENV, Outcome, Run, Settings
from lib.tools.run.worker import Job, work

GRACE_SECONDS = 30.0
"""A run out of time ends by itself and keeps its notebook; after so much longer its process is killed."""

_PREFIX = "tg-"

SWEEP_TRIES = 20

LONGEST_PLACE = 50
"""The path of a socket may have about 100 characters, and our folders need the rest."""


@dataclass
class Worker:
    """A running process: its job, the line to it, and the kernel that it has told of."""

    job: Job
    process: Any
    line: connection.Connection
    started: float = field(default_factory=time.monotonic)
    kernel: int = 0
    attempts: int = 1

    def kill(self) -> None:
        """Kill process and kernel, and remove what they were writing."""
        self.hear()
        children = _children(self.process.pid)
        self.process.kill()
        self.process.join()
        for child in [self.kernel, *children]:
            _kill_group(child)
        self.line.close()
        _sweep_soon(self.job.run.folder(self.job.out))

    def hear(self) -> tuple[Any, ...] | None:
        """The last word of the process, if it has come; on the way it tells its kernel."""
        try:
            while self.line.poll():
                word, *rest = self.line.recv()
                if word != "kernel":
                    return word, *rest
                self.kernel = rest[0]
        except (EOFError, OSError):
            pass
        return None


def _sweep_soon(folder: Path) -> None:
    """Sweep a folder as soon as what was killed has let go of it, unless another driver has it."""
    for _ in range(SWEEP_TRIES):
        try:
            with locked(folder, wait=False):
                sweep(folder)
            return
        except BlockingIOError:
            time.sleep(0.05)
        except (UserError, OSError):
            return


def _children(pid: int) -> list[int]:
    """The processes that a process has started: a kernel of which it has not told yet."""
    import psutil

    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []


def _kill_group(leader: int) -> None:
    """Kill a kernel and what it has started, or its stub, which ends a warm one."""
    if leader:
        with suppress(OSError):
            os.killpg(leader, signal.SIGKILL)


def execute_many(
    jobs: Iterable[Job], at_once: int, on_change: Callable[[int], None] = lambda running: None
) -> Iterator[Outcome]:
    """Execute jobs, at most so many at once, yielding outcomes as they are known.

    Parameters
    ----------
    jobs : from `make_jobs`.
    at_once : processes at the same time.
    on_change : called with the number of running processes.

    Raises
    ------
    UserError
        If the folder of a run cannot be written. Then, and if the caller stops, whatever runs is killed.
    """
    waiting = list(jobs)[::-1]
    running: list[Worker] = []
    _prepare()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                with _undisturbed():
                    running.append(_start(waiting.pop()))
                on_change(len(running))
            ready = connection.wait([w.line for w in running] + [w.process.sentinel for w in running], 1.0)
            for worker in [w for w in running if w.line in ready or w.process.sentinel in ready or _late(w)]:
                finished = _settle(worker)
                if finished is None:
                    continue
                running.remove(worker)
                if isinstance(finished, Worker):
                    running.append(finished)
                else:
                    on_change(len(running))
                    yield finished
    finally:
        for worker in running:
            worker.kill()


def _late(worker: Worker) -> bool:
    return time.monotonic() > worker.started + worker.job.settings.timeout + GRACE_SECONDS


def _settle(worker: Worker) -> Outcome | Worker | None:
    """The outcome of a process that has ended; a new process if the old one was killed; None if it goes on."""
    word = worker.hear()
    run, folder = worker.job.run, worker.job.run.folder(worker.job.out)
    if word is None and worker.process.is_alive() and not _late(worker):
        return None
    seconds = time.monotonic() - worker.started
    if word is not None:
        worker.process.join(5.0)
        worker.kill()
        if word[0] == "refused":
            raise UserError(word[1])
        if "DeadKernelError" in word[2] and worker.attempts == 1:
            return _again(worker.job)
        return Outcome(run, folder, word[1], word[2], word[3])
    late = _late(worker)
    worker.kill()
    code = worker.process.exitcode
    if not late and worker.attempts == 1:
        return _again(worker.job)
    error = (
        f"found no end after {worker.job.settings.timeout:g} s, expected one"
        if late
        else f"its process died twice ({code})"
    )
    with suppress(UserError, BlockingIOError), locked(folder, wait=False):
        spec.note_death(run, folder, error)
    return Outcome(run, folder, seconds, error)


def _again(job: Job) -> Worker:
    """A second try: a kill from outside, as when memory is short, is no fault of the run."""
    with _undisturbed():
        worker = _start(job)
    worker.attempts = 2
    return worker


def _start(job: Job) -> Worker:
    for left in (1, 0):
        ours, theirs = multiprocessing.Pipe()
        process = _context().Process(target=work, args=(theirs, job), daemon=True, name=job.run.name)
        try:
            process.start()
        except (OSError, EOFError):  # the server of processes has just been killed; another one will start
            ours.close()
            if not left:
                raise
        else:
            break
        finally:
            theirs.close()
    return Worker(job, process, ours)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM until the block has ended, so that no process is started and not known.

    A server of processes that is started meanwhile is deaf to Ctrl-C, which is for the driver, from its first
    moment on (`lib.tools.run.preload` opens its ears when it no longer minds).
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    late: list[int] = []
    both = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda caught, _: late.append(caught)) for number in both}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
    for caught in late[:1]:
        signal.raise_signal(caught)


def _prepare() -> None:
    """Start the server that forks processes; its folder is in ours."""
    if sys.platform == "win32":
        return
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # it would unblock the signals that we block
    usual, tempfile.tempdir = tempfile.tempdir, private_folder()
    try:
        with _undisturbed():
            _context()
            forkserver.ensure_running()
    finally:
        tempfile.tempdir = usual


def _context() -> Any:
    """How processes are made: forked from a server of their own, or started anew where there is no fork."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lib.tools.run.preload"])
    return context


def make_jobs(
    runs: Iterable[Run], out: Path, settings: Settings, sources: Sources, megabytes: float
) -> list[Job]:
    """Jobs for runs, in the circumstances of this process; `megabytes` is the most a process may take."""
    environment = os.environ | {SOCKETS_ENV: private_folder()}
    known = sources.known, megabytes, str(Path.cwd()), environment
    return [Job(run, out.absolute(), settings, *known) for run in runs]


@lru_cache(maxsize=1)
def private_folder() -> str:
    """A temporary folder of this process for all sockets, gone at its end; those of killed ones are removed."""
    place = Path(tempfile.gettempdir())
    if len(str(place)) > LONGEST_PLACE and os.access("/tmp", os.W_OK):
        place = Path("/tmp")
    for left in place.glob(f"{_PREFIX}*-*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):
            if pid.isdigit() and not _is_alive(int(pid)) and left.stat().st_uid == os.getuid():
                shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place)
    # After multiprocessing has removed its own folder in there.
    Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=-200)
    return folder


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def kernels_of(cold: bool) -> Iterator[str]:
    """The name of the kernels to use: warm ones where they exist and are wanted."""
    from lib.tools.run import kernels

    with contextlib.ExitStack() as stack:
        yield kernels.ORDINARY if cold else stack.enter_context(kernels.warm(private_folder()))
