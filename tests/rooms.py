"""What the tests of the rooms measure: lines and modules, and which public names nobody outside needs.

`uv run python tests/rooms.py` writes what it measures into `budget.toml` wherever that is less, and the modules of each
room into the table of CONTRIBUTING.md. `… rooms.py "2026-11-29: why"` also raises what has to rise, with that reason.
"""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIB = ROOT / "lib"
BUDGET = Path(__file__).with_name("budget.toml")
GUIDE = ROOT / "CONTRIBUTING.md"
ROOMS = ("analysis", "research", "tools")

Name = tuple[str, str]
"""A module and a name in it."""


Sizes = dict[str, dict[str, int]]
"""What is measured of each room, by its name in the budget."""


def measure(folder: Path = LIB) -> Sizes:
    """Lines and modules of each room, of all Python and of all JavaScript; names that nobody outside needs."""
    paths = sorted(folder.rglob("*.py"))
    rooms: dict[str, list[Path]] = {"lib": [], **{name: [] for name in ROOMS}}
    for path in paths:
        top = path.relative_to(folder).parts[0]
        rooms[top if top in ROOMS else "lib"].append(path)
    rooms |= {"python": paths, "javascript": sorted(folder.rglob("*.js"))}
    inside = sum(len(names) for names in without_caller().values()) - len(list(unreachable()))
    return {name: _size(files) for name, files in rooms.items()} | {"inside": {"names": inside}}


def _size(paths: list[Path]) -> dict[str, int]:
    """Lines of files, and how many there are; a package's empty `__init__` is no module."""
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]
    named = [
        count for path, count in zip(paths, lines, strict=True) if path.name != "__init__.py" or count > 1
    ]
    return {"lines": sum(lines), "modules": len(named)}


SLACK = 1.02
"""A budget this much above what is measured has to be lowered."""


def complaints(budget: dict[str, dict], sizes: Sizes) -> list[str]:
    """Where a room is larger than its budget, a budget larger than its room, or a number above its aim unexplained."""
    found = [f"{room}: measured, not in the budget" for room in sizes.keys() - budget.keys()]
    for room, entry in budget.items():
        for what, measured in sizes[room].items():
            allowed, aim = entry[what], entry["aim"].get(what)
            if measured > allowed:
                found.append(f"{room}: {measured} {what}, the budget allows {allowed}")
            if allowed > (measured * SLACK if what == "lines" else measured):
                found.append(f"{room}: {measured} {what}, lower the budget from {allowed}")
            if aim is not None and allowed > aim and not is_reason(entry.get("reason", "")):
                found.append(f"{room}: {what} above the aim of {aim}, without a dated reason")
    return found


def is_reason(text: str) -> bool:
    """Whether a text begins with a day and says something."""
    return bool(re.match(r"20\d\d-\d\d-\d\d: \S+ \S+ \S+", text))


def raised_in_silence(before: dict[str, dict], after: dict[str, dict]) -> list[str]:
    """Numbers that are higher than in an earlier budget while the reason is the same."""
    return [
        f"{room}: {what} from {old} to {after[room][what]}"
        for room, entry in before.items()
        for what, old in entry.items()
        if isinstance(old, int) and room in after and after[room].get(what, 0) > old
        if after[room].get("reason") == entry.get("reason")
    ]


def renewed(text: str, sizes: Sizes, reason: str = "") -> str:
    """The text of a budget with each number lowered to what is measured; with a reason for it, also raised."""
    for room, size in sizes.items():
        for what, measured in size.items():
            before = tomllib.loads(text)[room].get(what, measured)
            if measured < before or (reason and measured > before):
                text = _with_entry(text, room, what, str(measured))
            if reason and measured > before:
                text = _with_entry(text, room, "reason", json.dumps(reason, ensure_ascii=False))
    return text


def _with_entry(text: str, room: str, key: str, value: str) -> str:
    """The text with one value of a room's table replaced."""
    pattern = re.compile(rf"(^\[{room}\]$(?:(?!^\[)[\s\S])*?^{key} = )[^\n]*", re.MULTILINE)
    return pattern.sub(lambda found: found[1] + value, text)


def with_modules(guide: str, folder: Path = ROOT) -> str:
    """The guide with the modules that each room of its table has now: the last cell of a row that begins with a folder."""

    def filled(row: re.Match[str]) -> str:
        names = sorted(path.stem for path in (folder / row[2]).glob("*.py") if path.stem != "__init__")
        return row[1] + ", ".join(f"`{name}`" for name in names) + " |"

    return re.sub(r"^(\| `(lib[\w/]*)` \|[^|]*\| ).*\|$", filled, guide, flags=re.MULTILINE)


# Who needs a name.


def module_name(path: Path) -> str:
    """`lib/tools/cli.py` is `lib.tools.cli`; a package is its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources() -> dict[str, ast.Module]:
    """The modules of `lib`, parsed."""
    return {
        module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(LIB.rglob("*.py"))
    }


@cache
def notebooks() -> dict[str, ast.Module]:
    """The code of each notebook, parsed; magics and shell lines are left out."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        lines = [line for line in "\n".join(code).splitlines() if not line.lstrip().startswith(("%", "!"))]
        found[path.stem] = ast.parse("\n".join(lines))
    return found


def defined(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """Public functions and classes of a module, without commands, which click calls."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node for node in found if not node.name.startswith("_") and not _is_command(node)]


def _is_command(node: ast.FunctionDef | ast.ClassDef) -> bool:
    calls = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
    return any(isinstance(call, ast.Attribute) and call.attr in ("command", "group") for call in calls)


def imported_modules(tree: ast.AST) -> set[str]:
    """Every module of `lib` that a source imports, as its import statements name it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name == "lib" or name.startswith("lib.")}


def used(tree: ast.AST, modules: set[str]) -> set[Name]:
    """Names of other modules that a source uses: imported by name, or as an attribute of an imported module."""
    found: set[Name] = set()
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {(node.module, alias.name) for alias in node.names}
            whole = {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            aliases |= {name: module for name, module in whole.items() if module in modules}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (module := aliases.get(ast.unparse(node.value))):
            found.add((module, node.attr))
    return found


def _through_packages(found: set[Name], trees: dict[str, ast.Module]) -> set[Name]:
    """`plots.goal_fan` is what `lib.plots` imports from one of its modules."""
    origin = {
        (package, alias.name): (node.module or "", alias.name)
        for package, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    while True:
        more = {origin[name] for name in found if name in origin} - found
        if not more:
            return found
        found = found | more


@cache
def without_caller() -> dict[str, list[str]]:
    """Public functions and classes that neither another module nor a notebook uses, by module.

    A package that hands on the names of its modules (`lib.plots`) counts as a user only of what is asked of it, and of
    what its own functions call.
    """
    trees = sources()
    packages = {name for name in trees if any(other.startswith(f"{name}.") for other in trees)}
    users = [_work_of(tree) if name in packages else tree for name, tree in trees.items()]
    found = set().union(*(used(tree, set(trees)) for tree in [*users, *notebooks().values()]))
    found = _through_packages(found, {name: trees[name] for name in packages})
    found = _with_what_they_hand_over(found, trees)
    lonely = {
        module: [node.name for node in defined(tree) if (module, node.name) not in found]
        for module, tree in trees.items()
    }
    return {module: names for module, names in lonely.items() if names}


def _with_what_they_hand_over(found: set[Name], trees: dict[str, ast.Module]) -> set[Name]:
    """Who uses a function or a class also meets the classes that its signature, fields or bases name."""
    own = {(module, node.name): node for module, tree in trees.items() for node in defined(tree)}
    waiting = [name for name in found if name in own]
    while waiting:
        module, name = waiting.pop()
        met = {(module, kind) for kind in _kinds_named(own[module, name])}
        waiting += [kind for kind in met - found if isinstance(own.get(kind), ast.ClassDef)]
        found = found | met
    return found


def _kinds_named(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    """What the annotations of a function, or the bases, fields and public methods of a class, name."""
    if isinstance(node, ast.ClassDef):
        inner = [one for one in node.body if not getattr(one, "name", "").startswith("_")]
        signatures = [one for one in inner if isinstance(one, ast.FunctionDef)]
        said = [*node.bases, *(one.annotation for one in inner if isinstance(one, ast.AnnAssign))]
        return _identifiers(said).union(*(_kinds_named(one) for one in signatures))
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return _identifiers([node.returns, *(one.annotation for one in arguments)])


def _identifiers(annotations: list[ast.expr | None]) -> set[str]:
    found = (one for said in annotations if said is not None for one in ast.walk(said))
    return {one.id for one in found if isinstance(one, ast.Name)}


def _work_of(package: ast.Module) -> ast.Module:
    """The functions and classes of a package, without what it imports to hand on."""
    return ast.Module([node for node in package.body if isinstance(node, ast.FunctionDef | ast.ClassDef)], [])


def used_at_home(tree: ast.Module, name: str) -> bool:
    """Whether a module uses one of its own names, outside its definition."""
    rest = [node for node in tree.body if getattr(node, "name", None) != name]
    return any(isinstance(node, ast.Name) and node.id == name for top in rest for node in ast.walk(top))


def unreachable() -> Iterator[str]:
    """Public names that nothing but tests can need: no caller anywhere in `lib` or a notebook."""
    trees = sources()
    for module, names in without_caller().items():
        yield from (f"{module}.{name}" for name in names if not used_at_home(trees[module], name))


if __name__ == "__main__":
    if sys.argv[1:] == ["--names"]:
        dead = set(unreachable())
        for module, names in without_caller().items():
            for name in names:
                print("dead " if f"{module}.{name}" in dead else "home ", f"{module}.{name}")
    else:
        reason = " ".join(sys.argv[1:])
        if reason and not is_reason(reason):
            sys.exit(
                f"reason: found {reason!r}, expected a day and words, such as '2026-11-29: why it must rise'"
            )
        BUDGET.write_text(renewed(BUDGET.read_text(encoding="utf-8"), measure(), reason), encoding="utf-8")
        GUIDE.write_text(with_modules(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
