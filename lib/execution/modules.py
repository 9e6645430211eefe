"""Which modules of `lib` a piece of code imports, directly or through others: read from its text, not run."""

import ast
from functools import lru_cache
from pathlib import Path

from lib.errors import UserError

LIB = Path(__file__).resolve().parents[1]


def imported_modules(code: str) -> set[str]:
    """Modules of `lib` that Python code imports, directly or through others: "goals", "pages/answers"."""
    found: set[str] = set()
    waiting = direct_imports(code)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= direct_imports((LIB / f"{name}.py").read_text(encoding="utf-8"))
    return found


def direct_imports(code: str) -> set[str]:
    """Modules of `lib` that Python code itself imports, at its top or inside its functions."""
    names = {"/".join(parts[:depth]) for parts in _names_imported(code) for depth in (1, 2)}
    names |= {f"{name}/__init__" for name in names}
    return {name for name in names if (LIB / f"{name}.py").exists()}


@lru_cache(maxsize=256)
def _names_imported(code: str) -> frozenset[tuple[str, ...]]:
    """What code imports from `lib`, each name in its parts below it; a text is parsed once."""
    names: set[str] = set()
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise UserError(
            f"line {error.lineno} of the code: {error.msg}; expected plain Python, without % or ! commands"
        ) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lib":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("lib.")}
    return frozenset(tuple(name.split(".")[1:]) for name in names)
