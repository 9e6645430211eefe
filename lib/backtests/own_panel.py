"""The reference class and the backtest on a panel of the user's own."""

from pathlib import Path

import pandas as pd

from lib import panels, reference
from lib.backtests.rebuild import bar, write
from lib.errors import UserError
from lib.files import make_folder


def panel_priors(path: str | Path) -> pd.DataFrame:
    """Priors by origin and size class of a user's own panel, for ``prior_for(..., table=...)``."""
    levels = panels.to_levels(panels.read_panel(path))
    first, last = int(levels.years[0]) + reference.MIN_RATES, int(levels.years[-1])
    if last < first:
        raise UserError(
            f"{Path(path).name}: found {len(levels.years)} years, expected {reference.MIN_RATES + 1} or more"
        )
    own = panels.Panel(Path(path).stem, Path(path).name, Path(path).name)
    return reference.estimate_all(own, levels, first, last)


def write_priors(panel: str | Path, out: str | Path) -> Path:
    """Write the priors of a user's own panel as a CSV in the folder `out`; gives its path."""
    table, out = panel_priors(panel), Path(out)
    make_folder(out)
    path = out / f"priors_{Path(panel).stem}.csv"
    write(table, path)
    return path


def score_own(panel: str | Path, out: str | Path, progress: bool = True) -> list[str]:
    """Score the forecasts on a user's own panel; writes the tables to a folder and returns their names."""
    from lib.backtests.trade_scores import score_panel

    out = Path(out)
    found = score_panel(panel, progress=bar("own panel") if progress else iter)
    make_folder(out)
    tables = {
        "events.parquet": found.events,
        "intervals.parquet": found.intervals,
        "past_errors.csv": found.shapes,
    }
    for name, table in tables.items():
        write(table, out / name)
    return list(tables)
