"""The command of a warm kernelspec: have a server fork the kernel and stand in for it, or be an ordinary one.

Run as ``python -S -E stub.py FOLDER ARGUMENTS``: the server whose socket is in FOLDER is asked for a kernel
with these arguments. If FOLDER is "shared" it is the one of all programs of a user; if none runs, this kernel
is an ordinary one and a server is started for the next. Jupyter sees this process only: it passes interrupts
on and ends as the kernel ends; if it is killed, the operating system kills the kernel.
"""
# ruff: noqa: PTH100, PTH103, PTH109, PTH118, PTH120

import os
import signal
import socket
import sys
from binascii import crc32
from select import select

# No more than that: this starts with every kernel, and pathlib or contextlib take longer than the fork.

PATIENCE_SECONDS = 3.0
"""A server that has not answered by then is given up."""

IDLE_SECONDS = 600
"""After so long without a kernel the shared server ends."""

READY = b"+"
"""What a kernel says once it listens."""

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.py")


def main() -> None:
    """Ask for a kernel and follow it; without one, become an ordinary kernel."""
    parent, (folder, *arguments) = os.getppid(), sys.argv[1:]
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which an ordinary kernel would inherit
    kernel = None
    try:
        if sys.platform == "linux" and not os.environ.get("TRADEGOALS_COLD"):
            kernel = _ask_shared(arguments) if folder == "shared" else ask(folder, arguments)
    except (OSError, ValueError) as error:
        print(f"An ordinary kernel, not a warm one: {error}", file=sys.stderr, flush=True)
    if kernel is None:
        os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *arguments])
    follow(kernel, parent)


def ask(
    folder: str,
    arguments: list[str],
    environment: dict[str, str] | None = None,
    place: str | None = None,
    stdin: int = 0,
) -> "Kernel":
    """Have the server in a folder fork a kernel, which ends when this process does.

    Parameters
    ----------
    folder, arguments : of the server; of the kernel's command line.
    environment, place, stdin : the kernel's variables, folder and input; by default those of this process.

    Raises
    ------
    OSError
        FileNotFoundError or ConnectionRefusedError if there is no server, TimeoutError if it hangs.
    ValueError
        With the reason, if the server must not serve this request, or if the folder is not private.
    """
    os.umask(umask := os.umask(0o077))
    fields = [
        sys.executable,
        place or os.getcwd(),
        str(umask),
        str(os.getpid()),
        str(len(arguments)),
        *arguments,
    ]
    fields += [f"{name}={value}" for name, value in (environment or os.environ).items()]
    request = os.fsencode("\0".join(fields))
    line = _connect(folder)
    try:
        if not line.recv(1):  # until then our streams stay here: one that hangs would hold them open
            raise ValueError("the server is busy")
        socket.send_fds(line, [len(request).to_bytes(4, "big")], [stdin, 1, 2])
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


def _ask_shared(arguments: list[str]) -> Kernel | None:
    """A kernel of the user's shared server; if there is none, one is started, and this answers None."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"
    folder = os.path.join(base, f"tradegoals-{os.getuid()}-{crc32(os.fsencode(sys.executable + SERVER)):08x}")
    try:
        return ask(folder, arguments)
    except (FileNotFoundError, ConnectionRefusedError):
        _start_server(folder)
        return None


def _start_server(folder: str) -> None:
    """Start a server apart from this process; of several started at once, the folder's lock leaves one."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(null, descriptor)
            os.execv(sys.executable, [sys.executable, SERVER, folder, str(IDLE_SECONDS)])
    finally:
        os._exit(0)


def follow(kernel: Kernel, parent: int) -> None:
    """Pass interrupts on to the kernel until it ends, and end likewise; or end when the client is gone."""
    signal.signal(signal.SIGINT, lambda *_: kernel.send_signal(signal.SIGINT))
    ends = _client_ends(parent)
    while (code := kernel.poll()) is None:
        if kernel.line.fileno() not in select([kernel.line.fileno(), *ends], [], [])[0]:
            os._exit(1)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _client_ends(parent: int) -> list[int]:
    """What becomes readable as the client ends; nothing for a kernel that shall outlive its client."""
    client = os.environ.get("JPY_PARENT_PID")
    if not client:
        return []
    try:
        ends = [os.pidfd_open(parent), os.pidfd_open(int(client))]
    except OSError:
        os._exit(1)
    if os.getppid() != parent:  # it ended before
        os._exit(1)
    return ends


if __name__ == "__main__":
    main()
