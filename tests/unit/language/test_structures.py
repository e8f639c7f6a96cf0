"""Bundles made to conform to data structures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from junctor.errors import BundleInvalid
from junctor.language.structures import MAX_DEPTH, bound, conform, defaults, is_spec
from junctor.language.values import ERASE, IGNORE


def one(type_name: str, value: Any, **rest: Any) -> Any:
    return conform({"f": value}, [{"name": "f", "type": type_name, **rest}]).get("f", IGNORE)


@pytest.mark.parametrize(
    ("type_name", "value", "made"),
    [
        ("text", 1, "1"),
        ("text", "", ""),
        ("number", "1.5", 1.5),
        ("number", "", IGNORE),
        ("uinteger", "7", 7),
        ("boolean", "false", False),
        ("date", "2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("array", "x", ["x"]),
        ("collection", {"a": 1}, {"a": 1}),
        ("any", {"a": 1}, {"a": 1}),
        ("no such type", 5, 5),
        ("text", None, None),
        ("text", IGNORE, IGNORE),
        ("text", ERASE, None),
    ],
)
def test_values_take_the_type_of_their_field(type_name: str, value: Any, made: Any) -> None:
    assert one(type_name, value) == made


def test_dates_without_a_zone_are_of_the_given_one() -> None:
    spec = [{"name": "d", "type": "date"}]
    made = conform({"d": "2026-01-02 00:00"}, spec, zone=ZoneInfo("Europe/Berlin"))
    assert made == {"d": datetime(2026, 1, 1, 23, tzinfo=UTC)}


def test_fields_come_in_the_order_of_the_spec_and_unknown_ones_after() -> None:
    spec = [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}]
    assert list(conform({"x": 1, "b": 2, "a": 3}, spec)) == ["a", "b", "x"]


@pytest.mark.parametrize("value", [None, "", IGNORE])
def test_empty_values_take_the_default(value: Any) -> None:
    assert one("number", value, default="5", required=True) == 5


@pytest.mark.parametrize("value", [None, "", IGNORE, ERASE])
def test_a_required_field_wants_a_value(value: Any) -> None:
    with pytest.raises(BundleInvalid, match=r"'f': .*required"):
        one("text", value, required=True)


def test_items_of_arrays() -> None:
    assert one("array", ["1", 2], spec={"type": "number"}) == [1, 2]
    assert one("array", [{"n": "1"}], spec=[{"name": "n", "type": "number"}]) == [{"n": 1}]
    inner = {"spec": [{"name": "n", "type": "number"}]}
    assert one("array", [{"n": "1"}], spec=inner) == [{"n": 1}]
    assert one("array", [1, "x"], spec=[]) == [1, "x"]
    assert one("array", ["", IGNORE], spec={"type": "number"}) == [None, None]


@pytest.mark.parametrize(
    ("value", "spec", "path"),
    [
        ({"a": [{"n": 1}, {"n": "x"}]}, {"type": "array", "spec": {}}, r"a\[1\]\.n"),
        ({"a": {"n": "x"}}, {"type": "collection"}, r"a\.n"),
        ({"a": [1]}, {"type": "array"}, r"a\[0\]"),
    ],
)
def test_errors_name_the_path_the_value_and_the_type(
    value: Any, spec: dict[str, Any], path: str
) -> None:
    field = {"name": "a", **spec, "spec": [{"name": "n", "type": "number", "label": "Number"}]}
    with pytest.raises(BundleInvalid, match=rf"'{path}': .*; give a value of type"):
        conform(value, [field])


def test_strict_refuses_what_the_spec_does_not_have() -> None:
    spec: list[dict[str, Any]] = [{"name": "name", "type": "text"}, {"name": "x"}]
    with pytest.raises(BundleInvalid, match=r"'nmae': text 'Ada' .*did you mean 'name'\?"):
        conform({"nmae": "Ada"}, spec, strict=True)
    inside = [{"name": "x", "type": "collection", "spec": [{"name": "y", "type": "text"}]}]
    with pytest.raises(BundleInvalid, match=r"'x\.zz'.*add it to the data structure"):
        conform({"x": {"zz": 1}}, inside, strict=True)
    assert conform({"x": {"zz": ERASE}}, inside) == {"x": {"zz": None}}


@pytest.mark.parametrize(
    ("type_name", "value", "rules", "said"),
    [
        ("text", "c", {"enum": ["a", "b"]}, "not one of: a, b"),
        ("number", 11, {"max": 10}, "the most is 10"),
        ("number", 1, {"min": "2"}, "the least is 2"),
        ("text", "abc", {"max": 2}, "3 characters"),
        ("text", "abc", {"pattern": "^[0-9]+$"}, "does not match"),
        ("text", "abc", {"pattern": {"regexp": "^[0-9]+$"}}, "does not match"),
        ("text", "abc", {"pattern": "("}, "pattern can't be used"),
        ("array", [1, 2], {"maxItems": 1}, "2 items"),
        ("array", [], {"minItems": 1}, "0 items"),
    ],
)
def test_rules(type_name: str, value: Any, rules: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleInvalid, match=said):
        one(type_name, value, validate=rules)


def test_rules_that_hold() -> None:
    assert one("select", "5", validate={"enum": [5, 6]}) == "5"
    assert one("number", 5, validate={"min": 5, "max": 5}) == 5


def test_a_field_of_several_values() -> None:
    field = {"multiple": True, "validate": {"enum": ["a", "b"]}}
    assert one("select", "a", **field) == ["a"]
    with pytest.raises(BundleInvalid, match=r"'f\[1\]'"):
        one("select", ["a", "c"], **field)


def test_defaults() -> None:
    spec: list[dict[str, Any]] = [
        {"name": "a", "type": "text", "default": "x"},
        {"name": "b", "type": "text", "default": ""},
        {"name": "c", "type": "collection", "spec": [{"name": "d", "default": 0}]},
        {"type": "banner"},
    ]
    assert defaults(spec) == {"a": "x", "c": {"d": 0}}
    assert is_spec(spec)
    assert not is_spec([{"type": "banner"}])


def test_a_spec_of_endless_depth_is_refused() -> None:
    spec: list[Any] = [{"name": "x", "type": "text"}]
    value: Any = {"x": "end"}
    for _ in range(MAX_DEPTH + 5):
        spec, value = [{"name": "x", "type": "collection", "spec": spec}], {"x": value}
    with pytest.raises(BundleInvalid, match="nested deeper"):
        conform(value, spec)
    assert defaults(spec) == {}


_values = st.recursive(
    st.sampled_from([None, True, "", "x", b"\xff", 1e308, 10**30, float("nan")]) | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.fixed_dictionaries({"name": inner}),
    max_leaves=4,
)
_junk = st.dictionaries(
    st.sampled_from(["name", "type", "spec", "default", "validate", "required", "multiple"]),
    _values | st.sampled_from(["array", "collection", "text", "number", "date", "a"]),
)


@given(st.dictionaries(st.sampled_from("ab"), _values), st.lists(_junk, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_nothing_but_its_own_error(value: dict[str, Any], spec: list[dict[str, Any]]) -> None:
    try:
        conform(value, spec)
        defaults(spec)
    except BundleInvalid:
        pass


def test_the_structure_of_a_placed_module() -> None:
    spec = [{"name": "a", "type": "text"}]
    assert bound({"__structure__": {"spec": spec, "strict": True}}) == (spec, True)
    assert bound({"__structure__": None}) == bound({}) == ([], False)
