"""The site: its pages hang together, say what the runs say, let nothing harmful in, and are published whole."""

import csv
import gzip
import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
import site_runs
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from sampling import exhaustive, some
from site_runs import NASTY

from lib import cases, figures, package, words
from lib.analysis.register import left_out
from lib.errors import UserError, inert
from lib.results import Result
from lib.tools.cli import main
from lib.tools.run import freshness
from lib.tools.run import page as paging
from lib.tools.run.freshness import Run
from lib.tools.site import build, context
from lib.tools.site import pages as run_pages
from lib.tools.site.build import build_site
from lib.tools.site.context import FoundRun
from lib.tools.site.pages import _goal_rows

INDEX_BYTES, PAGE_BYTES = 300_000, 1_500_000
WIRE_BYTES = 150_000
"""Of the first page, compressed, with its picture, style and scripts."""
NO_LINKS = paging.Links()
SCROLLS = {"tabindex", "class", "role", "aria-label"}
"""Attributes that the page gives to what may be wider than it."""


class Page(HTMLParser):
    """A page taken apart: tags with their attributes, ids, words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


@pytest.fixture(scope="module")
def out(whole_site: Path) -> Path:
    """Runs of all committed notebooks, one more case, one that failed, and the site of them."""
    return whole_site


@pytest.fixture(scope="module")
def pages(out: Path) -> dict[str, Page]:
    """Every page of the site by its address."""
    site = out / "site"
    return {path.relative_to(site).as_posix(): Page(path) for path in _own_pages(site)}


def _own_pages(site: Path) -> list[Path]:
    """The pages that the site makes itself; the one to try a goal has scripts in it, and tests of its own."""
    return sorted(path for path in site.rglob("*.html") if path.name != "whatif.html")


def _run_pages(pages: dict[str, Page]) -> dict[str, Page]:
    return {name: page for name, page in pages.items() if name.count("/") == 3}


# --- The pages hang together


def test_every_notebook_and_table_has_its_page(pages: dict[str, Page]) -> None:
    expected = {f"runs/{name}/default/index.html" for name in site_runs.NAMES}
    expected |= {
        f"{name}index.html"
        for name in (
            "",
            "goals/",
            "runs/",
            "targets/",
            "figures/",
            "data/",
            "methods/",
            "about/",
            "search/",
            "python/",
        )
    }
    assert expected <= set(pages)


def test_every_link_inside_the_site_leads_somewhere(out: Path, pages: dict[str, Page]) -> None:
    ids = {page.path: set(page.ids()) for page in pages.values()}
    broken = []
    for name, page in pages.items():
        for tag, attributes in page.tags:
            for address in (attributes.get("href"), attributes.get("src"), attributes.get("action")):
                if address is None or urlsplit(address).scheme in ("http", "https"):
                    continue
                path, _, anchor = address.partition("#")
                target = (page.path.parent / unquote(path)).resolve() if path else page.path
                if not target.is_file() or (anchor and anchor not in ids.get(target, set())):
                    broken.append(f"{name}: {tag} {address}")
    assert broken == []


def test_no_page_has_an_id_twice(pages: dict[str, Page]) -> None:
    twice = {
        name: [one for one, times in Counter(page.ids()).items() if times > 1] for name, page in pages.items()
    }
    assert not any(twice.values()), twice


def test_links_name_files_so_that_they_open_from_disk(pages: dict[str, Page]) -> None:
    for page in pages.values():
        for link in page.all("a"):
            assert not urlsplit(link["href"]).path.endswith("/") or urlsplit(link["href"]).scheme


def test_every_picture_says_what_it_shows(pages: dict[str, Page]) -> None:
    alts = [image["alt"] for page in pages.values() for image in page.all("img")]
    assert alts
    assert all(len(alt) > 15 and "<Figure" not in alt for alt in alts)


def test_a_picture_without_a_description_says_at_least_where_it_stands(small: Path) -> None:
    png = next(_pngs(site_runs.committed(site_runs.FIRST)))
    content = site_runs.with_cell(site_runs.FIRST, site_runs.shown("image/png", png), text="## Quite new")
    site_runs.put_run(small, site_runs.FIRST, content=content)
    build_site(small)
    page = Page(small / "site" / "runs" / site_runs.FIRST / "default" / "index.html")
    assert any("Quite new" in image["alt"] for image in page.all("img"))


def test_every_table_of_a_run_is_there_as_csv_cell_by_cell(out: Path) -> None:
    for name in site_runs.NAMES:
        html = "".join(_html_outputs(site_runs.committed(name)))
        tables = re.findall(r"<table.*?</table>", html, re.DOTALL)
        files = [out / "site" / "runs" / name / "default" / f"table-{n + 1}.csv" for n in range(len(tables))]
        for file, table in zip(files, tables, strict=True):
            rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))
            shown = [_cells(row) for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)]
            assert rows == [list(map(inert, row)) for row in shown]


def test_every_table_of_a_run_has_its_csv_beside_it(pages: dict[str, Page]) -> None:
    for page in _run_pages(pages).values():
        offered = {link["href"] for link in page.all("a") if "download" in link}
        assert len([name for name in offered if name.endswith(".csv")]) == len(page.all("table"))
        assert all((page.path.parent / name).is_file() for name in offered)


def _cells(row: str) -> list[str]:
    found = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", "", cell)).split()) for cell in found]


def _html_outputs(content: dict[str, Any]) -> Iterator[str]:
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                yield "".join(output["data"]["text/html"])


def _pngs(content: dict[str, Any]) -> Iterator[str]:
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                yield "".join(output["data"]["image/png"])


# --- They say what the runs and the data say


def test_a_picture_leads_to_its_source_in_two_clicks(pages: dict[str, Page]) -> None:
    name = f"runs/{site_runs.FIRST}/default/index.html"
    result = FoundRun(pages[name].path.parents[4] / "runs" / site_runs.FIRST / "default").result
    assert result is not None
    html = pages[name].path.read_text(encoding="utf-8")
    captions = re.findall(r'<figure class="picture">.*?</figure>', html, re.DOTALL)
    table = pages["figures/index.html"].path.read_text(encoding="utf-8")
    for figure_id in result.figure_ids:
        assert all(f"figures/index.html#{figure_id}" in caption for caption in captions)
        row = figures.load_figures().set_index("figure_id").loc[figure_id]
        found = re.search(rf'<tr id="{re.escape(figure_id)}".*?</tr>', table, re.DOTALL)
        assert found
        for text in (row["publisher"], row["published"], row["status"], f'href="{escape(row["url"])}"'):
            assert str(escape(text)) in found[0] or text in found[0]


def test_every_picture_names_rows_or_tables_behind_it(pages: dict[str, Page]) -> None:
    for name, page in _run_pages(pages).items():
        html = page.path.read_text(encoding="utf-8")
        for caption in re.findall(r'<figure class="picture">.*?</figure>', html, re.DOTALL):
            assert re.search(
                r'<figcaption>.*href="\.\./\.\./\.\./(figures|data|targets)/', caption, re.DOTALL
            ), name


def test_every_figure_of_the_data_has_its_row(pages: dict[str, Page]) -> None:
    assert set(figures.load_figures()["figure_id"]) <= set(pages["figures/index.html"].ids())


def test_the_first_page_states_question_answer_and_probability(out: Path, pages: dict[str, Page]) -> None:
    result = FoundRun(out / "runs" / site_runs.FIRST / "default").result
    assert result is not None
    said = " ".join(pages["index.html"].words.split())
    assert paging.plain(result.answer) in said
    assert all(words.percent(item.probability) in said for item in result.readings if item.probability)
    assert "US$299 million" in said  # 153.33 mn × 1.25³, the level that the goal asks for
    assert pages["index.html"].all("img")


def test_the_matrix_says_what_each_result_says(out: Path, pages: dict[str, Page]) -> None:
    with (out / "site" / "goals" / "goals.csv").open(encoding="utf-8") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert rows
    for address, row in rows.items():
        result = json.loads((out / address / "result.json").read_text(encoding="utf-8"))
        for item in result["readings"]:
            assert row[f"{item['reading']}_outcome"] == item["outcome"]
            found = row[f"{item['reading']}_probability"]
            assert (float(found) if found else None) == item["probability"]
        assert pages["goals/index.html"].words.count(row["as_of"])


def _judged(name: str, probability: float | None = None, outcome: str = "open", **changes: Any) -> Any:
    """A run that judged the goal on average."""
    given = {"reporter": "Harbin", "partner": "Russia", "flow": "total", "currency": "USD", "goal": "25 %"}
    given |= {"base_year": 2012, "deadline": 2015, "as_of": "2014-04-15", "reading": "average"} | changes
    kind = None if probability is None else "forecast"
    reading = {"reading": "average", "outcome": outcome, "probability": probability, "kind": kind}
    facts = {"notebook": "00_a", "title": "", "answer": "", "readings": [reading | {"reason": ""}]}
    return SimpleNamespace(address=f"runs/{name}", result=Result(parameters=given, **facts))


def test_a_goal_that_several_runs_judged_is_shown_once_by_the_first_default_run() -> None:
    runs = [_judged("00_a/default"), _judged("00_a/all-flows", 0.24), _judged("03_b/default")]
    runs += [_judged("05_c/default", base_year=None), _judged("06_d/default", goal="40 %")]
    assert [(row["run"], row["goal"], bool(row["announced"])) for row in _goal_rows(runs)] == [
        ("runs/00_a/default", "+25 % a year", True),
        ("runs/06_d/default", "+40 % a year", False),
    ]


@pytest.mark.parametrize(
    ("outcome", "probability", "text", "shade"),
    [
        ("open", 0.241, "24 %, forecast", 2),
        ("unknown", 0.999, "above 99 %, forecast", 10),
        ("met", None, "met", 10),
        ("missed", None, "missed", 0),
        ("unknown", None, "unknown", None),
    ],
)
def test_a_reading_is_shown_as_its_verdict_or_its_probability(
    outcome: str, probability: float | None, text: str, shade: int | None
) -> None:
    (row,) = _goal_rows([_judged("00_a/default", probability, outcome)])
    parts = context._template("parts.html.j2").module
    cells = [str(parts.chance(row["chances"][name], False)) for name in ("average", "every_year")]
    found = [re.search(r'class="chance (\w*)(?: p(\d+))?">([^<]*)<', cell) for cell in cells]
    shown = [one and one.groups() for one in found]
    assert shown == [(outcome, None if shade is None else str(shade), text), ("", None, "–")]


def test_of_two_goals_with_one_day_those_that_a_government_stated_come_first() -> None:
    runs = [_judged("00_a/default", goal="24 %"), _judged("00_a/x"), _judged("00_a/y", as_of="2015-01-01")]
    assert [row["run"] for row in _goal_rows(runs)] == [f"runs/00_a/{name}" for name in ("y", "x", "default")]


def test_a_goal_that_a_government_stated_names_its_source(pages: dict[str, Page]) -> None:
    goals = pd.read_csv(package.data_dir() / "goals.csv").set_index("goal_id")
    address = goals.loc["HRB-RU-2015-25pct-trade", "url"]
    assert address in [link["href"] for link in pages["goals/index.html"].all("a")]


def test_the_register_shows_outcome_and_probability_of_every_target(pages: dict[str, Page]) -> None:
    targets = figures.load_targets()
    scores = pd.read_csv(package.data_dir() / "reference" / "register_scores.csv").set_index("target_id")
    html = pages["targets/index.html"].path.read_text(encoding="utf-8")
    for row in targets.itertuples():
        found = re.search(rf'<tr id="{re.escape(row.target_id)}".*?</tr>', html, re.DOTALL)
        assert found
        assert f'class="met {row.met}">{row.met}<' in found[0]
        if row.target_id in scores.index:
            assert words.percent(scores.loc[row.target_id, "p_law"]) in found[0]
    assert (
        f"Of the {targets['met'][left_out(targets) == ''].isin(['yes', 'no']).sum()} whose outcome is known"
        in html
    )


def test_a_run_that_failed_has_a_page_that_says_so(out: Path, pages: dict[str, Page]) -> None:
    name = f"runs/{site_runs.FIRST}/goal-9/index.html"
    said = pages[name].words
    assert "This run failed" in said
    assert "cell 4: ValueError: no figure for <2014>" in said
    assert "line 1" in said and "\x1b" not in said
    assert "result.json" not in {link["href"] for link in pages[name].all("a")}
    for place in ("index.html", "about/index.html"):
        assert f"{site_runs.FIRST}/goal-9" in pages[place].words
    assert "goal-9" not in (out / "site" / "goals" / "goals.csv").read_text(encoding="utf-8")


def test_a_run_whose_files_were_altered_is_shown_as_damaged(small: Path) -> None:
    folder = small / "runs" / site_runs.FIRST / "other"
    (folder / "notebook.ipynb").write_text("{}", encoding="utf-8")
    assert [run.fault for run in build_site(small).failed] == [
        "Files are not those that its journal describes: notebook.ipynb."
    ]
    (folder / "run.json").unlink()
    assert "run.json, is missing" in build_site(small).failed[0].fault


def test_a_run_whose_process_died_has_a_page(small: Path) -> None:
    run = Run(site_runs.FIRST, "died", cases.GoalCase().model_dump(mode="json"))
    run.folder(small).mkdir()
    parts = freshness.all_parts(run, freshness.code_parts(run.path), ())
    record = {"key": "", "status": "failed", "parts": parts, "error": "killed <9>"}
    freshness.write_journal(run.folder(small), asdict(run) | record)
    build_site(small)
    page = Page(small / "site" / "runs" / site_runs.FIRST / "died" / "index.html")
    assert "This run failed" in page.words and "killed <9>" in page.words


def test_a_page_of_a_run_opens_with_its_answer(out: Path, pages: dict[str, Page]) -> None:
    result = json.loads((out / "runs" / site_runs.FIRST / "default" / "result.json").read_bytes())
    said = " ".join(pages[f"runs/{site_runs.FIRST}/default/index.html"].words.split())
    known, today = (" ".join(paging.plain(result[name]).split()) for name in ("hindsight", "answer"))
    assert said.index(known) < said.index(today) < said.index("On this page")


def test_a_page_says_how_it_was_made(out: Path, pages: dict[str, Page]) -> None:
    record = json.loads((out / "runs" / site_runs.FIRST / "default" / "run.json").read_text(encoding="utf-8"))
    said = pages[f"runs/{site_runs.FIRST}/default/index.html"].words
    facts = [record["key"], record["parts"]["python"], record["started"], "pandas\xa03.1.1"]
    facts += [str(value) for value in record["parameters"].values()]
    facts += list(record["parts"]["data"])
    assert all(fact in said for fact in facts)
    assert "older data" not in said


def test_a_page_made_from_older_data_says_so(small: Path) -> None:
    folder = small / "runs" / site_runs.FIRST / "default"
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["parts"]["data"]["goals.csv"] = "f" * 64
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    build_site(small)
    page = Page(small / "site" / "runs" / site_runs.FIRST / "default" / "index.html")
    assert "Made from older data: goals.csv changed since" in page.words


def test_search_knows_every_run_figure_and_target(out: Path, pages: dict[str, Page]) -> None:
    documents = _documents(out / "site" / "search")
    places = {address for _, address, _, _ in documents}
    assert {name for name in pages if name.count("/") == 3} <= places
    assert {f"figures/index.html#{one}" for one in figures.load_figures()["figure_id"]} <= places
    assert {f"targets/index.html#{one}" for one in figures.load_targets()["target_id"]} <= places
    ids = {name: set(page.ids()) for name, page in pages.items()}
    for place in places:
        name, _, anchor = place.partition("#")
        assert name in pages and (not anchor or anchor in ids[name]), place


def _documents(folder: Path) -> list[list[str]]:
    """What search knows, from its scripts."""
    lines = [
        (folder / name).read_text(encoding="ascii").splitlines()[0] for name in ("words.js", "data-words.js")
    ]
    return [one for line in lines for one in json.loads(line.partition(" = ")[2].removesuffix(";"))]


def test_pages_are_light(out: Path, pages: dict[str, Page]) -> None:
    assert (out / "site" / "index.html").stat().st_size < INDEX_BYTES
    sent = [
        out / "site" / name for name in ("index.html", "static/site.css", "static/site.js", "static/theme.js")
    ]
    sent += [out / "site" / image["src"] for image in pages["index.html"].all("img")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in sent) < WIRE_BYTES
    for name, page in pages.items():
        beside = [page.path.parent / image["src"] for image in page.all("img")]
        beside += [page.path.parent / script["src"] for script in page.all("script")]
        total = page.path.stat().st_size + sum(path.stat().st_size for path in set(beside))
        assert total < (INDEX_BYTES if name == "index.html" else PAGE_BYTES), name


def test_the_page_to_try_a_goal_is_part_of_the_site(small: Path) -> None:
    (small / "site" / "whatif.html").unlink()
    assert build_site(small).made == ["whatif"]
    assert "index.html" in (small / "site" / "whatif.html").read_text(encoding="utf-8")
    page = Page(small / "site" / "runs" / site_runs.FIRST / "default" / "index.html")
    assert "../../../whatif.html" in [link["href"] for link in page.all("a")]
    assert build_site(small).made == []


# --- Nothing harmful comes in


def assert_harmless(page: Page) -> None:
    """Nothing runs but the scripts of the site, nothing is loaded from elsewhere, links lead to the web or the site."""
    for tag, attributes in page.tags:
        assert tag not in ("style", "iframe", "object", "embed", "svg", "math", "base", "frame")
        assert not [
            name for name in attributes if name.startswith("on") or name in ("style", "srcdoc", "formaction")
        ]
        for name in ("src", "href", "action"):
            if name in attributes:
                scheme = urlsplit(attributes[name]).scheme
                assert scheme == "" or (tag == "a" and scheme in ("http", "https")), attributes
                assert not attributes[name].startswith("//")
    sources = {script.get("src", "") for script in page.all("script")}
    assert {Path(source).name for source in sources} <= {
        "theme.js",
        "site.js",
        "search.js",
        "words.js",
        "data-words.js",
    }
    policies = [
        meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0] and "unsafe" not in policies[0] and "http" not in policies[0]


def test_the_site_is_harmless(pages: dict[str, Page]) -> None:
    for page in pages.values():
        assert_harmless(page)


def test_markup_from_anywhere_is_shown_as_text(nasty_site: Path) -> None:
    for path in _own_pages(nasty_site):
        assert_harmless(Page(path))
    assert _documents(nasty_site / "search")


@given(
    st.text()
    | st.sampled_from(NASTY)
    | st.tuples(st.sampled_from(NASTY), st.text(), st.sampled_from(NASTY)).map("".join)
)
def test_no_text_becomes_markup_that_runs(text: str) -> None:
    for html in (paging.from_markdown(text, NO_LINKS), paging._clean(text, NO_LINKS)):
        found = _Tags(str(html))
        for tag, attributes in found.tags:
            assert tag in paging.TAGS
            assert set(attributes) <= {"href", "rel", "colspan", "rowspan", "scope"} | SCROLLS
            address = attributes.get("href", "#")
            assert address.startswith("#") or paging.web_address(address)


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("address", ["http://a.org", "https://a.org/x?y=1#z", "HTTPS://a.org"])
def test_addresses_of_the_web_are_followed(address: str) -> None:
    assert paging.web_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//a.org",
        "https:",
        "https:x",
        "http://",
        " ",
        "",
        "vbscript:x",
        "http://a b",
    ],
)
def test_other_addresses_are_not(address: str) -> None:
    assert paging.web_address(address) == ""
    assert NO_LINKS.allowed(address) == ""


def test_a_link_to_a_notebook_leads_to_its_page_where_there_is_one() -> None:
    known = paging.Links("../", frozenset(), frozenset({"03_x"}))
    assert (
        paging.from_markdown("see `03_x` and [it](03_x.ipynb)", known).count("../runs/03_x/index.html") == 2
    )
    assert "href" not in paging.from_markdown("see `04_y` and [it](04_y.ipynb)", known)


# --- Tables taken apart


@given(
    st.lists(
        st.lists(
            st.text(
                st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), max_size=8
            ),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_frame_survives_html_and_csv(rows: list[list[str]]) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    (piece,) = paging._split(frame.to_html(index=False, escape=True, na_rep=""))
    assert isinstance(piece, list)
    grid = paging._make_grid(piece, NO_LINKS)
    assert grid is not None
    kept = [list(map(inert, row)) for row in rows]
    assert list(csv.reader(io.StringIO(grid.to_csv().decode()))) == [["a", "b", "c"], *kept]


def test_text_around_a_table_and_wide_cells_are_kept() -> None:
    pieces = paging._split(
        "<p>before</p><table><tr><th colspan=2>x</th></tr><tr><td>1</td><td>2</td></tr></table>after"
    )
    assert [type(piece) for piece in pieces] == [str, list, str]
    grid = paging._make_grid(pieces[1], NO_LINKS)  # type: ignore[arg-type]
    assert grid is not None
    assert (grid.header, grid.to_csv()) == (["x", ""], b"x,\n1,2\n")


@pytest.mark.parametrize(
    ("texts", "is_number"),
    [
        (["+14.1 %", "−3", "1,234"], True),
        (["230 USD mn", ""], True),
        (["2013", "no"], False),
        (["", ""], False),
    ],
)
def test_columns_of_numbers_are_recognised(texts: list[str], is_number: bool) -> None:
    assert (paging._kind(tuple(paging.Cell(text) for text in texts)) == "n") is is_number


# --- Published whole


def _state(site: Path) -> dict[str, str]:
    return {
        path.relative_to(site).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in site.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory, what_if_payload: Any) -> Path:
    """Two runs and their site, which nobody changes."""
    folder = tmp_path_factory.mktemp("small")
    for slug in ("default", "other"):
        site_runs.put_run(folder, site_runs.FIRST, slug)
    build_site(folder)
    return folder


@pytest.fixture
def small(small_site: Path, tmp_path: Path) -> Path:
    """Two runs and their site, to be changed."""
    return shutil.copytree(small_site, tmp_path, symlinks=True, dirs_exist_ok=True)


def test_the_same_runs_give_the_same_site_byte_for_byte(
    small: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = tmp_path_factory.mktemp("again")
    for slug in ("other", "default"):
        site_runs.put_run(again, site_runs.FIRST, slug)
    build_site(again)
    assert _state(small / "site") == _state(again / "site")


def test_nothing_is_made_again_that_has_not_changed(small: Path) -> None:
    before = _state(small / "site")
    assert build_site(small).made == []
    assert _state(small / "site") == before


def test_one_changed_run_makes_its_own_page_and_those_of_all_runs(small: Path) -> None:
    site_runs.put_run(small, site_runs.FIRST, "other", key="3" * 64)
    made = build_site(small).made
    assert f"runs/{site_runs.FIRST}/other" in made
    assert not {f"runs/{site_runs.FIRST}/default", "figures", "targets", "data", "static"} & set(made)
    assert "3" * 64 in (small / "site" / "runs" / site_runs.FIRST / "other" / "index.html").read_text(
        encoding="utf-8"
    )


def test_what_no_checksum_of_the_data_covers_renews_the_pages_that_show_it(
    small: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = shutil.copytree(package.data_dir(), tmp_path_factory.mktemp("own") / "data")
    monkeypatch.setenv(package.DATA_ENV, str(data))
    monkeypatch.delenv(package.KEPT_ONLY_ENV)
    monkeypatch.setattr(run_pages, "whatif_files", lambda: {"whatif.html": b""})
    (data / "fetched").mkdir(exist_ok=True)
    journal = small / "runs" / site_runs.FIRST / "default" / "run.json"
    record = json.loads(journal.read_text(encoding="utf-8"))
    record["parts"]["data"]["fetched/x.parquet"] = ""
    journal.write_text(json.dumps(record), encoding="utf-8")
    build_site(small)
    for name in ("README.md", "reference/README.md"):
        with (data / name).open("a", encoding="utf-8") as file:
            file.write("More words.\n")
        assert build_site(small).made == ["data"]
    (data / "fetched" / "x.parquet").write_bytes(b"")
    assert sorted(build_site(small).made) == [f"runs/{site_runs.FIRST}/default", "whatif"]


def test_a_page_that_was_altered_or_lost_is_made_again(small: Path) -> None:
    before = _state(small / "site")
    (small / "site" / "about" / "index.html").write_text("altered", encoding="utf-8")
    (small / "site" / "figures" / "index.html").unlink()
    (small / "site" / "stray.html").write_text("stray", encoding="utf-8")
    assert build_site(small).made == ["about", "figures"]
    assert _state(small / "site") == before


@pytest.mark.parametrize("place", ["site/about/index.html", f"runs/{site_runs.FIRST}/other/notebook.ipynb"])
def test_a_flipped_byte_is_noticed_though_size_and_date_are_the_old_ones(small: Path, place: str) -> None:
    before, path = _state(small / "site"), small / place
    build_site(small)  # every file is known by now
    status, content = path.stat(), path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    built = build_site(small)
    assert "about" in built.made if place.startswith("site") else built.failed
    path.write_bytes(content)
    build_site(small)
    assert _state(small / "site") == before


def test_a_draft_that_somebody_touched_does_not_reach_the_site(small: Path) -> None:
    before, draft = _state(small / "site"), small / ".site-drafts" / "next"
    about = draft / "about" / "index.html"
    about.unlink()
    about.write_text("altered", encoding="utf-8")
    (draft / "stray").symlink_to(small)
    (draft / "figures" / "index.html").unlink()
    assert build_site(small).made == []
    assert _state(small / "site") == before


def test_a_file_that_is_shared_is_never_written_into(small: Path) -> None:
    os.link(small / "site" / "about" / "index.html", small / "aside.html")
    shared = (small / "aside.html").read_bytes()
    site_runs.put_run(small, site_runs.FIRST, "third")
    assert "about" in build_site(small).made
    assert (small / "aside.html").read_bytes() == shared != (small / "site/about/index.html").read_bytes()


def test_a_run_that_is_gone_leaves_no_page(small: Path) -> None:
    for path in (small / "runs" / site_runs.FIRST / "other").iterdir():
        path.unlink()
    build_site(small)
    assert not (small / "site" / "runs" / site_runs.FIRST / "other").exists()
    known = json.loads((small / ".site-drafts" / "known.json").read_bytes())
    assert known and not [path for path in known if not Path(path).exists()]


def test_a_build_that_fails_leaves_the_old_site(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _state(small / "site")
    site_runs.put_run(small, site_runs.FIRST, "other", key="4" * 64)

    def stop(*_: Any) -> Any:
        raise RuntimeError("stopped")

    monkeypatch.setattr(run_pages, "results_files", stop)
    with pytest.raises(RuntimeError, match="stopped"):
        build_site(small)
    assert _state(small / "site") == before
    assert {path.name for path in (small / ".site-drafts").iterdir()} <= {"next", "known.json"}


BUILDER = """
import os, sys
from pathlib import Path
from lib.tools.site.build import build_site

def begin(folder):
    if (pid := os.fork()) == 0:
        build_site(Path(folder))
        os._exit(0)
    return pid

for line in sys.stdin:
    count, folder = line.rstrip().split(" ", 1)
    pids = [begin(folder) for _ in range(int(count))]
    print(*pids, flush=True)
    print(*[os.waitpid(pid, 0)[1] for pid in pids], flush=True)
"""


@pytest.fixture(scope="module")
def begin_builds() -> Iterator[Callable[..., tuple[list[int], IO[str]]]]:
    """Begin builds in processes of their own, forked from one that has imported all: their ids, and a stream.

    The stream says how they ended, as soon as all of them have.
    """
    command, pipe = [sys.executable, "-c", BUILDER], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        ours, theirs = process.stdin, process.stdout
        assert ours is not None and theirs is not None

        def begin(folder: Path, count: int = 1) -> tuple[list[int], IO[str]]:
            ours.write(f"{count} {folder}\n")
            return [int(pid) for pid in theirs.readline().split()], theirs

        yield begin


@exhaustive
def test_a_build_that_is_killed_at_any_moment_leaves_a_whole_site(small: Path, begin_builds: Any) -> None:
    valid = [_state(small / "site")]
    site_runs.put_run(small, site_runs.FIRST, "other", key="5" * 64)
    build_site(small)
    valid.append(_state(small / "site"))
    moments = np.random.default_rng(1).uniform(0, 1.2, 8)
    for place, moment in enumerate(some(moments, 2)):
        site_runs.put_run(small, site_runs.FIRST, "other", key=("2" if place % 2 else "5") * 64)
        (pid,), ends = begin_builds(small)
        if not select.select([ends], [], [], moment)[0]:  # else it had ended by itself
            os.kill(pid, signal.SIGKILL)
        assert int(ends.readline()) in (0, signal.SIGKILL)
        assert _state(small / "site") in valid
    build_site(small)
    assert _state(small / "site") in valid
    assert {path.name for path in (small / ".site-drafts").iterdir()} <= {"next", "known.json"}


def test_two_builds_at_once_do_no_harm(small: Path, begin_builds: Any) -> None:
    site_runs.put_run(small, site_runs.FIRST, "other", key="6" * 64)
    _, ends = begin_builds(small, 2)
    assert ends.readline() == "0 0\n"
    state = _state(small / "site")
    build_site(small)
    assert _state(small / "site") == state


def test_where_folders_cannot_be_exchanged_a_kill_between_two_renames_is_mended(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.ctypes, "CDLL", lambda _: None)
    before = _state(small / "site")
    build_site(small)
    assert _state(small / "site") == before
    (small / "site").rename(small / ".site-drafts" / "old")
    assert build_site(small).made == []
    assert _state(small / "site") == before


def test_the_command_says_what_it_made_and_which_runs_failed(tmp_path: Path) -> None:
    site_runs.put_run(tmp_path, site_runs.FIRST)
    done = CliRunner().invoke(main, ["site", "--out", str(tmp_path)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.search(r"^\d+ parts made, 0 kept: .*index\.html$", done.stdout)
    site_runs.put_run(tmp_path, site_runs.FIRST, "bad", status="failed", error="cell 2: KeyError: 'x'\nmore")
    done = CliRunner().invoke(main, ["site", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert done.stderr == f"FAILED {site_runs.FIRST}/bad: cell 2: KeyError: 'x'\n"
    assert (tmp_path / "site" / "runs" / site_runs.FIRST / "bad" / "index.html").exists()
    assert CliRunner().invoke(main, ["site", "--out", str(tmp_path / "none")]).exit_code == 2


def test_without_a_run_there_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"found no run, expected some; `tradegoals run` makes them"):
        build_site(tmp_path)


def test_a_folder_that_no_build_has_made_is_not_replaced(small: Path) -> None:
    (small / "site" / "built.json").unlink()
    with pytest.raises(UserError, match="that no build of the site made"):
        build_site(small)
    assert (small / "site" / "index.html").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(small: Path) -> None:
    small.chmod(0o500)
    try:
        with pytest.raises(UserError, match="cannot be"):
            build_site(small)
    finally:
        small.chmod(0o700)
