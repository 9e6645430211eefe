"""Which files a run opens to read: noted in its kernel, from before its first cell on.

The interpreter reports every file that Python opens (PEP 578), and every database that SQLite opens. What Arrow's C++
code opens it does not report: there every path goes through one of a few Python functions of pyarrow, which are
wrapped. What can be seen by no such means (`BLIND`, other programs, the network) is noted as used: its run is never up to date.

Files of Python, of installed packages and of the system do not count, nor settings in hidden folders of the user's
home, nor what the run itself has made. A compiled module counts as its source.
"""

import json
import os
import signal
import site
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec, source_from_cache
from os.path import exists, isdir, isfile, join
from types import SimpleNamespace
from typing import Any

BLIND = {
    *("_dbm", "_gdbm", "duckdb", "fiona", "h5py", "netCDF4"),
    *("osgeo", "polars", "pyogrio", "rasterio", "tables"),
}
"""Modules that open files in their own C code."""

PROGRAMS = ("os.exec", "os.posix_spawn", "os.system", "subprocess.Popen")
NETWORK = ("socket.getaddrinfo", "socket.gethostbyname")  # whoever goes there asks for an address first
PREFIX = "!"  # stands before the name of what was used unseen: a module, "another program" or "the network"
SYSTEM = ("/proc", "/sys", "/dev", "/run", "/etc", "/usr/lib", "/usr/share", "/System", "/Library")

SETTINGS = ("MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
"""Environment variables that name folders of programs' settings and caches."""


def start_line(folder: str, notes: str, megabytes: float = 0) -> str:
    """The line of Python that a kernel runs at its start; it leaves no name behind."""
    call = f"_opened.note({folder!r}, {notes!r}, {megabytes})"
    return f"import lib.tools.run.opened as _opened; {call}; del _opened"


def state_of(path: str) -> tuple[int, int, int] | None:
    """What changes when a file is written; None where there is no file. It is compared, never kept."""
    with suppress(OSError, ValueError):
        status = os.stat(path)
        return status.st_ino, status.st_mtime_ns, status.st_size
    return None


def note(folder: str, notes: str, megabytes: float = 0) -> None:
    """From now on, write every file that is opened to read to `notes`, once, as a line of JSON: ``[path, state before]``.

    All of the data folder `folder` counts. What the kernel forks is covered, and limited with it to `megabytes` of memory
    each, if that is not 0. An ordinary kernel ends with its driver, even while a cell never lets go of the interpreter.
    """
    if sys.platform == "linux" and megabytes:
        import resource

        most, (_, hard) = int(megabytes * 1e6), resource.getrlimit(resource.RLIMIT_DATA)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    if sys.platform == "linux" and os.environ.get("JPY_PARENT_PID") == str(os.getppid()):  # no warm one
        import ctypes

        # PR_SET_PDEATHSIG: the thread that follows a run starts its kernel, and outlives it, unless all are killed.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    # Kept open from the start: notes are taken even where a cell changes folder, limits or rights.
    file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    counts = _counting(os.path.realpath(folder) + os.sep)
    seen: set[str] = set()
    made: set[str] = set()

    def write(name: str, state: tuple[int, int, int] | None) -> None:
        if name not in seen:
            seen.add(name)
            os.write(file, (json.dumps([name, state]) + "\n").encode())

    def take(given: Any, how: str | None = "r", flags: int = 0, folders: bool = False) -> None:
        path = None if isinstance(given, int) else _real(given)
        if path is None or path in seen or path in made:
            return
        if flags & (os.O_TRUNC | os.O_EXCL) or (how or "r")[0] in "wx":  # nothing is left of what it held
            made.add(path)
            return
        writes = flags & (os.O_WRONLY | os.O_RDWR) == os.O_WRONLY
        appends = how[0] == "a" and "+" not in how if how else writes
        if appends or not counts(path) or path.startswith(tuple(made_folders)):
            return
        with suppress(ValueError):  # it is no name of a compiled module, which counts as its source
            source = source_from_cache(path) if path.endswith(".pyc") else path
            path = source if isfile(source) else path
        if isfile(path) or not exists(path):  # what is looked for in vain counts, too
            write(path, state_of(path))
        elif folders and isdir(path):
            write(path, state_of(path))
            for place, _, names in os.walk(path):
                for name in names:
                    take(join(place, name))

    made_folders: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            take(*arguments)
        elif event == "sqlite3.connect":
            name = os.fsdecode(arguments[0])
            if name and name != ":memory:" and "mode=memory" not in name:
                take(_local(name))
        elif event == "os.mkdir":
            if (path := _real(arguments[0])) and not isdir(path):
                made_folders.append(path + os.sep)
        elif event == "import":
            # Packages try whether one is there, as statsmodels does with polars: what is not opens nothing.
            if (name := arguments[0].partition(".")[0]) in BLIND and find_spec(name):
                write(PREFIX + name, None)
        elif event in PROGRAMS:
            write(f"{PREFIX}another program", None)
        elif event in NETWORK:
            write(f"{PREFIX}the network", None)

    _wrap_arrow(lambda path, how: take(path, how, folders=True))
    sys.addaudithook(hook)


def _real(given: Any) -> str | None:
    """The real path of what was opened; None if it is none."""
    with suppress(TypeError, ValueError, OSError):
        return os.path.realpath(os.fsdecode(given))
    return None


def _counting(data: str) -> Callable[[str], bool]:
    """Which paths count: a function of a real path; `data` is the data folder."""

    def folders(*paths: str) -> tuple[str, ...]:
        return tuple(os.path.realpath(os.path.expanduser(path)) + os.sep for path in paths)

    here = os.path.dirname(__file__)
    python = [*map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))]
    python += [*site.getsitepackages(), site.getusersitepackages()]
    if sys.prefix != sys.base_prefix:  # an environment of its own, perhaps in the project
        python.append(sys.prefix)
    (home,) = folders("~")
    settings = filter(None, map(os.environ.get, SETTINGS))
    rules = (  # of which the first that fits decides
        (data, True),
        (folders(*python), False),
        # What is imported is read from the code: a warm kernel has it already.
        (folders(f"{here}/../.."), False),
        (folders(f"{here}/../../.."), True),
        ((home + ".", home + "Library" + os.sep, *folders(*SYSTEM, *settings)), False),
    )

    def counts(path: str) -> bool:
        cell = f"{os.sep}ipykernel_{os.getpid()}{os.sep}"  # in the name that tracebacks give to a cell
        return next((does for start, does in rules if path.startswith(start)), cell not in path)

    return counts


def _wrap_arrow(tell: Callable[[Any, str], None]) -> None:
    """Let pyarrow tell every path that it is given, a folder as well as a file.

    Readers and data sets let `pyarrow.util` expand "~", `OSFile` and `memory_map` ask whether it is a folder: both look
    `os` up in their modules. File systems are classes in C, which a subclass replaces.
    """
    try:
        import pyarrow.fs
        import pyarrow.util
    except ImportError:  # a kernel without it has nothing to tell
        return

    def expand(path: Any) -> Any:
        text = os.path.expanduser(path)
        tell(_local(text), _arrow_mode())
        return text

    def is_folder(path: Any) -> bool:
        tell(path, "r")
        return isdir(path)

    paths = SimpleNamespace(**vars(os.path) | {"isdir": is_folder, "expanduser": expand})
    vars(pyarrow.lib)["os"] = vars(pyarrow.util)["os"] = SimpleNamespace(**vars(os) | {"path": paths})

    class LocalFileSystem(pyarrow.fs.LocalFileSystem):
        def open_input_file(self, path: Any) -> Any:
            tell(path, "r")
            return super().open_input_file(path)

        def open_input_stream(self, path: Any, *args: Any, **options: Any) -> Any:
            tell(path, "r")
            return super().open_input_stream(path, *args, **options)

    class SubTreeFileSystem(pyarrow.fs.SubTreeFileSystem):
        def __init__(self, base_path: Any, base_fs: Any) -> None:
            super().__init__(base_path, base_fs)
            if isinstance(base_fs, pyarrow._fs.LocalFileSystem):
                tell(base_path, "r")  # all of it, for its names are relative and opened in C++

    for one in (LocalFileSystem, SubTreeFileSystem):
        setattr(pyarrow.fs, one.__name__, one)


def _arrow_mode() -> str:
    """Mode of opening: "w" where a function of pyarrow that writes is at work, else "r"."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("pyarrow."):
        if frame.f_code.co_name.startswith("write_"):
            return "w"
        frame = frame.f_back
    return "r"


def _local(text: str) -> str:
    """The path of a local file's address, as Arrow and SQLite take it; what is none stays."""
    if text.startswith("file:"):
        from urllib.parse import unquote, urlsplit

        return unquote(urlsplit(text).path)
    return text
