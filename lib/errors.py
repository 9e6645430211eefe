"""The one error that a user's mistake raises.

Faults in files: where each stands, what was found, what was expected, in words a reader can act on.
"""

import difflib
import errno
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import category


class UserError(ValueError):
    """A mistake in the input: the message says where, what was found and what was expected.

    The command line prints the message alone; in a notebook IPython calls `_render_traceback_`,
    so that the reader sees the message instead of a stack of frames.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"Error: {self}"]


def unclear(name: str, found: str, expected: str) -> UserError:
    """The error of a parameter or of words: what was found there and what was expected."""
    return UserError(f"{name}: found {found}, expected {expected}")


SHOWN_FAULTS, SHOWN_NAMES, SHOWN_CHARACTERS = 50, 12, 60


class Fault(NamedTuple):
    """One fault in a table: where it stands, what was found and what was expected."""

    file: str
    line: int
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        """One line, such as `data/figures.csv:17: value: found "2,30", expected a number`."""
        where = f"{self.file}:{self.line}: " + (f"{self.column}: " if self.column else "")
        return f"{where}found {self.found}, expected {self.expected}"


def list_faults(faults: list[Fault]) -> str:
    """All faults as one message, a line each; beyond the first `SHOWN_FAULTS` only their number."""
    lines = [str(fault) for fault in faults[:SHOWN_FAULTS]]
    if len(faults) > SHOWN_FAULTS:
        lines.append(f"… and {len(faults) - SHOWN_FAULTS} more")
    return "\n".join(lines)


def some(texts: Iterable[str], most: int) -> str:
    """The first of some texts, and how many there are beside these."""
    names = list(texts)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def nearest(name: str, valid: Iterable[str]) -> str:
    """Words for a name that was expected: the nearest valid one first, then what exists."""
    names = sorted(valid)
    shown = ", ".join(names[:SHOWN_NAMES]) + (f" … ({len(names)} in all)" if len(names) > SHOWN_NAMES else "")
    close = _closest(name, names)
    return (f"{quote(close)}, or " if close else "") + f"one of: {shown}"


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """The end of a message that has listed what is valid: the name that a wrong one is closest to, or nothing."""
    close = _closest(name, valid)
    return f"; did you mean {close}?" if close else ""


def _closest(name: str, valid: Iterable[str]) -> str:
    """The valid name that is closest, whatever the case of its letters; empty where none is close."""
    by_fold = {known.casefold(): known for known in valid}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.5)
    return by_fold[close[0]] if close else ""


def printable(text: str) -> str:
    """Return a text without what a terminal obeys instead of showing it: written as Python writes it, but line and tab."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" or category(sign) == "Zs" else repr(sign)[1:-1]
        for sign in text
    )


def quote(text: str) -> str:
    """Return a text in quotes on one line, shortened, without what a terminal would obey."""
    flat = printable(text.replace("\n", "\\n").replace("\t", "\\t"))
    more = f'…" ({len(text)} characters)' if len(flat) > SHOWN_CHARACTERS else '"'
    return f'"{flat[:SHOWN_CHARACTERS]}{more}'


_FORMULA = re.compile(r"[=@＝＋－＠\t\r]|[+-](?!$|\s?[\d.,\s]*\d\s*%?(?:$|;))")
"""How a cell begins that a spreadsheet would compute; a number with its sign is none."""


def inert(cell: Any) -> Any:
    """A cell for a CSV file: an apostrophe before text that a spreadsheet would compute, anything else as it is."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def shown_path(path: Path) -> str:
    """Return a path as messages show it: from the project's folder where it lies in there."""
    root = Path(__file__).resolve().parent.parent
    resolved = path.resolve()
    return (resolved.relative_to(root) if resolved.is_relative_to(root) else path).as_posix()


def expect_plain(path: Path) -> None:
    """Raise `OSError` where a file is none, but a folder, or a pipe that would keep its reader waiting for ever."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file")


def plain_bytes(path: Path) -> bytes:
    """Return the content of a regular file; `OSError` for anything else in its place."""
    expect_plain(path)
    return path.read_bytes()


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file, or say why it cannot be read."""
    try:
        return plain_bytes(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{shown_path(path)}: cannot be read ({reason})") from error
