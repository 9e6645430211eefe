"""Execute runs on the workers of a Dask cluster: each is a task, and Dask decides where and when.

All machines must see the checkout and the output folder under the same paths, as on a shared file system. A
worker that dies takes nothing with it: its run is done again elsewhere, in a folder that is swept first.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.tools.run.freshness import Known, Sources
from lib.tools.run.spec import Outcome, Run, Settings, run_from

CONNECT_SECONDS = 10

RETRIES = 3


def execute_many(
    runs: list[Run],
    out: Path,
    settings: Settings,
    sources: Sources,
    scheduler: str | None,
    cold: bool = False,
) -> Iterator[Outcome]:
    """Execute runs on a cluster, yielding outcomes as they are known.

    Parameters
    ----------
    scheduler : address such as "tcp://host:8786"; None for what Dask's own configuration names.

    Raises
    ------
    UserError
        If Dask is not installed, the scheduler cannot be reached, or a folder cannot be written.
    """
    try:
        from distributed import Client, as_completed
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
    known = sources.known
    with client:
        tasks = {
            client.submit(
                execute_here,
                run.to_json(),
                str(out.absolute()),
                settings,
                known,
                cold,
                pure=False,
                retries=RETRIES,
            ): run
            for run in runs
        }
        for task in as_completed(tasks, loop=client.loop):
            yield _outcome(tasks[task], out, task)


def _outcome(run: Run, out: Path, task: Any) -> Outcome:
    """The outcome of a finished task; one that the cluster gave up is a failure of its run alone."""
    folder = run.folder(out)
    try:
        seconds, error, skipped = task.result()
    except UserError:
        raise
    except Exception as fault:  # whatever the cluster could not mend
        said = (str(fault).splitlines() or [""])[0]
        return Outcome(run, folder, 0.0, f"{type(fault).__name__}: {said}")
    return Outcome(run, folder, seconds, error, skipped)


def execute_here(
    spec: dict[str, Any], out: str, settings: Settings, known: Known, cold: bool
) -> tuple[float, str, bool]:
    """The task of a run, on a worker: seconds, error, and whether it was up to date."""
    from dataclasses import replace

    from lib.tools.run.execute import execute

    sources = Sources(known)
    here = settings if cold else replace(settings, kernel=warm_kernel())
    outcome = execute(run_from(spec, "task"), Path(out), here, sources)
    return outcome.seconds, outcome.error, outcome.skipped


@lru_cache(maxsize=1)
def warm_kernel() -> str:
    """The name of warm kernels whose server lives as long as this worker."""
    from lib.tools.run import kernels

    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(kernels.warm())
