"""Reading what somebody wrote in YAML or JSON, in bounded time and memory, whatever it holds."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lib.errors import UserError, plain_bytes, quote

MOST_YAML_BYTES, MOST_YAML_VALUES, DEEPEST_YAML = 100_000, 20_000, 20
"""The reader of YAML takes quadratic time, an alias repeats what it names, and nesting fills the stack."""


def parse_yaml(content: bytes, where: str) -> Any:
    """Read YAML as mappings, lists and texts, which mean the same as on the command line; no key may stand twice."""
    import yaml

    try:
        if len(content) > MOST_YAML_BYTES:
            raise yaml.YAMLError(f"{len(content):,} bytes, at most {MOST_YAML_BYTES:,} are read")
        root = yaml.compose(content.decode("utf-8"), Loader=yaml.BaseLoader)
        return None if root is None else _yaml_value(root, iter(range(MOST_YAML_VALUES)), where)
    except (UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        deep = f"nested deeper than {DEEPEST_YAML}" if isinstance(error, RecursionError) else ""
        reason = deep or getattr(error, "problem", None) or " ".join(str(error).split())
        found = f"found no readable YAML ({reason}), expected UTF-8 of that form"
        raise UserError(f"{where}{f':{mark.line + 1}' if mark else ''}: {found}") from None


def _yaml_value(node: Any, budget: Iterator[int], where: str, depth: int = 0) -> Any:
    """The value of a node; aliases are followed as often as they stand there, so a circle is too deep."""
    from yaml import MarkedYAMLError

    half = node.id == "scalar" and any("\ud800" <= sign <= "\udfff" for sign in node.value)
    for problem, is_there in (
        (f"nested deeper than {DEEPEST_YAML}", depth > DEEPEST_YAML),
        (f"more than {MOST_YAML_VALUES:,} values, aliases filled in", next(budget, None) is None),
        ("half of a character", half),
        ("a key that is no text", node.id == "mapping" and any(key.id != "scalar" for key, _ in node.value)),
    ):
        if is_there:
            raise MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    if node.id == "scalar":
        return node.value
    if node.id == "sequence":
        return [_yaml_value(entry, budget, where, depth + 1) for entry in node.value]
    found: dict[str, Any] = {}
    for key, value in node.value:
        if (name := _yaml_value(key, budget, where, depth)) in found:
            found_twice = f"found {quote(name)[1:-1]} a second time, expected it once"
            raise UserError(f"{where}:{key.start_mark.line + 1}: {found_twice}")
        found[name] = _yaml_value(value, budget, where, depth + 1)
    return found


def read_json(path: Path) -> Any:
    """Read a JSON file that others may have written: no key twice, no number beyond the finite, no half characters."""
    try:
        value = json.loads(plain_bytes(path), object_pairs_hook=_once)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from None
    except (RecursionError, ValueError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise UserError(f"{path.name}: found no valid JSON ({reason})") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise ValueError(f"the key {quote(twice[0])} a second time")
    return dict(pairs)


def slugify(text: str) -> str:
    """Text as it may stand in a folder's name or an address; a leading minus becomes a word."""
    signed = re.sub(r"^[−-](?=[0-9])", "minus-", text.strip().lower())
    return re.sub(r"[^a-z0-9]+", "-", signed).strip("-") or "x"
