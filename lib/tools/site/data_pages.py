"""The pages of the data: published figures, the register of targets, the files with their dictionary.

And what `import lib` offers, and the words of the data that search looks through.
"""

import inspect
import re
from typing import Any

import pandas as pd

import lib
from lib import figures, package, show, spoken
from lib.analysis import asking
from lib.tools.run.page import from_markdown, with_anchors
from lib.tools.site.context import Files, Site
from lib.tools.site.pages import Document, as_script, words_of_goals
from lib.tools.strict import slugify
from lib.tools.whatif import page
from lib.words import percent


def _figures(site: Site) -> Files:
    """Every published figure as a row with an anchor: publisher, date, status, address."""
    table = figures.load_figures()
    periods = show.periods(table)
    years = [re.findall(r"\d{4}", period)[-1] for period in periods]
    return site.page(
        "figures",
        rows=_records(table.assign(period=list(periods), year=years)),
        printed=show.printed,
        statuses=[name for name in figures.STATUS.index if (table["status"] == name).any()],
        reporters=sorted(table["reporter"].unique()),
        years=sorted(set(years), reverse=True),
    )


def _targets(site: Site) -> Files:
    """The register of targets with outcome and probability at announcement."""
    targets = figures.load_targets()
    scores = pd.read_csv(package.data_dir() / "reference" / "register_scores.csv").set_index("target_id")
    # How good these probabilities were, beside the simplest ones: mean squared error (Brier 1950), 0 is best.
    law, base = (((scores[name] - scores["met"]) ** 2).mean() for name in ("p_law", "p_base_known"))
    years = targets["announced"].str[:4].replace("", "undated")
    return site.page(
        "targets",
        rows=_records(targets.assign(year=years)),
        printed=show.printed,
        chances=scores[["p_law", "p_base_known"]].map(percent).to_dict("index"),
        scored=len(scores),
        law=law,
        base=base,
        outcomes=("yes", "no", "pending", "unknown"),
        reporters=sorted(targets["reporter"].unique()),
        years=sorted(set(years), key=lambda year: (year.isdigit(), year), reverse=True),
        **words_of_goals(),
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table; None stands for what is missing."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _data(site: Site) -> Files:
    """The files of the data, and a page with their dictionary, licences and how to add a figure."""
    folder = package.data_dir()
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("README.md", "reference/README.md")]
    # The title of the page stands above; that of the second text becomes a section of the page.
    text = texts[0].partition("\n")[2] + "\n\n#" + texts[1]
    html, headings = with_anchors(from_markdown(text, site.links("../")), {"files": 1})
    files = [(resource["path"], resource["title"]) for resource in package.read_package()["resources"]]
    files.append((package.PACKAGE_FILE, "All of them described: types, units, keys, sources, licences"))
    own = {f"data/{name}": (folder / name).read_bytes() for name in site.data_hashes}
    return own | site.page("data", text=html, headings=headings, files=files)


def _python(site: Site) -> Files:
    """What `import lib` offers, from the docstrings, whose examples are tests."""
    offered = {"lib.ask": lib.ask, "Answer": asking.Answer}
    parts = ("quantiles", "to_dict", "plot", "facts")
    offered |= {f"Answer.{name}": getattr(asking.Answer, name) for name in parts}
    offered |= {f"lib.{name}": getattr(lib, name) for name in lib.__all__}
    entries = [
        (name, slugify(name), name + _called_with(one), inspect.getdoc(one)) for name, one in offered.items()
    ]
    return site.page("python", opening=inspect.getdoc(lib), entries=entries)


def _called_with(thing: Any) -> str:
    """The parameters of a function with their defaults, without types, which the words beside it give."""
    if not inspect.isroutine(thing):
        return ""
    parameters = inspect.signature(thing).parameters
    return str(
        inspect.Signature(
            [one.replace(annotation=one.empty) for name, one in parameters.items() if name != "self"]
        )
    )


def _search(site: Site) -> Files:
    """The search page, and what it knows of the data: rows, and other names of the places, the longest first."""
    table, targets = figures.load_figures(), figures.load_targets()
    here = {name for rows in (table, targets) for side in ("reporter", "partner") for name in rows[side]}
    names = [
        (other, name.casefold())
        for other, name in spoken.places().items()
        if name in here and other != name.casefold() and (len(other) > 3 or not other.isascii())  # no codes
    ]
    documents: list[Document] = []
    for row, period in zip(table.to_dict("records"), show.periods(table), strict=True):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}, {period}"
        text = f"{row['figure_id']} {row['publisher']} {row['published']} {row['status']}. {row['note']}"
        documents.append((title, f"figures/index.html#{row['figure_id']}", "figure", text))
    for row in targets.to_dict("records"):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}: target announced {row['announced']}"
        text = f"{row['target_id']} {row['announcer']}, met: {row['met']}. {row['note']}"
        documents.append((title, f"targets/index.html#{row['target_id']}", "target", text))
    words = as_script(DATA_WORDS=documents, SITE_NAMES=sorted(names, key=lambda pair: -len(pair[0])))
    return site.page("search") | {"search/data-words.js": words}


def _whatif(_: Site) -> Files:
    """The page on which a reader tries another goal, with a link back to the first page."""
    return {page.NAME: page.build("index.html").encode()}


OF_THE_DATA = {
    "figures": _figures,
    "targets": _targets,
    "data": _data,
    "python": _python,
    "search": _search,
    "whatif": _whatif,
}
