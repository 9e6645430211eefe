"""Published figures: what each is good for, and what was known on a given day."""

from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lib import tables
from lib.errors import Fault, UserError, nearest, quote, unclear
from lib.package import read_package

# The day on which the record was read: a figure without any date counts as known only from then.
UNDATED_KNOWN_FROM = date(2026, 11, 24)
FLOWS = ("total", "export", "import")
FLOW_NAMES = {"total": "total trade", "export": "exports", "import": "imports"}
"""Flows as a title says them."""
AUTHORITIES = {
    "customs": "customs of either country, also where a text quotes them",
    "statistics": "a statistical bureau, communiqué or gazetteer",
    "government": "a ministry, department, governor, ambassador or city",
    "press": "a news or academic text that names no source",
    "unstated": "the text is known not to say whose statistics it uses",
}
"""Who stands behind a figure, the preferred one of two that contradict one another first."""
STATUS = pd.read_csv(Path(__file__).with_name("statuses.csv"), index_col="status")
"""What a status means, and what may be taken from a figure that has it: its level, its growth, its level as the last
resort (it may fill a gap that nothing better fills, and must be shown as such)."""


def load_figures(path: str | Path | None = None) -> pd.DataFrame:
    """Read the published trade figures.

    Parameters
    ----------
    path : another file of the same columns; by default `data/figures.csv`.

    Returns
    -------
    One row per published number: the columns of the file (`data/README.md`) with period_start,
    period_end and known_by as datetime64, value (see `unit`) and yoy_pct (per cent) as float64, all
    else as text, blank where the file is blank; and the derived columns of `derive`.

    Raises
    ------
    UserError
        Listing the faults of all rows, each with file, line, column, found and expected.
    """
    return tables.read_table("figures", path, [check_figure], derive)


def load_investments(path: str | Path | None = None) -> pd.DataFrame:
    """Read the investment figures, as `load_figures`; `measure` stands in place of flow."""
    return tables.read_table("investments", path, [check_figure], derive)


def load_goals_table() -> pd.DataFrame:
    """Read the goals that the figures can test; rate_pct in per cent a year, level in `unit`."""
    return tables.read_table("goals", rules=[_check_goal])


load_targets = partial(tables.read_table, "targets")
"""Read the register of announced trade targets."""
load_events = partial(tables.read_table, "events")
"""Read the policy events; `date` is a day, a month or a year, as text."""
load_reporters = partial(tables.read_table, "reporters")
"""Read the reporters and partners with their codes and parents."""
load_covariates = partial(tables.read_table, "covariates")
"""Read the annual covariates in long form: year, variable, value, unit, source_url."""


def parents() -> dict[str, str]:
    """The larger reporter that contains each, by name; those without one are left out."""
    table = load_reporters()
    return {name: parent for name, parent in zip(table["name"], table["parent"], strict=True) if parent}


def covariate(variable: str) -> pd.Series:
    """Return one annual covariate by year, such as "cny_per_usd": yuan per dollar, average of the year."""
    rows = load_covariates()
    if variable not in (known := rows["variable"].unique()):
        raise UserError(f"covariate: found {quote(variable)}, expected {nearest(variable, known)}")
    rows = rows[rows["variable"] == variable].astype({"year": "int64"})
    return rows.set_index("year")["value"].rename(variable)


def derive(rows: pd.DataFrame) -> pd.DataFrame:
    """Add what follows from the published columns.

    Returns
    -------
    The rows in file order under a plain index, with `line` (of the file), `known_from` (the first day
    on which the figure counts as known, never earlier than it was: the last day that `published` can mean, without
    it `known_by`, and without that `UNDATED_KNOWN_FROM`), `currency` (of ISO 4217, or blank), `value_mn` (millions
    of that currency), `level_usable`, `growth_usable` and `last_resort` (bool, from `STATUS`, and only
    where there is a level or a growth rate).
    """
    rows = rows.reset_index()
    money = rows["unit"].str.extract(r"^([A-Z]{3}) (mn|bn)$")
    known = last_days(rows["published"]).fillna(rows["known_by"]).fillna(pd.Timestamp(UNDATED_KNOWN_FROM))
    use = STATUS.loc[rows["status"]].set_axis(rows.index)
    has_value = rows["value"].notna()
    return rows.assign(
        known_from=known.astype("datetime64[us]"),
        currency=money[0].fillna(""),
        # Rounded, because 4.07 × 1000 is not 4070 in binary and would be shown so.
        value_mn=(rows["value"] * money[1].map({"mn": 1, "bn": 1000}).astype("float64")).round(6),
        level_usable=use["level"] & has_value,
        growth_usable=use["growth"] & rows["yoy_pct"].notna(),
        last_resort=use["last_resort"] & has_value,
    )


def last_days(dates: pd.Series) -> pd.Series:
    """Return the last day that a day, a month or a year can mean; NaT where blank."""
    size = dates.str.len()
    months = pd.to_datetime(dates.where(size == 7), format="%Y-%m", errors="coerce") + pd.offsets.MonthEnd(0)
    years = pd.to_datetime((dates + "-12-31").where(size == 4), format="%Y-%m-%d", errors="coerce")
    days = pd.to_datetime(dates.where(size == 10), format="%Y-%m-%d", errors="coerce")
    return days.fillna(months).fillna(years)


def as_of(figures: pd.DataFrame, day: str | date | pd.Timestamp) -> pd.DataFrame:
    """Return the figures that were published on or before a day.

    The status of a figure is today's judgement at every day: what was found out later about a number
    is not forgotten, but no later number enters.
    """
    return figures[figures["known_from"] <= read_day(day)]


def read_day(day: str | date | pd.Timestamp) -> pd.Timestamp:
    """Return a day given as YYYY-MM-DD, date or timestamp."""
    if day is pd.NaT or not (tables.is_date(day) if isinstance(day, str) else isinstance(day, date)):
        found = quote(day) if isinstance(day, str) else repr(day)
        raise UserError(f"as of: found {found}, expected a date (YYYY-MM-DD)")
    return pd.Timestamp(day).tz_localize(None).normalize()


def select(figures: pd.DataFrame, reporter: str, partner: str, flow: str) -> pd.DataFrame:
    """Return the figures of a reporter, partner and flow; a `UserError` with the nearest name where there are none."""
    chosen, given = np.full(len(figures), True), ""
    for column, name in (("reporter", reporter), ("partner", partner), ("flow", flow)):
        names = figures[column].to_numpy(object)
        if not (here := chosen & (names == name)).any():
            raise unclear(column, f"{quote(name)}{given}", nearest(name, set(names[chosen])))
        chosen, given = here, f"{given} {'and' if given else 'with'} {name}"
    return figures[chosen]


def annual(figures: pd.DataFrame) -> pd.DataFrame:
    """Return the figures that cover exactly one calendar year, with that `year` (int64)."""
    whole, year = whole_years(figures)
    return figures[whole].assign(year=year[whole])


def whole_years(figures: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return which figures cover exactly one calendar year, and the year in which each begins (int64)."""
    first, last = (figures[name].to_numpy("datetime64[D]") for name in ("period_start", "period_end"))
    year = first.astype("datetime64[Y]")
    return (first == year) & (last + 1 == year + 1), year.astype("int64") + 1970


def check_tables() -> list[Fault]:
    """Find every fault of every table."""
    rules = {"figures": [check_figure], "investments": [check_figure], "goals": [_check_goal]}
    names = [one["name"] for one in read_package()["resources"] if one["format"] == "csv"]
    return [fault for name in names for fault in tables.check_table(name, rules=rules.get(name, []))[1]]


def check_figure(rows: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    """Find figures whose dates, number, address and status contradict one another (rows still in text)."""
    start, end, known_by = (
        pd.to_datetime(rows[name], format="%Y-%m-%d", errors="coerce")
        for name in ("period_start", "period_end", "known_by")
    )
    published, status = last_days(rows["published"]), rows["status"]
    no_value, no_growth, no_url = rows["value"] == "", rows["yoy_pct"] == "", rows["url"] == ""
    outcome = status != "goal"  # a goal is published before its period ends, anything else after
    growth_only, unlinked = status == "growth_only", status == "unlinked"
    yield from _where(
        rows,
        ("period_end", start > end, "a day on or after period_start"),
        ("published", (rows["published"] != "") & published.isna(), "a day of the calendar"),
        ("published", outcome & (published < end), "a day on or after period_end"),
        ("known_by", outcome & (known_by < end), "a day on or after period_end"),
        ("known_by", known_by.notna() & published.notna(), "blank where published is given"),
        ("value", no_value & ~growth_only, "a number, or the status growth_only"),
        ("value", ~no_value & growth_only, "blank with the status growth_only"),
        ("yoy_pct", no_growth & growth_only, "a growth rate with the status growth_only"),
        ("url", no_url & ~unlinked, "an address, or the status unlinked"),
        ("url", ~no_url & unlinked, "blank with the status unlinked"),
    )


def _check_goal(rows: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    """Find goals whose kind, numbers, years and reading contradict one another (rows still in text)."""
    is_rate, on_level = rows["kind"] == "rate", rows["reading"] == "level"
    late = (rows["deadline"] != "") & (rows["deadline"] <= rows["base_year"])
    yield from _where(
        rows,
        ("rate_pct", is_rate != (rows["rate_pct"] != ""), "a rate for a rate goal, blank for a level goal"),
        ("level", is_rate != (rows["level"] == ""), "a level for a level goal, blank for a rate goal"),
        ("unit", (rows["level"] == "") != (rows["unit"] == ""), "a unit where there is a level"),
        ("reading", is_rate == on_level, "level for a level goal, another reading for a rate goal"),
        ("deadline", late, "a year after base_year"),
    )


def _where(rows: pd.DataFrame, *rules: tuple[str, pd.Series, str]) -> Iterator[tuple[int, str, str]]:
    """The lines of bad rows, each with the column and what was expected there."""
    return ((line, column, expected) for column, bad, expected in rules for line in rows.index[bad])
