"""The client that drives a run's kernel: nbclient, with a limit on time and output for the whole run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError


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
