"""How much of this machine a matrix of runs may take: cores and memory, also inside a container."""

import os
import sys
from pathlib import Path

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
