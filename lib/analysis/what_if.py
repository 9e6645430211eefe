"""Everything that the what-if page and its widgets say of one goal, from the functions that the notebooks use.

The page computes the same in the browser (`lib/tools/whatif/page`); the tests hold it to these numbers.

A reader's own figures: a flow that the record does not have, forecast from its figures and its size.

There are no larger flows to lean on, so the prior is that of flows between two countries of its size.

The answer to a goal as notebooks and widgets show it: sentences, tables and the figure.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr

from lib import forecast, growth, outlook, plots, reference, show, standards
from lib.analysis.answers import could_have_known, fan_in_words, source_line
from lib.analysis.experience import size_usd
from lib.analysis.tracking import NO_FORECAST, TRACKERS
from lib.analysis.what_if_data import OWN_FIRST_YEAR, OWN_LAST_YEAR, OWN_MOST_FIGURES, coverage
from lib.cases import MAX_HORIZON_YEARS, GoalCase
from lib.errors import UserError, quote
from lib.figures import UNDATED_KNOWN_FROM, load_covariates
from lib.forecast import FAN, GrowthModel
from lib.goals import READINGS, Goal, Verdict, judge, make_goal, needed_rates
from lib.outlook import Expectation, prior_with_parents
from lib.reference import HORIZON, base_rate, size_class, size_label
from lib.series import exchange_rates
from lib.standards import Assessment, TrackedTarget
from lib.words import money, percent, rate
from lib.words import years as years_in_words


@dataclass(frozen=True)
class BaseRate:
    """How many flows of the size of the base grew so fast.

    Parameters
    ----------
    share : of past starting points; None where no panel reaches so far back.
    years : horizon looked at, the goal's own or the longest that is kept.
    reason : why there is no share, or nothing.
    """

    share: float | None
    years: int
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What is said of one goal.

    Parameters
    ----------
    verdicts : of the three readings, in the order of `lib.goals.READINGS`.
    chances : probability by reading; decided readings are absent.
    needed : growth a year still needed, by reading (`lib.goals.needed_rates`).
    ahead : `years_ahead`; empty where no year is left.
    base : the base rate.
    trackers : what the official standards would say; empty without a level after the base.
    """

    goal: Goal
    expected: Expectation
    verdicts: list[Verdict]
    chances: pd.Series
    needed: pd.DataFrame
    ahead: pd.DataFrame
    base: BaseRate
    trackers: list[Assessment]


def answer(case: GoalCase) -> Answer:
    """What is said of the goal of a case on its day."""
    levels, goal = case.series()["value_mn"], case.make_goal()
    expected = outlook.expect(case, levels.loc[: goal.deadline].dropna())
    return assemble(goal, levels, expected, case.as_of_time, size_usd(case, goal))


def assemble(
    goal: Goal, levels: pd.Series, expected: Expectation, as_of: pd.Timestamp, base_usd: float
) -> Answer:
    """What is said of a goal, from the levels known and the growth model at the last of them.

    Parameters
    ----------
    levels : by year, millions; expected : the model at the last of them up to the deadline.
    base_usd : level of the base, US dollars a year.
    """
    return Answer(
        goal=goal,
        expected=expected,
        verdicts=judge(goal, levels, as_of),
        chances=outlook.chances(goal, levels.loc[: goal.deadline].dropna(), expected),
        needed=needed_rates(goal, levels),
        ahead=years_ahead(goal, expected),
        base=known_share(goal, base_usd, as_of.year - 1),
        trackers=trackers_say(goal, levels),
    )


def grid(case: GoalCase, rates: Sequence[float], deadlines: Sequence[int]) -> pd.DataFrame:
    """Probability of the case's reading for other rates (rows, fractions a year) and other deadlines (columns).

    Decided readings are 1 or 0; NaN where the reading needs yearly rates that were not known.
    """
    levels = case.series()["value_mn"]
    table = pd.DataFrame(np.nan, index=pd.Index(rates, name="goal"), columns=list(deadlines))
    for deadline in deadlines:
        known = levels.loc[:deadline].dropna()
        expected = outlook.expect(case, known)
        for asked in rates:
            goal = make_goal(f"{100 * asked:g} %", case.base_year, deadline, levels, case.currency)
            verdict = judge(goal, levels, case.as_of_time)[READINGS.index(case.reading)]
            chance = outlook.chances(goal, known, expected).get(case.reading, np.nan)
            decided = {"met": 1.0, "missed": 0.0}
            table.loc[asked, deadline] = decided.get(verdict.outcome, chance)
    return table


def years_ahead(goal: Goal, expected: Expectation) -> pd.DataFrame:
    """The forecast year by year, from the first year after the last one known to the deadline.

    Returns
    -------
    Frame indexed by year: path_mn (level of the goal path), one column for each of `lib.forecast.FAN`
    (quantiles of the level, millions), p_path (probability that the level is on the path or above it) and
    p_year (probability that this year alone grows at the goal's rate or faster).
    """
    rows: dict[int, dict[Any, float]] = {}
    for h in range(1, goal.deadline - expected.origin + 1):
        year = expected.origin + h
        path = goal.base_mn * (1 + goal.rate) ** (year - goal.base_year)
        on_path = float(forecast.p_reach(expected.model, np.log(path / expected.level_mn), h))
        alone = float(p_year_ahead(expected.model, goal.rate, h))
        rows[year] = {
            "path_mn": path,
            **dict(zip(FAN, expected.quantiles(h), strict=True)),
            "p_path": expected.corrected(on_path, "average", h),
            "p_year": expected.corrected(alone, "average", 1),
        }
    columns = ["path_mn", *FAN, "p_path", "p_year"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("year")


def p_year_ahead(model: GrowthModel, rate: float, ahead: int) -> float:
    """Probability that the year `ahead` years on grows by at least `rate`, whatever the others do.

    The next year is that of `lib.forecast.p_year`: it knows the latest rate. Growth that is correlated with
    the year before alone (first-order moving average) has forgotten that rate from the second year on.
    """
    if ahead == 1:
        return float(forecast.p_year(model, rate))
    scale = np.sqrt(model.variance * (1 + 1 / model.weight))
    return float(stdtr(model.df, (model.mean - np.log1p(rate)) / scale))


def known_share(goal: Goal, base_usd: float, origin: int) -> BaseRate:
    """The base rate of a goal as known at an origin."""
    years = min(goal.years, HORIZON)
    try:
        return BaseRate(float(base_rate(base_usd, origin, years, goal.rate)), years)
    except UserError as error:
        return BaseRate(None, years, str(error))


def trackers_say(goal: Goal, levels: pd.Series) -> list[Assessment]:
    """What the official standards would say from the levels between base and deadline."""
    since = levels.loc[goal.base_year : goal.deadline].dropna()
    if len(since) < 2:
        return []
    year, level = int(since.index[-1]), float(since.iloc[-1])
    target = TrackedTarget(goal.base_mn, goal.base_year, level, year, goal.target_mn, goal.deadline)
    return [tracker(target) for tracker in TRACKERS] + [standards.escap_anticipated(target, since)]


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
    """The fan as `lib.plots.forecast.goal_fan` draws it: from the last level known, None where no year is left."""
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
    """The probabilities of `lib.analysis.what_if.grid`, formatted; decided goals by their verdict."""
    shown = chances.map(_chance)
    shown.insert(0, "goal, a year", [rate(value) for value in chances.index])
    return shown


def _chance(value: float) -> str:
    if pd.isna(value):
        return ""
    return {1.0: "met", 0.0: "missed"}.get(value) or percent(value)
