"""The measured coverage that stands under every fan is that of the kept scores."""

import numpy as np
import pandas as pd
import pytest

from lib import reference
from lib.package import data_dir


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    kept = pd.read_parquet(data_dir() / "reference" / "scores" / "trade_intervals.parquet")
    return kept[kept["model"] == reference.USED]


@pytest.mark.parametrize("horizon", [1, 3, 10])
def test_coverage_is_the_mean_over_origins_weighted_by_forecasts(rows: pd.DataFrame, horizon: int) -> None:
    own = rows[rows["horizon"] == horizon]
    found = reference._coverage(horizon)
    for level in (50, 80, 95):
        expected = np.average(own[f"cover{level}"].astype(float), weights=own["n"])
        assert found[f"cover{level}"] == pytest.approx(expected, abs=1e-6)
    assert (found["n"], found["first"], found["last"]) == (own["n"].sum(), 2005, 2020 - horizon)


def test_beyond_the_longest_horizon_the_longest_speaks() -> None:
    assert reference._coverage(25).equals(reference._coverage(10))


def test_the_sentence_names_horizon_shares_and_origins() -> None:
    found = reference._coverage(1)
    line = reference.coverage_line(1)
    assert line.startswith("Measured: of what came 1 year later, the 50 % interval held ")
    assert f"the 95 % interval {found['cover95'] * 100:.0f} % (" in line and "2005–2019" in line


def test_under_a_fan_of_a_size_stands_the_coverage_of_its_class() -> None:
    kept = pd.read_parquet(data_dir() / "reference" / "scores" / "trade_intervals_by_size.parquet")
    row = kept[(kept["model"] == reference.USED) & (kept["horizon"] == 3) & (kept["size_class"] == 6)].iloc[0]
    found = reference._coverage(3, 2e10)
    assert found["cover80"] == pytest.approx(row["cover80"]) and found["n"] == row["n"]
    assert "trade flows of US$10 billion and more a year" in reference.coverage_line(3, 2e10)
    assert found["cover80"] < reference._coverage(3, 1.5e8)["cover80"]
