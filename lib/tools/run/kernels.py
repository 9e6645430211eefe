"""Warm kernels: a server imports the stack once and forks it for every run, as an ordinary kernelspec.

`warm` keeps a server for as long as a driver works; `install` puts a kernelspec into the environment, by
whose name papermill, nbval and JupyterLab start warm kernels, too. Cells see no difference (`warm_server.py`
says how that is kept true), and where no server can serve, the kernel is an ordinary one (`provisioner.py`). Linux
only: Windows has no fork, and on macOS the threads of NumPy's linear algebra do not survive it.
"""

import atexit
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from multiprocessing.util import Finalize
from pathlib import Path

from lib.errors import UserError
from lib.research.files import locked, make_folder, write_atomically

ORDINARY, INSTALLED = "python3", "tradegoals-warm"
"""Names of kernelspecs: that of ipykernel, and the one that `install` writes."""

# As nbclient gives to ordinary kernels: a run's cells do not belong in the history of the user's shell.
_NO_HISTORY = "--HistoryManager.hist_file=:memory:"

SERVER = "tradegoals_server"
"""Where a kernelspec says in which folder its server is; nothing there means one of the process that asks."""

_SCRIPT = Path(__file__).with_name("warm_server.py")
_MOST_STARTS = 20
_PREFIX = "tradegoals-"
_LONGEST_PLACE = 50  # the path of a socket may have about 100 characters, and our folders need the rest
_START_SECONDS, _STOP_SECONDS = 60.0, 10.0
_END = ExitStack()  # what this process has to end with it
atexit.register(_END.close)


@contextmanager
def starting() -> Iterator[Callable[[], str]]:
    """What waits for a server, which ends with this process, and gives the name of its kernels for papermill or nbclient.

    It is that of ordinary kernels where there is no fork; ``TRADEGOALS_COLD=1`` makes every kernel an ordinary one.
    """
    if sys.platform != "linux":
        yield lambda: ORDINARY
        return
    name = f"{INSTALLED}-{secrets.token_hex(4)}"
    before = os.environ.get("JUPYTER_PATH", "")
    with _server("lib") as (folder, ready):
        _write_spec(Path(folder, "kernels", name), folder, _NO_HISTORY)
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [folder, before]))
        try:
            yield lambda: name if ready.wait(_START_SECONDS) else ORDINARY
        finally:
            os.environ["JUPYTER_PATH"] = before  # empty means none


def find(name: str) -> str:
    """The kernelspec behind a name: `INSTALLED`, if nobody has installed it, is a server of this process."""
    return _of_this_process() if name == INSTALLED and not _installed_folder().exists() else name


@lru_cache(maxsize=1)
def _of_this_process() -> str:
    """The name of warm kernels whose server lives as long as this process."""
    return _END.enter_context(starting())()


@lru_cache(maxsize=1)
def own_server() -> str:
    """The folder of a server of this process, not waited for, without `lib`: its author edits that between two kernels."""
    return _END.enter_context(_server())[0]


def install() -> Path:
    """Write the kernelspec ``tradegoals-warm``; the first kernel of a program is an ordinary one and starts a server."""
    if sys.platform != "linux":
        raise UserError(f"warm kernels: found the platform {sys.platform}, expected linux")
    folder = _installed_folder()
    _write_spec(folder, "")
    return folder


def _installed_folder() -> Path:
    return Path(sys.prefix, "share", "jupyter", "kernels", INSTALLED)


def _write_spec(folder: Path, server: str, *arguments: str) -> None:
    """Write a kernelspec: ipykernel's own, with our provisioner and the folder of its server."""
    from ipykernel.kernelspec import get_kernel_dict

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *arguments]
    how = {"kernel_provisioner": {"provisioner_name": "tradegoals"}, SERVER: server}
    spec = get_kernel_dict() | {"argv": command, "display_name": "Python 3 (tradegoals, warm)"}
    spec["metadata"] = spec.get("metadata", {}) | how
    make_folder(folder)
    write_atomically(folder / "kernel.json", json.dumps(spec, indent=1) + "\n")


@contextmanager
def _server(*packages: str) -> Iterator[tuple[str, threading.Event]]:
    """The folder of a server, started again where it vanishes, and when it is ready; if it fails, kernels are ordinary."""
    folder = tempfile.mkdtemp(prefix="s-", dir=private_folder())
    command = [sys.executable, str(_SCRIPT), folder, str(os.getpid()), *packages]
    servers: list[subprocess.Popen[bytes]] = []
    ready, lock, over = threading.Event(), threading.Lock(), threading.Event()

    def keep() -> None:
        for number in range(_MOST_STARTS):
            with lock:
                if over.is_set():
                    return
                if number:
                    print("The server of warm kernels has gone; it is started again.", file=sys.stderr)
                # In a session of its own: Ctrl-C is for the driver, which then stops the server.
                # A copy of the environment, which the main thread may change while the new process reads it.
                null, pipe, now = subprocess.DEVNULL, subprocess.PIPE, dict(os.environ)
                server = subprocess.Popen(command, stdin=null, stdout=pipe, env=now, start_new_session=True)
                servers.append(server)
            said = servers[-1].stdout
            assert said is not None
            was_ready = said.readline()  # empty at its end, as is the next line then
            ready.set()
            if not was_ready:
                return
            said.readline()

    keeper = threading.Thread(target=keep, name="warm kernels", daemon=True)
    keeper.start()
    try:
        yield folder, ready
    finally:
        with lock:
            over.set()
        for server in servers:
            with server:
                server.terminate()
                try:
                    server.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    server.kill()
        keeper.join()
        shutil.rmtree(folder, ignore_errors=True)


@lru_cache(maxsize=1)
def private_folder() -> str:
    """A folder of this process for all sockets, locked, and gone at its end; those of killed ones are removed."""
    place = Path(tempfile.gettempdir())
    if len(str(place)) > _LONGEST_PLACE and os.access("/tmp", os.W_OK):
        place = Path("/tmp")
    for left in place.glob(f"{_PREFIX}*") if os.name == "posix" else ():
        with suppress(BlockingIOError, UserError), locked(left, wait=False):
            shutil.rmtree(left, ignore_errors=True)
    new = Path(tempfile.mkdtemp(dir=place))
    _END.enter_context(locked(new))
    folder = str(new.rename(place / f"{_PREFIX}{new.name}"))  # none of that name is ever without its lock
    Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=0)  # not by who is forked
    return folder
