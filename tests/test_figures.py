"""What each figure is good for, and what was known on a given day."""

import csv
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import dear

from lib import figures as fig
from lib.errors import UserError
from lib.package import data_dir

ALL = fig.load_figures()
COLUMNS = [*csv.DictReader((data_dir() / "figures.csv").read_text(encoding="utf-8").splitlines()).fieldnames]


def one(figure_id: str) -> pd.Series:
    return ALL.set_index("figure_id").loc[figure_id]


def test_published_columns_come_first_unchanged_and_derived_ones_follow():
    assert [name for name in ALL.columns if name in COLUMNS] == COLUMNS
    assert {*ALL.columns} - {*COLUMNS} == {
        "line",
        "known_from",
        "currency",
        "value_mn",
        "level_usable",
        "growth_usable",
        "last_resort",
    }
    text = (data_dir() / "figures.csv").read_text(encoding="utf-8").split("\n")
    for row in ALL.itertuples():
        assert text[row.line - 1].startswith(row.figure_id + ",")


@pytest.mark.parametrize(
    ("published", "known_by", "expected"),
    [
        ("2014-04-15", "", "2014-04-15"),
        ("2014-04", "", "2014-04-30"),
        ("2012-02", "", "2012-02-29"),
        ("2013", "", "2013-12-31"),
        ("", "2014-12-31", "2014-12-31"),
        ("", "", "2026-11-24"),
    ],
)
def test_a_figure_counts_as_known_from_the_last_day_its_date_can_mean(published, known_by, expected):
    rows = pd.DataFrame({"published": [published], "known_by": pd.to_datetime([known_by or None])})
    rows = rows.assign(unit="USD mn", value=1.0, yoy_pct=1.0, status="ok")
    assert fig.derive(rows)["known_from"].tolist() == [pd.Timestamp(expected)]


@given(day=st.dates(date(1900, 1, 1), date(2100, 1, 1)), size=st.sampled_from([4, 7, 10]))
def test_no_figure_is_known_before_the_day_it_appeared(day, size):
    known = fig.last_days(pd.Series([day.isoformat()[:size]]))[0].date()
    assert known >= day
    assert known.isoformat()[:size] == day.isoformat()[:size]


def test_values_in_millions_follow_the_unit():
    rows = pd.DataFrame(
        {
            "value": [4.07, 230.0, 360.0],
            "unit": ["CNY bn", "USD mn", "firms"],
            "status": "ok",
            "yoy_pct": [float("nan"), 50.0, 1.0],
            "published": "2014",
            "known_by": pd.NaT,
        },
        index=pd.Index([2, 3, 4], name="line"),
    )
    derived = fig.derive(rows)
    assert derived["value_mn"].tolist()[:2] == [4070.0, 230.0]
    assert pd.isna(derived["value_mn"][2])
    assert derived["currency"].tolist() == ["CNY", "USD", ""]
    assert derived["growth_usable"].tolist() == [False, True, True]


def test_nothing_is_usable_that_is_not_there():
    assert ALL.loc[ALL["level_usable"] | ALL["last_resort"], "value"].notna().all()
    assert ALL.loc[ALL["growth_usable"], "yoy_pct"].notna().all()
    assert not (ALL["level_usable"] & ALL["last_resort"]).any()


@dear
@given(
    day=st.dates(date(2003, 1, 1), date(2026, 6, 30)),
    number=st.integers(0, 10**6),
    status=st.sampled_from(["ok", "conflict", "converted"]),
    drop=st.booleans(),
)
def test_what_is_published_later_never_shows(tmp_path_factory, day, number, status, drop):
    """Corrupt or delete in the file every figure published after a day: the view of that day is the same."""
    later = set(ALL.loc[ALL["known_from"] > pd.Timestamp(day), "figure_id"])
    path = tmp_path_factory.mktemp("later") / "figures.csv"
    with (
        (data_dir() / "figures.csv").open(encoding="utf-8", newline="") as source,
        path.open("w", encoding="utf-8", newline="") as corrupted,
    ):
        reader = csv.DictReader(source)
        writer = csv.DictWriter(corrupted, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for i, row in enumerate(reader):
            if row["figure_id"] in later:
                if drop:
                    continue
                row |= {"value": f"{number}.{i}", "yoy_pct": str(number), "note": "corrupted"}
                row |= {"status": status, "url": row["url"] or "https://example.org/"}
            writer.writerow(row)
    before, after = fig.as_of(ALL, day), fig.as_of(fig.load_figures(path), day)
    pd.testing.assert_frame_equal(
        before.drop(columns="line").reset_index(drop=True), after.drop(columns="line").reset_index(drop=True)
    )


@given(
    st.dates(date(1990, 1, 1), date(2030, 1, 1)),
    st.dates(date(1990, 1, 1), date(2030, 1, 1)),
)
def test_a_later_view_contains_the_earlier(one_day, other_day):
    early, late = sorted([one_day, other_day])
    assert set(fig.as_of(ALL, early)["figure_id"]) <= set(fig.as_of(ALL, late)["figure_id"])


def test_the_seed_figure_is_known_on_the_day_of_the_article_and_not_before():
    assert "HRB-RU-total-2013-a" in set(fig.as_of(ALL, "2014-04-15")["figure_id"])
    assert "HRB-RU-total-2013-a" not in set(fig.as_of(ALL, "2014-04-14")["figure_id"])
    assert fig.as_of(ALL, "1980-01-01").empty
    assert len(fig.as_of(ALL, fig.UNDATED_KNOWN_FROM)) == len(ALL)


def test_a_day_may_be_text_date_or_timestamp():
    ids = [
        fig.as_of(ALL, day)["figure_id"].tolist()
        for day in (
            "2014-04-15",
            date(2014, 4, 15),
            pd.Timestamp("2014-04-15 23:00"),
            pd.Timestamp("2014-04-15", tz="UTC"),
        )
    ]
    assert ids[0] == ids[1] == ids[2] == ids[3]


@pytest.mark.parametrize("day", ["2014", "15.04.2014", "2014-02-30", "", None, 2014, pd.NaT])
def test_another_day_is_refused(day):
    with pytest.raises(UserError, match="as of: found"):
        fig.as_of(ALL, day)


def test_select_gives_one_flow():
    rows = fig.select(ALL, "Harbin", "Russia", "total")
    assert set(rows["reporter"] + rows["partner"] + rows["flow"]) == {"HarbinRussiatotal"}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("Harbn", "Russia", "total"), 'reporter: found "Harbn", expected "Harbin"'),
        (("harbin", "Russia", "total"), 'reporter: found "harbin", expected "Harbin"'),
        (("Harbin", "Russland", "total"), 'partner: found "Russland" with Harbin, expected "Russia"'),
        (
            ("Harbin", "Russia", "export"),
            'flow: found "export" with Harbin and Russia, expected one of',
        ),
    ],
)
def test_select_names_the_nearest_of_what_exists(names, words):
    with pytest.raises(UserError) as error:
        fig.select(ALL, *names)
    assert words in str(error.value)


def test_annual_keeps_exactly_whole_years():
    starts = pd.to_datetime(["2013-01-01", "2013-01-01", "2013-02-01", "2012-01-01", "2012-01-01", None])
    ends = pd.to_datetime(
        ["2013-12-31", "2013-11-30", "2013-12-31", "2013-12-31", "2012-12-31", "2012-12-31"]
    )
    rows = fig.annual(pd.DataFrame({"period_start": starts, "period_end": pd.to_datetime(ends)}))
    assert rows.index.tolist() == [0, 4]
    assert rows["year"].tolist() == [2013, 2012]


def test_a_covariate_is_a_series_by_year():
    rate = fig.covariate("cny_per_usd")
    assert rate[2013] == pytest.approx(6.148)
    assert rate.index.name == "year"
    assert rate.index.is_unique
    with pytest.raises(UserError, match='expected "cny_per_usd"'):
        fig.covariate("cny_usd")


# --- traps: wrong numbers stay in the record, visibly, and nothing takes them ---


def test_the_press_conversion_of_2015_is_never_a_dollar_level_or_a_dollar_growth():
    rows = fig.annual(fig.select(ALL, "China", "Russia", "total"))
    rows = rows[(rows["year"] == 2015) & (rows["currency"] == "USD")]
    assert set(rows["value"]) == {64.2}
    assert not rows["level_usable"].any()
    assert not rows["growth_usable"].any()
    assert rows["last_resort"].all()
    assert one("CN-RU-total-2016-a")["growth_usable"]  # from which 68.0 follows


def test_the_currency_slip_of_2012_is_kept_and_excluded():
    rows = fig.annual(fig.select(ALL, "Heilongjiang", "Russia", "total"))
    rows = rows[(rows["year"] == 2012) & (rows["currency"] == "CNY")]
    assert rows["value"].tolist() == [21.3]
    assert rows["status"].tolist() == ["currency_error"]
    assert not rows[["level_usable", "growth_usable", "last_resort"]].any(axis=None)


def test_swapped_growth_leaves_the_level():
    row = one("HLJ-RU-export-2013-a")
    assert row["level_usable"]
    assert not row["growth_usable"]


def test_no_figure_is_taken_whose_note_forbids_it():
    forbidden = ALL[ALL["note"].str.contains("do not use")]
    assert not forbidden.empty
    assert not forbidden[["level_usable", "growth_usable", "last_resort"]].any(axis=None)


def test_usable_totals_are_the_sum_of_usable_parts():
    """Within one text: export and import add up to the total, as far as they are rounded."""
    rows = ALL[ALL["level_usable"]]
    text = ["reporter", "partner", "period_start", "period_end", "unit", "url", "publisher"]
    wide = rows.pivot_table(index=text, columns="flow", values="value", aggfunc="first").dropna()
    assert len(wide) > 20
    assert (wide["total"] / (wide["export"] + wide["import"])).between(0.985, 1.015).all()
