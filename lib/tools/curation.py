"""One more row of figures.csv: its key, its place, what is wrong with it, and what speaks against it.

Two vintages of the figures: what was added, removed and changed between files, git revisions or days.
"""

import csv
import io
import re
import subprocess
import unicodedata
from collections.abc import Iterable
from functools import lru_cache, reduce
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib import fetched
from lib import figures as fig
from lib.analysis import plausibility
from lib.economies import economies
from lib.errors import UserError, list_faults, nearest, printable, quote, read_bytes
from lib.package import data_dir, describe, read_package
from lib.research.files import editing, measure, working_file, write_tables
from lib.tables import check_table, give_types, is_date, read_table

ORDER = ["reporter", "partner", "flow", "period_start", "period_end", "unit", "published", "publisher"]
"""The order of the rows, so that an addition is one line of a diff."""

SHAPE = re.compile(r"\d{4}(-Q[1-4]|(-\d\d){0,2})", re.ASCII)

Row = dict[str, str]


@lru_cache(maxsize=10_000)
def read_period(text: str) -> tuple[str, str]:
    """First and last day of a period as a user writes it: "2013", "2013-05", "2013-01..2013-10"."""
    first, _, last = text.strip().partition("..")
    try:
        start, end = (pd.Period(SHAPE.fullmatch(side)[0]) for side in (first, last or first))  # type: ignore[index]
    except (ValueError, TypeError):  # no such day; not of this shape
        shapes = "a year (2013), a quarter (2013-Q2), a month (2013-05), or first and last (2013-01..2013-10)"
        raise UserError(f"period: found {quote(text)}, expected {shapes}") from None
    return start.start_time.date().isoformat(), end.end_time.date().isoformat()


# --- the key of a figure: who with whom, flow, period, and a letter in the order of publication ---


def codes() -> dict[str, str]:
    """Code of every name that a figure may have as reporter or partner: the table's own first, then countries."""
    table = fig.load_reporters()
    own = dict(zip(table["name"], table["code"], strict=True))
    taken = set(own.values())
    return {item.name: item.code for item in economies() if item.code and item.code not in taken} | own


def with_ids(rows: pd.DataFrame, taken: pd.Series, code: dict[str, str]) -> pd.DataFrame:
    """Figures with keys: HRB-RU-total-2013-a, of a live source IN-RU-total-2024-imf-a; the next letter for the next print."""
    if rows.empty:
        return rows
    by_period = rows.groupby(["period_start", "period_end"])["flow"]
    period = by_period.transform(lambda one: period_code(*one.name))
    stem = rows["reporter"].map(code) + "-" + rows["partner"].map(code) + "-" + rows["flow"] + "-" + period
    stem += "-" + rows["source"] if "source" in rows else ""
    prints = taken.str.extract(r"^(.*)-([a-z]+)$")
    # The place of the last letter, not how many there are: one in between may have been read anew.
    places = {text: reduce(lambda n, one: 26 * n + ord(one) - 96, text, 0) for text in prints[1].unique()}
    printed = prints[1].map(places).groupby(prints[0]).max()
    place = stem.map(printed).fillna(0).astype("int64") + stem.groupby(stem).cumcount()
    return rows.assign(figure_id=stem + "-" + place.map(_letter_of).astype("str"))


def period_code(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """A period as keys write it: 2013, 2023m03, 2023m01_m10, or full dates."""
    if start.day == 1 and end.is_month_end and start.year == end.year:
        if (start.month, end.month) == (1, 12):
            return f"{start.year}"
        last = "" if start.month == end.month else f"_m{end.month:02}"
        return f"{start.year}m{start.month:02}{last}"
    first, last = start.date().isoformat(), end.date().isoformat()
    return first if first == last else f"{first}_{last}"


def _letter_of(place: int) -> str:
    """The letter of a print of a number, counted from 0: a, …, z, aa, ab and so on."""
    before, last = divmod(place, 26)
    return (_letter_of(before - 1) if before else "") + "abcdefghijklmnopqrstuvwxyz"[last]


# --- one more row ---


def read_rows(table: str) -> list[Row]:
    """The rows of a table as text, in the order of the file."""
    content = read_bytes(data_dir() / describe(table)["path"])
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def prepare(values: Row) -> tuple[Row, list[Row]]:
    """A row for figures.csv under the next key of its period, and the countries that reporters.csv needs; refused with all its faults."""
    known, figures = codes(), read_rows("figures")
    for role in ("reporter", "partner"):
        if (name := values[role]) not in known:
            expected = f"{nearest(name, known)}; a new one needs a row in reporters.csv"
            raise UserError(f"{role}: found {quote(name)}, expected {expected}")
    days = {name: pd.Timestamp(values[name]) for name in ("period_start", "period_end")}
    taken = pd.Series([one["figure_id"] for one in figures])
    (key,) = with_ids(pd.DataFrame([values | days]), taken, known)["figure_id"]
    row = dict.fromkeys(figures[0], "") | values | {"figure_id": key}
    countries = _countries([row["reporter"], row["partner"]])
    with working_file(data_dir() / "figures.csv") as draft:
        draft.write_text(to_text([*figures, row]), encoding="utf-8")
        table, found = check_table("figures", draft, [fig.check_figure])
    named = {quote(one["name"]) for one in countries}  # these will be known
    found = [one for one in found if not (one.column in ("reporter", "partner") and one.found in named)]
    own = {"file": "new figure", "line": 2}
    if found := [
        one._replace(**own if one.line == table.index[-1] else {"file": "figures.csv"}) for one in found
    ]:
        raise UserError(list_faults(found))
    return row, countries


def _countries(names: list[str]) -> list[Row]:
    """Rows of the countries among some names that reporters.csv does not have."""
    known, coded = {one["name"] for one in read_rows("reporters")}, codes()
    new = [name for name in dict.fromkeys(names) if name and name not in known]
    return [{"name": name, "code": coded[name], "kind": "country"} for name in new]


def warnings(row: Row) -> tuple[list[str], pd.DataFrame]:
    """What speaks against a row: figures of the same period, and the flags that it raises, on itself or on others."""
    curated, rates, parents = fig.load_figures(), fig.covariate("cny_per_usd"), fig.parents()
    text = pd.DataFrame([row], index=pd.Index([0], name="line"), dtype="str")
    typed = fig.derive(give_types(text, describe("figures")["schema"]["fields"]))
    lines = [
        f"already there for this period: {one.figure_id}, {one.value:g} {one.unit}, {one.publisher}"
        + (" (the same address)" if one.url and one.url == row["url"] else "")
        for one in _of_period(curated, typed.iloc[0]).itertuples()
    ]
    near = curated[curated["reporter"].isin({row["partner"], *_family(row["reporter"], parents)})]
    both = pd.concat([near, typed], ignore_index=True)
    before, after = (plausibility.find_flags(rows, rates, parents) for rows in (near, both))
    known, flags = (pd.MultiIndex.from_frame(rows[["rule", "figure_id"]]) for rows in (before, after))
    return lines, after[~flags.isin(known)]


def _of_period(rows: pd.DataFrame, figure: Any) -> pd.DataFrame:
    """The rows of the flow and period of a figure."""
    keys = ["reporter", "partner", "flow", "period_start", "period_end"]
    return rows[np.logical_and.reduce([rows[key] == figure[key] for key in keys])]


def _family(reporter: str, parents: dict[str, str]) -> set[str]:
    """A place, the one it lies in, and those in it."""
    inside = (name for name, above in parents.items() if above == reporter)
    return {reporter, parents.get(reporter, ""), *inside}


MOST_PAIRS = 100_000
"""Pairs of figures of one flow that the rules compare, half a second; of more, the flows with the largest jumps."""


def doubts(parts: Iterable[tuple[pd.DataFrame, pd.DataFrame]]) -> tuple[pd.DataFrame, int]:
    """The flags on figures of `lib.fetched`, and how many were seen; a pair a reporter: all its rows, those asked about."""
    curated, rates, parents = fig.load_figures(), fig.covariate("cny_per_usd"), fig.parents()
    found, seen, left = [pd.DataFrame(columns=plausibility.COLUMNS)], 0, MOST_PAIRS
    for part, own in parts:
        rows = part[part["partner"].isin(own["partner"].unique())]
        if len(rows) > 2_000:  # months are in their years
            rows = rows[(rows["period_end"] - rows["period_start"]).dt.days > 360]
        size = rows.groupby(["partner", "flow"])["value"].transform("size")
        order = size[_jumps(rows).sort_values(ascending=False, kind="stable").index].cumsum()
        rows = rows[rows.index.isin(order.index[order <= left])]
        left -= int(size[rows.index].sum())
        if rows.empty:
            continue
        asked = rows.loc[rows["figure_id"].isin(own["figure_id"]), "figure_id"]
        seen += len(asked)
        family = curated["reporter"].isin(_family(str(part["reporter"].iloc[0]), parents))
        near = curated[family & curated["partner"].isin(rows["partner"])]
        both = pd.concat([near, fetched.with_derived(rows)[near.columns]], ignore_index=True)
        flags = plausibility.find_flags(both, rates, parents)
        found.append(flags[flags["figure_id"].isin(asked)])
    return pd.concat(found[bool(found[1:]) :], ignore_index=True), seen


def _jumps(rows: pd.DataFrame) -> pd.Series:
    """By row, the largest jump within its flow and length of period: where to look first, if not everywhere."""
    length = (rows["period_end"] - rows["period_start"]).dt.days // 20
    keys = [rows["partner"], rows["flow"], rows["unit"], length]
    step = np.log(rows["value"].where(rows["value"] > 0)).groupby(keys).diff().abs().fillna(0)
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
    """Rows that reporters.csv needs for a new place and the country it lies in; an unknown kind or place is refused."""
    known, coded = {one["name"] for one in read_rows("reporters")}, codes()
    if name in known:
        return []
    fields = {field["name"]: field for field in describe("reporters")["schema"]["fields"]}
    if kind not in (kinds := fields["kind"]["constraints"]["enum"]):
        raise UserError(f"--place: found the kind {quote(kind)}, expected one of: {', '.join(kinds)}")
    if parent and parent not in coded:
        expected = f"a place that is known, of which {name} is a part"
        raise UserError(f"--place: found {quote(parent)}, expected {expected}")
    # The first letters of a name that are no code yet, three or more.
    letters = re.sub("[^A-Z]", "", unicodedata.normalize("NFKD", name).upper()) or "X"
    free = (f"{letters[:size]}{'' if size <= len(letters) else size}" for size in count(3))
    code = next(code for code in free if code not in coded.values())
    return [*_countries([parent]), {"name": name, "code": code, "kind": kind, "parent": parent}]


def put(table: str, rows: list[Row]) -> None:
    """Write rows of a table in their places, every other to the letter as it is, and the checksum."""
    with editing():
        write_tables(_with_rows(table, rows))


def add(row: Row) -> Row:
    """Write a row, under the next key that is still free, and the countries that it needs; one with faults is refused."""
    with editing():
        row, countries = prepare(row)
        write_tables(_with_rows("figures", [row]) | (_with_rows("reporters", countries) if countries else {}))
    return row


def _with_rows(table: str, rows: list[Row]) -> dict[str, bytes]:
    """A table with more rows, or others of the same keys, in its order, by its path."""
    schema = describe(table)["schema"]
    names, blank = np.atleast_1d(schema["primaryKey"]), {field["name"]: "" for field in schema["fields"]}
    by_key = {tuple(row[name] for name in names): blank | row for row in (*read_rows(table), *rows)}
    order = ORDER if table == "figures" else names
    text = to_text(sorted(by_key.values(), key=lambda row: [row[name] for name in order]))
    return {describe(table)["path"]: text.encode()}


def to_text(rows: list[Row]) -> str:
    """Rows as the files are written: commas, quotes only where needed, plain line ends."""
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


Difference = tuple[pd.DataFrame, pd.DataFrame, list[tuple[str, str, str, str]]]
"""Rows of the later vintage alone, of the earlier alone, by key; and key, column, before, after of what differs."""


def read_vintage(name: str) -> pd.DataFrame:
    """The figures of "now", of a day (what was published by then), a file or folder, or a git revision, such as HEAD~1."""
    if name == "now" or is_date(name):
        curated = fig.load_figures()
        parts = [fetched.with_derived(fetched.read_file(path)) for path in fetched.files()]
        rows = pd.concat([curated, *(part[curated.columns] for part in parts)], ignore_index=True)
        return rows if name == "now" else fig.as_of(rows, name).reset_index(drop=True)
    path = Path(name) / "figures.csv" if Path(name).is_dir() else Path(name)
    if path.is_file():
        return fig.load_figures(path)
    content = None if name.startswith("-") else _committed(describe("figures")["path"], name)
    if content is None:
        expected = 'a day (YYYY-MM-DD), a file or folder with figures, a git revision, or "now"'
        raise UserError(f"vintage: found {quote(name)}, expected {expected}")
    with working_file(data_dir() / "figures.csv") as draft:
        draft.write_bytes(content)
        return fig.derive(read_table("figures", draft))


def _committed(path: str, revision: str = "HEAD") -> bytes | None:
    """A file of the data in a git revision; None where there is no git, no repository or no such file."""
    command = ["git", "-C", str(data_dir()), "show", f"{revision}:./{path}"]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def altered() -> dict[str, list[str]]:
    """By name of each table that differs from its checksum, how it differs from the last commit, a line a field."""
    found = {}
    for resource in read_package()["resources"]:
        if measure(read_bytes(data_dir() / resource["path"])) != (resource["bytes"], resource["hash"]):
            lines = _altered_rows(resource)
            found[resource["name"]] = lines[:20] + [f"… and {len(lines) - 20} more"] * (len(lines) > 20)
    return found


def _altered_rows(resource: dict[str, Any]) -> list[str]:
    """What differs in one file: "+ key", "- key", "~ key: column: before → after"."""
    before, now = _committed(resource["path"]), read_bytes(data_dir() / resource["path"])
    if before is None:
        return ["no commit to compare it with"]
    if resource["format"] != "csv":
        return [f"{len(now):,} bytes, in the last commit {len(before):,}"]
    try:
        added, removed, changed = compare(resource["name"], before, now)
    except ValueError as error:  # pandas finds no table in it
        return [printable(str(error).strip())]
    lines = [f"- {name}" for name in removed.index]
    lines += [printable(f"+ {name}: {', '.join(filter(None, row))}") for name, *row in added.itertuples()]
    lines += [f"~ {name}: {column}: {quote(old)} → {quote(new)}" for name, column, old, new in changed]
    return lines or ["the same rows as in the last commit"]


def compare(table: str, before: bytes, after: bytes) -> Difference:
    """What differs between two contents of a table, as text, by the fields of its key; a key's second row counts by number."""
    schema, sides = describe(table)["schema"], []
    for content in (before, after):
        rows = pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False, encoding_errors="replace")
        rows = rows.reindex(columns=[field["name"] for field in schema["fields"]]).fillna("")
        texts = rows[np.atleast_1d(schema["primaryKey"])].to_numpy()
        keys = pd.Series([printable(" ".join(key)) for key in texts], dtype="str")
        again = keys.groupby(keys).cumcount()
        sides.append(rows.set_index(keys.mask(again > 0, keys + " again " + again.astype("str"))))
    old, new = sides
    one, other = (side.loc[new.index.intersection(old.index)] for side in sides)
    rows, places = (one != other).to_numpy().nonzero()
    values = (side.to_numpy()[rows, places] for side in (one, other))
    changed = [*zip(one.index[rows], one.columns[places], *values, strict=True)]
    return new[~new.index.isin(old.index)], old[~old.index.isin(new.index)], changed
