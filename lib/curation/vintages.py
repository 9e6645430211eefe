"""Two vintages of the figures: what was added, removed and changed between files, git revisions or days."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lib import fetched
from lib import figures as fig
from lib.errors import UserError
from lib.faults import quote
from lib.files import working_file
from lib.package import data_dir, describe
from lib.tables import is_date, read_table


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
    if name.startswith("-"):
        raise UserError(f"vintage: found {quote(name)}, expected {EXPECTED}")
    command = ["git", "-C", str(data_dir()), "show", f"{name}:./{describe('figures')['path']}"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise UserError(f"vintage: found {quote(name)}, expected {EXPECTED}") from None
    with working_file(data_dir() / "figures.csv") as draft:
        draft.write_bytes(done.stdout)
        return fig.derive(read_table("figures", draft))


EXPECTED = 'a day (YYYY-MM-DD), a file or folder with figures, a git revision, or "now"'


def compare(before: pd.DataFrame, after: pd.DataFrame) -> Difference:
    """What differs between two vintages, by key."""
    columns = [field["name"] for field in describe("figures")["schema"]["fields"]]
    old, new = (_as_text(rows[columns]) for rows in (before, after))
    both = new.index.intersection(old.index)
    one, other = old.loc[both], new.loc[both]
    rows, places = (one != other).to_numpy().nonzero()
    changed = {
        "figure_id": both[rows],
        "column": one.columns[places],
        "before": one.to_numpy()[rows, places],
        "after": other.to_numpy()[rows, places],
    }
    return Difference(
        after[~after["figure_id"].isin(old.index)],
        before[~before["figure_id"].isin(new.index)],
        pd.DataFrame(changed, dtype="str"),
    )


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
    words = (
        last["figure_id"]
        + ", "
        + last["value"].map("{:g}".format).astype("str")
        + " "
        + last.index.get_level_values("unit")
    )
    found = added[keys].join(words.rename("words"), on=keys)["words"]
    return found.fillna("")
