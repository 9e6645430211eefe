"""What to run and why: the checked runs of a command, and for each the reason to execute or skip it.

To check parameters takes pandas and the tables, to follow imports a parser. Both depend on nothing but files
and arguments, so their result is kept in the output folder under a hash of all these.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.execution.journal import hash_file
from lib.execution.keys import Sources, all_module_names, installed, module_names, reason_to_run, run_versions
from lib.execution.locks import make_folder
from lib.execution.spec import Run, notebooks_dir, run_from
from lib.files import write_atomically
from lib.package import FETCHED, data_dir, kept_files

PLANS = ".plans"
KEPT_PLANS = 20


@dataclass(frozen=True)
class Item:
    """A run and why it must be executed; an empty reason means that its files are up to date."""

    run: Run
    reason: str


@dataclass(frozen=True)
class Plan:
    """Checked runs, those left out with the reason, and what is known about the sources of all."""

    runs: list[Run]
    left_out: dict[str, str]
    sources: Sources


def choose(
    arguments: Any, out: Path, select: Callable[[], tuple[list[Run], dict[str, str]]], keep: bool = True
) -> Plan:
    """The runs that `select` gives for `arguments`, which are checked again only if a file has changed.

    Parameters
    ----------
    arguments : all that `select` depends on beside the files, as JSON values.
    out : the output folder, which keeps plans.
    select : checks and expands, to runs and those left out; raises `UserError`, which is not kept.
    keep : whether to write the plan.
    """
    sources = Sources()
    path = out / PLANS / f"{_state(arguments, sources)}.json"
    if (kept := _read(path, sources)) is not None:
        return kept
    runs, left_out = select()
    sources.modules = {name: module_names(name) for name in dict.fromkeys(run.notebook for run in runs)}
    sources.versions = run_versions()
    plan = Plan(runs, left_out, sources)
    if keep:
        _keep(path, plan)
    return plan


def make_items(runs: list[Run], out: Path, sources: Sources, force: bool = False) -> list[Item]:
    """Each run with its reason."""
    return [Item(run, "forced" if force else reason_to_run(run, out, sources)) for run in runs]


def _state(arguments: Any, sources: Sources) -> str:
    """The hash of all that decides what is run: arguments, runs.yml, notebooks, modules, tables, packages."""
    library, data, notebooks = Path(__file__).parents[1], data_dir(), notebooks_dir()
    files = [library / name for name in all_module_names()]
    files += [*kept_files(".csv", ".json"), *sorted((data / FETCHED).glob("*.parquet"))]
    # The day, because a parameter may be "today".
    state = [arguments, date.today().isoformat(), sys.version, str(data), str(notebooks), installed()]
    state += [(str(path), sources.hash_of(path)) for path in files]
    state += [(path.name, hash_file(path)) for path in sorted(notebooks.glob("*.[iy]*"))]
    return sha256(json.dumps(state).encode()).hexdigest()[:24]


def _read(path: Path, sources: Sources) -> Plan | None:
    """A kept plan; None if there is none, or it is damaged."""
    try:
        digest, _, body = path.read_text(encoding="utf-8").partition("\n")
        if sha256(body.encode()).hexdigest() != digest:
            return None
        content = json.loads(body)
        sources.modules, sources.versions = content["modules"], content["versions"]
        return Plan([run_from(run, path.name) for run in content["runs"]], content["left_out"], sources)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, plan: Plan) -> None:
    """Keep a plan, the latest few; where nothing can be written the runs will say so, not the plan."""
    content = {
        "runs": [run.to_json() for run in plan.runs],
        "left_out": plan.left_out,
        "modules": plan.sources.modules,
        "versions": plan.sources.versions,
    }
    body = json.dumps(content)
    try:
        make_folder(path.parent.parent, path.parent)
        write_atomically(path, f"{sha256(body.encode()).hexdigest()}\n{body}")
        by_age = sorted(path.parent.glob("*.json"), key=lambda kept: kept.stat().st_mtime, reverse=True)
        for old in by_age[KEPT_PLANS:]:
            old.unlink(missing_ok=True)
    except (OSError, UserError):
        return
