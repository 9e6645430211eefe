"""Everything in ``data/reference``, computed from the panels and the register: a list of steps, and what each rests on.

A step is a function that loads its inputs from the folder of panels and the data, computes, and returns tables, which
are saved atomically. What it rests on is found, not listed: the modules of `lib` that its own module imports, hashed
by meaning, and the files that it opened, noted while it ran. A step of which nothing has changed is skipped, so that
a stopped run goes on where it was.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib import package, reference
from lib.errors import UserError
from lib.research import (
    base_rates,
    classes,
    meaning,
    nowcasts,
    parts,
    register,
    rival_scores,
    studies,
    trade_scores,
)
from lib.research.files import make_folder, refresh_checksums, write_atomically
from lib.research.panels import Progress, Tables, save

Step = Callable[[Path, Progress], Tables]

STEPS: dict[str, Step] = {
    "priors": classes.priors,
    "distributions": base_rates.known_growth,
    "base_rates": base_rates.outcomes,
    "parents": parts.weights,
    "part_spreads": parts.spreads,
    "fuel": studies.fuel_study,
    "policies": studies.policy_study,
    "placebos": studies.placebo_study,
    "trade": trade_scores.trade,
    "contests": trade_scores.contests,
    "competitors": rival_scores.competitors,
    "verdicts": trade_scores.verdicts,
    "nowcasts": nowcasts.nowcasts,
    "register": register.scores,
    "register_model": register.model,
}
"""In order: the register is scored with the priors that an earlier step has written."""

BUILT = "built.json"
"""What each step rested on when it last ran: the hash of its code, of the files that it opened, and what it wrote."""


def build(
    folder: str | Path,
    out: str | Path | None = None,
    only: Iterable[str] = (),
    fresh: bool = False,
) -> dict[str, str]:
    """Compute the steps (all, or `only` some) of which something has changed, or all of these if `fresh`.

    `folder` holds the panels; results go to `out`, ``data/reference`` by default. Returns the steps that were run,
    each with the reason.
    """
    folder, out = Path(folder), Path(out) if out is not None else reference.reference_folder()
    chosen = set(only) or set(STEPS)
    if unknown := chosen - set(STEPS):
        raise UserError(f"step: found {', '.join(sorted(unknown))}, expected some of {', '.join(STEPS)}")
    ran = {}
    for name, step in STEPS.items():
        if name in chosen and (why := "asked for" if fresh else _reason(name, step, folder, out)):
            _run(name, step, folder, out)
            ran[name] = why
    return ran


def _run(name: str, step: Step, folder: Path, out: Path) -> None:
    """Load, compute, save, and note what the step rested on."""
    code = _code_of(step)
    with _noted_files() as opened:
        tables = step(folder, _bar(name))
    _save_all(tables, out)
    files = {label: _hash(path) for label, path in sorted(_inputs(opened, folder).items())}
    built = _built(out) | {name: {"code": code, "files": files, "made": list(tables)}}
    write_atomically(out / BUILT, json.dumps(built, indent=1, sort_keys=True) + "\n")
    _forget()
    if out == reference.reference_folder():
        refresh_checksums(tuple(f"reference/{file}" for file in tables))


def _reason(name: str, step: Step, folder: Path, out: Path) -> str:
    """Why a step must run: "never run here", "its code changed", "targets.csv changed"; empty if nothing changed."""
    note = _built(out).get(name)
    if note is None:
        return "never run here"
    if note["code"] != _code_of(step):
        return "its code changed"
    for label, digest in note["files"].items():
        place, _, file = label.partition("/")
        if _hash(_places(folder)[place] / file) != digest:
            return f"{label} changed"
    lost = [file for file in note["made"] if not (out / file).exists()]
    return f"{lost[0]} is missing" if lost else ""


def _code_of(step: Step) -> str:
    """The hash of what a step's module and all modules of `lib` that it imports do."""
    return meaning.hash_modules(meaning.imported_modules(f"import {step.__module__}"))[:16]


# --- the files that a step opens ---

_listening: list[set[str]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _listening and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        _listening[-1].add(os.fsdecode(arguments[0]))


sys.addaudithook(_hook)  # PEP 578: it stays for good, so one is enough


@contextmanager
def _noted_files() -> Iterator[set[str]]:
    """The names of all files that Python opens meanwhile; nothing is remembered from before, so all are opened."""
    _forget()
    _listening.append(set())
    try:
        yield _listening[-1]
    finally:
        _listening.pop()


def _forget() -> None:
    """Empty the caches of `lib`: what was read before would not be opened, and so not noted."""
    for name, module in list(sys.modules.items()):
        if name.startswith("lib."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _places(folder: Path) -> dict[str, Path]:
    return {"panels": folder.resolve(), "data": package.data_dir().resolve(), "lib": meaning.LIB}


def _inputs(opened: set[str], folder: Path) -> dict[str, Path]:
    """Files of the panels, of the data and of `lib` among those that were opened, by a label that says where."""
    found = {}
    for path in {Path(name).resolve() for name in opened}:
        for place, root in _places(folder).items():
            if path.is_relative_to(root) and path.suffix not in (".py", ".pyc") and path.is_file():
                found[f"{place}/{path.relative_to(root).as_posix()}"] = path
    return found


def _hash(path: Path) -> str:
    """The hash of a file; of the description of the data its schemas alone, since the tables' own hashes say the rest."""
    if not path.exists():
        raise UserError(
            f"{path.name}: not found in {path.parent}; expected what data/reference was computed from"
        )
    content = path.read_bytes()
    if path.name == package.PACKAGE_FILE:
        schemas = [(one["path"], one.get("schema")) for one in json.loads(content)["resources"]]
        content = json.dumps([one for one in schemas if not one[0].startswith("reference/")]).encode()
    return sha256(content).hexdigest()[:16]


def _built(out: Path) -> dict[str, Any]:
    path = out / BUILT
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        raise UserError(
            f"{path.name}: found no valid JSON, expected what `tradegoals reference` wrote; delete it to compute all again"
        ) from None


def _bar(name: str) -> Progress:
    from tqdm import tqdm

    return lambda items: tqdm(items, desc=name, unit="part", disable=None)  # none where nobody watches


def _save_all(tables: Tables, out: Path) -> list[Path]:
    """Write tables by their names into a folder, which is made; gives their paths."""
    for name, table in tables.items():
        make_folder((out / name).parent)
        save(table, out / name)
    return [out / name for name in tables]


# --- a panel of the user's own ---


def own_priors(panel: Path, out: Path) -> list[Path]:
    """Write the priors of a user's own panel into a folder."""
    return _save_all({f"priors_{panel.stem}.csv": classes.panel_priors(panel)}, out)


def own_scores(panel: Path, out: Path) -> list[Path]:
    """Write the scores of the forecasts on a user's own panel into a folder."""
    scores = trade_scores.score_panel(panel, _bar("own panel"))
    return _save_all({f"scores_{panel.stem}/{name}.parquet": table for name, table in scores.items()}, out)
