"""Other goals on the record of a case, and a reader's own figures: year by year, in a grid, by widgets, typed in by hand.

The what-if page computes the plain part in the browser (`lib/tools/whatif`); the tests hold it to these numbers. Jupyter
tells a kernel by an environment variable that it serves an open notebook; papermill, nbval and nbclient do not, and
widgets drawn for nobody would leave random identifiers and empty boxes in the outputs.

A reader's own figures are a flow that the record does not have, forecast from its figures and its size. There are no
larger flows to lean on, so the prior is that of flows between two countries of its size.
"""

import html
import io
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lib import figures as fig
from lib import goals, growth, mixtures, outlook, plots, show
from lib import law as laws
from lib.analysis.answers import plainly, source_line
from lib.cases import MAX_HORIZON_YEARS, GoalCase, TrendCase
from lib.economies import pair_name
from lib.errors import UserError, quote
from lib.goals import READING_LABELS, READINGS
from lib.law import FAN
from lib.outlook import SUREST, Answer
from lib.words import fill

OWN_MOST_FIGURES = 15
OWN_FIRST_YEAR = 1970
"""Before this no panel has a reference class."""
OWN_LAST_YEAR = fig.UNDATED_KNOWN_FROM.year


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


LINES = {
    decimal: re.compile(
        rf"""["]?([0-9]{{4}})"?[ \t,;:=]+"?([0-9]{{1,3}}(?:[ '{thousands}][0-9]{{3}})+(?:[{decimal}][0-9]{{1,9}})?"""
        rf"""|[0-9]{{1,12}}(?:[{decimal}][0-9]{{1,9}})?)"?(?:[ \t,;:]+"?([+−-]?[0-9]{{1,4}}(?:[.,][0-9]{{1,9}})?) *%"?)?"""
    )
    for decimal, thousands in (".,", ",.")
}
"""A line by the sign that begins its decimals: a year, a level and perhaps its growth."""

EXPECTED = 'a year, its level in millions and perhaps its growth, such as "2013 230 +50 %"'


def read_figures(text: str) -> pd.Series:
    """Read a reader's figures: one line a year, "2013 230" or "2013 230 +50 %"; or what a spreadsheet copies.

    A first line without a year is a header; thousands may stand apart, and the decimal sign be a comma.

    Returns
    -------
    Level by year, millions. A printed growth rate gives the year before where no line does.

    Raises
    ------
    UserError
        Naming the line, what was found and what was expected.
    """
    spaced = re.split(r"\r?\n|\|", re.sub("[\u00a0\u2009\u202f]", " ", text))
    lines = [(place, line.strip()) for place, line in enumerate(spaced, 1) if line.strip()]
    lines = lines[1:] if len(lines) > 1 and not re.match('"?[0-9]', lines[0][1]) else lines
    if not 1 <= len(lines) <= OWN_MOST_FIGURES:
        raise UserError(
            f"own figures: found {len(lines)} lines, expected 1 to {OWN_MOST_FIGURES}: {EXPECTED}"
        )
    decimal, parts = _read_by_one_sign(lines)
    levels: dict[int, float] = {}
    implied: dict[int, float] = {}
    for (place, line), match in zip(lines, parts, strict=True):
        year, growing = int(match[1]), match[3]
        level = float(re.sub(f"[^0-9{decimal}]", "", match[2]).replace(",", "."))
        rate = None if growing is None else float(growing.replace(",", ".").replace("−", "-")) / 100
        _check_line(place, line, year, level, rate, levels)
        levels[year] = level
        if rate is not None:
            implied[year - 1] = float(growth.implied_base(level, rate))
    return pd.Series(implied | levels, dtype=float).rename_axis("year").sort_index()


def _read_by_one_sign(lines: list[tuple[int, str]]) -> tuple[str, list[re.Match[str]]]:
    """The decimal sign by which all lines can be read, and their parts.

    Raises
    ------
    UserError
        For a line that no sign can read, or where both could: 1.234 may be a thousand, or one and a bit.
    """
    tried = {sign: [pattern.fullmatch(line) for _, line in lines] for sign, pattern in LINES.items()}
    read = {sign: [part for part in parts if part] for sign, parts in tried.items() if all(parts)}
    if not read:
        place, line = lines[max(parts.index(None) for parts in tried.values())]
        raise UserError(f"own figures, line {place}: found {quote(line)}, expected {EXPECTED}")
    sign, parts = next(iter(read.items()))
    doubtful = [part[2] for part in parts if len(read) > 1 and "." in part[2]]
    if doubtful:
        either = f"{doubtful[0].replace('.', '')} or {doubtful[0]}0"
        expected = f"a number that can be read in one way: did you mean {either}?"
        raise UserError(f"own figures: found {quote(doubtful[0])}, expected {expected}")
    return sign, parts


def _check_line(
    place: int, line: str, year: int, level: float, rate: float | None, levels: dict[int, float]
) -> None:
    """Refuse a year that cannot be, or came before, and a level that cannot grow."""
    if not OWN_FIRST_YEAR < year <= OWN_LAST_YEAR:
        raise UserError(
            f"own figures, line {place}: found {year}, expected a year from {OWN_FIRST_YEAR + 1} to {OWN_LAST_YEAR}"
        )
    if year in levels:
        raise UserError(f"own figures, line {place}: found {year} twice, expected each year once")
    if level <= 0 or (rate is not None and rate <= -1):
        raise UserError(
            f"own figures, line {place}: found {quote(line)}, expected a level above 0 that can grow"
        )


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
    known = sorted(set(fig.load_figures()[list(FLOW)].itertuples(index=False, name=None)))
    flows = [
        (f"{pair_name(reporter, partner)}, {flow}", (reporter, partner, flow))
        for reporter, partner, flow in known
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
    years = length if 1 <= length <= MAX_HORIZON_YEARS else 3
    return values | {"base_year": base, "deadline": base + years}


def _put_in_line(fields: dict[str, Any], found: Answer) -> None:
    """Bring every widget in line with the case."""
    case, today = found.case, found.case.today()
    # From the flow's first figure of a year on, the days on which such a figure of it or of a larger flow appeared.
    own, *larger = (fig.annual(one.record())["known_from"] for one in (today, *today.lineage()))
    days = {day.date().isoformat() for released in (own, *larger) for day in released if day >= own.min()}
    years = [int(year) for year in case.series().index]
    fields["flow"].value = tuple(getattr(case, name) for name in FLOW)
    fields["as_of"].options = sorted(days | {fig.UNDATED_KNOWN_FROM.isoformat(), case.as_of.isoformat()})
    fields["as_of"].value = case.as_of.isoformat()
    fields["goal"].value = min(max(100 * found.goal.rate, RATES[0]), RATES[1])
    fields["base_year"].options, fields["base_year"].value = years, case.base_year
    # No range may exclude the next one on the way.
    fields["deadline"].min, fields["deadline"].max = 1900, 2100
    fields["deadline"].value = case.deadline
    fields["deadline"].max = max(case.base_year + 15, case.deadline)
    fields["deadline"].min = case.base_year + 1
    fields["reading"].value = case.reading


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
