"""One more row of figures.csv: its key, its place, what is wrong with it, and what speaks against it.

Two vintages of the figures: what was added, removed and changed between files, git revisions or days.
"""

import csv
import io
import re
import subprocess
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib import fetched
from lib import figures as fig
from lib.analysis import plausibility
from lib.errors import Fault, UserError, list_faults, printable, quote, read_bytes
from lib.package import data_dir, describe, read_package
from lib.research.files import editing, measure, working_file, write_tables
from lib.tables import check_table, give_types, is_date, read_table
from lib.tools import figure_ids

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
    beginning = figure_ids.stem(row["reporter"], row["partner"], row["flow"], start, end)
    taken = {one["figure_id"] for one in read_rows("figures")}
    return row | {"figure_id": figure_ids.next_id(beginning, taken)}


def read_rows(table: str) -> list[Row]:
    """The rows of a table as text, in the order of the file."""
    text = read_bytes(data_dir() / describe(table)["path"]).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def countries_to_add(row: Row) -> list[Row]:
    """Rows that reporters.csv needs for the reporter and partner of a figure: countries that it does not have."""
    rows = read_rows("reporters")
    known, pair = {one["name"] for one in rows}, dict.fromkeys((row["reporter"], row["partner"]))
    return [_country_row(name, figure_ids.codes()[name]) for name in pair if name not in known]


def faults(row: Row, countries: list[Row]) -> list[Fault]:
    """What is wrong with a row, or with the table once it is in there; the file of the row's own is "new figure"."""
    place, text = _inserted("figures", row, ORDER)
    with working_file(data_dir() / "figures.csv") as draft:
        draft.write_text(text, encoding="utf-8")
        found = check_table("figures", draft, [fig.check_figure])[1]
    named = {quote(one["name"]) for one in countries}  # these will be known
    above = to_text([*read_rows("figures")[:place], row]).removesuffix(to_text([row]).partition("\n")[2])
    line = above.count("\n") + 1
    found = [one for one in found if not (one.column in ("reporter", "partner") and one.found in named)]
    own = {"file": "new figure", "line": 2}
    return [one._replace(**own if one.line == line else {"file": "figures.csv"}) for one in found]


def warnings(row: Row) -> list[str]:
    """What speaks against a row: figures of the same period, and every rule that doubts it or others because of it."""
    curated = fig.load_figures()
    same = _of_period(curated, _typed_row(row).iloc[0])
    lines = [
        f"already there for this period: {one.figure_id}, {one.value:g} {one.unit}, {one.publisher}"
        + (" (the same address)" if one.url and one.url == row["url"] else "")
        for one in same.itertuples()
    ]
    for flag in _new_flags(row, curated).itertuples():
        against = f" (against {flag.against})" if flag.against else ""
        lines.append(f"{flag.rule}: {flag.figure_id}: found {flag.found}, expected {flag.expected}{against}")
    return lines


def _of_period(rows: pd.DataFrame, figure: Any) -> pd.DataFrame:
    """The rows of the flow and period of a figure."""
    keys = ("reporter", "partner", "flow", "period_start", "period_end")
    return rows[np.logical_and.reduce([rows[name] == figure[name] for name in keys])]


def _typed_row(row: Row) -> pd.DataFrame:
    """A row of figures.csv as `lib.figures.load_figures` would give it."""
    text = pd.DataFrame([row], index=pd.Index([0], name="line"), dtype="str")
    return fig.derive(give_types(text, describe("figures")["schema"]["fields"]))


def _new_flags(row: Row, curated: pd.DataFrame) -> pd.DataFrame:
    """The flags of `lib.analysis.plausibility` that a row brings, on itself and on others."""
    parents = fig.parents()
    family = {row["reporter"], row["partner"], *_related(row["reporter"], parents)}
    near = curated[curated["reporter"].isin(family)]
    rates = fig.covariate("cny_per_usd")
    after = plausibility.find_flags(pd.concat([near, _typed_row(row)], ignore_index=True), rates, parents)
    before = plausibility.find_flags(near, rates, parents)
    known = set(zip(before["rule"], before["figure_id"], strict=True))
    new = [pair not in known for pair in zip(after["rule"], after["figure_id"], strict=True)]
    return after[new]


MOST_PAIRS = 100_000
"""Pairs of figures of one flow that the rules compare, half a second; of more, the flows with the largest jumps."""

MOST_ROWS = 2_000
"""Figures of a reporter of which months are looked at, too."""


def fetched_figures() -> list[pd.DataFrame]:
    """All figures that were fetched or imported, a frame a reporter."""
    return [] if fetched.is_left_out() else [fetched.read_file(path) for path in fetched.files()]


def doubts(parts: list[pd.DataFrame], of: Collection[str] | None = None) -> tuple[pd.DataFrame, int]:
    """The flags on fetched or imported figures, beside the record, and how many figures were looked at.

    Parameters
    ----------
    parts : rows of files of `lib.fetched`, one reporter each.
    of : keys of the figures that matter; all by default.
    """
    curated, rates, parents = fig.load_figures(), fig.covariate("cny_per_usd"), fig.parents()
    found, seen, left = [pd.DataFrame(columns=plausibility.COLUMNS)], 0, MOST_PAIRS
    of = None if of is None else set(of)
    for part in parts:
        own = part if of is None else part[part["figure_id"].isin(of)]
        rows = part[part["partner"].isin(own["partner"].unique())]
        if len(rows) > MOST_ROWS:  # months are in their years
            rows = rows[(rows["period_end"] - rows["period_start"]).dt.days > 360]
        size = rows.groupby(["partner", "flow"])["value"].transform("size")
        order = size[_jumps(rows).sort_values(ascending=False, kind="stable").index]
        rows = rows.loc[sorted(order.index[order.cumsum() <= left])].reset_index(drop=True)
        left -= int(order[order.cumsum() <= left].sum())
        if rows.empty:
            continue
        asked = rows.loc[rows.index.isin(own.index), "figure_id"]
        seen += len(asked)
        reporter = str(part["reporter"].iloc[0])
        family = {reporter, *_related(reporter, parents)}
        near = curated[curated["reporter"].isin(family) & curated["partner"].isin(rows["partner"])]
        both = pd.concat([near, fetched.with_derived(rows)[near.columns]], ignore_index=True)
        flags = plausibility.find_flags(both, rates, parents)
        found.append(flags[flags["figure_id"].isin(asked)])
    return pd.concat(found[bool(found[1:]) :], ignore_index=True), seen


def _jumps(rows: pd.DataFrame) -> pd.Series:
    """By row, the largest jump within its flow and length of period: where to look first, if not everywhere."""
    length = (rows["period_end"] - rows["period_start"]).dt.days // 20
    keys = [rows["partner"], rows["flow"], rows["unit"], length]
    log = np.log(rows["value"].where(rows["value"] > 0))
    step = log.groupby(keys).diff().abs().fillna(0)
    return step.groupby([rows["partner"], rows["flow"]]).transform("max")


def beside(parts: list[pd.DataFrame], most: int) -> tuple[pd.DataFrame, list[str]]:
    """The first of new figures, and what is known of each already: the last level of its period in its currency."""
    rows = pd.concat([part.head(most) for part in parts], ignore_index=True).head(most)
    known, words = fig.load_figures(), []
    for _, row in rows.iterrows():
        same = _of_period(fetched.beside(known, row["reporter"]), row)
        same = same[same["level_usable"] & (same["unit"].str[:3] == row["unit"][:3])]
        last = same.sort_values("known_from").tail(1)
        words += [f"{one.value:,.10g} {one.unit} ({one.figure_id})" for one in last.itertuples()] or [""]
    return rows, words


def place_rows(name: str, kind: str, parent: str) -> list[Row]:
    """Rows that reporters.csv needs for a new place and the country it lies in.

    Raises
    ------
    UserError
        For a kind that there is none of, or a place above it that is not known.
    """
    known, codes = {one["name"] for one in read_rows("reporters")}, figure_ids.codes()
    if name in known:
        return []
    fields = {field["name"]: field for field in describe("reporters")["schema"]["fields"]}
    if kind not in (kinds := fields["kind"]["constraints"]["enum"]):
        raise UserError(f"--place: found the kind {quote(kind)}, expected one of: {', '.join(kinds)}")
    if parent and parent not in codes:
        expected = f"a place that is known, of which {name} is a part"
        raise UserError(f"--place: found {quote(parent)}, expected {expected}")
    above = [_country_row(parent, codes[parent])] if parent and parent not in known else []
    code = _new_code(name, {*codes.values()})
    return [*above, dict.fromkeys(fields, "") | {"name": name, "code": code, "kind": kind, "parent": parent}]


def _country_row(name: str, code: str) -> Row:
    return {"name": name, "code": code, "kind": "country", "parent": "", "note": "", "other_names": ""}


def _new_code(name: str, taken: set[str]) -> str:
    """The first letters of a name that are no code yet, three or more."""
    letters = re.sub("[^A-Z]", "", unicodedata.normalize("NFKD", name).upper()) or "X"
    numbered = (f"{letters[:3]}{number}" for number in count(2))
    codes = chain((letters[:size] for size in range(3, len(letters) + 1)), numbered)
    return next(code for code in codes if code not in taken)


def add_places(rows: list[Row]) -> None:
    """Write rows of reporters.csv in their places, and its checksum."""
    with editing():
        write_tables(_with_reporters(rows))


def _related(reporter: str, parents: dict[str, str]) -> set[str]:
    return {parents.get(reporter, "")} | {name for name, above in parents.items() if above == reporter}


def add(row: Row) -> Row:
    """Write a row, with the next free key, and the countries that it needs, in their places, and the checksums.

    Returns
    -------
    The row as written: somebody else may have taken its key in the meantime.

    Raises
    ------
    UserError
        Where the row has faults, or a table differs from its checksum; nothing is then written.
    """
    with editing():
        row = make_row(row)
        countries = countries_to_add(row)
        if found := faults(row, countries):
            raise UserError(list_faults(found))
        contents = {describe("figures")["path"]: _inserted("figures", row, ORDER)[1].encode()}
        if countries:
            contents |= _with_reporters(countries)
        write_tables(contents)
    return row


def _with_reporters(rows: list[Row]) -> dict[str, bytes]:
    """reporters.csv with more rows, in order, by its path."""
    known = sorted([*read_rows("reporters"), *rows], key=lambda one: one["name"])
    return {describe("reporters")["path"]: to_text(known).encode()}


def _inserted(table: str, row: Row, order: list[str]) -> tuple[int, str]:
    """The place of one more row, behind those that come before it or are its equals, and the table with it."""
    rows = read_rows(table)
    key = [row[name] for name in order]
    place = sum([one[name] for name in order] <= key for one in rows)
    return place, to_text([*rows[:place], row, *rows[place:]])


def to_text(rows: list[Row]) -> str:
    """Rows as the files are written: commas, quotes only where needed, plain line ends."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@dataclass(frozen=True)
class Difference:
    """Figures that one vintage has and the other not, and those of one key that differ.

    Parameters
    ----------
    added, removed : rows of the later and of the earlier vintage.
    changed : figure_id, column, before and after (text), a row for each field.
    """

    added: pd.DataFrame
    removed: pd.DataFrame
    changed: pd.DataFrame


def read_vintage(name: str) -> pd.DataFrame:
    """The figures of a vintage, as `lib.figures.load_figures` gives them.

    Parameters
    ----------
    name : "now"; a day (YYYY-MM-DD), for what had been published by then; a file in the form of figures.csv, or a folder
        that holds one; or a git revision, such as HEAD~1.

    Raises
    ------
    UserError
        Where it is none of these, or its figures have faults.
    """
    if name == "now":
        return everything()
    if is_date(name):
        return fig.as_of(everything(), name).reset_index(drop=True)
    path = Path(name) / "figures.csv" if Path(name).is_dir() else Path(name)
    return fig.load_figures(path) if path.is_file() else _of_revision(name)


def everything() -> pd.DataFrame:
    """The curated figures and all that was fetched."""
    curated = fig.load_figures()
    parts = [fetched.with_derived(fetched.read_file(path)) for path in fetched.files()]
    return pd.concat([curated, *(part[curated.columns] for part in parts)], ignore_index=True)


def _of_revision(name: str) -> pd.DataFrame:
    """Figures of a git revision; names of reporters are held against today's."""
    content = None if name.startswith("-") else committed(describe("figures")["path"], name)
    if content is None:
        raise UserError(f"vintage: found {quote(name)}, expected {EXPECTED}")
    with working_file(data_dir() / "figures.csv") as draft:
        draft.write_bytes(content)
        return fig.derive(read_table("figures", draft))


def committed(path: str, revision: str = "HEAD") -> bytes | None:
    """A file of the data in a git revision; None where there is no git, no repository or no such file."""
    command = ["git", "-C", str(data_dir()), "show", f"{revision}:./{path}"]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


MOST_SHOWN = 20


def altered() -> dict[str, list[str]]:
    """By name of each table that differs from its checksum, how it differs from the last commit, a line a field."""
    found = {}
    for resource in read_package()["resources"]:
        if measure(data_dir() / resource["path"]) != (resource["bytes"], resource["hash"]):
            lines = _altered_rows(resource)
            more = [f"… and {len(lines) - MOST_SHOWN} more"] * (len(lines) > MOST_SHOWN)
            found[resource["name"]] = lines[:MOST_SHOWN] + more
    return found


def _altered_rows(resource: dict[str, Any]) -> list[str]:
    """What differs in one file: "+ key", "- key", "~ key: column: before → after"."""
    before, now = committed(resource["path"]), read_bytes(data_dir() / resource["path"])
    if before is None:
        return ["no commit to compare it with"]
    if before == now:
        return ["the same as in the last commit, which has another checksum for it"]
    if resource["format"] != "csv":
        return [f"{len(now):,} bytes, other than the {len(before):,} of the last commit"]
    key = resource["schema"]["primaryKey"]
    old, new = (_by_key(content, [key] if isinstance(key, str) else key) for content in (before, now))
    added = {name: ", ".join(filter(None, map(str, row.values()))) for name, row in new.items()}
    lines = [f"- {name}" for name in old if name not in new]
    lines += [f"+ {name}: {words}" for name, words in added.items() if name not in old]
    lines += [
        f"~ {name}: {column}: {quote(str(row.get(column)))} → {quote(str(text))}"
        for name, row in old.items()
        for column, text in new.get(name, row).items()
        if row.get(column) != text
    ]
    return lines or ["the same rows, written otherwise"]


def _by_key(content: bytes, key: list[str]) -> dict[str, dict[str, Any]]:
    """The rows of a table as text, faulty ones too, by the fields of its key; a key's second row counts by number."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8", "replace"), newline=""))
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 2):
        name = printable(" ".join(str(row.get(part)) for part in key))
        found[f"{name} (line {number})" if name in found else name] = row
    return found


EXPECTED = 'a day (YYYY-MM-DD), a file or folder with figures, a git revision, or "now"'


def compare(before: pd.DataFrame, after: pd.DataFrame) -> Difference:
    """What differs between two vintages, by key."""
    columns = [field["name"] for field in describe("figures")["schema"]["fields"]]
    old, new = (_as_text(rows[columns]) for rows in (before, after))
    both = new.index.intersection(old.index)
    one, other = old.loc[both], new.loc[both]
    rows, places = (one != other).to_numpy().nonzero()
    sides = {name: side.to_numpy()[rows, places] for name, side in (("before", one), ("after", other))}
    changed = pd.DataFrame({"figure_id": both[rows], "column": one.columns[places], **sides}, dtype="str")
    added, removed = after[~after["figure_id"].isin(old.index)], before[~before["figure_id"].isin(new.index)]
    return Difference(added, removed, changed)


def _as_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Every field as text, by key; numbers so that equal ones are equal texts."""
    texts = rows.set_index("figure_id")
    for name in texts:
        column = texts[name]
        if pd.api.types.is_numeric_dtype(column):
            column = column.map("{:.12g}".format).where(column.notna(), "")
        elif pd.api.types.is_datetime64_any_dtype(column):
            column = column.dt.strftime("%Y-%m-%d")
        texts[name] = column.fillna("").astype("str")
    return texts


def replaced(added: pd.DataFrame, before: pd.DataFrame) -> pd.Series:
    """By index of `added`: the earlier print of the same publisher for the same flow and period; "" without one."""
    keys = ["reporter", "partner", "flow", "period_start", "period_end", "unit", "publisher"]
    last = before.drop_duplicates(keys, keep="last").set_index(keys)
    level = last["value"].map("{:g}".format).astype("str") + " " + last.index.get_level_values("unit")
    words = (last["figure_id"] + ", " + level).rename("words")
    return added[keys].join(words, on=keys)["words"].fillna("")
