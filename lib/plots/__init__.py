"""Figures from tidy data, in one style; no statistics are computed here.

`style` holds what all figures share; `record` draws what was published, `forecast` a goal and its chances, a year
that is not over and what it would take, `scores` how goals and forecasts fared, `why` what moved trade. Each
function returns a figure that carries a sentence for those who cannot see it; `show` displays it.
"""

from lib.plots.forecast import (
    fan_by_release,
    goal_fan,
    hindcast,
    odds_by_goal,
    odds_by_release,
    odds_by_row,
    probability_path,
    probability_steps,
    share_by_month,
)
from lib.plots.record import coverage, disagreement, growth_table, levels_together, mirror
from lib.plots.scores import by_origin, calibration, met_by_group, shares, verdict_grid
from lib.plots.style import show, use_style

__all__ = ["by_origin", "calibration", "coverage", "disagreement", "fan_by_release", "goal_fan"]
__all__ += ["growth_table", "hindcast", "levels_together", "met_by_group", "mirror", "odds_by_goal"]
__all__ += ["odds_by_release", "odds_by_row", "probability_path", "probability_steps", "share_by_month"]
__all__ += ["shares", "show", "use_style", "verdict_grid"]
