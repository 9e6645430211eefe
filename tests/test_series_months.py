"""Year-to-date releases and months: `lib.series`."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from cells import made

from lib import figures as fig
from lib import growth
from lib.errors import UserError
from lib.series import implied_year_to_date, releases, year_to_date

RECORD = fig.select(fig.load_figures(), "China", "Russia", "total")


def so_far(**months: float) -> pd.Series:
    """The year so far: m2=… is January and February."""
    return pd.Series({int(name[1:]): value for name, value in months.items()})


def stretches(*rows: tuple[int, int, int, float], growth: float = np.nan) -> pd.DataFrame:
    """Stretches of months: (year, first month, last month, millions)."""
    frame = pd.DataFrame(rows, columns=["year", "first_month", "last_month", "value_mn"])
    return frame.assign(growth=growth)


def figure(period: str, value: float, status: str = "ok", published: str = "2022-01-31") -> dict:
    """A figure as `lib.figures.load_figures` gives it; the period as "2021-01 to 2021-03"."""
    first, last = period.split(" to ")
    return {
        "period_start": pd.Timestamp(first),
        "period_end": pd.Timestamp(last) + pd.offsets.MonthEnd(0),
        "value": value,
        "value_mn": value,
        "currency": "USD",
        "yoy_pct": np.nan,
        "status": status,
        "authority": "customs",
        "known_from": pd.Timestamp(published),
        "level_usable": fig.STATUS.loc[status, "level"],
        "growth_usable": False,
        "last_resort": fig.STATUS.loc[status, "last_resort"],
        "figure_id": f"{period}-{status}-{published}",
    }


# --- from the year so far to months ---


def test_january_and_february_published_together_stay_together() -> None:
    found = growth.unwind_ytd(so_far(m2=10.0, m3=16.0, m4=21.0))
    months = found[["first_month", "last_month", "value"]]
    assert months.to_numpy().tolist() == [[1, 2, 10.0], [3, 3, 6.0], [4, 4, 5.0]]
    assert (found["fault"] == "").all()


def test_months_of_releases_that_were_not_found_are_not_told_apart() -> None:
    found = growth.unwind_ytd(so_far(m1=3.0, m3=np.nan, m6=18.0))
    assert found[["first_month", "last_month", "value"]].to_numpy().tolist() == [[1, 1, 3.0], [2, 6, 15.0]]


def test_a_year_so_far_that_falls_is_flagged_and_explained_not_mended() -> None:
    found = growth.unwind_ytd(so_far(m5=50.0, m6=48.5, m7=57.0))
    assert found["value"].tolist() == [50.0, -1.5, 8.5]
    assert found["fault"].tolist()[::2] == ["", ""]
    assert "the year to month 6 is 1.5 below the year to month 5" in found["fault"][1]
    assert "revised" in found["fault"][1]


def test_no_release_has_no_months() -> None:
    assert growth.unwind_ytd(pd.Series(dtype=float, index=pd.Index([], dtype=int))).empty


@pytest.mark.parametrize("months", [[3, 3], [0, 1], [13], ["March"]])
def test_two_releases_for_one_month_and_labels_that_are_no_months_are_refused(months: list) -> None:
    with pytest.raises(UserError, match="expected distinct months from 1 to 12"):
        growth.unwind_ytd(pd.Series(1.0, index=months))


# --- from stretches to the year so far ---


def test_single_months_extend_the_year_so_far_up_to_the_first_hole() -> None:
    found = year_to_date(stretches((2021, 1, 2, 10.0), (2021, 3, 3, 6.0), (2021, 5, 5, 7.0)))
    assert found.to_dict() == {(2021, 2): 10.0, (2021, 3): 16.0}


def test_a_published_sum_comes_before_one_made_of_months() -> None:
    found = year_to_date(stretches((2021, 1, 3, 16.5), (2021, 1, 2, 10.0), (2021, 3, 3, 6.0)))
    assert found[2021, 3] == 16.5


def test_without_january_there_is_no_year_so_far() -> None:
    assert year_to_date(stretches((2021, 2, 2, 5.0), (2021, 3, 3, 6.0))).empty


def test_years_are_kept_apart() -> None:
    found = year_to_date(stretches((2020, 1, 12 - 1, 99.0), (2021, 2, 2, 5.0)))
    assert found.to_dict() == {(2020, 11): 99.0}


# --- which figure counts ---


def test_of_two_releases_for_one_stretch_the_better_one_counts_and_the_earlier_day() -> None:
    rows = pd.DataFrame(
        [
            figure("2021-01 to 2021-06", 63.0, "rounded", "2021-07-13"),
            figure("2021-01 to 2021-06", 62.96, "ok", "2021-08-20"),
        ]
    )
    found = releases(rows, "USD").iloc[0]
    assert (found["value_mn"], found["known_from"]) == (62.96, pd.Timestamp("2021-07-13"))


@pytest.mark.parametrize("status", ["partial_scope", "conflict", "misprint", "unlinked", "goal"])
def test_figures_that_say_nothing_of_the_level_are_left_out(status: str) -> None:
    assert releases(pd.DataFrame([figure("2021-01 to 2021-06", 63.0, status)]), "USD").empty


def test_a_press_conversion_fills_a_gap_that_nothing_better_fills() -> None:
    rows = [figure("2021-01 to 2021-06", 63.0, "converted")]
    assert releases(pd.DataFrame(rows), "USD")["status"].tolist() == ["converted"]
    rows.append(figure("2021-01 to 2021-06", 62.0, "secondary"))
    assert releases(pd.DataFrame(rows), "USD")["status"].tolist() == ["secondary"]


def test_whole_years_and_other_currencies_are_not_parts() -> None:
    rows = [figure("2021-01 to 2021-12", 146.0), figure("2021-01 to 2021-06", 63.0) | {"currency": "CNY"}]
    assert releases(pd.DataFrame(rows), "USD").empty


def test_a_day_knows_only_what_had_been_published() -> None:
    found = releases(fig.as_of(RECORD, "2021-06-30"), "USD")
    assert year_to_date(found).loc[2021].index.tolist() == [3, 4, 5]
    assert (found["known_from"] <= pd.Timestamp("2021-06-30")).all()


# --- what a growth rate says of the year before ---


def test_growth_implies_the_year_so_far_a_year_earlier() -> None:
    # Customs, first half of 2014: USD 44.54 bn, up 3.3 %; the first half of 2013 had been printed as 43.18.
    found = implied_year_to_date(stretches((2014, 1, 6, 44_540.0), growth=0.033))
    assert found[["year", "last_month"]].to_numpy().tolist() == [[2013, 6]]
    assert found["value_mn"].iloc[0] == pytest.approx(43_180, rel=0.002)


def test_revisions_compare_print_with_the_base_implied_a_year_later() -> None:
    rows = pd.concat([stretches((2020, 1, 6, 100.0)), stretches((2021, 1, 6, 121.0), growth=0.10)])
    revised = made("11", "revised", running=SimpleNamespace(stretches=rows))
    assert revised.tolist() == pytest.approx([np.log(1.1)])
