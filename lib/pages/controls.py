"""Synthetic controls and what such tests can and cannot see, as tables and sentences."""

import pandas as pd

from lib import panels
from lib.pages.movers import p_value
from lib.pages.policies import View, change
from lib.reference import read_kept
from lib.words import percent

CONTROL_LINE = (
    "Synthetic controls from CEPII BACI country pairs 2000–2020, computed here (data/reference); band: 90 % of the "
    "gaps of flows at which nothing was aimed."
)
PLACEBO_LINE = (
    "CEPII BACI country pairs 2000–2020, computed here (data/reference/placebo_rates.csv); bars: 90 %, whole event "
    "years resampled."
)


def detectable_words(view: View) -> str:
    """How large an effect would have to be to be seen at a flow of this size, with a full record."""
    level = view.levels[view.case.reporter]
    size = int(panels.size_class(float(level.median()) * 1e6))
    kept = read_kept("placebo_rates.csv")
    rows = kept[(kept["size_class"] == size) & (kept["chosen"] == "any")]
    if rows.empty:
        return f"Flows as large as {view.case.reporter}'s are too few for a placebo study."
    row = rows.sort_values("before").iloc[-1]
    return (
        f"Suppose the record of {view.case.reporter} were complete. At flows of its size ({panels.size_label(size)} a year), "
        f"{row['before']:.0f} years before and three after a day on which nothing happened, nine gaps in ten to the synthetic "
        f"control lie between {change(row['gap_low'])} and {change(row['gap_high'])}. A policy "
        "would have to move trade by more than that to be seen."
    )


def placebo_table() -> pd.DataFrame:
    """Share of pretended events called real, by size and years before: at random and after a boom."""
    kept = read_kept("placebo_rates.csv")
    wide = kept.pivot(index=["size_class", "before"], columns="chosen")
    found = {
        f"{chosen}{end}": wide[(f"rejected{end}", chosen)]
        for chosen in ("any", "boom")
        for end in ("", "_low", "_high")
    }
    table = pd.DataFrame(found)
    # The size stands once, below the middle of its group.
    middle = sorted(set(kept["before"]))[kept["before"].nunique() // 2]
    table.index = [
        f"{before} years" + (f"\n{_short(int(size))}" if before == middle else "")
        for size, before in table.index
    ]
    return table


def _short(size: int) -> str:
    return panels.size_label(size)


def placebo_words() -> str:
    """How much more often a test rejects when it is set on a flow that has just boomed, and in which direction."""
    kept = read_kept("placebo_rates.csv")
    weighed = kept[["rejected", "rejected_up"]].mul(kept["n"], axis=0).groupby(kept["chosen"]).sum()
    shares = weighed.div(kept["n"].groupby(kept["chosen"]).sum(), axis=0)
    boom = shares.loc["boom"]
    return (
        f"Over {kept['n'].sum():.0f} pretended events, a test that promises 5 % called {percent(shares.loc['any', 'rejected'])} "
        f"of them real where the flow was chosen at random, and **{percent(boom['rejected'])}** where it was chosen because "
        f"it had just boomed ({percent(boom['rejected_up'] / boom['rejected'])} of these a rise, the others a fall). "
        "Flows that boom are restless, and go on straying further than their calmer donors, up and down."
    )


def control_table(view: View) -> pd.DataFrame:
    """Every kept synthetic control with its placebo tests; formatted."""
    rows = view.tests
    return pd.DataFrame(
        {
            "event": rows["event"],
            "flow": [f"{a} to {b}" for a, b in zip(rows["exporter"], rows["importer"], strict=True)],
            "donors": rows["pool"],
            "years before, after": [f"{b}, {a}" for b, a in zip(rows["before"], rows["after"], strict=True)],
            "gap after": rows["effect"].map(change),
            "90 % of donors": [
                f"{change(low)} to {change(high)}"
                for low, high in zip(rows["placebo_low"], rows["placebo_high"], strict=True)
            ],
            "p": rows["p"].map(p_value),
            "gap, pretended three years earlier": rows["earlier_effect"].map(change),
            "p of that": rows["earlier_p"].map(p_value),
        }
    )


def weight_table(view: View) -> pd.DataFrame:
    """The donors that make up each synthetic control, the largest four; formatted."""
    kept = read_kept("policy_weights.csv")
    key = ["event", "exporter", "importer", "pool"]
    kept = kept.merge(view.tests[key], on=key)
    rows = []
    for (event, exporter, importer, pool), part in kept.groupby(key, sort=False):
        top = "; ".join(f"{row.donor} {row.weight * 100:.0f} %" for row in part.head(4).itertuples())
        rows.append(
            {"event": event, "flow": f"{exporter} to {importer}", "donors": pool, "largest weights": top}
        )
    return pd.DataFrame(rows)


def gap_frames(view: View) -> dict[tuple[str, str, str], dict[str, pd.DataFrame]]:
    """Gaps by event and flow, and within these by pool, for figures; of events with two years after and more."""
    found: dict[tuple[str, str, str], dict[str, pd.DataFrame]] = {}
    for row in view.tests[view.tests["after"] >= 2].itertuples():
        key = (str(row.event), str(row.exporter), str(row.importer))
        same = view.gaps[["event", "exporter", "importer", "pool"]].eq([*key, row.pool]).all(axis=1)
        found.setdefault(key, {})[str(row.pool)] = view.gaps[same].set_index("year")
    return found
