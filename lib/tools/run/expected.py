"""What the runs of CI are expected to find: what they found when somebody last looked at it and agreed.

A file a case in ``tests/expected``. Verdicts must be the same, numbers may differ within the tolerances that the file
states. A difference is told with both values and with what has changed since, so that a change of an answer is a
decision, never an accident.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lib import figures as fig
from lib.errors import UserError, plain_bytes
from lib.goals import READING_LABELS
from lib.research.files import write_atomically
from lib.results import Result
from lib.tools.run import freshness
from lib.tools.run.freshness import Outcome
from lib.tools.run.results_table import result_of
from lib.words import printed

EXPECTED_DIR = Path(__file__).resolve().parents[3] / "tests" / "expected"

TOLERANCES = {"probabilities": 0.002, "rates": 0.0005, "levels": 0.002}
"""Absolute, of levels relative: what an optimiser estimates differs between processors in the fifth digit."""

COMPUTING = ("numpy", "pandas", "pyarrow", "scipy", "scoringrules", "statsmodels")
"""Packages whose versions are kept: those that can move a number."""

_SHORT = 12  # of each hash: enough to see a change

Expected = dict[str, Any]


def check(outcomes: Iterable[Outcome]) -> list[str]:
    """Lines on how runs differ from what is expected of them; one that failed or has no expectation differs, too."""
    lines: list[str] = []
    for path, content, group in _by_file(outcomes):
        for outcome in group:
            name, result, file = outcome.run.name, result_of(outcome), f"tests/expected/{path.name}"
            if result is None:
                what = "failed" if outcome.error else "recorded no result"
                lines.append(f"{name}: {what}, so there is nothing to compare")
            elif (expected := content["runs"].get(name)) is None:
                lines.append(f"{name}: no expectation in {file}; look, then run with --accept")
            else:
                try:
                    differences = list(_differences(expected, _facts(result), content["tolerances"]))
                    since = _changed_since(expected, outcome, result) if differences else []
                except (KeyError, TypeError, AttributeError) as error:
                    raise UserError(f"{file}: {name}: found a damaged expectation ({error!r})") from None
                if differences:
                    advice = "if this is right, renew the expectation with --accept"
                    lines.append(f"{name}: differs from {file}")
                    lines += [f"  {line}" for line in (*differences, *since, advice)]
    return lines


def accept(outcomes: Iterable[Outcome]) -> list[str]:
    """Expect from now on what runs found, all of them or none; returns the names of the files that changed."""
    texts: dict[Path, str] = {}
    for path, content, group in _by_file(outcomes):
        runs = content["runs"]
        for outcome in group:
            if (result := result_of(outcome)) is None:
                why = f"failed ({outcome.error})" if outcome.error else "recorded no result"
                raise UserError(f"--accept: {outcome.run.name} {why}; nothing was accepted")
            kept = {"figures": _figures(result), "made_from": _made_from(outcome)}
            runs[outcome.run.name] = _facts(result) | kept
        content = {"tolerances": TOLERANCES, "runs": dict(sorted(runs.items()))}
        texts[path] = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    EXPECTED_DIR.mkdir(parents=True, exist_ok=True)
    changed = [path for path in texts if not path.exists() or path.read_text("utf-8") != texts[path]]
    for path in changed:
        write_atomically(path, texts[path])
    return [path.name for path in changed]


def _by_file(outcomes: Iterable[Outcome]) -> Iterator[tuple[Path, Expected, list[Outcome]]]:
    """Files of cases, what each expects, and the outcomes that belong there; a run without a case has its own."""
    groups: dict[Path, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.run.name):
        groups.setdefault(EXPECTED_DIR / f"{outcome.run.case or outcome.run.slug}.json", []).append(outcome)
    for path, group in sorted(groups.items()):
        yield path, _read(path), group


def _facts(result: Result) -> Expected:
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
        group = "probabilities" if row.output_type == "probability" else "rates"
        group = "levels" if row.unit.endswith((" mn", " bn")) else group
        if name in found[group]:
            raise UserError(f"{result.notebook}: found two estimates named {name}, expected one")
        found[group][name] = _rounded(row.value)
    return found


def _rounded(value: float) -> float:
    """Six significant digits: more would differ between machines and only make noise in a diff."""
    return float(f"{value:.6g}")


def _figures(result: Result) -> dict[str, str]:
    """Each figure that the answer rests on, as it stands in the table: "230 USD mn, +50 %, ok"."""
    table = fig.load_figures().set_index("figure_id")
    found = {}
    for name in filter(table.index.__contains__, result.figure_ids):
        row = table.loc[name]
        growth = [f"{row['yoy_pct']:+g} %"] if row["yoy_pct"] == row["yoy_pct"] else []
        found[name] = ", ".join([f"{printed(row['value'])} {row['unit']}".strip(), *growth, row["status"]])
    return found


def _made_from(outcome: Outcome) -> Expected:
    """The parts of the run's key, shortened; nothing where its journal is missing."""
    if (record := freshness.read_journal(outcome.folder)) is None:
        return {}
    parts = {name: part for name, part in record["parts"].items() if name != "page"}
    for name in ("lib", "data"):
        parts[name] = {key: digest[:_SHORT] for key, digest in parts[name].items()}
    versions = {name: parts["versions"][name] for name in COMPUTING if name in parts["versions"]}
    return parts | {"notebook": parts["notebook"][:_SHORT], "versions": versions}


def _differences(expected: Expected, found: Expected, tolerances: dict[str, float]) -> Iterator[str]:
    """One line a fact that is missing, new or too far off, old value first."""
    for group, new in found.items():
        for name in expected[group] | new:
            was, now = expected[group].get(name, "none"), new.get(name, "none")
            if was == now:
                continue
            if "none" in (was, now) or group == "verdicts":
                what = group if "none" in (was, now) else "verdict"
                yield f"{what}, {name}: expected {was}, found {now}"
                continue
            kind, scale = ("relative ", abs(was)) if group == "levels" else ("", 1.0)
            if abs(now - was) > tolerances[group] * scale + 1e-12:
                allowed = f"({kind}tolerance {tolerances[group]:g})"
                yield f"{group}, {name}: expected {was}, found {now} {allowed}"


def _changed_since(expected: Expected, outcome: Outcome, result: Result) -> list[str]:
    """What decides the output and is not what it was when the expectation was accepted."""
    before, now = expected["made_from"], _made_from(outcome)
    old, new = expected["figures"], _figures(result)
    changed, no = freshness.differing(old, new), "not used"
    lines = [f"figure {name}: was {old.get(name, no)}, is {new.get(name, no)}" for name in changed]
    if not before or not now:
        return [*lines, "what else has changed since is not known: a journal is missing"]
    lines += freshness.changes(before, now)
    return lines or ["nothing that decides the output has changed since: the machine may be another"]


def _read(path: Path) -> Expected:
    """A file of expectations, with no run in it where there is none; a damaged one is an error that names it."""
    try:
        content = json.loads(plain_bytes(path))
        if isinstance(content["runs"], dict) and set(content["tolerances"]) == set(TOLERANCES):
            return content
        fault: object = "another form"
    except FileNotFoundError:
        return {"tolerances": TOLERANCES, "runs": {}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        fault = f"no readable expectations ({error!r})"
    raise UserError(f"tests/expected/{path.name}: found {fault}, expected what `run --accept` wrote")
