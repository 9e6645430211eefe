"""How wrong nowcasts of a year's total were, by months known: tables and sentences from the kept backtest."""

import pandas as pd

from lib.nowcast.seasonal import MONTHS
from lib.nowcast.total import ERRORS_FILE, METHODS
from lib.panels import size_class, size_label
from lib.reference import read_kept
from lib.scoring import calibration

PANEL_LINE = (
    "UK trade by country (ONS, seasonally adjusted), outcomes 2002–2025, and fifteen countries' trade (IMF DOTS), "
    "2016–2020; flows of 100 mn USD a year and more; computed here."
)


def error_table() -> pd.DataFrame:
    """Mean absolute error by months known and method, and coverage, over both panels; per cent of the total."""
    kept = read_kept(ERRORS_FILE)
    mae = _mean_over(kept, "mae").unstack("method")[list(METHODS)] * 100
    cover = _mean_over(kept[kept["method"] == "combined"], "cover80").droplevel("method") * 100
    shown = mae.map(lambda value: f"{value:.1f}").rename(columns=METHODS)
    shown["outcomes inside the 80 % interval, %"] = cover.map(lambda value: f"{value:.0f}")
    return shown.rename_axis(index="months known", columns=None).reset_index()


def _mean_over(kept: pd.DataFrame, column: str) -> pd.Series:
    """Mean over years and panels by month and method: each forecast counts once."""
    weighted = kept.assign(total=kept[column] * kept["n"]).groupby(["month", "method"])[["total", "n"]].sum()
    return weighted["total"] / weighted["n"]


def skill_by_month(rival: str = "last_share") -> pd.DataFrame:
    """Absolute error saved against a rival by month with 90 % intervals; whole years are resampled.

    Returns
    -------
    Frame indexed by month: estimate, low, high (fractions; 0 is no better, 1 perfect).
    """
    kept = read_kept(ERRORS_FILE)
    rows = {}
    for month, part in kept.groupby("month"):
        sums = part.assign(total=part["mae"] * part["n"]).pivot_table(
            index="year", columns="method", values="total", aggfunc="sum"
        )
        years = sums.index.to_numpy()
        rows[month] = calibration.skill_interval(sums["combined"], sums[rival], years, level=0.9)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high"]).rename_axis(
        "month"
    )


def skill_table() -> pd.DataFrame:
    """Error that the nowcast saves against three rivals by months known, with intervals, formatted."""
    shown = {}
    for rival in ("last_share", "mean_share", "annual"):
        found = skill_by_month(rival) * 100
        shown[f"less error than: {METHODS[rival]}"] = [
            f"{row.estimate:.0f} % ({row.low:.0f} to {row.high:.0f})".replace("-", "−")
            for row in found.itertuples()
        ]
    return pd.DataFrame({"months known": list(MONTHS), **shown})


def errors_in_words() -> str:
    """What the measured errors come to, in a sentence."""
    mae = _mean_over(read_kept(ERRORS_FILE), "mae").unstack("method") * 100
    own, growth = (
        ", ".join(f"{mae.loc[month, name]:.1f}" for month in (3, 6, 9)) for name in ("combined", "last_share")
    )
    saved = skill_by_month().loc[[3, 6, 9]] * 100
    return (
        f"With three, six and nine months known the nowcast errs by {own} % of the total on average; continuing the "
        f"growth of the year so far errs by {growth} %. The nowcast saves {saved['estimate'].iloc[0]:.0f}, "
        f"{saved['estimate'].iloc[1]:.0f} and {saved['estimate'].iloc[2]:.0f} % of that error."
    )


def coverage_in_words() -> str:
    """How many outcomes the 80 % intervals held, by panel, and in the worst year of each."""
    kept = read_kept(ERRORS_FILE)
    kept = kept[kept["method"] == "combined"]
    said = []
    for name, rows in kept.groupby("panel", sort=True):
        years = rows.assign(held=rows["cover80"] * rows["n"]).groupby("year")[["held", "n"]].sum()
        share, by_year = years["held"].sum() / years["n"].sum(), years["held"] / years["n"]
        said.append(
            f"{name} {share * 100:.0f} % over {len(years)} years ({by_year.min() * 100:.0f} % in {by_year.idxmin()})"
        )
    return f"Of a hundred 80 % intervals eighty should hold the outcome. They held: {'; '.join(said)}."


def size_in_words(size_usd: float, month: int) -> str:
    """Mean error of nowcasts of flows of a size, or of the nearest class kept, with a number of months known."""
    kept = read_kept("nowcast_errors_by_size.csv")
    rows = kept[(kept["method"] == "combined") & (kept["month"] == max(month, 1))]
    nearest = (rows["size_class"] - int(size_class(size_usd))).abs()
    rows = rows[nearest == nearest.min()]
    mae, cover = ((rows[name] * rows["n"]).sum() / rows["n"].sum() for name in ("mae", "cover80"))
    return (
        f"For flows of {size_label(int(rows['size_class'].iloc[0]))} with {max(month, 1)} month{'s' * (month > 1)} known the mean error was "
        f"{mae * 100:.1f} % of the total, and {cover * 100:.0f} % of outcomes lay inside the 80 % interval "
        f"({rows['n'].sum():.0f} nowcasts)."
    )
