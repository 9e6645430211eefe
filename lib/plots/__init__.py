"""Figures from tidy data, in one style; no statistics are computed here.

`style` holds what all figures share; `record` draws what was published, what moved trade and what policies did,
`forecast` a goal and its chances, a year that is not over, what it would take, and how goals and forecasts fared. Each
function returns a figure; `show` displays it with the words that stand for it where it cannot be seen.
"""

from lib.plots.forecast import (
    by_origin,
    calibration,
    fan_by_release,
    goal_fan,
    met_by_group,
    odds_by_release,
    odds_by_row,
    probability_steps,
)
from lib.plots.record import (
    coverage,
    growth_table,
    levels_together,
    stacked,
    timeline,
)
from lib.plots.style import show, use_style
