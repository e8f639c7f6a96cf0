from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from junctor.errors import DataError
from junctor.language.values import (
    ERASE,
    IGNORE,
    as_number,
    coerce,
    plain,
    to_array,
    to_boolean,
    to_buffer,
    to_collection,
    to_date,
    to_number,
    to_text,
)

DATE = datetime(2026, 11, 21, 10, tzinfo=UTC)
EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (5.0, "5"),
        (0.1, "0.1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (0.00001, "0.00001"),
        (DATE, "2026-11-21T10:00:00.000Z"),
        (DATE.astimezone(EAST), "2026-11-21T10:00:00.000Z"),
        (["a", 1, {"k": None}], 'a,1,{"k":null}'),
        ({"a": [1.0, DATE]}, '{"a":[1,"2026-11-21T10:00:00.000Z"]}'),
        (b"abc", "abc"),
        (IGNORE, ""),
        (ERASE, ""),
    ],
)
def test_text(value: Any, text: str) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (None, 0),
        ("", 0),
        (" 12 ", 12),
        ("-1.5e2", -150),
        (".5", 0.5),
        ("5.", 5),
        (7, 7),
        ("9" * 30, 1e30),
    ],
)
def test_number(value: Any, number: float) -> None:
    assert to_number(value) == number


@pytest.mark.parametrize(
    "value", ["x", "1_000", "nan", "inf", "0x10", "\u0661", "1,5", True, DATE, [], {}]
)
def test_what_is_no_number(value: Any) -> None:
    assert as_number(value) is None
    with pytest.raises(DataError, match="is not a number"):
        to_number(value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, False),
        ("", False),
        ("false", False),
        ("x", True),
        (0, True),
        ([], True),
        (False, False),
    ],
)
def test_boolean(value: Any, wanted: bool) -> None:
    assert to_boolean(value) is wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("2026-11-21", "2026-11-20T22:00:00.000Z"),
        ("2026-11-21 10:00", "2026-11-21T08:00:00.000Z"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T10:00:00.123+01:00", "2026-11-21T09:00:00.123Z"),
        ("2026-11-21 10:00:05 GMT+02:00", "2026-11-21T08:00:05.000Z"),
        ("2026-11-21 10:00 +0200", "2026-11-21T08:00:00.000Z"),
        ("2026/11/21 3:05 PM", "2026-11-21T13:05:00.000Z"),
        ("11/21/2026 12:00 AM", "2026-11-20T22:00:00.000Z"),
        ("21.11.2026 10:00:00", "2026-11-21T08:00:00.000Z"),
        ("Thu, 30 Jul 2015 20:12:31 +0000", "2015-07-30T20:12:31.000Z"),
        ("Thu, 30 Jul 2015 20:12:31 -0530", "2015-07-31T01:42:31.000Z"),
        ("30 jul 2015 20:12 GMT", "2015-07-30T20:12:00.000Z"),
        ("Fri, 21 Nov 1997 09:55:06 -0600 (CST)", "1997-11-21T15:55:06.000Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (1500, "1970-01-01T00:00:01.500Z"),
        (DATE, "2026-11-21T10:00:00.000Z"),
        (datetime(2026, 11, 21, 10), "2026-11-21T08:00:00.000Z"),  # noqa: DTZ001  # naive on purpose
    ],
)
def test_date(value: Any, wanted: str) -> None:
    assert plain(to_date(value, EAST)) == wanted


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "2026-13-01", "32.1.2026", None, True, [], 1e300, "1" * 200),
        "0001-01-01 00:00 +0200",
        *("Thu, 30 Foo 2015 20:12:31 +0000", "Thu, 31 Jun 2015 20:12:31 +0000"),
        *("Thu, 30 Jul 2015 20:12:31", "Thu, 30 Jul 2015", "01 Jan 0001 00:00 +0001"),
    ],
)
def test_what_is_no_date(value: Any) -> None:
    with pytest.raises(DataError):
        to_date(value, UTC)


def test_array() -> None:
    array = [1]
    assert to_array(array) is array
    assert to_array(None) == []
    assert to_array({"a": 1}) == [{"a": 1}]


def test_buffer() -> None:
    assert to_buffer("é") == b"\xc3\xa9"
    assert to_buffer(5) == b"5"
    with pytest.raises(DataError):
        to_buffer({})


def test_collection() -> None:
    assert to_collection({"a": 1}) == {"a": 1}
    with pytest.raises(DataError, match="is not a collection"):
        to_collection([])


@pytest.mark.parametrize(
    ("value", "type_name", "wanted"),
    [
        ("5", "number", 5),
        ("", "number", None),
        ("5", "uinteger", 5),
        (3.0, "integer", 3),
        ("false", "boolean", False),
        ("x", "array", ["x"]),
        (5, "text", "5"),
        ("10:30", "time", "10:30"),
        ("2026-11-21", "date", datetime(2026, 11, 21, tzinfo=UTC)),
        (" ", "date", None),
        ({"a": 1}, "collection", {"a": 1}),
        ("a", "buffer", b"a"),
        ([1], "any", [1]),
        ([1], "some new type", [1]),
        (None, "collection", None),
        (ERASE, "number", ERASE),
        (IGNORE, "text", IGNORE),
    ],
)
def test_coerce(value: Any, type_name: str, wanted: Any) -> None:
    found = coerce(value, type_name, UTC)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("value", "type_name"),
    [(1.5, "integer"), (-1, "uinteger"), ("x", "number"), ("25:99", "time"), ("a", "collection")],
)
def test_what_does_not_fit_is_refused(value: Any, type_name: str) -> None:
    with pytest.raises(DataError):
        coerce(value, type_name, UTC)


def test_plain() -> None:
    value = {"d": DATE, "b": b"\x00", "f": 2.0, "n": float("nan"), "l": [IGNORE, ERASE], "t": True}
    assert plain(value) == {
        "d": "2026-11-21T10:00:00.000Z",
        "b": "AA==",
        "f": 2,
        "n": None,
        "l": [None, None],
        "t": True,
    }
    with pytest.raises(DataError, match="no value a bundle can hold"):
        plain(object())


def test_the_keywords_stay_single() -> None:
    assert copy.deepcopy([IGNORE, ERASE]) == [IGNORE, ERASE]
    assert copy.copy(IGNORE) is IGNORE
    assert repr(IGNORE) == "ignore"
