"""What a run found, in a form that programs read: one record per run, kept as JSON (`lib.tools.run.results_table`).

A notebook's last cell calls `record`. The record travels in the notebook's own outputs under a private MIME
type, so a run needs no path, and a notebook opened in JupyterLab works the same.
"""

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from lib.cases import Case
from lib.goals import Kind, Outcome, Reading, Verdict
from lib.words import Said, percent, plain, rate

MIME = "application/vnd.tradegoals.result+json"


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
        name, asked = verdict.reading, verdict.outcome not in ("met", "missed")
        chance = probability.get(name) if asked and probability is not None else None
        left = needed.dropna().get(name) if asked and needed is not None else None
        found = {"probability": chance, "kind": None if chance is None else kind, "needed_rate": left}
        rows.append(ReadingResult(**vars(verdict), **found))
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


def in_words(item: ReadingResult) -> str:
    """One reading in words: "open: 38 %, forecast; needs +14.1 % a year; no figure for 2015"."""
    odds = "" if item.probability is None else ", ".join(filter(None, [percent(item.probability), item.kind]))
    needs = "" if item.needed_rate is None else f"needs {rate(item.needed_rate)} a year"
    words = [f"{item.outcome}: {odds}" if odds else item.outcome, needs, item.reason]
    return "; ".join(filter(None, words))
