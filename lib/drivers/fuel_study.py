"""Oil price against quantity in Russia's trade with China, from trade by product, kept in data/reference.

Oil is not a commodity code of its own in the panel: chapter 27 holds mineral fuels, of which crude oil is the
most. The price of all of them is taken to move with Brent.
"""

from pathlib import Path

import pandas as pd

from lib import figures as fig
from lib import panels
from lib.drivers.decompose import fuel_contributions

HS2 = "russia_partner_hs2_2000_2020.parquet"
FUELS = "HS27"


def study(folder: str | Path) -> dict[str, pd.DataFrame]:
    """Contributions of fuel prices, fuel quantities and all else to the growth of trade, by year.

    Returns
    -------
    ``fuel_split.csv``: flow (total, or export and import seen from China), year, growth, fuel_price, fuel_volume,
    other (fractions; the last three add up to growth), fuel_share (of the flow in that year).
    """
    panel = panels.read_panel(Path(folder) / HS2)
    with_china = panel[panel["partner"].astype(str) == "CHN"]
    oil = fig.covariate("brent_usd_per_bbl")
    parts = []
    for flow, rows in (("total", with_china), *((_seen_from_china(k), v) for k, v in _by_flow(with_china))):
        total = rows.groupby("year")["value_usd"].sum()
        fuel = rows[rows["product"].astype(str) == FUELS].groupby("year")["value_usd"].sum()
        split = fuel_contributions(fuel, total, oil.reindex(total.index)).rename_axis("year")
        parts.append(split.reset_index().assign(flow=flow))
    order = ["flow", "year", "growth", "fuel_price", "fuel_volume", "other", "fuel_share"]
    return {"fuel_split.csv": pd.concat(parts, ignore_index=True)[order]}


def _by_flow(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), part) for name, part in rows.groupby(rows["flow"].astype(str))]


def _seen_from_china(flow: str) -> str:
    """Russia's exports are China's imports."""
    return {"export": "import", "import": "export"}[flow]
