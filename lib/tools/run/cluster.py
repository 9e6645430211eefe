"""The executor of a Dask cluster: each run is a task, and Dask decides where and when.

All machines must see the checkout and the output folder under the same paths, as on a shared file system. A
worker that dies takes nothing with it: its run is done again elsewhere, in a folder that is swept first.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from lib.errors import UserError

CONNECT_SECONDS = 10

RETRIES = 3


@contextmanager
def connected(scheduler: str | None) -> Iterator[Executor]:
    """The executor of a cluster.

    Parameters
    ----------
    scheduler : address such as "tcp://host:8786"; None for what Dask's own configuration names.

    Raises
    ------
    UserError
        If Dask is not installed or the scheduler cannot be reached.
    """
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
