"""The site in a real browser: it searches, sorts and filters, is accessible, and lets nothing run that it shows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import site_runs
from browser import Visit, axe_faults, new_visit
from sampling import exhaustive, some, thorough

FIRST = f"runs/{site_runs.FIRST}"
KINDS = {
    "first page": "index.html",
    "goals": "goals/index.html",
    "notebooks": "runs/index.html",
    "cases": f"{FIRST}/index.html",
    "register": "targets/index.html",
    "figures": "figures/index.html",
    "data": "data/index.html",
    "methods": "methods/index.html",
    "about": "about/index.html",
    "search": "search/index.html",
    "failed run": f"{FIRST}/goal-9/index.html",
    **{name: f"runs/{name}/default/index.html" for name in some(site_runs.NAMES, 8)},
}
SHORTEN = (
    "document.querySelectorAll('tbody').forEach(body => [...body.rows].slice(5).forEach(row => row.remove()))"
)
PAINTED = "new Promise(done => new PerformanceObserver(done).observe({type: 'paint', buffered: true})).then(() => 1)"
Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def site(whole_site: Path) -> Path:
    """A site of all committed notebooks, one more case, and one that failed."""
    return whole_site / "site"


@pytest.fixture(scope="module")
def reader(browser: Any) -> Iterator[Visit]:
    """One page for all tests that leave nothing behind in it: each of its own costs a process."""
    visit = new_visit(browser)
    yield visit
    visit.page.context.close()


@pytest.fixture
def turn_to(reader: Visit, site: Path) -> Iterator[Callable[[str], Any]]:
    """Open a page of the site in that one: `turn_to(path)`. An error in its console fails the test."""

    def go(path: str) -> Any:
        reader.page.goto((site / path).as_uri(), wait_until="load")
        return reader.page

    yield go
    faults = [*reader.errors, *reader.outside]
    reader.errors.clear()
    reader.outside.clear()
    assert not faults, "\n".join(faults)


SCREENS = {"desktop, light": (1280, False), "phone, dark": (390, True)}
PAGES = [
    (screen, kind)
    for place, screen in enumerate(SCREENS)
    for kind in ([*KINDS] if thorough() else [*KINDS][place::2])
]
"""A default run opens every kind of page on one of the screens."""


@pytest.fixture(scope="module")
def visits(browser: Any) -> Iterator[dict[str, Visit]]:
    """For each screen a page on which many are opened one after the other: a new one takes longer than most tests."""
    visits = {name: new_visit(browser, width=width, dark=dark) for name, (width, dark) in SCREENS.items()}
    yield visits
    for visit in visits.values():
        visit.page.context.close()


@exhaustive
@pytest.mark.parametrize(("screen", "kind"), PAGES)
def test_a_page_is_accessible_quiet_and_no_wider_than_the_screen(
    visits: dict[str, Visit], site: Path, screen: str, kind: str
) -> None:
    visit, width = visits[screen], SCREENS[screen][0]
    visit.errors.clear()
    visit.outside.clear()
    visit.page.goto((site / KINDS[kind]).as_uri(), wait_until="load")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    if not thorough():  # rows are alike, and axe takes seconds for hundreds
        visit.page.evaluate(SHORTEN)
    assert axe_faults(visit.page) == []
    assert (visit.errors, visit.outside) == ([], [])


@exhaustive
@pytest.mark.parametrize(
    ("kind", "cell"),
    some([("first page", "td.chance"), ("goals", "td.chance"), ("register", "td.met")], 2),
)
def test_what_matters_in_a_wide_table_is_in_sight_on_a_phone(
    visits: dict[str, Visit], site: Path, kind: str, cell: str
) -> None:
    page = visits["phone, dark"].page
    page.goto((site / KINDS[kind]).as_uri(), wait_until="load")
    boxes = [found.bounding_box() for found in page.locator(f"table.cards {cell}:visible").all()[:9]]
    assert boxes
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


def test_pages_work_over_http_by_their_short_addresses(open_page: Open, site: Path, served: Any) -> None:
    page = open_page(f"{served(site)}/{FIRST}/default/").page
    page.click("text=How this page was made")
    page.click("nav >> text=Register of targets")
    page.wait_for_url("**/targets/**")
    assert page.title().startswith("Register")


def test_a_reader_gets_from_a_picture_to_its_address_in_two_clicks(turn_to: Any) -> None:
    page = turn_to(f"{FIRST}/default/index.html")
    link = page.locator("figure.picture figcaption a").first
    figure_id = link.inner_text()
    link.click()
    row = page.locator(f"[id='{figure_id}']")
    row.wait_for()
    assert row.locator("a[href^=http]").first.get_attribute("href").startswith("http")


def test_search_finds_a_figure_and_leads_to_its_row(turn_to: Any) -> None:
    page = turn_to(f"{FIRST}/default/index.html")
    page.fill("header input[name=q]", "harbin china daily 2013")
    page.press("header input[name=q]", "Enter")
    page.wait_for_url("**/search/index.html?q=*")
    page.click("#hits a >> nth=0")
    assert page.url.endswith("#HRB-RU-total-2013-a")
    page.locator("[id='HRB-RU-total-2013-a']").wait_for()


FOUND = [
    ("calibrated", "notebook"),
    ("HARBÍN", "figure"),
    ("pakistan", "target"),
    ("2014 no figure", "failed run"),
]


@exhaustive
@pytest.mark.parametrize(("asked", "kind"), some(FOUND, 2))
def test_search_knows_all_kinds(turn_to: Any, asked: str, kind: str) -> None:
    page = turn_to(KINDS["search"])
    page.fill("#q", asked)
    assert kind in "\n".join(page.locator("#hits li .small").all_inner_texts())
    page.fill("#q", "zzzz nothing like it")
    assert page.inner_text("#count").startswith("No ")
    assert page.locator("#hits li").count() == 0


OTHER_NAMES = [
    ("黑龙江", "Heilongjiang"),
    ("Russian Federation", "Russia"),
    ("heilonjiang", "Heilongjiang"),
    ("俄罗斯 harbn", "Harbin"),
]


@exhaustive
@pytest.mark.parametrize(("asked", "name"), some(OTHER_NAMES, 2))
def test_search_forgives_a_typo_and_knows_other_names(turn_to: Any, asked: str, name: str) -> None:
    page = turn_to(KINDS["search"])
    page.fill("#q", asked)
    assert name in page.locator("#hits li a").first.inner_text()
    corrected = "Taken for" in page.inner_text("#count")
    assert corrected == ("har" in asked or "heil" in asked)


def test_a_column_of_numbers_sorts_as_numbers_with_blanks_last(turn_to: Any) -> None:
    page = turn_to(KINDS["register"])
    column = "table.targets tbody td:nth-child(5)"
    for direction in ("ascending", "descending"):
        page.click("thead th:has-text('Asks')")
        shown = [text.replace("−", "-") for text in page.locator(column).all_inner_texts()]
        numbers = [float(text) for text in shown if text]
        assert numbers == sorted(numbers, reverse=direction == "descending")
        assert not any(shown[len(numbers) :])
        assert page.get_attribute("th:has-text('Asks')", "aria-sort") == direction
    page.click("thead th:has-text('Flow')")
    names = [text.split("\n")[0] for text in page.locator("table.targets tbody th").all_inner_texts()]
    assert names[0] < names[-1]
    assert page.locator("th[aria-sort]").count() == 1


def test_levels_sort_by_size_whatever_their_unit(turn_to: Any) -> None:
    page = turn_to(KINDS["figures"])
    page.click("thead th:has-text('Value')")
    sizes = page.eval_on_selector_all(
        "table.figures tbody td:nth-child(4)", "cells => cells.map(cell => cell.dataset.sort)"
    )
    numbers = [float(size) for size in sizes if size]
    assert numbers == sorted(numbers)


def test_filters_narrow_a_table_together(turn_to: Any) -> None:
    page = turn_to(KINDS["register"])
    visible = page.locator("table.targets tbody tr:visible")
    every = visible.count()
    page.select_option("select[name=Met]", "yes")
    assert set(page.locator("table.targets tbody tr:visible td.met").all_inner_texts()) == {"yes"}
    met = visible.count()
    page.fill(".filters input[name=text]", "pakistan")
    assert 0 < visible.count() < met < every
    assert all("Pakistan" in text for text in visible.all_inner_texts())
    assert page.inner_text(".filters output") == f"{visible.count()} of {every} rows"
    page.fill(".filters input[name=text]", "")
    page.select_option("select[name=Met]", "")
    assert visible.count() == every


def test_goals_filter_by_day(turn_to: Any) -> None:
    page = turn_to(KINDS["goals"])
    page.select_option("select[name='As of']", "2014-04-15")
    assert set(page.locator("table.goals tbody tr:visible td.day").all_inner_texts()) == {"2014-04-15"}


def test_code_is_folded_until_asked_for(turn_to: Any) -> None:
    page = turn_to(f"{FIRST}/default/index.html")
    code = page.locator(".code pre")
    assert code.count() > 3
    assert not any(code.nth(place).is_visible() for place in range(code.count()))
    page.check("text=Show the code")
    assert all(code.nth(place).is_visible() for place in range(code.count()))


def test_the_choice_of_light_or_dark_lasts(turn_to: Any) -> None:
    page = turn_to("index.html")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.click("button.theme")
    dark = page.evaluate(paper)
    assert dark != light
    page.click("nav >> text=About")
    page.wait_for_url("**/about/index.html")
    assert page.evaluate(paper) == dark
    page.click("button.theme")
    assert page.evaluate(paper) == light


def test_a_page_is_painted_before_its_data_arrive(open_page: Open, site: Path, served: Any) -> None:
    address = served(site)
    page = open_page(f"{address}/about/index.html").page
    held: list[Any] = []
    page.route("**/words.js", lambda route: held.append(route))
    page.goto(f"{address}/search/index.html", wait_until="commit")
    page.evaluate(PAINTED)
    assert page.locator("h1").is_visible()
    assert len(held) == 1
    held[0].continue_()


def test_pages_can_be_read_without_scripts(open_page: Open, site: Path) -> None:
    page = open_page(site / FIRST / "default" / "index.html", java_script_enabled=False).page
    assert page.locator("figure.picture img").first.is_visible()
    assert page.locator("table").first.is_visible()
    assert not page.locator("button.theme").is_visible()
    page.goto((site / "targets" / "index.html").as_uri())
    assert page.locator("table.targets tbody tr").count() > 300
    assert not page.locator("form.filters").is_visible()


def test_print_repeats_headers_and_leaves_no_picture_and_no_column_out(turn_to: Any) -> None:
    page = turn_to(f"runs/{site_runs.NAMES[1]}/default/index.html")
    page.emulate_media(media="print")
    kept = "getComputedStyle(document.querySelector('table.sorts thead')).breakInside"
    assert page.evaluate(kept) == "avoid"  # only such a header is repeated, and without the controls in it
    assert not any(page.locator("thead button").all_text_contents())
    assert all(picture.is_visible() for picture in page.locator("figure.picture img").all())
    assert page.locator("div.scroll").first.evaluate("box => getComputedStyle(box).overflowX") == "visible"
    page.emulate_media(media="null")


@exhaustive
def test_no_text_or_address_of_a_run_or_of_the_data_can_run(open_page: Open, nasty_site: Path) -> None:
    page = open_page(nasty_site / "index.html").page
    for path in some(sorted(nasty_site.rglob("*.html")), 4):
        page.goto(path.as_uri())  # a dialog, a console error or a request fails the test at its end
        for summary in page.locator("details > summary").all()[:3]:
            summary.click()
        page.wait_for_timeout(20)
    search = (nasty_site / "search" / "index.html").as_uri()
    page.goto(search)
    page.fill("#q", "script alert")
    assert page.locator("#hits li").count() > 0
    page.goto(f"{search}?q=<img src=x onerror=alert(1)>")
    assert page.input_value("#q") == "<img src=x onerror=alert(1)>"
