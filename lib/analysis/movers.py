"""What moved a flow: currency, prices, oil, parts of the whole, single years, breaks, drivers."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import growth
from lib.analysis import regressions
from lib.analysis.cases import DriverCase
from lib.errors import UserError
from lib.reference import read_kept

PARTS = {"yuan": "yuan against dollar", "prices": "China's prices, in yuan", "real": "quantity (the rest)"}


@dataclass(frozen=True)
class View:
    """What the notebook looks at.

    Parameters
    ----------
    case : the parameters.
    family : level by year of the flow and of each larger one, in the case's currency.
    subject : reporter of the flow with the longest unbroken record of growth, on which breaks and drivers are read;
        name : that flow in words.
    usd : its level in million dollars.
    drivers : log growth of the drivers by year, as far as over on the day; none where the trade is not that of China
        with Russia, of which they were chosen.
    """

    case: DriverCase
    family: dict[str, pd.Series]
    subject: str
    name: str
    usd: pd.Series
    drivers: pd.DataFrame

    @property
    def with_china(self) -> bool:
        """Whether China or a place in it is one side of the trade."""
        above, names = fig.parents(), [self.subject]
        while parent := above.get(names[-1]):
            names.append(parent)
        return "China" in (*names, self.case.partner)

    @property
    def state(self) -> str:
        """Why drivers explain nothing, where they do not: "other" trade, growth that stands "still", or "few" years."""
        if self.drivers.empty:
            return "other"
        return "still" if regressions.is_still(growth.log_growth(self.usd).dropna()) else "few"

    @property
    def run(self) -> pd.Series:
        """The longest unbroken run of the subject's log growth, in the case's currency."""
        return _longest_run(growth.log_growth(self.family[self.subject]).dropna())


def look(case: DriverCase) -> View:
    """Read the flow, the larger flows that contain it, and the drivers, as known on the case's day."""
    members = {member.reporter: member for member in [case, *case.lineage()]}
    family = {name: member.series()["value_mn"] for name, member in members.items()}
    subject = max(family, key=lambda name: len(_longest_run(growth.log_growth(family[name]).dropna())))
    usd = members[subject].model_copy(update={"currency": "USD"}).series()["value_mn"]
    driven_by = regressions.drivers(fig.load_covariates(), case.as_of.year)
    if not {"China", "Russia"} <= {*family, case.partner}:
        driven_by = driven_by.iloc[:0]
    return View(case, family, subject, members[subject].flow_name, usd, driven_by)


def _longest_run(rates: pd.Series) -> pd.Series:
    """The longest run of consecutive years; the later one of two."""
    if rates.empty:
        return rates
    runs = rates.groupby((rates.index.to_series().diff() != 1).cumsum().to_numpy())
    return max((run for _, run in runs), key=lambda run: (len(run), run.index[-1]))


# --- growth taken apart into pieces that add up exactly: log growth, or contributions to growth ---


def log_parts(level: pd.Series, factors: dict[str, pd.Series], rest: str = "rest") -> pd.DataFrame:
    """Log growth of a level as the sum of the log growth of its factors and what they leave.

    A level in dollars is, for instance, dollars a yuan × price in yuan × quantity; the factors that are known
    are taken off, and the remainder is named `rest`.

    Parameters
    ----------
    level : Series by year, positive.
    factors : names and Series by year, positive; each multiplies the level.

    Returns
    -------
    Frame by year: growth, one column a factor, the remainder; the columns after the first add up to it. Years
    in which any of them is not known are left out.
    """
    parts = pd.DataFrame({"growth": growth.log_growth(level)})
    for name, factor in factors.items():
        parts[name] = growth.log_growth(factor.reindex(level.index.union(factor.index)))
    parts[rest] = parts["growth"] - parts[list(factors)].sum(axis=1, skipna=False)
    return parts.dropna()


def gdp_deflator(nominal_usd: pd.Series, real_growth_pct: pd.Series, cny_per_usd: pd.Series) -> pd.Series:
    """Price level of China's output in yuan, an index by year: nominal GDP in yuan / real GDP; 1 in its first year."""
    prices = growth.log_growth(nominal_usd * cny_per_usd).sub(np.log1p(real_growth_pct / 100)).dropna()
    index = np.exp(prices.cumsum())
    return pd.concat([pd.Series([1.0], index=[int(prices.index[0]) - 1]), index]).rename_axis("year")


def currency_parts(view: View) -> pd.DataFrame:
    """Log growth in dollars of the subject as yuan, Chinese prices and the rest, by year; none without China."""
    if not view.with_china:
        return pd.DataFrame(columns=["growth", *PARTS])
    over = view.case.as_of.year - 1
    cny = fig.covariate("cny_per_usd").loc[:over]
    gdp, real = (fig.covariate(f"china_gdp_{name}").loc[:over] for name in ("current_usd", "real_growth_pct"))
    prices = gdp_deflator(gdp, real, cny)
    return log_parts(view.usd, {"yuan": 1 / cny, "prices": prices}, rest="real")


def fuel_parts(view: View) -> pd.DataFrame:
    """Kept contributions of fuel prices and quantities to China's flow with Russia, for years over on the day."""
    case, kept = view.case, read_kept("fuel_split.csv")
    if case.reporter == "Russia":
        case = case.mirror()
    ours = case.partner == "Russia" and "China" in (*view.family, case.reporter)
    rows = kept[ours & (kept["flow"] == case.flow) & (kept["year"] < case.as_of.year)]
    return rows.drop(columns="flow").set_index("year")


def parts_of_whole(view: View) -> pd.DataFrame:
    """Each smaller flow in the next larger one, by year.

    Returns
    -------
    Frame with part, whole (names), year, share, growth (of the whole), from_part and from_rest (contributions that
    add up to it; NaN next to a gap); fractions.
    """
    names = ["part", "whole", "year", "share", "growth", "from_part", "from_rest"]
    rows = [pd.DataFrame(columns=names)]
    for small, large in pairwise(view.family):
        known = pd.DataFrame({"part": view.family[small], "whole": view.family[large]}).dropna()
        split = pd.DataFrame({"part": known["part"], "rest": known["whole"] - known["part"]})
        moved = growth.contributions(split) if (split >= 0).all(axis=None) and len(split) else split * np.nan
        found = moved.add_prefix("from_").assign(growth=moved.sum(axis=1, skipna=False))
        found = found.assign(part=small, whole=large, share=known["part"] / known["whole"])
        rows.append(found.rename_axis("year").reset_index()[names])
    return pd.concat(rows[1:] or rows, ignore_index=True)


def both_flows(view: View) -> pd.DataFrame:
    """Exports and imports of the subject, by year of which both and those a year before are known.

    Returns
    -------
    Frame with year, growth (of their sum), export and import (contributions), import_share; fractions.
    """
    names, parts = ["year", "growth", "export", "import", "import_share"], {}
    for flow in ("export", "import") if view.case.flow == "total" else ():
        case = view.case.model_copy(update={"reporter": view.subject, "flow": flow})
        try:
            parts[flow] = case.series()["value_mn"]
        except UserError:  # the record has no such flow, or the day knew none
            continue
    both = pd.DataFrame(parts).dropna()
    if len(parts) < 2 or both.empty:
        return pd.DataFrame(columns=names)
    moved = growth.contributions(both).dropna()
    share = (both["import"] / both.sum(axis=1)).reindex(moved.index)
    found = moved.assign(growth=moved.sum(axis=1), import_share=share)
    return found.rename_axis("year").reset_index()[names]


def aside(family: dict[str, pd.Series], year: int) -> pd.DataFrame:
    """How much of the growth of each flow over its whole record one year brought.

    Returns
    -------
    Frame, one row a flow of three levels and more among which that year's growth is: name, first, last (years),
    with_year (growth a year over the record), without_year (of the other years, as if that year had not been), in_year
    (its growth), share (its part of the log growth in all); fractions.
    """
    rows = []
    for name, level in family.items():
        known = level.dropna()
        if not {year - 1, year} <= set(known.index) or len(known) < 3:
            continue
        first, last = int(known.index[0]), int(known.index[-1])
        total, own = np.log(known[last] / known[first]), np.log(known[year] / known[year - 1])
        row = {"name": name, "first": first, "last": last, "with_year": np.expm1(total / (last - first))}
        row |= {"without_year": np.expm1((total - own) / (last - first - 1)), "in_year": np.expm1(own)}
        rows.append(row | {"share": own / total if total else np.nan})
    return pd.DataFrame(rows)


LEAST_FORECASTS = 8
"""With fewer forecasts than this, no word on which is better."""


def gains(scores: pd.DataFrame) -> dict[str, Any]:
    """What drivers add to a forecast of the next year, from `regressions.summary`.

    Returns
    -------
    n (forecasts), kind ("without", "few", "worse", "nothing" or "some" gain), and where they are enough core, known
    and foreseen (best CRPS of each), gain and told (shares of the core's CRPS), foresight ("little" or "much").
    """
    n = 0 if scores.empty else int(scores.loc["core", "years"])
    if n < LEAST_FORECASTS:
        return {"n": n, "kind": "few" if n else "without"}
    core = scores.loc["core", "crps"]
    known = scores.loc[["oil, known", "all, known"], "crps"].min()
    foreseen = scores.loc[["oil, foresight", "all, foresight"], "crps"].min()
    gain, told = 1 - known / core, 1 - foreseen / core
    kind = "worse" if gain < 0 else "nothing" if gain < 0.05 else "some"
    found = {"core": core, "known": known, "foreseen": foreseen, "gain": gain, "told": told}
    return {"n": n, "kind": kind, "foresight": "little" if told < 0.1 else "much"} | found
