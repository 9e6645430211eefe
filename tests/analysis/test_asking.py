"""A goal in one call: the same answer as by a case, own figures in any shape, and an answer that shows itself."""

import doctest
import json
from datetime import date

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sampling import exhaustive, some

import lib
from lib import outlook
from lib.analysis import asking
from lib.analysis.asking import _read_levels, ask, ecb_rates
from lib.cases import GoalCase
from lib.errors import UserError
from lib.package import notebooks_dir

pytestmark = pytest.mark.usefixtures("tables_read_once")

LEVELS = {2018: 300.0, 2019: 310.0, 2021: 420.0, 2022: 505.0}
OWN = {"goal": "10 %", "base": 2022, "deadline": 2027, "as_of": "2023-12-31"}


@pytest.fixture(scope="module")
def harbin(tables_read_once):
    return ask("Harbin Russia total +25% 2012-2015", as_of="15 April 2014")


@pytest.fixture(scope="module")
def mine(tables_read_once):
    return ask(LEVELS, **OWN)


@pytest.mark.parametrize(("as_of", "measured"), [("2025-03-31", True), ("2026-06-30", False)])
def test_a_picture_has_the_coverage_of_forecasts_if_it_is_one(as_of, measured):
    """A year that is running, with months known, is not what the coverage was measured on."""
    drawn = ask(reporter="China", goal="5 %", base=2023, deadline=2026, as_of=as_of).plot()
    assert ("Measured" in drawn.get_supxlabel()) == measured
    plt.close(drawn)


def test_a_sentence_has_the_answer_of_its_case(harbin):
    same = outlook.of(GoalCase())
    assert harbin.case == same.case
    pd.testing.assert_series_equal(harbin.chances, same.chances)
    named = ask(reporter="harbin", goal=25, base=2012, deadline=2015, as_of=date(2014, 4, 15))
    assert named.case == same.case
    assert named.understood == ("partner: Russia, since none was named",)


def test_what_was_not_said_is_taken_from_the_record_and_told():
    found = ask("Heilongjiang imports double in 3 years", as_of="April 2014")
    assert (found.goal.base_year, found.goal.deadline, found.goal.rate) == (
        2013,
        2016,
        pytest.approx(2 ** (1 / 3) - 1),
    )
    assert found.understood == (
        "as of: 2014-04-30, the last day of April 2014",
        "partner: Russia, since none was named",
        "base: 2013, the last year known on 2014-04-30",
        "deadline: 2016, 3 years after the base",
    )


def test_a_base_that_is_taken_is_the_last_year_before_the_deadline_and_said_to_be():
    found = ask("China Russia 200bn by 2015", as_of="2018-06-30")
    assert found.goal.base_year == 2014 and found.levels.index[-1] > 2015
    assert "base: 2014, the last year known on 2018-06-30 before 2015" in found.understood


def test_by_default_all_that_is_known_today_counts():
    assert ask("China Russia trade 200bn 2019-2024").verdicts[0].outcome == "met"


@pytest.mark.parametrize(
    ("about", "named", "words"),
    [
        (None, {}, "goal: found none"),
        (None, {"goal": "25 %"}, "reporter: found none"),
        ("double by 2030", {}, "reporter: found none"),
        ("Harbin Russia 25 % a year", {}, "deadline: found none"),
        ("Harbin Russia 25% 2012-2015", {"base": 2013}, "base_year: found 2013 beside 2012"),
        ("India Russia 100 bn USD by 2030", {}, "tradegoals data fetch India Russia"),
        ("Harbin Russia 25% 2012-2015", {"currency": "EUR"}, "currency: found no average rate of EUR"),
        (LEVELS, {"goal": "10 %", "deadline": 2017}, "base: found no level known"),
        (LEVELS, OWN | {"base": 2020}, "base_year: found 2020, expected a year with a known level"),
        (LEVELS, OWN | {"deadline": "soon"}, 'deadline: found "soon", expected a year'),
        (LEVELS, OWN | {"unit": "tonnes"}, "unit: found"),
        (LEVELS, OWN | {"unit": "KZT bn"}, "currency: found no average rate of KZT"),
        (LEVELS, OWN | {"unit": "EUR bn", "currency": "USD"}, "expected one currency"),
        (LEVELS, OWN | {"goal": "800 EUR mn"}, "goal: found a level in EUR, expected one in USD"),
        ({1951: 5.0, 1952: 6.0}, {"goal": "5 %", "deadline": 1960, "currency": "CNY"}, "currency: found no average rate of CNY for 1952"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_says_what_is_missing(about, named, words):
    with pytest.raises(UserError) as error:
        ask(about, **named)
    assert words in str(error.value)


YEARS = pd.PeriodIndex([str(year) for year in LEVELS], freq="Y")


@pytest.mark.parametrize(
    "about",
    [
        pd.Series(LEVELS),
        pd.Series(LEVELS).sort_index(ascending=False),
        pd.Series(list(LEVELS.values()), YEARS),
        pd.Series(list(LEVELS.values()), YEARS.to_timestamp(how="end")),
        pd.Series({str(year): str(level) for year, level in LEVELS.items()}),
        pd.Series(LEVELS | {2020: np.nan}),
        pd.Series(LEVELS).to_frame("exports"),
        pd.DataFrame({"Year": list(LEVELS), "exports": list(LEVELS.values())}),
        "2018 300\n2019;310\n2021\t420\n2022: 505",
        "2018 300|2019 310|2021 420|2022 505",
    ],
)
def test_own_figures_may_come_in_any_shape(about):
    assert _read_levels(about).to_dict() == LEVELS


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({2018: -3.0}, 'found "-3.0" for 2018'),
        ({2018: "many"}, 'found "many" for 2018'),
        ({"May": 3.0}, 'found "May" in the index'),
        (pd.Series([1.0, 2.0], pd.to_datetime(["2018-01-31", "2018-02-28"])), "found 2018 twice"),
        (pd.DataFrame({"a": [1.0], "b": [2.0]}, [2018]), "found the columns a, b"),
        ({}, "found none"),
    ],
)
def test_own_figures_that_are_none_are_refused(about, words):
    with pytest.raises(UserError) as error:
        _read_levels(about)
    assert words in str(error.value)


@exhaustive
@pytest.mark.parametrize("currency", some(["EUR", "GBP", "INR"], 3))
def test_figures_in_other_currencies_are_sized_by_the_ecbs_rates(currency: str) -> None:
    """As the import reads the same table; nobody has to fetch a rate first."""
    days = ecb_rates()[currency].dropna()
    means = days.groupby(days.index.year).mean().to_dict()
    own, told = (ask(LEVELS, unit=f"{currency} bn", per_usd=paid, **OWN) for paid in (None, means))
    np.testing.assert_allclose(own.chances, told.chances, rtol=1e-9)
    assert own.goal.currency == currency


def test_own_figures_are_answered_in_any_unit_and_currency(mine):
    billions = ask({year: level / 1000 for year, level in LEVELS.items()}, unit="USD bn", **OWN)
    np.testing.assert_allclose(billions.chances, mine.chances)
    euros = ask({year: 0.8 * level for year, level in LEVELS.items()}, currency="EUR", per_usd=0.8, **OWN)
    np.testing.assert_allclose(euros.chances, mine.chances)
    assert euros.goal.currency == "EUR"


@pytest.mark.parametrize("paid", [0, -1.5, np.nan, "x", {2022: 0}])
def test_a_rate_that_is_no_price_of_a_dollar_is_refused(paid):
    with pytest.raises(UserError, match=r"per_usd: found .*, expected "):
        ask(LEVELS, unit="EUR mn", per_usd=paid, **OWN)


def test_a_year_that_was_not_over_on_the_day_is_left_out_and_named(mine):
    later = ask(LEVELS | {2023: 999.0}, **OWN)
    assert later.understood == ("left out: 2023, not over on 2023-12-31",)
    np.testing.assert_allclose(later.chances, mine.chances)


FISCAL = pd.Series(list(LEVELS.values()), pd.PeriodIndex(["2018", "2019", "2021", "2022"], freq="Y-MAR"))


@pytest.mark.parametrize(
    ("day", "left"), [("2022-04-01", ()), ("2022-03-31", ("left out: 2022, not over on 2022-03-31",))]
)
def test_fiscal_years_are_called_by_their_end_and_count_once_they_are_over(day, left):
    found = ask(FISCAL, goal="10 %", base=2021, deadline=2024, as_of=day)
    assert found.understood == left
    assert found.case.title().endswith(", in fiscal years: 2023 is April 2022 to March 2023")
    assert list(found.levels.index) == [2018, 2019, 2021, *([] if left else [2022])]


def test_a_level_that_the_rules_doubt_is_named():
    found = ask(LEVELS | {2020: 31000.0}, **OWN)
    assert "2020 is 31,000 USD mn, where about 36" in found.facts()["mind"]
    assert "Doubtful: " in found.facts()["mind"]
    assert found.to_dict()["doubts"] == list(found.doubts) and len(found.doubts) == 1
    assert ask(LEVELS, **OWN).doubts == ()


def test_own_figures_met_or_missed_are_judged():
    done = ask(LEVELS, goal="10 %", base=2018, deadline=2022, as_of="2023-12-31")
    assert [one.outcome for one in done.verdicts] == ["met", "missed", "met"]
    assert done.law is None and done.fan is None and "x" not in str(done).splitlines()[-1]


def test_quantiles_are_those_of_the_fan(harbin):
    found = harbin.quantiles()
    np.testing.assert_allclose(found, harbin.fan.loc[found.index])
    assert harbin.quantiles((0.5,)).columns.to_list() == [0.5]


def test_an_answer_shows_itself_as_text_picture_and_fields(harbin):
    text = str(harbin)
    assert repr(harbin) == text
    assert "on average            open: 29 %, forecast; needs +14.1 % a year" in text
    assert "US$299 million in 2015, from US$153 million in 2012: +25 % a year" in text
    drawn = [line for line in text.splitlines() if line.strip()[:4] in ("2013", "2014", "2015")]
    assert len(drawn) == 3 and all("x" in line for line in drawn[1:])
    html = harbin._repr_html_()
    assert html.count("<table") == 2 and 'src="data:image/png;base64,' in html
    assert "Open: 29 %" in html


def test_the_fields_keep_to_the_committed_schema(harbin, mine):
    kept = (notebooks_dir() / "answer.schema.json").read_text(encoding="utf-8")
    assert json.loads(kept) == (schema := asking.AnswerRecord.model_json_schema())
    for answer in (harbin, mine):
        fields = json.loads(asking.as_json(answer))
        assert fields.keys() == schema["properties"].keys()
        asking.AnswerRecord.model_validate(fields)
        assert fields["readings"][0]["probability"] == answer.chances["average"]


def test_lib_offers_the_names_that_matter():
    assert lib.ask is ask
    assert {"ask", "growth", "outlook"} <= set(dir(lib))
    assert lib.growth.cagr(100, 121, 2) == pytest.approx(0.1)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = lib.nothing


@pytest.mark.parametrize("module", [asking, lib])
def test_the_examples_of_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0
