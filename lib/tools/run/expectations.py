"""Expected outcomes: what the runs of continuous integration found when somebody last looked at it and agreed.

One small file a case in ``tests/expected``. Verdicts and parameters must be the same, numbers may differ within
the tolerances that the file states. A difference is told with both values, and with what has changed since:
figures, data files, modules, versions. So a change of an answer is a decision, never an accident.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from lib import figures as fig
from lib.errors import UserError, plain_bytes
from lib.goals import READING_LABELS
from lib.research.files import write_atomically
from lib.results import Result
from lib.tools.run import freshness
from lib.tools.run.freshness import Outcome, Run, changes
from lib.words import printed

EXPECTED_DIR = Path(__file__).resolve().parents[3] / "tests" / "expected"

TOLERANCES = {"probabilities": 0.002, "rates": 0.0005, "levels": 0.002}
"""Largest difference: absolute for fractions, relative for levels.

What an optimiser estimates differs between processors in the fifth digit, so the third is safe.
"""

RELATIVE = ("levels",)

COMPUTING = ("numpy", "pandas", "pyarrow", "scipy", "scoringrules", "statsmodels")
"""Packages whose versions are kept: those that can move a number."""

DIGITS = 12
"""Of each hash: enough to see a change."""

Expected = dict[str, Any]


def check(outcomes: Iterable[Outcome]) -> list[str]:
    """Compare what runs found with what is expected of them, run by run.

    Parameters
    ----------
    outcomes : of `tradegoals run`, skipped runs included; the results are read from their folders.

    Returns
    -------
    Lines to print; none if all is as expected. A run that failed or has no expectation is a difference.

    Raises
    ------
    UserError
        Where a file of expectations or a result is damaged, naming it.
    """
    lines: list[str] = []
    for path, group in _by_file(outcomes):
        content = _read(path)
        for outcome in group:
            expected = content["runs"].get(outcome.run.name)
            lines += _compare(outcome, expected, content["tolerances"], path.name)
    return lines


def accept(outcomes: Iterable[Outcome]) -> list[str]:
    """Write what runs found as what is expected from now on; other runs of the same cases keep theirs.

    Returns
    -------
    Names of the files that changed.

    Raises
    ------
    UserError
        Where a run failed or recorded nothing; then nothing is written.
    """
    texts: dict[Path, str] = {}
    for path, group in _by_file(outcomes):
        runs = _read(path)["runs"] | {outcome.run.name: _facts_to_keep(outcome) for outcome in group}
        content = {"tolerances": TOLERANCES, "runs": dict(sorted(runs.items()))}
        texts[path] = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    changed = {
        path: text for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text
    }
    EXPECTED_DIR.mkdir(parents=True, exist_ok=True)
    for path, text in changed.items():
        write_atomically(path, text)
    return [path.name for path in changed]


def case_of(run: Run) -> str:
    """The case of runs.yml that a run belongs to; without one, the run's own slug."""
    return run.case or run.slug


def _by_file(outcomes: Iterable[Outcome]) -> Iterator[tuple[Path, list[Outcome]]]:
    ordered = sorted(outcomes, key=lambda outcome: (case_of(outcome.run), outcome.run.name))
    for name, group in groupby(ordered, key=lambda outcome: case_of(outcome.run)):
        yield EXPECTED_DIR / f"{name}.json", list(group)


def _facts_to_keep(outcome: Outcome) -> Expected:
    result = outcome.result
    if outcome.error or result is None:
        why = f"failed ({outcome.error})" if outcome.error else "recorded no result"
        raise UserError(f"--accept: {outcome.run.name} {why}, expected a result; nothing was accepted")
    return facts(result) | {"figures": _figures(result), "made_from": _made_from(outcome)}


def facts(result: Result) -> Expected:
    """What is compared, by group: verdicts exactly, the others within their tolerance."""
    found: Expected = {"verdicts": {}, "probabilities": {}, "rates": {}, "levels": {}}
    for item in result.readings:
        label = READING_LABELS[item.reading]
        found["verdicts"][label] = item.outcome
        if item.probability is not None:
            found["probabilities"][label] = _rounded(item.probability)
        if item.needed_rate is not None:
            found["rates"][f"still needed a year, {label}"] = _rounded(item.needed_rate)
    for row in result.estimates:
        level = "" if row.output_type_id is None else f" {row.output_type_id:g}"
        name = f"{row.target} {row.period}, {row.output_type}{level}, {row.unit}"
        if name in found[_group_of(row.output_type, row.unit)]:
            raise UserError(f"{result.notebook}: found two estimates named {name}, expected one")
        found[_group_of(row.output_type, row.unit)][name] = _rounded(row.value)
    return found


def _group_of(output_type: str, unit: str) -> str:
    if unit.endswith((" mn", " bn")):
        return "levels"
    return "probabilities" if output_type == "probability" else "rates"


def _rounded(value: float) -> float:
    """Six significant digits: more would differ between machines and only make noise in a diff."""
    return float(f"{value:.6g}")


def _figures(result: Result) -> dict[str, str]:
    """Each figure that the answer rests on, as it stands in the table: "230 USD mn, +50 %, ok"."""
    table = fig.load_figures().set_index("figure_id")
    found = {}
    for name in result.figure_ids:
        if name in table.index:
            row = table.loc[name]
            growth = f"{row['yoy_pct']:+g} %" if row["yoy_pct"] == row["yoy_pct"] else ""
            parts = (f"{printed(row['value'])} {row['unit']}".strip(), growth, row["status"])
            found[name] = ", ".join(part for part in parts if part)
    return found


def _made_from(outcome: Outcome) -> Expected:
    """The parts of the run's key, shortened; nothing where its journal is missing."""
    record = freshness.read_journal(outcome.folder)
    if record is None:
        return {}
    parts = record["parts"]
    shorter = {
        name: {key: digest[:DIGITS] for key, digest in parts[name].items()} for name in ("lib", "data")
    }
    return {
        "notebook": parts["notebook"][:DIGITS],
        **shorter,
        "parameters": parts["parameters"],
        "versions": {name: parts["versions"][name] for name in COMPUTING if name in parts["versions"]},
        "python": parts["python"],
    }


def _compare(
    outcome: Outcome, expected: Expected | None, tolerances: dict[str, float], file: str
) -> list[str]:
    name = outcome.run.name
    if outcome.error:
        return [f"{name}: failed, so there is nothing to compare"]
    if (result := outcome.result) is None:
        return [f"{name}: recorded no result, so there is nothing to compare"]
    if expected is None:
        return [
            f"{name}: no expectation in tests/expected/{file}; look at the result, then run with --accept"
        ]
    try:
        differences = _differences(expected, facts(result), tolerances)
        since = _changed_since(expected, outcome, result)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"tests/expected/{file}: {name}: found a damaged expectation ({error!r}), expected what --accept wrote"
        ) from None
    if not differences:
        return []
    head = f"{name}: differs from tests/expected/{file}"
    advice = "if this is right, renew the expectation with --accept"
    return [head, *(f"  {line}" for line in (*differences, *since, advice))]


def _differences(expected: Expected, found: Expected, tolerances: dict[str, float]) -> list[str]:
    """One line a fact that is missing, new or too far off, old value first."""
    lines = []
    for group in found:
        old, new = expected[group], found[group]
        for name in old | new:
            if name not in old or name not in new:
                lines.append(
                    f"{group}, {name}: expected {old.get(name, 'none')}, found {new.get(name, 'none')}"
                )
            elif group == "verdicts" and old[name] != new[name]:
                lines.append(f"verdict, {name}: expected {old[name]}, found {new[name]}")
            elif group != "verdicts" and not _is_close(old[name], new[name], group, tolerances[group]):
                kind = "relative " if group in RELATIVE else ""
                allowed = f"{kind}tolerance {tolerances[group]:g}"
                lines.append(f"{group}, {name}: expected {old[name]}, found {new[name]} ({allowed})")
    return lines


def _is_close(old: float, new: float, group: str, tolerance: float) -> bool:
    return abs(new - old) <= tolerance * (abs(old) if group in RELATIVE else 1.0) + 1e-12


def _changed_since(expected: Expected, outcome: Outcome, result: Result) -> list[str]:
    """What decides the output and is not what it was when the expectation was accepted."""
    before, now = expected["made_from"], _made_from(outcome)
    old, new = expected["figures"], _figures(result)
    lines = [
        f"figure {name}: was {old.get(name, 'not used')}, is {new.get(name, 'not used')}"
        for name in old | new
        if old.get(name) != new.get(name)
    ]
    if not before or not now:
        return [*lines, "what else has changed since is not known: a journal is missing"]
    lines += [line for line in changes(before, now) if not line.startswith("versions ")]
    was, has = before["versions"], now["versions"]
    lines += [
        f"version changed: {name} {was.get(name)} to {has.get(name)}"
        for name in was | has
        if was.get(name) != has.get(name)
    ]
    return lines or ["nothing that decides the output has changed since: the machine may be another"]


def _read(path: Path) -> Expected:
    """A file of expectations, with no run in it where there is none; a damaged one is an error that names it."""
    try:
        content = json.loads(plain_bytes(path))
        if isinstance(content["runs"], dict) and set(content["tolerances"]) == set(TOLERANCES):
            return content
        fault = "another form"
    except FileNotFoundError:
        return {"tolerances": TOLERANCES, "runs": {}}
    except OSError as error:
        raise UserError(f"tests/expected/{path.name}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError) as error:
        fault = f"no readable expectations ({error!r})"
    raise UserError(
        f"tests/expected/{path.name}: found {fault}, expected what `tradegoals run --accept` wrote"
    )
