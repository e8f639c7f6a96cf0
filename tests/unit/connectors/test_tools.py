"""The values that come out of flow control, variables and aggregators."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors.tools import builtin, util
from junctor.errors import BundleInvalid
from junctor.language.forms import bind


def flow(name: str, /, **mapper: Any) -> Any:
    connector = builtin if name in builtin.modules else util
    return connector.modules[name].function({}, mapper)


def aggregate(name: str, values: list[Any], **parameters: Any) -> Any:
    connector = builtin if name in builtin.modules else util
    aggregator = connector.modules[name].function(parameters)
    for value in values:
        aggregator.add(value)
    return aggregator.result()


def transformed(name: str, **mapper: Any) -> Any:
    module = util.modules[name]
    return module.function(**bind(module, mapper, {}))


def test_an_iterator_gives_fields_or_a_value() -> None:
    assert list(flow("BasicFeeder", array=[{"a": 1}, 2])) == [
        {"a": 1, "__IMTLENGTH__": 2, "__IMTINDEX__": 1},
        {"value": 2, "__IMTLENGTH__": 2, "__IMTINDEX__": 2},
    ]


@pytest.mark.parametrize(("array", "count"), [(None, 0), ([], 0), ("x", 1), ({"a": 1}, 1)])
def test_an_iterator_takes_anything(array: Any, count: int) -> None:
    assert len(list(flow("BasicFeeder", array=array))) == count


def test_an_iterator_streams() -> None:
    big = list(range(10**6))
    assert next(iter(flow("BasicFeeder", array=big)))["__IMTLENGTH__"] == 10**6


def test_a_repeater_counts() -> None:
    found = list(flow("BasicRepeater", start="5", repeats="3", step=-2))
    assert found == [{"i": 5}, {"i": 3}, {"i": 1}]
    assert list(flow("BasicRepeater", repeats=0)) == []


@pytest.mark.parametrize("repeats", [10_001, -1, 1.5, "many"])
def test_a_repeater_has_its_bounds(repeats: Any) -> None:
    with pytest.raises(BundleInvalid, match="repeats"):
        list(flow("BasicRepeater", repeats=repeats))


def test_an_array_aggregator_keeps_order() -> None:
    assert aggregate("BasicAggregator", [{"a": 1}, {"a": 0}]) == {"array": [{"a": 1}, {"a": 0}]}


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({}, "a1true"),
        ({"rowSeparator": "\n"}, "a\n1\ntrue"),
        ({"rowSeparator": "other", "otherRowSeparator": "; "}, "a; 1; true"),
        ({"rowSeparator": "\\t"}, "a\t1\ttrue"),
    ],
)
def test_a_text_aggregator_joins(parameters: dict[str, Any], text: str) -> None:
    values = [{"value": "a"}, {"value": 1}, {"value": True}]
    assert aggregate("TextAggregator", values, **parameters) == {"text": text}


@pytest.mark.parametrize(
    ("figure", "values", "result"),
    [
        ("sum", [0.1, 0.2, "1"], 1.3),
        ("sum", [], 0),
        ("avg", [1, 2, "", None, 6], 3),
        ("avg", [], None),
        ("count", ["a", None, 3], 3),
        ("max", [3, "10", 2], 10),
        ("min", [3, "1.5"], 1.5),
        ("min", [], None),
    ],
)
def test_a_numeric_aggregator(figure: str, values: list[Any], result: Any) -> None:
    rows = [{"value": value} for value in values]
    assert aggregate("FunctionAggregator2", rows, fn=figure) == {"result": result}


def test_a_numeric_aggregator_knows_its_functions() -> None:
    with pytest.raises(BundleInvalid, match="'median' is not one of: sum, avg"):
        aggregate("FunctionAggregator2", [], fn="median")


def test_variables_are_set() -> None:
    rows = [{"name": "a", "value": 1}, {"name": "", "value": 2}, {"name": "b"}]
    assert flow("SetVariables", variables=rows, scope="execution") == (
        {"a": 1, "b": None},
        "execution",
    )
    assert flow("SetVariable2", name="a", value=[1]) == ({"a": [1]}, "roundtrip")
    with pytest.raises(BundleInvalid, match="has no name"):
        flow("SetVariable", name=" ", value=1)


def test_variables_are_asked_for() -> None:
    assert flow("GetVariables", variables=[{"name": "a"}, "b", {"name": ""}]) == ["a", "b"]
    assert flow("GetVariable2", name="a") == ["a"]


def test_a_text_is_composed() -> None:
    assert transformed("ComposeTransformer", value=[1, "a"]) == {"value": "1,a"}


@pytest.mark.parametrize(
    ("text", "patterns", "output"),
    [("a1", False, "else"), ("a1", True, "number"), ("a", False, "letter"), (None, False, "else")],
)
def test_a_switch(text: Any, patterns: bool, output: str) -> None:
    cases = [{"pattern": "a", "output": "letter"}, {"pattern": r"\d", "output": "number"}]
    cases = cases[::-1] if patterns else cases
    mapper = {"input": text, "casesTable": cases, "elseOutput": "else", "useRegExpMatch": patterns}
    assert transformed("Switcher", **mapper) == {"output": output}


def test_a_switch_refuses_a_broken_pattern() -> None:
    cases = [{"pattern": "(", "output": 1}]
    with pytest.raises(BundleInvalid, match=r"casesTable\[0\]\.pattern"):
        transformed("Switcher", input="a", casesTable=cases, useRegExpMatch=True)


def test_sleep() -> None:
    assert flow("FunctionSleep", duration="1.5") == 1.5
    assert flow("FunctionSleep", timeout=2) == 2
    with pytest.raises(BundleInvalid, match="too large; the most is 300"):
        flow("FunctionSleep", duration=301)


def test_resume_gives_its_mapper() -> None:
    assert flow("Resume", a=1) == {"a": 1}
