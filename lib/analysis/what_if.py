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
from lib.goals import Goal
from lib.law import FAN, Law
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
    Frame indexed by year: path_mn (level of the goal path), one column for each of `lib.law.FAN`
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


_NUMBER = r"[0-9]{1,3}(?:[ .,'][0-9]{3})+(?:[.,][0-9]{1,9})?|[0-9]{1,12}(?:[.,][0-9]{1,9})?"

LINE = re.compile(
    rf'"?([0-9]{{4}})"?[ \t,;:=]+"?({_NUMBER})"?(?:[ \t,;:]+"?([+−-]?[0-9]{{1,4}}(?:[.,][0-9]{{1,9}})?) *%"?)?'
)

EXPECTED = 'a year, its level in millions and perhaps its growth, such as "2013 230 +50 %"'


def read_figures(text: str) -> pd.Series:
    """Read a reader's figures: one line a year, "2013 230" or "2013 230 +50 %"; or what a spreadsheet copies.

    A first line without a year is a header; thousands may stand apart, and the decimal sign be a comma.

    Returns
    -------
    Level by year, millions. A printed growth rate gives the year before where no line does.

    Raises
    ------
    UserError
        Naming the line, what was found and what was expected.
    """
    plain = re.sub("[\u00a0\u2009\u202f]", " ", text)
    lines = [
        (place, line.strip()) for place, line in enumerate(re.split(r"\r?\n|\|", plain), 1) if line.strip()
    ]
    lines = lines[1:] if len(lines) > 1 and not re.match('"?[0-9]', lines[0][1]) else lines
    if not 1 <= len(lines) <= OWN_MOST_FIGURES:
        raise UserError(
            f"own figures: found {len(lines)} lines, expected 1 to {OWN_MOST_FIGURES}: {EXPECTED}"
        )
    parts = [_parts(place, line) for place, line in lines]
    decimal = _decimal_sign([level for _, level, _ in parts])
    levels: dict[int, float] = {}
    implied: dict[int, float] = {}
    for (place, line), (year, written, growing) in zip(lines, parts, strict=True):
        level = _number(written, decimal)
        rate = None if growing is None else float(growing.replace(",", ".").replace("−", "-")) / 100
        _check_line(place, line, year, level, rate, levels)
        levels[year] = level
        if rate is not None:
            implied[year - 1] = float(growth.implied_base(level, rate))
    return pd.Series(implied | levels, dtype=float).rename_axis("year").sort_index()


def _parts(place: int, line: str) -> tuple[int, str, str | None]:
    """Year, level and growth of a line, as they are written."""
    match = LINE.fullmatch(line)
    if match is None:
        raise UserError(f"own figures, line {place}: found {quote(line)}, expected {EXPECTED}")
    return int(match[1]), match[2], match[3]


def _decimal_sign(written: Sequence[str]) -> str:
    """The decimal sign of numbers of one table: the sign that stands last, or not before three digits.

    Raises
    ------
    UserError
        Where every point stands before three digits: 1.234 may be a thousand, or one and a bit.
    """
    for text in written:
        signs = re.sub("[0-9 ']", "", text)
        if len(set(signs)) == 2:
            return signs[-1]
        if len(signs) == 1 and len(text.partition(signs)[2]) != 3:
            return signs
        if len(signs) == 1 and len(text.partition(signs)[0]) > 3:
            return signs
        if len(signs) > 1:
            return "." if signs[0] == "," else ","
    if doubtful := [text for text in written if "." in text]:
        found = doubtful[0]
        raise UserError(
            f"own figures: found {quote(found)}, expected a number that can be read in one way: did you mean "
            f"{found.replace('.', '')} or {found}0?"
        )
    return "."


def _number(text: str, decimal: str) -> float:
    """A number by the decimal sign of its table."""
    plain = re.sub("[ ']", "", text)
    return float(plain.replace(".", "").replace(",", ".") if decimal == "," else plain.replace(",", ""))


def _check_line(
    place: int, line: str, year: int, level: float, rate: float | None, levels: dict[int, float]
) -> None:
    """Refuse a year that cannot be, or came before, and a level that cannot grow."""
    if not OWN_FIRST_YEAR < year <= OWN_LAST_YEAR:
        raise UserError(
            f"own figures, line {place}: found {year}, expected a year from {OWN_FIRST_YEAR + 1} to {OWN_LAST_YEAR}"
        )
    if year in levels:
        raise UserError(f"own figures, line {place}: found {year} twice, expected each year once")
    if level <= 0 or (rate is not None and rate <= -1):
        raise UserError(
            f"own figures, line {place}: found {quote(line)}, expected a level above 0 that can grow"
        )
