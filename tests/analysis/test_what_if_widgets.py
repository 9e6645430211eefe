"""The what-if as widgets: still text for a run, live for a person, the numbers of the page and of lib."""

from datetime import date
from typing import Any

import pytest
from sampling import exhaustive, some

from lib import outlook
from lib.analysis import asking, what_if
from lib.analysis.what_if import grid
from lib.cases import GoalCase
from lib.errors import UserError
from lib.words import percent

pytestmark = pytest.mark.usefixtures("tables_read_once")


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of each picture stands what it says: other tests look at pictures."""
    monkeypatch.setattr("IPython.core.pylabtools.print_figure", lambda figure, **_: figure.get_label())


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The live widgets of the default case."""
    pytest.importorskip("ipywidgets")
    monkeypatch.setenv(what_if.OPEN_IN_JUPYTER, "notebooks/91_what_if.ipynb")
    return what_if.panel(GoalCase()).box


def field(box: Any, name: str) -> Any:
    return next(child for child in box.children if getattr(child, "description", "") == name)


def text(box: Any) -> str:
    return str(box.children[-1].value)


def test_a_run_shows_still_text_without_anything_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(what_if.OPEN_IN_JUPYTER, raising=False)
    case = GoalCase()
    bundle = what_if.panel(case)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle == what_if.panel(case)._repr_mimebundle_()
    assert percent(outlook.of(case).chances["average"]) in bundle["text/html"]


def test_an_open_notebook_shows_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipywidgets")
    monkeypatch.setenv(what_if.OPEN_IN_JUPYTER, "notebooks/91_what_if.ipynb")
    bundle = what_if.panel(GoalCase())._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle and "text/html" in bundle


@exhaustive
@pytest.mark.parametrize(
    ("name", "value", "changed"),
    some(
        [
            ("% a year", 40.0, {"goal": "40 %"}),
            ("deadline", 2017, {"deadline": 2017}),
            ("base year", 2013, {"base_year": 2013}),
            ("read", "every_year", {"reading": "every_year"}),
            ("as known on", "2026-11-24", {"as_of": "2026-11-24"}),
        ],
        2,
    ),
)
def test_every_widget_changes_the_answer_to_that_of_lib(
    box: Any, name: str, value: Any, changed: dict[str, Any]
) -> None:
    before = text(box)
    field(box, name).value = value
    case = GoalCase.check({**GoalCase().model_dump(mode="json"), **changed})
    wanted = asking.Answer(**vars(outlook.of(case)))._repr_html_()
    assert text(box) == wanted != before
    assert asking.answer_html(outlook.of(case)) in wanted and "<img" in wanted


def test_another_flow_brings_its_days_bases_and_deadlines(box: Any) -> None:
    flow = field(box, "flow")
    flow.value = next(place for name, place in flow.options if name == "China–Russia, export")
    years = list(field(box, "base year").options)
    assert years[0] == 2009 and field(box, "base year").value == years[-1]
    assert field(box, "deadline").options[0] == years[-1] + 1
    assert len(field(box, "as known on").options) > 5
    field(box, "as known on").value = field(box, "as known on").options[0]
    assert set(field(box, "base year").options) < set(years)


def test_a_level_goal_stands_at_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipywidgets")
    case = GoalCase.check({"goal": "300 USD mn"})
    assert field(what_if._build(case), "% a year").value == pytest.approx(100 * case.make_goal().rate)


def test_text_from_outside_is_text() -> None:
    case = GoalCase()
    hostile = outlook.of(case)
    hostile.verdicts[0] = type(hostile.verdicts[0])("average", "open", "<script>alert(1)</script>")
    assert "<script>" not in asking.answer_html(hostile)


def test_missing_widgets_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(UserError, match="uv sync --group lab"):
        what_if._build(GoalCase())


def test_the_grid_agrees_with_the_answer_of_each_case() -> None:
    case = GoalCase(as_of=date(2026, 11, 24), reading="every_year")
    found = grid(case, [0.2, 0.6], [2013, 2015])
    assert found.loc[0.2, 2013] == 1.0 and found.loc[0.6, 2013] == 0.0  # decided: 2013 grew by 50 %
    other = outlook.of(case.model_copy(update={"goal": "20 %"}))
    assert found.loc[0.2, 2015] == pytest.approx(other.chances["every_year"], abs=1e-12)
