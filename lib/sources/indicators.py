"""Series of one place, such as GDP or an exchange rate: one long table, and the rows of `data/covariates.csv`."""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lib.faults import quote
from lib.sources.refusals import refuse
from lib.sources.snapshots import Snapshot

COLUMNS = ("place", "variable", "period", "freq", "value", "unit", "source", "snapshot")


@lru_cache(maxsize=1)
def schema() -> Any:
    """Return the pandera schema: one finite value for each place, variable and period."""
    import pandera.pandas as pa

    text = pa.Check(lambda column: column.str.len() > 0, error="text")
    columns = {
        "place": pa.Column("str", text),
        "variable": pa.Column("str", text),
        "period": pa.Column("str", pa.Check.str_matches(r"^\d{4}(-Q[1-4]|-(0[1-9]|1[0-2]))?$")),
        "freq": pa.Column("str", pa.Check.isin(["A", "Q", "M"])),
        "value": pa.Column("float64", pa.Check(np.isfinite, error="a finite number")),
        "unit": pa.Column("str", text),
        "source": pa.Column("str", text),
        "snapshot": pa.Column("str", pa.Check.str_matches(r"^[0-9a-f]{64}$")),
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=["place", "variable", "period"])


def check(rows: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return rows that hold to the schema, or say which value does not."""
    from pandera.errors import SchemaErrors

    try:
        return schema().validate(rows[list(COLUMNS)], lazy=True)
    except SchemaErrors as error:
        case = error.failure_cases.iloc[0]
        raise refuse(
            where, f"{case['column']} {quote(str(case['failure_case']))}", str(case["check"])
        ) from None


def covariates_from(rows: pd.DataFrame, snapshots: list[Snapshot]) -> pd.DataFrame:
    """Return annual values as text rows of `data/covariates.csv`: year, variable, value, unit, source_url."""
    urls = {snapshot.sha256: f"{snapshot.url} (retrieved {snapshot.day})" for snapshot in snapshots}
    annual = rows[rows["freq"] == "A"]
    columns = {
        "year": annual["period"],
        "variable": annual["variable"],
        "value": annual["value"].map(lambda value: np.format_float_positional(value, trim="-")),
        "unit": annual["unit"],
        "source_url": annual["snapshot"].map(urls),
    }
    return pd.DataFrame(columns).reset_index(drop=True).astype("str")
