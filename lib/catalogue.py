"""The notebooks and the parameters that each takes; no notebook imports this, so that a new one leaves them fresh."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lib.errors import UserError
from lib.goals import shorten
from lib.params import (
    Case,
    CompareCase,
    DriverCase,
    FlowCase,
    GoalCase,
    HiddenCase,
    PaceCase,
    PolicyCase,
    ScenarioCase,
    ScoreCase,
    TrackerCase,
    YearEndCase,
)
from lib.params.base import nearest

NOTEBOOKS: dict[str, type[Case]] = {
    "00_did_the_goal_hold": GoalCase,
    "01_what_do_the_figures_say": FlowCase,
    "02_how_did_trade_grow": PaceCase,
    "03_could_one_have_known": GoalCase,
    "04_how_often_do_goals_hold": GoalCase,
    "05_is_the_forecast_calibrated": ScoreCase,
    "06_what_would_the_trackers_have_said": TrackerCase,
    "07_what_moved_trade": DriverCase,
    "08_did_the_policies_matter": PolicyCase,
    "09_what_would_it_take": ScenarioCase,
    "10_did_harbin_make_it": HiddenCase,
    "11_where_will_the_year_end": YearEndCase,
}
"""The parameters of each notebook that is run by default; the key is the notebook's name."""
OF_UNKNOWN_OUTCOMES = ("09_what_would_it_take", "10_did_harbin_make_it")
"""Notebooks that have an answer only while the outcome of a goal is not known; a run that does not name them leaves
them out where they have none."""
ON_REQUEST: dict[str, type[Case]] = {"90_compare_runs": CompareCase, "91_what_if": GoalCase}
"""Notebooks that run only when they are named."""


def model_of(notebook: str) -> type[Case]:
    """Return the parameter model of a notebook by name."""
    models = NOTEBOOKS | ON_REQUEST
    if notebook not in models:
        hint = nearest(notebook, models)
        raise UserError(f'notebook: found "{shorten(notebook)}", expected one of {", ".join(models)}{hint}')
    return models[notebook]


def has_no_answer(notebook: str, values: Mapping[str, Any]) -> bool:
    """Whether the values state a goal that other notebooks take, but of which this one has nothing to say."""
    if notebook not in OF_UNKNOWN_OUTCOMES:
        return False
    try:
        model_of(notebook).model_validate(dict(values))
        GoalCase.check({name: value for name, value in values.items() if name in GoalCase.model_fields})
    except (ValidationError, UserError):
        return False
    return True
