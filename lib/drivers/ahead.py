"""What drivers add to a forecast of the next year's growth, out of sample and with the origin respected.

Two kinds of regression are kept apart: *known* uses what the drivers did up to the origin, *foresight* is told
what they will do in the year forecast, which nobody is. Both are fitted to the years up to the origin only.
"""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from lib import forecast, reference
from lib.growth import log_growth
from lib.scoring.scores import crps_t

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
    drivers : log growth of the drivers by year (`lib.drivers.regressions.drivers`).

    Returns
    -------
    Frame: origin, year (the one forecast), model, location, scale, df (Student-t), growth (what came), error
    (location − growth), crps, inside (whether the 80 % interval held it); origins from `LEAST_RATES` rates on
    for which all models can be fitted and judged.
    """
    growth = log_growth(level_usd_mn).dropna()
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
    """The forecast of the collection: own rates to the origin, shrunk to the reference class known then."""
    prior = reference.prior_for(float(level[origin]) * 1e6, origin)
    model = forecast.fit(growth.loc[:origin].to_numpy(), prior)
    return float(forecast.location(model, 1)), float(forecast.spread(model, 1)), float(model.df)


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
    location, scale, df = law
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
    Frame indexed by model in the order of `MODELS`, with years (their number), in log growth.
    """
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
