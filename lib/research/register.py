"""The register of targets as steps: what the forecast would have said, and what goes with a target being met."""

from pathlib import Path

from lib.analysis import register_model
from lib.analysis.register import score_register, summarise
from lib.figures import load_targets
from lib.research.panels import Progress, Tables


def scores(_folder: Path, _progress: Progress = iter) -> Tables:
    """Step: the forecast at announcement beside what came, by target and by group."""
    found = score_register(load_targets())
    return {"register_scores.csv": found, "register_summary.csv": summarise(found)}


def model(_folder: Path, _progress: Progress = iter) -> Tables:
    """Step: the model over the register, scored on targets that it was not fitted to."""
    targets = load_targets()
    rows = register_model.features(score_register(targets), targets)
    return {
        "register_model.csv": register_model.score(rows),
        "register_effects.csv": register_model.effects(rows),
    }
