"""What the tests of the sources share: a small world, a clock that nobody waits for, a client for the local server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fault_server import World

from lib.economies import find_economy
from lib.tools.sources.client import Client, open_client
from lib.tools.sources.record import Fetched, _fetch, pair_question
from lib.tools.sources.snapshots import Desk

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CODES = {
    "CHN": "156",
    "RUS": "643",
    "IND": "699",
    "TUR": "792",
    "KOR": "410",
    "VNM": "704",
    "KAZ": "398",
    "WLD": "0",
}


def trade(start: float, growth: float, first: int = 2000, last: int = 2025) -> dict[str, float]:
    """A flow that grows by the same rate every year, in dollars with two decimals."""
    return {str(year): round(start * (1 + growth) ** (year - first), 2) for year in range(first, last + 1)}


def months(annual: dict[str, float]) -> dict[str, float]:
    """Each year in twelve equal parts."""
    return {
        f"{year}-{month:02}": round(value / 12, 2) for year, value in annual.items() for month in range(1, 13)
    }


def small_world() -> World:
    """Four pairs, annual and monthly; India's exports to Russia lack 2014, and Russia stops in 2021."""
    flows = {
        ("CHN", "RUS", "export"): trade(2.2e9, 0.17),
        ("CHN", "RUS", "import"): trade(5.8e9, 0.13),
        ("RUS", "CHN", "export"): trade(5.2e9, 0.13, last=2021),
        ("RUS", "CHN", "import"): trade(2.4e9, 0.17, last=2021),
        ("IND", "RUS", "export"): trade(0.9e9, 0.07),
        ("IND", "RUS", "import"): trade(0.5e9, 0.15),
        ("KOR", "VNM", "export"): trade(1.7e9, 0.15),
        ("KOR", "VNM", "import"): trade(0.3e9, 0.2),
        ("CHN", "KAZ", "export"): trade(0.6e9, 0.15),
        ("CHN", "KAZ", "import"): trade(0.96e9, 0.12),
        ("CHN", "WLD", "export"): trade(249e9, 0.11),
        ("CHN", "WLD", "import"): trade(225e9, 0.1),
        ("TUR", "WLD", "export"): trade(27.8e9, 0.09),
        ("TUR", "WLD", "import"): trade(54.5e9, 0.08),
    }
    del flows["IND", "RUS", "export"]["2014"]
    both = {key: annual | months(annual) for key, annual in flows.items()}
    world = {
        (first, {"WLD": "G001"}.get(second, second), flow): known
        for (first, second, flow), known in both.items()
    }
    gdp = {str(year): 1.2e12 + year for year in range(2000, 2025)}
    return World(
        world,
        {("G001" if iso == "WLD" else iso): number for iso, number in CODES.items()},
        {("CHN", "NY.GDP.MKTP.CD"): gdp | {"2010": None}, ("RUS", "NY.GDP.MKTP.CD"): gdp},
        {"R01235": rouble_days(2012, 2013)},
    )


def rouble_days(first: int, last: int) -> dict[str, tuple[int, str]]:
    """A rate for every Tuesday to Saturday, from 30,0 on, rising by a hundredth a day."""
    day, days = datetime(first, 1, 1), {}
    while day.year <= last:
        if day.weekday() in (1, 2, 3, 4, 5):
            days[f"{day:%d.%m.%Y}"] = (1, f"{30 + len(days) / 100:.4f}".replace(".", ","))
        day += timedelta(days=1)
    return days


@dataclass
class Time:
    """A clock that moves by what somebody sleeps."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


@contextmanager
def quick_client(
    bases: dict[str, str], time: Time | None = None, *, allow_http: bool = False, **limits: Any
) -> Iterator[Client]:
    """A client that never really waits, with chance in the middle; an answer from this machine may be slow to come."""
    time = time or Time()
    clock = {"clock": time.read, "sleep": time.sleep, "chance": lambda: 0.5, "now": time.now}
    settings = {"allow_http": allow_http, "read_seconds": 300.0}
    with pytest.MonkeyPatch.context() as patch, open_client(**settings | limits | clock) as client:
        for source, base in bases.items():
            patch.setenv(f"TRADEGOALS_{source.upper()}_URL", base)
        yield client


def fetch_flow(
    source: str, reporter: str, partner: str, *, flow: str, years: range, freq: str = "A", desk: Desk,
    **asking: Any,
) -> Fetched:  # fmt: skip
    """One flow of a pair, of what a pair's question brings."""
    question = pair_question(source, reporter, partner, freq, years)
    fetched = _fetch(question, replace(desk, **asking))
    found = fetched.observations
    for column, name in (
        ("reporter", find_economy(reporter).name),
        ("partner", find_economy(partner).name),
        ("flow", flow),
    ):
        found = found[found[column] == name]
    return fetched._replace(observations=found.reset_index(drop=True))
