"""The server of warm kernels with the least that a kernel needs, for tests of how servers begin and end.

Takes the place of `kernels._SCRIPT`: the whole stack takes seconds to import.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1] / "lib" / "tools" / "run")
import warm_server  # type: ignore[import-not-found]  # noqa: E402

NEEDED = ("numpy", "matplotlib.", "tornado", "IPython", "ipykernel", "faulthandler", "sqlite3")

if __name__ == "__main__":
    warm_server.PRELOAD = " ".join(name for name in warm_server.PRELOAD.split() if name.startswith(NEEDED))
    del sys.argv[3:]  # nor `lib`
    warm_server.main()
