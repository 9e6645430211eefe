"""Parameters: what is accepted, and how each mistake is named before a kernel starts."""

from datetime import date, datetime

import nbformat
import numpy as np
import pandas as pd
import pytest
from sampling import exhaustive, some

from lib import figures as fig
from lib.cases import FlowCase, GoalCase, TrendCase
from lib.errors import UserError
from lib.package import notebooks_dir
from lib.tools.commands import author
from lib.tools.run import matrix

FIELDS = "expected one of reporter, partner, flow, as_of, currency, goal, base_year, deadline, reading"
READINGS = "'average', 'every_year' or 'mean_of_rates'"
HINT = "did you mean"


@pytest.fixture(autouse=True, scope="module")
def tables_read_once():
    figures, covariates = fig.load_figures(), fig.load_covariates()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fig, "load_figures", lambda: figures)
        patch.setattr(fig, "load_covariates", lambda: covariates)
        yield


def fault(model: type[FlowCase] = GoalCase, **values) -> str:
    with pytest.raises(UserError) as error:
        model.check(values)
    return str(error.value)


# --- what is accepted ---


def test_the_defaults_are_harbins_goal_on_the_day_of_its_only_figure():
    case = GoalCase.check({})
    assert case.title() == "Harbin–Russia, total trade: +25 % a year 2012–2015, as of 2014-04-15"
    goal = case.make_goal()
    assert goal.base_mn == pytest.approx(153.333, abs=5e-4)
    assert goal.target_mn == pytest.approx(299.479, abs=5e-4)


@pytest.mark.parametrize(
    "year", [2012, "2012", 2012.0, np.int64(2012), np.int32(2012), np.float64(2012), " 2012 "]
)
def test_a_year_may_come_as_text_or_any_number(year):
    case = GoalCase.check({"base_year": year})
    assert case.base_year == 2012 and type(case.base_year) is int


@pytest.mark.parametrize(
    "goal", [25, 25.0, "25", "25 %", "+25 % a year", np.int64(25), np.float64(25), " 25% "]
)
def test_a_goal_may_come_as_text_or_any_number(goal):
    case = GoalCase.check({"goal": goal})
    assert case.make_goal().rate == 0.25
    assert case.goal_name == "+25 % a year"


def test_a_goal_of_no_growth_has_no_sign():
    assert GoalCase.check({"goal": "0 %"}).goal_name == "0 % a year"


@pytest.mark.parametrize(
    "day",
    [
        "2014-04-15",
        " 2014-04-15 ",
        date(2014, 4, 15),
        datetime(2014, 4, 15, 18, 30),
        pd.Timestamp("2014-04-15"),
        np.datetime64("2014-04-15"),
        np.str_("2014-04-15"),
    ],
)
def test_a_day_may_come_as_text_or_any_date(day):
    assert GoalCase.check({"as_of": day}) == GoalCase.check({})


def test_a_huge_number_as_goal_is_written_out():
    assert GoalCase.check({"goal": 1e6}).goal == "1000000 %"
    assert GoalCase.check({"goal": -5.5}).goal == "-5.5 %"


def test_the_parameters_cell_is_read_by_name_and_other_names_are_left_alone():
    namespace = {"reporter": "China", "as_of": "2014-04-15", "pandas": pd, "_": 1}
    assert FlowCase.from_cell(namespace) == FlowCase(reporter="China", as_of=date(2014, 4, 15))


@exhaustive
def test_a_case_survives_json(committed_runs):
    for run in some(committed_runs, 5):
        model = matrix._model_of(run.notebook)
        assert model.check(run.parameters).model_dump(mode="json") == run.parameters


def test_today_knows_all_that_is_on_record_whenever_published(monkeypatch):
    later = fig.load_figures().assign(known_from=lambda rows: rows["known_from"] + pd.Timedelta(days=9000))
    monkeypatch.setattr(fig, "load_figures", lambda: later)
    case = FlowCase(as_of=date(2040, 1, 1))
    assert len(case.today().vintage()) == len(case.record())
    assert FlowCase(as_of=date(2090, 1, 1)).today().as_of == date(2090, 1, 1)


# --- what is refused, and how it is named ---


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reportr": "Harbin"}, f"reportr: found an unknown parameter, {FIELDS}; {HINT} reporter?"),
        ({"reading": "every year"}, f"reading: found 'every year', expected {READINGS}; {HINT} every_year?"),
        ({"flow": "importts"}, "flow: found 'importts', expected 'total', 'export' or 'import'; did you mean"),
        ({"currency": "EURO"}, "currency: found 'EURO', expected one of ISO 4217, such as USD or CNY; did you mean EUR?"),
        ({"currency": 1}, "currency: found 1, expected a valid string"),
        (
            {"currency": "EUR"},
            "currency: found no average rate of EUR for any year in data/covariates.csv, expected one; first: tradegoals "
            "data refresh --currency EUR",
        ),
        ({"reporter": "Harbn"}, 'reporter: found "Harbn", expected "Harbin", or one of: China, '),
        ({"partner": "Rusia"}, 'partner: found "Rusia" with Harbin, expected "Russia", or one of: Russia'),
        ({"flow": "export"}, 'flow: found "export" with Harbin and Russia, expected one of: total'),
        ({"as_of": "15.04.14"}, "as_of: found '15.04.14', expected a date (YYYY-MM-DD)"),
        ({"as_of": "4/5/2014"}, "as_of: found '4/5/2014', expected the month as a word or the year first: did"),
        ({"goal": 0.25}, "goal: found 0.25, expected \"25 %\" or \"0.25 %\": did you mean 25 %?"),
        ({"as_of": "2014-13-45"}, "as_of: found '2014-13-45', expected a date (YYYY-MM-DD)"),
        ({"as_of": 20140415}, "as_of: found 20140415, expected a date (YYYY-MM-DD)"),
        ({"as_of": "1397520000"}, "as_of: found '1397520000', expected a date (YYYY-MM-DD)"),
        ({"as_of": 0}, "as_of: found 0, expected a date"),
        ({"as_of": True}, "as_of: found True, expected a date"),
        ({"as_of": pd.NaT}, "as_of: found NaT, expected a date"),
        ({"as_of": None}, "as_of: found None, expected a date"),
        ({"as_of": "2014-04-14"}, "as_of: found 2014-04-14, expected 2014-04-15 or later, when the first"),
        ({"goal": "a lot"}, "goal: found 'a lot', expected a rate such as \"25 %\" or a level such as"),
        ({"goal": True}, "goal: found True, expected a valid string"),
        ({"goal": float("nan")}, "goal: found nan, expected a rate"),
        ({"goal": "-100 %"}, 'goal: found "-100 %", expected a fall of less than 100 % a year'),
        ({"goal": "300 CNY mn"}, 'goal: found a level in CNY, expected one in USD (parameter "currency")'),
        ({"base_year": 2012.5}, "base_year: found 2012.5, expected a valid integer"),
        ({"base_year": "twelve"}, "base_year: found 'twelve', expected a valid integer"),
        ({"base_year": True}, "base_year: found True, expected"),
        ({"base_year": 12}, "base_year: found 12, expected greater than or equal to 1900"),
        ({"base_year": 2010}, "base_year: found 2010, expected a year with a known level: 2012, 2013"),
        ({"deadline": 2012}, "deadline: found 2012, expected 1 to 30 years after base_year 2012"),
        ({"deadline": 2011}, "deadline: found 2011, expected 1 to 30 years after base_year 2012"),
        ({"deadline": 2043}, "deadline: found 2043, expected 1 to 30 years after base_year 2012"),
    ],
)  # fmt: skip
def test_each_mistake_names_parameter_found_and_expected(values, message):
    found = fault(**values)
    assert found.startswith(message)
    assert "\n" not in found


def test_all_mistakes_are_named_at_once():
    found = fault(flow=1, currency=2, base_year="x", as_of="y", goal="z", reading="q", extra=1).splitlines()
    assert [line.partition(":")[0] for line in found] == [
        "flow", "as_of", "currency", "goal", "base_year", "reading", "extra",
    ]  # fmt: skip
    combination = fault(reporter="Harbn", deadline=2010).splitlines()
    assert [line.partition(":")[0] for line in combination] == ["deadline", "reporter"]


@pytest.mark.parametrize("model", [FlowCase, TrendCase, GoalCase])
@pytest.mark.parametrize("name", ["reporter", "partner"])
@pytest.mark.parametrize("text", ["x" * 5000, "a\nb", 'a"b', "<b>", "'); DROP TABLE", "东北三省", "", "$x$"])
def test_long_or_odd_text_gives_one_short_line(model, name, text):
    found = fault(model, **{name: text})
    assert found.startswith(f"{name}: found ")
    assert "\n" not in found and len(found) < 400


def test_an_odd_name_stays_on_one_line():
    found = fault(**{"a\nb" * 50: 1})
    assert "\n" not in found and "unknown parameter" in found


def test_a_parameter_of_another_notebook_is_unknown():
    assert fault(FlowCase, deadline=2015).startswith("deadline: found an unknown parameter")
    assert fault(TrendCase, reading="average").startswith("reading: found an unknown parameter")


def test_a_flow_without_a_full_year_says_so():
    found = fault(TrendCase, reporter="Harbin parcels to Russia", flow="export")
    assert found.startswith(
        "as_of: on 2026-11-24 no level of a full year was known for Harbin parcels to Russia, exports"
    )
    assert "in USD" in found and "another currency" in found


def test_a_misspelt_notebook_is_named_with_the_nearest():
    with pytest.raises(UserError) as error:
        matrix._model_of("00_did_the_goal_holds")
    assert "did you mean 00_did_the_goal_hold?" in str(error.value)


# --- every flow, and the notebooks ---


def test_every_flow_of_the_record_passes_from_its_first_day_on():
    figures = fig.load_figures()
    for (reporter, partner, flow), rows in figures.groupby(["reporter", "partner", "flow"]):
        for day in (rows["known_from"].min().date(), fig.UNDATED_KNOWN_FROM):
            case = FlowCase.check({"reporter": reporter, "partner": partner, "flow": flow, "as_of": day})
            named = reporter if partner in reporter else f"{reporter}–{partner}"  # the partner is said once
            assert case.flow_name.startswith(f"{named}, ")


@pytest.mark.parametrize("name", matrix.NOTEBOOKS)
def test_the_parameters_cell_of_each_notebook_is_its_model(name):
    notebook = nbformat.read(notebooks_dir() / f"{name}.ipynb", as_version=4)
    assert author._parameter_faults(notebook, matrix.NOTEBOOKS[name]) == []


def test_a_parameters_cell_that_strays_from_the_model_is_named():
    def book(source: str) -> nbformat.NotebookNode:
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
        return nbformat.v4.new_notebook(cells=[cell])

    good = 'reporter = "Harbin"\npartner = "Russia"\nflow = "total"\nas_of = "2026-11-24"\n'
    assert author._parameter_faults(book(good), FlowCase) == []
    assert (
        "reporter: found 'Harbn', expected 'Harbin'"
        in author._parameter_faults(book(good.replace("Harbin", "Harbn")), FlowCase)[0]
    )
    assert (
        "parameters: found ['reporter'" in author._parameter_faults(book(good + "extra = 1\n"), FlowCase)[0]
    )
    assert author._parameter_faults(nbformat.v4.new_notebook(), FlowCase) == [
        "found 0 cells tagged parameters, expected 1"
    ]
