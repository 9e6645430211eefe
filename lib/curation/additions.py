"""One more row of figures.csv: its key, its place, what is wrong with it, and what speaks against it."""

import csv
import io
import re
from typing import Any

import pandas as pd

from lib import figures as fig
from lib import plausibility
from lib.errors import UserError
from lib.execution.locks import locked
from lib.faults import Fault, list_faults, quote, read_bytes
from lib.figure_ids import next_id, stem
from lib.files import working_file, write_atomically
from lib.package import data_dir, describe, refresh_checksums
from lib.tables import check_table

ORDER = ["reporter", "partner", "flow", "period_start", "period_end", "unit", "published", "publisher"]
"""The order of the rows, so that an addition is one line of a diff."""
PERIOD_SHAPES = "a year (2013), a month (2013-05), or first and last (2013-01..2013-10, or days)"
DAY, MONTH = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII), re.compile(r"\d{4}(-\d\d)?", re.ASCII)

Row = dict[str, str]


def read_period(text: str) -> tuple[str, str]:
    """First and last day of a period as a user writes it: "2013", "2013-05", "2013-01..2013-10"."""
    first, _, last = text.strip().partition("..")
    try:
        return _day(first, "start_time"), _day(last or first, "end_time")
    except ValueError:
        raise UserError(f"period: found {quote(text)}, expected {PERIOD_SHAPES}") from None


def _day(text: str, side: str) -> str:
    if DAY.fullmatch(text):
        return pd.Timestamp(text).date().isoformat()
    if not MONTH.fullmatch(text):
        raise ValueError(text)
    return getattr(pd.Period(text), side).date().isoformat()


def make_row(values: Row) -> Row:
    """A row with every column of figures.csv and a new key, from what a user gave."""
    row = {field["name"]: "" for field in describe("figures")["schema"]["fields"]} | values
    start, end = (pd.Timestamp(row[name]) for name in ("period_start", "period_end"))
    beginning = stem(row["reporter"], row["partner"], row["flow"], start, end)
    taken = {one["figure_id"] for one in read_rows("figures")}
    return row | {"figure_id": next_id(beginning, taken)}


def read_rows(table: str) -> list[Row]:
    """The rows of a table as text, in the order of the file."""
    text = read_bytes(data_dir() / describe(table)["path"]).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def countries_to_add(row: Row) -> list[Row]:
    """Rows that reporters.csv needs for the reporter and partner of a figure: countries that it does not have."""
    from lib.figure_ids import codes

    known = {one["name"] for one in read_rows("reporters")}
    missing = [name for name in dict.fromkeys((row["reporter"], row["partner"])) if name not in known]
    return [
        {"name": name, "code": codes()[name], "kind": "country", "parent": "", "note": ""} for name in missing
    ]


def faults(row: Row, countries: list[Row]) -> list[Fault]:
    """What is wrong with a row, by the rules of its table; the name of the file is that of the new row."""
    with working_file(data_dir() / "figures.csv") as draft:
        draft.write_text(to_text([row]), encoding="utf-8")
        found = check_table("figures", draft, [fig.check_figure])[1]
    named = {quote(one["name"]) for one in countries}  # these will be known
    return [
        fault._replace(file="new figure")
        for fault in found
        if not (fault.column in ("reporter", "partner") and fault.found in named)
    ]


def warnings(row: Row) -> list[str]:
    """What speaks against a row: figures of the same period, and every rule that doubts it or others because of it."""
    curated = fig.load_figures()
    flow = curated[(curated["reporter"] == row["reporter"]) & (curated["partner"] == row["partner"])]
    same = flow[
        (flow["flow"] == row["flow"])
        & (flow["period_start"] == pd.Timestamp(row["period_start"]))
        & (flow["period_end"] == pd.Timestamp(row["period_end"]))
    ]
    lines = [
        f"already there for this period: {one.figure_id}, {one.value:g} {one.unit}, {one.publisher}"
        + (" (the same address)" if one.url and one.url == row["url"] else "")
        for one in same.itertuples()
    ]
    return lines + [f"{flag.rule}: {_flag_in_words(flag)}" for flag in new_flags(row, curated).itertuples()]


def _flag_in_words(flag: Any) -> str:
    against = f" (against {flag.against})" if flag.against else ""
    return f"{flag.figure_id}: found {flag.found}, expected {flag.expected}{against}"


def new_flags(row: Row, curated: pd.DataFrame) -> pd.DataFrame:
    """The flags of `lib.plausibility` that a row brings, on itself and on others."""
    parents = fig.parents()
    family = {row["reporter"], row["partner"], *_related(row["reporter"], parents)}
    near = curated[curated["reporter"].isin(family)]
    typed = fig.derive(as_typed(row))
    rates = fig.covariate("cny_per_usd")
    after = plausibility.find_flags(pd.concat([near, typed], ignore_index=True), rates, parents)
    before = plausibility.find_flags(near, rates, parents)
    known = set(zip(before["rule"], before["figure_id"], strict=True))
    new = [pair not in known for pair in zip(after["rule"], after["figure_id"], strict=True)]
    return after[new]


def _related(reporter: str, parents: dict[str, str]) -> set[str]:
    return {parents.get(reporter, "")} | {name for name, above in parents.items() if above == reporter}


def as_typed(row: Row) -> pd.DataFrame:
    """A checked row as `lib.tables.read_table` gives rows."""
    from lib.tables import give_types

    text = pd.DataFrame([row], index=pd.Index([0], name="line"), dtype="str")
    return give_types(text, describe("figures")["schema"]["fields"])


def add(row: Row, countries: list[Row]) -> None:
    """Write a checked row, and the countries that it needs, in their places, and renew the checksums.

    Raises
    ------
    UserError
        Where the row has faults; nothing is then written.
    """
    with locked(data_dir()):
        if found := faults(row, countries):
            raise UserError(list_faults(found))
        for one in countries:
            _insert("reporters", one, ["name"])
        _insert("figures", row, ORDER)
        refresh_checksums("reporters.csv")
        refresh_checksums("figures.csv")


def _insert(table: str, row: Row, order: list[str]) -> None:
    """Write a table with one more row, behind the rows that come before it or are its equals."""
    rows = read_rows(table)
    key = [row[name] for name in order]
    place = sum([one[name] for name in order] <= key for one in rows)
    write_atomically(data_dir() / describe(table)["path"], to_text([*rows[:place], row, *rows[place:]]))


def to_text(rows: list[Row]) -> str:
    """Rows as the files are written: commas, quotes only where needed, plain line ends."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
