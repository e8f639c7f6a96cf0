"""Records as stored values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import BundleInvalid, DataError, TooLarge
from junctor.language.lossless import FloatNumber, IntNumber
from junctor.language.records import (
    MOST_BYTES,
    MOST_KEY,
    checked_key,
    fitting,
    merged,
    restored,
    sized,
    stored,
)
from junctor.language.values import ERASE, IGNORE

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NAMES = st.one_of(st.sampled_from(["$date", "$buffer", "$", "a"]), TEXTS)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda n: not n.is_integer()),
    TEXTS,
    st.binary(max_size=8),
    st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0)),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_record_comes_back_as_it_went_in(record: dict[str, Any]) -> None:
    again = restored(json.loads(json.dumps(stored(record))))
    assert again == record
    assert repr(again) == repr(record)  # 1 is not True, a date no text


@pytest.mark.parametrize(
    ("value", "as_json"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), {"$date": "2026-01-02T03:04:05.000Z"}),
        (
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=1))),
            {"$date": "2026-01-02T02:00:00.000Z"},
        ),
        (b"\xff", {"$buffer": "/w=="}),
        ({"$date": "x"}, {"$": {"$date": "x"}}),
        ({"$date": "x", "b": 1}, {"$date": "x", "b": 1}),
        ("a\0b\ud800", "a\ufffdb?"),
        (FloatNumber(1.1, "1.10"), 1.1),
        (IntNumber(0, "-0"), 0),
        (2.0, 2),
        (2**70, float(2**70)),
        (float("nan"), None),
        ({"a": IGNORE, "b": ERASE, "c": [IGNORE, 1]}, {"b": None, "c": [1]}),
    ],
)
def test_what_is_stored(value: Any, as_json: Any) -> None:
    assert stored(value) == as_json
    assert type(stored(value)) is type(as_json)


def test_a_tag_that_none_of_ours_wrote_is_left_alone() -> None:
    assert restored({"$date": "soon"}) == {"$date": "soon"}
    assert restored({"$buffer": "%"}) == {"$buffer": "%"}


def test_what_no_record_can_hold_is_refused() -> None:
    with pytest.raises(DataError, match="set is no value"):
        stored({"a": {1}})
    with pytest.raises(DataError, match="larger than any number"):
        stored(10**400)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DataError, match="nested too deep"):
        stored(deep)


def test_a_record_has_a_largest_size() -> None:
    assert sized("k", {"a": "x" * 100}) == 108
    with pytest.raises(TooLarge, match=r"The record 'k' is larger than 15728640 bytes"):
        sized("k", {"a": "x" * MOST_BYTES})
    assert checked_key("x" * MOST_KEY)
    with pytest.raises(DataError, match="513 characters"):
        checked_key("x" * (MOST_KEY + 1))


SPEC: list[dict[str, Any]] = [
    {"name": "name", "type": "text", "required": True},
    {"name": "born", "type": "date"},
    {"name": "role", "type": "text", "default": "guest"},
]


def test_a_record_fits_its_structure() -> None:
    made = fitting({"name": 7, "born": "2026-01-02", "more": 1}, SPEC, False)
    assert made == {
        "name": "7",
        "born": datetime(2026, 1, 2, tzinfo=UTC),
        "role": "guest",
        "more": 1,
    }
    with pytest.raises(BundleInvalid, match="name"):
        fitting({}, SPEC, False)
    with pytest.raises(BundleInvalid, match="more"):
        fitting({"name": "A", "more": 1}, SPEC, True)


def test_a_strict_structure_lets_older_fields_be_and_no_structure_everything() -> None:
    made = fitting({"name": "A", "old": 1}, SPEC, True, kept={"name", "old"})
    assert made == {"name": "A", "role": "guest", "old": 1}
    assert fitting({"x": IGNORE}, (), False) == {"x": IGNORE}
    with pytest.raises(BundleInvalid, match="x"):
        fitting({"x": 1}, (), True)


def test_merging_does_not_change_what_it_is_given() -> None:
    old: dict[str, Any] = {"tags": ["a"], "address": {"city": "X"}}
    merged(old, {"tags": ["b"], "address": {"zip": 1}}, overwrite_arrays=False)
    assert old == {"tags": ["a"], "address": {"city": "X"}}
