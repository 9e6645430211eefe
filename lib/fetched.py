"""Figures that were fetched from a live source, beside the curated record and apart from it.

`data/figures.csv` is written by hand and committed. What `tradegoals data fetch` brings may be a million rows that
anybody can fetch again, so it lies in `data/fetched/`, one parquet file a reporter, and stays out of the repository
unless somebody adds it. A run opens the file of its reporter alone, there or not, so that a later fetch repeats the
runs that it concerns and no others. Nothing is overwritten: another value for a period is another row, published
on the day of its retrieval.
"""

import hashlib
import io
import os
import re
import shlex
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from lib import figures as fig
from lib.economies import known_names
from lib.errors import UserError, expect_plain, shown_path
from lib.package import FETCHED, KEPT_ONLY_ENV, data_dir, describe
from lib.tables import file_state

EXTRA = ("source", "snapshot")
"""Columns beside those of figures.csv: a name of `lib.tools.sources.publishers`, and the checksum of the answer."""

SEAL, UNSEALED = b"sha256_of_file", b"0" * 64
"""A key in the footer of a file, and what stands there while the checksum of the whole is computed."""

SERIES = ["partner", "flow", "period_start", "period_end", "unit", "source"]
"""What the vintages of one value have in common, within a reporter."""


def folder() -> Path:
    """The folder of the fetched figures, fetched/ in the data."""
    return data_dir() / FETCHED


def is_left_out() -> bool:
    """Whether `TRADEGOALS_KEPT_ONLY` asks for the curated record alone."""
    return os.environ.get(KEPT_ONLY_ENV) == "1"


def path_of(reporter: str) -> Path:
    """The file of a reporter's fetched figures, there or not."""
    return folder() / _file_name(reporter)


@lru_cache
def _file_name(reporter: str) -> str:
    plain = unicodedata.normalize("NFKD", reporter).encode("ascii", "ignore").decode().lower()
    return f"{re.sub('[^a-z0-9]+', '-', plain).strip('-') or 'x'}.parquet"


def files() -> list[Path]:
    """The files of all reporters for which something was fetched."""
    return sorted(folder().glob("*.parquet"))


def _columns() -> list[str]:
    """The columns of a file, in order."""
    return [*(field["name"] for field in describe("figures")["schema"]["fields"]), *EXTRA]


def read(reporter: str) -> pd.DataFrame:
    """The fetched figures of a reporter, as `lib.figures.load_figures` gives them, with `source` and `snapshot`.

    A value that a later answer of its source replaced has the status preliminary.
    """
    found = _find(reporter)
    return (_read_once(path_of(reporter), found) if found else _read_once(None, ())).copy()


def _find(reporter: str) -> tuple[Any, ...]:
    """The state of a reporter's file; empty where nothing was fetched."""
    path = path_of(reporter)
    try:
        # Opened even where nothing was fetched: the journal of a run then notes on what it depends.
        if not is_left_out():
            os.close(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))  # a pipe would make us wait
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UserError(f"{shown_path(path)}: cannot be read ({error.strerror})") from None
    return state(reporter)[1:]


@lru_cache(maxsize=8)
def _read_once(path: Path | None, state: tuple[Any, ...]) -> pd.DataFrame:
    return with_derived(read_file(path) if path else empty())


def with_derived(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the derived columns, and the status of values that a later answer replaced."""
    replaced = rows.duplicated(["reporter", *SERIES], keep="last")
    numbered = rows.assign(status=rows["status"].mask(replaced, "preliminary"))
    numbered.index = pd.RangeIndex(1, len(rows) + 1, name="line")
    return fig.derive(numbered)


def state(reporter: str) -> tuple[Any, ...]:
    """What changes when figures of a reporter are fetched: a key for what was computed from them."""
    return () if is_left_out() else (str(path := path_of(reporter)), *file_state(path))


def hint(reporter: str, partner: str) -> str:
    """The command that fetches a flow between two countries; blank where no source can have it."""
    if reporter == partner or not {reporter.casefold(), partner.casefold()} <= known_names().keys():
        return ""
    return f"tradegoals data fetch {shlex.quote(reporter)} {shlex.quote(partner)}"


def beside(figures: pd.DataFrame, reporter: str) -> pd.DataFrame:
    """Curated figures with those fetched for a reporter, under a plain index."""
    if not (found := _find(reporter)):  # nearly always, and to make an empty table takes longer than a fork
        return figures
    return pd.concat([figures, _read_once(path_of(reporter), found)[figures.columns]], ignore_index=True)


def place_of(rows: pd.DataFrame) -> str:
    """Where the rows of some figures stand: "data/figures.csv", "data/fetched", or both; told by their keys."""
    came = rows["figure_id"].str.contains(r"-[a-z][a-z0-9_]*-[a-z]+$")
    places = ["data/figures.csv"] * bool((~came).any()) + ["data/fetched"] * bool(came.any())
    return " and ".join(places) or "data/figures.csv"


def empty() -> pd.DataFrame:
    """A table without rows, its columns typed."""
    return typed(pd.DataFrame({name: pd.Series(dtype="str") for name in _columns()}))


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the columns of a file in order: dates as datetime64, numbers as float64, all else text."""
    numbers, dates = ("value", "yoy_pct"), ("period_start", "period_end", "known_by")
    kinds = dict.fromkeys(numbers, "float64") | dict.fromkeys(dates, "datetime64[us]")
    table = rows.reindex(columns=_columns()).reset_index(drop=True)
    for name in table:
        given = table[name]
        if name in kinds and pd.api.types.is_string_dtype(given):
            given = given.where(given != "")
        table[name] = given.astype(kinds[name]) if name in kinds else given.astype("str").fillna("")
    return table


def read_file(path: Path, names: list[str] | None = None) -> pd.DataFrame:
    """The rows of a file, or some of their columns."""
    try:
        expect_plain(path)
        content = path.read_bytes()
        rows = pd.read_parquet(io.BytesIO(content), columns=names, page_checksum_verification=True)
        place, digest = seal_of(content)
        if content[place:][: len(digest)] != digest:
            raise ValueError("its checksum is not that of its content")
        if names is None and rows.columns.tolist() != _columns():
            raise ValueError(f"not the columns {', '.join(_columns())}")
        return rows
    except Exception as error:  # damage makes pyarrow and pandas raise whatever their many parts raise
        found = f"a file that cannot be read as parquet ({' '.join(str(error).split())})"
        expected = "one; remove it and fetch again, which with --offline takes the answers kept before"
        raise UserError(f"{shown_path(path)}: found {found}, expected {expected}") from None


def seal_of(content: bytes) -> tuple[int, bytes]:
    """Where in a file its checksum stands, and what it must be: pages have their own, a footer has none."""
    if (key := content.rfind(SEAL)) < 0:
        raise ValueError("no checksum of the whole in its footer")
    place = key + len(SEAL) + 2  # behind the type and the length of the text
    digest = hashlib.sha256(memoryview(content)[:place])
    digest.update(UNSEALED)
    digest.update(memoryview(content)[place + len(UNSEALED) :])
    return place, digest.hexdigest().encode()


def check() -> list[str]:
    """Say which files cannot be read, and why."""
    faults = []
    for path in files():
        try:
            read_file(path)
        except UserError as error:
            faults.append(str(error))
    return faults
