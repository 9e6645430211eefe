"""What the record holds for a flow and the larger ones: coverage, status, conflicts, mirrors, revisions, doubts."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib import fetched
from lib import figures as fig
from lib.analysis import plausibility
from lib.analysis.plausibility import mirror_pairs, prepare, with_growth
from lib.cases import FlowCase
from lib.economies import pair_name
from lib.growth import implied_base
from lib.series import Level, offers


def candidates(figures: pd.DataFrame, currency: str, rates: pd.DataFrame | pd.Series | None) -> pd.DataFrame:
    """Every level that the figures of a flow offer for a year (`lib.series.offers`), sorted by year and preference.

    Returns
    -------
    Frame: year, value_mn, grade, figure_id, status, authority, chosen (one True a year).
    """
    found = pd.DataFrame(offers(figures, currency, rates), columns=list(Level._fields))
    found = found.drop(columns="currency").astype({"year": "int64", "value_mn": "float64"})
    return found.assign(chosen=~found.duplicated("year"))


def coverage(names: pd.Series, record: pd.DataFrame) -> pd.DataFrame:
    """Number of figures by year (columns, without holes) and by what each is named (rows, in the order of `names`)."""
    counts = pd.crosstab(names, record["period_end"].dt.year).rename_axis(index=None, columns=None)
    years = range(counts.columns.min(), counts.columns.max() + 1)
    return counts.reindex(index=names.unique(), columns=years, fill_value=0)


def around(family: Iterable[FlowCase]) -> pd.DataFrame:
    """Everything that the day knew of the flows' pairs: all flows, and what the partner reports of the same trade.

    Rows are as `lib.figures.load_figures` gives them, with `pair` ("China–Russia") and `ours` (whether the reporter is one
    of the family, not the partner).
    """
    members = list(family)
    ours = {(one.reporter, one.partner): True for one in members}
    mirrored = {(partner, reporter): False for reporter, partner in ours if (partner, reporter) not in ours}
    curated, frames = fig.load_figures(), []
    for (reporter, partner), own in (ours | mirrored).items():
        rows = fetched.beside(curated, reporter)
        rows = rows[(rows["reporter"] == reporter) & (rows["partner"] == partner)]
        frames.append(rows.assign(pair=pair_name(reporter, partner), ours=own))
    return fig.as_of(pd.concat(frames, ignore_index=True), members[0].as_of_time).reset_index(drop=True)


def _prepared(known: pd.DataFrame, which: pd.Series) -> pd.DataFrame:
    return prepare(known[which.astype("bool")], fig.covariate("cny_per_usd"))


def conflicts(known: pd.DataFrame, flow: str) -> pd.DataFrame:
    """Periods of which several texts print levels in one currency that differ by more than their rounding.

    `low`, `high` and the number of `prints` are those of a period, `spread` is high against low, a fraction, the widest first.
    """
    rows = _prepared(known, known["ours"] & (known["flow"] == flow) & known["value"].notna())
    rows = rows.assign(unit=rows["currency"] + " mn")
    by_period = rows.groupby(["pair", "period_start", "period_end", "unit"], sort=False)
    found = by_period.agg(
        prints=("value_mn", "size"),
        low=("value_mn", "min"),
        high=("value_mn", "max"),
        rounding=("half", lambda half: half.nlargest(2).sum()),
        figure_ids=("figure_id", lambda ids: ", ".join(sorted(ids))),
    ).reset_index()
    found["spread"] = found["high"] / found["low"] - 1
    found = found[found["spread"] > found["rounding"] + 1e-9]
    return found.drop(columns="rounding").sort_values("spread", ascending=False, ignore_index=True)


def mirrors(known: pd.DataFrame) -> pd.DataFrame:
    """Levels that both sides report for the same goods and period, each the median of its usable prints.

    Returns
    -------
    Frame with pair, flow (of ours), period_start, period_end, ours_mn and theirs_mn (US dollars, converted at annual
    averages where need be) and gap (theirs against ours, fraction).
    """
    rows = _prepared(known, known["level_usable"])
    pairs = mirror_pairs(rows)
    pairs = pairs.join(rows[["ours", "pair", "flow"]], on="row")
    by = ["pair", "flow", "period_start", "period_end"]
    medians = pairs[pairs["ours"].astype("bool")].groupby(by)[["log", "log_o"]].median().astype("float64")
    found = np.exp(medians).set_axis(["ours_mn", "theirs_mn"], axis=1).reset_index()
    return found.assign(gap=found["theirs_mn"] / found["ours_mn"] - 1)


REVISION = ["row", "row_o", "implied", "printed", "revision", "rounding"]


def revisions(known: pd.DataFrame) -> pd.DataFrame:
    """What a release makes of an earlier one: by its growth, of the level a year before; or by printing it anew.

    Only usable levels and growth of one currency are compared; of several earlier prints the one nearest to what is
    implied counts. What is printed anew is compared with the last print of the same publisher.

    Returns
    -------
    Frame with figure_id, pair, flow, period_start, period_end, released (its year, or "undated"), before (figure_id of the
    earlier level), implied and printed (millions), revision and rounding (what the printed digits leave open; fractions).
    """
    rows = _prepared(known, known["ours"] & known["level_usable"])
    found = pd.concat([_implied_again(rows), _printed_again(rows)], ignore_index=True)
    found = found.astype({"row": "int64", "row_o": "int64"})  # also where there is none
    dated = (rows["published"] != "") | rows["known_by"].notna()
    rows = rows.assign(released=rows["known_from"].dt.year.astype("str").where(dated, "undated"))
    of = rows[["figure_id", "pair", "flow", "period_start", "period_end", "released"]]
    found = found.join(of, on="row").assign(before=found["row_o"].map(rows["figure_id"]))
    return found.drop(columns=["row", "row_o"])


def _implied_again(rows: pd.DataFrame) -> pd.DataFrame:
    """Levels implied by later growth, beside the nearest print of a year earlier."""
    pairs = with_growth(rows.assign(yoy_pct=rows["yoy_pct"].where(rows["growth_usable"])))
    implied = implied_base(pairs["value_mn"], pairs["yoy_pct"] / 100)
    rounding = pairs["half"] + pairs["half_o"] + pairs["half_yoy"] / (100 + pairs["yoy_pct"])
    found = pairs.assign(implied=implied, printed=pairs["value_mn_o"], rounding=rounding)
    found = found.assign(revision=found["implied"] / found["printed"] - 1)
    nearest = found.sort_values("revision", key=np.abs, kind="stable").drop_duplicates("row")
    return nearest.sort_values("row")[REVISION]


def _printed_again(rows: pd.DataFrame) -> pd.DataFrame:
    """Levels that a publisher printed again on a later day, beside its last print before."""
    ordered = rows.assign(row=rows.index).sort_values("known_from", kind="stable")
    before = ordered.groupby(["flow_number", "period_number", "currency", "publisher"]).shift()
    found = ordered.assign(implied=ordered["value_mn"], printed=before["value_mn"], row_o=before["row"])
    rounding = ordered["half"] + before["half"]
    found = found.assign(revision=found["implied"] / found["printed"] - 1, rounding=rounding)
    return found[ordered["known_from"] > before["known_from"]].sort_values("row")[REVISION]


def flags(known: pd.DataFrame) -> pd.DataFrame:
    """The flags of `lib.analysis.plausibility` on the reporters' figures, with the status that each figure has.

    `settled` is whether that status says what is wrong, `meaning` what the rule says, in words.
    """
    found = plausibility.find_flags(known, fig.covariate("cny_per_usd"), fig.parents())
    status = known.drop_duplicates("figure_id").set_index("figure_id")[["status", "ours"]]
    found = found.join(status, on="figure_id")
    found = found[found["ours"].astype("bool")].drop(columns="ours").reset_index(drop=True)
    meaning = found["rule"].map(lambda name: plausibility.RULES[name].meaning)
    return found.assign(settled=~found["status"].isin(plausibility.UNDOUBTED), meaning=meaning)
