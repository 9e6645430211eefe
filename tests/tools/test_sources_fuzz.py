"""Whatever bytes arrive, a reader gives a sound table or a `UserError`: no other exception, no number that is none.

`TRADEGOALS_FUZZ=50000 pytest -n 0 tests/test_sources_fuzz.py` runs that many cases over all readers together; without
it each reader meets some forty. `tests/fuzz/fuzz_sources.py` does the same guided by coverage (atheris).
"""

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampling import some
from sources_readers import READERS

from lib.errors import UserError

CASES = int(os.environ.get("TRADEGOALS_FUZZ", "600"))
FORMS = 3  # tests of each reader: any bytes, damaged bytes, and sound JSON or rows with odd values in them
EACH = max(20, -(-CASES // (FORMS * len(READERS))))
many = settings(
    max_examples=EACH,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=CASES == 600,
    database=None,
)


def check(name: str, body: bytes) -> None:
    """The one property: a sound result or a UserError."""
    try:
        found = READERS[name].read(body)
    except UserError as error:
        assert str(error)
        return
    for frame in found if isinstance(found, tuple) else (found,):
        if isinstance(frame, pd.DataFrame) and "value" in frame:
            assert np.isfinite(frame["value"].to_numpy(dtype="float64")).all()
            assert not frame.isna().any().any()
        if isinstance(frame, pd.Series):
            assert np.isfinite(frame.to_numpy(dtype="float64")).all()
            assert frame.index.is_monotonic_increasing and frame.index.is_unique


@pytest.mark.parametrize("name", READERS)
def test_a_sound_sample_is_read(name: str) -> None:
    """Otherwise the fuzz would only meet refusals."""
    assert READERS[name].read(READERS[name].sample) is not None


@pytest.mark.parametrize("name", READERS)
@many
@given(body=st.binary(max_size=400))
def test_any_bytes(name: str, body: bytes) -> None:
    check(name, body)


@st.composite
def damaged(draw: Callable[[Any], Any], sample: bytes) -> bytes:
    """A sound body with some bytes replaced, removed, inserted or repeated."""
    body = bytearray(sample)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(body) - 1)))
        stop = min(len(body), start + draw(st.integers(0, 12)))
        put = draw(
            st.sampled_from(
                [b"", b'"', b",", b"\n", b"\xff", b"-", b"NaN", b"1e999", b"null", b"{", b"[", b"<", b"0"]
            )
        )
        put = draw(st.sampled_from([put, bytes(body[start:stop]) * 2, draw(st.binary(max_size=4))]))
        body[start:stop] = put
    return bytes(body)


@pytest.mark.parametrize("name", some(READERS, 2))
@many
@given(data=st.data())
def test_damaged_bytes(name: str, data: st.DataObject) -> None:
    check(name, data.draw(damaged(READERS[name].sample)))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**300, 10**310),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        ["NaN", "inf", "-Infinity", "1,5", "٣", "1_0", "0x10", " 1 ", "1e400", "2013", "X", "156"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


def with_odd_values(draw: Callable[[Any], Any], content: Any, chance: int) -> Any:
    """JSON with some of its parts replaced by odd values."""
    if draw(st.integers(0, chance)) == 0:
        return draw(ODD)
    if isinstance(content, dict):
        return {name: with_odd_values(draw, value, chance) for name, value in content.items()}
    if isinstance(content, list):
        return [with_odd_values(draw, value, chance) for value in content]
    return content


def odd_body(draw: Callable[[Any], Any], sample: bytes) -> bytes:
    """A sound body of which some values are odd: parts of JSON, or fields of rows."""
    try:
        return json.dumps(with_odd_values(draw, json.loads(sample), 25)).encode()
    except ValueError:
        pass
    rows = [line.split(b",") for line in sample.split(b"\n")]
    for row in rows:
        if draw(st.integers(0, 3)) == 0:
            row[draw(st.integers(0, len(row) - 1))] = str(draw(ODD)).encode("utf-8", "surrogatepass")
    return b"\n".join(b",".join(row) for row in rows)


@pytest.mark.parametrize("name", some(READERS, 3))
@many
@given(data=st.data())
def test_odd_values(name: str, data: st.DataObject) -> None:
    check(name, odd_body(data.draw, READERS[name].sample))
