"""What code means to a result: the modules of `lib` that it imports, and a hash of each by what it does.

Both are read from the text, nothing is run. Docstrings, comments and annotations change no result and do not count;
annotations of the fields of a class do, since parameters are checked by them.
"""

import ast
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

LIB = Path(__file__).resolve().parent


def imported_modules(code: str) -> set[str]:
    """Modules of `lib` that Python code imports, directly or through others: "goals", "analysis/answers"."""
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
    names = {"/".join(parts[:depth]) for parts in _names_imported(code) for depth in range(1, len(parts) + 1)}
    names |= {f"{name}/__init__" for name in names}
    return {name for name in names if (LIB / f"{name}.py").exists()}


@lru_cache(maxsize=256)
def _names_imported(code: str) -> frozenset[tuple[str, ...]]:
    """What code imports from `lib`, each name in its parts below it; a text is parsed once."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lib":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("lib.")}
    return frozenset(tuple(name.split(".")[1:]) for name in names)


def hash_modules(names: set[str]) -> str:
    """One hash of modules of `lib`, named as `imported_modules` does, by what each does."""
    digest = sha256()
    for name in sorted(names):
        digest.update(f"{name} {hash_code((LIB / f'{name}.py').read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def hash_code(code: str) -> str:
    """The hash of Python code as it is when docstrings, comments and annotations are left out."""
    return sha256(ast.unparse(_Bare().visit(ast.parse(code))).encode()).hexdigest()


class _Bare(ast.NodeTransformer):
    """Leave out what no result follows from."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """A text that stands alone is a docstring or a note."""
        said = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if said else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """A parameter without its annotation."""
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function without the annotation of its result, and its variables without theirs."""
        node.returns = None
        node.body = [_plain(line) for line in node.body]
        return self.generic_visit(node)


def _plain(line: ast.stmt) -> ast.stmt:
    """An annotated assignment as a plain one."""
    if isinstance(line, ast.AnnAssign) and line.value is not None:
        return ast.Assign([line.target], line.value, lineno=line.lineno)
    return line
