"""Rules that catch the usual slips of published trade figures: units, decimals, currencies, dates, sums.

A rule sees numbers alone, never the status that somebody gave a row, and says which row it doubts, what would be
expected, and which rows speak against it. A flag is a question for a reader, not a verdict: nothing is changed.
The rules and the reasons for their thresholds stand in `lib.quality.levels` and `lib.quality.sums`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from lib.quality import levels, sums
from lib.quality.pairs import prepare

COLUMNS = ["rule", "figure_id", "found", "expected", "against"]


UNDOUBTED = ("ok", "preliminary", "rounded", "secondary", "relabelled", "date_trap")
"""Statuses that leave level and growth usable: a flag on such a row is a question that nobody has answered yet."""


class Rule(NamedTuple):
    """What a rule says of the rows that it flags, and how it finds them."""

    meaning: str
    find: Callable[[pd.DataFrame, Mapping[str, str]], pd.DataFrame]


RULES: dict[str, Rule] = {
    "other_currency": Rule("yuan and dollars exchanged", levels.other_currency),
    "power_of_ten": Rule("a misplaced decimal, or a unit taken for another", levels.power_of_ten),
    "jump": Rule("far off the pace of the periods around", levels.jump),
    "conflict": Rule("other prints of the period differ by more than rounding", levels.conflict),
    "year_below_part": Rule("below a part of its own period", levels.year_below_part),
    "part_above_whole": Rule("above the larger reporter that contains it", levels.part_above_whole),
    "mirror_gap": Rule("far from the partner's own figure", levels.mirror_gap),
    "duplicate": Rule("the same row twice", levels.duplicate),
    "same_number": Rule("level and growth of another period or reporter", levels.same_number),
    "growth_against_levels": Rule("printed growth and printed levels disagree", sums.growth_against_levels),
    "parts_against_total": Rule("exports and imports do not add up to the total", sums.parts_against_total),
    "growth_of_parts": Rule("growth of the parts contradicts that of the total", sums.growth_of_parts),
}


def find_flags(
    figures: pd.DataFrame, rates: pd.Series, parents: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Every flag of every rule.

    Parameters
    ----------
    figures : figures of any flows, as `lib.figures.load_figures` gives them; goals are left out.
    rates : annual average yuan per US dollar by year; a year without one takes that of the nearest.
    parents : the larger reporter that contains each reporter, where there is one.

    Returns
    -------
    DataFrame with a row for each doubted figure and rule: rule (a name of `RULES`), figure_id, found, expected
    (text) and against (figure_ids that speak against it), in the order of the rules.
    """
    rows = prepare(figures, rates)
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS, dtype="str")
    rows = rows.join(levels.expectations(rows))
    found = [rule.find(rows, parents or {}).assign(rule=name)[COLUMNS] for name, rule in RULES.items()]
    return pd.concat(found, ignore_index=True).drop_duplicates(["rule", "figure_id"], ignore_index=True)
