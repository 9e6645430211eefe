"""Each rule on figures made for it, what must not be flagged, and all rules on the record and its statuses."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import dear

from lib import figures as fig
from lib.analysis import plausibility
from lib.analysis.plausibility import _half_unit
from lib.package import data_dir

RATES = pd.Series(6.5, index=pd.Index(range(2000, 2026), name="year"))
COLUMNS = [
    "figure_id",
    "reporter",
    "partner",
    "flow",
    "period_start",
    "period_end",
    "value",
    "unit",
    "yoy_pct",
]
REST = {"known_by": pd.NaT, "publisher": "Customs", "authority": "customs", "url": "https://a.b", "note": ""}


def figure(
    value: float,
    period: str = "2014",
    unit: str = "USD bn",
    growth: float = np.nan,
    flow: str = "total",
    who: tuple[str, str] = ("China", "Russia"),
    **other: object,
) -> dict[str, object]:
    """A figure of a year ("2014"), or of months ("2014-01/2014-06")."""
    first, _, last = period.partition("/")
    start, end = pd.Period(first).start_time, pd.Period(last or first).end_time.normalize()
    row = {"reporter": who[0], "partner": who[1], "flow": flow, "period_start": start, "period_end": end}
    row |= {
        "value": value,
        "unit": unit,
        "yoy_pct": growth,
        "published": f"{end.year + 1}-01-20",
        "status": "ok",
    }
    return REST | row | other


def record(*rows: dict[str, object]) -> pd.DataFrame:
    """Figures as `load_figures` gives them, named a, b, c, … in order."""
    frame = pd.DataFrame(rows).assign(figure_id=list("abcdefghijklmnopqrstuvwxyz"[: len(rows)]))
    frame.index = pd.RangeIndex(2, len(rows) + 2, name="line")
    frame = frame.astype({"known_by": "datetime64[us]", "value": "float64", "yoy_pct": "float64"})
    return fig.derive(frame)


def flagged(rows: pd.DataFrame, rule: str = "", parents: dict[str, str] | None = None) -> list[str]:
    """The figures that one rule doubts, or all of them."""
    asked = {rule: plausibility.RULES[rule]} if rule else plausibility.RULES
    with patch.object(plausibility, "RULES", asked):
        found = plausibility.find_flags(rows, RATES, parents)
    assert set(found["rule"]) <= asked.keys()
    return list(found["figure_id"])


def smooth(
    years: range = range(2008, 2018), growth: float = 0.1, start: float = 10.0
) -> list[dict[str, object]]:
    """A flow that grows by the same rate every year, printed to four digits."""
    levels = [float(f"{start * (1 + growth) ** n:.4g}") for n in range(len(years))]
    return [figure(level, str(year)) for level, year in zip(levels, years, strict=True)]


# --- sound figures ---


def test_a_record_without_faults_raises_no_flag():
    parts = [
        figure(6.0, flow="export", growth=20.0),
        figure(4.0, flow="import", growth=0.0),
        figure(10.0, growth=11.1),  # 6/1.2 + 4/1 = 9
        figure(9.0, "2013"),
        figure(10.4, who=("Russia", "China")),
        figure(65.0, unit="CNY bn"),
        figure(9.2, "2014-01/2014-11"),
        figure(0.8, "2014-12"),
    ]
    assert flagged(record(*parts)) == []


def test_no_figures_raise_no_flag():
    assert flagged(record(figure(1.0)).iloc[:0]) == []
    assert flagged(record(figure(1.0, status="goal"))) == []
    assert flagged(record(figure(np.nan, growth=5.0, status="growth_only"))) == []


@dear
@given(st.floats(-0.2, 0.3), st.floats(0.01, 900))
def test_steady_growth_raises_no_flag(growth: float, start: float):
    assert flagged(record(*smooth(growth=growth, start=start))) == []


# --- units ---


@dear
@given(st.integers(0, 9), st.sampled_from([1, 2, 3, 4]), st.booleans(), st.floats(-0.05, 0.12))
def test_a_misplaced_decimal_is_found_and_named_alone(place: int, power: int, up: bool, growth: float):
    rows = smooth(growth=growth)
    rows[place]["value"] *= 10.0 ** (power if up else -power)
    name = "abcdefghij"[place]
    found = plausibility.find_flags(record(*rows), RATES)
    assert found[["rule", "figure_id"]].to_numpy().tolist() == [["power_of_ten", name]]


def test_a_decimal_is_found_by_the_other_prints_of_the_period():
    rows = record(figure(21.3), figure(21.3, publisher="B"), figure(2.13, publisher="C"))
    found = plausibility.find_flags(rows, RATES).iloc[0]
    assert (found["rule"], found["figure_id"], found["against"]) == ("power_of_ten", "c", "a, b")
    assert found["expected"] == "about 21,300 USD mn (a decimal, or yi (亿, 0.1 bn) taken for bn)"


@pytest.mark.parametrize("growth", [0.0, 0.12])
@pytest.mark.parametrize("place", [0, 4, 9])
def test_yuan_printed_as_dollars_are_found_by_the_years_around(place: int, growth: float):
    rows = smooth(growth=growth)
    rows[place]["value"] *= 6.5
    assert flagged(record(*rows), "other_currency") == ["abcdefghij"[place]]
    assert flagged(record(*rows), "power_of_ten") == []


def test_dollars_printed_as_yuan_are_found_by_the_other_prints():
    rows = record(figure(21.3, unit="CNY bn"), figure(21.3), figure(21.31))
    found = plausibility.find_flags(rows, RATES).query("rule == 'other_currency'").iloc[0]
    assert (found["figure_id"], found["expected"]) == (
        "a",
        f"about {21.305 * 6.5 * 1000:,.4g} CNY mn".replace("1.385e+05", "138,500"),
    )


def test_of_two_prints_the_years_around_decide():
    rows = record(figure(10.0, "2013"), figure(11.0), figure(11.0, unit="CNY bn"), figure(12.0, "2015"))
    assert flagged(rows, "other_currency") == ["c"]


def test_a_level_far_off_the_pace_of_the_months_around_is_found():
    rows = [figure(1.0, f"2014-{month:02}") for month in range(1, 13)]
    rows[5]["value"] = 3.6
    assert flagged(record(*rows), "jump") == ["f"]


def test_a_doubling_is_growth_and_no_slip():
    assert flagged(record(figure(5.0, "2013"), figure(10.0), figure(11.0, "2015"))) == []


# --- the same period, its parts, its whole ---


def test_a_conflict_doubts_the_print_that_stands_alone():
    rows = record(figure(33.4), figure(33.39, publisher="B"), figure(29.0, publisher="C"))
    assert flagged(rows, "conflict") == ["c"]
    assert flagged(record(figure(33.4), figure(33.0, publisher="B"))) == []  # 1.2 %
    assert flagged(record(figure(30.0), figure(31.0, publisher="B")), "conflict") == []  # 30 may be 30.5


def test_a_year_below_its_first_months_is_found():
    rows = record(figure(9.8), figure(10.4, "2014-01/2014-10"), figure(9.0, "2014-01/2014-09"))
    assert flagged(rows, "year_below_part") == ["a"]
    assert flagged(record(figure(9.98), figure(10.0, "2014-01/2014-10")), "year_below_part") == []  # rounding
    assert flagged(record(figure(10.0), figure(65.5, "2014-01/2014-10", "CNY bn")), "year_below_part") == []


def test_a_part_above_the_whole_is_found():
    rows = [figure(5.34, who=("Harbin", "Russia")), figure(5.1, who=("Heilongjiang", "Russia"))]
    parents = {"Harbin": "Heilongjiang"}
    assert flagged(record(*rows), "part_above_whole", parents) == []  # within 5 %
    rows[1]["value"] = 4.2
    assert flagged(record(*rows), "part_above_whole", parents) == ["a"]
    assert flagged(record(*rows), "part_above_whole", {}) == []


def test_a_mirror_gap_beyond_freight_is_found_on_both_sides():
    theirs = {"flow": "import", "who": ("Russia", "China")}
    assert flagged(record(figure(10.0, flow="export"), figure(11.0, **theirs))) == []
    assert flagged(record(figure(10.0, flow="export"), figure(14.0, **theirs)), "mirror_gap") == ["a", "b"]
    assert (
        flagged(record(figure(10.0, flow="export"), figure(14.0, who=("Russia", "China"))), "mirror_gap")
        == []
    )


def test_a_row_that_stands_there_twice_is_found():
    assert flagged(record(figure(10.0), figure(10.0)), "duplicate") == ["b"]
    assert flagged(record(figure(10.0), figure(10.0, publisher="B")), "duplicate") == []


def test_a_number_copied_from_another_year_or_reporter_is_found():
    rows = [figure(22.36, "2013", growth=5.8), figure(22.36, "2014", growth=5.8)]
    assert flagged(record(*rows), "same_number") == ["b"]
    rows[1]["value"] = 22.0
    assert flagged(record(*rows), "same_number") == []
    other = figure(22.36, "2013", growth=5.8, who=("Harbin", "Russia"))
    assert flagged(record(rows[0], other), "same_number") == ["a", "b"]


# --- growth and sums ---


def test_growth_that_fits_no_level_a_year_earlier_is_found():
    rows = [figure(61.37, "2013"), figure(77.0, growth=30.0)]  # 25.5 %
    assert flagged(record(*rows), "growth_against_levels") == ["b"]
    rows[1]["yoy_pct"] = 26.0
    assert flagged(record(*rows), "growth_against_levels") == []


def test_two_texts_against_one_level_doubt_the_level():
    rows = [figure(64.2, "2013"), figure(69.53, growth=2.2), figure(69.525, growth=2.2, publisher="B")]
    found = plausibility.find_flags(record(*rows), RATES).query("rule == 'growth_against_levels'")
    assert found[["figure_id", "expected"]].to_numpy().tolist() == [["a", "about 68,030 USD mn"]]


def test_growth_from_a_leap_february_is_compared():
    rows = record(figure(10.0, "2015-01/2015-02"), figure(15.0, "2016-01/2016-02", growth=5.0))
    assert flagged(rows, "growth_against_levels") == ["b"]
    rows = record(figure(10.0, "2016-01/2016-02"), figure(15.0, "2017-01/2017-02", growth=5.0))
    assert flagged(rows, "growth_against_levels") == ["b"]


def test_a_total_that_its_parts_miss_is_found():
    parts = [figure(15.04, flow="export"), figure(18.65, flow="import")]
    assert flagged(record(*parts, figure(36.7)), "parts_against_total") == ["c"]
    assert flagged(record(*parts, figure(33.69)), "parts_against_total") == []
    assert flagged(record(*parts, figure(33.5)), "parts_against_total") == []  # 0.6 %: revised apart
    assert flagged(record(*parts[:1], figure(36.7)), "parts_against_total") == []


def test_exchanged_growth_of_exports_and_imports_is_found():
    """Heilongjiang 2013: only with exports +34 and imports −3.3 does the total grow by 5.8 per cent."""
    wrong = [figure(6.91, flow="export", growth=-3.3), figure(15.45, flow="import", growth=34.0)]
    right = [figure(6.91, flow="export", growth=34.0), figure(15.45, flow="import", growth=-3.3)]
    total = figure(22.36, growth=5.8)
    assert flagged(record(*wrong, total), "growth_of_parts") == ["c", "a", "b"]
    assert flagged(record(*right, total), "growth_of_parts") == []


# --- what a print leaves open ---


@pytest.mark.parametrize(
    ("value", "half"), [(21.3, 0.05), (230.0, 0.5), (200.0, 0.5), (0.67, 0.005), (4.0705, 5e-5)]
)
def test_half_a_unit_of_the_last_printed_digit(value: float, half: float):
    assert _half_unit(value) == pytest.approx(half)


# --- the record itself ---


@pytest.fixture(scope="module")
def on_the_record() -> pd.DataFrame:
    figures = fig.load_figures()
    found = plausibility.find_flags(figures, fig.covariate("cny_per_usd"), fig.parents())
    return found.assign(status=found["figure_id"].map(figures.set_index("figure_id")["status"]))


@pytest.mark.parametrize(
    ("figure_id", "rule"),
    [
        ("HLJ-RU-total-2012-a", "other_currency"),
        ("HLJ-RU-total-2022m01_m08-b", "other_currency"),
        ("HRB-RU-total-2014m01_m03-a", "power_of_ten"),
        ("HLJ-RU-total-2014-c", "same_number"),
        ("HLJ-RU-export-2013-a", "growth_of_parts"),
        ("HLJ-RU-import-2013-a", "growth_of_parts"),
        ("CN-RU-total-2018m01_m09-a", "growth_against_levels"),
        ("CN-RU-total-2025m01_m08-a", "growth_of_parts"),
        ("CN-RU-total-2023m01_m02-a", "parts_against_total"),
        ("CN-RU-total-2015-b", "growth_against_levels"),
    ],
)
def test_known_faults_of_the_record_are_found_by_the_rule_for_them(on_the_record, figure_id: str, rule: str):
    """Somebody found these by reading; the rules do not see the statuses that say so."""
    assert ((on_the_record["figure_id"] == figure_id) & (on_the_record["rule"] == rule)).any()


def test_every_slip_of_number_or_growth_on_record_is_found(on_the_record):
    """All but one misattributed figure, rounded to 60, and one whose scale nothing on record can tell."""
    figures = fig.load_figures()
    slips = ["currency_error", "growth_conflict", "growth_swapped", "misprint", "misdated", "misattributed"]
    wrong = figures[figures["status"].isin([*slips, "doubtful_scale"])]
    missed = set(wrong["figure_id"]) - set(on_the_record["figure_id"])
    assert missed == {"HLJ-RU-total-2021m01_m06-c", "HRB-parcels-RU-export-2013-11-26_2017-06-30-a"}


def test_few_sound_figures_are_doubted(on_the_record):
    """At most three in a hundred; each stands beside a wrong or a revised one."""
    figures = fig.load_figures()
    sound = figures["status"].isin(plausibility.UNDOUBTED)
    doubted = figures["figure_id"].isin(on_the_record["figure_id"])
    assert (sound & doubted).sum() <= 0.03 * sound.sum()
    assert set(on_the_record.loc[on_the_record["status"].isin(plausibility.UNDOUBTED), "against"]) - {""}


def test_a_flag_says_what_was_found_what_is_expected_and_what_speaks_against_it(on_the_record):
    texts = on_the_record[["found", "expected", "against"]]
    assert (texts.map(len) > 0).all(axis=None)
    known = set(fig.load_figures()["figure_id"])
    names = on_the_record["against"].str.replace(r" and \d+ more$", "", regex=True).str.split(", ").explode()
    assert set(names) <= known


def test_the_readme_reports_what_the_rules_find_on_the_record(on_the_record):
    figures = fig.load_figures()
    doubted = figures["figure_id"].isin(on_the_record["figure_id"])
    sound = figures["status"].isin(plausibility.UNDOUBTED)
    text = " ".join((data_dir() / "README.md").read_text(encoding="utf-8").split())
    assert f"they doubt {doubted.sum()} of {len(figures)} figures" in text
    assert f"{(sound & doubted).sum()} of {sound.sum()} usable figures" in text
    for status, words in (
        ("converted", "conversions"),
        ("partial_scope", "of partial scope"),
        ("conflict", "conflicts"),
    ):
        own = figures["status"] == status
        assert f"{(own & doubted).sum()} of {own.sum()} {words}" in text
    assert all(f"| `{name}` |" in text for name in plausibility.RULES)
