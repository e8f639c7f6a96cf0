"""JSON to bundles and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.connectors.json import create_json, json, parse_json
from junctor.errors import BundleInvalid, DataError
from junctor.language.forms import schema_of
from junctor.language.values import ERASE, IGNORE


def parsed(text: str, spec: Any = None, *, strict: bool = False) -> list[Any]:
    structure = {"spec": spec, "strict": strict} if spec else None
    return list(parse_json({"type": 5, "__structure__": structure}, {"json": text}))


@pytest.mark.parametrize(
    ("text", "bundles"),
    [
        ('{"a":1}', [{"a": 1}]),
        ('[{"a":1},2]', [{"a": 1}, {"value": 2}]),
        ("[]", []),
        ('"x"', [{"value": "x"}]),
        ("\ufeff{}", [{}]),
    ],
)
def test_parse(text: str, bundles: list[Any]) -> None:
    assert parsed(text) == bundles


@pytest.mark.parametrize("text", ["{", "{a:1}", "```json\n{}\n```", "[" * 100_000])
def test_a_refusal_shows_the_text_and_a_mend(text: str) -> None:
    with pytest.raises(DataError, match="is not valid JSON") as caught:
        parsed(text)
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("mapper", [{"json": ""}, {}])
def test_nothing_to_parse_is_a_missing_value(mapper: dict[str, Any]) -> None:
    with pytest.raises(BundleInvalid, match="a value is required"):
        list(parse_json({}, mapper))


SPEC: list[dict[str, Any]] = [
    {"name": "id", "type": "text", "required": True},
    {"name": "n", "type": "number", "default": 7},
    {"name": "tags", "type": "array", "spec": {"type": "text"}},
]


def test_a_structure_says_the_types() -> None:
    text = '{"x":true,"tags":[1],"id":12}'
    assert parsed(text, SPEC) == [{"id": "12", "n": 7, "tags": ["1"], "x": True}]
    assert parsed('[{"id":"a"},{"id":"b"}]', SPEC) == [{"id": "a", "n": 7}, {"id": "b", "n": 7}]


@pytest.mark.parametrize(
    ("text", "strict", "said"),
    [
        ("{}", False, "'id': it is missing"),
        ('[{"id":1},{"id":2,"n":"x"}]', False, r"'\[1\]\.n': text 'x' is not a number"),
        ('{"id":1,"tag":1}', True, "'tag': .*did you mean 'tags'"),
    ],
)
def test_what_a_structure_refuses(text: str, strict: bool, said: str) -> None:
    with pytest.raises(BundleInvalid, match=said):
        parsed(text, SPEC, strict=strict)


def test_integers_of_any_size() -> None:
    big = "123456789012345678901"
    assert parsed(f'{{"a":{big},"b":9007199254740993,"c":1234567890123456789}}') == [
        {"a": 123456789012345680000.0, "b": 9007199254740993, "c": 1234567890123456789}
    ]
    assert parsed(f'{{"id":{big}}}', SPEC) == [{"id": big, "n": 7}]
    assert parsed(f'{{"id":1,"n":{big}}}', SPEC)[0]["n"] == 123456789012345680000.0
    with pytest.raises(DataError, match="out of range"):
        parsed("1e400")


def test_a_text_may_be_too_long() -> None:
    with pytest.raises(DataError, match="the most is 50,000,000"):
        parsed('"' + "a" * 50_000_000 + '"')


def test_create() -> None:
    mapper = {"a": datetime(2026, 1, 2, tzinfo=UTC), "b": [1.0, None], "c": IGNORE, "ü": "ß"}
    text = '{"a":"2026-01-02T00:00:00.000Z","b":[1,null],"ü":"ß"}'
    assert create_json({"type": 1, "space": ""}, mapper) == {"json": text}


@pytest.mark.parametrize(
    ("space", "text"), [("2", '{\n  "a": [\n    1\n  ]\n}'), ("tab", '{\n\t"a": [\n\t\t1\n\t]\n}')]
)
def test_create_indented(space: str, text: str) -> None:
    assert create_json({"space": space}, {"a": [1]}) == {"json": text}


def test_create_by_structure() -> None:
    structure = {"spec": SPEC, "strict": True}
    made = create_json({"__structure__": structure}, {"tags": "x", "n": "", "id": 1})
    assert made == {"json": '{"id":"1","n":7,"tags":["x"]}'}
    with pytest.raises(BundleInvalid, match="'id'"):
        create_json({"__structure__": structure}, {"n": 1})


def test_create_by_the_exported_form() -> None:
    item = {"name": "value", "type": "collection", "spec": [{"name": "t", "type": "number"}]}
    expect = [{"name": "m", "type": "text"}, {"name": "list", "type": "array", "spec": item}]
    mapper = {"list": [{"t": "1.5"}, {"t": ""}], "m": 5}
    assert create_json({"__expect__": expect}, mapper) == {
        "json": '{"m":"5","list":[{"t":1.5},{}]}'
    }


def test_what_is_ignored_and_erased() -> None:
    mapper = {"a": [1, IGNORE], "b": {"c": IGNORE, "d": ERASE}}
    assert create_json({}, mapper) == {"json": '{"a":[1],"b":{"d":null}}'}


def test_too_deep() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(DataError, match="nested too deeply"):
        create_json({}, {"a": value})


@pytest.mark.parametrize("value", [{"a": [1]}, [1, "x"], "x", None, 1.0])
def test_transform(value: Any) -> None:
    texts = {"None": "null", "x": '"x"', "1.0": "1"}
    made = json.modules["TransformToJSON"].function({}, {"object": value})["json"]
    assert made == texts.get(str(value), str(value).replace(" ", "").replace("'", '"'))


def test_aggregate() -> None:
    aggregate = json.modules["AggregateToJSON"].function({"space": "2", "__expect__": SPEC[:1]})
    for value in ({"id": 1}, {"id": "b", "z": 2}):
        aggregate.add(value)
    assert aggregate.result() == {
        "json": '[\n  {\n    "id": "1"\n  },\n  {\n    "id": "b",\n    "z": 2\n  }\n]'
    }
    assert json.modules["AggregateToJSON"].function({}).result() == {"json": "[]"}


def test_the_forms_have_labels() -> None:
    for module in json.modules.values():
        assert all(field.get("title") for field in schema_of(module)["properties"].values())
