"""How much of this machine a matrix of runs may take: cores and memory, also inside a container.

The one live view of a matrix: a bar on a terminal, a plain line a run elsewhere, both on standard error.
"""

import os
import sys
from pathlib import Path
from typing import Any, Self

from lib.tools.run.spec import Outcome

RUN_MEGABYTES = 500
"""What one run takes at most, kernel and driver, by a generous measure."""

_CGROUP = Path("/sys/fs/cgroup")


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
    """Runs at once: one a core, fewer where memory is short, at least one."""
    return max(1, min(cores(), int(free_megabytes() // RUN_MEGABYTES)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Progress:
    """Done of total, failed, running and the time left; use it as a context."""

    def __init__(self, total: int, skipped: int) -> None:
        self.total, self.done, self.failed, self.running = total, 0, 0, 0
        self.skipped, self.last = skipped, ""

    def __enter__(self) -> Self:
        """Show the bar."""
        from tqdm import tqdm

        self.bar = tqdm(total=self.total, unit="run", file=sys.stderr, disable=None, dynamic_ncols=True)
        return self

    def __exit__(self, *_: Any) -> None:
        """Leave the bar as it is."""
        self.bar.close()

    def started(self, running: int) -> None:
        """Show how many run now."""
        self.running = running
        self._show()

    def finished(self, outcome: Outcome) -> None:
        """Count one run."""
        self.done += 1
        self.failed += bool(outcome.error)
        self.last = outcome.run.name
        if self.bar.disable:
            state = (
                "FAILED" if outcome.error else "up to date" if outcome.skipped else f"{outcome.seconds:.1f} s"
            )
            print(f"[{self.done}/{self.total}] {self.last}  {state}", file=sys.stderr, flush=True)
        self.bar.update()
        self._show()

    def _show(self) -> None:
        self.bar.set_postfix_str(f"{self.failed} failed, {self.running} running, {self.last}", refresh=True)
