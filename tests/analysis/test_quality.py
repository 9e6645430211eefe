"""The quality report of a flow: what each table says, for every flow, and where there is nothing to say."""

import cells
import numpy as np
import pandas as pd
import pytest
from sampling import exhaustive, some
from test_plausibility import figure, record

from lib import figures as fig
from lib import outlook
from lib.analysis import published
from lib.analysis.plausibility import RULES
from lib.cases import FlowCase

pytestmark = pytest.mark.usefixtures("tables_read_once")


def known_of(case: FlowCase) -> pd.DataFrame:
    return published.around([case, *outlook.lineage(case)])


CHINA = FlowCase(reporter="China")


def made(*rows: dict[str, object]) -> pd.DataFrame:
    """Figures as `published.around` gives them for China with Russia."""
    found = record(*rows)
    return found.assign(pair=found["reporter"] + "–" + found["partner"], ours=found["reporter"] == "China")


def test_all_flows_of_the_pair_and_what_the_partner_reports_are_known():
    known = known_of(CHINA)
    assert known.groupby("pair")["ours"].first().to_dict() == {"China–Russia": True, "Russia–China": False}
    assert set(known["flow"]) == {"total", "export", "import"}
    early = known_of(CHINA.model_copy(update={"as_of": pd.Timestamp("2009-12-31").date()}))
    assert 0 < len(early) < len(known) and early["known_from"].max() <= pd.Timestamp("2009-12-31")


def test_coverage_counts_every_figure_once():
    known = known_of(FlowCase())
    counts = cells.made("01", "flows", around=known)
    assert counts.to_numpy().sum() == len(known)
    assert counts.index[0] == "Harbin–Russia, total trade"
    assert counts.columns.tolist() == list(range(counts.columns[0], counts.columns[-1] + 1))


def test_conflicts_are_prints_that_rounding_cannot_explain():
    known = made(
        figure(33.4, "2006"),
        figure(29.0, "2006", publisher="B"),
        figure(100.0, "2018"),
        figure(100.4, "2018", publisher="B"),  # 100 may be 100.5
        figure(240.0, "2023", unit="CNY bn"),  # another currency
        figure(20.0, "2023"),
        figure(5.0, "2006", flow="export"),
    )
    found = published.conflicts(known, "total")
    assert found["figure_ids"].tolist() == ["a, b"]
    assert found.loc[0, "spread"] == pytest.approx(33.4 / 29 - 1)
    assert found.loc[0, ["pair", "low", "unit"]].to_list() == ["China–Russia", 29_000, "USD mn"]


def test_something_is_endlessly_far_from_nothing():
    known = made(
        figure(0.0, "2006"),
        figure(29.0, "2006", publisher="B"),
        figure(0.0, "2018"),
        figure(0.0, "2018", publisher="B"),
        figure(0.0, "2023", publisher="A"),
        figure(11.0, "2023", publisher="A", published="2024-06-01"),
    )
    found = published.conflicts(known, "total")
    assert found["figure_ids"].tolist() == ["a, b", "e, f"]
    assert np.isposinf(found["spread"]).all()
    assert np.isposinf(published.revisions(known).set_index("figure_id").loc["f", "revision"])


def test_mirrors_compare_the_same_goods_from_both_sides():
    known = made(
        figure(10.0, flow="export"),
        figure(10.6, flow="import", who=("Russia", "China")),
        figure(7.0, flow="export", who=("Russia", "China")),
        figure(20.0, status="conflict"),
        figure(20.0, who=("Russia", "China")),
    )
    found = published.mirrors(known)
    assert found[["pair", "flow"]].to_numpy().tolist() == [["China–Russia", "export"]]
    assert found.loc[0, "gap"] == pytest.approx(0.06)


def test_customs_of_china_and_russia_differ_by_what_the_dictionary_of_the_data_says():
    """By 1 to 7 per cent in the years for which both totals are known (data/README.md, Traps)."""
    found = published.mirrors(known_of(CHINA)).query("flow == 'total'")
    years = found[(found["period_end"] - found["period_start"]).dt.days >= 364]
    assert years["period_end"].dt.year.tolist() == [2010, 2018, 2019, 2020, 2022]
    assert years["gap"].abs().max() == pytest.approx(59.34 / 55.45 - 1, abs=0.005)


def test_revisions_are_what_later_growth_implies_and_what_is_printed_again():
    known = made(
        figure(11.03, "2023", publisher="A"),
        figure(13.29, "2024", growth=18.9, publisher="A"),
        figure(11.20, "2023", publisher="A", published="2024-06-01"),
    )
    found = published.revisions(known).set_index(["figure_id", "before"])
    assert found.loc[("b", "c"), "implied"] == pytest.approx(13_290 / 1.189)
    assert found.loc[("c", "a"), "revision"] == pytest.approx(11.20 / 11.03 - 1)
    assert found["released"].to_list() == ["2025", "2024"] or set(found["released"]) == {"2024", "2025"}


def test_the_press_conversion_of_2015_is_no_revision():
    found = published.revisions(known_of(CHINA))
    assert not found["before"].isin(["CN-RU-total-2015-b", "CN-RU-total-2015-c"]).any()
    assert found["revision"].abs().median() < 0.005


def test_flags_are_those_of_the_reporters_with_the_rule_in_words():
    known = known_of(FlowCase())
    found = cells.made("01", "doubted", around=known)
    assert found["figure_id"].str.startswith(("HRB", "HLJ", "CN")).all()
    assert set(found["meaning"]) <= {rule.meaning for rule in RULES.values()}
    row = found.set_index("figure_id").loc["HLJ-RU-total-2012-a"]
    assert (row["meaning"], row["settled"]) == ("yuan and dollars exchanged", True)


FLOWS = fig.load_figures()[["reporter", "partner", "flow"]].drop_duplicates().to_dict("records")


@exhaustive
def test_every_flow_of_the_record_has_a_report():
    for flow in some(FLOWS, 10):
        case = FlowCase(**flow)
        known = known_of(case)
        assert (published.conflicts(known, case.flow)["spread"] > 0).all()
        assert published.mirrors(known)["gap"].notna().all()
        assert published.revisions(known)["revision"].notna().all()
        assert cells.made("01", "doubted", around=known).notna().all(axis=None)
        assert not cells.made("01", "flows", around=known).empty
