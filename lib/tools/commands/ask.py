"""The command `tradegoals ask`: one goal, answered in the terminal."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lib.errors import UserError
from lib.tools.commands.bring import SAID, options, pairs
from lib.tools.commands.results import out_option

if TYPE_CHECKING:  # every command imports this module; the others need no pandas
    import pandas as pd

    from lib.analysis.asking import Answer

NOTEBOOK = "00_did_the_goal_hold"
"""The notebook whose page answers such a question at length."""

OF_TABLES = ("unit", "column", "rows", "fiscal", "fiscal_label", "freq", "year", "decimal", "sheet")
"""What a file may not say, as `data import` asks for it."""

EXAMPLES = """
\b
Examples
  tradegoals ask "Harbin Russia total +25% 2012-2015" --as-of 2014-04-15
  tradegoals ask "trade of China with Russia to double by 2030"
  tradegoals ask mine.xlsx "+10 % a year" --base 2022 --deadline 2027
  tradegoals ask "Harbin Russia +25% 2012-2015" --json    every number as a field; --schema describes them
"""


@click.command("ask", epilog=EXAMPLES, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, metavar="[FILE] QUESTION")
@click.option("--base", type=int, metavar="YEAR", help="Base [default: the last known year].")
@click.option("--deadline", type=int, metavar="YEAR", help="The last year that counts.")
@click.option("--as-of", metavar="DAY", help="Use only what had been published by this day [default: today].")
@click.option("--reporter", help="Whose trade; in a file of several, which.")
@click.option("--partner", help="With whom.")
@click.option("--flow", help="total, export or import.")
@click.option("--currency", help="Of a flow on record [default: USD].")
@options({name: SAID[name] for name in OF_TABLES})
@click.option(
    "--reading",
    type=click.Choice(["average", "every_year", "mean_of_rates"]),
    default="average",
    show_default=True,
    help="The reading in which the goal was stated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every number as a field.")
@click.option("--csv", type=click.Path(path_type=Path), help="Write the fan; - for the terminal.")
@click.option("--page", is_flag=True, help="Write the page, too, as `run` does.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of --json and stop.")
@out_option
def ask_command(
    words: tuple[str, ...], as_json: bool, csv: Path | None, page: bool, schema: bool, out: Path, **given: Any
) -> None:
    """Judge a goal in people's words: of a flow on record, or of the table in FILE.

    What was understood is printed first; what could mean two things is asked back.
    """
    from lib.analysis import asking
    from lib.research.files import write_atomically

    if schema:
        click.echo(json.dumps(asking.AnswerRecord.model_json_schema(), ensure_ascii=False, indent=1))
        return
    file, question = _split(words)
    if not question:
        raise UserError('ask: found no question, expected such as "Harbin Russia total +25% 2012-2015"')
    if file is None:
        if extra := [name for name in OF_TABLES if given.pop(name)]:
            raise UserError(f"--{extra[0]}: found it without a file, expected it with one")
        answer = asking.ask(question, **given)
    else:
        answer = _of_file(file, question, given)
    if as_json:
        click.echo(json.dumps(answer.to_dict(), ensure_ascii=False, indent=1))
    elif csv is None or str(csv) != "-":
        click.echo(str(answer))
    if csv is not None:
        fan = answer.quantiles().to_csv(lineterminator="\n")
        if str(csv) == "-":
            click.echo(fan, nl=False)
        else:
            write_atomically(csv, fan)
            click.echo(f"wrote the fan to {csv}", err=True)
    if file is None:
        _page(answer, out, page, quiet=as_json or csv is not None)
    elif page:
        first = f"first: tradegoals data import {file}"
        raise UserError(f"--page: needs the figures in the collection; {first}")


def _split(words: tuple[str, ...]) -> tuple[Path | None, str]:
    """The file, where the first word is one, and the question."""
    if unknown := [word for word in words if word.startswith("--")]:
        raise click.NoSuchOption(unknown[0])
    first = Path(*words[:1])
    is_file = first.is_file() or re.fullmatch(r"\.[a-z]{3,4}", first.suffix.lower())
    return (first, " ".join(words[1:])) if is_file else (None, " ".join(words))


def _of_file(path: Path, question: str, given: dict[str, Any]) -> "Answer":
    """The answer for the table of a file: what the import would read of it, nothing written."""
    from lib.analysis import asking
    from lib.analysis.question import read_question
    from lib.spoken import read_flow

    stated = read_question(question).stated
    names = {name: given.pop(name) or stated.get(name) for name in ("reporter", "partner", "flow")}
    names["flow"] = names["flow"] and read_flow(names["flow"])
    said = {name: given.pop(name) for name in OF_TABLES}
    said["rows"] = pairs(said["rows"])
    found, missing = _proposed(path, names | said)
    for note in [*found.notes, *(f"{name}: {told}" for name, told in missing.items())]:
        click.echo(f"note: {note}", err=True)
    rows = _one_flow(found, names | {"currency": given["currency"] or stated.get("currency")})
    currency = str(rows["currency"].iloc[0])
    named: dict[str, Any] = {name: str(rows[name].iloc[0]) for name in names if name not in missing}
    named = {"reporter": path.stem} | given | named | {"currency": currency}
    return asking.ask(_by_year(rows), goal=question, **named)


def _proposed(path: Path, given: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    """What the import would read, and what stands for names that neither table nor options give: the answer needs none."""
    from lib.tools.sources import proposal

    stand_in = {
        "reporter": (path.stem, "the file's name"),
        "partner": ("World", "none named, taken as one; --partner World for all"),
        "flow": ("total", "none named"),
    }
    try:
        return proposal.propose(path, **given), {}
    except proposal.UnclearError as error:
        asked = error.questions
        missing = {name: told for name, (_, told) in stand_in.items() if name in asked and not given[name]}
        if rest := [
            f"{path}: {name}: {words}; give it with --{name.replace('_', '-')}"
            for name, words in asked.items()
            if name not in missing
        ]:
            raise UserError("\n".join(rest)) from None
    return proposal.propose(path, **given | {name: stand_in[name][0] for name in missing}), missing


def _one_flow(found: Any, names: dict[str, str | None]) -> "pd.DataFrame":
    """The whole years of one flow of a table, sums of months and of both flows too; of several an option says which."""
    from dataclasses import replace

    from lib.spoken import read_place
    from lib.tools.sources import observations

    rows, _ = observations.with_totals(observations.with_years(found.rows))
    rows = replace(found, rows=rows).observations
    rows = rows[rows["freq"] == "A"]
    whole = rows["period"].str.fullmatch("[0-9]{4}")
    rows = rows[whole] if whole.any() else rows
    if rows.empty:
        raise UserError("ask: found no whole year in the table, expected a level a year")
    for name in names:
        there, wanted = sorted(rows[name].unique()), names.get(name)
        if wanted is None and len(there) > 1 and not (name == "flow" and "total" in there):
            raise UserError(f"--{name}: found none, expected one of: {', '.join(there)}")
        chosen = wanted or ("total" if name == "flow" and "total" in there else there[0])
        if chosen not in there and (chosen := read_place(chosen)) not in there:
            raise UserError(f"--{name}: found {wanted}, expected one of: {', '.join(there)}")
        rows = rows[rows[name] == chosen]
    return rows


def _by_year(rows: "pd.DataFrame") -> "pd.Series":
    """Levels by year; fiscal years as periods that end with their month."""
    import pandas as pd

    ends = rows["period"].str.partition("..")[2]
    if (ends == "").all():
        return rows.set_index(rows["period"].astype(int))["value_mn"]
    month = pd.Period(ends.iloc[0], freq="M").strftime("%b").upper()
    return pd.Series(rows["value_mn"].to_numpy(), pd.PeriodIndex(ends.str[:4], freq=f"Y-{month}"))


def _page(answer: "Answer", out: Path, wanted: bool, quiet: bool) -> None:
    """Say where the page of the question is, or write it."""
    from lib.tools.run import matrix
    from lib.tools.run.freshness import PAGE

    run = matrix.make_run(NOTEBOOK, answer.case.model_dump(mode="json"))
    path = run.folder(out) / PAGE
    if wanted:
        from lib.tools.commands.run import execute_one

        outcome = execute_one(run, out)
        if outcome.error:
            raise UserError(f"--page: {outcome.error}")
    if not quiet or wanted:
        click.echo(f"\npage: {path}" + ("" if path.exists() else " (--page writes it)"), err=quiet)
