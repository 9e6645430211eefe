"""Drivers of runs that tests start and kill: forked from one process, since to import the runner takes seconds.

Their warm kernels come from the light server (`tiny.SERVER`).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import tiny


class Driver:
    """A process that runs some code as its main module, in a session of its own."""

    def __init__(self, ask: Callable[[Any], Any], pid: int) -> None:
        self._ask, self.pid = ask, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, as `subprocess` has it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._ask(self.pid)
        return self.returncode

    def wait(self) -> int | None:
        """How it ended; None if it does not."""
        end = time.monotonic() + tiny.PATIENCE
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        return self.returncode


@contextmanager
def forking() -> Iterator[Callable[..., Driver]]:
    """What starts a driver: with code, arguments, a file to which all is added that it prints, and variables more."""
    command, pipe = [sys.executable, __file__], subprocess.PIPE
    one_thread = os.environ | {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1, env=one_thread) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        requests, answers = parent.stdin, parent.stdout

        def ask(what: Any) -> Any:
            requests.write(json.dumps(what) + "\n")
            return json.loads(answers.readline())

        def start(code: str, *arguments: str, said: Path | str = os.devnull, **variables: str) -> Driver:
            return Driver(ask, ask([code, arguments, dict(os.environ) | variables, str(said)]))

        yield start


def _main() -> None:
    """Fork drivers, and tell of their ends, until the input ends; in a driver run its code."""
    for line in sys.stdin:
        if isinstance(asked := json.loads(line), int):
            pid, status = os.waitpid(asked, os.WNOHANG)
            print(json.dumps(os.waitstatus_to_exitcode(status) if pid else None), flush=True)
        elif pid := os.fork():
            print(pid, flush=True)
        else:
            code, arguments, environment, said = asked
            os.setsid()
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = ["-c", *arguments]
            for number, name, how in (0, os.devnull, os.O_RDONLY), *((n, said, os.O_WRONLY) for n in (1, 2)):
                stream = os.open(name, how | os.O_APPEND | os.O_CREAT | os.O_NOCTTY)
                os.dup2(stream, number)
                os.close(stream)
            exec(code, {"__name__": "__main__"})
            break


if __name__ == "__main__":
    for name in ("IPython.display", "ipykernel.kernelspec", "lib.tools.cli", "lib.tools.run.execute", "tqdm"):
        import_module(name)
    from lib.tools.run import freshness, kernels, matrix, page

    kernels._SCRIPT = tiny.SERVER
    # Of much the first use is dear.
    page.to_page(tiny.notebook("1"), "title")
    freshness._run_versions()
    matrix.make_run(tiny.NAME, {})
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork is a copy only of what has one thread"
    _main()
