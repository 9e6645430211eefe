"""Numbers as they stand in sentences: right to their digits, never certain, never a formula."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.errors import UserError
from lib.words import money, percent, rate, years


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (230, "USD 230 million"),
        (153.3333, "USD 153 million"),
        (88_160, "USD 88.2 billion"),
        (999.4, "USD 999 million"),
        (999.6, "USD 1 billion"),
        (1000, "USD 1 billion"),
        (228_105, "USD 228 billion"),
        (1_234_567, "USD 1,235 billion"),
        (0.5, "USD 0.5 million"),
        (0, "USD 0 million"),
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
        (10_000, "+1000000 %"),
    ],
)
def test_rate(fraction, words):
    assert rate(fraction) == words


@given(st.floats(-1, 1e4))
def test_a_rate_has_its_sign_and_one_decimal(fraction):
    words = rate(fraction)
    said = float(words.removesuffix(" %").replace("−", "-")) / 100
    assert said == pytest.approx(fraction, abs=0.5001e-3)
    assert words[0] == ("0" if said == 0 else "+" if said > 0 else "−")


def test_years():
    assert [years(n) for n in (1, 2, 10)] == ["1 year", "2 years", "10 years"]
