"""What changed between two days, for a reader: sentences, tables and the bars of a figure."""

from datetime import date
from typing import Any

import pandas as pd

from lib.goals import READING_LABELS, READINGS
from lib.pages.revisions import FIGURE, REST, contributions, movers, verdict_changes
from lib.params import CompareCase
from lib.results import Estimate
from lib.show import number, periods
from lib.words import percent

LEAST_SHOWN = 0.0005
"""Moves up to 0.05 points of a per cent are told together."""


def points(moved: float) -> str:
    """A move of a probability in points of a per cent: 0.707 → "+70.7", −0.0003 → "−0.03"; empty for none."""
    if pd.isna(moved) or moved == 0:
        return ""
    if abs(moved) < 0.00005:
        return "under 0.01"
    digits = 1 if abs(moved) >= LEAST_SHOWN else 2
    return f"{moved * 100:+.{digits}f}".replace("-", "−")


def in_words(case: CompareCase, new: pd.DataFrame, found: pd.DataFrame) -> str:
    """What arrived, what it changed in the reading in which the goal was stated, and what moved it most."""
    span = f"*Between {case.as_of:%-d %B %Y} and {case.until:%-d %B %Y}*"
    if new.empty and len(found) == 1:
        return f"{span} nothing arrived and nothing changed."
    changed = int((found["kind"] == FIGURE).sum())
    label = READING_LABELS[case.reading]
    first, last = (_state_in_words(found.iloc[place], case.reading) for place in (0, -1))
    same = "stayed" if first == last else f"went from {first} to"
    return (
        f"{span} **{len(new)} figures** arrived; {changed} of them changed a level that is used here. Read {label}, "
        f"the goal {same} **{last}**.{_largest(found, case.reading)}"
    )


def _state_in_words(step: pd.Series, reading: str) -> str:
    verdict, p = step[f"verdict_{reading}"], step[f"p_{reading}"]
    return verdict if verdict in ("met", "missed") or pd.isna(p) else f"{verdict} at {percent(p)}"


def _largest(found: pd.DataFrame, reading: str) -> str:
    moved = contributions(found)[reading]
    if not (moved.abs() > LEAST_SHOWN).any():
        return ""
    place = moved.abs().idxmax()
    step = found.loc[place]
    what = (
        f"{step['reporter']}, {step['levels']} (row {step['figure_id']})"
        if step["figure_id"]
        else "time alone"
    )
    return f" Most was moved by {what}: {points(moved[place])} points."


def arrival_counts(new: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """How many figures arrived by reporter, and how many of them changed a level that is used, or the forecast."""
    moved = found.loc[contributions(found).abs().max(axis=1).gt(0).reindex(found.index, fill_value=False)]
    counts = [
        (
            name,
            len(rows),
            int(rows["figure_id"].isin(found["figure_id"]).sum()),
            int(rows["figure_id"].isin(moved["figure_id"]).sum()),
        )
        for name, rows in new.groupby("reporter", sort=False)
    ]
    return pd.DataFrame(counts, columns=["reporter", "figures", "changed a level", "moved a probability"])


def arrival_table(case: CompareCase, new: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Every figure of the flow itself, and those of larger flows that changed a level, with their sources."""
    rows = new[(new["reporter"] == case.reporter) | new["figure_id"].isin(found["figure_id"])]
    changes = found[found["kind"] == FIGURE].set_index("figure_id")["levels"]
    return pd.DataFrame(
        {
            "known from": rows["known_from"].dt.strftime("%Y-%m-%d"),
            "reporter": rows["reporter"],
            "period": periods(rows),
            "value": [f"{number(v)} {u}".strip() for v, u in zip(rows["value"], rows["unit"], strict=True)],
            f"levels changed, {case.currency} mn": rows["figure_id"].map(changes).fillna(""),
            "row of figures.csv": rows["figure_id"],
            "publisher": rows["publisher"],
            "address": rows["url"],
        }
    )


def attribution_table(found: pd.DataFrame) -> pd.DataFrame:
    """What each step moved of each reading, in points of a per cent; the last row is the sum."""
    moved = contributions(found)
    some = moved.abs().max(axis=1) > LEAST_SHOWN
    few = moved[~some & (moved.abs().max(axis=1) > 0)]
    steps = found.loc[moved.index[some]]
    names = {
        "day": [*(f"{day}" for day in steps["day"]), *([""] * bool(len(few))), ""],
        "what arrived": [
            *(step.figure_id or "time alone" for step in steps.itertuples()),
            *([f"{len(few)} with smaller moves"] * bool(len(few))),
            "all together",
        ],
        "levels changed": [*steps["levels"], *([""] * bool(len(few))), ""],
    }
    for reading in READINGS:
        values = [*moved.loc[some, reading], *([few[reading].sum()] * bool(len(few))), moved[reading].sum()]
        names[f"{READING_LABELS[reading]}, points"] = [points(value) for value in values]
    return pd.DataFrame(names)


def verdict_table(found: pd.DataFrame) -> pd.DataFrame:
    """The changes of verdicts, formatted."""
    rows = verdict_changes(found)
    return pd.DataFrame(
        {
            "reading": rows["reading"].map(READING_LABELS),
            "day": rows["day"].astype(str),
            "verdict before": rows["before"],
            "verdict after": rows["after"],
            "by": rows["figure_id"].replace("", "time alone"),
        }
    )


def bars(case: CompareCase, found: pd.DataFrame, least: float = 0.005) -> pd.DataFrame:
    """The way of the probability of the stated reading: start, moves of more than `least`, the others, end.

    Returns
    -------
    Frame with label, low and high (fractions, ends of the bar) and moved (NaN for start and end).
    """
    rows = movers(found, case.reading, least)
    start, end = found.iloc[0], found.iloc[-1]
    level = start[f"p_{case.reading}"]
    parts = [(_end_label(case.as_of, start, case.reading), 0.0, level, float("nan"))]
    for row in rows.iloc[1:].to_dict("records"):
        low, high = sorted((level, level + row["moved"]))
        parts.append((_bar_label(row), low, high, row["moved"]))
        level += row["moved"]
    parts.append((_end_label(case.until, end, case.reading), 0.0, end[f"p_{case.reading}"], float("nan")))
    return pd.DataFrame(parts, columns=["label", "low", "high", "moved"])


def _end_label(day: date, step: pd.Series, reading: str) -> str:
    return f"{day:%-d %b %Y}\n{step[f'verdict_{reading}']}"


def _bar_label(row: dict[str, Any]) -> str:
    if row["kind"] == REST:
        return f"{row['others']} smaller"
    return f"{row['figure_id'] or 'time alone'}\n{row['day']:%-d %b %Y}"


def estimates(case: CompareCase, found: pd.DataFrame) -> list[Estimate]:
    """The whole change of each reading's probability as rows for the result; readings without one are left out."""
    total = contributions(found).sum(skipna=False)
    return [
        Estimate(
            target=f"change of probability, {READING_LABELS[name]}",
            period=case.deadline,
            output_type="point",
            output_type_id=None,
            value=float(total[name]),
            unit=f"fraction, {case.as_of} to {case.until}",
        )
        for name in READINGS
        if pd.notna(total[name])
    ]
