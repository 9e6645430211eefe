"""The provisioner `tradegoals`, by which Jupyter starts warm kernels: a server forks them, or they are ordinary ones.

The kernelspec of a warm kernel (`lib.tools.run.kernels`) names it, and the folder of the server. To Jupyter the
kernel is a child like others; as soon as the process that asked for it ends, the operating system kills it.
"""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from select import select
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from lib.tools.run import kernels

PATIENCE_SECONDS = 3.0
"""A server that has not answered by then is given up."""

READY = b"+"
"""What a kernel says once it listens."""


class Provisioner(LocalProvisioner):
    """Has the server of a warm kernelspec fork the kernel, and knows by an event when a kernel ends.

    jupyter_client's own looks ten times a second.
    """

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
                shown = [_number(how.get(name), usual) for name, usual in (("stdout", 1), ("stderr", 2))]
                streams = [nothing.fileno() if number < 0 else number for number in (-1, *shown)]
                self.process = ask(
                    server or kernels.own_server(), arguments, variables, how.get("cwd"), streams
                )
        except (OSError, ValueError) as error:
            print(f"An ordinary kernel, not a warm one: {error}", file=sys.stderr, flush=True)
            return await super().launch_kernel(cmd, **how)
        self.pid = self.process.pid
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait until the kernel has ended."""
        if sys.platform == "linux" and self.process and self.process.poll() is None:
            warm = isinstance(self.process, Kernel)
            handle = os.dup(self.process.line.fileno()) if warm else os.pidfd_open(self.process.pid)
            try:
                while self.process.poll() is None:
                    await readable(handle)
            finally:
                os.close(handle)
        return await super().wait()


def _number(stream: Any, usual: int) -> int:
    """The descriptor of a stream that a kernel was given as `subprocess` knows it; negative where it has none."""
    return usual if stream is None else int(stream if isinstance(stream, int) else stream.fileno())


async def readable(handle: int) -> None:
    """Wait until something can be read."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(handle, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(handle)


def ask(
    folder: str, arguments: list[str], environment: dict[str, str], place: str | None, streams: list[int]
) -> "Kernel":
    """Have the server in a folder fork a kernel, which ends when this process does.

    Parameters
    ----------
    folder, arguments : of the server; of the kernel's command line.
    environment, place, streams : the kernel's variables, folder (by default ours), and standard streams.

    Raises
    ------
    OSError
        FileNotFoundError or ConnectionRefusedError if there is no server, TimeoutError if it hangs.
    ValueError
        With the reason, if the server must not serve this request, or if the folder is not private.
    """
    os.umask(umask := os.umask(0o077))
    fields = [sys.executable, place or str(Path.cwd()), str(umask), str(os.getpid()), str(len(arguments))]
    fields += [*arguments, *(f"{name}={value}" for name, value in environment.items())]
    request = os.fsencode("\0".join(fields))
    line = _connect(folder)
    try:
        if not line.recv(1):  # until then our streams stay here: one that hangs would hold them open
            raise ValueError("the server is busy")
        socket.send_fds(line, [len(request).to_bytes(4, "big")], streams)
        line.sendall(request)
        answer = line.recv(1000).decode()
        if not answer.isdecimal():
            raise ValueError(answer or "the server gave no answer")
        line.sendall(b"go")  # no kernel ever starts for who has given up
        line.settimeout(None)
    except BaseException:
        line.close()
        raise
    return Kernel(line, int(answer))


def _connect(folder: str) -> socket.socket:
    """A line to the server in a folder, which must be private."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    line = socket.socket(socket.AF_UNIX)
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise ValueError(f"{folder} is not private")
        line.settimeout(PATIENCE_SECONDS)
        line.connect(f"/proc/self/fd/{handle}/socket")  # the folder that was looked at, however long its path
    except BaseException:
        line.close()
        raise
    finally:
        os.close(handle)
    return line


class Kernel:
    """A kernel that a server has forked, with the names that `subprocess.Popen` has for a child.

    On its line come `READY` once it listens, and at its end its status as the operating system gives it.
    """

    stdin = stdout = stderr = None

    def __init__(self, line: socket.socket, pid: int) -> None:
        self.line, self.pid, self.is_ready = line, pid, False
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, negative by a signal; None while it runs."""
        while self.returncode is None and select([self.line], [], [], 0)[0]:
            said = self.line.recv(20)
            self.is_ready |= said.startswith(READY)
            if not said:  # the server was killed before: what the kernel left running is for us to end
                self.send_signal(signal.SIGKILL)
                self.returncode = 1
            elif status := said.removeprefix(READY):
                self.returncode = os.waitstatus_to_exitcode(int(status))
            if self.returncode is not None:
                self.line.close()
        return self.returncode

    def wait(self) -> int | None:
        """Wait for its end."""
        while self.poll() is None:
            select([self.line], [], [])
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it and the children that stay in its group."""
        try:
            if self.returncode is None:
                os.killpg(self.pid, number)
        except ProcessLookupError:
            pass
