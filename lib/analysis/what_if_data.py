"""What the what-if page computes from, as one JSON object.

The record: every flow's level by year, as it was known on each day that changed it. What was known on such a day
beside it, as numbers from which the page builds the law of any goal: the growth to be expected (`lib.law.posterior`),
months of running years, the partner's figures, a later level, and the law of the years that larger flows tell of. So
the page fits nothing but a reader's own figures, for which it has the kept tables of the reference class, nested by
key. Nothing is rounded to less than ten digits, so that the page's numbers are those of `lib` to the last that matter.
"""

import json
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd

from lib import cases, evidence, goals, law, outlook
from lib import figures as fig
from lib.analysis import what_if
from lib.errors import UserError
from lib.evidence import NEGLIGIBLE, Assumptions
from lib.forecast import FAN
from lib.reference import (
    BACI,
    DRIFT_SD_FLOOR,
    FIRST_BACI_ORIGIN,
    HORIZON,
    LASTING,
    OEC,
    OLD,
    OLD_WARNING,
    PROBABILITIES,
    SIZES,
    age_warning,
    coverage_line,
    read_kept,
    size_class,
    size_label,
)
from lib.series import GRADES, exchange_rates
from lib.tables import data_state

PANELS = (BACI, OEC)

PRIOR_COLUMNS = ["drift", "drift_sd", "variance", "df", "autocorrelation"]


def tables() -> dict[str, Any]:
    """All tables by name; the keys of each are in the order of its name for them."""
    return {
        "sizes": SIZES[1:-1].tolist(),
        "size_labels": [size_label(index) for index in range(len(SIZES) - 1)],
        "panels": {panel.name: panel.title for panel in PANELS},
        "priors": priors(),
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


CURRENCIES: tuple[Literal["USD", "CNY"], ...] = ("USD", "CNY")

Level = tuple[float, int, str]
"""A level of a year: millions, index of its grade in `lib.series.GRADES`, the figure it rests on."""


def flows() -> list[dict[str, Any]]:
    """Every flow for which some level is known: its names, and levels by currency.

    Returns
    -------
    One dict a flow: reporter, partner, flow, and for each currency with a level ``levels``, the days that changed a
    level, each ``[day, changes]`` with changes ``[year, millions, grade, figure_id]``, or ``[year]`` for a level that is
    no longer used.
    """
    keys, found = ["reporter", "partner", "flow"], []
    for names, record in fig.load_figures().groupby(keys):
        flow = dict(zip(keys, names, strict=True))
        case = {
            currency: cases.TrendCase.model_construct(**flow, currency=currency) for currency in CURRENCIES
        }
        levels = {currency: list(changes(record, case[currency])) for currency in CURRENCIES}
        levels = {currency: days for currency, days in levels.items() if days}
        if levels:
            found.append({**flow, "levels": levels})
    return found


def changes(record: pd.DataFrame, case: cases.TrendCase) -> Iterator[list[Any]]:
    """Each day that changed a level of the flow whose figures are given, with the levels that it changed."""
    before: dict[int, Level] = {}
    for day in _days(fig.annual(record)):
        series = case.model_copy(update={"as_of": day}).series()
        grades = series["grade"].map(GRADES.index)
        rows = zip(series.index, series["value_mn"], grades, series["figure_id"], strict=True)
        now = {int(year): (float(value), int(grade), str(figure)) for year, value, grade, figure in rows}
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
    cases.GoalCase.check(asked)
    return asked | {"announced": row.announced, "announcer": row.announcer, "url": row.url}


# --- what a day knew beside the record ---


def _knowledge(flow: dict[str, Any], stated: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """By currency, what the days that the page offers knew of a flow beside its levels (`_on_day`)."""
    names = {name: flow[name] for name in ("reporter", "partner", "flow")}
    opened = {goal["as_of"] for goal in stated if names.items() <= goal.items()}
    found = {}
    for currency, levels in flow["levels"].items():
        case = cases.GoalCase.model_construct(**names, currency=currency, as_of=fig.UNDATED_KNOWN_FROM)
        arrived = case.record()["known_from"]
        latest = {day.date().isoformat() for day in arrived.groupby(arrived.dt.year).max()}  # its months, too
        days = {day for day, _ in levels} | latest | opened | {fig.UNDATED_KNOWN_FROM.isoformat()}
        found[currency] = [
            {"day": day, **_on_day(case.model_copy(update={"as_of": date.fromisoformat(day)}))}
            for day in sorted(days)
            if levels[0][0] <= day <= fig.UNDATED_KNOWN_FROM.isoformat()
        ]
    return found


def _on_day(case: cases.GoalCase) -> dict[str, Any]:
    """What a day knew of a flow: the partner's figures of years without a level, and each gap (`_gap`).

    A gap is a stretch of years without a level after one with it, the last one without end; for goals that begin
    before it and end soon after it, so is what follows the known years within `AFTER_GAP` of it.
    """
    levels = case.series()["value_mn"].dropna()
    known = [int(year) for year in levels.index]
    ends = [*known[1:], max(case.as_of.year, known[-1] + 1) + 1]
    unknown = tuple(year for year in range(known[0], ends[-1]) if year not in known)
    asked = [
        (start, end)
        for start, end in zip(known, ends, strict=True)
        if end - start > 1 or any(start - AFTER_GAP <= year < start for year in unknown)
    ]
    seen = evidence.mirror(case, levels, unknown)
    partner = seen and {
        "levels": {int(year): float(value) for year, value in seen.levels.items()},
        "df": seen.df,
        "variance": float(seen.covariance[0, 0]),
    }
    return {"mirror": partner, "gaps": [_gap(case, levels, start, end, unknown) for start, end in asked]}


AFTER_GAP = 3
"""Years after a gap in which a goal that began before it may end; later ones are left to the notebooks."""


def _gap(
    case: cases.GoalCase, levels: pd.Series, start: int, end: int, unknown: tuple[int, ...]
) -> dict[str, Any]:
    """The growth to be expected after a level, months of years without one, the level at the end, and larger flows."""
    try:
        expected = outlook.expect(case, levels.loc[:start])
    except UserError as error:
        return {"from": start, "refused": str(error)}
    prior, of = expected.prior, expected.posterior
    own = (of.mean, of.weight, of.variance, of.df, of.autocorrelation, of.echo)
    numbers = np.array([*own, prior.variance, prior.df], dtype=float)
    later = outlook.later_errors(end, start, Assumptions()) if end in levels.index else {}
    return {
        "from": start,
        "posterior": numbers.tolist(),
        "source": prior.source,
        "warning": age_warning(prior, start),
        "shares": expected.shares[["source", "share", "drift"]].to_numpy().tolist(),
        "months": _months(case, unknown, int(size_class(expected.size_usd)), data_state()),
        "later": [end, [[sd, weight] for sd, weight in later.items()]] if later else None,
        "chains": list(_chains(case, levels, unknown, start, max(start, end - 1))),
    }


@lru_cache(maxsize=4)  # of the gaps of a day most are of one size
def _months(case: cases.GoalCase, unknown: tuple[int, ...], index: int, state: Any) -> list[list[float]]:
    """The year so far of each year without a level: year, last month, log total, its variance, df and correlation."""
    levels, size_usd = case.series()["value_mn"].dropna(), float(SIZES[index] or SIZES[1] / 2)
    together = evidence.year_so_far(case, levels, unknown, size_usd)
    running = [] if together is None else [int(year) for year in together.levels.index]
    found = []
    for year in running:
        seen = together if len(running) == 1 else evidence.year_so_far(case, levels, [year], size_usd)
        assert seen is not None  # it was there among the others
        month = int(seen.what.rpartition(" ")[2])
        value, variance = float(seen.levels.iloc[0]), float(seen.covariance[0, 0])
        found.append([year, month, value, variance, float(seen.df), float(seen.correlation)])
    return found


def _chains(
    case: cases.GoalCase, levels: pd.Series, unknown: tuple[int, ...], start: int, deadline: int
) -> Iterator[dict[str, Any]]:
    """What larger flows tell of the years to a deadline, once for each stretch of their record that a base can lie in."""
    known, first = [int(year) for year in levels.loc[:start].index], start + 1
    bases = [base for base in known if any(base < year <= deadline for year in unknown)]
    while earlier := [base for base in bases if base < first]:
        asked = case.model_copy(update={"base_year": earlier[-1], "deadline": deadline})
        chain = evidence.chain_of(asked)
        if chain is None:
            return
        first = chain.years[0]
        inferred = law.condense(evidence.infer(chain).law)
        lower = np.tril_indices(len(inferred.years))
        parts = np.column_stack([inferred.weights, inferred.means, inferred.covariances[:, *lower]])
        yield {
            "top": chain.top,
            "whole": [chain.years[0], chain.years[-1]],
            "years": list(inferred.years),
            "parts": [[float(f"{one:.11g}") for one in row] for row in parts],
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
    stated = stated_goals(known)
    told = [flow | {"knows": _knowledge(flow, stated)} for flow in known]
    return {
        "day": fig.UNDATED_KNOWN_FROM.isoformat(),
        "classes": _named_once(told),
        "flows": told,
        "sources": sources(ids),
        "goals": stated,
        "cny_per_usd": exchange(),
        "grades": list(GRADES),
        "readings": goals.READING_LABELS,
        "default": cases.GoalCase().model_dump(mode="json"),  # the page opens with the case of the notebooks
        "model": _constants(),
        "tables": tables(),
    }


def _named_once(told: list[dict[str, Any]]) -> list[str]:
    """The reference classes of all gaps; each gap then holds the place of its own."""
    gaps = [
        gap
        for flow in told
        for days in flow["knows"].values()
        for day in days
        for gap in day["gaps"]
        if "source" in gap
    ]
    names = list(dict.fromkeys(gap["source"] for gap in gaps))
    for gap in gaps:
        gap["source"] = names.index(gap["source"])
    return names


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
        "old": OLD,
        "warning": OLD_WARNING,
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
