"""Other goals on the record of a case: year by year, in a grid, by widgets.

The what-if page computes the plain part in the browser (`lib/tools/whatif`); the tests hold it to these numbers. Jupyter
tells a kernel by an environment variable that it serves an open notebook; papermill, nbval and nbclient do not, and
widgets drawn for nobody would leave random identifiers and empty boxes in the outputs.
"""

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import goals, mixtures, outlook
from lib import law as laws
from lib.analysis import asking
from lib.analysis.asking import answer_html
from lib.cases import MAX_HORIZON_YEARS, GoalCase, TrendCase
from lib.economies import pair_name
from lib.errors import UserError
from lib.goals import READING_LABELS, READINGS
from lib.law import FAN
from lib.outlook import SUREST, Answer


def grid(case: GoalCase, rates: Sequence[float], deadlines: Sequence[int]) -> pd.DataFrame:
    """Probability of the case's reading for other rates (rows, fractions a year) and other deadlines (columns).

    Decided readings are 1 or 0; NaN where the law says nothing of the reading.
    """
    table = pd.DataFrame(np.nan, index=pd.Index(rates, name="goal"), columns=list(deadlines))
    for deadline in deadlines:
        answer = outlook.of(case.model_copy(update={"deadline": deadline, "goal": f"{100 * max(rates):g} %"}))
        for rate in rates:
            goal = replace(answer.goal, rate=rate)
            verdicts = goals.judge(goal, answer.levels, case.as_of_time)
            outcome = next(one.outcome for one in verdicts if one.reading == case.reading)
            if outcome in ("met", "missed"):
                table.loc[rate, deadline] = float(outcome == "met")
            elif answer.law is not None:
                odds = laws.chances(answer.law, goal, answer.levels).get(case.reading, np.nan)
                table.loc[rate, deadline] = float(np.clip(odds, SUREST, 1 - SUREST))
    return table


def years_ahead(answer: Answer) -> pd.DataFrame:
    """The years to the deadline that are not known, one by one.

    Returns
    -------
    Frame indexed by year: path_mn (level of the goal path), one column for each of `lib.law.FAN`
    (quantiles of the level, millions), p_path (probability that the level is on the path or above it) and
    p_year (probability that this year alone grows at the goal's rate or faster).
    """
    rows: dict[int, list[float]] = {}
    goal = answer.goal
    if (law := answer.law) is not None:
        for year in law.years:
            path = goal.base_mn * (1 + goal.rate) ** (year - goal.base_year)
            row, known = np.zeros(len(law.years)), 0.0  # the year's log growth is row @ log levels − known
            row[law.column(year)] = 1.0
            if year - 1 in law.years:
                row[law.column(year - 1)] = -1.0
            else:
                known = float(np.log(goal.base_mn if year - 1 == goal.base_year else answer.levels[year - 1]))
            sds = np.sqrt(np.maximum(law.covariances @ row @ row, 0.0))
            slower = mixtures.below(np.log1p(goal.rate) + known, law.weights, law.means @ row, sds)
            odds = 1 - float(laws.p_below(law, year, path)), 1 - float(slower)
            rows[year] = [path, *laws.quantiles(law, year), *np.clip(odds, SUREST, 1 - SUREST)]
    columns = ["path_mn", *FAN, "p_path", "p_year"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("year")


# --- the what-if as widgets: live where a person edits the notebook, still text where it is executed ---

OPEN_IN_JUPYTER = "JPY_SESSION_NAME"
"""Set by jupyter-server in the kernels of notebooks that are open in it."""

FLOW = ("reporter", "partner", "flow")

RATES = (-20.0, 60.0)
"""Range of the slider, per cent a year."""


@dataclass(frozen=True)
class Panel:
    """What a cell shows: the answer as text, and the widgets where somebody can move them.

    Parameters
    ----------
    still : the answer of the parameters as HTML.
    box : the widgets, or None where nobody would see them move.
    """

    still: str
    box: Any = None

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Both forms; a front end takes the widgets if it can."""
        text = {"text/html": self.still, "text/plain": "the answer, as HTML"}
        return text if self.box is None else text | self.box._repr_mimebundle_(**options)


def panel(case: GoalCase) -> Panel:
    """The what-if of a case: widgets in an open notebook, still text elsewhere."""
    box = _build(case) if OPEN_IN_JUPYTER in os.environ else None
    return Panel(answer_html(outlook.of(case)), box)


def _build(case: GoalCase) -> Any:
    """The widgets, in line with the case, and what they show below them."""
    try:
        import ipywidgets as widgets
    except ModuleNotFoundError:
        raise UserError(
            "widgets: found no ipywidgets, expected it in the environment of Jupyter (uv sync --group lab)"
        ) from None
    fields, shown = _make_fields(widgets), widgets.HTML()
    now: dict[str, Any] = {"case": case, "busy": False}

    def moved(name: str, change: Any = None) -> None:
        if now["busy"]:  # the widgets are being brought in line
            return
        now["busy"] = True
        try:
            wanted = _with_value(now["case"], name, change.new) if change else case
            found = outlook.of(wanted)
            shown.value, now["case"] = asking.Answer(**vars(found))._repr_html_(), wanted
            _put_in_line(fields, found)
        except UserError as error:
            shown.value = f"<p><b>{html.escape(str(error))}</b></p>"
        finally:
            now["busy"] = False

    for name, field in fields.items():
        field.observe(partial(moved, name), "value")
    moved("")
    return widgets.VBox([*fields.values(), shown])


def _make_fields(widgets: Any) -> dict[str, Any]:
    """One widget a parameter, still without values."""
    slow = {"continuous_update": False, "layout": {"width": "40rem"}, "style": {"description_width": "8rem"}}
    style = {name: slow[name] for name in ("layout", "style")}
    known = sorted(set(fig.load_figures()[list(FLOW)].itertuples(index=False, name=None)))
    flows = [(f"{pair_name(*names[:2])}, {names[2]}", names) for names in known]
    readings = [(READING_LABELS[name], name) for name in READINGS]
    return {
        "flow": widgets.Dropdown(description="flow", options=flows, **style),
        "as_of": widgets.SelectionSlider(description="as known on", options=[""], **slow),
        "goal": widgets.FloatSlider(description="% a year", min=RATES[0], max=RATES[1], step=0.5, **slow),
        "base_year": widgets.Dropdown(description="base year", **style),
        "deadline": widgets.SelectionSlider(description="deadline", options=[""], **slow),
        "reading": widgets.Dropdown(description="read", options=readings, **style),
    }


def _with_value(case: GoalCase, name: str, value: Any) -> GoalCase:
    """The case after one widget changed; what no longer fits follows: day, base and deadline."""
    values = case.model_dump(mode="json") | ({} if name == "flow" else {name: value})
    if name == "flow":
        values |= {"goal": "25 %", "currency": "USD", "base_year": None}
        values |= {"as_of": fig.UNDATED_KNOWN_FROM.isoformat()} | dict(zip(FLOW, value, strict=True))
    elif name == "goal":
        values["goal"] = f"{value:g} %"
    # The base asked for, or the last level that the day knew; and a deadline as long after it as can be asked.
    known = TrendCase.check({one: values[one] for one in (*FLOW, "as_of", "currency")}).series().index
    base = values["base_year"] if values["base_year"] in known else int(known[-1])
    length = values["deadline"] - base
    years = length if 1 <= length <= MAX_HORIZON_YEARS else 3
    return GoalCase.check(values | {"base_year": base, "deadline": base + years})


def _put_in_line(fields: dict[str, Any], found: Answer) -> None:
    """Bring every widget in line with the case."""
    case, today = found.case, found.case.today()
    # From the flow's first figure of a year on, the days on which such a figure of it or of a larger flow appeared.
    own, *larger = (fig.annual(one.record())["known_from"] for one in (today, *today.lineage()))
    days = {day.date().isoformat() for released in (own, *larger) for day in released if day >= own.min()}
    days |= {today.as_of.isoformat(), case.as_of.isoformat()}
    last = max(case.base_year + 15, case.deadline)
    choices: list[tuple[str, list[Any], Any]] = [
        ("as_of", sorted(days), case.as_of.isoformat()),
        ("base_year", [int(year) for year in case.series().index], case.base_year),
        ("deadline", list(range(case.base_year + 1, last + 1)), case.deadline),
    ]
    for name, options, value in choices:
        fields[name].options, fields[name].value = options, value
    fields["flow"].value = tuple(getattr(case, name) for name in FLOW)
    fields["goal"].value = min(max(100 * found.goal.rate, RATES[0]), RATES[1])
    fields["reading"].value = case.reading
