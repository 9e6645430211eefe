"""Imported once by the process that forks those which make the runs, so that none of them imports anything.

It must not start a thread, and must not read data: each run is to see the tables as they are when it starts.
"""

# ruff: noqa: E402
import gc
import os
import signal
import sys

sys.dont_write_bytecode = False  # many containers forbid it; compiled once, everything starts faster
# Ctrl-C is for the driver, which has started this process with the signal blocked.
signal.signal(signal.SIGINT, lambda *_: None)
if hasattr(signal, "pthread_sigmask"):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
# Not needed here: from the one jsonschema builds a grammar of addresses, which takes a second; papermill looks for
# the other in each run, to format the parameters that it injects.
sys.modules["rfc3987_syntax"] = sys.modules["black"] = None  # type: ignore[assignment]
parent = os.getppid()

import IPython.display  # noqa: F401
import nbclient  # noqa: F401
import nbformat
import papermill  # noqa: F401

if os.getppid() != parent:  # the driver has gone
    os._exit(1)

import lib.results
import lib.tools.cli
import lib.tools.run.engine
import lib.tools.run.pool  # noqa: F401
from lib.tools.run.page import to_page

# Compiles the templates, and loads what highlights code, renders Markdown and cleans HTML.
_cells = nbformat.v4.new_code_cell("1"), nbformat.v4.new_markdown_cell("**1**")
to_page(nbformat.v4.new_notebook(cells=_cells), "")
gc.collect()
gc.freeze()  # keeps the collector from touching, and so copying, what the processes share
