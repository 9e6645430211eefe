"""The server of warm kernels: import the stack once, then fork a kernel for everyone who asks.

Run as ``python warm_server.py FOLDER PARENT [lib]``, as a file, so that it loads no more than it says. It listens on
a socket in FOLDER, which is private to the user, and ends when its parent is no longer PARENT. With `lib` it imports
that, too, and reads the kept tables: `lib.tables` looks whether they have changed, and tells their use.

A fork is a true copy only of a process with one thread, and the kernel is the one that would have started by
itself only if nothing that decides an import differs. Both are checked; where they do not hold, who asks starts
an ordinary kernel. What all kernels of a server share is the seed of Python's string hashes.
"""

import fcntl
import gc
import importlib.util
import io
import json
import os
import resource
import select
import signal
import site
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PRELOAD = Path(__file__).with_name("preload.txt").read_text(encoding="utf-8")
# What notebooks and kernels import. Not the inline backend: loaded outside a shell it shows no figure, ever.

READ_ONCE = """
ARROW_ GLIBC_ HOME KMP_ LANG LC_ LD_ MALLOC_ MATPLOTLIB MKL_ MPLCONFIGDIR NPY_ NUMPY_ OMP_ OPENBLAS_ PANDAS
PYTHON SCIPY_ XDG_CACHE XDG_CONFIG
"""
# Beginnings of the names of variables that the interpreter and the stack read when they are loaded.

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
INLINE_BACKEND = "module://matplotlib_inline.backend_inline"
WAIT_SECONDS = 1.0  # for one who asks, and before it is seen that the parent is gone


@dataclass
class _Server:
    """The socket, and what was preloaded."""

    listener: socket.socket
    files: dict[str, Any]  # with their state; of packages the folder, for no author edits them
    environment: dict[str, str]  # that was seen
    added: dict[str, str]  # to the environment, by what was imported
    modules: list[str]  # their files, as ipykernel lists them

    def changed_file(self) -> str | None:
        """A file or folder of packages that is no longer what it was."""
        return next((path for path, state in self.files.items() if _fingerprint(path) != state), None)

    def serve(self, parent: int) -> Any:
        """Fork kernels until the end; None in the server, and in a fork the request to fulfil."""
        while os.getppid() == parent and self.listener.fileno() >= 0:
            asked = select.select([self.listener], [], [], WAIT_SECONDS)[0]
            if asked and (request := self.admit()) and self.is_fork(request):
                return request
        return None

    def admit(self) -> Any:
        """The next request, with the `line` to who asks, its `streams`, and why it must not be served, if so; or None."""
        line, _ = self.listener.accept()
        line.settimeout(WAIT_SECONDS)
        try:
            line.sendall(b"?")
            _, streams, *_ = socket.recv_fds(line, 1, 3)
            with line.makefile() as reader:
                request = SimpleNamespace(line=line, streams=streams, **json.loads(reader.readline()))
        except (OSError, ValueError, TypeError):  # who asked has gone, or is none of us
            line.close()
            return None
        if changed := self.changed_file():  # for good: leave the folder to a new server
            Path("socket").unlink(missing_ok=True)
            self.listener.close()
        request.reason = changed or _unfit(request, self.environment)
        return request

    def is_fork(self, request: Any) -> bool:
        """Whether this is now the new kernel, where nothing of the server stays open; or still the server."""
        pid = -1
        # Who asks has gone; or no memory, or too many processes: an empty answer is a no.
        with suppress(OSError):
            if request.reason:
                request.line.sendall(f"{request.reason} differs from what the server has loaded".encode())
            else:
                pid = os.fork()
        if pid == 0:
            self.listener.close()
            return True
        request.line.close()
        for stream in request.streams:
            os.close(stream)
        return False


def _main() -> None:
    """Preload, serve, and in a forked process become the kernel."""
    os.chdir(sys.argv[1])
    os.umask(0o077)
    parent, packages = int(sys.argv[2]), sys.argv[3:]
    server = _preload(parent, "lib" in packages)
    signal.signal(signal.SIGCHLD, _bury)
    if request := server.serve(parent):
        _run_kernel(request, server)
    else:
        os._exit(0)  # the usual way would take all apart that was loaded


def _bury(*_: Any) -> None:
    """Kill what kernels that have ended left running, before the wait: until then nobody else can have their numbers."""
    with suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            with suppress(OSError):
                os.killpg(ended.si_pid, signal.SIGKILL)
            os.waitpid(ended.si_pid, 0)


def _preload(parent: int, with_library: bool) -> _Server:
    """A server that has imported the stack, in one thread and as a kernel that starts in this environment would import it."""
    if Path(sys.path[0]) == Path(__file__).parent:
        del sys.path[0]
    # Many containers forbid it; compiled once, the next server starts in half the time.
    sys.dont_write_bytecode = False
    given = dict(os.environ)
    os.environ.update(dict.fromkeys(THREADS, "1"), JE_ARROW_MALLOC_CONF="background_thread:false")
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # a message of the debugger's that no cell ever shows
    os.environ.pop("MPLBACKEND", None)  # each kernel has its own
    before = dict(os.environ)
    places = [*site.getsitepackages(), site.getusersitepackages()]
    for place in places:
        with suppress(OSError):  # it is read-only, or not there
            Path(place, "__pycache__").mkdir(exist_ok=True)  # else what is compiled first changes its folder
    files = {path: _fingerprint(path) for path in places}
    for name in PRELOAD.split():
        if os.getppid() != parent:
            sys.exit()
        with suppress(ModuleNotFoundError):  # not installed, and not missed here
            importlib.import_module(name)
    if with_library:
        with suppress(Exception):  # it is not installed, or just being edited: each kernel will say so itself
            _import_library()
    _draw()
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("No warm kernels: a package has started a thread while it was imported.")
    import matplotlib

    matplotlib.rcParams["backend"] = INLINE_BACKEND  # looks once for all packages that have a backend
    modules = [path for one in list(sys.modules.values()) if (path := getattr(one, "__file__", None))]
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, what the kernels share
    added = {name: value for name, value in os.environ.items() if name not in before}
    own = [matplotlib.matplotlib_fname(), *(path for path in modules if not path.startswith(tuple(places)))]
    listener = socket.socket(socket.AF_UNIX)
    Path("socket").unlink(missing_ok=True)  # of a server before us, which was killed
    listener.bind("socket")
    listener.listen(128)
    with suppress(OSError):  # the driver has gone
        os.write(1, b"ready\n")
    return _Server(listener, files | {path: _fingerprint(path) for path in own}, given, added, modules)


def _draw() -> None:
    """Draw once what is thrown away: of much that drawing needs the first use is dear, and each kernel has one."""
    import pandas as pd
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    figure.subplots().plot(pd.Series(range(24), pd.date_range("2012-01-01", periods=24, freq="MS")))
    figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")


def _import_library() -> None:
    """Import what notebooks may import of `lib`: a quarter of a second of each run otherwise."""
    folder = Path(importlib.import_module("lib").__path__[0])
    for path in (path for place in (".", "plots", "analysis") for path in (folder / place).glob("[!_]*.py")):
        with suppress(Exception):
            importlib.import_module(".".join(("lib", *path.relative_to(folder).with_suffix("").parts)))
    importlib.import_module("lib.tools.run.opened")  # which notes the files that a run opens
    importlib.import_module("lib.spoken").read_goal("25 %")  # compiles the patterns of goals
    loaders = vars(importlib.import_module("lib.figures"))
    for name in [name for name in loaders if name.startswith("load_")]:
        loaders[name]()
    reference = importlib.import_module("lib.reference")
    for path in reference.reference_folder().rglob("*.*"):
        match path.suffix:
            case ".csv":
                reference.read_kept(path.name)
            case ".parquet":
                reference.read_scores(path.stem)


def _fingerprint(path: str) -> tuple[int, int] | None:
    """Time of change and size: of a file, or of a folder, which changes when a package comes or goes."""
    with suppress(OSError):
        status = os.stat(path)  # noqa: PTH116 - thousands of files for each kernel
        return status.st_mtime_ns, status.st_size
    return None


def _unfit(request: Any, environment: dict[str, str]) -> str | None:
    """What would have made an ordinary kernel load other things than this server has, if anything."""
    if request.python != sys.executable:
        return request.python
    one_thread = dict.fromkeys(THREADS, "1")
    seen, asked = one_thread | environment | one_thread, one_thread | request.environment
    for name in sorted(seen.keys() | asked.keys()):
        if name.startswith(tuple(READ_ONCE.split())) and seen.get(name) != asked.get(name):
            return name
    loaded = {"matplotlibrc", *(name.partition(".")[0] for name in sys.modules)}
    with suppress(OSError):
        for path in Path(request.folder).iterdir():  # a kernel looks for modules in its own folder first
            # This may be what was loaded, as `lib` in the checkout.
            own = str(path.resolve() / "__init__.py")
            is_module = path.stem in loaded and (path.is_file() or Path(own).exists())
            if is_module and getattr(sys.modules.get(path.name), "__file__", None) != own:
                return path.name
        return None
    return f"{request.folder}, which cannot be listed,"


def _run_kernel(request: Any, server: _Server) -> None:
    """Become an ordinary kernel in the circumstances of who asked, who then says go."""
    _take_over(request, server.added)
    _hold_to(request.line)
    import matplotlib
    from ipykernel import ipkernel
    from ipykernel.kernelapp import IPKernelApp

    matplotlib.rcParams["backend"] = os.environ.get("MPLBACKEND") or INLINE_BACKEND
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *request.arguments]
    app = IPKernelApp.instance(parent_handle=1)  # 1: do not watch the parent: the line does
    # The kernel would look at every module for the list that its debugger gets, and so copy a third of what it shares.
    vars(ipkernel)["sys"] = SimpleNamespace(modules={})
    app.initialize(request.arguments)
    vars(ipkernel)["sys"] = sys
    app.kernel._kernel_modules = server.modules
    if app.kernel.debugger:
        app.kernel.debugger.kernel_modules = server.modules
    with suppress(OSError):  # whoever asked is just ending
        request.line.sendall(b"+")
    app.start()


def _take_over(request: Any, added: dict[str, str]) -> None:
    """Take the streams, environment, folder and limits of who asked, and random numbers of one's own."""
    import numpy as np

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the kernel is ready for interrupts
    for target, stream in enumerate(request.streams):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()
    os.environ.update(added | request.environment)
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    time.tzset()
    os.umask(request.umask)
    os.chdir(request.folder)
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            limit = getattr(resource, name)
            resource.setrlimit(limit, resource.prlimit(request.asker, limit))
    np.random.seed()  # noqa: NPY002 - the module `random` does so by itself
    for place in [place for place, finder in sys.path_importer_cache.items() if finder is None]:
        del sys.path_importer_cache[place]  # there may be a folder now; what is in others, their finders see


def _hold_to(line: socket.socket) -> None:
    """Wait for the go of who asked, then have Linux kill this group as soon as that process is no more (fcntl(2)).

    It does so even while a cell never lets go of the interpreter, and after the server has been killed.
    """
    fcntl.fcntl(line, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(line, fcntl.F_SETSIG, signal.SIGKILL)
    with suppress(OSError):  # who has given up is no more
        line.sendall(str(os.getpid()).encode())
    if line.recv(2) != b"go":
        os._exit(1)
    fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([line], [], [], 0)[0]:  # it went in between
        os._exit(1)
    # Of a kernel and the children that it forks, the kernel's end is to close the line.
    os.register_at_fork(after_in_child=line.close)


if __name__ == "__main__":
    _main()
