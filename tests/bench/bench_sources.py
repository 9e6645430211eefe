"""Measure how fast answers are read: a million observations of each source, from bytes to checked observations.

    uv run python tests/bench/bench_sources.py            # all
    uv run python tests/bench/bench_sources.py "imf csv"  # one

Each is measured in a process of its own; the answers are made in another one, and their bytes count towards the peak of
memory. Target: 10 s and 1 GB for each. Seconds of the processor are the figure to go by on a busy machine. An answer is as
large as the source sends it: the IMF all that it has of one reporter by month (430,560 observations), UN Comtrade fewer
than the 100,000 rows at which it cuts (91,080); they are read until a million is full.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fault_server as server_of
import numpy as np

from lib.economies import economies, find_economy
from lib.tools.sources.coded import read as read_answer
from lib.tools.sources.observations import Question

MILLION = 1_000_000
CHINA = find_economy("China")
PARTNERS = [economy for economy in economies()[1:] if economy != CHINA]
MONTHS = [f"{year}-M{month:02}" for year in range(1948, 2026) for month in range(1, 13)]
INDICATORS = ("XG_FOB_USD", "MG_CIF_USD")


def amounts(count: int) -> np.ndarray:
    """Lognormal amounts in dollars with two decimals."""
    return np.random.default_rng(1).lognormal(18, 3, count).round(2)


def imf_codes() -> list[tuple[str, str, str]]:
    """Indicator, partner and month of everything that an answer for one reporter can hold: 430,560 observations."""
    partners = [economy.imf for economy in PARTNERS]
    return [
        (indicator, partner, month) for indicator in INDICATORS for partner in partners for month in MONTHS
    ]


def imf_csv() -> bytes:
    """One answer in SDMX-CSV, in the form of a recorded one: 41 columns, most of them text that repeats."""
    codes = imf_codes()
    same = {
        "LICENSE": "© International Monetary Fund Copyright. All Rights Reserved. https://www.imf.org/external/terms.htm",
        "SUGGESTED_CITATION": "International Monetary Fund. International Trade in Goods (by partner country). "
        * 2,
        "PUBLICATION_DATE": "2026-08-05T23:36:59.553138600Z",
    }
    rows = [
        ("CHN", indicator, partner, "M", month, value)
        for (indicator, partner, month), value in zip(codes, amounts(len(codes)).tolist(), strict=True)
    ]
    return server_of.imf_csv(rows, **same)


def comtrade_json() -> bytes:
    """One answer of UN Comtrade: all partners, both flows, months of some sixteen years."""
    months = [month.replace("-M", "") for month in MONTHS[-198:]]
    codes = [(partner.comtrade, code, month) for partner in PARTNERS for code in "XM" for month in months]
    rows = [
        server_of.comtrade_row(156, int(partner), code, month, value)
        for (partner, code, month), value in zip(codes, amounts(len(codes)).tolist(), strict=True)
    ]
    return server_of.comtrade_json(rows)


ANSWERS = {"imf csv": imf_csv, "comtrade json": comtrade_json}


def read(name: str, body: bytes) -> int:
    """Read one answer as `fetch` does; return its number of observations."""
    source = name.split()[0]
    where = (
        "https://comtradeapi.un.org/data/v1/get/C/M/HS" if source == "comtrade" else "https://api.imf.org/x"
    )
    question = Question(source, (CHINA,), None, "M", range(1948, 2026))
    rows, _ = read_answer(question, body, where)
    return len(rows)


def measure(name: str) -> None:
    """Print what reading a million observations takes."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    body = subprocess.run([sys.executable, __file__, "make", name], check=True, capture_output=True).stdout
    count, wall, cpu = 0, time.perf_counter(), time.process_time()
    while count < MILLION:
        count += read(name, body)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(
        f"{name:14} {count:>9,} observations in answers of {len(body) / 1e6:.0f} MB: {wall:.1f} s wall, {cpu:.1f} s "
        f"processor, that is {cpu / count * MILLION:.1f} s a million; peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", name]:
            sys.stdout.buffer.write(ANSWERS[name]())
        case [name]:
            measure(name)
        case _:
            for each in ANSWERS:
                subprocess.run([sys.executable, __file__, each], check=True)
