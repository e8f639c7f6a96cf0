"""The values that come out of flow control, variables and aggregators."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors.tools import builtin, util
from junctor.errors import BundleInvalid
from junctor.language.asks.records import ReadState, WriteState
from junctor.language.forms import bind, schema_of
from junctor.runtime.registry import BUILT_IN, Registry


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
        ({"rowSeparator": "other", "otherRowSeparator": "\\n\\n"}, "a\n\n1\n\ntrue"),
        ({"rowSeparator": "other"}, "a1true"),
        ({"delimiter": "|", "mode": "join"}, "a|1|true"),
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


TABLE = [{"a": 1, "b": "x"}, {"b": None, "a": 2, "c": True}]


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({}, "1\tx\n\t2\ttrue"),
        ({"columnSeparator": ",", "rowSeparator": ";"}, "1,x;,2,true"),
        ({"columnSeparator": "", "rowSeparator": ""}, "1x2true"),
        (
            {
                "columnSeparator": "other",
                "otherColumnSeparator": " | ",
                "rowSeparator": "other",
                "otherRowSeparator": "\\n--\\n",
            },
            "1 | x\n--\n | 2 | true",
        ),
        ({"__expect__": [{"name": "b"}, {"name": "a"}]}, "x\t1\n\t2\ttrue"),
    ],
)
def test_a_table_aggregator_makes_rows(parameters: dict[str, Any], text: str) -> None:
    assert aggregate("AggregateAggregator", TABLE, **parameters) == {"text": text}


def test_a_table_aggregator_takes_arrays() -> None:
    values = [{"value": [1, 2]}, {"columns": [3]}, "x"]
    assert aggregate("AggregateAggregator", values) == {"text": "1\t2\n3\nx"}
    assert aggregate("AggregateAggregator", []) == {"text": ""}


def test_an_array_aggregator_shapes_items_for_its_target() -> None:
    expect = [
        {"name": "displayName", "type": "text"},
        {"name": "email", "type": "email", "required": True},
    ]
    parameters = {"target": "2.attendees", "__expect__": expect}
    made = aggregate("BasicAggregator", [{"email": 5, "displayName": ""}], **parameters)
    assert made == {"array": [{"displayName": "", "email": "5"}]}
    with pytest.raises(BundleInvalid, match="'email'"):
        aggregate("BasicAggregator", [{"displayName": "Ada"}], **parameters)
    free = aggregate("BasicAggregator", [{"email": 5}], __expect__=expect)
    assert free == {"array": [{"email": 5}]}


@pytest.mark.parametrize(
    ("reset", "scope"), [("run", "cycle"), ("execution", "run"), ("scenario", "scenario")]
)
def test_a_counter_counts_in_its_scope(reset: str, scope: str) -> None:
    module = util.modules["FunctionIncrement"]
    assert module.effect == "idempotent"
    assert module.transactional
    for remembered, count in ((None, 1), (1, 2), (41, 42), ("junk", 1)):
        asks = module.function(**bind(module, {}, {"reset": reset}))
        assert next(asks) == ReadState(scope)  # type: ignore[arg-type]  # one of the three
        assert asks.send(remembered) == WriteState(count, scope)  # type: ignore[arg-type]  # as above
        with pytest.raises(StopIteration) as done:
            asks.send(None)
        assert done.value.value == {"i": count}


def triggered(**parameters: Any) -> list[dict[str, Any]]:
    return list(util.modules["BasicTrigger"].function(parameters, {}))


def test_a_basic_trigger_gives_what_was_typed_in() -> None:
    values = [
        {"spec": [{"name": "a", "value": "b"}, {"name": "c", "value": 1}]},
        {"spec": [{"name": "a"}]},
        {"spec": []},
    ]
    assert triggered(values=values) == [{"a": "b", "c": 1}, {"a": None}, {}]
    assert triggered() == triggered(values=[]) == [{}]


@pytest.mark.parametrize("row", [{"value": 1}, {"name": " "}, "x"])
def test_fields_of_a_basic_trigger_have_names(row: Any) -> None:
    with pytest.raises(BundleInvalid, match=r"'values\[1\]\.spec'.*type one"):
        triggered(values=[{"spec": []}, {"spec": [row]}])


@pytest.mark.parametrize(
    ("alias", "module"),
    [
        ("util:TableAggregator", "util:AggregateAggregator"),
        ("tools:TextAggregator", "util:TextAggregator"),
        ("util:NumericAggregator", "util:FunctionAggregator2"),
        ("tools:Iterator", "builtin:BasicFeeder"),
        ("builtin:BasicIterator", "builtin:BasicFeeder"),
        ("builtin:ArrayAggregator", "builtin:BasicAggregator"),
        ("tools:SetVariable", "util:SetVariable2"),
        ("builtin:BasicScheduleTrigger", "util:BasicTrigger"),
        ("builtin:Noop", "placeholder:Placeholder"),
        ("builtin:Sleep", "util:FunctionSleep"),
        ("xml:TransformToXML", "xml:CreateXML"),
    ],
)
def test_other_names(alias: str, module: str) -> None:
    found = Registry(BUILT_IN).find(alias)
    assert found is not None
    assert found.id == module


def test_no_name_is_taken_twice() -> None:
    modules = list(Registry(BUILT_IN).modules())
    names = [name for module in modules for name in (module.id, *module.aliases)]
    assert len(names) == len(set(names))


def test_the_forms_have_labels() -> None:
    for connector in (builtin, util):
        for module in connector.modules.values():
            assert all(field.get("title") for field in schema_of(module)["properties"].values())
