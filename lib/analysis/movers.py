"""What moved a flow: currency, prices, oil, parts of the whole, single years, and drivers.

Drivers of the same year explain afterwards. What they add to a forecast of the next year's growth is tried out of
sample: *known* regressions use what the drivers did up to the origin, *foresight* is told what they will do in the
year forecast, which nobody is. Both are fitted to the years up to the origin only.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from lib import figures as fig
from lib import law as laws
from lib.analysis.cases import DriverCase
from lib.analysis.trends import is_still
from lib.growth import log_growth
from lib.reference import prior_for

DRIVERS = {
    "oil": "oil price (Brent, dollars)",
    "rouble": "dollars a rouble",
    "russia_gdp": "real GDP of Russia",
    "china_gdp": "real GDP of China",
}
"""Drivers by short name, all as log growth of the year's average (prices) or of the year (GDP)."""

LEAST_YEARS = 12  # for a fit: four drivers and a constant leave seven degrees of freedom then
LEAST_RATES = 10  # before the first origin of a forecast: they leave five then


class View(NamedTuple):
    """What the notebook looks at.

    Parameters
    ----------
    family : level by year of the flow and of each larger one, in the case's currency.
    subject : reporter of the flow with the longest unbroken record of growth (`run`), on which breaks and drivers are
        read; name : that flow in words; usd : its level in million dollars.
    drivers : log growth of the drivers by year, as far as over on the day; none where the trade is not that of China
        with Russia, of which they were chosen.
    with_china : whether China or a place in it is one side of the trade.
    state : why drivers explain nothing, where they do not: "other" trade, growth that stands "still", or "few" years.
    run : the longest unbroken run of the subject's log growth, in the case's currency.
    """

    case: DriverCase
    family: dict[str, pd.Series]
    subject: str
    name: str
    usd: pd.Series
    drivers: pd.DataFrame

    with_china: bool
    state: str
    run: pd.Series


def look(case: DriverCase) -> View:
    """Read the flow, the larger flows that contain it, and the drivers, as known on the case's day."""
    members = {member.reporter: member for member in [case, *case.lineage()]}
    family = {name: member.series()["value_mn"] for name, member in members.items()}
    subject = max(family, key=lambda name: len(_longest_run(family[name])))
    usd = members[subject].model_copy(update={"currency": "USD"}).series()["value_mn"]
    driven_by, above, sides = drivers(case.as_of.year), fig.parents(), [subject]
    while parent := above.get(sides[-1]):
        sides.append(parent)
    if not {"China", "Russia"} <= {*family, case.partner}:
        driven_by = driven_by.iloc[:0]
    state = "other" if driven_by.empty else "still" if is_still(log_growth(usd).dropna()) else "few"
    about = usd, driven_by, "China" in (*sides, case.partner), state, _longest_run(family[subject])
    return View(case, family, subject, members[subject].flow_name, *about)


def _longest_run(level: pd.Series) -> pd.Series:
    """The longest run of log growth in consecutive years; the later one of two."""
    rates = log_growth(level).dropna()
    runs = rates.groupby((rates.index.to_series().diff() != 1).cumsum().to_numpy())
    return max((run for _, run in runs), key=lambda run: (len(run), run.index[-1]), default=rates)


def drivers(before: int) -> pd.DataFrame:
    """Log growth of each driver (columns, `DRIVERS`) by year, from years that ended before a calendar year.

    Of an as-of date that is its year, so that nothing of it leaks in. Growth of the rouble is that of its price in
    dollars: positive when it gained. NaN where a driver is not known.
    """
    rows = fig.load_covariates()
    wide = rows[rows["year"] < before].pivot(index="year", columns="variable", values="value")
    wide.index = wide.index.astype(int)
    gdp = {f"{of}_gdp": np.log1p(wide[f"{of}_gdp_real_growth_pct"] / 100) for of in ("russia", "china")}
    prices = {"oil": log_growth(wide["brent_usd_per_bbl"]), "rouble": -log_growth(wide["rub_per_usd"])}
    return pd.DataFrame(prices | gdp)


def with_drivers(level: pd.Series, driven_by: pd.DataFrame) -> pd.DataFrame:
    """Log growth of a flow (column growth) beside its drivers, for the years in which all are known."""
    return pd.concat([log_growth(level).rename("growth"), driven_by], axis=1).dropna().sort_index()


def ols(table: pd.DataFrame, lags: int = 0) -> Any:
    """Least squares of the column growth on the others and a constant; errors of Newey & West (1987) with some lags."""
    from statsmodels.regression.linear_model import OLS

    design = table.drop(columns="growth").assign(const=1.0)
    errors = {"cov_type": "HAC", "cov_kwds": {"maxlags": lags, "use_correction": True}, "use_t": True}
    return OLS(table["growth"], design).fit(**(errors if lags else {}))


def coefficients(table: pd.DataFrame) -> pd.DataFrame:
    """Least squares of growth on the drivers (a column each, by year), and how fragile it is.

    Returns
    -------
    Frame by driver: name, coefficient, low and high (95 %: Newey & West 1987, two lags, small-sample correction, t
    distribution), p, vif (variance inflation factor: 1 / (1 − R² on the other drivers)), least and most (when each
    year is left out in turn) and firm (significant at 5 % and of one sign throughout). R² stands in `attrs["r2"]`.
    Empty for fewer than `LEAST_YEARS` years, or growth that never changes.
    """
    if len(table) < LEAST_YEARS or is_still(table["growth"]):
        return pd.DataFrame()
    fitted = ols(table, lags=2)
    found = fitted.conf_int().set_axis(["low", "high"], axis=1).drop(index="const")
    moved = pd.DataFrame({year: ols(table.drop(year)).params for year in table.index}).T
    # On standardised drivers the variance of a slope is the diagonal of the inverse of their correlations.
    vif = np.diag(np.linalg.inv(table.drop(columns="growth").corr()))
    found = found.assign(coefficient=fitted.params, p=fitted.pvalues, vif=vif, name=pd.Series(DRIVERS))
    found = found.assign(least=moved.min(), most=moved.max())
    found = found.assign(firm=(found["p"] <= 0.05) & (found["least"] * found["most"] > 0))
    found.attrs = {"r2": float(fitted.rsquared)}
    return found


def forecasts(level_usd_mn: pd.Series, drivers: pd.DataFrame) -> pd.DataFrame:
    """Forecasts of each year's log growth from the year before, by model.

    Returns
    -------
    Frame: origin, year (the one forecast), model, location, scale, df and came; origins from `LEAST_RATES` rates on for
    which all models can be fitted and judged, none before a gap; no row where growth never changes.
    """
    growth = log_growth(level_usd_mn).dropna()
    table = pd.concat([growth.rename("growth"), drivers], axis=1).sort_index()
    complete = table.dropna().index
    rows: list[tuple[Any, ...]] = []
    for origin in () if is_still(growth) else complete:
        if (complete <= origin).sum() < LEAST_RATES or origin + 1 not in complete:
            continue
        past = growth.loc[:origin]
        # The law of the collection without its class part: own rates to the origin, shrunk to the class known then.
        own_class = laws.drawn(prior_for(float(level_usd_mn[origin]) * 1e6, origin))
        own = laws.posterior(past.to_numpy(), own_class)
        scale = float(np.sqrt(own.variance)) * float(laws.years_worth(own, 1))
        found = {"core": (float(laws.location(own, 1)), scale, float(own.df))}
        found["walk"] = 0.0, float(np.sqrt(np.mean(past**2))), float(len(past))
        for names, label in ((["oil"], "oil"), (list(drivers.columns), "all")):
            lagged = pd.concat([table["growth"], table[names].set_axis(table.index + 1)], axis=1).sort_index()
            found[f"{label}, known"] = _predicted(lagged.loc[: origin + 1], names)
            found[f"{label}, foresight"] = _predicted(table.loc[complete].loc[: origin + 1], names)
        rows += [(origin, origin + 1, model, *law, growth[origin + 1]) for model, law in found.items()]
    return pd.DataFrame(rows, columns=["origin", "year", "model", "location", "scale", "df", "came"])


def _predicted(table: pd.DataFrame, names: list[str]) -> tuple[float, float, float]:
    """Least-squares prediction of the last row from those before, a Student-t: location, scale, degrees of freedom."""
    past = table.iloc[:-1].dropna(subset=["growth", *names])
    fitted = ols(past[["growth", *names]])
    ahead = fitted.get_prediction(table[names].iloc[[-1]].assign(const=1.0))
    return float(ahead.predicted_mean[0]), float(ahead.se_obs[0]), float(fitted.df_resid)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Scores of `forecasts` by model over all years, in their order, in log growth; empty without any.

    `inside` is the share of 80 % intervals that held what came, `better` counts years in which its CRPS beat the core's, of
    `years`.
    """
    if found.empty:
        return pd.DataFrame()
    import scoringrules

    error, scale = found["location"] - found["came"], found["scale"].clip(lower=1e-6)
    law = (found[name].to_numpy() for name in ("came", "df", "location"))
    rows = found.assign(crps=scoringrules.crps_t(*law, scale.to_numpy()), rmse=error**2, mae=error.abs())
    core = rows[rows["model"] == "core"].set_index("year")["crps"]
    better = rows["crps"] < rows["year"].map(core)
    rows = rows.assign(inside=rows["mae"] <= scale * stdtrit(found["df"], 0.9), better=better, years=1)
    how = {"rmse": "mean", "mae": "mean", "crps": "mean", "inside": "mean", "better": "sum", "years": "sum"}
    scores = rows.groupby("model", sort=False).agg(how)
    return scores.assign(rmse=np.sqrt(scores["rmse"]))
