"""Does a stated trade-growth goal hold? The names that a researcher needs first.

>>> import lib
>>> answer = lib.ask("Harbin Russia total +25 % 2012-2015", as_of="2014-04-15")
>>> round(lib.growth.cagr(153.3, 230, 1), 3)
0.5

`lib.ask` judges a goal or says how probable it is; `lib.outlook.of` does the same for a case of `lib.cases`. Each
name is loaded when it is first used, so that `import lib` costs nothing.
"""

import importlib
from typing import Any

OFFERED = {"ask": "lib.analysis.asking"}
"""What is offered here by its own name, and the module that it lives in."""
__all__ = ["ask", "cases", "figures", "goals", "growth", "law", "outlook", "plots"]
__all__ += ["series", "show", "spoken", "words"]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used."""
    if name in OFFERED:
        return getattr(importlib.import_module(OFFERED[name]), name)
    if name in __all__:
        return importlib.import_module(f"lib.{name}")
    raise AttributeError(f"module 'lib' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names that matter, for completion."""
    return sorted(__all__)
