"""What the record holds: coverage, conflicts, printed growth against levels, for every flow."""

import re

import numpy as np
import pandas as pd
import pytest

from lib import figures as fig
from lib import outlook, show
from lib.analysis import published
from lib.cases import FlowCase
from lib.series import GRADES

pytestmark = pytest.mark.usefixtures("tables_read_once")

HARBIN, PROVINCE, CHINA = (FlowCase(reporter=name) for name in ("Harbin", "Heilongjiang", "China"))


def test_the_2015_press_conversion_is_among_the_disagreements():
    levels = published.candidates_of([CHINA])
    rows = published.disagreements(levels).query("year == 2015")
    press = rows[rows["grade"] == "press conversion"]
    assert len(press) == 2
    assert press["used_mn"].to_list() == pytest.approx([68_028.4, 68_028.4], abs=0.05)
    assert press["differs"].to_list() == pytest.approx([-0.0563, -0.0563], abs=5e-5)
    table = published.disagreement_table(press)
    assert table["differs by"].to_list() == ["−5.6 %", "−5.6 %"]
    assert table["used, USD mn"].to_list() == ["68,028", "68,028"]


def test_disagreements_are_those_beyond_one_percent():
    levels = pd.DataFrame(
        {
            "reporter": ["A", "A", "A", "B"],
            "year": [2000, 2000, 2000, 2000],
            "value_mn": [100.0, 100.9, 98.9, 5.0],
            "chosen": [True, False, False, True],
        }
    )
    found = published.disagreements(levels)
    assert found["value_mn"].to_list() == [98.9]
    assert found["differs"].to_list() == pytest.approx([-0.011])


def test_coverage_counts_every_figure_once_and_keeps_empty_years():
    record = pd.concat([HARBIN.vintage(), CHINA.vintage()])
    counts = published.coverage(record)
    assert counts.to_numpy().sum() == len(record)
    years = counts.columns.to_list()
    assert years == list(range(years[0], years[-1] + 1))
    assert counts.index[0].startswith("Harbin, ")
    assert counts.loc["Harbin, full year", 2013] == 1
    assert counts.loc["Harbin, full year", 2018] == 0


def test_statuses_say_what_they_allow():
    table = published.by_status(PROVINCE.vintage()).set_index("status")
    assert table["Heilongjiang"].sum() == len(PROVINCE.vintage())
    allows = table["may be used"]
    assert allows["currency_error"] == "neither"
    assert allows["growth_only"] == "growth"
    assert allows["ok"] == "level and growth"
    assert (table["meaning"] == [fig.STATUS[status].meaning for status in table.index]).all()


def test_growth_that_does_not_fit_the_levels_is_shown():
    table = published.growth_check([PROVINCE, CHINA])
    assert len(table)
    for row in table.itertuples(index=False):
        printed, between = (float(text[:-2].replace("−", "-")) for text in (row[2], row[3]))
        assert abs(printed - between) > 100 * published.GROWTH_GAP - 0.11  # both are shown with one decimal


def test_growth_is_compared_within_one_currency():
    record = fig.load_figures()
    flow = fig.select(record, "China", "Russia", "total")
    rows = fig.annual(flow).query("currency == 'USD' and year in (2001, 2002)")
    alone = rows.groupby("year", as_index=False).first().set_index(pd.Index([0, 1]))
    two = alone.assign(
        figure_id=["a", "b"], value_mn=[100.0, 150.0], value=[0.1, 0.15], yoy_pct=[np.nan, 40.0]
    )
    two = two.assign(status="ok", level_usable=True, growth_usable=True)
    assert published._printed_and_between(two)["between"].to_list() == pytest.approx([0.5])
    mixed = two.assign(currency=["CNY", "USD"])
    # The yuan level is no base for dollars: what is left is the base that the figure implies itself.
    assert published._printed_and_between(mixed)["between"].to_list() == pytest.approx([0.4])


def test_chosen_levels_lead_to_their_rows():
    levels = published.candidates_of([HARBIN, PROVINCE])
    table = published.chosen_levels(levels)
    assert len(table) == levels["chosen"].sum()
    assert set(table["how it is known"]) <= set(GRADES)
    harbin = table[table["reporter"] == "Harbin"].set_index("year")
    assert harbin.loc[2013, "USD mn"] == "230" and harbin.loc[2012, "USD mn"] == "153.33"
    assert harbin.loc[2012, "how it is known"] == "implied"
    assert harbin.loc[2012, "figure"] == harbin.loc[2013, "figure"]


def test_the_record_in_words_counts_what_it_has():
    family = [HARBIN, *outlook.lineage(HARBIN)]
    record = pd.concat([member.vintage() for member in family])
    words = published.in_words(HARBIN, record, published.candidates_of(family))
    own = HARBIN.vintage()
    assert f"the record holds **{len(own)} figures**" in words
    assert "They give a level for 3 years: 2012–2013, 2023." in words
    assert f"China: {len(CHINA.vintage())} figures" in words
    assert "The larger flows are better known" in words


def test_larger_flows_are_called_better_known_only_where_they_are():
    zone = FlowCase(reporter="Harbin area of Heilongjiang FTZ", partner="World")
    family = [zone, *outlook.lineage(zone)]
    record = pd.concat([member.vintage() for member in family])
    levels = published.candidates_of(family)
    record = record[(record["reporter"] != "Harbin") | (record.groupby("reporter").cumcount() < 1)]
    words = published.in_words(zone, record, levels)
    assert "Of larger flows it holds: Harbin: 1 figure." in words and "better known" not in words


@pytest.mark.parametrize(
    ("years", "words"),
    [
        ([], "none"),
        ([2013], "2013"),
        ([2012, 2013, 2023], "2012–2013, 2023"),
        ([2001, 2003, 2004, 2005, 2009], "2001, 2003–2005, 2009"),
    ],
)
def test_years_in_words(years, words):
    assert published._years(years) == words


@pytest.mark.parametrize("first_day", [True, False])
def test_every_flow_gives_tables_without_a_hole_from_its_first_day_on(first_day):
    for flow, rows in fig.load_figures().groupby(["reporter", "partner", "flow"]):
        day = rows["known_from"].min() if first_day else fig.UNDATED_KNOWN_FROM
        case = FlowCase.check(dict(zip(("reporter", "partner", "flow", "as_of"), (*flow, day), strict=True)))
        family = [case, *outlook.lineage(case)]
        record = pd.concat([member.vintage() for member in family])
        levels = published.candidates_of(family)
        tables = [
            published.coverage(record),
            published.by_status(record),
            published.disagreement_table(published.disagreements(levels)),
            published.growth_check(family),
            published.chosen_levels(levels),
        ]
        assert all(table.notna().all(axis=None) for table in tables)
        shown = [show.table(table).data for table in tables] + [show.sources(record).data]
        shown.append(published.in_words(case, record, levels))
        for text in shown:
            prose = re.sub(r'href="[^"]*"|https?://[^<\s]*', "", text)
            assert not re.search(r"\bnan\b|\bNaN\b|\bNaT\b|<NA>", prose), flow
