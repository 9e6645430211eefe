"""papermill's engine `tradegoals`: warm kernels, limits on time and output, and waits that end by events.

Every run goes through it, and `papermill --engine tradegoals in.ipynb out.ipynb -p …` gives it to anyone. Without
a word of `-k`, a notebook of an ordinary Python kernel gets a warm one.
"""

import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.log import logger
from papermill.utils import nb_kernel_name
from traitlets.config import Config

from lib.tools.run import kernels
from lib.tools.run.execute import Limits, OutputLimitError, Watch
from lib.tools.run.freshness import SOCKETS_ENV
from lib.tools.run.provisioner import Kernel, Provisioner, readable

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread of linear algebra a run: two runs at once otherwise fight for the cores."""

LOOK_SECONDS = 1.0
"""How often to see whether a kernel that does not answer is still alive."""

LISTEN_SECONDS = 0.02
"""How often to see whether an ordinary kernel listens, which does not say so."""


class _KernelClient(AsyncKernelClient):
    """A client that connects when its kernel listens, and knows by an event when it is ready."""

    async def start_channels(self, *args: Any, **options: Any) -> None:  # type: ignore[override]
        """Connect once the kernel listens: who calls before is heard a tenth of a second later. nbclient awaits it."""
        manager: Any = self.parent
        kernel = manager.provisioner.process
        if isinstance(kernel, Kernel):
            while kernel.poll() is None and not kernel.is_ready:
                await readable(kernel.line.fileno())
        elif self.transport == "ipc":
            await self._sockets()
        super().start_channels(*args, **options)

    async def _sockets(self) -> None:
        """Wait until there are all sockets of a kernel, or it has ended; `wait_for_ready` says so."""
        ports = self.get_connection_info().values()
        places = [Path(f"{self.ip}-{port}") for port in ports if isinstance(port, int)]
        while not all(place.exists() for place in places) and await self._async_is_alive():
            await asyncio.sleep(LISTEN_SECONDS)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Ask for the kernel's description until both answer and status of one request have come.

        jupyter_client listens for a fifth of a second more, in case something still comes; but what a kernel
        publishes keeps its order, so nothing comes after the status of the latest request.
        """
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            asked = self.kernel_info()
            reply = await self._answer(asked, until)
            try:
                while not _is_idle(await self.iopub_channel.get_msg(timeout=0.2), asked):
                    pass
            except Empty:  # the kernel spoke before we listened
                continue
            self._handle_kernel_info_reply(reply)
            return

    async def _answer(self, asked: str, until: float) -> dict[str, Any]:
        while time.monotonic() < until:
            try:
                reply = await self.shell_channel.get_msg(timeout=LOOK_SECONDS)
            except Empty:
                if not await self._async_is_alive():
                    raise RuntimeError("Kernel died before replying to kernel_info") from None
            else:
                if reply["parent_header"].get("msg_id") == asked:
                    return reply
        raise RuntimeError("Kernel did not respond in time")


def _is_idle(message: dict[str, Any], asked: str) -> bool:
    """Whether this is the last word of a kernel about a request."""
    return (
        message["parent_header"].get("msg_id") == asked
        and message["content"].get("execution_state") == "idle"
    )


class KernelManager(AsyncKernelManager):
    """A manager of kernels that are waited for by events."""

    client_factory = _KernelClient

    async def _async_pre_start_kernel(self, **how: Any) -> Any:
        if self.provisioner is None:
            self.kernel_id = self.kernel_id or str(uuid.uuid4())
            named = {"kernel_id": self.kernel_id, "kernel_spec": self.kernel_spec}
            self.provisioner = Provisioner(parent=self, **named)
        return await super()._async_pre_start_kernel(**how)

    async def _async_wait(self, pollinterval: float = 0.1) -> None:
        if self.provisioner:
            await self.provisioner.wait()


class Client(PapermillNotebookClient):
    """papermill's client with a limit on time and output for the whole run, which it reports to a `Watch`."""

    def __init__(self, nb_man: Any, limits: Limits, watch: Watch, **options: Any) -> None:
        super().__init__(
            nb_man,
            kernel_manager_class=KernelManager,
            timeout_func=self._seconds_left,
            on_cell_execute=self._count,
            # By default what a busy kernel says late is lost without a word.
            iopub_timeout=60,
            record_timing=False,
            shutdown_kernel="immediate",
            **options,
        )
        self.limits, self.watch, self.seen_bytes = limits, watch, 0

    def _seconds_left(self, cell: Any) -> float:
        return max(0.1, min(self.limits.cell_seconds, self.limits.deadline - time.monotonic()))

    def _count(self, cell: Any, cell_index: int) -> None:
        self.watch.begun += 1

    def process_message(self, msg: dict[str, Any], *rest: Any, **named: Any) -> Any:
        """Count what a cell prints or shows, and take it as papermill does."""
        content = msg["content"]
        data = content.get("data")
        shown = data.values() if isinstance(data, dict) else ()
        self.seen_bytes += sum(len(text) for text in (content.get("text"), *shown) if isinstance(text, str))
        if self.seen_bytes > self.limits.output_bytes:
            if self.task_poll_for_reply is not None:
                self.task_poll_for_reply.cancel()
            return None
        return super().process_message(msg, *rest, **named)

    def execute(self, **options: Any) -> Any:
        """Execute the notebook; options, such as `env`, are for the start of the kernel."""
        try:
            return super().execute(**options)
        except DeadKernelError:
            if self.seen_bytes > self.limits.output_bytes:
                most = self.limits.output_bytes / 1e6
                raise OutputLimitError(f"found more than {most:g} MB of output, expected less") from None
            raise


class Engine(NBClientEngine):
    """What papermill calls; our own callers pass what its command has no option for."""

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """The kernel that was asked for; a warm one instead of the ordinary one of a notebook, or of one without any."""
        own = nb.metadata.get("kernelspec", {}).get("name", kernels.ORDINARY)
        if name is None and own == kernels.ORDINARY:
            return kernels.INSTALLED
        return str(nb_kernel_name(nb, name))

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
        limits: Limits | None = None,
        watch: Watch | None = None,
        environment: dict[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        """Execute the notebook that papermill has prepared.

        Parameters
        ----------
        nb_man : papermill's, whose notebook is executed in place.
        kernel_name, start_timeout, execution_timeout, options : as papermill has them.
        limits : of time and output; by default those of one run that starts now.
        watch : is told the notebook and how many cells were begun.
        environment, arguments : what the kernel gets beside the variables of this process, and its command line.
        """
        limits = limits or Limits.from_now(cell_seconds=execution_timeout)
        watch = watch or Watch()
        watch.notebook = nb_man.nb
        with _kernel_config() as config:
            client = Client(
                nb_man,
                limits,
                watch,
                config=config,
                kernel_name=kernels.find(kernel_name),
                log=logger,
                **{name: options.get(name) for name in ("log_output", "stdout_file", "stderr_file")},
                startup_timeout=start_timeout,
                # A kernel that an interrupt leaves alone ends by itself; it need not say so on the terminal.
                extra_arguments=["--log-level=ERROR", *arguments],
            )
            client.execute(env=ENVIRONMENT | os.environ | (environment or {}))


@contextmanager
def _kernel_config() -> Iterator[Any]:
    """Settings of one kernel: it talks through sockets in a folder of its own, not through ports.

    Others could listen on ports, and two kernels started at once could take the same. By default the sockets
    would lie in the current folder, where the same can happen.
    """
    place = os.environ.get(SOCKETS_ENV)
    with tempfile.TemporaryDirectory(prefix="k-", ignore_cleanup_errors=True, dir=place) as folder:
        settings = {"connection_file": f"{folder}/k.json"}  # a socket's path may have about 100 characters
        if os.name == "posix":
            settings["transport"] = "ipc"
        yield Config({"KernelManager": settings})
