"""How official trackers would class progress towards a target: published standards as pure functions.

Every standard sees the same problem, a `TrackedTarget`: base, latest and target value with their years, and the
direction in which more is better. None of them states a probability; each extrapolates what was observed. Rules at the
edges, the same for all:

- a missing value, one year only (latest = base year), or a latest value from after the deadline → no ratio;
- target equal to base → no ratio, since no progress is required to divide by;
- compounding: a base or target of 0 becomes 0.001 (as in Open SDG) with a note; values on both sides of 0
  give no ratio;
- a latest value at or beyond the target → met, even where there is no ratio; without one it is else not assessed;
- a value of the target year itself gives the outcome, not a forecast, and the note says so.

Verified thresholds: those of Eurostat / Open SDG and of the UN progress chart were read in the sources named there.
The cut points of ESCAP anticipated progress and of SDSN are as commonly stated, not verified in a primary source.
"""

import math
from dataclasses import dataclass
from typing import Self

import pandas as pd

from lib import growth
from lib.errors import UserError

NAMES = ("base", "latest", "target")

ZERO_REPLACEMENT = 0.001
"""Open SDG, sdg-build ProgressMeasure.py: stands for a base or target of 0, which cannot be compounded."""


@dataclass(frozen=True)
class TrackedTarget:
    """What a tracker sees.

    Parameters
    ----------
    base, latest, target : values in one unit; None or NaN is a value that is missing
    base_year, latest_year, target_year : their years, base_year ≤ latest_year and base_year < target_year
    direction : 1 if more is better, −1 if less is better
    note : what a reader must know about the values, passed on to every assessment
    """

    base: float | None
    base_year: int
    latest: float | None
    latest_year: int
    target: float | None
    target_year: int
    direction: int = 1
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse years out of order, a direction that is none, and infinite values."""
        if self.direction not in (1, -1):
            raise UserError(f"direction: found {self.direction!r}, expected 1 (more is better) or -1")
        if self.target_year <= self.base_year:
            raise UserError(
                f"target_year: found {self.target_year}, expected a year after base {self.base_year}"
            )
        if self.latest_year < self.base_year:
            raise UserError(f"latest_year: found {self.latest_year}, expected {self.base_year} or later")
        for name in ("base", "latest", "target"):
            value = getattr(self, name)
            if value is not None and math.isinf(value):
                raise UserError(f"{name}: found {value}, expected a finite number or a missing one")

    @classmethod
    def from_levels(
        cls, levels: pd.Series, base_year: int, target: float, target_year: int, direction: int = 1
    ) -> Self:
        """Take base and latest value from a Series by year (levels known at the time of the assessment).

        A missing base year is replaced by the next one that has a value, with a note (the rule of Open SDG).
        Values from after the deadline are left out.
        """
        known = levels.dropna().sort_index()
        known = known[(known.index >= base_year) & (known.index <= target_year)]
        if known.empty:
            return cls(None, base_year, None, base_year, target, target_year, direction)
        if known.index[0] == target_year:
            return cls(None, base_year, float(known.iloc[0]), target_year, target, target_year, direction)
        first, last = int(known.index[0]), int(known.index[-1])
        note = "" if first == base_year else f"no value for the base year {base_year}, {first} taken instead"
        return cls(
            float(known.iloc[0]), first, float(known.iloc[-1]), last, target, target_year, direction, note
        )

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Base, latest and target value, NaN where missing."""
        base, latest, goal = (
            math.nan if x is None else float(x) for x in (self.base, self.latest, self.target)
        )
        return base, latest, goal

    @property
    def met(self) -> bool:
        """Whether the latest value, from no later than the deadline, is at or beyond the target."""
        _, latest, goal = self.numbers
        return not self.unknown(("latest", "target")) and self.direction * (latest - goal) >= 0

    @property
    def is_outcome(self) -> bool:
        """Whether the latest value is the one of the target year."""
        return self.latest_year == self.target_year and not self.unknown(("latest",))

    def unknown(self, needed: tuple[str, ...] = NAMES) -> str:
        """Say why the state of the target cannot be told from the values needed, or nothing."""
        values = dict(zip(NAMES, self.numbers, strict=True))
        missing = [name for name in needed if math.isnan(values[name])]
        if missing:
            return f"missing: {', '.join(missing)}"
        if self.latest_year > self.target_year:
            return f"the latest value ({self.latest_year}) is from after the deadline {self.target_year}"
        return ""

    def no_ratio(self, compounding: bool) -> str:
        """Say why no ratio of progress can be formed, or nothing."""
        base, _, goal = self.numbers
        if reason := self.unknown():
            return reason
        if self.latest_year == self.base_year:
            return "fewer than two years"
        if compounding and min(self.numbers) < 0 < max(self.numbers):
            return "values on both sides of 0 cannot be compounded"
        if compounding:
            base, _, goal, _ = self.compoundable()
        if math.isclose(base, goal, rel_tol=1e-12):
            return "the target equals the base: no progress is required"
        return ""

    def compoundable(self) -> tuple[float, float, float, str]:
        """Give base, latest and target value with a base or target of 0 replaced, and a note if one was."""
        base, latest, goal = self.numbers
        replaced = [name for name, value in (("base", base), ("target", goal)) if value == 0]
        note = f"{' and '.join(replaced)} of 0 replaced by {ZERO_REPLACEMENT}" if replaced else ""
        # With the sign of the other values, so that all stay on one side of 0.
        zero = math.copysign(ZERO_REPLACEMENT, base or latest or goal)
        return base or zero, latest, goal or zero, note

    def share_done(self) -> tuple[float | None, str]:
        """Compute progress made / progress required, positive in the desired direction; or None and why."""
        base, latest, goal = self.numbers
        note = self.no_ratio(compounding=False)
        return (None if note else self.direction * (latest - base) / abs(goal - base)), note

    def extrapolate(self, levels: pd.Series | None = None) -> float:
        """Value at the deadline on a least-squares line through `levels`; at the deadline, the value itself.

        Years after the latest are left out; without `levels` the line goes through base and latest value.
        """
        base, latest, _ = self.numbers
        if self.is_outcome:
            return latest
        points = pd.Series({self.base_year: base, self.latest_year: latest})
        if levels is not None:
            points = levels[levels.index <= self.latest_year].dropna()
        if len(points) < 2:
            raise UserError(f"levels: found {len(points)} up to {self.latest_year}, expected two or more")
        years = points.index.to_numpy(dtype=float)
        centred = years - years.mean()
        slope = (centred * points.to_numpy(dtype=float)).sum() / (centred**2).sum()
        return float(points.mean() + slope * (self.target_year - years.mean()))


EUROSTAT_CLASSES = ((0.95, "on track"), (0.60, "moderate"), (0.0, "limited"), (-math.inf, "deterioration"))

EUROSTAT_SOURCE = "Open SDG progress methodology (Statistics Canada, after Eurostat)"

SCORE_LIMIT = 5.0

SCORE_ABOVE = (7.1429, -4.2857)
"""Slope and intercept of the score for R ≥ 0.60: 0 at 0.60, 5 at 1.30."""

SCORE_BELOW = (4.1667, -2.5)
"""Slope and intercept of the score for R < 0.60: 0 at 0.60, −5 at −0.60."""

UN_CLASSES = ((0.95, "met or on track"), (0.10, "fair progress"), (-math.inf, "stagnation or regression"))

UN_SCORES = {"met or on track": 3, "fair progress": 2, "stagnation or regression": 1}

UN_SOURCE = "UN SDG Progress Chart 2023, technical note (as given by Eustat)"

ESCAP_SOURCE = "ESCAP, Asia-Pacific SDG progress assessment, technical notes"

ESCAP_GAP_CLASSES = ((100.0, "reverse"), (10.0, "accelerate"), (-math.inf, "maintain"))
"""A gap *above* the number, in % of the progress required; as commonly stated, not verified."""

SDSN_CLASSES = (
    (1.0, "on track"),
    (0.5, "moderately improving"),
    (0.0, "stagnating"),
    (-math.inf, "decreasing"),
)
"""As commonly stated, not verified in a primary source."""

SDSN_SOURCE = "SDSN Sustainable Development Report, trend arrows (cut points not verified)"

NOT_ASSESSED = "not assessed"

MET = "target achieved"


@dataclass(frozen=True)
class Assessment:
    """What one standard says.

    Parameters
    ----------
    standard, source : which standard, and where it is written
    measure, value : name and value of its ratio, index or gap; None where it cannot be formed
    score : its score where it has one (Eurostat / Open SDG −5 to 5, UN 1 to 3)
    progress_class : its class in its own words, or "not assessed"
    on_track : whether the class says that the target will be met; None where it says neither
    note : why it was not assessed, and what was replaced
    """

    standard: str
    measure: str
    value: float | None
    score: float | None
    progress_class: str
    on_track: bool | None
    source: str
    note: str


def eurostat(target: TrackedTarget) -> Assessment:
    """Eurostat SDG monitoring / Open SDG: R = actual growth a year / growth a year required from the base."""
    ratio, note = None, target.no_ratio(compounding=True)
    if not note:
        base, latest, goal, note = target.compoundable()
        actual = growth.cagr(1, latest / base, target.latest_year - target.base_year)
        required = growth.cagr(1, goal / base, target.target_year - target.base_year)
        # With negative values, as in a deficit, growth is movement away from 0.
        ratio = target.direction * math.copysign(1, base) * actual / abs(required)
    label = _class(target, ratio, EUROSTAT_CLASSES, MET)
    score = SCORE_LIMIT if label == MET else None if ratio is None else eurostat_score(ratio)
    on_track = None if label == NOT_ASSESSED else label in (MET, "on track")
    return Assessment(
        "Eurostat / Open SDG", "R", ratio, score, label, on_track, EUROSTAT_SOURCE, _notes(target, note)
    )


def eurostat_score(ratio: float) -> float:
    """Score of R on −5 … 5: two lines that meet at R = 0.60, clipped (Open SDG, ProgressMeasure.py)."""
    slope, intercept = SCORE_ABOVE if ratio >= EUROSTAT_CLASSES[1][0] else SCORE_BELOW
    return max(-SCORE_LIMIT, min(SCORE_LIMIT, slope * ratio + intercept))


def un_progress_chart(target: TrackedTarget) -> Assessment:
    """UN SDG progress chart: share of the required progress that is reached at the deadline at actual growth.

    r = (latest × (1 + actual)^(years left) − base) / (target − base), positive in the desired direction.
    """
    ratio, note = None, target.no_ratio(compounding=True)
    if not note:
        base, latest, goal, note = target.compoundable()
        left, done = target.target_year - target.latest_year, target.latest_year - target.base_year
        # A base replaced by 0.001 can explode; the cap keeps the number finite and leaves the class as it is.
        expected = latest * math.exp(min(left / done * math.log(latest / base), 500)) if latest else 0.0
        ratio = target.direction * (expected - base) / abs(goal - base)
    label = _class(target, ratio, UN_CLASSES, "met or on track")
    on_track = None if label == NOT_ASSESSED else label == "met or on track"
    score = UN_SCORES.get(label)
    return Assessment(
        "UN SDG progress chart", "r", ratio, score, label, on_track, UN_SOURCE, _notes(target, note)
    )


def escap_current_status(target: TrackedTarget) -> Assessment:
    """ESCAP current status index: 10 × progress made / progress required (10: met, below 0: regression).

    The class tells only the sign: ESCAP publishes no cut points for the index, and it makes no forecast.
    """
    share, note = target.share_done()
    index = None if share is None else 10 * share
    label = _class(target, index, ((0.0, "progress"), (-math.inf, "regression")), MET)
    on_track = True if label == MET else None
    return Assessment(
        "ESCAP current status", "CSI", index, None, label, on_track, ESCAP_SOURCE, _notes(target, note)
    )


def escap_anticipated(target: TrackedTarget, levels: pd.Series | None = None) -> Assessment:
    """ESCAP / UNECE anticipated progress: gap to the target at the deadline, in % of the progress required.

    The value at the deadline is extrapolated by plain least squares over the years in `levels` up to the
    latest year; without `levels`, by the line through base and latest value. ESCAP weights recent years more,
    but its weights (Statistics Division working paper 4, 2017) could not be retrieved, and made-up weights
    would carry its name without its method.
    """
    gap, note = None, target.no_ratio(compounding=False)
    if not note:
        base, _, goal = target.numbers
        shortfall = target.direction * (goal - target.extrapolate(levels))
        gap = 100 * max(shortfall, 0.0) / abs(goal - base)
    if gap is not None:
        label = next(name for cut, name in ESCAP_GAP_CLASSES if gap > cut)
    else:
        label = "maintain" if target.met else NOT_ASSESSED
    on_track = None if label == NOT_ASSESSED else label == "maintain"
    standard, source = "ESCAP anticipated progress (unweighted)", ESCAP_SOURCE + " (cut points not verified)"
    return Assessment(standard, "gap, %", gap, None, label, on_track, source, _notes(target, note))


def sdsn(target: TrackedTarget) -> Assessment:
    """SDSN dashboard: linear change a year since the base / linear change a year required from the base."""
    share, note = target.share_done()
    elapsed = (target.latest_year - target.base_year) / (target.target_year - target.base_year)
    ratio = None if share is None else share / elapsed
    label = _class(target, ratio, SDSN_CLASSES, "on track")
    on_track = None if label == NOT_ASSESSED else label == "on track"
    return Assessment(
        "SDSN trend", "linear ratio", ratio, None, label, on_track, SDSN_SOURCE, _notes(target, note)
    )


def _class(
    target: TrackedTarget, value: float | None, classes: tuple[tuple[float, str], ...], met: str
) -> str:
    """Class of a value: the first whose lower limit it reaches; `met` for a target that is met."""
    if target.met:
        return met
    return NOT_ASSESSED if value is None else next(label for limit, label in classes if value >= limit)


def _notes(target: TrackedTarget, note: str) -> str:
    outcome = "value of the target year: an outcome, not a forecast" if target.is_outcome else ""
    return "; ".join(text for text in (target.note, note, outcome) if text)
