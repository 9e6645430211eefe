"""Measure the what-if page: from the move of a slider to the repaint, and from the address to the first answer.

pytest does not collect this file. Run it from the checkout, with nothing else going on and chromium on the path:

    uv run --group test python tests/bench/bench_whatif.py [MOVES]

A move sets the slider and ends after the next repaint. The first move of the deadline to a number of years makes the
points of that many, so the deadline is measured at once after loading and again later. Milliseconds.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from lib.tools.whatif.page import write_page

MOVE = """async ([id, values]) => {
  const slider = document.getElementById(id), spent = [];
  for (const value of values) {
    const start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    spent.push(performance.now() - start);
  }
  return spent;
}"""
CHINA = "#reporter=China&partner=Russia&flow=total&as_of=2012-06-15&goal=12&base_year=2009&deadline=2015"


def main(moves: int) -> None:
    """Print the median and the slowest of each kind of move."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = write_page(Path(folder))
        print(f"page: {file.stat().st_size / 1000:.0f} kB")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        sheet = browser.new_page()
        sheet.goto(file.as_uri() + CHINA)
        timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
        print(f"address to first answer: {sheet.evaluate(timing):.0f}")
        told("deadline, at once after loading", sheet, ["deadline-slider", list(range(2011, 2025))])
        told("goal", sheet, ["rate-slider", [k % 40 - 5 for k in range(moves)]])
        told("deadline", sheet, ["deadline-slider", [2010 + k % 15 for k in range(moves)]])
        told("day", sheet, ["as-of-slider", [k % 40 for k in range(moves)]])
        browser.close()


def told(name: str, sheet: Any, arguments: list[Any]) -> None:
    """Make the moves and print what they took."""
    spent = sheet.evaluate(MOVE, arguments)
    print(f"{name}: median {statistics.median(spent):.1f}, slowest {max(spent):.0f}, of {len(spent)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
