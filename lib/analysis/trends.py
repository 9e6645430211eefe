"""How levels grew: compound rates, log-linear trends with honest intervals, spells at a rate."""

import numpy as np
import pandas as pd

from lib.figures import last_days, load_events
from lib.growth import cagr, doubling_time, yoy

MIN_TREND_YEARS = 6
"""Fewer levels than this do not carry a trend with an interval."""


def log_trend(levels: pd.Series) -> tuple[float, float, float]:
    """Growth a year by least squares of log level on the calendar year, with a 95 % interval.

    Gaps are no harm, nor years without trade, which are left out: the regressor is the year. Standard errors are Newey & West's (1987), two lags, with the
    t distribution.

    Returns
    -------
    (rate, low, high) as fractions; NaN for fewer than `MIN_TREND_YEARS` levels.
    """
    known = levels[levels > 0]
    if len(known) < MIN_TREND_YEARS:
        return np.nan, np.nan, np.nan
    from statsmodels.regression.linear_model import OLS

    years = known.index.to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(years)), years - years.mean()])
    fitted = OLS(np.log(known.to_numpy()), design).fit(cov_type="HAC", cov_kwds={"maxlags": 2}, use_t=True)
    low, high = fitted.conf_int()[1]
    return float(np.expm1(fitted.params[1])), float(np.expm1(low)), float(np.expm1(high))


def summary(levels: dict[str, pd.Series], goal_rate: float) -> pd.DataFrame:
    """Growth of each flow in one row; flows without a level are left out.

    Returns
    -------
    Frame with name, first, last (years), course ("grew", "fell", "stood", or "alone": one level), cagr, doubling_years,
    rates (number of known yearly rates), pace ("known" or "unknown": no rate), reached (how many reached
    `goal_rate`), best, worst, trend, trend_low, trend_high; rates as fractions.
    """
    rows = []
    for name, level in levels.items():
        known, rates = level[level > 0], yoy(level).dropna()
        if known.empty:
            continue
        first, last = int(known.index[0]), int(known.index[-1])
        pace = cagr(known[first], known[last], last - first) if last > first else np.nan
        trend, low, high = log_trend(known)
        # Less than a twentieth of a per cent is no course.
        course = "stood" if abs(pace) < 0.0005 else "grew" if pace > 0 else "fell"
        row = {"name": name, "first": first, "last": last, "course": "alone" if np.isnan(pace) else course}
        row |= {"cagr": pace, "doubling_years": doubling_time(pace) if pace > 0 else np.nan}
        row |= {"rates": len(rates), "pace": "known" if len(rates) else "unknown"}
        row |= {"reached": int((rates >= goal_rate - 1e-9).sum()), "best": rates.max(), "worst": rates.min()}
        rows.append(row | {"trend": trend, "trend_low": low, "trend_high": high})
    return pd.DataFrame(rows)


def spells(rates: dict[str, pd.Series], goal_rate: float) -> pd.DataFrame:
    """Runs of consecutive years that each reached the rate, longest first within a flow.

    Returns
    -------
    Frame with name, first and last (years), years (their number).
    """
    rows = []
    for name, growth in rates.items():
        years = growth.index[growth >= goal_rate - 1e-9].astype(int).to_series()
        for _, run in years.groupby(years - np.arange(len(years))):
            rows.append((name, run.iloc[0], run.iloc[-1], len(run)))
    found = pd.DataFrame(rows, columns=["name", "first", "last", "years"])
    return found.sort_values("years", ascending=False, kind="stable").sort_values("name", kind="stable")


def events(reporters: list[str], as_of: pd.Timestamp) -> pd.DataFrame:
    """Events dated up to a day whose scope names one of the reporters, or the nation where China is among them."""
    table = load_events()
    table = table[table["date"] != ""]
    table = table[last_days(table["date"]) <= as_of]
    names = [*reporters, *(["national"] if "China" in reporters else [])]
    about = table["scope"].map(lambda scope: any(name in scope for name in names))
    return table.loc[about, ["date", "event", "scope", "url"]]
