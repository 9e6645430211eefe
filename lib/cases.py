"""What all parameters have in common: checked before a kernel starts, and again in the notebook's second cell.

Papermill lets an unknown name pass and turns `true` into text; here a wrong name, type or combination is an
error that names the parameter, what was found, what was expected and the nearest valid name.

A flow, seen from one day; against a yearly rate; and with a goal. What single notebooks ask beside is in
`lib.analysis.cases`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from lib import fetched, series, spoken, words
from lib import figures as fig
from lib.economies import check_currency, pair_name
from lib.errors import UserError, did_you_mean
from lib.goals import Goal, Reading, make_goal, parse_goal
from lib.series import annual_series, exchange_rates, in_dollars, no_rate
from lib.tables import at_rest, data_state


class Case(BaseModel):
    """The parameters of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, str_max_length=200)

    @classmethod
    def from_cell(cls, namespace: Mapping[str, Any]) -> Self:
        """Check the values that a notebook's parameters cell defines; call it with `locals()`."""
        return cls.check({name: namespace[name] for name in cls.model_fields if name in namespace})

    @classmethod
    @at_rest()
    def check(cls, values: Mapping[str, Any]) -> Self:
        """Check values by name; a `UserError` tells of each fault: parameter, found, expected, nearest valid name."""
        plain = {name: one.item() if isinstance(one, np.generic) else one for name, one in values.items()}
        try:
            case = cls.model_validate(plain)
        except ValidationError as error:
            raise UserError("\n".join(_explain(cls, fault) for fault in error.errors())) from None
        case.check_against_data()
        return case

    @field_validator("*", mode="before")
    @classmethod
    def _in_words(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if name == "goal" and isinstance(value, int | float) and not isinstance(value, bool):
            value = np.format_float_positional(value, trim="-")
        try:
            if name in READERS and isinstance(value, str):
                return READERS[name](value, info.data)
            # A plain number would be read as seconds since 1970.
            return fig.read_day(value).date() if name in ("as_of", "until") else value
        except UserError as error:
            raise ValueError(str(error).partition("expected ")[2]) from None

    def check_against_data(self) -> None:
        """Refuse what no data can answer; a case that needs no data refuses nothing."""

    def title(self) -> str:
        """One line that names the case."""
        raise NotImplementedError


def _explain(model: type[BaseModel], fault: Any) -> str:
    """One line of plain words for one pydantic fault."""
    name, given, hint = str(fault["loc"][0]), fault["input"], ""
    if fault["type"] == "extra_forbidden":
        names, hint = ", ".join(model.model_fields), did_you_mean(name, model.model_fields)
        return f"{_shorten(repr(name)[1:-1])}: found an unknown parameter, expected one of {names}{hint}"
    if fault["type"] == "literal_error" and isinstance(given, str):
        hint = did_you_mean(given, re.findall(r"'([^']*)'", fault["ctx"]["expected"]))
    expected = re.sub("^(Value error, |Input should be |String should have )", "", fault["msg"])
    return f"{name}: found {_shorten(repr(given))}, expected {expected}{hint}"


def _shorten(text: str, width: int = 60) -> str:
    """Text cut to `width` characters for a message."""
    return text if len(text) <= width else text[: width - 1] + "…"


# How people's words for a parameter are read; what was read before is known.
READERS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "reporter": lambda text, known: spoken.read_place(text),
    "partner": lambda text, known: spoken.read_place(text),
    "flow": lambda text, known: spoken.read_flow(text),
    "as_of": lambda text, known: spoken.read_day(text).day,
    "until": lambda text, known: spoken.read_day(text).day,
    "currency": lambda text, known: check_currency(text),
    "goal": lambda text, known: spoken.read_goal(text, known.get("currency", "USD")),
}
MAX_HORIZON_YEARS = 30
REPORTER = "who reports the trade: a city, province or country of data/figures.csv, or fetched"
GOAL = 'growth a year, "25 %", or a level to reach, "100 USD bn" or "double"'


class FlowCase(Case):
    """One flow, seen from one day."""

    reporter: str = Field("Harbin", description=REPORTER)
    partner: str = Field("Russia", description="the other side")
    flow: Literal["total", "export", "import"] = Field("total", description="export + import, or one of them")
    as_of: date = Field(fig.UNDATED_KNOWN_FROM, description="use only what had been published by this day")

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
        return f"{pair_name(self.reporter, self.partner)}, {fig.FLOW_NAMES[self.flow]}"

    def record(self) -> pd.DataFrame:
        """Every figure of the flow, whenever published."""
        return _record(self.reporter, self.partner, self.flow, *self._state()).copy()

    def _state(self) -> Any:
        """What the record of the flow is read from, as far as it can change."""
        return fig.load_figures, data_state(), fetched.state(self.reporter)

    def label_beside(self, case: "FlowCase") -> str:
        """A short name among the flows of a case: "China", or "China–World" where the partner is another."""
        return self.reporter if self.partner == case.partner else f"{self.reporter}–{self.partner}"

    def vintage(self) -> pd.DataFrame:
        """The figures of the flow that were known on `as_of`."""
        days = _days(self.reporter, self.partner, self.flow, "figures", *self._state())
        if len(days) and days[0] > np.datetime64(self.as_of):  # told without a copy of the record
            expected = f"{days[0]} or later, when the first figure is known"
            raise UserError(f"as_of: found {self.as_of}, expected {expected}")
        record = _record(self.reporter, self.partner, self.flow, *self._state())
        return fig.as_of(record, self.as_of_time)  # a copy of its own

    def today(self) -> Self:
        """The same case with everything that the record holds, whenever published."""
        latest = self.record()["known_from"].max().date()
        return self.model_copy(update={"as_of": max(fig.UNDATED_KNOWN_FROM, latest, self.as_of)})

    def lineage(self) -> list[Self]:
        """The case for each larger reporter's trade with the same partner, as on record: province, country."""
        parent, name, larger = _made("parents", 0, fig.load_reporters, data_state()), self.reporter, []
        while name := parent.get(name, ""):
            larger.append(self.model_copy(update={"reporter": name}))
        return [case for case in larger if case.is_on_record()]

    def is_on_record(self) -> bool:
        """Whether any figure of the flow was known on `as_of`."""
        return len(self._days_known("figures", self._state())) > 0

    def _days_known(self, of: str, state: Any) -> Any:
        """The days up to `as_of` on which something of the flow became known (`_days`), in order."""
        days = _days(self.reporter, self.partner, self.flow, of, *state)
        return days[: np.searchsorted(days, np.datetime64(self.as_of), side="right")]

    def title(self) -> str:
        """One line that names the flow and the day."""
        return f"{self.flow_name}, as of {self.as_of}"


class TrendCase(FlowCase):
    """A flow in one currency, against a yearly rate."""

    currency: str = Field(
        "USD",
        pattern="^[A-Z]{3}$",
        description="currency of the series (ISO 4217, such as EUR); others are converted, and marked",
    )
    goal: str = Field("25 %", description=GOAL)

    def check_against_data(self) -> None:
        """Refuse also a flow for which the day knew no level of a full year, or a currency without rates."""
        if not self.series().empty:
            return
        if self.currency not in self.rates():
            raise UserError(no_rate(self.currency, "any year"))
        found = f"no level of a full year was known for {self.flow_name} in {self.currency}"
        expected = "a later day, another flow or another currency"
        raise UserError(f"as_of: on {self.as_of} {found}; expected {expected}")

    def series(self, record: pd.DataFrame | None = None) -> pd.DataFrame:
        """One level a year from what was known on `as_of`, or from `record`."""
        if record is not None:
            return annual_series(record, self.currency, self.rates())
        state = self._state()
        return _made("series", self._since_last("levels", state), fig.load_covariates, *state).copy()

    def days(self) -> list[date]:
        """The days that can change a level: releases, and each January in which an exchange rate is known anew."""
        return list(_days(self.reporter, self.partner, self.flow, "levels", *self._state()).tolist())

    def releases(self) -> pd.DataFrame:
        """What was known of months on `as_of` (`lib.series.releases`)."""
        state = self._state()
        return _made("releases", self._since_last("months", state), *state).copy()

    def _since_last(self, of: str, state: Any) -> "TrendCase":
        """The flow on the last day known (`_days`): the same for all goals, and for days that know the same."""
        days = self._days_known(of, state)
        names = ("reporter", "partner", "flow", "currency")
        day = days[-1].item() if len(days) else self.as_of
        return TrendCase.model_construct(as_of=day, **{name: getattr(self, name) for name in names})

    def usd_mn(self, level_mn: float, year: int) -> float:
        """A level of the case in US dollars at the average rate of its year; millions."""
        usd = self.currency == "USD"  # reading the rates takes longer than the rest
        return float(level_mn) if usd else in_dollars(level_mn, self.currency, year, self.rates())

    def mirror(self) -> Self:
        """The same trade as the partner reports it: its imports are the other's exports."""
        flow = {"export": "import", "import": "export"}.get(self.flow, self.flow)
        return self.model_copy(update={"reporter": self.partner, "partner": self.reporter, "flow": flow})

    def rates(self) -> pd.DataFrame:
        """Annual averages of what a dollar costs in each currency, for the years that were over on `as_of`."""
        return _made("rates", self.as_of.replace(month=1, day=1), fig.load_covariates, data_state()).copy()


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
            expected = f"1 to {MAX_HORIZON_YEARS} years after base_year {self.base_year}"
            faults.append(f"deadline: found {self.deadline}, expected {expected}")
        try:
            super().check_against_data()
        except UserError as error:
            faults.append(str(error))
        if faults:
            raise UserError("\n".join(faults))
        self.make_goal()
        if self.currency != "USD":  # flows like this one are found by size, in dollars
            for year in (self.base_year, int(self.series().index[-1])):
                self.usd_mn(1.0, year)

    def make_goal(self) -> Goal:
        """The goal on the base level known on `as_of`."""
        return make_goal(self.goal, self.base_year, self.deadline, self.series()["value_mn"], self.currency)

    def title(self) -> str:
        """One line that names flow, goal and day."""
        return f"{self.flow_name}: {self.goal_name} {self.base_year}–{self.deadline}, as of {self.as_of}"

    @property
    def goal_name(self) -> str:
        """The goal in words: "+25 % a year" or "US$100 billion"."""
        kind, number, currency = parse_goal(self.goal)
        if kind == "level":
            return words.exact_money(number, str(currency))
        if kind == "multiple":
            return self.goal
        percent = np.format_float_positional(round(number * 100, 9), trim="-", sign=number != 0)
        return f"{percent} % a year".replace("-", "−")


# A matrix asks for the same figures and series many times. What they are read from is part of the key: the
# state of the data, and the readers themselves, so that another reader is never answered from memory.
@lru_cache(maxsize=4)
def _figures(reporter: str, load: Any, *state: Any) -> pd.DataFrame:
    """Every figure, curated and fetched for a reporter."""
    return fetched.beside(load(), reporter)


@lru_cache(maxsize=64)
def _record(reporter: str, partner: str, flow: str, *read_from: Any) -> pd.DataFrame:
    """The figures of a flow, curated and fetched."""
    try:
        return fig.select(_figures(reporter, *read_from), reporter, partner, flow)
    except UserError as error:
        if not (command := fetched.hint(reporter, partner)):
            raise
        found, _, known = str(error).partition(", expected ")
        few = ", ".join(known.split(", ")[:4])
        raise UserError(f"{found}, expected to fetch it: {command}; or {few} …") from None


@lru_cache(maxsize=256)
def _days(reporter: str, partner: str, flow: str, of: str, *read_from: Any) -> Any:
    """The days on which figures of a flow, months of it, or levels became known, in order; none for a flow without any.

    The level of a year that is not over can change once more: when its exchange rate is known.
    """
    try:
        rows = _record(reporter, partner, flow, *read_from)
    except UserError:
        return np.array([], dtype="datetime64[D]")
    known = rows["known_from"].to_numpy().astype("datetime64[D]")
    whole, year = fig.whole_years(rows)
    if of == "levels":
        over = (year[whole] - 1969).astype("datetime64[Y]").astype("datetime64[D]")
        return np.unique(np.concatenate([known[whole], np.maximum(known[whole], over)]))
    return np.unique(known[~whole] if of == "months" else known)


@lru_cache(maxsize=1024)
def _made(what: str, about: Any, *read_from: Any) -> Any:
    """What is computed from the data, for a case or for all."""
    match what:
        case "parents":
            return dict(fig.load_reporters().set_index("name")["parent"])
        case "rates":
            return exchange_rates(fig.load_covariates(), about)
        case "releases":
            return series.releases(about.vintage(), about.currency)
    return annual_series(about.vintage(), about.currency, about.rates())
