"""Official tracking standards: what each says of a target from its base, its latest level and its deadline.

Published standards as pure functions of levels of trade. None of them states a probability; each extrapolates what was
observed. Rules at the edges, the same for all: a latest level at or beyond the target is met, even where there is no
ratio; with one year only (latest = base year), or a target equal to the base (no progress is required to divide by),
there is no ratio, and what is not met is not assessed.

Verified thresholds: those of Eurostat / Open SDG and of the UN progress chart (2023, technical note, as given by Eustat)
were read in a source. The cut points of ESCAP anticipated progress and of SDSN's trend arrows are as commonly stated, not
verified in a primary source.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from scipy.stats import linregress

from lib import growth
from lib.errors import UserError, unclear

Classes = tuple[tuple[float, str], ...]
"""Lower limits of a value and what it is called from there on, the highest first."""

LEAST = -math.inf

EUROSTAT_CLASSES = (0.95, "on track"), (0.60, "moderate"), (0.0, "limited"), (LEAST, "deterioration")

UN_CLASSES = (0.95, "met or on track"), (0.10, "fair progress"), (LEAST, "stagnation or regression")

SDSN_CLASSES = (1.0, "on track"), (0.5, "moderately improving"), (0.0, "stagnating"), (LEAST, "decreasing")

ESCAP_GAP_CLASSES = (100.0, "reverse"), (10.0, "accelerate"), (LEAST, "maintain")
"""A gap *above* the number, in % of the progress required."""

MET = "target achieved"


@dataclass(frozen=True)
class TrackedTarget:
    """What a tracker sees: levels above 0 in one unit, more is better; base_year ≤ latest_year ≤ target_year."""

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
            raise unclear("years of base, latest and target", years, "them in order, the last later")
        for name in ("base", "latest", "target"):
            if not (level := getattr(self, name)) > 0 or math.isinf(level):
                raise unclear(name, str(level), "a finite level above 0")

    @property
    def met(self) -> bool:
        """Whether the latest level is at or beyond the target."""
        return self.latest >= self.target

    @property
    def has_ratio(self) -> bool:
        """Whether progress made can be divided by progress required."""
        return self.latest_year > self.base_year and not math.isclose(self.base, self.target, rel_tol=1e-12)

    @property
    def share_done(self) -> float:
        """Progress made / progress required, positive where it grew."""
        return (self.latest - self.base) / abs(self.target - self.base)


class Assessment(NamedTuple):
    """What one standard says: its ratio, index or gap, None where it cannot be formed; its class in its own words.

    `on_track` is whether the class says that the target will be met; None where it says neither.
    """

    standard: str
    value: float | None
    progress_class: str
    on_track: bool | None


def _assess(name: str, target: TrackedTarget, value: float | None, classes: Classes, met: str) -> Assessment:
    """The class of a value: the first whose limit it reaches; `met` for a target that is met, on track as the best."""
    if target.met:
        return Assessment(name, value, met, True)
    if value is None:
        return Assessment(name, None, "not assessed", None)
    label = next(label for limit, label in classes if value >= limit)
    return Assessment(name, value, label, label == classes[0][1])


def eurostat(target: TrackedTarget) -> Assessment:
    """Eurostat SDG monitoring / Open SDG: R = actual growth a year / growth a year required from the base."""
    ratio = None
    if target.has_ratio:
        actual = growth.cagr(target.base, target.latest, target.latest_year - target.base_year)
        ratio = actual / abs(growth.cagr(target.base, target.target, target.target_year - target.base_year))
    return _assess("Eurostat / Open SDG", target, ratio, EUROSTAT_CLASSES, MET)


def un_progress_chart(target: TrackedTarget) -> Assessment:
    """UN SDG progress chart: share of the required progress that is reached at the deadline at actual growth.

    r = (latest × (1 + actual)^(years left) − base) / (target − base), positive where it grows.
    """
    ratio = None
    if target.has_ratio:
        left = (target.target_year - target.latest_year) / (target.latest_year - target.base_year)
        expected = target.latest * math.exp(left * math.log(target.latest / target.base))
        ratio = (expected - target.base) / abs(target.target - target.base)
    return _assess("UN SDG progress chart", target, ratio, UN_CLASSES, UN_CLASSES[0][1])


def escap_current_status(target: TrackedTarget) -> Assessment:
    """ESCAP current status index: 10 × progress made / progress required (10: met, below 0: regression).

    The class tells only the sign: ESCAP publishes no cut points for the index, and it makes no forecast.
    """
    index = 10 * target.share_done if target.has_ratio else None
    found = _assess("ESCAP current status", target, index, ((0.0, "progress"), (LEAST, "regression")), MET)
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
    points = pd.Series({target.base_year: target.base, target.latest_year: target.latest})
    if levels is not None:
        points = levels[levels.index <= target.latest_year].dropna()
    if len(points) < 2:
        raise UserError(f"levels: found {len(points)} up to {target.latest_year}, expected two or more")
    years = points.index.to_numpy(dtype=float) - target.target_year
    over = target.latest_year == target.target_year
    expected = target.latest if over else linregress(years, points).intercept
    gap = float(100 * max(target.target - expected, 0.0) / abs(target.target - target.base))
    label = next(name for cut, name in ESCAP_GAP_CLASSES if gap > cut)
    return Assessment(standard, gap, label, label == "maintain")


def sdsn(target: TrackedTarget) -> Assessment:
    """SDSN dashboard: linear change a year since the base / linear change a year required from the base."""
    ratio = None
    if target.has_ratio:
        years = target.latest_year - target.base_year, target.target_year - target.base_year
        ratio = target.share_done / (years[0] / years[1])
    return _assess("SDSN trend", target, ratio, SDSN_CLASSES, SDSN_CLASSES[0][1])
