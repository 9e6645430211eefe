"""What the what-if page computes from, as one JSON object.

The record: every flow's level by year, as it was known on each day that changed it. The reference class: the kept
tables as data/reference has them, nested by key. Nothing is rounded, so that the page's numbers are those of `lib`
to the last digits that matter. The page has the law of a flow's own yearly levels; what else a day knew takes all of
`lib.evidence`, so the answers to announced goals, on the day of the announcement and today, are stored.
"""

import json
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Any

import pandas as pd

from lib import cases, goals, law, outlook
from lib import figures as fig
from lib.analysis import what_if
from lib.evidence import NEGLIGIBLE
from lib.forecast import FAN
from lib.reference import (
    BACI,
    DRIFT_SD_FLOOR,
    FIRST_BACI_ORIGIN,
    HORIZON,
    LASTING,
    OEC,
    PROBABILITIES,
    SIZES,
    WDI,
    coverage_line,
    read_kept,
    size_label,
)
from lib.series import GRADES, annual_series, exchange_rates
from lib.tables import data_state

PANELS = (BACI, OEC, WDI)

PRIOR_COLUMNS = ["drift", "drift_sd", "variance", "df", "autocorrelation"]


def tables() -> dict[str, Any]:
    """All tables by name; the keys of each are in the order of its name for them."""
    return {
        "sizes": SIZES[1:-1].tolist(),
        "size_labels": [size_label(index) for index in range(len(SIZES) - 1)],
        "panels": {panel.name: panel.title for panel in PANELS},
        "priors": priors(),
        "parent_weight": outlook.kept_weight(),
        "probabilities": list(PROBABILITIES),
        "distributions": distributions(),
        "coverage": {years: coverage_line(years) for years in range(1, cases.MAX_HORIZON_YEARS + 1)},
    }


def priors() -> dict[str, Any]:
    """Panel → origin → size class → number of flows and the five numbers of `lib.forecast.Prior`."""
    return _nest(read_kept("priors.csv"), ["panel", "origin", "size_class"], ["series", *PRIOR_COLUMNS])


def distributions() -> dict[str, Any]:
    """Panel → origin → size class → horizon → quantiles of log growth at ``probabilities``."""
    keys = ["panel", "origin", "size_class", "horizon"]
    return _nest(read_kept("growth_distributions.csv"), keys, [str(p) for p in PROBABILITIES])


def _nest(table: pd.DataFrame, keys: list[str], columns: list[str]) -> dict[str, Any]:
    """A table as dicts within dicts, one level a key, with the row's numbers at the bottom."""
    nested: dict[str, Any] = {}
    for at, row in zip(
        table[keys].itertuples(index=False), table[columns].to_numpy(dtype=float), strict=True
    ):
        inner = nested
        for key in at[:-1]:
            inner = inner.setdefault(str(key), {})
        inner[str(at[-1])] = [int(value) if value.is_integer() else value for value in row.tolist()]
    return nested


CURRENCIES = ("USD", "CNY")

Level = tuple[float, int, str]
"""A level of a year: millions, index of its grade in `lib.series.GRADES`, the figure it rests on."""


def flows() -> list[dict[str, Any]]:
    """Every flow for which some level is known: its names, larger flows, and levels by currency.

    Returns
    -------
    One dict a flow: reporter, partner, flow, parents (reporters, from the nearest to the farthest), since (first day
    with a figure), and for each currency with a level ``levels``, the days that changed a level, each ``[day, changes]`` with changes
    ``[year, millions, grade, figure_id]``, or ``[year]`` for a level that is no longer used.
    """
    figures, covariates = fig.load_figures(), fig.load_covariates()
    keys = ["reporter", "partner", "flow"]
    found = []
    for names, record in figures.groupby(keys):
        levels = {currency: list(changes(record, covariates, currency)) for currency in CURRENCIES}
        levels = {currency: days for currency, days in levels.items() if days}
        if levels:
            since = record["known_from"].min().date().isoformat()
            own = {"parents": parents(names[0]), "since": since, "levels": levels}
            found.append({**dict(zip(keys, names, strict=True)), **own})
    return found


def parents(reporter: str) -> list[str]:
    """Reporters whose flows contain those of this one, from the nearest to the farthest."""
    parent_of = fig.load_reporters().set_index("name")["parent"]
    found, name = [], parent_of.get(reporter, "")
    while name:
        found.append(name)
        name = parent_of.get(name, "")
    return found


def changes(record: pd.DataFrame, covariates: pd.DataFrame, currency: str) -> Iterator[list[Any]]:
    """Each day that changed a level of the flow whose figures are given, with the levels that it changed."""
    before: dict[int, Level] = {}
    annual = fig.annual(record)
    for day in _days(annual):
        now = _levels(annual, covariates, currency, day)
        changed: list[list[Any]] = [[year, *new] for year, new in now.items() if before.get(year) != new]
        changed += [[year] for year in before if year not in now]
        if changed:
            yield [day.isoformat(), changed]
        before = now


def _days(annual: pd.DataFrame) -> list[date]:
    """The days that can change a level: releases, and each January in which an exchange rate is known anew."""
    releases = {day.date() for day in annual["known_from"]}
    early = annual[annual["known_from"].dt.year <= annual["year"]]
    return sorted(releases | {date(int(year) + 1, 1, 1) for year in early["year"]})


def _levels(annual: pd.DataFrame, covariates: pd.DataFrame, currency: str, day: date) -> dict[int, Level]:
    """The levels known on a day, by year."""
    rates = exchange_rates(covariates, pd.Timestamp(day))
    series = annual_series(fig.as_of(annual, day), currency, rates)
    grades = series["grade"].map(GRADES.index)
    return {
        int(year): (float(value), int(grade), str(figure))
        for year, value, grade, figure in zip(
            series.index, series["value_mn"], grades, series["figure_id"], strict=True
        )
    }


def levels_on(days: list[list[Any]], day: str) -> dict[int, Level]:
    """The levels known on a day (ISO), by year, from the changes up to it."""
    known: dict[int, Level] = {}
    for changed_on, changed in days:
        if changed_on > day:
            break
        for year, *level in changed:
            if level:
                known[year] = (level[0], level[1], level[2])
            else:
                known.pop(year)
    return known


def exchange() -> dict[int, float]:
    """Average yuan per dollar by year, known from the first day of the next year."""
    rates = exchange_rates(fig.load_covariates(), pd.Timestamp(fig.UNDATED_KNOWN_FROM))["CNY"].dropna()
    return {int(year): float(rate) for year, rate in rates.items()}


def sources(ids: set[str]) -> dict[str, list[str]]:
    """Publisher, day of publication, what was printed, and address of each figure that a level rests on."""
    rows = fig.load_figures()
    rows = rows[rows["figure_id"].isin(ids)].drop_duplicates("figure_id")
    return {
        row.figure_id: [row.publisher, row.published or "undated", _printed(row), row.url]
        for row in rows.itertuples()
    }


def _printed(row: Any) -> str:
    level = "" if pd.isna(row.value) else f"{row.value:.12g} {row.unit}"
    growth = "" if pd.isna(row.yoy_pct) else f"{row.yoy_pct:+g} %".replace("-", "−")
    return ", ".join(text for text in (level, growth) if text)


def stated_goals(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Goals that somebody announced for one of the flows, as parameters, with announcer and address.

    A goal whose base was not on record on the day of its announcement opens on the first day on which it was.
    """
    levels = {(flow["reporter"], flow["partner"], flow["flow"]): flow["levels"] for flow in known}
    rows = fig.load_goals_table()
    rows = rows[rows["deadline"].notna() & rows["base_year"].notna()]
    found = [
        _stated(row, levels.get((row.reporter, row.partner, row.measure), {})) for row in rows.itertuples()
    ]
    return [goal for goal in found if goal is not None]


def _stated(row: Any, levels: dict[str, list[list[Any]]]) -> dict[str, Any] | None:
    is_rate = row.kind == "rate"
    currency = "USD" if is_rate else row.unit.partition(" ")[0]
    opening = _first_day(levels.get(currency, []), int(row.base_year), row.announced)
    if opening is None:
        return None
    asked = {
        "reporter": row.reporter,
        "partner": row.partner,
        "flow": row.measure,
        "as_of": opening,
        "currency": currency,
        "goal": f"{row.rate_pct:g} %" if is_rate else f"{row.level:g} {row.unit}",
        "base_year": int(row.base_year),
        "deadline": int(row.deadline),
        "reading": row.reading if is_rate else "average",
    }
    told = {"announced": row.announced, "announcer": row.announcer, "url": row.url}
    return asked | told | {"answers": answers(cases.GoalCase.check(asked))}


def answers(case: cases.GoalCase) -> dict[str, Any]:
    """The whole answer to a goal on the day of the case and today, by day."""
    return {one.as_of.isoformat(): stored(outlook.of(one)) for one in (case, case.today())}


def stored(answer: outlook.Answer) -> dict[str, Any]:
    """An answer as the page shows it: kind, chance by reading, evidence by kind, and the years that are not known."""
    ahead = what_if.years_ahead(answer)
    return {
        "kind": answer.kind,
        "chances": answer.chances.to_dict(),
        "evidence": dict(answer.evidence),
        "ahead": [
            [int(year), *row] for year, row in zip(ahead.index, ahead.to_numpy().tolist(), strict=True)
        ],
    }


def _first_day(days: list[list[Any]], base_year: int, announced: str) -> str | None:
    """The first day from the announcement on that had a level for the base; None without any."""
    told = fig.last_days(pd.Series([announced])).iloc[0].date().isoformat()
    later = [told, *(day for day, _ in days if day > told)]
    return next((day for day in later if base_year in levels_on(days, day)), None)


def payload() -> dict[str, Any]:
    """Record, goals, reference tables and the constants of the model."""
    return _payload(data_state())


@lru_cache(maxsize=1)
def _payload(state: Any) -> dict[str, Any]:
    known = flows()
    ids = {
        change[3]
        for flow in known
        for days in flow["levels"].values()
        for _, c in days
        for change in c
        if change[1:]
    }
    return {
        "day": fig.UNDATED_KNOWN_FROM.isoformat(),
        "flows": known,
        "sources": sources(ids),
        "goals": stated_goals(known),
        "cny_per_usd": exchange(),
        "grades": list(GRADES),
        "readings": goals.READING_LABELS,
        "default": cases.GoalCase().model_dump(mode="json"),  # the page opens with the case of the notebooks
        "model": _constants(),
        "tables": tables(),
    }


def _constants() -> dict[str, Any]:
    return {
        "fan": list(FAN),
        "surest": outlook.SUREST,
        "lasting": LASTING,
        "drift_sd_floor": DRIFT_SD_FLOOR,
        "half_life": law.HALF_LIFE,
        "long_run_drift": law.LONG_RUN_DRIFT,
        "pull": law.PULL,
        "class_share": law.CLASS_SHARE,
        "negligible": NEGLIGIBLE,
        "largest_surprise": law.LARGEST_SURPRISE,
        "first_baci_origin": FIRST_BACI_ORIGIN,
        "longest_base_rate": HORIZON,
        "longest_goal": cases.MAX_HORIZON_YEARS,
        "publication_lag": goals.PUBLICATION_LAG_YEARS,
        "own_most": what_if.OWN_MOST_FIGURES,
        "own_first": what_if.OWN_FIRST_YEAR + 1,
        "own_last": what_if.OWN_LAST_YEAR,
    }


def as_json() -> str:
    """The object as JSON that may stand inside a page: no ``<`` that could end or open an element."""
    text = json.dumps(payload(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
