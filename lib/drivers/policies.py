"""What the record can say of each policy and shock: the events, and the evidence on each, without words."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.drivers import interrupted
from lib.drivers.interrupted import Step
from lib.errors import UserError
from lib.figures import last_days
from lib.growth import log_growth


@dataclass(frozen=True)
class Policy:
    """A policy or shock, and where its effect would have to show.

    Parameters
    ----------
    name : as the table calls it.
    event : how its row of data/events.csv begins; empty where the record holds no dated event.
    reporters : whose trade it was to move, the smallest first.
    named : whether the article of April 2014 names it.
    study : its name in the kept synthetic controls; empty where the panel cannot see it.
    fuels : whether it is about oil, so that the quantity of fuels speaks to it.
    """

    name: str
    event: str
    reporters: tuple[str, ...]
    named: bool = False
    study: str = ""
    fuels: bool = False


CITY, PROVINCE, COUNTRY = ("Harbin",), ("Heilongjiang",), ("China",)
BOTH = (*PROVINCE, *COUNTRY)
POLICIES = (
    Policy("rouble cash centre", "Harbin Bank opens a rouble cash trade centre", CITY, named=True),
    Policy("settlement centre", "", CITY, named=True),
    Policy("flights and cargo routes", "First Harbin-Yekaterinburg cross-border", CITY, named=True),
    Policy("Expo", "First China-Russia Expo opens in Harbin", CITY, named=True),
    Policy("bonded zone", "Harbin Comprehensive Bonded Zone approved", CITY, named=True),
    Policy("crude pipeline", "First Russia-China crude pipeline", BOTH, study="pipeline 2011", fuels=True),
    Policy("city plan: the goal itself", "Harbin city plan for economic and trade", CITY),
    Policy("border-opening plan", "State Council approves the border-opening plan", PROVINCE),
    Policy(
        "yuan swap of the central banks",
        "Central banks of China and Russia sign",
        COUNTRY,
        study="rouble 2015",
    ),
    Policy("fall of the rouble", "Rouble crisis: down 49%", BOTH, study="rouble 2015"),
    Policy("freight train to Russia", "Regular Harbin-Russia freight train", CITY),
    Policy("second line of the pipeline", "Second line Mohe-Daqing", BOTH, study="pipeline 2018", fuels=True),
    Policy("free trade zone", "China (Heilongjiang) Pilot Free Trade Zone", (*CITY, *PROVINCE)),
    Policy("gas pipeline", "Power of Siberia gas pipeline", COUNTRY, study="closures 2020"),
    Policy(
        "closures of the border", "Russia restricts traffic at border crossings", BOTH, study="closures 2020"
    ),
    Policy("war and sanctions", "Full-scale invasion of Ukraine", BOTH),
    Policy("road bridge at Heihe", "Heihe-Blagoveshchensk road bridge opens", PROVINCE),
    Policy("threat of secondary sanctions", "US executive order on secondary sanctions", COUNTRY),
)


@dataclass(frozen=True)
class Evidence:
    """What the record holds on the effect of one policy on one reporter's trade.

    Parameters
    ----------
    policy, reporter : which.
    date, year : the event's date as printed, and the first year that it could fill; empty and 0 without one.
    before, after : years near the event for which a level is known.
    step, with_oil : the step of that year against all others, alone and beside the oil price; None where the
        year's growth is not known or too few others are.
    bridged, bridged_with_oil : (effect, low, high) of a step across gaps of the record, where `step` is None and
        enough is known.
    """

    policy: Policy
    reporter: str
    date: str
    year: int
    before: list[int]
    after: list[int]
    step: Step | None
    with_oil: Step | None
    bridged: tuple[float, float, float] | None = None
    bridged_with_oil: tuple[float, float, float] | None = None

    @property
    def knowable(self) -> bool:
        """Whether anything can be estimated."""
        return self.step is not None or self.bridged is not None


def find_event(policy: Policy, events: pd.DataFrame) -> pd.Series | None:
    """The row of data/events.csv of a policy; None where it names no event."""
    if not policy.event:
        return None
    rows = events[events["event"].str.startswith(policy.event)]
    if len(rows) != 1:
        raise UserError(f'events.csv: found {len(rows)} rows that begin "{policy.event}", expected one')
    return rows.iloc[0]


def first_years(dates: pd.Series) -> pd.Series:
    """First calendar year that each event could fill for more than half: its own up to June, else the next."""
    day = last_days(dates)  # a year alone is its last day
    return day.dt.year + (day.dt.month > 6)


def first_year(date: str) -> int:
    """The same for one date."""
    return int(first_years(pd.Series([date])).iloc[0])


def weigh(
    policy: Policy, reporter: str, event: pd.Series | None, level: pd.Series, oil: pd.Series, span: int
) -> Evidence:
    """Read the record of one reporter around one policy.

    Parameters
    ----------
    event : its row of data/events.csv, or None.
    level : the reporter's trade by year, as known on the day; empty where there is none.
    oil : price of oil by year, for the years that were over.
    span : years before and after within which a level must be known.
    """
    if event is None or level.empty:
        return Evidence(policy, reporter, "" if event is None else event["date"], 0, [], [], None, None)
    year = first_year(event["date"])
    before, after = interrupted.neighbours(level, year, span)
    found = Evidence(policy, reporter, event["date"], year, before, after, None, None)
    if not (before and after):
        return found
    rates, oil_growth = interrupted.growth_of(level), log_growth(oil).rename("oil").to_frame()
    alone = interrupted.step(rates, year)
    if alone is not None:
        return replace(found, step=alone, with_oil=interrupted.step(rates, year, oil_growth))
    across = interrupted.state_space_step(level, year)
    return replace(found, bridged=across, bridged_with_oil=interrupted.state_space_step(level, year, oil))


def at_the_same_time(policy: Policy, year: int, events: pd.DataFrame) -> int:
    """How many other events of the record have the same first year."""
    return int((first_years(events["date"]) == year).sum()) - 1


def when(date: str) -> float:
    """A date as a decimal year, for a time axis: the middle of a year or month where no day is known."""
    parts = [int(part) for part in date.split("-")]
    month = (parts[1] - 1) if len(parts) > 1 else 6
    day = (parts[2] - 1) / 31 if len(parts) > 2 else 0.5 * (len(parts) > 1)
    return float(np.round(parts[0] + (month + day) / 12, 4))
