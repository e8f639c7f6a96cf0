from __future__ import annotations

from typing import Any

import pytest

from junctor.errors import BundleInvalid, ExpressionError
from junctor.language.expressions import Scope, Uses, compile_value, constant, uses


def test_a_mapping_recurses_and_keeps_its_order(scope: Scope) -> None:
    value = {"to": ["{{1.a}}", "x"], "n": 3, "deep": {"t": "Hi {{1.a}}"}, "none": None}
    evaluate = compile_value(value, {1: 1})
    found = evaluate([scope, {"a": "Ann"}])
    assert found == {"to": ["Ann", "x"], "n": 3, "deep": {"t": "Hi Ann"}, "none": None}
    assert list(found) == list(value)


def test_ignored_entries_are_left_out(scope: Scope) -> None:
    value = {"a": "{{ignore}}", "b": "{{if(1.x; 1; ignore)}}", "c": ["{{ignore}}", 2], "d": 1}
    evaluate = compile_value(value, {1: 1})
    assert evaluate([scope, {}]) == {"c": [2], "d": 1}
    assert evaluate([scope, {"x": True}]) == {"b": 1, "c": [2], "d": 1}


@pytest.mark.parametrize("value", [{"a": [1, {"b": 2}]}, [[1], [2]], {"a": "{{1.x}}", "b": []}, {}])
def test_containers_are_fresh(scope: Scope, value: Any) -> None:
    evaluate = compile_value(value, {1: 1})
    first, second = evaluate([scope, {}]), evaluate([scope, {}])
    assert first == second
    assert first is not second
    for one, other in zip(first, second, strict=True):
        a, b = (first[one], second[other]) if isinstance(first, dict) else (one, other)
        assert a is not b or not isinstance(a, list | dict)


def test_constant_mappings_say_so() -> None:
    assert constant(compile_value({"a": [1, "x"]}, {}))
    assert constant(compile_value('{{upper("a")}}', {}))
    assert not constant(compile_value({"a": ["{{1.x}}"]}, {1: 1}))


def test_a_failure_names_the_field(scope: Scope) -> None:
    evaluate = compile_value({"items": [{"n": 1}, {"n": "{{abs(1.x)}}"}]}, {1: 1}, "body")
    with pytest.raises(BundleInvalid) as caught:
        evaluate([scope, {"x": "many"}])
    assert caught.value.message == (
        "Failed to map 'body.items[2].n': abs: text 'many' is not a number"
    )
    assert caught.value.params["field"] == "body.items[2].n"
    assert caught.value.params["function"] == "abs"
    assert caught.value.params["position"] == 2


def test_a_template_that_can_not_be_read_names_the_field() -> None:
    with pytest.raises(ExpressionError, match=r"Failed to map 'a\.b': Function 'nope' not found!"):
        compile_value({"a": {"b": "{{nope(1.x)}}"}}, {1: 1})


def test_nesting_is_limited() -> None:
    value: Any = "x"
    for _ in range(10_000):
        value = [value]
    with pytest.raises(ExpressionError, match="nested deeper"):
        compile_value(value, {})


def test_uses() -> None:
    value = {
        "a": "{{1.x}} {{upper(2.y[3.i])}}",
        "b": ["{{var.team.t}}", "{{first(5.a).b}}", "{{-6.a + 1}}"],
    }
    assert uses(value) == Uses(
        modules=frozenset({1, 2, 3, 5, 6}),
        variables=True,
        functions=frozenset({"upper", "first"}),
        random=False,
    )
    assert uses("plain") == Uses()
    assert uses("{{if(true; uuid; 1)}}").random
    assert uses("{{shuffle(1.a)}}").random
