"""Whether policies mattered: event, evidence, conclusion; and what such tests can and cannot see.

Interrupted series: by how much a level stepped up or down in the year of an event, against all other years. A step in
the log level is one year's growth apart from the rest. Its dummy leaves that year no residual, so that errors robust to
autocorrelation mean nothing here; the honest yardsticks are the spread of the other years (a t test that includes the
error of their mean) and the rank of the year among all years (placebo in time).
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from lib import figures as fig
from lib.analysis.cases import PolicyCase
from lib.errors import quote, unclear
from lib.growth import log_growth
from lib.reference import read_kept
from lib.series import annual_series, exchange_rates

KNOWN_NOTHING, NOT_YET, STANDS_OUT = "Cannot be known from this record", "Had not begun", "Stands out"
WITH_OIL, ORDINARY = "Not to be told from the oil price", "Not to be told from an ordinary year"

EXPORTERS = {"total": ("RUS", "CHN"), "export": ("CHN",), "import": ("RUS",)}
"""Who exports in a flow seen from China: the synthetic controls that speak to it."""

LEAST_YEARS, LEAST_LEVELS = 6, 10  # growth rates needed beside the event's own; levels across a gap


class _Step(NamedTuple):
    """A step of the log level in the first year of an event, with its 95 % interval.

    `p` is the two-sided p-value of the t test, `rank` how many of the `n` years step as far or further from the others,
    itself included; all three are NaN where the step leads across a gap of the record.
    """

    effect: float
    low: float
    high: float
    p: float = np.nan
    n: float = np.nan
    rank: float = np.nan

    def is_seen(self, level: float) -> bool:
        """Whether it is significant; across a gap, whether its interval leaves 0 out."""
        return self.low * self.high > 0 if np.isnan(self.p) else self.p <= level


def _step(growth: pd.Series, year: int, controls: pd.DataFrame | None = None) -> _Step | None:
    """The step of one year's log growth against the other years, with or without controls of the same year.

    Years in which a control is missing, such as the growth of the oil price, are not used. None is returned where the year
    itself or too many others (fewer than `LEAST_YEARS` and the controls) are not known.
    """
    table = pd.concat([growth.rename("growth"), controls], axis=1).dropna().sort_index()
    if year not in table.index or len(table) - 1 < LEAST_YEARS + table.shape[1] - 1:
        return None
    x = np.column_stack([np.ones(len(table)), table.drop(columns="growth").to_numpy(dtype=float)])
    y = table["growth"].to_numpy(dtype=float)
    # A dummy for each year in turn, by one regression without any: its coefficient is residual / (1 − h), its error that
    # of the regression without the year over √(1 − h) (deleted residuals; Belsley, Kuh & Welsch 1980, section 2.1).
    hat = x @ np.linalg.pinv(x)
    residual, free = y - hat @ y, 1 - np.diag(hat)
    df, place = len(y) - 1 - x.shape[1], table.index.get_loc(year)
    variance = (residual @ residual - residual**2 / free) / df
    effects, errors = residual / free, np.sqrt(np.maximum(variance, 1e-300) / free)
    size, effect = np.abs(effects / errors), float(effects[place])
    half = float(errors[place] * stdtrit(df, 0.975))
    rank = int((size >= size[place] * (1 - 1e-9)).sum())
    return _Step(effect, effect - half, effect + half, float(2 * stdtr(df, -size[place])), len(table), rank)


def _step_across(level: pd.Series, year: int, price: pd.Series | None = None) -> _Step | None:
    """The step of a random walk with drift from `year` on, also across gaps in `level` by year, where `_step` cannot be read.

    From one known level to the next the logarithm moves by drift times years, the step, and a shock of variance
    proportional to the years: least squares weighted by them is the exact likelihood of the unobserved components
    (Durbin & Koopman 2012, section 6.2), whatever an optimiser would make of it. Without gaps it agrees with `_step`. A
    price may be held constant, such as that of oil, known in every year of the record.

    None is returned for a record too short: fewer than `LEAST_LEVELS` levels, or not two on either side.
    """
    from statsmodels.regression.linear_model import WLS

    log = np.log(level.dropna())
    if len(log) < LEAST_LEVELS or (log.index < year).sum() < 2 or (log.index >= year).sum() < 2:
        return None
    paths = [log.index.to_numpy(dtype=float), (log.index >= year).astype(float)]
    if price is not None:
        paths.append(np.log(price.reindex(log.index).to_numpy(dtype=float)))
    moves = np.diff(np.column_stack(paths), axis=0)
    if np.isnan(moves).any():
        return None
    fitted = WLS(np.diff(log), moves, weights=1 / moves[:, 0]).fit()
    return _Step(float(fitted.params[1]), *map(float, fitted.conf_int()[1]))


def _read_policies(events: pd.DataFrame) -> pd.DataFrame:
    """The policies and shocks among the events, a row each reporter, those that the article of April 2014 names first.

    Refused is a reporter that `reporters.csv` does not have.
    """
    rows = events[events["policy"] != ""]
    rows = rows.assign(reporter=rows["reporters"].str.split("; ")).explode("reporter")
    for line, name in rows["reporter"][~rows["reporter"].isin(fig.load_reporters()["name"])].items():
        raise unclear(f"events.csv:{line}: reporters", quote(name), "names of reporters.csv joined by '; '")
    return rows.sort_values("named", ascending=False, kind="stable", ignore_index=True)


def _first_years(dates: pd.Series) -> pd.Series:
    """First calendar year that each event could fill for more than half: its own up to June, else the next."""
    day = fig.last_days(dates)  # a year alone is its last day
    return day.dt.year + (day.dt.month > 6)


class View(NamedTuple):
    """What the notebook looks at.

    Parameters
    ----------
    levels : trade in million dollars by year, of the flow and of each larger one, as known on the day.
    events : the rows of data/events.csv that were past on the day.
    evidence : one row a policy and reporter: policy, named, date, reporter, year, near (years within the span for which a
        level is known), effect, low, high (the step, 95 %), p, rank and n (of the year among all), oil_effect and oil_p
        (beside the oil price), fuels (what their quantity added in the country's trade), p_low and p_high (of its synthetic
        controls), beside (other events of that year), tested and conclusion; effects are fractions. NaN where not known,
        date blank and year 0 where it had not begun.
    tests, gaps, weights : kept synthetic controls of events that were past and flows that are asked about (`flow`, such as
        "RUS to CHN"), their gaps by year, and the weights of their donors, the largest first.
    """

    levels: dict[str, pd.Series]
    events: pd.DataFrame
    evidence: pd.DataFrame
    tests: pd.DataFrame
    gaps: pd.DataFrame
    weights: pd.DataFrame


def look(case: PolicyCase) -> View:
    """Read the record around each policy, as known on the case's day."""
    rates = exchange_rates(fig.load_covariates(), case.as_of_time)
    family = {one.reporter: one.vintage() for one in [case, *case.lineage()]}
    levels = {name: annual_series(rows, "USD", rates)["value_mn"] for name, rows in family.items()}
    everything = fig.load_events()
    events = everything[fig.last_days(everything["date"]) <= case.as_of_time]
    policies = _read_policies(everything)
    policies = policies[policies["reporter"].isin(levels) & (case.partner == "Russia")]
    tests = read_kept("policy_tests.csv")
    tests = tests.assign(flow=tests["exporter"] + " to " + tests["importer"])
    over = (tests["year"] + tests["after"] <= case.as_of.year) & tests["exporter"].isin(EXPORTERS[case.flow])
    tests = tests[over & (len(policies) > 0)]
    about = tests[["event", "exporter", "importer", "pool", "flow", "after"]]
    gaps, weights = (read_kept(f"policy_{name}.csv").merge(about) for name in ("gaps", "weights"))
    rows = [_evidence(case, one, levels[one.reporter], events, tests) for one in policies.itertuples()]
    return View(levels, events, pd.DataFrame(rows), tests, gaps, weights)


def _evidence(
    case: PolicyCase, policy: Any, level: pd.Series, events: pd.DataFrame, tests: pd.DataFrame
) -> dict[str, Any]:
    """What the record holds on the effect of one policy on one reporter's trade: a row of `View.evidence`."""
    begun = policy.policy in set(events["policy"])
    year = int(_first_years(pd.Series([policy.date])).iloc[0]) if begun and len(level) else 0
    near = [int(y) for y in level.dropna().index if year - case.span <= y < year + case.span]
    alone = oil = None
    if near and near[0] < year <= near[-1]:
        price = fig.covariate("brent_usd_per_bbl").loc[: case.as_of.year - 1]
        rates = log_growth(level).dropna()
        alone, oil = _step(rates, year), _step(rates, year, log_growth(price).rename("oil").to_frame())
        if alone is None:
            alone, oil = _step_across(level, year), _step_across(level, year, price)
    # Synthetic controls and fuels are those of the country's trade alone.
    of_country = policy.reporter == "China"
    controls = tests[(tests["event"] == policy.study) & bool(policy.study and of_country)]
    kept = read_kept("fuel_split.csv").query("flow == @case.flow and year == @year < @case.as_of.year")
    told, beside = (one or _Step(*[np.nan] * 3) for one in (alone, oil))
    row = {"policy": policy.policy, "named": policy.named, "reporter": policy.reporter}
    row |= {"date": policy.date if begun else "", "year": year, "near": near}
    row |= told._asdict() | dict(zip(("effect", "low", "high"), np.expm1(told[:3]), strict=True))
    row |= {"oil_effect": np.expm1(beside.effect), "oil_p": beside.p}
    row |= {"fuels": kept["fuel_volume"].iloc[0] if policy.fuels and of_country and len(kept) else np.nan}
    row |= {"p_low": controls["p"].min(), "p_high": controls["p"].max(), "tested": alone is not None}
    row |= {"beside": int((_first_years(events["date"]) == year).sum()) - 1 if year else np.nan}
    said = _conclude(alone, oil, controls, case.level)
    return row | {"conclusion": NOT_YET if policy.date and not begun else said}


def _conclude(alone: _Step | None, beside_oil: _Step | None, controls: pd.DataFrame, level: float) -> str:
    """One of four conclusions, by rule: a step must stand out alone, beside oil and against donors (`View.tests`)."""
    if alone is None:
        return KNOWN_NOTHING
    if not alone.is_seen(level):
        return ORDINARY
    if beside_oil is None or not beside_oil.is_seen(level):
        return WITH_OIL
    worst = controls.groupby(["exporter", "importer"])["p"].max()  # over the pools of donors
    return ORDINARY if len(worst) and worst.min() > level else STANDS_OUT
