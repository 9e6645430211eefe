"""Break-even: which growth a year would have had a given chance, and how unusual the growth asked for is.

What notebook 09 says: scenarios, break-even goals, and how to state a goal that can be checked.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib import forecast, outlook
from lib.analysis import scenarios
from lib.analysis.scenarios import Scenario
from lib.cases import GoalCase, ScenarioCase
from lib.figures import load_goals_table
from lib.goals import READING_LABELS, READINGS, Goal, needed_rates
from lib.outlook import Expectation
from lib.reference import HORIZON, base_rate
from lib.results import Estimate
from lib.series import candidates
from lib.words import money, percent, rate
from lib.words import years as years_in_words

LOWEST, HIGHEST = -0.9, 4.0
"""Growth a year between which a break-even goal is looked for."""


def odds_of(rate: float, goal: Goal, levels: pd.Series, expected: Expectation, reading: str) -> float:
    """Probability of a reading of a goal with another rate; 0 where what is known has missed it already."""
    raw = forecast.chances(replace(goal, rate=rate), levels, expected.model).get(reading)
    return 0.0 if raw is None else expected.corrected(float(raw), reading, goal.deadline - expected.origin)


def rate_with(p: float, goal: Goal, levels: pd.Series, expected: Expectation, reading: str) -> float:
    """Growth a year, as the goal would state it, whose probability in a reading is `p`; NaN where there is none.

    Probabilities fall as the rate rises, so the root is unique (Brent 1973).
    """
    from scipy.optimize import brentq

    def excess(log_rate: float) -> float:
        return odds_of(float(np.expm1(log_rate)), goal, levels, expected, reading) - p

    low, high = np.log1p(LOWEST), np.log1p(HIGHEST)
    if excess(low) < 0 or excess(high) > 0:
        return float("nan")
    return float(np.expm1(brentq(excess, low, high, xtol=1e-7)))


def table(
    goal: Goal, levels: pd.Series, expected: Expectation, chances: tuple[float, ...] = (0.2, 0.5, 0.8)
) -> pd.DataFrame:
    """Growth a year with each of some chances, one row a reading, one column a chance."""
    rows = {r: [rate_with(p, goal, levels, expected, r) for p in chances] for r in READINGS}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(chances)).rename_axis("reading")


def curve(goal: Goal, levels: pd.Series, expected: Expectation, rates: np.ndarray) -> pd.DataFrame:
    """Probability of each reading (columns) of a goal with each of some rates (index)."""
    rows = {r: [odds_of(float(rate), goal, levels, expected, r) for rate in rates] for r in READINGS}
    return pd.DataFrame(rows, index=pd.Index(rates, name="rate"))


def required(case: GoalCase, goal: Goal, levels: pd.Series, expected: Expectation) -> pd.DataFrame:
    """Growth asked for at the base and still needed on the day, and the share of flows that ever grew so fast.

    Returns
    -------
    Frame, one row a standpoint: origin, years, needed (a year, on average), size_usd, share (of flows of that size
    that grew as fast, as known at the origin; NaN beyond ten years).
    """
    base_usd = outlook.usd_mn(case, goal.base_mn, goal.base_year) * 1e6
    rows = [(goal.base_year, goal.years, goal.rate, base_usd)]
    left = needed_rates(goal, levels).loc["average"]
    if expected.origin > goal.base_year and left["years_left"] > 0:
        rows.append((expected.origin, int(left["years_left"]), float(left["needed"]), expected.size_usd))
    frame = pd.DataFrame(rows, columns=["origin", "years", "needed", "size_usd"])
    frame["share"] = [
        float(base_rate(row.size_usd, row.origin, row.years, row.needed)) if row.years <= HORIZON else np.nan
        for row in frame.itertuples()
    ]
    return frame


def ever_grew(levels: pd.Series, years: int, rate: float) -> tuple[int, int]:
    """In how many spans of so many years a flow grew by a rate a year or more on average, and how many there were."""
    later = levels.reindex(levels.index + years).to_numpy()
    known = ~np.isnan(later)
    grew = later[known] >= levels.to_numpy()[known] * (1 + rate) ** years * (1 - 1e-9)
    return int(grew.sum()), int(known.sum())


def odds_by_scenario(
    listed: list[Scenario], goal: Goal, levels: pd.Series, expected: Expectation
) -> pd.DataFrame:
    """Probability of each reading (columns) under each scenario (rows)."""
    rows = {s.name: scenarios.chances(s, goal, levels, expected) for s in listed}
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=list(READINGS))


def drawn(odds: pd.DataFrame, reading: str) -> pd.Series:
    """Probabilities to be drawn: those of the stated reading, or *on average* where that one is decided."""
    stated = odds[reading].dropna()
    return stated if len(stated) else odds["average"]


def scenario_table(listed: list[Scenario], odds: pd.DataFrame) -> pd.DataFrame:
    """Each scenario: the shift at the deadline, its standard deviation, the probabilities; formatted."""
    shifts = [
        f"{s.total:+.2f}".replace("-", "−") + (f" ± {s.total_sd:.2f}" if s.total_sd else "") for s in listed
    ]
    shown = {READING_LABELS[r]: [percent(p) if pd.notna(p) else "–" for p in odds[r]] for r in READINGS}
    return pd.DataFrame(
        {"scenario": [s.name for s in listed], "shift of the log level at the deadline": shifts, **shown}
    )


def scenario_sources(listed: list[Scenario]) -> pd.DataFrame:
    """Where the numbers of each scenario come from."""
    return pd.DataFrame({"scenario": [s.name for s in listed], "from": [s.source for s in listed]})


def required_table(found: pd.DataFrame) -> pd.DataFrame:
    """Growth asked for, and how many flows of the size ever grew so fast; formatted."""
    return pd.DataFrame(
        {
            "seen from": found["origin"],
            "years left": found["years"],
            "growth needed a year": found["needed"].map(rate),
            "flows of the size that grew so fast": [
                percent(s) if pd.notna(s) else "–" for s in found["share"]
            ],
            "faster than this share of them": [
                percent(1 - s) if pd.notna(s) else "–" for s in found["share"]
            ],
        }
    )


def own_past(case: GoalCase, found: pd.DataFrame) -> pd.DataFrame:
    """In how many spans the flow and the larger ones themselves ever grew as fast as is still needed; formatted."""
    row = found.iloc[-1]
    members = [case, *case.lineage()]
    counts = [
        ever_grew(member.series()["value_mn"], int(row["years"]), float(row["needed"])) for member in members
    ]
    return pd.DataFrame(
        {
            "flow of": [member.reporter for member in members],
            f"spans of {years_in_words(int(row['years']))} on record": [spans for _, spans in counts],
            f"grew by {rate(row['needed'])} a year or more": [grew for grew, _ in counts],
        }
    )


def break_even_table(found: pd.DataFrame, goal: Goal) -> pd.DataFrame:
    """Growth a year with each chance; for the reading on average also the level that it means; formatted."""
    shown = {
        f"{percent(p)} chance": [_rate_and_level(r, float(found.loc[r, p]), goal) for r in found.index]
        for p in found.columns
    }
    return pd.DataFrame({"read": [READING_LABELS[r] for r in found.index], **shown})


def _rate_and_level(reading: str, growth: float, goal: Goal) -> str:
    if np.isnan(growth):
        return "–"
    if reading != "average":
        return f"{rate(growth)} a year"
    level = goal.base_mn * (1 + growth) ** goal.years
    return f"{rate(growth)} a year ({money(level, goal.currency)})"


def answer(
    case: ScenarioCase, goal: Goal, found: pd.DataFrame, odds: pd.DataFrame, listed: list[Scenario]
) -> str:
    """What it would have taken, as sentences: the break-even goal, and whether any scenario gave an even chance."""
    reading = case.reading
    even, safe = (float(found.loc[reading, p]) for p in (0.5, 0.8))
    core = odds[reading].iloc[0]
    if pd.isna(core):
        return (
            f"*As of {case.as_of:%-d %B %Y}.* Read {READING_LABELS[reading]}, the goal was decided already: no "
            "change ahead could have moved it. The other readings stand below."
        )
    foreseen = odds[reading][[not s.name.startswith("hindsight") for s in listed]].iloc[1:]
    best = str(foreseen.idxmax())
    short = "" if foreseen.max() >= 0.5 else ", still short of an even chance"
    return (
        f"*As of {case.as_of:%-d %B %Y}.* Read {READING_LABELS[reading]}, the goal of {case.goal_name} had a "
        f"probability of {percent(core)}. An even chance would have gone with **{_growth(even)}**, four chances in "
        f"five with **{_growth(safe)}**. The most favourable scenario here, {best}, would have brought the goal to "
        f"{percent(foreseen.max())}{short}."
    )


def _growth(value: float) -> str:
    return "no goal at all" if np.isnan(value) else f"{rate(value)} a year"


def break_even_in_words(found: pd.DataFrame, goal: Goal, origin: int) -> str:
    """What goal had an even and a good chance, seen from a year."""
    parts = [
        f"{READING_LABELS[r]} {_growth(float(found.loc[r, 0.5]))} and {_growth(float(found.loc[r, 0.8]))}"
        for r in found.index
    ]
    return (
        f"Seen from {origin}, an even chance and four chances in five went with: {'; '.join(parts)}. The goal "
        f"asked for {rate(goal.rate)}."
    )


def scenarios_in_words(odds: pd.DataFrame, reading: str) -> str:
    """Probability of the stated reading by scenario, as text."""
    return "; ".join(f"{name}: {percent(p)}" for name, p in odds[reading].items() if pd.notna(p)) + "."


def checklist(case: GoalCase, goal: Goal) -> pd.DataFrame:
    """What a goal needs to be checked, and what this one says, from the record of the day."""
    row = _announced(case)
    base = candidates(case.vintage(), case.currency, case.rates())
    base = base[base["year"] == goal.base_year]
    grade = case.series().loc[goal.base_year, "grade"]
    sources = f"{len(base)} {'figure' if len(base) == 1 else 'figures'}, {grade}"
    labels = {**READING_LABELS, "level": "a level to reach: on average"}
    stated = "not stated" if row is None else labels[row["reading"]]
    return pd.DataFrame(
        [
            ("reading", "on average, every year, or mean of yearly rates", stated),
            ("base", "a published level of a named year", f"{money(goal.base_mn, goal.currency)} in {goal.base_year}: {sources}"),
            ("deadline", "the last year that counts", str(goal.deadline) if row is None or pd.notna(row["deadline"]) else "none announced"),
            ("unit", "currency, nominal or deflated", _unit(row)),
            ("scope", "which firms, goods and border; total, exports or imports", f"{case.flow} trade; no scope on record"),
            ("source", "whose statistic will decide, and when it appears", "none on record"),
            ("outcome", "a figure of the deadline, from that source", _outcome(case, goal)),
        ],
        columns=["element", "what a goal that can be checked says", "what this one says"],
    )  # fmt: skip


def _announced(case: GoalCase) -> pd.Series | None:
    rows = load_goals_table()
    same = (
        (rows["reporter"] == case.reporter)
        & (rows["partner"] == case.partner)
        & (rows["measure"] == case.flow)
    )
    rows = rows[same & (rows["base_year"] == case.base_year)]
    return None if rows.empty else rows.iloc[0]


def _unit(row: pd.Series | None) -> str:
    if row is None or row["kind"] != "level":
        return "not stated: a rate in dollars and one in yuan differ"
    return f"{row['unit']}, nominal by custom"


def _outcome(case: GoalCase, goal: Goal) -> str:
    today = case.today()
    if goal.deadline in today.series().index:
        return "published"
    return "still to come" if goal.deadline >= today.as_of.year else "never found"


def checkable(case: GoalCase, goal: Goal, growth: float) -> str:
    """The goal restated so that it can be checked, at the growth that had an even chance."""
    level = goal.base_mn * (1 + growth) ** goal.years
    return (
        f"> In {goal.deadline} the {case.flow} trade of {case.reporter} with {case.partner}, in nominal "
        f"{goal.currency} at the annual average rate, as printed in the yearly release of [named customs office], "
        f"will be at least **{money(level, goal.currency)}**: {rate(growth)} a year on average from "
        f"{money(goal.base_mn, goal.currency)} in {goal.base_year}, same release. It is judged on the first release "
        f"for {goal.deadline}; a change of scope is to be announced with the base restated."
    )


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
