"""The answer to a goal as notebooks and widgets show it: sentences, tables and the figure."""

import html
from typing import Any

import pandas as pd

from lib import plots, show
from lib.forecast import FAN
from lib.pages.answers import could_have_known, fan_in_words, source_line
from lib.pages.tracking import NO_FORECAST
from lib.panels import size_class, size_label
from lib.params import GoalCase
from lib.whatif.answer import Answer
from lib.whatif.reference_tables import coverage
from lib.words import money, percent, rate
from lib.words import years as years_in_words


def in_words(case: GoalCase, found: Answer) -> str:
    """The answer as one paragraph: the probability, the base rate, the trackers."""
    return " ".join(sentences(case, found)[1:4])


def answer_html(case: GoalCase, found: Answer) -> str:
    """The answer in sentences, and the three readings as a table."""
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in sentences(case, found))
    return lines + show.readings(found.verdicts, found.chances, found.needed["needed"]).data


def sentences(case: GoalCase, found: Answer) -> list[str]:
    """What is said of the goal: what it asks for, the answer, the base rate, the trackers, the coverage."""
    goal, base = found.goal, found.base
    known = could_have_known(case, found.verdicts, found.chances).replace("*", "")
    asks = (
        f"{case.title()}: from {money(goal.base_mn, goal.currency)} the level must reach "
        f"{money(goal.target_mn, goal.currency)}, {rate(goal.rate)} a year."
    )
    share = (
        base.reason
        if base.share is None
        else f"Of flows of the size of the base {percent(base.share)} grew so fast over {years_in_words(base.years)}."
    )
    return [line for line in (asks, known, share, trackers_in_words(found), coverage_text(found)) if line]


def trackers_in_words(found: Answer) -> str:
    """How many of the official standards that make a forecast would call the goal on track."""
    if not found.trackers:
        return "Official trackers need a level after the base year; none was known."
    if found.ahead.empty:
        return "The deadline's own level is known: what official trackers say of it is the outcome."
    told = [
        one.on_track for one in found.trackers if one.standard != NO_FORECAST and one.on_track is not None
    ]
    return f"{sum(told)} of {len(told)} official trackers that make a forecast would call the goal on track."


NARROW = 0.75
"""An 80 % interval that held less often than this is said to be too narrow."""


def coverage_text(found: Answer) -> str:
    """How often intervals of such forecasts held what they promised, as measured out of sample."""
    years, size = len(found.ahead), int(size_class(found.expected.size_usd))
    scored = coverage().get(str(size))
    if not years:
        return ""
    if found.expected.world or scored is None:
        return (
            "How often such intervals hold was measured on trade between two countries; for a flow with all "
            "partners it was not, so take this fan with care."
        )
    # Of two horizons as near as each other the longer: its intervals hold less often.
    horizon = min(map(int, scored), key=lambda h: (abs(h - years), -h))
    cover80, cover95, n = scored[str(horizon)]
    narrow = " For flows of this size they are too narrow, and the probabilities surer than they should be."
    return (
        f"Measured: of {n:,} forecasts over {years_in_words(horizon)} for flows between countries of this size "
        f"({size_label(size)}), the 80 % interval held {cover80 * 100:.0f} % of the outcomes and the 95 % "
        f"interval {cover95 * 100:.0f} %.{narrow if cover80 < NARROW else ''}"
    )


def figure(case: GoalCase, found: Answer) -> Any:
    """The record, the path that the goal asks for, and the fan."""
    series = case.series()
    sources = source_line(case.vintage(), series)
    return plots.goal_fan(series, found.goal.path(), _fan(found), case.currency, case.title(), sources)


def fan_text(case: GoalCase, found: Answer) -> str:
    """What the figure shows, as a sentence."""
    return fan_in_words(found.goal, case.series()["value_mn"], _fan(found))


def _fan(found: Answer) -> pd.DataFrame | None:
    """The fan as `lib.plots.goal_fan` draws it: from the last level known, None where no year is left."""
    if found.ahead.empty:
        return None
    start = pd.DataFrame([dict.fromkeys(FAN, found.expected.level_mn)], index=[found.expected.origin])
    return pd.concat([start, found.ahead[list(FAN)]])


def year_table(found: Answer) -> pd.DataFrame:
    """The forecast by year, formatted: path, median, 80 and 95 % ranges, chances of each year."""
    ahead, unit = found.ahead, f"{found.goal.currency} mn"
    number = show.number
    ranges = {
        name: [f"{number(row[low])} – {number(row[high])}" for _, row in ahead.iterrows()]
        for name, low, high in (("80 %", 0.1, 0.9), ("95 %", 0.025, 0.975))
    }
    return pd.DataFrame(
        {
            "year": ahead.index,
            f"goal path, {unit}": ahead["path_mn"].map(number).to_list(),
            f"forecast, median, {unit}": ahead[0.5].map(number).to_list(),
            **ranges,
            "on the path or above": ahead["p_path"].map(percent).to_list(),
            "that year alone": ahead["p_year"].map(percent).to_list(),
        }
    )


def grid_table(chances: pd.DataFrame) -> pd.DataFrame:
    """The probabilities of `lib.whatif.answer.grid`, formatted; decided goals by their verdict."""
    shown = chances.map(_chance)
    shown.insert(0, "goal, a year", [rate(value) for value in chances.index])
    return shown


def _chance(value: float) -> str:
    if pd.isna(value):
        return ""
    return {1.0: "met", 0.0: "missed"}.get(value) or percent(value)
