"""What the record holds: coverage, conflicts, printed growth against levels, for every flow."""

import re

import numpy as np
import pandas as pd
import pytest
from cells import made
from sampling import exhaustive, some

from lib import figures as fig
from lib import outlook, show
from lib.cases import FlowCase
from lib.series import GRADES, LAST_RESORT

pytestmark = pytest.mark.usefixtures("tables_read_once")

growth_check = made("01", "growth_check")

HARBIN, PROVINCE, CHINA = (FlowCase(reporter=name) for name in ("Harbin", "Heilongjiang", "China"))


def candidates_of(family: list[FlowCase]) -> pd.DataFrame:
    """The levels of all flows of a family in dollars, as notebook 01 gathers them."""
    return made("01", "levels", family=family, case=family[0])


def test_coverage_counts_every_figure_once_and_keeps_empty_years():
    record = pd.concat([HARBIN.vintage(), CHINA.vintage()])
    counts = made("01", "counts", record=record.reset_index(drop=True))
    assert counts.to_numpy().sum() == len(record)
    years = counts.columns.to_list()
    assert years == list(range(years[0], years[-1] + 1))
    assert counts.index[0].startswith("Harbin, ")
    assert counts.loc["Harbin, full year", 2013] == 1
    assert counts.loc["Harbin, full year", 2018] == 0


def test_growth_that_does_not_fit_the_levels_is_shown():
    table = growth_check(fig.annual(PROVINCE.vintage()))
    assert len(table)
    assert ((table["printed"] - table["between"]).abs() > 0.02).any()


def test_growth_is_compared_within_one_currency():
    record = fig.load_figures()
    flow = fig.select(record, "China", "Russia", "total")
    rows = fig.annual(flow).query("currency == 'USD' and year in (2001, 2002)")
    alone = rows.groupby("year", as_index=False).first().set_index(pd.Index([0, 1]))
    two = alone.assign(
        figure_id=["a", "b"], value_mn=[100.0, 150.0], value=[0.1, 0.15], yoy_pct=[np.nan, 40.0]
    )
    two = two.assign(status="ok", level_usable=True, growth_usable=True)
    assert growth_check(two)["between"].to_list() == pytest.approx([0.5])
    mixed = two.assign(currency=["CNY", "USD"])
    # The yuan level is no base for dollars: what is left is the base that the figure implies itself.
    assert growth_check(mixed)["between"].to_list() == pytest.approx([0.4])


def test_chosen_levels_lead_to_their_rows():
    levels = candidates_of([HARBIN, PROVINCE])
    table = levels.drop_duplicates(["reporter", "year"])
    assert set(table["grade"]) <= set(GRADES)
    harbin = table[table["reporter"] == "Harbin"].set_index("year")
    assert harbin["value_mn"].to_dict() == pytest.approx({2012: 153.33, 2013: 230, 2023: 1652.6}, abs=0.05)
    assert harbin.loc[2012, "grade"] == "implied"
    assert harbin.loc[2012, "figure_id"] == harbin.loc[2013, "figure_id"]


def test_figures_are_counted_by_flow_the_asked_one_first():
    family = [HARBIN, *outlook.lineage(HARBIN)]
    record = pd.concat([one.vintage().assign(reporter=one.label_beside(HARBIN)) for one in family])
    held = record.groupby("reporter", sort=False).size()
    assert held.index.to_list() == ["Harbin", "Heilongjiang", "China"]
    assert held.to_list() == [len(one.vintage()) for one in (HARBIN, PROVINCE, CHINA)]
    unfit = record[~record[["level_usable", "growth_usable", "last_resort"]].any(axis=1)]
    assert set(unfit["status"]) == {
        use.Index
        for use in fig.STATUS.itertuples()
        if use.Index in set(record["status"]) and not (use.level or use.growth or use.Index in LAST_RESORT)
    }


@exhaustive
@pytest.mark.parametrize("first_day", [True, False])
def test_every_flow_gives_tables_without_a_hole_from_its_first_day_on(first_day):
    for flow, rows in some(fig.load_figures().groupby(["reporter", "partner", "flow"]), 4):
        day = rows["known_from"].min() if first_day else fig.UNDATED_KNOWN_FROM
        case = FlowCase.check(dict(zip(("reporter", "partner", "flow", "as_of"), (*flow, day), strict=True)))
        family = [case, *outlook.lineage(case)]
        record = pd.concat([member.vintage() for member in family], ignore_index=True)
        levels = candidates_of(family)
        tables = [
            made("01", "counts", record=record),
            growth_check(fig.annual(case.vintage()))[["printed"]],
            levels.drop_duplicates(["reporter", "year"]),
        ]
        assert all(table.notna().all(axis=None) for table in tables)
        prose = re.sub(r'href="[^"]*"|https?://[^<\s]*', "", show.sources(record).data)
        assert not re.search(r"\bnan\b|\bNaN\b|\bNaT\b|<NA>", prose), flow
