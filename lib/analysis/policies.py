"""Whether policies mattered: event, evidence, conclusion; and what such tests can and cannot see."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import reference
from lib.analysis import interventions
from lib.analysis.interventions import Evidence, Step, read_policies
from lib.cases import PolicyCase
from lib.reference import read_kept
from lib.results import Estimate
from lib.series import annual_series, exchange_rates

KNOWN_NOTHING = "Cannot be known from this record"

NOT_YET = "Had not begun"

STANDS_OUT = "Stands out"

WITH_OIL = "Not to be told from the oil price"

ORDINARY = "Not to be told from an ordinary year"

EXPORTERS = {"total": ("RUS", "CHN"), "export": ("CHN",), "import": ("RUS",)}
"""Who exports in a flow seen from China: the synthetic controls that speak to it."""


@dataclass(frozen=True)
class View:
    """What the notebook looks at.

    Parameters
    ----------
    case : the parameters.
    levels : trade in million dollars by year, of the flow and of each larger one, as known on the day.
    events : the rows of data/events.csv that were past on the day.
    evidence : one a policy and reporter.
    tests, gaps : kept synthetic controls of events that were past, with their years after.
    fuels : kept contributions of fuels to the growth of trade.
    """

    case: PolicyCase
    levels: dict[str, pd.Series]
    events: pd.DataFrame
    evidence: list[Evidence]
    tests: pd.DataFrame
    gaps: pd.DataFrame
    fuels: pd.DataFrame


def look(case: PolicyCase) -> View:
    """Read the record around each policy, as known on the case's day."""
    rates = exchange_rates(fig.load_covariates(), case.as_of_time)
    levels: dict[str, pd.Series] = {
        member.reporter: annual_series(member.vintage(), "USD", rates)["value_mn"]
        for member in [case, *case.lineage()]
    }
    everything = fig.load_events()
    events = everything[fig.last_days(everything["date"]) <= case.as_of_time]
    begun = set(events["policy"])
    oil = fig.covariate("brent_usd_per_bbl").loc[: case.as_of.year - 1]
    evidence = [
        interventions.weigh(policy, name, policy.name in begun, levels[name], oil, case.span)
        for policy in read_policies(everything)
        for name in policy.reporters
        if name in levels and case.partner == "Russia"
    ]
    tests = read_kept("policy_tests.csv")
    over = (tests["year"] + tests["after"] <= case.as_of.year) & tests["exporter"].isin(EXPORTERS[case.flow])
    fuels = read_kept("fuel_split.csv").query("flow == @case.flow and year < @case.as_of.year")
    gaps = read_kept("policy_gaps.csv")
    return View(case, levels, events, evidence, tests[over & bool(evidence)], gaps, fuels.set_index("year"))


def conclude(view: View, item: Evidence) -> str:
    """One of the five conclusions, by rule: a step must stand out alone, beside oil and against donors."""
    if item.policy.date and not item.date:
        return NOT_YET
    if not item.knowable:
        return KNOWN_NOTHING
    if not _is_seen(view, item.step, item.bridged):
        return ORDINARY
    if not _is_seen(view, item.with_oil, item.bridged_with_oil):
        return WITH_OIL
    controls = _controls_of(view, item)
    worst = controls.groupby(["exporter", "importer"])["p"].max()  # over the pools of donors
    return ORDINARY if len(worst) and worst.min() > view.case.level else STANDS_OUT


def _is_seen(view: View, step: Step | None, bridged: tuple[float, float, float] | None) -> bool:
    """Whether a step is significant; across a gap, whether its 95 % interval leaves 0 out."""
    if step is not None:
        return step.p <= view.case.level
    return bridged is not None and bridged[1] * bridged[2] > 0


def _controls_of(view: View, item: Evidence) -> pd.DataFrame:
    """The kept synthetic controls that speak to a policy: of the country's trade alone."""
    seen = (view.tests["event"] == item.policy.study) & (item.reporter == "China")
    return view.tests[seen & bool(item.policy.study)]


def evidence_frame(view: View) -> pd.DataFrame:
    """Event × evidence × conclusion, one row a policy and reporter.

    Returns
    -------
    Frame with policy, named, date, reporter, near (years within the span for which a level is known), effect, low,
    high (the step, 95 %), p, oil_effect and oil_p (beside the oil price), rank and n (of the year among all), fuels
    (what their quantity added in the country's trade), controls (number of synthetic ones), p_low and p_high
    (theirs), beside (other events of that year), tested and conclusion; effects are fractions. NaN where not known.
    """
    return pd.DataFrame([_evidence_row(view, item) for item in view.evidence])


def _evidence_row(view: View, item: Evidence) -> dict[str, Any]:
    step, oil = item.step, item.with_oil
    alone = item.bridged if step is None else (step.effect, step.low, step.high)
    beside = item.bridged_with_oil if oil is None else (oil.effect, oil.low, oil.high)
    controls = _controls_of(view, item)["p"]
    about_fuels = item.policy.fuels and item.reporter == "China" and item.year in view.fuels.index
    none = (np.nan, np.nan, np.nan)
    return {
        "policy": item.policy.name,
        "named": item.policy.named,
        "date": item.date,
        "reporter": item.reporter,
        "year": item.year,
        "near": [*item.before, *item.after],
        **dict(zip(("effect", "low", "high"), np.expm1(alone or none), strict=True)),
        "p": np.nan if step is None else step.p,
        "rank": np.nan if step is None else step.rank,
        "n": np.nan if step is None else step.n,
        "oil_effect": np.expm1(beside or none)[0],
        "oil_p": np.nan if oil is None else oil.p,
        "fuels": view.fuels["fuel_volume"].get(item.year) if about_fuels else np.nan,
        "controls": len(controls),
        "p_low": controls.min(),
        "p_high": controls.max(),
        "beside": interventions.at_the_same_time(item.year, view.events) if item.year else np.nan,
        "tested": item.knowable,
        "conclusion": conclude(view, item),
    }


def count_named(found: pd.DataFrame) -> dict[str, Any]:
    """Of the policies that the article names: n, unknown, later (had not begun), and kind.

    The kind is "absent" (none is about these flows), "unknown" (nothing of any can be known), "later" (the same of
    all that had begun) or "some".
    """
    conclusions = found.loc[found["named"], "conclusion"].tolist() if len(found) else []
    n, unknown, later = (
        len(conclusions),
        conclusions.count(KNOWN_NOTHING),
        conclusions.count(NOT_YET),
    )
    kind = "absent" if not n else "some" if unknown + later < n else "later" if later else "unknown"
    return {"n": n, "unknown": unknown, "later": later, "kind": kind}


def timeline(view: View) -> pd.DataFrame:
    """Past policies with a dated event: number, name, date, decimal year, whether named, event, note, address."""
    rows = view.events[view.events["policy"] != ""].rename(columns={"policy": "name"})
    rows = rows.assign(when=rows["date"].map(interventions.when))
    table = rows[["name", "date", "when", "named", "event", "note", "url"]]
    table = table.sort_values("when", kind="stable", ignore_index=True)
    table.insert(0, "number", np.arange(1, len(table) + 1))
    return table


def estimates(view: View) -> list[Estimate]:
    """Steps of the policies that can be tested, for the result."""
    return [
        Estimate(
            target=f"step, {item.policy.name}, {item.reporter}",
            period=item.year,
            output_type="point",
            value=float(f"{item.step.effect:.3g}"),
            unit="log growth",
        )
        for item in view.evidence
        if item.step is not None
    ]


CONTROL_LINE = (
    "Synthetic controls from CEPII BACI country pairs 2000–2020, computed here (data/reference); band: 90 % of the "
    "gaps of flows at which nothing was aimed."
)

PLACEBO_LINE = (
    "CEPII BACI country pairs 2000–2020, computed here (data/reference/placebo_rates.csv); bars: 90 %, whole event "
    "years resampled."
)


def detectable(view: View) -> dict[str, Any]:
    """How large an effect would have to be to be seen at a flow of this size, with a full record.

    Returns
    -------
    kind ("none": no level, "rare": too few flows of its size, "known"), and then size (class in words), before
    (years), low and high (nine gaps in ten, fractions).
    """
    level = view.levels[view.case.reporter]
    if level.empty:
        return {"kind": "none"}
    size = int(reference.size_class(float(level.median()) * 1e6))
    kept = read_kept("placebo_rates.csv")
    rows = kept[(kept["size_class"] == size) & (kept["chosen"] == "any")]
    if rows.empty:
        return {"kind": "rare"}
    row = rows.sort_values("before").iloc[-1]
    low, high = np.expm1([row["gap_low"], row["gap_high"]])
    before = int(row["before"])
    return {"kind": "known", "size": reference.size_label(size), "before": before, "low": low, "high": high}


def placebo_table() -> pd.DataFrame:
    """Share of pretended events called real, by size and years before: at random and after a boom."""
    kept = read_kept("placebo_rates.csv")
    wide = kept.pivot(index=["size_class", "before"], columns="chosen")
    found = {
        f"{chosen}{end}": wide[(f"rejected{end}", chosen)]
        for chosen in ("any", "boom")
        for end in ("", "_low", "_high")
    }
    table = pd.DataFrame(found)
    # The size stands once, below the middle of its group.
    middle = sorted(set(kept["before"]))[kept["before"].nunique() // 2]
    table.index = [
        f"{before} years" + (f"\n{_short(int(size))}" if before == middle else "")
        for size, before in table.index
    ]
    return table


def _short(size: int) -> str:
    return reference.size_label(size)


def placebo_shares() -> dict[str, float]:
    """Pretended events that the test calls real, over all kept rows: n, any, boom, and up (rises among the last)."""
    kept = read_kept("placebo_rates.csv")
    weighed = kept[["rejected", "rejected_up"]].mul(kept["n"], axis=0).groupby(kept["chosen"]).sum()
    shares = weighed.div(kept["n"].groupby(kept["chosen"]).sum(), axis=0)
    boom = shares.loc["boom"]
    up = boom["rejected_up"] / boom["rejected"]
    return {"n": kept["n"].sum(), "any": shares.loc["any", "rejected"], "boom": boom["rejected"], "up": up}


def controls(view: View) -> pd.DataFrame:
    """Every kept synthetic control with its placebo tests; gaps as fractions, `flow` as "RUS to CHN"."""
    rows = view.tests
    logs = ["effect", "placebo_low", "placebo_high", "earlier_effect"]
    return rows.assign(flow=rows["exporter"] + " to " + rows["importer"], **np.expm1(rows[logs]))


def weights(view: View) -> pd.DataFrame:
    """The four largest donors of each synthetic control: event, flow, pool, donor, weight (fraction)."""
    key = ["event", "exporter", "importer", "pool"]
    kept = read_kept("policy_weights.csv").merge(view.tests[key], on=key)
    top = kept.groupby(key, sort=False).head(4)
    return top.assign(flow=top["exporter"] + " to " + top["importer"])


def gap_frames(view: View) -> dict[tuple[str, str, str], dict[str, pd.DataFrame]]:
    """Gaps by event and flow, and within these by pool, for figures; of events with two years after and more."""
    found: dict[tuple[str, str, str], dict[str, pd.DataFrame]] = {}
    for row in view.tests[view.tests["after"] >= 2].itertuples():
        key = (str(row.event), str(row.exporter), str(row.importer))
        same = view.gaps[["event", "exporter", "importer", "pool"]].eq([*key, row.pool]).all(axis=1)
        found.setdefault(key, {})[str(row.pool)] = view.gaps[same].set_index("year")
    return found
