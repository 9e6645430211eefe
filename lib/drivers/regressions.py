"""Regressions of a flow's log growth on what may drive it, with what so few years can and cannot say.

The drivers are changes of the same year: they explain afterwards. What they are worth before the year is the
subject of `lib.drivers.ahead`.
"""

from typing import Any

import numpy as np
import pandas as pd

from lib.errors import UserError
from lib.growth import log_growth

DRIVERS = {
    "oil": "oil price (Brent, dollars)",
    "rouble": "dollars a rouble",
    "russia_gdp": "real GDP of Russia",
    "china_gdp": "real GDP of China",
}
"""Drivers by short name, all as log growth of the year's average (prices) or of the year (GDP)."""
LEAST_YEARS = 12
"""Four drivers and a constant leave seven degrees of freedom then; with fewer years nothing is fitted."""
LAGS = 2


def drivers(covariates: pd.DataFrame, before: int) -> pd.DataFrame:
    """Log growth of each driver by year, from years that ended before a calendar year.

    Parameters
    ----------
    covariates : as `lib.figures.load_covariates` gives them.
    before : only earlier years are used; the year of an as-of date, so that nothing of it leaks in.

    Returns
    -------
    Frame by year with the columns of `DRIVERS`; NaN where a driver is not known. Growth of the rouble is that of
    its price in dollars: positive when it gained.
    """
    wide = covariates[covariates["year"] < before].pivot(index="year", columns="variable", values="value")
    wide.index = wide.index.astype(int)
    return pd.DataFrame(
        {
            "oil": log_growth(wide["brent_usd_per_bbl"]),
            "rouble": -log_growth(wide["rub_per_usd"]),
            "russia_gdp": np.log1p(wide["russia_gdp_real_growth_pct"] / 100),
            "china_gdp": np.log1p(wide["china_gdp_real_growth_pct"] / 100),
        }
    )


def with_drivers(level: pd.Series, driven_by: pd.DataFrame) -> pd.DataFrame:
    """Log growth of a flow (column growth) beside its drivers, for the years in which all are known."""
    return pd.concat([log_growth(level).rename("growth"), driven_by], axis=1).dropna().sort_index()


def fit(table: pd.DataFrame) -> pd.DataFrame:
    """Least squares of growth on the drivers with Newey & West (1987) standard errors.

    Parameters
    ----------
    table : column growth and one column a driver, by year; `LEAST_YEARS` rows or more.

    Returns
    -------
    Frame indexed by driver (and const): coefficient, low and high (95 %, t distribution, two lags, small-sample
    correction), p, vif (variance inflation factor: 1 / (1 − R² on the other drivers); NaN for const). R² stands
    in `attrs["r2"]`, years in `attrs["n"]`.
    """
    if len(table) < LEAST_YEARS:
        raise UserError(f"drivers: found {len(table)} years with all drivers, expected {LEAST_YEARS} or more")
    fitted = _ols(table, hac=True)
    found = fitted.conf_int().set_axis(["low", "high"], axis=1)
    found.insert(0, "coefficient", fitted.params)
    found = found.assign(p=fitted.pvalues, vif=vif(table))
    found.attrs = {"r2": float(fitted.rsquared), "n": len(table)}
    return found


def vif(table: pd.DataFrame) -> pd.Series:
    """Variance inflation factor of each driver: how much its variance grows because the others move along."""
    names = [name for name in table.columns if name != "growth"]
    correlation = np.corrcoef(table[names].to_numpy(), rowvar=False)
    return pd.Series(np.diag(np.linalg.inv(np.atleast_2d(correlation))), index=names)


def without_each_year(table: pd.DataFrame) -> pd.DataFrame:
    """Coefficients without each year in turn: one row a year left out, one column a driver (and const)."""
    return pd.DataFrame({year: _ols(table.drop(year)).params for year in table.index}).T


def explained(table: pd.DataFrame) -> pd.DataFrame:
    """Each year's growth as what each driver contributes, the constant and the residual: they add up exactly."""
    fitted = _ols(table)
    names = [name for name in table.columns if name != "growth"]
    parts = table[names] * fitted.params[names]
    return parts.assign(const=fitted.params["const"], residual=fitted.resid, growth=table["growth"])


def _ols(table: pd.DataFrame, hac: bool = False) -> Any:
    from statsmodels.regression.linear_model import OLS

    design = table.drop(columns="growth").assign(const=1.0)
    errors = {"cov_type": "HAC", "cov_kwds": {"maxlags": LAGS, "use_correction": True}, "use_t": True}
    return OLS(table["growth"], design).fit(**(errors if hac else {}))
