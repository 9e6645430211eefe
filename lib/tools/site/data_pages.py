"""The pages of the data: published figures, the register of targets, the files with their dictionary.

The words to search: title, address, kind and text of each page, section and row, as a script of data.

A script, because a page opened from disk may not read other files. Its text is JSON in ASCII, so that no value
can end it early.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

import lib
from lib import figures, package, show, spoken
from lib.analysis import asking
from lib.analysis.register import left_out
from lib.cases import slugify
from lib.goals import READING_LABELS
from lib.show import periods
from lib.tools.run import markup
from lib.tools.run.markup import web_address
from lib.tools.run.matrix import NOTEBOOKS
from lib.tools.run.page import source_of
from lib.tools.site.context import DIGITS, ROOT, Notebook, Site, digest
from lib.words import percent

OUTCOMES = ("yes", "no", "pending", "unknown")


def figures_files(site: Site) -> dict[str, bytes]:
    """Every published figure as a row with an anchor: publisher, date, status, address."""
    table = site.figures
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
            "value": f"{show.number(row['value'])} {row['unit']}".strip(),
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


def about_files(site: Site) -> dict[str, bytes]:
    """How to find a source, how the pages were made, how to cite, licences."""
    cited = site.citation
    bibtex = (
        "@software{trade_goals,\n"
        f"  author  = {{{{{cited['authors'][0]['name']}}}}},\n"
        f"  title   = {{{cited['title']}}},\n"
        f"  version = {{{cited['version']}}},\n"
        f"  note    = {{Data {digest(site.data_hashes)[:DIGITS]}}}\n"
        "}"
    )
    page = {"bibtex": bibtex, "faults": [run for run in site.runs if run.fault]}
    return site.page("about", **page)


def python_files(site: Site) -> dict[str, bytes]:
    """What `import lib` offers, from the docstrings, whose examples are tests."""
    names = [(f"lib.{name}", getattr(lib, name)) for name in lib.__all__]
    methods = [
        (f"Answer.{name}", getattr(asking.Answer, name)) for name in ("quantiles", "to_dict", "plot", "facts")
    ]
    entries = [
        (f"{name}{inspect.signature(thing) if inspect.isroutine(thing) else ''}", inspect.getdoc(thing))
        for name, thing in [*names[:1], ("lib.analysis.asking.Answer", asking.Answer), *methods, *names[1:]]
    ]
    return site.page("python", opening=inspect.getdoc(lib), entries=entries)


STAGES = {
    "From figures to one level a year": "series",
    "Flows like this one": "reference",
    "One law of the path": "law",
    "What a day knew besides": "evidence",
    "The answer": "outlook",
}
"""The modules that say how a probability is made, by what a reader would call it."""


def methods_files(site: Site) -> dict[str, bytes]:
    """How a probability is made, in the words of the modules that make it; how to cite one; what it cannot know."""
    links = site.links("../")
    stages = []
    for title, name in STAGES.items():
        words = ast.get_docstring(ast.parse((ROOT / "lib" / f"{name}.py").read_text(encoding="utf-8"))) or ""
        stages.append((title, slugify(title), f"lib.{name}", markup.from_markdown(words, links)))
    return site.page("methods", stages=stages, calibration=_calibration(site), example=_example(site))


def _calibration(site: Site) -> dict[str, Any] | None:
    """What the notebook on calibration found at its defaults."""
    run = site.default_run("05_is_the_forecast_calibrated")
    if run is None or run.result is None:
        return None
    return {"answer": markup.inline(run.result.answer, site.links("../")), "address": run.address}


def _example(site: Site) -> str:
    """The citation of a probability: goal, reading, day, kind, run."""
    run = site.default_run(next(iter(NOTEBOOKS)))
    readings = run.result.readings if run and run.result else []
    chances = [(item, item.probability) for item in readings if item.probability is not None]
    if run is None or run.result is None or not chances:
        return ""
    stated, value = chances[0]
    chance = f"{percent(value)}, {stated.kind or 'probability'}"
    title, version = site.citation["title"], site.citation["version"]
    return (
        f"{run.result.title}; read {READING_LABELS[stated.reading]}: {chance}.\n"
        f"{title}, version {version}, {run.address}, key {run.record.get('key', '')[:DIGITS]}."
    )


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
        "multiple": f"{show.number(value)} times the base",
    }.get(row["measure"], f"{show.number(value)} {row['target_unit']}")
    if pd.isna(value):
        stated = str(row["measure"])
    base = _amount(row["base_value"], row["base_unit"], row["base_year"], " in {}")
    return f"{stated}, from {base}" if base else stated


def _amount(value: float, unit: str, year: Any, when: str = " ({})") -> str:
    if pd.isna(value):
        return ""
    return f"{show.number(value)} {unit}".strip() + (when.format(_year(year)) if _year(year) else "")


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


LONGEST = 1200
"""Characters of a section that are searched."""

Document = tuple[str, str, str, str]


def search_files(site: Site) -> dict[str, bytes]:
    """The search page and the script of words that it loads."""
    documents = [*_notebooks(site), *_runs(site), *_figures(site), *_targets(site)]
    script = {"SITE_WORDS": documents, "SITE_NAMES": _other_names(site)}
    words = "".join(
        f"self.{name} = {json.dumps(value, ensure_ascii=True, separators=(',', ':'))};\n"
        for name, value in script.items()
    )
    return site.page("search") | {"words.js": words.encode()}


def _other_names(site: Site) -> list[tuple[str, str]]:
    """Other names of the places in the tables, the longest first, each with the name here; codes are no words."""
    targets = figures.load_targets()
    here = {
        name for table in (site.figures, targets) for side in ("reporter", "partner") for name in table[side]
    }
    known = {other: name.casefold() for other, name in spoken.places().items() if name in here}
    names = [
        (other, name)
        for other, name in known.items()
        if other != name and (len(other) > 3 or not other.isascii())
    ]
    return sorted(names, key=lambda pair: -len(pair[0]))


def _notebooks(site: Site) -> Iterator[Document]:
    """The sections of each notebook, as its first run has them."""
    for notebook in site.notebooks:
        for title, anchor, text in _sections(notebook):
            address = f"{notebook.first.address}/index.html" + (f"#{anchor}" if anchor else "")
            yield title, address, "notebook", text[:LONGEST]


def _sections(notebook: Notebook) -> Iterator[tuple[str, str, str]]:
    """Title, anchor and text of each section of a notebook's prose."""
    cells = (notebook.first.content or {}).get("cells", [])
    text = "\n\n".join(source_of(cell) for cell in cells if cell.get("cell_type") == "markdown")
    parts = re.split(r"^##\s+(.+)$", text, flags=re.MULTILINE)
    yield notebook.question, "", markup.plain(re.sub(r"^#\s+.*$", "", parts[0], flags=re.MULTILINE))
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        yield f"{notebook.question} {title}", slugify(markup.plain(title)), markup.plain(body)


def _runs(site: Site) -> Iterator[Document]:
    for run in site.runs:
        values = " ".join(str(value) for value in run.parameters.values())
        said = run.fault or (markup.plain(run.result.answer) if run.result else "")
        kind = "failed run" if run.fault else site.questions[run.notebook]
        yield run.title, f"{run.address}/index.html", kind, f"{said} {values} {run.slug} {run.notebook}"


def _figures(site: Site) -> Iterator[Document]:
    table = site.figures
    for row, period in zip(table.to_dict("records"), periods(table), strict=True):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}, {period}"
        text = f"{row['figure_id']} {row['publisher']} {row['published']} {row['status']}. {row['note']}"
        yield title, f"figures/index.html#{row['figure_id']}", "figure", text


def _targets(site: Site) -> Iterator[Document]:
    for row in figures.load_targets().to_dict("records"):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}: target announced {row['announced']}"
        text = f"{row['target_id']} {row['announcer']}, met: {row['met']}. {row['note']}"
        yield title, f"targets/index.html#{row['target_id']}", "target", text
