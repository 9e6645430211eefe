"""What a source says, as one long table: a row for each reporter, partner, flow and period."""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lib.faults import quote
from lib.sources import periods
from lib.sources.periods import FREQUENCIES
from lib.sources.refusals import refuse
from lib.sources.snapshots import Snapshot

COLUMNS = (
    "reporter",
    "partner",
    "flow",
    "period",
    "freq",
    "value",
    "unit",
    "currency",
    "valuation",
    "source",
    "snapshot",
)
KEY = ["reporter", "partner", "flow", "freq", "period"]
FLOWS = ("total", "export", "import")
SCALES = {"": 1, "th": 1_000, "mn": 1_000_000, "bn": 1_000_000_000}


def empty() -> pd.DataFrame:
    """Return a table without observations, with its columns typed."""
    return pd.DataFrame({name: pd.Series(dtype="float64" if name == "value" else "str") for name in COLUMNS})


@lru_cache(maxsize=1)
def schema() -> Any:
    """Return the pandera schema of observations: `value` in `unit`, such as "USD" or "CNY mn", and finite."""
    import pandera.pandas as pa

    text = pa.Check(lambda column: column.str.len() > 0, error="text")
    shape = pa.Check.str_matches(r"^\d{4}(-Q[1-4]|-(0[1-9]|1[0-2]))?$")
    finite = pa.Check(np.isfinite, error="a finite number")
    columns = {
        "reporter": pa.Column("str", text),
        "partner": pa.Column("str", text),
        "flow": pa.Column("str", pa.Check.isin(FLOWS)),
        "period": pa.Column("str", shape),
        "freq": pa.Column("str", pa.Check.isin(list(FREQUENCIES))),
        "value": pa.Column("float64", [finite, pa.Check.ge(0)]),
        "unit": pa.Column("str", pa.Check.str_matches(r"^[A-Z]{3}( (th|mn|bn))?$")),
        "currency": pa.Column("str", pa.Check.str_matches(r"^[A-Z]{3}$")),
        "valuation": pa.Column("str", pa.Check.isin(["", "FOB", "CIF", "FOB + CIF"])),
        "source": pa.Column("str", text),
        "snapshot": pa.Column("str", pa.Check.str_matches(r"^[0-9a-f]{64}$")),
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def check(observations: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return observations that hold to the schema.

    Raises
    ------
    UserError
        Naming the first value of each kind that does not, such as a negative one.
    """
    from pandera.errors import SchemaErrors

    try:
        return schema().validate(observations[list(COLUMNS)], lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.drop_duplicates(["column", "check"]).head(5)
        found = [f"{case.column} {quote(str(case.failure_case))}" for case in cases.itertuples()]
        expected = [str(case.check) for case in cases.itertuples()]
        raise refuse(where, "; ".join(found), "; ".join(expected)) from None


def without_duplicates(rows: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Return rows without those that say the same twice; rows that contradict one another are refused."""
    repeated = rows.duplicated(KEY, keep="first")
    if not repeated.any():
        return rows, []
    if (conflict := rows.drop_duplicates([*KEY, "value"]).duplicated(KEY, keep=False)).any():
        case = rows.drop_duplicates([*KEY, "value"])[conflict].iloc[0]
        values = rows.loc[(rows[KEY] == case[KEY]).all(axis=1), "value"].drop_duplicates()
        found = f"{', '.join(f'{value:.15g}' for value in values)} for {' '.join(case[KEY])}"
        raise refuse(where, found, "one value")
    return rows[~repeated], [f"{where}: {int(repeated.sum())} rows stood there twice with the same value"]


def finished_only(rows: pd.DataFrame, snapshot: Snapshot) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose period was over on the day of retrieval: what is not over is no full figure yet."""
    day = pd.Timestamp(snapshot.day)
    early = {period for period in rows["period"].unique() if periods.last_day(period) >= day}
    if not early:
        return rows, []
    note = f"{snapshot.url}: left out, not over on {snapshot.day}: {', '.join(sorted(early))}"
    return rows[~rows["period"].isin(early)], [note]


def with_totals(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the totals, export + import, of the periods that have both; the other periods are named.

    A total carries the snapshot of its export: both flows are in it, but for panels of UN Comtrade's preview.
    """
    keys = [name for name in COLUMNS if name not in ("flow", "value", "valuation", "snapshot")]
    wide = rows.pivot(index=keys, columns="flow", values="value").reindex(columns=["export", "import"])
    both = wide.dropna()
    notes = [
        f"{reporter}–{partner}: no total, one flow alone: {', '.join(sorted(group.index.get_level_values('period')))}"
        for (reporter, partner), group in wide[wide.isna().any(axis=1)].groupby(level=["reporter", "partner"])
    ]
    exports = rows[rows["flow"] == "export"].set_index(keys)["snapshot"]
    total = (
        both.sum(axis=1).rename("value").to_frame().assign(snapshot=exports.reindex(both.index)).reset_index()
    )
    return total.assign(flow="total", valuation="FOB + CIF")[list(COLUMNS)], notes
