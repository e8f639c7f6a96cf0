"""How values cross to the process of a code step."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.runtime.sandbox.wire import NotData, pack, unpack

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("$"), inner, max_size=4)
    ),
    max_leaves=20,
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["int"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("$"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_packed_comes_back(value: Any) -> None:
    assert unpack(json.loads(json.dumps(pack(value)))) == value


@given(ANY_JSON)
def test_anything_else_is_read_or_refused(value: Any) -> None:
    try:
        unpack(value)
    except NotData:
        return


def test_dates_and_large_numbers() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    assert unpack(pack([moment, date(2026, 1, 2), 2**64])) == [moment, "2026-01-02", str(2**64)]
    assert pack(float("nan")) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [object()]}, r"it\.a\[0\] is of type object"),
        ({(1,): 1}, "no text"),
        (10**2000, "thousand digits"),
    ],
)
def test_what_is_no_data_is_refused_with_its_place(value: Any, text: str) -> None:
    with pytest.raises(NotData, match=text):
        pack(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(NotData, match="holds itself"):
        pack(itself)


@pytest.mark.parametrize(
    "damaged",
    [
        {"$": ["bytes", "%"]},
        {"$": ["int", "1e5"]},
        {"$": ["int", "1" * 5000]},
        {"$": ["date", 1e300]},
        {"$": ["date", float("inf")]},
        {"$": ["date", float("nan")]},
        {"$": 5},
        {"$": ["function", 1]},
    ],
)
def test_damaged_values_are_refused(damaged: Any) -> None:
    with pytest.raises(NotData):
        unpack(damaged)
