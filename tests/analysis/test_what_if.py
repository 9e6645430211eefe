"""What the what-if page computes from, and what lib says of the same goals."""

import base64
import hashlib
import json
import random
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pastes import PASTES
from sampling import exhaustive, some

from lib import law as laws
from lib import outlook, reference
from lib.analysis import question, what_if, what_if_data
from lib.analysis.asking import ask
from lib.cases import GoalCase, TrendCase
from lib.errors import UserError
from lib.figures import load_figures
from lib.law import FAN
from lib.tools.cli import main
from lib.tools.whatif import page

pytestmark = pytest.mark.usefixtures("tables_read_once")

HARBIN = GoalCase()
TODAY = date(2026, 11, 24)
CHINA_EXPORTS = GoalCase(
    reporter="China", flow="export", as_of=date(2026, 11, 24), goal="12 %", base_year=2019, deadline=2025
)


@pytest.fixture(scope="module")
def payload(tables_read_once: Any, what_if_payload: dict[str, Any]) -> dict[str, Any]:
    return what_if_payload


# --- the record ---


def levels_on(days: list[list[Any]], day: str) -> dict[int, list[Any]]:
    """The levels known on a day (ISO), by year, from the changes up to it."""
    known: dict[int, list[Any]] = {}
    for changed in (changed for changed_on, changed in days if changed_on <= day):
        known |= {year: level for year, *level in changed}
    return {year: level for year, level in known.items() if level}


@exhaustive
def test_levels_of_a_day_are_those_of_the_series(payload: dict[str, Any]) -> None:
    """On random days, also between releases: the same years, levels, grades and figures as lib.series gives."""
    random.seed(5)
    for flow in some(payload["flows"], 5):
        names = {name: flow[name] for name in ("reporter", "partner", "flow")}
        for currency, days in flow["levels"].items():
            first = date.fromisoformat(days[0][0])
            day = first + random.random() * (date(2026, 11, 24) - first)
            series = TrendCase.model_construct(**names, currency=currency, as_of=day).series()
            known = levels_on(days, day.isoformat())
            assert {year: level[0] for year, level in known.items()} == series["value_mn"].to_dict()
            assert [payload["grades"][known[year][1]] for year in series.index] == series["grade"].to_list()
            assert [known[year][2] for year in series.index] == series["figure_id"].to_list()


def test_every_level_has_a_source_with_an_address(payload: dict[str, Any]) -> None:
    known = set(load_figures()["figure_id"])
    for flow in payload["flows"]:
        for days in flow["levels"].values():
            ids = {change[3] for _, changes in days for change in changes if change[1:]}
            assert ids <= known
            assert all(payload["sources"][name][3].startswith("http") for name in ids)


def test_announced_goals_are_cases_that_the_record_can_answer(payload: dict[str, Any]) -> None:
    assert len(payload["goals"]) > 10
    for goal in payload["goals"]:
        case = GoalCase.check({name: goal[name] for name in GoalCase.model_fields})
        assert case.make_goal().base_mn > 0
        assert goal["as_of"] >= goal["announced"][:4]
        assert re.match("https?://", goal["url"])


def test_a_goal_opens_on_the_day_of_its_announcement_or_when_its_base_was_known() -> None:
    days = [["2014-04-15", [[2012, 153.3, 1, "a"], [2013, 230.0, 0, "a"]]]]
    assert what_if_data._first_day(days, 2012, "2012-12") == "2014-04-15"
    assert what_if_data._first_day(days, 2012, "2015") == "2015-12-31"
    assert what_if_data._first_day(days, 2010, "2012") is None
    gone = [*days, ["2016-01-01", [[2012]]], ["2017-01-01", [[2012, 150.0, 0, "b"]]]]
    assert what_if_data._first_day(gone, 2012, "2015") == "2015-12-31"
    assert what_if_data._first_day(gone, 2012, "2016-06-01") == "2017-01-01"


@pytest.mark.parametrize(("size", "label"), [(5e6, 1), (2e8, 3)])
def test_kept_tables_are_those_of_lib_to_the_last_digit(size: float, label: int) -> None:
    prior = laws.drawn(reference.prior_for(size, 2015))
    *numbers, source, warning = json.loads(what_if_data.as_json())["own"]["2015"][label]
    assert numbers[:3] == [prior.drift, prior.drift_sd, prior.variance]
    assert numbers[3:] == [prior.df, prior.autocorrelation, prior.drift_error]
    assert (source, warning) == (prior.source, reference.age_warning(prior, 2015))
    assert source.startswith(reference.PANELS["BACI"])


def test_json_cannot_end_its_element(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = {"note": "</script><script>alert(1)</script><!--\u2028"}
    monkeypatch.setattr(what_if_data, "payload", lambda: hostile)
    text = what_if_data.as_json()
    assert "<" not in text and "\u2028" not in text
    assert json.loads(text) == hostile


# --- year by year ---


@pytest.mark.parametrize("case", [HARBIN, HARBIN.today(), CHINA_EXPORTS])
def test_the_last_year_on_the_path_is_the_reading_on_average(case: GoalCase) -> None:
    answer = outlook.of(case)
    ahead = what_if.years_ahead(answer)
    end = ahead.loc[case.deadline]
    assert end["path_mn"] == pytest.approx(answer.goal.target_mn)
    assert end["p_path"] == pytest.approx(answer.chances["average"], abs=1e-12)
    assert answer.fan is not None
    np.testing.assert_allclose(ahead[list(FAN)], answer.fan.loc[ahead.index], rtol=1e-12)


def test_with_one_year_left_the_year_alone_is_every_reading() -> None:
    answer = outlook.of(HARBIN.model_copy(update={"deadline": 2014, "base_year": 2013, "goal": "20 %"}))
    ahead = what_if.years_ahead(answer)
    assert len(ahead) == 1
    assert [ahead["p_year"].iloc[0]] * 3 == pytest.approx(answer.chances.to_list(), abs=1e-9)


def test_a_year_alone_has_its_own_chance_in_the_law() -> None:
    """As a goal of one year from the year before: of a hidden one by simulation, of a known one by the law itself."""
    answer = outlook.of(HARBIN)
    assert answer.law is not None
    rng, law = np.random.default_rng(3), answer.law
    part = rng.choice(len(law.weights), 400_000, p=law.weights)
    roots = np.linalg.cholesky(law.covariances)
    levels = law.means[part] + np.einsum("nij,nj->ni", roots[part], rng.normal(size=(len(part), 2)))
    grew = np.diff(levels, axis=1, prepend=np.log(answer.levels[2013])) >= np.log(1.25)
    assert what_if.years_ahead(answer)["p_year"].to_list() == pytest.approx(grew.mean(axis=0), abs=0.003)


# --- a reader's own figures ---


def test_own_figures_equal_to_the_record_have_the_record_s_answer() -> None:
    """China's exports without larger flows or other evidence: typed in by hand they are the same forecast."""
    levels = CHINA_EXPORTS.series()["value_mn"]
    text = "\n".join(f"{year} {value:.9f}" for year, value in levels.items())
    mine = ask(text, goal="12 %", base=2019, deadline=2025, as_of=TODAY)
    goal, known = CHINA_EXPORTS.make_goal(), levels.loc[:2025]
    size = CHINA_EXPORTS.usd_mn(float(known.iloc[-1]), int(known.index[-1])) * 1e6
    prior = laws.drawn(reference.prior_for(size, int(known.index[-1])))
    rates = np.log(known).diff()[1:]
    rates[np.diff(known.index) > 1] = np.nan
    last = int(known.index[-1])
    law = laws.from_posterior(laws.posterior(rates, prior), last, float(known.iloc[-1]), 2025 - last)
    path = laws.p_below(law, 2025, goal.target_mn)
    assert mine.expected is not None and mine.expected.origin == last
    assert mine.chances["average"] == pytest.approx(1 - float(path), abs=2e-5)


@pytest.mark.parametrize(("text", "levels"), PASTES.items())
def test_figures_are_read_as_a_spreadsheet_copies_them(text: str, levels: dict[int, float]) -> None:
    assert question.read_figures(text).to_dict() == levels


def test_a_point_before_three_digits_alone_is_asked_back() -> None:
    with pytest.raises(
        UserError, match=re.escape('found "1.234", expected a number that can be read in one way: did')
    ):
        question.read_figures("2021 1.234\n2022 2.345")


def test_a_printed_growth_rate_gives_the_year_before() -> None:
    assert question.read_figures("2013 230 +50 %").to_dict() == pytest.approx({2012: 153.3333333, 2013: 230})
    assert question.read_figures("2012\t150\n2013; 230, 50%").to_dict() == {
        2012: 150,
        2013: 230,
    }  # levels come first
    assert question.read_figures("2013 230|2014 115 −50 %").to_dict() == {2013: 230, 2014: 115}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "found 0 lines, expected 1 to 15"),
        ("\n".join(f"{year} 1" for year in range(1990, 2006)), "found 16 lines"),
        ("2013 230\n2014 much", 'line 2: found "2014 much", expected a year, its level'),
        ("2013 230\n2013 231", "line 2: found 2013 twice"),
        ("1960 230", "line 1: found 1960, expected a year from 1971 to 2026"),
        ("2013 0", "expected a level above 0"),
        ("2013 5 -100 %", "expected a level above 0 that can grow"),
    ],
)
def test_wrong_figures_are_refused_with_line_and_reason(text: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        question.read_figures(text)


# --- the page as a file ---


def test_the_page_is_one_small_file_that_asks_for_nothing(tmp_path: Path) -> None:
    path = page.write_page(tmp_path / "site", home="index.html")
    text = path.read_text(encoding="utf-8")
    assert path.name == "whatif.html" and path.stat().st_size < 1_000_000  # a third of it on the wire
    assert list(path.parent.iterdir()) == [path]
    assert (
        re.findall(
            r"<(?:link|img|iframe|object|embed)\b|\bsrc=|@import|url\(", text.partition('id="data"')[0]
        )
        == []
    )
    assert '<a href="index.html">' in text
    assert page.build("index.html") == text  # nothing of the day or the machine enters


def test_the_policy_allows_the_page_s_own_script_and_style_and_nothing_else() -> None:
    style, text = (page.FILES / "page.css").read_text(encoding="utf-8"), page.build()
    ((policy, script),) = re.findall(r'-Policy" content="([^"]*)".*<script>(.*)</script>', text, re.DOTALL)
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy
    assert f"<style>{style}</style>" in text and (page.FILES / "law.js").read_text("utf-8") in script
    for source, what in ((style, "style"), (script, "script")):
        own = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"; {what}-src 'sha256-{own}';" in policy
    assert "innerHTML" not in script and "eval(" not in script and "document.write" not in script


def test_the_address_of_the_way_home_is_text() -> None:
    assert '"><script>' not in page.build(home='"><script>alert(1)</script>')


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["what-if", "--out", str(tmp_path)])
    assert found.exit_code == 0 and str(tmp_path / "whatif.html") in found.output
    assert (tmp_path / "whatif.html").is_file()
