"""The pages of the site, as files by name: of runs, goals, methods, of the data, search, and `import lib`."""

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import pandas as pd

from lib import figures, package, spoken
from lib.cases import GoalCase
from lib.goals import READINGS
from lib.tools.run import results_table
from lib.tools.run.freshness import FAILED, JOURNAL, NOTEBOOK, RESULT, data_hash, text_of
from lib.tools.run.page import Links, from_markdown, plain, read_page, to_csv, with_anchors
from lib.tools.site.context import Files, FoundRun, Site
from lib.tools.strict import slugify
from lib.words import percent

GOAL = ("reporter", "partner", "flow", "currency", "goal", "base_year", "deadline")
"""The parameters that say which goal a run judged, whatever the day."""


TEXTS = ("README.md", "reference/README.md")  # of the data, which no checksum covers


def run_files(site: Site, run: FoundRun) -> Files:
    """The files of a run's page: the page, its pictures, its tables as CSV, and what the run itself left."""
    place, files = f"{run.address}/index.html", dict[str, bytes]()
    # A notebook that is not the journal's is not handed on.
    for name in (FAILED, JOURNAL) if run.fault else (NOTEBOOK, RESULT, JOURNAL):
        with suppress(FileNotFoundError):  # none, or the run is being executed again at this moment
            files[name] = (run.folder / name).read_bytes()
    page = read_page(run.content, site.links(place))
    read = run.record.get("parts", {}).get("data", {})
    shown = {"figures.csv": "figures/index.html", "targets.csv": "targets/index.html"}
    pages = {name: f"../../../{shown.get(name, f'data/{name}')}" for name in site.data_hashes}
    tables = [name for name, hashed in read.items() if hashed and name != package.PACKAGE_FILE]
    html = site.page(
        "run",
        place,
        run=run,
        page=page,
        tables=[(name, pages.get(name, "")) for name in tables],
        stale=sorted(name for name, hashed in read.items() if data_hash(name, frozenset(read)) != hashed),
        downloads=sorted(files),
    )
    return html | {f"{run.address}/{name}": content for name, content in (files | page.files).items()}


def _plain_answer(run: FoundRun) -> str:
    return f"Failed. {run.fault}" if run.fault else plain(run.result.answer) if run.result else ""


def cases_files(site: Site, name: str) -> Files:
    """The list of a notebook's cases with the answer of each."""
    place, runs = f"runs/{name}/index.html", site.notebooks[name]
    rows = [{"case": run.slug, "title": run.title, "answer": _plain_answer(run)} for run in runs]
    return site.page("notebook", place, name=name) | {f"runs/{name}/cases.csv": _as_csv(rows)}


def results_files(site: Site) -> Files:
    """All results of whole runs in one long table, a row a number."""
    found = [(run.result, run.record.get("key") or run.slug, run.slug) for run in site.runs if run.result]
    rows = [row for one in found for row in results_table.rows_of(*one)]
    return {"goals/results.csv": _as_csv(rows, results_table.COLUMNS)}


def _as_csv(rows: list[dict[str, Any]], columns: Iterable[str] = ()) -> bytes:
    """Rows as CSV, with the columns of the first by default; what a row lacks is empty in it."""
    columns = list(columns) or list(next(iter(rows), ()))
    return to_csv([columns, *(map(row.get, columns) for row in rows)])


# --- goals: flow × goal × day, with the probability or the verdict of each reading ---


def goal_files(site: Site) -> Files:
    """The first page, and the page of all goals with the same as CSV."""
    rows, words, place = _goal_rows(site.runs), _words_of_goals(), "index.html"
    last: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:  # each goal as it was seen last
        last.setdefault((row["flow"], row["goal"], row["years"]), row)
    run = site.default_run("00_")
    shown = {"rows": list(last.values())[:15], "goals": len(last), "total": len(rows)}
    first = site.page("index", place, head=run and _head(run, site.links(place)), **shown, **words)
    goals = site.page("goals", rows=rows)
    return first | goals | {"goals/goals.csv": _as_csv(list(map(_flat, rows)))}


def _goal_rows(runs: list[FoundRun]) -> list[dict[str, Any]]:
    """The rows of the matrix, each a goal of a flow seen from one day: what was known last first, then what a government stated.

    Of these the goal that the collection has by default stands before all. A goal that several notebooks judged as of
    one day is shown once, by the first of them in the collection, and by its default run where that is one of several.
    """
    from lib.analysis.answers import announced

    own, rows = GoalCase(), dict[tuple[Any, ...], dict[str, Any]]()
    for run in runs:
        given = run.result.parameters if run.result and run.result.readings else {}
        goal, day = tuple(given.get(name) for name in GOAL), given.get("as_of")
        if not {None, ""} & {*goal[-2:], day} and (goal, day) not in rows:
            case = _case(goal)
            stated = announced(case) or {}
            rows[goal, day] = {
                "flow": case.flow_name,
                "goal": case.goal_name,
                "years": f"{case.base_year}–{case.deadline}",
                "as_of": day,
                "reading": given.get("reading", ""),
                "own": (case.flow_name, case.goal_name) == (own.flow_name, own.goal_name),
                "chances": dict.fromkeys(READINGS) | {item.reading: item for item in run.result.readings},
                "run": run.address,
                "announced": {name: stated[name] for name in ("announced", "announcer", "url") if stated},
            }
    found = sorted(rows.values(), key=lambda row: (row["flow"], row["years"], row["goal"]))
    return sorted(found, key=lambda row: (row["as_of"], bool(row["announced"]), row["own"]), reverse=True)


def _case(goal: tuple[Any, ...]) -> GoalCase:
    """A goal by the values of its parameters, which its run has checked."""
    values: Any = dict(zip(GOAL, goal, strict=True))
    return GoalCase.model_construct(**values)


def _words_of_goals() -> dict[str, Any]:
    """How many targets of a whole trade above its base were met, of how many that are known."""
    from lib.analysis.register import left_out

    targets = figures.load_targets()
    known = targets["met"][(left_out(targets) == "") & targets["met"].isin(["yes", "no"])]
    met = int((known == "yes").sum())
    share = percent(met / len(known)) if len(known) else "–"
    return {"resolved": len(known), "met": met, "share": share}


def _head(run: FoundRun, links: Links) -> dict[str, Any]:
    """What the first page opens with: what was asked, and the run that answers, with its blocks."""
    from lib.analysis.answers import goal_in_words

    case, blocks = GoalCase.check(run.result.parameters), read_page(run.content, links).blocks
    return {"run": run, "case": case, "asked": str(goal_in_words(case, case.make_goal())), "blocks": blocks}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the matrix as columns of a CSV file; probabilities in full."""
    flat = {name: row[name] for name in ("flow", "goal", "years", "as_of")}
    flat["stated_reading"] = row["reading"]
    for name, item in row["chances"].items():
        flat |= {f"{name}_outcome": item and item.outcome, f"{name}_probability": item and item.probability}
    by = row["announced"]
    return flat | {"announced": by.get("announced"), "source": by.get("url"), "run": row["run"]}


# --- the data, and search ---


def figures_files(site: Site) -> Files:
    """Every published figure as a row with an anchor: publisher, date, status, address."""
    from lib import show

    table = figures.load_figures()
    periods = show.periods(table)
    years = [re.findall(r"\d{4}", period)[-1] for period in periods]
    rows = _records(table.assign(period=list(periods), year=years))
    return site.page("figures", rows=rows, statuses=list(figures.STATUS.index))


def targets_files(site: Site) -> Files:
    """The register of targets with outcome and probability at announcement."""
    targets = figures.load_targets()
    scores = pd.read_csv(package.data_dir() / "reference" / "register_scores.csv").set_index("target_id")
    # How good these probabilities were, beside the simplest ones: mean squared error (Brier 1950), 0 is best.
    law, base = (((scores[name] - scores["met"]) ** 2).mean() for name in ("p_law", "p_base_known"))
    return site.page(
        "targets",
        rows=_records(targets.assign(year=targets["announced"].str[:4].replace("", "undated"))),
        chances=scores[["p_law", "p_base_known"]].map(percent).to_dict("index"),
        scored=len(scores),
        law=law,
        base=base,
        **_words_of_goals(),
    )


def _records(table: Any) -> list[dict[str, Any]]:
    """The rows of a table; None stands for what is missing."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def data_files(site: Site) -> Files:
    """The files of the data, and a page with their dictionary, licences and how to add a figure."""
    folder = package.data_dir()
    texts = [(folder / name).read_text(encoding="utf-8") for name in TEXTS]
    # The title of the page stands above; that of the second text becomes a section of the page.
    text = texts[0].partition("\n")[2] + "\n\n#" + texts[1]
    prose = from_markdown(text, site.links("data/index.html"))
    html, headings = with_anchors(prose, {"files": 1})
    files = [(resource["path"], resource["title"]) for resource in package.read_package()["resources"]]
    files.append((package.PACKAGE_FILE, "All of them described: types, units, keys, sources, licences"))
    own = {f"data/{name}": (folder / name).read_bytes() for name in site.data_hashes}
    return own | site.page("data", text=html, headings=headings, files=files)


def python_files(site: Site) -> Files:
    """What `import lib` offers, from the docstrings, whose examples are tests."""
    import lib
    from lib.analysis import asking

    offered = {"lib.ask": lib.ask, "Answer": asking.Answer}
    for name in ("quantiles", "to_dict", "plot", "facts"):
        offered[f"Answer.{name}"] = getattr(asking.Answer, name)
    offered |= {f"lib.{name}": getattr(lib, name) for name in lib.__all__}
    entries = [(name, slugify(name), inspect.getdoc(one)) for name, one in offered.items()]
    return site.page("python", opening=inspect.getdoc(lib), entries=entries)


def whatif_files() -> Files:
    """The page on which a reader tries another goal, with a link back to the first page."""
    from lib.tools.whatif.page import NAME, build

    return {NAME: build("index.html").encode()}


def _as_script(**values: Any) -> bytes:
    """Values as a script, since a page opened from disk may not read other files; ASCII, so that none ends it early."""
    lines = (f"self.{name} = {json.dumps(value, separators=(',', ':'))};\n" for name, value in values.items())
    return "".join(lines).encode()


def words_files(site: Site) -> Files:
    """What search knows of the runs: the sections of each notebook, as its first run has them, and every run."""
    documents = [one for name in site.notebooks for one in _sections(site, name)]
    for run in site.runs:
        values = " ".join(str(value) for value in run.parameters.values())
        kind = "failed run" if run.fault else site.questions[run.notebook]
        text = f"{_plain_answer(run)} {values} {run.slug} {run.notebook}"
        documents.append((run.title, f"{run.address}/index.html", kind, text))
    return {"search/words.js": _as_script(SITE_WORDS=documents)}


def _sections(site: Site, name: str) -> Iterator[tuple[str, ...]]:
    """Title, address, kind and text of each."""
    run, question = site.notebooks[name][0], site.questions[name]
    cells, address = run.content.get("cells", []), f"{run.address}/index.html"
    text = "\n\n".join(text_of(cell) for cell in cells if cell.get("cell_type") == "markdown")
    first, *parts = re.split(r"^##\s+(.+)$", text, flags=re.MULTILINE)
    opening = plain(re.sub(r"^#\s+.*$", "", first, flags=re.MULTILINE))
    yield question, address, "notebook", opening[:1200]
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        yield f"{question} {title}", f"{address}#{slugify(plain(title))}", "notebook", plain(body)[:1200]


def search_files(site: Site) -> Files:
    """The search page, and what it knows of the data: rows, and other names of the places, the longest first."""
    from lib import show

    table, targets = figures.load_figures(), figures.load_targets()
    here = {name for rows in (table, targets) for side in ("reporter", "partner") for name in rows[side]}
    names = [
        (other, name.casefold())
        for other, name in sorted(spoken.places().items(), key=lambda pair: -len(pair[0]))
        if name in here and other != name.casefold() and (len(other) > 3 or not other.isascii())  # no codes
    ]
    documents: list[tuple[str, ...]] = []
    for row, period in zip(table.to_dict("records"), show.periods(table), strict=True):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}, {period}"
        text = f"{row['figure_id']} {row['publisher']} {row['published']} {row['status']}. {row['note']}"
        documents.append((title, f"figures/index.html#{row['figure_id']}", "figure", text))
    for row in targets.to_dict("records"):
        title = f"{row['reporter']}–{row['partner']}, {row['flow']}: target announced {row['announced']}"
        text = f"{row['target_id']} {row['announcer']}, met: {row['met']}. {row['note']}"
        documents.append((title, f"targets/index.html#{row['target_id']}", "target", text))
    return site.page("search") | {"search/data-words.js": _as_script(DATA_WORDS=documents, SITE_NAMES=names)}
