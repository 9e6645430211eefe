"""The one live view of a matrix: a bar on a terminal, a plain line a run elsewhere, both on standard error."""

import sys
from typing import Any, Self

from lib.execution.spec import Outcome


class Progress:
    """Done of total, failed, running and the time left; use it as a context."""

    def __init__(self, total: int, skipped: int) -> None:
        self.total, self.done, self.failed, self.running = total, 0, 0, 0
        self.skipped, self.last = skipped, ""

    def __enter__(self) -> Self:
        """Show the bar."""
        from tqdm import tqdm

        self.bar = tqdm(total=self.total, unit="run", file=sys.stderr, disable=None, dynamic_ncols=True)
        return self

    def __exit__(self, *_: Any) -> None:
        """Leave the bar as it is."""
        self.bar.close()

    def started(self, running: int) -> None:
        """Show how many run now."""
        self.running = running
        self._show()

    def finished(self, outcome: Outcome) -> None:
        """Count one run."""
        self.done += 1
        self.failed += bool(outcome.error)
        self.last = outcome.run.name
        if self.bar.disable:
            state = (
                "FAILED" if outcome.error else "up to date" if outcome.skipped else f"{outcome.seconds:.1f} s"
            )
            print(f"[{self.done}/{self.total}] {self.last}  {state}", file=sys.stderr, flush=True)
        self.bar.update()
        self._show()

    def _show(self) -> None:
        self.bar.set_postfix_str(f"{self.failed} failed, {self.running} running, {self.last}", refresh=True)
