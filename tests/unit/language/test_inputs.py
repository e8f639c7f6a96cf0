"""Inputs and outputs of scenarios, by their specification."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import InputInvalid
from junctor.language.blueprint import load
from junctor.language.inputs import defaults, inputs_of, read_inputs, read_outputs
from junctor.language.outputs import RETURNED, pack_outputs, unpack_outputs
from tests.support import shared_dir


def one(kind: str, value: Any, **more: Any) -> Any:
    return read_inputs([{"name": "x", "type": kind, **more}], {"x": value})["x"]


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("text", 5, "5"),
        ("text", "", ""),
        ("number", "1.5", 1.5),
        ("number", "", None),
        ("integer", "7", 7),
        ("uinteger", 0, 0),
        ("boolean", True, True),
        ("boolean", "FALSE", False),
        ("boolean", 1, True),
        ("date", "2026-01-31T09:30:00+01:00", datetime(2026, 1, 31, 8, 30, tzinfo=UTC)),
        ("email", " a@b.example ", "a@b.example"),
        ("url", "https://example.com/x?y=1", "https://example.com/x?y=1"),
        ("uuid", "0B5A1F7E-6A1C-4C8E-9D0A-2F6D3C1B7E55", "0b5a1f7e-6a1c-4c8e-9d0a-2f6d3c1b7e55"),
        ("color", "#Ff8800", "#Ff8800"),
        ("any", {"a": [1]}, {"a": [1]}),
        ("array", "only", ["only"]),
        ("dynamicCollection", {"free": 1}, {"free": 1}),
        ("dynamic collection", {"free": 1}, {"free": 1}),
        ("invented", 3, 3),
        ("text", None, None),
    ],
)
def test_values_become_what_the_input_is(kind: str, value: Any, made: Any) -> None:
    assert one(kind, value) == made


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("number", "abc", "text 'abc' is not a number; give a number"),
        ("integer", 1.5, "number 1.5 is not a whole number; give a whole number"),
        ("uinteger", -1, "number -1 is negative; give a whole number from 0"),
        ("boolean", "no", "text 'no' is neither true nor false; give true or false"),
        ("date", "soon", "text 'soon' is not a date; give a date such as 2026-01-31T09:30:00Z"),
        ("email", "a@b", "text 'a@b' is no e-mail address; give an address such as name@exam"),
        ("url", "example.com", "text 'example.com' is no complete address; give an address such"),
        ("url", "http://[", "text 'http://[' is no complete address"),
        ("uuid", "7", "text '7' is no UUID; give a UUID such as"),
        ("color", "red", "text 'red' is no colour; give a colour such as #ff8800"),
        ("collection", [1], "array of 1 item is not a collection; give an object"),
    ],
)
def test_what_can_not_be_is_refused_with_value_and_mend(kind: str, value: Any, said: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        one(kind, value)
    assert refused.value.params["path"] == "x"
    assert refused.value.params["reason"].startswith(said)
    assert (
        refused.value.message == f"The input 'x' can't be taken: {refused.value.params['reason']}"
    )


def test_all_problems_are_said_with_their_paths() -> None:
    specs: list[dict[str, Any]] = [
        {"name": "order", "type": "collection", "spec": [
            {"name": "lines", "type": "array", "spec": [{"name": "sku", "type": "text",
             "required": True}, {"name": "count", "type": "uinteger"}]},
        ]},
        {"name": "tags", "type": "array", "spec": {"type": "integer"}},
        {"name": "who", "type": "email", "required": True},
    ]  # fmt: skip
    with pytest.raises(InputInvalid) as refused:
        read_inputs(
            specs,
            {"order": {"lines": [{"sku": "a", "count": "x"}, {"count": 1}]}, "tags": [1, "b"]},
        )
    assert [each["path"] for each in refused.value.params["problems"]] == [
        "order.lines[0].count",
        "order.lines[1].sku",
        "tags[1]",
        "who",
    ]


def test_a_mistyped_input_gets_the_nearest_name() -> None:
    specs = [{"name": "customer", "type": "text"}]
    with pytest.raises(InputInvalid, match="did you mean 'customer'"):
        read_inputs(specs, {"custmer": "x"})
    with pytest.raises(InputInvalid, match="there are: customer"):
        read_inputs(specs, {"q": "x"})
    assert read_inputs(specs, {"q": "x"}, strict=False) == {"customer": None, "q": "x"}
    assert read_inputs([], {"anything": 1}) == {"anything": 1}


def test_defaults_and_required() -> None:
    specs: list[dict[str, Any]] = [
        {"name": "a", "type": "integer", "default": "4"},
        {"name": "b", "type": "text", "required": True},
        {"name": "c", "type": "number", "required": True, "default": 2},
    ]
    assert read_inputs(specs, {"b": "x"}) == {"a": 4, "b": "x", "c": 2}
    assert defaults(specs) == {"a": 4, "b": None, "c": 2}
    for missing in ({}, {"b": None}, {"b": " "}):
        with pytest.raises(InputInvalid, match="'b' can't be taken: it is required; give a text"):
            read_inputs(specs, missing)
    with pytest.raises(InputInvalid, match="no collection; give an object"):
        read_inputs(specs, ["b"])


def test_selections() -> None:
    options = [{"label": "One", "value": 1}, {"label": "Two", "value": 2}]
    assert one("select", "2", options=options) == 2
    assert one("select", ["1", 2], options=options, multiple=True) == [1, 2]
    assert one("select", "a", options={"store": [{"value": "a"}]}) == "a"
    assert one("select", "free", options="rpc://list") == "free"
    with pytest.raises(InputInvalid, match="number 3 is not one of: 1, 2; give one of"):
        one("select", 3, options=options)


def test_bounds() -> None:
    assert one("number", 5, validate={"min": 5, "max": 5}) == 5
    for kind, value, rules, said in (
        ("number", 4, {"min": 5}, "number 4 is less than 5"),
        ("text", "abc", {"max": 2}, "3 characters is more than 2"),
        ("array", [1], {"minItems": 2}, "1 items is less than 2"),
        ("text", "c", {"enum": ["a", "b"]}, "not one of: a, b"),
    ):
        with pytest.raises(InputInvalid, match=said):
            one(kind, value, validate=rules)


def test_a_date_without_a_zone_is_the_organisations() -> None:
    made = read_inputs(
        [{"name": "d", "type": "date"}], {"d": "2026-07-01 12:00"}, zone=ZoneInfo("Europe/Berlin")
    )
    assert made["d"] == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_endless_nesting_is_refused() -> None:
    spec: dict[str, Any] = {"name": "x", "type": "collection"}
    spec["spec"] = [spec]
    value: dict[str, Any] = {}
    for _ in range(60):
        value = {"x": value}
    with pytest.raises(InputInvalid, match="nested deeper"):
        read_inputs([spec], value)


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_kinds = st.sampled_from(
    ["array", "collection", "date", "text", "number", "boolean", "select", "integer", "uinteger",
     "email", "url", "uuid", "color", "any", "dynamicCollection"]
)  # fmt: skip


@given(_kinds, _json, st.booleans())
def test_whatever_is_given_is_taken_or_refused_and_taken_again(
    kind: str, value: Any, required: bool
) -> None:
    specs = [{"name": "x", "type": kind, "required": required}]
    try:
        made = read_inputs(specs, {"x": value})
    except InputInvalid:
        return
    assert read_inputs(specs, made) == made


def test_outputs_are_coerced_and_nothing_is_required() -> None:
    specs: list[dict[str, Any]] = [
        {"name": "n", "type": "number", "required": True},
        {"name": "t", "type": "text"},
    ]
    assert read_outputs(specs, {"n": "4", "more": [1]}) == {"n": 4, "more": [1]}
    assert read_outputs(specs, {"t": 5}) == {"t": "5"}
    with pytest.raises(InputInvalid, match="'n' can't be taken"):
        read_outputs(specs, {"n": "x"})


def test_outputs_survive_the_answers() -> None:
    data = {"at": datetime(2026, 1, 2, tzinfo=UTC), "raw": b"\x00", "n": [1, None, {"a": "ü"}]}
    status, headers, body = pack_outputs(data)
    assert unpack_outputs(status, headers, body) == data
    assert unpack_outputs(200, (("content-type", "text/plain"),), body) is None
    assert unpack_outputs(500, headers, body) is None
    assert unpack_outputs(200, (("Content-Type", RETURNED),), b"\xc1") is None
    assert unpack_outputs(200, (("Content-Type", RETURNED),), b"\x07") == {"data": 7}


SPEC = [{"name": "a", "type": "text"}]
FLOW = [{"id": 1, "module": "util:SetVariables", "version": 1, "mapper": {}}]


@pytest.mark.parametrize(
    "document",
    [
        {"flow": FLOW, "io": {"input_spec": SPEC, "output_spec": []}},
        {"flow": FLOW, "interface": {"input": SPEC, "output": None}},
        {"flow": FLOW, "metadata": {"input_spec": SPEC}},
        {"response": {"blueprint": {"flow": FLOW}, "metadata": {"input_spec": SPEC}}},
        {"response": {"blueprint": {"flow": FLOW}, "interface": {"input": SPEC}}},
        {"flow": [{"id": 1, "module": "scenario-service:StartSubscenario", "version": 2,
                   "metadata": {"interface": SPEC}}]},
    ],
)  # fmt: skip
def test_every_place_where_exports_say_inputs(document: dict[str, Any]) -> None:
    assert [dict(each) for each in inputs_of(load(document).scenario)] == SPEC


def test_real_exports() -> None:
    folder = shared_dir("corpus", "blueprints")
    found = {}
    for path in sorted(folder.glob("integromat+make-*")):
        text = path.read_bytes()
        if b"scenario-service:" in text:
            specs = inputs_of(load(text).scenario)
            if specs:
                found[path.name.partition("__")[0]] = [spec["name"] for spec in specs]
                assert set(defaults(specs)) == set(found[path.name.partition("__")[0]])
    assert ["path", "body", "header", "method"] in found.values()
    assert ["name"] in found.values()
