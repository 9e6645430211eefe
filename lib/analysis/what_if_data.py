"""What the what-if page computes from, as one JSON object.

The record: every flow's level by year, as it was known on each day that changed it. What was known on such a day
beside it, as numbers from which the page builds the law of any goal: the growth to be expected (`lib.law.posterior`),
months of running years, the partner's figures, a later level, and the law of the years that larger flows tell of. So
the page fits nothing but a reader's own figures, for which it has the kept tables of the reference class, nested by
key. What many days have in common is kept once (`_Shared`), and rounded to ten digits (`DIGITS`).
"""

import json
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import wrightomega

from lib import cases, evidence, goals, law, mixtures, outlook
from lib import figures as fig
from lib.analysis import answers, question
from lib.errors import UserError
from lib.evidence import NEGLIGIBLE, Assumptions
from lib.law import FAN
from lib.reference import (
    HORIZON,
    HORIZONS,
    PROBABILITIES,
    SIZES,
    age_warning,
    held,
    last_released,
    prior_for,
    read_kept,
    size_class,
    size_label,
)
from lib.series import GRADES, exchange_rates
from lib.tables import at_rest, data_state
from lib.words import plain


def _own_priors() -> dict[int, list[list[Any]]]:
    """What a reader's own figures are held to be: last year → size class → numbers of the prior, source, warning."""
    released, sizes = last_released(fig.UNDATED_KNOWN_FROM, False), [SIZES[1] / 2, *SIZES[1:-1]]

    def row(year: int, size: float) -> list[Any]:
        prior = law.drawn(prior_for(size, min(year, released)))
        growing = [prior.drift, prior.drift_sd, prior.variance, prior.df, prior.autocorrelation]
        return [*growing, prior.drift_error, prior.source, age_warning(prior, year)]

    years = range(question.OWN_FIRST_YEAR, question.OWN_LAST_YEAR + 1)
    return {year: [row(year, size) for size in sizes] for year in years}


def _size_of(index: int) -> float:
    """A size in US dollars a year that lies in a class."""
    return float(SIZES[index] or SIZES[1] / 2)


def _base_rates(growth: "_Shared") -> dict[int, list[Any]]:
    """Where `lib.reference.base_rate` looks from an origin: of each panel the longest horizon, and places.

    There is a place in `growth` for each size class: quantiles of growth a year at `PROBABILITIES`, a row for each of
    the first of `HORIZONS`.
    """
    table, names = read_kept("growth_distributions.csv"), [str(p) for p in PROBABILITIES]
    panels: dict[str, dict[int, list[Any]]] = {}
    for (panel, origin), rows in table.sort_values("horizon").groupby(["panel", "origin"]):
        places = {
            index: growth.place((one[names].to_numpy() / one[["horizon"]].to_numpy()).round(8).tolist())
            for index, one in rows.groupby("size_class")
        }
        nearest = [min(places, key=lambda one: abs(one - index)) for index in range(len(SIZES) - 1)]
        told = [int(rows["horizon"].max()), [places[index] for index in nearest]]
        panels.setdefault(str(panel), {})[int(origin)] = told
    found: dict[int, list[Any]] = {}
    for origin in range(int(table["origin"].min()), fig.UNDATED_KNOWN_FROM.year):
        known = [[told for year, told in panels[name].items() if year <= origin] for name in ("BACI", "OEC")]
        found[origin] = [told[-1] for told in known if told]
    return found


CURRENCIES = ("USD", "CNY")
"""Those that the record is published in; other levels than a reader's own are not converted further."""


def _flows() -> list[dict[str, Any]]:
    """Every flow for which some level is known: its names, and levels by currency.

    Returns
    -------
    One dict a flow: reporter, partner, flow, and for each currency with a level ``levels``, the days that changed a
    level, each ``[day, changes]`` with changes ``[year, millions, grade, figure_id]``, or ``[year]`` for a level that is
    no longer used.
    """
    keys, found = ["reporter", "partner", "flow"], []
    for names in sorted(set(fig.load_figures()[keys].itertuples(index=False, name=None))):
        flow = dict(zip(keys, names, strict=True))
        case = {
            currency: cases.TrendCase.model_construct(**flow, currency=currency) for currency in CURRENCIES
        }
        levels = {currency: list(_changes(case[currency])) for currency in CURRENCIES}
        levels = {currency: days for currency, days in levels.items() if days}
        if levels:
            found.append({**flow, "name": case["USD"].flow_name, "levels": levels})
    return found


def _changes(case: cases.TrendCase) -> Iterator[list[Any]]:
    """Each day that changed a level of a flow, with the levels that it changed."""
    before: dict[int, tuple[float, int, str]] = {}
    for day in case.days():
        series = case.model_copy(update={"as_of": day}).series()
        grades = series["grade"].map(GRADES.index)
        rows = zip(series.index, series["value_mn"], grades, series["figure_id"], strict=True)
        now = {int(year): (float(value), int(grade), str(figure)) for year, value, grade, figure in rows}
        changed: list[list[Any]] = [[year, *new] for year, new in now.items() if before.get(year) != new]
        changed += [[year] for year in before if year not in now]
        if changed:
            yield [day.isoformat(), changed]
        before = now


def _exchange() -> dict[str, dict[int, float]]:
    """What a dollar cost on average, by currency and year, known from the first day of the next year."""
    rates = exchange_rates(fig.load_covariates(), pd.Timestamp(fig.UNDATED_KNOWN_FROM)).drop(columns="USD")
    return {name: {int(year): float(rate) for year, rate in rates[name].dropna().items()} for name in rates}


def _sources(known: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Publisher, day of publication, what was printed, and address of each figure that a level of a flow rests on."""
    changed = [
        change for flow in known for days in flow["levels"].values() for _, day in days for change in day
    ]
    rows = fig.load_figures()
    rows = rows[rows["figure_id"].isin({change[3] for change in changed if change[1:]})]
    found = {}
    for row in rows.drop_duplicates("figure_id").itertuples():
        level = [] if pd.isna(row.value) else [f"{row.value:.12g} {row.unit}"]
        growth = [] if pd.isna(row.yoy_pct) else [f"{row.yoy_pct:+g} %".replace("-", "−")]
        found[row.figure_id] = [row.publisher, row.published or "undated", ", ".join(level + growth), row.url]
    return found


def _stated_goals(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Goals that somebody announced for one of the flows, as parameters, with announcer and address.

    A goal whose base was not on record on the day of its announcement opens on the first day on which it was.
    """
    levels = {(flow["reporter"], flow["partner"], flow["flow"]): flow["levels"] for flow in known}
    found = []
    for row in fig.load_goals_table().dropna(subset=["deadline", "base_year"]).itertuples():
        is_rate = row.kind == "rate"
        currency = "USD" if is_rate else row.unit.partition(" ")[0]
        days = levels.get((row.reporter, row.partner, row.measure), {}).get(currency, [])
        opening = _first_day(days, int(row.base_year), row.announced)
        if opening is None:
            continue
        asked = {"reporter": row.reporter, "partner": row.partner, "flow": row.measure, "as_of": opening}
        asked |= {"currency": currency, "base_year": int(row.base_year), "deadline": int(row.deadline)}
        asked["goal"] = f"{row.rate_pct:g} %" if is_rate else f"{row.level:g} {row.unit}"
        asked["reading"] = row.reading if is_rate else "average"
        case = cases.GoalCase.check(asked)
        said = plain(answers.announcement(case)).removesuffix(" (source).")
        told = {"name": case.goal_name, "announced": row.announced, "said": said, "url": row.url}
        found.append(asked | told)
    return found


def _first_day(days: list[list[Any]], base_year: int, announced: str) -> str | None:
    """The first day from the announcement on that had a level for the base; None without any."""
    told, known = fig.last_days(pd.Series([announced])).iloc[0].date().isoformat(), False
    for (day, changed), (after, _) in pairwise([*days, ["9999", []]]):
        known = next((len(change) > 1 for change in changed if change[0] == base_year), known)
        if known and after > told:
            return max(told, str(day))
    return None


# --- what a day knew beside the record ---

DIGITS = 10
"""Significant digits of what laws are made of: with fewer, years of equal variance would not look so (`lib.mixtures._root`)."""


class _Shared(dict[str, int]):
    """Values that many days have in common, each kept once, as JSON; whoever needs one holds its place."""

    def place(self, value: Any) -> int:
        """Where a value stands among the others."""
        return self.setdefault(json.dumps(value, ensure_ascii=False), len(self))


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in np.ravel(values)]


_Observe = Callable[[list[int]], evidence.Observation | None]
"""What evidence says of some years."""


class _Knowledge:
    """What the days that the page offers knew of flows beside their levels, what is the same of two kept once.

    Parameters
    ----------
    stated : the goals on whose days the page opens.
    """

    def __init__(self, stated: list[dict[str, Any]]) -> None:
        self.stated = stated
        self.kept = {name: _Shared() for name in ("classes", "expected", "chains", "gaps", "pieces")}
        self._expected: dict[Any, Any] = {}
        self._laws: dict[Any, int] = {}

    def of(self, flow: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """By currency, what each day knew of a flow (`_on_day`)."""
        names = {name: flow[name] for name in ("reporter", "partner", "flow")}
        opened = {goal["as_of"] for goal in self.stated if names.items() <= goal.items()}
        found = {}
        for currency, levels in flow["levels"].items():
            case = cases.GoalCase.model_construct(**names, currency=currency, as_of=fig.UNDATED_KNOWN_FROM)
            arrived = case.record()["known_from"]  # its months, too
            latest = {day.date().isoformat() for day in arrived.groupby(arrived.dt.year).max()}
            days = {day for day, _ in levels} | latest | opened | {fig.UNDATED_KNOWN_FROM.isoformat()}
            found[currency] = [
                {"day": day, "gaps": self._on_day(case.model_copy(update={"as_of": date.fromisoformat(day)}))}
                for day in sorted(days)
                if levels[0][0] <= day <= fig.UNDATED_KNOWN_FROM.isoformat()
            ]
        return found

    def _on_day(self, case: cases.GoalCase) -> list[int]:
        """What a day knew of a flow: each gap (`_gap`).

        A gap is a stretch of years without a level after one with it, the last one without end; for goals that begin
        before it and end soon after it, so is what follows the known years within `AFTER_GAP` of it.
        """
        levels = case.series()["value_mn"].dropna()
        known = [int(year) for year in levels.index]
        ends = [*known[1:], max(case.as_of.year, known[-1] + 1) + 1]
        unknown = [year for year in range(known[0], ends[-1]) if year not in known]
        asked = [
            (start, end)
            for start, end in zip(known, ends, strict=True)
            if end - start > 1 or any(start - AFTER_GAP <= year < start for year in unknown)
        ]
        partner = self._pieces(lambda years: evidence.mirror(case, levels, years), unknown)
        larger = [(one.reporter, one.series()["value_mn"]) for one in outlook.lineage(case)]

        @lru_cache
        def pieces(index: int) -> list[list[int]]:
            size = _size_of(index)
            months = self._pieces(lambda years: evidence.year_so_far(case, levels, years, size), unknown)
            return [partner, months]

        return [self._gap(case, levels, larger, pieces, start, end, unknown) for start, end in asked]

    def _pieces(self, observe: _Observe, unknown: list[int]) -> list[int]:
        """Places of what evidence says of the years that it tells of, from each on that follows a known year."""
        whole = observe(unknown)
        years = [] if whole is None else [int(year) for year in whole.levels.index]
        first = [i for i, year in enumerate(years) if i == 0 or {*range(years[i - 1], year)} - {*unknown}]
        return [self.kept["pieces"].place(_piece(observe, years[i:], None if i else whole)) for i in first]

    def _gap(
        self,
        case: cases.GoalCase,
        levels: pd.Series,
        larger: list[tuple[str, pd.Series]],
        pieces: Callable[[int], list[list[int]]],
        start: int,
        end: int,
        unknown: list[int],
    ) -> int:
        """Place of what is to be expected after a level, pieces of evidence, the level at the end, larger flows."""
        released = [min(start, last_released(case.as_of, world)) for world in (False, True)]
        before = [(name, tuple(one.loc[:start].items())) for name, one in [("", levels), *larger]]
        key = (case.reporter, case.partner, case.flow, case.currency, *released, *before)
        if key not in self._expected:
            self._expected[key] = self._expect(case, levels.loc[:start])
        place, index = self._expected[key]
        if index is None:
            return self.kept["gaps"].place([start, place])
        later = outlook.later_errors(end, start, Assumptions()) if end in levels.index else {}
        ended = [end, [[weight, sd**2] for sd, weight in later.items()]] if later else None
        chains = list(self._chains(case, levels, unknown, start, max(start, end - 1))) if larger else []
        return self.kept["gaps"].place([start, place, pieces(index), ended, chains])

    def _expect(self, case: cases.GoalCase, levels: pd.Series) -> tuple[Any, int | None]:
        """Place of what was to be expected after the last level, and the size class; what is wrong, and None."""
        try:
            expected = outlook.expect(case, levels)
        except UserError as error:
            return str(error), None
        prior, of, size = expected.prior, expected.posterior, int(size_class(expected.size_usd))
        own = (of.mean, of.weight, of.variance, of.df, of.autocorrelation, of.echo)
        found = {
            "posterior": _rounded([*own, prior.variance, prior.df]),
            "source": self.kept["classes"].place(prior.source),
            "warning": age_warning(prior, expected.origin),
            "shares": [[name, *_rounded(numbers)] for name, *numbers in expected.shares.to_numpy().tolist()],
            "size": size,
        }
        return self.kept["expected"].place(found), size

    def _chains(
        self, case: cases.GoalCase, levels: pd.Series, unknown: list[int], start: int, deadline: int
    ) -> Iterator[int]:
        """What larger flows tell of the years to a deadline, once for each stretch of their record that a base can lie in."""
        known, first = [int(year) for year in levels.loc[:start].index], start + 1
        bases = [base for base in known if any(base < year <= deadline for year in unknown)]
        while earlier := [base for base in bases if base < first]:
            asked = case.model_copy(update={"base_year": earlier[-1], "deadline": deadline})
            chain = evidence.chain_of(asked)
            if chain is None:
                return
            first = chain.years[0]
            parts = ((tuple(link.levels.items()), link.spread) for link in chain.links)
            key = (chain.top, tuple(chain.whole.items()), chain.doubtful, *parts)
            if key not in self._laws:
                self._laws[key] = self.kept["chains"].place(_law_of(chain))
            yield self._laws[key]


AFTER_GAP = 3
"""Years after a gap in which a goal that began before it may end; later ones are left to the notebooks."""


def _piece(observe: _Observe, years: list[int], whole: evidence.Observation | None) -> list[Any]:
    """Years; sums of the log levels to each whose errors are independent: factors, value, variance; words, df, correlation.

    The first of them are those of an observation that ends earlier; `whole` is that of all years, where it was made.
    """
    ending = [observe(years[: k + 1]) for k in range(len(years) - (whole is not None))]
    seen = [one for one in (*ending, whole) if one is not None]
    root = np.linalg.cholesky(seen[-1].covariance)
    factors, variances = np.linalg.inv(root / np.diag(root)), np.diag(root) ** 2
    values = factors @ seen[-1].levels.to_numpy()
    rows = zip(factors, values, variances, strict=True)
    sums = [[_rounded(row[: k + 1]), *_rounded(told)] for k, (row, *told) in enumerate(rows)]
    return [years, sums, [[one.what, float(one.df), float(one.correlation)] for one in seen]]


def _law_of(chain: evidence.Chain) -> dict[str, Any]:
    """The law that a chain gives: each part a weight, means, and the lower triangle of covariances."""
    inferred = law.condense(evidence.infer(chain).law)
    lower = np.tril_indices(len(inferred.years))
    parts = np.column_stack([inferred.weights, inferred.means, inferred.covariances[:, *lower]])
    return {
        "top": chain.top,
        "whole": [chain.years[0], chain.years[-1]],
        "years": list(inferred.years),
        "parts": [_rounded(row) for row in parts],
    }


def payload() -> dict[str, Any]:
    """Record, goals, reference tables and the constants of the model."""
    return _payload(data_state())


@lru_cache(maxsize=1)
@at_rest()
def _payload(state: Any) -> dict[str, Any]:
    known = _flows()
    stated = _stated_goals(known)
    knowledge, growth = _Knowledge(stated), _Shared()
    rates = _base_rates(growth)
    told = [flow | {"knows": knowledge.of(flow)} for flow in known]
    return {
        "day": fig.UNDATED_KNOWN_FROM.isoformat(),
        "flows": told,
        "sources": _sources(known),
        "goals": stated,
        "per_usd": _exchange(),
        "grades": list(GRADES),
        "readings": goals.READING_LABELS,
        "default": cases.GoalCase().model_dump(mode="json"),  # the page opens with the case of the notebooks
        "coverage": [
            [held(years, _size_of(index)) for years in range(1, HORIZONS[-1] + 1)]
            for index in range(len(SIZES) - 1)
        ],
        "own": _own_priors(),
        "base_rates": rates,
        "model": _constants(),
        **{
            name: [json.loads(text) for text in one]
            for name, one in (knowledge.kept | {"growth": growth}).items()
        },
    }


MOST_DF = 500
"""Degrees of freedom that no posterior of a law reaches."""


def _rule_end(x: Any, end: int) -> Any:
    """First (0) or last (1) node of `lib.mixtures.variance_nodes` before its substitution; x is 2 ln df / ln most − 1."""
    log_u = -np.log(mixtures.variance_nodes(MOST_DF ** ((x + 1) / 2), 2)[1])[:, end]
    return log_u + wrightomega(np.log(0.1) - log_u)


def _constants() -> dict[str, Any]:
    return {
        "sizes": SIZES[1:-1].tolist(),
        "size_labels": [size_label(index) for index in range(len(SIZES) - 1)],
        "probabilities": list(PROBABILITIES),
        "horizons": list(HORIZONS),
        "most_df": MOST_DF,
        "ends": [
            Chebyshev.interpolate(_rule_end, 32, args=(end,)).convert(kind=Polynomial).coef.tolist()
            for end in (0, 1)
        ],
        "fan": list(FAN),
        "surest": outlook.SUREST,
        "certain": outlook.CERTAIN,
        "absurd": [outlook.OUT_OF_REACH, outlook.NEXT_TO_NOTHING],
        "half_life": law.HALF_LIFE,
        "class_share": law.CLASS_SHARE,
        "negligible": NEGLIGIBLE,
        "largest_surprise": law.LARGEST_SURPRISE,
        "longest_base_rate": HORIZON,
        "longest_goal": cases.MAX_HORIZON_YEARS,
        "publication_lag": goals.PUBLICATION_LAG_YEARS,
        "own_most": question.OWN_MOST_FIGURES,
        "own_first": question.OWN_FIRST_YEAR + 1,
        "own_last": question.OWN_LAST_YEAR,
        "lines": [line.pattern for line in question.LINES.values()],
        "figure": question.EXPECTED,
    }


def as_json() -> str:
    """The object as JSON that may stand inside a page: no ``<`` that could end or open an element."""
    text = json.dumps(payload(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
