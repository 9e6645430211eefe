"""From parameters to executed notebooks: what must run, warm kernels, many at once, results, freshness."""

from typing import Any


class _Engine:
    """Stands for papermill's engine `tradegoals`: papermill loads engines while it is itself imported.

    `lib.tools.run.engine` imports papermill, so that it can only be loaded once papermill asks for something.
    """

    def __getattr__(self, name: str) -> Any:
        from lib.tools.run import engine

        return getattr(engine.Engine, name)


ENGINE = _Engine()
