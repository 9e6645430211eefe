"""What code means: its syntax tree without docstrings, comments, layout, and annotations that nothing reads.

And which modules of `lib` it imports, directly or through others; both are read from the text, nothing is run.
"""

import ast
import io
import tokenize
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

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

UNSAID = {"ctx", "kind", "type_comment", "type_ignores"}  # fields of a syntax tree that say nothing more
READERS_OF_DOCS = ("__doc__", "getdoc", "use_attribute_docstrings")


class _Reader:
    """Writes down what a syntax tree does, without what no run can notice, and what it imports from `lib`: in one walk."""

    def __init__(self, keep_text: bool) -> None:
        self.keep_text = keep_text
        self.said: list[str] = []
        """In every version of Python the same: `ast.dump` shows empty fields in some."""
        self.names: set[str] = set()

    def read(self, node: Any, shows: bool = False, in_class: bool = False) -> None:
        """Go on with a node, a list of nodes or a plain value; `shows`: at the top of a cell values are shown."""
        if isinstance(node, list):
            self.said.append("[")
            for one in node:
                self.read(one, shows, in_class)
            self.said.append("]")
        elif not isinstance(node, ast.AST):
            self.said.append(repr(node))
        elif isinstance(node, ast.stmt):
            self._read_statement(node, shows, in_class)
        else:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                self.names.add(f"{node.value.id}.{node.attr}")  # what `import lib` alone reaches
            self._read_fields(node, shows, in_class)

    def _read_fields(self, node: ast.AST, shows: bool, in_class: bool) -> None:
        self.said.append(type(node).__name__)
        for name, value in ast.iter_fields(node):
            if name not in UNSAID and value is not None and value != []:
                self.said.append(name)
                self.read(value, shows, in_class)
        self.said.append(")")

    def _read_statement(self, node: ast.stmt, shows: bool, in_class: bool) -> None:
        match node:
            case ast.Expr(ast.Constant(str())) if not (shows or self.keep_text):
                return  # a text that stands alone is a comment
            case ast.If() if _name_of(node.test) == "TYPE_CHECKING":  # only type checkers see it
                for one in node.orelse:
                    self.read(one, shows, in_class)
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                _leave_out_annotations(node)
                shows = in_class = False
            case ast.ClassDef():  # annotations in its body may make fields
                shows, in_class = False, True
            case ast.AnnAssign() if not in_class and node.value:
                node = ast.Assign([node.target], node.value)
            case ast.AnnAssign() if not in_class:  # it still makes the name a local one
                node.annotation = ast.Constant(None)
            case ast.ImportFrom():
                self.names |= {f"{node.module}.{alias.name}" for alias in node.names}
            case ast.Import():
                self.names |= {alias.name for alias in node.names}
        self._read_fields(node, shows, in_class)


def _leave_out_annotations(node: Any) -> None:
    """Take the annotations of parameters and result from a function, unless a decorator may read them."""
    if all(_name_of(decorator) in PLAIN_DECORATORS for decorator in node.decorator_list):
        node.returns = None
        for one in ast.walk(node.args):
            if isinstance(one, ast.arg):
                one.annotation = None


def _name_of(node: ast.expr) -> str:
    """The last name of an expression: "lru_cache" of `functools.lru_cache(maxsize=1)`."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


class _Code(NamedTuple):
    """What is read from code: what it does, as a hash, whether that is anything, and the names of `lib` in it."""

    meaning: str
    does_something: bool
    imports: frozenset[tuple[str, ...]]


@lru_cache(maxsize=4096)
def _read_code(code: str, is_cell: bool = False) -> _Code:
    """Read code, which is parsed once; raises `SyntaxError` or `ValueError` where it is not plain Python."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT * is_cell
    tree = compile(code, "code", "exec", flags, dont_inherit=True)
    reader = _Reader(keep_text=any(word in code for word in READERS_OF_DOCS))
    for statement in tree.body:
        reader.read(statement, shows=is_cell)
    text = ",".join(reader.said) + ";" * (is_cell and _is_quiet(code))
    imports = (name.split(".") for name in reader.names)
    return _Code(
        hash_text(text), bool(reader.said), frozenset(tuple(one[1:]) for one in imports if one[0] == "lib")
    )


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


def imported_modules(code: str) -> set[str]:
    """Modules of `lib` that Python code imports, directly or through others: "goals", "analysis/answers"."""
    found: set[str] = set()
    waiting = _direct_imports(code)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= _direct_imports((LIB / f"{name}.py").read_text(encoding="utf-8"), f"lib/{name}.py")
    return found


def _direct_imports(code: str, where: str = "the code") -> set[str]:
    """Modules of `lib` that Python code itself imports, at its top or inside its functions."""
    try:
        imports = _read_code(code).imports
    except SyntaxError as error:
        raise UserError(
            f"line {error.lineno} of {where}: {error.msg}; expected plain Python, without % or ! commands"
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
