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
from lib import reference
from lib.analysis.scores import crps_t
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
    if len(table) < LEAST_YEARS:
        raise UserError(f"drivers: found {len(table)} years with all drivers, expected {LEAST_YEARS} or more")
    fitted = _ols(table, hac=True)
    found = fitted.conf_int().set_axis(["low", "high"], axis=1)
    found.insert(0, "coefficient", fitted.params)
    found = found.assign(p=fitted.pvalues, vif=vif(table))
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
    found, moved = fit(table).drop(index="const"), without_each_year(table)
    found = found.assign(least=moved.min(), most=moved.max(), name=pd.Series(DRIVERS))
    one_sign = np.sign(found["least"]) == np.sign(found["most"])
    return found.assign(firm=(found["p"] <= 0.05) & one_sign)


def is_still(rates: pd.Series) -> bool:
    """Whether log growth never changes, to the digits that a level may have: then there is nothing to explain."""
    return len(rates) > 0 and bool(np.ptp(rates) < STILL)


def is_thin(table: pd.DataFrame) -> bool:
    """Whether a table of growth and drivers is too short for a fit, or its growth never changes."""
    return len(table) < LEAST_YEARS or is_still(table["growth"])


def vif(table: pd.DataFrame) -> pd.Series:
    """Variance inflation factor of each driver: how much its variance grows because the others move along."""
    names = [name for name in table.columns if name != "growth"]
    correlation = np.corrcoef(table[names].to_numpy(), rowvar=False)
    return pd.Series(np.diag(np.linalg.inv(np.atleast_2d(correlation))), index=names)


def without_each_year(table: pd.DataFrame) -> pd.DataFrame:
    """Coefficients without each year in turn: one row a year left out, one column a driver (and const)."""
    return pd.DataFrame({year: _ols(table.drop(year)).params for year in table.index}).T


def explained(table: pd.DataFrame) -> pd.DataFrame:
    """Each year's growth as what each driver contributes, the constant and the residual: they add up exactly.

    Columns are those, `growth`, and `fit` (growth without the residual); no row where `coefficients` has none.
    """
    if is_thin(table):
        return pd.DataFrame(columns=["growth", "fit", "residual"])
    fitted = _ols(table)
    names = [name for name in table.columns if name != "growth"]
    parts = table[names] * fitted.params[names]
    fit = table["growth"] - fitted.resid
    return parts.assign(const=fitted.params["const"], residual=fitted.resid, growth=table["growth"], fit=fit)


def _ols(table: pd.DataFrame, hac: bool = False) -> Any:
    from statsmodels.regression.linear_model import OLS

    design = table.drop(columns="growth").assign(const=1.0)
    errors = {"cov_type": "HAC", "cov_kwds": {"maxlags": LAGS, "use_correction": True}, "use_t": True}
    return OLS(table["growth"], design).fit(**(errors if hac else {}))


SMALLEST_SCALE = 1e-6
"""A record that never moves leaves no spread; a score needs one."""

LEAST_RATES = 10
"""Growth rates before the first origin: four drivers and a constant then leave five degrees of freedom."""

MODELS = {
    "core": "core model (own record and reference class)",
    "walk": "no change (log walk, past spread)",
    "oil, known": "this year's oil price",
    "all, known": "this year's four drivers",
    "oil, foresight": "next year's oil price, foreseen",
    "all, foresight": "next year's four drivers, foreseen",
}


def forecasts(level_usd_mn: pd.Series, drivers: pd.DataFrame) -> pd.DataFrame:
    """Forecasts of each year's log growth from the year before, by model, with their scores.

    Parameters
    ----------
    level_usd_mn : the flow by year, millions of dollars; years before a gap are not used.
    drivers : log growth of the drivers by year (`lib.analysis.regressions.drivers`).

    Returns
    -------
    Frame: origin, year (the one forecast), model, location, scale, df (Student-t), growth (what came), error
    (location − growth), crps, inside (whether the 80 % interval held it); origins from `LEAST_RATES` rates on
    for which all models can be fitted and judged; no row where growth never changes.
    """
    growth = log_growth(level_usd_mn).dropna()
    if is_still(growth):
        return pd.DataFrame()
    table = pd.concat([growth.rename("growth"), drivers], axis=1).sort_index()
    rows = []
    for origin in _origins(table):
        laws = {"core": _core(level_usd_mn, growth, origin), "walk": _walk(growth.loc[:origin])}
        for names, label in ((["oil"], "oil"), (list(drivers.columns), "all")):
            laws[f"{label}, known"] = _known(table, names, origin)
            laws[f"{label}, foresight"] = _foresight(table, names, origin)
        came = float(growth[origin + 1])
        rows += [
            {"origin": origin, "year": origin + 1, "model": model, **_score(law, came)}
            for model, law in laws.items()
        ]
    return pd.DataFrame(rows)


def _origins(table: pd.DataFrame) -> list[int]:
    """Years with enough complete rows up to them and a complete row after."""
    complete = table.dropna().index
    return [
        int(year) for year in complete if (complete <= year).sum() >= LEAST_RATES and year + 1 in complete
    ]


def _core(level: pd.Series, growth: pd.Series, origin: int) -> tuple[float, float, float]:
    """The law of the collection without its class part: own rates to the origin, shrunk to the class known then."""
    prior = laws.drawn(reference.prior_for(float(level[origin]) * 1e6, origin))
    of = laws.posterior(growth.loc[:origin].to_numpy(), prior)
    scale = float(np.sqrt(of.variance)) * float(laws.years_worth(of, 1))
    return float(laws.location(of, 1)), scale, float(of.df)


def _walk(growth: pd.Series) -> tuple[float, float, float]:
    return 0.0, float(np.sqrt(np.mean(growth**2))), float(len(growth))


def _known(table: pd.DataFrame, names: list[str], origin: int) -> tuple[float, float, float]:
    """Growth on the drivers of the year before, for the next year on those of the origin."""
    lagged = table[names].set_axis(table.index + 1)
    rows = pd.concat([table["growth"], lagged], axis=1).loc[:origin].dropna()
    return _predict(rows[names], rows["growth"], table.loc[origin, names])


def _foresight(table: pd.DataFrame, names: list[str], origin: int) -> tuple[float, float, float]:
    """Growth on the drivers of the same year, for the next year on what they then did."""
    rows = table.loc[:origin].dropna()
    return _predict(rows[names], rows["growth"], table.loc[origin + 1, names])


def _predict(drivers: pd.DataFrame, growth: pd.Series, at: pd.Series) -> tuple[float, float, float]:
    """Location, scale and degrees of freedom of the least-squares prediction, parameter uncertainty included."""
    x = np.column_stack([np.ones(len(drivers)), drivers.to_numpy(dtype=float)])
    new = np.concatenate([[1.0], at.to_numpy(dtype=float)])
    inverse = np.linalg.inv(x.T @ x)
    slopes = inverse @ x.T @ growth.to_numpy()
    df = len(growth) - x.shape[1]
    variance = np.sum((growth.to_numpy() - x @ slopes) ** 2) / df
    return float(new @ slopes), float(np.sqrt(variance * (1 + new @ inverse @ new))), float(df)


def _score(law: tuple[float, float, float], came: float) -> dict[str, float | bool]:
    location, scale, df = law[0], max(law[1], SMALLEST_SCALE), law[2]
    half = scale * float(stdtrit(df, 0.9))
    return {
        "location": location,
        "scale": scale,
        "df": df,
        "growth": came,
        "error": location - came,
        "crps": float(crps_t(df, location, scale, came)),
        "inside": abs(location - came) <= half,
    }


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Scores by model over all years: rmse, mae, crps, inside (share), better (years in which its CRPS beat the core's).

    Returns
    -------
    Frame indexed by model in the order of `MODELS`, with years (their number), in log growth; empty without any.
    """
    if found.empty:
        return pd.DataFrame()
    core = found[found["model"] == "core"].set_index("year")["crps"]
    beaten = found["crps"] < found["year"].map(core)
    by_model = found.assign(better=beaten, square=found["error"] ** 2, size=found["error"].abs()).groupby(
        "model"
    )
    scores = by_model.agg(
        rmse=("square", "mean"),
        mae=("size", "mean"),
        crps=("crps", "mean"),
        inside=("inside", "mean"),
        better=("better", "sum"),
        years=("year", "size"),
    )
    return scores.assign(rmse=np.sqrt(scores["rmse"])).reindex(list(MODELS))
