"""The command `data add`: one figure, by options or asked for, checked and put in its place."""

import sys
from typing import Any

import click

from lib.errors import UserError

ASKED = {
    "reporter": "whose trade (a name of reporters.csv, or a country)",
    "partner": "with whom",
    "flow": "total, export or import",
    "period": "a year (2013), a month (2013-05), or first..last (2013-01..2013-10)",
    "value": "the number as printed, in the unit below; blank where only growth was printed",
    "unit": "USD bn, USD mn, CNY bn or CNY mn (亿 is 0.1 bn, 万 is 0.01 mn)",
    "yoy_pct": "growth on the same period a year before, per cent, as printed; blank without",
    "published": "day, month or year of the text; blank where it is undated",
    "publisher": 'who printed it, and after "citing" whose figure it is',
    "authority": "customs, statistics, government, press or unstated",
    "url": "address of the page that was read",
    "status": "what the number is good for",
    "note": "what a reader must know; blank without",
}
"""What a user gives, in the order in which it is asked for."""
MAY_BE_BLANK = ("value", "yoy_pct", "published", "note")
DEFAULTS = {"flow": "total", "status": "ok"}


def _options(command: Any) -> Any:
    for name, meaning in reversed(ASKED.items()):
        command = click.option(
            f"--{name.replace('_', '-')}", name, help=meaning[0].upper() + meaning[1:] + "."
        )(command)
    return command


@click.command()
@_options
@click.option("--yes", is_flag=True, help="Write without asking, also where something speaks against it.")
def add(yes: bool, **given: str | None) -> None:
    """Add one figure to figures.csv: what no option gives is asked for.

    Faults are refused. What speaks against the figure, by the figures beside it, is printed before you are asked
    whether to write it.
    """
    from lib.curation import additions
    from lib.faults import list_faults

    values = _complete(given)
    start, end = additions.read_period(values.pop("period"))
    row = additions.make_row(values | {"period_start": start, "period_end": end})
    countries = additions.countries_to_add(row)
    if faults := additions.faults(row, countries):
        raise UserError(list_faults(faults))
    warnings = additions.warnings(row)
    click.echo(", ".join(text for text in row.values() if text))
    for country in countries:
        click.echo(f"reporters.csv gets a row: {country['name']}, {country['code']}")
    for warning in warnings:
        click.echo(f"look: {warning}")
    if yes or click.confirm("Write it?"):
        additions.add(row, countries)
        click.echo(f"wrote {row['figure_id']} to data/figures.csv")


def _complete(given: dict[str, str | None]) -> dict[str, str]:
    """What was given, the rest asked for at a terminal; without one, what must not be blank is an error."""
    if _is_terminal():
        return {name: _ask(name, given[name]) for name in ASKED}
    missing = [
        f"--{name.replace('_', '-')}"
        for name in ASKED
        if given[name] is None and name not in MAY_BE_BLANK and name not in DEFAULTS
    ]
    if missing:
        raise UserError(f"data add: found no {', '.join(missing)}, expected them where nobody can be asked")
    return {name: (given[name] or DEFAULTS.get(name, "")).strip() for name in ASKED}


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask(name: str, value: str | None) -> str:
    if value is None:
        click.echo(f"{name}: {ASKED[name]}")
        value = click.prompt(name, default=DEFAULTS.get(name, "" if name in MAY_BE_BLANK else None))
    return value.strip()
