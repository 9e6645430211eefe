"""The pages of the data: published figures, the register of targets, the files with their dictionary.

And what `import lib` offers, and the words of the data that search looks through.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

import lib
from lib import figures, package, show, spoken
from lib.analysis.register import left_out
from lib.errors import slugify
from lib.show import periods
from lib.tools.run import markup
from lib.tools.run.markup import web_address
from lib.tools.site.context import Site
from lib.tools.site.pages import Document, as_script
from lib.words import percent

OUTCOMES = ("yes", "no", "pending", "unknown")


def figures_files(site: Site) -> dict[str, bytes]:
    """Every published figure as a row with an anchor: publisher, date, status, address."""
    table = figures.load_figures()
    rows = [
        {
            **{
                name: row[name]
                for name in ("figure_id", "reporter", "partner", "flow", "publisher", "authority")
            },
            **{name: row[name] for name in ("status", "note", "url")},
            "period": period,
            "year": re.findall(r"\d{4}", period)[-1],
            "amount": "" if pd.isna(row["value_mn"]) else f"{row['value_mn']:.4f}",
            "value": f"{show.printed(row['value'])} {row['unit']}".strip(),
            "growth": "" if pd.isna(row["yoy_pct"]) else f"{row['yoy_pct']:+g}".replace("-", "−"),
            "published": row["published"] or "undated",
        }
        for row, period in zip(table.to_dict("records"), show.periods(table), strict=True)
    ]
    statuses = [name for name in figures.STATUS if (table["status"] == name).any()]
    reporters = sorted(table["reporter"].unique())
    years = sorted({row["year"] for row in rows}, reverse=True)
    page = {"rows": rows, "statuses": statuses, "reporters": reporters, "years": years}
    return site.page("figures", **page)


def targets_files(site: Site) -> dict[str, bytes]:
    """The register of targets with outcome and probability at announcement."""
    targets = figures.load_targets()
    scores = pd.read_csv(package.data_dir() / "reference" / "register_scores.csv").set_index("target_id")
    rows = [_target(row, scores) for row in targets.to_dict("records")]
    met, resolved = met_in_register()
    page = {
        "rows": rows,
        "resolved": resolved,
        "met": met,
        "brier": _brier_in_words(scores),
        "outcomes": OUTCOMES,
        "reporters": sorted(targets["reporter"].unique()),
        "years": sorted({row["year"] for row in rows}, key=lambda year: (year.isdigit(), year), reverse=True),
    }
    return site.page("targets", **page)


def data_files(site: Site) -> dict[str, bytes]:
    """The files of the data, and a page with their dictionary, licences and how to add a figure."""
    folder = package.data_dir()
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("README.md", "reference/README.md")]
    # The title of the page stands above; that of the second text becomes a section of the page.
    text = texts[0].partition("\n")[2] + "\n\n#" + texts[1]
    html, headings = markup.with_anchors(markup.from_markdown(text, site.links("../")), {"files": 1})
    files = [(resource["path"], resource["title"]) for resource in package.read_package()["resources"]]
    files.append((package.PACKAGE_FILE, "All of them described: types, units, keys, sources, licences"))
    page = {"text": html, "headings": headings, "files": files}
    own = {name: (folder / name).read_bytes() for name in site.data_hashes}
    return own | site.page("data", **page)


def python_files(site: Site) -> dict[str, bytes]:
    """What `import lib` offers, from the docstrings, whose examples are tests."""
    from lib.analysis import asking

    answer = {
        f"Answer.{name}": getattr(asking.Answer, name) for name in ("quantiles", "to_dict", "plot", "facts")
    }
    offered = {f"lib.{name}": getattr(lib, name) for name in lib.__all__}
    first = {"lib.ask": lib.ask, "Answer": asking.Answer}
    entries = [
        (name, slugify(name), name + _called_with(thing), inspect.getdoc(thing))
        for name, thing in (first | answer | offered).items()
    ]
    return site.page("python", opening=inspect.getdoc(lib), entries=entries)


def _called_with(thing: Any) -> str:
    """The parameters of a function with their defaults, without types, which the words beside it give."""
    if not inspect.isroutine(thing):
        return ""
    parameters = inspect.signature(thing).parameters
    bare = [one.replace(annotation=one.empty) for name, one in parameters.items() if name != "self"]
    return str(inspect.Signature(bare))


def met_in_register() -> tuple[int, int]:
    """How many targets of a whole trade above its base were met, of how many whose outcome is known."""
    targets = figures.load_targets()
    met = targets["met"][left_out(targets) == ""]
    return int((met == "yes").sum()), int(met.isin(["yes", "no"]).sum())


def _target(row: dict[str, Any], scores: pd.DataFrame) -> dict[str, Any]:
    """A row of the register in words."""
    score = scores.loc[row["target_id"]] if row["target_id"] in scores.index else None
    sources = (("target", row["source_target_url"]), ("outcome", row["source_outcome_url"]))
    return {
        **{name: row[name] for name in ("target_id", "announcer", "announced", "met", "note", "reporter")},
        "flow": f"{row['reporter']}–{row['partner']}, {row['flow']}",
        "target": _asked(row),
        "year": row["announced"][:4] or "undated",
        "due": _year(row["target_year"]),
        "asks": _growth(row["implied_growth_pct_per_year"]),
        "outcome": _amount(row["outcome_value"], row["outcome_unit"], row["outcome_year"]),
        "probability": "" if score is None else percent(score["p_law"]),
        "earlier": "" if score is None else percent(score["p_base_known"]),
        "sources": [(name, url) for name, url in sources if web_address(str(url))],
    }


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


def _brier_in_words(scores: pd.DataFrame) -> str:
    """How good these probabilities were, beside the simplest ones: mean squared error (Brier 1950), 0 is best."""
    met = scores["met"]
    score = {name: ((scores[name] - met) ** 2).mean() for name in ("p_law", "p_base_known")}
    return (
        f"Over the {len(scores)} rows that have one, its Brier score is {score['p_law']:.3f}, "
        f"that of the share of earlier targets {score['p_base_known']:.3f}; always saying one half scores 0.250."
    )


def search_files(site: Site) -> dict[str, bytes]:
    """The search page, and what it knows of the data."""
    words = as_script(DATA_WORDS=[*_figures(site), *_targets()], SITE_NAMES=_other_names(site))
    return site.page("search") | {"data-words.js": words}


def _other_names(site: Site) -> list[tuple[str, str]]:
    """Other names of the places in the tables, the longest first, each with the name here; codes are no words."""
    targets = figures.load_targets()
    here = {
        name
        for table in (figures.load_figures(), targets)
        for side in ("reporter", "partner")
        for name in table[side]
    }
    known = {other: name.casefold() for other, name in spoken.places().items() if name in here}
    names = [
        (other, name)
        for other, name in known.items()
        if other != name and (len(other) > 3 or not other.isascii())
    ]
    return sorted(names, key=lambda pair: -len(pair[0]))


def _figures(site: Site) -> Iterator[Document]:
    table = figures.load_figures()
    for row, period in zip(table.to_dict("records"), periods(table), strict=True):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}, {period}"
        text = f"{row['figure_id']} {row['publisher']} {row['published']} {row['status']}. {row['note']}"
        yield title, f"figures/index.html#{row['figure_id']}", "figure", text


def _targets() -> Iterator[Document]:
    for row in figures.load_targets().to_dict("records"):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}: target announced {row['announced']}"
        text = f"{row['target_id']} {row['announcer']}, met: {row['met']}. {row['note']}"
        yield title, f"targets/index.html#{row['target_id']}", "target", text
