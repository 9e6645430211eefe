"""papermill's engine `tradegoals`: warm kernels, limits on time and output, and waits that end by events.

Every run goes through it, and `papermill --engine tradegoals in.ipynb out.ipynb -p …` gives it to anyone. Without
a word of `-k`, a notebook of an ordinary Python kernel gets a warm one.
"""

import asyncio
import logging
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.log import logger
from papermill.utils import nb_kernel_name
from traitlets.config import Config

from lib.errors import UserError
from lib.tools.run import kernels

TIMEOUT_SECONDS, CELL_TIMEOUT_SECONDS = 600.0, 300  # of a run, of a cell

MOST_OUTPUT_BYTES = 50_000_000
"""A run that prints more is a failure: its page could not be read, and would fill memory and disk."""

RUNNING: set[Any] = set()  # the clients of the runs that go in this process

STOPPING = threading.Event()

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread of linear algebra a run: two runs at once otherwise fight for the cores."""

logger.addHandler(logging.NullHandler())  # what goes wrong is raised, and not also said on the terminal
LOOK_SECONDS = 1.0  # how often to see whether a kernel that does not answer is still alive


class StoppedError(Exception):
    """A run is not wanted any more: what it had done is dropped."""


@dataclass
class Watch:
    """How far an execution came: its notebook, once there is one, and how many code cells were begun."""

    notebook: Any = None
    begun: int = 0


class _KernelClient(AsyncKernelClient):
    """A client that takes a kernel for ready as soon as it hears it."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until something that the kernel publishes has come, a greeting (JEP 65) or an answer: nothing is lost then.

        jupyter_client's own method takes a fifth of a second more.
        """
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        while time.monotonic() < until:
            try:
                await self.iopub_channel.get_msg(timeout=LOOK_SECONDS)
                return
            except Empty:
                if not await self._async_is_alive():
                    raise RuntimeError("Kernel died before replying to kernel_info") from None
                self.kernel_info()
        raise RuntimeError("Kernel did not respond in time")


class _Client(PapermillNotebookClient):
    """papermill's client with a limit on time and output for the whole run, which it reports to a `Watch`."""

    def __init__(self, nb_man: Any, seconds: float, cell_seconds: float, watch: Watch, **how: Any) -> None:
        deadline = time.monotonic() + seconds
        super().__init__(
            nb_man,
            timeout_func=lambda cell: max(0.1, min(cell_seconds, deadline - time.monotonic())),
            on_cell_execute=self._count,
            # By default what a busy kernel says late is lost without a word.
            iopub_timeout=60,
            record_timing=False,
            shutdown_kernel="immediate",
            **how,
        )
        self.watch, self.seen_bytes = watch, 0

    def _count(self, cell: Any, cell_index: int) -> None:
        if STOPPING.is_set():  # its kernel has come too late to be killed
            raise StoppedError
        self.watch.begun += 1

    def process_message(self, msg: dict[str, Any], *rest: Any, **named: Any) -> Any:
        """Count what a cell prints or shows, and take it as papermill does."""
        content = msg["content"]
        data = content.get("data")
        shown = data.values() if isinstance(data, dict) else ()
        self.seen_bytes += sum(len(text) for text in (content.get("text"), *shown) if isinstance(text, str))
        if self.seen_bytes > MOST_OUTPUT_BYTES:
            if self.task_poll_for_reply is not None:
                self.task_poll_for_reply.cancel()
            return None
        return super().process_message(msg, *rest, **named)

    def execute(self, **options: Any) -> Any:
        """Execute the notebook; options, such as `env`, are for the start of the kernel."""
        RUNNING.add(self)
        try:
            with asyncio.Runner(loop_factory=ensure_event_loop) as runner:
                runner.get_loop()  # which nbclient takes, and nobody would close at the end of a thread
                return super().execute(**options)
        except DeadKernelError:
            if self.seen_bytes > MOST_OUTPUT_BYTES:
                most = f"{MOST_OUTPUT_BYTES / 1e6:g} MB"
                raise UserError(f"found more than {most} of output, expected less") from None
            raise
        finally:
            RUNNING.discard(self)


class Engine(NBClientEngine):
    """What papermill calls; our own callers pass what its command has no option for."""

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """The kernel that was asked for; a warm one instead of the ordinary one of a notebook, or of one without any."""
        own = nb.metadata.get("kernelspec", {}).get("name", kernels.ORDINARY)
        is_free = name is None and own == kernels.ORDINARY
        return kernels.INSTALLED if is_free else str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """The language that was asked for, or of the notebook; Python where it says none."""
        return language or str(nb.metadata.get("kernelspec", {}).get("language", "python"))

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        start_timeout: float = 60,
        execution_timeout: float | None = None,
        seconds: float = TIMEOUT_SECONDS,
        watch: Watch | None = None,
        environment: dict[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        """Execute in place the notebook that papermill has prepared; `environment` and `arguments` are the kernel's."""
        watch = watch or Watch()
        watch.notebook = nb_man.nb
        place = kernels.private_folder()
        with tempfile.TemporaryDirectory(prefix="k-", dir=place, ignore_cleanup_errors=True) as folder:
            settings = {"client_class": f"{__name__}.{_KernelClient.__name__}"}
            # It talks through sockets where no other can listen; the path of one may have about 100 characters.
            settings |= {
                "connection_file": f"{folder}/k.json",
                "transport": "ipc" if os.name == "posix" else "tcp",
            }
            client = _Client(
                nb_man,
                seconds,
                execution_timeout or CELL_TIMEOUT_SECONDS,
                watch,
                config=Config({"KernelManager": settings}),
                kernel_name=kernels.find(kernel_name),
                log=logger,
                **{name: options.get(name) for name in ("log_output", "stdout_file", "stderr_file")},
                startup_timeout=start_timeout,
                # A kernel that an interrupt leaves alone ends by itself; it need not say so on the terminal.
                extra_arguments=["--log-level=ERROR", *arguments],
            )
            client.execute(env=ENVIRONMENT | os.environ | (environment or {}))
