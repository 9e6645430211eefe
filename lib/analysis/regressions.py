"""Regressions of a flow's log growth on what may drive it, with what so few years can and cannot say.

Drivers of the same year explain afterwards. What they add to a forecast of the next year's growth is tried out of
sample: *known* regressions use what the drivers did up to the origin, *foresight* is told what they will do in the
year forecast, which nobody is. Both are fitted to the years up to the origin only.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from lib import law as laws
from lib.growth import log_growth
from lib.reference import prior_for

DRIVERS = {
    "oil": "oil price (Brent, dollars)",
    "rouble": "dollars a rouble",
    "russia_gdp": "real GDP of Russia",
    "china_gdp": "real GDP of China",
}
"""Drivers by short name, all as log growth of the year's average (prices) or of the year (GDP)."""

LEAST_YEARS = 12
"""Four drivers and a constant leave seven degrees of freedom then; with fewer years nothing is fitted."""

STILL = 1e-4
"""Log growth whose range is less stands still: published digits could not tell it from that."""


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
    fitted = ols(table, lags=2)
    found = fitted.conf_int().set_axis(["low", "high"], axis=1)
    found.insert(0, "coefficient", fitted.params)
    # On standardised drivers the variance of a slope is the diagonal of the inverse of their correlations.
    correlation = table.drop(columns="growth").corr()
    vif = pd.Series(np.diag(np.linalg.inv(correlation)), index=correlation.index)
    found = found.assign(p=fitted.pvalues, vif=vif)
    found.attrs = {"r2": float(fitted.rsquared), "n": len(table)}
    return found


def coefficients(table: pd.DataFrame) -> pd.DataFrame:
    """What `fit` finds of each driver, and how fragile it is.

    Returns
    -------
    Frame with name, coefficient, low, high, p, vif, least and most (when each year is left out in turn) and firm
    (significant at 5 % and of one sign throughout); empty for fewer than `LEAST_YEARS` years, or growth that
    never changes.
    """
    if is_thin(table):
        return pd.DataFrame()
    found = fit(table).drop(index="const")
    moved = pd.DataFrame({year: ols(table.drop(year)).params for year in table.index}).T
    found = found.assign(least=moved.min(), most=moved.max(), name=pd.Series(DRIVERS))
    one_sign = np.sign(found["least"]) == np.sign(found["most"])
    return found.assign(firm=(found["p"] <= 0.05) & one_sign)


def is_still(rates: pd.Series) -> bool:
    """Whether log growth never changes, to the digits that a level may have: then there is nothing to explain."""
    return len(rates) > 0 and bool(np.ptp(rates) < STILL)


def is_thin(table: pd.DataFrame) -> bool:
    """Whether a table of growth and drivers is too short for a fit, or its growth never changes."""
    return len(table) < LEAST_YEARS or is_still(table["growth"])


def explained(table: pd.DataFrame) -> pd.DataFrame:
    """Each year's growth as what each driver contributes, the constant and the residual: they add up exactly.

    Columns are those, `growth`, and `fit` (growth without the residual); no row where `coefficients` has none.
    """
    if is_thin(table):
        return pd.DataFrame(columns=["growth", "fit", "residual"])
    fitted = ols(table)
    names = [name for name in table.columns if name != "growth"]
    parts = table[names] * fitted.params[names]
    fit = table["growth"] - fitted.resid
    return parts.assign(const=fitted.params["const"], residual=fitted.resid, growth=table["growth"], fit=fit)


def ols(table: pd.DataFrame, lags: int = 0) -> Any:
    """Least squares of the column growth on the others and a constant; errors of Newey & West (1987) with some lags."""
    from statsmodels.regression.linear_model import OLS

    design = table.drop(columns="growth").assign(const=1.0)
    errors = {"cov_type": "HAC", "cov_kwds": {"maxlags": lags, "use_correction": True}, "use_t": True}
    return OLS(table["growth"], design).fit(**(errors if lags else {}))


LEAST_RATES = 10
"""Growth rates before the first origin: four drivers and a constant then leave five degrees of freedom."""


def forecasts(level_usd_mn: pd.Series, drivers: pd.DataFrame) -> pd.DataFrame:
    """Forecasts of each year's log growth from the year before, by model, with their scores.

    Parameters
    ----------
    level_usd_mn : the flow by year, millions of dollars; years before a gap are not used.
    drivers : as the function of that name gives them.

    Returns
    -------
    Frame: origin, year (the one forecast), model, location, scale, df, error (location − what came), crps, inside (whether the 80 % interval held
    it); origins from `LEAST_RATES` rates on for which all models can be fitted and judged; no row where growth never
    changes.
    """
    growth = log_growth(level_usd_mn).dropna()
    if is_still(growth):
        return pd.DataFrame()
    table = pd.concat([growth.rename("growth"), drivers], axis=1).sort_index()
    complete = table.dropna().index
    rows = []
    for origin in complete:
        if (complete <= origin).sum() < LEAST_RATES or origin + 1 not in complete:
            continue
        past = growth.loc[:origin]
        walk = 0.0, float(np.sqrt(np.mean(past**2))), float(len(past))
        # The law of the collection without its class part: own rates to the origin, shrunk to the class known then.
        own = laws.posterior(
            past.to_numpy(), laws.drawn(prior_for(float(level_usd_mn[origin]) * 1e6, origin))
        )
        scale = float(np.sqrt(own.variance)) * float(laws.years_worth(own, 1))
        found = {"core": (float(laws.location(own, 1)), scale, float(own.df)), "walk": walk}
        for names, label in ((["oil"], "oil"), (list(drivers.columns), "all")):
            lagged = pd.concat([table["growth"], table[names].set_axis(table.index + 1)], axis=1).sort_index()
            found[f"{label}, known"] = _predicted(lagged.loc[: origin + 1], names)
            found[f"{label}, foresight"] = _predicted(table.loc[complete].loc[: origin + 1], names)
        came = float(growth[origin + 1])
        about = {"origin": origin, "year": origin + 1}
        rows += [{**about, "model": model, **_score(law, came)} for model, law in found.items()]
    return pd.DataFrame(rows)


def _predicted(table: pd.DataFrame, names: list[str]) -> tuple[float, float, float]:
    """Least-squares prediction of the last row from those before, a Student-t: location, scale, degrees of freedom."""
    past = table.iloc[:-1].dropna(subset=["growth", *names])
    fitted = ols(past[["growth", *names]])
    ahead = fitted.get_prediction(table[names].iloc[[-1]].assign(const=1.0))
    return float(ahead.predicted_mean[0]), float(ahead.se_obs[0]), float(fitted.df_resid)


def _score(law: tuple[float, float, float], came: float) -> dict[str, float | bool]:
    import scoringrules

    location, scale, df = law[0], max(law[1], 1e-6), law[2]  # a record that never moves leaves no spread
    error, half = location - came, scale * float(stdtrit(df, 0.9))
    crps = float(scoringrules.crps_t(came, df, location, scale))
    told = {"location": location, "scale": scale, "df": df}
    return told | {"error": error, "crps": crps, "inside": abs(error) <= half}


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Scores by model over all years: rmse, mae, crps, inside (share), better (years in which its CRPS beat the core's).

    Returns
    -------
    Frame indexed by model in the order of `forecasts`, with years (their number), in log growth; empty without any.
    """
    if found.empty:
        return pd.DataFrame()
    core = found[found["model"] == "core"].set_index("year")["crps"]
    better = found["crps"] < found["year"].map(core)
    rows = found.assign(better=better, rmse=found["error"] ** 2, mae=found["error"].abs(), years=1)
    how = {"rmse": "mean", "mae": "mean", "crps": "mean", "inside": "mean", "better": "sum", "years": "sum"}
    scores = rows.groupby("model", sort=False).agg(how)
    return scores.assign(rmse=np.sqrt(scores["rmse"]))
