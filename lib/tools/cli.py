"""The command `tradegoals`: thin; each command calls one function of the package and prints what it gave."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from lib.errors import UserError, printable
from lib.tools.commands import examples
from lib.tools.commands.ask import ask
from lib.tools.commands.author import backtest, check, kernel, new, reference, stamp
from lib.tools.commands.data import data
from lib.tools.commands.results import export, results, site, what_if
from lib.tools.commands.run import run, run_one, schema


class _Group(click.Group):
    """A group that prints a user's mistake as one message and exits with 2, and stops quietly on Ctrl-C."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        _open_streams()
        # Many containers forbid it; compiled once, everything starts faster.
        usual, sys.dont_write_bytecode = sys.dont_write_bytecode, False
        try:
            with _settings_elsewhere():
                done = super().main(*args, **kwargs)
            sys.stdout.flush()
            return done
        except BrokenPipeError:  # the reader, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except (UserError, OSError) as error:  # the latter of a full disk, of a folder that nobody may write
            where = f"{error.filename}: " * bool(error.filename) if isinstance(error, OSError) else ""
            said = getattr(error, "strerror", None) or str(error)
            click.echo(printable(f"Error: {where}{said}"), err=True)
            sys.exit(2)
        except click.ClickException as error:
            error.show(words := io.StringIO())
            click.echo(printable(words.getvalue()), err=True, nl=False)
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nStopped. What had finished is kept.", err=True)
            sys.exit(130)
        finally:
            sys.dont_write_bytecode = usual


class _Shown(io.TextIOWrapper):
    """Standard output without what a terminal would obey: names and texts of data and of other people's files."""

    def write(self, text: str, /) -> int:
        """Write a text; tabs and ends of lines stay."""
        super().write(printable(text))
        return len(text)


def _open_streams() -> None:
    """Give the command three open streams, whatever it was started with, and a terminal only what it can show."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed: the next file would take its number, and get what is printed
            stream = open(os.devnull, "r" if number == 0 else "w", encoding="utf-8")  # noqa: PTH123, SIM115
            os.dup2(stream.fileno(), number)
            os.set_inheritable(number, True)  # also where it was that number already
            setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without "−" is no reason to stop
        if sys.stdout.isatty():
            encoding = sys.stdout.encoding
            sys.stdout = _Shown(sys.stdout.detach(), encoding, "backslashreplace", line_buffering=True)


@contextmanager
def _settings_elsewhere() -> Iterator[None]:
    """A folder for what Matplotlib and IPython would write to a home that nobody may write; both warn at length."""
    with ExitStack() as stack:
        for name in {"MPLCONFIGDIR", "IPYTHONDIR"} - os.environ.keys():
            if not os.access(Path.home(), os.W_OK):
                folder = stack.enter_context(TemporaryDirectory(prefix="settings-of-tradegoals-"))
                os.environ[name] = folder
                stack.callback(os.environ.pop, name)
        yield


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]}, epilog=examples("run"))
@click.version_option(package_name="tradegoals", prog_name="tradegoals", message="%(prog)s %(version)s")
def main() -> None:
    """Does a stated trade-growth goal hold? Run the notebooks, check the data."""


for command in (
    *(ask, run, run_one, schema, results, export, site, what_if),
    *(data, reference, backtest, new, stamp, check, kernel),
):
    main.add_command(command)


if __name__ == "__main__":
    main()
