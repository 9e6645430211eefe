"""Reading what somebody wrote in YAML or JSON, in bounded time and memory, whatever it holds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lib.errors import UserError, plain_bytes, quote

MOST_YAML_BYTES, MOST_YAML_VALUES, DEEPEST_YAML = 100_000, 20_000, 20
"""The reader of YAML takes quadratic time, an alias repeats what it names, and nesting fills the stack."""


def parse_yaml(content: bytes, where: str) -> Any:
    """Read YAML (UTF-8) as mappings, lists and texts: a value means the same here as on the command line.

    Parameters
    ----------
    content : at most `MOST_YAML_BYTES`, with `MOST_YAML_VALUES` once aliases are filled in, `DEEPEST_YAML` deep.
    where : names the file in messages.

    Raises
    ------
    UserError
        Naming the line, also of a key that stands twice in a mapping: readers of YAML drop one without a word.
    """
    import yaml

    try:
        if len(content) > MOST_YAML_BYTES:
            raise yaml.YAMLError(f"{len(content):,} bytes, at most {MOST_YAML_BYTES:,} are read")
        root = yaml.compose(content.decode("utf-8"), Loader=yaml.BaseLoader)
        return None if root is None else _yaml_value(root, iter(range(MOST_YAML_VALUES)), where)
    except (UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        if isinstance(error, RecursionError):
            reason = f"nested deeper than {DEEPEST_YAML}"
        raise UserError(f"{place}: found no readable YAML ({reason}), expected UTF-8 of that form") from None


def _yaml_value(node: Any, budget: Iterator[int], where: str, depth: int = 0) -> Any:
    """The value of a node; aliases are followed as often as they stand there, so a circle is too deep."""
    from yaml import MarkedYAMLError

    def refuse(problem: str) -> MarkedYAMLError:
        return MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

    if depth > DEEPEST_YAML:
        raise refuse(f"nested deeper than {DEEPEST_YAML}")
    if next(budget, None) is None:
        raise refuse(f"more than {MOST_YAML_VALUES:,} values, aliases filled in")
    if node.id == "scalar":
        if any("\ud800" <= sign <= "\udfff" for sign in node.value):
            raise refuse("half of a character")
        return node.value
    if node.id == "sequence":
        return [_yaml_value(entry, budget, where, depth + 1) for entry in node.value]
    found: dict[str, Any] = {}
    for key, value in node.value:
        if key.id != "scalar":
            raise refuse("a key that is no text")
        name = _yaml_value(key, budget, where, depth)
        if name in found:
            line = key.start_mark.line + 1
            raise UserError(f"{where}:{line}: found {quote(name)[1:-1]} a second time, expected it once")
        found[name] = _yaml_value(value, budget, where, depth + 1)
    return found


def read_json(path: Path) -> Any:
    """Read a JSON file that others may have written: no key twice, no number beyond the finite, no half characters.

    Raises
    ------
    UserError
        Naming the file.
    """
    try:
        value = json.loads(plain_bytes(path), object_pairs_hook=_once, parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise UserError(f"{path.name}: found no valid JSON (nested too deep)") from None
    except ValueError as error:
        raise UserError(f"{path.name}: found no valid JSON ({error})") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {quote(twice)} a second time")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")
