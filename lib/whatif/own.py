"""A reader's own figures: a flow that the record does not have, forecast from its figures and its size.

There are no larger flows to lean on, so the prior is that of flows between two countries of its size.
"""

import re

import pandas as pd

from lib import forecast, growth, reference
from lib.errors import UserError
from lib.faults import quote
from lib.figures import UNDATED_KNOWN_FROM, load_covariates
from lib.goals import make_goal
from lib.outlook import Expectation
from lib.params import MAX_HORIZON_YEARS
from lib.parents import prior_with_parents
from lib.series import exchange_rates
from lib.whatif.answer import Answer, assemble

MOST_FIGURES = 15
FIRST_YEAR = 1970
"""Before this no panel has a reference class."""
LAST_YEAR = UNDATED_KNOWN_FROM.year

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
    if not 1 <= len(lines) <= MOST_FIGURES:
        raise UserError(f"own figures: found {len(lines)} lines, expected 1 to {MOST_FIGURES}: {_EXPECTED}")
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
    if not FIRST_YEAR < year <= LAST_YEAR:
        raise UserError(
            f"own figures, line {place}: found {year}, expected a year from {FIRST_YEAR + 1} to {LAST_YEAR}"
        )
    if level <= 0 or (rate is not None and rate <= -1):
        raise UserError(
            f"own figures, line {place}: found {quote(line)}, expected a level above 0 that can grow"
        )
    return year, level, rate


def own_answer(figures: str, goal: str, base_year: int, deadline: int, currency: str = "USD") -> Answer:
    """What is said of a goal for the flow whose figures are given, with all that is known today."""
    levels = read_figures(figures)
    if base_year not in levels.index:
        known = ", ".join(map(str, levels.index))
        raise UserError(f"base_year: found {base_year}, expected a year of your figures: {known}")
    if not 1 <= deadline - base_year <= MAX_HORIZON_YEARS:
        raise UserError(
            f"deadline: found {deadline}, expected 1 to {MAX_HORIZON_YEARS} years after {base_year}"
        )
    day = pd.Timestamp(UNDATED_KNOWN_FROM)
    target = make_goal(goal, base_year, deadline, levels, currency)
    per_usd = exchange_rates(load_covariates(), day)
    expected = expect_own(levels.loc[:deadline], currency, per_usd)
    return assemble(
        target, levels, expected, day, size_in_usd(levels[base_year], base_year, currency, per_usd)
    )


def expect_own(levels: pd.Series, currency: str, per_usd: pd.Series) -> Expectation:
    """The growth model at the last of the levels, from them and from flows of that size."""
    origin, level = int(levels.index[-1]), float(levels.iloc[-1])
    rates = growth.log_growth(levels)
    size = size_in_usd(level, origin, currency, per_usd)
    prior, shares = prior_with_parents(reference.prior_for(size, origin), [], rates)
    return Expectation(origin, level, size, False, prior, forecast.fit(rates, prior), shares)


def size_in_usd(level_mn: float, year: int, currency: str, per_usd: pd.Series) -> float:
    """A level in US dollars at the average rate of its year."""
    if currency == "USD":
        return float(level_mn) * 1e6
    if year not in per_usd.index:
        raise UserError(
            f"currency: found CNY for {year}, expected a year whose average exchange rate is known"
        )
    return float(level_mn) / float(per_usd[year]) * 1e6
