"""What code means: its syntax tree without docstrings, comments, layout, and annotations that nothing reads.

And which modules of `lib` it imports, directly or through others; both are read from the text, nothing is run.
"""

import ast
import io
import tokenize
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib import OFFERED
from lib.errors import UserError

LIB = Path(__file__).resolve().parents[1]

PLAIN_DECORATORS = {
    *("property", "setter", "staticmethod", "classmethod", "abstractmethod", "override", "overload"),
    *("cache", "lru_cache", "cached_property", "wraps", "contextmanager", "asynccontextmanager"),
    *("field_validator", "model_validator"),
}
"""Decorators that do not read the annotations of what they decorate; others, as `singledispatch`, may."""

DATA_BESIDE = {"economies.py": ("economies.csv", "phrases.toml"), "figures.py": ("statuses.csv",)}
"""What is read when a module is imported, so that no run is seen to open it; a test finds all of them."""

UNSAID = ("ctx", "kind", "type_comment", "type_ignores")  # fields of a syntax tree that say nothing more
READERS_OF_DOCS = ("__doc__", "getdoc", "use_attribute_docstrings")


class _Bare(ast.NodeTransformer):
    """Takes from a syntax tree what no run can notice."""

    def __init__(self, keep_text: bool, is_cell: bool) -> None:
        self.keep_text = keep_text
        self.shows = is_cell
        """Whether the value of a statement is shown: at the top of a cell."""
        self.in_class = False

    def _inside(self, node: Any, in_class: bool) -> Any:
        before = self.shows, self.in_class
        self.shows, self.in_class = False, in_class
        self.generic_visit(node)
        self.shows, self.in_class = before
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        """In the body of a class, annotations may make fields."""
        return self._inside(node, True)

    def visit_FunctionDef(self, node: Any) -> Any:
        """Annotations of parameters and result go, unless a decorator may read them."""
        if all(_name_of(decorator) in PLAIN_DECORATORS for decorator in node.decorator_list):
            node.returns = None
            arguments = node.args
            for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                one.annotation = None
            for one in filter(None, (arguments.vararg, arguments.kwarg)):
                one.annotation = None
        return self._inside(node, False)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that `ast` calls

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """The annotation of a variable goes, but for a field of a class."""
        self.generic_visit(node)
        if self.in_class:
            return node
        if node.value is None:  # it still makes the name a local one
            return ast.AnnAssign(node.target, ast.Constant(None), None, node.simple)
        return ast.Assign([node.target], node.value)

    def visit_Expr(self, node: ast.Expr) -> Any:
        """A text that stands alone is a comment."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text and not (self.keep_text or self.shows) else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> Any:
        """What only type checkers see goes."""
        self.generic_visit(node)
        return node.orelse if _name_of(node.test) == "TYPE_CHECKING" else node


def _name_of(node: ast.expr) -> str:
    """The last name of an expression: "lru_cache" of `functools.lru_cache(maxsize=1)`."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@dataclass(frozen=True)
class _Code:
    """What is read from code: what it does, as a hash, whether that is anything, and the names of `lib` in it."""

    meaning: str
    does_something: bool
    imports: frozenset[tuple[str, ...]]


@lru_cache(maxsize=512)
def _read_code(code: str, is_cell: bool = False) -> _Code:
    """Read code, which is parsed once; raises `SyntaxError` or `ValueError` where it is not plain Python."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT * is_cell
    tree = compile(code, "code", "exec", flags, dont_inherit=True)
    tree = _Bare(any(word in code for word in READERS_OF_DOCS), is_cell).visit(tree)
    text = _written(tree) + ";" * (is_cell and _is_quiet(code))
    return _Code(hash_text(text), bool(tree.body), _names_imported(tree))


def _written(node: Any) -> str:
    """A syntax tree as text, the same in every version of Python: `ast.dump` shows empty fields in some."""
    if isinstance(node, ast.AST):
        said = [(name, value) for name, value in ast.iter_fields(node) if name not in UNSAID]
        fields = [f"{name}={_written(value)}" for name, value in said if value is not None and value != []]
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    return repr(node)


def meaning(code: str, is_cell: bool = False) -> str:
    """The hash of what code does; of its text where it is not plain Python.

    A cell shows the value of its last statement, unless a semicolon ends it.
    """
    try:
        return _read_code(code, is_cell).meaning
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return hash_text(code)


def hash_text(text: str) -> str:
    """SHA-256 of a text."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _is_quiet(code: str) -> bool:
    """Whether a semicolon ends a cell, after which it shows nothing."""
    if ";" not in code:
        return False
    marks = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER)
    tokens = [one for one in tokenize.generate_tokens(io.StringIO(code).readline) if one.type not in marks]
    return bool(tokens) and tokens[-1].string == ";"


def _names_imported(tree: ast.Module) -> frozenset[tuple[str, ...]]:
    """What code imports from `lib`, each name in its parts below it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lib":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == "lib"}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lib":
            names.add(f"lib.{node.attr}")  # what `import lib` alone reaches
    return frozenset(tuple(name.split(".")[1:]) for name in names)


def imported_modules(code: str) -> set[str]:
    """Modules of `lib` that Python code imports, directly or through others: "goals", "analysis/answers"."""
    found: set[str] = set()
    waiting = _direct_imports(code)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= _direct_imports((LIB / f"{name}.py").read_text(encoding="utf-8"))
    return found


def _direct_imports(code: str) -> set[str]:
    """Modules of `lib` that Python code itself imports, at its top or inside its functions."""
    try:
        imports = _read_code(code).imports
    except SyntaxError as error:
        raise UserError(
            f"line {error.lineno} of the code: {error.msg}; expected plain Python, without % or ! commands"
        ) from None
    names = {"/".join(parts[:depth]) for parts in imports for depth in range(len(parts) + 1)}
    names |= {OFFERED[name].removeprefix("lib.").replace(".", "/") for name in names & OFFERED.keys()}
    names |= {f"{name}/__init__".lstrip("/") for name in names}
    return {name for name in names - {""} if _does_something(LIB / f"{name}.py")}


def _does_something(path: Path) -> bool:
    """Whether there is a module, and more in it than words: such an `__init__` decides nothing."""
    if path.name != "__init__.py":
        return path.exists()
    return path.exists() and _read_code(path.read_text(encoding="utf-8")).does_something


def hash_modules(names: set[str]) -> str:
    """One hash of modules of `lib`, named as `imported_modules` does, by what each does and the data beside it."""
    said = []
    for name in sorted(names):
        path = LIB / f"{name}.py"
        said.append(f"{name} {meaning(path.read_text(encoding='utf-8'))}")
        said += [hash_text(one.read_text(encoding="utf-8")) for one in beside(path)]
    return hash_text("\n".join(said))


def beside(path: Path) -> list[Path]:
    """Files of data that a module of `lib` needs from its own folder."""
    return [path.with_name(name) for name in DATA_BESIDE.get(path.name, ())]
