"""Cells of notebooks, run by tests: what a notebook computes itself is held to examples like what stands in `lib`."""

import ast
import json
from functools import cache
from types import CodeType
from typing import Any

from lib.package import notebooks_dir


@cache
def code(beginning: str, *names: str) -> list[CodeType]:
    """The imports of a notebook, named by the number with which it begins, and the first cell for each name."""
    (path,) = notebooks_dir().glob(f"{beginning}_*.ipynb")
    cells = json.loads(path.read_bytes())["cells"]
    trees = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    imports = [node for tree in trees for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    chosen = [next(tree for tree in trees if makes(tree, name)) for name in names]
    return [compile(tree, beginning, "exec") for tree in dict.fromkeys([ast.Module(imports, []), *chosen])]


def makes(tree: ast.Module, name: str) -> bool:
    """Whether a cell gives a name its value, or defines the function."""
    nodes = list(ast.walk(tree))
    stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return name in [*stored, *(node.name for node in nodes if isinstance(node, ast.FunctionDef))]


def made(beginning: str, *names: str, **given: Any) -> Any:
    """What a notebook makes of the last of some names: by the first cell for each, run once, from the values given."""
    space = dict(given)
    for part in code(beginning, *names):
        exec(part, space)
    return space[names[-1]]
