"""What the page computes from, as one JSON object.

Nothing is rounded but the measured coverage (four digits): the kept tables are stored as data/reference has
them, levels as the series gives them, so that the page's numbers are those of `lib` to the last digits that
matter. No answer is stored: probabilities, fans and base rates are computed in the browser.
"""

import json
from functools import lru_cache
from typing import Any

from lib import figures as fig
from lib import goals, params, standards
from lib.base_rates import HORIZON
from lib.forecast import FAN
from lib.outlook import SUREST
from lib.reference import DRIFT_SD_FLOOR, FIRST_BACI_ORIGIN, LASTING
from lib.series import GRADES
from lib.tables import data_state
from lib.whatif import own, record, reference_tables


def payload() -> dict[str, Any]:
    """Record, goals, reference tables and the constants of the model."""
    return _payload(data_state())


@lru_cache(maxsize=1)
def _payload(state: Any) -> dict[str, Any]:
    known = record.flows()
    ids = {
        change[3]
        for flow in known
        for days in flow["levels"].values()
        for _, c in days
        for change in c
        if change[1:]
    }
    return {
        "day": fig.UNDATED_KNOWN_FROM.isoformat(),
        "flows": known,
        "sources": record.sources(ids),
        "goals": record.stated_goals(known),
        "cny_per_usd": record.exchange(),
        "grades": list(GRADES),
        "readings": goals.READING_LABELS,
        "default": _default(),
        "model": _constants(),
        "standards": _standards(),
        "tables": reference_tables.tables(),
    }


def _default() -> dict[str, Any]:
    """The case with which the page opens: that of the notebooks."""
    return params.GoalCase().model_dump(mode="json")


def _constants() -> dict[str, Any]:
    return {
        "fan": list(FAN),
        "surest": SUREST,
        "lasting": LASTING,
        "drift_sd_floor": DRIFT_SD_FLOOR,
        "first_baci_origin": FIRST_BACI_ORIGIN,
        "longest_base_rate": HORIZON,
        "longest_goal": params.MAX_HORIZON_YEARS,
        "publication_lag": goals.PUBLICATION_LAG_YEARS,
        "own_most": own.MOST_FIGURES,
        "own_first": own.FIRST_YEAR + 1,
        "own_last": own.LAST_YEAR,
    }


def _standards() -> dict[str, Any]:
    """Cut points of the official standards, from the highest class to the lowest; −inf as null."""
    cuts = {
        "eurostat": standards.EUROSTAT_CLASSES,
        "un": standards.UN_CLASSES,
        "escap_gap": standards.ESCAP_GAP_CLASSES,
        "sdsn": standards.SDSN_CLASSES,
    }
    return {
        name: [[None if cut == float("-inf") else cut, label] for cut, label in c] for name, c in cuts.items()
    }


def as_json() -> str:
    """The object as JSON that may stand inside a page: no ``<`` that could end or open an element."""
    text = json.dumps(payload(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
