"""Which data files a run opens: an audit hook in the kernel notes each, before the first cell runs.

The interpreter reports every file that Python opens (PEP 578), whichever function does it; files that C++ code
opens by itself, such as `pyarrow.parquet.read_table` on a path, it does not see (pandas opens them in Python).
"""

import os
import sys

_NOTE = "import lib.tools.run.opened as _opened; _opened.note({folder!r}, {notes!r}); del _opened"


def start_line(folder: str, notes: str) -> str:
    """The line of Python that a kernel runs at its start; it leaves no name behind."""
    return _NOTE.format(folder=folder, notes=notes)


def note(folder: str, notes: str) -> None:
    """From now on, write the name of every file below `folder` that is opened to `notes`, once, a line each.

    Names are relative to the folder. Processes that the kernel forks are covered, other programs are not.
    """
    root = os.path.realpath(folder) + os.sep
    # Kept open from the start: notes are taken even where a cell changes folder, limits or rights.
    file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    seen: set[str] = set()

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or isinstance(arguments[0], int):
            return
        try:
            path = os.path.realpath(os.fsdecode(arguments[0]))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return
        if path.startswith(root) and path not in seen:
            seen.add(path)
            os.write(file, os.fsencode(path[len(root) :].replace(os.sep, "/") + "\n"))

    sys.addaudithook(hook)


def read_notes(notes: str) -> list[str]:
    """The names that were noted, sorted."""
    try:
        with open(notes, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - as light as `os`
            return sorted(set(file.read().split("\n")) - {""})
    except FileNotFoundError:
        return []
