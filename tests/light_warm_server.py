"""The server of warm kernels with the least that a kernel needs, for tests of how servers begin and end.

Takes the place of `kernels._SCRIPT`: the whole stack, and this `lib`, take seconds to import.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT / "lib" / "tools" / "run")
import warm_server  # type: ignore[import-not-found]  # noqa: E402

NEEDED = ("numpy", "tornado", "IPython", "ipykernel", "faulthandler", "sqlite3")

if __name__ == "__main__":
    warm_server.PRELOAD = " ".join(name for name in warm_server.PRELOAD.split() if name.startswith(NEEDED))
    warm_server._draw = lambda: None
    if str(ROOT) in str((found := find_spec("lib")) and found.origin):
        del sys.argv[3:]
    warm_server._main()
