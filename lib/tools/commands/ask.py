"""The command `tradegoals ask`: one goal, answered in the terminal."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import click

from lib.errors import UserError
from lib.tools.commands import OUT, WORDS, Out, Texts, examples, options, pairs, tell
from lib.tools.commands.bring import Rows
from lib.tools.commands.results import write_csv
from lib.tools.run import freshness

if TYPE_CHECKING:  # every command imports this module; the others need no pandas
    import pandas as pd

    from lib.analysis.asking import Answer

NOTEBOOK = "00_did_the_goal_hold"  # the notebook whose page answers such a question at length

OF_TABLES = ("unit", "column", "period", "fiscal", "fiscal_label", "freq", "year", "decimal", "sheet")
"""What a file may not say, as `data import` asks for it; with the rows."""

SAID = WORDS["ask"] | {name: WORDS["data import"][name] for name in OF_TABLES}

Reading = Literal["average", "every_year", "mean_of_rates"]


@click.command(epilog=examples("ask"), context_settings={"ignore_unknown_options": True})
@options
def ask(
    words: Texts = (),
    base: Annotated[int | None, "Base [default: the last known year].", {"metavar": "YEAR"}] = None,
    deadline: Annotated[int | None, "The last year that counts.", {"metavar": "YEAR"}] = None,
    rows: Rows = (),
    reading: Annotated[Reading, "In which the goal was stated."] = "average",
    json: Annotated[bool, "Print every number as a field."] = False,
    csv: Annotated[Path | None, "Write the fan; - for the terminal."] = None,
    page: Annotated[bool, "Write the page, too, as `run` does."] = False,
    out: Out = OUT,
    **more: Annotated[str | None, SAID],
) -> None:
    """Judge a goal in people's words: of a flow on record, or of the table in a file, "ask mine.xlsx QUESTION".

    What was understood is printed first; what could mean two things is asked back.
    """
    from lib.analysis import asking
    from lib.tools.commands import run as running
    from lib.tools.run import matrix

    if unknown := [word for word in words if word.startswith("--")]:
        raise click.NoSuchOption(unknown[0])
    first = Path(*words[:1])
    is_file = first.is_file() or bool(re.fullmatch(r"\.[a-z]{3,4}", first.suffix.lower()))
    if json and str(csv) == "-":
        raise UserError("--csv: found - beside --json, expected a file: the terminal shows one of the two")
    if not (question := " ".join(words[is_file:])):
        raise UserError('ask: found no question, expected such as "Harbin Russia total +25% 2012-2015"')
    said: dict[str, Any] = {name: more.pop(name) for name in OF_TABLES} | {"rows": pairs(rows, "--rows")}
    given: dict[str, Any] = {"base": base, "deadline": deadline, "reading": reading} | more
    if is_file:
        answer = _of_file(first, question, given, said)
    elif extra := [name for name, text in said.items() if text]:
        raise UserError(f"--{extra[0]}: found it without a file, expected it with one")
    else:
        answer = asking.ask(question, **given)
    if json:
        click.echo(asking.as_json(answer), nl=False)
    elif str(csv) != "-":
        click.echo(str(answer))
    if csv is not None:
        write_csv(answer.quantiles().to_csv(lineterminator="\n"), csv, "the fan")
    if is_file:
        if page:
            raise UserError(f"--page: needs figures in the collection; first: tradegoals data import {first}")
        return
    run = matrix.make_run(NOTEBOOK, answer.case.model_dump(mode="json"))
    path, quiet = run.folder(out) / freshness.PAGE, json or csv is not None
    if page and (error := running.execute_one(run, out).error):
        raise UserError(f"--page: {error}")
    if page or not quiet:
        click.echo(f"\npage: {path}" + ("" if path.exists() else " (--page writes it)"), err=quiet)


def _of_file(path: Path, question: str, given: dict[str, Any], said: dict[str, Any]) -> "Answer":
    """The answer for the table of a file: what the import would read of it, nothing written."""
    import pandas as pd

    from lib.analysis import asking
    from lib.analysis.question import read_question
    from lib.spoken import read_flow

    stated = read_question(question).stated
    named = {name: given[name] or stated.get(name) for name in ("reporter", "partner", "flow", "currency")}
    named["flow"] = named["flow"] and read_flow(named["flow"])
    found, missing = _proposed(path, {name: named[name] for name in named if name != "currency"} | said)
    tell([*found.notes, *(f"{name}: {told}" for name, told in missing.items())], "note: ", err=True)
    rows = _one_flow(found.rows, named)
    there = {name: str(rows[name].iloc[0]) for name in named if name not in missing}
    unnamed = {"reporter": path.stem} | dict.fromkeys(missing.keys() - {"reporter"})
    years: Any = rows["period"].str.partition("..")[2]
    if years.iloc[0]:  # fiscal years, as periods that end with their month
        years = pd.PeriodIndex(years.str[:4], freq=f"Y-{pd.Period(years.iloc[0], 'M'):%b}".upper())
    else:
        years = rows["period"].astype(int)
    return asking.ask(pd.Series(rows["value_mn"].to_numpy(), years), goal=question, **given | unnamed | there)


def _proposed(path: Path, given: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    """What the import would read, and what stands for names that neither table nor options give: the answer needs none."""
    from lib.tools.sources.proposal import propose
    from lib.tools.sources.reader import UnclearError

    stand_in = {
        "reporter": (path.stem, "the file's name"),
        "partner": ("World", "none named, taken as one; --partner World for all"),
        "flow": ("total", "none named"),
    }
    try:
        return propose(path, **given), {}
    except UnclearError as error:
        missing = [name for name in stand_in if name in error.questions and not given[name]]
        if rest := {name: words for name, words in error.questions.items() if name not in missing}:
            raise UnclearError(str(path), rest) from None
    taken = given | {name: stand_in[name][0] for name in missing}
    return propose(path, **taken), {name: stand_in[name][1] for name in missing}


def _one_flow(rows: "pd.DataFrame", names: dict[str, str | None]) -> "pd.DataFrame":
    """The whole years of one flow of a table, sums of months and of both flows too; of several an option says which."""
    from lib.spoken import read_place
    from lib.tools.sources import observations

    rows, _ = observations.with_totals(observations.with_years(rows))
    rows = rows[rows["freq"] == "A"]
    if (whole := rows["period"].str.fullmatch("[0-9]{4}")).any():
        rows = rows[whole]
    millions = observations.in_millions(rows["value"], rows["unit"])
    rows = rows.assign(value_mn=millions, currency=rows["unit"].str[:3])
    if rows.empty:
        raise UserError("ask: found no whole year in the table, expected a level a year")
    for name, wanted in names.items():
        there = sorted(rows[name].unique())
        only = "total" if name == "flow" and "total" in there else there[0] if len(there) == 1 else ""
        if (chosen := wanted or only) not in there:
            chosen = read_place(chosen)
        if chosen not in there:
            raise UserError(f"--{name}: found {wanted or 'none'}, expected one of: {', '.join(there)}")
        rows = rows[rows[name] == chosen]
    return rows
