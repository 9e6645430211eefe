"""The server of warm kernels: import the stack once, then fork a kernel for every stub that asks.

Run as ``python server.py FOLDER IDLE_SECONDS [PARENT]``. It listens on a socket in FOLDER, which is private
to the user, and ends after so long without a kernel, or when its parent is no longer PARENT. A server with a parent
serves one command and imports `lib`, too; that of an author, who edits `lib` between two kernels, does not. Of
data it reads no more than the kept tables: `lib.tables` looks whether they have changed, and tells their use.

A fork is a true copy only of a process with one thread, and the kernel is the one that would have started by
itself only if nothing that decides an import differs. Both are checked; where they do not hold, the stub
becomes an ordinary kernel. What all kernels of a server share is the seed of Python's string hashes.
"""

import compileall
import fcntl
import gc
import importlib
import importlib.util
import os
import pkgutil
import re
import resource
import select
import signal
import site
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

PRELOAD = """
numpy pandas pandas.io.formats.style pyarrow.pandas_compat pyarrow.parquet scipy.special scipy.stats
matplotlib.pyplot matplotlib.backends.backend_agg seaborn statsmodels.api scoringrules yaml
pydantic tornado.platform.asyncio
IPython.core.completerlib IPython.core.debugger IPython.core.logger IPython.core.oinspect IPython.core.pylabtools
IPython.extensions.storemagic ipykernel.debugger ipykernel.kernelapp faulthandler sqlite3
PIL.BmpImagePlugin PIL.GifImagePlugin PIL.JpegImagePlugin PIL.PpmImagePlugin PIL.PngImagePlugin
pandas.io.formats.html pandas.io.formats.string pandas.core.reshape.reshape pyarrow.dataset pyarrow.vendored.version
matplotlib.patheffects
"""
# What notebooks and kernels import. Not the inline backend: loaded outside a shell it shows no figure, ever; it is
# compiled, at least.

READ_ONCE = """
ARROW_ GLIBC_ HOME KMP_ LANG LC_ LD_ MALLOC_ MATPLOTLIB MKL_ MPLCONFIGDIR NPY_ NUMPY_ OMP_ OPENBLAS_ PANDAS
PYTHON SCIPY_ XDG_CACHE XDG_CONFIG
"""
# Beginnings of the names of variables that the interpreter and the stack read when they are loaded.

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

INLINE_BACKEND = "module://matplotlib_inline.backend_inline"

MOST_KERNELS = 200  # each takes two descriptors of the 1024 that select can watch
WAIT_SECONDS = 1.0  # for a stub that asks, and before it is seen that the parent is gone
PACKAGES_SECONDS = 1.0  # for so long the files of packages, which are thousands, are taken for unchanged


class Request(NamedTuple):
    """What a stub asks for: a kernel with these arguments, in the stub's own circumstances."""

    line: socket.socket
    streams: list[int]
    python: str
    folder: str
    umask: int
    stub: int
    arguments: list[str]
    environment: dict[str, str]


@dataclass
class Stack:
    """What was preloaded: the state of its files, the environment that it saw, and what it added to that.

    `packages` are the files below the folders of packages, which no author edits, `files` all others; `modules` are
    the files of all modules as ipykernel lists them.
    """

    files: dict[str, tuple[int, int] | None]
    environment: dict[str, str]
    added: dict[str, str]
    packages: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    looked: float = 0.0

    def changed_file(self) -> str | None:
        """A file or folder of packages that is no longer what it was."""
        files = self.files
        if time.monotonic() > self.looked + PACKAGES_SECONDS:
            files = files | self.packages
        if changed := next((path for path, state in files.items() if fingerprint(path) != state), None):
            return changed
        if files is not self.files:
            self.looked = time.monotonic()
        return None


@dataclass
class Server:
    """The socket, the lock on its folder, and by handle the kernels: process id and line to the stub."""

    listener: socket.socket
    lock: int
    stack: Stack
    kernels: dict[int, tuple[int, socket.socket]] = field(default_factory=dict)

    def serve(self, idle: float, parent: int) -> Request | None:
        """Fork kernels until the end; None in the server, and in a fork the request to fulfil."""
        last = time.monotonic()
        while not parent or os.getppid() == parent:
            listening = [self.listener.fileno()] if self.listener.fileno() >= 0 else []
            if not self.kernels and (not listening or time.monotonic() > last + idle):
                return None
            for ready in select.select([*listening, *self.kernels], [], [], WAIT_SECONDS)[0]:
                last = time.monotonic()
                if ready in self.kernels:
                    self.bury(ready)
                elif (request := self.admit()) and self.fork(request) == 0:
                    return request
        return None

    def admit(self) -> Request | None:
        """The next request; None, after a word to its stub, if it must not be served."""
        line, _ = self.listener.accept()
        line.settimeout(WAIT_SECONDS)
        try:
            if len(self.kernels) >= MOST_KERNELS:
                raise ValueError
            line.sendall(b"?")
            request = _read_request(line)
        except (OSError, ValueError, TypeError):  # the stub has gone, or is none
            line.close()
            return None
        if changed := self.stack.changed_file():  # for good: leave the folder to a new server
            Path("socket").unlink(missing_ok=True)
            self.close()
            say("gone")
        if not (reason := changed or unfit(request, self.stack.environment)):
            return request
        with suppress(OSError):
            line.sendall(f"{reason} differs from what the server has loaded".encode())
        line.close()
        _close_all(request.streams)
        return None

    def fork(self, request: Request) -> int:
        """The process id of a new kernel; 0 in the kernel itself, where nothing of the server stays open."""
        try:
            pid = os.fork()
        except OSError:  # no memory, or too many processes; the stub takes an empty answer for a no
            pid = -1
        if pid:
            _close_all(request.streams)
        if pid < 0:
            request.line.close()
        elif pid:
            self.kernels[os.pidfd_open(pid)] = pid, request.line
        else:
            self.close()
            _close_all(self.kernels)
            for _, line in self.kernels.values():
                line.close()
        return pid

    def bury(self, handle: int) -> None:
        """Take note of a kernel's end: kill what it left running, and tell its stub how it ended."""
        pid, line = self.kernels.pop(handle)
        _kill_group(pid)  # before the wait: until then nobody else can have this number
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):
            line.sendall(str(status).encode())
        line.close()
        os.close(handle)

    def close(self) -> None:
        """Let go of the socket and the folder."""
        self.listener.close()
        os.close(self.lock)


def main() -> None:
    """Preload, serve, and in a forked process become the kernel."""
    folder, idle, parent = Path(sys.argv[1]), float(sys.argv[2]), int((*sys.argv, "0")[3])
    os.chdir(folder)
    os.umask(0o077)
    lock = os.open("lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # another server has this folder
        return
    stack = preload(parent)
    server, own = Server(listen(), lock, stack), os.getpid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    request = None
    try:
        request = server.serve(idle, parent)
    except SystemExit:  # asked to end
        pass
    finally:
        if os.getpid() == own:
            for pid, _ in server.kernels.values():
                _kill_group(pid)
    if not request:
        os._exit(0)  # the usual way would take all apart that was loaded
    _run_kernel(request, stack)


def preload(parent: int) -> Stack:
    """Import the stack, in one thread and as a kernel that starts in this environment would import it.

    Beside a parent `lib`, too, and only as long as the parent is there.
    """
    if Path(sys.path[0]) == Path(__file__).parent:
        del sys.path[0]
    given = dict(os.environ)
    os.environ.update(dict.fromkeys(THREADS, "1"), JE_ARROW_MALLOC_CONF="background_thread:false")
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # a message of the debugger's that no cell ever shows
    os.environ.pop("MPLBACKEND", None)  # each kernel has its own
    before = dict(os.environ)
    places = [*site.getsitepackages(), site.getusersitepackages()]
    for place in places:
        with suppress(OSError):  # it is read-only, or not there
            Path(place, "__pycache__").mkdir(
                exist_ok=True
            )  # else the first module compiled changes its folder
    files = {path: fingerprint(path) for path in places}
    usual, sys.dont_write_bytecode = sys.dont_write_bytecode, False  # compiled once, the next starts faster
    for name in PRELOAD.split():
        if parent and os.getppid() != parent:
            sys.exit()
        with suppress(ModuleNotFoundError):  # not installed, and not missed here
            importlib.import_module(name)
    inline = importlib.util.find_spec(INLINE_BACKEND.partition(".")[0].removeprefix("module://"))
    for place in (inline and inline.submodule_search_locations) or ():
        compileall.compile_dir(place, quiet=2)
    if parent:
        _import_library()
    sys.dont_write_bytecode = usual
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("No warm kernels: a package has started a thread while it was imported.")
    import matplotlib

    matplotlib.rcParams["backend"] = INLINE_BACKEND  # looks once for all packages that have a backend
    sources = [matplotlib.matplotlib_fname(), str(Path(__file__).with_name("stub.py"))]
    sources += (modules := _module_files())
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, what the kernels share
    added = {name: value for name, value in os.environ.items() if name not in before}
    state = {path: fingerprint(path) for path in sources}
    packages = {path: state.pop(path) for path in sources if path in state and path.startswith(tuple(places))}
    return Stack(files | state, given, added, packages, modules)


def _module_files() -> list[str]:
    return [name for module in list(sys.modules.values()) if (name := getattr(module, "__file__", None))]


def _import_library() -> None:
    """Import what notebooks may import of `lib`: a quarter of a second of each run otherwise."""
    try:
        package = importlib.import_module("lib")
    except Exception:  # not installed, or just being edited: each kernel will say so itself
        return
    folders = {"lib.": Path(package.__path__[0])}
    folders |= {f"lib.{name}.": folders["lib."] / name for name in ("plots", "analysis")}
    for prefix, folder in folders.items():
        for found in pkgutil.iter_modules([str(folder)], prefix):
            if found.name not in ("lib.tools", "lib.research"):
                with suppress(Exception):
                    importlib.import_module(found.name)
    with suppress(Exception):  # which notes the files that a run opens
        importlib.import_module("lib.tools.run.opened")
    with suppress(Exception):  # a table with a fault: each kernel will say so itself
        loaders = vars(importlib.import_module("lib.figures"))
        for name in filter(re.compile("load_").match, loaders):
            loaders[name]()


def fingerprint(path: str) -> tuple[int, int] | None:
    """Time of change and size: of a file, or of a folder, which changes when a package comes or goes."""
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of files for each kernel
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def listen() -> socket.socket:
    """A socket for its owner only. A dead server's may be in the way: nobody else's, for we hold the lock."""
    Path("socket").unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    listener.listen(128)
    say("ready")
    return listener


def say(word: str) -> None:
    """Tell the driver, unless it has gone."""
    with suppress(OSError):
        os.write(1, f"{word}\n".encode())


def _read_request(line: socket.socket) -> Request:
    """Read what a stub sends: its standard streams, the length of the rest, and the rest."""
    size, streams, *_ = socket.recv_fds(line, 4, 3)
    with line.makefile("rb") as reader:
        fields = os.fsdecode(reader.read(int.from_bytes(size, "big"))).split("\0")
    python, folder, umask, stub, count, *rest = fields
    environment = dict(variable.split("=", 1) for variable in rest[int(count) :])
    return Request(line, streams, python, folder, int(umask), int(stub), rest[: int(count)], environment)


def unfit(request: Request, environment: dict[str, str]) -> str | None:
    """What would have made an ordinary kernel load other things than this server has, if anything."""
    if request.python != sys.executable:
        return request.python
    one_thread = dict.fromkeys(THREADS, "1")
    seen, asked = one_thread | environment | one_thread, one_thread | request.environment
    for name in sorted(seen.keys() | asked.keys()):
        if name.startswith(tuple(READ_ONCE.split())) and seen.get(name) != asked.get(name):
            return name
    loaded = {"matplotlibrc", *(name.partition(".")[0] for name in sys.modules)}
    for path in Path(request.folder).iterdir():  # a kernel looks for modules in its own folder first
        if (
            path.stem in loaded
            and (path.is_file() or (path / "__init__.py").exists())
            and not _is_loaded(path)
        ):
            return path.name
    return None


def _is_loaded(package: Path) -> bool:
    """Whether it is this very folder that a package was loaded from, as `lib` in the checkout."""
    file = getattr(sys.modules.get(package.name), "__file__", None)
    return file is not None and Path(file) == package.resolve() / "__init__.py"


def _close_all(descriptors: Iterable[int]) -> None:
    """Close files by number."""
    for descriptor in descriptors:
        os.close(descriptor)


def _kill_group(leader: int) -> None:
    """Kill a kernel and its children, but for those that have left its group."""
    with suppress(OSError):
        os.killpg(leader, signal.SIGKILL)


def _run_kernel(request: Request, stack: Stack) -> None:
    """Become an ordinary kernel in the stub's circumstances, once the stub says go."""
    _take_over(request, stack.added)
    _hold_to(request.line)
    import matplotlib
    from ipykernel import ipkernel
    from ipykernel.kernelapp import IPKernelApp

    matplotlib.rcParams["backend"] = os.environ.get("MPLBACKEND") or INLINE_BACKEND
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *request.arguments]
    app = IPKernelApp.instance(parent_handle=1)  # 1: do not watch the parent, the stub does
    # The kernel would look at every module for the list that its debugger gets, and so copy a third of what it shares.
    vars(ipkernel)["sys"] = SimpleNamespace(modules={})
    app.initialize(request.arguments)
    vars(ipkernel)["sys"] = sys
    app.kernel._kernel_modules = stack.modules
    if app.kernel.debugger:
        app.kernel.debugger.kernel_modules = stack.modules
    with suppress(OSError):  # whoever asked is just ending
        request.line.sendall(b"+")
    app.start()


def _take_over(request: Request, added: dict[str, str]) -> None:
    """Take the stub's streams, environment, folder and limits, and random numbers of one's own."""
    import numpy as np

    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the kernel is ready for interrupts
    for target, stream in enumerate(request.streams):
        os.dup2(stream, target)
    _close_all(request.streams)
    os.environ.clear()
    os.environ.update(added | request.environment)
    time.tzset()
    os.umask(request.umask)
    os.chdir(request.folder)
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            limit = getattr(resource, name)
            resource.setrlimit(limit, resource.prlimit(request.stub, limit))
    np.random.seed()  # noqa: NPY002 - the module `random` does so by itself
    for place in [place for place, finder in sys.path_importer_cache.items() if finder is None]:
        del sys.path_importer_cache[place]  # there may be a folder now; what is in others, their finders see


def _hold_to(line: socket.socket) -> None:
    """Wait for the stub's go, then have the operating system kill this group as soon as the stub is no more.

    The kernel of Linux does this (signal-driven input, fcntl(2)): even while a cell never lets go of the
    interpreter, where no thread of ours could run, and after the server has been killed.
    """
    fcntl.fcntl(line, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(line, fcntl.F_SETSIG, signal.SIGKILL)
    with suppress(OSError):  # a stub that has given up is no more
        line.sendall(str(os.getpid()).encode())
    if line.recv(2) != b"go":
        os._exit(1)
    fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([line], [], [], 0)[0]:  # it went in between
        os._exit(1)
    # Of a kernel and the children that it forks, the kernel's end is to close the line.
    os.register_at_fork(after_in_child=line.close)


if __name__ == "__main__":
    main()
