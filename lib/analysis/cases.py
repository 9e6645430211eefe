"""What single notebooks ask beside a flow and a goal: the parameters of their runs, checked as those of `lib.cases`."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lib import figures as fig
from lib import words
from lib.cases import GOAL, REPORTER, Case, FlowCase, GoalCase, TrendCase
from lib.errors import UserError, unclear
from lib.goals import make_goal, parse_goal


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


# A number may be written as text, which `Literal` alone would refuse.
Digits = BeforeValidator(lambda value: int(value) if str(value).strip().isdigit() else value)

LAST_OUTCOME = 2020  # last year of the panel on which forecasts are scored


class DriverCase(TrendCase):
    """A flow, the larger flows that contain it, and what may have moved them."""

    set_aside: int = Field(2011, ge=1900, le=2100, description="year whose growth is told apart")
    trim: float = Field(
        0.15, ge=0.05, le=0.3, description="least share of years in a segment, where breaks are searched"
    )


class PolicyCase(FlowCase):
    """The events around a flow, and how strict the tests of their effects are."""

    level_pct: Annotated[Literal[1, 5, 10], Digits] = Field(5, description="level of the tests, per cent")
    span: int = Field(
        3, ge=1, le=10, description="years before and after an event within which a level must be known"
    )

    @property
    def level(self) -> float:
        """The level of the tests as a fraction."""
        return self.level_pct / 100


class TrackerCase(GoalCase):
    """A goal read year by year; the defaults are the province's goal of 2006, whose outcome is known."""

    reporter: str = Field("Heilongjiang", description=REPORTER)
    as_of: date = Field(fig.UNDATED_KNOWN_FROM, description="read the goal each year up to this day")
    goal: str = Field("14 USD bn", description=GOAL)
    base_year: int = Field(2005, ge=1900, le=2100, description="the level of this year is the base")
    deadline: int = Field(2010, ge=1900, le=2100, description="the last year that counts")


class CompareCase(TrackerCase):
    """A goal on two days; the defaults are the province's goal of 2006, which long looked easy."""

    as_of: date = Field(
        date(2007, 12, 31), description="the first day: use only what had been published by it"
    )
    until: date = Field(date(2011, 12, 31), description="the last day, on or after as_of")

    def check_against_data(self) -> None:
        """Refuse also a last day before the first."""
        if self.until < self.as_of:
            raise UserError(f"until: found {self.until}, expected {self.as_of} (as_of) or later")
        super().check_against_data()

    def on(self, day: date) -> GoalCase:
        """The goal on one day."""
        return GoalCase(**self.model_dump(exclude={"until"}) | {"as_of": day})

    def title(self) -> str:
        """One line that names flow, goal and both days."""
        return f"{super().title()} and {self.until}"


class YearEndCase(GoalCase):
    """A goal seen from within a year; the defaults are a goal of 2019 in a year with many releases."""

    reporter: str = Field("China", description=REPORTER)
    as_of: date = Field(date(2021, 12, 31), description="use only what had been published by this day")
    goal: str = Field("200 USD bn", description=GOAL)
    base_year: int = Field(2018, ge=1900, le=2100, description="the level of this year is the base")
    deadline: int = Field(2024, ge=1900, le=2100, description="the last year that counts")


class ScenarioCase(GoalCase):
    """A goal and what might have changed its prospects; every assumption is a parameter."""

    oil_pct: float = Field(
        25.0, gt=-95, le=500, description="change of the oil price, last known year to deadline, %"
    )
    rouble_pct: float = Field(
        20.0, gt=-95, le=500, description="change of the rouble's value in dollars over the same years, %"
    )
    gdp_points: float = Field(
        2.0, ge=-20, le=20, description="growth of Russia's GDP above unchanged, percentage points a year"
    )
    level_shift_pct: float = Field(
        25.0, gt=-95, le=500, description="a step of trade that stays, such as a new pipeline, %"
    )
    parcels_mn: float = Field(
        40.0, ge=0, le=1e6, description="parcels counted as trade from the first year ahead, millions a year"
    )
    sanctions_undone: float = Field(
        0.5, ge=0, le=1, description="share of the unexpected growth since 2022 that lifting them undoes"
    )

    def check_against_data(self) -> None:
        """Refuse also a goal whose outcome the day knew: nothing is left that could change it."""
        super().check_against_data()
        if self.deadline in self.series().index:
            found = f"deadline: found {self.deadline}, whose level was known on {self.as_of}"
            raise UserError(f"{found}; expected a year without a level in this notebook, or an earlier as_of")


class HiddenCase(GoalCase):
    """A goal whose last years nobody published, with the doubts that their inference rests on."""

    as_of: date = Field(fig.UNDATED_KNOWN_FROM, description="use only what had been published by this day")
    scope_same: float = Field(
        0.5, ge=0, le=1, description="probability that levels after silence have the scope of the base"
    )
    spread_factor: float = Field(
        1.0, gt=0.05, le=20, description="times the usual variance of a part around its whole"
    )
    parcels_counted: float = Field(
        0.0, ge=0, le=1, description="probability that the press's parcels were real and counted as trade"
    )
    analogue: str = Field(
        "country pair in reporter's total",
        description="whose parts tell how much a part strays from its whole: country pair in reporter's total, country "
        "pair in partner's total, or HS chapter in Russia's trade with a partner",
    )
    sure: float = Field(0.95, gt=0.5, lt=1, description="from this probability on, met or missed is said")

    def check_against_data(self) -> None:
        """Refuse also a deadline that is not over: nothing is hidden yet."""
        super().check_against_data()
        if self.deadline >= self.as_of.year:
            before = "before, nothing is hidden, and 03_could_one_have_known has the forecast"
            raise unclear("deadline", str(self.deadline), f"a year that was over on {self.as_of}: {before}")


class ScoreCase(Case):
    """Forecasts of earlier years that are scored: which goal, over how many years, from which origins."""

    goal_pct: Annotated[Literal[10, 15, 25, 40], Digits] = Field(25, description="growth a year asked for, %")
    years: int = Field(3, ge=1, le=10, description="years from the origin to the deadline")
    first_origin: int = Field(2005, ge=2005, le=2019, description="first origin of the forecasts scored")
    last_origin: int = Field(2019, ge=2005, le=2019, description="last such year; outcomes are known to 2020")

    def check_against_data(self) -> None:
        """Refuse origins whose outcomes lie after the panel's last year."""
        if self.last_origin < self.first_origin:
            raise unclear(
                "last_origin", str(self.last_origin), f"{self.first_origin} (first_origin) or later"
            )
        if self.first_origin + self.years > LAST_OUTCOME:
            known = f"{LAST_OUTCOME - self.years} or earlier: outcomes are known to {LAST_OUTCOME}"
            raise unclear("first_origin", str(self.first_origin), known)

    def title(self) -> str:
        """One line that names the goal and the origins."""
        origins = f"{self.first_origin}–{self.last_origin}"
        return f"+{self.goal_pct} % a year over {words.years(self.years)}, forecasts of {origins}"
