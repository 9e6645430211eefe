"""What the record holds for a flow and the larger ones: coverage, status, conflicts, growth checks."""

from collections.abc import Iterable

import pandas as pd

from lib import figures as fig
from lib.cases import FlowCase
from lib.growth import yoy
from lib.series import annual_series, candidates, exchange_rates

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


def counts(record: pd.DataFrame) -> pd.DataFrame:
    """Number of figures of each flow in the record, in its order: name, figures."""
    sizes = record.groupby("reporter", sort=False).size().rename("figures")
    return sizes.rename_axis("name").reset_index()


def is_unfit(record: pd.DataFrame) -> pd.Series:
    """Whether neither level nor growth of a figure may be used."""
    return ~record[["level_usable", "growth_usable", "last_resort"]].any(axis=1)


def coverage(record: pd.DataFrame) -> pd.DataFrame:
    """Number of figures by year (columns, without holes) and by reporter and kind of period (rows)."""
    year = record["period_end"].dt.year
    full = record.index.isin(fig.annual(record).index)
    kind = pd.Series(["full year" if whole else "part of a year" for whole in full], index=record.index)
    counts = pd.crosstab([record["reporter"], kind], year).reindex(record["reporter"].unique(), level=0)
    counts.index = [f"{reporter}, {what}" for reporter, what in counts.index]
    return counts.reindex(columns=range(year.min(), year.max() + 1), fill_value=0)


def by_status(record: pd.DataFrame) -> pd.DataFrame:
    """Number of figures by status (rows) and reporter (columns), with what the status allows and means."""
    counts = pd.crosstab(record["status"], record["reporter"])
    use = [fig.STATUS[status] for status in counts.index]
    allows = [
        " and ".join(n for n, ok in (("level", u.level), ("growth", u.growth)) if ok) or "neither"
        for u in use
    ]
    return counts.assign(allows=allows, meaning=[item.meaning for item in use]).rename_axis(columns=None)


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


def growth_check(family: Iterable[FlowCase]) -> pd.DataFrame:
    """Printed growth against growth between the levels used, where they differ by more than `GROWTH_GAP`.

    Levels are compared within the currency of the figure; nothing is converted.

    Returns
    -------
    Rows of figures with printed and between (both fractions).
    """
    found = pd.concat([_printed_and_between(fig.annual(member.vintage())) for member in family])
    found = found.assign(printed=found["yoy_pct"] / 100)
    return found[(found["printed"] - found["between"]).abs() > GROWTH_GAP]


def _printed_and_between(rows: pd.DataFrame) -> pd.DataFrame:
    """Full-year figures of one flow that print growth, with the growth between levels of their currency."""
    between = pd.Series(float("nan"), index=rows.index)
    for currency, own in rows[rows["currency"] != ""].groupby("currency"):
        between[own.index] = own["year"].map(yoy(annual_series(own, str(currency))["value_mn"]))
    return rows.assign(between=between)[rows["yoy_pct"].notna()]
