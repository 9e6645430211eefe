"""What the record holds for a flow and the larger ones: coverage, status, conflicts, growth checks."""

from collections.abc import Iterable

import pandas as pd

from lib import figures as fig
from lib.cases import FlowCase
from lib.growth import yoy
from lib.series import GRADES, annual_series, candidates, exchange_rates
from lib.show import number, periods
from lib.words import rate

CONFLICT = 0.01
"""Two sources of a year disagree when they differ by more than this share of the level that is used."""

GROWTH_GAP = 0.02
"""Printed growth and growth between levels disagree when they differ by more than this, as a fraction."""


def candidates_of(family: Iterable[FlowCase], currency: str = "USD") -> pd.DataFrame:
    """Every level of every flow of a family (`lib.series.candidates`), with a column reporter (its label)."""
    family = list(family)
    rates = [exchange_rates(fig.load_covariates(), member.as_of_time) for member in family]
    frames = [
        candidates(member.vintage(), currency, fx).assign(reporter=member.label_beside(family[0]))
        for member, fx in zip(family, rates, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


def record_of(family: Iterable[FlowCase]) -> pd.DataFrame:
    """The figures of a family as known on its day; `reporter` is the label of the flow beside the first one."""
    family = list(family)
    frames = [member.vintage().assign(reporter=member.label_beside(family[0])) for member in family]
    return pd.concat(frames, ignore_index=True)


def coverage(record: pd.DataFrame) -> pd.DataFrame:
    """Number of figures by year (columns, without holes) and by reporter and kind of period (rows)."""
    year = record["period_end"].dt.year
    full = record.index.isin(fig.annual(record).index)
    kind = pd.Series(["full year" if whole else "part of a year" for whole in full], index=record.index)
    counts = pd.crosstab([record["reporter"], kind], year).reindex(record["reporter"].unique(), level=0)
    counts.index = [f"{reporter}, {what}" for reporter, what in counts.index]
    return counts.reindex(columns=range(year.min(), year.max() + 1), fill_value=0)


def by_status(record: pd.DataFrame) -> pd.DataFrame:
    """Number of figures by status and reporter, with what the status means and allows."""
    counts = pd.crosstab(record["status"], record["reporter"])
    use = [fig.STATUS[status] for status in counts.index]
    meaning = [item.meaning for item in use]
    allows = [
        " and ".join(n for n, ok in (("level", u.level), ("growth", u.growth)) if ok) or "neither"
        for u in use
    ]
    return (
        counts.assign(**{"may be used": allows, "meaning": meaning}).rename_axis(columns=None).reset_index()
    )


def disagreements(levels: pd.DataFrame) -> pd.DataFrame:
    """Candidates that differ from the chosen level of their year by more than `CONFLICT`.

    Returns
    -------
    The rows of `candidates_of` with `used_mn` (the chosen level) and `differs` (fraction of it).
    """
    chosen = levels[levels["chosen"]].set_index(["reporter", "year"])["value_mn"].rename("used_mn")
    joined = levels.join(chosen, on=["reporter", "year"])
    joined["differs"] = joined["value_mn"] / joined["used_mn"] - 1
    return joined[joined["differs"].abs() > CONFLICT]


def disagreement_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The disagreements, formatted."""
    return pd.DataFrame(
        {
            "reporter": rows["reporter"],
            "year": rows["year"],
            "used, USD mn": rows["used_mn"].map(number),
            "other source, USD mn": rows["value_mn"].map(number),
            "differs by": rows["differs"].map(rate),
            "how it is known": rows["grade"],
            "figure": rows["figure_id"],
            "status": rows["status"],
        }
    )


def growth_check(family: Iterable[FlowCase]) -> pd.DataFrame:
    """Printed growth against growth between the levels used, where they differ by more than `GROWTH_GAP`.

    Levels are compared within the currency of the figure; nothing is converted.
    """
    found = pd.concat([_printed_and_between(fig.annual(member.vintage())) for member in family])
    gap = found["yoy_pct"] / 100 - found["between"]
    found = found[gap.abs() > GROWTH_GAP]
    return pd.DataFrame(
        {
            "reporter": found["reporter"],
            "year": found["year"],
            "printed": (found["yoy_pct"] / 100).map(rate),
            "between the levels": found["between"].map(rate),
            "figure": found["figure_id"],
            "status": found["status"],
            "note": found["note"],
        }
    )


def _printed_and_between(rows: pd.DataFrame) -> pd.DataFrame:
    """Full-year figures of one flow that print growth, with the growth between levels of their currency."""
    between = pd.Series(float("nan"), index=rows.index)
    for currency, own in rows[rows["currency"] != ""].groupby("currency"):
        between[own.index] = own["year"].map(yoy(annual_series(own, str(currency))["value_mn"]))
    return rows.assign(between=between)[rows["yoy_pct"].notna()]


def chosen_levels(levels: pd.DataFrame) -> pd.DataFrame:
    """The level used for each year: formatted, with how it is known and the figure it rests on."""
    chosen = levels[levels["chosen"]].assign(grade=lambda f: pd.Categorical(f["grade"], GRADES))
    return pd.DataFrame(
        {
            "reporter": chosen["reporter"],
            "year": chosen["year"],
            "USD mn": chosen["value_mn"].map(number),
            "how it is known": chosen["grade"],
            "figure": chosen["figure_id"],
            "authority": chosen["authority"],
        }
    )


def in_words(case: FlowCase, record: pd.DataFrame, levels: pd.DataFrame) -> str:
    """How much the record holds for the flow itself and for the larger ones, in one paragraph."""
    own = record[record["reporter"] == case.reporter]
    years = levels.loc[levels["chosen"] & (levels["reporter"] == case.reporter), "year"].tolist()
    unusable = int((~own["level_usable"] & ~own["growth_usable"] & ~own["last_resort"]).sum())
    span = (
        f"{', '.join(periods(own.sort_values('period_start')))}" if len(own) <= 6 else f"{len(own)} periods"
    )
    more = record.groupby("reporter", sort=False).size().drop(case.reporter)
    others = "; ".join(f"{name}: {_count(count, 'figure')}" for name, count in more.items())
    better = "The larger flows are better known" if (more > len(own)).all() else "Of larger flows it holds"
    return (
        f"For **{case.flow_name}** the record holds **{_count(len(own), 'figure')}** ({span}); unfit for use "
        f"among them: {unusable}. They give a level for {_count(len(years), 'year')}: {_years(years)}."
        + (f" {better}: {others}." if others else "")
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _years(years: list[int]) -> str:
    """Years as ranges: [2012, 2013, 2023] → "2012–2013, 2023"."""
    if not years:
        return "none"
    runs: list[list[int]] = []
    for year in years:
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
