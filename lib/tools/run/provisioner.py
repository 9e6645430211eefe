"""The provisioner `tradegoals`, by which Jupyter starts warm kernels: a server forks them, or they are ordinary ones.

The kernelspec of a warm kernel (`lib.tools.run.kernels`) names it, and the folder of the server. To Jupyter the
kernel is a child like others; as soon as the process that asked for it ends, the operating system kills it.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from select import select
from subprocess import DEVNULL, PIPE, TimeoutExpired
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from lib.tools.run import kernels

PATIENCE_SECONDS = 3.0  # a server that has not answered by then is given up
KILL_SECONDS = 1.0  # a kernel that was killed has ended long before
READY = b"+"  # what a kernel says once it listens


class Provisioner(LocalProvisioner):
    """Has the server of a warm kernelspec fork the kernel."""

    process: Any = None

    async def launch_kernel(self, cmd: list[str], **how: Any) -> Any:
        """Start the kernel: warm, or, where no server can serve, an ordinary one, saying why."""
        variables = how["env"] | {"JPY_PARENT_PID": str(os.getpid())}
        server = self.kernel_spec.metadata.get(kernels.SERVER)
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
                folder = server or kernels.own_server()
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
                self.process.wait(KILL_SECONDS)


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
    select([line], [], [], PATIENCE_SECONDS)  # for READY: who calls before is heard a tenth of a second later
    return _Kernel(line, int(answer))


class _Kernel:
    """A kernel that a server has forked, as a child of `subprocess`: on its line come `READY`, and at its end its status."""

    stdin = stdout = stderr = None

    def __init__(self, line: socket.socket, pid: int) -> None:
        self.line, self.pid = line, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, negative by a signal; None while it runs."""
        while self.returncode is None and select([self.line], [], [], 0)[0]:
            said = self.line.recv(20)
            if not said:  # the server was killed before: what the kernel left running is for us to end
                self.send_signal(signal.SIGKILL)
                self.returncode = 1
            elif status := said.removeprefix(READY):
                self.returncode = os.waitstatus_to_exitcode(int(status))
            if self.returncode is not None:
                self.line.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end, or for so many seconds."""
        while self.poll() is None and select([self.line], [], [], timeout)[0]:
            pass
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it and the children that stay in its group."""
        with suppress(ProcessLookupError):
            if self.returncode is None:
                os.killpg(self.pid, number)
