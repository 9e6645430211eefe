"""People's words: what is understood, what is asked back, and that nothing ends in a traceback or takes long."""

import doctest
import re
import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import thorough

from lib import economies, spoken
from lib.analysis import question
from lib.analysis.question import read_question, read_unit
from lib.errors import UserError
from lib.goals import parse_goal

GOALS = {
    "25%": "25 %",
    "25 percent": "25 %",
    "25 per cent a year": "25 %",
    "+25 % a year": "25 %",
    "25 % p.a.": "25 %",
    "twenty-five percent annually": "25 %",
    "25": "25 %",
    "12,5 %": "12.5 %",
    "−5 %": "-5 %",
    "fall by 5 % a year": "-5 %",
    "100bn": "100 USD bn",
    "100 USD bn": "100 USD bn",
    "100 bn USD": "100 USD bn",
    "US$100 billion": "100 USD bn",
    "U.S. $100 billion": "100 USD bn",
    "$1.2 trillion": "1200 USD bn",
    "a hundred billion dollars": "100 USD bn",
    "1,200 million USD": "1.2 USD bn",
    "US$ 5,000,000,000": "5 USD bn",
    "EUR 50 bn": "50 EUR bn",
    "50 bn euros": "50 EUR bn",
    "200 billion yuan": "200 CNY bn",
    "1000亿美元": "100 USD bn",
    "到2000亿美元": "200 USD bn",
    "达到3000亿美元": "300 USD bn",
    "no less than 100 bn USD": "100 USD bn",
    "≥ 100 bn USD or more": "100 USD bn",
    "1.2万亿元": "1200 CNY bn",
    "500 crore rupees": "5 INR bn",
    "double": "2 times the base",
    "twofold": "2 times the base",
    "2-fold": "2 times the base",
    "×3": "3 times the base",
    "triple": "3 times the base",
    "halve": "0.5 times the base",
    "by half": "1.5 times the base",
    "fall by a quarter": "0.75 times the base",
    "50 % in all": "1.5 times the base",
}

DOUBTFUL_GOALS = {
    "0.25": 'expected "25 %" or "0.25 %": did you mean 25 %?',
    "$100": 'did you mean "100 USD bn" or "100 USD mn"?',
    "¥100bn": "did you mean CNY or JPY?",
    "10-15 %": 'expected one rate, not the range "10-15 %"',
    "25 % or 30 %": 'did you mean "25 %" or "30 %"?',
    "fall by -5 %": "expected a fall said once",
    **dict.fromkeys(
        (
            *("grow by US$50 billion", "up by 20 bn USD", "an increase of 50 bn USD", "US$50 billion more"),
            *("增加500亿美元", "увеличить на 50 млрд долларов", "fall by 50 million"),
        ),
        "expected the level to reach, not what is added or taken away",
    ),
    **dict.fromkeys(
        ("less than 5 % a year", "less than US$100 bn", "lower than 100 bn", "≤ 100 bn USD", "<5 %"),
        "expected a goal to reach or exceed, not one to stay below",
    ),
    "25 % by 2030": "its years are the parameters base_year and deadline",
    "25 % a month": "expected a rate",
    "-3 USD bn": "expected a rate",
    "a lot": "expected a rate",
    "": "expected a rate",
    "9" * 12 + " %": "expected at most nine digits",
}

YEARS = {
    "2012-2015": (2012, 2015, None),
    "2012–15": (2012, 2015, None),
    "from 2012 to 2015": (2012, 2015, None),
    "between 2012 and 2015": (2012, 2015, None),
    "by 2030": (None, 2030, None),
    "by the end of 2030": (None, 2030, None),
    "until 2030": (None, 2030, None),
    "since 2012": (2012, None, None),
    "in five years": (None, None, 5),
    "over the next 3 years": (None, None, 3),
}

DAYS = {
    "2014-04-15": date(2014, 4, 15),
    "2014-4-15": date(2014, 4, 15),
    "20140415": date(2014, 4, 15),
    "15 April 2014": date(2014, 4, 15),
    "15th of April, 2014": date(2014, 4, 15),
    "April 15, 2014": date(2014, 4, 15),
    "15/4/2014": date(2014, 4, 15),
    "4/15/2014": date(2014, 4, 15),
    "15.04.2014": date(2014, 4, 15),
    "5/5/2014": date(2014, 5, 5),
    "2014年4月15日": date(2014, 4, 15),
    "today": date(2026, 2, 3),
}

PLACES = {
    "harbin": "Harbin",
    "HARBIN": "Harbin",
    "Harbin City": "Harbin",
    "哈尔滨": "Harbin",
    "黑龙江": "Heilongjiang",
    "黑龙江省": "Heilongjiang",
    "Харбин": "Harbin",
    "CN": "China",
    "chn": "China",
    "Russian Federation": "Russia",
    "россия": "Russia",
    "俄罗斯": "Russia",
    "UK": "United Kingdom",
    "the United States": "United States",
    "Viet Nam": "Viet Nam",
    "cote d’ivoire": "Côte d'Ivoire",
    "Nowhere": "Nowhere",
}

FLOWS = {
    "exports": "export",
    "Import": "import",
    "total trade": "total",
    "exports and imports": "total",
    "trade turnover": "total",
    "进出口": "total",
    "smuggling": "smuggling",
}

UNITS = {
    "USD bn": ("USD", 1000),
    "million euros": ("EUR", 1),
    "亿美元": ("USD", 100),
    "万元": ("CNY", 0.01),
    "crore rupees": ("INR", 10),
    "dollars": ("USD", 1e-6),
    "mn": ("CNY", 1),
}

UNTIL_2030 = {
    "treble": "3 times the base",
    "a third more": "1.333333333 times the base",
    "a quarter less": "0.75 times the base",
    "one third less": "0.666666667 times the base",
    "2/3 higher": "1.666666667 times the base",
    "quintuple": "5 times the base",
    "one and a half times": "1.5 times the base",
    "by a factor of three": "3 times the base",
    "US$ 5bn": "5 USD bn",
    "U.S. $5 billion": "5 USD bn",
    "5 billion euros": "5 EUR bn",
    "5 Mrd. EUR": "5 EUR bn",
    "5 млрд долларов": "5 USD bn",
    "₹ 5 lakh crore": "5000 INR bn",
    "25 % per annum": "25 %",
    "25 %/yr": "25 %",
    "25 %/a": "25 %",
    "25 pc a year": "25 %",
    "twenty five percent a year": "25 %",
    "7½ % a year": "7.5 %",
    "≥ 25 % a year": "25 %",
    "no less than 25 % a year": "25 %",
    "25 % or more each year": "25 %",
    "average annual growth of 25 %": "25 %",
    "a CAGR of 25 %": "25 %",
    "年均增长25%": "25 %",
    "25 % в год": "25 %",
    "翻一番": "2 times the base",
    "вдвое": "2 times the base",
}

HARBIN = {"reporter": "Harbin", "partner": "Russia"}
CHINA = {"reporter": "China", "partner": "Russia"}
SENTENCES = {
    "Harbin Russia total +25% 2012-2015": HARBIN
    | {"flow": "total", "goal": "25 %", "base_year": 2012, "deadline": 2015},
    "Will Harbin's trade with Russia grow 25% a year from 2012 to 2015?": HARBIN
    | {"flow": "total", "goal": "25 %", "base_year": 2012, "deadline": 2015},
    "India Russia 100 bn USD by 2030": {"reporter": "India", "partner": "Russia"}
    | {"goal": "100 USD bn", "currency": "USD", "deadline": 2030},
    "imports of China from Russia +10 % a year 2019-2024": CHINA
    | {"flow": "import", "goal": "10 %", "base_year": 2019, "deadline": 2024},
    "imports from Russia to China double by 2030": CHINA
    | {"flow": "import", "goal": "2 times the base", "deadline": 2030},
    "exports from China to Russia triple by 2030": CHINA
    | {"flow": "export", "goal": "3 times the base", "deadline": 2030},
    "Russia's exports to China 5 % a year since 2020": {"reporter": "Russia", "partner": "China"}
    | {"flow": "export", "goal": "5 %", "base_year": 2020},
    "trade between China and Russia to reach US$200 billion by 2024": CHINA
    | {"flow": "total", "goal": "200 USD bn", "currency": "USD", "deadline": 2024},
    "china-russia 200bn by 2024": CHINA | {"goal": "200 USD bn", "deadline": 2024},
    "CN RU export trade 200 billion yuan by 2024": CHINA
    | {"flow": "export", "goal": "200 CNY bn", "currency": "CNY", "deadline": 2024},
    "exports of Trinidad and Tobago to the UK, 5 % a year 2010-2015": {
        "reporter": "Trinidad and Tobago", "partner": "United Kingdom", "flow": "export", "goal": "5 %",
        "base_year": 2010, "deadline": 2015,
    },
    "黑龙江 俄罗斯 25% 2012-2015 as of 15 April 2014": {"reporter": "Heilongjiang", "partner": "Russia"}
    | {"goal": "25 %", "base_year": 2012, "deadline": 2015, "as_of": date(2014, 4, 15)},
    "double by 2030": {"goal": "2 times the base", "deadline": 2030},
    "Harbin/Russia 5 % a year 2012/2015": HARBIN | {"goal": "5 %", "base_year": 2012, "deadline": 2015},
    "What are the odds that China's trade with Russia reaches $300bn by end-2030?": CHINA
    | {"flow": "total", "goal": "300 USD bn", "currency": "USD", "deadline": 2030},
    "U.S. exports to China three times the level of 2012 by December 2030": {"reporter": "United States", "partner": "China"}
    | {"flow": "export", "goal": "3 times the base", "base_year": 2012, "deadline": 2030},
    "shipments from Germany to India 100bn by the end of 2030": {"reporter": "Germany", "partner": "India"}
    | {"flow": "export", "goal": "100 USD bn", "deadline": 2030},
    "товарооборот Китая с Россией 200 млрд долларов к 2024 году": CHINA
    | {"flow": "total", "goal": "200 USD bn", "currency": "USD", "deadline": 2024},
    "импорт из Индии в Казахстан вырастет вдвое с 2020 по 2030 год": {"reporter": "Kazakhstan", "partner": "India"}
    | {"flow": "import", "goal": "2 times the base", "base_year": 2020, "deadline": 2030},
    "中俄贸易额到2024年达到2000亿美元": CHINA | {"flow": "total", "goal": "200 USD bn", "currency": "USD", "deadline": 2024},
    "印度对德国出口 年均增长10% 2012-2015 (as of the end of April 2014)": {"reporter": "India", "partner": "Germany"}
    | {"flow": "export", "goal": "10 %", "base_year": 2012, "deadline": 2015, "as_of": date(2014, 4, 30)},
}  # fmt: skip

DOUBTFUL_SENTENCES = {
    "Harbin Russia 25% by 2015": "did you mean 25 % a year?",
    "Harbin Russia 25% in three years": "may be growth a year or from now to then",
    "china russia 100bn 2030": 'did you mean "by 2030"?',
    "Harbin Russia double before 2030": "did you mean by 2029 or by 2030?",
    "Harbin Rusia 25% 2012-2015": 'found "rusia" in',
    "Harbin China Russia 5% a year": "found 3 places",
    "Harbin Russia 2012-2015": "found no goal",
    "Harbin Russia 50 % more by 2020 than in 2012": "may be growth a year or from now to then",
    "Harbin Russia 20 % less by 2020 than in 2012": "may be growth a year or from now to then",
    "India US $500 billion by 2030": '"USA" for the partner',
}


def refusal(read, *arguments) -> str:
    with pytest.raises(UserError) as error:
        read(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("text", "meant"), GOALS.items())
def test_a_goal_is_understood(text, meant):
    assert spoken.read_goal(text) == meant
    assert spoken.read_goal(meant) == meant
    parse_goal(meant)


@pytest.mark.parametrize(("text", "words"), DOUBTFUL_GOALS.items())
def test_a_doubtful_goal_is_asked_back(text, words):
    assert words in refusal(spoken.read_goal, text)


def test_a_level_without_a_currency_is_of_the_case():
    assert spoken.read_goal("100bn", "CNY") == "100 CNY bn"


@pytest.mark.parametrize(("text", "meant"), UNTIL_2030.items())
def test_a_goal_with_a_deadline_is_understood(text, meant):
    assert read_question(f"Harbin Russia {text} by 2030").stated == HARBIN | {
        "goal": meant,
        "deadline": 2030,
    } | ({"currency": meant.split()[1]} if meant.endswith("bn") else {})


@pytest.mark.parametrize(("text", "meant"), YEARS.items())
def test_years_are_understood(text, meant):
    found = read_question(f"double {text}")
    assert (found.stated.get("base_year"), found.stated.get("deadline"), found.length) == meant


@pytest.mark.parametrize("text", ["2030", "before 2030", "soon", "2012-2015 by 2020"])
def test_doubtful_years_are_asked_back(text):
    assert refusal(read_question, f"double {text}")


@pytest.mark.parametrize(("text", "meant"), DAYS.items())
def test_a_day_is_understood(text, meant):
    assert spoken.read_day(text, lambda: date(2026, 2, 3)) == (meant, "")


@pytest.mark.parametrize(
    ("text", "day", "of"),
    [
        ("April 2014", date(2014, 4, 30), "April 2014"),
        ("2012-02", date(2012, 2, 29), "February 2012"),
        ("2014", date(2014, 12, 31), "2014"),
    ],
)
def test_the_last_day_of_a_longer_time_is_taken_and_said(text, day, of):
    assert spoken.read_day(text) == (day, f"the last day of {of}")


@pytest.mark.parametrize(
    "text", ["4/5/2014", "4-5-2014", "31 February 2014", "April", "15.04.14", "2014-13", ""]
)
def test_a_doubtful_day_is_asked_back(text):
    assert refusal(spoken.read_day, text).startswith("day: found ")
    assert "did you mean 2014-05-04 or 2014-04-05?" in refusal(spoken.read_day, "4/5/2014")


@pytest.mark.parametrize(("text", "meant"), PLACES.items())
def test_a_place_is_known_by_its_names_and_codes(text, meant):
    assert spoken.read_place(text) == meant


@pytest.mark.parametrize(("text", "meant"), FLOWS.items())
def test_a_flow_is_understood(text, meant):
    assert spoken.read_flow(text) == meant


@pytest.mark.parametrize(("text", "meant"), UNITS.items())
def test_a_unit_is_understood(text, meant):
    assert read_unit(text, "CNY") == meant


@pytest.mark.parametrize("text", ["", "tonnes", "USD EUR", "mn bn", "mn USD a year"])
def test_a_wrong_unit_is_refused(text):
    assert refusal(read_unit, text).startswith("unit: found ")


@pytest.mark.parametrize(("text", "meant"), SENTENCES.items())
def test_a_sentence_is_understood(text, meant):
    assert read_question(text).stated == meant


@pytest.mark.parametrize(("text", "words"), DOUBTFUL_SENTENCES.items())
def test_a_doubtful_sentence_is_asked_back(text, words):
    assert words in refusal(read_question, text)


def test_a_sentence_may_say_how_many_years_or_a_month():
    assert read_question("by half in five years").length == 5
    month = read_question("Harbin Russia double by 2030 as of April 2014")
    assert month.stated["as_of"] == date(2014, 4, 30)
    assert month.notes == ('"April 2014": the last day of April 2014',)


WORDS = [
    *GOALS,
    *DOUBTFUL_GOALS,
    *YEARS,
    *DAYS,
    *PLACES,
    *FLOWS,
    "of",
    "from",
    "to",
    "by",
    "-",
    "%",
    "$",
    "(",
]
ANY_TEXT = st.one_of(
    st.text(max_size=400),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.text(alphabet="0123456789 .,%-+bnmx$亿年/", max_size=300),
)


@settings(max_examples=300 if thorough() else 60)
@given(text=ANY_TEXT)
def test_any_text_is_understood_or_refused_on_one_line_at_once(text):
    readers = (spoken.read_goal, spoken.read_day, read_unit, read_question)
    start = time.process_time()
    for read in readers:
        try:
            read(text)
        except UserError as error:
            assert re.match(r"\w+: found ", str(error)) or str(error).startswith("ask: found")
            assert "\n" not in str(error)
    spoken.read_place(text), spoken.read_flow(text)
    assert time.process_time() - start < 5


@given(
    number=st.integers(1, 999), scale=st.sampled_from([("bn", 1000), ("million", 1), ("亿", 100), ("trn", 1e6)]),
    money=st.sampled_from(["USD", "CNY", "EUR"]), front=st.booleans(),
)  # fmt: skip
def test_a_level_means_the_same_wherever_its_currency_stands(number, scale, money, front):
    text = f"{money} {number} {scale[0]}" if front else f"{number} {scale[0]} {money}"
    kind, level, currency = parse_goal(spoken.read_goal(text))
    assert (kind, currency) == ("level", money) and level == pytest.approx(number * scale[1])


@given(day=st.dates(date(1950, 1, 1), date(2100, 12, 31)))
def test_a_day_is_read_however_it_is_written(day):
    month = f"{day:%B}"
    for text in (f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}", day.isoformat()):
        assert spoken.read_day(text).day == day
    assert spoken.read_day(f"{day.day}.{day.month}.{day.year}").day == day


def test_the_examples_of_the_docstrings_hold():
    assert doctest.testmod(spoken).failed == doctest.testmod(question).failed == 0
    assert doctest.testmod(economies).failed == 0
