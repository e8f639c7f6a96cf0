"""Expectations name what matters; what differs is said with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.testing.matching import as_data, differences, glob


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"b": [1]}}, {"a": {"b": [1], "c": 0}}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        (1, 1.0),
        ({"$any": True}, 0),
        ({"a": {"$absent": True}}, {}),
        ({"$absent": True}, None),
        ({"$like": "POST *"}, "POST https://x"),
        ({"$match": "^[0-9]+$"}, "123"),
        ({"$exact": {"a": [1]}}, {"a": [1]}),
        ({"$contains": [{"a": 1}, 3]}, [0, {"a": 1, "b": 2}, 2, 3]),
        ({"$contains": "b"}, "abc"),
        ({"$count": 2}, [1, 2]),
        ({"$like": 1, "b": 2}, {"$like": 1, "b": 2}),
    ],
)
def test_as_expected(expected: Any, found: Any) -> None:
    assert differences(expected, found) == []


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        ({"a": 1}, {"a": 2}, "$.a: expected 1, found 2"),
        ({"nmae": 1}, {"name": 1}, "$.nmae: expected 1, found nothing; there is 'name'"),
        ({"a": 1}, [], "$: expected an object, found []"),
        ([1, 2], [1], "$[1]: expected 2, found nothing: the list ended"),
        ([1], [1, 2], "$[1]: expected nothing: the list ends, found 2"),
        (True, 1, "$: expected true, found 1"),
        ("1", 1, '$: expected "1", found 1'),
        ({"$any": True}, None, "$: expected anything, found null"),
        ({"$absent": True}, 1, "$: expected nothing, found 1"),
        ({"$like": "a*"}, "b", "$: expected a text like 'a*', found \"b\""),
        ({"$match": "["}, "b", '$: expected a text that matches /[/, found "b"'),
        ({"$exact": {"a": 1}}, {"a": 1, "b": 2}, "$.b: expected nothing, found 2"),
        ({"$exact": {"a": 1}}, {}, "$.a: expected 1, found nothing"),
        ({"$contains": [2, 1]}, [1, 2], "$: expected an item like 1 (in this order), found [1, 2]"),
        ({"$contains": "x"}, "abc", "$: expected a text with 'x' in it, found \"abc\""),
        ({"$contains": ["x"]}, 1, "$: expected a list, found 1"),
        ({"$count": 1}, [], "$: expected 1 items, found 0: []"),
        ([1], "a", '$: expected a list of 1, found "a"'),
    ],
)
def test_a_difference_says_where(expected: Any, found: Any, said: str) -> None:
    assert [str(each) for each in differences(expected, found)] == [said]


def test_long_values_are_cut() -> None:
    (found,) = differences("a", "b" * 1000)
    assert len(found.found) < 250


def test_bundles_become_data() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    assert as_data({"d": when, "b": b"text", "c": b"\xff", "l": (1, 2.0)}) == {
        "d": "2026-01-02T00:00:00.000Z", "b": "text", "c": "/w==", "l": [1, 2],
    }  # fmt: skip


def test_patterns_have_two_wild_cards() -> None:
    assert glob("a*c?", "a.[].cd")
    assert not glob("a.c", "abc")
