"""A goal and its three readings: what it asks for, and whether the figures show it met.

"+25 % a year" can mean that the level grows so *on average* (it reaches base × 1.25ʰ by the deadline), that
*every year* grows so, or that the *mean of the yearly rates* is that high. The readings can differ
several-fold in probability, so each is judged by itself.
"""

import itertools
import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from lib import growth, words
from lib.economies import CURRENCIES
from lib.errors import UserError, quote

Reading = Literal["average", "every_year", "mean_of_rates"]
READINGS: tuple[Reading, ...] = get_args(Reading)
READING_LABELS = dict(zip(READINGS, ("on average", "every year", "mean of yearly rates"), strict=True))
READ_AS = READING_LABELS | {"every_year": "year by year", "mean_of_rates": "by the mean of the yearly rates"}
"""A reading as the end of "the goal, read …"."""
Outcome = Literal["met", "missed", "open", "unknown"]
Kind = Literal["forecast", "nowcast", "inferred"]
"""What a probability is: of years ahead, of the running year, of years that are over and unpublished."""
PUBLICATION_LAG_YEARS = 1
"""A year whose figure is not there is *open* for this long after its end; then it is *unknown*."""
# Nine digits at most: longer numbers overflow when they compound, and make the folder of a run unreadable.
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_LEVEL = re.compile(rf"({_NUMBER}) *({'|'.join(CURRENCIES)}) *(mn|bn)", re.IGNORECASE)
_MULTIPLE = re.compile(rf"({_NUMBER}) times the base")
_RATE = re.compile(rf"([+−-]?{_NUMBER}) *%?(?: *a year)?")


@dataclass(frozen=True)
class Goal:
    """A growth goal on a known base.

    Parameters
    ----------
    rate : growth asked for a year, a fraction.
    base_year, deadline : the first year counted is `base_year` + 1, the last is `deadline`.
    base_mn : level of the base year, millions of `currency`.
    currency : of ISO 4217, such as "USD".
    stated_as : the goal in the words of the parameter, for titles.
    """

    rate: float
    base_year: int
    deadline: int
    base_mn: float
    currency: str
    stated_as: str

    @property
    def years(self) -> int:
        """Number of years that the goal covers."""
        return self.deadline - self.base_year

    @property
    def target_mn(self) -> float:
        """Level at the deadline that the reading *on average* asks for, millions of `currency`."""
        return self.base_mn * (1 + self.rate) ** self.years

    def path(self) -> pd.Series:
        """Level by year on the way from the base to the target, millions of `currency`."""
        elapsed = pd.Series(range(self.years + 1), index=range(self.base_year, self.deadline + 1))
        return growth.goal_path(self.base_mn, self.rate, elapsed)


@dataclass(frozen=True)
class Verdict:
    """Whether a reading of the goal was met, and why that is known or not."""

    reading: Reading
    outcome: Outcome
    reason: str


def parse_goal(text: str) -> tuple[Literal["rate", "level", "multiple"], float, str | None]:
    """Read a goal: "25 %" is a growth rate a year, "100 USD bn" a level to reach, "2 times the base" one, too.

    Returns
    -------
    ("rate", fraction, None), ("level", millions of the currency, currency) or ("multiple", of the base, None).
    """
    cleaned = text.strip()
    if match := _LEVEL.fullmatch(cleaned):
        number, currency, scale = match.groups()
        return "level", float(number) * (1000 if scale.lower() == "bn" else 1), currency.upper()
    if match := _RATE.fullmatch(cleaned):
        return "rate", float(match.group(1).replace("−", "-")) / 100, None
    if match := _MULTIPLE.fullmatch(cleaned):
        return "multiple", float(match.group(1)), None
    expected = 'a rate such as "25 %" or a level such as "100 USD bn"'
    raise UserError(f"goal: found {quote(text)}, expected {expected}")


def make_goal(text: str, base_year: int, deadline: int, levels: pd.Series, currency: str) -> Goal:
    """Build the goal on the base level that the series holds.

    Parameters
    ----------
    text : see `parse_goal`.
    levels : level by year, millions of `currency`.

    Raises
    ------
    UserError
        If the deadline does not follow the base, the base year has no level, a level goal is in another
        currency, or the goal is a fall of 100 % or more.
    """
    if deadline <= base_year:
        raise UserError(f"deadline: found {deadline}, expected a year after base_year {base_year}")
    if base_year not in levels.index:
        known = ", ".join(map(str, levels.index)) or "none"
        raise UserError(f"base_year: found {base_year}, expected a year with a known level: {known}")
    base = float(levels[base_year])
    kind, number, unit = parse_goal(text)
    if kind == "level" and unit != currency:
        expected = f'one in {currency} (parameter "currency")'
        raise UserError(f"goal: found a level in {unit}, expected {expected}")
    if kind != "rate":
        number = float(growth.cagr(base if kind == "level" else 1.0, number, deadline - base_year))
    if number <= -1:
        raise UserError(f"goal: found {quote(text)}, expected a fall of less than 100 % a year")
    return Goal(number, base_year, deadline, base, currency, text.strip())


def needed_rates(goal: Goal, levels: pd.Series, over: bool = False) -> pd.DataFrame:
    """Growth a year still needed from the last known year before the deadline, by reading.

    Where the deadline is `over`, no years are left, also where its level is not known.

    Returns
    -------
    Frame indexed by reading: from_year, years_left, needed (rate a year; NaN where no years are left, where
    the reading needs yearly rates that are not known, or where *every year* is missed already).
    """
    inside = _inside(goal, levels)
    last, rates = int(inside.index[-1]), [rate for _, _, rate in _spans(inside)]
    left = 0 if over else goal.deadline - last
    needed = dict.fromkeys(READINGS, np.nan)
    if left:
        needed["average"] = growth.required_rate(float(inside.iloc[-1]), goal.target_mn, left)
    if left and len(rates) == last - goal.base_year:
        needed["mean_of_rates"] = growth.required_mean(goal.rate, goal.years, rates)
        needed["every_year"] = np.nan if _slow_span(goal, inside) else goal.rate
    columns = {"from_year": last, "years_left": left, "needed": list(needed.values())}
    return pd.DataFrame(columns, index=pd.Index(READINGS, name="reading"))


def judge(goal: Goal, levels: pd.Series, as_of: pd.Timestamp) -> list[Verdict]:
    """Whether each reading of the goal was met, from the levels known at `as_of`.

    The mean of rates is met also with years missing, where the known ones suffice whatever the others were: the
    mean of the rates of a span is never below its compound rate, and no rate is below −1.
    """
    inside, span = _inside(goal, levels), f"{goal.base_year}–{goal.deadline}"
    missing = [year for year in goal.path().index if year not in inside.index]
    unknown: Outcome = "open" if _is_awaited(goal.deadline, as_of) else "unknown"
    gap = f"no figure for {', '.join(map(str, missing))}"
    average = Verdict("average", unknown, f"no figure for {goal.deadline}")
    if goal.deadline in inside.index:
        actual = words.rate(growth.cagr(goal.base_mn, inside[goal.deadline], goal.years))
        met = inside[goal.deadline] >= goal.target_mn * (1 - 1e-9)
        average = Verdict("average", _outcome(met), f"{actual} a year {span}")
    each = "in its only year" if goal.years == 1 else f"in each of {goal.years} years"
    every = Verdict("every_year", unknown, gap) if missing else Verdict("every_year", "met", each)
    if slow := _slow_span(goal, inside):
        every = Verdict("every_year", "missed", slow)
    spans, left = _spans(inside), goal.deadline - int(inside.index[-1])
    least = (sum((year - before) * rate for year, before, rate in spans) - left) / goal.years
    met = least >= goal.rate - 1e-9
    mean = Verdict("mean_of_rates", _outcome(met), f"mean {'at least ' * bool(missing)}{words.rate(least)}")
    return [average, every, Verdict("mean_of_rates", unknown, gap) if missing and not met else mean]


def _outcome(met: bool) -> Outcome:
    return "met" if met else "missed"


def _is_awaited(year: int, as_of: pd.Timestamp) -> bool:
    """Whether the figure of a year may still come."""
    return as_of < pd.Timestamp(year + PUBLICATION_LAG_YEARS, 12, 31)


def progress(goal: Goal, levels: pd.Series, as_of: pd.Timestamp) -> pd.DataFrame:
    """Year by year: level against the path, growth against the rate, and the verdict of that year alone.

    Returns
    -------
    Frame indexed by year: level_mn, path_mn, growth (fraction), path and year (each "met",
    "missed", "open" or "unknown").
    """
    inside = _inside(goal, levels)
    frame = pd.DataFrame({"path_mn": goal.path()})
    frame["level_mn"] = inside.reindex(frame.index)
    frame["growth"] = growth.yoy(inside).reindex(frame.index)
    # A relative slack of 1e-9: 1.25 ** 3 in floating point must not turn an exact hit into a miss.
    on_path = frame["level_mn"] >= frame["path_mn"] * (1 - 1e-9)
    frame["path"] = _by_year(frame["level_mn"], on_path, as_of)
    frame["year"] = _by_year(frame["growth"], frame["growth"] >= goal.rate - 1e-9, as_of)
    frame.loc[goal.base_year, ["path", "year"]] = "base"
    return frame[["level_mn", "path_mn", "path", "growth", "year"]].rename_axis("in")


def _by_year(value: pd.Series, reached: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    absent = np.where([_is_awaited(year, as_of) for year in value.index], "open", "unknown")
    return pd.Series(np.where(value.isna(), absent, np.where(reached, "met", "missed")), index=value.index)


def _inside(goal: Goal, levels: pd.Series) -> pd.Series:
    """Levels from the base year to the deadline; the base is the goal's own."""
    inside = levels.loc[(levels.index > goal.base_year) & (levels.index <= goal.deadline)].dropna()
    return pd.concat([pd.Series({goal.base_year: goal.base_mn}), inside])


def _slow_span(goal: Goal, inside: pd.Series) -> str:
    """The first span between known years that grew more slowly than the goal: one of its years did, too; or nothing."""
    for year, before, rate in _spans(inside):
        if rate < goal.rate - 1e-9:
            return f"{words.rate(rate)} " + (
                f"in {year}" if year - before == 1 else f"a year in {before}–{year}"
            )
    return ""


def _spans(inside: pd.Series) -> list[tuple[int, int, float]]:
    """Each known year with the known year before it and the compound rate a year between them."""
    known = itertools.pairwise(zip(inside.index.to_list(), inside.to_numpy(), strict=True))
    return [(y, b, float(growth.cagr(start, end, y - b))) for (b, start), (y, end) in known]
