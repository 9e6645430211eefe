"""The what-if page in a browser: the numbers of lib, every control, shared addresses, hostile ones, access."""

import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from browser import Visit, axe_faults, new_visit
from pastes import PASTES
from sampling import exhaustive, some, thorough

from lib import outlook, reference
from lib.analysis import question, what_if, what_if_data
from lib.analysis.asking import ask
from lib.cases import MAX_HORIZON_YEARS, GoalCase, TrendCase
from lib.errors import UserError
from lib.goals import READINGS
from lib.law import FAN
from lib.outlook import Answer
from lib.tools.whatif import page

pytestmark = pytest.mark.usefixtures("tables_read_once")

FLOWS = [
    ("Harbin", "Russia", "total"),
    ("Heilongjiang", "Russia", "total"),
    ("China", "Russia", "total"),
    ("China", "Russia", "import"),
    ("Harbin", "World", "export"),
    ("Russia", "China", "total"),
    ("Heilongjiang", "Soviet Union", "total"),
]
GOALS = ("25 %", "-5 %", "0 %", "7.5 %", "900 USD mn")
DEADLINES = (1, 2, 3, 5, 9)
CASES_A_FLOW = 16 if thorough() else 2
OWN = "2015 310|2016 290|2018 420|2019 505 +20.2 %"


@pytest.fixture(scope="module")
def file(tables_read_once: Any, what_if_payload: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.write_page(tmp_path_factory.mktemp("site"))


def address(case: GoalCase) -> str:
    """A case as the part of the page's address after its file."""
    return f"#{urlencode(case.model_dump(mode='json'))}"


def visit(open_page: Any, file: Path, address: str = "", **options: Any) -> Any:
    found = open_page(file.resolve().as_uri() + address, **options)
    found.page.locator("#reading-table td").first.wait_for()
    return found


GO_TO = """address => new Promise((done) => {
  history.replaceState(null, "", "#-");
  addEventListener("hashchange", () => requestAnimationFrame(() => setTimeout(done, 0)), { once: true });
  location.hash = `#&${address.slice(1)}`;  // as the page itself never writes it: that it would not read again
})"""


@pytest.fixture(scope="module")
def loaded(browser: Any, file: Path) -> Iterator[Visit]:
    """The page, loaded once: that takes longer than most tests."""
    found = new_visit(browser)
    found.page.goto(file.resolve().as_uri(), wait_until="load")
    yield found
    found.page.context.close()


@pytest.fixture
def show(loaded: Visit) -> Iterator[Callable[..., Any]]:
    """The loaded page as an address shows it: `show(address)`. An error in its console fails the test."""

    def go(address: str = "") -> Any:
        loaded.page.evaluate(GO_TO, address)
        loaded.page.locator("#reading-table td").first.wait_for()
        return loaded.page

    yield go
    faults = [*loaded.errors, *loaded.outside]
    loaded.errors.clear()
    loaded.outside.clear()
    assert not faults, "\n".join(faults)


# --- the numbers of lib ---


def cases(flow: tuple[str, str, str]) -> list[GoalCase]:
    """A random sample of the grid days × bases × deadlines × goals × currencies of a flow."""
    names = dict(zip(("reporter", "partner", "flow"), flow, strict=True))
    levels = next(one["levels"] for one in what_if_data.payload()["flows"] if names.items() <= one.items())
    grid = [
        {
            **names,
            "currency": currency,
            "as_of": day,
            "goal": goal,
            "base_year": base,
            "deadline": base + years,
        }
        for currency, days in levels.items()
        for day in {days[0][0], days[len(days) // 2][0], days[-1][0], "2026-11-24"}
        for base in TrendCase(**names, currency=currency, as_of=day).series().index.tolist()
        for goal in GOALS
        for years in DEADLINES
        if not (currency == "CNY" and "USD" in goal)
    ]
    grid.sort(key=str)  # sets have no order
    chosen = random.Random(7).sample(grid, min(CASES_A_FLOW, len(grid)))
    return [GoalCase.check(values) for values in chosen]


def compare(found: dict[str, Any], wanted: Answer) -> None:
    """Probabilities to 1e-6, levels to 1e-6 of themselves, words exactly.

    A goal that ends years after a hidden year that it asks for has no law on the page.
    """
    near = {"abs": 1e-6, "rel": 1e-6}
    if not found["chances"] and len(wanted.chances):
        assert wanted.goal.deadline in wanted.levels.index and wanted.law is not None
        assert wanted.goal.deadline - max(wanted.law.years) > what_if_data.AFTER_GAP
        return
    assert found["chances"] == pytest.approx(wanted.chances.to_dict(), abs=1e-6, rel=0)
    assert found["kind"] == wanted.kind
    needed = wanted.needed["needed"].dropna().to_dict()
    assert {name: found["needed"][name] for name in needed} == pytest.approx(needed, **near)
    verdicts = {one.reading: (one.outcome, one.reason) for one in wanted.verdicts}
    assert {name: (one["outcome"], one["reason"]) for name, one in found["verdicts"].items()} == verdicts
    ahead = what_if.years_ahead(wanted)
    assert [row["year"] for row in found["ahead"]] == ahead.index.to_list()
    for row, (_, want) in zip(found["ahead"], ahead.iterrows(), strict=True):
        assert row["fan"] == pytest.approx(want[list(FAN)].to_list(), rel=1e-6)
        assert row["path"] == pytest.approx(want["path_mn"], rel=1e-6)
        odds = [row["onPath"], row["alone"]]
        assert odds == pytest.approx([want["p_path"], want["p_year"]], abs=1e-6, rel=0)
    assert found["base"]["share"] == pytest.approx(base_rate_of(wanted), abs=1e-6)
    assert found["evidence"] == dict(wanted.evidence)
    if wanted.expected is not None:
        shares = wanted.expected.shares
        rows = found["gap"]["shares"]
        assert [row[0] for row in rows] == shares["source"].to_list()
        assert [row[1] for row in rows] == pytest.approx(shares["share"].to_list(), abs=1e-6)
        assert found["gap"]["source"] == wanted.expected.prior.source
        assert found["gap"]["warning"] == wanted.warning


def base_rate_of(answer: Answer) -> float | None:
    """What the notebooks say of flows as large as the base; None where no panel reaches so far back."""
    goal, case = answer.goal, answer.case
    size = case.usd_mn(goal.base_mn, goal.base_year) * 1e6
    try:
        return float(reference.known_share(size, case.as_of, goal.years, goal.rate))
    except UserError:
        return None


ASK = "states => states.map(state => window.tradegoals.answer(state))"


@exhaustive
@pytest.mark.parametrize("flow", FLOWS, ids="-".join)
def test_the_page_computes_what_lib_computes(show: Any, flow: tuple[str, str, str]) -> None:
    asked = cases(flow)
    states = [{**case.model_dump(mode="json"), "own": ""} for case in asked]
    found = show().evaluate(ASK, states)
    for case, one in zip(asked, found, strict=True):
        compare(one, outlook.of(case))


@pytest.mark.parametrize(
    ("figures", "goal", "base", "deadline", "currency"),
    [
        (OWN, "15 %", 2019, 2024, "USD"),
        (OWN, "15 %", 2015, 2019, "USD"),
        (OWN, "40 %", 2018, 2021, "CNY"),
        ("2025 3.5", "3 %", 2025, 2035, "USD"),
        ("1980 90000\n1981 95000", "12 USD bn", 1981, 1985, "USD"),
    ],
)
def test_own_figures_are_forecast_as_lib_does(
    show: Any, figures: str, goal: str, base: int, deadline: int, currency: str
) -> None:
    state = {"reporter": "own", "partner": "", "flow": "total", "as_of": "2026-11-24", "reading": "average"}
    state |= {"own": figures, "goal": goal, "base_year": base, "deadline": deadline, "currency": currency}
    found = show().evaluate(ASK, [state])[0]
    own = ask(figures, goal=goal, base=base, deadline=deadline, currency=currency, as_of="2026-11-24")
    compare(found, own)


def test_a_multiple_of_the_base_is_a_goal_and_keeps_its_words(show: Any) -> None:
    case = GoalCase(goal="3 times the base")
    sheet = show(address(case))
    assert sheet.locator("#problems").is_hidden()
    assert "3 times the base 2012–2015" in sheet.inner_text("#title")
    assert shown(sheet)["chance"] == pytest.approx(outlook.of(case).chances["average"], abs=1e-6)


@exhaustive
def test_announced_goals_and_others_beside_them_have_the_whole_answer(show: Any) -> None:
    """On the day of the announcement and today, for the goal, another rate and a longer time."""
    stated = what_if_data.payload()["goals"]
    first = [GoalCase.check({name: goal[name] for name in GoalCase.model_fields}) for goal in stated]
    other = [{"goal": "8 %"}, {"goal": "8 %", "deadline": 2027}]
    asked = [
        day.model_copy(update=change)
        for case in first
        for day in (case, case.today())
        for change in ({}, *other)
    ]
    asked = [case for case in asked if case.deadline - case.base_year <= MAX_HORIZON_YEARS]
    asked = asked[:: max(1, len(asked) // (24 if thorough() else 12))]
    states = [{**case.model_dump(mode="json"), "own": ""} for case in asked]
    evidence = set()
    for case, one in zip(asked, show().evaluate(ASK, states), strict=True):
        wanted = outlook.of(case)
        compare(one, wanted)
        evidence |= set(wanted.evidence)
    assert {"larger flows", "later level", "months"} <= evidence


def test_nothing_is_a_forecast_once_the_deadline_is_over(show: Any) -> None:
    today = "#as_of=2026-11-24"
    text = show(today).inner_text(".verdict")
    assert "inferred" in text and "chance that it holds" not in text and "will be met" not in text
    other = show(f"{today}&goal=24")
    assert "inferred" in other.inner_text(".verdict")
    assert "China 2014" in other.inner_text("#knows")
    assert "nothing" in other.inner_text("#reading-table")
    ended = "#reporter=Heilongjiang&partner=Russia&flow=total&goal=14+USD+bn&base_year=2005&deadline=2010"
    assert show(ended).inner_text("#big") == "Missed."


def shown(sheet: Any) -> dict[str, float]:
    """The numbers on the page at full precision, by what they are."""
    found = sheet.eval_on_selector_all(
        "data[data-what]", "nodes => nodes.map(node => [node.dataset.what, Number(node.value)])"
    )
    return dict(found)


def test_what_is_computed_is_what_is_shown(show: Any) -> None:
    sheet = show()
    wanted, numbers = outlook.of(GoalCase()), shown(sheet)
    for reading in READINGS:
        assert numbers[f"chance {reading}"] == pytest.approx(wanted.chances[reading], abs=1e-6)
        assert numbers[f"needed {reading}"] == pytest.approx(wanted.needed["needed"][reading], abs=1e-6)
    assert numbers["chance"] == numbers["chance average"]
    assert numbers["base rate"] == pytest.approx(base_rate_of(wanted), abs=1e-6)
    for year, row in what_if.years_ahead(wanted).iterrows():
        assert numbers[f"path {year}"] == pytest.approx(row["p_path"], abs=1e-6)
        assert numbers[f"alone {year}"] == pytest.approx(row["p_year"], abs=1e-6)
        assert numbers[f"median {year}"] == pytest.approx(row[0.5], rel=1e-6)
    assert {numbers[f"level {year}"] for year in (2012, 2013)} == {230 / 1.5, 230}
    assert sheet.inner_text("#big") == f"{wanted.chances['average']:.0%}".replace("%", " %")


def test_measured_coverage_stands_beside_the_fan(show: Any) -> None:
    """Under a forecast the sentence of the notebooks' figures, of its size and horizon; under nothing else."""
    sheet, forecast = show(), outlook.of(GoalCase())
    assert forecast.expected is not None
    assert sheet.inner_text("#coverage") == reference.coverage_line(2, forecast.expected.size_usd)
    far = show(
        "#reporter=China&as_of=2026-11-24&partner=Russia&flow=total&goal=300+USD+bn&base_year=2022&deadline=2045"
    )
    assert far.inner_text("#coverage") == reference.coverage_line(20, 245e9)
    over = show("#as_of=2026-11-24")
    assert over.inner_text("#coverage") == ""


# --- the controls ---


def set_value(sheet: Any, name: str, value: str) -> None:
    """Give a field a value as a reader does, and wait for the numbers."""
    sheet.eval_on_selector(
        f"#{name}",
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input', {bubbles: true})); }",
        value,
    )
    settle(sheet)


def settle(sheet: Any) -> None:
    sheet.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")


CHINA = "#reporter=China&partner=Russia&flow=total&as_of=2012-06-15&goal=12&base_year=2009&deadline=2015"
CONTROLS = [
    ("rate-slider", "30"),
    ("rate", "31.5"),
    ("level", "90000"),
    ("deadline-slider", "2014"),
    ("deadline", "2017"),
    ("base", "2008"),
    ("as-of", "2026-11-24"),
    ("as-of-slider", "3"),
    ("currency", "CNY"),
    ("which", "0"),
    ("which", "own"),
    ("stated", "1"),
]


@exhaustive
@pytest.mark.parametrize(("name", "value"), some(CONTROLS, 2))
def test_every_control_changes_the_numbers(show: Any, name: str, value: str) -> None:
    sheet = show(CHINA)
    before, title = shown(sheet), sheet.inner_text("#title")
    picture = sheet.inner_html("#chart")
    set_value(sheet, name, value)
    assert shown(sheet) != before
    assert sheet.inner_html("#chart") != picture
    assert sheet.locator("#problems").is_hidden()
    assert name == "currency" or sheet.inner_text("#title") != title


def test_the_reading_decides_which_probability_is_the_answer(show: Any) -> None:
    sheet = show()
    for reading in READINGS:
        sheet.click(f"label:has(#reading-{reading})")
        settle(sheet)
        assert shown(sheet)["chance"] == shown(sheet)[f"chance {reading}"]


def test_own_figures_can_be_typed(show: Any) -> None:
    sheet = show()
    sheet.select_option("#which", "own")
    settle(sheet)
    assert sheet.locator("#day").is_hidden()
    sheet.fill("#own", "2020 100\n2021 130\n2022 143 +10 %")
    settle(sheet)
    assert {shown(sheet)[f"level {year}"] for year in (2020, 2021, 2022)} == {100, 130, 143}
    sheet.fill("#own", "2020 100\n2021 a lot")
    settle(sheet)
    assert 'line 2: found "2021 a lot"' in sheet.inner_text("#problems")


READ = "texts => texts.map(text => [...window.tradegoals.readFigures(text)].map(([year, level]) => [year, level.value]))"


def test_a_paste_is_read_as_in_python(show: Any) -> None:
    found = show().evaluate(READ, list(PASTES))
    for read, (text, levels) in zip(found, PASTES.items(), strict=True):
        assert {int(year): level for year, level in read} == question.read_figures(text).to_dict() == levels


def test_a_refused_paste_stays_and_its_line_is_selected(show: Any) -> None:
    sheet = show()
    sheet.select_option("#which", "own")
    settle(sheet)
    text = "year;value\n2021;1.234\n2022;n/a"
    paste = "text => { const own = document.getElementById('own'); own.focus(); own.value = text;"
    paste += " own.dispatchEvent(new InputEvent('input', { bubbles: true, inputType: 'insertFromPaste' })); }"
    sheet.evaluate(paste, text)
    settle(sheet)
    assert 'line 3: found "2022;n/a"' in sheet.inner_text("#problems")
    assert sheet.evaluate("() => getSelection().toString()") == "2022;n/a"
    sheet.select_option("#currency", "CNY")
    settle(sheet)
    assert sheet.input_value("#own") == text
    assert sheet.get_attribute("#own", "aria-invalid") == "true"


def test_the_copy_button_is_in_sight(show: Any) -> None:
    sheet = show()
    for width, height in ((1280, 900), (900, 900)):
        sheet.set_viewport_size({"width": width, "height": height})
        box = sheet.locator("#copy").bounding_box()
        assert box and box["x"] + box["width"] <= width and box["y"] + box["height"] <= height
    sheet.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize(
    ("name", "value"), [("rate", ""), ("rate", "-100"), ("deadline", "1"), ("level", "-3")]
)
def test_what_cannot_be_is_said_and_changes_nothing(show: Any, name: str, value: str) -> None:
    sheet = show()
    before = shown(sheet)
    set_value(sheet, name, value)
    assert "expected" in sheet.inner_text("#problems")
    assert shown(sheet) == before
    set_value(sheet, "rate", "20")
    assert sheet.locator("#problems").is_hidden()


def test_keys_move_a_slider_and_the_answer_is_told(show: Any) -> None:
    sheet = show()
    before = shown(sheet)["chance"]
    sheet.focus("#rate-slider")
    for _ in range(4):
        sheet.keyboard.press("ArrowRight")
    settle(sheet)
    assert sheet.input_value("#rate") == "27"
    assert shown(sheet)["chance"] < before
    sheet.locator("#live", has_text="+27 %").wait_for(state="attached")


# --- the address ---


def hash_of(sheet: Any) -> str:
    sheet.wait_for_timeout(350)  # written once the changes have come to rest
    return str(sheet.evaluate("location.hash"))


ADDRESSES = [
    "",
    "#goal=40&reading=every_year",
    CHINA,
    "#reporter=Heilongjiang&partner=Russia&flow=total&as_of=2008-12-31&goal=14+USD+bn&base_year=2005&deadline=2010",
    "#reporter=own&own=2019+310%7C2021+420&goal=30&deadline=2027&currency=CNY&reading=mean_of_rates",
    "#as_of=2014-09-01",
]


@exhaustive
@pytest.mark.parametrize("address", some(ADDRESSES, 3))
def test_a_shared_address_restores_the_view(show: Any, open_page: Any, file: Path, address: str) -> None:
    first = show(address)
    assert first.locator("#problems").is_hidden()
    set_value(first, "rate", "17.5")
    second = visit(open_page, file, hash_of(first)).page
    state = "window.tradegoals.state()"
    assert second.evaluate(state) == first.evaluate(state)
    assert shown(second) == shown(first)
    assert second.inner_html("#chart") == first.inner_html("#chart")


def test_a_case_is_an_address(show: Any) -> None:
    """Also of a day between two releases, which the list of days does not have."""
    case = GoalCase(
        reporter="China", as_of=date(2013, 2, 3), goal="100 USD bn", base_year=2010, reading="every_year"
    )
    sheet = show(address(case))
    assert sheet.locator("#problems").is_hidden()
    state = sheet.evaluate("window.tradegoals.state()")
    assert {name: state[name] for name in GoalCase.model_fields} == case.model_dump(mode="json")


def test_an_address_is_read_as_the_notebooks_parameters(show: Any) -> None:
    sheet = show(ADDRESSES[3])
    case = GoalCase(
        reporter="Heilongjiang", as_of=date(2008, 12, 31), goal="14 USD bn", base_year=2005, deadline=2010
    )
    assert shown(sheet)["chance"] == pytest.approx(outlook.of(case).chances["average"], abs=1e-6)
    command = sheet.inner_text("#command")
    assert command.startswith("uv run tradegoals run --notebook 00_did_the_goal_hold")
    for part in (
        "-p reporter=Heilongjiang",
        '-p "goal=14 USD bn"',
        "-p as_of=2008-12-31",
        "-p deadline=2010",
    ):
        assert part in command


def test_a_changed_address_changes_the_view_and_the_link_can_be_copied(
    open_page: Any, file: Path, served: Any
) -> None:
    address = f"{served(file.parent)}/{file.name}"
    sheet = open_page(address, permissions=["clipboard-read", "clipboard-write"]).page
    sheet.evaluate("location.hash = '#goal=33'")
    sheet.locator("#title", has_text="+33 %").wait_for()
    sheet.click("#copy")
    sheet.locator("#copied", has_text="Copied.").wait_for()
    assert sheet.evaluate("navigator.clipboard.readText()") == f"{address}#goal=33"
    sheet.click("#reset")
    sheet.locator("#title", has_text="+25 %").wait_for()


def test_a_link_to_a_place_on_the_page_leaves_the_goal_as_it_is(show: Any) -> None:
    sheet = show("#goal=33")
    sheet.evaluate("document.querySelector('.skip').click()")
    settle(sheet)
    assert "+33 %" in sheet.inner_text("#title") and sheet.locator("#problems").is_hidden()


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "</script><script>alert(1)</script>",
    "' onfocus=alert(1) autofocus='",
    "2012-01-01<b>",
    "__proto__",
    "٢٠١٢",
    "9" * 400,
]
FIELDS = [
    "reporter",
    "partner",
    "flow",
    "own",
    "currency",
    "as_of",
    "goal",
    "base_year",
    "deadline",
    "reading",
    "new",
]


GO = "([own, field, text]) => { location.hash = `#${own}${new URLSearchParams([[field, text]])}`; }"


@exhaustive
@pytest.mark.parametrize("field", some(FIELDS, 5))
def test_hostile_addresses_are_refused_in_words(show: Any, field: str) -> None:
    """Nothing runs (a dialog or an error in the console fails the test), no element comes in, a line says why."""
    sheet = show()
    elements = (
        "document.querySelectorAll('script, img, iframe, object, [onerror], [onload], [onfocus]').length"
    )
    before = sheet.evaluate(elements)
    for attack in ATTACKS:
        sheet.evaluate(GO, ["reporter=own&" if field == "own" else "", field, attack])
        told = '"new": found an unknown parameter' if field == "new" else attack[:20]
        sheet.locator("#problems", has_text=told).wait_for(state="visible")
        assert "expected" in sheet.inner_text("#problems")
        assert sheet.evaluate(elements) == before
        assert 0 < shown(sheet)["chance"] < 1  # the rest of the page stands


@pytest.mark.parametrize("address", ["#" + "a" * 3000, "#%E0%A4%A", "#reporter=own", "#=&&==", "#goal=%00"])
def test_broken_addresses_leave_a_page_that_works(show: Any, address: str) -> None:
    sheet = show(address)
    assert sheet.locator("#problems").is_visible()
    set_value(sheet, "rate", "20")
    assert 0 < shown(sheet)["chance"] < 1


BAD_DAYS = [
    "2014-02-30",
    "2014-13-01",
    "2014-00-10",
    "0000-00-00",
    "1900-01-01",
    "2099-01-01",
    "2014-4-15",
    "today",
    "",
]

SILENT = """([flows, days]) => flows.flatMap((flow) => Object.keys(flow.levels).flatMap((currency) => days.filter((day) => {
  const names = { reporter: flow.reporter, partner: flow.partner, flow: flow.flow, currency, as_of: day };
  const read = tradegoals.readAddress(`#${new URLSearchParams(names)}`);
  return read.state.as_of !== day && !read.problems.some((line) => line.startsWith("as_of: found"));
}).map((day) => [flow.reporter, flow.partner, flow.flow, currency, day])))"""


def test_a_bad_day_gets_words_for_every_flow_and_currency(show: Any) -> None:
    sheet = show()
    days = [f"{year}-{month:02}-15" for year in range(1985, 2027) for month in (1, 7)]
    assert sheet.evaluate(SILENT, [what_if_data.payload()["flows"], BAD_DAYS + days]) == []
    for day in BAD_DAYS:
        sheet.evaluate(GO, ["", "as_of", day])
        sheet.locator("#problems", has_text="as_of: found").wait_for(state="visible")
        assert 0 < shown(sheet)["chance"] < 1


# --- access ---


@exhaustive
@pytest.mark.parametrize(("width", "dark"), some([(1280, False), (1280, True), (390, True), (390, False)], 3))
def test_axe_finds_nothing_serious(show: Any, width: int, dark: bool) -> None:
    sheet = show(CHINA + "&nix=1")
    sheet.set_viewport_size({"width": width, "height": 900})
    sheet.emulate_media(color_scheme="dark" if dark else "light")
    faults = axe_faults(sheet, ("moderate", "serious", "critical"))
    sheet.emulate_media(color_scheme="light")
    sheet.set_viewport_size({"width": 1280, "height": 900})
    assert faults == []


@exhaustive
@pytest.mark.parametrize("address", some([ADDRESSES[4], "", CHINA], 3))
def test_a_phone_needs_no_sideways_scrolling_and_shows_the_answer_beside_the_controls(
    open_page: Any, file: Path, address: str
) -> None:
    sheet = visit(open_page, file, address, width=390, height=844).page
    assert sheet.evaluate("document.documentElement.scrollWidth") <= 390
    assert sheet.locator("#brief").is_visible()
    box = sheet.locator("#brief").bounding_box()
    assert box["y"] + box["height"] <= 844 + 1


def test_the_figure_has_its_text_and_its_table(show: Any) -> None:
    sheet = show()
    svg = sheet.locator("#chart > svg")
    assert svg.get_attribute("role") == "img"
    assert "four outcomes in five" in sheet.text_content("#chart-desc")
    words = svg.text_content()
    assert all(word in words for word in ("USD mn, nominal", "goal", "median", "80 %", "95 %"))
    assert sheet.locator("#year-table tbody tr").count() == 4


def test_on_paper_the_controls_are_gone_and_the_numbers_are_there(show: Any) -> None:
    sheet = show()
    sheet.emulate_media(media="print")
    assert sheet.locator("form").is_hidden()
    assert sheet.locator("#big").is_visible() and sheet.locator("#year-table").is_visible()
    sheet.emulate_media(media="null")
