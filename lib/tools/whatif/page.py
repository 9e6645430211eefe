"""One self-contained page that answers any goal for any flow in the browser: no server, nothing loaded from elsewhere.

The sources are in `page_files`: markup, style, and plain scripts that are joined in the order of `SCRIPTS`. The
page's content policy allows exactly this script and this style, by their hashes, and no address at all.
"""

import base64
import hashlib
from pathlib import Path

from lib.analysis import what_if_data
from lib.research.files import make_folder, write_atomically
from lib.tools.run.page import environment

FILES = Path(__file__).resolve().parent / "page_files"

SCRIPTS = ("maths", "words", "own", "goals", "law", "readings", "answer", "state", "chart", "page")

NAME = "whatif.html"


def write_page(folder: Path, home: str = "") -> Path:
    """Write the page into a folder and return its path.

    Parameters
    ----------
    home : address of the page to which a link at the top leads, such as "index.html"; none by default.
    """
    make_folder(folder)
    path = folder / NAME
    write_atomically(path, build(home))
    return path


def build(home: str = "") -> str:
    """The page as text: markup with style, data and script in it."""
    style, script, numbers = (FILES / "page.css").read_text("utf-8"), join_scripts(), what_if_data.as_json()
    told = what_if_data.payload()
    return (
        environment(FILES)
        .get_template("whatif.html.j2")
        .render(
            policy=policy(style, script),
            style=style,
            script=script,
            numbers=numbers,
            home=home,
            made=made_from(numbers),
            **{name: told[name] for name in ("flows", "goals", "readings")},
        )
    )


def join_scripts() -> str:
    """The scripts as one, closed against the rest of the page; comments and markup are left as they are."""
    parts = [(FILES / f"{name}.js").read_text("utf-8") for name in SCRIPTS]
    head = 'const DATA = JSON.parse(document.getElementById("data").textContent);'
    return "\n".join(['"use strict";', "(() => {", head, *parts, "})();"])


def policy(style: str, script: str) -> str:
    """A content policy that allows the page's own style and script by their hashes, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash_of(style)}'; script-src '{_hash_of(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash_of(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def made_from(numbers: str) -> str:
    """What the page was made from: the version of the package, the last day of the record, a hash of the data."""
    from importlib.metadata import version

    digest = hashlib.sha256(numbers.encode()).hexdigest()[:12]
    return f"tradegoals {version('tradegoals')}, record of {what_if_data.payload()['day']}, data {digest}"
