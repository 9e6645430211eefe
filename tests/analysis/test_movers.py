"""Parts of growth add up exactly, whatever the numbers, and published worked examples come out."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from cells import made
from hypothesis import given
from hypothesis import strategies as st

from lib import figures as fig
from lib import growth
from lib.analysis import movers
from lib.analysis.cases import DriverCase
from lib.research import studies

positive = st.floats(0.01, 1e6)


def currency_parts(view: movers.View) -> pd.DataFrame:
    """What notebook 07 makes of growth in dollars."""
    return made("07", "prices", "parts", view=view, case=view.case)


def by_year(values, first=2000) -> pd.Series:
    return pd.Series(values, index=range(first, first + len(values)), dtype=float)


def test_china_russia_2015_in_dollars_and_yuan():
    """Customs: −28.6 % in dollars; TASS: −27.8 % in yuan, converted month by month and not at a year's average."""
    parts = currency_parts(movers.look(DriverCase(reporter="China"))).loc[2015]
    assert np.expm1(parts["growth"]) == pytest.approx(-0.286, abs=5e-4)
    assert np.expm1(parts["prices"] + parts["real"]) == pytest.approx(-0.278, abs=0.007)


def test_chinas_output_at_the_prices_of_a_year_before_grew_as_published():
    parts = currency_parts(movers.look(DriverCase(reporter="China")))
    gdp, real, cny = (
        fig.covariate(name) for name in ("china_gdp_current_usd", "china_gdp_real_growth_pct", "cny_per_usd")
    )
    grew = growth.log_growth(gdp * cny).reindex(parts.index) - parts["prices"]
    np.testing.assert_allclose(np.expm1(grew) * 100, real.reindex(parts.index), atol=1e-9)


def test_a_gap_in_any_part_leaves_the_year_out():
    view = movers.look(DriverCase(reporter="China"))
    whole, holed = (currency_parts(one) for one in (view, view._replace(usd=view.usd.drop([2010, 2015]))))
    assert set(whole.index) - set(holed.index) == {2010, 2011, 2015, 2016}


@given(st.lists(st.tuples(positive, positive), min_size=2, max_size=12))
def test_price_and_volume_add_up_to_the_change(rows):
    value, price = (by_year(column) for column in zip(*rows, strict=True))
    found = studies._price_and_volume(value, price)
    scale = max(value.max(), found.abs().to_numpy().max())  # parts far larger than the change cancel
    np.testing.assert_allclose(found["price"] + found["volume"], found["change"], atol=1e-9 * scale)
    np.testing.assert_allclose(found["change"], value.diff().iloc[1:], atol=1e-9 * scale)


def test_bennets_indicators_of_a_small_example():
    """10 at 2 becomes 12 at 3: price (10 + 12) / 2 × 1 = 11, volume (2 + 3) / 2 × 2 = 5, change 36 − 20."""
    found = studies._price_and_volume(by_year([20.0, 36]), by_year([2.0, 3]))
    assert found.loc[2001].to_dict() == pytest.approx({"change": 16, "price": 11, "volume": 5})


def test_bennet_treats_both_years_alike():
    value, price = by_year([20.0, 36]), by_year([2.0, 3])
    there = studies._price_and_volume(value, price).iloc[0]
    back = studies._price_and_volume(by_year([36.0, 20]), by_year([3.0, 2])).iloc[0]
    np.testing.assert_allclose(there, -back)


@given(st.lists(st.tuples(positive, positive, positive), min_size=2, max_size=10))
def test_fuel_contributions_add_up_to_growth(rows):
    fuel, rest, price = (by_year(column) for column in zip(*rows, strict=True))
    found = studies._fuel_contributions(fuel, fuel + rest, price)
    total = found[["fuel_price", "fuel_volume", "other"]].sum(axis=1)
    np.testing.assert_allclose(total, found["growth"], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(found["growth"], growth.yoy(fuel + rest).iloc[1:], rtol=1e-9)
    assert found["fuel_share"].between(0, 1).all()


@given(st.lists(positive, min_size=3, max_size=15), st.data())
def test_what_is_set_aside_and_the_rest_compound_to_the_whole(values, data):
    level = by_year(values)
    year = data.draw(st.integers(2001, 2000 + len(values) - 1))
    found = made("07", "apart", view=SimpleNamespace(family={"x": level}), set_aside=year).iloc[0]
    whole = np.log1p(found["without_year"]) * (len(values) - 2) + np.log1p(found["in_year"])
    assert whole == pytest.approx(np.log(values[-1] / values[0]), abs=1e-7)
    assert np.log1p(found["with_year"]) * (len(values) - 1) == pytest.approx(whole, abs=1e-7)
