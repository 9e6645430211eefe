"""Whether policies mattered, as tables and sentences: event, evidence, conclusion.

Synthetic controls and what such tests can and cannot see, as tables and sentences.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import reference
from lib.analysis import interventions
from lib.analysis.interventions import Evidence, Step, read_policies
from lib.analysis.movers import p_value
from lib.cases import PolicyCase
from lib.reference import read_kept
from lib.results import Estimate
from lib.series import annual_series, exchange_rates
from lib.words import percent, rate

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
    controls = controls_of(view, item)
    worst = controls.groupby(["exporter", "importer"])["p"].max()  # over the pools of donors
    return ORDINARY if len(worst) and worst.min() > view.case.level else STANDS_OUT


def _is_seen(view: View, step: Step | None, bridged: tuple[float, float, float] | None) -> bool:
    """Whether a step is significant; across a gap, whether its 95 % interval leaves 0 out."""
    if step is not None:
        return step.p <= view.case.level
    return bridged is not None and bridged[1] * bridged[2] > 0


def controls_of(view: View, item: Evidence) -> pd.DataFrame:
    """The kept synthetic controls that speak to a policy: of the country's trade alone."""
    seen = (view.tests["event"] == item.policy.study) & (item.reporter == "China")
    return view.tests[seen & bool(item.policy.study)]


def policy_table(view: View, named: bool) -> pd.DataFrame:
    """Event × evidence × conclusion, of the policies that the article names or of the others; formatted."""
    rows = [item for item in view.evidence if item.policy.named == named]
    return pd.DataFrame(
        {
            "policy or shock": [item.policy.name for item in rows],
            "date": [item.date.replace("-", "\N{NON-BREAKING HYPHEN}") for item in rows],
            "trade of": [item.reporter for item in rows],
            "evidence": [evidence_words(view, item) for item in rows],
            "conclusion": [conclude(view, item) for item in rows],
            "events beside it": [_others(view, item) for item in rows],
        }
    )


def _others(view: View, item: Evidence) -> str:
    return str(interventions.at_the_same_time(item.year, view.events)) if item.year else ""


def evidence_words(view: View, item: Evidence) -> str:
    """What the record shows of one policy, in numbers."""
    if not item.date:
        return (
            "the event had not happened by this day" if item.policy.date else "no dated event in the record"
        )
    if not item.knowable:
        return (
            f"levels within {view.case.span} years: before {_years(item.before)}, from {item.year} on "
            f"{_years(item.after)}; no step can be estimated"
        )
    parts = [_step_words(item)]
    if item.policy.fuels and item.reporter == "China" and item.year in view.fuels.index:
        parts.append(_fuel_words(view, item.year))
    controls = controls_of(view, item)
    if len(controls):
        low, high = controls["p"].min(), controls["p"].max()
        parts.append(f"synthetic controls, {len(controls)}: p from {p_value(low)} to {p_value(high)}")
    return "; ".join(parts)


def _step_words(item: Evidence) -> str:
    if item.step is None:
        return _bridged_words(item)
    step = item.step
    text = (
        f"step of {step.year}: {_effect(step.effect, step.low, step.high)}, p {p_value(step.p)}; "
        f"{step.rank} of {step.n} years as far from the others"
    )
    if item.with_oil is None:
        return text
    return f"{text}; beside the oil price {change(item.with_oil.effect)}, p {p_value(item.with_oil.p)}"


def _bridged_words(item: Evidence) -> str:
    alone, beside = item.bridged, item.bridged_with_oil
    text = "" if alone is None else f"step of {item.year} across a gap of the record: {_effect(*alone)}"
    return text if beside is None else f"{text}; beside the oil price {_effect(*beside)}"


def _fuel_words(view: View, year: int) -> str:
    volume = view.fuels["fuel_volume"]
    rank = int((volume >= volume[year]).sum())
    return f"quantity of fuels added {volume[year] * 100:.1f} points to the country's trade, rank {rank} of {len(volume)} years"


def _effect(effect: float, low: float, high: float) -> str:
    return f"{change(effect)} ({change(low)} to {change(high)})"


def change(log_units: float) -> str:
    """A log change as a rate with three digits; from tenfold on as a multiple."""
    if log_units > np.log(10):
        return f"× {np.exp(log_units):.2g}"
    return rate(float(f"{np.expm1(log_units):.3g}"))


def _years(years: list[int]) -> str:
    return ", ".join(map(str, years)) or "none"


def in_words(view: View) -> str:
    """The answer: what the record says of the policies that the article names, and of the others."""
    if not view.evidence:
        return f"The policies looked at here were about China's trade with Russia; none was about {view.case.flow_name}."
    found = [(item, conclude(view, item)) for item in view.evidence]
    named = [text for item, text in found if item.policy.named]
    out = [item for item, text in found if text == STANDS_OUT]
    tested = sum(item.knowable for item, _ in found)
    city = _named_words(named) if named else ""
    names = "; ".join(f"{item.policy.name} ({item.reporter}, {item.year})" for item in out) or "none"
    return (
        f"{city}Of {len(found)} pairs of policy and flow, {tested} can be tested at all; at the {view.case.level_pct} % level "
        f"these stand out from ordinary years and from the oil price: **{names}**. By chance alone "
        f"{tested * view.case.level:.1f} would."
    )


def _named_words(named: list[str]) -> str:
    """What became of the policies that the article names."""
    unknown, later = named.count(KNOWN_NOTHING), named.count(NOT_YET)
    waiting = f", and {later} had not begun" if later else ""
    why = (
        ": around none of them are there levels of the city to compare"
        if unknown + later == len(named)
        else ""
    )
    return (
        f"Of the **{len(named)} policies that the article names**, the effect of **{unknown}** cannot be known from "
        f"this record{waiting}{why}. "
    )


def timeline(view: View) -> pd.DataFrame:
    """Past policies with a dated event: number, name, date, decimal year, whether named, event, note, address."""
    rows = view.events[view.events["policy"] != ""].rename(columns={"policy": "name"})
    rows = rows.assign(when=rows["date"].map(interventions.when))
    table = rows[["name", "date", "when", "named", "event", "note", "url"]]
    table = table.sort_values("when", kind="stable", ignore_index=True)
    table.insert(0, "number", np.arange(1, len(table) + 1))
    return table


def timeline_table(table: pd.DataFrame) -> pd.DataFrame:
    """The numbered events with their sources; formatted."""
    dates = table["date"].str.replace("-", "\N{NON-BREAKING HYPHEN}")
    return table.assign(date=dates)[["number", "date", "event", "note", "url"]].rename(
        columns={"url": "source"}
    )


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


def detectable_words(view: View) -> str:
    """How large an effect would have to be to be seen at a flow of this size, with a full record."""
    level = view.levels[view.case.reporter]
    size = int(reference.size_class(float(level.median()) * 1e6))
    kept = read_kept("placebo_rates.csv")
    rows = kept[(kept["size_class"] == size) & (kept["chosen"] == "any")]
    if rows.empty:
        return f"Flows as large as {view.case.reporter}'s are too few for a placebo study."
    row = rows.sort_values("before").iloc[-1]
    return (
        f"Suppose the record of {view.case.reporter} were complete. At flows of its size ({reference.size_label(size)} a year), "
        f"{row['before']:.0f} years before and three after a day on which nothing happened, nine gaps in ten to the synthetic "
        f"control lie between {change(row['gap_low'])} and {change(row['gap_high'])}. A policy "
        "would have to move trade by more than that to be seen."
    )


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


def placebo_words() -> str:
    """How much more often a test rejects when it is set on a flow that has just boomed, and in which direction."""
    kept = read_kept("placebo_rates.csv")
    weighed = kept[["rejected", "rejected_up"]].mul(kept["n"], axis=0).groupby(kept["chosen"]).sum()
    shares = weighed.div(kept["n"].groupby(kept["chosen"]).sum(), axis=0)
    boom = shares.loc["boom"]
    return (
        f"Over {kept['n'].sum():.0f} pretended events, a test that promises 5 % called {percent(shares.loc['any', 'rejected'])} "
        f"of them real where the flow was chosen at random, and **{percent(boom['rejected'])}** where it was chosen because "
        f"it had just boomed ({percent(boom['rejected_up'] / boom['rejected'])} of these a rise, the others a fall). "
        "Flows that boom are restless, and go on straying further than their calmer donors, up and down."
    )


def control_table(view: View) -> pd.DataFrame:
    """Every kept synthetic control with its placebo tests; formatted."""
    rows = view.tests
    return pd.DataFrame(
        {
            "event": rows["event"],
            "flow": [f"{a} to {b}" for a, b in zip(rows["exporter"], rows["importer"], strict=True)],
            "donors": rows["pool"],
            "years before, after": [f"{b}, {a}" for b, a in zip(rows["before"], rows["after"], strict=True)],
            "gap after": rows["effect"].map(change),
            "90 % of donors": [
                f"{change(low)} to {change(high)}"
                for low, high in zip(rows["placebo_low"], rows["placebo_high"], strict=True)
            ],
            "p": rows["p"].map(p_value),
            "gap, pretended three years earlier": rows["earlier_effect"].map(change),
            "p of that": rows["earlier_p"].map(p_value),
        }
    )


def weight_table(view: View) -> pd.DataFrame:
    """The donors that make up each synthetic control, the largest four; formatted."""
    kept = read_kept("policy_weights.csv")
    key = ["event", "exporter", "importer", "pool"]
    kept = kept.merge(view.tests[key], on=key)
    rows = []
    for (event, exporter, importer, pool), part in kept.groupby(key, sort=False):
        top = "; ".join(f"{row.donor} {row.weight * 100:.0f} %" for row in part.head(4).itertuples())
        rows.append(
            {"event": event, "flow": f"{exporter} to {importer}", "donors": pool, "largest weights": top}
        )
    return pd.DataFrame(rows)


def gap_frames(view: View) -> dict[tuple[str, str, str], dict[str, pd.DataFrame]]:
    """Gaps by event and flow, and within these by pool, for figures; of events with two years after and more."""
    found: dict[tuple[str, str, str], dict[str, pd.DataFrame]] = {}
    for row in view.tests[view.tests["after"] >= 2].itertuples():
        key = (str(row.event), str(row.exporter), str(row.importer))
        same = view.gaps[["event", "exporter", "importer", "pool"]].eq([*key, row.pool]).all(axis=1)
        found.setdefault(key, {})[str(row.pool)] = view.gaps[same].set_index("year")
    return found
