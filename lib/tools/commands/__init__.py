"""The commands of `tradegoals`: what an argument or option means stands once, in the signature of its function.

A parameter annotated with words is an option, one without is an argument; its type and default say the rest.
"""

import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import click

from lib.errors import UserError, list_faults
from lib.research import files

WORDS: dict[str, Any] = json.loads((Path(__file__).parent / "words.json").read_text(encoding="utf-8"))
"""What the columns of a figure and of a table are, as commands ask for them; examples of commands."""

Texts = tuple[str, ...]  # an option that may be repeated, or an argument of several words

Out = Annotated[Path, "Output folder."]
OUT = Path("out")


def options(function: Callable[..., Any]) -> Any:
    """Give a function the arguments and options that its signature describes; more of an option stands in a mapping.

    Words by name at `**more` are as many options, which come first.
    """
    hints, more = get_type_hints(function, include_extras=True), dict[str, str]()
    for name, one in reversed(list(inspect.signature(function).parameters.items())):
        if one.kind is one.VAR_KEYWORD:
            kind, more = get_args(hints[name])
        else:
            function = _parameter(name, hints[name], one.default)(function)
    for name, meaning in reversed(more.items()):
        function = _parameter(name, Annotated[kind, meaning], () if kind is Texts else None)(function)
    return function


def _parameter(name: str, hint: Any, default: Any) -> Callable[[Any], Any]:
    kind, *words = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    several, is_needed = get_origin(kind) is tuple, default is inspect.Parameter.empty
    kind = get_args(kind)[0] if several or type(None) in get_args(kind) else kind
    if get_origin(kind) is Literal:
        kind = click.Choice(get_args(kind))
    kind = click.Path(path_type=Path) if kind is Path else kind
    default = None if is_needed else default
    if not words:
        more = {"nargs": -1} if several else {"default": default}
        return click.argument(name, type=kind, required=is_needed, **more)
    about: dict[str, Any] = {"help": words[0], "default": default, "show_default": bool(default)}
    about |= {"is_flag": True} if kind is bool else {"type": kind, "multiple": several}
    about |= dict(*words[1:])
    return click.option(about.pop("flag", flag(name)), name, **about)


def flag(name: str) -> str:
    """The option of a parameter."""
    return f"--{name.strip('_').replace('_', '-')}"


def examples(command: str) -> str:
    """What the help of a command ends with."""
    return "\n".join(["\b", "Examples", *(f"  {line}" for line in WORDS["examples"][command])])


def pairs(texts: Texts, option: str) -> dict[str, str]:
    """NAME=VALUE, as often as it was given, each name once."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise UserError(f"{option}: found {text!r}, expected name=value")
        if name in values:
            raise UserError(f"{option}: found {name} a second time, expected it once")
        values[name] = value
    return values


def expect_known_data() -> None:
    """Refuse data that differ from their checksums, and show how: nothing is made of what nobody has looked at."""
    for _ in range(2):  # an edit may have begun as we looked
        files.finish_edit()
        if not (faults := files.check_checksums()):
            return
    raise UserError("\n".join([list_faults(faults), *differences()]))


def differences() -> list[str]:
    """How the tables differ from the last commit, a line a field."""
    from lib.tools.curation import altered

    return [f"{name}: {line}" for name, lines in altered().items() for line in lines]


def write_json(content: Any, path: Path) -> None:
    """Write what people may read and edit."""
    files.write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def tell(lines: Iterable[Any], before: str = "", err: bool = False) -> None:
    """Print lines, each after the same words."""
    for line in lines:
        click.echo(f"{before}{line}", err=err)


def report_faults(faults: list[Any]) -> None:
    """Print faults, a line each, and end with 1 where there are any."""
    tell(faults)
    if faults:
        click.echo(f"{len(faults)} fault{'s' * (len(faults) > 1)} found.", err=True)
        sys.exit(1)


def in_words(flags: Any) -> Iterator[str]:
    """What rules of plausibility doubt, a line a figure."""
    for flag in flags.itertuples():
        status = f" ({flag.status})" if getattr(flag, "status", "") else ""
        against = f" (against {flag.against})" if flag.against else ""
        yield f"{flag.rule}: {flag.figure_id}{status}: found {flag.found}, expected {flag.expected}{against}"


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def agreed(question: str, yes: bool) -> bool:
    """Whether somebody says yes, or has said so before; nobody there to ask is a mistake."""
    try:
        return yes or click.confirm(question)
    except click.Abort:
        if is_terminal():
            raise
        raise UserError(f'found nobody to ask "{question}", expected --yes') from None
