"""The notebooks and the parameters that each takes; no notebook imports this, so that a new one leaves them fresh."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lib import params
from lib.errors import UserError
from lib.goals import shorten
from lib.params.base import nearest

NOTEBOOKS: dict[str, type[params.Case]] = {
    "00_did_the_goal_hold": params.GoalCase,
    "01_what_do_the_figures_say": params.FlowCase,
    "02_how_did_trade_grow": params.PaceCase,
    "03_could_one_have_known": params.GoalCase,
    "04_how_often_do_goals_hold": params.GoalCase,
    "05_is_the_forecast_calibrated": params.ScoreCase,
    "06_what_would_the_trackers_have_said": params.TrackerCase,
    "07_what_moved_trade": params.DriverCase,
    "08_did_the_policies_matter": params.PolicyCase,
    "09_what_would_it_take": params.ScenarioCase,
    "10_did_harbin_make_it": params.HiddenCase,
    "11_where_will_the_year_end": params.YearEndCase,
}
"""The parameters of each notebook that is run by default; the key is the notebook's name."""
OF_UNKNOWN_OUTCOMES = ("09_what_would_it_take", "10_did_harbin_make_it")
"""Notebooks that have an answer only while the outcome of a goal is not known; a run that does not name them leaves
them out where they have none."""
ON_REQUEST: dict[str, type[params.Case]] = {
    "90_compare_runs": params.CompareCase,
    "91_what_if": params.GoalCase,
}
"""Notebooks that run only when they are named."""


def model_of(notebook: str) -> type[params.Case]:
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
        params.GoalCase.check(
            {name: value for name, value in values.items() if name in params.GoalCase.model_fields}
        )
    except (ValidationError, UserError):
        return False
    return True
