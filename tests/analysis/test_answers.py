"""Results in words: rounding, no claim of certainty, nothing that Markdown would read as something else."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import figures as fig
from lib import outlook, words
from lib.analysis import answers
from lib.analysis.answers import headline, plainly
from lib.cases import FlowCase, GoalCase
from lib.figures import load_targets
from lib.tools.run.matrix import expand
from lib.words import money, percent, rate

pytestmark = pytest.mark.usefixtures("tables_read_once")


@pytest.mark.parametrize(
    ("value_mn", "words"),
    [
        (230, "US$230 million"),
        (230 / 1.5, "US$153 million"),
        (88_160, "US$88.2 billion"),
        (1000, "US$1 billion"),
        (999.4, "US$999 million"),
        (999.6, "US$1 billion"),  # not "1,000 million"
        (0.67, "US$0.67 million"),
        (0.00005, "US$0.00005 million"),
        (1_234_567, "US$1,235 billion"),
    ],
)
def test_money_has_three_digits_and_a_scale(value_mn, words):
    assert money(value_mn, "USD") == words


@given(value=st.floats(1e-3, 1e9))
def test_money_is_within_half_a_percent_of_the_value(value):
    currency, number, scale = words.money(value, "CNY").split(" ")
    shown = float(number.replace(",", "")) * {"million": 1, "billion": 1000}[scale]
    assert currency == "CNY"
    assert shown == pytest.approx(value, rel=5.1e-3)
    assert "e" not in number and "$" not in number


@given(chance=st.floats(0, 1))
def test_a_probability_in_words_never_claims_certainty(chance):
    words = percent(chance)
    number = float(re.fullmatch(r"(?:below |above )?(\d+) %", words)[1])
    assert 1 <= number <= 99
    assert abs(number / 100 - chance) <= 0.01 + 1e-12


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (0.0, "below 1 %"),
        (1e-9, "below 1 %"),
        (0.01, "1 %"),
        (0.384, "38 %"),
        (0.99, "99 %"),
        (1.0, "above 99 %"),
    ],
)
def test_probabilities(chance, words):
    assert percent(chance) == words


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0.25, "+25 %"),
        (-0.286, "−28.6 %"),
        (0.14105, "+14.1 %"),
        (0.0, "0 %"),
        (-0.0004, "0 %"),
        (0.0004, "0 %"),
        (-1.0, "−100 %"),
        (0.1, "+10 %"),
        (1e4, "+1,000,000 %"),
    ],
)
def test_growth_rates(fraction, words):
    assert rate(fraction) == words


@given(fraction=st.floats(-1, 100))
def test_growth_rates_carry_their_sign_and_one_decimal(fraction):
    words = rate(fraction)
    assert float(words.removesuffix(" %").replace("−", "-").replace(",", "")) == pytest.approx(
        fraction * 100, abs=0.0501
    )
    assert words[0] in "+−" or words == "0 %"


# --- sentences ---


@pytest.mark.parametrize(
    ("change", "opening", "odds"),
    [
        ({}, "**Open: ", True),  # the deadline lies ahead
        ({"as_of": date(2015, 6, 30)}, "**Open: ", True),  # its year is running
        (
            {"as_of": date(2026, 11, 24)},
            "**Missed**, with a probability of ",
            True,
        ),  # over, and never published
        (
            {"reporter": "China", "goal": "100 USD bn", "base_year": 2010, "as_of": date(2026, 11, 24)},
            "**Missed.**",
            False,
        ),
        (
            {
                "reporter": "China",
                "goal": "100 USD bn",
                "base_year": 2010,
                "deadline": 2018,
                "as_of": date(2026, 11, 24),
            },
            "**Met.**",
            False,
        ),
    ],
)
def test_a_headline_gives_odds_only_where_nothing_is_decided(change, opening, odds):
    answer = outlook.of(GoalCase(**change))
    sentence = str(headline(answer))
    assert sentence.startswith(opening) and "on average" in sentence
    assert (answer.kind in sentence) == odds
    assert bool(re.search(r"\d+ %", sentence)) == odds or "reached" in sentence or "a year" in sentence


def test_after_the_deadline_nothing_is_called_a_forecast():
    for day in (date(2016, 1, 1), date(2026, 11, 24)):
        sentence = plainly(outlook.of(GoalCase(as_of=day)))
        assert "forecast" not in sentence and "inferred, since no figure of 2015" in sentence


def test_a_goal_that_is_a_level_is_answered_as_a_level():
    case = GoalCase(
        reporter="China", goal="100 USD bn", base_year=2010, deadline=2018, as_of=date(2026, 11, 24)
    )
    assert "US$107 billion of US$100 billion in 2018" in plainly(outlook.of(case))


def test_harbins_goal_is_told_with_its_source():
    case = GoalCase()
    words = str(answers.goal_in_words(case, case.make_goal())).replace("\\", "")
    assert "**+25 % a year**, 2012 to 2015" in words
    assert "From US$153 million in 2012 to **US$299 million** in 2015" in words
    assert "Harbin city government" in words and "japanese.dbw.cn" in words


@pytest.mark.parametrize(
    ("change", "announced"),
    [
        ({}, True),
        ({"goal": "14.0 USD bn"}, True),
        ({"goal": "14000 USD mn"}, True),
        ({"goal": "15 USD bn"}, False),
        ({"goal": "14 CNY bn", "currency": "CNY"}, False),  # the announced goal was in dollars
        ({"deadline": 2011}, False),
        ({"goal": "14 %"}, False),
    ],
)
def test_only_the_goal_that_was_announced_is_called_so(change, announced):
    given_goal = {"reporter": "Heilongjiang", "goal": "14 USD bn", "base_year": 2005, "deadline": 2010}
    case = GoalCase(**{**given_goal, "as_of": date(2010, 12, 31), **change})
    assert ("Wang Limin" in answers.announcement(case)) == announced
    assert ("the reader's own" in answers.announcement(case)) != announced


def test_every_target_of_the_register_is_found_by_the_goal_that_it_states():
    forms = {"level": "{} {}", "growth_pct_per_year": "{} %", "multiple": "{} times the base"}
    targets = load_targets().dropna(subset=["target_value", "target_year", "base_year"])
    assert set(targets["measure"]) == set(forms)
    for row in targets.itertuples():
        goal = forms[row.measure].format(row.target_value, row.target_unit)
        flow = {"reporter": row.reporter, "partner": row.partner, "flow": row.flow, "goal": goal}
        years = {"base_year": int(row.base_year), "deadline": int(row.target_year)}
        case = GoalCase.model_construct(**flow, **years)
        assert answers.announced(case), row.target_id
        if row.measure != "level":  # which is the same from whatever base
            other = {**years, "base_year": years["base_year"] - 40}
            assert answers.announced(GoalCase.model_construct(**flow, **other)) is None, row.target_id


def test_the_source_line_names_the_figures_that_are_shown_and_counts_the_rest():
    case = GoalCase(reporter="China", goal="100 USD bn", base_year=2010, as_of=date(2012, 12, 31))
    series = case.series()
    line = answers.source_line(case.vintage(), series, most=2)
    used = series["figure_id"].nunique()
    assert line.startswith("Sources: ") and line.count(";") == 1
    assert f" and {used - 2} more. Rows: data/figures.csv." in line
    assert "(undated)" not in answers.source_line(case.vintage(), series, most=99) or used > 2


def sentences(case: GoalCase) -> list[str]:
    """Every text that several notebooks share, for a case."""
    series, goal = case.series(), case.make_goal()
    return [
        case.title(),
        str(headline(outlook.of(case))),
        str(headline(outlook.of(case.today()))),
        str(answers.goal_in_words(case, goal)),
        answers.source_line(case.vintage(), series),
        answers.record_line(case),
    ]


NAMED = ("harbin-2014", "harbin-today", "heilongjiang-2008", "china-100bn-2012", "china-100bn-today")


@pytest.fixture(scope="module")
def named():
    """The parameters of these cases."""
    runs = expand(only=NAMED)[0]
    return {run.slug: run.parameters for run in runs if run.notebook == "00_did_the_goal_hold"}


CHANGES = [{"goal": "1000000 %"}, {"goal": "-99 %", "reading": "every_year"}]


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, {}) for name in NAMED]
    + [(name, change) for name in ("harbin-2014", "china-100bn-2012") for change in CHANGES],
)
def test_no_sentence_of_any_case_holds_a_hole_a_dollar_sign_or_a_certainty(named, name, change):
    for text in sentences(GoalCase.check({**named[name], **change})):
        prose = re.sub(r"\(https?://[^)]*\)", "", text)
        assert prose.strip()
        assert len(re.findall(r"(?<!\\)\$", prose)) < 2, prose  # two of them would be a formula
        assert not re.search(r"\bnan\b|\binf\b|\bNone\b|\bNaT\b|<NA>|e[+-]\d\d", prose), prose
        assert not re.search(r"probability of \*\*(0|100) %", prose)


def test_publishers_and_announcers_hold_nothing_that_markdown_reads_as_a_formula():
    goals_table = fig.load_goals_table()
    texts = [*fig.load_figures()["publisher"], *goals_table["announcer"], *goals_table["url"]]
    assert not [text for text in texts if "$" in text]


def test_the_line_under_a_large_figure_names_the_day():
    assert "known on 2014-04-15" in answers.record_line(FlowCase(as_of=date(2014, 4, 15)))
