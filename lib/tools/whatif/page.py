"""One self-contained page that answers any goal for any flow in the browser: no server, nothing loaded from elsewhere.

The sources are in `page_files`: markup, style, and plain scripts that are joined in the order of `SCRIPTS`. The
page's content policy allows exactly this script and this style, by their hashes, and no address at all.
"""

import base64
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from lib.analysis import what_if_data
from lib.research.files import make_folder, write_atomically
from lib.tools.run.page import environment

FILES = Path(__file__).resolve().parent / "page_files"

SCRIPTS = ("maths", "words", "own", "goals", "law", "readings", "answer", "state", "chart", "page")

NAME = "whatif.html"


def write_page(folder: Path, home: str = "") -> Path:
    """Write the page into a folder, with a link at its top to the page `home`, such as "index.html"; returns its path."""
    make_folder(folder)
    write_atomically(folder / NAME, build(home))
    return folder / NAME


def build(home: str = "") -> str:
    """The page as text: markup with style, data and script in it."""
    style, numbers = (FILES / "page.css").read_text("utf-8"), what_if_data.as_json()
    parts = [(FILES / f"{name}.js").read_text("utf-8") for name in SCRIPTS]
    read = 'const DATA = JSON.parse(document.getElementById("data").textContent);'
    script = "\n".join(['"use strict";', "(() => {", read, *parts, "})();"])
    own = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in (style, script)]
    given = {"style": style, "script": script, "numbers": numbers, "home": home, "own": own}
    given |= {"version": version("tradegoals"), "hash": sha256(numbers.encode()).hexdigest()}
    return environment(FILES).get_template("whatif.html.j2").render(told=what_if_data.payload(), **given)
