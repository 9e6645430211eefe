"""The cases of `notebooks/odd_cases.yml`: the data that they need, and the rules that their pages must keep.

`python -m tests.odd_cases data` writes `out/odd/data`, a copy of the data with a figure and four flows that nobody
published beside it. After the runs, `python -m tests.odd_cases check` reads what they left in `out/odd/runs`.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pandas as pd

from lib import fetched
from lib.package import DATA_ENV, data_dir
from lib.tools import curation
from lib.tools.sources import record
from tests.sentences import check_cells, check_page, check_sentences, sentences_of

PLACE = Path("out/odd")

LEAST_RUNS = 150
"""So many pages at least: fewer mean that cases are left out which were not."""

LEVELS = {
    ("Fiji", "Tonga"): {
        2008: 80.0,
        2009: 95.0,
        2010: 100.0,
        2011: 131.0,
        2012: 150.0,
        2013: 149.0,
        2014: 170.0,
    }
    | {2015: 200.0, 2016: 180.0},
    ("Samoa", "Tonga"): {year: 0.0 if year == 2008 else 40.0 + 3 * (year % 5) for year in range(2003, 2026)},
    ("Côte d'Ivoire", "Tonga"): dict.fromkeys(range(2005, 2026), 50.0),
    ("Fiji", "Samoa"): {year: 30.0 * 1.07 ** (year - 2010) for year in range(2010, 2026)},
}
"""Made-up levels, millions of US dollars; those of the last pair are all known from one day."""

OF_2015 = {
    "reporter": "Harbin",
    "partner": "Russia",
    "flow": "total",
    "value": "270",
    "unit": "USD mn",
    "yoy_pct": "",
    "published": "2026-11-20",
    "publisher": "Made up for a test",
    "authority": "press",
    "url": "https://example.org/harbin-2015",
    "status": "ok",
    "note": "",
}


def make_data(folder: Path) -> None:
    """Copy the data, and add the figure and the flows."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(data_dir(), folder, ignore=shutil.ignore_patterns("fetched", "snapshots"))
    os.environ[DATA_ENV] = str(folder)
    start, end = curation.read_period("2015")
    curation.add(OF_2015 | {"period_start": start, "period_end": end})
    for pair, levels in LEVELS.items():
        record.append(rows_of(*pair, levels))


def rows_of(reporter: str, partner: str, levels: dict[int, float]) -> pd.DataFrame:
    """Rows of a flow as a source gives them, each published in the spring after its year."""
    same = {"reporter": reporter, "partner": partner, "flow": "total", "unit": "USD mn", "figure_id": ""}
    same |= {"publisher": "IMF", "authority": "statistics", "url": "https://api.imf.org/made-up"}
    same |= {"status": "ok", "source": "imf", "snapshot": "0" * 64}
    at_once = (reporter, partner) == list(LEVELS)[-1]
    rows = [
        {
            "value": str(level),
            "period_start": f"{year}-01-01",
            "period_end": f"{year}-12-31",
            "published": "2026-11-20" if at_once else f"{year + 1}-04-01",
        }
        for year, level in levels.items()
    ]
    return fetched.typed(pd.DataFrame(rows).assign(**same))


def check(folder: Path) -> list[str]:
    """What is wrong with the runs in a folder: rules that a page breaks, answers that differ between fields."""
    faults = []
    runs = sorted(
        path for path in folder.glob("*/*/notebook.ipynb") if path.with_name("result.json").exists()
    )
    if len(runs) < LEAST_RUNS:
        faults.append(f"{folder}: found {len(runs)} runs, expected {LEAST_RUNS} or more")
    faults += [f"{path.parent}: failed" for path in sorted(folder.glob("*/*/notebook.failed.ipynb"))]
    for path in runs:
        answer = json.loads(path.with_name("result.json").read_bytes())["answer"]
        notebook = json.loads(path.read_bytes())
        found = check_page(sentences_of(notebook)) + check_cells(notebook) + check_sentences(answer)
        faults += [f"{path.parent.relative_to(folder)}: {fault}" for fault in dict.fromkeys(found)]
    return faults


if __name__ == "__main__":
    if sys.argv[1:] == ["data"]:
        make_data(PLACE / "data")
    elif sys.argv[1:] == ["check"]:
        found = check(PLACE / "runs")
        sys.exit("\n".join(found) if found else 0)
    else:
        sys.exit("found no command, expected data or check")
