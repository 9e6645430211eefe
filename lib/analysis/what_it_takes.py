"""Break-even: which growth a year would have had a given chance, and how unusual the growth asked for is."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib import law as laws
from lib.cases import GoalCase, ScenarioCase
from lib.figures import load_goals_table
from lib.goals import READINGS, Goal
from lib.law import Law
from lib.outlook import Answer
from lib.reference import HORIZON, known_share
from lib.results import Estimate
from lib.series import candidates

LOWEST, HIGHEST = -0.9, 4.0
"""Growth a year between which a break-even goal is looked for."""


def rate_with(p: float, law: Law, goal: Goal, levels: pd.Series, reading: str) -> float:
    """Growth a year, as the goal would state it, whose probability in a reading is `p`; NaN where there is none.

    On average it is that of a quantile; for the other readings probabilities fall as the rate rises, so that the
    root is unique (Brent 1973).
    """
    from scipy.optimize import brentq

    if reading == "average":
        level = float(laws.quantiles(law, goal.deadline, [1 - p])[0])
        return (level / goal.base_mn) ** (1 / goal.years) - 1

    def excess(log_rate: float) -> float:
        other = replace(goal, rate=float(np.expm1(log_rate)))
        return float(laws.chances(law, other, levels)[reading]) - p

    low, high = np.log1p(LOWEST), np.log1p(HIGHEST)
    if reading == "every_year":  # never likelier than on average
        high = np.log1p(rate_with(p, law, goal, levels, "average")) + 1e-6
    if excess(low) < 0 or excess(high) > 0:
        return float("nan")
    return float(np.expm1(brentq(excess, low, high, xtol=1e-5)))


def table(
    law: Law, goal: Goal, levels: pd.Series, chances: Sequence[float] = (0.2, 0.5, 0.8)
) -> pd.DataFrame:
    """Growth a year with each of some chances, one row a reading, one column a chance."""
    rows = {r: [rate_with(p, law, goal, levels, r) for p in chances] for r in READINGS}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(chances)).rename_axis("reading")


def curve(law: Law, goal: Goal, levels: pd.Series, rates: np.ndarray) -> pd.DataFrame:
    """Probability of each reading (columns) of a goal with each of some rates (index)."""
    rows = [laws.chances(law, replace(goal, rate=float(rate)), levels) for rate in rates]
    return pd.DataFrame(rows, index=pd.Index(rates, name="rate")).reindex(columns=list(READINGS))


def required(case: GoalCase, answer: Answer) -> pd.DataFrame:
    """Growth asked for at the base and still needed on the day, and the share of flows that ever grew so fast.

    Returns
    -------
    Frame, one row a standpoint: origin, years, needed (a year, on average), size_usd, share (of flows of that size
    that grew as fast, as the day knew it; NaN beyond ten years).
    """
    goal, left = answer.goal, answer.needed.loc["average"]
    rows = [(goal.base_year, goal.years, goal.rate, goal.base_mn)]
    if answer.last > goal.base_year and left["years_left"] > 0:
        last = float(answer.levels[answer.last])
        rows.append((answer.last, int(left["years_left"]), float(left["needed"]), last))
    frame = pd.DataFrame(rows, columns=["origin", "years", "needed", "size_usd"])
    frame["size_usd"] = [case.usd_mn(row.size_usd, row.origin) * 1e6 for row in frame.itertuples()]
    frame["share"] = [
        float(known_share(row.size_usd, case.as_of, row.years, row.needed))
        if row.years <= HORIZON
        else np.nan
        for row in frame.itertuples()
    ]
    return frame


def own_past(case: GoalCase, found: pd.DataFrame) -> pd.DataFrame:
    """In how many spans the flow and the larger ones ever grew as fast as is still needed: reporter, spans, grew."""
    years, rate = int(found["years"].iloc[-1]), float(found["needed"].iloc[-1])
    members = [case, *case.lineage()]
    counts = [(member.reporter, *ever_grew(member.series()["value_mn"], years, rate)) for member in members]
    return pd.DataFrame(counts, columns=["reporter", "grew", "spans"])


def ever_grew(levels: pd.Series, years: int, rate: float) -> tuple[int, int]:
    """In how many spans of so many years a flow grew by a rate a year or more on average, and how many there were."""
    later = levels.reindex(levels.index + years).to_numpy()
    known = ~np.isnan(later)
    grew = later[known] >= levels.to_numpy()[known] * (1 + rate) ** years * (1 - 1e-9)
    return int(grew.sum()), int(known.sum())


def stated(case: GoalCase, goal: Goal) -> dict[str, object]:
    """What the record says of a goal as it was stated.

    Returns
    -------
    reading (as announced, "level" for a level to reach, "none" where nobody announced the goal), unit (of an announced
    level, or empty), deadline (whether one was announced), figures (of the base), grade (of its level), outcome
    ("published", "open" or "never": no figure of the deadline though its year is over).
    """
    row, today = _announced(case), case.today()
    base = candidates(case.vintage(), case.currency, case.rates())
    published = goal.deadline in today.series().index
    late = "open" if goal.deadline >= today.as_of.year else "never"
    return {
        "reading": "none" if row is None else str(row["reading"]),
        "unit": str(row["unit"]) if row is not None and row["kind"] == "level" else "",
        "deadline": row is None or bool(pd.notna(row["deadline"])),
        "figures": int((base["year"] == goal.base_year).sum()),
        "grade": case.series().loc[goal.base_year, "grade"],
        "outcome": "published" if published else late,
    }


def _announced(case: GoalCase) -> pd.Series | None:
    rows = load_goals_table()
    keys = ["reporter", "partner", "measure", "base_year"]
    rows = rows[(rows[keys] == [case.reporter, case.partner, case.flow, case.base_year]).all(axis=1)]
    return None if rows.empty else rows.iloc[0]


def estimates(found: pd.DataFrame, case: ScenarioCase, goal: Goal) -> list[Estimate]:
    """Break-even growth by chance for the stated reading as rows for the result."""
    return [
        Estimate(
            target="break-even growth",
            period=goal.deadline,
            output_type="quantile",
            output_type_id=1 - float(p),
            value=float(value),
            unit="fraction a year",
        )
        for p, value in found.loc[case.reading].items()
        if pd.notna(value)
    ]
