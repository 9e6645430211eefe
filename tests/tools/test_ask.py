"""`tradegoals ask`: a goal in people's words, of a flow on record or of a file."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sampling import exhaustive, some

from lib.analysis import asking
from lib.analysis.asking import AnswerRecord
from lib.tools.cli import main
from lib.tools.commands import run as running
from lib.tools.run.freshness import Outcome

pytestmark = pytest.mark.usefixtures("tables_read_once")

HARBIN = "Harbin Russia total +25% 2012-2015"
THEN = ("--as-of", "15 April 2014")


def ask(*words: str) -> Result:
    return CliRunner().invoke(main, ["ask", *words])


def test_the_answer_stands_in_the_terminal() -> None:
    lines = ask(HARBIN, *THEN).output.splitlines()
    assert lines[0] == "Harbin–Russia, total trade: +25 % a year 2012–2015, as of 2014-04-15"
    assert lines[1] == "Open: 29 % that it will be met, read on average: a forecast."
    told = "\n".join(lines)
    for fact in (
        "asks for",
        "still needed",
        "base rate",
        "rests on",
        "expected growth",
        "four in five within",
    ):
        assert fact in told
    # Whether that page was written already is nothing to this test.
    page = lines[-1].removesuffix(" (--page writes it)")
    assert page == "page: out/runs/00_did_the_goal_hold/default/page.html"


def test_words_need_no_quotes_and_a_fall_is_no_option() -> None:
    assert ask(*HARBIN.split(), *THEN).output == ask(HARBIN, *THEN).output
    assert "−5 % a year" in ask("-5 % a year", "Harbin", "Russia", "2012-2015", *THEN).output


@pytest.mark.parametrize("words", ["halve by 2020", "-5 % a year by 2020", "100 USD mn by 2020"])
def test_a_goal_of_decline_says_that_it_is_a_floor(words: str) -> None:
    told = ask("Harbin Russia " + words, *THEN).output
    assert "(goal: a floor, met at its level or above; a deeper fall misses it)" in told
    assert "% of flows of that size did no worse over 7 years" in told and "grew so fast" not in told
    assert "floor" not in ask(HARBIN, *THEN).output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "ask: found no question"),
        (("India Russia 100 bn USD by 2030",), "tradegoals data fetch India Russia"),
        (("Harbin Russia 0.25 2012-2015",), "did you mean 25 %?"),
        (("Harbin Russia 25 2012-2015",), 'did you mean "25 %"?'),
        (("Harbin Russia 2012-2015",), "ask: found no goal"),
        (("Harbin Russia 25% 2012-2015", "--as-of", "4/5/2014"), "did you mean 2014-05-04 or 2014-04-05?"),
        (("Harbin Russia 25% 2012-2015", "--bas", "2012"), "No such option"),
    ],
)
def test_what_cannot_be_answered_is_one_message(words: tuple[str, ...], told: str) -> None:
    done = ask(*words)
    assert done.exit_code == 2 and told in done.output
    assert "Traceback" not in done.output


def test_fields_and_fan_for_programs(tmp_path: Path) -> None:
    fields = json.loads(ask(HARBIN, *THEN, "--json").stdout)
    record = AnswerRecord.model_validate(fields)
    assert record.level_needed_mn == pytest.approx(299.479, abs=1e-3)
    assert record.readings[0].probability == pytest.approx(0.285, abs=1e-3)
    fan = tmp_path / "fan.csv"
    assert ask(HARBIN, *THEN, "--csv", str(fan)).exit_code == 0
    assert pd.read_csv(fan, index_col="year").index.to_list() == [2014, 2015]
    assert ask(HARBIN, *THEN, "--csv", "-").stdout == fan.read_text(encoding="utf-8")
    refused = ask(HARBIN, *THEN, "--csv", "-", "--json")
    assert refused.exit_code == 2 and "--csv: found - beside --json, expected a file" in refused.stderr


def test_the_page_is_written_by_an_ordinary_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def execute(run, out):
        asked.append(run)
        path = run.folder(out) / "page.html"
        path.parent.mkdir(parents=True)
        path.write_text("")
        return Outcome(run, path.parent, 1.0)

    monkeypatch.setattr(running, "execute_one", execute)
    done = ask(HARBIN, "--as-of", "2014-06-30", "--page", "--out", str(tmp_path))
    assert done.output.endswith(f"page: {tmp_path}/runs/00_did_the_goal_hold/as_of-2014-06-30/page.html\n")
    assert asked[0].parameters["as_of"] == "2014-06-30"
    assert "(--page writes it)" not in ask(HARBIN, "--as-of", "2014-06-30", "--out", str(tmp_path)).output


TABLE = "year;exports\n2018;300\n2019;310\n2021;420,5\n2022;505\n"
GOAL = ("+10 % a year", "--base", "2022", "--deadline", "2027", "--as-of", "2023-12-31")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_a_file_is_asked_for_its_unit_alone(mine: Path) -> None:
    done = ask(str(mine), *GOAL)
    assert done.exit_code == 2
    assert done.output.count("\n") == 1 and done.output.endswith("; give it with --unit\n")
    done = ask(str(mine), *GOAL, "--unit", "USD mn")
    assert "note: partner: none named, taken as one; --partner World for all" in done.stderr
    assert done.stdout.startswith("mine, exports: +10 % a year 2022–2027, as of 2023-12-31\nOpen: ")
    levels = {2018: 300.0, 2019: 310.0, 2021: 420.5, 2022: 505.0}
    same = asking.ask(levels, goal="10 %", base=2022, deadline=2027, as_of="2023-12-31")
    fields = json.loads(ask(str(mine), *GOAL, "--unit", "USD mn", "--json").stdout)
    assert [row["probability"] for row in fields["readings"]] == pytest.approx(same.chances.to_list())


def test_a_file_in_another_currency_is_sized_by_its_rate(mine: Path) -> None:
    done = ask(str(mine), *GOAL, "--unit", "EUR bn")
    assert done.exit_code == 0 and "EUR 813 billion in 2027" in done.output


BOTH = "Год;Экспорт, млрд юаней;Импорт, млрд юаней;Экспорт, млрд долл.;Импорт, млрд долл.\n" + "".join(
    f"{2015 + n};{60 + 5 * n},5;{30 + n},5;{9 + n},5;{4 + n},5\n" for n in range(6)
)
QUARTERS = "год;I кв.;II кв.;III кв.;IV кв.\n2019;10,5;20;30;40\n2020;11;22;33,5;44\n2021;12,5;23,5;36;48\n"
FISCAL = 'Financial Year,Exports (Rs. crore)\n2018-19,"4,69,100.5"\n2019-20,"4,91,200"\n2020-21,"4,47,300"\n'
DOUBTFUL = (
    "year,exports\n" + "".join(f"{year},{100 + year % 10}\n" for year in range(2010, 2021)) + "2021,10500\n"
)


@exhaustive
@pytest.mark.parametrize(
    ("table", "words", "told"),
    some([
        (BOTH, ("exports double by 2027", "--currency", "CNY"), ("mine, exports: 2 times", "from CNY 85.5 billion in 2020")),
        (BOTH, ("imports of 20 bn USD by 2027",), ("mine, imports: US$20 billion 2020–2027", "from US$9.5 billion in 2020")),
        (BOTH, ("+10 % a year by 2027", "--currency", "CNY"), ("mine: +10 %", "from CNY 121 billion in 2020")),
        (QUARTERS, ("double by 2027", "--unit", "USD mn"), ("from US$120 million in 2021",)),
        (FISCAL, ("double by 2027", "--fiscal", "4"), ("in fiscal years: 2023 is April 2022 to March 2023", "from INR 4,473 billion in 2021")),
        (DOUBTFUL, ("double by 2027", "--unit", "USD mn"), ("mind", "2021 is 10,500 USD mn, where")),
        (BOTH, ("exports double by 2027",), ("Error: --currency: found none, expected one of: CNY, USD",)),
        (FISCAL, ("double by 2027",), ("fiscal: found the fiscal year \"2018-19\"", "give it with --fiscal")),
        ("year,a,b\n2019,5,6\n2020,6,7\n", ("double by 2027", "--unit", "USD mn"), ('several columns of numbers (\"a\", \"b\")', "give it with --column")),
        ("year,a,b\n2019,5,6\n2020,6,7\n", ("double by 2027", "--unit", "USD mn", "--column", "a"), ("from US$6 million in 2020",)),
    ], 3),
)  # fmt: skip
def test_a_table_of_any_kind_is_asked(
    mine: Path, table: str, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    mine.write_text(table, encoding="utf-8")
    done = ask(str(mine), *words, "--as-of", "2023-01-15")
    assert "Traceback" not in done.output and done.exit_code == (2 if "Error" in done.output else 0)
    assert [fact for fact in told if fact not in done.output] == []


def test_an_option_of_tables_needs_a_table() -> None:
    assert "--unit: found it without a file" in ask(HARBIN, *THEN, "--unit", "USD mn").output


@pytest.mark.parametrize("words", [("nowhere.xlsx", "+10 % a year"), ("mine.csv", "+10 % a year", "--page")])
def test_a_file_that_cannot_be_answered_says_why(mine: Path, words: tuple[str, ...]) -> None:
    done = ask(str(mine.with_name(words[0])), *words[1:], "--unit", "USD mn", *GOAL[1:])
    assert done.exit_code == 2 and "Traceback" not in done.output and "Error: " in done.output
