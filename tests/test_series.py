"""One level a year out of conflicting figures: the known traps of the record, and properties of the rules."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import dear

from lib import figures as fig
from lib import series
from lib.cases import FlowCase
from lib.errors import UserError

ALL = fig.load_figures()
COVARIATES = fig.load_covariates()
CHINA = fig.select(ALL, "China", "Russia", "total")
PROVINCE = fig.select(ALL, "Heilongjiang", "Russia", "total")
LATE = pd.Timestamp("2026-11-24")


def levels(figures: pd.DataFrame, currency: str = "USD", day: str = "2026-11-24") -> pd.DataFrame:
    rates = series.exchange_rates(COVARIATES, pd.Timestamp(day))
    return series.annual_series(fig.as_of(figures, day), currency, rates)


def yuan(per_dollar: dict[int, float]) -> pd.DataFrame:
    return pd.DataFrame({"CNY": pd.Series(per_dollar), "USD": 1.0})


# --- the traps of the record ---


def test_2015_comes_from_the_dollar_release_for_2016_and_shows_the_press_conversion():
    year = levels(CHINA).loc[2015]
    assert year["value_mn"] == pytest.approx(69_525 / 1.022, rel=1e-12)
    assert year["value_mn"] == pytest.approx(68_030, abs=5)
    assert year["grade"] == "implied"
    assert year["low_mn"] == 64_200
    assert year["sources"] >= 3
    assert CHINA.set_index("figure_id").loc[year["figure_id"], "period_end"].year == 2016


def test_before_that_release_2015_is_converted_from_yuan_at_the_average_rate():
    year = levels(CHINA, day="2016-06-30").loc[2015]
    average = COVARIATES.query("variable == 'cny_per_usd' and year == 2015")["value"].item()
    assert year["value_mn"] == pytest.approx(422_700 / average, rel=1e-12)
    assert year["grade"] == "converted"
    assert year["low_mn"] == 64_200


def test_what_the_press_converted_is_the_last_resort():
    rates = series.exchange_rates(COVARIATES, LATE)
    known = fig.as_of(CHINA, "2016-06-30")
    assert series.annual_series(known, "USD").loc[2015, "grade"] == "press conversion"
    grades = [one.grade for one in series.offers(known, "USD", rates) if one.year == 2015]
    assert grades[-1] == "press conversion"


def test_without_an_exchange_rate_a_yuan_year_is_a_gap_in_dollars():
    yuan_only = CHINA[(CHINA["currency"] == "CNY") & (CHINA["period_start"].dt.year == 2015)]
    assert series.annual_series(yuan_only, "USD").empty
    # Yuan growth of 2015 implies a level of 2014 in yuan, which takes the rate of 2014.
    assert series.annual_series(yuan_only, "USD", yuan({2014: 6.16})).index.to_list() == [2014]
    assert series.annual_series(yuan_only, "USD", yuan({2015: 6.28})).index.to_list() == [2015]


def test_the_21_3_billion_yuan_of_2012_are_dollars_and_the_misprint_is_out():
    for day in ("2013-12-31", "2026-11-24"):
        year = levels(PROVINCE, day=day).loc[2012]
        assert (year["value_mn"], year["grade"]) == (21_310, "published")
        assert year["low_mn"] > 20_000
    yuan = levels(PROVINCE, "CNY").loc[2012]
    assert yuan["low_mn"] > 130_000
    assert series.annual_series(PROVINCE, "CNY").index.min() > 2012


@pytest.mark.parametrize(
    ("year", "level"),
    [
        (2005, 5680),  # final over 5.5 preliminary and 5.6 rounded
        (2013, 22_360),  # customs over rounded
        (2010, 7470),
    ],
)
def test_the_better_figure_of_the_province_is_used(year, level):
    row = levels(PROVINCE).loc[year]
    assert (row["value_mn"], row["grade"]) == (level, "published")


def test_final_2005_displaces_the_preliminary_figure_once_it_is_out():
    assert levels(PROVINCE, day="2006-02-28").loc[2005, "value_mn"] == 5500
    assert levels(PROVINCE, day="2006-12-31").loc[2005, "value_mn"] == 5680


def test_gaps_of_the_province_stay_gaps():
    known = levels(PROVINCE)
    missing = set(range(known.index.min(), known.index.max() + 1)) - set(known.index)
    assert missing and known["value_mn"].notna().all()
    # No full-year figure, and none that implies it, stands behind a gap.
    full = fig.annual(PROVINCE).query("level_usable or last_resort")
    assert set(full["year"]).isdisjoint(missing)


def test_yuan_stays_yuan_where_it_was_published():
    known = levels(PROVINCE, "CNY")
    own = known[known["grade"] == "published"]
    figures = PROVINCE.set_index("figure_id").loc[own["figure_id"]]
    assert len(own) and set(figures["currency"]) == {"CNY"}
    assert figures["value_mn"].to_list() == own["value_mn"].to_list()


def test_every_level_of_every_flow_leads_to_a_figure_and_lies_within_its_spread():
    for _, flow in ALL.groupby(["reporter", "partner", "flow"]):
        for currency in ("USD", "CNY"):
            known = levels(flow, currency)
            assert known["figure_id"].isin(flow["figure_id"]).all()
            assert known["grade"].isin(series.GRADES).all()
            assert known.index.is_unique and known.index.is_monotonic_increasing
            assert (known["value_mn"] > 0).all()
            assert known["value_mn"].between(known["low_mn"], known["high_mn"]).all()
            assert (known["sources"] >= 1).all()


# --- small records made up for the rules ---


def record(*rows: dict) -> pd.DataFrame:
    """Full-year figures of one flow from (year, value in bn, …)."""
    frame = pd.DataFrame(
        [
            {
                "figure_id": f"F{i}",
                "reporter": "R",
                "partner": "P",
                "flow": "total",
                "value": 1.0,
                "unit": "USD bn",
                "yoy_pct": np.nan,
                "published": f"{row['year'] + 1}-01-15",
                "authority": "customs",
                "status": "ok",
                **row,
            }
            for i, row in enumerate(rows)
        ]
    )
    year = frame["year"].astype(str)
    return fig.derive(
        frame.drop(columns="year").assign(
            period_start=pd.to_datetime(year + "-01-01"),
            period_end=pd.to_datetime(year + "-12-31"),
            known_by=pd.NaT,
        )
    )


def chosen(*rows: dict, currency: str = "USD", rates: pd.Series | None = None) -> float:
    return series.annual_series(record(*rows), currency, rates)["value_mn"].iloc[0]


def test_the_order_of_preference_among_published_figures():
    final = {"year": 2010, "value": 5.68}
    assert chosen({"year": 2010, "value": 5.5, "status": "preliminary"}, final) == 5680
    assert chosen({"year": 2010, "value": 5.712, "authority": "press"}, final) == 5680
    assert chosen({"year": 2010, "value": 5.7}, final) == 5680  # printed with more digits
    assert chosen(final | {"value": 5.69, "published": "2012-01-01"}, final) == 5690  # the later one
    # Status goes before authority, authority before digits.
    assert chosen({"year": 2010, "value": 5.6, "authority": "press"}, final | {"status": "rounded"}) == 5600


@pytest.mark.parametrize("status", fig.STATUS.index[~(fig.STATUS["level"] | fig.STATUS["last_resort"])])
def test_a_status_that_allows_no_level_gives_none(status):
    assert series.annual_series(record({"year": 2010, "status": status}), "USD").empty


def test_growth_of_the_next_year_implies_a_level_only_where_none_was_published():
    up = {"year": 2011, "value": 230.0, "unit": "USD mn", "yoy_pct": 50.0}
    known = series.annual_series(record(up), "USD")
    assert known.loc[2010, "value_mn"] == pytest.approx(153.333, abs=5e-4)
    assert known.loc[2010, "grade"] == "implied"
    with_own = series.annual_series(record(up, {"year": 2010, "value": 0.16, "authority": "press"}), "USD")
    assert with_own.loc[2010, "value_mn"] == 160
    assert with_own.loc[2010, "low_mn"] == pytest.approx(153.333, abs=5e-4)
    swapped = series.annual_series(record(up | {"status": "growth_swapped"}), "USD")
    assert swapped.index.to_list() == [2011]


def test_a_fall_of_all_trade_implies_no_level_and_is_an_error():
    with pytest.raises(UserError, match="growth: found -1"):
        series.annual_series(record({"year": 2011, "yoy_pct": -100.0}), "USD")


def test_parts_of_a_year_are_not_years():
    part = record({"year": 2010}).assign(period_end=pd.Timestamp("2010-11-30"))
    assert series.annual_series(part, "USD").empty


def test_currency_and_flow_must_be_single():
    with pytest.raises(UserError, match=r'currency: found "EUX", expected one of ISO 4217.*did you mean EUR'):
        series.offers(record({"year": 2010}), "EUX", None)
    with pytest.raises(UserError, match="figures of several flows"):
        series.offers(ALL, "USD", None)


def test_no_figures_give_an_empty_series_of_the_same_columns():
    empty = series.annual_series(CHINA.iloc[:0], "USD")
    assert empty.empty and [*empty.columns] == [*levels(CHINA).columns]


@pytest.mark.parametrize(
    ("value", "digits"),
    [(69.525, 5), (0.67, 2), (80, 1), (22.36, 4), (100.5, 4), (5.0, 1), (0.0, 0), (1e7, 1)],
)
def test_significant_digits(value, digits):
    assert series._significant_digits(value) == digits


def test_exchange_rates_of_a_day_are_those_of_years_that_were_over():
    assert series.exchange_rates(COVARIATES, pd.Timestamp("2016-01-01")).index.max() == 2015
    assert series.exchange_rates(COVARIATES, pd.Timestamp("2015-12-31")).index.max() == 2014


def test_a_third_currency_is_converted_over_the_dollar_and_marked():
    rows = record({"year": 2010, "value": 8.0, "unit": "CNY bn"}, {"year": 2011, "value": 2.0, "unit": "USD bn"},
                  {"year": 2012, "value": 3.0, "unit": "EUR bn"})  # fmt: skip
    known = pd.DataFrame(
        {"CNY": {2010: 6.4, 2012: 6.0}, "EUR": {2010: 0.8, 2011: 0.7, 2012: 0.75}, "USD": 1.0}
    )
    euros = series.annual_series(rows, "EUR", known)
    assert euros["value_mn"].to_dict() == pytest.approx({2010: 1000, 2011: 1400, 2012: 3000})
    assert euros["grade"].to_list() == ["converted", "converted", "published"]
    yuan = series.annual_series(rows, "CNY", known)["value_mn"].to_dict()
    assert yuan == pytest.approx({2010: 8000, 2012: 3000 / 0.75 * 6}), "2011 has no rate of the yuan"
    assert series.annual_series(rows, "GBP", known).empty
    assert series.annual_series(rows, "EUR")["value_mn"].to_dict() == {2012: 3000}


def test_a_rate_that_is_missing_is_told_with_the_command_that_brings_it():
    rates = series.exchange_rates(COVARIATES, LATE)
    assert series.in_dollars(600, "CNY", 2013, rates.assign(CNY=6.0)) == 100
    assert series.in_dollars(600, "USD", 1800, rates) == 600
    for currency, year in (("CNY", 1900), ("EUX", 2013)):
        with pytest.raises(UserError, match=rf"{currency} for {year} .*data refresh --currency {currency}"):
            series.in_dollars(600, currency, year, rates)


# --- properties ---

FIGURE = st.fixed_dictionaries(
    {
        "year": st.integers(2008, 2012),
        "value": st.decimals(1, 99, places=2).map(float),
        "unit": st.sampled_from(["USD bn", "CNY bn", "USD mn"]),
        "yoy_pct": st.sampled_from([np.nan, -28.6, 12.5, 50.0]),
        "published": st.sampled_from(["2013-02-01", "2014", "2015-06"]),
        "authority": st.sampled_from(list(fig.AUTHORITIES)),
        "status": st.sampled_from(
            ["ok", "preliminary", "rounded", "growth_swapped", "converted", "misdated"]
        ),
    }
)
RATES = yuan({2007: 7.6, 2008: 6.9, 2009: 6.8, 2010: 6.8, 2011: 6.5})  # 2012 has none
PLAIN = ["value_mn", "grade", "low_mn", "high_mn", "sources"]


@dear
@given(rows=st.lists(FIGURE, min_size=1, max_size=7), seed=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, seed):
    mixed = rows.copy()
    seed.shuffle(mixed)
    left, right = (series.annual_series(record(*r), "USD", RATES)[PLAIN] for r in (rows, mixed))
    pd.testing.assert_frame_equal(left, right)


@dear
@given(rows=st.lists(FIGURE, min_size=1, max_size=6), worse=FIGURE)
def test_a_worse_candidate_never_changes_the_choice(rows, worse):
    """A further figure either becomes the choice of a year itself or leaves the choice where it was."""
    before = series.annual_series(record(*rows), "USD", RATES)
    after = series.annual_series(record(*rows, worse), "USD", RATES)
    kept = after["figure_id"] != f"F{len(rows)}"
    assert set(before.index) <= set(after.index)
    assert set(after.index[kept]) <= set(before.index)
    columns = ["value_mn", "grade", "figure_id"]
    pd.testing.assert_frame_equal(after.loc[kept, columns], before.loc[after.index[kept], columns])


@dear
@given(rows=st.lists(FIGURE, min_size=1, max_size=6), power=st.sampled_from([10.0, 100.0]))
def test_the_choice_does_not_depend_on_the_size_of_the_flow(rows, power):
    larger = [row | {"value": round(row["value"] * power, 6)} for row in rows]
    left, right = (series.annual_series(record(*r), "USD", RATES) for r in (rows, larger))
    assert left["figure_id"].to_list() == right["figure_id"].to_list()
    for column in ("value_mn", "low_mn", "high_mn"):
        assert right[column].to_list() == pytest.approx((left[column] * power).to_list(), rel=1e-9)


@dear
@given(rows=st.lists(FIGURE, min_size=1, max_size=6))
def test_each_year_has_one_choice_and_it_comes_first(rows):
    found = pd.DataFrame(series.offers(record(*rows), "USD", RATES), columns=series.Level._fields)
    chosen = series.annual_series(record(*rows), "USD", RATES)
    assert found["year"].is_monotonic_increasing
    assert found.groupby("year")["figure_id"].first().to_dict() == chosen["figure_id"].to_dict()
    assert found["grade"].map(series.GRADES.index).groupby(found["year"]).is_monotonic_increasing.all()


@dear
@given(day=st.dates(pd.Timestamp("2006-01-10").date(), pd.Timestamp("2026-11-24").date()))
@pytest.mark.parametrize("reporter", ["China", "Heilongjiang"])
def test_nothing_published_later_enters(day, reporter):
    """Through the case: what came after the day is corrupted, and nothing changes."""
    case = FlowCase(reporter=reporter, as_of=day)
    figures = CHINA if reporter == "China" else PROVINCE
    later = figures["known_from"] > pd.Timestamp(day)
    spoilt = figures.assign(
        value_mn=figures["value_mn"].mask(later, 1e9),
        value=figures["value"].mask(later, 1e9),
        yoy_pct=figures["yoy_pct"].mask(later, 99.0),
        status=figures["status"].mask(later, "ok"),
        level_usable=figures["level_usable"] | later,
        growth_usable=figures["growth_usable"] | later,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fig, "load_figures", lambda: figures)
        clean = levels(case.vintage(), day=str(day))
        patch.setattr(fig, "load_figures", lambda: spoilt)
        pd.testing.assert_frame_equal(levels(case.vintage(), day=str(day)), clean)
