"""The pages of the data: published figures, the register of targets, the files with their dictionary.

And what `import lib` offers, and the words of the data that search looks through.
"""

import inspect
import re
from typing import Any

import pandas as pd

import lib
from lib import figures, package, show, spoken
from lib.analysis.register import left_out
from lib.errors import slugify
from lib.tools.run import markup
from lib.tools.run.markup import web_address
from lib.tools.site.context import Files, Site
from lib.tools.site.pages import Document, as_script
from lib.words import percent

OUTCOMES = ("yes", "no", "pending", "unknown")


def _figures_files(site: Site) -> Files:
    """Every published figure as a row with an anchor: publisher, date, status, address."""
    table = figures.load_figures()
    rows = [
        row
        | {
            "period": period,
            "year": re.findall(r"\d{4}", period)[-1],
            "amount": "" if pd.isna(row["value_mn"]) else f"{row['value_mn']:.4f}",
            "value": f"{show.printed(row['value'])} {row['unit']}".strip(),
            "growth": _growth(row["yoy_pct"]),
            "published": row["published"] or "undated",
        }
        for row, period in zip(table.to_dict("records"), show.periods(table), strict=True)
    ]
    return site.page(
        "figures",
        rows=rows,
        statuses=[name for name in figures.STATUS if (table["status"] == name).any()],
        reporters=sorted(table["reporter"].unique()),
        years=sorted({row["year"] for row in rows}, reverse=True),
    )


def _targets_files(site: Site) -> Files:
    """The register of targets with outcome and probability at announcement."""
    targets = figures.load_targets()
    scores = pd.read_csv(package.data_dir() / "reference" / "register_scores.csv").set_index("target_id")
    rows = [_target(row, scores) for row in targets.to_dict("records")]
    met, resolved, share = met_in_register()
    # How good these probabilities were, beside the simplest ones: mean squared error (Brier 1950), 0 is best.
    law, base = (((scores[name] - scores["met"]) ** 2).mean() for name in ("p_law", "p_base_known"))
    brier = (
        f"Over the {len(scores)} rows that have one, its Brier score is {law:.3f}, "
        f"that of the share of earlier targets {base:.3f}; always saying one half scores 0.250."
    )
    return site.page(
        "targets",
        rows=rows,
        resolved=resolved,
        met=met,
        share=share,
        brier=brier,
        outcomes=OUTCOMES,
        reporters=sorted(targets["reporter"].unique()),
        years=sorted({row["year"] for row in rows}, key=lambda year: (year.isdigit(), year), reverse=True),
    )


def _data_files(site: Site) -> Files:
    """The files of the data, and a page with their dictionary, licences and how to add a figure."""
    folder = package.data_dir()
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("README.md", "reference/README.md")]
    # The title of the page stands above; that of the second text becomes a section of the page.
    text = texts[0].partition("\n")[2] + "\n\n#" + texts[1]
    html, headings = markup.with_anchors(markup.from_markdown(text, site.links("../")), {"files": 1})
    files = [(resource["path"], resource["title"]) for resource in package.read_package()["resources"]]
    files.append((package.PACKAGE_FILE, "All of them described: types, units, keys, sources, licences"))
    own = {name: (folder / name).read_bytes() for name in site.data_hashes}
    return own | site.page("data", text=html, headings=headings, files=files)


def _python_files(site: Site) -> Files:
    """What `import lib` offers, from the docstrings, whose examples are tests."""
    from lib.analysis import asking

    parts = ("quantiles", "to_dict", "plot", "facts")
    offered = {"lib.ask": lib.ask, "Answer": asking.Answer}
    offered |= {f"Answer.{name}": getattr(asking.Answer, name) for name in parts}
    offered |= {f"lib.{name}": getattr(lib, name) for name in lib.__all__}
    entries = [
        (name, slugify(name), name + _called_with(thing), inspect.getdoc(thing))
        for name, thing in offered.items()
    ]
    return site.page("python", opening=inspect.getdoc(lib), entries=entries)


def _called_with(thing: Any) -> str:
    """The parameters of a function with their defaults, without types, which the words beside it give."""
    if not inspect.isroutine(thing):
        return ""
    parameters = inspect.signature(thing).parameters
    bare = [one.replace(annotation=one.empty) for name, one in parameters.items() if name != "self"]
    return str(inspect.Signature(bare))


def met_in_register() -> tuple[int, int, str]:
    """How many targets of a whole trade above its base were met, of how many whose outcome is known, and the share."""
    targets = figures.load_targets()
    known = targets["met"][(left_out(targets) == "") & targets["met"].isin(["yes", "no"])]
    met = int((known == "yes").sum())
    return met, len(known), percent(met / len(known)) if len(known) else "–"


def _target(row: dict[str, Any], scores: pd.DataFrame) -> dict[str, Any]:
    """A row of the register in words."""
    score = scores.loc[row["target_id"]] if row["target_id"] in scores.index else None
    sources = (("target", row["source_target_url"]), ("outcome", row["source_outcome_url"]))
    return row | {
        "flow": _flow(row),
        "target": _asked(row),
        "year": row["announced"][:4] or "undated",
        "due": _year(row["target_year"]),
        "asks": _growth(row["implied_growth_pct_per_year"]),
        "outcome": _amount(row["outcome_value"], row["outcome_unit"], row["outcome_year"]),
        "probability": "" if score is None else percent(score["p_law"]),
        "earlier": "" if score is None else percent(score["p_base_known"]),
        "sources": [(name, url) for name, url in sources if web_address(str(url))],
    }


def _flow(row: dict[str, Any]) -> str:
    return f"{row['reporter']}–{row['partner']}, {row['flow']}"


def _asked(row: dict[str, Any]) -> str:
    """What a target asks for, and from what base: "40 USD bn, from 11.9 USD bn in 2002"."""
    value = row["target_value"]
    stated = {
        "growth_pct_per_year": f"{_growth(value)} % a year",
        "multiple": f"{show.printed(value)} times the base",
    }.get(row["measure"], f"{show.printed(value)} {row['target_unit']}")
    if pd.isna(value):
        stated = str(row["measure"])
    base = _amount(row["base_value"], row["base_unit"], row["base_year"], " in {}")
    return f"{stated}, from {base}" if base else stated


def _amount(value: float, unit: str, year: Any, when: str = " ({})") -> str:
    if pd.isna(value):
        return ""
    return f"{show.printed(value)} {unit}".strip() + (when.format(_year(year)) if _year(year) else "")


def _growth(value: float) -> str:
    return "" if pd.isna(value) else f"{value:+g}".replace("-", "−")


def _year(value: Any) -> str:
    return "" if pd.isna(value) else str(int(value))


def _search_files(site: Site) -> Files:
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
        text = f"{row['figure_id']} {row['publisher']} {row['published']} {row['status']}. {row['note']}"
        address = f"figures/index.html#{row['figure_id']}"
        documents.append((f"{_flow(row)}, {period}", address, "figure", text))
    for row in targets.to_dict("records"):
        title = f"{_flow(row)}: target announced {row['announced']}"
        text = f"{row['target_id']} {row['announcer']}, met: {row['met']}. {row['note']}"
        documents.append((title, f"targets/index.html#{row['target_id']}", "target", text))
    words = as_script(DATA_WORDS=documents, SITE_NAMES=sorted(names, key=lambda pair: -len(pair[0])))
    return site.page("search") | {"data-words.js": words}


MAKERS = {
    "figures": _figures_files,
    "targets": _targets_files,
    "data": _data_files,
    "python": _python_files,
    "search": _search_files,
}
"""What makes each page, by its name."""
