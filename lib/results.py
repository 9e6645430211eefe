"""What a run found, in a form that programs read: one record per run, kept as JSON.

A notebook's last cell calls `record`. The record travels in the notebook's own outputs under a private MIME
type, so a run needs no path, and a notebook opened in JupyterLab works the same.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.cases import Case
from lib.errors import UserError, plain_bytes
from lib.goals import READING_LABELS, Kind, Outcome, Reading, Verdict
from lib.words import Said, percent, plain, rate

MIME = "application/vnd.tradegoals.result+json"

"""The schema of result.json for other programs; `tradegoals results --schema` prints the current one."""


class ReadingResult(BaseModel):
    """One reading of the goal: the verdict, or the probability while it is open or unknown."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    reading: Reading
    outcome: Outcome
    reason: str
    probability: float | None = Field(None, gt=0, lt=1, description="of being met, as of the run's date")
    kind: Kind | None = Field(None, description="what the probability is: of years ahead, running, or over")
    needed_rate: float | None = Field(None, description="growth a year still needed, a fraction")


class Estimate(BaseModel):
    """One number of a forecast, in the long form of the hubverse: what, for when, which part of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    target: str = Field(description='what is estimated: "level", "growth", "cagr", …')
    period: int = Field(description="calendar year that it is for")
    output_type: Literal["point", "quantile", "probability"]
    output_type_id: float | None = Field(None, description="the probability of a quantile; empty otherwise")
    value: float
    unit: str


class Result(BaseModel):
    """The record of one run."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = 1
    notebook: str
    title: str
    parameters: dict[str, str | int | float | bool | None]
    answer: str = Field(description="what the run's day knew, plain text")
    hindsight: str | None = Field(
        None, description="what is known with everything published since, plain text"
    )
    kind: Kind | None = Field(None, description="kind of the answer's probability; none where figures decide")
    warning: str = Field(
        "", description="what weakens the probabilities, a sentence; empty where nothing does"
    )
    readings: list[ReadingResult] = []
    estimates: list[Estimate] = []
    figure_ids: list[str] = Field([], description="rows of data/figures.csv that the answer rests on")


def readings(
    verdicts: list[Verdict],
    probability: Mapping[str, float] | None = None,
    needed: pd.Series | None = None,
    kind: Kind | None = None,
) -> list[ReadingResult]:
    """Join verdicts, probabilities of a kind and needed growth by reading; a decided reading carries neither."""
    rows = []
    for verdict in verdicts:
        decided = verdict.outcome in ("met", "missed")
        chance = None if decided or probability is None else probability.get(verdict.reading)
        rate = (
            None if decided or needed is None or pd.isna(needed[verdict.reading]) else needed[verdict.reading]
        )
        rows.append(
            ReadingResult(
                reading=verdict.reading,
                outcome=verdict.outcome,
                reason=verdict.reason,
                probability=chance,
                kind=None if chance is None else kind,
                needed_rate=None if rate is None else float(rate),
            )
        )
    return rows


def points(values: pd.Series, period: int, unit: str) -> list[Estimate]:
    """Point estimates of one period, by what is estimated; those not known are left out."""
    return [
        Estimate(target=str(target), period=period, output_type="point", value=float(value), unit=unit)
        for target, value in values.dropna().items()
    ]


def record(notebook: str, case: Case, answer: str, **parts: Any) -> None:
    """Show the run's record as the last output of a notebook.

    Parameters
    ----------
    notebook : name of the notebook, without its ending.
    case : the validated parameters.
    answer : the sentence that the notebook opens with, plain text or what `say` returned.
    parts : `readings`, `estimates`, `figure_ids`, `hindsight`, `kind`, `warning` of `Result`.
    """
    from IPython.display import display

    text = plain(answer) if isinstance(answer, Said) else answer
    result = Result(
        notebook=notebook, title=case.title(), parameters=case.model_dump(mode="json"), answer=text, **parts
    )
    text = f"Recorded for {result.title}: {len(result.readings)} readings, {len(result.estimates)} estimates."
    display({MIME: result.model_dump(mode="json"), "text/plain": text}, raw=True)


def from_notebook(notebook: Mapping[str, Any]) -> Result | None:
    """The record that an executed notebook carries; None where it makes none."""
    for cell in reversed(notebook["cells"]):
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                return _parsed(output["data"][MIME], "the notebook's last output")
    return None


def read(path: Path) -> Result:
    """Read a `result.json`; a damaged one is an error that names the file."""
    try:
        return _parsed(json.loads(plain_bytes(path)), path.name)
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path.name}: found no valid JSON ({error}), expected what `tradegoals run` wrote"
        ) from None


def _parsed(record: Any, where: str) -> Result:
    """The record as typed values, or an error that names every field at fault."""
    try:
        return Result.model_validate(record)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise UserError(f"{where}: found a damaged result ({'; '.join(faults)})") from None


def to_json(result: Result) -> str:
    """The record as stable, readable JSON text."""
    return json.dumps(result.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"


def schema_text() -> str:
    """The JSON schema of a `result.json`, as notebooks/result.schema.json keeps it."""
    return json.dumps(Result.model_json_schema(), ensure_ascii=False, indent=1) + "\n"


def verdict_lines(found: list[Result]) -> list[str]:
    """The verdict table as lines for a terminal: one block a goal, who says so and by what kind, readings below it.

    Notebooks that come to the same about one goal share a block, whose end warns of what weakens the probabilities.
    """
    said: dict[tuple[str, ...], list[str]] = {}
    kinds: dict[tuple[str, ...], dict[str, None]] = {}
    warnings: dict[tuple[str, ...], dict[str, None]] = {}
    for result in found:
        rows = [f"  {READING_LABELS[item.reading]:<22} {in_words(item)}" for item in result.readings]
        if rows:
            said.setdefault((result.title, *rows), []).append(result.notebook.partition("_")[0])
            kinds[result.title, *rows] = dict.fromkeys(_kind_of(result))
            if result.warning:
                warnings.setdefault((result.title, *rows), {})[f"  {result.warning}"] = None
    return [
        line
        for block, names in said.items()
        for line in (
            "",
            f"{block[0]} ({'; '.join(filter(None, [', '.join(dict.fromkeys(names)), ', '.join(kinds[block])]))})",
            *block[1:],
            *warnings.get(block, ()),
        )
    ]


def _kind_of(result: Result) -> list[str]:
    """The kinds of a result's probabilities; "decided by figures" where it needs none."""
    if all(item.outcome in ("met", "missed") for item in result.readings):
        return ["decided by figures"]
    return [item.kind for item in result.readings if item.kind]


def in_words(item: ReadingResult) -> str:
    """One reading in words: "open: 38 %, forecast; needs +14.1 % a year; no figure for 2015"."""
    odds = [] if item.probability is None else [percent(item.probability), *filter(None, [item.kind])]
    words = [f"{item.outcome}: {', '.join(odds)}" if odds else item.outcome]
    if item.needed_rate is not None:
        words.append(f"needs {rate(item.needed_rate)} a year")
    return "; ".join([*words, item.reason])
