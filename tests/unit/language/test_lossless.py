from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import BlueprintInvalid
from junctor.language.lossless import (
    MAX_BYTES,
    MAX_DEPTH,
    FloatNumber,
    IntNumber,
    difference,
    dumps,
    loads,
    path_text,
    plain,
    spelling,
)

SPELLINGS = ["1.0", "1e5", "1E+5", "-0", "-0.0", "1.10", "0.1", "1e999", "12", "9" * 60, "9" * 5000]


@pytest.mark.parametrize("text", SPELLINGS)
def test_numbers_keep_their_spelling(text: str) -> None:
    assert dumps(loads(text).value) == text
    assert dumps(loads(f'{{"a": [{text}]}}').value) == f'{{"a":[{text}]}}'


def test_numbers_behave_as_numbers() -> None:
    minus, big, exact, large = loads("[-0, 1e5, 123456789012345678901234567890, 1e999]").value
    assert minus == 0
    assert isinstance(minus, int)
    assert big + 1 == 100001.0
    assert exact == 123456789012345678901234567890
    assert math.isinf(large)
    assert spelling(copy.deepcopy(big)) == "1e5"
    assert spelling(copy.deepcopy(minus)) == "-0"
    assert spelling(IntNumber(5)) == "5"
    assert spelling(FloatNumber(0.5)) == "0.5"


def test_plain_is_ordinary_and_shares_what_is_unchanged() -> None:
    value = loads('{"a": 1e5, "b": {"c": [1, "x"]}, "d": "\\ud800!", "\\ud801": -0}').value
    made = plain(value)
    assert made == {"a": 100000.0, "b": {"c": [1, "x"]}, "d": "\ufffd!", "\ufffd": 0}
    assert type(made["a"]) is float
    assert type(made["\ufffd"]) is int
    assert made["b"] is value["b"]
    assert plain([FloatNumber(1.0, "1.00")]) == [1.0]


def test_keys_keep_their_order() -> None:
    assert dumps(loads('{"b":1,"a":2,"10":3}').value) == '{"b":1,"a":2,"10":3}'


def test_repeated_keys_are_named_with_their_path() -> None:
    read = loads('{"a":{"x":1,"x":2,"y":[{"k k":1,"k k":1,"k k":3}]},"a2":{"x":1}}')
    assert read.value == {"a": {"x": 2, "y": [{"k k": 3}]}, "a2": {"x": 1}}
    assert [(p.path, p.severity) for p in read.problems] == [
        ("$.a.x", "warning"),
        ("$.a.y[0]['k k']", "warning"),
    ]
    assert "more than once" in read.problems[0].message


def test_repeated_key_inside_a_value_that_was_replaced() -> None:
    read = loads('{"a":{"x":1,"x":2},"a":3}')
    assert [p.path for p in read.problems] == ["$.a"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('\ufeff{"a":1}'.encode(), "byte order mark"),
        ('{"a":1}'.encode("utf-16"), "utf-16"),
        ('{"a":1}'.encode("utf-32-le"), "utf-32"),
    ],
)
def test_encodings_are_read_and_reported(data: bytes, said: str) -> None:
    read = loads(data)
    assert read.value == {"a": 1}
    assert [p.severity for p in read.problems] == ["info"]
    assert said in read.problems[0].message


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ('{"a":{"b":"caf\u00c3\u00a9"}}', "$.a.b", "wrongly decoded"),
        ('{"a":["ok","\\ud83d"]}', "$.a[1]", "surrogate"),
        ('{"a":"\\u0000"}', "$.a", "NUL"),
        ('{"a":1e999}', "$.a", "larger than any number"),
        ('{"a":"x\u00c3\u00a9","b":"\u00e2\u20ac\u201c"}', "$.a", "2 texts in all"),
    ],
)
def test_odd_content_is_reported_once(text: str, path: str, said: str) -> None:
    (problem,) = loads(text).problems
    assert (problem.path, problem.severity) == (path, "warning")
    assert said in problem.message


def test_lone_surrogates_survive_and_can_be_encoded() -> None:
    text = dumps(loads('["\\ud83d\\ude00 \\ud83d"]').value)
    assert text == '["\U0001f600 \\ud83d"]'
    assert json.loads(text.encode()) == ["\U0001f600 \ud83d"]


@pytest.mark.parametrize(
    ("data", "line", "column", "said"),
    [
        (b"", None, None, "empty"),
        (b" \n ", None, None, "empty"),
        (b"nope", 1, 1, "expected a value"),
        (b"<html></html>", 1, 1, "web page"),
        (b'{"flow":[\n {"id":1,', 2, 10, "cut off"),
        (b'{"flow":[\n {"id":"x', 2, 8, "never ends"),
        (b'{"a":1,\n}', 2, 1, "Remove the comma"),
        (b"[1,2,]", 1, 6, "Remove the comma"),
        (b"{'a':1}", 1, 2, "double quotes"),
        (b"{a:1}", 1, 2, "double quotes"),
        (b'{"a" 1}', 1, 6, "colon"),
        (b"[1 2]", 1, 4, "comma or a closing bracket"),
        (b'{"a":1} x', 1, 9, "Remove what follows"),
        (b'{"a":"b\nc"}', 1, 8, "escape"),
        (b'{"a":"\\x"}', 1, 7, "Double the backslash"),
        (b'{"a":\n NaN}', 2, 2, "no NaN"),
        (b'["NaN", -Infinity]', 1, 9, "no -Infinity"),
        (b'{"a":\n"\xe9"}', 2, 2, "not valid UTF-8"),
    ],
)
def test_broken_text_is_refused_with_place_and_mend(
    data: bytes, line: int | None, column: int | None, said: str
) -> None:
    with pytest.raises(BlueprintInvalid) as caught:
        loads(data)
    assert said in caught.value.message
    assert caught.value.params.get("line") == line
    assert caught.value.params.get("column") == column


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 10_000, 200_000])
def test_endless_nesting_is_refused(levels: int) -> None:
    for text in ("[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels):
        with pytest.raises(BlueprintInvalid, match="nested deeper than 256 levels"):
            loads(text)


def test_deepest_nesting_goes_through() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert dumps(loads(text).value) == text


def test_huge_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(BlueprintInvalid, match="more than the 50,000,000 allowed"):
        loads(b" " * (MAX_BYTES + 1))


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        dumps({"a": b"x"})
    with pytest.raises(ValueError, match="inf"):
        dumps([math.inf])
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(BlueprintInvalid, match="contains itself"):
        dumps(endless)


@pytest.mark.parametrize(
    ("left", "right", "where"),
    [
        ("1.0", "1", ()),
        ("1", "true", ()),
        ("0", "-0", ()),
        ('"1"', "1", ()),
        ("null", "false", ()),
        ('{"a":[1,{"b":2}]}', '{"a":[1,{"b":2.0}]}', ("a", 1, "b")),
        ('{"a":1}', '{"a":1,"b":2}', ("b",)),
        ("[1]", "[1,2]", (1,)),
        ("[1]", '{"0":1}', ()),
    ],
)
def test_difference_says_where(left: str, right: str, where: tuple[str | int, ...]) -> None:
    assert difference(loads(left).value, loads(right).value) == where
    assert difference(loads(left).value, loads(left).value) is None


def test_paths_quote_what_is_no_name() -> None:
    assert path_text(("flow", 2, "mapper", "a b", "it's", "0")) == (
        "$.flow[2].mapper['a b']['it\\'s']['0']"
    )


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES, st.sampled_from([None, 0, 2]))
def test_writes_what_the_standard_library_reads(value: Any, indent: int | None) -> None:
    text = dumps(value, indent)
    assert json.loads(text) == value
    text.encode()
    assert difference(loads(text).value, value) is None


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:1e-\\u \nd8', max_size=60))
def test_any_input_is_read_or_refused(data: bytes | str) -> None:
    try:
        value = loads(data).value
    except BlueprintInvalid:
        return
    assert difference(loads(dumps(value)).value, value) is None
