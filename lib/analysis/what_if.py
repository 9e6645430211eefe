"""Other goals on the record of a case, and a reader's own figures: year by year, in a grid, or typed in by hand.

The what-if page computes the plain part in the browser (`lib/tools/whatif`); the tests hold it to these numbers.

A reader's own figures are a flow that the record does not have, forecast from its figures and its size. There are no
larger flows to lean on, so the prior is that of flows between two countries of its size.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib import goals, growth, mixtures, outlook
from lib import law as laws
from lib.cases import GoalCase
from lib.errors import UserError, quote
from lib.figures import UNDATED_KNOWN_FROM
from lib.forecast import FAN
from lib.goals import Goal
from lib.law import Law
from lib.outlook import SUREST, Answer

OWN_MOST_FIGURES = 15
OWN_FIRST_YEAR = 1970
"""Before this no panel has a reference class."""
OWN_LAST_YEAR = UNDATED_KNOWN_FROM.year


def grid(case: GoalCase, rates: Sequence[float], deadlines: Sequence[int]) -> pd.DataFrame:
    """Probability of the case's reading for other rates (rows, fractions a year) and other deadlines (columns).

    Decided readings are 1 or 0; NaN where the law says nothing of the reading.
    """
    table = pd.DataFrame(np.nan, index=pd.Index(rates, name="goal"), columns=list(deadlines))
    for deadline in deadlines:
        answer = outlook.of(case.model_copy(update={"deadline": deadline, "goal": f"{100 * max(rates):g} %"}))
        for rate in rates:
            table.loc[rate, deadline] = _chance(answer, replace(answer.goal, rate=rate))
    return table


def _chance(answer: Answer, goal: Goal) -> float:
    """Probability of the case's reading of another rate, from the answer's law; 1 or 0 where the figures decide."""
    verdicts = goals.judge(goal, answer.levels, answer.case.as_of_time)
    outcome = next(one.outcome for one in verdicts if one.reading == answer.case.reading)
    if outcome in ("met", "missed"):
        return float(outcome == "met")
    if answer.law is None:
        return np.nan
    odds = laws.chances(answer.law, goal, answer.levels).get(answer.case.reading, np.nan)
    return float(np.clip(odds, SUREST, 1 - SUREST))


def years_ahead(answer: Answer) -> pd.DataFrame:
    """The years to the deadline that are not known, one by one.

    Returns
    -------
    Frame indexed by year: path_mn (level of the goal path), one column for each of `lib.forecast.FAN`
    (quantiles of the level, millions), p_path (probability that the level is on the path or above it) and
    p_year (probability that this year alone grows at the goal's rate or faster).
    """
    rows: dict[int, list[float]] = {}
    if answer.law is not None:
        for year in answer.law.years:
            path = answer.goal.base_mn * (1 + answer.goal.rate) ** (year - answer.goal.base_year)
            odds = 1 - float(laws.p_below(answer.law, year, path)), _p_year(answer.law, answer, year)
            rows[year] = [path, *laws.quantiles(answer.law, year), *np.clip(odds, SUREST, 1 - SUREST)]
    columns = ["path_mn", *FAN, "p_path", "p_year"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("year")


def _p_year(law: Law, answer: Answer, year: int) -> float:
    """Probability that a year of the law grows by the goal's rate or more, whatever the others do."""
    row, known = np.zeros(len(law.years)), 0.0
    row[law.column(year)] = 1.0
    if year - 1 in law.years:
        row[law.column(year - 1)] = -1.0
    else:
        base = year - 1 == answer.goal.base_year
        known = float(np.log(answer.goal.base_mn if base else answer.levels[year - 1]))
    sds = np.sqrt(np.maximum(law.covariances @ row @ row, 0.0))
    return 1 - float(mixtures.below(np.log1p(answer.goal.rate) + known, law.weights, law.means @ row, sds))


_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"

_LINE = re.compile(rf"([0-9]{{4}})[ \t,;:=]+({_NUMBER})(?:[ \t,;:]+([+−-]?{_NUMBER}) *%)?")

_EXPECTED = 'a year, its level in millions and perhaps its growth, such as "2013 230 +50 %"'


def read_figures(text: str) -> pd.Series:
    """Read a reader's figures: one line a year, "2013 230" or "2013 230 +50 %".

    Returns
    -------
    Level by year, millions. A printed growth rate gives the year before where no line does.

    Raises
    ------
    UserError
        Naming the line, what was found and what was expected.
    """
    lines = [line.strip() for line in re.split(r"[\n|]", text) if line.strip()]
    if not 1 <= len(lines) <= OWN_MOST_FIGURES:
        raise UserError(
            f"own figures: found {len(lines)} lines, expected 1 to {OWN_MOST_FIGURES}: {_EXPECTED}"
        )
    levels: dict[int, float] = {}
    implied: dict[int, float] = {}
    for place, line in enumerate(lines, start=1):
        year, level, rate = _read_line(place, line)
        if year in levels:
            raise UserError(f"own figures, line {place}: found {year} twice, expected each year once")
        levels[year] = level
        if rate is not None:
            implied[year - 1] = float(growth.implied_base(level, rate))
    return pd.Series(implied | levels, dtype=float).rename_axis("year").sort_index()


def _read_line(place: int, line: str) -> tuple[int, float, float | None]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise UserError(f"own figures, line {place}: found {quote(line)}, expected {_EXPECTED}")
    year, level = int(match[1]), float(match[2])
    rate = None if match[3] is None else float(match[3].replace("−", "-")) / 100
    if not OWN_FIRST_YEAR < year <= OWN_LAST_YEAR:
        raise UserError(
            f"own figures, line {place}: found {year}, expected a year from {OWN_FIRST_YEAR + 1} to {OWN_LAST_YEAR}"
        )
    if level <= 0 or (rate is not None and rate <= -1):
        raise UserError(
            f"own figures, line {place}: found {quote(line)}, expected a level above 0 that can grow"
        )
    return year, level, rate
