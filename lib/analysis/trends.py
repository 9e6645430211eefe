"""How levels grew: compound rates, log-linear trends with honest intervals, spells at a rate."""

import numpy as np
import pandas as pd

from lib.cases import TrendCase
from lib.figures import load_events
from lib.growth import cagr, doubling_time, yoy
from lib.results import Estimate
from lib.words import rate

MIN_TREND_YEARS = 6
"""Fewer levels than this do not carry a trend with an interval."""


def log_trend(levels: pd.Series) -> tuple[float, float, float]:
    """Growth a year by least squares of log level on the calendar year, with a 95 % interval.

    Gaps are no harm: the regressor is the year. Standard errors are Newey & West's (1987), two lags, with the
    t distribution.

    Returns
    -------
    (rate, low, high) as fractions; NaN for fewer than `MIN_TREND_YEARS` levels.
    """
    known = levels.dropna()
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
    Frame indexed by name: first, last (years), cagr, doubling_years, rates (number of known yearly rates),
    reached (how many reached `goal_rate`), best, worst, trend, trend_low, trend_high; rates as fractions.
    """
    rows = {}
    for name, level in levels.items():
        known, rates = level.dropna(), yoy(level).dropna()
        if known.empty:
            continue
        first, last = int(known.index[0]), int(known.index[-1])
        pace = cagr(known[first], known[last], last - first) if last > first else np.nan
        trend, low, high = log_trend(known)
        rows[name] = {
            "first": first,
            "last": last,
            "cagr": pace,
            "doubling_years": doubling_time(pace) if pace > 0 else np.nan,
            "rates": len(rates),
            "reached": int((rates >= goal_rate - 1e-9).sum()),
            "best": rates.max(),
            "worst": rates.min(),
            "trend": trend,
            "trend_low": low,
            "trend_high": high,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """The summary, formatted."""
    trend = [
        "" if pd.isna(row.trend) else f"{rate(row.trend)} ({rate(row.trend_low)} to {rate(row.trend_high)})"
        for row in frame.itertuples()
    ]
    return pd.DataFrame(
        {
            "flow of": frame.index,
            "years": [f"{row.first}–{row.last}" for row in frame.itertuples()],
            "CAGR": frame["cagr"].map(_rate),
            "doubles in, years": frame["doubling_years"].map(lambda v: "" if pd.isna(v) else f"{v:.1f}"),
            "trend a year (95 %)": trend,
            "yearly rates known": frame["rates"],
            "of these at the goal's rate": frame["reached"],
            "best year": frame["best"].map(_rate),
            "worst year": frame["worst"].map(_rate),
        }
    )


def spells(rates: dict[str, pd.Series], goal_rate: float) -> pd.DataFrame:
    """Runs of consecutive years that each reached the rate, longest first within a flow."""
    rows = []
    for name, growth in rates.items():
        if growth.empty:
            continue
        full = growth.reindex(range(int(growth.index.min()), int(growth.index.max()) + 1))
        reached = full >= goal_rate - 1e-9
        run = (reached != reached.shift()).cumsum()
        for _, years in full[reached].groupby(run[reached]):
            rows.append(
                {
                    "flow of": name,
                    "from": int(years.index[0]),
                    "to": int(years.index[-1]),
                    "years": len(years),
                }
            )
    found = pd.DataFrame(rows, columns=["flow of", "from", "to", "years"])
    return found.sort_values("years", ascending=False, kind="stable").sort_values("flow of", kind="stable")


def in_words(case: TrendCase, frame: pd.DataFrame) -> str:
    """The growth of the flow and of the larger ones, as sentences."""
    lines = [
        f"**{_pair(str(name), case.partner)}** {_pace(row)}; of {row['rates']:.0f} known yearly rates "
        f"{row['reached']:.0f} reached {rate(case.yearly_rate())}."
        for name, row in frame.iterrows()
    ]
    return " ".join(lines)


def _pair(name: str, partner: str) -> str:
    return name if "–" in name else f"{name}–{partner}"


def _pace(row: pd.Series) -> str:
    if pd.isna(row["cagr"]):
        return f"has a level for {row['first']:.0f} alone"
    return f"grew by {rate(row['cagr'])} a year from {row['first']:.0f} to {row['last']:.0f}"


def estimates(frame: pd.DataFrame, name: str) -> list[Estimate]:
    """Compound rate and trend of one flow as rows for the result."""
    row = frame.loc[name]
    found = [("cagr", row["cagr"]), ("trend", row["trend"])]
    return [
        Estimate(
            target=what,
            period=int(row["last"]),
            output_type="point",
            value=float(value),
            unit="fraction a year",
        )
        for what, value in found
        if not pd.isna(value)
    ]


def _rate(value: float) -> str:
    return "" if pd.isna(value) else rate(value)


def events(reporters: list[str]) -> pd.DataFrame:
    """Dated events whose scope names one of the reporters, or the nation where China is among them."""
    table = load_events()
    table = table[table["date"] != ""]
    names = [*reporters, *(["national"] if "China" in reporters else [])]
    about = table["scope"].map(lambda scope: any(name in scope for name in names))
    return table.loc[about, ["date", "event", "scope", "url"]]
