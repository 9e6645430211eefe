"""One answer: all notebooks give one goal, reading, day and kind of probability the same number.

`disagreements` reads the rows of a results table, those of `out/results.parquet` or of cells run here.
"""

import ast
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sampling import exhaustive, some
from test_sentences import committed, run_cells

from lib.analysis import tracking
from lib.errors import UserError
from lib.goals import READINGS
from lib.results import MIME, Result
from lib.tools.run.results_table import COLUMNS, TASK, rows_of

pytestmark = pytest.mark.usefixtures("tables_read_once")

ONE = [*TASK, "as_of", "period", "reading", "kind"]
"""What a probability is of: rows that agree in these must agree in the number."""


def disagreements(rows: pd.DataFrame) -> list[str]:
    """Goals of which runs say two things: probabilities of one kind that differ, kinds or verdicts that do."""
    met = rows.reindex(columns=list(COLUMNS)).query("target == 'goal met'")
    same = [name for name in ONE if name != "kind"]
    odds = met[met["output_type"] == "probability"]
    groups = [
        *odds.groupby(ONE, dropna=False)["value"],
        *odds.groupby(same, dropna=False)["kind"],
        *met[met["output_type"] == "verdict"].groupby(same, dropna=False)["output_type_id"],
    ]
    return [
        f"{' '.join(map(str, key))}: "
        + ", ".join(f"{rows.loc[i, 'notebook'][:2]} {value}" for i, value in said.items())
        for key, said in groups
        if len(set(said)) > 1
    ]


NOTEBOOKS = ("00", "03", "06", "09", "10", "11", "90", "91")

SUITS_FEW = ("09", "10", "11")
"""The notebooks that refuse a case which is not of their kind."""

HARBIN = {"reporter": "Harbin", "partner": "Russia", "flow": "total", "currency": "USD", "goal": "25 %"}
HARBIN |= {"base_year": 2012, "deadline": 2015, "reading": "average"}
PROVINCE = HARBIN | {"reporter": "Heilongjiang", "goal": "14 USD bn", "base_year": 2005, "deadline": 2010}
CHINA = HARBIN | {"reporter": "China", "goal": "100 USD bn", "base_year": 2010}
RUSSIA = HARBIN | {"reporter": "Russia", "partner": "China", "goal": "5 %"}

CASES = {
    "the first month of the deadline": CHINA | {"goal": "5 %", "as_of": "2015-02-28"},
    "one figure, on its first day": HARBIN | {"as_of": "2014-04-15"},
    "the deadline over and unpublished": HARBIN | {"as_of": "2026-11-24", "reading": "mean_of_rates"},
    "the deadline running": HARBIN | {"as_of": "2015-06-30", "reading": "every_year"},
    "eight months known of a year on the way": PROVINCE | {"as_of": "2008-12-31"},
    "missed": PROVINCE | {"as_of": "2026-11-24"},
    "inferred from the country": PROVINCE
    | {"goal": "25 USD bn", "base_year": 2013, "deadline": 2015, "as_of": "2026-11-24"},
    "months of the running year": CHINA
    | {"goal": "300 USD bn", "base_year": 2022, "deadline": 2030, "as_of": "2026-11-24"},
    "one flow, in yuan": CHINA
    | {"flow": "import", "currency": "CNY", "goal": "5 %", "deadline": 2013, "as_of": "2011-12-31"},
    "a partner's own record": RUSSIA | {"base_year": 2010, "deadline": 2012, "as_of": "2011-12-31"},
    "the partner's figures tell": RUSSIA | {"base_year": 2020, "deadline": 2024, "as_of": "2026-11-24"},
    "all partners": HARBIN | {"partner": "World", "goal": "5 %", "deadline": 2026, "as_of": "2026-11-24"},
}

BESIDE = {"06": ["found"], "09": ["odds"], "90": ["steps"], "91": ["chances"]}
"""Names under which notebooks keep probabilities of the goal that are not in their record."""


def cells_for(notebook: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    """The notebook with those code cells alone that its record and some names rest on: a fifth of the time."""
    kept, needed = [], set(wanted)
    for cell in reversed(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        nodes = list(ast.walk(ast.parse("".join(cell["source"]))))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        columns = [
            node.value
            for node in nodes
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        ]
        made |= {node.id for node in columns if isinstance(node, ast.Name)}
        made |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        imports = "import " in "".join(cell["source"])
        if not kept or made & needed or imports or "parameters" in cell["metadata"].get("tags", []):
            kept.insert(0, cell)
            needed |= {node.id for node in names}
    return {"cells": kept}


def told_beside(name: str, names: dict[str, Any], parameters: dict[str, Any]) -> dict[str, float]:
    """Probabilities by reading of the case's goal on its day that a notebook shows beside its record."""
    match name:
        case "06":
            rows = names["found"][names["found"]["who"] == tracking.PROBABILITY]
            rows = rows[
                (rows["day"] == names["case"].as_of) & rows["progress_class"].isin(["open", "unknown"])
            ]
            return dict(zip([names["reading"]], rows["value"], strict=False))
        case "09":
            return names["odds"].set_index("kind").loc["none"].filter(items=READINGS).to_dict()
        case "90":
            return {reading: float(names["steps"][f"p_{reading}"].iloc[0]) for reading in READINGS}
        case "91" if parameters["goal"] in ("5 %", "25 %"):
            rate = float(parameters["goal"].split()[0]) / 100
            return {names["reading"]: float(names["chances"].loc[rate, names["deadline"]])}
    return {}


# In the first case all notebooks but 10 give the goal a probability.
@exhaustive
@pytest.mark.parametrize("parameters", some(CASES.values(), 12), ids=some(CASES, 12))
def test_all_notebooks_give_a_goal_one_probability(
    parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, Any]] = []
    beside: dict[str, dict[str, float]] = {}
    for title, notebook in committed().items():
        name = title[:2]
        if name not in NOTEBOOKS:
            continue
        asked = parameters | ({"until": parameters["as_of"]} if name == "90" else {})
        try:
            names, shown = run_cells(cells_for(notebook, BESIDE.get(name, [])), asked, monkeypatch)
        except UserError as error:
            assert name in SUITS_FEW, error
            continue
        (result,) = (
            Result.model_validate(one[MIME]) for one in shown if isinstance(one, dict) and MIME in one
        )
        rows += rows_of(result, "", "")
        beside[name] = told_beside(name, names, asked)
    found = pd.DataFrame(rows)
    assert disagreements(found) == []
    odds = found[found["output_type"] == "probability"].groupby("reading")["value"].first()
    said = [(name, reading, p) for name, all_of in beside.items() for reading, p in all_of.items()]
    assert [one for one in said if one[2] != odds.get(one[1], one[2]) and not np.isnan(one[2])] == []


def test_a_difference_is_found() -> None:
    row = dict.fromkeys(COLUMNS) | {
        "goal": "25 %",
        "target": "goal met",
        "reading": "average",
        "kind": "forecast",
    }
    odds = {"output_type": "probability", "value": 0.25}
    first = row | odds | {"notebook": "00_a"}
    assert disagreements(pd.DataFrame([first, first | {"notebook": "03_b"}])) == []
    (fault,) = disagreements(pd.DataFrame([first, first | {"notebook": "03_b", "value": 0.26}]))
    assert fault.endswith("00 0.25, 03 0.26")
    (fault,) = disagreements(pd.DataFrame([first, first | {"notebook": "03_b", "kind": "inferred"}]))
    assert fault.endswith("00 forecast, 03 inferred")
    assert disagreements(pd.DataFrame([first, first | {"kind": "nowcast", "as_of": "2015-01-01"}])) == []
