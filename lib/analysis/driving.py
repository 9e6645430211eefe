"""Breaks, drivers and what they add to a forecast, as tables and sentences."""

from typing import Any

import numpy as np
import pandas as pd

from lib import growth
from lib.analysis import breaks, regressions
from lib.analysis.movers import View, p_value, points, signed, span, whole_points
from lib.plots import why
from lib.results import Estimate
from lib.words import percent

LEAST_FORECASTS = 8
"""With fewer forecasts than this, no word on which is better."""


def find_break(view: View) -> tuple[breaks.Break, pd.Series] | None:
    """The most likely break in the mean of the longest run of log growth; None where the run is too short."""
    run = view.run
    return (breaks.sup_f(run.to_numpy(), view.case.trim), run) if len(run) >= breaks.LEAST_VALUES else None


def break_figure(view: View, sources: str) -> Any:
    """Growth of the run with its means around the most likely break; None where the run is too short."""
    best = find_break(view)
    place, found = (best[0].place, best[0].p <= 0.05) if best else (None, False)
    title = f"{view.subject}–{view.case.partner}: growth, and its means around the likeliest break"
    return why.segments(view.run, place, found, title, sources)


def break_words(view: View) -> str:
    """Whether growth broke, in words that say what could have been seen."""
    found = find_break(view)
    if found is None:
        return (
            f"No flow here has {breaks.LEAST_VALUES} consecutive growth rates ({view.subject}: "
            f"{len(view.run)}); a break cannot be looked for."
        )
    best, run = found
    sd = float(np.std(run, ddof=1))
    seen = breaks.detectable(len(run), sd, view.case.trim)
    limit = breaks.critical_value(len(run), view.case.trim)
    verdict = "a break" if best.p <= 0.05 else "no break beyond what chance gives"
    return (
        f"{view.subject}–{view.case.partner}, {len(run)} growth rates {run.index[0]}–{run.index[-1]}: **{verdict}**. The "
        f"best candidate is {run.index[best.place]}, when mean growth went from {points(best.before)} to "
        f"{points(best.after)} log points a year: sup F {best.f:.1f}, p {p_value(best.p)} by permutation (5 % limit "
        f"for so few years {limit:.1f}, asymptotically {breaks.ANDREWS_5_PCT}). A break would have to reach about "
        f"{whole_points(seen)} points a year to be found four times in five, so that smaller ones may well be there."
    )


def break_table(view: View) -> pd.DataFrame:
    """Best partitions of the run by number of breaks, with the criteria that choose between them; formatted."""
    run = view.run
    if len(run) < breaks.LEAST_VALUES:
        return pd.DataFrame()
    found = breaks.partitions(run.to_numpy(), trim=view.case.trim)
    best_bic, best_lwz = (min(found, key=lambda one: getattr(one, name)) for name in ("bic", "lwz"))
    return pd.DataFrame(
        {
            "breaks": [len(one.places) for one in found],
            "first years of the new mean": [
                ", ".join(str(run.index[place]) for place in one.places) or "–" for one in found
            ],
            "sum of squares": [f"{one.ssr:.3f}" for one in found],
            "BIC": [
                f"{one.bic:.1f}".replace("-", "−") + (" (least)" if one is best_bic else "") for one in found
            ],
            "LWZ": [
                f"{one.lwz:.2f}".replace("-", "−") + (" (least)" if one is best_lwz else "") for one in found
            ],
        }
    )


def driver_table(view: View) -> pd.DataFrame:
    """The years of the subject with all drivers: growth and drivers, in logs."""
    return regressions.with_drivers(view.usd, view.drivers)


def enough(table: pd.DataFrame) -> bool:
    """Whether there are years enough for a regression."""
    return len(table) >= regressions.LEAST_YEARS


def coefficient_table(table: pd.DataFrame) -> pd.DataFrame:
    """Coefficients with intervals, their range when each year is left out, and inflation factors; formatted."""
    if not enough(table):
        return pd.DataFrame()
    found, moved = regressions.fit(table), regressions.without_each_year(table)
    names = list(regressions.DRIVERS)
    return pd.DataFrame(
        {
            "driver": [regressions.DRIVERS[name] for name in names],
            "trade moves with 1 % of it by": [f"{signed(found.loc[n, 'coefficient'], 3)} %" for n in names],
            "95 % interval": [span(found.loc[n, "low"], found.loc[n, "high"]) for n in names],
            "p": [p_value(found.loc[n, "p"]) for n in names],
            "leaving out each year in turn": [span(moved[n].min(), moved[n].max()) for n in names],
            "variance inflation": [f"{found.loc[n, 'vif']:.1f}" for n in names],
        }
    )


def driver_words(view: View, table: pd.DataFrame) -> str:
    """What the regression says, which coefficients hold and which do not."""
    if not enough(table):
        return (
            f"{view.subject}–{view.case.partner} has {len(table)} years with all drivers; with fewer than "
            f"{regressions.LEAST_YEARS} nothing is fitted."
        )
    found, moved = regressions.fit(table), regressions.without_each_year(table)
    firm = [
        name
        for name in regressions.DRIVERS
        if found.loc[name, "p"] <= 0.05 and abs(np.sign(moved[name]).sum()) == len(moved)
    ]
    names = " and ".join(regressions.DRIVERS[name] for name in firm) or "none of them"
    oil = found.loc["oil", "coefficient"]
    return (
        f"In {len(table)} years of {view.subject}–{view.case.partner} ({table.index[0]}–{table.index[-1]}) the four drivers "
        f"of the same year go with {percent(found.attrs['r2'])} of the variance of growth. Trade moved by "
        f"{signed(oil, 2)} % with 1 % of the oil price. Significant and of one sign whichever year is left out: {names}. "
        "The four move together, so that what belongs to which is less sure than the sum."
    )


def forecast_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores by model; formatted."""
    return pd.DataFrame(
        {
            "forecast from": [regressions.MODELS[name] for name in scores.index],
            "who could have made it": [
                "nobody: it is told the future" if "foresight" in name else "anybody at the origin"
                for name in scores.index
            ],
            "root mean square error": [f"{v:.3f}" for v in scores["rmse"]],
            "mean absolute error": [f"{v:.3f}" for v in scores["mae"]],
            "CRPS": [f"{v:.3f}" for v in scores["crps"]],
            "80 % interval held": [percent(v) for v in scores["inside"]],
            "years better than the core model": [
                "" if name == "core" else f"{row.better:.0f} of {row.years:.0f}"
                for name, row in zip(scores.index, scores.itertuples(), strict=True)
            ],
        }
    )


def scores_of(view: View) -> pd.DataFrame:
    """Scores of the forecasts of the next year, by model; empty where the record is too short."""
    found = regressions.forecasts(view.usd, view.drivers)
    return regressions.summary(found) if len(found) else pd.DataFrame()


def forecast_words(view: View, scores: pd.DataFrame) -> str:
    """What drivers add to a forecast: known at the origin, and foreseen."""
    if scores.empty:
        return f"{view.subject}–{view.case.partner}: too few years with all drivers to try forecasts on."
    core = scores.loc["core", "crps"]
    known = scores.loc[["oil, known", "all, known"], "crps"].min()
    foreseen = scores.loc[["oil, foresight", "all, foresight"], "crps"].min()
    gain, told = 1 - known / core, 1 - foreseen / core
    if scores.loc["core", "years"] < LEAST_FORECASTS:
        return (
            f"Only {scores.loc['core', 'years']:.0f} forecasts can be tried: too few to say what drivers add."
        )
    adds = "nothing" if gain < 0.05 else f"{percent(gain)} of its score"
    return (
        f"In {scores.loc['core', 'years']:.0f} forecasts of the next year, drivers known at the origin add **{adds}** to the "
        f"core model (best CRPS {known:.3f} against {core:.3f}; lower is better). "
        + _foresight_words(foreseen, told)
    )


def _foresight_words(foreseen: float, told: float) -> str:
    if told < 0.1:
        return f"Even told what the drivers will do, the regression would score {foreseen:.3f}."
    return (
        f"Told what the drivers will do, the regression would score {foreseen:.3f}, {percent(told)} better: trade is "
        "hard to foresee because its drivers are."
    )


def explained(table: pd.DataFrame) -> pd.DataFrame:
    """Growth of the subject, what the regression makes of it, and the residual, by year; empty if too few years."""
    if not enough(table):
        return pd.DataFrame(columns=["growth", "fit", "residual"])
    parts = regressions.explained(table)
    return parts[["growth", "residual"]].assign(fit=parts["growth"] - parts["residual"])


def in_words(view: View, table: pd.DataFrame, scores: pd.DataFrame) -> str:
    """The answer of the notebook, in a few sentences."""
    case = view.case
    own = growth.log_growth(view.family[case.reporter]).dropna()
    lead = ""
    if len(own) < 2:
        lead = (
            f"For **{case.flow_name}** itself the record holds {len(own)} growth rate{'' if len(own) == 1 else 's'}, from "
            "which nothing can be explained. "
        )
        if view.subject != case.reporter:
            lead += f"What follows is of the larger flows, above all {view.subject}–{case.partner}. "
    return lead + f"{driver_words(view, table)} {forecast_words(view, scores)}"


def estimates(view: View, table: pd.DataFrame, scores: pd.DataFrame) -> list[Estimate]:
    """Numbers for the result: elasticity to oil, variance explained, p of a break, forecast scores."""
    rows: dict[str, tuple[float, str]] = {}
    if enough(table):
        found = regressions.fit(table)
        rows["oil elasticity"] = (found.loc["oil", "coefficient"], "per cent per per cent")
        rows["variance explained"] = (found.attrs["r2"], "fraction")
    if (best := find_break(view)) is not None:
        rows["p of a break"] = (best[0].p, "fraction")
    for name in scores.index:
        rows[f"CRPS, {name}"] = (scores.loc[name, "crps"], "log growth")
    last = int(view.usd.index[-1])
    return [
        Estimate(target=name, period=last, output_type="point", value=float(f"{value:.3g}"), unit=unit)
        for name, (value, unit) in rows.items()
    ]
