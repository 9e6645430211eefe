"""What the notebook about a running year says: sentences, tables, and what its figures are drawn from.

How wrong nowcasts of a year's total were, by months known: tables and sentences from the kept backtest.
"""

import numpy as np
import pandas as pd

from lib.analysis import months, nowcast, scores
from lib.analysis.nowcast import ERRORS_FILE, METHODS, MONTHS, YearEnd
from lib.cases import GoalCase
from lib.forecast import FAN
from lib.goals import READING_LABELS, READINGS, Goal
from lib.growth import unwind_ytd
from lib.reference import read_kept, size_class, size_label
from lib.results import Estimate
from lib.show import number
from lib.words import money, percent, rate

MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def months_in_words(first: int, last: int) -> str:
    """A stretch of months: "Jan", "Jan–Sep"."""
    names = MONTH_NAMES[first - 1], MONTH_NAMES[last - 1]
    return names[0] if first == last else "–".join(names)


def so_far_in_words(end: YearEnd, currency: str) -> str:
    """What is known of the running year: "Jan–Nov, USD 130 billion"."""
    if end.month == 0:
        return f"nothing of {end.year}"
    return f"{months_in_words(1, end.month)} {end.year}, {money(end.so_far_mn, currency)}"


def answer(case: GoalCase, goal: Goal, end: YearEnd, odds: pd.Series) -> str:
    """Where the year will end, and what that makes of the goal, as far as the case's day knew."""
    low, middle, high = (
        money(value, case.currency) for value in (end.quantiles()[FAN.index(p)] for p in (0.1, 0.5, 0.9))
    )
    known = so_far_in_words(end, case.currency)
    return (
        f"*As of {case.as_of:%-d %B %Y}*, with {known} known, **{end.year} should end at {middle}**; four outcomes in "
        f"five lie between {low} and {high}. {_goal_in_words(case, goal, end, odds)}"
    )


def _goal_in_words(case: GoalCase, goal: Goal, end: YearEnd, odds: pd.Series) -> str:
    if end.year > goal.deadline:
        return f"The goal ({case.goal_name} by {goal.deadline}) lies behind; this year no longer decides it."
    path = goal.path()[end.year]
    sentence = (
        f"The goal ({case.goal_name} {goal.base_year}–{goal.deadline}) has its path at {money(path, case.currency)} that "
        f"year; the year ends there or above with probability **{percent(end.p_at_least(path))}**"
    )
    chance = odds.get(case.reading)
    label = READING_LABELS[case.reading]
    if chance is None:
        return f"{sentence}. Read as {label}, the goal has no probability: it is decided, or needs years not known."
    return f"{sentence}. The goal itself, read as {label}, has **{percent(chance)}**."


def hindsight(case: GoalCase, end: YearEnd) -> str:
    """How the running year ended, as far as the record knows today."""
    levels = case.today().series()["value_mn"]
    if end.year not in levels.index:
        return f"The record holds no figure for the whole of {end.year}."
    came, fan = levels[end.year], dict(zip(FAN, end.quantiles(), strict=True))
    inside = next(
        (f"inside the {name} interval" for low, high, name in _INTERVALS if fan[low] <= came <= fan[high]), ""
    )
    error = rate(came / fan[0.5] - 1)
    return (
        f"With hindsight: the year ended at {money(came, case.currency)}, {error} from the middle of the nowcast and "
        f"{inside or 'outside even the 95 % interval'}."
    )


_INTERVALS = ((0.25, 0.75, "50 %"), (0.1, 0.9, "80 %"), (0.025, 0.975, "95 %"))


def months_table(end: YearEnd, currency: str) -> pd.DataFrame:
    """The running year unwound: stretches between releases, with what is wrong with any."""
    rows = end.stretches[end.stretches["year"] == end.year]
    found = unwind_ytd(
        months.year_to_date(rows).get(end.year, pd.Series(dtype=float, index=pd.Index([], dtype=int)))
    )
    names = [
        months_in_words(first, last)
        for first, last in zip(found["first_month"], found["last_month"], strict=True)
    ]
    a_month = found["value"] / (found["last_month"] - found["first_month"] + 1)
    return pd.DataFrame(
        {
            "months": names,
            f"{currency} mn": found["value"].map(number),
            "a month": a_month.map(number),
            "fault": found["fault"],
        }
    )


def missing_in_words(end: YearEnd) -> str:
    """Which months up to the last known one no figure tells apart, and what is not known at all."""
    if end.month == 0:
        return f"No month of {end.year} is known."
    left = f"{months_in_words(end.month + 1, 12)} {end.year} {'was' if end.month == 11 else 'were'} not known"
    return f"Stretches that were published together stay together, and nothing is interpolated. {left}."


def seasonal_band(end: YearEnd) -> pd.DataFrame:
    """Share of a year done by each month: quantiles 10, 50 and 90 %, from the flow's own years and the class."""
    rows = {}
    for month in nowcast.MONTHS:
        prior = nowcast.prior_for(end.expected.size_usd, end.expected.origin, month)
        fitted = nowcast.model(end.own[month].dropna().to_numpy(), prior)
        rows[month] = nowcast.share_done(fitted, [0.1, 0.5, 0.9])
    return pd.DataFrame.from_dict(rows, orient="index", columns=[0.1, 0.5, 0.9])


def own_shares(end: YearEnd) -> pd.DataFrame:
    """Share of a year done by each month in the flow's own earlier years, years × months; NaN where unknown."""
    return np.exp(-end.own)


def seasonal_in_words(end: YearEnd, band: pd.DataFrame) -> str:
    """How much of a year is done by the month that is known (by June, where none is)."""
    month = end.month or 6
    low, middle, high = band.loc[month]
    years = int(end.own[month].notna().sum())
    record = (
        f"{years} earlier year{'s' * (years != 1)} of the flow" if years else "no earlier year of the flow"
    )
    return (
        f"By the end of {MONTH_NAMES[month - 1]}, {middle * 100:.1f} % of a year's trade is usually done, in four years of "
        f"five between {low * 100:.1f} and {high * 100:.1f} %. {record.capitalize()} could be used for that month; what "
        "they do not say comes from other flows of its size. A value far outside what those show, such as that of a misdated release, "
        "counts only in part."
    )


def parts_table(end: YearEnd, currency: str) -> pd.DataFrame:
    """The nowcast beside the two forecasts it combines: median, 80 % interval, weight."""
    laws = {"yearly forecast, from the years before": (end.annual, float(np.mean(end.total.weight_annual)))}
    if end.part is not None:
        weight = 1 - float(np.mean(end.total.weight_annual))
        laws = {
            "year so far × what the rest of a year adds": (end.part, weight),
            **laws,
            "both combined": (end.total, 1),
        }
    rows = []
    for name, (law, weight) in laws.items():
        low, middle, high = (number(float(value)) for value in law.quantiles([0.1, 0.5, 0.9]))
        interval = f"{low} to {high}"
        rows.append(
            {
                "forecast": name,
                f"median, {currency} mn": middle,
                "80 % interval": interval,
                "weight": f"{weight:.2f}",
            }
        )
    return pd.DataFrame(rows)


def running(rows: pd.DataFrame, end: YearEnd) -> pd.DataFrame:
    """Rows of `lib.analysis.nowcast.by_release` of the running year, each labelled with its months and day."""
    found = rows[rows["year"] == end.year] if len(rows) else rows
    labels = [
        ("nothing yet" if month == 0 else months_in_words(1, month)) + f"\n{day:%-d %b %Y}"
        for day, month in zip(found.get("day", []), found.get("month", []), strict=True)
    ]
    return found.assign(label=labels)


def marks(case: GoalCase, goal: Goal, end: YearEnd) -> dict[str, float]:
    """Levels to hold a nowcast against: the goal's path in that year, and what came, where they are known."""
    path = {f"goal path in {end.year}": goal.path()[end.year]} if end.year in goal.path().index else {}
    came = case.today().series()["value_mn"].get(end.year)
    return path | ({} if came is None else {"what came": float(came)})


def release_table(rows: pd.DataFrame, currency: str) -> pd.DataFrame:
    """The nowcast and the probabilities by release, formatted."""
    shown = pd.DataFrame(
        {
            "known from": [f"{day:%-d %b %Y}" for day in rows["day"]],
            "running year": rows["year"],
            "known of it": ["nothing" if m == 0 else months_in_words(1, m) for m in rows["month"]],
            f"so far, {currency} mn": [
                number(v) if m else "" for v, m in zip(rows["so_far_mn"], rows["month"], strict=True)
            ],
            "will end at": rows[0.5].map(number),
            "80 % interval": [
                f"{number(a)} to {number(b)}" for a, b in zip(rows[0.1], rows[0.9], strict=True)
            ],
            "on the goal's path": rows["path"].map(_maybe),
        }
    )
    return shown.assign(**{READING_LABELS[name]: rows[name].map(_maybe) for name in READINGS})


def readings_with_odds(rows: pd.DataFrame) -> dict[str, str]:
    """The readings that have a probability on any day, with their names for a reader."""
    return {name: READING_LABELS[name] for name in READINGS if rows[name].notna().any()}


def _maybe(p: float) -> str:
    return "" if np.isnan(p) else percent(p)


def moved_in_words(rows: pd.DataFrame, case: GoalCase) -> str:
    """The largest move of the stated reading's probability from one release to the next."""
    known = rows.dropna(subset=case.reading) if len(rows) else rows
    if len(known) < 2:
        return "There are not two releases to compare."
    steps = known[case.reading].diff().abs()
    at = int(np.nanargmax(steps.to_numpy()))
    before, after = known.iloc[at - 1], known.iloc[at]
    what = (
        f"the full year {after['year'] - 1}"
        if after["month"] == 0
        else f"{months_in_words(1, after['month'])} {after['year']}"
    )
    return (
        f"From {known['day'].iloc[0]:%B %Y} to {known['day'].iloc[-1]:%B %Y} the probability of the goal, read as "
        f"{READING_LABELS[case.reading]}, went from {percent(known[case.reading].iloc[0])} to "
        f"{percent(known[case.reading].iloc[-1])}. The release that moved it most was {what} "
        f"({after['day']:%-d %B %Y}): from {percent(before[case.reading])} to {percent(after[case.reading])}."
    )


def revisions_in_words(end: YearEnd) -> str:
    """How much releases were revised later, as far as the day knew."""
    found = months.revisions(end.stretches)
    if found.empty:
        return "No release of this flow can be compared with a later one."
    size, raised = found["change"].abs(), int((found["change"] > 0).sum())
    many = f"{len(found)} releases" if len(found) > 1 else "One release"
    return (
        f"{many} can be compared with the base that the next year's growth rate implies: the revision was "
        f"{size.median() * 100:.2f} % in the median and {size.max() * 100:.2f} % at most, upwards in {raised} of "
        f"{len(found)}."
    )


def sources_of(case: GoalCase, end: YearEnd) -> pd.DataFrame:
    """Figures on which the nowcast rests: parts of the running year, and the last full year."""
    rows = case.vintage()
    parts = rows["figure_id"].isin(end.stretches.loc[end.stretches["year"] == end.year, "figure_id"])
    full = rows["figure_id"].isin(case.series().loc[[end.expected.origin], "figure_id"])
    return rows[parts | full]


def estimates(goal: Goal, end: YearEnd, currency: str) -> list[Estimate]:
    """The nowcast as rows for the result: quantiles of the total, and the probability of the goal's path."""
    rows = [
        Estimate(
            target="level",
            period=end.year,
            output_type="quantile",
            output_type_id=p,
            value=float(value),
            unit=f"{currency} mn",
        )
        for p, value in zip(FAN, end.quantiles(), strict=True)
    ]
    if end.year in goal.path().index:
        p = end.p_at_least(goal.path()[end.year])
        about = {"target": "year on the goal's path", "period": end.year, "output_type_id": None, "unit": ""}
        rows.append(Estimate(output_type="probability", value=p, **about))
    return rows


PANEL_LINE = (
    "UK trade by country (ONS, seasonally adjusted), outcomes 2002–2025, and fifteen countries' trade (IMF DOTS), "
    "2016–2020; flows of 100 mn USD a year and more; computed here."
)


def error_table() -> pd.DataFrame:
    """Mean absolute error by months known and method, and coverage, over both panels; per cent of the total."""
    kept = read_kept(ERRORS_FILE)
    mae = _mean_over(kept, "mae").unstack("method")[list(METHODS)] * 100
    cover = _mean_over(kept[kept["method"] == "combined"], "cover80").droplevel("method") * 100
    shown = mae.map(lambda value: f"{value:.1f}").rename(columns=METHODS)
    shown["outcomes inside the 80 % interval, %"] = cover.map(lambda value: f"{value:.0f}")
    return shown.rename_axis(index="months known", columns=None).reset_index()


def _mean_over(kept: pd.DataFrame, column: str) -> pd.Series:
    """Mean over years and panels by month and method: each forecast counts once."""
    weighted = kept.assign(total=kept[column] * kept["n"]).groupby(["month", "method"])[["total", "n"]].sum()
    return weighted["total"] / weighted["n"]


def skill_by_month(rival: str = "last_share") -> pd.DataFrame:
    """Absolute error saved against a rival by month with 90 % intervals; whole years are resampled.

    Returns
    -------
    Frame indexed by month: estimate, low, high (fractions; 0 is no better, 1 perfect).
    """
    kept = read_kept(ERRORS_FILE)
    rows = {}
    for month, part in kept.groupby("month"):
        sums = part.assign(total=part["mae"] * part["n"]).pivot_table(
            index="year", columns="method", values="total", aggfunc="sum"
        )
        years = sums.index.to_numpy()
        rows[month] = scores.skill_interval(sums["combined"], sums[rival], years, level=0.9)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high"]).rename_axis(
        "month"
    )


def skill_table() -> pd.DataFrame:
    """Error that the nowcast saves against three rivals by months known, with intervals, formatted."""
    shown = {}
    for rival in ("last_share", "mean_share", "annual"):
        found = skill_by_month(rival) * 100
        shown[f"less error than: {METHODS[rival]}"] = [
            f"{row.estimate:.0f} % ({row.low:.0f} to {row.high:.0f})".replace("-", "−")
            for row in found.itertuples()
        ]
    return pd.DataFrame({"months known": list(MONTHS), **shown})


def errors_in_words() -> str:
    """What the measured errors come to, in a sentence."""
    mae = _mean_over(read_kept(ERRORS_FILE), "mae").unstack("method") * 100
    own, growth = (
        ", ".join(f"{mae.loc[month, name]:.1f}" for month in (3, 6, 9)) for name in ("combined", "last_share")
    )
    saved = skill_by_month().loc[[3, 6, 9]] * 100
    return (
        f"With three, six and nine months known the nowcast errs by {own} % of the total on average; continuing the "
        f"growth of the year so far errs by {growth} %. The nowcast saves {saved['estimate'].iloc[0]:.0f}, "
        f"{saved['estimate'].iloc[1]:.0f} and {saved['estimate'].iloc[2]:.0f} % of that error."
    )


def coverage_in_words() -> str:
    """How many outcomes the 80 % intervals held, by panel, and in the worst year of each."""
    kept = read_kept(ERRORS_FILE)
    kept = kept[kept["method"] == "combined"]
    said = []
    for name, rows in kept.groupby("panel", sort=True):
        years = rows.assign(held=rows["cover80"] * rows["n"]).groupby("year")[["held", "n"]].sum()
        share, by_year = years["held"].sum() / years["n"].sum(), years["held"] / years["n"]
        said.append(
            f"{name} {share * 100:.0f} % over {len(years)} years ({by_year.min() * 100:.0f} % in {by_year.idxmin()})"
        )
    return f"Of a hundred 80 % intervals eighty should hold the outcome. They held: {'; '.join(said)}."


def size_in_words(size_usd: float, month: int) -> str:
    """Mean error of nowcasts of flows of a size, or of the nearest class kept, with a number of months known."""
    kept = read_kept("nowcast_errors_by_size.csv")
    rows = kept[(kept["method"] == "combined") & (kept["month"] == max(month, 1))]
    nearest = (rows["size_class"] - int(size_class(size_usd))).abs()
    rows = rows[nearest == nearest.min()]
    mae, cover = ((rows[name] * rows["n"]).sum() / rows["n"].sum() for name in ("mae", "cover80"))
    return (
        f"For flows of {size_label(int(rows['size_class'].iloc[0]))} with {max(month, 1)} month{'s' * (month > 1)} known the mean error was "
        f"{mae * 100:.1f} % of the total, and {cover * 100:.0f} % of outcomes lay inside the 80 % interval "
        f"({rows['n'].sum():.0f} nowcasts)."
    )
