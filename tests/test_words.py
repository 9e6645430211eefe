"""Numbers as they stand in sentences: right to their digits, never certain, never a formula."""

import doctest
import re
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.display import Markdown

from lib import show, words
from lib.errors import UserError
from lib.words import each, exact_money, fill, form, markdown, money, percent, pick, rate, say, years


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (230, "US$230 million"),
        (153.3333, "US$153 million"),
        (88_160, "US$88.2 billion"),
        (999.4, "US$999 million"),
        (999.6, "US$1 billion"),
        (1000, "US$1 billion"),
        (228_105, "US$228 billion"),
        (1_234_567, "US$1,235 billion"),
        (0.5, "US$0.5 million"),
        (0, "US$0 million"),
    ],
)
def test_money(value, words):
    assert money(value, "USD") == words


@given(st.floats(1e-3, 1e7))
def test_money_keeps_three_digits_and_no_dollar_sign(value):
    currency, number, scale = money(value, "CNY").split()
    assert currency == "CNY"
    said = float(number.replace(",", "")) * {"million": 1, "billion": 1000}[scale]
    assert said == pytest.approx(value, rel=0.5e-2)


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0, "below 1 %"),
        (0.0099, "below 1 %"),
        (0.01, "1 %"),
        (0.384, "38 %"),
        (0.99, "99 %"),
        (0.9901, "above 99 %"),
        (1, "above 99 %"),
    ],
)
def test_percent(fraction, words):
    assert percent(fraction) == words


@given(st.floats(0, 1))
def test_no_probability_is_certain_and_none_is_far_off(p):
    words = percent(p)
    assert words not in ("0 %", "100 %")
    if found := re.fullmatch(r"(\d+) %", words):
        assert abs(int(found[1]) - 100 * p) <= 0.5 + 1e-9
    else:
        assert words == ("below 1 %" if p < 0.5 else "above 99 %")


def test_a_missing_probability_is_no_number():
    with pytest.raises(UserError, match="found nan, expected a number from 0 to 1"):
        percent(float("nan"))


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0.25, "+25 %"),
        (-0.286, "−28.6 %"),
        (0.1411, "+14.1 %"),
        (1, "+100 %"),
        (-1, "−100 %"),
        (0, "0 %"),
        (0.0004, "0 %"),
        (-0.0004, "0 %"),
        (0.0005, "+0.1 %"),
        (10_000, "+1,000,000 %"),
    ],
)
def test_rate(fraction, words):
    assert rate(fraction) == words


@given(st.floats(-1, 1e4))
def test_a_rate_has_its_sign_and_one_decimal(fraction):
    words = rate(fraction)
    said = float(words.removesuffix(" %").replace("−", "-").replace(",", "")) / 100
    assert said == pytest.approx(fraction, abs=0.5001e-3)
    assert words[0] == ("0" if said == 0 else "+" if said > 0 else "−")


def test_years():
    assert [years(n) for n in (1, 2, 10)] == ["1 year", "2 years", "10 years"]


# --- formats ---


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (0.384, "pct", "38 %"),
        (-0.286, "rate", "−28.6 %"),
        (-0.286, "size", "28.6 %"),
        (0.25, "size", "25 %"),
        (0.0334, "points", "+3.3"),
        (-0.0004, "points", "0"),
        (1300, "usd", "US$1.3 billion"),
        (153.3333, "cny", "CNY 153 million"),
        (-20, "USD", "US$−20 million"),
        (10_730.0, "number", "10,730"),
        (5580.0, "number", "5,580"),
        (9753.3, "number", "9,753"),
        (10_946.7, "number", "10,947"),
        (153.3333, "number", "153.3"),
        (999.94, "number", "999.9"),
        (999.96, "number", "1,000"),
        (-1234.5, "number", "−1,234"),
        (0.0561234, "number", "0.05612"),
        (9753.3, "printed", "9,753.3"),
        (10_946.75, "printed", "10,946.75"),
        (230.0, "printed", "230"),
        (36.75129, "printed", "36.7513"),
        (-0.1, "printed", "−0.1"),
        (139.42, "about", "139"),
        (15_802.3, "about", "15,800"),
        (9753.3, "about", "9,750"),
        (999.7, "about", "1,000"),
        (0.0561234, "about", "0.0561"),
        ("2014-04-15", "day", "15 April 2014"),
        (date(2014, 4, 5), "day", "5 April 2014"),
        (pd.Timestamp(2014, 4, 15), "day", "15 April 2014"),
        (1, "years", "1 year"),
        (np.int64(3), "years", "3 years"),
        (1, "figure|figures", "1 figure"),
        (1234, "figure|figures", "1,234 figures"),
        (0, "figure|figures", "no figures"),
        (["a", "b", "c"], "list", "a, b and c"),
        (["a"], "list", "a"),
        ([], "list", "none"),
        ([2013, 2012, 2023], "spans", "2012–2013, 2023"),
        ([], "spans", "none"),
        (pd.Series([2001, 2003, 2004, 2005, 2009]), "spans", "2001, 2003–2005, 2009"),
        ((1, 9), "months", "January to September"),
        ((11, 12), "months", "November and December"),
        ((5, 5), "months", "May"),
        ((1, 0), "months", "nothing"),
        ((1, 2), "stretch", "Jan–Feb"),
        ((3, 3), "stretch", "Mar"),
        ((1, 0), "stretch", "nothing"),
        (0.0001, "p", "below 0.001"),
        (0.0312, "p", "0.031"),
        (-0.5, "+.2f", "−0.50"),
        (1234.5, ",.0f", "1,234"),
        (1234.5, "+.1f", "+1,234.5"),
        (-0.0004, "+.3f", "0.000"),
        (12.5, "rate", "+1,250 %"),
        (12.5, "points", "+1,250.0"),
        (2013, "", "2013"),
        ("Harbin", "", "Harbin"),
    ],
)
def test_a_format_writes_a_value(value, spec, text):
    assert form(value, spec) == text


@given(st.floats(1e-3, 1e9), st.sampled_from(["number", "about", "printed", ".0f", ".1f", "usd"]))
def test_thousands_are_separated_whatever_the_format(value, spec):
    assert not re.search(r"\d{4}", form(value, spec).partition(".")[0])


@given(st.floats(1e-3, 1e9))
def test_a_number_keeps_four_digits_and_what_is_printed_all(value):
    said = float(form(value, "number").replace(",", ""))
    assert said == pytest.approx(value, rel=5.1e-4)
    assert float(form(value, "printed").replace(",", "")) == pytest.approx(value, abs=0.51e-4)


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NaT, pd.NA])
@pytest.mark.parametrize("spec", ["pct", "rate", "usd", "day", "years", "figure|figures", ".2f", ""])
def test_a_missing_value_is_an_error(missing, spec):
    with pytest.raises(UserError, match="found no value"):
        form(missing, spec)


@pytest.mark.parametrize("spec", ["percent", "dollars", ">10", "x", "|", ".3", "%"])
def test_an_unknown_format_is_an_error_that_lists_those_there_are(spec):
    with pytest.raises(UserError, match=r"format: found .*, expected one of pct, rate"):
        form(0.5, spec)


def test_a_fraction_without_a_format_is_an_error():
    with pytest.raises(UserError, match=r'found "" for 0\.5'):
        fill("{x}", x=0.5)


@given(st.floats(0.001, 1e7))
def test_money_of_a_sentence_is_the_value_to_three_digits(value):
    sign, text, scale = re.fullmatch(r"(US\$)([\d.,]+) (million|billion)", form(value, "usd")).groups()
    said = float(text.replace(",", "")) * {"million": 1, "billion": 1000}[scale]
    assert said == pytest.approx(value, rel=5.1e-3) and sign == "US$"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (14_000, "US$14 billion"),
        (12_345.6, "US$12.3456 billion"),
        (800, "US$800 million"),
        (1.5e6, "US$1,500 billion"),
    ],
)
def test_a_goal_keeps_all_its_digits(value, text):
    assert exact_money(value, "USD") == text


# --- sentences ---


def test_the_examples_of_the_module_are_right():
    assert doctest.testmod(words).failed == 0


def test_a_sentence_is_shown_once_and_returned(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    said = say("It gives it {p:pct}; between {low:usd} and {high:usd}.", p=0.24, low=123, high=1300)
    assert said == r"It gives it 24 %; between US\$123 million and US\$1.3 billion."
    assert [type(one) for one in shown] == [Markdown] and shown[0].data == said
    assert said._ipython_display_() is None  # as the last value of a cell it shows nothing more


def test_a_currency_can_be_a_value():
    assert fill("{x:{currency}}", x=480_000, currency="CNY") == "CNY 480 billion"


def test_words_are_picked_by_outcome_and_hold_fields():
    text = pick("met", met="**met** by {x:rate}", missed="missed by {y:rate}")
    assert markdown("It was {verdict}.", verdict=text, x=0.1, y=None) == "It was **met** by +10 %."
    assert pick(np.bool_(False), yes="a", no="b") == "b" and pick(True, yes="a", no="b") == "a"


def test_an_outcome_without_words_is_an_error():
    with pytest.raises(
        UserError, match=r'pick: found "open", for which there are no words; expected met and missed'
    ):
        pick("open", met="a", missed="b")


def test_a_field_without_a_value_is_an_error():
    with pytest.raises(UserError, match=r"found a field \{y\} without a value, expected one of x"):
        fill("{x} {y}", x=1)


def test_each_row_is_a_line_with_words_of_its_own():
    rows = pd.DataFrame({"name": ["a_b", "c"], "course": ["grew", "fell"], "rate": [0.1, -0.2]})
    text = each(
        "- {name} {course}", rows, course={"grew": "grew by {rate:size}", "fell": "fell by {rate:size}"}
    )
    assert text == "- a\\_b grew by 10 %\n- c fell by 20 %"
    with pytest.raises(UserError, match='found "fell"'):
        each("{course}", rows, course={"grew": "grew"})


SHARP = st.text(alphabet="a<>&\"'`*_[](){}#|~$\\ !", min_size=1)


@given(SHARP)
def test_no_text_of_data_becomes_markup(text):
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark").render(f"x{markdown('{name}', name=text)}x")
    assert not re.search(r"<(?!/?p>)", html)
    unescaped = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert unescaped.strip() == f"<p>x{text}x</p>"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http:///x", "x"])
def test_an_address_is_one_of_the_web(address):
    with pytest.raises(UserError, match="address: found"):
        markdown("[source]({url:url})", url=address)


@given(st.text(alphabet="ab/?=&%\"'<>() \n`", max_size=30))
def test_no_address_ends_its_attribute_or_its_link(tail):
    address = f"https://host/{tail}"
    assert not re.search(r"[\"'<>()\s`]", form(address, "url"))
    html = show.table(pd.DataFrame({"address": [address]})).data
    assert re.fullmatch(r'<a href="https://host/[^"\'<>\s]*" target="_blank">[^<>]*</a>', _only_cell(html))


def _only_cell(html):
    return re.search(r"<td>(.*?)</td>", html, re.DOTALL)[1]


def test_a_table_renames_formats_and_leaves_blank_what_is_missing():
    frame = pd.DataFrame({"a": ["<b>", "y"], "x": [0.1, np.nan], "years": [[2012, 2013], []]})
    columns = {"x": ("growth & so", "rate"), "a": "name", "years": ("years", "spans")}
    html = show.table(frame, columns).data
    assert re.findall(r"<th>(.*?)</th>", html) == ["growth &amp; so", "name", "years"]
    assert 'white-space: nowrap">+10 %</span>' in html  # no line ends between a number and its unit
    cells = re.findall(r"<td>(.*?)</td>", re.sub("</?span[^>]*>", "", html))
    assert cells == ["+10 %", "&lt;b&gt;", "2012–2013", "", "y", "none"]
    assert show.table(frame.iloc[:0], columns, otherwise="None.").data == "None."
