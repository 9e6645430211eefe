"""Sentences of notebooks: right for every flow, by rules; and shown where a reader can change them.

The rules of `sentences` are looked for in the committed notebooks, and in what their cells say for the odd cases
below; those of `notebooks/odd_cases.yml` are run as a whole, apart from the tests.
"""

import ast
import json
import re
import statistics
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import pytest
from IPython.display import Markdown
from sampling import exhaustive, some
from sentences import check_cells, check_page, check_sentences, plain, sentences_of

from lib import plots
from lib.words import Said

pytestmark = pytest.mark.usefixtures("tables_read_once")

ROOT = Path(__file__).resolve().parents[1]

MOST_LINES, MEDIAN_LINES = 15, 4

FLOWS = (
    {"reporter": "Heilongjiang"},
    {"reporter": "Heilongjiang", "flow": "export"},
    {"reporter": "China", "flow": "import"},
    {"reporter": "Russia", "partner": "China"},
    {"reporter": "Harbin", "partner": "World"},
    {"reporter": "Harbin", "as_of": "2014-04-15"},  # one figure, on its first day
    {"reporter": "China", "as_of": "2002-12-31"},
)

IN_YUAN = {"reporter": "China", "flow": "export", "currency": "CNY"}

GOALS = (
    {"reporter": "Heilongjiang", "flow": "export", "goal": "10 %", "base_year": 2013, "deadline": 2016},
    {"reporter": "China", "flow": "import", "goal": "12 %", "base_year": 2010, "deadline": 2015},
    {**IN_YUAN, "goal": "5 %", "base_year": 2013, "deadline": 2014},  # one year alone
    {"reporter": "Russia", "partner": "China", "goal": "5 %", "base_year": 2009, "deadline": 2010},
    {"reporter": "Harbin", "partner": "World", "goal": "5 %", "base_year": 2012, "deadline": 2015},
    {"reporter": "China", "goal": "300 USD bn", "base_year": 2024, "deadline": 2030},  # open
    {"reporter": "China", "goal": "-5 %", "base_year": 2014, "deadline": 2015, "reading": "every_year"},
)

OUT_OF_REACH = {"goal": "400 %", "base_year": 2024, "deadline": 2028}

ODD = [
    *(("01", flow) for flow in FLOWS[3:]),  # the larger records take it ten seconds each
    *((name, flow) for name in ("07", "08") for flow in FLOWS),
    *((name, IN_YUAN) for name in ("02", "07")),
    *(("02", flow) for flow in FLOWS),
    *((name, goal | {"as_of": "2026-11-24"}) for name in ("06", "start") for goal in GOALS),
    *(("90", goal | {"as_of": "2026-06-30", "until": "2026-11-24"}) for goal in GOALS[:3]),
    ("90", {"until": "2007-12-31"}),  # nothing between the days
    *(("template", flow) for flow in FLOWS[-3:]),
]


def run_cells(
    notebook: dict[str, Any], parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], list[Any]]:
    """What the code cells of a notebook, run in this process for other parameters, leave as names, and what they show."""
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda thing, *_, **__: shown.append(thing))
    monkeypatch.setattr(plots, "show", lambda figure, alt="": plt.close(figure))  # nobody looks at it
    names: dict[str, Any] = {"display": shown.append}
    for cell in (cell for cell in notebook["cells"] if cell["cell_type"] == "code"):
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            shown += [value] if value is not None and not isinstance(value, Said) else []
        if "parameters" in cell["metadata"].get("tags", []):
            names |= parameters
    return names, shown


def said_by(
    notebook: dict[str, Any], parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """What the code cells of a notebook show as Markdown, for other parameters."""
    _, shown = run_cells(notebook, parameters, monkeypatch)
    said = [plain(str(thing.data)) for thing in shown if isinstance(thing, Markdown)]
    return [text for text in said if text.strip()]  # a list of links alone leaves nothing


def committed() -> dict[str, dict[str, Any]]:
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return {path.stem: json.loads(path.read_bytes()) for path in paths}


NOTEBOOKS = committed()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_committed_notebook_breaks_no_rule(name: str) -> None:
    said = sentences_of(NOTEBOOKS[name])
    assert len(said) > 3
    assert check_page(said) + check_cells(NOTEBOOKS[name]) == []


@exhaustive
@pytest.mark.parametrize(
    ("name", "parameters"),
    some(ODD, 7),
    ids=lambda part: str(part) if isinstance(part, str) else "-".join(map(str, part.values())),
)
def test_an_odd_case_is_told_in_good_sentences(
    name: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    matplotlib.use("agg")
    (notebook,) = (book for title, book in NOTEBOOKS.items() if title.startswith(name))
    said = said_by(notebook, parameters, monkeypatch)
    assert len(said) >= 2
    assert check_page(said) == []


def test_the_words_of_a_picture_of_many_days_keep_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    (notebook,) = (book for title, book in NOTEBOOKS.items() if title.startswith("06"))
    drawn: list[Any] = []
    monkeypatch.setattr(plt, "close", drawn.append)
    goal = {"goal": "10 %", "base_year": 2010, "deadline": 2022, "as_of": "2026-11-24"}
    run_cells(notebook, {"reporter": "China", **goal}, monkeypatch)
    for figure in drawn[:2]:
        figure.draw_without_rendering()
        (axes,) = figure.axes
        words = [one for one in [*axes.get_xticklabels(), *axes.texts] if one.get_text()]
        boxes = [one.get_window_extent().padded(-2) for one in words]  # letters may touch
        assert len(words) > 10
        assert not [words[k] for k, box in enumerate(boxes) if box.count_overlaps(boxes[:k])]


@exhaustive
@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    some(
        [
            ("91", {"reporter": "China", **OUT_OF_REACH}, "US$10 billion and more"),
            ("11", {"reporter": "China", **OUT_OF_REACH}, "US$10 billion and more"),
            ("91", {"goal": "25 %", "base_year": 2012, "deadline": 2015}, "has not been measured"),
        ],
        2,
    ),
)
def test_a_fan_has_the_coverage_of_its_size_and_none_where_it_is_no_forecast(
    name: str, parameters: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(plt, "close", drawn.append)
    (notebook,) = (book for title, book in NOTEBOOKS.items() if title.startswith(name))
    run_cells(notebook, parameters | {"as_of": "2026-11-24"}, monkeypatch)
    fans = [figure.get_supxlabel() for figure in drawn if "the middle of the fan is" in figure.get_label()]
    assert len(fans) == 1
    assert words in " ".join(fans[0].split()).partition(". ")[0]


@exhaustive
@pytest.mark.parametrize(
    ("name", "words"), some([("11", "stayed below 1 %"), ("09", "it stays below 1 %")], 2)
)
def test_a_probability_that_stays_what_it_was_has_not_moved(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (notebook,) = (book for title, book in NOTEBOOKS.items() if title.startswith(name))
    said = said_by(notebook, {"reporter": "China", "as_of": "2026-11-24", **OUT_OF_REACH}, monkeypatch)
    assert any(words in text for text in said)
    assert not [text for text in said if "to below 1 %" in text]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_each_picture_is_shown_once_and_told_to_those_who_cannot_see_it(name: str) -> None:
    outputs = [output for cell in NOTEBOOKS[name]["cells"] for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert all(output["metadata"].get("image/png", {}).get("alt") for output in pictures)
    assert len({output["data"]["image/png"] for output in pictures}) == len(pictures)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_cells_are_one_thought(name: str) -> None:
    sources = ["".join(c["source"]) for c in NOTEBOOKS[name]["cells"] if c["cell_type"] == "code"]
    lines = [len(source.splitlines()) for source in sources]
    assert max(lines) <= MOST_LINES and statistics.median(lines) <= MEDIAN_LINES
    assert not any("lib.tools" in source or "lib.research" in source for source in sources)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_title_is_a_question_and_the_answer_comes_before_any_section(name: str) -> None:
    cells = NOTEBOOKS[name]["cells"]
    title = "".join(cells[0]["source"]).splitlines()[0]
    assert re.fullmatch(r"# .*\?", title)
    section = next(
        i for i, c in enumerate(cells) if "## " in "".join(c["source"]) and c["cell_type"] == "markdown"
    )
    code = "\n".join("".join(cell["source"]) for cell in cells[:section] if cell["cell_type"] == "code")
    assert code.count("say(") >= 2 and "from_cell(locals())" in code
    assert re.search(r"^(?:answer|plain) = |headline\(", code, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("met: each of 1 years.", "a plural for one"),
        ("the record held 1 figures of it", "a plural for one"),
        ("China–China, total trade", "a doubled name"),
        ("Harbin grew by −3 % a year", "growth by a fall"),
        ("China grew by +13.3 % a year", "growth by a fall"),
        ("a mean of nan % a year", "a hole"),
        ("the level was {level:usd}", "a field that was not filled"),
        ("stated as 100 USD billion", "a unit after its number"),
        ("moved by China, 2015-01: 2500 (row CN-RU-import-2015m01-b)", "a level without its unit"),
        ("Trade moved by −4e−09 %", "an exponent"),
        ("Harbin parcels to Russia–Russia, exports", "a doubled name"),
        ("read the record ** holds", "a bold that is not"),
        ("it changed by -3 points", "a hyphen for a minus"),
        ("the effect of **5** of 5 cannot be known", "a count of all of itself"),
        ("**4 of 4 trackers** called it on track", "a count of all of itself"),
        ("Of 1 forecast for China, 1 came true", "one of one"),
        ("Trade moved by −0.00 % with 1 % of the oil price", "a sign before nought"),
        ("**Missed.** Read every year, +6.8 % in 2014.", "a reading that is no adverb"),
        ("By the end of Jun, 48.9 % of a year is done", "a month cut short"),
        ("Announced 2012-12 by the city", "a day as data have it"),
        ("the total trade of Harbin with World", "the world without its article"),
        ("Fuels were 9 % of it in 2001 and 9 % in 2001.", "a year beside itself"),
        ("+15.3 % in 2010–2013, a year", "a span that ends in words"),
        ("levels of China, the city to compare", "a country called a city"),
        ("it was missed.. Then", "a stop after a stop"),
        ("a probability of **100 %**", "certainty"),
        ("China–Russia, export: fuel prices and the rest", "a flow as data have it"),
        ("between two places, which Samoa–Tonga, total trade is not", "a title amid a sentence"),
        ("Levels of China by year, with 0 events", "a count of nought"),
        ("grew so fast: below 1 % (below 1 % to below 1 %)", "a range between the same words"),
        ("2012: 2249 flows of the size", "thousands that are not separated"),
        ("the level was 9753.3 million", "thousands that are not separated"),
        ("its share was 0.123456", "more digits than anybody knows"),
    ],
)
def test_each_rule_finds_its_slip(text: str, rule: str) -> None:
    assert rule in [fault.partition(":")[0] for fault in check_sentences(text)]


def test_tables_keep_the_rules_of_numbers() -> None:
    cells = [
        "9753.3",
        "9,753",
        "2013",
        "-3 %",
        '<span style="x">1 % to 2 %</span>',
        "nan",
        f"5900 {'as said ' * 9}",
    ]
    html = (
        "".join(f"<td>{cell}</td>" for cell in cells)
        + '<td><a href="https://x.org/12345">https://x.org/12345</a></td>'
    )
    faults = check_cells({"cells": [{"outputs": [{"data": {"text/html": [html]}}]}]})
    assert [fault.partition(":")[0] for fault in faults] == [
        "thousands that are not separated",
        "a hyphen for a minus",
        "a hole",
    ]


def test_a_page_says_nothing_twice() -> None:
    once = ["The figures decide every reading.", "None can.", "None can."]
    assert check_page(once) == []
    assert check_page([*once, once[0]]) == [f"said twice: {once[0]!r}"]


def test_good_sentences_break_no_rule() -> None:
    text = (
        "On 31 December 2009, with the figure of 2008, **all 4 trackers** called it on track, **4 of 45** were met. It "
        "changed by 0 points and +0.03 %, from May on; the World Bank, 2 of 2.5. Read year by year, in 21 years of "
        "China–Russia it fell by 3 % a year, −1,500 in all; Heilongjiang, 2007: 10,730 USD mn (row HLJ-RU-total-2007-a): −0.3 points. "
        "From US$5.68 billion in 2005 …, 2012–2013, 2023. Known for 1 year, 11 figures."
    )
    assert check_sentences(text) == []


# --- where sentences stand ---

SHARED = ("answers.py", "reference.py")
"""What several notebooks, the site and the command line say alike."""

MOST_WORDS = 12

MESSAGES = ("UserError", "Fault", "Field")
"""Calls whose text is a message about a parameter or a file, not prose of a page."""


def prose_in(source: str) -> list[str]:
    """Sentences of twelve words or more in Python source, apart from docstrings, messages and the names of sources."""
    tree = ast.parse(source)
    apart = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Call) and getattr(node.func, "id", "") in MESSAGES)
    ]
    left_out = {id(part) for node in apart for part in ast.walk(node)}
    texts = [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        if isinstance(node, ast.JoinedStr)
        else node.value
        for node in ast.walk(tree)
        if id(node) not in left_out
        and (
            isinstance(node, ast.JoinedStr)
            or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        )
    ]
    return [
        text
        for text in texts
        if len(re.findall(r"[^\W\d_]{2,}|\{", text)) >= MOST_WORDS
        and re.search(r"[.!?](?:\s|$)", text)
        and not re.search(
            r"\bdata/\w+|\(\?", text
        )  # the line under a figure names its file; patterns are no prose
    ]


def test_no_prose_of_a_page_stands_in_the_library() -> None:
    rooms = [
        *(ROOT / "lib").glob("*.py"),
        *(ROOT / "lib/analysis").glob("*.py"),
        *(ROOT / "lib/plots").glob("*.py"),
    ]
    found = {
        path.name: prose_in(path.read_text(encoding="utf-8")) for path in rooms if path.name not in SHARED
    }
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_prose_in_the_library_is_found() -> None:
    words = (
        "The forecast gives it {p:pct}; four in five lie between {low:usd} and {high:usd}, as far as we know."
    )
    assert prose_in(f"def f():\n    return {words!r}") == [words]
    assert prose_in(f'def f():\n    """{words}"""\n    raise UserError({words!r})') == []
