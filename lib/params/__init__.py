"""Typed parameters: `base` checks and explains them, `flows` and `questions` say what there is to ask."""

from lib.params.base import Case, slug, slugify
from lib.params.flows import MAX_HORIZON_YEARS, FlowCase, GoalCase, PaceCase, TrendCase
from lib.params.questions import (
    LAST_OUTCOME,
    CompareCase,
    DriverCase,
    HiddenCase,
    PolicyCase,
    ScenarioCase,
    ScoreCase,
    TrackerCase,
    YearEndCase,
)

__all__ = [
    "LAST_OUTCOME",
    "MAX_HORIZON_YEARS",
    "Case",
    "CompareCase",
    "DriverCase",
    "FlowCase",
    "GoalCase",
    "HiddenCase",
    "PaceCase",
    "PolicyCase",
    "ScenarioCase",
    "ScoreCase",
    "TrackerCase",
    "TrendCase",
    "YearEndCase",
    "slug",
    "slugify",
]
