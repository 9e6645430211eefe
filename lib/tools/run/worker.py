"""The process of one run: it executes, tells the driver what came of it, and ends with the driver."""

import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.tools.run.freshness import Known, Sources
from lib.tools.run.spec import Run, Settings


@dataclass(frozen=True)
class Job:
    """What the process of a run is told."""

    run: Run
    out: Path
    settings: Settings
    known: Known
    megabytes: float
    folder: str
    environment: dict[str, str]


def work(line: connection.Connection, job: Job) -> None:
    """The process of a run: execute it and tell what came of it."""
    # Ctrl-C is for the driver, which ends this process. Not SIG_IGN, which a kernel would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    told: list[int] = []
    threading.Thread(target=_end_with_driver, args=(told,), daemon=True).start()
    os.environ.clear()
    os.environ.update(job.environment)
    os.chdir(job.folder)
    _limit(job.megabytes)

    from lib.tools.run.execute import execute

    sources = Sources(job.known)

    def tell(kernel: int) -> None:
        told.append(kernel)
        say("kernel", kernel)

    def say(*words: Any) -> None:
        with suppress(OSError):  # a driver that has given this process up
            line.send(words)

    try:
        outcome = execute(job.run, job.out, job.settings, sources, tell)
        say("done", outcome.seconds, outcome.error, outcome.skipped)
    except UserError as error:
        say("refused", str(error))
    line.close()


def _end_with_driver(kernels: list[int]) -> None:
    """End this process, and its kernel, when the driver is no more."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    for kernel in kernels:
        with suppress(OSError):
            os.killpg(kernel, signal.SIGKILL)
    os._exit(1)


def _limit(megabytes: float) -> None:
    """Let no process of the run take more memory than its share: a cell then fails with a MemoryError."""
    if sys.platform == "linux" and megabytes:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = int(megabytes * 1e6)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
