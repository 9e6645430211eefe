"""The records of runs, and all of them in one long table, out/results.parquet, to filter, compare and score.

One row is one number or one verdict of one run, in the long form of the hubverse (model output with task
columns, an output type and its id). The table is made anew from the run folders each time: merging twice
gives the same file, and a run that is gone or failed leaves no row behind.
"""

import io
import json
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from pydantic import ValidationError

from lib.errors import UserError, expect_plain
from lib.goals import READING_LABELS
from lib.research.files import locked, make_folder, write_atomically
from lib.results import MIME, Result, in_words
from lib.tools.run import freshness
from lib.tools.run.freshness import RESULT, TABLE, Outcome
from lib.tools.strict import read_json

DIGEST = b"tradegoals.digest"  # in the table's description: the checksum of its values

COLUMNS = pd.read_csv(Path(__file__).with_name("columns.csv"), index_col="name")["type"].to_dict()
_SCHEMA = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()])

TASK = ("reporter", "partner", "flow", "currency", "goal", "base_year", "deadline")
"""Columns taken from the parameters of the same name."""


def merge(out: Path) -> list[str]:
    """Write `out`/results.parquet from every result below `out`/runs; returns a line for each damaged one, left out."""
    tables: list[pa.Table] = [_SCHEMA.empty_table()]
    damaged: list[str] = []
    make_folder(out)
    with locked(out):
        found = (path.parent for path in (out / "runs").glob(f"*/*/{RESULT}"))
        # One that a run works in at this moment begins with a dot.
        for folder in sorted(folder for folder in found if not folder.name.startswith(".")):
            try:
                tables.append(_table_of(folder))
            except UserError as error:
                if (folder / RESULT).exists():  # gone: its run is being executed again at this moment
                    damaged.append(f"{folder.relative_to(out).as_posix()}/{error}")
        table = pa.concat_tables(tables).combine_chunks()
        signed = table.replace_schema_metadata({DIGEST: _digest(table)})
        content = io.BytesIO()
        parquet.write_table(signed, content, compression="zstd", write_page_checksum=True)
        write_atomically(out / TABLE, content.getvalue())
    return damaged


def read_table(out: Path) -> pd.DataFrame:
    """Read `out`/results.parquet, columns as in `COLUMNS`; where there is none, or it is damaged, say how to make it."""
    path = out / TABLE
    try:
        # Opened here, not by name: a name would be taken as a pattern of a partitioned data set.
        expect_plain(path)
        with path.open("rb") as file:
            table = parquet.read_table(file, page_checksum_verification=True)
        if table.schema.names != list(COLUMNS):
            raise OSError("other columns than this version writes")
        if _digest(table) != (table.schema.metadata or {}).get(DIGEST):
            raise OSError("a value is not what was written")
    except (OSError, ValueError, pa.ArrowException) as error:
        found = f"found no table that can be read ({str(error).splitlines()[0]})"
        how = "`tradegoals results --merge` makes it of all runs, as `tradegoals run` does"
        raise UserError(f"{path}: {found}; {how}") from None
    return table.to_pandas().astype({name: "Int64" for name, kind in COLUMNS.items() if kind == "int32"})


def rows_of(result: Result, run_key: str, slug: str) -> list[dict[str, Any]]:
    """The rows of one result, in the columns of `COLUMNS`; columns without a value are absent."""
    given = result.parameters
    day = given.get("as_of")
    common = {name: given.get(name) for name in TASK} | {
        "run_key": run_key,
        "notebook": result.notebook,
        "slug": slug,
        "as_of": date.fromisoformat(day) if isinstance(day, str) else None,
        "parameters": json.dumps(given, ensure_ascii=False, sort_keys=True),
    }
    rows: list[dict[str, Any]] = []
    for item in result.readings:
        goal = {"period": given.get("deadline"), "reading": item.reading}
        met = goal | {"target": "goal met", "unit": ""}
        decided = {"met": 1.0, "missed": 0.0}.get(item.outcome)
        rows.append(met | {"output_type": "verdict", "output_type_id": item.outcome, "value": decided})
        if item.probability is not None:
            rows.append(met | {"kind": item.kind, "output_type": "probability", "value": item.probability})
        if item.needed_rate is not None:
            rate = {"output_type": "point", "value": item.needed_rate, "unit": "a year"}
            rows.append(goal | {"target": "needed rate"} | rate)
    for row in result.estimates:
        level = None if row.output_type_id is None else f"{row.output_type_id:g}"
        rows.append(dict(row) | {"output_type_id": level})
    return [common | row for row in rows]


def _table_of(folder: Path) -> pa.Table:
    """The rows of one run folder; a value of another type than its column is damage."""
    journal = freshness.read_journal(folder)
    if journal and journal["outputs"].get(RESULT) != freshness.hash_file(folder / RESULT):
        raise UserError(f"{RESULT}: found another file than its journal describes; run it again")
    result = read_result(folder / RESULT)
    try:
        if any(isinstance(result.parameters.get(name), float) for name in ("base_year", "deadline")):
            raise TypeError("a part of a year")  # Arrow would cut it to a whole number
        rows = rows_of(result, (journal and journal["key"]) or folder.name, folder.name)
        return pa.Table.from_pylist(rows, schema=_SCHEMA)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{RESULT}: found a value unfit for the table ({error})") from None


def _digest(table: pa.Table) -> bytes:
    """A checksum of all values: those of pages say nothing of what stands between them."""
    from pandas.util import hash_pandas_object

    rows = hash_pandas_object(table.to_pandas(ignore_metadata=True), index=False)
    return sha256(rows.to_numpy().tobytes()).hexdigest().encode()


# --- the record of a run, where it lies: in an executed notebook, in result.json ---


def from_notebook(notebook: Mapping[str, Any]) -> Result | None:
    """The record that an executed notebook carries; None where it makes none."""
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", []))
    found = [output["data"][MIME] for output in outputs if MIME in output.get("data", {})]
    return _parsed(found[-1], "the notebook's last output") if found else None


def result_of(outcome: Outcome) -> Result | None:
    """The record of an outcome, from its folder; None where its run failed, or makes none."""
    path = outcome.folder / RESULT
    return None if outcome.error or not path.exists() else read_result(path)


def read_result(path: Path) -> Result:
    """Read a `result.json`; a damaged one is an error that names the file."""
    return _parsed(read_json(path), path.name)


def _parsed(record: Any, where: str) -> Result:
    """The record as typed values, or an error that names every field at fault."""
    try:
        return Result.model_validate(record)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise UserError(f"{where}: found a damaged result ({'; '.join(faults)})") from None


def to_json(result: Result) -> str:
    """The record as stable, readable JSON text."""
    return json.dumps(result.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"


def verdict_lines(found: list[Result]) -> list[str]:
    """Verdicts for a terminal: a block a goal and answer, with who says so, by what kind, and what weakens it."""
    blocks: dict[tuple[str, ...], list[Result]] = {}
    for result in found:
        if rows := [f"  {READING_LABELS[item.reading]:<22} {in_words(item)}" for item in result.readings]:
            blocks.setdefault((result.title, *rows), []).append(result)
    lines = []
    for (title, *rows), results in blocks.items():
        names = dict.fromkeys(result.notebook.partition("_")[0] for result in results)
        readings = results[-1].readings
        decided = all(item.outcome in ("met", "missed") for item in readings)
        kinds = ["decided by figures"] if decided else [item.kind for item in readings if item.kind]
        said = filter(None, [", ".join(names), ", ".join(dict.fromkeys(kinds))])
        warnings = dict.fromkeys(f"  {result.warning}" for result in results if result.warning)
        lines += ["", f"{title} ({'; '.join(said)})", *rows, *warnings]
    return lines
