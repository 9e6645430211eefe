"""What moved a flow, as tables and sentences: currency, prices, oil, parts of the whole, single years."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import growth
from lib.analysis import decompose, regressions
from lib.cases import DriverCase
from lib.errors import UserError
from lib.reference import read_kept
from lib.words import percent, rate

BLOCK = 5
"""Years in a period of the decomposition."""

PARTS = {"yuan": "yuan against dollar", "prices": "China's prices, in yuan", "real": "quantity (the rest)"}

PRICE_LINE = (
    "Sources: levels data/figures.csv; yuan Federal Reserve; GDP World Bank; oil EIA; rouble World Bank "
    "(data/covariates.csv). Computed here."
)

FUEL_LINE = "Source: UN Comtrade, Russian customs, HS chapter 27; Brent EIA. Computed here (data/reference/fuel_split.csv)."

FUELS = {"fuel_price": "price of fuels", "fuel_volume": "quantity of fuels", "other": "everything else"}


@dataclass(frozen=True)
class View:
    """What the notebook looks at.

    Parameters
    ----------
    case : the parameters.
    family : level by year of the flow and of each larger one, in the case's currency.
    subject : name of the flow with the longest unbroken record of growth, on which breaks and drivers are read.
    usd : its level in million dollars.
    drivers : log growth of the drivers by year, as far as over on the day.
    """

    case: DriverCase
    family: dict[str, pd.Series]
    subject: str
    usd: pd.Series
    drivers: pd.DataFrame

    @property
    def run(self) -> pd.Series:
        """The longest unbroken run of the subject's log growth, in the case's currency."""
        return longest_run(growth.log_growth(self.family[self.subject]).dropna())


def look(case: DriverCase) -> View:
    """Read the flow, the larger flows that contain it, and the drivers, as known on the case's day."""
    members = {member.reporter: member for member in [case, *case.lineage()]}
    family = {name: member.series()["value_mn"] for name, member in members.items()}
    subject = max(family, key=lambda name: len(longest_run(growth.log_growth(family[name]).dropna())))
    usd = members[subject].model_copy(update={"currency": "USD"}).series()["value_mn"]
    driven_by = regressions.drivers(fig.load_covariates(), case.as_of.year)
    return View(case, family, subject, usd, driven_by)


def longest_run(rates: pd.Series) -> pd.Series:
    """The longest run of consecutive years; the later one of two."""
    if rates.empty:
        return rates
    runs = rates.groupby((rates.index.to_series().diff() != 1).cumsum().to_numpy())
    return max((run for _, run in runs), key=lambda run: (len(run), run.index[-1]))


def currency_parts(view: View) -> pd.DataFrame:
    """Log growth in dollars of the subject as yuan, Chinese prices and the rest, by year."""
    over = view.case.as_of.year - 1
    cny = fig.covariate("cny_per_usd").loc[:over]
    gdp, real = (fig.covariate(f"china_gdp_{name}").loc[:over] for name in ("current_usd", "real_growth_pct"))
    prices = decompose.gdp_deflator(gdp, real, cny)
    return decompose.log_parts(view.usd, {"yuan": 1 / cny, "prices": prices}, rest="real")


def currency_table(parts: pd.DataFrame) -> pd.DataFrame:
    """Mean log growth a year of each part over blocks of five years, in per cent; formatted."""
    starts = sorted({(int(year) - 1) // BLOCK * BLOCK + 1 for year in parts.index})
    blocks = {f"{start}–{start + BLOCK - 1}": (start, start + BLOCK - 1) for start in starts}
    found = decompose.by_period(parts, blocks)
    shown = found[["growth", *PARTS]].map(points)
    shown.columns = ["growth in dollars", *PARTS.values()]
    shown.insert(0, "years", found.index)
    return shown.assign(**{"years known": found["years"].astype(int)})


def currency_words(view: View, parts: pd.DataFrame) -> str:
    """How much of the growth in dollars was currency and prices."""
    if parts.empty:
        return f"{view.subject}–{view.case.partner} has no two consecutive years for which prices are known."
    mean = parts.mean()
    return (
        f"Over the {len(parts)} years in which all parts are known, {view.subject}–{view.case.partner} grew by "
        f"{points(mean['growth'])} log points a year in dollars: {points(mean['yuan'])} from a dearer yuan, "
        f"{points(mean['prices'])} from prices in China, {points(mean['real'])} from all else, quantity above all."
    )


def fuel_parts(view: View) -> pd.DataFrame:
    """Kept contributions of fuel prices and quantities to China's flow with Russia, for years over on the day."""
    if "China" not in view.family or view.case.partner != "Russia":
        return pd.DataFrame(columns=["growth", *FUELS, "fuel_share"])
    kept = read_kept("fuel_split.csv")
    rows = kept[(kept["flow"] == view.case.flow) & (kept["year"] < view.case.as_of.year)]
    return rows.drop(columns="flow").set_index("year")


def fuel_words(view: View, parts: pd.DataFrame) -> str:
    """What fuels did to the whole, and to the year set aside."""
    if parts.empty:
        return (
            "Trade by product, which parts oil from the rest, is kept for China and Russia 2001–2020 alone."
        )
    text = (
        f"Fuels rose from {percent(parts['fuel_share'].iloc[0])} of China's flow with Russia in "
        f"{parts.index[0]} to {percent(parts['fuel_share'].iloc[-1])} in {parts.index[-1]}. "
        f"From year to year their price moved the whole by {_meanwhole_points(parts['fuel_price'])} points, their quantity by "
        f"{_meanwhole_points(parts['fuel_volume'])}, all else by {_meanwhole_points(parts['other'])} (mean sizes)."
    )
    year = view.case.set_aside
    if year not in parts.index:
        return text
    row = parts.loc[year]
    return (
        f"{text} In {year} the flow grew by {rate(row['growth'])}: {points(row['fuel_price'])} points from the "
        f"price of fuels, {points(row['fuel_volume'])} from their quantity, {points(row['other'])} from the rest."
    )


def part_table(view: View) -> pd.DataFrame:
    """Share of each smaller flow in the next larger one, and its contribution to the growth, by year; formatted."""
    names = list(view.family)
    rows = [
        _part_rows(small, view.family[small], large, view.family[large]) for small, large in pairwise(names)
    ]
    return pd.concat(rows) if rows else pd.DataFrame()


def _part_rows(small: str, part: pd.Series, large: str, whole: pd.Series) -> pd.DataFrame:
    known = pd.DataFrame({"part": part, "whole": whole}).dropna()
    split = pd.DataFrame({"part": known["part"], "rest": known["whole"] - known["part"]})
    moved = growth.contributions(split) if (split >= 0).all(axis=None) and len(split) else split * np.nan
    return pd.DataFrame(
        {
            "part": small,
            "of": large,
            "year": known.index,
            "share": [share(value) for value in known["part"] / known["whole"]],
            "growth of the whole": [maybe_rate(v) for v in moved.sum(axis=1, skipna=False)],
            "points from the part": [points(v) for v in moved["part"]],
            "points from the rest": [points(v) for v in moved["rest"]],
        }
    )


def flow_table(view: View) -> pd.DataFrame:
    """Exports and imports of the subject: their contributions to its growth, by year; formatted."""
    case = view.case
    if case.flow != "total":
        return pd.DataFrame()
    parts = pd.DataFrame({flow: _level(case, view.subject, flow) for flow in ("export", "import")}).dropna()
    if parts.empty:
        return parts
    moved = growth.contributions(parts).dropna()
    return pd.DataFrame(
        {
            "year": moved.index,
            "growth of exports + imports": [rate(v) for v in moved.sum(axis=1)],
            "points from exports": moved["export"].map(points),
            "points from imports": moved["import"].map(points),
            "imports, share": [share(v) for v in (parts["import"] / parts.sum(axis=1)).reindex(moved.index)],
        }
    )


def _level(case: DriverCase, reporter: str, flow: str) -> pd.Series:
    try:
        return case.model_copy(update={"reporter": reporter, "flow": flow}).series()["value_mn"]
    except UserError:  # the record has no such flow, or the day knew none
        return pd.Series(dtype=float)


def aside_table(view: View) -> pd.DataFrame:
    """Growth of each flow with and without the year set aside; formatted."""
    rows, year = [], view.case.set_aside
    for name, level in view.family.items():
        if not {year - 1, year} <= set(level.index) or len(level) < 3:
            continue
        found = decompose.set_aside(level, year)
        rows.append(
            {
                "flow of": name,
                "years": f"{found['first']:.0f}–{found['last']:.0f}",
                f"growth in {year}": rate(found["in_year"]),
                "a year, all": rate(found["with_year"]),
                f"a year, without {year}": rate(found["without_year"]),
                f"share of {year} in all log growth": share(found["share"]),
            }
        )
    return pd.DataFrame(rows)


def covariate_sources() -> pd.DataFrame:
    """Where the drivers come from, one row a source."""
    table = fig.load_covariates()
    grouped = (
        table.groupby(["variable", "unit", "source_url"], sort=False)["year"]
        .agg(["min", "max"])
        .reset_index()
    )
    years = [f"{low}–{high}" for low, high in zip(grouped["min"], grouped["max"], strict=True)]
    return pd.DataFrame(
        {
            "variable": grouped["variable"],
            "unit": grouped["unit"],
            "years": years,
            "source": grouped["source_url"],
        }
    )


def points(value: float) -> str:
    """A fraction in points with its sign: 0.0334 → "+3.3"; empty where missing."""
    return "" if pd.isna(value) else f"{value * 100:+.1f}".replace("-", "−")


def whole_points(value: float) -> str:
    """Size of a fraction in whole points: 0.294 → "29"."""
    return f"{abs(value) * 100:.0f}"


def _meanwhole_points(values: pd.Series) -> str:
    return f"{values.abs().mean() * 100:.1f}"


def share(value: float) -> str:
    """A share with one decimal; empty where missing."""
    return "" if pd.isna(value) else f"{value * 100:.1f} %"


def maybe_rate(value: float) -> str:
    """A rate in words; empty where missing."""
    return "" if pd.isna(value) else rate(value)


def span(low: float, high: float) -> str:
    """Two numbers as a range, two digits each."""
    return f"{signed(low, 2)} to {signed(high, 2)}"


def signed(value: float, digits: int) -> str:
    """A number with its sign and so many significant digits."""
    return f"{value:+.{digits}g}".replace("-", "−")


def p_value(p: float) -> str:
    """A p-value in two digits, or "below 0.001"."""
    return "below 0.001" if p < 0.001 else f"{p:.2g}"
