"""A target as trackers see it: base, latest and target value, and what can be told from them.

Rules at the edges, the same for every standard in `lib.standards`:

- a missing value, one year only (latest = base year), or a latest value from after the deadline → no ratio;
- target equal to base → no ratio, since no progress is required to divide by;
- compounding: a base or target of 0 becomes 0.001 (as in Open SDG) with a note; values on both sides of 0
  give no ratio;
- a latest value at or beyond the target → met, even where there is no ratio.
"""

import math
from dataclasses import dataclass
from typing import Self

import pandas as pd

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
