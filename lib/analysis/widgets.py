"""The what-if as widgets in a notebook: live where a person edits it in Jupyter, still text where it is executed.

Jupyter tells a kernel by an environment variable that it serves an open notebook. Papermill, nbval and nbclient
do not, and widgets drawn for nobody would leave random identifiers and empty boxes in the outputs.
"""

import html
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lib import figures as fig
from lib import outlook, plots, show
from lib.analysis.answers import plainly, source_line
from lib.cases import MAX_HORIZON_YEARS, GoalCase, TrendCase
from lib.economies import pair_name
from lib.errors import UserError
from lib.goals import READING_LABELS, READINGS
from lib.outlook import Answer
from lib.words import fill

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


def panel(case: GoalCase, live: bool | None = None) -> Panel:
    """The what-if of a case: widgets in an open notebook, still text elsewhere, or as `live` says."""
    still = answer_html(outlook.of(case))
    if live is None:
        live = OPEN_IN_JUPYTER in os.environ
    return Panel(still, build(case) if live else None)


def answer_html(answer: Answer) -> str:
    """What the goal asks for, the answer, and the three readings as a table."""
    goal, case = answer.goal, answer.case
    size = {"start": goal.base_mn, "to": goal.target_mn, "rate": goal.rate, "c": goal.currency}
    asks = fill("{title}: {start:{c}} to {to:{c}}, {rate:rate} a year", title=case.title(), **size)
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in (asks, plainly(answer)))
    return lines + str(show.readings(answer.verdicts, answer.chances, answer.needed["needed"]).data)


def build(case: GoalCase) -> Any:
    """The widgets, in line with the case, and what they show below them."""
    try:
        import ipywidgets as widgets
    except ModuleNotFoundError:
        raise UserError(
            "widgets: found no ipywidgets, expected it in the environment of Jupyter (uv sync --group lab)"
        ) from None
    fields = _make_fields(widgets)
    text, picture = widgets.HTML(), widgets.Image(format="png", layout={"max_width": "60rem"})
    now: dict[str, Any] = {"case": case, "busy": False}

    def redraw(changed: Callable[[GoalCase], GoalCase]) -> None:
        now["busy"] = True  # bringing the widgets in line must not call this again
        try:
            wanted = changed(now["case"])
            found = outlook.of(wanted)
            text.value, picture.value = answer_html(found), draw(found)
            now["case"] = wanted
            _put_in_line(fields, found)
        except UserError as error:
            text.value = f"<p><b>{html.escape(str(error))}</b></p>"
        finally:
            now["busy"] = False

    def follow(name: str) -> Callable[[Any], None]:
        def moved(change: Any) -> None:
            if not now["busy"]:
                redraw(lambda known: _with_value(known, name, change.new))

        return moved

    for name, field in fields.items():
        field.observe(follow(name), "value")
    redraw(lambda same: same)
    return widgets.VBox([*fields.values(), text, picture])


def _make_fields(widgets: Any) -> dict[str, Any]:
    """One widget a parameter, still without values."""
    slow = {"continuous_update": False, "layout": {"width": "40rem"}, "style": {"description_width": "8rem"}}
    style = {name: slow[name] for name in ("layout", "style")}
    flows = [
        (f"{pair_name(reporter, partner)}, {flow}", (reporter, partner, flow))
        for reporter, partner, flow in _flows()
    ]
    return {
        "flow": widgets.Dropdown(description="flow", options=flows, **style),
        "as_of": widgets.SelectionSlider(
            description="as known on", options=[fig.UNDATED_KNOWN_FROM.isoformat()], **slow
        ),
        "goal": widgets.FloatSlider(description="% a year", min=RATES[0], max=RATES[1], step=0.5, **slow),
        "base_year": widgets.Dropdown(description="base year", **style),
        "deadline": widgets.IntSlider(description="deadline", min=1900, max=2100, **slow),
        "reading": widgets.Dropdown(
            description="read", options=[(READING_LABELS[name], name) for name in READINGS], **style
        ),
    }


def _flows() -> list[tuple[str, ...]]:
    """Every flow of the record: reporter, partner, flow."""
    return sorted(set(fig.load_figures()[list(FLOW)].itertuples(index=False, name=None)))


def _with_value(case: GoalCase, name: str, value: Any) -> GoalCase:
    """The case after one widget changed; what no longer fits follows: day, base and deadline."""
    values = case.model_dump(mode="json")
    if name != "flow":
        values[name] = f"{value:g} %" if name == "goal" else value
        return GoalCase.check(_settled(values))
    fresh = {"as_of": fig.UNDATED_KNOWN_FROM.isoformat(), "goal": "25 %", "base_year": None}
    values |= fresh | dict(zip(FLOW, value, strict=True))
    try:
        return GoalCase.check(_settled(values | {"currency": "USD"}))
    except UserError:  # no level of it in dollars
        return GoalCase.check(_settled(values | {"currency": "CNY"}))


def _settled(values: dict[str, Any]) -> dict[str, Any]:
    """Base and deadline that the record of the day can answer: the base asked for, or the last level known."""
    known = TrendCase.check({name: values[name] for name in (*FLOW, "as_of", "currency")}).series().index
    base = values["base_year"] if values["base_year"] in known else int(known[-1])
    length = values["deadline"] - base
    return values | {
        "base_year": base,
        "deadline": base + (length if 1 <= length <= MAX_HORIZON_YEARS else 3),
    }


def _put_in_line(fields: dict[str, Any], found: Answer) -> None:
    """Bring every widget in line with the case."""
    case = found.case
    days = sorted({*_release_days(case), case.as_of.isoformat()})
    years = [int(year) for year in case.series().index]
    fields["flow"].value = tuple(getattr(case, name) for name in FLOW)
    fields["as_of"].options, fields["as_of"].value = days, case.as_of.isoformat()
    fields["goal"].value = min(max(100 * found.goal.rate, RATES[0]), RATES[1])
    fields["base_year"].options, fields["base_year"].value = years, case.base_year
    # No range may exclude the next one on the way.
    fields["deadline"].min, fields["deadline"].max = 1900, 2100
    fields["deadline"].value = case.deadline
    fields["deadline"].max = max(case.base_year + 15, case.deadline)
    fields["deadline"].min = case.base_year + 1
    fields["reading"].value = case.reading


def _release_days(case: GoalCase) -> list[str]:
    """The days from the flow's first figure of a year on, on which such a figure of it or of a larger flow appeared."""
    today = case.today()
    own, *larger = (fig.annual(one.record())["known_from"] for one in (today, *today.lineage()))
    days = {day.date().isoformat() for found in (own, *larger) for day in found if day >= own.min()}
    return sorted(days | {fig.UNDATED_KNOWN_FROM.isoformat()})


def draw(found: Answer) -> bytes:
    """Record, path of the goal and fan as a PNG image."""
    import matplotlib.pyplot as plt

    case, image = found.case, io.BytesIO()
    series = case.series()
    sources = source_line(case.vintage(), series)
    drawn = plots.goal_fan(series, found.goal.path(), found.fan, case.currency, case.title(), sources)
    drawn.savefig(image, format="png", bbox_inches="tight")
    plt.close(drawn)
    return image.getvalue()
