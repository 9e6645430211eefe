"""Warm kernels: a server imports the stack once and forks it for every run, as an ordinary kernelspec.

`server` is there for as long as its process; `install` puts a kernelspec into the environment, by whose name
papermill, nbval and JupyterLab start warm kernels, too. Each names the folder of its server, and our provisioner, which
asks that for a fork. To Jupyter the kernel is a child like others; as soon as the process that asked for it ends, the
operating system kills it. Cells see no difference (`warm_server.py` says how that is kept true), and where no server can
serve, the kernel is an ordinary one. Linux only: Windows has no fork, and on macOS the threads of NumPy's linear algebra
do not survive it.
"""

import atexit
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from select import select
from subprocess import DEVNULL, PIPE, TimeoutExpired
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from lib.errors import UserError
from lib.research.files import locked, make_folder, write_atomically

ORDINARY, INSTALLED = "python3", "tradegoals-warm"
"""Names of kernelspecs: that of ipykernel, and the one that `install` writes."""

_SERVER = "tradegoals_server"
"""Where a kernelspec says in which folder its server is; nothing there means one of the process that asks."""

_SCRIPT = Path(__file__).with_name("warm_server.py")
_PREFIX = "tradegoals-"
_LONGEST_PLACE = 50  # the path of a socket may have about 100 characters, and our folders need the rest
_START_SECONDS = 60.0
_END = ExitStack()  # what this process has to end with it
atexit.register(_END.close)

PATIENCE_SECONDS = 3.0  # a server that has not answered by then is given up


@contextmanager
def _starting() -> Iterator[Callable[[], str]]:
    """What waits for a server, which ends with this process, and gives the name of its kernels for papermill or nbclient.

    It is that of ordinary kernels where there is no fork; ``TRADEGOALS_COLD=1`` makes every kernel an ordinary one.
    """
    if sys.platform != "linux":
        yield lambda: ORDINARY
        return
    name = f"{INSTALLED}-{secrets.token_hex(4)}"
    before = os.environ.get("JUPYTER_PATH", "")
    with _server("lib") as (folder, ready):
        # As nbclient gives to ordinary kernels: a run's cells do not belong in the history of the user's shell.
        _write_spec(Path(folder, "kernels", name), folder, "--HistoryManager.hist_file=:memory:")
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [folder, before]))
        try:
            yield lambda: name if ready.wait(_START_SECONDS) else ORDINARY
        finally:
            os.environ["JUPYTER_PATH"] = before  # empty means none


@cache
def server() -> Callable[[], str]:
    """What waits for the server of this process, which the first call starts, and gives the name of its kernels."""
    return _END.enter_context(_starting())


def find(name: str) -> str:
    """The kernelspec behind a name: `INSTALLED`, if nobody has installed it, is the server of this process."""
    return server()() if name == INSTALLED and not _installed_folder().exists() else name


@cache
def _own_server() -> str:
    """The folder of a server of this process, not waited for, without `lib`: its author edits that between two kernels."""
    return _END.enter_context(_server())[0]


def install() -> Path:
    """Write the kernelspec ``tradegoals-warm``; the first kernel of a program is an ordinary one and starts a server."""
    if sys.platform != "linux":
        raise UserError(f"warm kernels: found the platform {sys.platform}, expected linux")
    _write_spec(folder := _installed_folder(), "")
    return folder


def _installed_folder() -> Path:
    return Path(sys.prefix, "share", "jupyter", "kernels", INSTALLED)


def _write_spec(folder: Path, server: str, *arguments: str) -> None:
    """Write a kernelspec: ipykernel's own, with our provisioner and the folder of its server."""
    from ipykernel.kernelspec import get_kernel_dict

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *arguments]
    how = {"kernel_provisioner": {"provisioner_name": "tradegoals"}, _SERVER: server}
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
        for number in range(20):
            with lock:
                if over.is_set():
                    return
                if number:
                    print("The server of warm kernels has gone; it is started again.", file=sys.stderr)
                # In a session of its own: Ctrl-C is for the driver, which then stops the server.
                # A copy of the environment, which the main thread may change while the new process reads it.
                now: Any = {"env": dict(os.environ), "stdin": DEVNULL, "stdout": PIPE}
                servers[:] = [subprocess.Popen(command, start_new_session=True, **now)]
            with servers[0] as server:  # and wait for its end
                assert server.stdout is not None
                was_ready = server.stdout.readline()  # empty at its end
                ready.set()
            if not was_ready:
                return

    keeper = threading.Thread(target=keep, name="warm kernels", daemon=True)
    keeper.start()
    try:
        yield folder, ready
    finally:
        with lock:
            over.set()
            for server in servers:
                server.kill()
        keeper.join()
        shutil.rmtree(folder, ignore_errors=True)


@cache
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


# --- how Jupyter has a server fork a kernel ---


class Provisioner(LocalProvisioner):
    """Has the server of a warm kernelspec fork the kernel."""

    process: Any = None

    async def launch_kernel(self, cmd: list[str], **how: Any) -> Any:
        """Start the kernel: warm, or, where no server can serve, an ordinary one, saying why."""
        variables = how["env"] | {"JPY_PARENT_PID": str(os.getpid())}
        server = self.kernel_spec.metadata.get(_SERVER)
        if server is None or sys.platform != "linux" or variables.get("TRADEGOALS_COLD"):
            return await super().launch_kernel(cmd, **how)
        try:
            arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
            with Path(os.devnull).open("r+b") as nothing:
                streams: list[Any] = [nothing]
                for name, usual in (("stdout", 1), ("stderr", 2)):
                    given = how.get(name)
                    streams.append(usual if given is None else nothing if given in (DEVNULL, PIPE) else given)
                numbers = [each if isinstance(each, int) else each.fileno() for each in streams]
                folder = server or _own_server()
                self.process = _ask(folder, arguments, variables, how.get("cwd"), numbers)
        except (OSError, ValueError) as error:
            print(f"An ordinary kernel, not a warm one: {error}", file=sys.stderr, flush=True)
            return await super().launch_kernel(cmd, **how)
        self.pid = self.process.pid
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and see it end, which jupyter_client would only notice a tenth of a second later."""
        await super().kill(restart)
        if self.process:
            with suppress(TimeoutExpired):
                self.process.wait(1.0)  # it has ended long before


def _ask(
    folder: str, arguments: list[str], environment: dict[str, str], place: str | None, streams: list[int]
) -> "_Kernel":
    """Have the server in a folder fork a kernel; `OSError` if there is none, `ValueError` with the reason if it must not."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")  # to set it would be seen by other threads
    umask = int(status.partition("Umask:")[2].split()[0], 8)
    asked = {"python": sys.executable, "folder": place or str(Path.cwd()), "umask": umask}
    asked |= {"asker": os.getpid(), "arguments": arguments, "environment": environment}
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE_SECONDS)
    try:
        state = os.fstat(handle)
        if state.st_uid != os.geteuid() or state.st_mode & 0o077:
            raise ValueError(f"{folder} is not private")
        line.connect(f"/proc/self/fd/{handle}/socket")  # the folder that was looked at, however long its path
        if not line.recv(1):  # until then our streams stay here: one that hangs would hold them open
            raise ValueError("the server is busy")
        socket.send_fds(line, [b"!"], streams)
        line.sendall(json.dumps(asked).encode() + b"\n")
        answer = line.recv(1000).decode()
        if not answer.isdecimal():
            raise ValueError(answer or "the server gave no answer")
        line.sendall(b"go")  # no kernel ever starts for who has given up
    except BaseException:
        line.close()
        raise
    finally:
        os.close(handle)
    line.settimeout(None)
    # Until it listens: who calls before is heard a tenth of a second later.
    select([line], [], [], PATIENCE_SECONDS)
    return _Kernel(line, int(answer))


class _Kernel:
    """A kernel that a server has forked, as a child of `subprocess`: its line tells that it listens, and by its end that it has ended."""

    stdin = stdout = stderr = None

    def __init__(self, line: socket.socket, pid: int) -> None:
        self.line, self.pid = line, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """1 once it has ended, however it did; None while it runs."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end, or for so many seconds."""
        while self.returncode is None and select([self.line], [], [], timeout)[0]:
            if not self.line.recv(1):
                self.send_signal(signal.SIGKILL)  # what it left running
                self.returncode = 1
                self.line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it and the children that stay in its group."""
        with suppress(ProcessLookupError):
            if self.returncode is None:
                os.killpg(self.pid, number)
