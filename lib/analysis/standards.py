"""How official trackers would class progress towards a target: published standards as pure functions of levels of trade.

None of them states a probability; each extrapolates what was observed. Rules at the edges, the same for all: a latest
level at or beyond the target is met, even where there is no ratio; with one year only (latest = base year), or a target
equal to the base (no progress is required to divide by), there is no ratio, and what is not met is not assessed.

Verified thresholds: those of Eurostat / Open SDG and of the UN progress chart (2023, technical note, as given by Eustat)
were read in a source. The cut points of ESCAP anticipated progress and of SDSN's trend arrows are as commonly stated, not
verified in a primary source.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from lib import growth
from lib.errors import UserError

Classes = tuple[tuple[float, str], ...]
"""Lower limits of a value and what it is called from there on, the highest first."""

EUROSTAT_CLASSES: Classes = (
    (0.95, "on track"),
    (0.60, "moderate"),
    (0.0, "limited"),
    (-math.inf, "deterioration"),
)

UN_CLASSES: Classes = (
    (0.95, "met or on track"),
    (0.10, "fair progress"),
    (-math.inf, "stagnation or regression"),
)

SDSN_CLASSES: Classes = (
    (1.0, "on track"),
    (0.5, "moderately improving"),
    (0.0, "stagnating"),
    (-math.inf, "decreasing"),
)

ESCAP_GAP_CLASSES: Classes = ((100.0, "reverse"), (10.0, "accelerate"), (-math.inf, "maintain"))
"""A gap *above* the number, in % of the progress required."""

NOT_ASSESSED = "not assessed"

MET = "target achieved"


@dataclass(frozen=True)
class TrackedTarget:
    """What a tracker sees: levels above 0 in one unit, more is better.

    Parameters
    ----------
    base, latest, target : levels of base_year, latest_year and target_year, base_year ≤ latest_year ≤ target_year.
    """

    base: float
    base_year: int
    latest: float
    latest_year: int
    target: float
    target_year: int

    def __post_init__(self) -> None:
        """Refuse years out of order, and what is no level."""
        if not self.base_year <= self.latest_year <= self.target_year or self.base_year == self.target_year:
            years = f"{self.base_year}, {self.latest_year} and {self.target_year}"
            raise UserError(
                f"years of base, latest and target: found {years}, expected them in order, the last later"
            )
        for name in ("base", "latest", "target"):
            if not (level := getattr(self, name)) > 0 or math.isinf(level):
                raise UserError(f"{name}: found {level}, expected a finite level above 0")

    @property
    def met(self) -> bool:
        """Whether the latest level is at or beyond the target."""
        return self.latest >= self.target

    @property
    def has_ratio(self) -> bool:
        """Whether progress made can be divided by progress required."""
        return self.latest_year > self.base_year and not math.isclose(self.base, self.target, rel_tol=1e-12)

    @property
    def elapsed(self) -> int:
        """Years from the base to the latest level."""
        return self.latest_year - self.base_year

    @property
    def length(self) -> int:
        """Years from the base to the deadline."""
        return self.target_year - self.base_year

    @property
    def share_done(self) -> float:
        """Progress made / progress required, positive where it grew."""
        return (self.latest - self.base) / abs(self.target - self.base)


class Assessment(NamedTuple):
    """What one standard says.

    Parameters
    ----------
    standard : which.
    value : its ratio, index or gap; None where it cannot be formed.
    progress_class : its class in its own words, or "not assessed".
    on_track : whether the class says that the target will be met; None where it says neither.
    """

    standard: str
    value: float | None
    progress_class: str
    on_track: bool | None


def _assess(
    standard: str, target: TrackedTarget, value: float | None, classes: Classes, met: str
) -> Assessment:
    """The class of a value: the first whose limit it reaches; `met` for a target that is met, on track as the best."""
    if target.met:
        return Assessment(standard, value, met, True)
    if value is None:
        return Assessment(standard, None, NOT_ASSESSED, None)
    label = next(label for limit, label in classes if value >= limit)
    return Assessment(standard, value, label, label == classes[0][1])


def eurostat(target: TrackedTarget) -> Assessment:
    """Eurostat SDG monitoring / Open SDG: R = actual growth a year / growth a year required from the base."""
    ratio = None
    if target.has_ratio:
        actual = growth.cagr(target.base, target.latest, target.elapsed)
        ratio = actual / abs(growth.cagr(target.base, target.target, target.length))
    return _assess("Eurostat / Open SDG", target, ratio, EUROSTAT_CLASSES, MET)


def un_progress_chart(target: TrackedTarget) -> Assessment:
    """UN SDG progress chart: share of the required progress that is reached at the deadline at actual growth.

    r = (latest × (1 + actual)^(years left) − base) / (target − base), positive where it grows.
    """
    ratio = None
    if target.has_ratio:
        left = (target.target_year - target.latest_year) / target.elapsed
        expected = target.latest * math.exp(left * math.log(target.latest / target.base))
        ratio = (expected - target.base) / abs(target.target - target.base)
    return _assess("UN SDG progress chart", target, ratio, UN_CLASSES, UN_CLASSES[0][1])


def escap_current_status(target: TrackedTarget) -> Assessment:
    """ESCAP current status index: 10 × progress made / progress required (10: met, below 0: regression).

    The class tells only the sign: ESCAP publishes no cut points for the index, and it makes no forecast.
    """
    index = 10 * target.share_done if target.has_ratio else None
    classes = ((0.0, "progress"), (-math.inf, "regression"))
    found = _assess("ESCAP current status", target, index, classes, MET)
    return found._replace(on_track=True if target.met else None)


def escap_anticipated(target: TrackedTarget, levels: pd.Series | None = None) -> Assessment:
    """ESCAP / UNECE anticipated progress: gap to the target at the deadline, in % of the progress required.

    The level at the deadline is extrapolated by plain least squares over the years in `levels` up to the latest year;
    without `levels`, by the line through base and latest. ESCAP weights recent years more, but its weights (Statistics
    Division working paper 4, 2017) could not be retrieved, and made-up weights would carry its name without its method.
    """
    standard = "ESCAP anticipated progress (unweighted)"
    if not target.has_ratio:
        return _assess(standard, target, None, ESCAP_GAP_CLASSES, "maintain")
    gap = 100 * max(target.target - _at_deadline(target, levels), 0.0) / abs(target.target - target.base)
    label = next(name for cut, name in ESCAP_GAP_CLASSES if gap > cut)
    return Assessment(standard, gap, label, label == "maintain")


def _at_deadline(target: TrackedTarget, levels: pd.Series | None) -> float:
    """Level at the deadline on a least-squares line through `levels`; at the deadline, the level itself."""
    if target.latest_year == target.target_year:
        return target.latest
    points = pd.Series({target.base_year: target.base, target.latest_year: target.latest})
    if levels is not None:
        points = levels[levels.index <= target.latest_year].dropna()
    if len(points) < 2:
        raise UserError(f"levels: found {len(points)} up to {target.latest_year}, expected two or more")
    years = points.index.to_numpy(dtype=float)
    centred = years - years.mean()
    slope = (centred * points.to_numpy(dtype=float)).sum() / (centred**2).sum()
    return float(points.mean() + slope * (target.target_year - years.mean()))


def sdsn(target: TrackedTarget) -> Assessment:
    """SDSN dashboard: linear change a year since the base / linear change a year required from the base."""
    ratio = target.share_done / (target.elapsed / target.length) if target.has_ratio else None
    return _assess("SDSN trend", target, ratio, SDSN_CLASSES, SDSN_CLASSES[0][1])
