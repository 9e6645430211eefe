"""How much trade moved with oil, the rouble and Russian growth: elasticities estimated on the record of the day."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import growth
from lib.params import GoalCase

DRIVERS = {
    "oil": "the price of Brent",
    "rouble": "the value of the rouble in dollars",
    "gdp": "Russia's real GDP",
}
MIN_YEARS = 6
"""Fewer yearly growth rates say nothing of an elasticity."""


class Elasticity(NamedTuple):
    """Per cent of trade for a per cent of a driver.

    `sd` is the standard error (Newey & West 1987, one lag); `years` is how many growth rates it rests on, `r2` the
    share of their variance that the driver goes with.
    """

    driver: str
    value: float
    sd: float
    years: int
    r2: float
    source: str


def drivers(case: GoalCase) -> pd.DataFrame:
    """Yearly log change of each driver for the years that were over on the case's day; by year."""
    wide = fig.load_covariates().pivot(index="year", columns="variable", values="value")
    wide = wide.loc[: case.as_of.year - 1]
    return pd.DataFrame(
        {
            "oil": np.log(wide["brent_usd_per_bbl"]).diff(),
            "rouble": -np.log(wide["rub_per_usd"]).diff(),
            "gdp": np.log1p(wide["russia_gdp_real_growth_pct"] / 100),
        }
    )


def largest(case: GoalCase) -> GoalCase:
    """The largest flow that contains the case's: it has the longest record, and its parts move with it."""
    return [case, *case.lineage()][-1]


def estimate(case: GoalCase, driver: str) -> Elasticity | None:
    """Slope of the yearly log growth of the largest flow on one driver; None where the day knew too few years.

    One driver at a time: over so few years oil, rouble and GDP move together and cannot be told apart.
    """
    top = largest(case)
    rates = growth.log_growth(top.series()["value_mn"])
    both = pd.DataFrame({"growth": rates, "driver": drivers(case)[driver]}).dropna()
    if len(both) < MIN_YEARS:
        return None
    slope, sd, r2 = regress(both["growth"].to_numpy(), both["driver"].to_numpy())
    source = (
        f"{top.reporter}'s trade with {top.partner} on {DRIVERS[driver]}, {len(both)} years {both.index.min()}–"
        f"{both.index.max()}: elasticity {slope:.2f} (standard error {sd:.2f}), R² {r2:.2f}"
    )
    return Elasticity(driver, slope, sd, len(both), r2, source)


def regress(y: np.ndarray, x: np.ndarray) -> tuple[float, float, float]:
    """Slope, its standard error robust to autocorrelation and unequal variance (Newey & West 1987), and R²."""
    from statsmodels.regression.linear_model import OLS

    design = np.column_stack([np.ones_like(x), x])
    robust = {"maxlags": 1, "use_correction": True}
    fitted = OLS(y, design).fit(cov_type="HAC", cov_kwds=robust, use_t=True)
    return float(fitted.params[1]), float(fitted.bse[1]), float(fitted.rsquared)
