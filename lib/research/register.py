"""The register of targets as steps: what the forecast would have said, and what goes with a target being met."""

from pathlib import Path

from lib.analysis import register
from lib.figures import load_targets
from lib.research.panels import Progress, Tables


def scores(_folder: Path, _progress: Progress = iter) -> Tables:
    """Step: the forecast at announcement beside what came, by target and by group."""
    found = register.score_register(load_targets())
    return {"register_scores.csv": found, "register_summary.csv": register.summarise(found)}


def model(_folder: Path, _progress: Progress = iter) -> Tables:
    """Step: the model over the register, scored on targets that it was not fitted to."""
    targets = load_targets()
    rows = register.features(register.score_register(targets), targets)
    return {"register_model.csv": register.score(rows), "register_effects.csv": register.effects(rows)}
