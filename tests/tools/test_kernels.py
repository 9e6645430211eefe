"""Warm kernels: the same outputs, the circumstances of whoever asks, and no process left, whatever ends."""

import json
import os
import re
import shutil
import signal
import site
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tiny
from drivers import Driver
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from sampling import exhaustive, some
from traitlets.config import Config

from lib.errors import UserError
from lib.tools.run import kernels, warm_server
from lib.tools.run.opened import start_line

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm kernels fork, on Linux only")

ROOT = Path(__file__).resolve().parents[2]
GRACE_SECONDS = 300.0
"""Until something hangs, or a process does not end; it takes milliseconds, but the machine may be busy."""
# From Python 3.12 a fork beside threads warns, on the output that the test reads.
FORK = "import warnings\nwarnings.simplefilter('ignore')\nchild = os.fork()\n"


# Kernels, and the processes that belong to a server: each has the server's folder in its command line.


@pytest.fixture
def name(warm_kernel: str) -> str:
    """The kernel name of the shared server."""
    return warm_kernel


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that import the least: for what begins and ends several of them."""
    monkeypatch.setattr(kernels, "_SCRIPT", tiny.SERVER)


def folder_of(name: str) -> Path:
    places = os.environ["JUPYTER_PATH"].split(os.pathsep)
    return next(Path(place) for place in places if Path(place, "kernels", name).exists())


def processes(folder: Path) -> list[int]:
    """Server, kernels and what kernels fork; zombies, too, would have an empty command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:  # it has ended in between
            continue
    return found


def eventually(condition: Callable[[], object]) -> bool:
    end = time.monotonic() + GRACE_SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def private_sockets() -> Iterator[Config]:
    """Settings of a kernel that talks through sockets in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        where = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}
        yield Config({"KernelManager": where})
        assert list(Path(folder).iterdir()) == []


def execute(notebook: Any, name: str, folder: Path = ROOT, **options: Any) -> Any:
    """Execute a notebook, or cells, in a folder; returns the code cells."""
    if isinstance(notebook, tuple):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in notebook])
    environment = options.pop("env", None)
    with private_sockets() as config:
        settings = {"kernel_name": name, "config": config, "shutdown_kernel": "immediate"} | options
        client = NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **settings)
        client.execute(**({"env": environment} if environment else {}))
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def answer(cell: str, name: str, folder: Path = ROOT, **options: Any) -> Any:
    """What a cell prints, read as JSON."""
    (done,) = execute((cell,), name, folder, **options)
    return json.loads("".join(output.text for output in done.outputs))


IDS = "import json, os\nprint(json.dumps([os.getpid(), os.getppid(), os.getpgrp()]))"


def is_warm(name: str) -> bool:
    """Whether a kernel is a fork of the server: then its parent was started with the server's script."""
    _, parent, _ = answer(IDS, name)
    try:
        return b"warm_server.py" in Path(f"/proc/{parent}/cmdline").read_bytes()
    except OSError:
        return False


@contextmanager
def started(name: str) -> Iterator[tuple[KernelManager, Any]]:
    """A running kernel and a client to it."""
    with private_sockets() as config:
        manager = KernelManager(kernel_name=name, config=config)
        manager.start_kernel(stderr=subprocess.DEVNULL)
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=GRACE_SECONDS)
        try:
            yield manager, client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()


def run(client: Any, code: str) -> str:
    """What a cell prints, in a kernel that stays."""
    said = []
    client.execute_interactive(
        code, timeout=GRACE_SECONDS, output_hook=lambda m: said.append(m["content"].get("text", ""))
    )
    return "".join(said).strip()


# The same outputs.


# A cell for each kind of output that the notebooks have, and for an error.
OUTPUTS = (
    "import matplotlib.pyplot as plt\nfrom lib import show",
    "import pandas as pd\ntable = pd.DataFrame({'level': [1.5, 2.25]}, index=[2012, 2013])\ntable",
    "table.style.format('{:.1f}').set_uuid('t').set_caption('Levels')",
    "show.table(table)",
    "plt.plot([1, 2])\nplt.show()",
    "from IPython.display import Markdown, display\nMarkdown('**Met**: {}'.format(table.level.max()))",
    "display({'application/vnd.tradegoals.result+json': {'a': 1}}, raw=True)",
    "import ipywidgets\nipywidgets.IntSlider(3)",
    "import sys\nprint('said')\nprint('warned', file=sys.stderr)",
    "import warnings\nwarnings.warn('careful')",
    "raise ValueError('seven is wrong')",
)


def test_outputs_of_cold_and_warm_kernels_are_identical(name: str) -> None:
    """Of each kind; the committed outputs of all notebooks are compared by nbval."""
    cold, warm = (execute(OUTPUTS, kernel, allow_errors=True) for kernel in (kernels.ORDINARY, name))
    for one, other in zip(cold, warm, strict=True):
        # A warning names the folder of the kernel, by its number; a styled table has an address, a widget a key.
        assert one.outputs == other.outputs or without_numbers(one) == without_numbers(other), one.source
    kinds = {kind for cell in warm for output in cell.outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html", "text/markdown", "application/vnd.tradegoals.result+json"} <= kinds
    assert "application/vnd.jupyter.widget-view+json" in kinds
    assert [output.output_type for output in warm[-1].outputs] == ["error"]
    # As in an ordinary kernel, a backend from outside removes the figures.
    bare = execute(OUTPUTS[:5], name, env=os.environ | {"MPLBACKEND": "Agg"})
    assert not any("image/png" in output.get("data", {}) for output in bare[4].outputs)


def without_numbers(cell: Any) -> str:
    return re.sub(r"ipykernel_\d+|0x[0-9a-f]+|[0-9a-f]{32}", "", str(cell.outputs))


CIRCUMSTANCES = """
import json, locale, os, resource, signal, sys, time
os.umask(umask := os.umask(0))
ignored = {"JPY_PARENT_PID", "JPY_SESSION_NAME"}
print(json.dumps({
    "argv": [a for a in sys.argv if not a.endswith(".json")], "path": sys.path, "flags": list(sys.flags),
    "executable": sys.executable, "folder": os.getcwd(), "umask": umask, "locale": locale.getlocale(),
    "environment": {k: v for k, v in os.environ.items() if k not in ignored}, "zone": time.tzname,
    "limits": [resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")],
    "signals": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
    "leader": os.getsid(0) == os.getpgrp(),
    "ours": sorted(m for m in sys.modules if m in ("provisioner", "warm_server")),
}))
"""


def test_a_kernel_has_the_circumstances_of_the_request_and_not_of_the_server(
    name: str, tmp_path: Path
) -> None:
    environment = os.environ | {"ASKED": "a=b\n\udce4 ü", "TZ": "Asia/Shanghai"}
    found = []
    before = os.umask(0o027)
    try:
        for kernel in (kernels.ORDINARY, name):
            found.append(answer(CIRCUMSTANCES, kernel, tmp_path, env=environment))
    finally:
        os.umask(before)
    cold, warm = found
    assert warm == cold
    assert warm["umask"] == 0o027
    assert warm["zone"][0] == "CST"
    assert warm["ours"] == []
    assert warm["environment"]["ASKED"] == environment["ASKED"]
    assert "ONLY_THE_SERVER_KNOWS" not in warm["environment"]


def test_random_numbers_differ_between_kernels(name: str) -> None:
    cell = "import json, random, numpy as np\nprint(json.dumps([random.random(), np.random.rand()]))"
    one, other = answer(cell, name), answer(cell, name)
    assert one[0] != other[0]
    assert one[1] != other[1]


def test_edited_code_is_never_stale(name: str, tmp_path: Path) -> None:
    module, cell = tmp_path / "edited.py", "import edited\nprint(edited.VALUE)"
    for value in (1, 22):
        module.write_text(f"VALUE = {value}\n")
        assert answer(cell, name, tmp_path) == value


def test_a_command_loads_lib_once_and_an_edit_of_it_counts(
    light: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib"
    (package / "analysis").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "analysis" / "broken.py").write_text("not Python")
    (package / "words.py").write_text("VALUE = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cell = "import json, sys\nseen = int('lib.words' in sys.modules)\nimport lib.words\n"
    cell += "print(json.dumps([seen, lib.words.VALUE]))"
    with tiny.warm() as name:
        assert answer(cell, name, tmp_path) == [1, 1]
        assert fallback_reason(folder_of(name), ROOT).startswith("lib differs")  # another `lib` lies there
        (package / "words.py").write_text("VALUE = 22\n")
        assert answer(cell, name, tmp_path) == [0, 22]


def test_sockets_of_the_network_serve_as_well(name: str) -> None:
    (cell,) = execute((IDS,), name, config=Config())
    assert processes(folder_of(name))
    assert json.loads(cell.outputs[0].text)[1] in processes(folder_of(name))


# What must not be served.


def test_other_variables_at_start_mean_an_ordinary_kernel(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "OPENBLAS_NUM_THREADS differs" in fallback_reason(folder_of(name), OPENBLAS_NUM_THREADS="2")
    for change, cell in (
        ({"PYTHONHASHSEED": "0"}, "import sys\nprint(sys.flags.hash_randomization)"),
        ({"TRADEGOALS_COLD": "1"}, "import sys\nprint(int('seaborn' in sys.modules))"),
    ):
        assert answer(cell, name, env=os.environ | change) == 0
        assert ("PYTHONHASHSEED" in capfd.readouterr().err) == ("PYTHONHASHSEED" in change)


def test_a_module_in_the_folder_comes_first(name: str, tmp_path: Path) -> None:
    (tmp_path / "scoringrules.py").touch()
    assert fallback_reason(folder_of(name), tmp_path).startswith("scoringrules.py differs")


def test_a_folder_that_is_not_there_is_refused_and_the_server_goes_on(name: str, tmp_path: Path) -> None:
    before = processes(folder_of(name))
    for _ in range(2):
        assert fallback_reason(folder_of(name), tmp_path / "none").startswith(f"{tmp_path / 'none'}, which")
    assert processes(folder_of(name)) == before != []


def test_a_hanging_or_dead_or_foreign_server_means_an_ordinary_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "PATIENCE_SECONDS", 0.2)
    with tempfile.TemporaryDirectory(prefix="k") as place, socket.socket(socket.AF_UNIX) as hanging:
        folder = Path(place)
        hanging.bind(str(folder / "socket"))
        assert "refused" in fallback_reason(folder)  # nobody listens
        hanging.listen()
        assert "timed out" in fallback_reason(folder)
        folder.chmod(0o755)
        assert "not private" in fallback_reason(folder)
    assert "No such file" in fallback_reason(folder)


def fallback_reason(folder: Path, place: Path | None = None, **variables: str) -> str:
    """What is said before an ordinary kernel is started instead, in a place and with variables of its own."""
    asked = dict(os.environ) | variables, str(place) if place else None
    with pytest.raises((OSError, ValueError)) as caught:
        kernels._ask(str(folder), ["--version"], *asked, [0, 1, 2])
    return str(caught.value)


def test_only_the_owner_can_reach_the_server(name: str) -> None:
    folder = folder_of(name)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "socket").stat().st_mode) & 0o077 == 0


def test_the_server_notices_changed_files(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("1")
    seen = {str(path): warm_server._fingerprint(str(path)) for path in (file, tmp_path)}
    with socket.socket() as listener:
        server = warm_server._Server(listener, seen, {}, {}, [])
        assert server.changed_file() is None
        (tmp_path / "new.py").touch()
        assert server.changed_file() == str(tmp_path)
        file.write_text("22")
        assert server.changed_file() == str(file)
        file.unlink()
        assert server.changed_file() == str(file)


@exhaustive
@pytest.mark.parametrize("how", some(["packages have changed", "killed"], 2))
def test_a_server_that_vanishes_is_started_again_with_one_line(
    light: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("PYTHONUSERBASE", str(base := Path(tempfile.mkdtemp(prefix="k"))))
    (packages := Path(site._get_path(str(base)))).mkdir(parents=True)  # type: ignore[attr-defined]
    with tiny.warm() as name:
        (first,) = processes(folder := folder_of(name))
        if how == "killed":
            os.kill(first, signal.SIGKILL)
        else:
            (packages / "new.py").touch()
            assert "differs from what the server has loaded" in fallback_reason(folder)
        assert eventually(lambda: gone(first))
        assert any(eventually(lambda: listens(folder)) for _ in range(4))
        assert answer("import os\nprint(os.getppid())", name) in processes(folder)
    assert capfd.readouterr().err.count("The server of warm kernels has gone; it is started again.\n") == 1
    assert processes(folder) == []
    assert not folder.exists()
    shutil.rmtree(base)


def listens(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(str(folder / "socket")) == 0


def test_without_fork_kernels_are_ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with tiny.warm() as name:
        assert name == kernels.ORDINARY
    with pytest.raises(UserError, match="darwin"):
        kernels.install()


# Ends: of cells, kernels, servers, drivers.


def test_a_cell_that_takes_too_long_is_interrupted(name: str) -> None:
    with pytest.raises(CellExecutionError) as caught:
        execute(("import time\ntime.sleep(1000)",), name, timeout=1, interrupt_on_timeout=True)
    assert caught.value.ename == "KeyboardInterrupt"


def test_an_interrupt_reaches_cell_and_children_and_the_kernel_goes_on(name: str) -> None:
    with started(name) as (manager, client):
        run(client, "import subprocess, time\nchild = subprocess.Popen(['sleep', '1000'])")
        client.execute("time.sleep(1000)", stop_on_error=False)  # else what is asked next may be left out
        time.sleep(0.3)
        manager.interrupt_kernel()
        assert client.get_shell_msg(timeout=GRACE_SECONDS)["content"]["ename"] == "KeyboardInterrupt"
        assert run(client, "print(child.wait(300))") == str(-signal.SIGINT)


@pytest.mark.parametrize("code", ["os._exit(7)", "os.kill(os.getpid(), 15)", "os.abort()"])
def test_it_is_known_that_a_kernel_ended_and_forks_end_with_it(name: str, code: str) -> None:
    with started(name) as (manager, client):
        kernel, *_ = json.loads(run(client, IDS))
        child = int(run(client, FORK + "if child == 0:\n    import time; time.sleep(1000)\nprint(child)"))
        process = manager.provisioner.process
        client.execute(f"import os, resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n{code}")
        assert eventually(lambda: process.poll() is not None)
        assert eventually(lambda: gone(kernel) and gone(child))


def test_a_dead_kernel_is_reported(name: str) -> None:
    with pytest.raises(DeadKernelError):
        execute(("import os\nos._exit(0)",), name)


def test_many_kernels_leave_nothing_behind(name: str) -> None:
    folder = folder_of(name)
    assert eventually(lambda: len(processes(folder)) == 1)
    (server,) = processes(folder)

    def open_files() -> tuple[int, int]:
        return len(list(Path(f"/proc/{server}/fd").iterdir())), len(list(folder.iterdir()))

    before = open_files()
    for _ in range(6):
        with private_sockets() as config:
            manager = KernelManager(kernel_name=name, config=config)
            manager.start_kernel(stderr=subprocess.DEVNULL)
            assert eventually(lambda: len(processes(folder)) == 2)  # server, kernel
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
    assert eventually(lambda: processes(folder) == [server])
    assert eventually(lambda: open_files() == before)
    children = Path(f"/proc/{server}/task/{server}/children")
    assert eventually(lambda: children.read_text().split() == [])


def test_two_servers_and_the_end_of_one(
    name: str, light: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "matplotlibrc"
    settings.write_text("figure.dpi: 100\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(settings))
    with tiny.warm() as second:
        folder = folder_of(second)
        with started(second) as (manager, client):
            kernel, server, _ = json.loads(run(client, IDS))
            assert server in processes(folder)
            assert server not in processes(folder_of(name))
            bound = (folder / "socket").stat().st_mtime_ns
            settings.write_text("figure.dpi: 99\n")
            assert fallback_reason(folder, tmp_path.parent).startswith(
                str(settings)
            )  # it has read the old ones
            with suppress(FileNotFoundError):  # there may be that of the next server
                assert (folder / "socket").stat().st_mtime_ns != bound
            with suppress(ProcessLookupError):  # it may have left its place already
                os.kill(server, signal.SIGKILL)
            assert eventually(lambda: gone(server))
            assert run(client, "print(6 * 7)") == "42"  # a run that has begun is not lost
            child = int(run(client, FORK + "if not child:\n    import time; time.sleep(1000)\nprint(child)"))
            client.execute("os._exit(0)")
            process = manager.provisioner.process
            assert eventually(lambda: process.poll() is not None)  # which Jupyter asks every few seconds
            assert eventually(lambda: gone(kernel) and gone(child))
        assert server not in processes(folder)  # there may be the one that took its place
    assert eventually(lambda: processes(folder) == [])


DRIVER = """
import os, sys
from pathlib import Path
from lib.tools.run import kernels
from lib.tools.run.execute import run_notebook
with kernels._starting() as server:
    print(os.environ["JUPYTER_PATH"], flush=True)
    run_notebook(Path(sys.argv[1]), {}, server())
"""
SLEEPS = "import time; time.sleep(1000)"
HEARS_NOTHING = "import re; re.match('(a+)+$', 'a' * 64 + 'b')"  # for ever, and no thread can run


@exhaustive
@pytest.mark.parametrize(
    ("number", "cell"),
    some([(signal.SIGKILL, HEARS_NOTHING), (signal.SIGKILL, SLEEPS), (signal.SIGINT, SLEEPS)], 3),
)
def test_nothing_survives_the_driver(
    number: int, cell: str, tmp_path: Path, start_driver: Callable[..., Driver]
) -> None:
    running, said = tmp_path / "running", tmp_path / "said"
    notebook = tiny.write(tmp_path / "notebooks", f"open({str(running)!r}, 'w').close()\n{cell}")
    driver = start_driver(DRIVER, str(notebook), said=said)
    assert eventually(running.exists)
    folder = Path(said.read_text().split(os.pathsep)[0].strip())
    assert eventually(lambda: len(processes(folder)) == 2)  # server, kernel
    os.killpg(driver.pid, number)
    assert driver.wait() is not None
    assert eventually(lambda: processes(folder) == [])
    if number == signal.SIGKILL:  # whoever starts next sweeps it, and may have done so
        shutil.rmtree(folder, ignore_errors=True)
    assert not folder.exists()


def test_an_ordinary_kernel_ends_with_its_driver_whatever_it_does(tmp_path: Path) -> None:
    running = tmp_path / "running"
    cell = f"open({str(running)!r}, 'w').close()\n{HEARS_NOTHING}"
    kernel = f"{start_line(str(tmp_path), str(tmp_path / 'notes'))}\n{cell}"
    script = (
        "import os, subprocess, sys, time\nparent = {'JPY_PARENT_PID': str(os.getpid())}\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], env=os.environ | parent)\n"
        "print(child.pid, flush=True)\ntime.sleep(1000)"
    )
    command = [sys.executable, "-c", script, kernel]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        child = int(driver.stdout.readline())
        assert eventually(running.exists)
        driver.kill()
        assert eventually(lambda: gone(child))


def test_a_server_ends_when_its_parent_has_gone() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        server = warm_server._Server(listener, {}, {}, {}, [])
        assert server.serve(parent=os.getppid() + 1) is None


# The kernelspec in an environment.


def test_installed_kernels(light: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    folder = kernels.install()
    monkeypatch.setenv("JUPYTER_PATH", str(folder.parents[1]))
    kernels._own_server.cache_clear()
    with ExitStack() as program:
        monkeypatch.setattr(kernels, "_END", program)
        assert not is_warm(kernels.INSTALLED)  # the first starts the server and does not wait for it
        home = Path(kernels._own_server())
        assert eventually((home / "socket").exists)
        assert is_warm(kernels.INSTALLED)
        assert answer("import sys\nprint(int('lib' in sys.modules))", kernels.INSTALLED) == 0
    kernels._own_server.cache_clear()
    assert processes(home) == []
