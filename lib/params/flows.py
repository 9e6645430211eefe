"""A flow, seen from one day; against a yearly rate; and with a goal."""

from datetime import date
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from lib import fetched
from lib import figures as fig
from lib.errors import UserError
from lib.goals import Goal, Reading, make_goal, parse_goal
from lib.params.base import Case
from lib.series import annual_series, exchange_rates
from lib.tables import data_state

MAX_HORIZON_YEARS = 30
REPORTER = "who reports the trade: a city, province or country of data/figures.csv, or fetched"
GOAL = 'growth a year, "25 %", or a level to reach, "100 USD bn"'


class FlowCase(Case):
    """One flow, seen from one day."""

    reporter: str = Field("Harbin", description=REPORTER)
    partner: str = Field("Russia", description="the other side")
    flow: Literal["total", "export", "import"] = Field("total", description="export + import, or one of them")
    as_of: date = Field(fig.UNDATED_KNOWN_FROM, description="use only what had been published by this day")

    @field_validator("as_of", mode="before")
    @classmethod
    def _is_day(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip() == "today":
            return date.today()
        # A plain number would be read as seconds since 1970.
        try:
            return fig.read_day(value.strip() if isinstance(value, str) else value).date()
        except UserError:
            raise ValueError("a date (YYYY-MM-DD), or today") from None

    def check_against_data(self) -> None:
        """Refuse a flow that the record does not have, or a day before its first figure."""
        self.vintage()

    @property
    def as_of_time(self) -> pd.Timestamp:
        """`as_of` as a pandas timestamp."""
        return pd.Timestamp(self.as_of)

    @property
    def flow_name(self) -> str:
        """The flow in words, for titles: "Harbin–Russia, total trade"."""
        return f"{self.reporter}–{self.partner}, {'total trade' if self.flow == 'total' else self.flow + 's'}"

    def record(self) -> pd.DataFrame:
        """Every figure of the flow, whenever published."""
        return _record(self.reporter, self.partner, self.flow, fig.load_figures, self._state()).copy()

    def _state(self) -> Any:
        """What the record of the flow is read from, as far as it can change."""
        return data_state(), fetched.state(self.reporter)

    def label_beside(self, case: "FlowCase") -> str:
        """A short name among the flows of a case: "China", or "China–World" where the partner is another."""
        return self.reporter if self.partner == case.partner else f"{self.reporter}–{self.partner}"

    def vintage(self) -> pd.DataFrame:
        """The figures of the flow that were known on `as_of`."""
        record = self.record()
        known = fig.as_of(record, self.as_of_time)
        if known.empty:
            first = record["known_from"].min().date()
            raise UserError(
                f"as_of: found {self.as_of}, expected {first} or later, when the first figure is known"
            )
        return known

    def today(self) -> Self:
        """The same case with everything that the record holds, whenever published."""
        latest = self.record()["known_from"].max().date()
        return self.model_copy(update={"as_of": max(fig.UNDATED_KNOWN_FROM, latest, self.as_of)})

    def lineage(self) -> list[Self]:
        """The case for each larger reporter's trade with the same partner, as on record: province, country."""
        parent = fig.load_reporters().set_index("name")["parent"]
        names = [self.reporter]
        while above := parent.get(names[-1], ""):
            names.append(above)
        larger = [self.model_copy(update={"reporter": name}) for name in names[1:]]
        return [case for case in larger if case.is_on_record()]

    def is_on_record(self) -> bool:
        """Whether any figure of the flow was known on `as_of`."""
        known = fig.as_of(fetched.beside(fig.load_figures(), self.reporter), self.as_of_time)
        rows = (known["reporter"] == self.reporter) & (known["partner"] == self.partner)
        return bool((rows & (known["flow"] == self.flow)).any())

    def title(self) -> str:
        """One line that names the flow and the day."""
        return f"{self.flow_name}, as of {self.as_of}"


class TrendCase(FlowCase):
    """A flow in one currency, against a yearly rate."""

    currency: Literal["USD", "CNY"] = Field(
        "USD", description="currency of the series; others are converted, and marked"
    )
    goal: str = Field("25 %", description=GOAL)

    @field_validator("goal", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return f"{np.format_float_positional(value, trim='-')} %" if is_number else value

    @field_validator("goal")
    @classmethod
    def _is_goal(cls, value: str) -> str:
        try:
            parse_goal(value)
        except UserError as error:
            raise ValueError(str(error).partition("expected ")[2]) from None
        return value

    def check_against_data(self) -> None:
        """Refuse also a flow for which the day knew no level of a full year."""
        if self.series().empty:
            raise UserError(
                f"as_of: on {self.as_of} no level of a full year was known for {self.flow_name} in "
                f"{self.currency}; expected a later day, another flow or the other currency"
            )

    def series(self, record: pd.DataFrame | None = None) -> pd.DataFrame:
        """One level a year from what was known on `as_of`, or from `record`."""
        if record is not None:
            return annual_series(record, self.currency, self.rates())
        names = ("reporter", "partner", "flow", "as_of", "currency")
        same_for_all_goals = TrendCase.model_construct(**{name: getattr(self, name) for name in names})
        return _series(same_for_all_goals, fig.load_figures, fig.load_covariates, self._state()).copy()

    def yearly_rate(self) -> float:
        """The goal as growth a year, a fraction; a level to reach has none without base and deadline."""
        kind, number, _ = parse_goal(self.goal)
        if kind == "level":
            raise UserError(
                f'goal: found "{self.goal}", expected growth a year such as "25 %" in this notebook'
            )
        return number

    def rates(self) -> pd.Series:
        """Annual average yuan per dollar for the years that were over on `as_of`."""
        return exchange_rates(fig.load_covariates(), self.as_of_time)


class PaceCase(TrendCase):
    """A flow against the pace of a goal; a level to reach has one from its base to its deadline."""

    base_year: int = Field(2012, ge=1900, le=2100, description="base of a goal that is a level to reach")
    deadline: int = Field(2015, ge=1900, le=2100, description="last year of such a goal")

    def check_against_data(self) -> None:
        """Refuse also a level to reach whose base is not known."""
        super().check_against_data()
        self.yearly_rate()

    def yearly_rate(self) -> float:
        """The goal as growth a year, a fraction; of a level, on average from its base on."""
        kind, number, _ = parse_goal(self.goal)
        if kind == "rate":
            return number
        levels = self.series()["value_mn"]
        return make_goal(self.goal, self.base_year, self.deadline, levels, self.currency).rate


class GoalCase(TrendCase):
    """A goal for a flow: rate or level, base, deadline and the reading in which it was stated."""

    as_of: date = Field(date(2014, 4, 15), description="use only what had been published by this day")
    base_year: int = Field(2012, ge=1900, le=2100, description="the level of this year is the base")
    deadline: int = Field(2015, ge=1900, le=2100, description="the last year that counts")
    reading: Reading = Field("average", description="the reading in which the goal was stated")

    def check_against_data(self) -> None:
        """Refuse also a deadline at or before the base, and a base without a level."""
        faults = []
        if not 1 <= self.deadline - self.base_year <= MAX_HORIZON_YEARS:
            faults.append(
                f"deadline: found {self.deadline}, expected 1 to {MAX_HORIZON_YEARS} years after "
                f"base_year {self.base_year}"
            )
        try:
            super().check_against_data()
        except UserError as error:
            faults.append(str(error))
        if faults:
            raise UserError("\n".join(faults))
        self.make_goal()

    def make_goal(self) -> Goal:
        """The goal on the base level known on `as_of`."""
        levels = self.series()["value_mn"]
        return make_goal(self.goal, self.base_year, self.deadline, levels, self.currency)

    def title(self) -> str:
        """One line that names flow, goal and day."""
        return f"{self.flow_name}: {self.goal_name} {self.base_year}–{self.deadline}, as of {self.as_of}"

    @property
    def goal_name(self) -> str:
        """The goal in words: "+25 % a year" or "100 USD bn"."""
        kind, number, _ = parse_goal(self.goal)
        percent = np.format_float_positional(round(number * 100, 9), trim="-", sign=True)
        return f"{percent} % a year" if kind == "rate" else self.goal


# A matrix asks for the same figures and series many times. What they are read from is part of the key: the
# state of the data, and the readers themselves, so that another reader is never answered from memory.
@lru_cache(maxsize=32)
def _record(reporter: str, partner: str, flow: str, load: Any, state: Any) -> pd.DataFrame:
    """The figures of a flow, curated and fetched."""
    try:
        return fig.select(fetched.beside(load(), reporter), reporter, partner, flow)
    except UserError as error:
        raise UserError(f"{error}{fetched.hint(reporter, partner)}") from None


@lru_cache(maxsize=256)
def _series(case: TrendCase, *read_from: Any) -> pd.DataFrame:
    """The series of a case."""
    return annual_series(case.vintage(), case.currency, case.rates())
